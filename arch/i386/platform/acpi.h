/* What the machine's ACPI tables said, and what is done with them. */
#ifndef ARCH_I386_ACPI_H
#define ARCH_I386_ACPI_H

#include "arch/i386/platform/acpi_tables.h"

extern struct acpi_tables acpi;

/* Finds and reads the tables, unless acpi=off; rsdp: what the boot loader handed over. After
 * mm_init. */
void acpi_init(const void *rsdp, unsigned len);
/* Takes the power button, once interrupts can be registered. */
void acpi_button_init(void);
/* Return when the machine does not know the way, or did not take it. */
void acpi_power_off(void);
void acpi_reset(void);

#endif
