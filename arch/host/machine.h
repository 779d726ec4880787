/*
 * The fake machine of the host tests: RAM from malloc, page tables walked in software, and several
 * CPUs each with a TLB of its own. The TLBs forget by themselves only the page that faulted: what
 * mm/ does not flush stays, as it may on real hardware, and shows as a wrong value.
 */
#ifndef ARCH_HOST_MACHINE_H
#define ARCH_HOST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
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

/* Runs before an entry changes, when another CPU may still use it; NULL: nothing does. */
extern void (*machine_on_exchange)(const pte_t *entry);

/* Forgets every cached translation: for tests that look at the tables alone. */
void machine_forget(void);

/* The entry the tables hold for va now, 0 when there is no table. */
pte_t machine_entry(const pde_t *pgdir, vaddr_t va);

#endif
