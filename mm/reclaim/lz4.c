/*
 * LZ4's block format [lz4_Block_format.md], written for pages.
 *
 * A block is a row of sequences: a token (4 bits of literal length, 4 bits of match length - 4; 15
 * goes on in bytes of 255), the literals, the match's distance in two bytes, low one first. The
 * last sequence has literals only. A match begins at least 12 bytes before the end, and the last 5
 * bytes are literals.
 */
#include "mm/reclaim/lz4.h"
#include "libc/string.h"

#define MATCH_MIN  4u
#define MATCH_ENDS 5u  /* bytes at the end that are literals */
#define MATCH_LAST 12u /* no match begins so close to the end */

struct out {
    uint8_t *at, *end;
};

/* A word wherever it lies: no call, as memcpy would be one here. */
struct word {
    uint32_t bits;
} __attribute__((packed, may_alias));

static uint32_t word_at(const uint8_t *p)
{
    return ((const struct word *)p)->bits;
}

/* For the short runs that most are: words, then bytes. The two do not overlap. */
static void copy(uint8_t *to, const uint8_t *from, unsigned n)
{
    for (; n >= 4; n -= 4, to += 4, from += 4)
        ((struct word *)to)->bits = word_at(from);
    for (; n; n--)
        *to++ = *from++;
}

static unsigned hash_of(uint32_t w)
{
    return (w * 2654435761u) >> 22;
}

/* Bytes for what of a length goes beyond its 4 bits in the token. */
static unsigned length_bytes(unsigned len)
{
    return len < 15 ? 0 : (len - 15) / 255 + 1;
}

static uint8_t *put_length(uint8_t *at, unsigned len)
{
    if (len < 15)
        return at;
    for (len -= 15; len >= 255; len -= 255)
        *at++ = 255;
    *at++ = (uint8_t)len;
    return at;
}

/* One sequence; match 0: the last. False when it does not fit. */
static int put_sequence(struct out *o, const uint8_t *literals, unsigned n, unsigned distance,
                        unsigned match)
{
    unsigned extra = match ? match - MATCH_MIN : 0;
    unsigned room = 1 + length_bytes(n) + n + (match ? 2 + length_bytes(extra) : 0);
    uint8_t *at = o->at;

    if ((unsigned)(o->end - at) < room)
        return 0;
    *at++ = (uint8_t)((n < 15 ? n : 15) << 4 | (extra < 15 ? extra : 15));
    at = put_length(at, n);
    copy(at, literals, n);
    at += n;
    if (match) {
        *at++ = (uint8_t)distance;
        *at++ = (uint8_t)(distance >> 8);
        at = put_length(at, extra);
    }
    o->at = at;
    return 1;
}

static unsigned match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    const uint8_t *start = a;

    while (a + 4 <= end && word_at(a) == word_at(b)) {
        a += 4;
        b += 4;
    }
    while (a < end && *a == *b) {
        a++;
        b++;
    }
    return (unsigned)(a - start);
}

unsigned lz4_encode(const uint8_t *src, uint8_t *dst, unsigned max, uint16_t table[LZ4_TABLE])
{
    const uint8_t *end = src + LZ4_PAGE, *literals = src, *at = src + 1;
    struct out o = {dst, dst + max};
    unsigned missed = 0;

    memset(table, 0, LZ4_TABLE * sizeof(*table));
    while (at <= end - MATCH_LAST) {
        unsigned h = hash_of(word_at(at)), n;
        const uint8_t *before = src + table[h];

        table[h] = (uint16_t)(at - src);
        if (word_at(before) != word_at(at)) {
            at += 1 + (missed++ >> 5); /* faster and faster over what does not compress */
            continue;
        }
        missed = 0;
        n = MATCH_MIN + match_length(at + MATCH_MIN, before + MATCH_MIN, end - MATCH_ENDS);
        if (!put_sequence(&o, literals, (unsigned)(at - literals), (unsigned)(at - before), n))
            return 0;
        at += n;
        literals = at;
    }
    if (!put_sequence(&o, literals, (unsigned)(end - literals), 0, 0))
        return 0;
    return (unsigned)(o.at - dst);
}

/* ---- Decoding ---- */

struct in {
    const uint8_t *at, *end;
};

/* A length whose first 4 bits were n; -1: it runs out of the block. */
static int get_length(struct in *i, unsigned n)
{
    uint8_t b = 255;

    if (n < 15)
        return (int)n;
    while (b == 255) {
        if (i->at == i->end || n > LZ4_PAGE * 2)
            return -1;
        b = *i->at++;
        n += b;
    }
    return (int)n;
}

/* The match of a sequence: bytes that were written before, possibly over each other. */
static int get_match(struct in *i, uint8_t token, uint8_t *dst, uint8_t *start, const uint8_t *end)
{
    unsigned distance;
    int n;

    if (i->end - i->at < 2)
        return -1;
    distance = i->at[0] | (unsigned)i->at[1] << 8;
    i->at += 2;
    n = get_length(i, token & 15);
    if (n < 0 || distance == 0 || distance > (unsigned)(dst - start) ||
        n + (int)MATCH_MIN > end - dst)
        return -1;
    n += MATCH_MIN;
    if (distance >= 4) { /* a word is behind itself: what it copies is there */
        copy(dst, dst - distance, (unsigned)n);
        return n;
    }
    for (int k = 0; k < n; k++)
        dst[k] = dst[k - (int)distance];
    return n;
}

int lz4_decode(const uint8_t *src, unsigned n, uint8_t *dst, unsigned size)
{
    uint8_t *start = dst, *end = dst + size;
    struct in i = {src, src + n};

    while (i.at < i.end) {
        uint8_t token = *i.at++;
        int len = get_length(&i, token >> 4);

        if (len < 0 || len > i.end - i.at || len > end - dst)
            return -1;
        copy(dst, i.at, (unsigned)len);
        i.at += len;
        dst += len;
        if (i.at == i.end)
            return dst == end ? 0 : -1;
        len = get_match(&i, token, dst, start, end);
        if (len < 0)
            return -1;
        dst += len;
    }
    return -1;
}
