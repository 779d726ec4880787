/*
 * open(2): from a path and flags to an open file.
 *
 * Order, as on Linux: a free descriptor, the path, the file's type against the flags, permission,
 * the driver's or file system's open, truncation.
 *
 * A name that is cached is opened for reading, or as a device that says so, without the kernel
 * lock. What makes, writes or truncates a file takes it.
 */
#include "fs/block/file.h"
#include "fs/notify/notify.h"
#include "fs/vfs/acl.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "arch/uaccess.h"
#include "libc/printf.h"
#include "libc/string.h"

#define TMPFILE_BIT 020000000u /* O_TMPFILE without the O_DIRECTORY in it */
#define OPEN_ONLY                                                                                  \
    (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC) /* not kept in file->flags                 \
                                                         */

static int fail_open(struct inode *i, struct file *f)
{
    (void)i;
    (void)f;
    return -ENXIO;
}

/* What O_PATH opens: every operation is missing. */
const struct file_ops path_file_ops = {.stream = true};
static const struct file_ops no_device_ops = {.open = fail_open};

static const struct file_ops *ops_of(const struct inode *i)
{
    const struct file_ops *ops = i->fops;

    switch (i->mode & S_IFMT) {
    case S_IFREG:
        return ops ? ops : &object_file_ops;
    case S_IFDIR:
        return ops ? ops : &dir_file_ops;
    case S_IFIFO:
        return &fifo_file_ops;
    case S_IFCHR:
        ops = chrdev_find(DEV_MAJOR(i->rdev));
        return ops ? ops : &no_device_ops;
    case S_IFBLK:
        return &block_file_ops;
    default:
        return &no_device_ops;
    }
}

int inode_get_write(struct inode *i)
{
    int32_t n = __atomic_load_n(&i->writers, __ATOMIC_RELAXED);

    do {
        if (n < 0)
            return -ETXTBSY;
    } while (!__atomic_compare_exchange_n(&i->writers, &n, n + 1, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return 0;
}

void inode_put_write(struct inode *i)
{
    __atomic_fetch_sub(&i->writers, 1, __ATOMIC_RELAXED);
}

static unsigned wanted_access(uint32_t flags)
{
    static const uint8_t access[4] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
                                      MAY_READ | MAY_WRITE};

    return access[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

/* The file's type and permissions against the flags. */
static int may_open(const struct path *p, uint32_t flags)
{
    const struct inode *i = p->dentry->inode;
    unsigned want = wanted_access(flags);
    int err;

    if ((flags & O_TRUNC) && S_ISREG(i->mode)) {
        kernel_need();
        if (path_readonly(p))
            return -EROFS;
    }
    if (S_ISLNK(i->mode))
        return -ELOOP;
    if (S_ISDIR(i->mode) && (want & MAY_WRITE))
        return -EISDIR;
    if ((S_ISCHR(i->mode) || S_ISBLK(i->mode)) && (p->mount->flags & MS_NODEV))
        return -EACCES;
    err = inode_permission(i, want);
    if (err)
        return err;
    if ((i->flags & INODE_APPEND) && (want & MAY_WRITE) &&
        (!(flags & O_APPEND) || (flags & O_TRUNC)))
        return -EPERM;
    if (!(flags & O_NOATIME))
        return 0;
    if (!cred_is_stable())
        kernel_need();
    return is_owner(i) ? 0 : -EPERM;
}

static int open_path(const struct path *p, uint32_t flags, struct file **out)
{
    *out =
        file_new(p->dentry->inode, p, &path_file_ops, flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
    return *out ? 0 : file_new_error();
}

/* The operation of the file itself. On failure f is given back without its release. */
static int call_open(struct file *f)
{
    int err = 0;

    if (f->ops->open) {
        if (!(f->ops->beside & BESIDE_OPEN))
            kernel_need();
        err = f->ops->open(f->inode, f);
    }
    f->flags &= ~O_NOCTTY; /* only the terminal's open asks */
    if (err) {
        f->ops = &path_file_ops;
        file_put(f);
    }
    return err;
}

static int open_truncate(struct dentry *d)
{
    struct inode *i = d->inode;
    int err = inode_get_write(i);

    if (err)
        return err;
    err = inode_truncate(i, 0);
    inode_put_write(i);
    if (!err)
        notify_at(d, IN_MODIFY);
    return err;
}

bool inode_goes_direct(const struct inode *i)
{
    return S_ISBLK(i->mode) || (i->sb && !i->sb->type->nodev);
}

/* What is left to do, and to find wrong, once the file has been opened. */
static int check_opened(struct file *f, uint32_t flags)
{
    if ((flags & O_DIRECT) && !inode_goes_direct(f->inode))
        return -EINVAL;
    return (flags & O_TRUNC) && S_ISREG(f->inode->mode) ? open_truncate(f->dentry) : 0;
}

/* A regular file counts among those that read or write it. -ETXTBSY, -EROFS. */
static int count_file(struct file *f)
{
    struct inode *i = f->inode;
    int err = 0;

    if (!file_writable(f)) {
        __atomic_fetch_add(&i->readers, 1, __ATOMIC_SEQ_CST); /* leases are looked for after it */
        f->counts_reader = true;
        return 0;
    }
    kernel_need(); /* whoever makes it read-only looks for writers first */
    err = inode_get_write(i);
    if (err)
        return err;
    f->counts_writer = true;
    __atomic_fetch_add(&f->mount->writers, 1, __ATOMIC_SEQ_CST);
    f->counts_mount = true;
    return file_readonly(f) ? -EROFS : 0;
}

int path_open(const struct path *p, uint32_t flags, bool created, struct file **out)
{
    struct inode *i = p->dentry->inode;
    struct file *f;
    int err = 0;

    if (flags & O_PATH)
        return open_path(p, flags, out);
    if (created)
        flags &= ~O_TRUNC;
    else
        err = may_open(p, flags);
    if (err)
        return err;
    if (S_ISREG(i->mode) && !(flags & O_LARGEFILE) && inode_size(i) > MAX_NON_LFS)
        return -EOVERFLOW;
    f = file_new(i, p, ops_of(i), flags & ~(OPEN_ONLY & ~O_NOCTTY));
    if (!f)
        return file_new_error();
    if (S_ISREG(i->mode))
        err = count_file(f);
    if (!err && i->leases) { /* it counts already: who sets one now sees that */
        kernel_need();
        err = lease_break(i, file_writable(f), flags & O_NONBLOCK);
    }
    if (err) {
        f->ops = &path_file_ops; /* not open: nothing to release */
        file_put(f);
    } else {
        err = call_open(f);
    }
    if (!err) {
        err = check_opened(f, flags);
        if (err)
            file_put(f);
    }
    if (!err) {
        f->opened = true;
        notify_file(f, IN_OPEN);
        *out = f;
    }
    return err;
}

/* ---- O_CREAT ---- */

typedef int (*make_fn)(struct inode *dir, struct dentry *d, uint32_t mode);

/* [dir->lock held] d becomes a file of dir. */
static int make_file(struct inode *dir, struct dentry *d, uint32_t mode, make_fn make)
{
    uint32_t full = S_IFREG | new_file_mode(dir, mode);
    struct acls *acls;
    int err = acl_for_new(dir, &full, &acls);

    if (err)
        return err;
    err = make(dir, d, full);
    acl_born(err ? NULL : d->inode, dir, acls);
    return err;
}

/* [w->at's inode lock held] Makes the last component; a reference in *out. */
static int create_locked(struct walk *w, uint32_t mode, struct dentry **out)
{
    struct inode *dir = w->at.dentry->inode;
    struct dentry *d;
    bool nowhere = w->at.dentry->unlinked || dir_is_made_up(w->at.dentry);
    int err = nowhere                 ? -ENOENT
              : path_readonly(&w->at) ? -EROFS
                                      : inode_permission(dir, MAY_WRITE | MAY_EXEC);

    if (err)
        return err;
    if (!dir->ops->create)
        return -EACCES;
    d = dentry_new(w->at.dentry, w->name, w->len);
    if (!d)
        return -ENOMEM;
    err = make_file(dir, d, mode, dir->ops->create);
    if (err) {
        dentry_unref(d);
        return err;
    }
    dentry_link(d);
    notify_entry(d, IN_CREATE);
    *out = d;
    return 0;
}

/* Finds or makes the last component of w. */
static int find_or_create(struct walk *w, uint32_t mode, struct dentry **out, bool *created)
{
    int err = walk_last(w, false, out);

    if (err != -ENOENT)
        return err;
    mutex_lock(&w->at.dentry->inode->lock);
    err = walk_last(w, true, out);
    if (err == -ENOENT) {
        err = create_locked(w, mode, out);
        *created = !err;
    }
    mutex_unlock(&w->at.dentry->inode->lock);
    return err;
}

/* The top of what is mounted on the name d (consumed) of w->at: a reference, or -EXDEV. */
static int cross_mounts(const struct walk *w, struct dentry *d, struct path *out)
{
    *out = (struct path){w->at.mount, d};
    spin_lock(&dentry_lock);
    path_to_top(out);
    path_ref(out);
    spin_unlock(&dentry_lock);
    dentry_unref(d);
    if (!(w->resolve & RESOLVE_NO_XDEV) || out->mount == w->at.mount)
        return 0;
    path_unref(out);
    return -EXDEV;
}

/* Walks to what an O_CREAT open names, through links; a reference in *out. */
static int walk_create(struct walk *w, uint32_t flags, uint32_t mode, struct path *out,
                       bool *created)
{
    struct dentry *d;
    int err;

    for (;;) {
        if (w->kind != LAST_NAME)
            return flags & O_EXCL ? -EEXIST : -EISDIR;
        if (w->must_be_dir)
            return -EISDIR;
        err = find_or_create(w, mode, &d, created);
        if (!err && !*created && (flags & O_EXCL)) {
            dentry_unref(d);
            err = -EEXIST;
        }
        if (!err)
            err = cross_mounts(w, d, out);
        if (err || *created || !S_ISLNK(out->dentry->inode->mode))
            return err;
        if (flags & O_NOFOLLOW) {
            path_unref(out);
            return -ELOOP;
        }
        err = walk_follow_last(w, out);
        if (err)
            return err;
        if (w->kind == LAST_PLACE) {
            *out = w->at;
            path_ref(out);
            return 0;
        }
    }
}

/* Whether i, which was there before an O_CREAT open came to it in dir, may be a trap: it is
 * somebody else's, in a directory where many make files. (Devices are, whatever the settings say.)
 */
static bool is_trap(const struct inode *dir, const struct inode *i)
{
    uint32_t level = S_ISFIFO(i->mode)  ? fs_rules.protected_fifos
                     : S_ISREG(i->mode) ? fs_rules.protected_regular
                                        : 1;

    if (!level || !(dir->mode & S_ISVTX) || i->uid == dir->uid ||
        i->uid == access_ids_current(false).uid)
        return false;
    return (dir->mode & 0002) || ((dir->mode & 0020) && level >= 2);
}

static int open_create(int dirfd, const char *path, uint32_t flags, uint32_t mode, unsigned resolve,
                       struct file **out)
{
    struct walk w;
    struct path p;
    bool created = false, trap = false;
    int err = walk_parent_within(&w, dirfd, path, resolve);

    if (!err)
        err = walk_create(&w, flags, mode, &p, &created);
    if (!err)
        trap = !created && w.kind == LAST_NAME && is_trap(w.at.dentry->inode, p.dentry->inode);
    walk_end(&w);
    if (err)
        return err;
    if (S_ISDIR(p.dentry->inode->mode))
        err = -EISDIR;
    else if (trap)
        err = -EACCES;
    else
        err = path_open(&p, flags, created, out);
    path_unref(&p);
    return err;
}

/* O_TMPFILE: a file in the directory dir that never gets a name there. */
static int open_tmpfile(const struct path *dir, uint32_t flags, uint32_t mode, struct file **out)
{
    struct inode *i = dir->dentry->inode;
    struct timestamp mtime = i->mtime, ctime = i->ctime;
    make_fn make = i->ops->tmpfile ? i->ops->tmpfile : i->ops->create;
    struct dentry *d;
    int err = path_readonly(dir) ? -EROFS : inode_permission(i, MAY_WRITE | MAY_EXEC);

    if (err)
        return err;
    if (!make || (make == i->ops->create && i->ops->lookup))
        return -EOPNOTSUPP;
    d = dentry_new(dir->dentry, "#tmpfile", 8);
    if (!d)
        return -ENOMEM;
    mutex_lock(&i->lock);
    err = make_file(i, d, mode, make);
    i->mtime = mtime;
    i->ctime = ctime;
    mutex_unlock(&i->lock);
    if (!err) {
        d->inode->nlink = 0;
        d->unlinked = true;
        d->cookie = !!(flags & O_EXCL); /* link(2) takes it for one that had a name, and refuses */
        err = path_open(&(struct path){dir->mount, d}, flags & ~O_DIRECTORY, true, out);
    }
    dentry_unref(d);
    return err;
}

/* ---- Entry points ---- */

static int check_flags(uint32_t *flags, uint32_t *mode)
{
    if (*flags & O_PATH)
        *flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if ((*flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT))
        return -EINVAL;
    if ((*flags & TMPFILE_BIT) && (!(*flags & O_DIRECTORY) || !((*flags + 1) & 2)))
        return -EINVAL;
    *mode &= 07777;
    return 0;
}

static int open_within(int dirfd, const char *path, uint32_t flags, uint32_t mode, unsigned resolve,
                       struct file **out)
{
    unsigned lookup = 0;
    struct path p;
    int err = check_flags(&flags, &mode);

    if (err)
        return err;
    if (flags & O_CREAT) {
        kernel_need();
        return open_create(dirfd, path, flags, mode, resolve, out);
    }
    if (!(flags & O_NOFOLLOW))
        lookup |= LOOKUP_FOLLOW;
    if (flags & O_DIRECTORY)
        lookup |= LOOKUP_DIRECTORY;
    err = path_lookup_within(dirfd, path, lookup, resolve, &p);
    if (err)
        return err;
    if (flags & TMPFILE_BIT) {
        kernel_need();
        err = open_tmpfile(&p, flags, mode, out);
    } else {
        err = path_open(&p, flags, false, out);
    }
    path_unref(&p);
    return err;
}

int file_open(int dirfd, const char *path, uint32_t flags, uint32_t mode, struct file **out)
{
    return open_within(dirfd, path, flags, mode, 0, out);
}

static long do_open(int dirfd, const char __user *upath, uint32_t flags, uint32_t mode,
                    unsigned resolve)
{
    struct user_path path;
    struct file *f;
    int err = user_path_begin(&path, upath);

    if (err)
        return err;
    err = fd_check_free(0);
    if (!err)
        err = open_within(dirfd, path.text, flags, mode, resolve, &f);
    user_path_end(&path);
    return err ? err : fd_install(f, 0, flags & O_CLOEXEC);
}

long sys_open(const char __user *upath, uint32_t flags, uint32_t mode)
{
    return do_open(AT_FDCWD, upath, flags, mode, 0);
}

long sys_openat(uint32_t dirfd, const char __user *upath, uint32_t flags, uint32_t mode)
{
    return do_open((int)dirfd, upath, flags, mode, 0);
}

long sys_creat(const char __user *upath, uint32_t mode)
{
    return do_open(AT_FDCWD, upath, O_CREAT | O_WRONLY | O_TRUNC, mode, 0);
}

/* ---- openat2 ---- */

struct open_how {
    uint64_t flags, mode, resolve;
};

#define OPEN_FLAGS  037777703u /* what open knows; it ignores others, openat2 does not */
#define PATH_FLAGS  (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define RESOLVE_ALL 0x3fu

/* A structure longer than ours is one of ours as long as the rest is zeros. */
static int take_how(struct open_how *how, const void __user *uhow, uint32_t size)
{
    if (size < sizeof(*how))
        return -EINVAL;
    if (size > PAGE_SIZE)
        return -E2BIG;
    return copy_struct_from_user(how, sizeof(*how), uhow, size);
}

static int check_how(const struct open_how *how)
{
    bool makes = how->flags & (O_CREAT | TMPFILE_BIT);

    if ((how->flags & ~(uint64_t)OPEN_FLAGS) || (how->resolve & ~(uint64_t)RESOLVE_ALL))
        return -EINVAL;
    if ((how->resolve & RESOLVE_SCOPED) == RESOLVE_SCOPED)
        return -EINVAL;
    if (makes ? how->mode & ~07777ull : how->mode)
        return -EINVAL;
    if ((how->flags & O_PATH) && (how->flags & ~(uint64_t)PATH_FLAGS))
        return -EINVAL;
    if ((how->resolve & RESOLVE_CACHED) && (how->flags & (O_TRUNC | O_CREAT | TMPFILE_BIT)))
        return -EAGAIN; /* would have to sleep */
    return 0;
}

long sys_openat2(uint32_t dirfd, const char __user *upath, const void __user *uhow, uint32_t size)
{
    struct open_how how;
    int err = take_how(&how, uhow, size);

    if (!err)
        err = check_how(&how);
    return err ? err
               : do_open((int)dirfd, upath, (uint32_t)how.flags, (uint32_t)how.mode,
                         (unsigned)how.resolve);
}
