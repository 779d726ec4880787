/* Resource use and limits: getrusage, times, getrlimit and kin. */
#include "arch/uaccess.h"
#include "fs/vfs/limits.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "kernel/process/rusage.h"
#include "libc/errno.h"
#include "libc/string.h"

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD   1

/* ---- Use ---- */

struct timeval32 timeval_of(uint64_t ns)
{
    uint32_t us = (uint32_t)(ns % NSEC_PER_SEC) / 1000;

    return (struct timeval32){(int32_t)(ns / NSEC_PER_SEC), (int32_t)us};
}

void rusage_pack(struct user_rusage *out, const struct rusage_counts *in)
{
    memset(out, 0, sizeof(*out));
    out->utime = timeval_of(in->user_ns);
    out->stime = timeval_of(in->system_ns);
    out->maxrss = (int32_t)(in->max_resident * (PAGE_SIZE / 1024));
    out->minflt = (int32_t)in->minor_faults;
    out->majflt = (int32_t)in->major_faults;
    out->nvcsw = (int32_t)in->voluntary;
    out->nivcsw = (int32_t)in->involuntary;
}

static void usage_of_process(struct proc *p, struct rusage_counts *u)
{
    struct vm_space_stats s;

    spin_lock(&proc_lock);
    proc_usage(p, u);
    spin_unlock(&proc_lock);
    if (!p->space)
        return;
    vm_space_stats(p->space, &s);
    if (s.peak_resident > u->max_resident)
        u->max_resident = s.peak_resident;
}

static void usage_of_thread(struct thread *t, struct rusage_counts *u)
{
    memset(u, 0, sizeof(*u));
    sched_charge_current();
    thread_add_usage(u, t);
}

long sys_getrusage(uint32_t who, void __user *uusage)
{
    struct proc *p = proc_current();
    struct rusage_counts u;
    struct user_rusage out;

    if ((int)who == RUSAGE_SELF)
        usage_of_process(p, &u);
    else if ((int)who == RUSAGE_CHILDREN)
        u = p->child_usage;
    else if ((int)who == RUSAGE_THREAD)
        usage_of_thread(thread_current(), &u);
    else
        return -EINVAL;
    rusage_pack(&out, &u);
    return copy_to_user(uusage, &out, sizeof(out));
}

/* clock_t counts HZ to the second, as USER_HZ. */
static int32_t ticks(uint64_t ns)
{
    return (int32_t)(ns / NSEC_PER_TICK);
}

long sys_times(void __user *ubuf)
{
    struct proc *p = proc_current();
    struct rusage_counts u;

    if (ubuf) {
        spin_lock(&proc_lock);
        proc_usage(p, &u);
        spin_unlock(&proc_lock);
        int32_t out[4] = {ticks(u.user_ns), ticks(u.system_ns), ticks(p->child_usage.user_ns),
                          ticks(p->child_usage.system_ns)};
        if (copy_to_user(ubuf, out, sizeof(out)))
            return -EFAULT;
    }
    /* Programs take any value: it must not look like an error, so it stays positive. */
    return (long)((uint32_t)ticks(time_mono_ns()) & 0x7fffffff);
}

/* ---- Limits ---- */

/* Checks and stores a new limit of p, which is the caller or may be changed by it. */
static int set_limit(struct proc *p, uint32_t which, const struct rlimit32 *new)
{
    struct rlimit32 *l = &p->rlimits[which];

    if (new->cur > new->max)
        return -EINVAL;
    if (which == RLIMIT_NOFILE && new->max > fs_limits.nr_open)
        return -EPERM;
    if (new->max > l->max && !capable(CAP_SYS_RESOURCE))
        return -EPERM;
    *l = *new;
    if (which == RLIMIT_STACK || which == RLIMIT_DATA || which == RLIMIT_AS) {
        struct vm_space *s = proc_get_space(p);

        if (s) {
            proc_apply_vm_limits(p, s);
            vm_space_unref(s);
        }
    }
    return 0;
}

long sys_ugetrlimit(uint32_t which, void __user *ulimit)
{
    if (which >= RLIM_NLIMITS)
        return -EINVAL;
    return copy_to_user(ulimit, &proc_current()->rlimits[which], sizeof(struct rlimit32));
}

/* The old call: infinity is the largest positive number. */
long sys_getrlimit(uint32_t which, void __user *ulimit)
{
    struct rlimit32 l;

    if (which >= RLIM_NLIMITS)
        return -EINVAL;
    l = proc_current()->rlimits[which];
    if (l.cur > INT32_MAX)
        l.cur = INT32_MAX;
    if (l.max > INT32_MAX)
        l.max = INT32_MAX;
    return copy_to_user(ulimit, &l, sizeof(l));
}

long sys_setrlimit(uint32_t which, void __user *ulimit)
{
    struct rlimit32 l;

    if (copy_from_user(&l, ulimit, sizeof(l)))
        return -EFAULT;
    if (which >= RLIM_NLIMITS)
        return -EINVAL;
    return set_limit(proc_current(), which, &l);
}

struct rlimit64 {
    uint64_t cur, max;
};

static uint64_t limit_to_64(uint32_t v)
{
    return v == UINT32_MAX ? UINT64_MAX : v;
}

static uint32_t limit_from_64(uint64_t v)
{
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static bool may_limit(const struct proc *p)
{
    const struct cred *c = &proc_current()->cred, *o = &p->cred;

    return p == proc_current() || capable(CAP_SYS_RESOURCE) ||
           (c->uid == o->uid && c->uid == o->euid && c->uid == o->suid && c->gid == o->gid &&
            c->gid == o->egid && c->gid == o->sgid);
}

/* [proc_lock held] */
static struct proc *find_limited(int32_t pid, int *err)
{
    struct thread *t;
    struct proc *p = proc_find_any(pid, &t);

    *err = !p ? -ESRCH : may_limit(p) ? 0 : -EPERM;
    return p;
}

long sys_prlimit64(uint32_t pid, uint32_t which, void __user *unew, void __user *uold)
{
    struct rlimit64 new, old;
    struct rlimit32 l = {0};
    struct proc *p;
    int err;

    if (which >= RLIM_NLIMITS)
        return -EINVAL;
    if (unew) {
        if (copy_from_user(&new, unew, sizeof(new)))
            return -EFAULT;
        l = (struct rlimit32){limit_from_64(new.cur), limit_from_64(new.max)};
    }
    spin_lock(&proc_lock);
    p = find_limited((int32_t)pid, &err);
    if (!err)
        old = (struct rlimit64){limit_to_64(p->rlimits[which].cur),
                                limit_to_64(p->rlimits[which].max)};
    spin_unlock(&proc_lock);
    /* p cannot go away: nothing here sleeps, and the kernel is not preempted. */
    if (!err && unew)
        err = set_limit(p, which, &l);
    if (!err && uold && copy_to_user(uold, &old, sizeof(old)))
        err = -EFAULT;
    return err;
}
