/*
 * Programs on the fake machine (arch/host/machine.h): their loads and stores, whose faults mm/
 * resolves.
 */
#ifndef TESTS_HOST_PROGRAM_H
#define TESTS_HOST_PROGRAM_H

#include "arch/host/machine.h"
#include "mm/vm.h"

/* Powers on with so much RAM and runs mm_init. */
void machine_with_mm(uint32_t ram_bytes);

/* One 32-bit load or store by a program in s on a CPU. VM_MINOR when no fault was needed. */
enum vm_result program_load(unsigned cpu, struct vm_space *s, vaddr_t va, uint32_t *value);
enum vm_result program_store(unsigned cpu, struct vm_space *s, vaddr_t va, uint32_t value);

/* Faults taken by the last of them. */
extern unsigned program_faults;

/* The entry the tables hold for va now, 0 when there is no table. */
pte_t program_entry(const struct vm_space *s, vaddr_t va);

#endif
