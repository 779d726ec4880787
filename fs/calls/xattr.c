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

static long on_path(const char __user *upath, uint32_t at_flags, long result)
{
    struct dentry *d;
    int err = user_lookup(AT_FDCWD, upath, at_flags, &d);

    if (err)
        return err;
    dentry_unref(d);
    return result;
}

static long on_fd(uint32_t fd, long result)
{
    struct file *f = fd_get((int)fd);

    if (!f)
        return -EBADF;
    file_put(f);
    return result;
}

static long name_on_path(const char __user *upath, uint32_t at_flags, const char __user *uname)
{
    int err = check_name(uname);

    return err ? err : on_path(upath, at_flags, -EOPNOTSUPP);
}

static long name_on_fd(uint32_t fd, const char __user *uname)
{
    long err = on_fd(fd, 0);

    if (!err)
        err = check_name(uname);
    return err ? err : -EOPNOTSUPP;
}

long sys_getxattr(const char __user *upath, const char __user *uname)
{
    return name_on_path(upath, 0, uname);
}

long sys_lgetxattr(const char __user *upath, const char __user *uname)
{
    return name_on_path(upath, AT_SYMLINK_NOFOLLOW, uname);
}

long sys_fgetxattr(uint32_t fd, const char __user *uname)
{
    return name_on_fd(fd, uname);
}

long sys_setxattr(const char __user *upath, const char __user *uname)
{
    return name_on_path(upath, 0, uname);
}

long sys_lsetxattr(const char __user *upath, const char __user *uname)
{
    return name_on_path(upath, AT_SYMLINK_NOFOLLOW, uname);
}

long sys_fsetxattr(uint32_t fd, const char __user *uname)
{
    return name_on_fd(fd, uname);
}

long sys_removexattr(const char __user *upath, const char __user *uname)
{
    return name_on_path(upath, 0, uname);
}

long sys_lremovexattr(const char __user *upath, const char __user *uname)
{
    return name_on_path(upath, AT_SYMLINK_NOFOLLOW, uname);
}

long sys_fremovexattr(uint32_t fd, const char __user *uname)
{
    return name_on_fd(fd, uname);
}

long sys_listxattr(const char __user *upath)
{
    return on_path(upath, 0, 0);
}

long sys_llistxattr(const char __user *upath)
{
    return on_path(upath, AT_SYMLINK_NOFOLLOW, 0);
}

long sys_flistxattr(uint32_t fd)
{
    return on_fd(fd, 0);
}
