/*
 * PCI: the functions that there are, and what a driver does with one. The table is made once at
 * boot; who drives a function claims it.
 */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/trap.h"

#define PCI_BARS 6

struct pci_range { /* that a base register decodes; bytes 0: it is none, or above 4 GiB */
    uint32_t start, bytes;
    bool ports;
    uint8_t flags; /* the register's lowest bits */
};

struct pci_device {
    uint32_t where; /* its place in a configuration address */
    uint16_t vendor, device;
    uint32_t class; /* class, subclass, interface: 24 bits */
    uint8_t line, pin;
    bool claimed;
    struct pci_range ranges[PCI_BARS]; /* as they are set */
};

#define PCI_REVISION         0x08u
#define PCI_SUBSYSTEM_VENDOR 0x2cu
#define PCI_SUBSYSTEM        0x2eu
#define PCI_COMMAND          0x04u
#define PCI_COMMAND_IO       0x001u
#define PCI_COMMAND_MEMORY   0x002u
#define PCI_COMMAND_MASTER   0x004u
#define PCI_COMMAND_NO_IRQ   0x400u
#define PCI_CAP_VENDOR       0x09u

void pci_init(void); /* finds them; one line in the log for each, at LOG_DEBUG */
/* The index-th function; NULL: no more. */
struct pci_device *pci_get(unsigned index);

uint32_t pci_read32(const struct pci_device *d, uint32_t reg);
uint16_t pci_read16(const struct pci_device *d, uint32_t reg);
uint8_t pci_read8(const struct pci_device *d, uint32_t reg);
void pci_write32(const struct pci_device *d, uint32_t reg, uint32_t value);
void pci_write16(const struct pci_device *d, uint32_t reg, uint16_t value);

/* A base address register: its port (0: it is none), or its memory, mapped uncached (NULL: it is
 * none, or out of reach). bytes: how much of it is used. */
uint16_t pci_bar_port(const struct pci_device *d, unsigned bar);
volatile void *pci_bar_map(struct pci_device *d, unsigned bar, uint32_t from, uint32_t bytes);
/* Lets it answer and reach memory by itself; its interrupt is on. */
void pci_enable(struct pci_device *d);
/* Its interrupt line, shared with others. -errno */
int pci_irq(const struct pci_device *d, irq_handler_t fn, void *arg);
/* The next capability of that kind after at (0: the first), or 0. */
uint8_t pci_capability(const struct pci_device *d, uint8_t id, uint8_t at);
/* After all drivers have looked: what nobody drives must not keep a shared line raised. */
void pci_silence_others(void);

#endif
