/*
 * Waking, and moving waiters from one futex to another, which is what saves a thundering herd from
 * running only to wait again.
 *
 * However many waiters there are, futex_lock is held for STEP of them at most.
 */
#include "kernel/futex/internal.h"
#include "kernel/futex/futex.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define STEP 100

/* [futex_lock held] Wakes up to count whose bits are among these; how many. -EINVAL: such as only
 * their owner can wake. */
static int wake_some(const struct futex_key *key, int count, uint32_t bits)
{
    struct futex_waiter *w = futex_next(key, NULL), *next;
    int woken = 0;

    for (; w && woken < count; w = next) {
        next = futex_next(key, w);
        if (w->kind != FUTEX_PLAIN)
            return -EINVAL;
        if (!(w->bits & bits))
            continue;
        futex_wake_waiter(w);
        woken++;
    }
    return woken;
}

/* The rest of a wake-up that has woken so many. */
static long wake_in_steps(const struct futex_key *key, int count, uint32_t bits)
{
    int woken = 0, now, step;

    do {
        step = count - woken < STEP ? count - woken : STEP;
        spin_lock(&futex_lock);
        now = wake_some(key, step, bits);
        spin_unlock(&futex_lock);
        if (now < 0)
            return now;
        woken += now;
        sched_point();
    } while (now == step && woken < count);
    return woken;
}

/* As on Linux, a count below one wakes one. */
static int at_least_one(int count)
{
    return count > 0 ? count : 1;
}

long futex_wake_bits(uint32_t addr, bool is_private, int count, uint32_t bits)
{
    struct futex_key key;
    int err;

    if (!bits)
        return -EINVAL;
    err = futex_key_of(addr, is_private, FUTEX_READS, &key);
    return err ? err : wake_in_steps(&key, at_least_one(count), bits);
}

long futex_wake(uint32_t addr, int count)
{
    return futex_wake_bits(addr, false, count, FUTEX_ANY);
}

/* ---- WAKE_OP ---- */

/* The code of FUTEX_OP(): what becomes of the word, and what is asked of its old value. */
struct word_op {
    unsigned op, cmp;
    int32_t oparg, cmparg;
};

static struct word_op decode(uint32_t code)
{
    struct word_op o = {.op = code >> 28 & 7,
                        .cmp = code >> 24 & 15,
                        .oparg = (int32_t)(code << 8) >> 20,
                        .cmparg = (int32_t)(code << 20) >> 20};

    if (code & 0x80000000u)
        o.oparg = (int32_t)(1u << (o.oparg & 31));
    return o;
}

/* -ENOSYS */
static int new_value(const struct word_op *o, uint32_t old, uint32_t *new)
{
    uint32_t arg = (uint32_t)o->oparg;

    switch (o->op) {
    case 0:
        *new = arg;
        return 0;
    case 1:
        *new = old + arg;
        return 0;
    case 2:
        *new = old | arg;
        return 0;
    case 3:
        *new = old & ~arg;
        return 0;
    case 4:
        *new = old ^ arg;
        return 0;
    default:
        return -ENOSYS;
    }
}

/* Whether it holds, or -ENOSYS. */
static int compare(const struct word_op *o, int32_t old)
{
    switch (o->cmp) {
    case 0:
        return old == o->cmparg;
    case 1:
        return old != o->cmparg;
    case 2:
        return old < o->cmparg;
    case 3:
        return old <= o->cmparg;
    case 4:
        return old > o->cmparg;
    case 5:
        return old >= o->cmparg;
    default:
        return -ENOSYS;
    }
}

/* [futex_lock held] Whether waiters there are to be woken, too; -ENOSYS, -EFAULT: futex_touch(). */
static int operate(uint32_t addr, const struct word_op *o)
{
    uint32_t old, new;
    int err;

    do {
        if (get_user_u32(&old, (void __user *)addr))
            return -EFAULT;
        err = new_value(o, old, &new);
        if (!err)
            err = futex_exchange(addr, old, new);
    } while (err == -EAGAIN);
    return err ? err : compare(o, (int32_t)old);
}

long futex_wake_op(const struct futex_pair *p, uint32_t code)
{
    struct word_op o = decode(code);
    struct futex_key key, key2;
    long woken, more = 0;
    int also = futex_key_of(p->addr, p->is_private, FUTEX_READS, &key);

    if (!also)
        also = futex_key_of(p->addr2, p->is_private, FUTEX_WRITES, &key2);
    if (also)
        return also;
    do {
        spin_lock(&futex_lock);
        also = operate(p->addr2, &o);
        spin_unlock(&futex_lock);
    } while (also == -EFAULT && !futex_touch(p->addr2, FUTEX_WRITES));
    if (also < 0)
        return also;
    woken = wake_in_steps(&key, at_least_one(p->nwake), FUTEX_ANY);
    if (woken >= 0 && also)
        more = wake_in_steps(&key2, at_least_one(p->nmove), FUTEX_ANY);
    return woken < 0 ? woken : more < 0 ? more : woken + more;
}

/* ---- Requeue ---- */

/* A requeue under way. */
struct requeue {
    const struct futex_pair *pair;
    struct futex_key from, to;
    int done; /* waiters woken and moved */
};

/* [futex_lock held] */
static void move(struct futex_waiter *w, const struct futex_key *to)
{
    futex_dequeue(w);
    w->key = *to;
    futex_enqueue(w);
}

/* [proc_lock, futex_lock held] Moves w to the lock it asked for; if nobody has that, w has it. */
static int move_to_lock(struct requeue *r, struct futex_waiter *w)
{
    bool others = r->done > 0 || r->pair->nmove > 0;
    struct thread *owner;
    int mine, err;

    if (w->kind != FUTEX_TO_REQUEUE || !futex_same(&w->target, &r->to))
        return -EINVAL;
    mine = futex_take(w->thread, &r->to, r->pair->addr2, others, &owner);
    if (mine < 0)
        return mine;
    err = mine ? 0 : inherit_begin(w, owner);
    if (err)
        return err;
    w->kind = FUTEX_INHERITS;
    move(w, &r->to);
    if (mine)
        futex_wake_waiter(w);
    return 0;
}

/* [proc_lock, futex_lock held] */
static int requeue_one(struct requeue *r, struct futex_waiter *w)
{
    if (r->pair->inherits)
        return move_to_lock(r, w);
    if (w->kind != FUTEX_PLAIN)
        return -EINVAL;
    if (r->done < r->pair->nwake)
        futex_wake_waiter(w);
    else
        move(w, &r->to);
    return 0;
}

static bool requeue_finished(const struct requeue *r)
{
    return r->done - r->pair->nwake >= r->pair->nmove;
}

/* [proc_lock, futex_lock held] Up to STEP waiters. 1: there may be more; 0, -errno. */
static int requeue_some(struct requeue *r)
{
    struct futex_waiter *w = futex_next(&r->from, NULL), *next;
    int err;

    for (int step = 0; w && !requeue_finished(r); step++, w = next) {
        if (step == STEP)
            return 1;
        next = futex_next(&r->from, w);
        err = requeue_one(r, w);
        if (err)
            return err;
        r->done++;
    }
    return 0;
}

/* [futex_lock held] Whether the word is what was expected: 0, -EAGAIN, -EFAULT: futex_touch(). */
static int check_expected(const struct futex_pair *p)
{
    uint32_t now;

    if (!p->expected)
        return 0;
    if (get_user_u32(&now, (void __user *)p->addr))
        return -EFAULT;
    return now == *p->expected ? 0 : -EAGAIN;
}

/* Whoever is moved to where he was keeps his place, and is counted. */
static int requeue_in_place(struct requeue *r)
{
    struct futex_waiter *w;
    int moved = 0, woken;

    do {
        spin_lock(&futex_lock);
        woken = check_expected(r->pair);
        spin_unlock(&futex_lock);
    } while (woken == -EFAULT && !futex_touch(r->pair->addr, FUTEX_READS));
    if (!woken)
        woken = (int)wake_in_steps(&r->from, r->pair->nwake, FUTEX_ANY);
    if (woken < 0)
        return woken;
    spin_lock(&futex_lock);
    for (w = futex_next(&r->from, NULL); w && moved < r->pair->nmove; moved++)
        w = futex_next(&r->from, w);
    spin_unlock(&futex_lock);
    return woken + moved;
}

/* One step of it: 1, and there is another; 0, -errno. may sleep. */
static int requeue_step(struct requeue *r, bool check)
{
    const struct futex_pair *p = r->pair;
    int err;

    spin_lock(&proc_lock);
    spin_lock(&futex_lock);
    err = check ? check_expected(p) : 0;
    if (!err)
        err = requeue_some(r);
    spin_unlock(&futex_lock);
    spin_unlock(&proc_lock);
    if (err != -EFAULT)
        return err;
    err = futex_touch(p->addr, FUTEX_READS);
    if (!err && p->inherits)
        err = futex_touch(p->addr2, FUTEX_WRITES);
    return err ? err : 1;
}

static int requeue_keys(const struct futex_pair *p, struct requeue *r)
{
    int err = futex_key_of(p->addr, p->is_private, FUTEX_READS, &r->from);

    if (!err)
        err =
            futex_key_of(p->addr2, p->is_private, p->inherits ? FUTEX_WRITES : FUTEX_READS, &r->to);
    if (!err && p->inherits && futex_same(&r->from, &r->to))
        err = -EINVAL;
    return err;
}

long futex_requeue(const struct futex_pair *p)
{
    struct requeue r = {.pair = p};
    int err;

    if (p->nwake < 0 || p->nmove < 0 || (p->inherits && (p->nwake != 1 || p->addr == p->addr2)))
        return -EINVAL;
    err = requeue_keys(p, &r);
    if (err)
        return err;
    if (futex_same(&r.from, &r.to))
        return requeue_in_place(&r);
    do {
        err = requeue_step(&r, r.done == 0);
        sched_point();
    } while (err > 0);
    return err ? err : r.done;
}
