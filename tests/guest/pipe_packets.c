/* Pipes: packet mode, vectors, sizes of the ring, transfers that meet an unmapped page. */
#include "guest.h"
#include <poll.h>
#include <sys/ioctl.h>

static char buffer[3 * PAGE];

static int queued(int fd)
{
    int n = -1;

    ioctl(fd, FIONREAD, &n);
    return n;
}

static void packets(void)
{
    int fds[2];

    DIE_UNLESS(pipe2(fds, O_DIRECT | O_NONBLOCK) == 0);
    printf("direct: %d %d\n", !!(fcntl(fds[0], F_GETFL) & O_DIRECT),
           !!(fcntl(fds[1], F_GETFL) & O_DIRECT));
    SHOW(write(fds[1], "one", 3));
    SHOW(write(fds[1], "second", 6));
    SHOW(write(fds[1], buffer, 5000));
    SHOW(queued(fds[0]));
    SHOW(read(fds[0], buffer, 100));
    SHOW(read(fds[0], buffer, 2)); /* the rest of the packet is gone */
    SHOW(read(fds[0], buffer, sizeof(buffer)));
    SHOW(read(fds[0], buffer, sizeof(buffer)));
    SHOW(read(fds[0], buffer, 1));
    SHOW(fcntl(fds[1], F_SETFL, O_NONBLOCK));
    SHOW(write(fds[1], "a", 1));
    SHOW(write(fds[1], "b", 1));
    SHOW(fcntl(fds[1], F_SETFL, O_NONBLOCK | O_DIRECT));
    SHOW(write(fds[1], "c", 1)); /* the buffer before takes it */
    SHOW(write(fds[1], buffer, PAGE));
    SHOW(fcntl(fds[1], F_SETFL, O_NONBLOCK));
    SHOW(write(fds[1], "d", 1));
    SHOW(write(fds[1], "e", 1));
    SHOW(read(fds[0], buffer, 3));
    SHOW(read(fds[0], buffer, 10));
    SHOW(read(fds[0], buffer, 10));
    for (int i = 0;
         write(fds[1], "x", 1) == 1 && fcntl(fds[1], F_SETFL, O_DIRECT | O_NONBLOCK) == 0;)
        i++;
    SHOW(queued(fds[0])); /* a slot for each */
    close(fds[0]);
    close(fds[1]);
}

static void vectors(void)
{
    struct iovec v[3] = {{buffer, 3}, {buffer + 10, 0}, {buffer + 20, 4}};
    int fds[2];

    DIE_UNLESS(pipe2(fds, O_DIRECT | O_NONBLOCK) == 0);
    SHOW(writev(fds[1], v, 3)); /* one packet */
    SHOW(writev(fds[1], v, 1));
    SHOW(readv(fds[0], v, 3));
    SHOW(readv(fds[0], v, 3));
    SHOW(readv(fds[0], v, 3));
    SHOW(writev(fds[1], v + 1, 1));
    close(fds[0]);
    signal(SIGPIPE, SIG_IGN);
    SHOW(writev(fds[1], v, 3));
    close(fds[1]);
}

/* What is written after a whole page, or does not fit, takes a slot of its own. */
static void slots(void)
{
    int fds[2], n;

    DIE_UNLESS(pipe2(fds, O_NONBLOCK) == 0);
    for (n = 0; write(fds[1], buffer, 3000) == 3000; n++)
        ;
    printf("writes of 3000: %d\n", n);
    SHOW(write(fds[1], buffer, 1000)); /* fits behind the last */
    SHOW(write(fds[1], buffer, 97));
    SHOW(write(fds[1], buffer, 96));
    SHOW(queued(fds[0]));
    SHOW(read(fds[0], buffer, 3000));
    SHOW(write(fds[1], buffer, 2 * PAGE + 5));
    SHOW(queued(fds[0]));
    close(fds[0]);
    close(fds[1]);
}

static void sizes(void)
{
    int fds[2];

    DIE_UNLESS(pipe2(fds, O_NONBLOCK) == 0);
    SHOW(fcntl(fds[0], F_SETPIPE_SZ, 1 << 30));
    SHOW(fcntl(fds[0], F_SETPIPE_SZ, 0x80000000));
    SHOW(fcntl(fds[0], F_SETPIPE_SZ, 0x80000001));
    SHOW(fcntl(fds[0], F_SETPIPE_SZ, -1));
    SHOW(fcntl(fds[0], F_SETPIPE_SZ, 16 << 20));
    SHOW(fcntl(fds[0], F_GETPIPE_SZ));
    SHOW(fcntl(fds[0], F_SETPIPE_SZ, 1 << 20));
    for (int i = 0; i < 3; i++)
        DIE_UNLESS(write(fds[1], buffer, PAGE) == PAGE);
    SHOW(fcntl(fds[1], F_SETPIPE_SZ, 2 * PAGE));
    SHOW(fcntl(fds[1], F_SETPIPE_SZ, 3 * PAGE));
    SHOW(read(fds[0], buffer, sizeof(buffer)));
    if (fork() == 0) {
        DIE_UNLESS(setuid(1000) == 0);
        SHOW(fcntl(fds[0], F_SETPIPE_SZ, (1 << 20) + 1));
        SHOW(fcntl(fds[0], F_SETPIPE_SZ, 1 << 20));
        SHOW(fcntl(fds[0], F_SETPIPE_SZ, PAGE));
        _exit(0);
    }
    wait(NULL);
    close(fds[0]);
    close(fds[1]);
}

/* Whole pages count, else the error; what was not read stays. */
static void faults(void)
{
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fds[2];

    munmap(p + 2 * PAGE, PAGE);
    DIE_UNLESS(pipe2(fds, O_NONBLOCK) == 0);
    SHOW(write(fds[1], p + PAGE + 100, PAGE));
    SHOW(queued(fds[0]));
    SHOW(read(fds[0], buffer, 10));
    SHOW(write(fds[1], p + 100, 2 * PAGE));
    SHOW(queued(fds[0]));
    SHOW(write(fds[1], p + 2 * PAGE - 10, 20));
    SHOW(queued(fds[0]));
    SHOW(write(fds[1], p, PAGE));
    SHOW(read(fds[0], p + PAGE + 100, PAGE));
    SHOW(queued(fds[0]));
    SHOW(read(fds[0], p + 100, 2 * PAGE));
    SHOW(queued(fds[0]));
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    packets();
    vectors();
    slots();
    sizes();
    faults();
    return 0;
}
