/*
 * Address spaces: birth and death. Figures about them: stats.c; fork: fork/.
 *
 * Invariants: a space on all_spaces has refs > 0, or is dying in steps; the page tables and the
 * amap hold nothing outside its areas.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/local.h"
#include "mm/mm.h"
#include "mm/port.h"
#include "mm/served/asked.h"

struct list all_spaces = LIST_INIT(all_spaces);

/*
 * Some dead ones are kept: each fork and exec needs one. Theirs stay a directory without tables and
 * an amap without leaves, which would take longest to make.
 */
#define KEPT_MAX 4u
static struct vm_space *kept[KEPT_MAX]; /* [v] */
static unsigned kept_count;             /* [v] */

void space_forget_kept(void)
{
    kept_count = 0;
}

void space_drop_kept(void)
{
    while (kept_count) {
        struct vm_space *s = kept[--kept_count];
        pmap_destroy(&s->pmap);
        kmfree(s);
    }
}

/* [v] */
static void bury(struct vm_space *s)
{
    local_drop(s);
    if (kept_count < KEPT_MAX) {
        pmap_keep(&s->pmap);
        for (unsigned i = 0; i < AMAP_LEAVES; i++)
            DEBUG_ASSERT(!s->amap.leaf[i]);
        kept[kept_count++] = s;
        return;
    }
    pmap_destroy(&s->pmap);
    kmfree(s);
}

/* A kept one, or NULL. */
static struct vm_space *take_kept(void)
{
    struct vm_space *s = NULL;
    struct pmap pmap;

    spin_lock(&vm_lock);
    if (kept_count)
        s = kept[--kept_count];
    spin_unlock(&vm_lock);
    if (!s)
        return NULL;
    pmap = s->pmap;
    memset(s, 0, offsetof(struct vm_space, amap));
    s->pmap = pmap;
    pmap_reuse(&s->pmap);
    return s;
}

static struct vm_space *make(void)
{
    struct vm_space *s = kzalloc(sizeof(*s));

    if (s && pmap_init(&s->pmap)) {
        kmfree(s);
        s = NULL;
    }
    return s;
}

struct vm_space *vm_space_create(void)
{
    struct vm_space *s = take_kept();

    if (!s)
        s = make();
    if (!s)
        return NULL;
    s->refs = 1;
    spin_init(&s->lock, "space", LOCK_RANK_SPACE);
    list_init(&s->vmas);
    list_init(&s->servers);
    s->limits = (struct vm_limits){UINT32_MAX, UINT32_MAX, UINT32_MAX};
    spin_lock(&vm_lock);
    list_add_tail(&all_spaces, &s->all);
    (void)zero_frame_get(); /* faults that share the lock need it made */
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
    unsigned freed = 0;

    while (!list_empty(dead)) {
        struct vma *v = list_first_entry(dead, struct vma, link);
        list_remove(&v->link);
        vma_free(v);
        if (++freed % 32 == 0)
            port_yield();
    }
}

/* ---- Death: nobody can ask for its pages any more, but frames and objects still know it ---- */

static void step_over(unsigned *budget)
{
    if (*budget)
        return;
    spin_unlock(&vm_lock);
    port_yield();
    *budget = STEP_UNITS;
    spin_lock(&vm_lock);
}

/* The leaves that v reaches into; those up to *done are gone already. */
static void drop_leaves(struct vm_space *s, const struct vma *v, uint32_t *done, unsigned *budget)
{
    const uint32_t end = (((v->end >> PAGE_SHIFT) - 1) | (LEAF_SLOTS - 1)) + 1;
    uint32_t page = v->start >> PAGE_SHIFT & ~(LEAF_SLOTS - 1);

    page = page < *done ? *done : page;
    while (page < end && (page = amap_remove_step(&s->amap, page, end, budget)) < end)
        step_over(budget);
    *done = end;
    *budget -= *budget != 0;
    step_over(budget);
}

/* To the end of an area's last page table: nothing is mapped where no area is. */
static void drop_mappings(struct vm_space *s, unsigned *budget)
{
    const struct vma *v;
    vaddr_t at = 0;

    while (at < USER_TOP && (v = vma_find(s, at))) {
        at = at < v->start ? v->start : at;
        at = pmap_remove_step(&s->pmap, at, ((v->end - 1) | (PT_SPAN - 1)) + 1, budget);
        step_over(budget);
    }
}

/* The mappings first, since the amap's leaves need not end where areas do. The areas stay listed
 * until their mappings are gone; what may sleep is left to the caller. */
static void drop_contents(struct vm_space *s, struct list *dead)
{
    unsigned budget = STEP_UNITS;
    uint32_t done = 0;
    struct vma *v;

    drop_mappings(s, &budget);
    list_for_each_entry (v, &s->vmas, link) {
        vma_forget(v);
        budget -= budget != 0;
        step_over(&budget);
    }
    s->root = s->last_found = NULL;
    while (!list_empty(&s->vmas)) {
        v = list_first_entry(&s->vmas, struct vma, link);
        drop_leaves(s, v, &done, &budget);
        list_remove(&v->link);
        if (!vma_free_now(v))
            list_add_tail(dead, &v->link);
    }
}

void vm_space_unref(struct vm_space *s)
{
    struct list dead;

    spin_lock(&vm_lock);
    KASSERT(s->refs != 0);
    if (--s->refs) {
        spin_unlock(&vm_lock);
        return;
    }
    if (mmu_loaded() == s->pmap.pgdir)
        mmu_load(mmu_kernel_directory());
    list_init(&dead);
    s->pmap.dying = true;
    server_space_dies(s);
    drop_contents(s, &dead);
    list_remove(&s->all);
    bury(s);
    spin_unlock(&vm_lock);
    vma_free_list(&dead);
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
