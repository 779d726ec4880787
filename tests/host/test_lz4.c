/*
 * LZ4's block format: blocks that another encoder made (lz4 1.9.4 -9), pages there and back, and
 * blocks that lie.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "mm/reclaim/lz4.h"
#include "tests/host/check.h"

#define GUARD 0xa5

static uint8_t page[LZ4_PAGE];
static uint8_t block[LZ4_PAGE * 2];
static uint8_t out[LZ4_PAGE + 16];
static uint16_t table[LZ4_TABLE];

static uint32_t random_word(void)
{
    static uint32_t state = 2463534242u;

    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

/* Whether a decoder that was given so many bytes kept to size bytes of out. */
static bool kept_within(unsigned size)
{
    for (unsigned i = size; i < sizeof(out); i++) {
        if (out[i] != GUARD)
            return false;
    }
    return true;
}

/* From memory of its own size, so that a sanitizer sees each byte too far. */
static int decode(const uint8_t *src, unsigned n, unsigned size)
{
    uint8_t *copy = malloc(n ? n : 1);
    int err;

    memcpy(copy, src, n);
    memset(out, GUARD, sizeof(out));
    err = lz4_decode(copy, n, out, size);
    free(copy);
    EXPECT(kept_within(size));
    return err;
}

static void expect_page_of(const uint8_t *src, unsigned n)
{
    EXPECT_EQ(decode(src, n, LZ4_PAGE), 0);
    EXPECT(memcmp(out, page, LZ4_PAGE) == 0);
}

TEST(blocks_of_another_encoder_are_understood)
{
    static const uint8_t hex[] = {0xff, 0x01, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
                                  0x39, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x10, 0x00, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xe7, 0x50, 0x62, 0x63, 0x64, 0x65, 0x66};
    static const uint8_t runs[] = {0x1f, 0x00, 0x01, 0x00, 0xff, 0x19, 0x1f, 0x01, 0x01, 0x00,
                                   0xff, 0x19, 0x1f, 0x02, 0x01, 0x00, 0xff, 0x19, 0x1f, 0x03,
                                   0x01, 0x00, 0xff, 0x19, 0x1f, 0x04, 0x01, 0x00, 0xff, 0x19,
                                   0x0f, 0xdc, 0x05, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0x16, 0x50, 0x03, 0x03, 0x03, 0x03, 0x03};

    for (unsigned i = 0; i < LZ4_PAGE; i++)
        page[i] = (uint8_t) "0123456789abcdef"[i % 16];
    expect_page_of(hex, sizeof(hex));
    for (unsigned i = 0; i < LZ4_PAGE; i++)
        page[i] = (uint8_t)(i / 300 % 5);
    expect_page_of(runs, sizeof(runs));
}

TEST(literals_alone_are_a_block)
{
    static const uint8_t src[] = {0x50, 'h', 'e', 'l', 'l', 'o'};

    EXPECT_EQ(decode(src, sizeof(src), 5), 0);
    EXPECT(memcmp(out, "hello", 5) == 0);
    EXPECT_EQ(decode(src, sizeof(src), 4), -1);
    EXPECT_EQ(decode(src, sizeof(src), 6), -1);
}

TEST(a_match_may_overlap_itself)
{
    static const uint8_t src[] = {0x22, 'a', 'b', 0x02, 0x00, 0x10, '!'};

    EXPECT_EQ(decode(src, sizeof(src), 9), 0);
    EXPECT(memcmp(out, "abababab!", 9) == 0);
}

/* The rules for the end of a block [lz4_Block_format.md], which decoders elsewhere rely on. */
static void expect_lawful_end(unsigned n)
{
    unsigned at = 0, produced = 0, literals, match_at = 0;

    while (at < n) {
        uint8_t token = block[at++], more;
        literals = token >> 4;
        for (more = 255; token >> 4 == 15 && more == 255; literals += more)
            more = block[at++];
        at += literals;
        produced += literals;
        if (at >= n)
            break;
        at += 2;
        match_at = produced;
        produced += (token & 15u) + 4;
        for (more = 255; (token & 15) == 15 && more == 255; produced += more)
            more = block[at++];
    }
    EXPECT_EQ(produced, LZ4_PAGE);
    EXPECT(match_at == 0 || (literals >= 5 && match_at <= LZ4_PAGE - 12));
}

static void expect_there_and_back(void)
{
    unsigned n = lz4_encode(page, block, sizeof(block), table);

    EXPECT(n > 0);
    expect_lawful_end(n);
    expect_page_of(block, n);
    EXPECT_EQ(lz4_encode(page, block, n - 1, table), 0);
    EXPECT_EQ(lz4_encode(page, block, n, table), n);
}

TEST(pages_go_there_and_back)
{
    for (unsigned round = 0; round < 300; round++) {
        unsigned letters = 1 + round % 256, repeat = 1 + random_word() % 40;
        for (unsigned i = 0; i < LZ4_PAGE; i++)
            page[i] = i % repeat && i ? page[i - 1] : (uint8_t)(random_word() % letters);
        expect_there_and_back();
    }
    for (unsigned last = LZ4_PAGE - 20; last < LZ4_PAGE; last++) {
        memset(page, 7, LZ4_PAGE);
        page[last] = 8;
        expect_there_and_back();
    }
}

TEST(noise_does_not_fit_into_less)
{
    for (unsigned i = 0; i < LZ4_PAGE; i++)
        page[i] = (uint8_t)random_word();
    memset(block, GUARD, sizeof(block));
    EXPECT_EQ(lz4_encode(page, block, LZ4_PAGE * 3 / 4, table), 0);
    EXPECT_EQ(block[LZ4_PAGE * 3 / 4], GUARD);
}

TEST(cut_blocks_are_refused)
{
    unsigned n;

    for (unsigned i = 0; i < LZ4_PAGE; i++)
        page[i] = (uint8_t)(i / 50 ^ i % 3);
    n = lz4_encode(page, block, sizeof(block), table);
    for (unsigned cut = 0; cut < n; cut++)
        EXPECT_EQ(decode(block, cut, LZ4_PAGE), -1);
}

TEST(lies_are_refused)
{
    static const uint8_t before_start[] = {0x10, 'a', 0x02, 0x00, 0x50, 1, 2, 3, 4, 5};
    static const uint8_t no_distance[] = {0x10, 'a', 0x00, 0x00, 0x50, 1, 2, 3, 4, 5};
    static uint8_t endless[LZ4_PAGE * 2];

    EXPECT_EQ(decode(before_start, sizeof(before_start), 10), -1);
    EXPECT_EQ(decode(no_distance, sizeof(no_distance), 10), -1);
    EXPECT_EQ(decode(before_start, 0, 10), -1);
    memset(endless, 0xff, sizeof(endless));
    EXPECT_EQ(decode(endless, sizeof(endless), LZ4_PAGE), -1);
    endless[0] = 0x1f;
    endless[1] = 'a';
    endless[2] = 1;
    endless[3] = 0;
    EXPECT_EQ(decode(endless, sizeof(endless), LZ4_PAGE), -1);
}

/* Sequences of 14 literals and a match of 4 bytes, distance behind; 12 literals end the block. */
static unsigned short_sequences(unsigned count, unsigned distance)
{
    unsigned at = 0;

    while (count--) {
        block[at++] = 0xe0;
        for (unsigned i = 0; i < 14; i++)
            block[at++] = (uint8_t)('a' + i);
        block[at++] = (uint8_t)distance;
        block[at++] = 0;
    }
    block[at++] = 0xc0;
    memset(block + at, 'z', 12);
    return at + 12;
}

TEST(short_sequences_are_checked_as_long_ones_are)
{
    EXPECT_EQ(decode(block, short_sequences(6, 14), 6 * 18 + 12), 0);
    EXPECT(memcmp(out, "abcdefghijklmnabcdabcd", 22) == 0);
    EXPECT_EQ(decode(block, short_sequences(6, 15), 6 * 18 + 12), -1);
    EXPECT_EQ(decode(block, short_sequences(6, 2), 6 * 18 + 12), 0);
    EXPECT(memcmp(out, "abcdefghijklmnmnmnab", 20) == 0);
}

TEST(damaged_blocks_stay_within_their_page)
{
    for (unsigned round = 0; round < 3000; round++) {
        unsigned n;
        for (unsigned i = 0; i < LZ4_PAGE; i++)
            page[i] = (uint8_t)(i / (1 + round % 60));
        n = lz4_encode(page, block, sizeof(block), table);
        for (unsigned hits = 1 + random_word() % 4; hits > 0; hits--)
            block[random_word() % n] = (uint8_t)random_word();
        (void)decode(block, n, LZ4_PAGE);
    }
}

int main(void)
{
    return run_tests(NULL, NULL);
}
