/*
 * Page replacement: one clock hand with second chance over the frames. It allocates nothing. Clean
 * pages of objects are dropped, since their pager can give them again; so are private pages that
 * MADV_FREE gave up and nobody wrote to since. A dirty page whose pager has no put, and every other
 * anon, has no other home and stays, as does what mlock holds.
 */
#include "mm/mm.h"

#define BATCH 32u /* frames freed at a time */
#define STEP  64u /* frames looked at without leaving vm_lock */

struct frame *reclaim_hand;

static bool is_locked(const struct frame *f)
{
    struct pmap *pm;
    vaddr_t va;

    for (unsigned n = 0; pmap_nth_mapping(f, n, &pm, &va); n++) {
        struct vm_space *s = container_of(pm, struct vm_space, pmap);
        const struct vma *v = vma_find(s, va);
        if (v && (v->flags & VM_LOCKED))
            return true;
    }
    return false;
}

/* Drops a page given up by MADV_FREE. Only its one owner can have written to it, through its one
 * mapping; without a mapping it was never found dirty. */
static bool try_drop_lazy(struct frame *f)
{
    struct pmap *pm;
    vaddr_t va;

    if (f->anon->refs != 1 || !pmap_nth_mapping(f, 0, &pm, &va))
        return false;
    pmap_remove_frame(f);
    if (f->flags & FRAME_DIRTY)
        return false;
    return amap_drop(&container_of(pm, struct vm_space, pmap)->amap, va >> PAGE_SHIFT);
}

static bool try_drop(struct frame *f)
{
    bool lazy = f->kind == FRAME_ANON && (f->flags & FRAME_LAZY);

    if (!lazy && f->kind != FRAME_OBJECT)
        return false;
    if (f->pins || (f->flags & (FRAME_BUSY | FRAME_DIRTY)))
        return false;
    if (pmap_test_dirty(f) || pmap_test_accessed(f) || is_locked(f))
        return false;
    if (lazy)
        return try_drop_lazy(f);
    pmap_remove_frame(f);
    /* Another CPU may have written until its entry was gone. */
    if (f->flags & FRAME_DIRTY)
        return false;
    object_evict(f);
    return true;
}

/* The clock hand passes so many frames. How many it freed. [v] */
static unsigned pass(unsigned frames)
{
    unsigned freed = 0;

    for (; frames > 0; frames--) {
        reclaim_hand = frame_next(reclaim_hand);
        if (reclaim_hand && try_drop(reclaim_hand))
            freed++;
    }
    return freed;
}

/*
 * False when all of memory has less than a batch to give. What is left then is the few pages that
 * are in use this very moment: an instruction and its operand would take turns for ever.
 */
bool reclaim(void)
{
    unsigned freed = 0;

    /* Twice around: the first may only clear accessed bits. */
    for (uint32_t looked = 0; looked < 2 * frame_total() && freed < BATCH; looked += STEP) {
        spin_lock(&vm_lock);
        freed += pass(STEP);
        spin_unlock(&vm_lock);
    }
    return freed >= BATCH;
}

void reclaim_frame(struct frame *f)
{
    (void)pmap_test_accessed(f);
    (void)try_drop(f);
}
