/*
 * Access control lists. See acl.h.
 *
 * An inode's lists change under its lock and under acl_lock, which alone is held to look at them:
 * path walks do, and may not sleep. A list is short (ENTRIES_MOST), and costs the file system a
 * page, as a short attribute does. An access list that says what
 * the mode can say is not kept.
 */
#include "fs/vfs/acl.h"
#include "arch/uaccess.h"
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/xattr.h"
#include "libc/string.h"

#define ENTRIES_MOST 500u
#define VERSION      2u
#define NO_ID        0xffffffffu
#define ALL_BITS     0777u

enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct acl_entry { /* as in the attribute */
    uint16_t tag, perm;
    uint32_t id;
};

struct acl {
    uint32_t count;
    struct acl_entry entry[];
};

struct acls {
    struct acl *of[ACL_KINDS]; /* [acl_lock] NULL: none */
};

static struct spinlock acl_lock = SPINLOCK_INIT("acl", LOCK_RANK_LEAF);

static const char *const names[] = {"system.posix_acl_access", "system.posix_acl_default"};

enum acl_kind acl_kind_of(const char *name)
{
    for (unsigned k = 0; k < ACL_KINDS; k++)
        if (strcmp(name, names[k]) == 0)
            return (enum acl_kind)k;
    return ACL_NONE;
}

const char *acl_name(enum acl_kind kind)
{
    return names[kind];
}

/* ---- One list ---- */

static struct acl *acl_new(uint32_t count)
{
    struct acl *a = kmalloc(sizeof(*a) + count * sizeof(struct acl_entry));

    if (a)
        a->count = count;
    return a;
}

static bool is_named(const struct acl_entry *e)
{
    return e->tag == USER || e->tag == GROUP;
}

/* Whether the entries are those of a list, in their order, and nothing is missing. */
static bool is_valid(const struct acl *a)
{
    uint16_t stage = USER_OBJ; /* the tag that may come, or the next but it */
    bool named = false;

    for (uint32_t k = 0; k < a->count; k++) {
        const struct acl_entry *e = &a->entry[k];
        bool right = (e->tag == stage && stage) || (e->tag == GROUP_OBJ && stage == USER) ||
                     (e->tag == MASK && stage == GROUP) ||
                     (e->tag == OTHER && stage == GROUP && !named);

        if (!right || (e->perm & ~7u) || (is_named(e) && e->id == NO_ID))
            return false;
        named |= is_named(e);
        if (!is_named(e))
            stage = e->tag == OTHER ? 0 : (uint16_t)(e->tag << 1);
    }
    return !stage;
}

/* What a mode says of it: true if that is all. */
static bool equals_mode(const struct acl *a, uint32_t *mode)
{
    uint32_t bits = 0, group = 0;
    bool all = true;

    for (uint32_t k = 0; k < a->count; k++) {
        const struct acl_entry *e = &a->entry[k];

        if (e->tag == USER_OBJ)
            bits |= (uint32_t)e->perm << 6;
        else if (e->tag == OTHER)
            bits |= e->perm;
        else if (e->tag == GROUP_OBJ || e->tag == MASK) /* that comes later */
            group = (uint32_t)e->perm << 3;
        all &= e->tag != MASK && !is_named(e);
    }
    *mode = (*mode & ~ALL_BITS) | bits | group;
    return all;
}

/* The entry that stands for the group bits of the mode. */
static struct acl_entry *group_entry(struct acl *a)
{
    struct acl_entry *found = NULL;

    for (uint32_t k = 0; k < a->count; k++)
        if (a->entry[k].tag == MASK || a->entry[k].tag == GROUP_OBJ)
            found = &a->entry[k];
    return found;
}

/* Each of the entries that the mode tells of becomes what it says; and: at most that. */
static void take_mode(struct acl *a, uint32_t mode, bool and)
{
    struct acl_entry *group = group_entry(a);

    for (uint32_t k = 0; k < a->count; k++) {
        struct acl_entry *e = &a->entry[k];
        uint32_t bits = e->tag == USER_OBJ ? mode >> 6 : e == group ? mode >> 3 : mode;

        if (e->tag == USER_OBJ || e->tag == OTHER || e == group)
            e->perm = (uint16_t)(bits & (and? e->perm : 7u));
    }
}

/* ---- The lists of an inode ---- */

/* [acl_lock held] */
static struct acl *list_of(const struct inode *i, enum acl_kind kind)
{
    return i->acls ? i->acls->of[kind] : NULL;
}

bool acl_is_set(const struct inode *i, enum acl_kind kind)
{
    bool set;

    spin_lock(&acl_lock);
    set = list_of(i, kind) != NULL;
    spin_unlock(&acl_lock);
    return set;
}

/* [i->lock held] a, perhaps NULL, takes the place of what is there. */
static int replace(struct inode *i, enum acl_kind kind, struct acl *a)
{
    struct acls *fresh = i->acls || !a ? NULL : kzalloc(sizeof(*fresh));
    struct acl *old;
    int err = 0;

    if (a && !i->acls && !fresh)
        return -ENOMEM;
    if (a)
        err = xattr_charge(i, 1);
    if (err) {
        kmfree(fresh);
        return err;
    }
    spin_lock(&acl_lock);
    if (fresh)
        i->acls = fresh;
    old = list_of(i, kind);
    if (i->acls)
        i->acls->of[kind] = a;
    spin_unlock(&acl_lock);
    if (old)
        (void)xattr_charge(i, -1);
    kmfree(old);
    return 0;
}

/* A copy, or NULL: *err says whether there is none, or no memory. */
static struct acl *copy_of(const struct inode *i, enum acl_kind kind, int *err)
{
    struct acl *copy = acl_new(ENTRIES_MOST);
    const struct acl *a;

    *err = copy ? 0 : -ENOMEM;
    if (!copy)
        return NULL;
    spin_lock(&acl_lock);
    a = list_of(i, kind);
    if (a)
        memcpy(copy, a, sizeof(*a) + a->count * sizeof(a->entry[0]));
    spin_unlock(&acl_lock);
    if (a)
        return copy;
    kmfree(copy);
    return NULL;
}

static void acls_free(struct acls *acls)
{
    for (unsigned k = 0; acls && k < ACL_KINDS; k++)
        kmfree(acls->of[k]);
    kmfree(acls);
}

void acl_free_all(struct inode *i)
{
    for (unsigned k = 0; k < ACL_KINDS; k++)
        (void)replace(i, (enum acl_kind)k, NULL);
    kmfree(i->acls);
    i->acls = NULL;
}

/* ---- Permission ---- */

/* Whether it is of a named user or of a group, and he is that or in it. */
static bool entry_is_his(const struct inode *i, const struct acl_entry *e,
                         const struct access_ids *who)
{
    const struct cred *c = &proc_current()->cred;

    switch (e->tag) {
    case USER:
        return e->id == who->uid;
    case GROUP_OBJ:
        return cred_in_group(c, who->gid, i->gid);
    case GROUP:
        return cred_in_group(c, who->gid, e->id);
    default:
        return false;
    }
}

/* [acl_lock held] As man 5 acl has it: the user's own entry decides; of his groups one that allows
 * all of it is enough; who has neither is one of the others. */
static bool allows(const struct inode *i, struct acl *a, unsigned want,
                   const struct access_ids *who)
{
    const struct acl_entry *mask = group_entry(a);
    unsigned most = mask->tag == MASK ? mask->perm : 7u;
    bool in_any = false;

    for (uint32_t k = 0; k < a->count; k++) {
        const struct acl_entry *e = &a->entry[k];

        if (e->tag == OTHER)
            return !in_any && !(want & ~e->perm);
        if (!entry_is_his(i, e, who))
            continue;
        if (e->tag == USER || !(want & ~e->perm))
            return !(want & ~(e->perm & most));
        in_any = true;
    }
    return false;
}

int acl_permits(const struct inode *i, unsigned want, const struct access_ids *who)
{
    struct acl *a;
    int ret = 1;

    spin_lock(&acl_lock);
    a = i->mode & 0070 ? list_of(i, ACL_ACCESS) : NULL;
    if (a)
        ret = allows(i, a, want & 7, who) ? 0 : -EACCES;
    spin_unlock(&acl_lock);
    return ret;
}

void acl_chmod(struct inode *i)
{
    struct acl *a;

    spin_lock(&acl_lock);
    a = list_of(i, ACL_ACCESS);
    if (a)
        take_mode(a, i->mode, false);
    spin_unlock(&acl_lock);
}

/* ---- Attributes ---- */

long acl_get(struct inode *i, enum acl_kind kind, void __user *uvalue, size_t size)
{
    const uint32_t version = VERSION;
    struct acl *a;
    size_t bytes;
    int err;

    if (S_ISLNK(i->mode))
        return -EOPNOTSUPP;
    a = copy_of(i, kind, &err);
    if (!a)
        return err ? err : -ENODATA;
    bytes = a->count * sizeof(a->entry[0]);
    if (size && size < sizeof(version) + bytes)
        err = -ERANGE;
    else if (size && (copy_to_user(uvalue, &version, sizeof(version)) ||
                      copy_to_user((char __user *)uvalue + sizeof(version), a->entry, bytes)))
        err = -EFAULT;
    kmfree(a);
    return err ? err : (long)(sizeof(version) + bytes);
}

/* The list that the value of an attribute is; NULL: an empty one. */
static int take_value(const void __user *uvalue, size_t size, struct acl **out)
{
    uint32_t version, count = (size - sizeof(version)) / sizeof(struct acl_entry);
    struct acl *a;

    *out = NULL;
    if (size < sizeof(version))
        return -EINVAL;
    if (copy_from_user(&version, uvalue, sizeof(version)))
        return -EFAULT;
    if (version != VERSION)
        return -EOPNOTSUPP;
    if ((size - sizeof(version)) % sizeof(struct acl_entry))
        return -EINVAL;
    if (count > ENTRIES_MOST)
        return -ENOSPC;
    a = count ? acl_new(count) : NULL;
    if (!a)
        return count ? -ENOMEM : 0;
    if (copy_from_user(a->entry, (const char __user *)uvalue + sizeof(version),
                       count * sizeof(a->entry[0]))) {
        kmfree(a);
        return -EFAULT;
    }
    for (uint32_t k = 0; k < count; k++)
        if (!is_named(&a->entry[k]))
            a->entry[k].id = NO_ID;
    *out = a;
    return 0;
}

/* a, perhaps NULL, is consumed where it was put in. */
static int put_in(struct inode *i, enum acl_kind kind, struct acl *a)
{
    uint32_t mode = i->mode;
    bool kept = a && !(kind == ACL_ACCESS && equals_mode(a, &mode));
    int err = replace(i, kind, kept ? a : NULL);

    if (err)
        return err;
    if (kind == ACL_ACCESS && a) {
        if (!in_group(i->gid) && !capable(CAP_FSETID))
            mode &= ~S_ISGID;
        i->mode = mode;
    }
    if (a && !kept)
        kmfree(a);
    inode_touch(i, false, false, true);
    return 0;
}

static int store(struct inode *i, enum acl_kind kind, struct acl *a)
{
    int err;

    if (S_ISLNK(i->mode))
        return -EOPNOTSUPP;
    if (kind == ACL_DEFAULT && !S_ISDIR(i->mode))
        return a ? -EACCES : 0;
    if (!is_owner(i))
        return -EPERM;
    if (a && !is_valid(a))
        return -EINVAL;
    mutex_lock(&i->lock);
    err = put_in(i, kind, a);
    mutex_unlock(&i->lock);
    if (!err)
        notify_inode(i, IN_ATTRIB);
    return err ? err : 1;
}

int acl_set(struct inode *i, enum acl_kind kind, const void __user *uvalue, size_t size)
{
    struct acl *a;
    int err = take_value(uvalue, size, &a);

    if (err)
        return err;
    err = store(i, kind, a);
    if (err <= 0)
        kmfree(a);
    return err < 0 ? err : 0;
}

int acl_remove(struct inode *i, enum acl_kind kind)
{
    int err = store(i, kind, NULL);

    return err < 0 ? err : 0;
}

/* ---- New files ---- */

/* From the default list a, which is consumed: it is the new file's own as far as the mode it is
 * made with allows, and a directory's default list, too. */
static int inherit(const struct inode *dir, struct acl *a, uint32_t *mode, struct acls *acls)
{
    int err = 0;

    if (S_ISDIR(*mode))
        acls->of[ACL_DEFAULT] = copy_of(dir, ACL_DEFAULT, &err);
    take_mode(a, *mode, true);
    if (equals_mode(a, mode))
        kmfree(a);
    else
        acls->of[ACL_ACCESS] = a;
    if (!err)
        err = xattr_charge(dir, !!acls->of[ACL_ACCESS] + !!acls->of[ACL_DEFAULT]);
    return err;
}

int acl_for_new(const struct inode *dir, uint32_t *mode, struct acls **out)
{
    struct acl *a = NULL;
    int err = 0;

    *out = NULL;
    if (dir->acls)
        a = copy_of(dir, ACL_DEFAULT, &err);
    if (!a) {
        *mode = apply_umask(*mode);
        return err;
    }
    *out = kzalloc(sizeof(**out));
    if (!*out) {
        kmfree(a);
        return -ENOMEM;
    }
    err = inherit(dir, a, mode, *out);
    if (err) {
        acls_free(*out);
        *out = NULL;
    }
    return err;
}

void acl_born(struct inode *i, const struct inode *dir, struct acls *acls)
{
    if (!acls)
        return;
    if (i) {
        i->acls = acls;
        return;
    }
    (void)xattr_charge(dir, -(!!acls->of[ACL_ACCESS] + !!acls->of[ACL_DEFAULT]));
    acls_free(acls);
}
