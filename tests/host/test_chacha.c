/* ChaCha20 against RFC 8439: the plain way, and the processor's own, which must give the same
 * stream. */
#include <string.h>
#include "kernel/machine/chacha.h"
#include "tests/host/check.h"

/* arch/i386/vector/chacha.asm, chacha_avx2.asm, which the host's processor runs as well */
void __attribute__((regparm(3)))
chacha_sse2(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks);
void __attribute__((regparm(3)))
chacha_avx2(void *out, uint32_t state[CHACHA_WORDS], uint32_t pairs);

bool arch_chacha20(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks)
{
    (void)out, (void)state, (void)blocks;
    return false;
}

static void key_of_the_rfc(uint32_t state[CHACHA_WORDS])
{
    uint8_t key[CHACHA_KEY];

    for (unsigned i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    chacha_init(state, key);
}

/* Section 2.3.2: key 00..1f, nonce 000000090000004a00000000, counter 1. */
TEST(block_function)
{
    static const uint8_t want[CHACHA_BLOCK] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
        0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
        0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
        0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
        0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
    uint32_t state[CHACHA_WORDS];
    uint8_t out[CHACHA_BLOCK];

    key_of_the_rfc(state);
    state[12] = 1;
    state[13] = 0x09000000;
    state[14] = 0x4a000000;
    chacha_blocks(out, state, 1);
    EXPECT(memcmp(out, want, sizeof(want)) == 0);
    EXPECT(state[12] == 2);
}

/* Appendix A.1, test vectors 1 and 2: a key of zeros, blocks 0 and 1. */
TEST(key_of_zeros)
{
    static const uint8_t zeros[CHACHA_KEY];
    static const uint8_t first[8] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90};
    static const uint8_t second[8] = {0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a};
    uint32_t state[CHACHA_WORDS];
    uint8_t out[2 * CHACHA_BLOCK];

    chacha_init(state, zeros);
    chacha_blocks(out, state, 2);
    EXPECT(memcmp(out, first, sizeof(first)) == 0);
    EXPECT(memcmp(out + CHACHA_BLOCK, second, sizeof(second)) == 0);
}

TEST(vector_unit_gives_the_same)
{
    uint32_t a[CHACHA_WORDS], b[CHACHA_WORDS];
    uint8_t plain[20 * CHACHA_BLOCK], vector[20 * CHACHA_BLOCK + 1];

    key_of_the_rfc(a);
    a[12] = UINT32_MAX - 3;
    memcpy(b, a, sizeof(b));
    chacha_blocks_plain(plain, a, 20);
    chacha_sse2(vector + 1, b, 20); /* aligned to nothing */
    EXPECT(memcmp(plain, vector + 1, sizeof(plain)) == 0);
    EXPECT(memcmp(a, b, sizeof(a)) == 0);
    chacha_sse2(vector, b, 0);
    EXPECT(memcmp(a, b, sizeof(a)) == 0);
}

TEST(two_blocks_at_once_give_the_same)
{
    uint32_t a[CHACHA_WORDS], b[CHACHA_WORDS];
    uint8_t plain[20 * CHACHA_BLOCK], vector[20 * CHACHA_BLOCK + 1];

    if (!__builtin_cpu_supports("avx2"))
        return;
    key_of_the_rfc(a);
    a[12] = UINT32_MAX - 2; /* the counter's end lies between the halves */
    memcpy(b, a, sizeof(b));
    chacha_blocks_plain(plain, a, 20);
    chacha_avx2(vector + 1, b, 10);
    EXPECT(memcmp(plain, vector + 1, sizeof(plain)) == 0);
    EXPECT(memcmp(a, b, sizeof(a)) == 0);
    chacha_avx2(vector, b, 0);
    EXPECT(memcmp(a, b, sizeof(a)) == 0);
}

int main(void)
{
    return run_tests(NULL, NULL);
}
