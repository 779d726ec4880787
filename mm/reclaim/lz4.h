/* One page in LZ4's block format, and back. */
#ifndef MM_RECLAIM_LZ4_H
#define MM_RECLAIM_LZ4_H

#include <stdint.h>

#define LZ4_PAGE  4096u
#define LZ4_TABLE 1024u /* entries of the encoder's table of places */

/*
 * Encodes LZ4_PAGE bytes of src into at most max bytes of dst; how many, or 0 when they do not fit.
 * table is scratch.
 */
unsigned lz4_encode(const uint8_t *src, uint8_t *dst, unsigned max, uint16_t table[LZ4_TABLE]);
/* The reverse: n bytes of src must give exactly size bytes. 0, or -1 when they do not; reads
 * nothing beyond src, writes nothing beyond dst. */
int lz4_decode(const uint8_t *src, unsigned n, uint8_t *dst, unsigned size);

#endif
