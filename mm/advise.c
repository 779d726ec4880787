/*
 * madvise, mincore and msync: what a program says and asks about pages it has. man 2 madvise.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/fork/share.h"
#include "mm/port.h"
#include "mm/reclaim/reclaim.h"
#include "mm/served/asked.h"

/* ---- Advice that is remembered in the area ---- */

struct flag_change {
    bool known;
    uint16_t set, clear;
    bool private_anonymous; /* -EINVAL for other areas */
};

/* There is no merging, and there are no huge pages to advise on. */
static const struct flag_change flag_changes[] = {
    [VM_ADVICE_NORMAL] = {.known = true, .clear = VM_RANDOM | VM_SEQUENTIAL},
    [VM_ADVICE_RANDOM] = {.known = true, .set = VM_RANDOM, .clear = VM_SEQUENTIAL},
    [VM_ADVICE_SEQUENTIAL] = {.known = true, .set = VM_SEQUENTIAL, .clear = VM_RANDOM},
    [VM_ADVICE_DONTFORK] = {.known = true, .set = VM_DONTFORK},
    [VM_ADVICE_DOFORK] = {.known = true, .clear = VM_DONTFORK},
    [VM_ADVICE_WIPEONFORK] = {.known = true, .set = VM_WIPEONFORK, .private_anonymous = true},
    [VM_ADVICE_KEEPONFORK] = {.known = true, .clear = VM_WIPEONFORK},
    [VM_ADVICE_MERGEABLE] = {.known = true},
    [VM_ADVICE_UNMERGEABLE] = {.known = true},
    [VM_ADVICE_HUGEPAGE] = {.known = true},
    [VM_ADVICE_NOHUGEPAGE] = {.known = true},
    [VM_ADVICE_DONTDUMP] = {.known = true, .set = VM_DONTDUMP},
    [VM_ADVICE_DODUMP] = {.known = true, .clear = VM_DONTDUMP},
};

static bool flag_change_of(int advice, struct flag_change *fc)
{
    const bool listed =
        advice >= 0 && advice < (int)(sizeof(flag_changes) / sizeof(flag_changes[0]));

    *fc = listed ? flag_changes[advice] : (struct flag_change){0};
    return fc->known;
}

static int check_flags(const struct vma *v, uint32_t pages, void *arg)
{
    const struct flag_change *fc = arg;

    (void)pages;
    return fc->private_anonymous && (v->object || !vma_is_private(v)) ? -EINVAL : 0;
}

static void apply_flags(struct change *c, struct vma *v, void *arg)
{
    const struct flag_change *fc = arg;

    (void)c;
    vma_set_rights(v, v->prot, (v->flags | fc->set) & ~fc->clear);
}

static const struct area_edit flagging = {
    .over_holes = true, .check = check_flags, .apply = apply_flags};

/* ---- Advice that is acted on ---- */

static bool is_anonymous_private(const struct vma *v)
{
    return vma_is_private(v) && !v->object;
}

/* Private pages go back to zeros or to the file; shared ones are only unmapped. Others may fault
 * pages in again meanwhile, so what is mapped goes with each part once more. */
static int dont_need(struct change *c, struct vma *v, vaddr_t start, vaddr_t end)
{
    struct vm_space *s = v->space;
    uint32_t page = start >> PAGE_SHIFT;
    const uint32_t last = end >> PAGE_SHIFT;
    const vaddr_t page_start = start;

    if (vma_is_private(v) && amap_reserve_remove(&s->amap, page, last))
        return -ENOMEM;
    while ((start = pmap_remove_step(&s->pmap, start, end, &c->budget)) < end)
        change_pause(c);
    while (vma_is_private(v) && page < last) {
        uint32_t stop = (page | (LEAF_SLOTS - 1)) + 1;

        page = cut_in_leaf(s, page, stop < last ? stop : last, &c->budget);
        change_spend(c, 1);
    }
    served_forget(c, v, page_start, end);
    return 0;
}

/* What is in swap, or on its way in, is not worth keeping. A page in memory gives its slot up: it
 * would no longer be what is in the frame. */
static void give_up_anon(struct vma *v, vaddr_t va, struct anon *a)
{
    if (!a->frame || (a->frame->flags & FRAME_BUSY)) {
        amap_drop(&v->space->amap, va >> PAGE_SHIFT);
        return;
    }
    if (a->slot)
        swap_free(a->slot);
    a->slot = 0;
    pmap_clear_dirty(a->frame);
    a->frame->flags |= FRAME_LAZY;
}

/* MADV_FREE: memory pressure may take the pages until they are written to again. */
static int give_up(struct change *c, struct vma *v, vaddr_t start, vaddr_t end)
{
    for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
        if (amap_owns(&v->space->amap, va >> PAGE_SHIFT))
            give_up_anon(v, va, amap_get(&v->space->amap, va >> PAGE_SHIFT));
        change_spend(c, 1);
    }
    return 0;
}

static struct frame *frame_of_page(const struct vma *v, vaddr_t va)
{
    const struct anon *a = NULL;
    struct frame *f;

    if (vma_is_private(v))
        a = amap_get(&v->space->amap, va >> PAGE_SHIFT);
    f = a ? a->frame : v->object ? object_frame(v->object, vma_page_index(v, va)) : NULL;
    return f && !(f->flags & FRAME_BUSY) ? f : NULL;
}

static int cool_down(struct change *c, struct vma *v, vaddr_t start, vaddr_t end)
{
    for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
        struct frame *f = frame_of_page(v, va);
        if (f)
            (void)pmap_test_accessed(f);
        change_spend(c, 1);
    }
    return 0;
}

/* What one area makes of the advice for [start, end), which lies in it. [steps] */
static int act(struct change *c, struct vma *v, vaddr_t start, vaddr_t end, int advice)
{
    switch (advice) {
    case VM_ADVICE_DONTNEED:
        return v->flags & VM_LOCKED ? -EINVAL : dont_need(c, v, start, end);
    case VM_ADVICE_DONTNEED_LOCKED:
        return dont_need(c, v, start, end);
    case VM_ADVICE_FREE:
        return is_anonymous_private(v) && !(v->flags & VM_LOCKED) ? give_up(c, v, start, end)
                                                                  : -EINVAL;
    case VM_ADVICE_COLD:
    case VM_ADVICE_PAGEOUT:
        return v->flags & VM_LOCKED ? -EINVAL : cool_down(c, v, start, end);
    default:
        return -EINVAL;
    }
}

struct advising {
    int advice, unmapped; /* -ENOMEM: there was a hole */
    vaddr_t at, told;     /* how far it got; up to where servers know */
};

#define TELL_FIRST 1 /* a server: at the end of this change; then there is to be another */

/* Whether somebody has to hear first that the pages of v go. 0, TELL_FIRST, -ENOMEM [v] */
static int tell_of_removal(struct change *c, const struct vma *v, struct advising *a, vaddr_t to)
{
    int err;

    if (!v->server || a->at < a->told ||
        (a->advice != VM_ADVICE_DONTNEED_LOCKED && (v->flags & VM_LOCKED)) ||
        (a->advice != VM_ADVICE_DONTNEED_LOCKED && a->advice != VM_ADVICE_DONTNEED &&
         a->advice != VM_ADVICE_FREE) ||
        !served_remove(c, v, a->at, to, &err))
        return 0;
    a->told = to;
    return err ? err : TELL_FIRST;
}

/* Goes on past holes, and tells of them at the end; stops at an area that refuses. [steps] */
static int act_on_range(struct vm_space *s, struct change *c, struct advising *a, vaddr_t end)
{
    while (a->at < end) {
        struct vma *v = vma_find(s, a->at);
        vaddr_t to;
        int err;

        if (!v || v->start >= end || (v->start > a->at && a->at < a->told))
            return -ENOMEM;
        if (v->start > a->at) {
            a->unmapped = -ENOMEM;
            a->at = v->start;
        }
        to = v->end < end ? v->end : end;
        to = a->at < a->told && to > a->told ? a->told : to;
        err = tell_of_removal(c, v, a, to);
        if (!err)
            err = act(c, v, a->at, to, a->advice);
        if (err)
            return err;
        a->at = to < a->told ? a->told : to;
    }
    return a->unmapped;
}

static int advise_pages(struct vm_space *s, vaddr_t start, vaddr_t end, int advice)
{
    struct advising a = {.advice = advice, .at = start};
    struct change c;
    int err;

    do {
        err = change_begin(&c, s, 0);
        if (err)
            return err;
        err = act_on_range(s, &c, &a, end);
        change_end(&c);
    } while (err == TELL_FIRST);
    return err;
}

/* ---- Advice that may sleep: populating, reading ahead, punching holes ---- */

/* A copy of the first area in [addr, end), which holds what it holds; false: there is none. */
static bool look_from(struct vm_space *s, vaddr_t addr, vaddr_t end, struct vma *copy)
{
    const struct vma *v;
    bool found;

    spin_lock(&vm_lock);
    v = vma_find(s, addr);
    found = v && v->start < end;
    if (found) {
        *copy = *v;
        vma_hold(copy);
    }
    spin_unlock(&vm_lock);
    return found;
}

static int populate_page(struct vm_space *s, vaddr_t va, bool write)
{
    bool writable, mapped;

    if (!user_range(va, PAGE_SIZE))
        return -ENOMEM;
    spin_lock(&vm_lock);
    mapped = pmap_lookup(&s->pmap, va, &writable) && (writable || !write);
    spin_unlock(&vm_lock);
    if (mapped)
        return 0;
    switch (fault_counted(s, va, write ? VM_WRITE : VM_READ)) {
    case VM_MINOR:
    case VM_MAJOR:
        return 0;
    case VM_BAD_ACCESS:
        return -EINVAL;
    case VM_PAST_END:
        return -EFAULT;
    default:
        return -ENOMEM;
    }
}

static int populate(struct vm_space *s, vaddr_t start, vaddr_t end, bool write)
{
    int err = 0;

    for (vaddr_t va = start; va < end && !err; va += PAGE_SIZE) {
        err = populate_page(s, va, write);
        port_yield();
    }
    return err;
}

int vm_populate(struct vm_space *s, vaddr_t addr, size_t len)
{
    vaddr_t end = addr + page_align(len);
    int err = 0, refused;
    struct vma v;

    if (!user_range(addr, page_align(len)))
        return -ENOMEM;
    for (vaddr_t va = addr; va < end && look_from(s, va, end, &v); va = v.end) {
        vaddr_t from = v.start > va ? v.start : va, to = v.end < end ? v.end : end;
        vma_let_go(&v);
        refused = v.flags & VM_LOCKONFAULT
                      ? 0
                      : populate(s, from, to, (v.prot & VM_PROT_WRITE) && vma_is_private(&v));
        err = err ? err : refused;
    }
    return err;
}

/* Brings file pages in without mapping them; what cannot be had is left to the faults. */
static void read_ahead(const struct vma *v, vaddr_t start, vaddr_t end)
{
    for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
        if (vm_object_touch(v->object, vma_page_index(v, va)))
            return;
        port_yield();
    }
}

/* MADV_REMOVE: a hole in the file behind a shared writable mapping. */
static int punch(const struct vma *v, vaddr_t start, vaddr_t end)
{
    uint64_t from = (uint64_t)vma_page_index(v, start) << PAGE_SHIFT;
    int err;

    if (v->flags & VM_LOCKED)
        return -EINVAL;
    if (!v->object)
        return -EINVAL;
    if (vma_is_private(v) || !(v->prot & VM_PROT_WRITE))
        return -EACCES;
    err = v->server ? served_tell_removal(v->space, start, end) : 0;
    return err ? err : vm_object_punch(v->object, from, end - start);
}

/* The page at va goes, if it is this space's alone; true: *out has to be sent. [v] */
static bool page_out(struct vm_space *s, vaddr_t va, struct outgoing *out)
{
    const struct vma *v = vma_find(s, va);
    struct frame *f = v && v->start <= va ? frame_of_page(v, va) : NULL;

    return f && !pmap_shared(f) && reclaim_gather(f, out);
}

/* MADV_PAGEOUT, once the areas have agreed: what cannot go stays. */
static void page_out_range(struct vm_space *s, vaddr_t start, vaddr_t end)
{
    struct outgoing out;

    for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
        bool goes;

        spin_lock(&vm_lock);
        goes = page_out(s, va, &out);
        spin_unlock(&vm_lock);
        if (goes)
            (void)reclaim_send(&out);
        port_yield();
    }
}

/* The next area of [*va, end), with a reference to its object: *va and *to become the part that it
 * maps. 0, or -ENOMEM: there is none. *unmapped remembers a hole. */
static int next_part(struct vm_space *s, vaddr_t *va, vaddr_t end, vaddr_t *to, struct vma *v,
                     int *unmapped)
{
    if (!look_from(s, *va, end, v))
        return -ENOMEM;
    if (v->start > *va) {
        *unmapped = -ENOMEM;
        *va = v->start;
    }
    *to = v->end < end ? v->end : end;
    return 0;
}

static int sleepy_advice(struct vm_space *s, vaddr_t start, vaddr_t end, int advice)
{
    int unmapped = 0, err = 0;
    struct vma v = {0};

    for (vaddr_t va = start, to; va < end && !err; va = to) {
        if (next_part(s, &va, end, &to, &v, &unmapped))
            return -ENOMEM;
        if (advice == VM_ADVICE_REMOVE)
            err = punch(&v, va, to);
        else if (v.object)
            read_ahead(&v, va, to);
        vma_let_go(&v);
    }
    return err ? err : unmapped;
}

/* ---- The calls ---- */

static int advise_flags(struct vm_space *s, vaddr_t start, vaddr_t end, struct flag_change *fc)
{
    struct change c;
    int err = change_begin(&c, s, 2);

    if (err)
        return err;
    err = edit_areas(s, &c, start, end, &flagging, fc);
    change_end(&c);
    return err;
}

static bool known_advice(int advice)
{
    struct flag_change fc;

    return flag_change_of(advice, &fc) || advice == VM_ADVICE_WILLNEED ||
           advice == VM_ADVICE_DONTNEED || advice == VM_ADVICE_FREE || advice == VM_ADVICE_REMOVE ||
           (advice >= VM_ADVICE_COLD && advice <= VM_ADVICE_DONTNEED_LOCKED);
}

int vm_advise(struct vm_space *s, vaddr_t addr, size_t length, int advice)
{
    uint32_t len = page_align(length);
    struct flag_change fc;
    int err;

    if (!known_advice(advice) || (addr & ~PAGE_MASK) || (length && !len) || addr + len < addr)
        return -EINVAL;
    if (len == 0)
        return 0;
    if (flag_change_of(advice, &fc))
        return advise_flags(s, addr, addr + len, &fc);
    switch (advice) {
    case VM_ADVICE_POPULATE_READ:
    case VM_ADVICE_POPULATE_WRITE:
        return populate(s, addr, addr + len, advice == VM_ADVICE_POPULATE_WRITE);
    case VM_ADVICE_WILLNEED:
    case VM_ADVICE_REMOVE:
        return sleepy_advice(s, addr, addr + len, advice);
    default:
        err = advise_pages(s, addr, addr + len, advice);
        if (advice == VM_ADVICE_PAGEOUT && err != -EINVAL)
            page_out_range(s, addr, addr + len);
        return err;
    }
}

int vm_resident(struct vm_space *s, vaddr_t addr, uint32_t pages, uint8_t *vec)
{
    int err = 0;

    if (pages > USER_TOP >> PAGE_SHIFT || !user_range(addr, pages << PAGE_SHIFT))
        return -ENOMEM;
    spin_lock(&vm_lock);
    for (uint32_t i = 0; i < pages && !err; i++) {
        vaddr_t va = addr + (i << PAGE_SHIFT);
        const struct vma *v = vma_find(s, va);
        if (!v || v->start > va)
            err = -ENOMEM;
        else
            vec[i] = frame_of_page(v, va) != NULL;
    }
    spin_unlock(&vm_lock);
    return err;
}

/* ---- msync ---- */

int vm_sync(struct vm_space *s, vaddr_t addr, size_t length, bool sync, bool invalidate)
{
    vaddr_t end = addr + page_align(length);
    int unmapped = 0, err = 0;
    struct vma v;

    for (vaddr_t va = addr, to; va < end && !err; va = to) {
        if (next_part(s, &va, end, &to, &v, &unmapped))
            return -ENOMEM;
        if (invalidate && (v.flags & VM_LOCKED))
            err = -EBUSY;
        else if (sync && v.object && !vma_is_private(&v))
            err =
                v.object->pager->sync ? v.object->pager->sync(v.object) : vm_object_sync(v.object);
        vma_let_go(&v);
        port_yield();
    }
    return err ? err : unmapped;
}
