/*
 * How exact sleeps and periodic timers are, and what becomes of periods that nobody takes: they are
 * counted when somebody does, and short ones leave the machine to others. Init of test_timers.py,
 * where time is counted in instructions; Debian's Linux 6.1 for i386 prints the same there.
 */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS   1000000ll
#define MANY 64

static volatile int hits;

static void hit(int signo)
{
    (void)signo;
    hits++;
}

static long long now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void spin(long long ns)
{
    for (long long end = now() + ns; now() < end;)
        ;
}

static void within(const char *what, long long got, long long from, long long to)
{
    if (from <= got && got <= to)
        printf("%s: yes\n", what);
    else
        printf("%s: %lld, not %lld to %lld\n", what, got, from, to);
}

/* late: at most so */
static void sleeps(long long late)
{
    struct timespec three = {0, 3 * MS}, twenty = {0, 20 * MS};
    struct timeval tv = {0, 4000};
    long long start;

    spin(50 * MS); /* the kernel has learnt what its timers count in */
    start = now();
    nanosleep(&three, NULL);
    within("3 ms of sleep", now() - start, 3 * MS, 3 * MS + late);
    start = now();
    nanosleep(&twenty, NULL);
    within("20 ms of sleep", now() - start, 20 * MS, 20 * MS + late);
    start = now();
    poll(NULL, 0, 7);
    within("7 ms of poll", now() - start, 7 * MS, 7 * MS + late);
    start = now();
    select(0, NULL, NULL, NULL, &tv);
    within("4 ms of select", now() - start, 4 * MS, 4 * MS + late);
    pid_t hog = fork();
    if (hog == 0)
        for (;;)
            ;
    usleep(1000);
    start = now();
    nanosleep(&three, NULL);
    within("3 ms beside a hog", now() - start, 3 * MS, 3 * MS + late);
    kill(hog, SIGKILL);
    waitpid(hog, NULL, 0);
}

static timer_t make_timer(int notify, int signo)
{
    struct sigevent ev = {.sigev_notify = notify, .sigev_signo = signo};
    timer_t t;

    if (timer_create(CLOCK_MONOTONIC, &ev, &t))
        perror("timer_create");
    return t;
}

static void start_timer(timer_t t, long ns)
{
    struct itimerspec period = {{0, ns}, {0, ns}};

    timer_settime(t, 0, &period, NULL);
}

static void handled(void)
{
    struct itimerval kilohertz = {{0, 1000}, {0, 1000}}, off = {0};
    timer_t t = make_timer(SIGEV_SIGNAL, SIGALRM);

    signal(SIGALRM, hit);
    hits = 0;
    setitimer(ITIMER_REAL, &kilohertz, NULL);
    spin(100 * MS);
    setitimer(ITIMER_REAL, &off, NULL);
    within("SIGALRM each ms for 100 ms", hits, 95, 101);
    hits = 0;
    start_timer(t, MS);
    spin(100 * MS);
    within("timer_create's each ms for 100 ms", hits, 95, 101);
    within("its overruns", timer_getoverrun(t), 0, 0);
    timer_delete(t);
}

static void blocked(void)
{
    timer_t t = make_timer(SIGEV_SIGNAL, SIGUSR1);
    long long start;
    siginfo_t si;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    start_timer(t, MS);
    spin(10 * MS + MS / 2);
    sigwaitinfo(&set, &si);
    within("overruns of 10 ms blocked", si.si_overrun, 9, 9);
    start = now();
    sigwaitinfo(&set, &si);
    within("then it goes on in its pace", now() - start, 0, MS);
    within("without overruns", si.si_overrun, 0, 0);
    timer_delete(t);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void unread(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec period = {{0, MS}, {0, MS}}, left;
    unsigned long long n = 0;
    long long start;

    timerfd_settime(fd, 0, &period, NULL);
    spin(10 * MS + MS / 2);
    if (read(fd, &n, sizeof(n)) != sizeof(n))
        perror("read");
    within("expiries of 10 ms unread", (long long)n, 10, 10);
    start = now();
    if (read(fd, &n, sizeof(n)) != sizeof(n))
        perror("read");
    within("the next one comes in time", now() - start, 0, MS);
    within("alone", (long long)n, 1, 1);
    spin(5 * MS);
    timerfd_gettime(fd, &left);
    within("what is left of a period", left.it_value.tv_nsec, 1, MS);
    close(fd);
}

static void ignored(void)
{
    struct itimerval kilohertz = {{0, 1000}, {0, 1000}}, left;
    timer_t t = make_timer(SIGEV_SIGNAL, SIGUSR1);

    signal(SIGALRM, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    setitimer(ITIMER_REAL, &kilohertz, NULL);
    start_timer(t, MS);
    spin(20 * MS);
    getitimer(ITIMER_REAL, &left);
    printf("ITIMER_REAL, ignored: %ld us left\n", (long)left.it_value.tv_usec);
    hits = 0;
    signal(SIGUSR1, hit);
    spin(60 * MS);
    within("timer_create's goes on when it is heard", hits, 40, 61);
    timer_delete(t);
}

static void unasked(void)
{
    timer_t t = make_timer(SIGEV_NONE, 0);
    struct itimerspec left;

    start_timer(t, MS);
    spin(5 * MS + MS / 2);
    timer_gettime(t, &left);
    within("what is left without a signal", left.it_value.tv_nsec, 1, MS);
    timer_delete(t);
}

/* Of a nanosecond each. */
static void tiny(void)
{
    struct itimerspec period = {{0, 1}, {0, 1}};
    timer_t timers[MANY];
    int fds[MANY];
    long long start = now();
    volatile unsigned work = 0;

    signal(SIGUSR1, SIG_IGN);
    for (int i = 0; i < MANY; i++) {
        timers[i] = make_timer(SIGEV_SIGNAL, SIGUSR1);
        start_timer(timers[i], 1);
        fds[i] = timerfd_create(CLOCK_MONOTONIC, 0);
        timerfd_settime(fds[i], 0, &period, NULL);
    }
    while (work < 3000000)
        work++;
    within("work is done beside 128 of 1 ns", now() - start, 0, 100 * MS);
    for (int i = 0; i < MANY; i++) {
        timer_delete(timers[i]);
        close(fds[i]);
    }
}

/* With "coarse": on a machine whose timers go by the millisecond. */
int main(int argc, char **argv)
{
    bool coarse = argc > 1 && strcmp(argv[1], "coarse") == 0;

    setvbuf(stdout, NULL, _IONBF, 0);
    sleeps(coarse ? MS + MS / 10 : MS / 10);
    if (!coarse) {
        handled();
        blocked();
        unread();
        ignored();
        unasked();
        tiny();
    }
    printf("timers: done\n");
    reboot(RB_POWER_OFF);
    return 0;
}
