/*
 * Streams: bytes in order. A write becomes packets of at most CHUNK bytes, whose borders show only
 * where descriptors or credentials come with them.
 *
 * A byte out of band (MSG_OOB) is a packet of its own, in its place in the queue: the mark, before
 * which a read ends. It may be received by itself, and then its packet stays, empty, as the place
 * where a read ends; such a packet is never the first of the queue, nor behind another.
 */
#include "fs/net/unix.h"
#include "kernel/signal/signal.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define CHUNK 32768u /* bytes of a packet */

/* ---- Sending ---- */

/* How much of what is left goes into one packet: so that one does not fill the whole of sndbuf. */
static uint32_t chunk_size(const struct socket *s, uint32_t left)
{
    uint32_t n = s->sndbuf / 2 - 64;

    if (n > CHUNK)
        n = CHUNK;
    return left < n ? left : n;
}

/* [net_lock held] A mark that was there before becomes an ordinary byte. */
static void set_mark(struct socket *to, struct packet *p)
{
    to->urgent = p;
    if (to->file)
        owner_urgent(to->file);
    async_tell(&to->async, POLL_PRI);
}

static int deliver(struct socket *s, struct packet *p, bool urgent)
{
    struct socket *to = s->peer;
    int err = 0;

    spin_lock(&net_lock);
    if (to->dead || (to->shutdown & SHUT_RECV)) {
        err = -EPIPE;
    } else {
        packet_stamp(p, s, to);
        packet_queue(to, p);
        if (urgent)
            set_mark(to, p);
    }
    spin_unlock(&net_lock);
    if (!err)
        socket_wake_readers(to);
    return err;
}

/* One packet of n bytes; the descriptors go with the first. refused: the peer will not read. */
static int send_chunk(struct socket *s, struct message *m, uint32_t n, bool urgent, bool *refused)
{
    struct packet *p;
    int err = packet_make(s, m, n, &p);

    if (err)
        return err;
    err = deliver(s, p, urgent);
    *refused = err;
    if (err)
        packet_free(p);
    return err;
}

static int may_send(const struct socket *s, const struct message *m)
{
    if ((m->flags & MSG_OOB) && !m->len)
        return -EOPNOTSUPP;
    if (m->name_len)
        return s->state == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    if (!s->peer)
        return -ENOTCONN;
    return s->shutdown & SHUT_SEND ? -EPIPE : 0;
}

long stream_send(struct socket *s, struct message *m)
{
    int err = may_send(s, m);
    bool refused = err == -EPIPE, urgent = m->flags & MSG_OOB;
    uint32_t done = 0, n, plain = m->len - urgent;

    while (!err && done < m->len) {
        n = done < plain ? chunk_size(s, plain - done) : 1;
        err = send_chunk(s, m, n, done == plain, &refused);
        if (!err)
            done += n;
    }
    if (done)
        return (long)done;
    if (refused && !(m->flags & MSG_NOSIGNAL))
        signal_broken_pipe();
    return err;
}

/* ---- Receiving ---- */

/* How far one call has come. */
struct reading {
    uint32_t done, target; /* bytes: so far; for which it waits */
    bool peek, has_cred;
    struct packet *at; /* peeking: the packet that was looked at last, or NULL */
    uint32_t skip;     /* peeking: bytes to pass over after it */
    uint64_t until;
};

/* Whether a receiver need not wait; of one that peeks, beyond SO_PEEK_OFF. */
static bool has_news(const struct socket *s)
{
    return s->queue_bytes || s->error || (s->shutdown & SHUT_RECV);
}

/* A look passes over a mark that is not in line. */
static bool has_unpeeked(const struct socket *s)
{
    uint32_t passed = s->peek_off > 0 ? (uint32_t)s->peek_off : 0;
    bool hidden = s->urgent && !(s->flags & FLAG_OF(SO_OOBINLINE));

    return s->queue_bytes > passed + hidden || s->error || (s->shutdown & SHUT_RECV);
}

static uint32_t unread(const struct packet *p)
{
    return p->len - p->start;
}

static void start_over(const struct socket *s, struct reading *r)
{
    r->at = NULL;
    r->skip = r->peek && s->peek_off > 0 ? (uint32_t)s->peek_off : 0;
}

/* [read_lock held] The packet to read from, or NULL. */
static struct packet *next_packet(struct socket *s, struct reading *r)
{
    struct packet *p;

    spin_lock(&net_lock);
    p = r->at ? packet_next(s, r->at) : packet_first(s);
    while (p && r->skip >= unread(p)) {
        r->skip -= unread(p);
        r->at = p;
        p = packet_next(s, p);
    }
    spin_unlock(&net_lock);
    return p;
}

/* [read_lock held; dropped while it waits] Nothing is there: 0 to look again, 1 at the end. */
static long wait_for_data(struct socket *s, struct reading *r)
{
    long err;

    if (r->done >= r->target || (r->peek && r->done))
        return 1;
    err = socket_take_error(s);
    if (err)
        return err;
    if (s->shutdown & SHUT_RECV)
        return s->queue_bytes && !r->peek ? 0 : 1;
    if (!r->until)
        return -EAGAIN;
    if (fatal_signal_pending())
        return -EINTR;
    mutex_unlock(&s->read_lock);
    err = socket_wait(&s->readers, r->peek ? has_unpeeked : has_news, s, r->until);
    mutex_lock(&s->read_lock);
    start_over(s, r);
    return err;
}

static bool same_cred(const struct packet *p, const struct message *m)
{
    return p->cred.pid == m->cred.pid && p->cred.uid == m->cred.uid && p->cred.gid == m->cred.gid;
}

/* Bytes of different senders stay apart where it is asked who they are. */
static bool may_join(const struct socket *s, const struct packet *p, struct reading *r,
                     struct message *m)
{
    if (r->has_cred)
        return same_cred(p, m);
    if (socket_passes_cred(s)) {
        packet_show_cred(p, m);
        r->has_cred = true;
    }
    return true;
}

static bool is_spent(const struct packet *p)
{
    return p->start == p->len;
}

/* [net_lock held] Takes p (or NULL), if it is the empty packet of a byte that was received by
 * itself and separates nothing, at the head of the queue or behind another: it is to be freed. Or
 * NULL. */
static struct packet *take_spent_mark(struct socket *s, struct packet *p)
{
    if (!p || !is_spent(p))
        return NULL;
    if (p != packet_first(s) && !is_spent(container_of(p->link.prev, struct packet, link)))
        return NULL;
    packet_unqueue(s, p);
    return p;
}

/* n bytes of p are read: what was read to the end goes. True: go on with the next. */
static bool consume(struct socket *s, struct packet *p, uint32_t n, struct message *m)
{
    bool had_rights = p->rights != NULL;
    struct packet *spent = NULL;
    bool empty;

    packet_give_rights(p, m, false);
    spin_lock(&net_lock);
    p->start += n;
    s->queue_bytes -= n;
    if (s->peek_off > 0)
        s->peek_off = s->peek_off > (int32_t)n ? s->peek_off - (int32_t)n : 0;
    empty = is_spent(p);
    if (empty) {
        packet_unqueue(s, p);
        spent = take_spent_mark(s, packet_first(s));
    }
    spin_unlock(&net_lock);
    if (empty)
        packet_free(p);
    if (spent)
        packet_free(spent);
    return empty && !had_rights && !spent;
}

/* The same for a look; true: go on with the next. */
static bool pass_over(struct socket *s, struct packet *p, uint32_t n, struct message *m,
                      struct reading *r)
{
    if (s->peek_off >= 0)
        s->peek_off += (int32_t)n;
    packet_give_rights(p, m, true);
    r->at = p;
    r->skip = 0;
    return !p->rights;
}

/* [read_lock held] One packet, or a part. 1: enough, 0: go on, -errno. */
static long read_packet(struct socket *s, struct packet *p, struct reading *r, struct message *m)
{
    uint32_t n = unread(p) - r->skip;
    bool more;

    if (!may_join(s, p, r, m))
        return 1;
    packet_show_sender(p, m);
    if (n > m->len - r->done)
        n = m->len - r->done;
    if (packet_copy(p, p->start + r->skip, n, m))
        return -EFAULT;
    r->done += n;
    more = r->peek ? pass_over(s, p, n, m, r) : consume(s, p, n, m);
    return !more || r->done == m->len;
}

/* [read_lock held] The read has come to the mark, p: 1 enough, 0 go on behind it, -1 read p. */
static int pass_mark(struct socket *s, struct packet *p, struct reading *r)
{
    bool inlined = s->flags & FLAG_OF(SO_OOBINLINE), drop;

    if (r->done)
        return 1;
    if (r->peek && !inlined) {
        r->at = p;
        return 0;
    }
    drop = !inlined;
    spin_lock(&net_lock);
    if (!r->peek && s->urgent == p)
        s->urgent = NULL;
    else
        drop = false; /* a younger one has made it an ordinary byte */
    if (drop)
        packet_unqueue(s, p);
    spin_unlock(&net_lock);
    if (drop)
        packet_free(p);
    return drop ? 0 : -1;
}

/* [read_lock held] The packet p, or what may be read of it. As read_packet. */
static long read_or_pass(struct socket *s, struct packet *p, struct reading *r, struct message *m)
{
    int mark = p == s->urgent ? pass_mark(s, p, r) : -1;

    return mark < 0 ? read_packet(s, p, r, m) : mark;
}

static long read_loop(struct socket *s, struct reading *r, struct message *m)
{
    struct packet *p;
    long ret;

    do {
        p = next_packet(s, r);
        ret = p ? read_or_pass(s, p, r, m) : wait_for_data(s, r);
        sched_point();
    } while (!ret);
    return ret;
}

static uint32_t low_water(const struct socket *s, const struct message *m)
{
    uint32_t n = m->flags & MSG_WAITALL || s->lowat > m->len ? m->len : s->lowat;

    return n ? n : 1;
}

/* [read_lock held] The byte out of band by itself. Its packet is a mark that is spent. */
static long read_urgent(struct socket *s, struct message *m)
{
    struct packet *p = s->urgent, *spent = NULL;

    if (!p || (s->flags & FLAG_OF(SO_OOBINLINE)))
        return -EINVAL;
    if (m->len && packet_copy(p, p->start, 1, m))
        return -EFAULT;
    spin_lock(&net_lock);
    if (!(m->flags & MSG_PEEK)) {
        if (s->urgent == p)
            s->urgent = NULL;
        p->start++;
        s->queue_bytes--;
        spent = take_spent_mark(s, p);
    }
    spin_unlock(&net_lock);
    if (spent)
        packet_free(spent);
    m->out_flags |= MSG_OOB;
    return 1;
}

long stream_recv(struct socket *s, struct message *m)
{
    struct reading r = {.target = low_water(s, m),
                        .peek = m->flags & MSG_PEEK,
                        .until = socket_deadline(m->flags & MSG_DONTWAIT, s->recv_timeout)};
    long ret;

    if (s->state != SOCKET_CONNECTED)
        return -EINVAL;
    mutex_lock(&s->read_lock);
    if (m->flags & MSG_OOB) {
        ret = read_urgent(s, m);
    } else {
        start_over(s, &r);
        ret = read_loop(s, &r, m);
        if (r.done || ret > 0)
            ret = (long)r.done;
    }
    mutex_unlock(&s->read_lock);
    if (s->queued)
        wake_one(&s->readers);
    return ret;
}
