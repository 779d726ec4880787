/*
 * Local APIC and I/O APICs. The I/O APIC takes the lines of the ISA devices; PCI's lines stay with
 * the 8259s, because only ACPI's interpreter could tell which pin of the I/O APIC they are on. The
 * local APIC passes both on, and has a timer.
 */
#ifndef ARCH_I386_APIC_H
#define ARCH_I386_APIC_H

#include <stdbool.h>
#include <stdint.h>

#define APIC_TIMER_VECTOR     48u
#define APIC_KICK_VECTOR      49u
#define APIC_TICK_VECTOR      50u
#define APIC_SHOOTDOWN_VECTOR 0xfbu
#define APIC_SPURIOUS_VECTOR  0xffu

/* Switches the APICs on where the tables tell of them and no option forbids it. */
void apic_init(void);
bool apic_present(void); /* the local one is on */
/* Lets an ISA line through the I/O APIC; false when it must come by the 8259. */
bool apic_route(unsigned irq);
void apic_mask(unsigned irq, bool masked); /* of a line routed so */
void apic_eoi(void);
/* On this processor: only interrupts of the most urgent class come, APIC_SHOOTDOWN_VECTOR and NMIs;
 * the others wait until they may again. */
void apic_only_urgent(bool on);

/* On a further processor: its own local APIC. */
void apic_init_further(void);
uint32_t apic_id(void); /* of the running processor */
/* Interrupts another processor; or, with its delivery mode in the upper bits, resets or starts it.
 */
#define APIC_INIT    0x4500u
#define APIC_STARTUP 0x4600u
void apic_send(uint32_t id, uint32_t what);

/* The timer, counting down from count to an interrupt at APIC_TIMER_VECTOR: once, or for ever. */
void apic_timer_start(uint32_t count, bool periodic);
/* Counts down silently, for others to be compared with. */
void apic_timer_watch(void);
uint32_t apic_timer_count(void);

#endif
