/*
 * How long the kernel kept interrupts, or the CPU, to itself: see latency.h. One record a kind; the
 * CPU counts by its time stamp. Interrupts are off wherever a record is written, or it is the
 * running thread's own.
 */
#include "arch/latency.h"
#ifdef CONFIG_LATENCY
#include "arch/cpu.h"

static struct latency longest[LATENCY_KINDS];
static uint64_t began[LATENCY_KINDS]; /* 0: no stretch is under way */
static uintptr_t began_at[LATENCY_KINDS];

void latency_begin(enum latency_kind kind)
{
    if (began[kind])
        return;
    began_at[kind] = (uintptr_t)__builtin_return_address(0);
    began[kind] = cpu_cycles();
}

void latency_end(enum latency_kind kind)
{
    uint64_t cycles = cpu_cycles() - began[kind];

    if (!began[kind])
        return;
    began[kind] = 0;
    if (cycles <= longest[kind].cycles)
        return;
    longest[kind] =
        (struct latency){cycles, began_at[kind], (uintptr_t)__builtin_return_address(0)};
}

void latency_get(enum latency_kind kind, struct latency *out)
{
    *out = longest[kind];
}

void latency_reset(void)
{
    for (int i = 0; i < LATENCY_KINDS; i++)
        longest[i].cycles = 0;
}
#endif
