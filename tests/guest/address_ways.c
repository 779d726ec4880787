/*
 * Bad addresses that reach the kernel inside something else: in vectors, argument lists and
 * structures, as the stack for a signal, as places to write to at an exit, as offsets of
 * /proc/PID/mem, as the base of a segment. By somebody without rights. See addresses.c for those
 * that are arguments.
 */
#include <asm/ldt.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include "guest.h"

#define TOP 0x80000000u /* of a program's addresses on Faultline */

static const uint32_t borders[] = {
    1,          0xfff,      TOP,        0x80000ffd, 0x80100000, 0x80200001, 0x80400000,
    0x90000000, 0xf8000000, 0xfee00020, 0xfffff000, 0xfffffff0, 0xffffffff,
};
#define BORDERS (sizeof(borders) / sizeof(*borders))

static char good[PAGE] __attribute__((aligned(PAGE)));
static char own[8] = "gggg";
static int pipes[2], mem;

static void make_top_page(void)
{
    unsigned char there;
    char *top = (char *)(TOP - PAGE);

    if (mincore(top, PAGE, &there) != 0)
        DIE_UNLESS(mmap(top, PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == top);
    memset((char *)TOP - 64, 'x', 64);
}

/* Alike outcomes are counted: way: EFAULT*13 */
static const char *last;
static unsigned count;

static void end_line(void)
{
    if (last)
        printf(" %s*%u", last, count);
    last = NULL;
    count = 0;
}

static void add(const char *outcome)
{
    if (last && strcmp(last, outcome) != 0)
        end_line();
    last = outcome;
    count++;
}

static void each(const char *way, const char *(*try)(uint32_t border))
{
    printf("%-24s", way);
    for (unsigned i = 0; i < BORDERS; i++)
        add(try(borders[i]));
    end_line();
    putchar('\n');
}

static const char *named(long r)
{
    return r == -1 ? error_name(errno) : r == 0 ? "0" : "some";
}

/* ---- Vectors ---- */

/* Four bytes of the program's own may have gone before the bad buffer was met. */
static const char *held(long r)
{
    int error = errno;
    char buf[64];
    ssize_t n;

    while ((n = read(pipes[0], buf, sizeof(buf))) > 0)
        if (n > 4 || !all_bytes(buf, (size_t)n, 'g'))
            return "LEAK";
    if (!all_bytes(good, sizeof(good), 'g'))
        return "WRITTEN";
    return (r == -1 && error == EFAULT) || r == 4 ? "held" : r == -1 ? error_name(error) : named(r);
}

static const char *by_writev(uint32_t at)
{
    struct iovec v[2] = {{good, 4}, {(void *)at, 4}};

    return held(writev(pipes[1], v, 2));
}

static const char *by_writev_alone(uint32_t at)
{
    struct iovec v = {(void *)at, 16};

    return held(writev(pipes[1], &v, 1));
}

static const char *by_readv(uint32_t at)
{
    struct iovec v[2] = {{good, 4}, {(void *)at, 4}};

    DIE_UNLESS(write(pipes[1], "gggggggg", 8) == 8);
    long r = readv(pipes[0], v, 2);
    int error = errno;
    while (read(pipes[0], good, 1) > 0)
        ;
    errno = error;
    return held(r);
}

static const char *by_vm(uint32_t at, bool writing, bool local, pid_t who)
{
    struct iovec bad[2] = {{own, 4}, {(void *)at, 4}}, fine[2] = {{good, 4}, {good + 8, 4}};
    struct iovec *mine = local ? bad : fine, *theirs = local ? fine : bad;

    return held((writing ? process_vm_writev : process_vm_readv)(who, mine, 2, theirs, 2, 0));
}

static const char *by_local_readv(uint32_t at)
{
    return by_vm(at, false, true, getpid());
}
static const char *by_local_writev(uint32_t at)
{
    return by_vm(at, true, true, getpid());
}
static const char *by_remote_readv(uint32_t at)
{
    return by_vm(at, false, false, getpid());
}
static const char *by_remote_writev(uint32_t at)
{
    return by_vm(at, true, false, getpid());
}

static pid_t other; /* a child that waits */
static const char *by_other_readv(uint32_t at)
{
    return by_vm(at, false, false, other);
}
static const char *by_other_writev(uint32_t at)
{
    return by_vm(at, true, false, other);
}

static void across_the_top(void)
{
    char buf[16] = "";
    struct iovec mine = {buf, sizeof(buf)}, across = {(void *)(TOP - 7), sizeof(buf)};
    struct iovec wraps = {(void *)0xfffffff0, 0x20};

    SHOW(process_vm_readv(getpid(), &mine, 1, &across, 1, 0));
    printf("came: %d, after them: %d\n", all_bytes(buf, 7, 'x'), all_bytes(buf + 7, 9, 0));
    SHOW(process_vm_writev(getpid(), &mine, 1, &across, 1, 0));
    SHOW(process_vm_readv(getpid(), &mine, 1, &wraps, 1, 0));
    SHOW(pread64(mem, buf, sizeof(buf), TOP - 7));
    SHOW(pwrite64(mem, buf, sizeof(buf), TOP - 7));
}

/* ---- /proc/PID/mem ---- */

static const char *mem_read(uint32_t at)
{
    return lseek64(mem, at, SEEK_SET) != (off64_t)at ? "lost" : named(read(mem, good, 4));
}

static const char *mem_write(uint32_t at)
{
    return lseek64(mem, at, SEEK_SET) != (off64_t)at ? "lost" : named(write(mem, good, 4));
}

/* An offset of more than 32 bits must not come down on the program's own page. */
static const char *mem_high(uint32_t at)
{
    char buf[4] = "keep";
    long r = pread64(mem, buf, sizeof(buf), (0x100000000ull * (1 + at % 5)) + (uint32_t)good);

    return memcmp(buf, "keep", 4) ? "LEAK" : named(r);
}

static const char *mem_buffer(uint32_t at)
{
    return named(pread64(mem, (void *)at, 4, (uint32_t)good));
}

/* ---- Lists and structures ---- */

static const char *by_argv(uint32_t at)
{
    uint32_t list[] = {(uint32_t) "x", at, 0};

    return named(syscall(SYS_execve, "prog", list, NULL));
}

static const char *by_envp(uint32_t at)
{
    uint32_t list[] = {at, 0}, args[] = {(uint32_t) "x", 0};

    return named(syscall(SYS_execve, "prog", args, list));
}

static const char *by_select(uint32_t at)
{
    uint32_t zero[2] = {0, 0}, args[5] = {8, at, 0, 0, (uint32_t)zero};

    return named(syscall(SYS_select, args));
}

static const char *by_pselect(uint32_t at)
{
    uint32_t zero[2] = {0, 0}, mask[2] = {at, 8};

    return named(syscall(SYS_pselect6, 0, NULL, NULL, NULL, zero, mask));
}

static const char *by_mincore(uint32_t at)
{
    return named(mincore((void *)(at & -PAGE), PAGE, (unsigned char *)good));
}

/* ---- What kills ---- */

static const char *fate(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status) ? "exit 1" : "exit 0";
    return sigabbrev_np(WTERMSIG(status));
}

static const char *fate_of(void (*fn)(uint32_t), uint32_t at)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(5);
        fn(at);
        _exit(0);
    }
    DIE_UNLESS(pid > 0 && waitpid(pid, &status, 0) == pid);
    return fate(status);
}

static void leave(int signo)
{
    (void)signo;
    _exit(1);
}

static void take_signal_on(uint32_t at)
{
    stack_t st = {.ss_sp = (void *)at, .ss_size = 8192};
    struct sigaction act = {.sa_handler = leave, .sa_flags = SA_ONSTACK};

    sigaction(SIGUSR1, &act, NULL);
    if (sigaltstack(&st, NULL) == 0)
        raise(SIGUSR1);
}

/* A call made with another stack pointer. */
static void call_with_stack(uint32_t nr, uint32_t a, uint32_t b, uint32_t at)
{
    __asm__ volatile("mov %3, %%esp\n int $0x80\n mov $1, %%eax\n mov $0, %%ebx\n int $0x80"
                     :
                     : "a"(nr), "b"(a), "c"(b), "d"(at));
}

static void take_signal_at(uint32_t at)
{
    struct sigaction act = {.sa_handler = leave};

    sigaction(SIGUSR1, &act, NULL);
    call_with_stack(SYS_kill, (uint32_t)getpid(), SIGUSR1, at);
}

static void take_siginfo_at(uint32_t at)
{
    struct sigaction act = {.sa_handler = leave, .sa_flags = SA_SIGINFO};

    sigaction(SIGUSR1, &act, NULL);
    call_with_stack(SYS_kill, (uint32_t)getpid(), SIGUSR1, at);
}

static void return_from(uint32_t at)
{
    call_with_stack(SYS_sigreturn, 0, 0, at);
}
static void rt_return_from(uint32_t at)
{
    call_with_stack(SYS_rt_sigreturn, 0, 0, at);
}

static void segment_at(uint32_t at)
{
    struct user_desc d = {.entry_number = -1u,
                          .base_addr = at,
                          .limit = 0xfffff,
                          .seg_32bit = 1,
                          .limit_in_pages = 1,
                          .useable = 1};

    if (syscall(SYS_set_thread_area, &d) == 0)
        __asm__ volatile("mov %0, %%gs\n movl $0, %%gs:8" ::"r"(d.entry_number * 8 + 3));
}

static const char *on_signal_stack(uint32_t at)
{
    return fate_of(take_signal_on, at);
}
static const char *at_stack(uint32_t at)
{
    return at < TOP + PAGE && at >= TOP ? "SEGV" : fate_of(take_signal_at, at);
}
static const char *at_stack_siginfo(uint32_t at)
{
    return at < TOP + PAGE && at >= TOP ? "SEGV" : fate_of(take_siginfo_at, at);
}
static const char *by_sigreturn(uint32_t at)
{
    return fate_of(return_from, at);
}
static const char *by_rt_sigreturn(uint32_t at)
{
    return fate_of(rt_return_from, at);
}
static const char *by_segment(uint32_t at)
{
    return at < TOP ? "SEGV" : fate_of(segment_at, at);
}

/* ---- Written to at an exit, or at a birth ---- */

struct robust_list { /* struct robust_list_head */
    uint32_t first, offset, pending;
};
static uint32_t where;
static struct robust_list list;

/* Shares the memory, so what is to be written at its end is written. */
static int dies_leaving_lists(void *arg)
{
    (void)arg;
    syscall(SYS_set_tid_address, where);
    syscall(SYS_set_robust_list, list.first ? (uint32_t)&list : where, 12);
    syscall(SYS_exit, 0);
    return 0;
}

static const char *clone_fate(int (*fn)(void *), int flags, uint32_t parent_tid, uint32_t child_tid)
{
    static char stack[16 * 1024] __attribute__((aligned(16)));
    int status;
    pid_t pid = clone(fn, stack + sizeof(stack), flags | CLONE_VM | SIGCHLD, NULL, parent_tid, NULL,
                      child_tid);

    if (pid < 0)
        return error_name(errno);
    DIE_UNLESS(waitpid(pid, &status, 0) == pid);
    return fate(status);
}

static const char *at_exit(uint32_t at)
{
    where = at;
    list.first = 0;
    return clone_fate(dies_leaving_lists, 0, 0, 0);
}

/* An entry of the program's own whose word lies elsewhere. */
static const char *at_exit_offset(uint32_t at)
{
    static uint32_t entry[2];

    where = at & ~3u;
    entry[0] = (uint32_t)&list;
    list = (struct robust_list){(uint32_t)entry, where - (uint32_t)entry, where};
    return clone_fate(dies_leaving_lists, 0, 0, 0);
}

static int just_dies(void *arg)
{
    (void)arg;
    syscall(SYS_exit, 0);
    return 0;
}

static const char *at_birth(uint32_t at)
{
    return clone_fate(just_dies, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
                      at, at);
}

static const char *by_tls(uint32_t at)
{
    return named(syscall(SYS_clone, SIGCHLD | CLONE_SETTLS, 0, 0, at, 0));
}

/* ---- All ---- */

static void vectors(void)
{
    each("writev alone", by_writev_alone);
    each("writev second", by_writev);
    each("readv second", by_readv);
    each("local process_vm_readv", by_local_readv);
    each("local process_vm_writev", by_local_writev);
    each("remote process_vm_readv", by_remote_readv);
    each("remote process_vm_writev", by_remote_writev);
    each("other process_vm_readv", by_other_readv);
    each("other process_vm_writev", by_other_writev);
    across_the_top();
    memset(good, 'g', sizeof(good));
    each("mem read", mem_read);
    each("mem write", mem_write);
    each("mem beyond 32 bits", mem_high);
    each("mem buffer", mem_buffer);
}

static void structures(void)
{
    each("an argument", by_argv);
    each("an environment string", by_envp);
    each("set of select", by_select);
    each("mask of pselect6", by_pselect);
    each("pages for mincore", by_mincore);
    each("clone, TLS", by_tls);
}

static void killers(void)
{
    each("signal stack", on_signal_stack);
    each("stack for a signal", at_stack);
    each("stack for siginfo", at_stack_siginfo);
    each("sigreturn", by_sigreturn);
    each("rt_sigreturn", by_rt_sigreturn);
    each("segment", by_segment);
    each("written at exit", at_exit);
    each("robust word", at_exit_offset);
    each("written at birth", at_birth);
}

int main(void)
{
    chmod(".", 0777);
    int prog = open("prog", O_WRONLY | O_CREAT | O_TRUNC, 0755);

    DIE_UNLESS(write(prog, "no program", 10) == 10 && close(prog) == 0);
    if (geteuid() == 0)
        DIE_UNLESS(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    DIE_UNLESS(prctl(PR_SET_DUMPABLE, 1) == 0);
    make_top_page();
    memset(good, 'g', sizeof(good));
    mem = open("/proc/self/mem", O_RDWR);
    DIE_UNLESS(mem >= 0 && pipe2(pipes, O_NONBLOCK) == 0);
    other = fork();
    if (other == 0)
        for (;;)
            pause();
    vectors();
    structures();
    killers();
    kill(other, SIGKILL);
    printf("still nobody: %d\n", getuid() == 65534 && geteuid() == 65534);
    return 0;
}
