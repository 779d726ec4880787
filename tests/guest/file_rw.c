/* Reading and writing regular files: positions, vectors, appending, sparse files, limits. */
#include "guest.h"
#include <sys/ioctl.h>

static char buf[3 * PAGE];

static void positions(void)
{
    int fd = make_file("f", 0);

    SHOW(write(fd, "0123456789", 10));
    SHOW(lseek(fd, 2, SEEK_SET));
    SHOW(read(fd, buf, 3));
    printf("%.3s\n", buf);
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(lseek(fd, -2, SEEK_CUR));
    SHOW(lseek(fd, -20, SEEK_CUR));
    SHOW(lseek(fd, -3, SEEK_END));
    SHOW(read(fd, buf, 10));
    SHOW(read(fd, buf, 10));
    SHOW(lseek(fd, 5, SEEK_END));
    SHOW(read(fd, buf, 10));
    SHOW(lseek(fd, 0, 17));
    SHOW(lseek(fd, 0, SEEK_DATA));
    SHOW(lseek(fd, 10, SEEK_DATA));
    SHOW(lseek(fd, 3, SEEK_HOLE));
    SHOW(lseek(fd, 11, SEEK_HOLE));
    SHOW(lseek(99, 0, SEEK_SET));
    SHOW(pread(fd, buf, 4, 6));
    SHOW(pread(fd, buf, 4, 8));
    SHOW(pread(fd, buf, 4, 10));
    SHOW(pread(fd, buf, 4, -1));
    SHOW(pwrite(fd, "ab", 2, 1));
    SHOW(pread(fd, buf, 10, 0));
    printf("%.10s\n", buf);
    int n;
    SHOW(lseek(fd, 4, SEEK_SET));
    SHOW(ioctl(fd, FIONREAD, &n));
    printf("left: %d\n", n);
    SHOW(ioctl(fd, 0x5401, buf));
    SHOW(ioctl(fd, 0x12345678, buf));
    close(fd);
}

static void big_positions(void)
{
    int fd = open("f", O_RDWR | O_LARGEFILE);
    long long result = 0;

    SHOW(syscall(SYS__llseek, fd, 1, 5, &result, SEEK_SET));
    printf("at %llx\n", result);
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(read(fd, buf, 1));
    SHOW(syscall(SYS__llseek, fd, 0, 0, 8, SEEK_SET));
    SHOW(syscall(SYS__llseek, fd, -1, -1, &result, SEEK_SET));
    SHOW(syscall(SYS_pwrite64, fd, "x", 1, 0, 1));
    SHOW(syscall(SYS__llseek, fd, 0, 0, &result, SEEK_END));
    printf("end %llx\n", result);
    SHOW(syscall(SYS_pread64, fd, buf, 10, 0xfffffffe, 0));
    printf("bytes: %d %d %c\n", buf[0], buf[1], buf[2]);
    SHOW(ftruncate(fd, 3));
    close(fd);
}

static void appending(void)
{
    int a = make_file("a", 0), b = open("a", O_WRONLY | O_APPEND);

    SHOW(write(a, "one", 3));
    SHOW(write(b, "two", 3));
    SHOW(lseek(b, 0, SEEK_CUR));
    SHOW(lseek(b, 0, SEEK_SET));
    SHOW(write(b, "three", 5));
    SHOW(lseek(b, 0, SEEK_CUR));
    SHOW(pwrite(b, "four", 4, 0));
    SHOW(write(a, "ONE", 3));
    SHOW(pread(a, buf, 100, 0));
    printf("%.18s\n", buf);
    close(a);
    close(b);
}

static void sparse(void)
{
    int fd = make_file("s", 0);

    SHOW(pwrite(fd, "end", 3, 5 * PAGE + 7));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(pread(fd, buf, PAGE, PAGE));
    printf("hole is zero: %d\n", all_bytes(buf, PAGE, 0));
    SHOW(ftruncate(fd, PAGE + 10));
    SHOW(pwrite(fd, "tail", 4, PAGE + 4));
    SHOW(ftruncate(fd, PAGE + 6));
    SHOW(ftruncate(fd, 2 * PAGE));
    SHOW(pread(fd, buf, 2 * PAGE, PAGE));
    printf("cut off: %d, %.2s\n", all_bytes(buf + 6, PAGE - 6, 0), buf + 4);
    SHOW(ftruncate(fd, -1));
    SHOW(truncate("s", 5));
    SHOW(truncate("s", -5));
    SHOW(truncate("none", 5));
    SHOW(truncate(".", 5));
    SHOW(lseek(fd, 0, SEEK_END));
    close(fd);
    fd = open("s", O_RDONLY);
    SHOW(ftruncate(fd, 0));
    close(fd);
}

static void bad_memory(void)
{
    int fd = make_file("f", 2 * PAGE);
    char *p = map_anon(2);

    DIE_UNLESS(munmap(p + PAGE, PAGE) == 0);
    SHOW(pread(fd, p, 2 * PAGE, 0));
    SHOW(pread(fd, p + PAGE - 10, 100, 0));
    SHOW(pread(fd, p + PAGE, 100, 0));
    SHOW(pread(fd, (void *)0xfffff000, 100, 0));
    SHOW(pread(fd, p + PAGE, 0, 0));
    SHOW(pwrite(fd, p, 2 * PAGE, 0));
    SHOW(pwrite(fd, p + PAGE - 10, 100, 100));
    SHOW(pwrite(fd, p + PAGE, 100, 0));
    SHOW(pwrite(fd, (void *)0xfffff000, 100, 0));
    SHOW(pwrite(fd, p + PAGE, 0, 0));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(mprotect(p, PAGE, PROT_READ));
    SHOW(pread(fd, p, 10, 0));
    close(fd);
}

static void vectors(void)
{
    int fd = make_file("v", 0), bad = open("v", O_RDONLY);
    struct iovec v[3] = {{"abc", 3}, {NULL, 0}, {"defgh", 5}}, w[2] = {{buf, 4}, {buf + 10, 10}};

    SHOW(writev(fd, v, 3));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(readv(fd, w, 2));
    printf("%.4s %.4s\n", buf, buf + 10);
    SHOW(readv(fd, w, 2));
    SHOW(preadv(fd, w, 2, 3));
    printf("%.4s %.1s\n", buf, buf + 10);
    SHOW(pwritev(fd, v, 3, 2));
    SHOW(writev(bad, v, 3));
    SHOW(writev(fd, v, -1));
    SHOW(writev(fd, v, 1025));
    SHOW(writev(fd, v, 0));
    SHOW(syscall(SYS_writev, fd, 8, 1));
    v[1].iov_len = 0x80000000u;
    SHOW(writev(fd, v, 3));
    v[1] = (struct iovec){(void *)8, 4};
    SHOW(pwritev(fd, v, 3, 0));
    v[0] = v[1];
    SHOW(pwritev(fd, v, 3, 0));
    SHOW(preadv(fd, w, 2, -1));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(syscall(SYS_preadv2, fd, w, 2, -1, -1, 0));
    SHOW(syscall(SYS_preadv2, fd, w, 2, 0, 0, 0));
    SHOW(syscall(SYS_preadv2, fd, w, 2, 0, 0, 0x40000000));
    close(fd);
    close(bad);
}

static void large_transfers(void)
{
    size_t size = 300 * 1024 + 17;
    char *p = malloc(size), *q = malloc(size);
    int fd = make_file("l", 0);

    for (size_t i = 0; i < size; i++)
        p[i] = (char)(i * 7 + i / PAGE);
    SHOW(write(fd, p, size));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(read(fd, q, size + 5 * PAGE - 5 * PAGE));
    printf("same: %d\n", memcmp(p, q, size) == 0);
    SHOW(pread(fd, q, size, 1));
    printf("same: %d\n", memcmp(p + 1, q, size - 1) == 0);
    close(fd);
    free(p);
    free(q);
}

/* The transcript may be a file as well: nothing is printed while the limit holds. */
static void size_limit(void *unused)
{
    struct rlimit limit = {1000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    int fd = make_file("z", 900);
    long r[5];

    (void)unused;
    signal(SIGXFSZ, SIG_IGN);
    DIE_UNLESS(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    r[0] = pwrite(fd, buf, 200, 900);
    r[1] = pwrite(fd, buf, 200, 1000);
    r[2] = errno == EFBIG;
    r[3] = ftruncate(fd, 1001);
    r[4] = ftruncate(fd, 1000);
    DIE_UNLESS(setrlimit(RLIMIT_FSIZE, &none) == 0);
    printf("%ld %ld EFBIG %ld; truncate %ld %ld\n", r[0], r[1], r[2], r[3], r[4]);
    SHOW(lseek(fd, 0, SEEK_END));
    signal(SIGXFSZ, SIG_DFL);
    setrlimit(RLIMIT_FSIZE, &limit);
    write(fd, buf, 1);
}

static void allocation(void)
{
    int fd = make_file("w", 100), ro = open("w", O_RDONLY), d = open(".", O_RDONLY);

    SHOW(fallocate(fd, 0, 50, 10));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(fallocate(fd, 0, 150, 100));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(fallocate(fd, 1, 150, 1000));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(fallocate(fd, 0, 0, 0));
    SHOW(fallocate(fd, 0, -1, 5));
    SHOW(fallocate(ro, 0, 0, 5));
    SHOW(fallocate(99, 0, 0, 5));
    SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
    SHOW(posix_fadvise(fd, 0, 0, 77));
    SHOW(fsync(fd));
    SHOW(fdatasync(ro));
    SHOW(fsync(99));
    SHOW(syncfs(d));
    close(fd);
    close(ro);
    close(d);
}

static void shared_position(void)
{
    int fd = make_file("p", 0), status;
    pid_t pid;

    SHOW(write(fd, "0123456789", 10));
    SHOW(lseek(fd, 0, SEEK_SET));
    pid = fork();
    if (pid == 0) {
        SHOW(read(fd, buf, 4));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    SHOW(read(fd, buf, 4));
    printf("%.4s\n", buf);
    int copy = dup(fd), other = open("p", O_RDONLY);
    SHOW(read(copy, buf, 1));
    printf("%.1s\n", buf);
    SHOW(read(other, buf, 1));
    printf("%.1s\n", buf);
}

static void set_id_bits(void)
{
    struct stat st;
    int fd;

    if (getuid() != 0)
        return;
    close(make_file("id", 10));
    DIE_UNLESS(chmod("id", 06777) == 0);
    fd = open("id", O_WRONLY);
    DIE_UNLESS(write(fd, "x", 1) == 1 && fstat(fd, &st) == 0);
    printf("root writes: %o\n", st.st_mode & 07777);
    DIE_UNLESS(setegid(65534) == 0 && seteuid(65534) == 0);
    DIE_UNLESS(write(fd, "x", 1) == 1 && fstat(fd, &st) == 0);
    printf("nobody writes: %o\n", st.st_mode & 07777);
    DIE_UNLESS(seteuid(0) == 0 && setegid(0) == 0);
    close(fd);
}

int main(void)
{
    DIE_UNLESS(mkdir("t", 0777) == 0 && chdir("t") == 0);
    positions();
    big_positions();
    appending();
    sparse();
    bad_memory();
    vectors();
    large_transfers();
    in_child("size limit", size_limit, NULL);
    allocation();
    shared_position();
    set_id_bits();
    return 0;
}
