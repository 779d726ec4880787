/* The stage of the tests of mm/: see stage.h. */
#include "tests/host/stage.h"
#include <string.h>
#include "mm/mm.h"

struct vm_space *s, *child;
struct vm_object *file;
int pager_error, pager_calls;

static int test_get(struct vm_object *o, struct vm_run *run)
{
    (void)o;
    pager_calls++;
    if (pager_error)
        return pager_error;
    for (unsigned i = 0; i < run->count; i++)
        memset(run->page[i], 0x40 + (int)(run->index + i), PAGE_SIZE);
    return (int)run->count;
}

const struct pager test_pager = {.name = "test", .get = test_get};

uint32_t file_word(unsigned index)
{
    return (0x40 + index) * 0x01010101u;
}

void stage_up(void)
{
    machine_with_mm(RAM);
    pager_error = pager_calls = 0;
    s = vm_space_create();
    child = NULL;
    file = vm_object_create(&test_pager, NULL, 8 * PAGE_SIZE);
}

void stage_down(void)
{
    struct mem_stats st;

    mm_inject_failure(0);
    EXPECT_EQ(mm_check(), 0);
    if (child)
        vm_space_unref(child);
    if (s)
        vm_space_unref(s);
    if (file)
        vm_object_unref(file);
    EXPECT_EQ(mm_check(), 0);
    mm_stats(&st);
    EXPECT_EQ(st.anon, 0);
    EXPECT_EQ(st.cached, 0);
    EXPECT_EQ(st.tables, 0);
    EXPECT_EQ(frame_count(FRAME_LEAF), 0);
    EXPECT_EQ(frame_count(FRAME_ORPHAN), 0);
    machine_off();
}

int map(vaddr_t at, unsigned pages, uint8_t prot, uint16_t flags, struct vm_object *o,
        uint32_t pgoff)
{
    struct vm_mapping m = {.addr = at,
                           .len = pages * PAGE_SIZE,
                           .prot = prot,
                           .maxprot = ALL,
                           .flags = flags | VM_FIXED,
                           .object = o,
                           .pgoff = pgoff};

    return vm_map(s, &m, NULL);
}

int remap(struct vm_space *sp, vaddr_t addr, size_t old, size_t new, unsigned flags, vaddr_t to,
          vaddr_t *at)
{
    const struct vm_remap r = {addr, old, new, flags, to, UINT32_MAX};

    return vm_remap(sp, &r, at);
}

uint32_t load(struct vm_space *sp, vaddr_t va)
{
    uint32_t value = 0xbad;

    EXPECT(program_load(0, sp, va, &value) <= VM_MAJOR);
    return value;
}

void store(struct vm_space *sp, vaddr_t va, uint32_t value)
{
    EXPECT(program_store(0, sp, va, value) <= VM_MAJOR);
}

pfn_t frame_at(struct vm_space *sp, vaddr_t va)
{
    return program_entry(sp, va) >> PAGE_SHIFT;
}

bool writable_at(struct vm_space *sp, vaddr_t va)
{
    return program_entry(sp, va) & PTE_W;
}

uint32_t anons(void)
{
    return frame_count(FRAME_ANON);
}
