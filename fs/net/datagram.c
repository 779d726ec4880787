/*
 * Datagrams, and the packets of SOCK_SEQPACKET: each is read as a whole or its rest is lost.
 *
 * A queue takes datagrams until there are more than its backlog, but any number from the socket
 * that its owner is connected to: their sender's sndbuf bounds those. A connection of datagram
 * sockets is one-sided: it names whom s sends to, and who alone may send to s.
 */
#include "fs/net/unix.h"
#include "libc/errno.h"

enum { FULL = 1, AGAIN = 2 }; /* beside 0 and -errno */

/* ---- Connections ---- */

static bool may_send_to(const struct socket *s, const struct socket *to)
{
    return !to->peer || to->peer == s;
}

/* What is in the queue came from a peer that is none any more. */
static void forget_queue(struct socket *s)
{
    struct packet *p;

    do {
        mutex_lock(&s->read_lock);
        spin_lock(&net_lock);
        p = packet_first(s);
        if (p)
            packet_unqueue(s, p);
        spin_unlock(&net_lock);
        mutex_unlock(&s->read_lock);
        if (p)
            packet_free(p);
        sched_point();
    } while (p);
    wake_all(&s->senders);
}

/* s has left old (a reference, consumed), which learns of it if it is connected to s and something
 * was lost. */
static void disconnect(struct socket *s, struct socket *old)
{
    bool lost;

    spin_lock(&net_lock);
    list_remove(&s->full_link);
    lost = s->queued && !old->dead && old->peer == s;
    if (lost)
        old->error = ECONNRESET;
    if (old->type == SOCK_DGRAM)
        old->state = SOCKET_IDLE;
    spin_unlock(&net_lock);
    if (lost)
        socket_wake_all(old);
    forget_queue(s);
    wake_all(&s->watchers);
    socket_put(old);
}

void datagram_reconnect(struct socket *s, struct socket *peer)
{
    struct socket *old;

    spin_lock(&net_lock);
    old = s->peer;
    s->peer = peer;
    s->state = peer ? SOCKET_CONNECTED : SOCKET_IDLE;
    if (peer && !peer->dead)
        peer->state = SOCKET_CONNECTED;
    spin_unlock(&net_lock);
    if (old && old != peer)
        disconnect(s, old);
    else if (old)
        socket_put(old);
}

int datagram_connect(struct socket *s, struct sockaddr_un *name, uint32_t len)
{
    struct socket *to;
    int err;

    if (len < PATH_AT)
        return -EINVAL;
    if (name->family == AF_UNSPEC) {
        datagram_reconnect(s, NULL);
        return 0;
    }
    err = address_check(name, len);
    if (!err && socket_passes_cred(s))
        err = address_autobind(s);
    if (!err)
        err = address_find(name, len, s->type, &to);
    if (err)
        return err;
    if (!may_send_to(s, to)) {
        socket_put(to);
        return -EPERM;
    }
    datagram_reconnect(s, to);
    return 0;
}

/* ---- Room ---- */

/* [net_lock held] */
static bool is_full_for(const struct socket *s, const struct socket *to)
{
    return to != s && to->peer != s && socket_is_full(to);
}

bool datagram_has_room(struct socket *s)
{
    if (!s->peer || !is_full_for(s, s->peer))
        return true;
    if (list_empty(&s->full_link))
        list_add_tail(&s->peer->watching_room, &s->full_link);
    return false;
}

/* They are taken off the list at once, so that who comes back on it is not told again. */
void datagram_tell_room(struct socket *s)
{
    struct list told = LIST_INIT(told);
    struct socket *w;

    wake_one(&s->senders);
    if (list_empty(&s->watching_room))
        return;
    spin_lock(&net_lock);
    list_add(&s->watching_room, &told);
    list_remove(&s->watching_room);
    while (!list_empty(&told)) {
        w = list_first_entry(&told, struct socket, full_link);
        list_remove(&w->full_link);
        socket_ref(w);
        spin_unlock(&net_lock);
        wake_all(&w->watchers);
        socket_put(w);
        sched_point();
        spin_lock(&net_lock);
    }
    spin_unlock(&net_lock);
}

static bool has_room(const struct socket *s)
{
    return s->dead || (s->shutdown & SHUT_RECV) || !socket_is_full(s);
}

/* ---- Sending ---- */

/* Whom the packet goes to: a reference. */
static int find_target(struct socket *s, struct message *m, struct socket **to)
{
    if (m->name_len)
        return address_find(&m->name, m->name_len, s->type, to);
    spin_lock(&net_lock);
    *to = s->peer;
    if (*to)
        socket_ref(*to);
    spin_unlock(&net_lock);
    return *to ? 0 : -ECONNRESET;
}

/* Nobody reads what is sent to the dead. A connection to one ends here; a name may lead to another.
 */
static int send_to_dead(struct socket *s, struct socket *to)
{
    bool mine;

    if (s->type == SOCK_SEQPACKET)
        return -EPIPE;
    spin_lock(&net_lock);
    mine = s->peer == to;
    if (mine) {
        s->peer = NULL;
        s->state = SOCKET_IDLE;
    }
    spin_unlock(&net_lock);
    if (!mine)
        return AGAIN;
    disconnect(s, to);
    return -ECONNREFUSED;
}

/* Into the queue of to. AGAIN: it is dead. */
static int try_deliver(struct socket *s, struct socket *to, struct packet *p)
{
    int err = 0;

    spin_lock(&net_lock);
    if (!may_send_to(s, to)) {
        err = -EPERM;
    } else if (to->dead) {
        err = AGAIN;
    } else if (to->shutdown & SHUT_RECV) {
        err = -EPIPE;
    } else if (is_full_for(s, to)) {
        err = FULL;
    } else {
        packet_stamp(p, s, to);
        packet_queue(to, p);
    }
    spin_unlock(&net_lock);
    if (!err)
        socket_wake_readers(to);
    return err == AGAIN ? send_to_dead(s, to) : err;
}

static int deliver(struct socket *s, struct message *m, struct packet *p)
{
    uint64_t until = socket_deadline(m->flags & MSG_DONTWAIT, s->send_timeout);
    struct socket *to;
    int err;

    do {
        err = find_target(s, m, &to);
        if (err)
            return err;
        err = try_deliver(s, to, p);
        if (err == FULL) {
            err = (int)socket_wait(&to->senders, has_room, to, until);
            err = err ? err : AGAIN;
        }
        socket_put(to);
    } while (err == AGAIN);
    return err;
}

static int may_send(struct socket *s, struct message *m)
{
    int err = 0;

    if (s->type == SOCK_SEQPACKET) {
        err = socket_take_error(s);
        if (!err && s->state != SOCKET_CONNECTED)
            err = -ENOTCONN;
        m->name_len = 0;
    }
    if (err)
        return err;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (m->name_len)
        err = address_check(&m->name, m->name_len);
    else if (!s->peer)
        err = -ENOTCONN;
    if (!err && socket_passes_cred(s))
        err = address_autobind(s);
    if (!err && m->len > s->sndbuf - 32)
        err = -EMSGSIZE;
    return err;
}

long datagram_send(struct socket *s, struct message *m)
{
    struct packet *p;
    int err = may_send(s, m);

    if (!err)
        err = packet_make(s, m, m->len, &p);
    if (err)
        return err;
    err = deliver(s, m, p);
    if (!err)
        return (long)m->len;
    packet_free(p);
    return err;
}

/* ---- Receiving ---- */

/* [net_lock held] The first that a look has not passed; skip: bytes of it to pass over. */
static struct packet *peek_at(struct socket *s, uint32_t *skip)
{
    struct packet *p = packet_first(s);

    *skip = s->peek_off > 0 ? (uint32_t)s->peek_off : 0;
    while (p && s->peek_off >= 0 && *skip >= p->len && (p->len || *skip || p->peeked)) {
        *skip -= p->len;
        p = packet_next(s, p);
    }
    if (p && !p->len)
        p->peeked = true;
    return p;
}

/* [read_lock held] The datagram to read; one that is not only looked at leaves the queue. */
static struct packet *take(struct socket *s, bool peek, uint32_t *skip)
{
    bool was_full = false;
    struct packet *p;

    spin_lock(&net_lock);
    p = peek ? peek_at(s, skip) : packet_first(s);
    if (p && !peek) {
        was_full = socket_is_full(s);
        *skip = 0;
        if (p->rights)
            rights_reach(p->rights);
        packet_unqueue(s, p);
        if (s->peek_off > 0)
            s->peek_off = s->peek_off > (int32_t)p->len ? s->peek_off - (int32_t)p->len : 0;
    }
    spin_unlock(&net_lock);
    if (was_full)
        datagram_tell_room(s);
    return p;
}

/* Whether a receiver need not wait; of one that peeks, beyond SO_PEEK_OFF. */
static bool has_news(const struct socket *s)
{
    return s->queued || s->error || (s->shutdown & SHUT_RECV);
}

static bool has_unpeeked(const struct socket *s)
{
    uint32_t passed = s->peek_off > 0 ? (uint32_t)s->peek_off : 0;

    return s->queue_bytes > passed || (s->queued && s->peek_off < 0) || s->error ||
           (s->shutdown & SHUT_RECV);
}

static long wait_for_datagram(struct socket *s, bool peek, uint64_t until)
{
    long err;

    if (until && (s->shutdown & SHUT_RECV))
        return 1;
    err = socket_wait(&s->readers, peek ? has_unpeeked : has_news, s, until);
    if (err == -EAGAIN && s->type == SOCK_SEQPACKET && (s->shutdown & SHUT_RECV))
        return 1;
    return err;
}

/* Copies what fits; the length that the call tells. */
static long copy_out(struct packet *p, uint32_t skip, struct message *m)
{
    uint32_t all = p->len - skip, n = m->len < all ? m->len : all;

    if (n < all)
        m->out_flags |= MSG_TRUNC;
    if (packet_copy(p, skip, n, m))
        return -EFAULT;
    packet_show_cred(p, m);
    return m->flags & MSG_TRUNC ? (long)all : (long)n;
}

/* [read_lock held] */
static long read_datagram(struct socket *s, struct packet *p, uint32_t skip, struct message *m)
{
    bool peek = m->flags & MSG_PEEK;
    long n;

    packet_show_sender(p, m);
    n = copy_out(p, skip, m);
    if (n >= 0) {
        if (peek && s->peek_off >= 0)
            s->peek_off += (int32_t)(m->len < p->len - skip ? m->len : p->len - skip);
        packet_give_rights(p, m, peek);
    }
    if (!peek)
        packet_free(p);
    return n;
}

long datagram_recv(struct socket *s, struct message *m)
{
    uint64_t until = socket_deadline(m->flags & MSG_DONTWAIT, s->recv_timeout);
    bool peek = m->flags & MSG_PEEK;
    struct packet *p;
    uint32_t skip;
    long ret;

    if (s->type == SOCK_SEQPACKET && s->state != SOCKET_CONNECTED)
        return -ENOTCONN;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    for (;;) {
        mutex_lock(&s->read_lock);
        ret = socket_take_error(s);
        p = ret ? NULL : take(s, peek, &skip);
        if (p)
            ret = read_datagram(s, p, skip, m);
        mutex_unlock(&s->read_lock);
        if (!p && !ret)
            ret = wait_for_datagram(s, peek, until);
        else
            break;
        if (ret)
            return ret > 0 ? 0 : ret;
    }
    if (s->queued)
        wake_one(&s->readers);
    return ret;
}
