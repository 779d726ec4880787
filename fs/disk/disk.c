/*
 * What file systems on disks share: the device that one is mounted from, its page cache, and what
 * is the same for any of them.
 */
#include "arch/processors.h"
#include "fs/disk/disk.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

#define COMPLAINTS_MAX 16u /* of one mount, in the log */

/* ---- The device ---- */

/* At boot the root is named before there is a /dev to look in. */
static int find_unseen(const char *source, struct block_device **out)
{
    if (strncmp(source, "/dev/", 5) != 0)
        return -ENOENT;
    *out = block_find_name(source + 5);
    return *out ? 0 : -ENXIO;
}

static int find_device(const char *source, struct block_device **out)
{
    struct path p;
    int err;

    if (!source || !*source)
        return -EINVAL;
    if (!proc_current()->fs)
        return find_unseen(source, out);
    err = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &p);
    if (err)
        return err;
    *out = NULL;
    err = -ENOTBLK;
    if (S_ISBLK(p.dentry->inode->mode)) {
        *out = block_find(p.dentry->inode->rdev);
        err = *out ? 0 : -ENXIO;
    }
    path_unref(&p);
    return err;
}

int disk_number(const char *source, uint32_t *number)
{
    struct block_device *dev;
    int err = find_device(source, &dev);

    if (err)
        return err;
    *number = dev->number;
    block_put(dev);
    return 0;
}

int disk_claim(const char *source, bool write, void *holder, struct block_device **out)
{
    struct block_device *dev;
    int err = find_device(source, &dev);

    if (err)
        return err;
    err = block_open(dev, write, holder);
    block_put(dev);
    if (!err)
        *out = dev;
    return err == -EROFS ? -EACCES : err;
}

void disk_release(struct block_device *dev, void *holder)
{
    block_close(dev, holder);
}

/* ---- Reading ---- */

int disk_read(struct vm_object *cache, uint64_t at, void *buf, uint32_t len)
{
    long n = vm_object_read_kernel(cache, at, buf, len);

    if (n == (long)len)
        return 0;
    return n == -ENOMEM ? -ENOMEM : -EIO;
}

int disk_corrupt(const char *fs, const struct block_device *dev, uint32_t *told, const char *what,
                 uint32_t where)
{
    if (__atomic_fetch_add(told, 1, __ATOMIC_RELAXED) < COMPLAINTS_MAX)
        klog(LOG_ERR, "%s (%s): error: %s %u\n", fs, dev->name, what, where);
    return -EIO;
}

bool disk_is_second_name(const struct inode *i, const struct dentry *d)
{
    const struct dentry *alias = i->alias;

    return S_ISDIR(i->mode) && (i == d->parent->inode || (alias && alias != d));
}

/* ---- Files ---- */

void disk_clear_behind(const struct vm_object *o, const struct vm_run *run, unsigned filled)
{
    uint64_t size = vm_object_size(o), start = (uint64_t)run->index << PAGE_SHIFT;

    for (unsigned i = 0; i < filled; i++, start += PAGE_SIZE) {
        uint32_t keep = size <= start              ? 0
                        : size - start < PAGE_SIZE ? (uint32_t)(size - start)
                                                   : PAGE_SIZE;

        memset((uint8_t *)run->page[i] + keep, 0, PAGE_SIZE - keep);
    }
}

static char *path_of(struct inode *i)
{
    char path[128], *copy;

    inode_path(i, path, sizeof(path));
    copy = kmalloc(strlen(path) + 1);
    if (copy)
        strcpy(copy, path);
    return copy;
}

void disk_keep_path(struct inode *i, char **path)
{
    if (read_once(*path))
        return;
    kernel_need();
    mutex_lock(&i->lock);
    if (!*path)
        *path = path_of(i);
    mutex_unlock(&i->lock);
}

void disk_filesystems_init(void)
{
    ext2_init();
    iso_init();
}
