/*
 * CPU exceptions other than page faults: signals for programs, fix-ups or a panic for the kernel.
 * Numbers and codes are Linux's. [SDM 3A 6.15]
 */
#include "arch/debug.h"
#include "arch/i386/i386.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/signal/signal.h"

#define FPE_INTDIV  1
#define ILL_ILLOPN  2
#define TRAP_BRKPT  1
#define TRAP_TRACE  2
#define TRAP_HWBKPT 4
#define BUS_ADRALN  1

#define DR6_STEP 0x4000u
#define DR6_HIT  0x000fu

enum {
    T_DIVIDE,
    T_DEBUG,
    T_NMI,
    T_BREAKPOINT,
    T_OVERFLOW,
    T_BOUND,
    T_OPCODE,
    T_NO_FPU,
    T_DOUBLE,
    T_COPROC,
    T_TSS,
    T_NO_SEGMENT,
    T_STACK,
    T_GP,
    T_PAGE,
    T_15,
    T_FPU,
    T_ALIGN,
    T_MACHINE,
    T_SIMD,
};

struct fault_signal {
    const char *name;
    uint8_t signo;
    uint8_t code;
    bool at_eip; /* si_addr is the instruction */
};

static const struct fault_signal fault_signals[32] = {
    [T_DIVIDE] = {"divide error", SIGFPE, FPE_INTDIV, true},
    [T_DEBUG] = {"debug exception", SIGTRAP, TRAP_BRKPT, true},
    [T_NMI] = {"non-maskable interrupt", 0, 0, false},
    [T_BREAKPOINT] = {"breakpoint", SIGTRAP, SI_KERNEL, false},
    [T_OVERFLOW] = {"overflow", SIGSEGV, SI_KERNEL, false},
    [T_BOUND] = {"bound range exceeded", SIGSEGV, SI_KERNEL, false},
    [T_OPCODE] = {"invalid opcode", SIGILL, ILL_ILLOPN, true},
    [T_NO_FPU] = {"no FPU", SIGFPE, SI_KERNEL, false},
    [T_DOUBLE] = {"double fault", 0, 0, false},
    [T_COPROC] = {"coprocessor overrun", SIGFPE, SI_KERNEL, false},
    [T_TSS] = {"invalid TSS", SIGSEGV, SI_KERNEL, false},
    [T_NO_SEGMENT] = {"segment not present", SIGBUS, SI_KERNEL, false},
    [T_STACK] = {"stack segment fault", SIGBUS, SI_KERNEL, false},
    [T_GP] = {"general protection fault", SIGSEGV, SI_KERNEL, false},
    [T_FPU] = {"FPU exception", SIGFPE, SI_KERNEL, true},
    [T_ALIGN] = {"alignment check", SIGBUS, BUS_ADRALN, false},
    [T_MACHINE] = {"machine check", 0, 0, false},
    [T_SIMD] = {"SIMD exception", SIGFPE, SI_KERNEL, true},
};

struct extable_entry {
    uint32_t insn, fixup;
};
extern const struct extable_entry extable_start[], extable_end[]; /* linker.ld */

uint32_t extable_find(uint32_t eip)
{
    for (const struct extable_entry *e = extable_start; e < extable_end; e++)
        if (e->insn == eip)
            return e->fixup;
    return 0;
}

bool extable_fixup(struct trapframe *tf)
{
    uint32_t fixup = extable_find(tf->eip);

    if (fixup)
        tf->eip = fixup;
    return fixup != 0;
}

/* Reads and clears DR6; a step or breakpoint of the program that hit in kernel mode is dropped. */
static int debug_code(struct trapframe *tf)
{
    uint32_t dr6;

    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%dr6" : : "r"(0));
    if (!trap_from_user(tf))
        tf->eflags &= ~EFLAGS_TF;
    if (dr6 & DR6_STEP)
        return TRAP_TRACE;
    return dr6 & DR6_HIT ? TRAP_HWBKPT : TRAP_BRKPT;
}

static const char *trap_name(uint32_t n)
{
    return n < 32 && fault_signals[n].name ? fault_signals[n].name : "unknown exception";
}

static void user_trap(struct trapframe *tf, int code)
{
    const struct fault_signal *f = &fault_signals[tf->trapno & 31];

    if (!f->signo)
        trap_panic(tf, trap_name(tf->trapno), 0);
    if (tf->trapno == T_FPU || tf->trapno == T_SIMD)
        code = fpu_error_code(tf->trapno == T_SIMD);
    irq_enable();
    trap_to_signal(tf, f->signo, code, f->at_eip ? tf->eip : 0);
}

/* Called with interrupts off. */
void trap_dispatch(struct trapframe *tf)
{
    int code = fault_signals[tf->trapno & 31].code;

    if (tf->trapno == T_NMI) {
        klog(LOG_EMERG, "NMI at %08x: a hardware failure?\n", (unsigned)tf->eip);
        return;
    }
    if ((tf->trapno == T_DEBUG || tf->trapno == T_BREAKPOINT) && debug_trap(tf))
        return;
    if (tf->trapno == T_DEBUG)
        code = debug_code(tf);
    if (trap_from_user(tf)) {
        if (tf->trapno == T_NO_FPU && fpu_not_available(tf))
            return;
        user_trap(tf, code);
    } else if (tf->trapno != T_DEBUG && !extable_fixup(tf)) {
        trap_panic(tf, trap_name(tf->trapno), 0);
    }
}

/* On a task and stack of its own: the kernel stack was unusable. Usually it overflowed. */
void double_fault(void)
{
    struct trapframe tf;
    uint32_t cr2 = read_cr2();

    gdt_double_fault_frame(&tf);
    trap_panic(&tf, kstack_is_guard(cr2) ? "kernel stack overflow" : "double fault", cr2);
}
