/* Between the files of mm/reclaim/. */
#ifndef MM_RECLAIM_RECLAIM_H
#define MM_RECLAIM_RECLAIM_H

#include "mm/mm.h"
#include "mm/swap.h"

/* ---- policy.c ---- */

/* What the policy remembers of a page is 0 for one that is new; see also mm.h. */
#define POLICY_REFAULT 1u /* the state of a page that comes back soon */

/* The hand passes by a page that was or was not used since it last did. True: it may go; else
 * *state is changed. */
bool policy_pass(uint8_t *state, bool used);
/* For a memory of so many frames: as long as a quarter of them is a page remembered that went. */
void policy_init(uint32_t frames);

/* ---- swap.c ---- */

void swap_init(void);

/* Up to want slots in a row; how many, the first in *slot. 0: there are none. [v] */
unsigned swap_alloc(unsigned want, uint32_t *slot);
bool swap_room(void);  /* whether swap_alloc would find one [v] */
bool swap_tight(void); /* slots are short: those of pages in memory are better freed [v] */
/* Before swap_read, which ends it: the area must stay even if the slot is freed meanwhile. [v] */
void swap_hold(uint32_t slot);
/* As the device's. Sleep, not [v]. */
int swap_read(uint32_t slot, unsigned n, void *const *pages);
int swap_write(uint32_t slot, unsigned n, void *const *pages);
/* What became of that: an area that takes no more rests for a while, one that fails again and again
 * gets no more pages; what is in it stays. [v] */
void swap_judge(uint32_t slot, int written);

/* For the audit: whether a slot is taken; how many are, their sum, and how many of them belong to
 * runs that are on their way. [v] */
bool swap_owned(uint32_t slot);
/* spend is called every few slots, and may let go of vm_lock. [v] */
void swap_audit(uint32_t *used, uint32_t *sum, uint32_t *on_their_way, void (*spend)(void *),
                void *arg);
extern uint32_t slots_on_their_way; /* [v] */
/* Every page in one of so many slots from first on comes back into memory, and their slots are
 * freed. -ENOMEM, -EIO. Sleeps. */
int swap_in_all(uint32_t first, uint32_t slots);

/* ---- swap_out.c ---- */

/* Pages on their way to swap, to slots in a row. */
struct swap_run {
    uint32_t slot;
    unsigned count;
    void *page[VM_RUN_MAX];
};
/* f is dirty and has no home: gathers it and its neighbours. False: no slot. [v] */
bool swap_gather(struct frame *f, struct swap_run *run);
/* Writes them and frees those nobody used meanwhile. How many. Sleeps, not [v]. */
unsigned swap_out(struct swap_run *run);
/* A resident anon or page of an object that is clean gives its frame up; whether it did. [v] */
bool page_evict(struct frame *f);

/* ---- pageout.c ---- */

static inline bool frame_is_lazy(const struct frame *f)
{
    return f->kind == FRAME_ANON && (f->flags & FRAME_LAZY);
}

/* Runs that were gathered and wait to be written: an object's, or to swap. */
struct outgoing {
    struct vm_object *object; /* NULL: it is the other */
    struct vm_run run;
    struct swap_run swap;
    bool may_write; /* else only what can be dropped goes */
    bool swap_room; /* else it is no use to look at what has no home */
    uint32_t hopes; /* pages looked at that stay, but may go at another round */
    uint32_t scanned;
};
/* f goes, whatever the policy thinks of it: at once, or, if that is true, by a reclaim_send(). What
 * is locked or in use stays. [v] */
bool reclaim_gather(struct frame *f, struct outgoing *out);
/* Writes them, frees those nobody used meanwhile. How many. Sleeps, not [v]. */
unsigned reclaim_send(struct outgoing *out);

extern struct vm_events events; /* [v] */

#endif
