/*
 * Makes so many empty files in a directory, renames and removes them, and syncs after each of the
 * three.     names DIR COUNT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[2]) : 0, failed = !count || chdir(argv[1]);
    char name[32], other[32];

    for (int i = 0; i < count && !failed; i++) {
        int fd;

        sprintf(name, "file%d", i);
        fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
        failed = fd < 0 || close(fd);
    }
    sync();
    for (int i = 0; i < count && !failed; i++) {
        sprintf(name, "file%d", i);
        sprintf(other, "other%d", i);
        failed = rename(name, other);
    }
    sync();
    for (int i = 0; i < count && !failed; i++) {
        sprintf(other, "other%d", i);
        failed = unlink(other);
    }
    sync();
    printf("bench: %d names, failed %d\n", count, failed);
    return failed;
}
