/*
 * Inodes: the files themselves. Life cycle, permissions, times.
 *
 * An inode lives while it has references: one for each of its dentries in memory and one for each
 * open file. With the last goes its page cache reference; mappings may keep the object itself.
 */
#include "arch/clock_page.h"
#include "arch/processors.h"
#include "arch/thread.h"
#include "fs/vfs/acl.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/xattr.h"
#include "libc/string.h"

static uint32_t last_ino = 1; /* atomic */

struct inode *inode_bare(struct superblock *sb, uint32_t mode)
{
    struct inode *i = kzalloc(sizeof(*i));

    if (!i)
        return NULL;
    i->refs = 1;
    i->ino = __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED);
    i->mode = mode;
    i->nlink = 1;
    i->sb = sb;
    mutex_init(&i->lock, MUTEX_RANK_INODE);
    return i;
}

struct inode *inode_new(struct superblock *sb, uint32_t mode)
{
    struct proc *p = thread_current() ? proc_current() : NULL;
    struct inode *i = inode_bare(sb, mode);

    if (!i)
        return NULL;
    i->uid = p ? p->cred.fsuid : 0;
    i->gid = p ? p->cred.fsgid : 0;
    i->atime = i->mtime = i->ctime = timestamp_now();
    return i;
}

void inode_ref(struct inode *i)
{
    ref_get(&i->refs);
}

bool inode_try_ref(struct inode *i)
{
    uint32_t refs = __atomic_load_n(&i->refs, __ATOMIC_RELAXED);

    while (refs && !__atomic_compare_exchange_n(&i->refs, &refs, refs + 1, false, __ATOMIC_ACQUIRE,
                                                __ATOMIC_RELAXED))
        ;
    return refs != 0;
}

void inode_unref(struct inode *i)
{
    if (!kernel_held()) { /* that of the end is given up with the lock: caches of inodes look */
        if (ref_put_shared(&i->refs))
            return;
        kernel_need();
    }
    if (!ref_put(&i->refs))
        return;
    if (i->xattrs)
        xattr_free_all(i);
    if (i->acls)
        acl_free_all(i);
    if (i->ops && i->ops->destroy)
        i->ops->destroy(i);
    if (i->object)
        vm_object_unref(i->object);
    kmfree(i);
}

uint64_t inode_size(const struct inode *i)
{
    return i->object ? vm_object_size(i->object) : i->bytes;
}

uint64_t inode_blocks(const struct inode *i)
{
    if (i->ops && i->ops->blocks)
        return i->ops->blocks(i);
    return i->object ? (uint64_t)vm_object_pages(i->object) * (PAGE_SIZE / 512) : 0;
}

/* ---- Permissions ---- */

bool in_group(uint32_t gid)
{
    const struct cred *c = &proc_current()->cred;

    return cred_in_group(c, c->fsgid, gid);
}

bool is_owner(const struct inode *i)
{
    uint32_t uid = proc_current()->cred.fsuid;

    return uid == i->uid || capable(CAP_FOWNER);
}

bool inode_is_special(const struct inode *i)
{
    return !S_ISREG(i->mode) && !S_ISDIR(i->mode) && !S_ISLNK(i->mode);
}

struct access_ids access_ids_current(bool real)
{
    const struct cred *c = &proc_current()->cred;
    uint64_t caps = c->effective;

    if (real && !(c->securebits & SECURE_NO_SETUID_FIXUP))
        caps = c->uid == 0 ? c->permitted : 0;
    return (struct access_ids){.uid = real ? c->uid : c->fsuid,
                               .gid = real ? c->gid : c->fsgid,
                               .overrides = caps >> CAP_DAC_OVERRIDE & 1,
                               .searches = caps >> CAP_DAC_READ_SEARCH & 1};
}

/* What capabilities allow when the mode does not. Nobody runs what nobody may. */
static bool capable_of(const struct inode *i, unsigned want, const struct access_ids *who)
{
    bool runs = S_ISDIR(i->mode) || (i->mode & 0111);

    if (who->overrides && (!(want & MAY_EXEC) || runs))
        return true;
    return who->searches &&
           (S_ISDIR(i->mode) ? !(want & MAY_WRITE) : !(want & (MAY_WRITE | MAY_EXEC)));
}

bool inode_may_judge(const struct inode *i)
{
    return kernel_held() ||
           (proc_current()->nthreads == 1 && !i->acls && !(i->ops && i->ops->permission));
}

int inode_permission_as(const struct inode *i, unsigned want, const struct access_ids *who)
{
    uint32_t mode = i->mode;

    if ((want & MAY_WRITE) && sb_readonly(i->sb) && !inode_is_special(i))
        return -EROFS; /* root too */
    if ((want & MAY_WRITE) && (i->flags & INODE_IMMUTABLE))
        return -EPERM;
    int err = i->acls && who->uid != i->uid ? acl_permits(i, want, who) : 1;

    if (who->uid == i->uid)
        mode >>= 6;
    else if (err > 0 && cred_in_group(&proc_current()->cred, who->gid, i->gid))
        mode >>= 3;
    if (err > 0)
        err = want & ~mode & 7 ? -EACCES : 0;
    if (err && capable_of(i, want, who))
        err = 0;
    return i->ops && i->ops->permission ? i->ops->permission(i, want, err) : err;
}

/* What everybody may: nobody has to be asked who he is. */
static bool all_may(const struct inode *i, unsigned want)
{
    if (i->acls || (want & ~(i->mode & i->mode >> 3 & i->mode >> 6)))
        return false;
    return !(i->ops && i->ops->permission) &&
           !((want & MAY_WRITE) && (sb_readonly(i->sb) || (i->flags & INODE_IMMUTABLE)));
}

static __attribute__((noinline)) int permission_of_current(const struct inode *i, unsigned want)
{
    struct access_ids who;

    if (!inode_may_judge(i))
        kernel_need();
    who = access_ids_current(false);
    return inode_permission_as(i, want, &who);
}

int inode_permission(const struct inode *i, unsigned want)
{
    return all_may(i, want) ? 0 : permission_of_current(i, want);
}

/* ---- Times ---- */

struct timestamp timestamp_from_ns(uint64_t ns)
{
    uint64_t sec = ns / NSEC_PER_SEC;

    return (struct timestamp){(int64_t)sec, (uint32_t)(ns - sec * NSEC_PER_SEC)};
}

/* To the tick, as on Linux: a file may seem older than a clock that was read before it was made. */
struct timestamp timestamp_now(void)
{
    const struct clock_moment now = clock_real_coarse();

    return (struct timestamp){.sec = now.sec, .nsec = now.nsec};
}

void mapped_write_note(struct mapped_write *w)
{
    w->at = timestamp_now();
    w->pending = true;
}

void inode_settle_from(struct inode *i, struct mapped_write *w)
{
    if (!w->pending)
        return;
    kernel_need();
    i->mtime = i->ctime = w->at;
    w->pending = false;
}

void inode_touch(struct inode *i, bool atime, bool mtime, bool ctime)
{
    struct timestamp now = timestamp_now();

    inode_settle(i);
    if (atime)
        i->atime = now;
    if (mtime)
        i->mtime = now;
    if (ctime)
        i->ctime = now;
}

static bool not_after(const struct timestamp *a, const struct timestamp *b)
{
    return a->sec < b->sec || (a->sec == b->sec && a->nsec <= b->nsec);
}

/* The mount that the kernel makes first has no flags, and is relatime all the same: it costs less.
 */
static bool is_strict(const struct mount *m)
{
    return !(m->flags & MS_RELATIME) && m->parent;
}

static bool is_day_old(const struct timestamp *t)
{
    return (int32_t)(clock_real_coarse().sec - (uint32_t)t->sec) >= 24 * 60 * 60;
}

void inode_accessed(struct inode *i, const struct mount *m)
{
    if (!not_after(&i->atime, &i->mtime) && !not_after(&i->atime, &i->ctime) && !is_strict(m) &&
        !is_day_old(&i->atime))
        return;
    if ((m->flags & (MS_RDONLY | MS_NOATIME)) || (i->flags & INODE_NOATIME) || sb_readonly(i->sb) ||
        ((m->flags & MS_NODIRATIME) && S_ISDIR(i->mode)))
        return;
    kernel_need();
    i->atime = timestamp_now();
}

void path_accessed(const struct path *p)
{
    inode_accessed(p->dentry->inode, p->mount);
}

bool inode_strip_setid(struct inode *i)
{
    uint32_t strip = 0;

    if (S_ISDIR(i->mode))
        return false;
    if (i->mode & S_ISUID)
        strip |= S_ISUID;
    if ((i->mode & S_ISGID) && (i->mode & 0010))
        strip |= S_ISGID;
    i->mode &= ~strip;
    return strip != 0;
}

int inode_modified(struct inode *i)
{
    inode_touch(i, false, true, true);
    if ((i->mode & (S_ISUID | S_ISGID)) && !capable(CAP_FSETID))
        inode_strip_setid(i);
    return xattr_may_be(i) ? xattr_drop_caps(i) : 0;
}
