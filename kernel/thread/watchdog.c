/*
 * The watchdog: a CPU that was asked to switch and does not (it is seen at the tick, so one that
 * has its interrupts off is not), and a thread of a program that is blocked where no signal reaches
 * it. Each is reported with its backtrace and the sleep lock that it waits for, so that a machine
 * that stands still says why. Only the first WARNINGS blocked threads are: those that follow mostly
 * wait for them.
 */
#include "kernel/thread/watchdog.h"
#include "arch/cpu.h"
#include "arch/thread.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"

#define WARNINGS 10u
#define LOOK_NS  NSEC_PER_SEC

struct watchdog_limits watchdog_limits = {.hung_secs = 20, .thresh_secs = 10};

static struct timer look_timer;
static bool stuck_reported; /* [tick] */
static uint32_t reports;    /* written by interrupts */
static uint32_t hung_reported;

uint32_t watchdog_reports(void)
{
    return __atomic_load_n(&reports, __ATOMIC_RELAXED);
}

static void report_wanted(const struct thread *t)
{
    const struct mutex *m = read_once(t->wanted); /* it may come up just now */
    const struct thread *owner = m ? read_once(m->owner) : NULL;

    if (owner)
        klog(LOG_EMERG, "It waits for a lock that %.16s (%d) holds\n", owner->proc->comm,
             (int)owner->tid);
}

static void report_held(const struct cpu *c)
{
    for (unsigned i = 0; i < CPU_HELD_LOCKS; i++)
        if (c->held[i])
            klog(LOG_EMERG, "It holds the lock %s\n", c->held[i]->name);
}

void watchdog_tick(uint64_t stuck_ns)
{
    const struct cpu *c = cpu_self();
    const struct thread *t = thread_current();
    uint64_t limit = 2 * watchdog_limits.thresh_secs * NSEC_PER_SEC;

    if (!limit || stuck_ns < limit) {
        stuck_reported = false;
        return;
    }
    if (stuck_reported)
        return;
    stuck_reported = true;
    klog(LOG_EMERG, "watchdog: BUG: soft lockup - CPU#%u stuck for %us! [%.16s:%d]\n",
         (unsigned)c->id, (unsigned)(stuck_ns / NSEC_PER_SEC), t->proc->comm, (int)t->tid);
    report_held(c);
    backtrace_trap(c->irq_frame);
    __atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED);
}

/* [proc_lock held] */
static void report_hung(struct thread *t)
{
    t->reported_ran_at = t->ran_at;
    klog(LOG_EMERG, "INFO: task %.16s:%d blocked for more than %u seconds.\n", t->proc->comm,
         (int)t->tid, (unsigned)watchdog_limits.hung_secs);
    report_wanted(t);
    backtrace_thread(&t->arch);
    hung_reported++;
    __atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED);
}

static bool is_hung(const struct thread *t, uint64_t before)
{
    return t->state == THREAD_BLOCKED && !t->on_cpu && t->ran_at < before &&
           t->reported_ran_at != t->ran_at;
}

/* From the timer. Kernel threads may wait for work as long as they like. */
static void look(void *arg)
{
    uint64_t now = time_mono_ns(), patience = watchdog_limits.hung_secs * NSEC_PER_SEC;
    struct thread *t;
    struct proc *p;

    (void)arg;
    if (patience && now > patience) {
        spin_lock(&proc_lock);
        list_for_each_entry (p, &all_procs, all_link) {
            if (!p->space || hung_reported >= WARNINGS)
                continue;
            list_for_each_entry (t, &p->threads, proc_link)
                if (is_hung(t, now - patience))
                    report_hung(t);
        }
        spin_unlock(&proc_lock);
    }
    timer_start(&look_timer, now + LOOK_NS);
}

void watchdog_init(void)
{
    timer_init(&look_timer, look, NULL);
    timer_start(&look_timer, time_mono_ns() + LOOK_NS);
}
