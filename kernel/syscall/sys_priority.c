/* Nice values: getpriority, setpriority, nice. Each thread has one of its own. man 2 setpriority.
 */
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define PRIO_PROCESS 0
#define PRIO_PGRP    1
#define PRIO_USER    2
#define NICE_MIN     (-20)
#define NICE_MAX     19

/* What is done with one thread; t NULL: the first one, which is gone. 0 or -errno. */
typedef int (*priority_fn)(struct proc *p, struct thread *t, int *value);

static struct sched_attr *attr_of(struct proc *p, struct thread *t)
{
    return t ? &t->sched : &p->first_sched;
}

static int clamp_nice(int nice)
{
    return nice < NICE_MIN ? NICE_MIN : nice > NICE_MAX ? NICE_MAX : nice;
}

/* Lowering the value takes the right to. RLIMIT_NICE counts 20 - nice. */
static int set_nice(struct proc *p, struct thread *t, int *value)
{
    struct sched_attr a = *attr_of(p, t);

    if (!proc_may_schedule(p))
        return -EPERM;
    if (*value < a.nice && !capable() && (uint32_t)(20 - *value) > p->rlimits[RLIMIT_NICE].cur)
        return -EACCES;
    a.nice = (int8_t)*value;
    if (t)
        sched_set_attr(t, &a);
    else
        p->first_sched = a;
    return 0;
}

/* 1 to 40, the larger the better, so that no value looks like an error. */
static int better_nice(struct proc *p, struct thread *t, int *value)
{
    int v = 20 - attr_of(p, t)->nice;

    if (v > *value)
        *value = v;
    return 0;
}

static bool selected(const struct proc *p, int which, int32_t who)
{
    const struct proc *self = proc_current();

    if (which == PRIO_PGRP)
        return p->pgid == (who ? who : self->pgid);
    return p->cred.uid == (who ? (uint32_t)who : self->cred.uid);
}

/* -ESRCH until there was one; then the last error. */
static int note(int err, int e)
{
    return e || err == -ESRCH ? e : err;
}

static int for_threads(struct proc *p, priority_fn fn, int *value, int err)
{
    struct thread *t;

    if (proc_lost_first(p))
        err = note(err, fn(p, NULL, value));
    list_for_each_entry (t, &p->threads, proc_link)
        err = note(err, fn(p, t, value));
    return err;
}

/* [proc_lock held] */
static int for_selected(int which, int32_t who, priority_fn fn, int *value)
{
    struct thread *t;
    struct proc *p;
    int err = -ESRCH;

    if (which == PRIO_PROCESS) {
        p = proc_find_any(who, &t);
        return p ? fn(p, t, value) : -ESRCH;
    }
    list_for_each_entry (p, &all_procs, all_link)
        if (selected(p, which, who))
            err = for_threads(p, fn, value, err);
    return err;
}

static int priority(uint32_t which, uint32_t who, priority_fn fn, int *value)
{
    int err;

    if (which > PRIO_USER)
        return -EINVAL;
    spin_lock(&proc_lock);
    err = for_selected((int)which, (int32_t)who, fn, value);
    spin_unlock(&proc_lock);
    return err;
}

long sys_getpriority(uint32_t which, uint32_t who)
{
    int best = 0, err = priority(which, who, better_nice, &best);

    return err ? err : best;
}

long sys_setpriority(uint32_t which, uint32_t who, uint32_t value)
{
    int nice = clamp_nice((int)value);

    return priority(which, who, set_nice, &nice);
}

long sys_nice(uint32_t increment)
{
    int inc = (int32_t)increment, nice;

    inc = inc < -40 ? -40 : inc > 40 ? 40 : inc;
    nice = clamp_nice(thread_current()->sched.nice + inc);
    return priority(PRIO_PROCESS, 0, set_nice, &nice) ? -EPERM : 0;
}
