/*
 * FICLONE, FICLONERANGE, FIDEDUPERANGE: files that share blocks. No file system here can; programs
 * are told so only when nothing else is wrong, and then copy. [man 2 ioctl_ficlonerange,
 * man 2 ioctl_fideduperange]
 */
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"

struct clone_range {
    int64_t fd;
    uint64_t from, length, to;
};

/* So many places to compare with follow. */
struct same_ranges {
    uint64_t at, length;
    uint16_t count, reserved16;
    uint32_t reserved32;
};

struct same_place {
    uint64_t fd, at, same;
    uint32_t status, reserved;
};

_Static_assert(sizeof(struct clone_range) == 32 && sizeof(struct same_ranges) == 24 &&
                   sizeof(struct same_place) == 32,
               "Linux layout");

static long may_clone(const struct file *from, const struct file *to)
{
    uint32_t source = from->inode->mode, target = to->inode->mode;

    if (from->mount != to->mount)
        return -EXDEV;
    if (S_ISDIR(source) || S_ISDIR(target))
        return -EISDIR;
    if (!S_ISREG(source) || !S_ISREG(target))
        return -EINVAL;
    if (!file_readable(from) || !file_writable(to) || (to->flags & O_APPEND))
        return -EBADF;
    return -EOPNOTSUPP;
}

long file_clone(struct file *to, int fd)
{
    struct file *from = fd_get(fd);
    long err;

    if (!from)
        return -EBADF;
    err = may_clone(from, to);
    file_put(from);
    return err;
}

long file_clone_range(struct file *to, const void __user *uarg)
{
    struct clone_range r;

    return copy_from_user(&r, uarg, sizeof(r)) ? -EFAULT : file_clone(to, (int)r.fd);
}

long file_dedupe(struct file *f, const void __user *uarg)
{
    const struct same_ranges __user *uranges = uarg;
    struct same_ranges r;
    struct same_place place;

    if (copy_from_user(&r, uranges, sizeof(r)))
        return -EFAULT;
    if (r.count > (PAGE_SIZE - sizeof(r)) / sizeof(place))
        return -ENOMEM;
    for (const struct same_place __user *u = (const void __user *)(uranges + 1); r.count; r.count--)
        if (copy_from_user(&place, u++, sizeof(place)))
            return -EFAULT;
    if (!file_readable(f) || r.reserved16 || r.reserved32)
        return -EINVAL;
    if (S_ISDIR(f->inode->mode))
        return -EISDIR;
    return S_ISREG(f->inode->mode) ? -EOPNOTSUPP : -EINVAL;
}
