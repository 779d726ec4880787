/* Objects that grow, shrink and are written to, and what becomes of the mappings of their pages. */
#include <string.h>
#include "libc/errno.h"
#include "tests/host/port.h"
#include "tests/host/stage.h"

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

int main(void)
{
    return run_tests(stage_up, stage_down);
}
