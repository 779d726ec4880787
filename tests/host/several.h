/*
 * What several processors do at once to spaces: programs access them, with faults that go without
 * the kernel lock where they can, and call what changes them. A processor is in the stage's space
 * (stage.h), with others, or in one of its own. How they take turns, and what the kernel lock is,
 * the test says.
 */
#ifndef TESTS_HOST_SEVERAL_H
#define TESTS_HOST_SEVERAL_H

#include "arch/host/machine.h"
#include "mm/mm.h"

struct several_ways {
    void (*user_mode)(void);             /* before each access: interrupts come through */
    void (*enter)(void), (*leave)(void); /* the kernel lock; leave: if this processor has it */
    void (*called)(void);                /* at the end of a call, before it leaves; or NULL */
};
extern const struct several_ways *several;
extern struct vm_space *several_in[HOST_CPUS]; /* where each processor is; NULL: nowhere */

/* The processor that runs this goes where: the one it was in dies, if it was its own. */
enum several_where {
    IN_STAGE,
    IN_CHILD, /* of the stage's */
    IN_KIN,   /* the same, but that it has its own page tables */
    IN_OTHER, /* no relative */
    NOWHERE
};
void several_go(enum several_where where, unsigned pages);

/* A load or a store by the processor that runs this. */
void several_access(vaddr_t va, bool write);
/* One of the calls that take a page away, give another, or look, by number. */
#define SEVERAL_CALLS   11
#define SEVERAL_LOOK    9
#define SEVERAL_RECLAIM 10
void several_call(unsigned what, vaddr_t va);
/* One of those that begin without the kernel lock, by number. */
#define SEVERAL_BESIDE 5
void several_call_beside(unsigned what, vaddr_t va);

#endif
