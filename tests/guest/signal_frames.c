/*
 * What lies in signal frames: registers that can be read and changed, the FPU state, old frames
 * with their code on the stack, and frames that were spoiled.
 */
#include "guest.h"
#include <ucontext.h>

static void on_trap(int signo, siginfo_t *si, void *context)
{
    ucontext_t *uc = context;
    greg_t *r = uc->uc_mcontext.gregs;

    printf("%s code %d addr %s trapno %d err %d\n", sigabbrev_np(signo), si->si_code,
           (greg_t)si->si_addr == r[REG_EIP] ? "eip" : "other", r[REG_TRAPNO], r[REG_ERR]);
    if (signo == SIGILL)
        r[REG_EIP] += 2; /* ud2 */
    if (signo == SIGTRAP)
        r[REG_EFL] &= ~0x100; /* one step is enough */
    if (signo == SIGFPE)
        r[REG_ECX] = 5; /* the divisor */
    r[REG_ESI] = 0x1234;
}

static void registers(void)
{
    struct sigaction act = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    int quotient, rest, esi;

    sigaction(SIGILL, &act, NULL);
    sigaction(SIGFPE, &act, NULL);
    sigaction(SIGTRAP, &act, NULL);
    __asm__ volatile("xor %%esi, %%esi; ud2" : "=S"(esi) : : "memory");
    printf("esi %x\n", esi);
    __asm__ volatile("idivl %%ecx" : "=a"(quotient), "=d"(rest) : "a"(42), "d"(0), "c"(0) : "esi");
    printf("42 / 5 = %d\n", quotient);
    __asm__ volatile("int3" : : : "esi", "memory");
    __asm__ volatile("pushf; orl $0x100, (%%esp); popf; nop; nop" : : : "esi", "memory");
    printf("stepped\n");
}

/* The handler sees and spoils the FPU; the program finds its own again. */
static void on_fpu(int signo, siginfo_t *si, void *context)
{
    ucontext_t *uc = context;
    struct _libc_fpstate *fp = uc->uc_mcontext.fpregs;
    double value = 0;
    float xmm[4];

    (void)signo, (void)si;
    printf("fpstate: %d, magic %x, cw %lx, tags %lx\n", fp != NULL, (unsigned)(fp->status >> 16),
           fp->cw & 0xffff, fp->tag & 0xffff);
    __asm__ volatile("fldt %1; fstpl %0" : "=m"(value) : "m"(fp->_st[0]));
    memcpy(xmm, (char *)fp + 112 + 160 + 16, sizeof xmm);
    printf("st0 %.3f xmm1 %.2f %.2f\n", value, xmm[0], xmm[3]);
    __asm__ volatile("fninit; fldpi; xorps %%xmm1, %%xmm1" : : : "memory");
    memset((char *)fp + 112 + 160 + 16, 0, 4); /* the first of xmm1 */
}

static void fpu(void)
{
    struct sigaction act = {.sa_sigaction = on_fpu, .sa_flags = SA_SIGINFO};
    static const float in[4] = {1.25f, 2, 3, 4.5f};
    double value = 2.718;
    float out[4];
    int pid = getpid();

    sigaction(SIGUSR1, &act, NULL);
    __asm__ volatile("finit; fldl %2; movups %3, %%xmm1\n\t"
                     "int $0x80\n\t"
                     "fstpl %0; movups %%xmm1, %1"
                     : "=m"(value), "=m"(out)
                     : "m"(value), "m"(in), "a"(SYS_kill), "b"(pid), "c"(SIGUSR1)
                     : "memory");
    printf("back: %.3f, %.2f %.2f\n", value, out[0], out[3]);
}

/* ---- The kernel's own interface, without the C library's restorer ---- */

struct kernel_action {
    void *handler;
    unsigned long flags;
    void *restorer;
    unsigned long mask[2];
};

static unsigned char code_seen[8];

__attribute__((noinline)) static void raw_handler(int signo)
{
    unsigned char *ret = __builtin_return_address(0);

    memcpy(code_seen, ret, sizeof code_seen);
    printf("raw handler %d\n", signo);
}

static void retcode(void)
{
    struct kernel_action act = {.handler = raw_handler};

    syscall(SYS_rt_sigaction, SIGUSR2, &act, NULL, 8);
    raise(SIGUSR2);
    printf("returned by itself, through %02x %02x\n", code_seen[0], code_seen[1]);
    act.flags = SA_SIGINFO;
    syscall(SYS_rt_sigaction, SIGUSR2, &act, NULL, 8);
    raise(SIGUSR2);
    printf("returned by itself, through %02x %02x\n", code_seen[0], code_seen[1]);
}

/* ---- Spoiled frames ---- */

enum spoil {
    CODE_SELECTOR,
    STACK_SELECTOR,
    DATA_SELECTOR,
    FLAGS,
    FP_POINTER,
    EIP_KERNEL,
    ESP_WILD
};
static enum spoil spoil;

static void spoiler(int signo, siginfo_t *si, void *context)
{
    ucontext_t *uc = context;
    greg_t *r = uc->uc_mcontext.gregs;

    (void)signo, (void)si;
    switch (spoil) {
    case CODE_SELECTOR:
        r[REG_CS] = 0x60;
        break;
    case STACK_SELECTOR:
        r[REG_SS] = 0x68;
        break;
    case DATA_SELECTOR:
        r[REG_FS] = 0x68;
        break;
    case FLAGS:
        r[REG_EFL] |= 0x3000 | 0x20000 | 0x4000 | 1; /* IOPL, VM, NT, CF */
        break;
    case FP_POINTER:
        uc->uc_mcontext.fpregs = (void *)0xf0000000;
        break;
    case EIP_KERNEL:
        r[REG_EIP] = (greg_t)0xfff00000;
        break;
    case ESP_WILD:
        r[REG_ESP] = (greg_t)0xfff00000;
        break;
    }
}

static void run_spoiled(void *how)
{
    struct sigaction act = {.sa_sigaction = spoiler, .sa_flags = SA_SIGINFO};
    unsigned flags;

    spoil = (enum spoil)(long)how;
    signal(SIGILL, SIG_DFL);
    sigaction(SIGUSR1, &act, NULL);
    raise(SIGUSR1);
    __asm__ volatile("pushf; pop %0" : "=r"(flags));
    printf("went on: IOPL %x VM %x NT %x\n", flags & 0x3000, flags & 0x20000, flags & 0x4000);
}

static void no_frame(void *rt)
{
    __asm__ volatile("mov $0x1000, %%esp; int $0x80"
                     :
                     : "a"(rt ? SYS_rt_sigreturn : SYS_sigreturn));
    _exit(1);
}

static void no_room(void *arg)
{
    (void)arg;
    signal(SIGUSR1, raw_handler);
    int pid = getpid();
    __asm__ volatile("mov $0x1000, %%esp; int $0x80" : : "a"(SYS_kill), "b"(pid), "c"(SIGUSR1));
    _exit(1);
}

int main(void)
{
    registers();
    fpu();
    retcode();
    in_child("code selector", run_spoiled, (void *)CODE_SELECTOR);
    in_child("stack selector", run_spoiled, (void *)STACK_SELECTOR);
    in_child("data selector", run_spoiled, (void *)DATA_SELECTOR);
    in_child("flags", run_spoiled, (void *)FLAGS);
    in_child("FPU pointer", run_spoiled, (void *)FP_POINTER);
    in_child("eip in the kernel", run_spoiled, (void *)EIP_KERNEL);
    in_child("wild esp", run_spoiled, (void *)ESP_WILD);
    in_child("sigreturn without a frame", no_frame, NULL);
    in_child("rt_sigreturn without a frame", no_frame, (void *)1);
    in_child("no room for a frame", no_room, NULL);
    return 0;
}
