/*
 * Sockets: their birth and end, how calls wait for them, and the file that a socket is.
 *
 * A socket has no file while it waits to be accepted. Its end is the end of its file, or of the
 * listener that it waits for; the memory stays for as long as others refer to it: its peer, which
 * may still ask for its name, and packets that it sent.
 */
#include "arch/uaccess.h"
#include "fs/event/poll.h"
#include "fs/net/unix.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "kernel/base/init.h"
#include "libc/printf.h"
#include "libc/string.h"

struct spinlock net_lock = SPINLOCK_INIT("net", LOCK_RANK_FS);
struct net_limits net_limits = {
    .wmem_default = 180224,
    .wmem_max = 180224,
    .rmem_default = 180224,
    .rmem_max = 180224,
    .optmem_max = 10240,
    .somaxconn = 4096,
    .max_dgram_qlen = 10,
};

static struct list all_sockets = LIST_INIT(all_sockets); /* [net_lock] by number */
static uint32_t socket_count;                            /* [net_lock] */
static uint32_t last_number;                             /* [net_lock] */

/* ---- Birth and end ---- */

/* Twice as many as there may be files, for those that wait to be accepted have none. */
static bool enroll(struct socket *s)
{
    bool ok;

    spin_lock(&net_lock);
    ok = socket_count < 2 * fs_limits.files;
    if (ok) {
        socket_count++;
        s->number = ++last_number;
        list_add_tail(&all_sockets, &s->all_link);
    }
    spin_unlock(&net_lock);
    return ok;
}

static void init_links(struct socket *s)
{
    struct list *lists[] = {&s->queue,        &s->pending,       &s->pending_link,
                            &s->full_link,    &s->watching_room, &s->all_link,
                            &s->carrier_link, &s->gray_link,     &s->rights};
    struct waitq *queues[] = {&s->readers, &s->writers, &s->senders, &s->watchers};

    for (unsigned i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        list_init(lists[i]);
    for (unsigned i = 0; i < sizeof(queues) / sizeof(*queues); i++)
        waitq_init(queues[i]);
    async_init(&s->async);
    mutex_init(&s->bind_lock, MUTEX_RANK_BIND);
    mutex_init(&s->read_lock, MUTEX_RANK_READ);
}

int socket_new(unsigned type, struct socket **out)
{
    struct socket *s = kzalloc(sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->refs = 1;
    s->type = (uint8_t)type;
    s->backlog = net_limits.max_dgram_qlen;
    s->ids.cred = (struct ucred){0, UINT32_MAX, UINT32_MAX};
    init_links(s);
    options_init(s);
    s->user = user_get();
    if (s->user && enroll(s)) {
        *out = s;
        return 0;
    }
    int err = s->user ? -ENFILE : -ENOMEM;
    if (s->user)
        user_put(s->user);
    kmfree(s);
    return err;
}

void socket_put(struct socket *s)
{
    if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    spin_lock(&net_lock);
    list_remove(&s->all_link);
    socket_count--;
    spin_unlock(&net_lock);
    address_put(s->address);
    user_put(s->user);
    groups_put(s->ids.groups);
    kmfree(s);
}

int socket_take_error(struct socket *s)
{
    int error = 0;

    if (s->error) {
        spin_lock(&net_lock);
        error = s->error;
        s->error = 0;
        spin_unlock(&net_lock);
    }
    return -error;
}

/* [net_lock held] The other end of a connection learns that this one is no more. */
static void hang_up(struct socket *s, struct socket *peer, bool unread)
{
    if (s->type == SOCK_DGRAM)
        return;
    peer->shutdown = SHUT_BOTH;
    if (unread)
        peer->error = ECONNRESET;
}

/* Who sent it a datagram, or asked for a connection, that nobody will ever take. */
static void refuse_pending(struct socket *s)
{
    struct socket *e;

    for (;;) {
        spin_lock(&net_lock);
        e = list_empty(&s->pending) ? NULL
                                    : list_first_entry(&s->pending, struct socket, pending_link);
        if (e)
            list_remove(&e->pending_link);
        spin_unlock(&net_lock);
        if (!e)
            return;
        socket_release(e);
        sched_point();
    }
}

static void drop_queue(struct socket *s)
{
    struct packet *p;

    for (;;) {
        spin_lock(&net_lock);
        p = packet_first(s);
        if (p)
            packet_unqueue(s, p);
        spin_unlock(&net_lock);
        if (!p)
            return;
        packet_free(p);
        sched_point();
    }
}

void socket_release(struct socket *s)
{
    struct socket *peer;
    struct dentry *node;
    bool waits;

    spin_lock(&net_lock);
    waits = s->listener != NULL;
    s->dead = true;
    s->file = NULL;
    s->listener = NULL;
    s->shutdown = SHUT_BOTH;
    s->state = SOCKET_IDLE;
    address_unhash(s);
    node = s->node;
    s->node = NULL;
    peer = s->peer;
    s->peer = NULL;
    list_remove(&s->full_link);
    list_remove(&s->gray_link);
    if (peer)
        hang_up(s, peer, waits || s->queued);
    spin_unlock(&net_lock);
    if (peer) {
        socket_wake_all(peer);
        if (peer->type != SOCK_DGRAM)
            async_tell(&peer->async, POLL_HUP);
        socket_put(peer);
    }
    wake_all(&s->senders);
    datagram_tell_room(s);
    refuse_pending(s);
    drop_queue(s);
    if (node)
        dentry_unref(node);
    socket_put(s);
    if (collect_inflight)
        collect();
}

/* ---- Waiting ---- */

uint64_t socket_deadline(bool at_once, uint64_t timeout)
{
    if (at_once)
        return 0;
    return timeout ? time_deadline(timeout) : TIME_NEVER;
}

long socket_wait(struct waitq *q, bool (*ready)(const struct socket *s), const struct socket *s,
                 uint64_t until)
{
    struct wait_entry e;
    long ret = 1;

    if (!until)
        return -EAGAIN;
    do {
        waitq_prepare(q, &e, THREAD_SLEEPING);
        if (ready(s))
            ret = 0;
        else if (signal_pending_current())
            ret = until == TIME_NEVER ? -ERESTARTSYS : -EINTR;
        else if (until != TIME_NEVER && time_mono_ns() >= until)
            ret = -EAGAIN;
        else
            schedule_until(until);
        waitq_finish(&e);
    } while (ret > 0);
    return ret;
}

void socket_wake_readers(struct socket *s)
{
    wake_one(&s->readers);
    wake_all(&s->watchers);
    async_tell(&s->async, POLL_IN);
}

void socket_wake_all(struct socket *s)
{
    wake_all(&s->readers);
    wake_all(&s->writers);
    wake_all(&s->senders);
    wake_all(&s->watchers);
}

bool socket_writable(const struct socket *s)
{
    return s->state != SOCKET_LISTENING && s->charged <= s->sndbuf / 4;
}

void socket_hold(struct socket *s, int32_t bytes)
{
    s->held += (uint32_t)bytes;
    if (s->listener)
        s->listener->held += (uint32_t)bytes;
}

/* ---- The file ---- */

struct socket *socket_of(const struct file *f)
{
    return f->ops == &socket_file_ops ? f->private : NULL;
}

int socket_file(uint32_t flags, struct file **out)
{
    struct inode *i = anon_inode(S_IFSOCK | 0777);

    if (!i)
        return -ENOMEM;
    *out = file_new(i, NULL, &socket_file_ops, O_RDWR | (flags & O_NONBLOCK));
    inode_unref(i);
    return *out ? 0 : file_new_error();
}

void socket_attach(struct socket *s, struct file *f)
{
    spin_lock(&net_lock);
    f->private = s;
    s->file = f;
    spin_unlock(&net_lock);
}

static void file_release(struct file *f)
{
    if (f->private)
        socket_release(f->private);
}

long socket_send(struct socket *s, struct message *m)
{
    return s->type == SOCK_STREAM ? stream_send(s, m) : datagram_send(s, m);
}

long socket_recv(struct socket *s, struct message *m)
{
    return s->type == SOCK_STREAM ? stream_recv(s, m) : datagram_recv(s, m);
}

static uint32_t flags_of(const struct file *f)
{
    return f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0;
}

static long file_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct message m;
    long ret;

    (void)pos;
    if (!len)
        return 0;
    message_single(&m, ubuf, len, flags_of(f));
    ret = socket_recv(f->private, &m);
    message_end(&m);
    return ret;
}

static long file_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    struct message m;
    long ret;

    (void)pos;
    message_single(&m, (void __user *)ubuf, len, flags_of(f));
    ret = socket_send(f->private, &m);
    message_end(&m);
    return ret;
}

static long file_read_kernel(struct file *f, void *buf, size_t len, uint64_t *pos, bool nonblock)
{
    struct message m;
    long ret;

    (void)pos;
    message_kernel(&m, buf, len, flags_of(f) | (nonblock ? MSG_DONTWAIT : 0));
    ret = socket_recv(f->private, &m);
    message_end(&m);
    return ret;
}

static long file_write_kernel(struct file *f, const void *buf, size_t len, uint64_t *pos)
{
    struct message m;
    long ret;

    (void)pos;
    message_kernel(&m, (void *)buf, len, flags_of(f));
    ret = socket_send(f->private, &m);
    message_end(&m);
    return ret;
}

static long file_readv(struct file *f, const struct iov_set *iov)
{
    struct message m;
    long ret;

    message_vector(&m, iov, flags_of(f));
    ret = m.len ? socket_recv(f->private, &m) : 0;
    message_end(&m);
    return ret;
}

static long file_writev(struct file *f, const struct iov_set *iov)
{
    struct message m;
    long ret;

    message_vector(&m, iov, flags_of(f));
    ret = socket_send(f->private, &m);
    message_end(&m);
    return ret;
}

static uint32_t file_poll_mask(struct file *f, struct poll_table *pt)
{
    struct socket *s = f->private;
    uint32_t mask = 0;

    poll_wait(pt, &s->watchers);
    spin_lock(&net_lock);
    if (s->error)
        mask |= POLLERR;
    if (s->shutdown == SHUT_BOTH)
        mask |= POLLHUP;
    if (s->shutdown & SHUT_RECV)
        mask |= POLLRDHUP | POLLIN;
    if (s->queued || s->pending_count)
        mask |= POLLIN;
    if (s->type != SOCK_DGRAM && s->state == SOCKET_IDLE)
        mask |= POLLHUP;
    if (socket_writable(s) && (s->type == SOCK_STREAM || datagram_has_room(s)))
        mask |= POLLOUT | POLLWRBAND;
    if (s->urgent)
        mask |= POLLPRI;
    spin_unlock(&net_lock);
    return mask;
}

/* Bytes that can be read: of a datagram socket, in the first datagram. */
static long unread_bytes(struct socket *s)
{
    struct packet *p;
    long n;

    spin_lock(&net_lock);
    p = packet_first(s);
    if (s->state == SOCKET_LISTENING)
        n = -EINVAL;
    else if (s->type == SOCK_DGRAM)
        n = p ? (long)p->len : 0;
    else
        n = (long)s->queue_bytes;
    spin_unlock(&net_lock);
    return n;
}

/* Whether the next byte is the one out of band. */
static long at_mark(const struct socket *s)
{
    return s->urgent && s->queue.next == &s->urgent->link;
}

static long set_owner(struct file *f, const void __user *upid)
{
    uint32_t pid;

    return get_user_u32(&pid, upid) ? -EFAULT : owner_fcntl(f, F_SETOWN, pid);
}

static long file_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    struct socket *s = f->private;
    long n;

    switch (cmd) {
    case FIOSETOWN:
    case SIOCSPGRP:
        return set_owner(f, (const void __user *)arg);
    case FIOGETOWN:
    case SIOCGPGRP:
        return put_user_u32((void __user *)arg, (uint32_t)owner_fcntl(f, F_GETOWN, 0));
    case SIOCATMARK:
        spin_lock(&net_lock);
        n = at_mark(s);
        spin_unlock(&net_lock);
        break;
    case SIOCINQ:
        n = unread_bytes(s);
        break;
    case SIOCOUTQ:
        n = s->state == SOCKET_LISTENING ? -EINVAL : (long)s->charged;
        break;
    default:
        return -ENOTTY;
    }
    return n < 0 ? n : put_user_u32((void __user *)arg, (uint32_t)n);
}

static struct async_list *file_async(struct file *f, bool out)
{
    struct socket *s = f->private;

    return out ? NULL : &s->async; /* one list tells of both */
}

static uint32_t file_held(const struct file *f)
{
    const struct socket *s = f->private;

    return s ? sizeof(*s) + s->held : 0;
}

static int cannot_sync(struct file *f)
{
    (void)f;
    return -EINVAL;
}

static int cannot_open(struct inode *i, struct file *f)
{
    (void)i, (void)f;
    return -ENXIO;
}

const struct file_ops socket_file_ops = {
    .open = cannot_open,
    .release = file_release,
    .read = file_read,
    .write = file_write,
    .read_kernel = file_read_kernel,
    .write_kernel = file_write_kernel,
    .readv = file_readv,
    .writev = file_writev,
    .ioctl = file_ioctl,
    .poll = file_poll_mask,
    .fsync = cannot_sync,
    .held = file_held,
    .async = file_async,
    .stream = true,
};

/* ---- /proc/net/unix ---- */

#define WALK_STEP 500u /* sockets that are passed under the lock at a time */

enum { SS_UNCONNECTED = 1, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING };

static unsigned shown_state(const struct socket *s)
{
    bool connected = s->state == SOCKET_CONNECTED;

    if (s->file)
        return connected ? SS_CONNECTED : SS_UNCONNECTED;
    return connected ? SS_CONNECTING : SS_DISCONNECTING;
}

/* [net_lock held] The NULs of an abstract name are shown as '@'. */
static void show_name(const struct address *a, char *out)
{
    bool abstract = !a->name.path[0];
    uint32_t n = a->len - PATH_AT - (abstract ? 0 : 1);

    *out++ = ' ';
    for (uint32_t i = 0; i < n; i++)
        *out++ = a->name.path[i] ? a->name.path[i] : '@';
    *out = 0;
}

/* [net_lock held] */
static struct socket *following(const struct socket *s)
{
    const struct list *l = s ? s->all_link.next : all_sockets.next;

    return l == &all_sockets ? NULL : container_of(l, struct socket, all_link);
}

/* The first from number on, with a reference, which keeps it on the list. */
static struct socket *find_number(uint64_t number)
{
    struct socket *s = NULL, *next;

    do {
        spin_lock(&net_lock);
        next = following(s);
        for (unsigned i = 0; next && next->number < number && i < WALK_STEP; i++)
            next = following(next);
        if (next)
            socket_ref(next);
        spin_unlock(&net_lock);
        if (s)
            socket_put(s);
        s = next;
        sched_point();
    } while (s && s->number < number);
    return s;
}

int net_unix_line(void *from, uint64_t *number, char *buf, size_t size)
{
    char name[UNIX_PATH_MAX + 2] = "";
    struct socket *s;
    int n;

    (void)from;
    if (*number == 0)
        return snprintf(buf, size, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    s = find_number(*number);
    if (!s)
        return 0;
    *number = s->number;
    spin_lock(&net_lock);
    if (s->address)
        show_name(s->address, name);
    n = snprintf(buf, size, "%08x: %08X %08X %08X %04X %02X %5u%s\n", 0u, s->refs, 0u,
                 s->state == SOCKET_LISTENING ? 0x10000u : 0u, s->type, shown_state(s),
                 s->file ? s->file->inode->ino : 0u, name);
    spin_unlock(&net_lock);
    socket_put(s);
    return n;
}

static void net_init(void)
{
    uint64_t bytes = (uint64_t)vm_total_frames() * PAGE_SIZE / 8;

    net_limits.user_bytes = (uint32_t)(bytes < INT32_MAX ? bytes : INT32_MAX);
}
INIT_AT(INIT_DEVICE, net_init);
