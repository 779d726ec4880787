/*
 * The page cache of a whole device: what /dev/NAME reads, writes and maps, and where a file system
 * keeps its metadata. Pages come from the device when they are first touched.
 */
#include "fs/block/file.h"
#include "fs/block/internal.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

/* How much of the run the device has: its end may lie within a page. */
static uint32_t bytes_of_run(const struct block_device *dev, const struct vm_run *run)
{
    uint64_t at = (uint64_t)run->index << PAGE_SHIFT, size = block_bytes(dev);
    uint32_t bytes = run->count << PAGE_SHIFT;

    if (at >= size)
        return 0;
    return size - at < bytes ? (uint32_t)(size - at) : bytes;
}

/* All of the run at once or, when that failed, its first page: whose error it is, is told then. */
static int transfer_run(const struct vm_object *o, enum block_op op, const struct vm_run *run)
{
    struct block_device *dev = vm_object_private(o);
    uint64_t sector = (uint64_t)run->index << (PAGE_SHIFT - SECTOR_SHIFT);
    uint32_t bytes = bytes_of_run(dev, run), pages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
    int err = block_transfer(dev, op, sector, run->page, 0, bytes);

    if (!err || pages == 1)
        return err ? err : (int)pages;
    err = block_transfer(dev, op, sector, run->page, 0, PAGE_SIZE);
    return err ? err : 1;
}

static int device_get(struct vm_object *o, struct vm_run *run)
{
    uint32_t bytes = bytes_of_run(vm_object_private(o), run), in_last = bytes & (PAGE_SIZE - 1);

    if (bytes == 0)
        return -EIO;
    if (in_last)
        memset((uint8_t *)run->page[bytes >> PAGE_SHIFT] + in_last, 0, PAGE_SIZE - in_last);
    return transfer_run(o, BLOCK_READ, run);
}

static int device_put(struct vm_object *o, const struct vm_run *run)
{
    if (bytes_of_run(vm_object_private(o), run) == 0)
        return (int)run->count;
    return transfer_run(o, BLOCK_WRITE, run);
}

static int device_sync(struct vm_object *o)
{
    return block_sync(vm_object_private(o));
}

static void device_describe(struct vm_object *o, char *buf, size_t size, uint32_t *ino,
                            uint32_t *number)
{
    struct block_device *dev = vm_object_private(o);

    strlcpy(buf, "/dev/", size);
    strlcat(buf, dev->name, size);
    *ino = dev->number;
    *number = 0;
}

static const struct pager device_pager = {
    .name = "device",
    .get = device_get,
    .put = device_put,
    .sync = device_sync,
    .ahead = VM_RUN_MAX,
    .describe = device_describe,
};

struct vm_object *block_object(struct block_device *dev)
{
    struct vm_object *o = __atomic_load_n(&dev->object, __ATOMIC_ACQUIRE), *first = NULL;

    if (o)
        return o;
    o = vm_object_create(&device_pager, dev, block_bytes(dev));
    if (!o)
        return NULL;
    if (__atomic_compare_exchange_n(&dev->object, &first, o, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return o;
    vm_object_unref(o);
    return first;
}

int block_sync(struct block_device *dev)
{
    int err, flushed;

    if (!dev->sectors) /* a drive that is empty, a loop device that nothing serves yet */
        return 0;
    err = dev->object ? vm_object_sync(dev->object) : 0;
    flushed = block_flush(dev);
    return err ? err : flushed;
}

void block_sync_all(void)
{
    for (struct block_device *dev = device_next(NULL); dev; dev = device_next(dev))
        if (dev->object)
            (void)block_sync(dev);
}

void block_drop_cache(struct block_device *dev)
{
    if (!dev->object)
        return;
    (void)vm_object_sync(dev->object);
    vm_object_drop(dev->object);
}

int device_resized(struct block_device *dev)
{
    int err = dev->object ? vm_object_resize(dev->object, 0) : 0;

    return err || !dev->object ? err : vm_object_resize(dev->object, block_bytes(dev));
}
