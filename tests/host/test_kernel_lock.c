/*
 * The kernel lock (arch/i386/platform/kernel_lock.c) on processors that a busy host runs by turns,
 * one at a time and never two at once: each is a coroutine, and loses its turn in the middle of
 * anything. One processor is in the kernel at a time, and none waits for ever.
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
#define BOUND_NS    400000000u /* LONG_NS, and a few rounds of the host */

static struct cpu cpus[CPUS];
static ucontext_t contexts[CPUS], host;
static char *stacks[CPUS];
_Thread_local struct cpu *host_self = &cpus[0];
unsigned cpus_online = CPUS;
static uint64_t now, longest[CPUS], entered[CPUS];
static uint32_t seed, left;
static int inside = -1;

struct cpu *cpu_get(unsigned id)
{
    return &cpus[id];
}

uint64_t clock_mono_ns(void)
{
    return now;
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

void shootdown_answer(struct cpu *c)
{
    EXPECT(c == host_self);
}

void wait_a_little(uint32_t rounds)
{
    (void)rounds;
    step();
}

static void enter(struct cpu *c)
{
    uint64_t began = now;

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

    while (now < END_NS) {
        enter(c);
        for (unsigned n = rnd(40); n; n--)
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
        if (rnd(400) == 0)
            step();
    }
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

TEST(no_processor_waits_for_ever_on_a_host_that_runs_one_at_a_time)
{
    seed = 1;
    for (unsigned i = 0; i < CPUS; i++) {
        cpus[i] = (struct cpu){.id = i};
        start(i);
    }
    while (now < END_NS) {
        unsigned next = rnd(CPUS);

        host_self = &cpus[next];
        left = 1 + rnd(TURN);
        swapcontext(&host, &contexts[next]);
    }
    for (unsigned i = 0; i < CPUS; i++) {
        EXPECT(longest[i] < BOUND_NS);
        EXPECT(entered[i] > 1000);
        free(stacks[i]);
    }
    if (test_failures)
        for (unsigned i = 0; i < CPUS; i++)
            fprintf(stderr, "%u: %llu times, longest %llu ms\n", i, (unsigned long long)entered[i],
                    (unsigned long long)longest[i] / 1000000);
}

int main(void)
{
    return run_tests(NULL, NULL);
}
