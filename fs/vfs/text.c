/*
 * A growing text; see fs/vfs/text.h. A chunk is filled up to where the next piece no longer fits.
 */
#include "fs/vfs/text.h"
#include "arch/uaccess.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/vm.h"

struct text_chunk {
    struct text_chunk *next;
    uint32_t used;
    char data[PAGE_SIZE - 8];
};
_Static_assert(sizeof(void *) != 4 || sizeof(struct text_chunk) == PAGE_SIZE, "a chunk is a frame");

void text_init(struct text *t)
{
    *t = (struct text){0};
}

void text_free(struct text *t)
{
    while (t->first) {
        struct text_chunk *next = t->first->next;

        kfree(t->first);
        t->first = next;
    }
    text_init(t);
}

static struct text_chunk *add_chunk(struct text *t)
{
    struct text_chunk *c = t->failed ? NULL : kalloc();

    if (!c) {
        t->failed = true;
        return NULL;
    }
    c->next = NULL;
    c->used = 0;
    if (t->last)
        t->last->next = c;
    else
        t->first = c;
    t->last = c;
    return c;
}

static size_t room(const struct text *t)
{
    return t->last ? sizeof(t->last->data) - t->last->used : 0;
}

void text_write(struct text *t, const void *bytes, size_t n)
{
    const char *p = bytes;

    while (n > 0) {
        size_t run = room(t);

        if (run == 0 && !add_chunk(t))
            return;
        run = room(t) < n ? room(t) : n;
        memcpy(t->last->data + t->last->used, p, run);
        t->last->used += run;
        p += run;
        n -= run;
    }
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list ap;
    size_t left = room(t);
    int n;

    va_start(ap, fmt);
    n = vsnprintf(left ? t->last->data + t->last->used : NULL, left, fmt, ap);
    va_end(ap);
    if ((size_t)n >= left) {
        if (!add_chunk(t))
            return;
        left = room(t);
        va_start(ap, fmt);
        n = vsnprintf(t->last->data, left, fmt, ap);
        va_end(ap);
    }
    t->last->used += (size_t)n < left ? (size_t)n : left - 1;
}

size_t text_escape(struct text *t, const char *s, const char *escape)
{
    size_t length = 0;

    while (*s) {
        size_t n = 0;

        while (s[n] && s[n] != '\\' && !strchr(escape, s[n]))
            n++;
        text_write(t, s, n);
        length += n;
        s += n;
        if (*s) {
            text_printf(t, "\\%03o", (unsigned char)*s);
            length += 4;
            s++;
        }
    }
    return length;
}

size_t text_copy(const struct text *t, char *buf, size_t size)
{
    size_t done = 0;

    for (const struct text_chunk *c = t->first; c && done < size; c = c->next) {
        size_t run = c->used < size - done ? c->used : size - done;

        memcpy(buf + done, c->data, run);
        done += run;
    }
    return done;
}

long text_read(const struct text *t, uint64_t offset, void __user *ubuf, size_t len)
{
    const struct text_chunk *c = t->first;
    size_t done = 0;

    for (; c && offset >= c->used; c = c->next)
        offset -= c->used;
    for (; c && done < len; c = c->next, offset = 0) {
        size_t run = c->used - (size_t)offset;

        if (run > len - done)
            run = len - done;
        if (copy_to_user((char __user *)ubuf + done, c->data + offset, run))
            return done ? (long)done : -EFAULT;
        done += run;
        sched_point();
    }
    return (long)done;
}

/* ---- Files that are texts ---- */

void text_file_init(struct text_file *tf)
{
    mutex_init(&tf->lock, MUTEX_RANK_TEXT);
    tf->made = false;
    text_init(&tf->text);
}

void text_file_end(struct text_file *tf)
{
    text_free(&tf->text);
}

long text_file_read(struct text_file *tf, int (*show)(struct text *t, const struct inode *i),
                    const struct inode *i, void __user *ubuf, size_t len, uint64_t *pos)
{
    long n = 0;

    mutex_lock(&tf->lock);
    if (*pos == 0 || !tf->made) {
        text_free(&tf->text);
        n = show(&tf->text, i);
        if (n == 0 && tf->text.failed)
            n = -ENOMEM;
        if (n)
            text_free(&tf->text);
        tf->made = n == 0;
    }
    if (n == 0)
        n = text_read(&tf->text, *pos, ubuf, len);
    mutex_unlock(&tf->lock);
    if (n > 0)
        *pos += (uint64_t)n;
    return n;
}

long text_file_write(int (*store)(const struct inode *i, char *buf, size_t len),
                     const struct inode *i, size_t max, const void __user *ubuf, size_t len,
                     uint64_t *pos)
{
    char *buf;
    int err;

    KASSERT(max <= PAGE_SIZE);
    if (len >= max)
        return -EINVAL;
    buf = kalloc();
    if (!buf)
        return -ENOMEM;
    err = copy_from_user(buf, ubuf, len);
    buf[len] = '\0';
    if (!err)
        err = store(i, buf, len);
    kfree(buf);
    if (err)
        return err;
    *pos += len;
    return (long)len;
}
