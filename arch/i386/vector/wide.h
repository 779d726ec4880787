/* Copies of much, by the widest stores that the processor has. */
#ifndef ARCH_I386_VECTOR_WIDE_H
#define ARCH_I386_VECTOR_WIDE_H

#include <stddef.h>

void wide_init(void); /* after fpu_init() */

#define WIDE_MIN 512u /* below, the registers cost more to borrow than they save */

/* What was NOT copied. Either may be the user's, and that range was checked. Sleeps. */
size_t user_copy(void *dst, const void *src, size_t n); /* uaccess.asm */
size_t user_copy_long(void *dst, const void *src, size_t n);
static inline size_t user_copy_any(void *dst, const void *src, size_t n)
{
    return n < WIDE_MIN ? user_copy(dst, src, n) : user_copy_long(dst, src, n);
}

/* What was NOT zeroed of the program's. */
size_t user_clear(void *dst, size_t n); /* uaccess.asm */
size_t user_clear_long(void *dst, size_t n);

#endif
