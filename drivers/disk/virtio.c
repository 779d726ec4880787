/* Virtio's transport over PCI. */
#include "drivers/disk/virtio.h"
#include "arch/io.h"
#include "arch/mmu.h"
#include "fs/block/driver.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

/* Old registers, from the port on. */
#define OLD_DEVICE_FEATURES 0u
#define OLD_DRIVER_FEATURES 4u
#define OLD_QUEUE_FRAME     8u
#define OLD_QUEUE_SIZE      12u
#define OLD_QUEUE_SELECT    14u
#define OLD_NOTIFY          16u
#define OLD_STATUS          18u
#define OLD_ISR             19u
#define OLD_CONFIG          20u
#define OLD_RING_ALIGN      4096u

/* New ones, in the common structure. */
#define NEW_DEVICE_SELECT  0u
#define NEW_DEVICE_FEATURE 4u
#define NEW_DRIVER_SELECT  8u
#define NEW_DRIVER_FEATURE 12u
#define NEW_STATUS         20u
#define NEW_QUEUE_SELECT   22u
#define NEW_QUEUE_SIZE     24u
#define NEW_QUEUE_ENABLE   28u
#define NEW_NOTIFY_OFFSET  30u
#define NEW_QUEUE_DESC     32u
#define NEW_QUEUE_AVAIL    40u
#define NEW_QUEUE_USED     48u
#define NEW_SIZE           64u /* descriptors: all rings in one frame */

#define CAP_COMMON 1u
#define CAP_NOTIFY 2u
#define CAP_ISR    3u
#define CAP_DEVICE 4u

#define STATUS_SEEN        1u
#define STATUS_DRIVER      2u
#define STATUS_GO          4u
#define STATUS_FEATURES_OK 8u

#define NO_NOTIFY 1u /* in used->flags */

/* ---- Registers ---- */

static void put8(const struct virtio *v, unsigned at, uint8_t value)
{
    *(v->common + at) = value;
}

static void put16(const struct virtio *v, unsigned at, uint16_t value)
{
    *(volatile uint16_t *)(v->common + at) = value;
}

static void put32(const struct virtio *v, unsigned at, uint32_t value)
{
    *(volatile uint32_t *)(v->common + at) = value;
}

static uint16_t get16(const struct virtio *v, unsigned at)
{
    return *(volatile uint16_t *)(v->common + at);
}

static uint32_t get32(const struct virtio *v, unsigned at)
{
    return *(volatile uint32_t *)(v->common + at);
}

static uint8_t get_status(const struct virtio *v)
{
    return v->modern ? *(v->common + NEW_STATUS) : inb((uint16_t)(v->port + OLD_STATUS));
}

static void set_status(const struct virtio *v, uint8_t status)
{
    if (v->modern)
        put8(v, NEW_STATUS, status);
    else
        outb((uint16_t)(v->port + OLD_STATUS), status);
}

uint32_t virtio_config32(const struct virtio *v, unsigned at)
{
    return v->modern ? *(volatile uint32_t *)(v->config + at)
                     : inl((uint16_t)(v->port + OLD_CONFIG + at));
}

uint8_t virtio_config8(const struct virtio *v, unsigned at)
{
    return v->modern ? *(v->config + at) : inb((uint16_t)(v->port + OLD_CONFIG + at));
}

uint8_t virtio_isr(const struct virtio *v)
{
    return v->modern ? *v->isr : inb((uint16_t)(v->port + OLD_ISR));
}

/* ---- Finding the registers ---- */

/* What a capability tells of, mapped; the place of queue 0's bell needs the notify offset. */
static volatile uint8_t *map_structure(const struct virtio *v, uint8_t type, uint32_t more)
{
    struct pci_device *d = v->pci;

    for (uint8_t at = 0; (at = pci_capability(d, PCI_CAP_VENDOR, at));) {
        uint32_t offset = pci_read32(d, at + 8u), length = pci_read32(d, at + 12u);

        if (pci_read8(d, at + 3u) != type)
            continue;
        if (type == CAP_NOTIFY)
            more *= pci_read32(d, at + 16u);
        if (more > length)
            return NULL;
        length -= more;
        return pci_bar_map(d, pci_read8(d, at + 4u), offset + more,
                           length < PAGE_SIZE ? length : PAGE_SIZE);
    }
    return NULL;
}

static bool find_modern(struct virtio *v)
{
    v->common = map_structure(v, CAP_COMMON, 0);
    v->isr = map_structure(v, CAP_ISR, 0);
    v->config = map_structure(v, CAP_DEVICE, 0);
    if (!v->common || !v->isr || !v->config)
        return false;
    put16(v, NEW_QUEUE_SELECT, 0);
    v->notify = (volatile uint16_t *)map_structure(v, CAP_NOTIFY, get16(v, NEW_NOTIFY_OFFSET));
    return v->notify != NULL;
}

bool virtio_find(struct virtio *v, struct pci_device *d)
{
    *v = (struct virtio){.pci = d};
    pci_enable(d);
    v->modern = find_modern(v);
    if (!v->modern)
        v->port = pci_bar_port(d, 0);
    return v->modern || v->port;
}

/* ---- Setting up ---- */

static uint64_t offered(const struct virtio *v)
{
    uint64_t low, high;

    if (!v->modern)
        return inl((uint16_t)(v->port + OLD_DEVICE_FEATURES));
    put32(v, NEW_DEVICE_SELECT, 0);
    low = get32(v, NEW_DEVICE_FEATURE);
    put32(v, NEW_DEVICE_SELECT, 1);
    high = get32(v, NEW_DEVICE_FEATURE);
    return low | high << 32;
}

static void accept(const struct virtio *v)
{
    if (!v->modern) {
        outl((uint16_t)(v->port + OLD_DRIVER_FEATURES), (uint32_t)v->features);
        return;
    }
    put32(v, NEW_DRIVER_SELECT, 0);
    put32(v, NEW_DRIVER_FEATURE, (uint32_t)v->features);
    put32(v, NEW_DRIVER_SELECT, 1);
    put32(v, NEW_DRIVER_FEATURE, (uint32_t)(v->features >> 32));
}

int virtio_begin(struct virtio *v, uint64_t wanted)
{
    set_status(v, 0);
    if (get_status(v) && !block_poll_until(!get_status(v), 1000))
        return -EIO;
    set_status(v, STATUS_SEEN);
    set_status(v, STATUS_SEEN | STATUS_DRIVER);
    v->features = offered(v) & (wanted | VIRTIO_VERSION_1);
    accept(v);
    if (!v->modern)
        return 0;
    set_status(v, STATUS_SEEN | STATUS_DRIVER | STATUS_FEATURES_OK);
    return get_status(v) & STATUS_FEATURES_OK ? 0 : -EIO;
}

/* n frames side by side, zeroed, or NULL. Boot has them in long rows. */
static uint8_t *frames_in_a_row(unsigned n)
{
    void *got[64];
    unsigned count = 0, up = 1, down = 1;
    uint8_t *first = NULL;

    while (!first && count < 64 && (got[count] = kalloc())) {
        if (count) {
            uint8_t *last = got[count - 1], *now = got[count];

            up = now == last + PAGE_SIZE ? up + 1 : 1;
            down = now + PAGE_SIZE == last ? down + 1 : 1;
        }
        count++;
        if (up == n)
            first = got[count - n];
        else if (down == n)
            first = got[count - 1];
    }
    while (count--)
        if (!first || (uint8_t *)got[count] < first ||
            (uint8_t *)got[count] >= first + n * PAGE_SIZE)
            kfree(got[count]);
    if (first)
        memset(first, 0, n * PAGE_SIZE);
    return first;
}

static uint32_t avail_bytes(const struct virtio *v)
{
    return (uint32_t)sizeof(struct virtq_avail) + 2u * v->size + 2;
}

static int make_rings(struct virtio *v)
{
    uint32_t desc_bytes = (uint32_t)sizeof(struct virtq_desc) * v->size;
    uint32_t used_at = desc_bytes + avail_bytes(v), used_bytes = 6 + 8u * v->size;
    uint32_t align = v->modern ? 4 : OLD_RING_ALIGN;
    uint8_t *memory;

    used_at = (used_at + align - 1) & ~(align - 1);
    memory = frames_in_a_row((used_at + used_bytes + PAGE_SIZE - 1) / PAGE_SIZE);
    if (!memory)
        return -ENOMEM;
    v->desc = (struct virtq_desc *)memory;
    v->avail = (volatile struct virtq_avail *)(memory + desc_bytes);
    v->used = (volatile struct virtq_used *)(memory + used_at);
    return 0;
}

static void tell_rings(const struct virtio *v)
{
    if (!v->modern) {
        outl((uint16_t)(v->port + OLD_QUEUE_FRAME), virt_to_phys(v->desc) >> PAGE_SHIFT);
        return;
    }
    put16(v, NEW_QUEUE_SIZE, v->size);
    put32(v, NEW_QUEUE_DESC, virt_to_phys(v->desc));
    put32(v, NEW_QUEUE_DESC + 4, 0);
    put32(v, NEW_QUEUE_AVAIL, virt_to_phys((void *)v->avail));
    put32(v, NEW_QUEUE_AVAIL + 4, 0);
    put32(v, NEW_QUEUE_USED, virt_to_phys((void *)v->used));
    put32(v, NEW_QUEUE_USED + 4, 0);
    put16(v, NEW_QUEUE_ENABLE, 1);
}

static uint16_t queue_size(const struct virtio *v)
{
    uint16_t size;

    if (v->modern) {
        put16(v, NEW_QUEUE_SELECT, 0);
        size = get16(v, NEW_QUEUE_SIZE);
        return size < NEW_SIZE ? size : NEW_SIZE;
    }
    outw((uint16_t)(v->port + OLD_QUEUE_SELECT), 0);
    return inw((uint16_t)(v->port + OLD_QUEUE_SIZE));
}

int virtio_start(struct virtio *v)
{
    int err = 0;

    v->size = queue_size(v);
    if (!v->size || v->size > VIRTQ_MAX)
        return -EIO;
    if (!v->desc)
        err = make_rings(v);
    if (err)
        return err;
    v->avail->index = v->avail->flags = 0;
    v->used->index = v->used->flags = 0;
    v->seen = 0;
    tell_rings(v);
    set_status(v, get_status(v) | STATUS_GO);
    return 0;
}

/* ---- The queue ---- */

void virtio_give(struct virtio *v, uint16_t head)
{
    uint16_t index = v->avail->index;

    v->avail->ring[index % v->size] = head;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    v->avail->index = (uint16_t)(index + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (v->used->flags & NO_NOTIFY)
        return;
    if (v->modern)
        *v->notify = 0;
    else
        outw((uint16_t)(v->port + OLD_NOTIFY), 0);
}

bool virtio_take(struct virtio *v, uint32_t *head)
{
    if (v->seen == v->used->index)
        return false;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    *head = v->used->ring[v->seen % v->size].id;
    v->seen++;
    return true;
}
