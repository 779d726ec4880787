/*
 * userfaultfd: a program serves the page faults of its own memory. man 2 userfaultfd,
 * ioctl_userfaultfd
 *
 * What is here is the file: the messages and the requests. Who waits for what is mm/served/'s. Of
 * the features there are the events, SIGBUS, THREAD_ID, EXACT_ADDRESS, missing pages of shared
 * memory, and protection of private pages, which Linux has on 64-bit processors only; as on its
 * i386 there are no minor faults, and none of shared pages that are protected.
 */
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "fs/vfs/text.h"
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

#define FEATURE_WP            0x0001u
#define FEATURE_EVENT_FORK    0x0002u
#define FEATURE_EVENT_REMAP   0x0004u
#define FEATURE_EVENT_REMOVE  0x0008u
#define FEATURE_SHMEM         0x0020u
#define FEATURE_EVENT_UNMAP   0x0040u
#define FEATURE_SIGBUS        0x0080u
#define FEATURE_THREAD_ID     0x0100u
#define FEATURE_EXACT_ADDRESS 0x0800u
#define FEATURES_KNOWN        0x1fffu /* as Linux has it: asking for others of these is no error */
#define FEATURES                                                                                   \
    (FEATURE_WP | FEATURE_EVENT_FORK | FEATURE_EVENT_REMAP | FEATURE_EVENT_REMOVE |                \
     FEATURE_SHMEM | FEATURE_EVENT_UNMAP | FEATURE_SIGBUS | FEATURE_THREAD_ID |                    \
     FEATURE_EXACT_ADDRESS)

#define MODE_DONTWAKE 1u /* of COPY, ZEROPAGE */
#define MODE_COPY_WP  2u
#define WP_ON         1u /* of WRITEPROTECT */
#define WP_DONTWAKE   2u

#define EVENT_PAGEFAULT 0x12
#define EVENT_FORK      0x13
#define FAULT_WRITE     1u
#define FAULT_WP        2u

uint32_t unprivileged_userfaultfd;

struct userfault {
    struct vm_server *server;
    bool ready; /* UFFDIO_API was done */
    bool user_only;
    uint32_t open_flags; /* O_CLOEXEC, O_NONBLOCK: what a child's is opened with */
    uint32_t features;
    struct waitq queue;
};

struct message { /* struct uffd_msg */
    uint8_t event, pad[7];
    union {
        struct {
            uint64_t flags, address;
            uint32_t tid;
        } fault;
        uint32_t child;   /* its descriptor */
        uint64_t move[3]; /* from, to, length */
        uint64_t gone[2]; /* start, end */
    };
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

static void tell_fault(struct message *m, const struct userfault *u,
                       const struct vm_served_fault *f)
{
    m->event = EVENT_PAGEFAULT;
    m->fault.flags = (f->write ? FAULT_WRITE : 0u) | (f->protected ? FAULT_WP : 0u);
    m->fault.address = u->features & FEATURE_EXACT_ADDRESS ? f->addr : f->addr & PAGE_MASK;
    m->fault.tid = u->features & FEATURE_THREAD_ID ? (uint32_t)f->tid : 0;
}

static int open_userfault(struct userfault *u, struct vm_server *server);

/* A file for the server of a child, like its parent's. */
static int adopt(const struct userfault *parent, struct vm_server *child, struct message *m)
{
    int fd = fd_check_free(0);
    struct userfault *u = fd < 0 ? NULL : kmalloc(sizeof(*u));

    if (!u) {
        vm_server_adopted(parent->server, child, false);
        return fd < 0 ? fd : -ENOMEM;
    }
    *u = *parent;
    fd = open_userfault(u, child);
    vm_server_adopted(parent->server, child, true);
    m->child = (uint32_t)fd;
    return fd < 0 ? fd : 0;
}

static int tell_event(struct message *m, const struct userfault *u, const struct vm_served_event *e)
{
    m->event = (uint8_t)(EVENT_FORK + e->kind);
    switch (e->kind) {
    case VM_SERVED_FORK:
        return adopt(u, e->child, m);
    case VM_SERVED_REMAP:
        m->move[0] = e->start;
        m->move[1] = e->to;
        m->move[2] = e->end - e->start;
        return 0;
    default:
        m->gone[0] = e->start;
        m->gone[1] = e->end;
        return 0;
    }
}

struct told { /* one of the two */
    bool is_event;
    struct vm_served_fault fault;
    struct vm_served_event event;
};

static bool next(const struct userfault *u, struct told *t)
{
    t->is_event = !vm_server_next(u->server, &t->fault);
    return !t->is_event || vm_server_next_event(u->server, &t->event);
}

static long userfault_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct userfault *u = f->private;
    struct message m;
    struct told t;
    size_t done = 0;
    int err = 0;

    (void)pos;
    if (!u->ready || len < sizeof(m))
        return -EINVAL;
    while (!err && len - done >= sizeof(m)) {
        bool got = next(u, &t);

        if (!got && done)
            break;
        if (!got && (f->flags & O_NONBLOCK))
            return -EAGAIN;
        if (!got)
            err = wait_event_interruptible(&u->queue, next(u, &t));
        memset(&m, 0, sizeof(m));
        if (!err && t.is_event)
            err = tell_event(&m, u, &t.event);
        if (err)
            return done ? (long)done : err;
        if (!t.is_event)
            tell_fault(&m, u, &t.fault);
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

static unsigned server_flags(const struct userfault *u)
{
    static const struct {
        uint32_t feature;
        unsigned flag;
    } of[] = {
        {FEATURE_SIGBUS, VM_SERVER_REFUSES},
        {FEATURE_EVENT_FORK, VM_SERVER_HEARS_FORK},
        {FEATURE_EVENT_REMAP, VM_SERVER_HEARS_REMAP},
        {FEATURE_EVENT_REMOVE, VM_SERVER_HEARS_REMOVE},
        {FEATURE_EVENT_UNMAP, VM_SERVER_HEARS_UNMAP},
    };
    unsigned flags = u->user_only ? VM_SERVER_USER_ONLY : 0;

    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        if (u->features & of[i].feature)
            flags |= of[i].flag;
    }
    return flags;
}

static long request_api(struct userfault *u, void __user *uarg)
{
    struct api a;
    int err = 0;

    if (copy_from_user(&a, uarg, sizeof(a)))
        return -EFAULT;
    if (u->ready)
        return -EINVAL;
    if (a.api != UFFD_API || (a.features & ~(uint64_t)FEATURES_KNOWN))
        err = -EINVAL;
    else if ((a.features & FEATURE_EVENT_FORK) && !capable(CAP_SYS_PTRACE))
        err = -EPERM;
    if (err)
        memset(&a, 0, sizeof(a));
    u->features = (uint32_t)a.features;
    if (!err) {
        a.features = FEATURES;
        a.ioctls =
            IOCTL_BIT(UFFDIO_API) | IOCTL_BIT(UFFDIO_REGISTER) | IOCTL_BIT(UFFDIO_UNREGISTER);
    }
    if (copy_to_user(uarg, &a, sizeof(a)))
        return -EFAULT;
    if (err)
        return err;
    vm_server_flags(u->server, server_flags(u));
    u->ready = true;
    return 0;
}

/* As Linux says it of a space that is gone. */
static int serve_range(struct userfault *u, const struct range *r, uint64_t how)
{
    int err = vm_server_register(u->server, (vaddr_t)r->start, (size_t)r->len, (uint8_t)how);

    return err == -ESRCH ? -ENOMEM : err;
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
        err = serve_range(u, &r.range, r.mode);
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
        return serve_range(u, &r, 0);
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
    n = vm_server_has(u->server, (vaddr_t)c.dst, (size_t)c.len);
    if (!n)
        n = c.src ? give_pages(u, &r, (uint32_t)c.src, c.mode & MODE_COPY_WP, buf) : -EFAULT;
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
    n = vm_server_has(u->server, (vaddr_t)z.range.start, (size_t)z.range.len);
    if (!n)
        n = give_pages(u, &z.range, 0, false, NULL);
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
    if ((cmd == UFFDIO_COPY || cmd == UFFDIO_ZEROPAGE || cmd == UFFDIO_WRITEPROTECT) &&
        vm_server_busy(u->server))
        return -EAGAIN;
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

#define FEATURES_SET 0x80000000u /* what Linux adds to them once they are chosen */
#define IOCTLS_KNOWN 0x80000000000000dfull

static void userfault_fdinfo(struct file *f, struct text *t)
{
    const struct userfault *u = f->private;
    unsigned unknown, all;

    vm_server_waiting(u->server, &unknown, &all);
    text_printf(t, "pending:\t%u\ntotal:\t%u\nAPI:\t%x:%x:%llx\n", unknown, all, UFFD_API,
                u->ready ? u->features | FEATURES_SET : 0, IOCTLS_KNOWN);
}

static const struct file_ops userfault_ops = {
    .fdinfo = userfault_fdinfo,
    .release = userfault_release,
    .read = userfault_read,
    .plain_read = true,
    .poll = userfault_poll,
    .ioctl = userfault_ioctl,
    .name = "[userfaultfd]",
    .stream = true,
    .seek = seek_nowhere,
};

/* A descriptor of u, for server; both are gone after an error. */
static int open_userfault(struct userfault *u, struct vm_server *server)
{
    waitq_init(&u->queue);
    u->server = server;
    vm_server_tells(server, tell, u);
    return anon_fd(&userfault_ops, u, O_RDONLY | u->open_flags);
}

long sys_userfaultfd(uint32_t flags)
{
    struct vm_server *server;
    struct userfault *u;

    if (!unprivileged_userfaultfd && !(flags & UFFD_USER_MODE_ONLY) && !capable(CAP_SYS_PTRACE))
        return -EPERM;
    if (flags & ~(UFFD_USER_MODE_ONLY | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    u = kzalloc(sizeof(*u));
    if (!u)
        return -ENOMEM;
    u->user_only = flags & UFFD_USER_MODE_ONLY;
    u->open_flags = flags & (O_CLOEXEC | O_NONBLOCK);
    server = vm_server_new(proc_current()->space);
    if (!server) {
        kmfree(u);
        return -ENOMEM;
    }
    return open_userfault(u, server);
}
