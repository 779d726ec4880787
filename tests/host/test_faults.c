/* The fault table, one test for each row, and stacks that grow. */
#include "libc/errno.h"
#include "tests/host/stage.h"

/* ---- Faults without the kernel lock ---- */

static bool alone(vaddr_t at, enum vm_access access)
{
    return vm_fault_alone(s, at, access, true);
}

TEST(common_faults_are_resolved_alone)
{
    map(AT, 2, RW, 0, NULL, 0);
    map(AT + 0x100000, 4, RW, 0, file, 0);
    EXPECT(alone(AT, VM_WRITE) && writable_at(s, AT));
    EXPECT(alone(AT + PAGE_SIZE, VM_READ) && !writable_at(s, AT + PAGE_SIZE));
    store(s, AT, 7);
    vm_space_fork(s, &child);
    EXPECT(alone(AT, VM_WRITE) && frame_at(s, AT) != frame_at(child, AT));
    EXPECT_EQ(load(s, AT), 7);
    EXPECT_EQ(load(s, AT + 0x100000), file_word(0));
    pmap_remove(&s->pmap, AT + 0x100000, AT + 0x101000);
    EXPECT(alone(AT + 0x100000, VM_READ) && !writable_at(s, AT + 0x100000));
    EXPECT(alone(AT + 0x100000, VM_WRITE) && writable_at(s, AT + 0x100000));
    EXPECT_EQ(load(s, AT + 0x100000), file_word(0));
}

/* Whether it is done beside those of other spaces. */
static bool beside(vaddr_t at, enum vm_access access)
{
    const uint64_t before = host_self->faults;

    EXPECT(alone(at, access));
    return host_self->faults > before;
}

TEST(what_stays_in_its_space_is_done_beside_others)
{
    const vaddr_t pages = AT, untouched = AT + PT_SPAN, cached = AT + 2 * PT_SPAN;

    map(pages, 4, RW, 0, NULL, 0);
    map(untouched, 2, RW, 0, NULL, 0);
    map(cached, 4, RW, 0, file, 0);
    EXPECT(beside(untouched, VM_READ));
    EXPECT(beside(pages, VM_READ));
    EXPECT(beside(pages, VM_WRITE));
    EXPECT(beside(pages + PAGE_SIZE, VM_WRITE));
    EXPECT(beside(pages + PAGE_SIZE, VM_READ));
    EXPECT_EQ(load(s, cached), file_word(0));
    pmap_remove(&s->pmap, cached, cached + PAGE_SIZE);
    EXPECT(beside(cached, VM_READ));
    EXPECT(!beside(cached, VM_READ));
    pmap_remove(&s->pmap, cached, cached + PAGE_SIZE);
    EXPECT(!beside(cached, VM_WRITE));
}

TEST(what_parent_and_child_share_is_not)
{
    const vaddr_t pages = AT, untouched = AT + PT_SPAN, cached = AT + 2 * PT_SPAN;

    map(pages, 4, RW, 0, NULL, 0);
    map(untouched, 2, RW, 0, NULL, 0);
    map(cached, 4, RW, 0, file, 0);
    EXPECT_EQ(load(s, cached) + load(s, untouched), file_word(0));
    store(s, pages, 1);
    vm_space_fork(s, &child);
    EXPECT(!beside(untouched, VM_WRITE));         /* the table */
    EXPECT(!beside(pages + PAGE_SIZE, VM_READ));  /* the table, and no longer */
    EXPECT(!beside(pages + PAGE_SIZE, VM_WRITE)); /* the leaf */
    EXPECT(!beside(pages, VM_WRITE));             /* the anon */
    EXPECT(beside(pages, VM_WRITE));
    EXPECT(beside(pages + 2 * PAGE_SIZE, VM_WRITE));
    pmap_remove(&s->pmap, cached, cached + PAGE_SIZE);
    EXPECT(!beside(cached, VM_READ)); /* the child's link may stand for it */
    vm_space_unref(child);
    child = NULL;
    pmap_remove(&s->pmap, cached, cached + PAGE_SIZE);
    EXPECT(beside(cached, VM_READ));
}

static void nothing(struct vm_object *o)
{
    (void)o;
}

TEST(what_needs_more_is_not_done_alone)
{
    struct pager told = *file->pager;
    const struct pager *untold = file->pager;
    struct change c;

    map(AT, 1, RW, 0, NULL, 0);
    map(AT + 0x100000, 4, RW, VM_SHARED, file, 0);
    EXPECT(!alone(AT - PAGE_SIZE, VM_READ));
    EXPECT(!alone(AT + 0x100000, VM_READ)); /* not in memory */
    EXPECT_EQ(pager_calls, 0);
    EXPECT_EQ(load(s, AT + 0x100000), file_word(0));
    told.written = nothing;
    file->pager = &told;
    EXPECT(!alone(AT + 0x100000, VM_WRITE));
    file->pager = untold;
    EXPECT_EQ(change_begin(&c, s, 0), 0);
    spin_unlock(&vm_lock);
    EXPECT(!alone(AT, VM_WRITE));
    spin_lock(&vm_lock);
    change_end(&c);
    EXPECT(alone(AT, VM_WRITE));
    EXPECT_EQ(file->refs, 2);
}

TEST(a_frame_is_zeroed_ahead)
{
    uint32_t before;

    map(AT, 1, RW, 0, NULL, 0);
    before = frame_free_count();
    frame_zero_ahead();
    frame_zero_ahead();
    EXPECT_EQ(frame_free_count(), before);
    EXPECT(alone(AT, VM_WRITE));
    EXPECT_EQ(load(s, AT + 100), 0);
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

TEST(a_page_has_two_owners_still_when_only_its_neighbour_was_copied)
{
    map(AT, 2, RW, 0, NULL, 0);
    store(s, AT, 1);
    store(s, AT + PAGE_SIZE, 2);
    vm_space_fork(s, &child);
    store(child, AT, 3); /* the leaf is the child's own now, this page is not */
    store(child, AT + PAGE_SIZE, 4);
    EXPECT_EQ(load(s, AT + PAGE_SIZE), 2);
    EXPECT_EQ(load(child, AT + PAGE_SIZE), 4);
    EXPECT_EQ(load(s, AT), 1);
    EXPECT_EQ(anons(), 4);
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

TEST(a_fault_without_memory_leaves_no_table)
{
    uint32_t tables = frame_count(FRAME_TABLE), failed = 0;
    enum vm_result r = VM_NO_MEMORY;

    map(AT, 1, RW, 0, NULL, 0);
    while (r == VM_NO_MEMORY && failed < 10) {
        mm_inject_failure(failed + 1);
        r = vm_fault(s, AT, VM_WRITE);
        mm_inject_failure(0);
        if (r == VM_NO_MEMORY) {
            EXPECT_EQ(frame_count(FRAME_TABLE), tables);
            failed++;
        }
    }
    EXPECT_EQ(r, VM_MINOR);
    EXPECT(failed >= 3); /* leaf, table, frame */
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

TEST(a_page_entered_with_fewer_rights_is_flushed)
{
    bool writable;
    struct frame *f;

    map(AT, 1, RW, 0, NULL, 0);
    store(s, AT, 1);
    spin_lock(&vm_lock);
    f = pmap_lookup(&s->pmap, AT, &writable);
    EXPECT(writable);
    EXPECT_EQ(pmap_enter(&s->pmap, AT, f, VM_PROT_READ), 0);
    spin_unlock(&vm_lock);
    program_faults = 0;
    store(s, AT, 2);
    EXPECT_EQ(program_faults, 1);
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

int main(void)
{
    return run_tests(stage_up, stage_down);
}
