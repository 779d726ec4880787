/* A division of 64 bits by 32 whose quotient has no more than 32: one instruction, not a call. */
#ifndef LIBC_DIV64_H
#define LIBC_DIV64_H

#include <stdint.h>

/* The upper half of n must be less than d. */
static inline uint32_t divide_narrow(uint64_t n, uint32_t d, uint32_t *rest)
{
#ifdef __i386__
    uint32_t quotient;

    __asm__("divl %4"
            : "=a"(quotient), "=d"(*rest)
            : "0"((uint32_t)n), "1"((uint32_t)(n >> 32)), "rm"(d)
            : "cc");
    return quotient;
#else
    *rest = (uint32_t)(n % d);
    return (uint32_t)(n / d);
#endif
}

#endif
