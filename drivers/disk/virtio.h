/*
 * Virtio devices on PCI, old (port I/O) and new (capabilities), with one queue. [Virtio 1.1, 2.6
 * and 4.1]
 */
#ifndef DRIVERS_DISK_VIRTIO_H
#define DRIVERS_DISK_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>
#include "drivers/pci.h"

#define VIRTIO_VENDOR       0x1af4u
#define VIRTIO_INDIRECT     (1ull << 28)
#define VIRTIO_VERSION_1    (1ull << 32)
#define VIRTQ_MAX           256u
#define VIRTQ_NEXT          1u
#define VIRTQ_DEVICE_WRITES 2u
#define VIRTQ_IS_TABLE      4u

struct virtq_desc {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct virtq_avail {
    uint16_t flags, index;
    uint16_t ring[];
};

struct virtq_used {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[];
};

struct virtio {
    struct pci_device *pci;
    bool modern;
    uint16_t port;                           /* old: where its registers are */
    volatile uint8_t *common, *isr, *config; /* new */
    volatile uint16_t *notify;
    uint64_t features; /* agreed on */
    uint16_t size;     /* descriptors of the queue */
    struct virtq_desc *desc;
    volatile struct virtq_avail *avail;
    volatile struct virtq_used *used;
    uint16_t seen; /* how far used was read */
};

/* Finds the registers. False: it is none of theirs, or cannot be reached. */
bool virtio_find(struct virtio *v, struct pci_device *d);
/* Resets it and agrees on those of wanted that it offers. -errno */
int virtio_begin(struct virtio *v, uint64_t wanted);
/* Sets queue 0 up, with memory made the first time, and lets the device work. -errno */
int virtio_start(struct virtio *v);
uint32_t virtio_config32(const struct virtio *v, unsigned at);
uint8_t virtio_config8(const struct virtio *v, unsigned at);
/* Why it interrupted; asking acknowledges. Bit 0: the queue. */
uint8_t virtio_isr(const struct virtio *v);
/* Gives it the chain that starts at descriptor head. */
void virtio_give(struct virtio *v, uint16_t head);
/* The next chain that it is done with; false: none. */
bool virtio_take(struct virtio *v, uint32_t *head);

#endif
