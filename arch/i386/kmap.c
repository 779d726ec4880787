/*
 * The kernel half of the address space: the 1:1 window, and above it device windows and guarded
 * kernel stacks.
 *
 * Invariant: after kmap_init_top() no entry of the kernel half of kernel_pgdir changes any more, so
 * that every page directory may hold a copy; only entries of the shared page tables do.
 *
 * The first 8 MiB, which hold the kernel image, have 4 KiB pages (kernel_tables); the rest of the
 * window 4 MiB pages, or 4 KiB ones where the CPU has no PSE. All are global where it has PGE.
 */
#include "arch/i386/i386.h"
#include "arch/lock.h"
#include "libc/string.h"

#define IMAGE_SPAN (2 * PT_SPAN) /* mapped by kernel_tables */

static struct spinlock kmap_lock = SPINLOCK_INIT("kmap", LOCK_RANK_LEAF);
static vaddr_t device_next = DEVICE_BASE; /* [kmap_lock] */
static uint32_t kstack_tables;
static paddr_t window_end = IMAGE_SPAN;

static uint32_t global_flag(void)
{
    return cpu_features & CPU_PGE ? PTE_G : 0;
}

static void map_pages(vaddr_t start, vaddr_t end, uint32_t flags)
{
    pte_t *e = &kernel_tables[virt_to_phys((void *)start) / PAGE_SIZE];
    const pte_t *last = &kernel_tables[virt_to_phys((void *)end) / PAGE_SIZE];

    for (pte_t value = virt_to_phys((void *)start) | flags; e < last; value += PAGE_SIZE)
        *e++ = value;
}

static void map_image(void)
{
    const uint32_t flags = PTE_P | global_flag();

    map_pages(PHYS_WINDOW, PHYS_WINDOW + IMAGE_SPAN, flags | PTE_W);
    map_pages((vaddr_t)kernel_text_start, (vaddr_t)kernel_rodata_end, flags);
    kernel_tables[virt_to_phys(boot_stack_guard) / PAGE_SIZE] = 0;
}

/* Maps 4 MiB from pa with 4 KiB pages. The table has to lie in what is mapped already. */
static bool map_small(paddr_t pa)
{
    paddr_t table_pa = memmap_take_frame(pa);
    pte_t *table;

    if (!table_pa)
        return false;
    table = phys_to_virt(table_pa);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        table[i] = (pa + i * PAGE_SIZE) | PTE_P | PTE_W | global_flag();
    kernel_pgdir[PDX(phys_to_virt(pa))] = table_pa | PTE_P | PTE_W;
    return true;
}

static void map_large(paddr_t pa)
{
    kernel_pgdir[PDX(phys_to_virt(pa))] = pa | PTE_P | PTE_W | PTE_PS | global_flag();
}

paddr_t kmap_init(void)
{
    paddr_t top = memmap_top();
    paddr_t pa = IMAGE_SPAN;

    map_image();
    for (; pa < top; pa += PT_SPAN) {
        if (cpu_features & CPU_PSE)
            map_large(pa);
        else if (!map_small(pa))
            break;
    }
    kernel_pgdir[0] = kernel_pgdir[1] = 0;
    write_cr3(read_cr3());
    cpu_enable_global_pages();
    window_end = pa;
    return pa;
}

paddr_t kmap_window_end(void)
{
    return window_end;
}

static bool add_table(vaddr_t va)
{
    paddr_t pa = memmap_take_frame(window_end);

    if (!pa)
        return false;
    page_zero(phys_to_virt(pa));
    kernel_pgdir[PDX(va)] = pa | PTE_P | PTE_W;
    return true;
}

pte_t *kmap_entry(vaddr_t va)
{
    pte_t *table = phys_to_virt(PTE_ADDR(kernel_pgdir[PDX(va)]));

    return &table[PTX(va)];
}

/* An empty page in every place of LOCAL_BASE. */
static bool add_local_pages(void)
{
    paddr_t empty = memmap_take_frame(window_end);

    if (!empty || !add_table(LOCAL_BASE))
        return false;
    page_zero(phys_to_virt(empty));
    for (unsigned i = 0; i < LOCAL_PAGES; i++)
        *kmap_entry(LOCAL_BASE + i * PAGE_SIZE) = empty | PTE_P;
    return true;
}

/* Stack tables by the size of RAM: 341 stacks for every 16 MiB. */
bool kmap_init_top(uint32_t ram_kib)
{
    uint32_t wanted = ram_kib / 16384 + 1;

    for (unsigned i = 0; i < DEVICE_TABLES; i++)
        if (!add_table(DEVICE_BASE + i * PT_SPAN))
            return false;
    if (wanted > KSTACK_TABLES)
        wanted = KSTACK_TABLES;
    while (kstack_tables < wanted && add_table(KSTACK_BASE + kstack_tables * PT_SPAN))
        kstack_tables++;
    return kstack_tables > 0 && add_local_pages();
}

uint32_t kmap_kstack_bytes(void)
{
    return kstack_tables * PT_SPAN;
}

/* ---- The framebuffer ---- */

#define MSR_PAT    0x277
#define PAT_WC     1u      /* write-combining */
#define PDE_PAT    0x1000u /* entry 4 of the table, with PCD and PWT clear */
#define PDE_HIGH32 13      /* PSE-36: address bits 32 to 39 are here */

/* The firmware's table has nothing in entry 4 that entries 0 to 3 have not. [SDM 3A 11.12.4] */
static bool pat_init(void)
{
    uint32_t low, high;

    if ((cpu_features & (CPU_PAT | CPU_MSR)) != (CPU_PAT | CPU_MSR))
        return false;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_PAT));
    high = (high & ~0xffu) | PAT_WC;
    __asm__ volatile("wrmsr" : : "a"(low), "d"(high), "c"(MSR_PAT));
    return true;
}

static bool framebuffer_large(uint64_t first, unsigned tables)
{
    uint32_t flags = PTE_P | PTE_W | PTE_PS | global_flag();

    if ((first >> 32) && !(cpu_features & CPU_PSE36))
        return false;
    flags |= pat_init() ? PDE_PAT : PTE_PCD;
    for (unsigned i = 0; i < tables; i++) {
        uint64_t pa = first + (uint64_t)i * PT_SPAN;
        kernel_pgdir[PDX(FB_BASE) + i] =
            (uint32_t)pa | (uint32_t)(pa >> 32 & 0xff) << PDE_HIGH32 | flags;
    }
    return true;
}

static bool framebuffer_small(uint64_t first, unsigned tables)
{
    if (first >> 32)
        return false;
    for (unsigned i = 0; i < tables; i++) {
        paddr_t table_pa = memmap_take_frame(memmap_top());
        pte_t *table = phys_to_virt(table_pa);
        if (!table_pa)
            return false;
        for (unsigned j = 0; j < PT_ENTRIES; j++)
            table[j] = ((uint32_t)first + i * PT_SPAN + j * PAGE_SIZE) | PTE_P | PTE_W | PTE_PCD;
        kernel_pgdir[PDX(FB_BASE) + i] = table_pa | PTE_P | PTE_W;
    }
    return true;
}

void *kmap_framebuffer(uint64_t pa, uint32_t size)
{
    uint32_t offset = (uint32_t)pa & (PT_SPAN - 1);
    unsigned tables = (unsigned)(((uint64_t)offset + size + PT_SPAN - 1) / PT_SPAN);
    uint64_t first = pa - offset;

    if (tables > FB_TABLES)
        return NULL;
    if (!(cpu_features & CPU_PSE ? framebuffer_large(first, tables)
                                 : framebuffer_small(first, tables)))
        return NULL;
    return (void *)(FB_BASE + offset);
}

bool kmap_is_mapped(vaddr_t va)
{
    pde_t pde = kernel_pgdir[PDX(va)];

    if (va < USER_TOP || !(pde & PTE_P))
        return false;
    return (pde & PTE_PS) || (*kmap_entry(va) & PTE_P);
}

void *map_device(paddr_t pa, size_t size, uint32_t flags)
{
    uint32_t offset = pa & ~PAGE_MASK;
    size_t span = (offset + size + PAGE_SIZE - 1) & PAGE_MASK;
    vaddr_t va = 0;

    spin_lock(&kmap_lock);
    if (size && span >= size && span <= DEVICE_BASE + DEVICE_TABLES * PT_SPAN - device_next) {
        va = device_next;
        device_next += span;
        for (size_t i = 0; i < span; i += PAGE_SIZE)
            *kmap_entry(va + i) = ((pa & PAGE_MASK) + i) | PTE_P | PTE_W | flags | global_flag();
    }
    spin_unlock(&kmap_lock);
    return va ? (void *)(va + offset) : NULL;
}
