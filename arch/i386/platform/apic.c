/* The APICs. [SDM 3A 11; Intel 82093AA] */
#include "arch/i386/platform/apic.h"
#include "arch/i386/platform/acpi.h"
#include "arch/i386/i386.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"

#define MSR_APIC_BASE 0x1bu
#define BASE_ENABLED  (1u << 11)
#define BASE_X2APIC   (1u << 10)
#define REG_ID        0x020u
#define REG_PRIORITY  0x080u
#define REG_EOI       0x0b0u
#define REG_LOGICAL   0x0d0u
#define REG_FORMAT    0x0e0u
#define REG_SPURIOUS  0x0f0u
#define REG_COMMAND   0x300u
#define REG_TARGET    0x310u
#define REG_TIMER     0x320u
#define REG_LINT0     0x350u
#define REG_LINT1     0x360u
#define REG_ERROR     0x370u
#define REG_INITIAL   0x380u
#define REG_CURRENT   0x390u
#define REG_DIVIDE    0x3e0u
#define COMMAND_BUSY  0x1000u
#define LOCAL_ENABLED 0x100u
#define LVT_MASKED    0x10000u
#define LVT_PERIODIC  0x20000u
#define LVT_EXTINT    0x700u
#define LVT_NMI       0x400u
#define URGENT_CLASS  0xe0u /* of higher classes than that */
#define DIVIDE_BY_16  0x3u
#define LOCAL_BYTES   0x400u

#define IO_SELECT    0x00u
#define IO_WINDOW    0x10u
#define IO_VERSION   1u
#define IO_ENTRY(n)  (0x10u + 2 * (n))
#define ENTRY_LOW    0x02000u /* active low */
#define ENTRY_LEVEL  0x08000u
#define ENTRY_MASKED 0x10000u
#define IO_BYTES     0x20u

/* The lines that ISA devices have on every PC. 5, 9, 10 and 11 are where firmware puts PCI's; the
 * ACPI line, though it is one of those, is known by name. */
#define ISA_LINES 0xf1dbu

struct io_apic {
    volatile uint32_t *regs;
    uint32_t gsi_base, pins;
};

static volatile uint32_t *local;
static struct io_apic io[ACPI_MAX_IOAPICS];
static unsigned nio;
static uint32_t boot_id; /* register of the first processor, which lines go to */

static uint32_t local_read(uint32_t reg)
{
    return local[reg / 4];
}

static void local_write(uint32_t reg, uint32_t value)
{
    local[reg / 4] = value;
    (void)local[REG_ID / 4]; /* a read makes the write arrive */
}

static uint32_t io_read(const struct io_apic *a, uint32_t reg)
{
    a->regs[IO_SELECT / 4] = reg;
    return a->regs[IO_WINDOW / 4];
}

static void io_write(const struct io_apic *a, uint32_t reg, uint32_t value)
{
    a->regs[IO_SELECT / 4] = reg;
    a->regs[IO_WINDOW / 4] = value;
}

/* ---- Setting up ---- */

/* Why the local APIC is not used, or NULL. */
static const char *local_unusable(void)
{
    uint32_t low, high;

    if (boot_flag("nolapic"))
        return "as the options say";
    if (!(cpu_features & CPU_APIC) || !(cpu_features & CPU_MSR))
        return "the processor has none";
    if (!acpi.apics.present)
        return "no table tells of them";
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_APIC_BASE));
    if (!(low & BASE_ENABLED))
        return "firmware has switched them off";
    if (low & BASE_X2APIC)
        return "firmware has left them in x2APIC mode";
    return NULL;
}

/* Virtual wire: what the 8259 says goes through LINT0, as it did before; on the first processor
 * only.
 */
static void local_init(bool first)
{
    local_write(REG_FORMAT, 0xffffffffu);
    local_write(REG_LOGICAL, 1u << 24);
    local_write(REG_PRIORITY, 0);
    local_write(REG_TIMER, LVT_MASKED);
    local_write(REG_LINT0, first ? LVT_EXTINT : LVT_MASKED);
    local_write(REG_LINT1, first ? LVT_NMI : LVT_MASKED);
    local_write(REG_ERROR, LVT_MASKED);
    local_write(REG_SPURIOUS, LOCAL_ENABLED | APIC_SPURIOUS_VECTOR);
    local_write(REG_DIVIDE, DIVIDE_BY_16);
    apic_eoi();
}

static void io_init(const struct acpi_ioapic *described)
{
    struct io_apic *a = &io[nio];

    a->regs = map_device(described->address, IO_BYTES, PTE_PCD | PTE_PWT);
    if (!a->regs)
        return;
    a->gsi_base = described->gsi_base;
    a->pins = (io_read(a, IO_VERSION) >> 16 & 0xff) + 1;
    if (a->pins == 256) /* nothing answers there */
        return;
    for (uint32_t pin = 0; pin < a->pins; pin++)
        io_write(a, IO_ENTRY(pin), ENTRY_MASKED);
    nio++;
}

void apic_init(void)
{
    const char *why = local_unusable();

    if (!why) {
        local = map_device(acpi.apics.local_address, LOCAL_BYTES, PTE_PCD | PTE_PWT);
        why = local ? NULL : "there is no room to map them";
    }
    if (why) {
        klog(LOG_INFO, "APIC: not used, %s\n", why);
        return;
    }
    local_init(true);
    boot_id = local_read(REG_ID);
    for (unsigned i = 0; i < acpi.apics.nio && !boot_flag("noapic"); i++)
        io_init(&acpi.apics.io[i]);
    klog(LOG_INFO, "APIC: this processor is number %u of %u; %u for the lines of devices\n",
         (unsigned)(local_read(REG_ID) >> 24), acpi.apics.cpus, nio);
}

bool apic_present(void)
{
    return local;
}

/* ---- Lines ---- */

static const struct io_apic *pin_of(unsigned irq, uint32_t *pin)
{
    uint32_t gsi = acpi.apics.isa[irq].gsi;

    for (unsigned i = 0; i < nio; i++) {
        *pin = gsi - io[i].gsi_base;
        if (gsi >= io[i].gsi_base && *pin < io[i].pins)
            return &io[i];
    }
    return NULL;
}

static void write_entry(unsigned irq, bool masked)
{
    const struct acpi_irq *how = &acpi.apics.isa[irq];
    uint32_t pin = 0, low = TRAP_IRQ_BASE + irq;
    const struct io_apic *a = pin_of(irq, &pin);

    if (how->low)
        low |= ENTRY_LOW;
    if (how->level)
        low |= ENTRY_LEVEL;
    if (masked)
        low |= ENTRY_MASKED;
    io_write(a, IO_ENTRY(pin) + 1, boot_id & 0xff000000u);
    io_write(a, IO_ENTRY(pin), low);
}

bool apic_route(unsigned irq)
{
    uint32_t pin;

    if (irq >= ACPI_ISA_IRQS || !pin_of(irq, &pin))
        return false;
    if (!(ISA_LINES & 1u << irq) && irq != acpi.power.sci_irq)
        return false;
    write_entry(irq, false);
    return true;
}

void apic_mask(unsigned irq, bool masked)
{
    write_entry(irq, masked);
}

void apic_eoi(void)
{
    local[REG_EOI / 4] = 0;
}

/* What the 8259 says has no class. */
void apic_only_urgent(bool on)
{
    uint32_t line = local_read(REG_LINT0);

    if (line & LVT_EXTINT)
        local_write(REG_LINT0, on ? line | LVT_MASKED : line & ~LVT_MASKED);
    local_write(REG_PRIORITY, on ? URGENT_CLASS : 0);
}

/* ---- Other processors ---- */

void apic_init_further(void)
{
    local_init(false);
}

uint32_t apic_id(void)
{
    return local_read(REG_ID) >> 24;
}

void apic_send(uint32_t id, uint32_t what)
{
    uint32_t flags = irq_save();

    while (local_read(REG_COMMAND) & COMMAND_BUSY)
        cpu_relax();
    local_write(REG_TARGET, id << 24);
    local_write(REG_COMMAND, what);
    irq_restore(flags);
}

/* ---- The timer ---- */

void apic_timer_start(uint32_t count, bool periodic)
{
    local_write(REG_TIMER, APIC_TIMER_VECTOR | (periodic ? LVT_PERIODIC : 0));
    local_write(REG_INITIAL, count);
}

void apic_timer_watch(void)
{
    local_write(REG_TIMER, APIC_TIMER_VECTOR | LVT_MASKED);
    local_write(REG_INITIAL, UINT32_MAX);
}

uint32_t apic_timer_count(void)
{
    return local_read(REG_CURRENT);
}
