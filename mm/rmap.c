/*
 * The reverse map: for a frame, the page-table entries that map it.
 *
 * One word in the frame: 0 for none; the address of the entry itself while there is one mapping,
 * the common case; with bit 0 set, the address of a chain of links. The entry tells the rest: the
 * frame it lies in is a page table, whose struct frame names the pmap and the address range.
 */
#include "libc/errno.h"
#include "mm/mm.h"

struct rmap_link {
    pte_t *pte;
    struct rmap_link *next;
};

#define CHAINED 1u

static struct rmap_link *chain_of(const struct frame *f)
{
    return (struct rmap_link *)(f->rmap & ~(uintptr_t)CHAINED);
}

static void set_chain(struct frame *f, struct rmap_link *link)
{
    f->rmap = (uintptr_t)link | CHAINED;
}

static struct rmap_link *link_new(pte_t *pte, struct rmap_link *next)
{
    struct rmap_link *link = kmalloc(sizeof(*link));

    if (link)
        *link = (struct rmap_link){pte, next};
    return link;
}

int rmap_add(struct frame *f, pte_t *pte)
{
    struct rmap_link *rest = NULL, *link;

    if (!f->rmap) {
        f->rmap = (uintptr_t)pte;
        return 0;
    }
    if (f->rmap & CHAINED) {
        rest = chain_of(f);
    } else {
        rest = link_new((pte_t *)f->rmap, NULL);
        if (!rest)
            return -ENOMEM;
    }
    link = link_new(pte, rest);
    if (!link) {
        if (!(f->rmap & CHAINED))
            kmfree(rest);
        return -ENOMEM;
    }
    set_chain(f, link);
    return 0;
}

static void chain_remove(struct frame *f, pte_t *pte)
{
    struct rmap_link *first = chain_of(f), **at = &first, *gone;

    while ((*at)->pte != pte)
        at = &(*at)->next;
    gone = *at;
    *at = gone->next;
    kmfree(gone);
    if (first)
        set_chain(f, first);
    else
        f->rmap = 0;
}

void rmap_remove(struct frame *f, pte_t *pte)
{
    if (f->rmap & CHAINED) {
        chain_remove(f, pte);
        return;
    }
    KASSERT(f->rmap == (uintptr_t)pte);
    f->rmap = 0;
}

pte_t *rmap_nth(const struct frame *f, unsigned n)
{
    const struct rmap_link *link;

    if (!(f->rmap & CHAINED))
        return n == 0 ? (pte_t *)f->rmap : NULL;
    for (link = chain_of(f); link && n > 0; n--)
        link = link->next;
    return link ? link->pte : NULL;
}

unsigned rmap_count(const struct frame *f)
{
    unsigned n = 0;

    if (!(f->rmap & CHAINED))
        return f->rmap != 0;
    for (const struct rmap_link *link = chain_of(f); link; link = link->next)
        n++;
    return n;
}
