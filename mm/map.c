/*
 * What a program asks of its space: mmap, munmap, mprotect, brk.
 */
#include "libc/errno.h"
#include "mm/mm.h"

static int place(struct vm_space *s, struct vma *v, const struct vm_mapping *m, uint32_t len)
{
    vaddr_t at = m->addr;

    if (s->areas > vm_max_areas)
        return -ENOMEM;
    if (m->flags & VM_FIXED) {
        if (!range_valid(at, len))
            return at & ~PAGE_MASK ? -EINVAL : -ENOMEM;
        if (at < USER_MIN)
            return -EPERM;
        if ((m->flags & VM_NOREPLACE) && !range_free(s, at, len))
            return -EEXIST;
    } else {
        at = choose_place(s, page_down(m->addr), len);
        if (!at)
            return -ENOMEM;
    }
    v->start = at;
    v->end = at + len;
    return check_limits(s, v);
}

static void describe(struct vma *v, const struct vm_mapping *m)
{
    *v = (struct vma){
        .prot = m->prot,
        .maxprot = m->maxprot,
        .flags = m->flags & ~(VM_FIXED | VM_NOREPLACE),
        .object = m->object,
        .pgoff = m->object ? m->pgoff : 0,
    };
}

int vm_map(struct vm_space *s, const struct vm_mapping *m, vaddr_t *out)
{
    uint32_t len = page_align(m->len);
    struct change c;
    struct vma *v;
    bool replaces;
    int err = change_begin(&c, 3);

    if (!err && (len == 0 || len > USER_TOP))
        err = m->len ? -ENOMEM : -EINVAL;
    if (!err && m->object && m->pgoff + (len >> PAGE_SHIFT) < m->pgoff)
        err = -EOVERFLOW;
    if (err) {
        change_end(&c);
        return err;
    }
    v = change_take(&c);
    describe(v, m);
    spin_lock(&vm_lock);
    v->flags = commit_flags(v->flags | s->future_flags);
    err = place(s, v, m, len);
    if (!err && v->object && v->object->no_writers && (v->flags & VM_SHARED) &&
        (v->maxprot & VM_PROT_WRITE))
        err = -EPERM;
    replaces = !err && !range_free(s, v->start, len);
    if (replaces && !may_take_out(s, v->start, v->end))
        err = -ENOMEM;
    if (!err && replaces)
        err = amap_reserve_remove(&s->amap, v->start >> PAGE_SHIFT, v->end >> PAGE_SHIFT);
    if (err) {
        c.spare[c.spares++] = v;
    } else {
        if (v->object)
            v->object->refs++;
        if (out)
            *out = v->start;
        if (replaces)
            clear_range(s, &c, v->start, v->end);
        add_area(s, &c, v);
    }
    spin_unlock(&vm_lock);
    change_end(&c);
    return err;
}

/* ---- munmap ---- */

int vm_unmap(struct vm_space *s, vaddr_t addr, size_t length)
{
    uint32_t len = page_align(length);
    struct change c;
    int err;

    if (!range_valid(addr, len) || len < length)
        return -EINVAL;
    err = change_begin(&c, 2);
    if (!err) {
        spin_lock(&vm_lock);
        err = !may_take_out(s, addr, addr + len)
                  ? -ENOMEM
                  : amap_reserve_remove(&s->amap, addr >> PAGE_SHIFT, (addr + len) >> PAGE_SHIFT);
        if (!err)
            clear_range(s, &c, addr, addr + len);
        spin_unlock(&vm_lock);
    }
    change_end(&c);
    return err;
}

/* ---- mprotect ---- */

/* How far from start the change may go: *limit; and why no further: 0, -ENOMEM, -EACCES. As on
 * Linux, what lies before the trouble is changed all the same. */
static int check_protect(struct vm_space *s, vaddr_t start, vaddr_t end, uint8_t prot,
                         vaddr_t *limit)
{
    struct vma *v = vma_find(s, start);
    struct claims gain = {0};

    for (*limit = start; *limit < end; v = vma_next(s, v)) {
        struct vma part;

        if (!v || v->start > *limit)
            return -ENOMEM;
        if (prot & ~v->maxprot)
            return -EACCES;
        part = *v;
        part.start = *limit;
        part.end = v->end < end ? v->end : end;
        claims_take(&gain, &part);
        part.prot = prot;
        claims_add(&gain, &part);
        if (!claims_allowed(s, &gain))
            return -ENOMEM;
        *limit = part.end;
    }
    return 0;
}

/* VM_PROT_GROWSDOWN: from the start of the area that the range is in. */
static int grows_from(struct vm_space *s, vaddr_t *addr, vaddr_t end, uint8_t prot)
{
    const struct vma *v = vma_find(s, *addr);

    if (!v || v->start >= (prot & VM_PROT_GROWSDOWN ? end : *addr + 1))
        return -ENOMEM;
    if ((prot & VM_PROT_GROWSUP) || !(v->flags & VM_GROWSDOWN))
        return -EINVAL;
    *addr = v->start;
    return 0;
}

static void protect_range(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end,
                          uint8_t prot)
{
    cut_edges(s, c, start, end);
    for (struct vma *v = vma_find(s, start); v && v->start < end; v = vma_next(s, v)) {
        uint8_t lost = v->prot & ~prot;
        vma_set_rights(v, prot, v->flags);
        if (prot == 0)
            pmap_remove(&s->pmap, v->start, v->end);
        else if (lost & VM_PROT_WRITE)
            pmap_write_protect(&s->pmap, v->start, v->end);
    }
    join_range(s, c, start, end);
}

int vm_protect(struct vm_space *s, vaddr_t addr, size_t length, uint8_t prot)
{
    uint32_t len = page_align(length);
    struct change c;
    const vaddr_t end = addr + len;
    vaddr_t limit;
    int err;

    if (addr & ~PAGE_MASK)
        return -EINVAL;
    if (length == 0)
        return 0;
    if (!range_valid(addr, len) || len < length)
        return -ENOMEM;
    err = change_begin(&c, 2);
    if (!err) {
        spin_lock(&vm_lock);
        limit = addr;
        if (prot & (VM_PROT_GROWSDOWN | VM_PROT_GROWSUP))
            err = grows_from(s, &addr, end, prot);
        prot &= ~(VM_PROT_GROWSDOWN | VM_PROT_GROWSUP);
        if (!err)
            err = check_protect(s, addr, end, prot, &limit);
        if (limit > addr && !may_cut(s, addr, limit))
            err = -ENOMEM;
        else if (limit > addr)
            protect_range(s, &c, addr, limit, prot);
        spin_unlock(&vm_lock);
    }
    change_end(&c);
    return err;
}

/* ---- brk ---- */

void vm_set_brk_base(struct vm_space *s, vaddr_t addr)
{
    s->brk_start = s->brk = addr;
}

void vm_set_mmap_shift(struct vm_space *s, uint32_t bytes)
{
    s->mmap_shift = page_down(bytes);
}

static int grow_heap(struct vm_space *s, vaddr_t from, vaddr_t to)
{
    struct vm_mapping m = {
        .addr = from,
        .len = to - from,
        .prot = VM_PROT_READ | VM_PROT_WRITE,
        .maxprot = VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC,
        .flags = VM_HEAP | VM_FIXED | VM_NOREPLACE,
    };

    return vm_map(s, &m, NULL);
}

vaddr_t vm_brk(struct vm_space *s, vaddr_t addr)
{
    vaddr_t old_end = page_align(s->brk), new_end = page_align(addr);
    int err = 0;

    if (addr < s->brk_start || addr >= USER_TOP || new_end > USER_TOP)
        return s->brk;
    if (addr - s->brk_start > s->limits.data)
        return s->brk;
    if (new_end > old_end)
        err = grow_heap(s, old_end, new_end);
    else if (new_end < old_end)
        err = vm_unmap(s, new_end, old_end - new_end);
    if (err)
        return s->brk;
    s->brk = addr;
    if (new_end > old_end && (s->future_flags & VM_LOCKED))
        (void)vm_populate(s, old_end, new_end - old_end);
    return addr;
}
