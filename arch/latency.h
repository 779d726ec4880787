/*
 * The longest stretches that the kernel kept to itself, and where: kernels built with LATENCY=1
 * only, since it costs at every lock. Read and reset through /proc/latency.
 */
#ifndef ARCH_LATENCY_H
#define ARCH_LATENCY_H

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

#ifdef CONFIG_LATENCY
void latency_begin(enum latency_kind kind); /* nothing if a stretch is under way */
void latency_end(enum latency_kind kind);   /* nothing if none is */
void latency_get(enum latency_kind kind, struct latency *out);
void latency_reset(void);
#else
static inline void latency_begin(enum latency_kind kind)
{
    (void)kind;
}

static inline void latency_end(enum latency_kind kind)
{
    (void)kind;
}
#endif

#endif
