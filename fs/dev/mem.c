/*
 * The memory devices, major 1: null, zero, full, random, urandom. kmsg is in fs/dev/kmsg.c.
 */
#include "fs/dev/devfs.h"
#include "fs/vfs/vfs.h"
#include "arch/processors.h"
#include "arch/uaccess.h"
#include "kernel/machine/random.h"
#include "kernel/thread/sched.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define MEM_MAJOR 1

/* ---- null ---- */

static long null_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f, (void)ubuf, (void)len, (void)pos;
    return 0;
}

static long null_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f, (void)ubuf, (void)pos;
    return (long)len;
}

static long null_write_kernel(struct file *f, const void *buf, size_t len, uint64_t *pos)
{
    (void)f, (void)buf, (void)pos;
    return (long)len;
}

/* Every position is the beginning. */
static int64_t null_seek(struct file *f, int64_t offset, int whence)
{
    (void)offset, (void)whence;
    f->pos = 0;
    return 0;
}

static uint32_t always_ready(struct file *f, struct poll_table *pt)
{
    (void)f, (void)pt;
    return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

static const struct file_ops null_ops = {
    .read = null_read,
    .write = null_write,
    .write_kernel = null_write_kernel,
    .seek = null_seek,
    .beside = BESIDE_READ | BESIDE_WRITE,
    .nowait = true,
};

/* ---- zero and full ---- */

static long zero_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    size_t done = 0;

    (void)f, (void)pos;
    while (done < len) {
        size_t n = len - done < PAGE_SIZE ? len - done : PAGE_SIZE;
        size_t left = clear_user_partial((char __user *)ubuf + done, n);

        done += n - left;
        if (left)
            return done ? (long)done : -EFAULT;
        if (done < len && signal_pending_current())
            break;
        sched_point();
    }
    return (long)done;
}

/* Private: plain anonymous memory. Shared: an anonymous object of its own for each mapping. */
static int zero_mmap(struct file *f, struct vm_mapping *m)
{
    (void)f;
    m->pgoff = 0;
    m->backing = NULL;
    if (!(m->flags & VM_SHARED))
        return 0;
    m->object = vm_object_create_anon(m->len);
    return m->object ? 0 : -ENOMEM;
}

static long full_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f, (void)ubuf, (void)len, (void)pos;
    return -ENOSPC;
}

static const struct file_ops zero_ops = {
    .read = zero_read,
    .write = null_write,
    .seek = null_seek,
    .mmap = zero_mmap,
    .beside = BESIDE_READ | BESIDE_WRITE | BESIDE_MMAP,
    .nowait = true,
};

static const struct file_ops full_ops = {
    .read = zero_read,
    .write = full_write,
    .seek = null_seek,
    .beside = BESIDE_READ | BESIDE_WRITE,
    .plain_write = true,
};

/* ---- random ---- */

#define RANDOM_CHUNK 256

#define RNDGETENTCNT   0x80045200u
#define RNDADDTOENTCNT 0x40045201u
#define RNDADDENTROPY  0x40085203u
#define RNDZAPENTCNT   0x5204u
#define RNDCLEARPOOL   0x5206u
#define RNDRESEEDCRNG  0x5207u

static long random_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f, (void)pos;
    return random_to_user(ubuf, len);
}

static long random_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    uint8_t chunk[RANDOM_CHUNK];
    size_t done = 0;

    (void)f, (void)pos;
    while (done < len) {
        size_t n = len - done < sizeof(chunk) ? len - done : sizeof(chunk);

        if (copy_from_user(chunk, (const char __user *)ubuf + done, n))
            return done ? (long)done : -EFAULT;
        random_add(chunk, n);
        done += n;
        if (done < len && signal_pending_current())
            break;
        sched_point();
    }
    return (long)done;
}

/* How random something is said to be; nobody reckons with that. */
static long credit(const void __user *uarg)
{
    uint32_t bits;

    if (get_user_u32(&bits, uarg))
        return -EFAULT;
    return (int32_t)bits < 0 ? -EINVAL : 0;
}

/* struct rand_pool_info: bits, bytes, and these. */
static long add_entropy(struct file *f, const uint32_t __user *uinfo)
{
    long n = credit(uinfo);
    uint32_t bytes;

    if (n)
        return n;
    if (get_user_u32(&bytes, uinfo + 1))
        return -EFAULT;
    n = random_write(f, uinfo + 2, bytes, NULL);
    if (n < 0)
        return n;
    return (uint32_t)n == bytes ? 0 : -EFAULT;
}

static long random_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    switch (cmd) {
    case RNDGETENTCNT:
        return put_user_u32((void __user *)arg, 256);
    case RNDADDTOENTCNT:
        return capable(CAP_SYS_ADMIN) ? credit((const void __user *)arg) : -EPERM;
    case RNDADDENTROPY:
        return capable(CAP_SYS_ADMIN) ? add_entropy(f, (const uint32_t __user *)arg) : -EPERM;
    case RNDZAPENTCNT: /* what has been mixed in stays */
    case RNDCLEARPOOL:
    case RNDRESEEDCRNG: /* done all the time */
        return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
    default:
        return -EINVAL;
    }
}

static const struct file_ops random_ops = {
    .read = random_read,
    .write = random_write,
    .ioctl = random_ioctl,
    .poll = always_ready,
    .seek = null_seek,
    .nowait = true,
};

/* ---- Opening ---- */

static const struct file_ops *const mem_minors[] = {
    [3] = &null_ops,   [5] = &zero_ops,   [7] = &full_ops,
    [8] = &random_ops, [9] = &random_ops, [11] = &kmsg_ops,
};

static int mem_open(struct inode *inode, struct file *f)
{
    uint32_t minor = DEV_MINOR(inode->rdev);

    if (minor >= sizeof(mem_minors) / sizeof(mem_minors[0]) || !mem_minors[minor])
        return -ENXIO;
    f->ops = mem_minors[minor];
    if (!f->ops->open)
        return 0;
    kernel_need();
    return f->ops->open(inode, f);
}

static const struct file_ops mem_ops = {
    .open = mem_open,
    .beside = BESIDE_OPEN,
};

void mem_init(void)
{
    static const struct {
        const char *name;
        uint32_t mode, rdev;
    } nodes[] = {
        {"null", S_IFCHR | 0666, MKDEV(MEM_MAJOR, 3)},
        {"zero", S_IFCHR | 0666, MKDEV(MEM_MAJOR, 5)},
        {"full", S_IFCHR | 0666, MKDEV(MEM_MAJOR, 7)},
        {"random", S_IFCHR | 0666, MKDEV(MEM_MAJOR, 8)},
        {"urandom", S_IFCHR | 0666, MKDEV(MEM_MAJOR, 9)},
        {"kmsg", S_IFCHR | 0644, MKDEV(MEM_MAJOR, 11)},
    };

    chrdev_register(MEM_MAJOR, "mem", &mem_ops);
    for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
        devfs_add(nodes[i].name, nodes[i].mode, nodes[i].rdev);
}
