/*
 * ioctl(2): what holds for every file, then the file's own.
 */
#include "fs/notify/owner.h"
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"

#define FIONREAD      0x541Bu
#define FIONBIO       0x5421u
#define FIONCLEX      0x5450u
#define FIOCLEX       0x5451u
#define FIOASYNC      0x5452u
#define FIOQSIZE      0x5460u
#define FIBMAP        1u
#define FIGETBSZ      2u
#define FS_FIEMAP     0xc020660bu
#define FICLONE       0x40049409u
#define FICLONERANGE  0x4020940du
#define FIDEDUPERANGE 0xc0189436u
#define FIFREEZE      0xc0045877u
#define FITHAW        0xc0045878u
#define FS_GETFLAGS   0x80046601u
#define FS_SETFLAGS   0x40046602u
#define FS_FSGETXATTR 0x801c581fu
#define FS_FSSETXATTR 0x401c5820u

static long set_nonblocking(struct file *f, void __user *uarg)
{
    uint32_t on;

    if (get_user_u32(&on, uarg))
        return -EFAULT;
    f->flags = on ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK;
    return 0;
}

static long put_s64(void __user *uarg, uint64_t value)
{
    return copy_to_user(uarg, &value, sizeof(value));
}

static long of_the_file(struct file *f, uint32_t cmd, uint32_t arg)
{
    if (cmd == FIONREAD && S_ISREG(f->inode->mode))
        return put_user_u32((void __user *)arg, (uint32_t)(inode_size(f->inode) - f->pos));
    return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg) : -ENOTTY;
}

static long set_async(int fd, struct file *f, const void __user *uon)
{
    uint32_t on;

    if (get_user_u32(&on, uon))
        return -EFAULT;
    if (!on == !(f->flags & O_ASYNC))
        return 0;
    return f->ops->async ? async_set(f, fd, on) : -ENOTTY;
}

/* Which block of the device has that one of the file: root's, since nothing keeps it there. */
static long find_block(struct file *f, int32_t __user *uarg)
{
    struct inode *i = f->inode;
    struct file_extent e;
    uint32_t n, size;

    if (!S_ISREG(i->mode))
        return -ENOTTY;
    if (!capable(CAP_SYS_RAWIO))
        return -EPERM;
    if (get_user_u32(&n, uarg))
        return -EFAULT;
    if ((int32_t)n < 0 || !i->ops->extent)
        return -EINVAL;
    size = inode_block_size(i);
    if (i->ops->extent(i, (uint64_t)n * size, &e) != 1 || e.unplaced || e.at > (uint64_t)n * size)
        return put_user_u32(uarg, 0);
    return put_user_u32(uarg, (uint32_t)((e.place + (uint64_t)n * size - e.at) / size));
}

/* ---- What chattr(1) sets ---- */

static bool has_flags(const struct inode *i)
{
    return i->sb && i->sb->type->keeps_flags && (S_ISREG(i->mode) || S_ISDIR(i->mode));
}

/* [i->lock held] */
static int change_flags(struct inode *i, uint32_t flags)
{
    uint32_t old = i->flags;
    int err;

    i->flags = (old & ~INODE_FLAGS) | flags;
    inode_touch(i, false, false, true);
    err = i->ops->setattr ? i->ops->setattr(i) : 0;
    if (err)
        i->flags = old;
    return err;
}

static long set_flags(struct file *f, uint32_t flags)
{
    struct inode *i = f->inode;
    long err = 0;

    if (file_readonly(f))
        return -EROFS;
    if (!is_owner(i))
        return -EPERM;
    mutex_lock(&i->lock);
    if (((flags ^ i->flags) & (INODE_IMMUTABLE | INODE_APPEND)) && !capable(CAP_LINUX_IMMUTABLE))
        err = -EPERM;
    else if (flags & ~(INODE_FLAGS | i->flags)) /* others stay as they are */
        err = -EOPNOTSUPP;
    else
        err = change_flags(i, flags & INODE_FLAGS);
    mutex_unlock(&i->lock);
    return err;
}

/* The same as XFS has it: FS_IOC_FSGETXATTR. */
struct fsxattr {
    uint32_t xflags, extent_size, extents, project, cow_extent_size;
    uint8_t pad[8];
};

_Static_assert(sizeof(struct fsxattr) == 28, "Linux i386 layout");

#define XFLAG_PREALLOCATED 2u      /* cannot be set, and is not refused */
#define XFLAG_EXTENT_SIZES 0x1800u /* count for nothing without a size */

static const struct {
    uint32_t flag, xflag;
} xflags[] = {{INODE_IMMUTABLE, 8},
              {INODE_APPEND, 0x10},
              {8 /* FS_SYNC_FL */, 0x20},
              {INODE_NOATIME, 0x40},
              {INODE_NODUMP, 0x80}};
#define XFLAGS (sizeof(xflags) / sizeof(xflags[0]))

static long get_fsxattr(const struct file *f, void __user *to)
{
    struct fsxattr x = {0};

    for (unsigned n = 0; n < XFLAGS; n++)
        x.xflags |= f->inode->flags & xflags[n].flag ? xflags[n].xflag : 0;
    return copy_to_user(to, &x, sizeof(x)) ? -EFAULT : 0;
}

/* Owner and right come before what the file system cannot. */
static long set_fsxattr(struct file *f, struct fsxattr *x)
{
    uint32_t flags = f->inode->flags;
    bool more;

    x->xflags &= ~(x->extent_size ? XFLAG_PREALLOCATED : XFLAG_PREALLOCATED | XFLAG_EXTENT_SIZES);
    for (unsigned n = 0; n < XFLAGS; n++) {
        flags = x->xflags & xflags[n].xflag ? flags | xflags[n].flag : flags & ~xflags[n].flag;
        x->xflags &= ~xflags[n].xflag;
    }
    more = x->xflags || x->extent_size || x->project || x->cow_extent_size;
    return set_flags(f, more ? flags | ~INODE_FLAGS_SHOWN : flags);
}

/* What is nobody's flags is the file's own affair. */
static long flags_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    void __user *at = (void __user *)arg;
    struct fsxattr x = {0};
    size_t size = cmd == FS_FSSETXATTR ? sizeof(x) : cmd == FS_SETFLAGS ? sizeof(uint32_t) : 0;

    if (size && copy_from_user(&x, at, size))
        return -EFAULT;
    if (!has_flags(f->inode))
        return of_the_file(f, cmd, arg);
    if (cmd == FS_GETFLAGS)
        return put_user_u32(at, f->inode->flags & INODE_FLAGS_SHOWN);
    if (cmd == FS_FSGETXATTR)
        return get_fsxattr(f, at);
    return cmd == FS_SETFLAGS ? set_flags(f, x.xflags) : set_fsxattr(f, &x);
}

static long do_ioctl(int fd, struct file *f, uint32_t cmd, uint32_t arg)
{
    uint32_t mode = f->inode->mode;

    switch (cmd) {
    case FIOCLEX:
        return fd_set_cloexec(fd, true);
    case FIONCLEX:
        return fd_set_cloexec(fd, false);
    case FIONBIO:
        return set_nonblocking(f, (void __user *)arg);
    case FIOASYNC:
        return set_async(fd, f, (void __user *)arg);
    case FIOQSIZE:
        if (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode))
            return put_s64((void __user *)arg, inode_size(f->inode));
        return -ENOTTY;
    case FIBMAP:
        return find_block(f, (int32_t __user *)arg);
    case FS_FIEMAP:
        return file_map_ioctl(f, (void __user *)arg);
    case FIFREEZE:
        return capable(CAP_SYS_ADMIN) ? -EOPNOTSUPP : -EPERM;
    case FITHAW:
        return capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM; /* nothing is frozen */
    case FICLONE:
        return file_clone(f, (int)arg);
    case FICLONERANGE:
        return file_clone_range(f, (void __user *)arg);
    case FIDEDUPERANGE:
        return file_dedupe(f, (void __user *)arg);
    case FIGETBSZ:
        return f->dentry ? put_user_u32((void __user *)arg, inode_block_size(f->inode)) : -EINVAL;
    case FS_GETFLAGS:
    case FS_SETFLAGS:
    case FS_FSGETXATTR:
    case FS_FSSETXATTR:
        return flags_ioctl(f, cmd, arg);
    default:
        return of_the_file(f, cmd, arg);
    }
}

long sys_ioctl(uint32_t fd, uint32_t cmd, uint32_t arg)
{
    struct file *f = fd_get((int)fd);
    long r;

    if (!f)
        return -EBADF;
    r = do_ioctl((int)fd, f, cmd, arg);
    file_put(f);
    return r;
}
