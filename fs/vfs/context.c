/*
 * The file-system context of a process: root, working directory, umask; shared by CLONE_FS.
 */
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

struct fs_context *fs_context_new(const struct path *root)
{
    struct fs_context *c = kmalloc(sizeof(*c));

    if (!c)
        return NULL;
    path_ref(root);
    path_ref(root);
    *c = (struct fs_context){.refs = 1, .root = *root, .cwd = *root, .umask = 022};
    return c;
}

struct path fs_context_get(struct fs_context *c, bool root)
{
    struct path p;

    spin_lock(&dentry_lock);
    p = root ? c->root : c->cwd;
    path_ref(&p);
    spin_unlock(&dentry_lock);
    return p;
}

/* Puts p (consumed) in *place. */
static void set_place(struct path *place, const struct path *p)
{
    struct path old;

    spin_lock(&dentry_lock);
    old = *place;
    *place = *p;
    spin_unlock(&dentry_lock);
    path_unref(&old);
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
    struct fs_context *c = kmalloc(sizeof(*c));

    if (!c)
        return NULL;
    c->refs = 1;
    spin_lock(&dentry_lock);
    c->root = from->root;
    c->cwd = from->cwd;
    path_ref(&c->root);
    path_ref(&c->cwd);
    spin_unlock(&dentry_lock);
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
    path_unref(&c->root);
    path_unref(&c->cwd);
    kmfree(c);
}

/* pivot_root: p, which is *old, becomes new; whether the reference to old is the caller's now. */
static bool replace_place(struct path *p, const struct path *old, const struct path *new)
{
    if (!path_same(p, old))
        return false;
    path_ref(new);
    *p = *new;
    return true;
}

unsigned fs_context_replace(struct fs_context *c, const struct path *old, const struct path *new)
{
    unsigned n;

    spin_lock(&dentry_lock);
    n = replace_place(&c->root, old, new);
    n += replace_place(&c->cwd, old, new);
    spin_unlock(&dentry_lock);
    return n;
}

struct path fs_context_cwd(void)
{
    return fs_context_get(proc_current()->fs, false);
}

struct path fs_context_root(void)
{
    return fs_context_get(proc_current()->fs, true);
}

/* ---- System calls ---- */

long sys_umask(uint32_t mask)
{
    return __atomic_exchange_n(&proc_current()->fs->umask, mask & 0777, __ATOMIC_RELAXED);
}

/* Makes p (consumed) the working directory if it may be searched. */
static int change_dir(const struct path *p)
{
    const struct inode *i = p->dentry->inode;
    int err = S_ISDIR(i->mode) ? inode_permission(i, MAY_EXEC) : -ENOTDIR;

    if (err)
        path_unref(p);
    else
        set_place(&proc_current()->fs->cwd, p);
    return err;
}

long sys_chdir(const char __user *upath)
{
    struct path p;
    int err = user_lookup(AT_FDCWD, upath, 0, &p);

    return err ? err : change_dir(&p);
}

long sys_fchdir(uint32_t fd)
{
    struct file *f = fd_get_any((int)fd);
    int err = -ENOTDIR;

    if (!f)
        return -EBADF;
    if (f->dentry) {
        struct path p = path_of_file(f);

        path_ref(&p);
        err = change_dir(&p);
    }
    file_put(f);
    return err;
}

long sys_chroot(const char __user *upath)
{
    struct path p;
    int err = user_lookup(AT_FDCWD, upath, 0, &p);

    if (err)
        return err;
    err = S_ISDIR(p.dentry->inode->mode) ? inode_permission(p.dentry->inode, MAY_EXEC) : -ENOTDIR;
    if (!err && !capable(CAP_SYS_CHROOT))
        err = -EPERM;
    if (err)
        path_unref(&p);
    else
        set_place(&proc_current()->fs->root, &p);
    return err;
}

/* The path of p with its terminator, in frame; its start or NULL. */
static char *cwd_path(const struct path *p, char *frame)
{
    static const char unreachable[] = "(unreachable)";
    struct path root = fs_context_root();
    bool reached;
    char *s = path_print_from(p, &root, frame, PAGE_SIZE, &reached);

    if (s && !reached) {
        s -= sizeof(unreachable) - 1;
        if (s < frame)
            s = NULL;
        else
            memcpy(s, unreachable, sizeof(unreachable) - 1);
    }
    path_unref(&root);
    return s;
}

long sys_getcwd(void __user *ubuf, uint32_t size)
{
    struct path p;
    char *frame = kalloc(), *s;
    long r = -ENAMETOOLONG;

    if (!frame)
        return -ENOMEM;
    p = fs_context_cwd();
    s = cwd_path(&p, frame);
    if (p.dentry->unlinked)
        r = -ENOENT;
    else if (s)
        r = frame + PAGE_SIZE - s;
    if (r > 0 && (uint32_t)r > size)
        r = -ERANGE;
    if (r > 0 && copy_to_user(ubuf, s, r))
        r = -EFAULT;
    path_unref(&p);
    kfree(frame);
    return r;
}
