/* The calls on extended attributes; the attributes are in fs/vfs/xattr.c. man 2 setxattr. */
#include "fs/vfs/internal.h"
#include "fs/vfs/xattr.h"
#include "arch/uaccess.h"

/* Of a call: on which file it is, and what with. */
struct request {
    char name[XATTR_NAME_MAX + 1]; /* not of listxattr */
    void __user *uvalue;
    uint32_t size, flags;
    bool readonly; /* the mount is; set when the file is known */
};
typedef long (*act_fn)(struct inode *i, const struct request *r);

static int take_name(struct request *r, const char __user *uname)
{
    int n = strncpy_from_user(r->name, uname, sizeof(r->name));

    return n == 0 || n == -ENAMETOOLONG ? -ERANGE : n < 0 ? n : 0;
}

static long on_path(const char __user *upath, uint32_t at_flags, act_fn act, struct request *r)
{
    struct path p;
    long ret = user_lookup(AT_FDCWD, upath, at_flags, &p);

    if (ret)
        return ret;
    r->readonly = path_readonly(&p);
    ret = act(p.dentry->inode, r);
    path_unref(&p);
    return ret;
}

static long on_fd(uint32_t fd, act_fn act, struct request *r)
{
    struct file *f = fd_get((int)fd);
    long ret;

    if (!f)
        return -EBADF;
    ret = act(f->inode, r);
    file_put(f);
    return ret;
}

/* Descriptors count before names, names before paths. */
static long with_name_on_fd(uint32_t fd, const char __user *uname, act_fn act, struct request *r)
{
    struct file *f = fd_get((int)fd);
    long ret;

    if (!f)
        return -EBADF;
    ret = take_name(r, uname);
    r->readonly = file_readonly(f);
    if (!ret)
        ret = act(f->inode, r);
    file_put(f);
    return ret;
}

static long with_name_on_path(const char __user *upath, uint32_t at_flags, const char __user *uname,
                              act_fn act, struct request *r)
{
    int err = take_name(r, uname);

    return err ? err : on_path(upath, at_flags, act, r);
}

/* ---- get ---- */

static long get(struct inode *i, const struct request *r)
{
    return xattr_get(i, r->name, r->uvalue, r->size);
}

long sys_getxattr(const char __user *upath, const char __user *uname, void __user *uvalue,
                  uint32_t size)
{
    struct request r = {.uvalue = uvalue, .size = size};

    return with_name_on_path(upath, 0, uname, get, &r);
}

long sys_lgetxattr(const char __user *upath, const char __user *uname, void __user *uvalue,
                   uint32_t size)
{
    struct request r = {.uvalue = uvalue, .size = size};

    return with_name_on_path(upath, AT_SYMLINK_NOFOLLOW, uname, get, &r);
}

long sys_fgetxattr(uint32_t fd, const char __user *uname, void __user *uvalue, uint32_t size)
{
    struct request r = {.uvalue = uvalue, .size = size};

    return with_name_on_fd(fd, uname, get, &r);
}

/* ---- set ---- */

static int check_set(const struct request *r)
{
    if (r->flags & ~(XATTR_CREATE | XATTR_REPLACE))
        return -EINVAL;
    return r->size > XATTR_VALUE_MAX ? -E2BIG : 0;
}

static long set(struct inode *i, const struct request *r)
{
    return r->readonly ? -EROFS : xattr_set(i, r->name, r->uvalue, r->size, r->flags);
}

static long set_on_path(const char __user *upath, uint32_t at_flags, const char __user *uname,
                        struct request *r)
{
    int err = r->flags & ~(XATTR_CREATE | XATTR_REPLACE) ? -EINVAL : take_name(r, uname);

    if (!err)
        err = check_set(r);
    return err ? err : on_path(upath, at_flags, set, r);
}

long sys_setxattr(const char __user *upath, const char __user *uname, void __user *uvalue,
                  uint32_t size, uint32_t flags)
{
    struct request r = {.uvalue = uvalue, .size = size, .flags = flags};

    return set_on_path(upath, 0, uname, &r);
}

long sys_lsetxattr(const char __user *upath, const char __user *uname, void __user *uvalue,
                   uint32_t size, uint32_t flags)
{
    struct request r = {.uvalue = uvalue, .size = size, .flags = flags};

    return set_on_path(upath, AT_SYMLINK_NOFOLLOW, uname, &r);
}

long sys_fsetxattr(uint32_t fd, const char __user *uname, void __user *uvalue, uint32_t size,
                   uint32_t flags)
{
    struct request r = {.uvalue = uvalue, .size = size, .flags = flags};
    struct file *f = fd_get((int)fd);
    long ret;

    if (!f)
        return -EBADF;
    ret = flags & ~(XATTR_CREATE | XATTR_REPLACE) ? -EINVAL : take_name(&r, uname);
    if (!ret)
        ret = check_set(&r);
    r.readonly = file_readonly(f);
    if (!ret)
        ret = set(f->inode, &r);
    file_put(f);
    return ret;
}

/* ---- remove ---- */

static long take_away(struct inode *i, const struct request *r)
{
    return r->readonly ? -EROFS : xattr_remove(i, r->name);
}

long sys_removexattr(const char __user *upath, const char __user *uname)
{
    struct request r = {.size = 0};

    return with_name_on_path(upath, 0, uname, take_away, &r);
}

long sys_lremovexattr(const char __user *upath, const char __user *uname)
{
    struct request r = {.size = 0};

    return with_name_on_path(upath, AT_SYMLINK_NOFOLLOW, uname, take_away, &r);
}

long sys_fremovexattr(uint32_t fd, const char __user *uname)
{
    struct request r = {.size = 0};

    return with_name_on_fd(fd, uname, take_away, &r);
}

/* ---- list ---- */

static long list(struct inode *i, const struct request *r)
{
    return xattr_list(i, r->uvalue, r->size);
}

long sys_listxattr(const char __user *upath, char __user *ulist, uint32_t size)
{
    struct request r = {.uvalue = ulist, .size = size};

    return on_path(upath, 0, list, &r);
}

long sys_llistxattr(const char __user *upath, char __user *ulist, uint32_t size)
{
    struct request r = {.uvalue = ulist, .size = size};

    return on_path(upath, AT_SYMLINK_NOFOLLOW, list, &r);
}

long sys_flistxattr(uint32_t fd, char __user *ulist, uint32_t size)
{
    struct request r = {.uvalue = ulist, .size = size};

    return on_fd(fd, list, &r);
}
