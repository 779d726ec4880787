/* Switching between threads: stacks, the TSS, TLS descriptors. */
#include "arch/thread.h"
#include "arch/i386/i386.h"

_Static_assert(offsetof(struct cpu, current) == 4, "entry.asm");
_Static_assert(offsetof(struct cpu, spin_depth) == 16, "wide.asm");
_Static_assert(offsetof(struct cpu, wanted) == 24, "entry.asm");
_Static_assert(offsetof(struct cpu, stack_guard) == 28, "Makefile");
_Static_assert(offsetof(struct arch_thread, work) == 8, "entry.asm");
_Static_assert(sizeof(struct trapframe) == 76 && offsetof(struct trapframe, cs) == 60, "entry.asm");

/* entry.asm */
void switch_stacks(uint32_t *save_esp, uint32_t load_esp);
void user_thread_start(void);
void kernel_thread_start(void);
_Noreturn void enter_user_frame(struct trapframe *tf);

/* What switch_stacks() pops. */
struct switch_frame {
    uint32_t edi, esi, ebx, ebp, eip;
};

static void push_switch_frame(struct arch_thread *t, uint32_t top, struct switch_frame f)
{
    struct switch_frame *at = (struct switch_frame *)top - 1;

    *at = f;
    t->esp = (uint32_t)at;
}

void arch_thread_init_kernel(struct arch_thread *t, void (*fn)(void *), void *arg)
{
    push_switch_frame(t, t->kstack_top,
                      (struct switch_frame){.ebx = (uint32_t)fn,
                                            .esi = (uint32_t)arg,
                                            .eip = (uint32_t)kernel_thread_start});
}

void arch_thread_init_user(struct arch_thread *t, const struct trapframe *tf)
{
    t->tf = (struct trapframe *)t->kstack_top - 1;
    *t->tf = *tf;
    push_switch_frame(t, (uint32_t)t->tf,
                      (struct switch_frame){.eip = (uint32_t)user_thread_start});
}

uint32_t arch_thread_frame(const struct arch_thread *t)
{
    return ((const struct switch_frame *)t->esp)->ebp;
}

static bool tls_differs(const struct arch_thread *a, const struct arch_thread *b)
{
    for (unsigned i = 0; i < TLS_ENTRIES; i++)
        if (a->tls[i] != b->tls[i])
            return true;
    return false;
}

NO_STACK_GUARD void arch_switch(struct arch_thread *prev, struct arch_thread *next)
{
    cpu_self()->current = next;
    cpu_self()->stack_guard = next->stack_guard;
    fpu_switch(prev, next);
    gdt_set_esp0(next->kstack_top);
    if (tls_differs(prev, next))
        gdt_set_tls(next->tls);
    if (prev->debug != next->debug)
        debug_load(next->debug);
    if (prev->rare != next->rare)
        rare_load(next->rare);
    switch_stacks(&prev->esp, next->esp);
}

void arch_load_tls(struct arch_thread *t)
{
    uint32_t flags = irq_save();

    if (t == cpu_self()->current)
        gdt_set_tls(t->tls);
    irq_restore(flags);
}

void arch_load_rare(struct arch_thread *t)
{
    uint32_t flags = irq_save();

    if (t == cpu_self()->current)
        rare_load(t->rare);
    irq_restore(flags);
}

_Noreturn void arch_enter_user(const struct trapframe *tf)
{
    struct arch_thread *t = cpu_self()->current;
    struct trapframe *top = (struct trapframe *)t->kstack_top - 1;

    if (top != tf)
        *top = *tf;
    t->tf = top;
    gdt_set_esp0(t->kstack_top);
    enter_user_frame(top);
}
