/* What the tests of pseudo-terminals share. */
#ifndef GUEST_PTY_H
#define GUEST_PTY_H

#include "guest.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

__attribute__((unused)) static int new_master(void)
{
    int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);

    DIE_UNLESS(fd >= 0);
    return fd;
}

__attribute__((unused)) static char *slave_name(int master)
{
    static char name[32];
    int n;

    DIE_UNLESS(ioctl(master, TIOCGPTN, &n) == 0);
    sprintf(name, "/dev/pts/%d", n);
    return name;
}

__attribute__((unused)) static void unlock(int master)
{
    int zero = 0;

    DIE_UNLESS(ioctl(master, TIOCSPTLCK, &zero) == 0);
}

__attribute__((unused)) static void open_pair(int *master, int *slave)
{
    *master = new_master();
    unlock(*master);
    *slave = open(slave_name(*master), O_RDWR | O_NOCTTY);
    DIE_UNLESS(*slave >= 0);
}

__attribute__((unused)) static void make_raw(int fd)
{
    struct termios t;

    DIE_UNLESS(tcgetattr(fd, &t) == 0);
    cfmakeraw(&t);
    DIE_UNLESS(tcsetattr(fd, TCSANOW, &t) == 0);
}

/* What can be read within a second; every byte visible. */
__attribute__((unused)) static void show_read(const char *what, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char buf[200];
    int n;

    printf("%s: ", what);
    if (poll(&p, 1, 1000) == 0) {
        printf("nothing\n");
        return;
    }
    n = read(fd, buf, sizeof(buf));
    if (n < 0)
        printf("%s", error_name(errno));
    for (int i = 0; i < n; i++)
        printf(buf[i] < 32 || buf[i] > 126 ? "\\%03o" : "%c", buf[i] & 0377);
    printf(n == 0 ? "end\n" : "\n");
}

__attribute__((unused)) static void show_poll(const char *what, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};

    poll(&p, 1, 0);
    printf("%s:%s%s%s%s%s\n", what, p.revents & POLLIN ? " in" : "",
           p.revents & POLLOUT ? " out" : "", p.revents & POLLPRI ? " pri" : "",
           p.revents & POLLHUP ? " hup" : "", p.revents & POLLERR ? " err" : "");
}

#endif
