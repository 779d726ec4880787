/*
 * AHCI: each port has a list of command slots, which its drive works off one after the other. Disks
 * and CD drives. [AHCI 1.3.1]
 *
 * Which of several commands failed is not told reliably: then the port is reset, and until the
 * commands that came back are done, it gets one at a time.
 */
#include "drivers/disk/ata.h"
#include "drivers/disk/disk.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

#define CLASS_AHCI 0x010601u
#define BAR        5u
#define PORTS      32u
#define HBA_BYTES  (0x100u + PORTS * 0x80u)

#define HBA_CONTROL  0x04u
#define HBA_IRQ      0x08u
#define HBA_PORTS    0x0cu
#define CONTROL_AHCI 0x80000000u
#define CONTROL_IRQ  0x2u

#define PORT(n)         (0x100u + 0x80u * (n))
#define PORT_LIST       0x00u
#define PORT_LIST_HIGH  0x04u
#define PORT_FIS        0x08u
#define PORT_FIS_HIGH   0x0cu
#define PORT_IRQ        0x10u
#define PORT_IRQ_ENABLE 0x14u
#define PORT_COMMAND    0x18u
#define PORT_TASK       0x20u
#define PORT_SIGNATURE  0x24u
#define PORT_LINK       0x28u
#define PORT_LINK_CTL   0x2cu
#define PORT_LINK_ERROR 0x30u
#define PORT_ISSUE      0x38u

#define COMMAND_START   0x0001u
#define COMMAND_FIS     0x0010u
#define COMMAND_FIS_ON  0x4000u
#define COMMAND_RUNNING 0x8000u
#define COMMAND_ATAPI   0x01000000u
#define LINK_UP         3u
#define SIGNATURE_ATA   0x00000101u
#define SIGNATURE_ATAPI 0xeb140101u
#define IRQ_ERRORS      0x7d800000u /* the task file's, the host bus's, the interface's */
#define IRQ_WANTED      (IRQ_ERRORS | 0x2fu)

#define SLOTS        16u
#define SEGMENTS     56u /* with what is before them, a command table is 1 KiB */
#define FIS_AT       1024u
#define FIS_TO_DRIVE 0x27u
#define FIS_COMMAND  0x80u
#define FIS_DWORDS   5u
#define HEADER_ATAPI 0x20u
#define HEADER_WRITE 0x40u

struct header {
    uint16_t flags, pieces;
    uint32_t moved, table, table_high, reserved[4];
};

struct table {
    uint8_t fis[64], cdb[16], reserved[48];
    struct {
        uint32_t address, high, reserved, bytes; /* bytes: less one */
    } piece[SEGMENTS];
};
_Static_assert(sizeof(struct table) == 1024, "tables lie within frames");
#define TABLES_PER_FRAME (PAGE_SIZE / sizeof(struct table))

struct ahci;

struct port {
    struct block_queue queue;
    struct ahci *hba;
    unsigned number;
    struct ata_identity id;
    struct spinlock lock;
    struct header *list;
    struct table *table[SLOTS];
    uint32_t ready, issued; /* [lock] slots that wait to be issued, and that are under way */
    bool one_by_one;        /* [lock] to learn who fails */
    bool stopped;           /* [lock] after an error, until it is reset */
};

struct ahci {
    volatile uint8_t *regs;
    struct port *port[PORTS];
};

static uint32_t hba_read(const struct ahci *a, uint32_t reg)
{
    return *(volatile uint32_t *)(a->regs + reg);
}

static void hba_write(const struct ahci *a, uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(a->regs + reg) = value;
}

static uint32_t port_read(const struct port *p, uint32_t reg)
{
    return hba_read(p->hba, PORT(p->number) + reg);
}

static void port_write(const struct port *p, uint32_t reg, uint32_t value)
{
    hba_write(p->hba, PORT(p->number) + reg, value);
}

/* ---- Starting and stopping a port ---- */

static bool stop_port(struct port *p)
{
    uint32_t on = COMMAND_RUNNING | COMMAND_FIS_ON;

    port_write(p, PORT_COMMAND, port_read(p, PORT_COMMAND) & ~(COMMAND_START | COMMAND_FIS));
    return block_poll_until(!(port_read(p, PORT_COMMAND) & on), 1000);
}

/* Wakes the link anew, for a drive that stays busy. */
static void reset_link(struct port *p)
{
    port_write(p, PORT_LINK_CTL, (port_read(p, PORT_LINK_CTL) & ~0xfu) | 1);
    block_pause(UINT32_MAX);
    port_write(p, PORT_LINK_CTL, port_read(p, PORT_LINK_CTL) & ~0xfu);
    (void)block_poll_until((port_read(p, PORT_LINK) & 0xf) == LINK_UP, 2000);
}

static int start_port(struct port *p)
{
    uint8_t busy = ATA_STATUS_BUSY | ATA_STATUS_DRQ;

    port_write(p, PORT_LIST, virt_to_phys(p->list));
    port_write(p, PORT_LIST_HIGH, 0);
    port_write(p, PORT_FIS, virt_to_phys((uint8_t *)p->list + FIS_AT));
    port_write(p, PORT_FIS_HIGH, 0);
    port_write(p, PORT_LINK_ERROR, UINT32_MAX);
    port_write(p, PORT_IRQ, UINT32_MAX);
    port_write(p, PORT_COMMAND, port_read(p, PORT_COMMAND) | COMMAND_FIS);
    if (port_read(p, PORT_TASK) & busy)
        reset_link(p);
    if (!block_poll_until(!(port_read(p, PORT_TASK) & busy), 10000))
        return -EIO;
    port_write(p, PORT_COMMAND, port_read(p, PORT_COMMAND) | COMMAND_START);
    return 0;
}

/* ---- Commands ---- */

static void fill_fis(uint8_t *fis, const struct ata_command *c)
{
    memset(fis, 0, 20);
    fis[0] = FIS_TO_DRIVE;
    fis[1] = FIS_COMMAND;
    fis[2] = c->command;
    fis[4] = (uint8_t)c->lba;
    fis[5] = (uint8_t)(c->lba >> 8);
    fis[6] = (uint8_t)(c->lba >> 16);
    fis[7] = c->device;
    fis[8] = (uint8_t)(c->lba >> 24);
    fis[9] = (uint8_t)(c->lba >> 32);
    fis[10] = (uint8_t)(c->lba >> 40);
    fis[12] = (uint8_t)c->count;
    fis[13] = (uint8_t)(c->count >> 8);
}

/* A packet command; bytes: what a turn may move, for drives that ask. */
static void fill_packet(struct table *t, uint32_t bytes)
{
    struct ata_command c = {.command = ATA_PACKET};

    fill_fis(t->fis, &c);
    t->fis[3] = 1; /* by DMA */
    t->fis[5] = (uint8_t)bytes;
    t->fis[6] = (uint8_t)(bytes >> 8);
}

static void set_piece(struct table *t, unsigned i, paddr_t pa, uint32_t len)
{
    t->piece[i].address = pa;
    t->piece[i].high = t->piece[i].reserved = 0;
    t->piece[i].bytes = len - 1;
}

static void set_header(struct port *p, unsigned slot, uint16_t flags, unsigned pieces)
{
    struct header *h = &p->list[slot];

    h->flags = FIS_DWORDS | flags;
    h->pieces = (uint16_t)pieces;
    h->moved = 0;
    h->table = virt_to_phys(p->table[slot]);
    h->table_high = 0;
}

static void fill_slot(struct port *p, const struct block_request *r)
{
    uint16_t flags = r->op == BLOCK_WRITE ? HEADER_WRITE : 0;
    struct table *t = p->table[r->tag];
    struct ata_command c;
    struct block_cursor at;
    unsigned n = 0;
    uint32_t len;
    paddr_t pa;

    if (p->id.atapi) {
        fill_packet(t, 0xfffe);
        ata_cdb_read(t->cdb, r);
        flags |= HEADER_ATAPI;
    } else {
        c = ata_command(&p->id, r, true);
        fill_fis(t->fis, &c);
    }
    if (r->bytes) {
        block_cursor_init(&at, r);
        for (; block_cursor_next(&at, 1u << 22, &pa, &len); n++)
            set_piece(t, n, pa, len);
    }
    KASSERT(n <= SEGMENTS);
    set_header(p, r->tag, flags, n);
}

/* [lock] */
static void issue(struct port *p)
{
    uint32_t now = p->ready;

    if (!now || p->stopped)
        return;
    if (p->one_by_one)
        now = p->issued ? 0 : now & -now;
    p->ready &= ~now;
    p->issued |= now;
    if (now)
        port_write(p, PORT_ISSUE, now);
}

static void ahci_submit(struct block_queue *q, struct block_request *r)
{
    struct port *p = q->hardware;

    fill_slot(p, r);
    spin_lock(&p->lock);
    p->ready |= 1u << r->tag;
    issue(p);
    spin_unlock(&p->lock);
}

/* ---- Completing ---- */

/* [lock] The slots that are over; of a failed command, when it is known, *failed. */
static uint32_t take_done(struct port *p, uint32_t *failed)
{
    uint32_t irq = port_read(p, PORT_IRQ), done;

    port_write(p, PORT_IRQ, irq);
    done = p->issued & ~port_read(p, PORT_ISSUE);
    *failed = 0;
    if (irq & IRQ_ERRORS) {
        p->stopped = true;
        *failed = (p->issued & (p->issued - 1)) == 0 ? p->issued : 0;
        p->one_by_one = !*failed;
        done = *failed;
    }
    p->issued &= ~done;
    if (!p->issued && !p->ready)
        p->one_by_one = false;
    issue(p);
    return done;
}

static void look_at_port(struct port *p)
{
    uint32_t done, failed;
    bool stopped;

    spin_lock(&p->lock);
    done = take_done(p, &failed);
    stopped = p->stopped;
    spin_unlock(&p->lock);
    for (; done; done &= done - 1)
        block_complete(&p->queue.slots[__builtin_ctz(done)], failed ? -EIO : 0);
    if (stopped)
        block_want_reset(&p->queue);
}

static void ahci_interrupt(void *arg)
{
    struct ahci *a = arg;
    uint32_t ports = hba_read(a, HBA_IRQ);

    for (uint32_t left = ports; left; left &= left - 1) {
        unsigned n = (unsigned)__builtin_ctz(left);

        if (a->port[n])
            look_at_port(a->port[n]);
        else
            hba_write(a, PORT(n) + PORT_IRQ, UINT32_MAX);
    }
    if (ports)
        hba_write(a, HBA_IRQ, ports);
}

static void ahci_poll(struct block_queue *q)
{
    look_at_port(q->hardware);
}

static int ahci_reset(struct block_queue *q)
{
    struct port *p = q->hardware;
    int err = stop_port(p) ? 0 : -EIO;

    if (!err)
        err = start_port(p);
    spin_lock(&p->lock);
    p->ready = p->issued = 0;
    p->stopped = false;
    spin_unlock(&p->lock);
    return err;
}

static const struct block_driver ahci_driver = {
    .name = "AHCI",
    .submit = ahci_submit,
    .poll = ahci_poll,
    .reset = ahci_reset,
};

/* ---- Finding drives: by polling slot 0 ---- */

/* Runs what is in slot 0's table, bytes of data to page. */
static bool run_command(struct port *p, uint16_t flags, void *page, uint32_t bytes)
{
    set_piece(p->table[0], 0, virt_to_phys(page), bytes);
    set_header(p, 0, flags, 1);
    port_write(p, PORT_ISSUE, 1);
    if (!block_poll_until(!(port_read(p, PORT_ISSUE) & 1) || (port_read(p, PORT_IRQ) & IRQ_ERRORS),
                          5000))
        return false;
    if (!(port_read(p, PORT_IRQ) & IRQ_ERRORS))
        return true;
    stop_port(p);
    start_port(p);
    return false;
}

static bool identify(struct port *p, uint8_t *page, bool atapi)
{
    struct ata_command c = {.command = atapi ? ATA_IDENTIFY_PACKET : ATA_IDENTIFY};

    fill_fis(p->table[0]->fis, &c);
    return run_command(p, 0, page, 512) && ata_identity(&p->id, (uint16_t *)page, atapi);
}

/* The first commands after a reset may only say that there was one. */
static uint64_t read_capacity(struct port *p, uint8_t *page)
{
    for (int tries = 0; tries < 4; tries++) {
        fill_packet(p->table[0], 8);
        memset(p->table[0]->cdb, 0, ATA_CDB_BYTES);
        p->table[0]->cdb[0] = ATA_CDB_READ_CAPACITY;
        if (run_command(p, HEADER_ATAPI, page, 8))
            return ata_cd_sectors(page);
    }
    return 0;
}

static int make_memory(struct port *p)
{
    uint8_t *frame = NULL;

    p->list = kalloc_zeroed();
    for (unsigned i = 0; i < SLOTS; i++) {
        if (i % TABLES_PER_FRAME == 0)
            frame = kalloc_zeroed();
        if (!frame || !p->list)
            return -ENOMEM;
        p->table[i] = (struct table *)frame + i % TABLES_PER_FRAME;
    }
    return 0;
}

static bool find_drive(struct port *p, uint8_t *page)
{
    uint32_t signature;

    if (!stop_port(p) || make_memory(p) || start_port(p))
        return false;
    signature = port_read(p, PORT_SIGNATURE);
    if (signature != SIGNATURE_ATA && signature != SIGNATURE_ATAPI)
        return false;
    if (signature == SIGNATURE_ATAPI)
        port_write(p, PORT_COMMAND, port_read(p, PORT_COMMAND) | COMMAND_ATAPI);
    if (!identify(p, page, signature == SIGNATURE_ATAPI))
        return false;
    if (p->id.atapi)
        p->id.sectors = read_capacity(p, page);
    return true;
}

static void fill_queue(struct port *p)
{
    struct block_queue *q = &p->queue;

    p->id.dma = true;
    ata_fill_queue(q, &p->id);
    q->driver = &ahci_driver;
    q->hardware = p;
    q->depth = p->id.atapi ? 1 : SLOTS;
    q->max_segments = SEGMENTS;
    if (q->max_bytes > SEGMENTS * PAGE_SIZE)
        q->max_bytes = SEGMENTS * PAGE_SIZE;
}

/* Memory of a port without a usable drive is not given back: there are few, and only at boot. */
static void set_up_port(struct ahci *a, unsigned n, uint8_t *page)
{
    struct port *p = kzalloc(sizeof(*p));

    if (!p)
        return;
    p->hba = a;
    p->number = n;
    spin_init(&p->lock, "AHCI", LOCK_RANK_LEAF);
    if (!find_drive(p, page)) {
        klog(LOG_INFO, "AHCI port %u: no drive that can be used\n", n);
        return;
    }
    fill_queue(p);
    a->port[n] = p;
    port_write(p, PORT_IRQ, UINT32_MAX);
    port_write(p, PORT_IRQ_ENABLE, IRQ_WANTED);
    klog(LOG_INFO, "AHCI port %u: %s\n", n, p->id.model);
}

static void set_up(struct ahci *a, struct pci_device *d, uint8_t *page)
{
    uint32_t ports;
    int err;

    hba_write(a, HBA_CONTROL, CONTROL_AHCI);
    ports = hba_read(a, HBA_PORTS);
    for (unsigned n = 0; n < PORTS; n++)
        if ((ports & 1u << n) && (hba_read(a, PORT(n) + PORT_LINK) & 0xf) == LINK_UP)
            set_up_port(a, n, page);
    hba_write(a, HBA_IRQ, UINT32_MAX);
    err = disk_pci_irq(d, ahci_interrupt, a);
    if (err)
        klog(LOG_WARN, "AHCI: interrupt line %u cannot be had (error %d)\n", d->line, err);
    hba_write(a, HBA_CONTROL, CONTROL_AHCI | CONTROL_IRQ);
    for (unsigned n = 0; n < PORTS; n++)
        if (a->port[n])
            block_register(&a->port[n]->queue, a->port[n]->id.atapi ? BLOCK_SR : BLOCK_SD);
}

bool ahci_probe(struct pci_device *d)
{
    struct ahci *a;
    uint8_t *page;

    if (d->class != CLASS_AHCI)
        return false;
    a = kzalloc(sizeof(*a));
    page = kalloc();
    if (a && page) {
        pci_enable(d);
        a->regs = pci_bar_map(d, BAR, 0, HBA_BYTES);
        if (a->regs)
            set_up(a, d, page);
    }
    if (page)
        kfree(page);
    return true;
}
