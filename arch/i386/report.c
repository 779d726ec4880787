/* Readable reports: registers, symbolised backtraces, what the kernel was doing when it failed. */
#include "arch/i386/i386.h"
#include "arch/debug.h"
#include "arch/i386/ksyms.h"
#include "arch/thread.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "libc/printf.h"
#include "libc/string.h"

#define MAX_FRAMES 24
#define CODE_BYTES 20

/* entry.asm: where calls from the entry code return to */
extern const char entry_code_start[], entry_code_end[];

/* The index of the first symbol past addr; 0: addr is not the kernel's code. */
static uint32_t ksym_after(uint32_t addr)
{
    uint32_t low = 0, high = ksyms_count;

    if (addr < (uint32_t)kernel_text_start || addr >= (uint32_t)kernel_text_end)
        return 0;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (ksyms_addr[mid] <= addr)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const char *code_symbol(uint32_t addr, uint32_t *offset, uint32_t *size)
{
    uint32_t after = ksym_after(addr), end = (uint32_t)kernel_text_end;

    if (after == 0)
        return NULL;
    if (after < ksyms_count && ksyms_addr[after] < end)
        end = ksyms_addr[after];
    *offset = addr - ksyms_addr[after - 1];
    *size = end - ksyms_addr[after - 1];
    return ksyms_strings + ksyms_name[after - 1];
}

const char *ksym_find(uint32_t addr, uint32_t *offset)
{
    uint32_t size;

    return code_symbol(addr, offset, &size);
}

const char *debug_symbol(uint32_t n, uint32_t *addr)
{
    if (n >= ksyms_count)
        return NULL;
    *addr = ksyms_addr[n];
    return ksyms_strings + ksyms_name[n];
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
    return ebp >= USER_TOP && (ebp & 3) == 0 && kmap_is_mapped(ebp) && kmap_is_mapped(ebp + 7);
}

/* A walk along the chain of frame pointers. */
struct walk {
    uint32_t ebp;
    const struct trapframe *trap; /* the step went through it */
    uint32_t addr;                /* code: a return address, or where the trap came */
};

/*
 * One frame further; false at the end. A return address in the entry code means that an exception
 * or interrupt came in between: the trap frame was on top of the stack there.
 */
static bool walk_on(struct walk *w)
{
    const uint32_t *frame = (const uint32_t *)w->ebp;

    if (!is_frame(w->ebp) || frame[1] == 0 || (w->trap && trap_from_user(w->trap)))
        return false;
    w->trap = NULL;
    w->addr = frame[1];
    w->ebp = frame[0];
    if (w->addr < (uint32_t)entry_code_start || w->addr >= (uint32_t)entry_code_end)
        return true;
    if (!is_frame((uint32_t)&frame[2]) ||
        !kmap_is_mapped((uint32_t)&frame[2] + offsetof(struct trapframe, esp)))
        return false;
    w->trap = (const struct trapframe *)&frame[2];
    w->addr = w->trap->eip;
    return true;
}

/* Whether the function has put its frame on the chain: mov ebp, esp lies between its start and eip.
 */
static bool has_frame(uint32_t start, uint32_t eip)
{
    static const uint8_t link[] = {0x89, 0xe5};

    for (uint32_t at = start; at + sizeof(link) <= eip && at < start + 32; at++)
        if (memcmp((const void *)at, link, sizeof(link)) == 0)
            return true;
    return false;
}

static bool has_pushed_ebp(uint32_t start, uint32_t eip)
{
    return eip > start && *(const uint8_t *)start == 0x55;
}

/* Who called what has no frame (yet): no code at all, or a small function. It is on top of the
 * stack, where a trap of the kernel's own leaves no esp and ss: these are the words there. */
static bool lost_caller(const struct trapframe *tf, uint32_t *addr)
{
    uint32_t offset, start;

    if (trap_from_user(tf) || tf->trapno == 8)
        return false;
    *addr = tf->esp;
    if (ksym_find(tf->eip, &offset)) {
        start = tf->eip - offset;
        if (has_frame(start, tf->eip))
            return false;
        if (has_pushed_ebp(start, tf->eip))
            *addr = tf->ss;
    }
    return ksym_find(*addr, &offset) != NULL;
}

static void print_step(const struct walk *w)
{
    if (w->trap)
        klog(LOG_EMERG, "  -- trap %u --\n", (unsigned)w->trap->trapno);
    if (w->trap && trap_from_user(w->trap))
        klog(LOG_EMERG, "  %08x in user mode\n", (unsigned)w->addr);
    else
        print_address("  ", w->addr, w->trap ? 0 : 1);
}

/* Recursion is told in two lines, so that where it began can be seen. */
static void print_walk(uint32_t ebp)
{
    struct walk w = {.ebp = ebp};
    uint32_t last = 0;
    unsigned repeated = 0, printed = 0;

    while (printed < MAX_FRAMES && walk_on(&w)) {
        if (!w.trap && w.addr == last) {
            repeated++;
            continue;
        }
        if (repeated)
            klog(LOG_EMERG, "  the same %u times more\n", repeated);
        print_step(&w);
        last = w.addr;
        repeated = 0;
        printed++;
    }
}

void backtrace_thread(const struct arch_thread *t)
{
    klog(LOG_EMERG, "Backtrace:\n");
    print_walk(arch_thread_frame(t));
}

static void collect(uint32_t ebp, uint32_t *calls, unsigned max)
{
    struct walk w = {.ebp = ebp};

    for (unsigned i = 0; i < max; i++)
        calls[i] = walk_on(&w) && !(w.trap && trap_from_user(w.trap)) ? w.addr : 0;
}

void backtrace_collect(uint32_t *calls, unsigned max)
{
    collect((uint32_t)__builtin_frame_address(0), calls, max);
}

void backtrace_collect_thread(const struct arch_thread *t, uint32_t *calls, unsigned max)
{
    collect(arch_thread_frame(t), calls, max);
}

void code_name(uint32_t addr, char *buf, uint32_t size)
{
    uint32_t offset = 0;
    const char *name = ksym_find(addr, &offset);

    if (name)
        snprintf(buf, size, "%s+0x%x", name, (unsigned)offset);
    else
        snprintf(buf, size, "%08x", (unsigned)addr);
}

void backtrace_trap(const struct trapframe *tf)
{
    uint32_t caller;

    klog(LOG_EMERG, "Backtrace:\n");
    if (lost_caller(tf, &caller))
        print_address("  ", caller, 1);
    print_walk(tf->ebp);
}

static void report_backtrace(const struct panic_cause *c)
{
    if (c->tf) {
        backtrace_trap(c->tf);
    } else {
        klog(LOG_EMERG, "Backtrace:\n");
        print_walk(c->ebp);
    }
}

static void report_compact(const struct panic_cause *c)
{
    const struct trapframe *tf = c->tf;
    struct walk w = {.ebp = tf ? tf->ebp : c->ebp};
    char line[80];
    int n = 0;
    uint32_t caller;

    if (tf)
        klog(LOG_EMERG, "crash/1 %u %04x %08x %08x\n", (unsigned)tf->trapno, (unsigned)tf->err,
             (unsigned)read_cr2(), (unsigned)tf->eip);
    if (tf && lost_caller(tf, &caller))
        n = snprintf(line, sizeof(line), " %08x", (unsigned)caller);
    caller = 0;
    for (; n < 64 && walk_on(&w) && !(w.trap && trap_from_user(w.trap)); caller = w.addr)
        n += w.addr == caller ? 0
                              : snprintf(line + n, sizeof(line) - (size_t)n, "%c%08x",
                                         w.trap ? '!' : ' ', (unsigned)w.addr);
    klog(LOG_EMERG, "crash/2%.*s\n", n, line);
}

/* ---- Registers ---- */

/* The bytes around the instruction, which is marked. */
static void print_code(uint32_t eip)
{
    char line[CODE_BYTES * 3 + 16];
    int n = 0;

    for (uint32_t at = eip - CODE_BYTES / 2; at != eip + CODE_BYTES / 2; at++) {
        const char *form = at == eip ? " <%02x>" : " %02x";
        if (kmap_is_mapped(at))
            n += snprintf(line + n, sizeof(line) - (size_t)n, form, *(const uint8_t *)at);
    }
    klog(LOG_EMERG, "Code:%s\n", n ? line : " none there");
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

void report_init(void)
{
    panic_register(PANIC_BACKTRACE, report_backtrace);
    panic_register(PANIC_COMPACT, report_compact);
}

_Noreturn void trap_panic(struct trapframe *tf, const char *what, uint32_t cr2)
{
    uint32_t offset = 0;
    const char *name = ksym_find(tf->eip, &offset);

    irq_disable();
    panic_at(tf, cr2);
    klog(LOG_EMERG, "Kernel failure: %s\n", what);
    trapframe_dump(tf);
    print_code(tf->eip);
    panic("%s: address %08x, at %s+0x%x", what, (unsigned)cr2, name ? name : "?", (unsigned)offset);
}
