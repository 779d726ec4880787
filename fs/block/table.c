/* Which table a disk has, and what both kinds share. */
#include "fs/block/table.h"

#define SIGNATURE_AT 510

void table_add(struct table *t, unsigned number, uint64_t start, uint64_t sectors)
{
    struct table_entry *e = &t->entry[t->count];

    if (t->count == TABLE_MAX || !sectors || start >= t->sectors || sectors > t->sectors - start)
        return;
    *e = (struct table_entry){.number = number, .start = start, .sectors = sectors};
    t->count++;
}

uint32_t table_crc32(uint32_t crc, const uint8_t *p, uint32_t len)
{
    crc = ~crc;
    while (len--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

int table_read(struct table *t)
{
    int err = t->read(t->ctx, 0, t->buf);

    t->kind = NULL;
    t->count = 0;
    if (err)
        return err;
    if (t->buf[SIGNATURE_AT] != 0x55 || t->buf[SIGNATURE_AT + 1] != 0xaa)
        return 0;
    if (gpt_read(t)) {
        t->kind = "gpt";
        return 0;
    }
    t->count = 0;
    if (t->read(t->ctx, 0, t->buf) == 0 && mbr_read(t))
        t->kind = "dos";
    return 0;
}
