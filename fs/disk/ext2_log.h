/*
 * The log in the format of ext3's journal, big-endian: what ext2_log.c writes and ext2_replay.c
 * reads. Blocks of the journal's inode; the first is its head.
 */
#ifndef FS_DISK_EXT2_LOG_H
#define FS_DISK_EXT2_LOG_H

#include "fs/disk/ext2.h"

#define JOURNAL_MAGIC      0xc03b3998u
#define JOURNAL_DESCRIPTOR 1u /* which blocks follow, and their places */
#define JOURNAL_COMMIT     2u
#define JOURNAL_HEAD       4u          /* the second version of it */
#define JOURNAL_OWNER      0x464c4f47u /* generation of an inode that was made here */

/* Flags of a tag. */
#define TAG_ESCAPED   1u /* the block begins with the magic number, which is zeros here */
#define TAG_SAME_UUID 2u /* else 16 bytes follow the tag */
#define TAG_LAST      8u

struct journal_header {
    uint32_t magic, type, sequence;
};

struct journal_head {
    struct journal_header header;
    uint32_t block_size, blocks, first;
    uint32_t sequence, start; /* of the first that is needed; 0: none is */
    uint32_t error, compat, incompat, ro_compat;
    uint8_t uuid[16];
    uint32_t users;
};

struct journal_tag {
    uint32_t block, flags;
};

static inline uint32_t big(uint32_t n)
{
    return __builtin_bswap32(n);
}

struct ext2_log {
    uint32_t *blocks;       /* a frame: where each block of it is on the disk */
    uint32_t count;         /* of them */
    uint32_t at;            /* the next to write; from 1 on, and around */
    uint32_t tail;          /* the first that a power cut needs; at: none */
    uint32_t sequence;      /* of the next commit */
    bool temporary;         /* it goes with the mount that made it */
    uint32_t staged, place; /* blocks that wait in pages, to be written to place */
    void *pages[8];
};

/* Which journal the file system has: its places and its head. -EINVAL: none that is known here.
 * Frees nothing of what it fills in: ext2_log_free. */
int ext2_log_open(struct ext2_super *s, const struct ext2_raw_super *raw, struct ext2_log **out,
                  struct journal_head *head);
void ext2_log_free(struct ext2_log *log);
int ext2_log_write_head(struct ext2_super *s, struct ext2_log *log, uint32_t start);

#endif
