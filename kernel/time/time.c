/*
 * What time it is. Monotonic time comes from the clock hardware; real time is that plus an offset,
 * which the RTC gives at boot and settimeofday changes.
 */
#include "kernel/time/time.h"
#include "arch/clock_page.h"
#include "arch/lock.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/div64.h"
#include "libc/errno.h"
#include "libc/string.h"

static struct spinlock time_lock = SPINLOCK_INIT("time", LOCK_RANK_LEAF);
static uint64_t real_offset; /* [time_lock] real time at boot */
static uint32_t own_timezone[2];
static uint32_t *timezone = own_timezone; /* minutes west, dst: kept for settimeofday's callers */

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

uint64_t time_real_coarse_ns(void)
{
    const struct clock_moment now = clock_real_coarse();

    return now.sec * NSEC_PER_SEC + now.nsec;
}

static void set_offset(uint64_t real_ns)
{
    uint64_t offset = real_ns - clock_mono_ns();

    spin_lock(&time_lock);
    real_offset = offset;
    spin_unlock(&time_lock);
    clock_publish_real(offset);
}

void time_publish(struct clock_page *page)
{
    page->coarse_step = NSEC_PER_TICK;
    timezone = page->timezone;
    clock_publish(page);
}

void time_init(void)
{
    set_offset(rtc_read() * NSEC_PER_SEC);
}

/* ---- Who wants to know that the clock was set ---- */

static struct spinlock clock_watch_lock = SPINLOCK_INIT("clock watches", LOCK_RANK_FS - 1);
static struct list clock_watches = LIST_INIT(clock_watches); /* [clock_watch_lock] */
static uint32_t settings;                                    /* [clock_watch_lock] */

void clock_watch(struct clock_watch *w, bool on)
{
    spin_lock(&clock_watch_lock);
    list_remove(&w->link);
    w->settings = settings;
    if (on)
        list_add_tail(&clock_watches, &w->link);
    spin_unlock(&clock_watch_lock);
}

/* One at a time: those that were told go to the end. */
static void tell_watches(void)
{
    struct clock_watch *w = NULL;

    spin_lock(&clock_watch_lock);
    settings++;
    do {
        w = list_empty(&clock_watches) ? NULL
                                       : list_first_entry(&clock_watches, struct clock_watch, link);
        if (w && w->settings == settings)
            w = NULL;
        if (w) {
            w->settings = settings;
            list_remove(&w->link);
            list_add_tail(&clock_watches, &w->link);
            w->set(w);
        }
        spin_unlock(&clock_watch_lock);
        spin_lock(&clock_watch_lock);
    } while (w);
    spin_unlock(&clock_watch_lock);
}

void time_set_real_ns(uint64_t ns)
{
    static struct mutex setting = MUTEX_INIT(setting, MUTEX_RANK_CLOCK);

    mutex_lock(&setting);
    timers_clock_set(set_offset, ns);
    tell_watches();
    mutex_unlock(&setting);
}

uint32_t time_real_sec(void)
{
    return clock_real_coarse().sec;
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

static uint64_t split_ns(uint64_t ns, uint32_t *nsec)
{
    uint64_t sec;

    if (__builtin_expect(ns >> 32 < NSEC_PER_SEC, 1)) /* 136 years */
        return divide_narrow(ns, (uint32_t)NSEC_PER_SEC, nsec);
    sec = ns / NSEC_PER_SEC;
    *nsec = (uint32_t)(ns - sec * NSEC_PER_SEC);
    return sec;
}

int timespec_put(void __user *uptr, uint64_t ns, bool wide)
{
    struct timespec32 __user *narrow = uptr;
    uint32_t nsec;
    uint64_t sec = split_ns(ns, &nsec);

    if (wide)
        return copy_to_user(uptr, &(struct timespec64){.sec = (int64_t)sec, .nsec = (int32_t)nsec},
                            sizeof(struct timespec64));
    return put_user_u32(&narrow->sec, (uint32_t)sec) || put_user_u32(&narrow->nsec, nsec) ? -EFAULT
                                                                                          : 0;
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
    if (!capable(CAP_SYS_TIME))
        return -EPERM;
    if ((int32_t)sec < 0)
        return -EINVAL;
    return time_set(sec * NSEC_PER_SEC);
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
    return utz ? copy_to_user(utz, timezone, sizeof(own_timezone)) : 0;
}

#define ZONE_MINUTES (15 * 60) /* no place is farther from Greenwich */

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
    if (!capable(CAP_SYS_TIME))
        return -EPERM;
    if (utz && ((int32_t)tz[0] > ZONE_MINUTES || (int32_t)tz[0] < -ZONE_MINUTES))
        return -EINVAL;
    if (utz)
        memcpy(timezone, tz, sizeof(tz));
    return utv ? time_set((uint32_t)tv.sec * NSEC_PER_SEC + (uint32_t)tv.usec * NSEC_PER_USEC) : 0;
}
