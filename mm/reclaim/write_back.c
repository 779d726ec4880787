/*
 * Writing the pages of an object back.
 *
 * A page on its way out is WRITING and pinned, and stays what it is: it may be read, and written
 * to, which makes it dirty once more. It counts as clean from the moment its run is gathered; what
 * the pager could not write is dirty again afterwards. Neighbours leave together.
 */
#include "libc/errno.h"
#include "mm/mm.h"
#include "mm/port.h"

#define LOOK_STEP        256u /* pages looked at without leaving vm_lock */
#define MAPPINGS_IN_STEP 500u /* of the pages of a run, which lose their right to write */

static bool is_dirty(const struct frame *f)
{
    return (f->flags & (FRAME_BUSY | FRAME_DIRTY)) == FRAME_DIRTY;
}

/* Appends f to the run: clean from now on, and the next store is a fault. [v] */
static void send(struct frame *f, struct vm_run *run)
{
    object_cleaned(f);
    pmap_clean(f);
    writing_pages++;
    f->flags |= FRAME_WRITING;
    frame_pin(f);
    run->page[run->count++] = frame_kva(f);
}

void object_gather(struct frame *f, struct vm_run *run)
{
    struct vm_object *o = f->object;
    unsigned mappings = 0;

    *run = (struct vm_run){.index = f->index, .turn = o->put_turn & 1};
    do {
        mappings += rmap_count(f);
        send(f, run);
        f = run->index + run->count > run->index ? object_frame(o, run->index + run->count) : NULL;
    } while (run->count < VM_RUN_MAX && mappings < MAPPINGS_IN_STEP && f &&
             !(f->flags & FRAME_WRITING) && is_dirty(f));
    o->refs++;
    o->puts[run->turn]++;
}

enum gathered object_gather_next(struct vm_object *o, uint32_t *index, uint32_t end,
                                 struct vm_run *run)
{
    struct frame *f;

    for (unsigned n = 0; n < LOOK_STEP; n++, ++*index) {
        f = radix_next(&o->pages, index);
        if (!f || *index >= end)
            return NO_MORE;
        if (!is_dirty(f))
            continue;
        if (f->flags & FRAME_WRITING)
            return MUST_WAIT;
        object_gather(f, run);
        return GATHERED;
    }
    return NOT_YET;
}

int object_put(struct vm_object *o, struct vm_run *run)
{
    int put;

    port_writing_out(1);
    put = o->pager->put(o, run);
    port_writing_out(-1);
    KASSERT(put != 0 && put <= (int)run->count);
    spin_lock(&vm_lock);
    for (unsigned i = 0; i < run->count; i++) {
        struct frame *f = frame_of(run->page[i]);

        f->flags &= ~FRAME_WRITING;
        if ((int)i >= put && f->kind == FRAME_OBJECT)
            object_dirtied(f);
        frame_unpin(f);
    }
    object_put_done(run, put);
    if (put < 0)
        o->put_error = put;
    if (--o->puts[run->turn] == 0)
        port_wakeup(&o->puts);
    spin_unlock(&vm_lock);
    vm_object_unref(o);
    return put;
}

/*
 * A run counts in the turn in which it began. A turn ends when the runs of the one before it have
 * arrived: by the end of the turn after this one, all that are on their way by now have. To wait
 * for none at all to be under way could be for ever: the next may begin before who waits has woken.
 */
void object_await_puts(struct vm_object *o)
{
    uint32_t enough = o->put_turn + 2;

    while ((int32_t)(o->put_turn - enough) < 0) {
        if (!o->puts[(o->put_turn + 1) & 1]) {
            o->put_turn++;
            continue;
        }
        port_sleep(&o->puts, &vm_lock);
        spin_lock(&vm_lock);
    }
}

/* What others are writing out is awaited, too, and its errors are told here. */
int vm_object_await(struct vm_object *o)
{
    int err;

    spin_lock(&vm_lock);
    object_await_puts(o);
    err = o->put_error;
    o->put_error = 0;
    spin_unlock(&vm_lock);
    return err;
}

int vm_object_sync_range(struct vm_object *o, uint32_t first, uint32_t end)
{
    enum gathered g = o->dirty ? NOT_YET : NO_MORE;
    struct vm_run run;

    if (!o->pager->put)
        return 0;
    while (g != NO_MORE) {
        spin_lock(&vm_lock);
        g = object_gather_next(o, &first, end, &run);
        if (g == MUST_WAIT)
            object_await_puts(o);
        spin_unlock(&vm_lock);
        if (g == GATHERED) {
            int put = object_put(o, &run);

            first = run.index + (put > 0 ? (uint32_t)put : 1);
        }
    }
    return vm_object_await(o);
}

int vm_object_sync(struct vm_object *o)
{
    return vm_object_sync_range(o, 0, UINT32_MAX);
}
