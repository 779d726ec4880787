/*
 * Asynchronous I/O of Linux's own kind, man 2 io_submit: requests are handed in many at a time, and
 * what became of each is fetched later.
 *
 * A request is carried out while it is handed in, as Linux does it where the file is in memory; one
 * that waits for a file is aio_poll.c's. What became of it is an event in a ring that lies in the
 * program's own memory, at the address that is the number of its context: the program may take
 * events out by itself. So the kernel keeps nothing but the ring's tail, believes nothing that it
 * reads there, and a context goes with its mapping.
 */
#include "fs/event/aio.h"
#include "arch/uaccess.h"
#include "fs/event/eventfd.h"
#include "fs/event/poll.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/iov.h"
#include "fs/vfs/limits.h"
#include "kernel/signal/signal.h"
#include "kernel/time/time.h"
#include "libc/string.h"
#include "mm/object.h"

#define RING_MAGIC    0xa10a10a1u
#define REQUESTS_MOST (0x10000000u / sizeof(struct io_event) / 2)

struct aio_ring { /* at the start of the mapping; events follow */
    uint32_t id, nr, head, tail, magic, compat, incompat, header;
};

struct iocb {
    uint64_t data;
    uint32_t key, rw_flags;
    uint16_t opcode;
    int16_t priority;
    uint32_t fd;
    uint64_t buf, len;
    int64_t offset;
    uint64_t reserved;
    uint32_t flags, event_fd;
};

_Static_assert(sizeof(struct iocb) == 64 && sizeof(struct io_event) == 32, "Linux i386 layout");

enum { AIO_READ, AIO_WRITE, AIO_FSYNC, AIO_FDATASYNC, AIO_POLL = 5, AIO_READV = 7, AIO_WRITEV };
#define IOCB_EVENTFD 1u

struct spinlock aio_lock = SPINLOCK_INIT("aio", LOCK_RANK_FS);
static struct aio_context *contexts[64]; /* [aio_lock] by object */
static uint32_t requests;                /* [aio_lock] asked for by all contexts: aio-nr */

uint32_t aio_requests(void)
{
    return __atomic_load_n(&requests, __ATOMIC_RELAXED);
}

/* ---- Contexts ---- */

void aio_put(struct aio_context *c)
{
    vm_object_unref(c->ring);
}

static struct aio_context **bucket(uint64_t object)
{
    return &contexts[object % (sizeof(contexts) / sizeof(contexts[0]))];
}

/* Nobody finds it any more, and what waits does so no longer. Only the first time counts. */
static void retire(struct aio_context *c)
{
    struct aio_context **at;
    bool first;

    spin_lock(&aio_lock);
    first = !c->gone;
    c->gone = true;
    if (first) {
        requests -= c->asked;
        for (at = bucket(c->object); *at && *at != c; at = &(*at)->next)
            ;
        if (*at)
            *at = c->next;
    }
    spin_unlock(&aio_lock);
    if (!first)
        return;
    aio_polls_end(c);
    wake_all(&c->arrived);
}

static void ring_unmapped(struct vm_object *o)
{
    if (vm_object_areas(o) == 0)
        retire(vm_object_private(o));
}

static void ring_destroy(struct vm_object *o)
{
    struct aio_context *c = vm_object_private(o);

    retire(c);
    kmfree(c);
}

static void ring_describe(struct vm_object *o, char *buf, size_t size, uint32_t *ino, uint32_t *dev)
{
    (void)o;
    *ino = *dev = 0;
    strlcpy(buf, "/[aio] (deleted)", size);
}

static const struct pager ring_pager = {
    .name = "aio",
    .get = vm_zero_get,
    .zero_behind = vm_zero_behind,
    .unmapped = ring_unmapped,
    .destroy = ring_destroy,
    .describe = ring_describe,
    .shared_memory = true,
};

/* The number of the object whose mapping begins there; 0: none does. */
static uint64_t object_at(uint32_t id)
{
    struct vm_identity key;

    return vm_identify(proc_current()->space, id, &key) || key.offset ? 0 : key.object;
}

/* A reference, or NULL: none begins there. */
static struct aio_context *context_get(uint32_t id)
{
    const uint64_t object = object_at(id);
    struct aio_context *c;

    if (!object)
        return NULL;
    spin_lock(&aio_lock);
    for (c = *bucket(object); c && c->object != object; c = c->next)
        ;
    if (c)
        vm_object_ref(c->ring);
    spin_unlock(&aio_lock);
    return c;
}

static bool count_requests(uint32_t n)
{
    bool fits;

    spin_lock(&aio_lock);
    fits = n <= fs_limits.aio_requests && requests <= fs_limits.aio_requests - n;
    if (fits)
        requests += n;
    spin_unlock(&aio_lock);
    return fits;
}

/* Twice what was asked for, and what is left of the last page. */
static struct aio_context *context_new(uint32_t asked)
{
    struct aio_context *c = kzalloc(sizeof(*c));
    uint32_t least = asked < 4 ? 4 : asked;

    if (!c)
        return NULL;
    c->asked = asked;
    c->size = sizeof(struct aio_ring) + (2 * least + 2) * sizeof(struct io_event);
    c->size = (c->size + PAGE_SIZE - 1) & PAGE_MASK;
    c->slots = (c->size - sizeof(struct aio_ring)) / sizeof(struct io_event);
    mutex_init(&c->taking, MUTEX_RANK_AIO_TAKE);
    mutex_init(&c->lock, MUTEX_RANK_AIO);
    waitq_init(&c->arrived);
    list_init(&c->polls);
    return c;
}

/* Maps the ring and makes it known by its mapping. With the object goes the context. */
static int map_ring(struct aio_context *c, struct vm_object *o, vaddr_t *at)
{
    struct vm_space *space = proc_current()->space;
    const struct vm_mapping m = {.len = c->size,
                                 .prot = VM_PROT_READ | VM_PROT_WRITE,
                                 .maxprot = VM_PROT_READ | VM_PROT_WRITE,
                                 .flags = VM_SHARED | VM_DONTFORK,
                                 .object = o};
    struct aio_ring ring = {
        .nr = c->slots, .magic = RING_MAGIC, .compat = 1, .header = sizeof(struct aio_ring)};
    uint64_t object;
    bool gone;
    int err = vm_map(space, &m, at);

    if (err)
        return err;
    object = object_at(*at);
    if (!object || copy_to_user((void __user *)*at, &ring, sizeof(ring))) {
        vm_unmap(space, *at, c->size); /* another thread has done something there */
        return -EAGAIN;
    }
    spin_lock(&aio_lock);
    gone = c->gone;
    if (!gone) {
        c->object = object;
        c->next = *bucket(object);
        *bucket(object) = c;
    }
    spin_unlock(&aio_lock);
    return gone ? -EAGAIN : 0;
}

static int context_make(uint32_t asked, vaddr_t *at, uint32_t *size)
{
    struct aio_context *c;
    struct vm_object *o;
    int err;

    if (!count_requests(asked))
        return -EAGAIN;
    c = context_new(asked);
    o = c ? vm_object_create(&ring_pager, c, c->size) : NULL;
    if (!o) {
        kmfree(c);
        spin_lock(&aio_lock);
        requests -= asked;
        spin_unlock(&aio_lock);
        return -ENOMEM;
    }
    *size = c->size;
    c->ring = o;
    err = map_ring(c, o, at);
    vm_object_unref(o);
    return err;
}

long sys_io_setup(uint32_t count, uint32_t __user *uid)
{
    uint32_t id, size;
    vaddr_t at;
    int err;

    if (get_user_u32(&id, uid))
        return -EFAULT;
    if (id || !count || count > REQUESTS_MOST)
        return -EINVAL;
    err = context_make(count, &at, &size);
    if (!err && put_user_u32(uid, at)) {
        vm_unmap(proc_current()->space, at, size);
        err = -EFAULT;
    }
    return err;
}

long sys_io_destroy(uint32_t id)
{
    struct aio_context *c = context_get(id);
    uint32_t size;

    if (!c)
        return -EINVAL;
    size = c->size;
    aio_put(c);
    return vm_unmap(proc_current()->space, id, size);
}

/* ---- The ring ---- */

static bool ring_read(const struct aio_context *c, uint32_t at, void *to, uint32_t n)
{
    return vm_object_read_kernel(c->ring, at, to, n) == (long)n;
}

static bool ring_write(const struct aio_context *c, uint32_t at, const void *from, uint32_t n)
{
    return vm_object_write_kernel(c->ring, at, from, n) == (long)n;
}

#define RING_HEAD offsetof(struct aio_ring, head)
#define RING_TAIL offsetof(struct aio_ring, tail)

static uint32_t slot(uint32_t n)
{
    return sizeof(struct aio_ring) + n * sizeof(struct io_event);
}

/* [c->lock held] How many events wait; *head: the first. The program may have moved it. */
static uint32_t waiting(const struct aio_context *c, uint32_t *head)
{
    if (!ring_read(c, RING_HEAD, head, sizeof(*head)))
        *head = c->tail;
    *head %= c->slots;
    return (c->tail + c->slots - *head) % c->slots;
}

static bool reserve_slot(struct aio_context *c)
{
    uint32_t head;
    bool room;

    mutex_lock(&c->lock);
    room = waiting(c, &head) + c->under_way < c->slots - 1;
    if (room)
        c->under_way++;
    mutex_unlock(&c->lock);
    return room;
}

static void give_back_slot(struct aio_context *c)
{
    mutex_lock(&c->lock);
    c->under_way--;
    mutex_unlock(&c->lock);
}

void aio_post(struct aio_context *c, const struct io_event *e, struct file *told)
{
    mutex_lock(&c->lock);
    c->under_way--;
    c->posted++;
    if (ring_write(c, slot(c->tail), e, sizeof(*e))) {
        c->tail = (c->tail + 1) % c->slots;
        (void)ring_write(c, RING_TAIL, &c->tail, sizeof(c->tail));
    }
    mutex_unlock(&c->lock);
    if (told)
        eventfd_add(told, 1);
    wake_all(&c->arrived);
}

/* Whether the first event that is there could be read; *head: where it is. False, no error: none.
 */
static bool first_event(struct aio_context *c, uint32_t *head, struct io_event *e, long *err)
{
    bool there;

    mutex_lock(&c->lock);
    there = waiting(c, head) != 0;
    if (there && !ring_read(c, slot(*head), e, sizeof(*e)))
        *err = -EFAULT;
    mutex_unlock(&c->lock);
    return there && !*err;
}

static void set_head(struct aio_context *c, uint32_t head)
{
    mutex_lock(&c->lock);
    (void)ring_write(c, RING_HEAD, &head, sizeof(head));
    mutex_unlock(&c->lock);
}

/* Takes up to n events out, those before a bad address at least. -EFAULT: none. Who posts waits for
 * nobody's memory. */
static long take(struct aio_context *c, struct io_event __user *to, uint32_t n)
{
    uint32_t head, done = 0;
    struct io_event e;
    long err = 0;

    mutex_lock(&c->taking);
    while (done < n && first_event(c, &head, &e, &err)) {
        sched_point();
        if (copy_to_user(to + done, &e, sizeof(e))) {
            err = -EFAULT;
            break;
        }
        set_head(c, (head + 1) % c->slots);
        done++;
    }
    mutex_unlock(&c->taking);
    return done ? (long)done : err;
}

/* ---- Requests ---- */

static bool is_write(const struct iocb *r)
{
    return r->opcode == AIO_WRITE || r->opcode == AIO_WRITEV;
}

static long sync_request(struct file *f, const struct iocb *r, int64_t *result)
{
    if (r->buf || r->len || r->offset || r->rw_flags || !f->ops->fsync)
        return -EINVAL;
    *result = f->ops->fsync(f);
    return 0;
}

static long transfer_request(struct file *f, const struct iocb *r, int64_t *result)
{
    struct iovec one = {(void __user *)(uint32_t)r->buf, (uint32_t)r->len};
    struct iov_set set = {.frames = {&one}, .count = 1};
    bool vector = r->opcode >= AIO_READV;
    long err = rw_set_flags(f, is_write(r), r->rw_flags);

    if (!err)
        err = file_may_transfer(f, is_write(r));
    if (!err && (is_write(r) ? f->ops->plain_write : f->ops->plain_read))
        err = -EINVAL;
    if (!err && !f->ops->stream && r->offset < 0)
        err = -EINVAL;
    if (!err && vector)
        err = iov_from_user(&set, one.base, one.len, true);
    else if (!err && !user_range_ok(one.base, one.len))
        err = -EFAULT;
    if (!err) {
        *result = file_transfer(f, is_write(r), &set, (uint64_t)r->offset);
        if (vector)
            iov_free(&set);
    }
    rw_end_flags();
    if (*result == -ERESTARTSYS || *result == -ERESTARTNOHAND)
        *result = -EINTR; /* what was begun is not begun again */
    return err;
}

/* What is wrong with the request itself is the answer; what became of it is *result. */
static long carry_out(struct file *f, const struct iocb *r, int64_t *result)
{
    switch (r->opcode) {
    case AIO_READ:
    case AIO_WRITE:
    case AIO_READV:
    case AIO_WRITEV:
        return transfer_request(f, r, result);
    case AIO_FSYNC:
    case AIO_FDATASYNC:
        return sync_request(f, r, result);
    default:
        return -EINVAL;
    }
}

static long poll_request(struct aio_context *c, struct file *f, const struct iocb *r,
                         const struct io_event *e, struct file *told)
{
    if (r->buf > UINT16_MAX || r->len || r->offset || r->rw_flags)
        return -EINVAL;
    return aio_poll_begin(c, f, (uint32_t)r->buf, e, told);
}

static long submit_file(struct aio_context *c, struct iocb __user *ur, const struct iocb *r,
                        struct file *f)
{
    struct io_event e = {.data = r->data, .request = (uint32_t)ur};
    struct file *told = NULL;
    long err = r->flags & IOCB_EVENTFD ? eventfd_get((int)r->event_fd, &told) : 0;

    if (!err && put_user_u32(&ur->key, 0))
        err = -EFAULT;
    if (!err && r->opcode == AIO_POLL) {
        err = poll_request(c, f, r, &e, told);
        if (!err)
            return 0;
    } else if (!err) {
        err = carry_out(f, r, &e.result);
        if (!err)
            aio_post(c, &e, told);
    }
    if (told)
        file_put(told);
    return err;
}

static long submit_one(struct aio_context *c, struct iocb __user *ur)
{
    struct iocb r;
    struct file *f;
    long err;

    if (copy_from_user(&r, ur, sizeof(r)))
        return -EFAULT;
    if (r.reserved || r.buf > UINT32_MAX || r.len > INT32_MAX)
        return -EINVAL;
    if (!reserve_slot(c))
        return -EAGAIN;
    f = fd_get((int)r.fd);
    err = f ? submit_file(c, ur, &r, f) : -EBADF;
    if (f)
        file_put(f);
    if (err)
        give_back_slot(c);
    return err;
}

long sys_io_submit(uint32_t id, uint32_t count, const uint32_t __user *urequests)
{
    struct aio_context *c;
    long err = 0, done = 0;
    uint32_t at;

    if ((int32_t)count < 0)
        return -EINVAL;
    c = context_get(id);
    if (!c)
        return -EINVAL;
    if (count > c->slots)
        count = c->slots;
    while (done < (long)count && !err && !fatal_signal_pending()) {
        err =
            get_user_u32(&at, urequests + done) ? -EFAULT : submit_one(c, (struct iocb __user *)at);
        done += !err;
        sched_point();
    }
    aio_put(c);
    return done ? done : err;
}

/* Only what waits can be called off: all else is over before anybody could ask. */
long sys_io_cancel(uint32_t id, struct iocb __user *ur, void __user *uresult)
{
    struct aio_context *c;
    uint32_t key;
    long err;

    (void)uresult;
    if (get_user_u32(&key, &ur->key))
        return -EFAULT;
    c = key ? NULL : context_get(id);
    if (!c)
        return -EINVAL;
    err = aio_poll_cancel(c, (uint32_t)ur);
    aio_put(c);
    return err ? err : -EINPROGRESS; /* its event tells */
}

/* ---- Fetching ---- */

/* Until something is posted after the first seen events. */
static int wait_arrival(struct aio_context *c, uint32_t seen, uint64_t until)
{
    struct wait_entry e;
    int ret = 0;

    waitq_prepare(&c->arrived, &e, THREAD_SLEEPING);
    if (signal_pending_current())
        ret = -EINTR;
    else if (!c->gone && __atomic_load_n(&c->posted, __ATOMIC_RELAXED) == seen)
        schedule_until(until);
    waitq_finish(&e);
    return ret;
}

static long fetch(struct aio_context *c, uint32_t least, uint32_t most, struct io_event __user *to,
                  uint64_t until)
{
    long n = 0, more;
    int err = 0;

    for (;;) {
        uint32_t seen = __atomic_load_n(&c->posted, __ATOMIC_RELAXED);
        more = take(c, to + n, most - (uint32_t)n);
        if (more < 0)
            return n ? n : more;
        n += more;
        if (c->gone)
            return n ? n : -EINVAL;
        if (n >= (long)least || err)
            return n ? n : err;
        if (until != TIME_NEVER && time_mono_ns() >= until)
            return n;
        err = wait_arrival(c, seen, until);
    }
}

static long get_events(uint32_t id, uint32_t least, uint32_t most, struct io_event __user *to,
                       const void __user *utime, bool wide)
{
    uint64_t ns, until = TIME_NEVER;
    struct aio_context *c;
    long ret;

    if (utime) {
        ret = timespec_get(&ns, utime, wide);
        if (ret == -EFAULT)
            return ret;
        until = ret ? 0 : time_deadline(ns);
    }
    c = context_get(id);
    if (!c)
        return -EINVAL;
    ret = -EINVAL;
    if ((int32_t)least >= 0 && (int32_t)least <= (int32_t)most)
        ret = fetch(c, least, most, to, until);
    aio_put(c);
    return ret;
}

long sys_io_getevents(uint32_t id, uint32_t least, uint32_t most, struct io_event __user *to,
                      const void __user *utime)
{
    return get_events(id, least, most, to, utime, false);
}

static long get_events_masked(uint32_t id, uint32_t least, uint32_t most,
                              struct io_event __user *to, const void __user *utime,
                              const void __user *umask, bool wide)
{
    struct {
        uint32_t mask, size;
    } set = {0, 0};
    long ret;

    if (umask && copy_from_user(&set, umask, sizeof(set)))
        return -EFAULT;
    ret = poll_set_mask((void __user *)set.mask, set.size);
    if (ret)
        return ret;
    ret = get_events(id, least, most, to, utime, wide);
    if (ret != -EINTR) /* else the delivery puts the mask back */
        signal_restore_mask();
    return ret;
}

long sys_io_pgetevents(uint32_t id, uint32_t least, uint32_t most, struct io_event __user *to,
                       const void __user *utime, const void __user *umask)
{
    return get_events_masked(id, least, most, to, utime, umask, false);
}

long sys_io_pgetevents_time64(uint32_t id, uint32_t least, uint32_t most,
                              struct io_event __user *to, const void __user *utime,
                              const void __user *umask)
{
    return get_events_masked(id, least, most, to, utime, umask, true);
}
