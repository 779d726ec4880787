/*
 * Pages that a program serves, on the fake machine: the server is what runs while somebody sleeps.
 */
#include <string.h>
#include "tests/host/program.h"
#include "libc/errno.h"
#include "mm/mm.h"
#include "mm/served/served.h"
#include "tests/host/check.h"
#include "tests/host/port.h"

#define AT    0x20000000u
#define PAGES 8u
#define RW    (VM_PROT_READ | VM_PROT_WRITE)
#define ALL   7

static struct vm_space *s;
static struct vm_server *sv;
static unsigned told, slept;
static int answer; /* what a sleep comes to: 0 is served */
static struct vm_served_fault last;
static uint8_t page[PAGE_SIZE];

static void tell(void *arg)
{
    (void)arg;
    told++;
}

/* Gives the page, or takes its protection away. */
static void serve(struct spinlock *lock)
{
    spin_unlock(lock);
    slept++;
    if (answer)
        return;
    EXPECT(vm_server_next(sv, &last));
    if (last.protected)
        EXPECT_EQ(vm_serve_protect(sv, last.addr, PAGE_SIZE, false), 0);
    else
        EXPECT_EQ(vm_serve(sv, last.addr, page, false), 0);
    vm_serve_wake(sv, last.addr, PAGE_SIZE);
}

static void before(void)
{
    struct vm_mapping m = {
        .addr = AT, .len = PAGES * PAGE_SIZE, .prot = RW, .maxprot = ALL, .flags = VM_FIXED};

    machine_with_mm(4u << 20);
    port_on_sleep = serve;
    port_served = &answer;
    told = slept = 0;
    answer = 0;
    memset(page, 0x5a, sizeof(page));
    s = vm_space_create();
    EXPECT_EQ(vm_map(s, &m, NULL), 0);
    sv = vm_server_new(s);
    vm_server_tells(sv, tell, NULL);
    EXPECT_EQ(vm_server_register(sv, AT, PAGES * PAGE_SIZE, VM_SERVE_MISSING | VM_SERVE_WRITES), 0);
}

static void after(void)
{
    struct mem_stats st;

    EXPECT_EQ(mm_check(), 0);
    if (s)
        vm_space_unref(s);
    if (sv)
        vm_server_end(sv);
    EXPECT_EQ(mm_check(), 0);
    mm_stats(&st);
    EXPECT_EQ(st.anon, 0);
    EXPECT_EQ(st.tables, 0);
    machine_off();
}

static uint32_t load(vaddr_t va)
{
    uint32_t value = 0xbad;

    EXPECT(program_load(0, s, va, &value) <= VM_MAJOR);
    return value;
}

static bool writable(vaddr_t va)
{
    return program_entry(s, va) & PTE_W;
}

TEST(a_missing_page_comes_from_the_server)
{
    EXPECT_EQ(load(AT + PAGE_SIZE + 8), 0x5a5a5a5a);
    EXPECT_EQ(told, 1);
    EXPECT_EQ(slept, 1);
    EXPECT_EQ(last.addr, AT + PAGE_SIZE + 8);
    EXPECT(!last.write && !last.protected);
    EXPECT_EQ(program_store(0, s, AT + 2 * PAGE_SIZE, 7), VM_MINOR);
    EXPECT(last.write);
    EXPECT_EQ(load(AT + 2 * PAGE_SIZE), 7);
    EXPECT_EQ(load(AT + 2 * PAGE_SIZE + 4), 0x5a5a5a5a);
    EXPECT_EQ(slept, 2);
}

TEST(a_page_is_given_once)
{
    EXPECT_EQ(vm_serve(sv, AT, NULL, false), 0);
    EXPECT_EQ(vm_serve(sv, AT, page, false), -EEXIST);
    EXPECT_EQ(load(AT), 0);
    EXPECT_EQ(vm_serve(sv, AT + PAGES * PAGE_SIZE, page, false), -ENOENT);
    EXPECT_EQ(slept, 0);
}

TEST(a_store_to_a_protected_page_asks)
{
    EXPECT_EQ(vm_serve(sv, AT, page, true), 0);
    EXPECT(!writable(AT));
    EXPECT_EQ(load(AT), 0x5a5a5a5a);
    EXPECT_EQ(slept, 0);
    EXPECT(program_store(0, s, AT, 1) <= VM_MAJOR);
    EXPECT_EQ(slept, 1);
    EXPECT(last.protected && last.write);
    EXPECT(writable(AT));
    EXPECT_EQ(vm_serve_protect(sv, AT, PAGES * PAGE_SIZE, true), 0);
    EXPECT(!writable(AT));
    EXPECT(program_store(1, s, AT + 4, 2) <= VM_MAJOR); /* on another CPU, whose TLB forgot */
    EXPECT_EQ(slept, 2);
}

/* Entries are a cache: without them the page is protected still. */
TEST(protection_outlives_the_mapping)
{
    EXPECT_EQ(vm_serve(sv, AT, page, true), 0);
    EXPECT_EQ(vm_protect(s, AT, PAGE_SIZE, 0), 0);
    EXPECT_EQ(vm_protect(s, AT, PAGE_SIZE, RW), 0);
    EXPECT_EQ(load(AT), 0x5a5a5a5a);
    EXPECT(!writable(AT));
    EXPECT(program_store(0, s, AT, 1) <= VM_MAJOR);
    EXPECT_EQ(slept, 1);
}

/* Protection is of what was given, not of the place. */
TEST(what_is_given_anew_is_as_it_was_given)
{
    EXPECT_EQ(vm_serve(sv, AT, page, true), 0);
    EXPECT_EQ(vm_advise(s, AT, PAGE_SIZE, VM_ADVICE_DONTNEED), 0);
    EXPECT_EQ(vm_serve(sv, AT, page, false), 0);
    EXPECT_EQ(vm_protect(s, AT, PAGE_SIZE, 0), 0); /* now the tables tell nothing */
    EXPECT_EQ(vm_protect(s, AT, PAGE_SIZE, RW), 0);
    EXPECT(program_store(0, s, AT, 1) <= VM_MAJOR);
    EXPECT_EQ(slept, 0);
}

static void serve_unasked(struct spinlock *lock)
{
    spin_unlock(lock);
    EXPECT(vm_server_wanted(sv));
    EXPECT_EQ(vm_serve(sv, AT, page, false), 0);
    vm_serve_wake(sv, AT, PAGE_SIZE);
    EXPECT(!vm_server_wanted(sv));
    answer = slept++ ? -EINTR : 0;
}

TEST(who_waits_is_woken_whether_the_server_knows_or_not)
{
    port_on_sleep = serve_unasked;
    EXPECT_EQ(load(AT), 0x5a5a5a5a);
    EXPECT_EQ(slept, 1);
}

TEST(what_is_given_up_is_missing_again)
{
    load(AT);
    EXPECT_EQ(vm_advise(s, AT, PAGE_SIZE, VM_ADVICE_DONTNEED), 0);
    page[0] = 1;
    EXPECT_EQ(load(AT), 0x5a5a5a01);
    EXPECT_EQ(slept, 2);
}

TEST(a_child_is_not_served)
{
    struct vm_space *parent = s, *child;

    load(AT);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    s = child;
    EXPECT_EQ(load(AT), 0x5a5a5a5a);
    EXPECT_EQ(load(AT + PAGE_SIZE), 0);
    EXPECT_EQ(slept, 1);
    s = parent;
    vm_space_unref(child);
    load(AT + PAGE_SIZE);
    EXPECT_EQ(slept, 2);
}

TEST(parts_and_moved_areas)
{
    const struct vm_remap r = {AT + 4 * PAGE_SIZE, 2 * PAGE_SIZE,
                               2 * PAGE_SIZE,      VM_REMAP_MAYMOVE | VM_REMAP_FIXED,
                               AT + 0x100000,      UINT32_MAX};
    vaddr_t at;

    EXPECT_EQ(vm_server_register(sv, AT + PAGE_SIZE, PAGE_SIZE, 0), 0);
    EXPECT_EQ(load(AT + PAGE_SIZE), 0);
    EXPECT_EQ(slept, 0);
    load(AT);
    load(AT + 2 * PAGE_SIZE);
    EXPECT_EQ(slept, 2);
    EXPECT_EQ(vm_remap(s, &r, &at), 0);
    EXPECT_EQ(load(at), 0);
    EXPECT_EQ(slept, 2);
}

TEST(who_dies_or_has_a_signal_goes_on)
{
    uint32_t v;

    answer = -EFAULT;
    EXPECT_EQ(program_load(0, s, AT, &v), VM_PAST_END);
    answer = 0;
    vm_server_flags(sv, VM_SERVER_REFUSES);
    EXPECT_EQ(program_load(0, s, AT, &v), VM_PAST_END);
    EXPECT_EQ(slept, 1);
    EXPECT(!vm_server_wanted(sv));
}

TEST(the_space_goes_first)
{
    load(AT);
    vm_space_unref(s);
    s = NULL;
    EXPECT_EQ(vm_serve(sv, AT, page, false), -ESRCH);
    EXPECT_EQ(vm_server_register(sv, AT, PAGE_SIZE, VM_SERVE_MISSING), -ESRCH);
    EXPECT_EQ(vm_server_has(sv, AT, PAGE_SIZE), -ESRCH);
}

TEST(the_server_goes_first)
{
    EXPECT_EQ(vm_serve(sv, AT, page, true), 0);
    vm_server_end(sv);
    sv = NULL;
    EXPECT(program_store(0, s, AT, 3) <= VM_MAJOR);
    EXPECT_EQ(load(AT + PAGE_SIZE), 0);
    EXPECT_EQ(slept, 0);
}

/* ---- What a server hears ---- */

static struct vm_served_event heard[8];
static unsigned events;
static struct vm_server *heir;

/* Reads one event, or serves. */
static void listen(struct spinlock *lock)
{
    struct vm_served_event e;

    spin_unlock(lock);
    EXPECT(vm_server_busy(sv));
    EXPECT_EQ(vm_serve(sv, AT + (PAGES - 1) * PAGE_SIZE, page, false), -EAGAIN);
    EXPECT(vm_server_next_event(sv, &e));
    heard[events++] = e;
    if (e.kind == VM_SERVED_FORK) {
        heir = e.child;
        vm_server_adopted(sv, e.child, true);
    }
}

static void hears(unsigned flags)
{
    port_on_sleep = listen;
    events = 0;
    vm_server_flags(sv, flags);
}

TEST(a_child_has_a_server_and_what_is_protected)
{
    struct vm_space *parent = s, *child;
    struct vm_server *old = sv;

    EXPECT_EQ(vm_serve(sv, AT, page, true), 0);
    EXPECT_EQ(vm_serve(sv, AT + PAGE_SIZE, page, false), 0);
    hears(VM_SERVER_HEARS_FORK);
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    EXPECT_EQ(events, 1);
    EXPECT(heir && heir != sv);
    EXPECT(!vm_server_busy(sv));
    port_on_sleep = serve;
    s = child;
    sv = heir;
    EXPECT(program_store(0, s, AT + PAGE_SIZE, 1) <= VM_MAJOR);
    EXPECT_EQ(slept, 0);
    EXPECT(program_store(0, s, AT, 1) <= VM_MAJOR);
    EXPECT_EQ(slept, 1);
    EXPECT(last.protected);
    EXPECT_EQ(load(AT + 2 * PAGE_SIZE), 0x5a5a5a5a);
    EXPECT_EQ(slept, 2);
    vm_server_end(heir);
    EXPECT_EQ(load(AT + 3 * PAGE_SIZE), 0);
    EXPECT_EQ(slept, 2);
    s = parent;
    sv = old;
    vm_space_unref(child);
    EXPECT(program_store(0, s, AT, 1) <= VM_MAJOR); /* the parent's is protected still */
    EXPECT_EQ(slept, 3);
}

/* Whoever forks is to die before anybody has read of it, and while somebody does. */
static bool reads_first;
static struct vm_served_event half_read;

static void die(struct spinlock *lock)
{
    spin_unlock(lock);
    if (reads_first)
        EXPECT(vm_server_next_event(sv, &half_read));
}

TEST(a_child_whose_fork_nobody_reads_is_not_served)
{
    struct vm_space *parent = s, *child;

    vm_server_flags(sv, VM_SERVER_HEARS_FORK);
    port_on_sleep = die;
    answer = -EFAULT;
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    s = child;
    EXPECT_EQ(load(AT), 0);
    s = parent;
    vm_space_unref(child);
    reads_first = true;
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    reads_first = false;
    EXPECT_EQ(vm_server_has(half_read.child, AT, PAGE_SIZE), 0); /* the reader has it */
    vm_server_adopted(sv, half_read.child, false);               /* and cannot keep it */
    s = child;
    EXPECT_EQ(load(AT), 0);
    s = parent;
    vm_space_unref(child);
}

static void read_twice(struct spinlock *lock)
{
    struct vm_served_event e;

    spin_unlock(lock);
    EXPECT(vm_server_next_event(sv, &e));
    EXPECT(!vm_server_wanted(sv));
    vm_server_adopted(sv, e.child, false);
    EXPECT(vm_server_wanted(sv));
    EXPECT(vm_server_next_event(sv, &e));
    vm_server_adopted(sv, e.child, true);
    heir = e.child;
}

TEST(a_fork_that_could_not_be_taken_is_told_again)
{
    struct vm_space *child;

    vm_server_flags(sv, VM_SERVER_HEARS_FORK);
    port_on_sleep = read_twice;
    EXPECT_EQ(vm_space_fork(s, &child), 0);
    EXPECT_EQ(vm_server_has(heir, AT, PAGE_SIZE), 0);
    vm_space_unref(child);
    EXPECT_EQ(vm_server_has(heir, AT, PAGE_SIZE), -ESRCH);
    vm_server_end(heir);
}

TEST(what_moves_stays_served_and_protected)
{
    const struct vm_remap r = {
        AT,        3 * PAGE_SIZE, 4 * PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_FIXED, AT + 0x100000,
        UINT32_MAX};
    vaddr_t at;

    EXPECT_EQ(vm_serve(sv, AT, page, false), 0);
    EXPECT_EQ(vm_serve(sv, AT + PAGE_SIZE, page, true), 0);
    hears(VM_SERVER_HEARS_REMAP | VM_SERVER_HEARS_UNMAP);
    EXPECT_EQ(vm_remap(s, &r, &at), 0);
    EXPECT_EQ(events, 2);
    EXPECT_EQ(heard[0].kind, VM_SERVED_REMAP);
    EXPECT_EQ(heard[0].to, at);
    EXPECT_EQ(heard[1].kind, VM_SERVED_UNMAP);
    port_on_sleep = serve;
    EXPECT(program_store(0, s, at, 1) <= VM_MAJOR);
    EXPECT_EQ(slept, 0);
    EXPECT(program_store(0, s, at + PAGE_SIZE, 1) <= VM_MAJOR);
    EXPECT_EQ(slept, 1);
    EXPECT(last.protected);
    EXPECT_EQ(load(at + 3 * PAGE_SIZE), 0x5a5a5a5a); /* what it has gained, too */
    EXPECT_EQ(slept, 2);
}

/* The marks of pages that are gone would protect what comes in their place. */
TEST(nothing_is_protected_where_pages_have_gone)
{
    const struct vm_remap grow = {AT, PAGE_SIZE, 4 * PAGE_SIZE, 0, 0, UINT32_MAX};
    vaddr_t at;

    EXPECT_EQ(vm_server_register(sv, AT, PAGES * PAGE_SIZE, VM_SERVE_WRITES), 0);
    for (unsigned i = 0; i < 4; i++)
        EXPECT_EQ(vm_serve(sv, AT + i * PAGE_SIZE, page, true), 0);
    hears(VM_SERVER_HEARS_UNMAP | VM_SERVER_HEARS_REMOVE);
    EXPECT_EQ(vm_unmap(s, AT + PAGE_SIZE, (PAGES - 1) * PAGE_SIZE), 0);
    EXPECT_EQ(vm_remap(s, &grow, &at), 0);
    EXPECT_EQ(vm_advise(s, AT, PAGE_SIZE, VM_ADVICE_DONTNEED), 0);
    EXPECT_EQ(events, 2);
    EXPECT_EQ(heard[1].kind, VM_SERVED_REMOVE);
    port_on_sleep = serve;
    for (unsigned i = 0; i < 4; i++) {
        EXPECT(program_store(0, s, AT + i * PAGE_SIZE, 1) <= VM_MAJOR);
        EXPECT_EQ(vm_protect(s, AT, 4 * PAGE_SIZE, 0), 0); /* now the tables tell nothing */
        EXPECT_EQ(vm_protect(s, AT, 4 * PAGE_SIZE, RW), 0);
        EXPECT(program_store(0, s, AT + i * PAGE_SIZE, 1) <= VM_MAJOR);
    }
    EXPECT_EQ(slept, 0);
}

/* A page that was given up goes without a word to anybody, and leaves its mark. */
TEST(a_page_given_anew_is_as_its_giver_says)
{
    EXPECT_EQ(vm_serve(sv, AT, page, true), 0);
    EXPECT_EQ(vm_advise(s, AT, PAGE_SIZE, VM_ADVICE_FREE), 0);
    (void)reclaim();
    EXPECT_EQ(vm_serve(sv, AT, page, false), 0);
    EXPECT(program_store(0, s, AT, 1) <= VM_MAJOR);
    EXPECT_EQ(vm_protect(s, AT, PAGE_SIZE, 0), 0); /* now the tables tell nothing */
    EXPECT_EQ(vm_protect(s, AT, PAGE_SIZE, RW), 0);
    EXPECT(program_store(0, s, AT, 1) <= VM_MAJOR);
    EXPECT_EQ(slept, 0);
}

/* The server ends while somebody waits for it to read. */
static void end_it(struct spinlock *lock)
{
    spin_unlock(lock);
    vm_server_end(sv);
    sv = NULL;
}

TEST(who_tells_a_server_that_ends_goes_on)
{
    vm_server_flags(sv, VM_SERVER_HEARS_UNMAP);
    port_on_sleep = end_it;
    EXPECT_EQ(vm_unmap(s, AT, PAGE_SIZE), 0);
    EXPECT(!sv);
    EXPECT_EQ(load(AT + PAGE_SIZE), 0);
}

TEST(what_fails_is_not_told)
{
    const struct vm_remap r = {
        AT,        2 * PAGE_SIZE, 2 * PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_FIXED, AT + 0x800000,
        UINT32_MAX};
    struct vm_space *child = NULL;
    int err = -ENOMEM;
    vaddr_t at;

    EXPECT_EQ(vm_serve(sv, AT, page, true), 0);
    hears(VM_SERVER_HEARS_FORK | VM_SERVER_HEARS_REMAP | VM_SERVER_HEARS_UNMAP);
    for (unsigned n = 1; err && n < 40; n++) {
        mm_inject_failure(n);
        err = vm_space_fork(s, &child);
        mm_inject_failure(0);
        EXPECT_EQ(mm_check(), 0);
        EXPECT_EQ(events, !err);
    }
    EXPECT_EQ(err, 0);
    vm_server_end(heir);
    vm_space_unref(child);
    events = 0;
    err = -ENOMEM;
    for (unsigned n = 1; err && n < 40; n++) {
        mm_inject_failure(n);
        err = vm_remap(s, &r, &at);
        mm_inject_failure(0);
        EXPECT_EQ(mm_check(), 0);
        EXPECT_EQ(events, err ? 0 : 2);
        EXPECT(!vm_server_busy(sv));
    }
    EXPECT_EQ(err, 0);
}

TEST(no_memory_changes_nothing)
{
    for (unsigned n = 1; n < 8; n++) {
        int err;

        mm_inject_failure(n);
        err = vm_serve(sv, AT + 3 * PAGE_SIZE, page, true);
        mm_inject_failure(0);
        EXPECT_EQ(mm_check(), 0);
        if (!err)
            return;
        EXPECT_EQ(err, -ENOMEM);
    }
    EXPECT(false);
}

TEST(what_moves_over_what_is_served_stays_protected)
{
    struct vm_mapping m = {
        .addr = AT + 0x100000, .len = 4 * PAGE_SIZE, .prot = RW, .maxprot = ALL, .flags = VM_FIXED};
    const struct vm_remap r = {
        AT,        3 * PAGE_SIZE, 3 * PAGE_SIZE, VM_REMAP_MAYMOVE | VM_REMAP_FIXED, AT + 0x100000,
        UINT32_MAX};
    vaddr_t at;

    EXPECT_EQ(vm_map(s, &m, NULL), 0);
    EXPECT_EQ(vm_server_register(sv, m.addr, m.len, VM_SERVE_MISSING | VM_SERVE_WRITES), 0);
    EXPECT_EQ(vm_serve(sv, AT + PAGE_SIZE, page, true), 0);
    hears(VM_SERVER_HEARS_REMAP);
    EXPECT_EQ(vm_remap(s, &r, &at), 0);
    port_on_sleep = serve;
    slept = 0;
    EXPECT(program_store(0, s, at + PAGE_SIZE, 1) <= VM_MAJOR);
    EXPECT_EQ(slept, 1);
}

int main(void)
{
    return run_tests(before, after);
}
