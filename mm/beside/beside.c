/*
 * What concerns one space goes on beside the like of other spaces: it shares vm_lock and has the
 * space's own lock. So it is alone to whoever has vm_lock to himself, and all that two of different
 * spaces both touch is guarded besides: docs/processors.md has the table.
 *
 * A space keeps to itself while no other has a page table of its, no program serves its pages,
 * nothing is in swap, and promises need not be kept (overcommit). All that changes under vm_lock,
 * had by one alone. A leaf or an anon that another space has too is the caller's affair.
 */
#include "mm/beside/beside.h"
#include "arch/processors.h"

#define LOCKS 16u

static struct spinlock locks[LOCKS] = {[0 ... LOCKS - 1] =
                                           SPINLOCK_INIT("beside", LOCK_RANK_BESIDE)};

struct spinlock *lock_beside(const void *frame_or_object)
{
    const uintptr_t at = (uintptr_t)frame_or_object / sizeof(struct frame);
    struct spinlock *l = &locks[(at ^ at / LOCKS) % LOCKS];

    spin_lock(l);
    return l;
}

void tell_object_beside(struct vma *v, void (*what)(struct vm_object *o, struct vma *v))
{
    struct spinlock *l = lock_beside(v->object);

    what(v->object, v);
    spin_unlock(l);
}

static bool keeps_to_itself(const struct vm_space *s)
{
    return list_empty(&s->pmap.family) && list_empty(&s->servers) && !swap_used() &&
           !commit_is_kept();
}

bool space_lock_beside(struct vm_space *s, bool still)
{
    spin_lock_shared(&vm_lock);
    spin_lock(&s->lock);
    s->beside = keeps_to_itself(s) && !(still && s->changing);
    if (s->beside)
        return true;
    spin_unlock(&s->lock);
    spin_unlock_shared(&vm_lock);
    return false;
}

void space_unlock_beside(struct vm_space *s)
{
    s->beside = false;
    spin_unlock(&s->lock);
    spin_unlock_shared(&vm_lock);
}

bool leaves_shared(const struct vm_space *s, vaddr_t start, vaddr_t end)
{
    const uint32_t last = (end - 1) >> PAGE_SHIFT;

    for (uint32_t page = start >> PAGE_SHIFT; page <= last; page = (page | (LEAF_SLOTS - 1)) + 1)
        if (amap_leaf_shared(&s->amap, page))
            return true;
    return false;
}
