/*
 * What a driver of disks gives, and what it gets.
 *
 * It gives struct block_driver and calls block_register() once it knows its disk. From then on
 * submit() starts requests, each of which ends in one block_complete(). It knows neither files nor
 * processes, retries nothing, and keeps no list of what waits.
 */
#ifndef FS_BLOCK_DRIVER_H
#define FS_BLOCK_DRIVER_H

#include "arch/lock.h"
#include "arch/mmu.h"
#include "fs/block/block.h"
#include "fs/block/elevator.h"
#include "kernel/thread/sched.h"
#include "kernel/time/time.h"

#define BLOCK_DEPTH_MAX 32u

/* A request: a run of transfers that lie side by side on the disk, all of one kind. */
struct block_request {
    struct block_queue *queue;
    uint8_t tag;       /* its index: below the driver's depth, and no other's while it lasts */
    uint8_t op, flags; /* as of struct block_io */
    bool expired;      /* it took too long: counts as a try */
    uint64_t sector;   /* on the disk */
    uint32_t bytes;
    uint16_t segments; /* at most as many pieces as this */
    struct list ios;   /* the transfers, by place */
    uint64_t since;    /* when it was started, ns */
};

struct block_driver {
    const char *name;
    /* Starts r. Called with the queue's lock held and interrupts off; never calls block_complete
     * itself. */
    void (*submit)(struct block_queue *q, struct block_request *r);
    /* Looks for what has completed, as its interrupt does: that one may have been lost. */
    void (*poll)(struct block_queue *q);
    /* Stops everything and makes the hardware usable again; may sleep. After it no request is under
     * way in the hardware, nor completed late. -EIO: it is beyond that. */
    int (*reset)(struct block_queue *q);
    /* What ioctl(2) asks that only the driver knows; -ENOTTY: nor does it. May be NULL. */
    long (*ioctl)(struct block_device *dev, uint32_t cmd, uint32_t arg);
    /* The last who had it open has closed it. May sleep. May be NULL. */
    void (*closed)(struct block_device *dev);
    /* A disk that is memory carries each transfer out at once, in its caller's context, instead of
     * the first three. 0 or -errno. */
    int (*move)(struct block_queue *q, const struct block_io *io);
    /* The contents of the page at a sector are no longer needed. Any lock may be held. May be NULL.
     */
    void (*discard)(struct block_queue *q, uint64_t sector);
};

struct block_queue {
    struct spinlock lock;
    const struct block_driver *driver;
    void *hardware; /* the driver's own */
    unsigned depth; /* requests at once */
    unsigned max_segments;
    uint32_t max_bytes; /* of a request */
    bool whole_pages;   /* pieces meet at the ends of pages: all but the first start at 0 */
    bool has_cache;     /* a flush means something */
    bool has_fua;       /* a write may carry BLOCK_FUA */
    bool solid;         /* nothing in it moves */
    char model[41], firmware[9]; /* of an ATA disk or drive; else empty */
    uint32_t timeout_ms;         /* of a request */
    struct block_device whole;
    struct list all; /* [queues_lock] */

    struct block_request slots[BLOCK_DEPTH_MAX];
    uint32_t free_slots;     /* [lock] a bit each */
    struct elevator waiting; /* [lock] */
    struct list flushes;     /* [lock] */
    unsigned plugged;        /* [lock] */
    bool recovering;         /* [lock] reset() is at work: nothing is started */
    bool want_reset;         /* [lock] */
    bool dead;               /* [lock] beyond repair: everything is -EIO */
    bool throttled;          /* [lock] somebody waits for room */
    uint64_t told_since;     /* errors in the log: since when they are counted, and how many */
    unsigned told;
    struct waitq room;
    struct timer watch; /* runs while requests are under way */
};

/* Kinds of disks, each with Linux's names and numbers. */
enum block_kind {
    BLOCK_SD,   /* sda, sdb..: 8:0, 8:16.. */
    BLOCK_VD,   /* vda..: 254:0, 254:16.. */
    BLOCK_NVME, /* nvme0n1..: 259:0.., named by the driver */
    BLOCK_SR,   /* sr0..: 11:0.. */
    BLOCK_LOOP, /* loop0..: 7:0.. */
    BLOCK_ZRAM, /* zram0: 252:0 */
};

/*
 * Fills in what follows from the rest, and makes the disk, and what partitions it has, known. q is
 * zeroed but for driver, hardware, depth, max_segments, max_bytes, whole_pages, has_*, timeout_ms
 * and, of whole, sectors, block_size, physical_size, read_only, removable, and name (BLOCK_NVME,
 * BLOCK_LOOP, that with a number). May sleep: reads the disk. It stays for good.
 */
int block_register(struct block_queue *q, enum block_kind kind);

/* r is over: 0 or -errno, for all of it. Any context, no lock held. */
void block_complete(struct block_request *r, int status);
/* Something is wrong: reset() will be called, and what is under way is tried again. Any context. */
void block_want_reset(struct block_queue *q);

/* The pieces of a request, in order: physical address and length, pieces that touch joined. */
struct block_cursor {
    const struct block_request *request;
    const struct block_io *io;
    uint32_t within; /* bytes of io that are done */
};
void block_cursor_init(struct block_cursor *c, const struct block_request *r);
/* The next piece, at most max bytes of it; false: no more. */
bool block_cursor_next(struct block_cursor *c, uint32_t max, paddr_t *pa, uint32_t *len);

/* Waits in a thread, by the clock, at most ms for cond. */
#define block_poll_until(cond, ms)                                                                 \
    ({                                                                                             \
        uint64_t end_ = time_mono_ns() + (uint64_t)(ms)*1000000u;                                  \
        bool met_;                                                                                 \
        unsigned turn_ = 0;                                                                        \
        while (!(met_ = (cond)) && time_mono_ns() < end_)                                          \
            block_pause(turn_++);                                                                  \
        met_;                                                                                      \
    })
/* The first turns are a microsecond each, later ones sleep for a tick. */
void block_pause(unsigned turn);

#endif
