/*
 * What a program asks of its space: mmap, munmap, mprotect, brk.
 */
#include "libc/errno.h"
#include "mm/beside/beside.h"
#include "mm/served/asked.h"

static int place(struct vm_space *s, struct vma *v, const struct vm_mapping *m, uint32_t len)
{
    vaddr_t at = m->addr;

    if (s->areas > vm_max_areas)
        return -ENOMEM;
    if (m->flags & VM_FIXED) {
        if (!range_valid(at, len))
            return at & ~PAGE_MASK ? -EINVAL : -ENOMEM;
        if (at < USER_MIN && !(m->flags & VM_LOW))
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
        .flags = m->flags & ~(VM_FIXED | VM_NOREPLACE | VM_LOW),
        .object = m->object,
        .backing = m->backing,
        .pgoff = m->object ? m->pgoff : 0,
    };
}

/* Makes clear_range unable to fail. -ENOMEM [steps] */
int reserve_clear(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    if (!may_take_out(s, start, end))
        return -ENOMEM;
    if (!list_empty(&s->servers) && served_reserve_unmap(c, start, end))
        return -ENOMEM;
    if (__builtin_expect(s->beside, false) && leaves_shared(s, start, end))
        change_alone(c);
    return amap_reserve_remove(&s->amap, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

static bool writers_denied(const struct vma *v)
{
    return v->object && v->object->no_writers && (v->flags & VM_SHARED) &&
           (v->maxprot & VM_PROT_WRITE);
}

/* Three spares. [steps] */
static int map_area(struct vm_space *s, struct change *c, const struct vm_mapping *m, uint32_t len,
                    vaddr_t *out)
{
    struct vma *v = change_take(c);
    bool replaces;
    int err;

    describe(v, m);
    v->flags = commit_flags(v->flags | s->future_flags);
    err = place(s, v, m, len);
    if (!err && writers_denied(v))
        err = -EPERM;
    replaces = !err && !range_free(s, v->start, len);
    if (replaces)
        err = reserve_clear(s, c, v->start, v->end);
    if (err) {
        change_give_back(c, v);
        return err;
    }
    if (replaces)
        clear_range(s, c, v->start, v->end);
    if (writers_denied(v)) { /* by now; as on Linux what was there has gone */
        change_give_back(c, v);
        return -EPERM;
    }
    vma_hold(v);
    if (out)
        *out = v->start;
    add_area(s, c, v);
    return 0;
}

int vm_map(struct vm_space *s, const struct vm_mapping *m, vaddr_t *out)
{
    uint32_t len = page_align(m->len);
    struct change c;
    int err;

    if (len == 0 || len > USER_TOP)
        return m->len ? -ENOMEM : -EINVAL;
    if (m->object && m->pgoff + (len >> PAGE_SHIFT) < m->pgoff)
        return -EOVERFLOW;
    err = change_begin_beside(&c, s, 3);
    if (err)
        return err;
    err = map_area(s, &c, m, len, out);
    change_end(&c);
    return err;
}

/* ---- munmap ---- */

/* Two spares. [steps] */
static int unmap_range(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    int err = reserve_clear(s, c, start, end);

    if (!err)
        clear_range(s, c, start, end);
    return err;
}

int vm_unmap(struct vm_space *s, vaddr_t addr, size_t length)
{
    uint32_t len = page_align(length);
    struct change c;
    int err;

    if (!range_valid(addr, len) || len < length)
        return -EINVAL;
    err = change_begin_beside(&c, s, 2);
    if (err)
        return err;
    err = unmap_range(s, &c, addr, addr + len);
    change_end(&c);
    return err;
}

/* ---- mprotect ---- */

/* As on Linux, what lies before the trouble is changed all the same. */
static int check_protect(const struct vma *v, uint32_t pages, void *arg)
{
    const uint8_t prot = *(const uint8_t *)arg;
    struct claims gain = {0};

    if (prot & ~v->maxprot)
        return -EACCES;
    if (!(prot & ~v->prot & VM_PROT_WRITE) || !vma_is_private(v))
        return 0;
    gain.data = v->flags & VM_GROWSDOWN ? 0 : (int32_t)pages;
    gain.promised = v->flags & VM_NORESERVE ? 0 : (int32_t)pages;
    return claims_allowed(v->space, &gain) ? 0 : -ENOMEM;
}

static void apply_protect(struct change *c, struct vma *v, void *arg)
{
    const uint8_t prot = *(const uint8_t *)arg, lost = v->prot & ~prot;
    vaddr_t at = v->start;

    vma_set_rights(v, prot, v->flags);
    if (prot && !(lost & VM_PROT_WRITE))
        return;
    while ((at = (prot ? pmap_protect_step : pmap_remove_step)(&c->space->pmap, at, v->end,
                                                               &c->budget)) < v->end)
        change_pause(c);
}

static const struct area_edit protecting = {.check = check_protect, .apply = apply_protect};

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

int vm_protect(struct vm_space *s, vaddr_t addr, size_t length, uint8_t prot)
{
    uint32_t len = page_align(length);
    struct change c;
    const vaddr_t end = addr + len;
    int err;

    if (addr & ~PAGE_MASK)
        return -EINVAL;
    if (length == 0)
        return 0;
    if (!range_valid(addr, len) || len < length)
        return -ENOMEM;
    err = change_begin_beside(&c, s, 2);
    if (err)
        return err;
    if (prot & (VM_PROT_GROWSDOWN | VM_PROT_GROWSUP))
        err = grows_from(s, &addr, end, prot);
    prot &= ~(VM_PROT_GROWSDOWN | VM_PROT_GROWSUP);
    if (!err)
        err = edit_areas(s, &c, addr, end, &protecting, &prot);
    change_end(&c);
    return err;
}

/* ---- brk ---- */

void vm_set_brk(struct vm_space *s, vaddr_t start, vaddr_t brk)
{
    spin_lock(&vm_lock);
    s->brk_start = start;
    s->brk = brk;
    spin_unlock(&vm_lock);
}

void vm_set_mmap_place(struct vm_space *s, uint32_t shift, bool upwards)
{
    s->mmap_shift = page_down(shift);
    s->mmap_floor = upwards ? page_down(USER_TOP / 3 + PAGE_SIZE + shift) : 0;
}

void vm_set_gate(struct vm_space *s, vaddr_t addr)
{
    s->gate = addr;
}

vaddr_t vm_gate(const struct vm_space *s)
{
    return s->gate;
}

#define HEAP_PROT (VM_PROT_READ | VM_PROT_WRITE)

/* [steps] */
static int grow_heap(struct vm_space *s, struct change *c, vaddr_t from, vaddr_t to)
{
    struct vm_mapping m = {
        .addr = from,
        .len = to - from,
        .prot = HEAP_PROT,
        .maxprot = HEAP_PROT | VM_PROT_EXEC,
        .flags = VM_HEAP | VM_FIXED | VM_NOREPLACE,
    };

    return map_area(s, c, &m, m.len, NULL);
}

/* The common case: nothing is new but where the heap's last area ends. False: nothing was done. [v]
 */
static bool stretch_heap(struct vm_space *s, vaddr_t addr)
{
    const vaddr_t end = page_align(s->brk), new_end = page_align(addr);
    const int32_t pages = (int32_t)((new_end - end) >> PAGE_SHIFT);
    const struct claims gain = {.pages = pages, .data = pages, .promised = pages};
    const struct vma *next;
    struct vma *v;

    if (s->changing || s->future_flags || new_end <= end || addr >= USER_TOP ||
        addr - s->brk_start > s->limits.data)
        return false;
    v = vma_find(s, end - 1);
    if (!v || v->end != end || v->flags != VM_HEAP || v->prot != HEAP_PROT || v->server)
        return false;
    next = vma_next(s, v);
    if ((next && next->start <= new_end) || !claims_allowed(s, &gain))
        return false;
    vma_set_range(s, v, v->start, new_end);
    s->brk = addr;
    return true;
}

/* What the heap gained, locked by MCL_FUTURE: populate it. [steps] */
static uint32_t move_break(struct vm_space *s, struct change *c, vaddr_t addr)
{
    const vaddr_t old_end = page_align(s->brk), new_end = page_align(addr);
    int err = 0;

    if (addr < s->brk_start || addr >= USER_TOP || new_end > USER_TOP)
        return 0;
    if (addr - s->brk_start > s->limits.data)
        return 0;
    if (new_end > old_end)
        err = grow_heap(s, c, old_end, new_end);
    else if (new_end < old_end)
        err = unmap_range(s, c, new_end, old_end);
    if (err)
        return 0;
    s->brk = addr;
    return new_end > old_end && (s->future_flags & VM_LOCKED) ? new_end - old_end : 0;
}

vaddr_t vm_brk(struct vm_space *s, vaddr_t addr)
{
    struct change c;
    uint32_t gained;
    bool stretched;
    vaddr_t now;

    if (addr < s->brk_start)
        return s->brk;
    spin_lock(&vm_lock);
    stretched = stretch_heap(s, addr);
    spin_unlock(&vm_lock);
    if (stretched)
        return addr;
    if (change_begin_beside(&c, s, 3))
        return s->brk;
    gained = move_break(s, &c, addr);
    now = s->brk;
    change_end(&c);
    if (gained)
        (void)vm_populate(s, page_align(now) - gained, gained);
    return now;
}
