/*
 * umount2(2) and pivot_root(2): what takes mounts from where they are.
 */
#include "fs/vfs/internal.h"
#include "fs/vfs/propagate.h"
#include "fs/vfs/super.h"
#include "kernel/thread/proc.h"

#define MNT_FORCE       1u
#define MNT_DETACH      2u
#define MNT_EXPIRE      4u
#define UMOUNT_NOFOLLOW 8u

/* [mount_lock held] Whether anything but the tree refers to m, or is mounted below. */
static bool is_busy(struct mount *m)
{
    struct superblock *sb = m->sb;

    if (propagation_busy(m))
        return true;
    return sb->mounts.next == sb->mounts.prev && super_in_use(sb);
}

/* [mount_lock held] Asked twice, without anybody's having walked into it in between, it goes. */
static int expire(struct mount *m)
{
    bool again;

    if (m->refs > 1 || !list_empty(&m->children))
        return -EBUSY;
    spin_lock(&dentry_lock);
    again = m->expiring;
    m->expiring = true;
    spin_unlock(&dentry_lock);
    return again ? 0 : -EAGAIN;
}

static bool is_own_root(const struct mount *m)
{
    struct path root = fs_context_root();
    bool own = root.mount == m;

    path_unref(&root);
    return own;
}

/* [mount_lock held] m, to which the caller has no reference any more, is in the tree. */
static int unmount(struct mount *m, uint32_t flags)
{
    bool own = is_own_root(m);
    int err = 0;

    if ((flags & MNT_EXPIRE) && (own || (flags & (MNT_FORCE | MNT_DETACH))))
        return -EINVAL;
    if (flags & MNT_EXPIRE)
        err = expire(m);
    if (err)
        return err;
    if (own && !(flags & MNT_DETACH)) /* as a shutdown asks: it stays, but nothing is written */
        return sb_readonly(m->sb) ? 0 : super_remount(m->sb, m->sb->flags | MS_RDONLY, NULL);
    if (!m->parent)
        return -EINVAL;
    if (!(flags & MNT_DETACH) && is_busy(m))
        return -EBUSY;
    propagation_umount(m);
    return 0;
}

static int unmount_at(struct path *p, uint32_t flags)
{
    struct mount *m = p->mount;
    int err = -EINVAL;

    mutex_lock(&mount_lock);
    walks_bar(true); /* nobody comes in between the look whether it is busy and its going */
    mounts_reap();
    bool is_mount = p->dentry == m->root && mount_in_tree(m);

    path_unref(p);
    if (is_mount)
        err = unmount(m, flags);
    walks_bar(false);
    mounts_reap();
    mutex_unlock(&mount_lock);
    return err;
}

long sys_umount2(const char __user *upath, uint32_t flags)
{
    struct path p;
    int err;

    if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
        return -EINVAL;
    err = user_lookup_mount(upath, !(flags & UMOUNT_NOFOLLOW), &p);
    if (err)
        return err;
    if (!capable(CAP_SYS_ADMIN)) {
        path_unref(&p);
        return -EPERM;
    }
    return unmount_at(&p, flags);
}

long sys_umount(const char __user *upath)
{
    return sys_umount2(upath, 0);
}

/* ---- pivot_root ---- */

/* [mount_lock held] Whether p can be reached from root by going up. */
static bool is_reachable(const struct path *p, const struct path *root)
{
    const struct mount *m = p->mount;
    struct dentry *d = p->dentry;

    while (m != root->mount && m->parent) {
        d = m->at;
        m = m->parent;
    }
    return m == root->mount && dentry_is_below(d, root->dentry);
}

static bool is_whole_mount(const struct path *p)
{
    return p->dentry == p->mount->root && p->mount->parent;
}

/* [mount_lock held] In Linux's order. */
static int check_pivot(const struct path *root, const struct path *new, const struct path *put_old)
{
    if (put_old->mount->group || (new->mount->parent &&new->mount->parent->group) ||
        (root->mount->parent && root->mount->parent->group))
        return -EINVAL;
    if (!mount_in_tree(root->mount) || !mount_in_tree(new->mount))
        return -EINVAL;
    if (!new->mount->parent) /* the first mount stays where it is */
        return -EINVAL;
    if (new->dentry->unlinked)
        return -ENOENT;
    if (new->mount == root->mount || put_old->mount == root->mount)
        return -EBUSY;
    if (!is_whole_mount(root) || !is_whole_mount(new))
        return -EINVAL;
    return is_reachable(put_old, new) && is_reachable(new, root) ? 0 : -EINVAL;
}

/* [proc_lock held] Its context, a reference, if place is its root or working directory; or NULL. */
static struct fs_context *context_at(const struct proc *p, const struct path *place)
{
    struct fs_context *c = p->fs;

    if (!c || !(path_same(&c->root, place) || path_same(&c->cwd, place)))
        return NULL;
    fs_context_ref(c);
    return c;
}

/* Every process whose root or working directory is old has new instead. From the oldest on: what
 * one forks meanwhile is younger, and comes later. */
static void move_everybody(const struct path *old, const struct path *new)
{
    struct proc_place at = {0};
    const struct proc *p;
    struct fs_context *c;

    do {
        spin_lock(&proc_lock);
        p = proc_after(&at);
        c = p ? context_at(p, old) : NULL;
        spin_unlock(&proc_lock);
        if (c) {
            for (unsigned left = fs_context_replace(c, old, new); left; left--)
                path_unref(old);
            fs_context_put(c);
        }
        sched_point();
    } while (p);
}

/* [mount_lock held] */
static int pivot(const struct path *root, const struct path *new, struct path *put_old)
{
    struct dentry *left = NULL;
    int err = mount_target(put_old);

    if (!err)
        err = check_pivot(root, new, put_old);
    if (err)
        return err;
    spin_lock(&dentry_lock);
    struct path place = {root->mount->parent, root->mount->at};

    if (put_old->dentry->unlinked || put_old->dentry->leaving) {
        err = -ENOENT;
    } else {
        left = mount_unlink(new->mount);
        (void)mount_unlink(root->mount); /* place's reference: below */
        mount_link(root->mount, put_old);
        mount_link(new->mount, &place);
    }
    spin_unlock(&dentry_lock);
    dentry_unref(left);
    if (err)
        return err;
    dentry_unref(place.dentry);
    mounts_changed();
    return 0;
}

/* An argument of pivot_root: a directory. */
static int lookup_directory(const char __user *upath, struct path *out)
{
    char *path;
    int err = path_from_user(upath, &path);

    if (err)
        return err;
    err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, out);
    kfree(path);
    return err;
}

long sys_pivot_root(const char __user *unew, const char __user *uput_old)
{
    struct path root, new, put_old;
    int err;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    err = lookup_directory(unew, &new);
    if (err)
        return err;
    err = lookup_directory(uput_old, &put_old);
    if (err) {
        path_unref(&new);
        return err;
    }
    root = fs_context_root();
    mutex_lock(&mount_lock);
    err = pivot(&root, &new, &put_old);
    mutex_unlock(&mount_lock);
    if (!err)
        move_everybody(&root, &new);
    path_unref(&root);
    path_unref(&put_old);
    path_unref(&new);
    return err;
}
