/*
 * The tree of sysfs. One sleep lock guards all of it; texts are made with it held, so that what
 * they are about cannot go meanwhile.
 */
#include "fs/sys/tree.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

struct mutex sysfs_lock;
struct sys_node sysfs_root = {.refs = 1,
                              .ino = 1,
                              .mode = S_IFDIR | 0555,
                              .sibling = LIST_INIT(sysfs_root.sibling),
                              .children = LIST_INIT(sysfs_root.children)};
static uint32_t last_ino = 1; /* [sysfs_lock] */

struct sys_node *tree_find(struct sys_node *dir, const char *name)
{
    struct sys_node *n;

    list_for_each_entry (n, &dir->children, sibling)
        if (n->name[0] == name[0] && strcmp(n->name, name) == 0)
            return n;
    return NULL;
}

void tree_get(struct sys_node *n)
{
    n->refs++;
}

void tree_put(struct sys_node *n)
{
    KASSERT(n->refs > 0);
    if (--n->refs)
        return;
    kmfree(n->target);
    kmfree(n);
}

/* [sysfs_lock] A new node in dir; NULL with *err: no memory, or the name is taken or too long. */
static struct sys_node *add(struct sys_node *dir, const char *name, uint32_t mode, int *err)
{
    struct sys_node *n;

    *err = strlen(name) >= SYS_NAME_MAX ? -ENAMETOOLONG : tree_find(dir, name) ? -EEXIST : 0;
    if (*err)
        return NULL;
    n = kzalloc(sizeof(*n));
    if (!n) {
        *err = -ENOMEM;
        return NULL;
    }
    n->refs = 1;
    n->ino = ++last_ino;
    n->mode = mode;
    n->parent = dir;
    strlcpy(n->name, name, sizeof(n->name));
    list_init(&n->children);
    list_add_tail(&dir->children, &n->sibling);
    return n;
}

/* [sysfs_lock] The deepest first, since each holds on to nothing but its place. */
static void take_out(struct sys_node *top)
{
    struct sys_node *n = top, *parent;

    do {
        while (!list_empty(&n->children))
            n = list_first_entry(&n->children, struct sys_node, sibling);
        parent = n->parent;
        list_remove(&n->sibling);
        n->gone = true;
        n->parent = NULL;
        tree_put(n);
        n = n == top ? NULL : parent;
    } while (n);
}

/* ---- What others call ---- */

struct sys_node *sysfs_dir(struct sys_node *parent, const char *name)
{
    struct sys_node *dir = parent ? parent : &sysfs_root, *n;
    int err;

    mutex_lock(&sysfs_lock);
    n = tree_find(dir, name);
    if (!n)
        n = add(dir, name, S_IFDIR | 0755, &err);
    else if (!S_ISDIR(n->mode))
        n = NULL;
    mutex_unlock(&sysfs_lock);
    return n;
}

struct sys_node *sysfs_path(const char *path)
{
    struct sys_node *n = NULL;
    char name[SYS_NAME_MAX];

    while (*path) {
        const char *slash = strchr(path, '/');
        size_t len = slash ? (size_t)(slash - path) : strlen(path);

        if (len >= sizeof(name))
            return NULL;
        memcpy(name, path, len);
        name[len] = '\0';
        n = sysfs_dir(n, name);
        if (!n)
            return NULL;
        path += len + (slash != NULL);
    }
    return n;
}

int sysfs_file(struct sys_node *dir, const char *name, sys_show show, sys_store store, void *arg)
{
    struct sys_node *n;
    int err;

    mutex_lock(&sysfs_lock);
    n = add(dir ? dir : &sysfs_root, name, S_IFREG | (store ? 0644 : 0444), &err);
    if (n) {
        n->show = show;
        n->store = store;
        n->arg = arg;
    }
    mutex_unlock(&sysfs_lock);
    return err;
}

int sysfs_link(struct sys_node *dir, const char *name, const char *target)
{
    char *copy = kmalloc(strlen(target) + 1);
    struct sys_node *n = NULL;
    int err = -ENOMEM;

    if (!copy)
        return err;
    strcpy(copy, target);
    mutex_lock(&sysfs_lock);
    n = add(dir ? dir : &sysfs_root, name, S_IFLNK | 0777, &err);
    if (n)
        n->target = copy;
    mutex_unlock(&sysfs_lock);
    if (!n)
        kmfree(copy);
    return err;
}

void sysfs_remove(struct sys_node *node)
{
    if (!node)
        return;
    mutex_lock(&sysfs_lock);
    take_out(node);
    mutex_unlock(&sysfs_lock);
}

void sysfs_remove_name(struct sys_node *dir, const char *name)
{
    struct sys_node *n;

    mutex_lock(&sysfs_lock);
    n = tree_find(dir ? dir : &sysfs_root, name);
    if (n)
        take_out(n);
    mutex_unlock(&sysfs_lock);
}

static size_t append_path(const struct sys_node *n, char *buf, size_t size)
{
    const struct sys_node *chain[16];
    unsigned depth = 0;
    size_t used = 0;

    buf[0] = '\0';
    for (; n != &sysfs_root && n && depth < 16; n = n->parent)
        chain[depth++] = n;
    while (depth-- && used < size)
        used +=
            (size_t)snprintf(buf + used, size - used, "%s%s", used ? "/" : "", chain[depth]->name);
    return used;
}

void sysfs_path_of(const struct sys_node *node, char *buf, size_t size)
{
    mutex_lock(&sysfs_lock);
    append_path(node, buf, size);
    mutex_unlock(&sysfs_lock);
}
