/*
 * The PC's partition table: four primary partitions in block 0; an extended one holds a chain of
 * tables, each with one logical partition and a link. Links count from the start of the extended
 * partition, partitions from the table that tells of them.
 */
#include "fs/block/table.h"

#define ENTRIES_AT  446
#define ENTRY_BYTES 16
#define LOGICAL_MAX 60 /* a chain may be a ring */

struct mbr_entry {
    uint8_t boot, type;
    uint32_t start, blocks;
};

static struct mbr_entry entry_at(const uint8_t *block, unsigned i)
{
    const uint8_t *p = block + ENTRIES_AT + i * ENTRY_BYTES;

    return (struct mbr_entry){p[0], p[4], load_le32(p + 8), load_le32(p + 12)};
}

static bool is_extended(const struct mbr_entry *e)
{
    return e->blocks && (e->type == 0x05 || e->type == 0x0f || e->type == 0x85);
}

/* A boot sector of a file system has the signature too, but code where the table would be. */
static bool is_table(const uint8_t *block)
{
    if (block[510] != 0x55 || block[511] != 0xaa)
        return false;
    for (unsigned i = 0; i < 4; i++)
        if (entry_at(block, i).boot & 0x7f)
            return false;
    return true;
}

static void read_chain(struct table *t, uint64_t first)
{
    unsigned ratio = t->block_size / 512, number = 5;
    uint64_t at = first;

    for (unsigned n = 0; n < LOGICAL_MAX; n++) {
        struct mbr_entry link = {0};

        if (at * ratio >= t->sectors || t->read(t->ctx, at, t->buf) || !is_table(t->buf))
            return;
        for (unsigned i = 0; i < 4; i++) {
            struct mbr_entry e = entry_at(t->buf, i);

            if (is_extended(&e))
                link = link.blocks ? link : e;
            else if (e.blocks && e.type)
                table_add(t, number++, (at + e.start) * ratio, (uint64_t)e.blocks * ratio);
        }
        if (!link.blocks)
            return;
        at = first + link.start;
    }
}

bool mbr_read(struct table *t)
{
    unsigned ratio = t->block_size / 512;
    struct mbr_entry e[4];
    uint64_t chain = 0;

    if (!is_table(t->buf))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t start, sectors;

        e[i] = entry_at(t->buf, i);
        start = (uint64_t)e[i].start * ratio;
        sectors = (uint64_t)e[i].blocks * ratio;
        if (is_extended(&e[i])) {
            /* Itself it is two sectors, room for a boot loader and no more. */
            chain = chain ? chain : e[i].start;
            table_add(t, i + 1, start, sectors < 2 ? sectors : 2);
        } else if (e[i].type) {
            table_add(t, i + 1, start, sectors);
        }
    }
    if (chain)
        read_chain(t, chain);
    return true;
}
