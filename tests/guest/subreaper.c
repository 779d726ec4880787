/* prctl: who gets the orphans; timer slack, which a child has from its creator. unshare of what
 * processes share. */
#include "guest.h"
#include <sched.h>
#include <sys/prctl.h>

static long subreaper(void)
{
    int value = -1;

    return prctl(PR_GET_CHILD_SUBREAPER, &value) ? -1 : value;
}

/* A child that ends and leaves one of its own, which tells whose it is then. */
static void orphan(pid_t expected)
{
    int in[2], out[2];
    char c = 0;

    DIE_UNLESS(pipe(in) == 0 && pipe(out) == 0);
    if (fork() == 0) {
        if (fork() == 0) {
            DIE_UNLESS(read(in[0], &c, 1) == 1);
            c = getppid() == expected ? 'y' : getppid() == 1 ? 'i' : 'n';
            DIE_UNLESS(write(out[1], &c, 1) == 1);
            _exit(7);
        }
        _exit(5);
    }
    wait(NULL);
    DIE_UNLESS(write(in[1], &c, 1) == 1);
    DIE_UNLESS(read(out[0], &c, 1) == 1);
    printf("orphan: %s\n", c == 'y' ? "its" : c == 'i' ? "init's" : "another's");
    close(in[0]), close(in[1]), close(out[0]), close(out[1]);
}

static void below(void *arg)
{
    (void)arg;
    printf("a child's: %ld\n", subreaper());
    orphan(getppid());
}

static void reaps(void *arg)
{
    int status;

    (void)arg;
    SHOW(subreaper());
    orphan(getpid());
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 5));
    SHOW(subreaper());
    orphan(getpid());
    while (wait(&status) > 0)
        print_status("reaped", status);
    in_child("below", below, NULL);
    while (wait(&status) > 0)
        print_status("reaped", status);
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 0));
    orphan(getpid());
    SHOW(prctl(PR_GET_CHILD_SUBREAPER, NULL));
}

static void shows_slack(void *arg)
{
    (void)arg;
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 5));
    SHOW(prctl(PR_SET_TIMERSLACK, 0));
    SHOW(prctl(PR_GET_TIMERSLACK));
}

static void test_slack(void)
{
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 1234));
    SHOW(prctl(PR_GET_TIMERSLACK));
    in_child("child", shows_slack, NULL);
    SHOW(prctl(PR_SET_TIMERSLACK, -1));
    SHOW(prctl(PR_GET_TIMERSLACK));
}

static int parts(void *arg)
{
    int flags = *(int *)arg;

    if (unshare(flags))
        return 9;
    DIE_UNLESS(chdir("/proc") == 0);
    close(9);
    return 0;
}

/* A process that shares what it may, and then no more. */
static void test_parting(int flags)
{
    static char stack[65536];
    char where[256];
    int status;
    pid_t pid;

    DIE_UNLESS(dup2(1, 9) == 9 && chdir("/") == 0);
    pid = clone(parts, stack + sizeof(stack), CLONE_FS | CLONE_FILES | CLONE_VM | SIGCHLD, &flags);
    DIE_UNLESS(pid > 0 && waitpid(pid, &status, 0) == pid);
    printf("flags %x: exit %d, in %s, descriptor %s\n", flags, WEXITSTATUS(status),
           getcwd(where, sizeof(where)), fcntl(9, F_GETFD) < 0 ? "gone" : "there");
    close(9);
}

static void is_alone(void *arg)
{
    (void)arg;
    SHOW(unshare(CLONE_VM | CLONE_THREAD | CLONE_SIGHAND));
}

int main(void)
{
    in_child("reaper", reaps, NULL);
    test_slack();
    test_parting(0);
    test_parting(CLONE_FS);
    test_parting(CLONE_FILES);
    test_parting(CLONE_FS | CLONE_FILES);
    test_parting(CLONE_VM);
    test_parting(CLONE_SYSVSEM);
    in_child("alone", is_alone, NULL);
    SHOW(unshare(CLONE_PARENT));
    SHOW(unshare(1));
    SHOW(unshare(-1));
    return 0;
}
