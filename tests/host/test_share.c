/* Page tables that fork shares: who has them, who gets one of his own and when, who is told. */
#include "libc/errno.h"
#include "mm/fork/share.h"
#include "tests/host/port.h"
#include "tests/host/stage.h"

#define PAGES 4u

static vaddr_t page(unsigned n)
{
    return AT + n * PAGE_SIZE;
}

static struct frame *table_frame(const struct vm_space *sp)
{
    return frame_of(pmap_table(&sp->pmap, AT));
}

static bool same_table(const struct vm_space *a, const struct vm_space *b)
{
    return pmap_table(&a->pmap, AT) && pmap_table(&a->pmap, AT) == pmap_table(&b->pmap, AT);
}

static uint32_t load_on(unsigned cpu, struct vm_space *sp, vaddr_t va)
{
    uint32_t v = 0;

    EXPECT_EQ(program_load(cpu, sp, va, &v), VM_MINOR);
    return v;
}

/* Pages with 1, 2, ... in the parent, and a child. */
static void parent_and_child(void)
{
    map(AT, PAGES + 1, RW, 0, NULL, 0); /* nobody has touched the last */
    for (unsigned i = 0; i < PAGES; i++)
        store(s, page(i), i + 1);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
}

TEST(a_child_maps_at_once_what_its_parent_maps)
{
    struct vm_space_stats of_parent, of_child;

    parent_and_child();
    EXPECT(same_table(s, child));
    vm_space_stats(s, &of_parent);
    vm_space_stats(child, &of_child);
    EXPECT_EQ(of_child.resident, of_parent.resident);
    EXPECT_EQ(of_child.peak_resident, of_parent.resident);
    for (unsigned i = 0; i < PAGES; i++) {
        EXPECT_EQ(load(child, page(i)), i + 1);
        EXPECT_EQ(program_faults, 0);
    }
    EXPECT_EQ(mm_check(), 0);
}

TEST(who_writes_gets_a_table_of_his_own)
{
    parent_and_child();
    store(child, page(1), 20);
    EXPECT(!same_table(s, child));
    EXPECT_EQ(mm_check(), 0);
    store(s, page(2), 30);
    EXPECT_EQ(load(s, page(1)), 2);
    EXPECT_EQ(load(child, page(1)), 20);
    EXPECT_EQ(load(child, page(2)), 3);
    EXPECT_EQ(program_faults, 0);
    EXPECT_EQ(mm_check(), 0);
}

/* The other CPU has the directory's entry cached, and not the page. */
TEST(a_cpu_does_not_go_on_by_the_table_that_was_left)
{
    parent_and_child();
    EXPECT_EQ(load_on(1, child, page(0)), 1);
    store(child, page(PAGES), 50); /* there is nothing to be replaced, and so no other flush */
    store(s, page(2), 30);
    EXPECT_EQ(load_on(1, child, page(2)), 3);
}

TEST(no_cpu_stores_through_what_was_writable_before_the_fork)
{
    map(AT, PAGES, RW, 0, NULL, 0);
    for (unsigned i = 0; i < PAGES; i++)
        store(s, page(i), i + 1);
    EXPECT_EQ(program_store(1, s, page(0), 1), VM_MINOR);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    EXPECT_EQ(program_store(1, s, page(0), 10), VM_MINOR);
    EXPECT_EQ(program_store(1, s, page(1), 10), VM_MINOR);
    EXPECT_EQ(load(child, page(0)), 1);
    EXPECT_EQ(load(child, page(1)), 2);
}

/* The first that has a table keeps it, and all others are told that theirs is another. */
TEST(who_forked_keeps_the_table_and_others_get_the_copy)
{
    const pte_t *table;

    parent_and_child();
    table = pmap_table(&s->pmap, AT);
    EXPECT_EQ(load_on(1, child, page(0)), 1);
    store(s, page(PAGES), 50);
    store(s, page(2), 30);
    EXPECT(pmap_table(&s->pmap, AT) == table && !same_table(s, child));
    EXPECT_EQ(load_on(1, child, page(2)), 3);
    EXPECT_EQ(program_faults, 0);
    EXPECT_EQ(mm_check(), 0);
}

/* ---- What the entries say of the right to write ---- */

/* The child goes, and the parent writes to page 0: whether a fault is needed for page 1 as well. */
static unsigned faults_of_the_next_page(void)
{
    if (child)
        vm_space_unref(child);
    child = NULL;
    store(s, page(0), 10);
    EXPECT_EQ(mm_check(), 0);
    store(s, page(1), 20);
    return program_faults;
}

TEST(who_gets_a_table_back_as_it_was_writes_as_before)
{
    parent_and_child();
    EXPECT_EQ(load(child, page(1)), 2);
    EXPECT_EQ(faults_of_the_next_page(), 0);
}

TEST(rights_that_went_meanwhile_do_not_come_back)
{
    parent_and_child();
    EXPECT_EQ(vm_protect(s, page(1), PAGE_SIZE, VM_PROT_READ), 0);
    EXPECT_EQ(vm_protect(s, page(1), PAGE_SIZE, RW), 0);
    EXPECT_EQ(faults_of_the_next_page(), 1);
}

TEST(who_lets_a_table_go_may_have_its_pages_all_the_same)
{
    parent_and_child();
    EXPECT_EQ(vm_protect(child, AT, (PAGES + 1) * PAGE_SIZE, 0), 0);
    EXPECT_EQ(table_frame(s)->pins, 0);
    store(s, page(0), 10);
    store(s, page(1), 20);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(vm_protect(child, AT, (PAGES + 1) * PAGE_SIZE, RW), 0);
    EXPECT_EQ(load(child, page(0)), 1);
    EXPECT_EQ(load(child, page(1)), 2);
}

TEST(who_got_no_tables_has_the_pages_all_the_same)
{
    struct vm_space *many[FAMILY_MAX + 1];

    map(AT, PAGES, RW, 0, NULL, 0);
    for (unsigned i = 0; i < PAGES; i++)
        store(s, page(i), i + 1);
    for (unsigned n = 0; n <= FAMILY_MAX; n++)
        EXPECT_EQ(vm_space_fork(s, &many[n]), 0);
    EXPECT(!pmap_table(&many[FAMILY_MAX]->pmap, AT));
    for (unsigned n = 0; n < FAMILY_MAX; n++)
        vm_space_unref(many[n]);
    store(s, page(0), 10);
    store(s, page(1), 20);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(load(many[FAMILY_MAX], page(1)), 2);
    vm_space_unref(many[FAMILY_MAX]);
}

/* Its tables go first, and meanwhile it still counts as an owner of what it had. */
TEST(who_dies_has_the_pages_until_the_end)
{
    parent_and_child();
    child->pmap.dying = true;
    pmap_remove(&child->pmap, AT, AT + PAGES * PAGE_SIZE);
    EXPECT_EQ(table_frame(s)->pins, 0);
    store(s, page(0), 10);
    EXPECT(!writable_at(s, page(1)));
    vm_space_unref(child);
    child = NULL;
}

/* The one who stays behind gets the table itself, whose entries are still as they were before. */
TEST(who_is_left_with_a_table_may_not_write_by_what_its_entries_said)
{
    parent_and_child();
    store(child, page(0), 10);
    EXPECT_EQ(table_frame(s)->pins, 0);
    store(s, page(0), 11);
    store(s, page(3), 40);
    EXPECT_EQ(load(child, page(3)), 4);
    EXPECT_EQ(load(child, page(0)), 10);
    EXPECT_EQ(mm_check(), 0);
}

TEST(what_is_unmapped_leaves_the_others_table_alone)
{
    struct vm_space_stats st;
    uint32_t v;

    parent_and_child();
    EXPECT_EQ(vm_unmap(child, page(1), PAGE_SIZE), 0);
    EXPECT(!same_table(s, child));
    EXPECT_EQ(load(s, page(1)), 2);
    EXPECT_EQ(program_faults, 0);
    EXPECT_EQ(program_load(0, child, page(1), &v), VM_BAD_ADDRESS);
    EXPECT_EQ(load(child, page(2)), 3);
    EXPECT_EQ(program_faults, 0);
    vm_space_stats(child, &st);
    EXPECT_EQ(st.resident, PAGES - 1);
    EXPECT_EQ(mm_check(), 0);
}

TEST(what_is_unmapped_whole_is_let_go_of)
{
    struct vm_space_stats st;
    uint32_t v;

    parent_and_child();
    EXPECT_EQ(load_on(1, child, page(1)), 2);
    EXPECT_EQ(vm_unmap(child, AT, PAGES * PAGE_SIZE), 0);
    EXPECT(!pmap_table(&child->pmap, AT));
    EXPECT_EQ(table_frame(s)->pins, 0);
    EXPECT_EQ(program_load(1, child, page(1), &v), VM_BAD_ADDRESS);
    vm_space_stats(child, &st);
    EXPECT_EQ(st.resident, 0);
    EXPECT_EQ(load(s, page(1)), 2);
    EXPECT_EQ(mm_check(), 0);
}

/* There is no leaf to be copied, and no memory for a table. */
TEST(unmapping_needs_no_memory_for_a_table)
{
    struct vm_space_stats st;

    map(AT, 8, VM_PROT_READ, 0, file, 0);
    (void)load(s, AT);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    spin_lock(&vm_lock);
    mm_inject_failure(1);
    pmap_remove(&child->pmap, AT, AT + PAGE_SIZE);
    mm_inject_failure(0);
    spin_unlock(&vm_lock);
    EXPECT(!pmap_table(&child->pmap, AT));
    vm_space_stats(child, &st);
    EXPECT_EQ(st.resident, 0);
    EXPECT_EQ(st.resident_file, 0);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(load(child, page(3)), file_word(3));
}

TEST(rights_are_taken_without_a_table_of_ones_own)
{
    uint32_t v = 9;

    parent_and_child();
    EXPECT_EQ(vm_protect(child, AT, PAGES * PAGE_SIZE, VM_PROT_READ), 0);
    EXPECT(same_table(s, child));
    EXPECT_EQ(program_store(0, child, page(1), v), VM_BAD_ACCESS);
    store(s, page(1), v);
    EXPECT_EQ(load(child, page(1)), 2);
    EXPECT_EQ(vm_protect(child, AT, PAGES * PAGE_SIZE, 0), 0);
    EXPECT_EQ(program_load(0, child, page(2), &v), VM_BAD_ACCESS);
}

/* Whoever has the table is told, on every CPU; and so is who has a copy. */
TEST(a_page_that_goes_goes_from_all_that_share_it)
{
    struct vm_space *other = NULL;
    struct vm_space_stats st;

    map(AT, 8, RW, 0, file, 0);
    store(s, page(7), 1);
    for (unsigned i = 0; i < 7; i++)
        (void)load(s, page(i));
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    EXPECT_EQ(vm_space_fork(s, &other), 0);
    EXPECT_EQ(table_frame(s)->pins, 2);
    store(other, page(6), 2);
    EXPECT_EQ(table_frame(s)->pins, 1);
    (void)load_on(0, s, page(1));
    (void)load_on(1, child, page(1));
    (void)load_on(2, other, page(1));
    spin_lock(&vm_lock);
    object_evict(object_frame(file, 1));
    spin_unlock(&vm_lock);
    EXPECT(!machine_translate(0, s->pmap.pgdir, page(1), false));
    EXPECT(!machine_translate(1, child->pmap.pgdir, page(1), false));
    EXPECT(!machine_translate(2, other->pmap.pgdir, page(1), false));
    EXPECT_EQ(mm_check(), 0);
    vm_space_stats(child, &st);
    EXPECT_EQ(st.resident, 7);
    EXPECT_EQ(st.resident_file, 6);
    vm_space_unref(other);
}

TEST(the_first_that_has_a_table_may_go)
{
    parent_and_child();
    store(s, page(0), 10);
    EXPECT_EQ(table_frame(child)->table.pmap == &child->pmap, true);
    EXPECT_EQ(mm_check(), 0);
    vm_space_unref(s);
    s = NULL;
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(load(child, page(0)), 1);
    store(child, page(0), 11);
    EXPECT_EQ(load(child, page(0)), 11);
}

TEST(a_family_has_an_end)
{
    struct vm_space *many[12];

    map(AT, PAGES, RW, 0, NULL, 0);
    for (unsigned i = 0; i < PAGES; i++)
        store(s, page(i), i + 1);
    for (unsigned n = 0; n < 12; n++) {
        EXPECT_EQ(vm_space_fork(s, &many[n]), 0);
        store(many[n], page(n % PAGES), 100 + n);
    }
    EXPECT(same_table(s, many[0]) == false && pmap_table(&many[11]->pmap, AT));
    EXPECT_EQ(mm_check(), 0);
    store(s, page(0), 7);
    for (unsigned n = 0; n < 12; n++) {
        EXPECT_EQ(load(many[n], page(n % PAGES)), 100 + n);
        EXPECT_EQ(load(many[n], page((n + 1) % PAGES)), (n + 1) % PAGES + 1);
        vm_space_unref(many[n]);
        EXPECT_EQ(mm_check(), 0);
    }
}

int main(void)
{
    return run_tests(stage_up, stage_down);
}
