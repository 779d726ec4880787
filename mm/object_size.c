/*
 * How long an object is: resize, and holes.
 *
 * Invariants: what a mapping wrote behind the end never shows when the object grows; while pages
 * past a new end are still being taken out (cutting), the object does not grow.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/mm.h"
#include "mm/port.h"

bool object_is_resident(struct vm_object *o, uint64_t index)
{
    bool resident;

    spin_lock(&vm_lock);
    resident = radix_get(&o->pages, (uint32_t)index) != NULL;
    spin_unlock(&vm_lock);
    return resident;
}

/* The page that will hold the end, pinned, if what follows in it has to be zeroed so that it cannot
 * show when the object grows again; else NULL. */
static int pin_tail(struct vm_object *o, uint64_t size, struct frame **tail)
{
    uint32_t index = (uint32_t)(size >> PAGE_SHIFT);
    int err;

    *tail = NULL;
    if (!(size & (PAGE_SIZE - 1)) || size >= o->size ||
        (object_zero_behind(o, index) && !object_is_resident(o, index)))
        return 0;
    err = object_pin(o, index, false, tail);
    return err == -ENXIO ? 0 : err;
}

void object_clear_tail(struct vm_object *o, uint64_t end, uint64_t at)
{
    uint32_t within = end & (PAGE_SIZE - 1), n = PAGE_SIZE - within;
    struct frame *f;

    if (!within || at <= end)
        return;
    f = object_frame(o, (uint32_t)(end >> PAGE_SHIFT));
    if (at - end < n)
        n = (uint32_t)(at - end);
    if (!f)
        return;
    memset((uint8_t *)frame_kva(f) + within, 0, n);
    /* What is on its way out is what was there before. */
    if (f->flags & FRAME_WRITING)
        object_dirtied(f);
}

/* Growth must wait for the page that holds the end: it is in swap, or on its way in. [v] */
static bool is_tail_needed(struct vm_object *o, struct need *need)
{
    uint32_t index = (uint32_t)(o->size >> PAGE_SHIFT);
    void *item = o->size & (PAGE_SIZE - 1) ? radix_get(&o->pages, index) : NULL;
    struct frame *f = item_frame(item);

    if (!item || (f && !(f->flags & FRAME_BUSY)))
        return false;
    if (f)
        *need = (struct need){.what = NEED_FRAME, .frame = f};
    else
        object_need_page(o, index, need);
    return true;
}

int object_lock_to_grow(struct vm_object *o, uint64_t end)
{
    struct need need;
    int err = 0;

    while (!err) {
        spin_lock(&vm_lock);
        if (o->cutting) {
            port_sleep(&o->cutting, &vm_lock);
            continue;
        }
        if (end <= o->size || !is_tail_needed(o, &need))
            break;
        spin_unlock(&vm_lock);
        err = bring_in(&need);
    }
    return err;
}

void vm_object_forget(struct vm_object *o, uint32_t first, uint64_t end)
{
    bool done;

    do {
        spin_lock(&vm_lock);
        done = object_evict_some(o, &first, end);
        spin_unlock(&vm_lock);
        port_yield();
    } while (!done);
    spin_lock(&vm_lock);
    object_await_puts(o); /* what follows may reuse the places that are being written to */
    spin_unlock(&vm_lock);
}

static uint32_t first_past(uint64_t size)
{
    return (uint32_t)((size + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

/* [v] The end moves to size, which lies in tail, or in a page that has nothing to be cleared. */
static void set_size(struct vm_object *o, uint64_t size, struct frame *tail)
{
    uint32_t within = size & (PAGE_SIZE - 1);

    if (tail)
        memset((uint8_t *)frame_kva(tail) + within, 0, PAGE_SIZE - within);
    object_clear_tail(o, o->size, size);
    o->size = size;
}

int vm_object_resize(struct vm_object *o, uint64_t size)
{
    struct frame *tail;
    bool shrinks = false;
    int err;

    if (size > (uint64_t)UINT32_MAX << PAGE_SHIFT)
        return -EFBIG;
    err = pin_tail(o, size, &tail);
    if (err)
        return err;
    err = object_lock_to_grow(o, size);
    if (!err) {
        shrinks = size < o->size;
        if (shrinks)
            err = object_begin_cut(o, first_past(size));
        if (!err)
            set_size(o, size, tail);
        spin_unlock(&vm_lock);
    }
    if (tail)
        object_unpin(&tail, 1, !err);
    if (!err && shrinks)
        object_finish_cut(o, first_past(size));
    return err;
}

/* ---- Holes ---- */

/* Zeroes [from, from+len) of one page, if the object reaches so far; a page that would be zeros is
 * not made for that. */
static int zero_in_page(struct vm_object *o, uint64_t from, uint32_t len)
{
    uint32_t index = (uint32_t)(from >> PAGE_SHIFT);
    struct frame *f;
    int err;

    if (object_zero_behind(o, index) && !object_is_resident(o, index))
        return 0;
    err = object_pin(o, index, false, &f);
    if (err)
        return err == -ENXIO ? 0 : err;
    memset((uint8_t *)frame_kva(f) + (from & (PAGE_SIZE - 1)), 0, len);
    object_unpin(&f, 1, true);
    return 0;
}

int vm_object_punch(struct vm_object *o, uint64_t from, uint64_t len)
{
    uint64_t end = from + len < o->size ? from + len : o->size;
    int err = 0;

    while (from < end && !err) {
        uint32_t within = from & (PAGE_SIZE - 1);
        uint64_t n = PAGE_SIZE - within;
        uint32_t index = (uint32_t)(from >> PAGE_SHIFT);

        if (!within && end - from >= PAGE_SIZE && object_zero_behind(o, index)) {
            n = (end - from) & ~(uint64_t)(PAGE_SIZE - 1);
            vm_object_forget(o, index, index + (n >> PAGE_SHIFT));
        } else {
            n = n < end - from ? n : end - from;
            err = zero_in_page(o, from, (uint32_t)n);
        }
        from += n;
    }
    return err;
}

#define LOOK_STEP 256u /* pages looked at without leaving vm_lock */

bool vm_object_next_dirty(struct vm_object *o, uint32_t *index)
{
    bool dirty = false;
    struct frame *f;

    if (o->pager->put && !o->dirty)
        return false;
    do {
        spin_lock(&vm_lock);
        for (unsigned n = 0; (f = radix_next(&o->pages, index)) && n < LOOK_STEP; n++, ++*index) {
            dirty = item_slot(f) || (f->flags & FRAME_DIRTY) || pmap_test_dirty(f);
            if (dirty)
                break;
        }
        spin_unlock(&vm_lock);
        port_yield();
    } while (f && !dirty);
    return dirty;
}
