/*
 * Threads, the run queue, sleeping and waking. The kernel is not preempted: a path switches only
 * where it sleeps or returns to user mode.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/lock.h"
#include "libc/list.h"

enum thread_state {
    THREAD_RUNNABLE,                  /* running or on the run queue */
    THREAD_SLEEPING,                  /* interruptible: a signal wakes it */
    THREAD_BLOCKED,                   /* uninterruptible */
    THREAD_STOPPED,                   /* by a signal, until SIGCONT or SIGKILL */
    THREAD_DEAD,
};

void schedule(void);                  /* give up the CPU; as current->state says */
void sched_wake(struct thread *t);    /* make it runnable if it sleeps or is blocked */
bool sched_wake_from(struct thread *t, enum thread_state s); /* only if it is in s; whether it was */
void sched_tick(void);                /* from the timer interrupt */
void sched_yield_current(void);

/* ---- Wait queues ------------------------------------------------------------------------------ */

struct waitq {
    struct spinlock lock;
    struct list waiters;              /* [lock] struct wait_entry */
};

struct wait_entry {
    struct list link;                 /* [its waitq's lock] */
    struct thread *thread;
    struct waitq *queue;
    void (*wake)(struct wait_entry *e); /* called with the queue's lock held; NULL: sched_wake(thread) */
};

void waitq_init(struct waitq *q);
/* Joins q and sets current->state; then check the condition, then schedule(), then waitq_finish. */
void waitq_prepare(struct waitq *q, struct wait_entry *e, enum thread_state state);
void waitq_finish(struct wait_entry *e);       /* leaves the queue, state runnable again */
/* Joins q with a callback and no change of state, for poll; waitq_remove leaves. */
void waitq_add(struct waitq *q, struct wait_entry *e, void (*wake)(struct wait_entry *e));
void waitq_remove(struct wait_entry *e);
void wake_all(struct waitq *q);
void wake_one(struct waitq *q);

bool signal_pending_current(void);             /* kernel/signal.c: an unblocked signal waits */

#define ERESTARTSYS 512               /* internal: restart if SA_RESTART, else -EINTR */
#define ERESTARTNOHAND 514            /* internal: restart if no handler ran, else -EINTR */
#define ERESTART_RESTARTBLOCK 516     /* internal: nanosleep, poll: restart with what is left */

/* Sleep until cond is true. cond is evaluated without locks. */
#define wait_event(q, cond)                                                                        \
    do {                                                                                           \
        struct wait_entry we_;                                                                     \
        for (;;) {                                                                                 \
            waitq_prepare((q), &we_, THREAD_BLOCKED);                                              \
            if (cond)                                                                              \
                break;                                                                             \
            schedule();                                                                            \
            waitq_finish(&we_);                                                                    \
        }                                                                                          \
        waitq_finish(&we_);                                                                        \
    } while (0)

/* The same, ended early by a signal: 0 or -ERESTARTSYS. */
#define wait_event_interruptible(q, cond)                                                          \
    ({                                                                                             \
        int ret_ = 0;                                                                              \
        struct wait_entry we_;                                                                     \
        for (;;) {                                                                                 \
            waitq_prepare((q), &we_, THREAD_SLEEPING);                                             \
            if (cond)                                                                              \
                break;                                                                             \
            if (signal_pending_current()) {                                                        \
                ret_ = -ERESTARTSYS;                                                               \
                break;                                                                             \
            }                                                                                      \
            schedule();                                                                            \
            waitq_finish(&we_);                                                                    \
        }                                                                                          \
        waitq_finish(&we_);                                                                        \
        ret_;                                                                                      \
    })

/* ---- Sleep locks ------------------------------------------------------------------------------ */

struct mutex {
    struct spinlock lock;
    struct thread *owner;             /* [lock] */
    struct waitq waiters;
};

void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);     /* may sleep, not interruptible */
void mutex_unlock(struct mutex *m);

#endif
