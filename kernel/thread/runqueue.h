/*
 * The threads that want a CPU and have none. Everything here is called with the scheduler's lock
 * held.
 */
#ifndef KERNEL_RUNQUEUE_H
#define KERNEL_RUNQUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct thread;

void runqueue_init(void);
/* preempted: it was running, and did not want to stop. Gives a new slice to one that used its up.
 */
void runqueue_add(struct thread *t, bool preempted);
void runqueue_remove(struct thread *t);     /* wherever it waits */
struct thread *runqueue_take(uint32_t cpu); /* the next to run on it (its bit), or NULL */
bool runqueue_any(uint32_t cpu);            /* whether there is one */
void runqueue_hurry(struct thread *t);      /* one that waits comes next, among its like */
uint32_t runqueue_count(void);
void runqueue_new_slice(struct thread *t);
/* The real-time priority that t runs with, its own or one that it is lent; 0: none. No lock. */
uint8_t runqueue_priority(const struct thread *t);
/* Whether t, which wants to run, goes before one that does. */
bool runqueue_beats(const struct thread *t, const struct thread *running);
/* A tick found t running; whether it is another one's turn for that. */
bool runqueue_tick(const struct thread *t);

#endif
