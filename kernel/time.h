/*
 * Clocks and timers. Time is nanoseconds.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include "libc/list.h"

#define HZ          100               /* timer interrupts a second; also USER_HZ */
#define NSEC_PER_SEC 1000000000ull

uint64_t time_mono_ns(void);          /* since boot, never steps back */
uint64_t time_real_ns(void);          /* since 1970 */
void time_set_real_ns(uint64_t ns);
uint32_t time_real_sec(void);

struct timer {
    struct list link;                 /* [timer lock] */
    uint64_t when;                    /* time_mono_ns() at which it fires */
    void (*fn)(void *arg);            /* from the timer interrupt: must not sleep */
    void *arg;
};
void timer_init(struct timer *t, void (*fn)(void *), void *arg);
void timer_start(struct timer *t, uint64_t when); /* re-arms when it is running */
bool timer_cancel(struct timer *t);   /* true if it had not fired */

/* Sleeps until then or a signal: 0 or -EINTR. */
int sleep_until(uint64_t when);

#endif
