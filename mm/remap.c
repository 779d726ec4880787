/*
 * mremap: an area shrinks or grows where it is, or moves with its pages. man 2 mremap.
 *
 * What moves is the amap's slots; the page tables of the old place are dropped and those of the new
 * one filled by faults.
 */
#include "libc/errno.h"
#include "mm/mm.h"
#include "mm/served/asked.h"

#define MOVE_STEP 512u /* pages whose anons move in one step */

struct remap {
    vaddr_t addr, to; /* to: 0 until chosen */
    uint32_t old_len, new_len;
    uint32_t named; /* old_len, before what does not move was cut off */
    unsigned flags;
    uint32_t lock_max;
    bool populate; /* what the area gains is locked: fault it in */
};

static bool overlap(const struct remap *r)
{
    return r->addr < r->to + r->new_len && r->to < r->addr + r->old_len;
}

static int check_arguments(const struct remap *r)
{
    const unsigned known = VM_REMAP_MAYMOVE | VM_REMAP_FIXED | VM_REMAP_DONTUNMAP;

    if ((r->flags & ~known) || (r->addr & ~PAGE_MASK) || r->new_len == 0)
        return -EINVAL;
    if ((r->flags & VM_REMAP_FIXED) && !(r->flags & VM_REMAP_MAYMOVE))
        return -EINVAL;
    if (r->flags & VM_REMAP_DONTUNMAP) {
        if (!(r->flags & VM_REMAP_MAYMOVE) || r->old_len != r->new_len)
            return -EINVAL;
    }
    if (r->addr >= USER_TOP || r->old_len > USER_TOP - r->addr)
        return r->addr < USER_TOP && r->new_len < r->old_len ? -EINVAL : -EFAULT;
    if (r->flags & (VM_REMAP_FIXED | VM_REMAP_DONTUNMAP)) {
        if ((r->to & ~PAGE_MASK) || r->new_len > USER_TOP || r->to > USER_TOP - r->new_len)
            return -EINVAL;
        if (overlap(r))
            return -EINVAL;
    }
    if ((r->flags & VM_REMAP_FIXED) && r->to < USER_MIN)
        return -EPERM;
    return 0;
}

/* The area that holds the whole old range: *out. [v] */
static int find_area(struct vm_space *s, const struct remap *r, struct vma **out)
{
    struct vma *v = vma_find(s, r->addr);

    if (!v || v->start > r->addr)
        return -EFAULT;
    if (r->old_len == 0 && vma_is_private(v))
        return -EINVAL;
    if (r->old_len > v->end - r->addr)
        return -EFAULT;
    if (v->object &&
        vma_page_index(v, r->addr) + (r->new_len >> PAGE_SHIFT) < vma_page_index(v, r->addr))
        return -EINVAL;
    *out = v;
    return 0;
}

/* Whether the space may hold what the area gains. */
static int check_growth(struct vm_space *s, const struct vma *v, struct remap *r)
{
    uint32_t kept = r->flags & VM_REMAP_DONTUNMAP ? 0 : r->old_len;
    struct claims claims = {0};
    struct vma gain = *v;

    if (r->new_len <= kept)
        return 0;
    if ((v->flags & VM_LOCKED) && r->new_len > r->old_len &&
        s->locked_pages + ((r->new_len - r->old_len) >> PAGE_SHIFT) > r->lock_max)
        return -EAGAIN;
    gain.start = 0;
    gain.end = r->new_len - kept;
    r->populate = (v->flags & VM_LOCKED) != 0;
    claims_add(&claims, &gain);
    return claims_allowed(s, &claims) ? 0 : -ENOMEM;
}

/* Where the leaf of page ends, or end if that comes first. */
static uint32_t leaf_end(uint32_t page, uint32_t end)
{
    uint32_t next = (page | (LEAF_SLOTS - 1)) + 1;

    return next < end ? next : end;
}

/* What a server of v will hear. [steps] */
static int reserve_news(struct change *c, const struct vma *v, const struct remap *r)
{
    const struct served_move m = {r->addr, r->to, r->old_len, r->named};
    int err = served_reserve_move(c, v, &m);

    if (!err && r->old_len && !(r->flags & VM_REMAP_DONTUNMAP))
        err = served_reserve_unmap(c, r->addr, r->addr + r->old_len);
    return err;
}

/* Makes move_area unable to fail: from now on no page of the old place changes. -ENOMEM [steps] */
static int reserve_area(struct vm_space *s, struct change *c, const struct vma *v,
                        const struct remap *r)
{
    const uint32_t first = r->addr >> PAGE_SHIFT, end = (r->addr + r->old_len) >> PAGE_SHIFT,
                   to = r->to >> PAGE_SHIFT;

    if (s->areas + 3 >= vm_max_areas || (v->server && reserve_news(c, v, r)))
        return -ENOMEM;
    if (!vma_is_private(v) || !r->old_len)
        return 0;
    s->held = r->addr;
    s->held_end = r->addr + r->old_len;
    for (uint32_t page = first, next; page < end; page = next) {
        next = leaf_end(page, end);
        if (amap_reserve_move(&s->amap, page, next, to + (page - first))) {
            amap_cancel_move(&s->amap, first, end, to);
            return -ENOMEM;
        }
        change_spend(c, s->amap.leaf[page / LEAF_SLOTS] ? STEP_UNITS : 1);
    }
    return 0;
}

static void unreserve_area(struct vm_space *s, const struct vma *v, const struct remap *r)
{
    if (vma_is_private(v) && r->old_len)
        amap_cancel_move(&s->amap, r->addr >> PAGE_SHIFT, (r->addr + r->old_len) >> PAGE_SHIFT,
                         r->to >> PAGE_SHIFT);
}

/* What MREMAP_DONTUNMAP leaves behind, empty, is not locked. */
static void apply_unlock(struct change *c, struct vma *v, void *arg)
{
    (void)c;
    (void)arg;
    vma_set_rights(v, v->prot, v->flags & ~(VM_LOCKED | VM_LOCKONFAULT));
}

static const struct area_edit unlocking = {.apply = apply_unlock};

/* [steps] */
static void move_pages(struct vm_space *s, struct change *c, const struct remap *r)
{
    const uint32_t first = r->addr >> PAGE_SHIFT, end = (r->addr + r->old_len) >> PAGE_SHIFT,
                   to = r->to >> PAGE_SHIFT;
    vaddr_t at = r->addr;

    while ((at = pmap_remove_step(&s->pmap, at, r->addr + r->old_len, &c->budget)) <
           r->addr + r->old_len)
        change_pause(c);
    for (uint32_t page = first, next; page < end; page = next) {
        next = leaf_end(page, end);
        if (!s->amap.leaf[page / LEAF_SLOTS])
            continue;
        next = next - page > MOVE_STEP ? page + MOVE_STEP : next;
        amap_move(&s->amap, page, next, to + (page - first));
        change_spend(c, STEP_UNITS);
    }
    amap_end_move(&s->amap, first, end, to);
}

/* The old pages go to r->to. Two spares for the old edges, one for the new area. [steps] */
static void move_area(struct vm_space *s, struct change *c, const struct vma *v,
                      const struct remap *r)
{
    struct vma *moved;

    moved = change_take(c);
    *moved = *v;
    moved->start = r->to;
    moved->end = r->to + r->new_len;
    if (moved->object)
        moved->pgoff = vma_page_index(v, r->addr);
    vma_hold(moved);
    if (vma_is_private(v) && r->old_len)
        move_pages(s, c, r);
    if (moved->server)
        served_moved(c, moved, &(struct served_move){r->addr, r->to, r->old_len, r->named});
    if (r->old_len && !(r->flags & VM_REMAP_DONTUNMAP))
        clear_range(s, c, r->addr, r->addr + r->old_len);
    else if (r->old_len && (v->flags & VM_LOCKED))
        (void)edit_areas(s, c, r->addr, r->addr + r->old_len, &unlocking, NULL);
    if (s->gate - r->addr < r->old_len)
        s->gate += r->to - r->addr;
    add_area(s, c, moved);
}

/* MREMAP_FIXED and MREMAP_DONTUNMAP: to a given place, or one of our choice. As on Linux, what is
 * in the way goes even if the area is then refused; not for want of memory. [steps] */
static int remap_to(struct vm_space *s, struct change *c, struct remap *r)
{
    const vaddr_t cut = r->addr + r->new_len, old_end = r->addr + r->old_len;
    struct vma *v = NULL;
    int err = 0, refused;

    if (r->flags & VM_REMAP_FIXED)
        err = reserve_clear(s, c, r->to, r->to + r->new_len);
    if (!err && cut < old_end) {
        err = reserve_clear(s, c, cut, old_end);
        r->old_len = r->new_len;
    }
    if (err)
        return err;
    refused = find_area(s, r, &v);
    if (!refused && !(r->flags & VM_REMAP_FIXED))
        r->to = choose_place(s, r->to, r->new_len);
    if (!refused)
        err = r->to ? reserve_area(s, c, v, r) : -ENOMEM;
    if (err)
        return err;
    if (r->flags & VM_REMAP_FIXED)
        clear_range(s, c, r->to, r->to + r->new_len);
    if (cut < old_end)
        clear_range(s, c, cut, old_end);
    if (!refused) {
        v = vma_find(s, r->addr);
        refused = check_growth(s, v, r);
        if (refused)
            unreserve_area(s, v, r);
        else
            move_area(s, c, v, r);
    }
    return refused;
}

/* The area may grow where it is. [v] */
static bool can_extend(struct vm_space *s, const struct vma *v, const struct remap *r)
{
    if (r->addr + r->old_len != v->end || r->new_len > USER_TOP - r->addr)
        return false;
    return range_free(s, v->end, r->new_len - r->old_len);
}

static int remap_in_place(struct vm_space *s, struct change *c, struct remap *r)
{
    struct vma *v;
    int err;

    r->to = r->addr;
    if (r->old_len >= r->new_len) {
        v = vma_find(s, r->addr);
        if (!v || v->start > r->addr)
            return -EFAULT;
        if (r->old_len == r->new_len)
            return find_area(s, r, &v);
        err = reserve_clear(s, c, r->addr + r->new_len, r->addr + r->old_len);
        if (!err)
            clear_range(s, c, r->addr + r->new_len, r->addr + r->old_len);
        return err;
    }
    err = find_area(s, r, &v);
    if (!err)
        err = check_growth(s, v, r);
    if (err)
        return err;
    if (can_extend(s, v, r)) {
        vma_set_range(s, v, v->start, r->addr + r->new_len);
        join_around(s, c, v);
        return 0;
    }
    if (!(r->flags & VM_REMAP_MAYMOVE))
        return -ENOMEM;
    r->to = choose_place(s, 0, r->new_len);
    err = r->to ? reserve_area(s, c, v, r) : -ENOMEM;
    if (!err)
        move_area(s, c, v, r);
    return err;
}

int vm_remap(struct vm_space *s, const struct vm_remap *wanted, vaddr_t *out)
{
    const uint32_t old_len = page_align(wanted->old_len);
    struct remap r = {.addr = wanted->addr,
                      .to = wanted->new_addr,
                      .old_len = old_len,
                      .named = old_len,
                      .new_len = page_align(wanted->new_len),
                      .flags = wanted->flags,
                      .lock_max = wanted->lock_max};
    struct change c;
    int err = check_arguments(&r);

    if (err)
        return err;
    err = change_begin(&c, s, 7);
    if (err)
        return err;
    if (r.flags & (VM_REMAP_FIXED | VM_REMAP_DONTUNMAP))
        err = remap_to(s, &c, &r);
    else
        err = remap_in_place(s, &c, &r);
    change_end(&c);
    if (err)
        return err;
    *out = r.to;
    if (r.populate && r.new_len > old_len)
        (void)vm_populate(s, r.to + old_len, r.new_len - old_len);
    return 0;
}

int vm_remap_file_pages(struct vm_space *s, vaddr_t addr, size_t len, uint32_t pgoff)
{
    struct vm_mapping m = {.addr = page_down(addr), .len = len & PAGE_MASK};
    struct vma *v, keeps;
    int err;

    if (m.addr + m.len <= m.addr || pgoff + (m.len >> PAGE_SHIFT) < pgoff)
        return -EINVAL;
    spin_lock(&vm_lock);
    v = vma_find(s, m.addr);
    if (v && v->start <= m.addr && v->object && !vma_is_private(v) && m.addr + m.len <= v->end) {
        m.prot = v->prot;
        m.maxprot = v->maxprot;
        m.flags = v->flags | VM_FIXED;
        m.pgoff = pgoff;
        m.object = v->object;
        m.backing = v->backing;
        keeps = *v;
        vma_hold(&keeps);
    }
    spin_unlock(&vm_lock);
    if (!m.object)
        return -EINVAL;
    err = vm_map(s, &m, NULL);
    vma_let_go(&keeps);
    return err;
}
