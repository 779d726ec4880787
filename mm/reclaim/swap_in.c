/*
 * Pages come back from swap: row 1S of the fault table, the same for pages of objects, and swapoff.
 *
 * Neighbours by address whose slots are neighbours too come along in one read. A frame that is
 * being read into is BUSY and pinned, and already in its place; the slot stays its page's. An anon
 * keeps its slot and is clean, so that its eviction costs nothing; a page of an object gives it up.
 */
#include "libc/errno.h"
#include "mm/port.h"
#include "mm/reclaim/reclaim.h"

#define BLOCK VM_RUN_MAX

/* A run of slots that are read together. */
struct incoming {
    uint32_t slot, wanted; /* the first; the one that they are read for */
    unsigned count;
    void *page[BLOCK];
};

/* Which of a block of slots (0: none) follow each other around position at: [*from, *end). */
static void bounds(const uint32_t *slots, unsigned n, unsigned at, unsigned *from, unsigned *end)
{
    *from = at;
    *end = at + 1;
    while (*from > 0 && slots[*from - 1] + 1 == slots[*from] && slots[*from - 1])
        --*from;
    while (*end < n && slots[*end] == slots[*end - 1] + 1)
        ++*end;
}

/* BUSY frames for the slots [*from, *end) of a block: all, or when memory is short one for the slot
 * at. -ENOMEM [v] */
static int take_frames(enum frame_kind kind, const uint32_t *slots, unsigned at, unsigned *from,
                       unsigned *end, struct incoming *in)
{
    unsigned want = frame_low() ? 1 : *end - *from;

    in->wanted = slots[at];
    for (in->count = 0; in->count < want; in->count++) {
        struct frame *f = frame_alloc(kind);
        if (!f)
            break;
        f->flags = FRAME_BUSY;
        frame_pin(f);
        in->page[in->count] = frame_kva(f);
    }
    if (in->count == 0)
        return -ENOMEM;
    if (in->count < *end - *from) {
        while (in->count > 1) {
            struct frame *f = frame_of(in->page[--in->count]);
            f->pins = 0;
            frame_free(f);
        }
        *from = at;
        *end = at + 1;
    }
    in->slot = slots[*from];
    swap_hold(in->slot);
    return (int)in->count;
}

static int read_in(const struct incoming *in)
{
    int err;

    port_stalled(true);
    err = swap_read(in->slot, in->count, in->page);
    port_stalled(false);
    return err;
}

static void arrived(struct frame *f)
{
    f->flags &= ~FRAME_BUSY;
    port_wakeup(f);
    frame_unpin(f);
}

/* ---- Anons ---- */

/* The anons of the block of page that are in swap, in order, without gaps; where page is. [v] */
static unsigned swapped_block(const struct amap *m, uint32_t page, struct anon **anon,
                              uint32_t *slots, unsigned *at)
{
    unsigned n = 0;

    for (uint32_t p = page & ~(BLOCK - 1), i = 0; i < BLOCK; i++) {
        struct anon *a = amap_get(m, p + i);
        if (!a || a->frame)
            continue;
        if (p + i == page)
            *at = n;
        anon[n] = a;
        slots[n++] = a->slot;
    }
    return n;
}

/* How many are claimed; 0: the page is there, or has gone. -ENOMEM [v] */
static int claim_anons(const struct amap *m, uint32_t page, struct incoming *in)
{
    struct anon *anon[BLOCK], *wanted = amap_get(m, page);
    unsigned n, at = 0, from, end;
    uint32_t slots[BLOCK];
    int got;

    if (!wanted || wanted->frame)
        return 0;
    n = swapped_block(m, page, anon, slots, &at);
    bounds(slots, n, at, &from, &end);
    got = take_frames(FRAME_ANON, slots, at, &from, &end, in);
    for (unsigned i = 0; (int)i < got; i++) {
        struct frame *f = frame_of(in->page[i]);
        f->anon = anon[from + i];
        f->anon->frame = f;
        swapped_anons--;
    }
    if (got > 0) {
        events.workingset_refault_anon++;
        frame_set_age(frame_of(in->page[at - from]), POLICY_REFAULT);
    }
    return got;
}

/* [v] */
static void settle_anon(struct frame *f, bool read)
{
    if (!read && f->kind == FRAME_ANON) {
        f->anon->frame = NULL;
        swapped_anons++;
        port_wakeup(f);
        f->flags = 0;
        frame_release(f);
        frame_unpin(f);
        return;
    }
    arrived(f);
}

int anon_fetch(struct need *n)
{
    struct incoming in;
    int err, got;

    if (frame_low() && !reclaim())
        return -ENOMEM;
    spin_lock(&vm_lock);
    got = claim_anons(&n->space->amap, n->index, &in);
    spin_unlock(&vm_lock);
    if (got <= 0)
        return got;
    n->major = true;
    n->slot = in.wanted;
    err = read_in(&in);
    spin_lock(&vm_lock);
    for (unsigned i = 0; i < in.count; i++)
        settle_anon(frame_of(in.page[i]), !err);
    spin_unlock(&vm_lock);
    return err;
}

/* ---- Pages of objects ---- */

/* The slots of the block of index, 0 where a page is in memory or nowhere. [v] */
static void slots_of_block(const struct vm_object *o, uint32_t index, uint32_t *slots)
{
    for (uint32_t i = 0; i < BLOCK; i++)
        slots[i] = item_slot(radix_get(&o->pages, (index & ~(BLOCK - 1)) + i));
}

/* [v] */
static int claim_slots(struct vm_object *o, uint32_t index, uint32_t *first, struct incoming *in)
{
    unsigned at = index % BLOCK, from, end;
    uint32_t slots[BLOCK];
    int got;

    slots_of_block(o, index, slots);
    if (!slots[at])
        return 0;
    bounds(slots, BLOCK, at, &from, &end);
    got = take_frames(FRAME_OBJECT, slots, at, &from, &end, in);
    *first = index - at + from;
    for (unsigned i = 0; (int)i < got; i++) {
        struct frame *f = frame_of(in->page[i]);
        f->object = o;
        f->index = *first + i;
        radix_replace(&o->pages, f->index, f);
        object_count_pages(o, 1);
        o->swapped--;
        swapped_pages--;
        slots_on_their_way++;
    }
    if (got > 0) {
        events.workingset_refault_anon++;
        frame_set_age(frame_of(in->page[at - from]), POLICY_REFAULT);
    }
    return got;
}

/* [v] */
static void settle_slot(struct frame *f, uint32_t slot, bool read)
{
    struct vm_object *o = f->object;

    slots_on_their_way--;
    if (f->kind != FRAME_OBJECT || read) {
        f->flags |= FRAME_DIRTY;
        swap_free(slot);
        arrived(f);
        return;
    }
    radix_replace(&o->pages, f->index, slot_item(slot));
    object_count_pages(o, -1);
    o->swapped++;
    swapped_pages++;
    port_wakeup(f);
    f->flags = 0;
    frame_release(f);
    frame_unpin(f);
}

int object_fetch_slot(struct need *n)
{
    struct incoming in;
    uint32_t first;
    int err, got;

    spin_lock(&vm_lock);
    got = claim_slots(n->object, n->index, &first, &in);
    spin_unlock(&vm_lock);
    if (got <= 0)
        return got;
    n->major = true;
    n->slot = in.wanted;
    err = read_in(&in);
    spin_lock(&vm_lock);
    for (unsigned i = 0; i < in.count; i++)
        settle_slot(frame_of(in.page[i]), in.slot + i, !err);
    spin_unlock(&vm_lock);
    return err ? err : 1;
}

/* ---- swapoff ---- */

struct slot_range {
    uint32_t first, count;
};

static bool in_range(const struct slot_range *r, uint32_t slot)
{
    return slot && slot - r->first < r->count;
}

#define LOOK_STEP 1024u /* pages looked at without leaving vm_lock */

/* A resident anon needs its slot no longer. [v] */
static void keep_in_memory(struct anon *a)
{
    if (!a->frame || (a->frame->flags & (FRAME_BUSY | FRAME_WRITING)))
        return;
    swap_free(a->slot);
    a->slot = 0;
    a->frame->flags |= FRAME_DIRTY;
}

/* Looks from *page on for an anon in the range that has no frame; false: not within a step. [v] */
static bool find_swapped(struct vm_space *s, uint32_t *page, const struct slot_range *r)
{
    for (unsigned n = 0; n<LOOK_STEP && * page<USER_TOP>> PAGE_SHIFT; n++, ++*page) {
        struct anon *a;
        if (!s->amap.leaf[*page / LEAF_SLOTS]) {
            *page |= LEAF_SLOTS - 1;
            continue;
        }
        a = amap_get(&s->amap, *page);
        if (!a || !in_range(r, a->slot))
            continue;
        if (!a->frame)
            return true;
        keep_in_memory(a);
    }
    return false;
}

/* One page more, while that leaves others room: they have no swap meanwhile, and one of them would
 * be killed for what swapoff took. */
static int bring_back(struct need *n)
{
    if (frame_short() && !reclaim()) {
        if (n->what == NEED_PAGE)
            vm_object_unref(n->object);
        return -ENOMEM;
    }
    return bring_in(n);
}

static int space_swap_in(struct vm_space *s, const struct slot_range *r)
{
    struct need need = {.what = NEED_ANON, .space = s};
    uint32_t page = 0;
    int err = 0;

    while (page < USER_TOP >> PAGE_SHIFT && !err) {
        bool found;
        spin_lock(&vm_lock);
        found = find_swapped(s, &page, r);
        spin_unlock(&vm_lock);
        need.index = page;
        if (found)
            err = bring_back(&need);
    }
    return err;
}

/* The space after s in the list of all, with a reference; s loses its own. */
static struct vm_space *next_space(struct vm_space *s)
{
    struct vm_space *next = NULL;
    struct list *l;

    spin_lock(&vm_lock);
    for (l = s ? s->all.next : all_spaces.next; l != &all_spaces && !next; l = l->next) {
        next = container_of(l, struct vm_space, all);
        next = next->refs ? next : NULL; /* without, it dies in steps */
    }
    if (next)
        next->refs++;
    spin_unlock(&vm_lock);
    if (s)
        vm_space_unref(s);
    return next;
}

/* Looks from *index on for a page in the range; *end: there are no more pages. [v] */
static bool find_slot(struct vm_object *o, uint32_t *index, const struct slot_range *r, bool *end)
{
    void *item = NULL;

    for (unsigned n = 0; n < LOOK_STEP && (item = radix_next(&o->pages, index)); n++, ++*index) {
        if (in_range(r, item_slot(item)))
            return true;
    }
    *end = !item;
    return false;
}

static int object_swap_in(struct vm_object *o, const struct slot_range *r)
{
    uint32_t index = 0;
    bool end = false;
    int err = 0;

    while (!end && !err) {
        struct need need = {.what = NEED_PAGE, .object = o};
        bool found;
        spin_lock(&vm_lock);
        found = find_slot(o, &index, r, &end);
        o->refs += found;
        spin_unlock(&vm_lock);
        need.index = index;
        if (found)
            err = bring_back(&need);
    }
    return err;
}

static struct vm_object *next_object(struct vm_object *o)
{
    struct vm_object *next = NULL;
    struct list *l;

    spin_lock(&vm_lock);
    for (l = o ? o->all.next : all_objects.next; l != &all_objects; l = l->next) {
        next = container_of(l, struct vm_object, all);
        if (next->refs)
            break;
        next = NULL;
    }
    if (next)
        next->refs++;
    spin_unlock(&vm_lock);
    if (o)
        vm_object_unref(o);
    return next;
}

int swap_in_all(uint32_t first, uint32_t slots)
{
    const struct slot_range r = {first, slots};
    struct vm_object *o = NULL;
    struct vm_space *s = NULL;
    int err = 0;

    while (!err && (s = next_space(s)))
        err = space_swap_in(s, &r);
    if (s)
        vm_space_unref(s);
    while (!err && (o = next_object(o)))
        err = object_swap_in(o, &r);
    if (o)
        vm_object_unref(o);
    return err;
}
