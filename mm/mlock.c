/*
 * mlock and kin: areas whose pages reclaim leaves alone. man 2 mlock.
 */
#include "libc/errno.h"
#include "mm/mm.h"

/* Pages of the range that are locked already, up to a hole: *limit; -ENOMEM if there is one. [v] */
static int count_locked(struct vm_space *s, vaddr_t start, vaddr_t end, uint32_t *locked,
                        vaddr_t *limit)
{
    *locked = 0;
    *limit = start;
    for (struct vma *v = vma_find(s, start); *limit < end; v = vma_next(s, v)) {
        vaddr_t to;
        if (!v || v->start > *limit)
            return -ENOMEM;
        to = v->end < end ? v->end : end;
        if (v->flags & VM_LOCKED)
            *locked += (to - *limit) >> PAGE_SHIFT;
        *limit = to;
    }
    return 0;
}

static void set_lock(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end,
                     uint16_t flags)
{
    cut_edges(s, c, start, end);
    for (struct vma *v = vma_find(s, start); v && v->start < end; v = vma_next(s, v))
        vma_set_rights(v, v->prot, (v->flags & ~(VM_LOCKED | VM_LOCKONFAULT)) | flags);
    join_range(s, c, start, end);
}

/* The areas stay locked whatever cannot be had: man 2 mlock says so by -ENOMEM and -EAGAIN. */
static int populate_locked(struct vm_space *s, vaddr_t start, uint32_t len)
{
    int err = vm_populate(s, start, len);

    return err == -ENOMEM ? -EAGAIN : err ? -ENOMEM : 0;
}

int vm_lock_range(struct vm_space *s, vaddr_t addr, size_t length, uint16_t flags, uint32_t max)
{
    vaddr_t start = page_down(addr);
    uint32_t len = page_align(length + (addr - start)), locked;
    struct change c;
    vaddr_t limit;
    int err;

    if (start + len < start)
        return -EINVAL;
    if (len == 0)
        return 0;
    err = change_begin(&c, 2);
    if (!err) {
        spin_lock(&vm_lock);
        err = count_locked(s, start, start + len, &locked, &limit);
        if ((flags && s->locked_pages - locked + (len >> PAGE_SHIFT) > max) ||
            (limit > start && !may_cut(s, start, limit)))
            err = -ENOMEM;
        else if (limit > start)
            set_lock(s, &c, start, limit, flags);
        spin_unlock(&vm_lock);
    }
    change_end(&c);
    if (!err && (flags & VM_LOCKED) && !(flags & VM_LOCKONFAULT))
        err = populate_locked(s, start, len);
    return err;
}

int vm_lock_all(struct vm_space *s, uint16_t now, uint16_t future, bool unlock, uint32_t max)
{
    struct vma *v;
    int err = 0;

    spin_lock(&vm_lock);
    if (now && s->pages > max)
        err = -ENOMEM;
    if (!err)
        s->future_flags = future;
    if (!err && (now || unlock)) {
        list_for_each_entry (v, &s->vmas, link)
            vma_set_rights(v, v->prot, (v->flags & ~(VM_LOCKED | VM_LOCKONFAULT)) | now);
    }
    spin_unlock(&vm_lock);
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
