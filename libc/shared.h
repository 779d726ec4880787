/*
 * Words that one processor changes while another looks, without a lock that both hold. What is
 * neither under its lock nor goes through these (or an exchange) is a race: `make races` finds it.
 */
#ifndef LIBC_SHARED_H
#define LIBC_SHARED_H

/* The value, which may be another at once: a hint, or something that is looked at again. */
#define read_once(word)         __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define write_once(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)

/* A bit of a word, of which others may set another bit at once. */
#ifdef __SANITIZE_THREAD__
#define read_bit(word, bit) (read_once(word) & (bit))
#else
#define read_bit(word, bit) ((word) & (bit)) /* in one instruction */
#endif

/* Who reads what was written so sees all that its writer had done before. */
#define read_acquire(word)         __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define write_release(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)

#endif
