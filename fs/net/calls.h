/*
 * The system calls on sockets, for socketcall, and what they share.
 */
#ifndef FS_NET_CALLS_H
#define FS_NET_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include "arch/user.h"

struct file;
struct socket;

/* The file of a descriptor that is a socket: a reference, or -EBADF, -ENOTSOCK. */
int socket_get(uint32_t fd, struct file **f, struct socket **s);
/* MSG_* of a call, with what O_NONBLOCK adds. */
uint32_t socket_flags(const struct file *f, uint32_t flags);

long sys_socket(uint32_t family, uint32_t type, uint32_t protocol);
long sys_socketpair(uint32_t family, uint32_t type, uint32_t protocol, void __user *ufds);
long sys_bind(uint32_t fd, const void __user *uaddr, uint32_t len);
long sys_connect(uint32_t fd, const void __user *uaddr, uint32_t len);
long sys_listen(uint32_t fd, uint32_t backlog);
long sys_accept4(uint32_t fd, void __user *uaddr, void __user *ulen, uint32_t flags);
long sys_getsockname(uint32_t fd, void __user *uaddr, void __user *ulen);
long sys_getpeername(uint32_t fd, void __user *uaddr, void __user *ulen);
long sys_sendto(uint32_t fd, void __user *ubuf, uint32_t len, uint32_t flags,
                const void __user *uaddr, uint32_t addrlen);
long sys_recvfrom(uint32_t fd, void __user *ubuf, uint32_t len, uint32_t flags, void __user *uaddr,
                  void __user *ulen);
long sys_shutdown(uint32_t fd, uint32_t how);
long sys_getsockopt(uint32_t fd, uint32_t level, uint32_t name, void __user *uval,
                    void __user *ulen);
long sys_setsockopt(uint32_t fd, uint32_t level, uint32_t name, const void __user *uval,
                    uint32_t len);
long sys_sendmsg(uint32_t fd, const void __user *umsg, uint32_t flags);
long sys_recvmsg(uint32_t fd, void __user *umsg, uint32_t flags);
long sys_sendmmsg(uint32_t fd, void __user *umsgs, uint32_t n, uint32_t flags);
long sys_recvmmsg(uint32_t fd, void __user *umsgs, uint32_t n, uint32_t flags, void __user *utime);

#endif
