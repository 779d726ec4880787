/* Timers and sleeps on CPU clocks: of the process, of a thread, of others; intervals, ends, errors.
 */
#include "guest.h"
#include <pthread.h>
#include <time.h>

static volatile int fired;

static void on_signal(int signo)
{
    (void)signo;
    fired++;
}

static struct itimerspec ms(int value, int interval)
{
    return (struct itimerspec){{0, interval * 1000000}, {0, value * 1000000}};
}

static void burn_until(int count)
{
    struct timespec start, now;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (fired < count && now.tv_sec < start.tv_sec + 20);
}

static clockid_t clock_of(int32_t id, int thread)
{
    return (clockid_t)(~(uint32_t)id << 3 | (thread ? 6u : 2u));
}

static void one(const char *what, clockid_t clock)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec v = ms(30, 0), left;
    struct timespec now;
    timer_t t;

    fired = 0;
    printf("%s: %s\n", what, timer_create(clock, &ev, &t) ? error_name(errno) : "ok");
    SHOW(timer_settime(t, 0, &v, NULL));
    timer_gettime(t, &left);
    printf("left: %d\n", left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 30000000);
    usleep(100000);
    printf("asleep: %d\n", fired);
    burn_until(1);
    SHOW(fired);
    timer_gettime(t, &left);
    SHOW(left.it_value.tv_nsec);
    clock_gettime(clock, &now);
    now.tv_nsec += 20000000;
    if (now.tv_nsec >= 1000000000)
        now.tv_sec++, now.tv_nsec -= 1000000000;
    v.it_value = now;
    SHOW(timer_settime(t, TIMER_ABSTIME, &v, NULL));
    burn_until(2);
    SHOW(fired);
    v = ms(20, 20);
    SHOW(timer_settime(t, 0, &v, NULL));
    burn_until(5);
    SHOW(fired >= 5);
    v = ms(0, 0);
    SHOW(timer_settime(t, 0, &v, &left));
    SHOW(left.it_interval.tv_nsec);
    SHOW(timer_delete(t));
}

static void *other_thread(void *arg)
{
    pthread_barrier_wait(arg);
    pthread_barrier_wait(arg);
    return NULL;
}

/* The clock of a thread that sleeps stands still, and goes with it. */
static void of_a_thread(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec v = ms(1, 0);
    pthread_barrier_t barrier;
    pthread_t thread;
    clockid_t clock;
    timer_t t;

    fired = 0;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, other_thread, &barrier);
    pthread_barrier_wait(&barrier);
    SHOW(pthread_getcpuclockid(thread, &clock));
    SHOW(timer_create(clock, &ev, &t));
    v.it_value.tv_nsec = 900000000;
    SHOW(timer_settime(t, 0, &v, NULL));
    usleep(50000);
    SHOW(fired);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    usleep(50000);
    SHOW(timer_settime(t, 0, &v, NULL));
    SHOW(timer_create(clock, &ev, &t));
}

static void of_a_process(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec v = ms(30, 0), left;
    struct timespec sleep = {0, 30000000};
    clockid_t clock;
    timer_t t;
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            ;
    fired = 0;
    SHOW(clock_getcpuclockid(pid, &clock));
    SHOW(timer_create(clock, &ev, &t));
    SHOW(timer_settime(t, 0, &v, NULL));
    for (int i = 0; i < 2000 && !fired; i++)
        usleep(10000);
    SHOW(fired);
    SHOW(clock_nanosleep(clock, 0, &sleep, NULL));
    SHOW(timer_create(clock_of(pid, 1), &ev, &t));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    timer_gettime(t, &left);
    SHOW(timer_create(clock, &ev, &t));
}

static void sleeping(void)
{
    struct timespec now, sleep = {0, 20000000}, left;
    pid_t pid;

    SHOW(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &sleep, NULL));
    SHOW(syscall(SYS_clock_nanosleep, clock_of(0, 1), 0, &sleep, NULL));
    SHOW(syscall(SYS_clock_nanosleep, clock_of((int32_t)gettid(), 1), 0, &sleep, NULL));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    SHOW(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &(struct timespec){0, 1}, NULL));
    pid = fork();
    if (pid == 0) { /* nobody of this process runs: only a signal ends it */
        ualarm(50000, 0);
        SHOW(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &sleep, &left));
        printf("left: %d\n", left.tv_nsec > 0 && left.tv_nsec <= 20000000);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void errors(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    timer_t t;

    SHOW(timer_create(clock_of(31999, 0), &ev, &t));
    SHOW(timer_create(clock_of(1, 1), &ev, &t));
    SHOW(timer_create(clock_of(0, 0) | 3, &ev, &t));
    SHOW(timer_create(77, &ev, &t));
}

int main(void)
{
    signal(SIGUSR1, on_signal);
    signal(SIGALRM, on_signal);
    one("process", CLOCK_PROCESS_CPUTIME_ID);
    one("thread", CLOCK_THREAD_CPUTIME_ID);
    one("process by number", clock_of(getpid(), 0));
    of_a_thread();
    of_a_process();
    sleeping();
    errors();
    return 0;
}
