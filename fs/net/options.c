/*
 * getsockopt and setsockopt: SOL_SOCKET is the only level of this family. Options that mean nothing
 * to it are kept and told, as on Linux. [man 7 socket, man 7 unix]
 */
#include "arch/uaccess.h"
#include "fs/net/unix.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

#define PRIORITY_MOST 6u /* without privilege */

/* Those that are on or off. */
static const uint64_t switches = FLAG_OF(SO_DEBUG) | FLAG_OF(SO_REUSEADDR) | FLAG_OF(SO_REUSEPORT) |
                                 FLAG_OF(SO_DONTROUTE) | FLAG_OF(SO_BROADCAST) |
                                 FLAG_OF(SO_KEEPALIVE) | FLAG_OF(SO_OOBINLINE) |
                                 FLAG_OF(SO_NO_CHECK) | FLAG_OF(SO_PASSCRED) | FLAG_OF(SO_PASSSEC) |
                                 FLAG_OF(SO_RXQ_OVFL) | FLAG_OF(SO_SELECT_ERR_QUEUE);

static bool is_switch(int name)
{
    return name > 0 && name < 64 && (switches & FLAG_OF(name));
}

void options_init(struct socket *s)
{
    s->sndbuf = net_limits.wmem_default;
    s->rcvbuf = net_limits.rmem_default;
    s->lowat = 1;
    s->peek_off = -1;
}

/* ---- Times ---- */

/* A timeval of two words, or of two 64-bit numbers. */
static long put_time(uint64_t ns, bool wide, void *out)
{
    uint64_t big[2] = {ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1000};
    uint32_t small[2] = {(uint32_t)big[0], (uint32_t)big[1]};

    memcpy(out, wide ? (void *)big : (void *)small, wide ? sizeof(big) : sizeof(small));
    return wide ? sizeof(big) : sizeof(small);
}

/* A time before now is as short as can be, one of 0 is for ever. */
static long set_time(uint64_t *ns, const void __user *uval, uint32_t len, bool wide)
{
    int64_t big[2] = {0};
    int32_t small[2] = {0};

    if (len < (wide ? sizeof(big) : sizeof(small)))
        return -EINVAL;
    if (copy_from_user(wide ? (void *)big : (void *)small, uval,
                       wide ? sizeof(big) : sizeof(small)))
        return -EFAULT;
    if (!wide) {
        big[0] = small[0];
        big[1] = small[1];
    }
    if (big[1] < 0 || big[1] >= 1000000)
        return -EDOM;
    if (big[0] < 0)
        *ns = 1;
    else if (big[0] >= INT32_MAX)
        *ns = 0;
    else
        *ns = (uint64_t)big[0] * NSEC_PER_SEC + (uint64_t)big[1] * 1000;
    return 0;
}

/* ---- getsockopt ---- */

static long word(void *out, uint32_t value)
{
    memcpy(out, &value, sizeof(value));
    return sizeof(value);
}

static long get_peername(struct socket *s, void *out, uint32_t len)
{
    uint32_t n;

    spin_lock(&net_lock);
    n = s->peer ? address_copy(s->peer, out) : 0;
    spin_unlock(&net_lock);
    if (!n)
        return -ENOTCONN;
    return n < len ? -EINVAL : (long)len;
}

static long get_other(struct socket *s, int name, void *out, uint32_t len)
{
    uint64_t cookie = s->number;

    switch (name) {
    case SO_PEERCRED:
        memcpy(out, &s->ids.cred, sizeof(s->ids.cred));
        return sizeof(s->ids.cred);
    case SO_LINGER:
        memcpy(out, s->linger, sizeof(s->linger));
        return sizeof(s->linger);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        return put_time(s->recv_timeout, name == SO_RCVTIMEO_NEW, out);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        return put_time(s->send_timeout, name == SO_SNDTIMEO_NEW, out);
    case SO_PEERNAME:
        return get_peername(s, out, len);
    case SO_COOKIE:
        memcpy(out, &cookie, sizeof(cookie));
        return len < sizeof(cookie) ? -EINVAL : (long)sizeof(cookie);
    case SO_BINDTODEVICE:
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

/* The value into out, which has room for any: its length. */
static long get_value(struct socket *s, int name, void *out, uint32_t len)
{
    if (is_switch(name))
        return word(out, !!(s->flags & FLAG_OF(name)));
    switch (name) {
    case SO_TYPE:
        return word(out, s->type);
    case SO_DOMAIN:
        return word(out, AF_UNIX);
    case SO_PROTOCOL:
    case SO_BSDCOMPAT:
        return word(out, 0);
    case SO_ERROR:
        return word(out, (uint32_t)-socket_take_error(s));
    case SO_SNDBUF:
        return word(out, s->sndbuf);
    case SO_RCVBUF:
        return word(out, s->rcvbuf);
    case SO_PRIORITY:
        return word(out, s->priority);
    case SO_MARK:
        return word(out, s->mark);
    case SO_RCVLOWAT:
        return word(out, s->lowat);
    case SO_SNDLOWAT:
        return word(out, 1);
    case SO_PEEK_OFF:
        return word(out, (uint32_t)s->peek_off);
    case SO_ACCEPTCONN:
        return word(out, s->state == SOCKET_LISTENING);
    default:
        return get_other(s, name, out, len);
    }
}

/* The whole list or none of it; the length that it takes is told in any case. */
static long get_peergroups(struct socket *s, void __user *uval, void __user *ulen, uint32_t len)
{
    const struct group_list *g = s->ids.groups;
    uint32_t n = g ? g->count * sizeof(uint32_t) : 0;

    if (!s->ids.known)
        return -ENODATA;
    if (len < n)
        return put_user_u32(ulen, n) ? -EFAULT : -ERANGE;
    if (g && groups_to_user(g, uval, true))
        return -EFAULT;
    return put_user_u32(ulen, n);
}

long options_get(struct socket *s, int level, int name, void __user *uval, void __user *ulen)
{
    char value[sizeof(struct sockaddr_un) + 2];
    uint32_t len;
    long n;

    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (get_user_u32(&len, ulen))
        return -EFAULT;
    if ((int32_t)len < 0)
        return -EINVAL;
    if (name == SO_PEERGROUPS)
        return get_peergroups(s, uval, ulen, len);
    n = get_value(s, name, value, len);
    if (n < 0)
        return n;
    if ((uint32_t)n > len)
        n = (long)len;
    if (copy_to_user(uval, value, (size_t)n))
        return -EFAULT;
    return put_user_u32(ulen, (uint32_t)n);
}

/* ---- setsockopt ---- */

/* Linux doubles what is asked for, for its own bookkeeping, and tells the double. */
static uint32_t buffer_size(uint32_t value, uint32_t most, uint32_t least)
{
    if (value > most)
        value = most;
    if (value > INT32_MAX / 2)
        value = INT32_MAX / 2;
    return value * 2 > least ? value * 2 : least;
}

static long force_buffer(uint32_t *size, uint32_t value, uint32_t least)
{
    if (!capable(CAP_NET_ADMIN))
        return -EPERM;
    *size = buffer_size((int32_t)value < 0 ? 0 : value, INT32_MAX, least);
    return 0;
}

static long set_switch(struct socket *s, int name, bool on)
{
    if (name == SO_DEBUG && on && !capable(CAP_NET_ADMIN))
        return -EACCES;
    spin_lock(&net_lock);
    s->flags = on ? s->flags | FLAG_OF(name) : s->flags & ~FLAG_OF(name);
    spin_unlock(&net_lock);
    return 0;
}

static long set_linger(struct socket *s, const void __user *uval, uint32_t len)
{
    uint32_t linger[2];

    if (len < sizeof(linger))
        return -EINVAL;
    if (copy_from_user(linger, uval, sizeof(linger)))
        return -EFAULT;
    s->linger[0] = linger[0] != 0;
    if (linger[0])
        s->linger[1] = linger[1];
    return 0;
}

static long set_sizes(struct socket *s, int name, uint32_t value)
{
    switch (name) {
    case SO_SNDBUF:
        s->sndbuf = buffer_size(value, net_limits.wmem_max, NET_SNDBUF_LEAST);
        break;
    case SO_RCVBUF:
        s->rcvbuf = buffer_size(value, net_limits.rmem_max, NET_RCVBUF_LEAST);
        break;
    case SO_SNDBUFFORCE:
        return force_buffer(&s->sndbuf, value, NET_SNDBUF_LEAST);
    default:
        return force_buffer(&s->rcvbuf, value, NET_RCVBUF_LEAST);
    }
    if (name == SO_SNDBUF) {
        wake_all(&s->writers);
        wake_all(&s->watchers);
    }
    return 0;
}

static long set_word(struct socket *s, int name, uint32_t value)
{
    switch (name) {
    case SO_SNDBUF:
    case SO_RCVBUF:
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
        return set_sizes(s, name, value);
    case SO_PRIORITY:
        if (value > PRIORITY_MOST && !capable(CAP_NET_ADMIN))
            return -EPERM;
        s->priority = value;
        return 0;
    case SO_MARK:
        if (!capable(CAP_NET_RAW))
            return -EPERM;
        s->mark = value;
        return 0;
    case SO_RCVLOWAT:
        s->lowat = (int32_t)value < 0 ? INT32_MAX : value ? value : 1;
        return 0;
    case SO_PEEK_OFF:
        mutex_lock(&s->read_lock);
        s->peek_off = (int32_t)value;
        mutex_unlock(&s->read_lock);
        return 0;
    case SO_BSDCOMPAT:
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

long options_set(struct socket *s, int level, int name, const void __user *uval, uint32_t len)
{
    uint32_t value;

    if ((int32_t)len < 0)
        return -EINVAL;
    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (len < sizeof(value))
        return -EINVAL;
    if (get_user_u32(&value, uval))
        return -EFAULT;
    if (is_switch(name))
        return set_switch(s, name, value != 0);
    switch (name) {
    case SO_LINGER:
        return set_linger(s, uval, len);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
        return set_time(&s->recv_timeout, uval, len, name == SO_RCVTIMEO_NEW);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
        return set_time(&s->send_timeout, uval, len, name == SO_SNDTIMEO_NEW);
    default:
        return set_word(s, name, value);
    }
}
