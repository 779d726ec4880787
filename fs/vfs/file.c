/*
 * Open files (open file descriptions): made, referenced, released.
 *
 * A file holds one reference on its inode and, if it has a name, on its dentry. A file without a
 * name (a pipe) gets a dentry outside every tree the first time /proc asks for one.
 *
 * The last reference is given up without the kernel lock as long as nobody else has to be told.
 */
#include "arch/processors.h"
#include "fs/notify/notify.h"
#include "fs/notify/owner.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "libc/printf.h"
#include "libc/string.h"

static uint32_t open_files; /* atomic */

uint32_t files_open(void)
{
    return __atomic_load_n(&open_files, __ATOMIC_RELAXED);
}

/* Whether the machine has as many open files as it may; root may have more. */
static bool too_many(void)
{
    return files_open() >= fs_limits.files && !capable(CAP_SYS_ADMIN);
}

int file_new_error(void)
{
    return too_many() ? -ENFILE : -ENOMEM;
}

/* What is mapped stays open. */
static void hold_mapped(struct vm_backing *b, bool held)
{
    struct file *f = container_of(b, struct file, mapped);

    if (held)
        file_ref(f);
    else
        file_put(f);
}

struct file *file_new(struct inode *inode, const struct path *at, const struct file_ops *ops,
                      uint32_t flags)
{
    struct file *f = too_many() ? NULL : kmalloc(sizeof(*f));

    if (!f)
        return NULL;
    __atomic_fetch_add(&open_files, 1, __ATOMIC_RELAXED);
    f->refs = 1;
    f->flags = flags;
    f->pos = 0;
    mutex_init(&f->pos_lock, MUTEX_RANK_FILE);
    f->inode = inode;
    f->mount = at ? at->mount : &nowhere;
    f->dentry = at ? at->dentry : NULL;
    f->ops = ops;
    f->private = NULL;
    f->counts_writer = f->counts_mount = f->counts_reader = f->denies_write = f->opened = false;
    f->owner = (struct file_owner){0};
    f->dnotify = 0;
    f->async = NULL;
    f->watches = NULL;
    f->mapped = (struct vm_backing){.hold = hold_mapped};
    inode_ref(inode);
    mount_ref(f->mount);
    if (at)
        dentry_ref(f->dentry);
    return f;
}

void file_ref(struct file *f)
{
    ref_get(&f->refs);
}

static void give_back_writers(struct file *f)
{
    if (f->counts_writer)
        __atomic_fetch_sub(&f->inode->writers, 1, __ATOMIC_RELAXED);
    if (f->counts_mount)
        __atomic_fetch_sub(&f->mount->writers, 1, __ATOMIC_RELAXED);
    if (f->denies_write)
        __atomic_fetch_add(&f->inode->writers, 1, __ATOMIC_RELAXED);
    if (f->counts_reader)
        __atomic_fetch_sub(&f->inode->readers, 1, __ATOMIC_RELAXED);
}

/* Whether anybody has locked it, watches it, has signals from it or a lease on it, or it has an end
 * of its own. */
static bool has_more_to_end(const struct file *f)
{
    return f->inode->locks || f->watches || f->async || f->ops->release || f->inode->leases;
}

static void end_more(struct file *f)
{
    if (f->inode->locks)
        locks_close_file(f);
    if (f->watches)
        epoll_file_closed(f);
    if (f->async)
        async_drop(f);
    if (f->ops->release)
        f->ops->release(f);
    if (f->inode->leases)
        lease_close(f);
}

void file_put(struct file *f)
{
    if (!ref_put(&f->refs))
        return;
    if (notify_wanted() && f->opened)
        notify_file(f, file_writable(f) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
    if (has_more_to_end(f)) {
        kernel_need();
        end_more(f);
    }
    if (f->counts_writer || f->counts_mount || f->denies_write || f->counts_reader)
        give_back_writers(f);
    dentry_unref(f->dentry);
    inode_unref(f->inode);
    mount_unref(f->mount); /* the last: with the last mount the file system goes */
    __atomic_fetch_sub(&open_files, 1, __ATOMIC_RELAXED);
    kmfree(f);
}

void file_forget_writer(struct file *f)
{
    if (f->counts_writer)
        __atomic_fetch_sub(&f->inode->writers, 1, __ATOMIC_RELAXED);
    f->counts_writer = false;
}

int file_deny_write(struct file *f)
{
    int32_t *writers = &f->inode->writers;
    int32_t n = __atomic_load_n(writers, __ATOMIC_RELAXED);

    if (f->denies_write)
        return 0;
    do {
        if (n > 0)
            return -ETXTBSY;
    } while (!__atomic_compare_exchange_n(writers, &n, n - 1, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    f->denies_write = true;
    return 0;
}

static const char *kind_name(const struct inode *i)
{
    if (S_ISFIFO(i->mode))
        return "pipe";
    return S_ISSOCK(i->mode) ? "socket" : "anon_inode";
}

/* A name for what has none. NULL: no memory. */
static struct dentry *made_up_name(struct file *f)
{
    struct dentry *d;
    char name[32];

    if (f->ops->name)
        snprintf(name, sizeof(name), "anon_inode:%s", f->ops->name);
    else
        snprintf(name, sizeof(name), "%s:[%u]", kind_name(f->inode), f->inode->ino);
    d = dentry_new(NULL, name, strlen(name));
    if (d) {
        d->inode = f->inode;
        inode_ref(d->inode);
    }
    return d;
}

int file_path(struct file *f, struct path *out)
{
    struct dentry *d = f->dentry, *seen = NULL;

    if (!d) {
        d = made_up_name(f);
        if (!d)
            return -ENOMEM;
        if (!__atomic_compare_exchange_n(&f->dentry, &seen, d, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) {
            dentry_unref(d);
            d = seen;
        }
    }
    *out = (struct path){f->mount, d};
    path_ref(out);
    return 0;
}

uint32_t file_mount_id(const struct file *f)
{
    return f->mount->id;
}
