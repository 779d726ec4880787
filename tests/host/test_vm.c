/*
 * Directed tests of mm/ on the fake machine: one for each row of the fault table, then the calls
 * that change a space, then memory itself. After each test everything is torn down, mm_check() is
 * clean and no frame is left over.
 */
#include <string.h>
#include "tests/host/program.h"
#include "libc/errno.h"
#include "mm/dirty.h"
#include "mm/mm.h"
#include "tests/host/check.h"
#include "tests/host/port.h"

#define AT  0x20000000u
#define RAM (4u << 20)
#define RW  (VM_PROT_READ | VM_PROT_WRITE)
#define ALL 7

static struct vm_space *s, *child;
static struct vm_object *file;
static int pager_error, pager_calls;

/* ---- Helpers ---- */

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

static const struct pager test_pager = {.name = "test", .get = test_get};

static uint32_t file_word(unsigned index)
{
    return (0x40 + index) * 0x01010101u;
}

static void before(void)
{
    machine_with_mm(RAM);
    pager_error = pager_calls = 0;
    s = vm_space_create();
    child = NULL;
    file = vm_object_create(&test_pager, NULL, 8 * PAGE_SIZE);
}

static void after(void)
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

static int map(vaddr_t at, unsigned pages, uint8_t prot, uint16_t flags, struct vm_object *o,
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

static int remap(struct vm_space *sp, vaddr_t addr, size_t old, size_t new, unsigned flags,
                 vaddr_t to, vaddr_t *at)
{
    const struct vm_remap r = {addr, old, new, flags, to, UINT32_MAX};

    return vm_remap(sp, &r, at);
}

static uint32_t load(struct vm_space *sp, vaddr_t va)
{
    uint32_t value = 0xbad;

    EXPECT(program_load(0, sp, va, &value) <= VM_MAJOR);
    return value;
}

static void store(struct vm_space *sp, vaddr_t va, uint32_t value)
{
    EXPECT(program_store(0, sp, va, value) <= VM_MAJOR);
}

static pfn_t frame_at(struct vm_space *sp, vaddr_t va)
{
    return program_entry(sp, va) >> PAGE_SHIFT;
}

static bool writable_at(struct vm_space *sp, vaddr_t va)
{
    return program_entry(sp, va) & PTE_W;
}

static uint32_t anons(void)
{
    return frame_count(FRAME_ANON);
}

/* ---- The fault table, row by row ---- */

TEST(no_area_is_a_bad_address)
{
    uint32_t v;

    EXPECT_EQ(program_load(0, s, AT, &v), VM_BAD_ADDRESS);
    EXPECT_EQ(map(AT, 2, RW, 0, NULL, 0), 0);
    EXPECT_EQ(program_load(0, s, AT - 4, &v), VM_BAD_ADDRESS);
    EXPECT_EQ(program_store(0, s, AT + 2 * PAGE_SIZE, 1), VM_BAD_ADDRESS);
    EXPECT_EQ(vm_fault(s, USER_TOP, VM_READ), VM_BAD_ADDRESS);
    EXPECT_EQ(vm_fault(s, UINT32_MAX, VM_WRITE), VM_BAD_ADDRESS);
}

TEST(access_beyond_protection_is_a_bad_access)
{
    uint32_t v;

    map(AT, 1, VM_PROT_READ, 0, NULL, 0);
    map(AT + PAGE_SIZE, 1, 0, 0, NULL, 0);
    EXPECT_EQ(program_store(0, s, AT, 1), VM_BAD_ACCESS);
    EXPECT_EQ(load(s, AT), 0);
    EXPECT_EQ(program_load(0, s, AT + PAGE_SIZE, &v), VM_BAD_ACCESS);
    EXPECT_EQ(program_store(0, s, AT, 1), VM_BAD_ACCESS);
}

TEST(sole_anon_is_used_as_it_is)
{
    pfn_t frame;

    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT, 7);
    frame = frame_at(s, AT);
    vm_space_fork(s, &child);
    vm_space_unref(child);
    child = NULL;
    EXPECT(!writable_at(s, AT));
    store(s, AT, 8);
    EXPECT_EQ(frame_at(s, AT), frame);
    EXPECT(writable_at(s, AT));
    EXPECT_EQ(anons(), 1);
}

TEST(shared_anon_is_read_shared)
{
    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT, 7);
    vm_space_fork(s, &child);
    EXPECT_EQ(load(child, AT), 7);
    EXPECT_EQ(frame_at(child, AT), frame_at(s, AT));
    EXPECT(!writable_at(child, AT) && !writable_at(s, AT));
    EXPECT_EQ(anons(), 1);
}

TEST(shared_anon_is_copied_on_write)
{
    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT, 7);
    store(s, AT + 100, 9);
    vm_space_fork(s, &child);
    store(child, AT, 8);
    EXPECT_EQ(load(child, AT), 8);
    EXPECT_EQ(load(child, AT + 100), 9);
    EXPECT_EQ(load(s, AT), 7);
    EXPECT(frame_at(child, AT) != frame_at(s, AT));
    EXPECT(writable_at(child, AT));
    EXPECT_EQ(anons(), 2);
}

TEST(parent_write_after_fork_is_copied_too)
{
    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT, 7);
    vm_space_fork(s, &child);
    store(s, AT, 8);
    EXPECT_EQ(load(child, AT), 7);
    EXPECT_EQ(load(s, AT), 8);
}

TEST(anonymous_read_maps_the_zero_frame_read_only)
{
    map(AT, 2, RW, 0, NULL, 0);
    EXPECT_EQ(load(s, AT), 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), 0);
    EXPECT_EQ(frame_at(s, AT), frame_at(s, AT + PAGE_SIZE));
    EXPECT(!writable_at(s, AT));
    EXPECT_EQ(anons(), 0);
    store(s, AT, 5);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), 0);
}

TEST(anonymous_write_gets_a_zeroed_frame)
{
    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT + 8, 5);
    EXPECT_EQ(load(s, AT), 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE - 4), 0);
    EXPECT_EQ(program_faults, 0);
    EXPECT(writable_at(s, AT));
    EXPECT_EQ(anons(), 1);
}

TEST(past_the_end_of_an_object)
{
    uint32_t v;

    vm_object_resize(file, PAGE_SIZE + 1);
    map(AT, 3, RW, 0, file, 0);
    map(AT + 0x100000, 3, RW, VM_SHARED, file, 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), file_word(1) & 0xff);
    EXPECT_EQ(program_load(0, s, AT + 2 * PAGE_SIZE, &v), VM_PAST_END);
    EXPECT_EQ(program_store(0, s, AT + 2 * PAGE_SIZE, 1), VM_PAST_END);
    EXPECT_EQ(program_store(0, s, AT + 0x100000 + 2 * PAGE_SIZE, 1), VM_PAST_END);
}

TEST(absent_page_is_brought_in_and_major)
{
    uint32_t v;

    map(AT, 4, RW, 0, file, 2);
    EXPECT_EQ(program_load(0, s, AT + PAGE_SIZE, &v), VM_MAJOR);
    EXPECT_EQ(v, file_word(3));
    EXPECT_EQ(pager_calls, 1);
    EXPECT_EQ(program_load(0, s, AT + PAGE_SIZE, &v), VM_MINOR);
    EXPECT_EQ(pager_calls, 1);
}

TEST(pager_error_is_a_bus_error_and_leaves_nothing)
{
    uint32_t v;

    map(AT, 1, RW, 0, file, 0);
    pager_error = -EIO;
    EXPECT_EQ(program_load(0, s, AT, &v), VM_PAST_END);
    EXPECT_EQ(vm_object_pages(file), 0);
    pager_error = 0;
    EXPECT_EQ(load(s, AT), file_word(0));
}

TEST(private_file_read_maps_the_cached_frame_read_only)
{
    map(AT, 1, RW, 0, file, 0);
    map(AT + PAGE_SIZE, 1, RW, VM_SHARED, file, 0);
    EXPECT_EQ(load(s, AT), file_word(0));
    EXPECT_EQ(load(s, AT + PAGE_SIZE), file_word(0));
    EXPECT_EQ(frame_at(s, AT), frame_at(s, AT + PAGE_SIZE));
    EXPECT(!writable_at(s, AT));
    EXPECT(writable_at(s, AT + PAGE_SIZE));
}

TEST(private_file_write_copies)
{
    uint32_t v;

    map(AT, 1, RW, 0, file, 0);
    EXPECT_EQ(load(s, AT), file_word(0));
    store(s, AT, 1);
    EXPECT_EQ(load(s, AT), 1);
    EXPECT_EQ(load(s, AT + 4), file_word(0));
    vm_object_read_kernel(file, 0, &v, 4);
    EXPECT_EQ(v, file_word(0));
    v = 99;
    vm_object_write_kernel(file, 8, &v, 4);
    EXPECT_EQ(load(s, AT + 8), file_word(0));
}

TEST(shared_file_write_reaches_the_file)
{
    uint32_t v;

    map(AT, 1, RW, VM_SHARED, file, 1);
    store(s, AT, 77);
    vm_object_read_kernel(file, PAGE_SIZE, &v, 4);
    EXPECT_EQ(v, 77);
    v = 78;
    vm_object_write_kernel(file, PAGE_SIZE, &v, 4);
    EXPECT_EQ(load(s, AT), 78);
    vm_space_fork(s, &child);
    store(child, AT, 79);
    EXPECT_EQ(load(s, AT), 79);
    EXPECT_EQ(anons(), 0);
}

TEST(shared_read_fault_maps_clean)
{
    map(AT, 1, RW, VM_SHARED, file, 0);
    EXPECT_EQ(load(s, AT), file_word(0));
    EXPECT(!(program_entry(s, AT) & PTE_D));
    store(s, AT, 1);
    EXPECT(program_entry(s, AT) & PTE_D);
}

TEST(spurious_fault_returns)
{
    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT, 3);
    EXPECT_EQ(vm_fault(s, AT, VM_WRITE), VM_MINOR);
    EXPECT_EQ(vm_fault(s, AT, VM_READ), VM_MINOR);
    EXPECT_EQ(load(s, AT), 3);
    EXPECT_EQ(anons(), 1);
}

TEST(read_fault_maps_resident_neighbours)
{
    map(AT, 8, VM_PROT_READ, 0, file, 0);
    for (unsigned i = 0; i < 4; i++)
        load(s, AT + i * PAGE_SIZE);
    vm_unmap(s, AT, 8 * PAGE_SIZE);
    map(AT, 8, VM_PROT_READ, 0, file, 0);
    load(s, AT + PAGE_SIZE);
    EXPECT(frame_at(s, AT) && frame_at(s, AT + 2 * PAGE_SIZE) && frame_at(s, AT + 3 * PAGE_SIZE));
    EXPECT_EQ(frame_at(s, AT + 4 * PAGE_SIZE), 0);
    EXPECT_EQ(load(s, AT + 3 * PAGE_SIZE), file_word(3));
    EXPECT_EQ(program_faults, 0);
}

/* ---- Stacks ---- */

TEST(stack_grows_within_its_limit)
{
    vm_space_set_limits(s, &(struct vm_limits){8 * PAGE_SIZE, UINT32_MAX, UINT32_MAX});
    map(AT, 1, RW, VM_GROWSDOWN, NULL, 0);
    store(s, AT - 7 * PAGE_SIZE, 5);
    EXPECT_EQ(load(s, AT - 7 * PAGE_SIZE), 5);
    EXPECT_EQ(load(s, AT - 3 * PAGE_SIZE), 0);
    EXPECT_EQ(program_store(0, s, AT - 7 * PAGE_SIZE - 4, 1), VM_BAD_ADDRESS);
}

TEST(stack_keeps_its_guard_gap)
{
    uint32_t v;

    map(AT, 1, RW, VM_GROWSDOWN, NULL, 0);
    map(AT - 300 * PAGE_SIZE, 1, RW, 0, NULL, 0);
    EXPECT_EQ(load(s, AT - 43 * PAGE_SIZE), 0);
    EXPECT_EQ(program_load(0, s, AT - 44 * PAGE_SIZE, &v), VM_BAD_ADDRESS);
    vm_protect(s, AT - 300 * PAGE_SIZE, PAGE_SIZE, 0);
    EXPECT_EQ(load(s, AT - 44 * PAGE_SIZE), 0);
}

TEST(lecture_array_touched_every_16k_takes_8_frames)
{
    map(AT, 32, RW, VM_GROWSDOWN, NULL, 0);
    for (unsigned at = 0; at < 128 * 1024; at += 16 * 1024)
        store(s, AT + at, 1);
    EXPECT_EQ(anons(), 8);
}

/* ---- mmap, munmap, mprotect, brk ---- */

TEST(munmap_over_a_hole_and_at_the_edges)
{
    uint32_t v;

    map(AT, 2, RW, 0, NULL, 0);
    map(AT + 4 * PAGE_SIZE, 2, RW, 0, NULL, 0);
    store(s, AT, 1);
    store(s, AT + 5 * PAGE_SIZE, 2);
    EXPECT_EQ(vm_unmap(s, AT + PAGE_SIZE, 4 * PAGE_SIZE), 0);
    EXPECT_EQ(load(s, AT), 1);
    EXPECT_EQ(load(s, AT + 5 * PAGE_SIZE), 2);
    EXPECT_EQ(program_load(0, s, AT + PAGE_SIZE, &v), VM_BAD_ADDRESS);
    EXPECT_EQ(program_load(0, s, AT + 4 * PAGE_SIZE, &v), VM_BAD_ADDRESS);
    EXPECT_EQ(vm_unmap(s, AT + 0x1000000, PAGE_SIZE), 0);
}

TEST(munmap_refuses_nonsense)
{
    EXPECT_EQ(vm_unmap(s, AT + 1, PAGE_SIZE), -EINVAL);
    EXPECT_EQ(vm_unmap(s, AT, 0), -EINVAL);
    EXPECT_EQ(vm_unmap(s, AT, UINT32_MAX), -EINVAL);
    EXPECT_EQ(vm_unmap(s, USER_TOP - PAGE_SIZE, 2 * PAGE_SIZE), -EINVAL);
    EXPECT_EQ(vm_unmap(s, 0xfffff000, PAGE_SIZE), -EINVAL);
}

TEST(munmap_splits_a_file_mapping_at_the_right_offset)
{
    map(AT, 8, VM_PROT_READ, 0, file, 0);
    vm_unmap(s, AT + 2 * PAGE_SIZE, 3 * PAGE_SIZE);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), file_word(1));
    EXPECT_EQ(load(s, AT + 5 * PAGE_SIZE), file_word(5));
    EXPECT_EQ(load(s, AT + 7 * PAGE_SIZE), file_word(7));
}

TEST(munmap_across_leaves_after_fork_leaves_the_child_alone)
{
    vaddr_t low = AT - 2 * PAGE_SIZE;
    uint32_t v;

    map(low, 4, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 4; i++)
        store(s, low + i * PAGE_SIZE, i + 1);
    vm_space_fork(s, &child);
    vm_unmap(s, low, 3 * PAGE_SIZE);
    EXPECT_EQ(mm_check(), 0);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(load(child, low + i * PAGE_SIZE), i + 1);
    EXPECT_EQ(load(s, low + 3 * PAGE_SIZE), 4);
    EXPECT_EQ(program_load(0, s, AT, &v), VM_BAD_ADDRESS);
}

TEST(munmap_after_fork_leaves_the_child_alone)
{
    map(AT, 4, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 4; i++)
        store(s, AT + i * PAGE_SIZE, i + 1);
    vm_space_fork(s, &child);
    vm_unmap(s, AT + PAGE_SIZE, 2 * PAGE_SIZE);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(load(child, AT + i * PAGE_SIZE), i + 1);
    EXPECT_EQ(load(s, AT + 3 * PAGE_SIZE), 4);
}

TEST(fixed_mapping_replaces)
{
    map(AT, 3, RW, 0, NULL, 0);
    store(s, AT + PAGE_SIZE, 5);
    EXPECT_EQ(map(AT + PAGE_SIZE, 1, VM_PROT_READ, 0, file, 4), 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), file_word(4));
    EXPECT_EQ(map(AT, 1, RW, VM_NOREPLACE, NULL, 0), -EEXIST);
    EXPECT_EQ(anons(), 0);
}

TEST(mapping_refuses_nonsense)
{
    EXPECT_EQ(map(AT + 1, 1, RW, 0, NULL, 0), -EINVAL);
    EXPECT_EQ(map(0, 1, RW, 0, NULL, 0), -EPERM);
    EXPECT_EQ(map(USER_TOP, 1, RW, 0, NULL, 0), -ENOMEM);
    EXPECT_EQ(map(USER_TOP - PAGE_SIZE, 2, RW, 0, NULL, 0), -ENOMEM);
    EXPECT_EQ(map(AT, 2, RW, 0, file, UINT32_MAX), -EOVERFLOW);
}

TEST(alike_neighbours_join)
{
    struct vm_area_info a;

    map(AT, 1, RW, 0, NULL, 0);
    map(AT + 2 * PAGE_SIZE, 1, RW, 0, NULL, 0);
    map(AT + PAGE_SIZE, 1, RW, 0, NULL, 0);
    EXPECT(vm_next_area(s, AT, &a));
    EXPECT_EQ(a.start, AT);
    EXPECT_EQ(a.end, AT + 3 * PAGE_SIZE);
    map(AT + 3 * PAGE_SIZE, 1, VM_PROT_READ, 0, NULL, 0);
    vm_next_area(s, AT, &a);
    EXPECT_EQ(a.end, AT + 3 * PAGE_SIZE);
    vm_protect(s, AT + 3 * PAGE_SIZE, PAGE_SIZE, RW);
    vm_next_area(s, AT, &a);
    EXPECT_EQ(a.end, AT + 4 * PAGE_SIZE);
}

TEST(hints_are_honoured_when_free)
{
    struct vm_mapping m = {.addr = AT, .len = PAGE_SIZE, .prot = RW, .maxprot = ALL};
    vaddr_t at, other;

    EXPECT_EQ(vm_map(s, &m, &at), 0);
    EXPECT_EQ(at, AT);
    EXPECT_EQ(vm_map(s, &m, &other), 0);
    EXPECT(other != AT && other >= USER_MIN);
    m.addr = 0;
    EXPECT_EQ(vm_map(s, &m, &at), 0);
    EXPECT_EQ(at, other - PAGE_SIZE);
}

TEST(lowest_gap_is_found_when_the_rest_is_full)
{
    struct vm_mapping m = {.len = 0x1000000, .prot = VM_PROT_READ, .maxprot = ALL};
    vaddr_t at;
    unsigned n = 0;

    while (vm_map(s, &m, &at) == 0 && n < 200)
        n++;
    EXPECT(n >= 126);
    m.len = PAGE_SIZE;
    EXPECT_EQ(vm_map(s, &m, &at), 0);
    EXPECT(at >= USER_MIN);
}

TEST(mprotect_takes_and_gives_rights)
{
    uint32_t v;

    map(AT, 3, RW, 0, NULL, 0);
    store(s, AT + PAGE_SIZE, 5);
    EXPECT_EQ(vm_protect(s, AT + PAGE_SIZE, PAGE_SIZE, VM_PROT_READ), 0);
    EXPECT_EQ(program_store(1, s, AT + PAGE_SIZE, 6), VM_BAD_ACCESS);
    EXPECT_EQ(program_store(0, s, AT + PAGE_SIZE, 6), VM_BAD_ACCESS);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), 5);
    EXPECT_EQ(vm_protect(s, AT + PAGE_SIZE, PAGE_SIZE, 0), 0);
    EXPECT_EQ(program_load(0, s, AT + PAGE_SIZE, &v), VM_BAD_ACCESS);
    EXPECT_EQ(vm_protect(s, AT, 3 * PAGE_SIZE, RW), 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), 5);
    store(s, AT + PAGE_SIZE, 7);
}

TEST(mprotect_errors)
{
    struct vm_mapping m = {.addr = AT,
                           .len = PAGE_SIZE,
                           .prot = VM_PROT_READ,
                           .maxprot = VM_PROT_READ,
                           .flags = VM_FIXED | VM_SHARED,
                           .object = file};

    EXPECT_EQ(vm_map(s, &m, NULL), 0);
    EXPECT_EQ(vm_protect(s, AT, PAGE_SIZE, RW), -EACCES);
    EXPECT_EQ(vm_protect(s, AT, 2 * PAGE_SIZE, VM_PROT_READ), -ENOMEM);
    EXPECT_EQ(vm_protect(s, AT + 1, PAGE_SIZE, VM_PROT_READ), -EINVAL);
    EXPECT_EQ(vm_protect(s, AT, UINT32_MAX, VM_PROT_READ), -ENOMEM);
    EXPECT_EQ(vm_protect(s, AT, 0, VM_PROT_READ), 0);
}

TEST(brk_grows_shrinks_and_comes_back_zeroed)
{
    vm_set_brk_base(s, AT);
    EXPECT_EQ(vm_brk(s, 0), AT);
    EXPECT_EQ(vm_brk(s, AT + 3 * PAGE_SIZE + 10), AT + 3 * PAGE_SIZE + 10);
    store(s, AT + 3 * PAGE_SIZE, 9);
    EXPECT_EQ(vm_brk(s, AT + 10), AT + 10);
    EXPECT_EQ(program_store(0, s, AT + PAGE_SIZE, 1), VM_BAD_ADDRESS);
    EXPECT_EQ(vm_brk(s, AT + 4 * PAGE_SIZE), AT + 4 * PAGE_SIZE);
    EXPECT_EQ(load(s, AT + 3 * PAGE_SIZE), 0);
    EXPECT_EQ(vm_brk(s, AT - 1), AT + 4 * PAGE_SIZE);
    EXPECT_EQ(vm_brk(s, 0xfffff000), AT + 4 * PAGE_SIZE);
    map(AT + 8 * PAGE_SIZE, 1, RW, 0, NULL, 0);
    EXPECT_EQ(vm_brk(s, AT + 9 * PAGE_SIZE), AT + 4 * PAGE_SIZE);
}

TEST(limits_hold)
{
    vm_space_set_limits(s, &(struct vm_limits){UINT32_MAX, 4 * PAGE_SIZE, 8 * PAGE_SIZE});
    EXPECT_EQ(map(AT, 5, RW, 0, NULL, 0), -ENOMEM);
    EXPECT_EQ(map(AT, 4, RW, 0, NULL, 0), 0);
    EXPECT_EQ(map(AT + 0x100000, 5, VM_PROT_READ, 0, NULL, 0), -ENOMEM);
    EXPECT_EQ(map(AT + 0x100000, 4, VM_PROT_READ, 0, NULL, 0), 0);
    EXPECT_EQ(map(AT + 0x100000, 4, VM_PROT_READ, 0, NULL, 0), 0);
}

TEST(a_space_has_only_so_many_areas)
{
    vaddr_t at;

    vm_max_areas = 4;
    map(AT, 8, RW, 0, NULL, 0);
    EXPECT_EQ(vm_protect(s, AT + PAGE_SIZE, PAGE_SIZE, VM_PROT_READ), 0);
    EXPECT_EQ(map(AT + 0x100000, 1, RW, 0, NULL, 0), 0);
    EXPECT_EQ(vm_protect(s, AT + 4 * PAGE_SIZE, PAGE_SIZE, VM_PROT_READ), -ENOMEM);
    EXPECT_EQ(vm_unmap(s, AT + 4 * PAGE_SIZE, PAGE_SIZE), -ENOMEM);
    EXPECT_EQ(vm_lock_range(s, AT + 4 * PAGE_SIZE, PAGE_SIZE, VM_LOCKED, 100), -ENOMEM);
    EXPECT_EQ(vm_advise(s, AT + 4 * PAGE_SIZE, PAGE_SIZE, VM_ADVICE_RANDOM), -ENOMEM);
    EXPECT_EQ(remap(s, AT + 0x100000, PAGE_SIZE, PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_FIXED,
                    AT + 0x200000, &at),
              -ENOMEM);
    EXPECT_EQ(map(AT + 0x300000, 1, RW, 0, NULL, 0), 0);
    EXPECT_EQ(map(AT + 0x400000, 1, RW, 0, NULL, 0), -ENOMEM);
    EXPECT_EQ(vm_unmap(s, AT + 7 * PAGE_SIZE, PAGE_SIZE), 0);
    EXPECT_EQ(vm_unmap(s, AT, 8 * PAGE_SIZE), 0);
    vm_max_areas = 65530;
}

static uint32_t promised(void)
{
    struct vm_overcommit o;

    vm_overcommit_get(&o);
    return o.committed;
}

TEST(promises_are_counted_and_kept_when_asked_to)
{
    struct vm_object *o = vm_object_create_anon(4 * PAGE_SIZE);
    struct vm_overcommit strict = {.mode = VM_OVERCOMMIT_NEVER, .kbytes = 48};

    map(AT, 4, RW, 0, NULL, 0);
    map(AT + 0x100000, 4, VM_PROT_READ, 0, NULL, 0);
    map(AT + 0x200000, 4, RW, VM_NORESERVE, NULL, 0);
    EXPECT_EQ(promised(), 4);
    EXPECT(vm_object_promise(o));
    EXPECT_EQ(promised(), 8);
    EXPECT_EQ(vm_overcommit_set(&strict), 0);
    EXPECT_EQ(map(AT + 0x300000, 5, RW, 0, NULL, 0), -ENOMEM);
    EXPECT_EQ(map(AT + 0x300000, 5, RW, VM_NORESERVE, NULL, 0), -ENOMEM);
    EXPECT_EQ(vm_protect(s, AT + 0x100000, 4 * PAGE_SIZE, RW), 0);
    EXPECT_EQ(promised(), 12);
    EXPECT_EQ(vm_space_fork(s, &child), -ENOMEM);
    child = NULL;
    vm_object_unref(o);
    EXPECT_EQ(promised(), 8);
    vm_unmap(s, AT, 4 * PAGE_SIZE);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    EXPECT_EQ(promised(), 8);
    EXPECT_EQ(vm_overcommit_set(&(struct vm_overcommit){.mode = 3}), -EINVAL);
    vm_overcommit_set(&(struct vm_overcommit){.ratio = 50});
}

/* ---- mremap, madvise, mlock ---- */

TEST(mremap_moves_pages_and_leaves_none_behind)
{
    vaddr_t at;
    uint32_t v;

    map(AT, 4, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 4; i++)
        store(s, AT + i * PAGE_SIZE, i + 1);
    vm_space_fork(s, &child);
    EXPECT_EQ(remap(s, AT, 4 * PAGE_SIZE, 6 * PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_FIXED,
                    AT + 0x800000, &at),
              0);
    EXPECT_EQ(at, AT + 0x800000);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(load(s, at + i * PAGE_SIZE), i + 1);
    EXPECT_EQ(load(s, at + 5 * PAGE_SIZE), 0);
    EXPECT_EQ(program_load(0, s, AT, &v), VM_BAD_ADDRESS);
    EXPECT_EQ(load(child, AT + PAGE_SIZE), 2);
    EXPECT_EQ(mm_check(), 0);
}

TEST(mremap_keeps_a_file_mapping_at_its_offset)
{
    vaddr_t at;

    map(AT, 6, VM_PROT_READ, 0, file, 1);
    map(AT + 6 * PAGE_SIZE, 1, RW, 0, NULL, 0);
    load(s, AT + 2 * PAGE_SIZE);
    EXPECT_EQ(remap(s, AT + 2 * PAGE_SIZE, 2 * PAGE_SIZE, 5 * PAGE_SIZE, VM_REMAP_MAYMOVE, 0, &at),
              0);
    EXPECT_EQ(load(s, at), file_word(3));
    EXPECT_EQ(load(s, at + 4 * PAGE_SIZE), file_word(7));
    EXPECT_EQ(load(s, AT + 4 * PAGE_SIZE), file_word(5));
}

TEST(mremap_grows_and_shrinks_in_place)
{
    vaddr_t at;
    uint32_t v;

    map(AT, 2, RW, 0, NULL, 0);
    store(s, AT + PAGE_SIZE, 9);
    EXPECT_EQ(remap(s, AT, 2 * PAGE_SIZE, 5 * PAGE_SIZE, 0, 0, &at), 0);
    EXPECT_EQ(at, AT);
    store(s, AT + 4 * PAGE_SIZE, 1);
    EXPECT_EQ(remap(s, AT, 5 * PAGE_SIZE, PAGE_SIZE, 0, 0, &at), 0);
    EXPECT_EQ(program_load(0, s, AT + PAGE_SIZE, &v), VM_BAD_ADDRESS);
    map(AT + 2 * PAGE_SIZE, 1, RW, 0, NULL, 0);
    EXPECT_EQ(remap(s, AT, PAGE_SIZE, 4 * PAGE_SIZE, 0, 0, &at), -ENOMEM);
    EXPECT_EQ(remap(s, AT + 0x100000, PAGE_SIZE, PAGE_SIZE, 0, 0, &at), -EFAULT);
    EXPECT_EQ(remap(s, AT, PAGE_SIZE, 0, 0, 0, &at), -EINVAL);
    EXPECT_EQ(remap(s, AT, PAGE_SIZE, PAGE_SIZE, VM_REMAP_FIXED, AT, &at), -EINVAL);
}

TEST(mremap_dontunmap_leaves_an_empty_area)
{
    vaddr_t at;

    map(AT, 2, RW, 0, NULL, 0);
    store(s, AT, 5);
    EXPECT_EQ(
        remap(s, AT, 2 * PAGE_SIZE, 2 * PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_DONTUNMAP, 0, &at),
        0);
    EXPECT_EQ(load(s, at), 5);
    EXPECT_EQ(load(s, AT), 0);
}

TEST(madvise_dontneed_gives_zeros_or_the_file_again)
{
    map(AT, 4, RW, 0, NULL, 0);
    map(AT + 0x100000, 2, RW, 0, file, 0);
    for (unsigned i = 0; i < 4; i++)
        store(s, AT + i * PAGE_SIZE, 5);
    store(s, AT + 0x100000, 6);
    vm_space_fork(s, &child);
    EXPECT_EQ(vm_advise(s, AT + PAGE_SIZE, PAGE_SIZE, VM_ADVICE_DONTNEED), 0);
    EXPECT_EQ(vm_advise(s, AT + 0x100000, PAGE_SIZE, VM_ADVICE_DONTNEED), 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), 0);
    EXPECT_EQ(load(s, AT), 5);
    EXPECT_EQ(load(s, AT + 0x100000), file_word(0));
    EXPECT_EQ(load(child, AT + PAGE_SIZE), 5);
    EXPECT_EQ(vm_advise(s, AT + 3 * PAGE_SIZE, 2 * PAGE_SIZE, VM_ADVICE_DONTNEED), -ENOMEM);
    EXPECT_EQ(load(s, AT + 3 * PAGE_SIZE), 0);
}

TEST(madvise_dontneed_unmaps_what_is_shared)
{
    map(AT, 1, RW, VM_SHARED, file, 0);
    store(s, AT, 6);
    EXPECT_EQ(vm_advise(s, AT, PAGE_SIZE, VM_ADVICE_DONTNEED), 0);
    EXPECT_EQ(program_entry(s, AT), 0);
    EXPECT_EQ(load(s, AT), 6);
}

TEST(madvise_wipes_and_withholds_on_fork)
{
    uint32_t v;

    map(AT, 3, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 3; i++)
        store(s, AT + i * PAGE_SIZE, 5);
    EXPECT_EQ(vm_advise(s, AT, PAGE_SIZE, VM_ADVICE_WIPEONFORK), 0);
    EXPECT_EQ(vm_advise(s, AT + PAGE_SIZE, PAGE_SIZE, VM_ADVICE_DONTFORK), 0);
    vm_space_fork(s, &child);
    EXPECT_EQ(load(child, AT), 0);
    EXPECT_EQ(program_load(0, child, AT + PAGE_SIZE, &v), VM_BAD_ADDRESS);
    EXPECT_EQ(load(child, AT + 2 * PAGE_SIZE), 5);
    EXPECT_EQ(load(s, AT), 5);
    map(AT + 0x100000, 1, RW, 0, file, 0);
    EXPECT_EQ(vm_advise(s, AT + 0x100000, PAGE_SIZE, VM_ADVICE_WIPEONFORK), -EINVAL);
}

TEST(madvise_free_is_taken_by_pressure_unless_written)
{
    unsigned taken = 0;

    map(AT, 100, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 100; i++)
        store(s, AT + i * PAGE_SIZE, 5);
    EXPECT_EQ(vm_advise(s, AT, 100 * PAGE_SIZE, VM_ADVICE_FREE), 0);
    EXPECT_EQ(load(s, AT + 3 * PAGE_SIZE), 5);
    store(s, AT + 7 * PAGE_SIZE, 8);
    map(AT + 0x1000000, 900, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 900; i++)
        program_store(0, s, AT + 0x1000000 + i * PAGE_SIZE, 1);
    EXPECT_EQ(load(s, AT + 7 * PAGE_SIZE), 8);
    vm_unmap(s, AT + 0x1000000, 900 * PAGE_SIZE);
    for (unsigned i = 8; i < 100; i++)
        taken += load(s, AT + i * PAGE_SIZE) == 0;
    EXPECT(taken >= 20);
}

TEST(sequential_advice_brings_pages_ahead)
{
    map(AT, 8, VM_PROT_READ, 0, file, 0);
    EXPECT_EQ(vm_advise(s, AT, 8 * PAGE_SIZE, VM_ADVICE_SEQUENTIAL), 0);
    EXPECT_EQ(load(s, AT), file_word(0));
    EXPECT_EQ(vm_object_pages(file), 8);
    EXPECT_EQ(load(s, AT + 7 * PAGE_SIZE), file_word(7));
    EXPECT_EQ(program_faults, 0);
    vm_unmap(s, AT, 8 * PAGE_SIZE);
    map(AT, 8, VM_PROT_READ, 0, file, 0);
    EXPECT_EQ(vm_advise(s, AT, 8 * PAGE_SIZE, VM_ADVICE_RANDOM), 0);
    load(s, AT);
    load(s, AT + PAGE_SIZE);
    EXPECT_EQ(program_faults, 1);
}

TEST(locked_file_pages_stay)
{
    struct vm_object *big = vm_object_create(&test_pager, NULL, 300 * PAGE_SIZE);
    struct vm_space *mine = s;

    map(AT, 300, VM_PROT_READ, VM_SHARED, big, 0);
    EXPECT_EQ(vm_lock_range(s, AT, 20 * PAGE_SIZE, VM_LOCKED, 19), -ENOMEM);
    EXPECT_EQ(vm_lock_range(s, AT, 20 * PAGE_SIZE, VM_LOCKED, 20), 0);
    EXPECT_EQ(vm_object_pages(big), 20);
    for (unsigned i = 0; i < 300; i++)
        load(s, AT + i * PAGE_SIZE);
    map(AT + 0x1000000, 900, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 900; i++)
        program_store(0, s, AT + 0x1000000 + i * PAGE_SIZE, 1);
    EXPECT(vm_object_pages(big) >= 20 && vm_object_pages(big) < 300);
    pager_calls = 0;
    for (unsigned i = 0; i < 20; i++)
        load(s, AT + i * PAGE_SIZE);
    EXPECT_EQ(pager_calls, 0);
    s = NULL;
    vm_space_unref(mine);
    vm_object_unref(big);
}

TEST(an_anon_hides_the_file_page_behind_it_from_its_neighbours)
{
    vm_object_resize(file, 90 * PAGE_SIZE);
    map(AT, 80, RW, 0, file, 5);
    for (unsigned i = 0; i < 80; i++)
        load(s, AT + i * PAGE_SIZE);
    store(s, AT + 58 * PAGE_SIZE, 5);
    vm_protect(s, AT, 80 * PAGE_SIZE, 0);
    vm_protect(s, AT, 80 * PAGE_SIZE, RW);
    EXPECT_EQ(load(s, AT + 60 * PAGE_SIZE), (0x40 + 65) * 0x01010101u);
    EXPECT_EQ(load(s, AT + 58 * PAGE_SIZE), 5);
    EXPECT_EQ(load(s, AT + 59 * PAGE_SIZE), (0x40 + 64) * 0x01010101u);
    EXPECT_EQ(mm_check(), 0);
}

/* ---- fork ---- */

TEST(fork_of_fork_shares_one_frame)
{
    struct vm_space *grandchild;

    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT, 1);
    vm_space_fork(s, &child);
    vm_space_fork(child, &grandchild);
    EXPECT_EQ(anons(), 1);
    store(child, AT, 2);
    EXPECT_EQ(load(grandchild, AT), 1);
    EXPECT_EQ(load(s, AT), 1);
    vm_space_unref(grandchild);
    store(s, AT, 3);
    EXPECT_EQ(load(child, AT), 2);
    EXPECT_EQ(anons(), 2);
}

TEST(fork_flushes_the_parents_write_rights)
{
    map(AT, 2, RW, 0, NULL, 0);
    for (unsigned cpu = 0; cpu < HOST_CPUS; cpu++) {
        EXPECT_EQ(program_store(cpu, s, AT, 1), VM_MINOR);
        EXPECT_EQ(program_store(cpu, s, AT + PAGE_SIZE, 1), VM_MINOR);
    }
    vm_space_fork(s, &child);
    EXPECT_EQ(program_store(2, s, AT, 2), VM_MINOR);
    EXPECT_EQ(program_store(1, s, AT + PAGE_SIZE, 2), VM_MINOR);
    EXPECT_EQ(load(child, AT), 1);
    EXPECT_EQ(load(child, AT + PAGE_SIZE), 1);
}

TEST(big_fork_flushes_all_at_once)
{
    map(AT, 64, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 64; i++)
        store(s, AT + i * PAGE_SIZE, 1);
    vm_space_fork(s, &child);
    for (unsigned i = 0; i < 64; i++)
        store(s, AT + i * PAGE_SIZE, 2);
    for (unsigned i = 0; i < 64; i++)
        EXPECT_EQ(load(child, AT + i * PAGE_SIZE), 1);
}

TEST(a_copy_is_seen_by_a_cpu_that_had_read_the_original)
{
    uint32_t v;

    map(AT, 1, RW, 0, NULL, 0);
    map(AT + PAGE_SIZE, 1, RW, 0, file, 0);
    store(s, AT, 1);
    vm_space_fork(s, &child);
    program_load(1, child, AT, &v);
    program_load(1, child, AT + PAGE_SIZE, &v);
    store(child, AT, 2);
    store(child, AT + PAGE_SIZE, 3);
    program_load(1, child, AT, &v);
    EXPECT_EQ(v, 2);
    program_load(1, child, AT + PAGE_SIZE, &v);
    EXPECT_EQ(v, 3);
}

/* Around the number of pages up to which each is flushed alone. */
TEST(every_page_is_flushed_however_many_there_are)
{
    map(AT, 64, RW, 0, NULL, 0);
    for (unsigned n = 30; n < 36; n++) {
        for (unsigned i = 0; i < n; i++)
            store(s, AT + i * PAGE_SIZE, n);
        vm_protect(s, AT, n * PAGE_SIZE, VM_PROT_READ);
        for (unsigned i = 0; i < n; i++)
            EXPECT_EQ(program_store(0, s, AT + i * PAGE_SIZE, 0), VM_BAD_ACCESS);
        vm_protect(s, AT, n * PAGE_SIZE, RW);
    }
}

static unsigned steps;

static void count_step(void)
{
    steps++;
}

static void store_between_steps(void)
{
    store(s, AT + steps * 37 % 200 * 2 * PAGE_SIZE, 1000 + steps);
    steps++;
}

/* Another thread of the parent stores while the fork is under way: what the child then has of a
 * page stays, whatever the parent stores later. */
TEST(fork_in_steps_keeps_what_the_child_got)
{
    uint32_t got[200];

    for (unsigned i = 0; i < 200; i++) {
        map(AT + i * 2 * PAGE_SIZE, 1, RW, 0, NULL, 0);
        store(s, AT + i * 2 * PAGE_SIZE, i);
    }
    steps = 0;
    port_between_steps = store_between_steps;
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    port_between_steps = NULL;
    EXPECT(steps > 5);
    EXPECT_EQ(mm_check(), 0);
    for (unsigned i = 0; i < 200; i++) {
        got[i] = load(child, AT + i * 2 * PAGE_SIZE);
        EXPECT(got[i] == i || (got[i] >= 1000 && got[i] < 1000 + steps));
        store(s, AT + i * 2 * PAGE_SIZE, 5000);
        EXPECT_EQ(load(child, AT + i * 2 * PAGE_SIZE), got[i]);
    }
}

TEST(long_changes_go_in_steps)
{
    map(AT, 700, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 700; i++)
        store(s, AT + i * PAGE_SIZE, i);
    port_between_steps = count_step;
    steps = 0;
    EXPECT_EQ(vm_advise(s, AT, 700 * PAGE_SIZE, VM_ADVICE_FREE), 0);
    EXPECT(steps >= 2);
    steps = 0;
    EXPECT_EQ(vm_unmap(s, AT, 500 * PAGE_SIZE), 0);
    EXPECT(steps >= 1);
    vm_space_unref(s);
    EXPECT(steps >= 2);
    port_between_steps = NULL;
    s = NULL;
}

/* 1,000 mappings of one page come and go in no order; the tree of its reverse map stays sound. */
TEST(a_page_that_a_thousand_map)
{
    const unsigned n = 1000, step = 617; /* no common divisor */

    for (unsigned i = 0; i < n; i++) {
        vaddr_t at = AT + i * step % n * 2 * PAGE_SIZE;
        EXPECT_EQ(map(at, 1, RW, VM_SHARED, file, 3), 0);
        EXPECT_EQ(load(s, at), file_word(3));
    }
    EXPECT_EQ(rmap_count(frame_of_pa(PTE_ADDR(program_entry(s, AT)))), n);
    EXPECT_EQ(mm_check(), 0);
    for (unsigned i = 0; i < n / 2; i++)
        EXPECT_EQ(vm_unmap(s, AT + i * step % n * 2 * PAGE_SIZE, PAGE_SIZE), 0);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(vm_object_resize(file, PAGE_SIZE), 0);
    EXPECT_EQ(program_entry(s, AT + (n - 1) * step % n * 2 * PAGE_SIZE), 0);
}

TEST(what_a_mapping_replaces_is_not_charged_again)
{
    struct vm_overcommit was, strict;

    vm_overcommit_get(&was);
    strict = was;
    strict.mode = VM_OVERCOMMIT_NEVER;
    strict.kbytes = 40 * PAGE_SIZE / 1024;
    EXPECT_EQ(vm_overcommit_set(&strict), 0);
    EXPECT_EQ(map(AT, 30, RW, 0, NULL, 0), 0);
    EXPECT_EQ(map(AT, 30, RW, 0, NULL, 0), 0);
    EXPECT_EQ(map(AT + 10 * PAGE_SIZE, 30, RW, 0, NULL, 0), 0);
    EXPECT_EQ(map(AT + 10 * PAGE_SIZE, 31, RW, 0, NULL, 0), -ENOMEM);
    EXPECT_EQ(map(AT, 40, VM_PROT_READ, 0, NULL, 0), 0);
    EXPECT_EQ(map(AT + 0x100000, 20, RW, 0, NULL, 0), 0);
    EXPECT_EQ(vm_protect(s, AT + 5 * PAGE_SIZE, 21 * PAGE_SIZE, RW), -ENOMEM);
    EXPECT_EQ(vm_protect(s, AT + 5 * PAGE_SIZE, 20 * PAGE_SIZE, RW), 0);
    EXPECT_EQ(vm_overcommit_set(&was), 0);
}

TEST(failed_fork_changes_nothing)
{
    map(AT, 1, RW, 0, NULL, 0);
    map(AT + 0x100000, 1, RW, VM_SHARED, file, 0);
    store(s, AT, 5);
    for (unsigned n = 1; n < 30; n++) {
        int err;
        mm_inject_failure(n);
        err = vm_space_fork(s, &child);
        mm_inject_failure(0);
        EXPECT_EQ(mm_check(), 0);
        if (err == 0)
            break;
        EXPECT_EQ(err, -ENOMEM);
        child = NULL;
    }
    EXPECT(child != NULL);
    EXPECT_EQ(load(child, AT), 5);
}

/* ---- Out of memory ---- */

TEST(memory_runs_out_without_harm)
{
    unsigned i;

    map(AT, 2000, RW, VM_NORESERVE, NULL, 0);
    for (i = 0; i < 2000; i++) {
        if (program_store(0, s, AT + i * PAGE_SIZE, i) == VM_NO_MEMORY)
            break;
    }
    EXPECT(i > 800 && i < 1024);
    EXPECT(kalloc() != NULL);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(load(s, AT), 0);
    EXPECT_EQ(load(s, AT + 100 * PAGE_SIZE), 100);
}

TEST(clean_file_pages_give_way)
{
    struct vm_object *big = vm_object_create(&test_pager, NULL, 600 * PAGE_SIZE);
    struct vm_space *fresh;
    uint32_t written = 4321;

    map(AT, 600, RW, VM_SHARED, big, 0);
    for (unsigned i = 0; i < 600; i++)
        load(s, AT + i * PAGE_SIZE);
    store(s, AT + 5 * PAGE_SIZE, 1234);
    vm_object_write_kernel(big, 9 * PAGE_SIZE, &written, 4);
    store(s, AT + 11 * PAGE_SIZE, 5678);
    vm_unmap(s, AT + 11 * PAGE_SIZE, PAGE_SIZE);
    map(AT + 0x1000000, 700, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 700; i++)
        store(s, AT + 0x1000000 + i * PAGE_SIZE, i);
    EXPECT(vm_object_pages(big) < 400);
    EXPECT_EQ(load(s, AT + 5 * PAGE_SIZE), 1234);
    EXPECT_EQ(load(s, AT + 9 * PAGE_SIZE), 4321);
    vm_object_read_kernel(big, 11 * PAGE_SIZE, &written, 4);
    EXPECT_EQ(written, 5678);
    EXPECT_EQ(load(s, AT + 300 * PAGE_SIZE), (0x40 + 300) % 256 * 0x01010101u);
    fresh = s;
    s = NULL;
    vm_space_unref(fresh);
    vm_object_unref(big);
}

/* ---- Objects ---- */

TEST(truncate_unmaps_and_zeroes_the_tail)
{
    uint32_t v = 1;

    map(AT, 4, RW, VM_SHARED, file, 0);
    store(s, AT + 2 * PAGE_SIZE, 5);
    store(s, AT + PAGE_SIZE + 2048, 6);
    EXPECT_EQ(vm_object_resize(file, PAGE_SIZE + 2048), 0);
    EXPECT_EQ(program_load(0, s, AT + 2 * PAGE_SIZE, &v), VM_PAST_END);
    EXPECT_EQ(load(s, AT + PAGE_SIZE + 2048), 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE + 2044), file_word(1));
    EXPECT_EQ(vm_object_read_kernel(file, PAGE_SIZE + 2046, &v, 4), 2);
}

TEST(truncation_drops_private_copies_too)
{
    uint32_t v;

    map(AT, 2, RW, 0, file, 0);
    store(s, AT, 4);
    store(s, AT + PAGE_SIZE, 5);
    vm_space_fork(s, &child);
    vm_object_resize(file, PAGE_SIZE);
    EXPECT_EQ(load(s, AT), 4);
    EXPECT_EQ(program_load(0, s, AT + PAGE_SIZE, &v), VM_PAST_END);
    EXPECT_EQ(program_load(0, child, AT + PAGE_SIZE, &v), VM_PAST_END);
    vm_object_resize(file, 2 * PAGE_SIZE);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), file_word(1));
}

#define COPIES 300u /* areas with a private copy of page 1 */

static unsigned steps_seen;

static vaddr_t copy_at(unsigned i)
{
    return AT + i * 4 * PAGE_SIZE;
}

/* While a cut goes on, another takes areas away, parts and joins them, and forks. */
static void disturb(void)
{
    unsigned i = steps_seen * 7 % COPIES;

    port_between_steps = NULL;
    if (steps_seen++ == 2)
        vm_space_fork(s, &child);
    for (unsigned n = 0; n < COPIES; n++)
        vm_protect(s, copy_at(n), PAGE_SIZE, steps_seen % 3 ? RW : VM_PROT_READ);
    vm_unmap(s, copy_at(i), 2 * PAGE_SIZE);
    EXPECT_EQ(mm_check(), 0);
    port_between_steps = disturb;
}

static void expect_cut(struct vm_space *sp)
{
    uint32_t v;

    for (unsigned i = 0; i < COPIES; i++) {
        EXPECT(program_load(0, sp, copy_at(i), &v) == VM_BAD_ADDRESS || v == i + 1);
        int r = program_load(0, sp, copy_at(i) + PAGE_SIZE, &v);
        EXPECT(r == VM_PAST_END || r == VM_BAD_ADDRESS);
    }
}

TEST(a_cut_of_many_copies_goes_in_steps_whatever_becomes_of_the_areas)
{
    for (unsigned i = 0; i < COPIES; i++) {
        map(copy_at(i), 2, RW, 0, file, 0);
        store(s, copy_at(i), i + 1);
        store(s, copy_at(i) + PAGE_SIZE, i + 1);
    }
    steps_seen = 0;
    port_between_steps = disturb;
    EXPECT_EQ(vm_object_resize(file, PAGE_SIZE), 0);
    port_between_steps = NULL;
    EXPECT(steps_seen > 4 && child);
    expect_cut(s);
    expect_cut(child);
    EXPECT_EQ(mm_check(), 0);
}

#define ELSEWHERE (AT + 0x1000000)

static void move_away(void)
{
    vaddr_t at;

    if (steps_seen++ == 0)
        EXPECT_EQ(remap(s, AT, COPIES * PAGE_SIZE, COPIES * PAGE_SIZE,
                        VM_REMAP_MAYMOVE | VM_REMAP_FIXED, ELSEWHERE, &at),
                  0);
}

TEST(an_area_that_moves_during_a_cut_is_cut_all_the_same)
{
    uint32_t v;

    vm_object_resize(file, COPIES * PAGE_SIZE);
    map(AT, COPIES, RW, 0, file, 0);
    for (unsigned i = 0; i < COPIES; i++)
        store(s, AT + i * PAGE_SIZE, i + 1);
    steps_seen = 0;
    port_between_steps = move_away;
    EXPECT_EQ(vm_object_resize(file, PAGE_SIZE), 0);
    port_between_steps = NULL;
    EXPECT(steps_seen > 1);
    EXPECT_EQ(load(s, ELSEWHERE), 1);
    for (unsigned i = 1; i < COPIES; i++)
        EXPECT_EQ(program_load(0, s, ELSEWHERE + i * PAGE_SIZE, &v), VM_PAST_END);
}

TEST(failed_truncation_loses_nothing)
{
    int err = -ENOMEM;

    map(AT, 4, RW, 0, file, 0);
    store(s, AT, 4);
    store(s, AT + 3 * PAGE_SIZE, 5); /* cutting it off copies the leaf, which the child shares */
    vm_space_fork(s, &child);
    for (unsigned n = 1; err; n++) {
        EXPECT_EQ(load(child, AT + PAGE_SIZE + 2048), file_word(1));
        mm_inject_failure(n);
        err = vm_object_resize(file, PAGE_SIZE + 2048);
        mm_inject_failure(0);
        EXPECT(err == 0 || (err == -ENOMEM && vm_object_size(file) == 8 * PAGE_SIZE));
        EXPECT(n > 1 || err);
    }
    EXPECT_EQ(load(child, AT + PAGE_SIZE + 2048), 0);
}

TEST(write_extends_and_reads_stop_at_the_end)
{
    uint8_t buf[100];

    EXPECT_EQ(vm_object_write_kernel(file, 8 * PAGE_SIZE - 50, memset(buf, 7, 100), 100), 100);
    EXPECT_EQ(vm_object_size(file), 8 * PAGE_SIZE + 50);
    EXPECT_EQ(vm_object_read_kernel(file, 8 * PAGE_SIZE + 20, buf, 100), 30);
    EXPECT_EQ(buf[29], 7);
    EXPECT_EQ(vm_object_read_kernel(file, 9 * PAGE_SIZE, buf, 100), 0);
}

TEST(a_write_that_moves_nothing_leaves_no_page)
{
    struct vm_object *o = vm_object_create_anon(0);

    EXPECT_EQ(vm_object_write(o, 100, (const void __user *)NULL, 10), -EFAULT);
    EXPECT_EQ(vm_object_size(o), 0);
    EXPECT_EQ(vm_object_pages(o), 0);
    vm_object_unref(o);
}

TEST(sparse_objects_reach_far)
{
    struct vm_object *o = vm_object_create_anon(0);
    uint64_t far = 0xffffffffull * PAGE_SIZE - 8;
    uint32_t v = 42;

    EXPECT_EQ(vm_object_write_kernel(o, far, &v, 4), 4);
    v = 0;
    EXPECT_EQ(vm_object_read_kernel(o, far, &v, 4), 4);
    EXPECT_EQ(v, 42);
    EXPECT_EQ(vm_object_read_kernel(o, 12345, &v, 4), 4);
    EXPECT_EQ(v, 0);
    EXPECT_EQ(vm_object_pages(o), 1); /* a hole that is read stays one */
    EXPECT_EQ(vm_object_resize(o, (1ull << 44) + 1), -EFBIG);
    vm_object_unref(o);
}

/* ---- Pagers ---- */

/* A pager with a disk behind it: what it was asked, and what the object looked like then. */
static struct {
    uint8_t disk[16];
    unsigned gets, puts, reserved, longest_get, longest_put;
    uint64_t size_at_reserve;
    long read_at_reserve;
    int get_error, put_error, reserve_error;
    unsigned put_at_most;
    void (*during_get)(struct vm_object *o);
    void (*during_put)(struct vm_object *o);
} disk;

static int disk_get(struct vm_object *o, struct vm_run *run)
{
    disk.gets++;
    if (run->count > disk.longest_get)
        disk.longest_get = run->count;
    if (disk.during_get)
        disk.during_get(o);
    if (disk.get_error)
        return disk.get_error;
    for (unsigned i = 0; i < run->count; i++)
        memset(run->page[i], disk.disk[run->index + i], PAGE_SIZE);
    return (int)run->count;
}

static int disk_put(struct vm_object *o, const struct vm_run *run)
{
    unsigned n = run->count;

    disk.puts++;
    if (n > disk.longest_put)
        disk.longest_put = n;
    if (disk.put_at_most && n > disk.put_at_most)
        n = disk.put_at_most;
    for (unsigned i = 0; i < n && !disk.put_error; i++)
        disk.disk[run->index + i] = *(uint8_t *)run->page[i];
    if (disk.during_put)
        disk.during_put(o);
    return disk.put_error ? disk.put_error : (int)n;
}

static int disk_reserve(struct vm_object *o, uint32_t index)
{
    uint8_t byte;

    (void)index;
    disk.reserved++;
    disk.size_at_reserve = vm_object_size(o);
    disk.read_at_reserve = vm_object_read_kernel(o, disk.size_at_reserve, &byte, 1);
    return disk.reserve_error;
}

static const struct pager disk_pager = {
    .name = "disk", .get = disk_get, .put = disk_put, .reserve = disk_reserve, .ahead = 8};

static struct vm_object *disk_object(unsigned pages)
{
    memset(&disk, 0, sizeof(disk));
    return vm_object_create(&disk_pager, NULL, pages * PAGE_SIZE);
}

TEST(a_reader_never_sees_the_end_before_the_bytes)
{
    static uint8_t buf[3 * PAGE_SIZE];
    struct vm_object *o = disk_object(0);

    memset(buf, 7, sizeof(buf));
    EXPECT_EQ(vm_object_write_kernel(o, 0, buf, sizeof(buf)), sizeof(buf));
    EXPECT_EQ(disk.size_at_reserve, 2 * PAGE_SIZE); /* while the third page was made ready */
    EXPECT_EQ(disk.read_at_reserve, 0);
    EXPECT_EQ(vm_object_size(o), sizeof(buf));
    disk.reserve_error = -ENOSPC;
    EXPECT_EQ(vm_object_write_kernel(o, sizeof(buf), buf, 1), -ENOSPC);
    EXPECT_EQ(vm_object_size(o), sizeof(buf));
    vm_object_unref(o);
}

TEST(what_is_overwritten_as_a_whole_is_not_read)
{
    static uint8_t buf[PAGE_SIZE], seen[PAGE_SIZE];
    struct vm_object *o = disk_object(2);
    uint8_t byte = 9;

    disk.disk[0] = disk.disk[1] = disk.disk[2] = 5;
    memset(buf, 7, sizeof(buf));
    EXPECT_EQ(vm_object_resize(o, 2 * PAGE_SIZE + 100), 0);
    EXPECT_EQ(vm_object_write_kernel(o, PAGE_SIZE, buf, PAGE_SIZE), PAGE_SIZE);
    EXPECT_EQ(vm_object_write_kernel(o, 2 * PAGE_SIZE, buf, 100), 100); /* up to the end */
    EXPECT_EQ(disk.gets, 0);
    EXPECT_EQ(disk.reserved, 2);
    EXPECT_EQ(vm_object_write_kernel(o, 0, buf, PAGE_SIZE - 1), PAGE_SIZE - 1);
    EXPECT_EQ(disk.gets, 1);
    EXPECT_EQ(vm_object_read_kernel(o, PAGE_SIZE - 1, &byte, 1), 1);
    EXPECT_EQ(byte, 5);
    EXPECT_EQ(vm_object_resize(o, 3 * PAGE_SIZE), 0);
    EXPECT_EQ(vm_object_read_kernel(o, 2 * PAGE_SIZE, seen, PAGE_SIZE), PAGE_SIZE);
    EXPECT(seen[99] == 7 && seen[100] == 0 && seen[PAGE_SIZE - 1] == 0);
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT(disk.disk[0] == 7 && disk.disk[1] == 7 && disk.disk[2] == 7);
    vm_object_unref(o);
}

static uint32_t dirty_now(void)
{
    struct vm_dirty_stats d;

    vm_dirty_stats(&d);
    return d.dirty;
}

TEST(dirty_pages_are_counted_each_once)
{
    struct vm_object *o = disk_object(8);

    map(AT, 8, RW, VM_SHARED, o, 0);
    EXPECT_EQ(load(s, AT), 0); /* reading leaves it clean, and not writable */
    EXPECT_EQ(dirty_now(), 0);
    store(s, AT, 1);
    store(s, AT + 4, 1);
    store(s, AT + PAGE_SIZE, 1);
    EXPECT_EQ(dirty_now(), 2);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT_EQ(dirty_now(), 0);
    EXPECT_EQ(vm_unmap(s, AT, 8 * PAGE_SIZE), 0);
    map(AT, 8, RW, VM_SHARED, o, 0);
    EXPECT_EQ(load(s, AT), 1); /* it has its place, and is clean still */
    store(s, AT, 2);
    EXPECT_EQ(dirty_now(), 1);
    disk.put_error = -EIO;
    EXPECT_EQ(vm_object_sync(o), -EIO);
    EXPECT_EQ(dirty_now(), 1);
    EXPECT_EQ(vm_object_resize(o, 0), 0);
    EXPECT_EQ(dirty_now(), 0);
    vm_object_unref(o);
}

TEST(who_dirties_too_many_pages_writes_some_back)
{
    struct vm_dirty_settings before, now;
    struct vm_object *o = disk_object(16);

    vm_dirty_get(&before);
    now = before;
    now.background_bytes = 2 * PAGE_SIZE;
    now.bytes = 4 * PAGE_SIZE;
    vm_dirty_set(&now);
    map(AT, 16, RW, VM_SHARED, o, 0);
    for (unsigned i = 0; i < 16; i++) {
        store(s, AT + i * PAGE_SIZE, i + 1);
        EXPECT(dirty_now() <= 5);
    }
    EXPECT(disk.puts > 0);
    EXPECT(!vm_write_back_old(0));
    EXPECT(vm_write_back_old(UINT64_MAX));
    EXPECT_EQ(dirty_now(), 0);
    EXPECT_EQ(disk.disk[15], 16);
    disk.put_error = -EIO; /* then he goes on all the same */
    for (unsigned i = 0; i < 16; i++)
        store(s, AT + i * PAGE_SIZE, i + 3);
    EXPECT_EQ(dirty_now(), 16);
    vm_dirty_set(&before);
    disk.put_error = 0;
    vm_object_unref(o);
}

TEST(misses_in_sequence_are_brought_in_by_growing_runs)
{
    struct vm_object *o = disk_object(16);
    uint8_t byte;

    for (unsigned i = 0; i < 16; i++)
        EXPECT_EQ(vm_object_read_kernel(o, i * PAGE_SIZE, &byte, 1), 1);
    EXPECT_EQ(disk.longest_get, 8);
    EXPECT(disk.gets <= 4);
    vm_object_unref(o);
    o = disk_object(16);
    EXPECT_EQ(vm_object_read_kernel(o, 14 * PAGE_SIZE, &byte, 1), 1);
    EXPECT_EQ(vm_object_pages(o), 2); /* not past the end */
    vm_object_unref(o);
}

TEST(dirty_neighbours_are_put_together_and_once)
{
    struct vm_object *o = disk_object(8);

    map(AT, 8, RW, VM_SHARED, o, 0);
    for (unsigned i = 1; i < 5; i++)
        store(s, AT + i * PAGE_SIZE, 0x11 * i);
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT_EQ(disk.puts, 1);
    EXPECT_EQ(disk.longest_put, 4);
    EXPECT_EQ(disk.disk[3], 0x33);
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT_EQ(disk.puts, 1);
    store(s, AT + PAGE_SIZE, 0x77); /* which is a fault again, and so not missed */
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT_EQ(disk.disk[1], 0x77);
    EXPECT_EQ(disk.puts, 2);
    disk.put_at_most = 1; /* a pager that takes less than it was given is asked again */
    store(s, AT + PAGE_SIZE, 1);
    store(s, AT + 2 * PAGE_SIZE, 2);
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT_EQ(disk.disk[2], 2);
    vm_object_unref(o);
}

static struct {
    struct vm_object *object;
    struct vm_run first, next;
} on_their_way;

static void another_begins_and_the_first_arrives(struct spinlock *lock)
{
    port_on_sleep = NULL;
    object_gather(object_frame(on_their_way.object, 3), &on_their_way.next);
    spin_unlock(lock);
    EXPECT_EQ(object_put(on_their_way.object, &on_their_way.first), 1);
}

TEST(waiting_for_what_is_on_its_way_does_not_wait_for_what_follows)
{
    struct vm_object *o = disk_object(8);

    map(AT, 8, RW, VM_SHARED, o, 0);
    store(s, AT + PAGE_SIZE, 1);
    store(s, AT + 3 * PAGE_SIZE, 3);
    on_their_way.object = o;
    port_on_sleep = another_begins_and_the_first_arrives;
    spin_lock(&vm_lock);
    object_gather(object_frame(o, 1), &on_their_way.first);
    object_await_puts(o);
    spin_unlock(&vm_lock);
    EXPECT_EQ(disk.puts, 1);
    EXPECT_EQ(object_put(o, &on_their_way.next), 1);
    EXPECT_EQ(disk.disk[1], 1);
    EXPECT_EQ(disk.disk[3], 3);
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT_EQ(disk.puts, 2);
    vm_object_unref(o);
}

TEST(what_cannot_be_put_stays_dirty_and_is_told)
{
    struct vm_object *o = disk_object(2);

    map(AT, 2, RW, VM_SHARED, o, 0);
    store(s, AT, 5);
    disk.put_error = -EIO;
    EXPECT_EQ(vm_object_sync(o), -EIO);
    disk.put_error = 0;
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT_EQ(disk.disk[0], 5);
    vm_object_unref(o);
}

static void store_again(struct vm_object *o)
{
    (void)o;
    disk.during_put = NULL;
    EXPECT_EQ(load(s, AT), 5); /* it may be read while it is on its way */
    store(s, AT, 6);
}

TEST(a_store_while_it_is_put_makes_a_page_dirty_again)
{
    struct vm_object *o = disk_object(2);

    map(AT, 2, RW, VM_SHARED, o, 0);
    store(s, AT, 5);
    disk.during_put = store_again;
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT_EQ(vm_object_sync(o), 0);
    EXPECT_EQ(disk.disk[0], 6);
    vm_object_unref(o);
}

static void cut_off(struct vm_object *o)
{
    disk.during_get = disk.during_put = NULL;
    vm_object_forget(o, 0, 2);
}

TEST(a_page_cut_off_while_it_is_brought_in_does_not_come_back)
{
    struct vm_object *o = disk_object(2);
    uint8_t byte = 9;

    disk.during_get = cut_off;
    disk.disk[0] = 4;
    EXPECT_EQ(vm_object_read_kernel(o, 0, &byte, 1), 1);
    EXPECT_EQ(byte, 4);
    EXPECT_EQ(disk.gets, 2);
    EXPECT_EQ(mm_check(), 0);
    vm_object_unref(o);
}

TEST(a_mapping_may_be_written_once_there_is_a_place_for_it)
{
    struct vm_object *o = disk_object(2);

    map(AT, 2, RW, VM_SHARED, o, 0);
    EXPECT_EQ(load(s, AT), 0);
    EXPECT(!writable_at(s, AT));
    EXPECT_EQ(disk.reserved, 0);
    disk.reserve_error = -ENOSPC;
    EXPECT_EQ(program_store(0, s, AT, 1), VM_PAST_END);
    disk.reserve_error = 0;
    store(s, AT, 1);
    EXPECT_EQ(disk.reserved, 2);
    EXPECT_EQ(vm_object_sync(o), 0);
    store(s, AT, 2);
    EXPECT_EQ(disk.reserved, 2);
    vm_object_unref(o);
}

TEST(a_write_to_a_part_of_a_page_asks_for_its_place)
{
    struct vm_object *o = disk_object(2);
    uint8_t bytes[4] = {1};

    EXPECT_EQ(vm_object_read_kernel(o, 0, bytes, 1), 1);
    EXPECT_EQ(disk.reserved, 0);
    disk.reserve_error = -ENOSPC;
    EXPECT_EQ(vm_object_write_kernel(o, 100, bytes, 4), -ENOSPC);
    disk.reserve_error = 0;
    EXPECT_EQ(vm_object_write_kernel(o, 100, bytes, 4), 4);
    EXPECT_EQ(disk.reserved, 2);
    vm_object_unref(o);
}

TEST(growth_shows_nothing_that_was_written_past_the_end)
{
    uint32_t v = 1;

    vm_object_resize(file, PAGE_SIZE + 100);
    map(AT, 2, RW, VM_SHARED, file, 0);
    store(s, AT + PAGE_SIZE + 200, 5);
    store(s, AT + PAGE_SIZE + 300, 6);
    EXPECT_EQ(vm_object_write_kernel(file, PAGE_SIZE + 300, &v, 2), 2);
    EXPECT_EQ(load(s, AT + PAGE_SIZE + 200), 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE + 300), 1);
    store(s, AT + PAGE_SIZE + 400, 7);
    vm_object_resize(file, 2 * PAGE_SIZE);
    EXPECT_EQ(load(s, AT + PAGE_SIZE + 400), 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE + 300), 1);
}

TEST(holes_give_frames_back_and_read_as_zeros)
{
    struct vm_object *o = vm_object_create_anon(8 * PAGE_SIZE);
    uint32_t index = 0;

    map(AT, 8, RW, VM_SHARED, o, 0);
    for (unsigned i = 0; i < 8; i++)
        store(s, AT + i * PAGE_SIZE + 8, i + 1);
    EXPECT_EQ(vm_object_punch(o, PAGE_SIZE + 16, 3 * PAGE_SIZE), 0);
    EXPECT_EQ(vm_object_pages(o), 6);
    EXPECT_EQ(load(s, AT + PAGE_SIZE + 8), 2);
    EXPECT_EQ(load(s, AT + 4 * PAGE_SIZE + 8), 0);
    EXPECT_EQ(load(s, AT + 2 * PAGE_SIZE + 8), 0);
    EXPECT(vm_object_next_dirty(o, &index));
    EXPECT_EQ(index, 0);
    index = 2;
    EXPECT(vm_object_next_dirty(o, &index));
    EXPECT_EQ(index, 4); /* what was only read is no data */
    EXPECT_EQ(vm_object_punch(o, 0, 1ull << 44), 0);
    index = 0;
    EXPECT(!vm_object_next_dirty(o, &index));
    vm_object_unref(o);
    map(AT, 8, RW, VM_SHARED, file, 0);
    store(s, AT, 9);
    EXPECT_EQ(vm_object_punch(file, 0, PAGE_SIZE), 0); /* no zeros are behind it */
    EXPECT_EQ(load(s, AT), 0);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), file_word(1));
}

TEST(writers_are_denied_once_there_are_none)
{
    struct vm_mapping m = {.addr = AT,
                           .len = PAGE_SIZE,
                           .prot = VM_PROT_READ,
                           .maxprot = ALL & ~VM_PROT_WRITE,
                           .flags = VM_SHARED | VM_FIXED,
                           .object = file};

    EXPECT_EQ(map(AT, 1, VM_PROT_READ, VM_SHARED, file, 0), 0); /* may become writable */
    EXPECT_EQ(map(AT + PAGE_SIZE, 1, RW, 0, file, 0), 0);
    EXPECT_EQ(vm_object_areas(file), 2);
    EXPECT(!vm_object_deny_writers(file));
    vm_unmap(s, AT, PAGE_SIZE);
    EXPECT(vm_object_deny_writers(file));
    EXPECT_EQ(map(AT, 1, VM_PROT_READ, VM_SHARED, file, 0), -EPERM);
    EXPECT_EQ(map(AT, 1, RW, 0, file, 0), 0);
    EXPECT_EQ(vm_map(s, &m, NULL), 0);
}

static unsigned times_unmapped;

static void count_unmapped(struct vm_object *o)
{
    (void)o;
    times_unmapped++;
}

TEST(every_area_of_an_object_that_counts_is_told_of)
{
    static const struct pager counting = {
        .name = "counting", .get = test_get, .unmapped = count_unmapped};
    struct vm_object *o = vm_object_create(&counting, NULL, 4 * PAGE_SIZE);

    times_unmapped = 0;
    map(AT, 4, RW, VM_SHARED, o, 0);
    vm_protect(s, AT + PAGE_SIZE, PAGE_SIZE, VM_PROT_READ);
    EXPECT_EQ(vm_object_areas(o), 3);
    vm_protect(s, AT + PAGE_SIZE, PAGE_SIZE, RW);
    EXPECT_EQ(vm_object_areas(o), 3); /* they are not joined again */
    vm_space_fork(s, &child);
    EXPECT_EQ(vm_object_areas(o), 6);
    vm_unmap(s, AT, 2 * PAGE_SIZE);
    EXPECT_EQ(times_unmapped, 2);
    vm_space_unref(child);
    child = NULL;
    EXPECT_EQ(times_unmapped, 5);
    EXPECT_EQ(vm_object_areas(o), 1);
    vm_object_unref(o);
}

TEST(object_outlives_its_creator_while_mapped)
{
    struct vm_object *o = vm_object_create_anon(PAGE_SIZE);

    map(AT, 1, RW, VM_SHARED, o, 0);
    vm_object_unref(o);
    store(s, AT, 5);
    EXPECT_EQ(load(s, AT), 5);
}

/* ---- Copies by the kernel ---- */

TEST(copy_to_and_from_a_space_behaves_as_the_program_would)
{
    char buf[PAGE_SIZE + 10];

    map(AT, 2, RW, 0, NULL, 0);
    vm_space_fork(s, &child);
    memset(buf, 'x', sizeof(buf));
    EXPECT_EQ(vm_copy_to(s, AT + 100, buf, sizeof(buf)), sizeof(buf));
    EXPECT_EQ(load(s, AT + 100), 0x78787878);
    EXPECT_EQ(load(child, AT + 100), 0);
    EXPECT_EQ(vm_copy_to(s, AT + 2 * PAGE_SIZE - 6, buf, 10), 6);
    EXPECT_EQ(vm_copy_to(s, AT + 2 * PAGE_SIZE, buf, 10), -EFAULT);
    memset(buf, 0, sizeof(buf));
    EXPECT_EQ(vm_copy_from(s, buf, AT + 104, 4), 4);
    EXPECT_EQ(buf[0], 'x');
    vm_protect(s, AT, 2 * PAGE_SIZE, VM_PROT_READ);
    EXPECT_EQ(vm_copy_to(s, AT, buf, 1), -EFAULT);
    EXPECT_EQ(vm_copy_from(s, buf, 0xfffffff0, 100), -EFAULT);
}

/* ---- Physical memory ---- */

TEST(every_frame_can_be_had_once_and_given_back)
{
    struct mem_stats st;
    void *list = NULL, *page;
    uint32_t n = 0, start;

    mm_stats(&st);
    start = st.free;
    while ((page = kalloc())) {
        *(void **)page = list;
        list = page;
        n++;
    }
    EXPECT_EQ(n, start);
    mm_stats(&st);
    EXPECT_EQ(st.free, 0);
    while (list) {
        page = list;
        list = *(void **)page;
        kfree(page);
    }
    mm_stats(&st);
    EXPECT_EQ(st.free, start);
}

TEST(kmalloc_of_every_size_holds_its_bytes)
{
    static uint8_t *p[PAGE_SIZE / 8 + 1];

    for (unsigned i = 1; i <= PAGE_SIZE / 8; i++) {
        p[i] = kmalloc(i * 8);
        EXPECT(p[i] != NULL && ((uintptr_t)p[i] & 7) == 0);
        if (p[i])
            memset(p[i], (int)i, i * 8);
    }
    for (unsigned i = 1; i <= PAGE_SIZE / 8; i++) {
        EXPECT(p[i][0] == (uint8_t)i && p[i][i * 8 - 1] == (uint8_t)i);
        kmfree(p[i]);
    }
    kmfree(NULL);
    EXPECT_EQ(mm_check(), 0);
}

TEST(kmalloc_gives_its_frames_back)
{
    struct mem_stats st;
    void *list = NULL, *p;
    uint32_t start, n = 0, again = 0;

    mm_stats(&st);
    start = st.free;
    for (; (p = kmalloc(256)); list = p, n++)
        *(void **)p = list;
    for (; (p = list); kmfree(p))
        list = *(void **)p;
    mm_stats(&st);
    EXPECT(st.free >= start - 1);
    for (; (p = kmalloc(256)); list = p, again++)
        *(void **)p = list;
    EXPECT_EQ(again, n);
    for (unsigned i = 0; i < 20; i++) {
        p = list;
        list = *(void **)p;
        kmfree(p);
    }
    for (unsigned i = 0; i < 20; i++) {
        p = kmalloc(256);
        EXPECT(p != NULL);
        *(void **)p = list;
        list = p;
    }
    for (; (p = list); kmfree(p))
        list = *(void **)p;
}

TEST(tables_and_leaves_are_given_back_when_empty)
{
    uint32_t tables = frame_count(FRAME_TABLE);

    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT, 1);
    EXPECT_EQ(frame_count(FRAME_TABLE), tables + 1);
    vm_unmap(s, AT, PAGE_SIZE);
    EXPECT_EQ(frame_count(FRAME_TABLE), tables);
    EXPECT_EQ(frame_count(FRAME_LEAF), 0);
}

TEST(figures_are_exact)
{
    struct vm_space_stats st;

    map(AT, 10, RW, 0, NULL, 0);
    map(AT + 0x100000, 4, VM_PROT_READ | VM_PROT_EXEC, 0, file, 0);
    store(s, AT, 1);
    load(s, AT + PAGE_SIZE);
    load(s, AT + 0x100000);
    vm_space_stats(s, &st);
    EXPECT_EQ(st.size, 14);
    EXPECT_EQ(st.resident, 2);
    EXPECT_EQ(st.resident_file, 1);
    EXPECT_EQ(st.data, 10);
    EXPECT_EQ(st.text, 4);
    vm_unmap(s, AT, 10 * PAGE_SIZE);
    vm_space_stats(s, &st);
    EXPECT_EQ(st.resident, 1);
    EXPECT_EQ(st.peak_resident, 2);
}

int main(void)
{
    return run_tests(before, after);
}
