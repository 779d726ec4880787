/*
 * The lock order, asserted in debug builds: a spin lock is taken only while every one held by this
 * CPU has a lower rank.
 */
#include "arch/lock.h"
#include "kernel/base/log.h"

static bool reporting; /* the panic takes locks itself */

static void check_order(const struct cpu *c, const struct spinlock *l)
{
    for (unsigned i = 0; i < CPU_HELD_LOCKS; i++) {
        if (!c->held[i] || c->held[i]->rank < l->rank || reporting)
            continue;
        reporting = true;
        panic("lock order: %s (%u) taken while %s (%u) is held", l->name, (unsigned)l->rank,
              c->held[i]->name, (unsigned)c->held[i]->rank);
    }
}

void lock_debug_acquired(struct spinlock *l)
{
    struct cpu *c = cpu_self();

    check_order(c, l);
    for (unsigned i = 0; i < CPU_HELD_LOCKS; i++) {
        if (!c->held[i]) {
            c->held[i] = l;
            return;
        }
    }
}

void lock_debug_released(struct spinlock *l)
{
    struct cpu *c = cpu_self();

    for (unsigned i = 0; i < CPU_HELD_LOCKS; i++) {
        if (c->held[i] == l) {
            c->held[i] = NULL;
            return;
        }
    }
    if (!reporting) {
        reporting = true;
        panic("lock %s released but not held", l->name);
    }
}
