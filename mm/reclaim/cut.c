/*
 * The areas that map an object, and what goes when it is cut: its pages past the new end, and the
 * private copies of them that areas have.
 *
 * Invariants: the list has the areas in the order in which they came; while the object is being
 * cut, those from uncut on have not been come to.
 */
#include "libc/errno.h"
#include "mm/mm.h"
#include "mm/port.h"

#define CUT_STEP 64u /* private copies taken out in one go */

/* ---- The areas of an object ---- */

/* A shared area through which the object is, or may come to be, written to. */
bool object_may_be_written(const struct vma *v)
{
    return (v->flags & VM_SHARED) && (v->maxprot & VM_PROT_WRITE);
}

/* [v] On to the next area of a cut. */
static void next_uncut(struct vm_object *o)
{
    struct list *next = o->uncut->object_link.next;

    o->uncut = next == &o->vmas ? NULL : list_entry(next, struct vma, object_link);
    o->uncut_page = 0;
}

void object_add_area(struct vm_object *o, struct vma *v)
{
    list_add_tail(&o->vmas, &v->object_link);
    o->areas++;
    o->writable_areas += object_may_be_written(v);
    if (o->cutting && !o->uncut)
        o->uncut = v;
}

void object_remove_area(struct vm_object *o, struct vma *v)
{
    if (o->uncut == v)
        next_uncut(o);
    list_remove(&v->object_link);
    o->areas--;
    o->writable_areas -= object_may_be_written(v);
}

void vm_object_set_locked(struct vm_object *o, bool locked)
{
    spin_lock(&vm_lock);
    o->kept = locked;
    spin_unlock(&vm_lock);
}

uint32_t vm_object_areas(struct vm_object *o)
{
    return o->areas; /* a word */
}

bool vm_object_has_writers(struct vm_object *o)
{
    return o->writable_areas != 0; /* a word */
}

bool vm_object_deny_writers(struct vm_object *o)
{
    bool written;

    spin_lock(&vm_lock);
    written = o->writable_areas != 0;
    if (!written)
        o->no_writers = true;
    spin_unlock(&vm_lock);
    return !written;
}

/* ---- Private copies ---- */

/* The pages of v that show index first of its object and what follows; false: none. */
static bool pages_from(const struct vma *v, uint32_t first, uint32_t *from, uint32_t *end)
{
    uint32_t skip = first > v->pgoff ? first - v->pgoff : 0;

    *from = (v->start >> PAGE_SHIFT) + skip;
    *end = v->end >> PAGE_SHIFT;
    return skip < vma_pages(v);
}

/*
 * Private copies of pages past the new end go as well: man 2 mmap, and Linux. That may be much
 * work: it goes in steps over the areas, in the order of their list. What comes meanwhile comes
 * last, a child's area after its parent's, so that none can take over a copy from one not yet come
 * to.
 *
 * What is done with pages [from, end) of v: 0, -ENOMEM, or -EAGAIN: there is more, once others had
 * a chance.
 */
typedef int (*cut_fn)(struct vma *v, uint32_t from, uint32_t end, unsigned *budget);

/* Reserve... */
static int reserve_cut(struct vma *v, uint32_t from, uint32_t end, unsigned *budget)
{
    *budget -= *budget != 0;
    return amap_reserve_remove(&v->space->amap, from, end);
}

uint32_t cut_in_leaf(struct vm_space *s, uint32_t from, uint32_t stop, unsigned *budget)
{
    unsigned units = 1;

    if (s->amap.leaf[from / LEAF_SLOTS]) {
        if (!amap_leaf_shared(&s->amap, from) && stop - from > CUT_STEP)
            stop = from + CUT_STEP;
        pmap_remove(&s->pmap, from << PAGE_SHIFT, stop << PAGE_SHIFT);
        amap_remove(&s->amap, from, stop);
        units = stop - from;
    }
    *budget -= *budget < units ? *budget : units;
    return stop;
}

/* ...and commit. Mappings of the object's own pages go with these. */
static int cut_copies(struct vma *v, uint32_t from, uint32_t end, unsigned *budget)
{
    if (amap_reserve_remove(&v->space->amap, from, end)) /* a fork since has shared a leaf again */
        return -ENOMEM;
    while (from < end && *budget) {
        uint32_t stop = (from | (LEAF_SLOTS - 1)) + 1;

        from = cut_in_leaf(v->space, from, stop < end ? stop : end, budget);
    }
    v->object->uncut_page = from;
    return from < end ? -EAGAIN : 0;
}

/* [v, let go between steps] */
static void pause_cut(unsigned *budget)
{
    spin_unlock(&vm_lock);
    port_yield();
    *budget = STEP_UNITS;
    spin_lock(&vm_lock);
}

static int cut_area(struct vm_object *o, uint32_t first, cut_fn fn, unsigned *budget)
{
    uint32_t from, end;
    int err = 0;

    if (vma_is_private(o->uncut) && pages_from(o->uncut, first, &from, &end)) {
        from = from > o->uncut_page ? from : o->uncut_page;
        if (from < end)
            err = fn(o->uncut, from, end, budget);
    } else {
        *budget -= *budget != 0;
    }
    if (!err)
        next_uncut(o);
    return err;
}

/* [v, let go between steps] Every private area that shows pages from first on, until one fails. */
static int cut_areas(struct vm_object *o, uint32_t first, cut_fn fn)
{
    unsigned budget = STEP_UNITS;
    int err = 0;

    o->uncut = list_empty(&o->vmas) ? NULL : list_first_entry(&o->vmas, struct vma, object_link);
    o->uncut_page = 0;
    while (o->uncut && err != -ENOMEM) {
        err = cut_area(o, first, fn, &budget);
        if (o->uncut && (budget == 0 || err == -EAGAIN))
            pause_cut(&budget);
    }
    return err == -ENOMEM ? err : 0;
}

/* ---- The cut as a whole ---- */

/* [v] */
static void end_cut(struct vm_object *o)
{
    o->cutting = false;
    o->uncut = NULL;
    port_wakeup(&o->cutting);
}

int object_begin_cut(struct vm_object *o, uint32_t first)
{
    int err;

    o->cutting = true;
    err = cut_areas(o, first, reserve_cut);
    if (err)
        end_cut(o);
    return err;
}

void object_finish_cut(struct vm_object *o, uint32_t first)
{
    struct need memory = {.what = NEED_MEMORY};

    spin_lock(&vm_lock);
    while (cut_areas(o, first, cut_copies)) {
        spin_unlock(&vm_lock);
        (void)bring_in(&memory);
        port_yield();
        spin_lock(&vm_lock);
    }
    spin_unlock(&vm_lock);
    vm_object_forget(o, first, UINT64_MAX);
    spin_lock(&vm_lock);
    end_cut(o);
    spin_unlock(&vm_lock);
}
