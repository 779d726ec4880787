/*
 * ptrace: stops at system calls, what a tracer may change there, single steps.
 */
#include <sys/prctl.h>
#include "tracing.h"

/* By int $0x80, so that nothing of the C library comes in between. */
static long call(int nr, long a, long b, long c)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory");
    return ret;
}

static void calls(void)
{
    long a = call(SYS_getpid, 1, 2, 3);
    long b = call(SYS_getppid, 0, 0, 0);
    long c = call(SYS_close, 77, 0, 0);

    call(SYS_exit_group, a == getpid() && b == -5 && c == 42 ? 11 : 12, 0, 0);
}

static long reg(pid_t pid, unsigned long place)
{
    return (int)peek(PTRACE_PEEKUSER, pid, place);
}

static void to_call(pid_t pid, const char *what)
{
    SHOW(trace(PTRACE_SYSCALL, pid, 0, 0));
    await(what, pid);
}

static void show_info(pid_t pid)
{
    struct __ptrace_syscall_info i;
    long n;

    memset(&i, 0xee, sizeof(i));
    n = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), (long)&i);
    printf("%ld bytes, op %d, arch %x, eip %d, esp %d", n, i.op, i.arch,
           i.instruction_pointer == (unsigned)reg(pid, USER(regs.eip)),
           i.stack_pointer == (unsigned)reg(pid, USER(regs.esp)));
    if (i.op == 1)
        printf(", call %lld(%lld, %lld, %lld)", i.entry.nr, i.entry.args[0], i.entry.args[1],
               i.entry.args[2]);
    if (i.op == 2)
        printf(", result %s %d", i.exit.rval < 0 ? "negative" : "positive", i.exit.is_error);
    putchar('\n');
}

static void call_stops(void)
{
    siginfo_t info;
    unsigned long message;
    pid_t pid = tracee(calls);

    show_info(pid); /* in a stop for a signal */
    to_call(pid, "plain entry");
    printf("call %ld, eax %ld\n", reg(pid, USER(regs.orig_eax)), reg(pid, USER(regs.eax)));
    show_info(pid); /* without TRACESYSGOOD there is no telling */
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info));
    printf("code %d\n", info.si_code);
    SHOW(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    to_call(pid, "exit of getpid");
    printf("its pid: %d\n", reg(pid, USER(regs.eax)) == pid);
    show_info(pid);
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info));
    printf("code %x, itself %d\n", info.si_code, info.si_pid == pid);
    SHOW(trace(PTRACE_GETEVENTMSG, pid, 0, (long)&message));
    printf("message %lu\n", message);
    to_call(pid, "entry of getppid");
    show_info(pid);
    SHOW(trace(PTRACE_POKEUSER, pid, USER(regs.orig_eax), -1)); /* not made */
    to_call(pid, "its exit");
    printf("eax %ld\n", reg(pid, USER(regs.eax)));
    SHOW(trace(PTRACE_POKEUSER, pid, USER(regs.eax), -5)); /* its result */
    to_call(pid, "entry of close");
    show_info(pid);
    SHOW(trace(PTRACE_POKEUSER, pid, USER(regs.orig_eax), SYS_getpid)); /* another one */
    to_call(pid, "exit");
    printf("its pid: %d\n", reg(pid, USER(regs.eax)) == pid);
    show_info(pid);
    SHOW(trace(PTRACE_POKEUSER, pid, USER(regs.eax), 42));
    SHOW(trace(PTRACE_GET_SYSCALL_INFO, pid, 4, (long)&message));
    SHOW(trace(PTRACE_GET_SYSCALL_INFO, pid, 4, 0));
    SHOW(trace(PTRACE_GET_SYSCALL_INFO, pid, 0, 0));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);
}

/* A signal that goes on with the tracee from a stop for a call is sent to it. */
static void signal_at_call(void)
{
    pid_t pid = tracee(calls);

    to_call(pid, "entry");
    SHOW(trace(PTRACE_SYSCALL, pid, 0, SIGUSR1));
    await("exit", pid);
    SHOW(trace(PTRACE_SYSCALL, pid, 0, 0));
    await("the signal", pid);
    SHOW(trace(PTRACE_SYSCALL, pid, 0, SIGUSR1));
    await("end", pid);
}

/* Killed between entry and exit: the call is not made. */
static void killed_at_call(void)
{
    pid_t pid = tracee(calls);

    to_call(pid, "entry");
    kill(pid, SIGKILL);
    await("killed", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
}

static void emulated(void)
{
    long a = call(123456, 0, 0, 0), b = call(SYS_exit_group, 99, 0, 0);

    call(SYS_exit_group, a == 7 && b == 8 ? 21 : 22, 0, 0);
}

static void emulation(void)
{
    pid_t pid = tracee(emulated);

    SHOW(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    SHOW(trace(PTRACE_SYSEMU, pid, 0, 0));
    await("stop in raise", pid);
    while (reg(pid, USER(regs.orig_eax)) != 123456) {
        DIE_UNLESS(trace(PTRACE_SYSEMU, pid, 0, 0) == 0);
        DIE_UNLESS(waitpid(pid, NULL, 0) == pid);
    }
    printf("eax %ld\n", reg(pid, USER(regs.eax)));
    trace(PTRACE_POKEUSER, pid, USER(regs.eax), 7);
    SHOW(trace(PTRACE_SYSEMU, pid, 0, 0));
    await("exit_group is not made", pid);
    printf("call %ld\n", reg(pid, USER(regs.orig_eax)));
    trace(PTRACE_POKEUSER, pid, USER(regs.eax), 8);
    SHOW(trace(PTRACE_SYSEMU_SINGLESTEP, pid, 0, 0));
    await("a step", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);
}

/* ---- Interrupted calls ---- */

static void on_alarm(int signo)
{
    (void)signo;
}

static void waits(void)
{
    struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    char c;
    int fd[2];

    sigaction(SIGUSR1, &act, NULL);
    DIE_UNLESS(pipe(fd) == 0);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        until_state(getppid(), 'S');
        kill(getppid(), SIGUSR1);
        until_state(getppid(), 'S');
        kill(getppid(), SIGUSR1);
        until_state(getppid(), 'S');
        DIE_UNLESS(write(fd[1], "x", 1) == 1);
        idle();
    }
    _exit(call(SYS_read, fd[0], (long)&c, 1) == 1 && c == 'x' ? 31 : 32);
}

/* Suppressed or delivered, the read starts again. */
static void restarted(void)
{
    pid_t pid = tracee(waits);

    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("in read", pid);
    printf("call %ld, eax %ld\n", reg(pid, USER(regs.orig_eax)), reg(pid, USER(regs.eax)));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("again", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGUSR1));
    await("end", pid);
}

/* ---- Steps ---- */

static void steps(void)
{
    unsigned a;

    __asm__ volatile("int3; nop; movl $1, %0; pushfl; popl %0; movl $20, %%eax; int $0x80; nop; nop"
                     : "=&c"(a)
                     :
                     : "eax", "memory");
    _exit(a & 0x100 ? 41 : 42);
}

static void step(pid_t pid, unsigned long base)
{
    siginfo_t info;
    unsigned flags;
    int status;

    DIE_UNLESS(trace(PTRACE_SINGLESTEP, pid, 0, 0) == 0);
    DIE_UNLESS(waitpid(pid, &status, 0) == pid);
    DIE_UNLESS(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info) == 0);
    flags = reg(pid, USER(regs.eflags));
    printf("+%ld: SIG%s code %d, trap flag %d\n", reg(pid, USER(regs.eip)) - base,
           sigabbrev_np(WSTOPSIG(status)), info.si_code, !!(flags & 0x100));
}

static void stepping(void)
{
    unsigned long base;
    pid_t pid = tracee(steps);

    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("int3", pid);
    base = reg(pid, USER(regs.eip));
    for (int i = 0; i < 8; i++)
        step(pid, base);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);
}

static void handler(int signo)
{
    (void)signo;
}

static void handles(void)
{
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    _exit(51);
}

/* A step into a handler ends at its first instruction. */
static void step_into_handler(void)
{
    siginfo_t info;
    pid_t pid = tracee(handles);

    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("signal", pid);
    SHOW(trace(PTRACE_SINGLESTEP, pid, 0, SIGUSR1));
    await("step", pid);
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info));
    printf("code %d, in the handler %d\n", info.si_code,
           reg(pid, USER(regs.eip)) == (long)&handler);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);
}

/* ---- Signals' information and the mask ---- */

static void queues(void)
{
    sigset_t set;
    union sigval v = {.sival_int = 5};

    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    sigqueue(getpid(), SIGRTMIN, v);
    v.sival_int = 6;
    sigqueue(getpid(), SIGRTMIN, v);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2);
    __asm__ volatile("int3");
    call(SYS_getpid, 0, 0, 0);
    _exit(1);
}

static void information(void)
{
    struct __ptrace_peeksiginfo_args args = {0, PTRACE_PEEKSIGINFO_SHARED, 3};
    siginfo_t info, many[3];
    uint64_t mask;
    pid_t pid = tracee(queues);
    int i;

    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("signals are blocked: a trap kills, but its tracer is told", pid);
    SHOW(trace(PTRACE_GETSIGMASK, pid, 8, (long)&mask));
    printf("mask %llx\n", (unsigned long long)mask & 0xffffffffefull);
    SHOW(trace(PTRACE_GETSIGMASK, pid, 4, (long)&mask));
    i = trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)many);
    printf("%d wait for the process: SIG%d %d, SIG%d %d\n", i, many[0].si_signo - SIGRTMIN,
           many[0].si_value.sival_int, many[1].si_signo - SIGRTMIN, many[1].si_value.sival_int);
    args.flags = 0;
    i = trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)many);
    printf("%d for the thread: %d code %d\n", i, many[0].si_signo, many[0].si_code);
    args.off = 1;
    args.flags = PTRACE_PEEKSIGINFO_SHARED;
    SHOW(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)many));
    args.off = 100;
    SHOW(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)many));
    args.flags = 2;
    SHOW(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)many));
    args = (struct __ptrace_peeksiginfo_args){0, 0, -1};
    SHOW(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)many));
    SHOW(trace(PTRACE_PEEKSIGINFO, pid, 0, (long)many));
    args.nr = 1;
    SHOW(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, 0));
    mask = 1ull << (SIGUSR1 - 1) | 1ull << (SIGKILL - 1);
    SHOW(trace(PTRACE_SETSIGMASK, pid, 8, (long)&mask));
    SHOW(trace(PTRACE_GETSIGMASK, pid, 8, (long)&mask));
    printf("mask %llx\n", (unsigned long long)mask);
    SHOW(trace(PTRACE_SETSIGMASK, pid, 12, (long)&mask));
    SHOW(trace(PTRACE_SETSIGMASK, pid, 8, 0));
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info));
    info.si_signo = SIGUSR2;
    info.si_code = -77;
    SHOW(trace(PTRACE_SETSIGINFO, pid, 0, (long)&info));
    memset(&info, 0, sizeof(info));
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info));
    printf("signal %d code %d\n", info.si_signo, info.si_code);
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, 0));
    SHOW(trace(PTRACE_SETSIGINFO, pid, 0, 0));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("unblocked", pid);
    finish(pid);
}

int main(void)
{
    call_stops();
    signal_at_call();
    killed_at_call();
    emulation();
    restarted();
    stepping();
    step_into_handler();
    information();
    return 0;
}
