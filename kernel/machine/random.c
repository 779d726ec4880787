/*
 * The random number generator: ChaCha20 (RFC 8439) in counter mode over a pool that is its own key.
 * Each refill makes a new key first and gives out the rest ("fast key erasure"). Entropy is mixed
 * into the key: the clock at boot, and the moments at which interrupts arrive.
 */
#include "kernel/machine/random.h"
#include "arch/cpu.h"
#include "arch/lock.h"
#include "arch/thread.h"
#include "kernel/base/boot.h"
#include "kernel/time/time.h"
#include "libc/string.h"

#define KEY_WORDS   8
#define BLOCK_WORDS 16
#define POOL_BLOCKS 4
#define POOL_BYTES  (POOL_BLOCKS * BLOCK_WORDS * 4)
#define KEY_BYTES   (KEY_WORDS * 4)

static struct spinlock random_lock = SPINLOCK_INIT("random", LOCK_RANK_LEAF);
static uint32_t key[KEY_WORDS]; /* [random_lock] */
static uint32_t
    pool[POOL_BLOCKS * BLOCK_WORDS]; /* [random_lock] not given out: the last `left` bytes */
static uint32_t left;                /* [random_lock] */
static volatile uint32_t samples[KEY_WORDS]; /* racing writers only add noise */
static volatile uint32_t nsamples;

uint32_t randomize_va_space = RANDOMIZE_BRK;

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

static void chacha_block(uint32_t *out, const uint32_t *k, uint32_t counter)
{
    uint32_t in[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    memcpy(in + 4, k, KEY_BYTES);
    in[12] = counter;
    memcpy(out, in, sizeof(in));
    for (int i = 0; i < 10; i++) {
        quarter_round(out, 0, 4, 8, 12);
        quarter_round(out, 1, 5, 9, 13);
        quarter_round(out, 2, 6, 10, 14);
        quarter_round(out, 3, 7, 11, 15);
        quarter_round(out, 0, 5, 10, 15);
        quarter_round(out, 1, 6, 11, 12);
        quarter_round(out, 2, 7, 8, 13);
        quarter_round(out, 3, 4, 9, 14);
    }
    for (int i = 0; i < BLOCK_WORDS; i++)
        out[i] += in[i];
}

/* [random_lock held] */
static void refill(void)
{
    uint64_t now = cpu_cycles();

    for (int i = 0; i < KEY_WORDS; i++) {
        key[i] ^= samples[i];
        samples[i] = 0;
    }
    key[0] ^= (uint32_t)now;
    key[1] ^= (uint32_t)(now >> 32);
    for (uint32_t i = 0; i < POOL_BLOCKS; i++)
        chacha_block(pool + i * BLOCK_WORDS, key, i);
    memcpy(key, pool, KEY_BYTES);
    left = POOL_BYTES - KEY_BYTES;
}

void random_bytes(void *buf, size_t n)
{
    uint8_t *out = buf;

    while (n) {
        spin_lock(&random_lock);
        if (!left)
            refill();
        size_t chunk = n < left ? n : left;
        uint8_t *from = (uint8_t *)pool + POOL_BYTES - left;
        memcpy(out, from, chunk);
        memset(from, 0, chunk);
        left -= chunk;
        spin_unlock(&random_lock);
        out += chunk;
        n -= chunk;
    }
}

void random_mix(uint32_t sample)
{
    uint32_t i = nsamples++ % KEY_WORDS;

    samples[i] = rotl(samples[i], 7) ^ sample ^ (uint32_t)cpu_cycles();
}

void random_add(const void *buf, size_t n)
{
    const uint8_t *p = buf;

    spin_lock(&random_lock);
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)key)[i % KEY_BYTES] ^= p[i];
        if (i % KEY_BYTES == KEY_BYTES - 1)
            refill();
    }
    left = 0;
    spin_unlock(&random_lock);
}

void random_init(void)
{
    uint64_t seed[4] = {cpu_cycles(), time_real_ns(), time_mono_ns(), (uintptr_t)&seed};

    random_add(seed, sizeof(seed));
    if (boot_flag("norandmaps"))
        randomize_va_space = RANDOMIZE_NOTHING;
}
