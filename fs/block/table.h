/*
 * Partition tables: MBR with logical partitions, and GPT. Nothing in them is trusted; what does not
 * fit is left out. No hardware: sectors are read through a function.
 */
#ifndef FS_BLOCK_TABLE_H
#define FS_BLOCK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "libc/bytes.h"

#define TABLE_MAX   128 /* partitions of a disk */
#define TABLE_BLOCK 4096u

struct table_entry {
    unsigned number;         /* from 1; logical ones from 5 */
    uint64_t start, sectors; /* of 512 bytes, within the disk */
};

struct table {
    uint64_t sectors;    /* of the disk, of 512 bytes */
    uint32_t block_size; /* its own blocks: 512 to 4096 */
    /* Reads its block n into buf (TABLE_BLOCK bytes of room). 0 or -errno. */
    int (*read)(void *ctx, uint64_t n, uint8_t *buf);
    void *ctx;
    uint8_t *buf;     /* TABLE_BLOCK bytes of room */
    const char *kind; /* out: "dos", "gpt" or NULL */
    unsigned count;   /* out */
    struct table_entry entry[TABLE_MAX];
};

/* Fills in the rest. A disk without a table has none; -errno only when block 0 cannot be read. */
int table_read(struct table *t);

/* mbr.c, gpt.c. buf holds block 0, whose MBR signature is right; whether it is one of theirs. */
bool mbr_read(struct table *t);
bool gpt_read(struct table *t);
/* Adds a partition if it lies within the disk and there is room. */
void table_add(struct table *t, unsigned number, uint64_t start, uint64_t sectors);
uint32_t table_crc32(uint32_t crc, const uint8_t *p, uint32_t len); /* start with 0 */

#endif
