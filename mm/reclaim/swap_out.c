/*
 * Pages without a file go to swap, in runs: slots in a row for neighbours by address, so that they
 * come back together.
 *
 * A page on its way is WRITING and pinned and remains what it is. Its run owns the slots until the
 * write is done; only then does a page get its own, if nobody wrote to it meanwhile. So a slot is
 * never freed, and reused, while something is still on its way into it. Eviction allocates nothing.
 */
#include "mm/fork/share.h"
#include "mm/port.h"
#include "mm/reclaim/reclaim.h"

#define BLOCK VM_RUN_MAX /* neighbours: the pages of an aligned block of so many */

uint32_t swapped_anons, swapped_pages, slots_on_their_way;

/* ---- Which pages go together ---- */

static bool is_dirty(const struct frame *f)
{
    return (f->flags & FRAME_DIRTY) || pmap_test_dirty(f);
}

static bool is_busy(const struct frame *f)
{
    return f->pins || (f->flags & (FRAME_BUSY | FRAME_WRITING));
}

/* Whether f may go along with a neighbour that goes: it is as idle, and has no home either. */
static bool may_join(const struct frame *f)
{
    if (!f || is_busy(f) || frame_is_lazy(f) || (f->flags & FRAME_REFERENCED) ||
        frame_age(f) > POLICY_REFAULT || pmap_is_accessed(f) || frame_is_locked(f))
        return false;
    return f->kind == FRAME_ANON ? !f->anon->slot || is_dirty(f) : is_dirty(f);
}

static struct frame *anon_frame_at(const struct vm_space *s, uint32_t page)
{
    const struct anon *a = amap_get(&s->amap, page);

    return a ? a->frame : NULL;
}

/* The frames of the block that f lies in, in order; how many. */
static unsigned anon_block(struct frame *f, struct frame **out)
{
    const struct vm_space *s;
    struct mapping m = {0};
    unsigned n = 0;
    vaddr_t va;

    if (!pmap_next_mapping(f, &m)) {
        out[0] = f;
        return 1;
    }
    s = container_of(m.pm, struct vm_space, pmap);
    va = pmap_entry_address(m.pte);
    for (uint32_t page = (va >> PAGE_SHIFT) & ~(BLOCK - 1), i = 0; i < BLOCK; i++) {
        struct frame *g = anon_frame_at(s, page + i);
        if (g == f || may_join(g))
            out[n++] = g;
    }
    return n;
}

static unsigned object_block(struct frame *f, struct frame **out)
{
    unsigned n = 0;

    for (uint32_t index = f->index & ~(BLOCK - 1), i = 0; i < BLOCK; i++) {
        struct frame *g = object_frame(f->object, index + i);
        if (g == f || may_join(g))
            out[n++] = g;
    }
    return n;
}

/* ---- Out ---- */

static void send(struct frame *f, struct swap_run *run)
{
    if (f->kind == FRAME_ANON && f->anon->slot) {
        swap_free(f->anon->slot);
        f->anon->slot = 0;
    }
    pmap_clear_dirty(f);
    f->flags |= FRAME_WRITING;
    frame_pin(f);
    run->page[run->count++] = frame_kva(f);
}

bool swap_gather(struct frame *f, struct swap_run *run)
{
    struct frame *block[BLOCK];
    unsigned n, got, from = 0;

    run->count = 0;
    if (!swap_room())
        return false;
    n = f->kind == FRAME_ANON ? anon_block(f, block) : object_block(f, block);
    got = swap_alloc(n, &run->slot);
    if (got == 0)
        return false;
    /* With fewer slots than pages, f is among those that go. */
    while (block[from] != f)
        from++;
    from = from + 1 > got ? from + 1 - got : 0;
    for (unsigned i = 0; i < got; i++)
        send(block[from + i], run);
    slots_on_their_way += got;
    return true;
}

bool page_evict(struct frame *f)
{
    struct anon *a = f->anon;

    pmap_remove_frame(f);
    /* Another CPU may have written until its entry was gone. */
    if (f->flags & FRAME_DIRTY)
        return false;
    if (f->kind == FRAME_OBJECT) {
        policy_leave(object_key(f->object, f->index));
        object_evict(f);
        return true;
    }
    KASSERT(a->slot != 0);
    a->frame = NULL;
    swapped_anons++;
    frame_free(f);
    return true;
}

/* A page of an object has its contents in slot: the slot takes its place in the tree. */
static bool leave_slot(struct frame *f, uint32_t slot)
{
    struct vm_object *o = f->object;

    pmap_remove_frame(f);
    if (f->flags & FRAME_DIRTY)
        return false;
    radix_replace(&o->pages, f->index, slot_item(slot));
    object_count_pages(o, -1);
    o->swapped++;
    swapped_pages++;
    frame_free(f);
    return true;
}

/* One page of a run whose write is over. Whether its frame is free. [v] */
static bool settle(struct frame *f, uint32_t slot, bool written)
{
    bool orphan = f->kind == FRAME_ORPHAN, used;

    slots_on_their_way--;
    f->flags &= ~FRAME_WRITING;
    frame_unpin(f);
    if (orphan) {
        swap_free(slot);
        return false;
    }
    if (!written || is_dirty(f) || frame_is_lazy(f)) {
        if (!frame_is_lazy(f))
            f->flags |= FRAME_DIRTY;
        swap_free(slot);
        return false;
    }
    used = f->pins || (f->flags & FRAME_REFERENCED) || pmap_is_accessed(f) || frame_is_locked(f);
    if (f->kind == FRAME_ANON) {
        f->anon->slot = slot;
        return !used && page_evict(f);
    }
    if (!used && leave_slot(f, slot))
        return true;
    f->flags |= FRAME_DIRTY;
    swap_free(slot);
    return false;
}

unsigned swap_out(struct swap_run *run)
{
    int written = swap_write(run->slot, run->count, run->page);
    unsigned freed = 0;

    spin_lock(&vm_lock);
    swap_judge(run->slot, written);
    events.pswpout += written > 0 ? (unsigned)written : 0;
    for (unsigned i = 0; i < run->count; i++)
        freed += settle(frame_of(run->page[i]), run->slot + i, (int)i < written);
    spin_unlock(&vm_lock);
    return freed;
}
