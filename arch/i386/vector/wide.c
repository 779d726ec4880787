/*
 * Zeroing and copying of pages, and of what programs hand in and out. A processor that says that
 * its string instructions are fast has them do all of it; one that does not but has SSE is faster
 * by its registers, in a quarter or half of the instructions; an older one has no choice.
 */
#include "arch/i386/i386.h"
#include "arch/i386/vector/wide.h"
#include "arch/mmu.h"
#include "arch/thread.h"

#define STEP 128u /* what copy_wide takes a multiple of */

/* wide.asm, uaccess.asm */
void zero_wide(void *page);
size_t copy_wide(void *dst, const void *src, size_t n);

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

/* One page of the program's at most. Its first bytes go by user_copy, which brings it in; should it
 * be gone again for the rest, that goes so, too. */
static size_t copy_part(char *dst, const char *src, size_t n)
{
    size_t rest = (n - 1) & ~(STEP - 1), left = user_copy(dst, src, n - rest);

    if (left || !rest)
        return left + rest;
    left = copy_wide(dst + n - rest, src + n - rest, rest);
    return left ? user_copy(dst + n - left, src + n - left, left) : 0;
}

size_t user_copy_long(void *dst, const void *src, size_t n)
{
    const uintptr_t user = (uintptr_t)((vaddr_t)dst < USER_TOP ? dst : src);
    size_t done = 0;

    while (wide && n - done >= WIDE_MIN) {
        size_t room = PAGE_SIZE - (user + done) % PAGE_SIZE;
        size_t part = n - done < room ? n - done : room;
        size_t left = copy_part((char *)dst + done, (const char *)src + done, part);

        done += part - left;
        if (left)
            return n - done;
    }
    return user_copy((char *)dst + done, (const char *)src + done, n - done);
}
