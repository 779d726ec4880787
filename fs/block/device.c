/*
 * The block devices there are: disks, which stay, and partitions, which come and go with the
 * tables that tell of them.
 *
 * A device is freed when it is off the list and nobody holds it. Its page cache, once made, has a
 * reference to nothing: it lives as long as the device does.
 */
#include "fs/block/internal.h"
#include "fs/dev/devfs.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

static struct spinlock devices_lock = SPINLOCK_INIT("block devices", LOCK_RANK_FS);
static struct list devices = LIST_INIT(devices); /* [devices_lock] */

/* ---- The list ---- */

/* On the list comes last: from there on it can be found, and a failure could not free it. */
int device_add(struct block_device *dev)
{
    int err = devfs_add(dev->name, S_IFBLK | 0600, dev->number);

    if (err)
        return err;
    err = block_sysfs_add(dev);
    if (err) {
        devfs_remove(dev->name);
        block_sysfs_remove(dev);
        return err;
    }
    spin_lock(&devices_lock);
    dev->refs++;
    dev->gone = false;
    list_add_tail(&devices, &dev->link);
    spin_unlock(&devices_lock);
    return 0;
}

void device_remove(struct block_device *dev)
{
    devfs_remove(dev->name);
    block_sysfs_remove(dev);
    spin_lock(&devices_lock);
    dev->gone = true;
    list_remove(&dev->link);
    spin_unlock(&devices_lock);
    block_put(dev);
}

int device_hide(struct block_device *dev)
{
    bool busy;

    spin_lock(&devices_lock);
    busy = dev->openers;
    if (!busy) {
        dev->gone = true;
        list_remove(&dev->link);
    }
    spin_unlock(&devices_lock);
    if (busy)
        return -EBUSY;
    devfs_remove(dev->name);
    block_sysfs_remove(dev);
    block_put(dev);
    return 0;
}

void block_ref(struct block_device *dev)
{
    spin_lock(&devices_lock);
    dev->refs++;
    spin_unlock(&devices_lock);
}

void block_put(struct block_device *dev)
{
    bool last;

    spin_lock(&devices_lock);
    KASSERT(dev->refs > 0);
    last = --dev->refs == 0;
    spin_unlock(&devices_lock);
    if (!last)
        return;
    KASSERT(dev->gone);
    if (!dev->partition) /* part of its queue */
        return;
    if (dev->object)
        vm_object_unref(dev->object);
    kmfree(dev);
}

static struct block_device *find(uint32_t number, const char *name)
{
    struct block_device *dev, *found = NULL;

    spin_lock(&devices_lock);
    list_for_each_entry (dev, &devices, link) {
        if (name ? strcmp(dev->name, name) == 0 : dev->number == number) {
            found = dev;
            dev->refs++;
            break;
        }
    }
    spin_unlock(&devices_lock);
    return found;
}

struct block_device *block_find(uint32_t number)
{
    return find(number, NULL);
}

struct block_device *block_find_name(const char *name)
{
    return find(0, name);
}

struct block_device *device_next(struct block_device *dev)
{
    struct block_device *next = NULL;
    struct list *l;

    spin_lock(&devices_lock);
    l = dev ? dev->link.next : devices.next;
    if (l != &devices && !(dev && dev->gone)) {
        next = list_entry(l, struct block_device, link);
        next->refs++;
    }
    spin_unlock(&devices_lock);
    if (dev)
        block_put(dev);
    return next;
}

/* ---- Opening ---- */

/* [devices_lock] Whether somebody else has the device, its disk or one of its partitions for
 * himself. */
static bool is_held(const struct block_device *dev, const void *holder)
{
    const struct block_device *other;

    list_for_each_entry (other, &devices, link) {
        bool overlaps =
            other == dev || other == dev->disk || (other->disk == dev && other->partition);

        if (overlaps && other->holder && other->holder != holder)
            return true;
    }
    return false;
}

int block_open(struct block_device *dev, bool write, void *holder)
{
    int err = 0;

    if (!dev->sectors && !dev->hidden)
        return -ENOMEDIUM;
    if (write && block_is_read_only(dev))
        return -EROFS;
    spin_lock(&devices_lock);
    if (dev->gone)
        err = -ENXIO;
    else if (holder && (is_held(dev, holder) || dev->holder))
        err = -EBUSY;
    if (!err) {
        dev->refs++;
        dev->openers++;
        if (holder)
            dev->holder = holder;
    }
    spin_unlock(&devices_lock);
    return err;
}

void block_close(struct block_device *dev, void *holder)
{
    void (*closed)(struct block_device *) = dev->queue->driver->closed;
    bool last;

    spin_lock(&devices_lock);
    KASSERT(dev->openers > 0);
    last = --dev->openers == 0;
    if (holder && dev->holder == holder)
        dev->holder = NULL;
    spin_unlock(&devices_lock);
    if (last && closed)
        closed(dev);
    block_put(dev);
}

/* ---- Registering ---- */

static void announce(const struct block_device *dev)
{
    uint32_t mib = (uint32_t)(dev->sectors >> 11);

    klog(LOG_INFO, "%s: %llu sectors (%u MiB), blocks of %u%s%s, %s\n", dev->name,
         (unsigned long long)dev->sectors, mib, dev->block_size,
         dev->read_only ? ", read-only" : "", dev->queue->has_cache ? ", write cache" : "",
         dev->queue->driver->name);
}

int block_register(struct block_queue *q, enum block_kind kind)
{
    struct block_device *dev = &q->whole;
    int err = name_disk(dev, kind);

    if (err)
        return err;
    dev->disk = dev;
    dev->queue = q;
    if (!dev->physical_size)
        dev->physical_size = dev->block_size;
    queue_init(q);
    err = device_add(dev);
    if (err)
        return err;
    recovery_add(q);
    if (kind == BLOCK_LOOP || kind == BLOCK_ZRAM)
        return 0;
    announce(dev);
    if (dev->sectors && kind != BLOCK_SR)
        partition_scan(dev);
    return 0;
}
