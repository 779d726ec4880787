/*
 * seccomp: strict mode, filters of classic BPF, what each verdict does, what is refused.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include "tracing.h"

#define NR     offsetof(struct seccomp_data, nr)
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static long set_filter(unsigned flags, struct sock_filter *code, unsigned n)
{
    struct sock_fprog p = {n, code};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

/* One call gets the verdict, others are allowed. */
static long filter_call(int nr, unsigned verdict, unsigned flags)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, verdict),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    return set_filter(flags, code, LEN(code));
}

static long call(int nr, long a, long b, long c)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory");
    return ret;
}

static void run(const char *what, void (*fn)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_DUMPABLE, 0);
        fn();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    print_status(what, status);
}

/* ---- Verdicts ---- */

static void fails(void)
{
    SHOW(filter_call(SYS_getppid, SECCOMP_RET_ERRNO | EDOM, 0));
    printf("%ld\n", call(SYS_getppid, 0, 0, 0));
    SHOW(filter_call(SYS_getpgrp, SECCOMP_RET_ERRNO | 0xffff, 0));
    printf("%ld\n", call(SYS_getpgrp, 0, 0, 0));
    SHOW(filter_call(SYS_getuid, SECCOMP_RET_ERRNO, 0));
    printf("%ld\n", call(SYS_getuid, 0, 0, 0));
    printf("%d\n", call(SYS_getpid, 0, 0, 0) > 0);
    printf("mode %d\n", prctl(PR_GET_SECCOMP));
}

static void on_sigsys(int signo, siginfo_t *info, void *context)
{
    ucontext_t *u = context;

    printf("signal %d code %d errno %d, call %d, arch %x, after int $0x80 %d, eax %d\n", signo,
           info->si_code, info->si_errno, info->si_syscall, info->si_arch,
           memcmp((char *)info->si_call_addr - 2, "\xcd\x80", 2) == 0,
           (int)u->uc_mcontext.gregs[REG_EAX]);
    u->uc_mcontext.gregs[REG_EAX] = 77;
}

static void traps(void)
{
    struct sigaction act = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};

    sigaction(SIGSYS, &act, NULL);
    SHOW(filter_call(SYS_getppid, SECCOMP_RET_TRAP | 5, 0));
    printf("%ld\n", call(SYS_getppid, 0, 0, 0));
}

static void trap_kills(void)
{
    filter_call(SYS_getppid, SECCOMP_RET_TRAP, 0);
    call(SYS_getppid, 0, 0, 0);
}

static void trap_ignored(void)
{
    signal(SIGSYS, SIG_IGN);
    trap_kills();
}

static void killed_process(void)
{
    signal(SIGSYS, SIG_IGN);
    filter_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0);
    call(SYS_getppid, 0, 0, 0);
}

static void killed_thread_alone(void)
{
    filter_call(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
    call(SYS_getppid, 0, 0, 0);
}

static void *makes_the_call(void *arg)
{
    call(SYS_getppid, 0, 0, 0);
    return arg;
}

static void killed_thread(void)
{
    pthread_t t;

    filter_call(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
    pthread_create(&t, NULL, makes_the_call, NULL);
    printf("the thread is gone: %d\n", pthread_join(t, NULL));
    _exit(3);
}

static void killed_process_by_thread(void)
{
    pthread_t t;

    filter_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0);
    pthread_create(&t, NULL, makes_the_call, NULL);
    pthread_join(t, NULL);
    _exit(4);
}

static void unknown_verdict(void)
{
    filter_call(SYS_getppid, 0x00010000, 0);
    call(SYS_getppid, 0, 0, 0);
}

static void logged(void)
{
    filter_call(SYS_getppid, SECCOMP_RET_LOG, SECCOMP_FILTER_FLAG_LOG);
    printf("%d\n", call(SYS_getppid, 0, 0, 0) > 0);
}

static void untraced(void)
{
    filter_call(SYS_getppid, SECCOMP_RET_TRACE | 9, 0);
    printf("%ld\n", call(SYS_getppid, 0, 0, 0));
}

static void unheard(void)
{
    filter_call(SYS_getppid, SECCOMP_RET_USER_NOTIF, 0);
    printf("%ld\n", call(SYS_getppid, 0, 0, 0));
}

/* The strictest of all filters wins, and of equals the newest. */
static void several(void)
{
    filter_call(SYS_getppid, SECCOMP_RET_ERRNO | 1, 0);
    filter_call(SYS_getppid, SECCOMP_RET_ERRNO | 2, 0);
    printf("%ld\n", call(SYS_getppid, 0, 0, 0));
    filter_call(SYS_getppid, SECCOMP_RET_LOG, 0);
    filter_call(SYS_getppid, SECCOMP_RET_TRACE, 0);
    printf("%ld\n", call(SYS_getppid, 0, 0, 0));
    filter_call(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
    filter_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0);
    filter_call(SYS_getppid, SECCOMP_RET_ALLOW, 0);
    call(SYS_getppid, 0, 0, 0);
}

/* ---- Programs ---- */

/* By what a filter computes: the result is an error number. */
static long result_of(struct sock_filter *code, unsigned n)
{
    int status, fd[2];
    long ret = 0;

    DIE_UNLESS(pipe(fd) == 0);
    if (fork() == 0) {
        ret = set_filter(0, code, n);
        if (ret == 0)
            ret = call(500, 0x11223344, 2, 3);
        else
            ret = -1000 - errno;
        call(SYS_write, fd[1], (long)&ret, sizeof(ret));
        _exit(0);
    }
    close(fd[1]);
    if (read(fd[0], &ret, sizeof(ret)) != sizeof(ret))
        ret = -9999;
    close(fd[0]);
    wait(&status);
    return ret;
}

#define ONLY_500                                                                                   \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, NR), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 500, 1, 0),        \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define RESULT                                                                                     \
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff),                                                    \
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_RET | BPF_A, 0)
#define COMPUTE(...)                                                                               \
    do {                                                                                           \
        struct sock_filter code_[] = {ONLY_500, __VA_ARGS__, RESULT};                              \
        printf("%s: %ld\n", #__VA_ARGS__, result_of(code_, LEN(code_)));                           \
    } while (0)
#define LDI(k)   BPF_STMT(BPF_LD | BPF_IMM, k)
#define LDXI(k)  BPF_STMT(BPF_LDX | BPF_IMM, k)
#define OP(o, k) BPF_STMT(BPF_ALU | o | BPF_K, k)
#define OPX(o)   BPF_STMT(BPF_ALU | o | BPF_X, 0)

static void programs(void)
{
    printf("-- programs\n");
    COMPUTE(LDI(7), OP(BPF_ADD, 5));
    COMPUTE(LDI(7), OP(BPF_SUB, 5));
    COMPUTE(LDI(7), LDXI(6), OPX(BPF_MUL));
    COMPUTE(LDI(100), OP(BPF_DIV, 7));
    COMPUTE(LDI(100), LDXI(9), OPX(BPF_DIV));
    COMPUTE(LDI(0xf0), OP(BPF_OR, 0xf));
    COMPUTE(LDI(0xf0), OP(BPF_AND, 0x3c));
    COMPUTE(LDI(0xf0), OP(BPF_XOR, 0x3c));
    COMPUTE(LDI(3), OP(BPF_LSH, 4));
    COMPUTE(LDI(0x80000000), OP(BPF_RSH, 31));
    COMPUTE(LDI(3), LDXI(5), OPX(BPF_LSH));
    COMPUTE(LDI(-5), BPF_STMT(BPF_ALU | BPF_NEG, 0));
    COMPUTE(LDI(12), BPF_STMT(BPF_ST, 15), LDI(0), BPF_STMT(BPF_LD | BPF_MEM, 15));
    COMPUTE(LDXI(13), BPF_STMT(BPF_STX, 0), BPF_STMT(BPF_LD | BPF_MEM, 0));
    COMPUTE(LDI(14), BPF_STMT(BPF_ST, 1), BPF_STMT(BPF_LDX | BPF_MEM, 1),
            BPF_STMT(BPF_MISC | BPF_TXA, 0));
    COMPUTE(LDI(15), BPF_STMT(BPF_MISC | BPF_TAX, 0), LDI(1), OPX(BPF_ADD));
    COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0));
    COMPUTE(BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0));
    COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])));
    COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + 4));
    COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])));
    COMPUTE(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    COMPUTE(LDI(5), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 4, 0, 1), LDI(1));
    COMPUTE(LDI(5), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 5, 0, 1), LDI(1));
    COMPUTE(LDI(5), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 5, 0, 1), LDI(1));
    COMPUTE(LDI(-1), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 5, 0, 1), LDI(1));
    COMPUTE(LDI(5), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 6, 0, 1), LDI(1));
    COMPUTE(LDI(5), LDXI(5), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1), LDI(1));
    COMPUTE(LDI(5), BPF_STMT(BPF_JMP | BPF_JA, 1), LDI(1));
    COMPUTE(LDI(5), LDXI(0), OPX(BPF_DIV)); /* ends as 0 does: killed */
}

#define REFUSED(...)                                                                               \
    do {                                                                                           \
        struct sock_filter code_[] = {__VA_ARGS__};                                                \
        printf("%s: %ld\n", #__VA_ARGS__, result_of(code_, LEN(code_)));                           \
    } while (0)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void refused(void)
{
    static struct sock_filter many[4097];
    struct sock_fprog p = {1, (void *)8};

    printf("-- refused\n");
    REFUSED(LDI(1));
    REFUSED(OP(BPF_DIV, 0), ALLOW);
    REFUSED(OP(BPF_MOD, 3), ALLOW);
    REFUSED(OP(BPF_LSH, 32), ALLOW);
    REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), ALLOW);
    REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), ALLOW);
    REFUSED(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ALLOW);
    REFUSED(BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW);
    REFUSED(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), ALLOW);
    REFUSED(BPF_STMT(BPF_ST, 16), ALLOW);
    REFUSED(BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW); /* nothing was stored there */
    REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0), BPF_STMT(BPF_ST, 3),
            BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW); /* only on one of the ways */
    REFUSED(BPF_STMT(BPF_JMP | BPF_JA, 1), ALLOW);
    REFUSED(BPF_STMT(BPF_JMP | BPF_JA, -1), ALLOW);
    REFUSED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), ALLOW);
    REFUSED(BPF_STMT(BPF_RET | BPF_X, 0));
    REFUSED(BPF_STMT(0xffff, 0), ALLOW);
    REFUSED(BPF_STMT(BPF_MISC | 0x40, 0), ALLOW);
    for (unsigned i = 0; i < LEN(many); i++)
        many[i] = (struct sock_filter)ALLOW;
    SHOW(set_filter(0, many, 4097));
    SHOW(set_filter(0, many, 0));
    SHOW(set_filter(0x10000, many, 1));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &p));
    SHOW(syscall(SYS_seccomp, 99, 0, NULL));
    SHOW(prctl(PR_SET_SECCOMP, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_SECCOMP, 3, 0, 0, 0));
    SHOW(prctl(PR_SET_SECCOMP, 2, 8, 0, 0));
    SHOW(prctl(PR_GET_SECCOMP));
}

static void too_many(void)
{
    static struct sock_filter many[4096];
    int n;

    for (unsigned i = 0; i < LEN(many); i++)
        many[i] = (struct sock_filter)ALLOW;
    for (n = 0; n < 20 && set_filter(0, many, LEN(many)) == 0; n++)
        ;
    printf("some filters %d, then %s\n", n > 0, error_name(errno));
}

static void available(void)
{
    static const unsigned actions[] = {
        SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,  SECCOMP_RET_ERRNO,
        SECCOMP_RET_TRACE,        SECCOMP_RET_LOG,         SECCOMP_RET_ALLOW, 0x12340000};

    for (unsigned i = 0; i < LEN(actions); i++) {
        printf("%x ", actions[i]);
        SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]));
    }
    SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &actions[0]));
    SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 8));
}

/* ---- Who may, who inherits ---- */

static void as_user(void)
{
    DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
    SHOW(filter_call(SYS_getppid, SECCOMP_RET_ERRNO | 3, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(filter_call(SYS_getppid, SECCOMP_RET_ERRNO | 3, 0));
    printf("%ld\n", call(SYS_getppid, 0, 0, 0));
}

static void inherited(void)
{
    int status;

    filter_call(SYS_getppid, SECCOMP_RET_ERRNO | 4, 0);
    if (fork() == 0) {
        printf("child %ld\n", call(SYS_getppid, 0, 0, 0));
        filter_call(SYS_getppid, SECCOMP_RET_ERRNO | 5, 0);
        setenv("AGAIN", "1", 1);
        execl("/proc/self/exe", "again", NULL);
        _exit(9);
    }
    wait(&status);
    printf("parent %ld\n", call(SYS_getppid, 0, 0, 0));
}

static void show_status_lines(void)
{
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");

    while (fgets(line, sizeof(line), f))
        if (strncmp(line, "Seccomp", 7) == 0)
            fputs(line, stdout);
    fclose(f);
}

static void in_status(void)
{
    show_status_lines();
    filter_call(SYS_getppid, SECCOMP_RET_LOG, 0);
    filter_call(SYS_getppid, SECCOMP_RET_LOG, 0);
    show_status_lines();
}

/* ---- Threads together ---- */

static pthread_barrier_t before, after;
static long results[2];

static void *waits(void *arg)
{
    long *result = arg;

    if (result == &results[1])
        filter_call(SYS_getpgrp, SECCOMP_RET_ERRNO | 8, 0); /* one of its own */
    pthread_barrier_wait(&before);
    pthread_barrier_wait(&after);
    *result = call(SYS_getppid, 0, 0, 0) == -7;
    return NULL;
}

static void synchronised(int own)
{
    pthread_t t;
    long ret;

    pthread_barrier_init(&before, NULL, 2);
    pthread_barrier_init(&after, NULL, 2);
    filter_call(SYS_getuid, SECCOMP_RET_ALLOW, 0);
    pthread_create(&t, NULL, waits, &results[own]);
    pthread_barrier_wait(&before);
    ret = filter_call(SYS_getppid, SECCOMP_RET_ERRNO | 7, SECCOMP_FILTER_FLAG_TSYNC);
    printf("tsync: %s\n", ret == 0 ? "ok" : ret > 0 ? "a thread's id" : error_name(errno));
    if (own)
        SHOW(filter_call(SYS_getppid, SECCOMP_RET_ERRNO | 7,
                         SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
    pthread_barrier_wait(&after);
    pthread_join(t, NULL);
    printf("the other has it %ld, we %d\n", results[own], call(SYS_getppid, 0, 0, 0) == -7);
}

static void tsync(void)
{
    synchronised(0);
}

static void tsync_refused(void)
{
    synchronised(1);
}

/* ---- Strict ---- */

static void strict(void)
{
    printf("%ld\n", (long)prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    call(SYS_write, 1, (long)"written\n", 8);
    call(SYS_exit, 5, 0, 0);
}

static void strict_killed(void)
{
    syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
    call(SYS_getpid, 0, 0, 0);
}

static void filter_then_strict(void)
{
    filter_call(SYS_getppid, SECCOMP_RET_ALLOW, 0);
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
}

/* ---- With a tracer ---- */

static void traced_calls(void)
{
    long a, b, c;

    filter_call(SYS_getppid, SECCOMP_RET_TRACE | 0x123, 0);
    a = call(SYS_getppid, 1, 2, 3);
    b = call(SYS_getppid, 0, 0, 0);
    c = call(SYS_getppid, 0, 0, 0);
    call(SYS_exit_group, a == getpid() && b == -5 && c > 0 ? 61 : 62, 0, 0);
}

static void event(pid_t pid)
{
    struct __ptrace_syscall_info i;
    unsigned long message = 0;
    long n;

    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("seccomp", pid);
    DIE_UNLESS(trace(PTRACE_GETEVENTMSG, pid, 0, (long)&message) == 0);
    memset(&i, 0xee, sizeof(i));
    n = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(i), (long)&i);
    printf("message %lx, call %d, eax %d; ", message,
           (int)peek(PTRACE_PEEKUSER, pid, USER(regs.orig_eax)),
           (int)peek(PTRACE_PEEKUSER, pid, USER(regs.eax)));
    printf("%ld bytes, op %d, call %lld, data %x\n", n, i.op, i.seccomp.nr, i.seccomp.ret_data);
}

static void traced(void)
{
    pid_t pid = tracee(traced_calls);

    printf("-- traced\n");
    SHOW(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP));
    event(pid);
    trace(PTRACE_POKEUSER, pid, USER(regs.orig_eax), SYS_getpid);
    event(pid);
    trace(PTRACE_POKEUSER, pid, USER(regs.orig_eax), -1);
    trace(PTRACE_POKEUSER, pid, USER(regs.eax), -5);
    event(pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("end", pid);
}

int main(void)
{
    if (getenv("AGAIN")) {
        printf("after exec %ld\n", call(SYS_getppid, 0, 0, 0));
        return 0;
    }
    run("errno", fails);
    run("trap", traps);
    run("trap without a handler", trap_kills);
    run("trap ignored", trap_ignored);
    run("kill process", killed_process);
    run("kill thread, alone", killed_thread_alone);
    run("kill thread", killed_thread);
    run("kill process, by a thread", killed_process_by_thread);
    run("unknown verdict", unknown_verdict);
    run("log", logged);
    run("trace, nobody there", untraced);
    run("notify, nobody there", unheard);
    run("several", several);
    programs();
    refused();
    run("too many", too_many);
    available();
    run("as a user", as_user);
    run("inherited", inherited);
    run("status", in_status);
    run("tsync", tsync);
    run("tsync refused", tsync_refused);
    run("strict", strict);
    run("strict, another call", strict_killed);
    run("filter, then strict", filter_then_strict);
    traced();
    return 0;
}
