/*
 * CPU clocks: how long a process or a thread has run; read, timed by and slept on.
 *
 * The timers of one are a heap of its own (kernel/time/timer.c), in the process or the thread,
 * which the tick looks at while it runs. Who is gone has none: its heap is emptied once nobody can
 * find it, so whoever arms a timer does it with proc_lock held.
 */
#include "kernel/time/clock.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

/* Numbers of others' clocks are negative: ~id << 3 | per-thread << 2 | kind. */
#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_KINDS  3 /* 0 PROF, 1 VIRT, 2 SCHED; one measure serves all */

bool clock_is_cpu(int32_t id)
{
    return id < 0 || id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID;
}

static uint64_t thread_ns(struct thread *t)
{
    uint64_t user, system;

    thread_times(t, &user, &system);
    return user + system;
}

static uint64_t proc_ns(struct proc *p)
{
    struct rusage_counts u;

    proc_usage(p, &u);
    return u.user_ns + u.system_ns;
}

/* [proc_lock held] Another process's id is the clock of that process; a thread has to be one's own.
 */
static bool names_clock(int32_t who, bool per_thread)
{
    struct thread *t;
    struct proc *p = proc_find_any(who, &t);

    if (per_thread)
        return t && p == proc_current();
    return p && (p->pid == who || t == thread_current());
}

int cpu_clock_find(int32_t id, struct cpu_clock *out)
{
    struct proc *me = proc_current();
    int32_t who = id < 0 ? ~(id >> 3) : 0;
    struct thread *t;
    struct proc *p;
    int err = -EINVAL;

    out->thread = id < 0 ? id & CPU_CLOCK_THREAD : id == CLOCK_THREAD_CPUTIME_ID;
    if (id < 0 && (id & 7) == CPU_CLOCK_KINDS) /* a clock that is a file: there are none */
        return -EOPNOTSUPP;
    if (id < 0 && (id & 3) >= CPU_CLOCK_KINDS)
        return -EINVAL;
    if (!who)
        who = out->thread ? thread_current()->tid : me->pid;
    spin_lock(&proc_lock);
    if (names_clock(who, out->thread)) {
        p = proc_find_any(who, &t);
        out->id = out->thread ? who : p->pid;
        out->serial = p->serial;
        err = 0;
    }
    spin_unlock(&proc_lock);
    return err;
}

/* [proc_lock held] Whose clock it is; false: who that was is gone. */
static bool find(const struct cpu_clock *c, struct proc **p, struct thread **t)
{
    *t = NULL;
    *p = c->thread ? proc_find_any(c->id, t) : proc_find(c->id);
    return *p && (*p)->serial == c->serial && (!c->thread || *t) && (*p)->state == PROC_ALIVE;
}

int cpu_clock_now(const struct cpu_clock *c, uint64_t *ns)
{
    struct thread *t;
    struct proc *p;
    bool there;

    sched_charge_current();
    spin_lock(&proc_lock);
    there = find(c, &p, &t);
    if (there)
        *ns = c->thread ? thread_ns(t) : proc_ns(p);
    spin_unlock(&proc_lock);
    return there ? 0 : -ESRCH;
}

int cpu_clock_start(const struct cpu_clock *c, struct timer *timer, uint64_t when)
{
    struct thread *t;
    struct proc *p;
    bool there;

    spin_lock(&proc_lock);
    there = find(c, &p, &t);
    if (there)
        timer_start_in(c->thread ? &t->cpu_timers : &p->cpu_timers, timer, when);
    spin_unlock(&proc_lock);
    return there ? 0 : -ESRCH;
}

void cpu_clocks_tick(void)
{
    struct thread *t = thread_current();

    if (!t->cpu_timers && !t->proc->cpu_timers)
        return;
    sched_charge_current();
    if (t->cpu_timers)
        timers_run(&t->cpu_timers, thread_ns(t));
    if (t->proc->cpu_timers)
        timers_run(&t->proc->cpu_timers, proc_ns(t->proc));
}
