/* Readable reports: registers, symbolised backtraces, what the kernel was doing when it failed. */
#include "arch/i386/i386.h"
#include "arch/i386/ksyms.h"
#include "arch/thread.h"
#include "kernel/log.h"
#include "kernel/proc.h"

#define MAX_FRAMES 24

/* entry.asm: where calls from the entry code return to */
extern const char entry_code_start[], entry_code_end[];

const char *ksym_find(uint32_t addr, uint32_t *offset)
{
    uint32_t low = 0, high = ksyms_count;

    if (addr < (uint32_t)kernel_text_start || addr >= (uint32_t)kernel_text_end)
        return NULL;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (ksyms_addr[mid] <= addr)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return NULL;
    *offset = addr - ksyms_addr[low - 1];
    return ksyms_strings + ksyms_name[low - 1];
}

/* back: 1 for a return address, which may be past the end of a function that ends in a call. */
static void print_address(const char *prefix, uint32_t addr, uint32_t back)
{
    uint32_t offset = 0;
    const char *name = ksym_find(addr - back, &offset);

    offset += back;
    if (name)
        klog(LOG_EMERG, "%s%08x %s+0x%x\n", prefix, (unsigned)addr, name, (unsigned)offset);
    else
        klog(LOG_EMERG, "%s%08x\n", prefix, (unsigned)addr);
}

/* Whether a frame pointer can be followed: two mapped words of kernel memory. */
static bool is_frame(uint32_t ebp)
{
    return ebp >= USER_TOP && (ebp & 3) == 0 && kmap_is_mapped(ebp) && kmap_is_mapped(ebp + 11);
}

/*
 * Follows the chain of frame pointers. A return address in the entry code means that an exception
 * or interrupt came in between: the function called there has the trap frame as its argument.
 */
void backtrace(uint32_t ebp)
{
    klog(LOG_EMERG, "Backtrace:\n");
    for (int i = 0; i < MAX_FRAMES && is_frame(ebp); i++) {
        const uint32_t *frame = (const uint32_t *)ebp;
        if (frame[1] == 0)
            return;
        if (frame[1] >= (uint32_t)entry_code_start && frame[1] < (uint32_t)entry_code_end) {
            const struct trapframe *tf = (const struct trapframe *)frame[2];
            if (!is_frame((uint32_t)tf))
                return;
            klog(LOG_EMERG, "  -- trap %u --\n", (unsigned)tf->trapno);
            if (trap_from_user(tf)) {
                klog(LOG_EMERG, "  %08x in user mode\n", (unsigned)tf->eip);
                return;
            }
            print_address("  ", tf->eip, 0);
        } else {
            print_address("  ", frame[1], 1);
        }
        ebp = frame[0];
    }
}

void trapframe_dump(const struct trapframe *tf)
{
    bool user = trap_from_user(tf) || tf->trapno == 8;
    uint32_t esp = user ? tf->esp : (uint32_t)&tf->esp;
    unsigned ss = user ? tf->ss : SEL_KERNEL_DS;

    print_address("eip ", tf->eip, 0);
    klog(LOG_EMERG, "eax %08x ebx %08x ecx %08x edx %08x\n", (unsigned)tf->eax, (unsigned)tf->ebx,
         (unsigned)tf->ecx, (unsigned)tf->edx);
    klog(LOG_EMERG, "esi %08x edi %08x ebp %08x esp %08x\n", (unsigned)tf->esi, (unsigned)tf->edi,
         (unsigned)tf->ebp, (unsigned)esp);
    klog(LOG_EMERG, "cs %04x ds %04x es %04x fs %04x gs %04x ss %04x eflags %08x\n",
         (unsigned)tf->cs & 0xffff, (unsigned)tf->ds, (unsigned)tf->es, (unsigned)tf->fs,
         (unsigned)tf->gs, ss & 0xffff, (unsigned)tf->eflags);
    klog(LOG_EMERG, "trap %u error %04x cr2 %08x cr3 %08x\n", (unsigned)tf->trapno,
         (unsigned)tf->err, (unsigned)read_cr2(), (unsigned)read_cr3());
}

static void print_process(void)
{
    const struct thread *t = thread_current();

    if (!t || !t->proc)
        klog(LOG_EMERG, "No process was running.\n");
    else
        klog(LOG_EMERG, "Process %d (%.16s), thread %d\n", (int)t->proc->pid, t->proc->comm,
             (int)t->tid);
}

_Noreturn void trap_panic(struct trapframe *tf, const char *what, uint32_t cr2)
{
    uint32_t offset = 0;
    const char *name = ksym_find(tf->eip, &offset);

    irq_disable();
    panic_at(tf);
    klog(LOG_EMERG, "Kernel failure: %s\n", what);
    trapframe_dump(tf);
    print_process();
    if (tf->trapno == 8)
        backtrace(tf->ebp);
    panic("%s: address %08x, at %s+0x%x", what, (unsigned)cr2, name ? name : "?", (unsigned)offset);
}
