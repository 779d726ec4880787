/*
 * The kernel lock is taken at every entry from user mode that needs it, in the middle of a call
 * that began without (kernel_need()), by an interrupt or fault that comes where it is not held, and
 * for a thread that slept with it; it is let go on the way to user mode and while idle. Those that
 * wait stand in a queue; a newcomer that finds it free takes it before them, since the first in the
 * queue may be a virtual processor that its host does not run just now. Who has waited for long
 * asks the holder, who then offers it to the first. Should the two never run at once, the first
 * does not get it so either: after LONG_NS it is owed the lock, and nobody takes it before.
 *
 * Whoever waits has interrupts off and answers shootdowns (shootdown.c). Where the holder may not
 * be running at all, spinning only takes its time: after SPIN_ROUNDS a waiter halts, with
 * interrupts on for shootdowns alone, until one is sent that asks nothing (kernel_lock_wake()).
 * Nobody halts for ever: it says that it halts and looks once more whether it may have the lock;
 * who lets go looks after that whether the first in the queue has said so. One of the two sees the
 * other. Who comes to be first while it halts is woken when the one before it lets go.
 */
#include "arch/i386/platform/kernel_lock.h"
#include "arch/i386/platform/shootdown.h"
#include "arch/processors.h"
#include "arch/thread.h"
#include "libc/shared.h"

#define PATIENCE    200u   /* rounds of waiting until the holder is asked */
#define PASS_ROUNDS 1000u  /* and until the holder takes it back if the first does not come */
#define SPIN_ROUNDS 10000u /* longer than the holder may take to its next marked point */
#define LONG_NS     100000000u

/* Why nobody takes it before the first in the queue. */
#define OFFERED 1u /* by the holder, for a moment */
#define OWED    2u

static struct {
    uint32_t held;          /* taken by an exchange; its release says all that was done under it */
    uint32_t next, serving; /* tickets of those that wait; serving is the first one's to raise */
    uint32_t promised;      /* OFFERED, OWED */
    uint32_t halted;        /* how many of them halt, or are about to */
} kernel_lock;

/* Whoever is in the kernel hears of it at its next marked point. */
static void ask_for_kernel(void)
{
    for (unsigned i = 0; i < cpus_online; i++)
        if (read_once(cpu_get(i)->in_kernel))
            __atomic_fetch_or(&cpu_get(i)->wanted, CPU_WANTED_KERNEL, __ATOMIC_RELAXED);
}

static bool try_kernel(void)
{
    return !read_once(kernel_lock.held) &&
           !__atomic_exchange_n(&kernel_lock.held, 1, __ATOMIC_ACQUIRE);
}

static bool is_first(uint32_t ticket)
{
    return read_once(kernel_lock.serving) == ticket;
}

/* Until it is woken, or at once if the lock has come free meanwhile. Needless wakes do no harm. */
static void halt(struct cpu *c, uint32_t ticket)
{
    write_once(c->kernel_ticket, ticket);
    write_once(c->halts_for_kernel, true);
    __atomic_fetch_add(&kernel_lock.halted, 1, __ATOMIC_SEQ_CST);
    if (!is_first(ticket) || read_once(kernel_lock.held))
        kernel_lock_halt();
    write_once(c->halts_for_kernel, false);
    __atomic_fetch_sub(&kernel_lock.halted, 1, __ATOMIC_RELAXED);
}

/* The lock is free: its first halts no longer. */
static void wake_first(void)
{
    for (unsigned i = 0; i < cpus_online; i++) {
        struct cpu *c = cpu_get(i);

        if (read_once(c->halts_for_kernel) && is_first(read_once(c->kernel_ticket)))
            kernel_lock_wake(c);
    }
}

static __attribute__((noinline)) void wait_for_kernel(struct cpu *c)
{
    uint32_t ticket = __atomic_fetch_add(&kernel_lock.next, 1, __ATOMIC_RELAXED);
    uint64_t began = clock_mono_ns();

    for (uint32_t rounds = 1; !is_first(ticket) || !try_kernel(); rounds++) {
        shootdown_answer(c);
        if (rounds % PATIENCE == 0) {
            ask_for_kernel();
            if (is_first(ticket) && clock_mono_ns() - began > LONG_NS)
                __atomic_fetch_or(&kernel_lock.promised, OWED, __ATOMIC_RELAXED);
        }
        if (rounds % SPIN_ROUNDS == 0)
            halt(c, ticket);
        wait_a_little(rounds);
    }
    write_once(kernel_lock.promised, 0);
    write_once(kernel_lock.serving, ticket + 1);
}

void kernel_enter(struct cpu *c)
{
    uint32_t flags = irq_save();

    if (read_once(kernel_lock.promised) || !try_kernel())
        wait_for_kernel(c);
    write_once(c->in_kernel, true);
    irq_restore(flags);
}

/* Interrupts off: from here on this processor touches nothing that others share. A fault that was
 * resolved without the lock comes by, too. */
void kernel_leave(void)
{
    struct cpu *c = cpu_self();

    if (!c->in_kernel)
        return;
    write_once(c->in_kernel, false);
    write_release(kernel_lock.held, 0);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* between this and the look: as halt() does it */
    if (read_once(kernel_lock.halted))
        wake_first();
}

void cpu_pass_kernel(void)
{
    uint32_t flags;

    if (cpus_online == 1 || !kernel_held() ||
        read_once(kernel_lock.next) == read_once(kernel_lock.serving))
        return;
    flags = irq_save();
    __atomic_fetch_or(&kernel_lock.promised, OFFERED, __ATOMIC_RELAXED);
    kernel_leave();
    for (uint32_t rounds = 1; rounds < PASS_ROUNDS && read_once(kernel_lock.promised); rounds++) {
        shootdown_answer(cpu_self());
        wait_a_little(rounds);
    }
    __atomic_fetch_and(&kernel_lock.promised, ~OFFERED, __ATOMIC_RELAXED);
    kernel_enter(cpu_self());
    irq_restore(flags);
}

void kernel_lock_first(void)
{
    write_once(kernel_lock.held, 1);
    write_once(cpu_self()->in_kernel, true);
}
