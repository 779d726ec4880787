/*
 * DEFLATE streams (RFC 1951), decoded into frames.
 *
 * Input is trusted in nothing: behind its end lie zeros, and whoever has taken one of them is told
 * so; every code and distance is checked. A short code is found by one look into a table, whose
 * entry says what the symbol means; a longer one by counting through the canonical code. What has
 * nothing special goes a short way (run_fast), which leaves all errors and edges to the long one.
 */
#include <stdbool.h>
#include "fs/archive/archive.h"
#include "arch/mmu.h"
#include "libc/bytes.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

#define MAX_BITS      15
#define LITERAL_BITS  10 /* literals and lengths up to here are found by one look-up */
#define DISTANCE_BITS 9
#define LITERALS      288
#define DISTANCES     32
#define END_OF_BLOCK  256
#define WINDOW_FRAMES 16u /* more than what a distance reaches back over */

/*
 * An entry is what a symbol means:
 *   bits 0-7    how many bits its code has
 *   bits 8-15   a literal: the byte. A length or a distance: how many bits more it has
 *   bits 16-30  a length or a distance: its least value; 0 in all else
 *   bit 31      it is a literal
 * 0 is no entry.
 */
#define ENTRY_LITERAL 0x80000000u
#define ENTRY_END     0x0100u /* of the block */
#define ENTRY_BAD     0x0200u /* symbols that mean nothing */

/* A canonical Huffman code. */
struct huffman {
    uint32_t *look; /* entries, by the next look_bits bits; 0: a longer code */
    uint32_t (*meaning)(uint32_t symbol); /* an entry but for the length of its code */
    uint32_t look_bits;
    uint16_t count[MAX_BITS + 1]; /* codes of each length */
    uint16_t symbol[LITERALS];    /* in code order */
};

struct inflate {
    const uint8_t *in;
    uint32_t in_size;
    uint32_t at, bit; /* the next bit of the input: of which byte, and which of its 8 */
    struct archive *out;
    uint8_t *frame; /* the output frame being filled */
    uint32_t total; /* bytes decoded */
    const char *why;
    struct huffman literal, distance;
    const uint8_t *window[WINDOW_FRAMES]; /* the last frames, by the low bits of their number */
    uint8_t lengths[LITERALS + DISTANCES];
    uint32_t distance_look[1u << DISTANCE_BITS];
};
_Static_assert(sizeof(struct inflate) <= PAGE_SIZE, "the decoder's state is one frame");
_Static_assert(sizeof(uint32_t) << LITERAL_BITS <= PAGE_SIZE, "and its largest table another");

static int fail(struct inflate *s, const char *why)
{
    s->why = why;
    return -EINVAL;
}

/* ---- Input ---- */

/* At least 25 bits from where the input stands. */
static uint32_t peek(const struct inflate *s)
{
    uint32_t word = 0;

    if (s->at + sizeof(word) <= s->in_size)
        return *(const word_t *)(s->in + s->at) >> s->bit;
    for (uint32_t i = 0; i < sizeof(word) && s->at + i < s->in_size; i++)
        word |= (uint32_t)s->in[s->at + i] << 8 * i;
    return word >> s->bit;
}

static void drop(struct inflate *s, uint32_t n)
{
    n += s->bit;
    s->at += n / 8;
    s->bit = n % 8;
}

static uint32_t take(struct inflate *s, uint32_t n)
{
    uint32_t value = peek(s) & ((1u << n) - 1);

    drop(s, n);
    return value;
}

/* More was taken than there is. */
static bool is_past_end(const struct inflate *s)
{
    return s->at + (s->bit > 0) > s->in_size;
}

static void align_to_byte(struct inflate *s)
{
    s->at += s->bit > 0;
    s->bit = 0;
}

/* ---- What symbols mean ---- */

#define VALUE(least, more) ((least) << 16 | (more) << 8)

static uint32_t literal_meaning(uint32_t symbol)
{
    static const uint16_t least[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                       15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                       67, 83, 99, 115, 131, 163, 195, 227, 258};
    uint32_t length = symbol - END_OF_BLOCK - 1;

    if (symbol < END_OF_BLOCK)
        return ENTRY_LITERAL | symbol << 8;
    if (symbol == END_OF_BLOCK)
        return ENTRY_END;
    if (length >= 29)
        return ENTRY_BAD;
    return VALUE(least[length], length < 8 || length == 28 ? 0 : length / 4 - 1);
}

static uint32_t distance_meaning(uint32_t symbol)
{
    if (symbol >= 30)
        return ENTRY_BAD;
    if (symbol < 4)
        return VALUE(symbol + 1, 0);
    return VALUE(((2 + symbol % 2) << (symbol / 2 - 1)) + 1, symbol / 2 - 1);
}

static inline uint32_t entry_code(uint32_t entry)
{
    return (uint8_t)entry;
}

static inline uint8_t entry_byte(uint32_t entry)
{
    return (uint8_t)(entry >> 8);
}

static inline uint32_t entry_value(uint32_t entry)
{
    return entry >> 16;
}

/* ---- Huffman codes ---- */

/* The code after a reversed one of the same length, in the order of codes. */
static uint32_t next_reversed(uint32_t code, uint32_t len)
{
    uint32_t bit = 1u << (len - 1);

    while (code & bit)
        bit >>= 1;
    return bit ? (code & (bit - 1)) | bit : 0;
}

/* Enters the short codes into every place of the table that begins with them. A code is longer by
 * zeros at its end than the one before it: the reversed one stays the same number. */
static void huffman_fill(struct huffman *h, const uint8_t *lengths, uint32_t used)
{
    uint32_t code = 0;

    memset(h->look, 0, sizeof(h->look[0]) << h->look_bits);
    for (uint32_t i = 0; i < used; i++) {
        uint32_t len = lengths[h->symbol[i]], entry = h->meaning(h->symbol[i]) | len;

        if (len > h->look_bits)
            return;
        for (uint32_t at = code; at < 1u << h->look_bits; at += 1u << len)
            h->look[at] = entry;
        code = next_reversed(code, len);
    }
}

/*
 * Builds a code from the lengths of n symbols. False: more codes than fit, or gaps (allowed only
 * for a single code of one bit, and for no code at all).
 */
static bool huffman_build(struct huffman *h, const uint8_t *lengths, uint32_t n)
{
    uint16_t next[MAX_BITS + 1];
    int32_t left = 1;
    uint32_t used = 0;

    memset(h->count, 0, sizeof(h->count));
    for (uint32_t i = 0; i < n; i++)
        h->count[lengths[i]]++;
    h->count[0] = 0;
    for (uint32_t len = 1; len <= MAX_BITS; len++) {
        left = left * 2 - h->count[len];
        if (left < 0)
            return false;
        next[len] = (uint16_t)used;
        used += h->count[len];
    }
    if (left > 0 && !(used == 0 || (used == 1 && h->count[1] == 1)))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (lengths[i])
            h->symbol[next[lengths[i]]++] = (uint16_t)i;
    huffman_fill(h, lengths, used);
    return true;
}

/* The entry of a code longer than look_bits, or 0. */
static uint32_t huffman_slow(const struct huffman *h, uint32_t bits)
{
    int code = 0, first = 0, index = 0;

    for (uint32_t len = 1; len <= MAX_BITS; len++, bits >>= 1) {
        int count = h->count[len];

        code |= bits & 1;
        if (code - count < first)
            return h->meaning(h->symbol[index + code - first]) | len;
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    return 0;
}

/* The entry of the next symbol, which is taken; 0: no code begins like this. */
static uint32_t huffman_decode(struct inflate *s, const struct huffman *h)
{
    uint32_t bits = peek(s), entry = h->look[bits & ((1u << h->look_bits) - 1)];

    if (entry == 0)
        entry = huffman_slow(h, bits);
    drop(s, entry_code(entry));
    return entry;
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
        s->window[s->total / PAGE_SIZE % WINDOW_FRAMES] = s->frame;
    }
    return 0;
}

/* Where an earlier byte lies, which is inside of the window. */
static inline const uint8_t *out_at(const struct inflate *s, uint32_t offset)
{
    return s->window[offset / PAGE_SIZE % WINDOW_FRAMES] + offset % PAGE_SIZE;
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
        int err = out_room(s);

        if (err)
            return err;
        if (run > PAGE_SIZE - to_off)
            run = PAGE_SIZE - to_off;
        if (run > PAGE_SIZE - from_off)
            run = PAGE_SIZE - from_off;
        copy_forward(s->frame + to_off, out_at(s, from), run);
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
        memcpy(s->frame + off, s->in + s->at, run);
        s->at += run;
        s->total += run;
        len -= run;
    }
    return 0;
}

/* ---- Blocks ---- */

static int block_match(struct inflate *s, uint32_t entry)
{
    uint32_t len = entry_value(entry) + take(s, entry_byte(entry)), dist;

    entry = huffman_decode(s, &s->distance);
    if (!entry_value(entry))
        return fail(s, "bad distance code");
    dist = entry_value(entry) + take(s, entry_byte(entry));
    if (dist > s->total)
        return fail(s, "distance too far back");
    return out_copy_back(s, len, dist);
}

/* ---- The way of nearly all symbols ---- */

/* The input of one run, well inside of the whole: the bits from pos on are to come. And where the
 * first byte of all would be, if what is before the frame at hand lay before it. */
struct run {
    const uint8_t *in;
    uint32_t pos;
    uintptr_t first;
};

#define FAST_INPUT 16u /* bytes that one turn takes or looks at, at most */
#define FAST_COPY  8u  /* bytes that a copy may write and read beyond its end */

/* At least 25 bits. */
static inline uint32_t run_bits(const struct run *r)
{
    return *(const word_t *)(r->in + r->pos / 8) >> r->pos % 8;
}

static inline uint32_t low_bits(uint32_t bits, uint32_t n)
{
    static const uint16_t mask[] = {0,   1,    3,     7,     15,    31,    63,
                                    127, 0xff, 0x1ff, 0x3ff, 0x7ff, 0xfff, 0x1fff};
    return bits & mask[n];
}

/* Copies a match to dst: false where it touches the end of a frame or repeats itself. */
static inline bool fast_copy(const struct inflate *s, const struct run *r, uint8_t *dst,
                             uint32_t len, uint32_t dist)
{
    const uint32_t to = (uint32_t)((uintptr_t)dst - r->first), from = to - dist;
    const uint8_t *src;
    uint8_t *const end = dst + len;

    if (dist > to || dist < sizeof(word_t) ||
        (uintptr_t)dst % PAGE_SIZE + len > PAGE_SIZE - FAST_COPY ||
        from % PAGE_SIZE + len > PAGE_SIZE - FAST_COPY)
        return false;
    src = out_at(s, from);
    do {
        ((word_t *)dst)[0] = ((const word_t *)src)[0];
        ((word_t *)dst)[1] = ((const word_t *)src)[1];
        dst += 2 * sizeof(word_t);
        src += 2 * sizeof(word_t);
    } while (dst < end);
    return true;
}

/* A match to dst, of whose length entry is, and which begins with bits; how long it is. 0: it is
 * for the long way. */
static inline uint32_t fast_match(const struct inflate *s, struct run *r, uint32_t bits,
                                  uint32_t entry, uint8_t *dst)
{
    struct run after = {r->in, r->pos + entry_code(entry), r->first};
    uint32_t len = entry_value(entry), dist;

    if (len == 0)
        return 0;
    if (entry_byte(entry)) {
        len += low_bits(bits >> entry_code(entry), entry_byte(entry));
        after.pos += entry_byte(entry);
    }
    bits = run_bits(&after);
    entry = s->distance_look[bits & ((1u << DISTANCE_BITS) - 1)];
    if (!entry_value(entry))
        return 0;
    dist = entry_value(entry) + low_bits(bits >> entry_code(entry), entry_byte(entry));
    if (!fast_copy(s, r, dst, len, dist))
        return 0;
    r->pos = after.pos + entry_code(entry) + entry_byte(entry);
    return len;
}

/* As far as a run decodes into the frame at hand: there is room for two literals, and a byte, which
 * has 13 bits of input or less, takes none of the last of it. */
static uint8_t *fast_end(const struct inflate *s)
{
    uint32_t off = s->total % PAGE_SIZE, room = PAGE_SIZE - 1 - off;
    uint32_t left = s->in_size > s->at + FAST_INPUT ? s->in_size - s->at - FAST_INPUT : 0;

    return s->frame + off + (room < left / 2 ? room : left / 2);
}

/* Decodes into the frame at hand as long as all is short and lies well inside; what is not is left
 * as it was, for the long way. */
static __attribute__((noinline)) void run_fast(struct inflate *s)
{
    const uint32_t *const look = s->literal.look, mask = (1u << LITERAL_BITS) - 1;
    struct run r = {s->in + s->at, s->bit, (uintptr_t)s->frame - (s->total & PAGE_MASK)};
    uint8_t *const start = s->frame + s->total % PAGE_SIZE, *dst = start, *const end = fast_end(s);

    if (start == s->frame)
        return;
    while (dst < end) {
        uint32_t bits = run_bits(&r), entry = look[bits & mask], len;

        if (entry & ENTRY_LITERAL) {
            *dst++ = entry_byte(entry);
            r.pos += entry_code(entry);
            bits >>= entry_code(entry);
            entry = look[bits & mask];
            if (entry & ENTRY_LITERAL) {
                *dst++ = entry_byte(entry);
                r.pos += entry_code(entry);
                continue;
            }
        }
        len = fast_match(s, &r, bits, entry, dst);
        if (!len)
            break;
        dst += len;
    }
    s->total += (uint32_t)(dst - start);
    s->at += r.pos / 8;
    s->bit = r.pos % 8;
}

static int block_codes(struct inflate *s)
{
    for (;;) {
        uint32_t entry;
        int err = 0;

        run_fast(s);
        entry = huffman_decode(s, &s->literal);
        if (entry & ENTRY_LITERAL) {
            err = out_room(s);
            if (!err)
                s->frame[s->total++ % PAGE_SIZE] = entry_byte(entry);
        } else if (entry_value(entry)) {
            err = block_match(s, entry);
        } else if (entry_byte(entry) == entry_byte(ENTRY_END)) {
            return 0;
        } else {
            return fail(s, entry ? "bad length code" : "bad code");
        }
        if (err)
            return err;
        if (is_past_end(s))
            return fail(s, "truncated");
    }
}

static int block_stored(struct inflate *s)
{
    uint32_t len, inverse;

    align_to_byte(s);
    if (s->at + 4 > s->in_size)
        return fail(s, "truncated");
    len = take(s, 16);
    inverse = take(s, 16);
    if (len != (inverse ^ 0xffff))
        return fail(s, "bad stored block");
    if (s->in_size - s->at < len)
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
        uint32_t entry = huffman_decode(s, &s->literal), symbol = entry_byte(entry), repeat;
        uint8_t value = 0;

        if (entry == 0 || is_past_end(s))
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
        if (is_past_end(s))
            return fail(s, "truncated");
    }
    align_to_byte(s);
    return 0;
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
    uint32_t *table = s ? kalloc() : NULL;
    int err;

    if (!table) {
        if (s)
            kfree(s);
        return no_memory(why);
    }
    memset(s, 0, offsetof(struct inflate, lengths));
    s->in = in;
    s->in_size = in_size;
    s->out = out;
    s->literal.look = table;
    s->literal.look_bits = LITERAL_BITS;
    s->literal.meaning = literal_meaning;
    s->distance.look = s->distance_look;
    s->distance.look_bits = DISTANCE_BITS;
    s->distance.meaning = distance_meaning;
    err = inflate_blocks(s);
    out->size = s->total;
    *used = s->at < in_size ? s->at : in_size;
    *why = s->why;
    kfree(table);
    kfree(s);
    return err;
}
