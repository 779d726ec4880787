/*
 * splice, tee, vmsplice, sendfile, copy_file_range: data moves without a buffer of the program's.
 *
 * Whole buffers go from pipe to pipe by their page; everything else is copied once, from the
 * source's page into one of the ring's own (or the other way round). So nothing in a pipe changes
 * when its source is written to later, and no page of a file is ever in a ring, where somebody
 * might append to it. A file takes part by its operations on kernel memory (read_kernel,
 * write_kernel).
 *
 * A pipe stays locked while its bytes are on their way into a file or out of one, so that nobody
 * gets between; of two pipes the one at the lower address is locked first. Positions of files are
 * taken at the start and stored at the end, as on Linux.
 */
#include "arch/uaccess.h"
#include "fs/event/pipe.h"
#include "fs/event/pipe_ring.h"
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/iov.h"
#include "libc/string.h"

#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_ALL      15u /* MOVE, NONBLOCK, MORE, GIFT: all but one are hints */

/* A file that takes part, and where in it; off: the user's offset, or NULL for its own position. */
struct place {
    struct file *f;
    struct pipe *pipe; /* NULL: no pipe */
    void __user *off;
    uint64_t pos;
};

static uint32_t min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int place_get(struct place *p, uint32_t fd)
{
    p->f = fd_get((int)fd);
    if (!p->f)
        return -EBADF;
    p->pipe = file_is_pipe(p->f) ? p->f->inode->pipe : NULL;
    p->off = NULL;
    p->pos = p->f->pos;
    return 0;
}

static int places_get(struct place *in, uint32_t fd_in, struct place *out, uint32_t fd_out)
{
    int err = place_get(in, fd_in);

    if (err)
        return err;
    err = place_get(out, fd_out);
    if (err)
        file_put(in->f);
    return err;
}

static void places_put(struct place *in, struct place *out)
{
    file_put(in->f);
    file_put(out->f);
}

static int place_offset(struct place *p, void __user *off)
{
    p->off = off;
    return off ? copy_from_user(&p->pos, off, sizeof(p->pos)) : 0;
}

/* Where it has come to. */
static int place_store(struct place *p)
{
    if (p->off)
        return copy_to_user(p->off, &p->pos, sizeof(p->pos));
    if (p->f->ops->stream)
        return 0;
    mutex_lock(&p->f->pos_lock);
    p->f->pos = p->pos;
    mutex_unlock(&p->f->pos_lock);
    return 0;
}

/* Counted, and told to who watches. */
static void moved(const struct place *in, const struct place *out, long n)
{
    struct rusage_counts *u = &thread_current()->usage;

    if (n <= 0)
        return;
    u->read_bytes += (uint64_t)n;
    u->written_bytes += (uint64_t)n;
    notify_file(in->f, IN_ACCESS);
    notify_file(out->f, IN_MODIFY);
}

static int check_area(uint64_t pos, uint32_t len)
{
    return (int32_t)len < 0 || (int64_t)pos < 0 || (int64_t)(pos + len) < 0 ? -EINVAL : 0;
}

static bool open_for(const struct place *in, const struct place *out)
{
    return file_readable(in->f) && file_writable(out->f);
}

static bool never_waits(const struct place *p)
{
    return p->pipe && (p->f->flags & O_NONBLOCK);
}

/* ---- File and pipe ---- */

/* [pipe locked] One buffer from a file, as long as its page: how much, 0 at the end, -errno. */
static long fill_buffer(struct place *in, struct pipe *p, uint32_t len, bool nonblock)
{
    uint32_t in_page = (uint32_t)in->pos & ~PAGE_MASK;
    void *page = pipe_page(p);
    long n;

    if (!page)
        return -ENOMEM;
    n = in->f->ops->read_kernel(in->f, page, min(len, PAGE_SIZE - in_page), &in->pos, nonblock);
    if (n > 0)
        pipe_push(p, (struct pipe_buf){.page = page, .len = (uint32_t)n});
    else
        pipe_page_free(p, page);
    return n;
}

static long file_to_pipe(struct place *in, struct place *out, uint32_t len, bool nonblock)
{
    struct pipe *p = out->pipe;
    uint32_t done = 0;
    long n;

    mutex_lock(&p->lock);
    n = pipe_wait_room(p, nonblock);
    if (!n && !in->f->ops->read_kernel)
        n = -EINVAL;
    if (!n)
        n = check_area(in->pos, 0);
    while (n >= 0 && done < len && !pipe_is_full(p)) {
        n = fill_buffer(in, p, len - done, nonblock || done);
        if (n <= 0)
            break;
        done += (uint32_t)n;
        sched_point();
    }
    mutex_unlock(&p->lock);
    if (done)
        pipe_tell_readers(p);
    return done ? (long)done : n;
}

/* [pipe locked] The first buffer, or the start of it, into a file. */
static long drain_buffer(struct pipe *p, struct place *out, uint32_t len)
{
    struct pipe_buf *b = pipe_buf(p, p->tail);
    long n =
        out->f->ops->write_kernel(out->f, (char *)b->page + b->offset, min(len, b->len), &out->pos);

    if (n > 0)
        pipe_consume(p, (uint32_t)n);
    return n;
}

static long pipe_to_file(struct place *in, struct place *out, uint32_t len, bool nonblock)
{
    struct pipe *p = in->pipe;
    bool was_full;
    uint32_t done = 0;
    long n;

    mutex_lock(&p->lock);
    n = pipe_wait_data(p, nonblock);
    was_full = pipe_is_full(p);
    while (n >= 0 && done < len && !pipe_is_empty(p) && !fatal_signal_pending()) {
        n = drain_buffer(p, out, len - done);
        if (n <= 0)
            break;
        done += (uint32_t)n;
        sched_point();
    }
    was_full = was_full && !pipe_is_full(p);
    mutex_unlock(&p->lock);
    if (was_full)
        pipe_tell_writers(p);
    return done ? (long)done : n;
}

/* ---- Pipe and pipe ---- */

/* [out locked] The first len bytes of a buffer as one of the other ring; nothing is appended to it.
 */
static int copy_buffer(struct pipe *out, const struct pipe_buf *b, uint32_t len)
{
    void *page = pipe_page(out);

    if (!page)
        return -ENOMEM;
    memcpy(page, (char *)b->page + b->offset, len);
    pipe_push(out, (struct pipe_buf){.page = page, .len = len, .packet = b->packet});
    return 0;
}

/* [both locked] The first buffer, or its first len bytes: how many went. */
static long move_buffer(struct pipe *in, struct pipe *out, uint32_t len)
{
    struct pipe_buf *b = pipe_buf(in, in->tail);
    int err;

    if (b->len <= len) {
        len = b->len;
        pipe_push(out, *b);
        in->tail++;
        return (long)len;
    }
    err = copy_buffer(out, b, len);
    if (err)
        return err;
    pipe_consume(in, len);
    return (long)len;
}

/* [both locked] Moves buffers until one ring is empty or the other full. */
static long move_buffers(struct pipe *in, struct pipe *out, uint32_t len)
{
    uint32_t done = 0;
    long n = 0;

    while (done < len && !pipe_is_empty(in) && !pipe_is_full(out)) {
        n = move_buffer(in, out, len - done);
        if (n < 0)
            break;
        done += (uint32_t)n;
        sched_point();
    }
    return done ? (long)done : n;
}

/* [both locked] The same, with copies. */
static long copy_buffers(struct pipe *in, struct pipe *out, uint32_t len)
{
    uint32_t done = 0, n;
    int err = 0;

    for (uint32_t pos = in->tail; done < len && pos != in->head && !pipe_is_full(out); pos++) {
        n = min(len - done, pipe_buf(in, pos)->len);
        err = copy_buffer(out, pipe_buf(in, pos), n);
        if (err)
            break;
        done += n;
        sched_point();
    }
    return done ? (long)done : err;
}

static void lock_both(struct pipe *a, struct pipe *b)
{
    mutex_lock(a < b ? &a->lock : &b->lock);
    mutex_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_both(struct pipe *a, struct pipe *b)
{
    mutex_unlock(&a->lock);
    mutex_unlock(&b->lock);
}

/* Until there is something to move and room for it, as far as that can be told. */
static int wait_both(struct pipe *in, struct pipe *out, bool nonblock)
{
    int err;

    mutex_lock(&in->lock);
    err = pipe_wait_data(in, nonblock);
    mutex_unlock(&in->lock);
    if (err)
        return err;
    mutex_lock(&out->lock);
    err = pipe_wait_room(out, nonblock);
    mutex_unlock(&out->lock);
    return err;
}

typedef long (*buffers_fn)(struct pipe *in, struct pipe *out, uint32_t len);

/* copy_buffers does not insist: what came between the wait and the locks makes it 0. */
static long pipe_to_pipe(struct place *in, struct place *out, uint32_t len, bool nonblock,
                         buffers_fn transfer)
{
    bool again, was_full;
    long n;

    do {
        n = wait_both(in->pipe, out->pipe, nonblock);
        if (n)
            return n;
        lock_both(in->pipe, out->pipe);
        was_full = pipe_is_full(in->pipe);
        n = transfer(in->pipe, out->pipe, len);
        was_full = was_full && !pipe_is_full(in->pipe);
        again = !n && transfer == move_buffers && (!pipe_is_empty(in->pipe) || in->pipe->writers);
        unlock_both(in->pipe, out->pipe);
    } while (again);
    if (n > 0)
        pipe_tell_readers(out->pipe);
    if (was_full)
        pipe_tell_writers(in->pipe);
    return n;
}

/* ---- splice and tee ---- */

static long splice_out(struct place *in, struct place *out, uint32_t len, bool nonblock)
{
    long n;

    if (out->off && out->f->ops->stream)
        return -EINVAL;
    if (out->f->flags & O_APPEND)
        return -EINVAL;
    n = check_area(out->pos, len);
    if (!n && !out->f->ops->write_kernel)
        n = -EINVAL;
    return n ? n : pipe_to_file(in, out, len, nonblock);
}

static long do_splice(struct place *in, struct place *out, uint32_t len, uint32_t flags)
{
    bool nonblock = (flags & SPLICE_F_NONBLOCK) || never_waits(in) || never_waits(out);

    if (!open_for(in, out))
        return -EBADF;
    if (in->pipe && out->pipe)
        return in->pipe == out->pipe ? -EINVAL : pipe_to_pipe(in, out, len, nonblock, move_buffers);
    if (in->pipe)
        return splice_out(in, out, len, nonblock);
    if (!out->pipe || (in->off && in->f->ops->stream))
        return -EINVAL;
    return file_to_pipe(in, out, len, nonblock);
}

static long splice_at(struct place *in, void __user *off_in, struct place *out,
                      void __user *off_out, uint32_t len, uint32_t flags)
{
    long n;

    if ((in->pipe && off_in) || (out->pipe && off_out))
        return -ESPIPE;
    if (place_offset(out, off_out) || place_offset(in, off_in))
        return -EFAULT;
    n = do_splice(in, out, len, flags);
    moved(in, out, n);
    if (n > 0 && (place_store(out) || place_store(in)))
        n = -EFAULT;
    return n;
}

long sys_splice(uint32_t fd_in, void __user *off_in, uint32_t fd_out, void __user *off_out,
                uint32_t len, uint32_t flags)
{
    struct place in, out;
    long n;

    if (!len)
        return 0;
    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    n = places_get(&in, fd_in, &out, fd_out);
    if (n)
        return n;
    n = splice_at(&in, off_in, &out, off_out, len, flags);
    places_put(&in, &out);
    return n;
}

long sys_tee(uint32_t fd_in, uint32_t fd_out, uint32_t len, uint32_t flags)
{
    struct place in, out;
    bool nonblock;
    long n;

    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    if (!len)
        return 0;
    n = places_get(&in, fd_in, &out, fd_out);
    if (n)
        return n;
    nonblock = (flags & SPLICE_F_NONBLOCK) || never_waits(&in) || never_waits(&out);
    if (!open_for(&in, &out))
        n = -EBADF;
    else if (!in.pipe || !out.pipe || in.pipe == out.pipe)
        n = -EINVAL;
    else
        n = pipe_to_pipe(&in, &out, len, nonblock, copy_buffers);
    moved(&in, &out, n);
    places_put(&in, &out);
    return n;
}

/* ---- vmsplice ---- */

/* [pipe locked] As far as there is room: a buffer for each page of the user's, or part of one. */
static long user_to_pipe(struct pipe *p, struct iov_cursor *c)
{
    uint32_t done = 0, n;
    void *page;

    while (c->left && !pipe_is_full(p)) {
        n = iov_page_part(c);
        page = pipe_page(p);
        if (!page)
            return done ? (long)done : -ENOMEM;
        if (iov_take(c, page, n)) {
            pipe_page_free(p, page);
            return done ? (long)done : -EFAULT;
        }
        pipe_push(p, (struct pipe_buf){.page = page, .len = n});
        done += n;
        sched_point();
    }
    return (long)done;
}

/* [pipe locked] Whatever is in it, up to what there is room for. */
static long pipe_to_user(struct pipe *p, struct iov_cursor *c)
{
    uint32_t done = 0, n;
    struct pipe_buf *b;

    while (c->left && !pipe_is_empty(p)) {
        b = pipe_buf(p, p->tail);
        n = min(c->left, b->len);
        if (iov_give(c, (char *)b->page + b->offset, n))
            return done ? (long)done : -EFAULT;
        pipe_consume(p, n);
        done += n;
        sched_point();
    }
    return (long)done;
}

static long vmsplice_cursor(struct pipe *p, struct iov_cursor *c, bool in, bool nonblock)
{
    long n;

    mutex_lock(&p->lock);
    n = in ? pipe_wait_room(p, nonblock) : pipe_wait_data(p, nonblock);
    if (!n)
        n = in ? user_to_pipe(p, c) : pipe_to_user(p, c);
    mutex_unlock(&p->lock);
    if (n > 0 && in)
        pipe_tell_readers(p);
    if (n > 0 && !in)
        pipe_tell_writers(p);
    return n;
}

static long vmsplice(const struct place *at, const void __user *uvec, uint32_t count,
                     uint32_t flags)
{
    struct iov_cursor c;
    struct iov_set iov;
    long n;

    if (!file_writable(at->f) && !file_readable(at->f))
        return -EBADF;
    n = iov_from_user(&iov, uvec, count, true);
    if (n)
        return n;
    iov_cursor_vector(&c, &iov);
    if (c.left)
        n = at->pipe
                ? vmsplice_cursor(at->pipe, &c, file_writable(at->f), flags & SPLICE_F_NONBLOCK)
                : -EBADF;
    iov_free(&iov);
    return n;
}

long sys_vmsplice(uint32_t fd, const void __user *uvec, uint32_t count, uint32_t flags)
{
    struct place at;
    long n;

    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    n = place_get(&at, fd);
    if (n)
        return n;
    n = vmsplice(&at, uvec, count, flags);
    file_put(at.f);
    return n;
}

/* ---- File to file ---- */

/* One page at most; what was not written is not taken as read. */
static long copy_page(struct place *in, struct place *out, void *page, uint32_t len)
{
    uint64_t pos = in->pos;
    long n = in->f->ops->read_kernel(in->f, page, min(len, PAGE_SIZE), &pos, false);

    if (n > 0)
        n = out->f->ops->write_kernel(out->f, page, (size_t)n, &out->pos);
    if (n > 0)
        in->pos += (uint32_t)n;
    return n;
}

static long file_to_file(struct place *in, struct place *out, uint32_t len)
{
    uint32_t done = 0;
    void *page;
    long n = 0;

    if ((out->f->flags & O_APPEND) || in->f->ops->stream)
        return -EINVAL;
    if (!in->f->ops->read_kernel || !out->f->ops->write_kernel)
        return len ? -EINVAL : 0;
    page = kalloc();
    if (!page)
        return -ENOMEM;
    while (done < len) {
        n = copy_page(in, out, page, len - done);
        if (n <= 0)
            break;
        done += (uint32_t)n;
        if (signal_pending_current())
            break;
        sched_point();
    }
    kfree(page);
    return done ? (long)done : n;
}

/* ---- sendfile ---- */

/* From in->pos on, which may not pass max. */
static long send_to(struct place *in, struct place *out, uint32_t count, uint64_t max)
{
    uint32_t len = min(count, MAX_RW_COUNT);
    long n;

    if (!file_writable(out->f))
        return -EBADF;
    if (in->pos + len > max) {
        if (in->pos >= max)
            return -EOVERFLOW;
        len = (uint32_t)(max - in->pos);
    }
    if (out->pipe)
        n = file_to_pipe(in, out, len, never_waits(out));
    else
        n = file_to_file(in, out, len);
    moved(in, out, n);
    if (n > 0)
        place_store(out);
    return n;
}

/* at: an offset, which is advanced, or NULL for the file's own position. */
static long do_sendfile(uint32_t fd_out, uint32_t fd_in, uint64_t *at, uint32_t count, uint64_t max)
{
    struct place in, out;
    long n = place_get(&in, fd_in);

    if (n)
        return n;
    if (at)
        in.pos = *at;
    if (!file_readable(in.f))
        n = -EBADF;
    else if (at && in.f->ops->stream)
        n = -ESPIPE;
    else
        n = check_area(in.pos, count);
    if (!n)
        n = place_get(&out, fd_out);
    if (!n) {
        n = send_to(&in, &out, count, max);
        file_put(out.f);
    }
    if (n > 0 && at)
        *at = in.pos;
    else if (n > 0)
        place_store(&in);
    file_put(in.f);
    return n;
}

long sys_sendfile(uint32_t fd_out, uint32_t fd_in, void __user *uoff, uint32_t count)
{
    int32_t off;
    uint64_t pos;
    long n;

    if (!uoff)
        return do_sendfile(fd_out, fd_in, NULL, count, MAX_FILE_SIZE);
    if (copy_from_user(&off, uoff, sizeof(off)))
        return -EFAULT;
    pos = (uint64_t)(int64_t)off;
    n = do_sendfile(fd_out, fd_in, &pos, count, MAX_NON_LFS);
    return put_user_u32(uoff, (uint32_t)pos) ? -EFAULT : n;
}

long sys_sendfile64(uint32_t fd_out, uint32_t fd_in, void __user *uoff, uint32_t count)
{
    uint64_t pos;
    long n;

    if (!uoff)
        return do_sendfile(fd_out, fd_in, NULL, count, MAX_FILE_SIZE);
    if (copy_from_user(&pos, uoff, sizeof(pos)))
        return -EFAULT;
    n = do_sendfile(fd_out, fd_in, &pos, count, MAX_FILE_SIZE);
    return copy_to_user(uoff, &pos, sizeof(pos)) ? -EFAULT : n;
}

/* ---- copy_file_range ---- */

static int check_files(const struct place *in, const struct place *out)
{
    const struct inode *from = in->f->inode, *to = out->f->inode;

    if (S_ISDIR(from->mode) || S_ISDIR(to->mode))
        return -EISDIR;
    if (!S_ISREG(from->mode) || !S_ISREG(to->mode))
        return -EINVAL;
    if (!open_for(in, out) || (out->f->flags & O_APPEND))
        return -EBADF;
    return from->sb == to->sb ? 0 : -EXDEV;
}

/* How much of it there is to copy, or why nothing may be. */
static long range_length(const struct place *in, const struct place *out, uint32_t len)
{
    uint64_t size = inode_size(in->f->inode);
    uint32_t count = len;

    if (in->pos + len < in->pos || out->pos + len < out->pos)
        return -EOVERFLOW;
    if (in->pos >= size)
        count = 0;
    else if (count > size - in->pos)
        count = (uint32_t)(size - in->pos);
    if (in->f->inode == out->f->inode && out->pos + count > in->pos && out->pos < in->pos + count)
        return -EINVAL;
    if (check_area(in->pos, count) || check_area(out->pos, count))
        return -EINVAL;
    return (long)min(count, MAX_RW_COUNT);
}

static long copy_range(struct place *in, struct place *out, uint32_t len)
{
    long n = check_files(in, out);

    if (!n)
        n = range_length(in, out, len);
    if (n > 0)
        n = file_to_file(in, out, (uint32_t)n);
    moved(in, out, n);
    if (n > 0 && (place_store(in) || place_store(out)))
        n = -EFAULT;
    return n;
}

long sys_copy_file_range(uint32_t fd_in, void __user *off_in, uint32_t fd_out, void __user *off_out,
                         uint32_t len, uint32_t flags)
{
    struct place in, out;
    long n = places_get(&in, fd_in, &out, fd_out);

    if (n)
        return n;
    if (place_offset(&in, off_in) || place_offset(&out, off_out))
        n = -EFAULT;
    else
        n = flags ? -EINVAL : copy_range(&in, &out, len);
    places_put(&in, &out);
    return n;
}
