/*
 * modify_ldt: segments of the program's own, loaded, called, taken away, inherited; what is
 * refused. Segments of 16 bits are left out: Linux has them where it is built with X86_16BIT. So
 * are limits and rights of segments, which QEMU's own code generator does not look at.
 */
#include <asm/ldt.h>
#include <pthread.h>
#include <ucontext.h>
#include "guest.h"

#define SELECTOR(n) ((n) << 3 | 7)
#define DATA        0
#define DOWN        1
#define CODE        2
#define CONFORMING  3

static int ldt(int what, void *p, unsigned long n)
{
    return syscall(SYS_modify_ldt, what, p, n);
}

static struct user_desc segment(unsigned entry, const void *base, unsigned limit, unsigned contents)
{
    return (struct user_desc){.entry_number = entry,
                              .base_addr = (unsigned)base,
                              .limit = limit,
                              .seg_32bit = 1,
                              .contents = contents,
                              .useable = 1};
}

static int set(struct user_desc d)
{
    return ldt(0x11, &d, sizeof(d));
}

static int set_old(struct user_desc d)
{
    return ldt(1, &d, sizeof(d));
}

static void show(unsigned n)
{
    uint64_t e[64];

    DIE_UNLESS(ldt(0, e, sizeof(e)) == sizeof(e));
    printf("entry %u is %016llx\n", n, (unsigned long long)(e[n] & 0x00ffff000000ffff));
}

/* ---- What is caught ---- */

static sigjmp_buf back;
static volatile int signo, code, trapno, error;

static void on_bad(int s, siginfo_t *si, void *context)
{
    const greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

    signo = s;
    code = si->si_code;
    trapno = r[REG_TRAPNO];
    error = r[REG_ERR];
    siglongjmp(back, 1);
}

static void catch_bad(void)
{
    struct sigaction sa = {.sa_sigaction = on_bad, .sa_flags = SA_SIGINFO | SA_NODEFER};

    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
    sigaction(SIGILL, &sa, NULL);
}

#define ATTEMPT(...)                                                                               \
    do {                                                                                           \
        signo = 0;                                                                                 \
        if (sigsetjmp(back, 1) == 0)                                                               \
            __VA_ARGS__;                                                                           \
        printf("%s: %s", #__VA_ARGS__, signo ? sigabbrev_np(signo) : "nothing");                   \
        if (signo)                                                                                 \
            printf(", code %d, trap %d, error %x", code, trapno, error);                           \
        printf("\n");                                                                              \
    } while (0)

static void load_fs(unsigned selector)
{
    __asm__ volatile("mov %w0, %%fs" : : "r"(selector));
}

static unsigned fs(void)
{
    unsigned v;

    __asm__ volatile("mov %%fs, %0" : "=r"(v));
    return v & 0xffff;
}

static unsigned peek(unsigned at)
{
    unsigned v;

    __asm__ volatile("movl %%fs:(%1), %0" : "=r"(v) : "r"(at));
    return v;
}

static void poke(unsigned at, unsigned v)
{
    __asm__ volatile("movl %0, %%fs:(%1)" : : "r"(v), "r"(at) : "memory");
}

/* ---- What is refused ---- */

static void refused(void)
{
    char buf[200];
    struct user_desc d = segment(0, buf, 10, DATA);

    printf("-- refused\n");
    SHOW(ldt(3, buf, 10));
    SHOW(ldt(-1, buf, 10));
    SHOW(ldt(0, buf, sizeof(buf)));
    SHOW(ldt(0, NULL, 0));
    memset(buf, 'x', sizeof(buf));
    SHOW(ldt(2, buf, sizeof(buf)));
    printf("%d %d %c\n", buf[0], buf[39], buf[40]);
    SHOW(ldt(2, buf, 7));
    SHOW(ldt(2, (void *)8, 8));
    SHOW(ldt(1, &d, sizeof(d) - 1));
    SHOW(ldt(0x11, &d, sizeof(d) + 1));
    SHOW(ldt(0x11, (void *)8, sizeof(d)));
    SHOW(set(segment(8192, buf, 10, DATA)));
    SHOW(set(segment(-1, buf, 10, DATA)));
    SHOW(set(segment(0, buf, 10, CONFORMING)));
    d = segment(0, buf, 10, CONFORMING);
    d.seg_not_present = 1;
    SHOW(set_old(d));
    SHOW(ldt(0, buf, sizeof(buf))); /* nothing was made */
    SHOW(set(d));
    show(0);
    SHOW(ldt(0, (void *)8, 8));
    SHOW(ldt(0, buf, 8));
    SHOW(ldt(0, buf, 3));
    SHOW(ldt(0, NULL, 0));
}

/* ---- Data ---- */

static unsigned words[2048] = {[0] = 11, [1] = 22, [1023] = 33, [1024] = 44};

static void data(void)
{
    struct user_desc d = segment(1, words, 4095, DATA);

    printf("-- data\n");
    SHOW(set(d));
    load_fs(SELECTOR(1));
    printf("%x: %u %u %u\n", fs(), peek(0), peek(4), peek(4092));
    poke(8, 5);
    printf("%u\n", words[2]);
    d.limit_in_pages = 1;
    d.limit = 1;
    SHOW(set(d));
    printf("%u\n", peek(4096));
    d.read_exec_only = 1;
    SHOW(set(d));
    show(1);
    d = segment(1, words, 4095, DOWN);
    SHOW(set(d));
    printf("%u\n", peek(4096));
    d = segment(1, 0, 0xfffff, DATA);
    d.limit_in_pages = 1;
    SHOW(set(d));
    ATTEMPT(peek(0xc0100000)); /* all there is, as far as pages allow */
    printf("%u\n", peek((unsigned)&words[1]));
    SHOW(set_old(segment(600, words, 100, DATA)));
    load_fs(SELECTOR(600));
    printf("%x: %u\n", fs(), peek(4));
    SHOW(set(segment(8191, words, 100, DATA)));
    load_fs(SELECTOR(8191));
    printf("%x: %u\n", fs(), peek(4));
    ATTEMPT(load_fs(SELECTOR(8190)));
    ATTEMPT(load_fs(SELECTOR(3000)));
    ATTEMPT(load_fs(SELECTOR(2)));
    d = segment(2, words, 100, DATA);
    d.seg_not_present = 1;
    SHOW(set(d));
    ATTEMPT(load_fs(SELECTOR(2)));
    SHOW(set(segment(2, words, 100, CODE))); /* may be read */
    load_fs(SELECTOR(2));
    printf("%u\n", peek(4));
    d.seg_not_present = 0;
    d.useable = 1;
    SHOW(set_old(d)); /* the old way leaves out the program's bit */
    show(2);
}

/* What is loaded and goes away is the null selector after the call. */
static void taken_away(void)
{
    struct user_desc d = {.entry_number = 1, .read_exec_only = 1, .seg_not_present = 1};

    printf("-- taken away\n");
    SHOW(set(segment(1, words, 4095, DATA)));
    load_fs(SELECTOR(1));
    SHOW(set(d));
    printf("%x\n", fs());
    show(1);
    SHOW(set(segment(1, words, 4095, DATA)));
    SHOW(set_old((struct user_desc){.entry_number = 1}));
    show(1);
    SHOW(set((struct user_desc){.entry_number = 1, .seg_32bit = 1}));
    show(1);
}

/* ---- Code and stacks ---- */

static volatile unsigned seen_cs, seen_ss;

static void on_trap(int s, siginfo_t *si, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)s, (void)si;
    seen_cs = r[REG_CS] & 0xffff;
    seen_ss = r[REG_SS] & 0xffff;
    signo = s;
}

/* mov eax, 42; int3; lret */
static const unsigned char leaf[] = {0xb8, 42, 0, 0, 0, 0xcc, 0xcb};

static unsigned far_call(unsigned selector)
{
    struct {
        unsigned offset;
        unsigned short selector;
    } target = {0, selector};
    unsigned v;

    __asm__ volatile("lcall *%1" : "=a"(v) : "m"(target) : "memory", "cc");
    return v;
}

/* getpid and a trap on a stack segment of the table. */
static int on_stack(unsigned selector)
{
    int v, old;

    __asm__ volatile("mov %%ss, %1\n\t"
                     "mov %w3, %%ss\n\t"
                     "int $0x80\n\t"
                     "int3\n\t"
                     "mov %w1, %%ss"
                     : "=a"(v), "=&r"(old)
                     : "0"(SYS_getpid), "r"(selector)
                     : "memory");
    return v;
}

static void code_and_stacks(void)
{
    struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    unsigned char *page =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct user_desc d = segment(4, 0, 0xfffff, DATA);

    printf("-- code and stacks\n");
    sigaction(SIGTRAP, &sa, NULL);
    memcpy(page, leaf, sizeof(leaf));
    SHOW(set(segment(3, page, PAGE - 1, CODE)));
    printf("%u", far_call(SELECTOR(3)));
    printf(", trapped in %x/%x\n", seen_cs, seen_ss);
    ATTEMPT(far_call(SELECTOR(4)));
    d.limit_in_pages = 1;
    SHOW(set(d));
    printf("%d", on_stack(SELECTOR(4)) == getpid());
    printf(", trapped in %x/%x\n", seen_cs, seen_ss);
    d.read_exec_only = 1;
    d.entry_number = 5;
    SHOW(set(d));
    ATTEMPT(on_stack(SELECTOR(5)));
    munmap(page, PAGE);
}

static volatile greg_t wanted_cs, wanted_ss, wanted_ds;

/* What a handler leaves in the frame is loaded, or refused. */
static void on_user(int s, siginfo_t *si, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)s, (void)si;
    if (wanted_cs)
        r[REG_CS] = wanted_cs;
    if (wanted_ss)
        r[REG_SS] = wanted_ss;
    if (wanted_ds)
        r[REG_FS] = wanted_ds;
}

static void returning(void)
{
    struct sigaction sa = {.sa_sigaction = on_user, .sa_flags = SA_SIGINFO};

    printf("-- returning\n");
    sigaction(SIGUSR1, &sa, NULL);
    SHOW(set(segment(1, words, 4095, DATA)));
    wanted_ds = SELECTOR(1);
    raise(SIGUSR1);
    printf("%x: %u\n", fs(), peek(4));
    wanted_ds = SELECTOR(77);
    raise(SIGUSR1);
    printf("%x\n", fs());
    wanted_ds = 0;
    wanted_cs = SELECTOR(77);
    ATTEMPT(raise(SIGUSR1));
    wanted_cs = 0;
    wanted_ss = SELECTOR(77);
    ATTEMPT(raise(SIGUSR1));
    wanted_ss = 0;
}

/* ---- Whose it is ---- */

static void *other_thread(void *arg)
{
    (void)arg;
    load_fs(SELECTOR(1));
    printf("thread %u\n", peek(4));
    DIE_UNLESS(set(segment(9, words + 1, 100, DATA)) == 0);
    return NULL;
}

static void inherited(char *self)
{
    char buf[16];
    pthread_t t;

    printf("-- inherited\n");
    SHOW(set(segment(1, words, 4095, DATA)));
    pthread_create(&t, NULL, other_thread, NULL);
    pthread_join(t, NULL);
    load_fs(SELECTOR(9));
    printf("of the thread %u\n", peek(0));
    if (fork() == 0) {
        printf("child %x %u\n", fs(), peek(0));
        SHOW(set(segment(9, words + 1024, 100, DATA)));
        load_fs(SELECTOR(9));
        printf("child %u\n", peek(0));
        execl(self, self, "again", NULL);
        _exit(1);
    }
    wait(NULL);
    load_fs(SELECTOR(9));
    printf("parent %u\n", peek(0));
    if (vfork() == 0) {
        set(segment(9, words + 1, 100, DATA));
        _exit(0);
    }
    load_fs(SELECTOR(9));
    printf("after vfork %u\n", peek(0));
    SHOW(ldt(0, buf, sizeof(buf)));
}

int main(int argc, char **argv)
{
    char buf[16];

    if (argc > 1) {
        SHOW(ldt(0, buf, sizeof(buf)));
        return 0;
    }
    catch_bad();
    refused();
    data();
    taken_away();
    code_and_stacks();
    returning();
    inherited(argv[0]);
    return 0;
}
