/*
 * Names that go: unlink and rmdir.
 *
 * A directory that goes is locked as well as its parent (parent first), so that nothing is made in
 * it between the look that found it empty and the mark that says it is gone.
 */
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

/* In a sticky directory only owners of the entry or the directory, and root, may remove. */
static bool sticky_denies(const struct inode *dir, const struct inode *victim)
{
    return (dir->mode & S_ISVTX) && !is_owner(victim) && !is_owner(dir);
}

int may_delete(const struct dentry *d, bool want_dir)
{
    int err = may_change_dir(d->parent);

    if (err)
        return err;
    if ((d->parent->inode->flags & INODE_APPEND) || inode_is_fixed(d->inode) ||
        sticky_denies(d->parent->inode, d->inode))
        return -EPERM;
    if (want_dir && !S_ISDIR(d->inode->mode))
        return -ENOTDIR;
    if (!want_dir && S_ISDIR(d->inode->mode))
        return -EISDIR;
    return 0;
}

/* [parent locked] The name d is gone; perhaps with all that it named. */
static void tell_removed(struct dentry *d)
{
    if (!notify_wanted())
        return;
    if (!S_ISDIR(d->inode->mode))
        notify_inode(d->inode, IN_ATTRIB);
    if (d->refs == 1 && d->inode->nlink == 0)
        notify_gone(d->inode);
    notify_entry(d, IN_DELETE);
}

/* [parent locked] */
static int remove_dir(struct inode *dir, struct dentry *d)
{
    int err = may_delete(d, true);

    if (err)
        return err;
    if (!dir->ops->rmdir)
        return -EPERM;
    mutex_lock(&d->inode->lock);
    err = dentry_leaves(d) ? dir->ops->rmdir(dir, d) : -EBUSY;
    if (err)
        dentry_stays(d);
    else
        dentry_drop(d);
    mutex_unlock(&d->inode->lock);
    if (!err)
        tell_removed(d);
    return err;
}

/* [parent locked] */
static int remove_file(struct inode *dir, struct dentry *d)
{
    int err = may_delete(d, false);

    if (err)
        return err;
    if (!dir->ops->unlink)
        return -EPERM;
    err = dentry_leaves(d) ? dir->ops->unlink(dir, d) : -EBUSY;
    if (err) {
        dentry_stays(d);
    } else {
        dentry_drop(d);
        tell_removed(d);
    }
    return err;
}

static int check_last(const struct walk *w, bool as_dir)
{
    if (w->kind == LAST_NAME)
        return 0;
    if (!as_dir)
        return -EISDIR;
    if (w->kind == LAST_DOT)
        return -EINVAL;
    return w->kind == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
}

static int remove_last(struct walk *w, bool as_dir)
{
    struct inode *dir = w->at.dentry->inode;
    struct dentry *d;
    int err = check_last(w, as_dir);

    if (!err && path_readonly(&w->at))
        err = -EROFS;
    if (err)
        return err;
    mutex_lock(&dir->lock);
    err = walk_last(w, true, &d);
    if (err) {
        mutex_unlock(&dir->lock);
        return err;
    }
    if (!as_dir && w->must_be_dir)
        err = S_ISDIR(d->inode->mode) ? -EISDIR : -ENOTDIR;
    else
        err = as_dir ? remove_dir(dir, d) : remove_file(dir, d);
    mutex_unlock(&dir->lock);
    dentry_unref(d);
    return err;
}

static long do_remove(int dirfd, const char __user *upath, bool as_dir)
{
    struct walk w;
    char *path;
    int err = user_parent(&w, dirfd, upath, &path);

    if (err)
        return err;
    err = remove_last(&w, as_dir);
    walk_end(&w);
    kfree(path);
    return err;
}

int path_unlink(const char *path)
{
    struct walk w;
    int err = walk_parent(&w, AT_FDCWD, path);

    if (!err)
        err = remove_last(&w, false);
    walk_end(&w);
    return err;
}

long sys_unlink(const char __user *upath)
{
    return do_remove(AT_FDCWD, upath, false);
}

long sys_rmdir(const char __user *upath)
{
    return do_remove(AT_FDCWD, upath, true);
}

long sys_unlinkat(uint32_t dirfd, const char __user *upath, uint32_t flags)
{
    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    return do_remove((int)dirfd, upath, flags & AT_REMOVEDIR);
}
