/*
 * Figures: what spaces map, what frames hold, how much memory there is. Counted from the page
 * tables and the frames themselves when asked, so that nothing has to be kept up to date for it.
 *
 * Whatever looks at a range looks at STEP pages at a time under vm_lock, so that a reader never
 * keeps interrupts out for long; areas and spaces may change between two steps.
 */
#include "libc/string.h"
#include "mm/fork/share.h"
#include "mm/local.h"
#include "mm/percpu/pool.h"
#include "mm/port.h"
#include "mm/reclaim/reclaim.h"

#define STEP            256u /* pages, frames or mappings looked at with vm_lock held */
#define CENSUS_MAPPINGS 128u

/* ---- Page-table entries ---- */

static vaddr_t next_table(vaddr_t va)
{
    return (va & ~(PT_SPAN - 1)) + PT_SPAN;
}

/* Whether the frame behind an entry is the only copy of contents that count: an anon, which has no
 * other home, or an object's page that was written to. */
static bool entry_dirty(const struct frame *f, pte_t entry)
{
    if (f->kind == FRAME_ANON && !(f->flags & FRAME_LAZY))
        return true;
    return (f->flags & FRAME_DIRTY) || (entry & PTE_D);
}

static bool is_shmem(const struct frame *f)
{
    return f->kind == FRAME_OBJECT && object_is_anonymous(f->object);
}

/* Exactly; of a page that very many map each reverse mapping is one. [v] */
static uint32_t count_mappings(const struct frame *f)
{
    struct mapping m = {0};
    uint32_t n = rmap_count(f);

    if (n > CENSUS_MAPPINGS)
        return n;
    for (n = 0; pmap_next_mapping(f, &m); n++)
        ;
    return n;
}

static void count_entry(pte_t entry, struct vm_range_stats *out)
{
    const struct frame *f = frame_of_pa(PTE_ADDR(entry));
    uint32_t pss = PAGE_SIZE << VM_PSS_SHIFT;
    unsigned mappings;
    bool dirty;

    if (f->kind == FRAME_ZERO)
        return;
    mappings = count_mappings(f);
    dirty = entry_dirty(f, entry);
    pss /= mappings;
    out->resident++;
    out->pss += pss;
    if (dirty)
        out->pss_dirty += pss;
    if (mappings > 1)
        ++*(dirty ? &out->shared_dirty : &out->shared_clean);
    else
        ++*(dirty ? &out->private_dirty : &out->private_clean);
    out->referenced += (entry & PTE_A) != 0;
    if (f->kind == FRAME_ANON) {
        out->anonymous++;
        out->lazy += !dirty;
        out->pss_anon += pss;
    } else if (is_shmem(f)) {
        out->shmem++;
        out->pss_shmem += pss;
    }
}

/* Does fn for each present entry of [start, end): some of them, then returns where to go on. [v] */
typedef void (*entry_fn)(struct pmap *pm, vaddr_t va, pte_t *entry, void *arg);
static vaddr_t walk_step(struct pmap *pm, vaddr_t start, vaddr_t end, entry_fn fn, void *arg)
{
    vaddr_t va = start;

    for (unsigned n = 0; va < end && n < STEP; n++) {
        pte_t *table = pmap_table(pm, va);

        if (!table) {
            va = next_table(va);
            continue;
        }
        if (table[PTX(va)] & PTE_P) {
            n += pmap_most_mappings(frame_of_pa(PTE_ADDR(table[PTX(va)]))) / 8;
            fn(pm, va, &table[PTX(va)], arg);
        }
        va += PAGE_SIZE;
    }
    return va < end ? va : end;
}

static void walk(struct vm_space *s, vaddr_t start, vaddr_t end, entry_fn fn, void *arg)
{
    if (end > USER_TOP)
        end = USER_TOP;
    while (start < end) {
        spin_lock(&vm_lock);
        start = walk_step(&s->pmap, start, end, fn, arg);
        spin_unlock(&vm_lock);
        port_yield();
    }
}

static void add_entry(struct pmap *pm, vaddr_t va, pte_t *entry, void *arg)
{
    (void)pm, (void)va;
    count_entry(*entry, arg);
}

/* Private pages in swap, a step of the range; where to go on. */
static vaddr_t count_swapped(struct vm_space *s, vaddr_t va, vaddr_t end,
                             struct vm_range_stats *out)
{
    spin_lock(&vm_lock);
    for (unsigned n = 0; n < STEP && va < end && va < USER_TOP; n++) {
        const struct anon *a = amap_get(&s->amap, va >> PAGE_SHIFT);

        if (!s->amap.leaf[(va >> PAGE_SHIFT) / LEAF_SLOTS]) {
            va = next_table(va);
            continue;
        }
        if (a && !a->frame) {
            out->swap++;
            out->swap_pss += (PAGE_SIZE << VM_PSS_SHIFT) / a->refs;
        }
        va += PAGE_SIZE;
    }
    spin_unlock(&vm_lock);
    return va;
}

/* What of the objects without a file is in swap and mapped by the range, unless a private page is
 * in front of it: a step; where to go on. Nobody's share of it is counted, as on Linux. */
static vaddr_t count_swapped_shared(struct vm_space *s, vaddr_t va, vaddr_t end,
                                    struct vm_range_stats *out)
{
    struct vma *v;

    spin_lock(&vm_lock);
    v = vma_find(s, va);
    if (!v || v->start >= end || !v->object || !v->object->swapped) {
        va = v && v->start < end ? v->end : end;
        spin_unlock(&vm_lock);
        return va;
    }
    va = va < v->start ? v->start : va;
    for (unsigned n = 0; n < STEP && va < end && va < v->end; n++, va += PAGE_SIZE) {
        if (vma_is_private(v) && amap_get(&s->amap, va >> PAGE_SHIFT))
            continue;
        out->swap += item_slot(radix_get(&v->object->pages, vma_page_index(v, va))) != 0;
    }
    spin_unlock(&vm_lock);
    return va;
}

void vm_range_stats(struct vm_space *s, vaddr_t start, vaddr_t end, struct vm_range_stats *out)
{
    walk(s, start, end, add_entry, out);
    for (vaddr_t va = start; va < end && va < USER_TOP;)
        va = count_swapped(s, va, end, out);
    for (vaddr_t va = start; va < end && va < USER_TOP;)
        va = count_swapped_shared(s, va, end, out);
}

uint32_t vm_space_swapped(struct vm_space *s)
{
    struct vm_range_stats r = {0};

    for (vaddr_t va = 0; va < USER_TOP;)
        va = count_swapped(s, va, USER_TOP, &r);
    return r.swap;
}

static void describe_page(const struct pmap *pm, vaddr_t va, struct vm_page_info *out)
{
    const pte_t *table = user_range(va, PAGE_SIZE) ? pmap_table(pm, va) : NULL;
    const struct frame *f;

    *out = (struct vm_page_info){0};
    if (!table || !(table[PTX(va)] & PTE_P))
        return;
    out->entry = table[PTX(va)] & (pm->pgdir[PDX(va)] | ~PTE_W) & ~PTE_STOOD_FOR;
    f = frame_of_pa(PTE_ADDR(out->entry));
    out->frame = frame_number(f);
    out->zero = f->kind == FRAME_ZERO;
    out->file = f->kind == FRAME_OBJECT;
    out->exclusive = !out->zero && !pmap_shared(f);
}

void vm_page_info(struct vm_space *s, vaddr_t va, unsigned n, struct vm_page_info *out)
{
    spin_lock(&vm_lock);
    for (unsigned i = 0; i < n; i++, va += PAGE_SIZE) {
        const struct anon *a = va < USER_TOP ? amap_get(&s->amap, va >> PAGE_SHIFT) : NULL;

        describe_page(&s->pmap, va, &out[i]);
        out[i].swapped = a && !a->frame;
        out[i].slot = out[i].swapped ? a->slot : 0;
    }
    spin_unlock(&vm_lock);
}

pde_t vm_directory_entry(struct vm_space *s, unsigned n, unsigned *present)
{
    vaddr_t va = (vaddr_t)n << 22;
    const pte_t *table;
    pde_t entry = 0;

    spin_lock(&vm_lock);
    table = user_range(va, PAGE_SIZE) ? pmap_table(&s->pmap, va) : NULL;
    if (table) {
        entry = s->pmap.pgdir[n];
        *present = frame_of(table)->table.used;
    }
    spin_unlock(&vm_lock);
    return entry;
}

vaddr_t vm_next_mapped(struct vm_space *s, vaddr_t va)
{
    spin_lock(&vm_lock);
    while (va < USER_TOP) {
        const pte_t *table = pmap_table(&s->pmap, va);

        if (table && (table[PTX(va)] & PTE_P))
            break;
        va = table ? va + PAGE_SIZE : next_table(va);
    }
    spin_unlock(&vm_lock);
    return va;
}

/* ---- Clearing ---- */

static void clear_entry(struct pmap *pm, vaddr_t va, pte_t *entry, void *arg)
{
    bool file = frame_of_pa(PTE_ADDR(*entry))->kind == FRAME_OBJECT;
    int which = *(int *)arg;

    (void)pm, (void)va;
    if (which != (file ? VM_CLEAR_ANON : VM_CLEAR_FILE))
        (void)pmap_clear_accessed(entry);
}

void vm_clear_referenced(struct vm_space *s, int which)
{
    walk(s, 0, USER_TOP, clear_entry, &which);
}

void vm_reset_peak(struct vm_space *s)
{
    spin_lock(&vm_lock);
    s->pmap.peak = s->pmap.resident;
    spin_unlock(&vm_lock);
}

/* ---- Frames ---- */

static uint8_t public_kind(const struct frame *f)
{
    static const uint8_t kinds[FRAME_KINDS] = {
        [FRAME_RESERVED] = VM_FRAME_RESERVED, [FRAME_FREE] = VM_FRAME_FREE,
        [FRAME_KERNEL] = VM_FRAME_KERNEL,     [FRAME_SLAB] = VM_FRAME_SLAB,
        [FRAME_TABLE] = VM_FRAME_TABLE,       [FRAME_LEAF] = VM_FRAME_KERNEL,
        [FRAME_ANON] = VM_FRAME_ANON,         [FRAME_OBJECT] = VM_FRAME_FILE,
        [FRAME_ORPHAN] = VM_FRAME_KERNEL,     [FRAME_ZERO] = VM_FRAME_ZERO,
    };

    return is_shmem(f) ? VM_FRAME_SHMEM : kinds[f->kind];
}

/* Whether an anon has an owner besides the first space that maps it: the COW question. */
static bool has_several_owners(const struct frame *f)
{
    struct mapping m = {0};
    const struct vm_space *s;

    if (f->anon->refs > 1)
        return true;
    if (!pmap_next_mapping(f, &m))
        return false;
    s = container_of(m.pm, struct vm_space, pmap);
    return !amap_owns(&s->amap, pmap_entry_address(m.pte) >> PAGE_SHIFT);
}

/* What the reverse mappings from number first on tell, some of them; where to go on, or 0. */
static unsigned describe_mappings(const struct frame *f, unsigned first, struct vm_frame_info *out)
{
    const unsigned all = VM_FRAME_REFERENCED | VM_FRAME_DIRTY, end = first + STEP / 8;
    struct mapping m = {.link = first};

    out->mappings = count_mappings(f);
    while (pmap_next_mapping(f, &m)) {
        if (m.link == end)
            return end;
        if ((out->flags & all) == all)
            return 0;
        out->flags |= *m.pte & PTE_A ? VM_FRAME_REFERENCED : 0;
        out->flags |= *m.pte & PTE_D ? VM_FRAME_DIRTY : 0;
    }
    return 0;
}

/* One step, in which first is the first mapping to be asked; where to go on, or 0. [v] */
static unsigned describe_frame(const struct frame *f, unsigned first, struct vm_frame_info *out)
{
    unsigned next;

    if (first == 0)
        *out = (struct vm_frame_info){.kind = public_kind(f)};
    if (f->kind != FRAME_ANON && f->kind != FRAME_OBJECT)
        return 0;
    next = describe_mappings(f, first, out);
    if ((f->kind == FRAME_ANON && !f->anon->slot && !(f->flags & FRAME_LAZY)) ||
        (f->flags & FRAME_DIRTY))
        out->flags |= VM_FRAME_DIRTY;
    if (f->flags & FRAME_BUSY)
        out->flags |= VM_FRAME_BUSY;
    if (f->flags & FRAME_WRITING)
        out->flags |= VM_FRAME_WRITING;
    if (f->kind == FRAME_ANON && f->anon->slot && !(out->flags & VM_FRAME_DIRTY))
        out->flags |= VM_FRAME_IN_SWAP;
    else
        out->flags &= (uint8_t)~VM_FRAME_IN_SWAP;
    if (f->kind == FRAME_ANON && has_several_owners(f))
        out->flags |= VM_FRAME_COW;
    return next;
}

static void describe_place(pfn_t n, struct vm_frame_info *out)
{
    unsigned next = 0;

    switch (frame_place(n)) {
    case FRAME_ELSEWHERE:
        *out = (struct vm_frame_info){.kind = VM_FRAME_RESERVED};
        return;
    case FRAME_NEVER_USED:
        *out = (struct vm_frame_info){.kind = VM_FRAME_FREE};
        return;
    default:
        break;
    }
    do {
        spin_lock(&vm_lock);
        next = describe_frame(&frames[n], next, out);
        spin_unlock(&vm_lock);
    } while (next);
}

void vm_frame_info(pfn_t first, unsigned n, struct vm_frame_info *out)
{
    for (unsigned i = 0; i < n; i++)
        describe_place(first + i, &out[i]);
}

/* A step of vm_next_private, which ends at a page that has contents, or before end. */
static vaddr_t private_step(struct vm_space *s, vaddr_t va, vaddr_t end, bool *found)
{
    const struct amap *m = &s->amap;

    spin_lock(&vm_lock);
    for (unsigned n = 0; va < end && n < STEP; n++) {
        uint32_t page = va >> PAGE_SHIFT;

        *found = amap_get(m, page) != NULL;
        if (*found)
            break;
        va = m->leaf[page / LEAF_SLOTS] ? va + PAGE_SIZE : next_table(va);
    }
    spin_unlock(&vm_lock);
    return va < end ? va : end;
}

vaddr_t vm_next_private(struct vm_space *s, vaddr_t va, vaddr_t end)
{
    bool found = false;

    while (va < end && !found) {
        va = private_step(s, va, end, &found);
        port_yield();
    }
    return va;
}

/* Of a page that very many map not all are asked. [v] */
static bool census_locked(const struct frame *f)
{
    return locked_pages && pmap_most_mappings(f) <= CENSUS_MAPPINGS && frame_is_locked(f);
}

/* How many steps that took. [v] */
static unsigned census_count(const struct frame *f, struct frame_census *out)
{
    bool active = frame_age(f) > POLICY_REFAULT;

    if (f->kind != FRAME_ANON && f->kind != FRAME_OBJECT)
        return 1;
    out->mapped_file += f->kind == FRAME_OBJECT && f->rmap;
    if (f->kind == FRAME_OBJECT && f->object->kept)
        out->kept++;
    else if (census_locked(f))
        out->locked++;
    else if (f->kind == FRAME_ANON || f->object->pager->shared_memory)
        ++*(active ? &out->active_anon : &out->inactive_anon);
    else
        ++*(active ? &out->active_file : &out->inactive_file);
    return 1 + (locked_pages ? pmap_most_mappings(f) / 2 : 0);
}

static struct frame *census_step(struct frame *f, struct frame_census *out)
{
    spin_lock(&vm_lock);
    for (unsigned n = 0; f && n < STEP; f = frame_next(f))
        n += census_count(f, out);
    spin_unlock(&vm_lock);
    return f;
}

void vm_frame_census(struct frame_census *out)
{
    struct frame *f = frame_next(NULL);

    *out = (struct frame_census){0};
    for (; f; port_yield())
        f = census_step(f, out);
}

/* ---- Spaces and memory as a whole ---- */

/* [v] What out can be told at once; the object, for its pager's part, with a reference. */
static struct vm_object *area_begin(const struct vma *v, struct vm_area_info *out)
{
    out->start = v->start;
    out->end = v->end;
    out->prot = v->prot;
    out->maxprot = v->maxprot;
    out->served = v->served;
    out->flags = v->flags;
    if (v->flags & VM_HEAP)
        strlcpy(out->name, "[heap]", sizeof(out->name));
    else if (v->flags & VM_STACK)
        strlcpy(out->name, "[stack]", sizeof(out->name));
    out->object = v->object;
    if (v->object) {
        out->pgoff = v->pgoff;
        v->object->refs++;
    }
    return v->object;
}

/* Without vm_lock: asks the pager. */
static void area_finish(struct vm_object *o, struct vm_area_info *out)
{
    if (!o)
        return;
    if (o->pager->describe)
        o->pager->describe(o, out->name, sizeof(out->name), &out->ino, &out->dev);
    vm_object_unref(o);
}

bool vm_next_area(struct vm_space *s, vaddr_t addr, struct vm_area_info *out)
{
    struct vm_object *o = NULL;
    struct vma *v;

    *out = (struct vm_area_info){0};
    spin_lock(&vm_lock);
    v = vma_find(s, addr);
    if (v)
        o = area_begin(v, out);
    spin_unlock(&vm_lock);
    area_finish(o, out);
    return v != NULL;
}

bool vm_nearest_area(struct vm_space *s, vaddr_t addr, struct vm_area_info *out)
{
    struct vma *v = NULL, *below = NULL;
    struct vm_object *o = NULL;

    *out = (struct vm_area_info){0};
    spin_lock(&vm_lock);
    if (!list_empty(&s->vmas)) {
        v = vma_find(s, addr);
        below = v ? vma_prev(s, v) : list_entry(s->vmas.prev, struct vma, link);
    }
    if (!v || (v->start > addr && below && addr - below->end < v->start - addr))
        v = below;
    if (v)
        o = area_begin(v, out);
    spin_unlock(&vm_lock);
    area_finish(o, out);
    return v != NULL;
}

unsigned vm_peek_areas(const struct vm_space *s, vaddr_t addr, struct vm_area_info *out, unsigned n)
{
    const struct list *at = s->vmas.next;
    const struct vma *v;
    unsigned done = 0;

    /* From the second area below addr on. */
    while (at != &s->vmas && container_of(at, struct vma, link)->end <= addr)
        at = at->next;
    for (unsigned i = 0; i < 2 && at->prev != &s->vmas; i++)
        at = at->prev;
    for (; done < n && at != &s->vmas; at = at->next) {
        v = container_of(at, struct vma, link);
        out[done] = (struct vm_area_info){
            .start = v->start, .end = v->end, .prot = v->prot, .flags = v->flags};
        strlcpy(out[done++].name,
                v->flags & VM_HEAP    ? "[heap]"
                : v->flags & VM_STACK ? "[stack]"
                : v->object           ? v->object->pager->name
                                      : "anonymous",
                sizeof(out->name));
    }
    return done;
}

const pde_t *vm_space_tables(const struct vm_space *s)
{
    return s->pmap.pgdir;
}

void vm_space_stats(struct vm_space *s, struct vm_space_stats *out)
{
    *out = (struct vm_space_stats){0};
    spin_lock(&vm_lock);
    out->size = s->pages;
    out->peak_size = s->peak_pages;
    out->locked = s->locked_pages;
    out->resident = s->pmap.resident;
    out->resident_file = s->pmap.resident_file;
    out->peak_resident = s->pmap.peak;
    out->brk_start = s->brk_start;
    out->brk = s->brk;
    out->data = s->data_pages;
    out->stack = s->stack_pages;
    out->text = s->text_pages;
    spin_unlock(&vm_lock);
}

uint32_t vm_space_table_frames(struct vm_space *s)
{
    uint32_t tables = 0;

    spin_lock(&vm_lock);
    for (vaddr_t va = 0; va < USER_TOP; va = next_table(va))
        tables += pmap_table(&s->pmap, va) != NULL;
    tables += local_frames(s);
    spin_unlock(&vm_lock);
    return tables;
}

/* [v] */
static uint32_t overhead_frames(const struct vm_space *s)
{
    uint32_t frames = 1 + local_frames(s); /* 1: the directory */

    for (unsigned i = 0; i < AMAP_LEAVES; i++) {
        struct anon **leaf = s->amap.leaf[i];
        const pte_t *table = pmap_table(&s->pmap, i * (LEAF_SLOTS * PAGE_SIZE));

        frames += leaf && frame_of(leaf)->leaf.refs == 1;
        frames += table && !table_of(table)->pins;
    }
    return frames + s->areas * sizeof(struct vma) / PAGE_SIZE;
}

/* [v] Private pages that nothing maps, which are in swap if anything is: not counted one by one. */
static uint32_t about_in_swap(const struct vm_space *s)
{
    uint32_t pages = 0, mapped = s->pmap.resident - s->pmap.resident_file, used = swap_used();

    for (unsigned i = 0; i < AMAP_LEAVES && used; i++)
        pages += s->amap.leaf[i] ? frame_of(s->amap.leaf[i])->leaf.used : 0;
    pages = pages > mapped ? pages - mapped : 0;
    return pages < used ? pages : used;
}

void vm_space_brief(struct vm_space *s, struct vm_space_brief *out)
{
    spin_lock(&vm_lock);
    *out = (struct vm_space_brief){
        .size = s->pages,
        .resident = s->pmap.resident,
        .resident_file = s->pmap.resident_file,
        .overhead = overhead_frames(s),
        .swapped = about_in_swap(s),
    };
    spin_unlock(&vm_lock);
}

uint32_t vm_total_frames(void)
{
    return frame_total();
}

uint32_t vm_free_frames(void)
{
    return frame_free_count();
}

/* Pages nobody maps; those that are mapped would come back at once. */
static struct frame *drop_step(struct frame *f)
{
    spin_lock(&vm_lock);
    for (unsigned n = 0; f && n < STEP; n++, f = frame_next(f))
        if (f->kind == FRAME_OBJECT && !f->rmap)
            reclaim_frame(f);
    spin_unlock(&vm_lock);
    return f;
}

void vm_drop_caches(void)
{
    struct frame *f = frame_next(NULL);

    for (; f; port_yield())
        f = drop_step(f);
    spin_lock(&vm_lock);
    pools_empty();
    space_drop_kept();
    spin_unlock(&vm_lock);
}

void vm_object_drop(struct vm_object *o)
{
    uint32_t index = 0;
    void *item;

    do {
        spin_lock(&vm_lock);
        for (unsigned n = 0; n < STEP && (item = radix_next(&o->pages, &index)); n++, index++) {
            struct frame *f = item_frame(item);
            if (f && !f->rmap)
                reclaim_frame(f);
        }
        spin_unlock(&vm_lock);
        port_yield();
    } while (item);
}

bool vm_make_room(uint32_t n)
{
    bool more = true;

    while (more && frame_free_count() < n)
        more = reclaim();
    return frame_free_count() >= n;
}

void mm_stats(struct mem_stats *out)
{
    *out = (struct mem_stats){
        .total = frame_total(),
        .free = frame_free_count(),
        .reserve = frame_reserve(),
        .slab = frame_count(FRAME_SLAB),
        .tables = frame_count(FRAME_TABLE),
        .anon = frame_count(FRAME_ANON),
        .cached = frame_count(FRAME_OBJECT),
        .kernel = frame_count(FRAME_KERNEL) + frame_count(FRAME_SLAB) + frame_count(FRAME_LEAF) +
                  frame_count(FRAME_RESERVED) + frame_count(FRAME_ZERO),
    };
    spin_lock(&vm_lock);
    fault_totals(&out->minor_faults, &out->major_faults);
    out->cached_shmem = shmem_pages;
    out->locked = locked_pages;
    spin_unlock(&vm_lock);
}
