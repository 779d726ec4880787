/*
 * Regular files on a page cache object: what every file system with one shares.
 *
 * read copies from the object's pages, which end at its size. Writes, truncation and allocation are
 * serialised by inode->lock, so that an append lands at the end and sizes are checked once. A read
 * of what is in memory has the locks of mm/ only; what has to be fetched, and a new time of access,
 * are the kernel lock's.
 */
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "kernel/signal/signal.h"
#include "mm/dirty.h"

/* What was read, n bytes or an error, moves the position and the time. */
static long read_done(const struct file *f, long n, uint64_t *pos)
{
    if (n > 0)
        *pos += (uint32_t)n;
    if (!(f->flags & O_NOATIME))
        inode_accessed(f->inode, f->mount);
    return n;
}

/* Memory for what a program reads and writes is found as for its page faults: if need be, a process
 * is killed for it; here, where no lock is held that this one may be waiting for. */
static long object_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    long n;

    if (len == 0 || *pos > MAX_FILE_SIZE)
        return 0;
    do
        n = vm_object_read(f->inode->object, *pos, ubuf, len);
    while (n == -ENOMEM && oom_kill());
    return read_done(f, n, pos);
}

static long object_read_kernel(struct file *f, void *buf, size_t len, uint64_t *pos, bool nonblock)
{
    (void)nonblock;
    if (len == 0 || *pos > MAX_FILE_SIZE)
        return 0;
    return read_done(f, vm_object_read_kernel(f->inode->object, *pos, buf, len), pos);
}

static uint64_t file_size_limit(void)
{
    uint32_t cur = proc_current()->rlimits[RLIMIT_FSIZE].cur;

    return cur == UINT32_MAX ? UINT64_MAX : cur;
}

/* How much of a write of len at pos the limits let through: the rest is cut off, nothing is -EFBIG.
 */
static long writable_length(const struct file *f, uint64_t pos, size_t len)
{
    uint64_t limit = file_size_limit();
    uint64_t max = f->flags & O_LARGEFILE ? MAX_FILE_SIZE : MAX_NON_LFS;

    if (pos >= limit) {
        signal_send_proc(proc_current(), SIGXFSZ, NULL);
        return -EFBIG;
    }
    if (pos >= max)
        return -EFBIG;
    if (limit < max)
        max = limit;
    return len > max - pos ? (long)(max - pos) : (long)len;
}

static int object_fsync(struct file *f)
{
    struct inode *i = f->inode;

    return i->ops && i->ops->fsync ? i->ops->fsync(i) : 0;
}

/* Of the file, and of this call. */
uint32_t file_rw_flags(const struct file *f)
{
    return f->flags | thread_current()->rw_flags;
}

/* O_DSYNC and its kin, and mounts that ask for it: the bytes are on the medium. */
static long written(struct file *f, long n)
{
    bool sync =
        (file_rw_flags(f) & O_DSYNC) || (f->inode->sb && (f->inode->sb->flags & MS_SYNCHRONOUS));
    int err = sync ? object_fsync(f) : 0;

    return err ? err : n;
}

/* From buf, or where that is NULL from ubuf. */
static long write_from(struct file *f, const void __user *ubuf, const void *buf, size_t len,
                       uint64_t *pos)
{
    struct inode *i = f->inode;
    long n;

    if (len == 0)
        return 0;
    mutex_lock(&i->lock);
    if (file_rw_flags(f) & O_APPEND)
        *pos = vm_object_size(i->object);
    n = writable_length(f, *pos, len);
    if (n > 0 && (i->seals & ~(F_SEALABLE | F_SEAL_SEAL)))
        n = seals_writable_length(i, *pos, (size_t)n);
    if (n > 0) {
        int err = inode_modified(i);

        if (err)
            n = err;
        else
            n = buf ? vm_object_write_kernel(i->object, *pos, buf, (size_t)n)
                    : vm_object_write(i->object, *pos, ubuf, (size_t)n);
    }
    if (n > 0)
        *pos += (uint32_t)n;
    mutex_unlock(&i->lock);
    return n > 0 ? written(f, n) : n;
}

static long object_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    long n;

    do
        n = write_from(f, ubuf, NULL, len, pos);
    while (n == -ENOMEM && oom_kill());
    return n;
}

static long object_write_kernel(struct file *f, const void *buf, size_t len, uint64_t *pos)
{
    long n = write_from(f, NULL, buf, len, pos);

    vm_dirty_balance(f->inode->object);
    return n;
}

static int object_mmap(struct file *f, struct vm_mapping *m)
{
    int err = seals_check_mapping(f->inode, m);

    if (err)
        return err;
    vm_object_ref(f->inode->object);
    m->object = f->inode->object;
    inode_accessed(f->inode, f->mount);
    return 0;
}

const struct file_ops object_file_ops = {
    .read = object_read,
    .beside = BESIDE_READ | BESIDE_MMAP,
    .write = object_write,
    .read_kernel = object_read_kernel,
    .write_kernel = object_write_kernel,
    .seek = object_seek,
    .mmap = object_mmap,
    .fsync = object_fsync,
};

/* ---- Size ---- */

int inode_set_size(struct inode *i, uint64_t size)
{
    int err = seals_check_size(i, size);

    if (err)
        return err;
    if (size > vm_object_size(i->object)) {
        if (size > file_size_limit()) {
            signal_send_proc(proc_current(), SIGXFSZ, NULL);
            return -EFBIG;
        }
        if (size > MAX_FILE_SIZE)
            return -EFBIG;
    }
    return i->ops->truncate ? i->ops->truncate(i, size) : vm_object_resize(i->object, size);
}

int inode_truncate(struct inode *i, uint64_t size)
{
    int err;

    if (!i->object)
        return 0;
    mutex_lock(&i->lock);
    err = inode_set_size(i, size);
    if (!err)
        err = inode_modified(i);
    mutex_unlock(&i->lock);
    return err;
}

static long truncate_path(const char __user *upath, int64_t size)
{
    struct path p;
    struct inode *i;
    int err;

    if (size < 0)
        return -EINVAL;
    err = user_lookup(AT_FDCWD, upath, 0, &p);
    if (err)
        return err;
    i = p.dentry->inode;
    if (!S_ISREG(i->mode))
        err = S_ISDIR(i->mode) ? -EISDIR : -EINVAL;
    else
        err = path_readonly(&p) ? -EROFS : inode_permission(i, MAY_WRITE);
    if (!err && (i->flags & INODE_APPEND))
        err = -EPERM;
    if (!err)
        err = inode_get_write(i);
    if (!err) {
        err = i->leases ? lease_break(i, true, false) : 0;
        if (!err)
            err = inode_truncate(i, (uint64_t)size);
        inode_put_write(i);
        if (!err)
            notify_at(p.dentry, IN_MODIFY);
    }
    path_unref(&p);
    return err;
}

static long truncate_fd(uint32_t fd, int64_t size, bool small)
{
    struct file *f;
    long err;

    if (size < 0)
        return -EINVAL;
    f = fd_get((int)fd);
    if (!f)
        return -EBADF;
    small = small && !(f->flags & O_LARGEFILE);
    if (!S_ISREG(f->inode->mode) || !file_writable(f) || (small && (uint64_t)size > MAX_NON_LFS))
        err = -EINVAL;
    else if (f->inode->flags & INODE_APPEND)
        err = -EPERM;
    else
        err = inode_truncate(f->inode, (uint64_t)size);
    if (!err)
        notify_file(f, IN_MODIFY);
    file_put(f);
    return err;
}

long sys_truncate(const char __user *upath, uint32_t size)
{
    return truncate_path(upath, (int32_t)size);
}

long sys_truncate64(const char __user *upath, uint32_t low, uint32_t high)
{
    return truncate_path(upath, make64(low, high));
}

long sys_ftruncate(uint32_t fd, uint32_t size)
{
    return truncate_fd(fd, (int32_t)size, true);
}

long sys_ftruncate64(uint32_t fd, uint32_t low, uint32_t high)
{
    return truncate_fd(fd, make64(low, high), false);
}

/* ---- Advice ---- */

#define POSIX_FADV_NOREUSE 5u

static long fadvise(uint32_t fd, int64_t len, uint32_t advice)
{
    struct file *f = fd_get((int)fd);
    long err = 0;

    if (!f)
        return -EBADF;
    if (S_ISFIFO(f->inode->mode))
        err = -ESPIPE;
    else if (len < 0 || advice > POSIX_FADV_NOREUSE)
        err = -EINVAL;
    file_put(f);
    return err;
}

long sys_fadvise64(uint32_t fd, uint32_t off_low, uint32_t off_high, uint32_t len, uint32_t advice)
{
    (void)off_low;
    (void)off_high;
    return fadvise(fd, len, advice);
}

long sys_fadvise64_64(uint32_t fd, uint32_t off_low, uint32_t off_high, uint32_t len_low,
                      uint32_t len_high, uint32_t advice)
{
    (void)off_low;
    (void)off_high;
    return fadvise(fd, make64(len_low, len_high), advice);
}

long sys_readahead(uint32_t fd)
{
    struct file *f = fd_get((int)fd);
    long err;

    if (!f)
        return -EBADF;
    err = !file_readable(f) ? -EBADF : S_ISREG(f->inode->mode) ? 0 : -EINVAL;
    file_put(f);
    return err;
}
