/*
 * Pipes and FIFOs: a ring of pages between readers and writers.
 *
 * head and tail count bytes and wrap at 2^32; a byte at position n lies in slot n / 4096 modulo the
 * number of slots. Pages come when they are first written to and go when they are read to the end,
 * so an empty pipe holds at most one. The pipe is full when the pages from tail's to head's are as
 * many as there are slots, which is also how Linux counts.
 *
 * A writer of at most PIPE_BUF bytes waits for room for all of them (atomicity); room comes only
 * when a page is read to the end, so that alone wakes writers. Every write wakes readers, for the
 * sake of edge-triggered epoll.
 */
#include "fs/event/pipe.h"
#include "arch/uaccess.h"
#include "fs/notify/owner.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "kernel/cred/user.h"
#include "libc/string.h"

#define DEFAULT_SLOTS 16u
#define SMALL_SLOTS   2u   /* of a user over pipe-user-pages-soft */
#define MAX_SLOTS     256u /* 1 MiB, as Linux's fs.pipe-max-size */
#define FIONREAD      0x541b

struct pipe {
    struct mutex lock;
    uint32_t users;                       /* [inode->lock] open files, and opens under way */
    uint32_t readers, writers;            /* [lock] open files of each kind */
    uint32_t reads_opened, writes_opened; /* [lock] how many ever: what blocking opens wait for */
    uint32_t head, tail;                  /* [lock] positions of the next byte in and out */
    uint32_t slots;                       /* [lock] a power of two */
    void **pages;                         /* [lock] by slot; NULL: none yet */
    struct user *user;                    /* who made it: charged for the slots */
    struct waitq read_wait, write_wait;
    struct async_list async_read, async_write; /* O_ASYNC */
};

/* ---- The ring ---- */

static uint32_t page_start(uint32_t pos)
{
    return pos & PAGE_MASK;
}

static void **slot(struct pipe *p, uint32_t pos)
{
    return &p->pages[(pos >> PAGE_SHIFT) & (p->slots - 1)];
}

/* Bytes that can be written now. */
static uint32_t room(const struct pipe *p)
{
    return page_start(p->tail) + p->slots * PAGE_SIZE - p->head;
}

/* No page is free: the last one may have room all the same. */
static bool is_full(const struct pipe *p)
{
    return room(p) < PAGE_SIZE;
}

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Moves what there is, up to len bytes; -EFAULT when the first byte could not be. */
static long take_bytes(struct pipe *p, char __user *ubuf, uint32_t len)
{
    uint32_t done = 0, offset, n, missed = 0;

    while (done < len && p->tail != p->head && !missed) {
        offset = p->tail & ~PAGE_MASK;
        n = min3(len - done, p->head - p->tail, PAGE_SIZE - offset);
        missed = copy_to_user_partial(ubuf + done, (char *)*slot(p, p->tail) + offset, n);
        done += n - missed;
        if (offset + n - missed == PAGE_SIZE) {
            kfree(*slot(p, p->tail));
            *slot(p, p->tail) = NULL;
        }
        p->tail += n - missed;
        sched_point();
    }
    if (p->tail == p->head)
        p->tail = p->head = page_start(p->head);
    return done || !missed ? (long)done : -EFAULT;
}

/* Moves len bytes, for which there is room; less where a fault or lack of memory stops it. */
static long give(struct pipe *p, const char __user *ubuf, uint32_t len)
{
    uint32_t done = 0, offset, n, missed;
    void **page;

    while (done < len) {
        page = slot(p, p->head);
        if (!*page && !(*page = kalloc()))
            return done ? (long)done : -ENOMEM;
        offset = p->head & ~PAGE_MASK;
        n = min3(len - done, PAGE_SIZE - offset, PAGE_SIZE);
        missed = copy_from_user_partial((char *)*page + offset, ubuf + done, n);
        done += n - missed;
        p->head += n - missed;
        if (missed)
            return done ? (long)done : -EFAULT;
        sched_point();
    }
    return done;
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

static bool may_read(const struct pipe *p)
{
    return p->head != p->tail || !p->writers;
}

static bool may_write(const struct pipe *p, uint32_t need)
{
    return room(p) >= need || !p->readers;
}

static long pipe_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct pipe *p = f->inode->pipe;
    bool was_full;
    long ret;

    (void)pos;
    if (!len)
        return 0;
    mutex_lock(&p->lock);
    while (!may_read(p)) {
        mutex_unlock(&p->lock);
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        ret = wait_event_interruptible(&p->read_wait, may_read(p));
        if (ret)
            return ret;
        mutex_lock(&p->lock);
    }
    was_full = is_full(p);
    ret = take_bytes(p, ubuf, len);
    mutex_unlock(&p->lock);
    if (was_full && !is_full(p)) {
        wake_all(&p->write_wait);
        async_tell(&p->async_write, POLL_OUT);
    }
    return ret;
}

/* Waits until may_write; drops and retakes p->lock. */
static int wait_for_room(struct pipe *p, const struct file *f, uint32_t need)
{
    int ret = -EAGAIN;

    mutex_unlock(&p->lock);
    if (!(f->flags & O_NONBLOCK))
        ret = wait_event_interruptible(&p->write_wait, may_write(p, need));
    mutex_lock(&p->lock);
    return ret;
}

static long pipe_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    struct pipe *p = f->inode->pipe;
    const uint32_t need = len <= PIPE_BUF ? len : 1;
    uint32_t done = 0, n;
    long ret = 0;

    (void)pos;
    if (!len)
        return 0;
    mutex_lock(&p->lock);
    while (done < len && ret >= 0) {
        if (!p->readers) {
            signal_broken_pipe();
            ret = -EPIPE;
        } else if (!may_write(p, need)) {
            ret = wait_for_room(p, f, need);
        } else {
            n = min3(len - done, room(p), UINT32_MAX);
            ret = give(p, (const char __user *)ubuf + done, n);
            if (ret > 0) {
                wake_all(&p->read_wait);
                done += (uint32_t)ret;
                if ((uint32_t)ret < n)
                    break;
            }
        }
    }
    mutex_unlock(&p->lock);
    if (done)
        async_tell(&p->async_read, POLL_IN);
    return done ? (long)done : ret;
}

static uint32_t pipe_poll(struct file *f, struct poll_table *pt)
{
    struct pipe *p = f->inode->pipe;
    uint32_t access = f->flags & O_ACCMODE, mask = 0;

    if (access != O_WRONLY) {
        poll_wait(pt, &p->read_wait);
        if (p->head != p->tail)
            mask |= POLLIN;
        if (!p->writers && (uintptr_t)f->private != p->writes_opened)
            mask |= POLLHUP;
    }
    if (access != O_RDONLY) {
        poll_wait(pt, &p->write_wait);
        if (!is_full(p))
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

    if (cmd != FIONREAD)
        return -ENOTTY;
    return put_user_u32((void __user *)arg, p->head - p->tail);
}

/* ---- Life cycle ---- */

/* A limit of pages for the current process; 0 in the setting, or root: none. */
static uint32_t page_limit(uint32_t setting)
{
    return setting && !capable() ? setting : UINT32_MAX;
}

/* A user with many pipes gets small ones, then none. */
static bool charge_slots(struct pipe *p)
{
    if (user_charge(p->user, USER_PIPE_PAGES, DEFAULT_SLOTS, page_limit(fs_limits.pipe_pages_soft)))
        p->slots = DEFAULT_SLOTS;
    else if (user_charge(p->user, USER_PIPE_PAGES, SMALL_SLOTS,
                         page_limit(fs_limits.pipe_pages_hard)))
        p->slots = SMALL_SLOTS;
    return p->slots != 0;
}

static void pipe_free(struct pipe *p)
{
    for (uint32_t i = 0; p->pages && i < p->slots; i++)
        if (p->pages[i])
            kfree(p->pages[i]);
    if (p->user) {
        user_uncharge(p->user, USER_PIPE_PAGES, p->slots);
        user_put(p->user);
    }
    kmfree(p->pages);
    kmfree(p);
}

static struct pipe *pipe_new(void)
{
    struct pipe *p = kzalloc(sizeof(*p));

    if (!p)
        return NULL;
    p->user = user_get();
    if (p->user && charge_slots(p))
        p->pages = kzalloc(p->slots * sizeof(void *));
    if (!p->pages) {
        pipe_free(p);
        return NULL;
    }
    mutex_init(&p->lock);
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
    uint32_t first = page_start(p->tail), end = page_start(p->head + PAGE_SIZE - 1);

    return (sizeof(*p) + p->slots * sizeof(void *) + (end - first)) / 2;
}

const struct file_ops fifo_file_ops = {
    .open = fifo_open,
    .release = pipe_release,
    .read = pipe_read,
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .async = pipe_async,
    .held = pipe_held,
    .stream = true,
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

/* [p->lock held] Moves the ring into an array of another size. */
static long resize(struct pipe *p, uint32_t slots)
{
    uint32_t used = (page_start(p->head + PAGE_SIZE - 1) - page_start(p->tail)) >> PAGE_SHIFT;
    void **old = p->pages, **pages;
    uint32_t pos, first = page_start(p->tail), old_slots = p->slots;

    if (used > slots)
        return -EBUSY;
    if (slots > old_slots && !may_grow(p, slots - old_slots))
        return -EPERM;
    pages = kzalloc(slots * sizeof(*pages));
    if (!pages) {
        if (slots > old_slots)
            user_uncharge(p->user, USER_PIPE_PAGES, slots - old_slots);
        return -ENOMEM;
    }
    if (slots < old_slots)
        user_uncharge(p->user, USER_PIPE_PAGES, old_slots - slots);
    for (pos = first; pos != first + used * PAGE_SIZE; pos += PAGE_SIZE) {
        pages[(pos >> PAGE_SHIFT) & (slots - 1)] = *slot(p, pos);
        *slot(p, pos) = NULL;
    }
    for (uint32_t i = 0; i < old_slots; i++)
        if (old[i])
            kfree(old[i]);
    p->pages = pages;
    p->slots = slots;
    kmfree(old);
    return (long)(slots * PAGE_SIZE);
}

long pipe_set_size(struct file *f, uint32_t size)
{
    struct pipe *p = f->inode->pipe;
    uint32_t slots = 1;
    long ret;

    if (!file_is_pipe(f))
        return -EBADF;
    if (size > 1u << 31)
        return -EINVAL;
    while (slots * PAGE_SIZE < size && slots <= MAX_SLOTS)
        slots *= 2;
    if (slots > MAX_SLOTS)
        return -EPERM;
    mutex_lock(&p->lock);
    ret = resize(p, slots);
    mutex_unlock(&p->lock);
    wake_all(&p->write_wait);
    return ret;
}

/* ---- pipe ---- */

/* Two files on one inode of their own. */
static int pipe_files(uint32_t flags, struct file *out[2])
{
    struct inode *inode = anon_inode(S_IFIFO | 0600);
    int ret = -ENOMEM;

    if (!inode)
        return -ENOMEM;
    out[0] = file_new(inode, NULL, &fifo_file_ops, O_RDONLY | flags);
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

static long do_pipe(void __user *ufds, uint32_t flags)
{
    struct file *f[2];
    int fd[2] = {-1, -1};
    long ret;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    ret = pipe_files(flags & O_NONBLOCK, f);
    if (ret)
        return ret;
    for (int i = 0; i < 2 && !ret; i++) {
        fd[i] = fd_install(f[i], 0, flags & O_CLOEXEC);
        if (fd[i] < 0)
            ret = fd[i];
    }
    if (!ret)
        ret = copy_to_user(ufds, fd, sizeof(fd));
    if (!ret)
        return 0;
    for (int i = 0; i < 2; i++) {
        if (fd[i] >= 0)
            fd_close(fd[i]);
        else
            file_put(f[i]);
    }
    return ret;
}

long sys_pipe(void __user *ufds)
{
    return do_pipe(ufds, 0);
}

long sys_pipe2(void __user *ufds, uint32_t flags)
{
    return do_pipe(ufds, flags);
}
