/*
 * Page faults: from CR2 and the error code to vm_fault() and back. [SDM 3A 4.7]
 *
 * A fault at a user address is the current space's business, whether the program or a user-memory
 * copy of the kernel made it; everything else that the kernel touches is always there, so any other
 * fault of the kernel is a bug.
 */
#include "arch/i386/i386.h"
#include "kernel/thread/proc.h"
#include "kernel/signal/signal.h"
#include "kernel/thread/trace.h"
#include "mm/vm.h"

#define PF_RESERVED 0x8 /* a reserved bit in the tables: they are damaged */

/* There was no memory: kills somebody for it, as often as it takes. */
static enum vm_result resolve_by_killing(struct vm_space *space, vaddr_t addr,
                                         enum vm_access access)
{
    enum vm_result r = VM_NO_MEMORY;

    while (r == VM_NO_MEMORY && oom_kill())
        r = vm_fault(space, addr, access);
    return r;
}

static void signal_user(struct trapframe *tf, enum vm_result r, vaddr_t addr)
{
    switch (r) {
    case VM_NO_MEMORY:
        return; /* it is the victim and dies on its way out */
    case VM_PAST_END:
        trap_to_signal(tf, SIGBUS, BUS_ADRERR, addr);
        return;
    case VM_BAD_ACCESS:
        trap_to_signal(tf, SIGSEGV, SEGV_ACCERR, addr);
        return;
    default:
        trap_to_signal(tf, SIGSEGV, SEGV_MAPERR, addr);
    }
}

/* Whether mm/ may be asked: it is a user address of a process, and whoever touched it may. */
static bool may_resolve(const struct trapframe *tf, vaddr_t addr, const struct thread *t)
{
    if (addr >= USER_TOP || !t || !t->proc || !t->proc->space || (tf->err & PF_RESERVED))
        return false;
    return trap_from_user(tf) || extable_find(tf->eip);
}

/* What a fault of the kernel's own was. */
static const char *kernel_fault(const struct trapframe *tf, vaddr_t addr)
{
    if (tf->eip == addr)
        return addr < PAGE_SIZE  ? "call of a NULL pointer"
               : addr < USER_TOP ? "jump into user memory"
                                 : "jump to where nothing is mapped";
    if (addr < PAGE_SIZE)
        return "access through a NULL pointer";
    if (addr < USER_TOP)
        return "access to user memory without fix-up";
    if (addr >= (vaddr_t)kernel_text_start && addr < (vaddr_t)kernel_rodata_end)
        return "write to the kernel's text or constants";
    return "page fault in the kernel";
}

static void unresolved(struct trapframe *tf, enum vm_result r, vaddr_t addr)
{
    if (tf->err & PF_RESERVED)
        trap_panic(tf, "damaged page table", addr);
    if (trap_from_user(tf)) {
        if (addr >= USER_TOP)
            tf->err |= PF_PRESENT; /* programs do not learn what the kernel has mapped */
        irq_enable();
        signal_user(tf, r, addr);
    } else if (addr >= USER_TOP || !extable_fixup(tf)) {
        trap_panic(tf, kernel_fault(tf, addr), addr);
    }
}

/* Called with interrupts off, so that CR2 is still this fault's. */
void page_fault(struct trapframe *tf)
{
    vaddr_t addr = read_cr2();
    enum vm_access access = tf->err & PF_WRITE ? VM_WRITE : VM_READ;
    struct thread *t = thread_current();
    enum vm_result r = VM_BAD_ADDRESS;

    if (may_resolve(tf, addr, t)) {
        DEBUG_ASSERT(cpu_self()->spin_depth == 0);
        irq_restore(tf->eflags);
        r = vm_fault(t->proc->space, addr, access);
        if (r == VM_NO_MEMORY)
            r = resolve_by_killing(t->proc->space, addr, access);
        if (tracing(TRACE_FAULTS))
            trace_fault(addr, access, r);
        if (r == VM_MINOR || r == VM_MAJOR) {
            t->usage.minor_faults += r == VM_MINOR;
            t->usage.major_faults += r == VM_MAJOR;
            return;
        }
    }
    unresolved(tf, r, addr);
}
