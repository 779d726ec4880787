/*
 * Block devices as files: reading and writing go through the page cache of the device.
 */
#include "fs/block/file.h"
#include "fs/block/internal.h"
#include "fs/vfs/internal.h"
#include "libc/errno.h"

#define PIECE (256u * 1024)

static struct block_device *device_of(const struct file *f)
{
    return f->private;
}

struct block_device *block_of_file(const struct file *f)
{
    return f->ops == &block_file_ops ? f->private : NULL;
}

static int device_open(struct inode *inode, struct file *f)
{
    struct block_device *dev = block_find(inode->rdev);
    int err;

    if (!dev)
        return -ENXIO;
    /* A disk that is read-only says so when it is written to, a CD at once, as on Linux. */
    err = block_open(dev, file_writable(f) && dev->removable, f->flags & O_EXCL ? f : NULL);
    if (!err && !block_object(dev)) {
        block_close(dev, f);
        err = -ENOMEM;
    }
    if (!err)
        f->private = dev;
    block_put(dev);
    return err;
}

/* The last who closes leaves nothing unwritten, as on Linux: a device may be taken away then. */
static void device_release(struct file *f)
{
    struct block_device *dev = device_of(f);

    if (dev->openers == 1 && file_writable(f))
        (void)block_sync(dev);
    block_close(dev, f);
}

/* Direct I/O goes through the cache too, but keeps its rules and does not come back before the
 * device has the data. */
static int check_direct(const struct file *f, const void __user *ubuf, size_t len, uint64_t pos)
{
    uint32_t mask = device_of(f)->block_size - 1;

    if (!(f->flags & O_DIRECT))
        return 0;
    return ((uint32_t)ubuf | len | (uint32_t)pos) & mask ? -EINVAL : 0;
}

static long device_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    long n = check_direct(f, ubuf, len, *pos);

    if (n || *pos >= block_bytes(device_of(f)))
        return n;
    do
        n = vm_object_read(device_of(f)->object, *pos, ubuf, len);
    while (n == -ENOMEM && oom_kill());
    if (n > 0)
        *pos += (uint32_t)n;
    return n;
}

static long device_read_kernel(struct file *f, void *buf, size_t len, uint64_t *pos, bool nonblock)
{
    struct block_device *dev = device_of(f);
    long n = *pos < block_bytes(dev) ? vm_object_read_kernel(dev->object, *pos, buf, len) : 0;

    (void)nonblock;
    if (n > 0)
        *pos += (uint32_t)n;
    return n;
}

/* At most PIECE bytes at a time. */
static long write_pieces(struct block_device *dev, const char __user *ubuf, size_t len,
                         uint64_t pos)
{
    size_t done = 0;
    long n = 0;

    while (done < len) {
        size_t piece = len - done < PIECE ? len - done : PIECE;

        do
            n = vm_object_write(dev->object, pos + done, ubuf + done, piece);
        while (n == -ENOMEM && oom_kill());
        if (n > 0)
            done += (size_t)n;
        if (n < (long)piece)
            break;
    }
    return done ? (long)done : n;
}

static long device_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    struct block_device *dev = device_of(f);
    uint64_t size = block_bytes(dev);
    long n = check_direct(f, ubuf, len, *pos);
    int err;

    if (n || !len)
        return n;
    if (block_is_read_only(dev))
        return -EPERM;
    if (*pos >= size)
        return -ENOSPC;
    if (len > size - *pos)
        len = (size_t)(size - *pos);
    flush_start();
    n = write_pieces(dev, ubuf, len, *pos);
    if (n <= 0)
        return n;
    *pos += (uint32_t)n;
    if (file_rw_flags(f) & (O_DSYNC | O_DIRECT)) {
        err = file_rw_flags(f) & O_DSYNC ? block_sync(dev) : vm_object_sync(dev->object);
        if (err)
            return err;
    }
    return n;
}

static int64_t device_seek(struct file *f, int64_t offset, int whence)
{
    return generic_seek(f, offset, whence, block_bytes(device_of(f)));
}

static int device_mmap(struct file *f, struct vm_mapping *m)
{
    m->object = device_of(f)->object;
    vm_object_ref(m->object);
    return 0;
}

static int device_fsync(struct file *f)
{
    return block_sync(device_of(f));
}

static long device_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    return block_ioctl(device_of(f), cmd, arg);
}

const struct file_ops block_file_ops = {
    .open = device_open,
    .release = device_release,
    .read = device_read,
    .read_kernel = device_read_kernel,
    .write = device_write,
    .seek = device_seek,
    .mmap = device_mmap,
    .fsync = device_fsync,
    .ioctl = device_ioctl,
};
