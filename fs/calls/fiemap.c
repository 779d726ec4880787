/*
 * FS_IOC_FIEMAP: where on its device a file lies. Documentation/filesystems/fiemap.
 */
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "kernel/signal/signal.h"

#define FIEMAP_SYNC 1u

#define EXTENT_LAST     0x1u
#define EXTENT_UNKNOWN  0x2u
#define EXTENT_DELALLOC 0x4u
#define EXTENT_MERGED   0x1000u

struct fiemap {
    uint64_t start, length;
    uint32_t flags, mapped, count, reserved;
};

struct fiemap_extent {
    uint64_t logical, physical, length, reserved64[2];
    uint32_t flags, reserved[3];
};

_Static_assert(sizeof(struct fiemap) == 32 && sizeof(struct fiemap_extent) == 56, "Linux layout");

#define COUNT_MAX (UINT32_MAX / (uint32_t)sizeof(struct fiemap_extent))

/* The extent at or after at, with all that continues it. */
static int merged(struct inode *i, uint64_t at, struct file_extent *out)
{
    struct file_extent next;
    int found = i->ops->extent(i, at, out);

    while (found == 1 && i->ops->extent(i, out->at + out->len, &next) == 1) {
        if (next.at != out->at + out->len || next.unplaced != out->unplaced ||
            (!out->unplaced && next.place != out->place + out->len))
            break;
        out->len += next.len;
        if (fatal_signal_pending())
            return -EINTR;
        sched_point();
    }
    return found;
}

static int put_extent(const struct file_extent *e, bool last, struct fiemap_extent __user *uout)
{
    struct fiemap_extent x = {.logical = e->at, .physical = e->place, .length = e->len};

    x.flags = EXTENT_MERGED | (last ? EXTENT_LAST : 0);
    if (e->unplaced)
        x.flags |= EXTENT_UNKNOWN | EXTENT_DELALLOC;
    return copy_to_user(uout, &x, sizeof(x));
}

/* A count of 0: they are only counted. */
static int put_extents(struct inode *i, struct fiemap *m, struct fiemap_extent __user *uout)
{
    uint64_t at = m->start, end = m->start + m->length;
    struct file_extent e, next;
    int found = at < end ? merged(i, at, &e) : 0, more = 0;

    while (found == 1 && e.at < end && (!m->count || m->mapped < m->count)) {
        more = merged(i, e.at + e.len, &next);
        if (more < 0 || (m->count && put_extent(&e, more == 0, uout + m->mapped)))
            return more < 0 ? more : -EFAULT;
        m->mapped++;
        e = next;
        found = more;
    }
    return found < 0 ? found : 0;
}

static int fill(struct file *f, struct fiemap *m, struct fiemap_extent __user *uout)
{
    uint32_t unknown = m->flags & ~FIEMAP_SYNC;
    int err = 0;

    m->mapped = 0;
    if (m->length == 0)
        return -EINVAL;
    if (m->start > MAX_FILE_SIZE)
        return -EFBIG;
    if (m->length > MAX_FILE_SIZE - m->start)
        m->length = MAX_FILE_SIZE - m->start;
    if (unknown) {
        m->flags = unknown;
        return -EBADR;
    }
    if (m->flags & FIEMAP_SYNC)
        err = vm_object_sync(f->inode->object);
    return err ? err : put_extents(f->inode, m, uout);
}

long file_map_ioctl(struct file *f, void __user *uarg)
{
    struct fiemap m;
    int err;

    if (!f->inode->ops || !f->inode->ops->extent)
        return -EOPNOTSUPP;
    if (copy_from_user(&m, uarg, sizeof(m)))
        return -EFAULT;
    if (m.count > COUNT_MAX)
        return -EINVAL;
    err = fill(f, &m, (struct fiemap_extent __user *)((char __user *)uarg + sizeof(m)));
    return copy_to_user(uarg, &m, sizeof(m)) ? -EFAULT : err;
}
