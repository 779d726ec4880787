/* The calls that change a space: mmap, munmap, mprotect, brk, mremap, madvise, mlock, fork. */
#include "libc/errno.h"
#include "tests/host/port.h"
#include "tests/host/stage.h"

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

TEST(neighbours_join_only_where_the_pages_of_their_file_go_on)
{
    struct vm_area_info a;

    map(AT, 1, VM_PROT_READ, 0, file, 3);
    map(AT + PAGE_SIZE, 1, VM_PROT_READ, 0, file, 4);
    map(AT + 2 * PAGE_SIZE, 1, VM_PROT_READ, 0, file, 6);
    vm_next_area(s, AT, &a);
    EXPECT_EQ(a.end, AT + 2 * PAGE_SIZE);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), file_word(4));
    EXPECT_EQ(load(s, AT + 2 * PAGE_SIZE), file_word(6));
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
    vm_set_brk(s, AT, AT);
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

int main(void)
{
    return run_tests(stage_up, stage_down);
}
