/*
 * devtmpfs: an in-memory file system that starts out with a node for every device of the kernel,
 * under Linux's names and numbers. Drivers add theirs before user space mounts it.
 */
#include "fs/dev/devfs.h"
#include "fs/ram/ramfs.h"
#include "libc/errno.h"
#include "libc/string.h"

#define MAX_NODES 64

static struct spinlock devfs_lock = SPINLOCK_INIT("devfs", LOCK_RANK_FS);
static struct device_node nodes[MAX_NODES]; /* [devfs_lock] only grows */
static unsigned node_count;                 /* [devfs_lock] */

int devfs_add(const char *name, uint32_t mode, uint32_t rdev)
{
    int err = 0;

    spin_lock(&devfs_lock);
    for (unsigned i = 0; i < node_count; i++)
        if (strcmp(nodes[i].name, name) == 0)
            err = -EEXIST;
    if (!err && node_count == MAX_NODES)
        err = -ENOMEM;
    if (!err)
        nodes[node_count++] = (struct device_node){name, mode, rdev};
    spin_unlock(&devfs_lock);
    return err;
}

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
        dentry_unref(d); /* pinned by the tree, which nobody else sees yet */
    } else {
        i = ramfs_inode(root->inode->sb, S_IFDIR | 0755, 0);
        d = i ? ramfs_attach(root, *name, len, i) : NULL;
    }
    *name = slash + 1;
    return d;
}

static int add_node(struct dentry *root, const struct device_node *n)
{
    const char *name = n->name;
    struct dentry *dir = node_directory(root, &name);
    struct inode *i = dir ? ramfs_inode(root->inode->sb, n->mode, n->rdev) : NULL;

    if (!i)
        return -ENOMEM;
    i->uid = i->gid = 0;
    return ramfs_attach(dir, name, strlen(name), i) ? 0 : -ENOMEM;
}

static int devfs_mount(struct superblock *sb, const char *source, const char *data)
{
    int err = ramfs_mount_root(sb, 0755, ramfs_default_limit(), ramfs_default_limit());
    unsigned count;

    (void)source, (void)data;
    if (err)
        return err;
    spin_lock(&devfs_lock);
    count = node_count;
    spin_unlock(&devfs_lock);
    for (unsigned i = 0; i < count && !err; i++)
        err = add_node(sb->root, &nodes[i]);
    return err;
}

static struct fs_type devfs_type = {
    .name = "devtmpfs",
    .nodev = true,
    .mount = devfs_mount,
    .unmount = ramfs_unmount,
    .statfs = ramfs_statfs,
};

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
