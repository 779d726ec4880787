/*
 * What the machine's traps mean (arch/upcalls.h): page faults are mm/'s, or kill somebody for
 * memory, or become signals, as do the other exceptions; and the way back to user mode when
 * something waits. Signal numbers and codes are Linux's. [SDM 3A 6.15]
 */
#include "arch/latency.h"
#include "arch/cpu.h"
#include "arch/trap.h"
#include "arch/upcalls.h"
#include "kernel/debug/gdbstub.h"
#include "kernel/signal/signal.h"
#include "kernel/thread/faultgate.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/trace.h"
#include "mm/vm.h"

#define FPE_INTDIV 1
#define ILL_ILLOPN 2
#define ILL_BADSTK 8
#define TRAP_BRKPT 1
#define BUS_ADRALN 1

/* ---- The way back ---- */

/* The exit path calls again until there is nothing left to do. */
void return_to_user(struct trapframe *tf)
{
    struct thread *t = thread_current();

    if (sched_pass_kernel())
        schedule();
    if (t->moved) {
        t->moved = false;
        __atomic_fetch_and(&cpu_self()->wanted, ~CPU_WANTED_LOOK, __ATOMIC_RELAXED);
        t->rseq_interrupted |= t->rseq != 0;
        t->arch.work |= t->rseq != 0;
    }
    if (t->arch.work)
        signal_deliver(tf);
    latency_end(LATENCY_NO_SWITCH);
}

/* ---- Exceptions ---- */

static void send_signal(const struct trapframe *tf, int signo, int code, uint32_t addr)
{
    struct thread *t = thread_current();
    struct siginfo info = {.code = code, .addr = addr};

    t->sig.trap_no = tf->trapno;
    t->sig.trap_err = tf->err;
    t->sig.trap_addr = addr;
    t->sig.trap_signo = signo;
    signal_force_current(signo, &info);
}

/* By exception; a signo of 0 is none that a program causes. */
static const struct {
    uint8_t signo;
    uint8_t code;
    bool at_eip; /* si_addr is the instruction */
} signals[] = {
    [TRAP_DIVIDE] = {SIGFPE, FPE_INTDIV, true},      [TRAP_DEBUG] = {SIGTRAP, TRAP_BRKPT, true},
    [TRAP_BREAKPOINT] = {SIGTRAP, SI_KERNEL, false}, [TRAP_OVERFLOW] = {SIGSEGV, SI_KERNEL, false},
    [TRAP_BOUND] = {SIGSEGV, SI_KERNEL, false},      [TRAP_OPCODE] = {SIGILL, ILL_ILLOPN, true},
    [TRAP_NO_FPU] = {SIGFPE, SI_KERNEL, false},      [TRAP_COPROC] = {SIGFPE, SI_KERNEL, false},
    [TRAP_TSS] = {SIGSEGV, SI_KERNEL, false},        [TRAP_NO_SEGMENT] = {SIGBUS, SI_KERNEL, false},
    [TRAP_STACK] = {SIGBUS, SI_KERNEL, false},       [TRAP_GP] = {SIGSEGV, SI_KERNEL, false},
    [TRAP_FPU] = {SIGFPE, SI_KERNEL, true},          [TRAP_ALIGN] = {SIGBUS, BUS_ADRALN, false},
    [TRAP_SIMD] = {SIGFPE, SI_KERNEL, true},         [TRAP_IRET] = {SIGILL, ILL_BADSTK, false},
};

bool trap_exception(struct trapframe *tf, int code)
{
    uint32_t n = tf->trapno;

    if (n >= sizeof(signals) / sizeof(signals[0]) || !signals[n].signo)
        return false;
    send_signal(tf, signals[n].signo, code >= 0 ? code : signals[n].code,
                signals[n].at_eip ? tf->eip : 0);
    return true;
}

/* ---- Page faults ---- */

/* There was no memory: kills somebody for it, as often as it takes. */
static enum vm_result resolve_by_killing(struct vm_space *space, vaddr_t addr,
                                         enum vm_access access)
{
    enum vm_result r = VM_NO_MEMORY;

    while (r == VM_NO_MEMORY && oom_kill())
        r = vm_fault(space, addr, access);
    return r;
}

static void signal_fault(const struct trapframe *tf, enum vm_result r, vaddr_t addr)
{
    switch (r) {
    case VM_NO_MEMORY:
        return; /* it is the victim and dies on its way out */
    case VM_PAST_END:
        send_signal(tf, SIGBUS, BUS_ADRERR, addr);
        return;
    case VM_BAD_ACCESS:
        send_signal(tf, SIGSEGV, SEGV_ACCERR, addr);
        return;
    default:
        send_signal(tf, SIGSEGV, SEGV_MAPERR, addr);
    }
}

static bool is_resolved(enum vm_result r)
{
    return r == VM_MINOR || r == VM_MAJOR;
}

static void count_fault(struct thread *t, enum vm_result r)
{
    if (__builtin_expect(r == VM_MINOR, 1))
        t->usage.minor_faults++;
    else
        t->usage.major_faults++;
}

/* What is seldom: no memory, no page, a trace. Out of line, so that the other faults are short. */
static __attribute__((noinline)) bool finish_fault(const struct trapframe *tf, vaddr_t addr,
                                                   enum vm_access access, enum vm_result r)
{
    struct thread *t = thread_current();

    if (r == VM_NO_MEMORY)
        r = resolve_by_killing(t->proc->space, addr, access);
    if (tracing(TRACE_FAULTS))
        trace_fault(addr, access, r);
    if (is_resolved(r))
        count_fault(t, r);
    else if (trap_from_user(tf))
        signal_fault(tf, r, addr);
    if (tracing(TRACE_HELD) && trap_from_user(tf))
        fault_gate_wait();
    return is_resolved(r);
}

bool __attribute__((regparm(2))) trap_page_fault(struct trapframe *tf, vaddr_t addr)
{
    enum vm_access access = tf->err & PF_WRITE ? VM_WRITE : VM_READ;
    struct thread *t = thread_current();
    enum vm_result r;

    DEBUG_ASSERT(cpu_self()->spin_depth == 0);
    if (!t->proc->space)
        return false;
    r = vm_fault(t->proc->space, addr, access);
    if (!is_resolved(r) || tracing(TRACE_AFTER_FAULTS))
        return finish_fault(tf, addr, access, r);
    count_fault(t, r);
    return true;
}

/* What it touches is this thread's own, or mm/'s under vm_lock, perhaps shared. */
bool trap_fault_alone(const struct trapframe *tf, uint32_t addr)
{
    struct thread *t = thread_current();

    if (!t->proc->space || tracing(TRACE_FAULTS))
        return false;
    if (!vm_fault_alone(t->proc->space, addr, tf->err & PF_WRITE ? VM_WRITE : VM_READ,
                        !(tf->err & PF_PRESENT)))
        return false;
    t->usage.minor_faults++;
    return true;
}

/* ---- Interrupts ---- */

void irq_after(struct trapframe *tf, unsigned irq)
{
    if (tracing(TRACE_IRQ))
        trace_irq(irq);
    if (__builtin_expect(debug_wanted, false))
        debug_enter(tf);
}
