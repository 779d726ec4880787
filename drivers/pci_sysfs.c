/*
 * PCI functions in /sys, as lspci and udevadm read them; and which ports and memory they answer at,
 * for /proc/ioports and /proc/iomem.
 */
#include "arch/resource.h"
#include "drivers/pci.h"
#include "fs/sys/sysfs.h"
#include "kernel/base/init.h"
#include "libc/printf.h"

#define CONFIG_BYTES 256u
#define IO_FLAGS     0x100u /* Linux's resource flags, which lspci looks at */
#define MEMORY_FLAGS 0x200u

static unsigned bus_of(const struct pci_device *d)
{
    return d->where >> 16 & 0xff;
}

static void name_of(const struct pci_device *d, char *buf, size_t size)
{
    snprintf(buf, size, "0000:%02x:%02x.%x", bus_of(d), (unsigned)(d->where >> 11 & 31),
             (unsigned)(d->where >> 8 & 7));
}

/* ---- Files ---- */

static int show_vendor(struct text *t, void *arg)
{
    text_printf(t, "0x%04x\n", ((struct pci_device *)arg)->vendor);
    return 0;
}

static int show_device(struct text *t, void *arg)
{
    text_printf(t, "0x%04x\n", ((struct pci_device *)arg)->device);
    return 0;
}

static int show_subsystem_vendor(struct text *t, void *arg)
{
    text_printf(t, "0x%04x\n", pci_read16(arg, PCI_SUBSYSTEM_VENDOR));
    return 0;
}

static int show_subsystem_device(struct text *t, void *arg)
{
    text_printf(t, "0x%04x\n", pci_read16(arg, PCI_SUBSYSTEM));
    return 0;
}

static int show_class(struct text *t, void *arg)
{
    text_printf(t, "0x%06x\n", ((struct pci_device *)arg)->class);
    return 0;
}

static int show_revision(struct text *t, void *arg)
{
    text_printf(t, "0x%02x\n", pci_read8(arg, PCI_REVISION));
    return 0;
}

static int show_irq(struct text *t, void *arg)
{
    const struct pci_device *d = arg;

    text_printf(t, "%u\n", d->pin ? d->line : 0);
    return 0;
}

/* The registers, as they are. */
static int show_config(struct text *t, void *arg)
{
    for (uint32_t reg = 0; reg < CONFIG_BYTES; reg += 4) {
        uint32_t value = pci_read32(arg, reg);

        text_write(t, &value, sizeof(value));
    }
    return 0;
}

/* Six base registers and the ROM's, then those of bridges: start, end, flags. */
static int show_resources(struct text *t, void *arg)
{
    const struct pci_device *d = arg;

    for (unsigned i = 0; i < 13; i++) {
        const struct pci_range *r = i < PCI_BARS ? &d->ranges[i] : NULL;
        unsigned long long start = r && r->bytes ? r->start : 0;

        text_printf(t, "0x%016llx 0x%016llx 0x%016llx\n", start,
                    start ? start + r->bytes - 1 : 0ull,
                    start ? (r->ports ? IO_FLAGS : MEMORY_FLAGS) | r->flags : 0ull);
    }
    return 0;
}

static int show_uevent(struct text *t, void *arg)
{
    const struct pci_device *d = arg;
    char name[16];

    name_of(d, name, sizeof(name));
    text_printf(t, "PCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\nPCI_SLOT_NAME=%s\n",
                (unsigned)d->class, d->vendor, d->device, pci_read16(d, PCI_SUBSYSTEM_VENDOR),
                pci_read16(d, PCI_SUBSYSTEM), name);
    return 0;
}

/* ---- Making them ---- */

static void add_files(struct sys_node *dir, struct pci_device *d)
{
    static const struct {
        const char *name;
        sys_show show;
    } files[] = {
        {"class", show_class},
        {"config", show_config},
        {"device", show_device},
        {"irq", show_irq},
        {"resource", show_resources},
        {"revision", show_revision},
        {"subsystem_device", show_subsystem_device},
        {"subsystem_vendor", show_subsystem_vendor},
        {"uevent", show_uevent},
        {"vendor", show_vendor},
    };

    for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++)
        (void)sysfs_file(dir, files[i].name, files[i].show, NULL, d);
    (void)sysfs_link(dir, "subsystem", "../../../bus/pci");
}

/* All hang below the first bus: which bridge leads to one is told by no tool that is known. */
static void add_device(struct sys_node *devices, struct sys_node *links, struct pci_device *d)
{
    char name[16], target[64];
    struct sys_node *dir;

    name_of(d, name, sizeof(name));
    dir = sysfs_dir(devices, name);
    if (!dir)
        return;
    add_files(dir, d);
    snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s", name);
    (void)sysfs_link(links, name, target);
}

static void pci_sysfs_init(void)
{
    struct sys_node *links = sysfs_path("bus/pci/devices");
    struct sys_node *devices = sysfs_path("devices/pci0000:00");
    struct pci_device *d;

    for (unsigned i = 0; links && devices && (d = pci_get(i)); i++)
        add_device(devices, links, d);
}
INIT_AT(INIT_SYSFS, pci_sysfs_init);

static void add_ranges(const struct pci_device *d)
{
    char name[16];

    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_range *r = &d->ranges[i];

        if (!r->bytes)
            continue;
        name_of(d, name, sizeof(name));
        resource_add(r->ports ? RESOURCE_PORTS : RESOURCE_MEMORY, r->start, r->start + r->bytes - 1,
                     name);
    }
}

static void pci_resources_init(void)
{
    const struct pci_device *d;

    for (unsigned i = 0; (d = pci_get(i)); i++)
        add_ranges(d);
}
INIT_AT(INIT_DEVICE, pci_resources_init);
