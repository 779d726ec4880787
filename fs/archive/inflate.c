/*
 * DEFLATE streams (RFC 1951), decoded into frames.
 *
 * Input is trusted in nothing: reads past its end deliver zeros and are counted, every code and
 * distance is checked. A short code is decoded by one table look-up, a longer one by counting
 * through the canonical code. What has nothing special goes a short way (run_fast), which leaves
 * all errors and edges to the long one.
 */
#include <stdbool.h>
#include "fs/archive/archive.h"
#include "arch/mmu.h"
#include "libc/bytes.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

#define MAX_BITS      15
#define LITERAL_BITS  11 /* literals and lengths up to here are found by one look-up */
#define DISTANCE_BITS 9
#define LITERALS      288
#define DISTANCES     32
#define END_OF_BLOCK  256
#define MAX_OVERRUN   8 /* bytes of zeros beyond the end before it is an error */

/* A canonical Huffman code. fast: symbol << 4 | length, by the next fast_bits bits; 0 for longer
 * codes. */
struct huffman {
    uint16_t *fast;
    uint32_t fast_bits;
    uint16_t count[MAX_BITS + 1]; /* codes of each length */
    uint16_t symbol[LITERALS];    /* in code order */
};

struct inflate {
    const uint8_t *in, *in_end;
    uint32_t overrun;     /* bytes read past in_end */
    uint32_t bits, nbits; /* bit buffer, the next bit lowest */
    struct archive *out;
    uint8_t *frame; /* the output frame being filled */
    uint32_t total; /* bytes decoded */
    const char *why;
    struct huffman literal, distance;
    uint8_t lengths[LITERALS + DISTANCES];
    uint16_t distance_fast[1u << DISTANCE_BITS];
};
_Static_assert(sizeof(struct inflate) <= PAGE_SIZE, "the decoder's state is one frame");
_Static_assert(sizeof(uint16_t) << LITERAL_BITS <= PAGE_SIZE, "and its largest table another");

static int fail(struct inflate *s, const char *why)
{
    s->why = why;
    return -EINVAL;
}

/* ---- Input ---- */

/* The last two bytes of the input, and zeros after them. */
static void refill_slow(struct inflate *s)
{
    while (s->nbits < 16) {
        uint32_t byte = 0;

        if (s->in < s->in_end)
            byte = *s->in++;
        else
            s->overrun++;
        s->bits |= byte << s->nbits;
        s->nbits += 8;
    }
}

/* At least 16 bits in the buffer. */
static inline void refill(struct inflate *s)
{
    if (s->nbits >= 16)
        return;
    if (__builtin_expect(s->in_end - s->in < 2, 0)) {
        refill_slow(s);
        return;
    }
    s->bits |= (s->in[0] | (uint32_t)s->in[1] << 8) << s->nbits;
    s->in += 2;
    s->nbits += 16;
}

static inline void drop(struct inflate *s, uint32_t n)
{
    s->bits >>= n;
    s->nbits -= n;
}

static inline uint32_t take(struct inflate *s, uint32_t n)
{
    uint32_t value;

    refill(s);
    value = s->bits & ((1u << n) - 1);
    drop(s, n);
    return value;
}

/* Back to whole bytes: the buffered ones are handed back to the input. False: it ended too soon. */
static bool align_to_byte(struct inflate *s)
{
    uint32_t whole = s->nbits / 8;

    if (whole < s->overrun)
        return false;
    s->in -= whole - s->overrun;
    s->overrun = 0;
    s->bits = s->nbits = 0;
    return true;
}

/* ---- Huffman codes ---- */

static uint32_t reverse_bits(uint32_t code, uint32_t n)
{
    uint32_t r = 0;

    for (; n > 0; n--, code >>= 1)
        r = r << 1 | (code & 1);
    return r;
}

/* Enters a short code into every place of the fast table that begins with it. */
static void huffman_fast(struct huffman *h, uint32_t symbol, uint32_t code, uint32_t len)
{
    uint32_t step = 1u << len;

    for (uint32_t i = reverse_bits(code, len); i < 1u << h->fast_bits; i += step)
        h->fast[i] = (uint16_t)(symbol << 4 | len);
}

/*
 * Builds a code from the lengths of n symbols. False: more codes than fit, or gaps (allowed only
 * for a single code of one bit, and for no code at all).
 */
static bool huffman_build(struct huffman *h, const uint8_t *lengths, uint32_t n)
{
    uint16_t next_index[MAX_BITS + 1], next_code[MAX_BITS + 1];
    int32_t left = 1;
    uint32_t used = 0;

    memset(h->fast, 0, sizeof(h->fast[0]) << h->fast_bits);
    memset(h->count, 0, sizeof(h->count));
    for (uint32_t i = 0; i < n; i++)
        h->count[lengths[i]]++;
    h->count[0] = 0;
    next_index[0] = next_code[0] = 0;
    for (uint32_t len = 1; len <= MAX_BITS; len++) {
        left = left * 2 - h->count[len];
        if (left < 0)
            return false;
        next_code[len] = (uint16_t)((next_code[len - 1] + h->count[len - 1]) << 1);
        next_index[len] = (uint16_t)(next_index[len - 1] + h->count[len - 1]);
        used += h->count[len];
    }
    if (left > 0 && !(used == 0 || (used == 1 && h->count[1] == 1)))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = lengths[i];

        if (len == 0)
            continue;
        h->symbol[next_index[len]++] = (uint16_t)i;
        if (len <= h->fast_bits)
            huffman_fast(h, i, next_code[len], len);
        next_code[len]++;
    }
    return true;
}

/* The next symbol of a code longer than fast_bits, or -1. The buffer holds 16 bits. */
static int huffman_slow(struct inflate *s, const struct huffman *h)
{
    int code = 0, first = 0, index = 0;

    for (uint32_t len = 1; len <= MAX_BITS; len++) {
        int count = h->count[len];

        code |= (int)(s->bits >> (len - 1) & 1);
        if (code - count < first) {
            drop(s, len);
            return h->symbol[index + code - first];
        }
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    return -1;
}

static inline int huffman_decode(struct inflate *s, const struct huffman *h)
{
    uint32_t entry;

    refill(s);
    entry = h->fast[s->bits & ((1u << h->fast_bits) - 1)];
    if (__builtin_expect(entry == 0, 0))
        return huffman_slow(s, h);
    drop(s, entry & 15);
    return (int)(entry >> 4);
}

/* ---- Output ---- */

/* Makes sure that the byte at total has a frame. */
static inline int out_room(struct inflate *s)
{
    if (__builtin_expect(s->total % PAGE_SIZE == 0, 0)) {
        s->out->size = s->total;
        s->frame = archive_grow(s->out);
        if (!s->frame) {
            s->why = "not enough memory to unpack it";
            return -ENOMEM;
        }
    }
    return 0;
}

/* The bytes may overlap: what was just written repeats. */
static inline void copy_forward(uint8_t *dst, const uint8_t *src, uint32_t n)
{
    if (dst - src >= 4 || dst < src) {
        for (; n >= 4; n -= 4, dst += 4, src += 4)
            *(word_t *)dst = *(const word_t *)src;
    }
    while (n-- > 0)
        *dst++ = *src++;
}

static int out_copy_back(struct inflate *s, uint32_t len, uint32_t dist)
{
    while (len > 0) {
        uint32_t from = s->total - dist, to_off = s->total % PAGE_SIZE;
        uint32_t from_off = from % PAGE_SIZE, run = len;
        const uint8_t *src;
        int err = out_room(s);

        if (err)
            return err;
        if (run > PAGE_SIZE - to_off)
            run = PAGE_SIZE - to_off;
        if (run > PAGE_SIZE - from_off)
            run = PAGE_SIZE - from_off;
        src = dist <= to_off ? s->frame + from_off : archive_frame(s->out, from) + from_off;
        copy_forward(s->frame + to_off, src, run);
        s->total += run;
        len -= run;
    }
    return 0;
}

static int out_stored(struct inflate *s, uint32_t len)
{
    while (len > 0) {
        uint32_t off = s->total % PAGE_SIZE, run = len;
        int err = out_room(s);

        if (err)
            return err;
        if (run > PAGE_SIZE - off)
            run = PAGE_SIZE - off;
        memcpy(s->frame + off, s->in, run);
        s->in += run;
        s->total += run;
        len -= run;
    }
    return 0;
}

/* ---- Blocks ---- */

static const uint16_t length_base[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                         15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                         67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[30] = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

static int block_match(struct inflate *s, uint32_t symbol)
{
    uint32_t len, dist;
    int code;

    if (symbol >= 29)
        return fail(s, "bad length code");
    len = length_base[symbol] + take(s, length_extra[symbol]);
    code = huffman_decode(s, &s->distance);
    if (code < 0 || code >= 30)
        return fail(s, "bad distance code");
    dist = distance_base[code] + take(s, code < 4 ? 0 : (uint32_t)code / 2 - 1);
    if (dist > s->total)
        return fail(s, "distance too far back");
    return out_copy_back(s, len, dist);
}

/* ---- The way of nearly all symbols ---- */

/* The input in registers: well inside of it, so that there are bytes to come. */
struct bits {
    const uint8_t *in;
    uint32_t bits, nbits;
};

#define FAST_INPUT 12u /* bytes that one turn takes or looks at, at most */

/* At least 24 bits in the buffer. What is above nbits of them is what the next bytes say, too. */
static inline void bits_refill(struct bits *b)
{
    b->bits |= *(const word_t *)b->in << b->nbits;
    b->in += (31 - b->nbits) >> 3;
    b->nbits |= 24;
}

static inline uint32_t bits_take(struct bits *b, uint32_t n)
{
    uint32_t value = b->bits & ((1u << n) - 1);

    b->bits >>= n;
    b->nbits -= n;
    return value;
}

/* The code that a look found. */
static inline void bits_drop(struct bits *b, uint32_t entry)
{
    b->bits >>= entry & 15;
    b->nbits -= entry & 15;
}

static inline uint32_t bits_look(const struct bits *b, const uint16_t *fast, uint32_t n)
{
    return fast[b->bits & ((1u << n) - 1)];
}

static inline bool is_literal(uint32_t entry)
{
    return entry - 1 < (END_OF_BLOCK << 4) - 1;
}

/* Copies a match to dst: false where it touches the end of a frame or repeats itself. Up to 3 bytes
 * more may be written and read. */
static inline bool fast_copy(const struct inflate *s, uint8_t *dst, uint32_t len, uint32_t dist)
{
    const uint32_t off = (uint32_t)(dst - s->frame), total = (s->total & PAGE_MASK) + off;
    const uint32_t from = total - dist, whole = len + sizeof(word_t);
    const uint8_t *src = dst - dist;

    if (dist > total || dist < sizeof(word_t) || off + whole > PAGE_SIZE ||
        from % PAGE_SIZE + whole > PAGE_SIZE)
        return false;
    if (dist > off)
        src = archive_frame(s->out, from) + from % PAGE_SIZE;
    for (uint8_t *const end = dst + len; dst < end; dst += sizeof(word_t), src += sizeof(word_t))
        *(word_t *)dst = *(const word_t *)src;
    return true;
}

/* A match, whose length has the code that entry tells, to dst; how long it is. 0: it is for the
 * long way. Out of line, so that what is around it has registers. */
static __attribute__((noinline)) uint32_t fast_match(const struct inflate *s, struct bits *at,
                                                     uint32_t entry, uint8_t *dst)
{
    const uint32_t symbol = (entry >> 4) - END_OF_BLOCK - 1;
    struct bits b = *at;
    uint32_t len, dist;

    if (symbol >= 29)
        return 0;
    bits_drop(&b, entry);
    len = length_base[symbol];
    if (length_extra[symbol])
        len += bits_take(&b, length_extra[symbol]);
    bits_refill(&b);
    entry = bits_look(&b, s->distance_fast, DISTANCE_BITS);
    if (entry - 1 >= (30 << 4) - 1)
        return 0;
    bits_drop(&b, entry);
    entry >>= 4;
    dist = distance_base[entry] + bits_take(&b, entry < 4 ? 0 : entry / 2 - 1);
    *at = b;
    return fast_copy(s, dst, len, dist) ? len : 0;
}

/* Decodes into the frame at hand as long as all is short and lies well inside; what is not is left
 * as it was, for the long way. */
static __attribute__((noinline)) void run_fast(struct inflate *s)
{
    const uint16_t *const fast = s->literal.fast;
    struct bits b = {s->in, s->bits, s->nbits}, after;
    uint8_t *dst = s->frame + s->total % PAGE_SIZE, *const end = s->frame + PAGE_SIZE - 1;
    const uint8_t *const in_last = s->in_end - FAST_INPUT;
    uint32_t entry, len;

    if (dst == s->frame || s->in_end - s->in < 2 * (int)FAST_INPUT)
        return;
    while (dst < end && b.in < in_last) {
        bits_refill(&b);
        entry = bits_look(&b, fast, LITERAL_BITS);
        if (is_literal(entry)) {
            bits_drop(&b, entry);
            *dst++ = (uint8_t)(entry >> 4);
            entry = bits_look(&b, fast, LITERAL_BITS);
            if (!is_literal(entry))
                continue;
            bits_drop(&b, entry);
            *dst++ = (uint8_t)(entry >> 4);
            continue;
        }
        after = b;
        len = fast_match(s, &after, entry, dst);
        if (!len)
            break;
        dst += len;
        b = after;
    }
    s->total += (uint32_t)(dst - (s->frame + s->total % PAGE_SIZE));
    s->in = b.in;
    s->bits = b.bits & ((1u << b.nbits) - 1);
    s->nbits = b.nbits;
}

static int block_codes(struct inflate *s)
{
    for (;;) {
        int symbol, err = 0;

        run_fast(s);
        symbol = huffman_decode(s, &s->literal);
        if (symbol >= 0 && symbol < END_OF_BLOCK) {
            err = out_room(s);
            if (!err)
                s->frame[s->total++ % PAGE_SIZE] = (uint8_t)symbol;
        } else if (symbol == END_OF_BLOCK) {
            return 0;
        } else if (symbol < 0) {
            return fail(s, "bad code");
        } else {
            err = block_match(s, (uint32_t)symbol - END_OF_BLOCK - 1);
        }
        if (err)
            return err;
        if (s->overrun > MAX_OVERRUN)
            return fail(s, "truncated");
    }
}

static int block_stored(struct inflate *s)
{
    uint32_t len, inverse;

    if (!align_to_byte(s) || s->in_end - s->in < 4)
        return fail(s, "truncated");
    len = s->in[0] | (uint32_t)s->in[1] << 8;
    inverse = s->in[2] | (uint32_t)s->in[3] << 8;
    if (len != (inverse ^ 0xffff))
        return fail(s, "bad stored block");
    s->in += 4;
    if ((uint32_t)(s->in_end - s->in) < len)
        return fail(s, "truncated");
    return out_stored(s, len);
}

static int block_fixed(struct inflate *s)
{
    memset(s->lengths, 8, 144);
    memset(s->lengths + 144, 9, 112);
    memset(s->lengths + 256, 7, 24);
    memset(s->lengths + 280, 8, 8);
    huffman_build(&s->literal, s->lengths, LITERALS);
    memset(s->lengths, 5, DISTANCES);
    huffman_build(&s->distance, s->lengths, DISTANCES);
    return block_codes(s);
}

/* The lengths of both codes, themselves coded by the code in s->literal. */
static int read_lengths(struct inflate *s, uint32_t n)
{
    uint32_t i = 0;

    while (i < n) {
        int symbol = huffman_decode(s, &s->literal);
        uint32_t repeat;
        uint8_t value = 0;

        if (symbol < 0 || s->overrun > MAX_OVERRUN)
            return fail(s, "bad code lengths");
        if (symbol < 16) {
            s->lengths[i++] = (uint8_t)symbol;
            continue;
        }
        if (symbol == 16) {
            if (i == 0)
                return fail(s, "bad code lengths");
            value = s->lengths[i - 1];
            repeat = 3 + take(s, 2);
        } else {
            repeat = symbol == 17 ? 3 + take(s, 3) : 11 + take(s, 7);
        }
        if (repeat > n - i)
            return fail(s, "bad code lengths");
        memset(s->lengths + i, value, repeat);
        i += repeat;
    }
    return 0;
}

static int block_dynamic(struct inflate *s)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint32_t nlit = 257 + take(s, 5), ndist = 1 + take(s, 5), ncode = 4 + take(s, 4);
    int err;

    if (nlit > 286 || ndist > 30)
        return fail(s, "bad code counts");
    memset(s->lengths, 0, sizeof(order));
    for (uint32_t i = 0; i < ncode; i++)
        s->lengths[order[i]] = (uint8_t)take(s, 3);
    if (!huffman_build(&s->literal, s->lengths, sizeof(order)))
        return fail(s, "bad code lengths");
    err = read_lengths(s, nlit + ndist);
    if (err)
        return err;
    if (s->lengths[END_OF_BLOCK] == 0)
        return fail(s, "no end-of-block code");
    if (!huffman_build(&s->distance, s->lengths + nlit, ndist) ||
        !huffman_build(&s->literal, s->lengths, nlit))
        return fail(s, "bad code");
    return block_codes(s);
}

static int inflate_blocks(struct inflate *s)
{
    bool last = false;

    while (!last) {
        uint32_t type;
        int err;

        last = take(s, 1);
        type = take(s, 2);
        if (type == 0)
            err = block_stored(s);
        else if (type == 1)
            err = block_fixed(s);
        else if (type == 2)
            err = block_dynamic(s);
        else
            err = fail(s, "bad block type");
        if (err)
            return err;
        if (s->overrun > MAX_OVERRUN)
            return fail(s, "truncated");
    }
    return align_to_byte(s) ? 0 : fail(s, "truncated");
}

/* ---- The whole ---- */

static int no_memory(const char **why)
{
    *why = "not enough memory to unpack it";
    return -ENOMEM;
}

int inflate(const uint8_t *in, uint32_t in_size, struct archive *out, uint32_t *used,
            const char **why)
{
    struct inflate *s = kalloc();
    uint16_t *table = s ? kalloc() : NULL;
    int err;

    if (!table) {
        if (s)
            kfree(s);
        return no_memory(why);
    }
    memset(s, 0, offsetof(struct inflate, lengths));
    s->in = in;
    s->in_end = in + in_size;
    s->out = out;
    s->literal.fast = table;
    s->literal.fast_bits = LITERAL_BITS;
    s->distance.fast = s->distance_fast;
    s->distance.fast_bits = DISTANCE_BITS;
    err = inflate_blocks(s);
    out->size = s->total;
    *used = (uint32_t)(s->in - in);
    *why = s->why;
    kfree(table);
    kfree(s);
    return err;
}
