/* Descriptors and credentials over UNIX sockets: what arrives, what is cut off, what is wrong;
 * sockets that only queues hold. */
#include "guest.h"
#include <dirent.h>
#include <grp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

struct ids { /* struct ucred, which the headers show to GNU sources only */
    int pid;
    unsigned uid, gid;
};

static int pair[2];
static char control[4096];

static void new_pair(int type)
{
    DIE_UNLESS(socketpair(AF_UNIX, type, 0, pair) == 0);
}

static void end_pair(void)
{
    close(pair[0]);
    close(pair[1]);
}

/* One byte with n descriptors beside it. */
static ssize_t send_fds(int over, const int *fds, int n)
{
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *c = (struct cmsghdr *)control;

    memset(control, 0, sizeof(control));
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    return sendmsg(over, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Receives with that much room for control data; the first descriptor in *fd, or -1. */
static void receive(int from, size_t len, size_t room, int flags, int *fd)
{
    char buf[20] = "";
    struct iovec v = {buf, len};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    struct cmsghdr *c;
    ssize_t n;

    memset(control, 0, sizeof(control));
    if (fd)
        *fd = -1;
    n = recvmsg(from, &m, flags | MSG_DONTWAIT);
    if (n < 0) {
        printf("receive: %s\n", error_name(errno));
        return;
    }
    printf("receive %zd \"%s\" flags %x control %d:", n, buf, m.msg_flags, (int)m.msg_controllen);
    for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_type == SCM_RIGHTS) {
            int *fds = (int *)CMSG_DATA(c), count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

            printf(" %d descriptors (length %d)", count, (int)c->cmsg_len);
            for (int i = 0; i < count; i++) {
                printf("%s", fcntl(fds[i], F_GETFD) == FD_CLOEXEC ? " cloexec" : " open");
                if (i == 0 && fd)
                    *fd = fds[i];
                else
                    close(fds[i]);
            }
        } else {
            struct ids *ids = (struct ids *)CMSG_DATA(c);

            printf(" credentials (length %d) %s %u %u", (int)c->cmsg_len,
                   ids->pid == getpid() ? "own"
                   : ids->pid == 0      ? "none"
                                        : "other",
                   ids->uid, ids->gid);
        }
    }
    printf("\n");
}

static int count_open(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = -3; /* itself, "." and ".." */

    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void passing(int type)
{
    int p[2], got, before, fds[3];
    struct stat a, b;

    new_pair(type);
    before = count_open();
    DIE_UNLESS(pipe(p) == 0);
    SHOW(send_fds(pair[0], p, 2));
    close(p[0]);
    receive(pair[1], 5, 100, 0, &got);
    SHOW(write(p[1], "through", 7));
    SHOW(read(got, control, 20));
    fstat(got, &a);
    fstat(p[1], &b);
    printf("the same pipe: %d\n", a.st_ino == b.st_ino);
    close(got);
    SHOW(send_fds(pair[0], &p[1], 1));
    close(p[1]);
    receive(pair[1], 5, 100, MSG_PEEK, &got);
    close(got);
    receive(pair[1], 5, 100, MSG_CMSG_CLOEXEC, &got);
    SHOW(write(got, "x", 1));
    close(got);
    /* Too little room: what does not fit is closed. */
    for (size_t room = 0; room <= 28; room += 4) {
        fds[0] = fds[1] = fds[2] = pair[0];
        DIE_UNLESS(send_fds(pair[0], fds, 3) == 1);
        printf("room %zu: ", room);
        receive(pair[1], 5, room, 0, NULL);
    }
    DIE_UNLESS(send_fds(pair[0], fds, 3) == 1);
    SHOW(read(pair[1], control, 10));
    printf("descriptors left over: %d\n", count_open() - before);
    end_pair();
}

/* Bytes of a stream do not run across descriptors. */
static void stream_borders(void)
{
    int fd;

    new_pair(SOCK_STREAM);
    DIE_UNLESS(write(pair[0], "before", 6) == 6 && send_fds(pair[0], &pair[1], 1) == 1);
    DIE_UNLESS(write(pair[0], "after", 5) == 5 && send_fds(pair[0], &pair[1], 1) == 1);
    DIE_UNLESS(send_fds(pair[0], &pair[1], 1) == 1);
    receive(pair[1], 3, 100, 0, NULL);
    receive(pair[1], 20, 100, MSG_PEEK, &fd);
    close(fd);
    receive(pair[1], 20, 100, 0, &fd);
    close(fd);
    receive(pair[1], 20, 100, 0, &fd);
    close(fd);
    receive(pair[1], 0, 100, 0, &fd);
    close(fd);
    receive(pair[1], 20, 100, 0, &fd);
    receive(pair[1], 20, 100, 0, &fd);
    end_pair();
}

static ssize_t send_raw(int level, int type, const void *data, size_t len, size_t cmsg_len,
                        size_t controllen)
{
    struct iovec v = {"x", 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = controllen};
    struct cmsghdr *c = (struct cmsghdr *)control;

    memset(control, 0, sizeof(control));
    c->cmsg_len = cmsg_len;
    c->cmsg_level = level;
    c->cmsg_type = type;
    memcpy(CMSG_DATA(c), data, len);
    return sendmsg(pair[0], &m, MSG_DONTWAIT);
}

static void wrong(void)
{
    int fds[300], bad = 99, path = open(".", O_PATH), got;
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_controllen = 100};

    new_pair(SOCK_DGRAM);
    SHOW(send_fds(pair[0], &bad, 1));
    bad = -1;
    SHOW(send_fds(pair[0], &bad, 1));
    SHOW(send_fds(pair[0], &path, 1));
    receive(pair[1], 5, 100, 0, &got);
    printf("flags %x\n", fcntl(got, F_GETFL) & ~0100000);
    close(got);
    for (int i = 0; i < 300; i++)
        fds[i] = 0;
    SHOW(send_fds(pair[0], fds, 254));
    SHOW(send_fds(pair[0], fds, 253));
    receive(pair[1], 5, 20, 0, &got);
    SHOW(send_fds(pair[0], fds, 0));
    receive(pair[1], 5, 100, 0, &got);
    SHOW(send_raw(SOL_SOCKET, SCM_RIGHTS, fds, 4, 11, 16));
    SHOW(send_raw(SOL_SOCKET, SCM_RIGHTS, fds, 4, 17, 16));
    SHOW(send_raw(SOL_SOCKET, SCM_RIGHTS, fds, 4, 14, 16));
    SHOW(send_raw(SOL_SOCKET, SCM_RIGHTS, fds, 4, 16, 11));
    SHOW(send_raw(SOL_SOCKET, 77, fds, 4, 16, 16));
    SHOW(send_raw(77, 77, fds, 4, 16, 16));
    SHOW(send_raw(SOL_SOCKET, 2, fds, 4, 16, 16));
    SHOW(sendmsg(pair[0], &m, 0));
    m.msg_control = control;
    m.msg_controllen = 0x80000000;
    SHOW(sendmsg(pair[0], &m, 0));
    m.msg_controllen = 1 << 20;
    SHOW(sendmsg(pair[0], &m, 0));
    end_pair();
    new_pair(SOCK_STREAM);
    close(pair[1]);
    SHOW(send_fds(pair[0], fds, 1));
    close(pair[0]);
    pair[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(send_fds(pair[0], fds, 1));
    close(pair[0]);
    close(path);
}

static void credentials(int type)
{
    struct ids ids = {getpid(), getuid(), getgid()};
    int on = 1, off = 0, status;

    new_pair(type);
    SHOW(write(pair[0], "a", 1));
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    SHOW(write(pair[0], "b", 1));
    receive(pair[1], 1, 100, 0, NULL);
    receive(pair[1], 1, 100, 0, NULL);
    if (fork() == 0)
        _exit(write(pair[0], "c", 1) != 1);
    wait(&status);
    SHOW(write(pair[0], "d", 1));
    receive(pair[1], 9, 100, 0, NULL);
    receive(pair[1], 9, 100, 0, NULL);
    for (size_t room = 0; room < 28; room += 8) {
        SHOW(write(pair[0], "e", 1));
        receive(pair[1], 9, room, 0, NULL);
    }
    SHOW(send_fds(pair[0], &on, 1));
    receive(pair[1], 9, 100, 0, NULL);
    SHOW(send_raw(SOL_SOCKET, 2, &ids, sizeof(ids), CMSG_LEN(sizeof(ids)), 24));
    receive(pair[1], 9, 100, 0, NULL);
    ids.uid = -1;
    SHOW(send_raw(SOL_SOCKET, 2, &ids, sizeof(ids), CMSG_LEN(sizeof(ids)), 24));
    ids.uid = 5;
    ids.pid = 0x7ffffff0;
    SHOW(send_raw(SOL_SOCKET, 2, &ids, sizeof(ids), CMSG_LEN(sizeof(ids)), 24));
    ids.pid = getpid();
    SHOW(send_raw(SOL_SOCKET, 2, &ids, sizeof(ids), CMSG_LEN(sizeof(ids)), 24));
    receive(pair[1], 9, 100, 0, NULL);
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
    shutdown(pair[0], SHUT_WR);
    receive(pair[1], 9, 100, 0, NULL);
    end_pair();
}

static void as_nobody(void *arg)
{
    struct ids ids = {getpid(), 65534, 65534};

    (void)arg;
    new_pair(SOCK_DGRAM);
    DIE_UNLESS(setgroups(1, (gid_t[]){77}) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    SHOW(send_raw(SOL_SOCKET, 2, &ids, sizeof(ids), CMSG_LEN(sizeof(ids)), 24));
    ids.uid = 0;
    SHOW(send_raw(SOL_SOCKET, 2, &ids, sizeof(ids), CMSG_LEN(sizeof(ids)), 24));
    ids = (struct ids){getpid(), 65534, 0};
    SHOW(send_raw(SOL_SOCKET, 2, &ids, sizeof(ids), CMSG_LEN(sizeof(ids)), 24));
    ids = (struct ids){1, 65534, 65534};
    SHOW(send_raw(SOL_SOCKET, 2, &ids, sizeof(ids), CMSG_LEN(sizeof(ids)), 24));
}

static void show_peer(const char *what, int fd)
{
    struct ids ids = {-2, -2, -2};
    socklen_t len = sizeof(ids);
    gid_t groups[40];

    errno = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ids, &len) < 0)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %s %d %d length %d", what,
               ids.pid == getpid() ? "own"
               : ids.pid           ? "other"
                                   : "none",
               ids.uid, ids.gid, (int)len);
    len = 2;
    printf(", groups %s", getsockopt(fd, SOL_SOCKET, 59, groups, &len) ? error_name(errno) : "ok");
    printf(" %d", (int)len);
    len = sizeof(groups);
    printf(", %s", getsockopt(fd, SOL_SOCKET, 59, groups, &len) ? error_name(errno) : "ok");
    printf(" %d\n", (int)len);
}

static void peers(void *arg)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "peers"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), a = socket(AF_UNIX, SOCK_STREAM, 0), b;

    (void)arg;
    DIE_UNLESS(setgroups(3, (gid_t[]){7, 8, 9}) == 0);
    new_pair(SOCK_STREAM);
    show_peer("pair", pair[0]);
    DIE_UNLESS(bind(listener, (struct sockaddr *)&name, sizeof(name)) == 0);
    show_peer("bound", listener);
    DIE_UNLESS(listen(listener, 5) == 0);
    show_peer("listening", listener);
    DIE_UNLESS(setegid(12) == 0 && seteuid(0) == 0);
    DIE_UNLESS(connect(a, (struct sockaddr *)&name, sizeof(name)) == 0);
    DIE_UNLESS(setgroups(1, (gid_t[]){77}) == 0 && setegid(0) == 0);
    b = accept(listener, NULL, NULL);
    show_peer("connected", a);
    show_peer("accepted", b);
    close(a);
    show_peer("accepted, closed there", b);
    show_peer("datagram", socket(AF_UNIX, SOCK_DGRAM, 0));
}

/* ---- What only queues hold ---- */

/* Whether the reading end of a pipe, whose writing end was sent away, has come to its end. */
static bool is_over(int fd)
{
    char c;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int tries = 0; tries < 200; tries++) {
        if (read(fd, &c, 1) == 0)
            return true;
        usleep(5000);
    }
    return false;
}

/* Something else is closed: then it is looked for what nobody can reach. */
static void nudge(void)
{
    int fds[2];

    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    close(fds[0]);
    close(fds[1]);
}

static void cycles(void)
{
    int p[2], a[2], b[2], set[2];

    /* Closed with a descriptor in the queue. */
    new_pair(SOCK_STREAM);
    DIE_UNLESS(pipe(p) == 0 && send_fds(pair[0], &p[1], 1) == 1);
    close(p[1]);
    end_pair();
    printf("in a closed queue: %d\n", is_over(p[0]));
    close(p[0]);
    /* A socket in its own queue. */
    new_pair(SOCK_DGRAM);
    DIE_UNLESS(pipe(p) == 0 && send_fds(pair[0], &p[1], 1) == 1);
    DIE_UNLESS(send_fds(pair[0], &pair[1], 1) == 1);
    close(p[1]);
    end_pair();
    nudge();
    printf("in its own queue: %d\n", is_over(p[0]));
    close(p[0]);
    /* Two pairs in each other's queues. */
    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0);
    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
    DIE_UNLESS(pipe(p) == 0 && send_fds(a[0], &p[1], 1) == 1);
    DIE_UNLESS(send_fds(a[0], b, 2) == 1 && send_fds(b[0], a, 2) == 1);
    close(p[1]);
    close(a[0]);
    close(a[1]);
    close(b[0]);
    nudge();
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    SHOW(read(p[0], control, 1)); /* b[1] still leads to it */
    close(b[1]);
    nudge();
    printf("in each other's: %d\n", is_over(p[0]));
    close(p[0]);
    /* Reached by way of the other: nothing is lost. */
    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0);
    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
    DIE_UNLESS(pipe(p) == 0 && send_fds(b[0], p, 2) == 1);
    DIE_UNLESS(send_fds(a[0], &b[1], 1) == 1 && send_fds(b[0], &a[1], 1) == 1);
    DIE_UNLESS(write(p[1], "kept", 4) == 4);
    close(p[0]);
    close(p[1]);
    close(b[0]);
    close(b[1]);
    nudge();
    receive(a[1], 1, 100, 0, &set[0]);
    receive(set[0], 1, 100, 0, &set[1]);
    SHOW(read(set[1], control, 10));
    close(set[0]);
    close(set[1]);
    close(a[0]);
    close(a[1]);
    nudge();
}

/* A connection that nobody has accepted holds the listener that it waits for. */
static void unaccepted(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "unaccepted"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), a = socket(AF_UNIX, SOCK_STREAM, 0), p[2];

    DIE_UNLESS(bind(listener, (struct sockaddr *)&name, sizeof(name)) == 0 &&
               listen(listener, 5) == 0);
    DIE_UNLESS(connect(a, (struct sockaddr *)&name, sizeof(name)) == 0 && pipe(p) == 0);
    DIE_UNLESS(send_fds(a, &p[1], 1) == 1 && send_fds(a, &listener, 1) == 1);
    close(p[1]);
    close(listener);
    close(a);
    nudge();
    printf("unaccepted: %d\n", is_over(p[0]));
    close(p[0]);
}

/* A chain of sockets, each in the queue of the next: its end is no recursion. */
static void chain(void)
{
    int p[2], last[2], next[2];

    DIE_UNLESS(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, last) == 0);
    DIE_UNLESS(send_fds(last[0], &p[1], 1) == 1);
    close(p[1]);
    for (int i = 0; i < 2000; i++) {
        DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, next) == 0);
        DIE_UNLESS(send_fds(next[0], last, 2) == 1);
        close(last[0]);
        close(last[1]);
        memcpy(last, next, sizeof(last));
    }
    close(last[0]);
    close(last[1]);
    printf("a long chain: %d\n", is_over(p[0]));
    close(p[0]);
}

static void limit(void *arg)
{
    struct rlimit few = {20, 20};
    int sent = 0, last = 0;

    (void)arg;
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    new_pair(SOCK_DGRAM);
    setrlimit(RLIMIT_NOFILE, &few);
    while (send_fds(pair[0], (int[]){0, 0, 0}, 3) == 1)
        sent += 3;
    printf("%d on their way, then %s\n", sent, error_name(errno));
    for (int i = 0; i < 3; i++)
        receive(pair[1], 1, 100, 0, NULL);
    while (send_fds(pair[0], (int[]){0, 0, 0}, 3) == 1)
        last += 3;
    printf("%d more\n", last);
    end_pair();
    new_pair(SOCK_DGRAM);
    SHOW(send_fds(pair[0], (int[]){0, 0, 0}, 3));
    while (open("/dev/null", O_RDONLY) >= 0)
        ;
    receive(pair[1], 1, 100, 0, NULL);
    close(19);
    SHOW(send_fds(pair[0], (int[]){0, 0, 0}, 3));
    receive(pair[1], 1, 100, 0, NULL);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    passing(SOCK_STREAM);
    passing(SOCK_DGRAM);
    passing(SOCK_SEQPACKET);
    stream_borders();
    wrong();
    credentials(SOCK_STREAM);
    credentials(SOCK_DGRAM);
    in_child("as nobody", as_nobody, NULL);
    in_child("peers", peers, NULL);
    cycles();
    unaccepted();
    chain();
    in_child("limit", limit, NULL);
    return 0;
}
