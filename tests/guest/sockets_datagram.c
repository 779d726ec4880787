/* UNIX datagrams and SOCK_SEQPACKET: borders, truncation, connections, full queues, errors;
 * sendmmsg and recvmmsg. */
#include "guest.h"
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static char buffer[400000];
static struct sockaddr_un name;

static socklen_t make(const char *path)
{
    memset(&name, 0, sizeof(name));
    name.sun_family = AF_UNIX;
    strcpy(name.sun_path, path);
    if (path[0] == '@')
        name.sun_path[0] = 0;
    return offsetof(struct sockaddr_un, sun_path) + strlen(path) + (path[0] != '@');
}

static int bound(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t len = make(path);

    unlink(path);
    DIE_UNLESS(fd >= 0 && bind(fd, (struct sockaddr *)&name, len) == 0);
    return fd;
}

static int unbound(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    DIE_UNLESS(fd >= 0);
    return fd;
}

static int connect_to(int fd, const char *path)
{
    socklen_t len = make(path);

    return connect(fd, (struct sockaddr *)&name, len);
}

static ssize_t send_to(int fd, const char *bytes, const char *path)
{
    socklen_t len = make(path);

    return sendto(fd, bytes, strlen(bytes), MSG_DONTWAIT, (struct sockaddr *)&name, len);
}

static void receive(int fd, size_t len, int flags)
{
    struct sockaddr_un from;
    socklen_t size = sizeof(from);
    ssize_t n;

    memset(buffer, 0, 100);
    memset(&from, 0, sizeof(from));
    n = recvfrom(fd, buffer, len, flags | MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    if (n < 0)
        printf("receive: %s\n", error_name(errno));
    else
        printf("receive %zu: %zd \"%.40s\" from \"%s\" length %d\n", len, n, buffer, from.sun_path,
               (int)size);
}

static void borders(int type)
{
    struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    int fds[2], n;

    DIE_UNLESS(socketpair(AF_UNIX, type, 0, fds) == 0);
    SHOW(write(fds[0], "first", 5));
    SHOW(writev(fds[0], v, 2));
    SHOW(send(fds[0], "", 0, 0));
    SHOW(send(fds[0], "last", 4, 0));
    SHOW(ioctl(fds[1], FIONREAD, &n));
    printf("unread %d\n", n);
    receive(fds[1], 3, MSG_PEEK);
    receive(fds[1], 3, MSG_PEEK | MSG_TRUNC);
    receive(fds[1], 3, 0);
    v[0] = (struct iovec){buffer, 1};
    v[1] = (struct iovec){buffer + 50, 1};
    SHOW(recvmsg(fds[1], &m, MSG_TRUNC));
    printf("flags %x, %c %c\n", m.msg_flags, buffer[0], buffer[50]);
    receive(fds[1], 10, 0);
    SHOW(recv(fds[1], (void *)1, 4, 0));
    receive(fds[1], 10, 0);
    SHOW(send(fds[0], "x", 1, MSG_OOB));
    SHOW(recv(fds[0], buffer, 1, MSG_OOB));
    SHOW(send(fds[0], "eor", 3, MSG_EOR));
    v[0].iov_len = 9;
    m.msg_iovlen = 1;
    SHOW(recvmsg(fds[1], &m, 0));
    printf("flags %x\n", m.msg_flags);
    SHOW(shutdown(fds[0], SHUT_WR));
    SHOW(send(fds[0], "x", 1, MSG_NOSIGNAL));
    receive(fds[1], 10, 0);
    SHOW(shutdown(fds[1], SHUT_RD));
    receive(fds[1], 10, 0);
    SHOW(recv(fds[1], buffer, 10, 0));
    close(fds[0]);
    close(fds[1]);
}

static void closed_peer(int type)
{
    int fds[2];

    DIE_UNLESS(socketpair(AF_UNIX, type, 0, fds) == 0);
    DIE_UNLESS(write(fds[0], "unread", 6) == 6 && write(fds[1], "answer", 6) == 6);
    SHOW(close(fds[1]));
    receive(fds[0], 10, 0);
    receive(fds[0], 10, 0);
    receive(fds[0], 10, 0);
    SHOW(send(fds[0], "x", 1, MSG_NOSIGNAL));
    SHOW(send(fds[0], "x", 1, MSG_NOSIGNAL));
    close(fds[0]);
    DIE_UNLESS(socketpair(AF_UNIX, type, 0, fds) == 0);
    SHOW(close(fds[1]));
    SHOW(send(fds[0], "x", 1, MSG_NOSIGNAL));
    receive(fds[0], 10, 0);
    close(fds[0]);
}

static void dies_of_it(void *arg)
{
    int fds[2];

    DIE_UNLESS(socketpair(AF_UNIX, *(int *)arg, 0, fds) == 0);
    close(fds[1]);
    SHOW(send(fds[0], "x", 1, 0));
}

static void names(void)
{
    int a = bound("a"), b = bound("b"), c = unbound();
    socklen_t len;

    SHOW(send_to(a, "from a", "b"));
    SHOW(send_to(c, "from nobody", "b"));
    SHOW(send_to(c, "", "b"));
    receive(b, 20, 0);
    receive(b, 20, 0);
    receive(b, 20, 0);
    SHOW(send_to(a, "x", "none"));
    SHOW(send_to(a, "x", "."));
    SHOW(send_to(a, "x", "@none"));
    SHOW(send(c, "x", 1, 0));
    SHOW(sendto(c, "x", 1, 0, (struct sockaddr *)&name, 2));
    SHOW(sendto(c, "x", 1, 0, (struct sockaddr *)1, 9));
    SHOW(sendto(c, "x", 1, 0, (struct sockaddr *)&name, 200));
    SHOW(connect_to(c, "none"));
    SHOW(connect_to(c, "a"));
    SHOW(send(c, "connected", 9, 0));
    SHOW(send_to(c, "elsewhere", "b"));
    receive(a, 20, 0);
    receive(b, 20, 0);
    SHOW(send_to(b, "to c's peer", "a"));
    receive(a, 20, 0);
    /* a talks to b alone. */
    SHOW(connect_to(a, "b"));
    SHOW(send_to(c, "x", "a"));
    SHOW(connect_to(unbound(), "a"));
    SHOW(send_to(b, "from b", "a"));
    receive(a, 20, 0);
    make("a");
    name.sun_family = AF_UNSPEC;
    SHOW(connect(a, (struct sockaddr *)&name, 2));
    SHOW(connect(a, (struct sockaddr *)&name, 1));
    len = sizeof(name);
    SHOW(getpeername(a, (struct sockaddr *)&name, &len));
    SHOW(send(a, "x", 1, 0));
    SHOW(send(c, "c again", 7, 0));
    receive(a, 20, 0);
    close(a);
    SHOW(send(c, "x", 1, 0));
    SHOW(send(c, "x", 1, 0));
    SHOW(send_to(b, "x", "a"));
    a = bound("a");
    SHOW(connect_to(a, "a"));
    SHOW(send(a, "to myself", 9, 0));
    receive(a, 20, 0);
    close(a);
    close(b);
    close(c);
}

/* What is in the queue when a connection changes. */
static void reconnect(void)
{
    int a = bound("a"), b = bound("b"), error = 0;
    socklen_t len = sizeof(error);

    SHOW(connect_to(a, "b"));
    SHOW(connect_to(b, "a"));
    SHOW(send(b, "lost", 4, 0));
    make("a");
    name.sun_family = AF_UNSPEC;
    SHOW(connect(a, (struct sockaddr *)&name, 2));
    receive(a, 20, 0);
    SHOW(getsockopt(b, SOL_SOCKET, SO_ERROR, &error, &len));
    printf("error: %s\n", error_name(error));
    receive(b, 20, 0);
    SHOW(send(b, "kept", 4, 0));
    SHOW(connect_to(a, "b"));
    receive(a, 20, 0);
    close(a);
    close(b);
}

static int count_until_full(int fd)
{
    int n = 0;

    while (send(fd, "x", 1, MSG_DONTWAIT) == 1)
        n++;
    return n;
}

static void full(void)
{
    int a = bound("a"), c = unbound(), fds[2], n;
    struct timeval limit = {.tv_usec = 20000};
    struct pollfd p = {.fd = c, .events = POLLOUT};

    SHOW(connect_to(c, "a"));
    printf("%d, then", count_until_full(c));
    printf(" %s\n", error_name(errno));
    SHOW(poll(&p, 1, 0));
    SHOW(send_to(c, "x", "a"));
    receive(a, 9, 0);
    SHOW(poll(&p, 1, 0));
    printf("then %d\n", count_until_full(c));
    setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    SHOW(send(c, "x", 1, 0));
    if (fork() == 0) {
        usleep(20000);
        for (int i = 0; i < 5; i++)
            DIE_UNLESS(recv(a, buffer, 1, 0) == 1);
        _exit(0);
    }
    limit.tv_usec = 0;
    setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    SHOW(send(c, "y", 1, 0));
    wait(NULL);
    if (fork() == 0) {
        usleep(20000);
        DIE_UNLESS(recv(a, buffer, 1, 0) == 1);
        _exit(0);
    }
    printf("then %d\n", count_until_full(c));
    SHOW(poll(&p, 1, 5000));
    wait(NULL);
    close(a);
    SHOW(send(c, "x", 1, MSG_DONTWAIT));
    close(c);
    DIE_UNLESS(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
    n = count_until_full(fds[0]);
    printf("in a pair more than 20: %d, %s\n", n > 20, error_name(errno));
    close(fds[1]);
    close(fds[0]);
    /* Blocked when the receiver goes. */
    a = bound("a");
    c = unbound();
    DIE_UNLESS(connect_to(c, "a") == 0);
    count_until_full(c);
    if (fork() == 0) {
        close(c);
        usleep(20000);
        _exit(0);
    }
    close(a);
    SHOW(send(c, "x", 1, 0));
    wait(NULL);
    close(c);
}

static void sizes(void)
{
    int fds[2], size = 10000;
    socklen_t len = sizeof(size);

    DIE_UNLESS(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
    DIE_UNLESS(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, len) == 0);
    DIE_UNLESS(getsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, &len) == 0);
    printf("sndbuf %d\n", size);
    SHOW(send(fds[0], buffer, 19969, MSG_DONTWAIT));
    memset(buffer, 'b', 19968);
    SHOW(send(fds[0], buffer, 19968, MSG_DONTWAIT));
    memset(buffer, 0, sizeof(buffer));
    SHOW(recv(fds[1], buffer, sizeof(buffer), 0));
    printf("whole: %d\n", all_bytes(buffer, 19968, 'b') && !buffer[19968]);
    for (size_t n = 1000; n < 19968; n += 1777) {
        for (size_t i = 0; i < n; i++)
            buffer[i] = (char)(i * 7 + n);
        DIE_UNLESS(send(fds[0], buffer, n, 0) == (ssize_t)n);
        memset(buffer, 0, n);
        DIE_UNLESS(recv(fds[1], buffer, sizeof(buffer), 0) == (ssize_t)n);
        for (size_t i = 0; i < n; i++)
            DIE_UNLESS(buffer[i] == (char)(i * 7 + n));
    }
    close(fds[0]);
    close(fds[1]);
}

static void many(int type)
{
    struct iovec v[4] = {{"one", 3}, {"two", 3}, {"three", 5}, {"four", 4}}, in[4];
    struct mmsghdr m[4];
    struct timespec soon = {.tv_nsec = 20000000};
    int fds[2];

    DIE_UNLESS(socketpair(AF_UNIX, type, 0, fds) == 0);
    memset(m, 0, sizeof(m));
    for (int i = 0; i < 4; i++) {
        m[i].msg_hdr.msg_iov = &v[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    SHOW(sendmmsg(fds[0], m, 4, 0));
    printf("lengths %u %u %u %u\n", m[0].msg_len, m[1].msg_len, m[2].msg_len, m[3].msg_len);
    SHOW(sendmmsg(fds[0], m, 0, 0));
    SHOW(sendmmsg(99, m, 1, 0));
    SHOW(sendmmsg(0, m, 1, 0));
    SHOW(sendmmsg(fds[0], NULL, 1, 0));
    for (int i = 0; i < 4; i++) {
        in[i] = (struct iovec){buffer + i * 100, 4};
        m[i].msg_hdr.msg_iov = &in[i];
    }
    memset(buffer, 0, 400);
    SHOW(recvmmsg(fds[1], m, 3, 0, NULL));
    for (int i = 0; i < 3; i++)
        printf("%u flags %x \"%s\"\n", m[i].msg_len, m[i].msg_hdr.msg_flags, buffer + i * 100);
    SHOW(recvmmsg(fds[1], m, 4, MSG_WAITFORONE, NULL));
    SHOW(recvmmsg(fds[1], m, 4, MSG_DONTWAIT, NULL));
    SHOW(recvmmsg(fds[1], NULL, 4, MSG_DONTWAIT, NULL));
    SHOW(recvmmsg(fds[1], m, 0, 0, NULL));
    SHOW(syscall(SYS_recvmmsg, fds[1], m, 1, 0, 1));
    soon.tv_nsec = 1000000000;
    SHOW(recvmmsg(fds[1], m, 1, 0, &soon));
    soon.tv_nsec = 0;
    DIE_UNLESS(write(fds[0], "x", 1) == 1);
    SHOW(recvmmsg(fds[1], m, 4, 0, &soon));
    close(fds[0]);
    close(fds[1]);
}

static void headers(void)
{
    struct iovec v = {buffer, 4};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    int fds[2];

    DIE_UNLESS(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
    SHOW(sendmsg(fds[0], NULL, 0));
    SHOW(recvmsg(fds[0], NULL, 0));
    m.msg_iovlen = 1025;
    SHOW(sendmsg(fds[0], &m, 0));
    m.msg_iovlen = 1;
    m.msg_iov = NULL;
    SHOW(sendmsg(fds[0], &m, 0));
    m.msg_iov = &v;
    m.msg_name = &name;
    m.msg_namelen = -1;
    SHOW(sendmsg(fds[0], &m, 0));
    SHOW(recvmsg(fds[0], &m, 0));
    m.msg_namelen = 300;
    SHOW(sendmsg(fds[0], &m, 0));
    m.msg_name = NULL;
    SHOW(sendmsg(fds[0], &m, 0));
    v.iov_len = -1;
    SHOW(sendmsg(fds[0], &m, 0));
    v = (struct iovec){(void *)1, 4};
    SHOW(sendmsg(fds[0], &m, 0));
    m.msg_iovlen = 0;
    SHOW(sendmsg(fds[0], &m, 0));
    m.msg_name = buffer;
    m.msg_namelen = 20;
    SHOW(recvmsg(fds[1], &m, 0));
    SHOW(recvmsg(fds[1], &m, 0));
    SHOW(recvmsg(fds[1], &m, 0));
    printf("name %d, control %d, flags %x\n", (int)m.msg_namelen, (int)m.msg_controllen,
           m.msg_flags);
    SHOW(sendmsg(fds[0], &m, 0x80000000));
    close(fds[0]);
    close(fds[1]);
    SHOW(send(socket(AF_UNIX, SOCK_SEQPACKET, 0), "x", 1, 0));
    SHOW(recv(socket(AF_UNIX, SOCK_SEQPACKET, 0), buffer, 1, 0));
}

int main(void)
{
    borders(SOCK_DGRAM);
    borders(SOCK_SEQPACKET);
    closed_peer(SOCK_DGRAM);
    closed_peer(SOCK_SEQPACKET);
    in_child("datagram", dies_of_it, &(int){SOCK_DGRAM});
    in_child("seqpacket", dies_of_it, &(int){SOCK_SEQPACKET});
    names();
    reconnect();
    full();
    sizes();
    many(SOCK_DGRAM);
    many(SOCK_STREAM);
    headers();
    return 0;
}
