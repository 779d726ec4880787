/*
 * Anonymous memory: anons, and the map page number -> anon of a space.
 *
 * An amap is two levels. A leaf is a frame of anon pointers, shared by reference when a space
 * forks; whoever changes a shared leaf first copies it, and that copy is when the anons' references
 * grow. So the COW question has two parts: is the leaf mine alone, and has the anon one reference?
 *
 * Invariants: leaf.used counts the occupied slots, all within [low, high); an anon's refs equals
 * the slots that hold it, a shared leaf counted once. A leaf whose frame is pinned is unshared and
 * waits for what amap_move will put there: it is not dropped when it is empty.
 */
#include "arch/processors.h"
#include "libc/errno.h"
#include "libc/words.h"
#include "mm/mm.h"
#include "mm/percpu/pool.h"

#define ANONS_KEPT 1024u

static struct anon *anon_with(struct frame *f)
{
    struct anon *a;

    if (!f)
        return NULL;
    a = pool_take(POOL_ANON, sizeof(*a));
    if (!a) {
        frame_free(f);
        return NULL;
    }
    *a = (struct anon){.refs = 1, .frame = f};
    f->anon = a;
    CPU_LOCAL(anons)++;
    return a;
}

struct anon *anon_new(void)
{
    return anon_with(frame_alloc(FRAME_ANON));
}

struct anon *anon_new_zeroed(void)
{
    return anon_with(frame_alloc_zeroed(FRAME_ANON));
}

void anon_unref(struct anon *a)
{
    KASSERT(read_once(a->refs) != 0);
    if (__atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL))
        return;
    if (a->slot)
        swap_free(a->slot);
    if (a->frame) {
        if (a->frame->rmap)
            pmap_remove_frame(a->frame);
        frame_release(a->frame);
    } else {
        swapped_anons--;
    }
    pool_give(POOL_ANON, a, ANONS_KEPT);
    CPU_LOCAL(anons)--;
}

uint32_t anon_total(void)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < cpus_online; i++)
        n += cpu_get(i)->anons;
    return n;
}

/* ---- Leaves ---- */

static unsigned leaf_number(uint32_t page)
{
    return page / LEAF_SLOTS;
}

static unsigned slot_number(uint32_t page)
{
    return page % LEAF_SLOTS;
}

static struct anon **leaf_new(void)
{
    struct frame *f = frame_alloc_zeroed(FRAME_LEAF);

    if (!f)
        return NULL;
    f->leaf.refs = 1;
    f->leaf.low = LEAF_SLOTS;
    return frame_kva(f);
}

/* An own copy of a shared leaf: every anon in it gains an owner. */
static struct anon **leaf_copy(struct anon **from)
{
    const struct frame *f = frame_of(from);
    struct anon **copy = leaf_new(), **const end = from + f->leaf.high;
    struct frame *c;

    if (!copy)
        return NULL;
    for (struct anon **a = from + f->leaf.low; (a = first_used(a, end)) < end; a++) {
        copy[a - from] = *a;
        (*a)->refs++;
    }
    c = frame_of(copy);
    c->leaf.low = f->leaf.low;
    c->leaf.high = f->leaf.high;
    c->leaf.used = f->leaf.used;
    return copy;
}

/* Empties the slots [first, end) of an unshared leaf. */
static void leaf_clear(struct anon **leaf, unsigned first, unsigned end)
{
    struct frame *f = frame_of(leaf);

    if (first < f->leaf.low)
        first = f->leaf.low;
    if (end > f->leaf.high)
        end = f->leaf.high;
    for (struct anon **at = leaf + first, **const stop = leaf + end, *a;
         f->leaf.used && (at = first_used(at, stop)) < stop; at++) {
        a = *at;
        *at = NULL;
        f->leaf.used--;
        anon_unref(a);
    }
}

static void leaf_unref(struct anon **leaf)
{
    struct frame *f = frame_of(leaf);

    if (--f->leaf.refs)
        return;
    leaf_clear(leaf, 0, LEAF_SLOTS);
    frame_free_zeroed(f);
}

/* ---- The map ---- */

bool amap_owns(const struct amap *m, uint32_t page)
{
    struct anon **leaf = m->leaf[leaf_number(page)];
    const struct anon *a = amap_get(m, page);

    return a && read_acquire(a->refs) == 1 && frame_of(leaf)->leaf.refs == 1;
}

struct anon **amap_reserve(struct amap *m, uint32_t page)
{
    struct anon ***at = &m->leaf[leaf_number(page)], **own;

    if (*at && frame_of(*at)->leaf.refs == 1)
        return *at + slot_number(page);
    own = *at ? leaf_copy(*at) : leaf_new();
    if (!own)
        return NULL;
    if (*at)
        leaf_unref(*at);
    *at = own;
    return own + slot_number(page);
}

void amap_set(struct anon **slot, struct anon *a)
{
    struct frame *f = frame_of(slot);
    unsigned i = ((uintptr_t)slot & (PAGE_SIZE - 1)) / sizeof(*slot);
    struct anon *old = *slot;

    DEBUG_ASSERT(f->kind == FRAME_LEAF && f->leaf.refs == 1);
    *slot = a;
    if (old) {
        anon_unref(old);
        return;
    }
    f->leaf.used++;
    if (i < f->leaf.low)
        f->leaf.low = (uint16_t)i;
    if (i >= f->leaf.high)
        f->leaf.high = (uint16_t)(i + 1);
}

void amap_drop_empty(struct amap *m, uint32_t page)
{
    struct anon ***at = &m->leaf[leaf_number(page)];

    if (*at && frame_of(*at)->leaf.used == 0 && !frame_of(*at)->pins) {
        leaf_unref(*at);
        *at = NULL;
    }
}

/* Whether removing [first, end) leaves the leaf that starts at page base where it is. */
static bool partly_removed(struct anon **leaf, uint32_t base, uint32_t first, uint32_t end)
{
    const struct frame *f = frame_of(leaf);

    return f->pins || first > base + f->leaf.low || end < base + f->leaf.high;
}

int amap_reserve_remove(struct amap *m, uint32_t first, uint32_t end)
{
    const uint32_t edges[] = {first, end - 1};

    for (unsigned i = 0; i < 2; i++) {
        unsigned n = leaf_number(edges[i]);
        uint32_t base = n * LEAF_SLOTS;
        struct anon **leaf = m->leaf[n];
        bool touched;

        if (!leaf || !partly_removed(leaf, base, first, end))
            continue;
        touched = first < base + frame_of(leaf)->leaf.high && end > base + frame_of(leaf)->leaf.low;
        if (touched && !amap_reserve(m, edges[i]))
            return -ENOMEM;
    }
    return 0;
}

/* Removes [first, end), which lies in one leaf. */
static void remove_in_leaf(struct amap *m, uint32_t first, uint32_t end)
{
    struct anon ***at = &m->leaf[leaf_number(first)], **leaf = *at;
    uint32_t base = leaf_number(first) * LEAF_SLOTS;

    if (!partly_removed(leaf, base, first, end)) {
        *at = NULL;
        leaf_unref(leaf);
    } else if (frame_of(leaf)->leaf.refs == 1) {
        leaf_clear(leaf, first - base, end - base);
        amap_drop_empty(m, base);
    }
}

/* Where a step that starts at first ends in its own leaf, at stop at the latest. Each anon costs a
 * unit, and so do 16 empty slots. */
static uint32_t part_end(const struct frame *leaf, uint32_t first, uint32_t stop, unsigned *budget)
{
    const uint32_t base = first & ~(LEAF_SLOTS - 1), high = base + leaf->leaf.high;
    const uint32_t from = first > base + leaf->leaf.low ? first : base + leaf->leaf.low;
    const uint32_t to = stop < high ? stop : high, span = to > from ? to - from : 0;
    unsigned units = 1 + (span < leaf->leaf.used ? span : leaf->leaf.used) + span / 16;

    if (units <= *budget) {
        *budget -= units;
        return stop;
    }
    units = *budget;
    *budget = 0;
    return from + units < stop ? from + units : stop;
}

uint32_t amap_remove_step(struct amap *m, uint32_t first, uint32_t end, unsigned *budget)
{
    while (first < end && *budget) {
        struct anon **leaf = m->leaf[leaf_number(first)];
        uint32_t stop = (first | (LEAF_SLOTS - 1)) + 1;

        stop = stop < end ? stop : end;
        if (leaf) {
            if (frame_of(leaf)->leaf.refs == 1)
                stop = part_end(frame_of(leaf), first, stop, budget);
            else
                --*budget; /* to let go of it frees nothing */
            remove_in_leaf(m, first, stop);
        }
        first = stop;
    }
    return first;
}

void amap_remove(struct amap *m, uint32_t first, uint32_t end)
{
    unsigned budget = UINT32_MAX;

    (void)amap_remove_step(m, first, end, &budget);
}

void amap_drop(struct amap *m, uint32_t page)
{
    struct anon **leaf = m->leaf[leaf_number(page)];

    if (!leaf || frame_of(leaf)->leaf.refs != 1)
        return;
    leaf_clear(leaf, slot_number(page), slot_number(page) + 1);
    amap_drop_empty(m, page);
}

/* Unshares the leaves of [first, end) that exist. */
static int unshare_range(struct amap *m, uint32_t first, uint32_t end)
{
    for (unsigned n = leaf_number(first); n <= leaf_number(end - 1); n++) {
        if (m->leaf[n] && !amap_reserve(m, n * LEAF_SLOTS))
            return -ENOMEM;
    }
    return 0;
}

bool amap_leaf_shared(const struct amap *m, uint32_t page)
{
    struct anon **leaf = m->leaf[leaf_number(page)];

    return leaf && frame_of(leaf)->leaf.refs > 1;
}

static void drop_empty_range(struct amap *m, uint32_t first, uint32_t end)
{
    for (unsigned n = leaf_number(first); n <= leaf_number(end - 1); n++)
        amap_drop_empty(m, n * LEAF_SLOTS);
}

/* The leaf that page shall move to. */
static bool keep_leaf(struct amap *m, uint32_t page)
{
    struct anon **slot = amap_reserve(m, page);

    if (slot)
        frame_of(m->leaf[leaf_number(page)])->pins = 1;
    return slot != NULL;
}

void amap_cancel_move(struct amap *m, uint32_t first, uint32_t end, uint32_t to)
{
    for (unsigned n = leaf_number(to); n <= leaf_number(to + (end - first) - 1); n++) {
        if (m->leaf[n])
            frame_of(m->leaf[n])->pins = 0;
    }
    drop_empty_range(m, to, to + (end - first));
}

int amap_reserve_move(struct amap *m, uint32_t first, uint32_t end, uint32_t to)
{
    if (unshare_range(m, first, end)) {
        amap_cancel_move(m, first, end, to);
        return -ENOMEM;
    }
    for (uint32_t page = first; page < end; page++) {
        if (!m->leaf[leaf_number(page)]) {
            page |= LEAF_SLOTS - 1;
            continue;
        }
        if (amap_get(m, page) && !keep_leaf(m, to + (page - first))) {
            amap_cancel_move(m, first, end, to);
            return -ENOMEM;
        }
    }
    return 0;
}

static struct anon **kept_slot(const struct amap *m, uint32_t page)
{
    struct anon **leaf = m->leaf[leaf_number(page)];

    KASSERT(leaf && frame_of(leaf)->pins);
    return leaf + slot_number(page);
}

/* A leaf of the old place may be one of the new place too: none is dropped before all is moved. */
void amap_move(struct amap *m, uint32_t first, uint32_t end, uint32_t to)
{
    for (uint32_t page = first; page < end; page++) {
        struct anon **leaf = m->leaf[leaf_number(page)], *a;

        if (!leaf) {
            page |= LEAF_SLOTS - 1;
            continue;
        }
        a = leaf[slot_number(page)];
        if (!a)
            continue;
        leaf[slot_number(page)] = NULL;
        frame_of(leaf)->leaf.used--;
        amap_set(kept_slot(m, to + (page - first)), a);
    }
}

void amap_end_move(struct amap *m, uint32_t first, uint32_t end, uint32_t to)
{
    amap_cancel_move(m, first, end, to);
    drop_empty_range(m, first, end);
}

void amap_share(const struct amap *from, struct amap *to, uint32_t first, uint32_t end)
{
    for (unsigned n = leaf_number(first); n <= leaf_number(end - 1); n++) {
        struct anon **leaf = from->leaf[n];
        if (!leaf || to->leaf[n])
            continue;
        to->leaf[n] = leaf;
        frame_of(leaf)->leaf.refs++;
        KASSERT(frame_of(leaf)->leaf.refs != 0);
    }
}
