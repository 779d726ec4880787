/*
 * Division of 64-bit numbers, which the compiler calls by these names: libgcc's take their
 * arguments on the stack, the kernel passes them in registers.
 */
#include "libc/div64.h"

struct pair {
    uint32_t low, high;
};

union wide {
    uint64_t v;
    struct pair part;
};

/* Hidden: in a host test they must not take the place of those that a library's own calls mean. */
#define OURS __attribute__((visibility("hidden")))

OURS uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rest);
OURS uint64_t __udivdi3(uint64_t n, uint64_t d);
OURS uint64_t __umoddi3(uint64_t n, uint64_t d);
OURS int64_t __divdi3(int64_t n, int64_t d);
OURS int64_t __moddi3(int64_t n, int64_t d);

/* high:low by d, where high < d: a quotient of 32 bits. */
static inline uint32_t divide_step(uint32_t high, uint32_t low, uint32_t d, uint32_t *rest)
{
    return divide_narrow((uint64_t)high << 32 | low, d, rest);
}

static inline uint64_t divide_by_word(union wide n, uint32_t d, uint64_t *rest)
{
    uint32_t left = n.part.high;
    union wide quotient = {0};

    if (n.part.high >= d)
        quotient.part.high = divide_step(0, n.part.high, d, &left);
    quotient.part.low = divide_step(left, n.part.low, d, &left);
    *rest = left;
    return quotient.v;
}

/* d has more than 32 bits: the quotient of the leading parts is right, or one too much. */
static uint64_t divide_by_long(union wide n, union wide d, uint64_t *rest)
{
    const int shift = __builtin_clz(d.part.high);
    const uint32_t leading = (uint32_t)(d.v << shift >> 32);
    const union wide half = {.v = n.v >> 1};
    uint32_t ignored;
    uint64_t quotient = divide_step(half.part.high, half.part.low, leading, &ignored);

    quotient = quotient << shift >> 31;
    if (quotient)
        quotient--;
    *rest = n.v - quotient * d.v;
    if (*rest >= d.v) {
        quotient++;
        *rest -= d.v;
    }
    return quotient;
}

static inline uint64_t divide(uint64_t n, uint64_t d, uint64_t *rest)
{
    const union wide dividend = {.v = n}, divisor = {.v = d};

    return divisor.part.high ? divide_by_long(dividend, divisor, rest)
                             : divide_by_word(dividend, divisor.part.low, rest);
}

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *rest)
{
    return divide(n, d, rest);
}

uint64_t __udivdi3(uint64_t n, uint64_t d)
{
    uint64_t rest;

    return divide(n, d, &rest);
}

uint64_t __umoddi3(uint64_t n, uint64_t d)
{
    uint64_t rest;

    (void)divide(n, d, &rest);
    return rest;
}

static inline uint64_t magnitude(int64_t v)
{
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

int64_t __divdi3(int64_t n, int64_t d)
{
    uint64_t rest, quotient = divide(magnitude(n), magnitude(d), &rest);

    return (int64_t)((n < 0) != (d < 0) ? -quotient : quotient);
}

int64_t __moddi3(int64_t n, int64_t d)
{
    uint64_t rest;

    (void)divide(magnitude(n), magnitude(d), &rest);
    return (int64_t)(n < 0 ? -rest : rest);
}
