/* Numbers in bytes, as formats on disks have them: the lowest byte first, at any address. */
#ifndef LIBC_BYTES_H
#define LIBC_BYTES_H

#include <stdint.h>

/* Four bytes anywhere, in the order of the processor. */
typedef uint32_t word_t __attribute__((may_alias, aligned(1)));

static inline uint16_t load_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t load_le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t load_le64(const uint8_t *p)
{
    return load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}

#endif
