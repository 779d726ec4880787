/*
 * The clock: the PIT interrupts HZ times a second; between two ticks the time-stamp counter tells
 * the time.
 *
 * Nothing waits to calibrate. Samples (TSC, position inside the PIT's period) are taken at ticks
 * that lie further and further apart, and give the TSC's rate with growing precision; the position
 * tells how many whole periods lie between two samples even when ticks were lost. Until two samples
 * agree on a rate, and without a TSC, the time is that of the PIT.
 *
 * Invariants: the time never steps back, and never falls behind the ticks that were counted.
 */
#include "arch/i386/i386.h"
#include "arch/io.h"
#include "arch/lock.h"
#include "arch/thread.h"
#include "kernel/time.h"

#define PIT_HZ      1193182u
#define PIT_DATA    0x40
#define PIT_CONTROL 0x43
#define PIT_PERIOD  ((PIT_HZ + HZ / 2) / HZ)
#define TICK_NS     ((uint64_t)PIT_PERIOD * NSEC_PER_SEC / PIT_HZ)
#define MULT_SHIFT  24
#define WINDOW_MAX  1024u /* ticks between samples in the end */
#define CLOCK_IRQ   0

static struct spinlock pit_lock = SPINLOCK_INIT("pit", LOCK_RANK_LEAF + 10);

/* Written at ticks only; seq is odd meanwhile and readers try again. */
static volatile uint32_t seq;
static uint64_t base_ns, base_tsc;
static uint32_t mult; /* ns in a TSC cycle << MULT_SHIFT; 0: not known (yet) */
static uint64_t ticks;
static uint64_t pit_last_ns; /* [pit_lock] the latest time that the PIT alone gave */

/* At ticks only: the sample before, and what it gave. */
static uint64_t sample_tsc;
static uint32_t sample_phase, sample_mult;
static uint32_t window, window_ticks;

/* PIT clocks since it last reloaded. */
static uint32_t pit_phase(void)
{
    uint32_t count;

    outb(PIT_CONTROL, 0x00); /* latch counter 0 */
    count = inb(PIT_DATA);
    count |= (uint32_t)inb(PIT_DATA) << 8;
    return count <= PIT_PERIOD ? PIT_PERIOD - count : 0;
}

static uint64_t pit_to_ns(uint64_t clocks)
{
    return clocks * NSEC_PER_SEC / PIT_HZ;
}

static uint64_t cycles_to_ns(uint64_t cycles, uint32_t m)
{
    uint32_t low = (uint32_t)cycles, high = (uint32_t)(cycles >> 32);

    return ((uint64_t)low * m >> MULT_SHIFT) + ((uint64_t)high * m << (32 - MULT_SHIFT));
}

static uint64_t pit_mono_ns(void)
{
    uint64_t ns;

    spin_lock(&pit_lock);
    ns = ticks * TICK_NS + pit_to_ns(pit_phase());
    if (ns < pit_last_ns)
        ns = pit_last_ns;
    pit_last_ns = ns;
    spin_unlock(&pit_lock);
    return ns;
}

uint64_t clock_mono_ns(void)
{
    uint64_t ns;
    uint32_t s;

    if (!mult)
        return pit_mono_ns();
    do {
        s = seq;
        __asm__ volatile("" : : : "memory");
        ns = base_ns + cycles_to_ns(cpu_cycles() - base_tsc, mult);
        __asm__ volatile("" : : : "memory");
    } while ((s & 1) || s != seq);
    return ns;
}

uint32_t clock_tsc_khz(void)
{
    return mult ? (uint32_t)((1000000ull << MULT_SHIFT) / mult) : 0;
}

/* PIT clocks between two samples: the difference in phase and a number of whole periods, one when
 * nothing is known, else the one nearest to what the rate known so far says. */
static uint64_t clocks_between(uint64_t cycles, uint32_t phase)
{
    uint64_t expected, periods = 1;

    if (sample_mult) {
        expected = cycles_to_ns(cycles, sample_mult) * (PIT_HZ / 1000) / (NSEC_PER_SEC / 1000);
        periods = (expected + sample_phase - phase + PIT_PERIOD / 2) / PIT_PERIOD;
    }
    return periods * PIT_PERIOD + phase - sample_phase;
}

static bool rates_agree(uint32_t a, uint32_t b)
{
    uint32_t d = a > b ? a - b : b - a;

    return d < a / 64;
}

/* At most about once in a window: a new estimate of the rate; 0 when it is not to be changed. */
static uint32_t learn_rate(uint64_t tsc)
{
    uint32_t phase, m = 0, before = sample_mult;
    uint64_t clocks;

    if (++window_ticks < window)
        return 0;
    phase = pit_phase();
    if (window == 0) {
        window = 1;
    } else {
        clocks = mult ? clocks_between(tsc - sample_tsc, phase) : PIT_PERIOD + phase - sample_phase;
        m = (uint32_t)((pit_to_ns(clocks) << MULT_SHIFT) / (tsc - sample_tsc));
    }
    sample_tsc = tsc;
    sample_phase = phase;
    sample_mult = m;
    window_ticks = 0;
    if (!m || !rates_agree(m, before))
        return 0;
    if (window < WINDOW_MAX)
        window *= 2;
    return m;
}

/* Makes the clock go on from ns at tsc with rate m. */
static void rebase(uint64_t ns, uint64_t tsc, uint32_t m)
{
    seq++;
    __asm__ volatile("" : : : "memory");
    base_ns = ns;
    base_tsc = tsc;
    mult = m;
    __asm__ volatile("" : : : "memory");
    seq++;
}

static void clock_tick(void *arg)
{
    uint64_t tsc = cpu_cycles(), now;
    uint32_t m;

    (void)arg;
    spin_lock(&pit_lock);
    ticks++;
    now = mult ? base_ns + cycles_to_ns(tsc - base_tsc, mult) : pit_last_ns;
    if (now < ticks * TICK_NS)
        now = ticks * TICK_NS;
    m = cpu_has_tsc ? learn_rate(tsc) : 0;
    if (m || mult)
        rebase(now, tsc, m ? m : mult);
    spin_unlock(&pit_lock);
    timer_interrupt();
}

void clock_init(void)
{
    outb(PIT_CONTROL, 0x34); /* counter 0, both bytes, mode 2 */
    outb(PIT_DATA, PIT_PERIOD & 0xff);
    outb(PIT_DATA, PIT_PERIOD >> 8);
    irq_register(CLOCK_IRQ, clock_tick, NULL);
}
