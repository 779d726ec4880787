/*
 * The fake machine: see machine.h. Implements arch/mmu.h for a host program.
 */
#include "arch/host/machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/cpu.h"
#include "arch/lock.h"
#include "arch/uaccess.h"
#include "libc/shared.h"

#define FLUSH_SINGLY 32u /* pages: above it all is flushed */

struct tlb_entry {
    const pde_t *pgdir; /* NULL: unused */
    vaddr_t page;
    pte_t entry;
};

struct cpu host_cpus[HOST_CPUS];
_Thread_local struct cpu *host_self = host_cpus;
void (*machine_shootdown)(pde_t *pgdir, vaddr_t va, unsigned n);
void (*machine_on_spin)(void);
void (*machine_on_lock)(void);
void (*machine_on_need)(void);
uintptr_t host_ram_base;
unsigned machine_page_flushes, machine_full_flushes;

static struct tlb_entry tlb[HOST_CPUS][TLB_ENTRIES];
/* What a CPU has cached of directories; any INVLPG of theirs drops it all. [SDM 3A 4.10.3] */
static struct directory_entry {
    const pde_t *pgdir; /* NULL: unused */
    unsigned pdx;
    pde_t entry;
} directories[HOST_CPUS][DIRECTORY_ENTRIES];
static uint8_t *ram;
static pde_t kernel_directory[PT_ENTRIES];

void machine_power_on(uint32_t ram_bytes)
{
    machine_off();
    ram = aligned_alloc(PAGE_SIZE, ram_bytes);
    if (!ram)
        abort();
    memset(ram, 0x5a, ram_bytes);
    host_ram_base = (uintptr_t)ram;
    for (unsigned c = 0; c < HOST_CPUS; c++)
        host_cpus[c] = (struct cpu){.id = c, .pgdir = kernel_directory};
    host_self = host_cpus;
    machine_forget();
    machine_page_flushes = machine_full_flushes = 0;
}

void machine_off(void)
{
    free(ram);
    ram = NULL;
}

/* ---- arch/mmu.h ---- */

static void forget_directory(unsigned cpu, const pde_t *pgdir)
{
    for (unsigned i = 0; i < DIRECTORY_ENTRIES; i++) {
        if (directories[cpu][i].pgdir == pgdir)
            directories[cpu][i].pgdir = NULL;
    }
}

void mmu_init_directory(pde_t *pgdir)
{
    if (machine_shootdown)
        return; /* it is loaded nowhere, and was not since its CPU last forgot all */
    for (unsigned c = 0; c < HOST_CPUS; c++) {
        forget_directory(c, pgdir);
        for (unsigned i = 0; i < TLB_ENTRIES; i++) {
            if (tlb[c][i].pgdir == pgdir)
                tlb[c][i].pgdir = NULL;
        }
    }
}

void (*machine_on_exchange)(const pte_t *entry);

pte_t mmu_exchange(pte_t *entry, pte_t value)
{
    if (machine_on_exchange)
        machine_on_exchange(entry);
    return __atomic_exchange_n(entry, value, __ATOMIC_SEQ_CST);
}

pde_t *mmu_kernel_directory(void)
{
    return kernel_directory;
}

void mmu_load(pde_t *pgdir)
{
    write_release(host_self->pgdir, pgdir);
}

pde_t *mmu_loaded(void)
{
    return host_self->pgdir;
}

static struct tlb_entry *tlb_slot(unsigned cpu, const pde_t *pgdir, vaddr_t va)
{
    return &tlb[cpu][((va >> PAGE_SHIFT) ^ ((uintptr_t)pgdir >> PAGE_SHIFT) * 7) % TLB_ENTRIES];
}

void machine_forget_pages(unsigned cpu, const pde_t *pgdir, vaddr_t va, unsigned n)
{
    forget_directory(cpu, pgdir);
    for (; n > 0; n--, va += PAGE_SIZE) {
        struct tlb_entry *t = tlb_slot(cpu, pgdir, va);
        if (t->pgdir == pgdir && t->page == (va & PAGE_MASK))
            t->pgdir = NULL;
    }
}

void machine_forget_all(unsigned cpu)
{
    memset(tlb[cpu], 0, sizeof(tlb[cpu]));
    memset(directories[cpu], 0, sizeof(directories[cpu]));
}

bool machine_cached(unsigned cpu, unsigned n, const pde_t **pgdir, vaddr_t *va, pte_t *entry)
{
    const struct tlb_entry *t = &tlb[cpu][n];

    *pgdir = t->pgdir;
    *va = t->page;
    *entry = t->entry;
    return t->pgdir != NULL;
}

bool machine_cached_table(unsigned cpu, unsigned n, const pde_t **pgdir, pde_t *entry)
{
    const struct directory_entry *d = &directories[cpu][n];

    *pgdir = d->pgdir;
    *entry = d->entry;
    return d->pgdir != NULL;
}

void mmu_flush_page(pde_t *pgdir, vaddr_t va)
{
    __atomic_add_fetch(&machine_page_flushes, 1, __ATOMIC_RELAXED);
    if (machine_shootdown) {
        machine_forget_pages(host_self->id, pgdir, va, 1);
        machine_shootdown(pgdir, va, 1);
        return;
    }
    for (unsigned c = 0; c < HOST_CPUS; c++)
        machine_forget_pages(c, pgdir, va, 1);
}

void mmu_flush_pages(pde_t *pgdir, vaddr_t va, unsigned n)
{
    if (machine_shootdown) {
        machine_forget_pages(host_self->id, pgdir, va, n);
        machine_shootdown(pgdir, va, n);
        return;
    }
    if (n > FLUSH_SINGLY) {
        machine_full_flushes++;
        mmu_init_directory(pgdir);
        return;
    }
    for (; n > 0; n--, va += PAGE_SIZE)
        mmu_flush_page(pgdir, va);
}

void page_zero(void *page)
{
    memset(page, 0, PAGE_SIZE);
}

void page_copy(void *dst, const void *src)
{
    memcpy(dst, src, PAGE_SIZE);
}

void machine_forget(void)
{
    memset(tlb, 0, sizeof(tlb));
    memset(directories, 0, sizeof(directories));
}

/* ---- The program's side ---- */

pte_t machine_entry(const pde_t *pgdir, vaddr_t va)
{
    const pde_t pde = pgdir[PDX(va)];

    if (!(pde & PTE_P))
        return 0;
    return ((pte_t *)phys_to_virt(PTE_ADDR(pde)))[PTX(va)] & (pde | ~PTE_W);
}

/* A and perhaps D, unless the right has gone meanwhile. Nobody calls it a race that the hardware
 * sets them while the kernel looks. */
__attribute__((no_sanitize("thread"))) static pte_t mark_used(pte_t *pte, bool write)
{
    pte_t now = read_once(*pte), used;

    do {
        if (!(now & PTE_P) || (write && !(now & PTE_W)))
            return 0;
        used = now | PTE_A | (write ? PTE_D : 0);
    } while (
        !__atomic_compare_exchange_n(pte, &now, used, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return used;
}

static struct directory_entry *directory_slot(unsigned cpu, const pde_t *pgdir, vaddr_t va)
{
    return &directories[cpu][(PDX(va) ^ ((uintptr_t)pgdir >> PAGE_SHIFT) * 7) % DIRECTORY_ENTRIES];
}

/* The directory entry as the CPU has it cached, now at the latest. */
static pde_t directory_entry(unsigned cpu, const pde_t *pgdir, vaddr_t va)
{
    struct directory_entry *d = directory_slot(cpu, pgdir, va);
    const pde_t now = read_acquire(pgdir[PDX(va)]);

    if ((d->pgdir != pgdir || d->pdx != PDX(va)) && (now & PTE_P))
        *d = (struct directory_entry){pgdir, PDX(va), now};
    return d->pgdir == pgdir && d->pdx == PDX(va) ? d->entry : 0;
}

/* What the hardware does on a miss: walk, set A and perhaps D, fill the TLB. A page may be written
 * to where both entries say so. [SDM 3A 4.6] */
static struct tlb_entry *fill_tlb(unsigned cpu, const pde_t *pgdir, vaddr_t va, bool write)
{
    const pde_t pde = directory_entry(cpu, pgdir, va);
    pte_t *pte = pde ? (pte_t *)phys_to_virt(PTE_ADDR(pde)) + PTX(va) : NULL;
    struct tlb_entry *t = tlb_slot(cpu, pgdir, va);
    pte_t used;

    if (!pte || !read_acquire(*pte) || (write && !(pde & PTE_W)))
        return NULL;
    used = mark_used(pte, write);
    if (!used)
        return NULL;
    *t = (struct tlb_entry){pgdir, (va & PAGE_MASK), used & (pde | ~PTE_W)};
    return t;
}

/* A fault makes the CPU forget the page, and the way to it. [SDM 3A 4.10.4.1] */
static uint32_t *fault(unsigned cpu, const pde_t *pgdir, vaddr_t va)
{
    tlb_slot(cpu, pgdir, va)->pgdir = NULL;
    directory_slot(cpu, pgdir, va)->pgdir = NULL;
    return NULL;
}

uint32_t *machine_translate(unsigned cpu, const pde_t *pgdir, vaddr_t va, bool write)
{
    struct tlb_entry *t = tlb_slot(cpu, pgdir, va);
    bool hit = t->pgdir == pgdir && t->page == (va & PAGE_MASK);

    if (hit && write && !(t->entry & PTE_W))
        return fault(cpu, pgdir, va);
    /* The first store through a clean translation walks again to set D. [SDM 3A 4.8] */
    if (!hit || (write && !(t->entry & PTE_D)))
        t = fill_tlb(cpu, pgdir, va, write);
    if (!t)
        return fault(cpu, pgdir, va);
    return (uint32_t *)((uint8_t *)phys_to_virt(PTE_ADDR(t->entry)) + (va & (PAGE_SIZE - 1)));
}

/* ---- arch/uaccess.h: the tests pass host memory as user memory; at NULL there is none ---- */

size_t copy_from_user_partial(void *dst, const void __user *usrc, size_t n)
{
    if (!usrc)
        return n;
    memcpy(dst, (__force const void *)usrc, n);
    return 0;
}

size_t copy_to_user_partial(void __user *udst, const void *src, size_t n)
{
    memcpy((__force void *)udst, src, n);
    return 0;
}

/* ---- arch/lock.h ---- */

void lock_debug_acquired(struct spinlock *l)
{
    for (unsigned i = 0; i + 1 < host_self->spin_depth; i++)
        KASSERT(host_self->held[i]->rank < l->rank);
    KASSERT(host_self->spin_depth <= CPU_HELD_LOCKS);
    host_self->held[host_self->spin_depth - 1] = l;
    if (machine_on_lock)
        machine_on_lock();
}

void cpu_point(void)
{
    if (machine_on_lock)
        machine_on_lock();
}

/* With one CPU nobody could let go of it. */
void cpu_answer(uint32_t rounds)
{
    (void)rounds;
    KASSERT(machine_on_spin);
    machine_on_spin();
}

void cpu_spin(void *lock)
{
    if (!spin_close_shared(lock))
        cpu_answer(1);
}

/* ---- arch/processors.h ---- */

unsigned cpus_online = HOST_CPUS;

struct cpu *cpu_get(unsigned id)
{
    return id < HOST_CPUS ? &host_cpus[id] : NULL;
}

void kernel_take(void)
{
    if (machine_on_need)
        machine_on_need();
}

void lock_debug_released(struct spinlock *l)
{
    KASSERT(host_self->spin_depth > 0 && host_self->held[host_self->spin_depth - 1] == l);
    if (machine_on_lock)
        machine_on_lock();
}
