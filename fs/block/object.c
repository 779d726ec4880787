/*
 * The page cache of a whole device: what /dev/NAME reads, writes and maps, and where a file system
 * keeps its metadata. Pages come from the device when they are first touched.
 */
#include "fs/block/file.h"
#include "fs/block/internal.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

/* How much of page index the device has: its end may lie within a page. */
static uint32_t bytes_of_page(const struct block_device *dev, uint32_t index)
{
    uint64_t at = (uint64_t)index << PAGE_SHIFT, size = block_bytes(dev);

    return size - at < PAGE_SIZE ? (uint32_t)(size - at) : PAGE_SIZE;
}

static int device_get(struct vm_object *o, uint32_t index, void *page)
{
    struct block_device *dev = vm_object_private(o);
    uint64_t at = (uint64_t)index << PAGE_SHIFT;
    uint32_t bytes;
    int err;

    if (at >= block_bytes(dev))
        return -EIO;
    bytes = bytes_of_page(dev, index);
    if (bytes < PAGE_SIZE)
        memset((uint8_t *)page + bytes, 0, PAGE_SIZE - bytes);
    err = block_transfer(dev, BLOCK_READ, at >> SECTOR_SHIFT, &page, 0, bytes);
    return err ? err : VM_PAGE_READ;
}

static int device_put(struct vm_object *o, uint32_t index, const void *page)
{
    struct block_device *dev = vm_object_private(o);
    uint64_t at = (uint64_t)index << PAGE_SHIFT;
    void *pages[1] = {(void *)page};

    if (at >= block_bytes(dev))
        return 0;
    return block_transfer(dev, BLOCK_WRITE, at >> SECTOR_SHIFT, pages, 0,
                          bytes_of_page(dev, index));
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
    int err = dev->object ? vm_object_sync(dev->object) : 0, flushed = block_flush(dev);

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
}

int device_resized(struct block_device *dev)
{
    int err = dev->object ? vm_object_resize(dev->object, 0) : 0;

    return err || !dev->object ? err : vm_object_resize(dev->object, block_bytes(dev));
}
