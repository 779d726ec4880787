/*
 * For the tests of write-back: writes to every page of a file through a mapping and prints the most
 * that was dirty meanwhile.
 *
 *     map_writer FILE MiB [COPY]     the beginning is then written to COPY, O_DSYNC
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u

/* "Dirty:" of /proc/meminfo, in KiB. */
static unsigned long dirty(void)
{
    char text[4096], *at;
    int fd = open("/proc/meminfo", O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);

    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    at = strstr(text, "\nDirty:");
    return at ? strtoul(at + 7, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) << 20 : 0;
    int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT, 0644) : -1;
    unsigned long most = 0;
    char *p;

    if (fd < 0 || ftruncate(fd, (off_t)size))
        return 1;
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return 1;
    for (unsigned round = 0; round < 2; round++) {
        for (size_t at = 0; at < size; at += PAGE) {
            p[at] = (char)(at / PAGE + round);
            if (at / PAGE % 64 == 0 && dirty() > most)
                most = dirty();
        }
    }
    for (size_t at = 0; at < size; at += PAGE)
        if (p[at] != (char)(at / PAGE + 1))
            return 1;
    if (msync(p, size, MS_SYNC))
        return 1;
    if (argc > 3) {
        fd = open(argv[3], O_WRONLY | O_CREAT | O_DSYNC, 0644);
        if (write(fd, p, 65536) != 65536)
            return 1;
    }
    printf("most %lu\n", most);
    return 0;
}
