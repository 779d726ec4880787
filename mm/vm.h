/*
 * Spaces and faults as the rest of the kernel sees them. mm/mm.h, behind it, is mm/'s own; beside
 * it stand mm/memory.h (frames, small objects), mm/object.h (what supplies pages) and mm/see.h
 * (what can be seen).
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
#include "mm/memory.h"
#include "mm/object.h"

struct vm_space;

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
#define VM_DONTDUMP    0x2000 /* madvise: not in a core dump */
#define VM_LOW         0x4000 /* argument only, with VM_FIXED: may lie below USER_MIN */

struct vm_mapping {
    vaddr_t addr;               /* a hint, or the place with VM_FIXED; page-aligned */
    size_t len;                 /* rounded up to pages */
    uint8_t prot;               /* VM_PROT_* now */
    uint8_t maxprot;            /* the most mprotect may ever give */
    uint16_t flags;             /* VM_* */
    struct vm_object *object;   /* NULL: anonymous. A reference is taken, not consumed. */
    uint32_t pgoff;             /* index in object of the first page */
    struct vm_backing *backing; /* of an object: NULL, or what the areas shall keep; the caller's */
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
                 VM_ADVICE_MERGEABLE = 12,
                 VM_ADVICE_UNMERGEABLE = 13,
                 VM_ADVICE_HUGEPAGE = 14,
                 VM_ADVICE_NOHUGEPAGE = 15,
                 VM_ADVICE_DONTDUMP = 16,
                 VM_ADVICE_DODUMP = 17,
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
/* Where the heap starts and ends, of which nothing is checked: for exec and PR_SET_MM. */
void vm_set_brk(struct vm_space *s, vaddr_t start, vaddr_t brk);
/* exec: places for mappings are sought so far below the usual one, to be hard to foresee; or
 * upwards from a third of the user half and so much. */
void vm_set_mmap_place(struct vm_space *s, uint32_t shift, bool upwards);
/* The page of code that the kernel sends the program through: a place that fork keeps and that
 * follows mremap. What became of the mapping there otherwise is the program's affair. 0: none. */
void vm_set_gate(struct vm_space *s, vaddr_t addr);
vaddr_t vm_gate(const struct vm_space *s);

enum vm_access {
    VM_READ,
    VM_WRITE,
    VM_READ_FORCED,  /* a debugger's: whatever the rights are, if they could be changed to allow it
                      */
    VM_WRITE_FORCED, /* the same; what is shared it writes to only by the program's own rights */
};

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
/* The same, where that is possible without sleeping and without anything but mm/'s own locks; else
 * false, and vm_fault() is to be called. absent: the hardware has no entry. */
bool vm_fault_alone(struct vm_space *s, vaddr_t addr, enum vm_access access, bool absent);

/*
 * Access to the memory of a space that need not be the current one, as the program itself would
 * (faulting pages in, copying on write): for exec's stack, process_vm_readv. Return bytes copied,
 * short or -EFAULT where it stopped. May sleep.
 */
long vm_copy_to(struct vm_space *s, vaddr_t addr, const void *src, size_t len);
long vm_copy_from(struct vm_space *s, void *dst, vaddr_t addr, size_t len);
/* The same as a debugger does it, VM_*_FORCED: ptrace, /proc/PID/mem, core dumps. */
long vm_poke(struct vm_space *s, vaddr_t addr, const void *src, size_t len);
long vm_peek(struct vm_space *s, void *dst, vaddr_t addr, size_t len);

/*
 * What the memory at addr is, whoever looks at it: equal in every space that shares it, whatever
 * becomes of the mappings, of the size or of the frame; never equal for two things, even if the
 * first is gone. -EFAULT: nothing is mapped there, or private memory that s may not write to, which
 * therefore says nothing about who else sees it.
 */
struct vm_identity {
    uint64_t object; /* 0: private to the space, and offset is the address */
    uint64_t offset; /* in bytes */
};
int vm_identify(struct vm_space *s, vaddr_t addr, struct vm_identity *out);

struct vm_area_info {
    vaddr_t start, end;
    uint8_t prot, maxprot;
    uint8_t served; /* VM_SERVE_* */
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
    uint32_t swapped;  /* about: private pages that are in no frame that is mapped */
};
void vm_space_brief(struct vm_space *s, struct vm_space_brief *out);
/* For debuggers and crash reports, which take no lock: */
const pde_t *vm_space_tables(const struct vm_space *s);
/* At most n areas around addr, named by what backs them. */
struct vm_fault_event;
unsigned vm_peek_areas(const struct vm_space *s, vaddr_t addr, struct vm_area_info *out,
                       unsigned n);
unsigned vm_trace_peek(struct vm_fault_event *out, unsigned n); /* the newest n, oldest first */

#endif
