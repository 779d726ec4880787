/*
 * /proc/PID: how it is scheduled, its timers, its children. man 5 proc.
 */
#include "fs/proc/procfs.h"
#include "kernel/time/clock.h"
#include "libc/errno.h"
#include "libc/string.h"

#define NICE_0       120 /* Linux's number for the priority of nice 0 */
#define PIDS_AT_ONCE 64

/* ---- sched ---- */

static void sched_row(struct text *t, const char *name, uint64_t value)
{
    text_printf(t, "%-45s:%21llu\n", name, (unsigned long long)value);
}

static void sched_time(struct text *t, const char *name, uint64_t ns)
{
    text_printf(t, "%-45s:%14llu.%06u\n", name, (unsigned long long)(ns / 1000000),
                (uint32_t)(ns % 1000000));
}

int show_sched(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    struct thread *th = p ? target_thread(who, p) : NULL;
    struct rusage_counts u = {0};
    struct sched_attr a;
    char name[COMM_LEN];
    uint32_t threads;
    uint64_t ran, waited;

    if (!p)
        return -ESRCH;
    if (!th) {
        spin_unlock(&proc_lock);
        return 0;
    }
    thread_add_usage(&u, th);
    a = th->sched;
    sched_times(th, &ran, &waited);
    threads = p->nthreads;
    memcpy(name, th->comm[0] ? th->comm : p->comm, COMM_LEN);
    spin_unlock(&proc_lock);
    text_printf(t, "%s (%d, #threads: %u)\n", name, target_id(who), threads);
    text_printf(t, "-------------------------------------------------------------------\n");
    sched_time(t, "se.sum_exec_runtime", ran);
    sched_row(t, "nr_switches", u.voluntary + u.involuntary);
    sched_row(t, "nr_voluntary_switches", u.voluntary);
    sched_row(t, "nr_involuntary_switches", u.involuntary);
    sched_row(t, "policy", a.policy);
    sched_row(t, "prio", (uint64_t)(sched_is_realtime(&a) ? 99 - a.priority : NICE_0 + a.nice));
    return 0;
}

/* Time on a CPU, time in which it waited for one, turns. [Linux's
 * Documentation/scheduler/sched-stats.rst] */
int show_schedstat(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    struct thread *th = p ? target_thread(who, p) : NULL;
    struct rusage_counts u = {0};
    uint64_t ran = 0, waited = 0;
    uint32_t turns = 0;

    sched_charge_current();
    if (!p)
        return -ESRCH;
    if (th) {
        thread_add_usage(&u, th);
        sched_times(th, &ran, &waited);
        turns = u.voluntary + u.involuntary + th->on_cpu;
    }
    spin_unlock(&proc_lock);
    text_printf(t, "%llu %llu %u\n", (unsigned long long)ran, (unsigned long long)waited, turns);
    return 0;
}

/* ---- children ---- */

/* [proc_lock held] The children of the thread with the smallest ids from from on, ascending. */
static unsigned next_children(const struct proc *p, int32_t tid, int32_t from, int32_t *out)
{
    const struct proc *c;
    unsigned n = 0;

    list_for_each_entry (c, &p->children, sibling) {
        unsigned at = n;

        if (c->forked_by != tid || c->pid < from)
            continue;
        if (n < PIDS_AT_ONCE)
            n++;
        else if (out[n - 1] < c->pid)
            continue;
        else
            at--;
        for (; at > 0 && out[at - 1] > c->pid; at--)
            out[at] = out[at - 1];
        out[at] = c->pid;
    }
    return n;
}

int show_children(struct text *t, const struct target *who)
{
    int32_t pids[PIDS_AT_ONCE], from = 1;
    unsigned n;

    do {
        struct proc *p = target_lock(who);

        if (!p)
            return -ESRCH;
        n = next_children(p, who->tid, from, pids);
        spin_unlock(&proc_lock);
        for (unsigned i = 0; i < n; i++)
            text_printf(t, "%d ", pids[i]);
        from = n ? pids[n - 1] + 1 : from;
        sched_point();
    } while (n == PIDS_AT_ONCE);
    return 0;
}

/* ---- Timers ---- */

int show_timers(struct text *t, const struct target *who)
{
    struct posix_timer_info info;

    for (unsigned n = 0;; n++) {
        int err = posix_timer_info(who->pid, n, &info);

        if (!target_exists(who))
            return -ESRCH;
        if (err)
            return 0;
        text_printf(t, "ID: %d\nsignal: %d/%08x\n", info.id, info.signo, info.value);
        text_printf(t, "notify: %s/%s.%d\nClockID: %d\n", info.notify, info.tid ? "tid" : "pid",
                    info.tid ? info.tid : who->pid, info.clock);
        sched_point();
    }
}

/* ---- timerslack_ns ---- */

/* [proc_lock held] 0, or -EPERM: neither its own nor may it be scheduled by the current process. */
static int may_slack(const struct proc *p)
{
    return p == proc_current() || capable(CAP_SYS_NICE) ? 0 : -EPERM;
}

int show_timer_slack(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    struct thread *th = p ? target_thread(who, p) : NULL;
    uint32_t slack = th ? th->timer_slack : 0;
    int err = !th ? -ESRCH : may_slack(p);

    if (p)
        spin_unlock(&proc_lock);
    if (!err)
        text_printf(t, "%u\n", slack ? slack : TIMER_SLACK_NS);
    return err;
}

int store_timer_slack(const char *text, size_t len, const struct target *who)
{
    uint32_t ns;
    int err = sysctl_number(text, len, UINT32_MAX, &ns);
    struct thread *th;
    struct proc *p;

    if (err)
        return err;
    p = target_lock(who);
    th = p ? target_thread(who, p) : NULL;
    err = !th ? -ESRCH : may_slack(p);
    if (!err)
        th->timer_slack = ns ? ns : th->default_slack;
    if (p)
        spin_unlock(&proc_lock);
    return err;
}
