/*
 * Objects: what supplies pages by index. A file's page cache and shared anonymous memory are the
 * same thing with different pagers. read(), write() and mmap use the very same frames. Here: their
 * life, finding a page and bringing it in. object_io.c reads and writes them, object_size.c changes
 * how long they are, reclaim/write_back.c writes pages back.
 *
 * Invariants: a frame of kind OBJECT is in the tree of its object at its index, and the other way
 * round; a BUSY frame is being filled and is neither mapped nor used; a frame that is DIRTY, or
 * mapped by an entry with the dirty bit, is the only copy when the pager has no put; a page past
 * the end is pinned, by a writer who is about to move the end.
 */
#include "arch/processors.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/mm.h"
#include "mm/port.h"
#include "mm/reclaim/reclaim.h"

#define EVICT_STEP 100u /* pages and mappings taken out without leaving vm_lock */

struct list all_objects = LIST_INIT(all_objects);
uint32_t shmem_pages;

struct vm_object *vm_object_create(const struct pager *pager, void *private, uint64_t size)
{
    static uint64_t last_serial; /* [v] */
    struct vm_object *o = kmalloc(sizeof(*o));

    if (!o)
        return NULL;
    *o = (struct vm_object){.refs = 1, .size = size, .pager = pager, .private = private};
    list_init(&o->vmas);
    spin_lock(&vm_lock);
    o->serial = ++last_serial;
    list_add_tail(&all_objects, &o->all);
    spin_unlock(&vm_lock);
    return o;
}

/* ---- Shared anonymous memory ---- */

int vm_zero_get(struct vm_object *o, struct vm_run *run)
{
    (void)o;
    for (unsigned i = 0; i < run->count; i++)
        page_zero(run->page[i]);
    run->fresh = true;
    return (int)run->count;
}

bool vm_zero_behind(const struct vm_object *o, uint32_t index)
{
    (void)o;
    (void)index;
    return true;
}

static void zero_describe(struct vm_object *o, char *buf, size_t size, uint32_t *ino, uint32_t *dev)
{
    (void)o;
    strlcpy(buf, "/dev/zero (deleted)", size);
    *ino = 1;
    *dev = 1;
}

static const struct pager zero_pager = {
    .name = "anonymous",
    .get = vm_zero_get,
    .zero_behind = vm_zero_behind,
    .describe = zero_describe,
    .shared_memory = true,
};

struct vm_object *vm_object_create_anon(uint64_t size)
{
    return vm_object_create(&zero_pager, NULL, size);
}

bool object_is_anonymous(const struct vm_object *o)
{
    return o->pager->shared_memory;
}

bool object_zero_behind(const struct vm_object *o, uint32_t index)
{
    return o->pager->zero_behind && o->pager->zero_behind(o, index);
}

/* ---- References, size ---- */

void *vm_object_private(const struct vm_object *o)
{
    return o->private;
}

uint64_t vm_object_size(const struct vm_object *o)
{
    return o->size;
}

uint32_t vm_object_pages(const struct vm_object *o)
{
    return o->resident + o->swapped;
}

uint32_t vm_object_swapped(const struct vm_object *o)
{
    return o->swapped;
}

void vm_object_ref(struct vm_object *o)
{
    spin_lock(&vm_lock);
    o->refs++;
    spin_unlock(&vm_lock);
}

/* ---- Taking pages out ---- */

void object_evict(struct frame *f)
{
    struct vm_object *o = f->object;

    pmap_remove_frame(f);
    object_cleaned(f);
    radix_clear(&o->pages, f->index);
    object_count_pages(o, -1);
    frame_release(f);
}

/* A page that is in swap goes. */
static void forget_slot(struct vm_object *o, uint32_t index)
{
    swap_free(item_slot(radix_clear(&o->pages, index)));
    o->swapped--;
    swapped_pages--;
}

bool object_evict_some(struct vm_object *o, uint32_t *first, uint64_t end)
{
    for (unsigned left = EVICT_STEP, mappings; left > 0; left -= mappings) {
        void *item = radix_next(&o->pages, first);
        struct frame *f = item_frame(item);

        if (!item || *first >= end)
            return true;
        mappings = f ? rmap_count(f) + 1 : 1;
        if (mappings > left) {
            pmap_remove_some(f, left);
            break;
        }
        if (f)
            object_evict(f);
        else
            forget_slot(o, *first);
    }
    return false;
}

void vm_object_unref(struct vm_object *o)
{
    uint32_t first = 0;
    bool last;

    spin_lock(&vm_lock);
    KASSERT(o->refs != 0);
    last = --o->refs == 0;
    while (last && !object_evict_some(o, &first, UINT64_MAX)) {
        spin_unlock(&vm_lock);
        port_yield();
        spin_lock(&vm_lock);
    }
    if (last) {
        list_remove(&o->all);
        committed_pages -= o->promised;
    }
    spin_unlock(&vm_lock);
    if (!last)
        return;
    if (o->pager->destroy) {
        kernel_need();
        o->pager->destroy(o);
    }
    kmfree(o);
}

/* ---- Finding a page, and bringing it in ---- */

/* How many pages to ask for at a miss: more and more while the misses follow each other. */
static unsigned window_at(struct vm_object *o, uint32_t index, unsigned least)
{
    unsigned most = o->pager->ahead < VM_RUN_MAX ? o->pager->ahead : VM_RUN_MAX;
    unsigned n = o->window && index == o->next_miss ? o->window * 2u : most / 4;

    if (n > most)
        n = most;
    if (n < least)
        n = least < VM_RUN_MAX ? least : VM_RUN_MAX;
    o->window = (uint8_t)n;
    o->next_miss = index + n;
    return n;
}

static void need_pages(struct vm_object *o, uint32_t index, unsigned count, struct need *need)
{
    *need = (struct need){.what = NEED_PAGE, .object = o, .index = index, .count = count};
    o->refs++;
}

void object_need_page(struct vm_object *o, uint32_t index, struct need *need)
{
    need_pages(o, index, 1, need);
}

/* Past the end, too. */
static enum object_state find_any(struct vm_object *o, uint32_t index, unsigned least,
                                  struct frame **out, struct need *need)
{
    void *item = radix_get(&o->pages, index);
    struct frame *f = item_frame(item);

    if (f && !(f->flags & FRAME_BUSY)) {
        *out = f;
        return OBJECT_RESIDENT;
    }
    if (f) {
        *need = (struct need){.what = NEED_FRAME, .frame = f};
        return OBJECT_NEEDED;
    }
    if (!item && object_zero_behind(o, index))
        return OBJECT_HOLE;
    need_pages(o, index, window_at(o, index, least), need);
    return OBJECT_NEEDED;
}

enum object_state object_find(struct vm_object *o, uint32_t index, unsigned least,
                              struct frame **out, struct need *need)
{
    return index < object_page_count(o) ? find_any(o, index, least, out, need) : OBJECT_PAST_END;
}

void object_need_place(const struct frame *f, struct need *need)
{
    *need = (struct need){.what = NEED_PLACE, .object = f->object, .index = f->index};
    f->object->refs++;
}

void object_need_balance(struct vm_object *o, struct need *need)
{
    *need = (struct need){.what = NEED_BALANCE, .object = o};
    o->refs++;
}

int object_place(const struct need *n)
{
    int err = n->object->pager->reserve(n->object, n->index);
    struct frame *f;

    if (err)
        return err;
    spin_lock(&vm_lock);
    f = object_frame(n->object, n->index);
    if (f)
        f->flags |= FRAME_PLACED;
    spin_unlock(&vm_lock);
    return 0;
}

/* Puts f into the tree, where nothing is. -ENOMEM [v] */
static int insert(struct vm_object *o, uint32_t index, struct frame *f, uint8_t flags)
{
    bool refault;

    if (radix_set(&o->pages, index, f))
        return -ENOMEM;
    f->object = o;
    f->index = index;
    f->flags = flags;
    frame_set_age(f, policy_enter(object_key(o, index), &refault));
    events.workingset_refault_file += refault;
    object_count_pages(o, 1);
    return 0;
}

/* A BUSY frame in the tree for a page that is not there: others wait for it. The pin keeps it ours
 * if the object is cut short meanwhile. */
static struct frame *claim(struct vm_object *o, uint32_t index)
{
    struct frame *f = frame_alloc(FRAME_OBJECT);

    if (!f)
        return NULL;
    if (insert(o, index, f, FRAME_BUSY)) {
        frame_free(f);
        return NULL;
    }
    frame_pin(f);
    return f;
}

bool object_adopt(struct vm_object *o, uint32_t index, struct frame *f)
{
    if (radix_get(&o->pages, index) || insert(o, index, f, o->pager->reserve ? FRAME_PLACED : 0))
        return false;
    frame_adopt(f);
    return true;
}

/* Claims the pages of the run up to one that is there, as far as the object and memory go. 0: the
 * first one is there, or somebody else is at it. -ENOMEM [v] */
static int claim_run(const struct need *n, struct vm_run *run)
{
    struct vm_object *o = n->object;

    for (run->count = 0; run->count < n->count; run->count++) {
        uint32_t index = n->index + run->count;
        struct frame *f;

        if (radix_get(&o->pages, index) ||
            (run->count > 0 && (index >= object_page_count(o) || frame_low())))
            break;
        f = claim(o, index);
        if (!f)
            return run->count ? (int)run->count : -ENOMEM;
        run->page[run->count] = frame_kva(f);
    }
    return (int)run->count;
}

/* The pager filled the first so many pages of the run; the others are as if never asked for. [v] */
static void settle_run(const struct vm_run *run, unsigned filled)
{
    for (unsigned i = 0; i < run->count; i++) {
        struct frame *f = frame_of(run->page[i]);

        f->flags &= ~FRAME_BUSY;
        if (f->kind == FRAME_OBJECT && !f->object->pager->shared_memory && !frame_age(f))
            f->flags |= FRAME_FRESH;
        if (i >= filled && f->kind == FRAME_OBJECT)
            object_evict(f);
        port_wakeup(f);
        frame_unpin(f);
    }
}

int object_fetch(struct need *n)
{
    struct vm_run run = {.index = n->index};
    int got;

    if (frame_low() && !reclaim())
        return -ENOMEM;
    if (n->object->swapped) {
        got = object_fetch_slot(n);
        if (got)
            return got < 0 ? got : 0;
    }
    spin_lock(&vm_lock);
    got = claim_run(n, &run);
    spin_unlock(&vm_lock);
    if (got <= 0)
        return got;
    got = object_get(n->object, &run);
    KASSERT(got != 0 && got <= (int)run.count);
    n->major = got > 0 && !run.fresh;
    spin_lock(&vm_lock);
    settle_run(&run, got > 0 ? (unsigned)got : 0);
    spin_unlock(&vm_lock);
    return got < 0 ? got : 0;
}

int vm_object_make(struct vm_object *o, uint32_t index, const void *page)
{
    struct need n = {.object = o, .index = index, .count = 1};
    struct vm_run run = {.index = index};
    int got = -EFAULT;

    spin_lock(&vm_lock);
    if (index < object_page_count(o))
        got = object_zero_behind(o, index) ? claim_run(&n, &run) : 0;
    spin_unlock(&vm_lock);
    if (got <= 0)
        return got ? got : -EEXIST;
    got = object_get(o, &run);
    if (got > 0 && page)
        memcpy(run.page[0], page, PAGE_SIZE);
    spin_lock(&vm_lock);
    settle_run(&run, got > 0);
    if (got > 0 && object_frame(o, index))
        object_dirtied(object_frame(o, index));
    spin_unlock(&vm_lock);
    return got < 0 ? got : 0;
}

/* Decides: the page can be had now, or what is needed first. [v] */
static enum object_state find_to_use(struct vm_object *o, uint32_t index, bool make_past_end,
                                     struct frame **out, struct need *need)
{
    enum object_state st =
        make_past_end ? find_any(o, index, 1, out, need) : object_find(o, index, 1, out, need);

    if (st == OBJECT_HOLE) {
        object_need_page(o, index, need);
        return OBJECT_NEEDED;
    }
    if (st == OBJECT_RESIDENT && make_past_end && object_needs_place(o, *out)) {
        object_need_place(*out, need);
        return OBJECT_NEEDED;
    }
    return st;
}

int object_pin(struct vm_object *o, uint32_t index, bool make_past_end, struct frame **out)
{
    enum object_state st;
    struct need need;
    int err;

    do {
        spin_lock(&vm_lock);
        st = find_to_use(o, index, make_past_end, out, &need);
        if (st == OBJECT_RESIDENT)
            frame_pin(*out);
        spin_unlock(&vm_lock);
        err = st == OBJECT_NEEDED ? bring_in(&need) : 0;
    } while (st == OBJECT_NEEDED && !err);
    return st == OBJECT_PAST_END ? -ENXIO : err;
}

void object_unpin(struct frame *const *run, unsigned n, bool dirtied)
{
    spin_lock(&vm_lock);
    for (struct frame *f; n && (f = *run++); n--) {
        if (dirtied && f->kind == FRAME_OBJECT)
            object_dirtied(f);
        if (f->kind == FRAME_OBJECT && (f->flags & FRAME_FRESH))
            f->flags &= ~FRAME_FRESH; /* what it was brought in for does not count as a use */
        else
            f->flags |= FRAME_REFERENCED;
        frame_unpin(f);
    }
    spin_unlock(&vm_lock);
}

void *vm_object_hold(struct vm_object *o, uint32_t index)
{
    struct frame *f;

    return object_pin(o, index, false, &f) ? NULL : frame_kva(f);
}

int vm_object_touch(struct vm_object *o, uint32_t index)
{
    struct frame *f;
    int err = object_pin(o, index, false, &f);

    if (!err)
        object_unpin(&f, 1, false);
    return err;
}
