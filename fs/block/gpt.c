/*
 * GUID partition tables. A protective MBR says that there is one; its header in block 1, or the
 * copy in the last block when that is no good, tells where the entries are; checksums guard both.
 * [UEFI 2.10, 5.3]
 */
#include "fs/block/table.h"
#include "libc/string.h"

#define MBR_ENTRIES_AT  446
#define TYPE_PROTECTIVE 0xee
#define HEADER_BYTES    92u
#define ENTRY_BYTES     128u
#define ENTRIES_LIMIT   (1u << 20) /* bytes of entries that are believed */

static bool is_protective(const uint8_t *block)
{
    for (unsigned i = 0; i < 4; i++)
        if (block[MBR_ENTRIES_AT + i * 16 + 4] == TYPE_PROTECTIVE)
            return true;
    return false;
}

struct header {
    uint64_t entries_at; /* block */
    uint32_t count, size, crc;
    uint64_t first, last; /* blocks that partitions may have */
};

/* The header in block at, if it is one and its checksum is right. */
static bool read_header(struct table *t, uint64_t at, struct header *h)
{
    uint8_t *b = t->buf;
    uint32_t bytes, crc;

    if (t->read(t->ctx, at, b) || memcmp(b, "EFI PART", 8) != 0)
        return false;
    bytes = load_le32(b + 12);
    if (bytes < HEADER_BYTES || bytes > t->block_size)
        return false;
    crc = load_le32(b + 16);
    memset(b + 16, 0, 4);
    if (table_crc32(0, b, bytes) != crc || load_le64(b + 24) != at)
        return false;
    *h = (struct header){.first = load_le64(b + 40),
                         .last = load_le64(b + 48),
                         .entries_at = load_le64(b + 72),
                         .count = load_le32(b + 80),
                         .size = load_le32(b + 84),
                         .crc = load_le32(b + 88)};
    return h->size >= ENTRY_BYTES && h->size <= t->block_size && !(h->size & (h->size - 1)) &&
           h->count && h->count <= ENTRIES_LIMIT / h->size && h->first <= h->last;
}

static void add_entry(struct table *t, const struct header *h, unsigned i, const uint8_t *e)
{
    static const uint8_t unused[16];
    uint64_t start = load_le64(e + 32), last = load_le64(e + 40);
    unsigned ratio = t->block_size / 512;

    if (memcmp(e, unused, sizeof(unused)) == 0)
        return;
    if (start < h->first || last > h->last || last < start || last >= t->sectors / ratio)
        return;
    table_add(t, i + 1, start * ratio, (last - start + 1) * ratio);
}

/* All entries; false when their checksum is wrong. */
static bool read_entries(struct table *t, const struct header *h)
{
    uint32_t bytes = h->count * h->size, crc = 0, done = 0;

    t->count = 0;
    while (done < bytes) {
        uint32_t n = bytes - done < t->block_size ? bytes - done : t->block_size;

        if (t->read(t->ctx, h->entries_at + done / t->block_size, t->buf))
            return false;
        crc = table_crc32(crc, t->buf, n);
        for (uint32_t at = 0; at + h->size <= n; at += h->size)
            add_entry(t, h, (done + at) / h->size, t->buf + at);
        done += n;
    }
    return crc == h->crc;
}

bool gpt_read(struct table *t)
{
    uint64_t blocks = t->sectors / (t->block_size / 512);
    struct header h;

    if (!is_protective(t->buf) || blocks < 3)
        return false;
    if (read_header(t, 1, &h) && read_entries(t, &h))
        return true;
    return read_header(t, blocks - 1, &h) && read_entries(t, &h);
}
