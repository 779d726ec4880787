/*
 * Connections: pairs, listening, connect, accept, shutdown.
 *
 * connect makes the socket that accept will give: it stands in the listener's pending list with its
 * peer set, so that data can be sent before anybody accepts.
 */
#include "fs/net/unix.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

enum { FULL = 1, AGAIN = 2 }; /* beside 0 and -errno */

/* Who the current process is, for the other end to ask. The groups before, to be put. */
static struct group_list *note_ids(struct peer_ids *ids)
{
    struct proc *p = proc_current();
    struct group_list *old = ids->groups;

    ids->cred = (struct ucred){p->pid, p->cred.euid, p->cred.egid};
    ids->known = true;
    ids->groups = groups_get(p->cred.groups);
    return old;
}

void socket_pair(struct socket *a, struct socket *b)
{
    note_ids(&a->ids);
    note_ids(&b->ids);
    spin_lock(&net_lock);
    socket_ref(a);
    socket_ref(b);
    a->peer = b;
    b->peer = a;
    a->state = b->state = SOCKET_CONNECTED;
    spin_unlock(&net_lock);
}

int socket_listen(struct socket *s, uint32_t backlog)
{
    struct group_list *old = NULL;
    int err = 0;
    bool more;

    if (s->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (backlog > net_limits.somaxconn)
        backlog = net_limits.somaxconn;
    spin_lock(&net_lock);
    more = backlog > s->backlog;
    if (!s->address || s->state == SOCKET_CONNECTED) {
        err = -EINVAL;
    } else {
        s->backlog = backlog;
        s->state = SOCKET_LISTENING;
        old = note_ids(&s->ids);
    }
    spin_unlock(&net_lock);
    groups_put(old);
    if (!err && more)
        wake_all(&s->senders);
    return err;
}

/* ---- connect ---- */

/* [net_lock held] e stands for s on the side of the listener to. */
static void join(struct socket *s, struct socket *e, struct socket *to)
{
    e->state = s->state = SOCKET_CONNECTED;
    socket_ref(s);
    e->peer = s;
    socket_ref(e);
    s->peer = e;
    s->ids = to->ids; /* it had none: it never listened */
    groups_get(s->ids.groups);
    __atomic_fetch_add(&to->address->refs, 1, __ATOMIC_RELAXED);
    e->address = to->address;
    e->listener = to;
    to->held += sizeof(*e);
    list_add_tail(&to->pending, &e->pending_link);
    to->pending_count++;
}

static int try_connect(struct socket *s, struct socket *e, struct socket *to)
{
    int err = 0;

    spin_lock(&net_lock);
    if (to->dead)
        err = AGAIN;
    else if (to->state != SOCKET_LISTENING || (to->shutdown & SHUT_RECV))
        err = -ECONNREFUSED;
    else if (socket_is_full(to))
        err = FULL;
    else if (s->state != SOCKET_IDLE)
        err = s->state == SOCKET_CONNECTED ? -EISCONN : -EINVAL;
    else
        join(s, e, to);
    spin_unlock(&net_lock);
    return err;
}

static bool may_connect(const struct socket *s)
{
    return s->dead || s->state != SOCKET_LISTENING || (s->shutdown & SHUT_RECV) ||
           !socket_is_full(s);
}

/* One attempt; AGAIN after a wait, or when the socket that the name led to is dead. */
static int attempt(struct socket *s, struct socket *e, struct sockaddr_un *name, uint32_t len,
                   uint64_t until)
{
    struct socket *to;
    int err = address_find(name, len, s->type, &to);

    if (err)
        return err;
    err = try_connect(s, e, to);
    if (!err)
        socket_wake_readers(to);
    if (err == FULL) {
        err = (int)socket_wait(&to->senders, may_connect, to, until);
        err = err ? err : AGAIN;
    }
    socket_put(to);
    return err;
}

int socket_connect(struct socket *s, struct sockaddr_un *name, uint32_t len, bool at_once)
{
    uint64_t until = socket_deadline(at_once, s->send_timeout);
    struct socket *e;
    int err;

    if (s->type == SOCK_DGRAM)
        return datagram_connect(s, name, len);
    err = address_check(name, len);
    if (!err && socket_passes_cred(s))
        err = address_autobind(s);
    if (!err)
        err = socket_new(s->type, &e);
    if (err)
        return err;
    note_ids(&e->ids);
    do {
        err = attempt(s, e, name, len, until);
        sched_point();
    } while (err == AGAIN);
    if (err)
        socket_put(e);
    else
        wake_all(&s->watchers);
    return err;
}

/* ---- accept ---- */

static bool has_pending(const struct socket *s)
{
    return s->pending_count || s->error || (s->shutdown & SHUT_RECV);
}

static struct socket *take_pending(struct socket *s)
{
    struct socket *e = NULL;

    spin_lock(&net_lock);
    if (!list_empty(&s->pending)) {
        e = list_first_entry(&s->pending, struct socket, pending_link);
        list_remove(&e->pending_link);
        s->pending_count--;
        s->held -= sizeof(*e) + e->held;
        e->listener = NULL;
        e->flags |= s->flags & FLAG_OF(SO_PASSCRED);
        collect_reach(e);
    }
    spin_unlock(&net_lock);
    return e;
}

int socket_accept(struct socket *s, bool at_once, struct socket **out)
{
    uint64_t until = socket_deadline(at_once, s->recv_timeout);
    long err;

    if (s->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (s->state != SOCKET_LISTENING)
        return -EINVAL;
    for (;;) {
        err = socket_take_error(s);
        if (err)
            return (int)err;
        *out = take_pending(s);
        if (*out)
            break;
        if (until && (s->shutdown & SHUT_RECV))
            return -EINVAL;
        err = socket_wait(&s->readers, has_pending, s, until);
        if (err)
            return (int)err;
    }
    wake_one(&s->senders);
    if (s->pending_count)
        wake_one(&s->readers);
    return 0;
}

/* ---- shutdown ---- */

int socket_shutdown(struct socket *s, uint32_t how)
{
    uint8_t bits = (uint8_t)(how + 1); /* SHUT_RD, WR, RDWR: SHUT_RECV, SEND, BOTH */
    struct socket *peer = NULL;

    if (how > SHUT_RDWR)
        return -EINVAL;
    spin_lock(&net_lock);
    s->shutdown |= bits;
    if (s->peer && s->type != SOCK_DGRAM) {
        peer = s->peer;
        socket_ref(peer);
        peer->shutdown |=
            (uint8_t)((bits & SHUT_RECV ? SHUT_SEND : 0) | (bits & SHUT_SEND ? SHUT_RECV : 0));
    }
    spin_unlock(&net_lock);
    socket_wake_all(s);
    if (peer) {
        socket_wake_all(peer);
        if (peer->shutdown & SHUT_RECV)
            async_tell(&peer->async, peer->shutdown == SHUT_BOTH ? POLL_HUP : POLL_IN);
        socket_put(peer);
    }
    return 0;
}
