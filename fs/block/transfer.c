/* Transfers that are waited for. */
#include "arch/cpu.h"
#include "fs/block/internal.h"
#include "fs/block/loop.h"

#define AT_ONCE 4 /* transfers of one caller under way together */
#define QUEUES  16

struct batch {
    unsigned left; /* atomic */
    int err;
};

/* Where batches are waited for, by their address: a waker touches no batch that may be gone. */
static struct waitq queues[QUEUES];

void block_init(void)
{
    for (int i = 0; i < QUEUES; i++)
        waitq_init(&queues[i]);
    loop_init();
}

static struct waitq *queue_of(const struct batch *b)
{
    return &queues[(uintptr_t)b / 64 % QUEUES];
}

static void transfer_done(struct block_io *io)
{
    struct batch *b = io->private;
    struct waitq *q = queue_of(b);

    if (io->status)
        b->err = io->status;
    if (__atomic_sub_fetch(&b->left, 1, __ATOMIC_ACQ_REL) == 0)
        wake_all(q);
}

static int wait_for(struct batch *b)
{
    wait_event(queue_of(b), __atomic_load_n(&b->left, __ATOMIC_ACQUIRE) == 0);
    return b->err;
}

int block_transfer(struct block_device *dev, enum block_op op, uint64_t sector, void *const *pages,
                   uint32_t offset, uint32_t bytes)
{
    int err = 0;

    while (bytes && !err) {
        struct block_io io[AT_ONCE];
        struct batch b = {.left = AT_ONCE};
        unsigned n = 0;

        block_plug(dev);
        for (; n < AT_ONCE && bytes; n++) {
            uint32_t now = bytes < BLOCK_IO_MAX ? bytes : BLOCK_IO_MAX;

            io[n] = (struct block_io){.dev = dev,
                                      .sector = sector,
                                      .pages = pages,
                                      .bytes = now,
                                      .offset = offset,
                                      .op = (uint8_t)op,
                                      .done = transfer_done,
                                      .private = &b};
            block_submit(&io[n]);
            sector += now >> SECTOR_SHIFT;
            offset += now;
            bytes -= now;
        }
        block_unplug(dev);
        if (n == AT_ONCE || __atomic_sub_fetch(&b.left, AT_ONCE - n, __ATOMIC_ACQ_REL))
            wait_for(&b);
        err = b.err;
    }
    return err;
}

int block_flush(struct block_device *dev)
{
    struct batch b = {.left = 1};
    struct block_io io = {.dev = dev, .op = BLOCK_FLUSH, .done = transfer_done, .private = &b};

    block_submit(&io);
    return wait_for(&b);
}
