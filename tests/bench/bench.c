/*
 * What one operation costs, in guest instructions. Runs as init, with no library, on Faultline and
 * on Linux: under QEMU's -icount rdtsc counts instructions exactly. Prints "row NAME COST" lines,
 * then powers off. Each row is the best of several rounds: the others met a timer interrupt.
 */
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u
#ifndef ROUNDS
#define ROUNDS 5
#endif
#define ROUNDS_LEAST 5
#define ENOUGH       500000000u /* cycles of a row, after which these do */
#define SETTLED_NS   100000000
#define PAGES        256u

enum {
    NR_exit = 1,
    NR_fork = 2,
    NR_read = 3,
    NR_write = 4,
    NR_open = 5,
    NR_close = 6,
    NR_unlink = 10,
    NR_execve = 11,
    NR_getpid = 20,
    NR_mount = 21,
    NR_mkdir = 39,
    NR_kill = 37,
    NR_pipe = 42,
    NR_brk = 45,
    NR_ioctl = 54,
    NR_getppid = 64,
    NR_reboot = 88,
    NR_munmap = 91,
    NR_wait4 = 114,
    NR_mprotect = 125,
    NR_rt_sigreturn = 173,
    NR_rt_sigaction = 174,
    NR_pread64 = 180,
    NR_mmap2 = 192,
    NR_futex = 240,
    NR_clock_gettime = 265,
    NR_pipe2 = 331,
    NR_socketpair = 360,
};

enum { PROT_NONE, PROT_READ, PROT_WRITE, RW = 3 };
enum { SHARED = 1, PRIVATE = 2, FIXED = 0x10, ANON = 0x20, NORESERVE = 0x4000 };
enum { O_RDWR = 2, O_CREAT = 0100, O_NONBLOCK = 04000 };

#define SIGSEGV         11
#define SIGUSR1         10
#define SA_SIGINFO      4
#define SA_RESTORER     0x04000000
#define SA_NODEFER      0x40000000
#define GREG_EIP_OFFSET 76 /* of the saved EIP in a ucontext */

static inline uint64_t tsc(void)
{
    uint64_t t;
    __asm__ volatile("rdtsc" : "=A"(t) : : "memory");
    return t;
}

/*
 * What is measured lies between begin() and end(). In the rounds that scripts/profile counts, two
 * instructions that do nothing tell its plugin so.
 */
static int marking;

static inline uint64_t begin(void)
{
    if (marking)
        __asm__ volatile("xchg %%bx, %%bx" : : : "memory");
    return tsc();
}

static inline uint64_t end(uint64_t begun)
{
    uint64_t took = tsc() - begun;
    __asm__ volatile("xchg %%cx, %%cx" : : : "memory");
    return took;
}

static inline long sys(long nr, long a, long b, long c, long d, long e)
{
    long ret;
    __asm__ volatile("int $0x80"
                     : "=a"(ret)
                     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                     : "memory");
    return ret;
}

static inline long sys0(long nr)
{
    return sys(nr, 0, 0, 0, 0, 0);
}

/* Always from the start of the file. */
static long mmap5(uint32_t addr, uint32_t len, long prot, long flags, long fd)
{
    long ret;
    __asm__ volatile("push %%ebp; xor %%ebp, %%ebp; int $0x80; pop %%ebp"
                     : "=a"(ret)
                     : "0"(NR_mmap2), "b"(addr), "c"(len), "d"(prot), "S"(flags), "D"(fd)
                     : "memory");
    return ret;
}

static void print(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    sys(NR_write, 1, (long)s, n, 0, 0);
}

static char *decimal(uint32_t v, char *end)
{
    *--end = 0;
    do
        *--end = '0' + v % 10;
    while (v /= 10);
    return end;
}

static void row(const char *name, uint64_t cost)
{
    char buf[24];

    print("row ");
    print(name);
    print(" ");
    print(cost >> 32 ? "4294967295" : decimal(cost, buf + sizeof(buf)));
    print("\n");
}

static void die(const char *why, long ret)
{
    char buf[24];

    print("bench: ");
    print(why);
    print(" failed: ");
    print(decimal(-ret, buf + sizeof(buf)));
    print("\n");
    sys(NR_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0, 0);
    sys(NR_exit, 1, 0, 0, 0, 0);
}

static long must(const char *what, long ret)
{
    if (ret < 0 && ret > -4096)
        die(what, ret);
    return ret;
}

static char *map(uint32_t len, long prot, long flags, int fd)
{
    return (char *)must("mmap", mmap5(0, len, prot, flags, fd));
}

static char *map_anon(uint32_t len)
{
    return map(len, RW, PRIVATE | ANON, -1);
}

static void unmap(void *p, uint32_t len)
{
    must("munmap", sys(NR_munmap, (long)p, len, 0, 0, 0));
}

static void touch(volatile char *p, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        p[i * PAGE] = 1;
}

static void peek(volatile char *p, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        (void)p[i * PAGE];
}

static void quit(void)
{
    sys(NR_exit, 0, 0, 0, 0, 0);
}

static void wait_for(long pid)
{
    must("wait4", sys(NR_wait4, pid, 0, 0, 0, 0));
}

static const char *only; /* a row's name, NULL: every row */

static int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* Runs fn ROUNDS times, or less often if that takes long, and prints the least of what it returns,
 * by n operations. */
static void measure(const char *name, uint64_t (*fn)(void), uint32_t n)
{
    uint64_t best = UINT64_MAX, begun = tsc();

    if (only && !same(only, name))
        return;
    for (int i = 0; i < ROUNDS && (i < ROUNDS_LEAST || tsc() - begun < ENOUGH); i++) {
        uint64_t cost;
        marking = only && i == ROUNDS - 1;
        cost = fn();
        if (cost < best)
            best = cost;
    }
    row(name, best >> 32 ? best : (uint32_t)best / n);
}

/* ---- Calls and processes ---- */

static uint64_t do_getppid(void)
{
    uint64_t t = begin();
    for (int i = 0; i < 100; i++)
        sys0(NR_getppid);
    return end(t);
}

/* ---- The vDSO ---- */

#define AT_SYSINFO_EHDR 33
#define PT_DYNAMIC      2
enum { DT_NULL, DT_HASH = 4, DT_STRTAB, DT_SYMTAB };

struct elf_symbol {
    uint32_t name, value, size, rest;
};

static int (*vdso_gettime)(int clock, void *ts); /* NULL: there is none */

/* What AT_SYSINFO_EHDR says, behind the environment. */
static uint32_t find_vdso(char **argv)
{
    uint32_t *at = (uint32_t *)argv;

    while (*at++) /* the arguments */
        ;
    while (*at++) /* the environment */
        ;
    for (; at[0]; at += 2)
        if (at[0] == AT_SYSINFO_EHDR)
            return at[1];
    return 0;
}

/* The symbol's address in the object at base, whose dynamic section is at d. */
static void *find_symbol(uint32_t base, const uint32_t *d, const char *name)
{
    const struct elf_symbol *symbols = NULL;
    const uint32_t *hash = NULL;
    const char *strings = NULL;

    for (; d[0] != DT_NULL; d += 2) {
        if (d[0] == DT_HASH)
            hash = (const uint32_t *)(base + d[1]);
        else if (d[0] == DT_STRTAB)
            strings = (const char *)(base + d[1]);
        else if (d[0] == DT_SYMTAB)
            symbols = (const struct elf_symbol *)(base + d[1]);
    }
    for (uint32_t i = 1; i < hash[1]; i++)
        if (same(strings + symbols[i].name, name))
            return (void *)(base + symbols[i].value);
    return NULL;
}

static void open_vdso(char **argv)
{
    uint32_t base = find_vdso(argv);
    const uint32_t *header;

    if (!base)
        return;
    header = (const uint32_t *)(base + ((const uint32_t *)base)[7]); /* e_phoff */
    while (header[0] != PT_DYNAMIC)
        header += 8;
    vdso_gettime = find_symbol(base, (const uint32_t *)(base + header[2]), "__vdso_clock_gettime");
}

static uint64_t do_clock_gettime(void)
{
    uint32_t ts[2];
    uint64_t t = begin();

    for (int i = 0; i < 100; i++)
        vdso_gettime(1, ts);
    return end(t);
}

static uint64_t do_clock_call(void)
{
    uint32_t ts[2];
    uint64_t t = begin();

    for (int i = 0; i < 100; i++)
        sys(NR_clock_gettime, 1, (long)ts, 0, 0, 0);
    return end(t);
}

static uint64_t do_open(void)
{
    uint64_t t = begin();
    for (int i = 0; i < 20; i++) {
        long fd = sys(NR_open, (long)"/dev/null", O_RDWR, 0, 0, 0);
        must("open /dev/null", fd);
        sys(NR_close, fd, 0, 0, 0, 0);
    }
    return end(t);
}

static uint64_t do_fork(void)
{
    uint64_t t = begin();
    long pid = must("fork", sys0(NR_fork));
    if (pid == 0)
        quit();
    wait_for(pid);
    return end(t);
}

static uint64_t do_fork_16m(void)
{
    char *p = map_anon(16 << 20);
    uint64_t t;

    touch(p, 4096);
    t = do_fork();
    unmap(p, 16 << 20);
    return t;
}

static int report[2]; /* a pipe: what the program run by exec measured */
static char *self;

/* execve of this very program, which exits at once; arg tells it whether to report. */
static void exec_self(const char *arg)
{
    static uint64_t start[2]; /* the stamp travels as a string without zero bytes */
    static char stamp[20];
    const char *argv[] = {self, arg, stamp, NULL};
    const char *envp[] = {NULL};

    start[0] = arg[0] == 'r' ? begin() : tsc();
    for (int i = 0; i < 16; i++)
        stamp[i] = 'a' + ((start[0] >> (i * 4)) & 15);
    sys(NR_execve, (long)self, (long)argv, (long)envp, 0, 0);
    sys(NR_exit, 1, 0, 0, 0, 0);
}

static uint64_t do_fork_exec(void)
{
    uint64_t t = begin();
    long pid = must("fork", sys0(NR_fork));
    if (pid == 0)
        exec_self("exit");
    wait_for(pid);
    return end(t);
}

static uint64_t do_exec(void)
{
    uint64_t cost = 0;
    long pid = must("fork", sys0(NR_fork));
    if (pid == 0)
        exec_self("report");
    must("read", sys(NR_read, report[0], (long)&cost, sizeof(cost), 0, 0));
    wait_for(pid);
    return cost;
}

/* The other side of exec_self. */
static void after_exec(char **argv, uint64_t now)
{
    uint64_t start = 0;

    for (int i = 0; i < 16; i++)
        start |= (uint64_t)(argv[2][i] - 'a') << (i * 4);
    now -= start;
    if (argv[1][0] == 'r') {
        (void)end(start);
        sys(NR_write, 4, (long)&now, sizeof(now), 0, 0);
    }
    quit();
}

/* ---- Faults and mappings ---- */

static uint64_t do_write_fault(void)
{
    char *p = map_anon(PAGES * PAGE);
    uint64_t t = begin();
    touch(p, PAGES);
    t = end(t);
    unmap(p, PAGES * PAGE);
    return t;
}

static uint64_t do_read_fault(void)
{
    char *p = map_anon(PAGES * PAGE);
    uint64_t t = begin();
    peek(p, PAGES);
    t = end(t);
    unmap(p, PAGES * PAGE);
    return t;
}

static uint64_t do_munmap_touched(void)
{
    char *p = map_anon(PAGES * PAGE);
    uint64_t t;

    touch(p, PAGES);
    t = begin();
    unmap(p, PAGES * PAGE);
    return end(t);
}

static uint64_t do_cycle(void)
{
    uint64_t t = begin();
    char *p = map_anon(PAGES * PAGE);
    touch(p, PAGES);
    unmap(p, PAGES * PAGE);
    return end(t);
}

/* Runs fn in a child and returns what it measured: for what can be done once in a process. */
static uint64_t in_child(uint64_t (*fn)(void))
{
    uint64_t cost = 0;
    long pid = must("fork", sys0(NR_fork));
    if (pid == 0) {
        cost = fn();
        sys(NR_write, report[1], (long)&cost, sizeof(cost), 0, 0);
        quit();
    }
    must("read", sys(NR_read, report[0], (long)&cost, sizeof(cost), 0, 0));
    wait_for(pid);
    return cost;
}

static uint64_t grow_stack(void)
{
    char here;
    volatile char *p = (char *)((uintptr_t)&here & -PAGE) - 4 * PAGE;
    uint64_t t;

    *p = 1;
    t = begin();
    for (uint32_t i = 1; i <= PAGES; i++)
        p[-(long)(i * PAGE)] = 1;
    return end(t);
}

static uint64_t do_stack(void)
{
    return in_child(grow_stack);
}

static uint64_t grow_heap(void)
{
    uintptr_t top = (sys(NR_brk, 0, 0, 0, 0, 0) + PAGE - 1) & -PAGE;
    uint64_t t;

    sys(NR_brk, top, 0, 0, 0, 0);
    t = begin();
    for (uint32_t i = 0; i < PAGES; i++) {
        sys(NR_brk, top + PAGE, 0, 0, 0, 0);
        *(volatile char *)top = 1;
        top += PAGE;
    }
    return end(t);
}

static uint64_t do_brk(void)
{
    return in_child(grow_heap);
}

static uint64_t do_cow_copy(void)
{
    int hold[2];
    char *p = map_anon(PAGES * PAGE), c;
    uint64_t t;
    long pid;

    touch(p, PAGES);
    must("pipe", sys(NR_pipe, (long)hold, 0, 0, 0, 0));
    pid = must("fork", sys0(NR_fork));
    if (pid == 0) {
        sys(NR_close, hold[1], 0, 0, 0, 0);
        sys(NR_read, hold[0], (long)&c, 1, 0, 0);
        quit();
    }
    t = begin();
    touch(p, PAGES);
    t = end(t);
    sys(NR_close, hold[1], 0, 0, 0, 0);
    sys(NR_close, hold[0], 0, 0, 0, 0);
    wait_for(pid);
    unmap(p, PAGES * PAGE);
    return t;
}

static uint64_t do_cow_reuse(void)
{
    char *p = map_anon(PAGES * PAGE);
    uint64_t t;

    touch(p, PAGES);
    do_fork();
    t = begin();
    touch(p, PAGES);
    t = end(t);
    unmap(p, PAGES * PAGE);
    return t;
}

static long file; /* PAGES pages, all in the cache */

static uint64_t file_faults(long prot, long flags)
{
    char *p = map(PAGES * PAGE, prot, flags, file);
    uint64_t t = begin();
    if (prot & PROT_WRITE)
        touch(p, PAGES);
    else
        peek(p, PAGES);
    t = end(t);
    unmap(p, PAGES * PAGE);
    return t;
}

static uint64_t do_file_read(void)
{
    return file_faults(PROT_READ, PRIVATE);
}

static uint64_t do_file_write(void)
{
    return file_faults(RW, PRIVATE);
}

static uint64_t do_file_shared(void)
{
    return file_faults(RW, SHARED);
}

static char *buffer; /* 64 KiB, touched */

static uint64_t do_urandom(void)
{
    long fd = must("open /dev/urandom", sys(NR_open, (long)"/dev/urandom", 0, 0, 0, 0));
    uint64_t t = begin();
    long got = sys(NR_read, fd, (long)buffer, 65536, 0, 0);
    uint64_t took = end(t);

    if (got != 65536)
        die("read urandom", -got);
    sys(NR_close, fd, 0, 0, 0, 0);
    return took;
}

static uint64_t do_pread(void)
{
    uint64_t t = begin();
    must("pread64", sys(NR_pread64, file, (long)buffer, 65536, 0, 0));
    return end(t);
}

static uint64_t do_map_64k(void)
{
    uint64_t t = begin();
    for (int i = 0; i < 10; i++)
        unmap(map_anon(65536), 65536);
    return end(t);
}

static uint64_t do_map_64k_touched(void)
{
    uint64_t t = begin();
    for (int i = 0; i < 10; i++) {
        char *p = map_anon(65536);
        touch(p, 16);
        unmap(p, 65536);
    }
    return end(t);
}

static uint64_t do_mprotect(void)
{
    char *p = map_anon(3 * PAGE);
    uint64_t t;

    unmap(p, PAGE); /* a vma of one page, alone, so that nothing splits or joins */
    unmap(p + 2 * PAGE, PAGE);
    touch(p + PAGE, 1);
    t = begin();
    for (int i = 0; i < 10; i++) {
        must("mprotect", sys(NR_mprotect, (long)p + PAGE, PAGE, PROT_READ, 0, 0));
        must("mprotect", sys(NR_mprotect, (long)p + PAGE, PAGE, RW, 0, 0));
    }
    t = end(t);
    unmap(p + PAGE, PAGE);
    return t;
}

static uint64_t do_mprotect_split(void)
{
    char *p = map_anon(3 * PAGE);
    uint64_t cost = 0;

    touch(p, 3);
    for (int i = 0; i < 10; i++) {
        uint64_t t = begin();
        must("mprotect", sys(NR_mprotect, (long)p + PAGE, PAGE, PROT_READ, 0, 0));
        cost += end(t);
        must("mprotect", sys(NR_mprotect, (long)p + PAGE, PAGE, RW, 0, 0));
    }
    unmap(p, 3 * PAGE);
    return cost;
}

static char *many; /* 1,000 vmas of 4 pages; every other is readable only */
#define MANY 1000u

static void map_many(void)
{
    many = map_anon(MANY * 4 * PAGE);
    for (uint32_t i = 0; i < MANY; i += 2)
        must("mprotect", sys(NR_mprotect, (long)many + i * 4 * PAGE, 4 * PAGE, PROT_READ, 0, 0));
}

static void unmap_many(void)
{
    unmap(many, MANY * 4 * PAGE);
}

static uint64_t do_munmap_split(void)
{
    uint64_t cost = 0;

    map_many();
    for (int i = 0; i < 10; i++) {
        char *hole = many + (i * 98 + 101) % MANY * 4 * PAGE + PAGE;
        uint64_t t = begin();
        unmap(hole, PAGE);
        cost += end(t);
        must("mmap", mmap5((long)hole, PAGE, RW, PRIVATE | ANON | FIXED, -1));
    }
    unmap_many();
    return cost;
}

static uint64_t do_fault_among(void)
{
    uint64_t cost = 0;

    map_many();
    for (uint32_t i = 0; i < 100; i++) {
        volatile char *p = many + (i * 98 + 101) % MANY * 4 * PAGE;
        uint64_t t = begin();
        *p = 1;
        cost += end(t);
    }
    unmap_many();
    return cost;
}

/* The same next to each other in the middle of count areas of two pages, so that only the search
 * differs: no new page table comes in between. */
static uint64_t fault_in_the_middle(uint32_t count)
{
    const uint32_t pair = 2 * PAGE;
    char *area = (char *)must("mmap", mmap5(0, count * pair, RW, PRIVATE | ANON | NORESERVE, -1));
    volatile char *middle = area + count / 2 * pair;
    char *drain = map_anon(512 * PAGE);
    uint64_t cost = 0;

    /* Frames that a kernel happens to have zeroed already would hide the work. */
    for (uint32_t i = 0; i < 512; i++)
        drain[i * PAGE] = 1;
    for (uint32_t i = 0; i < count; i += 2)
        must("mprotect", sys(NR_mprotect, (long)area + i * pair, pair, PROT_READ, 0, 0));
    middle += count / 2 % 2 ? 0 : pair;
    middle[PAGE] = 1;
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t t = begin();
        middle[i * 2 * pair] = 1;
        cost += end(t);
    }
    unmap(area, count * pair);
    unmap(drain, 512 * PAGE);
    return cost;
}

/* 16: the four that are touched must lie inside. */
static uint64_t do_fault_among_10(void)
{
    return fault_in_the_middle(16);
}

static uint64_t do_fault_among_100000(void)
{
    return fault_in_the_middle(100000);
}

/* 100,000 areas are more than max_map_count allows. */
static void allow_many_areas(void)
{
    long fd;

    sys(NR_mkdir, (long)"/proc", 0755, 0, 0, 0);
    sys(NR_mount, (long)"proc", (long)"/proc", (long)"proc", 0, 0);
    fd = must("open", sys(NR_open, (long)"/proc/sys/vm/max_map_count", O_RDWR, 0, 0, 0));
    must("write", sys(NR_write, fd, (long)"200000", 6, 0, 0));
    sys(NR_close, fd, 0, 0, 0, 0);
}

/* ---- Signals and pipes ---- */

static void on_signal(int signo, void *info, void *context)
{
    (void)info;
    if (signo == SIGSEGV)
        *(uint32_t *)((char *)context + GREG_EIP_OFFSET) += 2; /* past the movb below */
}

void restorer(void);
__asm__("restorer: mov $173, %eax; int $0x80");

static void handle(int signo)
{
    struct {
        void (*handler)(int, void *, void *);
        uint32_t flags;
        void (*restorer)(void);
        uint64_t mask;
    } act = {on_signal, SA_SIGINFO | SA_RESTORER, restorer, 0};

    must("rt_sigaction", sys(NR_rt_sigaction, signo, (long)&act, 0, 8, 0));
}

static uint64_t do_signal(void)
{
    long pid = sys0(NR_getpid);
    uint64_t t = begin();
    for (int i = 0; i < 20; i++)
        sys(NR_kill, pid, SIGUSR1, 0, 0, 0);
    return end(t);
}

static uint64_t do_segv(void)
{
    char *p = map(PAGE, PROT_NONE, PRIVATE | ANON, -1);
    uint64_t t = begin();
    for (int i = 0; i < 20; i++)
        __asm__ volatile("movb %%al, (%0)" : : "d"(p) : "memory");
    t = end(t);
    unmap(p, PAGE);
    return t;
}

static uint64_t do_ping_pong(void)
{
    int there[2], back[2];
    uint64_t t;
    long pid;
    char c = 0;

    must("pipe", sys(NR_pipe, (long)there, 0, 0, 0, 0));
    must("pipe", sys(NR_pipe, (long)back, 0, 0, 0, 0));
    pid = must("fork", sys0(NR_fork));
    if (pid == 0) {
        for (int i = 0; i < 60; i++) {
            sys(NR_read, there[0], (long)&c, 1, 0, 0);
            sys(NR_write, back[1], (long)&c, 1, 0, 0);
        }
        quit();
    }
    t = begin();
    for (int i = 0; i < 60; i++) {
        if (i == 10)
            t = begin();
        sys(NR_write, there[1], (long)&c, 1, 0, 0);
        sys(NR_read, back[0], (long)&c, 1, 0, 0);
    }
    t = end(t);
    wait_for(pid);
    for (int i = 0; i < 2; i++) {
        sys(NR_close, there[i], 0, 0, 0, 0);
        sys(NR_close, back[i], 0, 0, 0, 0);
    }
    return t;
}

static uint64_t do_pipe(void)
{
    int p[2];
    uint64_t t;
    long n;

    must("pipe2", sys(NR_pipe2, (long)p, O_NONBLOCK, 0, 0, 0));
    t = begin();
    n = must("write to a pipe", sys(NR_write, p[1], (long)buffer, 65536, 0, 0));
    must("read from a pipe", sys(NR_read, p[0], (long)buffer, n, 0, 0));
    t = end(t);
    sys(NR_close, p[0], 0, 0, 0, 0);
    sys(NR_close, p[1], 0, 0, 0, 0);
    return (uint32_t)t / ((uint32_t)n / 1024);
}

/* ---- Between processes ---- */

#define TURNS   50
#define WARM_UP 10

/* A byte there and back between two processes, each of which has a descriptor; counted are TURNS.
 */
static uint64_t round_trips(int here, int there)
{
    uint64_t t = 0;
    char c = 'a';
    long pid = must("fork", sys0(NR_fork));

    if (pid == 0) {
        for (int i = 0; i < WARM_UP + TURNS; i++) {
            sys(NR_read, there, (long)&c, 1, 0, 0);
            sys(NR_write, there, (long)&c, 1, 0, 0);
        }
        quit();
    }
    for (int i = 0; i < WARM_UP + TURNS; i++) {
        if (i == WARM_UP)
            t = begin();
        must("write", sys(NR_write, here, (long)&c, 1, 0, 0));
        must("read", sys(NR_read, here, (long)&c, 1, 0, 0));
    }
    t = end(t);
    wait_for(pid);
    sys(NR_close, here, 0, 0, 0, 0);
    sys(NR_close, there, 0, 0, 0, 0);
    return t;
}

static void socket_pair(int *s, int type)
{
    must("socketpair", sys(NR_socketpair, 1, type, 0, (long)s, 0));
}

static uint64_t do_socket(void)
{
    int s[2];

    socket_pair(s, 1);
    return round_trips(s[0], s[1]);
}

static uint64_t do_socket_bulk(void)
{
    int s[2];
    long n, got = 0;
    uint64_t t;

    socket_pair(s, 1 | O_NONBLOCK);
    t = begin();
    n = must("write to a socket", sys(NR_write, s[0], (long)buffer, 65536, 0, 0));
    while (got < n)
        got += must("read from a socket", sys(NR_read, s[1], (long)buffer, n, 0, 0));
    t = end(t);
    sys(NR_close, s[0], 0, 0, 0, 0);
    sys(NR_close, s[1], 0, 0, 0, 0);
    return (uint32_t)t / ((uint32_t)n / 1024);
}

enum { FUTEX_WAIT, FUTEX_WAKE };

/* Says that it is the other's turn, and waits until it is ours: turn is 0 or 1. */
static void pass_turn(volatile uint32_t *word, uint32_t ours)
{
    *word = !ours;
    sys(NR_futex, (long)word, FUTEX_WAKE, 1, 0, 0);
    while (*word != ours)
        sys(NR_futex, (long)word, FUTEX_WAIT, !ours, 0, 0);
}

static uint64_t do_futex(void)
{
    volatile uint32_t *word = (uint32_t *)map(PAGE, RW, SHARED | ANON, -1);
    uint64_t t = 0;
    long pid;

    *word = 0;
    pid = must("fork", sys0(NR_fork));
    if (pid == 0) {
        while (*word != 1)
            sys(NR_futex, (long)word, FUTEX_WAIT, 0, 0, 0);
        for (int i = 0; i < WARM_UP + TURNS - 1; i++)
            pass_turn(word, 1);
        *word = 0;
        sys(NR_futex, (long)word, FUTEX_WAKE, 1, 0, 0);
        quit();
    }
    for (int i = 0; i < WARM_UP + TURNS; i++) {
        if (i == WARM_UP)
            t = begin();
        pass_turn(word, 0);
    }
    t = end(t);
    wait_for(pid);
    unmap((void *)word, PAGE);
    return t;
}

#define TCGETS       0x5401
#define TCSETS       0x5402
#define TIOCSPTLCK   0x40045431
#define TIOCGPTPEER  0x5441
#define O_NOCTTY     0400
#define TERMIOS_SIZE 36

/* As cfmakeraw has it. */
static void make_raw(int fd)
{
    uint32_t termios[TERMIOS_SIZE / 4 + 1];

    must("TCGETS", sys(NR_ioctl, fd, TCGETS, (long)termios, 0, 0));
    termios[0] = termios[1] = termios[3] = 0;
    must("TCSETS", sys(NR_ioctl, fd, TCSETS, (long)termios, 0, 0));
}

static uint64_t do_pty(void)
{
    int unlocked = 0;
    int master = must("open ptmx", sys(NR_open, (long)"/pts/ptmx", O_RDWR | O_NOCTTY, 0, 0, 0));
    int slave;

    must("TIOCSPTLCK", sys(NR_ioctl, master, TIOCSPTLCK, (long)&unlocked, 0, 0));
    slave = must("TIOCGPTPEER", sys(NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY, 0, 0));
    make_raw(slave);
    return round_trips(master, slave);
}

static void mount_pts(void)
{
    sys(NR_mkdir, (long)"/pts", 0755, 0, 0, 0);
    must("mount devpts", sys(NR_mount, (long)"pts", (long)"/pts", (long)"devpts", 0, 0));
}

/* ---- All ---- */

static void prepare(void)
{
    must("pipe", sys(NR_pipe, (long)report, 0, 0, 0, 0));
    if (report[1] != 4)
        die("fd numbers", -report[1]);
    buffer = map_anon(65536);
    touch(buffer, 16);
    file = must("open", sys(NR_open, (long)"/bench.tmp", O_RDWR | O_CREAT, 0600, 0, 0));
    for (uint32_t done = 0; done < PAGES * PAGE;)
        done += must("write", sys(NR_write, file, (long)buffer, 65536, 0, 0));
    handle(SIGUSR1);
    handle(SIGSEGV);
}

/* A row that is looked at alone is that of a machine that has run for a while: its clock's rate is
 * known. An instruction is a nanosecond here. */
static void spin(uint64_t cycles)
{
    uint64_t until = tsc() + cycles;

    while (tsc() < until)
        ;
}

static void all_rows(void)
{
    measure("getppid", do_getppid, 100);
    measure("open-close", do_open, 20);
    measure("fork", do_fork, 1);
    measure("fork-16m", do_fork_16m, 1);
    measure("fork-exec", do_fork_exec, 1);
    measure("exec", do_exec, 1);
    measure("write-fault", do_write_fault, PAGES);
    measure("read-fault", do_read_fault, PAGES);
    measure("munmap-touched", do_munmap_touched, PAGES);
    measure("cycle", do_cycle, PAGES);
    measure("stack", do_stack, PAGES);
    measure("brk", do_brk, PAGES);
    measure("cow-copy", do_cow_copy, PAGES);
    measure("cow-reuse", do_cow_reuse, PAGES);
    measure("file-read-fault", do_file_read, PAGES);
    measure("file-write-fault", do_file_write, PAGES);
    measure("file-shared-fault", do_file_shared, PAGES);
    measure("pread-kib", do_pread, 64);
    measure("urandom-kib", do_urandom, 64);
    measure("mmap-64k", do_map_64k, 10);
    measure("mmap-64k-touched", do_map_64k_touched, 10);
    measure("mprotect", do_mprotect, 20);
    measure("mprotect-split", do_mprotect_split, 10);
    measure("munmap-split-1000", do_munmap_split, 10);
    measure("fault-1000", do_fault_among, 100);
    allow_many_areas();
    measure("fault-10", do_fault_among_10, 4);
    measure("fault-100000", do_fault_among_100000, 4);
    measure("signal", do_signal, 20);
    measure("sigsegv", do_segv, 20);
    measure("ping-pong", do_ping_pong, 50);
    measure("pipe-kib", do_pipe, 1);
    mount_pts();
    measure("socket", do_socket, TURNS);
    measure("socket-kib", do_socket_bulk, 1);
    measure("futex", do_futex, TURNS);
    measure("pty", do_pty, TURNS);
    /* Last: right after the boot the TSC's rate is not known yet. */
    measure("clock-call", do_clock_call, 100);
    if (vdso_gettime)
        measure("clock-gettime", do_clock_gettime, 100);
}

__attribute__((used)) void bench_main(char **argv, uint32_t low, uint32_t high)
{
    uint64_t now = (uint64_t)high << 32 | low;
    char buf[24];

    (void)end(now); /* of the boot */
    if (argv[1] && argv[1][0] && argv[2])
        after_exec(argv, now);
    self = argv[0];
    only = argv[1];
    print("first-user-tsc "); /* in thousands: it need not fit in 32 bits */
    print(decimal((uint32_t)(now >> 10), buf + sizeof(buf)));
    print("\n");
    open_vdso(argv);
    prepare();
    if (only)
        spin(SETTLED_NS);
    all_rows();
    print("bench: done\n");
    sys(NR_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0, 0);
    quit();
}

/* On the stack: argc, argv[]... The stamp is taken by the very first instruction. */
__asm__(".globl _start\n"
        "_start: rdtsc\n"
        "  lea 4(%esp), %ecx\n"
        "  and $-16, %esp\n"
        "  sub $4, %esp\n"
        "  push %edx\n"
        "  push %eax\n"
        "  push %ecx\n"
        "  call bench_main\n");
