/*
 * Trees of mounts that open files hold: open_tree(2) makes them, move_mount(2) puts them into the
 * tree of all (and moves there what is in it already).
 */
#include "fs/mount/mount_calls.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/propagate.h"

#define OPEN_TREE_CLONE   1u
#define OPEN_TREE_CLOEXEC O_CLOEXEC

#define MOVE_F_SYMLINKS   0x01u
#define MOVE_F_EMPTY_PATH 0x04u
#define MOVE_T_SYMLINKS   0x10u
#define MOVE_T_EMPTY_PATH 0x40u
#define MOVE_SET_GROUP    0x100u
#define MOVE_ALL          0x177u /* with automounts, of which there are none */

/* ---- Descriptors that hold one ---- */

static void detached_release(struct file *f)
{
    mutex_lock(&mount_lock);
    if (f->mount->detached) {
        f->mount->detached = false;
        mount_take_out(f->mount);
    }
    mounts_reap();
    mutex_unlock(&mount_lock);
}

static const struct file_ops detached_file_ops = {.stream = true, .release = detached_release};

static void drop_tree(struct mount *top)
{
    mutex_lock(&mount_lock);
    mount_take_out(top);
    mounts_reap();
    mutex_unlock(&mount_lock);
}

int mount_detached_fd(struct mount *top, bool cloexec)
{
    struct path p = {top, top->root};
    struct file *f = file_new(p.dentry->inode, &p, &detached_file_ops, O_PATH);

    if (!f) {
        drop_tree(top);
        return file_new_error();
    }
    top->detached = true;
    return fd_install(f, 0, cloexec);
}

/* ---- open_tree ---- */

static int open_copy(const struct path *p, uint32_t flags)
{
    struct mount *top;
    int err;

    mutex_lock(&mount_lock);
    err = mount_second_view(p, flags & AT_RECURSIVE, &top);
    mounts_reap();
    mutex_unlock(&mount_lock);
    return err ? err : mount_detached_fd(top, flags & OPEN_TREE_CLOEXEC);
}

static int open_place(const struct path *p, uint32_t flags)
{
    struct file *f;
    int err = path_open(p, O_PATH, false, &f);

    return err ? err : fd_install(f, 0, flags & OPEN_TREE_CLOEXEC);
}

long sys_open_tree(uint32_t dirfd, const char __user *upath, uint32_t flags)
{
    bool copies = flags & OPEN_TREE_CLONE;
    struct path p;
    int err;

    if (flags & ~(AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW |
                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC))
        return -EINVAL;
    if ((flags & AT_RECURSIVE) && !copies)
        return -EINVAL;
    if (copies && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    err = fd_check_free(0);
    if (!err)
        err = user_lookup((int)dirfd, upath, flags, &p);
    if (err)
        return err;
    err = copies ? open_copy(&p, flags) : open_place(&p, flags);
    path_unref(&p);
    return err;
}

/* ---- move_mount ---- */

/* In the tree, or in one that an open file holds. */
static bool is_mounted(const struct mount *m)
{
    while (m->parent)
        m = m->parent;
    return mount_in_tree(m) || m->detached;
}

/* [mount_lock held] to, which is private, joins the group of from and follows whom that follows. */
static int join_group(const struct path *from, const struct path *to)
{
    struct mount *f = from->mount, *t = to->mount;

    if (!is_mounted(f) || !is_mounted(t))
        return -EINVAL;
    if (from->dentry != f->root || to->dentry != t->root || f->sb != t->sb)
        return -EINVAL;
    if (!dentry_is_below(t->root, f->root))
        return -EINVAL;
    if (t->group || t->master || !(f->group || f->master))
        return -EINVAL;
    return propagation_relate(t, f, PEER);
}

static int move_to(const struct path *from, struct path *to, uint32_t flags)
{
    int err;

    mutex_lock(&mount_lock);
    if (flags & MOVE_SET_GROUP)
        err = join_group(from, to);
    else
        err = mount_move(from, to);
    mounts_reap();
    mutex_unlock(&mount_lock);
    return err;
}

/* As user_lookup has its flags. */
static uint32_t lookup_flags(bool symlinks, bool empty)
{
    return (symlinks ? 0 : AT_SYMLINK_NOFOLLOW) | (empty ? AT_EMPTY_PATH : 0);
}

long sys_move_mount(uint32_t from_fd, const char __user *ufrom, uint32_t to_fd,
                    const char __user *uto, uint32_t flags)
{
    struct path from, to;
    int err;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (flags & ~MOVE_ALL)
        return -EINVAL;
    err = user_lookup((int)from_fd, ufrom,
                      lookup_flags(flags & MOVE_F_SYMLINKS, flags & MOVE_F_EMPTY_PATH), &from);
    if (err)
        return err;
    err = user_lookup((int)to_fd, uto,
                      lookup_flags(flags & MOVE_T_SYMLINKS, flags & MOVE_T_EMPTY_PATH), &to);
    if (!err) {
        err = move_to(&from, &to, flags);
        path_unref(&to);
    }
    path_unref(&from);
    return err;
}
