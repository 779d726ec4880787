/* arch/uaccess.h on the real machine: range checks in front of uaccess.asm. */
#include "arch/uaccess.h"
#include "arch/i386/vector/wide.h"
#include "libc/string.h"
#include "libc/errno.h"

/* uaccess.asm */
int user_string(char *dst, const char __user *usrc, size_t size);

size_t copy_from_user_partial(void *dst, const void __user *usrc, size_t n)
{
    return user_range_ok(usrc, n) ? user_copy_any(dst, (__force const void *)usrc, n) : n;
}

size_t copy_to_user_partial(void __user *udst, const void *src, size_t n)
{
    return user_range_ok(udst, n) ? user_copy_any((__force void *)udst, src, n) : n;
}

size_t clear_user_partial(void __user *udst, size_t n)
{
    return user_range_ok(udst, n) ? user_clear_long((__force void *)udst, n) : n;
}

int copy_from_user(void *dst, const void __user *usrc, size_t n)
{
    return copy_from_user_partial(dst, usrc, n) ? -EFAULT : 0;
}

int copy_to_user(void __user *udst, const void *src, size_t n)
{
    return copy_to_user_partial(udst, src, n) ? -EFAULT : 0;
}

int strncpy_from_user(char *dst, const char __user *usrc, size_t size)
{
    uintptr_t start = (uintptr_t)usrc;
    size_t room;
    int ret;

    if (start >= USER_TOP)
        return -EFAULT;
    room = USER_TOP - start;
    ret = user_string(dst, usrc, size < room ? size : room);
    return ret == -ENAMETOOLONG && room < size ? -EFAULT : ret;
}

int copy_struct_from_user(void *dst, size_t size, const void __user *usrc, size_t usize)
{
    size_t known = usize < size ? usize : size;
    uint8_t byte;

    for (size_t i = size; i < usize; i++) {
        if (copy_from_user(&byte, (const char __user *)usrc + i, 1))
            return -EFAULT;
        if (byte)
            return -E2BIG;
    }
    memset((char *)dst + known, 0, size - known);
    return copy_from_user(dst, usrc, known);
}
