/* UNIX streams: pairs, partial reads, peeking, shutdown, the ends of both sides, who wakes whom. */
#include "guest.h"
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static char buffer[400000];

static void pair(int fds[2], int type)
{
    DIE_UNLESS(socketpair(AF_UNIX, type, 0, fds) == 0);
}

static void show_bytes(int fd, size_t len, int flags)
{
    ssize_t n;

    memset(buffer, 0, 64);
    n = recv(fd, buffer, len, flags);
    printf("recv %zu flags %x: %s \"%.40s\"\n", len, flags, n < 0 ? error_name(errno) : "ok",
           n > 0 ? buffer : "");
}

static void kinds(void)
{
    static const int types[] = {0, 1, 2, 3, 4, 5, 6, 10, 11, 15, 16, SOCK_STREAM | 0x10000, -1};
    int fds[2];

    for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++) {
        int fd = socket(AF_UNIX, types[i], 0);

        printf("type %d: %s\n", types[i], fd < 0 ? error_name(errno) : "ok");
        close(fd);
    }
    SHOW(socket(AF_UNIX, SOCK_STREAM, 2));
    TRY(close(socket(AF_UNIX, SOCK_STREAM, AF_UNIX)));
    SHOW(socket(45, SOCK_STREAM, 0));
    SHOW(socket(46, SOCK_STREAM, 0));
    SHOW(socket(-1, SOCK_STREAM, 0));
    SHOW(socketpair(46, SOCK_STREAM, 0, fds));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 3, fds));
    SHOW(socketpair(AF_UNIX, SOCK_STREAM | 0x100000, 0, fds));
    SHOW(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, NULL));
    SHOW(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, -4));
    SHOW(dup(0));
    close(3);
    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    printf("%d %d: cloexec %d, flags %o\n", fds[0], fds[1], fcntl(fds[1], F_GETFD),
           fcntl(fds[0], F_GETFL));
    close(fds[0]);
    close(fds[1]);
}

static void bytes(void)
{
    struct iovec v[3] = {{"ab", 2}, {NULL, 0}, {"cdef", 4}}, in[2];
    int fds[2], n = -1;

    pair(fds, SOCK_STREAM);
    SHOW(write(fds[0], "hello world", 11));
    SHOW(ioctl(fds[1], FIONREAD, &n));
    printf("unread %d\n", n);
    show_bytes(fds[1], 5, MSG_PEEK);
    show_bytes(fds[1], 5, 0);
    show_bytes(fds[1], 100, MSG_PEEK);
    SHOW(write(fds[0], "!", 1));
    show_bytes(fds[1], 100, 0);
    show_bytes(fds[1], 100, MSG_DONTWAIT);
    SHOW(writev(fds[1], v, 3));
    in[0] = (struct iovec){buffer, 3};
    in[1] = (struct iovec){buffer + 100, 3};
    SHOW(readv(fds[0], in, 2));
    printf("%.3s %.3s\n", buffer, buffer + 100);
    SHOW(send(fds[0], "", 0, 0));
    SHOW(write(fds[0], "", 0));
    SHOW(read(fds[1], buffer, 0));
    show_bytes(fds[1], 0, MSG_DONTWAIT);
    SHOW(send(fds[0], "x", 1, 0));
    show_bytes(fds[1], 0, 0);
    show_bytes(fds[1], 9, MSG_TRUNC);
    SHOW(lseek(fds[0], 0, SEEK_SET));
    SHOW(pread(fds[0], buffer, 1, 0));
    SHOW(ftruncate(fds[0], 0));
    SHOW(fsync(fds[0]));
    SHOW(fdatasync(fds[0]));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fds[0], 0));
    SHOW(ioctl(fds[0], 0x5401, buffer));
    SHOW(send(fds[0], (void *)1, 5, 0));
    SHOW(write(fds[0], "real", 4));
    SHOW(recv(fds[1], (void *)1, 5, 0));
    show_bytes(fds[1], 100, 0);
    close(fds[0]);
    close(fds[1]);
}

static void ends(void)
{
    int fds[2];

    signal(SIGPIPE, SIG_IGN);
    pair(fds, SOCK_STREAM);
    SHOW(write(fds[0], "left behind", 11));
    SHOW(close(fds[0]));
    show_bytes(fds[1], 4, 0);
    SHOW(write(fds[1], "x", 1));
    show_bytes(fds[1], 100, 0);
    show_bytes(fds[1], 100, 0);
    close(fds[1]);

    pair(fds, SOCK_STREAM);
    SHOW(write(fds[0], "unread", 6));
    SHOW(write(fds[1], "answer", 6));
    SHOW(close(fds[1]));
    SHOW(write(fds[0], "x", 1));
    show_bytes(fds[0], 100, 0);
    show_bytes(fds[0], 100, 0);
    show_bytes(fds[0], 100, 0);
    close(fds[0]);

    pair(fds, SOCK_STREAM);
    SHOW(shutdown(fds[0], 3));
    SHOW(shutdown(fds[0], -1));
    SHOW(shutdown(0, SHUT_RD));
    SHOW(shutdown(99, SHUT_RD));
    SHOW(write(fds[0], "before", 6));
    SHOW(shutdown(fds[0], SHUT_WR));
    SHOW(write(fds[0], "x", 1));
    show_bytes(fds[1], 100, 0);
    show_bytes(fds[1], 100, 0);
    SHOW(write(fds[1], "back", 4));
    show_bytes(fds[0], 100, 0);
    SHOW(shutdown(fds[0], SHUT_RD));
    show_bytes(fds[0], 100, 0);
    SHOW(write(fds[1], "x", 1));
    close(fds[0]);
    close(fds[1]);

    pair(fds, SOCK_STREAM);
    SHOW(write(fds[1], "there", 5));
    SHOW(shutdown(fds[0], SHUT_RD));
    show_bytes(fds[0], 100, 0);
    show_bytes(fds[0], 100, 0);
    SHOW(write(fds[1], "x", 1));
    SHOW(write(fds[0], "y", 1));
    close(fds[0]);
    close(fds[1]);
}

static void broken(void *arg)
{
    int fds[2];

    signal(SIGPIPE, SIG_DFL);
    pair(fds, SOCK_STREAM);
    close(fds[1]);
    if (arg)
        SHOW(send(fds[0], "x", 1, MSG_NOSIGNAL));
    SHOW(write(fds[0], "x", 1));
}

static void on_alarm(int signo)
{
    (void)signo;
}

/* Signals while it waits. */
static void interrupted(void *arg)
{
    struct sigaction act = {.sa_handler = on_alarm};
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    struct timeval limit = {.tv_sec = 5};
    int fds[2];

    (void)arg;
    sigaction(SIGALRM, &act, NULL);
    pair(fds, SOCK_STREAM);
    setitimer(ITIMER_REAL, &soon, NULL);
    show_bytes(fds[0], 1, 0);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    while (write(fds[0], buffer, 10000) > 0)
        ;
    printf("full: %s\n", error_name(errno));
    fcntl(fds[0], F_SETFL, 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    SHOW(write(fds[0], buffer, 10000));
    act.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &act, NULL);
    setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setitimer(ITIMER_REAL, &soon, NULL);
    show_bytes(fds[0], 1, 0);
    limit = (struct timeval){.tv_usec = 20000};
    setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    show_bytes(fds[0], 1, 0);
    SHOW(write(fds[0], buffer, 10000));
}

/* 4 MiB through a pair, in pieces of odd sizes; each byte tells where it belongs. */
static void much(void *arg)
{
    const size_t all = 4 << 20;
    size_t done = 0, wrong = 0;
    int fds[2];
    ssize_t n;

    (void)arg;
    pair(fds, SOCK_STREAM);
    if (fork() == 0) {
        close(fds[1]);
        for (size_t at = 0, step; at < all; at += step) {
            step = at % 100003 + 1 < all - at ? at % 100003 + 1 : all - at;
            for (size_t i = 0; i < step; i++)
                buffer[i] = (char)((at + i) % 251);
            DIE_UNLESS(write(fds[0], buffer, step) == (ssize_t)step);
        }
        _exit(0);
    }
    close(fds[0]);
    while ((n = read(fds[1], buffer, done % 70001 + 1)) > 0)
        for (ssize_t i = 0; i < n; i++)
            wrong += buffer[i] != (char)(done++ % 251);
    printf("%zu bytes, %zu wrong\n", done, wrong);
    wait(NULL);
    pair(fds, SOCK_STREAM);
    if (fork() == 0) {
        for (int i = 0; i < 10; i++) {
            usleep(1000);
            DIE_UNLESS(write(fds[0], "12345", 5) == 5);
        }
        _exit(0);
    }
    SHOW(recv(fds[1], buffer, 50, MSG_WAITALL));
    wait(NULL);
}

/* Four readers, and as many writes: each gets one. */
static void many_readers(void *arg)
{
    int fds[2], got = 0, status;
    char c;

    (void)arg;
    pair(fds, SOCK_STREAM);
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            _exit(read(fds[1], &c, 1) == 1 ? 1 : 0);
    for (int i = 0; i < 4; i++) {
        usleep(2000);
        DIE_UNLESS(write(fds[0], "x", 1) == 1);
    }
    for (int i = 0; i < 4; i++)
        if (wait(&status) > 0)
            got += WEXITSTATUS(status);
    printf("readers that got a byte: %d\n", got);
}

/* A writer that waits for room when the reader goes. */
static void left_alone(void *arg)
{
    int fds[2];

    (void)arg;
    signal(SIGPIPE, SIG_IGN);
    pair(fds, SOCK_STREAM);
    if (fork() == 0) {
        close(fds[0]);
        usleep(20000);
        _exit(0);
    }
    close(fds[1]);
    while (write(fds[0], buffer, 10000) > 0)
        ;
    printf("at last: %s\n", error_name(errno));
    wait(NULL);
}

static void seen(void)
{
    char path[64], target[64] = "";
    struct stat st;
    int fds[2];

    pair(fds, SOCK_STREAM);
    DIE_UNLESS(fstat(fds[0], &st) == 0);
    printf("mode %o links %d size %d\n", st.st_mode, (int)st.st_nlink, (int)st.st_size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
    DIE_UNLESS(readlink(path, target, sizeof(target) - 1) > 0);
    snprintf(buffer, sizeof(buffer), "socket:[%lu]", (unsigned long)st.st_ino);
    printf("link %.8s, inode %s\n", target, strcmp(target, buffer) ? "differs" : "the same");
    SHOW(open(path, O_RDWR));
    SHOW(fchmod(fds[0], 0600));
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    kinds();
    bytes();
    ends();
    in_child("broken", broken, NULL);
    in_child("broken, no signal at first", broken, "");
    in_child("interrupted", interrupted, NULL);
    in_child("much", much, NULL);
    in_child("many readers", many_readers, NULL);
    in_child("left alone", left_alone, NULL);
    seen();
    return 0;
}
