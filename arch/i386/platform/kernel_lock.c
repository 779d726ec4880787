/*
 * The kernel lock is taken at every entry from user mode that needs it, and by an interrupt that
 * finds its processor idle; it is let go on the way to user mode and while idle. Those that wait
 * stand in a queue; a newcomer that finds it free takes it before them, since the first in the
 * queue may be a virtual processor that its host does not run just now. Who has waited for long
 * asks the holder, who then offers it to the first. Should the two never run at once, the first
 * does not get it so either: after LONG_NS it is owed the lock, and nobody takes it before.
 *
 * Whoever waits has interrupts off and answers shootdowns (shootdown.c).
 */
#include "arch/i386/platform/kernel_lock.h"
#include "arch/i386/platform/shootdown.h"
#include "arch/processors.h"
#include "arch/thread.h"

#define PATIENCE    200u  /* rounds of waiting until the holder is asked */
#define PASS_ROUNDS 1000u /* and until the holder takes it back if the first does not come */
#define LONG_NS     100000000u

/* Why nobody takes it before the first in the queue. */
#define OFFERED 1u /* by the holder, for a moment */
#define OWED    2u

static struct {
    volatile uint32_t held;
    volatile uint32_t next, serving; /* tickets of those that wait */
    volatile uint32_t promised;      /* OFFERED, OWED */
} kernel_lock;

/* Whoever is in the kernel hears of it at its next marked point. */
static void ask_for_kernel(void)
{
    for (unsigned i = 0; i < cpus_online; i++)
        if (cpu_get(i)->in_kernel)
            __atomic_fetch_or(&cpu_get(i)->wanted, CPU_WANTED_KERNEL, __ATOMIC_RELAXED);
}

static bool try_kernel(void)
{
    return !kernel_lock.held && !__atomic_exchange_n(&kernel_lock.held, 1, __ATOMIC_ACQUIRE);
}

static __attribute__((noinline)) void wait_for_kernel(struct cpu *c)
{
    uint32_t ticket = __atomic_fetch_add(&kernel_lock.next, 1, __ATOMIC_RELAXED);
    uint64_t began = clock_mono_ns();

    for (uint32_t rounds = 1; kernel_lock.serving != ticket || !try_kernel(); rounds++) {
        shootdown_answer(c);
        if (rounds % PATIENCE == 0) {
            ask_for_kernel();
            if (kernel_lock.serving == ticket && clock_mono_ns() - began > LONG_NS)
                __atomic_fetch_or(&kernel_lock.promised, OWED, __ATOMIC_RELAXED);
        }
        wait_a_little(rounds);
    }
    kernel_lock.promised = 0;
    kernel_lock.serving = ticket + 1;
}

void kernel_enter(struct cpu *c)
{
    uint32_t flags = irq_save();

    if (kernel_lock.promised || !try_kernel())
        wait_for_kernel(c);
    c->in_kernel = true;
    irq_restore(flags);
}

/* Interrupts off: from here on this processor touches nothing that others share. A fault that was
 * resolved without the lock comes by, too. */
void kernel_leave(void)
{
    struct cpu *c = cpu_self();

    if (!c->in_kernel)
        return;
    c->in_kernel = false;
    __atomic_store_n(&kernel_lock.held, 0, __ATOMIC_RELEASE);
}

void cpu_pass_kernel(void)
{
    uint32_t flags;

    if (cpus_online == 1 || kernel_lock.next == kernel_lock.serving)
        return;
    flags = irq_save();
    __atomic_fetch_or(&kernel_lock.promised, OFFERED, __ATOMIC_RELAXED);
    kernel_leave();
    for (uint32_t rounds = 1; rounds < PASS_ROUNDS && kernel_lock.promised; rounds++) {
        shootdown_answer(cpu_self());
        wait_a_little(rounds);
    }
    __atomic_fetch_and(&kernel_lock.promised, ~OFFERED, __ATOMIC_RELAXED);
    kernel_enter(cpu_self());
    irq_restore(flags);
}

void kernel_lock_first(void)
{
    kernel_lock.held = 1;
    cpu_self()->in_kernel = true;
}
