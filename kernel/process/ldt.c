/*
 * modify_ldt: segments of a program's own. [man 2 modify_ldt, SDM 3A 3.5.1]
 *
 * The table belongs to the address space, and is 64 KiB of which pages that were never written take
 * no memory (mm/local.h); the processor always finds it at LOCAL_BASE. As on a Linux without
 * X86_16BIT there are no 16-bit segments: a return to such a stack would tell the program the upper
 * half of the kernel's stack pointer.
 */
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/tls.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/local.h"

#define LDT_ENTRIES  8192u
#define LDT_SIZE     (LDT_ENTRIES * 8)
#define DEFAULT_SIZE 40u /* of the table that programs have by default on Linux i386; all zero */
#define PIECE        256u

_Static_assert(LDT_SIZE == LOCAL_PAGES * PAGE_SIZE, "all of it");

enum { READ, WRITE_OLD, READ_DEFAULT, WRITE = 0x11 };

static long read_table(void __user *ubuf, uint32_t size)
{
    struct vm_space *s = proc_current()->space;
    uint8_t piece[PIECE];

    if (!vm_local_read(s, 0, piece, 1))
        return 0;
    size = size < LDT_SIZE ? size : LDT_SIZE;
    for (uint32_t at = 0; at < size; at += PIECE) {
        uint32_t n = size - at < PIECE ? size - at : PIECE;

        (void)vm_local_read(s, at, piece, n);
        if (copy_to_user((uint8_t __user *)ubuf + at, piece, n))
            return -EFAULT;
    }
    return (long)size;
}

static long read_default(void __user *ubuf, uint32_t size)
{
    static const uint8_t zeros[DEFAULT_SIZE];

    size = size < DEFAULT_SIZE ? size : DEFAULT_SIZE;
    return copy_to_user(ubuf, zeros, size) ? -EFAULT : (long)size;
}

/* The old way knows no descriptor that is not present and conforming, and no bit for the program;
 * nothing at 0 of no length is none there. */
static int pack(const struct user_desc *d, bool old, uint64_t *out)
{
    unsigned contents = (d->flags & UD_CONTENTS) >> UD_CONTENTS_SHIFT;
    struct user_desc as = *d;

    *out = 0;
    if (d->entry >= LDT_ENTRIES)
        return -EINVAL;
    if (contents == 3 && (old || !(d->flags & UD_NOT_PRESENT)))
        return -EINVAL;
    if (!d->base && !d->limit && (old || (d->flags & UD_ALL) == (UD_READ_ONLY | UD_NOT_PRESENT)))
        return 0;
    if (!(d->flags & UD_32BIT))
        return -EINVAL;
    if (old)
        as.flags &= ~UD_USEABLE;
    *out = user_desc_pack(&as);
    return 0;
}

static long write_entry(const void __user *ubuf, uint32_t size, bool old)
{
    struct user_desc d;
    uint64_t packed;
    int err;

    if (size != sizeof(d))
        return -EINVAL;
    if (copy_from_user(&d, ubuf, sizeof(d)))
        return -EFAULT;
    err = pack(&d, old, &packed);
    return err ? err : vm_local_write(proc_current()->space, d.entry * 8, &packed, sizeof(packed));
}

long sys_modify_ldt(uint32_t what, void __user *ubuf, uint32_t size)
{
    switch (what) {
    case READ:
        return read_table(ubuf, size);
    case READ_DEFAULT:
        return read_default(ubuf, size);
    case WRITE_OLD:
    case WRITE:
        return write_entry(ubuf, size, what == WRITE_OLD);
    default:
        return -ENOSYS;
    }
}
