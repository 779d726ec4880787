/*
 * POSIX clocks: reading, setting, resolution, adjtimex.
 */
#include "kernel/time/clock.h"
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

static int cpu_clock_read(int32_t id, uint64_t *ns)
{
    struct cpu_clock c;

    if (cpu_clock_find(id, &c))
        return -EINVAL;
    return cpu_clock_now(&c, ns) ? -EINVAL : 0;
}

int clock_read(int32_t id, uint64_t *ns)
{
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *ns = time_real_ns();
        return 0;
    case CLOCK_REALTIME_COARSE: /* what files are stamped with */
        *ns = time_real_coarse_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = time_mono_ns();
        return 0;
    default:
        return clock_is_cpu(id) ? cpu_clock_read(id, ns) : -EINVAL;
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
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
        return -EOPNOTSUPP;
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
        return capable(CAP_WAKE_ALARM) ? 0 : -EPERM;
    default:
        return -EINVAL;
    }
}

/* ---- The calls ---- */

static long gettime(uint32_t id, void __user *uptr, bool wide)
{
    uint64_t ns;
    int ret = clock_read((int32_t)id, &ns);

    return ret ? ret : timespec_put(uptr, ns, wide);
}

/* A CPU clock that was asked for by its process says that it cannot be set; those with a number of
 * their own are no such thing, as on Linux. */
static long settime(uint32_t id, void __user *uptr, bool wide)
{
    const bool cpu = (int32_t)id < 0 && clock_is_cpu((int32_t)id);
    uint64_t ns;
    int ret;

    if (id != CLOCK_REALTIME && !cpu)
        return -EINVAL;
    ret = timespec_get(&ns, uptr, wide);
    if (cpu && ret != -EFAULT) {
        ret = cpu_clock_read((int32_t)id, &ns);
        return ret ? ret : -EPERM;
    }
    if (ret)
        return ret;
    if (!capable(CAP_SYS_TIME))
        return -EPERM;
    return time_set(ns);
}

static long getres(uint32_t id, void __user *uptr, bool wide)
{
    bool ticks = (int32_t)id < 0 && (id & 3) != 2; /* PROF, VIRT */
    bool coarse = id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE || ticks;
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
