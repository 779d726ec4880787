/*
 * Which futex an address means, and who waits for it.
 *
 * Waiters hang in a hash table by key, those of higher real-time priority first. Reading the word
 * and joining the queue are one step under futex_lock, so that a waker, who changes the word before
 * he looks at the queue, is never missed.
 */
#include "kernel/futex/internal.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/runqueue.h"
#include "libc/errno.h"

#define BUCKETS 256

/* As on Linux, private memory without FUTEX_PRIVATE_FLAG is not the futex that it is with it. */
#define SAID_TO_BE_SHARED UINT64_MAX

struct spinlock futex_lock = SPINLOCK_INIT("futex", LOCK_RANK_WAITQ);
static struct list buckets[BUCKETS]; /* [futex_lock] a zero head is an empty one */

/* ---- Keys ---- */

int futex_touch(uint32_t addr, enum futex_use use)
{
    uint32_t seen;

    return use == FUTEX_WRITES ? cmpxchg_user_u32((void __user *)addr, 0, 0, &seen)
                               : get_user_u32(&seen, (void __user *)addr);
}

int futex_exchange(uint32_t addr, uint32_t old, uint32_t new)
{
    uint32_t seen;

    if (cmpxchg_user_u32((void __user *)addr, old, new, &seen))
        return -EFAULT;
    return seen == old ? 0 : -EAGAIN;
}

int futex_key_of(uint32_t addr, bool is_private, enum futex_use use, struct futex_key *key)
{
    struct vm_space *s = proc_current()->space;
    struct vm_identity id = {0, addr};
    int err = 0;

    if (addr & 3)
        return -EINVAL;
    if (!user_range_ok((void __user *)addr, sizeof(uint32_t)))
        return -EFAULT;
    if (!is_private)
        err = futex_touch(addr, use);
    if (!is_private && !err)
        err = vm_identify(s, addr, &id);
    *key = (struct futex_key){id.object ? NULL : s, id.object, id.offset};
    if (!is_private && !id.object)
        key->object = SAID_TO_BE_SHARED;
    return err;
}

bool futex_same(const struct futex_key *a, const struct futex_key *b)
{
    return a->offset == b->offset && a->object == b->object && a->space == b->space;
}

/* [futex_lock held] */
static struct list *bucket_of(const struct futex_key *key)
{
    uint32_t mixed = (uint32_t)key->offset >> 2 ^ (uint32_t)(key->offset >> 12) ^
                     (uint32_t)key->object ^ (uintptr_t)key->space >> 5;
    struct list *b = &buckets[mixed % BUCKETS];

    if (!b->next)
        list_init(b);
    return b;
}

/* ---- The queue ---- */

void futex_enqueue(struct futex_waiter *w)
{
    struct list *b = bucket_of(&w->key), *at = b;

    w->priority = runqueue_priority(w->thread);
    if (!w->told)
        w->told = &w->woken;
    while (at->prev != b && list_entry(at->prev, struct futex_waiter, link)->priority < w->priority)
        at = at->prev;
    list_add_tail(at, &w->link);
}

struct futex_waiter *futex_next(const struct futex_key *key, struct futex_waiter *after)
{
    struct list *b = bucket_of(key);

    for (struct list *l = after ? after->link.next : b->next; l != b; l = l->next) {
        struct futex_waiter *w = list_entry(l, struct futex_waiter, link);

        if (futex_same(&w->key, key))
            return w;
    }
    return NULL;
}

void futex_dequeue(struct futex_waiter *w)
{
    list_remove(&w->link);
}

void futex_wake_waiter(struct futex_waiter *w)
{
    futex_dequeue(w);
    w->woken = true;
    *w->told = true;
    sched_wake(w->thread);
}

int futex_join(struct futex_waiter *w, uint32_t addr, uint32_t expected)
{
    uint32_t now;
    int err;

    do {
        spin_lock(&futex_lock);
        err = get_user_u32(&now, (void __user *)addr);
        if (!err && now == expected)
            futex_enqueue(w);
        spin_unlock(&futex_lock);
        if (!err)
            return now == expected ? 0 : -EAGAIN;
    } while (!futex_touch(addr, FUTEX_READS));
    return -EFAULT;
}

int futex_sleep(const volatile bool *told, uint64_t until)
{
    struct thread *t = thread_current();
    int ret = 0;

    while (!ret && !*told) {
        t->state = THREAD_SLEEPING;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (*told)
            break;
        if (signal_pending_current())
            ret = -ERESTARTSYS;
        else if (until != TIME_NEVER && time_mono_ns() >= until)
            ret = -ETIMEDOUT;
        else
            schedule_until(until);
    }
    t->state = THREAD_RUNNABLE;
    return ret;
}
