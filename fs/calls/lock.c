/*
 * The calls that lock files: fcntl with F_SETLK and its kin, flock. man 2 fcntl, man 2 flock.
 */
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/locks.h"
#include "kernel/thread/proc.h"

#define F_GETLK      5
#define F_SETLKW     7
#define F_GETLK64    12
#define F_SETLKW64   14
#define F_OFD_GETLK  36
#define F_OFD_SETLK  37
#define F_OFD_SETLKW 38

struct flock64 {
    int16_t type, whence;
    int64_t start, len;
    int32_t pid;
} __attribute__((packed));

struct flock32 {
    int16_t type, whence;
    int32_t start, len;
    int32_t pid;
};

static int flock_from_user(struct flock64 *out, void __user *uflock, bool wide)
{
    struct flock32 narrow;

    if (wide)
        return copy_from_user(out, uflock, sizeof(*out));
    if (copy_from_user(&narrow, uflock, sizeof(narrow)))
        return -EFAULT;
    *out = (struct flock64){narrow.type, narrow.whence, narrow.start, narrow.len, narrow.pid};
    return 0;
}

static int flock_to_user(void __user *uflock, const struct flock64 *in, bool wide)
{
    struct flock32 narrow;

    if (wide)
        return copy_to_user(uflock, in, sizeof(*in));
    if (in->start > INT32_MAX || in->len > INT32_MAX)
        return -EOVERFLOW;
    narrow = (struct flock32){in->type, in->whence, (int32_t)in->start, (int32_t)in->len, in->pid};
    return copy_to_user(uflock, &narrow, sizeof(narrow));
}

/* The range a request means, in absolute bytes. */
static int range_of(struct file *f, const struct flock64 *fl, struct file_lock *l)
{
    int64_t base, start;

    switch (fl->whence) {
    case SEEK_SET:
        base = 0;
        break;
    case SEEK_CUR:
        base = (int64_t)f->pos;
        break;
    case SEEK_END:
        base = (int64_t)inode_size(f->inode);
        break;
    default:
        return -EINVAL;
    }
    if (__builtin_add_overflow(base, fl->start, &start))
        return -EOVERFLOW;
    if (start < 0)
        return -EINVAL;
    l->start = start;
    l->end = LOCK_RANGE_END;
    if (fl->len > 0) {
        if (__builtin_add_overflow(start, fl->len - 1, &l->end))
            return -EOVERFLOW;
    } else if (fl->len < 0) {
        if (start + fl->len < 0)
            return -EINVAL;
        l->end = start - 1;
        l->start = start + fl->len;
    }
    return 0;
}

static int make_request(struct file *f, const struct flock64 *fl, bool ofd, struct file_lock *l)
{
    if (fl->type != F_RDLCK && fl->type != F_WRLCK && fl->type != F_UNLCK)
        return -EINVAL;
    if (ofd && fl->pid != 0)
        return -EINVAL;
    l->kind = ofd ? LOCK_OFD : LOCK_POSIX;
    l->owner = ofd ? (const void *)f : proc_current()->files;
    l->type = fl->type;
    l->pid = ofd ? -1 : proc_current()->pid;
    return range_of(f, fl, l);
}

static int get_lock(struct file *f, struct flock64 *fl, bool ofd)
{
    struct file_lock l, c;
    int err = make_request(f, fl, ofd, &l);

    if (!err && l.type == F_UNLCK && !ofd)
        err = -EINVAL;
    if (err)
        return err;
    fl->type = F_UNLCK;
    if (lock_conflicts(f->inode, &l, &c)) {
        fl->type = (int16_t)c.type;
        fl->whence = SEEK_SET;
        fl->start = c.start;
        fl->len = c.end == LOCK_RANGE_END ? 0 : c.end - c.start + 1;
        fl->pid = c.pid;
    }
    return 0;
}

static int set_posix(struct file *f, int fd, const struct flock64 *fl, bool ofd, bool wait)
{
    struct file_lock l;
    struct file *now;
    int err = make_request(f, fl, ofd, &l);

    if (err)
        return err;
    if ((l.type == F_RDLCK && !file_readable(f)) || (l.type == F_WRLCK && !file_writable(f)))
        return -EBADF;
    err = lock_set(f->inode, &l, wait);
    if (err || l.type == F_UNLCK || ofd)
        return err;
    /* Another thread may have closed fd while this one slept: then the lock has no descriptor. */
    now = fd_get_any(fd);
    if (now != f) {
        l.type = F_UNLCK;
        lock_set(f->inode, &l, false);
        err = -EBADF;
    }
    if (now)
        file_put(now);
    return err;
}

long locks_fcntl(struct file *f, int fd, uint32_t cmd, uint32_t arg)
{
    bool ofd = cmd >= F_OFD_GETLK, wide = cmd >= F_GETLK64;
    bool get = cmd == F_GETLK || cmd == F_GETLK64 || cmd == F_OFD_GETLK;
    bool wait = cmd == F_SETLKW || cmd == F_SETLKW64 || cmd == F_OFD_SETLKW;
    struct flock64 fl;
    int err;

    if (flock_from_user(&fl, (void __user *)arg, wide))
        return -EFAULT;
    if (!get)
        return set_posix(f, fd, &fl, ofd, wait);
    err = get_lock(f, &fl, ofd);
    return err ? err : flock_to_user((void __user *)arg, &fl, wide);
}

/* ---- flock ---- */

#define LOCK_SH   1u
#define LOCK_EX   2u
#define LOCK_NB   4u
#define LOCK_UN   8u
#define LOCK_MAND 32u /* has never meant anything but yes */

static int flock_type(uint32_t op)
{
    switch (op & ~LOCK_NB) {
    case LOCK_SH:
        return F_RDLCK;
    case LOCK_EX:
        return F_WRLCK;
    case LOCK_UN:
        return F_UNLCK;
    default:
        return -EINVAL;
    }
}

long sys_flock(uint32_t fd, uint32_t op)
{
    struct file_lock want = {.kind = LOCK_FLOCK, .type = flock_type(op), .end = LOCK_RANGE_END};
    struct file *f;
    long err;

    if (op & LOCK_MAND)
        return 0;
    if (want.type < 0)
        return -EINVAL;
    f = fd_get((int)fd);
    if (!f)
        return -EBADF;
    want.owner = f;
    want.pid = proc_current()->pid;
    err = lock_set(f->inode, &want, !(op & LOCK_NB));
    file_put(f);
    return err;
}
