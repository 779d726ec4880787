/*
 * Owners, permissions and times: chmod, chown, utime and their kin.
 */
#include "fs/notify/notify.h"
#include "fs/vfs/acl.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/xattr.h"
#include "arch/uaccess.h"

/* The file system is told after the fields changed. */
static int changed(struct inode *i)
{
    inode_touch(i, false, false, true);
    return i->ops->setattr ? i->ops->setattr(i) : 0;
}

static bool is_changeable(const struct inode *i, bool owner)
{
    return !inode_is_fixed(i) && !(i->ops->changeable && i->ops->changeable(i, owner));
}

/* ---- Mode ---- */

static int change_mode(struct inode *i, uint32_t mode)
{
    if (S_ISLNK(i->mode))
        return -EOPNOTSUPP;
    if (!is_owner(i) || !is_changeable(i, false))
        return -EPERM;
    if ((mode & S_ISGID) && !in_group(i->gid) && !capable(CAP_FSETID))
        mode &= ~S_ISGID;
    i->mode = (i->mode & S_IFMT) | (mode & 07777);
    if (i->acls)
        acl_chmod(i);
    return changed(i);
}

static long chmod_path(int dirfd, const char __user *upath, uint32_t mode, uint32_t at_flags)
{
    struct path p;
    int err = user_lookup(dirfd, upath, at_flags, &p);

    if (err)
        return err;
    err = path_readonly(&p) ? -EROFS : change_mode(p.dentry->inode, mode);
    if (!err)
        notify_at(p.dentry, IN_ATTRIB);
    path_unref(&p);
    return err;
}

long sys_chmod(const char __user *upath, uint32_t mode)
{
    return chmod_path(AT_FDCWD, upath, mode, 0);
}

long sys_fchmodat(uint32_t dirfd, const char __user *upath, uint32_t mode)
{
    return chmod_path((int)dirfd, upath, mode, 0);
}

long sys_fchmod(uint32_t fd, uint32_t mode)
{
    struct file *f = fd_get((int)fd);
    int err;

    if (!f)
        return -EBADF;
    err = file_readonly(f) ? -EROFS : change_mode(f->inode, mode);
    if (!err)
        notify_file(f, IN_ATTRIB);
    file_put(f);
    return err;
}

/* ---- Owner ---- */

#define KEEP UINT32_MAX /* -1: this one stays as it is */

/* Root may give files away; an owner may only choose among the groups it is in. */
static bool may_chown(const struct inode *i, uint32_t uid, uint32_t gid)
{
    if (capable(CAP_CHOWN))
        return true;
    if (proc_current()->cred.fsuid != i->uid)
        return false;
    if (uid != KEEP && uid != i->uid)
        return false;
    return gid == KEEP || gid == i->gid || in_group(gid);
}

static int change_owner(struct inode *i, uint32_t uid, uint32_t gid)
{
    int err;

    if ((uid != KEEP || gid != KEEP) && (!is_changeable(i, true) || !may_chown(i, uid, gid)))
        return -EPERM;
    if (xattr_may_be(i)) {
        mutex_lock(&i->lock);
        err = xattr_drop_caps(i);
        mutex_unlock(&i->lock);
        if (err)
            return err;
    }
    if (uid != KEEP)
        i->uid = uid;
    if (gid != KEEP)
        i->gid = gid;
    inode_strip_setid(i);
    return changed(i);
}

static long chown_path(int dirfd, const char __user *upath, uint32_t uid, uint32_t gid,
                       uint32_t at_flags)
{
    struct path p;
    int err = user_lookup(dirfd, upath, at_flags, &p);

    if (err)
        return err;
    err = path_readonly(&p) ? -EROFS : change_owner(p.dentry->inode, uid, gid);
    if (!err && (uid != KEEP || gid != KEEP))
        notify_at(p.dentry, IN_ATTRIB);
    path_unref(&p);
    return err;
}

static uint32_t id_from_16(uint32_t id)
{
    return (uint16_t)id == 0xffff ? KEEP : (uint16_t)id;
}

long sys_chown32(const char __user *upath, uint32_t uid, uint32_t gid)
{
    return chown_path(AT_FDCWD, upath, uid, gid, 0);
}

long sys_lchown32(const char __user *upath, uint32_t uid, uint32_t gid)
{
    return chown_path(AT_FDCWD, upath, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown32(uint32_t fd, uint32_t uid, uint32_t gid)
{
    struct file *f = fd_get((int)fd);
    int err;

    if (!f)
        return -EBADF;
    err = file_readonly(f) ? -EROFS : change_owner(f->inode, uid, gid);
    if (!err && (uid != KEEP || gid != KEEP))
        notify_file(f, IN_ATTRIB);
    file_put(f);
    return err;
}

long sys_fchownat(uint32_t dirfd, const char __user *upath, uint32_t uid, uint32_t gid,
                  uint32_t flags)
{
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    return chown_path((int)dirfd, upath, uid, gid, flags);
}

long sys_chown(const char __user *upath, uint32_t uid, uint32_t gid)
{
    return sys_chown32(upath, id_from_16(uid), id_from_16(gid));
}

long sys_lchown(const char __user *upath, uint32_t uid, uint32_t gid)
{
    return sys_lchown32(upath, id_from_16(uid), id_from_16(gid));
}

long sys_fchown(uint32_t fd, uint32_t uid, uint32_t gid)
{
    return sys_fchown32(fd, id_from_16(uid), id_from_16(gid));
}

/* ---- Times ---- */

#define UTIME_NOW  0x3fffffffu
#define UTIME_OMIT 0x3ffffffeu

struct times {
    struct timestamp atime, mtime; /* nsec may be UTIME_* */
};

static const struct times times_now = {{0, UTIME_NOW}, {0, UTIME_NOW}};

static bool nsec_ok(uint32_t nsec)
{
    return nsec < NSEC_PER_SEC || nsec == UTIME_NOW || nsec == UTIME_OMIT;
}

/* The nearest that the file system can keep. */
static struct timestamp kept(const struct inode *i, const struct timestamp *t)
{
    bool narrow = i->sb && i->sb->type->narrow_times;
    int64_t least = narrow ? INT32_MIN : INT64_MIN, most = narrow ? INT32_MAX : INT64_MAX;

    if (t->sec > least && t->sec < most)
        return (struct timestamp){t->sec, narrow ? 0 : t->nsec};
    return (struct timestamp){t->sec <= least ? least : most, 0};
}

static void set_time(const struct inode *i, struct timestamp *t, const struct timestamp *to,
                     const struct timestamp *now)
{
    if (to->nsec == UTIME_NOW)
        *t = *now;
    else if (to->nsec != UTIME_OMIT)
        *t = kept(i, to);
}

/* Owners set what they like; "now" for both is also for those who may write. */
static int may_set_times(const struct inode *i, const struct times *t)
{
    bool now = t->atime.nsec == UTIME_NOW && t->mtime.nsec == UTIME_NOW;

    if (i->flags & (now ? INODE_IMMUTABLE : INODE_IMMUTABLE | INODE_APPEND))
        return -EPERM;
    if (is_owner(i))
        return 0;
    return now ? inode_permission(i, MAY_WRITE) : -EPERM;
}

static int set_times(struct inode *i, bool readonly, const struct times *t)
{
    struct timestamp now = timestamp_now();
    int err;

    if (t->atime.nsec == UTIME_OMIT && t->mtime.nsec == UTIME_OMIT)
        return 0;
    err = readonly ? -EROFS : may_set_times(i, t);
    if (err)
        return err;
    inode_settle(i);
    set_time(i, &i->atime, &t->atime, &now);
    set_time(i, &i->mtime, &t->mtime, &now);
    return changed(i);
}

/* One time alone is as if the file had been read or written. */
static uint32_t times_event(const struct times *t)
{
    bool atime = t->atime.nsec != UTIME_OMIT, mtime = t->mtime.nsec != UTIME_OMIT;

    if (atime && mtime)
        return IN_ATTRIB;
    return atime ? IN_ACCESS : mtime ? IN_MODIFY : 0;
}

/* upath 0: dirfd itself, as futimens asks. */
static long do_utimes(int dirfd, const char __user *upath, const struct times *t, uint32_t flags)
{
    struct path p;
    struct file *f;
    int err;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (!upath && dirfd != AT_FDCWD) {
        if (flags)
            return -EINVAL;
        f = fd_get(dirfd);
        if (!f)
            return -EBADF;
        err = set_times(f->inode, file_readonly(f), t);
        if (!err)
            notify_file(f, times_event(t));
        file_put(f);
        return err;
    }
    err = user_lookup(dirfd, upath, flags, &p);
    if (err)
        return err;
    err = set_times(p.dentry->inode, path_readonly(&p), t);
    if (!err)
        notify_at(p.dentry, times_event(t));
    path_unref(&p);
    return err;
}

/* In the two layouts of seconds, and with microseconds. */
struct narrow_time {
    int32_t sec;
    uint32_t part;
};

struct wide_time {
    int64_t sec;
    uint32_t nsec, pad;
};

static int times_from_narrow(const void __user *utimes, struct times *t)
{
    struct narrow_time in[2];

    if (copy_from_user(in, utimes, sizeof(in)))
        return -EFAULT;
    t->atime = (struct timestamp){in[0].sec, in[0].part};
    t->mtime = (struct timestamp){in[1].sec, in[1].part};
    return 0;
}

long sys_utimensat(uint32_t dirfd, const char __user *upath, const void __user *utimes,
                   uint32_t flags)
{
    struct times t = times_now;

    if (utimes && times_from_narrow(utimes, &t))
        return -EFAULT;
    if (!nsec_ok(t.atime.nsec) || !nsec_ok(t.mtime.nsec))
        return -EINVAL;
    return do_utimes((int)dirfd, upath, &t, flags);
}

long sys_utimensat_time64(uint32_t dirfd, const char __user *upath, const void __user *utimes,
                          uint32_t flags)
{
    struct wide_time in[2];
    struct times t = times_now;

    if (utimes) {
        if (copy_from_user(in, utimes, sizeof(in)))
            return -EFAULT;
        t.atime = (struct timestamp){in[0].sec, in[0].nsec};
        t.mtime = (struct timestamp){in[1].sec, in[1].nsec};
    }
    if (!nsec_ok(t.atime.nsec) || !nsec_ok(t.mtime.nsec))
        return -EINVAL;
    return do_utimes((int)dirfd, upath, &t, flags);
}

/* Two timevals: seconds and microseconds. */
static int times_from_timevals(const void __user *utimes, struct times *t)
{
    *t = times_now;
    if (!utimes)
        return 0;
    if (times_from_narrow(utimes, t))
        return -EFAULT;
    if (t->atime.nsec >= 1000000 || t->mtime.nsec >= 1000000)
        return -EINVAL;
    t->atime.nsec *= 1000;
    t->mtime.nsec *= 1000;
    return 0;
}

long sys_futimesat(uint32_t dirfd, const char __user *upath, const void __user *utimes)
{
    struct times t;
    int err = times_from_timevals(utimes, &t);

    return err ? err : do_utimes((int)dirfd, upath, &t, 0);
}

long sys_utimes(const char __user *upath, const void __user *utimes)
{
    return sys_futimesat((uint32_t)AT_FDCWD, upath, utimes);
}

long sys_utime(const char __user *upath, const void __user *utimes)
{
    struct times t = times_now;
    int32_t in[2];

    if (utimes) {
        if (copy_from_user(in, utimes, sizeof(in)))
            return -EFAULT;
        t.atime = (struct timestamp){in[0], 0};
        t.mtime = (struct timestamp){in[1], 0};
    }
    return do_utimes(AT_FDCWD, upath, &t, 0);
}
