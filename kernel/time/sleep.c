/*
 * nanosleep and clock_nanosleep. A relative sleep that a signal interrupts goes on with what is
 * left (restart_syscall) unless a handler ran; then it tells the remaining time.
 */
#include "kernel/time/clock.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

enum { ARG_REMAINING, ARG_WIDE }; /* of restart_args */

static long interrupted(struct thread *t, uint64_t until, void __user *uremaining, bool wide);

static long sleep_restart(struct thread *t)
{
    uint64_t until = t->sig.restart_until;

    if (sleep_until(until) == 0)
        return 0;
    return interrupted(t, until, (void __user *)t->sig.restart_args[ARG_REMAINING],
                       t->sig.restart_args[ARG_WIDE]);
}

static long interrupted(struct thread *t, uint64_t until, void __user *uremaining, bool wide)
{
    uint64_t now = time_mono_ns();

    if (now >= until)
        return 0;
    if (uremaining && timespec_put(uremaining, until - now, wide))
        return -EFAULT;
    t->sig.restart_fn = sleep_restart;
    t->sig.restart_until = until;
    t->sig.restart_args[ARG_REMAINING] = (uint32_t)uremaining;
    t->sig.restart_args[ARG_WIDE] = wide;
    return -ERESTART_RESTARTBLOCK;
}

static long sleep_relative(const void __user *ureq, void __user *urem, bool wide)
{
    uint64_t ns, until;
    int ret = timespec_get(&ns, ureq, wide);

    if (ret)
        return ret;
    until = time_deadline(ns);
    if (sleep_until(until) == 0)
        return 0;
    return interrupted(thread_current(), until, urem, wide);
}

/* ---- On CPU clocks ---- */

/* Until the clock shows that, or a signal: 0 or -EINTR. A clock that has gone stands still. */
static int sleep_on_cpu(const struct cpu_clock *c, uint64_t when)
{
    struct timer timer;

    timer_init_waker(&timer);
    (void)cpu_clock_start(c, &timer, when);
    return timer_await(&timer);
}

static long cpu_clock_sleep(int32_t id, uint32_t flags, const void __user *ureq, void __user *urem,
                            bool wide)
{
    struct cpu_clock c;
    uint64_t ns, now;
    int ret = cpu_clock_find(id, &c);

    if (!ret && c.thread && c.id == thread_current()->tid)
        ret = -EINVAL;
    if (ret)
        return ret;
    ret = timespec_get(&ns, ureq, wide);
    if (ret)
        return ret;
    if (cpu_clock_now(&c, &now))
        return -EINVAL;
    if (!(flags & TIMER_ABSTIME))
        ns += now;
    if (ns <= now || sleep_on_cpu(&c, ns) == 0)
        return 0;
    if (flags & TIMER_ABSTIME)
        return -ERESTARTNOHAND;
    (void)cpu_clock_now(&c, &now);
    if (urem && timespec_put(urem, ns > now ? ns - now : 0, wide))
        return -EFAULT;
    return -EINTR;
}

static long clock_sleep(int32_t id, uint32_t flags, const void __user *ureq, void __user *urem,
                        bool wide)
{
    uint64_t ns;
    int ret;

    if (id == CLOCK_THREAD_CPUTIME_ID)
        return -EOPNOTSUPP;
    if (clock_is_cpu(id))
        return cpu_clock_sleep(id, flags, ureq, urem, wide);
    ret = clock_can_wait(id);
    if (ret)
        return ret;
    if (!(flags & TIMER_ABSTIME))
        return sleep_relative(ureq, urem, wide);
    ret = timespec_get(&ns, ureq, wide);
    if (ret)
        return ret;
    if (clock_is_wall(id))
        return sleep_until_wall(ns) ? -ERESTARTNOHAND : 0;
    return sleep_until(ns) ? -ERESTARTNOHAND : 0;
}

long sys_nanosleep(const void __user *ureq, void __user *urem)
{
    return sleep_relative(ureq, urem, false);
}

long sys_clock_nanosleep(uint32_t id, uint32_t flags, const void __user *ureq, void __user *urem)
{
    return clock_sleep((int32_t)id, flags, ureq, urem, false);
}

long sys_clock_nanosleep_time64(uint32_t id, uint32_t flags, const void __user *ureq,
                                void __user *urem)
{
    return clock_sleep((int32_t)id, flags, ureq, urem, true);
}
