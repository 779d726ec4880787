/* Interrupted system calls, restarts, sigsuspend, sigtimedwait, real-time queues. */
#include "guest.h"
#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

static volatile int hits;

static void hit(int signo)
{
    (void)signo;
    hits++;
}

static void set(int signo, void (*fn)(int), int flags)
{
    struct sigaction act = {.sa_handler = fn, .sa_flags = flags};

    sigaction(signo, &act, NULL);
}

static void alarm_in(int ms)
{
    struct itimerval it = {.it_value = {ms / 1000, ms % 1000 * 1000}};

    setitimer(ITIMER_REAL, &it, NULL);
}

static long ms_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void interrupted(int flags)
{
    int fds[2], status;
    char c = 'x';
    pid_t pid;

    printf("with SA_RESTART %d\n", flags == SA_RESTART);
    set(SIGALRM, hit, flags);
    DIE_UNLESS(pipe(fds) == 0);
    pid = fork();
    if (pid == 0) {
        usleep(300000);
        write(fds[1], &c, 1);
        usleep(200000);
        _exit(3);
    }
    hits = 0;
    alarm_in(80);
    SHOW(read(fds[0], &c, 1));
    printf("hits %d\n", hits);
    alarm_in(50);
    SHOW(waitpid(pid, &status, 0) == pid);
    if (flags != SA_RESTART)
        waitpid(pid, &status, 0);
    print_status("child", status);
    alarm_in(50);
    SHOW(pause());
    alarm_in(50);
    SHOW(poll(NULL, 0, 3000));
    alarm_in(50);
    SHOW(usleep(900000));
    alarm_in(50);
    SHOW(select(0, NULL, NULL, NULL, &(struct timeval){2, 0}));
    printf("hits %d\n", hits);
    close(fds[0]);
    close(fds[1]);
}

/* A stop and continue, or an ignored signal, does not end a sleep. */
static void sleeps_on(void)
{
    struct timespec left = {9, 9};
    pid_t pid = fork();
    int status;
    long start;

    if (pid == 0) {
        start = ms_now();
        int r = nanosleep(&(struct timespec){0, 400000000}, &left);
        printf("nanosleep %d, long enough %d\n", r, ms_now() - start >= 400);
        start = ms_now();
        r = poll(NULL, 0, 400);
        printf("poll %d, long enough %d\n", r, ms_now() - start >= 400);
        _exit(0);
    }
    for (int i = 0; i < 6; i++) {
        usleep(50000);
        kill(pid, SIGSTOP);
        waitpid(pid, &status, WUNTRACED);
        if (WIFSTOPPED(status))
            kill(pid, SIGCONT);
        else
            break;
        kill(pid, SIGWINCH);
    }
    waitpid(pid, &status, 0);
    print_status("sleeper", status);
    set(SIGALRM, hit, 0);
    alarm_in(100);
    left = (struct timespec){9, 9};
    SHOW(nanosleep(&(struct timespec){5, 0}, &left));
    printf("left: %d s\n", (int)left.tv_sec);
    alarm_in(100);
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){1000000, 0}, NULL));
}

static void suspend(void)
{
    sigset_t block, none, now;
    int r;

    set(SIGUSR1, hit, SA_RESTART);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigemptyset(&none);
    sigprocmask(SIG_BLOCK, &block, NULL);
    hits = 0;
    raise(SIGUSR1);
    printf("blocked: hits %d\n", hits);
    r = sigsuspend(&none);
    printf("sigsuspend %d %s hits %d\n", r, error_name(errno), hits);
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("mask back: %d\n", sigismember(&now, SIGUSR1));
    raise(SIGUSR1);
    SHOW(ppoll(NULL, 0, &(struct timespec){3, 0}, &none));
    printf("hits %d\n", hits);
    SHOW(pselect(0, NULL, NULL, NULL, &(struct timespec){0, 1000}, &none));
    sigprocmask(SIG_BLOCK, NULL, &now);
    printf("mask back: %d\n", sigismember(&now, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static void timedwait(void)
{
    sigset_t set;
    siginfo_t si;
    struct timespec none = {0, 0}, some = {0, 50000000};

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    SHOW(sigtimedwait(&set, &si, &none));
    SHOW(sigtimedwait(&set, &si, &some));
    for (int i = 1; i <= 3; i++) {
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
        sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 10 * i});
    }
    while (sigtimedwait(&set, &si, &none) > 0)
        printf("%s value %d code %d\n", si.si_signo == SIGUSR1 ? "USR1" : "RTMIN",
               si.si_value.sival_int, si.si_code);
    alarm_in(50);
    SHOW(sigwaitinfo(&set, &si));
    if (fork() == 0) {
        usleep(50000);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    SHOW(sigwaitinfo(&set, &si) == SIGUSR1);
    wait(NULL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int order[8], norder;

static void note(int signo, siginfo_t *si, void *context)
{
    (void)context;
    order[norder++] = (signo - SIGRTMIN) * 10 + si->si_value.sival_int;
}

static void realtime(void)
{
    struct sigaction act = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    struct rlimit limit = {4, 4};
    sigset_t set;
    int i, fails = 0;

    sigfillset(&act.sa_mask);
    sigaction(SIGRTMIN, &act, NULL);
    sigaction(SIGRTMIN + 1, &act, NULL);
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 1});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 2});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 3});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 4});
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    for (i = 0; i < norder; i++)
        printf("%d ", order[i]);
    printf("\n");
    if (fork() == 0) {
        sigfillset(&set);
        sigprocmask(SIG_BLOCK, &set, NULL);
        setrlimit(RLIMIT_SIGPENDING, &limit);
        for (i = 0; i < 1000; i++)
            if (sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 0}) < 0)
                fails++;
        printf("limit holds: %d, %s\n", fails >= 996, error_name(errno));
        _exit(0);
    }
    wait(NULL);
    siginfo_t si = {.si_code = SI_USER};
    TRY(syscall(SYS_rt_sigqueueinfo, 1, SIGTERM, &si));
    TRY(syscall(SYS_rt_sigqueueinfo, getpid(), 0, &si));
    TRY(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, 1));
}

int main(void)
{
    interrupted(0);
    interrupted(SA_RESTART);
    sleeps_on();
    suspend();
    timedwait();
    realtime();
    return 0;
}
