/*
 * LZ4's block format [lz4_Block_format.md], written for pages.
 *
 * A block is a row of sequences: a token (4 bits of literal length, 4 bits of match length - 4; 15
 * goes on in bytes of 255), the literals, the match's distance in two bytes, low one first. The
 * last sequence has literals only. A match begins at least 12 bytes before the end, and the last 5
 * bytes are literals.
 */
#include "mm/reclaim/lz4.h"
#include <stdbool.h>
#include "libc/string.h"

#define MATCH_MIN  4u
#define MATCH_ENDS 5u   /* bytes at the end that are literals */
#define MATCH_LAST STEP /* no match begins so close to the end; the format wants 12 at least */
#define SHORT      15u  /* lengths below are in the token alone */
#define STEP       20u  /* bytes that a short run is copied in, at once, where so many are there */

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

static void put_word(uint8_t *to, uint32_t w)
{
    ((struct word *)to)->bits = w;
}

/* Each word is there before the next is read: from may be as little as a word behind to. */
static void copy(uint8_t *to, const uint8_t *from, unsigned n)
{
    for (; n >= 4; n -= 4, to += 4, from += 4)
        put_word(to, word_at(from));
    for (; n; n--)
        *to++ = *from++;
}

/* STEP bytes, for the short runs that most are: without asking how many. */
static inline void copy_step(uint8_t *to, const uint8_t *from)
{
    put_word(to, word_at(from));
    put_word(to + 4, word_at(from + 4));
    put_word(to + 8, word_at(from + 8));
    put_word(to + 12, word_at(from + 12));
    put_word(to + 16, word_at(from + 16));
}

static inline void copy_steps(uint8_t *to, const uint8_t *from, int n)
{
    for (; n > 0; n -= (int)STEP, to += STEP, from += STEP)
        copy_step(to, from);
}

static unsigned hash_of(uint32_t w)
{
    return (w * 2654435761u) >> 22;
}

/* Bytes for what of a length goes beyond its 4 bits in the token. */
static unsigned length_bytes(unsigned len)
{
    return len < SHORT ? 0 : (len - SHORT) / 255 + 1;
}

static inline uint8_t *put_length(uint8_t *at, unsigned len)
{
    if (len < SHORT)
        return at;
    for (len -= SHORT; len >= 255; len -= 255)
        *at++ = 255;
    *at++ = (uint8_t)len;
    return at;
}

/* One sequence; match 0: the last. NULL when it does not fit. */
static uint8_t *put_sequence(uint8_t *at, const uint8_t *end, const uint8_t *literals, unsigned n,
                             unsigned distance, unsigned match)
{
    unsigned extra = match ? match - MATCH_MIN : 0;
    unsigned room = 1 + length_bytes(n) + n + (match ? 2 + length_bytes(extra) : 0);

    if ((unsigned)(end - at) < room)
        return NULL;
    *at++ = (uint8_t)((n < SHORT ? n : SHORT) << 4 | (extra < SHORT ? extra : SHORT));
    at = put_length(at, n);
    copy(at, literals, n);
    at += n;
    if (match) {
        *at++ = (uint8_t)distance;
        *at++ = (uint8_t)(distance >> 8);
        at = put_length(at, extra);
    }
    return at;
}

/* The same, mostly with short literals, where a step does not go too far. That of the literals does
 * not, as MATCH_LAST bytes follow them. */
static inline uint8_t *put_match(uint8_t *at, const uint8_t *end, const uint8_t *literals,
                                 unsigned n, unsigned distance, unsigned match)
{
    unsigned extra = match - MATCH_MIN;

    if (n >= SHORT || end - at < (int)(2 * STEP))
        return put_sequence(at, end, literals, n, distance, match);
    *at++ = (uint8_t)(n << 4 | (extra < SHORT ? extra : SHORT));
    copy_step(at, literals);
    at += n;
    *at++ = (uint8_t)distance;
    *at++ = (uint8_t)(distance >> 8);
    return put_length(at, extra);
}

static inline unsigned match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    const uint8_t *start = a;

    for (; a + 4 <= end; a += 4, b += 4) {
        uint32_t differ = word_at(a) ^ word_at(b);

        if (differ)
            return (unsigned)(a - start) + (unsigned)__builtin_ctz(differ) / 8;
    }
    for (; a < end && *a == *b; a++)
        b++;
    return (unsigned)(a - start);
}

/* The first place from at on whose word stood before, and where: table says. It keeps that place
 * rather than the new one: in rows of the same word the end of a row is near, and short.
 */
static inline unsigned find_match(const uint8_t *src, unsigned at, uint16_t *table,
                                  unsigned *before)
{
    unsigned missed = 0;

    while (at <= LZ4_PAGE - MATCH_LAST) {
        uint32_t w = word_at(src + at);
        unsigned h = hash_of(w), was = table[h];

        *before = was;
        if (word_at(src + was) == w)
            break;
        table[h] = (uint16_t)at;
        at += 1 + (missed++ >> 5); /* faster and faster over what does not compress */
    }
    return at;
}

unsigned lz4_encode(const uint8_t *src, uint8_t *dst, unsigned max, uint16_t table[LZ4_TABLE])
{
    const uint8_t *matches_end = src + LZ4_PAGE - MATCH_ENDS;
    unsigned at, before, literals = 0, n;
    uint8_t *to = dst;

    memset(table, 0, LZ4_TABLE * sizeof(*table));
    for (at = 1; (at = find_match(src, at, table, &before)) <= LZ4_PAGE - MATCH_LAST;) {
        n = MATCH_MIN + match_length(src + at + MATCH_MIN, src + before + MATCH_MIN, matches_end);
        to = put_match(to, dst + max, src + literals, at - literals, at - before, n);
        if (!to)
            return 0;
        at += n;
        literals = at;
    }
    to = put_sequence(to, dst + max, src + literals, LZ4_PAGE - literals, 0, 0);
    return to ? (unsigned)(to - dst) : 0;
}

/* ---- Decoding ---- */

/* Where in the block, and where in the page. */
struct place {
    const uint8_t *at, *end;
    uint8_t *to;
};

/* A length whose first 4 bits were n; -1: it runs out of the block. */
static int get_length(struct place *p, unsigned n)
{
    uint8_t b = 255;

    if (n < SHORT)
        return (int)n;
    while (b == 255) {
        if (p->at == p->end || n > LZ4_PAGE * 2)
            return -1;
        b = *p->at++;
        n += b;
    }
    return (int)n;
}

/* The match of a sequence: bytes that were written before, possibly over each other. */
static bool get_match(struct place *p, uint8_t token, const uint8_t *start, const uint8_t *end)
{
    unsigned distance;
    int n;

    if (p->end - p->at < 2)
        return false;
    distance = p->at[0] | (unsigned)p->at[1] << 8;
    p->at += 2;
    n = get_length(p, token & 15);
    if (n < 0 || distance == 0 || distance > (unsigned)(p->to - start) ||
        n + (int)MATCH_MIN > end - p->to)
        return false;
    n += MATCH_MIN;
    if (distance >= 4)
        copy(p->to, p->to - distance, (unsigned)n);
    for (int k = 0; k < n && distance < 4; k++)
        p->to[k] = p->to[k - (int)distance];
    p->to += n;
    return true;
}

enum found { WRONG, MORE, LAST };

/* One sequence, of any length. */
static enum found get_sequence(struct place *p, const uint8_t *start, const uint8_t *end)
{
    uint8_t token;
    int n;

    if (p->at == p->end)
        return WRONG;
    token = *p->at++;
    n = get_length(p, token >> 4);
    if (n < 0 || n > p->end - p->at || n > end - p->to)
        return WRONG;
    copy(p->to, p->at, (unsigned)n);
    p->at += n;
    p->to += n;
    if (p->at == p->end)
        return p->to == end ? LAST : WRONG;
    return get_match(p, token, start, end) ? MORE : WRONG;
}

/* As many sequences of short literals as there are, up to where a step might go too far. */
static struct place get_short(struct place p, const uint8_t *start, const uint8_t *end)
{
    while (p.end - p.at >= (int)(1 + STEP)) {
        unsigned token = *p.at, n = token >> 4, match = token & 15, distance;
        const uint8_t *after = p.at + 1 + n;

        if (n == SHORT)
            break;
        distance = after[0] | (unsigned)after[1] << 8;
        after += 2;
        match += match == SHORT ? *after++ : 0;
        if (match == SHORT + 255 || distance < 4 || distance > (unsigned)(p.to + n - start) ||
            end - p.to < (int)(n + match + MATCH_MIN + STEP))
            break;
        copy_step(p.to, p.at + 1);
        p.to += n;
        copy_steps(p.to, p.to - distance, (int)(match + MATCH_MIN));
        p.to += match + MATCH_MIN;
        p.at = after;
    }
    return p;
}

int lz4_decode(const uint8_t *src, unsigned n, uint8_t *dst, unsigned size)
{
    struct place p = {src, src + n, dst};
    enum found found = MORE;

    while (found == MORE) {
        p = get_short(p, dst, dst + size);
        found = get_sequence(&p, dst, dst + size);
    }
    return found == LAST ? 0 : -1;
}
