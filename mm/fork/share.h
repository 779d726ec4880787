/*
 * Page tables that several spaces have: share.c. For pmap.c and those who look at entries by frame.
 */
#ifndef MM_FORK_SHARE_H
#define MM_FORK_SHARE_H

#include "mm/mm.h"

#define FAMILY_MAX 8u /* spaces that may share tables */

/* Ours, of an entry: it is not in the reverse map, since another of its family stands for it. */
#define PTE_STOOD_FOR 0x200u

static inline struct frame *table_of(const pte_t *pte)
{
    return frame_of((void *)((uintptr_t)pte & ~(uintptr_t)(PAGE_SIZE - 1)));
}

/* Whether a directory entry leads to a table of user pages: the kernel's half has 4 MiB pages. */
static inline bool is_user_table(pde_t pde)
{
    return (pde & (PTE_P | PTE_U | PTE_PS)) == (PTE_P | PTE_U);
}

/* The same, and what its entries say of the right to write holds. */
static inline bool is_own_table(pde_t pde)
{
    return (pde & (PTE_P | PTE_W | PTE_U | PTE_PS)) == (PTE_P | PTE_W | PTE_U);
}

/* Where pm has the entry that is at pte's place, or NULL. [v] */
pte_t *share_entry_at(const struct pmap *pm, const pte_t *pte);
/* An entry besides pte, at its place in another table of pm's family, that maps f too; NULL. [v] */
pte_t *share_sibling(const struct pmap *pm, const pte_t *pte, const struct frame *f);
/* The one after pm that has table, of which table.pmap is the first; NULL: there is none. [v] */
struct pmap *share_next(const struct frame *table, const struct pmap *pm);
/* Whether entering f at va, for zero_frame a new one too, concerns nobody but pm, if f's reverse
 * map is let aside. [v] */
bool pmap_enters_alone(const struct pmap *pm, vaddr_t va, const struct frame *f);
/* Makes pm's table at va, which is there, pm's own, to be changed. false: no memory. [v] */
bool share_own(struct pmap *pm, vaddr_t va);
/* What a table that is not its pmap's own says of the right to write is no longer true. [v] */
void share_distrust(const pte_t *table);
/* [start, end) of table, which is not pm's own, shall be removed from pm: the table whose entries
 * are to be removed one by one; NULL: nothing is there any more. Costs some of *budget. [v] */
pte_t *share_remove(struct pmap *pm, pte_t *table, vaddr_t start, vaddr_t end, unsigned *budget);

/* fork: whether child, which maps nothing yet, may have pm's tables. Then it counts as mapping all
 * that pm does, and is given them one by one. [v] */
bool share_join(struct pmap *pm, struct pmap *child);
/* fork: pm's table at va, if it has one, can no longer be written through, and child (unless it is
 * NULL) has it too. Whether there was that right: the caller flushes. [v] */
bool share_table(struct pmap *pm, struct pmap *child, vaddr_t va);

/* One after the other, from {0} on: who maps a frame. */
struct mapping {
    struct pmap *pm;
    pte_t *pte; /* which others may have too */
    unsigned link;
};
bool pmap_next_mapping(const struct frame *f, struct mapping *m); /* [v] */

bool pmap_shared(const struct frame *f); /* whether more than one does [v] */

/* How many they are at most, since one reverse link may stand for a family. [v] */
static inline unsigned pmap_most_mappings(const struct frame *f)
{
    const unsigned links = rmap_count(f);

    if (links == 1 && list_empty(&table_of(rmap_nth(f, 0))->table.pmap->family))
        return 1;
    return links * FAMILY_MAX;
}

#endif
