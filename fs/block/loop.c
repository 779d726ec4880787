/*
 * Loop devices: files as disks. They are made when somebody asks for a free one or for its number.
 * What a request moves goes through the page cache of the file, by a thread of the device's own; a
 * flush syncs the file.
 *
 * A device without a file has no sectors and can be opened. Its page cache goes when its file does.
 */
#include "arch/uaccess.h"
#include "fs/block/file.h"
#include "fs/block/internal.h"
#include "fs/block/loop.h"
#include "fs/block/loop_impl.h"
#include "fs/dev/devfs.h"
#include "fs/vfs/internal.h"
#include "kernel/base/log.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/vm.h"

#define DEPTH      16u
#define SEGMENTS   64u
#define MISC_MAJOR 10u
#define CONTROL    237u /* minor number of loop-control */
#define LOOPS      256u
#define LOOP_MAJOR 7u

#define FLAGS_SETTABLE (FLAG_AUTOCLEAR | FLAG_PARTSCAN)

#define LOOP_SET_FD       0x4c00u
#define LOOP_CLR_FD       0x4c01u
#define LOOP_SET_STATUS   0x4c02u
#define LOOP_GET_STATUS   0x4c03u
#define LOOP_SET_STATUS64 0x4c04u
#define LOOP_GET_STATUS64 0x4c05u
#define LOOP_SET_CAPACITY 0x4c07u
#define LOOP_SET_DIRECT   0x4c08u
#define LOOP_SET_BLOCK    0x4c09u
#define LOOP_CONFIGURE    0x4c0au
#define LOOP_CTL_ADD      0x4c80u
#define LOOP_CTL_REMOVE   0x4c81u
#define LOOP_CTL_GET_FREE 0x4c82u

/* [linux/loop.h] */
struct loop_info64 {
    uint64_t device, inode, rdevice, offset, sizelimit;
    uint32_t number, encrypt_type, encrypt_key_size, flags;
    uint8_t file_name[NAME_BYTES], crypt_name[NAME_BYTES], encrypt_key[32];
    uint64_t init[2];
};
struct loop_info {
    int32_t number;
    uint16_t device;
    uint32_t inode;
    uint16_t rdevice;
    int32_t offset, encrypt_type, encrypt_key_size, flags;
    char name[NAME_BYTES];
    uint8_t encrypt_key[32];
    uint32_t init[2];
    char reserved[4];
};
struct loop_config {
    uint32_t fd, block_size;
    struct loop_info64 info;
    uint64_t reserved[8];
};

static struct mutex loops_lock;
static struct loop *loops[LOOPS]; /* [loops_lock] to add */

/* ---- The thread ---- */

static long move(struct loop *l, const struct block_io *io, uint64_t at)
{
    uint32_t done = 0;

    while (done < io->bytes) {
        uint32_t from = io->offset + done, within = from & (PAGE_SIZE - 1);
        uint32_t n = PAGE_SIZE - within < io->bytes - done ? PAGE_SIZE - within : io->bytes - done;
        uint8_t *p = (uint8_t *)io->pages[from >> PAGE_SHIFT] + within;
        long moved = io->op == BLOCK_READ ? vm_object_read_kernel(l->object, at + done, p, n)
                                          : vm_object_write_kernel(l->object, at + done, p, n);

        if (moved < 0)
            return moved;
        if (moved == 0 && io->op == BLOCK_WRITE)
            return -EIO;
        if (moved < (long)n && io->op == BLOCK_READ) /* the file has become shorter */
            memset(p + moved, 0, n - (uint32_t)moved), moved = n;
        done += (uint32_t)moved;
    }
    return 0;
}

struct file *loop_file(struct loop *l)
{
    struct file *f;

    spin_lock(&l->work_lock);
    f = l->file;
    if (f)
        file_ref(f);
    spin_unlock(&l->work_lock);
    return f;
}

/* Also asked of a device without a file, or while that is taken: sync(2) asks everybody. */
static int flush_file(struct loop *l)
{
    struct file *f = loop_file(l);
    int err;

    if (!f)
        return 0;
    err = f->ops->fsync ? f->ops->fsync(f) : 0;
    file_put(f);
    return err;
}

/* [lock] */
static void replace_file(struct loop *l, struct file *f)
{
    spin_lock(&l->work_lock);
    l->file = f;
    spin_unlock(&l->work_lock);
}

static int work_off(struct loop *l, struct block_request *r)
{
    struct block_io *io;
    long err = 0;

    if (r->op == BLOCK_FLUSH)
        return flush_file(l);
    list_for_each_entry (io, &r->ios, sorted) {
        err = move(l, io, l->offset + (io->at << SECTOR_SHIFT));
        if (err)
            break;
    }
    return err ? -EIO : 0;
}

static bool take_work(struct loop *l, unsigned *tag)
{
    bool any;

    spin_lock(&l->work_lock);
    any = l->work != 0;
    if (any) {
        *tag = (unsigned)__builtin_ctz(l->work);
        l->work &= l->work - 1;
    }
    spin_unlock(&l->work_lock);
    return any;
}

static void loop_main(void *arg)
{
    struct loop *l = arg;
    unsigned tag = 0;

    for (;;) {
        wait_event_idle(&l->wake, take_work(l, &tag));
        block_complete(&l->queue.slots[tag], work_off(l, &l->queue.slots[tag]));
    }
}

static void loop_submit(struct block_queue *q, struct block_request *r)
{
    struct loop *l = q->hardware;

    spin_lock(&l->work_lock);
    l->work |= 1u << r->tag;
    spin_unlock(&l->work_lock);
    wake_all(&l->wake);
}

/* Files take as long as they take. */
static void loop_poll(struct block_queue *q)
{
    (void)q;
}

static int loop_reset(struct block_queue *q)
{
    (void)q;
    return 0;
}

/* ---- Setting a file ---- */

/* The size that the device gets of what is behind it. */
static uint64_t sectors_of(const struct loop *l)
{
    uint64_t size = vm_object_size(l->object);

    size = size > l->offset ? size - l->offset : 0;
    if (l->sizelimit && l->sizelimit < size)
        size = l->sizelimit;
    return size >> SECTOR_SHIFT;
}

/* [lock] The device as the fields now say: its old contents are forgotten. */
static int show_change(struct loop *l)
{
    struct block_device *dev = &l->queue.whole;
    int err;

    dev->sectors = l->file ? sectors_of(l) : 0;
    dev->read_only = l->flags & FLAG_READ_ONLY;
    err = device_resized(dev);
    if (!err && (l->flags & FLAG_PARTSCAN || !l->file))
        err = partition_scan(dev);
    return err;
}

/* The object behind a file that can be a disk. */
static struct vm_object *object_of(struct file *f, const struct loop *l)
{
    struct block_device *dev = block_of_file(f);

    if (dev)
        return dev->disk == &l->queue.whole ? NULL : block_object(dev);
    return S_ISREG(f->inode->mode) ? f->inode->object : NULL;
}

static bool is_block_size(uint32_t n)
{
    return n >= SECTOR_SIZE && n <= PAGE_SIZE && (n & (n - 1)) == 0;
}

static void set_block_size(struct loop *l, uint32_t size)
{
    l->queue.whole.block_size = l->queue.whole.physical_size = size;
}

/* [lock] It has no file any more. */
static void show_nothing(struct loop *l)
{
    l->flags = 0;
    replace_file(l, NULL);
    set_block_size(l, SECTOR_SIZE);
    (void)show_change(l);
    l->object = NULL;
}

static int start_thread(struct loop *l)
{
    char name[16];

    if (l->has_thread)
        return 0;
    snprintf(name, sizeof(name), "loop%u", l->number);
    l->has_thread = kthread_create(name, loop_main, l) != NULL;
    return l->has_thread ? 0 : -ENOMEM;
}

/* [lock] */
static int set_file(struct loop *l, uint32_t fd, const struct loop_info64 *info, uint32_t flags,
                    uint32_t block_size)
{
    struct file *f;
    int err;

    if (l->file)
        return -EBUSY;
    f = fd_get((int)fd);
    if (!f)
        return -EBADF;
    l->object = object_of(f, l);
    err = l->object ? start_thread(l) : -EINVAL;
    if (!err) {
        replace_file(l, f);
        l->offset = info->offset;
        l->sizelimit = info->sizelimit;
        l->flags = flags & (FLAG_READ_ONLY | FLAGS_SETTABLE);
        if (!file_writable(f))
            l->flags |= FLAG_READ_ONLY;
        memcpy(l->name, info->file_name, sizeof(l->name));
        l->name[NAME_BYTES - 1] = '\0';
        set_block_size(l, block_size);
        err = show_change(l);
    }
    if (!err)
        loop_sysfs_add(l);
    if (err) {
        show_nothing(l);
        file_put(f);
    }
    return err;
}

/* [lock] */
static int clear_file(struct loop *l)
{
    struct file *f = l->file;
    int err;

    if (!f)
        return -ENXIO;
    err = block_sync(&l->queue.whole);
    l->queue.whole.sectors = 0;
    if (partition_scan(&l->queue.whole) == -EBUSY) {
        l->queue.whole.sectors = sectors_of(l);
        return -EBUSY;
    }
    loop_sysfs_remove(l);
    show_nothing(l);
    l->offset = l->sizelimit = 0;
    l->name[0] = '\0';
    file_put(f);
    return err;
}

/* ---- ioctl ---- */

static void get_status(const struct loop *l, struct loop_info64 *info)
{
    const struct inode *i = l->file->inode;

    memset(info, 0, sizeof(*info));
    info->device = i->sb ? i->sb->dev : 0;
    info->inode = i->ino;
    info->rdevice = i->rdev;
    info->offset = l->offset;
    info->sizelimit = l->sizelimit;
    info->number = l->number;
    info->flags = l->flags;
    memcpy(info->file_name, l->name, NAME_BYTES);
}

static int set_status(struct loop *l, const struct loop_info64 *info)
{
    if (info->encrypt_type)
        return -EINVAL;
    l->offset = info->offset;
    l->sizelimit = info->sizelimit;
    l->flags = (l->flags & ~FLAG_AUTOCLEAR) | (info->flags & FLAGS_SETTABLE);
    memcpy(l->name, info->file_name, NAME_BYTES);
    l->name[NAME_BYTES - 1] = '\0';
    (void)block_sync(&l->queue.whole);
    return show_change(l);
}

static void narrow(const struct loop_info64 *in, struct loop_info *out)
{
    memset(out, 0, sizeof(*out));
    out->number = (int32_t)in->number;
    out->device = (uint16_t)in->device;
    out->inode = (uint32_t)in->inode;
    out->rdevice = (uint16_t)in->rdevice;
    out->offset = (int32_t)in->offset;
    out->flags = (int32_t)in->flags;
    memcpy(out->name, in->file_name, NAME_BYTES);
}

static void widen(const struct loop_info *in, struct loop_info64 *out)
{
    memset(out, 0, sizeof(*out));
    out->offset = (uint32_t)in->offset;
    out->encrypt_type = (uint32_t)in->encrypt_type;
    out->flags = (uint32_t)in->flags;
    memcpy(out->file_name, in->name, NAME_BYTES);
}

/* [lock] What is asked of a device with a file. */
static long with_file(struct loop *l, uint32_t cmd, void __user *arg)
{
    struct loop_info64 info;
    struct loop_info old;

    switch (cmd) {
    case LOOP_GET_STATUS64:
        get_status(l, &info);
        return copy_to_user(arg, &info, sizeof(info));
    case LOOP_GET_STATUS:
        get_status(l, &info);
        if (info.offset > INT32_MAX || info.sizelimit)
            return -EOVERFLOW;
        narrow(&info, &old);
        return copy_to_user(arg, &old, sizeof(old));
    case LOOP_SET_STATUS64:
        return copy_from_user(&info, arg, sizeof(info)) ? -EFAULT : set_status(l, &info);
    case LOOP_SET_STATUS:
        if (copy_from_user(&old, arg, sizeof(old)))
            return -EFAULT;
        widen(&old, &info);
        return set_status(l, &info);
    case LOOP_SET_CAPACITY:
        return show_change(l);
    default:
        return -EINVAL;
    }
}

static long change_block_size(struct loop *l, uint32_t size)
{
    int err;

    if (l->queue.whole.block_size == size)
        return 0;
    err = block_sync(&l->queue.whole);
    if (!err)
        set_block_size(l, size);
    return err;
}

static long configure(struct loop *l, void __user *arg)
{
    struct loop_config *c = kmalloc(sizeof(*c));
    long err;

    if (!c)
        return -ENOMEM;
    if (copy_from_user(c, arg, sizeof(*c)))
        err = -EFAULT;
    else if ((c->block_size && !is_block_size(c->block_size)) || c->info.encrypt_type)
        err = -EINVAL;
    else
        err = set_file(l, c->fd, &c->info, c->info.flags,
                       c->block_size ? c->block_size : SECTOR_SIZE);
    kmfree(c);
    return err;
}

static bool is_ours(uint32_t cmd)
{
    return cmd >= LOOP_SET_FD && cmd <= LOOP_CONFIGURE;
}

static long loop_command(struct loop *l, uint32_t cmd, uint32_t arg)
{
    static const struct loop_info64 nothing;

    switch (cmd) {
    case LOOP_SET_FD:
        return set_file(l, arg, &nothing, 0, SECTOR_SIZE);
    case LOOP_CONFIGURE:
        return configure(l, (void __user *)arg);
    case LOOP_CLR_FD:
        if (!l->file)
            return -ENXIO;
        if (l->queue.whole.openers > 1) {
            l->flags |= FLAG_AUTOCLEAR;
            return 0;
        }
        return clear_file(l);
    case LOOP_SET_BLOCK:
        return !l->file ? -ENXIO : is_block_size(arg) ? change_block_size(l, arg) : -EINVAL;
    case LOOP_SET_DIRECT:
        return !l->file ? -ENXIO : arg ? -EINVAL : 0;
    default:
        return l->file ? with_file(l, cmd, (void __user *)arg) : -ENXIO;
    }
}

static long loop_ioctl(struct block_device *dev, uint32_t cmd, uint32_t arg)
{
    struct loop *l = dev->queue->hardware;
    long ret;

    if (!is_ours(cmd) || dev->partition)
        return -ENOTTY;
    if (!capable(CAP_SYS_ADMIN) && cmd != LOOP_GET_STATUS && cmd != LOOP_GET_STATUS64)
        return -EPERM;
    mutex_lock(&l->lock);
    ret = loop_command(l, cmd, arg);
    mutex_unlock(&l->lock);
    return ret;
}

static void loop_closed(struct block_device *dev)
{
    struct loop *l = dev->queue->hardware;

    mutex_lock(&l->lock);
    if (l->file && (l->flags & FLAG_AUTOCLEAR) && !dev->openers)
        (void)clear_file(l);
    mutex_unlock(&l->lock);
}

static const struct block_driver loop_driver = {
    .name = "loop",
    .submit = loop_submit,
    .poll = loop_poll,
    .reset = loop_reset,
    .ioctl = loop_ioctl,
    .closed = loop_closed,
};

/* ---- /dev/loop-control ---- */

/* [loops_lock] */
static long add_loop(unsigned number)
{
    struct loop *l = kzalloc(sizeof(*l));
    struct block_queue *q = l ? &l->queue : NULL;
    int err;

    if (!l)
        return -ENOMEM;
    l->number = number;
    mutex_init(&l->lock, MUTEX_RANK_LOOP);
    waitq_init(&l->wake);
    spin_init(&l->work_lock, "loop", LOCK_RANK_LEAF);
    q->driver = &loop_driver;
    q->hardware = l;
    q->depth = DEPTH;
    q->max_segments = SEGMENTS;
    q->max_bytes = SEGMENTS * PAGE_SIZE;
    q->has_cache = q->solid = true;
    q->timeout_ms = UINT32_MAX;
    q->whole.block_size = SECTOR_SIZE;
    q->whole.hidden = true;
    q->whole.number = MKDEV(LOOP_MAJOR, number);
    snprintf(q->whole.name, sizeof(q->whole.name), "loop%u", number);
    err = block_register(q, BLOCK_LOOP);
    if (err) {
        kmfree(l);
        return err;
    }
    loops[number] = l;
    return number;
}

static bool is_there(unsigned n)
{
    return loops[n] && !loops[n]->removed;
}

/* [loops_lock] Makes it, or shows again what was removed. */
static long make_loop(unsigned n)
{
    int err;

    if (!loops[n])
        return add_loop(n);
    err = device_add(&loops[n]->queue.whole);
    if (err)
        return err;
    loops[n]->removed = false;
    return (long)n;
}

/* The first without a file, made if there is none. */
static long get_free(void)
{
    unsigned n = 0;

    while (n < LOOPS && is_there(n) && loops[n]->file)
        n++;
    if (n == LOOPS)
        return -ENOSPC;
    return is_there(n) ? (long)n : make_loop(n);
}

/* number below 0: any that is not there. */
static long control_add(int32_t number)
{
    unsigned n = number < 0 ? 0 : (unsigned)number;

    while (number < 0 && n < LOOPS && is_there(n))
        n++;
    if (n >= LOOPS)
        return -ENOSPC;
    return is_there(n) ? -EEXIST : make_loop(n);
}

/* Its memory stays, for who makes it again. */
static long control_remove(int32_t number)
{
    struct loop *l;
    int err;

    if (number < 0)
        return -EINVAL;
    if (number >= (int32_t)LOOPS || !is_there((unsigned)number))
        return -ENODEV;
    l = loops[number];
    err = l->file ? -EBUSY : device_hide(&l->queue.whole);
    if (!err)
        l->removed = true;
    return err;
}

static long control_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    long ret = -ENOSYS;

    (void)f;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    mutex_lock(&loops_lock);
    if (cmd == LOOP_CTL_GET_FREE)
        ret = get_free();
    else if (cmd == LOOP_CTL_ADD)
        ret = control_add((int32_t)arg);
    else if (cmd == LOOP_CTL_REMOVE)
        ret = control_remove((int32_t)arg);
    mutex_unlock(&loops_lock);
    return ret;
}

static const struct file_ops control_ops = {.ioctl = control_ioctl};

static int misc_open(struct inode *i, struct file *f)
{
    if (DEV_MINOR(i->rdev) != CONTROL)
        return -ENODEV;
    f->ops = &control_ops;
    return 0;
}

static const struct file_ops misc_ops = {.open = misc_open};

void loop_init(void)
{
    mutex_init(&loops_lock, MUTEX_RANK_LOOPS);
    if (chrdev_register(MISC_MAJOR, "misc", &misc_ops) == 0)
        (void)devfs_add("loop-control", S_IFCHR | 0600, MKDEV(MISC_MAJOR, CONTROL));
}
