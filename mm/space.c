/*
 * Address spaces: birth, fork, death. Figures about them: stats.c.
 *
 * Invariants: a space on all_spaces has refs > 0; the page tables and the amap hold nothing outside
 * its areas.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/mm.h"

struct list all_spaces = LIST_INIT(all_spaces);

struct vm_space *vm_space_create(void)
{
    struct vm_space *s = kzalloc(sizeof(*s));

    if (!s)
        return NULL;
    if (pmap_init(&s->pmap)) {
        kmfree(s);
        return NULL;
    }
    s->refs = 1;
    list_init(&s->vmas);
    s->limits = (struct vm_limits){UINT32_MAX, UINT32_MAX, UINT32_MAX};
    spin_lock(&vm_lock);
    list_add_tail(&all_spaces, &s->all);
    spin_unlock(&vm_lock);
    return s;
}

void vm_space_ref(struct vm_space *s)
{
    spin_lock(&vm_lock);
    s->refs++;
    spin_unlock(&vm_lock);
}

/* Frees areas that are off their space; dropping an object may sleep. */
void vma_free_list(struct list *dead)
{
    while (!list_empty(dead)) {
        struct vma *v = list_first_entry(dead, struct vma, link);
        list_remove(&v->link);
        vma_free(v);
    }
}

static void drop_contents(struct vm_space *s)
{
    struct vma *v;

    list_for_each_entry (v, &s->vmas, link) {
        pmap_remove(&s->pmap, v->start, v->end);
        vma_forget(v);
    }
    list_for_each_entry (v, &s->vmas, link)
        amap_drop_leaves(&s->amap, v->start >> PAGE_SHIFT, v->end >> PAGE_SHIFT);
}

void vm_space_unref(struct vm_space *s)
{
    spin_lock(&vm_lock);
    KASSERT(s->refs != 0);
    if (--s->refs) {
        spin_unlock(&vm_lock);
        return;
    }
    if (mmu_loaded() == s->pmap.pgdir)
        mmu_load(mmu_kernel_directory());
    drop_contents(s);
    pmap_destroy(&s->pmap);
    list_remove(&s->all);
    spin_unlock(&vm_lock);
    vma_free_list(&s->vmas);
    kmfree(s);
}

void vm_space_activate(struct vm_space *s)
{
    pde_t *pgdir = s ? s->pmap.pgdir : mmu_kernel_directory();

    if (mmu_loaded() != pgdir)
        mmu_load(pgdir);
}

void vm_space_set_limits(struct vm_space *s, const struct vm_limits *limits)
{
    spin_lock(&vm_lock);
    s->limits = *limits;
    spin_unlock(&vm_lock);
}

/* ---- fork ---- */

/* Copies of the areas that a child gets, linked on out. [v] */
static int copy_areas(struct vm_space *from, struct list *out)
{
    uint32_t promised = 0;
    struct vma *v, *copy;

    list_for_each_entry (v, &from->vmas, link) {
        if (v->flags & VM_DONTFORK)
            continue;
        if (vma_is_promised(v))
            promised += vma_pages(v);
        copy = commit_allows_copy(promised) ? vma_new() : NULL;
        if (!copy)
            return -ENOMEM;
        *copy = *v;
        copy->flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
        if (copy->object)
            copy->object->refs++;
        list_add_tail(out, &copy->link);
    }
    return 0;
}

/* Takes out of the child what it shall not inherit: before it has run, and so without its leaves
 * being shared by anybody's page tables. -ENOMEM [v] */
static int withhold(const struct vm_space *parent, struct vm_space *child)
{
    const struct vma *v;

    list_for_each_entry (v, &parent->vmas, link) {
        uint32_t first = v->start >> PAGE_SHIFT, end = v->end >> PAGE_SHIFT;
        if (!(v->flags & (VM_DONTFORK | VM_WIPEONFORK)))
            continue;
        if (amap_reserve_remove(&child->amap, first, end))
            return -ENOMEM;
        amap_remove(&child->amap, first, end);
    }
    return 0;
}

static void adopt_areas(struct vm_space *s, struct list *areas)
{
    while (!list_empty(areas)) {
        struct vma *v = list_first_entry(areas, struct vma, link);
        list_remove(&v->link);
        vma_insert(s, v);
    }
}

static void share_contents(const struct vm_space *parent, struct vm_space *child)
{
    struct vma *v;

    list_for_each_entry (v, &child->vmas, link) {
        if (vma_is_private(v))
            amap_share(&parent->amap, &child->amap, v->start >> PAGE_SHIFT, v->end >> PAGE_SHIFT);
    }
}

/* From now on a write by either side must fault: take write access from all private pages. */
static void write_protect_private(struct vm_space *s)
{
    struct vma *v;

    list_for_each_entry (v, &s->vmas, link) {
        if (vma_is_private(v) && (v->maxprot & VM_PROT_WRITE))
            pmap_write_protect(&s->pmap, v->start, v->end);
    }
}

int vm_space_fork(struct vm_space *parent, struct vm_space **out)
{
    struct vm_space *child = vm_space_create();
    struct list areas;
    int err;

    if (!child)
        return -ENOMEM;
    list_init(&areas);
    spin_lock(&vm_lock);
    err = copy_areas(parent, &areas);
    if (!err) {
        adopt_areas(child, &areas);
        share_contents(parent, child);
        write_protect_private(parent);
        err = withhold(parent, child);
        child->brk_start = parent->brk_start;
        child->brk = parent->brk;
        child->mmap_shift = parent->mmap_shift;
        child->limits = parent->limits;
    }
    spin_unlock(&vm_lock);
    if (err) {
        vma_free_list(&areas);
        vm_space_unref(child);
        return err;
    }
    *out = child;
    return 0;
}
