/*
 * Extended attributes: no file system here has them. The calls check what they are given and then
 * say so; a list of names is empty.
 */
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"

#define NAME_LIMIT 256u /* XATTR_NAME_MAX and the terminator */

static int check_name(uint32_t uname)
{
    char name[NAME_LIMIT];
    int n = strncpy_from_user(name, (const char *)uname, sizeof(name));

    return n == 0 || n == -ENAMETOOLONG ? -ERANGE : n < 0 ? n : 0;
}

static long on_path(uint32_t upath, uint32_t at_flags, uint32_t uname, long result)
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

static long on_fd(uint32_t fd, uint32_t uname, long result)
{
    struct file *f = fd_get((int)fd);
    int err;

    if (!f)
        return -EBADF;
    err = uname ? check_name(uname) : 0;
    file_put(f);
    return err ? err : result;
}

long sys_getxattr(uint32_t upath, uint32_t uname)
{
    return on_path(upath, 0, uname, -EOPNOTSUPP);
}

long sys_lgetxattr(uint32_t upath, uint32_t uname)
{
    return on_path(upath, AT_SYMLINK_NOFOLLOW, uname, -EOPNOTSUPP);
}

long sys_fgetxattr(uint32_t fd, uint32_t uname)
{
    return on_fd(fd, uname, -EOPNOTSUPP);
}

long sys_setxattr(uint32_t upath, uint32_t uname)
{
    return on_path(upath, 0, uname, -EOPNOTSUPP);
}

long sys_lsetxattr(uint32_t upath, uint32_t uname)
{
    return on_path(upath, AT_SYMLINK_NOFOLLOW, uname, -EOPNOTSUPP);
}

long sys_fsetxattr(uint32_t fd, uint32_t uname)
{
    return on_fd(fd, uname, -EOPNOTSUPP);
}

long sys_removexattr(uint32_t upath, uint32_t uname)
{
    return on_path(upath, 0, uname, -EOPNOTSUPP);
}

long sys_lremovexattr(uint32_t upath, uint32_t uname)
{
    return on_path(upath, AT_SYMLINK_NOFOLLOW, uname, -EOPNOTSUPP);
}

long sys_fremovexattr(uint32_t fd, uint32_t uname)
{
    return on_fd(fd, uname, -EOPNOTSUPP);
}

long sys_listxattr(uint32_t upath)
{
    return on_path(upath, 0, 0, 0);
}

long sys_llistxattr(uint32_t upath)
{
    return on_path(upath, AT_SYMLINK_NOFOLLOW, 0, 0);
}

long sys_flistxattr(uint32_t fd)
{
    return on_fd(fd, 0, 0);
}
