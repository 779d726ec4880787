/* Pagers that wait, refuse, and see the object change meanwhile; dirty pages and where they go. */
#include <string.h>
#include "libc/errno.h"
#include "mm/dirty.h"
#include "tests/host/port.h"
#include "tests/host/stage.h"

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

TEST(a_page_that_is_written_to_in_two_places_is_counted_once)
{
    struct vm_object *o = disk_object(8);

    map(AT, 8, RW, VM_SHARED, o, 0);
    map(AT + 0x100000, 8, RW, VM_SHARED, o, 0);
    store(s, AT, 1);
    store(s, AT + 0x100000 + 4, 1);
    EXPECT_EQ(dirty_now(), 1);
    EXPECT_EQ(vm_object_sync(o), 0);
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
    const struct pager counting = {
        .name = "counting", .get = test_pager.get, .unmapped = count_unmapped};
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
    vm_unmap(s, AT + 2 * PAGE_SIZE, 2 * PAGE_SIZE); /* before the pager goes, which lies here */
    EXPECT_EQ(times_unmapped, 6);
    vm_object_unref(o);
}

static int times_held, times_let_go;

static void count_held(struct vm_backing *b, bool held)
{
    EXPECT_EQ(b->areas, held ? 1 : 0);
    times_held += held;
    times_let_go += !held;
}

TEST(what_backs_areas_is_held_until_the_last_of_them_is_gone)
{
    static struct vm_backing one, other;
    struct vm_mapping m = {.addr = AT,
                           .len = 4 * PAGE_SIZE,
                           .prot = RW,
                           .maxprot = ALL,
                           .flags = VM_SHARED | VM_FIXED,
                           .object = file,
                           .backing = &one};

    one = other = (struct vm_backing){.hold = count_held};
    times_held = times_let_go = 0;
    EXPECT_EQ(vm_map(s, &m, NULL), 0);
    m.addr += m.len;
    m.pgoff += 4;
    EXPECT_EQ(vm_map(s, &m, NULL), 0); /* joins the first */
    EXPECT_EQ(one.areas, 1);
    m.backing = &other; /* the same pages, opened once more: an area of its own */
    EXPECT_EQ(vm_map(s, &m, NULL), 0);
    EXPECT_EQ(one.areas, 1);
    EXPECT_EQ(other.areas, 1);
    EXPECT_EQ(times_held, 2);
    vm_protect(s, AT + PAGE_SIZE, PAGE_SIZE, VM_PROT_READ);
    EXPECT_EQ(one.areas, 3);
    vm_space_fork(s, &child);
    EXPECT_EQ(one.areas, 6);
    EXPECT_EQ(vm_remap_file_pages(s, AT, PAGE_SIZE, 2), 0);
    EXPECT_EQ(one.areas, 6);
    vm_unmap(s, AT, 8 * PAGE_SIZE);
    EXPECT_EQ(one.areas, 3);
    EXPECT_EQ(times_let_go, 0);
    vm_space_unref(child);
    child = NULL;
    EXPECT_EQ(times_let_go, 2);
    EXPECT_EQ(times_held, 2);
}

/* ---- A page that very many map ---- */

#define CROWD    600u
#define PLACE(n) (AT + 2 * (n)*PAGE_SIZE)

static void crowd_maps(void)
{
    for (unsigned n = 0; n < CROWD; n++)
        EXPECT_EQ(map(PLACE(n), 1, VM_PROT_READ, VM_SHARED, file, 0), 0);
    for (unsigned n = 0; n < CROWD; n++)
        EXPECT_EQ(load(s, PLACE(n)), file_word(0));
    EXPECT_EQ(rmap_count(object_frame(file, 0)), CROWD);
}

TEST(page_that_a_crowd_maps_goes_in_the_end)
{
    crowd_maps();
    for (unsigned n = 0; n < 20 && object_frame(file, 0); n++)
        (void)reclaim();
    EXPECT(!object_frame(file, 0));
    EXPECT_EQ(load(s, PLACE(CROWD - 1)), file_word(0));
}

TEST(page_that_a_crowd_maps_stays_while_one_has_locked_it)
{
    crowd_maps();
    EXPECT_EQ(vm_lock_range(s, PLACE(3), PAGE_SIZE, VM_LOCKED, UINT32_MAX), 0);
    for (unsigned n = 0; n < 20; n++)
        (void)reclaim();
    EXPECT(object_frame(file, 0) != NULL);
    EXPECT(frame_at(s, PLACE(3)) == frame_number(object_frame(file, 0)));
    EXPECT(rmap_count(object_frame(file, 0)) <= 128);
}

TEST(object_outlives_its_creator_while_mapped)
{
    struct vm_object *o = vm_object_create_anon(PAGE_SIZE);

    map(AT, 1, RW, VM_SHARED, o, 0);
    vm_object_unref(o);
    store(s, AT, 5);
    EXPECT_EQ(load(s, AT), 5);
}

int main(void)
{
    return run_tests(stage_up, stage_down);
}
