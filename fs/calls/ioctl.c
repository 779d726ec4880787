/*
 * ioctl(2): what holds for every file, then the file's own.
 */
#include "fs/notify/owner.h"
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"

#define FIONREAD 0x541Bu
#define FIONBIO  0x5421u
#define FIONCLEX 0x5450u
#define FIOCLEX  0x5451u
#define FIOASYNC 0x5452u
#define FIOQSIZE 0x5460u
#define FIGETBSZ 2u

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
    case FIGETBSZ:
        return f->dentry ? put_user_u32((void __user *)arg, PAGE_SIZE) : -EINVAL;
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
