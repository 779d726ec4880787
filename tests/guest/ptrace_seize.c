/*
 * ptrace: PTRACE_SEIZE: a tracee that is not stopped by being traced, that is interrupted, and that
 * takes part in group stops (PTRACE_LISTEN).
 */
#include <sys/prctl.h>
#include "tracing.h"

static long reg(pid_t pid, unsigned long place)
{
    return (int)peek(PTRACE_PEEKUSER, pid, place);
}

static void show_info(pid_t pid)
{
    siginfo_t info;
    long r = trace(PTRACE_GETSIGINFO, pid, 0, (long)&info);

    if (r)
        printf("no information: %s\n", error_name(errno));
    else
        printf("signo %d code %x from itself %d\n", info.si_signo, info.si_code,
               info.si_pid == pid);
}

static void nothing_yet(pid_t pid)
{
    SHOW(waitpid(pid, NULL, WNOHANG | WUNTRACED | __WALL));
}

/* ---- Interrupting ---- */

static void seized(void)
{
    pid_t pid = child(idle);

    printf("-- interrupt\n");
    until_state(pid, 'S');
    SHOW(trace(PTRACE_SEIZE, pid, 0, 0));
    nothing_yet(pid);
    printf("state %c\n", state_of(pid));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    SHOW(trace(PTRACE_LISTEN, pid, 0, 0));
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0));
    await("interrupted", pid);
    show_info(pid);
    printf("state %c, call %ld, restarts %d\n", state_of(pid), reg(pid, USER(regs.orig_eax)),
           reg(pid, USER(regs.eax)) == -514);
    SHOW(trace(PTRACE_LISTEN, pid, 0, 0)); /* not a group stop, but it may */
    nothing_yet(pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0)); /* as good as running */
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0));
    await("again", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGUSR1)); /* the signal is for signal stops */
    until_state(pid, 'S');
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0));
    await("interrupted", pid);
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0)); /* in its stop: one more to come */
    nothing_yet(pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("then", pid);
    SHOW(trace(PTRACE_DETACH, pid, 0, SIGTERM));
    nothing_yet(pid);
    until_state(pid, 'S');
    kill(pid, SIGTERM);
    await("end", pid);
}

/* By int $0x80, so that nothing of the C library starts it again. */
static long call(int nr, long a, long b, long c, long d)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
    return ret;
}

static int pipe_of[2];

static void reads(void)
{
    char c = 0;

    _exit(call(SYS_read, pipe_of[0], (long)&c, 1, 0) == 1 && c == 'x' ? 1 : 2);
}

static void polls(void)
{
    struct {
        int fd;
        short events, revents;
    } p = {pipe_of[0], 1, 0};

    _exit(call(SYS_poll, (long)&p, 1, -1, 0) == 1 && p.revents == 1 ? 3 : 4);
}

static void suspends(void)
{
    uint64_t none = 0;

    _exit(call(SYS_rt_sigsuspend, (long)&none, 8, 0, 0) == -EINTR ? 5 : 6);
}

static void handler(int signo)
{
    (void)signo;
}

static void waits_for_signal(void)
{
    signal(SIGUSR1, handler);
    suspends();
}

/* A sleeping call goes on after an interruption as if nothing had been. */
static void restarts(const char *what, void (*fn)(void), int by_signal)
{
    pid_t pid;

    printf("-- %s\n", what);
    DIE_UNLESS(pipe(pipe_of) == 0);
    pid = child(fn);
    until_state(pid, 'S');
    SHOW(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
    for (int i = 0; i < 2; i++) {
        SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0));
        await("interrupted", pid);
        printf("call %ld, eax %ld\n", reg(pid, USER(regs.orig_eax)), reg(pid, USER(regs.eax)));
        SHOW(trace(PTRACE_CONT, pid, 0, 0));
        until_state(pid, 'S');
    }
    if (by_signal) {
        kill(pid, SIGUSR1);
        await("signal", pid);
        SHOW(trace(PTRACE_CONT, pid, 0, SIGUSR1));
    } else {
        DIE_UNLESS(write(pipe_of[1], "x", 1) == 1);
    }
    await("end", pid);
    close(pipe_of[0]);
    close(pipe_of[1]);
}

/* In a system call that is traced: its exit comes after the interruption. */
static void interrupted_in_call(void)
{
    pid_t pid;

    printf("-- interrupted between a call's stops\n");
    DIE_UNLESS(pipe(pipe_of) == 0);
    pid = child(reads);
    until_state(pid, 'S');
    SHOW(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0));
    await("interrupted", pid);
    SHOW(trace(PTRACE_SYSCALL, pid, 0, 0));
    await("the call again", pid);
    printf("call %ld, eax %ld\n", reg(pid, USER(regs.orig_eax)), reg(pid, USER(regs.eax)));
    SHOW(trace(PTRACE_SYSCALL, pid, 0, 0));
    until_state(pid, 'S');
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0));
    await("its exit", pid);
    printf("call %ld, eax %ld\n", reg(pid, USER(regs.orig_eax)), reg(pid, USER(regs.eax)));
    SHOW(trace(PTRACE_SYSCALL, pid, 0, 0));
    await("the interruption", pid);
    SHOW(trace(PTRACE_DETACH, pid, 0, 0));
    DIE_UNLESS(write(pipe_of[1], "x", 1) == 1);
    await("end", pid);
    close(pipe_of[0]);
    close(pipe_of[1]);
}

/* ---- Group stops ---- */

static void group_stops(void)
{
    pid_t pid = child(idle);

    printf("-- group stop\n");
    until_state(pid, 'S');
    SHOW(trace(PTRACE_SEIZE, pid, 0, 0));
    kill(pid, SIGSTOP);
    await("the signal", pid);
    show_info(pid);
    SHOW(
        trace(PTRACE_LISTEN, pid, 0, 0)); /* in a stop for a signal there is nothing to listen to */
    SHOW(trace(PTRACE_CONT, pid, 0, SIGSTOP));
    await("the group stop", pid);
    show_info(pid);
    printf("state %c\n", state_of(pid));
    SHOW(trace(PTRACE_LISTEN, pid, 0, 0));
    nothing_yet(pid);
    printf("state %c\n", state_of(pid)); /* still in its stop */
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, 0));
    kill(pid, SIGCONT);
    await("continued", pid);
    show_info(pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("the signal", pid);
    show_info(pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGCONT));
    until_state(pid, 'S');
    finish(pid);
}

/* Once let go on by PTRACE_CONT it runs although its process is stopped. */
static void runs_on(void)
{
    pid_t pid = child(idle);

    printf("-- let go on\n");
    DIE_UNLESS(setpgid(pid, pid) ==
               0); /* so that its group is not an orphan, which ignores SIGTSTP */
    until_state(pid, 'S');
    SHOW(trace(PTRACE_SEIZE, pid, 0, 0));
    kill(pid, SIGTSTP);
    await("the signal", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGTSTP));
    await("the group stop", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    until_state(pid, 'S');
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0));
    await("interrupted while its process is stopped", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    until_state(pid, 'S');
    kill(pid, SIGCONT);
    await("continued", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("the signal", pid);
    finish(pid);
}

/* Stopped before it is seized: it says so, and stays stopped when it is let go. */
static void stopped_before(void)
{
    int status;
    pid_t pid = child(idle);

    printf("-- stopped before\n");
    kill(pid, SIGSTOP);
    DIE_UNLESS(waitpid(pid, &status, WUNTRACED) == pid);
    SHOW(trace(PTRACE_SEIZE, pid, 0, 0));
    await("seized", pid);
    show_info(pid);
    SHOW(trace(PTRACE_LISTEN, pid, 0, 0));
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0));
    await("interrupted", pid);
    show_info(pid);
    SHOW(trace(PTRACE_DETACH, pid, 0, 0));
    until_state(pid, 'T');
    kill(pid, SIGCONT);
    SHOW(waitpid(pid, &status, WCONTINUED) == pid);
    until_state(pid, 'S');
    finish(pid);
}

/* Detached from listening it is still in the stop of its process. */
static void killed_while_listening(void)
{
    pid_t pid = child(idle);

    printf("-- killed while listening\n");
    until_state(pid, 'S');
    SHOW(trace(PTRACE_SEIZE, pid, 0, 0));
    kill(pid, SIGSTOP);
    await("the signal", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGSTOP));
    await("the group stop", pid);
    SHOW(trace(PTRACE_LISTEN, pid, 0, 0));
    kill(pid, SIGUSR1); /* waits until it is continued */
    nothing_yet(pid);
    kill(pid, SIGKILL);
    await("end", pid);
}

/* ---- Children of a seized one ---- */

static void forks(void)
{
    pid_t pid;

    DIE_UNLESS(read(pipe_of[0], &(char){0}, 1) == 1);
    pid = fork();
    if (pid == 0)
        _exit(7);
    DIE_UNLESS(waitpid(pid, NULL, 0) == pid);
    _exit(8);
}

static void children(void)
{
    unsigned long pid2 = 0;
    pid_t pid;

    printf("-- children\n");
    DIE_UNLESS(pipe(pipe_of) == 0);
    pid = child(forks);
    until_state(pid, 'S');
    SHOW(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT));
    DIE_UNLESS(write(pipe_of[1], "x", 1) == 1);
    await("fork", pid);
    DIE_UNLESS(trace(PTRACE_GETEVENTMSG, pid, 0, (long)&pid2) == 0);
    await("its child", pid2);
    show_info(pid2);
    SHOW(trace(PTRACE_CONT, pid2, 0, 0));
    await("its child", pid2);
    SHOW(trace(PTRACE_CONT, pid2, 0, 0));
    await("its child", pid2);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("hears", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGCHLD));
    await("exit", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);
    close(pipe_of[0]);
    close(pipe_of[1]);
}

/* Exec sends no signal to who was seized. */
static void execs(void)
{
    DIE_UNLESS(read(pipe_of[0], &(char){0}, 1) == 1);
    setenv("AGAIN", "1", 1);
    execl("/proc/self/exe", "again", NULL);
    _exit(11);
}

static void exec_is_silent(void)
{
    pid_t pid;

    printf("-- exec\n");
    DIE_UNLESS(pipe(pipe_of) == 0);
    pid = child(execs);
    until_state(pid, 'S');
    SHOW(trace(PTRACE_SEIZE, pid, 0, 0));
    DIE_UNLESS(write(pipe_of[1], "x", 1) == 1);
    await("end", pid);
    close(pipe_of[0]);
    close(pipe_of[1]);
}

int main(void)
{
    if (getenv("AGAIN"))
        _exit(10);
    seized();
    restarts("read", reads, 0);
    restarts("poll", polls, 0);
    restarts("sigsuspend", waits_for_signal, 1);
    interrupted_in_call();
    group_stops();
    runs_on();
    stopped_before();
    killed_while_listening();
    children();
    exec_is_silent();
    SHOW(waitpid(-1, NULL, __WALL));
    return 0;
}
