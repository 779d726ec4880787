/*
 * The structures of mm/ and the functions between its files. Nobody else includes this.
 *
 * Layers, each using only those below it:
 *     fault.c  map.c  copy.c          what a program can ask for
 *     seen/                           what of it all can be seen from outside
 *     space.c  vma.c                  address spaces and their areas
 *     bring_in.c  reclaim/            what a decision waits for; how frames become free again
 *     amap.c  object*.c               where pages come from: anonymous memory, objects
 *     pmap.c  rmap.c                  what the hardware maps, and who maps a frame
 *     frame.c  kmalloc.c  percpu/     physical memory
 *
 * Locking. Two locks: vm_lock [v] covers everything above the frame allocator, frame_lock [f] the
 * free lists and counts (kmalloc has one of its own). A function that expects vm_lock says [v];
 * a fault, or a change of areas, that touches nothing of another space's has the space's lock and
 * shares vm_lock instead: fault.c and beside/ say which.
 * Nothing sleeps under vm_lock, and no callee drops it (design rule 3): who finds that something is
 * missing says so by a struct need, leaves the lock, has bring_in() see to it, and starts over.
 */
#ifndef MM_MM_H
#define MM_MM_H

#include "arch/lock.h"
#include "libc/assert.h"
#include "libc/list.h"
#include "mm/see.h"

extern struct spinlock vm_lock;

/* ---- Frames: frame.c ---- */

enum frame_kind {
    FRAME_RESERVED, /* never handed out: the frame array itself */
    FRAME_FREE,
    FRAME_KERNEL, /* kalloc */
    FRAME_SLAB,   /* kmalloc */
    FRAME_TABLE,  /* a page table or page directory of a pmap */
    FRAME_LEAF,   /* a leaf of an amap */
    FRAME_ANON,   /* contents of an anon */
    FRAME_OBJECT, /* a page of an object */
    FRAME_ORPHAN, /* lost its owner while pinned; the last unpin frees it */
    FRAME_ZERO,   /* the one frame of zeros */
    FRAME_KINDS
};

/* Flags of a frame, all [v]. */
#define FRAME_BUSY       0x01 /* being filled: wait, do not use */
#define FRAME_DIRTY      0x02 /* differs from what the pager, or swap, would give again */
#define FRAME_LAZY       0x04 /* ANON: given up by MADV_FREE, unless DIRTY since */
#define FRAME_FRESH      0x04 /* OBJECT: brought in, and used by nobody since */
#define FRAME_STALE      0x04 /* TABLE: its entries' PTE_W are no longer true, fork/share.c */
#define FRAME_PLACED     0x08 /* OBJECT: pager.reserve() made sure of its place */
#define FRAME_WRITING    0x10 /* its contents are on the way out: it may be used, but not freed */
#define FRAME_AGE        0x60 /* what the replacement policy remembers: frame_age() */
#define FRAME_REFERENCED 0x80 /* used by other ways than a mapping since the hand passed */

/* One for each physical frame; 16 bytes on i386. What the union holds follows from kind. */
struct frame {
    uint8_t kind;  /* [f], or a shelf's lock: enum frame_kind */
    uint8_t flags; /* [v] */
    uint16_t pins; /* [v] users that hold the contents across a sleep; LEAF, TABLE: amap.c, fork/ */
    union {
        uintptr_t rmap; /* [v] ANON, OBJECT, ORPHAN: see rmap.c */
        struct {
            uint16_t free; /* SLAB: offset of the first free object, or SLAB_NONE */
            uint16_t used; /* SLAB: objects handed out */
        } slab;
    };
    union {
        struct anon *anon; /* [v] ANON */
        struct {
            struct vm_object *object; /* [v] OBJECT */
            uint32_t index;
        };
        struct {
            struct pmap *pmap; /* [v] TABLE: the first that has it */
            uint16_t pdx;      /* which directory entry points here */
            uint16_t used;     /* present entries */
        } table;
        struct {
            uint16_t refs;      /* [v] LEAF: amaps that share it */
            uint16_t used;      /* slots that hold an anon */
            uint16_t low, high; /* all of them lie in [low, high) */
        } leaf;
        struct {
            pfn_t next, prev; /* SLAB: frames of the class with free objects; 0 ends */
        } chain;
    };
};

extern struct frame *frames; /* indexed by frame number */

static inline struct frame *frame_of_pa(paddr_t pa)
{
    return &frames[pa >> PAGE_SHIFT];
}

static inline struct frame *frame_of(const void *kva)
{
    return frame_of_pa(virt_to_phys(kva));
}

static inline pfn_t frame_number(const struct frame *f)
{
    return (pfn_t)(f - frames);
}

static inline paddr_t frame_pa(const struct frame *f)
{
    return frame_number(f) << PAGE_SHIFT;
}

static inline void *frame_kva(const struct frame *f)
{
    return phys_to_virt(frame_pa(f));
}

static inline uint8_t frame_age(const struct frame *f)
{
    return (f->flags & FRAME_AGE) / 0x20;
}

static inline void frame_set_age(struct frame *f, uint8_t age)
{
    f->flags = (uint8_t)((f->flags & ~FRAME_AGE) | age * 0x20);
}

/*
 * NULL when there is none. Whoever allocates for user pages (ANON, OBJECT) asks frame_low() first
 * and reclaims, so that the kernel can go on when programs have eaten everything else.
 */
struct frame *frame_alloc(enum frame_kind kind);
struct frame *frame_alloc_zeroed(enum frame_kind kind);
void frame_free(struct frame *f);
void frame_free_zeroed(struct frame *f); /* the caller has left it all zeros */
void frame_zero_ahead(void); /* sees to it that the next zeroed one need not be zeroed then */
void frame_become(struct frame *f, enum frame_kind kind); /* what it holds changes its meaning */
uint32_t frame_reserve(void);                             /* frames that user pages may not take */
bool frame_low(void);                                     /* user pages are about to be refused */
bool frame_scarce(void);                                  /* even the reserve is half gone */
bool frame_short(void);  /* less than the low watermark: the thread shall run */
bool frame_plenty(void); /* at least the high watermark: it need not */
uint32_t frame_count(enum frame_kind kind);
uint32_t frame_free_count(void);
uint32_t frame_total(void);
/* The owner is gone: frees f, or makes it an orphan while it is pinned. [v] */
void frame_release(struct frame *f);
struct frame *frame_alloc_orphan(void); /* a pinned frame that has no owner yet; NULL. Not [v] */
void frame_adopt(struct frame *f);      /* and it gets one, an object [v] */
void frame_pin(struct frame *f);        /* [v] */
void frame_unpin(struct frame *f);      /* [v] */

/* Every frame handed out, in order: for (f = NULL; (f = frame_next(f));). For audit and clock. */
struct frame *frame_next(struct frame *f);
/* What a frame number stands for; only the struct frame of one IN_USE may be looked at. */
enum frame_place { FRAME_ELSEWHERE, FRAME_NEVER_USED, FRAME_IN_USE };
enum frame_place frame_place(pfn_t n);
void kmalloc_init(void), reclaim_init(void), space_forget_kept(void); /* memory starts anew */

/* The n-th allocation from now (frames and kmalloc, 1 = the next) fails; 0: none. What was left of
 * the last such order: 0 when it was carried out. */
uint32_t mm_inject_failure(uint32_t n);
extern bool mm_may_fail;        /* some allocation may be told to fail: ask */
bool mm_injected_failure(void); /* called by the allocators */

/* ---- Hardware mappings: pmap.c, rmap.c ---- */

struct pmap {
    pde_t *pgdir;
    uint32_t resident;      /* [v] frames mapped, the zero frame not counted */
    uint32_t resident_file; /* [v] of these, object frames */
    uint32_t peak;          /* [v] highest resident */
    struct list family;     /* [v] those that may share its tables: fork/share.c */
    bool dying;             /* [v] what it shares is not counted out of resident any more */
};

/* What takes an address asserts that it is a user's. */
int pmap_init(struct pmap *pm);     /* -ENOMEM */
void pmap_destroy(struct pmap *pm); /* everything was removed before [v] */
void pmap_keep(struct pmap *pm);    /* the same, but its directory is kept */
void pmap_reuse(struct pmap *pm);   /* after pmap_keep: as pmap_init made it */
/* The entry of va; its table is made if need be. Entering a frame there that nobody maps cannot
 * fail. NULL: no memory. [v] */
pte_t *pmap_reserve(struct pmap *pm, vaddr_t va);
void pmap_drop_empty(struct pmap *pm, vaddr_t va); /* frees that table if nothing came of it [v] */
/* Maps frame at va with prot (VM_PROT_*), replacing what was there. After -ENOMEM nothing is mapped
 * at va. [v] */
int pmap_enter(struct pmap *pm, vaddr_t va, struct frame *f, uint8_t prot);
int pmap_enter_at(struct pmap *pm, pte_t *entry, vaddr_t va, struct frame *f, uint8_t prot);
/* Maps n frames (NULL: none) from start on where nothing is mapped; start's table exists and holds
 * them all. Stops when memory is short. How many it mapped. [v] */
unsigned pmap_enter_absent(struct pmap *pm, vaddr_t start, struct frame **f, unsigned n,
                           uint8_t prot);
/* The table that holds the entry of va, or NULL. [v] */
pte_t *pmap_table(const struct pmap *pm, vaddr_t va);
/* The frame mapped at va, or NULL; *writable tells whether a store would go through. [v] */
struct frame *pmap_lookup(struct pmap *pm, vaddr_t va, bool *writable);
void pmap_remove(struct pmap *pm, vaddr_t start, vaddr_t end); /* [v] */
/* Removes, or takes the right to write, as far as *budget allows, units that are taken from it;
 * where to go on, end: done. [v] */
vaddr_t pmap_remove_step(struct pmap *pm, vaddr_t start, vaddr_t end, unsigned *budget);
vaddr_t pmap_protect_step(struct pmap *pm, vaddr_t start, vaddr_t end, unsigned *budget);
/* Takes frame out of every space that maps it; remembers in FRAME_DIRTY if one wrote to it. [v] */
void pmap_remove_frame(struct frame *f);
void pmap_remove_some(struct frame *f, unsigned most); /* the same for so many tables at most [v] */
/* Whether a space used frame since the last call; clears accessed bits, keeps dirty ones. [v] */
bool pmap_test_accessed(struct frame *f);
bool pmap_clear_accessed(pte_t *pte);         /* the same for one entry [v] */
bool pmap_age(pte_t *pte);                    /* an entry: used lately (true), or it goes [v] */
bool pmap_is_accessed(const struct frame *f); /* the same, and clears nothing [v] */
/* A store that the frame itself does not know of yet: it will when the entry goes. [v] */
bool pmap_test_dirty(const struct frame *f);
/* Makes an anon's frame clean: forgets that anybody wrote to it. [v] */
void pmap_clear_dirty(struct frame *f);
/* Every mapping forgets that it was written through, and loses the right to it. [v] */
void pmap_clean(struct frame *f);
vaddr_t pmap_entry_address(const pte_t *pte); /* that a reverse mapping maps [v] */

#define RMAP_CHAINED 1u                    /* in frame.rmap: it is no entry's address */
int rmap_add(struct frame *f, pte_t *pte); /* -ENOMEM [v] */
void rmap_remove_link(struct frame *f, const pte_t *pte); /* one of several: rmap_remove() [v] */
void rmap_replace(struct frame *f, const pte_t *pte, pte_t *by); /* [v] */
/* The n-th entry by address, or NULL; it may stand for several mappings (fork/share.c). [v] */
pte_t *rmap_nth(const struct frame *f, unsigned n);
unsigned rmap_count(const struct frame *f);             /* [v] */
bool rmap_has(const struct frame *f, const pte_t *pte); /* [v] */

/* ---- Anonymous memory: amap.c ---- */

/* One private page's contents. */
struct anon {
    uint32_t refs;       /* [v] amap slots that hold it; a shared leaf counts once */
    struct frame *frame; /* [v] NULL: in swap. A new one, without a slot, is dirty unsaid */
    uint32_t slot; /* [v] place in swap, swap.c; 0: none. With a frame, it is as the frame was when
                    * that was last clean */
    uint32_t seen; /* mm_check's count of refs */
};

#define LEAF_SLOTS  (PAGE_SIZE / sizeof(struct anon *))
#define AMAP_LEAVES ((USER_TOP >> PAGE_SHIFT) / LEAF_SLOTS)

/* Page number -> anon. Leaves are frames, shared by reference after fork and copied by the first
 * who changes one. */
struct amap {
    struct anon **leaf[AMAP_LEAVES]; /* [v] */
};

static inline struct anon *amap_get(const struct amap *m, uint32_t page)
{
    struct anon **leaf = m->leaf[page / LEAF_SLOTS];

    return leaf ? leaf[page % LEAF_SLOTS] : NULL;
}

struct anon *anon_new(void); /* one reference, a frame with undefined contents; NULL */
struct anon *anon_new_zeroed(void);
void anon_unref(struct anon *a); /* [v] */
uint32_t anon_total(void);       /* anons that exist [v] */
uint32_t swap_total(void);       /* slots of all areas [v] */
uint32_t swap_used(void);        /* of these, taken [v] */
void swap_free(uint32_t slot);   /* its contents are no longer needed: reclaim/swap.c [v] */
extern uint32_t swapped_anons;   /* [v] of these, without a frame */
extern uint32_t swapped_pages;   /* [v] pages of objects that are in swap */

/* The COW question: whether there is an anon, and this amap is its only owner. [v] */
bool amap_owns(const struct amap *m, uint32_t page);
/* The slot of page, in a leaf that exists and is unshared. NULL: no memory. [v] */
struct anon **amap_reserve(struct amap *m, uint32_t page);
void amap_set(struct anon **slot, struct anon *a); /* replaces what was there [v] */
/* Makes amap_remove of the same range unable to fail. -ENOMEM [v] */
int amap_reserve_remove(struct amap *m, uint32_t first, uint32_t end);
void amap_remove(struct amap *m, uint32_t first, uint32_t end); /* [v] */
/* The same for what *budget allows, units that are taken from it; where to go on, end: done. [v] */
uint32_t amap_remove_step(struct amap *m, uint32_t first, uint32_t end, unsigned *budget);
/* Makes every leaf that holds a page of [first, end) unshared, and those that amap_move of it to
 * page to would need: they stay until it is done, whatever is removed. -ENOMEM: none was made [v]
 */
int amap_reserve_move(struct amap *m, uint32_t first, uint32_t end, uint32_t to);
/* Or it is not done after all. [v] */
void amap_cancel_move(struct amap *m, uint32_t first, uint32_t end, uint32_t to);
bool amap_leaf_shared(const struct amap *m, uint32_t page); /* with another space [v] */
void amap_move(struct amap *m, uint32_t first, uint32_t end, uint32_t to); /* a part of it [v] */
void amap_end_move(struct amap *m, uint32_t first, uint32_t end,
                   uint32_t to);               /* all is moved [v] */
void amap_drop(struct amap *m, uint32_t page); /* empties its slot, if its leaf is not shared [v] */
void amap_drop_empty(struct amap *m, uint32_t page); /* frees the leaf of page if it is [v] */
/* fork: the leaves that hold pages of [first, end) are in both from now on. [v] */
void amap_share(const struct amap *from, struct amap *to, uint32_t first, uint32_t end);

/* ---- Objects: object.c, radix.c ---- */

/* Index -> pointer, for sparse indexes: a radix tree as high as its largest index needs. */
struct radix {
    void *root;
    unsigned height; /* levels of nodes; 0: root is the item of index 0 */
};
void *radix_get(const struct radix *r, uint32_t index);
int radix_set(struct radix *r, uint32_t index, void *item); /* where none is; not NULL. -ENOMEM */
void *radix_clear(struct radix *r, uint32_t index);         /* the item that was there */
void radix_replace(struct radix *r, uint32_t index, void *item); /* where one is; not NULL */
/* The place of index in its node, and in *run how many indexes, this one included, have theirs
 * right behind it; NULL: none of them has an item. */
void **radix_run(const struct radix *r, uint32_t index, uint32_t *run);
/* The first item at index >= *index, whose index is stored there; NULL when there is none. */
void *radix_next(const struct radix *r, uint32_t *index);

struct vm_object {
    uint64_t serial;   /* never given to two: see vm_identify() */
    uint32_t refs;     /* [v] */
    uint32_t resident; /* [v] frames in the tree */
    uint64_t size;     /* [v] bytes */
    const struct pager *pager;
    void *private;                  /* the pager's */
    struct list vmas;               /* [v] areas that map it; new ones come last */
    uint32_t areas, writable_areas; /* [v] how many; shared ones that are or may become writable */
    struct vma *uncut;              /* [v] while cutting: the first area that was not come to yet */
    uint32_t uncut_page;            /* [v] and in it, pages of the space below this one are done */
    uint32_t promised;              /* [v] part of committed_pages */
    uint32_t puts[2]; /* [v] runs on their way out, of even and of odd turns; 0 again wakes &puts */
    uint32_t put_turn;   /* [v] object_await_puts() */
    uint32_t next_miss;  /* [v] where a sequence of misses would go on */
    uint8_t window;      /* [v] pages brought in at the last miss */
    bool cutting, kept;  /* [v] pages past a new end still go, ends with a wake; pages are locked */
    int put_error;       /* [v] of a put that nobody waited for: the next sync tells */
    bool no_writers;     /* [v] shared areas may not be, nor become, writable */
    uint32_t dirty;      /* [v] pages that are; with a put alone. dirty.c has these four: */
    uint32_t next_put;   /* [v] or for a hint: where writing goes on */
    uint64_t dirtied_at; /* [v] when the oldest of them became dirty, at the earliest */
    struct list dirty_link; /* [v] if any are: in dirty_objects */
    uint32_t swapped;       /* [v] pages that are in swap */
    struct radix pages;     /* [v] index -> struct frame, or a slot in swap: item_slot() */
    struct list all;        /* [v] in all_objects */
};
extern struct list all_objects;

/* ---- What is needed first: bring_in.c ---- */

enum need_what {
    NEED_MEMORY,  /* user pages are about to be refused */
    NEED_PAGE,    /* a page of an object is not resident */
    NEED_PLACE,   /* a page of an object is about to be written to, see pager.reserve */
    NEED_BALANCE, /* too much of an object and others is dirty */
    NEED_FRAME,   /* a frame is BUSY */
    NEED_CHANGE,  /* a space is being changed where it is looked at */
    NEED_ANON,    /* an anon is in swap */
    NEED_SERVER,  /* a page is served by a program: mm/served */
};

/* The answer of deciding when it cannot go on. Whoever fills it in must have bring_in() called. */
struct need {
    enum need_what what;
    struct vm_object *object; /* PAGE, PLACE, BALANCE: with a reference, which bring_in() drops */
    struct vm_space *space;   /* CHANGE, ANON, SERVER: the caller's */
    uint32_t index, slot;     /* ANON: page number; SERVER: address; out: where it was in swap */
    unsigned count;           /* PAGE: so many pages from index on are wanted */
    struct frame *frame;      /* FRAME */
    bool write, major;        /* SERVER; out: something had to be read */
};

/* Sees to it; the caller then starts over from the top, whatever has changed meanwhile. -ENOMEM,
 * -ENOSPC, -EIO. Without vm_lock; sleeps. */
int bring_in(struct need *n);

enum object_state {
    OBJECT_RESIDENT, /* its frame is in *out */
    OBJECT_HOLE,     /* not resident, and it would be zeros */
    OBJECT_NEEDED,   /* not resident: *need says what is needed first */
    OBJECT_PAST_END,
};
/* Looks for a page, of which the least pages from there on will be wanted. [v] */
enum object_state object_find(struct vm_object *o, uint32_t index, unsigned least,
                              struct frame **out, struct need *need);
/* After HOLE: that the page be made. [v] */
void object_need_page(struct vm_object *o, uint32_t index, struct need *need);
/* That the pager make sure of a place for f, before it is written to. [v] */
void object_need_place(const struct frame *f, struct need *need);
/* That vm_dirty_balance() be called before more of o becomes dirty. [v] */
void object_need_balance(struct vm_object *o, struct need *need);
/* bring_in()'s part for objects. Sleep, not [v]. */
int object_fetch(struct need *n);
int object_place(const struct need *n);
/* The same for a page in swap: 0 when it is not, or no longer. */
int object_fetch_slot(struct need *n);
/* And for an anon: reads it from swap. */
int anon_fetch(struct need *n);

/* A page of an object in swap stands in the tree as its slot. */
static inline void *slot_item(uint32_t slot)
{
    return (void *)(uintptr_t)(slot << 1 | 1);
}
static inline uint32_t item_slot(const void *item) /* 0: it is a frame, or nothing */
{
    return (uintptr_t)item & 1 ? (uint32_t)(uintptr_t)item >> 1 : 0;
}
static inline struct frame *item_frame(void *item)
{
    return (uintptr_t)item & 1 ? NULL : item;
}
/* The frame of a page, which may be BUSY; NULL: none. [v] */
static inline struct frame *object_frame(const struct vm_object *o, uint32_t index)
{
    return item_frame(radix_get(&o->pages, index));
}
/* What the policy knows a page by. */
static inline uint32_t object_key(const struct vm_object *o, uint32_t index)
{
    return (uint32_t)(uintptr_t)o * 31 + index + 1;
}

/* A page of an object is no longer what its pager would give again; or is once more. [v] */
void object_dirtied(struct frame *f);
void object_cleaned(struct frame *f);
extern uint32_t dirty_pages, writing_pages; /* [v] of objects with a put */
/* [v] The pager is through with a run, of which it wrote so many, or failed. */
void object_put_done(const struct vm_run *run, int put);
void dirty_init(void);
/* So many that vm_dirty_balance() is due. For a hint. */
bool dirty_many(void);

bool object_is_anonymous(const struct vm_object *o);
/* [v] The list of the object's areas, and what is counted of them: cut.c. */
void object_add_area(struct vm_object *o, struct vma *v);
void object_remove_area(struct vm_object *o, struct vma *v);
bool object_may_be_written(const struct vma *v); /* through v */
/* [v, let go between steps] Makes sure that the private copies of pages from first on can go. Until
 * the cut is finished, nobody else changes the size. -ENOMEM: nothing has changed. */
int object_begin_cut(struct vm_object *o, uint32_t first);
/* [v] Takes private pages [from, stop), which are in one leaf and reserved, out of s and its
 * tables, or the first of them; where it came to. An anon may stay in a child: it goes by its
 * address. */
uint32_t cut_in_leaf(struct vm_space *s, uint32_t from, uint32_t stop, unsigned *budget);
/* The end has moved to first: what lies past it goes in steps. Sleeps. */
void object_finish_cut(struct vm_object *o, uint32_t first);
extern uint32_t shmem_pages; /* [v] resident ones of anonymous objects */
/* [v] */
static inline void object_count_pages(struct vm_object *o, int n)
{
    o->resident += (uint32_t)n;
    if (o->pager->shared_memory)
        shmem_pages += (uint32_t)n;
}
static inline uint64_t object_page_count(const struct vm_object *o)
{
    return (o->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}
/* The frame of a page that is there, NULL if it is not or not yet. [v] */
static inline struct frame *object_lookup(const struct vm_object *o, uint32_t index)
{
    struct frame *f = index < object_page_count(o) ? object_frame(o, index) : NULL;

    return f && !read_bit(f->flags, FRAME_BUSY) ? f : NULL;
}
static inline bool object_needs_place(const struct vm_object *o, const struct frame *f)
{
    return o->pager->reserve && !read_bit(f->flags, FRAME_PLACED);
}
static inline bool object_first_store_faults(const struct vm_object *o, const struct frame *f)
{
    return object_needs_place(o, f) || (o->pager->put && !read_bit(f->flags, FRAME_DIRTY));
}
bool object_is_resident(struct vm_object *o, uint64_t index); /* not [v] */
bool object_zero_behind(const struct vm_object *o, uint32_t index);
/* f, a pinned orphan with all of a page's contents, becomes that page, if there is none. [v] */
bool object_adopt(struct vm_object *o, uint32_t index, struct frame *f);
/* The frame of a page, pinned. make_past_end: also past the end of the object, for a writer. -ENXIO
 * past the end, -EIO, -ENOSPC, -ENOMEM. Sleeps, not [v]. */
int object_pin(struct vm_object *o, uint32_t index, bool make_past_end, struct frame **out);
void object_unpin(struct frame *const *run, unsigned n, bool dirtied); /* not [v] */
/* Takes a page out of its object and out of every space, dirty or not. [v] */
void object_evict(struct frame *f);
/* At most OBJECT_STEP pages of [first, end); whether none are left. [v] */
bool object_evict_some(struct vm_object *o, uint32_t *first, uint64_t end);
/* Begins to write back f, which is dirty, and its dirty neighbours behind it: gathers them into
 * run, takes a reference of its object. How many. [v] */
void object_gather(struct frame *f, struct vm_run *run);
/* The next dirty pages from *index on, below end. A page that is dirty again while it is still on
 * its way must be waited for, or left. [v] */
enum gathered { GATHERED, NOT_YET, MUST_WAIT, NO_MORE };
enum gathered object_gather_next(struct vm_object *o, uint32_t *index, uint32_t end,
                                 struct vm_run *run);
/* The rest: calls the pager and drops the reference. As pager.put. Sleeps, not [v]. */
int object_put(struct vm_object *o, struct vm_run *run);
/* Sleeps until the runs that are on their way out by now have arrived, whatever follows them. [v],
 * but let go of meanwhile. */
void object_await_puts(struct vm_object *o);
/* Takes vm_lock when the object may grow to end: no cut is under way, and what object_clear_tail()
 * has to clear is in memory. -EIO, -ENOMEM, without the lock. Sleeps. */
int object_lock_to_grow(struct vm_object *o, uint64_t end);
/* Zeroes the rest of the page that holds end, up to at: what mappings left behind the end must not
 * show when the object has grown. [v] */
void object_clear_tail(struct vm_object *o, uint64_t end, uint64_t at);

/* pager.get; a wait for pages that went for want of memory counts as such. Sleeps, not [v]. */
int object_get(struct vm_object *o, struct vm_run *run);
/* Makes a batch of frames free, by dropping and by writing; false when there were not so many.
 * Sleeps, not [v]. */
bool reclaim(void);
void reclaim_frame(struct frame *f); /* this one, if it can be had again [v] */
void pageout_wake(void);
/* The policy's state of a page that comes in; key: which page it is, wherever it was before. */
uint8_t policy_enter(uint32_t key, bool *refault);
void policy_leave(uint32_t key);             /* a page goes that may come back */
bool frame_is_locked(const struct frame *f); /* in some area that maps it [v] */
extern struct frame *reclaim_hand;           /* [v] the last frame the clock looked at */

/* ---- Areas and spaces: vma.c, space.c ---- */

/* [start, end) of a space with one protection and one backing. */
struct vma {
    vaddr_t start, end;            /* [v] */
    uint8_t prot, maxprot, served; /* [v] VM_PROT_*; VM_SERVE_* */
    uint16_t flags;                /* [v] VM_* */
    struct vm_space *space;        /* whose it is, once inserted */
    struct vm_object *object;      /* or NULL */
    struct vm_backing *backing;    /* kept as long as the area is; NULL without object */
    struct vm_server *server;      /* [v] whom its faults ask, or NULL */
    uint32_t pgoff;                /* index in object of the page at start */
    struct list link;              /* [v] in vm_space.vmas, by address */
    struct vma *left, *right;      /* [v] the index over the list: a treap by start */
    uint32_t priority;             /* heap order of the treap */
    uint32_t gap, widest;          /* [v] free bytes before start; the most in this subtree */
    struct list object_link;       /* [v] in vm_object.vmas; last: vma_copy() */
};

struct vm_space {
    uint32_t refs;          /* [v] */
    struct spinlock lock;   /* of who shares vm_lock */
    struct list vmas;       /* [v] */
    struct vma *root;       /* [v] */
    struct vma *last_found; /* [v] hint of vma_find, or NULL */
    struct pmap pmap;       /* [v] */
    uint32_t areas;         /* [v] how many vmas */
    uint32_t pages;         /* [v] in all vmas */
    uint32_t peak_pages;    /* [v] highest pages */
    uint32_t data_pages;    /* [v] private writable, stacks not counted */
    uint32_t stack_pages;   /* [v] in areas that grow down */
    uint32_t text_pages;    /* [v] executable and not writable, stacks not counted */
    uint32_t locked_pages;  /* [v] VM_LOCKED */
    uint16_t future_flags;  /* [v] mlockall(MCL_FUTURE): added to every new area */
    bool changing, awaited; /* [v] the areas are being changed; somebody waits for the end */
    bool beside;            /* [v] by who shares vm_lock, now */
    vaddr_t held, held_end; /* [v] meanwhile faults in here wait: mremap moves these pages */
    vaddr_t brk_start, brk; /* [v] */
    uint32_t mmap_shift;    /* [v] how far below the usual place mappings begin */
    vaddr_t mmap_floor;     /* [v] not 0: from here they go up instead */
    vaddr_t gate;           /* [v] see vm_set_gate */
    struct vm_limits limits;
    struct list all, servers; /* [v] in all_spaces; those of its pages: mm/served */
    struct amap amap;         /* [v] */
};
extern struct list all_spaces;
void space_drop_kept(void); /* gives back those that are kept at hand [v] */

struct vma *vma_find(struct vm_space *s, vaddr_t addr);  /* the first with end > addr [v] */
struct vma *vma_prev(struct vm_space *s, struct vma *v); /* [v] */
struct vma *vma_next(struct vm_space *s, struct vma *v); /* [v] */
void vma_insert(struct vm_space *s, struct vma *v);      /* start, end set; no overlap [v] */
void vma_append(struct vm_space *s, struct vma *v);      /* the same, above all others [v] */
void vma_remove(struct vm_space *s, struct vma *v);      /* off the list and the index [v] */
void vma_set_range(struct vm_space *s, struct vma *v, vaddr_t start, vaddr_t end); /* [v] */
void vma_set_rights(struct vma *v, uint8_t prot, uint16_t flags);                  /* [v] */
void vma_forget(struct vma *v); /* its space dies: off its object and the accounts [v] */
/* The highest len free bytes that end at or below ceiling and lie above floor, or 0. [v] */
vaddr_t vma_find_gap(struct vm_space *s, uint32_t len, vaddr_t floor, vaddr_t ceiling);
extern uint32_t locked_pages; /* [v] of all spaces */
/* Pages promised: to private writable memory of all spaces but for VM_NORESERVE, and to shared
 * objects; and whether more may be. [v] */
extern uint32_t committed_pages;
bool commit_allows(uint32_t pages, uint16_t flags);
bool commit_is_kept(void); /* what is promised is counted against what there is [v] */
/* What areas claim of their space's limits and of memory, in pages; of a change, what it gains. */
struct claims {
    int32_t pages, data, promised;
};
void claims_add(struct claims *c, const struct vma *v);
void claims_take(struct claims *c, const struct vma *v);
bool claims_allowed(const struct vm_space *s, const struct claims *gain); /* [v] */
bool commit_allows_copy(uint32_t pages);                                  /* fork [v] */
uint16_t commit_flags(uint16_t flags); /* of a new area: VM_NORESERVE is not always granted [v] */
struct vma *vma_new(void);             /* NULL: no memory [v] */
void vma_give_back(struct vma *v);     /* one that was not used [v] */
/* Frees v, which is off its space, unless that may sleep: its object goes with it, or is to hear of
 * it. Whether it did. [v] */
bool vma_free_now(struct vma *v);
void vma_hold(struct vma *v);          /* a copy of an area gets references of its own [v] */
void vma_let_go(struct vma *v);        /* and gives them up; may sleep, not [v] */
void vma_free(struct vma *v);          /* drops its object; may sleep, not [v] */
void vma_free_list(struct list *dead); /* areas off their space; may sleep, not [v] */

/* vm_fault for mm/ itself, on behalf of the running process, to which it counts. May sleep. */
enum vm_result fault_counted(struct vm_space *s, vaddr_t addr, enum vm_access access);
void fault_totals(uint64_t *minor, uint64_t *major); /* [v] of all spaces, ever */
extern struct frame *zero_frame;    /* [v] the one frame of zeros: there, with the first space */
struct frame *zero_frame_get(void); /* NULL: no memory [v] */

static inline bool vma_is_private(const struct vma *v)
{
    return !(v->flags & VM_SHARED);
}

static inline uint32_t vma_page_index(const struct vma *v, vaddr_t addr)
{
    return v->pgoff + ((addr - v->start) >> PAGE_SHIFT);
}

static inline uint32_t vma_pages(const struct vma *v)
{
    return (v->end - v->start) >> PAGE_SHIFT;
}

/* Whether its pages count as promised memory. */
static inline bool vma_is_promised(const struct vma *v)
{
    return (v->prot & VM_PROT_WRITE) && vma_is_private(v) && !(v->flags & VM_NORESERVE);
}

static inline bool vma_is_data(const struct vma *v)
{
    return (v->prot & VM_PROT_WRITE) && vma_is_private(v) && !(v->flags & VM_GROWSDOWN);
}

/* ---- Changing the areas: beside/change.c, edit.c ---- */

/*
 * One change of a space's areas: it allocates areas ahead, keeps other changes of the space out,
 * and frees those it took out when vm_lock is no longer held. Reserve: begin; commit: the rest,
 * which cannot fail. What is marked [steps] drops vm_lock in between: see change.c for what holds
 * then.
 */
struct change {
    struct vm_space *space;
    struct vma *spare[7];
    unsigned spares;
    unsigned budget; /* units of work left in this step */
    struct list dead;
    struct news *news; /* for servers: mm/served */
};
#define STEP_UNITS 128u /* with vm_lock held; a unit is a page taken out, some 250 instructions */
#define AREA_UNITS 8u   /* an area looked up, changed, joined */
/* Waits for other changes; then vm_lock is held until change_end. -ENOMEM: nothing is. May sleep.
 */
int change_begin(struct change *c, struct vm_space *s, unsigned spares);
/* The same, but that vm_lock may be shared until change_alone(): docs/processors.md. */
int change_begin_beside(struct change *c, struct vm_space *s, unsigned spares);
void change_alone(struct change *c); /* lets go of the lock, if it is shared [steps] */
struct vma *change_take(struct change *c);
void change_give_back(struct change *c, struct vma *v);
void change_pause(struct change *c);                 /* between two steps [steps] */
void change_spend(struct change *c, unsigned units); /* pauses when the step is used up [steps] */
void change_end(struct change *c);                   /* drops vm_lock; may sleep then */
/* Sleeps until the change under way may be over; vm_lock is dropped. [v] */
void change_await(struct vm_space *s);
/* Whether a fault at va that the areas refuse (or hold still) must wait for a change. [v] */
static inline bool change_bars(const struct vm_space *s, vaddr_t va, bool refused)
{
    return s->changing && (refused || (s->held <= va && va < s->held_end));
}
/* What is done to each area of a range, cut to it: check may refuse the part, apply cannot fail. */
struct area_edit {
    bool over_holes; /* go on after one, and tell at the end */
    int (*check)(const struct vma *v, uint32_t pages, void *arg); /* or NULL [v] */
    void (*apply)(struct change *c, struct vma *v, void *arg);    /* [steps] */
};
/* From start to end, or the first refusal; joins what has become alike. Two spares. -ENOMEM over a
 * hole, or as check says. [steps] */
int edit_areas(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end,
               const struct area_edit *e, void *arg);
/* Cuts so that no area crosses start or end; takes up to two spares. [v] */
void cut_edges(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end);
/* Whether vm_max_areas lets areas be parted by a hole. [v] */
bool may_take_out(struct vm_space *s, vaddr_t start, vaddr_t end);
void join_around(struct vm_space *s, struct change *c, struct vma *v); /* with its neighbours [v] */
/* Takes everything out of [start, end), after reserve_clear (-ENOMEM); up to two spares. [steps] */
void clear_range(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end);
int reserve_clear(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end);
void add_area(struct vm_space *s, struct change *c, struct vma *v); /* inserts and joins [v] */
bool range_valid(vaddr_t addr, uint32_t len); /* page-aligned, not empty, user_range() */
bool range_free(struct vm_space *s, vaddr_t addr, uint32_t len);      /* [v] */
vaddr_t choose_place(struct vm_space *s, vaddr_t hint, uint32_t len); /* 0: none [v] */
int check_limits(struct vm_space *s, const struct vma *v);            /* of v as a new area [v] */

/* Whether all of [addr, addr+len) are user addresses. What takes a space and an address from
 * outside mm/ asks this before anything else: the kernel's half of the tables is not a space's. */
static inline bool user_range(vaddr_t addr, uint32_t len)
{
    return addr <= USER_TOP && len <= USER_TOP - addr;
}

static inline uint32_t page_align(size_t len) /* wraps to 0 */
{
    return (len + PAGE_SIZE - 1) & PAGE_MASK;
}

static inline vaddr_t page_down(vaddr_t a)
{
    return a & PAGE_MASK;
}

#endif
