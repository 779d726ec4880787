/*
 * Handles of files, which outlive names: no file system here gives any out, as none of Linux's does
 * that was built without exporting. What is asked is checked first. man 2 open_by_handle_at
 */
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"

#define HANDLE_MOST 128u /* bytes */

struct handle_head {
    uint32_t bytes;
    int32_t type;
};

long sys_name_to_handle_at(uint32_t dirfd, const char __user *upath, void __user *uhandle,
                           void __user *umount, uint32_t flags)
{
    struct path p;
    int err;

    (void)uhandle, (void)umount;
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    err = user_lookup(
        (int)dirfd, upath,
        (flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW), &p);
    if (err)
        return err;
    path_unref(&p);
    return -EOPNOTSUPP;
}

long sys_open_by_handle_at(uint32_t mountfd, void __user *uhandle, uint32_t flags)
{
    struct handle_head h;
    struct file *f;

    (void)flags;
    if (!capable(CAP_DAC_READ_SEARCH))
        return -EPERM;
    if (copy_from_user(&h, uhandle, sizeof(h)))
        return -EFAULT;
    if (h.bytes > HANDLE_MOST || h.bytes == 0)
        return -EINVAL;
    if ((int)mountfd == AT_FDCWD)
        return -ESTALE;
    f = fd_get_any((int)mountfd);
    if (!f)
        return -EBADF;
    file_put(f);
    return -ESTALE;
}
