/*
 * Timers: functions that run from the clock interrupt at a given time, to the next tick.
 *
 * The armed ones are a pairing heap, so that starting costs a comparison and firing O(log n)
 * amortised: thousands of sleepers are no burden. In a node, child is its first child, next its
 * right sibling, prev its left sibling or, of a first child, the parent. No parent fires after its
 * child.
 */
#include "kernel/time/time.h"
#include "arch/cpu.h"
#include "arch/lock.h"
#include "arch/upcalls.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

static struct spinlock timer_lock = SPINLOCK_INIT("timer", LOCK_RANK_TIMER);
static struct timer *heap;     /* [timer_lock] the first to fire */
static struct timer *running;  /* [timer_lock] whose fn is being called */
static struct cpu *running_on; /* [timer_lock] */

/* ---- The heap ---- */

/* Two roots become one. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    struct timer *t;

    if (!a || !b)
        return a ? a : b;
    if (b->when < a->when) {
        t = a;
        a = b;
        b = t;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* A list of siblings becomes one heap: in pairs from the left, then all from the right. */
static struct timer *meld_siblings(struct timer *first)
{
    struct timer *done = NULL, *root = NULL, *a, *b, *rest;

    while (first) {
        a = first;
        b = a->next;
        rest = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        a = meld(a, b);
        a->next = done;
        done = a;
        first = rest;
    }
    while (done) {
        rest = done->next;
        done->next = NULL;
        root = meld(root, done);
        done = rest;
    }
    return root;
}

static void heap_remove(struct timer *t)
{
    struct timer *children = meld_siblings(t->child);

    if (t == heap) {
        heap = children;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        heap = meld(heap, children);
    }
    if (heap)
        heap->prev = heap->next = NULL;
    t->child = t->next = t->prev = NULL;
    t->armed = false;
}

/* ---- Interface ---- */

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    *t = (struct timer){.fn = fn, .arg = arg};
}

void timer_start(struct timer *t, uint64_t when)
{
    spin_lock(&timer_lock);
    if (t->armed)
        heap_remove(t);
    t->when = when;
    t->armed = true;
    heap = meld(heap, t);
    spin_unlock(&timer_lock);
}

uint32_t timer_forward(struct timer *t, uint64_t period)
{
    uint64_t now = time_mono_ns(), when = t->when + period, skipped = 0;

    if (when <= now) {
        skipped = (now - when) / period + 1;
        when += skipped * period;
    }
    timer_start(t, when);
    return skipped > INT32_MAX ? INT32_MAX : (uint32_t)skipped;
}

bool timer_cancel(struct timer *t)
{
    bool was_armed;

    spin_lock(&timer_lock);
    was_armed = t->armed;
    if (was_armed)
        heap_remove(t);
    while (running == t && running_on != cpu_self()) {
        spin_unlock(&timer_lock);
        cpu_relax();
        spin_lock(&timer_lock);
    }
    spin_unlock(&timer_lock);
    return was_armed;
}

uint64_t timer_next(void)
{
    uint64_t when;

    spin_lock(&timer_lock);
    when = heap ? heap->when : TIME_NEVER;
    spin_unlock(&timer_lock);
    return when;
}

static void run_due(void)
{
    struct timer *t;
    uint64_t now;

    if (!heap)
        return;
    now = time_mono_ns();
    spin_lock(&timer_lock);
    while (!running && heap && heap->when <= now) {
        t = heap;
        heap_remove(t);
        running = t;
        running_on = cpu_self();
        spin_unlock(&timer_lock);
        t->fn(t->arg);
        spin_lock(&timer_lock);
        running = NULL;
    }
    spin_unlock(&timer_lock);
}

void timer_tick(bool whole, bool user)
{
    run_due();
    if (whole)
        sched_tick(user);
}

/* ---- Sleeping with an end ---- */

static void wake_sleeper(void *thread)
{
    sched_wake(thread);
}

void schedule_until(uint64_t when)
{
    struct thread *t = thread_current();
    struct timer timer;

    if (when == TIME_NEVER) {
        schedule();
        return;
    }
    if (time_mono_ns() >= when) {
        t->state = THREAD_RUNNABLE;
        return;
    }
    timer_init(&timer, wake_sleeper, t);
    timer_start(&timer, when);
    schedule();
    timer_cancel(&timer);
}

int sleep_until(uint64_t when)
{
    struct thread *t = thread_current();

    while (time_mono_ns() < when) {
        t->state = THREAD_SLEEPING;
        if (signal_pending_current()) {
            t->state = THREAD_RUNNABLE;
            return -EINTR;
        }
        schedule_until(when);
    }
    return 0;
}
