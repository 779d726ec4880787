/*
 * mremap: an area shrinks or grows where it is, or moves with its pages. man 2 mremap.
 *
 * What moves is the amap's slots; the page tables of the old place are dropped and those of the new
 * one filled by faults.
 */
#include "libc/errno.h"
#include "mm/mm.h"

struct remap {
    vaddr_t addr, to; /* to: 0 until chosen */
    uint32_t old_len, new_len;
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

/* Makes move_area unable to fail. -ENOMEM [v] */
static int reserve_area(struct vm_space *s, const struct vma *v, const struct remap *r)
{
    if (s->areas + 3 >= vm_max_areas)
        return -ENOMEM;
    if (!vma_is_private(v) || !r->old_len)
        return 0;
    return amap_reserve_move(&s->amap, r->addr >> PAGE_SHIFT, (r->addr + r->old_len) >> PAGE_SHIFT,
                             r->to >> PAGE_SHIFT);
}

static void unreserve_area(struct vm_space *s, const struct vma *v, const struct remap *r)
{
    if (vma_is_private(v) && r->old_len)
        amap_cancel_move(&s->amap, r->addr >> PAGE_SHIFT, (r->addr + r->old_len) >> PAGE_SHIFT,
                         r->to >> PAGE_SHIFT);
}

/* What MREMAP_DONTUNMAP leaves behind, empty, is not locked. [v] */
static void unlock_range(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    cut_edges(s, c, start, end);
    for (struct vma *v = vma_find(s, start); v && v->start < end; v = vma_next(s, v))
        vma_set_rights(v, v->prot, v->flags & ~(VM_LOCKED | VM_LOCKONFAULT));
    join_range(s, c, start, end);
}

/* The old pages go to r->to. Two spares for the old edges, one for the new area. [v] */
static void move_area(struct vm_space *s, struct change *c, const struct vma *v,
                      const struct remap *r)
{
    uint32_t first = r->addr >> PAGE_SHIFT, end = (r->addr + r->old_len) >> PAGE_SHIFT;
    struct vma *moved;

    moved = change_take(c);
    *moved = *v;
    moved->start = r->to;
    moved->end = r->to + r->new_len;
    if (moved->object) {
        moved->pgoff = vma_page_index(v, r->addr);
        moved->object->refs++;
    }
    if (r->old_len)
        pmap_remove(&s->pmap, r->addr, r->addr + r->old_len);
    if (vma_is_private(v) && r->old_len)
        amap_move(&s->amap, first, end, r->to >> PAGE_SHIFT);
    if (r->old_len && !(r->flags & VM_REMAP_DONTUNMAP))
        clear_range(s, c, r->addr, r->addr + r->old_len);
    else if (r->old_len && (v->flags & VM_LOCKED))
        unlock_range(s, c, r->addr, r->addr + r->old_len);
    add_area(s, c, moved);
}

/* [v] */
static int reserve_clear(struct vm_space *s, vaddr_t start, vaddr_t end)
{
    if (!may_take_out(s, start, end))
        return -ENOMEM;
    return amap_reserve_remove(&s->amap, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* MREMAP_FIXED and MREMAP_DONTUNMAP: to a given place, or one of our choice. As on Linux, what is
 * in the way goes even if the area is then refused; not for want of memory. [v] */
static int remap_to(struct vm_space *s, struct change *c, struct remap *r)
{
    const vaddr_t cut = r->addr + r->new_len, old_end = r->addr + r->old_len;
    struct vma *v = NULL;
    int err = 0, refused;

    if (r->flags & VM_REMAP_FIXED)
        err = reserve_clear(s, r->to, r->to + r->new_len);
    if (!err && cut < old_end) {
        err = reserve_clear(s, cut, old_end);
        r->old_len = r->new_len;
    }
    if (err)
        return err;
    refused = find_area(s, r, &v);
    if (!refused && !(r->flags & VM_REMAP_FIXED))
        r->to = choose_place(s, r->to, r->new_len);
    if (!refused)
        err = r->to ? reserve_area(s, v, r) : -ENOMEM;
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
        err = reserve_clear(s, r->addr + r->new_len, r->addr + r->old_len);
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
        join_range(s, c, v->start, v->end);
        return 0;
    }
    if (!(r->flags & VM_REMAP_MAYMOVE))
        return -ENOMEM;
    r->to = choose_place(s, 0, r->new_len);
    err = r->to ? reserve_area(s, v, r) : -ENOMEM;
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
                      .new_len = page_align(wanted->new_len),
                      .flags = wanted->flags,
                      .lock_max = wanted->lock_max};
    struct change c;
    int err = check_arguments(&r);

    if (err)
        return err;
    err = change_begin(&c, 7);
    if (!err) {
        spin_lock(&vm_lock);
        if (r.flags & (VM_REMAP_FIXED | VM_REMAP_DONTUNMAP))
            err = remap_to(s, &c, &r);
        else
            err = remap_in_place(s, &c, &r);
        spin_unlock(&vm_lock);
    }
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
    struct vma *v;
    int err = -EINVAL;

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
        m.object->refs++;
        err = 0;
    }
    spin_unlock(&vm_lock);
    if (err)
        return err;
    err = vm_map(s, &m, NULL);
    vm_object_unref(m.object);
    return err;
}
