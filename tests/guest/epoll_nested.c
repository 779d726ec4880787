/* epoll sets in epoll sets: what climbs, loops, depth, too many ways, closing in the middle. */
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int ctl(int ep, int op, int fd, unsigned events)
{
    struct epoll_event ev = {.events = events, .data.u32 = (unsigned)fd};

    return epoll_ctl(ep, op, fd, &ev);
}

static int add(int ep, int fd)
{
    return ctl(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
}

static void show(const char *what, int ep)
{
    struct epoll_event got[4];
    int n = epoll_wait(ep, got, 4, 0);

    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++)
        printf(" %x", got[i].events);
    printf("\n");
}

/* A chain of sets of that length, each in the next; the first is returned, the others follow. */
static int chain(int length, int *last)
{
    int first = epoll_create1(0), below = first;

    for (int i = 1; i < length; i++) {
        int above = epoll_create1(0);

        DIE_UNLESS(add(above, below) == 0);
        below = above;
    }
    *last = below;
    return first;
}

static void climbing(void)
{
    int counter = eventfd(0, EFD_NONBLOCK), top, bottom = chain(4, &top);
    struct epoll_event got;
    struct pollfd p = {top, POLLIN, 0};
    uint64_t one = 1;

    DIE_UNLESS(add(bottom, counter) == 0);
    show("nothing", top);
    write(counter, &one, 8);
    show("climbs", top);
    show("level", top);
    SHOW(poll(&p, 1, 0));
    read(counter, &one, 8);
    show("drained", top);
    SHOW(poll(&p, 1, 0));
    if (fork() == 0) {
        usleep(30000);
        write(counter, &one, 8);
        _exit(0);
    }
    SHOW(epoll_wait(top, &got, 1, 5000));
    wait(NULL);
    read(counter, &one, 8);
    if (fork() == 0) {
        usleep(30000);
        write(counter, &one, 8);
        _exit(0);
    }
    SHOW(poll(&p, 1, 5000));
    wait(NULL);
    close(bottom);
    show("the bottom is closed", top);
    SHOW(close(counter));
}

static void edge(void)
{
    int counter = eventfd(0, EFD_NONBLOCK), in = epoll_create1(0), out = epoll_create1(0);
    uint64_t one = 1;

    add(in, counter);
    SHOW(ctl(out, EPOLL_CTL_ADD, in, EPOLLIN | EPOLLET));
    write(counter, &one, 8);
    show("edge", out);
    show("edge once", out);
    write(counter, &one, 8);
    show("edge again", out);
    SHOW(ctl(out, EPOLL_CTL_MOD, in, EPOLLIN | EPOLLONESHOT));
    show("one shot", out);
    show("one shot is over", out);
    SHOW(ctl(out, EPOLL_CTL_DEL, in, 0));
    show("taken out", out);
    close(in), close(out), close(counter);
}

static void loops(void)
{
    int a = epoll_create1(0), b = epoll_create1(0), c = epoll_create1(0), top, bottom;

    SHOW(add(a, a));
    SHOW(add(a, b));
    SHOW(add(b, a));
    SHOW(add(b, c));
    SHOW(add(c, a));
    SHOW(add(a, c));
    SHOW(add(a, b));
    bottom = chain(5, &top);
    SHOW(add(bottom, eventfd(0, 0)));
    SHOW(add(a, top));
    SHOW(add(bottom, epoll_create1(0)));
    bottom = chain(3, &top);
    SHOW(add(bottom, a));
    SHOW(add(bottom, c));
}

/* More than 500 sets over one that is in a set itself. */
static void many_ways(void)
{
    struct rlimit more = {2000, 2000};
    int in = epoll_create1(0), middle = epoll_create1(0), counter = eventfd(0, 0), ok = 0;

    DIE_UNLESS(setrlimit(RLIMIT_NOFILE, &more) == 0);
    add(in, counter);
    SHOW(add(middle, in));
    for (int i = 0; i < 600; i++)
        ok += add(epoll_create1(0), in) == 0;
    printf("sets over one: %d, %s\n", ok, error_name(errno));
}

static void exclusive(void)
{
    int ep = epoll_create1(0), counter = eventfd(0, 0), in = epoll_create1(0);

    SHOW(ctl(ep, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE));
    SHOW(ctl(ep, EPOLL_CTL_ADD, in, EPOLLIN | EPOLLEXCLUSIVE));
    SHOW(ctl(ep, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLEXCLUSIVE));
    SHOW(ctl(ep, EPOLL_CTL_MOD, counter, EPOLLIN));
    SHOW(ctl(ep, EPOLL_CTL_MOD, counter, EPOLLIN | EPOLLEXCLUSIVE));
    SHOW(ctl(ep, EPOLL_CTL_DEL, counter, 0));
}

/* Killed while it waits on the outermost of several. */
static void killed(void)
{
    int top, bottom = chain(3, &top), fds[2], status;
    struct epoll_event got;
    pid_t pid;

    DIE_UNLESS(pipe(fds) == 0);
    add(bottom, fds[0]);
    pid = fork();
    if (pid == 0) {
        write(fds[1], "x", 1);
        read(fds[0], &got, 1);
        epoll_wait(top, &got, 1, -1);
        _exit(1);
    }
    usleep(50000);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    print_status("waiter", status);
    write(fds[1], "x", 1);
    show("goes on", top);
}

int main(void)
{
    climbing();
    edge();
    loops();
    exclusive();
    killed();
    many_ways();
    return 0;
}
