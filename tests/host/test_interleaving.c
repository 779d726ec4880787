/*
 * Several CPUs in one space or in several, by turns: each is a coroutine with a TLB of its own that
 * forgets nothing by itself. Who goes on is chosen wherever a lock is taken or let go, before each
 * access of a program, where somebody waits, sleeps or yields. The shootdowns are the kernel's own
 * (arch/i386/platform/shootdown.c), the faults those without the kernel lock, which system calls
 * hold.
 *
 * What must hold at every such place: no TLB has a translation to a frame that is free. And when a
 * system call ends: none has one that the tables do not have, or with more rights. A small case is
 * run with every single switch at every place, larger ones by seeds.
 */
#include "arch/i386/platform/shootdown.h"
#include "tests/host/port.h"
#include "tests/host/several.h"
#include "tests/host/stage.h"
#include <string.h>
#include <ucontext.h>

#define STACK_BYTES (256u << 10)
#define TURNS_MAX   200000u
#define PAGES       3u
#define NOBODY      UINT32_MAX

static struct task {
    ucontext_t context;
    char *stack;
    void (*run)(unsigned cpu);
    bool done, asked; /* interrupted, and has not looked yet */
} tasks[HOST_CPUS];
static ucontext_t outside;
static unsigned running, in_flight; /* shootdowns that somebody waits for */
static uint32_t kernel_holder, turns, wrong;

/* ---- Who goes on ---- */

static bool by_seed;
static uint32_t seed;
static uint32_t place, switch_at; /* places passed; the one where the only switch is made, to: */
static unsigned switch_to;

static unsigned rnd(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

static unsigned next_of(unsigned cpu)
{
    do
        cpu = (cpu + 1) % HOST_CPUS;
    while (tasks[cpu].done && cpu != running);
    return cpu;
}

static void go_on(unsigned cpu)
{
    unsigned from = running;

    if (++turns > TURNS_MAX) {
        fprintf(stderr, "it does not end\n");
        abort();
    }
    if (cpu == from)
        return;
    running = cpu;
    host_self = &host_cpus[cpu];
    swapcontext(&tasks[from].context, &tasks[cpu].context);
}

static void check_frames(void)
{
    const pde_t *pgdir;
    pte_t entry;
    vaddr_t va;

    for (unsigned cpu = 0; cpu < HOST_CPUS; cpu++)
        for (unsigned n = 0; n < TLB_ENTRIES; n++)
            if (machine_cached(cpu, n, &pgdir, &va, &entry) &&
                frame_of_pa(PTE_ADDR(entry))->kind == FRAME_FREE)
                wrong++;
    for (unsigned cpu = 0; cpu < HOST_CPUS; cpu++)
        for (unsigned n = 0; n < DIRECTORY_ENTRIES; n++)
            if (machine_cached_table(cpu, n, &pgdir, &entry) &&
                frame_of_pa(PTE_ADDR(entry))->kind == FRAME_FREE)
                wrong++;
}

/* A place where another may go on. */
static void point(void)
{
    unsigned to = running;

    check_frames();
    if (by_seed && rnd(4) == 0)
        to = rnd(HOST_CPUS);
    else if (!by_seed && place++ == switch_at)
        to = switch_to;
    if (!tasks[to].done)
        go_on(to);
}

/* Somebody else has to do something first. */
static void wait(void)
{
    check_frames();
    go_on(by_seed && !tasks[running].done && rnd(2) ? next_of(next_of(running)) : next_of(running));
}

/* ---- What the kernel's files need ---- */

void shootdown_send(struct cpu *c)
{
    tasks[c->id].asked = true;
}

void wait_a_little(uint32_t rounds)
{
    (void)rounds;
    wait();
}

static void ask(pde_t *pgdir, vaddr_t va, unsigned pages)
{
    in_flight++;
    shootdown(pgdir, va, pages);
    in_flight--;
}

static void spin(void)
{
    shootdown_answer(host_self);
    wait();
}

static unsigned met; /* how many have come to the middle of their part */

static void kernel_enter(void)
{
    while (kernel_holder != NOBODY)
        spin();
    kernel_holder = running;
    host_self->in_kernel = true;
}

static void kernel_leave(void)
{
    if (!host_self->in_kernel)
        return;
    host_self->in_kernel = false;
    kernel_holder = NOBODY;
}

/* Without the kernel lock, if it is had. */
static void let_others(void (*go)(void))
{
    const bool had = host_self->in_kernel;

    kernel_leave();
    go();
    if (had)
        kernel_enter();
}

static void sleep_on(struct spinlock *lock)
{
    spin_unlock(lock);
    let_others(wait);
}

static void yield(void)
{
    let_others(point);
}

/* ---- Programs ---- */

/* In user mode interrupts come through. */
static void user_mode(void)
{
    point();
    if (tasks[running].asked) {
        tasks[running].asked = false;
        shootdown_answer(host_self);
    }
}

static bool has_vm_lock(const struct cpu *c)
{
    for (unsigned i = 0; i < c->spin_depth; i++)
        if (c->held[i] == &vm_lock)
            return true;
    return false;
}

/* No TLB knows of more than the tables have. Not while somebody is about to tell them. */
static void check_rights(void)
{
    const pde_t *pgdir;
    pte_t entry, now;
    vaddr_t va;

    for (unsigned cpu = 0; cpu < HOST_CPUS; cpu++)
        if (in_flight || has_vm_lock(&host_cpus[cpu]))
            return;
    for (unsigned cpu = 0; cpu < HOST_CPUS; cpu++)
        for (unsigned n = 0; n < TLB_ENTRIES; n++) {
            if (!machine_cached(cpu, n, &pgdir, &va, &entry) || pgdir != host_cpus[cpu].pgdir)
                continue;
            now = machine_entry(pgdir, va);
            if (!(now & PTE_P) || PTE_ADDR(now) != PTE_ADDR(entry) || (entry & ~now & PTE_W))
                wrong++;
        }
}

static const struct several_ways in_turns = {
    .user_mode = user_mode, .enter = kernel_enter, .leave = kernel_leave, .called = check_rights};

static vaddr_t some_page(void)
{
    return AT + rnd(PAGES) * PAGE_SIZE;
}

static void by_chance(unsigned cpu)
{
    for (unsigned i = 0; i < 30; i++) {
        if (rnd(6) == 0)
            several_call_beside(rnd(SEVERAL_BESIDE), some_page());
        else if (rnd(5) == 0)
            several_call(rnd(SEVERAL_CALLS), some_page());
        else
            several_access(some_page(), cpu == 0 || rnd(3));
    }
}

/* ---- Runs ---- */

/* On a stack of its own. Done, it is idle: its processor has loaded the kernel's own tables. */
static void begin(void)
{
    tasks[running].run(running);
    several_go(NOWHERE, 0);
    shootdown_answer(host_self);
    tasks[running].done = true;
    if (next_of(running) == running)
        setcontext(&outside);
    wait();
}

static void prepare(unsigned cpu, void (*run)(unsigned cpu))
{
    struct task *t = &tasks[cpu];

    t->run = run;
    t->done = run == NULL;
    t->asked = false;
    if (!t->stack)
        t->stack = malloc(STACK_BYTES);
    getcontext(&t->context);
    t->context.uc_stack.ss_sp = t->stack;
    t->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&t->context, begin, 0);
    host_cpus[cpu].pgdir = run ? s->pmap.pgdir : mmu_kernel_directory();
    several_in[cpu] = run ? s : NULL;
}

static void hooks(bool on)
{
    several = &in_turns;
    machine_shootdown = on ? ask : NULL;
    machine_on_spin = on ? spin : NULL;
    machine_on_lock = on ? point : NULL;
    machine_on_need = on ? kernel_enter : NULL;
    port_on_sleep = on ? sleep_on : NULL;
    port_between_steps = on ? yield : NULL;
}

/* All of them, from a fresh stage; what was found wrong. */
static unsigned run(void (*const what[HOST_CPUS])(unsigned cpu))
{
    stage_up();
    if (by_seed)
        frames_at_hand();
    map(AT, PAGES, RW, 0, NULL, 0);
    kernel_holder = NOBODY;
    wrong = turns = place = in_flight = running = met = 0;
    for (unsigned cpu = 0; cpu < HOST_CPUS; cpu++)
        prepare(cpu, what[cpu]);
    hooks(true);
    host_self = host_cpus;
    swapcontext(&outside, &tasks[0].context);
    hooks(false);
    host_self = host_cpus;
    host_cpus[0].pgdir = mmu_kernel_directory();
    stage_down();
    return wrong;
}

TEST(no_translation_outlives_its_frame_whoever_goes_on)
{
    void (*const all[HOST_CPUS])(unsigned) = {by_chance, by_chance, by_chance};

    by_seed = true;
    for (unsigned i = 1; i <= 60 && !test_failures; i++) {
        seed = i * 7919;
        EXPECT_EQ(run(all), 0);
        if (test_failures)
            fprintf(stderr, "seed %u\n", i);
    }
}

/* One processor leaves the others' space, for one that shares tables with it or has nothing of it.
 */
static void comes_and_goes(unsigned cpu)
{
    for (unsigned i = 0; i < 4; i++) {
        several_go((enum several_where)rnd(NOWHERE), PAGES);
        for (unsigned n = 0; n < 8; n++) {
            if (rnd(6) == 0)
                several_call_beside(rnd(SEVERAL_BESIDE), some_page());
            else if (rnd(4) == 0)
                several_call(rnd(SEVERAL_CALLS), some_page());
            else
                several_access(some_page(), cpu == 0 || rnd(3));
        }
    }
}

TEST(spaces_that_share_tables_and_those_that_do_not)
{
    void (*const some[HOST_CPUS])(unsigned) = {by_chance, comes_and_goes, comes_and_goes};

    by_seed = true;
    for (unsigned i = 1; i <= 60 && !test_failures; i++) {
        seed = i * 6007;
        EXPECT_EQ(run(some), 0);
        if (test_failures)
            fprintf(stderr, "seed %u\n", i);
    }
}

/* Each in a space of its own, or two in one, with the same pages of a file: no call has the kernel
 * lock. */
static void in_own(unsigned cpu)
{
    if (cpu == 2 || (cpu == 1 && rnd(2)))
        several_go(IN_OTHER, PAGES);
    for (unsigned i = 0; i < 30; i++) {
        if (rnd(3) == 0)
            several_call_beside(rnd(SEVERAL_BESIDE), some_page());
        else
            several_access(some_page(), rnd(4) == 0);
        if (rnd(20) == 0)
            several_call(SEVERAL_LOOK, some_page());
    }
}

TEST(spaces_that_have_nothing_but_a_file_in_common)
{
    void (*const all[HOST_CPUS])(unsigned) = {in_own, in_own, in_own};

    by_seed = true;
    for (unsigned i = 1; i <= 60 && !test_failures; i++) {
        seed = i * 5003;
        EXPECT_EQ(run(all), 0);
        if (test_failures)
            fprintf(stderr, "seed %u\n", i);
    }
}

/* One stores, the other takes the page away, in each way there is. */
static unsigned way;

static void storer(unsigned cpu)
{
    (void)cpu;
    for (unsigned i = 0; i < 4; i++)
        several_access(AT + (i & 1) * PAGE_SIZE, true);
}

static void taker(unsigned cpu)
{
    (void)cpu;
    several_access(AT, true);
    several_call(way, AT);
    several_access(AT, true);
}

static void taker_in_child(unsigned cpu)
{
    several_go(IN_CHILD, PAGES);
    taker(cpu);
}

static void every_switch(void (*const two[HOST_CPUS])(unsigned), unsigned ways)
{
    by_seed = false;
    for (way = 0; way < ways; way++) {
        switch_at = UINT32_MAX;
        EXPECT_EQ(run(two), 0);
        for (uint32_t places = place, at = 0; at < places && !test_failures; at++) {
            for (switch_to = 0; switch_to < 2 && !test_failures; switch_to++) {
                switch_at = at;
                EXPECT_EQ(run(two), 0);
            }
        }
    }
}

TEST(every_single_switch_of_a_small_case)
{
    void (*const two[HOST_CPUS])(unsigned) = {storer, taker, NULL};

    every_switch(two, SEVERAL_CALLS);
}

TEST(every_single_switch_beside_a_child)
{
    void (*const two[HOST_CPUS])(unsigned) = {storer, taker_in_child, NULL};

    every_switch(two, SEVERAL_CALLS);
}

/* Both map a page of the file and look at it; when each has it, both give it up, map it again,
 * store to it, and give it up. */
static void comes_and_goes_on_file(unsigned cpu)
{
    if (cpu)
        several_go(IN_OTHER, PAGES);
    several_call_beside(1 + (way + cpu) % 3, AT);
    if (cpu == 0)
        several_access(AT, false);
    for (met++; met < 2;)
        spin();
    several_access(AT, false);
    several_call_beside(way ? 0 : 4, AT);
    several_access(AT, true);
    several_call_beside(0, AT);
}

TEST(every_single_switch_of_two_spaces_at_one_file)
{
    void (*const two[HOST_CPUS])(unsigned) = {comes_and_goes_on_file, comes_and_goes_on_file, NULL};

    every_switch(two, 3);
}

int main(void)
{
    return run_tests(NULL, NULL);
}
