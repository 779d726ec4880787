/*
 * mount(2): new file systems, second views of what is mounted (bind), moves, changed flags.
 */
#include "fs/mount/mount_calls.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/propagate.h"
#include "fs/vfs/super.h"
#include "arch/uaccess.h"
#include "libc/string.h"

#define MS_BIND        0x1000u
#define MS_MOVE        0x2000u
#define MS_REC         0x4000u
#define MS_SILENT      0x8000u
#define MS_STRICTATIME 0x1000000u
#define MS_NOUSER      0x80000000u
#define MS_MGC_VAL     0xC0ED0000u
#define MS_MGC_MASK    0xFFFF0000u
#define MS_ATIME       (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)

struct mount_request {
    char *source, *type, *data; /* frames or NULL */
    uint32_t flags;
};

/* What of the flags is the mount's own: relatime, unless something else is asked for. */
static uint32_t own_flags(uint32_t flags)
{
    uint32_t own = flags & MOUNT_FLAGS;

    if (!(flags & MS_NOATIME))
        own |= MS_RELATIME;
    if (flags & MS_STRICTATIME)
        own &= ~(MS_RELATIME | MS_NOATIME);
    return own;
}

/* ---- Changed flags ---- */

/* A remount that says nothing about access times leaves them as they are. */
static uint32_t own_flags_again(const struct mount *m, uint32_t flags)
{
    uint32_t atime = MS_NOATIME | MS_NODIRATIME | MS_RELATIME, own = own_flags(flags);

    return flags & MS_ATIME ? own : (own & ~atime) | (m->flags & atime);
}

/* [mount_lock held] Of the mount alone. */
static int remount_bind(struct mount *m, uint32_t own)
{
    if ((own & ~m->flags & MS_RDONLY) && __atomic_load_n(&m->writers, __ATOMIC_RELAXED))
        return -EBUSY;
    m->flags = own;
    return 0;
}

static int remount(const struct mount_request *r, const struct path *where)
{
    struct mount *m = where->mount;
    uint32_t own = own_flags_again(m, r->flags);
    int err = 0;

    if (where->dentry != m->root || !mount_in_tree(m))
        return -EINVAL;
    if (r->flags & MS_BIND)
        err = remount_bind(m, own);
    else
        err = super_remount(m->sb, r->flags & SUPER_FLAGS, r->data);
    if (err)
        return err;
    m->flags = own;
    mounts_changed();
    return 0;
}

/* ---- Bind and move ---- */

int mount_second_view(const struct path *from, bool deep, struct mount **out)
{
    if (!mount_in_tree(from->mount) || from->mount->unbindable)
        return -EINVAL;
    return mount_copy(from->mount, from->dentry, deep, PEER, out);
}

static int bind(const struct path *from, bool deep, struct path *where)
{
    struct mount *m;
    int err = mount_target(where);

    if (!err)
        err = mount_second_view(from, deep, &m);
    if (err)
        return err;
    if (S_ISDIR(where->dentry->inode->mode) != S_ISDIR(m->root->inode->mode))
        err = -ENOTDIR;
    else
        err = propagation_mount(m, where);
    if (err)
        mount_take_out(m);
    return err;
}

/* It lies in the tree, and is not the first, or an open file holds it. */
static bool may_move(const struct mount *m)
{
    return m->parent ? mount_in_tree(m) : m->detached;
}

int mount_move(const struct path *from, struct path *where)
{
    struct mount *m = from->mount;
    int err = mount_target(where);

    if (err)
        return err;
    if (!may_move(m) || from->dentry != m->root)
        return -EINVAL;
    if (S_ISDIR(where->dentry->inode->mode) != S_ISDIR(m->root->inode->mode))
        return -EINVAL;
    if ((m->parent && m->parent->group) || (where->mount->group && propagation_has_unbindable(m)))
        return -EINVAL;
    return mount_is_below(where->mount, m) ? -ELOOP : propagation_mount(m, where);
}

static int from_elsewhere(const struct mount_request *r, struct path *where)
{
    struct path from;
    int err =
        r->source && *r->source ? path_lookup(AT_FDCWD, r->source, LOOKUP_FOLLOW, &from) : -EINVAL;

    if (err)
        return err;
    mutex_lock(&mount_lock);
    if (r->flags & MS_BIND)
        err = bind(&from, r->flags & MS_REC, where);
    else
        err = mount_move(&from, where);
    mounts_reap();
    mutex_unlock(&mount_lock);
    path_unref(&from);
    return err;
}

/* ---- The call ---- */

int mount_set_propagation(struct mount *m, uint32_t kind, bool deep)
{
    int err = -EINVAL;

    switch (kind) {
    case MS_SHARED:
        err = propagation_set(m, SHARED, deep);
        break;
    case MS_SLAVE:
        err = propagation_set(m, SLAVE, deep);
        break;
    case MS_PRIVATE:
        err = propagation_set(m, PRIVATE, deep);
        break;
    case MS_UNBINDABLE:
        err = propagation_set(m, UNBINDABLE, deep);
        break;
    }
    if (!err)
        mounts_changed();
    return err;
}

/* [mount_lock held] MS_SHARED and its kin: alone, or with MS_REC. */
static int propagate(const struct mount_request *r, const struct path *where)
{
    if (where->dentry != where->mount->root)
        return -EINVAL;
    return mount_set_propagation(where->mount, r->flags & ~(MS_REC | MS_SILENT), r->flags & MS_REC);
}

/* As Linux looks at the flags: the first that is set says what is asked for. */
static int do_mount(const struct mount_request *r, struct path *where)
{
    int err;

    if (r->flags & MS_NOUSER)
        return -EINVAL;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (!(r->flags & (MS_REMOUNT | MS_BIND | MS_PROPAGATION | MS_MOVE)))
        return r->type ? vfs_mount(r->type, r->source, where,
                                   (r->flags & SUPER_FLAGS) | own_flags(r->flags), r->data)
                       : -EINVAL;
    if (!(r->flags & MS_REMOUNT) && ((r->flags & MS_BIND) || !(r->flags & MS_PROPAGATION)))
        return from_elsewhere(r, where);
    mutex_lock(&mount_lock);
    err = r->flags & MS_REMOUNT ? remount(r, where) : propagate(r, where);
    mutex_unlock(&mount_lock);
    return err;
}

static int mount_walked(const struct mount_request *r, const char __user *utarget)
{
    struct path where;
    int err = user_lookup(AT_FDCWD, utarget, 0, &where);

    if (err)
        return err;
    err = do_mount(r, &where);
    path_unref(&where);
    return err;
}

/* A string of mount(2), or NULL: no longer than a path, though it may be none. */
static int optional_string(const char __user *ustring, char **out)
{
    int err = ustring ? path_from_user(ustring, out) : 0;

    return err == -ENAMETOOLONG ? -EINVAL : err;
}

static void free_string(char *s)
{
    if (s)
        kfree(s);
}

long sys_mount(const char __user *usource, const char __user *utarget, const char __user *utype,
               uint32_t flags, void __user *udata)
{
    struct mount_request r = {.flags = flags};
    int err;

    if ((flags & MS_MGC_MASK) == MS_MGC_VAL)
        r.flags &= ~MS_MGC_MASK;
    err = optional_string(utype, &r.type);
    if (!err)
        err = optional_string(usource, &r.source);
    if (!err)
        err = optional_string(udata, &r.data);
    if (!err)
        err = mount_walked(&r, utarget);
    free_string(r.type);
    free_string(r.source);
    free_string(r.data);
    return err;
}
