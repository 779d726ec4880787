/*
 * The random number generator: ChaCha20 (RFC 8439) in counter mode over a pool that is its own key.
 * Each refill makes a new key first and gives out the rest ("fast key erasure"). Entropy is mixed
 * into the key: the clock at boot, and the moments at which interrupts arrive.
 */
#include "kernel/machine/random.h"
#include "arch/cpu.h"
#include "arch/lock.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "kernel/base/boot.h"
#include "kernel/machine/chacha.h"
#include "kernel/thread/sched.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

#define KEY_WORDS   8
#define POOL_BLOCKS 4
#define POOL_BYTES  (POOL_BLOCKS * CHACHA_BLOCK)
#define KEY_BYTES   (KEY_WORDS * 4)
#define SMALL       128u /* what comes from the pool itself */

static struct spinlock random_lock = SPINLOCK_INIT("random", LOCK_RANK_LEAF);
static uint32_t key[KEY_WORDS];       /* [random_lock] */
static uint32_t pool[POOL_BYTES / 4]; /* [random_lock] not given out: the last `left` bytes */
static uint32_t left;                 /* [random_lock] */
static volatile uint32_t samples[KEY_WORDS]; /* racing writers only add noise */
static volatile uint32_t nsamples;

uint32_t randomize_va_space = RANDOMIZE_BRK;
uint32_t legacy_va_layout;

static inline uint32_t rotl(uint32_t v, int n)
{
    return v << n | v >> (32 - n);
}

/* [random_lock held] */
static void refill(void)
{
    uint64_t now = cpu_cycles();
    uint32_t state[CHACHA_WORDS];

    for (int i = 0; i < KEY_WORDS; i++) {
        key[i] ^= samples[i];
        samples[i] = 0;
    }
    key[0] ^= (uint32_t)now;
    key[1] ^= (uint32_t)(now >> 32);
    chacha_init(state, key);
    chacha_blocks(pool, state, POOL_BLOCKS);
    memset(state, 0, sizeof(state));
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

/* A page of the stream of a key of its own, copied out; less than n when memory ends. */
static uint32_t put_page(void __user *ubuf, uint32_t n, void *page, uint32_t *state)
{
    chacha_blocks(page, state, (n + CHACHA_BLOCK - 1) / CHACHA_BLOCK);
    return n - (uint32_t)copy_to_user_partial(ubuf, page, n);
}

/* Much at once is the stream of a key that nobody else gets, so that the pool is asked but once. */
static long put_stream(uint8_t __user *ubuf, size_t n)
{
    uint32_t state[CHACHA_WORDS];
    uint8_t own_key[CHACHA_KEY], *page = kalloc();
    size_t done = 0;

    if (!page)
        return -ENOMEM;
    random_bytes(own_key, sizeof(own_key));
    chacha_init(state, own_key);
    while (done < n) {
        uint32_t want = n - done < PAGE_SIZE ? (uint32_t)(n - done) : PAGE_SIZE;
        uint32_t put = put_page(ubuf + done, want, page, state);

        done += put;
        if (put < want || (done < n && signal_pending_current()))
            break;
        sched_point();
    }
    memset(own_key, 0, sizeof(own_key));
    memset(state, 0, sizeof(state));
    memset(page, 0, PAGE_SIZE);
    kfree(page);
    return done || !n ? (long)done : -EFAULT;
}

long random_to_user(void __user *ubuf, size_t n)
{
    uint8_t bytes[SMALL];
    size_t missed;

    if (n > SMALL)
        return put_stream(ubuf, n);
    random_bytes(bytes, n);
    missed = copy_to_user_partial(ubuf, bytes, n);
    memset(bytes, 0, sizeof(bytes));
    return missed < n || !n ? (long)(n - missed) : -EFAULT;
}

/* A word of the pool. */
static uint32_t random_word(void)
{
    uint32_t word;
    uint8_t *from;

    spin_lock(&random_lock);
    if (left < sizeof(word))
        refill();
    from = (uint8_t *)pool + POOL_BYTES - left;
    memcpy(&word, from, sizeof(word));
    memset(from, 0, sizeof(word));
    left -= sizeof(word);
    spin_unlock(&random_lock);
    return word;
}

uintptr_t random_guard(void)
{
    return random_word() & ~0xffu;
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
