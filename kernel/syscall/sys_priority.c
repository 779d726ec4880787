/*
 * Nice values: getpriority, setpriority, nice; and priorities of I/O, which no disk here goes by.
 * Each thread has its own. man 2 setpriority, man 2 ioprio_set.
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
    if (*value < a.nice && !capable(CAP_SYS_NICE) &&
        (uint32_t)(20 - *value) > p->rlimits[RLIMIT_NICE].cur)
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

/* [proc_lock held, and let go now and then] */
static int for_selected(int which, int32_t who, priority_fn fn, int *value)
{
    struct thread *t;
    struct proc *p;
    uint32_t steps = 0;
    int err = -ESRCH;

    if (which == PRIO_PROCESS) {
        p = proc_find_any(who, &t);
        return p ? fn(p, t, value) : -ESRCH;
    }
    for (p = proc_oldest(); p; p = proc_walk_on(p, &steps))
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

/* ---- Priorities of I/O ---- */

#define IO_CLASS_SHIFT 13
#define IO_LEVELS      8
enum { IO_CLASS_NONE, IO_CLASS_RT, IO_CLASS_BE, IO_CLASS_IDLE };

static int check_io_priority(uint32_t value)
{
    uint32_t level = value & ((1u << IO_CLASS_SHIFT) - 1);

    switch ((int32_t)value >> IO_CLASS_SHIFT) {
    case IO_CLASS_NONE:
        return level ? -EINVAL : 0;
    case IO_CLASS_RT:
        if (!capable(CAP_SYS_ADMIN))
            return -EPERM;
        return level < IO_LEVELS ? 0 : -EINVAL;
    case IO_CLASS_BE:
        return level < IO_LEVELS ? 0 : -EINVAL;
    case IO_CLASS_IDLE:
        return 0;
    default:
        return -EINVAL;
    }
}

static int set_io_priority(struct proc *p, struct thread *t, int *value)
{
    const struct cred *c = &proc_current()->cred;

    if (p->cred.uid != c->euid && p->cred.uid != c->uid && !capable(CAP_SYS_NICE))
        return -EPERM;
    if (t)
        t->io_priority = (uint16_t)*value;
    return 0;
}

static int get_io_priority(struct proc *p, struct thread *t, int *value)
{
    (void)p;
    *value = t ? t->io_priority : 0;
    return 0;
}

/* Of several the highest; one that was never set goes by the nice value. */
static int better_io_priority(struct proc *p, struct thread *t, int *value)
{
    const struct sched_attr *a = attr_of(p, t);
    int class = a->policy == SCHED_IDLE ? IO_CLASS_IDLE
                : sched_is_realtime(a)  ? IO_CLASS_RT
                                        : IO_CLASS_BE;
    int v = t && t->io_priority ? t->io_priority : class << IO_CLASS_SHIFT | (a->nice + 20) / 5;

    if (v < *value)
        *value = v;
    return 0;
}

/* which: IOPRIO_WHO_PROCESS, _PGRP, _USER are one more than PRIO_*. */
long sys_ioprio_set(uint32_t which, uint32_t who, uint32_t priority_value)
{
    int value = (int)priority_value, err = check_io_priority(priority_value);

    return err ? err : priority(which - 1, who, set_io_priority, &value);
}

long sys_ioprio_get(uint32_t which, uint32_t who)
{
    int value = INT32_MAX, err;

    err = priority(which - 1, who, which - 1 == PRIO_PROCESS ? get_io_priority : better_io_priority,
                   &value);
    return err ? err : value;
}
