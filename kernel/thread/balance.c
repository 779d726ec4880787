/*
 * Which processor a thread waits for.
 *
 * Nobody waits while a processor idles that could run it: who wants to run gets an idle one, at
 * best that where it ran last, and a processor that runs out of work takes from the longest queue.
 * A real-time thread goes where the least urgent runs. Others, when all are busy, go where the
 * fewest are, and stay there, but that every BALANCE_TICKS a processor takes one from where more
 * is to be done. A difference of one thread counts: of three on two processors, each has its time
 * alone.
 *
 * So the longest that one waits is one turn of its processor's queue (runqueue.c), which is as long
 * as those of the others, or one that is longer for as long as it takes to even them out.
 */
#include "kernel/thread/balance.h"
#include "kernel/thread/runqueue.h"

#define BALANCE_TICKS   10
#define REALTIME_WEIGHT 60 /* as of so many ticks of slices: it leaves next to nothing */

static uint32_t bit_of(const struct cpu *c)
{
    return 1u << c->id;
}

static struct cpu *last_of(const struct thread *t)
{
    return t->cpu ? t->cpu : cpu_self();
}

/* The nth from where t ran last. */
static struct cpu *nth_from(const struct cpu *c, unsigned n)
{
    return cpu_get((c->id + n) % cpus_online);
}

struct cpu *balance_free(const struct thread *t)
{
    const struct cpu *last = last_of(t);

    for (unsigned n = 0; n < cpus_online; n++) {
        struct cpu *c = nth_from(last, n);

        if ((t->cpus & bit_of(c)) && cpu_is_idle(c) && !(c->wanted & CPU_WANTED_SWITCH))
            return c;
    }
    return NULL;
}

/* How little c suits t: by who runs there, if t is real-time, else by how many there are. */
static uint32_t burden(const struct cpu *c, const struct thread *t)
{
    if (runqueue_priority(t))
        return runqueue_priority(cpu_thread(c)) * 2u +
               ((c->wanted & CPU_WANTED_SWITCH) || c->queue->throttled);
    return c->queue->queued + !cpu_is_idle(c);
}

static struct cpu *least_burdened(const struct thread *t)
{
    const struct cpu *last = last_of(t);
    struct cpu *best = NULL;

    for (unsigned n = 0; n < cpus_online; n++) {
        struct cpu *c = nth_from(last, n);

        if ((t->cpus & bit_of(c)) && (!best || burden(c, t) < burden(best, t)))
            best = c;
    }
    return best;
}

struct cpu *balance_place(const struct thread *t)
{
    struct cpu *c = balance_free(t);

    return c ? c : least_burdened(t);
}

/* One that waits in the longest queue with such a thread, or NULL. */
static struct thread *one_elsewhere(const struct cpu *c)
{
    struct thread *found = NULL;
    uint32_t most = 0;

    for (unsigned n = 1; n < cpus_online; n++) {
        const struct runqueue *q = nth_from(c, n)->queue;
        struct thread *t = q->queued > most ? runqueue_movable(q, bit_of(c)) : NULL;

        if (t) {
            most = q->queued;
            found = t;
        }
    }
    return found;
}

bool balance_could_pull(const struct cpu *c)
{
    return one_elsewhere(c);
}

struct thread *balance_pull(const struct cpu *c)
{
    struct thread *t = one_elsewhere(c);

    if (t)
        runqueue_remove(t);
    return t;
}

static uint32_t weight(const struct cpu *c)
{
    const struct thread *t = cpu_thread(c);
    uint32_t waiting = runqueue_weight(c->queue);

    if (cpu_is_idle(c))
        return waiting;
    return waiting + (runqueue_priority(t) ? REALTIME_WEIGHT : sched_slice(&t->sched));
}

/* The one with the most to do of those that have had their rest, or c. */
static struct cpu *busiest(struct cpu *c)
{
    struct cpu *most = c;

    for (unsigned n = 1; n < cpus_online; n++)
        if (!nth_from(c, n)->queue->rest && weight(nth_from(c, n)) > weight(most))
            most = nth_from(c, n);
    return most;
}

/* What was moved is the next to run, and stays at least until then: or it would be handed on from
 * one to the other and never run. */
void balance_tick(struct cpu *c)
{
    struct runqueue *q = c->queue;
    struct cpu *from;
    struct thread *t;

    q->rest -= q->rest != 0;
    if (q->balance_in && --q->balance_in)
        return;
    q->balance_in = BALANCE_TICKS;
    from = busiest(c);
    t = from == c ? NULL : runqueue_movable(from->queue, bit_of(c));
    if (!t || weight(from) - weight(c) < sched_slice(&t->sched))
        return;
    runqueue_move(q, t);
    q->rest = BALANCE_TICKS;
}
