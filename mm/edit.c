/*
 * Changing the areas of a space: cut, take out, put in, join; and finding room. Every change first
 * makes the amap ready, then works with steps that cannot fail: design rule 4. What holds between
 * two of them: beside/change.c.
 */
#include "libc/errno.h"
#include "mm/beside/beside.h"
#include "mm/served/asked.h"

uint32_t vm_max_areas = 65530;

#define MMAP_GAP_MIN (128u << 20) /* room left for the stack below the top, at least */
#define MMAP_GAP_MAX (USER_TOP / 6 * 5)

/* What is off its space: freed now, or at the end. */
static void bury(struct change *c, struct vma *v)
{
    if (!vma_free_now(v))
        list_add_tail(&c->dead, &v->link);
}

/* ---- Splitting and joining ---- */

/* Cuts v in two at addr, which lies inside; the upper part is new. The amap never notices. */
static void split(struct vm_space *s, struct change *c, struct vma *v, vaddr_t addr)
{
    struct vma *upper = change_take(c);

    vma_copy(upper, v);
    upper->start = addr;
    if (upper->object)
        upper->pgoff = vma_page_index(v, addr);
    vma_hold(upper);
    vma_set_range(s, v, v->start, addr);
    vma_insert(s, upper);
}

/* While an object is being cut, areas that this has come to and others are kept apart. */
static bool can_join_object(const struct vma *a, const struct vma *b)
{
    const struct vm_object *o = a->object;

    return !o || (vma_page_index(a, a->end) == b->pgoff && !o->pager->unmapped && !o->cutting);
}

static bool can_join(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->prot == b->prot && a->maxprot == b->maxprot &&
           a->flags == b->flags && a->object == b->object && a->backing == b->backing &&
           a->server == b->server && a->served == b->served && can_join_object(a, b);
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
    bury(c, next);
    vma_set_range(s, v, v->start, end);
}

/* Joins v with the area before it if they are alike; the area that it is in then. */
static struct vma *join_prev(struct vm_space *s, struct change *c, struct vma *v)
{
    struct vma *prev = vma_prev(s, v);

    if (!prev || !can_join(prev, v))
        return v;
    join_next(s, c, prev);
    return prev;
}

void join_around(struct vm_space *s, struct change *c, struct vma *v)
{
    join_next(s, c, join_prev(s, c, v));
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

/* The area's first pages are taken out; it starts at addr from now on. */
static void trim(struct vm_space *s, struct vma *v, vaddr_t addr)
{
    if (v->object)
        v->pgoff = vma_page_index(v, addr);
    vma_set_range(s, v, addr, v->end);
}

void clear_range(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    uint32_t page = start >> PAGE_SHIFT;
    struct vma *v;

    if (!list_empty(&s->servers))
        served_unmapped(c, start, end);
    cut_edges(s, c, start, end);
    while ((v = vma_find(s, start)) && v->start < end) {
        vaddr_t reached = pmap_remove_step(&s->pmap, v->start, v->end, &c->budget);
        if (reached < v->end) {
            trim(s, v, reached);
            change_pause(c);
            continue;
        }
        vma_remove(s, v);
        bury(c, v);
        change_spend(c, AREA_UNITS);
    }
    while ((page = amap_remove_step(&s->amap, page, end >> PAGE_SHIFT, &c->budget)) < end >>
           PAGE_SHIFT)
        change_pause(c);
}

int edit_areas(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end,
               const struct area_edit *e, void *arg)
{
    struct vma *v = vma_find(s, start);
    int err = 0, hole = 0;

    for (vaddr_t at = start; at < end; v = vma_next(s, v)) {
        vaddr_t from, to;

        if (!v || v->start >= end || (v->start > at && !e->over_holes))
            return -ENOMEM;
        if (v->start > at)
            hole = -ENOMEM;
        from = v->start > at ? v->start : at;
        to = v->end < end ? v->end : end;
        if (e->check)
            err = e->check(v, (to - from) >> PAGE_SHIFT, arg);
        if (from > v->start || to < v->end) {
            if (s->areas >= vm_max_areas)
                err = err ? err : -ENOMEM;
            if (err)
                return err;
            cut_edges(s, c, from, to);
            v = vma_find(s, from);
        }
        if (err)
            return err;
        e->apply(c, v, arg);
        at = to;
        v = join_prev(s, c, v);
        if (at >= end)
            join_next(s, c, v);
        change_spend(c, AREA_UNITS);
    }
    return hole;
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

/* The place at the bottom of [low, high), which is not below floor, or 0. */
static vaddr_t low_place(vaddr_t low, vaddr_t high, uint32_t len, vaddr_t floor)
{
    low = low < floor ? floor : low;
    return high > low && high - low >= len ? low : 0;
}

static vaddr_t lowest_gap(const struct vma *v, uint32_t len, vaddr_t floor)
{
    vaddr_t at;

    if (!v || v->widest < len)
        return 0;
    at = v->start > floor ? lowest_gap(v->left, len, floor) : 0;
    if (!at)
        at = low_place(v->start - v->gap, v->start, len, floor);
    return at ? at : lowest_gap(v->right, len, floor);
}

/* The lowest len free bytes from floor on, or 0. [v] */
static vaddr_t find_low_gap(const struct vm_space *s, uint32_t len, vaddr_t floor)
{
    vaddr_t at = lowest_gap(s->root, len, floor), end = 0;

    if (!list_empty(&s->vmas))
        end = list_entry(s->vmas.prev, struct vma, link)->end;
    return at ? at : low_place(end, USER_TOP, len, floor);
}

vaddr_t choose_place(struct vm_space *s, vaddr_t hint, uint32_t len)
{
    vaddr_t at;

    if (hint >= USER_MIN && range_valid(hint, len) && range_free(s, hint, len))
        return hint;
    if (s->mmap_floor)
        return find_low_gap(s, len, s->mmap_floor);
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
        bury(c, v);
        v = prev;
    } else {
        vma_insert(s, v);
    }
    join_next(s, c, v);
}
