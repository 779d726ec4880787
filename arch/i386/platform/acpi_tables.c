/* Reading RSDP, RSDT or XSDT, FADT, MADT, HPET, and \_S5 out of the DSDT. */
#include "arch/i386/platform/acpi_tables.h"
#include "libc/string.h"

#define TABLE_MAX   (4u << 20)
#define ENTRIES_MAX 256u

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length; /* from here on: revision 2 */
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

struct header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

struct gas {
    uint8_t space, width, offset, access;
    uint64_t address;
} __attribute__((packed));

struct fadt {
    struct header h;
    uint32_t facs, dsdt;
    uint8_t model, profile;
    uint16_t sci_irq;
    uint32_t smi_command;
    uint8_t enable, disable, s4bios, pstate;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, timer, gpe0, gpe1;
    uint8_t pm1_event_len, pm1_control_len, pm2_control_len, timer_len, gpe0_len, gpe1_len,
        gpe1_base, cst;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_flags;
    uint8_t reserved;
    uint32_t flags;
    struct gas reset; /* from here on: revision 2 */
    uint8_t reset_value;
    uint16_t arm_flags;
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    struct gas x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
} __attribute__((packed));

#define FADT_1_LEN           116u
#define BOOT_8042            (1u << 1)
#define BOOT_NO_VGA          (1u << 2)
#define FLAG_BUTTON_IN_AML   (1u << 4)
#define FLAG_TIMER_WIDE      (1u << 8)
#define FLAG_RESET_SUPPORTED (1u << 10)

struct madt {
    struct header h;
    uint32_t local_address, flags;
} __attribute__((packed));

enum madt_type { MADT_LOCAL = 0, MADT_IO = 1, MADT_OVERRIDE = 2, MADT_LOCAL_ADDRESS = 5 };

struct madt_local {
    uint8_t type, length, processor, id;
    uint32_t flags;
} __attribute__((packed));

struct madt_io {
    uint8_t type, length, id, reserved;
    uint32_t address, gsi_base;
} __attribute__((packed));

struct madt_override {
    uint8_t type, length, bus, source;
    uint32_t gsi;
    uint16_t flags;
} __attribute__((packed));

#define OVERRIDE_LOW   3u /* of the two bits for polarity */
#define OVERRIDE_LEVEL 3u /* of the two above */

struct hpet {
    struct header h;
    uint32_t id;
    struct gas address;
} __attribute__((packed));

bool firmware_sums_to_zero(const void *p, uint32_t len)
{
    const uint8_t *b = p;
    uint32_t sum = 0, w; /* whose lowest byte counts */

    for (; len >= sizeof(w); len -= sizeof(w), b += sizeof(w)) {
        memcpy(&w, b, sizeof(w));
        sum += w + (w >> 8) + (w >> 16) + (w >> 24);
    }
    while (len--)
        sum += *b++;
    return (uint8_t)sum == 0;
}

bool acpi_rsdp_ok(const void *p, uint32_t len)
{
    const struct rsdp *r = p;

    return len >= ACPI_RSDP_LEN && memcmp(r->signature, "RSD PTR ", 8) == 0 &&
           firmware_sums_to_zero(r, ACPI_RSDP_LEN);
}

/* A whole table, its length checked. */
static const struct header *table_unsummed(struct acpi_tables *a, uint64_t pa, uint32_t least,
                                           acpi_map_fn map)
{
    const struct header *h = pa ? map(pa, sizeof(*h)) : NULL;

    if (!h)
        return NULL;
    if (h->length < sizeof(*h) || h->length > TABLE_MAX || h->length < least) {
        a->refused++;
        return NULL;
    }
    h = map(pa, h->length);
    a->refused += h == NULL;
    return h;
}

/* A whole table, its length and checksum checked; least: what is going to be looked at. */
static const struct header *table_at(struct acpi_tables *a, uint64_t pa, uint32_t least,
                                     acpi_map_fn map)
{
    const struct header *h = table_unsummed(a, pa, least, map);

    if (!h)
        return NULL;
    if (!firmware_sums_to_zero(h, h->length)) {
        a->refused++;
        return NULL;
    }
    a->found++;
    return h;
}

/* ---- \_S5 ---- */

#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_NAME    0x08
#define AML_BYTE    0x0a
#define AML_WORD    0x0b
#define AML_DWORD   0x0c
#define AML_PACKAGE 0x12

/* A constant at *p, which is moved past it; false when it is none. */
static bool aml_constant(const uint8_t **p, const uint8_t *end, uint8_t *value)
{
    unsigned size;

    if (*p >= end)
        return false;
    switch (*(*p)++) {
    case AML_ZERO:
        *value = 0;
        return true;
    case AML_ONE:
        *value = 1;
        return true;
    case AML_BYTE:
        size = 1;
        break;
    case AML_WORD:
        size = 2;
        break;
    case AML_DWORD:
        size = 4;
        break;
    default:
        return false;
    }
    if ((size_t)(end - *p) < size)
        return false;
    *value = **p;
    *p += size;
    return true;
}

/* Name (\_S5, Package {a, b, ..}): after the name the opcode, the length (its two highest bits
 * count the bytes that follow), the number of elements, the elements. */
static bool s5_package(const uint8_t *p, const uint8_t *end, uint8_t *a, uint8_t *b)
{
    if (end - p < 3 || *p++ != AML_PACKAGE)
        return false;
    p += 1 + (*p >> 6);
    if (p >= end || *p++ < 1)
        return false;
    if (!aml_constant(&p, end, a))
        return false;
    if (!aml_constant(&p, end, b))
        *b = *a;
    return true;
}

bool acpi_find_s5(const uint8_t *aml, uint32_t len, uint8_t *a, uint8_t *b)
{
    for (uint32_t i = 1; len >= 4 && i < len - 4; i++) {
        if (memcmp(aml + i, "_S5_", 4) != 0)
            continue;
        bool named =
            aml[i - 1] == AML_NAME || (i > 1 && aml[i - 1] == '\\' && aml[i - 2] == AML_NAME);
        if (named && s5_package(aml + i + 4, aml + len, a, b))
            return true;
    }
    return false;
}

/* ---- FADT ---- */

/* The block of a register of revision 2, where the old field is empty. */
static uint32_t io_port(uint32_t old, const struct gas *x, bool has_x)
{
    if (old)
        return old & 0xffff;
    return has_x && x->space == ACPI_SPACE_IO && x->address < 0x10000 ? (uint32_t)x->address : 0;
}

static void read_fadt_2(struct acpi_tables *a, const struct fadt *f)
{
    struct acpi_power *p = &a->power;

    p->has_reset =
        (f->flags & FLAG_RESET_SUPPORTED) && f->reset.address && f->reset.space <= ACPI_SPACE_PCI;
    p->reset = (struct acpi_register){f->reset.space, f->reset.address};
    p->reset_value = f->reset_value;
}

/* It is by far the longest table, and of use at the very end. */
bool acpi_find_off(struct acpi_tables *a)
{
    const struct header *h = a->dsdt;

    a->power.has_off = h && firmware_sums_to_zero(h, h->length) &&
                       acpi_find_s5((const uint8_t *)(h + 1), h->length - (uint32_t)sizeof(*h),
                                    &a->power.off_a, &a->power.off_b);
    return a->power.has_off;
}

static void read_fadt(struct acpi_tables *a, const struct header *h, acpi_map_fn map)
{
    static struct fadt f; /* too large for the stack, and the table may be shorter */
    struct acpi_power *p = &a->power;
    uint32_t len = h->length < sizeof(f) ? h->length : sizeof(f);
    bool x = h->length >= sizeof(f);

    memset(&f, 0, sizeof(f));
    memcpy(&f, h, len);
    p->present = true;
    p->smi_command = f.smi_command;
    p->enable = f.enable;
    p->sci_irq = f.sci_irq < 256 ? (uint8_t)f.sci_irq : 0;
    p->pm1a_event = io_port(f.pm1a_event, &f.x_pm1a_event, x);
    p->pm1b_event = io_port(f.pm1b_event, &f.x_pm1b_event, x);
    p->pm1a_control = io_port(f.pm1a_control, &f.x_pm1a_control, x);
    p->pm1b_control = io_port(f.pm1b_control, &f.x_pm1b_control, x);
    p->pm1_event_len = f.pm1_event_len;
    p->timer = f.timer_len == 4 ? f.timer & 0xffff : 0;
    p->timer_is_wide = f.flags & FLAG_TIMER_WIDE;
    p->power_button = !(f.flags & FLAG_BUTTON_IN_AML);
    p->no_8042 = h->revision >= 3 && !(f.boot_flags & BOOT_8042);
    p->no_vga = h->revision >= 3 && (f.boot_flags & BOOT_NO_VGA);
    if (h->length >= offsetof(struct fadt, arm_flags))
        read_fadt_2(a, &f);
    a->dsdt = table_unsummed(a, f.dsdt || !x ? f.dsdt : f.x_dsdt, sizeof(*h), map);
    a->found += a->dsdt != NULL;
}

/* ---- MADT ---- */

static void read_override(struct acpi_apics *s, const struct madt_override *o)
{
    if (o->source >= ACPI_ISA_IRQS)
        return;
    s->isa[o->source] = (struct acpi_irq){
        .gsi = o->gsi,
        .told = true,
        .low = (o->flags & 3u) == OVERRIDE_LOW,
        .level = (o->flags >> 2 & 3u) == OVERRIDE_LEVEL,
    };
}

static void read_local(struct acpi_apics *s, const struct madt_local *l)
{
    if (!(l->flags & 1u))
        return;
    if (s->cpus < ACPI_MAX_CPUS)
        s->cpu_id[s->cpus] = l->id;
    s->cpus++;
}

static void read_madt_entry(struct acpi_apics *s, const uint8_t *p)
{
    const struct madt_io *io = (const void *)p;
    const struct madt_local *local = (const void *)p;

    if (p[0] == MADT_LOCAL && p[1] >= sizeof(*local))
        read_local(s, local);
    else if (p[0] == MADT_IO && p[1] >= sizeof(*io) && s->nio < ACPI_MAX_IOAPICS && io->address)
        s->io[s->nio++] = (struct acpi_ioapic){io->address, io->gsi_base};
    else if (p[0] == MADT_OVERRIDE && p[1] >= sizeof(struct madt_override))
        read_override(s, (const void *)p);
}

static void read_madt(struct acpi_tables *a, const struct header *h)
{
    const struct madt *m = (const void *)h;
    const uint8_t *p = (const uint8_t *)(m + 1), *end = (const uint8_t *)h + h->length;
    struct acpi_apics *s = &a->apics;

    s->present = true;
    s->local_address = m->local_address;
    for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
        s->isa[i] = (struct acpi_irq){.gsi = i};
    while (end - p >= 2 && p[1] >= 2 && p[1] <= end - p) {
        read_madt_entry(s, p);
        p += p[1];
    }
}

/* ---- The root ---- */

static void read_table(struct acpi_tables *a, uint64_t pa, acpi_map_fn map)
{
    const struct header *h = pa ? map(pa, sizeof(*h)) : NULL;

    if (!h)
        return;
    if (memcmp(h->signature, "FACP", 4) == 0) {
        if ((h = table_at(a, pa, FADT_1_LEN, map)) && !a->power.present)
            read_fadt(a, h, map);
    } else if (memcmp(h->signature, "APIC", 4) == 0) {
        if ((h = table_at(a, pa, sizeof(struct madt), map)) && !a->apics.present)
            read_madt(a, h);
    } else if (memcmp(h->signature, "HPET", 4) == 0) {
        const struct hpet *hpet = (const void *)table_at(a, pa, sizeof(struct hpet), map);
        if (hpet && hpet->address.space == ACPI_SPACE_MEMORY)
            a->hpet = hpet->address.address;
    }
}

/* size: of an entry, 4 in the RSDT and 8 in the XSDT. False when the list itself is no good. */
static bool read_list(struct acpi_tables *a, uint64_t pa, unsigned size, const char *signature,
                      acpi_map_fn map)
{
    const struct header *h = table_at(a, pa, sizeof(*h), map);
    uint32_t n;

    if (!h || memcmp(h->signature, signature, 4) != 0)
        return false;
    n = (h->length - (uint32_t)sizeof(*h)) / size;
    for (uint32_t i = 0; i < n && i < ENTRIES_MAX; i++) {
        uint64_t entry = 0;
        memcpy(&entry, (const uint8_t *)(h + 1) + i * size, size);
        read_table(a, entry, map);
    }
    return true;
}

void acpi_read(struct acpi_tables *a, const void *p, uint32_t len, acpi_map_fn map)
{
    struct rsdp r = {0};

    memset(a, 0, sizeof(*a));
    memcpy(&r, p, len < sizeof(r) ? len : sizeof(r));
    a->revision = r.revision;
    memcpy(a->oem, r.oem, sizeof(r.oem));
    for (unsigned n = sizeof(r.oem); n > 0 && a->oem[n - 1] == ' '; n--)
        a->oem[n - 1] = '\0';
    bool extended = r.revision >= 2 && len >= sizeof(r) && firmware_sums_to_zero(p, sizeof(r));
    a->present =
        (extended && read_list(a, r.xsdt, 8, "XSDT", map)) || read_list(a, r.rsdt, 4, "RSDT", map);
}
