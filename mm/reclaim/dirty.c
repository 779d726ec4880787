/*
 * Dirty pages of files: counted, and kept few enough.
 *
 * A page of an object whose pager has a put is dirty when its frame says so, and only then may an
 * entry map it writable: every first store since it was clean is a fault, and counted. Objects with
 * dirty pages are in dirty_objects, those whose oldest page is oldest first; writing an object to
 * its end moves it to the tail, as what is dirty in it then is younger.
 *
 * Above the background threshold a thread writes (fs/vfs/flush.c), above the limit whoever dirties
 * more. He never waits for the thread, only for pages that are on their way: the thread may need
 * what he holds.
 */
#include "mm/dirty.h"
#include "mm/mm.h"
#include "mm/port.h"

#define BATCH    256u /* pages written before the limit is looked at again */
#define DEAD_MAX 16u  /* objects about to go that are passed over */
#define ROUNDS   8u   /* of that, after which a writer goes on: the disk may fail */

static struct vm_dirty_settings settings = {
    .background_ratio = 10, .ratio = 20, .expire_centisecs = 3000, .turn_centisecs = 500}; /* [v] */

static struct list dirty_objects = LIST_INIT(dirty_objects);
uint32_t dirty_pages, writing_pages;
static uint64_t dirtied, written; /* [v] */

void dirty_init(void)
{
    list_init(&dirty_objects);
    dirty_pages = writing_pages = 0;
}

/* ---- Which there are ---- */

/* What is dirty in o is young. [v] */
static void requeue(struct vm_object *o)
{
    o->dirtied_at = mm_port->now();
    list_remove(&o->dirty_link);
    list_add_tail(&dirty_objects, &o->dirty_link);
}

void object_dirtied(struct frame *f)
{
    struct vm_object *o = f->object;

    if (f->flags & FRAME_DIRTY)
        return;
    f->flags |= FRAME_DIRTY;
    if (!o->pager->put)
        return;
    dirty_pages++;
    dirtied++;
    if (o->dirty++ == 0) {
        list_init(&o->dirty_link);
        requeue(o);
    }
}

void object_cleaned(struct frame *f)
{
    struct vm_object *o = f->object;

    if (!(f->flags & FRAME_DIRTY))
        return;
    f->flags &= ~FRAME_DIRTY;
    if (!o->pager->put)
        return;
    dirty_pages--;
    if (--o->dirty == 0)
        list_remove(&o->dirty_link);
}

void object_put_done(const struct vm_run *run, int put)
{
    writing_pages -= run->count;
    written += put > 0 ? (unsigned)put : 0;
}

/* ---- How many there may be ---- */

static void nobody(void)
{
}
static void (*kick)(void) = nobody;

void vm_dirty_tell(void (*fn)(void))
{
    kick = fn ? fn : nobody;
}

void vm_dirty_get(struct vm_dirty_settings *out)
{
    spin_lock(&vm_lock);
    *out = settings;
    spin_unlock(&vm_lock);
}

void vm_dirty_set(const struct vm_dirty_settings *s)
{
    spin_lock(&vm_lock);
    settings = *s;
    spin_unlock(&vm_lock);
    kick();
}

static uint32_t threshold(uint32_t bytes, uint32_t percent)
{
    uint32_t could_be = frame_free_count() + frame_count(FRAME_OBJECT);

    return bytes ? bytes / PAGE_SIZE + !!(bytes % PAGE_SIZE) : could_be / 100 * percent;
}

/* [v] or for a hint */
static uint32_t the_limit(void)
{
    return threshold(settings.bytes, settings.ratio);
}

/* Where both are the same, writers would never get any help. [v] or for a hint */
static uint32_t the_background(void)
{
    uint32_t limit = the_limit(),
             n = threshold(settings.background_bytes, settings.background_ratio);

    return n < limit ? n : limit / 2;
}

static uint32_t unwritten(void)
{
    return __atomic_load_n(&dirty_pages, __ATOMIC_RELAXED) +
           __atomic_load_n(&writing_pages, __ATOMIC_RELAXED);
}

bool dirty_many(void)
{
    return unwritten() > the_background();
}

void vm_dirty_stats(struct vm_dirty_stats *out)
{
    spin_lock(&vm_lock);
    *out = (struct vm_dirty_stats){dirty_pages, writing_pages, the_background(),
                                   the_limit(), dirtied,       written};
    spin_unlock(&vm_lock);
}

/* ---- Writing ---- */

/* Writes the run of dirty pages of o that is next; how many pages. *end: o was looked at to its
 * end. */
static unsigned write_run(struct vm_object *o, bool *end)
{
    uint32_t at = o->next_put;
    enum gathered g;
    struct vm_run run;
    int put = 0;

    spin_lock(&vm_lock);
    g = object_gather_next(o, &at, UINT32_MAX, &run);
    if (g == MUST_WAIT)
        at++;
    *end = g == NO_MORE;
    if (*end && o->dirty)
        requeue(o);
    o->next_put = *end ? 0 : at;
    spin_unlock(&vm_lock);
    if (g != GATHERED)
        return 0;
    put = object_put(o, &run);
    o->next_put = run.index + (put > 0 ? (uint32_t)put : 1);
    return put > 0 ? (unsigned)put : 0;
}

/* Once around at most; how many pages. */
static unsigned write_some(struct vm_object *o, unsigned most)
{
    unsigned done = 0, ends = 0;
    bool end;

    while (done < most && ends < 2 && o->dirty) {
        done += write_run(o, &end);
        ends += end;
        port_yield();
    }
    return done;
}

/* The object that is longest dirty, if it has been since before then, with a reference. */
static struct vm_object *take_oldest(uint64_t before, bool turn_over)
{
    struct vm_object *o = NULL;

    spin_lock(&vm_lock);
    for (unsigned n = 0; !o && n < DEAD_MAX && !list_empty(&dirty_objects); n++) {
        o = list_first_entry(&dirty_objects, struct vm_object, dirty_link);
        if (o->dirtied_at >= before) {
            o = NULL;
            break;
        }
        if (turn_over || !o->refs)
            requeue(o);
        if (o->refs)
            o->refs++;
        else
            o = NULL; /* it is about to go, and its pages with it */
    }
    spin_unlock(&vm_lock);
    return o;
}

bool vm_write_back_old(uint64_t before)
{
    struct vm_object *o;
    bool any = false;

    while ((o = take_oldest(before, true)) != NULL) {
        o->next_put = 0;
        (void)write_some(o, UINT32_MAX);
        vm_object_unref(o);
        any = true;
    }
    return any;
}

/* Of the object that is longest dirty, whichever that is. */
static unsigned write_oldest(void)
{
    struct vm_object *o = take_oldest(UINT64_MAX, false);
    unsigned done;

    if (!o)
        return 0;
    done = write_some(o, BATCH);
    spin_lock(&vm_lock);
    if (!done && o->dirty)
        requeue(o);
    spin_unlock(&vm_lock);
    vm_object_unref(o);
    return done;
}

void vm_write_back_background(void)
{
    while (dirty_many() && write_oldest() > 0)
        ;
}

static void await_puts(struct vm_object *o)
{
    spin_lock(&vm_lock);
    object_await_puts(o);
    spin_unlock(&vm_lock);
}

void vm_dirty_balance(struct vm_object *o)
{
    if (!dirty_many() || port_writing_out(0))
        return;
    kick();
    for (unsigned n = 0; n < ROUNDS && unwritten() > the_limit(); n++) {
        if (!write_some(o, BATCH) && !write_oldest()) {
            await_puts(o);
            break;
        }
    }
}
