/* signalfd: what is read, for whom, blocking and not, polled, changed, inherited, and its errors.
 */
#include "guest.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>

static sigset_t set_of(int a, int b)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, a);
    if (b)
        sigaddset(&s, b);
    return s;
}

static void show(const char *what, int fd)
{
    struct signalfd_siginfo got[4];
    long n = read(fd, got, sizeof(got));

    if (n < 0) {
        printf("%s: %s\n", what, error_name(errno));
        return;
    }
    printf("%s: %ld\n", what, n);
    for (int i = 0; i < n / (long)sizeof(*got); i++)
        printf("  signal %u code %d pid %s uid %u value %d ptr %llx status %d overrun %u\n",
               got[i].ssi_signo, got[i].ssi_code,
               (pid_t)got[i].ssi_pid == getpid() ? "own"
               : got[i].ssi_pid                  ? "other"
                                                 : "0",
               got[i].ssi_uid, got[i].ssi_int, (unsigned long long)got[i].ssi_ptr,
               got[i].ssi_status, got[i].ssi_overrun);
}

static void reading(void)
{
    sigset_t s = set_of(SIGUSR1, SIGRTMIN + 1);
    int fd = signalfd(-1, &s, SFD_NONBLOCK);
    union sigval v = {.sival_int = 77};
    char small[100];

    show("nothing waits", fd);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    SHOW(read(fd, small, sizeof(small)));
    show("one that was sent twice", fd);
    sigqueue(getpid(), SIGRTMIN + 1, v);
    v.sival_int = 78;
    sigqueue(getpid(), SIGRTMIN + 1, v);
    raise(SIGUSR1);
    show("three", fd);
    kill(getpid(), SIGUSR2);
    show("not of the set", fd);
    s = set_of(SIGUSR2, 0);
    SHOW(signalfd(fd, &s, 0) == fd);
    show("changed", fd);
    SHOW(write(fd, small, 8));
    SHOW(fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
    SHOW(fcntl(fd, F_GETFD));
    close(fd);
}

static void kinds(void)
{
    sigset_t s = set_of(SIGCHLD, SIGALRM);
    int fd = signalfd(-1, &s, SFD_CLOEXEC);
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec soon = {.it_value = {0, 1000000}};
    timer_t t;

    ev.sigev_value.sival_int = 5;
    SHOW(fcntl(fd, F_GETFD));
    if (fork() == 0)
        _exit(3);
    show("a child", fd);
    wait(NULL);
    timer_create(CLOCK_MONOTONIC, &ev, &t);
    timer_settime(t, 0, &soon, NULL);
    struct signalfd_siginfo got;
    read(fd, &got, sizeof(got));
    printf("timer: signal %u code %d tid %u value %d overrun %u\n", got.ssi_signo, got.ssi_code,
           got.ssi_tid, got.ssi_int, got.ssi_overrun);
    timer_delete(t);
    close(fd);
}

static void polling(void)
{
    sigset_t s = set_of(SIGUSR1, SIGKILL);
    int fd = signalfd(-1, &s, SFD_NONBLOCK), ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN}, got;
    struct pollfd p = {fd, POLLIN, 0};
    pid_t parent = getpid(), pid;

    SHOW(poll(&p, 1, 0));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
    SHOW(epoll_wait(ep, &got, 1, 0));
    if (fork() == 0) {
        usleep(30000);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    SHOW(epoll_wait(ep, &got, 1, 5000));
    wait(NULL);
    SHOW(poll(&p, 1, 0));
    show("polled", fd);
    SHOW(epoll_wait(ep, &got, 1, 0));
    pid = fork();
    if (pid == 0) { /* the child sees its own */
        struct pollfd mine = {fd, POLLIN, 0};

        printf("child: %d\n", poll(&mine, 1, 5000));
        show("child", fd);
        _exit(0);
    }
    usleep(30000);
    kill(pid, SIGUSR1);
    wait(NULL);
    show("parent", fd);
    close(ep);
    close(fd);
}

static void nothing(int signo)
{
    (void)signo;
}

static void *sleeper(void *arg)
{
    show("thread", *(int *)arg);
    return NULL;
}

static void blocking(void)
{
    struct sigaction act = {.sa_handler = nothing};
    sigset_t s = set_of(SIGUSR1, 0);
    int fd = signalfd(-1, &s, 0), status;
    pthread_t thread;
    pid_t pid = fork();

    if (pid == 0) {
        sigaction(SIGALRM, &act, NULL);
        sigprocmask(SIG_UNBLOCK, &(sigset_t){{1 << (SIGALRM - 1)}}, NULL);
        ualarm(30000, 0);
        show("interrupted", fd);
        _exit(0);
    }
    wait(NULL);
    pthread_create(&thread, NULL, sleeper, &fd);
    usleep(30000);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    pid = fork();
    if (pid == 0) {
        show("never", fd);
        _exit(0);
    }
    usleep(30000);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    print_status("reader", status);
    close(fd);
}

static void errors(void)
{
    sigset_t s = set_of(SIGUSR1, 0);

    SHOW(syscall(SYS_signalfd4, -1, &s, 4, 0));
    SHOW(syscall(SYS_signalfd4, -1, &s, 8, 1));
    SHOW(syscall(SYS_signalfd4, -1, 8, 8, 0));
    SHOW(syscall(SYS_signalfd4, 55, &s, 8, 0));
    SHOW(syscall(SYS_signalfd4, 1, &s, 8, 0));
    SHOW(syscall(SYS_signalfd4, -2, &s, 8, 0));
    SHOW(close(syscall(SYS_signalfd, -1, &s, 8)));
}

static void info(void)
{
    sigset_t s = set_of(SIGUSR1, SIGKILL);
    int fd = signalfd(-1, &s, 0);
    char path[40], line[100];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "sigmask", 7) == 0)
            printf("%s", line);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    line[readlink(path, line, 99)] = '\0';
    printf("%s\n", line);
}

int main(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    reading();
    kinds();
    polling();
    blocking();
    errors();
    info();
    return 0;
}
