/*
 * What several processors do at once to the space of the stage (stage.h): programs access it, with
 * faults that go without the kernel lock where they can, and call what changes it. How they take
 * turns, and what the kernel lock is, the test says.
 */
#ifndef TESTS_HOST_SEVERAL_H
#define TESTS_HOST_SEVERAL_H

#include "mm/mm.h"

struct several_ways {
    void (*user_mode)(void);             /* before each access: interrupts come through */
    void (*enter)(void), (*leave)(void); /* the kernel lock */
    void (*called)(void);                /* at the end of a call, still with the lock; or NULL */
};
extern const struct several_ways *several;

/* A load or a store by the processor that runs this. */
void several_access(vaddr_t va, bool write);
/* One of the calls that take a page away, give another, or look, by number. */
#define SEVERAL_CALLS 10
void several_call(unsigned what, vaddr_t va);

#endif
