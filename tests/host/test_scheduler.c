/*
 * The scheduler (kernel/thread/sched.c, runqueue.c, balance.c) on processors that exist in name
 * only: a thread that is switched to does what the test says. Time goes on by ticks.
 *
 * What must hold whenever all have answered what they were told: nobody waits while a processor
 * idles that could run it; a real-time thread waits only while all where it may run have others of
 * its priority, or more. And a thread that only computes gets its turn within a bound.
 */
#include "tests/host/check.h"
#include "arch/latency.h"
#include "arch/upcalls.h"
#include "kernel/thread/balance.h"
#include "kernel/thread/load.h"
#include "kernel/thread/rare.h"
#include "kernel/thread/runqueue.h"
#include "kernel/thread/trace.h"
#include <setjmp.h>
#include <string.h>

#define THREADS 40
#define TICK_NS 10000000ull

static struct cpu cpus[CPUS_MAX];
_Thread_local struct cpu *host_self = &cpus[0];
struct thread boot_thread;
struct proc kernel_proc;
unsigned cpus_online = 1;

static struct proc program = {.space = (struct vm_space *)1};
static struct thread threads[THREADS];
static unsigned started, ticks, wanted_cpus, tick_sent;
static unsigned last_ran[THREADS], ran[THREADS], longest[THREADS]; /* in ticks */
static uint32_t seed;
static jmp_buf away; /* where this processor's path ends: it switched, or idles */

static unsigned rnd(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

/* ---- What the scheduler stands on ---- */

struct cpu *cpu_get(unsigned id)
{
    return id < cpus_online ? &cpus[id] : NULL;
}

unsigned cpus_found(void)
{
    return wanted_cpus;
}

void cpus_started(void)
{
}

struct cpu *cpu_start(void *const pages[CPU_PAGES], struct arch_thread *t, struct runqueue *queue,
                      void (*run)(void))
{
    struct cpu *c = &cpus[cpus_online];

    (void)pages;
    *c = (struct cpu){.current = t, .id = cpus_online, .queue = queue};
    host_self = c;
    cpus_online++;
    if (!setjmp(away))
        run();
    host_self = &cpus[0];
    return c;
}

/* What it answers by is its wanted. */
void cpu_kick(struct cpu *c)
{
    EXPECT(c != host_self);
}

void cpu_send_tick(struct cpu *c)
{
    tick_sent |= 1u << c->id;
}

/* Who runs does so without the kernel lock. */
void kernel_take(void)
{
}

void kernel_change(bool had)
{
    (void)had;
}

void cpu_pass_kernel(void)
{
}

void arch_switch(struct arch_thread *prev, struct arch_thread *next)
{
    (void)prev, (void)next;
    kthread_first_run();
    longjmp(away, 1);
}

uint32_t timer_idle(void)
{
    longjmp(away, 1);
}

uint64_t clock_cycles_ns(uint64_t cycles)
{
    return cycles;
}

uint64_t time_mono_ns(void)
{
    return ticks * TICK_NS;
}

struct thread *thread_alloc(struct proc *p, const struct thread *creator)
{
    static struct thread idle[CPUS_MAX];
    struct thread *t = &idle[cpus_online];

    (void)creator;
    memset(t, 0, sizeof(*t));
    t->proc = p;
    list_init(&t->run_link);
    return t;
}

static char frame[16];

void *kalloc(void)
{
    return frame;
}

void cpu_point(void)
{
}

void cpu_spin(void *lock)
{
    (void)lock;
    abort(); /* nobody else could let it go */
}

void assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

bool latency_on;
uint32_t trace_mask;

void thread_bury(struct thread *t)
{
    (void)t;
}

bool rare_has_ports(const struct thread *t)
{
    (void)t;
    return false;
}

/* Nobody looks at what these would do. */
#define NOTHING(name, ...)                                                                         \
    void name(__VA_ARGS__);                                                                        \
    void name(__VA_ARGS__)                                                                         \
    {                                                                                              \
    }
#pragma GCC diagnostic ignored "-Wunused-parameter"
NOTHING(latency_begin_at, enum latency_kind k, uint32_t where)
NOTHING(latency_end_at, enum latency_kind k, uint32_t where)
NOTHING(lock_debug_acquired, struct spinlock *l)
NOTHING(lock_debug_released, struct spinlock *l)
NOTHING(load_tick, unsigned cpu, enum cpu_use use)
NOTHING(random_mix, uint32_t x)
NOTHING(signal_charge_cpu, struct thread *t, uint64_t ns, bool user)
NOTHING(stall_tick, bool idle)
NOTHING(trace_switch, const struct thread *prev, const struct thread *next)
NOTHING(vm_space_activate, struct vm_space *s)
NOTHING(watchdog_tick, uint64_t ns)
void backtrace_collect(uint32_t *calls, unsigned max)
{
}
int put_user_u32(uint32_t __user *to, uint32_t value)
{
    return 0;
}

/* ---- Processors ---- */

/* It does what it was told: a program on its way to user mode, an idle one woken. */
static void obey(struct cpu *c)
{
    host_self = c;
    if (setjmp(away))
        return;
    if (cpu_is_idle(c))
        sched_idle();
    else
        schedule();
}

static void settle(void)
{
    bool again = true;

    while (again) {
        again = false;
        for (unsigned i = 0; i < cpus_online; i++) {
            if (!cpus[i].wanted)
                continue;
            again = true;
            obey(&cpus[i]);
        }
    }
    host_self = &cpus[0];
}

static void begin(unsigned n)
{
    memset(threads, 0, sizeof(threads));
    memset(cpus, 0, sizeof(cpus));
    memset(longest, 0, sizeof(longest));
    memset(ran, 0, sizeof(ran));
    host_self = &cpus[0];
    started = 0;
    cpus_online = 1;
    wanted_cpus = n;
    boot_thread.proc = &kernel_proc;
    sched_init();
    sched_start_processors();
    seed = n;
}

static struct thread *start(int policy, uint8_t priority, uint32_t where)
{
    struct thread *t = &threads[started];

    *t = (struct thread){.proc = &program,
                         .tid = (int32_t)started,
                         .state = THREAD_BLOCKED,
                         .sched = {.policy = (uint8_t)policy, .priority = priority},
                         .cpus = where};
    list_init(&t->run_link);
    last_ran[started++] = ticks;
    sched_start(t);
    settle();
    return t;
}

static void many(unsigned n, int policy, uint32_t where)
{
    while (n--)
        start(policy, 0, where);
}

/* The running thread of a processor sleeps. */
static void sleep_on(unsigned cpu, enum thread_state how)
{
    host_self = &cpus[cpu];
    if (!cpu_is_idle(host_self)) {
        thread_current()->state = how;
        obey(host_self);
    }
    settle();
}

static void note_runs(void)
{
    for (unsigned i = 0; i < cpus_online; i++) {
        if (cpu_is_idle(&cpus[i]))
            continue;
        last_ran[cpu_thread(&cpus[i])->tid] = ticks;
        ran[cpu_thread(&cpus[i])->tid]++;
    }
    for (unsigned i = 0; i < started; i++) {
        if (threads[i].state != THREAD_RUNNABLE)
            last_ran[i] = ticks;
        if (ticks - last_ran[i] > longest[i])
            longest[i] = ticks - last_ran[i];
    }
}

static void tick(void)
{
    ticks++;
    tick_sent = 0;
    sched_tick(true);
    for (unsigned i = 1; i < cpus_online; i++) {
        if (!(tick_sent & 1u << i))
            continue;
        host_self = &cpus[i];
        processor_tick(true);
    }
    settle();
    note_runs();
}

static void pass(unsigned n)
{
    while (n--)
        tick();
}

/* ---- What must hold ---- */

static bool may_run(const struct thread *t, const struct cpu *c)
{
    return t->cpus & 1u << c->id;
}

static void check_thread(const struct thread *t)
{
    bool waits = !list_empty(&t->run_link);

    EXPECT_EQ(waits || t->on_cpu, t->state == THREAD_RUNNABLE);
    EXPECT(!(waits && t->on_cpu));
    if (t->on_cpu)
        EXPECT(cpu_thread(t->cpu) == t && may_run(t, t->cpu));
    if (waits && t->queue)
        EXPECT(may_run(t, &cpus[t->queue - cpus[0].queue]));
    for (unsigned i = 0; waits && i < cpus_online; i++) {
        if (!may_run(t, &cpus[i]))
            continue;
        EXPECT(!cpu_is_idle(&cpus[i]));
        if (!cpus[i].queue->throttled)
            EXPECT(runqueue_priority(t) <= runqueue_priority(cpu_thread(&cpus[i])));
    }
}

static void check_all(void)
{
    unsigned waiting = 0, counted = runqueue_realtime();

    for (unsigned i = 0; i < started; i++) {
        check_thread(&threads[i]);
        waiting += !list_empty(&threads[i].run_link);
    }
    for (unsigned i = 0; i < cpus_online; i++)
        counted += cpus[i].queue->queued;
    EXPECT_EQ(counted, waiting);
}

static unsigned most(const unsigned *of, unsigned from, unsigned to)
{
    unsigned m = 0;

    for (unsigned i = from; i < to; i++)
        m = of[i] > m ? of[i] : m;
    return m;
}

static unsigned least(const unsigned *of, unsigned from, unsigned to)
{
    unsigned m = UINT32_MAX;

    for (unsigned i = from; i < to; i++)
        m = of[i] < m ? of[i] : m;
    return m;
}

/* Leaves nothing behind. */
static void end(void)
{
    check_all();
    for (unsigned i = 0; i < started; i++)
        sched_set_cpus(&threads[i], UINT32_MAX);
    settle();
    for (unsigned left = THREADS * 4; left && sched_runnable(); left--)
        for (unsigned i = 0; i < cpus_online; i++)
            sleep_on(i, THREAD_BLOCKED);
    EXPECT_EQ(sched_runnable(), 0);
}

/* ---- Tests ---- */

TEST(nobody_starves_among_many_that_compute)
{
    static const unsigned on[] = {1, 2, 4, 16};

    for (unsigned k = 0; k < 4; k++) {
        begin(on[k]);
        many(20, SCHED_OTHER, UINT32_MAX);
        pass(600);
        EXPECT(most(longest, 0, 20) <= 3 * (20 + on[k] - 1) / on[k] + 3);
        EXPECT(least(ran, 0, 20) * 10 >= 600 * (on[k] < 20 ? on[k] : 20) / 20 * 8);
        end();
    }
}

/* The one too many has a processor for itself in its turn. */
TEST(one_more_than_there_are_processors_is_no_matter)
{
    for (unsigned n = 2; n <= 16; n++) {
        begin(n);
        many(n + 1, SCHED_OTHER, UINT32_MAX);
        pass(2000);
        EXPECT(most(longest, 0, n + 1) <= 10);
        EXPECT(least(ran, 0, n + 1) >= 900);
        end();
    }
}

/* They come back with time left again and again. */
TEST(sleepers_that_take_turns_do_not_starve_who_computes)
{
    begin(1);
    many(8, SCHED_OTHER, UINT32_MAX);
    for (unsigned i = 0; i < 1000; i++) {
        tick();
        if (cpu_thread(&cpus[0])->tid >= 2 && i % 2)
            sleep_on(0, THREAD_SLEEPING);
        for (unsigned k = 2; k < 8; k++)
            if (ticks - threads[k].ran_at / TICK_NS > 6)
                sched_wake(&threads[k]);
        settle();
    }
    EXPECT(most(longest, 0, 2) <= 40);
    end();
}

TEST(those_that_are_hurried_do_not_starve_the_others)
{
    begin(1);
    many(6, SCHED_OTHER, UINT32_MAX);
    for (unsigned i = 0; i < 1000; i++) {
        for (unsigned k = 2; k < 6; k++)
            sched_hurry(&threads[k]);
        tick();
    }
    EXPECT(most(longest, 0, 2) <= 100);
    end();
}

TEST(who_may_not_run_everywhere_stays_where_it_may)
{
    begin(4);
    many(2, SCHED_OTHER, 4);
    many(6, SCHED_OTHER, UINT32_MAX);
    pass(1000);
    check_all();
    EXPECT(least(ran, 0, 2) >= 330);
    EXPECT(least(ran, 2, 8) >= 330);
    sched_set_cpus(&threads[0], 1);
    settle();
    check_all();
    pass(100);
    end();
}

TEST(idle_ones_take_what_is_left)
{
    begin(4);
    many(4, SCHED_IDLE, UINT32_MAX);
    many(4, SCHED_OTHER, UINT32_MAX);
    pass(1000);
    EXPECT(least(ran, 0, 4) >= 150);
    EXPECT(least(ran, 4, 8) >= 600);
    end();
}

/* On its own processor, and on all. */
TEST(real_time_leaves_a_rest)
{
    begin(2);
    start(SCHED_FIFO, 10, 1);
    start(SCHED_OTHER, 0, 1);
    start(SCHED_OTHER, 0, 2);
    pass(1000);
    EXPECT(ran[0] >= 940 && ran[0] <= 960);
    EXPECT(ran[1] >= 40);
    EXPECT(ran[2] == 1000);
    end();
    begin(4);
    for (int i = 0; i < 4; i++)
        start(SCHED_FIFO, 10, UINT32_MAX);
    many(4, SCHED_OTHER, UINT32_MAX);
    pass(1000);
    EXPECT(least(ran, 4, 8) >= 30);
    end();
}

TEST(the_most_urgent_run)
{
    begin(3);
    many(6, SCHED_OTHER, UINT32_MAX);
    for (uint8_t p = 1; p <= 6; p++)
        start(SCHED_RR, p, UINT32_MAX);
    check_all();
    EXPECT(threads[11].on_cpu && threads[10].on_cpu && threads[9].on_cpu);
    sched_set_attr(&threads[11], &(struct sched_attr){.policy = SCHED_OTHER});
    settle();
    EXPECT(!threads[11].on_cpu && threads[8].on_cpu);
    sched_inherit(&threads[0], 50);
    settle();
    EXPECT(threads[0].on_cpu && !threads[8].on_cpu);
    sched_inherit(&threads[0], 0);
    settle();
    end();
}

static void any_step(void)
{
    struct thread *t = &threads[rnd(started)];
    struct sched_attr a = {0};
    uint32_t where = 1 + rnd((1u << cpus_online) - 1);

    host_self = &cpus[rnd(cpus_online)];
    switch (rnd(9)) {
    case 0:
    case 1:
        sleep_on(rnd(cpus_online), rnd(2) ? THREAD_SLEEPING : THREAD_BLOCKED);
        break;
    case 2:
    case 3:
        host_self->irq_depth = rnd(2);
        sched_wake(t);
        host_self->irq_depth = 0;
        break;
    case 4:
        sched_set_cpus(t, rnd(2) ? UINT32_MAX : where);
        break;
    case 5:
        a.priority = rnd(3) ? 0 : (uint8_t)(1 + rnd(3));
        a.policy = a.priority ? SCHED_FIFO + rnd(2) : rnd(4) ? SCHED_OTHER : SCHED_IDLE;
        sched_set_attr(t, &a);
        break;
    case 6:
        sched_inherit(t, rnd(2) ? 0 : (uint8_t)(1 + rnd(4)));
        break;
    case 7:
        if (!cpu_is_idle(host_self)) {
            thread_current()->slice = 0;
            obey(host_self);
        }
        break;
    default:
        tick();
    }
    settle();
}

TEST(whatever_happens_nobody_waits_where_one_idles)
{
    for (unsigned s = 0; s < 60 && !test_failures; s++) {
        begin(1 + s % 16);
        seed = s;
        many(2 + rnd(THREADS - 10), SCHED_OTHER, UINT32_MAX);
        for (unsigned i = 0; i < 3000 && !test_failures; i++) {
            any_step();
            check_all();
        }
        if (test_failures)
            fprintf(stderr, "seed %u\n", s);
        end();
    }
}

int main(void)
{
    return run_tests(NULL, NULL);
}
