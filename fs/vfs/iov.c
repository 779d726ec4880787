/*
 * Vectors of user buffers: readv and kin, process_vm_readv and process_vm_writev.
 */
#include "fs/vfs/iov.h"
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"

void iov_free(struct iov_set *s)
{
    for (uint32_t i = 0; i < IOV_MAX / IOV_PER_FRAME; i++)
        kmfree(s->frames[i]);
}

static int check_lengths(struct iov_set *s, bool local)
{
    uint32_t room = MAX_RW_COUNT;

    for (uint32_t i = 0; i < s->count; i++) {
        struct iovec *v = iov_at(s, i);

        if ((int32_t)v->len < 0)
            return -EINVAL;
        if (!local)
            continue;
        if (!user_range_ok(v->base, v->len))
            return -EFAULT;
        if (v->len > room)
            v->len = room;
        room -= v->len;
    }
    return 0;
}

int iov_from_user(struct iov_set *s, const void __user *uvec, uint32_t count, bool local)
{
    int err = count > IOV_MAX ? -EINVAL : 0;

    s->frames[0] = s->frames[1] = NULL;
    s->count = count;
    for (uint32_t i = 0; !err && i < count; i += IOV_PER_FRAME) {
        uint32_t n = count - i < IOV_PER_FRAME ? count - i : IOV_PER_FRAME;
        struct iovec *part = kmalloc(n * sizeof(*part));

        s->frames[i / IOV_PER_FRAME] = part;
        err = part ? copy_from_user(part, uvec + i * sizeof(*part), n * sizeof(*part)) : -ENOMEM;
    }
    if (!err)
        err = check_lengths(s, local);
    if (err)
        iov_free(s);
    return err;
}
