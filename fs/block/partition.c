/* The partitions of a disk, as devices: made when its table is read. */
#include "fs/block/internal.h"
#include "fs/block/table.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/vm.h"

static int read_block(void *ctx, uint64_t n, uint8_t *buf)
{
    struct block_device *disk = ctx;
    void *pages[1] = {buf};
    unsigned ratio = disk->block_size >> SECTOR_SHIFT;

    if (n >= disk->sectors / ratio)
        return -EIO;
    return block_transfer(disk, BLOCK_READ, n * ratio, pages, 0, disk->block_size);
}

static int add_partition(struct block_device *disk, const struct table_entry *e)
{
    struct block_device *p = kzalloc(sizeof(*p));
    int err;

    if (!p)
        return -ENOMEM;
    p->disk = disk;
    p->queue = disk->queue;
    p->partition = e->number;
    p->start = e->start;
    p->sectors = e->sectors;
    p->block_size = disk->block_size;
    p->physical_size = disk->physical_size;
    p->read_only = disk->read_only;
    err = name_partition(p);
    if (!err)
        err = device_add(p);
    if (err)
        kmfree(p);
    return err;
}

static void log_table(const struct block_device *disk, const struct table *t)
{
    char line[128];
    size_t n = 0;

    for (unsigned i = 0; i < t->count && n + 8 < sizeof(line); i++)
        n += (size_t)snprintf(line + n, sizeof(line) - n, " %u", t->entry[i].number);
    line[n] = '\0';
    klog(LOG_INFO, "%s: %s%s\n", disk->name, t->kind, line);
}

/* Takes the partitions off; -EBUSY when one is open. */
static int remove_partitions(struct block_device *disk)
{
    struct block_device *dev;
    bool busy = false;

    for (dev = device_next(NULL); dev; dev = device_next(dev))
        busy |= dev->disk == disk && dev->partition && dev->openers;
    if (busy)
        return -EBUSY;
    for (dev = device_next(NULL); dev;) {
        struct block_device *next;

        block_ref(dev);
        next = device_next(dev);
        if (dev->disk == disk && dev->partition)
            device_remove(dev);
        block_put(dev);
        dev = next;
    }
    return 0;
}

int partition_scan(struct block_device *disk)
{
    int err = remove_partitions(disk);
    struct table *t = err ? NULL : kalloc();

    if (!t)
        return err ? err : -ENOMEM;
    _Static_assert(sizeof(*t) <= PAGE_SIZE, "a table fits into a frame");
    memset(t, 0, sizeof(*t));
    t->buf = kalloc();
    t->sectors = disk->sectors;
    t->block_size = disk->block_size;
    t->read = read_block;
    t->ctx = disk;
    err = -ENOMEM;
    if (t->buf)
        err = table_read(t);
    if (!err && t->kind)
        log_table(disk, t);
    for (unsigned i = 0; !err && i < t->count; i++)
        err = add_partition(disk, &t->entry[i]);
    if (t->buf)
        kfree(t->buf);
    kfree(t);
    return err;
}
