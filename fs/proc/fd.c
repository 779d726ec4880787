/*
 * /proc/PID/fd and fdinfo, and the other links that lead to places: cwd, root, exe.
 * A descriptor's target holds its number plus one.
 */
#include "fs/vfs/file.h"
#include "fs/proc/procfs.h"
#include "libc/errno.h"

static struct file *target_file(const struct target *who, int *err)
{
    struct files *files = target_files(who, true, err);
    struct file *f;

    if (!files) {
        *err = *err ? *err : -ENOENT;
        return NULL;
    }
    f = files_get(files, who->fd - 1);
    files_put(files);
    if (!f)
        *err = -ENOENT;
    return f;
}

struct dentry *place_fd(const struct target *who, int *err)
{
    struct file *f = target_file(who, err);
    struct dentry *d;

    if (!f)
        return NULL;
    d = file_dentry(f);
    file_put(f);
    if (!d)
        *err = -ENOMEM;
    return d;
}

int show_fdinfo(struct text *t, const struct target *who)
{
    int err;
    struct file *f = target_file(who, &err);

    if (!f)
        return err;
    text_printf(t, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%u\n", (long long)f->pos, f->flags,
                f->inode->sb ? f->inode->sb->id : 0, f->inode->ino);
    if (f->ops->fdinfo)
        f->ops->fdinfo(f, t);
    file_put(f);
    return 0;
}

static struct dentry *place_of_fs(const struct target *who, int *err, bool root)
{
    struct proc *p = target_lock(who);
    struct dentry *d = NULL;

    *err = -ESRCH;
    if (!p)
        return NULL;
    if (!proc_may_inspect(p, INSPECT_FS)) {
        *err = -EACCES;
    } else if (p->fs && target_thread(who, p)) {
        struct fs_context *fs = p->fs;

        fs_context_ref(fs);
        spin_unlock(&proc_lock);
        spin_lock(&fs->lock);
        d = root ? fs->root : fs->cwd;
        dentry_ref(d);
        spin_unlock(&fs->lock);
        fs_context_put(fs);
        return d;
    } else {
        *err = -ENOENT;
    }
    spin_unlock(&proc_lock);
    return NULL;
}

struct dentry *place_cwd(const struct target *who, int *err)
{
    return place_of_fs(who, err, false);
}

struct dentry *place_root(const struct target *who, int *err)
{
    return place_of_fs(who, err, true);
}

struct dentry *place_exe(const struct target *who, int *err)
{
    struct proc *p = target_lock(who);
    struct dentry *d = NULL;

    *err = -ESRCH;
    if (!p)
        return NULL;
    *err = -ENOENT;
    if (!proc_may_inspect(p, INSPECT_FS)) {
        *err = -EACCES;
    } else if (p->exe && target_thread(who, p)) {
        d = p->exe->dentry;
        dentry_ref(d);
    }
    spin_unlock(&proc_lock);
    return d;
}

const struct proc_entry fd_entry = {
    .name = "", .kind = ENTRY_PLACE, .mode = 0700, .place = place_fd};
const struct proc_entry fdinfo_entry = {
    .name = "", .kind = ENTRY_FILE, .mode = 0444, .guarded = true, .show = show_fdinfo};
