/*
 * The mappings that the hardware holds for a space: x86 two-level page tables, a cache of what the
 * layers above know (design rule 1). Anything here may be thrown away at any time.
 *
 * Invariants: every present user entry, or a relative's at its place, is in the reverse map of its
 * frame (the zero frame has none); table.used counts a table's present entries, and a table without
 * any is freed; a table is changed where it is its pmap's own (fork/share.c) or, by frame, for all
 * that have it; a change that takes rights away is flushed before the function returns, so the
 * caller may reuse the frame (rule 5).
 */
#include "libc/errno.h"
#include "libc/words.h"
#include "mm/beside/beside.h"
#include "mm/fork/share.h"

static void begin(struct pmap *pm, pde_t *pgdir)
{
    *pm = (struct pmap){.pgdir = pgdir};
    list_init(&pm->family);
}

int pmap_init(struct pmap *pm)
{
    struct frame *f = frame_alloc_zeroed(FRAME_TABLE);

    if (!f)
        return -ENOMEM;
    begin(pm, frame_kva(f));
    f->table.pmap = pm;
    mmu_init_directory(pm->pgdir);
    return 0;
}

/* Its CPU must not go on with tables that are given away. */
static void leave(struct pmap *pm)
{
    KASSERT(pm->resident == 0 || pm->dying);
    list_remove(&pm->family);
    if (mmu_loaded() == pm->pgdir)
        mmu_load(mmu_kernel_directory());
}

void pmap_destroy(struct pmap *pm)
{
    leave(pm);
    frame_free(frame_of(pm->pgdir));
    pm->pgdir = NULL;
}

void pmap_keep(struct pmap *pm)
{
    leave(pm);
    for (unsigned i = 0; i < PDX(USER_TOP); i++)
        DEBUG_ASSERT(pm->pgdir[i] == 0);
    frame_become(frame_of(pm->pgdir), FRAME_KERNEL);
}

void pmap_reuse(struct pmap *pm)
{
    begin(pm, pm->pgdir);
    frame_become(frame_of(pm->pgdir), FRAME_TABLE);
}

pte_t *pmap_table(const struct pmap *pm, vaddr_t va)
{
    pde_t pde = pm->pgdir[PDX(va)];

    KASSERT(va < USER_TOP);
    return is_user_table(pde) ? phys_to_virt(PTE_ADDR(pde)) : NULL;
}

static bool make_table(struct pmap *pm, vaddr_t va)
{
    struct frame *f = frame_alloc_zeroed(FRAME_TABLE);

    if (!f)
        return false;
    f->table.pmap = pm;
    f->table.pdx = (uint16_t)PDX(va);
    write_release(pm->pgdir[PDX(va)], frame_pa(f) | PTE_P | PTE_W | PTE_U); /* it is zeroed */
    return true;
}

/* A table that pm alone has, since it is to be changed. */
static __attribute__((noinline)) bool own_table(struct pmap *pm, vaddr_t va)
{
    return is_user_table(pm->pgdir[PDX(va)]) ? share_own(pm, va) : make_table(pm, va);
}

/* The entry for va, NULL when its table is missing and cannot or shall not be made. */
static inline pte_t *walkpgdir(struct pmap *pm, vaddr_t va, bool create)
{
    const pde_t *pde = &pm->pgdir[PDX(va)];

    KASSERT(va < USER_TOP);
    if (create ? !is_own_table(*pde) && !own_table(pm, va) : !is_user_table(*pde))
        return NULL;
    return (pte_t *)phys_to_virt(PTE_ADDR(*pde)) + PTX(va);
}

/* n entries of the table, from va on, have changed: every TLB forgets them, of all that have the
 * table. If it is empty now it leaves their directories before that, and so the same flush makes it
 * forgotten. [SDM 3A 4.10.4.1: whatever address INVLPG has, it drops what is cached of directories]
 * Out of line, for the loops that call it. */
static __attribute__((noinline)) void flush_changed(struct frame *table, vaddr_t va, unsigned n)
{
    const bool empty = !table->table.used;

    for (struct pmap *pm = table->table.pmap; pm; pm = share_next(table, pm)) {
        if (empty)
            write_once(pm->pgdir[table->table.pdx], 0);
        mmu_flush_pages(pm->pgdir, va, n);
    }
    if (!empty)
        return;
    table->pins = 0;
    frame_free_zeroed(table);
}

static void free_table_if_empty(struct frame *table)
{
    if (!table->table.used)
        flush_changed(table, (vaddr_t)table->table.pdx << 22, 1);
}

pte_t *pmap_reserve(struct pmap *pm, vaddr_t va)
{
    return walkpgdir(pm, va, true);
}

void pmap_drop_empty(struct pmap *pm, vaddr_t va)
{
    const pte_t *pte = walkpgdir(pm, va, false);

    if (pte)
        free_table_if_empty(table_of(pte));
}

static pte_t entry_flags(uint8_t prot)
{
    return PTE_P | PTE_U | (prot & VM_PROT_WRITE ? PTE_W : 0);
}

/* f is mapped by pte: in the reverse map, unless another table's entry there stands for it. */
static inline int link_entry(const struct pmap *pm, pte_t *pte, struct frame *f, pte_t *flags)
{
    if (!read_once(f->rmap) || list_empty(&pm->family) || !share_sibling(pm, pte, f))
        return rmap_add(f, pte);
    *flags |= PTE_STOOD_FOR;
    return 0;
}

static __attribute__((noinline)) void hand_over(const struct pmap *pm, pte_t *pte, struct frame *f)
{
    pte_t *other = share_sibling(pm, pte, f);

    if (!other) {
        rmap_remove(f, pte);
        return;
    }
    rmap_replace(f, pte, other);
    __atomic_and_fetch(other, ~PTE_STOOD_FOR, __ATOMIC_SEQ_CST);
}

/* The entry, old, has gone: another of the family stands for those that are left. */
static inline void unlink_entry(const struct pmap *pm, pte_t *pte, pte_t old, struct frame *f)
{
    if (old & PTE_STOOD_FOR)
        return;
    if (__builtin_expect(list_empty(&pm->family), 1))
        rmap_remove(f, pte);
    else
        hand_over(pm, pte, f);
}

/* Writes one entry that was not present, with all its bookkeeping. */
static int mappages(struct pmap *pm, pte_t *pte, struct frame *f, pte_t flags)
{
    if (f->kind != FRAME_ZERO) {
        int err = link_entry(pm, pte, f, &flags);
        if (err)
            return err;
        pm->resident++;
        pm->resident_file += f->kind == FRAME_OBJECT;
        if (pm->resident > pm->peak)
            pm->peak = pm->resident;
    }
    table_of(pte)->table.used++;
    mmu_exchange(pte, frame_pa(f) | flags);
    return 0;
}

/* Takes one present entry away. The caller flushes, and frees the table if this was its last. */
static void unmap_entry(struct pmap *pm, pte_t *pte)
{
    pte_t old = mmu_exchange(pte, 0);
    struct frame *f = frame_of_pa(PTE_ADDR(old));

    table_of(pte)->table.used--;
    if (f->kind == FRAME_ZERO)
        return;
    if (old & PTE_D)
        frame_set_dirty(f);
    unlink_entry(pm, pte, old, f);
    pm->resident--;
    pm->resident_file -= f->kind == FRAME_OBJECT;
}

/* The frame stays, its rights change. What a CPU still knows of lesser ones costs a fault at most,
 * and that forgets it. [SDM 3A 4.10.4.1] */
static void change_rights(struct pmap *pm, pte_t *pte, vaddr_t va, struct frame *f, pte_t flags)
{
    pte_t old = mmu_exchange(pte, frame_pa(f) | flags | (*pte & (PTE_A | PTE_D | PTE_STOOD_FOR)));

    if (old & PTE_D)
        frame_set_dirty(f);
    if (old & ~flags & PTE_W)
        mmu_flush_page(pm->pgdir, va);
}

int pmap_enter_at(struct pmap *pm, pte_t *pte, vaddr_t va, struct frame *f, uint8_t prot)
{
    int err;

    if (*pte & PTE_P) {
        if (PTE_ADDR(*pte) == frame_pa(f)) {
            change_rights(pm, pte, va, f, entry_flags(prot));
            return 0;
        }
        unmap_entry(pm, pte);
        mmu_flush_page(pm->pgdir, va);
    }
    err = mappages(pm, pte, f, entry_flags(prot));
    if (err)
        free_table_if_empty(table_of(pte));
    return err;
}

int pmap_enter(struct pmap *pm, vaddr_t va, struct frame *f, uint8_t prot)
{
    pte_t *pte = walkpgdir(pm, va, true);

    return pte ? pmap_enter_at(pm, pte, va, f, prot) : -ENOMEM;
}

unsigned pmap_enter_absent(struct pmap *pm, vaddr_t start, struct frame **f, unsigned n,
                           uint8_t prot)
{
    pte_t *pte = walkpgdir(pm, start, false);
    unsigned mapped = 0;

    for (unsigned i = 0; i < n; i++) {
        if (!f[i] || (pte[i] & PTE_P))
            continue;
        if (mappages(pm, &pte[i], f[i], entry_flags(prot)))
            break;
        mapped++;
    }
    return mapped;
}

struct frame *pmap_lookup(struct pmap *pm, vaddr_t va, bool *writable)
{
    const pte_t *pte = walkpgdir(pm, va, false);

    if (!pte || !(*pte & PTE_P))
        return NULL;
    *writable = *pte & pm->pgdir[PDX(va)] & PTE_W;
    return frame_of_pa(PTE_ADDR(*pte));
}

/* ---- Ranges ---- */

/* What to do with a present entry; whether it changed. Inlined into the walk, for its cost.
 */
typedef bool (*entry_fn)(struct pmap *pm, struct frame *table, pte_t *pte);
#define INLINE_WALK static inline __attribute__((always_inline))

/* No frame knows of an entry that another stands for, and nobody counts what the dying have. */
INLINE_WALK bool remove_entry(struct pmap *pm, struct frame *table, pte_t *pte)
{
    if (pm->dying && (*pte & (PTE_STOOD_FOR | PTE_D)) == PTE_STOOD_FOR) {
        *pte = 0;
        table->table.used--;
        return true;
    }
    unmap_entry(pm, pte);
    return true;
}

INLINE_WALK bool protect_entry(struct pmap *pm, struct frame *table, pte_t *pte)
{
    (void)pm, (void)table;
    if (!(*pte & PTE_W))
        return false;
    __atomic_and_fetch(pte, ~PTE_W, __ATOMIC_SEQ_CST);
    return true;
}

/* One table's part of a range; everything that changed is flushed, and the table goes if it is
 * empty. */
INLINE_WALK void walk_table(struct pmap *pm, pte_t *pte, vaddr_t start, vaddr_t end, entry_fn fn)
{
    struct frame *table = table_of(pte);
    pte_t *const begin = pte, *const last = pte + ((end - start) >> PAGE_SHIFT);
    const pte_t *from = NULL, *to = NULL; /* what changed */
    unsigned left = table->table.used;    /* not yet seen, here or elsewhere in the table */

    for (; left && (pte = first_used(pte, last)) < last; pte++, left--) {
        if (!fn(pm, table, pte))
            continue;
        from = from ? from : pte;
        to = pte + 1;
    }
    if (from)
        flush_changed(table, start + ((vaddr_t)(from - begin) << PAGE_SHIFT),
                      (unsigned)(to - from));
    else
        free_table_if_empty(table);
}

/* Where the next part of [start, end), that start's table maps, ends: what is left of *budget
 * allows so many entries a unit; to look at 16 that are absent costs one. */
INLINE_WALK vaddr_t part_end(const pte_t *table, vaddr_t start, vaddr_t end, unsigned *budget,
                             unsigned per_unit)
{
    const vaddr_t table_end = (start & ~(PT_SPAN - 1)) + PT_SPAN;
    const vaddr_t stop = table_end < end ? table_end : end;
    const unsigned pages = (stop - start) >> PAGE_SHIFT, used = frame_of(table)->table.used;
    unsigned units = (pages < used ? pages : used) / per_unit + pages / 16;

    if (units <= *budget) {
        *budget -= units;
        return stop;
    }
    units = *budget * per_unit;
    *budget = 0;
    return pages > units ? start + (units << PAGE_SHIFT) : stop;
}

/* The same for a table that is not pm's own: which it is that has entries to be changed, or NULL.
 */
INLINE_WALK pte_t *not_own(struct pmap *pm, pte_t *table, vaddr_t start, vaddr_t end,
                           unsigned *budget, entry_fn fn)
{
    if (fn != protect_entry)
        return share_remove(pm, table, start, end, budget);
    share_distrust(table);
    return NULL;
}

INLINE_WALK vaddr_t walk_step(struct pmap *pm, vaddr_t start, vaddr_t end, unsigned *budget,
                              entry_fn fn, unsigned per_unit)
{
    KASSERT(end <= USER_TOP);
    while (start < end && *budget) {
        pte_t *table = pmap_table(pm, start);
        vaddr_t stop = (start & ~(PT_SPAN - 1)) + PT_SPAN;

        if (table && !(pm->pgdir[PDX(start)] & PTE_W))
            table = not_own(pm, table, start, stop < end ? stop : end, budget, fn);
        if (table) {
            stop = part_end(table, start, end, budget, per_unit);
            walk_table(pm, table + PTX(start), start, stop, fn);
        }
        start = stop;
    }
    return start < end ? start : end;
}

vaddr_t pmap_remove_step(struct pmap *pm, vaddr_t start, vaddr_t end, unsigned *budget)
{
    return walk_step(pm, start, end, budget, remove_entry, 1);
}

/* Taking a right away costs an eighth of taking a page away. */
vaddr_t pmap_protect_step(struct pmap *pm, vaddr_t start, vaddr_t end, unsigned *budget)
{
    return walk_step(pm, start, end, budget, protect_entry, 8);
}

void pmap_remove(struct pmap *pm, vaddr_t start, vaddr_t end)
{
    unsigned budget = UINT32_MAX;

    (void)pmap_remove_step(pm, start, end, &budget);
}

/* ---- By frame ---- */

vaddr_t pmap_entry_address(const pte_t *pte)
{
    const struct frame *table = table_of(pte);

    return ((vaddr_t)table->table.pdx << 22) |
           (vaddr_t)(((uintptr_t)pte & (PAGE_SIZE - 1)) / sizeof(*pte)) << PAGE_SHIFT;
}

void pmap_remove_frame(struct frame *f)
{
    pmap_remove_some(f, UINT32_MAX);
}

/* The entry goes, for all that have its table. */
static void remove_mapping(pte_t *pte)
{
    struct frame *table = table_of(pte);
    const bool file = frame_of_pa(PTE_ADDR(*pte))->kind == FRAME_OBJECT;
    vaddr_t va = pmap_entry_address(pte);
    struct pmap *pm = table->table.pmap;

    while ((pm = share_next(table, pm))) {
        pm->resident--;
        pm->resident_file -= file;
    }
    unmap_entry(table->table.pmap, pte);
    flush_changed(table, va, 1);
}

void pmap_remove_some(struct frame *f, unsigned most)
{
    pte_t *pte;

    for (; most > 0 && (pte = rmap_nth(f, 0)); most--)
        remove_mapping(pte);
}

/* Whether it had any of them. */
static bool clear_in(pte_t *pte, pte_t bits)
{
    if (!(*pte & bits))
        return false;
    __atomic_and_fetch(pte, ~bits, __ATOMIC_SEQ_CST);
    flush_changed(table_of(pte), pmap_entry_address(pte), 1);
    return true;
}

bool pmap_clear_accessed(pte_t *pte)
{
    return clear_in(pte, PTE_A);
}

/* Clears bits in every mapping of f; whether one had any of them. */
static bool clear_in_all(struct frame *f, pte_t bits)
{
    struct mapping m = {0};
    bool was_set = false;

    while (pmap_next_mapping(f, &m))
        was_set |= clear_in(m.pte, bits);
    return was_set;
}

bool pmap_age(pte_t *pte)
{
    if (pmap_clear_accessed(pte))
        return true;
    remove_mapping(pte);
    return false;
}

bool pmap_test_accessed(struct frame *f)
{
    return clear_in_all(f, PTE_A);
}

static bool any_has(const struct frame *f, pte_t bit)
{
    struct mapping m = {0};

    while (pmap_next_mapping(f, &m))
        if (*m.pte & bit)
            return true;
    return false;
}

bool pmap_is_accessed(const struct frame *f)
{
    return any_has(f, PTE_A);
}

bool pmap_test_dirty(const struct frame *f)
{
    return any_has(f, PTE_D);
}

void pmap_clean(struct frame *f)
{
    (void)clear_in_all(f, PTE_D | PTE_W);
}

void pmap_clear_dirty(struct frame *f)
{
    f->flags &= ~FRAME_DIRTY;
    (void)clear_in_all(f, PTE_D);
}
