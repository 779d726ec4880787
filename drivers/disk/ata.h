/*
 * ATA and ATAPI, whatever controller is between: what a drive says of itself, and which commands
 * requests become. Pure. [ATA8-ACS, MMC-5]
 */
#ifndef DRIVERS_DISK_ATA_H
#define DRIVERS_DISK_ATA_H

#include "fs/block/driver.h"

#define ATA_IDENTIFY        0xecu
#define ATA_IDENTIFY_PACKET 0xa1u
#define ATA_PACKET          0xa0u

#define ATA_STATUS_ERROR 0x01u
#define ATA_STATUS_DRQ   0x08u
#define ATA_STATUS_FAULT 0x20u
#define ATA_STATUS_BUSY  0x80u

#define ATA_CDB_BYTES 12
#define CD_BLOCK      2048u

struct ata_identity {
    bool atapi, lba48, dma;
    bool has_cache, has_fua;
    bool solid;       /* nothing in it turns */
    uint64_t sectors; /* of 512 bytes */
    uint32_t block_size, physical_size;
    char model[41], firmware[9];
};

/* words: the 256 of IDENTIFY. False: not a disk that can be used. */
bool ata_identity(struct ata_identity *id, const uint16_t *words, bool atapi);

/* A command as the registers take it; a count of 0 is 256 (LBA48: 65536). */
struct ata_command {
    uint8_t command, device;
    uint16_t count;
    uint64_t lba;
    bool lba48;
};
/* The command for a request (of a disk). */
struct ata_command ata_command(const struct ata_identity *id, const struct block_request *r,
                               bool dma);
/* The packet for a request (of a CD). */
void ata_cdb_read(uint8_t cdb[ATA_CDB_BYTES], const struct block_request *r);

/* Sets up what a queue needs to know of the drive. */
void ata_fill_queue(struct block_queue *q, const struct ata_identity *id);
/* A CD's size, from the 8 bytes that READ CAPACITY gives. */
uint64_t ata_cd_sectors(const uint8_t capacity[8]);
#define ATA_CDB_READ_CAPACITY 0x25u
#define ATA_CDB_TEST_READY    0x00u

#endif
