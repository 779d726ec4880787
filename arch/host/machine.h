/*
 * The fake machine of the host tests: RAM from malloc, page tables walked in software, and several
 * CPUs each with a TLB of its own. The TLBs forget by themselves only the page that faulted: what
 * mm/ does not flush stays, as it may on real hardware, and shows as a wrong value.
 */
#ifndef ARCH_HOST_MACHINE_H
#define ARCH_HOST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/cpu.h"
#include "arch/mmu.h"

#define HOST_CPUS 3

/* Powers on with so much RAM; drops all earlier state. */
void machine_power_on(uint32_t ram_bytes);
void machine_off(void);

/* Where a 32-bit load or store by a program whose tables are pgdir goes on a CPU, by that CPU's
 * TLB; NULL: it faults. */
uint32_t *machine_translate(unsigned cpu, const pde_t *pgdir, vaddr_t va, bool write);

/* Figures of flushing since power-on. */
extern unsigned machine_page_flushes, machine_full_flushes;

/*
 * For tests that run several CPUs by turns, host_self being the one that runs; NULL: one CPU, and a
 * flush reaches every TLB at once. With machine_shootdown the others forget when
 * machine_forget_pages() is called for them.
 */
extern struct cpu host_cpus[HOST_CPUS];
extern void (*machine_shootdown)(pde_t *pgdir, vaddr_t va, unsigned n);
extern void (*machine_on_spin)(void); /* a lock is held */
extern void (*machine_on_lock)(void); /* one has been taken, or is about to be let go */
extern void (*machine_on_need)(void); /* what began without the kernel lock comes to need it */
void machine_forget_pages(unsigned cpu, const pde_t *pgdir, vaddr_t va, unsigned n);
void machine_forget_all(unsigned cpu);
/* The n-th place of a TLB; false: it is empty. */
bool machine_cached(unsigned cpu, unsigned n, const pde_t **pgdir, vaddr_t *va, pte_t *entry);
#define TLB_ENTRIES 256u
/* The same of what is cached of directories. */
bool machine_cached_table(unsigned cpu, unsigned n, const pde_t **pgdir, pde_t *entry);
#define DIRECTORY_ENTRIES 32u

/* Runs before an entry changes, when another CPU may still use it; NULL: nothing does. */
extern void (*machine_on_exchange)(const pte_t *entry);

/* Forgets every cached translation: for tests that look at the tables alone. */
void machine_forget(void);

/* The entry the tables hold for va now, 0 when there is no table; writable if the directory agrees.
 */
pte_t machine_entry(const pde_t *pgdir, vaddr_t va);

#endif
