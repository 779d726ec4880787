/*
 * /dev/rtc0: the clock of the machine, which runs while it is off. man 4 rtc
 *
 * It is read and set. There are no interrupts of it: whoever wants to be told of seconds and alarms
 * (EINVAL) looks at it again and again, as hwclock does.
 */
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

#define RTC_MAJOR    252u    /* of those that Linux gives out as they are asked for */
#define RTC_FIRST    0x7001u /* without an argument: AIE_ON to WIE_OFF, and alarms that are none */
#define RTC_LAST     0x7010u
#define RTC_ALM_SET  0x40247007u
#define RTC_ALM_READ 0x80247008u
#define RTC_RD_TIME  0x80247009u
#define RTC_SET_TIME 0x4024700au

struct rtc_time { /* struct tm's beginning */
    int32_t sec, min, hour, mday, mon, year, wday, yday, isdst;
};
_Static_assert(sizeof(struct rtc_time) == 36, "Linux layout");

static struct mutex rtc_lock = MUTEX_INIT(rtc_lock, MUTEX_RANK_CLOCK);
static bool is_open; /* [rtc_lock] one at a time */

static long read_time(void __user *uarg)
{
    struct rtc_time t = {0};
    struct date d;
    uint32_t now;

    mutex_lock(&rtc_lock);
    now = rtc_read();
    mutex_unlock(&rtc_lock);
    if (!now)
        return -EIO;
    d = date_of(now / 86400);
    t.sec = (int32_t)(now % 60);
    t.min = (int32_t)(now / 60 % 60);
    t.hour = (int32_t)(now / 3600 % 24);
    t.mday = (int32_t)d.day;
    t.mon = (int32_t)d.month - 1;
    t.year = (int32_t)d.year - 1900;
    t.wday = (int32_t)((now / 86400 + 4) % 7);
    t.yday = (int32_t)(now / 86400 - days_since_1970(d.year, 1, 1));
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

static long set_time(const void __user *uarg)
{
    struct rtc_time t;
    uint32_t days;

    if (!capable(CAP_SYS_TIME))
        return -EACCES;
    if (copy_from_user(&t, uarg, sizeof(t)))
        return -EFAULT;
    if (!valid(&t))
        return -EINVAL;
    days = days_since_1970((uint32_t)t.year + 1900, (uint32_t)t.mon + 1, (uint32_t)t.mday);
    mutex_lock(&rtc_lock);
    rtc_write(days * 86400 + (uint32_t)(t.hour * 3600 + t.min * 60 + t.sec));
    mutex_unlock(&rtc_lock);
    return 0;
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
    case RTC_ALM_SET:
        return -EINVAL;
    default:
        return cmd >= RTC_FIRST && cmd <= RTC_LAST ? -EINVAL : -ENOTTY;
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
    return err;
}

static void rtc_release(struct file *f)
{
    (void)f;
    mutex_lock(&rtc_lock);
    is_open = false;
    mutex_unlock(&rtc_lock);
}

static const struct file_ops rtc_ops = {
    .open = rtc_open,
    .release = rtc_release,
    .ioctl = rtc_ioctl,
    .stream = true,
};

static void rtc_init(void)
{
    if (!rtc_read() || chrdev_register(RTC_MAJOR, "rtc", &rtc_ops))
        return;
    devfs_add("rtc0", S_IFCHR | 0600, MKDEV(RTC_MAJOR, 0));
}
INIT_AT(INIT_DEVICE, rtc_init);
