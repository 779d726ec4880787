/*
 * File I/O over the pages of an object: the very frames that mmap maps.
 *
 * Pages are pinned, not locked, while user memory is touched, since that may fault on this very
 * object. A write moves the end only after the bytes are there, so a reader never sees zeros that
 * later become data; until then the page lies past the end, pinned.
 */
#include "arch/uaccess.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/dirty.h"
#include "mm/mm.h"
#include "mm/port.h"

#define READ_RUN 8 /* pages that one reader holds at a time */

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

/* Bytes of the page that at lies in, from there on, at most max. */
static size_t within_page(uint64_t at, size_t max)
{
    size_t n = PAGE_SIZE - (at & (PAGE_SIZE - 1));

    return n < max ? n : max;
}

/* ---- Reading ---- */

/* What the object has at at: *n is cut to that, 0 past the end. Decides: its frame, that of zeros
 * for a hole, or what is needed first. [v] */
static enum object_state find_to_read(struct vm_object *o, uint64_t at, size_t *n,
                                      struct frame **out, struct need *need)
{
    uint32_t index = (uint32_t)(at >> PAGE_SHIFT);
    enum object_state st;

    if (at >= o->size) {
        *n = 0;
        return OBJECT_PAST_END;
    }
    if (*n > o->size - at)
        *n = (size_t)(o->size - at);
    *out = object_lookup(o, index);
    if (*out)
        return OBJECT_RESIDENT;
    st = object_find(o, index, 1, out, need);
    if (st != OBJECT_HOLE)
        return st;
    *out = zero_frame_get();
    if (*out)
        return OBJECT_RESIDENT;
    object_need_page(o, index, need);
    return OBJECT_NEEDED;
}

/* Pins the page at at, and of those behind it what is in memory; how many, 0 past the end. Where
 * memory is short, nothing that need not be. */
static int pin_to_read(struct vm_object *o, uint64_t at, size_t *n, struct frame **run)
{
    enum object_state st;
    struct need need;
    uint32_t index = (uint32_t)(at >> PAGE_SHIFT), from = at & (PAGE_SIZE - 1);
    int err, count;

    do {
        count = 0;
        spin_lock(&vm_lock);
        st = find_to_read(o, at, n, run, &need);
        while (st == OBJECT_RESIDENT && run[count]) {
            frame_pin(run[count++]);
            if (count == READ_RUN || count * PAGE_SIZE - from >= *n || frame_short())
                break;
            run[count] = object_lookup(o, index + (uint32_t)count);
        }
        spin_unlock(&vm_lock);
        err = st == OBJECT_NEEDED ? bring_in(&need) : 0;
    } while (st == OBJECT_NEEDED && !err);
    return err ? err : count;
}

/* How many of n bytes, from the byte at of the pages on, got into buf. */
static size_t move_run(struct frame *const *run, size_t at, uint8_t *buf, size_t n, mover move)
{
    size_t done = 0, left = 0;

    while (done < n && !left) {
        size_t part = within_page(at + done, n - done);

        left =
            move((uint8_t *)frame_kva(*run++) + ((at + done) & (PAGE_SIZE - 1)), buf + done, part);
        done += part - left;
    }
    return done;
}

static long read_pages(struct vm_object *o, uint64_t offset, uint8_t *buf, size_t len, mover move)
{
    size_t done = 0;
    int err = 0;

    while (done < len && !err) {
        struct frame *run[READ_RUN];
        size_t from = (offset + done) & (PAGE_SIZE - 1), n = len - done, moved;
        int count = pin_to_read(o, offset + done, &n, run);

        if (count <= 0)
            return done ? (long)done : count;
        if (n > count * PAGE_SIZE - from)
            n = count * PAGE_SIZE - from;
        moved = move_run(run, from, buf + done, n, move);
        object_unpin(run, (unsigned)count, false);
        port_yield();
        done += moved;
        err = moved < n ? -EFAULT : 0;
    }
    return done ? (long)done : err;
}

/* ---- Writing ---- */

/* The writer's pin ends; a page that never came to lie before the end goes. [v] */
static void leave_page(struct vm_object *o, struct frame *f)
{
    if (f->kind == FRAME_OBJECT && f->index >= object_page_count(o))
        object_evict(f);
    frame_unpin(f);
}

/* [at, at + n) of the object is in f: moves the end there if it was before. 1: f was cut off
 * meanwhile. -EIO, -ENOMEM: the end cannot move. */
static int commit_write(struct vm_object *o, struct frame *f, uint64_t at, size_t n)
{
    bool kept = false;
    int err = object_lock_to_grow(o, n ? at + n : 0);

    if (err) {
        spin_lock(&vm_lock);
    } else {
        kept = f->kind == FRAME_OBJECT;
        if (kept && n > 0) {
            object_dirtied(f);
            f->flags |= FRAME_REFERENCED;
            if (at + n > o->size) {
                object_clear_tail(o, o->size, at);
                o->size = at + n;
            }
        }
    }
    leave_page(o, f);
    spin_unlock(&vm_lock);
    return err ? err : !kept;
}

/* Fills a frame that is not yet the page's, so that a fault on the very page may go its way; then
 * it is. False: not all could be copied, or somebody else was faster. */
static bool fill_new(struct vm_object *o, uint32_t index, uint8_t *buf, size_t n, mover move,
                     struct frame *f)
{
    uint8_t *page = frame_kva(f);
    bool done = move(page, buf, n) == 0;

    memset(page + n, 0, PAGE_SIZE - n);
    spin_lock(&vm_lock);
    done = done && object_adopt(o, index, f);
    if (!done)
        frame_unpin(f);
    spin_unlock(&vm_lock);
    return done;
}

/*
 * All that a page will have is about to be written: n bytes at its beginning, and nothing of the
 * object follows. So it need not be read. *out is the page, filled and pinned as object_pin() would
 * do; NULL: it has to go the usual way. -ENOSPC, -EIO, -ENOMEM.
 */
static int write_new(struct vm_object *o, uint64_t at, uint8_t *buf, size_t n, mover move,
                     struct frame **out)
{
    uint32_t index = (uint32_t)(at >> PAGE_SHIFT);
    struct frame *f;
    int err = 0;

    *out = NULL;
    if ((at & (PAGE_SIZE - 1)) || !o->pager->put || (n < PAGE_SIZE && at + n < o->size) ||
        object_is_resident(o, index))
        return 0;
    if (frame_low() && !reclaim())
        return -ENOMEM;
    if (o->pager->reserve)
        err = o->pager->reserve(o, index);
    if (err)
        return err == -ENOSPC || err == -ENOMEM ? err : -EIO;
    f = frame_alloc_orphan();
    if (f && fill_new(o, index, buf, n, move, f))
        *out = f;
    return 0;
}

/* The page of [at, at + n), pinned and filled; *left: bytes that could not be copied. */
static int fill_page(struct vm_object *o, uint64_t at, uint8_t *buf, size_t n, mover move,
                     struct frame **out, size_t *left)
{
    int err = write_new(o, at, buf, n, move, out);

    *left = 0;
    if (err || *out)
        return err;
    err = object_pin(o, (uint32_t)(at >> PAGE_SHIFT), true, out);
    if (!err)
        *left = move((uint8_t *)frame_kva(*out) + (at & (PAGE_SIZE - 1)), buf, n);
    return err;
}

static long write_pages(struct vm_object *o, uint64_t offset, uint8_t *buf, size_t len, mover move)
{
    size_t done = 0;
    int err = 0;

    while (done < len && err >= 0) {
        uint64_t at = offset + done;
        size_t n = within_page(at, len - done), left;
        struct frame *f;

        err = fill_page(o, at, buf + done, n, move, &f, &left);
        if (err)
            break;
        port_yield();
        err = commit_write(o, f, at, n - left);
        if (err)
            continue;
        done += n - left;
        err = left ? -EFAULT : 0;
        if (move == user_to_page && o->pager->put)
            vm_dirty_balance(o);
    }
    return done ? (long)done : err;
}

long vm_object_read(struct vm_object *o, uint64_t offset, void __user *ubuf, size_t len)
{
    return read_pages(o, offset, (__force uint8_t *)ubuf, len, page_to_user);
}

long vm_object_write(struct vm_object *o, uint64_t offset, const void __user *ubuf, size_t len)
{
    return write_pages(o, offset, (__force uint8_t *)ubuf, len, user_to_page);
}

long vm_object_read_kernel(struct vm_object *o, uint64_t offset, void *buf, size_t len)
{
    return read_pages(o, offset, buf, len, page_to_kernel);
}

long vm_object_write_kernel(struct vm_object *o, uint64_t offset, const void *buf, size_t len)
{
    return write_pages(o, offset, (uint8_t *)buf, len, kernel_to_page);
}
