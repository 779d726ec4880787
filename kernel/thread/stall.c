/*
 * Pressure: time in which threads waited for memory. Linux's Documentation/accounting/psi.rst says
 * what the figures mean: "some" is time in which at least one thread waited, "full" that in which
 * nobody could do anything else.
 *
 * "some" is measured from begin to end; "full" is counted by ticks that find a waiting thread, or
 * nobody, on the CPU. Averages are brought up to date every PERIOD, or later when somebody looks.
 */
#include "kernel/thread/stall.h"
#include "arch/lock.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/sched.h"
#include "kernel/time/time.h"

#define PERIOD      (2 * NSEC_PER_SEC)
#define PERIODS_MAX 1024u /* after so many without news all averages are what the news say */

static struct spinlock lock = SPINLOCK_INIT("stall", LOCK_RANK_LEAF);
static unsigned waiting;                           /* [lock] threads */
static uint64_t since;                             /* [lock] when the first of them began */
static struct stall_figures figures[STALL_KINDS];  /* [lock] */
static uint64_t period_began, before[STALL_KINDS]; /* [lock] total_ns then */

/* exp(-2 s / 10, 60, 300 s) */
static const uint32_t decay[3] = {1677, 1981, 2034};

/* [lock] The time up to now belongs to somebody. */
static void count_up_to(uint64_t now)
{
    if (waiting)
        figures[STALL_SOME].total_ns += now - since;
    since = now;
}

static uint32_t decayed(uint32_t average, uint32_t percent, unsigned n, unsigned which)
{
    uint32_t last = ~average;

    for (; n && last != average; n--) {
        last = average;
        average = (uint32_t)(((uint64_t)average * decay[which] +
                              (uint64_t)percent * ((1u << STALL_SHIFT) - decay[which])) >>
                             STALL_SHIFT);
    }
    return average;
}

/* [lock] What came since the last time counts evenly for all the periods that are over. */
static void update(uint64_t now)
{
    uint64_t elapsed = now - period_began, n = elapsed / PERIOD;

    if (n == 0)
        return;
    for (unsigned kind = 0; kind < STALL_KINDS; kind++) {
        struct stall_figures *f = &figures[kind];
        uint64_t part = (f->total_ns - before[kind]) * (100u << STALL_SHIFT) / elapsed;

        if (part > 100u << STALL_SHIFT)
            part = 100u << STALL_SHIFT;
        for (unsigned i = 0; i < 3; i++)
            f->average[i] = decayed(f->average[i], (uint32_t)part,
                                    n < PERIODS_MAX ? (unsigned)n : PERIODS_MAX, i);
        before[kind] = f->total_ns;
    }
    period_began = now;
}

void stall_memory(bool begins)
{
    uint64_t now;

    spin_lock(&lock);
    now = time_mono_ns();
    count_up_to(now);
    waiting += begins ? 1u : -1u;
    update(now);
    spin_unlock(&lock);
    thread_current()->stalled = begins;
}

void stall_tick(bool idle)
{
    const struct thread *t = thread_current();

    if (!__atomic_load_n(&waiting, __ATOMIC_RELAXED) || !(idle || (t && t->stalled)))
        return;
    spin_lock(&lock);
    if (waiting)
        figures[STALL_FULL].total_ns += NSEC_PER_TICK;
    spin_unlock(&lock);
}

/* Ticks are coarse: nobody is to see more of "full" than of "some". */
void stall_figures(struct stall_figures out[STALL_KINDS])
{
    uint64_t now;

    spin_lock(&lock);
    now = time_mono_ns();
    count_up_to(now);
    update(now);
    out[STALL_SOME] = figures[STALL_SOME];
    out[STALL_FULL] = figures[STALL_FULL];
    spin_unlock(&lock);
    if (out[STALL_FULL].total_ns > out[STALL_SOME].total_ns)
        out[STALL_FULL].total_ns = out[STALL_SOME].total_ns;
    for (unsigned i = 0; i < 3; i++)
        if (out[STALL_FULL].average[i] > out[STALL_SOME].average[i])
            out[STALL_FULL].average[i] = out[STALL_SOME].average[i];
}
