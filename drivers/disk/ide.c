/*
 * IDE: a controller has channels, a channel one or two drives, of which one works at a time. Data
 * moves by the bus master's DMA where there is one, else by port I/O, a block for an interrupt.
 * [ATA/ATAPI-6; Programming Interface for Bus Master IDE Controller 1.0]
 */
#include "arch/io.h"
#include "drivers/disk/ata.h"
#include "drivers/disk/disk.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

#define CLASS_IDE  0x0101u
#define NATIVE(ch) (1u << 2 * (ch)) /* in the interface byte: the channel is as its BARs say */
#define BUS_MASTER 0x80u

#define REG_DATA       0u
#define REG_FEATURES   1u
#define REG_COUNT      2u
#define REG_LBA_LOW    3u
#define REG_LBA_MID    4u
#define REG_LBA_HIGH   5u
#define REG_DEVICE     6u
#define REG_COMMAND    7u /* and status */
#define CONTROL_RESET  0x04u
#define CONTROL_NO_IRQ 0x02u
#define DEVICE_FIXED   0xa0u

#define BM_COMMAND 0u
#define BM_STATUS  2u
#define BM_TABLE   4u
#define BM_START   0x01u
#define BM_READ    0x08u /* from the drive */
#define BM_ERROR   0x02u
#define BM_IRQ     0x04u

#define PRD_LAST     0x80000000u
#define PRD_SPAN     0x10000u /* a piece must not cross this */
#define PRDS         (PAGE_SIZE / sizeof(struct prd))
#define MAX_SEGMENTS 256u /* each may become two pieces */
#define READY_SPIN   1000u
#define ATAPI_CHUNK  0xf800u /* bytes of one turn of port I/O */

struct prd {
    uint32_t address, size; /* 16 bits of it, 0 is 64 KiB; PRD_LAST */
};

struct ide_channel;

struct ide_drive {
    struct block_queue queue;
    struct ide_channel *channel;
    struct ata_identity id;
    unsigned unit;
    bool dma;
    struct block_request *request; /* [ch->lock] waits, or is at work */
    struct block_cursor cursor;    /* [ch->lock] where port I/O is */
    uint32_t left;                 /* [ch->lock] bytes that port I/O still has to move */
};

struct ide_channel {
    struct spinlock lock;
    uint16_t io, control, bus_master; /* the last is 0 where there is none */
    struct prd *table;
    struct ide_drive *drive[2];
    struct ide_drive *active; /* [lock] whose command is under way */
    bool resetting;           /* [lock] nothing is started meanwhile */
};

/* ---- Registers ---- */

static uint8_t reg_read(const struct ide_channel *ch, unsigned reg)
{
    return inb((uint16_t)(ch->io + reg));
}

static void reg_write(const struct ide_channel *ch, unsigned reg, uint32_t value)
{
    outb((uint16_t)(ch->io + reg), (uint8_t)value);
}

/* Without acknowledging an interrupt. */
static uint8_t alt_status(const struct ide_channel *ch)
{
    return inb(ch->control);
}

static void select_drive(const struct ide_channel *ch, unsigned unit, uint8_t device)
{
    reg_write(ch, REG_DEVICE, DEVICE_FIXED | unit << 4 | device);
    for (int i = 0; i < 4; i++)
        (void)alt_status(ch);
}

/* Whether (status & mask) becomes want, soon: an idle drive is ready at once. */
static bool soon(const struct ide_channel *ch, uint8_t mask, uint8_t want)
{
    for (unsigned i = 0; i < READY_SPIN; i++) {
        if ((alt_status(ch) & mask) == want)
            return true;
        io_delay();
    }
    return false;
}

/* ---- Moving data ---- */

/* Port I/O: at most bytes of what is left of the request, between its frames and the data register.
 */
static void pio_move(struct ide_drive *d, uint32_t bytes)
{
    uint16_t port = d->channel->io + REG_DATA;
    bool write = d->request->op == BLOCK_WRITE;
    uint32_t len;
    paddr_t pa;

    while (bytes && block_cursor_next(&d->cursor, bytes, &pa, &len)) {
        if (write)
            outsw(port, phys_to_virt(pa), len / 2);
        else
            insw(port, phys_to_virt(pa), len / 2);
        bytes -= len;
        d->left -= len;
    }
    for (; bytes > 1; bytes -= 2) /* more than was asked for */
        (void)inw(port);
}

static void dma_prepare(struct ide_channel *ch, const struct block_request *r)
{
    struct prd *prd = ch->table;
    struct block_cursor c;
    uint32_t len, n;
    paddr_t pa;

    block_cursor_init(&c, r);
    while (block_cursor_next(&c, PRD_SPAN, &pa, &len)) {
        for (; len; pa += n, len -= n) {
            n = PRD_SPAN - (pa & (PRD_SPAN - 1));
            n = n < len ? n : len;
            *prd++ = (struct prd){pa, n & 0xffff};
        }
    }
    KASSERT(prd > ch->table && prd <= ch->table + PRDS);
    prd[-1].size |= PRD_LAST;
    outb((uint16_t)(ch->bus_master + BM_COMMAND), 0);
    outl((uint16_t)(ch->bus_master + BM_TABLE), virt_to_phys(ch->table));
    outb((uint16_t)(ch->bus_master + BM_STATUS), BM_ERROR | BM_IRQ);
}

static void dma_start(const struct ide_channel *ch, bool write)
{
    outb((uint16_t)(ch->bus_master + BM_COMMAND), (write ? 0 : BM_READ) | BM_START);
}

/* ---- Starting ---- */

static void write_command(struct ide_channel *ch, const struct ata_command *c)
{
    if (c->lba48) {
        reg_write(ch, REG_COUNT, c->count >> 8);
        reg_write(ch, REG_LBA_LOW, (uint32_t)(c->lba >> 24));
        reg_write(ch, REG_LBA_MID, (uint32_t)(c->lba >> 32));
        reg_write(ch, REG_LBA_HIGH, (uint32_t)(c->lba >> 40));
    }
    reg_write(ch, REG_COUNT, c->count);
    reg_write(ch, REG_LBA_LOW, (uint32_t)c->lba);
    reg_write(ch, REG_LBA_MID, (uint32_t)(c->lba >> 8));
    reg_write(ch, REG_LBA_HIGH, (uint32_t)(c->lba >> 16));
    reg_write(ch, REG_COMMAND, c->command);
}

/* The packet goes out as data; bytes: the most that a turn of port I/O may move. */
static bool write_packet(struct ide_channel *ch, const uint8_t *cdb, uint32_t bytes, bool dma)
{
    reg_write(ch, REG_FEATURES, dma);
    reg_write(ch, REG_LBA_MID, bytes & 0xff);
    reg_write(ch, REG_LBA_HIGH, bytes >> 8);
    reg_write(ch, REG_COMMAND, ATA_PACKET);
    if (!soon(ch, ATA_STATUS_BUSY | ATA_STATUS_DRQ, ATA_STATUS_DRQ))
        return false;
    outsw(ch->io, cdb, ATA_CDB_BYTES / 2);
    return true;
}

static void start_packet(struct ide_channel *ch, struct ide_drive *d)
{
    uint8_t cdb[ATA_CDB_BYTES];

    select_drive(ch, d->unit, 0);
    ata_cdb_read(cdb, d->request);
    if (write_packet(ch, cdb, ATAPI_CHUNK, d->dma) && d->dma)
        dma_start(ch, false);
}

static void start_command(struct ide_channel *ch, struct ide_drive *d, bool dma)
{
    struct ata_command c = ata_command(&d->id, d->request, dma);

    select_drive(ch, d->unit, c.device);
    write_command(ch, &c);
    if (dma)
        dma_start(ch, d->request->op == BLOCK_WRITE);
    else if (d->request->op == BLOCK_WRITE &&
             soon(ch, ATA_STATUS_BUSY | ATA_STATUS_DRQ, ATA_STATUS_DRQ))
        pio_move(d, d->id.block_size);
}

/* [ch->lock] A drive that does not answer here is found by the queue's clock. */
static void start(struct ide_channel *ch, struct ide_drive *d)
{
    bool dma = d->dma && d->request->op != BLOCK_FLUSH;

    ch->active = d;
    d->left = d->request->bytes;
    block_cursor_init(&d->cursor, d->request);
    select_drive(ch, d->unit, 0);
    if (!soon(ch, ATA_STATUS_BUSY | ATA_STATUS_DRQ, 0))
        return;
    if (dma)
        dma_prepare(ch, d->request);
    if (d->id.atapi)
        start_packet(ch, d);
    else
        start_command(ch, d, dma);
}

static void ide_submit(struct block_queue *q, struct block_request *r)
{
    struct ide_drive *d = q->hardware;
    struct ide_channel *ch = d->channel;

    spin_lock(&ch->lock);
    d->request = r;
    if (!ch->active && !ch->resetting)
        start(ch, d);
    spin_unlock(&ch->lock);
}

/* ---- Completing ---- */

/* [ch->lock] An interrupt of a command by port I/O: more data, or the end. Whether it is over. */
static bool pio_step(struct ide_channel *ch, struct ide_drive *d, uint8_t status)
{
    uint32_t n;

    if (status & (ATA_STATUS_ERROR | ATA_STATUS_FAULT))
        return true;
    if (!(status & ATA_STATUS_DRQ))
        return true;
    n = d->id.block_size;
    if (d->id.atapi)
        n = reg_read(ch, REG_LBA_MID) | (uint32_t)reg_read(ch, REG_LBA_HIGH) << 8;
    pio_move(d, n);
    return !d->id.atapi && d->left == 0 && d->request->op == BLOCK_READ;
}

/* [ch->lock] Looks at the drive that works: 1 when its command is over, with *err. */
static bool step(struct ide_channel *ch, int *err)
{
    struct ide_drive *d = ch->active;
    bool dma = d->dma && d->request->op != BLOCK_FLUSH;
    uint8_t status, bm = 0;
    bool failed;

    if (ch->bus_master) {
        bm = inb((uint16_t)(ch->bus_master + BM_STATUS));
        if (!(bm & BM_IRQ))
            return false;
    }
    if (alt_status(ch) & ATA_STATUS_BUSY)
        return false;
    if (dma)
        outb((uint16_t)(ch->bus_master + BM_COMMAND), 0);
    status = reg_read(ch, REG_COMMAND);
    if (ch->bus_master)
        outb((uint16_t)(ch->bus_master + BM_STATUS), BM_ERROR | BM_IRQ);
    if (!dma && !pio_step(ch, d, status))
        return false;
    failed =
        (status & (ATA_STATUS_ERROR | ATA_STATUS_FAULT)) || (dma ? bm & BM_ERROR : d->left != 0);
    *err = failed ? -EIO : 0;
    return true;
}

/* [ch->lock] The drive that waited, if one did, is next. */
static void start_next(struct ide_channel *ch, const struct ide_drive *last)
{
    struct ide_drive *other = ch->drive[!last->unit];

    ch->active = NULL;
    if (other && other->request)
        start(ch, other);
}

static void ide_interrupt(void *arg)
{
    struct ide_channel *ch = arg;
    struct block_request *done = NULL;
    int err = 0;

    spin_lock(&ch->lock);
    if (!ch->active) {
        (void)reg_read(ch, REG_COMMAND);
        if (ch->bus_master)
            outb((uint16_t)(ch->bus_master + BM_STATUS), BM_IRQ);
    } else if (step(ch, &err)) {
        struct ide_drive *d = ch->active;

        done = d->request;
        d->request = NULL;
        start_next(ch, d);
    }
    spin_unlock(&ch->lock);
    if (done)
        block_complete(done, err);
}

static void ide_poll(struct block_queue *q)
{
    const struct ide_drive *d = q->hardware;

    if (d->channel->active)
        ide_interrupt(d->channel);
}

/* Both drives of the channel are reset; the other one's command starts again. */
static int ide_reset(struct block_queue *q)
{
    struct ide_drive *d = q->hardware, *other;
    struct ide_channel *ch = d->channel;
    bool ready;

    spin_lock(&ch->lock);
    if (ch->bus_master)
        outb((uint16_t)(ch->bus_master + BM_COMMAND), 0);
    outb(ch->control, CONTROL_RESET | CONTROL_NO_IRQ);
    for (int i = 0; i < 10; i++)
        io_delay();
    outb(ch->control, 0);
    d->request = NULL;
    ch->active = NULL;
    ch->resetting = true;
    spin_unlock(&ch->lock);
    ready = block_poll_until(!(alt_status(ch) & ATA_STATUS_BUSY), 10000);
    spin_lock(&ch->lock);
    other = ch->drive[!d->unit];
    ch->resetting = false;
    if (other && other->request)
        start(ch, other);
    spin_unlock(&ch->lock);
    return ready ? 0 : -EIO;
}

static const struct block_driver ide_driver = {
    .name = "IDE",
    .submit = ide_submit,
    .poll = ide_poll,
    .reset = ide_reset,
};

/* ---- Finding drives: by polling, interrupts off ---- */

/* Whether something answers: an empty channel's lines float high, or its registers keep nothing. */
static bool answers(struct ide_channel *ch, unsigned unit)
{
    select_drive(ch, unit, 0);
    if (alt_status(ch) == 0xff)
        return false;
    reg_write(ch, REG_COUNT, 0x55);
    reg_write(ch, REG_LBA_LOW, 0xaa);
    return reg_read(ch, REG_COUNT) == 0x55 && reg_read(ch, REG_LBA_LOW) == 0xaa;
}

static bool wait_idle(struct ide_channel *ch, uint32_t ms)
{
    if (soon(ch, ATA_STATUS_BUSY, 0))
        return true;
    return block_poll_until(!(alt_status(ch) & ATA_STATUS_BUSY), ms);
}

static bool read_words(struct ide_channel *ch, unsigned unit, uint8_t command, uint16_t *words)
{
    select_drive(ch, unit, 0);
    reg_write(ch, REG_COMMAND, command);
    if (!alt_status(ch) || !wait_idle(ch, 2000) ||
        (alt_status(ch) & (ATA_STATUS_ERROR | ATA_STATUS_DRQ)) != ATA_STATUS_DRQ)
        return false;
    insw(ch->io, words, 256);
    (void)reg_read(ch, REG_COMMAND);
    return true;
}

static bool identify(struct ide_drive *d, uint16_t *words)
{
    struct ide_channel *ch = d->channel;

    if (read_words(ch, d->unit, ATA_IDENTIFY, words))
        return ata_identity(&d->id, words, false);
    /* A packet device refuses, and leaves its signature. */
    if (reg_read(ch, REG_LBA_MID) != 0x14 || reg_read(ch, REG_LBA_HIGH) != 0xeb)
        return false;
    return read_words(ch, d->unit, ATA_IDENTIFY_PACKET, words) && ata_identity(&d->id, words, true);
}

/* The size of the CD that is in, or 0. The first commands after a reset may only say that there was
 * one. */
static uint64_t read_capacity(struct ide_drive *d)
{
    uint8_t cdb[ATA_CDB_BYTES] = {ATA_CDB_READ_CAPACITY};
    struct ide_channel *ch = d->channel;
    uint16_t answer[4];

    for (int tries = 0; tries < 4; tries++) {
        select_drive(ch, d->unit, 0);
        if (!write_packet(ch, cdb, sizeof(answer), false) || !wait_idle(ch, 5000))
            return 0;
        if ((alt_status(ch) & (ATA_STATUS_ERROR | ATA_STATUS_DRQ)) == ATA_STATUS_DRQ) {
            insw(ch->io, answer, sizeof(answer) / 2);
            wait_idle(ch, 1000);
            (void)reg_read(ch, REG_COMMAND);
            return ata_cd_sectors((const uint8_t *)answer);
        }
    }
    return 0;
}

static void find_drive(struct ide_channel *ch, unsigned unit, uint16_t *words)
{
    char value[8];
    struct ide_drive *d;

    if (!answers(ch, unit) || !wait_idle(ch, 5000))
        return;
    d = kzalloc(sizeof(*d));
    if (!d)
        return;
    d->channel = ch;
    d->unit = unit;
    if (!identify(d, words)) {
        kmfree(d);
        return;
    }
    if (d->id.atapi)
        d->id.sectors = read_capacity(d);
    d->dma = d->id.dma && ch->bus_master;
    if (boot_option("libata.dma", value, sizeof(value)) && value[0] == '0')
        d->dma = false;
    ch->drive[unit] = d;
}

static void register_drive(struct ide_drive *d)
{
    struct block_queue *q = &d->queue;

    klog(LOG_INFO, "IDE %x.%u: %s, %s\n", d->channel->io, d->unit, d->id.model,
         d->dma ? "DMA" : "port I/O");
    d->id.dma = d->dma;
    ata_fill_queue(q, &d->id);
    q->driver = &ide_driver;
    q->hardware = d;
    q->depth = 1;
    q->max_segments = MAX_SEGMENTS;
    block_register(q, d->id.atapi ? BLOCK_SR : BLOCK_SD);
}

/* A channel, if anything is on it. irq: registers its handler. */
static void set_up_channel(struct ide_channel *probe, const struct pci_device *d, unsigned line)
{
    struct ide_channel *ch = kmalloc(sizeof(*ch));
    uint16_t *words = kalloc();
    int err;

    if (!ch || !words) {
        kmfree(ch);
        if (words)
            kfree(words);
        return;
    }
    *ch = *probe;
    spin_init(&ch->lock, "IDE", LOCK_RANK_LEAF);
    ch->table = ch->bus_master ? kalloc() : NULL;
    if (!ch->table)
        ch->bus_master = 0;
    outb(ch->control, CONTROL_NO_IRQ);
    for (unsigned unit = 0; unit < 2; unit++)
        find_drive(ch, unit, words);
    kfree(words);
    if (!ch->drive[0] && !ch->drive[1]) {
        if (ch->table)
            kfree(ch->table);
        kmfree(ch);
        return;
    }
    err = d ? disk_pci_irq(d, ide_interrupt, ch) : disk_irq(line, ide_interrupt, ch);
    if (err)
        klog(LOG_WARN, "IDE: interrupt line cannot be had (error %d)\n", err);
    outb(ch->control, 0);
    for (unsigned unit = 0; unit < 2; unit++)
        if (ch->drive[unit])
            register_drive(ch->drive[unit]);
}

static const struct ide_channel old_places[2] = {
    {.io = 0x1f0, .control = 0x3f6},
    {.io = 0x170, .control = 0x376},
};

bool ide_probe(struct pci_device *d)
{
    uint16_t bus_master;

    if (d->class >> 8 != CLASS_IDE)
        return false;
    pci_enable(d);
    bus_master = d->class & BUS_MASTER ? pci_bar_port(d, 4) : 0;
    for (unsigned i = 0; i < 2; i++) {
        bool native = d->class & NATIVE(i);
        struct ide_channel ch = old_places[i];

        if (native) {
            ch.io = pci_bar_port(d, 2 * i);
            ch.control = (uint16_t)(pci_bar_port(d, 2 * i + 1) + 2);
        }
        if (bus_master)
            ch.bus_master = (uint16_t)(bus_master + 8 * i);
        if (ch.io)
            set_up_channel(&ch, native ? d : NULL, 14 + i);
    }
    return true;
}

void ide_probe_isa(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct ide_channel ch = old_places[i];

        set_up_channel(&ch, NULL, 14 + i);
    }
}
