/*
 * gzip members (RFC 1952): a header, a DEFLATE stream, and the checksum and length of what it
 * decodes to, without which nothing is accepted.
 */
#include <stdbool.h>
#include "fs/archive/archive.h"
#include "arch/mmu.h"
#include "libc/errno.h"
#include "mm/vm.h"

#define GZIP_HCRC     0x02
#define GZIP_EXTRA    0x04
#define GZIP_NAME     0x08
#define GZIP_COMMENT  0x10
#define GZIP_RESERVED 0xe0
#define GZIP_HEADER   10
#define GZIP_TRAILER  8

struct cursor {
    const uint8_t *at, *end;
};

static uint32_t left(const struct cursor *c)
{
    return (uint32_t)(c->end - c->at);
}

static bool skip_bytes(struct cursor *c, uint32_t n)
{
    if (left(c) < n)
        return false;
    c->at += n;
    return true;
}

static bool skip_string(struct cursor *c)
{
    while (c->at < c->end)
        if (*c->at++ == 0)
            return true;
    return false;
}

static bool skip_extra(struct cursor *c)
{
    const uint8_t *size = c->at;

    return skip_bytes(c, 2) && skip_bytes(c, size[0] | (uint32_t)size[1] << 8);
}

/* NULL, or what is wrong. */
static const char *skip_header(struct cursor *c)
{
    const uint8_t *h = c->at;
    bool whole;

    if (!skip_bytes(c, GZIP_HEADER))
        return "truncated";
    if (h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 || (h[3] & GZIP_RESERVED))
        return "not a gzip member that can be read";
    whole = (!(h[3] & GZIP_EXTRA) || skip_extra(c)) && (!(h[3] & GZIP_NAME) || skip_string(c)) &&
            (!(h[3] & GZIP_COMMENT) || skip_string(c)) && (!(h[3] & GZIP_HCRC) || skip_bytes(c, 2));
    return whole ? NULL : "truncated";
}

static uint32_t read_le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Four tables: table[k][b] is the CRC of byte b followed by k zero bytes. */
static void crc_tables(uint32_t table[4][256])
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b;

        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        table[0][b] = c;
    }
    for (uint32_t k = 1; k < 4; k++)
        for (uint32_t b = 0; b < 256; b++)
            table[k][b] = table[0][table[k - 1][b] & 0xff] ^ table[k - 1][b] >> 8;
}

/* p is aligned: it is the start of a frame. */
static uint32_t crc_frame(uint32_t table[4][256], uint32_t crc, const uint8_t *p, uint32_t n)
{
    const uint32_t *w = (const uint32_t *)p;
    uint32_t i;

#pragma GCC unroll 8
    for (i = 0; i < n / 4; i++) {
        uint32_t c = crc ^ w[i];

        crc = table[3][c & 0xff] ^ table[2][c >> 8 & 0xff] ^ table[1][c >> 16 & 0xff] ^
              table[0][c >> 24];
    }
    for (i *= 4; i < n; i++)
        crc = table[0][(crc ^ p[i]) & 0xff] ^ crc >> 8;
    return crc;
}

static uint32_t crc_archive(uint32_t table[4][256], const struct archive *a)
{
    uint32_t crc = UINT32_MAX;

    crc_tables(table);
    for (uint32_t off = 0; off < a->size; off += PAGE_SIZE)
        crc = crc_frame(table, crc, archive_frame(a, off),
                        a->size - off < PAGE_SIZE ? a->size - off : PAGE_SIZE);
    return ~crc;
}

static int check_trailer(struct cursor *c, const struct archive *out, const char **why)
{
    const uint8_t *t = c->at;
    uint32_t(*table)[256];

    *why = "truncated";
    if (!skip_bytes(c, GZIP_TRAILER))
        return -EINVAL;
    *why = "wrong length";
    if (read_le32(t + 4) != out->size)
        return -EINVAL;
    *why = "not enough memory to unpack it";
    table = kalloc();
    if (!table)
        return -ENOMEM;
    *why = read_le32(t) == crc_archive(table, out) ? NULL : "wrong checksum";
    kfree(table);
    return *why ? -EINVAL : 0;
}

int gunzip(const uint8_t *in, uint32_t in_size, struct archive *out, uint32_t *used,
           const char **why)
{
    struct cursor c = {in, in + in_size};
    uint32_t n = 0;
    int err = 0;

    *used = 0;
    *why = skip_header(&c);
    if (*why)
        return -EINVAL;
    err = inflate(c.at, left(&c), out, &n, why);
    c.at += n;
    if (!err)
        err = check_trailer(&c, out, why);
    *used = (uint32_t)(c.at - in) < in_size ? (uint32_t)(c.at - in) : in_size;
    return err;
}
