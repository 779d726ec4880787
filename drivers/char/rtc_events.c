/*
 * Events of the machine's clock, without its interrupt, which some machines have elsewhere: a
 * thread that is there once somebody has asked looks when they are due.
 *
 * The clock tells whole seconds. Where one begins is known to 5 ms once the thread has seen it: it
 * looks that often about the time when the next one should, and else sleeps.
 */
#include "drivers/char/rtc.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "fs/notify/owner.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

#define RTC_EVENT 0x80u
#define LOOK_NS   (5 * NSEC_PER_MSEC)

struct mutex rtc_lock = MUTEX_INIT(rtc_lock, MUTEX_RANK_CLOCK);
struct rtc_events rtc_events = {.rate = 1024}; /* [rtc_lock] */

static uint32_t edge;         /* [rtc_lock] a second whose beginning was seen; 0: none */
static uint64_t edge_ns;      /* [rtc_lock] and when */
static uint32_t last_second;  /* [rtc_lock] that was looked at, */
static uint64_t last_look_ns; /* [rtc_lock] and when */
static uint32_t update;       /* [rtc_lock] the second to tell of next */
static uint64_t period_since; /* [rtc_lock] periods up to then are told */
static uint32_t rate;         /* [rtc_lock] of these */

static struct thread *watcher;
static struct waitq kicked;
static bool changed; /* atomic */

static struct spinlock data_lock = SPINLOCK_INIT("rtc events", LOCK_RANK_FS);
static uint32_t data; /* [data_lock] how many, and of which kinds: as read(2) gives it */
static struct waitq readers;
static struct async_list async;

static void tell(uint32_t kind, uint32_t n)
{
    spin_lock(&data_lock);
    data = (data + (n << 8)) | RTC_EVENT | kind;
    spin_unlock(&data_lock);
    wake_all(&readers);
    async_tell(&async, POLL_IN);
}

/* ---- When what is due; all [rtc_lock] ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When to look whether the clock has come to a second. */
static uint64_t look_at(uint32_t second, uint32_t now, uint64_t now_ns)
{
    uint64_t at = now_ns + (second - now - 1) * NSEC_PER_SEC;

    if (edge)
        at = edge_ns + (second - edge) * NSEC_PER_SEC - LOOK_NS;
    return at > now_ns + LOOK_NS ? at : now_ns + LOOK_NS;
}

static uint64_t look_for_seconds(uint64_t now_ns)
{
    struct rtc_events *e = &rtc_events;
    uint64_t next = TIME_NEVER;
    uint32_t now = rtc_read();

    if (last_second && now == last_second + 1 && now_ns - last_look_ns <= 2 * LOOK_NS) {
        edge = now;
        edge_ns = now_ns;
    }
    last_second = now;
    last_look_ns = now_ns;
    if (e->updates && now >= update) {
        tell(RTC_UPDATE, 1);
        update = now + 1;
    }
    if (e->alarm_on && now >= e->alarm) {
        e->alarm_on = false;
        tell(RTC_ALARM, 1);
    }
    if (e->updates)
        next = look_at(update, now, now_ns);
    if (e->alarm_on)
        next = sooner(next, look_at(e->alarm, now, now_ns));
    return next;
}

static uint64_t count_periods(uint64_t now_ns)
{
    const uint64_t period = NSEC_PER_SEC / rate;
    uint32_t n = (uint32_t)((now_ns - period_since) / period);

    if (n)
        tell(RTC_PERIODIC, n);
    period_since += n * period;
    return period_since + period;
}

static uint64_t look(void)
{
    const uint64_t now_ns = time_mono_ns();
    uint64_t next = TIME_NEVER;

    if (rtc_events.updates || rtc_events.alarm_on)
        next = look_for_seconds(now_ns);
    if (rtc_events.periodic)
        next = sooner(next, count_periods(now_ns));
    return next;
}

static void watch_clock(void *arg)
{
    struct wait_entry e;
    uint64_t next;

    (void)arg;
    for (;;) {
        __atomic_store_n(&changed, false, __ATOMIC_SEQ_CST);
        mutex_lock(&rtc_lock);
        next = look();
        mutex_unlock(&rtc_lock);
        waitq_prepare(&kicked, &e, THREAD_SLEEPING);
        if (!__atomic_load_n(&changed, __ATOMIC_SEQ_CST))
            schedule_until(next);
        waitq_finish(&e);
    }
}

int rtc_events_changed(void)
{
    static bool had_updates, had_periods;
    const struct rtc_events *e = &rtc_events;

    if (!watcher)
        watcher = kthread_create("rtc", watch_clock, NULL);
    if (!watcher)
        return -ENOMEM;
    if (e->updates && !had_updates)
        update = rtc_read() + 1;
    if (e->periodic && (!had_periods || rate != e->rate)) {
        rate = e->rate;
        period_since = time_mono_ns();
    }
    had_updates = e->updates;
    had_periods = e->periodic;
    last_second = 0;
    __atomic_store_n(&changed, true, __ATOMIC_SEQ_CST);
    wake_all(&kicked);
    return 0;
}

void rtc_clock_set(void)
{
    edge = last_second = 0;
    update = rtc_read() + 1;
    if (watcher)
        (void)rtc_events_changed();
}

/* ---- Hearing of it ---- */

void rtc_forget_events(void)
{
    spin_lock(&data_lock);
    data = 0;
    spin_unlock(&data_lock);
}

static uint32_t take(void)
{
    uint32_t d;

    spin_lock(&data_lock);
    d = data;
    data = 0;
    spin_unlock(&data_lock);
    return d;
}

long rtc_events_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    uint32_t d;
    int err;

    (void)pos;
    if (len < sizeof(d))
        return -EINVAL;
    d = take();
    if (!d && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    if (!d) {
        err = wait_event_interruptible(&readers, (d = take()) != 0);
        if (err)
            return err;
    }
    return put_user_u32(ubuf, d) ? -EFAULT : (long)sizeof(d);
}

uint32_t rtc_events_poll(struct file *f, struct poll_table *pt)
{
    (void)f;
    poll_wait(pt, &readers);
    return read_once(data) ? POLLIN : 0;
}

struct async_list *rtc_events_async(struct file *f, bool out)
{
    (void)f;
    return out ? NULL : &async;
}

void rtc_events_init(void)
{
    waitq_init(&kicked);
    waitq_init(&readers);
    async_init(&async);
}
