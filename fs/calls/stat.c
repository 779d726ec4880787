/*
 * What files are: the stat family in its four layouts, and statx.
 *
 * The fields of an inode are read one by one while others may change them, as on Linux.
 */
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

/* Seconds as far as they go into 32 bits. */
struct stat_time {
    uint32_t sec, nsec;
};

struct stat64 { /* i386: 64-bit fields are aligned to 4 */
    uint64_t dev;
    uint32_t pad0;
    uint32_t ino32;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev;
    uint32_t pad1;
    int64_t size;
    uint32_t blksize;
    uint64_t blocks;
    struct stat_time atime, mtime, ctime;
    uint64_t ino;
} __attribute__((packed));

struct stat32 {
    uint32_t dev, ino;
    uint16_t mode, nlink, uid, gid;
    uint32_t rdev, size, blksize, blocks;
    struct stat_time atime, mtime, ctime;
    uint32_t unused[2];
};

struct old_stat {
    uint16_t dev, ino, mode, nlink, uid, gid, rdev, pad;
    uint32_t size, atime, mtime, ctime;
};

struct statx_time {
    int64_t sec;
    uint32_t nsec;
    int32_t pad;
};

struct statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, pad0;
    uint64_t ino, size, blocks, attributes_mask;
    struct statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mnt_id;
    uint64_t spare[13];
};

_Static_assert(sizeof(struct stat64) == 96, "Linux i386 layout");
_Static_assert(sizeof(struct stat32) == 64, "Linux i386 layout");
_Static_assert(sizeof(struct old_stat) == 32, "Linux i386 layout");
_Static_assert(sizeof(struct statx) == 256, "Linux i386 layout");

static uint32_t sb_dev(const struct inode *i)
{
    return i->sb ? i->sb->dev : 0;
}

/* The length of a symbolic link's text. Links that are no text (in /proc) have size 0, as on Linux.
 */
static uint64_t link_length(struct inode *i)
{
    char *frame;
    int n;

    if (i->ops->follow || !i->ops->readlink || !(frame = kalloc()))
        return i->bytes;
    kernel_need();
    n = i->ops->readlink(i, frame, PATH_MAX);
    kfree(frame);
    return n > 0 ? (uint64_t)n : 0;
}

static uint64_t stat_size(struct inode *i)
{
    return S_ISLNK(i->mode) ? link_length(i) : inode_size(i);
}

/* ---- Layouts: each copies the inode out in one ---- */

typedef int (*stat_fn)(const struct path *p, struct inode *i, void __user *ubuf);

static struct stat_time stat_time(const struct timestamp *t)
{
    return (struct stat_time){.sec = (uint32_t)t->sec, .nsec = t->nsec};
}

static int put_stat64(const struct path *p, struct inode *i, void __user *ubuf)
{
    struct stat64 s = {
        .dev = sb_dev(i),
        .ino32 = i->ino,
        .mode = i->mode,
        .nlink = i->nlink,
        .uid = i->uid,
        .gid = i->gid,
        .rdev = i->rdev,
        .size = (int64_t)stat_size(i),
        .blksize = inode_block_size(i),
        .blocks = inode_blocks(i),
        .atime = stat_time(&i->atime),
        .mtime = stat_time(&i->mtime),
        .ctime = stat_time(&i->ctime),
        .ino = i->ino,
    };

    (void)p;
    return copy_to_user(ubuf, &s, sizeof(s));
}

static int put_stat32(const struct path *p, struct inode *i, void __user *ubuf)
{
    uint64_t size = stat_size(i);
    struct stat32 s = {
        .dev = sb_dev(i),
        .ino = i->ino,
        .mode = i->mode,
        .nlink = i->nlink,
        .uid = uid_narrow(i->uid),
        .gid = gid_narrow(i->gid),
        .rdev = i->rdev,
        .size = (uint32_t)size,
        .blksize = inode_block_size(i),
        .blocks = (uint32_t)inode_blocks(i),
        .atime = stat_time(&i->atime),
        .mtime = stat_time(&i->mtime),
        .ctime = stat_time(&i->ctime),
    };

    (void)p;
    if (size > MAX_NON_LFS || s.nlink != i->nlink)
        return -EOVERFLOW;
    return copy_to_user(ubuf, &s, sizeof(s));
}

static int put_old_stat(const struct path *p, struct inode *i, void __user *ubuf)
{
    uint64_t size = stat_size(i);
    struct old_stat s = {
        .dev = sb_dev(i),
        .ino = i->ino,
        .mode = i->mode,
        .nlink = i->nlink,
        .uid = uid_narrow(i->uid),
        .gid = gid_narrow(i->gid),
        .rdev = i->rdev,
        .size = (uint32_t)size,
        .atime = (uint32_t)i->atime.sec,
        .mtime = (uint32_t)i->mtime.sec,
        .ctime = (uint32_t)i->ctime.sec,
    };

    (void)p;
    if (size > MAX_NON_LFS || s.nlink != i->nlink || s.ino != i->ino)
        return -EOVERFLOW;
    return copy_to_user(ubuf, &s, sizeof(s));
}

static long stat_path(int dirfd, const char __user *upath, uint32_t at_flags, stat_fn put,
                      void __user *ubuf)
{
    struct path p;
    long err = user_lookup(dirfd, upath, at_flags, &p);

    if (err)
        return err;
    inode_settle(p.dentry->inode);
    err = put(&p, p.dentry->inode, ubuf);
    path_unref(&p);
    return err;
}

static long stat_fd(uint32_t fd, stat_fn put, void __user *ubuf)
{
    struct file *f = fd_get_any((int)fd);
    struct path p;
    long err;

    if (!f)
        return -EBADF;
    inode_settle(f->inode);
    p = path_of_file(f);
    err = put(&p, f->inode, ubuf);
    file_put(f);
    return err;
}

long sys_stat64(const char __user *upath, void __user *ubuf)
{
    return stat_path(AT_FDCWD, upath, 0, put_stat64, ubuf);
}

long sys_lstat64(const char __user *upath, void __user *ubuf)
{
    return stat_path(AT_FDCWD, upath, AT_SYMLINK_NOFOLLOW, put_stat64, ubuf);
}

long sys_fstat64(uint32_t fd, void __user *ubuf)
{
    return stat_fd(fd, put_stat64, ubuf);
}

#define AT_STATX_SYNC_TYPE 0x6000u
#define STAT_FLAGS         (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)

long sys_fstatat64(uint32_t dirfd, const char __user *upath, void __user *ubuf, uint32_t flags)
{
    if (flags & ~(STAT_FLAGS | AT_STATX_SYNC_TYPE))
        return -EINVAL;
    return stat_path((int)dirfd, upath, flags, put_stat64, ubuf);
}

long sys_stat(const char __user *upath, void __user *ubuf)
{
    return stat_path(AT_FDCWD, upath, 0, put_stat32, ubuf);
}

long sys_lstat(const char __user *upath, void __user *ubuf)
{
    return stat_path(AT_FDCWD, upath, AT_SYMLINK_NOFOLLOW, put_stat32, ubuf);
}

long sys_fstat(uint32_t fd, void __user *ubuf)
{
    return stat_fd(fd, put_stat32, ubuf);
}

long sys_oldstat(const char __user *upath, void __user *ubuf)
{
    return stat_path(AT_FDCWD, upath, 0, put_old_stat, ubuf);
}

long sys_oldlstat(const char __user *upath, void __user *ubuf)
{
    return stat_path(AT_FDCWD, upath, AT_SYMLINK_NOFOLLOW, put_old_stat, ubuf);
}

long sys_oldfstat(uint32_t fd, void __user *ubuf)
{
    return stat_fd(fd, put_old_stat, ubuf);
}

/* ---- statx ---- */

#define STATX_BASIC_STATS     0x7ffu
#define STATX_MNT_ID          0x1000u
#define STATX_RESERVED        0x80000000u
#define STATX_ATTR_MOUNT_ROOT 0x2000u
#define STATX_ATTR_AUTOMOUNT  0x1000u
#define STATX_ATTR_FLAGS      (INODE_IMMUTABLE | INODE_APPEND | INODE_NODUMP)

static struct statx_time statx_time(const struct timestamp *t)
{
    return (struct statx_time){.sec = t->sec, .nsec = t->nsec};
}

static void fill_statx(struct statx *s, const struct path *p, struct inode *i)
{
    memset(s, 0, sizeof(*s));
    s->mask = STATX_BASIC_STATS | STATX_MNT_ID;
    s->blksize = inode_block_size(i);
    s->nlink = i->nlink;
    s->uid = i->uid;
    s->gid = i->gid;
    s->mode = i->mode;
    s->ino = i->ino;
    s->size = stat_size(i);
    s->blocks = inode_blocks(i);
    s->attributes = i->flags & STATX_ATTR_FLAGS;
    s->attributes_mask = STATX_ATTR_MOUNT_ROOT | STATX_ATTR_AUTOMOUNT;
    if (i->sb && i->sb->type->keeps_flags)
        s->attributes_mask |= STATX_ATTR_FLAGS;
    s->atime = statx_time(&i->atime);
    s->mtime = statx_time(&i->mtime);
    s->ctime = statx_time(&i->ctime);
    s->rdev_major = DEV_MAJOR(i->rdev);
    s->rdev_minor = DEV_MINOR(i->rdev);
    s->dev_major = DEV_MAJOR(sb_dev(i));
    s->dev_minor = DEV_MINOR(sb_dev(i));
    s->mnt_id = p->mount->id;
    if (p->dentry && p->dentry == p->mount->root)
        s->attributes |= STATX_ATTR_MOUNT_ROOT;
}

static int put_statx(const struct path *p, struct inode *i, void __user *ubuf)
{
    struct statx *s = kmalloc(sizeof(*s));
    int err;

    if (!s)
        return -ENOMEM;
    fill_statx(s, p, i);
    err = copy_to_user(ubuf, s, sizeof(*s));
    kmfree(s);
    return err;
}

long sys_statx(uint32_t dirfd, const char __user *upath, uint32_t flags, uint32_t mask,
               void __user *ubuf)
{
    if ((mask & STATX_RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
        (flags & ~(STAT_FLAGS | AT_STATX_SYNC_TYPE)))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !upath)
        return (int)dirfd == AT_FDCWD ? stat_path(AT_FDCWD, upath, flags, put_statx, ubuf)
                                      : stat_fd(dirfd, put_statx, ubuf);
    return stat_path((int)dirfd, upath, flags, put_statx, ubuf);
}

/* ---- access and readlink ---- */

static int access_place(const struct path *p, uint32_t mode, const struct access_ids *who)
{
    const struct inode *i = p->dentry->inode;
    int err;

    if ((mode & MAY_EXEC) && S_ISREG(i->mode) && (p->mount->flags & MS_NOEXEC))
        return -EACCES;
    if (!inode_may_judge(i))
        kernel_need();
    err = inode_permission_as(i, mode, who);
    if (!err && (mode & MAY_WRITE) && path_readonly(p) && !inode_is_special(i))
        err = -EROFS;
    return err;
}

static long access_path(int dirfd, const char __user *upath, uint32_t mode, uint32_t flags)
{
    struct access_ids who;
    struct path p;
    int err;

    if (!cred_is_stable())
        kernel_need();
    who = access_ids_current(!(flags & AT_EACCESS));
    if (mode & ~7u)
        return -EINVAL;
    if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    err = user_lookup_as(dirfd, upath, flags, &who, &p);
    if (err)
        return err;
    err = mode ? access_place(&p, mode, &who) : 0;
    path_unref(&p);
    return err;
}

long sys_access(const char __user *upath, uint32_t mode)
{
    return access_path(AT_FDCWD, upath, mode, 0);
}

long sys_faccessat(uint32_t dirfd, const char __user *upath, uint32_t mode)
{
    return access_path((int)dirfd, upath, mode, 0);
}

long sys_faccessat2(uint32_t dirfd, const char __user *upath, uint32_t mode, uint32_t flags)
{
    return access_path((int)dirfd, upath, mode, flags);
}

static long read_link(struct inode *i, void __user *ubuf, uint32_t size)
{
    char *frame;
    long n;

    if (!i->ops->readlink)
        return -EINVAL;
    frame = kalloc();
    if (!frame)
        return -ENOMEM;
    n = i->ops->readlink(i, frame, PATH_MAX);
    if (n > 0) {
        n = (uint32_t)n < size ? n : (long)size;
        if (copy_to_user(ubuf, frame, (size_t)n))
            n = -EFAULT;
    }
    kfree(frame);
    return n;
}

long sys_readlinkat(uint32_t dirfd, const char __user *upath, void __user *ubuf, uint32_t size)
{
    struct path p;
    char first;
    long err;

    if ((int32_t)size <= 0)
        return -EINVAL;
    err = user_lookup((int)dirfd, upath, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &p);
    if (err)
        return err;
    if (S_ISLNK(p.dentry->inode->mode))
        err = read_link(p.dentry->inode, ubuf, size);
    else
        err = copy_from_user(&first, upath, 1) || first ? -EINVAL : -ENOENT;
    path_unref(&p);
    return err;
}

long sys_readlink(const char __user *upath, void __user *ubuf, uint32_t size)
{
    return sys_readlinkat((uint32_t)AT_FDCWD, upath, ubuf, size);
}
