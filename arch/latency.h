/*
 * The longest stretches that the kernel kept to itself, and where: with the boot option `latency`.
 * Read and reset through /proc/latency.
 *
 * Spin locks and marked points pay nothing for it: where one turns interrupts off or on, or passes
 * a marked point, stands a *site*, an instruction of one byte that the option replaces by a
 * breakpoint (arch/i386/platform/latency.c). Rarer places ask latency_on.
 */
#ifndef ARCH_LATENCY_H
#define ARCH_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

struct latency {
    uint64_t cycles; /* instructions, where QEMU counts them (-icount) */
    uintptr_t from, to;
};

enum latency_kind {
    LATENCY_IRQ_OFF,   /* interrupts were off: under a spin lock, or in a handler */
    LATENCY_NO_SWITCH, /* in the kernel, without a point where another thread could have run */
    LATENCY_KINDS
};

extern bool latency_on; /* set once, at boot */

void latency_begin_at(enum latency_kind kind, uintptr_t at);
void latency_end_at(enum latency_kind kind, uintptr_t at);
void latency_discount(uint32_t cycles); /* the recorder's own time is nobody's */
void latency_get(enum latency_kind kind, struct latency *out);
void latency_reset(void);

/* Nothing if a stretch is under way. */
static inline __attribute__((always_inline)) void latency_begin(enum latency_kind kind)
{
    if (__builtin_expect(latency_on, 0))
        latency_begin_at(kind, (uintptr_t)__builtin_return_address(0));
}

/* Nothing if none is. */
static inline __attribute__((always_inline)) void latency_end(enum latency_kind kind)
{
    if (__builtin_expect(latency_on, 0))
        latency_end_at(kind, (uintptr_t)__builtin_return_address(0));
}

#endif
