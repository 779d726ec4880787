/*
 * Zeroing and copying of pages, and of what programs hand in and out. A processor that says that
 * its string instructions are fast has them do all of it; one that does not but has SSE is faster
 * by its registers, in a quarter or half of the instructions; an older one has no choice.
 */
#include "arch/i386/i386.h"
#include "arch/i386/vector/wide.h"
#include "arch/mmu.h"
#include "arch/thread.h"

#define STEP 256u /* what copy_wide takes a multiple of */

/* wide.asm, uaccess.asm */
void zero_wide(void *page);
size_t copy_wide(void *dst, const void *src, size_t n);
size_t clear_wide(void *dst, size_t n);

static bool wide;

void wide_init(void)
{
    wide = fpu_has_fxsr() && (cpu_features & CPU_SSE) && !(cpu_features_7_ebx & CPU7_ERMS);
}

void page_zero(void *page)
{
    uint32_t count = PAGE_SIZE / 4;

    if (wide)
        zero_wide(page);
    else
        __asm__ volatile("rep stosl" : "+D"(page), "+c"(count) : "a"(0) : "memory");
}

void page_copy(void *dst, const void *src)
{
    uint32_t count = PAGE_SIZE / 4;

    if (wide)
        (void)copy_wide(dst, src, PAGE_SIZE);
    else
        __asm__ volatile("rep movsl" : "+D"(dst), "+S"(src), "+c"(count) : : "memory");
}

/* One page of the program's at most. What copy_wide cannot have at once, user_copy may. */
static size_t copy_part(char *dst, const char *src, size_t n)
{
    size_t odd = n % STEP, left = odd ? user_copy(dst, src, odd) : 0;

    if (left || n == odd)
        return left + n - odd;
    left = copy_wide(dst + odd, src + odd, n - odd);
    return left ? user_copy(dst + n - left, src + n - left, left) : 0;
}

size_t user_copy_long(void *dst, const void *src, size_t n)
{
    vaddr_t user = (vaddr_t)dst < USER_TOP ? (vaddr_t)dst : (vaddr_t)src;
    const char *from = src;
    char *to = dst;

    while (wide && n >= WIDE_MIN) {
        size_t room = PAGE_SIZE - user % PAGE_SIZE, part = n < room ? n : room;
        size_t left = copy_part(to, from, part);

        n -= part - left;
        if (left)
            return n;
        user += part;
        to += part;
        from += part;
    }
    return n ? user_copy(to, from, n) : 0;
}

/* One page at most, as copy_part. */
static size_t clear_part(char *dst, size_t n)
{
    size_t odd = n % STEP, left = odd ? user_clear(dst, odd) : 0;

    if (left || n == odd)
        return left + n - odd;
    left = clear_wide(dst + odd, n - odd);
    return left ? user_clear(dst + n - left, left) : 0;
}

size_t user_clear_long(void *dst, size_t n)
{
    char *to = dst;

    while (wide && n >= WIDE_MIN) {
        size_t room = PAGE_SIZE - (vaddr_t)to % PAGE_SIZE, part = n < room ? n : room;
        size_t left = clear_part(to, part);

        n -= part - left;
        if (left)
            return n;
        to += part;
    }
    return n ? user_clear(to, n) : 0;
}
