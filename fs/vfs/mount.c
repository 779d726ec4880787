/*
 * Mounts: which file system covers which directory.
 *
 * A mount is a superblock with a tree of its own. Its root dentry says what it covers, the covered
 * dentry says what is mounted on it; the covered one is referenced. One superblock is mounted in
 * one place, so there are no bind mounts. mount_lock (a sleep lock) serialises all of it; the links
 * between dentries are also under dentry_lock, for the path walk.
 *
 * umount refuses while anybody refers to the tree (dentry_tree_busy). MNT_DETACH takes it out of
 * sight at once; the tree itself goes when a later mount or umount finds it unused.
 */
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "fs/sys/sysfs.h"
#include "kernel/base/log.h"
#include "kernel/oom/oom.h"
#include "libc/printf.h"
#include "libc/string.h"

#define FIRST_MOUNT_ID 20

struct fs_type *fs_types;               /* [mount_lock for adding] */
struct list mounts = LIST_INIT(mounts); /* [mount_lock] */
struct mutex mount_lock;
static struct list detached = LIST_INIT(detached); /* [mount_lock] superblocks out of sight */
static uint32_t last_dev;                          /* [mount_lock] minor numbers of major 0 */
static uint32_t mount_count; /* [mount_lock] superblocks, those out of sight too */

void fs_register(struct fs_type *t)
{
    struct fs_type **p = &fs_types;

    while (*p)
        p = &(*p)->next;
    t->next = NULL;
    *p = t;
}

void vfs_init(void)
{
    mutex_init(&mount_lock, MUTEX_RANK_MOUNT);
    oom_count_files(files_held_bytes);
    fs_limits_init();
    mutex_init(&rename_lock, MUTEX_RANK_RENAME);
    ramfs_init();
    devfs_init();
    sysfs_init();
    procfs_init();
    disk_filesystems_init();
}

static struct fs_type *find_type(const char *name)
{
    struct fs_type *t = fs_types;

    while (t && strcmp(t->name, name) != 0)
        t = t->next;
    return t;
}

uint32_t mount_changes;
struct waitq mount_changed = {.lock = SPINLOCK_INIT("mount table", LOCK_RANK_WAITQ),
                              .waiters = LIST_INIT(mount_changed.waiters)};

/* [mount_lock held] */
static void table_changed(void)
{
    mount_changes++;
    wake_all(&mount_changed);
}

/* [mount_lock held] Nobody refers to the tree any more. */
static void sb_destroy(struct superblock *sb)
{
    mount_count--;
    notify_unmount(sb);
    if (sb->type->leave)
        sb->type->leave(sb);
    dentry_tree_free(sb->root);
    if (sb->type->unmount)
        sb->type->unmount(sb);
    kmfree(sb);
}

/* [mount_lock held] A new tree, not yet visible. */
static int sb_create(const char *fstype, const char *source, uint32_t flags, const char *data,
                     struct superblock **out)
{
    struct fs_type *t = find_type(fstype);
    struct superblock *sb;
    int err;

    if (!t)
        return -ENODEV;
    if (mount_count >= fs_limits.mounts)
        return -ENOSPC;
    sb = kzalloc(sizeof(*sb));
    if (!sb)
        return -ENOMEM;
    sb->type = t;
    sb->flags = flags;
    last_dev++;
    sb->dev = MKDEV(0, last_dev);
    sb->id = FIRST_MOUNT_ID + last_dev;
    strlcpy(sb->source, source && *source ? source : "none", sizeof(sb->source));
    list_init(&sb->link);
    mount_count++;
    err = t->mount(sb, source, data);
    if (err) {
        if (sb->root) {
            sb_destroy(sb);
        } else {
            mount_count--;
            kmfree(sb);
        }
        return err;
    }
    *out = sb;
    return 0;
}

/* [mount_lock held] */
static bool is_busy(struct superblock *sb)
{
    return dentry_tree_busy(sb->root) || (sb->type->busy && sb->type->busy(sb));
}

/* [mount_lock held] */
static void reap_detached(void)
{
    struct superblock *sb, *next;

    list_for_each_entry_safe (sb, next, &detached, link) {
        if (is_busy(sb))
            continue;
        list_remove(&sb->link);
        sb_destroy(sb);
    }
}

/* [mount_lock held] Puts the tree on top of where. */
static int attach(struct superblock *sb, struct dentry *where)
{
    int err = 0;

    spin_lock(&dentry_lock);
    where = dentry_topmost(where);
    if (where->unlinked) {
        err = -ENOENT;
    } else {
        dentry_ref(where);
        where->mounted = sb->root;
        sb->root->covers = where;
    }
    spin_unlock(&dentry_lock);
    return err;
}

/* [mount_lock held] */
static void detach(struct superblock *sb)
{
    struct dentry *covered;

    spin_lock(&dentry_lock);
    covered = sb->root->covers;
    covered->mounted = NULL;
    sb->root->covers = NULL;
    spin_unlock(&dentry_lock);
    dentry_unref(covered);
}

int vfs_mount(const char *fstype, const char *source, struct dentry *where, uint32_t flags,
              const char *data)
{
    struct superblock *sb;
    int err;

    if (!S_ISDIR(where->inode->mode))
        return -ENOTDIR;
    mutex_lock(&mount_lock);
    reap_detached();
    err = sb_create(fstype, source, flags, data, &sb);
    if (!err) {
        err = attach(sb, where);
        if (err) {
            sb_destroy(sb);
        } else {
            list_add_tail(&mounts, &sb->link);
            table_changed();
        }
    }
    mutex_unlock(&mount_lock);
    return err;
}

int vfs_mount_root(const struct boot_archive *archives, unsigned count)
{
    struct superblock *sb = NULL;
    int err;

    mutex_lock(&mount_lock);
    err = sb_create("rootfs", "rootfs", 0, NULL, &sb);
    if (!err)
        list_add_tail(&mounts, &sb->link);
    mutex_unlock(&mount_lock);
    if (err) {
        klog(LOG_EMERG, "vfs: cannot make the root file system: error %d\n", -err);
        return err;
    }
    return cpio_load(sb->root, archives, count);
}

int vfs_mount_root_disk(const char *source, uint32_t flags)
{
    struct superblock *sb = NULL;
    int err = -ENODEV;

    mutex_lock(&mount_lock);
    for (struct fs_type *t = fs_types; t && err; t = t->next)
        if (!t->nodev)
            err = sb_create(t->name, source, flags, NULL, &sb);
    if (!err)
        list_add_tail(&mounts, &sb->link);
    mutex_unlock(&mount_lock);
    return err;
}

/* [mount_lock] */
static void sync_some(struct list *list, bool data)
{
    struct superblock *sb;

    list_for_each_entry (sb, list, link) {
        int (*sync)(struct superblock * sb) = data ? sb->type->sync : sb->type->commit;

        if (sync && !sb_readonly(sb))
            (void)sync(sb);
    }
}

static void sync_all(bool data)
{
    mutex_lock(&mount_lock);
    sync_some(&mounts, data);
    sync_some(&detached, data);
    mutex_unlock(&mount_lock);
}

void vfs_sync(void)
{
    sync_all(true);
}

void vfs_commit(void)
{
    sync_all(false);
}

/* [mount_lock held] */
static void make_readonly(struct superblock *sb)
{
    if (sb->type->remount && !sb->type->remount(sb, sb->flags | MS_RDONLY, NULL))
        sb->flags |= MS_RDONLY;
}

void vfs_shutdown(void)
{
    struct superblock *sb;

    mutex_lock(&mount_lock);
    list_for_each_entry (sb, &mounts, link)
        make_readonly(sb);
    list_for_each_entry (sb, &detached, link)
        make_readonly(sb);
    mutex_unlock(&mount_lock);
}

/* ---- umount ---- */

#define MNT_FORCE       1u
#define MNT_DETACH      2u
#define MNT_EXPIRE      4u
#define UMOUNT_NOFOLLOW 8u

/* [mount_lock held] A mount in the tree of sb, or NULL. */
static struct superblock *mounted_inside(const struct superblock *sb)
{
    struct superblock *s;

    list_for_each_entry (s, &mounts, link) {
        if (s->root->covers && s->root->covers->inode->sb == sb)
            return s;
    }
    return NULL;
}

/* [mount_lock held] Out of sight, with what is mounted inside. */
static void detach_lazily(struct superblock *sb)
{
    struct superblock *inner;

    while ((inner = mounted_inside(sb)) != NULL) {
        while (mounted_inside(inner))
            inner = mounted_inside(inner);
        detach(inner);
        list_remove(&inner->link);
        list_add_tail(&detached, &inner->link);
    }
    detach(sb);
    list_remove(&sb->link);
    list_add_tail(&detached, &sb->link);
}

/* [mount_lock held] d (a reference, consumed) is the root of a mount, or so the caller says. */
static int unmount(struct dentry *d, uint32_t flags)
{
    struct superblock *sb = d->inode->sb;
    bool is_mount = sb && sb->root == d && d->covers;

    dentry_unref(d);
    if (!is_mount)
        return -EINVAL;
    if (flags & MNT_DETACH) {
        detach_lazily(sb);
        reap_detached();
        return 0;
    }
    if (is_busy(sb))
        return -EBUSY;
    if (flags & MNT_EXPIRE)
        return -EAGAIN;
    detach(sb);
    list_remove(&sb->link);
    sb_destroy(sb);
    return 0;
}

long sys_umount2(const char __user *upath, uint32_t flags)
{
    struct dentry *d;
    int err;

    if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
        return -EINVAL;
    if ((flags & MNT_EXPIRE) && (flags & (MNT_FORCE | MNT_DETACH)))
        return -EINVAL;
    err = user_lookup(AT_FDCWD, upath, flags & UMOUNT_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0, &d);
    if (err)
        return err;
    if (!capable(CAP_SYS_ADMIN)) {
        dentry_unref(d);
        return -EPERM;
    }
    mutex_lock(&mount_lock);
    err = unmount(d, flags);
    if (!err)
        table_changed();
    mutex_unlock(&mount_lock);
    return err;
}

long sys_umount(const char __user *upath)
{
    return sys_umount2(upath, 0);
}

/* ---- mount ---- */

#define MS_MANDLOCK    64u
#define MS_DIRSYNC     128u
#define MS_REC         0x4000u
#define MS_SILENT      0x8000u
#define MS_UNBINDABLE  0x20000u
#define MS_PRIVATE     0x40000u
#define MS_SLAVE       0x80000u
#define MS_SHARED      0x100000u
#define MS_STRICTATIME 0x1000000u
#define MS_MGC_VAL     0xC0ED0000u
#define MS_MGC_MASK    0xFFFF0000u
#define MS_PROPAGATION (MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED)
#define MS_KEPT                                                                                    \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS | MS_NOATIME | MS_NODIRATIME |  \
     MS_RELATIME)

static int remount(struct dentry *d, uint32_t flags, const char *data)
{
    struct superblock *sb = d->inode->sb;
    int err = 0;

    if (!sb || sb->root != d)
        return -EINVAL;
    mutex_lock(&mount_lock);
    if ((flags & ~sb->flags & MS_RDONLY) && sb->type->written && sb->type->written(sb))
        err = -EBUSY;
    else if (sb->type->remount)
        err = sb->type->remount(sb, flags, data);
    if (!err) {
        sb->flags = flags & MS_KEPT;
        table_changed();
    }
    mutex_unlock(&mount_lock);
    return err;
}

/* MS_MOVE: the tree whose root is at source goes on top of where. */
static int move_mount(const char *source, struct dentry *where)
{
    struct dentry *d;
    struct superblock *sb;
    int err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &d);

    if (err)
        return err;
    mutex_lock(&mount_lock);
    sb = d->inode->sb;
    if (!sb || sb->root != d || !d->covers) {
        err = -EINVAL;
    } else if (!S_ISDIR(where->inode->mode)) {
        err = -ENOTDIR;
    } else if (where->inode->sb == sb) {
        err = -ELOOP;
    } else {
        detach(sb);
        err = attach(sb, where);
        list_remove(&sb->link);
        list_add_tail(err ? &detached : &mounts, &sb->link);
        table_changed();
    }
    mutex_unlock(&mount_lock);
    dentry_unref(d);
    return err;
}

struct mount_request {
    char *source, *type, *data; /* frames or NULL */
    uint32_t flags;
};

/* Strings of mount(2): a path or NULL. */
static int optional_string(const char __user *ustring, char **out)
{
    return ustring ? path_from_user(ustring, out) : 0;
}

static int do_mount(const struct mount_request *r, struct dentry *where)
{
    if (r->flags & MS_REMOUNT)
        return remount(where, r->flags, r->data);
    if (r->flags & MS_BIND)
        return -EINVAL;
    if (r->flags & MS_PROPAGATION)
        return where->inode->sb && where->inode->sb->root == where ? 0 : -EINVAL;
    if (r->flags & MS_MOVE)
        return r->source ? move_mount(r->source, where) : -EINVAL;
    if (!r->type)
        return -EINVAL;
    return vfs_mount(r->type, r->source, where, r->flags & MS_KEPT, r->data);
}

static int mount_walked(const struct mount_request *r, const char __user *utarget)
{
    struct dentry *where;
    int err = user_lookup(AT_FDCWD, utarget, 0, &where);

    if (err)
        return err;
    err = capable(CAP_SYS_ADMIN) ? do_mount(r, where) : -EPERM;
    dentry_unref(where);
    return err;
}

static void free_string(char *s)
{
    if (s)
        kfree(s);
}

long sys_mount(const char __user *usource, const char __user *utarget, const char __user *utype,
               uint32_t flags, void __user *udata)
{
    struct mount_request r = {.flags = flags};
    int err;

    if ((flags & MS_MGC_MASK) == MS_MGC_VAL)
        r.flags &= ~MS_MGC_MASK;
    err = optional_string(utype, &r.type);
    if (!err)
        err = optional_string(usource, &r.source);
    if (!err)
        err = optional_string(udata, &r.data);
    if (!err)
        err = mount_walked(&r, utarget);
    free_string(r.type);
    free_string(r.source);
    free_string(r.data);
    return err;
}
