/*
 * Superblocks: which there are, how they begin and end, how they are written out.
 *
 * A type makes a new one for each mount, unless it has a single one (sysfs) or its files lie on a
 * device, of which there is never more than one.
 */
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "fs/vfs/super.h"
#include "libc/string.h"

struct fs_type *fs_types;                      /* [mount_lock for adding] */
static struct list supers = LIST_INIT(supers); /* [mount_lock] in order of birth */
static uint32_t last_dev;                      /* [mount_lock] minor numbers of major 0 */
static uint32_t super_count;                   /* [mount_lock] */

void fs_register(struct fs_type *t)
{
    struct fs_type **p = &fs_types;

    while (*p)
        p = &(*p)->next;
    t->next = NULL;
    *p = t;
}

const struct fs_type *fs_type_find(const char *name)
{
    const struct fs_type *t = fs_types;

    while (t && strcmp(t->name, name) != 0)
        t = t->next;
    return t;
}

/* ---- Beginning and end ---- */

static void super_free(struct superblock *sb)
{
    super_count--;
    list_remove(&sb->link);
    kmfree(sb);
}

static void super_destroy(struct superblock *sb)
{
    notify_unmount(sb);
    if (sb->type->leave)
        sb->type->leave(sb);
    dentry_tree_free(sb->root);
    if (sb->type->unmount)
        sb->type->unmount(sb);
    super_free(sb);
}

static int super_new(const struct fs_type *t, const char *source, uint32_t flags, const char *data,
                     struct superblock **out)
{
    struct superblock *sb;
    int err;

    if (super_count >= fs_limits.mounts)
        return -ENOSPC;
    sb = kzalloc(sizeof(*sb));
    if (!sb)
        return -ENOMEM;
    sb->type = t;
    sb->flags = flags;
    last_dev++;
    sb->dev = MKDEV(0, last_dev);
    list_init(&sb->mounts);
    super_count++;
    list_add_tail(&supers, &sb->link);
    err = t->mount(sb, source, data);
    if (!err)
        *out = sb;
    else if (sb->root)
        super_destroy(sb);
    else
        super_free(sb);
    return err;
}

/* Of a type that shares: the one there is, or NULL. */
static struct superblock *find_shared(const struct fs_type *t, uint32_t dev)
{
    struct superblock *sb;

    list_for_each_entry (sb, &supers, link)
        if (sb->type == t && (t->single || sb->dev == dev))
            return sb;
    return NULL;
}

int super_get(const char *fstype, const char *source, uint32_t flags, const char *data,
              struct superblock **out)
{
    const struct fs_type *t = fs_type_find(fstype);
    struct superblock *sb = NULL;
    uint32_t dev = 0;
    int err = 0;

    if (!t)
        return -ENODEV;
    if (t->device)
        err = t->device(source, &dev);
    if (err)
        return err;
    if (t->single || t->device)
        sb = find_shared(t, dev);
    if (!sb)
        return super_new(t, source, flags, data, out);
    if (t->device && ((flags ^ sb->flags) & MS_RDONLY))
        return -EBUSY;
    *out = sb;
    return 0;
}

struct superblock *super_find(uint32_t dev)
{
    struct superblock *sb;

    list_for_each_entry (sb, &supers, link)
        if (sb->dev == dev)
            return sb;
    return NULL;
}

bool super_in_use(struct superblock *sb)
{
    return sb->type->busy && sb->type->busy(sb);
}

void super_unshown(struct superblock *sb)
{
    if (list_empty(&sb->mounts) && !dentry_tree_busy(sb->root) && !super_in_use(sb))
        super_destroy(sb);
}

void super_reap(void)
{
    struct superblock *sb, *next;

    list_for_each_entry_safe (sb, next, &supers, link)
        super_unshown(sb);
}

/* ---- Read-only or not ---- */

static bool is_written(const struct superblock *sb)
{
    const struct mount *m;

    list_for_each_entry (m, &sb->mounts, of_sb)
        if (__atomic_load_n(&m->writers, __ATOMIC_RELAXED))
            return true;
    return false;
}

int super_remount(struct superblock *sb, uint32_t flags, const char *data)
{
    bool stops = flags & ~sb->flags & MS_RDONLY;
    int err = 0;

    if (stops && (is_written(sb) || (sb->type->written && sb->type->written(sb))))
        return -EBUSY;
    if (sb->type->remount)
        err = sb->type->remount(sb, flags, data);
    if (!err)
        sb->flags = flags & SUPER_FLAGS;
    return err;
}

/* ---- All of them ---- */

static void sync_all(bool data)
{
    struct superblock *sb;

    mutex_lock(&mount_lock);
    list_for_each_entry (sb, &supers, link) {
        int (*sync)(struct superblock * sb) = data ? sb->type->sync : sb->type->commit;

        if (sync && !sb_readonly(sb))
            (void)sync(sb);
    }
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

void vfs_shutdown(void)
{
    struct superblock *sb;

    mutex_lock(&mount_lock);
    list_for_each_entry (sb, &supers, link)
        if (sb->type->remount && !sb->type->remount(sb, sb->flags | MS_RDONLY, NULL))
            sb->flags |= MS_RDONLY;
    mutex_unlock(&mount_lock);
}
