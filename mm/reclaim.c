/*
 * Page replacement: one clock hand with second chance over the frames. It allocates nothing. Clean
 * pages of objects are dropped, since their pager can give them again; a dirty page whose pager has
 * no put, and every anon, has no other home and stays.
 */
#include "mm/mm.h"

#define BATCH 32u /* frames freed at a time */

struct frame *reclaim_hand;

/* A store that the frame itself does not know of yet: it will when the entry goes. */
static bool written_by_mapping(const struct frame *f)
{
    pte_t *pte;

    for (unsigned n = 0; (pte = rmap_nth(f, n)); n++)
        if (*pte & PTE_D)
            return true;
    return false;
}

static bool droppable(struct frame *f)
{
    if (f->kind != FRAME_OBJECT || f->pins || (f->flags & (FRAME_BUSY | FRAME_DIRTY)))
        return false;
    return !written_by_mapping(f) && !pmap_test_accessed(f);
}

/* Another CPU may have written until its entry was gone. */
static bool try_drop(struct frame *f)
{
    if (!droppable(f))
        return false;
    pmap_remove_frame(f);
    if (f->flags & FRAME_DIRTY)
        return false;
    object_drop(f);
    return true;
}

/*
 * False when all of memory has less than a batch to give. What is left then is the few pages that
 * are in use this very moment: an instruction and its operand would take turns for ever.
 */
bool reclaim(void)
{
    unsigned freed = 0;

    /* Twice around: the first may only clear accessed bits. */
    for (uint32_t looked = 0; looked < 2 * frame_total() && freed < BATCH; looked++) {
        reclaim_hand = frame_next(reclaim_hand);
        if (reclaim_hand && try_drop(reclaim_hand))
            freed++;
    }
    return freed == BATCH;
}
