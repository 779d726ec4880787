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

int place_fd(const struct target *who, struct path *out)
{
    int err;
    struct file *f = target_file(who, &err);

    if (!f)
        return err;
    err = file_path(f, out);
    file_put(f);
    return err;
}

int show_fdinfo(struct text *t, const struct target *who)
{
    int err;
    struct file *f = target_file(who, &err);

    if (!f)
        return err;
    text_printf(t, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%u\n", (long long)f->pos, f->flags,
                file_mount_id(f), f->inode->ino);
    if (f->ops->fdinfo)
        f->ops->fdinfo(f, t);
    file_put(f);
    return 0;
}

static int place_of_fs(const struct target *who, bool guarded, bool root, struct path *out)
{
    struct proc *p = target_lock(who);
    struct fs_context *fs = NULL;
    int err = -ENOENT;

    if (!p)
        return -ESRCH;
    if (guarded && !proc_may_inspect(p, INSPECT_FS)) {
        err = -EACCES;
    } else if (p->fs && target_thread(who, p)) {
        fs = p->fs;
        fs_context_ref(fs);
    }
    spin_unlock(&proc_lock);
    if (!fs)
        return err;
    *out = fs_context_get(fs, root);
    fs_context_put(fs);
    return 0;
}

int place_cwd(const struct target *who, struct path *out)
{
    return place_of_fs(who, true, false, out);
}

int place_root(const struct target *who, struct path *out)
{
    return place_of_fs(who, true, true, out);
}

int target_root(const struct target *who, struct path *out)
{
    return place_of_fs(who, false, true, out);
}

int place_exe(const struct target *who, struct path *out)
{
    struct proc *p = target_lock(who);
    struct file *exe = NULL;
    int err = -ENOENT;

    if (!p)
        return -ESRCH;
    if (!proc_may_inspect(p, INSPECT_FS)) {
        err = -EACCES;
    } else if (p->exe && target_thread(who, p)) {
        exe = p->exe;
        file_ref(exe);
    }
    spin_unlock(&proc_lock);
    if (!exe)
        return err;
    err = file_path(exe, out);
    file_put(exe);
    return err;
}

const struct proc_entry fd_entry = {
    .name = "", .kind = ENTRY_PLACE, .mode = 0700, .place = place_fd};
const struct proc_entry fdinfo_entry = {
    .name = "", .kind = ENTRY_FILE, .mode = 0444, .guarded = true, .show = show_fdinfo};
