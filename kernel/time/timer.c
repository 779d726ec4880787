/*
 * Timers: functions that run from an interrupt of the clock at a given time.
 *
 * The clock interrupts at every tick, and is asked for one in between when the first timer is due
 * before the next: by whoever starts it, and by each interrupt for the one that is left. So there
 * is always a processor that will look no later than the first timer is due.
 *
 * The armed ones are in a heap for each clock: one for the machine's, one for the CPU time of each
 * process and thread that is timed. It is a pairing heap, so that starting costs a comparison and
 * firing O(log n) amortised: thousands of sleepers are no burden. In a node, child is its first
 * child, next its right sibling, prev its left sibling or, of a first child, the parent. No parent
 * fires after its child.
 */
#include "kernel/time/time.h"
#include "arch/cpu.h"
#include "arch/lock.h"
#include "arch/processors.h"
#include "arch/upcalls.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

static struct spinlock timer_lock = SPINLOCK_INIT("timer", LOCK_RANK_TIMER);
static struct timer *machine_heap; /* [timer_lock] the first to fire */
static struct timer *running;      /* [timer_lock] whose fn is being called */
static struct cpu *running_on;     /* [timer_lock] */
static uint64_t expected;          /* [timer_lock] some processor looks at this time */

static struct list wall_timers = LIST_INIT(wall_timers); /* [timer_lock] */
static uint32_t settings;                                /* [timer_lock] of the wall clock */

#define WALL_STEP 50  /* timers moved with the lock held */
#define RUN_STEP  48u /* timers fired by one interrupt: 360 to 1,000 instructions each */

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
    struct timer *children = meld_siblings(t->child), **heap = t->heap;

    if (t == *heap) {
        *heap = children;
    } else {
        if (t->prev->child == t)
            t->prev->child = t->next;
        else
            t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        *heap = meld(*heap, children);
    }
    if (*heap)
        (*heap)->prev = (*heap)->next = NULL;
    t->child = t->next = t->prev = NULL;
    t->armed = false;
    list_remove(&t->wall_link);
}

/* [timer_lock held] */
static uint64_t first_due(void)
{
    return machine_heap ? machine_heap->when : TIME_NEVER;
}

/* [timer_lock held] */
static void expect(uint64_t when)
{
    expected = clock_alarm(when) ? when : 0;
}

/* [timer_lock held] */
static void expect_first(uint64_t now)
{
    uint64_t when = first_due();

    if (when != TIME_NEVER && (expected > when || expected <= now))
        expect(when);
}

/* [timer_lock held] */
static void heap_add(struct timer **heap, struct timer *t, uint64_t when)
{
    if (t->armed)
        heap_remove(t);
    t->heap = heap;
    t->when = when;
    t->armed = true;
    *heap = meld(*heap, t);
    if (t == machine_heap && (!expected || when < expected))
        expect(when);
    if (t->wall) {
        t->settings = settings;
        list_add_tail(&wall_timers, &t->wall_link);
    }
}

/* ---- Interface ---- */

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    *t = (struct timer){.fn = fn, .arg = arg, .wall_link = LIST_INIT(t->wall_link)};
}

void timer_start(struct timer *t, uint64_t when)
{
    spin_lock(&timer_lock);
    t->lag = 0;
    heap_add(&machine_heap, t, when);
    spin_unlock(&timer_lock);
}

void timer_start_wall(struct timer *t, uint64_t real_ns)
{
    uint64_t zero, when;

    spin_lock(&timer_lock);
    zero = time_real_ns() - time_mono_ns();
    when = real_ns > zero ? real_ns - zero : 0;
    t->wall = true;
    t->lag = real_ns > zero ? 0 : zero - real_ns;
    heap_add(&machine_heap, t, when);
    spin_unlock(&timer_lock);
}

void timer_start_in(struct timer **heap, struct timer *t, uint64_t when)
{
    spin_lock(&timer_lock);
    t->lag = 0;
    heap_add(heap, t, when);
    spin_unlock(&timer_lock);
}

void timers_drop(struct timer **heap)
{
    if (!*heap)
        return;
    spin_lock(&timer_lock);
    while (*heap) {
        heap_remove(*heap);
        spin_unlock(&timer_lock);
        spin_lock(&timer_lock);
    }
    spin_unlock(&timer_lock);
}

/* ---- The wall clock is set ---- */

/* [timer_lock held] The next timer that has not followed yet; it does now. */
static bool move_next(int64_t forward)
{
    struct timer *t;
    uint64_t when;

    if (list_empty(&wall_timers))
        return false;
    t = list_first_entry(&wall_timers, struct timer, wall_link);
    if (t->settings == settings)
        return false;
    when = t->when - (uint64_t)forward;
    if (forward > 0 && t->when < (uint64_t)forward)
        when = 0;
    heap_add(t->heap, t, when);
    return true;
}

void timers_clock_set(void (*set)(uint64_t real_ns), uint64_t real_ns)
{
    int64_t forward;
    bool more = true;

    spin_lock(&timer_lock);
    forward = (int64_t)(real_ns - time_real_ns());
    settings++;
    set(real_ns);
    while (more) {
        for (int i = 0; i < WALL_STEP && more; i++)
            more = move_next(forward);
        spin_unlock(&timer_lock);
        spin_lock(&timer_lock);
    }
    spin_unlock(&timer_lock);
}

uint32_t timer_next_period(uint64_t *when, uint64_t period, uint64_t now)
{
    uint64_t skipped = 0;

    *when += period;
    if (*when <= now) {
        skipped = (now - *when) / period + 1;
        *when += skipped * period;
    }
    return skipped > INT32_MAX ? INT32_MAX : (uint32_t)skipped;
}

uint64_t timer_due_next(const struct timer *t, uint64_t period, uint64_t now, uint32_t *skipped)
{
    uint64_t when = t->when;

    *skipped = timer_next_period(&when, period, now + t->lag);
    return when - t->lag;
}

uint32_t timer_forward(struct timer *t, uint64_t period)
{
    uint32_t skipped;

    timer_start(t, timer_due_next(t, period, time_mono_ns(), &skipped));
    return skipped;
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

uint32_t timer_idle(void)
{
    uint64_t when;

    spin_lock(&timer_lock);
    when = first_due();
    expected = 0; /* whatever was asked for, the waiting takes its place */
    spin_unlock(&timer_lock);
    return clock_idle(when);
}

bool timers_run(struct timer **heap, uint64_t now)
{
    unsigned left = RUN_STEP;
    struct timer *t;
    bool more;

    spin_lock(&timer_lock);
    while (left-- && !running && *heap && (*heap)->when <= now) {
        t = *heap;
        heap_remove(t);
        running = t;
        running_on = cpu_self();
        spin_unlock(&timer_lock);
        t->fn(t->arg);
        spin_lock(&timer_lock);
        running = NULL;
    }
    more = !running && *heap && (*heap)->when <= now;
    if (heap == &machine_heap && !more && !running)
        expect_first(now);
    spin_unlock(&timer_lock);
    return more;
}

/* ---- Many at once ---- */

static struct waitq crowded;
static bool has_thread; /* and crowded is ready */

static bool is_due(void)
{
    uint64_t when;

    spin_lock(&timer_lock);
    when = first_due();
    spin_unlock(&timer_lock);
    return when <= time_mono_ns();
}

/* What an interrupt leaves of the timers that are due is fired in steps, ahead of all other threads
 * but not of interrupts. */
static void fire_the_rest(void *unused)
{
    (void)unused;
    for (;;) {
        bool more = true;

        wait_event_idle(&crowded, is_due());
        while (more) {
            uint32_t flags = irq_save();

            more = timers_run(&machine_heap, time_mono_ns());
            irq_restore(flags);
            sched_point();
        }
    }
}

static void start_thread(void)
{
    const struct sched_attr first = {.policy = SCHED_FIFO, .priority = SCHED_PRIORITY_MAX};
    struct thread *t;

    waitq_init(&crowded);
    t = kthread_create("timers", fire_the_rest, NULL);
    if (t)
        sched_set_attr(t, &first);
    __atomic_store_n(&has_thread, t != NULL, __ATOMIC_RELEASE);
}

/* Without memory for the thread what is due waits for the next interrupt. */
void timers_expect(uint32_t n)
{
    static bool begun;

    if (n >= RUN_STEP && !__atomic_exchange_n(&begun, true, __ATOMIC_ACQUIRE))
        start_thread();
}

static void run_due(void)
{
    if (machine_heap && timers_run(&machine_heap, time_mono_ns()) && has_thread)
        wake_all(&crowded);
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

void timer_init_waker(struct timer *t)
{
    timer_init(t, wake_sleeper, thread_current());
}

int timer_await(struct timer *timer)
{
    struct thread *t = thread_current();
    int err = 0;

    while (!err) {
        t->state = THREAD_SLEEPING;
        __atomic_thread_fence(
            __ATOMIC_SEQ_CST); /* it may fire from here on, and wakes whom it finds asleep */
        if (!timer->armed)
            break;
        if (signal_pending_current())
            err = -EINTR;
        else
            schedule();
    }
    t->state = THREAD_RUNNABLE;
    return timer_cancel(timer) ? err : 0;
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
    kernel_need();
    timer_init_waker(&timer);
    timer_start(&timer, when);
    schedule();
    timer_cancel(&timer);
}

int sleep_until_wall(uint64_t real_ns)
{
    struct timer timer;

    timer_init_waker(&timer);
    timer_start_wall(&timer, real_ns);
    return timer_await(&timer);
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
