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
#include "kernel/sched.h"
#include "kernel/time.h"

#define PIT_HZ      1193182u
#define PIT_DATA    0x40
#define PIT_CONTROL 0x43
#define PIT_PERIOD  ((PIT_HZ + HZ / 2) / HZ)
#define TICK_NS     ((uint64_t)PIT_PERIOD * NSEC_PER_SEC / PIT_HZ)
#define MULT_SHIFT  24
#define WINDOW_MAX  1024u /* ticks between samples in the end */
#define NOISE_PART  128   /* a sample may take this part of the time since the last one */
#define REFUSALS    8
#define CLOCK_IRQ   0

static struct spinlock pit_lock = SPINLOCK_INIT("pit", LOCK_RANK_LEAF + 10);

/* Written at ticks only; seq is odd meanwhile and readers try again. */
static volatile uint32_t seq;
static uint64_t base_ns, base_tsc;
static uint32_t mult; /* ns in a TSC cycle << MULT_SHIFT; 0: not known (yet) */
static uint64_t ticks;
static uint64_t lost_ns;     /* of ticks that were lost before the rate was */
static uint64_t pit_last_ns; /* [pit_lock] the latest time that the PIT alone gave */

/* A moment by both clocks. */
struct sample {
    uint64_t tsc;
    uint32_t phase; /* of the PIT */
    bool valid;
};

/* What has been learnt; at ticks only. */
static struct {
    struct sample last;
    uint32_t mult;    /* as the last two samples gave it */
    uint32_t window;  /* ticks from one sample to the next */
    uint32_t ticks;   /* since the last one */
    uint32_t refused; /* samples in a row that do not fit the rate in use */
} learn = {.window = 1};

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

/* The time by the ticks that were counted: never too much. */
static uint64_t tick_ns(void)
{
    return ticks * TICK_NS + lost_ns;
}

static uint64_t pit_mono_ns(void)
{
    uint64_t ns;

    spin_lock(&pit_lock);
    ns = tick_ns() + pit_to_ns(pit_phase());
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

/* False when something (a hypervisor) came in between the two clocks. */
static bool take_sample(struct sample *s)
{
    uint64_t after;

    s->tsc = cpu_cycles();
    s->phase = pit_phase();
    after = cpu_cycles();
    return !learn.last.valid || after - s->tsc < (s->tsc - learn.last.tsc) / NOISE_PART;
}

/* PIT clocks between the last sample and s: the difference in phase, and the number of whole
 * periods that comes nearest to what the rate in use says; without one, a single period. */
static uint64_t clocks_since_last(const struct sample *s)
{
    int32_t phases = (int32_t)(s->phase - learn.last.phase);
    uint64_t expected, periods = 1;

    if (mult) {
        expected = cycles_to_ns(s->tsc - learn.last.tsc, mult) * (PIT_HZ / 1000) / 1000000;
        periods = (expected - (uint64_t)(int64_t)phases + PIT_PERIOD / 2) / PIT_PERIOD;
    }
    return periods * PIT_PERIOD + (uint64_t)(int64_t)phases;
}

static bool rates_agree(uint32_t a, uint32_t b)
{
    uint32_t d = a > b ? a - b : b - a;

    return d < a / 64;
}

/* A rate that does not fit: once is noise, many times means that the TSC changed its pace. */
static uint32_t refuse_rate(void)
{
    learn.window = 1;
    return ++learn.refused < REFUSALS ? mult : 0;
}

/* The rate to use from now on, 0 for none: as it is, but for once in a window. */
static uint32_t learn_rate(void)
{
    struct sample s = {.valid = true};
    uint32_t m, before = mult ? mult : learn.mult;

    if (++learn.ticks < learn.window || !take_sample(&s))
        return mult;
    if (!learn.last.valid) {
        learn.last = s;
        learn.ticks = 0;
        return 0;
    }
    m = (uint32_t)((pit_to_ns(clocks_since_last(&s)) << MULT_SHIFT) / (s.tsc - learn.last.tsc));
    learn.last = s;
    learn.mult = m;
    learn.ticks = 0;
    if (!m || !rates_agree(m, before))
        return refuse_rate();
    learn.refused = 0;
    if (learn.window < WINDOW_MAX)
        learn.window *= 2;
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

    (void)arg;
    spin_lock(&pit_lock);
    ticks++;
    now = mult ? base_ns + cycles_to_ns(tsc - base_tsc, mult) : pit_last_ns;
    if (now < tick_ns())
        now = tick_ns();
    pit_last_ns = now;
    if (cpu_has_tsc)
        rebase(now, tsc, learn_rate());
    if (!mult)
        lost_ns += now - tick_ns();
    spin_unlock(&pit_lock);
    timer_interrupt();
    sched_tick();
}

void clock_init(void)
{
    outb(PIT_CONTROL, 0x34); /* counter 0, both bytes, mode 2 */
    outb(PIT_DATA, PIT_PERIOD & 0xff);
    outb(PIT_DATA, PIT_PERIOD >> 8);
    irq_register(CLOCK_IRQ, clock_tick, NULL);
}
