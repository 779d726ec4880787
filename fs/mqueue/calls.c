/*
 * The system calls on message queues. man 2 mq_open, mq_timedsend, mq_notify, mq_getsetattr
 */
#include "arch/uaccess.h"
#include "fs/mqueue/mqueue.h"
#include "fs/vfs/internal.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

_Static_assert(sizeof(struct mq_attr) == 32, "Linux i386 layout");

long sys_mq_open(const char __user *uname, uint32_t flags, uint32_t mode, const void __user *uattr)
{
    struct mq_attr attr;
    struct file *f;
    char *name;
    int err;

    if (uattr && copy_from_user(&attr, uattr, sizeof(attr)))
        return -EFAULT;
    err = path_from_user(uname, &name);
    if (err)
        return err;
    err = mq_file_open(name, flags, mode, uattr ? &attr : NULL, &f);
    kfree(name);
    return err ? err : fd_install(f, 0, true);
}

long sys_mq_unlink(const char __user *uname)
{
    char *name;
    int err = path_from_user(uname, &name);

    if (err)
        return err;
    err = mq_remove(name);
    kfree(name);
    return err;
}

/* The open queue, for reading or (write) writing; NULL: -EBADF. */
static struct file *queue_file(int fd, bool write)
{
    struct file *f = fd_get(fd);

    if (f && (!mq_of(f) || !(write ? file_writable(f) : file_readable(f)))) {
        file_put(f);
        f = NULL;
    }
    return f;
}

static int get_deadline(struct mq_deadline *d, const void __user *uptr, bool wide)
{
    *d = (struct mq_deadline){.given = uptr != NULL};
    return uptr ? timespec_get(&d->real_ns, uptr, wide) : 0;
}

static long timed_send(int fd, const void __user *utext, uint32_t size, uint32_t priority,
                       const void __user *utime, bool wide)
{
    struct mq_deadline until;
    long ret = get_deadline(&until, utime, wide);
    struct file *f;

    if (ret)
        return ret;
    if (priority >= MQ_PRIORITIES)
        return -EINVAL;
    f = queue_file(fd, true);
    if (!f)
        return -EBADF;
    ret = mq_send(mq_of(f), utext, size, priority, f->flags & O_NONBLOCK, &until);
    if (ret == 0)
        inode_touch(f->inode, false, true, true);
    file_put(f);
    return ret;
}

long sys_mq_timedsend(uint32_t fd, const void __user *utext, uint32_t size, uint32_t priority,
                      const void __user *utime)
{
    return timed_send((int)fd, utext, size, priority, utime, false);
}

long sys_mq_timedsend_time64(uint32_t fd, const void __user *utext, uint32_t size,
                             uint32_t priority, const void __user *utime)
{
    return timed_send((int)fd, utext, size, priority, utime, true);
}

static long timed_receive(int fd, void __user *utext, uint32_t size, void __user *upriority,
                          const void __user *utime, bool wide)
{
    struct mq_deadline until;
    long ret = get_deadline(&until, utime, wide);
    struct file *f;

    if (ret)
        return ret;
    f = queue_file(fd, false);
    if (!f)
        return -EBADF;
    ret = mq_receive(mq_of(f), utext, size, upriority, f->flags & O_NONBLOCK, &until);
    if (ret >= 0)
        inode_touch(f->inode, true, false, true);
    file_put(f);
    return ret;
}

long sys_mq_timedreceive(uint32_t fd, void __user *utext, uint32_t size, void __user *upriority,
                         const void __user *utime)
{
    return timed_receive((int)fd, utext, size, upriority, utime, false);
}

long sys_mq_timedreceive_time64(uint32_t fd, void __user *utext, uint32_t size,
                                void __user *upriority, const void __user *utime)
{
    return timed_receive((int)fd, utext, size, upriority, utime, true);
}

/* ---- Notification ---- */

struct user_sigevent { /* as much of struct sigevent as counts */
    uint32_t value;
    int32_t signo, notify;
};

/* SIGEV_THREAD sends a cookie over a netlink socket, whose descriptor is in place of the signal.
 * There are no such sockets. */
static int check_thread(const struct user_sigevent *e)
{
    uint8_t cookie[MQ_COOKIE_BYTES];
    struct file *f;
    int err;

    if (copy_from_user(cookie, (const void __user *)e->value, sizeof(cookie)))
        return -EFAULT;
    f = fd_get(e->signo);
    if (!f)
        return -EBADF;
    err = S_ISSOCK(f->inode->mode) ? -EINVAL : -ENOTSOCK;
    file_put(f);
    return err;
}

static int get_notification(struct mq_notification *n, const void __user *uptr)
{
    struct user_sigevent e;

    if (copy_from_user(&e, uptr, sizeof(e)))
        return -EFAULT;
    *n = (struct mq_notification){.kind = e.notify, .signo = e.signo, .value = e.value};
    switch (e.notify) {
    case SIGEV_NONE:
        return 0;
    case SIGEV_SIGNAL:
        return (uint32_t)e.signo > NSIG ? -EINVAL : 0;
    case SIGEV_THREAD:
        return check_thread(&e);
    default:
        return -EINVAL;
    }
}

long sys_mq_notify(uint32_t fd, const void __user *uptr)
{
    struct mq_notification n;
    int err = uptr ? get_notification(&n, uptr) : 0;
    struct file *f;

    if (err)
        return err;
    f = fd_get((int)fd);
    if (!f || !mq_of(f))
        err = -EBADF;
    else if (uptr)
        err = mq_notify_on(mq_of(f), &n);
    else
        mq_notify_off(mq_of(f));
    if (f && !err)
        inode_touch(f->inode, true, false, true);
    if (f)
        file_put(f);
    return err;
}

/* ---- Attributes ---- */

static int swap_attr(struct file *f, const struct mq_attr *new, void __user *uold)
{
    struct mq_attr old;

    mq_describe(mq_of(f), &old);
    old.flags = (int32_t)(f->flags & O_NONBLOCK);
    if (new)
        f->flags = (f->flags & ~O_NONBLOCK) | (uint32_t) new->flags;
    return uold && copy_to_user(uold, &old, sizeof(old)) ? -EFAULT : 0;
}

long sys_mq_getsetattr(uint32_t fd, const void __user *unew, void __user *uold)
{
    struct mq_attr new;
    struct file *f;
    int err = -EBADF;

    if (unew && copy_from_user(&new, unew, sizeof(new)))
        return -EFAULT;
    if (unew && (new.flags & ~(int32_t)O_NONBLOCK))
        return -EINVAL;
    f = fd_get((int)fd);
    if (f && mq_of(f))
        err = swap_attr(f, unew ? &new : NULL, uold);
    if (f)
        file_put(f);
    return err;
}
