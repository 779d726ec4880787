/*
 * The interval timers of a process: REAL runs on the clock, VIRTUAL and PROF on CPU time, which the
 * scheduler's tick charges here; so does the CPU time limit.
 */
#include "arch/uaccess.h"
#include "kernel/time/clock.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"

#define ITIMER_REAL    0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF    2

struct itimerval32 {
    struct timeval32 interval, value;
};

struct setting { /* ns; value 0: off */
    uint64_t interval, value;
};

/* ---- CPU time ---- */

/* Whether it expired. */
static bool count_down(uint64_t *left, uint64_t interval, uint64_t ns)
{
    if (*left == 0)
        return false;
    if (*left > ns) {
        *left -= ns;
        return false;
    }
    *left = interval;
    return true;
}

/* man 2 getrlimit: SIGXCPU every second over the soft limit, SIGKILL at the hard one. */
static void check_cpu_limit(struct proc *p)
{
    struct rlimit32 *limit = &p->rlimits[RLIMIT_CPU];
    struct rusage_counts u;
    uint32_t sec;

    proc_usage(p, &u);
    sec = (uint32_t)((u.user_ns + u.system_ns) / NSEC_PER_SEC);
    if (sec >= limit->max) {
        signal_send_proc(p, SIGKILL, NULL);
    } else if (sec >= limit->cur) {
        limit->cur = sec + 1;
        signal_send_proc(p, SIGXCPU, NULL);
    }
}

void signal_charge_cpu(struct thread *t, uint64_t ns, bool user)
{
    struct proc *p = t->proc;
    struct signal_shared *s = &p->sig;
    bool virt = false, prof = false;

    if (s->virt_left || s->prof_left) {
        spin_lock(&p->handlers->lock);
        virt = user && count_down(&s->virt_left, s->virt_interval, ns);
        prof = count_down(&s->prof_left, s->prof_interval, ns);
        spin_unlock(&p->handlers->lock);
    }
    if (virt)
        signal_send_proc(p, SIGVTALRM, NULL);
    if (prof)
        signal_send_proc(p, SIGPROF, NULL);
    cpu_clocks_tick();
    if (p->rlimits[RLIMIT_CPU].cur != UINT32_MAX)
        check_cpu_limit(p);
}

/* ---- Setting ---- */

static struct setting real_get(struct signal_shared *s)
{
    struct setting r = {.interval = s->real_interval};
    uint64_t now = time_mono_ns();

    if (s->real_timer.armed) /* due but not yet fired counts as a little left */
        r.value = s->real_timer.when > now ? s->real_timer.when - now : NSEC_PER_USEC;
    return r;
}

/* A signal that waits starts the timer again only while there is an interval. */
static void set_interval(struct proc *p, uint64_t interval)
{
    spin_lock(&p->handlers->lock);
    p->sig.real_interval = interval;
    spin_unlock(&p->handlers->lock);
}

static struct setting real_set(struct proc *p, const struct setting *new)
{
    struct signal_shared *s = &p->sig;
    struct setting old = real_get(s);

    set_interval(p, 0);
    timer_cancel(&s->real_timer);
    set_interval(p, new->interval);
    if (new->value)
        timer_start(&s->real_timer, time_deadline(new->value));
    return old;
}

static struct setting cpu_exchange(struct proc *p, uint64_t *left, uint64_t *interval,
                                   const struct setting *new)
{
    struct setting old;

    spin_lock(&p->handlers->lock);
    old = (struct setting){*interval, *left};
    if (new) {
        *interval = new->interval;
        *left = new->value;
    }
    spin_unlock(&p->handlers->lock);
    return old;
}

/* new NULL: only looks. which is valid. */
static struct setting exchange(uint32_t which, const struct setting *new)
{
    struct proc *p = proc_current();
    struct signal_shared *s = &p->sig;

    switch (which) {
    case ITIMER_REAL:
        return new ? real_set(p, new) : real_get(s);
    case ITIMER_VIRTUAL:
        return cpu_exchange(p, &s->virt_left, &s->virt_interval, new);
    default:
        return cpu_exchange(p, &s->prof_left, &s->prof_interval, new);
    }
}

static int timeval_to_ns(uint64_t *ns, const struct timeval32 *tv)
{
    if (tv->sec < 0 || tv->usec < 0 || tv->usec >= USEC_PER_SEC)
        return -EINVAL;
    *ns = (uint32_t)tv->sec * NSEC_PER_SEC + (uint32_t)tv->usec * NSEC_PER_USEC;
    return 0;
}

/* Rounded up, so that what still runs is never shown as 0. */
static struct timeval32 ns_to_timeval(uint64_t ns)
{
    uint64_t sec, usec = (ns + NSEC_PER_USEC - 1) / NSEC_PER_USEC;

    sec = usec / USEC_PER_SEC;
    return (struct timeval32){(int32_t)sec, (int32_t)(usec - sec * USEC_PER_SEC)};
}

static int put_setting(void __user *uptr, const struct setting *s)
{
    struct itimerval32 v = {ns_to_timeval(s->interval), ns_to_timeval(s->value)};

    return copy_to_user(uptr, &v, sizeof(v));
}

long sys_getitimer(uint32_t which, void __user *uptr)
{
    struct setting s;

    if (which > ITIMER_PROF)
        return -EINVAL;
    s = exchange(which, NULL);
    return put_setting(uptr, &s);
}

long sys_setitimer(uint32_t which, void __user *unew, void __user *uold)
{
    struct setting new = {0, 0}, old;
    struct itimerval32 v;

    if (unew) {
        if (copy_from_user(&v, unew, sizeof(v)))
            return -EFAULT;
        if (timeval_to_ns(&new.value, &v.value) || timeval_to_ns(&new.interval, &v.interval))
            return -EINVAL;
    }
    if (which > ITIMER_PROF)
        return -EINVAL;
    old = exchange(which, &new);
    return uold ? put_setting(uold, &old) : 0;
}

/* The remaining seconds of the one before, rounded as Linux does: never 0 while it runs. */
long sys_alarm(uint32_t seconds)
{
    struct setting new = {0, seconds * NSEC_PER_SEC}, old = exchange(ITIMER_REAL, &new);
    struct timeval32 left = ns_to_timeval(old.value);

    if ((left.sec == 0 && left.usec) || left.usec >= USEC_PER_SEC / 2)
        left.sec++;
    return left.sec;
}
