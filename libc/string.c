/*
 * Byte strings, shared by the kernel and the programs. Nothing here allocates, locks or calls
 * out, and every function is safe at any point of the boot.
 *
 * On i386 the bulk copies and fills are the string instructions: both ABIs guarantee that the
 * direction flag is clear. Elsewhere (mm/ on the host) plain loops do.
 */
#include "libc/string.h"

#include <stdint.h>

/* Without this the compiler recognises the loop inside memset and calls memset. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

/* Below this many bytes setting up a string instruction costs more than it saves. */
#define BULK_MIN 16

/* The bytes of a 32-bit word may be any object's. */
typedef uint32_t word_t __attribute__((may_alias, aligned(1)));

static inline void copy_words(char **dst, const char **src, size_t words)
{
#ifdef __i386__
    __asm__ volatile("rep movsl" : "+D"(*dst), "+S"(*src), "+c"(words) : : "memory");
#else
    for (; words; words--, *dst += 4, *src += 4)
        *(word_t *)*dst = *(const word_t *)*src;
#endif
}

static inline void fill_words(char **dst, uint32_t value, size_t words)
{
#ifdef __i386__
    __asm__ volatile("rep stosl" : "+D"(*dst), "+c"(words) : "a"(value) : "memory");
#else
    for (; words; words--, *dst += 4)
        *(word_t *)*dst = value;
#endif
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    char *d = dst;
    const char *s = src;

    if (n >= BULK_MIN) {
        copy_words(&d, &s, n / 4);
    } else {
        if (n & 8) {
            *(word_t *)d = *(const word_t *)s;
            *(word_t *)(d + 4) = *(const word_t *)(s + 4);
            d += 8;
            s += 8;
        }
        if (n & 4) {
            *(word_t *)d = *(const word_t *)s;
            d += 4;
            s += 4;
        }
    }
    for (n %= 4; n; n--)
        *d++ = *s++;
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    char *d = (char *)dst + n;
    const char *s = (const char *)src + n;

    /* A forward copy reads each byte before it writes it whenever dst is not inside src. */
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return memcpy(dst, src, n);
    for (; n >= 4; n -= 4) {
        d -= 4;
        s -= 4;
        *(word_t *)d = *(const word_t *)s;
    }
    while (n--)
        *--d = *--s;
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    char *d = dst;

    if (n >= BULK_MIN) {
        fill_words(&d, (uint8_t)c * 0x01010101u, n / 4);
        n %= 4;
    }
    while (n--)
        *d++ = c;
    return dst;
}

void memset32(uint32_t *dst, uint32_t value, size_t words)
{
    char *d = (char *)dst;

    fill_words(&d, value, words);
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;

    for (; n >= 4 && *(const word_t *)p == *(const word_t *)q; n -= 4) {
        p += 4;
        q += 4;
    }
    for (; n; n--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

/* Not 0 when some byte of w is: the borrow of a byte that was 0 reaches its highest bit. */
static inline uint32_t zero_byte(uint32_t w)
{
    return (w - 0x01010101u) & ~w & 0x80808080u;
}

/* The object may end with what is found, whatever n says: words are read where they are aligned,
 * and so none reaches into the next page. */
void *memchr(const void *s, int c, size_t n)
{
    const uint32_t pattern = (uint8_t)c * 0x01010101u;
    const uint8_t *p = s;

    for (; n && ((uintptr_t)p & 3); n--, p++)
        if (*p == (uint8_t)c)
            return (void *)p;
    for (; n >= 4 && !zero_byte(*(const word_t *)p ^ pattern); n -= 4)
        p += 4;
    for (; n; n--, p++)
        if (*p == (uint8_t)c)
            return (void *)p;
    return NULL;
}

size_t strlen(const char *s)
{
    const char *end = s;

    while (*end)
        end++;
    return end - s;
}

size_t strnlen(const char *s, size_t max)
{
    const char *end = memchr(s, '\0', max);

    return end ? (size_t)(end - s) : max;
}

int strcmp(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (!*s)
            return NULL;
    return (char *)s;
}

char *strrchr(const char *s, int c)
{
    const char *last = NULL;

    do {
        if (*s == (char)c)
            last = s;
    } while (*s++);
    return (char *)last;
}

char *strstr(const char *s, const char *needle)
{
    size_t n = strlen(needle);

    for (; *s || !n; s++)
        if (!strncmp(s, needle, n))
            return (char *)s;
    return NULL;
}

char *strcpy(char *restrict dst, const char *restrict src)
{
    memcpy(dst, src, strlen(src) + 1);
    return dst;
}

size_t strlcpy(char *restrict dst, const char *restrict src, size_t size)
{
    size_t len = strlen(src);

    if (size) {
        size_t n = len < size ? len : size - 1;

        memcpy(dst, src, n);
        dst[n] = '\0';
    }
    return len;
}

size_t strlcat(char *restrict dst, const char *restrict src, size_t size)
{
    size_t used = strnlen(dst, size);

    return used + strlcpy(dst + used, src, size - used);
}
