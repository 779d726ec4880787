/*
 * timerfd: a timer that is read, man 2 timerfd_create.
 */
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "kernel/time/clock.h"
#include "kernel/time/time.h"

#define TFD_TIMER_ABSTIME       1u
#define TFD_TIMER_CANCEL_ON_SET 2u

struct timerfd {
    struct spinlock lock; /* LOCK_RANK_FS */
    int32_t clock;
    uint64_t expirations; /* [lock] not yet read */
    uint64_t interval;    /* [lock] */
    bool waits;           /* [lock] it has expired and is periodic: starts again when it is asked */
    struct timer timer;
    struct clock_watch watch; /* TFD_TIMER_CANCEL_ON_SET */
    bool cancelled;           /* [lock] the clock was set, which nobody has been told yet */
    struct waitq queue;
};

struct timerfd_setting { /* ns; value 0: off */
    uint64_t interval, value;
};

static void expired(void *arg)
{
    struct timerfd *t = arg;

    spin_lock(&t->lock);
    t->expirations++;
    t->waits = t->interval != 0;
    spin_unlock(&t->lock);
    wake_all(&t->queue);
}

/* [lock held] Counts the periods since it expired, and goes on. */
static void go_on(struct timerfd *t)
{
    if (t->waits)
        t->expirations += timer_forward(&t->timer, t->interval);
    t->waits = false;
}

static void clock_was_set(struct clock_watch *w)
{
    struct timerfd *t = container_of(w, struct timerfd, watch);

    spin_lock(&t->lock);
    t->cancelled = true;
    t->expirations++;
    spin_unlock(&t->lock);
    wake_all(&t->queue);
}

/* How often it has expired; *cancelled: instead, the clock was set. */
static uint64_t take_expirations(struct timerfd *t, bool *cancelled)
{
    uint64_t n;

    spin_lock(&t->lock);
    go_on(t);
    n = t->expirations;
    *cancelled = t->cancelled;
    t->expirations = 0;
    t->cancelled = false;
    spin_unlock(&t->lock);
    return n;
}

static long timerfd_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct timerfd *t = f->private;
    bool cancelled;
    uint64_t n;
    int ret;

    (void)pos;
    if (len < sizeof(n))
        return -EINVAL;
    n = take_expirations(t, &cancelled);
    if (!n && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    if (!n) {
        ret = wait_event_interruptible(&t->queue, (n = take_expirations(t, &cancelled)) != 0);
        if (ret)
            return ret;
    }
    if (cancelled)
        return -ECANCELED;
    return copy_to_user(ubuf, &n, sizeof(n)) ? -EFAULT : (long)sizeof(n);
}

static uint32_t timerfd_poll(struct file *f, struct poll_table *pt)
{
    struct timerfd *t = f->private;
    bool ready;

    poll_wait(pt, &t->queue);
    spin_lock(&t->lock);
    ready = t->expirations != 0;
    spin_unlock(&t->lock);
    return ready ? POLLIN : 0;
}

static void timerfd_release(struct file *f)
{
    struct timerfd *t = f->private;

    clock_watch(&t->watch, false);
    timer_cancel(&t->timer);
    kmfree(t);
}

static const struct file_ops timerfd_file_ops = {
    .release = timerfd_release,
    .read = timerfd_read,
    .plain_read = true,
    .poll = timerfd_poll,
    .name = "[timerfd]",
    .stream = true,
    .seek = seek_nowhere,
};

long sys_timerfd_create(uint32_t clock, uint32_t flags)
{
    struct timerfd *t;

    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) ||
        (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
         !clock_is_alarm((int32_t)clock)))
        return -EINVAL;
    if (clock_is_alarm((int32_t)clock) && !capable(CAP_WAKE_ALARM))
        return -EPERM;
    t = kzalloc(sizeof(*t));
    if (!t)
        return -ENOMEM;
    spin_init(&t->lock, "timerfd", LOCK_RANK_FS);
    t->clock = (int32_t)clock;
    timer_init(&t->timer, expired, t);
    list_init(&t->watch.link);
    t->watch.set = clock_was_set;
    waitq_init(&t->queue);
    return anon_fd(&timerfd_file_ops, t, O_RDWR | flags);
}

/* ---- Setting ---- */

/* [t->lock held] */
static struct timerfd_setting current_setting(struct timerfd *t)
{
    struct timerfd_setting s = {.interval = t->interval};
    uint64_t now = time_mono_ns();

    go_on(t);
    if (t->timer.armed)
        s.value = t->timer.when > now ? t->timer.when - now : 1;
    return s;
}

/* [t->lock held] Restarts it, when it is to run at all. */
static void start(struct timerfd *t, uint64_t value, bool absolute)
{
    t->timer.wall = false;
    if (value && absolute && clock_is_wall(t->clock))
        timer_start_wall(&t->timer, value);
    else if (value)
        timer_start(&t->timer, absolute ? value : time_deadline(value));
}

/* *cancelled: the clock was set since that was asked for the last time. */
static struct timerfd_setting exchange(struct timerfd *t, const struct timerfd_setting *new,
                                       uint32_t flags, bool *cancelled)
{
    const bool absolute = flags & TFD_TIMER_ABSTIME;
    struct timerfd_setting old;

    spin_lock(&t->lock);
    old = current_setting(t);
    t->interval = 0;
    t->waits = false;
    spin_unlock(&t->lock);
    timer_cancel(&t->timer);
    clock_watch(&t->watch,
                clock_is_wall(t->clock) && absolute && (flags & TFD_TIMER_CANCEL_ON_SET));
    spin_lock(&t->lock);
    t->expirations = 0;
    *cancelled = t->cancelled && new->value;
    t->cancelled = false;
    t->interval = new->value ? new->interval : 0;
    start(t, new->value, absolute);
    spin_unlock(&t->lock);
    return old;
}

static void __user *second_timespec(void __user *uptr, bool wide)
{
    return (char __user *)uptr + (wide ? sizeof(struct timespec64) : sizeof(struct timespec32));
}

static int put_setting(void __user *uptr, const struct timerfd_setting *s, bool wide)
{
    int ret = timespec_put(uptr, s->interval, wide);

    return ret ? ret : timespec_put(second_timespec(uptr, wide), s->value, wide);
}

/* The timer of a descriptor with a reference to its file, or -errno. */
static int get_timer(uint32_t fd, struct file **f)
{
    *f = fd_get((int)fd);
    if (!*f)
        return -EBADF;
    if ((*f)->ops == &timerfd_file_ops)
        return 0;
    file_put(*f);
    return -EINVAL;
}

static long set_time(uint32_t fd, uint32_t flags, void __user *unew, void __user *uold, bool wide)
{
    struct timerfd_setting new, old;
    struct file *f;
    bool cancelled;
    int ret = timespec_get(&new.interval, unew, wide);

    if (!ret)
        ret = timespec_get(&new.value, second_timespec(unew, wide), wide);
    if (!ret && (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)))
        ret = -EINVAL;
    if (!ret)
        ret = get_timer(fd, &f);
    if (ret)
        return ret;
    if (clock_is_alarm(((struct timerfd *)f->private)->clock) && !capable(CAP_WAKE_ALARM)) {
        file_put(f);
        return -EPERM;
    }
    old = exchange(f->private, &new, flags, &cancelled);
    file_put(f);
    if (cancelled)
        return -ECANCELED;
    return uold ? put_setting(uold, &old, wide) : 0;
}

static long get_time(uint32_t fd, void __user *uptr, bool wide)
{
    struct timerfd_setting s;
    struct timerfd *t;
    struct file *f;
    int ret = get_timer(fd, &f);

    if (ret)
        return ret;
    t = f->private;
    spin_lock(&t->lock);
    s = current_setting(t);
    spin_unlock(&t->lock);
    file_put(f);
    return put_setting(uptr, &s, wide);
}

long sys_timerfd_settime(uint32_t fd, uint32_t flags, void __user *unew, void __user *uold)
{
    return set_time(fd, flags, unew, uold, false);
}

long sys_timerfd_settime64(uint32_t fd, uint32_t flags, void __user *unew, void __user *uold)
{
    return set_time(fd, flags, unew, uold, true);
}

long sys_timerfd_gettime(uint32_t fd, void __user *uptr)
{
    return get_time(fd, uptr, false);
}

long sys_timerfd_gettime64(uint32_t fd, void __user *uptr)
{
    return get_time(fd, uptr, true);
}
