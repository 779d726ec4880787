/*
 * Locks with priority inheritance: the word is 0 or the owner's tid, with FUTEX_WAITERS while
 * somebody may wait. The kernel gives the lock on, by writing the next owner's tid, so that nobody
 * in between can take it.
 *
 * The word belongs to programs, which may write what they like: once somebody waits, the waiters'
 * owner is the truth, and a word that says another is -EINVAL.
 */
#include "kernel/futex/internal.h"
#include "kernel/futex/futex.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/runqueue.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

/* ---- Taking ---- */

/* [proc_lock, futex_lock held] */
static int owner_by_tid(int32_t tid, struct thread **owner)
{
    struct thread *t = thread_find(tid);

    if (!t || t->futex_released)
        return -ESRCH;
    if (!t->proc->space)
        return -EPERM;
    *owner = t;
    return 0;
}

/* [futex_lock held] w waits there already, word is what the program has. */
static int owner_by_waiter(const struct futex_waiter *w, uint32_t word, struct thread **owner)
{
    int32_t tid = (int32_t)(word & FUTEX_TID_MASK);

    if (w->kind != FUTEX_INHERITS)
        return -EINVAL;
    if (tid != w->owner->tid && !(tid == 0 && (word & FUTEX_OWNER_DIED)))
        return -EINVAL;
    *owner = w->owner;
    return 0;
}

int futex_take(const struct thread *t, const struct futex_key *key, uint32_t addr, bool others,
               struct thread **owner)
{
    struct futex_waiter *first;
    uint32_t word;
    int err;

    if (get_user_u32(&word, (void __user *)addr))
        return -EFAULT;
    if ((int32_t)(word & FUTEX_TID_MASK) == t->tid)
        return -EDEADLK;
    first = futex_next(key, NULL);
    if (first)
        return owner_by_waiter(first, word, owner);
    if (!(word & FUTEX_TID_MASK)) {
        err = futex_exchange(addr, word,
                             (word & FUTEX_OWNER_DIED) | (uint32_t)t->tid |
                                 (others ? FUTEX_WAITERS : 0));
        return err ? err : 1;
    }
    err = futex_exchange(addr, word, word | FUTEX_WAITERS);
    return err ? err : owner_by_tid((int32_t)(word & FUTEX_TID_MASK), owner);
}

/* Takes the lock (1), or queues w for it (0), or leaves it if that is all that is wanted. */
static int take_or_join(struct futex_waiter *w, uint32_t addr, bool try)
{
    struct thread *owner;
    int ret;

    spin_lock(&proc_lock);
    spin_lock(&futex_lock);
    ret = futex_take(w->thread, &w->key, addr, false, &owner);
    if (!ret && !try)
        ret = inherit_begin(w, owner);
    if (!ret && !try)
        futex_enqueue(w);
    spin_unlock(&futex_lock);
    spin_unlock(&proc_lock);
    return ret;
}

/* ---- Waiting ---- */

/* w's thread has the lock of an owner who died: the word says so, for it to clean up. */
static int claim_of_the_dead(struct futex_waiter *w, uint32_t addr)
{
    uint32_t word;
    int err;

    do {
        spin_lock(&futex_lock);
        err = get_user_u32(&word, (void __user *)addr);
        if (!err)
            err = futex_exchange(addr, word,
                                 FUTEX_WAITERS | FUTEX_OWNER_DIED | (uint32_t)w->thread->tid);
        if (!err)
            futex_dequeue(w);
        spin_unlock(&futex_lock);
        if (err == -EFAULT && !futex_touch(addr, FUTEX_WRITES))
            err = -EAGAIN;
    } while (err == -EAGAIN);
    if (err) {
        spin_lock(&futex_lock);
        futex_dequeue(w);
        spin_unlock(&futex_lock);
    }
    return err;
}

/* Sleeping for the lock at addr has ended, with ret: 0 if it is w's, whatever ret says. */
static int end_of_wait(struct futex_waiter *w, uint32_t addr, int ret)
{
    bool died;

    spin_lock(&futex_lock);
    died = w->woken && w->owner_died;
    if (!died)
        futex_dequeue(w);
    if (!w->woken)
        inherit_end(w);
    spin_unlock(&futex_lock);
    if (died)
        return claim_of_the_dead(w, addr);
    return w->woken ? 0 : ret;
}

long futex_lock_inherit(uint32_t addr, bool is_private, uint64_t until, bool try)
{
    struct futex_waiter w = {.kind = FUTEX_INHERITS, .thread = thread_current()};
    int ret;

    do {
        ret = futex_key_of(addr, is_private, FUTEX_WRITES, &w.key);
        if (ret)
            return ret;
        ret = futex_touch(addr, FUTEX_WRITES);
        if (ret)
            return ret;
        ret = take_or_join(&w, addr, try);
    } while ((ret == -EAGAIN || ret == -EFAULT) && !fatal_signal_pending());
    if (ret == 1)
        return 0;
    if (ret || try)
        return ret ? ret : -EAGAIN;
    ret = end_of_wait(&w, addr, futex_sleep(w.told, until));
    return ret == -ERESTARTSYS ? -ERESTARTNOINTR : ret;
}

long futex_wait_requeue(const struct futex_wait *a, uint32_t addr2)
{
    struct futex_waiter w = {.kind = FUTEX_TO_REQUEUE, .thread = thread_current()};
    bool moved;
    int ret;

    if (a->addr == addr2)
        return -EINVAL;
    ret = futex_key_of(addr2, a->is_private, FUTEX_WRITES, &w.target);
    if (!ret)
        ret = futex_key_of(a->addr, a->is_private, FUTEX_READS, &w.key);
    if (!ret && futex_same(&w.key, &w.target))
        ret = -EINVAL;
    if (!ret)
        ret = futex_join(&w, a->addr, a->expected);
    if (ret)
        return ret;
    ret = end_of_wait(&w, addr2, futex_sleep(w.told, a->until));
    moved = w.kind == FUTEX_INHERITS;
    /* The word has changed, so that starting over would say just that. */
    if (ret == -ERESTARTSYS)
        return moved ? -EAGAIN : -ERESTARTNOINTR;
    return ret;
}

/* ---- Giving on ---- */

/* [futex_lock held] */
static int give_on(const struct futex_key *key, uint32_t addr, uint32_t word)
{
    const struct thread *owner = thread_current();
    struct futex_waiter *first = futex_next(key, NULL), *heir;
    int err;

    if (!first)
        return futex_exchange(addr, word, 0);
    if (first->kind != FUTEX_INHERITS || first->owner != owner)
        return -EINVAL;
    heir = inherit_heir(key, owner);
    err = futex_exchange(addr, word, FUTEX_WAITERS | (uint32_t)heir->thread->tid);
    if (err)
        return err;
    inherit_pass(heir);
    futex_wake_waiter(heir);
    return 0;
}

long futex_unlock_inherit(uint32_t addr, bool is_private)
{
    struct futex_key key;
    uint32_t word;
    int err;

    do {
        if (get_user_u32(&word, (void __user *)addr))
            return -EFAULT;
        if ((int32_t)(word & FUTEX_TID_MASK) != thread_current()->tid)
            return -EPERM;
        err = futex_key_of(addr, is_private, FUTEX_WRITES, &key);
        if (!err)
            err = futex_touch(addr, FUTEX_WRITES);
        if (err)
            return err;
        spin_lock(&futex_lock);
        err = give_on(&key, addr, word);
        spin_unlock(&futex_lock);
    } while ((err == -EAGAIN || err == -EFAULT) && !fatal_signal_pending());
    return err;
}

/* [futex_lock held] t dies with the lock that w waits for. The heir stays in the queue until the
 * word says that it is the owner: whoever comes meanwhile must find somebody to wait for. */
static void bequeath(const struct futex_waiter *w)
{
    struct futex_waiter *heir = inherit_heir(&w->key, w->owner);

    heir->owner_died = true;
    inherit_pass(heir);
    heir->woken = true;
    *heir->told = true;
    sched_wake(heir->thread);
}

void futex_release_inheritance(struct thread *t)
{
    spin_lock(&futex_lock);
    while (!list_empty(&t->donors)) {
        bequeath(list_first_entry(&t->donors, struct futex_waiter, donor_link));
        spin_unlock(&futex_lock);
        sched_point();
        spin_lock(&futex_lock);
    }
    t->futex_released = true;
    spin_unlock(&futex_lock);
}
