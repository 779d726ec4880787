/*
 * Local pages of spaces: mm/local.h
 *
 * They are the one part of the kernel half that is not the same in every directory, so that they
 * change with the directory, at no cost. A space that has none has the kernel directory's entry
 * there, whose pages are empty; one that has some has a table of its own, where the empty page
 * stands for those that were never written. Only the frames' usual addresses are written to.
 */
#include "mm/local.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/mm.h"

static pde_t *place(const struct vm_space *s)
{
    return &s->pmap.pgdir[PDX(LOCAL_BASE)];
}

static pde_t usual(void)
{
    return mmu_kernel_directory()[PDX(LOCAL_BASE)];
}

/* NULL: there is none. Only addresses are compared, since the processor marks what it used. */
static pte_t *own_table(const struct vm_space *s)
{
    return PTE_ADDR(*place(s) ^ usual()) ? phys_to_virt(PTE_ADDR(*place(s))) : NULL;
}

static pte_t empty_entry(unsigned page)
{
    return usual() ? ((pte_t *)phys_to_virt(PTE_ADDR(usual())))[page] : 0;
}

static bool is_empty(const pte_t *table, unsigned page)
{
    return !PTE_ADDR(table[page] ^ empty_entry(page));
}

static void *page_of(pte_t entry)
{
    return phys_to_virt(PTE_ADDR(entry));
}

/* The table, made if need be. */
static pte_t *make_table(struct vm_space *s)
{
    pte_t *table = own_table(s);

    if (table)
        return table;
    table = kalloc_zeroed();
    if (!table)
        return NULL;
    for (unsigned i = 0; i < LOCAL_PAGES; i++)
        table[i] = empty_entry(i);
    *place(s) = virt_to_phys(table) | PTE_P | PTE_W;
    return table;
}

/* The page, made if need be. */
static void *make_page(struct vm_space *s, unsigned n)
{
    pte_t *table = make_table(s);
    void *page;

    if (!table || !is_empty(table, n))
        return table ? page_of(table[n]) : NULL;
    page = kalloc_zeroed();
    if (page)
        table[n] = virt_to_phys(page) | PTE_P;
    return page;
}

int vm_local_write(struct vm_space *s, uint32_t offset, const void *buf, size_t n)
{
    unsigned at = offset / PAGE_SIZE;
    uint8_t *page;

    spin_lock(&vm_lock);
    page = make_page(s, at);
    if (page) {
        memcpy(page + offset % PAGE_SIZE, buf, n);
        mmu_flush_page(s->pmap.pgdir, LOCAL_BASE + at * PAGE_SIZE);
    }
    spin_unlock(&vm_lock);
    return page ? 0 : -ENOMEM;
}

bool vm_local_read(struct vm_space *s, uint32_t offset, void *buf, size_t n)
{
    unsigned at = offset / PAGE_SIZE;
    const pte_t *table;

    spin_lock(&vm_lock);
    table = own_table(s);
    if (table && !is_empty(table, at))
        memcpy(buf, (uint8_t *)page_of(table[at]) + offset % PAGE_SIZE, n);
    else
        memset(buf, 0, n);
    spin_unlock(&vm_lock);
    return table;
}

int local_copy(const struct vm_space *from, struct vm_space *to)
{
    const pte_t *table = own_table(from);
    void *page;

    if (!table)
        return 0;
    if (!make_table(to))
        return -ENOMEM;
    for (unsigned i = 0; i < LOCAL_PAGES; i++) {
        if (is_empty(table, i))
            continue;
        page = make_page(to, i);
        if (!page)
            return -ENOMEM;
        page_copy(page, page_of(table[i]));
    }
    return 0;
}

void local_drop(struct vm_space *s)
{
    pte_t *table = own_table(s);

    if (!table)
        return;
    *place(s) = usual();
    for (unsigned i = 0; i < LOCAL_PAGES; i++)
        if (!is_empty(table, i))
            kfree(page_of(table[i]));
    kfree(table);
}

uint32_t local_frames(const struct vm_space *s)
{
    const pte_t *table = own_table(s);
    uint32_t n = table != NULL;

    for (unsigned i = 0; table && i < LOCAL_PAGES; i++)
        n += !is_empty(table, i);
    return n;
}
