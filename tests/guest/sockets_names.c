/* UNIX sockets by name: paths, abstract names, autobind; bind, listen, connect, accept and all that
 * may be wrong with them. */
#include "guest.h"
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un name;

/* The length of the address of a path, or of an abstract name that begins with '@'. */
static socklen_t make(const char *path)
{
    socklen_t len = offsetof(struct sockaddr_un, sun_path) + strlen(path);

    memset(&name, 0, sizeof(name));
    name.sun_family = AF_UNIX;
    memcpy(name.sun_path, path, strlen(path));
    if (path[0] == '@')
        name.sun_path[0] = 0;
    return path[0] == '@' ? len : len + 1;
}

static int bind_to(int fd, const char *path)
{
    socklen_t len = make(path);

    return bind(fd, (struct sockaddr *)&name, len);
}

static int connect_to(int fd, const char *path)
{
    socklen_t len = make(path);

    return connect(fd, (struct sockaddr *)&name, len);
}

static int new_socket(int type)
{
    int fd = socket(AF_UNIX, type, 0);

    DIE_UNLESS(fd >= 0);
    return fd;
}

static void show_name(const char *what, int fd, bool peer)
{
    struct sockaddr_un got;
    socklen_t len = sizeof(got);

    memset(&got, 'z', sizeof(got));
    if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&got, &len) < 0) {
        printf("%s: %s\n", what, error_name(errno));
        return;
    }
    printf("%s: family %d, length %d, \"", what, got.sun_family, (int)len);
    for (socklen_t i = 2; i < len && i < sizeof(got); i++)
        printf(got.sun_path[i - 2] ? "%c" : "\\0", got.sun_path[i - 2]);
    printf("\"\n");
}

static void addresses(void)
{
    int fd = new_socket(SOCK_STREAM);
    socklen_t len;
    char big[200] = {AF_UNIX, 0};
    struct sockaddr_un got;

    show_name("unbound", fd, false);
    show_name("unconnected", fd, true);
    make("s");
    SHOW(bind(fd, (struct sockaddr *)&name, 0));
    SHOW(bind(fd, (struct sockaddr *)&name, 1));
    SHOW(bind(fd, (struct sockaddr *)&name, 111));
    SHOW(bind(fd, (struct sockaddr *)big, 129));
    SHOW(bind(fd, (struct sockaddr *)&name, -1));
    SHOW(bind(fd, NULL, 10));
    SHOW(bind(0, (struct sockaddr *)&name, 10));
    SHOW(bind(99, (struct sockaddr *)&name, 10));
    name.sun_family = AF_INET;
    SHOW(bind(fd, (struct sockaddr *)&name, 10));
    SHOW(connect(fd, (struct sockaddr *)&name, 10));
    SHOW(bind(fd, (struct sockaddr *)&name, 2));
    SHOW(connect(fd, (struct sockaddr *)&name, 2));
    SHOW(connect(fd, (struct sockaddr *)&name, 1));
    SHOW(bind_to(fd, "no/such"));
    SHOW(bind_to(fd, "."));
    SHOW(bind_to(fd, "s/"));
    SHOW(bind_to(fd, "s"));
    show_name("bound", fd, false);
    SHOW(bind_to(fd, "t"));
    SHOW(access("t", F_OK));
    SHOW(bind_to(fd, "s"));
    SHOW(bind_to(fd, "no/such"));
    SHOW(bind_to(fd, "@t"));
    make("");
    SHOW(bind(fd, (struct sockaddr *)&name, 2));
    len = 5;
    memset(&got, 'z', sizeof(got));
    SHOW(getsockname(fd, (struct sockaddr *)&got, &len));
    printf("length %d, %c %c\n", (int)len, got.sun_path[0], got.sun_path[3]);
    len = -1;
    SHOW(getsockname(fd, (struct sockaddr *)&got, &len));
    len = 5;
    SHOW(getsockname(fd, (void *)1, &len));
    SHOW(getsockname(fd, (struct sockaddr *)&got, (void *)1));
    close(fd);
    fd = new_socket(SOCK_STREAM);
    SHOW(bind_to(fd, "s"));
    unlink("s");
    SHOW(bind_to(fd, "s"));
    close(fd);
    unlink("s");
    fd = new_socket(SOCK_STREAM);
    memset(&name, 'n', sizeof(name));
    name.sun_family = AF_UNIX;
    SHOW(bind(fd, (struct sockaddr *)&name, sizeof(name)));
    show_name("108 bytes", fd, false);
    SHOW(listen(fd, 1));
    SHOW(connect(new_socket(SOCK_STREAM), (struct sockaddr *)&name, sizeof(name)));
    close(fd);
}

static void nodes(void)
{
    int fd = new_socket(SOCK_STREAM), other = new_socket(SOCK_STREAM);
    struct stat st;

    umask(027);
    SHOW(bind_to(fd, "node"));
    DIE_UNLESS(stat("node", &st) == 0);
    printf("mode %o, links %d\n", st.st_mode, (int)st.st_nlink);
    SHOW(open("node", O_RDWR));
    SHOW(open("node", O_RDONLY | O_CREAT | O_EXCL));
    SHOW(connect_to(other, "node"));
    SHOW(listen(fd, 2));
    SHOW(chmod("node", 0));
    SHOW(connect_to(other, "node"));
    show_name("peer", other, true);
    SHOW(rename("node", "moved"));
    SHOW(link("moved", "linked"));
    show_name("after its move", fd, false);
    SHOW(connect_to(new_socket(SOCK_STREAM), "node"));
    SHOW(connect_to(new_socket(SOCK_STREAM), "linked"));
    SHOW(symlink("moved", "symbolic"));
    SHOW(connect_to(new_socket(SOCK_STREAM), "symbolic"));
    SHOW(bind_to(new_socket(SOCK_STREAM), "symbolic"));
    close(fd);
    SHOW(connect_to(new_socket(SOCK_STREAM), "moved"));
    SHOW(mknod("made", S_IFSOCK | 0666, 0));
    SHOW(connect_to(new_socket(SOCK_STREAM), "made"));
    SHOW(connect_to(new_socket(SOCK_STREAM), "/dev/null"));
    SHOW(connect_to(new_socket(SOCK_STREAM), "."));
    SHOW(connect_to(new_socket(SOCK_STREAM), "made/x"));
    fd = new_socket(SOCK_STREAM);
    fchmod(fd, 0640);
    umask(0);
    SHOW(bind_to(fd, "chosen"));
    DIE_UNLESS(stat("chosen", &st) == 0);
    printf("mode %o\n", st.st_mode);
    umask(022);
}

/* Without the right to write to the node, or to the directory. */
static void permissions(void *arg)
{
    int fd = new_socket(SOCK_STREAM);

    (void)arg;
    umask(0);
    DIE_UNLESS(bind_to(fd, "guarded") == 0 && listen(fd, 5) == 0);
    DIE_UNLESS(mkdir("closed", 0755) == 0);
    if (setgid(65534) || setuid(65534)) {
        printf("needs root\n");
        return;
    }
    SHOW(connect_to(new_socket(SOCK_STREAM), "guarded"));
    SHOW(bind_to(new_socket(SOCK_STREAM), "closed/s"));
}

static void unwritable(void *arg)
{
    int fd = new_socket(SOCK_STREAM);

    (void)arg;
    umask(0222);
    DIE_UNLESS(bind_to(fd, "unwritable") == 0 && listen(fd, 5) == 0);
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    SHOW(connect_to(new_socket(SOCK_STREAM), "unwritable"));
}

static void abstract(void)
{
    int a = new_socket(SOCK_STREAM), b = new_socket(SOCK_STREAM), c = new_socket(SOCK_DGRAM);
    struct sockaddr_un got;
    socklen_t len = sizeof(got);

    SHOW(bind_to(a, "@name"));
    show_name("abstract", a, false);
    SHOW(bind_to(b, "@name"));
    SHOW(bind_to(c, "@name"));
    SHOW(connect_to(b, "@name"));
    SHOW(listen(a, 5));
    SHOW(connect_to(b, "@nam"));
    SHOW(connect_to(b, "@name"));
    SHOW(connect_to(new_socket(SOCK_SEQPACKET), "@name"));
    SHOW(connect_to(new_socket(SOCK_DGRAM), "@name"));
    close(a);
    a = new_socket(SOCK_STREAM);
    SHOW(bind_to(a, "@name"));
    close(a);
    a = new_socket(SOCK_STREAM);
    make("");
    SHOW(bind(a, (struct sockaddr *)&name, 3));
    show_name("a single NUL", a, false);
    a = new_socket(SOCK_STREAM);
    SHOW(bind(a, (struct sockaddr *)&name, sizeof(name)));
    a = new_socket(SOCK_STREAM);
    SHOW(bind(a, (struct sockaddr *)&name, 2));
    DIE_UNLESS(getsockname(a, (struct sockaddr *)&got, &len) == 0);
    printf("autobind: length %d, begins with %d, hex %zu\n", (int)len, got.sun_path[0],
           strspn(got.sun_path + 1, "0123456789abcdef"));
    SHOW(listen(a, 1));
    SHOW(connect(new_socket(SOCK_STREAM), (struct sockaddr *)&got, len));
}

static void types(void)
{
    int stream = new_socket(SOCK_STREAM), datagram = new_socket(SOCK_DGRAM);

    SHOW(bind_to(stream, "stream"));
    SHOW(bind_to(datagram, "datagram"));
    SHOW(listen(datagram, 5));
    SHOW(accept(datagram, NULL, NULL));
    SHOW(listen(stream, 5));
    SHOW(connect_to(new_socket(SOCK_DGRAM), "stream"));
    SHOW(connect_to(new_socket(SOCK_SEQPACKET), "stream"));
    SHOW(connect_to(new_socket(SOCK_STREAM), "datagram"));
    SHOW(listen(new_socket(SOCK_STREAM), 5));
    SHOW(accept(new_socket(SOCK_STREAM), NULL, NULL));
    SHOW(accept(0, NULL, NULL));
    SHOW(accept(99, NULL, NULL));
    SHOW(accept4(stream, NULL, NULL, 1));
    SHOW(listen(0, 1));
    SHOW(connect_to(stream, "stream"));
    SHOW(recv(stream, &name, 1, 0));
    SHOW(send(stream, "x", 1, MSG_NOSIGNAL));
    SHOW(send(new_socket(SOCK_STREAM), "x", 1, 0));
    SHOW(recv(new_socket(SOCK_STREAM), &name, 1, 0));
    make("stream");
    SHOW(sendto(new_socket(SOCK_STREAM), "x", 1, 0, (struct sockaddr *)&name, 9));
}

static void accepting(int type)
{
    int listener = new_socket(type | SOCK_NONBLOCK), a = new_socket(type), b, n;
    struct sockaddr_un got;
    socklen_t len = sizeof(got);
    char buf[20] = "";

    SHOW(bind_to(listener, "accepting"));
    SHOW(listen(listener, 5));
    SHOW(accept(listener, NULL, NULL));
    SHOW(bind_to(a, "client"));
    SHOW(connect_to(a, "accepting"));
    SHOW(connect_to(a, "accepting"));
    SHOW(listen(a, 5));
    SHOW(bind_to(a, "again"));
    SHOW(send(a, "early", 5, 0));
    SHOW(ioctl(listener, FIONREAD, &n));
    b = accept4(listener, (struct sockaddr *)&got, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    printf("accepted: %d, from %s, length %d, cloexec %d, flags %o\n", b > 0, got.sun_path,
           (int)len, fcntl(b, F_GETFD), fcntl(b, F_GETFL));
    show_name("its name", b, false);
    show_name("its peer", b, true);
    show_name("the peer's peer", a, true);
    SHOW(recv(b, buf, 20, 0));
    SHOW(recv(b, buf, 20, 0));
    SHOW(close(a));
    SHOW(recv(b, buf, 20, 0));
    show_name("its peer when that is closed", b, true);
    close(b);
    a = new_socket(type);
    SHOW(connect_to(a, "accepting"));
    len = sizeof(got);
    got.sun_path[0] = 'x';
    b = accept(listener, (struct sockaddr *)&got, &len);
    printf("from a socket without a name: length %d, family %d, path untouched %d\n", (int)len,
           got.sun_family, got.sun_path[0] == 'x');
    close(b);
    SHOW(recv(a, buf, 20, 0));
    close(a);
    a = new_socket(type);
    SHOW(connect_to(a, "accepting"));
    SHOW(accept(listener, (struct sockaddr *)1, &len));
    SHOW(recv(a, buf, 20, 0));
    close(a);
    a = new_socket(type);
    SHOW(connect_to(a, "accepting"));
    SHOW(close(listener));
    SHOW(recv(a, buf, 20, 0));
    SHOW(recv(a, buf, 20, 0));
    SHOW(send(a, "x", 1, MSG_NOSIGNAL));
    unlink("accepting");
    unlink("client");
}

static void backlog(void)
{
    int listener = new_socket(SOCK_STREAM), n = 0, fd, status;
    struct timeval limit = {.tv_usec = 20000};

    SHOW(bind_to(listener, "backlog"));
    SHOW(listen(listener, 2));
    for (;; n++) {
        fd = new_socket(SOCK_STREAM | SOCK_NONBLOCK);
        if (connect_to(fd, "backlog") < 0)
            break;
    }
    printf("%d wait, then %s\n", n, error_name(errno));
    fcntl(fd, F_SETFL, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    SHOW(connect_to(fd, "backlog"));
    if (fork() == 0) {
        fd = new_socket(SOCK_STREAM);
        _exit(connect_to(fd, "backlog") == 0 ? 7 : 8);
    }
    usleep(20000);
    TRY(accept(listener, NULL, NULL));
    wait(&status);
    print_status("who waited", status);
    SHOW(listen(listener, 5));
    SHOW(connect_to(fd, "backlog"));
    SHOW(shutdown(listener, SHUT_RD));
    SHOW(connect_to(new_socket(SOCK_STREAM), "backlog"));
    for (int i = 0; i < 5; i++)
        TRY(accept(listener, NULL, NULL));
    close(listener);
    listener = new_socket(SOCK_STREAM);
    SHOW(bind_to(listener, "backlog2"));
    SHOW(listen(listener, 0));
    if (fork() == 0) {
        close(listener);
        _exit(connect_to(new_socket(SOCK_STREAM), "backlog2") < 0 ||
              connect_to(new_socket(SOCK_STREAM), "backlog2") == 0 || errno != ECONNREFUSED);
    }
    usleep(20000);
    close(listener);
    wait(&status);
    print_status("who waited for a listener that was closed", status);
}

/* Two servers on one socket, ten clients. */
static void crowd(void)
{
    int listener = new_socket(SOCK_STREAM), fd, good = 0, status;
    char c;

    DIE_UNLESS(bind_to(listener, "crowd") == 0 && listen(listener, 1) == 0);
    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            for (int k = 0; k < 5; k++) {
                fd = accept(listener, NULL, NULL);
                DIE_UNLESS(fd >= 0 && read(fd, &c, 1) == 1);
                c++;
                DIE_UNLESS(write(fd, &c, 1) == 1);
                close(fd);
            }
            _exit(0);
        }
    }
    close(listener);
    for (int i = 0; i < 10; i++) {
        if (fork() == 0) {
            fd = new_socket(SOCK_STREAM);
            c = 'a' + i;
            DIE_UNLESS(connect_to(fd, "crowd") == 0 && write(fd, &c, 1) == 1);
            _exit(read(fd, &c, 1) == 1 && c == 'b' + i);
        }
    }
    while (wait(&status) > 0)
        good += WEXITSTATUS(status);
    printf("clients that were served: %d\n", good);
}

static void listed(void)
{
    char line[300];
    FILE *f = fopen("/proc/net/unix", "r");
    int a = new_socket(SOCK_SEQPACKET), b = new_socket(SOCK_DGRAM);
    unsigned long refs, protocol, flags, type, state, inode;
    char path[200] = "";
    struct stat st;

    DIE_UNLESS(f && bind_to(a, "listed") == 0 && listen(a, 1) == 0);
    DIE_UNLESS(bind_to(b, "@abs@tract") == 0);
    DIE_UNLESS(fgets(line, sizeof(line), f));
    printf("%s", line);
    while (fgets(line, sizeof(line), f)) {
        if (!strstr(line, "listed") && !strstr(line, "abs"))
            continue;
        sscanf(strchr(line, ':'), ": %lx %lx %lx %lx %lx %lu %s", &refs, &protocol, &flags, &type,
               &state, &inode, path);
        fstat(path[0] == '@' ? b : a, &st);
        printf("refs %lu protocol %lx flags %lx type %lx state %lx inode %d path %s\n", refs,
               protocol, flags, type, state, inode == st.st_ino, path);
    }
    fclose(f);
}

int main(void)
{
    in_child("permissions", permissions, NULL);
    in_child("unwritable", unwritable, NULL);
    addresses();
    nodes();
    abstract();
    types();
    accepting(SOCK_STREAM);
    accepting(SOCK_SEQPACKET);
    backlog();
    crowd();
    listed();
    return 0;
}
