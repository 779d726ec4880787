/*
 * How long threads waited for memory: what /proc/pressure/memory shows.
 */
#ifndef KERNEL_STALL_H
#define KERNEL_STALL_H

#include <stdbool.h>
#include <stdint.h>

#define STALL_SHIFT 11 /* averages are fixed point: 1 % is 1 << STALL_SHIFT */

/* The running thread waits for memory from now on, or does so no longer: mm/port.h. */
void stall_memory(bool begins);
/* Each tick, with interrupts off: whether it found the CPU idle. */
void stall_tick(bool idle);

enum stall_kind { STALL_SOME, STALL_FULL, STALL_KINDS };
struct stall_figures {
    uint32_t average[3]; /* of the last 10, 60 and 300 seconds */
    uint64_t total_ns;
};
void stall_figures(struct stall_figures out[STALL_KINDS]);

#endif
