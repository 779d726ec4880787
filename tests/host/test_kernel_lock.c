/*
 * The kernel lock (arch/i386/platform/kernel_lock.c) on processors that a busy host runs by turns,
 * one at a time and never two at once: each is a coroutine, and loses its turn in the middle of
 * anything. One processor is in the kernel at a time, and none waits for ever; one that halts has
 * no turn until it is woken, and none spins for longer than it may before it does.
 */
#include "arch/i386/platform/kernel_lock.h"
#include "arch/i386/platform/shootdown.h"
#include "arch/processors.h"
#include "arch/thread.h"
#include "tests/host/check.h"
#include <string.h>
#include <ucontext.h>

#define CPUS        4
#define STACK_BYTES (128u << 10)
#define STEP_NS     100u   /* from one place where the turn may end to the next */
#define TURN        60000u /* steps that the host runs one for, at most */
#define END_NS      5000000000ull
#define AWAY_NS     500000000u
#define LAST_TURNS  1000u      /* in which each comes to its end */
#define BOUND_NS    400000000u /* LONG_NS, and a few rounds of the host */
#define SPIN_ROUNDS 11000u     /* kernel_lock.c: before it halts, and for who was let in */

static struct cpu cpus[CPUS];
static ucontext_t contexts[CPUS], host;
static char *stacks[CPUS];
_Thread_local struct cpu *host_self = &cpus[0];
unsigned cpus_online;
static uint64_t now, longest[CPUS], entered[CPUS];
static uint32_t seed, left;
static int inside = -1;
static bool sleeps[CPUS], woken[CPUS]; /* woken: the wake is on its way */
static uint32_t spun[CPUS], halts, longest_spin;
static uint64_t away[CPUS]; /* in user mode, until then */
static uint64_t end;
static bool over[CPUS];
static bool seldom; /* they come to the kernel, and stay there for long */

struct cpu *cpu_get(unsigned id)
{
    return &cpus[id];
}

static unsigned rnd(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

/* A step has passed; perhaps it is another one's turn. */
static void step(void)
{
    unsigned me = host_self->id;

    now += STEP_NS;
    if (left && --left)
        return;
    swapcontext(&contexts[me], &host);
}

/* Asked between the last look at the lock and the halt: the lock may be let go of here. */
uint64_t clock_mono_ns(void)
{
    if (rnd(50) == 0)
        left = 0;
    step();
    return now;
}

void kernel_lock_halt(void)
{
    unsigned me = host_self->id;

    halts++;
    spun[me] = 0;
    step();
    while (!woken[me]) {
        sleeps[me] = true;
        left = 0;
        swapcontext(&contexts[me], &host);
    }
    sleeps[me] = woken[me] = false;
}

void kernel_lock_wake(struct cpu *c)
{
    EXPECT(c->halts_for_kernel);
    woken[c->id] = true;
}

void shootdown_answer(struct cpu *c)
{
    EXPECT(c == host_self);
}

void wait_a_little(uint32_t rounds)
{
    unsigned me = host_self->id;

    (void)rounds;
    if (++spun[me] > longest_spin)
        longest_spin = spun[me];
    step();
}

static void enter(struct cpu *c)
{
    uint64_t began = now;

    spun[c->id] = 0;
    kernel_enter(c);
    EXPECT_EQ(inside, -1);
    inside = (int)c->id;
    if (now - began > longest[c->id])
        longest[c->id] = now - began;
    entered[c->id]++;
}

static void leave(void)
{
    EXPECT_EQ(inside, (int)host_self->id);
    inside = -1;
    kernel_leave();
}

/* System calls one after the other, with a marked point in each, and little in between. */
static void work(void)
{
    struct cpu *c = host_self;

    while (now < end) {
        enter(c);
        for (unsigned n = rnd(seldom ? 40000 : 40); n; n--)
            step();
        if (c->wanted & CPU_WANTED_KERNEL) {
            c->wanted = 0;
            inside = -1;
            cpu_pass_kernel();
            EXPECT_EQ(inside, -1);
            inside = (int)c->id;
        }
        for (unsigned n = rnd(40); n; n--)
            step();
        leave();
        if (seldom && rnd(20) == 0) {
            away[c->id] = now + AWAY_NS;
            left = 0;
        }
        if (left == 0 || rnd(400) == 0)
            step();
    }
    over[c->id] = true;
    swapcontext(&contexts[c->id], &host);
}

static void start(unsigned cpu)
{
    stacks[cpu] = malloc(STACK_BYTES);
    getcontext(&contexts[cpu]);
    contexts[cpu].uc_stack.ss_sp = stacks[cpu];
    contexts[cpu].uc_stack.ss_size = STACK_BYTES;
    contexts[cpu].uc_link = &host;
    makecontext(&contexts[cpu], work, 0);
}

static bool is_awake(unsigned cpu)
{
    return now >= away[cpu] && (!sleeps[cpu] || woken[cpu]);
}

/* One that the host can run, be it after a while; CPUS: all halt, and nobody will wake them. */
static unsigned some_awake(void)
{
    unsigned first = rnd(cpus_online), soonest = CPUS;

    for (unsigned i = 0; i < cpus_online; i++) {
        unsigned cpu = (first + i) % cpus_online;

        if (is_awake(cpu))
            return cpu;
        if (!sleeps[cpu] && (soonest == CPUS || away[cpu] < away[soonest]))
            soonest = cpu;
    }
    if (soonest < CPUS)
        now = away[soonest];
    return soonest;
}

static void run(unsigned cpu)
{
    host_self = &cpus[cpu];
    left = 1 + rnd(TURN);
    swapcontext(&host, &contexts[cpu]);
}

/* Until ns have passed, or all halt. */
static void run_for(unsigned n, uint64_t ns)
{
    seed = 1;
    end = now + ns;
    cpus_online = n;
    halts = longest_spin = 0;
    for (unsigned i = 0; i < n; i++) {
        cpus[i] = (struct cpu){.id = i};
        away[i] = longest[i] = entered[i] = 0;
        over[i] = false;
        start(i);
    }
    for (unsigned next = some_awake(); now < end && next < CPUS; next = some_awake())
        run(next);
    EXPECT(now >= end);
    for (unsigned i = 0; i < LAST_TURNS * n; i++)
        if (!over[i % n] && (!sleeps[i % n] || woken[i % n]))
            run(i % n);
    for (unsigned i = 0; i < n; i++) {
        EXPECT(over[i]);
        free(stacks[i]);
    }
}

TEST(no_processor_waits_for_ever_on_a_host_that_runs_one_at_a_time)
{
    run_for(CPUS, END_NS);
    EXPECT(halts > 100);
    EXPECT(longest_spin <= SPIN_ROUNDS);
    for (unsigned i = 0; i < CPUS; i++) {
        EXPECT(longest[i] < BOUND_NS);
        EXPECT(entered[i] > 1000);
    }
    if (test_failures)
        fprintf(stderr, "halted %u times; spun %u rounds at most\n", halts, longest_spin);
    if (test_failures)
        for (unsigned i = 0; i < CPUS; i++)
            fprintf(stderr, "%u: %llu times, longest %llu ms\n", i, (unsigned long long)entered[i],
                    (unsigned long long)longest[i] / 1000000);
}

/* Nobody else comes by and wakes it. */
TEST(who_halts_is_woken_by_the_one_before_it)
{
    seldom = true;
    run_for(2, 60 * END_NS);
    EXPECT(halts > 100);
    EXPECT(longest[0] < BOUND_NS && longest[1] < BOUND_NS);
}

int main(void)
{
    return run_tests(NULL, NULL);
}
