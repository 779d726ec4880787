/*
 * Wait queues and sleep locks: the one way to sleep until something has happened.
 *
 * A sleeper joins the queue first and tests its condition after, so that a wake-up between the two
 * is not lost: it finds the thread on the queue and makes it runnable before it has slept.
 */
#include "arch/cpu.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/sched.h"

#define WAKE_STEP 200 /* woken with the queue's lock held, where the caller holds no other */

void waitq_init(struct waitq *q)
{
    spin_init(&q->lock, "waitq", LOCK_RANK_WAITQ);
    list_init(&q->waiters);
}

static void join(struct waitq *q, struct wait_entry *e, void (*wake)(struct wait_entry *))
{
    e->thread = thread_current();
    e->queue = q;
    e->wake = wake;
    list_add_tail(&q->waiters, &e->link);
}

void waitq_prepare(struct waitq *q, struct wait_entry *e, enum thread_state state)
{
    spin_lock(&q->lock);
    join(q, e, NULL);
    thread_announce(e->thread, state);
    spin_unlock(&q->lock);
}

void waitq_finish(struct wait_entry *e)
{
    struct waitq *q = e->queue;

    spin_lock(&q->lock);
    list_remove(&e->link);
    e->thread->state = THREAD_RUNNABLE;
    spin_unlock(&q->lock);
}

void waitq_add(struct waitq *q, struct wait_entry *e, void (*wake)(struct wait_entry *e))
{
    spin_lock(&q->lock);
    join(q, e, wake);
    spin_unlock(&q->lock);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the caller looks next: as in thread_announce() */
}

void waitq_remove(struct wait_entry *e)
{
    struct waitq *q = e->queue;

    spin_lock(&q->lock);
    list_remove(&e->link);
    spin_unlock(&q->lock);
}

static void wake(struct wait_entry *e)
{
    if (e->wake)
        e->wake(e);
    else
        sched_wake(e->thread);
}

/* Whether anybody waits; ordered after the store of whatever they wait for. */
static bool has_waiters(struct waitq *q)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return !list_empty(&q->waiters);
}

/* What wakes nobody: it marks a place in the queue. */
static void pass(struct wait_entry *e)
{
    (void)e;
}

/* [q->lock, let go between steps] All from e to the one that is last now. */
static void wake_rest(struct waitq *q, struct wait_entry *e)
{
    struct wait_entry here = {.wake = pass}, end = {.wake = pass};

    list_add_tail(&q->waiters, &end.link);
    while (e != &end) {
        for (int n = 0; n < WAKE_STEP && e != &end; n++) {
            wake(e);
            e = list_next_entry(e, link);
        }
        list_add_tail(&e->link, &here.link);
        spin_unlock(&q->lock);
        sched_point();
        spin_lock(&q->lock);
        e = list_next_entry(&here, link);
        list_remove(&here.link);
    }
    list_remove(&end.link);
}

/* [q->lock held] Whether the caller could let others run if it let go of the lock. */
static bool may_pause(void)
{
    const struct cpu *c = cpu_self();

    return c->spin_depth == 1 && (c->lock_flags & EFLAGS_IF);
}

void wake_all(struct waitq *q)
{
    struct wait_entry *e;
    int n = 0;

    if (!has_waiters(q))
        return;
    spin_lock(&q->lock);
    list_for_each_entry (e, &q->waiters, link) {
        if (n++ == WAKE_STEP && may_pause()) {
            wake_rest(q, e);
            break;
        }
        wake(e);
    }
    spin_unlock(&q->lock);
}

/* [q->lock held] */
static struct wait_entry *longest_waiter(struct waitq *q)
{
    struct wait_entry *e;

    list_for_each_entry (e, &q->waiters, link)
        if (e->wake != pass)
            return e;
    return NULL;
}

void wake_one(struct waitq *q)
{
    struct wait_entry *e;

    if (!has_waiters(q))
        return;
    spin_lock(&q->lock);
    e = longest_waiter(q);
    if (e) {
        list_remove(&e->link);
        wake(e);
    }
    spin_unlock(&q->lock);
}

#ifdef CONFIG_DEBUG
static bool may_hold_several(enum mutex_rank rank)
{
    return rank == MUTEX_RANK_INODE || rank == MUTEX_RANK_PIPE || rank == MUTEX_RANK_FILE ||
           rank == MUTEX_RANK_EPOLL_SET;
}

/* Before it waits: an order that is wrong is found whether or not it locks up this time. */
static void check_order(const struct mutex *m)
{
    struct thread *t = thread_current();

    for (unsigned i = 0; i < MUTEXES_HELD; i++) {
        const struct mutex *h = t->held[i];

        if (h && h->rank >= m->rank && !(h->rank == m->rank && may_hold_several(m->rank)))
            panic("order of sleep locks: rank %u taken while %u is held", (unsigned)m->rank,
                  (unsigned)h->rank);
    }
}

static void note_held(struct mutex *from, struct mutex *to)
{
    struct thread *t = thread_current();

    for (unsigned i = 0; i < MUTEXES_HELD; i++) {
        if (t->held[i] == from) {
            t->held[i] = to;
            return;
        }
    }
    panic("more than %u sleep locks held, or one twice", MUTEXES_HELD);
}

void mutex_check_none_held(void)
{
    for (unsigned i = 0; i < MUTEXES_HELD; i++)
        DEBUG_ASSERT(!thread_current()->held[i]);
}
#else
static void check_order(const struct mutex *m)
{
    (void)m;
}

static void note_held(struct mutex *from, struct mutex *to)
{
    (void)from, (void)to;
}
#endif

void mutex_init(struct mutex *m, enum mutex_rank rank)
{
    m->owner = NULL;
    m->rank = rank;
    waitq_init(&m->waiters);
}

static bool take(struct mutex *m)
{
    return __sync_bool_compare_and_swap(&m->owner, NULL, thread_current());
}

/* In any order, since it does not wait. */
bool mutex_trylock(struct mutex *m)
{
    bool taken = take(m);

    if (taken)
        note_held(NULL, m);
    return taken;
}

static __attribute__((noinline)) void wait_for(struct mutex *m)
{
    DEBUG_ASSERT(m->owner != thread_current());
    thread_current()->wanted = m;
    wait_event(&m->waiters, take(m));
    thread_current()->wanted = NULL;
}

void mutex_lock(struct mutex *m)
{
    check_order(m);
    if (!take(m))
        wait_for(m);
    note_held(NULL, m);
}

void mutex_unlock(struct mutex *m)
{
    DEBUG_ASSERT(m->owner == thread_current());
    note_held(m, NULL);
    /* Ordered before the look at the queue: who queues itself tries again after. */
    __atomic_store_n(&m->owner, NULL, __ATOMIC_SEQ_CST);
    if (!list_empty(&m->waiters.waiters))
        wake_one(&m->waiters);
}
