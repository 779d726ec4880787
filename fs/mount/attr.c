/*
 * mount_setattr(2): attributes of one mount or of a whole tree, all or none.
 */
#include "fs/mount/mount_calls.h"
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"

#define ATTR_RELATIME    0x00u
#define ATTR_NOATIME     0x10u
#define ATTR_STRICTATIME 0x20u

struct mount_attr {
    uint64_t set, clear, propagation, userns_fd;
};

_Static_assert(sizeof(struct mount_attr) == 32, "Linux layout");

/* What is asked for, in terms of struct mount. */
struct change {
    uint32_t set, clear, propagation;
    bool deep;
};

uint32_t mount_attr_flags(uint64_t attr)
{
    static const uint32_t pairs[][2] = {
        {MOUNT_ATTR_RDONLY, MS_RDONLY},         {MOUNT_ATTR_NOSUID, MS_NOSUID},
        {MOUNT_ATTR_NODEV, MS_NODEV},           {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
        {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW},
    };
    uint32_t flags = 0;

    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (attr & pairs[i][0])
            flags |= pairs[i][1];
    return flags;
}

int mount_attr_atime(uint64_t attr, uint32_t *flags)
{
    switch ((uint32_t)attr & MOUNT_ATTR_ATIME) {
    case ATTR_RELATIME:
        *flags |= MS_RELATIME;
        return 0;
    case ATTR_NOATIME:
        *flags |= MS_NOATIME;
        return 0;
    case ATTR_STRICTATIME:
        return 0;
    }
    return -EINVAL;
}

/* ---- What is asked for ---- */

/* The access time is one of several: to set one, all are to be cleared. */
static int take_atime(const struct mount_attr *a, struct change *c)
{
    uint64_t clear = a->clear & MOUNT_ATTR_ATIME;

    if (!clear)
        return a->set & MOUNT_ATTR_ATIME ? -EINVAL : 0;
    if (clear != MOUNT_ATTR_ATIME)
        return -EINVAL;
    c->clear |= MS_RELATIME | MS_NOATIME;
    return mount_attr_atime(a->set, &c->set);
}

/* There are no user namespaces: no descriptor is of one. */
static int refuse_idmap(const struct mount_attr *a)
{
    struct file *f;

    if (!((a->set | a->clear) & MOUNT_ATTR_IDMAP))
        return 0;
    if ((a->clear & MOUNT_ATTR_IDMAP) || a->userns_fd > INT32_MAX)
        return -EINVAL;
    f = fd_get((int)a->userns_fd);
    if (!f)
        return -EBADF;
    file_put(f);
    return -EINVAL;
}

static int take_change(const struct mount_attr *a, struct change *c)
{
    int err;

    if ((a->propagation & ~(uint64_t)MS_PROPAGATION) || (a->propagation & (a->propagation - 1)))
        return -EINVAL;
    if ((a->set | a->clear) & ~(uint64_t)(MOUNT_ATTR_ALL | MOUNT_ATTR_IDMAP))
        return -EINVAL;
    c->propagation = (uint32_t)a->propagation;
    c->set = mount_attr_flags(a->set);
    c->clear = mount_attr_flags(a->clear);
    err = take_atime(a, c);
    return err ? err : refuse_idmap(a);
}

/* ---- The change ---- */

static struct mount *next_of(const struct change *c, struct mount *m, const struct mount *top)
{
    return c->deep ? mount_next(m, top) : NULL;
}

/* Takes back what stop_writers() has done, up to the mount before end. */
static void let_write(const struct change *c, struct mount *top, const struct mount *end)
{
    for (struct mount *m = top; m != end; m = next_of(c, m, top)) {
        if (m->stopped)
            m->flags &= ~MS_RDONLY;
        m->stopped = false;
        sched_point();
    }
}

/* Those that shall be read-only are at once, one after the other, so that nobody becomes a writer
 * of one while others are looked at; if somebody is one already, none is. */
static int stop_writers(const struct change *c, struct mount *top)
{
    for (struct mount *m = top; m; m = next_of(c, m, top)) {
        if (c->set & ~m->flags & MS_RDONLY) {
            m->flags |= MS_RDONLY;
            m->stopped = true;
            __atomic_thread_fence(__ATOMIC_SEQ_CST); /* a writer counts himself, then looks */
            if (__atomic_load_n(&m->writers, __ATOMIC_RELAXED)) {
                let_write(c, top, next_of(c, m, top));
                return -EBUSY;
            }
        }
        sched_point();
    }
    return 0;
}

/* [mount_lock held] */
static int change_tree(const struct change *c, struct mount *top)
{
    int err = mount_in_tree(top) || top->detached ? stop_writers(c, top) : -EINVAL;

    if (err)
        return err;
    if (c->propagation)
        err = mount_set_propagation(top, c->propagation, c->deep);
    if (err) {
        let_write(c, top, NULL);
        return err;
    }
    for (struct mount *m = top; m; m = next_of(c, m, top)) {
        m->flags = (m->flags & ~c->clear) | c->set;
        m->stopped = false;
        sched_point();
    }
    mounts_changed();
    return 0;
}

static int change_at(const struct change *c, const struct path *p)
{
    int err;

    if (p->dentry != p->mount->root)
        return -EINVAL;
    mutex_lock(&mount_lock);
    err = change_tree(c, p->mount);
    mutex_unlock(&mount_lock);
    return err;
}

static int take_attr(struct mount_attr *a, const void __user *uattr, uint32_t size)
{
    if (size > PAGE_SIZE)
        return -E2BIG;
    if (size < sizeof(*a))
        return -EINVAL;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    return copy_struct_from_user(a, sizeof(*a), uattr, size);
}

long sys_mount_setattr(uint32_t dirfd, const char __user *upath, uint32_t flags,
                       const void __user *uattr, uint32_t size)
{
    struct change c = {.deep = flags & AT_RECURSIVE};
    struct mount_attr a;
    struct path p;
    int err;

    if (flags & ~(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
        return -EINVAL;
    err = take_attr(&a, uattr, size);
    if (err || !(a.set || a.clear || a.propagation))
        return err;
    err = take_change(&a, &c);
    if (!err)
        err = user_lookup((int)dirfd, upath, flags, &p);
    if (err)
        return err;
    err = change_at(&c, &p);
    path_unref(&p);
    return err;
}
