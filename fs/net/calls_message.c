/*
 * sendmsg, recvmsg, and their kin for many messages at once.
 */
#include "arch/uaccess.h"
#include "fs/net/calls.h"
#include "fs/net/unix.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

struct user_message {
    struct msghdr hdr;
    struct iov_set iov;
};

/* The header and the vector; names and control data stay where they are. */
static int read_header(struct user_message *u, const void __user *umsg)
{
    struct msghdr *h = &u->hdr;

    if (copy_from_user(h, umsg, sizeof(*h)))
        return -EFAULT;
    if (!h->name)
        h->namelen = 0;
    if (h->namelen < 0)
        return -EINVAL;
    if (h->namelen > (int32_t)SOCKADDR_MOST)
        h->namelen = SOCKADDR_MOST;
    if (h->iovlen > IOV_MAX)
        return -EMSGSIZE;
    return 0;
}

static int send_prepare(struct message *m, struct user_message *u, const void __user *umsg,
                        uint32_t flags)
{
    struct sockaddr_un name;
    int err = read_header(u, umsg);

    if (!err && u->hdr.namelen)
        err = address_from_user(&name, u->hdr.name, (uint32_t)u->hdr.namelen);
    if (!err)
        err = iov_from_user(&u->iov, u->hdr.iov, u->hdr.iovlen, true);
    if (err)
        return err;
    message_vector(m, &u->iov, flags);
    m->name_len = (uint32_t)u->hdr.namelen;
    if (m->name_len)
        m->name = name;
    return 0;
}

static long send_message(struct socket *s, const void __user *umsg, uint32_t flags)
{
    struct user_message u;
    struct message m;
    long ret = send_prepare(&m, &u, umsg, flags);

    if (ret)
        return ret;
    if (u.hdr.controllen)
        ret = control_read(&m, u.hdr.control, u.hdr.controllen);
    if (!ret)
        ret = socket_send(s, &m);
    message_end(&m);
    iov_free(&u.iov);
    return ret;
}

/* What the call tells beside the bytes, into the header that the user gave. */
static int tell_message(struct socket *s, struct message *m, const struct user_message *u,
                        void __user *umsg)
{
    struct msghdr __user *h = umsg;
    uint32_t used;

    control_write(s, m);
    if (u->hdr.name && address_to_user(&m->name, m->name_len, u->hdr.name, &h->namelen))
        return -EFAULT;
    used = (uint32_t)((uintptr_t)m->control - (uintptr_t)u->hdr.control);
    if (put_user_u32(&h->flags, m->out_flags) || put_user_u32(&h->controllen, used))
        return -EFAULT;
    return 0;
}

static long recv_message(struct socket *s, void __user *umsg, uint32_t flags)
{
    struct user_message u;
    struct message m;
    long ret = read_header(&u, umsg);

    if (!ret)
        ret = iov_from_user(&u.iov, u.hdr.iov, u.hdr.iovlen, true);
    if (ret)
        return ret;
    message_vector(&m, &u.iov, flags);
    m.wants_name = u.hdr.name != NULL;
    m.control = u.hdr.control;
    m.control_len = u.hdr.controllen;
    ret = socket_recv(s, &m);
    if (ret >= 0 && tell_message(s, &m, &u, umsg))
        ret = -EFAULT;
    message_end(&m);
    iov_free(&u.iov);
    return ret;
}

long sys_sendmsg(uint32_t fd, const void __user *umsg, uint32_t flags)
{
    struct socket *s;
    struct file *f;
    long ret = socket_get(fd, &f, &s);

    if (ret)
        return ret;
    ret = send_message(s, umsg, socket_flags(f, flags));
    file_put(f);
    return ret;
}

long sys_recvmsg(uint32_t fd, void __user *umsg, uint32_t flags)
{
    struct socket *s;
    struct file *f;
    long ret = socket_get(fd, &f, &s);

    if (ret)
        return ret;
    ret = recv_message(s, umsg, socket_flags(f, flags));
    file_put(f);
    return ret;
}

/* ---- Many messages ---- */

/* Whether a stream took less than it was given: then the next message must wait. */
static bool is_partial(const struct mmsghdr __user *u, long n)
{
    struct msghdr h;
    struct iov_set iov;
    uint32_t all = 0;

    if (copy_from_user(&h, &u->hdr, sizeof(h)) || iov_from_user(&iov, h.iov, h.iovlen, true))
        return false;
    for (uint32_t i = 0; i < iov.count; i++)
        all += iov_at(&iov, i)->len;
    iov_free(&iov);
    return (uint32_t)n < all;
}

static long send_many(struct socket *s, struct mmsghdr __user *u, uint32_t n, uint32_t flags)
{
    uint32_t done = 0;
    long ret = 0;

    while (done < n) {
        ret = send_message(s, &u[done].hdr, flags);
        if (ret < 0)
            break;
        if (put_user_u32(&u[done].len, (uint32_t)ret)) {
            ret = -EFAULT;
            break;
        }
        if (s->type == SOCK_STREAM && is_partial(&u[done], ret)) {
            done++;
            break;
        }
        done++;
        sched_point();
    }
    return done ? (long)done : ret;
}

long sys_sendmmsg(uint32_t fd, void __user *umsgs, uint32_t n, uint32_t flags)
{
    struct socket *s;
    struct file *f;
    long ret = socket_get(fd, &f, &s);

    if (ret)
        return ret;
    ret = send_many(s, umsgs, n < IOV_MAX ? n : IOV_MAX, socket_flags(f, flags));
    file_put(f);
    return ret;
}

/* An error after the first message is told by the next call. */
static long recv_many(struct socket *s, struct mmsghdr __user *u, uint32_t n, uint32_t flags,
                      uint64_t until)
{
    uint32_t done = 0;
    long ret = socket_take_error(s);

    if (ret)
        return ret;
    while (done < n) {
        ret = recv_message(s, &u[done].hdr, flags & ~MSG_WAITFORONE);
        if (ret >= 0 && put_user_u32(&u[done].len, (uint32_t)ret))
            ret = -EFAULT;
        if (ret < 0)
            break;
        done++;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (until != TIME_NEVER && time_mono_ns() >= until)
            break;
        sched_point();
    }
    if (done && ret < 0 && ret != -EAGAIN) {
        spin_lock(&net_lock);
        s->error = (int)-ret;
        spin_unlock(&net_lock);
    }
    return done ? (long)done : ret;
}

static long do_recvmmsg(uint32_t fd, void __user *umsgs, uint32_t n, uint32_t flags,
                        void __user *utime, bool wide)
{
    uint64_t until = TIME_NEVER, ns, now;
    struct socket *s;
    struct file *f;
    long ret = utime ? timespec_get(&ns, utime, wide) : 0;

    if (!ret)
        ret = socket_get(fd, &f, &s);
    if (ret)
        return ret;
    if (utime)
        until = time_deadline(ns);
    ret = recv_many(s, umsgs, n, socket_flags(f, flags), until);
    file_put(f);
    now = time_mono_ns();
    if (utime && ret > 0 && timespec_put(utime, until > now ? until - now : 0, wide))
        ret = -EFAULT;
    return ret;
}

long sys_recvmmsg(uint32_t fd, void __user *umsgs, uint32_t n, uint32_t flags, void __user *utime)
{
    return do_recvmmsg(fd, umsgs, n, flags, utime, false);
}

long sys_recvmmsg_time64(uint32_t fd, void __user *umsgs, uint32_t n, uint32_t flags,
                         void __user *utime)
{
    return do_recvmmsg(fd, umsgs, n, flags, utime, true);
}
