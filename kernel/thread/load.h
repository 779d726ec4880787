/*
 * What the machine did with its time: counted by the tick, shown by /proc/stat and loadavg.
 */
#ifndef KERNEL_LOAD_H
#define KERNEL_LOAD_H

#include <stdint.h>

#define LOAD_SHIFT 11 /* averages are fixed point: 1.0 is 1 << LOAD_SHIFT */

enum cpu_use { CPU_USER, CPU_NICE, CPU_SYSTEM, CPU_IDLE, CPU_USES };

/* Each tick of each processor: what it interrupted. */
void load_tick(unsigned cpu, enum cpu_use use);
void load_times(uint64_t ticks[CPU_USES]); /* of all */
void load_times_of(unsigned cpu, uint64_t ticks[CPU_USES]);
/* Runnable threads over the last 1, 5 and 15 minutes. */
void load_average(uint32_t average[3]);

#endif
