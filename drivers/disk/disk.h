/* What the drivers of disks share: each looks for its own controllers and registers their disks. */
#ifndef DRIVERS_DISK_DISK_H
#define DRIVERS_DISK_DISK_H

#include <stdbool.h>
#include "drivers/pci.h"

/* Whether d is one of theirs, which is then set up. May sleep. */
bool ide_probe(struct pci_device *d);
bool ahci_probe(struct pci_device *d);
bool nvme_probe(struct pci_device *d);
bool virtio_blk_probe(struct pci_device *d);
/* IDE at its old ports, on a machine without PCI. */
void ide_probe_isa(void);

#endif
