/*
 * Small objects that faults and forks need at every turn: some are kept at hand when they are given
 * back, linked through their first word, so that the next costs no kmalloc. Each processor has its
 * own, for who has vm_lock or shares it there.
 */
#ifndef MM_PERCPU_POOL_H
#define MM_PERCPU_POOL_H

#include "arch/cpu.h"
#include "mm/memory.h"

enum pool_name { POOL_ANON, POOL_LINK, POOL_AREA, POOLS = CPU_POOLS };

/* All of a pool have one size. NULL: no memory. */
static inline void *pool_take(enum pool_name n, size_t size)
{
    void *object = CPU_LOCAL(pools[n].head);

    if (!object)
        return kmalloc(size);
    CPU_LOCAL(pools[n].head) = *(void **)object;
    CPU_LOCAL(pools[n].count)--;
    return object;
}

/* most: so many are kept. */
static inline void pool_give(enum pool_name n, void *object, unsigned most)
{
    if (CPU_LOCAL(pools[n].count) >= most) {
        kmfree(object);
        return;
    }
    /* Counted where it lies: loaded for both it costs two instructions more. */
    __asm__("" : "+m"(CPU_LOCAL(pools[n].count)));
    *(void **)object = CPU_LOCAL(pools[n].head);
    CPU_LOCAL(pools[n].head) = object;
    CPU_LOCAL(pools[n].count)++;
}

void pools_empty(void); /* gives back what is at hand, anywhere [v] */

#endif
