/*
 * The contract with the paging hardware: x86 two-level tables, 4 KiB user pages.
 * An entry is address | flags; the top 20 bits are the frame number. [SDM 3A 4.3]
 *
 * Rule 5 of the design: change the entry, flush, then free or reuse the frame.
 * Nothing here knows who owns a frame; that is mm/'s business.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define PT_ENTRIES 1024u     /* entries in a page directory or a page table */
#define PT_SPAN    0x400000u /* bytes mapped by one page table */

#ifndef USER_TOP             /* the host test with wide pointers has less of it */
#define USER_TOP 0x80000000u /* user addresses are below it */
#endif
#define USER_MIN 0x00010000u /* mmap_min_addr: below it maps only who has CAP_SYS_RAWIO */

/* Pages of the kernel half that each directory may have of its own; in the kernel's they are empty.
 * LDTR points there. */
#define LOCAL_BASE  0xffc00000u
#define LOCAL_PAGES 16u

typedef uint32_t paddr_t; /* physical address */
typedef uint32_t vaddr_t; /* virtual address as the hardware sees it */
typedef uint32_t pfn_t;   /* frame number: paddr >> PAGE_SHIFT */
typedef uint32_t pte_t;   /* entry of a page table */
typedef uint32_t pde_t;   /* entry of a page directory */

#define PTE_P   0x001u /* present */
#define PTE_W   0x002u /* writable */
#define PTE_U   0x004u /* user */
#define PTE_PWT 0x008u /* write-through */
#define PTE_PCD 0x010u /* cache disabled */
#define PTE_A   0x020u /* accessed, set by hardware */
#define PTE_D   0x040u /* dirty, set by hardware */
#define PTE_PS  0x080u /* 4 MiB page (directory entry) */
#define PTE_G   0x100u /* global: survives a CR3 load */

#define PDX(va)     ((vaddr_t)(va) >> 22)
#define PTX(va)     (((vaddr_t)(va) >> 12) & 0x3ff)
#define PTE_ADDR(e) ((paddr_t)((e)&PAGE_MASK))

/*
 * All RAM the kernel uses is mapped 1:1 at PHYS_WINDOW, at most PHYS_WINDOW_SIZE bytes of it.
 * The fake machine of the host tests has its RAM wherever malloc put it.
 */
#ifdef ARCH_HOST
extern uintptr_t host_ram_base;
#define PHYS_WINDOW host_ram_base
#else
#define PHYS_WINDOW 0x80000000u
#endif
#define PHYS_WINDOW_SIZE 0x78000000u

static inline void *phys_to_virt(paddr_t pa)
{
    return (void *)(PHYS_WINDOW + pa);
}

static inline paddr_t virt_to_phys(const void *va)
{
    return (paddr_t)((uintptr_t)va - PHYS_WINDOW);
}

/* Physical memory, page-aligned. */
struct mem_range {
    paddr_t start, end;
};

/*
 * The hardware sets A and D by itself at any time, so an entry that may be present is changed only
 * by an atomic exchange, which returns what was there, with the last A and D.
 */
#ifdef ARCH_HOST
pte_t mmu_exchange(pte_t *entry, pte_t value);
#else
static inline pte_t mmu_exchange(pte_t *entry, pte_t value)
{
    return __atomic_exchange_n(entry, value, __ATOMIC_SEQ_CST);
}
#endif

/* Fills the kernel half of a new page directory (the user half is the caller's). */
void mmu_init_directory(pde_t *pgdir);

/* Makes pgdir the running CPU's tables; drops its non-global TLB entries. */
void mmu_load(pde_t *pgdir);

/* The directory with the kernel half only: what runs when no space does. */
pde_t *mmu_kernel_directory(void);

/* The tables that the running CPU uses now. */
pde_t *mmu_loaded(void);

/* Drops what any CPU may have cached of the page at va in the tables of pgdir. */
void mmu_flush_page(pde_t *pgdir, vaddr_t va);

/* The same of n pages, one by one or, where that is cheaper, with the rest of the user half. */
void mmu_flush_pages(pde_t *pgdir, vaddr_t va, unsigned n);

/*
 * Maps device memory for good; flags are PTE_PCD and PTE_PWT. NULL when the device area is full.
 * The result is no 1:1 address: virt_to_phys() does not apply, nor does it to kernel stacks.
 */
void *map_device(paddr_t pa, size_t size, uint32_t flags);

/* Maps the boot loader's framebuffer, write-combining where the CPU can; once, at INIT_SCREEN.
 * NULL: it cannot be, and *why says so. */
void *map_framebuffer(uint64_t pa, uint32_t size, const char **why);

/* Page contents. Both addresses are page-aligned kernel addresses. */
void page_zero(void *page);
void page_copy(void *dst, const void *src);

#endif
