/*
 * devtmpfs: an in-memory file system with a node for every device of the kernel, under Linux's
 * names and numbers. What is mounted already gains and loses nodes as devices come and go.
 */
#include "fs/dev/devfs.h"
#include "fs/ram/ramfs.h"
#include "libc/errno.h"
#include "libc/string.h"

struct device_node {
    struct list link;
    char name[DEVICE_NAME_MAX];
    uint32_t mode, rdev;
};

static struct list nodes = LIST_INIT(nodes); /* [mount_lock] in order of their coming */

/* The directory of a name of two parts, made when it is missing (borrowed); *name is cut down. */
static struct dentry *node_directory(struct dentry *root, const char **name)
{
    const char *slash = strchr(*name, '/');
    struct dentry *d;
    struct inode *i;
    size_t len;

    if (!slash)
        return root;
    len = (size_t)(slash - *name);
    d = dentry_find(root, *name, len);
    if (d) {
        dentry_unref(d); /* pinned by the tree */
    } else {
        i = ramfs_inode(root->inode->sb, S_IFDIR | 0755, 0);
        d = i ? ramfs_attach(root, *name, len, i) : NULL;
    }
    *name = slash + 1;
    return d;
}

/* A file that has the name already stays. */
static int add_node(struct dentry *root, const struct device_node *n)
{
    const char *name = n->name;
    struct dentry *dir = node_directory(root, &name);
    struct dentry *there = dir ? dentry_find(dir, name, strlen(name)) : NULL;
    struct inode *i;

    if (there) {
        dentry_unref(there);
        return 0;
    }
    i = dir ? ramfs_inode(root->inode->sb, n->mode, n->rdev) : NULL;
    if (!i)
        return -ENOMEM;
    i->uid = i->gid = 0;
    return ramfs_attach(dir, name, strlen(name), i) ? 0 : -ENOMEM;
}

static int devfs_mount(struct superblock *sb, const char *source, const char *data)
{
    int err = ramfs_mount_root(sb, 0755, ramfs_default_limit(), ramfs_default_limit());
    const struct device_node *n;

    (void)source, (void)data;
    if (err)
        return err;
    list_for_each_entry (n, &nodes, link) {
        err = add_node(sb->root, n);
        if (err)
            return err;
    }
    return 0;
}

static struct fs_type devfs_type = {
    .name = "devtmpfs",
    .nodev = true,
    .mount = devfs_mount,
    .unmount = ramfs_unmount,
    .statfs = ramfs_statfs,
};

/* ---- Devices that come and go ---- */

/* [parent locked] The program's own file of that name stays. */
static void remove_node(struct dentry *root, const struct device_node *n)
{
    struct dentry *d = dentry_find(root, n->name, strlen(n->name));

    if (!d)
        return;
    if (d->inode && d->inode->rdev == n->rdev && !d->mounted &&
        root->inode->ops->unlink(root->inode, d) == 0)
        dentry_drop(d);
    dentry_unref(d);
}

/* What is mounted follows the list: n came, or goes. */
static void change_mounted(const struct device_node *n, bool add)
{
    struct superblock *sb;

    list_for_each_entry (sb, &mounts, link) {
        if (sb->type != &devfs_type)
            continue;
        mutex_lock(&sb->root->inode->lock);
        if (add)
            (void)add_node(sb->root, n);
        else
            remove_node(sb->root, n);
        mutex_unlock(&sb->root->inode->lock);
    }
}

static struct device_node *find_node(const char *name)
{
    struct device_node *n;

    list_for_each_entry (n, &nodes, link)
        if (strcmp(n->name, name) == 0)
            return n;
    return NULL;
}

int devfs_add(const char *name, uint32_t mode, uint32_t rdev)
{
    struct device_node *n = kmalloc(sizeof(*n));
    int err = 0;

    if (!n)
        return -ENOMEM;
    *n = (struct device_node){.mode = mode, .rdev = rdev};
    strlcpy(n->name, name, sizeof(n->name));
    mutex_lock(&mount_lock);
    if (find_node(name)) {
        err = -EEXIST;
        kmfree(n);
    } else {
        list_add_tail(&nodes, &n->link);
        change_mounted(n, true);
    }
    mutex_unlock(&mount_lock);
    return err;
}

void devfs_remove(const char *name)
{
    struct device_node *n;

    mutex_lock(&mount_lock);
    n = find_node(name);
    if (n) {
        list_remove(&n->link);
        change_mounted(n, false);
        kmfree(n);
    }
    mutex_unlock(&mount_lock);
}

void devfs_init(void)
{
    fs_register(&devfs_type);
    devfs_add("console", S_IFCHR | 0600, MKDEV(5, 1));
    devfs_add("tty", S_IFCHR | 0666, MKDEV(5, 0));
    devfs_add("tty0", S_IFCHR | 0620, MKDEV(4, 0));
    devfs_add("tty1", S_IFCHR | 0620, MKDEV(4, 1));
    devfs_add("ttyS0", S_IFCHR | 0660, MKDEV(4, 64));
    mem_init();
}
