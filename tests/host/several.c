/* Several processors, in one space or in several: see several.h. */
#include "tests/host/several.h"
#include "arch/i386/platform/shootdown.h"
#include "arch/processors.h"
#include "tests/host/stage.h"

#define AWAY     (AT + 0x100000u)
#define WITHHELD (AT + 0x200000u)

const struct several_ways *several;
struct vm_space *several_in[HOST_CPUS];

/* ---- What the kernel's files need ---- */

void shootdown_forget(struct cpu *c, pde_t *pgdir, vaddr_t va, unsigned pages)
{
    if (c->pgdir == pgdir)
        machine_forget_pages(c->id, pgdir, va, pages);
}

/* ---- Programs ---- */

static struct vm_space *own(void)
{
    return several_in[host_self->id];
}

static void put_as(vaddr_t va, unsigned pages, struct vm_object *o, uint32_t pgoff, uint16_t flags)
{
    const struct vm_mapping m = {.addr = va,
                                 .len = pages * PAGE_SIZE,
                                 .prot = RW,
                                 .maxprot = ALL,
                                 .flags = flags | VM_FIXED,
                                 .object = o,
                                 .pgoff = pgoff};

    vm_map(own(), &m, NULL);
}

static void put(vaddr_t va, unsigned pages, struct vm_object *o, uint32_t pgoff)
{
    put_as(va, pages, o, pgoff, 0);
}

void several_access(vaddr_t va, bool write)
{
    const enum vm_access how = write ? VM_WRITE : VM_READ;
    uint32_t *at;

    for (;;) {
        enum vm_result r = VM_MINOR;

        several->user_mode();
        at = machine_translate(host_self->id, own()->pmap.pgdir, va, write);
        if (at)
            break;
        if (!vm_fault_alone(own(), va, how, true)) {
            several->enter();
            r = vm_fault(own(), va, how);
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

/* With the kernel lock. What the processor has cached goes with the tables. */
static void load_tables(struct vm_space *sp)
{
    machine_forget_all(host_self->id);
    mmu_load(sp ? sp->pmap.pgdir : mmu_kernel_directory());
    several_in[host_self->id] = sp;
}

/* Who withholds something from a child shares no page tables with it. */
static struct vm_space *fork_stage(bool withholding)
{
    struct vm_space *forked = NULL;

    if (withholding)
        map(WITHHELD, 1, RW, VM_DONTFORK, NULL, 0);
    if (vm_space_fork(s, &forked))
        forked = NULL;
    if (withholding)
        vm_unmap(s, WITHHELD, PAGE_SIZE);
    return forked;
}

void several_go(enum several_where where, unsigned pages)
{
    struct vm_space *before, *next = NULL;

    several->enter();
    before = own();
    if (where == IN_STAGE)
        next = s;
    else if (where == IN_CHILD || where == IN_KIN)
        next = fork_stage(where == IN_KIN);
    else if (where == IN_OTHER)
        next = vm_space_create();
    if (where != NOWHERE && !next)
        next = s;
    load_tables(next);
    if (where == IN_OTHER && next != s)
        put(AT, pages, NULL, 0);
    several->leave();
    if (before && before != s)
        vm_space_unref(before);
    called();
}

/* What goes without the kernel lock is unmap, protect, map, advise, fork, and what only looks. */
static bool needs_kernel(unsigned what)
{
    return what == 6 || what == 8 || what == SEVERAL_RECLAIM;
}

void several_call(unsigned what, vaddr_t va)
{
    struct vm_space *sp = own(), *copy = NULL;
    struct vm_space_stats of_space;
    struct vm_area_info area;
    struct mem_stats of_memory;
    vaddr_t at;

    if (needs_kernel(what))
        several->enter();
    switch (what) {
    case 0:
        put(va, 1, NULL, 0); /* in place of what is there */
        break;
    case 1:
        vm_unmap(sp, va, PAGE_SIZE);
        put(va, 1, NULL, 0);
        break;
    case 2:
        vm_protect(sp, va, PAGE_SIZE, VM_PROT_READ);
        called();
        vm_protect(sp, va, PAGE_SIZE, RW);
        break;
    case 3:
        if (vm_space_fork(sp, &copy) == 0)
            vm_space_unref(copy);
        break;
    case 4:
        vm_advise(sp, va, PAGE_SIZE, VM_ADVICE_DONTNEED);
        break;
    case 5:
        put(va, 1, file, 1);
        break;
    case 6: /* away and back */
        remap(sp, va, PAGE_SIZE, PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_FIXED, AWAY, &at);
        called();
        remap(sp, AWAY, PAGE_SIZE, PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_FIXED, va, &at);
        put(va, 1, NULL, 0);
        break;
    case 7:
        vm_advise(sp, va, PAGE_SIZE, VM_ADVICE_FREE);
        break;
    case 8:
        vm_lock_range(sp, va, PAGE_SIZE, VM_LOCKED, UINT32_MAX);
        vm_lock_range(sp, va, PAGE_SIZE, 0, UINT32_MAX);
        break;
    case SEVERAL_RECLAIM:
        reclaim();
        break;
    default: /* what only looks */
        vm_space_stats(sp, &of_space);
        vm_next_area(sp, va, &area);
        mm_stats(&of_memory);
        break;
    }
    called();
    several->leave();
}

void several_call_beside(unsigned what, vaddr_t va)
{
    const uint32_t page = (va - AT) / PAGE_SIZE;
    struct vm_space *sp = own();

    switch (what) {
    case 0:
        vm_unmap(sp, va, PAGE_SIZE);
        put(va, 1, NULL, 0);
        break;
    case 1: /* the same pages of the file in each space */
        vm_unmap(sp, va, PAGE_SIZE);
        put(va, 1, file, page);
        break;
    case 2: /* and others */
        put(va, 1, file, page + host_self->id);
        break;
    case 3:
        put_as(va, 1, file, page, VM_SHARED);
        break;
    default:
        vm_unmap(sp, va, PAGE_SIZE);
        vm_unmap(sp, va - PAGE_SIZE, 2 * PAGE_SIZE);
        put(va - PAGE_SIZE, 2, file, page);
        break;
    }
    called();
    several->leave();
}
