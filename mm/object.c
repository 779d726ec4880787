/*
 * Objects: what supplies pages by index. A file's page cache and shared anonymous memory are the
 * same thing with different pagers. read(), write() and mmap use the very same frames.
 *
 * Invariants: a frame of kind OBJECT is in the tree of its object at its index, and the other way
 * round; a BUSY frame is being filled and is neither mapped nor used; a frame that is DIRTY, or
 * mapped by an entry with the dirty bit, is the only copy when the pager has no put.
 */
#include "arch/uaccess.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/mm.h"
#include "mm/port.h"

struct list all_objects = LIST_INIT(all_objects);

struct vm_object *vm_object_create(const struct pager *pager, void *private, uint64_t size)
{
    struct vm_object *o = kmalloc(sizeof(*o));

    if (!o)
        return NULL;
    *o = (struct vm_object){.refs = 1, .size = size, .pager = pager, .private = private};
    list_init(&o->vmas);
    spin_lock(&vm_lock);
    list_add_tail(&all_objects, &o->all);
    spin_unlock(&vm_lock);
    return o;
}

/* ---- Shared anonymous memory ---- */

static int zero_get(struct vm_object *o, uint32_t index, void *page)
{
    (void)o;
    (void)index;
    page_zero(page);
    return VM_PAGE_FRESH;
}

static void zero_describe(struct vm_object *o, char *buf, size_t size, uint32_t *ino, uint32_t *dev)
{
    (void)o;
    strlcpy(buf, "/dev/zero (deleted)", size);
    *ino = 1;
    *dev = 1;
}

static bool always(const struct vm_object *o)
{
    (void)o;
    return true;
}

static const struct pager zero_pager = {
    .zero_behind = always,
    .name = "anonymous",
    .get = zero_get,
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
    return o->resident;
}

void vm_object_ref(struct vm_object *o)
{
    spin_lock(&vm_lock);
    o->refs++;
    spin_unlock(&vm_lock);
}

uint32_t vm_object_areas(struct vm_object *o)
{
    const struct list *l;
    uint32_t n = 0;

    spin_lock(&vm_lock);
    for (l = o->vmas.next; l != &o->vmas; l = l->next)
        n++;
    spin_unlock(&vm_lock);
    return n;
}

bool vm_object_deny_writers(struct vm_object *o)
{
    const struct vma *v;
    bool written = false;

    spin_lock(&vm_lock);
    list_for_each_entry (v, &o->vmas, object_link)
        written |= (v->flags & VM_SHARED) && (v->maxprot & VM_PROT_WRITE);
    if (!written)
        o->no_writers = true;
    spin_unlock(&vm_lock);
    return !written;
}

/* Takes a page out of the object and out of every space. [v] */
static void evict(struct vm_object *o, struct frame *f)
{
    pmap_remove_frame(f);
    radix_clear(&o->pages, f->index);
    o->resident--;
    frame_release(f);
}

static void evict_from(struct vm_object *o, uint32_t first)
{
    struct frame *f;

    while ((f = radix_next(&o->pages, &first)))
        evict(o, f);
}

void vm_object_unref(struct vm_object *o)
{
    bool last;

    spin_lock(&vm_lock);
    KASSERT(o->refs != 0);
    last = --o->refs == 0;
    if (last) {
        evict_from(o, 0);
        list_remove(&o->all);
        committed_pages -= o->promised;
    }
    spin_unlock(&vm_lock);
    if (!last)
        return;
    if (o->pager->destroy)
        o->pager->destroy(o);
    kmfree(o);
}

static uint64_t object_page_count(const struct vm_object *o)
{
    return (o->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

void object_drop(struct frame *f)
{
    evict(f->object, f);
}

/* ---- Making pages resident ---- */

static enum object_state fill_failed(struct vm_object *o, struct frame *f, int err)
{
    f->flags &= ~FRAME_BUSY;
    if (f->kind == FRAME_OBJECT)
        evict(o, f);
    port_wakeup(f);
    if (err == -ENOSPC)
        return OBJECT_NO_SPACE;
    return err == -ENOMEM ? OBJECT_NO_MEMORY : OBJECT_ERROR;
}

/* Brings a page in. vm_lock is dropped while the pager works; the BUSY frame in the tree makes
 * others wait, the pin keeps it ours if the object is cut short meanwhile. */
static enum object_state fill(struct vm_object *o, uint32_t index)
{
    struct frame *f;
    int got;

    if (frame_low() && !reclaim())
        return OBJECT_NO_MEMORY;
    f = frame_alloc(FRAME_OBJECT);
    if (!f)
        return OBJECT_NO_MEMORY;
    f->object = o;
    f->index = index;
    f->flags = FRAME_BUSY;
    if (radix_set(&o->pages, index, f)) {
        frame_free(f);
        return OBJECT_NO_MEMORY;
    }
    o->resident++;
    o->refs++;
    frame_pin(f);
    spin_unlock(&vm_lock);
    got = o->pager->get(o, index, frame_kva(f));
    vm_object_unref(o);
    spin_lock(&vm_lock);
    if (got < 0) {
        enum object_state failed = fill_failed(o, f, got);
        frame_unpin(f);
        return failed;
    }
    f->flags &= ~FRAME_BUSY;
    port_wakeup(f);
    frame_unpin(f);
    return got == VM_PAGE_READ ? OBJECT_RETRY_MAJOR : OBJECT_RETRY;
}

enum object_state object_get(struct vm_object *o, uint32_t index, struct frame **out)
{
    struct frame *f;

    if (index >= object_page_count(o))
        return OBJECT_PAST_END;
    f = radix_get(&o->pages, index);
    if (!f)
        return fill(o, index);
    if (f->flags & FRAME_BUSY) {
        port_sleep(f, &vm_lock);
        spin_lock(&vm_lock);
        return OBJECT_RETRY;
    }
    *out = f;
    return OBJECT_RESIDENT;
}

/* The page, pinned, filled if need be. 0 or -errno; -ENXIO past the end. May sleep. */
static int pin_page(struct vm_object *o, uint32_t index, struct frame **out)
{
    static const int error[] = {[OBJECT_PAST_END] = -ENXIO,
                                [OBJECT_ERROR] = -EIO,
                                [OBJECT_NO_SPACE] = -ENOSPC,
                                [OBJECT_NO_MEMORY] = -ENOMEM};
    enum object_state st;

    spin_lock(&vm_lock);
    do {
        st = object_get(o, index, out);
    } while (st == OBJECT_RETRY || st == OBJECT_RETRY_MAJOR);
    if (st == OBJECT_RESIDENT)
        frame_pin(*out);
    spin_unlock(&vm_lock);
    return st == OBJECT_RESIDENT ? 0 : error[st];
}

static void unpin_page(struct frame *f, bool dirtied)
{
    spin_lock(&vm_lock);
    if (dirtied)
        f->flags |= FRAME_DIRTY;
    frame_unpin(f);
    spin_unlock(&vm_lock);
}

int vm_object_touch(struct vm_object *o, uint32_t index)
{
    struct frame *f;
    int err = pin_page(o, index, &f);

    if (!err)
        unpin_page(f, false);
    return err;
}

static bool zero_behind(const struct vm_object *o)
{
    return o->pager->zero_behind && o->pager->zero_behind(o);
}

static bool is_resident(struct vm_object *o, uint64_t index)
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
    *tail = NULL;
    if (!(size & (PAGE_SIZE - 1)) || size >= o->size ||
        (zero_behind(o) && !is_resident(o, size >> PAGE_SHIFT)))
        return 0;
    return pin_page(o, (uint32_t)(size >> PAGE_SHIFT), tail);
}

/* The pages of v that show index first of its object and what follows; false: none. */
static bool pages_from(const struct vma *v, uint32_t first, uint32_t *from, uint32_t *end)
{
    uint32_t skip = first > v->pgoff ? first - v->pgoff : 0;

    *from = (v->start >> PAGE_SHIFT) + skip;
    *end = v->end >> PAGE_SHIFT;
    return skip < vma_pages(v);
}

/* Private copies of pages past the new end go as well: man 2 mmap, and Linux. Reserve... */
static int reserve_cut(struct vm_object *o, uint32_t first)
{
    uint32_t from, end;
    struct vma *v;

    list_for_each_entry (v, &o->vmas, object_link) {
        if (vma_is_private(v) && pages_from(v, first, &from, &end) &&
            amap_reserve_remove(&v->space->amap, from, end))
            return -ENOMEM;
    }
    return 0;
}

/* ...and commit. */
static void cut(struct vm_object *o, uint32_t first)
{
    uint32_t from, end;
    struct vma *v;

    evict_from(o, first);
    list_for_each_entry (v, &o->vmas, object_link) {
        if (!vma_is_private(v) || !pages_from(v, first, &from, &end))
            continue;
        pmap_remove(&v->space->pmap, from << PAGE_SHIFT, end << PAGE_SHIFT);
        amap_remove(&v->space->amap, from, end);
    }
}

/* What mappings left behind the end must not show when the object has grown: zeroes it up to at.
 * [v] */
static void clear_tail(struct vm_object *o, uint64_t end, uint64_t at)
{
    uint32_t within = end & (PAGE_SIZE - 1), n = PAGE_SIZE - within;
    struct frame *f;

    if (!within || at <= end)
        return;
    f = radix_get(&o->pages, (uint32_t)(end >> PAGE_SHIFT));
    if (at - end < n)
        n = (uint32_t)(at - end);
    if (f && !(f->flags & FRAME_BUSY))
        memset((uint8_t *)frame_kva(f) + within, 0, n);
}

int vm_object_resize(struct vm_object *o, uint64_t size)
{
    uint32_t first = (uint32_t)((size + PAGE_SIZE - 1) >> PAGE_SHIFT);
    uint32_t within = size & (PAGE_SIZE - 1);
    struct frame *tail;
    int err;

    if (size > (uint64_t)UINT32_MAX << PAGE_SHIFT)
        return -EFBIG;
    err = pin_tail(o, size, &tail);
    if (err)
        return err;
    spin_lock(&vm_lock);
    if (size < o->size)
        err = reserve_cut(o, first);
    if (!err) {
        if (size < o->size)
            cut(o, first);
        if (tail)
            memset((uint8_t *)frame_kva(tail) + within, 0, PAGE_SIZE - within);
        clear_tail(o, o->size, size);
        o->size = size;
    }
    spin_unlock(&vm_lock);
    if (tail)
        unpin_page(tail, !err);
    return err;
}

/* ---- Holes, writing back ---- */

/* Zeroes [from, from+len) of one page, if the object reaches so far; a page that would be zeros is
 * not made for that. */
static int zero_in_page(struct vm_object *o, uint64_t from, uint32_t len)
{
    uint32_t index = (uint32_t)(from >> PAGE_SHIFT);
    struct frame *f;
    int err;

    if (zero_behind(o) && !is_resident(o, index))
        return 0;
    err = pin_page(o, index, &f);
    if (err)
        return err == -ENXIO ? 0 : err;
    memset((uint8_t *)frame_kva(f) + (from & (PAGE_SIZE - 1)), 0, len);
    unpin_page(f, true);
    return 0;
}

/* Whole pages of an object that has nothing but zeros behind it need not stay. What is BUSY is
 * being filled with zeros. */
static void drop_pages(struct vm_object *o, uint32_t index, uint32_t end)
{
    struct frame *f;

    spin_lock(&vm_lock);
    for (; (f = radix_next(&o->pages, &index)) && index < end; index++) {
        if (!(f->flags & FRAME_BUSY))
            evict(o, f);
    }
    spin_unlock(&vm_lock);
}

int vm_object_punch(struct vm_object *o, uint64_t from, uint64_t len)
{
    uint64_t end = from + len < o->size ? from + len : o->size;
    int err = 0;

    while (from < end && !err) {
        uint32_t within = from & (PAGE_SIZE - 1);
        uint64_t n = PAGE_SIZE - within;
        if (!within && end - from >= PAGE_SIZE && zero_behind(o)) {
            n = (end - from) & ~(uint64_t)(PAGE_SIZE - 1);
            drop_pages(o, (uint32_t)(from >> PAGE_SHIFT), (uint32_t)((from + n) >> PAGE_SHIFT));
        } else {
            n = n < end - from ? n : end - from;
            err = zero_in_page(o, from, (uint32_t)n);
        }
        from += n;
    }
    return err;
}

bool vm_object_next_dirty(struct vm_object *o, uint32_t *index)
{
    struct frame *f;

    spin_lock(&vm_lock);
    for (; (f = radix_next(&o->pages, index)); ++*index) {
        if ((f->flags & FRAME_DIRTY) || pmap_test_dirty(f))
            break;
    }
    spin_unlock(&vm_lock);
    return f != NULL;
}

/* The next dirty page at or after *index, pinned and clean from now on. */
static struct frame *next_dirty(struct vm_object *o, uint32_t *index)
{
    struct frame *f;

    spin_lock(&vm_lock);
    for (; (f = radix_next(&o->pages, index)); ++*index) {
        bool dirty = f->flags & FRAME_DIRTY;
        if (f->flags & FRAME_BUSY)
            continue;
        dirty |= pmap_clear_dirty(f);
        if (dirty) {
            frame_pin(f);
            break;
        }
    }
    spin_unlock(&vm_lock);
    return f;
}

int vm_object_sync(struct vm_object *o)
{
    uint32_t index = 0;
    struct frame *f;
    int err = 0;

    if (!o->pager->put)
        return 0;
    while (!err && (f = next_dirty(o, &index))) {
        err = o->pager->put(o, index++, frame_kva(f));
        unpin_page(f, err != 0);
    }
    return err;
}

/* ---- File I/O over the pages ---- */

/* One direction of copying: returns how many bytes could not be moved. buf is user memory to the
 * two that say so. */
typedef size_t (*mover)(uint8_t *page, void *buf, size_t n);

static size_t page_to_user(uint8_t *page, void *buf, size_t n)
{
    return copy_to_user_partial((__force void __user *)buf, page, n);
}

static size_t user_to_page(uint8_t *page, void *buf, size_t n)
{
    return copy_from_user_partial(page, (__force const void __user *)buf, n);
}

static size_t page_to_kernel(uint8_t *page, void *buf, size_t n)
{
    memcpy(buf, page, n);
    return 0;
}

static size_t kernel_to_page(uint8_t *page, void *buf, size_t n)
{
    memcpy(page, buf, n);
    return 0;
}

static void extend_to(struct vm_object *o, uint64_t size)
{
    spin_lock(&vm_lock);
    if (size > o->size)
        o->size = size;
    spin_unlock(&vm_lock);
}

static void clear_tail_of(struct vm_object *o, uint64_t end, uint64_t at)
{
    spin_lock(&vm_lock);
    clear_tail(o, end, at);
    spin_unlock(&vm_lock);
}

/* Undoes extend_to: past size nothing was written, so there is no tail to zero. */
static void shrink_back(struct vm_object *o, uint64_t size)
{
    spin_lock(&vm_lock);
    evict_from(o, (uint32_t)((size + PAGE_SIZE - 1) >> PAGE_SHIFT));
    o->size = size;
    spin_unlock(&vm_lock);
}

/*
 * Moves up to len bytes at offset, page by page; the pages are pinned, not locked, while user
 * memory is touched, since that may fault on this very object. A write makes room first, page by
 * page, and takes it back if nothing was moved into it.
 */
static long move(struct vm_object *o, uint64_t offset, uint8_t *buf, size_t len, mover move_page,
                 bool writing)
{
    size_t done = 0;
    int err = 0;

    while (done < len) {
        uint64_t at = offset + done, old_size = o->size;
        uint32_t within = at & (PAGE_SIZE - 1);
        size_t n = PAGE_SIZE - within, left;
        struct frame *f;

        if (n > len - done)
            n = len - done;
        if (writing)
            extend_to(o, at + n);
        else if (at >= old_size)
            break;
        else if (n > old_size - at)
            n = (size_t)(old_size - at);
        err = pin_page(o, (uint32_t)(at >> PAGE_SHIFT), &f);
        left = n;
        if (!err) {
            if (writing && at > old_size)
                clear_tail_of(o, old_size, at);
            left = move_page((uint8_t *)frame_kva(f) + within, buf + done, n);
            unpin_page(f, writing);
            if (left)
                err = -EFAULT;
        }
        done += n - left;
        if (writing && left && at + n > old_size)
            shrink_back(o, left < n && at + n - left > old_size ? at + n - left : old_size);
        if (err)
            break;
    }
    if (err == -ENXIO)
        err = 0;
    return done ? (long)done : err;
}

long vm_object_read(struct vm_object *o, uint64_t offset, void __user *ubuf, size_t len)
{
    return move(o, offset, (__force uint8_t *)ubuf, len, page_to_user, false);
}

long vm_object_write(struct vm_object *o, uint64_t offset, const void __user *ubuf, size_t len)
{
    return move(o, offset, (__force uint8_t *)ubuf, len, user_to_page, true);
}

long vm_object_read_kernel(struct vm_object *o, uint64_t offset, void *buf, size_t len)
{
    return move(o, offset, buf, len, page_to_kernel, false);
}

long vm_object_write_kernel(struct vm_object *o, uint64_t offset, const void *buf, size_t len)
{
    return move(o, offset, (uint8_t *)buf, len, kernel_to_page, true);
}
