/*
 * Swap as the rest of the kernel sees it: where pages without a file go when memory is short.
 *
 * A swap device holds pages by slot number, from 1 on (slot 0 is the signature's). What it is, a
 * partition, a file or compressed memory, is known behind its functions only.
 */
#ifndef MM_SWAP_H
#define MM_SWAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_SWAP_AREAS     8
#define VM_SWAP_SLOTS_MAX 0x00ffffffu

struct swap_device {
    /* n pages from slot on; pages: kernel addresses of frames. May sleep. They allocate nothing
     * that memory pressure could deny. */
    int (*read)(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages);
    /* Returns how many it wrote, counted from the first, or -errno: -ENOSPC, -EIO. */
    int (*write)(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages);
    /* The contents of a slot are no longer needed. Under vm_lock: must not sleep. May be NULL. */
    void (*forget)(struct swap_device *d, uint32_t slot);
    void *private;
    const char *name, *type; /* as /proc/swaps shows them */
};

/* Slots 1 to slots - 1 of d are for swapping from now on. A negative priority: after all others, in
 * order of coming. -ENOMEM -EBUSY (too many areas) -EINVAL */
int vm_swap_on(struct swap_device *d, uint32_t slots, int priority);
/* A bad block: that slot is never used. Right after vm_swap_on. */
void vm_swap_spoil(struct swap_device *d, uint32_t slot);
/* Brings back all that is there; -ENOMEM: it does not fit, and the area stays in use. -EINVAL: no
 * such area. Sleeps. */
int vm_swap_off(struct swap_device *d);

struct vm_swap_info {
    struct swap_device *device;
    int priority;
    uint32_t slots, used; /* without slot 0 and spoilt ones */
};
/* The areas in order of their coming, from 0 on; false when there are no more. */
bool vm_swap_info(unsigned number, struct vm_swap_info *out);

/* Area and place of a slot in words without blanks: "zram0:17". */
void vm_swap_place(uint32_t slot, char *buf, size_t size);

struct vm_swap_stats { /* pages */
    uint32_t total, used;
    uint32_t cached; /* in memory as well, the slot still valid */
};
void vm_swap_stats(struct vm_swap_stats *out);

/* /proc/vmstat by Linux's names; ever since boot. */
struct vm_events {
    uint64_t pgscan_kswapd, pgscan_direct, pgsteal_kswapd, pgsteal_direct;
    uint64_t pgscan_anon, pgscan_file, pgsteal_anon, pgsteal_file;
    uint64_t pgactivate, pgdeactivate; /* became, ceased to be, a page that stays several rounds */
    uint64_t pglazyfreed;              /* went after MADV_FREE */
    uint64_t pswpin, pswpout;
    uint64_t workingset_refault_anon, workingset_refault_file;
    uint64_t allocstall; /* somebody had to make memory free himself */
    uint64_t pageoutrun; /* the thread had to run */
    uint64_t oom_kill;
};
void vm_events(struct vm_events *out);
void vm_event_oom_kill(void);

/* The pageout thread's life: sleeps until memory is short, makes it free, and so on for ever. */
_Noreturn void vm_pageout_thread(void);
bool vm_pageout_step(void); /* a batch of that; whether it freed any */

#endif
