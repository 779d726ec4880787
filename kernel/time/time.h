/*
 * Clocks and timers. Time is nanoseconds.
 */
#ifndef KERNEL_TIME_H
#define KERNEL_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/thread.h"
#include "libc/list.h"
#include "libc/units.h"
#include "arch/user.h"

#define NSEC_PER_TICK (NSEC_PER_SEC / HZ)
#define TIME_NEVER    UINT64_MAX /* as a deadline: none */

void time_init(void);
struct clock_page;
void time_publish(struct clock_page *page);
/* keeps it right from now on */    /* once at boot, when clock_init is done: reads the RTC */
uint64_t time_mono_ns(void);        /* since boot, never steps back */
uint64_t time_real_ns(void);        /* since 1970 */
uint64_t time_real_coarse_ns(void); /* the same at the last tick */
void time_set_real_ns(uint64_t ns); /* may sleep, but at boot; wall timers and watches follow */
/* The same for a program, which cannot have the machine started before 1970: -EINVAL. What was
 * known of the clock's errors is no longer true: adjtimex.c. */
int time_set(uint64_t ns);

/* Is told when the wall clock has been set; without a lock but the one of the list. */
struct clock_watch {
    struct list link;                   /* [clock_watch_lock] not linked: not told */
    void (*set)(struct clock_watch *w); /* must not sleep */
    uint32_t settings;                  /* [clock_watch_lock] what it was told of last */
};
void clock_watch(struct clock_watch *w, bool on);
uint32_t time_real_sec(void); /* at the last tick */

/* ---- Linux's structures ---- */

struct timespec32 {
    int32_t sec, nsec;
};
struct timespec64 {
    int64_t sec;
    int32_t nsec, pad; /* the upper half of tv_nsec is ignored and written as 0 */
};
struct timeval32 {
    int32_t sec, usec;
};

/* To and from user memory, as struct timespec32 or (wide) timespec64. get: -EFAULT, or -EINVAL when
 * it is negative or tv_nsec is not below a second; too large a time becomes the largest. */
int timespec_get(uint64_t *ns, const void __user *uptr, bool wide);
int timespec_put(void __user *uptr, uint64_t ns, bool wide);

/* time_mono_ns() + ns, or TIME_NEVER where that is out of range. */
uint64_t time_deadline(uint64_t ns);
/* Of a timeout of so many milliseconds; below 0: never. 0: at once, which is 0. */
static inline uint64_t time_deadline_ms(int32_t ms)
{
    if (ms < 0)
        return TIME_NEVER;
    return ms ? time_deadline((uint32_t)ms * (uint64_t)NSEC_PER_MSEC) : 0;
}

/* ---- Timers ---- */

struct timer {                  /* a node of a pairing heap in kernel/time/timer.c */
    struct timer *child, *next; /* [timer_lock] */
    struct timer *prev;         /* [timer_lock] left sibling, or parent of a first child */
    struct timer **heap;   /* [timer_lock] the heap it is in: the machine's, or a CPU clock's */
    bool armed;            /* [timer_lock] */
    bool wall;             /* its time is one of the wall clock: moves when that is set */
    uint32_t settings;     /* [timer_lock] of a wall timer: how often the clock had been set */
    struct list wall_link; /* [timer_lock] the armed wall timers */
    uint64_t lag;  /* a wall timer's: how long before the zero of time_mono_ns() it was due */
    uint64_t when; /* when it fires, by time_mono_ns() or by its CPU clock */
    void (*fn)(void *arg); /* from the timer interrupt, no lock held: must not sleep */
    void *arg;
};
void timer_init(struct timer *t, void (*fn)(void *), void *arg);
/* Starts at a time of the wall clock, and follows that when it is set. */
void timer_start_wall(struct timer *t, uint64_t real_ns);
/* In the heap of a CPU clock, at that clock's time. */
void timer_start_in(struct timer **heap, struct timer *t, uint64_t when);
/* Fires what is due on a clock, but so many at most: whether there are more. Interrupts are off. */
bool timers_run(struct timer **heap, uint64_t now);
/* So many timers may soon be armed: enough for a thread that fires those more? May sleep. */
void timers_expect(uint32_t n);
void timers_drop(struct timer **heap); /* the clock has gone: none of its timers is armed */
/* Sets the wall clock by set(real_ns); wall timers follow. One at a time. */
void timers_clock_set(void (*set)(uint64_t real_ns), uint64_t real_ns);
void timer_start(struct timer *t, uint64_t when); /* re-arms when it is running; fn may do so */
bool timer_cancel(struct timer *t);     /* true if it had not fired; fn is not running afterwards */
void timer_init_waker(struct timer *t); /* one that wakes the thread that calls this */
/* Sleeps until such a timer, which was started, expires: 0, or -EINTR after a signal. */
int timer_await(struct timer *t);

/* From *when, which has passed, to the first period after it that is still to come; returns how
 * many were skipped. */
uint32_t timer_next_period(uint64_t *when, uint64_t period, uint64_t now);
/* When a periodic timer that fired, or was never late, is due next after now; *skipped as above. */
uint64_t timer_due_next(const struct timer *t, uint64_t period, uint64_t now, uint32_t *skipped);
/* The same for a timer that fired, which starts again. For whoever takes what an expiry left, never
 * for what expires: a short period costs nobody anything until its owner has paid for the last. */
uint32_t timer_forward(struct timer *t, uint64_t period);

/* clock_idle() until the first timer is due. */
uint32_t timer_idle(void);

/* As schedule(), for a thread whose state is set already; woken at the latest at when. Unless that
 * is TIME_NEVER it is with the kernel lock, which is best taken before the state is set. */
void schedule_until(uint64_t when);

/* Sleeps until then or a signal: 0 or -EINTR. */
int sleep_until(uint64_t when);
int sleep_until_wall(uint64_t real_ns); /* by the wall clock, which may be set meanwhile */

#endif
