/*
 * Virtio's disk. A request is a header, the pieces, and a byte that tells how it ended; the chain
 * of them is a table of the request's own, or, on a device that knows none, a fixed part of the
 * queue. [Virtio 1.1, 5.2]
 */
#include "drivers/disk/disk.h"
#include "drivers/disk/virtio.h"
#include "fs/block/driver.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

#define DEVICE_OLD 0x1001u
#define DEVICE_NEW 0x1042u

#define FEATURE_SEG_MAX  (1ull << 2)
#define FEATURE_RO       (1ull << 5)
#define FEATURE_BLK_SIZE (1ull << 6)
#define FEATURE_FLUSH    (1ull << 9)
#define FEATURE_TOPOLOGY (1ull << 10)
#define FEATURES                                                                                   \
    (FEATURE_SEG_MAX | FEATURE_RO | FEATURE_BLK_SIZE | FEATURE_FLUSH | FEATURE_TOPOLOGY |          \
     VIRTIO_INDIRECT)

#define CONFIG_SECTORS  0u
#define CONFIG_SEG_MAX  12u
#define CONFIG_BLOCK    20u
#define CONFIG_PHYSICAL 24u /* as a power of two of blocks */

#define TYPE_READ  0u
#define TYPE_WRITE 1u
#define TYPE_FLUSH 4u
#define STATUS_OK  0u

#define TABLE_DESCS 62u /* with what is around them, 1 KiB */

/* A tag's own memory. */
struct slot {
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status, pad[15];
    struct virtq_desc table[TABLE_DESCS];
};
_Static_assert(sizeof(struct slot) == 1024, "slots lie within frames");
#define SLOTS_PER_FRAME (PAGE_SIZE / sizeof(struct slot))

struct virtio_blk {
    struct block_queue queue;
    struct virtio v;
    struct spinlock lock; /* guards the rings */
    unsigned stride;      /* descriptors of the queue that a tag has; 1: it has a table */
    struct slot *slots[BLOCK_DEPTH_MAX];
};

static struct virtq_desc desc(paddr_t pa, uint32_t len, uint16_t flags, unsigned next)
{
    return (struct virtq_desc){pa, len, flags, (uint16_t)next};
}

/* The chain into table, whose first descriptor is the base-th of what it is a part of. */
static unsigned fill_chain(const struct block_request *r, struct slot *s, struct virtq_desc *table,
                           unsigned base)
{
    uint16_t data = VIRTQ_NEXT | (r->op == BLOCK_READ ? VIRTQ_DEVICE_WRITES : 0);
    struct block_cursor c;
    unsigned n = 1;
    uint32_t len;
    paddr_t pa;

    table[0] = desc(virt_to_phys(s), 16, VIRTQ_NEXT, base + 1);
    if (r->bytes) {
        block_cursor_init(&c, r);
        for (; block_cursor_next(&c, UINT32_MAX, &pa, &len); n++)
            table[n] = desc(pa, len, data, base + n + 1);
    }
    table[n] = desc(virt_to_phys(&s->status), 1, VIRTQ_DEVICE_WRITES, 0);
    return n + 1;
}

static void blk_submit(struct block_queue *q, struct block_request *r)
{
    static const uint8_t type[] = {TYPE_READ, TYPE_WRITE, TYPE_FLUSH};
    struct virtio_blk *b = q->hardware;
    struct slot *s = b->slots[r->tag];
    unsigned head = r->tag * b->stride, n;

    s->type = type[r->op];
    s->sector = r->op == BLOCK_FLUSH ? 0 : r->sector;
    s->status = 0xff;
    spin_lock(&b->lock);
    if (b->stride == 1) {
        n = fill_chain(r, s, s->table, 0);
        b->v.desc[head] =
            desc(virt_to_phys(s->table), n * sizeof(struct virtq_desc), VIRTQ_IS_TABLE, 0);
    } else {
        fill_chain(r, s, &b->v.desc[head], head);
    }
    virtio_give(&b->v, (uint16_t)head);
    spin_unlock(&b->lock);
}

/* The next request that is over, or NULL. */
static struct block_request *take_done(struct virtio_blk *b, int *err)
{
    struct block_request *r = NULL;
    uint32_t head, tag;

    spin_lock(&b->lock);
    if (virtio_take(&b->v, &head)) {
        tag = head / b->stride;
        if (tag < b->queue.depth) {
            r = &b->queue.slots[tag];
            *err = b->slots[tag]->status == STATUS_OK ? 0 : -EIO;
        }
    }
    spin_unlock(&b->lock);
    return r;
}

static void blk_poll(struct block_queue *q)
{
    struct virtio_blk *b = q->hardware;
    struct block_request *r;
    int err = 0;

    while ((r = take_done(b, &err)))
        block_complete(r, err);
}

static void blk_interrupt(void *arg)
{
    struct virtio_blk *b = arg;

    if (virtio_isr(&b->v))
        blk_poll(&b->queue);
}

static int blk_reset(struct block_queue *q)
{
    struct virtio_blk *b = q->hardware;
    int err = virtio_begin(&b->v, FEATURES);

    return err ? err : virtio_start(&b->v);
}

static const struct block_driver blk_driver = {
    .name = "virtio",
    .submit = blk_submit,
    .poll = blk_poll,
    .reset = blk_reset,
};

/* ---- Setting up ---- */

static int make_slots(struct virtio_blk *b)
{
    struct slot *frame = NULL;

    for (unsigned i = 0; i < b->queue.depth; i++) {
        if (i % SLOTS_PER_FRAME == 0)
            frame = kalloc_zeroed();
        if (!frame)
            return -ENOMEM;
        b->slots[i] = frame + i % SLOTS_PER_FRAME;
    }
    return 0;
}

static unsigned limit(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* How requests are laid out; -EIO when not even one fits. */
static int shape_queue(struct virtio_blk *b)
{
    struct block_queue *q = &b->queue;
    unsigned most = TABLE_DESCS - 2;

    if (b->v.features & FEATURE_SEG_MAX)
        most = limit(most, virtio_config32(&b->v, CONFIG_SEG_MAX));
    b->stride = 1;
    if (!(b->v.features & VIRTIO_INDIRECT)) {
        most = limit(most, BLOCK_IO_PAGES + 1);
        b->stride = most + 2;
    }
    q->max_segments = most;
    q->max_bytes = most * PAGE_SIZE;
    q->depth = limit(BLOCK_DEPTH_MAX, b->v.size / b->stride);
    return most > BLOCK_IO_PAGES && q->depth ? 0 : -EIO;
}

static void read_config(struct virtio_blk *b)
{
    struct block_device *dev = &b->queue.whole;
    uint64_t f = b->v.features;

    dev->sectors = virtio_config32(&b->v, CONFIG_SECTORS) |
                   (uint64_t)virtio_config32(&b->v, CONFIG_SECTORS + 4) << 32;
    dev->block_size = SECTOR_SIZE;
    if (f & FEATURE_BLK_SIZE)
        dev->block_size = virtio_config32(&b->v, CONFIG_BLOCK);
    if (dev->block_size < SECTOR_SIZE || dev->block_size > PAGE_SIZE ||
        (dev->block_size & (dev->block_size - 1)))
        dev->block_size = SECTOR_SIZE;
    dev->physical_size = dev->block_size;
    if (f & FEATURE_TOPOLOGY)
        dev->physical_size <<= virtio_config8(&b->v, CONFIG_PHYSICAL) & 7;
    dev->read_only = f & FEATURE_RO;
    b->queue.has_cache = f & FEATURE_FLUSH;
}

static int set_up(struct virtio_blk *b, struct pci_device *d)
{
    int err = virtio_begin(&b->v, FEATURES);

    if (!err)
        err = virtio_start(&b->v);
    if (!err)
        err = shape_queue(b);
    if (!err)
        err = make_slots(b);
    if (err)
        return err;
    read_config(b);
    spin_init(&b->lock, "virtio", LOCK_RANK_LEAF);
    b->queue.driver = &blk_driver;
    b->queue.hardware = b;
    err = disk_pci_irq(d, blk_interrupt, b);
    if (err)
        klog(LOG_WARN, "virtio: interrupt line %u cannot be had (error %d)\n", d->line, err);
    return block_register(&b->queue, BLOCK_VD);
}

bool virtio_blk_probe(struct pci_device *d)
{
    struct virtio_blk *b;
    int err = -EIO;

    if (d->vendor != VIRTIO_VENDOR || (d->device != DEVICE_OLD && d->device != DEVICE_NEW))
        return false;
    b = kzalloc(sizeof(*b));
    if (!b)
        return true;
    if (virtio_find(&b->v, d))
        err = set_up(b, d);
    if (err)
        klog(LOG_WARN, "virtio: a disk cannot be used (error %d)\n", err);
    return true;
}
