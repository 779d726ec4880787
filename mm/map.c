/*
 * What a program asks of its space: mmap, munmap, mprotect, brk.
 *
 * Each first allocates the areas that splitting may need and makes the amap ready (reserve), then
 * changes list, amap and page tables with steps that cannot fail (commit): design rule 4.
 */
#include "libc/errno.h"
#include "mm/mm.h"

#define MMAP_GAP_MIN (128u << 20) /* room left for the stack below the top, at least */
#define MMAP_GAP_MAX (USER_TOP / 6 * 5)

/* Areas allocated ahead for a change, and those it took out, to be freed when vm_lock is dropped.
 */
struct change {
    struct vma *spare[3];
    unsigned spares;
    struct list dead;
};

static int change_begin(struct change *c, unsigned spares)
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

static struct vma *change_take(struct change *c)
{
    KASSERT(c->spares > 0);
    return c->spare[--c->spares];
}

/* Without vm_lock: dropping objects may sleep. */
static void change_end(struct change *c)
{
    while (c->spares > 0)
        kmfree(c->spare[--c->spares]);
    vma_free_list(&c->dead);
}

/* ---- Splitting and joining --------------------------------------------------------------------
 */

static bool counts_as_data(const struct vma *v)
{
    return (v->prot & VM_PROT_WRITE) && vma_is_private(v) && !(v->flags & VM_GROWSDOWN);
}

static uint32_t vma_pages(const struct vma *v)
{
    return (v->end - v->start) >> PAGE_SHIFT;
}

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
           (!a->object || vma_page_index(a, a->end) == b->pgoff);
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

/* Cuts so that no area crosses start or end. */
static void cut_edges(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    struct vma *v = vma_find(s, start);

    if (v && v->start < start)
        split(s, c, v, start);
    v = vma_find(s, end - 1);
    if (v && v->start < end && v->end > end)
        split(s, c, v, end);
}

/* Takes everything out of [start, end). amap_reserve_remove was called; two spares may be used. */
static void clear_range(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end)
{
    struct vma *v, *next;

    cut_edges(s, c, start, end);
    for (v = vma_find(s, start); v && v->start < end; v = next) {
        next = vma_next(s, v);
        if (counts_as_data(v))
            s->data_pages -= vma_pages(v);
        pmap_remove(&s->pmap, v->start, v->end);
        vma_remove(s, v);
        list_add_tail(&c->dead, &v->link);
    }
    amap_remove(&s->amap, start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* ---- mmap -------------------------------------------------------------------------------------
 */

static bool range_valid(vaddr_t addr, uint32_t len)
{
    return !(addr & ~PAGE_MASK) && len && len <= USER_TOP && addr <= USER_TOP - len;
}

static bool range_free(struct vm_space *s, vaddr_t addr, uint32_t len)
{
    struct vma *v = vma_find(s, addr);

    return !v || v->start >= addr + len;
}

/* Below the room that the stack may grow into. */
static vaddr_t mmap_ceiling(const struct vm_space *s)
{
    uint32_t gap = s->limits.stack;

    gap = gap < MMAP_GAP_MIN ? MMAP_GAP_MIN : gap > MMAP_GAP_MAX ? MMAP_GAP_MAX : gap;
    return page_down(USER_TOP - gap);
}

static vaddr_t choose_place(struct vm_space *s, vaddr_t hint, uint32_t len)
{
    vaddr_t at;

    if (hint >= USER_MIN && range_valid(hint, len) && range_free(s, hint, len))
        return hint;
    at = vma_find_gap(s, len, USER_MIN, mmap_ceiling(s));
    return at ? at : vma_find_gap(s, len, USER_MIN, USER_TOP - PAGE_SIZE);
}

/* Pages of [addr, addr+len) that areas cover: what a fixed mapping there would replace. */
static uint32_t pages_in(struct vm_space *s, vaddr_t addr, uint32_t len)
{
    uint32_t pages = 0;

    for (struct vma *v = vma_find(s, addr); v && v->start < addr + len; v = vma_next(s, v)) {
        vaddr_t from = v->start > addr ? v->start : addr;
        vaddr_t to = v->end < addr + len ? v->end : addr + len;
        pages += (to - from) >> PAGE_SHIFT;
    }
    return pages;
}

static int check_limits(struct vm_space *s, const struct vma *v)
{
    uint32_t pages = vma_pages(v), replaced = pages_in(s, v->start, v->end - v->start);

    if (s->pages - replaced + pages > s->limits.as >> PAGE_SHIFT)
        return -ENOMEM;
    if (counts_as_data(v) && s->data_pages + pages > s->limits.data >> PAGE_SHIFT)
        return -ENOMEM;
    if (counts_as_data(v) && !(v->flags & VM_NORESERVE) && pages > frame_total())
        return -ENOMEM;
    return 0;
}

static void add_area(struct vm_space *s, struct change *c, struct vma *v)
{
    struct vma *prev;

    if (counts_as_data(v))
        s->data_pages += vma_pages(v);
    vma_insert(s, v);
    prev = vma_prev(s, v);
    join_next(s, c, v);
    if (prev)
        join_next(s, c, prev);
}

/* Chooses the place of v, whose start holds the hint. */
static int place(struct vm_space *s, struct vma *v, const struct vm_mapping *m, uint32_t len)
{
    vaddr_t at = m->addr;

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
    uint32_t len = (m->len + PAGE_SIZE - 1) & PAGE_MASK;
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
    err = place(s, v, m, len);
    replaces = !err && !range_free(s, v->start, len);
    if (replaces)
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

/* ---- munmap -----------------------------------------------------------------------------------
 */

int vm_unmap(struct vm_space *s, vaddr_t addr, size_t length)
{
    uint32_t len = (length + PAGE_SIZE - 1) & PAGE_MASK;
    struct change c;
    int err;

    if (!range_valid(addr, len) || len < length)
        return -EINVAL;
    err = change_begin(&c, 2);
    if (!err) {
        spin_lock(&vm_lock);
        err = amap_reserve_remove(&s->amap, addr >> PAGE_SHIFT, (addr + len) >> PAGE_SHIFT);
        if (!err)
            clear_range(s, &c, addr, addr + len);
        spin_unlock(&vm_lock);
    }
    change_end(&c);
    return err;
}

/* ---- mprotect ---------------------------------------------------------------------------------
 */

/* The range is wholly mapped and every area allows prot: 0, -ENOMEM, -EACCES. */
static int check_protect(struct vm_space *s, vaddr_t start, vaddr_t end, uint8_t prot)
{
    struct vma *v = vma_find(s, start);
    vaddr_t at = start;

    for (; at < end; v = vma_next(s, v)) {
        if (!v || v->start > at)
            return -ENOMEM;
        if (prot & ~v->maxprot)
            return -EACCES;
        at = v->end;
    }
    return 0;
}

static void set_protection(struct vm_space *s, struct vma *v, uint8_t prot)
{
    uint8_t lost = v->prot & ~prot;

    if (counts_as_data(v))
        s->data_pages -= vma_pages(v);
    v->prot = prot;
    if (counts_as_data(v))
        s->data_pages += vma_pages(v);
    if (prot == 0)
        pmap_remove(&s->pmap, v->start, v->end);
    else if (lost & VM_PROT_WRITE)
        pmap_write_protect(&s->pmap, v->start, v->end);
}

static void protect_range(struct vm_space *s, struct change *c, vaddr_t start, vaddr_t end,
                          uint8_t prot)
{
    struct vma *v, *next, *prev;

    cut_edges(s, c, start, end);
    for (v = vma_find(s, start); v && v->start < end; v = vma_next(s, v))
        set_protection(s, v, prot);
    v = vma_find(s, start);
    prev = vma_prev(s, v);
    for (v = prev ? prev : v; v && v->start < end; v = next) {
        next = vma_next(s, v);
        if (next && can_join(v, next)) {
            join_next(s, c, v);
            next = v;
        }
    }
}

int vm_protect(struct vm_space *s, vaddr_t addr, size_t length, uint8_t prot)
{
    uint32_t len = (length + PAGE_SIZE - 1) & PAGE_MASK;
    struct change c;
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
        err = check_protect(s, addr, addr + len, prot);
        if (!err)
            protect_range(s, &c, addr, addr + len, prot);
        spin_unlock(&vm_lock);
    }
    change_end(&c);
    return err;
}

/* ---- brk --------------------------------------------------------------------------------------
 */

void vm_set_brk_base(struct vm_space *s, vaddr_t addr)
{
    s->brk_start = s->brk = addr;
}

static vaddr_t page_up(vaddr_t a)
{
    return (a + PAGE_SIZE - 1) & PAGE_MASK;
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
    vaddr_t old_end = page_up(s->brk), new_end = page_up(addr);
    int err = 0;

    if (addr < s->brk_start || addr >= USER_TOP || new_end > USER_TOP)
        return s->brk;
    if (addr - s->brk_start > s->limits.data)
        return s->brk;
    if (new_end > old_end)
        err = grow_heap(s, old_end, new_end);
    else if (new_end < old_end)
        err = vm_unmap(s, new_end, old_end - new_end);
    if (!err)
        s->brk = addr;
    return s->brk;
}
