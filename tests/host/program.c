/* Programs on the fake machine: see program.h. */
#include "tests/host/program.h"
#include <stdio.h>
#include <stdlib.h>
#include "mm/mm.h"
#include "tests/host/port.h"

unsigned program_faults;

void machine_with_mm(uint32_t ram_bytes)
{
    struct mem_range range = {PAGE_SIZE, ram_bytes};

    machine_power_on(ram_bytes);
    if (mm_init(&range, 1, &host_port)) {
        fprintf(stderr, "mm_init failed\n");
        abort();
    }
}

pte_t program_entry(const struct vm_space *s, vaddr_t va)
{
    return machine_entry(s->pmap.pgdir, va);
}

static enum vm_result access_word(unsigned cpu, struct vm_space *s, vaddr_t va, bool write,
                                  uint32_t *value)
{
    enum vm_result r = VM_MINOR;

    program_faults = 0;
    for (;;) {
        uint32_t *at = machine_translate(cpu, s->pmap.pgdir, va, write);
        enum vm_result this;
        if (at) {
            if (write)
                *at = *value;
            else
                *value = *at;
            return r;
        }
        if (++program_faults > 4) {
            fprintf(stderr, "the fault at %08x does not end\n", va);
            abort();
        }
        this = vm_fault(s, va, write ? VM_WRITE : VM_READ);
        if (this != VM_MINOR && this != VM_MAJOR)
            return this;
        if (this == VM_MAJOR)
            r = VM_MAJOR;
    }
}

enum vm_result program_load(unsigned cpu, struct vm_space *s, vaddr_t va, uint32_t *value)
{
    return access_word(cpu, s, va, false, value);
}

enum vm_result program_store(unsigned cpu, struct vm_space *s, vaddr_t va, uint32_t value)
{
    return access_word(cpu, s, va, true, &value);
}
