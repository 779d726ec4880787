/* poll, ppoll, select, pselect: what is ready, timeouts, errors, many descriptors. */
#include "guest.h"
#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

static int fds[2];

static long ms_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void later(int ms, const char *text)
{
    if (fork() == 0) {
        usleep(ms * 1000);
        if (text)
            write(fds[1], text, strlen(text));
        _exit(0);
    }
}

static void polls(void)
{
    struct pollfd p[3] = {{fds[0], POLLIN, 9}, {-1, POLLIN, 9}, {fds[1], POLLOUT, 9}};
    long start;
    char c;

    SHOW(poll(p, 3, 0));
    printf("%x %x %x\n", p[0].revents, p[1].revents, p[2].revents);
    SHOW(poll(p, 2, 0));
    start = ms_now();
    SHOW(poll(p, 2, 120));
    printf("waited: %d\n", ms_now() - start >= 120);
    later(60, "x");
    SHOW(poll(p, 2, 5000));
    printf("%x %x\n", p[0].revents, p[1].revents);
    SHOW(poll(p, 2, -1));
    SHOW(read(fds[0], &c, 1));
    wait(NULL);
    later(60, "y");
    SHOW(poll(p, 1, -1));
    read(fds[0], &c, 1);
    wait(NULL);
    p[0].fd = 999;
    SHOW(poll(p, 1, -1));
    printf("%x\n", p[0].revents);
    SHOW(poll((void *)16, 1, 0));
    SHOW(poll(NULL, 0, 10));
    SHOW(poll(p, 1u << 30, 0));
    p[0].fd = open("/dev/null", O_RDWR);
    p[0].events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI;
    SHOW(poll(p, 1, 1000));
    printf("%x\n", p[0].revents);
    close(p[0].fd);
    p[0].fd = fds[0];
    p[0].events = 0;
    struct timespec ts = {0, 20000000};
    SHOW(syscall(SYS_ppoll, p, 1, &ts, NULL, 8));
    printf("time left %ld\n", ts.tv_nsec);
    ts = (struct timespec){50, 0};
    p[0].fd = fds[1];
    p[0].events = POLLOUT;
    SHOW(syscall(SYS_ppoll, p, 1, &ts, NULL, 8));
    printf("time left %d\n", ts.tv_sec == 49);
    SHOW(syscall(SYS_ppoll, p, 1, &ts, p, 4));
    ts.tv_nsec = 1000000000;
    SHOW(syscall(SYS_ppoll, p, 1, &ts, NULL, 8));
}

static void many(void)
{
    enum { N = 300 };
    static struct pollfd p[N];
    char c;

    for (int i = 0; i < N; i++)
        p[i] = (struct pollfd){fcntl(fds[0], F_DUPFD, 0), POLLIN, 0};
    SHOW(poll(p, N, 20));
    later(50, "z");
    SHOW(poll(p, N, 5000));
    printf("last: %x\n", p[N - 1].revents);
    read(fds[0], &c, 1);
    wait(NULL);
    for (int i = 0; i < N; i++)
        close(p[i].fd);
}

static void selects(void)
{
    fd_set in, out, ex;
    struct timeval tv;
    char c;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&ex);
    FD_SET(fds[0], &in);
    FD_SET(fds[1], &out);
    FD_SET(fds[0], &ex);
    tv = (struct timeval){7, 0};
    SHOW(select(fds[1] + 1, &in, &out, &ex, &tv));
    printf("in %d out %d ex %d, left %d\n", FD_ISSET(fds[0], &in), FD_ISSET(fds[1], &out),
           FD_ISSET(fds[0], &ex), tv.tv_sec >= 6);
    FD_SET(fds[0], &in);
    tv = (struct timeval){0, 50000};
    SHOW(select(fds[0] + 1, &in, NULL, NULL, &tv));
    printf("in %d left %ld\n", FD_ISSET(fds[0], &in), (long)tv.tv_usec);
    FD_SET(fds[0], &in);
    later(50, "s");
    SHOW(select(fds[0] + 1, &in, NULL, NULL, NULL));
    printf("in %d\n", FD_ISSET(fds[0], &in));
    read(fds[0], &c, 1);
    wait(NULL);
    FD_ZERO(&in);
    FD_SET(250, &in);
    SHOW(select(251, &in, NULL, NULL, NULL));
    tv = (struct timeval){0, 1000};
    SHOW(select(250, &in, NULL, NULL, &tv));
    SHOW(select(-1, &in, NULL, NULL, NULL));
    tv = (struct timeval){-1, 0};
    SHOW(select(1, &in, NULL, NULL, &tv));
    SHOW(select(64, (void *)16, NULL, NULL, NULL));
    tv = (struct timeval){0, 1000};
    SHOW(select(0, NULL, NULL, NULL, &tv));
    int pair[2];
    pipe(pair);
    close(pair[1]);
    FD_ZERO(&in);
    FD_SET(pair[0], &in);
    SHOW(select(pair[0] + 1, &in, NULL, NULL, NULL));
    printf("hang-up is readable: %d\n", FD_ISSET(pair[0], &in));
    close(pair[0]);
    struct {
        unsigned long n;
        fd_set *in, *out, *ex;
        struct timeval *tv;
    } old = {fds[1] + 1, NULL, &out, NULL, NULL};
    FD_ZERO(&out);
    FD_SET(fds[1], &out);
    SHOW(syscall(SYS_select, &old));
}

/* What lies behind the table of a process that never had many descriptors is not looked at. */
static void selects_beyond(void *arg)
{
    struct timeval tv = {0, 1000};
    fd_set in;

    (void)arg;
    for (int fd = 3; fd < 40; fd++)
        close(fd);
    if (fork() == 0) { /* the table is as large as it needs to be */
        for (int fd = 30; fd < 300; fd += fd < 34 ? 1 : 222) {
            FD_ZERO(&in);
            FD_SET(fd, &in);
            printf("%d: ", fd);
            SHOW(select(fd + 1, &in, NULL, NULL, &tv));
        }
        DIE_UNLESS(dup2(0, 32) == 32 && close(32) == 0);
        FD_ZERO(&in);
        FD_SET(63, &in);
        SHOW(select(64, &in, NULL, NULL, &tv));
        FD_ZERO(&in);
        FD_SET(64, &in);
        SHOW(select(65, &in, NULL, NULL, &tv));
        _exit(0);
    }
    wait(NULL);
}

int main(void)
{
    DIE_UNLESS(pipe(fds) == 0);
    polls();
    many();
    selects();
    in_child("beyond", selects_beyond, NULL);
    return 0;
}
