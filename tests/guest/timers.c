/* Clocks, sleeps, interval timers and POSIX timers, as far as they print the same every time. */
#include "guest.h"
#include <poll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>

static volatile int hits;
static siginfo_t last;

static void hit(int signo, siginfo_t *si, void *context)
{
    (void)signo, (void)context;
    hits++;
    last = *si;
}

static void set(int signo)
{
    struct sigaction act = {.sa_sigaction = hit, .sa_flags = SA_SIGINFO};

    sigaction(signo, &act, NULL);
}

static long long ns(clockid_t id)
{
    struct timespec ts;

    if (clock_gettime(id, &ts))
        return -1;
    return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

static void clocks(void)
{
    static const clockid_t ids[] = {
        CLOCK_REALTIME,         CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,      CLOCK_REALTIME_COARSE,
        CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,  CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    struct timespec ts;
    struct timeval tv;
    clockid_t cpu;

    for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        long long a = ns(ids[i]), b;

        b = ns(ids[i]);
        printf("clock %d: %d, forward %d, settable %s\n", ids[i], a > 0, b >= a,
               clock_settime(ids[i], &(struct timespec){-1, 0}) ? error_name(errno) : "?");
    }
    TRY(clock_gettime(12345, &ts));
    TRY(clock_getres(CLOCK_MONOTONIC, &ts));
    printf("resolution %ld %ld\n", (long)ts.tv_sec, ts.tv_nsec);
    TRY(clock_getres(12345, &ts));
    TRY(syscall(SYS_clock_gettime, CLOCK_REALTIME, 1));
    TRY(syscall(SYS_gettimeofday, 1, 0));
    gettimeofday(&tv, NULL);
    printf("gettimeofday agrees: %d\n", llabs(tv.tv_sec - ns(CLOCK_REALTIME) / 1000000000) <= 1);
    printf("time agrees: %d\n", llabs(time(NULL) - (long long)tv.tv_sec) <= 1);
    TRY(clock_getcpuclockid(getpid(), &cpu));
    printf("cpu clock works: %d\n", ns(cpu) >= 0);
    /* However busy the machine is: as long as it takes to be given the time. */
    long long start = ns(CLOCK_PROCESS_CPUTIME_ID);
    while (ns(CLOCK_PROCESS_CPUTIME_ID) - start < 5000000)
        ;
    printf("cpu time moves\n");
    struct timex tx = {0};
    printf("adjtimex: %d\n", adjtimex(&tx) >= 0);
}

static void sleeps(void)
{
    struct timespec ts = {0, 30000000};
    long long start = ns(CLOCK_MONOTONIC);

    SHOW(nanosleep(&ts, NULL));
    SHOW(clock_nanosleep(CLOCK_REALTIME, 0, &ts, NULL));
    ts.tv_sec = (start + 150000000) / 1000000000;
    ts.tv_nsec = (start + 150000000) % 1000000000;
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
    printf("slept long enough: %d\n", ns(CLOCK_MONOTONIC) - start >= 150000000);
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){0, 0}, NULL));
    SHOW(nanosleep(&(struct timespec){0, 1000000000}, NULL));
    SHOW(nanosleep(&(struct timespec){-1, 0}, NULL));
    SHOW(syscall(SYS_nanosleep, 1, NULL));
    SHOW(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &ts, NULL));
    SHOW(clock_nanosleep(77, 0, &ts, NULL));
    SHOW(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL));
}

static void wait_hits(int n)
{
    for (int i = 0; i < 200 && hits < n; i++)
        usleep(10000);
}

static void interval(void)
{
    struct itimerval it = {{0, 30000}, {0, 30000}}, old, off = {{0, 0}, {0, 0}};

    set(SIGALRM);
    set(SIGVTALRM);
    set(SIGPROF);
    hits = 0;
    SHOW(setitimer(ITIMER_REAL, &it, NULL));
    wait_hits(3);
    printf("periodic: %d, code %x\n", hits >= 3, last.si_code);
    SHOW(setitimer(ITIMER_REAL, &off, &old));
    printf("interval %ld, left %d\n", (long)old.it_interval.tv_usec, old.it_value.tv_usec > 0);
    it = (struct itimerval){{0, 0}, {100, 0}};
    setitimer(ITIMER_REAL, &it, NULL);
    getitimer(ITIMER_REAL, &old);
    printf("left about 100: %d\n", old.it_value.tv_sec >= 99 && old.it_value.tv_sec <= 100);
    SHOW(alarm(50));
    SHOW(alarm(0));
    SHOW(alarm(0));
    if (fork() == 0) {
        alarm(100);
        _exit(fork() == 0 ? 0 : 0);
    }
    wait(NULL);
    for (int which = ITIMER_VIRTUAL; which <= ITIMER_PROF; which++) {
        it = (struct itimerval){{0, 0}, {0, 20000}};
        hits = 0;
        setitimer(which, &it, NULL);
        long long start = ns(CLOCK_MONOTONIC);
        while (!hits && ns(CLOCK_MONOTONIC) - start < 3000000000ll)
            for (volatile int i = 0; i < 100000; i++)
                ;
        printf("timer %d: hits %d signal %d\n", which, hits, last.si_signo);
    }
    TRY(setitimer(3, &it, NULL));
    TRY(getitimer(-1, &it));
    it.it_value.tv_usec = 1000000;
    TRY(setitimer(ITIMER_REAL, &it, NULL));
}

static void posix(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec its = {{0, 0}, {0, 20000000}}, now;
    sigset_t block;
    timer_t id, second;

    set(SIGUSR1);
    ev.sigev_value.sival_int = 99;
    SHOW(timer_create(CLOCK_MONOTONIC, &ev, &id));
    SHOW(timer_gettime(id, &now));
    printf("unarmed: %d\n", now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    hits = 0;
    SHOW(timer_settime(id, 0, &its, NULL));
    wait_hits(1);
    printf("hits %d code %d value %d overrun %d\n", hits, last.si_code, last.si_value.sival_int,
           last.si_overrun);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    its.it_interval = its.it_value;
    timer_settime(id, 0, &its, NULL);
    usleep(300000);
    timer_gettime(id, &now);
    printf("interval kept: %ld, armed %d\n", now.it_interval.tv_nsec, now.it_value.tv_nsec > 0);
    hits = 0;
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    printf("hits at least one %d\n", hits >= 1);
    its = (struct itimerspec){{0, 0}, {0, 0}};
    SHOW(timer_settime(id, 0, &its, &now));
    SHOW(timer_create(CLOCK_REALTIME, NULL, &second));
    SHOW(timer_delete(second));
    TRY(timer_delete(second));
    SHOW(timer_delete(id));
    TRY(syscall(SYS_timer_settime, 12345, 0, &its, NULL));
    TRY(syscall(SYS_timer_getoverrun, 12345));
    ev.sigev_signo = 99;
    TRY(timer_create(CLOCK_MONOTONIC, &ev, &id));
    ev.sigev_notify = 77;
    TRY(timer_create(CLOCK_MONOTONIC, &ev, &id));
    TRY(timer_create(88, NULL, &id));
}

/* Hundreds of timers, set, set again and dropped in no order: none may fire before its time. */
static void many(void)
{
    enum { N = 400 };
    static long long due[N];
    static struct pollfd p[N];
    unsigned seed = 1;
    int fired = 0, early = 0;

    for (int i = 0; i < N; i++)
        p[i] = (struct pollfd){timerfd_create(CLOCK_MONOTONIC, 0), POLLIN, 0};
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < N; i++) {
            struct itimerspec its = {{0, 0}, {0, 0}};

            seed = seed * 1103515245 + 12345;
            its.it_value.tv_nsec = 1000000 + (seed >> 8) % 400000000;
            due[i] = ns(CLOCK_MONOTONIC) + its.it_value.tv_nsec;
            timerfd_settime(p[i].fd, 0, &its, NULL);
        }
    for (int i = 0; i < N; i += 3) {
        close(p[i].fd);
        p[i].fd = -1;
    }
    while (fired < N - (N + 2) / 3 && poll(p, N, 3000) > 0) {
        long long now = ns(CLOCK_MONOTONIC);

        for (int i = 0; i < N; i++)
            if (p[i].fd >= 0 && p[i].revents) {
                early += now < due[i];
                fired++;
                close(p[i].fd);
                p[i].fd = -1;
            }
    }
    printf("many: fired %d, early %d\n", fired, early);
}

int main(void)
{
    clocks();
    sleeps();
    interval();
    posix();
    many();
    return 0;
}
