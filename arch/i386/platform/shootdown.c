/*
 * Shootdowns: a translation is forgotten by every processor that has the tables loaded, before its
 * frame can be used for something else. The sender waits for all answers; an entry that only gains
 * rights is never sent. [SDM 3A 4.10.5]
 *
 * Who sends has the kernel lock, or vm_lock (perhaps shared), or both; one sends at a time. Whoever
 * waits for a lock, or for its turn here, has interrupts off and answers in its loop, so a
 * shootdown cannot wait for somebody who waits for its sender. The host tests run this very file,
 * by processors that take turns in every order (tests/host/test_interleaving.c).
 */
#include "arch/i386/platform/shootdown.h"
#include "arch/processors.h"
#include "libc/shared.h"

#define STOP_ROUNDS 16000000u

/* The boot option noshootdown, for those who want to see what happens then. */
static bool left_out;

void shootdowns_leave_out(void)
{
    left_out = true;
}

/* What is asked for, by one processor at a time: the one that holds sending. */
static struct {
    uint32_t sending;
    pde_t *pgdir;
    vaddr_t va;
    unsigned pages;
    bool stop;
    bool hold; /* who has answered goes on when this is over */
    /* A bit for each processor that has not answered. Its release says the fields above to those
     * that read it; the release of an answer says that what it was about is not used any more. */
    uint32_t waiting;
} request;

/* Interrupts off; with or without the kernel lock. */
void shootdown_answer(struct cpu *c)
{
    if (!(read_acquire(request.waiting) & 1u << c->id))
        return;
    shootdown_forget(c, request.pgdir, request.va, request.pages);
    c->shootdowns++;
    __atomic_and_fetch(&request.waiting, ~(1u << c->id), __ATOMIC_ACQ_REL);
    if (request.stop)
        cpu_halt();
    for (uint32_t rounds = 1; read_acquire(request.hold); rounds++)
        wait_a_little(rounds);
}

/* request says what is asked of those in targets. */
static void send(uint32_t targets)
{
    __atomic_store_n(&request.waiting, targets, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < cpus_online; i++)
        if (targets & 1u << i)
            shootdown_send(cpu_get(i));
}

static uint32_t others(void)
{
    return ((1u << cpus_online) - 1) & ~(1u << cpu_self()->id);
}

/* The others that have these tables loaded; whoever has loaded others uses no more of these. */
static uint32_t others_with(const pde_t *pgdir)
{
    uint32_t targets = others();

    for (unsigned i = 0; i < cpus_online; i++)
        if (read_acquire(cpu_get(i)->pgdir) != pgdir)
            targets &= ~(1u << i);
    return targets;
}

/* Interrupts are off from here on; returns what they were. Who waits here answers, so that two can
 * ask each other. */
static uint32_t begin_request(void)
{
    uint32_t flags = irq_save();

    for (uint32_t rounds = 1; __atomic_exchange_n(&request.sending, 1, __ATOMIC_ACQUIRE);
         rounds++) {
        shootdown_answer(cpu_self());
        wait_a_little(rounds);
    }
    return flags;
}

/* Waits for the answers of all targets. */
static void end_request(uint32_t targets, uint32_t flags)
{
    if (targets)
        send(targets);
    for (uint32_t rounds = 1; read_acquire(request.waiting); rounds++) {
        shootdown_answer(cpu_self()); /* that it stop */
        wait_a_little(rounds);
    }
    __atomic_store_n(&request.sending, 0, __ATOMIC_RELEASE);
    irq_restore(flags);
}

void shootdown(pde_t *pgdir, vaddr_t va, unsigned pages)
{
    uint32_t targets, flags;

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* what was changed is seen by who loads it later */
    targets = va >= USER_TOP ? others() : others_with(pgdir);
    if (!targets || left_out)
        return;
    flags = begin_request();
    request.pgdir = pgdir;
    request.va = va;
    request.pages = pages;
    end_request(targets, flags);
}

void cpus_barrier(void)
{
    uint32_t flags;

    if (cpus_online == 1)
        return;
    flags = begin_request();
    request.pgdir = NULL; /* whose tables nobody has: an answer, and nothing else */
    request.va = 0;
    end_request(others(), flags);
}

/* One that does not answer is in trouble itself. */
static void send_and_hope(void)
{
    request.pgdir = NULL;
    request.va = 0;
    send(others());
    for (uint32_t rounds = 1; rounds < STOP_ROUNDS && read_acquire(request.waiting); rounds++)
        wait_a_little(rounds);
}

void cpus_stop(void)
{
    if (cpus_online == 1)
        return;
    request.stop = true;
    send_and_hope();
}

void cpus_hold(void)
{
    if (cpus_online == 1 || request.stop)
        return;
    (void)begin_request();
    request.hold = true;
    send_and_hope();
}

void cpus_release(void)
{
    if (!request.hold)
        return;
    write_release(request.hold, false);
    __atomic_store_n(&request.sending, 0, __ATOMIC_RELEASE);
}
