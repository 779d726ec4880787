/*
 * The user's side of a transfer: one buffer or a vector of them, used up from the front.
 */
#include "arch/uaccess.h"
#include "fs/net/unix.h"
#include "libc/errno.h"
#include "libc/string.h"

static void init(struct message *m, uint32_t flags)
{
    m->flags = flags;
    m->out_flags = flags & MSG_CMSG_CLOEXEC;
    m->part = m->offset = 0;
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
    init(m, flags);
    m->single = (struct iovec){.base = ubuf, .len = len};
    m->iov.frames[0] = &m->single;
    m->iov.count = 1;
    m->len = len;
}

void message_vector(struct message *m, const struct iov_set *iov, uint32_t flags)
{
    init(m, flags);
    m->iov = *iov;
    m->len = 0;
    for (uint32_t i = 0; i < iov->count; i++)
        m->len += iov_at(&m->iov, i)->len;
}

void message_end(struct message *m)
{
    if (m->rights)
        rights_free(m->rights);
}

/* The next part of the buffers, at most *n bytes. There is room: the caller keeps to m->len. */
static char __user *next_part(struct message *m, uint32_t *n)
{
    struct iovec *v = iov_at(&m->iov, m->part);
    char __user *at;

    while (m->offset == v->len) {
        v = iov_at(&m->iov, ++m->part);
        m->offset = 0;
    }
    at = (char __user *)v->base + m->offset;
    if (*n > v->len - m->offset)
        *n = v->len - m->offset;
    m->offset += *n;
    return at;
}

int message_take(struct message *m, void *to, uint32_t n)
{
    for (uint32_t done = 0, part; done < n; done += part) {
        part = n - done;
        const char __user *from = next_part(m, &part);

        if (copy_from_user((char *)to + done, from, part))
            return -EFAULT;
    }
    return 0;
}

int message_give(struct message *m, const void *from, uint32_t n)
{
    for (uint32_t done = 0, part; done < n; done += part) {
        part = n - done;
        char __user *to = next_part(m, &part);

        if (copy_to_user(to, (const char *)from + done, part))
            return -EFAULT;
    }
    return 0;
}
