/*
 * The entries of a newc archive: a header of hexadecimal fields, the name, the contents, each
 * padded to 4 bytes. Everything is checked against the size of the archive before it is used.
 */
#include "fs/archive/cpio.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "libc/string.h"

#define HEADER_SIZE 110
#define MAGIC_SIZE  6
#define MAGIC       0x37303730u /* "0707" */

int cpio_bad(const struct loader *l, const char *what)
{
    klog(LOG_ERR, "initrd: broken archive, %soffset %u: %s; from here on it is skipped\n",
         l->src->base ? "" : "unpacked ", l->entry, what);
    return -EINVAL;
}

int cpio_bad_entry(const struct loader *l, const char *what)
{
    klog(LOG_ERR, "initrd: %soffset %u: %s; the entry is skipped\n",
         l->src->base ? "" : "unpacked ", l->entry, what);
    return -EINVAL;
}

/*
 * Four hexadecimal digits, the first in the lowest byte of w; four bytes at a time. letter is 1 in
 * the bytes that are 0x40 and above. Sets bits in *wrong unless all are digits.
 */
static __attribute__((noinline)) uint32_t hex_word(uint32_t w, uint32_t *wrong)
{
    uint32_t letter = w >> 6 & 0x01010101u;
    uint32_t low = w & 0x0f0f0f0fu;
    uint32_t value = low + letter * 9;
    uint32_t pairs = (value << 4 | value >> 8) & 0x00ff00ffu;

    *wrong |= (w & 0xf0f0f0f0u & ~(letter * 0x20)) ^ (0x30303030u + letter * 0x10);
    *wrong |= (low + 0x06060606u + letter * 3) & 0x10101010u;
    *wrong |= ~(low + 0x0f0f0f0fu) & letter * 0x10;
    return (pairs << 8 | pairs >> 16) & 0xffff;
}

/* One entry is much like the one before, so only halves of fields that differ are decoded. The
 * higher half comes first in the header, and second in memory. */
static bool decode_header(struct loader *l, const uint8_t *header)
{
    const word_t *p = (const word_t *)(header + MAGIC_SIZE);
    uint32_t wrong = 0;

#pragma GCC unroll 24
    for (unsigned h = 0; h < 2 * FIELDS; h++) {
        if (__builtin_expect(p[h] != l->last_halves[h], 0)) {
            l->last_halves[h] = p[h];
            l->at.half[h ^ 1] = (uint16_t)hex_word(p[h], &wrong);
        }
    }
    return wrong == 0;
}

/* pos + n rounded up to 4; false when that many bytes are not there. */
static bool advance(const struct loader *l, uint32_t *pos, uint32_t n)
{
    uint32_t left = l->src->size - *pos;

    if (n > left)
        return false;
    *pos += n;
    left -= n;
    n = -*pos & 3;
    *pos += n < left ? n : left;
    return true;
}

static int read_name(struct loader *l, struct cpio_entry *e, uint32_t offset)
{
    uint32_t len = e->name_size;
    const char *name = (const char *)archive_view(l->src, offset, len, l->name_buf);

    if (name[len - 1] != '\0')
        return cpio_bad(l, "file name not terminated");
    while (len && (name[len - 1] == '\0' || name[len - 1] == '/'))
        len--;
    while (len && *name == '/') {
        name++;
        len--;
    }
    e->name = name;
    e->name_len = len;
    return 0;
}

uint32_t cpio_cut_name(struct cpio_entry *e)
{
    uint32_t len = e->name_len;

    while (len > 0 && e->name[len - 1] != '/')
        len--;
    e->name += len;
    e->name_len -= len;
    return len;
}

int cpio_read_entry(struct loader *l)
{
    struct cpio_entry *e = &l->at;
    uint8_t header[HEADER_SIZE];
    const uint8_t *h;
    uint32_t name_at;

    l->entry = l->pos;
    if (l->src->size - l->pos < HEADER_SIZE)
        return cpio_bad(l, "truncated in a header");
    h = archive_view(l->src, l->pos, HEADER_SIZE, header);
    if (*(const word_t *)h != MAGIC || h[4] != '0' || (h[5] != '1' && h[5] != '2'))
        return cpio_bad(l, "no newc magic (070701) where an entry should begin");
    if (!decode_header(l, h))
        return cpio_bad(l, "a header field is not hexadecimal");
    name_at = l->pos + HEADER_SIZE;
    if (e->name_size == 0 || e->name_size > PATH_MAX)
        return cpio_bad(l, "bad length of a file name");
    l->pos = name_at;
    if (!advance(l, &l->pos, e->name_size))
        return cpio_bad(l, "truncated in a file name");
    e->data = l->pos;
    if (!advance(l, &l->pos, e->size))
        return cpio_bad(l, "truncated in a file's contents");
    return read_name(l, e, name_at);
}
