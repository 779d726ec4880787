/*
 * userfaultfd: a program serves the page faults of its own memory. man 2 userfaultfd,
 * ioctl_userfaultfd
 *
 * What is here is the file: the messages and the requests. Who waits for what is mm/served.c's. Of
 * the features there are SIGBUS, THREAD_ID, missing pages of shared memory, and protection of
 * private pages, which Linux has on 64-bit processors only; as on its i386 there are no minor
 * faults. No events of fork, mremap and the like.
 */
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "kernel/thread/proc.h"
#include "libc/string.h"
#include "mm/served/served.h"

#define UFFD_USER_MODE_ONLY 1u
#define UFFD_API            0xaau

#define UFFDIO_API          0xc018aa3fu
#define UFFDIO_REGISTER     0xc020aa00u
#define UFFDIO_UNREGISTER   0x8010aa01u
#define UFFDIO_WAKE         0x8010aa02u
#define UFFDIO_COPY         0xc028aa03u
#define UFFDIO_ZEROPAGE     0xc020aa04u
#define UFFDIO_WRITEPROTECT 0xc018aa06u
#define IOCTL_BIT(cmd)      (1ull << ((cmd)&0xff))

#define FEATURE_WP        0x001u
#define FEATURE_SHMEM     0x020u
#define FEATURE_SIGBUS    0x080u
#define FEATURE_THREAD_ID 0x100u
#define FEATURES          (FEATURE_WP | FEATURE_SHMEM | FEATURE_SIGBUS | FEATURE_THREAD_ID)

#define MODE_DONTWAKE 1u /* of COPY, ZEROPAGE */
#define MODE_COPY_WP  2u
#define WP_ON         1u /* of WRITEPROTECT */
#define WP_DONTWAKE   2u

#define EVENT_PAGEFAULT 0x12
#define FAULT_WRITE     1u
#define FAULT_WP        2u

uint32_t unprivileged_userfaultfd;

struct userfault {
    struct vm_server *server;
    bool ready; /* UFFDIO_API was done */
    bool user_only;
    uint32_t features;
    struct waitq queue;
};

struct message { /* struct uffd_msg */
    uint8_t event, pad[7];
    uint64_t flags, address;
    uint32_t tid, rest;
};
_Static_assert(sizeof(struct message) == 32, "Linux layout");

struct range {
    uint64_t start, len;
};

/* [vm_lock held] */
static void tell(void *arg)
{
    struct userfault *u = arg;

    wake_all(&u->queue);
}

/* ---- Reading ---- */

static void fill(struct message *m, const struct userfault *u, const struct vm_served_fault *f)
{
    *m = (struct message){
        .event = EVENT_PAGEFAULT,
        .flags = (f->write ? FAULT_WRITE : 0u) | (f->protected ? FAULT_WP : 0u),
        .address = f->addr,
        .tid = u->features & FEATURE_THREAD_ID ? (uint32_t)f->tid : 0,
    };
}

static long userfault_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct userfault *u = f->private;
    struct vm_served_fault fault;
    struct message m;
    size_t done = 0;
    int err = 0;

    (void)pos;
    if (!u->ready || len < sizeof(m))
        return -EINVAL;
    while (!err && len - done >= sizeof(m)) {
        bool got = vm_server_next(u->server, &fault);

        if (!got && done)
            break;
        if (!got && (f->flags & O_NONBLOCK))
            return -EAGAIN;
        if (!got)
            err = wait_event_interruptible(&u->queue, vm_server_next(u->server, &fault));
        if (err)
            return err;
        fill(&m, u, &fault);
        err = copy_to_user((uint8_t __user *)ubuf + done, &m, sizeof(m));
        done += sizeof(m);
        sched_point();
    }
    return err ? err : (long)done;
}

/* Only for who does not wait in read, as on Linux. */
static uint32_t userfault_poll(struct file *f, struct poll_table *pt)
{
    struct userfault *u = f->private;

    poll_wait(pt, &u->queue);
    if (!u->ready || !(f->flags & O_NONBLOCK))
        return POLLERR;
    return vm_server_wanted(u->server) ? POLLIN : 0;
}

/* ---- Requests ---- */

struct api {
    uint64_t api, features, ioctls;
};

static long request_api(struct userfault *u, void __user *uarg)
{
    struct api a;
    bool known;

    if (copy_from_user(&a, uarg, sizeof(a)))
        return -EFAULT;
    if (u->ready)
        return -EINVAL;
    known = a.api == UFFD_API && !(a.features & ~(uint64_t)FEATURES);
    if (!known)
        memset(&a, 0, sizeof(a));
    u->features = (uint32_t)a.features;
    if (known) {
        a.features = FEATURES;
        a.ioctls =
            IOCTL_BIT(UFFDIO_API) | IOCTL_BIT(UFFDIO_REGISTER) | IOCTL_BIT(UFFDIO_UNREGISTER);
    }
    if (copy_to_user(uarg, &a, sizeof(a)))
        return -EFAULT;
    if (!known)
        return -EINVAL;
    vm_server_flags(u->server, (u->features & FEATURE_SIGBUS ? VM_SERVER_REFUSES : 0u) |
                                   (u->user_only ? VM_SERVER_USER_ONLY : 0u));
    u->ready = true;
    return 0;
}

static int check_range(const struct range *r)
{
    if (r->start % PAGE_SIZE || r->len % PAGE_SIZE || !r->len || r->start < USER_MIN ||
        r->start >= USER_TOP || r->len > USER_TOP - r->start)
        return -EINVAL;
    return 0;
}

struct registration {
    struct range range;
    uint64_t mode, ioctls;
};

static long request_register(struct userfault *u, void __user *uarg)
{
    struct registration r;
    long err;

    if (copy_from_user(&r, uarg, sizeof(r) - sizeof(r.ioctls)))
        return -EFAULT;
    if (!r.mode || (r.mode & ~(uint64_t)(VM_SERVE_MISSING | VM_SERVE_WRITES)))
        return -EINVAL;
    err = check_range(&r.range);
    if (!err)
        err = vm_server_register(u->server, (vaddr_t)r.range.start, (size_t)r.range.len,
                                 (uint8_t)r.mode);
    if (err)
        return err;
    r.ioctls = IOCTL_BIT(UFFDIO_WAKE) | IOCTL_BIT(UFFDIO_COPY) | IOCTL_BIT(UFFDIO_ZEROPAGE) |
               (r.mode & VM_SERVE_WRITES ? IOCTL_BIT(UFFDIO_WRITEPROTECT) : 0);
    return copy_to_user((uint8_t __user *)uarg + offsetof(struct registration, ioctls), &r.ioctls,
                        sizeof(r.ioctls));
}

/* UNREGISTER, WAKE */
static long request_range(struct userfault *u, uint32_t cmd, const void __user *uarg)
{
    struct range r;
    int err;

    if (copy_from_user(&r, uarg, sizeof(r)))
        return -EFAULT;
    err = check_range(&r);
    if (err)
        return err;
    if (cmd == UFFDIO_UNREGISTER)
        return vm_server_register(u->server, (vaddr_t)r.start, (size_t)r.len, 0);
    vm_serve_wake(u->server, (vaddr_t)r.start, (size_t)r.len);
    return 0;
}

/* Gives pages from start on, which all lie in one area: how many bytes, or the error of the first.
 * buf: a page, into which each comes from usrc (0: zeros). */
static long give_pages(struct userfault *u, const struct range *r, uint32_t src, bool protect,
                       void *buf)
{
    uint32_t done = 0;
    int err = 0;

    while (done < r->len && !err) {
        if (src)
            err = copy_from_user(buf, (const uint8_t __user *)src + done, PAGE_SIZE);
        if (!err)
            err = vm_serve(u->server, (vaddr_t)r->start + done, src ? buf : NULL, protect);
        if (!err)
            done += PAGE_SIZE;
        if (fatal_signal_pending())
            break;
        sched_point();
    }
    return done ? (long)done : err;
}

/* The end of COPY and ZEROPAGE: the result goes to *uresult, too; those who wait go on. */
static long given(struct userfault *u, const struct range *r, long n, bool wake,
                  void __user *uresult)
{
    int64_t result = n;

    if (copy_to_user(uresult, &result, sizeof(result)))
        return -EFAULT;
    if (n < 0)
        return n;
    if (wake)
        vm_serve_wake(u->server, (vaddr_t)r->start, (size_t)n);
    return (uint64_t)n == r->len ? 0 : -EAGAIN;
}

struct copy {
    uint64_t dst, src, len, mode;
    int64_t copied;
};

static long request_copy(struct userfault *u, void __user *uarg)
{
    struct copy c;
    struct range r;
    void *buf;
    long n;

    if (copy_from_user(&c, uarg, sizeof(c) - sizeof(c.copied)))
        return -EFAULT;
    r = (struct range){c.dst, c.len};
    n = check_range(&r);
    if (n)
        return n;
    if (c.src + c.len <= c.src || (c.mode & ~(uint64_t)(MODE_DONTWAKE | MODE_COPY_WP)))
        return -EINVAL;
    if (c.src > UINT32_MAX - c.len)
        return -EFAULT;
    buf = kalloc();
    if (!buf)
        return -ENOMEM;
    n = c.dst + c.len > vm_served_end(u->server, (vaddr_t)c.dst) ? -ENOENT
        : c.src ? give_pages(u, &r, (uint32_t)c.src, c.mode & MODE_COPY_WP, buf)
                : -EFAULT;
    kfree(buf);
    return given(u, &r, n, !(c.mode & MODE_DONTWAKE),
                 (uint8_t __user *)uarg + offsetof(struct copy, copied));
}

struct zeropage {
    struct range range;
    uint64_t mode;
    int64_t zeroed;
};

static long request_zeropage(struct userfault *u, void __user *uarg)
{
    struct zeropage z;
    long n;

    if (copy_from_user(&z, uarg, sizeof(z) - sizeof(z.zeroed)))
        return -EFAULT;
    n = check_range(&z.range);
    if (n)
        return n;
    if (z.mode & ~(uint64_t)MODE_DONTWAKE)
        return -EINVAL;
    n = z.range.start + z.range.len > vm_served_end(u->server, (vaddr_t)z.range.start)
            ? -ENOENT
            : give_pages(u, &z.range, 0, false, NULL);
    return given(u, &z.range, n, !(z.mode & MODE_DONTWAKE),
                 (uint8_t __user *)uarg + offsetof(struct zeropage, zeroed));
}

struct protection {
    struct range range;
    uint64_t mode;
};

static long request_protect(struct userfault *u, const void __user *uarg)
{
    struct protection p;
    long err;

    if (copy_from_user(&p, uarg, sizeof(p)))
        return -EFAULT;
    err = check_range(&p.range);
    if (err)
        return err;
    if (p.mode & ~(uint64_t)(WP_ON | WP_DONTWAKE) || p.mode == (WP_ON | WP_DONTWAKE))
        return -EINVAL;
    err = vm_serve_protect(u->server, (vaddr_t)p.range.start, (size_t)p.range.len, p.mode & WP_ON);
    if (!err && !p.mode)
        vm_serve_wake(u->server, (vaddr_t)p.range.start, (size_t)p.range.len);
    return err;
}

static long userfault_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    struct userfault *u = f->private;
    void __user *uarg = (void __user *)arg;

    if (cmd != UFFDIO_API && !u->ready)
        return -EINVAL;
    switch (cmd) {
    case UFFDIO_API:
        return request_api(u, uarg);
    case UFFDIO_REGISTER:
        return request_register(u, uarg);
    case UFFDIO_UNREGISTER:
    case UFFDIO_WAKE:
        return request_range(u, cmd, uarg);
    case UFFDIO_COPY:
        return request_copy(u, uarg);
    case UFFDIO_ZEROPAGE:
        return request_zeropage(u, uarg);
    case UFFDIO_WRITEPROTECT:
        return request_protect(u, uarg);
    default:
        return -EINVAL;
    }
}

/* ---- The file ---- */

static void userfault_release(struct file *f)
{
    struct userfault *u = f->private;

    vm_server_end(u->server);
    kmfree(u);
}

static const struct file_ops userfault_ops = {
    .release = userfault_release,
    .read = userfault_read,
    .poll = userfault_poll,
    .ioctl = userfault_ioctl,
    .name = "[userfaultfd]",
    .stream = true,
};

long sys_userfaultfd(uint32_t flags)
{
    struct userfault *u;

    if (!unprivileged_userfaultfd && !(flags & UFFD_USER_MODE_ONLY) && !capable(CAP_SYS_PTRACE))
        return -EPERM;
    if (flags & ~(UFFD_USER_MODE_ONLY | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    u = kzalloc(sizeof(*u));
    if (!u)
        return -ENOMEM;
    waitq_init(&u->queue);
    u->user_only = flags & UFFD_USER_MODE_ONLY;
    u->server = vm_server_new(proc_current()->space, tell, u);
    if (!u->server) {
        kmfree(u);
        return -ENOMEM;
    }
    return anon_fd(&userfault_ops, u, O_RDONLY | (flags & (O_CLOEXEC | O_NONBLOCK)));
}
