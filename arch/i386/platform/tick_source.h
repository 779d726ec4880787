/* What interrupts at a steady pace, and can be asked where in its period it is. */
#ifndef ARCH_I386_TICK_SOURCE_H
#define ARCH_I386_TICK_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#define TICK_IRQ 0u

struct tick_source {
    uint32_t hz, period;     /* clocks in a second, and from interrupt to interrupt */
    uint32_t (*phase)(void); /* clocks since the last interrupt, less than period */
    unsigned parts;          /* interrupts to a tick: several, where nothing else ends a sleep */
    bool by_apic;            /* the interrupt is the local APIC timer's, not TICK_IRQ */
};
extern struct tick_source tick;

/* Starts the PIT; where there is none the HPET, or else the local APIC's timer. */
void tick_source_init(void);

#endif
