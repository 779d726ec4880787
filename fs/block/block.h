/*
 * Block devices as file systems, swap and /dev see them: whole disks and their partitions.
 *
 * A transfer is a run of frames and a place (struct block_io). It is the caller's memory until its
 * done() is called; nothing is allocated on the way, so that writing to swap needs no memory.
 * Waiting transfers are sorted, and neighbours go to the driver as one request; several requests
 * are under way at once. Order between transfers is the caller's business: what must come after
 * waits for done().
 *
 * Sectors are of 512 bytes, whatever the device's own block is, and count from the start of the
 * device (of the partition). Errors are -errno: -EIO after retries, or beyond the end.
 */
#ifndef FS_BLOCK_BLOCK_H
#define FS_BLOCK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "libc/list.h"

#define SECTOR_SIZE    512u
#define SECTOR_SHIFT   9
#define BLOCK_NAME_MAX 32
#define BLOCK_IO_MAX   (128u * 1024) /* bytes of one transfer; every driver takes that many */
#define BLOCK_IO_PAGES (BLOCK_IO_MAX / 4096u)

struct block_queue;
struct vm_object;

/* What /proc/diskstats shows, times in nanoseconds. */
struct block_stats {
    uint64_t ios[3], merges[3], sectors[3], ns[3]; /* by enum block_op */
    uint64_t busy_ns, weighted_ns; /* some, and how many times, transfer under way */
    uint64_t changed;              /* when in_flight last did */
    uint32_t in_flight;
};

struct block_device {
    char name[BLOCK_NAME_MAX]; /* "sda1" */
    uint32_t number;           /* MKDEV(8, 1) */
    uint64_t sectors;          /* 0: no medium */
    uint32_t block_size;       /* the smallest transfer, and what each is a multiple of */
    uint32_t physical_size;    /* what the medium writes in */
    bool read_only;            /* the medium; see block_is_read_only */
    bool locked;               /* BLKROSET: somebody wants it so */
    bool removable;
    uint64_t start;            /* of a partition, on its disk */
    unsigned partition;        /* its number; 0: a whole disk */
    struct block_device *disk; /* the whole: itself, or a partition's */
    struct block_queue *queue; /* the disk's */
    struct block_stats stats;  /* [queue lock] */

    struct list link;         /* [devices_lock] all, in order of their coming */
    uint32_t refs;            /* [devices_lock] the list, and who holds it */
    uint32_t openers;         /* [devices_lock] */
    void *holder;             /* [devices_lock] who has it for himself alone, or NULL */
    bool gone;                /* [devices_lock] taken off the list */
    bool hidden;              /* in no list of disks while it has no medium: a free loop device */
    struct vm_object *object; /* the page cache, made by the first that asks */
    struct sys_node *node;    /* its directory in /sys */
};

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

#define BLOCK_FUA 1u /* a write that is on the medium when it is done */

/*
 * Bytes [offset, offset + bytes) of the run of pages, from or to sector on. pages: kernel addresses
 * of whole frames; the array, the frames and this structure stay until done(). offset may be
 * beyond the first page, so that parts of one run share an array. bytes and both places are
 * multiples of the device's block; at most BLOCK_IO_MAX; 0 for a flush.
 */
struct block_io {
    struct block_device *dev;
    uint64_t sector;
    void *const *pages;
    uint32_t offset, bytes;
    uint8_t op, flags;                 /* enum block_op, BLOCK_FUA */
    int status;                        /* when done: 0 or -errno, for all of it */
    void (*done)(struct block_io *io); /* maybe from an interrupt; no lock held; must not sleep */
    void *private;                     /* the caller's */

    /* The queue's own. */
    struct list sorted, aged; /* [queue lock] heads of runs, by place and by time */
    struct list run;          /* [queue lock] the transfers that go with it */
    uint64_t at;              /* sector on the disk */
    uint64_t since;           /* when it came, ns */
    uint32_t run_bytes;       /* of a head: all of its run */
    uint16_t run_segments;
    uint8_t tries;
    bool alone;    /* never merged: it was part of a request that failed */
    bool flushing; /* BLOCK_FUA by hand: it is written, and the flush after it is under way */
};

/* Starts a transfer. done() may be called before it returns. Sleeps while too many wait. */
void block_submit(struct block_io *io);
/* Between the two, what is submitted only gathers, so that neighbours meet first. Sleep for nothing
 * but block_submit in between. */
void block_plug(struct block_device *dev);
void block_unplug(struct block_device *dev);

/* The same and waits: any number of bytes, in transfers that are under way together. Allocates
 * nothing. 0 or the first error. */
int block_transfer(struct block_device *dev, enum block_op op, uint64_t sector, void *const *pages,
                   uint32_t offset, uint32_t bytes);
/* Whole pages. */
static inline int block_read(struct block_device *dev, uint64_t sector, void *const *pages,
                             unsigned n)
{
    return block_transfer(dev, BLOCK_READ, sector, pages, 0, n * 4096u);
}
static inline int block_write(struct block_device *dev, uint64_t sector, void *const *pages,
                              unsigned n)
{
    return block_transfer(dev, BLOCK_WRITE, sector, pages, 0, n * 4096u);
}
/* What the page at sector holds is no longer needed; its contents are then anything. Any lock may
 * be held. */
void block_discard_page(struct block_device *dev, uint64_t sector);
/* Whatever was written, and done, before is on the medium after. */
int block_flush(struct block_device *dev);
/* Writes back what the page cache of the device holds, then block_flush. May sleep. */
int block_sync(struct block_device *dev);
/* The same, and forgets the cache, but for what is in use. */
void block_drop_cache(struct block_device *dev);

/* Sectors read from, and written to, all disks since boot. */
void block_totals(uint64_t *read, uint64_t *written);

void block_init(void); /* once, before the first driver registers */

/* ---- Finding and holding ---- */

/* By number, or by name ("sda1"): a reference, or NULL. */
struct block_device *block_find(uint32_t number);
struct block_device *block_find_name(const char *name);
void block_ref(struct block_device *dev);
void block_put(struct block_device *dev);

/*
 * Opens for use; holder: for himself alone among those who say who they are (a mount, swap,
 * O_EXCL), or NULL. A partition and its disk exclude each other's holders too. -EBUSY, -ENOMEDIUM,
 * -EROFS (write, on a read-only device). Takes a reference.
 */
int block_open(struct block_device *dev, bool write, void *holder);
void block_close(struct block_device *dev, void *holder);

/* The page cache of the whole device, which /dev/NAME reads and writes, and a file system's
 * metadata live in. Borrowed: it lives as long as the device. NULL: no memory. */
struct vm_object *block_object(struct block_device *dev);

static inline bool block_is_read_only(const struct block_device *dev)
{
    return dev->read_only || dev->locked || dev->disk->locked;
}

static inline uint64_t block_bytes(const struct block_device *dev)
{
    return dev->sectors << SECTOR_SHIFT;
}

#endif
