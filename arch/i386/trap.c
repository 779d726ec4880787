/*
 * CPU exceptions other than page faults: for programs they go up, to trap_exception(); for the
 * kernel there are fix-ups, or a panic. [SDM 3A 6.15]
 */
#include "arch/debug.h"
#include "arch/thread.h"
#include "arch/i386/i386.h"
#include "arch/upcalls.h"
#include "kernel/base/log.h"

/* si_code of a debug exception, as Linux has them. */
#define CODE_BREAKPOINT 1
#define CODE_STEP       2
#define CODE_WATCHPOINT 4

#define DR6_STEP   0x4000u
#define DR6_POINTS 0x000fu

static const char *const names[] = {
    [TRAP_DIVIDE] = "divide error",
    [TRAP_DEBUG] = "debug exception",
    [TRAP_NMI] = "non-maskable interrupt",
    [TRAP_BREAKPOINT] = "breakpoint",
    [TRAP_OVERFLOW] = "overflow",
    [TRAP_BOUND] = "bound range exceeded",
    [TRAP_OPCODE] = "invalid opcode",
    [TRAP_NO_FPU] = "no FPU",
    [TRAP_DOUBLE_FAULT] = "double fault",
    [TRAP_COPROC] = "coprocessor overrun",
    [TRAP_TSS] = "invalid TSS",
    [TRAP_NO_SEGMENT] = "segment not present",
    [TRAP_STACK] = "stack segment fault",
    [TRAP_GP] = "general protection fault",
    [TRAP_FPU] = "FPU exception",
    [TRAP_ALIGN] = "alignment check",
    [TRAP_MACHINE] = "machine check",
    [TRAP_SIMD] = "SIMD exception",
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

/* Reads and clears DR6; a step or breakpoint of the program that hit in kernel mode is dropped, but
 * for the step that sysenter took into the kernel, which goes on when the program does. 0: it is a
 * point that a tracer elsewhere has taken back meanwhile. */
static int debug_code(struct trapframe *tf)
{
    uint32_t dr6, hits;

    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    __asm__ volatile("mov %0, %%dr6" : : "r"(0));
    if (!trap_from_user(tf)) {
        if (tf->eip == (uint32_t)sysenter_entry)
            tf->eip = (uint32_t)sysenter_stepped;
        tf->eflags &= ~EFLAGS_TF;
        return CODE_BREAKPOINT;
    }
    hits = debug_thread_hits(tf, dr6);
    cpu_self()->current->debug_status = (dr6 & DR6_STEP) | hits;
    if (dr6 & DR6_STEP)
        return CODE_STEP;
    if (!hits && (dr6 & DR6_POINTS)) {
        debug_load(cpu_self()->current->debug);
        return 0;
    }
    return hits ? CODE_WATCHPOINT : CODE_BREAKPOINT;
}

static const char *trap_name(uint32_t n)
{
    return n < sizeof(names) / sizeof(names[0]) && names[n] ? names[n] : "unknown exception";
}

static void user_trap(struct trapframe *tf, int code)
{
    if (tf->trapno == TRAP_NO_FPU && fpu_not_available())
        return;
    if (tf->trapno == TRAP_FPU || tf->trapno == TRAP_SIMD)
        code = fpu_error_code(tf->trapno == TRAP_SIMD);
    irq_enable();
    if (!trap_exception(tf, code))
        trap_panic(tf, trap_name(tf->trapno), 0);
}

/* Called with interrupts off. */
void trap_dispatch(struct trapframe *tf)
{
    int code = -1;

    if (tf->trapno == TRAP_NMI) {
        klog(LOG_EMERG, "NMI at %08x: a hardware failure?\n", (unsigned)tf->eip);
        return;
    }
    if (tf->trapno == TRAP_BREAKPOINT && latency_trap(tf))
        return;
    if ((tf->trapno == TRAP_DEBUG || tf->trapno == TRAP_BREAKPOINT) && debug_trap(tf))
        return;
    if (tf->trapno == TRAP_DEBUG)
        code = debug_code(tf);
    if (code == 0)
        return;
    if (trap_from_user(tf))
        user_trap(tf, code);
    else if (tf->trapno != TRAP_DEBUG && !extable_fixup(tf))
        trap_panic(tf, trap_name(tf->trapno), 0);
}

/* On a task and stack of its own: the kernel stack was unusable. Usually it overflowed. */
void double_fault(void)
{
    struct trapframe tf;
    uint32_t cr2 = read_cr2();

    gdt_double_fault_frame(&tf);
    trap_panic(&tf, kstack_is_guard(cr2) ? "kernel stack overflow" : "double fault", cr2);
}
