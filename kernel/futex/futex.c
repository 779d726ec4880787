/*
 * futex(2): its operations and their arguments. Behind it: queue.c (which futex, who waits), wait.c
 * and wake.c, lock.c and inherit.c (locks whose waiters lend their priority), robust.c (locks of
 * the dead).
 */
#include "kernel/futex/futex.h"
#include "kernel/futex/internal.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

#define FUTEX_WAIT            0
#define FUTEX_WAKE            1
#define FUTEX_REQUEUE         3
#define FUTEX_CMP_REQUEUE     4
#define FUTEX_WAKE_OP         5
#define FUTEX_LOCK_PI         6
#define FUTEX_UNLOCK_PI       7
#define FUTEX_TRYLOCK_PI      8
#define FUTEX_WAIT_BITSET     9
#define FUTEX_WAKE_BITSET     10
#define FUTEX_WAIT_REQUEUE_PI 11
#define FUTEX_CMP_REQUEUE_PI  12
#define FUTEX_LOCK_PI2        13
#define FUTEX_PRIVATE_FLAG    128u
#define FUTEX_CLOCK_REALTIME  256u

int futex_deadline(const void __user *utime, bool wide, bool absolute, bool realtime,
                   uint64_t *until)
{
    uint64_t ns, now;
    int err;

    *until = TIME_NEVER;
    if (!utime)
        return 0;
    err = timespec_get(&ns, utime, wide);
    if (err)
        return err;
    if (!absolute) {
        *until = time_deadline(ns);
    } else if (realtime) {
        now = time_real_ns();
        *until = ns <= now ? 0 : time_deadline(ns - now);
    } else {
        *until = ns;
    }
    return 0;
}

struct futex_call {
    uint32_t addr, addr2, op, val, val3;
    const void __user *utime; /* a number to those that do not wait */
    bool wide, is_private, realtime;
};

static bool has_timeout(uint32_t op)
{
    return op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET || op == FUTEX_WAIT_REQUEUE_PI ||
           op == FUTEX_LOCK_PI || op == FUTEX_LOCK_PI2;
}

/* Whether the operation may be told to go by the real-time clock; LOCK_PI always does. */
static bool may_choose_clock(uint32_t op)
{
    return op == FUTEX_WAIT_BITSET || op == FUTEX_WAIT_REQUEUE_PI || op == FUTEX_LOCK_PI2;
}

static long do_wait(const struct futex_call *c, uint64_t until)
{
    struct futex_wait a = {.addr = c->addr,
                           .expected = c->val,
                           .bits = c->op == FUTEX_WAIT_BITSET ? c->val3 : FUTEX_ANY,
                           .is_private = c->is_private,
                           .until = until};

    return c->op == FUTEX_WAIT_REQUEUE_PI ? futex_wait_requeue(&a, c->addr2) : futex_wait(&a);
}

static long do_pair(const struct futex_call *c)
{
    struct futex_pair p = {.addr = c->addr,
                           .addr2 = c->addr2,
                           .is_private = c->is_private,
                           .nwake = (int)c->val,
                           .nmove = (int)(vaddr_t)c->utime,
                           .expected = c->op == FUTEX_REQUEUE ? NULL : &c->val3,
                           .inherits = c->op == FUTEX_CMP_REQUEUE_PI};

    return c->op == FUTEX_WAKE_OP ? futex_wake_op(&p, c->val3) : futex_requeue(&p);
}

static long dispatch(const struct futex_call *c, uint64_t until)
{
    switch (c->op) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI:
        return do_wait(c, until);
    case FUTEX_WAKE:
        return futex_wake_bits(c->addr, c->is_private, (int)c->val, FUTEX_ANY);
    case FUTEX_WAKE_BITSET:
        return futex_wake_bits(c->addr, c->is_private, (int)c->val, c->val3);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_CMP_REQUEUE_PI:
    case FUTEX_WAKE_OP:
        return do_pair(c);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        return futex_lock_inherit(c->addr, c->is_private, until, false);
    case FUTEX_TRYLOCK_PI:
        return futex_lock_inherit(c->addr, c->is_private, TIME_NEVER, true);
    case FUTEX_UNLOCK_PI:
        return futex_unlock_inherit(c->addr, c->is_private);
    default:
        return -ENOSYS;
    }
}

static long futex(struct futex_call *c)
{
    uint32_t flags = c->op & (FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    uint64_t until = TIME_NEVER;
    int err = 0;

    c->op &= ~flags;
    c->is_private = flags & FUTEX_PRIVATE_FLAG;
    c->realtime = (flags & FUTEX_CLOCK_REALTIME) || c->op == FUTEX_LOCK_PI;
    if (has_timeout(c->op))
        err = futex_deadline(c->utime, c->wide, c->op != FUTEX_WAIT, c->realtime, &until);
    if (err)
        return err;
    if ((flags & FUTEX_CLOCK_REALTIME) && !may_choose_clock(c->op))
        return -ENOSYS;
    return dispatch(c, until);
}

long sys_futex(void __user *uaddr, uint32_t op, uint32_t val, void __user *utime,
               void __user *uaddr2, uint32_t val3)
{
    struct futex_call c = {(vaddr_t)uaddr, (vaddr_t)uaddr2, op, val, val3, .utime = utime};

    return futex(&c);
}

long sys_futex_time64(void __user *uaddr, uint32_t op, uint32_t val, void __user *utime,
                      void __user *uaddr2, uint32_t val3)
{
    struct futex_call c = {(vaddr_t)uaddr, (vaddr_t)uaddr2, op,          val,
                           val3,           .utime = utime,  .wide = true};

    return futex(&c);
}
