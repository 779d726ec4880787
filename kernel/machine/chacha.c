/* ChaCha20 in plain C, and the choice between that and the processor's own way. */
#include "kernel/machine/chacha.h"
#include "libc/string.h"

#define COUNTER 12 /* word of the state */
#define ROUNDS  20

static inline uint32_t rotl(uint32_t v, int n)
{
    return v << n | v >> (32 - n);
}

static inline void quarter_round(uint32_t *x, int a, int b, int c, int d)
{
    x[a] += x[b];
    x[d] = rotl(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = rotl(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = rotl(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = rotl(x[b] ^ x[c], 7);
}

static void one_block(uint32_t x[CHACHA_WORDS], const uint32_t state[CHACHA_WORDS])
{
    memcpy(x, state, CHACHA_BLOCK);
    for (int i = 0; i < ROUNDS; i += 2) {
        quarter_round(x, 0, 4, 8, 12);
        quarter_round(x, 1, 5, 9, 13);
        quarter_round(x, 2, 6, 10, 14);
        quarter_round(x, 3, 7, 11, 15);
        quarter_round(x, 0, 5, 10, 15);
        quarter_round(x, 1, 6, 11, 12);
        quarter_round(x, 2, 7, 8, 13);
        quarter_round(x, 3, 4, 9, 14);
    }
    for (int i = 0; i < CHACHA_WORDS; i++)
        x[i] += state[i];
}

void chacha_init(uint32_t state[CHACHA_WORDS], const void *key)
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    memcpy(state, constants, sizeof(constants));
    memcpy(state + 4, key, CHACHA_KEY);
    memset(state + COUNTER, 0, CHACHA_BLOCK - COUNTER * sizeof(uint32_t));
}

void chacha_blocks_plain(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks)
{
    uint32_t x[CHACHA_WORDS];

    for (; blocks; blocks--) {
        one_block(x, state);
        memcpy(out, x, CHACHA_BLOCK);
        out = (uint8_t *)out + CHACHA_BLOCK;
        state[COUNTER]++;
    }
    memset(x, 0, sizeof(x));
}

void chacha_blocks(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks)
{
    if (!arch_chacha20(out, state, blocks))
        chacha_blocks_plain(out, state, blocks);
}
