/* Frames that a processor has at hand: nothing is lost there, counted twice, or refused meanwhile.
 */
#include "mm/percpu/shelf.h"
#include "tests/host/stage.h"

static void *taken[RAM / PAGE_SIZE];
static unsigned count;

static void take(unsigned cpu, unsigned n)
{
    host_self = &host_cpus[cpu];
    while (n--)
        EXPECT((taken[count++] = kalloc()) != NULL);
    host_self = host_cpus;
}

static void give(unsigned cpu, unsigned n)
{
    host_self = &host_cpus[cpu];
    while (n--)
        kfree(taken[--count]);
    host_self = host_cpus;
}

static void begin(void)
{
    stage_up();
    count = 0;
    frames_at_hand();
    EXPECT(shelves_open);
}

TEST(a_shelf_is_filled_and_emptied_in_steps)
{
    uint32_t all, kernel;

    all = frame_free_count();
    kernel = frame_count(FRAME_KERNEL);
    take(0, 1);
    EXPECT_EQ(shelves_free(), SHELF_STEP - 1);
    EXPECT_EQ(frame_free_count(), all - 1);
    EXPECT_EQ(frame_count(FRAME_KERNEL), kernel + 1);
    take(0, SHELF_STEP - 1);
    EXPECT_EQ(shelves_free(), 0);
    take(1, SHELF_MOST);
    give(2, SHELF_MOST + SHELF_STEP);
    EXPECT_EQ(frame_free_count(), all);
    EXPECT_EQ(frame_count(FRAME_KERNEL), kernel);
    EXPECT(shelves_free() <= SHELF_MOST);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(shelves_free(), 0);
    EXPECT(shelves_open);
}

TEST(what_one_gives_back_it_gets_again)
{
    const void *first;

    take(1, 1);
    take(0, 1);
    first = taken[1];
    give(0, 1);
    take(1, 1);
    EXPECT(taken[1] != first);
    take(0, 1);
    EXPECT(taken[2] == first);
    give(0, 3);
}

TEST(zeroed_frames_stay_apart)
{
    const uint32_t *page;

    frame_zero_ahead();
    EXPECT(shelf_has_zeroed());
    host_self = &host_cpus[1];
    EXPECT(!shelf_has_zeroed());
    host_self = host_cpus;
    take(0, 1);
    EXPECT(shelf_has_zeroed());
    give(0, 1);
    page = kalloc_zeroed();
    for (unsigned i = 0; i < PAGE_SIZE / 4; i++)
        EXPECT_EQ(page[i], 0);
    EXPECT(!shelf_has_zeroed());
    kfree((void *)page);
}

TEST(every_frame_can_be_had_by_anybody)
{
    uint32_t all;

    all = frame_free_count();
    for (unsigned cpu = 0; cpu < HOST_CPUS; cpu++) {
        take(cpu, SHELF_MOST / 2);
        give(cpu, SHELF_MOST / 2);
    }
    EXPECT(shelves_free() > 0);
    while (frame_free_count() > 0)
        take(0, 1);
    EXPECT_EQ(count, all);
    EXPECT(!shelves_open);
    EXPECT_EQ(shelves_free(), 0);
    EXPECT(kalloc() == NULL);
    give(1, 2 * SHELF_STEP);
    EXPECT_EQ(shelves_free(), 0);
    EXPECT_EQ(mm_check(), 0);
    give(1, count);
    frame_zero_ahead();
    EXPECT(shelves_open);
    EXPECT_EQ(frame_free_count(), all);
}

TEST(shelves_leave_the_hints_true)
{
    while (shelves_open)
        take(count % HOST_CPUS, 1);
    EXPECT(frame_plenty());
    EXPECT_EQ(shelves_free(), 0);
    give(0, count);
}

TEST(shut_shelves_are_not_filled)
{
    struct free_frame *list = NULL;

    while (shelves_open)
        take(0, 1);
    give(0, 2 * SHELF_STEP);
    EXPECT_EQ(frames_lend(&list), 0); /* by who found them open just before */
    EXPECT(list == NULL);
    give(0, count);
}

TEST(an_injected_failure_finds_the_very_allocation)
{
    take(0, 1);
    mm_inject_failure(2);
    take(0, 1);
    EXPECT(kalloc() == NULL);
    mm_inject_failure(0);
    give(0, 2);
}

int main(void)
{
    return run_tests(begin, stage_down);
}
