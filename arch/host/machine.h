/*
 * The fake machine of the host tests: RAM from malloc, page tables walked in software, and several
 * CPUs each with a TLB of its own. The TLBs never forget by themselves: what mm/ does not flush
 * stays, as it may on real hardware, and shows as a wrong value.
 */
#ifndef ARCH_HOST_MACHINE_H
#define ARCH_HOST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include "mm/vm.h"

#define HOST_CPUS 3

/* Powers on with so much RAM and runs mm_init; drops all earlier state. */
void machine_init(uint32_t ram_bytes);
void machine_off(void);

/* One 32-bit load or store by a program in s on a CPU, through that CPU's TLB; faults are taken to
 * vm_fault. VM_MINOR when no fault was needed. */
enum vm_result machine_load(unsigned cpu, struct vm_space *s, vaddr_t va, uint32_t *value);
enum vm_result machine_store(unsigned cpu, struct vm_space *s, vaddr_t va, uint32_t value);

/* Faults taken by the last load or store. */
extern unsigned machine_faults;

/* Figures of flushing since power-on. */
extern unsigned machine_page_flushes, machine_full_flushes;

/* Forgets every cached translation: for tests that look at the tables alone. */
void machine_forget(void);

/* The entry the tables hold for va now, 0 when there is no table. */
pte_t machine_entry(struct vm_space *s, vaddr_t va);

#endif
