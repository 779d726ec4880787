/*
 * The tree of mounts: how it grows and shrinks, and what is seen where. See mount.h.
 *
 * What somebody still stands in when it is taken out of the tree lives on by itself until he
 * leaves. The last reference may be given up where nobody may sleep, so a thread of its own, which
 * starts with the first mount that outlives its place, ends what is left then.
 */
#include "fs/sys/sysfs.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "fs/vfs/propagate.h"
#include "fs/vfs/super.h"
#include "kernel/base/log.h"
#include "kernel/oom/oom.h"
#include "libc/string.h"

struct list mounts = LIST_INIT(mounts);
struct mutex mount_lock;
struct mount nowhere = {.refs = 1};
uint32_t mount_changes;
struct waitq mount_changed = {.lock = SPINLOCK_INIT("mount table", LOCK_RANK_WAITQ),
                              .waiters = LIST_INIT(mount_changed.waiters)};

static struct list gone = LIST_INIT(gone); /* [dentry_lock] without references */
static struct waitq somebody_left = {.lock = SPINLOCK_INIT("gone mounts", LOCK_RANK_WAITQ),
                                     .waiters = LIST_INIT(somebody_left.waiters)};
static uint32_t last_id, mount_count; /* [mount_lock] */

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

void mounts_changed(void)
{
    mount_changes++;
    wake_all(&mount_changed);
}

/* ---- One mount ---- */

uint32_t mount_flags(const struct mount *m)
{
    return m->flags;
}

struct mount *mount_new(struct superblock *sb, struct dentry *root, uint32_t flags,
                        const char *source)
{
    struct mount *m = mount_count < fs_limits.mounts ? kzalloc(sizeof(*m)) : NULL;

    if (!m)
        return NULL;
    m->source = kmalloc(strlen(source) + 1);
    if (!m->source) {
        kmfree(m);
        return NULL;
    }
    strcpy(m->source, source);
    mount_count++;
    m->refs = 1;
    m->fresh = true;
    m->id = ++last_id;
    m->flags = flags;
    m->sb = sb;
    m->root = root;
    dentry_ref(root);
    list_init(&m->link);
    list_init(&m->children);
    list_init(&m->sibling);
    spin_lock(&dentry_lock);
    list_add_tail(&sb->mounts, &m->of_sb);
    spin_unlock(&dentry_lock);
    return m;
}

int mount_new_error(void)
{
    return mount_count >= fs_limits.mounts ? -ENOSPC : -ENOMEM;
}

void mount_gone(struct mount *m)
{
    spin_lock(&dentry_lock);
    list_add_tail(&gone, &m->link);
    spin_unlock(&dentry_lock);
    wake_all(&somebody_left);
}

/* [mount_lock held] */
static void mount_free(struct mount *m)
{
    struct superblock *sb = m->sb;

    mount_count--;
    spin_lock(&dentry_lock);
    list_remove(&m->of_sb);
    spin_unlock(&dentry_lock);
    dentry_unref(m->root);
    kmfree(m->source);
    kmfree(m);
    super_unshown(sb);
}

void mounts_reap(void)
{
    struct mount *m;

    do {
        spin_lock(&dentry_lock);
        m = list_empty(&gone) ? NULL : list_first_entry(&gone, struct mount, link);
        if (m)
            list_remove(&m->link);
        spin_unlock(&dentry_lock);
        if (m)
            mount_free(m);
    } while (m);
    super_reap();
}

static void reaper_main(void *arg)
{
    struct wait_entry e;

    (void)arg;
    for (;;) {
        waitq_prepare(&somebody_left, &e, THREAD_SLEEPING);
        if (list_empty(&gone))
            schedule();
        waitq_finish(&e);
        mutex_lock(&mount_lock);
        mounts_reap();
        mutex_unlock(&mount_lock);
    }
}

/* [mount_lock held] Mounts are about to live on outside the tree. Without the thread they end with
 * the next change of it. */
static void reaper_start(void)
{
    static bool started; /* [mount_lock] */

    if (!started)
        started = kthread_create("umount", reaper_main, NULL) != NULL;
}

/* ---- The tree ---- */

static bool is_linked(const struct mount *m)
{
    return m->link.next != &m->link;
}

bool mount_in_tree(const struct mount *m)
{
    return m != &nowhere && is_linked(m) && m->refs;
}

struct mount *mount_next(struct mount *m, const struct mount *top)
{
    if (!list_empty(&m->children))
        return list_first_entry(&m->children, struct mount, sibling);
    while (m != top && m->sibling.next == &m->parent->children)
        m = m->parent;
    return m == top ? NULL : list_next_entry(m, sibling);
}

bool mount_is_below(const struct mount *b, const struct mount *a)
{
    while (b && b != a)
        b = b->parent;
    return b != NULL;
}

void mount_link(struct mount *m, const struct path *where)
{
    dentry_ref(where->dentry);
    m->parent = where->mount;
    m->at = where->dentry;
    m->next_at = m->at->mounted;
    m->at->mounted = m;
    list_add_tail(&m->parent->children, &m->sibling);
}

struct dentry *mount_unlink(struct mount *m)
{
    struct dentry *at = m->at;
    struct mount **p;

    if (!at)
        return NULL;
    for (p = &at->mounted; *p != m; p = &(*p)->next_at)
        ;
    *p = m->next_at;
    m->parent = NULL;
    m->at = NULL;
    list_remove(&m->sibling);
    list_init(&m->sibling);
    return at;
}

int mount_attach(struct mount *m, const struct path *where)
{
    struct dentry *old = NULL;
    int err = 0;

    spin_lock(&dentry_lock);
    if (where->dentry->unlinked || where->dentry->leaving) {
        err = -ENOENT;
    } else {
        old = mount_unlink(m);
        mount_link(m, where);
    }
    spin_unlock(&dentry_lock);
    dentry_unref(old);
    return err;
}

static void mount_detach(struct mount *m)
{
    struct dentry *old;

    spin_lock(&dentry_lock);
    old = mount_unlink(m);
    spin_unlock(&dentry_lock);
    dentry_unref(old);
}

void mount_show(struct mount *top)
{
    for (struct mount *m = top; m; m = mount_next(m, top)) {
        if (!is_linked(m))
            list_add_tail(&mounts, &m->link);
        m->fresh = m->detached = false;
    }
    mounts_changed();
}

void mount_take_out(struct mount *top)
{
    struct mount *m;

    do {
        m = top;
        while (!list_empty(&m->children))
            m = list_first_entry(&m->children, struct mount, sibling);
        propagation_end(m);
        mount_detach(m);
        if (is_linked(m))
            list_remove(&m->link);
        list_init(&m->link);
        if (m->refs > 1)
            reaper_start();
        mount_unref(m);
    } while (m != top);
    mounts_changed();
}

/* ---- Copies ---- */

static int copy_one(struct mount *m, struct dentry *root, int relation, struct mount **out)
{
    struct mount *c = mount_new(m->sb, root, m->flags, m->source);
    int err = c ? propagation_relate(c, m, (enum relation)relation) : mount_new_error();

    if (err && c) {
        propagation_end(c);
        mount_unref(c);
        c = NULL;
    }
    *out = c;
    return err;
}

/* The copy of m's parent, in the copy that is being made of the tree below top. */
static struct mount *copied_parent(const struct mount *m, struct mount *top, struct mount *copy)
{
    return m->parent == top ? copy : m->parent->copy;
}

/* Of m, which lies below top, unless it or what it lies on is left out. */
static int copy_inner(struct mount *m, struct mount *top, struct mount *copy, int relation)
{
    struct path where = {copied_parent(m, top, copy), m->at};
    int err;

    m->copy = NULL;
    if (!where.mount || m->unbindable || (m->parent == top && !dentry_is_below(m->at, copy->root)))
        return 0;
    err = copy_one(m, m->root, relation, &m->copy);
    if (!err) {
        err = mount_attach(m->copy, &where);
        if (err)
            mount_take_out(m->copy);
    }
    return err;
}

int mount_copy(struct mount *top, struct dentry *root, bool deep, int relation, struct mount **out)
{
    struct mount *copy;
    int err = copy_one(top, root, relation, &copy);

    if (err)
        return err;
    for (struct mount *m = deep ? mount_next(top, top) : NULL; m && !err; m = mount_next(m, top)) {
        err = copy_inner(m, top, copy, relation);
        sched_point();
    }
    if (err)
        mount_take_out(copy);
    *out = copy;
    return err;
}

/* ---- Places ---- */

char *mount_root_name(const struct mount *m, char *buf, size_t size)
{
    return dentry_print(m->root, buf, size);
}

struct path mount_that_shows(struct dentry *d)
{
    const struct superblock *sb = d->inode->sb;
    struct mount *m;

    if (!sb || !sb->mounts.next)
        return (struct path){&nowhere, d};
    list_for_each_entry (m, &sb->mounts, of_sb) {
        const struct dentry *up = d;

        if (!m->parent && m != list_first_entry(&mounts, struct mount, link))
            continue;
        while (up && up != m->root)
            up = up->parent;
        if (up)
            return (struct path){m, d};
    }
    return (struct path){&nowhere, d};
}

struct path path_of_dentry(struct dentry *d)
{
    struct path p;

    spin_lock(&dentry_lock);
    p = mount_that_shows(d);
    mount_ref(p.mount);
    spin_unlock(&dentry_lock);
    return p;
}

bool path_beside(const struct path *p, const char *name, struct path *out)
{
    size_t len = strlen(name);
    struct path found = {p->mount, NULL};

    spin_lock(&dentry_lock);
    if (p->dentry->parent)
        found.dentry = dcache_find(p->dentry->parent, name, len, name_hash(name, len));
    if (found.dentry) {
        path_to_top(&found);
        path_ref(&found);
    }
    spin_unlock(&dentry_lock);
    *out = found;
    return found.dentry != NULL;
}

/* ---- Mounting ---- */

int mount_target(struct path *where)
{
    struct path old = *where;

    spin_lock(&dentry_lock);
    path_to_top(where);
    path_ref(where);
    spin_unlock(&dentry_lock);
    path_unref(&old);
    if (where->dentry->unlinked)
        return -ENOENT;
    return mount_in_tree(where->mount) ? 0 : -EINVAL;
}

/* Shows sb at where, unless that is it already. */
static int mount_super(struct superblock *sb, const char *source, uint32_t flags,
                       struct path *where)
{
    struct mount *m = mount_new(sb, sb->root, flags, source && *source ? source : "none");
    int err = m ? mount_target(where) : mount_new_error();

    if (!err && where->mount->sb == sb && where->dentry == where->mount->root)
        err = -EBUSY;
    if (!err)
        err = S_ISDIR(where->dentry->inode->mode) ? propagation_mount(m, where) : -ENOTDIR;
    if (err && m)
        mount_take_out(m);
    if (!m)
        super_unshown(sb);
    return err;
}

int vfs_mount(const char *fstype, const char *source, const struct path *where, uint32_t flags,
              const char *data)
{
    struct path at = *where;
    struct superblock *sb;
    int err;

    path_ref(&at);
    mutex_lock(&mount_lock);
    mounts_reap();
    err = super_get(fstype, source, flags & SUPER_FLAGS, data, &sb);
    if (!err)
        err = mount_super(sb, source, flags & MOUNT_FLAGS, &at);
    mounts_reap();
    mutex_unlock(&mount_lock);
    path_unref(&at);
    return err;
}

/* [mount_lock held] */
static int mount_first(struct superblock *sb, const char *source, uint32_t flags)
{
    struct mount *m = mount_new(sb, sb->root, flags, source);

    if (!m)
        return -ENOMEM;
    list_add_tail(&mounts, &m->link);
    m->fresh = false;
    return 0;
}

int vfs_mount_root(const struct boot_archive *archives, unsigned count)
{
    struct superblock *sb;
    int err;

    mutex_lock(&mount_lock);
    err = super_get("rootfs", "rootfs", 0, NULL, &sb);
    if (!err)
        err = mount_first(sb, "rootfs", 0);
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
            err = super_get(t->name, source, flags, NULL, &sb);
    if (!err)
        err = mount_first(sb, source, (flags & MS_RDONLY) | MS_RELATIME);
    mutex_unlock(&mount_lock);
    return err;
}

static struct mount *first_mount(void)
{
    return list_first_entry(&mounts, struct mount, link);
}

struct path vfs_root(void)
{
    struct path p = {first_mount(), first_mount()->root};

    path_ref(&p);
    return p;
}

const char *vfs_root_type(void)
{
    return first_mount()->sb->type->name;
}
