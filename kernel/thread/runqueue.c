/*
 * Who is next. Real-time threads go by their priority, and before all others; one that was
 * preempted stays first of its priority. They wait in one place for all processors, so those that
 * run are always the highest that may. The others wait in their processor's queue, and go round in
 * two lists: those that woke up with time left before those that used their slice up, where
 * SCHED_IDLE always is.
 *
 * Nobody waits for ever. Real-time threads get 95 ticks of 100 of a processor when others wait, as
 * on Linux (sched_rt_runtime_us, where it can be changed): one that never sleeps does not lock root
 * out. Those that sleep in turns, and come back with time left each time, are followed by one of
 * the others after PATIENCE ticks. And only so many a period are put before those that were there
 * first.
 */
#include "kernel/thread/runqueue.h"
#include "arch/thread.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/sched.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

#define SLICE_DEFAULT 3  /* ticks: 30 ms */
#define SLICE_RR      10 /* 100 ms */
#define SLICE_FIFO    UINT32_MAX
#define PATIENCE      10
#define HURRIES_MAX   8
#define PRIORITIES    (SCHED_PRIORITY_MAX + 1)
#define LOOK_AT       32 /* in a list that may be very long */

#define TICK_US (1000000 / HZ)

struct sched_settings sched_settings = {1000000, 950000, 100, 4194304};
static uint32_t rt_period = 1000000 / TICK_US, rt_runtime = 950000 / TICK_US; /* ticks; atomic */

/* All [sched_lock]. */
static struct list realtime[PRIORITIES];
static uint32_t
    realtime_used[(PRIORITIES + 31) / 32]; /* a bit for each list that may hold threads */
static uint32_t nr_realtime;               /* in them; to look at without the lock */

void runqueue_init(void)
{
    for (int i = 0; i < PRIORITIES; i++)
        list_init(&realtime[i]);
}

void runqueue_init_one(struct runqueue *q)
{
    list_init(&q->ready);
    list_init(&q->expired);
}

uint32_t runqueue_realtime(void)
{
    return __atomic_load_n(&nr_realtime, __ATOMIC_RELAXED);
}

int sched_set_realtime(int32_t period_us, int32_t runtime_us)
{
    uint32_t period = (uint32_t)period_us / TICK_US;

    if (!period_us || (runtime_us != SCHED_UNLIMITED && (uint32_t)runtime_us > (uint32_t)period_us))
        return -EINVAL;
    sched_settings.realtime_period_us = period_us;
    sched_settings.realtime_runtime_us = runtime_us;
    write_once(rt_period, period ? period : 1);
    write_once(rt_runtime,
               runtime_us == SCHED_UNLIMITED ? UINT32_MAX : (uint32_t)runtime_us / TICK_US);
    return 0;
}

uint32_t sched_slice(const struct sched_attr *a)
{
    int slice = SLICE_DEFAULT - a->nice * SLICE_DEFAULT / 20;

    if (a->policy == SCHED_FIFO)
        return 0;
    if (a->policy == SCHED_RR)
        return SLICE_RR;
    return slice < 1 || a->policy == SCHED_IDLE ? 1 : (uint32_t)slice;
}

uint8_t runqueue_priority(const struct thread *t)
{
    return t->sched.priority > t->inherited ? t->sched.priority : t->inherited;
}

/* One that is lent its priority goes on until it gives the lock up. */
void runqueue_new_slice(struct thread *t)
{
    bool endless = t->sched.policy != SCHED_RR && runqueue_priority(t);

    t->slice = endless ? SLICE_FIFO : sched_slice(&t->sched);
}

static void add_realtime(struct thread *t, bool preempted)
{
    uint32_t p = runqueue_priority(t);

    if (preempted && t->slice)
        list_add(&realtime[p], &t->run_link);
    else
        list_add_tail(&realtime[p], &t->run_link);
    realtime_used[p / 32] |= 1u << p % 32;
    nr_realtime++;
    t->queue = NULL;
    if (!t->slice)
        runqueue_new_slice(t);
}

void runqueue_add(struct runqueue *q, struct thread *t, bool preempted)
{
    t->waits_since = cpu_cycles();
    if (__builtin_expect(runqueue_priority(t), 0)) {
        add_realtime(t, preempted);
        return;
    }
    q->queued++;
    t->queue = q;
    if (t->slice && t->sched.policy != SCHED_IDLE) {
        list_add_tail(&q->ready, &t->run_link);
    } else {
        runqueue_new_slice(t);
        list_add_tail(&q->expired, &t->run_link);
    }
}

void runqueue_remove(struct thread *t)
{
    uint64_t waited = clock_cycles_ns(cpu_cycles() - t->waits_since);

    t->waited += waited;
    cpu_self()->queue->counts.waited += waited;
    list_remove(&t->run_link);
    if (t->queue)
        t->queue->queued--;
    else
        nr_realtime--;
}

/* The first of a list that may run on cpu, of so many; or NULL. */
static struct thread *first_of(const struct list *head, uint32_t cpu, uint32_t look_at)
{
    struct thread *t;

    list_for_each_entry (t, head, run_link) {
        if (t->cpus & cpu)
            return t;
        if (--look_at == 0)
            break;
    }
    return NULL;
}

/* The first of the highest priority, or NULL. */
static struct thread *first_realtime(uint32_t cpu)
{
    struct thread *t = NULL;

    for (int w = (int)(sizeof(realtime_used) / sizeof(realtime_used[0])) - 1; w >= 0 && !t; w--) {
        for (uint32_t left = realtime_used[w]; left && !t;) {
            uint32_t bit = 31 - (uint32_t)__builtin_clz(left);
            struct list *head = &realtime[(uint32_t)w * 32 + bit];

            t = first_of(head, cpu, UINT32_MAX);
            if (list_empty(head))
                realtime_used[w] &= ~(1u << bit);
            left &= ~(1u << bit);
        }
    }
    return t;
}

static struct thread *first_other(struct runqueue *q)
{
    struct list *from = &q->ready;

    if (list_empty(from) ||
        (__builtin_expect(q->passed_over >= PATIENCE, 0) && !list_empty(&q->expired))) {
        from = &q->expired;
        q->passed_over = 0;
    }
    return list_empty(from) ? NULL : list_first_entry(from, struct thread, run_link);
}

static struct thread *first(struct runqueue *q, uint32_t cpu)
{
    struct thread *t = NULL;

    if (__builtin_expect(nr_realtime && !q->throttled, 0))
        t = first_realtime(cpu);
    if (!t)
        t = first_other(q);
    if (!t && nr_realtime)
        t = first_realtime(cpu);
    return t;
}

struct thread *runqueue_take(struct runqueue *q, uint32_t cpu)
{
    struct thread *t = first(q, cpu);

    if (t)
        runqueue_remove(t);
    return t;
}

bool runqueue_any(const struct runqueue *q, uint32_t cpu)
{
    return q->queued || (nr_realtime && first_realtime(cpu));
}

struct thread *runqueue_movable(const struct runqueue *q, uint32_t cpu)
{
    struct thread *t = first_of(&q->expired, cpu, LOOK_AT);

    return t ? t : first_of(&q->ready, cpu, LOOK_AT);
}

void runqueue_move(struct runqueue *to, struct thread *t)
{
    list_remove(&t->run_link);
    t->queue->queued--;
    t->queue = to;
    to->queued++;
    list_add(&to->expired, &t->run_link);
}

static uint32_t weight_of(const struct list *head, uint32_t *n)
{
    const struct thread *t;
    uint32_t sum = 0, look_at = LOOK_AT;

    list_for_each_entry (t, head, run_link) {
        sum += sched_slice(&t->sched);
        ++*n;
        if (--look_at == 0)
            break;
    }
    return sum;
}

uint32_t runqueue_weight(const struct runqueue *q)
{
    uint32_t n = 0, sum = weight_of(&q->ready, &n) + weight_of(&q->expired, &n);

    return sum + (q->queued - n) * SLICE_DEFAULT;
}

/* Where very many are favoured, they take turns like all. */
void runqueue_hurry(struct thread *t)
{
    struct runqueue *q = t->queue;

    if (runqueue_priority(t) || list_empty(&t->run_link))
        return;
    list_remove(&t->run_link);
    if (list_empty(&q->ready) || ++q->hurries <= HURRIES_MAX)
        list_add(&q->ready, &t->run_link);
    else
        list_add_tail(&q->ready, &t->run_link);
}

bool runqueue_beats(const struct thread *t, const struct thread *running)
{
    return runqueue_priority(t) > runqueue_priority(running);
}

bool runqueue_tick(struct runqueue *q, const struct thread *t)
{
    bool was = q->throttled;

    if (runqueue_priority(t))
        q->realtime_ticks++;
    if (!list_empty(&q->expired))
        q->passed_over++;
    if (++q->period_ticks >= read_once(rt_period)) {
        q->period_ticks = q->realtime_ticks = q->hurries = 0;
        q->throttled = false;
    } else if (q->realtime_ticks >= read_once(rt_runtime)) {
        q->throttled = true;
    }
    return q->throttled != was;
}
