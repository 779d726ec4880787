/*
 * Small objects that faults and forks need at every turn: some are kept at hand when they are given
 * back, linked through their first word, so that the next costs no kmalloc. All under vm_lock.
 */
#ifndef MM_POOL_H
#define MM_POOL_H

#include "mm/memory.h"

enum pool_name { POOL_ANON, POOL_LINK, POOL_AREA, POOLS };

extern struct pool {
    void *head;
    unsigned count;
} pools[POOLS]; /* [v] */

/* All of a pool have one size. NULL: no memory. */
static inline void *pool_take(enum pool_name n, size_t size)
{
    struct pool *p = &pools[n];
    void *object = p->head;

    if (!object)
        return kmalloc(size);
    p->head = *(void **)object;
    p->count--;
    return object;
}

/* most: so many are kept. */
static inline void pool_give(enum pool_name n, void *object, unsigned most)
{
    struct pool *p = &pools[n];

    if (p->count >= most) {
        kmfree(object);
        return;
    }
    *(void **)object = p->head;
    p->head = object;
    p->count++;
}

void pools_empty(void); /* gives back what is at hand [v] */

#endif
