/*
 * The reverse map: for a frame, the page-table entries that map it, of a family's (fork/share.h)
 * at one address one.
 *
 * One word in the frame: 0 for none; the address of the entry itself while there is one mapping,
 * the common case; with bit 0 set, the root of a tree of links. The entry tells the rest: the frame
 * it lies in is a page table, whose struct frame names the pmap and the address range.
 *
 * The tree is a treap by address of the entry, balanced by a priority that is a hash of that
 * address, so nothing is stored for it; each link counts its subtree. A page that thousands map is
 * entered, removed, counted and walked by number in logarithmic steps each, and a walk may be left
 * and taken up again between any two mappings.
 *
 * Where vm_lock is shared links come and go at once, and nobody walks them. The first link of a
 * frame, the only one that goes, and that of which a tree is made, are an exchange of the frame's
 * word each; a tree changes under the frame's lock (beside/).
 */
#include "libc/errno.h"
#include "mm/beside/beside.h"
#include "mm/percpu/pool.h"
#include "mm/seen/check.h"

struct rmap_link {
    pte_t *pte;
    struct rmap_link *left, *right;
    uint32_t size; /* links in this subtree */
};

#define LINKS_KEPT 512u

static struct rmap_link *link_new(pte_t *pte)
{
    struct rmap_link *l = pool_take(POOL_LINK, sizeof(*l));

    if (l)
        *l = (struct rmap_link){.pte = pte, .size = 1};
    return l;
}

static void link_free(struct rmap_link *l)
{
    pool_give(POOL_LINK, l, LINKS_KEPT);
}

/* ---- The tree ---- */

static struct rmap_link *root_of(const struct frame *f)
{
    return (struct rmap_link *)(read_once(f->rmap) & ~(uintptr_t)RMAP_CHAINED);
}

static void set_root(struct frame *f, struct rmap_link *root)
{
    write_once(f->rmap, root ? (uintptr_t)root | RMAP_CHAINED : 0); /* see rmap_add() */
}

static uint32_t size_of(const struct rmap_link *l)
{
    return l ? l->size : 0;
}

static void tree_update_node(struct rmap_link *l)
{
    l->size = size_of(l->left) + size_of(l->right) + 1;
}

#define TREE_NODE             struct rmap_link
#define TREE_KEY              const pte_t *
#define TREE_BELOW(node, key) ((node)->pte < (key))
#define TREE_PRIORITY(node)   tree_priority_by((node)->pte)
#include "libc/treap.h"

static void tree_insert(struct rmap_link **at, struct rmap_link *l)
{
    while (*at && TREE_PRIORITY(*at) >= TREE_PRIORITY(l)) {
        (*at)->size++;
        at = l->pte < (*at)->pte ? &(*at)->left : &(*at)->right;
    }
    tree_split(*at, l->pte, &l->left, &l->right);
    tree_update_node(l);
    *at = l;
}

static struct rmap_link *tree_remove(struct rmap_link **at, const pte_t *pte)
{
    struct rmap_link *gone;

    while ((*at)->pte != pte) {
        (*at)->size--;
        at = pte < (*at)->pte ? &(*at)->left : &(*at)->right;
    }
    gone = *at;
    *at = tree_join(gone->left, gone->right);
    return gone;
}

/* ---- What a frame has ---- */

/* Makes a tree of one link out of the only entry; false: no memory. */
static bool make_tree(struct frame *f, uintptr_t only)
{
    struct rmap_link *first = link_new((pte_t *)only);

    if (first && !cpu_compare_exchange(&f->rmap, only, (uintptr_t)first | RMAP_CHAINED))
        link_free(first); /* it has gone meanwhile */
    return first != NULL;
}

/* One more than one. */
static int add_link(struct frame *f, pte_t *pte)
{
    struct rmap_link *link = link_new(pte), *root;
    uintptr_t now;

    if (!link)
        return -ENOMEM;
    while (!((now = read_once(f->rmap)) & RMAP_CHAINED)) {
        const bool only = !now && cpu_compare_exchange(&f->rmap, 0, (uintptr_t)pte);

        if (!only && (!now || make_tree(f, now)))
            continue;
        link_free(link);
        return only ? 0 : -ENOMEM;
    }
    root = root_of(f);
    tree_insert(&root, link);
    set_root(f, root);
    return 0;
}

static __attribute__((noinline)) int add_link_locked(struct frame *f, pte_t *pte)
{
    struct spinlock *l = lock_beside(f);
    int err = add_link(f, pte);

    spin_unlock(l);
    return err;
}

int rmap_add(struct frame *f, pte_t *pte)
{
    return cpu_compare_exchange(&f->rmap, 0, (uintptr_t)pte) ? 0 : add_link_locked(f, pte);
}

/* One of a tree. */
static void remove_link(struct frame *f, const pte_t *pte)
{
    struct rmap_link *root = root_of(f);

    KASSERT(read_once(f->rmap) & RMAP_CHAINED);
    link_free(tree_remove(&root, pte));
    set_root(f, root);
}

void rmap_remove_link(struct frame *f, const pte_t *pte)
{
    struct spinlock *l = vm_lock_is_shared() ? lock_beside(f) : NULL;

    remove_link(f, pte);
    if (l)
        spin_unlock(l);
}

static __attribute__((noinline)) void replace_link(struct frame *f, const pte_t *pte, pte_t *by)
{
    struct rmap_link *root = root_of(f), *l = tree_remove(&root, pte);

    *l = (struct rmap_link){.pte = by, .size = 1};
    tree_insert(&root, l);
    set_root(f, root);
}

void rmap_replace(struct frame *f, const pte_t *pte, pte_t *by)
{
    if (f->rmap == (uintptr_t)pte)
        f->rmap = (uintptr_t)by;
    else
        replace_link(f, pte, by);
}

pte_t *rmap_nth(const struct frame *f, unsigned n)
{
    const struct rmap_link *l;

    if (!(f->rmap & RMAP_CHAINED))
        return n == 0 ? (pte_t *)f->rmap : NULL;
    l = root_of(f);
    while (l && n != size_of(l->left)) {
        if (n < size_of(l->left)) {
            l = l->left;
        } else {
            n -= size_of(l->left) + 1;
            l = l->right;
        }
    }
    return l ? l->pte : NULL;
}

unsigned rmap_count(const struct frame *f)
{
    return f->rmap & RMAP_CHAINED ? root_of(f)->size : f->rmap != 0;
}

bool rmap_has(const struct frame *f, const pte_t *pte)
{
    const struct rmap_link *l;

    if (!(f->rmap & RMAP_CHAINED))
        return f->rmap == (uintptr_t)pte;
    for (l = root_of(f); l && l->pte != pte; l = pte < l->pte ? l->left : l->right)
        ;
    return l != NULL;
}

/* ---- Audit ---- */

static int check_link(const struct rmap_link *l)
{
    int errors = 0;

    if (!l)
        return 0;
    errors += l->size != size_of(l->left) + size_of(l->right) + 1;
    errors += l->left && (l->left->pte >= l->pte || TREE_PRIORITY(l->left) > TREE_PRIORITY(l));
    errors += l->right && (l->right->pte <= l->pte || TREE_PRIORITY(l->right) > TREE_PRIORITY(l));
    return errors + check_link(l->left) + check_link(l->right);
}

int rmap_check(const struct frame *f)
{
    return f->rmap & RMAP_CHAINED ? check_link(root_of(f)) : 0;
}
