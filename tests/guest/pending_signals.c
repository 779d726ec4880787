/*
 * RLIMIT_SIGPENDING counts the queued signals and the timers of a user, whichever of his processes
 * has them: man 2 getrlimit.
 */
#include "guest.h"
#include <time.h>

#define LIMIT 10

static void as_user(uid_t uid)
{
    struct rlimit r = {LIMIT, LIMIT};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    DIE_UNLESS(setuid(uid) == 0 && setrlimit(RLIMIT_SIGPENDING, &r) == 0);
}

/* How many could be queued. */
static int queue(int most)
{
    union sigval v = {0};
    int n = 0;

    while (n < most && sigqueue(getpid(), SIGRTMIN, v) == 0)
        n++;
    return n;
}

static int create(int most)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    timer_t t;
    int n = 0;

    while (n < most && timer_create(CLOCK_MONOTONIC, &ev, &t) == 0)
        n++;
    return n;
}

static void show_count(void)
{
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");

    while (fgets(line, sizeof(line), f))
        if (strncmp(line, "SigQ:", 5) == 0)
            printf("%s", line);
    fclose(f);
}

static void wait_for(pid_t pid)
{
    DIE_UNLESS(waitpid(pid, NULL, 0) == pid);
}

/* Holds some of each until it is killed. */
static pid_t holder(uid_t uid, int signals, int timers)
{
    int ready[2];
    pid_t pid;
    char c;

    DIE_UNLESS(pipe(ready) == 0);
    pid = fork();
    if (pid == 0) {
        as_user(uid);
        printf("user %d holds %d signals", (int)uid, queue(signals));
        printf(" and %d timers\n", create(timers));
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    DIE_UNLESS(read(ready[0], &c, 1) == 0);
    close(ready[0]);
    return pid;
}

static void try_as(uid_t uid, const char *when)
{
    union sigval v = {0};
    pid_t pid = fork();

    if (pid == 0) {
        as_user(uid);
        printf("user %d, %s: %d signals", (int)uid, when, queue(100));
        printf(" and then %d timers\n", create(100));
        SHOW(sigqueue(getpid(), SIGRTMIN, v));
        SHOW(kill(getpid(), SIGRTMIN));
        SHOW(kill(getpid(), SIGUSR1));
        show_count();
        _exit(0);
    }
    wait_for(pid);
}

/* A signal that is taken, and a timer that is deleted, make room for another. */
static void give_back(uid_t uid)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct sigevent ev = {.sigev_notify = SIGEV_NONE};
        struct timespec now = {0, 0};
        timer_t t;
        sigset_t set;

        as_user(uid);
        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN);
        SHOW(timer_create(CLOCK_MONOTONIC, &ev, &t));
        printf("%d\n", queue(100));
        SHOW(sigtimedwait(&set, NULL, &now) == SIGRTMIN);
        printf("%d\n", queue(100));
        SHOW(timer_delete(t));
        printf("%d\n", queue(100));
        _exit(0);
    }
    wait_for(pid);
}

int main(void)
{
    pid_t a = holder(1001, 4, 2), b = holder(1001, 3, 0);

    try_as(1001, "beside both");
    try_as(1002, "alone");
    kill(a, SIGKILL);
    wait_for(a);
    try_as(1001, "beside one");
    kill(b, SIGKILL);
    wait_for(b);
    try_as(1001, "alone");
    give_back(1001);
    return 0;
}
