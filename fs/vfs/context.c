/*
 * The file-system context of a process: root, working directory, umask; shared by CLONE_FS.
 */
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

struct fs_context *fs_context_new(struct dentry *root)
{
    struct fs_context *c = kmalloc(sizeof(*c));

    if (!c)
        return NULL;
    c->refs = 1;
    spin_init(&c->lock, "fs_context", LOCK_RANK_FS);
    dentry_ref(root);
    dentry_ref(root);
    c->root = c->cwd = root;
    c->umask = 022;
    return c;
}

/* A reference to *place, which lies in c. */
static struct dentry *get_place(struct fs_context *c, struct dentry **place)
{
    struct dentry *d;

    if (c->refs == 1) {
        dentry_ref(*place);
        return *place;
    }
    spin_lock(&c->lock);
    d = *place;
    dentry_ref(d);
    spin_unlock(&c->lock);
    return d;
}

/* Puts d (consumed) in *place. */
static void set_place(struct fs_context *c, struct dentry **place, struct dentry *d)
{
    struct dentry *old;

    spin_lock(&c->lock);
    old = *place;
    *place = d;
    spin_unlock(&c->lock);
    dentry_unref(old);
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
    struct fs_context *c = kmalloc(sizeof(*c));

    if (!c)
        return NULL;
    c->refs = 1;
    spin_init(&c->lock, "fs_context", LOCK_RANK_FS);
    c->root = get_place(from, &from->root);
    c->cwd = get_place(from, &from->cwd);
    c->umask = from->umask;
    return c;
}

void fs_context_ref(struct fs_context *c)
{
    ref_get(&c->refs);
}

void fs_context_put(struct fs_context *c)
{
    if (!ref_put(&c->refs))
        return;
    dentry_unref(c->root);
    dentry_unref(c->cwd);
    kmfree(c);
}

struct dentry *fs_context_cwd(void)
{
    struct fs_context *c = proc_current()->fs;

    return get_place(c, &c->cwd);
}

struct dentry *fs_context_root(void)
{
    struct fs_context *c = proc_current()->fs;

    return get_place(c, &c->root);
}

/* ---- System calls ---- */

long sys_umask(uint32_t mask)
{
    return __atomic_exchange_n(&proc_current()->fs->umask, mask & 0777, __ATOMIC_RELAXED);
}

/* Makes d (consumed) the working directory if it may be searched. */
static int change_dir(struct dentry *d)
{
    struct fs_context *c = proc_current()->fs;
    int err = S_ISDIR(d->inode->mode) ? inode_permission(d->inode, MAY_EXEC) : -ENOTDIR;

    if (err)
        dentry_unref(d);
    else
        set_place(c, &c->cwd, d);
    return err;
}

long sys_chdir(const char __user *upath)
{
    struct dentry *d;
    int err = user_lookup(AT_FDCWD, upath, 0, &d);

    return err ? err : change_dir(d);
}

long sys_fchdir(uint32_t fd)
{
    struct file *f = fd_get_any((int)fd);
    int err = -ENOTDIR;

    if (!f)
        return -EBADF;
    if (f->dentry) {
        dentry_ref(f->dentry);
        err = change_dir(f->dentry);
    }
    file_put(f);
    return err;
}

long sys_chroot(const char __user *upath)
{
    struct fs_context *c = proc_current()->fs;
    struct dentry *d;
    int err = user_lookup(AT_FDCWD, upath, 0, &d);

    if (err)
        return err;
    err = S_ISDIR(d->inode->mode) ? inode_permission(d->inode, MAY_EXEC) : -ENOTDIR;
    if (!err && !capable(CAP_SYS_CHROOT))
        err = -EPERM;
    if (err)
        dentry_unref(d);
    else
        set_place(c, &c->root, d);
    return err;
}

bool dentry_is_reachable(struct dentry *d)
{
    struct dentry *root = fs_context_root();

    spin_lock(&dentry_lock);
    while (d && d != root)
        d = d->parent ? d->parent : d->covers;
    spin_unlock(&dentry_lock);
    dentry_unref(root);
    return d != NULL;
}

/* The path of d with its terminator, in frame; its start or NULL. */
static char *cwd_path(struct dentry *d, char *frame)
{
    static const char unreachable[] = "(unreachable)";
    char *s = dentry_path(d, frame, PAGE_SIZE);

    if (s && !dentry_is_reachable(d)) {
        s -= sizeof(unreachable) - 1;
        if (s < frame)
            s = NULL;
        else
            memcpy(s, unreachable, sizeof(unreachable) - 1);
    }
    return s;
}

long sys_getcwd(void __user *ubuf, uint32_t size)
{
    struct dentry *d;
    char *frame = kalloc(), *s;
    long r = -ENAMETOOLONG;

    if (!frame)
        return -ENOMEM;
    d = fs_context_cwd();
    s = cwd_path(d, frame);
    if (d->unlinked)
        r = -ENOENT;
    else if (s)
        r = frame + PAGE_SIZE - s;
    if (r > 0 && (uint32_t)r > size)
        r = -ERANGE;
    if (r > 0 && copy_to_user(ubuf, s, r))
        r = -EFAULT;
    dentry_unref(d);
    kfree(frame);
    return r;
}
