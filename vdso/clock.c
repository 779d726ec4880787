/*
 * The clocks in user mode, from the page that the kernel keeps right (arch/clock_page.h). What the
 * page cannot tell (another clock, a machine whose TSC is of no use) becomes a system call.
 *
 * man 7 vdso, man 2 clock_gettime. Errors are returned as -errno, as by the kernel. A pointer that
 * is wrong faults in the program.
 */
#include "arch/clock_page.h"
#include "libc/errno.h"
#include "libc/units.h"
#include <stdbool.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

/* Before the image, in memory as in vdso.ld. Not const: the compiler would read it once. */
extern struct clock_page clock_page __attribute__((visibility("hidden")));

enum { /* man 2 clock_gettime */
       REALTIME,
       MONOTONIC,
       PROCESS_CPUTIME,
       THREAD_CPUTIME,
       MONOTONIC_RAW,
       REALTIME_COARSE,
       MONOTONIC_COARSE,
       BOOTTIME,
       TAI = 11,
};
#define REAL_CLOCKS (1u << REALTIME | 1u << REALTIME_COARSE | 1u << TAI)
#define MONO_CLOCKS                                                                                \
    (1u << MONOTONIC | 1u << MONOTONIC_RAW | 1u << MONOTONIC_COARSE | 1u << BOOTTIME)
#define COARSE_CLOCKS (1u << REALTIME_COARSE | 1u << MONOTONIC_COARSE)

enum { NR_time = 13, NR_gettimeofday = 78, NR_clock_gettime = 265, NR_clock_getres = 266 };
enum { NR_clock_gettime64 = 403 };

struct timespec32 {
    int32_t sec, nsec;
};

struct timespec64 {
    int64_t sec;
    int32_t nsec, unused;
};

struct timeval32 {
    int32_t sec, usec;
};

static long call(long number, uint32_t a, void *b)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "0"(number), "b"(a), "c"(b) : "memory");
    return ret;
}

static inline uint64_t cycles(void)
{
    uint64_t t;

    __asm__ volatile("rdtsc" : "=A"(t));
    return t;
}

static inline bool is_one_of(uint32_t id, uint32_t clocks)
{
    return id < 32 && (clocks >> id & 1);
}

/* Nanoseconds from the page's moment on, or as much as DELTA_MAX and more when they are too many to
 * reckon with: the tick has been asleep for long, or is late. */
#define DELTA_MAX (1u << 30)

static inline uint32_t delta_ns(const struct clock_page *p)
{
    uint64_t delta = cycles() - p->base_tsc, product;

    if (delta >> 32)
        return DELTA_MAX;
    product = (uint64_t)(uint32_t)delta * p->mult;
    if (product >> 32 >= DELTA_MAX >> (32 - CLOCK_MULT_SHIFT))
        return DELTA_MAX;
    return (uint32_t)(product >> CLOCK_MULT_SHIFT);
}

/* False: the kernel has to be asked. */
static inline __attribute__((always_inline)) bool read_clock(uint32_t id, struct clock_moment *now)
{
    const struct clock_page *p = &clock_page;
    const struct clock_moment *base = is_one_of(id, REAL_CLOCKS) ? &p->real : &p->mono;
    uint32_t seq, delta;

    if (!is_one_of(id, REAL_CLOCKS | MONO_CLOCKS))
        return false;
    do {
        seq = p->seq;
        clock_page_fence();
        delta = delta_ns(p);
        *now = *base;
        if (!p->mult || delta >= DELTA_MAX)
            return false;
        clock_page_fence();
    } while ((seq & 1) || seq != p->seq);
    for (now->nsec += delta; now->nsec >= NSEC_PER_SEC; now->nsec -= (uint32_t)NSEC_PER_SEC)
        now->sec++;
    return true;
}

EXPORT long __vdso_clock_gettime(uint32_t id, struct timespec32 *ts)
{
    struct clock_moment now;

    if (!read_clock(id, &now))
        return call(NR_clock_gettime, id, ts);
    ts->sec = (int32_t)now.sec;
    ts->nsec = (int32_t)now.nsec;
    return 0;
}

EXPORT long __vdso_clock_gettime64(uint32_t id, struct timespec64 *ts)
{
    struct clock_moment now;

    if (!read_clock(id, &now))
        return call(NR_clock_gettime64, id, ts);
    ts->sec = (int64_t)now.sec;
    ts->nsec = (int32_t)now.nsec;
    ts->unused = 0;
    return 0;
}

EXPORT long __vdso_clock_getres(uint32_t id, struct timespec32 *ts)
{
    if (!is_one_of(id, REAL_CLOCKS | MONO_CLOCKS))
        return call(NR_clock_getres, id, ts);
    if (!ts)
        return 0;
    ts->sec = 0;
    ts->nsec = is_one_of(id, COARSE_CLOCKS) ? (int32_t)clock_page.coarse_step : 1;
    return 0;
}

EXPORT long __vdso_gettimeofday(struct timeval32 *tv, uint32_t *zone)
{
    struct clock_moment now;

    if (tv) {
        if (!read_clock(REALTIME, &now))
            return call(NR_gettimeofday, (uint32_t)tv, zone);
        tv->sec = (int32_t)now.sec;
        tv->usec = (int32_t)(now.nsec / NSEC_PER_USEC);
    }
    if (zone) {
        zone[0] = clock_page.timezone[0];
        zone[1] = clock_page.timezone[1];
    }
    return 0;
}

EXPORT long __vdso_time(int32_t *out)
{
    struct clock_moment now;
    int32_t sec;

    if (!read_clock(REALTIME, &now))
        return call(NR_time, (uint32_t)out, NULL);
    sec = (int32_t)now.sec;
    if (out)
        *out = sec;
    return sec;
}
