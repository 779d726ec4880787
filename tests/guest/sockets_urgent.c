/* Bytes out of band of UNIX streams (MSG_OOB), the mark they leave, SIGURG; SIGIO of sockets. */
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "guest.h"

static int fds[2];
static volatile int urgent, async, async_code;

static void on_signal(int signo, siginfo_t *info, void *context)
{
    (void)context;
    if (signo == SIGURG)
        urgent++;
    else
        async++, async_code = info->si_code;
}

static void pair(void)
{
    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
}

static void unpair(void)
{
    close(fds[0]);
    close(fds[1]);
}

static void receive(size_t len, int flags)
{
    char buffer[64] = "";
    struct iovec v = {buffer, len};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    ssize_t n = recvmsg(fds[1], &m, flags);

    printf("receive %zu flags %x: %s \"%s\" flags %x\n", len, flags,
           n < 0 ? error_name(errno) : "ok", n > 0 ? buffer : "", n < 0 ? 0 : m.msg_flags);
}

static void state(const char *what)
{
    struct pollfd p = {fds[1], POLLIN | POLLPRI, 0};
    int mark = -1, bytes = -1;

    ioctl(fds[1], SIOCATMARK, &mark);
    ioctl(fds[1], FIONREAD, &bytes);
    poll(&p, 1, 0);
    printf("%s: mark %d, %d bytes, poll %x\n", what, mark, bytes, p.revents);
}

static void alone(void)
{
    printf("-- alone\n");
    pair();
    SHOW(send(fds[0], "", 0, MSG_OOB));
    SHOW(recv(fds[1], NULL, 0, MSG_OOB));
    receive(10, MSG_OOB);
    state("empty");
    SHOW(send(fds[0], "x", 1, MSG_OOB));
    state("one");
    receive(10, MSG_OOB | MSG_PEEK);
    receive(10, MSG_OOB);
    receive(10, MSG_OOB);
    unpair();
}

static void among_others(void)
{
    printf("-- among others\n");
    pair();
    SHOW(send(fds[0], "abcX", 4, MSG_OOB));
    SHOW(send(fds[0], "def", 3, 0));
    state("before");
    receive(10, MSG_PEEK);
    receive(2, 0);
    receive(10, 0);
    state("at the mark");
    receive(10, MSG_OOB | MSG_PEEK);
    receive(10, 0);
    state("after");
    receive(10, MSG_OOB);
    receive(10, 0);
    unpair();
    printf("-- taken first\n");
    pair();
    send(fds[0], "abcX", 4, MSG_OOB);
    send(fds[0], "def", 3, 0);
    receive(10, MSG_OOB);
    state("taken");
    receive(10, MSG_PEEK);
    receive(10, 0);
    state("at the mark");
    receive(10, 0);
    receive(10, 0);
    unpair();
    printf("-- the second\n");
    pair();
    send(fds[0], "abcX", 4, MSG_OOB);
    send(fds[0], "dY", 2, MSG_OOB);
    send(fds[0], "e", 1, 0);
    receive(10, 0);
    state("at the mark");
    receive(10, MSG_OOB); /* what is behind it Linux 6.1 does not find without waiting */
    unpair();
}

static void inlined(void)
{
    int on = 1;

    printf("-- inline\n");
    pair();
    SHOW(setsockopt(fds[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
    send(fds[0], "abcX", 4, MSG_OOB);
    send(fds[0], "def", 3, 0);
    receive(10, MSG_OOB);
    receive(10, 0);
    state("at the mark");
    receive(10, 0);
    state("after");
    receive(10, 0);
    unpair();
}

static void long_ones(void)
{
    static char big[100000];
    ssize_t n;

    printf("-- long\n");
    pair();
    memset(big, 'b', sizeof(big));
    SHOW(send(fds[0], big, sizeof(big), MSG_OOB));
    n = recv(fds[1], big, sizeof(big), MSG_WAITALL);
    printf("%zd, then ", n);
    receive(5, MSG_OOB);
    SHOW(shutdown(fds[1], SHUT_RD));
    SHOW(send(fds[0], "x", 1, MSG_OOB | MSG_NOSIGNAL));
    unpair();
}

static void signals(void)
{
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    int on = 1, pid = 0;

    printf("-- signals\n");
    sigaction(SIGURG, &act, NULL);
    sigaction(SIGIO, &act, NULL);
    pair();
    send(fds[0], "x", 1, MSG_OOB);
    printf("nobody asked: %d urgent, %d\n", urgent, async);
    SHOW(ioctl(fds[1], SIOCGPGRP, &pid));
    printf("owner %d\n", pid);
    pid = getpid();
    SHOW(ioctl(fds[1], SIOCSPGRP, &pid));
    SHOW(fcntl(fds[1], F_GETOWN) == pid);
    send(fds[0], "x", 1, MSG_OOB);
    printf("out of band: %d urgent, %d\n", urgent, async);
    SHOW(ioctl(fds[1], FIOASYNC, &on));
    SHOW(!!(fcntl(fds[1], F_GETFL) & O_ASYNC));
    SHOW(fcntl(fds[1], F_SETSIG, SIGIO));
    urgent = async = 0;
    send(fds[0], "y", 1, 0);
    printf("a byte: %d urgent, %d with code %d\n", urgent, !!async, async_code);
    urgent = async = 0;
    send(fds[0], "y", 1, MSG_OOB);
    printf("out of band: %d urgent, %d with code %d\n", urgent, !!async, async_code);
    urgent = async = 0;
    close(fds[0]);
    printf("hung up: %d urgent, %d with code %d\n", urgent, !!async, async_code);
    SHOW(ioctl(fds[1], SIOCSPGRP, (void *)8));
    pid = 31999;
    SHOW(ioctl(fds[1], FIOSETOWN, &pid));
    close(fds[1]);
}

static void others(void)
{
    int type[] = {SOCK_DGRAM, SOCK_SEQPACKET};

    printf("-- other kinds\n");
    for (int i = 0; i < 2; i++) {
        DIE_UNLESS(socketpair(AF_UNIX, type[i] | SOCK_NONBLOCK, 0, fds) == 0);
        SHOW(send(fds[0], "x", 1, MSG_OOB));
        receive(1, MSG_OOB);
        SHOW(ioctl(fds[1], SIOCATMARK, &type[i]));
        unpair();
    }
}

/* Who waits, for a while at most, where nothing but marks has been sent or is left. */
static void waiting(void)
{
    const struct timeval soon = {.tv_usec = 30000};
    char c;

    printf("-- waiting\n");
    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    DIE_UNLESS(setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) == 0);
    SHOW(send(fds[0], "X", 1, 0));
    SHOW(send(fds[0], "a", 1, MSG_OOB));
    SHOW(recv(fds[1], &c, 1, MSG_OOB));
    SHOW(send(fds[0], "b", 1, MSG_OOB));
    SHOW(recv(fds[1], &c, 1, MSG_OOB));
    SHOW(recv(fds[1], &c, 1, 0));
    SHOW(recv(fds[1], &c, 1, 0));
    SHOW(shutdown(fds[0], SHUT_WR));
    SHOW(recv(fds[1], &c, 1, 0));
    unpair();
}

int main(void)
{
    alone();
    among_others();
    inlined();
    long_ones();
    signals();
    others();
    waiting();
    return 0;
}
