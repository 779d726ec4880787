/*
 * What time it is. Monotonic time comes from the clock hardware; real time is that plus an offset,
 * which the RTC gives at boot and settimeofday changes.
 */
#include "kernel/time/time.h"
#include "arch/lock.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

static struct spinlock time_lock = SPINLOCK_INIT("time", LOCK_RANK_LEAF);
static uint64_t real_offset; /* [time_lock] real time at boot */
static uint32_t timezone[2]; /* minutes west, dst: kept for settimeofday's callers */

void time_init(void)
{
    time_set_real_ns(rtc_read() * NSEC_PER_SEC);
}

uint64_t time_mono_ns(void)
{
    return clock_mono_ns();
}

uint64_t time_real_ns(void)
{
    uint64_t offset;

    spin_lock(&time_lock);
    offset = real_offset;
    spin_unlock(&time_lock);
    return offset + clock_mono_ns();
}

void time_set_real_ns(uint64_t ns)
{
    uint64_t offset = ns - clock_mono_ns();

    spin_lock(&time_lock);
    real_offset = offset;
    spin_unlock(&time_lock);
}

uint32_t time_real_sec(void)
{
    return (uint32_t)(time_real_ns() / NSEC_PER_SEC);
}

uint64_t time_deadline(uint64_t ns)
{
    uint64_t now = clock_mono_ns();

    return ns < INT64_MAX - now ? now + ns : TIME_NEVER;
}

/* ---- User structures ---- */

int timespec_get(uint64_t *ns, const void __user *uptr, bool wide)
{
    struct timespec64 w;
    struct timespec32 n;

    if (wide) {
        if (copy_from_user(&w, uptr, sizeof(w)))
            return -EFAULT;
    } else {
        if (copy_from_user(&n, uptr, sizeof(n)))
            return -EFAULT;
        w.sec = n.sec;
        w.nsec = n.nsec;
    }
    if (w.sec < 0 || (uint32_t)w.nsec >= NSEC_PER_SEC)
        return -EINVAL;
    if (w.sec >= (int64_t)(INT64_MAX / NSEC_PER_SEC))
        *ns = INT64_MAX;
    else
        *ns = (uint64_t)w.sec * NSEC_PER_SEC + (uint32_t)w.nsec;
    return 0;
}

int timespec_put(void __user *uptr, uint64_t ns, bool wide)
{
    struct timespec64 w = {.sec = (int64_t)(ns / NSEC_PER_SEC)};
    struct timespec32 n;

    w.nsec = (int32_t)(ns - (uint64_t)w.sec * NSEC_PER_SEC);
    if (wide)
        return copy_to_user(uptr, &w, sizeof(w));
    n.sec = (int32_t)w.sec;
    n.nsec = w.nsec;
    return copy_to_user(uptr, &n, sizeof(n));
}

/* ---- Seconds and microseconds ---- */

long sys_time(void __user *uptr)
{
    uint32_t now = time_real_sec();

    if (uptr && put_user_u32(uptr, now))
        return -EFAULT;
    return (long)now;
}

long sys_stime(void __user *uptr)
{
    uint32_t sec;

    if (get_user_u32(&sec, uptr))
        return -EFAULT;
    if (!capable())
        return -EPERM;
    if ((int32_t)sec < 0)
        return -EINVAL;
    time_set_real_ns(sec * NSEC_PER_SEC);
    return 0;
}

long sys_gettimeofday(void __user *utv, void __user *utz)
{
    uint64_t now;
    struct timeval32 tv;

    if (utv) {
        now = time_real_ns();
        tv.sec = (int32_t)(now / NSEC_PER_SEC);
        tv.usec = (int32_t)(now - (uint32_t)tv.sec * NSEC_PER_SEC) / (int32_t)NSEC_PER_USEC;
        if (copy_to_user(utv, &tv, sizeof(tv)))
            return -EFAULT;
    }
    return utz ? copy_to_user(utz, timezone, sizeof(timezone)) : 0;
}

long sys_settimeofday(void __user *utv, void __user *utz)
{
    struct timeval32 tv;
    uint32_t tz[2];

    if (utv) {
        if (copy_from_user(&tv, utv, sizeof(tv)))
            return -EFAULT;
        if (tv.sec < 0 || tv.usec < 0 || tv.usec >= USEC_PER_SEC)
            return -EINVAL;
    }
    if (utz && copy_from_user(tz, utz, sizeof(tz)))
        return -EFAULT;
    if (!capable())
        return -EPERM;
    if (utz)
        memcpy(timezone, tz, sizeof(timezone));
    if (utv)
        time_set_real_ns((uint32_t)tv.sec * NSEC_PER_SEC + (uint32_t)tv.usec * NSEC_PER_USEC);
    return 0;
}
