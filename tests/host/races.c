/*
 * mm/ and the shootdowns on processors that are threads of this machine, under ThreadSanitizer:
 * what one writes and another reads without a lock, an atomic access or a shootdown's answer
 * between them is a race, and reported. (test_interleaving.c has the orders; here are the
 * accesses. Not of reclaim: its hand looks at the kind of frames that are handed out as it looks,
 * and leaves them.)
 *
 * usage: races [ROUNDS [SEED]]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "arch/i386/platform/shootdown.h"
#include "tests/host/port.h"
#include "tests/host/several.h"
#include "tests/host/stage.h"

#define PAGES 6u

static unsigned rounds = 5000, first_seed = 1;
static uint32_t kernel_held;
static unsigned finished; /* processors that have nothing more to do */
static _Thread_local uint32_t seed;

static unsigned rnd(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

/* ---- What the kernel's files need ---- */

/* Everybody looks often enough. */
void shootdown_send(struct cpu *c)
{
    (void)c;
}

void wait_a_little(uint32_t rounds_waited)
{
    (void)rounds_waited;
    sched_yield();
}

static void look(void)
{
    shootdown_answer(host_self);
}

static void spin(void)
{
    look();
    sched_yield();
}

static void kernel_enter(void)
{
    while (__atomic_exchange_n(&kernel_held, 1, __ATOMIC_ACQUIRE))
        spin();
    host_self->in_kernel = true;
}

static void kernel_leave(void)
{
    if (!host_self->in_kernel)
        return;
    host_self->in_kernel = false;
    __atomic_store_n(&kernel_held, 0, __ATOMIC_RELEASE);
}

static void let_others(void)
{
    bool had = host_self->in_kernel;

    kernel_leave();
    spin();
    if (had)
        kernel_enter();
}

static void sleep_on(struct spinlock *lock)
{
    spin_unlock(lock);
    let_others();
}

static const struct several_ways at_once = {
    .user_mode = look, .enter = kernel_enter, .leave = kernel_leave};

/* ---- Processors ---- */

/* One call in so many takes the kernel lock, and forks among them: few in every other stretch. */
static void *processor(void *arg)
{
    host_self = arg;
    seed = (first_seed + host_self->id) * 7919;
    several_go(IN_STAGE, 0);
    for (unsigned i = 0; i < rounds; i++) {
        const unsigned calls = i / 500 % 2 ? 3 : 200;
        vaddr_t va = AT + rnd(PAGES) * PAGE_SIZE;

        if (rnd(50) == 0)
            several_go(calls > 3 ? IN_OTHER : (enum several_where)rnd(NOWHERE), PAGES);
        else if (rnd(3) == 0)
            several_call_beside(rnd(SEVERAL_BESIDE), va);
        else if (rnd(calls) == 0)
            several_call(rnd(SEVERAL_RECLAIM), va);
        else
            several_access(va, calls == 3 ? rnd(3) != 0 : rnd(8) == 0);
    }
    several_go(NOWHERE, 0);
    __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&finished, __ATOMIC_SEQ_CST) < HOST_CPUS)
        spin();
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[HOST_CPUS];

    if (argc > 1)
        rounds = (unsigned)atoi(argv[1]);
    if (argc > 2)
        first_seed = (unsigned)atoi(argv[2]);
    stage_up();
    frames_at_hand();
    map(AT, PAGES, RW, 0, NULL, 0);
    several = &at_once;
    machine_shootdown = shootdown;
    machine_on_spin = spin;
    machine_on_need = kernel_enter;
    port_on_sleep = sleep_on;
    port_between_steps = let_others;
    for (unsigned i = 0; i < HOST_CPUS; i++)
        pthread_create(&threads[i], NULL, processor, &host_cpus[i]);
    for (unsigned i = 0; i < HOST_CPUS; i++)
        pthread_join(threads[i], NULL);
    machine_shootdown = NULL;
    machine_on_spin = NULL;
    machine_on_need = NULL;
    port_on_sleep = NULL;
    port_between_steps = NULL;
    stage_down();
    printf("%d passed, %d failed\n", !test_failures, test_failures);
    return test_failures != 0;
}
