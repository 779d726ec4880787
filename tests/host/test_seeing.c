/*
 * What can be seen of mm/ from outside: figures of ranges and frames against what was done, and the
 * fault trace, one event for each row of the fault table.
 */
#include <string.h>
#include "tests/host/program.h"
#include "libc/errno.h"
#include "mm/mm.h"
#include "tests/host/check.h"
#include "tests/host/port.h"

#define AT      0x20000000u
#define FILE_AT 0x30005000u /* another slot of the TLB than AT */
#define RAM     (4u << 20)
#define RW      (VM_PROT_READ | VM_PROT_WRITE)
#define PSS1    ((uint64_t)PAGE_SIZE << VM_PSS_SHIFT) /* the share of a page that nobody else maps */

static struct vm_space *s, *child;
static struct vm_object *file;

static int test_get(struct vm_object *o, struct vm_run *run)
{
    (void)o;
    memset(run->page[0], 0x40 + (int)run->index, PAGE_SIZE);
    return 1;
}

static const struct pager test_pager = {.name = "test", .get = test_get};

static void before(void)
{
    machine_with_mm(RAM);
    s = vm_space_create();
    child = NULL;
    file = vm_object_create(&test_pager, NULL, 64 * PAGE_SIZE);
}

static void after(void)
{
    struct mem_stats st;

    vm_trace_drop();
    EXPECT_EQ(mm_check(), 0);
    if (child)
        vm_space_unref(child);
    vm_space_unref(s);
    vm_object_unref(file);
    mm_stats(&st);
    EXPECT_EQ(st.anon, 0);
    EXPECT_EQ(st.tables, 0);
    machine_off();
}

static void map(vaddr_t at, unsigned pages, uint8_t prot, uint16_t flags, struct vm_object *o)
{
    struct vm_mapping m = {.addr = at,
                           .len = pages * PAGE_SIZE,
                           .prot = prot,
                           .maxprot = 7,
                           .flags = flags | VM_FIXED,
                           .object = o};

    EXPECT_EQ(vm_map(s, &m, NULL), 0);
}

static uint32_t load(struct vm_space *space, vaddr_t va)
{
    uint32_t value = 0;

    program_load(0, space, va, &value);
    return value;
}

static void store(struct vm_space *space, vaddr_t va)
{
    program_store(0, space, va, 7);
}

static struct vm_range_stats stats_of(struct vm_space *space, vaddr_t at, unsigned pages)
{
    struct vm_range_stats r = {0};

    vm_range_stats(space, at, at + pages * PAGE_SIZE, &r);
    return r;
}

/* ---- The audit in steps ---- */

static unsigned steps;

static void count_step(void)
{
    steps++;
}

/* What programs do while an audit is under way: faults, unmapping, areas that come and go, a death.
 */
static void go_on(void)
{
    vaddr_t at = AT + steps * 7 % 500 * PAGE_SIZE;
    struct vm_space *dying = child;

    if (steps == 20) {
        steps++;
        child = NULL;
        vm_space_unref(dying); /* in steps itself */
    }
    store(s, at);
    if (steps++ % 3 == 0 && !s->changing)
        vm_advise(s, at, 16 * PAGE_SIZE, 4 /* MADV_DONTNEED */);
    if (child)
        store(child, at);
    load(s, FILE_AT + steps % 40 * PAGE_SIZE);
}

static void much(void)
{
    map(AT, 512, RW, 0, NULL);
    map(FILE_AT, 40, VM_PROT_READ, VM_SHARED, file);
    for (unsigned i = 0; i < 300; i++)
        store(s, AT + i * PAGE_SIZE);
    for (unsigned i = 0; i < 20; i++)
        load(s, FILE_AT + i * PAGE_SIZE);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
}

TEST(audit_in_steps_lets_others_run_and_compares_sums_when_none_did)
{
    bool sums = false;

    much();
    EXPECT_EQ(mm_check_steps(&sums), 0);
    EXPECT(sums);
    steps = 0;
    port_between_steps = count_step; /* it says that others ran */
    EXPECT_EQ(mm_check_steps(&sums), 0);
    port_between_steps = NULL;
    EXPECT(!sums);
    EXPECT(steps > 50);
}

TEST(audit_in_steps_stands_what_others_do)
{
    bool sums = true;

    much();
    steps = 0;
    port_between_steps = go_on;
    EXPECT_EQ(mm_check_steps(&sums), 0);
    port_between_steps = NULL;
    EXPECT(!sums);
    EXPECT_EQ(mm_check(), 0);
}

TEST(audit_in_steps_finds_what_the_whole_one_finds)
{
    bool sums;
    pte_t *pte, was;

    much();
    pte = &pmap_table(&s->pmap, AT)[PTX(AT)];
    was = *pte;
    *pte = pte[1]; /* its neighbour's frame */
    EXPECT(mm_check_steps(&sums) > 0);
    *pte = was;
    file->areas++;
    EXPECT_EQ(mm_check_steps(&sums), 1);
    file->areas--;
    CPU_LOCAL(anons)++;
    EXPECT_EQ(mm_check_steps(&sums), 1);
    CPU_LOCAL(anons)--;
    EXPECT_EQ(mm_check_steps(&sums), 0);
}

/* ---- Ranges ---- */

TEST(untouched_memory_is_not_resident)
{
    struct vm_range_stats r;

    map(AT, 8, RW, 0, NULL);
    r = stats_of(s, AT, 8);
    EXPECT_EQ(r.resident, 0);
    EXPECT_EQ(r.pss, 0);
}

TEST(zero_frame_is_not_resident)
{
    struct vm_range_stats r;

    map(AT, 8, RW, 0, NULL);
    load(s, AT);
    r = stats_of(s, AT, 8);
    EXPECT_EQ(r.resident, 0);
}

TEST(written_page_is_private_dirty)
{
    struct vm_range_stats r;

    map(AT, 8, RW, 0, NULL);
    store(s, AT + PAGE_SIZE);
    r = stats_of(s, AT, 8);
    EXPECT_EQ(r.resident, 1);
    EXPECT_EQ(r.private_dirty, 1);
    EXPECT_EQ(r.anonymous, 1);
    EXPECT_EQ(r.pss, PSS1);
    EXPECT_EQ(r.pss_dirty, PSS1);
    EXPECT_EQ(r.pss_anon, PSS1);
    EXPECT_EQ(stats_of(s, AT, 1).resident, 0);
}

TEST(range_over_many_tables_is_counted_whole)
{
    struct vm_range_stats r;

    map(AT, 8192, RW, VM_NORESERVE, file);
    for (unsigned i = 0; i < 64; i += 9)
        store(s, AT + i * PAGE_SIZE);
    r = stats_of(s, AT, 8192);
    EXPECT_EQ(r.private_dirty, 8);
    EXPECT_EQ(stats_of(s, 0, USER_TOP >> PAGE_SHIFT).resident, s->pmap.resident);
}

TEST(forked_pages_are_shared_once_both_map_them)
{
    struct vm_range_stats r;

    map(AT, 4, RW, 0, NULL);
    store(s, AT);
    store(s, AT + PAGE_SIZE);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    load(child, AT);
    store(child, AT + PAGE_SIZE);
    r = stats_of(s, AT, 4);
    EXPECT_EQ(r.shared_dirty, 1);
    EXPECT_EQ(r.private_dirty, 1);
    EXPECT_EQ(r.pss, PSS1 + PSS1 / 2);
    r = stats_of(child, AT, 4);
    EXPECT_EQ(r.shared_dirty, 1);
    EXPECT_EQ(r.private_dirty, 1);
}

TEST(file_pages_are_clean_until_written)
{
    struct vm_range_stats r;

    map(AT, 4, RW, VM_SHARED, file);
    load(s, AT);
    r = stats_of(s, AT, 4);
    EXPECT_EQ(r.private_clean, 1);
    EXPECT_EQ(r.anonymous, 0);
    store(s, AT);
    r = stats_of(s, AT, 4);
    EXPECT_EQ(r.private_dirty, 1);
    EXPECT_EQ(r.anonymous, 0);
}

TEST(clear_referenced_by_kind)
{
    map(AT, 1, RW, 0, NULL);
    map(FILE_AT, 1, VM_PROT_READ, 0, file);
    store(s, AT);
    load(s, FILE_AT);
    EXPECT_EQ(stats_of(s, AT, 1).referenced, 1);
    EXPECT_EQ(stats_of(s, FILE_AT, 1).referenced, 1);
    vm_clear_referenced(s, VM_CLEAR_FILE);
    EXPECT_EQ(stats_of(s, AT, 1).referenced, 1);
    EXPECT_EQ(stats_of(s, FILE_AT, 1).referenced, 0);
    vm_clear_referenced(s, VM_CLEAR_ANON);
    EXPECT_EQ(stats_of(s, AT, 1).referenced, 0);
    load(s, AT);
    load(s, FILE_AT);
    EXPECT_EQ(stats_of(s, AT, 1).referenced, 1);
    EXPECT_EQ(stats_of(s, FILE_AT, 1).referenced, 1);
    vm_clear_referenced(s, VM_CLEAR_ALL);
    EXPECT_EQ(stats_of(s, 0, USER_TOP >> PAGE_SHIFT).referenced, 0);
}

TEST(peak_starts_over)
{
    struct vm_space_stats st;

    map(AT, 4, RW, 0, NULL);
    for (unsigned i = 0; i < 4; i++)
        store(s, AT + i * PAGE_SIZE);
    EXPECT_EQ(vm_unmap(s, AT, 3 * PAGE_SIZE), 0);
    vm_space_stats(s, &st);
    EXPECT_EQ(st.peak_resident, 4);
    vm_reset_peak(s);
    vm_space_stats(s, &st);
    EXPECT_EQ(st.peak_resident, 1);
}

/* ---- Pages and frames ---- */

TEST(page_info_tells_the_entry)
{
    struct vm_page_info p[3];

    map(AT, 3, RW, 0, NULL);
    store(s, AT);
    load(s, AT + PAGE_SIZE);
    vm_page_info(s, AT, 3, p);
    EXPECT_EQ(p[0].entry, program_entry(s, AT));
    EXPECT_EQ(p[0].frame, PTE_ADDR(program_entry(s, AT)) >> PAGE_SHIFT);
    EXPECT(p[0].exclusive && !p[0].file && !p[0].zero);
    EXPECT(p[1].zero && !p[1].exclusive && p[1].entry);
    EXPECT_EQ(p[2].entry, 0);
    EXPECT_EQ(vm_next_mapped(s, 0), AT);
    EXPECT_EQ(vm_next_mapped(s, AT + 2 * PAGE_SIZE), USER_TOP);
}

static struct vm_frame_info frame_at(struct vm_space *space, vaddr_t va)
{
    struct vm_page_info p;
    struct vm_frame_info f;

    vm_page_info(space, va, 1, &p);
    vm_frame_info(p.frame, 1, &f);
    return f;
}

TEST(frame_info_knows_the_cow_question)
{
    map(AT, 2, RW, 0, NULL);
    store(s, AT);
    store(s, AT + PAGE_SIZE);
    EXPECT_EQ(frame_at(s, AT).flags & VM_FRAME_COW, 0);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    EXPECT(frame_at(s, AT).flags & VM_FRAME_COW);
    store(child, AT);
    EXPECT_EQ(frame_at(s, AT).flags & VM_FRAME_COW, 0);
    EXPECT_EQ(frame_at(child, AT).flags & VM_FRAME_COW, 0);
    EXPECT(frame_at(s, AT + PAGE_SIZE).flags & VM_FRAME_COW);
    EXPECT_EQ(frame_at(s, AT).kind, VM_FRAME_ANON);
}

/* Four mappings of one page, all used; any one of them may be the one that wrote. */
TEST(frame_info_asks_every_mapping)
{
    static const uint32_t offset[] = {0, 0x100000, 0x800000, 0x801000};
    uint32_t value;

    for (unsigned writer = 0; writer < 4; writer++) {
        for (unsigned i = 0; i < 4; i++)
            map(AT + offset[i], 1, RW, VM_SHARED, file);
        for (unsigned i = 0; i < 4; i++)
            program_load(0, s, AT + offset[i], &value);
        EXPECT_EQ(frame_at(s, AT).mappings, 4);
        EXPECT_EQ(frame_at(s, AT).flags & VM_FRAME_DIRTY, 0);
        store(s, AT + offset[writer]);
        EXPECT(frame_at(s, AT).flags & VM_FRAME_DIRTY);
        vm_object_resize(file, 0);
        vm_object_resize(file, 64 * PAGE_SIZE);
    }
}

TEST(frame_info_counts_every_frame)
{
    uint32_t count[VM_FRAME_ZERO + 1] = {0};
    struct mem_stats st;

    map(AT, 4, RW, VM_SHARED, file);
    store(s, AT);
    map(FILE_AT, 4, RW, 0, NULL);
    store(s, FILE_AT);
    for (pfn_t n = 0; n < vm_frame_end(); n++) {
        struct vm_frame_info f;
        vm_frame_info(n, 1, &f);
        count[f.kind]++;
    }
    mm_stats(&st);
    EXPECT_EQ(count[VM_FRAME_FREE], st.free);
    EXPECT_EQ(count[VM_FRAME_ANON], st.anon);
    EXPECT_EQ(count[VM_FRAME_FILE] + count[VM_FRAME_SHMEM], st.cached);
    EXPECT_EQ(count[VM_FRAME_TABLE], st.tables);
    EXPECT_EQ(count[VM_FRAME_SLAB], st.slab);
}

TEST(slab_figures_add_up)
{
    struct kmalloc_stats k;
    struct mem_stats st;
    uint32_t frames_seen = 0, before_used = 0;
    unsigned c;
    void *p;

    for (c = 0; kmalloc_stats(c, &k); c++)
        before_used += k.used;
    p = kmalloc(100);
    for (c = 0; kmalloc_stats(c, &k); c++) {
        frames_seen += k.frames;
        before_used -= k.used;
        EXPECT(k.used <= k.objects);
    }
    EXPECT_EQ(before_used, (uint32_t)-1);
    mm_stats(&st);
    EXPECT_EQ(frames_seen, st.slab);
    kmfree(p);
}

TEST(directory_entries_tell_their_tables)
{
    unsigned present = 0;
    pde_t entry;

    map(AT, 4, RW, 0, NULL);
    EXPECT_EQ(vm_directory_entry(s, PDX(AT), &present), 0);
    store(s, AT);
    store(s, AT + PAGE_SIZE);
    entry = vm_directory_entry(s, PDX(AT), &present);
    EXPECT_EQ(present, 2);
    EXPECT_EQ(frame_of_pa(PTE_ADDR(entry))->kind, FRAME_TABLE);
    EXPECT_EQ(vm_directory_entry(s, PDX(USER_TOP), &present), 0);
}

TEST(the_free_list_is_in_the_order_of_handing_out)
{
    void *a = kalloc(), *b = kalloc();
    pfn_t list[2];

    kfree(a);
    kfree(b);
    EXPECT_EQ(vm_free_list(list, 2), 2);
    EXPECT_EQ(list[0], frame_number(frame_of(b)));
    EXPECT_EQ(list[1], frame_number(frame_of(a)));
    EXPECT(kalloc() == b);
    kfree(b);
}

/* ---- Files that are read ---- */

/* A page that read() brought in goes before those in use; one that was read again does not. */
TEST(what_was_read_once_goes_at_the_first_round)
{
    char byte;

    map(AT, 1, RW, 0, NULL);
    store(s, AT);
    EXPECT_EQ(vm_object_read_kernel(file, 0, &byte, 1), 1);
    for (unsigned i = 0; i < 2; i++)
        EXPECT_EQ(vm_object_read_kernel(file, PAGE_SIZE, &byte, 1), 1);
    vm_pageout_round();
    EXPECT(!object_lookup(file, 0));
    EXPECT(object_lookup(file, 1));
    vm_pageout_round();
    EXPECT(!object_lookup(file, 1));
}

/* ---- The trace ---- */

/* The one event that what was done since vm_trace_start() left; more of them is a failure. */
static struct vm_fault_event only_event(void)
{
    struct vm_fault_event e[4];
    uint64_t at = 0;
    uint32_t lost;

    memset(e, 0xff, sizeof(e));
    EXPECT_EQ(vm_trace_read(&at, e, 4, &lost), 1);
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(vm_trace_start(), 0);
    return e[0];
}

TEST(trace_is_silent_when_off)
{
    struct vm_fault_event e;
    uint64_t at = 0;
    uint32_t lost;

    map(AT, 1, RW, 0, NULL);
    store(s, AT);
    EXPECT_EQ(vm_trace_read(&at, &e, 1, &lost), 0);
    EXPECT(!vm_trace_is_on());
}

TEST(trace_tells_zero_and_own)
{
    struct vm_fault_event e;

    map(AT, 4, RW, VM_HEAP, NULL);
    EXPECT_EQ(vm_trace_start(), 0);
    load(s, AT + 8);
    e = only_event();
    EXPECT_EQ(e.why, VM_CASE_ZERO_READ);
    EXPECT_EQ(e.kind, VM_AREA_HEAP);
    EXPECT_EQ(e.addr, AT + 8);
    EXPECT_EQ(e.area, AT);
    EXPECT_EQ(e.flags, 0);
    store(s, AT + 8);
    e = only_event();
    EXPECT_EQ(e.why, VM_CASE_ZERO_WRITE);
    EXPECT_EQ(e.flags, VM_EVENT_WRITE | VM_EVENT_MAPPED);
    EXPECT_EQ(e.frame, PTE_ADDR(program_entry(s, AT)) >> PAGE_SHIFT);
    EXPECT_EQ(vm_protect(s, AT, PAGE_SIZE, VM_PROT_READ), 0);
    EXPECT_EQ(vm_protect(s, AT, PAGE_SIZE, RW), 0);
    store(s, AT);
    e = only_event();
    EXPECT_EQ(e.why, VM_CASE_OWN);
    EXPECT_EQ(e.flags, VM_EVENT_WRITE | VM_EVENT_MAPPED);
}

TEST(trace_tells_both_cases_of_cow)
{
    map(AT, 1, RW, 0, NULL);
    store(s, AT);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    EXPECT_EQ(vm_trace_start(), 0);
    load(child, AT); /* as it is mapped in the parent, without a fault */
    pmap_remove(&child->pmap, AT, AT + PAGE_SIZE);
    load(child, AT);
    EXPECT_EQ(only_event().why, VM_CASE_SHARE);
    store(child, AT);
    EXPECT_EQ(only_event().why, VM_CASE_COPY);
    store(s, AT);
    EXPECT_EQ(only_event().why, VM_CASE_OWN);
}

TEST(trace_tells_files)
{
    struct vm_fault_event e;

    map(AT, 8, RW, 0, file);
    EXPECT_EQ(vm_trace_start(), 0);
    load(s, AT);
    e = only_event();
    EXPECT_EQ(e.why, VM_CASE_CACHED);
    EXPECT_EQ(e.kind, VM_AREA_FILE);
    EXPECT_EQ(e.flags, VM_EVENT_MAJOR);
    store(s, AT);
    e = only_event();
    EXPECT_EQ(e.why, VM_CASE_COPY_FILE);
    EXPECT_EQ(e.flags, VM_EVENT_WRITE | VM_EVENT_MAPPED);
    vm_trace_stop();
    load(s, AT + PAGE_SIZE);
    EXPECT_EQ(vm_unmap(s, AT, 8 * PAGE_SIZE), 0);
    map(AT, 8, VM_PROT_READ, VM_SHARED, file);
    EXPECT_EQ(vm_trace_start(), 0);
    load(s, AT);
    e = only_event();
    EXPECT_EQ(e.kind, VM_AREA_SHARED_FILE);
    EXPECT_EQ(e.around, 1);
}

TEST(trace_tells_stack_growth)
{
    struct vm_fault_event e;

    map(AT, 1, RW, VM_GROWSDOWN | VM_STACK, NULL);
    EXPECT_EQ(vm_trace_start(), 0);
    store(s, AT - 3 * PAGE_SIZE);
    e = only_event();
    EXPECT_EQ(e.why, VM_CASE_ZERO_WRITE);
    EXPECT_EQ(e.kind, VM_AREA_STACK);
    EXPECT_EQ(e.flags, VM_EVENT_WRITE | VM_EVENT_GREW);
    EXPECT_EQ(e.area, AT - 3 * PAGE_SIZE);
}

TEST(trace_tells_failures)
{
    map(AT, 1, VM_PROT_READ, 0, NULL);
    map(FILE_AT, 128, VM_PROT_READ, 0, file);
    EXPECT_EQ(vm_trace_start(), 0);
    store(s, AT);
    EXPECT_EQ(only_event().why, VM_CASE_BAD_ACCESS);
    load(s, AT - PAGE_SIZE);
    EXPECT_EQ(only_event().why, VM_CASE_BAD_ADDRESS);
    load(s, FILE_AT + 64 * PAGE_SIZE);
    EXPECT_EQ(only_event().why, VM_CASE_PAST_END);
}

TEST(trace_tells_spurious_faults)
{
    map(AT, 1, RW, 0, NULL);
    store(s, AT);
    EXPECT_EQ(vm_trace_start(), 0);
    EXPECT_EQ(vm_fault(s, AT, VM_WRITE), VM_MINOR);
    EXPECT_EQ(only_event().why, VM_CASE_SPURIOUS);
}

TEST(trace_forgets_the_oldest)
{
    struct vm_fault_event e;
    uint64_t at = 0;
    uint32_t lost, read = 0;
    unsigned n = 5000;

    map(AT, 1, RW, 0, NULL);
    EXPECT_EQ(vm_trace_start(), 0);
    for (unsigned i = 0; i < n; i++)
        vm_fault(s, AT, VM_WRITE);
    EXPECT_EQ(vm_trace_read(&at, &e, 1, &lost), 1);
    EXPECT(lost > 0 && lost < n);
    read = lost + 1;
    while (vm_trace_read(&at, &e, 1, &lost) == 1)
        read++;
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(read, n);
    vm_fault(s, AT, VM_WRITE);
    EXPECT_EQ(vm_trace_read(&at, &e, 1, &lost), 1);
}

TEST(trace_gives_its_memory_back)
{
    struct mem_stats before_it, after_it;

    mm_stats(&before_it);
    EXPECT_EQ(vm_trace_start(), 0);
    vm_trace_drop();
    vm_trace_drop();
    mm_stats(&after_it);
    EXPECT_EQ(before_it.free, after_it.free);
    mm_inject_failure(1);
    EXPECT_EQ(vm_trace_start(), -ENOMEM);
    EXPECT(!vm_trace_is_on());
    mm_inject_failure(0);
}

int main(void)
{
    return run_tests(before, after);
}
