/*
 * Scheduling calls. There is one policy, round robin by nice value; what asks for another is
 * refused.
 */
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

#define PRIO_PROCESS 0
#define PRIO_PGRP    1
#define PRIO_USER    2
#define NICE_MIN     (-20)
#define NICE_MAX     19

#define SCHED_OTHER         0u
#define SCHED_FIFO          1u
#define SCHED_RR            2u
#define SCHED_BATCH         3u
#define SCHED_IDLE          5u
#define SCHED_RESET_ON_FORK 0x40000000u

long sys_sched_yield(void)
{
    sched_yield_current();
    return 0;
}

/* ---- nice ---- */

static bool selected(const struct proc *p, int which, int32_t who)
{
    const struct proc *self = proc_current();

    switch (which) {
    case PRIO_PROCESS:
        return who ? p->pid == who : p == self;
    case PRIO_PGRP:
        return p->pgid == (who ? who : self->pgid);
    default:
        return p->cred.uid == (who ? (uint32_t)who : self->cred.uid);
    }
}

static int clamp_nice(int nice)
{
    return nice < NICE_MIN ? NICE_MIN : nice > NICE_MAX ? NICE_MAX : nice;
}

/* Lowering the value takes the right to. RLIMIT_NICE counts 20 - nice. */
static int set_nice(struct proc *p, int nice)
{
    const struct cred *c = &proc_current()->cred;

    if (!capable() && c->euid != p->cred.uid && c->euid != p->cred.euid)
        return -EPERM;
    if (nice < p->nice && !capable() && (uint32_t)(20 - nice) > p->rlimits[RLIMIT_NICE].cur)
        return -EACCES;
    p->nice = (int8_t)nice;
    return 0;
}

long sys_getpriority(uint32_t which, uint32_t who)
{
    struct proc *p;
    long best = -ESRCH;

    if (which > PRIO_USER)
        return -EINVAL;
    spin_lock(&proc_lock);
    list_for_each_entry (p, &all_procs, all_link) {
        /* 1 to 40, so that no value looks like an error. */
        if (selected(p, (int)which, (int32_t)who) && 20 - p->nice > best)
            best = 20 - p->nice;
    }
    spin_unlock(&proc_lock);
    return best;
}

long sys_setpriority(uint32_t which, uint32_t who, uint32_t value)
{
    int nice = clamp_nice((int)value);
    struct proc *p;
    int err = -ESRCH;

    if (which > PRIO_USER)
        return -EINVAL;
    spin_lock(&proc_lock);
    list_for_each_entry (p, &all_procs, all_link) {
        int e;

        if (!selected(p, (int)which, (int32_t)who))
            continue;
        e = set_nice(p, nice);
        if (e || err == -ESRCH)
            err = e;
    }
    spin_unlock(&proc_lock);
    return err;
}

long sys_nice(uint32_t increment)
{
    int inc = (int32_t)increment;
    struct proc *p = proc_current();

    inc = inc < -40 ? -40 : inc > 40 ? 40 : inc;
    return set_nice(p, clamp_nice(p->nice + inc)) ? -EPERM : 0;
}

/* ---- Policies ---- */

static bool thread_exists(uint32_t tid)
{
    bool found;

    if (!tid)
        return true;
    spin_lock(&proc_lock);
    found = thread_find((int32_t)tid) != NULL;
    spin_unlock(&proc_lock);
    return found;
}

static bool is_timesharing(uint32_t policy)
{
    return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

long sys_sched_getscheduler(uint32_t tid)
{
    if ((int32_t)tid < 0)
        return -EINVAL;
    return thread_exists(tid) ? (long)SCHED_OTHER : -ESRCH;
}

long sys_sched_setscheduler(uint32_t tid, uint32_t policy, void __user *uparam)
{
    uint32_t priority;

    policy &= ~SCHED_RESET_ON_FORK;
    if (!uparam || (int32_t)tid < 0)
        return -EINVAL;
    if (get_user_u32(&priority, uparam))
        return -EFAULT;
    if (!thread_exists(tid))
        return -ESRCH;
    if (policy == SCHED_FIFO || policy == SCHED_RR)
        return priority < 1 || priority > 99 ? -EINVAL : -EPERM;
    return is_timesharing(policy) && priority == 0 ? 0 : -EINVAL;
}

long sys_sched_getparam(uint32_t tid, void __user *uparam)
{
    if (!uparam || (int32_t)tid < 0)
        return -EINVAL;
    if (!thread_exists(tid))
        return -ESRCH;
    return put_user_u32(uparam, 0);
}

long sys_sched_setparam(uint32_t tid, void __user *uparam)
{
    return sys_sched_setscheduler(tid, SCHED_OTHER, uparam);
}

long sys_sched_get_priority_max(uint32_t policy)
{
    if (policy == SCHED_FIFO || policy == SCHED_RR)
        return 99;
    return is_timesharing(policy) ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(uint32_t policy)
{
    if (policy == SCHED_FIFO || policy == SCHED_RR)
        return 1;
    return is_timesharing(policy) ? 0 : -EINVAL;
}

static long rr_interval(uint32_t tid, void __user *uts, bool wide)
{
    if ((int32_t)tid < 0)
        return -EINVAL;
    if (!thread_exists(tid))
        return -ESRCH;
    return timespec_put(uts, sched_slice(0) * NSEC_PER_TICK, wide);
}

long sys_sched_rr_get_interval(uint32_t tid, void __user *uts)
{
    return rr_interval(tid, uts, false);
}

long sys_sched_rr_get_interval_time64(uint32_t tid, void __user *uts)
{
    return rr_interval(tid, uts, true);
}

/* ---- CPUs ---- */

long sys_sched_getaffinity(uint32_t tid, uint32_t len, void __user *umask)
{
    if (len < sizeof(uint32_t) || len % sizeof(uint32_t))
        return -EINVAL;
    if (!thread_exists(tid))
        return -ESRCH;
    return put_user_u32(umask, 1) ? -EFAULT : (long)sizeof(uint32_t);
}

long sys_sched_setaffinity(uint32_t tid, uint32_t len, void __user *umask)
{
    uint32_t mask = 0;

    if (len >= sizeof(mask) ? get_user_u32(&mask, umask) : copy_from_user(&mask, umask, len))
        return -EFAULT;
    if (!thread_exists(tid))
        return -ESRCH;
    return mask & 1 ? 0 : -EINVAL;
}

long sys_getcpu(void __user *ucpu, void __user *unode)
{
    if (ucpu && put_user_u32(ucpu, cpu_self()->id))
        return -EFAULT;
    return unode ? put_user_u32(unode, 0) : 0;
}
