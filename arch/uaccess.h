/*
 * The only way to touch user memory (design rule 7). Each checks that the range lies below
 * USER_TOP; a page that is not there yet is faulted in; a bad one ends the copy by the fix-up
 * table. May sleep, so not under a spin lock; but for get_user_u32 and cmpxchg_user_u32, which
 * bring nothing in there: what is not mapped, or not to be written, at that moment is -EFAULT.
 */
#ifndef ARCH_UACCESS_H
#define ARCH_UACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/mmu.h"
#include "arch/user.h"

/* Whether [p, p+n) lies wholly in user addresses. Says nothing of what is mapped. */
static inline bool user_range_ok(const void __user *p, size_t n)
{
    return n <= USER_TOP && (uintptr_t)p <= USER_TOP - n;
}

/* Each returns how many bytes could NOT be copied: 0 is success. */
size_t copy_from_user_partial(void *dst, const void __user *usrc, size_t n);
size_t copy_to_user_partial(void __user *udst, const void *src, size_t n);
size_t clear_user_partial(void __user *udst, size_t n);

/* Each returns 0 or -EFAULT. */
int copy_from_user(void *dst, const void __user *usrc, size_t n);
int copy_to_user(void __user *udst, const void *src, size_t n);
int get_user_u32(uint32_t *dst, const void __user *usrc);
int put_user_u32(void __user *udst, uint32_t value);
/* If *udst is old it becomes new, in one exchange; *seen is what it was. -EFAULT also where it was
 * old's equal but may not be written to. */
int cmpxchg_user_u32(void __user *udst, uint32_t old, uint32_t new, uint32_t *seen);

/* A structure that grows with the versions of its call: size bytes here, usize there. What is short
 * is filled with zeros; -E2BIG when what is too long is not zero; -EFAULT. */
int copy_struct_from_user(void *dst, size_t size, const void __user *usrc, size_t usize);

/*
 * Copies a string with its terminator into dst[size]; returns its length without the terminator,
 * -EFAULT, or -ENAMETOOLONG when no terminator was found in size bytes.
 */
int strncpy_from_user(char *dst, const char __user *usrc, size_t size);

#endif
