/*
 * What the parts of futexes share: keys, waiters, their queue.
 *
 * A waiter stands on the stack of its thread, on one queue, under one key. futex_lock guards queues
 * and waiters; under it user memory is read and exchanged without bringing pages in
 * (arch/uaccess.h): where that fails, let go, touch the word, start over.
 */
#ifndef KERNEL_FUTEX_INTERNAL_H
#define KERNEL_FUTEX_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/lock.h"
#include "arch/uaccess.h"
#include "libc/list.h"

struct thread;
struct vm_space;

#define FUTEX_ANY 0xffffffffu /* a waiter's bits: woken by every one */

/* The word of a lock whose owner the kernel knows: the owner's tid, and these. */
#define FUTEX_WAITERS    0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK   0x3fffffffu

/* What a futex is, whatever address it has: vm_identify(). One that is private belongs to a space,
 * which lives as long as its threads wait. */
struct futex_key {
    const struct vm_space *space; /* NULL: shared */
    uint64_t object, offset;
};

enum futex_kind {
    FUTEX_PLAIN,
    FUTEX_TO_REQUEUE, /* WAIT_REQUEUE_PI: waits to be moved to target */
    FUTEX_INHERITS,   /* waits for an owner, to whom it lends its priority */
};

struct futex_waiter {
    struct list link; /* [futex_lock] */
    struct futex_key key;
    enum futex_kind kind;
    uint32_t bits;
    struct thread *thread;
    uint8_t priority; /* real-time priority when it joined: the order of the queue */
    bool woken;       /* [futex_lock] or, INHERITS: the lock is its own */
    bool *told;       /* [futex_lock] set with woken; what the thread sleeps for */
    struct futex_key target;
    struct thread *owner;   /* [futex_lock] INHERITS: who has the lock */
    struct list donor_link; /* [futex_lock] in owner->donors */
    bool owner_died; /* [futex_lock] the lock came from a dead owner; the word is yet to say */
};

extern struct spinlock futex_lock;

/* ---- Keys and queues: queue.c ---- */

enum futex_use { FUTEX_READS, FUTEX_WRITES };
/* The key of the word at addr, which has to be there unless it is private. -EINVAL, -EFAULT; may
 * sleep. */
int futex_key_of(uint32_t addr, bool is_private, enum futex_use use, struct futex_key *key);
bool futex_same(const struct futex_key *a, const struct futex_key *b);
/* [futex_lock held] w->told is set, if it was not. */
void futex_enqueue(struct futex_waiter *w);
/* [futex_lock held] In the order of real-time priorities, then of coming; after == NULL: the first.
 */
struct futex_waiter *futex_next(const struct futex_key *key, struct futex_waiter *after);
void futex_dequeue(struct futex_waiter *w);     /* [futex_lock held] also one that was taken off */
void futex_wake_waiter(struct futex_waiter *w); /* [futex_lock held] takes it off */
/* Queues w unless the word at addr is not what is expected: then -EAGAIN. -EFAULT. May sleep. */
int futex_join(struct futex_waiter *w, uint32_t addr, uint32_t expected);
/* Until *told, a signal (-ERESTARTSYS) or the time by the monotonic clock (-ETIMEDOUT). */
int futex_sleep(const volatile bool *told, uint64_t until);
/* After the word could not be reached under the lock: brings it in. -EFAULT. May sleep. */
int futex_touch(uint32_t addr, enum futex_use use);
/* [futex_lock held] The word at addr, if it still is old, becomes new. -EAGAIN: it is not; -EFAULT:
 * futex_touch(). */
int futex_exchange(uint32_t addr, uint32_t old, uint32_t new);

/* ---- Waking and moving: wake.c ---- */

struct futex_pair { /* the arguments of calls on two futexes */
    uint32_t addr, addr2;
    bool is_private;
    int nwake, nmove;         /* WAKE_OP: nmove is how many to wake at addr2 */
    const uint32_t *expected; /* what addr must hold, or NULL */
    bool inherits;            /* CMP_REQUEUE_PI */
};
long futex_wake_bits(uint32_t addr, bool is_private, int count, uint32_t bits);
long futex_wake_op(const struct futex_pair *p, uint32_t code);
long futex_requeue(const struct futex_pair *p);

/* ---- Waiting: wait.c ---- */

/* The deadline that utime (NULL: none) stands for, as a monotonic time. -EFAULT, -EINVAL. */
int futex_deadline(const void __user *utime, bool wide, bool absolute, bool realtime,
                   uint64_t *until);

struct futex_wait {
    uint32_t addr, expected, bits;
    bool is_private;
    uint64_t until;
};
long futex_wait(const struct futex_wait *a);

/* ---- Priority inheritance: inherit.c (who lends to whom), lock.c (the calls) ---- */

/* [futex_lock held] w waits for owner from here on. -EDEADLK: which waits for w's thread. */
int inherit_begin(struct futex_waiter *w, struct thread *owner);
void inherit_end(struct futex_waiter *w); /* [futex_lock held] */
/* [futex_lock held] Who is next among those that wait for owner under key, or NULL. */
struct futex_waiter *inherit_heir(const struct futex_key *key, const struct thread *owner);
/* [futex_lock held] heir's thread waits no more, and those that waited with it wait for it. */
void inherit_pass(struct futex_waiter *heir);

long futex_lock_inherit(uint32_t addr, bool is_private, uint64_t until, bool try);
long futex_unlock_inherit(uint32_t addr, bool is_private);
/* WAIT_REQUEUE_PI: waits at a->addr, and as its owner at addr2. */
long futex_wait_requeue(const struct futex_wait *a, uint32_t addr2);
/* [proc_lock, futex_lock held] The lock at addr (of the current space), which key means, becomes
 * t's: 1; or t must wait for *owner: 0. others: somebody will wait for it then. As
 * futex_exchange(), -EDEADLK, -ESRCH, -EPERM, -EINVAL. */
int futex_take(const struct thread *t, const struct futex_key *key, uint32_t addr, bool others,
               struct thread **owner);

#endif
