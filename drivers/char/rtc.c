/*
 * /dev/rtc0: the clock of the machine, which runs while it is off. man 4 rtc
 *
 * It is read and set, and tells of an alarm, of its seconds, and at a rate: rtc_events.c.
 */
#include "drivers/char/rtc.h"
#include "arch/lock.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "fs/dev/devfs.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/init.h"
#include "kernel/cred/cred.h"
#include "kernel/thread/proc.h"
#include "libc/date.h"
#include "libc/errno.h"
#include "libc/string.h"

#define RTC_MAJOR    252u /* of those that Linux gives out as they are asked for */
#define RTC_AIE_ON   0x7001u
#define RTC_AIE_OFF  0x7002u
#define RTC_UIE_ON   0x7003u
#define RTC_UIE_OFF  0x7004u
#define RTC_PIE_ON   0x7005u
#define RTC_PIE_OFF  0x7006u
#define RTC_ALM_SET  0x40247007u
#define RTC_ALM_READ 0x80247008u
#define RTC_RD_TIME  0x80247009u
#define RTC_SET_TIME 0x4024700au
#define RTC_IRQP_GET 0x8004700bu
#define RTC_IRQP_SET 0x4004700cu
#define RTC_WKALM    0x4028700fu
#define RTC_WKALM_RD 0x80287010u

#define RATE_MAX    8192u
#define RATE_OF_ALL 64u /* without CAP_SYS_RESOURCE */
#define DAY         86400u

struct rtc_time { /* struct tm's beginning */
    int32_t sec, min, hour, mday, mon, year, wday, yday, isdst;
};
_Static_assert(sizeof(struct rtc_time) == 36, "Linux layout");

struct wake_alarm { /* struct rtc_wkalrm */
    uint8_t enabled, pending;
    struct rtc_time time;
};
_Static_assert(sizeof(struct wake_alarm) == 40, "Linux layout");

static bool is_open; /* [rtc_lock] one at a time */

static void fill(struct rtc_time *t, uint32_t seconds)
{
    struct date d = date_of(seconds / DAY);

    t->sec = (int32_t)(seconds % 60);
    t->min = (int32_t)(seconds / 60 % 60);
    t->hour = (int32_t)(seconds / 3600 % 24);
    t->mday = (int32_t)d.day;
    t->mon = (int32_t)d.month - 1;
    t->year = (int32_t)d.year - 1900;
    t->wday = (int32_t)((seconds / DAY + 4) % 7);
    t->yday = (int32_t)(seconds / DAY - days_since_1970(d.year, 1, 1));
}

static uint32_t seconds_now(void)
{
    uint32_t now;

    mutex_lock(&rtc_lock);
    now = rtc_read();
    mutex_unlock(&rtc_lock);
    return now;
}

static long read_time(void __user *uarg)
{
    struct rtc_time t = {0};
    uint32_t now = seconds_now();

    if (!now)
        return -EIO;
    fill(&t, now);
    return copy_to_user(uarg, &t, sizeof(t));
}

static bool in_range(int32_t n, int32_t least, int32_t most)
{
    return n >= least && n <= most;
}

static bool valid(const struct rtc_time *t)
{
    struct date d;

    if (!in_range(t->year, 70, 205) || !in_range(t->mon, 0, 11) || !in_range(t->mday, 1, 31) ||
        !in_range(t->hour, 0, 23) || !in_range(t->min, 0, 59) || !in_range(t->sec, 0, 59))
        return false;
    d = date_of(days_since_1970((uint32_t)t->year + 1900, (uint32_t)t->mon + 1, (uint32_t)t->mday));
    return d.day == (uint32_t)t->mday; /* else the month has no such day */
}

static uint32_t seconds_of(const struct rtc_time *t)
{
    uint32_t days =
        days_since_1970((uint32_t)t->year + 1900, (uint32_t)t->mon + 1, (uint32_t)t->mday);

    return days * DAY + (uint32_t)(t->hour * 3600 + t->min * 60 + t->sec);
}

static long set_time(const void __user *uarg)
{
    struct rtc_time t;

    if (!capable(CAP_SYS_TIME))
        return -EACCES;
    if (copy_from_user(&t, uarg, sizeof(t)))
        return -EFAULT;
    if (!valid(&t))
        return -EINVAL;
    mutex_lock(&rtc_lock);
    rtc_write(seconds_of(&t));
    rtc_clock_set();
    mutex_unlock(&rtc_lock);
    return 0;
}

/* ---- Events ---- */

static long set_alarm(uint32_t at, bool on)
{
    uint32_t was;
    bool was_on;
    long err;

    mutex_lock(&rtc_lock);
    was = rtc_events.alarm;
    was_on = rtc_events.alarm_on;
    rtc_events.alarm = at;
    rtc_events.alarm_on = on;
    err = rtc_events_changed();
    if (err) {
        rtc_events.alarm = was;
        rtc_events.alarm_on = was_on;
    }
    mutex_unlock(&rtc_lock);
    return err;
}

/* By the time of the day, within the next 24 hours; RTC_AIE_ON turns it on. */
static long set_daily_alarm(const void __user *uarg)
{
    uint32_t now = seconds_now(), at;
    struct rtc_time t, day;

    if (copy_from_user(&t, uarg, sizeof(t)))
        return -EFAULT;
    fill(&day, now);
    t.mday = day.mday;
    t.mon = day.mon;
    t.year = day.year;
    if (!valid(&t))
        return -EINVAL;
    at = seconds_of(&t);
    return set_alarm(at < now ? at + DAY : at, false);
}

static long set_wake_alarm(const void __user *uarg)
{
    struct wake_alarm a;

    if (copy_from_user(&a, uarg, sizeof(a)))
        return -EFAULT;
    if (!valid(&a.time))
        return -EINVAL;
    return set_alarm(seconds_of(&a.time), a.enabled);
}

static void alarm_now(struct wake_alarm *a)
{
    memset(a, 0, sizeof(*a));
    mutex_lock(&rtc_lock);
    a->enabled = rtc_events.alarm_on;
    fill(&a->time, rtc_events.alarm);
    mutex_unlock(&rtc_lock);
}

static long read_alarm(uint32_t cmd, void __user *uarg)
{
    struct wake_alarm a;

    alarm_now(&a);
    if (cmd == RTC_WKALM_RD)
        return copy_to_user(uarg, &a, sizeof(a));
    return copy_to_user(uarg, &a.time, sizeof(a.time));
}

static long turn(bool *what, bool on)
{
    bool was;
    long err;

    mutex_lock(&rtc_lock);
    was = *what;
    *what = on;
    err = on || was ? rtc_events_changed() : 0;
    if (err)
        *what = was;
    mutex_unlock(&rtc_lock);
    return err;
}

static bool rate_allowed(uint32_t hz)
{
    return hz <= RATE_OF_ALL || capable(CAP_SYS_RESOURCE);
}

static long set_rate(uint32_t hz)
{
    long err = 0;

    if (!rate_allowed(hz))
        return -EACCES;
    if (hz < 1 || hz > RATE_MAX)
        return -EINVAL;
    mutex_lock(&rtc_lock);
    rtc_events.rate = hz;
    if (rtc_events.periodic)
        err = rtc_events_changed();
    mutex_unlock(&rtc_lock);
    return err;
}

static long event_ioctl(uint32_t cmd, uint32_t arg)
{
    switch (cmd) {
    case RTC_AIE_ON:
    case RTC_AIE_OFF:
        return turn(&rtc_events.alarm_on, cmd == RTC_AIE_ON);
    case RTC_UIE_ON:
    case RTC_UIE_OFF:
        return turn(&rtc_events.updates, cmd == RTC_UIE_ON);
    case RTC_PIE_ON:
        return rate_allowed(rtc_events.rate) ? turn(&rtc_events.periodic, true) : -EACCES;
    case RTC_PIE_OFF:
        return turn(&rtc_events.periodic, false);
    case RTC_IRQP_GET:
        return put_user_u32((void __user *)arg, rtc_events.rate) ? -EFAULT : 0;
    case RTC_IRQP_SET:
        return set_rate(arg);
    default:
        return -ENOTTY;
    }
}

static long rtc_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    (void)f;
    switch (cmd) {
    case RTC_RD_TIME:
        return read_time((void __user *)arg);
    case RTC_SET_TIME:
        return set_time((const void __user *)arg);
    case RTC_ALM_READ:
    case RTC_WKALM_RD:
        return read_alarm(cmd, (void __user *)arg);
    case RTC_ALM_SET:
        return set_daily_alarm((const void __user *)arg);
    case RTC_WKALM:
        return set_wake_alarm((const void __user *)arg);
    default:
        return event_ioctl(cmd, arg);
    }
}

static int rtc_open(struct inode *inode, struct file *f)
{
    int err;

    (void)inode, (void)f;
    mutex_lock(&rtc_lock);
    err = is_open ? -EBUSY : 0;
    is_open = true;
    mutex_unlock(&rtc_lock);
    if (!err)
        rtc_forget_events();
    return err;
}

/* The alarm stays. */
static void rtc_release(struct file *f)
{
    (void)f;
    (void)turn(&rtc_events.updates, false);
    (void)turn(&rtc_events.periodic, false);
    mutex_lock(&rtc_lock);
    is_open = false;
    mutex_unlock(&rtc_lock);
}

static const struct file_ops rtc_ops = {
    .open = rtc_open,
    .release = rtc_release,
    .read = rtc_events_read,
    .plain_read = true,
    .poll = rtc_events_poll,
    .async = rtc_events_async,
    .ioctl = rtc_ioctl,
    .stream = true,
};

static void rtc_init(void)
{
    if (!rtc_read() || chrdev_register(RTC_MAJOR, "rtc", &rtc_ops))
        return;
    rtc_events_init();
    devfs_add("rtc0", S_IFCHR | 0600, MKDEV(RTC_MAJOR, 0));
}
INIT_AT(INIT_DEVICE, rtc_init);
