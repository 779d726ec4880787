/*
 * The virtual memory as the rest of the kernel sees it. mm/mm.h, behind it, is mm/'s own.
 *
 * Addresses and lengths are in bytes, object indexes in pages. Errors are -errno. Unless it says
 * "may sleep", a function does not; every one may be called with no spin lock held, none with one.
 */
#ifndef MM_VM_H
#define MM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/mmu.h"
#include "arch/user.h"

struct vm_space;
struct vm_object;
struct frame;

/* ---- Physical memory ---- */

/*
 * Once, at boot. usable: page-aligned, sorted, disjoint ranges inside the window; [0, reserved_end)
 * and every other reserved range (kernel image, modules) are already cut out of them. The frame
 * array is placed in the first range that can hold it. Returns -ENOMEM when there is too little.
 */
struct mm_port; /* mm/port.h */
int mm_init(const struct mem_range *usable, unsigned count, const struct mm_port *port);

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
    uint32_t total; /* all in frames: RAM handed to mm_init */
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

/* ---- Objects: what supplies pages by index ---- */

#define VM_RUN_MAX 16 /* pages in one piece of work for a pager */

/* Neighbouring pages of an object that a pager is at work on. */
struct vm_run {
    uint32_t index;         /* of the first page */
    unsigned count;         /* 1 to VM_RUN_MAX */
    void *page[VM_RUN_MAX]; /* the frames, by their kernel addresses; virt_to_phys() applies */
    bool fresh;             /* out, get(): the first page was made up (zeros): a minor fault */
};

/*
 * How pages get into an object and out of it. A pager is called by bring_in() and by write-back
 * only, never under a spin lock, and may sleep. Several runs of one object may be under way at
 * once, never the same page twice in the same direction; a page that is being put may be read and
 * written meanwhile, and is then put again.
 */
struct pager {
    const char *name;
    /*
     * Fills the pages of the run, whose contents are undefined; what lies past the end of the
     * object becomes zeros. Returns how many it filled, counted from the first, at least one; or
     * -errno for the first (-ENOSPC and -ENOMEM are passed on by file I/O, others are -EIO). What
     * it did not fill is asked for again when somebody needs it, so an error in the middle of a run
     * meets only who asked for that page. vm_object_pages() counts the pages of the run already.
     */
    int (*get)(struct vm_object *o, struct vm_run *run);
    /*
     * Writes dirty pages to where get() will find them. Returns how many it wrote, counted from the
     * first, at least one; or -errno for the first, which stays dirty. The object may have become
     * shorter since. NULL: the object's pages are their only home.
     */
    int (*put)(struct vm_object *o, const struct vm_run *run);
    /* The page is about to be written to for the first time: makes sure of a place where put() can
     * leave it. May be NULL. -ENOSPC, -EIO: the write fails, or the fault is SIGBUS. */
    int (*reserve)(struct vm_object *o, uint32_t index);
    /* How many pages a sequence of faults or reads is worth bringing in ahead; 0 and 1: none. */
    unsigned ahead;
    /* Whether get() would give zeros for this page and all that follow: then a hole may be punched
     * by dropping them, and read without making them. [v], must not sleep. May be NULL: no. */
    bool (*zero_behind)(const struct vm_object *o, uint32_t index);
    /* An area that mapped it is gone. May sleep. May be NULL; if not, its areas are never joined.
     */
    void (*unmapped)(struct vm_object *o);
    /* The last reference is gone and so are the pages. May be NULL. */
    void (*destroy)(struct vm_object *o);
    /* Writes the name shown in /proc/PID/maps into buf; gives inode and device numbers. May be
     * NULL. */
    void (*describe)(struct vm_object *o, char *buf, size_t size, uint32_t *ino, uint32_t *dev);
    bool shared_memory; /* memory that programs share, not a file's: counted apart */
};

/* private: the pager's own (a file system keeps its inode there); see vm_object_private(). */
struct vm_object *vm_object_create(const struct pager *pager, void *private, uint64_t size);
/* get and zero_behind of a pager with nothing behind it. */
int vm_zero_get(struct vm_object *o, struct vm_run *run);
bool vm_zero_behind(const struct vm_object *o, uint32_t index);
struct vm_object *vm_object_create_anon(uint64_t size); /* shared anonymous memory, zero-filled */
void *vm_object_private(const struct vm_object *o);
void vm_object_ref(struct vm_object *o);
void vm_object_unref(struct vm_object *o); /* may sleep (destroy) */
uint64_t vm_object_size(const struct vm_object *o);
uint32_t vm_object_pages(const struct vm_object *o);   /* that it has, in memory or in swap */
uint32_t vm_object_swapped(const struct vm_object *o); /* part of these: in swap */

/*
 * Sets the size. Shrinking unmaps and frees the pages past the end and zeroes the tail of the last
 * page; accesses through mappings then get SIGBUS. May sleep.
 */
int vm_object_resize(struct vm_object *o, uint64_t size);

/* Zeroes a range, giving frames back where the pager allows; the size stays. May sleep. */
int vm_object_punch(struct vm_object *o, uint64_t from, uint64_t len);
/* The first page at or after *index that was ever written to. */
bool vm_object_next_dirty(struct vm_object *o, uint32_t *index);
uint32_t vm_object_areas(struct vm_object *o); /* how many map it */
/* From now on -EPERM to map it shared and writable, or so that it could become; false, and nothing
 * changes, when somebody has. */
bool vm_object_deny_writers(struct vm_object *o);
/* Counts all of a shared object as promised memory, until it goes; false: too much of that. */
bool vm_object_promise(struct vm_object *o);
int vm_object_touch(struct vm_object *o, uint32_t index); /* makes a page resident; may sleep */
/*
 * Writes the dirty pages of [first, end) back, if there is where to, and waits until they are
 * there. The first error; what could not be written stays dirty. May sleep.
 */
int vm_object_sync_range(struct vm_object *o, uint32_t first, uint32_t end);
int vm_object_sync(struct vm_object *o); /* all of it */
/* The pages of [first, end) are no longer what is behind them: they go, dirty or not, once nothing
 * is at work on them. May sleep. */
void vm_object_forget(struct vm_object *o, uint32_t first, uint64_t end);

void vm_object_drop(struct vm_object *o); /* its clean pages that nobody maps */

/*
 * File I/O over the page cache: the very frames that mmap maps. ubuf is user memory. Return bytes
 * moved; a short count when a fault stopped it part-way, -EFAULT or -EIO, -ENOMEM when nothing was
 * moved. Reads stop at the end of the object; writes extend it. May sleep.
 */
long vm_object_read(struct vm_object *o, uint64_t offset, void __user *ubuf, size_t len);
long vm_object_write(struct vm_object *o, uint64_t offset, const void __user *ubuf, size_t len);
/* The same to and from kernel memory. */
long vm_object_read_kernel(struct vm_object *o, uint64_t offset, void *buf, size_t len);
long vm_object_write_kernel(struct vm_object *o, uint64_t offset, const void *buf, size_t len);

/* ---- Spaces ---- */

#define VM_PROT_READ      1
#define VM_PROT_WRITE     2
#define VM_PROT_EXEC      4
#define VM_PROT_GROWSDOWN 0x10 /* vm_protect's argument only */
#define VM_PROT_GROWSUP   0x20

#define VM_SHARED      0x01   /* writes go to the object, not to an anon */
#define VM_GROWSDOWN   0x02   /* a stack: grows towards lower addresses on a fault */
#define VM_HEAP        0x04   /* brk's area */
#define VM_STACK       0x08   /* the initial stack: shown as [stack] */
#define VM_FIXED       0x10   /* argument only: exactly there, replacing what is there */
#define VM_NOREPLACE   0x20   /* argument only, with VM_FIXED: -EEXIST instead */
#define VM_NORESERVE   0x40   /* not counted as a promise of memory */
#define VM_LOCKED      0x80   /* mlock: reclaim leaves its pages alone */
#define VM_LOCKONFAULT 0x100  /* with VM_LOCKED: pages are locked as they come */
#define VM_DONTFORK    0x200  /* madvise: not in a child */
#define VM_WIPEONFORK  0x400  /* madvise: empty in a child */
#define VM_RANDOM      0x800  /* madvise: no pages around a fault */
#define VM_SEQUENTIAL  0x1000 /* madvise: many pages ahead of a fault */

struct vm_mapping {
    vaddr_t addr;             /* a hint, or the place with VM_FIXED; page-aligned */
    size_t len;               /* rounded up to pages */
    uint8_t prot;             /* VM_PROT_* now */
    uint8_t maxprot;          /* the most mprotect may ever give */
    uint16_t flags;           /* VM_* */
    struct vm_object *object; /* NULL: anonymous. A reference is taken, not consumed. */
    uint32_t pgoff;           /* index in object of the first page */
};

struct vm_limits { /* bytes; UINT32_MAX is no limit */
    uint32_t stack, data, as;
};

struct vm_space *vm_space_create(void);                              /* NULL: no memory */
int vm_space_fork(struct vm_space *parent, struct vm_space **child); /* COW copy */
void vm_space_ref(struct vm_space *s);
void vm_space_unref(struct vm_space *s);    /* the last one tears down; may sleep */
void vm_space_activate(struct vm_space *s); /* load its tables; NULL: kernel only */
void vm_space_set_limits(struct vm_space *s, const struct vm_limits *limits);

/* The place chosen is stored in *out (may be NULL). -ENOMEM -EINVAL -EEXIST -EPERM. May sleep. */
int vm_map(struct vm_space *s, const struct vm_mapping *m, vaddr_t *out);
int vm_unmap(struct vm_space *s, vaddr_t addr, size_t len); /* may sleep */
/* prot: VM_PROT_*, with one of GROWSDOWN and GROWSUP if the range shall reach to the start (end) of
 * an area that grows that way; none grows up. */
int vm_protect(struct vm_space *s, vaddr_t addr, size_t len, uint8_t prot);
#define VM_REMAP_MAYMOVE   1 /* MREMAP_* */
#define VM_REMAP_FIXED     2
#define VM_REMAP_DONTUNMAP 4
struct vm_remap { /* mremap(2)'s arguments */
    vaddr_t addr;
    size_t old_len, new_len;
    unsigned flags;
    vaddr_t new_addr;
    uint32_t lock_max; /* pages that may be locked in all */
};
/* mremap(2), with its errors. May sleep. */
int vm_remap(struct vm_space *s, const struct vm_remap *wanted, vaddr_t *out);

enum vm_advice { /* MADV_* of man 2 madvise */
                 VM_ADVICE_NORMAL = 0,
                 VM_ADVICE_RANDOM = 1,
                 VM_ADVICE_SEQUENTIAL = 2,
                 VM_ADVICE_WILLNEED = 3,
                 VM_ADVICE_DONTNEED = 4,
                 VM_ADVICE_FREE = 8,
                 VM_ADVICE_REMOVE = 9,
                 VM_ADVICE_DONTFORK = 10,
                 VM_ADVICE_DOFORK = 11,
                 VM_ADVICE_WIPEONFORK = 18,
                 VM_ADVICE_KEEPONFORK = 19,
                 VM_ADVICE_COLD = 20,
                 VM_ADVICE_PAGEOUT = 21,
                 VM_ADVICE_POPULATE_READ = 22,
                 VM_ADVICE_POPULATE_WRITE = 23,
                 VM_ADVICE_DONTNEED_LOCKED = 24,
};
/* madvise(2), with its errors; what is not in the enum is -EINVAL. May sleep. */
int vm_advise(struct vm_space *s, vaddr_t addr, size_t len, int advice);
/* One byte a page into vec (kernel memory, len in pages): 1 in memory. -ENOMEM over a hole. */
int vm_resident(struct vm_space *s, vaddr_t addr, uint32_t pages, uint8_t *vec);
/* msync(2): writes dirty pages back if sync. -ENOMEM over a hole, -EBUSY to invalidate locked ones.
 */
int vm_sync(struct vm_space *s, vaddr_t addr, size_t len, bool sync, bool invalidate);
/* mlock, mlock2 (flags VM_LOCKED or with VM_LOCKONFAULT) and munlock (0). max: pages that may be
 * locked in all. -ENOMEM over a hole or beyond max. May sleep. */
int vm_lock_range(struct vm_space *s, vaddr_t addr, size_t len, uint16_t flags, uint32_t max);
/* mlockall: flags for what is there (0: leave it) and for what will be; munlockall: both 0. */
int vm_lock_all(struct vm_space *s, uint16_t now, uint16_t future, bool unlock, uint32_t max);
uint32_t vm_locked_pages(struct vm_space *s);
uint16_t vm_future_flags(struct vm_space *s);
/* Faults in what the program may touch in the range, but for VM_LOCKONFAULT; what an area refuses
 * ends it there. The first refusal: -EINVAL by its rights, -EFAULT past the end of its file,
 * -ENOMEM. May sleep. */
int vm_populate(struct vm_space *s, vaddr_t addr, size_t len);
/* remap_file_pages(2), as Linux emulates it. */
int vm_remap_file_pages(struct vm_space *s, vaddr_t addr, size_t len, uint32_t pgoff);

extern uint32_t vm_max_areas; /* of one space: /proc/sys/vm/max_map_count */

enum { VM_OVERCOMMIT_GUESS, VM_OVERCOMMIT_ALWAYS, VM_OVERCOMMIT_NEVER };
struct vm_overcommit {
    uint32_t mode, ratio, kbytes; /* as in /proc/sys/vm/overcommit_{memory,ratio,kbytes} */
    uint32_t committed, limit;    /* out: pages */
};
void vm_overcommit_get(struct vm_overcommit *out);
int vm_overcommit_set(const struct vm_overcommit *wanted);

/* brk(2): sets the break if it can, returns the break as it is then. */
vaddr_t vm_brk(struct vm_space *s, vaddr_t addr);
void vm_set_brk_base(struct vm_space *s, vaddr_t addr); /* exec: where the heap starts */
/* exec: places for mappings are sought so far below the usual one, to be hard to foresee. */
void vm_set_mmap_shift(struct vm_space *s, uint32_t bytes);

enum vm_access { VM_READ, VM_WRITE };

enum vm_result {
    VM_MINOR,       /* resolved, the page was in memory */
    VM_MAJOR,       /* resolved, it had to be brought in */
    VM_BAD_ADDRESS, /* SIGSEGV, SEGV_MAPERR */
    VM_BAD_ACCESS,  /* SIGSEGV, SEGV_ACCERR */
    VM_PAST_END,    /* SIGBUS, BUS_ADRERR */
    VM_NO_MEMORY,   /* kill somebody and try again */
};

/* Resolves a page fault at addr. May sleep. */
enum vm_result vm_fault(struct vm_space *s, vaddr_t addr, enum vm_access access);

/*
 * Access to the memory of a space that need not be the current one, as the program itself would
 * (faulting pages in, copying on write): for exec's stack, ptrace, /proc/PID/mem. Return bytes
 * copied, short or -EFAULT where it stopped. May sleep.
 */
long vm_copy_to(struct vm_space *s, vaddr_t addr, const void *src, size_t len);
long vm_copy_from(struct vm_space *s, void *dst, vaddr_t addr, size_t len);

struct vm_area_info {
    vaddr_t start, end;
    uint8_t prot, maxprot;
    uint16_t flags;
    uint32_t pgoff;                 /* meaningful with an object */
    const struct vm_object *object; /* which, without a reference: only to compare */
    uint32_t ino, dev;
    char name[128]; /* path, "[heap]", "[stack]" or "" */
};
/* The first area that ends above addr; false when there is none. May sleep. */
bool vm_next_area(struct vm_space *s, vaddr_t addr, struct vm_area_info *out);
/* The area that addr lies in or is nearest to; false when there are none. May sleep. */
bool vm_nearest_area(struct vm_space *s, vaddr_t addr, struct vm_area_info *out);

struct vm_space_stats {         /* in pages */
    uint32_t size;              /* all areas */
    uint32_t resident;          /* mapped frames */
    uint32_t resident_file;     /* part of resident: object frames */
    uint32_t peak_resident;     /* the most it ever was */
    uint32_t text, data, stack; /* areas: executable, private writable, stacks */
    uint32_t peak_size;         /* the most that size ever was */
    uint32_t locked;            /* areas: mlock */
    vaddr_t brk_start, brk;
};
uint32_t vm_space_swapped(struct vm_space *s);      /* private pages in swap */
uint32_t vm_space_table_frames(struct vm_space *s); /* page tables, without the directory */
void vm_space_stats(struct vm_space *s, struct vm_space_stats *out);
/* The same in a few steps, however many areas there are. */
struct vm_space_brief { /* in pages */
    uint32_t size, resident, resident_file;
    uint32_t overhead; /* what the kernel spends on it: tables, leaves, areas */
};
void vm_space_brief(struct vm_space *s, struct vm_space_brief *out);
/* For debuggers and crash reports, which take no lock: */
const pde_t *vm_space_tables(const struct vm_space *s);
/* At most n areas around addr, named by what backs them. */
struct vm_fault_event;
unsigned vm_peek_areas(const struct vm_space *s, vaddr_t addr, struct vm_area_info *out,
                       unsigned n);
unsigned vm_trace_peek(struct vm_fault_event *out, unsigned n); /* the newest n, oldest first */

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
/* The n pages from va on; n is at most a few hundred. */
void vm_page_info(struct vm_space *s, vaddr_t va, unsigned n, struct vm_page_info *out);
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
#define VM_FRAME_COW        0x8 /* anonymous, with several owners: a write copies it */
struct vm_frame_info {
    uint8_t kind, flags;
    uint32_t mappings; /* page-table entries that map it */
};
/* The n frames from first on; n is at most a few hundred. */
void vm_frame_info(pfn_t first, unsigned n, struct vm_frame_info *out);
pfn_t vm_frame_end(void); /* above the last frame there is */
struct frame_census {     /* counts that nobody keeps */
    uint32_t mapped_file; /* frames of objects that some space maps */
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

/* ---- The fault trace: trace.c ---- */

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

#endif
