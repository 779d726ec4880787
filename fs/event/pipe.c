/*
 * Pipes and FIFOs: a ring of pages between readers and writers.
 *
 * What a write brings is appended to the last buffer where all that goes beyond whole pages fits
 * there, else to pages of its own, as Linux has it: the slots that a sequence of writes takes are
 * the same, and a write of at most PIPE_BUF bytes lands in one piece. A page that a fault cut short
 * does not count. In packet mode (O_DIRECT) nothing is appended, so that reads find what was
 * written.
 *
 * Room comes only when a buffer is read to the end, so that alone wakes writers. Every write wakes
 * readers, for the sake of edge-triggered epoll.
 *
 * Reads and writes do without the kernel lock: the ring is under the pipe's own lock, which is
 * taken for who changes readers and writers, too. Who looks without it (a sleeper's condition,
 * poll) is on the queue already, and woken after what it has not seen.
 */
#include "fs/event/pipe.h"
#include "arch/uaccess.h"
#include "fs/event/pipe_ring.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/iov.h"
#include "fs/vfs/limits.h"
#include "kernel/cred/user.h"
#include "libc/string.h"

#define DEFAULT_SLOTS 16u
#define SMALL_SLOTS   2u       /* of a user over pipe-user-pages-soft */
#define MAX_SLOTS     0x20000u /* Linux's array for more would be longer than its kmalloc gives */
#define FIONREAD      0x541b

/* ---- The ring ---- */

void *pipe_page(struct pipe *p)
{
    void *page = p->spare;

    p->spare = NULL;
    return page ? page : kalloc();
}

void pipe_page_free(struct pipe *p, void *page)
{
    if (p->spare)
        kfree(page);
    else
        p->spare = page;
}

void pipe_push(struct pipe *p, struct pipe_buf buf)
{
    *pipe_buf(p, p->head++) = buf;
}

void pipe_consume(struct pipe *p, uint32_t n)
{
    struct pipe_buf *b = pipe_buf(p, p->tail);

    b->offset += n;
    b->len -= n;
    if (b->len)
        return;
    pipe_page_free(p, b->page);
    p->tail++;
}

static uint32_t min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Moves what there is, up to c->left bytes; -EFAULT when the first buffer's could not be. */
static long take_bytes(struct pipe *p, struct iov_cursor *c)
{
    uint32_t done = 0, n;
    struct pipe_buf *b;
    bool packet = false;

    while (c->left && !packet && !pipe_is_empty(p)) {
        b = pipe_buf(p, p->tail);
        n = min(c->left, b->len);
        packet = b->packet;
        if (iov_give(c, (char *)b->page + b->offset, n))
            return done ? (long)done : -EFAULT;
        pipe_consume(p, packet ? b->len : n);
        done += n;
        sched_point();
    }
    return (long)done;
}

/* What of a write goes beyond whole pages is appended to the last buffer, if all of it fits. */
static long append(struct pipe *p, struct iov_cursor *c)
{
    uint32_t n = c->left % PAGE_SIZE;
    struct pipe_buf *b = pipe_buf(p, p->head - 1);

    if (!n || pipe_is_empty(p) || !b->open || b->offset + b->len + n > PAGE_SIZE)
        return 0;
    if (iov_take(c, (char *)b->page + b->offset + b->len, n))
        return -EFAULT;
    b->len += n;
    return (long)n;
}

/* One page more, for which there is a slot. */
static long give_page(struct pipe *p, struct iov_cursor *c, bool packet)
{
    uint32_t n = min(c->left, PAGE_SIZE);
    void *page = pipe_page(p);

    if (!page)
        return -ENOMEM;
    if (iov_take(c, page, n)) {
        pipe_page_free(p, page);
        return -EFAULT;
    }
    pipe_push(p, (struct pipe_buf){.page = page, .len = n, .open = !packet, .packet = packet});
    return (long)n;
}

/* ---- Waiting ---- */

void pipe_tell_readers(struct pipe *p)
{
    wake_all(&p->read_wait);
    async_tell(&p->async_read, POLL_IN);
}

void pipe_tell_writers(struct pipe *p)
{
    wake_all(&p->write_wait);
    async_tell(&p->async_write, POLL_OUT);
}

/* Buffers in use, with the lock or without: both numbers are of one moment. For a ring that only
 * seems full one would wait in vain: just a read from a full one wakes writers. */
static uint32_t used(const struct pipe *p)
{
    uint32_t tail, head;

    do {
        tail = read_acquire(p->tail);
        head = read_acquire(p->head);
    } while (__builtin_expect(read_once(p->tail) != tail, 0));
    return head - tail;
}

static bool has_data(const struct pipe *p)
{
    return read_once(p->head) != read_once(p->tail);
}

static bool may_read(const struct pipe *p)
{
    return has_data(p) || !read_once(p->writers);
}

static bool may_write(const struct pipe *p)
{
    return used(p) < read_once(p->slots) || !read_once(p->readers);
}

int pipe_wait_data(struct pipe *p, bool nonblock)
{
    int err = 0;

    while (!err && !may_read(p)) {
        if (nonblock)
            return -EAGAIN;
        mutex_unlock(&p->lock);
        err = wait_event_interruptible(&p->read_wait, may_read(p));
        mutex_lock(&p->lock);
    }
    return err;
}

int pipe_wait_room(struct pipe *p, bool nonblock)
{
    int err = 0;

    while (!err && !may_write(p)) {
        if (nonblock)
            return -EAGAIN;
        mutex_unlock(&p->lock);
        err = wait_event_interruptible(&p->write_wait, may_write(p));
        mutex_lock(&p->lock);
    }
    if (err || p->readers)
        return err;
    signal_broken_pipe();
    return -EPIPE;
}

/* ---- Reading and writing ---- */

static bool reads(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool writes(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_RDONLY;
}

static long read_cursor(struct file *f, struct iov_cursor *c)
{
    struct pipe *p = f->inode->pipe;
    bool was_full;
    long ret;

    if (!c->left)
        return 0;
    mutex_lock(&p->lock);
    ret = pipe_wait_data(p, f->flags & O_NONBLOCK);
    was_full = pipe_is_full(p);
    if (!ret)
        ret = take_bytes(p, c);
    was_full = was_full && !pipe_is_full(p);
    mutex_unlock(&p->lock);
    if (was_full)
        pipe_tell_writers(p);
    return ret;
}

/* [lock held; dropped while it waits] All of it, until something stops it: the last result. */
static long write_pages(struct pipe *p, struct file *f, struct iov_cursor *c, uint32_t *done)
{
    long ret = 0;

    while (c->left && ret >= 0) {
        if (pipe_is_full(p))
            wake_all(&p->read_wait);
        if (pipe_is_full(p) || !p->readers)
            ret = pipe_wait_room(p, f->flags & O_NONBLOCK);
        else
            ret = 0;
        if (!ret)
            ret = give_page(p, c, f->flags & O_DIRECT);
        if (ret > 0)
            *done += (uint32_t)ret;
        sched_point();
    }
    return ret;
}

static long write_cursor(struct file *f, struct iov_cursor *c)
{
    struct pipe *p = f->inode->pipe;
    uint32_t done = 0;
    long ret;

    if (!c->left)
        return 0;
    mutex_lock(&p->lock);
    ret = p->readers ? append(p, c) : 0;
    if (ret > 0)
        done = (uint32_t)ret;
    if (ret >= 0)
        ret = write_pages(p, f, c, &done);
    mutex_unlock(&p->lock);
    if (done)
        pipe_tell_readers(p);
    return done ? (long)done : ret;
}

static long pipe_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct iov_cursor c;

    (void)pos;
    iov_cursor_single(&c, ubuf, len);
    return read_cursor(f, &c);
}

static long pipe_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    struct iov_cursor c;

    (void)pos;
    iov_cursor_single(&c, (void __user *)ubuf, len);
    return write_cursor(f, &c);
}

static long pipe_readv(struct file *f, const struct iov_set *iov)
{
    struct iov_cursor c;

    iov_cursor_vector(&c, iov);
    return read_cursor(f, &c);
}

static long pipe_writev(struct file *f, const struct iov_set *iov)
{
    struct iov_cursor c;

    iov_cursor_vector(&c, iov);
    return write_cursor(f, &c);
}

static uint32_t pipe_poll(struct file *f, struct poll_table *pt)
{
    struct pipe *p = f->inode->pipe;
    uint32_t access = f->flags & O_ACCMODE, mask = 0;

    if (access != O_WRONLY) {
        poll_wait(pt, &p->read_wait);
        if (has_data(p))
            mask |= POLLIN;
        if (!p->writers && (uintptr_t)f->private != p->writes_opened)
            mask |= POLLHUP;
    }
    if (access != O_RDONLY) {
        poll_wait(pt, &p->write_wait);
        if (used(p) < p->slots)
            mask |= POLLOUT;
        if (!p->readers)
            mask |= POLLERR;
    }
    return mask;
}

static struct async_list *pipe_async(struct file *f, bool out)
{
    struct pipe *p = f->inode->pipe;

    if (out)
        return writes(f) ? &p->async_write : NULL;
    return reads(f) ? &p->async_read : NULL;
}

static long pipe_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    struct pipe *p = f->inode->pipe;
    uint32_t bytes = 0;

    if (cmd != FIONREAD)
        return -ENOTTY;
    mutex_lock(&p->lock);
    for (uint32_t pos = p->tail; pos != p->head; pos++) {
        bytes += pipe_buf(p, pos)->len;
        sched_point();
    }
    mutex_unlock(&p->lock);
    return put_user_u32((void __user *)arg, bytes);
}

/* ---- Life cycle ---- */

/* A limit of pages for the current process; 0 in the setting, or root: none. */
static uint32_t page_limit(uint32_t setting)
{
    return setting && !capable(CAP_SYS_RESOURCE) ? setting : UINT32_MAX;
}

static uint32_t frames_of(uint32_t slots)
{
    return (slots + BUFS_PER_FRAME - 1) / BUFS_PER_FRAME;
}

static void bufs_free(struct pipe_buf **bufs, uint32_t slots)
{
    for (uint32_t i = 0; bufs && i < frames_of(slots); i++)
        kmfree(bufs[i]);
    kmfree(bufs);
}

/* An array of empty buffers; NULL: no memory. */
static struct pipe_buf **bufs_new(uint32_t slots)
{
    struct pipe_buf **bufs = kzalloc(frames_of(slots) * sizeof(*bufs));

    for (uint32_t i = 0; bufs && i < frames_of(slots); i++) {
        bufs[i] = kzalloc(min(slots, BUFS_PER_FRAME) * sizeof(**bufs));
        if (!bufs[i]) {
            bufs_free(bufs, slots);
            return NULL;
        }
        sched_point();
    }
    return bufs;
}

/* A user with many pipes gets small ones, then none. */
static bool charge_slots(struct pipe *p)
{
    uint32_t usual = min(DEFAULT_SLOTS, page_limit(fs_limits.pipe_bytes) / PAGE_SIZE);

    if (user_charge(p->user, USER_PIPE_PAGES, usual, page_limit(fs_limits.pipe_pages_soft)))
        p->slots = usual;
    else if (user_charge(p->user, USER_PIPE_PAGES, SMALL_SLOTS,
                         page_limit(fs_limits.pipe_pages_hard)))
        p->slots = SMALL_SLOTS;
    return p->slots != 0;
}

static void pipe_free(struct pipe *p)
{
    for (; !pipe_is_empty(p); p->tail++) {
        kfree(pipe_buf(p, p->tail)->page);
        sched_point();
    }
    if (p->spare)
        kfree(p->spare);
    bufs_free(p->bufs, p->slots);
    if (p->user) {
        user_uncharge(p->user, USER_PIPE_PAGES, p->slots);
        user_put(p->user);
    }
    kmfree(p);
}

static struct pipe *pipe_new(void)
{
    struct pipe *p = kzalloc(sizeof(*p));

    if (!p)
        return NULL;
    p->user = user_get();
    if (p->user && charge_slots(p))
        p->bufs = bufs_new(p->slots);
    if (!p->bufs) {
        pipe_free(p);
        return NULL;
    }
    mutex_init(&p->lock, MUTEX_RANK_PIPE);
    waitq_init(&p->read_wait);
    waitq_init(&p->write_wait);
    async_init(&p->async_read);
    async_init(&p->async_write);
    return p;
}

/* The inode's pipe, made for its first user, with one user more. */
static struct pipe *pipe_get(struct inode *inode)
{
    struct pipe *p;

    mutex_lock(&inode->lock);
    if (!inode->pipe)
        inode->pipe = pipe_new();
    p = inode->pipe;
    if (p)
        p->users++;
    mutex_unlock(&inode->lock);
    return p;
}

static void pipe_put(struct inode *inode)
{
    struct pipe *p = inode->pipe;

    mutex_lock(&inode->lock);
    if (--p->users == 0)
        inode->pipe = NULL;
    else
        p = NULL;
    mutex_unlock(&inode->lock);
    if (p)
        pipe_free(p);
}

static void join(struct pipe *p, const struct file *f)
{
    mutex_lock(&p->lock);
    if (reads(f)) {
        p->readers++;
        p->reads_opened++;
    }
    if (writes(f)) {
        p->writers++;
        p->writes_opened++;
    }
    mutex_unlock(&p->lock);
    wake_all(&p->read_wait);
    wake_all(&p->write_wait);
}

static void leave(struct pipe *p, const struct file *f)
{
    mutex_lock(&p->lock);
    p->readers -= reads(f);
    p->writers -= writes(f);
    mutex_unlock(&p->lock);
    wake_all(&p->read_wait);
    wake_all(&p->write_wait);
    if (p->readers + p->writers) { /* somebody may be left alone */
        async_tell(&p->async_read, POLL_IN);
        async_tell(&p->async_write, POLL_OUT);
    }
}

static void pipe_release(struct file *f)
{
    leave(f->inode->pipe, f);
    pipe_put(f->inode);
}

/* man 7 fifo: an open for reading waits for a writer and the other way round. */
static int wait_for_partner(struct pipe *p, struct file *f)
{
    uint32_t opened;

    if (reads(f) && !writes(f) && !p->writers) {
        opened = p->writes_opened;
        if (!(f->flags & O_NONBLOCK))
            return wait_event_interruptible(&p->read_wait, p->writes_opened != opened);
        f->private = (void *)(uintptr_t)opened; /* no POLLHUP before the first writer */
    } else if (writes(f) && !reads(f) && !p->readers) {
        opened = p->reads_opened;
        return wait_event_interruptible(&p->write_wait, p->reads_opened != opened);
    }
    return 0;
}

static int fifo_open(struct inode *inode, struct file *f)
{
    bool anonymous = inode_is_anon(inode); /* through /proc/PID/fd: never waits */
    struct pipe *p;
    int ret = 0;

    if ((f->flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    p = pipe_get(inode);
    if (!p)
        return -ENOMEM;
    if (!anonymous && (f->flags & O_NONBLOCK) && writes(f) && !reads(f) && !p->readers) {
        pipe_put(inode);
        return -ENXIO;
    }
    join(p, f);
    if (!anonymous)
        ret = wait_for_partner(p, f);
    if (ret) {
        leave(p, f);
        pipe_put(inode);
    }
    return ret;
}

/* Half of it: the other end has the rest. */
static uint32_t pipe_held(const struct file *f)
{
    const struct pipe *p = f->inode->pipe;

    return (sizeof(*p) + p->slots * sizeof(struct pipe_buf) + used(p) * PAGE_SIZE) / 2;
}

const struct file_ops fifo_file_ops = {
    .open = fifo_open,
    .release = pipe_release,
    .read = pipe_read,
    .write = pipe_write,
    .readv = pipe_readv,
    .writev = pipe_writev,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .async = pipe_async,
    .held = pipe_held,
    .stream = true,
    .beside = BESIDE_READ | BESIDE_WRITE | BESIDE_POLL,
};

/* ---- fcntl ---- */

bool file_is_pipe(const struct file *f)
{
    return f->ops == &fifo_file_ops;
}

long pipe_get_size(struct file *f)
{
    return file_is_pipe(f) ? (long)(f->inode->pipe->slots * PAGE_SIZE) : -EBADF;
}

static bool may_grow(const struct pipe *p, uint32_t slots)
{
    uint32_t soft = page_limit(fs_limits.pipe_pages_soft);
    uint32_t hard = page_limit(fs_limits.pipe_pages_hard);

    return user_charge(p->user, USER_PIPE_PAGES, slots, soft < hard ? soft : hard);
}

/* [p->lock held] The accounts for a ring of another size, or back again. */
static void uncharge(struct pipe *p, uint32_t from, uint32_t to)
{
    if (from > to)
        user_uncharge(p->user, USER_PIPE_PAGES, from - to);
}

/* [p->lock held] Moves the ring into an array of another size. */
static long resize(struct pipe *p, uint32_t slots)
{
    struct pipe_buf **bufs, **old = p->bufs;
    uint32_t used = p->head - p->tail, old_slots = p->slots;

    if (slots > old_slots && !may_grow(p, slots - old_slots))
        return -EPERM;
    bufs = used > slots || slots > MAX_SLOTS ? NULL : bufs_new(slots);
    if (!bufs) {
        uncharge(p, slots, old_slots);
        return used > slots ? -EBUSY : -ENOMEM;
    }
    uncharge(p, old_slots, slots);
    for (uint32_t i = 0; i < used; i++) {
        bufs[i / BUFS_PER_FRAME][i % BUFS_PER_FRAME] = *pipe_buf(p, p->tail + i);
        sched_point();
    }
    p->bufs = bufs;
    p->slots = slots;
    p->tail = 0;
    p->head = used;
    bufs_free(old, old_slots);
    return (long)(slots * PAGE_SIZE);
}

long pipe_set_size(struct file *f, uint32_t size)
{
    struct pipe *p = f->inode->pipe;
    uint32_t slots = 1;
    long ret = -EPERM;

    if (!file_is_pipe(f))
        return -EBADF;
    if (size > 1u << 31)
        return -EINVAL;
    while (slots < (size + PAGE_SIZE - 1) / PAGE_SIZE)
        slots *= 2;
    mutex_lock(&p->lock);
    if (slots <= p->slots || capable(CAP_SYS_RESOURCE) || slots * PAGE_SIZE <= fs_limits.pipe_bytes)
        ret = resize(p, slots);
    mutex_unlock(&p->lock);
    if (ret > 0) { /* who looked meanwhile saw half of it */
        wake_all(&p->read_wait);
        wake_all(&p->write_wait);
    }
    return ret;
}

/* ---- pipe ---- */

/* O_DIRECT is for who writes. */
int pipe_files(uint32_t flags, struct file *out[2])
{
    struct inode *inode = anon_inode(S_IFIFO | 0600);
    int ret = -ENOMEM;

    if (!inode)
        return -ENOMEM;
    out[0] = file_new(inode, NULL, &fifo_file_ops, O_RDONLY | (flags & O_NONBLOCK));
    out[1] = file_new(inode, NULL, &fifo_file_ops, O_WRONLY | flags);
    if (!out[0] || !out[1]) {
        ret = file_new_error();
        goto fail;
    }
    ret = fifo_open(inode, out[0]);
    if (ret)
        goto fail;
    fifo_open(inode, out[1]); /* the pipe is there: it cannot fail */
    inode_unref(inode);
    return 0;

fail:
    for (int i = 0; i < 2; i++)
        if (out[i]) {
            out[i]->ops = &path_file_ops; /* not open: nothing to release */
            file_put(out[i]);
        }
    inode_unref(inode);
    return ret;
}

#define O_NOTIFICATION_PIPE O_EXCL

static long do_pipe(void __user *ufds, uint32_t flags)
{
    struct file *f[2];
    long ret;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_NOTIFICATION_PIPE))
        return -EINVAL;
    if (flags & O_NOTIFICATION_PIPE)
        return -ENOPKG;
    ret = pipe_files(flags & (O_NONBLOCK | O_DIRECT), f);
    return ret ? ret : fd_install_pair(f, flags & O_CLOEXEC, ufds);
}

long sys_pipe(void __user *ufds)
{
    return do_pipe(ufds, 0);
}

long sys_pipe2(void __user *ufds, uint32_t flags)
{
    return do_pipe(ufds, flags);
}
