/*
 * PCI's configuration space by mechanism 1, as far as telling which devices there are: one line in
 * the log for each, for reports of machines. Buses behind bridges are found through their bridges.
 * [PCI 3.0, 3.2.2.3]
 */
#include "arch/io.h"
#include "drivers/drivers.h"
#include "kernel/base/log.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u

#define REG_ID         0x00u
#define REG_CLASS      0x08u
#define REG_HEADER     0x0cu
#define REG_BUSES      0x18u /* of a bridge */
#define REG_INTERRUPT  0x3cu
#define HEADER_MANY    0x800000u /* has more functions than one */
#define HEADER_TYPE(h) ((h) >> 16 & 0x7f)
#define TYPE_BRIDGE    1u
#define NOBODY         0xffffffffu
#define MAX_DEVICES    64u

static uint32_t config_read(uint32_t where, uint32_t reg)
{
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | where | reg);
    return inl(CONFIG_DATA);
}

/* A function; where is its place in a configuration address. Marks the bus behind a bridge in
 * buses. */
static void look_at(uint32_t where, uint8_t buses[32])
{
    uint32_t id = config_read(where, REG_ID), class = config_read(where, REG_CLASS) >> 8;
    uint32_t line = config_read(where, REG_INTERRUPT), behind;

    klog(LOG_DEBUG, "PCI %02x:%02x.%x %04x:%04x class %06x, line %u, pin %u\n",
         (unsigned)(where >> 16 & 0xff), (unsigned)(where >> 11 & 31), (unsigned)(where >> 8 & 7),
         (unsigned)(id & 0xffff), (unsigned)(id >> 16), (unsigned)class, (unsigned)(line & 0xff),
         (unsigned)(line >> 8 & 0xff));
    if (HEADER_TYPE(config_read(where, REG_HEADER)) != TYPE_BRIDGE)
        return;
    behind = config_read(where, REG_BUSES) >> 8 & 0xff;
    if (behind > (where >> 16 & 0xff)) /* buses are numbered downwards: no loops */
        buses[behind / 8] |= (uint8_t)(1u << behind % 8);
}

static unsigned look_at_bus(uint32_t bus, uint8_t buses[32])
{
    unsigned found = 0;

    for (uint32_t device = 0; device < 32; device++) {
        uint32_t where = bus << 16 | device << 11, functions;
        if (config_read(where, REG_ID) == NOBODY)
            continue;
        functions = config_read(where, REG_HEADER) & HEADER_MANY ? 8 : 1;
        for (uint32_t f = 0; f < functions; f++) {
            if (config_read(where | f << 8, REG_ID) == NOBODY)
                continue;
            look_at(where | f << 8, buses);
            found++;
        }
    }
    return found;
}

void pci_log_devices(void)
{
    uint8_t buses[32] = {1}; /* a bit for each that is to be looked at */
    unsigned found = 0;

    outl(CONFIG_ADDRESS, CONFIG_ENABLE);
    if (inl(CONFIG_ADDRESS) != CONFIG_ENABLE)
        return;
    for (uint32_t bus = 0; bus < 256 && found < MAX_DEVICES; bus++)
        if (buses[bus / 8] & 1u << bus % 8)
            found += look_at_bus(bus, buses);
}
