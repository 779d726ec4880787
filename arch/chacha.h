/* ChaCha20 by the processor's vector unit, where it has one that the kernel may use. */
#ifndef ARCH_CHACHA_H
#define ARCH_CHACHA_H

#include <stdbool.h>
#include <stdint.h>

#define CHACHA_WORDS 16
#define CHACHA_BLOCK 64u /* bytes */

/* The next blocks of the key stream that state (constants, key, 32-bit counter, nonce: RFC 8439)
 * stands at, into out; the counter goes on. Interrupts are off for 32 blocks at a time, of at most
 * 600 instructions. False: there is no such unit, and nothing was done. */
bool arch_chacha20(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks);

#endif
