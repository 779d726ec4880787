/*
 * ACPI's static tables: what is needed of them, taken from what firmware left. Pure functions over
 * a way to reach physical memory; lengths and checksums are checked before anything is believed.
 * [ACPI 6.4, 5.2]
 */
#ifndef ARCH_I386_ACPI_TABLES_H
#define ARCH_I386_ACPI_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_MAX_IOAPICS 4u
#define ACPI_ISA_IRQS    16u
#define ACPI_RSDP_LEN    20u

/* Whether the bytes sum to zero, as those of everything that firmware leaves do. */
bool firmware_sums_to_zero(const void *p, uint32_t len);

/* len bytes of physical memory, or NULL when they cannot be reached. */
typedef const void *(*acpi_map_fn)(uint64_t pa, uint32_t len);

struct acpi_register {
    uint8_t space; /* ACPI_SPACE_* */
    uint64_t address;
};
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1
#define ACPI_SPACE_PCI    2

struct acpi_power {
    bool present;
    uint32_t smi_command;
    uint8_t enable, sci_irq;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control; /* ports, 0: none */
    uint8_t pm1_event_len;
    uint32_t timer;     /* port of the PM timer, 0: none */
    bool timer_is_wide; /* 32 bits, not 24 */
    bool power_button;  /* a fixed one */
    bool has_reset;
    struct acpi_register reset;
    uint8_t reset_value;
    bool has_off; /* the values of \_S5 are there: acpi_find_off */
    uint8_t off_a, off_b;
    bool no_8042, no_vga; /* as firmware says; believed by nobody without a look */
};

#define ACPI_MAX_CPUS 16

struct acpi_ioapic {
    uint32_t address, gsi_base;
};

struct acpi_irq {
    uint32_t gsi;
    bool level, low; /* the usual line is edge-triggered and active high */
    bool told;       /* by the table */
};

struct acpi_apics {
    bool present;
    uint32_t local_address;
    unsigned cpus;                 /* enabled ones */
    uint8_t cpu_id[ACPI_MAX_CPUS]; /* local APICs of the first of them */
    struct acpi_ioapic io[ACPI_MAX_IOAPICS];
    unsigned nio;
    struct acpi_irq isa[ACPI_ISA_IRQS];
};

struct acpi_tables {
    bool present;
    uint8_t revision;
    char oem[7];
    unsigned found, refused; /* tables that are used or could be; with a wrong length or checksum */
    struct acpi_power power;
    struct acpi_apics apics;
    uint64_t hpet;    /* 0: none */
    const void *dsdt; /* or NULL; as long as it says, its checksum not looked at */
};

bool acpi_rsdp_ok(const void *rsdp, uint32_t len);
/* From a root pointer that is ok. */
void acpi_read(struct acpi_tables *a, const void *rsdp, uint32_t len, acpi_map_fn map);
/* Looks for the sleep types that switch off; false: there are none. */
bool acpi_find_off(struct acpi_tables *a);
/* The sleep types of \_S5 in AML; false when there is no such package. */
bool acpi_find_s5(const uint8_t *aml, uint32_t len, uint8_t *a, uint8_t *b);

#endif
