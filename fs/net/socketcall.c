/*
 * socketcall: the older socket calls in one, which C libraries of i386 still prefer. [man 2
 * socketcall]
 */
#include "arch/uaccess.h"
#include "fs/net/calls.h"
#include "libc/errno.h"

typedef long (*call_fn)(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f);

static long call_accept(uint32_t fd, void __user *uaddr, void __user *ulen)
{
    return sys_accept4(fd, uaddr, ulen, 0);
}

static long call_send(uint32_t fd, void __user *ubuf, uint32_t len, uint32_t flags)
{
    return sys_sendto(fd, ubuf, len, flags, NULL, 0);
}

static long call_recv(uint32_t fd, void __user *ubuf, uint32_t len, uint32_t flags)
{
    return sys_recvfrom(fd, ubuf, len, flags, NULL, NULL);
}

#define CALL(n, fn)                                                                                \
    {                                                                                              \
        n, (call_fn)(void *)(fn)                                                                   \
    }

/* By the number of the call: how many arguments, which function. */
static const struct {
    uint32_t args;
    call_fn fn;
} subcalls[] = {
    [1] = CALL(3, sys_socket),      [2] = CALL(3, sys_bind),        [3] = CALL(3, sys_connect),
    [4] = CALL(2, sys_listen),      [5] = CALL(3, call_accept),     [6] = CALL(3, sys_getsockname),
    [7] = CALL(3, sys_getpeername), [8] = CALL(4, sys_socketpair),  [9] = CALL(4, call_send),
    [10] = CALL(4, call_recv),      [11] = CALL(6, sys_sendto),     [12] = CALL(6, sys_recvfrom),
    [13] = CALL(2, sys_shutdown),   [14] = CALL(5, sys_setsockopt), [15] = CALL(5, sys_getsockopt),
    [16] = CALL(3, sys_sendmsg),    [17] = CALL(3, sys_recvmsg),    [18] = CALL(4, sys_accept4),
    [19] = CALL(5, sys_recvmmsg),   [20] = CALL(4, sys_sendmmsg),
};

long sys_socketcall(uint32_t call, const void __user *uargs)
{
    uint32_t a[6] = {0};

    if (call < 1 || call >= sizeof(subcalls) / sizeof(*subcalls))
        return -EINVAL;
    if (copy_from_user(a, uargs, subcalls[call].args * sizeof(a[0])))
        return -EFAULT;
    return subcalls[call].fn(a[0], a[1], a[2], a[3], a[4], a[5]);
}
