/*
 * The names of queues, and the file system that shows them: one directory, on which every mount has
 * a root of its own. It is looked up anew by every walk.
 */
#include "arch/uaccess.h"
#include "fs/mqueue/mqueue.h"
#include "fs/vfs/internal.h"
#include "kernel/base/init.h"
#include "libc/string.h"

#define MQUEUE_MAGIC 0x19800202u
#define MQUEUE_DEV   MKDEV(0, 13)
#define FILE_BYTES   80u /* st_size of a queue, as on Linux */
#define DIRENT_BYTES 20u /* what each name adds to that of the directory */
#define FIRST_INO    2u

struct mq_name {
    struct list link;
    struct inode *inode;
    struct mq *queue;
    uint32_t place; /* in the directory: grows with every queue */
    uint8_t len;
    char name[];
};

static struct fs_type mqueue_type;
static struct superblock super = {
    .type = &mqueue_type, .dev = MQUEUE_DEV, .link = LIST_INIT(super.link)};
static struct inode *directory;
static struct dentry *root; /* for those who come by mq_open */

static struct mutex names_lock = MUTEX_INIT(names_lock, MUTEX_RANK_MQUEUE);
static struct list names = LIST_INIT(names); /* [names_lock] struct mq_name, by place */
static uint32_t linked_names;                /* [names_lock] */
static uint32_t next_place = FIRST_INO;      /* [names_lock] */

static const struct file_ops queue_file_ops;

/* ---- A queue's inode, whose private is its name ---- */

static struct mq_name *name_of(const struct inode *i)
{
    return i->private;
}

static void queue_destroy(struct inode *i)
{
    struct mq_name *n = name_of(i);

    mq_free(n->queue);
    kmfree(n);
}

/* It cannot be truncated, and O_TRUNC means nothing. */
static int queue_truncate(struct inode *i, uint64_t size)
{
    (void)i, (void)size;
    return 0;
}

static const struct inode_ops queue_inode_ops = {
    .truncate = queue_truncate,
    .destroy = queue_destroy,
};

struct mq *mq_of(const struct file *f)
{
    return f->ops == &queue_file_ops ? name_of(f->inode)->queue : NULL;
}

static long queue_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    char text[FILE_BYTES + 1];
    uint32_t size = (uint32_t)mq_state_text(mq_of(f), text, sizeof(text));

    if (*pos >= size)
        return 0;
    if (len > size - *pos)
        len = (size_t)(size - *pos);
    if (copy_to_user(ubuf, text + *pos, len))
        return -EFAULT;
    *pos += len;
    inode_touch(f->inode, true, false, true);
    return (long)len;
}

static uint32_t queue_poll(struct file *f, struct poll_table *pt)
{
    return mq_poll(mq_of(f), pt);
}

/* Whoever closes it is not told any more. */
static void queue_flush(struct file *f)
{
    mq_notify_off(mq_of(f));
}

static const struct file_ops queue_file_ops = {
    .read = queue_read,
    .plain_read = true,
    .poll = queue_poll,
    .flush = queue_flush,
};

/* ---- The table ---- */

/* [names_lock held] */
static struct mq_name *find(const char *name, size_t len)
{
    struct mq_name *n;

    list_for_each_entry (n, &names, link) {
        if (n->len == len && memcmp(n->name, name, len) == 0)
            return n;
        sched_point();
    }
    return NULL;
}

/* A reference to the inode of that name, or NULL. */
static struct inode *get(const char *name, size_t len)
{
    struct mq_name *n;
    struct inode *i;

    mutex_lock(&names_lock);
    n = find(name, len);
    i = n ? n->inode : NULL;
    if (i)
        inode_ref(i);
    mutex_unlock(&names_lock);
    return i;
}

/* [names_lock held] Takes n into the table, which keeps a reference to its inode. */
static int enter(struct mq_name *n)
{
    if (linked_names >= mq_limits.queues && !capable(CAP_SYS_RESOURCE))
        return -ENOSPC;
    if (find(n->name, n->len))
        return -EEXIST; /* by another mount, meanwhile */
    linked_names++;
    n->place = next_place++;
    n->inode->ino = n->place;
    list_add_tail(&names, &n->link);
    directory->bytes += DIRENT_BYTES;
    inode_touch(directory, false, true, true);
    return 0;
}

static struct inode *queue_inode(struct mq_name *n, uint32_t mode)
{
    struct inode *i = inode_new(&super, S_IFREG | (mode & 07777));

    if (!i)
        return NULL;
    i->ops = &queue_inode_ops;
    i->fops = &queue_file_ops;
    i->bytes = FILE_BYTES;
    i->private = n;
    n->inode = i;
    return i;
}

/* A new queue of a name that is free: a reference to its inode in *out. */
static int make(const char *name, size_t len, uint32_t mode, const struct mq_attr *attr,
                struct inode **out)
{
    struct mq_name *n = kzalloc(sizeof(*n) + len + 1);
    int err = n ? mq_new(attr, &n->queue) : -ENOMEM;

    if (!err && !queue_inode(n, mode)) {
        mq_free(n->queue);
        err = -ENOMEM;
    }
    if (err) {
        kmfree(n);
        return err;
    }
    n->len = (uint8_t)len;
    memcpy(n->name, name, len);
    *out = n->inode;
    mutex_lock(&names_lock);
    err = enter(n);
    mutex_unlock(&names_lock);
    if (err)
        inode_unref(n->inode);
    else
        inode_ref(n->inode);
    return err;
}

static int forget(struct inode *i)
{
    struct mq_name *n = i->private;

    mutex_lock(&names_lock);
    if (!i->nlink) { /* somebody was faster */
        mutex_unlock(&names_lock);
        return -ENOENT;
    }
    list_remove(&n->link);
    linked_names--;
    directory->bytes -= DIRENT_BYTES;
    i->nlink = 0;
    mutex_unlock(&names_lock);
    inode_touch(directory, true, true, true);
    inode_unref(i);
    return 0;
}

/* ---- The directory: the VFS holds its lock, but for reading ---- */

static int directory_lookup(struct inode *dir, struct dentry *d)
{
    (void)dir;
    d->inode = get(d->name, d->name_len);
    return d->inode ? 0 : -ENOENT;
}

static int directory_create(struct inode *dir, struct dentry *d, uint32_t mode)
{
    (void)dir;
    return make(d->name, d->name_len, mode, NULL, &d->inode);
}

static int directory_unlink(struct inode *dir, struct dentry *d)
{
    (void)dir;
    return forget(d->inode);
}

/* The entry of that place or the next behind it, copied; false: there is none. */
static bool entry_from(uint64_t at, char *name, uint8_t *len, uint32_t *place)
{
    struct mq_name *n;
    bool found = false;

    mutex_lock(&names_lock);
    list_for_each_entry (n, &names, link) {
        sched_point();
        if (n->place < at)
            continue;
        *len = n->len;
        *place = n->place;
        memcpy(name, n->name, n->len);
        found = true;
        break;
    }
    mutex_unlock(&names_lock);
    return found;
}

static int directory_iterate(struct file *f, struct dir_context *ctx)
{
    char name[NAME_MAX];
    uint32_t place;
    uint8_t len;

    (void)f;
    while (entry_from(ctx->pos, name, &len, &place)) {
        if (!dir_emit(ctx, name, len, place, S_IFREG))
            return 0;
        ctx->pos = (uint64_t)place + 1;
    }
    return 0;
}

/* Counts for mq_open, too, and for mounts to come. */
static int directory_setattr(struct inode *i)
{
    directory->mode = i->mode;
    directory->uid = i->uid;
    directory->gid = i->gid;
    return 0;
}

static const struct inode_ops directory_ops = {
    .setattr = directory_setattr,
    .lookup = directory_lookup,
    .create = directory_create,
    .unlink = directory_unlink,
    .iterate = directory_iterate,
};

/* ---- By the calls ---- */

static int check_name(const char *name, size_t len)
{
    if (len == 0)
        return -ENOENT;
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EACCES;
    return len > NAME_MAX ? -ENAMETOOLONG : 0;
}

/* [directory->lock held] The queue's inode, made if that is asked for: a reference. */
static int find_or_make(const char *name, size_t len, uint32_t flags, uint32_t mode,
                        const struct mq_attr *attr, struct inode **out, bool *made)
{
    int err;

    *made = false;
    *out = get(name, len);
    if (*out && (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
        inode_unref(*out);
        return -EEXIST;
    }
    if (*out)
        return (flags & O_ACCMODE) == O_ACCMODE ? (inode_unref(*out), -EINVAL) : 0;
    if (!(flags & O_CREAT))
        return -ENOENT;
    *made = true;
    err = inode_permission(directory, MAY_WRITE | MAY_EXEC);
    return err ? err : make(name, len, apply_umask(mode), attr, out);
}

int mq_file_open(const char *name, uint32_t flags, uint32_t mode, const struct mq_attr *attr,
                 struct file **out)
{
    size_t len = strlen(name);
    struct inode *i = NULL;
    struct dentry *d;
    int err = check_name(name, len);
    bool made;

    if (err)
        return err;
    d = dentry_new(root, name, len);
    if (!d)
        return -ENOMEM;
    mutex_lock(&directory->lock);
    err = find_or_make(name, len, flags, mode, attr, &i, &made);
    mutex_unlock(&directory->lock);
    if (!err) {
        d->inode = i;
        err = path_open(&(struct path){&nowhere, d}, flags & (O_ACCMODE | O_NONBLOCK), made, out);
    }
    dentry_unref(d);
    return err;
}

int mq_remove(const char *name)
{
    size_t len = strlen(name);
    int err = check_name(name, len);
    struct inode *i;

    if (err)
        return err;
    mutex_lock(&directory->lock);
    i = get(name, len);
    err = !i ? -ENOENT : inode_permission(directory, MAY_WRITE | MAY_EXEC);
    if (!err && !is_owner(i) && !is_owner(directory))
        err = -EPERM;
    if (!err)
        err = forget(i);
    mutex_unlock(&directory->lock);
    if (i)
        inode_unref(i);
    return err;
}

/* ---- Mounting ---- */

/* A directory of its own, with the owner and rights of the one. */
static int mqueue_mount(struct superblock *sb, const char *source, const char *data)
{
    struct inode *i = inode_new(sb, directory->mode);

    (void)source, (void)data;
    if (!i)
        return -ENOMEM;
    i->uid = directory->uid;
    i->gid = directory->gid;
    i->nlink = directory->nlink;
    i->ino = directory->ino;
    i->bytes = directory->bytes;
    i->ops = &directory_ops;
    sb->root = dentry_root(sb, i);
    if (sb->root)
        return 0;
    inode_unref(i);
    return -ENOMEM;
}

static void mqueue_statfs(struct superblock *sb, struct kstatfs *out)
{
    (void)sb;
    memset(out, 0, sizeof(*out));
    out->type = MQUEUE_MAGIC;
    out->bsize = PAGE_SIZE;
    out->namelen = NAME_MAX;
}

static struct fs_type mqueue_type = {
    .name = "mqueue",
    .nodev = true,
    .single = true,
    .mount = mqueue_mount,
    .known = (const char *const[]){NULL},
    .statfs = mqueue_statfs,
};

static void mqueue_init(void)
{
    directory = inode_new(&super, S_IFDIR | 01777);
    if (!directory)
        return;
    directory->nlink = 2;
    directory->ino = 1;
    directory->ops = &directory_ops;
    inode_ref(directory);
    root = dentry_root(&super, directory);
    if (root)
        fs_register(&mqueue_type);
}
INIT_AT(INIT_DEVICE, mqueue_init);
