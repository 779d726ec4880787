/*
 * Packets: what was sent and nobody has read. Small ones have their bytes behind the header, larger
 * ones in frames of their own.
 */
#include "arch/uaccess.h"
#include "fs/net/unix.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

#define INLINE_MOST (2048u - sizeof(struct packet)) /* of bytes behind the header */
#define PAGES_MOST  ((PAGE_SIZE - sizeof(struct packet)) / sizeof(void *))

#define OVERFLOW_ID 65534u /* of a packet whose sender's ids nobody asked for */

/* ---- Room ---- */

static bool may_allocate(const struct socket *s)
{
    return s->charged < s->sndbuf || s->error || (s->shutdown & SHUT_SEND);
}

/* [net_lock held] */
static int charge(struct socket *s, uint32_t bytes)
{
    uint32_t limit = capable(CAP_SYS_RESOURCE) ? UINT32_MAX : net_limits.user_bytes;

    if (!user_charge(s->user, USER_SOCKET_BYTES, bytes, limit))
        return -ENOBUFS;
    s->charged += bytes;
    return 0;
}

/* Gives bytes back; whoever waits to send is told once there is a good deal of room. */
static void uncharge(struct socket *s, uint32_t bytes)
{
    bool wake;

    user_uncharge(s->user, USER_SOCKET_BYTES, bytes);
    spin_lock(&net_lock);
    wake = !socket_writable(s);
    s->charged -= bytes;
    wake = wake && socket_writable(s);
    spin_unlock(&net_lock);
    if (wake) {
        wake_all(&s->writers);
        wake_all(&s->watchers);
        async_tell(&s->async, POLL_OUT);
    }
}

/* One packet may go beyond sndbuf, as on Linux: else a small one would let none through. */
static long wait_for_room(struct socket *s, uint32_t bytes, uint64_t until)
{
    long ret;

    for (;;) {
        ret = socket_take_error(s);
        if (ret)
            return ret;
        spin_lock(&net_lock);
        if (s->shutdown & SHUT_SEND)
            ret = -EPIPE;
        else if (s->charged < s->sndbuf)
            ret = charge(s, bytes);
        else
            ret = 1;
        spin_unlock(&net_lock);
        if (ret <= 0)
            return ret;
        ret = socket_wait(&s->writers, may_allocate, s, until);
        if (ret)
            return ret;
    }
}

/* ---- Life ---- */

static uint32_t pages_for(uint32_t len)
{
    return len <= INLINE_MOST ? 0 : (len + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static void free_memory(struct packet *p)
{
    for (uint32_t i = 0; i < p->npages; i++)
        if (p->body[i])
            kfree(p->body[i]);
    kmfree(p);
}

static struct packet *allocate(uint32_t len)
{
    uint32_t pages = pages_for(len);
    struct packet *p = kmalloc(sizeof(*p) + (pages ? pages * sizeof(void *) : len));

    if (!p)
        return NULL;
    memset(p, 0, sizeof(*p));
    list_init(&p->link);
    p->len = len;
    for (; p->npages < pages; p->npages++) {
        p->body[p->npages] = kalloc();
        if (!p->body[p->npages]) {
            free_memory(p);
            return NULL;
        }
    }
    return p;
}

int packet_new(struct socket *s, uint32_t len, uint32_t flags, struct packet **out)
{
    uint32_t pages = pages_for(len);
    uint32_t bytes = sizeof(struct packet) + (pages ? pages * (PAGE_SIZE + sizeof(void *)) : len);
    long err;

    if (pages > PAGES_MOST)
        return -EMSGSIZE;
    err = wait_for_room(s, bytes, socket_deadline(flags & MSG_DONTWAIT, s->send_timeout));
    if (err)
        return (int)err;
    *out = allocate(len);
    if (!*out) {
        uncharge(s, bytes);
        return -ENOBUFS;
    }
    (*out)->charge = bytes;
    (*out)->sender = s;
    (*out)->cred = (struct ucred){0, OVERFLOW_ID, OVERFLOW_ID};
    socket_ref(s);
    return 0;
}

void packet_free(struct packet *p)
{
    uncharge(p->sender, p->charge);
    socket_put(p->sender);
    if (p->rights)
        rights_free(p->rights);
    free_memory(p);
}

/* ---- Bytes ---- */

/* The bytes from at on that lie together, at most n. */
static void *piece(const struct packet *p, uint32_t at, uint32_t *n)
{
    if (!p->npages)
        return (char *)p->body + at;
    if (*n > PAGE_SIZE - (at & ~PAGE_MASK))
        *n = PAGE_SIZE - (at & ~PAGE_MASK);
    return (char *)p->body[at >> PAGE_SHIFT] + (at & ~PAGE_MASK);
}

int packet_fill(struct packet *p, struct message *m)
{
    for (uint32_t at = 0, n; at < p->len; at += n) {
        n = p->len - at;
        void *to = piece(p, at, &n);

        if (message_take(m, to, n))
            return -EFAULT;
        sched_point();
    }
    return 0;
}

int packet_copy(const struct packet *p, uint32_t from, uint32_t n, struct message *m)
{
    for (uint32_t end = from + n, part; from < end; from += part) {
        part = end - from;
        const void *at = piece(p, from, &part);

        if (message_give(m, at, part))
            return -EFAULT;
        sched_point();
    }
    return 0;
}

/* ---- Queues ---- */

void packet_queue(struct socket *s, struct packet *p)
{
    list_add_tail(&s->queue, &p->link);
    s->queued++;
    s->queue_bytes += p->len;
    socket_hold(s, (int32_t)p->charge);
    if (p->rights)
        rights_queue(s, p);
}

void packet_unqueue(struct socket *s, struct packet *p)
{
    list_remove(&p->link);
    s->queued--;
    s->queue_bytes -= p->len - p->start;
    socket_hold(s, -(int32_t)p->charge);
    if (p->rights)
        rights_unqueue(p->rights);
}

/* ---- What comes with them ---- */

void packet_stamp(struct packet *p, const struct socket *from, const struct socket *to)
{
    const struct proc *me = proc_current();

    if (p->has_cred || !(socket_passes_cred(from) || socket_passes_cred(to) || !to->file))
        return;
    p->cred = (struct ucred){me->pid, me->cred.uid, me->cred.gid};
    p->has_cred = true;
}

void packet_show_sender(const struct packet *p, struct message *m)
{
    if (!m->wants_name)
        return;
    spin_lock(&net_lock);
    m->name_len = p->sender->address ? address_copy(p->sender, &m->name) : 0;
    spin_unlock(&net_lock);
    m->wants_name = false;
}

void packet_show_cred(const struct packet *p, struct message *m)
{
    m->cred = p->cred;
    m->has_cred = true;
}

int packet_give_rights(struct packet *p, struct message *m, bool copy)
{
    if (!p->rights)
        return 0;
    if (copy) {
        spin_lock(&net_lock);
        rights_reach(p->rights);
        spin_unlock(&net_lock);
        m->rights = rights_copy(p->rights);
        return m->rights ? 0 : -ENOMEM;
    }
    spin_lock(&net_lock);
    rights_reach(p->rights);
    rights_unqueue(p->rights);
    m->rights = p->rights;
    p->rights = NULL;
    spin_unlock(&net_lock);
    return 0;
}

/* What m sends besides bytes goes with p. */
static int attach(struct packet *p, struct message *m)
{
    int err = m->rights ? rights_charge(m->rights) : 0;

    if (err)
        return err;
    p->rights = m->rights;
    m->rights = NULL;
    if (m->has_cred)
        p->cred = m->cred;
    p->has_cred = m->has_cred;
    return 0;
}

int packet_make(struct socket *s, struct message *m, uint32_t n, struct packet **out)
{
    int err = packet_new(s, n, m->flags, out);

    if (err)
        return err;
    err = attach(*out, m);
    if (!err)
        err = packet_fill(*out, m);
    if (err)
        packet_free(*out);
    return err;
}
