/*
 * mlock and kin: areas whose pages reclaim leaves alone. man 2 mlock.
 */
#include "libc/errno.h"
#include "mm/mm.h"

/* Pages of the range that are locked already, up to a hole. [steps] */
static uint32_t count_locked(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    uint32_t locked = 0;

    for (struct vma *v = vma_find(s, start); start < end; v = vma_next(s, v)) {
        vaddr_t to;
        if (!v || v->start > start)
            break;
        to = v->end < end ? v->end : end;
        if (v->flags & VM_LOCKED)
            locked += (to - start) >> PAGE_SHIFT;
        start = to;
        change_spend(c, 1);
    }
    return locked;
}

static void apply_lock(struct change *c, struct vma *v, void *arg)
{
    (void)c;
    vma_set_rights(v, v->prot, (v->flags & ~(VM_LOCKED | VM_LOCKONFAULT)) | *(uint16_t *)arg);
}

static const struct area_edit locking = {.apply = apply_lock},
                              locking_all = {.apply = apply_lock, .over_holes = true};

/* The areas stay locked whatever cannot be had: man 2 mlock says so by -ENOMEM and -EAGAIN. */
static int populate_locked(struct vm_space *s, vaddr_t start, uint32_t len)
{
    int err = vm_populate(s, start, len);

    return err == -ENOMEM ? -EAGAIN : err ? -ENOMEM : 0;
}

int vm_lock_range(struct vm_space *s, vaddr_t addr, size_t length, uint16_t flags, uint32_t max)
{
    vaddr_t start = page_down(addr);
    uint32_t len = page_align(length + (addr - start));
    struct change c;
    int err;

    if (start + len < start)
        return -EINVAL;
    if (len == 0)
        return 0;
    err = change_begin(&c, s, 2);
    if (err)
        return err;
    if (flags &&
        s->locked_pages - count_locked(s, &c, start, start + len) + (len >> PAGE_SHIFT) > max)
        err = -ENOMEM;
    else
        err = edit_areas(s, &c, start, start + len, &locking, &flags);
    change_end(&c);
    if (!err && (flags & VM_LOCKED) && !(flags & VM_LOCKONFAULT))
        err = populate_locked(s, start, len);
    return err;
}

int vm_lock_all(struct vm_space *s, uint16_t now, uint16_t future, bool unlock, uint32_t max)
{
    struct change c;
    int err = change_begin(&c, s, 2);

    if (err)
        return err;
    if (now && s->pages > max)
        err = -ENOMEM;
    if (!err)
        s->future_flags = future;
    if (!err && (now || unlock))
        (void)edit_areas(s, &c, 0, USER_TOP, &locking_all, &now);
    change_end(&c);
    if (!err && (now & VM_LOCKED) && !(now & VM_LOCKONFAULT))
        (void)vm_populate(s, USER_MIN, USER_TOP - USER_MIN);
    return err;
}

uint32_t vm_locked_pages(struct vm_space *s)
{
    return s->locked_pages;
}

uint16_t vm_future_flags(struct vm_space *s)
{
    return s->future_flags;
}
