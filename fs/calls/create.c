/*
 * New names: mkdir, mknod, symlink, link.
 *
 * Each walks to the parent, locks it, makes sure the name is free and allowed, lets the file system
 * make the inode, and then shows the name. A name that exists is -EEXIST before anything else.
 */
#include "fs/notify/notify.h"
#include "fs/vfs/limits.h"
#include "fs/vfs/acl.h"
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

uint32_t apply_umask(uint32_t mode)
{
    return mode & ~proc_current()->fs->umask;
}

/* The permissions of a file that is made in dir, but for what umask takes: its group's set-group-id
 * directory lends nobody else the right to make programs that run as the group. */
uint32_t new_file_mode(const struct inode *dir, uint32_t mode)
{
    uint32_t setgid = S_ISGID | 0010;

    if ((mode & setgid) == setgid && (dir->mode & S_ISGID) && !in_group(dir->gid) &&
        !capable(CAP_FSETID))
        mode &= ~S_ISGID;
    return mode;
}

int may_change_dir(const struct dentry *dir)
{
    if (dir->unlinked)
        return -ENOENT;
    return inode_permission(dir->inode, MAY_WRITE | MAY_EXEC);
}

/* In procfs a name that is not there cannot be. */
bool dir_is_made_up(const struct dentry *dir)
{
    const struct inode_ops *ops = dir->inode->ops;

    return ops->lookup && !ops->create && !dir->inode->sb->type->cache_names;
}

static int check_new_name(struct walk *w, bool for_dir, int refused)
{
    struct dentry *there;
    int err = walk_last(w, true, &there);

    if (!err) {
        dentry_unref(there);
        return -EEXIST;
    }
    if (err != -ENOENT)
        return err;
    if ((w->must_be_dir && !for_dir) || dir_is_made_up(w->at.dentry))
        return -ENOENT;
    if (path_readonly(&w->at))
        return -EROFS;
    return refused ? refused : may_change_dir(w->at.dentry);
}

int new_name_begin(struct walk *w, bool for_dir, int refused, struct dentry **out)
{
    struct inode *dir = w->at.dentry->inode;
    int err;

    if (w->kind != LAST_NAME)
        return -EEXIST;
    mutex_lock(&dir->lock);
    err = check_new_name(w, for_dir, refused);
    if (!err) {
        *out = dentry_new(w->at.dentry, w->name, w->len);
        err = *out ? 0 : -ENOMEM;
    }
    if (err)
        mutex_unlock(&dir->lock);
    return err;
}

void new_name_end(struct dentry *d, int err)
{
    struct inode *dir = d->parent->inode;

    if (!err) {
        dentry_link(d);
        notify_entry(d, IN_CREATE);
    }
    mutex_unlock(&dir->lock);
    dentry_unref(d);
}

/* ---- mkdir ---- */

static int make_dir(struct walk *w, uint32_t mode)
{
    struct inode *dir = w->at.dentry->inode;
    struct acls *acls;
    struct dentry *d;
    int err = new_name_begin(w, true, 0, &d);

    if (err)
        return err;
    mode = S_IFDIR | (mode & (0777 | S_ISVTX));
    err = acl_for_new(dir, &mode, &acls);
    if (!err) {
        err = dir->ops->mkdir ? dir->ops->mkdir(dir, d, mode) : -EPERM;
        acl_born(err ? NULL : d->inode, dir, acls);
    }
    new_name_end(d, err);
    return err;
}

static long do_mkdir(int dirfd, const char __user *upath, uint32_t mode)
{
    struct walk w;
    char *path;
    int err = user_parent(&w, dirfd, upath, &path);

    if (err)
        return err;
    err = make_dir(&w, mode);
    walk_end(&w);
    kfree(path);
    return err;
}

long sys_mkdir(const char __user *upath, uint32_t mode)
{
    return do_mkdir(AT_FDCWD, upath, mode);
}

long sys_mkdirat(uint32_t dirfd, const char __user *upath, uint32_t mode)
{
    return do_mkdir((int)dirfd, upath, mode);
}

/* ---- mknod ---- */

static int call_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t dev)
{
    struct acls *acls;
    int err = (S_ISCHR(mode) || S_ISBLK(mode)) && !capable(CAP_MKNOD)
                  ? -EPERM
                  : acl_for_new(dir, &mode, &acls);

    if (err)
        return err;
    if (S_ISREG(mode))
        err = dir->ops->create ? dir->ops->create(dir, d, mode) : -EACCES;
    else
        err = dir->ops->mknod ? dir->ops->mknod(dir, d, mode, dev) : -EPERM;
    acl_born(err ? NULL : d->inode, dir, acls);
    return err;
}

/* out: a reference to the new name, unless NULL. */
static int make_node(struct walk *w, uint32_t mode, uint32_t dev, struct dentry **out)
{
    struct inode *dir = w->at.dentry->inode;
    struct dentry *d;
    int err = new_name_begin(w, false, 0, &d);

    if (err)
        return err;
    err = call_mknod(dir, d, (mode & S_IFMT) | new_file_mode(dir, mode & 07777), dev);
    if (!err && out) {
        dentry_ref(d);
        *out = d;
    }
    new_name_end(d, err);
    return err;
}

int path_mknod(const char *path, uint32_t mode, struct dentry **out)
{
    struct dentry *d;
    struct walk w;
    int err = walk_parent(&w, AT_FDCWD, path);

    if (!err && out) {
        err = make_node(&w, mode, 0, out);
    } else if (!err) {
        err = new_name_begin(&w, false, 0, &d);
        if (!err)
            new_name_end(d, -EINVAL);
    }
    walk_end(&w);
    return err;
}

static int check_node_type(uint32_t *mode)
{
    switch (*mode & S_IFMT) {
    case 0:
        *mode |= S_IFREG;
        return 0;
    case S_IFREG:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
        return 0;
    case S_IFDIR:
        return -EPERM;
    default:
        return -EINVAL;
    }
}

static long do_mknod(int dirfd, const char __user *upath, uint32_t mode, uint32_t dev)
{
    struct walk w;
    char *path;
    int err = check_node_type(&mode);

    if (!err)
        err = user_parent(&w, dirfd, upath, &path);
    if (err)
        return err;
    err = make_node(&w, mode, S_ISCHR(mode) || S_ISBLK(mode) ? dev : 0, NULL);
    walk_end(&w);
    kfree(path);
    return err;
}

long sys_mknod(const char __user *upath, uint32_t mode, uint32_t dev)
{
    return do_mknod(AT_FDCWD, upath, mode, dev);
}

long sys_mknodat(uint32_t dirfd, const char __user *upath, uint32_t mode, uint32_t dev)
{
    return do_mknod((int)dirfd, upath, mode, dev);
}

/* ---- symlink ---- */

static int make_symlink(struct walk *w, const char *target)
{
    const struct inode_ops *ops = w->at.dentry->inode->ops;
    struct dentry *d;
    int err = new_name_begin(w, false, 0, &d);

    if (err)
        return err;
    err = ops->symlink ? ops->symlink(w->at.dentry->inode, d, target) : -EPERM;
    new_name_end(d, err);
    return err;
}

static long do_symlink(const char __user *utarget, int dirfd, const char __user *upath)
{
    struct walk w;
    char *target, *path;
    int err = path_from_user(utarget, &target);

    if (err)
        return err;
    err = *target ? user_parent(&w, dirfd, upath, &path) : -ENOENT;
    if (!err) {
        err = make_symlink(&w, target);
        walk_end(&w);
        kfree(path);
    }
    kfree(target);
    return err;
}

long sys_symlink(const char __user *utarget, const char __user *upath)
{
    return do_symlink(utarget, AT_FDCWD, upath);
}

long sys_symlinkat(const char __user *utarget, uint32_t dirfd, const char __user *upath)
{
    return do_symlink(utarget, (int)dirfd, upath);
}

/* ---- link ---- */

/* Others' files may be linked only by who may write them, and none that would change who one is
 * (Linux's fs.protected_hardlinks). */
static bool may_link(const struct inode *target)
{
    uint32_t setgid = S_ISGID | 0010;

    if (!fs_rules.protected_hardlinks || is_owner(target))
        return true;
    return S_ISREG(target->mode) && !(target->mode & S_ISUID) &&
           (target->mode & setgid) != setgid && !inode_permission(target, MAY_READ | MAY_WRITE);
}

/* tmpfile: an O_TMPFILE file may get its first name. */
static int link_inode(struct inode *dir, struct dentry *d, struct inode *target, bool tmpfile)
{
    if (!dir->ops->link || S_ISDIR(target->mode))
        return -EPERM;
    if (inode_is_fixed(target))
        return -EPERM;
    if (target->nlink == 0 && !tmpfile)
        return -ENOENT;
    return dir->ops->link(dir, d, target);
}

static bool is_tmpfile(const struct dentry *d)
{
    return d->unlinked && !d->cookie && S_ISREG(d->inode->mode);
}

static int make_link(struct walk *w, const struct path *from)
{
    struct dentry *d, *old = from->dentry;
    int refused = from->mount != w->at.mount ? -EXDEV : may_link(old->inode) ? 0 : -EPERM;
    int err = new_name_begin(w, false, refused, &d);

    if (err)
        return err;
    err = link_inode(w->at.dentry->inode, d, old->inode, is_tmpfile(old));
    if (!err)
        notify_inode(old->inode, IN_ATTRIB);
    new_name_end(d, err);
    return err;
}

static long do_link(int olddir, const char __user *uold, int newdir, const char __user *unew,
                    uint32_t flags)
{
    uint32_t at = (flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
    struct path old;
    struct walk w;
    char *path;
    int err;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !capable(CAP_DAC_READ_SEARCH))
        return -ENOENT;
    err = user_lookup(olddir, uold, at, &old);
    if (err)
        return err;
    err = user_parent(&w, newdir, unew, &path);
    if (!err) {
        err = make_link(&w, &old);
        walk_end(&w);
        kfree(path);
    }
    path_unref(&old);
    return err;
}

long sys_link(const char __user *uold, const char __user *unew)
{
    return do_link(AT_FDCWD, uold, AT_FDCWD, unew, 0);
}

long sys_linkat(uint32_t olddir, const char __user *uold, uint32_t newdir, const char __user *unew,
                uint32_t flags)
{
    return do_link((int)olddir, uold, (int)newdir, unew, flags);
}
