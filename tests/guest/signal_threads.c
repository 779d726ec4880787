/* Signals and threads: who gets them, stops and ends of the whole process. */
#include "guest.h"
#include <pthread.h>
#include <time.h>

static volatile pid_t handled_by;
static volatile int handled, ready;
static pid_t tid_of_thread;

static pid_t my_tid(void)
{
    return (pid_t)syscall(SYS_gettid);
}

static void note(int signo)
{
    (void)signo;
    handled_by = my_tid();
    handled++;
}

static void block(int how, int signo)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signo);
    pthread_sigmask(how, &set, NULL);
}

static void wait_for(volatile int *what, int value)
{
    for (int i = 0; i < 500 && *what < value; i++)
        usleep(5000);
}

static void *sleeper(void *arg)
{
    (void)arg;
    tid_of_thread = my_tid();
    ready = 1;
    for (;;)
        pause();
    return NULL;
}

static void *unblocked(void *arg)
{
    block(SIG_UNBLOCK, SIGUSR1);
    return sleeper(arg);
}

static pthread_t start(void *(*fn)(void *))
{
    pthread_t t;

    ready = 0;
    DIE_UNLESS(pthread_create(&t, NULL, fn, NULL) == 0);
    wait_for(&ready, 1);
    return t;
}

static void directed(void *arg)
{
    pthread_t t;
    sigset_t set;

    (void)arg;
    signal(SIGUSR1, note);
    t = start(sleeper);
    SHOW(pthread_kill(t, SIGUSR1));
    wait_for(&handled, 1);
    printf("pthread_kill: in the thread %d\n", handled_by == tid_of_thread);
    block(SIG_BLOCK, SIGUSR1);
    t = start(unblocked);
    kill(getpid(), SIGUSR1);
    wait_for(&handled, 2);
    printf("kill: in a thread that does not block it %d\n", handled_by != getpid());
    raise(SIGUSR1);
    usleep(30000);
    sigpending(&set);
    printf("raise where it is blocked: pending %d, handled %d\n", sigismember(&set, SIGUSR1),
           handled);
    block(SIG_UNBLOCK, SIGUSR1);
    printf("unblocked: handled %d, in main %d\n", handled, handled_by == getpid());
    SHOW(syscall(SYS_tgkill, getpid() + 1000, tid_of_thread, 0));
    SHOW(syscall(SYS_tkill, tid_of_thread, 0));
    SHOW(kill(tid_of_thread, 0));
}

static void *waiter(void *arg)
{
    sigset_t set;
    int signo;

    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGTERM);
    ready = 1;
    for (int i = 0; i < 2; i++) {
        sigwait(&set, &signo);
        printf("sigwait got %s\n", sigabbrev_np(signo));
        handled++;
    }
    return NULL;
}

static void waited(void *arg)
{
    pthread_t t;

    (void)arg;
    block(SIG_BLOCK, SIGUSR2);
    block(SIG_BLOCK, SIGTERM);
    t = start(waiter);
    kill(getpid(), SIGUSR2);
    wait_for(&handled, 1);
    kill(getpid(), SIGTERM);
    pthread_join(t, NULL);
    printf("joined\n");
}

/* ---- The end of all ---- */

static void *in_read(void *arg)
{
    int fds[2];
    char c;

    (void)arg;
    pipe(fds);
    ready = 1;
    read(fds[0], &c, 1);
    return NULL;
}

static void *in_spin(void *arg)
{
    (void)arg;
    ready = 1;
    for (;;)
        ;
    return NULL;
}

static void *in_sleep(void *arg)
{
    (void)arg;
    ready = 1;
    sleep(1000);
    return NULL;
}

static void *in_mutex(void *arg)
{
    static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;

    (void)arg;
    ready = 1;
    pthread_mutex_lock(&m);
    pthread_mutex_lock(&m);
    return NULL;
}

static void *crashes(void *arg)
{
    (void)arg;
    *(volatile int *)16 = 1;
    return NULL;
}

static void *leaves(void *arg)
{
    (void)arg;
    _exit(42);
}

static void all_kinds(void)
{
    start(in_read);
    start(in_spin);
    start(in_sleep);
    start(in_mutex);
    start(sleeper);
}

static void end_exit(void *arg)
{
    (void)arg;
    all_kinds();
    _exit(3);
}

static void end_in_thread(void *fn)
{
    pthread_t t;

    all_kinds();
    pthread_create(&t, NULL, fn, NULL);
    for (;;)
        pause();
}

static void end_killed(void *signo)
{
    all_kinds();
    kill(getpid(), (int)(long)signo);
    for (;;)
        pause();
}

static void main_leaves(void *arg)
{
    pthread_t t;

    (void)arg;
    pthread_create(&t, NULL, leaves, NULL);
    pthread_exit(NULL);
}

/* ---- Stop ---- */

static volatile unsigned *counters;

static void *counts(void *arg)
{
    volatile unsigned *c = &counters[(long)arg];

    for (;;)
        ++*c;
    return NULL;
}

static void stopped(void)
{
    unsigned before[3], after[3];
    int status, moved = 0, resumed = 0;
    pthread_t t;
    pid_t pid;

    counters = (void *)map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid = fork();
    if (pid == 0) {
        for (long i = 0; i < 3; i++)
            pthread_create(&t, NULL, counts, (void *)i);
        sleep(1000);
        _exit(0);
    }
    usleep(150000);
    kill(pid, SIGSTOP);
    SHOW(waitpid(pid, &status, WUNTRACED) == pid);
    print_status("threads", status);
    memcpy(before, (void *)counters, sizeof before);
    usleep(100000);
    memcpy(after, (void *)counters, sizeof after);
    for (int i = 0; i < 3; i++)
        moved += before[i] != after[i];
    printf("still running while stopped: %d\n", moved);
    kill(pid, SIGCONT);
    SHOW(waitpid(pid, &status, WCONTINUED) == pid);
    usleep(200000);
    for (int i = 0; i < 3; i++)
        resumed += counters[i] != after[i];
    printf("running again: %d\n", resumed);
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGKILL);
    SHOW(waitpid(pid, &status, 0) == pid);
    print_status("killed", status);
}

static void *exec_self(void *arg)
{
    (void)arg;
    execl("/proc/self/exe", "signal_threads", "again", NULL);
    _exit(9);
}

static void exec_in_thread(void *arg)
{
    pthread_t t;

    (void)arg;
    all_kinds();
    pthread_create(&t, NULL, exec_self, NULL);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        printf("%s: after exec pid is tid %d\n", argv[1], getpid() == my_tid());
        return 5;
    }
    in_child("directed", directed, NULL);
    in_child("waited", waited, NULL);
    in_child("exit", end_exit, NULL);
    in_child("exit in a thread", end_in_thread, leaves);
    in_child("crash in a thread", end_in_thread, crashes);
    in_child("TERM", end_killed, (void *)SIGTERM);
    in_child("KILL", end_killed, (void *)SIGKILL);
    in_child("main leaves first", main_leaves, NULL);
    stopped();
    in_child("exec in a thread", exec_in_thread, NULL);
    return 0;
}
