/*
 * The sites of the recorder of stretches (arch/latency.h): cli and sti in spin locks, a nop at
 * marked points (arch/inline_i386.h). With the boot option `latency` each becomes an int3, before
 * the kernel's text becomes read-only. The trap does what stood there, and tells the recorder. What
 * that takes is measured at boot, and does not count.
 */
#include "arch/latency.h"
#include "arch/cpu.h"
#include "arch/i386/i386.h"
#include "arch/lock.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"

#define INSN_INT3 0xcc
#define INSN_CLI  0xfa
#define INSN_STI  0xfb
#define TRIALS    64

extern uint8_t *latency_sites_start[], *latency_sites_end[]; /* linker.ld */

/* What stood at each site, by its place in the table, which is sorted. */
static uint8_t was[4096];
static uint32_t trap_cycles;    /* of a trap, beside what latency_trap measures itself: */
static uint32_t handler_cycles; /* in all, wraps */

static unsigned site_count(void)
{
    return (unsigned)(latency_sites_end - latency_sites_start);
}

static void sort_sites(void)
{
    for (unsigned n = 1; n < site_count(); n++) {
        uint8_t *site = latency_sites_start[n];
        unsigned i = n;

        for (; i && latency_sites_start[i - 1] > site; i--)
            latency_sites_start[i] = latency_sites_start[i - 1];
        latency_sites_start[i] = site;
    }
}

static void patch_sites(void)
{
    for (unsigned i = 0; i < site_count(); i++) {
        was[i] = *latency_sites_start[i];
        *latency_sites_start[i] = INSN_INT3;
    }
}

/* The site whose breakpoint lies before eip, or -1. */
static int find_site(uint32_t eip)
{
    const uint8_t *site = (const uint8_t *)eip - 1;
    unsigned low = 0, high = site_count();

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (latency_sites_start[mid] < site)
            low = mid + 1;
        else
            high = mid;
    }
    return low < site_count() && latency_sites_start[low] == site ? (int)low : -1;
}

static void pass_site(struct trapframe *tf, uint8_t insn)
{
    switch (insn) {
    case INSN_CLI:
        if (tf->eflags & EFLAGS_IF)
            latency_begin_at(LATENCY_IRQ_OFF, tf->eip);
        tf->eflags &= ~EFLAGS_IF;
        return;
    case INSN_STI:
        latency_end_at(LATENCY_IRQ_OFF, tf->eip);
        tf->eflags |= EFLAGS_IF;
        return;
    default:
        latency_end_at(LATENCY_NO_SWITCH, tf->eip);
        latency_begin_at(LATENCY_NO_SWITCH, tf->eip);
    }
}

/* From trap_dispatch, at an int3; false: it is no site. */
bool latency_trap(struct trapframe *tf)
{
    uint64_t entered = cpu_cycles();
    int site = latency_on && !trap_from_user(tf) ? find_site(tf->eip) : -1;
    uint32_t cycles;

    if (site < 0)
        return false;
    pass_site(tf, was[site]);
    cycles = (uint32_t)(cpu_cycles() - entered);
    handler_cycles += cycles;
    latency_discount(cycles + trap_cycles);
    return true;
}

static uint32_t time_of_trials(void)
{
    uint64_t start = cpu_cycles();

    for (int i = 0; i < TRIALS; i++)
        latency_point();
    return (uint32_t)(cpu_cycles() - start);
}

/* Interrupts are off. */
void latency_init(void)
{
    uint32_t before;

    if (!boot_flag("latency"))
        return;
    if (!cpu_has_tsc || site_count() > sizeof(was)) {
        klog(LOG_WARN, "latency: no time-stamp counter, or too many sites: not recorded\n");
        return;
    }
    before = time_of_trials();
    sort_sites();
    patch_sites();
    latency_on = true;
    trap_cycles = (time_of_trials() - before - handler_cycles) / TRIALS;
    klog(LOG_INFO, "latency: %u sites, %u cycles a trap\n", site_count(), (unsigned)trap_cycles);
}
