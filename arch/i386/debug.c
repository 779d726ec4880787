/*
 * The machine for a debugger: page tables instead of faults, the debug registers, the trap flag.
 * [SDM 3B 17.2]
 *
 * While a step is under way interrupts are off for the code that steps, since an interrupt that
 * waits would be taken instead of the next instruction; what the instruction itself does with the
 * interrupt flag is made up for.
 */
#include "arch/debug.h"
#include "arch/i386/i386.h"
#include "arch/thread.h"
#include "libc/string.h"

#define CR0_WP    0x10000u
#define EFLAGS_RF 0x10000u

#define DR6_STEP      0x4000u
#define DR6_POINTS    0x000fu
#define DR7_ENABLE(i) (2u << 2 * (i)) /* in every task */
#define DR7_FIELD(i)  (16 + 4 * (i))
#define DR7_EXACT     0x200u

#define INSN_PUSHF 0x9c
#define INSN_POPF  0x9d
#define INSN_HLT   0xf4
#define INSN_IRET  0xcf
#define INSN_CLI   0xfa
#define INSN_STI   0xfb

static struct {
    bool used;
    enum debug_point kind;
    vaddr_t va;
    unsigned len;
} points[DEBUG_POINTS];

static struct {
    bool active;
    bool irq_was_on;
    uint8_t insn;
} step;

/* ---- Memory ---- */

/* Where va is in the window, with the flags of its entry; NULL when it is not mapped or not RAM of
 * the window. Kernel addresses are themselves. */
static uint8_t *find_byte(const pde_t *tables, vaddr_t va, pte_t *entry)
{
    pde_t pde = va < USER_TOP ? tables[PDX(va)] : kernel_pgdir[PDX(va)];

    *entry = pde;
    if (!(pde & PTE_P))
        return NULL;
    if (!(pde & PTE_PS))
        *entry = ((const pte_t *)phys_to_virt(PTE_ADDR(pde)))[PTX(va)];
    if (!(*entry & PTE_P))
        return NULL;
    if (va >= USER_TOP)
        return (uint8_t *)va;
    if (PTE_ADDR(*entry) >= PHYS_WINDOW_SIZE || !kmap_is_mapped(PHYS_WINDOW + PTE_ADDR(*entry)))
        return NULL;
    return (uint8_t *)phys_to_virt(PTE_ADDR(*entry)) + (va & ~PAGE_MASK);
}

static size_t rest_of_page(vaddr_t va, size_t n)
{
    size_t rest = PAGE_SIZE - (va & ~PAGE_MASK);

    return n < rest ? n : rest;
}

size_t debug_peek(const pde_t *tables, vaddr_t va, void *buf, size_t n)
{
    size_t done = 0;

    while (done < n) {
        pte_t entry;
        const uint8_t *from = find_byte(tables, va + done, &entry);
        size_t part = rest_of_page(va + done, n - done);

        if (!from)
            break;
        memcpy((uint8_t *)buf + done, from, part);
        done += part;
    }
    return done;
}

size_t debug_poke(const pde_t *tables, vaddr_t va, const void *buf, size_t n)
{
    uint32_t cr0 = read_cr0();
    size_t done = 0;

    while (done < n) {
        pte_t entry;
        uint8_t *to = find_byte(tables, va + done, &entry);
        size_t part = rest_of_page(va + done, n - done);

        if (!to || (va + done < USER_TOP && !(entry & PTE_W)))
            break;
        write_cr0(cr0 & ~CR0_WP);
        memcpy(to, (const uint8_t *)buf + done, part);
        write_cr0(cr0);
        done += part;
    }
    return done;
}

/* ---- Debug registers ---- */

#define DR7_ALL 0xffff00ffu /* enables and fields, without GD */

static bool points_used(void)
{
    for (unsigned i = 0; i < DEBUG_POINTS; i++)
        if (points[i].used)
            return true;
    return false;
}

/* The points of a program's thread; the kernel's debugger, while it has some, goes before. */
void debug_load(const struct debug_registers *d)
{
    if (points_used())
        return;
    __asm__ volatile("mov %0, %%dr7" : : "r"(0));
    if (!d)
        return;
    __asm__ volatile("mov %0, %%dr0" : : "r"(d->address[0]));
    __asm__ volatile("mov %0, %%dr1" : : "r"(d->address[1]));
    __asm__ volatile("mov %0, %%dr2" : : "r"(d->address[2]));
    __asm__ volatile("mov %0, %%dr3" : : "r"(d->address[3]));
    __asm__ volatile("mov %0, %%dr7" : : "r"(d->control & DR7_ALL));
}

#define ENABLED(control, i) ((control) >> 2 * (i)&3)
#define KIND(control, i)    ((control) >> DR7_FIELD(i) & 3)
#define LENGTH(control, i)  ((control) >> (DR7_FIELD(i) + 2) & 3) /* less one */
#define KIND_IO             2
#define LENGTH_8            2

static bool point_valid(const struct debug_registers *d, unsigned i)
{
    uint32_t kind = KIND(d->control, i), mask = LENGTH(d->control, i), at = d->address[i];

    if (kind == KIND_IO || mask == LENGTH_8 || (kind == DEBUG_EXECUTE && mask))
        return false;
    return at < USER_TOP && !(at & mask);
}

bool debug_registers_valid(const struct debug_registers *d)
{
    for (unsigned i = 0; i < DEBUG_POINTS; i++)
        if (ENABLED(d->control, i) && !point_valid(d, i))
            return false;
    return true;
}

uint32_t debug_thread_hits(struct trapframe *tf, uint32_t dr6)
{
    const struct debug_registers *d = cpu_self()->current->debug;
    uint32_t hits = 0;

    for (unsigned i = 0; d && i < DEBUG_POINTS; i++) {
        if (!(dr6 & 1u << i) || !ENABLED(d->control, i))
            continue;
        hits |= 1u << i;
        if (KIND(d->control, i) == DEBUG_EXECUTE)
            tf->eflags |= EFLAGS_RF; /* it is reported before the instruction */
    }
    return hits;
}

static void load_points(void)
{
    uint32_t dr7 = 0;

    __asm__ volatile("mov %0, %%dr7" : : "r"(0));
    __asm__ volatile("mov %0, %%dr0" : : "r"(points[0].va));
    __asm__ volatile("mov %0, %%dr1" : : "r"(points[1].va));
    __asm__ volatile("mov %0, %%dr2" : : "r"(points[2].va));
    __asm__ volatile("mov %0, %%dr3" : : "r"(points[3].va));
    for (unsigned i = 0; i < DEBUG_POINTS; i++)
        if (points[i].used)
            dr7 |= DR7_EXACT | DR7_ENABLE(i) |
                   ((points[i].len - 1) << 2 | points[i].kind) << DR7_FIELD(i);
    __asm__ volatile("mov %0, %%dr7" : : "r"(dr7));
    debug_load(cpu_self()->current->debug);
}

bool debug_set_point(enum debug_point kind, vaddr_t va, unsigned len)
{
    if ((len != 1 && len != 2 && len != 4) || va % len != 0)
        return false;
    for (unsigned i = 0; i < DEBUG_POINTS; i++) {
        if (points[i].used)
            continue;
        points[i].used = true;
        points[i].kind = kind;
        points[i].va = va;
        points[i].len = len;
        load_points();
        return true;
    }
    return false;
}

bool debug_clear_point(enum debug_point kind, vaddr_t va, unsigned len)
{
    for (unsigned i = 0; i < DEBUG_POINTS; i++) {
        if (!points[i].used || points[i].kind != kind || points[i].va != va || points[i].len != len)
            continue;
        points[i].used = false;
        load_points();
        return true;
    }
    return false;
}

void debug_clear_points(void)
{
    for (unsigned i = 0; i < DEBUG_POINTS; i++)
        points[i].used = false;
    load_points();
}

/* ---- Steps ---- */

/* The interrupt flag as the stepped instruction would have left it. */
static void end_step(struct trapframe *tf)
{
    uint32_t on = step.irq_was_on ? EFLAGS_IF : 0;
    uint32_t pushed;

    step.active = false;
    tf->eflags &= ~EFLAGS_TF;
    switch (step.insn) {
    case INSN_CLI:
    case INSN_STI:
    case INSN_POPF:
    case INSN_IRET:
        break;
    case INSN_PUSHF:
        if (!trap_from_user(tf)) {
            uint32_t *top = &tf->esp; /* the stack of a kernel frame begins there */
            pushed = *top & ~(EFLAGS_TF | EFLAGS_IF);
            *top = pushed | on;
        }
        /* fall through */
    default:
        tf->eflags = (tf->eflags & ~EFLAGS_IF) | on;
    }
}

enum debug_reason debug_reason(struct trapframe *tf, vaddr_t *va)
{
    enum debug_reason why = DEBUG_OTHER;
    uint32_t dr6;

    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    if ((dr6 & DR6_STEP) && step.active)
        why = DEBUG_STEPPED;
    for (unsigned i = 0; i < DEBUG_POINTS; i++) {
        if (!(dr6 & DR6_POINTS & 1u << i) || !points[i].used)
            continue;
        *va = points[i].va;
        why = points[i].kind == DEBUG_EXECUTE ? DEBUG_BREAKPOINT : DEBUG_WATCHPOINT;
    }
    if (why == DEBUG_OTHER)
        return why;
    __asm__ volatile("mov %0, %%dr6" : : "r"(0));
    if (step.active)
        end_step(tf);
    return why;
}

bool debug_step(struct trapframe *tf)
{
    step.insn = 0;
    debug_peek(mmu_loaded(), tf->eip, &step.insn, 1);
    if (step.insn == INSN_HLT && !trap_from_user(tf)) {
        tf->eip++; /* with interrupts off it would never end */
        return false;
    }
    step.active = true;
    step.irq_was_on = tf->eflags & EFLAGS_IF;
    tf->eflags = (tf->eflags & ~EFLAGS_IF) | EFLAGS_TF | EFLAGS_RF;
    return true;
}

void debug_resume(struct trapframe *tf)
{
    tf->eflags |= EFLAGS_RF;
}

/* ---- Registers ---- */

void debug_control_registers(uint32_t cr[4])
{
    cr[0] = read_cr0();
    cr[1] = read_cr2();
    cr[2] = read_cr3();
    cr[3] = 0;
    if (cpu_features)
        __asm__ volatile("mov %%cr4, %0" : "=r"(cr[3]));
}

/* switch_stacks() left edi esi ebx ebp eip on the stack. */
void debug_saved_frame(const struct arch_thread *t, struct trapframe *tf, uint32_t *esp)
{
    const uint32_t *saved = (const uint32_t *)t->esp;

    memset(tf, 0, sizeof(*tf));
    tf->edi = saved[0];
    tf->esi = saved[1];
    tf->ebx = saved[2];
    tf->ebp = saved[3];
    tf->eip = saved[4];
    tf->cs = SEL_KERNEL_CS;
    tf->ds = tf->es = SEL_KERNEL_DS;
    tf->fs = SEL_CPU;
    tf->eflags = EFLAGS_FIXED;
    *esp = t->esp + 5 * sizeof(uint32_t);
}
