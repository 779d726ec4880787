/*
 * devtmpfs: an in-memory file system with a node for every device of the kernel, under Linux's
 * names and numbers. What is mounted already gains and loses nodes as devices come and go.
 */
#include "fs/dev/devfs.h"
#include "fs/dev/class.h"
#include "fs/ram/ramfs.h"
#include "fs/sys/sysfs.h"
#include "kernel/base/init.h"
#include "libc/errno.h"
#include "libc/string.h"

struct device_node {
    struct list link;
    char name[DEVICE_NAME_MAX];
    uint32_t mode, rdev;
};

/* A mounted devtmpfs. */
struct instance {
    struct list link;
    struct dentry *root;
};

const char *framebuffer_name;

/* Not mount_lock, under which devices can go: a loop device that was to be free after its last use.
 */
static struct mutex devfs_lock = MUTEX_INIT(devfs_lock, MUTEX_RANK_DEVFS);
static struct list nodes = LIST_INIT(nodes);         /* [devfs_lock] in order of their coming */
static struct list instances = LIST_INIT(instances); /* [devfs_lock] */
static bool in_sysfs;                                /* [devfs_lock] they are shown there */

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

/* [devfs_lock held] */
static struct instance *find_instance(const struct superblock *sb)
{
    struct instance *i;

    list_for_each_entry (i, &instances, link)
        if (i->root == sb->root)
            return i;
    return NULL;
}

/* [devfs_lock held] */
static int populate(struct dentry *root)
{
    const struct device_node *n;
    int err = 0;

    list_for_each_entry (n, &nodes, link)
        if (!err)
            err = add_node(root, n);
    return err;
}

static int devfs_mount(struct superblock *sb, const char *source, const char *data)
{
    struct instance *i = kzalloc(sizeof(*i));
    int err =
        i ? ramfs_mount_root(sb, 0755, ramfs_default_limit(), ramfs_default_limit()) : -ENOMEM;

    (void)source, (void)data;
    if (err) {
        kmfree(i);
        return err;
    }
    i->root = sb->root;
    mutex_lock(&devfs_lock);
    list_add_tail(&instances, &i->link);
    err = populate(sb->root);
    mutex_unlock(&devfs_lock);
    return err;
}

static void devfs_leave(struct superblock *sb)
{
    struct instance *i;

    mutex_lock(&devfs_lock);
    i = find_instance(sb);
    list_remove(&i->link);
    mutex_unlock(&devfs_lock);
    kmfree(i);
}

static struct fs_type devfs_type = {
    .name = "devtmpfs",
    .keeps_flags = true,
    .charge_xattr = ramfs_charge_xattr,
    .keeps_acls = true,
    .nodev = true,
    .single = true,
    .mount = devfs_mount,
    .leave = devfs_leave,
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

/* [devfs_lock held] */
static void show_in_sysfs(const struct device_node *n)
{
    if (in_sysfs && S_ISCHR(n->mode))
        (void)class_add(n->name, n->mode, n->rdev);
}

static void show_all_in_sysfs(void)
{
    const struct device_node *n;

    mutex_lock(&devfs_lock);
    in_sysfs = true;
    list_for_each_entry (n, &nodes, link)
        show_in_sysfs(n);
    mutex_unlock(&devfs_lock);
}
INIT_AT(INIT_SYSFS, show_all_in_sysfs);

/* [devfs_lock held] What is mounted follows the list: n came, or goes. */
static void change_mounted(const struct device_node *n, bool add)
{
    struct instance *i;

    list_for_each_entry (i, &instances, link) {
        mutex_lock(&i->root->inode->lock);
        if (add)
            (void)add_node(i->root, n);
        else
            remove_node(i->root, n);
        mutex_unlock(&i->root->inode->lock);
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
    mutex_lock(&devfs_lock);
    if (find_node(name)) {
        err = -EEXIST;
        kmfree(n);
    } else {
        list_add_tail(&nodes, &n->link);
        change_mounted(n, true);
        show_in_sysfs(n);
    }
    mutex_unlock(&devfs_lock);
    return err;
}

void devfs_remove(const char *name)
{
    struct device_node *n;

    mutex_lock(&devfs_lock);
    n = find_node(name);
    if (n) {
        list_remove(&n->link);
        change_mounted(n, false);
        kmfree(n);
    }
    mutex_unlock(&devfs_lock);
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
