/*
 * devpts: a file system whose files are the slaves of pseudo-terminals, and a ptmx that makes more.
 * Every mount is an instance with numbers of its own. An instance lives as long as its mount or one
 * of its ptys; unmounted, it makes no nodes any more.
 *
 * Locks: mount_lock keeps an instance's mount and the nodes in it as they are; devpts_lock, taken
 * inside it, guards numbers and the tie from a node to its pty. Both are sleep locks.
 * [Documentation/filesystems/devpts.rst of Linux]
 */
#include "drivers/tty/pty.h"
#include "fs/proc/procfs.h"
#include "kernel/thread/proc.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define DEVPTS_MAGIC   0x1cd1u
#define PTMX_INO       2u
#define FIRST_INO      3u /* of pts/0 */
#define DEFAULT_LIMIT  4096u
#define DEFAULT_SPARED 1024u

struct devpts_options {
    uint32_t uid, gid, mode, ptmxmode, max;
    bool uid_given, gid_given;
};

struct devpts {
    uint32_t refs;                 /* atomic */
    struct superblock *sb;         /* [mount_lock] NULL: unmounted */
    struct devpts_options options; /* [mount_lock] */
    struct inode *ptmx;            /* [mount_lock] of the tree */
    struct list ptys;              /* [devpts_lock] by index */
};

static struct mutex devpts_lock;
static uint32_t pty_count;                 /* [devpts_lock] in all instances */
static uint32_t pty_limit = DEFAULT_LIMIT; /* /proc/sys/kernel/pty/max */
static uint32_t pty_spared =
    DEFAULT_SPARED; /* of these, for other mount namespaces: there are none */

static struct fs_type devpts_type;
static const struct inode_ops plain_ops; /* nothing but what the VFS does itself */

void devpts_put(struct devpts *i)
{
    if (__atomic_sub_fetch(&i->refs, 1, __ATOMIC_ACQ_REL) == 0)
        kmfree(i);
}

/* ---- Numbers ---- */

int devpts_take_index(struct pty *p)
{
    struct devpts *i = p->instance;
    struct list *before = &i->ptys;
    uint32_t index = 0;
    struct pty *q;
    int err = 0;

    mutex_lock(&devpts_lock);
    list_for_each_entry (q, &i->ptys, link) {
        if (q->index != index)
            break;
        before = &q->link;
        index++;
    }
    if (pty_count + 1 >= pty_limit || index >= i->options.max) {
        err = -ENOSPC;
    } else {
        pty_count++;
        p->index = index;
        list_add(before, &p->link);
    }
    mutex_unlock(&devpts_lock);
    return err;
}

void devpts_release_index(struct pty *p)
{
    if (p->index == PTY_NO_INDEX)
        return;
    mutex_lock(&devpts_lock);
    list_remove(&p->link);
    pty_count--;
    mutex_unlock(&devpts_lock);
}

/* ---- Nodes ---- */

/* [mount_lock held] Puts a device into the instance's only directory; the inode (borrowed) or NULL.
 */
static struct inode *attach_device(struct devpts *i, const char *name, struct inode *node)
{
    struct dentry *root = i->sb->root;

    node->ops = &plain_ops;
    mutex_lock(&root->inode->lock);
    bool ok = dentry_add(root, name, strlen(name), node) != NULL;
    mutex_unlock(&root->inode->lock);
    return ok ? node : NULL;
}

/* [mount_lock held] */
static struct inode *make_node(struct devpts *i, const struct pty *p)
{
    const struct devpts_options *o = &i->options;
    struct inode *node = inode_new(i->sb, S_IFCHR | o->mode);
    char name[12];

    if (!node)
        return NULL;
    node->ino = FIRST_INO + p->index;
    node->rdev = p->slave.dev;
    if (o->uid_given)
        node->uid = o->uid;
    if (o->gid_given)
        node->gid = o->gid;
    snprintf(name, sizeof(name), "%u", p->index);
    return attach_device(i, name, node);
}

int devpts_add_node(struct pty *p)
{
    struct devpts *i = p->instance;
    int err = 0;

    mutex_lock(&mount_lock);
    if (i->sb) {
        p->node = make_node(i, p);
        err = p->node ? 0 : -ENOMEM;
    } else {
        err = -ENODEV;
    }
    if (!err) {
        inode_ref(p->node);
        p->node->private = p;
    }
    mutex_unlock(&mount_lock);
    return err;
}

/* [mount_lock, devpts_lock held] Who has the node open finds no pty through it any more. */
static void forget_node(struct pty *p)
{
    p->node->private = NULL;
    inode_unref(p->node);
    p->node = NULL;
}

/* [mount_lock held] The name of p's node, a reference. */
static struct dentry *node_name(struct pty *p)
{
    char name[12];

    snprintf(name, sizeof(name), "%u", p->index);
    return dentry_find(p->instance->sb->root, name, strlen(name));
}

void devpts_remove_node(struct pty *p)
{
    struct dentry *d;

    mutex_lock(&mount_lock);
    if (p->node) {
        struct inode *dir = p->instance->sb->root->inode;
        mutex_lock(&dir->lock);
        d = node_name(p);
        p->node->nlink--;
        dentry_drop(d);
        mutex_unlock(&dir->lock);
        dentry_unref(d);
        mutex_lock(&devpts_lock);
        forget_node(p);
        mutex_unlock(&devpts_lock);
    }
    mutex_unlock(&mount_lock);
}

bool devpts_place(struct pty *p, struct path *out)
{
    struct dentry *d;

    mutex_lock(&mount_lock);
    d = p->node ? node_name(p) : NULL;
    if (d)
        *out = path_of_dentry(d);
    mutex_unlock(&mount_lock);
    return d != NULL;
}

struct pty *devpts_pty(struct inode *node)
{
    struct pty *p;

    if (!node->sb || node->sb->type != &devpts_type)
        return NULL;
    mutex_lock(&devpts_lock);
    p = node->private;
    if (p)
        tty_ref(&p->slave);
    mutex_unlock(&devpts_lock);
    return p;
}

/* ---- Which instance ---- */

/* A superblock there, or what is mounted on "pts" beside it. */
static int find_super(const struct path *ptmx, struct path *out)
{
    const struct superblock *sb = ptmx->dentry->inode->sb;

    if (sb && sb->type == &devpts_type) {
        *out = *ptmx;
        path_ref(out);
        return 0;
    }
    if (!path_beside(ptmx, "pts", out))
        return -ENODEV;
    sb = out->dentry->inode->sb;
    if (sb && sb->type == &devpts_type)
        return 0;
    path_unref(out);
    return -ENODEV;
}

int devpts_find(const struct path *ptmx, struct devpts **out)
{
    struct path found;
    int err = find_super(ptmx, &found);

    if (err)
        return err;
    *out = found.dentry->inode->sb->private;
    __atomic_fetch_add(&(*out)->refs, 1, __ATOMIC_RELAXED);
    path_unref(&found);
    return 0;
}

/* ---- Mounting ---- */

/* A whole number and nothing else. */
static bool parse_number(const char *s, size_t len, uint32_t base, uint32_t *out)
{
    uint32_t n = 0;

    if (len == 0)
        return false;
    for (; len; len--, s++) {
        uint32_t digit = isdigit(*s) ? (uint32_t)(*s - '0') : base;
        if (digit >= base || n > (INT32_MAX - digit) / base)
            return false;
        n = n * base + digit;
    }
    *out = n;
    return true;
}

/* One option, of len bytes. */
static bool parse_option(struct devpts_options *o, const char *s, size_t len)
{
    static const char newinstance[] = "newinstance"; /* every mount is one */
    struct {
        const char *name;
        uint32_t base, *value;
        bool *given;
    } known[] = {
        {"uid=", 10, &o->uid, &o->uid_given}, {"gid=", 10, &o->gid, &o->gid_given},
        {"mode=", 8, &o->mode, NULL},         {"ptmxmode=", 8, &o->ptmxmode, NULL},
        {"max=", 10, &o->max, NULL},
    };

    if (len == 0 || (len == sizeof(newinstance) - 1 && memcmp(s, newinstance, len) == 0))
        return true;
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t n = strlen(known[i].name);
        if (len < n || memcmp(s, known[i].name, n) != 0)
            continue;
        if (known[i].given)
            *known[i].given = true;
        return parse_number(s + n, len - n, known[i].base, known[i].value);
    }
    return false;
}

static int parse_options(struct devpts_options *o, const char *data)
{
    *o = (struct devpts_options){.mode = 0600, .max = PTY_MINORS};
    while (data && *data) {
        const char *end = strchr(data, ',');
        size_t len = end ? (size_t)(end - data) : strlen(data);
        if (!parse_option(o, data, len))
            return -EINVAL;
        data += len + (end != NULL);
    }
    o->mode &= 07777;
    o->ptmxmode &= 07777;
    return o->max > PTY_MINORS ? -EINVAL : 0;
}

static struct inode *make_root(struct superblock *sb)
{
    struct inode *root = inode_new(sb, S_IFDIR | 0755);

    if (!root)
        return NULL;
    root->ops = &plain_ops;
    root->ino = 1;
    root->nlink = 2;
    root->uid = root->gid = 0;
    sb->root = dentry_root(sb, root);
    if (!sb->root)
        inode_unref(root);
    return sb->root ? root : NULL;
}

static int make_ptmx(struct devpts *i)
{
    struct inode *ptmx = inode_new(i->sb, S_IFCHR | i->options.ptmxmode);

    if (!ptmx)
        return -ENOMEM;
    ptmx->ino = PTMX_INO;
    ptmx->rdev = MKDEV(TTYAUX_MAJOR, AUX_PTMX);
    i->ptmx = attach_device(i, "ptmx", ptmx);
    return i->ptmx ? 0 : -ENOMEM;
}

static int devpts_mount(struct superblock *sb, const char *source, const char *data)
{
    struct devpts *i = kzalloc(sizeof(*i));
    int err = i ? parse_options(&i->options, data) : -ENOMEM;

    (void)source;
    if (!err && !make_root(sb))
        err = -ENOMEM;
    if (err) {
        kmfree(i);
        return err;
    }
    i->refs = 1;
    i->sb = sb;
    list_init(&i->ptys);
    sb->private = i;
    return make_ptmx(i);
}

/* [mount_lock held] The tree is gone already. */
static void devpts_unmount(struct superblock *sb)
{
    struct devpts *i = sb->private;
    struct pty *p;

    i->sb = NULL;
    mutex_lock(&devpts_lock);
    list_for_each_entry (p, &i->ptys, link)
        if (p->node)
            forget_node(p);
    mutex_unlock(&devpts_lock);
    devpts_put(i);
}

/* [mount_lock held] As on Linux all options are as if just mounted, but for those given. */
static int devpts_remount(struct superblock *sb, uint32_t flags, const char *data)
{
    struct devpts *i = sb->private;
    struct devpts_options o;
    int err = parse_options(&o, data);

    (void)flags;
    if (err)
        return err;
    i->options = o;
    i->ptmx->mode = S_IFCHR | o.ptmxmode;
    return 0;
}

static void devpts_statfs(struct superblock *sb, struct kstatfs *out)
{
    (void)sb;
    *out = (struct kstatfs){.type = DEVPTS_MAGIC, .bsize = PAGE_SIZE, .namelen = NAME_MAX};
}

static void devpts_show_options(struct superblock *sb, char *buf, size_t size)
{
    const struct devpts *i = sb->private;
    const struct devpts_options *o = &i->options;
    size_t n = 0;

    if (o->uid_given)
        n += (size_t)snprintf(buf + n, size - n, ",uid=%u", o->uid);
    if (o->gid_given)
        n += (size_t)snprintf(buf + n, size - n, ",gid=%u", o->gid);
    n += (size_t)snprintf(buf + n, size - n, ",mode=%03o,ptmxmode=%03o", o->mode, o->ptmxmode);
    if (o->max < PTY_MINORS)
        snprintf(buf + n, size - n, ",max=%u", o->max);
}

static struct fs_type devpts_type = {
    .name = "devpts",
    .nodev = true,
    .mount = devpts_mount,
    .unmount = devpts_unmount,
    .remount = devpts_remount,
    .statfs = devpts_statfs,
    .options = devpts_show_options,
};

/* ---- /proc/sys/kernel/pty ---- */

static int show_count(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", pty_count);
    return 0;
}

SYSCTL_WORD(static, limit, pty_limit, 0, INT32_MAX)

SYSCTL_WORD(static, spared, pty_spared, 0, INT32_MAX)

static const struct proc_entry pty_entries[] = {
    STORE_ENTRY("max", 0644, show_limit, store_limit),
    FILE_ENTRY("nr", 0444, show_count),
    STORE_ENTRY("reserve", 0644, show_spared, store_spared),
    {0},
};

void devpts_init(void)
{
    static const struct proc_entry entry = DIR_ENTRY("pty", 0555, pty_entries);

    mutex_init(&devpts_lock, MUTEX_RANK_DEVPTS);
    fs_register(&devpts_type);
    sysctl_add(&entry);
}
