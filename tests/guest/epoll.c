/* epoll, eventfd and timerfd. */
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>

static int ep, fds[2];
static struct epoll_event got[8];

static int ctl(int op, int fd, unsigned events, unsigned data)
{
    struct epoll_event ev = {.events = events, .data.u32 = data};

    return epoll_ctl(ep, op, fd, &ev);
}

static void wait_and_show(const char *what, int timeout)
{
    int n = epoll_wait(ep, got, 8, timeout);

    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++)
        printf(" [%u: %x]", got[i].data.u32, got[i].events);
    printf("\n");
}

static void later(int fd, const char *text)
{
    if (fork() == 0) {
        usleep(50000);
        write(fd, text, strlen(text));
        _exit(0);
    }
}

static void levels(void)
{
    char c;

    SHOW(ctl(EPOLL_CTL_ADD, fds[0], EPOLLIN, 1));
    SHOW(ctl(EPOLL_CTL_ADD, fds[1], EPOLLOUT, 2));
    wait_and_show("empty pipe", 0);
    write(fds[1], "ab", 2);
    wait_and_show("level", 0);
    wait_and_show("level again", -1);
    SHOW(epoll_wait(ep, got, 1, 0));
    read(fds[0], &c, 1);
    wait_and_show("one left", 0);
    read(fds[0], &c, 1);
    SHOW(ctl(EPOLL_CTL_DEL, fds[1], 0, 0));
    wait_and_show("drained", 20);
    later(fds[1], "x");
    wait_and_show("later", 5000);
    wait(NULL);
    struct pollfd p = {ep, POLLIN, 0};
    SHOW(poll(&p, 1, 0));
    read(fds[0], &c, 1);
    SHOW(poll(&p, 1, 20));
    later(fds[1], "y");
    SHOW(poll(&p, 1, 5000));
    wait(NULL);
    read(fds[0], &c, 1);
}

static void edges(void)
{
    char buffer[10];

    SHOW(ctl(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLET, 3));
    write(fds[1], "one", 3);
    wait_and_show("edge", 0);
    wait_and_show("edge again", 0);
    write(fds[1], "two", 3);
    wait_and_show("more data", 0);
    read(fds[0], buffer, 10);
    SHOW(ctl(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLONESHOT, 4));
    write(fds[1], "x", 1);
    wait_and_show("one shot", 0);
    write(fds[1], "y", 1);
    wait_and_show("disabled", 0);
    SHOW(ctl(EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLONESHOT, 5));
    wait_and_show("armed again", 0);
    read(fds[0], buffer, 10);
    SHOW(ctl(EPOLL_CTL_MOD, fds[0], EPOLLIN, 6));
    close(fds[1]);
    wait_and_show("hang-up", 0);
    close(fds[0]);
    wait_and_show("closed", 0);
}

static void errors(void)
{
    int file = open("/proc/self/exe", O_RDONLY), other = dup(fds[0]);

    DIE_UNLESS(pipe(fds) == 0);
    TRY(ctl(EPOLL_CTL_ADD, file, EPOLLIN, 0));
    TRY(ctl(EPOLL_CTL_ADD, 999, EPOLLIN, 0));
    TRY(ctl(EPOLL_CTL_ADD, ep, EPOLLIN, 0));
    TRY(ctl(EPOLL_CTL_MOD, fds[0], EPOLLIN, 0));
    TRY(ctl(EPOLL_CTL_DEL, fds[0], EPOLLIN, 0));
    TRY(ctl(9, fds[0], EPOLLIN, 0));
    TRY(ctl(EPOLL_CTL_ADD, fds[0], EPOLLIN, 0));
    TRY(ctl(EPOLL_CTL_ADD, fds[0], EPOLLIN, 0));
    TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fds[1], (void *)16));
    TRY(epoll_ctl(fds[0], EPOLL_CTL_ADD, fds[1], got));
    TRY(epoll_wait(ep, got, 0, 0));
    TRY(epoll_wait(fds[0], got, 1, 0));
    TRY(epoll_wait(999, got, 1, 0));
    TRY(epoll_create(0));
    TRY(epoll_create1(12345));
    write(fds[1], "x", 1);
    TRY(epoll_wait(ep, (void *)16, 1, 0));
    TRY(epoll_wait(ep, (void *)0xfffffff0, 4, 0));
    TRY(read(ep, got, 1));
    /* a second name of the same file is another member, which lives until the file closes */
    other = dup(fds[0]);
    SHOW(ctl(EPOLL_CTL_ADD, other, EPOLLIN, 77));
    SHOW(epoll_wait(ep, got, 8, 0));
    close(other);
    SHOW(epoll_wait(ep, got, 8, 0));
    close(fds[0]);
    SHOW(epoll_wait(ep, got, 8, 0));
    close(fds[1]);
    close(file);
}

static void counters(void)
{
    uint64_t n = 5;
    int fd = eventfd(3, EFD_NONBLOCK), sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);

    ctl(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT, 8);
    wait_and_show("eventfd", 0);
    SHOW(write(fd, &n, 8));
    SHOW(read(fd, &n, 8));
    printf("count %llu\n", (unsigned long long)n);
    SHOW(read(fd, &n, 8));
    wait_and_show("eventfd read", 0);
    n = UINT64_MAX - 1;
    SHOW(write(fd, &n, 8));
    wait_and_show("eventfd full", 0);
    SHOW(write(fd, &n, 8));
    n = UINT64_MAX;
    SHOW(write(fd, &n, 8));
    SHOW(read(fd, &n, 4));
    while (read(sem, &n, 8) == 8)
        printf("semaphore %llu\n", (unsigned long long)n);
    TRY(eventfd(0, 0x1234));
    close(fd);
    close(sem);
}

static void timers(void)
{
    struct itimerspec its = {{0, 0}, {0, 30000000}}, now;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    uint64_t n = 0;

    ctl(EPOLL_CTL_ADD, fd, EPOLLIN, 9);
    SHOW(timerfd_settime(fd, 0, &its, NULL));
    SHOW(read(fd, &n, 8));
    wait_and_show("timer", 5000);
    SHOW(read(fd, &n, 8));
    printf("expired %llu\n", (unsigned long long)n);
    its.it_interval.tv_nsec = 20000000;
    SHOW(timerfd_settime(fd, 0, &its, &now));
    printf("was off: %d\n", now.it_value.tv_nsec == 0);
    usleep(200000);
    read(fd, &n, 8);
    printf("several %d\n", n >= 3 && n < 50);
    SHOW(timerfd_gettime(fd, &now));
    printf("interval %ld, armed %d\n", now.it_interval.tv_nsec, now.it_value.tv_nsec > 0);
    its = (struct itimerspec){{0, 0}, {0, 0}};
    SHOW(timerfd_settime(fd, 0, &its, NULL));
    its.it_value.tv_sec = 1;
    SHOW(timerfd_settime(fd, TFD_TIMER_ABSTIME, &its, NULL));
    wait_and_show("in the past", 5000);
    TRY(timerfd_settime(fds[0], 0, &its, NULL));
    TRY(timerfd_settime(999, 0, &its, NULL));
    TRY(timerfd_create(55, 0));
    TRY(timerfd_create(CLOCK_MONOTONIC, 0x1234));
    close(fd);
}

int main(void)
{
    DIE_UNLESS((ep = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    DIE_UNLESS(pipe(fds) == 0);
    levels();
    edges();
    errors();
    counters();
    timers();
    return 0;
}
