/*
 * What can be seen of virtual memory: figures of ranges, frames and size classes, and the trace of
 * faults. For /proc and for debuggers; the paths of faults do not need it.
 */
#ifndef MM_SEE_H
#define MM_SEE_H

#include "mm/vm.h"

/* ---- Seeing it: stats.c -----------------------------------------------------------------------
 *
 * What the page tables hold now, exact for each moment in which vm_lock is held. A long range is
 * walked in bounded steps, between which others may change it.
 */

#define VM_PSS_SHIFT 12 /* pss counts bytes in units of 1/4096, as Linux does */

struct vm_range_stats { /* in pages, but for pss */
    uint32_t resident;
    uint32_t shared_clean, shared_dirty, private_clean, private_dirty; /* their sum */
    uint32_t referenced, anonymous, shmem;
    uint32_t swap; /* private pages, and those of shared memory, that are in swap */
    uint64_t swap_pss;
    uint32_t lazy; /* given up by MADV_FREE, and not written to since */
    uint64_t pss, pss_dirty, pss_anon, pss_shmem;
};
/* Adds what [start, end) maps to *out. */
void vm_range_stats(struct vm_space *s, vaddr_t start, vaddr_t end, struct vm_range_stats *out);

struct vm_page_info {
    pfn_t frame;    /* meaningful when present */
    pte_t entry;    /* the page-table entry itself, 0: none */
    bool file;      /* the frame is of an object */
    bool zero;      /* it is the frame of zeros */
    bool exclusive; /* nobody else maps it */
    bool swapped;   /* it is in swap, at slot */
    uint32_t slot;
};
/* How many frames there are of each kind (FRAME_KINDS); the result has grown with each that was
 * taken or given back since it was asked last: for the audit. */
uint32_t frame_changes(uint32_t *counts);
/* The n pages from va on; n is at most a few hundred. */
void vm_page_info(struct vm_space *s, vaddr_t va, unsigned n, struct vm_page_info *out);
/* The n-th entry of the page directory, 0: none; *present: how many entries of its table are. */
pde_t vm_directory_entry(struct vm_space *s, unsigned n, unsigned *present);
/* The first page in [va, end) of which the space has contents of its own, in memory or in swap; end
 * when there is none. May sleep. */
vaddr_t vm_next_private(struct vm_space *s, vaddr_t va, vaddr_t end);
/* The first page at or above va that is mapped, USER_TOP when there is none. */
vaddr_t vm_next_mapped(struct vm_space *s, vaddr_t va);

enum vm_frame_kind {
    VM_FRAME_RESERVED, /* not mm/'s: the kernel image, modules, devices; or the frame array */
    VM_FRAME_FREE,
    VM_FRAME_KERNEL,
    VM_FRAME_SLAB,
    VM_FRAME_TABLE,
    VM_FRAME_ANON,
    VM_FRAME_FILE,
    VM_FRAME_SHMEM,
    VM_FRAME_ZERO,
};
#define VM_FRAME_DIRTY      0x1 /* the only copy of its contents */
#define VM_FRAME_REFERENCED 0x2
#define VM_FRAME_BUSY       0x4
#define VM_FRAME_COW        0x8  /* anonymous, with several owners: a write copies it */
#define VM_FRAME_WRITING    0x10 /* on its way out */
#define VM_FRAME_IN_SWAP    0x20 /* anonymous, and its slot has the same */
struct vm_frame_info {
    uint8_t kind, flags;
    uint32_t mappings; /* page-table entries that map it */
};
/* The first free frames, at most n, in the order in which they will be handed out: how many. What
 * was never used yet is on no list. */
unsigned vm_free_list(pfn_t *out, unsigned n);
/* The n frames from first on; n is at most a few hundred. */
void vm_frame_info(pfn_t first, unsigned n, struct vm_frame_info *out);
pfn_t vm_frame_end(void); /* above the last frame there is */
struct frame_census {     /* counts that nobody keeps */
    uint32_t mapped_file; /* frames of objects that some space maps */
    /* Frames that may go, by what the policy makes of them: shared memory counts as anonymous. */
    uint32_t active_anon, inactive_anon, active_file, inactive_file;
    uint32_t locked,
        kept; /* those that may not: a locked area maps them; their object keeps them */
};
void vm_frame_census(struct frame_census *out); /* looks at every frame used so far */

#define VM_CLEAR_ALL  1
#define VM_CLEAR_ANON 2
#define VM_CLEAR_FILE 3
void vm_clear_referenced(struct vm_space *s, int which); /* VM_CLEAR_* */
void vm_reset_peak(struct vm_space *s);                  /* peak_resident starts over */

struct kmalloc_stats {
    uint32_t size;          /* of an object */
    uint32_t used, objects; /* handed out; that fit into the frames */
    uint32_t frames;
};
/* One size class, from 0 on; false when there is none. */
bool kmalloc_stats(unsigned size_class, struct kmalloc_stats *out);

/* ---- The traces: trace.c ---- */

/* The rows of the fault table; what each means is at the head of fault.c. */
enum vm_fault_case {
    VM_CASE_ZERO_READ,  /* 0: the zero frame, read-only */
    VM_CASE_ZERO_WRITE, /* 0: a zeroed frame */
    VM_CASE_OWN,        /* 1A: one owner */
    VM_CASE_SHARE,      /* 1A: several owners, a read */
    VM_CASE_COPY,       /* 1B: several owners, a write */
    VM_CASE_CACHED,     /* 2A: the object's frame itself */
    VM_CASE_COPY_FILE,  /* 2B: a private copy of it */
    VM_CASE_SPURIOUS,   /* the entry was right already */
    VM_CASE_BAD_ADDRESS,
    VM_CASE_BAD_ACCESS,
    VM_CASE_PAST_END,
    VM_CASE_NO_MEMORY,
};

enum vm_area_kind {
    VM_AREA_NONE,
    VM_AREA_ANON,
    VM_AREA_HEAP,
    VM_AREA_STACK,
    VM_AREA_FILE,
    VM_AREA_SHARED_FILE,
    VM_AREA_SHARED_ANON,
};

#define VM_EVENT_WRITE  0x1
#define VM_EVENT_MAJOR  0x2 /* the page had to be brought in (2S) */
#define VM_EVENT_GREW   0x4 /* a stack grew to reach it */
#define VM_EVENT_MAPPED 0x8 /* the page was mapped before, with less rights or another frame */

struct vm_fault_event {
    uint64_t time_ns;    /* since boot */
    int32_t pid, parent; /* who ran */
    vaddr_t addr;
    pfn_t frame;         /* mapped there afterwards; 0: none */
    uint32_t cycles;     /* inside vm_fault, sleeps included */
    vaddr_t area;        /* its start */
    uint8_t why;         /* enum vm_fault_case */
    uint8_t kind;        /* enum vm_area_kind */
    uint8_t prot, flags; /* VM_PROT_* of the area, VM_EVENT_* */
    uint32_t around;     /* more pages that it mapped, without a fault of their own */
    uint32_t slot;       /* where it was in swap (1S); 0: nowhere */
    uint32_t waited;     /* microseconds for what had to be had first */
    uint32_t cpu;
};

int vm_trace_start(void); /* empties the ring and records from now on; -ENOMEM */
void vm_trace_stop(void); /* what was recorded stays */
void vm_trace_drop(void); /* stops, gives back the memory */
bool vm_trace_is_on(void);
/*
 * Copies up to n events from number *number on, which moves past them; 0 is the beginning. Returns
 * how many; *lost: how many the ring had forgotten before them.
 */
unsigned vm_trace_read(uint64_t *number, struct vm_fault_event *out, unsigned n, uint32_t *lost);

/* What became of a page that the clock hand passed by. */
enum vm_pageout_fate {
    VM_PAGE_SPARED,  /* it was used since the hand last passed */
    VM_PAGE_AGED,    /* it was not, but has rounds left */
    VM_PAGE_STAYED,  /* it should go, and cannot: locked, or nowhere to go */
    VM_PAGE_DROPPED, /* clean: it can be had again */
    VM_PAGE_SENT,    /* on its way: to its file, or to slot */
};

struct vm_pageout_event {
    uint64_t time_ns;
    int32_t pid; /* who moved the hand: the pageout thread, or who needed memory himself */
    pfn_t frame;
    uint32_t page; /* ANON: the page number where it is mapped, 0: nowhere; else of its object */
    uint32_t slot; /* in swap, 0: none */
    uint8_t kind;  /* VM_FRAME_ANON, _FILE, _SHMEM */
    uint8_t fate;  /* enum vm_pageout_fate */
    uint8_t before, after; /* what the policy remembers of it: policy.c */
    bool used;             /* since the hand last passed */
};

int vm_pageout_trace(bool on);    /* as vm_trace_start() and _stop() */
void vm_pageout_trace_drop(void); /* as vm_trace_drop() */
unsigned vm_pageout_read(uint64_t *number, struct vm_pageout_event *out, unsigned n,
                         uint32_t *lost);
void vm_pageout_state(bool *on, pfn_t *hand); /* the last frame that the hand looked at */
/* The hand passes once over all frames, whether memory is short or not. Sleeps. */
void vm_pageout_round(void);

#endif
