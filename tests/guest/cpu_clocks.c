/* Time in user mode is user time: what the interval timers on CPU time and getrusage make of it. */
#include "guest.h"

static volatile sig_atomic_t alarms;

static void on_alarm(int signo)
{
    (void)signo;
    alarms++;
}

/* Computes until the process's CPU time (which includes both modes) has grown by a second, or an
 * alarm came. */
static void compute(int wanted)
{
    struct rusage u;
    long start;

    getrusage(RUSAGE_SELF, &u);
    start = u.ru_utime.tv_sec * 1000 + u.ru_utime.tv_usec / 1000 + u.ru_stime.tv_sec * 1000 +
            u.ru_stime.tv_usec / 1000;
    for (;;) {
        long now;

        for (volatile int i = 0; i < 1000000; i++)
            ;
        getrusage(RUSAGE_SELF, &u);
        now = u.ru_utime.tv_sec * 1000 + u.ru_utime.tv_usec / 1000 + u.ru_stime.tv_sec * 1000 +
              u.ru_stime.tv_usec / 1000;
        if (now - start > 1000 || (wanted && alarms >= wanted))
            return;
    }
}

static void try_timer(const char *name, int which, int signo)
{
    struct itimerval t = {{0, 20000}, {0, 20000}}, off = {{0, 0}, {0, 0}};

    alarms = 0;
    signal(signo, on_alarm);
    DIE_UNLESS(setitimer(which, &t, NULL) == 0);
    compute(3);
    setitimer(which, &off, NULL);
    printf("%s: %s\n", name, alarms >= 3 ? "fired" : "did not fire");
}

int main(void)
{
    struct rusage before, after;

    try_timer("ITIMER_VIRTUAL", ITIMER_VIRTUAL, SIGVTALRM);
    try_timer("ITIMER_PROF", ITIMER_PROF, SIGPROF);
    getrusage(RUSAGE_SELF, &before);
    compute(0);
    getrusage(RUSAGE_SELF, &after);
    long user = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
                after.ru_utime.tv_usec - before.ru_utime.tv_usec;
    long system = (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
                  after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    printf("computing is %s\n", user > 4 * system ? "user time" : "system time");
    return 0;
}
