/*
 * read, write and their kin, and the position of a file.
 *
 * A file whose operations are no stream has a position, which pos_lock guards when anybody else
 * might use the file at the same time. Every buffer is checked to lie in user addresses before the
 * operation sees it; the operation meets unmapped memory in its copies.
 *
 * Where several processors run, read and write, their vectors, at an offset too, begin without the
 * kernel lock, and go on without where the file's operations may; so does lseek, where it only
 * touches the position.
 */
#include "arch/processors.h"
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "fs/vfs/iov.h"
#include "libc/string.h"

typedef long (*transfer_fn)(struct file *f, void __user *ubuf, size_t len, uint64_t *pos);

/* The upper half changes under the kernel lock only: who reads the sum has it. */
static void count_bytes(uint64_t *sum, uint32_t n)
{
    uint32_t low;

    if (__builtin_add_overflow((uint32_t)*sum, n, &low)) {
        kernel_need();
        *sum += n;
    } else {
        memcpy(sum, &low, sizeof(low));
    }
}

/* Counted for /proc/PID/io, and told to who watches the file. */
static long moved(const struct file *f, long n, uint64_t *sum, uint32_t event)
{
    if (n > 0) {
        count_bytes(sum, (uint32_t)n);
        notify_file(f, event);
    }
    return n;
}

static long transfer_in(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    if (!file_readable(f))
        return -EBADF;
    if (!f->ops->read)
        return -EINVAL;
    if (!user_range_ok(ubuf, len))
        return -EFAULT;
    return moved(f, f->ops->read(f, ubuf, len < MAX_RW_COUNT ? len : MAX_RW_COUNT, pos),
                 &thread_current()->usage.read_bytes, IN_ACCESS);
}

static long transfer_out(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    if (!file_writable(f))
        return -EBADF;
    if (!f->ops->write)
        return -EINVAL;
    if (!user_range_ok(ubuf, len))
        return -EFAULT;
    return moved(f, f->ops->write(f, ubuf, len < MAX_RW_COUNT ? len : MAX_RW_COUNT, pos),
                 &thread_current()->usage.written_bytes, IN_MODIFY);
}

static void count_call(transfer_fn transfer)
{
    struct rusage_counts *u = &thread_current()->usage;

    ++*(transfer == transfer_in ? &u->read_calls : &u->write_calls);
}

static inline long read_file(struct file *f, void __user *ubuf, uint32_t len)
{
    long n;

    if (!f)
        return -EBADF;
    bool locked = file_pos_begin(f);
    count_call(transfer_in);
    n = transfer_in(f, ubuf, len, &f->pos);
    file_pos_end(f, locked);
    file_put(f);
    return n;
}

static inline long write_file(struct file *f, void __user *ubuf, uint32_t len)
{
    long n;

    if (!f)
        return -EBADF;
    bool locked = file_pos_begin(f);
    count_call(transfer_out);
    n = transfer_out(f, ubuf, len, &f->pos);
    file_pos_end(f, locked);
    file_put(f);
    return n;
}

long sys_read(uint32_t fd, void __user *ubuf, uint32_t len)
{
    return read_file(fd_get((int)fd), ubuf, len);
}

long sys_write(uint32_t fd, void __user *ubuf, uint32_t len)
{
    return write_file(fd_get((int)fd), ubuf, len);
}

/* ---- Beside the kernel lock ---- */

long read_beside(uint32_t fd, void __user *ubuf, uint32_t len)
{
    return read_file(fd_get_beside((int)fd, BESIDE_READ), ubuf, len);
}

long write_beside(uint32_t fd, void __user *ubuf, uint32_t len)
{
    return write_file(fd_get_beside((int)fd, BESIDE_WRITE), ubuf, len);
}

/* ---- At an offset ---- */

static inline long at_offset(struct file *f, void __user *ubuf, uint32_t len, uint64_t pos,
                             transfer_fn transfer)
{
    long n = -ESPIPE;

    if ((int64_t)pos < 0) {
        if (f)
            file_put(f);
        return -EINVAL;
    }
    if (!f)
        return -EBADF;
    count_call(transfer);
    if (!f->ops->stream)
        n = transfer(f, ubuf, len, &pos);
    file_put(f);
    return n;
}

long sys_pread64(uint32_t fd, void __user *ubuf, uint32_t len, uint32_t low, uint32_t high)
{
    return at_offset(fd_get_beside((int)fd, BESIDE_READ), ubuf, len, make64(low, high),
                     transfer_in);
}

long sys_pwrite64(uint32_t fd, void __user *ubuf, uint32_t len, uint32_t low, uint32_t high)
{
    return at_offset(fd_get_beside((int)fd, BESIDE_WRITE), ubuf, len, make64(low, high),
                     transfer_out);
}

/* ---- Vectors ---- */

static long iov_at_once(struct file *f, const struct iov_set *s, transfer_fn transfer)
{
    struct rusage_counts *u = &thread_current()->usage;

    if (transfer == transfer_in)
        return moved(f, f->ops->readv(f, s), &u->read_bytes, IN_ACCESS);
    return moved(f, f->ops->writev(f, s), &u->written_bytes, IN_MODIFY);
}

/* Part after part, until one comes up short. */
static long iov_transfer(struct file *f, struct iov_set *s, uint64_t *pos, transfer_fn transfer)
{
    long total = 0;

    if (f->ops->readv)
        return iov_at_once(f, s, transfer);
    for (uint32_t i = 0; i < s->count; i++) {
        struct iovec *v = iov_at(s, i);
        long n;

        if (v->len == 0)
            continue;
        n = transfer(f, v->base, v->len, pos);
        if (n < 0)
            return total ? total : n;
        total += n;
        if ((uint32_t)n < v->len || fatal_signal_pending())
            break;
        sched_point();
    }
    return total;
}

static int may_transfer(const struct file *f, transfer_fn transfer)
{
    bool in = transfer == transfer_in;

    if (!(in ? file_readable(f) : file_writable(f)))
        return -EBADF;
    return (in ? (void *)f->ops->read : (void *)f->ops->write) ? 0 : -EINVAL;
}

int file_may_transfer(const struct file *f, bool out)
{
    return may_transfer(f, out ? transfer_out : transfer_in);
}

long file_transfer(struct file *f, bool out, struct iov_set *s, uint64_t pos)
{
    transfer_fn transfer = out ? transfer_out : transfer_in;

    count_call(transfer);
    return iov_transfer(f, s, &pos, transfer);
}

static bool is_empty(struct iov_set *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (iov_at(s, i)->len)
            return false;
    return true;
}

/* at: an explicit offset, or NULL for the position of the file. flags: RWF_*, which are looked at
 * last, and only if there is something to move. */
static long vector_file(struct file *f, const void __user *uvec, uint32_t count, uint64_t *at,
                        uint32_t flags, transfer_fn transfer)
{
    struct iov_set set;
    long n;

    if (!f)
        return -EBADF;
    n = at && f->ops->stream ? -ESPIPE : may_transfer(f, transfer);
    if (!n)
        n = iov_from_user(&set, uvec, count, true);
    if (!n) {
        bool locked = !at && file_pos_begin(f);

        count_call(transfer);
        if (flags && !is_empty(&set))
            n = rw_set_flags(f, transfer == transfer_out, flags);
        if (!n)
            n = iov_transfer(f, &set, at ? at : &f->pos, transfer);
        file_pos_end(f, locked);
        iov_free(&set);
        if (flags)
            rw_end_flags();
    }
    file_put(f);
    return n;
}

static long vector(uint32_t fd, const void __user *uvec, uint32_t count, uint64_t *at,
                   uint32_t flags, transfer_fn transfer)
{
    if (at && (int64_t)*at < 0)
        return -EINVAL;
    return vector_file(fd_get((int)fd), uvec, count, at, flags, transfer);
}

long readv_beside(uint32_t fd, const void __user *uvec, uint32_t count)
{
    return vector_file(fd_get_beside((int)fd, BESIDE_READ), uvec, count, NULL, 0, transfer_in);
}

long writev_beside(uint32_t fd, const void __user *uvec, uint32_t count)
{
    return vector_file(fd_get_beside((int)fd, BESIDE_WRITE), uvec, count, NULL, 0, transfer_out);
}

long sys_readv(uint32_t fd, const void __user *uvec, uint32_t count)
{
    return vector(fd, uvec, count, NULL, 0, transfer_in);
}

long sys_writev(uint32_t fd, const void __user *uvec, uint32_t count)
{
    return vector(fd, uvec, count, NULL, 0, transfer_out);
}

long sys_preadv(uint32_t fd, const void __user *uvec, uint32_t count, uint32_t low, uint32_t high)
{
    uint64_t pos = make64(low, high);

    return vector(fd, uvec, count, &pos, 0, transfer_in);
}

long sys_pwritev(uint32_t fd, const void __user *uvec, uint32_t count, uint32_t low, uint32_t high)
{
    uint64_t pos = make64(low, high);

    return vector(fd, uvec, count, &pos, 0, transfer_out);
}

#define RWF_HIPRI  1u /* asks for nothing here */
#define RWF_DSYNC  2u
#define RWF_SYNC   4u
#define RWF_NOWAIT 8u
#define RWF_APPEND 16u

static uint32_t known_flags(const struct file_ops *ops, bool out)
{
    if (out ? ops->plain_write : ops->plain_read)
        return RWF_HIPRI;
    return RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND | (ops->nowait ? RWF_NOWAIT : 0);
}

int rw_set_flags(const struct file *f, bool out, uint32_t flags)
{
    if (flags & ~known_flags(f->ops, out))
        return -EOPNOTSUPP;
    thread_current()->rw_flags = (flags & (RWF_DSYNC | RWF_SYNC) ? O_DSYNC : 0u) |
                                 (flags & RWF_APPEND ? O_APPEND : 0u) |
                                 (flags & RWF_NOWAIT ? O_NONBLOCK : 0u);
    return 0;
}

void rw_end_flags(void)
{
    thread_current()->rw_flags = 0;
}

/* Offset -1 is the file's own position. */
static long vector2(uint32_t fd, const void __user *uvec, uint32_t count, uint64_t pos,
                    uint32_t flags, transfer_fn transfer)
{
    return vector(fd, uvec, count, pos == UINT64_MAX ? NULL : &pos, flags, transfer);
}

long sys_preadv2(uint32_t fd, const void __user *uvec, uint32_t count, uint32_t low, uint32_t high,
                 uint32_t flags)
{
    return vector2(fd, uvec, count, make64(low, high), flags, transfer_in);
}

long sys_pwritev2(uint32_t fd, const void __user *uvec, uint32_t count, uint32_t low, uint32_t high,
                  uint32_t flags)
{
    return vector2(fd, uvec, count, make64(low, high), flags, transfer_out);
}

/* ---- Position ---- */

static int64_t seek_data_hole(uint64_t offset, int whence, uint64_t size)
{
    if (offset >= size)
        return -ENXIO;
    return whence == SEEK_DATA ? offset : size;
}

int64_t seek_nowhere(struct file *f, int64_t offset, int whence)
{
    (void)f, (void)offset, (void)whence;
    return 0;
}

int64_t generic_seek(struct file *f, int64_t offset, int whence, uint64_t size)
{
    switch (whence) {
    case SEEK_SET:
        break;
    case SEEK_CUR:
        offset += (int64_t)f->pos;
        break;
    case SEEK_END:
        offset += (int64_t)size;
        break;
    case SEEK_DATA:
    case SEEK_HOLE:
        offset = seek_data_hole((uint64_t)offset, whence, size);
        if (offset < 0)
            return offset;
        break;
    default:
        return -EINVAL;
    }
    if (offset < 0 || (uint64_t)offset > MAX_FILE_SIZE)
        return -EINVAL;
    f->pos = (uint64_t)offset;
    return offset;
}

/* Whether only the position is touched. */
static bool seeks_beside(const struct file *f, uint32_t whence)
{
    return whence <= SEEK_CUR && (!f->ops->seek || f->ops->seek == object_seek || f->ops->beside);
}

static int64_t file_seek(struct file *f, int64_t offset, uint32_t whence)
{
    int64_t r;

    if (whence > SEEK_HOLE)
        return -EINVAL;
    if (f->ops->stream && !f->ops->seek)
        return -ESPIPE;
    if (!seeks_beside(f, whence))
        kernel_need();
    bool locked = file_pos_begin(f);
    r = f->ops->seek ? f->ops->seek(f, offset, (int)whence)
                     : generic_seek(f, offset, (int)whence, inode_size(f->inode));
    file_pos_end(f, locked);
    return r;
}

long sys_lseek(uint32_t fd, uint32_t offset, uint32_t whence)
{
    struct file *f = fd_get((int)fd);
    int64_t r;

    if (!f)
        return -EBADF;
    r = file_seek(f, (int32_t)offset, whence);
    file_put(f);
    return r > INT32_MAX ? -EOVERFLOW : (long)r;
}

long sys__llseek(uint32_t fd, uint32_t high, uint32_t low, void __user *uresult, uint32_t whence)
{
    struct file *f = fd_get((int)fd);
    int64_t r;

    if (!f)
        return -EBADF;
    r = file_seek(f, (int64_t)make64(low, high), whence);
    file_put(f);
    if (r < 0)
        return (long)r;
    return copy_to_user(uresult, &r, sizeof(r));
}
