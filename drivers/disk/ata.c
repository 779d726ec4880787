/* ATA and ATAPI commands. */
#include "drivers/disk/ata.h"
#include "libc/string.h"

#define READ_PIO      0x20u
#define READ_PIO_EXT  0x24u
#define WRITE_PIO     0x30u
#define WRITE_PIO_EXT 0x34u
#define READ_DMA      0xc8u
#define READ_DMA_EXT  0x25u
#define WRITE_DMA     0xcau
#define WRITE_DMA_EXT 0x35u
#define WRITE_DMA_FUA 0x3du
#define FLUSH         0xe7u
#define FLUSH_EXT     0xeau
#define DEVICE_LBA    0x40u
#define CDB_READ_10   0x28u

#define SECTORS_28 256u
#define SECTORS_48 2048u /* 1 MiB: enough */

/* ---- What a drive says ---- */

/* Texts have their bytes swapped in each word, and blanks at the end. */
static void copy_text(char *to, const uint16_t *words, unsigned count)
{
    unsigned n = 2 * count;

    for (unsigned i = 0; i < count; i++) {
        to[2 * i] = (char)(words[i] >> 8);
        to[2 * i + 1] = (char)words[i];
    }
    while (n && (to[n - 1] == ' ' || to[n - 1] == '\0'))
        n--;
    to[n] = '\0';
}

static void read_block_size(struct ata_identity *id, const uint16_t *w)
{
    id->block_size = SECTOR_SIZE;
    id->physical_size = SECTOR_SIZE;
    if ((w[106] & 0xc000) != 0x4000)
        return;
    if (w[106] & 0x1000)
        id->block_size = 2 * (w[117] | (uint32_t)w[118] << 16);
    id->physical_size = id->block_size << (w[106] & 0x2000 ? w[106] & 0xf : 0);
}

bool ata_identity(struct ata_identity *id, const uint16_t *w, bool atapi)
{
    *id = (struct ata_identity){.atapi = atapi};
    copy_text(id->firmware, w + 23, 4);
    copy_text(id->model, w + 27, 20);
    id->dma = w[49] & 0x100;
    if (atapi) {
        id->block_size = id->physical_size = CD_BLOCK;
        return (w[0] >> 14) == 2 && (w[0] >> 8 & 0x1f) == 5;
    }
    id->lba48 = (w[83] & 0xc400) == 0x4400;
    id->sectors = w[60] | (uint32_t)w[61] << 16;
    if (id->lba48)
        id->sectors = w[100] | (uint32_t)w[101] << 16 | (uint64_t)w[102] << 32;
    read_block_size(id, w);
    id->sectors *= id->block_size / SECTOR_SIZE;
    id->has_cache = (w[82] & 0x20) && (w[85] & 0x20);
    id->has_fua = id->lba48 && (w[84] & 0xc040) == 0x4040;
    id->solid = w[217] == 1;
    return (w[49] & 0x200) && id->sectors && id->block_size >= SECTOR_SIZE &&
           id->block_size <= PAGE_SIZE && !(id->block_size & (id->block_size - 1));
}

uint64_t ata_cd_sectors(const uint8_t c[8])
{
    uint32_t last = (uint32_t)c[0] << 24 | (uint32_t)c[1] << 16 | (uint32_t)c[2] << 8 | c[3];
    uint32_t size = (uint32_t)c[4] << 24 | (uint32_t)c[5] << 16 | (uint32_t)c[6] << 8 | c[7];

    return size == CD_BLOCK && last != UINT32_MAX ? ((uint64_t)last + 1) * (CD_BLOCK / 512) : 0;
}

void ata_fill_queue(struct block_queue *q, const struct ata_identity *id)
{
    uint32_t most = (id->lba48 ? SECTORS_48 : SECTORS_28) * id->block_size;

    q->max_bytes = id->atapi || most < BLOCK_IO_MAX ? BLOCK_IO_MAX : most;
    q->solid = id->solid;
    q->has_cache = id->has_cache;
    q->has_fua = id->has_fua && id->dma;
    q->whole.sectors = id->sectors;
    q->whole.block_size = id->block_size;
    q->whole.physical_size = id->physical_size;
    q->whole.read_only = q->whole.removable = id->atapi;
    q->timeout_ms = id->atapi ? 30000 : 10000;
    strlcpy(q->model, id->model, sizeof(q->model));
    strlcpy(q->firmware, id->firmware, sizeof(q->firmware));
}

/* ---- Commands ---- */

static uint8_t opcode(const struct ata_identity *id, const struct block_request *r, bool dma)
{
    bool write = r->op == BLOCK_WRITE;

    if (r->op == BLOCK_FLUSH)
        return id->lba48 ? FLUSH_EXT : FLUSH;
    if (!dma)
        return id->lba48 ? (write ? WRITE_PIO_EXT : READ_PIO_EXT) : (write ? WRITE_PIO : READ_PIO);
    if (!id->lba48)
        return write ? WRITE_DMA : READ_DMA;
    if (write && (r->flags & BLOCK_FUA))
        return WRITE_DMA_FUA;
    return write ? WRITE_DMA_EXT : READ_DMA_EXT;
}

struct ata_command ata_command(const struct ata_identity *id, const struct block_request *r,
                               bool dma)
{
    struct ata_command c = {.command = opcode(id, r, dma), .lba48 = id->lba48};

    c.device = DEVICE_LBA;
    if (r->op == BLOCK_FLUSH)
        return c;
    c.lba = r->sector / (id->block_size / SECTOR_SIZE);
    c.count = (uint16_t)(r->bytes / id->block_size);
    if (!id->lba48)
        c.device |= (uint8_t)(c.lba >> 24 & 0xf);
    return c;
}

void ata_cdb_read(uint8_t cdb[ATA_CDB_BYTES], const struct block_request *r)
{
    uint32_t lba = (uint32_t)(r->sector / (CD_BLOCK / SECTOR_SIZE)), count = r->bytes / CD_BLOCK;

    memset(cdb, 0, ATA_CDB_BYTES);
    cdb[0] = CDB_READ_10;
    cdb[2] = (uint8_t)(lba >> 24);
    cdb[3] = (uint8_t)(lba >> 16);
    cdb[4] = (uint8_t)(lba >> 8);
    cdb[5] = (uint8_t)lba;
    cdb[7] = (uint8_t)(count >> 8);
    cdb[8] = (uint8_t)count;
}
