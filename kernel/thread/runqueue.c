/*
 * Who is next. Real-time threads go by their priority, and before all others; one that was
 * preempted stays first of its priority. The others go round in two queues: those that woke up with
 * time left before those that used their slice up, where SCHED_IDLE always is.
 *
 * Real-time threads get 95 ticks of 100 when others wait, as on Linux (sched_rt_runtime_us): one
 * that never sleeps does not lock root out.
 */
#include "kernel/thread/runqueue.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/sched.h"

#define SLICE_DEFAULT 3  /* ticks: 30 ms */
#define SLICE_RR      10 /* 100 ms */
#define SLICE_FIFO    UINT32_MAX
#define RT_PERIOD     100
#define RT_RUNTIME    95
#define PRIORITIES    (SCHED_PRIORITY_MAX + 1)

/* All [sched_lock]. */
static struct list ready = LIST_INIT(ready);     /* with time left */
static struct list expired = LIST_INIT(expired); /* with a new slice */
static struct list realtime[PRIORITIES];
static uint32_t
    realtime_used[(PRIORITIES + 31) / 32]; /* a bit for each list that may hold threads */
static uint32_t nr_queued;
static uint32_t nr_bound; /* of them, those that may not run everywhere */
static uint32_t period_ticks, realtime_ticks;
static bool throttled; /* others first, until the period is over */

void runqueue_init(void)
{
    for (int i = 0; i < PRIORITIES; i++)
        list_init(&realtime[i]);
}

uint32_t runqueue_count(void)
{
    return nr_queued;
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
    if (!t->slice)
        runqueue_new_slice(t);
}

void runqueue_add(struct thread *t, bool preempted)
{
    nr_queued++;
    nr_bound += t->cpus != UINT32_MAX;
    if (runqueue_priority(t)) {
        add_realtime(t, preempted);
    } else if (t->slice && t->sched.policy != SCHED_IDLE) {
        list_add_tail(&ready, &t->run_link);
    } else {
        runqueue_new_slice(t);
        list_add_tail(&expired, &t->run_link);
    }
}

void runqueue_remove(struct thread *t)
{
    list_remove(&t->run_link);
    nr_queued--;
    nr_bound -= t->cpus != UINT32_MAX;
}

/* Each switch asks, and mostly in vain. */
static bool may_have_realtime(void)
{
    uint32_t used = 0;

    for (unsigned w = 0; w < sizeof(realtime_used) / sizeof(realtime_used[0]); w++)
        used |= realtime_used[w];
    return used != 0;
}

/* The first of a queue that may run on cpu, or NULL. */
static struct thread *first_of(const struct list *head, uint32_t cpu)
{
    struct thread *t;

    list_for_each_entry (t, head, run_link)
        if (t->cpus & cpu)
            return t;
    return NULL;
}

/* The first of the highest priority, or NULL. */
static struct thread *first_realtime(uint32_t cpu)
{
    struct thread *t = NULL;

    if (!may_have_realtime())
        return NULL;
    for (int w = (int)(sizeof(realtime_used) / sizeof(realtime_used[0])) - 1; w >= 0 && !t; w--) {
        for (uint32_t left = realtime_used[w]; left && !t;) {
            uint32_t bit = 31 - (uint32_t)__builtin_clz(left);
            struct list *head = &realtime[(uint32_t)w * 32 + bit];

            t = first_of(head, cpu);
            if (list_empty(head))
                realtime_used[w] &= ~(1u << bit);
            left &= ~(1u << bit);
        }
    }
    return t;
}

static struct thread *first_other(uint32_t cpu)
{
    struct thread *t = first_of(&ready, cpu);

    return t ? t : first_of(&expired, cpu);
}

static struct thread *first(uint32_t cpu)
{
    struct thread *t = throttled ? first_other(cpu) : first_realtime(cpu);

    if (!t)
        t = throttled ? first_realtime(cpu) : first_other(cpu);
    return t;
}

struct thread *runqueue_take(uint32_t cpu)
{
    struct thread *t = first(cpu);

    if (t)
        runqueue_remove(t);
    return t;
}

bool runqueue_any(uint32_t cpu)
{
    return nr_queued > nr_bound || (nr_bound && first(cpu));
}

void runqueue_hurry(struct thread *t)
{
    if (runqueue_priority(t) || list_empty(&t->run_link))
        return;
    list_remove(&t->run_link);
    list_add(&ready, &t->run_link);
}

bool runqueue_beats(const struct thread *t, const struct thread *running)
{
    return runqueue_priority(t) > runqueue_priority(running);
}

bool runqueue_tick(const struct thread *t)
{
    bool was = throttled;

    if (runqueue_priority(t))
        realtime_ticks++;
    if (++period_ticks >= RT_PERIOD) {
        period_ticks = realtime_ticks = 0;
        throttled = false;
    } else if (realtime_ticks >= RT_RUNTIME) {
        throttled = true;
    }
    return throttled != was;
}
