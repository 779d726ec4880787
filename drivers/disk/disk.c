/* Finds the disks of the machine. */
#include "drivers/disk/disk.h"
#include "fs/block/block.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"

static bool (*const probes[])(struct pci_device *) = {
    ide_probe,
    ahci_probe,
    nvme_probe,
    virtio_blk_probe,
};

#define PROBES (sizeof(probes) / sizeof(probes[0]))

int disk_irq(unsigned line, irq_handler_t fn, void *arg)
{
    return boot_flag("irqpoll") ? 0 : irq_register(line, fn, arg);
}

int disk_pci_irq(const struct pci_device *d, irq_handler_t fn, void *arg)
{
    return boot_flag("irqpoll") ? 0 : pci_irq(d, fn, arg);
}

static void disk_init(void)
{
    struct pci_device *d;

    pci_init();
    block_init();
    if (boot_flag("nodisks"))
        return;
    for (unsigned p = 0; p < PROBES; p++)
        for (unsigned i = 0; (d = pci_get(i)); i++)
            if (!d->claimed)
                probes[p](d);
    if (!pci_get(0))
        ide_probe_isa();
    pci_silence_others();
}
INIT_AT(INIT_DISK, disk_init);
