/*
 * fcntl: descriptor flags and file flags; what else it does is where its subject is, and needs the
 * kernel lock.
 */
#include "arch/processors.h"
#include "fs/notify/dnotify.h"
#include "fs/notify/owner.h"
#include "fs/vfs/internal.h"
#include "fs/event/pipe.h"
#include "arch/uaccess.h"

#define F_DUPFD         0
#define F_GETFD         1
#define F_SETFD         2
#define F_GETFL         3
#define F_SETFL         4
#define F_GETLK         5
#define F_SETLKW        7
#define F_GETLK64       12
#define F_SETLKW64      14
#define F_OFD_GETLK     36
#define F_OFD_SETLKW    38
#define F_SETLEASE      1024
#define F_GETLEASE      1025
#define F_DUPFD_CLOEXEC 1030
#define F_SETPIPE_SZ    1031
#define F_GETPIPE_SZ    1032
#define F_ADD_SEALS     1033
#define F_GET_SEALS     1034
#define F_GET_RW_HINT   1035
#define F_SET_RW_HINT   1036

#define FD_CLOEXEC 1u
#define SETTABLE   (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

static long set_flags(struct file *f, int fd, uint32_t flags)
{
    if (((flags ^ f->flags) & O_APPEND) && (f->inode->flags & INODE_APPEND))
        return -EPERM;
    if ((flags & ~f->flags & O_NOATIME) && !is_owner(f->inode))
        return -EPERM;
    if ((flags & O_DIRECT) && !S_ISFIFO(f->inode->mode) && !inode_goes_direct(f->inode))
        return -EINVAL;
    f->flags = (f->flags & ~SETTABLE) | (flags & SETTABLE);
    return async_set(f, fd, flags & O_ASYNC);
}

static bool allowed_on_path_fd(uint32_t cmd)
{
    return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD ||
           cmd == F_GETFL;
}

static long descriptor_cmd(int fd, struct file *f, uint32_t cmd, uint32_t arg)
{
    switch (cmd) {
    case F_DUPFD:
        return fd_dup(f, (int)arg, false);
    case F_DUPFD_CLOEXEC:
        return fd_dup(f, (int)arg, true);
    case F_GETFD:
        return fd_cloexec(fd);
    default:
        return fd_set_cloexec(fd, arg & FD_CLOEXEC);
    }
}

#define RW_HINT_MOST 5u /* RWH_WRITE_LIFE_EXTREME */

/* How long what is written is thought to live: kept for who asks. */
static long rw_hint(struct inode *i, bool set, void __user *uhint)
{
    uint64_t hint = i->write_hint;

    if (!set)
        return copy_to_user(uhint, &hint, sizeof(hint));
    if (copy_from_user(&hint, uhint, sizeof(hint)))
        return -EFAULT;
    if (hint > RW_HINT_MOST)
        return -EINVAL;
    i->write_hint = (uint8_t)hint;
    return 0;
}

/* wide: the call is fcntl64, which knows 64-bit and open-file-description locks. */
static bool is_lock_cmd(uint32_t cmd, bool wide)
{
    if (cmd >= F_GETLK && cmd <= F_SETLKW)
        return true;
    return wide &&
           ((cmd >= F_GETLK64 && cmd <= F_SETLKW64) || (cmd >= F_OFD_GETLK && cmd <= F_OFD_SETLKW));
}

static long file_cmd(struct file *f, int fd, uint32_t cmd, uint32_t arg, bool wide)
{
    if (cmd == F_GETFL)
        return (long)f->flags;
    kernel_need();
    if (is_lock_cmd(cmd, wide))
        return locks_fcntl(f, fd, cmd, arg);
    if (is_owner_cmd(cmd))
        return owner_fcntl(f, cmd, arg);
    switch (cmd) {
    case F_SETFL:
        return set_flags(f, fd, arg);
    case F_SETLEASE:
        return lease_set(f, fd, arg);
    case F_GETLEASE:
        return lease_get(f);
    case F_NOTIFY:
        return dnotify_fcntl(f, fd, arg);
    case F_GETPIPE_SZ:
        return pipe_get_size(f);
    case F_SETPIPE_SZ:
        return pipe_set_size(f, arg);
    case F_ADD_SEALS:
    case F_GET_SEALS:
        return seals_fcntl(f, cmd, arg);
    case F_GET_RW_HINT:
    case F_SET_RW_HINT:
        return rw_hint(f->inode, cmd == F_SET_RW_HINT, (void __user *)arg);
    default:
        return -EINVAL;
    }
}

static long do_fcntl(uint32_t fd, uint32_t cmd, uint32_t arg, bool wide)
{
    struct file *f = fd_get_any((int)fd);
    long r;

    if (!f)
        return -EBADF;
    if ((f->flags & O_PATH) && !allowed_on_path_fd(cmd))
        r = -EBADF;
    else if (cmd <= F_SETFD || cmd == F_DUPFD_CLOEXEC)
        r = descriptor_cmd((int)fd, f, cmd, arg);
    else
        r = file_cmd(f, (int)fd, cmd, arg, wide);
    file_put(f);
    return r;
}

long sys_fcntl(uint32_t fd, uint32_t cmd, uint32_t arg)
{
    return do_fcntl(fd, cmd, arg, false);
}

long sys_fcntl64(uint32_t fd, uint32_t cmd, uint32_t arg)
{
    return do_fcntl(fd, cmd, arg, true);
}
