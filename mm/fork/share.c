/*
 * Page tables that several spaces have by reference: design rule 10.
 *
 * fork gives the child its parent's tables as they are. Their directory entries lose PTE_W, which
 * takes the right to write from 1,024 pages at once. Who then changes something there gets a table
 * of its own first (share_own): a copy or, where nobody else has it any more, the table itself.
 * What a frame loses by its reverse map it loses in the shared table, for all that have it.
 *
 * A family is the pmaps that fork has made of one: a ring, FAMILY_MAX at most. Invariants:
 *   - who shares a table is of one family, has it at the same place, and has no PTE_W above it. The
 *     entries' own PTE_W is from before the fork. It goes before a directory entry has its own
 *     again if anybody went on with what the table maps and without the table, or if rights were
 *     taken away: FRAME_STALE;
 *   - frame.pins of a table is how many have it besides table.pmap;
 *   - of the entries that map one frame at one address of a family, one is in the reverse map, and
 *     stands for them all: to copy a table is to copy words. The others say so (PTE_STOOD_FOR).
 */
#include "libc/words.h"
#include "mm/fork/share.h"

#define OWN_UNITS 32u /* of a step's budget: what it costs to look at all entries of a table */

/* ---- Who else ---- */

pte_t *share_entry_at(const struct pmap *pm, const pte_t *pte)
{
    const pde_t pde = pm->pgdir[table_of(pte)->table.pdx];
    const uintptr_t at = PTE_ADDR(pde) | ((uintptr_t)pte & (PAGE_SIZE - 1));

    return is_user_table(pde) ? (pte_t *)phys_to_virt(at) : NULL;
}

pte_t *share_sibling(const struct pmap *pm, const pte_t *pte, const struct frame *f)
{
    const unsigned pdx = table_of(pte)->table.pdx, at = (uintptr_t)pte & (PAGE_SIZE - 1);
    const pte_t want = frame_pa(f) | PTE_P;
    const struct pmap *other;

    list_for_each_entry (other, &pm->family, family) {
        const pde_t pde = other->pgdir[pdx];
        pte_t *there = phys_to_virt(PTE_ADDR(pde) | at);

        if (pde && there != pte && !((*there ^ want) & (PAGE_MASK | PTE_P)))
            return there;
    }
    return NULL;
}

static bool has_table(const struct pmap *pm, const struct frame *table)
{
    return PTE_ADDR(pm->pgdir[table->table.pdx]) == frame_pa(table);
}

struct pmap *share_next(const struct frame *table, const struct pmap *pm)
{
    if (!table->pins)
        return NULL;
    for (pm = list_next_entry(pm, family); pm != table->table.pmap;
         pm = list_next_entry(pm, family))
        if (has_table(pm, table))
            return (struct pmap *)pm;
    return NULL;
}

bool pmap_next_mapping(const struct frame *f, struct mapping *m)
{
    const pte_t *link;

    while ((link = rmap_nth(f, m->link))) {
        struct pmap *first = table_of(link)->table.pmap;
        struct pmap *next = m->pm ? list_next_entry(m->pm, family) : first;

        if (m->pm && next == first) {
            m->pm = NULL;
            m->link++;
            continue;
        }
        m->pm = next;
        m->pte = share_entry_at(next, link);
        if (m->pte && (*m->pte & PTE_P) && PTE_ADDR(*m->pte) == frame_pa(f))
            return true;
    }
    return false;
}

bool pmap_shared(const struct frame *f)
{
    struct mapping m = {0};
    const bool one = pmap_next_mapping(f, &m);

    return one && pmap_next_mapping(f, &m);
}

bool pmap_enters_alone(const struct pmap *pm, vaddr_t va, const struct frame *f)
{
    const pde_t pde = pm->pgdir[PDX(va)];
    const pte_t pte = is_own_table(pde) ? pmap_table(pm, va)[PTX(va)] : 0;

    if (is_user_table(pde) && !is_own_table(pde))
        return false;
    if (f->kind != FRAME_OBJECT && PTE_ADDR(pte) == frame_pa(f))
        return true;
    return !(pte & PTE_P) && (f->kind == FRAME_ZERO || list_empty(&pm->family));
}

/* ---- fork ---- */

bool share_join(struct pmap *pm, struct pmap *child)
{
    const struct pmap *other;
    unsigned n = 2;

    list_for_each_entry (other, &pm->family, family)
        n++;
    if (n > FAMILY_MAX)
        return false;
    list_add_tail(&pm->family, &child->family);
    child->resident = child->peak = pm->resident;
    child->resident_file = pm->resident_file;
    return true;
}

bool share_table(struct pmap *pm, struct pmap *child, vaddr_t va)
{
    pde_t *pde = &pm->pgdir[PDX(va)];
    bool lost = *pde & PTE_W;

    if (!is_user_table(*pde))
        return false;
    __atomic_and_fetch(pde, ~PTE_W, __ATOMIC_SEQ_CST);
    if (child) {
        child->pgdir[PDX(va)] = *pde;
        frame_of_pa(PTE_ADDR(*pde))->pins++;
    } else {
        frame_of_pa(PTE_ADDR(*pde))->flags |= FRAME_STALE;
    }
    return lost;
}

/* ---- A table of one's own ---- */

/* Eight entries go to their places in a copy, or stay (to is NULL), without the right to write. How
 * many of them are present. */
static __attribute__((noinline)) unsigned take_over(pte_t *pte, pte_t *to)
{
    pte_t any = 0, present = 0;

    for (unsigned i = 0; i < 8; i++) {
        any |= pte[i];
        present += pte[i] & PTE_P;
        if (to)
            to[i] = (pte[i] & ~PTE_W) | (pte[i] & PTE_P) * PTE_STOOD_FOR;
    }
    for (unsigned i = 0; (any & PTE_W) && i < 8; i++)
        if (pte[i] & PTE_W)
            __atomic_and_fetch(&pte[i], ~PTE_W, __ATOMIC_SEQ_CST);
    return present;
}

/* All of a table's, from va on both ways in turns: what a program has is near to what it writes. */
static void take_over_all(struct frame *table, vaddr_t va, pte_t *to)
{
    pte_t *pte = frame_kva(table);
    const unsigned middle = PTX(va) & ~7u;

    for (unsigned n = 0, left = table->table.used; left; n++) {
        unsigned at = n % 2 ? middle - 4 * (n + 1) : middle + 4 * n; /* before 0: very large */

        if (at < PT_ENTRIES && any_of_eight(pte + at))
            left -= take_over(pte + at, to ? to + at : NULL);
    }
    table->flags &= (uint8_t)~FRAME_STALE;
}

/* pm has table no longer, others do. The caller flushes. */
static void leave(struct pmap *pm, struct frame *table)
{
    if (table->table.pmap == pm)
        table->table.pmap = share_next(table, pm);
    table->pins--;
}

/* pm has copy, which is filled, and table no longer. */
static void give(struct pmap *pm, vaddr_t va, struct frame *table, struct frame *copy)
{
    leave(pm, table);
    if (copy->table.pmap)
        copy->pins++;
    else
        copy->table.pmap = pm;
    write_release(pm->pgdir[PDX(va)], frame_pa(copy) | PTE_P | PTE_U);
    mmu_flush_page(pm->pgdir, va);
}

/* Others have pm's table: pm gets a copy; or, if it is the first of them, they do. So what is in
 * the reverse map stays with who lives longest. false: no memory. */
static bool part(struct pmap *pm, vaddr_t va, struct frame *table)
{
    struct frame *copy = frame_alloc_zeroed(FRAME_TABLE);
    struct pmap *other;

    if (!copy)
        return false;
    take_over_all(table, va, frame_kva(copy));
    copy->table = table->table;
    copy->table.pmap = NULL;
    if (table->table.pmap != pm)
        give(pm, va, table, copy);
    while (table->table.pmap == pm && (other = share_next(table, pm)))
        give(other, va, table, copy);
    return true;
}

/* Whether what the entries of table say of the right to write is as true as before the fork: nobody
 * else has the leaf or an anon of it. */
static bool rights_hold(const struct pmap *pm, const struct frame *table)
{
    const struct pmap *other;

    list_for_each_entry (other, &pm->family, family)
        if (other->dying)
            return false;
    return !(table->flags & FRAME_STALE);
}

bool share_own(struct pmap *pm, vaddr_t va)
{
    pde_t *pde = &pm->pgdir[PDX(va)];
    struct frame *table = frame_of_pa(PTE_ADDR(*pde));

    if (table->pins && !part(pm, va, table))
        return false;
    if (!rights_hold(pm, table))
        take_over_all(table, va, NULL);
    __atomic_or_fetch(pde, PTE_W, __ATOMIC_SEQ_CST);
    return true;
}

void share_distrust(const pte_t *table)
{
    table_of(table)->flags |= FRAME_STALE;
}

/* ---- Removing ---- */

struct count {
    unsigned present, resident, file;
};

static struct count count_entries(const pte_t *pte, unsigned n)
{
    const pte_t *const end = pte + n;
    struct count c = {0};

    for (; (pte = first_used(pte, end)) < end; pte++) {
        c.present++;
        c.resident += frame_of_pa(PTE_ADDR(*pte))->kind != FRAME_ZERO;
        c.file += frame_of_pa(PTE_ADDR(*pte))->kind == FRAME_OBJECT;
    }
    return c;
}

/* Others keep the table: what was mapped is found again by faults, as far as it is still there. */
static void let_go(struct pmap *pm, struct frame *table)
{
    leave(pm, table);
    write_once(pm->pgdir[table->table.pdx], 0);
    mmu_flush_pages(pm->pgdir, (vaddr_t)table->table.pdx << 22, PT_ENTRIES);
}

pte_t *share_remove(struct pmap *pm, pte_t *pte, vaddr_t start, vaddr_t end, unsigned *budget)
{
    struct frame *table = frame_of(pte);
    struct count c;

    if (!table->pins)
        return pte;
    if (pm->dying) {
        let_go(pm, table);
        --*budget;
        return NULL;
    }
    c = count_entries(pte + PTX(start), (end - start) >> PAGE_SHIFT);
    if (!c.present)
        return NULL;
    *budget -= *budget < OWN_UNITS ? *budget : OWN_UNITS;
    if (c.present < table->table.used && share_own(pm, start))
        return pmap_table(pm, start);
    c = count_entries(pte, PT_ENTRIES);
    share_distrust(pte);
    pm->resident -= c.resident;
    pm->resident_file -= c.file;
    let_go(pm, table);
    return NULL;
}
