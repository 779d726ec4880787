/* splice, tee, vmsplice, sendfile, copy_file_range: what moves, what stays, every error. */
#include "guest.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

static char buffer[5 * PAGE];

static int queued(int fd)
{
    int n = -1;

    ioctl(fd, FIONREAD, &n);
    return n;
}

/* A file of n bytes, each of which tells its place. */
static int file_of(int n)
{
    char name[] = "/tmp/faultline-splice-XXXXXX";
    int fd = mkstemp(name);

    DIE_UNLESS(fd >= 0);
    unlink(name);
    for (int i = 0; i < n; i++)
        buffer[i] = (char)(i * 7 + i / PAGE);
    DIE_UNLESS(write(fd, buffer, n) == n);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void new_pipe(int fds[2])
{
    DIE_UNLESS(pipe2(fds, O_NONBLOCK) == 0);
}

static void close_both(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* Whether the next n bytes of the pipe are the file's from pos on. */
static bool holds(int fd, int n, int pos)
{
    bool right = read(fd, buffer, n) == n;

    for (int i = 0; i < n && right; i++)
        right = buffer[i] == (char)((pos + i) * 7 + (pos + i) / PAGE);
    return right;
}

static void from_file(void)
{
    int fd = file_of(3 * PAGE), fds[2];
    off64_t off = 100;

    new_pipe(fds);
    SHOW(splice(fd, NULL, fds[1], NULL, 10, 0));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(splice(fd, &off, fds[1], NULL, 2 * PAGE, 0));
    printf("offset %d\n", (int)off);
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(queued(fds[0]));
    SHOW(write(fds[1], "tail", 4));
    SHOW(holds(fds[0], 10, 0));
    SHOW(holds(fds[0], 2 * PAGE, 100));
    SHOW(read(fds[0], buffer, 100));
    SHOW(ftruncate(fd, 50));
    SHOW(splice(fd, NULL, fds[1], NULL, 1000, 0));
    SHOW(splice(fd, NULL, fds[1], NULL, 1000, 0));
    SHOW(queued(fds[0]));
    close(fd);
    close_both(fds);
    fd = file_of(PAGE);
    new_pipe(fds);
    int n = 0;
    for (off = 0; splice(fd, (off = 0, &off), fds[1], NULL, 1, 0) == 1;)
        n++;
    printf("slots %d, then %s\n", n, error_name(errno));
    close(fd);
    close_both(fds);
}

/* A pipe whose buffers may all be appended to gets the end of a read-only file: what is written
 * next must not reach the file. */
static void no_append(void)
{
    int fd = file_of(100), fds[2], file;
    char name[40];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    DIE_UNLESS((file = open(name, O_RDONLY)) >= 0);
    new_pipe(fds);
    for (int i = 0; i < 16; i++)
        DIE_UNLESS(write(fds[1], buffer, PAGE) == PAGE);
    for (int i = 0; i < 16; i++)
        DIE_UNLESS(read(fds[0], buffer, PAGE) == PAGE);
    SHOW(splice(file, NULL, fds[1], NULL, 1, 0));
    SHOW(write(fds[1], "written over", 12));
    SHOW(pread(file, buffer, 200, 0));
    printf("byte 1: %d\n", buffer[1]);
    close(fd);
    close(file);
    close_both(fds);
}

static void to_file(void)
{
    int fd = file_of(10), fds[2];
    off64_t off = 5;

    new_pipe(fds);
    write(fds[1], "abcdefghij", 10);
    SHOW(splice(fds[0], NULL, fd, &off, 4, 0));
    printf("offset %d\n", (int)off);
    SHOW(splice(fds[0], NULL, fd, NULL, 2, 0));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(splice(fds[0], NULL, fd, NULL, 1000, 0));
    SHOW(splice(fds[0], NULL, fd, NULL, 1000, SPLICE_F_NONBLOCK));
    SHOW(pread(fd, buffer, 20, 0));
    printf("%.6s %.1s\n", buffer, buffer + 8);
    fcntl(fd, F_SETFL, O_APPEND);
    SHOW(splice(fds[0], NULL, fd, NULL, 1, 0));
    close(fds[1]);
    fcntl(fd, F_SETFL, 0);
    SHOW(splice(fds[0], NULL, fd, NULL, 1000, 0));
    close(fds[0]);
    close(fd);
    int null = open("/dev/null", O_RDWR);
    new_pipe(fds);
    write(fds[1], buffer, 6000);
    SHOW(splice(fds[0], NULL, null, NULL, 5000, 0));
    SHOW(queued(fds[0]));
    SHOW(splice(null, NULL, fds[1], NULL, 5000, 0));
    close(null);
    close_both(fds);
}

static void between_pipes(void)
{
    int a[2], b[2];

    new_pipe(a);
    new_pipe(b);
    SHOW(splice(a[0], NULL, b[1], NULL, 10, 0));
    write(a[1], buffer, PAGE + 100);
    SHOW(splice(a[0], NULL, b[1], NULL, 10, 0));
    SHOW(splice(a[0], NULL, b[1], NULL, 5 * PAGE, 0));
    SHOW(queued(a[0]));
    SHOW(write(b[1], "x", 1)); /* appended to the page that came whole */
    SHOW(queued(b[0]));
    SHOW(splice(b[0], NULL, b[1], NULL, 10, 0));
    SHOW(read(b[0], buffer, sizeof(buffer)));
    write(a[1], "shared", 6);
    SHOW(tee(a[0], b[1], 100, 0));
    SHOW(tee(a[0], b[1], 3, 0));
    SHOW(tee(a[0], b[1], 0, 0));
    SHOW(write(b[1], "own", 3));
    SHOW(write(a[1], "first", 5));
    SHOW(read(a[0], buffer, 100));
    printf("%.11s\n", buffer);
    SHOW(read(b[0], buffer, 100));
    printf("%.12s\n", buffer);
    SHOW(tee(a[0], b[1], 100, 0));
    SHOW(tee(a[0], a[1], 100, 0));
    close(a[1]);
    SHOW(tee(a[0], b[1], 100, 0));
    SHOW(splice(a[0], NULL, b[1], NULL, 10, 0));
    close(a[0]);
    new_pipe(a);
    write(a[1], "data", 4);
    close(b[0]);
    signal(SIGPIPE, SIG_IGN);
    SHOW(splice(a[0], NULL, b[1], NULL, 10, 0));
    SHOW(tee(a[0], b[1], 10, 0));
    SHOW(queued(a[0]));
    close(b[1]);
    close_both(a);
}

static void user_memory(void)
{
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec v[2] = {{p + 100, 10}, {p + PAGE - 10, PAGE}};
    int fds[2];

    munmap(p + 2 * PAGE, PAGE);
    new_pipe(fds);
    SHOW(vmsplice(fds[1], v, 2, SPLICE_F_GIFT));
    SHOW(queued(fds[0]));
    SHOW(vmsplice(fds[0], v, 1, 0));
    SHOW(vmsplice(fds[0], v, 2, 0));
    SHOW(vmsplice(fds[0], v, 2, SPLICE_F_NONBLOCK));
    SHOW(vmsplice(fds[1], v, 0, 0));
    v[0] = (struct iovec){p + 2 * PAGE, 10};
    SHOW(vmsplice(fds[1], v, 1, 0));
    v[0] = (struct iovec){p + PAGE, 2 * PAGE};
    SHOW(vmsplice(fds[1], v, 1, 0));
    SHOW(queued(fds[0]));
    v[0] = (struct iovec){p + 2 * PAGE, 10};
    SHOW(vmsplice(fds[0], v, 1, 0));
    SHOW(queued(fds[0]));
    SHOW(vmsplice(fds[1], (void *)16, 1, 0));
    SHOW(vmsplice(fds[1], v, 2000, 0));
    SHOW(vmsplice(fds[1], v, 1, 16));
    SHOW(vmsplice(99, v, 1, 0));
    int fd = file_of(10);
    v[0] = (struct iovec){p, 10};
    SHOW(vmsplice(fd, v, 1, 0));
    close(fd);
    close_both(fds);
}

static void send_files(void)
{
    int from = file_of(3 * PAGE), to = file_of(0), fds[2], pair[2];
    off_t off = PAGE;
    off64_t wide = 10;

    SHOW(sendfile(to, from, NULL, 5000));
    SHOW(lseek(from, 0, SEEK_CUR));
    SHOW(lseek(to, 0, SEEK_CUR));
    SHOW(sendfile(to, from, &off, 100000));
    printf("offset %d, at %d\n", (int)off, (int)lseek(from, 0, SEEK_CUR));
    SHOW(sendfile(to, from, &off, 100));
    SHOW(sendfile64(to, from, &wide, 100));
    printf("offset %d\n", (int)wide);
    SHOW(pread(to, buffer, 10, 5000));
    SHOW(buffer[9] == (char)((PAGE + 9) * 7 + 1));
    new_pipe(fds);
    off = 0;
    SHOW(sendfile(fds[1], from, &off, 6000));
    SHOW(holds(fds[0], 6000, 0));
    SHOW(sendfile(to, fds[0], NULL, 10));
    SHOW(sendfile(to, fds[0], &off, 10));
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
    off = 7;
    SHOW(sendfile(pair[0], from, &off, 9000));
    SHOW(holds(pair[1], 9000, 7));
    SHOW(sendfile(to, pair[0], NULL, 10));
    write(pair[0], "message", 7);
    SHOW(splice(pair[1], NULL, fds[1], NULL, 100, 0));
    SHOW(splice(pair[1], NULL, fds[1], NULL, 100, SPLICE_F_NONBLOCK));
    SHOW(splice(fds[0], NULL, pair[1], NULL, 100, 0));
    SHOW(read(pair[0], buffer, 100));
    off = -1;
    SHOW(sendfile(to, from, &off, 10));
    SHOW(sendfile(to, from, (void *)16, 10));
    SHOW(sendfile(99, from, NULL, 10));
    SHOW(sendfile(to, 99, NULL, 10));
    SHOW(sendfile(fds[0], from, NULL, 10));
    SHOW(sendfile(to, from, NULL, -1));
    SHOW(sendfile(to, from, NULL, 0));
    fcntl(to, F_SETFL, O_APPEND);
    SHOW(sendfile(to, from, NULL, 10));
    close_both(pair);
    close_both(fds);
    close(from);
    close(to);
}

static long copy(int in, off64_t *off_in, int out, off64_t *off_out, size_t len, unsigned flags)
{
    return copy_file_range(in, off_in, out, off_out, len, flags);
}

static void copy_ranges(void)
{
    int from = file_of(3 * PAGE), to = file_of(10), dir = open("/tmp", O_RDONLY), fds[2];
    off64_t a = 100, b = 2 * PAGE;

    new_pipe(fds);
    SHOW(copy(from, NULL, to, NULL, 5000, 0));
    printf("at %d %d\n", (int)lseek(from, 0, SEEK_CUR), (int)lseek(to, 0, SEEK_CUR));
    SHOW(copy(from, &a, to, &b, 100000, 0));
    printf("offsets %d %d, size %d\n", (int)a, (int)b, (int)lseek(to, 0, SEEK_END));
    SHOW(copy(from, &a, to, &b, 100, 0));
    a = 0, b = 50;
    SHOW(copy(from, &a, from, &b, 51, 0));
    SHOW(copy(from, &a, from, &b, 50, 0));
    SHOW(copy(from, &a, to, &b, 0, 0));
    SHOW(copy(from, &a, to, &b, 1, 1));
    a = -5;
    SHOW(copy(from, &a, to, &b, 1, 0));
    SHOW(copy(from, (void *)16, to, &b, 1, 0));
    SHOW(copy(fds[0], NULL, to, NULL, 1, 0));
    SHOW(copy(from, NULL, fds[1], NULL, 1, 0));
    SHOW(copy(dir, NULL, to, NULL, 1, 0));
    SHOW(copy(99, NULL, to, NULL, 1, 0));
    SHOW(copy(from, NULL, 99, NULL, 1, 0));
    fcntl(to, F_SETFL, O_APPEND);
    SHOW(copy(from, NULL, to, NULL, 1, 0));
    close(dir);
    close(from);
    close(to);
    close_both(fds);
}

static void errors(void)
{
    int fd = file_of(10), other = file_of(10), fds[2];
    off64_t off = 0, negative = -1;

    new_pipe(fds);
    write(fds[1], "data", 4);
    SHOW(splice(fd, NULL, other, NULL, 10, 0));
    SHOW(splice(fd, NULL, fds[1], &off, 10, 0));
    SHOW(splice(fds[0], &off, fd, NULL, 10, 0));
    SHOW(splice(fd, NULL, fds[0], NULL, 10, 0));
    SHOW(splice(fds[1], NULL, fd, NULL, 10, 0));
    SHOW(splice(fd, (void *)16, fds[1], NULL, 10, 0));
    SHOW(splice(fd, &negative, fds[1], NULL, 10, 0));
    SHOW(splice(fds[0], NULL, fd, &negative, 10, 0));
    SHOW(splice(fds[0], NULL, fd, NULL, 10, 16));
    SHOW(splice(fds[0], NULL, fd, NULL, 0, 16));
    SHOW(splice(99, NULL, fd, NULL, 10, 0));
    SHOW(splice(fds[0], NULL, 99, NULL, 10, 0));
    SHOW(tee(fd, fds[1], 10, 0));
    SHOW(tee(fds[0], fd, 10, 0));
    SHOW(tee(99, fd, 10, 0));
    SHOW(tee(fds[0], fds[1], 10, 16));
    SHOW(queued(fds[0]));
    close(fd);
    close(other);
    close_both(fds);
}

/* Two who splice the same pipes against each other, killed in the middle. */
static void killed(void)
{
    int a[2], b[2], status;
    pid_t pids[4];

    DIE_UNLESS(pipe(a) == 0 && pipe(b) == 0);
    DIE_UNLESS(write(a[1], buffer, 5 * PAGE) == 5 * PAGE);
    for (int i = 0; i < 4; i++)
        if ((pids[i] = fork()) == 0)
            for (;;)
                splice(i & 1 ? a[0] : b[0], NULL, i & 1 ? b[1] : a[1], NULL, 1000 + i, 0);
    usleep(20000);
    for (int i = 0; i < 4; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], &status, 0);
        print_status("splicer", status);
    }
    SHOW(queued(a[0]) + queued(b[0]));
    close_both(a);
    close_both(b);
}

int main(void)
{
    from_file();
    no_append();
    to_file();
    between_pipes();
    user_memory();
    send_files();
    copy_ranges();
    errors();
    killed();
    return 0;
}
