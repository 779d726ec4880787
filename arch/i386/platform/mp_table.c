/* The entries of the table, one after the other: mp_table.h */
#include "arch/i386/platform/mp_table.h"
#include "libc/string.h"

enum { ENTRY_CPU, ENTRY_BUS, ENTRY_IOAPIC, ENTRY_LINE, ENTRY_LOCAL_LINE, ENTRY_KINDS };
static const uint8_t entry_len[ENTRY_KINDS] = {20, 8, 8, 8, 8};

#define USABLE        1u /* flags of processors and I/O APICs */
#define LINE_IS_INT   0u /* not an NMI, nor what an 8259 says */
#define POLARITY_LOW  3u
#define TRIGGER_LEVEL 3u
#define MAX_BUSES     32u

struct mp_pointer {
    uint8_t signature[4];
    uint32_t table;
    uint8_t length, revision, checksum, features[5];
};

struct mp_table {
    uint8_t signature[4];
    uint16_t length;
    uint8_t revision, checksum;
    uint8_t names[20];
    uint32_t oem_table;
    uint16_t oem_length, entries;
    uint32_t local_address;
    uint16_t extended_length;
    uint8_t extended_checksum, reserved;
};

_Static_assert(sizeof(struct mp_pointer) == MP_POINTER_LEN && sizeof(struct mp_table) == 44,
               "as the specification has them");

struct reading {
    struct acpi_apics *apics;
    uint32_t isa_buses; /* a bit for each */
    uint8_t ioapic;     /* the one that is used */
};

bool mp_pointer_ok(const void *pointer)
{
    const struct mp_pointer *p = pointer;

    return memcmp(p->signature, "_MP_", 4) == 0 && p->length == 1 &&
           firmware_sums_to_zero(p, MP_POINTER_LEN) && p->table;
}

static void read_cpu(struct acpi_apics *a, const uint8_t *e)
{
    if (!(e[3] & USABLE))
        return;
    if (a->cpus < ACPI_MAX_CPUS)
        a->cpu_id[a->cpus] = e[1];
    a->cpus++;
}

/* How many lines one has its register tells, not the table: so only the first can be used, which
 * has those of ISA. */
static void read_ioapic(struct reading *r, const uint8_t *e)
{
    uint32_t address;

    memcpy(&address, e + 4, 4);
    if (!(e[3] & USABLE) || !address || r->apics->nio)
        return;
    r->apics->io[r->apics->nio++] = (struct acpi_ioapic){address, 0};
    r->ioapic = e[1];
}

/* Lines of ISA that come to the first I/O APIC. */
static void read_line(struct reading *r, const uint8_t *e)
{
    uint8_t bus = e[4], irq = e[5];

    if (e[1] != LINE_IS_INT || bus >= MAX_BUSES || !(r->isa_buses & 1u << bus))
        return;
    if (irq >= ACPI_ISA_IRQS || (e[6] != r->ioapic && e[6] != 0xff))
        return;
    r->apics->isa[irq] = (struct acpi_irq){
        .gsi = e[7],
        .told = true,
        .low = (e[2] & 3u) == POLARITY_LOW,
        .level = (e[2] >> 2 & 3u) == TRIGGER_LEVEL,
    };
}

static void read_entry(struct reading *r, const uint8_t *e)
{
    switch (e[0]) {
    case ENTRY_CPU:
        read_cpu(r->apics, e);
        break;
    case ENTRY_BUS:
        if (e[1] < MAX_BUSES && memcmp(e + 2, "ISA   ", 6) == 0)
            r->isa_buses |= 1u << e[1];
        break;
    case ENTRY_IOAPIC:
        read_ioapic(r, e);
        break;
    case ENTRY_LINE:
        read_line(r, e);
        break;
    default:
        break;
    }
}

/* Buses and I/O APICs come before lines. [4.3] */
static void read_entries(struct acpi_apics *a, const struct mp_table *t)
{
    const uint8_t *e = (const uint8_t *)(t + 1), *end = (const uint8_t *)t + t->length;
    struct reading r = {.apics = a};

    for (unsigned n = 0; n < t->entries && e < end && e[0] < ENTRY_KINDS; n++) {
        if (entry_len[e[0]] > end - e)
            return;
        read_entry(&r, e);
        e += entry_len[e[0]];
    }
}

bool mp_read(struct acpi_apics *a, const void *pointer, acpi_map_fn map)
{
    const struct mp_pointer *p = pointer;
    const struct mp_table *t = map(p->table, sizeof(*t));

    if (!t || memcmp(t->signature, "PCMP", 4) != 0 || t->length < sizeof(*t))
        return false;
    t = map(p->table, t->length);
    if (!t || !firmware_sums_to_zero(t, t->length))
        return false;
    *a = (struct acpi_apics){.present = true, .local_address = t->local_address};
    for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
        a->isa[i] = (struct acpi_irq){.gsi = i};
    read_entries(a, t);
    return true;
}
