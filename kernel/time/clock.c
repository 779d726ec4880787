/*
 * POSIX clocks: reading, setting, resolution, adjtimex.
 */
#include "kernel/time/clock.h"
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

/* The clocks of other processes and threads are negative: ~id << 3 | per-thread << 2 | kind. */
#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_KINDS  3 /* 0 PROF, 1 VIRT, 2 SCHED */

static uint64_t thread_cpu_ns(struct thread *t)
{
    uint64_t user, system;

    thread_times(t, &user, &system);
    return user + system;
}

static uint64_t proc_cpu_ns(struct proc *p)
{
    struct rusage_counts u;

    proc_usage(p, &u);
    return u.user_ns + u.system_ns;
}

static uint64_t own_cpu_ns(bool thread)
{
    sched_charge_current();
    return thread ? thread_cpu_ns(thread_current()) : proc_cpu_ns(proc_current());
}

static int cpu_clock_read(int32_t id, uint64_t *ns)
{
    int32_t who = ~(id >> 3);
    bool per_thread = id & CPU_CLOCK_THREAD;
    struct thread *t;
    struct proc *p;
    int ret = -EINVAL;

    if ((id & 3) >= CPU_CLOCK_KINDS)
        return -EINVAL;
    if (who == 0) {
        *ns = own_cpu_ns(per_thread);
        return 0;
    }
    if (who == proc_current()->pid)
        sched_charge_current();
    spin_lock(&proc_lock);
    p = proc_find_any(who, &t);
    if (p && per_thread ? t && p == proc_current()
                        : p && (p->pid == who || t == thread_current())) {
        *ns = per_thread ? thread_cpu_ns(t) : proc_cpu_ns(p);
        ret = 0;
    }
    spin_unlock(&proc_lock);
    return ret;
}

int clock_read(int32_t id, uint64_t *ns)
{
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *ns = time_real_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = time_mono_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = own_cpu_ns(id == CLOCK_THREAD_CPUTIME_ID);
        return 0;
    default:
        return id < 0 ? cpu_clock_read(id, ns) : -EINVAL;
    }
}

int clock_can_wait(int32_t id)
{
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
        return -EOPNOTSUPP;
    default:
        return -EINVAL;
    }
}

uint64_t clock_to_mono(int32_t id, uint64_t ns)
{
    uint64_t mono, real;

    if (id != CLOCK_REALTIME && id != CLOCK_TAI)
        return ns;
    mono = time_mono_ns();
    real = time_real_ns();
    if (ns <= real)
        return real - ns < mono ? mono - (real - ns) : 0;
    return mono + (ns - real);
}

/* ---- The calls ---- */

static long gettime(uint32_t id, void __user *uptr, bool wide)
{
    uint64_t ns;
    int ret = clock_read((int32_t)id, &ns);

    return ret ? ret : timespec_put(uptr, ns, wide);
}

static long settime(uint32_t id, void __user *uptr, bool wide)
{
    uint64_t ns;
    int ret;

    if (id != CLOCK_REALTIME)
        return -EINVAL;
    ret = timespec_get(&ns, uptr, wide);
    if (ret)
        return ret;
    if (!capable())
        return -EPERM;
    time_set_real_ns(ns);
    return 0;
}

static long getres(uint32_t id, void __user *uptr, bool wide)
{
    bool coarse = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE;
    uint64_t ns;
    int ret = clock_read((int32_t)id, &ns);

    if (ret || !uptr)
        return ret;
    return timespec_put(uptr, coarse ? NSEC_PER_TICK : 1, wide);
}

long sys_clock_gettime(uint32_t id, void __user *uptr)
{
    return gettime(id, uptr, false);
}

long sys_clock_gettime64(uint32_t id, void __user *uptr)
{
    return gettime(id, uptr, true);
}

long sys_clock_settime(uint32_t id, void __user *uptr)
{
    return settime(id, uptr, false);
}

long sys_clock_settime64(uint32_t id, void __user *uptr)
{
    return settime(id, uptr, true);
}

long sys_clock_getres(uint32_t id, void __user *uptr)
{
    return getres(id, uptr, false);
}

long sys_clock_getres_time64(uint32_t id, void __user *uptr)
{
    return getres(id, uptr, true);
}

/* ---- adjtimex ---- */

#define STA_UNSYNC 0x0040
#define TIME_ERROR 5
#define TICK_USEC  10000

struct timex32 {
    uint32_t modes;
    int32_t offset, freq, maxerror, esterror, status, constant, precision, tolerance;
    struct timeval32 time;
    int32_t tick, pps[8], tai, reserved[11];
};

struct timex64 {
    uint32_t modes, pad1;
    int64_t offset, freq, maxerror, esterror;
    int32_t status, pad2;
    int64_t constant, precision, tolerance, sec, usec, tick, pps[3];
    int32_t shift, pad3;
    int64_t pps_counts[4];
    int32_t tai, reserved[11];
};

_Static_assert(sizeof(struct timex32) == 128, "timex");
_Static_assert(sizeof(struct timex64) == 208, "__kernel_timex");

/* The clock is never disciplined: what it would be set to is accepted from root and forgotten. */
static long adjust(void __user *uptr, bool wide)
{
    uint64_t now = time_real_ns();
    uint32_t sec = (uint32_t)(now / NSEC_PER_SEC);
    uint32_t usec = (uint32_t)(now - sec * NSEC_PER_SEC) / 1000;
    struct timex64 w;
    struct timex32 n;
    uint32_t modes;

    if (wide ? copy_from_user(&w, uptr, sizeof w) : copy_from_user(&n, uptr, sizeof n))
        return -EFAULT;
    modes = wide ? w.modes : n.modes;
    if (modes && !capable())
        return -EPERM;
    w = (struct timex64){.modes = modes, .status = STA_UNSYNC, .precision = 1, .tick = TICK_USEC};
    n = (struct timex32){.modes = modes, .status = STA_UNSYNC, .precision = 1, .tick = TICK_USEC};
    w.sec = n.time.sec = (int32_t)sec;
    w.usec = n.time.usec = (int32_t)usec;
    if (wide ? copy_to_user(uptr, &w, sizeof(w)) : copy_to_user(uptr, &n, sizeof(n)))
        return -EFAULT;
    return TIME_ERROR;
}

long sys_adjtimex(void __user *uptr)
{
    return adjust(uptr, false);
}

long sys_clock_adjtime(uint32_t id, void __user *uptr)
{
    return id == CLOCK_REALTIME ? adjust(uptr, false) : -EOPNOTSUPP;
}

long sys_clock_adjtime64(uint32_t id, void __user *uptr)
{
    return id == CLOCK_REALTIME ? adjust(uptr, true) : -EOPNOTSUPP;
}
