/*
 * Extended attributes: a list at the inode, newest first, under the inode's lock. Values are in
 * pieces of at most a frame. In memory each attribute costs the file system as many pages as
 * it has, at least one; on a disk it has its place there. Who may see and set which is told by the
 * name's beginning. man 7 xattr.
 */
#include "fs/vfs/xattr.h"
#include "fs/notify/notify.h"
#include "fs/vfs/acl.h"
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

#define PIECES (XATTR_VALUE_MAX / PAGE_SIZE)

/* ---- One ---- */

static int32_t pages_of(const struct xattr *x)
{
    return x->size > PAGE_SIZE ? (int32_t)((x->size + PAGE_SIZE - 1) / PAGE_SIZE) : 1;
}

static void xattr_free(struct xattr *x)
{
    for (unsigned i = 0; i < PIECES; i++)
        kmfree(x->piece[i]);
    kmfree(x->name);
    kmfree(x);
}

static size_t piece_size(uint32_t size, unsigned i)
{
    return size - i * PAGE_SIZE < PAGE_SIZE ? size - i * PAGE_SIZE : PAGE_SIZE;
}

static struct xattr *xattr_new(const char *name, size_t size)
{
    struct xattr *x = kzalloc(sizeof(*x));
    bool whole;

    if (!x)
        return NULL;
    x->size = size;
    x->name = kmalloc(strlen(name) + 1);
    whole = x->name != NULL;
    for (unsigned i = 0; whole && i * PAGE_SIZE < size; i++) {
        x->piece[i] = kmalloc(piece_size(size, i));
        whole = x->piece[i] != NULL;
    }
    if (!whole) {
        xattr_free(x);
        return NULL;
    }
    strcpy(x->name, name);
    return x;
}

static int value_from_user(struct xattr *x, const char __user *uvalue)
{
    for (unsigned i = 0; i * PAGE_SIZE < x->size; i++)
        if (copy_from_user(x->piece[i], uvalue + i * PAGE_SIZE, piece_size(x->size, i)))
            return -EFAULT;
    return 0;
}

static int value_to_user(const struct xattr *x, char __user *uvalue)
{
    for (unsigned i = 0; i * PAGE_SIZE < x->size; i++)
        if (copy_to_user(uvalue + i * PAGE_SIZE, x->piece[i], piece_size(x->size, i)))
            return -EFAULT;
    return 0;
}

/* ---- Who may ---- */

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static bool has_attributes(const struct inode *i)
{
    return i->sb && i->sb->type->charge_xattr;
}

static bool has_acls(const struct inode *i)
{
    return i->sb && i->sb->type->keeps_acls;
}

/* Whether the file system has such names at all. */
static int check_kind(const struct inode *i, const char *name)
{
    static const char *const kinds[] = {"security.", "trusted.", "user."};

    if (!has_attributes(i) || (i->sb->type->no_user_xattrs && begins(name, "user.")))
        return -EOPNOTSUPP;
    for (unsigned k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
        if (begins(name, kinds[k]))
            return name[strlen(kinds[k])] ? 0 : -EINVAL;
    return -EOPNOTSUPP;
}

static int check_user_names(const struct inode *i, unsigned want)
{
    if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
        return want & MAY_WRITE ? -EPERM : -ENODATA;
    if (S_ISDIR(i->mode) && (i->mode & S_ISVTX) && (want & MAY_WRITE) && !is_owner(i))
        return -EPERM;
    return inode_permission(i, want);
}

static int check_access(const struct inode *i, const char *name, unsigned want)
{
    if ((want & MAY_WRITE) && inode_is_fixed(i))
        return -EPERM;
    if (begins(name, "trusted."))
        return capable(CAP_SYS_ADMIN) ? 0 : want & MAY_WRITE ? -EPERM : -ENODATA;
    if (begins(name, "user."))
        return check_user_names(i, want);
    if (begins(name, "security.") && (want & MAY_WRITE)) {
        if (!capable(strcmp(name, XATTR_CAPS) == 0 ? CAP_SETFCAP : CAP_SYS_ADMIN))
            return -EPERM;
    }
    return 0;
}

static int check(const struct inode *i, const char *name, unsigned want)
{
    int err = check_access(i, name, want);

    return err ? err : check_kind(i, name);
}

/* ---- The list ---- */

/* [i->lock held] Where the link to it is, or the end. */
static struct xattr **find(struct inode *i, const char *name)
{
    struct xattr **p = &i->xattrs;

    while (*p && strcmp((*p)->name, name) != 0)
        p = &(*p)->next;
    return p;
}

/* [i->lock held] */
static void take_out(struct inode *i, struct xattr **p)
{
    struct xattr *x = *p;

    *p = x->next;
    (void)xattr_charge(i, -pages_of(x));
    xattr_free(x);
}

/* [i->lock held] What is on a medium is in the list from now on. */
static int load(struct inode *i)
{
    int err;

    if (!i->ops->load_xattrs || i->xattrs_known)
        return 0;
    err = i->ops->load_xattrs(i);
    if (err)
        xattr_free_all(i);
    i->xattrs_known = !err;
    return err;
}

/* [i->lock held] The list has changed. */
static int store(struct inode *i)
{
    inode_touch(i, false, false, true);
    return i->ops->store_xattrs ? i->ops->store_xattrs(i) : 0;
}

static void push(struct inode *i, struct xattr *x)
{
    x->next = i->xattrs;
    i->xattrs = x;
}

/* [i->lock held] The attribute at p goes, or stays where the medium says so. */
static int drop(struct inode *i, struct xattr **p)
{
    struct xattr *x = *p;
    int err;

    *p = x->next;
    err = store(i);
    if (err) {
        push(i, x);
        return err;
    }
    (void)xattr_charge(i, -pages_of(x));
    xattr_free(x);
    return 0;
}

/* [i->lock held] new takes the place of what has its name. */
static int put_in(struct inode *i, struct xattr *new, uint32_t flags)
{
    struct xattr **p = find(i, new->name), *old = *p;
    int err = 0;

    if (old && (flags & XATTR_CREATE))
        return -EEXIST;
    if (!old && (flags & XATTR_REPLACE))
        return -ENODATA;
    err = xattr_charge(i, pages_of(new));
    if (err)
        return err;
    if (old)
        *p = old->next;
    push(i, new);
    err = store(i);
    if (err) {
        i->xattrs = new->next;
        if (old)
            push(i, old);
        (void)xattr_charge(i, -pages_of(new));
    } else if (old) {
        (void)xattr_charge(i, -pages_of(old));
        xattr_free(old);
    }
    return err;
}

int xattr_keep(struct inode *i, const char *name, const void *value, size_t size)
{
    struct xattr *x = xattr_new(name, size), **end = &i->xattrs;

    if (!x)
        return -ENOMEM;
    for (uint32_t k = 0; k * PAGE_SIZE < size; k++)
        memcpy(x->piece[k], (const char *)value + k * PAGE_SIZE, piece_size((uint32_t)size, k));
    while (*end)
        end = &(*end)->next;
    x->next = NULL;
    *end = x;
    return 0;
}

void xattr_free_all(struct inode *i)
{
    while (i->xattrs)
        take_out(i, &i->xattrs);
}

/* ---- Capabilities of files ---- */

#define CAPS_REVISION(magic) ((magic) >> 24)
#define CAPS_EFFECTIVE       1u

struct caps_value { /* of revision 2; 3 has a user id more */
    uint32_t magic;
    struct {
        uint32_t permitted, inheritable;
    } word[2];
    uint32_t rootid;
};

static bool caps_valid(const struct caps_value *v, size_t size)
{
    return (size == offsetof(struct caps_value, rootid) && CAPS_REVISION(v->magic) == 2) ||
           (size == sizeof(*v) && CAPS_REVISION(v->magic) == 3);
}

/* At most size bytes; nobody's right is asked for. -ENODATA */
static long peek(struct inode *i, const char *name, void *buf, size_t size)
{
    const struct xattr *x;
    long n = -ENODATA;

    if (!xattr_may_be(i))
        return n;
    mutex_lock(&i->lock);
    x = load(i) ? NULL : *find(i, name);
    if (x) {
        n = (long)x->size;
        if (x->size)
            memcpy(buf, x->piece[0], piece_size(x->size, 0) < size ? piece_size(x->size, 0) : size);
    }
    mutex_unlock(&i->lock);
    return n;
}

bool xattr_file_caps(struct inode *i, struct file_caps *out)
{
    struct caps_value v = {0};
    long n = peek(i, XATTR_CAPS, &v, sizeof(v));

    if (n < 0 || !caps_valid(&v, (size_t)n) || v.rootid)
        return false;
    out->permitted = caps_join(v.word[0].permitted, v.word[1].permitted);
    out->inheritable = caps_join(v.word[0].inheritable, v.word[1].inheritable);
    out->effective = v.magic & CAPS_EFFECTIVE;
    return true;
}

int xattr_drop_caps(struct inode *i)
{
    struct xattr **p;
    int err = load(i);

    if (err)
        return err;
    p = find(i, XATTR_CAPS);
    return *p ? drop(i, p) : 0;
}

/* ---- What the calls do ---- */

long xattr_get(struct inode *i, const char *name, void __user *uvalue, size_t size)
{
    enum acl_kind acl = acl_kind_of(name);
    const struct xattr *x;
    long n = acl != ACL_NONE && has_acls(i) ? 0 : check(i, name, MAY_READ);

    if (n)
        return n;
    if (acl != ACL_NONE)
        return acl_get(i, acl, uvalue, size);
    mutex_lock(&i->lock);
    n = load(i);
    x = n ? NULL : *find(i, name);
    if (!n)
        n = x ? (long)x->size : -ENODATA;
    if (x && size && size < x->size)
        n = -ERANGE;
    else if (x && size && value_to_user(x, uvalue))
        n = -EFAULT;
    mutex_unlock(&i->lock);
    return n;
}

static int set_ordinary(struct inode *i, const char *name, const void __user *uvalue, size_t size,
                        uint32_t flags)
{
    struct xattr *new = xattr_new(name, size);
    int err = new ? value_from_user(new, uvalue) : -ENOMEM;

    if (!err && strcmp(name, XATTR_CAPS) == 0 && !(size && caps_valid(new->piece[0], size)))
        err = -EINVAL;
    if (!err)
        err = check(i, name, MAY_WRITE);
    if (!err) {
        mutex_lock(&i->lock);
        err = load(i);
        if (!err)
            err = put_in(i, new, flags);
        mutex_unlock(&i->lock);
    }
    if (err && new)
        xattr_free(new);
    if (!err)
        notify_inode(i, IN_ATTRIB);
    return err;
}

/* Whether lists of i may change: what every attribute has to pass. */
static int check_acl(const struct inode *i)
{
    return inode_is_fixed(i) ? -EPERM : has_acls(i) ? 0 : -EOPNOTSUPP;
}

int xattr_set(struct inode *i, const char *name, const void __user *uvalue, size_t size,
              uint32_t flags)
{
    enum acl_kind acl = acl_kind_of(name);

    if (acl == ACL_NONE)
        return set_ordinary(i, name, uvalue, size, flags);
    int err = check_acl(i);

    return err ? err : acl_set(i, acl, uvalue, size);
}

int xattr_remove(struct inode *i, const char *name)
{
    enum acl_kind acl = acl_kind_of(name);
    struct xattr **p;
    int err = acl != ACL_NONE ? check_acl(i) : check(i, name, MAY_WRITE);

    if (err)
        return err;
    if (acl != ACL_NONE)
        return acl_remove(i, acl);
    mutex_lock(&i->lock);
    err = load(i);
    p = find(i, name);
    if (!err)
        err = *p ? drop(i, p) : -ENODATA;
    mutex_unlock(&i->lock);
    if (!err)
        notify_inode(i, IN_ATTRIB);
    return err;
}

/* What has been listed so far, and where to. */
struct listing {
    char __user *to;
    size_t size, used;
};

static int list_name(struct listing *l, const char *name)
{
    size_t len = strlen(name) + 1, at = l->used;

    l->used += len;
    if (l->used > XATTR_LIST_MAX)
        return -E2BIG;
    if (l->size && l->used > l->size)
        return -ERANGE;
    return l->size && copy_to_user(l->to + at, name, len) ? -EFAULT : 0;
}

long xattr_list(struct inode *i, char __user *ulist, size_t size)
{
    struct listing l = {ulist, size, 0};
    const struct xattr *x;
    int err = 0;

    for (unsigned k = 0; k < ACL_KINDS && !err; k++)
        if (i->acls && acl_is_set(i, (enum acl_kind)k))
            err = list_name(&l, acl_name((enum acl_kind)k));
    mutex_lock(&i->lock);
    if (!err)
        err = load(i);
    for (x = i->xattrs; x && !err; x = x->next) {
        if (!begins(x->name, "system.") && (!begins(x->name, "trusted.") || capable(CAP_SYS_ADMIN)))
            err = list_name(&l, x->name);
        sched_point();
    }
    mutex_unlock(&i->lock);
    return err ? err : (long)l.used;
}
