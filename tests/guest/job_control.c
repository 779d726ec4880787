/* Stop and continue, what wait tells of it, SIGCHLD and its flags, groups, orphans. */
#include "guest.h"

static volatile int chld;
static siginfo_t last;

static void on_chld(int signo, siginfo_t *si, void *context)
{
    (void)signo, (void)context;
    chld++;
    last = *si;
}

static void show_last(const char *what)
{
    printf("%s: SIGCHLD %d code %d status %d\n", what, chld, last.si_code, last.si_status);
    chld = 0;
}

static void set_chld(int flags)
{
    struct sigaction act = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART | flags};

    sigaction(SIGCHLD, &act, NULL);
}

static pid_t sleeper(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    DIE_UNLESS(pid > 0);
    return pid;
}

static void stops(int signo)
{
    pid_t pid = sleeper();
    int status;

    setpgid(pid, pid);
    kill(pid, signo);
    SHOW(waitpid(pid, &status, WUNTRACED) == pid);
    print_status("child", status);
    show_last("stopped");
    SHOW(waitpid(pid, &status, WUNTRACED | WNOHANG));
    kill(pid, SIGCONT);
    SHOW(waitpid(pid, &status, WCONTINUED) == pid);
    printf("continued %d\n", !!WIFCONTINUED(status));
    for (int i = 0; i < 100 && !chld; i++)
        usleep(5000);
    show_last("continued");
    SHOW(waitpid(pid, &status, WCONTINUED | WNOHANG));
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    print_status("child", status);
    show_last("ended");
}

static void kill_stopped(void)
{
    pid_t pid = sleeper();
    int status;

    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGTERM);
    usleep(20000);
    SHOW(waitpid(pid, &status, WNOHANG));
    kill(pid, SIGKILL);
    SHOW(waitpid(pid, &status, 0) == pid);
    print_status("stopped and killed", status);
    pid = sleeper();
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGTERM);
    kill(pid, SIGCONT);
    SHOW(waitpid(pid, &status, 0) == pid);
    print_status("stopped, told and continued", status);
    chld = 0;
}

static void masked_stop(void *arg)
{
    sigset_t set, now;

    (void)arg;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGTSTP);
    sigpending(&now);
    printf("TSTP pending %d\n", sigismember(&now, SIGTSTP));
    raise(SIGCONT);
    sigpending(&now);
    printf("after CONT: TSTP pending %d, CONT %d\n", sigismember(&now, SIGTSTP),
           sigismember(&now, SIGCONT));
    raise(SIGTTIN);
    sigpending(&now);
    printf("after TTIN: TTIN %d, CONT pending %d\n", sigismember(&now, SIGTTIN),
           sigismember(&now, SIGCONT));
    raise(SIGCONT);
}

static void flags(void)
{
    pid_t pid;
    int status;

    set_chld(SA_NOCLDSTOP);
    chld = 0;
    pid = sleeper();
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGCONT);
    waitpid(pid, &status, WCONTINUED);
    printf("NOCLDSTOP: %d\n", chld);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    show_last("killed");
    set_chld(SA_NOCLDWAIT);
    if (fork() == 0)
        _exit(5);
    SHOW(wait(&status));
    printf("NOCLDWAIT: %d\n", chld);
    chld = 0;
    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0)
        _exit(5);
    SHOW(wait(&status));
    set_chld(0);
    if (fork() == 0)
        _exit(5);
    SHOW(wait(&status) > 0);
    show_last("exited");
}

static void groups(void)
{
    pid_t a = sleeper(), b, other = sleeper();
    int status;

    setpgid(a, a);
    b = sleeper();
    setpgid(b, a);
    SHOW(kill(-a, SIGUSR1));
    SHOW(waitpid(-a, &status, 0) > 0);
    print_status("member", status);
    SHOW(waitpid(-a, &status, 0) > 0);
    print_status("member", status);
    TRY(waitpid(-a, &status, 0));
    TRY(kill(-a, SIGUSR1));
    SHOW(waitpid(other, &status, WNOHANG));
    kill(other, SIGKILL);
    SHOW(waitpid(other, &status, 0) == other);
    SHOW(waitid(P_ALL, 0, NULL, WEXITED));
    TRY(waitpid(-1, &status, 0x100));
}

/* In a session of its own nobody could continue it: terminal stops do nothing. */
static void orphan(void *arg)
{
    (void)arg;
    setsid();
    raise(SIGTSTP);
    printf("TSTP does not stop an orphaned group\n");
    signal(SIGTTOU, SIG_DFL);
    raise(SIGTTOU);
    printf("nor does TTOU\n");
}

int main(void)
{
    setpgid(0, 0);
    set_chld(0);
    stops(SIGSTOP);
    stops(SIGTSTP);
    stops(SIGTTIN);
    kill_stopped();
    in_child("masked", masked_stop, NULL);
    flags();
    groups();
    in_child("orphan", orphan, NULL);
    return 0;
}
