/*
 * The shared side of a spin lock (arch/lock.h): any number of processors have it at once, each by a
 * word of its own (shared_inside), so that they do not even meet in a cache line. There is one lock
 * that has such a side, vm_lock.
 *
 * The lock's word says SHARED from the first who comes in that way until somebody wants the lock
 * for himself; meanwhile coming in is a store to the own word and a look at the lock's. Who wants
 * it for himself finds it held, as by anybody, and in his loop says CLOSING, after which nobody
 * comes in; waits for those who are inside; and says CLOSED, which is free, but for the shared
 * side. So spin_lock() and spin_unlock() know nothing of this, and where nobody shares nothing is
 * paid for.
 *
 * Why it is right: who comes in stores to the own word, then reads the lock's; who closes changes
 * the lock's word, then reads all others. All four are sequentially consistent, so one of the two
 * sees the other: either the one goes out again, or the other waits for it. Whoever waits here has
 * interrupts off and answers shootdowns, as with any spin lock.
 */
#include "arch/lock.h"
#include "arch/processors.h"

/* The lock's word: 0 is free. The lowest bit is spin_lock()'s: who finds it clear sets it, and is
 * alone. */
#define CLOSED  2u
#define SHARED  (LOCK_HELD | 4u)
#define CLOSING (LOCK_HELD | 8u)

/* Whether a processor has the shared side, or looks whether it may. */
static struct {
    volatile uint32_t word;
} __attribute__((aligned(64))) shared_inside[CPUS_MAX];

static bool exchange(struct spinlock *l, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(&l->held, &from, to, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_RELAXED);
}

static bool come_in(struct spinlock *l, volatile uint32_t *inside)
{
    if (read_once(l->held) != SHARED && !exchange(l, 0, SHARED))
        return false;
    (void)cpu_test_and_set(inside);
    if (__atomic_load_n(&l->held, __ATOMIC_SEQ_CST) == SHARED)
        return true;
    write_release(*inside, 0);
    return false;
}

void spin_lock_shared(struct spinlock *l)
{
    struct cpu *c = cpu_self();

    if (cpu_count_lock())
        c->lock_flags = irq_save_watched();
    for (uint32_t rounds = 1; !come_in(l, &shared_inside[c->id].word); rounds++)
        cpu_answer(rounds);
#ifdef CONFIG_DEBUG
    lock_debug_acquired(l);
#endif
}

void spin_unlock_shared(struct spinlock *l)
{
    struct cpu *c = cpu_self();

#ifdef CONFIG_DEBUG
    lock_debug_released(l);
#else
    (void)l;
#endif
    write_release(shared_inside[c->id].word, 0);
    if (--c->spin_depth == 0 && (c->lock_flags & EFLAGS_IF))
        irq_enable_watched();
}

bool spin_close_shared(struct spinlock *l)
{
    if (read_once(l->held) != SHARED || !exchange(l, SHARED, CLOSING))
        return false;
    for (unsigned i = 0; i < cpus_online; i++) {
        const volatile uint32_t *inside = &shared_inside[i].word;

        for (uint32_t rounds = 1; __atomic_load_n(inside, __ATOMIC_SEQ_CST); rounds++)
            cpu_answer(rounds);
    }
    write_release(l->held, CLOSED);
    return true;
}
