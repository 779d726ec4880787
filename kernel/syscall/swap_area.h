/* Swap areas on block devices and in files, as swapon(2) names them. */
#ifndef KERNEL_SYSCALL_SWAP_AREA_H
#define KERNEL_SYSCALL_SWAP_AREA_H

#include "fs/block/block.h"
#include "fs/vfs/vfs.h"
#include "mm/swap.h"

#define SWAP_EXTENT_CHUNKS 16u

/* Slots in a row whose pages lie in a row on the disk. */
struct swap_extent {
    uint32_t slot, count;
    uint64_t sector;
};
#define EXTENTS_PER_CHUNK (PAGE_SIZE / sizeof(struct swap_extent))

struct swap_area {
    struct swap_device device;
    struct block_device *disk;
    struct file *file;                               /* NULL: the area is all of disk */
    struct swap_extent *extents[SWAP_EXTENT_CHUNKS]; /* of a file, by slot; each chunk is a frame */
    unsigned count;                                  /* of extents */
    char name[128];                                  /* as /proc/swaps shows it */
};

/* What f is open on, a block device or a file, taken for swapping; consumes f on success. -EINVAL
 * when it cannot be swapped to, -EBUSY, -ETXTBSY (the file is open for writing). May sleep. */
int swap_area_open(struct file *f, struct swap_area **out);
/* The same for a device without a name. */
int swap_area_of(struct block_device *disk, struct swap_area **out);
void swap_area_close(struct swap_area *a);
/* The area in use on what f is open on, or NULL. */
struct swap_area *swap_area_find(const struct file *f);

uint64_t swap_area_pages(const struct swap_area *a);
/* BLOCK_READ or BLOCK_WRITE of page 0, where the signature is. 0 or -errno. Sleeps. */
int swap_area_header(struct swap_area *a, enum block_op op, void *page);
/* Slots of a file that lie nowhere whole are spoilt; after vm_swap_on. */
void swap_area_spoil_gaps(struct swap_area *a, uint32_t slots);

#endif
