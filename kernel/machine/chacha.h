/* ChaCha20 (RFC 8439), the key stream alone. */
#ifndef KERNEL_CHACHA_H
#define KERNEL_CHACHA_H

#include <stdint.h>
#include "arch/chacha.h"

#define CHACHA_KEY 32u /* bytes */

/* A state at block 0 with a nonce of zeros. */
void chacha_init(uint32_t state[CHACHA_WORDS], const void *key);
/* The next blocks of the stream; the state's counter goes on. */
void chacha_blocks(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks);
/* The same in C alone, on any processor. */
void chacha_blocks_plain(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks);

#endif
