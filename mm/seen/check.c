/*
 * mm_check(): recounts everything that mm/ believes, from the other end, and reports each
 * difference. It allocates nothing and changes nothing but the anons' scratch counters.
 */
#include "kernel/base/log.h"
#include "mm/mm.h"
#include "mm/port.h"
#include "mm/reclaim/reclaim.h"

void check_complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vklog(LOG_WARN, fmt, ap);
    va_end(ap);
}

struct audit {
    int errors;
    uint32_t entries; /* present page-table entries with a reverse mapping */
    uint32_t tables;  /* page tables and directories */
    uint32_t anons;   /* seen in leaves */
    uint32_t leaves;
    uint32_t locked, shmem;    /* pages */
    uint32_t away, pages_away; /* anons and pages of objects without a frame */
    uint32_t slots, slot_sum;  /* in swap that have an owner */
};

#define CHECK(a, cond, ...)                                                                        \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            (a)->errors++;                                                                         \
            check_complain("mm_check: " __VA_ARGS__);                                              \
        }                                                                                          \
    } while (0)

/* ---- Page tables against the layers above ---- */

/* What the fault table says may be mapped at va, and whether it may be writable. */
static struct frame *expected_frame(struct vm_space *s, struct vma *v, vaddr_t va, bool *may_write)
{
    struct amap_slot slot = {NULL, false};

    *may_write = v->prot & VM_PROT_WRITE;
    if (!vma_is_private(v))
        return object_frame(v->object, vma_page_index(v, va));
    slot = amap_lookup(&s->amap, va >> PAGE_SHIFT);
    if (slot.anon) {
        *may_write = *may_write && slot.sole;
        return slot.anon->frame;
    }
    *may_write = false;
    return v->object ? object_frame(v->object, vma_page_index(v, va)) : zero_frame;
}

static void check_entry(struct audit *a, struct vm_space *s, vaddr_t va, const pte_t *pte)
{
    struct frame *f = frame_of_pa(PTE_ADDR(*pte));
    struct vma *v = vma_find(s, va);
    bool may_write;

    CHECK(a, v && v->start <= va && v->prot, "%08x is mapped outside every area", va);
    if (!v || v->start > va)
        return;
    CHECK(a, f == expected_frame(s, v, va, &may_write), "%08x maps frame %x, not its own", va,
          frame_number(f));
    CHECK(a, may_write || !(*pte & PTE_W), "%08x is writable and must not be", va);
    CHECK(a,
          !(*pte & (PTE_W | PTE_D)) || f->kind != FRAME_OBJECT || !f->object->pager->put ||
              (f->flags & FRAME_DIRTY),
          "%08x can be written to, and its page counts as clean", va);
    CHECK(a, !(f->flags & FRAME_BUSY), "%08x maps a frame that is being filled", va);
    if (f->kind == FRAME_ZERO)
        return;
    a->entries++;
    CHECK(a, rmap_has(f, pte), "the entry of %08x is not in the reverse map", va);
}

static void check_table(struct audit *a, struct vm_space *s, unsigned pdx, uint32_t *resident)
{
    const pte_t *pte = phys_to_virt(PTE_ADDR(s->pmap.pgdir[pdx]));
    const struct frame *t = frame_of(pte);
    unsigned present = 0;

    a->tables++;
    CHECK(a, t->kind == FRAME_TABLE && t->table.pmap == &s->pmap && t->table.pdx == pdx,
          "page table %u is not marked as such", pdx);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        if (!(pte[i] & PTE_P)) {
            CHECK(a, pte[i] == 0, "an absent entry is not zero");
            continue;
        }
        present++;
        *resident += frame_of_pa(PTE_ADDR(pte[i]))->kind != FRAME_ZERO;
        check_entry(a, s, (pdx << 22) | (i << PAGE_SHIFT), &pte[i]);
    }
    CHECK(a, present == t->table.used && present > 0, "table %u counts %u entries, has %u", pdx,
          t->table.used, present);
}

static void check_pmap(struct audit *a, struct vm_space *s)
{
    uint32_t resident = 0;

    a->tables++;
    for (unsigned i = 0; i < PDX(USER_TOP); i++) {
        if (pmap_table(&s->pmap, i * PT_SPAN))
            check_table(a, s, i, &resident);
    }
    CHECK(a, resident == s->pmap.resident, "%u frames counted resident, %u mapped",
          s->pmap.resident, resident);
}

/* ---- Anonymous memory ---- */

/* Each leaf is visited once: by the first space that has it. */
static bool seen_in_earlier_space(const struct vm_space *s, unsigned n)
{
    const struct vm_space *t;

    list_for_each_entry (t, &all_spaces, all) {
        if (t == s)
            return false;
        if (t->amap.leaf[n] == s->amap.leaf[n])
            return true;
    }
    return false;
}

static unsigned spaces_with_leaf(struct anon **leaf, unsigned n)
{
    const struct vm_space *s;
    unsigned count = 0;

    list_for_each_entry (s, &all_spaces, all)
        count += s->amap.leaf[n] == leaf;
    return count;
}

static void count_slot(struct audit *a, uint32_t slot)
{
    if (!slot)
        return;
    CHECK(a, swap_owned(slot), "slot %x is somebody's and free", slot);
    a->slots++;
    a->slot_sum += slot;
}

static void check_slot(struct audit *a, struct vm_space *s, struct anon *anon, vaddr_t va)
{
    const struct vma *v = vma_find(s, va);

    CHECK(a, v && v->start <= va && vma_is_private(v),
          "an anon at %08x, outside every private area", va);
    if (anon->frame)
        CHECK(a, anon->frame->kind == FRAME_ANON && anon->frame->anon == anon,
              "the anon at %08x does not own its frame", va);
    else
        CHECK(a, anon->slot, "the anon at %08x is nowhere", va);
    if (anon->seen++)
        return;
    a->anons++;
    a->away += !anon->frame;
    count_slot(a, anon->slot);
}

static void check_leaf(struct audit *a, struct vm_space *s, unsigned n)
{
    struct anon **leaf = s->amap.leaf[n];
    const struct frame *f = frame_of(leaf);
    unsigned used = 0;

    a->leaves++;
    CHECK(a, f->kind == FRAME_LEAF, "leaf %u is not marked as such", n);
    CHECK(a, f->leaf.refs == spaces_with_leaf(leaf, n),
          "leaf %u has %u references, is in %u spaces", n, f->leaf.refs, spaces_with_leaf(leaf, n));
    for (unsigned i = 0; i < LEAF_SLOTS; i++) {
        if (!leaf[i])
            continue;
        used++;
        CHECK(a, i >= f->leaf.low && i < f->leaf.high, "leaf %u: slot %u lies outside its bounds",
              n, i);
        check_slot(a, s, leaf[i], (n * LEAF_SLOTS + i) << PAGE_SHIFT);
    }
    CHECK(a, used == f->leaf.used, "leaf %u counts %u slots, has %u", n, f->leaf.used, used);
}

static void forget_leaf(struct audit *a, struct vm_space *s, unsigned n)
{
    (void)a;
    for (unsigned i = 0; i < LEAF_SLOTS; i++) {
        if (s->amap.leaf[n][i])
            s->amap.leaf[n][i]->seen = 0;
    }
}

static void check_refs(struct audit *a, struct vm_space *s, unsigned n)
{
    for (unsigned i = 0; i < LEAF_SLOTS; i++) {
        const struct anon *anon = s->amap.leaf[n][i];
        CHECK(a, !anon || anon->seen == anon->refs, "an anon has %u references, %u seen",
              anon->refs, anon->seen);
    }
}

static void for_each_leaf(struct audit *a,
                          void (*fn)(struct audit *a, struct vm_space *s, unsigned n))
{
    struct vm_space *s;

    list_for_each_entry (s, &all_spaces, all) {
        for (unsigned n = 0; n < AMAP_LEAVES; n++) {
            if (s->amap.leaf[n] && !seen_in_earlier_space(s, n))
                fn(a, s, n);
        }
    }
}

static void check_amaps(struct audit *a)
{
    for_each_leaf(a, forget_leaf);
    for_each_leaf(a, check_leaf);
    for_each_leaf(a, check_refs);
    CHECK(a, a->away == swapped_anons, "%u anons are counted in swap, %u are", swapped_anons,
          a->away);
    CHECK(a, a->anons == anon_total, "%u anons exist, %u are in use", anon_total, a->anons);
    CHECK(a, a->leaves == frame_count(FRAME_LEAF), "%u leaves exist, %u are in use",
          frame_count(FRAME_LEAF), a->leaves);
}

/* ---- Objects and frames ---- */

static void check_areas_of(struct audit *a, const struct vm_object *o)
{
    uint32_t areas = 0, writable = 0;
    const struct vma *v;

    list_for_each_entry (v, &o->vmas, object_link) {
        areas++;
        writable += object_may_be_written(v);
    }
    CHECK(a, areas == o->areas && writable == o->writable_areas,
          "an object counts %u areas, %u of them writable, has %u and %u", o->areas,
          o->writable_areas, areas, writable);
}

static uint32_t check_objects(struct audit *a)
{
    struct vm_object *o;
    uint32_t total = 0, all_dirty = 0;

    list_for_each_entry (o, &all_objects, all) {
        uint32_t resident = 0, swapped = 0, dirty = 0, index = 0;
        void *item;

        while ((item = radix_next(&o->pages, &index))) {
            const struct frame *f = item_frame(item);
            if (!f) {
                count_slot(a, item_slot(item));
                swapped++;
                index++;
                continue;
            }
            CHECK(a, f->kind == FRAME_OBJECT && f->object == o && f->index == index,
                  "page %u of an object is in frame %x, which is another's", index,
                  frame_number(f));
            CHECK(a, (uint64_t)index << PAGE_SHIFT < o->size || f->pins || o->cutting,
                  "page %u of an object lies past its end", index);
            resident++;
            dirty += o->pager->put && (f->flags & FRAME_DIRTY);
            if (index++ == UINT32_MAX)
                break;
        }
        CHECK(a, swapped == o->swapped, "an object counts %u pages in swap, has %u", o->swapped,
              swapped);
        a->pages_away += swapped;
        CHECK(a, resident == o->resident, "an object counts %u pages, has %u", o->resident,
              resident);
        CHECK(a, dirty == o->dirty, "an object counts %u dirty pages, has %u", o->dirty, dirty);
        total += resident;
        a->shmem += object_is_anonymous(o) ? resident : 0;
        check_areas_of(a, o);
        all_dirty += dirty;
    }
    CHECK(a, all_dirty == dirty_pages, "%u dirty pages are counted, %u are", dirty_pages,
          all_dirty);
    return total;
}

static void check_frames(struct audit *a)
{
    struct frame *f = NULL;
    uint32_t mapped = 0;

    while ((f = frame_next(f))) {
        if (f->kind != FRAME_ANON && f->kind != FRAME_OBJECT && f->kind != FRAME_ORPHAN)
            continue;
        mapped += rmap_count(f);
        CHECK(a, !rmap_check(f), "the reverse map of frame %x is out of order", frame_number(f));
        CHECK(a, f->kind != FRAME_ORPHAN || f->pins, "orphan frame %x has no pins",
              frame_number(f));
        if (f->kind == FRAME_ANON)
            CHECK(a, f->anon->frame == f, "frame %x is not that of its anon", frame_number(f));
    }
    CHECK(a, mapped == a->entries, "%u reverse mappings, %u entries", mapped, a->entries);
    CHECK(a, a->tables == frame_count(FRAME_TABLE), "%u page tables exist, %u are in use",
          frame_count(FRAME_TABLE), a->tables);
}

static void check_swap(struct audit *a)
{
    uint32_t used, sum, on_their_way;

    swap_audit(&used, &sum, &on_their_way);
    CHECK(a, a->pages_away == swapped_pages, "%u pages of objects are counted in swap, %u are",
          swapped_pages, a->pages_away);
    CHECK(a, used == a->slots + on_their_way, "%u slots are in use, %u owned, %u on their way",
          used, a->slots, on_their_way);
    CHECK(a, on_their_way || sum == a->slot_sum, "a slot has two owners, and another none");
}

/* Every account of a space, counted from its areas; the return value is what it has promised. */
static uint32_t check_accounts(struct audit *a, const struct vm_space *s)
{
    uint32_t areas = 0, pages = 0, data = 0, locked = 0, promised = 0;
    const struct vma *v;

    list_for_each_entry (v, &s->vmas, link) {
        areas++;
        pages += vma_pages(v);
        data += vma_is_data(v) ? vma_pages(v) : 0;
        locked += v->flags & VM_LOCKED ? vma_pages(v) : 0;
        if (vma_is_promised(v))
            promised += vma_pages(v);
        CHECK(a, v->space == s, "an area at %x thinks it is another space's", v->start);
    }
    CHECK(a, areas == s->areas, "a space counts %u areas, has %u", s->areas, areas);
    CHECK(a, pages == s->pages, "a space counts %u pages, has %u", s->pages, pages);
    CHECK(a, data == s->data_pages, "a space counts %u data pages, has %u", s->data_pages, data);
    CHECK(a, locked == s->locked_pages, "a space counts %u locked pages, has %u", s->locked_pages,
          locked);
    a->locked += locked;
    return promised;
}

static uint32_t promised_by_objects(void)
{
    const struct vm_object *o;
    uint32_t pages = 0;

    list_for_each_entry (o, &all_objects, all)
        pages += o->promised;
    return pages;
}

/* Between two steps of a change, or of a space's death, not everything adds up. */
static bool all_still(void)
{
    const struct vm_space *s;

    list_for_each_entry (s, &all_spaces, all) {
        if (s->changing || s->refs == 0)
            return false;
    }
    return true;
}

int mm_check(void)
{
    struct audit a = {0};
    struct vm_space *s;
    uint32_t cached, promised;

    spin_lock(&vm_lock);
    while (!all_still()) {
        spin_unlock(&vm_lock);
        port_yield();
        spin_lock(&vm_lock);
    }
    promised = promised_by_objects();
    list_for_each_entry (s, &all_spaces, all) {
        a.errors += vma_check(s);
        promised += check_accounts(&a, s);
        check_pmap(&a, s);
    }
    CHECK(&a, promised == committed_pages, "%u pages are promised, %u were counted", promised,
          committed_pages);
    check_amaps(&a);
    cached = check_objects(&a);
    CHECK(&a, cached == frame_count(FRAME_OBJECT), "%u object frames exist, %u are in objects",
          frame_count(FRAME_OBJECT), cached);
    CHECK(&a, a.shmem == shmem_pages && a.locked == locked_pages,
          "%u pages are shared memory and %u locked, %u and %u were counted", a.shmem, a.locked,
          shmem_pages, locked_pages);
    check_frames(&a);
    check_swap(&a);
    a.errors += frame_check_free_lists();
    spin_unlock(&vm_lock);
    return a.errors;
}
