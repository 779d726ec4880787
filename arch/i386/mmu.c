/* arch/mmu.h on the real machine: directories, CR3, the TLB, page contents. */
#include "arch/i386/i386.h"
#include "arch/i386/platform/shootdown.h"
#include "arch/processors.h"
#include "libc/shared.h"
#include "libc/string.h"

#define KERNEL_PDE   PDX(USER_TOP) /* the kernel half is the same in every directory */
#define FLUSH_SINGLY 32u           /* pages: above it one full flush is cheaper */

void mmu_init_directory(pde_t *pgdir)
{
    void *dst = pgdir + KERNEL_PDE;
    const void *src = kernel_pgdir + KERNEL_PDE;
    uint32_t count = PT_ENTRIES - KERNEL_PDE;

    __asm__ volatile("rep movsl" : "+D"(dst), "+S"(src), "+c"(count) : : "memory");
}

pde_t *mmu_kernel_directory(void)
{
    return kernel_pgdir;
}

void mmu_load(pde_t *pgdir)
{
    write_release(cpu_self()->pgdir, pgdir); /* for shootdowns, which read it */
    write_cr3(virt_to_phys(pgdir));
}

pde_t *mmu_loaded(void)
{
    return cpu_self()->pgdir;
}

void mmu_flush_page(pde_t *pgdir, vaddr_t va)
{
    if (va >= USER_TOP || pgdir == mmu_loaded())
        invlpg(va);
    if (__builtin_expect(cpus_online > 1, 0))
        shootdown(pgdir, va, 1);
}

void mmu_forget_pages(pde_t *pgdir, vaddr_t va, unsigned n)
{
    if (n > FLUSH_SINGLY) {
        write_cr3(virt_to_phys(pgdir));
        return;
    }
    for (; n > 0; n--, va += PAGE_SIZE)
        invlpg(va);
}

void mmu_flush_pages(pde_t *pgdir, vaddr_t va, unsigned n)
{
    if (pgdir == mmu_loaded())
        mmu_forget_pages(pgdir, va, n);
    if (__builtin_expect(cpus_online > 1, 0))
        shootdown(pgdir, va, n);
}
