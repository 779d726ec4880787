/*
 * ptrace: the events that a tracer asks for by an option: new processes and threads, programs,
 * ends.
 */
#include <pthread.h>
#include <sched.h>
#include "tracing.h"

static unsigned long message_of(pid_t pid)
{
    unsigned long m = 0xdeadbeef;

    DIE_UNLESS(trace(PTRACE_GETEVENTMSG, pid, 0, (long)&m) == 0);
    return m;
}

static long reg(pid_t pid, unsigned long place)
{
    return (int)peek(PTRACE_PEEKUSER, pid, place);
}

static void go(pid_t pid)
{
    DIE_UNLESS(trace(PTRACE_CONT, pid, 0, 0) == 0);
}

/* A tracee that runs fn with these options. */
static pid_t tracee_with(void (*fn)(void), unsigned options)
{
    pid_t pid = tracee(fn);

    SHOW(trace(PTRACE_SETOPTIONS, pid, 0, options));
    go(pid);
    return pid;
}

/* ---- Forks ---- */

static void forks(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(3);
    DIE_UNLESS(waitpid(pid, NULL, 0) == pid);
    _exit(4);
}

static void vforks(void)
{
    pid_t pid = vfork();

    if (pid == 0)
        _exit(5);
    DIE_UNLESS(waitpid(pid, NULL, 0) == pid);
    _exit(6);
}

static void clones(void)
{
    pid_t pid = syscall(SYS_clone, 0, 0, 0, 0, 0); /* no signal at its end: an event of its own */

    if (pid == 0)
        _exit(7);
    DIE_UNLESS(waitpid(pid, NULL, __WCLONE) == pid);
    _exit(8);
}

/* The child's tracer is its creator's, and it starts in a stop. */
static void new_process(const char *what, void (*fn)(void), unsigned options)
{
    siginfo_t info;
    pid_t pid, child;

    printf("-- %s\n", what);
    pid = tracee_with(fn, options);
    await("event", pid);
    child = message_of(pid);
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info));
    printf("signo %d code %x from itself %d\n", info.si_signo, info.si_code, info.si_pid == pid);
    await("child", child);
    SHOW(trace(PTRACE_GETSIGINFO, child, 0, (long)&info));
    printf("signo %d code %x, result %ld, call %ld\n", info.si_signo, info.si_code,
           reg(child, USER(regs.eax)), reg(child, USER(regs.orig_eax)));
    SHOW(trace(PTRACE_CONT, child, 0, 0));
    await("child", child);
    if (options & PTRACE_O_TRACEVFORKDONE) {
        /* It goes on with the child's end already behind it. */
        go(pid);
        await("vfork", pid);
        printf("the child's %d\n", message_of(pid) == (unsigned long)child);
    }
    go(pid);
    await("parent hears", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGCHLD));
    await("end", pid);
}

/* Where there is no signal at its child's end the parent hears of nothing. */
static void clone_event(void)
{
    pid_t pid, child;

    printf("-- clone\n");
    pid = tracee_with(clones, PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK);
    await("event", pid);
    child = message_of(pid);
    await("child", child);
    go(child);
    await("child", child);
    go(pid);
    await("end", pid);
}

static void only_vfork_done(void)
{
    pid_t pid;

    printf("-- only vfork done\n");
    pid = tracee_with(vforks, PTRACE_O_TRACEVFORKDONE);
    await("event", pid);
    printf("message %d\n", message_of(pid) != 0);
    go(pid);
    await("then", pid);
    go(pid);
    await("end", pid);
}

/* ---- Threads ---- */

static void *thread(void *arg)
{
    return arg;
}

static void makes_thread(void)
{
    pthread_t t;

    DIE_UNLESS(pthread_create(&t, NULL, thread, NULL) == 0);
    pthread_join(t, NULL);
    _exit(9);
}

static void thread_event(void)
{
    pid_t pid, tid;
    int status;

    printf("-- thread\n");
    pid = tracee_with(makes_thread, PTRACE_O_TRACECLONE);
    await("event", pid);
    tid = message_of(pid);
    await("thread", tid);
    printf("another one %d\n", tid != pid);
    go(tid);
    DIE_UNLESS(waitpid(tid, &status, __WALL) == tid);
    printf("it ended %d\n", WIFEXITED(status));
    go(pid);
    await("end", pid);
}

/* ---- Programs ---- */

static void execs(void)
{
    if (getenv("AGAIN"))
        _exit(10);
    setenv("AGAIN", "1", 1);
    execl("/proc/self/exe", "again", NULL);
    _exit(11);
}

static void exec_event(void)
{
    pid_t pid;

    printf("-- exec\n");
    pid = tracee_with(execs, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
    await("event", pid);
    printf("its old id %d, call %ld\n", message_of(pid) == (unsigned long)pid,
           reg(pid, USER(regs.orig_eax)));
    SHOW(trace(PTRACE_SYSCALL, pid, 0, 0));
    await("the call's exit", pid);
    printf("call %ld, result %ld, message %lu\n", reg(pid, USER(regs.orig_eax)),
           reg(pid, USER(regs.eax)), message_of(pid));
    go(pid);
    await("end", pid);
}

/* Without the option: a signal, after the call. */
static void exec_signal(void)
{
    siginfo_t info;
    pid_t pid;

    printf("-- exec without the option\n");
    pid = tracee_with(execs, 0);
    await("signal", pid);
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info));
    printf("code %d from itself %d\n", info.si_code, info.si_pid == pid);
    go(pid);
    await("end", pid);
}

static void *execs_in_thread(void *arg)
{
    execs();
    return arg;
}

static void exec_of_thread(void)
{
    pthread_t t;

    DIE_UNLESS(pthread_create(&t, NULL, execs_in_thread, NULL) == 0);
    idle();
}

/* The thread takes its process's id; its old one is the message. */
static void exec_by_thread(void)
{
    pid_t pid, tid;

    printf("-- exec by another thread\n");
    pid = tracee_with(exec_of_thread, PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE);
    await("event", pid);
    tid = message_of(pid);
    await("thread", tid);
    go(tid);
    go(pid);
    await("event", pid);
    printf("the thread's id %d\n", message_of(pid) == (unsigned long)tid);
    SHOW(trace(PTRACE_CONT, tid, 0, 0));
    go(pid);
    await("end", pid);
}

/* ---- Ends ---- */

static void exits(void)
{
    _exit(12);
}

static void dies(void)
{
    raise(SIGUSR1);
}

static void exit_event(void)
{
    pid_t pid;

    printf("-- exit\n");
    pid = tracee_with(exits, PTRACE_O_TRACEEXIT);
    await("event", pid);
    printf("message %lx, call %ld\n", message_of(pid), reg(pid, USER(regs.orig_eax)));
    SHOW(trace(PTRACE_CONT, pid, 0, SIGUSR1)); /* nothing comes of it */
    await("end", pid);

    pid = tracee_with(dies, PTRACE_O_TRACEEXIT);
    await("signal", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGUSR1));
    await("event", pid);
    printf("message %lx\n", message_of(pid));
    go(pid);
    await("end", pid);

    pid = tracee_with(idle, PTRACE_O_TRACEEXIT);
    kill(pid, SIGKILL);
    await("event", pid);
    printf("message %lx\n", message_of(pid));
    go(pid);
    await("end", pid);
}

/* Killed in the stop before its end: it stays there, and ends as it was about to. */
static void killed_at_exit(void)
{
    pid_t pid;

    printf("-- killed at exit\n");
    pid = tracee_with(exits, PTRACE_O_TRACEEXIT);
    await("event", pid);
    SHOW(kill(pid, SIGKILL));
    SHOW(waitpid(pid, NULL, WNOHANG | __WALL));
    printf("state %c, message %lx\n", state_of(pid), message_of(pid));
    SHOW(trace(PTRACE_KILL, pid, 0, 0));
    SHOW(waitpid(pid, NULL, WNOHANG | __WALL));
    SHOW(trace(PTRACE_DETACH, pid, 0, 0));
    await("end", pid);
}

int main(void)
{
    if (getenv("AGAIN"))
        _exit(10);
    new_process("fork", forks, PTRACE_O_TRACEFORK);
    new_process("vfork", vforks, PTRACE_O_TRACEVFORK);
    new_process("vfork and its end", vforks, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);
    clone_event();
    only_vfork_done();
    thread_event();
    exec_event();
    exec_signal();
    exec_by_thread();
    exit_event();
    killed_at_exit();
    SHOW(waitpid(-1, NULL, __WALL));
    return 0;
}
