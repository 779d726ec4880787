/*
 * Changing the areas of a space: reserve, cut, take out, put in, join; and finding room.
 *
 * Every change first allocates the areas that splitting may need (struct change) and makes the amap
 * ready, then works with steps that cannot fail: design rule 4.
 */
#include "libc/errno.h"
#include "mm/mm.h"

uint32_t vm_max_areas = 65530;

#define MMAP_GAP_MIN (128u << 20) /* room left for the stack below the top, at least */
#define MMAP_GAP_MAX (USER_TOP / 6 * 5)

int change_begin(struct change *c, unsigned spares)
{
    *c = (struct change){.spares = 0};
    list_init(&c->dead);
    while (c->spares < spares) {
        struct vma *v = vma_new();
        if (!v)
            return -ENOMEM;
        c->spare[c->spares++] = v;
    }
    return 0;
}

struct vma *change_take(struct change *c)
{
    KASSERT(c->spares > 0);
    return c->spare[--c->spares];
}

/* Without vm_lock: dropping objects may sleep. */
void change_end(struct change *c)
{
    while (c->spares > 0)
        kmfree(c->spare[--c->spares]);
    vma_free_list(&c->dead);
}

/* ---- Splitting and joining ---- */

/* Cuts v in two at addr, which lies inside; the upper part is new. The amap never notices. */
static void split(struct vm_space *s, struct change *c, struct vma *v, vaddr_t addr)
{
    struct vma *upper = change_take(c);

    *upper = *v;
    upper->start = addr;
    if (upper->object) {
        upper->pgoff = vma_page_index(v, addr);
        upper->object->refs++;
    }
    vma_set_range(s, v, v->start, addr);
    vma_insert(s, upper);
}

static bool can_join(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->prot == b->prot && a->maxprot == b->maxprot &&
           a->flags == b->flags && a->object == b->object &&
           (!a->object || (vma_page_index(a, a->end) == b->pgoff && !a->object->pager->unmapped));
}

/* Joins v with the area after it if they are alike. */
static void join_next(struct vm_space *s, struct change *c, struct vma *v)
{
    struct vma *next = vma_next(s, v);
    vaddr_t end;

    if (!next || !can_join(v, next))
        return;
    end = next->end;
    vma_remove(s, next);
    list_add_tail(&c->dead, &next->link);
    vma_set_range(s, v, v->start, end);
}

void join_range(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    struct vma *v = vma_find(s, start), *prev = v ? vma_prev(s, v) : NULL, *next;

    for (v = prev ? prev : v; v && v->start < end; v = next) {
        next = vma_next(s, v);
        if (next && can_join(v, next)) {
            join_next(s, c, v);
            next = v;
        }
    }
}

static bool is_cut(const struct vma *v, vaddr_t addr)
{
    return v && v->start < addr && addr < v->end;
}

bool may_cut(struct vm_space *s, vaddr_t start, vaddr_t end)
{
    return s->areas < vm_max_areas ||
           (!is_cut(vma_find(s, start), start) && !is_cut(vma_find(s, end), end));
}

bool may_take_out(struct vm_space *s, vaddr_t start, vaddr_t end)
{
    const struct vma *v = vma_find(s, start);

    return s->areas < vm_max_areas || !is_cut(v, start) || !is_cut(v, end);
}

/* Cuts so that no area crosses start or end. */
void cut_edges(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    struct vma *v = vma_find(s, start);

    if (v && v->start < start)
        split(s, c, v, start);
    v = vma_find(s, end - 1);
    if (v && v->start < end && v->end > end)
        split(s, c, v, end);
}

/* Takes everything out of [start, end). amap_reserve_remove was called; two spares may be used. */
void clear_range(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    struct vma *v, *next;

    cut_edges(s, c, start, end);
    for (v = vma_find(s, start); v && v->start < end; v = next) {
        next = vma_next(s, v);
        pmap_remove(&s->pmap, v->start, v->end);
        vma_remove(s, v);
        list_add_tail(&c->dead, &v->link);
    }
    amap_remove(&s->amap, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* ---- mmap ---- */

bool range_valid(vaddr_t addr, uint32_t len)
{
    return !(addr & ~PAGE_MASK) && len && user_range(addr, len);
}

bool range_free(struct vm_space *s, vaddr_t addr, uint32_t len)
{
    struct vma *v = vma_find(s, addr);

    return !v || v->start >= addr + len;
}

/* Below the room that the stack may grow into. */
static vaddr_t mmap_ceiling(const struct vm_space *s)
{
    uint32_t gap = s->limits.stack;

    gap = gap < MMAP_GAP_MIN ? MMAP_GAP_MIN : gap > MMAP_GAP_MAX ? MMAP_GAP_MAX : gap;
    return page_down(USER_TOP - gap) - s->mmap_shift;
}

vaddr_t choose_place(struct vm_space *s, vaddr_t hint, uint32_t len)
{
    vaddr_t at;

    if (hint >= USER_MIN && range_valid(hint, len) && range_free(s, hint, len))
        return hint;
    at = vma_find_gap(s, len, USER_MIN, mmap_ceiling(s));
    return at ? at : vma_find_gap(s, len, USER_MIN, USER_TOP - PAGE_SIZE);
}

/* The area that ends where v starts and is like it, or NULL. */
static struct vma *extendable(struct vm_space *s, const struct vma *v)
{
    struct vma *next = vma_find(s, v->start), *prev;

    if (next)
        prev = vma_prev(s, next);
    else
        prev = list_empty(&s->vmas) ? NULL : list_entry(s->vmas.prev, struct vma, link);
    return prev && can_join(prev, v) ? prev : NULL;
}

void add_area(struct vm_space *s, struct change *c, struct vma *v)
{
    struct vma *prev = extendable(s, v);

    if (prev) {
        vma_set_range(s, prev, prev->start, v->end);
        list_add_tail(&c->dead, &v->link);
        v = prev;
    } else {
        vma_insert(s, v);
    }
    join_next(s, c, v);
}
