/*
 * The clocks in user mode, from the page that the kernel keeps right
 * (arch/clock_page.h). What the page cannot tell (another clock, a machine
 * whose TSC is of no use) becomes a system call.
 *
 * man 7 vdso, man 2 clock_gettime. Errors are returned as -errno, as by the
 * kernel. A pointer that is wrong faults in the program.
 */
#include "arch/clock_page.h"
#include "libc/errno.h"
#include "libc/units.h"
#include <stdbool.h>
#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

/* Before the image, in memory as in vdso.ld. Not const: the compiler would read
 * it once. */
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

/* The lower word of the cycles since then; true: they have no more than that.
 */
static inline bool cycles_since(const uint64_t *then, uint32_t *cycles)
{
    const uint32_t *word = (const uint32_t *)then;
    uint32_t high;

    __asm__ volatile("rdtsc\n\tsubl %2, %0\n\tsbbl %3, %1"
                     : "=&a"(*cycles), "=&d"(high)
                     : "m"(word[0]), "m"(word[1])
                     : "cc");
    return high == 0;
}

/* high:low of the product, without the lower CLOCK_MULT_SHIFT bits; high is to
 * fit. */
static inline uint32_t scale(uint32_t cycles, uint32_t mult, uint32_t *high)
{
    uint32_t low;

    __asm__("mull %3\n\tshrdl %4, %1, %0"
            : "=a"(low), "=d"(*high)
            : "0"(cycles), "rm"(mult), "i"(CLOCK_MULT_SHIFT)
            : "cc");
    return low;
}

static inline bool is_one_of(uint32_t id, uint32_t clocks)
{
    return id < 32 && (clocks >> id & 1);
}

/* More nanoseconds than these since the page's moment are not reckoned with:
 * the tick sleeps, or is late, and the kernel is asked. */
#define DELTA_MAX (1u << 30)

/* Its address in one register, by fewer instructions than the compiler's way to it. */
static inline const struct clock_page *find_page(void)
{
    const struct clock_page *p;

    __asm__("call 1f\n"
            "1:\t.cfi_adjust_cfa_offset 4\n\tpopl %0\n\t.cfi_adjust_cfa_offset -4\n\t"
            "addl $clock_page - 1b, %0"
            : "=r"(p)
            :
            : "cc");
    return p;
}

/* Whether seq is another now; compared where it is. */
static inline bool seq_differs(const struct clock_page *p, uint32_t seq)
{
    bool differs;

    __asm__ volatile("cmpl %1, %2" : "=@ccne"(differs) : "m"(p->seq), "r"(seq) : "memory");
    return differs;
}

/* False: the kernel has to be asked. REALTIME or MONOTONIC. Written for few
 * instructions: programs read the clock often. */
static inline __attribute__((always_inline)) bool read_clock(uint32_t id, struct clock_moment *now)
{
    const struct clock_page *p = find_page();
    const struct clock_moment *base = &p->moment[id];
    uint32_t seq, mult, delta, high;

    do {
        seq = p->seq & ~1u; /* an odd one is not what it will be */
        clock_page_fence();
        mult = p->mult;
        if (!mult || !cycles_since(&p->base_tsc, &delta))
            return false;
        delta = scale(delta, mult, &high);
        if (high >= DELTA_MAX >> (32 - CLOCK_MULT_SHIFT))
            return false;
        now->sec = base->sec;
        now->nsec = base->nsec + delta;
        clock_page_fence();
    } while (__builtin_expect(seq_differs(p, seq), 0));
    while (__builtin_expect(now->nsec >= NSEC_PER_SEC, 0)) {
        now->nsec -= (uint32_t)NSEC_PER_SEC;
        now->sec++;
    }
    return true;
}

/* As it was at the last tick, which files are stamped with too. */
static bool read_coarse(struct clock_moment *now)
{
    const struct clock_page *p = find_page();
    uint32_t seq, mult;

    do {
        seq = p->seq & ~1u;
        clock_page_fence();
        mult = p->mult;
        *now = p->moment[CLOCK_PAGE_REAL];
        clock_page_fence();
    } while (seq != p->seq);
    return mult != 0;
}

static bool read_rare_clock(uint32_t id, struct clock_moment *now)
{
    if (id == REALTIME_COARSE)
        return read_coarse(now);
    if (!is_one_of(id, REAL_CLOCKS | MONO_CLOCKS))
        return false;
    return read_clock(is_one_of(id, REAL_CLOCKS) ? REALTIME : MONOTONIC, now);
}

static __attribute__((noinline)) long rare_gettime(uint32_t id, struct timespec32 *ts)
{
    struct clock_moment now;

    if (!read_rare_clock(id, &now))
        return call(NR_clock_gettime, id, ts);
    *ts = (struct timespec32){.sec = (int32_t)now.sec, .nsec = (int32_t)now.nsec};
    return 0;
}

static __attribute__((noinline)) long rare_gettime64(uint32_t id, struct timespec64 *ts)
{
    struct clock_moment now;

    if (!read_rare_clock(id, &now))
        return call(NR_clock_gettime64, id, ts);
    *ts = (struct timespec64){.sec = now.sec, .nsec = (int32_t)now.nsec};
    return 0;
}

EXPORT long __vdso_clock_gettime(uint32_t id, struct timespec32 *ts)
{
    struct clock_moment now;

    __asm__("" : "+m"(id), "+m"(ts)); /* they stay on the stack: registers are few */
    if (id > MONOTONIC)
        return rare_gettime(id, ts);
    if (!read_clock(id, &now))
        return call(NR_clock_gettime, id, ts);
    ts->sec = (int32_t)now.sec;
    ts->nsec = (int32_t)now.nsec;
    return 0;
}

EXPORT long __vdso_clock_gettime64(uint32_t id, struct timespec64 *ts)
{
    struct clock_moment now;

    __asm__("" : "+m"(id), "+m"(ts));
    if (id > MONOTONIC)
        return rare_gettime64(id, ts);
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

    if (!read_coarse(&now))
        return call(NR_time, (uint32_t)out, NULL);
    sec = (int32_t)now.sec;
    if (out)
        *out = sec;
    return sec;
}
