/*
 * NVMe: an admin queue to set up with, and one pair of queues for all I/O. Only the first
 * namespaces, without metadata, and interrupts by the pin. [NVMe 1.4]
 *
 * A request's pieces are a list of pages (PRP), so all but the first begin where a page does.
 */
#include "drivers/disk/disk.h"
#include "fs/block/driver.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/vm.h"

#define CLASS_NVME 0x010802u

#define REG_CAP         0x00u
#define REG_CAP_HIGH    0x04u
#define REG_IRQ_MASK    0x0cu
#define REG_IRQ_CLEAR   0x10u
#define REG_CONTROL     0x14u
#define REG_STATUS      0x1cu
#define REG_ADMIN_SIZES 0x24u
#define REG_ADMIN_SQ    0x28u
#define REG_ADMIN_CQ    0x30u
#define REG_BELLS       0x1000u
#define REGS_BYTES      0x2000u

#define CONTROL_ENABLE 1u
#define CONTROL_SIZES  0x00460000u /* entries of 64 and 16 bytes, pages of 4 KiB */
#define STATUS_READY   1u

#define ADMIN_CREATE_SQ 0x01u
#define ADMIN_CREATE_CQ 0x05u
#define ADMIN_IDENTIFY  0x06u
#define IO_FLUSH        0x00u
#define IO_WRITE        0x01u
#define IO_READ         0x02u
#define IO_FUA          0x40000000u

#define ENTRIES         64u /* of each queue: a frame of commands */
#define DEPTH           32u /* of a namespace */
#define SEGMENTS        64u
#define LISTS_PER_FRAME (PAGE_SIZE / (SEGMENTS * 8))

struct command {
    uint8_t opcode, flags;
    uint16_t id;
    uint32_t namespace, reserved[2], metadata[2];
    uint64_t prp1, prp2;
    uint32_t dw[6]; /* 10 to 15 */
};
_Static_assert(sizeof(struct command) == 64, "as the hardware has it");

struct completion {
    uint32_t result, reserved;
    uint16_t sq_head, sq_id, id, status; /* bit 0 of status: the phase */
};

struct queue_pair {
    struct command *sq;
    volatile struct completion *cq;
    uint16_t tail, head;
    uint16_t phase; /* of completions that are new */
};

struct nvme {
    struct block_queue queue;
    volatile uint8_t *regs;
    uint32_t stride; /* bytes between bells */
    uint32_t ready_ms;
    unsigned controller;
    struct spinlock lock;        /* guards io */
    struct queue_pair admin, io; /* io: [lock] */
    uint64_t *list[DEPTH];       /* PRPs beyond the first, of each tag */
    uint32_t namespace;
    uint8_t block_shift;
};

static uint32_t nv_read(const struct nvme *n, uint32_t reg)
{
    return *(volatile uint32_t *)(n->regs + reg);
}

static void nv_write(const struct nvme *n, uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(n->regs + reg) = value;
}

static void ring(const struct nvme *n, unsigned queue, bool completion, uint16_t value)
{
    nv_write(n, REG_BELLS + (2 * queue + completion) * n->stride, value);
}

/* ---- Queues ---- */

static void queue_clear(struct queue_pair *q)
{
    q->tail = q->head = 0;
    q->phase = 1;
    memset(q->sq, 0, PAGE_SIZE);
    memset((void *)q->cq, 0, PAGE_SIZE);
}

static void queue_put(const struct nvme *n, struct queue_pair *q, unsigned number,
                      const struct command *c)
{
    q->sq[q->tail] = *c;
    q->tail = (uint16_t)((q->tail + 1) % ENTRIES);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring(n, number, false, q->tail);
}

/* The next completion; false: none. The caller rings when it has them all. */
static bool queue_take(struct queue_pair *q, uint16_t *id, uint16_t *status)
{
    volatile struct completion *c = &q->cq[q->head];

    if ((c->status & 1) != q->phase)
        return false;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    *id = c->id;
    *status = c->status >> 1;
    q->head = (uint16_t)((q->head + 1) % ENTRIES);
    if (q->head == 0)
        q->phase ^= 1;
    return true;
}

/* Runs an admin command by polling. */
static int run_admin(struct nvme *n, struct command *c)
{
    uint16_t id, status = 0;

    queue_put(n, &n->admin, 0, c);
    if (!block_poll_until(queue_take(&n->admin, &id, &status), 5000))
        return -EIO;
    ring(n, 0, true, n->admin.head);
    return status ? -EIO : 0;
}

static int identify(struct nvme *n, uint32_t namespace, uint32_t what, void *page)
{
    struct command c = {
        .opcode = ADMIN_IDENTIFY, .namespace = namespace, .prp1 = virt_to_phys(page), .dw = {what}};

    return run_admin(n, &c);
}

/* ---- Requests ---- */

/* The first page in prp1; a second one, or the list of them, in prp2. */
static void set_pages(const struct nvme *n, struct command *c, const struct block_request *r)
{
    uint64_t *list = n->list[r->tag];
    struct block_cursor at;
    unsigned count = 0;
    uint32_t len;
    paddr_t pa;

    block_cursor_init(&at, r);
    (void)block_cursor_next(&at, PAGE_SIZE, &pa, &len);
    c->prp1 = pa;
    while (block_cursor_next(&at, PAGE_SIZE, &pa, &len))
        list[count++] = pa;
    KASSERT(count < SEGMENTS);
    if (count)
        c->prp2 = count == 1 ? list[0] : virt_to_phys(list);
}

static void nvme_submit(struct block_queue *q, struct block_request *r)
{
    static const uint8_t opcode[] = {IO_READ, IO_WRITE, IO_FLUSH};
    struct nvme *n = q->hardware;
    struct command c = {.opcode = opcode[r->op], .id = r->tag, .namespace = n->namespace};
    uint64_t block = r->sector >> (n->block_shift - SECTOR_SHIFT);

    if (r->op != BLOCK_FLUSH) {
        set_pages(n, &c, r);
        c.dw[0] = (uint32_t)block;
        c.dw[1] = (uint32_t)(block >> 32);
        c.dw[2] = (r->bytes >> n->block_shift) - 1;
        if (r->op == BLOCK_WRITE && (r->flags & BLOCK_FUA))
            c.dw[2] |= IO_FUA;
    }
    spin_lock(&n->lock);
    queue_put(n, &n->io, 1, &c);
    spin_unlock(&n->lock);
}

static struct block_request *take_done(struct nvme *n, int *err)
{
    struct block_request *r = NULL;
    uint16_t id, status;

    spin_lock(&n->lock);
    if (queue_take(&n->io, &id, &status)) {
        ring(n, 1, true, n->io.head);
        if (id < DEPTH)
            r = &n->queue.slots[id];
        *err = status & 0x7ff ? -EIO : 0;
    }
    spin_unlock(&n->lock);
    return r;
}

static void nvme_poll(struct block_queue *q)
{
    struct nvme *n = q->hardware;
    struct block_request *r;
    int err = 0;

    while ((r = take_done(n, &err)))
        block_complete(r, err);
}

static void nvme_interrupt(void *arg)
{
    struct nvme *n = arg;

    nvme_poll(&n->queue);
}

/* ---- Setting up ---- */

static bool set_enabled(struct nvme *n, bool on)
{
    nv_write(n, REG_CONTROL, on ? CONTROL_SIZES | CONTROL_ENABLE : 0);
    return block_poll_until((nv_read(n, REG_STATUS) & STATUS_READY) == on, n->ready_ms);
}

static int create_io_queues(struct nvme *n)
{
    struct command cq = {.opcode = ADMIN_CREATE_CQ,
                         .prp1 = virt_to_phys((void *)n->io.cq),
                         .dw = {(ENTRIES - 1) << 16 | 1, 3}}; /* contiguous, interrupts */
    struct command sq = {.opcode = ADMIN_CREATE_SQ,
                         .prp1 = virt_to_phys(n->io.sq),
                         .dw = {(ENTRIES - 1) << 16 | 1, 1 << 16 | 1}};
    int err = run_admin(n, &cq);

    return err ? err : run_admin(n, &sq);
}

/* Leaves its interrupt masked: the handler does not take what the admin queue raises it for. */
static int start(struct nvme *n)
{
    if (!set_enabled(n, false))
        return -EIO;
    queue_clear(&n->admin);
    queue_clear(&n->io);
    nv_write(n, REG_ADMIN_SIZES, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    nv_write(n, REG_ADMIN_SQ, virt_to_phys(n->admin.sq));
    nv_write(n, REG_ADMIN_SQ + 4, 0);
    nv_write(n, REG_ADMIN_CQ, virt_to_phys((void *)n->admin.cq));
    nv_write(n, REG_ADMIN_CQ + 4, 0);
    if (!set_enabled(n, true))
        return -EIO;
    nv_write(n, REG_IRQ_MASK, UINT32_MAX);
    return create_io_queues(n);
}

static int nvme_reset(struct block_queue *q)
{
    struct nvme *n = q->hardware;
    int err = start(n);

    nv_write(n, REG_IRQ_CLEAR, UINT32_MAX);
    return err;
}

static const struct block_driver nvme_driver = {
    .name = "NVMe",
    .submit = nvme_submit,
    .poll = nvme_poll,
    .reset = nvme_reset,
};

static bool make_queue(struct queue_pair *q)
{
    q->sq = kalloc_zeroed();
    q->cq = kalloc_zeroed();
    return q->sq && q->cq;
}

static int make_memory(struct nvme *n)
{
    uint64_t *frame = NULL;

    if (!make_queue(&n->admin) || !make_queue(&n->io))
        return -ENOMEM;
    for (unsigned i = 0; i < DEPTH; i++) {
        if (i % LISTS_PER_FRAME == 0)
            frame = kalloc_zeroed();
        if (!frame)
            return -ENOMEM;
        n->list[i] = frame + i % LISTS_PER_FRAME * SEGMENTS;
    }
    return 0;
}

/* Of the controller: cache, size of transfers. [NVMe 1.4, figure 247] */
static int read_controller(struct nvme *n, const uint8_t *page)
{
    uint32_t most = SEGMENTS * PAGE_SIZE;
    unsigned mdts = page[77], min_page = nv_read(n, REG_CAP_HIGH) >> 16 & 0xf;

    if (mdts && mdts + min_page < 8 && most > PAGE_SIZE << (mdts + min_page))
        most = PAGE_SIZE << (mdts + min_page);
    n->queue.max_bytes = most;
    n->queue.has_cache = page[525] & 1;
    return most >= BLOCK_IO_MAX ? 0 : -EIO;
}

/* Of namespace 1: its size and format. */
static int read_namespace(struct nvme *n, const uint8_t *page)
{
    struct block_device *dev = &n->queue.whole;
    uint64_t blocks;
    uint32_t format;

    memcpy(&blocks, page, sizeof(blocks));
    memcpy(&format, page + 128 + 4 * (page[26] & 0xf), sizeof(format));
    n->block_shift = (uint8_t)(format >> 16);
    if (!blocks || (format & 0xffff) || n->block_shift < SECTOR_SHIFT ||
        n->block_shift > PAGE_SHIFT)
        return -EIO;
    n->namespace = 1;
    dev->sectors = blocks << (n->block_shift - SECTOR_SHIFT);
    dev->block_size = dev->physical_size = 1u << n->block_shift;
    snprintf(dev->name, sizeof(dev->name), "nvme%un1", n->controller);
    return 0;
}

static int find_disk(struct nvme *n)
{
    uint8_t *page = kalloc_zeroed();
    int err;

    if (!page)
        return -ENOMEM;
    err = identify(n, 0, 1, page);
    if (!err)
        err = read_controller(n, page);
    if (!err)
        err = identify(n, 1, 0, page);
    if (!err)
        err = read_namespace(n, page);
    kfree(page);
    return err;
}

static int set_up(struct nvme *n, struct pci_device *d)
{
    uint32_t cap;
    int err;

    n->regs = pci_bar_map(d, 0, 0, REGS_BYTES);
    if (!n->regs)
        return -EIO;
    cap = nv_read(n, REG_CAP);
    n->ready_ms = ((cap >> 24) + 1) * 500;
    n->stride = 4u << (nv_read(n, REG_CAP_HIGH) & 0xf);
    if ((cap & 0xffff) + 1 < ENTRIES || 2 * n->stride * 2 > REGS_BYTES - REG_BELLS)
        return -EIO;
    err = make_memory(n);
    if (!err)
        err = start(n);
    if (!err)
        err = find_disk(n);
    if (err)
        return err;
    n->queue.driver = &nvme_driver;
    n->queue.hardware = n;
    n->queue.depth = DEPTH;
    n->queue.max_segments = SEGMENTS;
    n->queue.whole_pages = true;
    n->queue.has_fua = n->queue.solid = true;
    err = disk_pci_irq(d, nvme_interrupt, n);
    if (err)
        klog(LOG_WARN, "NVMe: interrupt line %u cannot be had (error %d)\n", d->line, err);
    nv_write(n, REG_IRQ_CLEAR, UINT32_MAX);
    return block_register(&n->queue, BLOCK_NVME);
}

bool nvme_probe(struct pci_device *d)
{
    static unsigned controllers;
    struct nvme *n;
    int err;

    if (d->class != CLASS_NVME)
        return false;
    n = kzalloc(sizeof(*n));
    if (!n)
        return true;
    pci_enable(d);
    spin_init(&n->lock, "NVMe", LOCK_RANK_LEAF);
    n->controller = controllers++;
    err = set_up(n, d);
    if (err)
        klog(LOG_WARN, "nvme%u: cannot be used (error %d)\n", n->controller, err);
    return true;
}
