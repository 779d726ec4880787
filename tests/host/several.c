/* Several processors in one space: see several.h. */
#include "tests/host/several.h"
#include "arch/i386/platform/shootdown.h"
#include "arch/processors.h"
#include "tests/host/stage.h"

#define AWAY (AT + 0x100000u)

const struct several_ways *several;

/* ---- What the kernel's files need ---- */

unsigned cpus_online = HOST_CPUS;

struct cpu *cpu_get(unsigned id)
{
    return id < HOST_CPUS ? &host_cpus[id] : NULL;
}

void shootdown_forget(struct cpu *c, pde_t *pgdir, vaddr_t va, unsigned pages)
{
    if (c->pgdir == pgdir)
        machine_forget_pages(c->id, pgdir, va, pages);
}

/* ---- Programs ---- */

void several_access(vaddr_t va, bool write)
{
    const enum vm_access how = write ? VM_WRITE : VM_READ;
    uint32_t *at;

    for (;;) {
        enum vm_result r = VM_MINOR;

        several->user_mode();
        at = machine_translate(host_self->id, s->pmap.pgdir, va, write);
        if (at)
            break;
        if (!vm_fault_alone(s, va, how, true)) {
            several->enter();
            r = vm_fault(s, va, how);
            several->leave();
        }
        if (r != VM_MINOR && r != VM_MAJOR)
            return; /* it would have its signal */
    }
    if (write)
        __atomic_store_n(at, va ^ host_self->id, __ATOMIC_RELAXED);
    else
        (void)__atomic_load_n(at, __ATOMIC_RELAXED);
}

static void called(void)
{
    if (several->called)
        several->called();
}

void several_call(unsigned what, vaddr_t va)
{
    struct vm_space *copy = NULL;
    struct vm_space_stats of_space;
    struct vm_area_info area;
    struct mem_stats of_memory;
    vaddr_t at;

    several->enter();
    switch (what) {
    case 0:
        map(va, 1, RW, 0, NULL, 0); /* in place of what is there */
        break;
    case 1:
        vm_unmap(s, va, PAGE_SIZE);
        map(va, 1, RW, 0, NULL, 0);
        break;
    case 2:
        vm_protect(s, va, PAGE_SIZE, VM_PROT_READ);
        called();
        vm_protect(s, va, PAGE_SIZE, RW);
        break;
    case 3:
        if (vm_space_fork(s, &copy) == 0)
            vm_space_unref(copy);
        break;
    case 4:
        vm_advise(s, va, PAGE_SIZE, VM_ADVICE_DONTNEED);
        break;
    case 5:
        map(va, 1, RW, 0, file, 1);
        break;
    case 6: /* away and back */
        remap(s, va, PAGE_SIZE, PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_FIXED, AWAY, &at);
        called();
        remap(s, AWAY, PAGE_SIZE, PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_FIXED, va, &at);
        map(va, 1, RW, 0, NULL, 0);
        break;
    case 7:
        vm_advise(s, va, PAGE_SIZE, VM_ADVICE_FREE);
        break;
    case 8:
        vm_lock_range(s, va, PAGE_SIZE, VM_LOCKED, UINT32_MAX);
        vm_lock_range(s, va, PAGE_SIZE, 0, UINT32_MAX);
        break;
    default: /* what only looks */
        vm_space_stats(s, &of_space);
        vm_next_area(s, va, &area);
        mm_stats(&of_memory);
        break;
    }
    called();
    several->leave();
}
