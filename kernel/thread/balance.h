/*
 * Which processor a thread waits for, where there are several. All with the scheduler's lock held.
 */
#ifndef KERNEL_BALANCE_H
#define KERNEL_BALANCE_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/processors.h"
#include "kernel/thread/proc.h"

static inline struct thread *cpu_thread(const struct cpu *c)
{
    return (struct thread *)c->current;
}

static inline bool cpu_is_idle(const struct cpu *c)
{
    return c->current == &c->idle->arch;
}

/* One that idles, for which nobody is on the way yet, and where t may run; NULL: there is none. */
struct cpu *balance_free(const struct thread *t);
/* Where t, which wants to run, is to wait. */
struct cpu *balance_place(const struct thread *t);
/* One that waits elsewhere and may run on c, which has nobody; off its queue. Or NULL. */
struct thread *balance_pull(const struct cpu *c);
bool balance_could_pull(const struct cpu *c);
/* A tick of c, which is at work: from time to time it takes one from a processor with more to do.
 */
void balance_tick(struct cpu *c);

#endif
