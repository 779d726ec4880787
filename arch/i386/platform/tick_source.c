/*
 * The PIT, and what stands in for it on machines that have none: the HPET in its place on the same
 * line, or the local APIC's timer, whose rate the ACPI timer tells in a hundredth of a second.
 * [Intel 8254; IA-PC HPET 1.0a; ACPI 6.4, 4.8.3.3]
 */
#include "arch/i386/platform/tick_source.h"
#include "arch/i386/platform/acpi.h"
#include "arch/i386/platform/apic.h"
#include "arch/i386/i386.h"
#include "arch/io.h"
#include "arch/thread.h"
#include "kernel/base/log.h"

#define PIT_HZ      1193182u
#define PIT_DATA    0x40
#define PIT_CONTROL 0x43

/* A timer that has the interrupts of a tick alone to end it is late by a tick at most: without a
 * local APIC to set for it, these come more often. */
#define PARTS 10u

static uint32_t pit_count(void)
{
    uint32_t count;

    outb(PIT_CONTROL, 0x00); /* latch counter 0 */
    count = inb(PIT_DATA);
    return count | (uint32_t)inb(PIT_DATA) << 8;
}

static uint32_t pit_phase(void)
{
    uint32_t count = pit_count();

    return count <= tick.period ? tick.period - count : 0;
}

struct tick_source tick = {.hz = PIT_HZ, .phase = pit_phase, .parts = 1};

static void set_period(void)
{
    tick.period = (tick.hz + HZ * tick.parts / 2) / (HZ * tick.parts);
}

/* False when nobody counts: an empty port reads ones, more than the period. */
static bool pit_start(void)
{
    set_period();
    outb(PIT_CONTROL, 0x34); /* counter 0, both bytes, mode 2 */
    outb(PIT_DATA, tick.period & 0xff);
    outb(PIT_DATA, (uint8_t)(tick.period >> 8));
    return pit_count() <= tick.period;
}

/* ---- HPET ---- */

#define HPET_BYTES       0x400u
#define HPET_PERIOD      0x004u /* of a count, in femtoseconds */
#define HPET_CAPABLE     0x000u
#define HPET_CONFIG      0x010u
#define HPET_COUNTER     0x0f0u
#define HPET_TIMER       0x100u
#define HPET_COMPARATOR  0x108u
#define CAPABLE_LEGACY   (1u << 15)
#define CONFIG_ON        1u
#define CONFIG_LEGACY    2u /* timer 0 is on the PIT's line */
#define TIMER_INTERRUPT  (1u << 2)
#define TIMER_PERIODIC   (1u << 3)
#define TIMER_CAN_PERIOD (1u << 4)
#define TIMER_SET_VALUE  (1u << 6)
#define TIMER_32_BITS    (1u << 8)
#define FS_PER_SEC       1000000000000000ull

static volatile uint32_t *hpet;

static uint32_t hpet_phase(void)
{
    uint32_t left = hpet[HPET_COMPARATOR / 4] - hpet[HPET_COUNTER / 4];

    return left <= tick.period ? tick.period - left : 0;
}

static bool hpet_start(void)
{
    uint32_t fs;

    if (!acpi.hpet || acpi.hpet > UINT32_MAX)
        return false;
    hpet = map_device((paddr_t)acpi.hpet, HPET_BYTES, PTE_PCD | PTE_PWT);
    if (!hpet)
        return false;
    fs = hpet[HPET_PERIOD / 4];
    if (fs < 1000000 || fs > 100000000 || !(hpet[HPET_CAPABLE / 4] & CAPABLE_LEGACY) ||
        !(hpet[HPET_TIMER / 4] & TIMER_CAN_PERIOD))
        return false;
    tick.hz = (uint32_t)(FS_PER_SEC / fs);
    set_period();
    tick.phase = hpet_phase;
    hpet[HPET_CONFIG / 4] = 0;
    hpet[HPET_COUNTER / 4] = 0;
    hpet[HPET_COUNTER / 4 + 1] = 0;
    hpet[HPET_TIMER / 4] = TIMER_INTERRUPT | TIMER_PERIODIC | TIMER_SET_VALUE | TIMER_32_BITS;
    hpet[HPET_COMPARATOR / 4] = tick.period;
    hpet[HPET_COMPARATOR / 4] = tick.period;
    hpet[HPET_CONFIG / 4] = CONFIG_ON | CONFIG_LEGACY;
    return true;
}

/* ---- The local APIC's timer ---- */

#define PM_HZ     3579545u
#define PM_MASK   0xffffffu
#define PM_SAMPLE (PM_HZ / 100)
#define PM_READS  1000000u /* when the ACPI timer stands still */

static uint32_t apic_phase(void)
{
    uint32_t count = apic_timer_count();

    return count < tick.period ? tick.period - count : 0;
}

static bool apic_start(void)
{
    uint16_t port = (uint16_t)acpi.power.timer;
    uint32_t start, passed = 0, counted;

    if (!apic_present() || !port)
        return false;
    apic_timer_watch();
    start = inl(port);
    for (uint32_t i = 0; i < PM_READS && passed < PM_SAMPLE; i++)
        passed = (inl(port) - start) & PM_MASK;
    counted = UINT32_MAX - apic_timer_count();
    if (passed < PM_SAMPLE || !counted)
        return false;
    tick.hz = (uint32_t)((uint64_t)counted * PM_HZ / passed);
    tick.parts = PARTS;
    set_period();
    tick.phase = apic_phase;
    tick.by_apic = true;
    apic_timer_start(tick.period, true);
    return true;
}

void tick_source_init(void)
{
    if (!apic_present())
        tick.parts = PARTS;
    if (pit_start())
        return;
    if (hpet_start())
        klog(LOG_INFO, "Clock: no PIT, the HPET ticks in its place\n");
    else if (apic_start())
        klog(LOG_INFO, "Clock: no PIT, the local APIC's timer ticks in its place\n");
    else
        klog(
            LOG_ERR,
            "Clock: this machine has no timer that the kernel knows: nothing will ever time out\n");
}
