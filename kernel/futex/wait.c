/*
 * Waiting for a word to change, or for one of several.
 */
#include "kernel/futex/internal.h"
#include "kernel/thread/proc.h"
#include "kernel/time/clock.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

/* Whether somebody had woken w. */
static bool leave(struct futex_waiter *w)
{
    spin_lock(&futex_lock);
    futex_dequeue(w);
    spin_unlock(&futex_lock);
    return w->woken;
}

/* 0 when woken, -EAGAIN, -ETIMEDOUT or -ERESTARTSYS. */
static long wait_once(const struct futex_wait *a)
{
    struct futex_waiter w = {.bits = a->bits, .thread = thread_current()};
    int ret = futex_key_of(a->addr, a->is_private, FUTEX_READS, &w.key);

    if (!ret)
        ret = futex_join(&w, a->addr, a->expected);
    if (ret)
        return ret;
    ret = futex_sleep(w.told, a->until);
    return leave(&w) ? 0 : ret;
}

enum { ARG_ADDR, ARG_EXPECTED, ARG_BITS, ARG_PRIVATE }; /* of restart_args */

static long restart_wait(struct thread *t)
{
    const uint32_t *args = t->sig.restart_args;
    struct futex_wait a = {.addr = args[ARG_ADDR],
                           .expected = args[ARG_EXPECTED],
                           .bits = args[ARG_BITS],
                           .is_private = args[ARG_PRIVATE],
                           .until = t->sig.restart_until};

    return futex_wait(&a);
}

/* A timeout goes on, after a signal without a handler, with what is left of it. */
long futex_wait(const struct futex_wait *a)
{
    struct signal_state *s = &thread_current()->sig;
    long ret;

    if (!a->bits)
        return -EINVAL;
    ret = wait_once(a);
    if (ret != -ERESTARTSYS || a->until == TIME_NEVER)
        return ret;
    s->restart_fn = restart_wait;
    s->restart_until = a->until;
    s->restart_args[ARG_ADDR] = a->addr;
    s->restart_args[ARG_EXPECTED] = a->expected;
    s->restart_args[ARG_BITS] = a->bits;
    s->restart_args[ARG_PRIVATE] = a->is_private;
    return -ERESTART_RESTARTBLOCK;
}

/* ---- futex_waitv ---- */

#define WAITV_MAX     128
#define WAITV_32      2u
#define WAITV_PRIVATE 128u

struct user_waitv { /* struct futex_waitv */
    uint64_t value, addr;
    uint32_t flags, reserved;
};

_Static_assert(sizeof(struct user_waitv) == 24, "Linux layout");

struct place {
    struct futex_waiter waiter;
    uint32_t addr, expected;
};

#define PLACES_IN_PAGE (PAGE_SIZE / sizeof(struct place))
#define CROWD_PAGES    ((WAITV_MAX + PLACES_IN_PAGE - 1) / PLACES_IN_PAGE)

/* The waiters of one thread. */
struct crowd {
    uint32_t count;
    bool told; /* [futex_lock] */
    struct place *page[CROWD_PAGES];
};

static struct place *place_of(struct crowd *c, uint32_t i)
{
    return &c->page[i / PLACES_IN_PAGE][i % PLACES_IN_PAGE];
}

static void crowd_free(struct crowd *c)
{
    for (uint32_t i = 0; i < CROWD_PAGES; i++)
        if (c->page[i])
            kfree(c->page[i]);
}

static int crowd_alloc(struct crowd *c)
{
    for (uint32_t i = 0; i * PLACES_IN_PAGE < c->count; i++) {
        c->page[i] = kalloc_zeroed();
        if (!c->page[i]) {
            crowd_free(c);
            return -ENOMEM;
        }
    }
    return 0;
}

/* All are read before the first futex is looked at: then their addresses become keys. */
static int read_one(struct crowd *c, uint32_t i, const struct user_waitv __user *uwaiters)
{
    struct place *at = place_of(c, i);
    struct user_waitv v;

    if (copy_from_user(&v, uwaiters + i, sizeof(v)))
        return -EFAULT;
    if ((v.flags & ~(WAITV_32 | WAITV_PRIVATE)) || v.reserved || !(v.flags & WAITV_32))
        return -EINVAL;
    at->waiter =
        (struct futex_waiter){.bits = FUTEX_ANY, .thread = thread_current(), .told = &c->told};
    at->waiter.key.space = v.flags & WAITV_PRIVATE ? proc_current()->space : NULL;
    at->addr = (uint32_t)v.addr;
    at->expected = (uint32_t)v.value;
    return 0;
}

static int read_all(struct crowd *c, const struct user_waitv __user *uwaiters)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < c->count; i++)
        err = read_one(c, i, uwaiters);
    for (uint32_t i = 0; !err && i < c->count; i++) {
        struct place *at = place_of(c, i);

        err = futex_key_of(at->addr, at->waiter.key.space != NULL, FUTEX_READS, &at->waiter.key);
    }
    return err;
}

/* The last one that was woken, or -1. All leave. */
static int leave_all(struct crowd *c, uint32_t joined)
{
    int woken = -1;

    spin_lock(&futex_lock);
    for (uint32_t i = 0; i < joined; i++) {
        futex_dequeue(&place_of(c, i)->waiter);
        if (place_of(c, i)->waiter.woken)
            woken = (int)i;
    }
    spin_unlock(&futex_lock);
    return woken;
}

static long wait_for_any(struct crowd *c, uint64_t until)
{
    uint32_t joined = 0;
    int err = 0, woken;

    while (!err && joined < c->count) {
        struct place *at = place_of(c, joined);

        err = futex_join(&at->waiter, at->addr, at->expected);
        joined += !err;
    }
    if (!err)
        err = futex_sleep(&c->told, until);
    woken = leave_all(c, joined);
    return woken >= 0 ? woken : err;
}

/* -EFAULT, -EINVAL */
static int waitv_deadline(const void __user *utime, uint32_t clock, uint64_t *until)
{
    *until = TIME_NEVER;
    if (!utime)
        return 0;
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return -EINVAL;
    return futex_deadline(utime, true, true, clock == CLOCK_REALTIME, until);
}

long sys_futex_waitv(const void __user *uwaiters, uint32_t count, uint32_t flags,
                     const void __user *utime, uint32_t clock)
{
    struct crowd c = {.count = count};
    uint64_t until;
    long ret;

    if (flags || !count || count > WAITV_MAX || !uwaiters)
        return -EINVAL;
    ret = waitv_deadline(utime, clock, &until);
    if (!ret)
        ret = crowd_alloc(&c);
    if (ret)
        return ret;
    ret = read_all(&c, uwaiters);
    if (!ret)
        ret = wait_for_any(&c, until);
    crowd_free(&c);
    return ret;
}
