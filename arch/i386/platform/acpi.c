/*
 * ACPI without its interpreter: power off, reset and the power button by the fixed registers that
 * the static tables tell of. [ACPI 6.4, 4.8]
 */
#include "arch/i386/platform/acpi.h"
#include "arch/i386/platform/mp_table.h"
#include "arch/i386/i386.h"
#include "arch/io.h"
#include "arch/upcalls.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/string.h"

#define BDA_EBDA    0x40eu
#define EBDA_LOOK   1024u
#define ROM_START   0xe0000u
#define ROM_USUAL   0xf0000u /* where most have it */
#define ROM_END     0x100000u
#define RSDP_ALIGN  16u
#define RSDP_BEGINS 0x20445352u /* "RSD " */

#define PM1_BUTTON  0x0100u /* in status and enable */
#define PM1_SCI_EN  0x0001u /* in control */
#define PM1_SLP_EN  0x2000u
#define PM1_SLP_TYP 0x1c00u
#define SLP_SHIFT   10
#define ENABLE_SPIN 300000u

struct acpi_tables acpi;

/* Tables lie in reserved memory: in the window or wherever. */
static const void *map_physical(uint64_t pa, uint32_t len)
{
    if (pa + len > UINT32_MAX)
        return NULL;
    if (pa + len <= kmap_window_end())
        return phys_to_virt((paddr_t)pa);
    return map_device((paddr_t)pa, len, 0);
}

/* What a root looks like, in the memory that BIOSes leave it in. */
struct root {
    uint32_t begins, len;
    bool (*ok)(const void *p);
};

static bool is_rsdp(const void *p)
{
    return acpi_rsdp_ok(p, ACPI_RSDP_LEN);
}

static const struct root rsdp_root = {RSDP_BEGINS, ACPI_RSDP_LEN, is_rsdp};
static const struct root mp_root = {MP_POINTER_BEGINS, MP_POINTER_LEN, mp_pointer_ok};

static const void *scan(const struct root *r, uint32_t start, uint32_t end)
{
    const char *last = phys_to_virt(end - r->len);
    const uint32_t begins = r->begins;

    for (const char *p = phys_to_virt(start); p <= last; p += RSDP_ALIGN)
        if (*(const uint32_t *)p == begins && r->ok(p))
            return p;
    return NULL;
}

static const void *find_root(const struct root *r)
{
    uint32_t ebda = (uint32_t) * (volatile uint16_t *)phys_to_virt(BDA_EBDA) << 4;
    const void *p = NULL;

    if (ebda >= 0x80000 && ebda < 0xa0000)
        p = scan(r, ebda, ebda + EBDA_LOOK);
    if (!p)
        p = scan(r, ROM_USUAL, ROM_END);
    return p ? p : scan(r, ROM_START, ROM_USUAL);
}

static bool switched_off(void)
{
    char value[8];

    return boot_option("acpi", value, sizeof(value)) && strcmp(value, "off") == 0;
}

/* ACPI's own line is level-triggered and active low where nothing else is said. */
static void complete_sci(void)
{
    struct acpi_irq *sci;

    if (!acpi.power.present || acpi.power.sci_irq >= ACPI_ISA_IRQS)
        return;
    sci = &acpi.apics.isa[acpi.power.sci_irq];
    if (!sci->told)
        sci->level = sci->low = true;
}

static void report(void)
{
    klog(LOG_INFO, "ACPI %u by %s: %u tables%s%s%s%s\n", acpi.revision, acpi.oem, acpi.found,
         acpi.dsdt ? ", power off" : "", acpi.power.has_reset ? ", reset" : "",
         acpi.apics.present ? ", APICs" : "", acpi.hpet ? ", HPET" : "");
    if (acpi.refused)
        klog(LOG_WARN, "ACPI: %u tables are not used: their length or checksum is wrong\n",
             acpi.refused);
}

static void read_acpi(const void *rsdp, unsigned len)
{
    if (switched_off())
        return;
    if (!acpi_rsdp_ok(rsdp, len)) {
        if (len)
            klog(LOG_WARN, "ACPI: the boot loader's root pointer is broken\n");
        rsdp = find_root(&rsdp_root);
        len = 36; /* its longest form: the BIOS area goes on after it */
    }
    if (!rsdp) {
        klog(LOG_INFO, "ACPI: none\n");
        return;
    }
    acpi_read(&acpi, rsdp, len, map_physical);
    complete_sci();
    if (acpi.present)
        report();
    else
        klog(LOG_WARN, "ACPI: the list of tables is broken; going on without\n");
}

/* Where ACPI tells of no APICs, the table before it may. */
static void read_mp_table(void)
{
    const void *p = acpi.apics.present ? NULL : find_root(&mp_root);

    if (p && mp_read(&acpi.apics, p, map_physical))
        klog(LOG_INFO, "MP table: %u processors\n", acpi.apics.cpus);
}

void acpi_init(const void *rsdp, unsigned len)
{
    read_acpi(rsdp, len);
    read_mp_table();
}

/* ---- ACPI mode ---- */

static bool in_acpi_mode(void)
{
    return inw((uint16_t)acpi.power.pm1a_control) & PM1_SCI_EN;
}

/* Firmware hands the registers over when asked through the SMI port. */
static bool enter_acpi_mode(void)
{
    const struct acpi_power *p = &acpi.power;

    if (!p->present || !p->pm1a_control)
        return false;
    if (in_acpi_mode())
        return true;
    if (!p->smi_command || !p->enable)
        return false;
    outb((uint16_t)p->smi_command, p->enable);
    for (uint32_t i = 0; i < ENABLE_SPIN && !in_acpi_mode(); i++)
        io_delay();
    return in_acpi_mode();
}

/* ---- The power button ---- */

/* Writes one to the status bits that are set among mask; returns those. */
static uint16_t take_events(uint32_t port, uint16_t mask)
{
    uint16_t set;

    if (!port)
        return 0;
    set = inw((uint16_t)port) & mask;
    if (set)
        outw((uint16_t)port, set);
    return set;
}

static void sci(void *arg)
{
    uint16_t events;

    (void)arg;
    events = take_events(acpi.power.pm1a_event, PM1_BUTTON);
    events |= take_events(acpi.power.pm1b_event, PM1_BUTTON);
    if (events & PM1_BUTTON)
        power_button();
}

/* The enable registers are the second half of the event blocks. All but the button stays silent:
 * what else raises the line needs an interpreter. */
void acpi_button_init(void)
{
    const struct acpi_power *p = &acpi.power;
    uint16_t half = p->pm1_event_len / 2u;

    if (!p->pm1a_event || !half || !p->power_button || !p->sci_irq || !enter_acpi_mode())
        return;
    take_events(p->pm1a_event, 0xffff);
    take_events(p->pm1b_event, 0xffff);
    if (irq_register(p->sci_irq, sci, NULL))
        return;
    outw((uint16_t)(p->pm1a_event + half), PM1_BUTTON);
    if (p->pm1b_event)
        outw((uint16_t)(p->pm1b_event + half), PM1_BUTTON);
}

/* ---- Off and again ---- */

static void sleep_control(uint32_t port, uint8_t type)
{
    uint16_t value;

    if (!port)
        return;
    value = inw((uint16_t)port) & (uint16_t) ~(PM1_SLP_TYP | PM1_SLP_EN);
    outw((uint16_t)port, (uint16_t)(value | (type & 7u) << SLP_SHIFT | PM1_SLP_EN));
}

void acpi_power_off(void)
{
    if (!acpi_find_off(&acpi) || !enter_acpi_mode())
        return;
    sleep_control(acpi.power.pm1a_control, acpi.power.off_a);
    sleep_control(acpi.power.pm1b_control, acpi.power.off_b);
}

void acpi_reset(void)
{
    const struct acpi_power *p = &acpi.power;
    volatile uint8_t *memory;

    if (!p->has_reset)
        return;
    if (p->reset.space == ACPI_SPACE_IO) {
        outb((uint16_t)p->reset.address, p->reset_value);
    } else if (p->reset.space == ACPI_SPACE_PCI) {
        /* bus 0: device in bits 32 to 47, function in 16 to 31, register below */
        uint32_t device = (uint32_t)(p->reset.address >> 32) & 0x1f;
        uint32_t function = (uint32_t)(p->reset.address >> 16) & 7;
        uint32_t reg = (uint32_t)p->reset.address & 0xff;
        outl(0xcf8, 0x80000000u | device << 11 | function << 8 | (reg & ~3u));
        outb((uint16_t)(0xcfc + (reg & 3)), p->reset_value);
    } else if (p->reset.address <= UINT32_MAX) {
        memory = map_device((paddr_t)p->reset.address, 1, PTE_PCD);
        if (memory)
            *memory = p->reset_value;
    }
}
