/*
 * What the tests share in which many threads and processes do the same things at once, and every
 * answer has to be one that some order of the calls allows.
 */
#ifndef HAMMER_H
#define HAMMER_H

#include <pthread.h>
#include "guest.h"

#define LINES_MOST 5 /* of what was wrong, that are told */

static uint32_t wrong; /* atomic: how much was, since the last show_wrong() */
static volatile int over;

__attribute__((unused)) static void is_wrong(int line)
{
    if (__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED) < LINES_MOST)
        printf("line %d: %s\n", line, error_name(errno));
}
#define MUST(cond) ((cond) ? (void)0 : is_wrong(__LINE__))

static void show_wrong(const char *what)
{
    printf("%s: %u wrong\n", what, (unsigned)wrong);
    wrong = 0;
}

static uint32_t rnd(uint32_t *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void *number(unsigned n)
{
    return (void *)(uintptr_t)n;
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
    pthread_t t;

    DIE_UNLESS(pthread_create(&t, NULL, fn, arg) == 0);
    return t;
}

#endif
