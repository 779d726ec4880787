/*
 * What programs read the clock from without a system call: a page that the kernel writes and every
 * program may read (vdso/clock.c). The time is that of its last writing and the cycles since; seq
 * is odd while it changes: a reader then tries again.
 */
#ifndef ARCH_CLOCK_PAGE_H
#define ARCH_CLOCK_PAGE_H

#include <stdint.h>

#define CLOCK_MULT_SHIFT 24

struct clock_moment {
    uint32_t sec, nsec;
};

enum { CLOCK_PAGE_REAL, CLOCK_PAGE_MONO }; /* as programs number these clocks */

struct clock_page {
    volatile uint32_t seq;
    uint32_t mult; /* ns in a TSC cycle << CLOCK_MULT_SHIFT; 0: no time by the TSC, or one after the
                      year 2106 */
    uint64_t base_tsc;
    struct clock_moment moment[2]; /* at base_tsc: CLOCK_PAGE_* */
    uint32_t coarse_step;          /* ns: resolution of the coarse clocks */
    uint32_t timezone[2];          /* minutes west, dst: each by itself */
};

/* Not to be moved into or out of what stands between two of them. */
static inline void clock_page_fence(void)
{
    __asm__ volatile("" : : : "memory");
}

#endif
