/*
 * What a call sends or receives: made of one buffer or a vector of them.
 */
#include "fs/net/unix.h"
#include "libc/errno.h"

static void init(struct message *m, uint32_t flags)
{
    m->flags = flags;
    m->out_flags = flags & MSG_CMSG_CLOEXEC;
    m->len = m->buffers.left;
    m->wants_name = false;
    m->name_len = 0;
    m->rights = NULL;
    m->cred = (struct ucred){0, 0, 0};
    m->has_cred = false;
    m->control = NULL;
    m->control_len = 0;
}

void message_single(struct message *m, void __user *ubuf, uint32_t len, uint32_t flags)
{
    iov_cursor_single(&m->buffers, ubuf, len);
    init(m, flags);
}

void message_kernel(struct message *m, void *buf, uint32_t len, uint32_t flags)
{
    iov_cursor_kernel(&m->buffers, buf, len);
    init(m, flags);
}

void message_vector(struct message *m, const struct iov_set *iov, uint32_t flags)
{
    iov_cursor_vector(&m->buffers, iov);
    init(m, flags);
}

void message_end(struct message *m)
{
    if (m->rights)
        rights_free(m->rights);
}

int message_take(struct message *m, void *to, uint32_t n)
{
    return iov_take(&m->buffers, to, n) ? -EFAULT : 0;
}

int message_give(struct message *m, const void *from, uint32_t n)
{
    return iov_give(&m->buffers, from, n) ? -EFAULT : 0;
}
