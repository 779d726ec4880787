/*
 * mm_check(): recounts everything that mm/ believes, from the other end, and reports each
 * difference. It allocates nothing and changes nothing but the anons' scratch counters.
 *
 * As a whole it holds vm_lock from beginning to end, which no machine in use can afford.
 * mm_check_steps() lets others run every so often. What it asserts then:
 *   - a page table, an entry, an anon, an area, a page of an object, a frame against what belongs
 * to it: always, since each is looked at within one step. The space that is walked is held as by a
 *     change, so its areas stand still; faults go on.
 *   - what is counted over many steps (the accounts, the references of anons): only if nothing else
 *     has run between them. Where something has, all starts over, and after some times that part is
 *     left out.
 *   - not: the links of free frames, the areas of an object and the mappings of a frame that has
 * more than AT_ONCE of them. Those stand still under vm_lock alone.
 */
#include "kernel/base/log.h"
#include "mm/mm.h"
#include "mm/port.h"
#include "mm/reclaim/reclaim.h"
#include "mm/see.h"
#include "mm/fork/share.h"
#include "mm/seen/check.h"

void check_complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vklog(LOG_WARN, fmt, ap);
    va_end(ap);
}

#define AT_ONCE  2000u /* areas or mappings that are counted in one step */
#define PIECE    64u   /* entries or anons */
#define RESTARTS 10u

struct audit {
    int errors;
    bool steps;
    unsigned budget;    /* of this step, in units of some 100 instructions */
    uint64_t seen;      /* look_around() */
    uint32_t disturbed; /* how often something else ran, or changed memory, between two steps */
    uint32_t cached, dirty, promised; /* pages, of all objects and areas */
    uint32_t by_kind[FRAME_KINDS];
    uint32_t counted[FRAME_KINDS]; /* as look_around() found them */
    uint32_t entries;              /* present page-table entries with a reverse mapping */
    uint32_t tables;               /* page tables and directories */
    uint32_t anons;                /* seen in leaves */
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

/* [v] vm_lock was let go: what other processors did meanwhile shows in these. */
static void look_around(struct audit *a)
{
    uint64_t minor, major, seen;

    fault_totals(&minor, &major);
    seen = minor + major + dirty_pages + committed_pages + locked_pages + frame_changes(a->counted);
    a->disturbed += seen != a->seen;
    a->seen = seen;
}

/* [v, let go between steps] Some units of work are done. */
static void spend(struct audit *a, unsigned units)
{
    if (!a->steps)
        return;
    if (a->budget > units) {
        a->budget -= units;
        return;
    }
    a->budget = STEP_UNITS;
    spin_unlock(&vm_lock);
    a->disturbed += port_yield();
    spin_lock(&vm_lock);
    look_around(a);
}

/* ---- What is walked, and stays while it is looked at ---- */

/* [v] The first living one from that place of the list on, which a walk in steps keeps. */
static struct vm_space *space_from(struct audit *a, const struct list *at)
{
    struct vm_space *s;

    for (; at != &all_spaces; at = at->next) {
        s = list_entry(at, struct vm_space, all);
        if (s->refs) {
            s->refs += a->steps;
            return s;
        }
        a->disturbed++;
    }
    return NULL;
}

typedef void (*space_fn)(struct audit *a, struct vm_space *s);

/* [v, let go] With the areas of s held. */
static void in_steps(struct audit *a, struct vm_space *s, space_fn fn)
{
    struct change c;

    a->disturbed += s->changing;
    spin_unlock(&vm_lock);
    (void)change_begin(&c, s, 0);
    look_around(a);
    fn(a, s);
    change_end(&c);
    spin_lock(&vm_lock);
}

static void for_each_space(struct audit *a, space_fn fn)
{
    struct vm_space *s = space_from(a, all_spaces.next), *next;

    for (; s; s = next) {
        if (a->steps)
            in_steps(a, s, fn);
        else
            fn(a, s);
        next = space_from(a, s->all.next);
        if (a->steps) {
            spin_unlock(&vm_lock);
            vm_space_unref(s);
            spin_lock(&vm_lock);
        }
    }
}

static struct vm_object *object_from(struct audit *a, const struct list *at)
{
    struct vm_object *o;

    for (; at != &all_objects; at = at->next) {
        o = list_entry(at, struct vm_object, all);
        if (o->refs || !a->steps) {
            o->refs += a->steps;
            return o;
        }
        a->disturbed++;
    }
    return NULL;
}

static void for_each_object(struct audit *a, void (*fn)(struct audit *a, struct vm_object *o))
{
    struct vm_object *o = object_from(a, all_objects.next), *next;

    for (; o; o = next) {
        fn(a, o);
        next = object_from(a, o->all.next);
        if (a->steps) {
            spin_unlock(&vm_lock);
            vm_object_unref(o);
            spin_lock(&vm_lock);
        }
    }
}

/* ---- Page tables against the layers above ---- */

/* What the fault table says may be mapped at va, and whether it may be writable. */
static struct frame *expected_frame(struct vm_space *s, struct vma *v, vaddr_t va, bool *may_write)
{
    const struct anon *a;

    *may_write = v->prot & VM_PROT_WRITE;
    if (!vma_is_private(v))
        return object_frame(v->object, vma_page_index(v, va));
    a = amap_get(&s->amap, va >> PAGE_SHIFT);
    if (a) {
        *may_write = *may_write && amap_owns(&s->amap, va >> PAGE_SHIFT);
        return a->frame;
    }
    *may_write = false;
    return v->object ? object_frame(v->object, vma_page_index(v, va)) : zero_frame;
}

/* Of the entries of a family at one address that map one frame, one is in the reverse map. */
static void check_link(struct audit *a, const struct vm_space *s, vaddr_t va, const pte_t *pte,
                       const struct frame *f)
{
    const struct pmap *first = table_of(pte)->table.pmap, *other;
    unsigned links = rmap_has(f, pte);

    CHECK(a, links == !(*pte & PTE_STOOD_FOR), "the entry of %08x is wrong about the reverse map",
          va);

    a->entries += links && first == &s->pmap;
    list_for_each_entry (other, &first->family, family) {
        const pte_t *at = share_entry_at(other, pte);
        if (at && table_of(at)->table.pmap == other && PTE_ADDR(*at) == frame_pa(f))
            links += at != pte && rmap_has(f, at);
    }
    CHECK(a, links == 1, "the entry of %08x is %u times in the reverse map", va, links);
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
    CHECK(a, may_write || !(*pte & s->pmap.pgdir[PDX(va)] & PTE_W),
          "%08x is writable and must not be", va);
    CHECK(a,
          !(*pte & (PTE_W | PTE_D)) || f->kind != FRAME_OBJECT || !f->object->pager->put ||
              (f->flags & FRAME_DIRTY),
          "%08x can be written to, and its page counts as clean", va);
    CHECK(a, !(f->flags & FRAME_BUSY), "%08x maps a frame that is being filled", va);
    if (f->kind == FRAME_ZERO)
        return;
    check_link(a, s, va, pte, f);
}

/* Whether every absent entry is zero, and as many are present as the table counts. */
static void count_table(struct audit *a, struct vm_space *s, unsigned pdx, uint32_t *resident)
{
    const pte_t *pte = phys_to_virt(PTE_ADDR(s->pmap.pgdir[pdx]));
    const struct frame *t = frame_of(pte);
    unsigned present = 0, sharers = 0;
    bool listed = false;

    a->tables += t->table.pmap == &s->pmap;
    for (const struct pmap *pm = t->table.pmap; pm; pm = share_next(t, pm), sharers++)
        listed |= pm == &s->pmap;
    CHECK(a, t->kind == FRAME_TABLE && listed && t->table.pdx == pdx,
          "page table %u is not marked as such", pdx);
    CHECK(a, sharers == t->pins + 1u, "page table %u counts %u others, has %u", pdx, t->pins,
          sharers - 1);
    CHECK(a, !t->pins || !(s->pmap.pgdir[pdx] & PTE_W), "page table %u is shared and writable",
          pdx);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        present += pte[i] & PTE_P;
        CHECK(a, (pte[i] & PTE_P) || pte[i] == 0, "an absent entry is not zero");
        if (pte[i] & PTE_P)
            *resident += frame_of_pa(PTE_ADDR(pte[i]))->kind != FRAME_ZERO;
    }
    CHECK(a, present == t->table.used && present > 0, "table %u counts %u entries, has %u", pdx,
          t->table.used, present);
}

static void check_table(struct audit *a, struct vm_space *s, unsigned pdx)
{
    for (unsigned i = 0; i < PT_ENTRIES && pmap_table(&s->pmap, pdx * PT_SPAN); i++) {
        const pte_t *pte = phys_to_virt(PTE_ADDR(s->pmap.pgdir[pdx]));

        if (pte[i] & PTE_P)
            check_entry(a, s, (pdx << 22) | (i << PAGE_SHIFT), &pte[i]);
        if (i % PIECE == PIECE - 1)
            spend(a, 2 * PIECE);
    }
}

static void check_pmap(struct audit *a, struct vm_space *s)
{
    uint32_t resident = 0, before = a->disturbed;

    a->tables++;
    for (unsigned i = 0; i < PDX(USER_TOP); i++) {
        if (!pmap_table(&s->pmap, i * PT_SPAN))
            continue;
        count_table(a, s, i, &resident);
        spend(a, PT_ENTRIES / 8);
        check_table(a, s, i);
    }
    CHECK(a, resident == s->pmap.resident || a->disturbed != before,
          "%u frames counted resident, %u mapped", s->pmap.resident, resident);
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

/* Its slots as the leaf counts them. */
static void count_leaf(struct audit *a, struct anon **leaf, unsigned n)
{
    const struct frame *f = frame_of(leaf);
    unsigned used = 0;

    a->leaves++;
    CHECK(a, f->kind == FRAME_LEAF, "leaf %u is not marked as such", n);
    CHECK(a, f->leaf.refs == spaces_with_leaf(leaf, n),
          "leaf %u has %u references, is in %u spaces", n, f->leaf.refs, spaces_with_leaf(leaf, n));
    for (unsigned i = 0; i < LEAF_SLOTS; i++) {
        used += leaf[i] != NULL;
        CHECK(a, !leaf[i] || (i >= f->leaf.low && i < f->leaf.high),
              "leaf %u: slot %u lies outside its bounds", n, i);
    }
    CHECK(a, used == f->leaf.used, "leaf %u counts %u slots, has %u", n, f->leaf.used, used);
}

static void check_leaf(struct audit *a, struct vm_space *s, unsigned n)
{
    count_leaf(a, s->amap.leaf[n], n);
    spend(a, LEAF_SLOTS / 8);
    for (unsigned i = 0; i < LEAF_SLOTS && s->amap.leaf[n]; i++) {
        if (s->amap.leaf[n][i])
            check_slot(a, s, s->amap.leaf[n][i], (n * LEAF_SLOTS + i) << PAGE_SHIFT);
        if (i % PIECE == PIECE - 1)
            spend(a, PIECE);
    }
}

static void forget_leaf(struct audit *a, struct vm_space *s, unsigned n)
{
    for (unsigned i = 0; i < LEAF_SLOTS; i++) {
        if (s->amap.leaf[n][i])
            s->amap.leaf[n][i]->seen = 0;
    }
    spend(a, LEAF_SLOTS / 8);
}

static void check_refs(struct audit *a, struct vm_space *s, unsigned n)
{
    for (unsigned i = 0; i < LEAF_SLOTS; i++) {
        const struct anon *anon = s->amap.leaf[n][i];
        CHECK(a, !anon || anon->seen == anon->refs || a->disturbed,
              "an anon has %u references, %u seen", anon->refs, anon->seen);
    }
    spend(a, LEAF_SLOTS / 8);
}

static void for_each_leaf(struct audit *a, struct vm_space *s,
                          void (*fn)(struct audit *a, struct vm_space *s, unsigned n))
{
    for (unsigned n = 0; n < AMAP_LEAVES; n++) {
        if (s->amap.leaf[n] && !seen_in_earlier_space(s, n))
            fn(a, s, n);
    }
}

static void forget_leaves(struct audit *a, struct vm_space *s)
{
    for_each_leaf(a, s, forget_leaf);
}

static void check_leaves(struct audit *a, struct vm_space *s)
{
    for_each_leaf(a, s, check_leaf);
}

static void check_all_refs(struct audit *a, struct vm_space *s)
{
    for_each_leaf(a, s, check_refs);
}

/* ---- Objects and frames ---- */

static void check_areas_of(struct audit *a, const struct vm_object *o)
{
    uint32_t areas = 0, writable = 0;
    const struct vma *v;

    if (a->steps && o->areas > AT_ONCE)
        return;
    list_for_each_entry (v, &o->vmas, object_link) {
        areas++;
        writable += object_may_be_written(v);
    }
    CHECK(a, areas == o->areas && writable == o->writable_areas,
          "an object counts %u areas, %u of them writable, has %u and %u", o->areas,
          o->writable_areas, areas, writable);
    spend(a, 1 + areas / 8);
}

static void check_page(struct audit *a, const struct vm_object *o, uint32_t index,
                       const struct frame *f)
{
    CHECK(a, f->kind == FRAME_OBJECT && f->object == o && f->index == index,
          "page %u of an object is in frame %x, which is another's", index, frame_number(f));
    CHECK(a, (uint64_t)index << PAGE_SHIFT < o->size || f->pins || o->cutting,
          "page %u of an object lies past its end", index);
}

struct pages_of {
    uint32_t resident, swapped, dirty;
};

static void count_pages(struct audit *a, struct vm_object *o, struct pages_of *n)
{
    uint32_t index = 0;
    void *item;

    for (; (item = radix_next(&o->pages, &index)); spend(a, 1)) {
        const struct frame *f = item_frame(item);

        if (f) {
            check_page(a, o, index, f);
            n->resident++;
            n->dirty += o->pager->put && (f->flags & FRAME_DIRTY);
        } else {
            count_slot(a, item_slot(item));
            n->swapped++;
        }
        if (index++ == UINT32_MAX)
            break;
    }
}

static void check_object(struct audit *a, struct vm_object *o)
{
    uint32_t before = a->disturbed;
    struct pages_of n = {0};

    count_pages(a, o, &n);
    if (a->disturbed == before) {
        CHECK(a, n.swapped == o->swapped, "an object counts %u pages in swap, has %u", o->swapped,
              n.swapped);
        CHECK(a, n.resident == o->resident, "an object counts %u pages, has %u", o->resident,
              n.resident);
        CHECK(a, n.dirty == o->dirty, "an object counts %u dirty pages, has %u", o->dirty, n.dirty);
    }
    a->pages_away += n.swapped;
    a->cached += n.resident;
    a->dirty += n.dirty;
    a->shmem += object_is_anonymous(o) ? n.resident : 0;
    a->promised += o->promised;
    check_areas_of(a, o);
    spend(a, 1);
}

/* One that is mapped, or may be; how many mappings it has. */
static uint32_t check_frame(struct audit *a, const struct frame *f)
{
    uint32_t mappings = rmap_count(f);

    CHECK(a, (a->steps && mappings > AT_ONCE) || !rmap_check(f),
          "the reverse map of frame %x is out of order", frame_number(f));
    CHECK(a, f->kind != FRAME_ORPHAN || f->pins, "orphan frame %x has no pins", frame_number(f));
    if (f->kind == FRAME_ANON)
        CHECK(a, f->anon->frame == f, "frame %x is not that of its anon", frame_number(f));
    spend(a, 1 + (mappings < AT_ONCE ? mappings : AT_ONCE) / 4);
    return mappings;
}

static uint32_t check_frames(struct audit *a)
{
    struct frame *f = NULL;
    uint32_t mapped = 0;

    while ((f = frame_next(f))) {
        a->by_kind[f->kind < FRAME_KINDS ? f->kind : FRAME_RESERVED]++;
        if (f->kind == FRAME_ANON || f->kind == FRAME_OBJECT || f->kind == FRAME_ORPHAN)
            mapped += check_frame(a, f);
        else if (frame_number(f) % 8 == 0)
            spend(a, 1);
    }
    return mapped;
}

/* The index over a space's areas. */
static void check_node(struct audit *a, const struct vma *v, uint32_t *count)
{
    uint32_t widest;

    if (!v)
        return;
    ++*count;
    spend(a, 1);
    check_node(a, v->left, count);
    check_node(a, v->right, count);
    widest = v->gap;
    widest = v->left && v->left->widest > widest ? v->left->widest : widest;
    widest = v->right && v->right->widest > widest ? v->right->widest : widest;
    CHECK(a, widest == v->widest, "the widest gap below %x is not %u", v->start, v->widest);
    CHECK(a,
          (!v->left || (v->left->start < v->start && v->left->priority <= v->priority)) &&
              (!v->right || (v->right->start > v->start && v->right->priority <= v->priority)),
          "the area at %x stands wrong in the index", v->start);
}

/* A space's areas, their index, and every account, counted from them. */
static void check_accounts(struct audit *a, struct vm_space *s)
{
    uint32_t areas = 0, indexed = 0, pages = 0, data = 0, locked = 0;
    const struct vma *v;
    vaddr_t end = 0;

    list_for_each_entry (v, &s->vmas, link) {
        areas++;
        pages += vma_pages(v);
        data += vma_is_data(v) ? vma_pages(v) : 0;
        locked += v->flags & VM_LOCKED ? vma_pages(v) : 0;
        if (vma_is_promised(v))
            a->promised += vma_pages(v);
        CHECK(a, v->start < v->end && v->start - end == v->gap && v->end <= USER_TOP,
              "an area lies wrong: %x to %x", v->start, v->end);
        CHECK(a, !(v->prot & ~v->maxprot), "the area at %x allows too much", v->start);
        end = v->end;
        CHECK(a, v->space == s, "an area at %x thinks it is another space's", v->start);
        spend(a, 1);
    }
    check_node(a, s->root, &indexed);
    CHECK(a, areas == s->areas && areas == indexed, "a space counts %u areas, has %u, %u indexed",
          s->areas, areas, indexed);
    CHECK(a, pages == s->pages, "a space counts %u pages, has %u", s->pages, pages);
    CHECK(a, data == s->data_pages, "a space counts %u data pages, has %u", s->data_pages, data);
    CHECK(a, locked == s->locked_pages, "a space counts %u locked pages, has %u", s->locked_pages,
          locked);
    a->locked += locked;
}

static void spend_one(void *audit)
{
    spend(audit, 1);
}

static void check_space(struct audit *a, struct vm_space *s)
{
    check_accounts(a, s);
    check_pmap(a, s);
}

static void check_swap(struct audit *a)
{
    uint32_t used, sum, on_their_way;

    swap_audit(&used, &sum, &on_their_way, spend_one, a);
    if (a->disturbed)
        return;
    CHECK(a, a->pages_away == swapped_pages, "%u pages of objects are counted in swap, %u are",
          swapped_pages, a->pages_away);
    CHECK(a, used == a->slots + on_their_way, "%u slots are in use, %u owned, %u on their way",
          used, a->slots, on_their_way);
    CHECK(a, on_their_way || sum == a->slot_sum, "a slot has two owners, and another none");
}

/* What mm/ keeps count of, against what was found. */
static void check_sums(struct audit *a, uint32_t mapped)
{
    CHECK(a, a->promised == committed_pages, "%u pages are promised, %u were counted", a->promised,
          committed_pages);
    CHECK(a, a->away == swapped_anons, "%u anons are counted in swap, %u are", swapped_anons,
          a->away);
    CHECK(a, a->anons == anon_total(), "%u anons exist, %u are in use", anon_total(), a->anons);
    CHECK(a, a->leaves == a->counted[FRAME_LEAF], "%u leaves exist, %u are in use",
          a->counted[FRAME_LEAF], a->leaves);
    CHECK(a, a->dirty == dirty_pages, "%u dirty pages are counted, %u are", dirty_pages, a->dirty);
    CHECK(a, a->cached == a->counted[FRAME_OBJECT], "%u object frames exist, %u are in objects",
          a->counted[FRAME_OBJECT], a->cached);
    CHECK(a, a->shmem == shmem_pages && a->locked == locked_pages,
          "%u pages are shared memory and %u locked, %u and %u were counted", a->shmem, a->locked,
          shmem_pages, locked_pages);
    CHECK(a, mapped == a->entries, "%u reverse mappings, %u entries", mapped, a->entries);
    CHECK(a, a->tables == a->counted[FRAME_TABLE], "%u page tables exist, %u are in use",
          a->counted[FRAME_TABLE], a->tables);
    for (unsigned k = FRAME_KERNEL; k < FRAME_KINDS; k++)
        CHECK(a, a->by_kind[k] == a->counted[k], "%u frames of kind %u are counted, %u are",
              a->counted[k], k, a->by_kind[k]);
}

/* [v, let go between steps] */
static void audit(struct audit *a)
{
    uint32_t mapped;

    a->budget = STEP_UNITS;
    look_around(a);
    a->disturbed = 0;
    for_each_space(a, check_space);
    for_each_space(a, forget_leaves);
    for_each_space(a, check_leaves);
    for_each_space(a, check_all_refs);
    for_each_object(a, check_object);
    mapped = check_frames(a);
    check_swap(a);
    look_around(a);
    if (!a->disturbed)
        check_sums(a, mapped);
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

    spin_lock(&vm_lock);
    while (!all_still()) {
        spin_unlock(&vm_lock);
        port_yield();
        spin_lock(&vm_lock);
    }
    audit(&a);
    a.errors += frame_check_free_lists();
    spin_unlock(&vm_lock);
    return a.errors;
}

int mm_check_steps(bool *sums)
{
    struct audit a;

    for (unsigned i = 0; i < RESTARTS; i++) {
        a = (struct audit){.steps = true};
        spin_lock(&vm_lock);
        audit(&a);
        spin_unlock(&vm_lock);
        if (a.errors || !a.disturbed)
            break;
    }
    *sums = !a.disturbed;
    return a.errors;
}
