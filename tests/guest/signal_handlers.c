/* Handlers: flags, masks, nesting, alternate stacks, what siginfo tells. */
#include "guest.h"
#include <pthread.h>
#include <ucontext.h>

static volatile int depth, calls;
static siginfo_t seen;
static char altstack[65536];

static void count(int signo)
{
    calls++;
    printf("handler %s, call %d\n", sigabbrev_np(signo), calls);
}

static void nested(int signo)
{
    printf("enter %s depth %d\n", sigabbrev_np(signo), ++depth);
    if (signo == SIGUSR1)
        raise(SIGUSR2);
    printf("leave %s depth %d\n", sigabbrev_np(signo), depth--);
}

static void again(int signo)
{
    printf("enter %s depth %d\n", sigabbrev_np(signo), ++depth);
    if (depth < 3 && calls++ < 5)
        raise(signo);
    printf("leave depth %d\n", depth--);
}

static void info(int signo, siginfo_t *si, void *context)
{
    ucontext_t *uc = context;

    (void)signo;
    seen = *si;
    printf("info: signo %d code %d pid %s uid %s\n", si->si_signo, si->si_code,
           si->si_pid == getpid() ? "own" : "other", si->si_uid == getuid() ? "own" : "other");
    printf("old mask has USR2: %d\n", sigismember(&uc->uc_sigmask, SIGUSR2));
}

static void where(int signo)
{
    char here;

    (void)signo;
    stack_t ss;
    sigaltstack(NULL, &ss);
    printf("on the alternate stack: %d, flags %d\n",
           &here >= altstack && &here < altstack + sizeof altstack, ss.ss_flags);
}

static void set(int signo, void (*fn)(int), int flags)
{
    struct sigaction act = {.sa_handler = fn, .sa_flags = flags};

    sigemptyset(&act.sa_mask);
    DIE_UNLESS(sigaction(signo, &act, NULL) == 0);
}

static void show_action(int signo)
{
    struct sigaction act;

    sigaction(signo, NULL, &act);
    printf("%s: %s flags %x\n", sigabbrev_np(signo),
           act.sa_handler == SIG_DFL   ? "default"
           : act.sa_handler == SIG_IGN ? "ignored"
                                       : "handler",
           act.sa_flags & ~0x04000000);
}

static void die_of(void *signo)
{
    raise((int)(long)signo);
    printf("survived %s\n", sigabbrev_np((int)(long)signo));
}

static void fault_blocked(void *arg)
{
    sigset_t set;

    (void)arg;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    *(volatile int *)16 = 0;
}

static void overflow(int signo)
{
    (void)signo;
    _exit(7);
}

/* The stack runs out: only an alternate one can tell. */
static int deep(int n)
{
    volatile char page[8192];

    page[0] = (char)n;
    return n < 1 << 30 ? deep(n + 1) + page[0] : 0;
}

static void stack_overflow(void *arg)
{
    stack_t ss = {.ss_sp = altstack, .ss_size = sizeof altstack};

    if (arg)
        sigaltstack(&ss, NULL);
    set(SIGSEGV, overflow, arg ? SA_ONSTACK : 0);
    deep(0);
}

static void basics(void)
{
    struct sigaction act = {.sa_sigaction = info, .sa_flags = SA_SIGINFO};
    sigset_t block;

    set(SIGUSR1, count, 0);
    raise(SIGUSR1);
    set(SIGUSR1, count, SA_RESETHAND);
    raise(SIGUSR1);
    show_action(SIGUSR1);
    set(SIGUSR1, nested, 0);
    set(SIGUSR2, nested, 0);
    raise(SIGUSR1);
    set(SIGUSR1, again, SA_NODEFER);
    raise(SIGUSR1);
    set(SIGUSR1, again, 0);
    raise(SIGUSR1);
    sigemptyset(&act.sa_mask);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR2);
    sigprocmask(SIG_BLOCK, &block, NULL);
    sigaction(SIGUSR1, &act, NULL);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 4711});
    printf("value %d\n", seen.si_value.sival_int);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
}

static void pending(void)
{
    sigset_t all, none, what;

    calls = 0;
    set(SIGUSR1, count, 0);
    set(SIGUSR2, count, 0);
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &all, NULL);
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGCHLD);
    sigpending(&what);
    printf("pending: USR1 %d USR2 %d CHLD %d HUP %d\n", sigismember(&what, SIGUSR1),
           sigismember(&what, SIGUSR2), sigismember(&what, SIGCHLD), sigismember(&what, SIGHUP));
    signal(SIGCHLD, SIG_DFL);
    sigpending(&what);
    printf("CHLD after default: %d\n", sigismember(&what, SIGCHLD));
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigprocmask(SIG_SETMASK, NULL, &what);
    printf("KILL masked %d, STOP masked %d, TERM masked %d\n", sigismember(&what, SIGKILL),
           sigismember(&what, SIGSTOP), sigismember(&what, SIGTERM));
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void alternate(void)
{
    stack_t ss = {.ss_sp = altstack, .ss_size = sizeof altstack}, old;
    stack_t small = {.ss_sp = altstack, .ss_size = 100};
    stack_t bad = {.ss_sp = altstack, .ss_size = sizeof altstack, .ss_flags = 77};
    stack_t off = {.ss_flags = SS_DISABLE};

    TRY(sigaltstack(&small, NULL));
    TRY(sigaltstack(&bad, NULL));
    TRY(sigaltstack(&ss, &old));
    printf("before: flags %d\n", old.ss_flags);
    set(SIGUSR1, where, SA_ONSTACK);
    raise(SIGUSR1);
    set(SIGUSR1, where, 0);
    raise(SIGUSR1);
    TRY(sigaltstack(&off, &old));
    printf("size right: %d\n", old.ss_size == sizeof altstack);
}

static void errors(void)
{
    struct sigaction act = {.sa_handler = SIG_IGN};

    TRY(sigaction(SIGKILL, &act, NULL));
    TRY(sigaction(SIGSTOP, &act, NULL));
    TRY(syscall(SYS_rt_sigaction, 0, &act, NULL, 8));
    TRY(syscall(SYS_rt_sigaction, 65, &act, NULL, 8));
    TRY(syscall(SYS_rt_sigaction, SIGUSR1, &act, NULL, 4));
    TRY(syscall(SYS_rt_sigaction, SIGUSR1, 1, NULL, 8));
    TRY(syscall(SYS_rt_sigaction, SIGUSR1, NULL, 1, 8));
    TRY(syscall(SYS_rt_sigaction, SIGKILL, NULL, NULL, 8));
    TRY(syscall(SYS_rt_sigprocmask, 7, &act, NULL, 8));
    TRY(syscall(SYS_rt_sigprocmask, 7, NULL, NULL, 8));
    TRY(syscall(SYS_rt_sigprocmask, 0, 1, NULL, 8));
    TRY(syscall(SYS_rt_sigprocmask, 0, &act, NULL, 16));
    TRY(syscall(SYS_rt_sigpending, &act, 9));
    TRY(kill(getpid(), 65));
    TRY(kill(getpid(), -1));
    TRY(kill(getpid(), 0));
    TRY(kill(0, 0));
    TRY(kill(1 << 29, SIGTERM));
    TRY(kill(-(1 << 29), SIGTERM));
    TRY(kill((int)0x80000000, SIGTERM));
    TRY(syscall(SYS_tkill, 0, SIGTERM));
    TRY(syscall(SYS_tgkill, getpid(), -1, SIGTERM));
    TRY(syscall(SYS_tgkill, 1 << 29, getpid(), SIGTERM));
    TRY(syscall(SYS_tgkill, getpid(), getpid(), 0));
}

int main(void)
{
    basics();
    pending();
    alternate();
    errors();
    in_child("TERM", die_of, (void *)SIGTERM);
    in_child("KILL", die_of, (void *)SIGKILL);
    in_child("CHLD", die_of, (void *)SIGCHLD);
    in_child("URG", die_of, (void *)SIGURG);
    in_child("WINCH", die_of, (void *)SIGWINCH);
    in_child("CONT", die_of, (void *)SIGCONT);
    in_child("USR1", die_of, (void *)SIGALRM);
    in_child("PIPE", die_of, (void *)SIGPIPE);
    in_child("RTMIN", die_of, (void *)(long)(SIGRTMIN));
    in_child("fault with everything blocked", fault_blocked, NULL);
    in_child("overflow, handler on the same stack", stack_overflow, NULL);
    in_child("overflow, alternate stack", stack_overflow, altstack);
    return 0;
}
