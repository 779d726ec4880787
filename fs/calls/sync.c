/*
 * sync and its kin.
 */
#include "fs/block/file.h"
#include "fs/vfs/internal.h"

long sys_sync(void)
{
    vfs_sync();
    block_sync_all();
    return 0;
}

long sys_syncfs(uint32_t fd)
{
    struct file *f = fd_get((int)fd);
    struct superblock *sb;
    long err = 0;

    if (!f)
        return -EBADF;
    sb = f->inode->sb;
    if (sb && sb->type->sync && !sb_readonly(sb))
        err = sb->type->sync(sb);
    file_put(f);
    return err;
}

static long do_fsync(uint32_t fd)
{
    struct file *f = fd_get((int)fd);
    long err;

    if (!f)
        return -EBADF;
    err = f->ops->fsync ? f->ops->fsync(f) : -EINVAL;
    file_put(f);
    return err;
}

long sys_fsync(uint32_t fd)
{
    return do_fsync(fd);
}

long sys_fdatasync(uint32_t fd)
{
    return do_fsync(fd);
}

#define SYNC_FILE_RANGE_WRITE 2u
#define SYNC_FILE_RANGE_ALL   7u

/* A length from an offset, each in two registers; in the right order, and not past the largest. */
static bool is_range(uint64_t offset, uint64_t len)
{
    uint64_t end = offset + len;

    return (int64_t)offset >= 0 && (int64_t)end >= 0 && end >= offset;
}

static bool has_pages(const struct inode *i)
{
    return S_ISREG(i->mode) || S_ISBLK(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode);
}

/* Pages only: neither metadata nor the device's cache. To begin to write is to write and wait; to
 * wait alone is for what others write. A length of 0: to the end. */
static int sync_pages(struct file *f, uint64_t offset, uint64_t len, uint32_t flags)
{
    struct vm_object *o = f->inode->object;
    uint64_t end = (offset + len + PAGE_SIZE - 1) >> PAGE_SHIFT;

    if (!o)
        return 0;
    if (!(flags & SYNC_FILE_RANGE_WRITE))
        return vm_object_await(o);
    if (len == 0 || end > UINT32_MAX)
        end = UINT32_MAX;
    if (offset >> PAGE_SHIFT >= end)
        return 0;
    return vm_object_sync_range(o, (uint32_t)(offset >> PAGE_SHIFT), (uint32_t)end);
}

long sys_sync_file_range(uint32_t fd, uint32_t off_low, uint32_t off_high, uint32_t len_low,
                         uint32_t len_high, uint32_t flags)
{
    struct file *f = fd_get((int)fd);
    uint64_t offset = (uint64_t)off_high << 32 | off_low, len = (uint64_t)len_high << 32 | len_low;
    long err = 0;

    if (!f)
        return -EBADF;
    if ((flags & ~SYNC_FILE_RANGE_ALL) || !is_range(offset, len))
        err = -EINVAL;
    else if (!has_pages(f->inode))
        err = -ESPIPE;
    else if (flags)
        err = sync_pages(f, offset, len, flags);
    file_put(f);
    return err;
}
