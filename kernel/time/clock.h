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
/* Would wake a machine that sleeps, which none does here: for who may ask for that. */
static inline bool clock_is_alarm(int32_t id)
{
    return id == CLOCK_REALTIME_ALARM || id == CLOCK_BOOTTIME_ALARM;
}

/* Whether it is the wall clock, that can be set. */
static inline bool clock_is_wall(int32_t id)
{
    return id == CLOCK_REALTIME || id == CLOCK_REALTIME_ALARM || id == CLOCK_TAI;
}

/* ---- CPU clocks: the time that a process or a thread has run ---- */

struct proc;

/* Whose: a number that is checked when the clock is asked, for who is gone may not be mistaken. */
struct cpu_clock {
    int32_t id; /* pid or tid */
    bool thread;
    uint32_t serial; /* of the process */
};
bool clock_is_cpu(int32_t id);
/* [proc_lock taken inside] The clock that a number means for the current process: 0, -EINVAL or
 * -EOPNOTSUPP. A thread must be one of this process. */
int cpu_clock_find(int32_t id, struct cpu_clock *out);
int cpu_clock_now(const struct cpu_clock *c, uint64_t *ns); /* 0, or -ESRCH: it is gone */
/* Arms t for when that clock shows when: 0 or -ESRCH. */
struct timer;
int cpu_clock_start(const struct cpu_clock *c, struct timer *t, uint64_t when);
/* From the tick: what is due on the clocks of the current thread and its process. */
void cpu_clocks_tick(void);

/* The n-th timer of a process, for /proc: 0, or -ENOENT: it has no more. May sleep. */
struct posix_timer_info {
    int32_t id, clock, tid; /* tid: whose signal it is, or 0 */
    int signo;
    uint32_t value;
    const char *notify;
};
int posix_timer_info(int32_t pid, unsigned n, struct posix_timer_info *out);

#endif
