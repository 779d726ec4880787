/*
 * The socket calls, but for those that send or receive messages.
 */
#include "fs/net/calls.h"
#include "arch/uaccess.h"
#include "fs/net/unix.h"
#include "fs/vfs/internal.h"

#define TYPE_FLAGS (O_CLOEXEC | O_NONBLOCK) /* SOCK_CLOEXEC, SOCK_NONBLOCK */

int socket_get(uint32_t fd, struct file **f, struct socket **s)
{
    *f = fd_get((int)fd);
    if (!*f)
        return -EBADF;
    *s = socket_of(*f);
    if (*s)
        return 0;
    file_put(*f);
    return -ENOTSOCK;
}

static bool at_once(const struct file *f)
{
    return f->flags & O_NONBLOCK;
}

/* ---- socket, socketpair ---- */

static int check_kind(uint32_t family, uint32_t *type, uint32_t protocol)
{
    if (family != AF_UNIX)
        return -EAFNOSUPPORT;
    if (*type > SOCK_TYPE_MOST)
        return -EINVAL;
    if (protocol && protocol != AF_UNIX)
        return -EPROTONOSUPPORT;
    if (*type == SOCK_RAW)
        *type = SOCK_DGRAM;
    if (*type != SOCK_STREAM && *type != SOCK_DGRAM && *type != SOCK_SEQPACKET)
        return -ESOCKTNOSUPPORT;
    return 0;
}

/* A socket with its file. */
static int make_socket(unsigned type, uint32_t flags, struct file **f)
{
    struct socket *s;
    int err = socket_new(type, &s);

    if (err)
        return err;
    err = socket_file(flags, f);
    if (err)
        socket_put(s);
    else
        socket_attach(s, *f);
    return err;
}

long sys_socket(uint32_t family, uint32_t type, uint32_t protocol)
{
    uint32_t flags = type & ~SOCK_TYPE_MASK;
    struct file *f;
    int err;

    type &= SOCK_TYPE_MASK;
    if (flags & ~TYPE_FLAGS)
        return -EINVAL;
    err = check_kind(family, &type, protocol);
    if (!err)
        err = make_socket(type, flags, &f);
    return err ? err : fd_install(f, 0, flags & O_CLOEXEC);
}

static int make_pair(unsigned type, uint32_t flags, struct file *f[2])
{
    int err = make_socket(type, flags, &f[0]);

    if (err)
        return err;
    err = make_socket(type, flags, &f[1]);
    if (err)
        file_put(f[0]);
    else
        socket_pair(f[0]->private, f[1]->private);
    return err;
}

long sys_socketpair(uint32_t family, uint32_t type, uint32_t protocol, void __user *ufds)
{
    uint32_t flags = type & ~SOCK_TYPE_MASK;
    struct file *f[2];
    int err;

    type &= SOCK_TYPE_MASK;
    if (flags & ~TYPE_FLAGS)
        return -EINVAL;
    err = check_kind(family, &type, protocol);
    if (!err)
        err = make_pair(type, flags, f);
    return err ? err : fd_install_pair(f, flags & O_CLOEXEC, ufds);
}

/* ---- Names ---- */

long sys_bind(uint32_t fd, const void __user *uaddr, uint32_t len)
{
    struct sockaddr_un name;
    struct socket *s;
    struct file *f;
    int err = socket_get(fd, &f, &s);

    if (err)
        return err;
    err = address_from_user(&name, uaddr, len);
    if (!err)
        err = address_bind(s, &name, len);
    file_put(f);
    return err;
}

long sys_connect(uint32_t fd, const void __user *uaddr, uint32_t len)
{
    struct sockaddr_un name;
    struct socket *s;
    struct file *f;
    int err = socket_get(fd, &f, &s);

    if (err)
        return err;
    err = address_from_user(&name, uaddr, len);
    if (!err)
        err = socket_connect(s, &name, len, at_once(f));
    file_put(f);
    return err;
}

static long tell_name(uint32_t fd, void __user *uaddr, void __user *ulen, bool of_peer)
{
    struct sockaddr_un name;
    struct socket *s;
    struct file *f;
    uint32_t len = 0;
    int err = socket_get(fd, &f, &s);

    if (err)
        return err;
    spin_lock(&net_lock);
    if (!of_peer || s->peer)
        len = address_copy(of_peer ? s->peer : s, &name);
    spin_unlock(&net_lock);
    err = len ? address_to_user(&name, len, uaddr, ulen) : -ENOTCONN;
    file_put(f);
    return err;
}

long sys_getsockname(uint32_t fd, void __user *uaddr, void __user *ulen)
{
    return tell_name(fd, uaddr, ulen, false);
}

long sys_getpeername(uint32_t fd, void __user *uaddr, void __user *ulen)
{
    return tell_name(fd, uaddr, ulen, true);
}

/* ---- Connections ---- */

long sys_listen(uint32_t fd, uint32_t backlog)
{
    struct socket *s;
    struct file *f;
    int err = socket_get(fd, &f, &s);

    if (err)
        return err;
    err = socket_listen(s, backlog);
    file_put(f);
    return err;
}

/* The name of who has connected; with none asked for nothing happens. */
static int tell_peer(struct socket *s, void __user *uaddr, void __user *ulen)
{
    struct sockaddr_un name;
    uint32_t len = 0;

    if (!uaddr)
        return 0;
    spin_lock(&net_lock);
    if (s->peer)
        len = address_copy(s->peer, &name);
    spin_unlock(&net_lock);
    return len ? address_to_user(&name, len, uaddr, ulen) : -ECONNABORTED;
}

/* The file is there before the wait, so that a connection is not taken in vain. */
static long accept_into(struct socket *listener, bool now, uint32_t flags, void __user *uaddr,
                        void __user *ulen)
{
    struct socket *s;
    struct file *f;
    int err = fd_check_free(0);

    if (!err)
        err = socket_file(flags, &f);
    if (err)
        return err;
    err = socket_accept(listener, now, &s);
    if (!err) {
        socket_attach(s, f);
        err = tell_peer(s, uaddr, ulen);
    }
    if (!err)
        return fd_install(f, 0, flags & O_CLOEXEC);
    file_put(f);
    return err;
}

long sys_accept4(uint32_t fd, void __user *uaddr, void __user *ulen, uint32_t flags)
{
    struct socket *s;
    struct file *f;
    long ret;

    if (flags & ~TYPE_FLAGS)
        return -EINVAL;
    ret = socket_get(fd, &f, &s);
    if (ret)
        return ret;
    ret = accept_into(s, at_once(f), flags, uaddr, ulen);
    file_put(f);
    return ret;
}

long sys_shutdown(uint32_t fd, uint32_t how)
{
    struct socket *s;
    struct file *f;
    int err = socket_get(fd, &f, &s);

    if (err)
        return err;
    err = socket_shutdown(s, how);
    file_put(f);
    return err;
}

long sys_getsockopt(uint32_t fd, uint32_t level, uint32_t name, void __user *uval,
                    void __user *ulen)
{
    struct socket *s;
    struct file *f;
    long ret = socket_get(fd, &f, &s);

    if (ret)
        return ret;
    ret = options_get(s, (int)level, (int)name, uval, ulen);
    file_put(f);
    return ret;
}

long sys_setsockopt(uint32_t fd, uint32_t level, uint32_t name, const void __user *uval,
                    uint32_t len)
{
    struct socket *s;
    struct file *f;
    long ret = (int32_t)len < 0 ? -EINVAL : socket_get(fd, &f, &s);

    if (ret)
        return ret;
    ret = options_set(s, (int)level, (int)name, uval, len);
    file_put(f);
    return ret;
}

/* ---- One buffer ---- */

uint32_t socket_flags(const struct file *f, uint32_t flags)
{
    return at_once(f) ? flags | MSG_DONTWAIT : flags;
}

static uint32_t most(uint32_t len)
{
    return len < MAX_RW_COUNT ? len : MAX_RW_COUNT;
}

long sys_sendto(uint32_t fd, void __user *ubuf, uint32_t len, uint32_t flags,
                const void __user *uaddr, uint32_t addrlen)
{
    struct message m;
    struct socket *s;
    struct file *f;
    long ret = user_range_ok(ubuf, most(len)) ? socket_get(fd, &f, &s) : -EFAULT;

    if (ret)
        return ret;
    message_single(&m, ubuf, most(len), socket_flags(f, flags));
    if (uaddr) {
        ret = address_from_user(&m.name, uaddr, addrlen);
        m.name_len = addrlen;
    }
    if (!ret)
        ret = socket_send(s, &m);
    message_end(&m);
    file_put(f);
    return ret;
}

long sys_recvfrom(uint32_t fd, void __user *ubuf, uint32_t len, uint32_t flags, void __user *uaddr,
                  void __user *ulen)
{
    struct message m;
    struct socket *s;
    struct file *f;
    long ret = user_range_ok(ubuf, most(len)) ? socket_get(fd, &f, &s) : -EFAULT;
    int err = 0;

    if (ret)
        return ret;
    message_single(&m, ubuf, most(len), socket_flags(f, flags));
    m.wants_name = uaddr != NULL;
    ret = socket_recv(s, &m);
    if (ret >= 0 && uaddr)
        err = address_to_user(&m.name, m.name_len, uaddr, ulen);
    message_end(&m);
    file_put(f);
    return err ? err : ret;
}
