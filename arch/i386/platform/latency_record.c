/*
 * How long the kernel kept interrupts, or the CPU, to itself: see arch/latency.h. One record a
 * kind; the CPU counts by its time stamp, less what the recorder itself took. Interrupts are off
 * wherever a record is written, or it is the running thread's own.
 */
#include "arch/latency.h"
#include "arch/cpu.h"

bool latency_on;

static struct latency longest[LATENCY_KINDS];
static uint64_t began[LATENCY_KINDS]; /* 0: no stretch is under way */
static uintptr_t began_at[LATENCY_KINDS];
static uint64_t discounted;

static uint64_t now(void)
{
    return cpu_cycles() - discounted;
}

void latency_discount(uint32_t cycles)
{
    discounted += cycles;
}

void latency_begin_at(enum latency_kind kind, uintptr_t at)
{
    if (began[kind])
        return;
    began_at[kind] = at;
    began[kind] = now();
}

void latency_end_at(enum latency_kind kind, uintptr_t at)
{
    int64_t cycles = (int64_t)(now() - began[kind]); /* below 0 by an error in the discount */

    if (!began[kind])
        return;
    began[kind] = 0;
    if (cycles > (int64_t)longest[kind].cycles)
        longest[kind] = (struct latency){(uint64_t)cycles, began_at[kind], at};
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
