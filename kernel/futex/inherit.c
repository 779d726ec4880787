/*
 * Priority inheritance: whoever waits for a lock lends its real-time priority to the owner, who
 * lends the highest he has to the one he waits for, and so on. [man 2 futex, Priority-inheritance
 * futexes]
 *
 * A thread waits for one owner at most, so the threads form trees, whose roots run; nobody may join
 * such that a ring came about. Everything here is [futex_lock held], and takes steps in the number
 * of threads on the way to the root and of those that wait for them.
 */
#include "kernel/futex/internal.h"
#include "kernel/futex/futex.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/runqueue.h"
#include "libc/errno.h"

#define CHAIN_MAX 1024 /* owners that wait for owners, as on Linux */

static struct thread *waits_for(const struct thread *t)
{
    return t->waits_in ? t->waits_in->owner : NULL;
}

/* The highest priority that t is lent. */
static uint8_t lent_to(const struct thread *t)
{
    const struct futex_waiter *w;
    uint8_t best = 0, p;

    list_for_each_entry (w, &t->donors, donor_link) {
        p = runqueue_priority(w->thread);
        if (p > best)
            best = p;
    }
    return best;
}

/* What t is lent has changed, and so, perhaps, what it lends. */
static void settle(struct thread *t)
{
    for (; t; t = waits_for(t)) {
        uint8_t p = lent_to(t);

        if (p == t->inherited)
            return;
        sched_inherit(t, p);
    }
}

/* Whether from waits for t, by way of others perhaps; or so many that nobody can tell. */
static bool is_waited_for(const struct thread *t, const struct thread *from)
{
    for (int i = 0; from && i < CHAIN_MAX; i++) {
        if (from == t)
            return true;
        from = waits_for(from);
    }
    return from != NULL;
}

static void lend(struct futex_waiter *w, struct thread *owner)
{
    w->owner = owner;
    w->thread->waits_in = w;
    list_add_tail(&owner->donors, &w->donor_link);
}

int inherit_begin(struct futex_waiter *w, struct thread *owner)
{
    if (is_waited_for(w->thread, owner))
        return -EDEADLK;
    lend(w, owner);
    settle(owner);
    return 0;
}

void inherit_end(struct futex_waiter *w)
{
    struct thread *owner = w->owner;

    if (!w->thread->waits_in)
        return;
    list_remove(&w->donor_link);
    w->thread->waits_in = NULL;
    settle(owner);
}

static bool waits_with(const struct futex_waiter *w, const struct thread *owner)
{
    return w->kind == FUTEX_INHERITS && w->owner == owner;
}

struct futex_waiter *inherit_heir(const struct futex_key *key, const struct thread *owner)
{
    struct futex_waiter *w = NULL, *best = NULL;

    while ((w = futex_next(key, w))) {
        if (waits_with(w, owner) &&
            (!best || runqueue_priority(w->thread) > runqueue_priority(best->thread)))
            best = w;
    }
    return best;
}

void inherit_pass(struct futex_waiter *heir)
{
    struct thread *old = heir->owner, *owner = heir->thread;
    struct futex_waiter *w = NULL;

    list_remove(&heir->donor_link);
    owner->waits_in = NULL;
    heir->owner = owner;
    while ((w = futex_next(&heir->key, w))) {
        if (!waits_with(w, old))
            continue;
        list_remove(&w->donor_link);
        lend(w, owner);
    }
    settle(old);
    settle(owner);
}

void futex_priority_changed(struct thread *t)
{
    spin_lock(&futex_lock);
    settle(waits_for(t));
    spin_unlock(&futex_lock);
}
