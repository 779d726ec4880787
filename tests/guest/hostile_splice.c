/*
 * What is in a pipe stays as it was taken, whatever happens to where it came from: Linux, which
 * shares the pages, shows the change. And a user who fills pipes from a file gets no further than
 * his limit.
 */
#include "guest.h"

static char buffer[2 * PAGE];

static bool all(char want, int n)
{
    for (int i = 0; i < n; i++)
        if (buffer[i] != want)
            return false;
    return true;
}

static int file_of(char what)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

    DIE_UNLESS(fd >= 0);
    memset(buffer, what, sizeof(buffer));
    DIE_UNLESS(write(fd, buffer, sizeof(buffer)) == sizeof(buffer));
    return fd;
}

static void file_changes(void)
{
    int fd = file_of('a'), fds[2], copy[2];
    off64_t off = 0;

    DIE_UNLESS(pipe2(fds, O_NONBLOCK) == 0 && pipe2(copy, O_NONBLOCK) == 0);
    SHOW(splice(fd, &off, fds[1], NULL, 2 * PAGE, 0));
    SHOW(tee(fds[0], copy[1], 2 * PAGE, 0));
    memset(buffer, 'b', sizeof(buffer));
    SHOW(pwrite(fd, buffer, sizeof(buffer), 0));
    SHOW(ftruncate(fd, 0));
    SHOW(read(fds[0], buffer, sizeof(buffer)));
    printf("as it was: %d\n", all('a', sizeof(buffer)));
    SHOW(read(copy[0], buffer, sizeof(buffer)));
    printf("as it was: %d\n", all('a', sizeof(buffer)));
    close(fd);
}

static void memory_changes(void)
{
    struct iovec v = {buffer, sizeof(buffer)};
    int fds[2];

    DIE_UNLESS(pipe2(fds, O_NONBLOCK) == 0);
    memset(buffer, 'c', sizeof(buffer));
    SHOW(vmsplice(fds[1], &v, 1, SPLICE_F_GIFT) == sizeof(buffer));
    memset(buffer, 'd', sizeof(buffer));
    SHOW(read(fds[0], buffer, sizeof(buffer)));
    printf("as it was: %d\n", all('c', sizeof(buffer)));
}

/* Every pipe that a user may have, each full of bytes that take a page. */
static void filled(void *arg)
{
    struct rlimit r = {4096, 4096};
    int fd = file_of('e'), fds[2], pipes = 0;
    off64_t off;

    (void)arg;
    setrlimit(RLIMIT_NOFILE, &r);
    DIE_UNLESS(setuid(1000) == 0);
    for (; pipe2(fds, O_NONBLOCK) == 0; pipes++)
        for (off = 0; splice(fd, &off, fds[1], NULL, 1, 0) == 1; off = 0)
            ;
    printf("pipes end: %s, many %d\n", error_name(errno), pipes > 100);
}

int main(void)
{
    file_changes();
    memory_changes();
    in_child("filled", filled, NULL);
    return 0;
}
