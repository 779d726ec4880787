/*
 * Physical memory and small objects as the rest of the kernel sees them. Sizes are in bytes,
 * figures in frames. None sleeps; every function may be called in any context, unless it says
 * otherwise.
 */
#ifndef MM_MEMORY_H
#define MM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/mmu.h"

/*
 * Once, at boot. usable: page-aligned, sorted, disjoint ranges inside the window; [0, reserved_end)
 * and every other reserved range (kernel image, modules) are already cut out of them. The frame
 * array is placed in the first range that can hold it. Returns -ENOMEM when there is too little.
 */
struct mm_port; /* mm/port.h */
int mm_init(const struct mem_range *usable, unsigned count, const struct mm_port *port);

/* Once, when all processors have started, of several: each has some frames at hand from now on. */
void frames_at_hand(void);

/* One frame of memory, contents undefined; NULL when there is none. Any context. */
void *kalloc(void);
void *kalloc_zeroed(void);
void kfree(void *page);

/* Small objects, 1 to PAGE_SIZE bytes, aligned to 8; of 512, 1024 or 2048 bytes, to their size.
 * NULL when there is no memory. Any context. */
void *kmalloc(size_t size);
void *kzalloc(size_t size);
void kmfree(void *p); /* NULL is allowed */

struct mem_stats {
    uint32_t reserve; /* frames that user pages may not take */
    uint32_t total;   /* all in frames: RAM handed to mm_init */
    uint32_t free;
    uint32_t kernel;                     /* kalloc'd and kmalloc's frames */
    uint32_t slab;                       /* part of kernel: under kmalloc */
    uint32_t tables;                     /* page tables and directories */
    uint32_t anon;                       /* holding anons */
    uint32_t cached;                     /* in objects */
    uint32_t cached_shmem;               /* part of cached: shared anonymous memory */
    uint32_t locked;                     /* in areas that are locked, of all spaces */
    uint64_t minor_faults, major_faults; /* of all spaces, ever */
};
void mm_stats(struct mem_stats *out);
uint32_t vm_total_frames(void); /* mem_stats.total */
uint32_t vm_free_frames(void);  /* mem_stats.free */
void vm_drop_caches(void);      /* clean pages that nobody maps, and spare structures */
void vm_set_failing(bool on);   /* port_allocation_fails() decides of every allocation */
bool vm_make_room(uint32_t n);  /* drops clean pages until n frames are free, if it can */

/* Audits every invariant of mm/; returns the number of violations, each described in the log. */
int mm_check(void);
/* The same while others run. *sums: whether what is counted over all of memory was compared, too:
 * only if nothing changed meanwhile. */
int mm_check_steps(bool *sums);

#endif
