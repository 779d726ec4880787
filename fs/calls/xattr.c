/*
 * Extended attributes: no file system here has them. The calls check what they are given and then
 * say so; a list of names is empty.
 */
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"

#define NAME_LIMIT 256u /* XATTR_NAME_MAX and the terminator */

static int check_name(const char __user *uname)
{
    char name[NAME_LIMIT];
    int n = strncpy_from_user(name, uname, sizeof(name));

    return n == 0 || n == -ENAMETOOLONG ? -ERANGE : n < 0 ? n : 0;
}

static long on_path(const char __user *upath, uint32_t at_flags, const char __user *uname,
                    long result)
{
    struct dentry *d;
    int err = uname ? check_name(uname) : 0;

    if (!err)
        err = user_lookup(AT_FDCWD, upath, at_flags, &d);
    if (err)
        return err;
    dentry_unref(d);
    return result;
}

static long on_fd(uint32_t fd, const char __user *uname, long result)
{
    struct file *f = fd_get((int)fd);
    int err;

    if (!f)
        return -EBADF;
    err = uname ? check_name(uname) : 0;
    file_put(f);
    return err ? err : result;
}

long sys_getxattr(const char __user *upath, const char __user *uname)
{
    return on_path(upath, 0, uname, -EOPNOTSUPP);
}

long sys_lgetxattr(const char __user *upath, const char __user *uname)
{
    return on_path(upath, AT_SYMLINK_NOFOLLOW, uname, -EOPNOTSUPP);
}

long sys_fgetxattr(uint32_t fd, const char __user *uname)
{
    return on_fd(fd, uname, -EOPNOTSUPP);
}

long sys_setxattr(const char __user *upath, const char __user *uname)
{
    return on_path(upath, 0, uname, -EOPNOTSUPP);
}

long sys_lsetxattr(const char __user *upath, const char __user *uname)
{
    return on_path(upath, AT_SYMLINK_NOFOLLOW, uname, -EOPNOTSUPP);
}

long sys_fsetxattr(uint32_t fd, const char __user *uname)
{
    return on_fd(fd, uname, -EOPNOTSUPP);
}

long sys_removexattr(const char __user *upath, const char __user *uname)
{
    return on_path(upath, 0, uname, -EOPNOTSUPP);
}

long sys_lremovexattr(const char __user *upath, const char __user *uname)
{
    return on_path(upath, AT_SYMLINK_NOFOLLOW, uname, -EOPNOTSUPP);
}

long sys_fremovexattr(uint32_t fd, const char __user *uname)
{
    return on_fd(fd, uname, -EOPNOTSUPP);
}

long sys_listxattr(const char __user *upath)
{
    return on_path(upath, 0, NULL, 0);
}

long sys_llistxattr(const char __user *upath)
{
    return on_path(upath, AT_SYMLINK_NOFOLLOW, NULL, 0);
}

long sys_flistxattr(uint32_t fd)
{
    return on_fd(fd, NULL, 0);
}
