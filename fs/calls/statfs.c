/*
 * What file systems are: statfs in its two layouts.
 */
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

struct statfs32 {
    uint32_t type, bsize, blocks, bfree, bavail, files, ffree;
    uint32_t fsid[2];
    uint32_t namelen, frsize, flags, spare[4];
};

struct statfs64 {
    uint32_t type, bsize;
    uint64_t blocks, bfree, bavail, files, ffree;
    uint32_t fsid[2];
    uint32_t namelen, frsize, flags, spare[4];
} __attribute__((packed));

_Static_assert(sizeof(struct statfs32) == 64, "Linux i386 layout");
_Static_assert(sizeof(struct statfs64) == 84, "Linux i386 layout");

#define ST_VALID       0x20u
#define ST_NOATIME     0x400u
#define ST_NODIRATIME  0x800u
#define ST_RELATIME    0x1000u
#define ST_NOSYMFOLLOW 0x2000u

/* What is looked at, and through which mount. */
struct where {
    const struct inode *inode;
    const struct mount *mount;
};

/* Flags of a mount, as far as they have another number here. */
static uint32_t mount_bits(const struct mount *m)
{
    uint32_t bits = m->flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);

    bits |= m->flags & MS_NOATIME ? ST_NOATIME : 0;
    bits |= m->flags & MS_NODIRATIME ? ST_NODIRATIME : 0;
    bits |= m->flags & MS_NOSYMFOLLOW ? ST_NOSYMFOLLOW : 0;
    return bits | (m->flags & MS_RELATIME ? ST_RELATIME : 0);
}

/* Those without a name are of three file systems on Linux. */
static uint32_t nameless_type(const struct inode *i)
{
    return S_ISFIFO(i->mode) ? 0x50495045 : S_ISSOCK(i->mode) ? 0x534f434b : 0x09041934;
}

static void get_statfs(const struct where *w, struct statfs64 *out)
{
    struct kstatfs k = {.bsize = PAGE_SIZE, .namelen = NAME_MAX};
    struct superblock *sb = w->inode->sb;

    if (sb && sb->type && sb->type->statfs)
        sb->type->statfs(sb, &k);
    else if (inode_is_anon(w->inode))
        k.type = nameless_type(w->inode);
    memset(out, 0, sizeof(*out));
    out->type = k.type;
    out->bsize = out->frsize = k.bsize;
    out->blocks = k.blocks;
    out->bfree = k.bfree;
    out->bavail = k.bavail;
    out->files = k.files;
    out->ffree = k.ffree;
    out->namelen = k.namelen;
    out->flags = ST_VALID | mount_bits(w->mount);
    if (sb) {
        out->fsid[0] = sb->dev;
        out->flags |= sb->flags & (MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK);
    }
}

static int put64(const struct where *w, void __user *ubuf)
{
    struct statfs64 s;

    get_statfs(w, &s);
    return copy_to_user(ubuf, &s, sizeof(s));
}

static int put32(const struct where *w, void __user *ubuf)
{
    struct statfs64 s;
    struct statfs32 out = {0};

    get_statfs(w, &s);
    if ((s.blocks | s.bfree | s.bavail | s.files | s.ffree) >> 32)
        return -EOVERFLOW;
    out.type = s.type;
    out.bsize = s.bsize;
    out.blocks = (uint32_t)s.blocks;
    out.bfree = (uint32_t)s.bfree;
    out.bavail = (uint32_t)s.bavail;
    out.files = (uint32_t)s.files;
    out.ffree = (uint32_t)s.ffree;
    out.fsid[0] = s.fsid[0];
    out.namelen = s.namelen;
    out.frsize = s.frsize;
    out.flags = s.flags;
    return copy_to_user(ubuf, &out, sizeof(out));
}

typedef int (*statfs_fn)(const struct where *w, void __user *ubuf);

static long statfs_path(const char __user *upath, statfs_fn put, void __user *ubuf)
{
    struct path p;
    long err = user_lookup(AT_FDCWD, upath, 0, &p);

    if (err)
        return err;
    err = put(&(struct where){p.dentry->inode, p.mount}, ubuf);
    path_unref(&p);
    return err;
}

static long statfs_fd(uint32_t fd, statfs_fn put, void __user *ubuf)
{
    struct file *f = fd_get_any((int)fd);
    long err;

    if (!f)
        return -EBADF;
    err = put(&(struct where){f->inode, f->mount}, ubuf);
    file_put(f);
    return err;
}

long sys_statfs(const char __user *upath, void __user *ubuf)
{
    return statfs_path(upath, put32, ubuf);
}

long sys_fstatfs(uint32_t fd, void __user *ubuf)
{
    return statfs_fd(fd, put32, ubuf);
}

/* C libraries pass the size of the structure with its tail padding, or without. */
static bool size_ok(uint32_t size)
{
    return size == sizeof(struct statfs64) || size == sizeof(struct statfs64) + 4;
}

long sys_statfs64(const char __user *upath, uint32_t size, void __user *ubuf)
{
    return size_ok(size) ? statfs_path(upath, put64, ubuf) : -EINVAL;
}

long sys_fstatfs64(uint32_t fd, uint32_t size, void __user *ubuf)
{
    return size_ok(size) ? statfs_fd(fd, put64, ubuf) : -EINVAL;
}

/* ---- sysfs, the call: kinds of file systems by name and by number ---- */

static long kind_index(const char __user *uname)
{
    char *name;
    long index = 0;
    int err = path_from_user(uname, &name);

    if (err)
        return err;
    for (const struct fs_type *t = fs_types; t; t = t->next, index++)
        if (strcmp(t->name, name) == 0) {
            kfree(name);
            return index;
        }
    kfree(name);
    return -EINVAL;
}

static long kind_name(uint32_t index, void __user *ubuf)
{
    const struct fs_type *t = fs_types;

    while (t && index--)
        t = t->next;
    return t ? copy_to_user(ubuf, t->name, strlen(t->name) + 1) : -EINVAL;
}

static long kind_count(void)
{
    long n = 0;

    for (const struct fs_type *t = fs_types; t; t = t->next)
        n++;
    return n;
}

long sys_sysfs(uint32_t option, uint32_t arg, void __user *ubuf)
{
    switch (option) {
    case 1:
        return kind_index((const char __user *)arg);
    case 2:
        return kind_name(arg, ubuf);
    case 3:
        return kind_count();
    default:
        return -EINVAL;
    }
}
