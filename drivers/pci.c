/*
 * PCI's configuration space by mechanism 1: which functions there are, and access to their
 * registers. Buses behind bridges are found through their bridges. [PCI 3.0, 3.2.2.3]
 */
#include "drivers/pci.h"
#include "arch/io.h"
#include "arch/lock.h"
#include "arch/mmu.h"
#include "kernel/base/log.h"
#include "libc/errno.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u

#define REG_ID             0x00u
#define REG_STATUS         0x06u
#define REG_CLASS          0x08u
#define REG_HEADER         0x0cu
#define REG_BAR(n)         (0x10u + 4 * (n))
#define REG_BUSES          0x18u /* of a bridge */
#define REG_LIMIT          0x22u /* of a bridge's window to memory; the word before says where it starts */
#define REG_LIMIT_PREFETCH 0x26u
#define REG_CAPS           0x34u
#define REG_INTERRUPT      0x3cu
#define HEADER_MANY        0x800000u /* has more functions than one */
#define HEADER_TYPE(h)     ((h) >> 16 & 0x7f)
#define TYPE_BRIDGE        1u
#define CLASS_BRIDGE       0x06u
#define STATUS_CAPS        0x10u
#define BAR_PORT           0x1u
#define BAR_64             0x4u
#define NOBODY             0xffffffffu
#define MEMORY_TOP         0xfec00000u /* from here on, interrupt controllers and firmware */
#define MOVE_MAX           0x1000000u
#define MAX_DEVICES        64u
#define MAX_CAPS           48u /* a chain may be a ring */

static struct spinlock config_lock = SPINLOCK_INIT("PCI", LOCK_RANK_LEAF);
static struct pci_device devices[MAX_DEVICES];
static unsigned device_count;

/* ---- Registers ---- */

static uint32_t config_read(uint32_t where, uint32_t reg)
{
    uint32_t value;

    spin_lock(&config_lock);
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | where | (reg & 0xfcu));
    value = inl(CONFIG_DATA);
    spin_unlock(&config_lock);
    return value;
}

uint32_t pci_read32(const struct pci_device *d, uint32_t reg)
{
    return config_read(d->where, reg);
}

uint16_t pci_read16(const struct pci_device *d, uint32_t reg)
{
    return (uint16_t)(config_read(d->where, reg) >> (reg & 2) * 8);
}

uint8_t pci_read8(const struct pci_device *d, uint32_t reg)
{
    return (uint8_t)(config_read(d->where, reg) >> (reg & 3) * 8);
}

void pci_write32(const struct pci_device *d, uint32_t reg, uint32_t value)
{
    spin_lock(&config_lock);
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | d->where | (reg & 0xfcu));
    outl(CONFIG_DATA, value);
    spin_unlock(&config_lock);
}

void pci_write16(const struct pci_device *d, uint32_t reg, uint16_t value)
{
    spin_lock(&config_lock);
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | d->where | (reg & 0xfcu));
    outw((uint16_t)(CONFIG_DATA + (reg & 2)), value);
    spin_unlock(&config_lock);
}

/* ---- Base registers ---- */

/* Bytes that a register decodes, which it does not meanwhile: its lowest bit that holds. */
static uint32_t bar_size(const struct pci_device *d, unsigned bar)
{
    uint16_t command = pci_read16(d, PCI_COMMAND);
    uint32_t flags = irq_save(), value = pci_read32(d, REG_BAR(bar)), mask;

    pci_write16(d, PCI_COMMAND, command & (uint16_t) ~(PCI_COMMAND_MEMORY | PCI_COMMAND_IO));
    pci_write32(d, REG_BAR(bar), UINT32_MAX);
    mask = pci_read32(d, REG_BAR(bar)) & (value & BAR_PORT ? ~0x3u : ~0xfu);
    pci_write32(d, REG_BAR(bar), value);
    pci_write16(d, PCI_COMMAND, command);
    irq_restore(flags);
    return value & BAR_PORT ? (mask & -mask) & 0xffff : mask & -mask;
}

static void find_ranges(struct pci_device *d, unsigned bars)
{
    for (unsigned bar = 0; bar < bars; bar++) {
        uint32_t value = pci_read32(d, REG_BAR(bar));
        bool wide = (value & (BAR_PORT | BAR_64)) == BAR_64;
        uint32_t base = value & (value & BAR_PORT ? 0xfffcu : ~0xfu);

        if (base && !(wide && (bar + 1 >= bars || pci_read32(d, REG_BAR(bar + 1)))))
            d->ranges[bar] = (struct pci_range){base, bar_size(d, bar), value & BAR_PORT,
                                                value & (value & BAR_PORT ? 0x3 : 0xf)};
        bar += wide;
    }
}

/* ---- Finding ---- */

/* Marks the bus behind a bridge in buses. */
static void look_at(uint32_t where, uint8_t buses[32])
{
    uint32_t id = config_read(where, REG_ID), irq = config_read(where, REG_INTERRUPT), behind;
    bool bridge = HEADER_TYPE(config_read(where, REG_HEADER)) == TYPE_BRIDGE;
    struct pci_device *d = &devices[device_count++];

    *d = (struct pci_device){.where = where,
                             .vendor = (uint16_t)id,
                             .device = (uint16_t)(id >> 16),
                             .class = config_read(where, REG_CLASS) >> 8,
                             .line = (uint8_t)irq,
                             .pin = (uint8_t)(irq >> 8)};
    find_ranges(d, bridge ? 2 : PCI_BARS);
    klog(LOG_DEBUG, "PCI %02x:%02x.%x %04x:%04x class %06x, line %u, pin %u\n",
         (unsigned)(where >> 16 & 0xff), (unsigned)(where >> 11 & 31), (unsigned)(where >> 8 & 7),
         d->vendor, d->device, (unsigned)d->class, d->line, d->pin);
    if (!bridge)
        return;
    behind = config_read(where, REG_BUSES) >> 8 & 0xff;
    if (behind > (where >> 16 & 0xff)) /* buses are numbered downwards: no loops */
        buses[behind / 8] |= (uint8_t)(1u << behind % 8);
}

static void look_at_bus(uint32_t bus, uint8_t buses[32])
{
    for (uint32_t device = 0; device < 32; device++) {
        uint32_t where = bus << 16 | device << 11, functions;

        if (config_read(where, REG_ID) == NOBODY)
            continue;
        functions = config_read(where, REG_HEADER) & HEADER_MANY ? 8 : 1;
        for (uint32_t f = 0; f < functions && device_count < MAX_DEVICES; f++)
            if (config_read(where | f << 8, REG_ID) != NOBODY)
                look_at(where | f << 8, buses);
    }
}

void pci_init(void)
{
    uint8_t buses[32] = {1}; /* a bit for each that is to be looked at */

    outl(CONFIG_ADDRESS, CONFIG_ENABLE);
    if (inl(CONFIG_ADDRESS) != CONFIG_ENABLE)
        return;
    for (uint32_t bus = 0; bus < 256 && device_count < MAX_DEVICES; bus++)
        if (buses[bus / 8] & 1u << bus % 8)
            look_at_bus(bus, buses);
}

struct pci_device *pci_get(unsigned index)
{
    return index < device_count ? &devices[index] : NULL;
}

/* ---- For drivers ---- */

uint16_t pci_bar_port(const struct pci_device *d, unsigned bar)
{
    uint32_t value = pci_read32(d, REG_BAR(bar));

    return value & BAR_PORT ? (uint16_t)(value & 0xfffcu) : 0;
}

/* Where a bridge's window to memory ends, whose limit is in reg; 0: it is closed. */
static uint32_t window_end(const struct pci_device *d, uint32_t reg)
{
    uint16_t from = pci_read16(d, reg - 2) & 0xfff0u, limit = pci_read16(d, reg) & 0xfff0u;

    return limit < from ? 0 : ((uint32_t)limit << 16 | 0xfffff) + 1;
}

/* Where the memory of all devices below 4 GiB ends, or 0. */
static uint32_t memory_end(void)
{
    uint32_t end = 0, base;

    for (unsigned i = 0; i < device_count; i++) {
        const struct pci_device *d = &devices[i];
        bool bridge = HEADER_TYPE(pci_read32(d, REG_HEADER)) == TYPE_BRIDGE;

        for (unsigned bar = 0; bar < PCI_BARS; bar++) {
            const struct pci_range *r = &d->ranges[bar];

            if (r->bytes && !r->ports && r->start + r->bytes > end)
                end = r->start + r->bytes;
        }
        for (uint32_t reg = REG_LIMIT; bridge && reg <= REG_LIMIT_PREFETCH; reg += 4) {
            base = window_end(d, reg);
            end = base > end ? base : end;
        }
    }
    return end;
}

/* Firmware of 64 bits may place a register above 4 GiB, where we do not reach: moves it down,
 * behind all others. Only on the first bus: behind a bridge its window would have to move, too. */
static void move_down(struct pci_device *d, unsigned bar)
{
    uint32_t size = bar_size(d, bar), end = memory_end(), at;
    uint8_t flags = pci_read32(d, REG_BAR(bar)) & 0xf;

    if (d->where >> 16 || !size || size > MOVE_MAX || !end)
        return;
    at = (end + size - 1) & ~(size - 1);
    if (at < end || at + size > MEMORY_TOP)
        return;
    pci_write32(d, REG_BAR(bar), at);
    pci_write32(d, REG_BAR(bar + 1), 0);
    d->ranges[bar] = (struct pci_range){at, size, false, flags};
    klog(LOG_INFO, "PCI %04x:%04x: memory moved to %08x\n", d->vendor, d->device, (unsigned)at);
}

volatile void *pci_bar_map(struct pci_device *d, unsigned bar, uint32_t from, uint32_t bytes)
{
    const struct pci_range *r = &d->ranges[bar < PCI_BARS ? bar : 0];
    uint32_t value = bar < PCI_BARS ? pci_read32(d, REG_BAR(bar)) : BAR_PORT;

    if ((value & (BAR_PORT | BAR_64)) == BAR_64 && bar < 5 && pci_read32(d, REG_BAR(bar + 1)))
        move_down(d, bar);
    if (bar >= PCI_BARS || !r->bytes || r->ports || from > UINT32_MAX - r->start)
        return NULL;
    return map_device(r->start + from, bytes, PTE_PCD | PTE_PWT);
}

void pci_enable(struct pci_device *d)
{
    uint16_t command = pci_read16(d, PCI_COMMAND);

    command |= PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    pci_write16(d, PCI_COMMAND, command & (uint16_t)~PCI_COMMAND_NO_IRQ);
    d->claimed = true;
}

int pci_irq(const struct pci_device *d, irq_handler_t fn, void *arg)
{
    if (!d->pin || d->line >= 16)
        return -EINVAL;
    return irq_register(d->line, fn, arg);
}

uint8_t pci_capability(const struct pci_device *d, uint8_t id, uint8_t at)
{
    if (!(pci_read16(d, REG_STATUS) & STATUS_CAPS))
        return 0;
    at = at ? pci_read8(d, at + 1u) : pci_read8(d, REG_CAPS);
    for (unsigned i = 0; i < MAX_CAPS && at >= 0x40; i++) {
        at &= 0xfcu;
        if (pci_read8(d, at) == id)
            return at;
        at = pci_read8(d, at + 1u);
    }
    return 0;
}

void pci_silence_others(void)
{
    for (unsigned i = 0; i < device_count; i++) {
        struct pci_device *d = &devices[i];

        if (!d->claimed && d->pin && d->class >> 16 != CLASS_BRIDGE)
            pci_write16(d, PCI_COMMAND, pci_read16(d, PCI_COMMAND) | PCI_COMMAND_NO_IRQ);
    }
}
