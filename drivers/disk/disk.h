/* What the drivers of disks share: each looks for its own controllers and registers their disks. */
#ifndef DRIVERS_DISK_DISK_H
#define DRIVERS_DISK_DISK_H

#include <stdbool.h>
#include "arch/trap.h"
#include "drivers/pci.h"

/* As irq_register and pci_irq, but with irqpoll nothing is registered: disks are looked at by the
 * clock, on machines whose lines do not work. */
int disk_irq(unsigned line, irq_handler_t fn, void *arg);
int disk_pci_irq(const struct pci_device *d, irq_handler_t fn, void *arg);

/* Whether d is one of theirs, which is then set up. May sleep. */
bool ide_probe(struct pci_device *d);
bool ahci_probe(struct pci_device *d);
bool nvme_probe(struct pci_device *d);
bool virtio_blk_probe(struct pci_device *d);
/* IDE at its old ports, on a machine without PCI. */
void ide_probe_isa(void);

#endif
