/*
 * The clock: the PIT (or what stands in for it, tick_source.c) interrupts HZ times a second, or
 * more often; in between the time-stamp counter tells the time. A timer that is due before the next
 * tick has the local APIC's timer set for it, on the processor that asked.
 *
 * Nothing waits to calibrate. Samples (TSC, position inside the PIT's period) are taken at ticks
 * that lie further and further apart, and give the TSC's rate with growing precision; the position
 * tells how many whole periods lie between two samples even when ticks were lost. Until two samples
 * agree on a rate, and without a TSC, the time is that of the PIT.
 *
 * An idle CPU needs no tick: where the local APIC's timer can wake it instead, the tick is masked
 * until something happens. That timer's rate is learnt in passing, like the TSC's. Here, ticks are
 * the interrupts of the source, of which tick.parts make one of HZ.
 *
 * Invariants: the time never steps back, and never falls behind the ticks that were counted.
 */
#include "arch/i386/platform/acpi.h"
#include "arch/i386/platform/apic.h"
#include "arch/i386/i386.h"
#include "arch/i386/platform/tick_source.h"
#include "arch/clock_page.h"
#include "arch/lock.h"
#include "arch/processors.h"
#include "arch/thread.h"
#include "arch/upcalls.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/units.h"

#define WINDOW_MAX 1024u /* ticks between samples in the end */
#define NOISE_PART 128   /* a sample may take this part of the time since the last one */
#define REFUSALS   8
#define IDLE_TICKS 2 /* an idle time that is not longer is not worth it */
#define ALARM_MAX  NSEC_PER_SEC
#define WATCH_NS   (NSEC_PER_SEC / HZ / 2) /* how long the APIC timer is watched, at least */
#define ALARM_MIN  10000u                  /* ns: its interrupts leave time for something else */
#define EARLY_PART 128                     /* by which a long wait is cut, for its rate's error */

static struct spinlock pit_lock = SPINLOCK_INIT("pit", LOCK_RANK_CLOCK);

/* Written at ticks only; seq is odd meanwhile and readers try again. */
static volatile uint32_t seq;
static uint64_t base_ns, base_tsc;
static uint32_t mult; /* ns in a TSC cycle << CLOCK_MULT_SHIFT; 0: not known (yet) */
static uint64_t ticks;
static uint64_t tick_length_ns;
static bool tickless;        /* an idle CPU may do without */
static uint64_t lost_ns;     /* of ticks that were lost before the rate was */
static uint64_t pit_last_ns; /* [pit_lock] the latest time that the PIT alone gave */
/* What programs read. */
static struct clock_page *published; /* [pit_lock] or NULL */
static uint64_t real_offset;         /* [pit_lock] from monotonic to real time */
/* What the kernel takes where a tick is good enough; seq as above. */
static struct {
    volatile uint32_t seq;
    struct clock_moment real; /* at base_ns */
} coarse;

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

static uint64_t pit_to_ns(uint64_t clocks)
{
    return clocks * NSEC_PER_SEC / tick.hz;
}

static uint64_t cycles_to_ns(uint64_t cycles, uint32_t m)
{
    uint32_t low = (uint32_t)cycles, high = (uint32_t)(cycles >> 32);
    uint64_t ns = (uint64_t)low * m >> CLOCK_MULT_SHIFT;

    /* More than a tick, or less than nothing: another processor wrote the base after this one had
     * read its counter. */
    if (__builtin_expect(high, 0))
        ns = (int32_t)high < 0 ? 0 : ns + ((uint64_t)high * m << (32 - CLOCK_MULT_SHIFT));
    return ns;
}

uint64_t clock_cycles_ns(uint64_t cycles)
{
    return cycles_to_ns(cycles, mult);
}

/* The time by the ticks that were counted: never too much. */
static uint64_t tick_ns(void)
{
    return ticks * tick_length_ns + lost_ns;
}

static uint64_t pit_mono_ns(void)
{
    uint64_t ns;

    spin_lock(&pit_lock);
    ns = tick_ns() + pit_to_ns(tick.phase());
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
    return mult ? (uint32_t)((1000000ull << CLOCK_MULT_SHIFT) / mult) : 0;
}

/* False when something (a hypervisor) came in between the two clocks. */
static bool take_sample(struct sample *s)
{
    uint64_t after;

    s->tsc = cpu_cycles();
    s->phase = tick.phase();
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
        expected = cycles_to_ns(s->tsc - learn.last.tsc, mult) * (tick.hz / 1000) / 1000000;
        periods = (expected - (uint64_t)(int64_t)phases + tick.period / 2) / tick.period;
    }
    return (uint64_t)periods * tick.period + (uint64_t)(int64_t)phases;
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
    m = (uint32_t)((pit_to_ns(clocks_since_last(&s)) << CLOCK_MULT_SHIFT) /
                   (s.tsc - learn.last.tsc));
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

/* False: after the year 2106. */
static bool put_moment(struct clock_moment *m, uint64_t ns)
{
    uint64_t sec = ns / NSEC_PER_SEC;

    m->sec = (uint32_t)sec;
    m->nsec = (uint32_t)(ns - sec * NSEC_PER_SEC);
    return !(sec >> 32);
}

struct clock_moment clock_real_coarse(void)
{
    struct clock_moment m;
    uint32_t s;

    do {
        s = coarse.seq & ~1u;
        clock_page_fence();
        m = coarse.real;
        clock_page_fence();
    } while (__builtin_expect(s != coarse.seq, 0));
    return m;
}

/* Tells whoever reads the time of the last tick, and the programs. None is kept out by a lock: one
 * that was interrupted in the middle of reading finds seq changed. [pit_lock] */
static void publish(void)
{
    struct clock_page *p = published;
    bool known;

    coarse.seq++;
    clock_page_fence();
    known = put_moment(&coarse.real, base_ns + real_offset);
    clock_page_fence();
    coarse.seq++;
    if (!p)
        return;
    p->seq++;
    clock_page_fence();
    p->base_tsc = base_tsc;
    put_moment(&p->moment[CLOCK_PAGE_MONO], base_ns);
    p->moment[CLOCK_PAGE_REAL] = coarse.real;
    p->mult = known ? mult : 0;
    clock_page_fence();
    p->seq++;
}

void clock_publish(struct clock_page *page)
{
    spin_lock(&pit_lock);
    published = page;
    publish();
    spin_unlock(&pit_lock);
}

/* Makes the clock go on from ns at tsc with rate m. [pit_lock] */
static void rebase(uint64_t ns, uint64_t tsc, uint32_t m)
{
    seq++;
    __asm__ volatile("" : : : "memory");
    base_ns = ns;
    base_tsc = tsc;
    mult = m;
    __asm__ volatile("" : : : "memory");
    seq++;
    publish();
}

/* What was the time at the last tick becomes that of now. [pit_lock] */
static void move_to_now(void)
{
    uint64_t tsc = cpu_cycles();

    rebase(mult ? base_ns + cycles_to_ns(tsc - base_tsc, mult) : pit_last_ns, tsc, mult);
}

/* Nothing is stamped with a time before that to which the clock was set. */
void clock_publish_real(uint64_t offset)
{
    spin_lock(&pit_lock);
    real_offset = offset;
    move_to_now();
    spin_unlock(&pit_lock);
}

/* ---- Alarms ---- */

/* The local APIC's timer. One rate for all processors: theirs is the same bus. */
static struct {
    bool usable, watched;
    uint64_t since_ns;      /* watched since */
    uint32_t counts_per_ms; /* 0: not learnt yet */
} apic_timer;

/* At ticks of the first processor, while nothing else uses its timer. */
static void watch_apic_timer(uint64_t now)
{
    uint64_t passed = now - apic_timer.since_ns;

    if (!apic_timer.watched) {
        apic_timer.watched = true;
        apic_timer.since_ns = now;
        apic_timer_watch();
    } else if (passed >= WATCH_NS) {
        uint32_t left = apic_timer_count();
        apic_timer.counts_per_ms = (uint32_t)((uint64_t)(UINT32_MAX - left) * 1000000 / passed);
        if (left == 0 || apic_timer.counts_per_ms == 0) {
            apic_timer.watched = false; /* it had run out, or stands still */
            apic_timer.counts_per_ms = 0;
            apic_timer.usable = passed > ALARM_MAX;
        }
    }
}

static void set_alarm(uint64_t ns)
{
    uint64_t counts = ns * apic_timer.counts_per_ms / 1000000 + 1;

    apic_timer_start(counts > UINT32_MAX ? UINT32_MAX : (uint32_t)counts, false);
}

bool clock_alarm(uint64_t when)
{
    uint64_t now, ns;

    if (!apic_timer.counts_per_ms)
        return false;
    now = clock_mono_ns();
    ns = when > now + ALARM_MIN ? when - now : ALARM_MIN;
    if (ns > (cpu_self()->id ? ALARM_MAX : tick_length_ns))
        return false; /* the tick of the first processor comes before */
    set_alarm(ns);
    return true;
}

/* ---- Ticks ---- */

static void clock_tick(void *arg)
{
    static unsigned part;
    uint64_t tsc = cpu_cycles(), now;
    bool whole = ++part == tick.parts;

    (void)arg;
    spin_lock(&pit_lock);
    ticks++;
    now = mult ? base_ns + cycles_to_ns(tsc - base_tsc, mult) : pit_last_ns;
    if (now < tick_ns())
        now = tick_ns();
    pit_last_ns = now;
    rebase(now, tsc, cpu_has_tsc ? learn_rate() : 0);
    if (!mult)
        lost_ns += now - tick_ns();
    spin_unlock(&pit_lock);
    if (apic_timer.usable && !apic_timer.counts_per_ms)
        watch_apic_timer(now);
    if (whole)
        part = 0;
    timer_tick(whole, trap_from_user(cpu_self()->irq_frame));
}

/* Goes on by the ticks alone. */
void clock_without_tsc(void)
{
    uint64_t now = clock_mono_ns();

    spin_lock(&pit_lock);
    cpu_has_tsc = false;
    pit_last_ns = now;
    if (now > tick_ns())
        lost_ns += now - tick_ns();
    rebase(now, 0, 0);
    spin_unlock(&pit_lock);
}

/* ---- Idle ---- */

/* How long the tick may stop for, 0: let it go on. */
static uint64_t idle_ns(uint64_t now, uint64_t until)
{
    uint64_t ns = until > now ? until - now : 0;

    if (cpus_online > 1)
        return 0; /* the first ticks for all */
    if (ns > ALARM_MAX)
        ns = ALARM_MAX;
    return ns > IDLE_TICKS * tick_length_ns ? ns - ns / EARLY_PART : 0;
}

/* No tick came while the CPU slept: the time of the last one becomes that of the waking. */
static void catch_up(void)
{
    spin_lock(&pit_lock);
    move_to_now();
    spin_unlock(&pit_lock);
}

uint32_t clock_idle(uint64_t until)
{
    const bool can = apic_timer.counts_per_ms && mult && tickless;
    uint64_t now = can ? clock_mono_ns() : 0, ns = can ? idle_ns(now, until) : 0;

    if (!ns) {
        cpu_idle();
        return 0;
    }
    irq_mask(TICK_IRQ, true);
    set_alarm(ns);
    cpu_wait();
    irq_disable();
    irq_mask(TICK_IRQ, false);
    catch_up();
    irq_enable();
    return (uint32_t)((clock_mono_ns() - now) / tick_length_ns);
}

/*
 * On some boards the PIT's line does not come through the I/O APIC, whatever the tables say. The
 * APIC's timer, set to several ticks at least, looks whether one has come; it may be late itself,
 * hence more than once.
 */
#define WATCHDOG_COUNTS 0x400000u
#define WATCHDOG_LOOKS  3

static void watch_first_tick(void)
{
    static unsigned looks;

    if (ticks || looks > WATCHDOG_LOOKS)
        return;
    if (looks++ == WATCHDOG_LOOKS) {
        klog(LOG_WARN, "Clock: no tick through the I/O APIC; trying the 8259\n");
        irq_fall_back(TICK_IRQ);
        return;
    }
    apic_timer_start(WATCHDOG_COUNTS, false);
}

void clock_apic_timer(void)
{
    if (tick.by_apic) {
        clock_tick(NULL);
        return;
    }
    watch_first_tick();
    timer_tick(false, false);
}

void clock_init(void)
{
    tick_source_init();
    tick_length_ns = (uint64_t)tick.period * NSEC_PER_SEC / tick.hz;
    if (!tick.by_apic) {
        irq_register(TICK_IRQ, clock_tick, NULL);
        if (apic_present())
            watch_first_tick();
    }
    apic_timer.usable = apic_present() && !tick.by_apic;
    tickless = !boot_flag("notickless");
    acpi_button_init();
}
