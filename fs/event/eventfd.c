/*
 * eventfd: a counter to wait for, man 2 eventfd.
 */
#include "arch/uaccess.h"
#include "fs/event/eventfd.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/text.h"

#define EFD_SEMAPHORE 1u
#define COUNT_MAX     (UINT64_MAX - 1)

struct eventfd {
    struct spinlock lock; /* LOCK_RANK_FS */
    uint64_t count;       /* [lock] */
    bool semaphore;       /* a read takes one */
    struct waitq queue;   /* both readers and writers */
};

/* What a read gets, 0: it has to wait. */
static uint64_t take_count(struct eventfd *e)
{
    uint64_t n;

    spin_lock(&e->lock);
    n = e->semaphore && e->count ? 1 : e->count;
    e->count -= n;
    spin_unlock(&e->lock);
    return n;
}

static bool give(struct eventfd *e, uint64_t n)
{
    bool fits;

    spin_lock(&e->lock);
    fits = n <= COUNT_MAX - e->count;
    if (fits)
        e->count += n;
    spin_unlock(&e->lock);
    return fits;
}

static long eventfd_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct eventfd *e = f->private;
    uint64_t n;
    int ret;

    (void)pos;
    if (len < sizeof(n))
        return -EINVAL;
    n = take_count(e);
    if (!n && (file_rw_flags(f) & O_NONBLOCK))
        return -EAGAIN;
    if (!n) {
        ret = wait_event_interruptible(&e->queue, (n = take_count(e)) != 0);
        if (ret)
            return ret;
    }
    wake_all(&e->queue);
    return copy_to_user(ubuf, &n, sizeof(n)) ? -EFAULT : (long)sizeof(n);
}

static long eventfd_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    struct eventfd *e = f->private;
    uint64_t n;
    int ret;

    (void)pos;
    if (len < sizeof(n))
        return -EINVAL;
    if (copy_from_user(&n, ubuf, sizeof(n)))
        return -EFAULT;
    if (n > COUNT_MAX)
        return -EINVAL;
    if (!give(e, n)) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        ret = wait_event_interruptible(&e->queue, give(e, n));
        if (ret)
            return ret;
    }
    wake_all(&e->queue);
    return sizeof(n);
}

static uint32_t eventfd_poll(struct file *f, struct poll_table *pt)
{
    struct eventfd *e = f->private;
    uint64_t count;

    poll_wait(pt, &e->queue);
    spin_lock(&e->lock);
    count = e->count;
    spin_unlock(&e->lock);
    return (count ? POLLIN : 0) | (count < COUNT_MAX ? POLLOUT : 0);
}

static void eventfd_fdinfo(struct file *f, struct text *t)
{
    struct eventfd *e = f->private;
    uint64_t count;

    spin_lock(&e->lock);
    count = e->count;
    spin_unlock(&e->lock);
    text_printf(t, "eventfd-count: %16llx\n", (unsigned long long)count);
}

static void eventfd_release(struct file *f)
{
    kmfree(f->private);
}

static const struct file_ops eventfd_file_ops = {
    .release = eventfd_release,
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .fdinfo = eventfd_fdinfo,
    .name = "[eventfd]",
    .stream = true,
    .beside = BESIDE_READ | BESIDE_WRITE | BESIDE_POLL,
    .nowait = true,
    .plain_write = true,
    .seek = seek_nowhere,
};

int eventfd_get(int fd, struct file **out)
{
    struct file *f = fd_get(fd);

    if (!f)
        return -EBADF;
    if (f->ops != &eventfd_file_ops) {
        file_put(f);
        return -EINVAL;
    }
    *out = f;
    return 0;
}

void eventfd_add(struct file *f, uint64_t n)
{
    struct eventfd *e = f->private;

    spin_lock(&e->lock);
    e->count += n <= COUNT_MAX - e->count ? n : COUNT_MAX - e->count;
    spin_unlock(&e->lock);
    wake_all(&e->queue);
}

long sys_eventfd2(uint32_t count, uint32_t flags)
{
    struct eventfd *e;

    if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    e = kzalloc(sizeof(*e));
    if (!e)
        return -ENOMEM;
    spin_init(&e->lock, "eventfd", LOCK_RANK_FS);
    e->count = count;
    e->semaphore = flags & EFD_SEMAPHORE;
    waitq_init(&e->queue);
    return anon_fd(&eventfd_file_ops, e, O_RDWR | (flags & (O_CLOEXEC | O_NONBLOCK)));
}

long sys_eventfd(uint32_t count)
{
    return sys_eventfd2(count, 0);
}
