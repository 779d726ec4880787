/*
 * The threads that want a CPU and have none. Everything here is called with the scheduler's lock
 * held, where nothing else is said.
 */
#ifndef KERNEL_RUNQUEUE_H
#define KERNEL_RUNQUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include "libc/list.h"

struct cpu;
struct thread;

/* What /proc/schedstat tells of a processor. */
struct sched_counts {
    uint64_t switches;
    uint64_t waited;     /* by those that came to run here: in ns; 0 without a TSC */
    uint32_t to_idle;    /* of the switches */
    uint32_t wakes;      /* made here */
    uint32_t wakes_away; /* of them, those of a thread that went to another processor */
    uint32_t yields;
};

/* A processor's: all that is in it may run there. Real-time threads are in one for all. */
struct runqueue {
    struct list ready;    /* [sched_lock] with time left */
    struct list expired;  /* [sched_lock] with a new slice */
    uint32_t queued;      /* [sched_lock] in both; to look at without it */
    uint32_t passed_over; /* [sched_lock] ticks in which none of expired was taken, though there */
    uint32_t hurries;     /* [sched_lock] how often one was put before others in this period */
    uint32_t period_ticks, realtime_ticks; /* [sched_lock] */
    bool throttled;             /* [sched_lock] others before real-time, until the period is over */
    uint8_t balance_in;         /* [sched_lock] ticks until it looks who has more: balance.c */
    uint8_t rest;               /* [sched_lock] ticks until it may be taken from again */
    struct sched_counts counts; /* [own CPU] */
};

void runqueue_init(void); /* that of real-time threads */
void runqueue_init_one(struct runqueue *q);
/* preempted: it was running, and did not want to stop. Gives a new slice to one that used its up.
 */
void runqueue_add(struct runqueue *q, struct thread *t, bool preempted);
void runqueue_remove(struct thread *t); /* wherever it waits */
/* The next to run on a processor (its bit) whose queue is q, or NULL. */
struct thread *runqueue_take(struct runqueue *q, uint32_t cpu);
/* Whether there is one. Without the lock it is a hint. */
bool runqueue_any(const struct runqueue *q, uint32_t cpu);
/* One of the first that wait in q with a new slice, or of the others, that may run on cpu; or NULL.
 */
struct thread *runqueue_movable(const struct runqueue *q, uint32_t cpu);
void runqueue_move(struct runqueue *to,
                   struct thread *t); /* where it is the next with a new slice */
/* How much work waits: the slices of all, more or less. */
uint32_t runqueue_weight(const struct runqueue *q);
void runqueue_hurry(struct thread *t); /* one that waits comes next, among its like */
uint32_t runqueue_realtime(void);      /* how many real-time threads wait; no lock */
void runqueue_new_slice(struct thread *t);
/* The real-time priority that t runs with, its own or one that it is lent; 0: none. No lock. */
uint8_t runqueue_priority(const struct thread *t);
/* Whether t, which wants to run, goes before one that does. */
bool runqueue_beats(const struct thread *t, const struct thread *running);
/* A tick of q's processor found t running; whether it is another one's turn for that. */
bool runqueue_tick(struct runqueue *q, const struct thread *t);

#endif
