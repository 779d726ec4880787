/*
 * Swap: a page without a file has a frame, a slot or both. The device is an array that may refuse,
 * and in which something may happen while a page is on its way.
 */
#include <setjmp.h>
#include <string.h>
#include "libc/errno.h"
#include "mm/mm.h"
#include "mm/reclaim/reclaim.h"
#include "mm/zram.h"
#include "tests/host/check.h"
#include "tests/host/port.h"
#include "tests/host/program.h"

#define RAM   (2u << 20)
#define SLOTS 64u
#define AT    0x20000000u
#define FILE  0x30000000u /* where objects are mapped, shared */
#define RW    (VM_PROT_READ | VM_PROT_WRITE)
#define P(n)  ((n)*PAGE_SIZE)
#define ZRAMS 9000u /* compressed pages: what they take would not fit at once */

struct array {
    struct swap_device device;
    uint8_t page[SLOTS][PAGE_SIZE];
    unsigned reads, writes; /* calls */
    int error;              /* what the next ones answer, 0: all is well */
    unsigned most;          /* pages that a write takes at most */
    void (*on_read)(void), (*on_write)(void);
};

static struct array array[2];
static struct vm_space *s, *child;
static struct vm_object *object;
static void *eaten; /* frames that somebody else has: a list through them */

static int array_read(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    struct array *a = d->private;

    a->reads++;
    if (a->on_read)
        a->on_read();
    for (unsigned i = 0; i < n && !a->error; i++)
        memcpy(pages[i], a->page[slot + i], PAGE_SIZE);
    return a->error;
}

static int array_write(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    struct array *a = d->private;

    a->writes++;
    n = n < a->most ? n : a->most;
    for (unsigned i = 0; i < n && !a->error; i++)
        memcpy(a->page[slot + i], pages[i], PAGE_SIZE);
    if (a->on_write)
        a->on_write();
    return a->error ? a->error : (int)n;
}

/* ---- The stage ---- */

static void before(void)
{
    machine_with_mm(RAM);
    for (unsigned i = 0; i < 2; i++) {
        memset(&array[i], 0, sizeof(array[i]));
        array[i].device = (struct swap_device){
            .read = array_read, .write = array_write, .private = &array[i], .name = "array"};
        array[i].most = VM_RUN_MAX;
    }
    s = vm_space_create();
    child = NULL;
    object = NULL;
    eaten = NULL;
    port_on_sleep = NULL;
    EXPECT_EQ(vm_swap_on(&array[0].device, SLOTS, -1), 0);
}

static void give_back_eaten(void)
{
    while (eaten) {
        void *page = eaten;
        eaten = *(void **)page;
        kfree(page);
    }
}

static uint32_t used_slots(void)
{
    struct vm_swap_stats st;

    vm_swap_stats(&st);
    return st.used;
}

static void after(void)
{
    EXPECT_EQ(mm_check(), 0);
    give_back_eaten();
    if (child)
        vm_space_unref(child);
    vm_space_unref(s);
    if (object)
        vm_object_unref(object);
    EXPECT_EQ(used_slots(), 0);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(frame_count(FRAME_ANON) + frame_count(FRAME_OBJECT) + frame_count(FRAME_ORPHAN), 0);
    machine_off();
}

/* Leaves so many frames free. */
static void eat_memory(uint32_t left)
{
    while (frame_free_count() > left) {
        void **page = kalloc();
        *page = eaten;
        eaten = page;
    }
}

static void map(vaddr_t at, unsigned pages, uint16_t flags, struct vm_object *o)
{
    struct vm_mapping m = {.addr = at,
                           .len = P(pages),
                           .prot = RW,
                           .maxprot = RW,
                           .flags = flags | VM_FIXED,
                           .object = o};

    EXPECT_EQ(vm_map(s, &m, NULL), 0);
}

static void store(struct vm_space *sp, vaddr_t va, uint32_t value)
{
    EXPECT(program_store(0, sp, va, value) <= VM_MAJOR);
}

static void stores(vaddr_t va, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        store(s, va + P(i), 100 + i);
}

static uint32_t load(struct vm_space *sp, vaddr_t va)
{
    uint32_t value = 0;

    EXPECT(program_load(0, sp, va, &value) <= VM_MAJOR);
    return value;
}

static void expect_stored(struct vm_space *sp, vaddr_t va, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        EXPECT_EQ(load(sp, va + P(i)), 100 + i);
}

/* Everything goes that may: there is less than a batch, so the hand makes all its rounds. */
static void all_out(void)
{
    (void)reclaim();
}

static void expect_in_swap(vaddr_t va, unsigned pages, bool away)
{
    struct vm_page_info info[VM_RUN_MAX];

    vm_page_info(s, va, pages, info);
    for (unsigned i = 0; i < pages; i++)
        EXPECT_EQ(info[i].swapped, away);
}

static const struct vm_swap_stats *swap_stats(void)
{
    static struct vm_swap_stats st;

    vm_swap_stats(&st);
    return &st;
}

/* ---- Slots ---- */

TEST(slots_are_taken_in_rows_and_found_again)
{
    uint32_t a, b, c;

    EXPECT_EQ(swap_alloc(16, &a), 16);
    EXPECT_EQ(swap_alloc(16, &b), 16);
    EXPECT_EQ(b, a + 16);
    for (unsigned i = 0; i < 16; i++)
        swap_free(a + i);
    EXPECT_EQ(swap_alloc(16, &c), 16);
    EXPECT_EQ(c, b + 16);
    EXPECT_EQ(swap_alloc(16, &a), 16);
    EXPECT_EQ(swap_alloc(16, &c), 15); /* slot 0 is the signature's */
    EXPECT_EQ(used_slots(), SLOTS - 1);
    EXPECT_EQ(swap_alloc(1, &c), 0);
    EXPECT(!swap_room());
    for (unsigned slot = 1; slot < SLOTS; slot++)
        swap_free(slot);
    EXPECT(swap_room());
}

TEST(a_longer_row_is_looked_for_among_short_ones)
{
    uint32_t slot;

    EXPECT_EQ(swap_alloc(63, &slot), 63);
    swap_free(3);
    swap_free(9);
    swap_free(10);
    EXPECT_EQ(swap_alloc(2, &slot), 2);
    EXPECT_EQ(slot, 9);
    EXPECT_EQ(swap_alloc(2, &slot), 1);
    EXPECT_EQ(slot, 3);
    for (slot = 1; slot < SLOTS; slot++)
        swap_free(slot);
}

TEST(spoilt_slots_are_never_used)
{
    uint32_t slot, n;

    vm_swap_spoil(&array[0].device, 1);
    vm_swap_spoil(&array[0].device, 1);
    vm_swap_spoil(&array[0].device, 0);
    vm_swap_spoil(&array[0].device, SLOTS);
    vm_swap_spoil(&array[0].device, 40);
    EXPECT_EQ(swap_stats()->total, SLOTS - 3);
    EXPECT_EQ(swap_alloc(50, &slot), 38);
    EXPECT_EQ(slot, 2);
    EXPECT_EQ(swap_alloc(50, &n), 23);
    EXPECT_EQ(n, 41);
    slots_on_their_way += 61;
    EXPECT_EQ(mm_check(), 0);
    slots_on_their_way -= 61;
    for (unsigned i = 2; i < SLOTS; i++) {
        if (i != 40)
            swap_free(i);
    }
    EXPECT_EQ(vm_swap_off(&array[0].device), 0);
    EXPECT_EQ(swap_stats()->total, 0);
}

TEST(areas_are_filled_by_priority)
{
    struct vm_swap_info info;
    uint32_t slot;

    EXPECT_EQ(vm_swap_on(&array[1].device, SLOTS, 5), 0);
    EXPECT(vm_swap_info(0, &info) && info.device == &array[0].device && info.priority == -2);
    EXPECT(vm_swap_info(1, &info) && info.priority == 5 && info.slots == SLOTS - 1);
    EXPECT(!vm_swap_info(2, &info));
    EXPECT_EQ(swap_alloc(SLOTS, &slot), SLOTS - 1);
    EXPECT(vm_swap_info(1, &info) && info.used == SLOTS - 1);
    for (unsigned i = 0; i < SLOTS - 1; i++)
        swap_free(slot + i);
    EXPECT_EQ(swap_alloc(1, &slot), 1);
    EXPECT(vm_swap_info(0, &info) && info.used == 0);
    swap_free(slot);
    EXPECT_EQ(vm_swap_off(&array[1].device), 0);
    EXPECT_EQ(vm_swap_off(&array[1].device), -EINVAL);
}

TEST(too_many_areas_and_senseless_ones_are_refused)
{
    static struct swap_device more[VM_SWAP_AREAS];

    EXPECT_EQ(vm_swap_on(&more[0], 1, -1), -EINVAL);
    EXPECT_EQ(vm_swap_on(&more[0], VM_SWAP_SLOTS_MAX + 1, -1), -EINVAL);
    for (unsigned i = 0; i < VM_SWAP_AREAS - 1; i++)
        EXPECT_EQ(vm_swap_on(&more[i], 10, -1), 0);
    EXPECT_EQ(vm_swap_on(&more[VM_SWAP_AREAS - 1], 10, -1), -EBUSY);
    for (unsigned i = 0; i < VM_SWAP_AREAS - 1; i++)
        EXPECT_EQ(vm_swap_off(&more[i]), 0);
    mm_inject_failure(1);
    EXPECT_EQ(vm_swap_on(&more[0], 10, -1), -ENOMEM);
    mm_inject_failure(0);
}

/* ---- Out and in ---- */

TEST(pages_go_to_swap_and_come_back_as_major_faults)
{
    uint32_t value;

    map(AT, 8, 0, NULL);
    stores(AT, 8);
    all_out();
    expect_in_swap(AT, 8, true);
    EXPECT_EQ(frame_count(FRAME_ANON), 0);
    EXPECT_EQ(used_slots(), 8);
    EXPECT_EQ(vm_space_swapped(s), 8);
    EXPECT_EQ(array[0].writes, 1);
    EXPECT_EQ(program_load(0, s, AT + P(3), &value), VM_MAJOR);
    EXPECT_EQ(value, 103);
    expect_stored(s, AT, 8);
    EXPECT_EQ(array[0].reads, 1); /* neighbours come along */
    EXPECT_EQ(swap_stats()->cached, 8);
}

TEST(a_clean_page_keeps_frame_and_slot_and_goes_without_io)
{
    map(AT, 4, 0, NULL);
    stores(AT, 4);
    all_out();
    expect_stored(s, AT, 4);
    EXPECT_EQ(used_slots(), 4);
    all_out();
    expect_in_swap(AT, 4, true);
    EXPECT_EQ(array[0].writes, 1);
    expect_stored(s, AT, 4);
    store(s, AT + P(1), 500);
    all_out();
    EXPECT_EQ(array[0].writes, 2);
    EXPECT_EQ(load(s, AT + P(1)), 500);
    EXPECT_EQ(load(s, AT + P(2)), 102);
    EXPECT_EQ(used_slots(), 4);
}

TEST(the_trace_tells_where_a_page_was_in_swap)
{
    struct vm_fault_event e;
    uint64_t at = 0;
    uint32_t lost;
    char place[16];

    map(AT, 4, 0, NULL);
    stores(AT, 4);
    all_out();
    expect_in_swap(AT, 4, true);
    EXPECT_EQ(vm_trace_start(), 0);
    EXPECT_EQ(load(s, AT + P(2)), 102);
    EXPECT_EQ(vm_trace_read(&at, &e, 1, &lost), 1);
    EXPECT_EQ(e.why, VM_CASE_OWN);
    EXPECT(e.flags & VM_EVENT_MAJOR);
    EXPECT_EQ(e.slot, amap_get(&s->amap, (AT + P(2)) >> PAGE_SHIFT)->slot);
    vm_swap_place(e.slot, place, sizeof(place));
    EXPECT(strncmp(place, "array:", 6) == 0);
    store(s, AT + P(3), 1);
    EXPECT_EQ(vm_trace_read(&at, &e, 1, &lost), 1);
    EXPECT_EQ(e.slot, 0); /* it came along with its neighbour */
    vm_trace_drop();
}

/* What the hand's trace tells of a page, the last time. */
static struct vm_pageout_event last_of(vaddr_t va)
{
    struct vm_pageout_event e, last = {0};
    uint64_t at = 0;
    uint32_t lost;

    while (vm_pageout_read(&at, &e, 1, &lost))
        last = e.page == va >> PAGE_SHIFT ? e : last;
    return last;
}

TEST(the_hand_spares_what_was_used_and_its_trace_says_so)
{
    map(AT, 8, 0, NULL);
    stores(AT, 8);
    EXPECT_EQ(vm_pageout_trace(true), 0);
    vm_pageout_round();
    for (unsigned i = 0; i < 8; i++)
        EXPECT_EQ(last_of(AT + P(i)).fate, VM_PAGE_SPARED);
    for (unsigned i = 0; i < 8; i += 2)
        load(s, AT + P(i));
    vm_pageout_round();
    for (unsigned i = 0; i < 8; i++) {
        struct vm_pageout_event e = last_of(AT + P(i));

        EXPECT_EQ(e.fate, i % 2 ? VM_PAGE_SENT : VM_PAGE_SPARED);
        EXPECT_EQ(e.slot != 0, i % 2);
        expect_in_swap(AT + P(i), 1, i % 2);
    }
    vm_pageout_round();
    EXPECT_EQ(last_of(AT).fate, VM_PAGE_AGED);
    EXPECT(last_of(AT).after < last_of(AT).before);
    vm_pageout_trace_drop();
}

/* The hand spared it a moment ago: it does not go along with a neighbour. */
TEST(an_active_page_does_not_go_with_its_neighbour)
{
    map(AT, 2, 0, NULL);
    stores(AT, 2);
    vm_pageout_round();
    load(s, AT);
    vm_pageout_round();
    expect_in_swap(AT, 1, false);
    expect_in_swap(AT + P(1), 1, true);
}

TEST(what_is_in_memory_and_in_swap_says_so_until_it_is_written)
{
    struct vm_page_info p;
    struct vm_frame_info f;

    map(AT, 1, 0, NULL);
    stores(AT, 1);
    all_out();
    load(s, AT);
    vm_page_info(s, AT, 1, &p);
    vm_frame_info(p.frame, 1, &f);
    EXPECT(f.flags & VM_FRAME_IN_SWAP);
    EXPECT_EQ(f.flags & VM_FRAME_DIRTY, 0);
    store(s, AT, 7);
    vm_frame_info(p.frame, 1, &f);
    EXPECT_EQ(f.flags & VM_FRAME_IN_SWAP, 0);
    EXPECT(f.flags & VM_FRAME_DIRTY);
}

TEST(pages_in_swap_are_shared_by_fork_and_parted_by_a_write)
{
    map(AT, 4, 0, NULL);
    stores(AT, 4);
    all_out();
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    EXPECT_EQ(used_slots(), 4);
    store(child, AT + P(2), 700);
    expect_stored(s, AT, 4);
    EXPECT_EQ(load(child, AT + P(2)), 700);
    EXPECT_EQ(load(child, AT + P(1)), 101);
    all_out();
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(load(child, AT + P(2)), 700);
    expect_stored(s, AT, 4);
    vm_space_unref(child);
    child = NULL;
    expect_stored(s, AT, 4);
}

TEST(what_ends_gives_its_slots_back)
{
    map(AT, 8, 0, NULL);
    stores(AT, 8);
    all_out();
    EXPECT_EQ(vm_unmap(s, AT, P(2)), 0);
    EXPECT_EQ(used_slots(), 6);
    EXPECT_EQ(vm_advise(s, AT + P(2), P(2), VM_ADVICE_DONTNEED), 0);
    EXPECT_EQ(used_slots(), 4);
    EXPECT_EQ(load(s, AT + P(2)), 0);
    EXPECT_EQ(vm_advise(s, AT + P(4), P(1), VM_ADVICE_FREE), 0);
    EXPECT_EQ(used_slots(), 3);
    EXPECT_EQ(load(s, AT + P(4)), 0);
    EXPECT_EQ(load(s, AT + P(5)), 105);
}

/* ---- Things that stay ---- */

TEST(locked_and_pinned_pages_stay)
{
    struct frame *f;

    map(AT, 4, VM_LOCKED, NULL);
    stores(AT, 4);
    object = vm_object_create_anon(P(2));
    map(FILE, 2, VM_SHARED, object);
    stores(FILE, 2);
    EXPECT_EQ(object_pin(object, 0, false, &f), 0);
    all_out();
    expect_in_swap(AT, 4, false);
    EXPECT_EQ(vm_object_swapped(object), 1);
    EXPECT_EQ(object_frame(object, 0) == f, 1);
    object_unpin(&f, 1, false);
    EXPECT_EQ(vm_lock_range(s, AT, P(4), 0, UINT32_MAX), 0);
    all_out();
    expect_in_swap(AT, 4, true);
    EXPECT_EQ(vm_object_swapped(object), 2);
}

TEST(an_area_that_cannot_be_written_to_is_given_up_and_still_read)
{
    map(AT, 20, 0, NULL);
    stores(AT, 2);
    all_out();
    expect_in_swap(AT, 2, true);
    array[0].error = -EIO;
    for (unsigned i = 0; i < 20; i++) {
        store(s, AT + P(2), 102);
        all_out();
    }
    EXPECT(!swap_room());
    EXPECT(array[0].writes < 12);
    EXPECT_EQ(swap_stats()->total, swap_stats()->used);
    array[0].error = 0;
    expect_stored(s, AT, 3);
    EXPECT_EQ(vm_swap_on(&array[1].device, SLOTS, -1), 0);
    all_out();
    expect_in_swap(AT, 3, true);
    EXPECT_EQ(vm_swap_off(&array[0].device), 0);
}

/* Its slots are not all that counts: compressed memory is full when memory is. */
TEST(an_area_that_is_full_is_left_alone_for_a_while)
{
    map(AT, 2, 0, NULL);
    stores(AT, 2);
    array[0].error = -ENOSPC;
    all_out();
    EXPECT_EQ(array[0].writes, 1);
    EXPECT(!swap_room());
    EXPECT_EQ(vm_swap_on(&array[1].device, SLOTS, -1), 0);
    all_out();
    expect_in_swap(AT, 2, true);
}

TEST(a_pinned_page_does_not_go_along_with_its_neighbour)
{
    static const uint8_t bytes[P(2)] = {1};
    struct swap_run run;

    object = vm_object_create_anon(P(2));
    EXPECT_EQ(vm_object_write_kernel(object, 0, bytes, P(2)), P(2));
    spin_lock(&vm_lock);
    for (unsigned i = 0; i < 2; i++)
        object_frame(object, i)->flags &= (uint8_t)~FRAME_REFERENCED;
    frame_pin(object_frame(object, 0));
    EXPECT(swap_gather(object_frame(object, 1), &run));
    frame_unpin(object_frame(object, 0));
    spin_unlock(&vm_lock);
    EXPECT_EQ(run.count, 1);
    EXPECT_EQ(swap_out(&run), 1);
}

TEST(without_a_free_slot_pages_stay)
{
    uint32_t slot;

    EXPECT_EQ(swap_alloc(SLOTS - 3, &slot), SLOTS - 3);
    slots_on_their_way += SLOTS - 3;
    map(AT, 4, 0, NULL);
    stores(AT, 4);
    all_out();
    EXPECT_EQ(vm_space_swapped(s), 2);
    EXPECT_EQ(mm_check(), 0);
    expect_stored(s, AT, 4);
    for (unsigned i = 0; i < SLOTS - 3; i++)
        swap_free(slot + i);
    slots_on_their_way -= SLOTS - 3;
}

/* ---- Errors ---- */

TEST(what_cannot_be_written_stays_and_is_dirty)
{
    map(AT, 4, 0, NULL);
    stores(AT, 4);
    array[0].error = -EIO;
    all_out();
    EXPECT(array[0].writes > 0);
    EXPECT_EQ(used_slots(), 0);
    expect_stored(s, AT, 4);
    array[0].error = 0;
    array[0].most = 3;
    all_out();
    expect_in_swap(AT, 3, true);
    array[0].most = VM_RUN_MAX;
    all_out();
    expect_in_swap(AT, 4, true);
    expect_stored(s, AT, 4);
}

TEST(what_cannot_be_read_is_a_bus_error_and_stays_in_swap)
{
    uint32_t value;

    map(AT, 2, 0, NULL);
    stores(AT, 2);
    object = vm_object_create_anon(P(2));
    map(FILE, 2, VM_SHARED, object);
    stores(FILE, 2);
    all_out();
    array[0].error = -EIO;
    EXPECT_EQ(program_load(0, s, AT, &value), VM_PAST_END);
    EXPECT_EQ(program_load(0, s, FILE, &value), VM_PAST_END);
    EXPECT_EQ(vm_object_read_kernel(object, 0, &value, 4), -EIO);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(used_slots(), 4);
    array[0].error = 0;
    expect_stored(s, AT, 2);
    expect_stored(s, FILE, 2);
}

/* ---- Meanwhile ---- */

static void store_meanwhile(void)
{
    array[0].on_write = NULL;
    store(s, AT + P(1), 900);
}

TEST(a_store_while_a_page_is_written_makes_it_dirty_again)
{
    map(AT, 4, 0, NULL);
    stores(AT, 4);
    array[0].on_write = store_meanwhile;
    EXPECT_EQ(reclaim(), false);
    EXPECT_EQ(load(s, AT + P(1)), 900);
    EXPECT_EQ(load(s, AT + P(2)), 102);
}

TEST(a_slot_that_holds_what_was_is_given_back)
{
    struct swap_run run;

    map(AT, 4, 0, NULL);
    stores(AT, 4);
    spin_lock(&vm_lock);
    EXPECT(swap_gather(frame_of_pa(PTE_ADDR(program_entry(s, AT))), &run));
    spin_unlock(&vm_lock);
    store(s, AT, 900);
    EXPECT_EQ(swap_out(&run), 0);
    EXPECT_EQ(used_slots(), run.count - 1);
    EXPECT_EQ(load(s, AT), 900);
}

/* On another CPU, between the look at the dirty bit and the end of the mapping. */
static void store_at_the_last_moment(const pte_t *entry)
{
    if (*entry != program_entry(s, AT))
        return;
    machine_on_exchange = NULL;
    EXPECT_EQ(program_store(1, s, AT, 800), VM_MINOR);
}

TEST(a_store_just_before_a_clean_page_goes_is_not_lost)
{
    map(AT, 1, 0, NULL);
    stores(AT, 1);
    all_out();
    expect_stored(s, AT, 1);
    machine_on_exchange = store_at_the_last_moment;
    all_out();
    EXPECT(!machine_on_exchange);
    machine_on_exchange = NULL;
    EXPECT_EQ(load(s, AT), 800);
}

static void unmap_meanwhile(void)
{
    array[0].on_write = array[0].on_read = NULL;
    EXPECT_EQ(vm_unmap(s, AT, P(4)), 0);
    EXPECT_EQ(mm_check(), 0);
}

TEST(what_is_unmapped_while_it_is_written_frees_its_slot_at_the_end)
{
    map(AT, 4, 0, NULL);
    stores(AT, 4);
    array[0].on_write = unmap_meanwhile;
    all_out();
    EXPECT_EQ(used_slots(), 0);
    EXPECT_EQ(frame_count(FRAME_ORPHAN), 0);
}

TEST(what_is_unmapped_while_it_is_read_is_gone)
{
    uint32_t value;

    map(AT, 4, 0, NULL);
    stores(AT, 4);
    all_out();
    array[0].on_read = unmap_meanwhile;
    EXPECT_EQ(program_load(0, s, AT, &value), VM_BAD_ADDRESS);
    EXPECT_EQ(used_slots(), 0);
}

static jmp_buf asleep;

static void leave_the_sleeper(struct spinlock *lock)
{
    spin_unlock(lock);
    longjmp(asleep, 1);
}

static bool waits(struct vm_space *sp, vaddr_t va)
{
    uint32_t value;

    port_on_sleep = leave_the_sleeper;
    if (setjmp(asleep))
        return true;
    (void)program_load(1, sp, va, &value);
    return false;
}

static void others_meanwhile(void)
{
    array[0].on_read = NULL;
    EXPECT(waits(child, AT));
    EXPECT(waits(child, AT + P(1)));
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(vm_advise(child, AT, P(4), VM_ADVICE_DONTNEED), 0);
}

TEST(a_page_that_is_being_read_is_awaited_by_others)
{
    map(AT, 4, 0, NULL);
    stores(AT, 4);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    all_out();
    array[0].on_read = others_meanwhile;
    expect_stored(s, AT, 4);
    EXPECT_EQ(array[0].reads, 1);
    EXPECT_EQ(load(child, AT), 0);
}

/* ---- Objects ---- */

TEST(shared_memory_goes_to_swap_and_comes_back)
{
    uint32_t value;

    object = vm_object_create_anon(P(8));
    map(FILE, 8, VM_SHARED, object);
    stores(FILE, 8);
    all_out();
    EXPECT_EQ(vm_object_swapped(object), 8);
    EXPECT_EQ(vm_object_pages(object), 8);
    EXPECT_EQ(frame_count(FRAME_OBJECT), 0);
    EXPECT_EQ(program_load(0, s, FILE, &value), VM_MAJOR);
    expect_stored(s, FILE, 8);
    EXPECT_EQ(array[0].reads, 1);
    EXPECT_EQ(used_slots(), 0);
    all_out();
    EXPECT_EQ(vm_object_read_kernel(object, P(5), &value, 4), 4);
    EXPECT_EQ(value, 105);
}

TEST(holes_and_cuts_free_the_slots_of_an_object)
{
    object = vm_object_create_anon(P(8));
    map(FILE, 8, VM_SHARED, object);
    stores(FILE, 8);
    all_out();
    EXPECT_EQ(vm_object_punch(object, P(1), P(2)), 0);
    EXPECT_EQ(vm_object_swapped(object), 6);
    EXPECT_EQ(load(s, FILE + P(1)), 0);
    EXPECT_EQ(vm_object_resize(object, P(4)), 0);
    EXPECT_EQ(vm_object_swapped(object), 2); /* pages 0 and 3 */
    EXPECT_EQ(load(s, FILE + P(3)), 103);
}

/* A page of an object of 100 bytes, behind whose end a mapping stored, in swap. */
static void make_tail_in_swap(void)
{
    object = vm_object_create_anon(100);
    map(FILE, 2, VM_SHARED, object);
    store(s, FILE, 1);
    store(s, FILE + 200, 2);
    all_out();
    EXPECT_EQ(vm_object_swapped(object), 1);
}

TEST(what_was_stored_behind_the_end_does_not_show_when_an_object_in_swap_grows)
{
    make_tail_in_swap();
    EXPECT_EQ(vm_object_resize(object, P(2)), 0);
    EXPECT_EQ(load(s, FILE), 1);
    EXPECT_EQ(load(s, FILE + 200), 0);
}

TEST(nor_when_a_write_moves_the_end_of_one_in_swap)
{
    uint32_t value = 7;

    make_tail_in_swap();
    EXPECT_EQ(vm_object_write_kernel(object, P(1), &value, 4), 4);
    EXPECT_EQ(load(s, FILE + 200), 0);
    EXPECT_EQ(load(s, FILE + P(1)), 7);
}

TEST(an_object_whose_end_cannot_be_read_does_not_grow)
{
    uint32_t value = 7;

    make_tail_in_swap();
    array[0].error = -EIO;
    EXPECT_EQ(vm_object_resize(object, P(2)), -EIO);
    EXPECT_EQ(vm_object_write_kernel(object, P(1), &value, 4), -EIO);
    EXPECT_EQ(vm_object_size(object), 100);
    EXPECT_EQ(vm_object_pages(object), 1);
    array[0].error = 0;
    EXPECT_EQ(load(s, FILE), 1);
}

static void grow_meanwhile(void)
{
    array[0].on_write = NULL;
    EXPECT_EQ(vm_object_resize(object, P(2)), 0);
}

TEST(nor_when_it_grows_while_that_page_is_written)
{
    object = vm_object_create_anon(100);
    map(FILE, 2, VM_SHARED, object);
    store(s, FILE + 200, 2);
    array[0].on_write = grow_meanwhile;
    all_out();
    EXPECT_EQ(load(s, FILE + 200), 0);
}

/* ---- swapoff ---- */

TEST(swapoff_brings_everything_back)
{
    map(AT, 4, 0, NULL);
    stores(AT, 4);
    object = vm_object_create_anon(P(4));
    map(FILE, 4, VM_SHARED, object);
    stores(FILE, 4);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    all_out();
    EXPECT_EQ(used_slots(), 8);
    EXPECT_EQ(load(s, AT + P(1)), 101); /* frame and slot */
    EXPECT_EQ(vm_swap_off(&array[0].device), 0);
    expect_in_swap(AT, 4, false);
    EXPECT_EQ(swap_stats()->total, 0);
    expect_stored(s, AT, 4);
    expect_stored(child, AT, 4);
    expect_stored(s, FILE, 4);
    all_out();
    expect_in_swap(AT, 4, false);
}

TEST(swapoff_without_memory_leaves_the_area_in_use)
{
    map(AT, 40, 0, NULL);
    stores(AT, 40);
    while (vm_space_swapped(s) < 40)
        all_out();
    eat_memory(30);
    EXPECT_EQ(vm_swap_off(&array[0].device), -ENOMEM);
    EXPECT_EQ(mm_check(), 0);
    EXPECT_EQ(swap_stats()->total, SLOTS - 1);
    give_back_eaten();
    array[0].error = -EIO;
    EXPECT_EQ(vm_swap_off(&array[0].device), -EIO);
    array[0].error = 0;
    EXPECT_EQ(vm_swap_off(&array[0].device), 0);
    expect_stored(s, AT, 40);
}

/* ---- Compressed memory ---- */

static struct zram *zram;
static struct swap_device compressed;

static int compressed_read(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    int err = 0;

    (void)d;
    for (unsigned i = 0; i < n && !err; i++)
        err = zram_read(zram, slot + i, pages[i]);
    return err;
}

static int compressed_write(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    unsigned i = 0;

    (void)d;
    while (i < n && zram_write(zram, slot + i, pages[i]) == 0)
        i++;
    return i ? (int)i : -ENOSPC;
}

static void compressed_forget(struct swap_device *d, uint32_t slot)
{
    (void)d;
    zram_forget(zram, slot);
}

static void use_zram(uint32_t max_bytes)
{
    EXPECT_EQ(vm_swap_off(&array[0].device), 0);
    zram = zram_create(SLOTS);
    EXPECT(zram != NULL);
    zram_set_limit(zram, max_bytes);
    compressed = (struct swap_device){
        .read = compressed_read, .write = compressed_write, .forget = compressed_forget};
    EXPECT_EQ(vm_swap_on(&compressed, SLOTS, 1), 0);
}

static void end_zram(void)
{
    struct zram_stats st;

    EXPECT_EQ(vm_swap_off(&compressed), 0);
    zram_stats(zram, &st);
    EXPECT_EQ(st.pages, 0);
    EXPECT_EQ(st.compressed, 0);
    EXPECT_EQ(st.used, PAGE_SIZE); /* the table */
    zram_destroy(zram);
}

static void fill(vaddr_t va, unsigned every)
{
    uint32_t noise = va;

    for (unsigned i = 0; i < PAGE_SIZE / 4; i++) {
        noise = noise * 1664525 + 1013904223;
        store(s, va + 4 * i, i % every ? 5 : noise ^ noise >> 16);
    }
}

static uint32_t sum(vaddr_t va)
{
    uint32_t h = 0;

    for (unsigned i = 0; i < PAGE_SIZE / 4; i++)
        h = h * 31 + load(s, va + 4 * i);
    return h;
}

TEST(compressed_memory_keeps_each_kind_of_page)
{
    static const unsigned every[] = {1, 4, 100, 5000};
    uint32_t before_[4];
    struct zram_stats st;

    use_zram(0);
    map(AT, 4, 0, NULL);
    for (unsigned i = 0; i < 4; i++) {
        fill(AT + P(i), every[i]);
        store(s, AT + P(3), 5);
        before_[i] = sum(AT + P(i));
    }
    all_out();
    expect_in_swap(AT, 4, true);
    zram_stats(zram, &st);
    EXPECT_EQ(st.pages, 4);
    EXPECT_EQ(st.huge, 1);
    EXPECT_EQ(st.same, 1);
    EXPECT(st.compressed < P(2));
    EXPECT(st.used < P(4));
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(sum(AT + P(i)), before_[i]);
    end_zram();
}

TEST(compressed_memory_takes_no_more_than_it_may)
{
    struct zram_stats st;

    use_zram(P(3));
    map(AT, 8, 0, NULL);
    for (unsigned i = 0; i < 8; i++)
        fill(AT + P(i), 1);
    all_out();
    zram_stats(zram, &st);
    EXPECT_EQ(st.huge, 2);
    EXPECT(st.used <= P(3));
    EXPECT_EQ(vm_space_swapped(s), 2);
    EXPECT_EQ(mm_check(), 0);
    end_zram();
}

TEST(compressed_memory_without_memory_or_contents)
{
    static uint8_t page[PAGE_SIZE];
    struct zram_stats st;

    EXPECT(zram_create(0) == NULL);
    EXPECT(zram_create(ZRAM_PAGES_MAX + 1) == NULL);
    for (unsigned n = 1; n <= 2; n++) {
        mm_inject_failure(n);
        EXPECT(zram_create(2 * PAGE_SIZE / sizeof(void *)) == NULL);
    }
    mm_inject_failure(0);
    zram = zram_create(2 * PAGE_SIZE / sizeof(void *));
    zram_stats(zram, &st);
    EXPECT_EQ(st.used, 0); /* the table grows with the contents */
    zram_forget(zram, 1);
    memset(page, 1, sizeof(page));
    EXPECT_EQ(zram_read(zram, 1, page), 0);
    EXPECT_EQ(page[0] | page[PAGE_SIZE - 1], 0);
    page[5] = 7;
    for (unsigned n = 1; n <= 2; n++) {
        mm_inject_failure(n);
        EXPECT_EQ(zram_write(zram, 1, page), -ENOSPC);
    }
    mm_inject_failure(0);
    EXPECT_EQ(zram_write(zram, 1, page), 0);
    page[5] = 0;
    EXPECT_EQ(zram_read(zram, 1, page), 0);
    EXPECT_EQ(page[5], 7);
    zram_destroy(zram);
}

TEST(compressed_memory_gives_back_what_it_took)
{
    static uint32_t page[PAGE_SIZE / 4];
    uint32_t frames;

    for (uint32_t i = 0; i < PAGE_SIZE / 4; i += 6)
        page[i] = i * i * 0x9e3779b1u; /* a third of it is left, in pieces */
    zram = zram_create(1);
    EXPECT_EQ(zram_write(zram, 0, page), 0);
    frames = vm_free_frames();
    for (unsigned i = 0; i < ZRAMS; i++) {
        page[PAGE_SIZE / 4 - 1] = i;
        EXPECT_EQ(zram_write(zram, 0, page), 0);
    }
    EXPECT(vm_free_frames() + 2 >= frames); /* one that is written may have begun a frame more */
    zram_destroy(zram);
}

TEST(a_page_of_one_word_is_so_to_its_end)
{
    static uint32_t page[PAGE_SIZE / 4], seen[PAGE_SIZE / 4];

    zram = zram_create(1);
    for (unsigned at = 1; at < PAGE_SIZE / 4; at++) {
        page[at] = 1;
        EXPECT_EQ(zram_write(zram, 0, page), 0);
        EXPECT_EQ(zram_read(zram, 0, seen), 0);
        EXPECT_EQ(memcmp(page, seen, PAGE_SIZE), 0);
        page[at] = 0;
    }
    zram_destroy(zram);
}

int main(void)
{
    return run_tests(before, after);
}
