/* Children and how they end: every kind of status, every option of wait4, whose child is whose. */
#include "guest.h"

static void exit_with(void *arg)
{
    _exit((int)(intptr_t)arg);
}

static void die_by(void *arg)
{
    raise((int)(intptr_t)arg);
}

static void call_abort(void *arg)
{
    (void)arg;
    abort();
}

static void touch_null(void *arg)
{
    (void)arg;
    *(volatile int *)0 = 1;
}

static void statuses(void)
{
    static const int signals[] = {SIGHUP,  SIGINT,  SIGKILL, SIGUSR1, SIGPIPE,
                                  SIGALRM, SIGTERM, SIGCHLD, SIGCONT, SIGURG};

    in_child("exit 0", exit_with, (void *)0);
    in_child("exit 1", exit_with, (void *)1);
    in_child("exit 255", exit_with, (void *)255);
    in_child("exit 256", exit_with, (void *)256);
    in_child("exit -1", exit_with, (void *)-1);
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        in_child(sigabbrev_np(signals[i]), die_by, (void *)(intptr_t)signals[i]);
    in_child("abort", call_abort, NULL);
    in_child("null pointer", touch_null, NULL);
}

static void no_children(void)
{
    int status = 0x1234;

    SHOW(wait(&status));
    SHOW(waitpid(-1, &status, WNOHANG));
    SHOW(waitpid(1, &status, 0));
    SHOW(waitpid(-1, &status, 0x40000));
    printf("status untouched: %x\n", status);
}

static void no_hang(void)
{
    int gate[2], status;
    pid_t pid;
    char c;

    DIE_UNLESS(pipe(gate) == 0);
    pid = fork();
    if (pid == 0) {
        close(gate[1]);
        _exit(read(gate[0], &c, 1) == 0 ? 7 : 8);
    }
    close(gate[0]);
    printf("running: %d\n", waitpid(pid, &status, WNOHANG));
    close(gate[1]);
    printf("ended: %s\n", waitpid(pid, &status, 0) == pid ? "yes" : "no");
    print_status("gate", status);
    SHOW(waitpid(pid, &status, 0));
}

static void stop_and_continue(void)
{
    int status, gate[2];
    pid_t pid;
    char c;

    DIE_UNLESS(pipe(gate) == 0);
    pid = fork();
    if (pid == 0) {
        close(gate[1]);
        raise(SIGSTOP);
        _exit(read(gate[0], &c, 1) == 0 ? 3 : 4);
    }
    close(gate[0]);
    printf("stop seen: %d\n", waitpid(pid, &status, WUNTRACED) == pid);
    print_status("stop", status);
    printf("only once: %d\n", waitpid(pid, &status, WUNTRACED | WNOHANG));
    kill(pid, SIGCONT);
    printf("continue seen: %d\n", waitpid(pid, &status, WCONTINUED) == pid);
    printf("continued: %d\n", WIFCONTINUED(status));
    close(gate[1]);
    printf("end seen: %d\n", waitpid(pid, &status, 0) == pid);
    print_status("end", status);
}

static void by_group(void)
{
    int status;
    pid_t a = fork(), b;

    if (a == 0)
        _exit(1);
    setpgid(a, a);
    b = fork();
    if (b == 0)
        _exit(2);
    printf("own group is b: %d\n", waitpid(0, &status, 0) == b);
    print_status("b", status);
    printf("group of a: %d\n", waitpid(-a, &status, 0) == a);
    print_status("a", status);
    SHOW(waitpid(-a, &status, 0));
}

static void many(void)
{
    int status, sum = 0, n = 0;

    for (int i = 0; i < 20; i++)
        if (fork() == 0)
            _exit(i);
    while (wait(&status) > 0) {
        sum += WEXITSTATUS(status);
        n++;
    }
    printf("%d children, sum %d\n", n, sum);
}

/* A grandchild outlives its parent and gets another one. */
static void orphan(void)
{
    int fds[2], status;
    char c = 0;
    pid_t pid;

    DIE_UNLESS(pipe(fds) == 0);
    pid = fork();
    if (pid == 0) {
        pid_t parent = getpid();

        if (fork() == 0) {
            while (getppid() == parent)
                usleep(1000);
            c = 'o';
            _exit(write(fds[1], &c, 1) != 1);
        }
        _exit(0);
    }
    waitpid(pid, &status, 0);
    close(fds[1]);
    DIE_UNLESS(read(fds[0], &c, 1) == 1);
    printf("orphan says %c\n", c);
    SHOW(wait(&status));
}

static void ignored_children(void)
{
    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0)
        _exit(5);
    SHOW(wait(NULL));
    signal(SIGCHLD, SIG_DFL);
}

static void with_vfork(void)
{
    volatile int shared = 1;
    int status;
    pid_t pid = vfork();

    if (pid == 0) {
        shared = 2;
        _exit(9);
    }
    waitpid(pid, &status, 0);
    print_status("vfork", status);
    printf("memory was shared: %d\n", shared == 2);
}

static void usage(void)
{
    struct rusage ru;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        char *p = map_anon(64);

        for (int i = 0; i < 64; i++)
            p[i * PAGE] = 1;
        _exit(0);
    }
    printf("wait4: %d\n", wait4(pid, &status, 0, &ru) == pid);
    printf("at least 64 minor faults: %d\n", ru.ru_minflt >= 64);
}

int main(void)
{
    statuses();
    no_children();
    no_hang();
    stop_and_continue();
    by_group();
    many();
    orphan();
    ignored_children();
    with_vfork();
    usage();
    return 0;
}
