/*
 * Scheduling calls: policies and CPUs. man 7 sched has the rules for who may set what. Deadline
 * scheduling is refused to whoever could have it as Linux refuses more of it than there is: EBUSY.
 */
#include "arch/uaccess.h"
#include "kernel/futex/futex.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/string.h"

#define SCHED_RESET_ON_FORK 0x40000000u
#define FLAG_RESET_ON_FORK  1u /* of sched_setattr, and the next ones */
#define FLAG_KEEP_POLICY    8u
#define FLAG_KEEP_PARAMS    16u
#define FLAGS_KNOWN         0x7fu
#define POLICY_KEPT         UINT32_MAX /* sched_setparam */
#define ATTR_SIZE_FIRST     48u

struct user_sched_attr { /* man 2 sched_setattr */
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max; /* hints of later kernels that nothing here follows */
};

long sys_sched_yield(void)
{
    sched_yield_current();
    return 0;
}

/* How the thread that tid names is scheduled. 0 or -ESRCH. */
static int attr_get(uint32_t tid, struct sched_attr *out)
{
    struct thread *t;
    struct proc *p;

    spin_lock(&proc_lock);
    p = proc_find_any((int32_t)tid, &t);
    if (p)
        *out = t ? t->sched : p->first_sched;
    spin_unlock(&proc_lock);
    return p ? 0 : -ESRCH;
}

/* ---- Setting ---- */

static bool may_lower_nice(const struct proc *p, int nice)
{
    return (uint32_t)(20 - nice) <= p->rlimits[RLIMIT_NICE].cur;
}

/* What one without privileges may change. */
static bool is_allowed(const struct proc *p, const struct sched_attr *old,
                       const struct sched_attr *new)
{
    uint32_t limit = p->rlimits[RLIMIT_RTPRIO].cur;

    if (!proc_may_schedule(p) || (old->reset_on_fork && !new->reset_on_fork))
        return false;
    if (new->nice < old->nice && !may_lower_nice(p, new->nice))
        return false;
    if (sched_is_realtime(new))
        return (new->policy == old->policy || limit) &&
               (new->priority <= old->priority || new->priority <= limit);
    return old->policy != SCHED_IDLE || new->policy == SCHED_IDLE || may_lower_nice(p, old->nice);
}

struct request {
    uint32_t policy, priority; /* policy POLICY_KEPT: as it is */
    bool reset_on_fork, keep_reset, keep_params;
    int nice;                           /* INT32_MIN: as it is */
    uint64_t runtime, deadline, period; /* ns, of SCHED_DEADLINE */
};

#define DEADLINE_RUNTIME_MIN 1024u

static bool deadline_is_valid(const struct request *r)
{
    const uint64_t period = r->period ? r->period : r->deadline;

    return !r->priority && r->deadline && r->runtime >= DEADLINE_RUNTIME_MIN &&
           !((r->deadline | period) >> 63) && period >= r->deadline && r->deadline >= r->runtime &&
           period >= sched_settings.deadline_period_min_us * 1000ull &&
           period <= sched_settings.deadline_period_max_us * 1000ull;
}

/* Never 0. It is for all processors, or none; and there is none at all if real-time threads get no
 * time. */
static int refuse_deadline(const struct thread *t, const struct request *r)
{
    if (!deadline_is_valid(r))
        return -EINVAL;
    if (!capable(CAP_SYS_NICE) || !sched_settings.realtime_runtime_us ||
        (t && sched_cpus(t) != sched_cpus(NULL)))
        return -EPERM;
    return -EBUSY;
}

static bool is_valid(uint32_t policy, uint32_t priority)
{
    switch (policy) {
    case SCHED_FIFO:
    case SCHED_RR:
        return priority >= 1 && priority <= SCHED_PRIORITY_MAX;
    case SCHED_OTHER:
    case SCHED_BATCH:
    case SCHED_IDLE:
        return priority == 0;
    default:
        return false;
    }
}

/* [proc_lock held] */
static int apply(struct proc *p, struct thread *t, const struct request *r)
{
    struct sched_attr *old = t ? &t->sched : &p->first_sched, new = *old;
    uint32_t policy = r->policy == POLICY_KEPT ? old->policy : r->policy;
    uint32_t priority = r->keep_params ? old->priority : r->priority;

    if (policy == SCHED_DEADLINE)
        return refuse_deadline(t, r);
    if (!is_valid(policy, priority))
        return -EINVAL;
    new.policy = (uint8_t)policy;
    new.priority = (uint8_t)priority;
    if (!r->keep_reset)
        new.reset_on_fork = r->reset_on_fork;
    if (r->nice != INT32_MIN && !sched_is_realtime(&new) && !r->keep_params)
        new.nice = (int8_t)r->nice;
    if (!capable(CAP_SYS_NICE) && !is_allowed(p, old, &new))
        return -EPERM;
    if (!t) {
        *old = new;
        return 0;
    }
    sched_set_attr(t, &new);
    futex_priority_changed(t);
    return 0;
}

static int set(uint32_t tid, const struct request *r)
{
    struct thread *t;
    struct proc *p;
    int err = -ESRCH;

    spin_lock(&proc_lock);
    p = proc_find_any((int32_t)tid, &t);
    if (p)
        err = apply(p, t, r);
    spin_unlock(&proc_lock);
    return err;
}

static long set_from_user(uint32_t tid, struct request *r, const void __user *uparam)
{
    if (!uparam || (int32_t)tid < 0)
        return -EINVAL;
    if (get_user_u32(&r->priority, uparam))
        return -EFAULT;
    r->nice = INT32_MIN;
    return set(tid, r);
}

long sys_sched_setscheduler(uint32_t tid, uint32_t policy, const void __user *uparam)
{
    struct request r = {.policy = policy & ~SCHED_RESET_ON_FORK,
                        .reset_on_fork = policy & SCHED_RESET_ON_FORK};

    return (int32_t)policy < 0 ? -EINVAL : set_from_user(tid, &r, uparam);
}

long sys_sched_setparam(uint32_t tid, const void __user *uparam)
{
    struct request r = {.policy = POLICY_KEPT, .keep_reset = true};

    return set_from_user(tid, &r, uparam);
}

/* A structure of another version: what is unknown must be zero. -E2BIG tells the size known. */
static int attr_from_user(struct user_sched_attr *a, void __user *uattr)
{
    uint32_t size;
    int err;

    if (get_user_u32(&size, uattr))
        return -EFAULT;
    if (!size)
        size = ATTR_SIZE_FIRST;
    if (size < ATTR_SIZE_FIRST || size > PAGE_SIZE)
        return put_user_u32(uattr, sizeof(*a)) ? -EFAULT : -E2BIG;
    err = copy_struct_from_user(a, sizeof(*a), uattr, size);
    if (err == -E2BIG && put_user_u32(uattr, sizeof(*a)))
        return -EFAULT;
    return err;
}

long sys_sched_setattr(uint32_t tid, void __user *uattr, uint32_t flags)
{
    struct user_sched_attr a;
    struct request r;
    int err;

    if (!uattr || (int32_t)tid < 0 || flags)
        return -EINVAL;
    err = attr_from_user(&a, uattr);
    if (err)
        return err;
    if ((int32_t)a.policy < 0 || (a.flags & ~(uint64_t)FLAGS_KNOWN))
        return -EINVAL;
    r = (struct request){
        .policy = a.flags & FLAG_KEEP_POLICY ? POLICY_KEPT : a.policy,
        .priority = a.priority,
        .reset_on_fork = a.flags & FLAG_RESET_ON_FORK,
        .keep_params = a.flags & FLAG_KEEP_PARAMS,
        .nice = a.nice < -20  ? -20
                : a.nice > 19 ? 19
                              : a.nice,
        .runtime = a.runtime,
        .deadline = a.deadline,
        .period = a.period,
    };
    return set(tid, &r);
}

/* ---- Reading ---- */

long sys_sched_getscheduler(uint32_t tid)
{
    struct sched_attr a;
    int err = (int32_t)tid < 0 ? -EINVAL : attr_get(tid, &a);

    return err ? err : (long)(a.policy | (a.reset_on_fork ? SCHED_RESET_ON_FORK : 0));
}

long sys_sched_getparam(uint32_t tid, void __user *uparam)
{
    struct sched_attr a;
    int err = !uparam || (int32_t)tid < 0 ? -EINVAL : attr_get(tid, &a);

    return err ? err : put_user_u32(uparam, a.priority);
}

long sys_sched_getattr(uint32_t tid, void __user *uattr, uint32_t size, uint32_t flags)
{
    struct user_sched_attr out;
    struct sched_attr a;
    int err;

    if (!uattr || (int32_t)tid < 0 || size > PAGE_SIZE || size < ATTR_SIZE_FIRST || flags)
        return -EINVAL;
    err = attr_get(tid, &a);
    if (err)
        return err;
    memset(&out, 0, sizeof(out));
    out.size = size < sizeof(out) ? size : sizeof(out);
    out.policy = a.policy;
    out.flags = a.reset_on_fork ? FLAG_RESET_ON_FORK : 0;
    out.priority = a.priority;
    out.nice = sched_is_realtime(&a) ? 0 : a.nice;
    return copy_to_user(uattr, &out, out.size);
}

long sys_sched_get_priority_max(uint32_t policy)
{
    if (policy == SCHED_DEADLINE)
        return 0;
    if (is_valid(policy, 1))
        return SCHED_PRIORITY_MAX;
    return is_valid(policy, 0) ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(uint32_t policy)
{
    if (policy == SCHED_DEADLINE)
        return 0;
    if (is_valid(policy, 1))
        return 1;
    return is_valid(policy, 0) ? 0 : -EINVAL;
}

static long rr_interval(uint32_t tid, void __user *uts, bool wide)
{
    struct sched_attr a;
    int err = (int32_t)tid < 0 ? -EINVAL : attr_get(tid, &a);

    return err ? err : timespec_put(uts, sched_slice(&a) * NSEC_PER_TICK, wide);
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
    struct thread *t;
    struct proc *p;
    uint32_t cpus;

    if (len < sizeof(uint32_t) || len % sizeof(uint32_t))
        return -EINVAL;
    spin_lock(&proc_lock);
    p = proc_find_any((int32_t)tid, &t);
    cpus = sched_cpus(t);
    spin_unlock(&proc_lock);
    if (!p)
        return -ESRCH;
    return put_user_u32(umask, cpus) ? -EFAULT : (long)sizeof(uint32_t);
}

long sys_sched_setaffinity(uint32_t tid, uint32_t len, const void __user *umask)
{
    struct thread *t;
    struct proc *p;
    uint32_t mask = 0, all = sched_cpus(NULL);
    int err;

    if (len >= sizeof(mask) ? get_user_u32(&mask, umask) : copy_from_user(&mask, umask, len))
        return -EFAULT;
    mask &= all;
    spin_lock(&proc_lock);
    p = proc_find_any((int32_t)tid, &t);
    err = !p ? -ESRCH : !proc_may_schedule(p) ? -EPERM : mask ? 0 : -EINVAL;
    if (!err && t)
        sched_set_cpus(t, mask == all ? UINT32_MAX : mask);
    spin_unlock(&proc_lock);
    if (!err)
        sched_point(); /* perhaps this one may not run here any more */
    return err;
}

long sys_getcpu(void __user *ucpu, void __user *unode)
{
    if (ucpu && put_user_u32(ucpu, cpu_self()->id))
        return -EFAULT;
    return unode ? put_user_u32(unode, 0) : 0;
}
