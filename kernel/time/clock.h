/*
 * POSIX clocks by number, as the calls on clocks, sleeps and timers see them.
 */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_REALTIME           0
#define CLOCK_MONOTONIC          1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID  3
#define CLOCK_MONOTONIC_RAW      4
#define CLOCK_REALTIME_COARSE    5
#define CLOCK_MONOTONIC_COARSE   6
#define CLOCK_BOOTTIME           7
#define CLOCK_REALTIME_ALARM     8
#define CLOCK_BOOTTIME_ALARM     9
#define CLOCK_TAI                11

#define TIMER_ABSTIME 1

int clock_read(int32_t id, uint64_t *ns); /* 0 or -EINVAL */
/* Whether one can sleep on it or time with it: 0, -EINVAL (no such clock), -EOPNOTSUPP. */
int clock_can_wait(int32_t id);
/* A time of that clock as time_mono_ns() has it. */
uint64_t clock_to_mono(int32_t id, uint64_t ns);

#endif
