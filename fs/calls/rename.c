/*
 * rename(2).
 *
 * rename_lock is held by every rename between two directories: only these change what is an
 * ancestor of what. Then both parents are locked, an ancestor before what lies below it, otherwise
 * by address; then a directory that is replaced.
 */
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE  2u
#define RENAME_WHITEOUT  4u

struct mutex rename_lock;

struct rename {
    struct walk from, to;
    uint32_t flags;
    struct dentry *old;      /* what moves */
    struct dentry *target;   /* what is at the new name, or NULL */
    struct dentry *fresh;    /* carries the new parent and name */
    struct dentry *whiteout; /* RENAME_WHITEOUT: takes the old one */
};

static void lock_parents(struct dentry *a, struct dentry *b)
{
    if (a == b) {
        mutex_lock(&a->inode->lock);
        return;
    }
    mutex_lock(&rename_lock);
    if (dentry_is_below(a, b) || (!dentry_is_below(b, a) && b < a)) {
        struct dentry *t = a;

        a = b;
        b = t;
    }
    mutex_lock(&a->inode->lock);
    mutex_lock(&b->inode->lock);
}

static void unlock_parents(struct dentry *a, struct dentry *b)
{
    mutex_unlock(&a->inode->lock);
    if (a == b)
        return;
    mutex_unlock(&b->inode->lock);
    mutex_unlock(&rename_lock);
}

/* ---- Checks, parents locked ---- */

static int find_both(struct rename *r)
{
    int err = walk_last(&r->from, true, &r->old);

    if (err)
        return err;
    err = walk_last(&r->to, true, &r->target);
    if (err == -ENOENT) {
        r->target = NULL;
        return (r->flags & RENAME_EXCHANGE) || dir_is_made_up(r->to.at.dentry) ? -ENOENT : 0;
    }
    return !err && (r->flags & RENAME_NOREPLACE) ? -EEXIST : err;
}

/* Slashes after a name ask for a directory. */
static int check_slashes(const struct rename *r)
{
    bool old_dir = S_ISDIR(r->old->inode->mode), new_dir = old_dir;

    if (r->flags & RENAME_EXCHANGE)
        new_dir = S_ISDIR(r->target->inode->mode);
    if ((r->from.must_be_dir && !old_dir) || (r->to.must_be_dir && !new_dir))
        return -ENOTDIR;
    return 0;
}

/* A directory never moves below itself, nor replaces what it lies in. */
static int check_ancestors(const struct rename *r)
{
    if (dentry_is_below(r->to.at.dentry, r->old))
        return -EINVAL;
    if (r->target && dentry_is_below(r->from.at.dentry, r->target))
        return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
    return 0;
}

static int check_permissions(const struct rename *r)
{
    bool exchange = r->flags & RENAME_EXCHANGE;
    bool old_dir = S_ISDIR(r->old->inode->mode);
    int err = may_delete(r->old, old_dir);

    if (err)
        return err;
    if (r->target)
        err = may_delete(r->target, exchange ? S_ISDIR(r->target->inode->mode) : old_dir);
    else
        err = may_change_dir(r->to.at.dentry);
    if (err)
        return err;
    /* A directory that changes its parent has its ".." written. */
    if (old_dir && r->from.at.dentry != r->to.at.dentry)
        err = inode_permission(r->old->inode, MAY_WRITE);
    if (!err && exchange && S_ISDIR(r->target->inode->mode) && r->from.at.dentry != r->to.at.dentry)
        err = inode_permission(r->target->inode, MAY_WRITE);
    return err;
}

static int check_all(const struct rename *r)
{
    int err = check_slashes(r);

    if (!err)
        err = check_ancestors(r);
    if (!err && (!r->target || r->old->inode != r->target->inode))
        err = check_permissions(r);
    return err;
}

/* ---- The act ---- */

/* Swaps two names of an in-memory file system: only parents' link counts and times change. */
static int exchange(struct rename *r)
{
    struct inode *olddir = r->from.at.dentry->inode, *newdir = r->to.at.dentry->inode;
    int old_dir = S_ISDIR(r->old->inode->mode), new_dir = S_ISDIR(r->target->inode->mode);

    if (olddir->ops->lookup)
        return -EINVAL;
    olddir->nlink += new_dir - old_dir;
    newdir->nlink += old_dir - new_dir;
    inode_touch(r->old->inode, false, false, true);
    inode_touch(r->target->inode, false, false, true);
    inode_touch(olddir, false, true, true);
    inode_touch(newdir, false, true, true);
    dentry_exchange(r->old, r->target);
    return 0;
}

static int replace(struct rename *r)
{
    struct inode *newdir = r->to.at.dentry->inode;
    struct inode *gone = r->target && S_ISDIR(r->target->inode->mode) ? r->target->inode : NULL;
    int err;

    r->fresh = dentry_new(r->to.at.dentry, r->to.name, r->to.len);
    if (!r->fresh)
        return -ENOMEM;
    if (gone)
        mutex_lock(&gone->lock);
    err = newdir->ops->rename(r->from.at.dentry->inode, r->old, newdir,
                              r->target ? r->target : r->fresh);
    if (!err)
        dentry_move(r->old, r->fresh, r->target);
    if (gone)
        mutex_unlock(&gone->lock);
    return err;
}

/* RENAME_WHITEOUT: the old name becomes a character device 0:0, by which union file systems say
 * that there is nothing. Made in time: what is left to do cannot fail but for want of room. */
static int leave_whiteout(struct rename *r)
{
    struct inode *dir = r->from.at.dentry->inode;
    int err = dir->ops->mknod(dir, r->whiteout, S_IFCHR, 0);

    if (!err)
        dentry_link(r->whiteout);
    return err;
}

static int prepare_whiteout(struct rename *r)
{
    const struct inode *dir = r->from.at.dentry->inode;

    if (!dir->ops->mknod)
        return -EINVAL;
    r->whiteout = dentry_new(r->from.at.dentry, r->from.name, r->from.len);
    return r->whiteout ? 0 : -ENOMEM;
}

static void tell_renamed(const struct rename *r)
{
    notify_moved(r->from.at.dentry->inode, r->from.name, r->from.len, r->old);
    if (r->target && !(r->flags & RENAME_EXCHANGE))
        notify_inode(r->target->inode, IN_ATTRIB);
    notify_inode(r->old->inode, IN_MOVE_SELF);
    if (r->flags & RENAME_EXCHANGE) {
        notify_moved(r->to.at.dentry->inode, r->to.name, r->to.len, r->target);
        notify_inode(r->target->inode, IN_MOVE_SELF);
    }
}

static int rename_locked(struct rename *r)
{
    int err = find_both(r);

    if (!err)
        err = check_all(r);
    if (err)
        return err;
    if (r->target && r->target->inode == r->old->inode)
        return 0;
    if (!r->to.at.dentry->inode->ops->rename)
        return -EPERM;
    if (!dentry_leaves(r->old) || (r->target && !dentry_leaves(r->target)))
        return -EBUSY;
    if (r->flags & RENAME_WHITEOUT)
        err = prepare_whiteout(r);
    if (r->whiteout)
        walks_bar(true); /* nobody sees the name gone before the whiteout is there */
    if (!err)
        err = r->flags & RENAME_EXCHANGE ? exchange(r) : replace(r);
    if (!err && r->whiteout)
        err = leave_whiteout(r);
    if (r->whiteout)
        walks_bar(false);
    if (!err && notify_wanted())
        tell_renamed(r);
    return err;
}

static int rename_walked(struct rename *r)
{
    int err;

    if (r->from.at.mount != r->to.at.mount)
        return -EXDEV;
    if (r->from.kind != LAST_NAME)
        return -EBUSY;
    if (r->to.kind != LAST_NAME)
        return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
    if (path_readonly(&r->from.at))
        return -EROFS;
    lock_parents(r->from.at.dentry, r->to.at.dentry);
    err = rename_locked(r);
    if (r->old)
        dentry_stays(r->old);
    if (r->target)
        dentry_stays(r->target);
    unlock_parents(r->from.at.dentry, r->to.at.dentry);
    dentry_unref(r->old);
    dentry_unref(r->target);
    dentry_unref(r->fresh);
    dentry_unref(r->whiteout);
    return err;
}

static long do_rename(int olddir, const char __user *uold, int newdir, const char __user *unew,
                      uint32_t flags)
{
    struct rename r = {.flags = flags};
    char *oldpath, *newpath;
    int err;

    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
        return -EINVAL;
    if ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
        return -EINVAL;
    err = user_parent(&r.from, olddir, uold, &oldpath);
    if (err)
        return err;
    err = user_parent(&r.to, newdir, unew, &newpath);
    if (!err) {
        err = rename_walked(&r);
        walk_end(&r.to);
        kfree(newpath);
    }
    walk_end(&r.from);
    kfree(oldpath);
    return err;
}

long sys_rename(const char __user *uold, const char __user *unew)
{
    return do_rename(AT_FDCWD, uold, AT_FDCWD, unew, 0);
}

long sys_renameat(uint32_t olddir, const char __user *uold, uint32_t newdir,
                  const char __user *unew)
{
    return do_rename((int)olddir, uold, (int)newdir, unew, 0);
}

long sys_renameat2(uint32_t olddir, const char __user *uold, uint32_t newdir,
                   const char __user *unew, uint32_t flags)
{
    return do_rename((int)olddir, uold, (int)newdir, unew, flags);
}
