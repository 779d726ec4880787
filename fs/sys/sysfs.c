/*
 * sysfs as a file system: every walk looks names up anew in the tree, every read from the start
 * makes the text anew.
 */
#include "fs/sys/tree.h"
#include "kernel/base/init.h"
#include "libc/errno.h"
#include "libc/string.h"

#define SYSFS_MAGIC 0x62656572u
#define TEXT_MAX    PAGE_SIZE /* what a file shows or takes at most */

static const struct inode_ops dir_ops, file_ops, link_ops;
static const struct file_ops text_ops;

static struct sys_node *node_of(const struct inode *i)
{
    return i->private;
}

/* [sysfs_lock] */
static struct inode *make_inode(struct superblock *sb, struct sys_node *n)
{
    struct inode *i = inode_new(sb, n->mode);

    if (!i)
        return NULL;
    i->uid = i->gid = 0;
    i->ino = n->ino;
    i->private = n;
    tree_get(n);
    i->ops = S_ISDIR(n->mode) ? &dir_ops : S_ISLNK(n->mode) ? &link_ops : &file_ops;
    i->fops = S_ISREG(n->mode) ? &text_ops : NULL;
    i->bytes = S_ISREG(n->mode) ? TEXT_MAX : 0;
    if (S_ISDIR(n->mode))
        i->nlink = 2;
    return i;
}

static void node_destroy(struct inode *i)
{
    mutex_lock(&sysfs_lock);
    tree_put(node_of(i));
    mutex_unlock(&sysfs_lock);
}

/* ---- Directories ---- */

static int dir_lookup(struct inode *dir, struct dentry *d)
{
    struct sys_node *n;
    int err = 0;

    mutex_lock(&sysfs_lock);
    n = node_of(dir)->gone ? NULL : tree_find(node_of(dir), d->name);
    if (n)
        d->inode = make_inode(dir->sb, n);
    if (!d->inode)
        err = n ? -ENOMEM : -ENOENT;
    mutex_unlock(&sysfs_lock);
    return err;
}

/* Positions are inode numbers, which grow along a directory: what comes and goes meanwhile moves
 * nothing. */
static int dir_iterate(struct file *f, struct dir_context *ctx)
{
    struct sys_node *dir = node_of(f->inode), *n;

    mutex_lock(&sysfs_lock);
    list_for_each_entry (n, &dir->children, sibling) {
        if ((uint64_t)n->ino + 2 < ctx->pos)
            continue;
        if (!dir_emit(ctx, n->name, strlen(n->name), n->ino, n->mode))
            break;
        ctx->pos = (uint64_t)n->ino + 3;
    }
    mutex_unlock(&sysfs_lock);
    return 0;
}

static const struct inode_ops dir_ops = {
    .lookup = dir_lookup,
    .iterate = dir_iterate,
    .destroy = node_destroy,
};

/* ---- Links ---- */

static int link_readlink(struct inode *i, char *buf, size_t size)
{
    const char *target = node_of(i)->target;
    size_t n = strnlen(target, size);

    memcpy(buf, target, n);
    return (int)n;
}

static const struct inode_ops link_ops = {
    .readlink = link_readlink,
    .destroy = node_destroy,
};

/* ---- Files ---- */

static int text_open(struct inode *i, struct file *f)
{
    (void)i;
    f->private = kmalloc(sizeof(struct text_file));
    if (!f->private)
        return -ENOMEM;
    text_file_init(f->private);
    return 0;
}

static void text_release(struct file *f)
{
    text_file_end(f->private);
    kmfree(f->private);
}

static int show(struct text *t, const struct inode *i)
{
    const struct sys_node *n = node_of(i);
    int err;

    mutex_lock(&sysfs_lock);
    err = n->gone ? -ENODEV : n->show ? n->show(t, n->arg) : -EIO;
    mutex_unlock(&sysfs_lock);
    return err;
}

static long text_read_file(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    return text_file_read(f->private, show, f->inode, ubuf, len, pos);
}

static int store(const struct inode *i, char *buf, size_t len)
{
    const struct sys_node *n = node_of(i);
    int err;

    mutex_lock(&sysfs_lock);
    err = n->gone ? -ENODEV : n->store(buf, len, n->arg);
    mutex_unlock(&sysfs_lock);
    return err;
}

static long text_write_file(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    if (!node_of(f->inode)->store)
        return -EIO;
    return text_file_write(store, f->inode, TEXT_MAX, ubuf, len, pos);
}

/* O_TRUNC means nothing here. */
static int file_truncate(struct inode *i, uint64_t size)
{
    (void)i, (void)size;
    return 0;
}

static const struct file_ops text_ops = {
    .open = text_open,
    .release = text_release,
    .read = text_read_file,
    .write = text_write_file,
};

static const struct inode_ops file_ops = {
    .truncate = file_truncate,
    .destroy = node_destroy,
};

/* ---- Mounting ---- */

/* What never changes is there once somebody can look. */
static void fill_once(void)
{
    static bool filled; /* atomic */

    if (!__atomic_exchange_n(&filled, true, __ATOMIC_RELAXED))
        init_run(INIT_SYSFS);
}

static int sysfs_mount(struct superblock *sb, const char *source, const char *data)
{
    struct inode *root;

    (void)source, (void)data;
    fill_once();
    mutex_lock(&sysfs_lock);
    root = make_inode(sb, &sysfs_root);
    mutex_unlock(&sysfs_lock);
    sb->root = root ? dentry_root(sb, root) : NULL;
    if (!sb->root && root)
        inode_unref(root);
    return sb->root ? 0 : -ENOMEM;
}

static void sysfs_statfs(struct superblock *sb, struct kstatfs *out)
{
    (void)sb;
    memset(out, 0, sizeof(*out));
    out->type = SYSFS_MAGIC;
    out->bsize = PAGE_SIZE;
    out->namelen = NAME_MAX;
}

static struct fs_type sysfs_type = {
    .name = "sysfs",
    .nodev = true,
    .single = true,
    .mount = sysfs_mount,
    .known = (const char *const[]){NULL},
    .statfs = sysfs_statfs,
};

void sysfs_init(void)
{
    mutex_init(&sysfs_lock, MUTEX_RANK_SYSFS);
    fs_register(&sysfs_type);
    (void)sysfs_path("block");
    (void)sysfs_path("class/block");
    (void)sysfs_path("dev/block");
    (void)sysfs_path("dev/char");
    (void)sysfs_path("devices");
}
