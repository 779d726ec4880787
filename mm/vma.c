/*
 * The areas of a space: a list sorted by address, and an index over it.
 *
 * The index is a treap: a binary tree by start address that is kept balanced by giving each node a
 * random priority and the higher priority the higher place. Each node also knows the free bytes in
 * front of it (gap) and the largest such gap in its subtree (widest), so that a free place is found
 * as fast as an area.
 *
 * Invariants: list and tree hold the same areas in the same order; they do not overlap; gap and
 * widest are right after every function here. All under vm_lock.
 */
#include "arch/processors.h"
#include "libc/string.h"
#include "mm/beside/beside.h"
#include "mm/percpu/pool.h"

/* The balance needs priorities that do not follow the addresses, nothing more: two may have the
 * same where vm_lock is shared. */
static uint32_t next_priority(void)
{
    static uint32_t last = 0x9e3779b9u;
    uint32_t state = read_once(last);

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    write_once(last, state);
    return state;
}

/* What a dynamic program or two give back, to be taken again by the next fork. */
#define AREAS_KEPT 128u

struct vma *vma_new(void)
{
    return pool_take(POOL_AREA, sizeof(struct vma));
}

void vma_give_back(struct vma *v)
{
    pool_give(POOL_AREA, v, AREAS_KEPT);
}

void vma_hold(struct vma *v)
{
    if (v->object)
        object_hold(v->object);
    if (v->backing && __atomic_fetch_add(&v->backing->areas, 1, __ATOMIC_RELAXED) == 0)
        v->backing->hold(v->backing, true);
}

/* One less of what others count down at once, where vm_lock is shared; false, and no less: it would
 * be none. Never none in between, by which somebody could take it for dead. */
static bool drop_unless_last(uint32_t *count)
{
    uint32_t now = read_once(*count);

    while (now > 1) {
        if (__atomic_compare_exchange_n(count, &now, now - 1, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

bool vma_free_now(struct vma *v)
{
    struct vm_object *o = v->object;

    const struct vm_backing *b = v->backing;

    if (o && o->pager->unmapped)
        return false;
    if (b && !drop_unless_last(&v->backing->areas))
        return false;
    if (o && !drop_unless_last(&o->refs)) {
        if (b)
            __atomic_add_fetch(&v->backing->areas, 1, __ATOMIC_RELAXED);
        return false;
    }
    vma_give_back(v);
    return true;
}

void vma_let_go(struct vma *v)
{
    struct vm_backing *b = v->backing;
    bool last;

    if (v->object)
        vm_object_unref(v->object);
    spin_lock(&vm_lock);
    last = b && --b->areas == 0;
    spin_unlock(&vm_lock);
    if (last)
        b->hold(b, false);
}

void vma_free(struct vma *v)
{
    if (v->object && v->object->pager->unmapped) {
        kernel_need();
        v->object->pager->unmapped(v->object);
    }
    vma_let_go(v);
    kmfree(v);
}

/* ---- The treap ---- */

static uint32_t widest_of(const struct vma *v)
{
    return v ? v->widest : 0;
}

static void tree_update_node(struct vma *v)
{
    uint32_t left = widest_of(v->left), right = widest_of(v->right);

    v->widest = v->gap;
    if (left > v->widest)
        v->widest = left;
    if (right > v->widest)
        v->widest = right;
}

#define TREE_NODE             struct vma
#define TREE_KEY              vaddr_t
#define TREE_BELOW(node, key) ((node)->start < (key))
#define TREE_PRIORITY(node)   ((node)->priority)
#include "libc/treap.h"

/* last: no area lies above v. */
static void tree_insert(struct vma **at, struct vma *v, bool last)
{
    for (; *at && (*at)->priority >= v->priority;
         at = v->start < (*at)->start ? &(*at)->left : &(*at)->right) {
        if ((*at)->widest < v->gap)
            (*at)->widest = v->gap;
    }
    v->left = *at;
    v->right = NULL;
    if (!last)
        tree_split(*at, v->start, &v->left, &v->right);
    tree_update_node(v);
    *at = v;
}

static struct vma *tree_remove(struct vma *root, const struct vma *v)
{
    if (root == v)
        return tree_join(root->left, root->right);
    if (v->start < root->start)
        root->left = tree_remove(root->left, v);
    else
        root->right = tree_remove(root->right, v);
    tree_update_node(root);
    return root;
}

static struct vma *child_towards(const struct vma *root, const struct vma *v)
{
    return v->start < root->start ? root->left : root->right;
}

/* Makes widest right on the way down to v, whose gap has changed. */
static void tree_update(struct vma *root, const struct vma *v)
{
    if (root != v)
        tree_update(child_towards(root, v), v);
    tree_update_node(root);
}

/* The gap of v has grown. */
static void tree_widen(struct vma *root, const struct vma *v)
{
    for (;; root = child_towards(root, v)) {
        if (root->widest < v->gap)
            root->widest = v->gap;
        if (root == v)
            return;
    }
}

/* The gap of v was wider: who knows a wider one still is right. */
static void tree_narrow(struct vma *root, const struct vma *v, uint32_t was)
{
    while (root != v && root->widest > was)
        root = child_towards(root, v);
    tree_update(root, v);
}

/* ---- Accounts ---- */

uint32_t committed_pages, locked_pages;

/* The figures of v's space gain so many pages of v's kind. */
static void account(const struct vma *v, uint32_t pages)
{
    struct vm_space *s = v->space;

    s->pages += pages;
    if (s->pages > s->peak_pages)
        s->peak_pages = s->pages;
    if (v->flags & (VM_STACK | VM_GROWSDOWN))
        s->stack_pages += pages;
    else if ((v->prot & (VM_PROT_EXEC | VM_PROT_WRITE)) == VM_PROT_EXEC)
        s->text_pages += pages;
    if (v->flags & VM_LOCKED) {
        s->locked_pages += pages;
        __atomic_add_fetch(&locked_pages, pages, __ATOMIC_RELAXED);
    }
    if (vma_is_data(v))
        s->data_pages += pages;
    if (vma_is_promised(v))
        __atomic_add_fetch(&committed_pages, pages, __ATOMIC_RELAXED);
}

void vma_set_rights(struct vma *v, uint8_t prot, uint16_t flags)
{
    const uint32_t pages = vma_pages(v);

    account(v, -pages);
    v->prot = prot;
    v->flags = flags;
    account(v, pages);
}

static inline void tell_object(struct vma *v, void (*what)(struct vm_object *o, struct vma *v))
{
    if (vm_lock_is_shared())
        tell_object_beside(v, what);
    else
        what(v->object, v);
}

void vma_forget(struct vma *v)
{
    account(v, -vma_pages(v));
    if (v->object)
        tell_object(v, object_remove_area);
}

/* ---- List and tree together ---- */

struct vma *vma_prev(struct vm_space *s, struct vma *v)
{
    return v->link.prev == &s->vmas ? NULL : list_entry(v->link.prev, struct vma, link);
}

struct vma *vma_next(struct vm_space *s, struct vma *v)
{
    return v->link.next == &s->vmas ? NULL : list_entry(v->link.next, struct vma, link);
}

static uint32_t gap_before(struct vm_space *s, struct vma *v)
{
    const struct vma *prev = vma_prev(s, v);

    return v->start - (prev ? prev->end : 0);
}

static void refresh_gap(struct vm_space *s, struct vma *v)
{
    uint32_t was;

    if (!v)
        return;
    was = v->gap;
    v->gap = gap_before(s, v);
    if (v->gap > was)
        tree_widen(s->root, v);
    else if (v->gap < was)
        tree_narrow(s->root, v, was);
}

struct vma *vma_find(struct vm_space *s, vaddr_t addr)
{
    struct vma *v = s->root, *best = NULL;

    if (s->last_found && s->last_found->start <= addr && addr < s->last_found->end)
        return s->last_found;
    while (v) {
        if (addr < v->end) {
            best = v;
            if (addr >= v->start)
                break;
            v = v->left;
        } else {
            v = v->right;
        }
    }
    s->last_found = best;
    return best;
}

static void insert_before(struct vm_space *s, struct vma *next, struct vma *v)
{
    DEBUG_ASSERT(v->start < v->end && (!next || v->end <= next->start));
    list_add_tail(next ? &next->link : &s->vmas, &v->link);
    v->priority = next_priority();
    v->gap = gap_before(s, v);
    tree_insert(&s->root, v, !next);
    refresh_gap(s, next);
    v->space = s;
    if (v->object)
        tell_object(v, object_add_area);
    s->areas++;
    account(v, vma_pages(v));
}

void vma_insert(struct vm_space *s, struct vma *v)
{
    insert_before(s, vma_find(s, v->start), v);
}

void vma_append(struct vm_space *s, struct vma *v)
{
    insert_before(s, NULL, v);
}

void vma_remove(struct vm_space *s, struct vma *v)
{
    struct vma *next = vma_next(s, v);

    s->root = tree_remove(s->root, v);
    list_remove(&v->link);
    if (s->last_found == v)
        s->last_found = NULL;
    refresh_gap(s, next);
    s->areas--;
    vma_forget(v);
}

void vma_set_range(struct vm_space *s, struct vma *v, vaddr_t start, vaddr_t end)
{
    const bool start_moved = start != v->start;
    const uint32_t pages = vma_pages(v);

    v->start = start;
    v->end = end;
    account(v, vma_pages(v) - pages);
    if (start_moved)
        refresh_gap(s, v);
    refresh_gap(s, vma_next(s, v));
}

/* ---- Finding room ---- */

/* The place at the top of [low, high) clipped to [floor, ceiling), or 0. */
static vaddr_t place_in(vaddr_t low, vaddr_t high, uint32_t len, vaddr_t floor, vaddr_t ceiling)
{
    if (low < floor)
        low = floor;
    if (high > ceiling)
        high = ceiling;
    return high > low && high - low >= len ? high - len : 0;
}

static vaddr_t highest_gap(const struct vma *v, uint32_t len, vaddr_t floor, vaddr_t ceiling)
{
    vaddr_t at;

    if (!v || v->widest < len)
        return 0;
    if (v->end < ceiling) {
        at = highest_gap(v->right, len, floor, ceiling);
        if (at)
            return at;
    }
    at = place_in(v->start - v->gap, v->start, len, floor, ceiling);
    if (at || v->start <= floor)
        return at;
    return highest_gap(v->left, len, floor, ceiling);
}

vaddr_t vma_find_gap(struct vm_space *s, uint32_t len, vaddr_t floor, vaddr_t ceiling)
{
    const struct vma *last =
        list_empty(&s->vmas) ? NULL : list_entry(s->vmas.prev, struct vma, link);
    vaddr_t at = place_in(last ? last->end : 0, USER_TOP, len, floor, ceiling);

    return at ? at : highest_gap(s->root, len, floor, ceiling);
}
