/*
 * The space of regular files: fallocate, and where lseek finds data and holes. man 2 fallocate.
 *
 * On a disk a hole is what the file system says; its blocks come with what is written, and are not
 * allocated ahead, as Linux does not for ext2.
 *
 * In memory space is frames: allocating makes pages resident, so that they are there when they are
 * written; a hole is pages that nobody needs to keep.
 */
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "fs/ram/ramfs.h"

#define FALLOC_KEEP_SIZE      0x01u
#define FALLOC_PUNCH_HOLE     0x02u
#define FALLOC_COLLAPSE_RANGE 0x08u
#define FALLOC_ZERO_RANGE     0x10u
#define FALLOC_INSERT_RANGE   0x20u
#define FALLOC_UNSHARE_RANGE  0x40u
#define FALLOC_KNOWN          0x7bu

/* Which modes go together. */
static int check_mode(uint32_t mode)
{
    if (mode & ~FALLOC_KNOWN)
        return -EOPNOTSUPP;
    if ((mode & FALLOC_PUNCH_HOLE) && (mode & FALLOC_ZERO_RANGE))
        return -EOPNOTSUPP;
    if ((mode & FALLOC_PUNCH_HOLE) && !(mode & FALLOC_KEEP_SIZE))
        return -EOPNOTSUPP;
    if ((mode & FALLOC_COLLAPSE_RANGE) && mode != FALLOC_COLLAPSE_RANGE)
        return -EINVAL;
    if ((mode & FALLOC_INSERT_RANGE) && mode != FALLOC_INSERT_RANGE)
        return -EINVAL;
    if ((mode & FALLOC_UNSHARE_RANGE) && (mode & ~(FALLOC_UNSHARE_RANGE | FALLOC_KEEP_SIZE)))
        return -EINVAL;
    return 0;
}

/* What no file system would allow, in the order of Linux's checks. */
static int check_fallocate(const struct file *f, uint32_t mode, int64_t offset, int64_t len)
{
    uint32_t type = f->inode->mode & S_IFMT;
    int err;

    if (offset < 0 || len <= 0)
        return -EINVAL;
    err = check_mode(mode);
    if (err)
        return err;
    if (!file_writable(f))
        return -EBADF;
    if ((f->inode->flags & INODE_IMMUTABLE) ||
        ((f->inode->flags & INODE_APPEND) && (mode & ~FALLOC_KEEP_SIZE)))
        return -EPERM;
    if (type != S_IFREG)
        return type == S_IFIFO ? -ESPIPE : type == S_IFDIR ? -EISDIR : -ENODEV;
    if ((uint64_t)offset + (uint64_t)len > MAX_FILE_SIZE)
        return -EFBIG;
    if (!f->inode->object || (mode & ~(FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE)))
        return -EOPNOTSUPP;
    return 0;
}

/* [i->lock held] */
static int punch_hole(struct inode *i, uint64_t from, uint64_t len)
{
    if (i->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    return i->ops->punch ? i->ops->punch(i, from, len) : -EOPNOTSUPP;
}

/* What could come to stay at all. */
static bool fits_in_memory(const struct inode *i, uint64_t bytes)
{
    struct mem_stats m;
    uint32_t droppable;

    mm_stats(&m);
    droppable = m.cached - m.cached_shmem;
    droppable -= ramfs_total_pages() < droppable ? ramfs_total_pages() : droppable;
    return bytes >> PAGE_SHIFT <= (uint64_t)m.free + droppable + vm_object_pages(i->object);
}

/* [i->lock held] Pages inside the size come to stay. What was made on the way to a failure may be
 * dropped again whenever memory is short. */
static int make_resident(struct inode *i, uint64_t from, uint64_t end)
{
    int err = 0;

    if (end > vm_object_size(i->object))
        end = vm_object_size(i->object);
    if (from < end && !fits_in_memory(i, end - from))
        return -ENOSPC;
    for (; from < end && !err; from = (from | (PAGE_SIZE - 1)) + 1) {
        err = vm_object_touch(i->object, (uint32_t)(from >> PAGE_SHIFT));
        if (!err && fatal_signal_pending())
            err = -EINTR;
    }
    return err == -ENXIO ? 0 : err;
}

/* [i->lock held] */
static int allocate(struct inode *i, uint64_t from, uint64_t end, bool keep_size)
{
    uint64_t old = vm_object_size(i->object);
    int err = 0;

    if ((i->seals & F_SEAL_GROW) && end > old)
        return -EPERM;
    if (i->ops->extent)
        return -EOPNOTSUPP; /* on a disk it would have to be zeros that are written */
    if (end > old && !keep_size)
        err = inode_set_size(i, end);
    if (!err)
        err = make_resident(i, from, end);
    if (err && vm_object_size(i->object) > old)
        (void)inode_set_size(i, old);
    return err;
}

long sys_fallocate(uint32_t fd, uint32_t mode, uint32_t off_low, uint32_t off_high,
                   uint32_t len_low, uint32_t len_high)
{
    uint64_t offset = make64(off_low, off_high), len = make64(len_low, len_high);
    struct file *f = fd_get((int)fd);
    long err;

    if (!f)
        return -EBADF;
    err = check_fallocate(f, mode, (int64_t)offset, (int64_t)len);
    if (!err) {
        struct inode *i = f->inode;

        mutex_lock(&i->lock);
        if (mode & FALLOC_PUNCH_HOLE)
            err = punch_hole(i, offset, len);
        else
            err = allocate(i, offset, offset + len, mode & FALLOC_KEEP_SIZE);
        if (!err)
            err = inode_modified(i);
        mutex_unlock(&i->lock);
    }
    if (!err)
        notify_file(f, IN_MODIFY);
    file_put(f);
    return err;
}

/* ---- Data and holes ---- */

/* By what the file system tells. */
static int64_t find_by_extents(struct inode *i, uint64_t at, uint64_t size, bool data)
{
    struct file_extent e;
    int found = 1;

    while (at < size) {
        found = i->ops->extent(i, at, &e);
        if (found <= 0)
            break;
        if (data || e.at > at)
            return (int64_t)(data && e.at > at ? e.at : at);
        at = e.at + e.len;
        if (fatal_signal_pending())
            return -EINTR;
        sched_point();
    }
    if (found < 0)
        return found;
    return data ? -ENXIO : (int64_t)(at < size ? at : size);
}

static bool next_data(const struct inode *i, uint32_t *index)
{
    return !i->ops->next_data || i->ops->next_data(i, index);
}

static uint64_t find_data(const struct inode *i, uint64_t at)
{
    uint32_t first = (uint32_t)(at >> PAGE_SHIFT), index = first;

    if (!next_data(i, &index))
        return UINT64_MAX;
    return index == first ? at : (uint64_t)index << PAGE_SHIFT;
}

static uint64_t find_hole(const struct inode *i, uint64_t at, uint64_t size)
{
    uint32_t first = (uint32_t)(at >> PAGE_SHIFT), index = first;

    for (uint32_t next = index; next_data(i, &next) && next == index; next = index) {
        index++;
        if ((uint64_t)index << PAGE_SHIFT >= size)
            return size;
    }
    return index == first ? at : (uint64_t)index << PAGE_SHIFT;
}

int64_t object_seek(struct file *f, int64_t offset, int whence)
{
    struct inode *i = f->inode;
    uint64_t size = vm_object_size(i->object), at = (uint64_t)offset;

    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return generic_seek(f, offset, whence, size);
    if (at >= size)
        return -ENXIO;
    if (i->ops->extent) {
        int64_t found = find_by_extents(i, at, size, whence == SEEK_DATA);

        return found < 0 ? found : generic_seek(f, found, SEEK_SET, size);
    }
    at = whence == SEEK_DATA ? find_data(i, at) : find_hole(i, at, size);
    if (at >= size && whence == SEEK_DATA)
        return -ENXIO;
    return generic_seek(f, (int64_t)at, SEEK_SET, size);
}
