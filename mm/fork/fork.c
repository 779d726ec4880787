/*
 * fork: a copy of a space, that shares with it whatever can be shared.
 *
 * The areas are copied in steps, in which the child is nobody's and the parent's areas are still
 * (beside/change.c); the pages are shared at one moment, after which no store of the parent's can
 * reach what both have. A page's leaf and its table cover the same addresses: whoever has both in
 * common finds the same contents by either.
 */
#include "libc/errno.h"
#include "mm/fork/share.h"
#include "mm/local.h"
#include "mm/served/asked.h"

/* A copy of v for the child. -ENOMEM [v] */
static int inherit(struct change *c, struct vm_space *child, const struct vma *v)
{
    struct vma *copy;

    if (vma_is_promised(v) && !commit_allows_copy(vma_pages(v)))
        return -ENOMEM;
    copy = vma_new();
    if (!copy)
        return -ENOMEM;
    *copy = *v;
    copy->flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
    vma_hold(copy);
    vma_append(child, copy);
    return copy->server ? served_inherit(c, copy, child) : 0;
}

/* Takes out of the child what it shall not inherit: before it has run, and so without its leaves
 * being shared by anybody's page tables. -ENOMEM [steps] */
static int withhold(struct change *c, const struct vma *v, struct vm_space *child)
{
    uint32_t page = v->start >> PAGE_SHIFT;
    const uint32_t end = v->end >> PAGE_SHIFT;

    if (amap_reserve_remove(&child->amap, page, end))
        return -ENOMEM;
    while ((page = amap_remove_step(&child->amap, page, end, &c->budget)) < end)
        change_pause(c);
    return 0;
}

/* What the parent has in the child's areas by now: leaves and, if the child may have them, tables.
 * [v] */
static void share_pages(struct vm_space *parent, struct vm_space *child, bool tables)
{
    struct pmap *to = tables && share_join(&parent->pmap, &child->pmap) ? &child->pmap : NULL;
    vaddr_t va = 0, lost = USER_TOP; /* from here on */
    struct vma *v;

    for (; (v = vma_find(child, va)); va = (va & ~(PT_SPAN - 1)) + PT_SPAN) {
        va = va < v->start ? v->start : va;
        amap_share(&parent->amap, &child->amap, va >> PAGE_SHIFT,
                   ((va | (PT_SPAN - 1)) >> PAGE_SHIFT) + 1);
        if (share_table(&parent->pmap, to, va) && lost == USER_TOP)
            lost = va & ~(PT_SPAN - 1);
    }
    if (lost < va)
        mmu_flush_pages(parent->pmap.pgdir, lost, (va - lost) >> PAGE_SHIFT);
}

#define WITHHELD (VM_DONTFORK | VM_WIPEONFORK)

/* [steps] */
static int fork_areas(struct change *c, struct vm_space *parent, struct vm_space *child)
{
    bool withheld = false, served = false;
    struct vma *v;
    int err = 0;

    list_for_each_entry (v, &parent->vmas, link) {
        withheld |= (v->flags & WITHHELD) != 0;
        served |= v->server != NULL;
        err = v->flags & VM_DONTFORK ? 0 : inherit(c, child, v);
        if (err)
            return err;
        change_spend(c, AREA_UNITS);
    }
    share_pages(parent, child, !withheld && !served);
    if (!withheld)
        return 0;
    list_for_each_entry (v, &parent->vmas, link) {
        if (!err && (v->flags & WITHHELD))
            err = withhold(c, v, child);
        change_spend(c, 1);
    }
    return err;
}

int vm_space_fork(struct vm_space *parent, struct vm_space **out)
{
    struct vm_space *child = vm_space_create();
    struct change c;
    int err;

    if (!child)
        return -ENOMEM;
    err = change_begin(&c, parent, 0);
    if (!err) {
        err = fork_areas(&c, parent, child);
        child->brk_start = parent->brk_start;
        child->brk = parent->brk;
        child->limits = parent->limits;
        child->mmap_shift = parent->mmap_shift;
        child->mmap_floor = parent->mmap_floor;
        child->gate = parent->gate;
        err = err ? err : local_copy(parent, child);
        served_forked(&c, !err);
        change_end(&c);
    }
    if (err) {
        vm_space_unref(child);
        return err;
    }
    *out = child;
    return 0;
}
