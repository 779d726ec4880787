/*
 * Vectors of user buffers: readv and kin, process_vm_readv and process_vm_writev.
 */
#include "fs/vfs/iov.h"
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "libc/string.h"

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
        err = part ? copy_from_user(part, (const char __user *)uvec + i * sizeof(*part),
                                    n * sizeof(*part))
                   : -ENOMEM;
    }
    if (!err)
        err = check_lengths(s, local);
    if (err)
        iov_free(s);
    return err;
}

/* ---- Used up from the front ---- */

static void cursor_init(struct iov_cursor *c, uint32_t len)
{
    c->part = c->offset = 0;
    c->left = len;
    c->kernel = NULL;
}

void iov_cursor_single(struct iov_cursor *c, void __user *ubuf, uint32_t len)
{
    cursor_init(c, len);
    c->single = (struct iovec){.base = ubuf, .len = len};
    c->iov.frames[0] = &c->single;
    c->iov.count = 1;
}

void iov_cursor_kernel(struct iov_cursor *c, void *buf, uint32_t len)
{
    cursor_init(c, len);
    c->kernel = buf;
    c->iov.count = 0;
}

void iov_cursor_vector(struct iov_cursor *c, const struct iov_set *iov)
{
    cursor_init(c, 0);
    c->iov = *iov;
    for (uint32_t i = 0; i < iov->count; i++)
        c->left += iov_at(&c->iov, i)->len;
}

/* The buffer that the next byte lies in. */
static struct iovec *current_part(struct iov_cursor *c)
{
    struct iovec *v = iov_at(&c->iov, c->part);

    while (c->offset == v->len) {
        v = iov_at(&c->iov, ++c->part);
        c->offset = 0;
    }
    return v;
}

/* The next part of the buffers, at most *n bytes. */
static char __user *next_part(struct iov_cursor *c, uint32_t *n)
{
    struct iovec *v = current_part(c);
    char __user *at = (char __user *)v->base + c->offset;

    if (*n > v->len - c->offset)
        *n = v->len - c->offset;
    c->offset += *n;
    return at;
}

/* Of a cursor over one buffer: where the next n bytes are. */
static bool is_single(const struct iov_cursor *c)
{
    return c->iov.frames[0] == &c->single;
}

static char __user *single_part(struct iov_cursor *c, uint32_t n)
{
    char __user *at = (char __user *)c->single.base + c->offset;

    c->offset += n;
    return at;
}

static char *kernel_part(struct iov_cursor *c, uint32_t n)
{
    char *at = c->kernel;

    c->kernel += n;
    return at;
}

uint32_t iov_take(struct iov_cursor *c, void *to, uint32_t n)
{
    uint32_t done = 0, part, missed = 0;

    c->left -= n;
    if (c->kernel) {
        memcpy(to, kernel_part(c, n), n);
        return 0;
    }
    if (is_single(c))
        return copy_from_user_partial(to, single_part(c, n), n);
    while (done < n && !missed) {
        part = n - done;
        const char __user *from = next_part(c, &part);

        missed = copy_from_user_partial((char *)to + done, from, part);
        done += part - missed;
    }
    return n - done;
}

uint32_t iov_give(struct iov_cursor *c, const void *from, uint32_t n)
{
    uint32_t done = 0, part, missed = 0;

    c->left -= n;
    if (c->kernel) {
        memcpy(kernel_part(c, n), from, n);
        return 0;
    }
    if (is_single(c))
        return copy_to_user_partial(single_part(c, n), from, n);
    while (done < n && !missed) {
        part = n - done;
        char __user *to = next_part(c, &part);

        missed = copy_to_user_partial(to, (const char *)from + done, part);
        done += part - missed;
    }
    return n - done;
}

uint32_t iov_page_part(struct iov_cursor *c)
{
    struct iovec *v = current_part(c);
    uint32_t in_page = PAGE_SIZE - (((uintptr_t)v->base + c->offset) & ~PAGE_MASK);
    uint32_t n = v->len - c->offset;

    return n < in_page ? n : in_page;
}
