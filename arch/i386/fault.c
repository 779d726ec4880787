/*
 * Page faults: what is the kernel's own bug ends here; the rest goes up, to trap_page_fault().
 * [SDM 3A 4.7]
 *
 * A fault at a user address is the current process's business, whether the program or a user-memory
 * copy of the kernel made it; everything else that the kernel touches is always there, so any other
 * fault of the kernel is a bug.
 */
#include "arch/i386/i386.h"
#include "arch/upcalls.h"

#define PF_RESERVED 0x8 /* a reserved bit in the tables: they are damaged */

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

/* Whatever is not a program's fault at an address of its own. */
static __attribute__((noinline)) void odd_fault(struct trapframe *tf, vaddr_t addr)
{
    if (tf->err & PF_RESERVED)
        trap_panic(tf, "damaged page table", addr);
    if (trap_from_user(tf)) {
        tf->err |= PF_PRESENT; /* programs do not learn what the kernel has mapped */
        irq_enable();
        trap_page_fault(tf, addr);
        return;
    }
    if (addr >= USER_TOP || !extable_find(tf->eip))
        trap_panic(tf, kernel_fault(tf, addr), addr);
    if (cpu_self()->spin_depth) { /* no time to bring it in */
        extable_fixup(tf);
        return;
    }
    irq_restore(tf->eflags);
    if (!trap_page_fault(tf, addr))
        extable_fixup(tf);
}

/* Called with interrupts off, so that CR2 is still this fault's. */
void page_fault(struct trapframe *tf)
{
    vaddr_t addr = read_cr2();

    if (__builtin_expect(!trap_from_user(tf) || addr >= USER_TOP || (tf->err & PF_RESERVED), 0)) {
        odd_fault(tf, addr);
        return;
    }
    irq_enable();
    trap_page_fault(tf, addr);
}
