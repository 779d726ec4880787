/*
 * syslog(2). Its readers share one position, read_pos; clear_pos is where the last clear was. Both
 * are positions of the log (kernel/base/log.h), which checks them whatever they are: readers that
 * race see a record twice or not at all, as on Linux.
 */
#include "fs/dev/syslog.h"
#include "arch/uaccess.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

#define POLL_NS (NSEC_PER_SEC / 10)

static uint32_t read_pos, clear_pos;
static int saved_level; /* of the consoles, while they are off; 0: they are not */

/* pos, or the oldest record if that one is gone. */
static uint32_t still_there(uint32_t pos)
{
    uint32_t oldest = log_oldest();

    return (int32_t)(pos - oldest) < 0 ? oldest : pos;
}

/* Copies whole records from *pos to stop, at most len bytes, to user memory; returns the bytes. */
static int copy_records(uint32_t *pos, uint32_t stop, char __user *ubuf, int len)
{
    char record[LOG_RECORD_MAX];
    int done = 0;

    for (;;) {
        uint32_t end = *pos;
        int n = log_next_record(&end, record, sizeof(record));

        if (n == 0 || (int32_t)(end - stop) > 0 || n > len - done)
            return done;
        if (copy_to_user(ubuf + done, record, (size_t)n))
            return done ? done : -EFAULT;
        *pos = end;
        done += n;
    }
}

/* Types 3 and 4: the newest records since the last clear that fit. */
static int read_all(char __user *ubuf, int len, bool clear)
{
    char record[LOG_RECORD_MAX];
    uint32_t stop = log_newest(), pos = still_there(clear_pos);
    int n;

    while (stop - pos > (uint32_t)len)
        if (log_next_record(&pos, record, sizeof(record)) == 0)
            break;
    n = copy_records(&pos, stop, ubuf, len);
    if (clear)
        clear_pos = stop;
    return n;
}

/* Type 2: waits for a record. klog cannot wake anybody, since it may be called under any lock; so
 * look ten times a second. */
static int read_next(char __user *ubuf, int len)
{
    while (still_there(read_pos) == log_newest()) {
        if (sleep_until(time_mono_ns() + POLL_NS))
            return -ERESTARTSYS;
    }
    return copy_records(&read_pos, log_newest(), ubuf, len);
}

static int set_level(int level)
{
    if (level < 1 || level > LOG_LEVEL_ALL)
        return -EINVAL;
    saved_level = 0;
    log_set_level(level);
    return 0;
}

static void consoles_off(void)
{
    if (!saved_level)
        saved_level = log_level();
    log_set_level(1);
}

static void consoles_on(void)
{
    if (saved_level)
        log_set_level(saved_level);
    saved_level = 0;
}

uint32_t log_restricted;

int log_syslog(int type, char __user *ubuf, int len)
{
    bool reads = type >= 2 && type <= 4;

    if (((type != 3 && type != 10) || log_restricted) && !capable(CAP_SYSLOG))
        return -EPERM;
    if (reads && (!ubuf || len < 0))
        return -EINVAL;
    if (reads && len == 0)
        return 0;
    if (reads && !user_range_ok(ubuf, (size_t)len))
        return -EFAULT;
    switch (type) {
    case 0:
    case 1:
        return 0;
    case 2:
        return read_next(ubuf, len);
    case 3:
    case 4:
        return read_all(ubuf, len, type == 4);
    case 5:
        clear_pos = log_newest();
        return 0;
    case 6:
        consoles_off();
        return 0;
    case 7:
        consoles_on();
        return 0;
    case 8:
        return set_level(len);
    case 9:
        return (int)(log_newest() - still_there(read_pos));
    case 10:
        return LOG_RING_SIZE;
    default:
        return -EINVAL;
    }
}

long sys_syslog(uint32_t type, void __user *ubuf, uint32_t len)
{
    return log_syslog((int)type, (char __user *)ubuf, (int)len);
}
