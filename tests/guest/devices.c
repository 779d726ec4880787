/* The memory devices: null, zero, full, random. */
#include "guest.h"

static char buf[3 * PAGE];

static bool all_are(const char *p, size_t n, char c)
{
    while (n > 0 && p[n - 1] == c)
        n--;
    return n == 0;
}

static int node(const char *path, int flags)
{
    struct stat st;
    int fd = open(path, flags);

    DIE_UNLESS(fd >= 0 && fstat(fd, &st) == 0);
    printf("%s: %o, device %x\n", path, st.st_mode & S_IFMT, (unsigned)st.st_rdev);
    return fd;
}

static void null(void)
{
    int fd = node("/dev/null", O_RDWR | O_TRUNC);

    SHOW(read(fd, buf, 10));
    SHOW(write(fd, buf, sizeof(buf)));
    SHOW(write(fd, (void *)8, 10));
    SHOW(lseek(fd, 100, SEEK_SET));
    SHOW(lseek(fd, 0, SEEK_CUR));
    SHOW(pread(fd, buf, 10, 1000));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    SHOW(ftruncate(fd, 0));
    close(fd);
}

static void zero(void)
{
    int fd = node("/dev/zero", O_RDWR);

    memset(buf, 'x', sizeof(buf));
    SHOW(read(fd, buf + 1, 2 * PAGE));
    printf("zeros: %d, around: %c%c\n", all_are(buf + 1, 2 * PAGE, 0), buf[0], buf[2 * PAGE + 1]);
    SHOW(write(fd, buf, 100));
    SHOW(read(fd, (void *)8, 10));
    close(fd);
}

static void change(void *p)
{
    *(char *)p = 'c';
}

static void zero_mapped(void)
{
    int fd = open("/dev/zero", O_RDWR);
    char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *other = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    close(fd);
    DIE_UNLESS(private != MAP_FAILED && shared != MAP_FAILED && other != MAP_FAILED);
    printf("zeros: %d %d\n", all_are(private, PAGE, 0), all_are(shared, PAGE, 0));
    *private = *shared = 'p';
    in_child("child writes private", change, private);
    in_child("child writes shared", change, shared);
    printf("private %c, shared %c, another mapping %d\n", *private, *shared, *other);
}

static void full(void)
{
    int fd = node("/dev/full", O_RDWR);

    SHOW(read(fd, buf, 100));
    printf("zeros: %d\n", all_are(buf, 100, 0));
    SHOW(write(fd, buf, 100));
    SHOW(write(fd, buf, 0));
    close(fd);
}

static void randoms(const char *path)
{
    int fd = node(path, O_RDWR);
    char a[64], b[64];

    SHOW(read(fd, a, sizeof(a)));
    SHOW(read(fd, b, sizeof(b)));
    printf("the same twice: %d\n", memcmp(a, b, sizeof(a)) == 0);
    SHOW(read(fd, buf, sizeof(buf)));
    printf("zeros: %d\n", all_are(buf + PAGE, PAGE, 0));
    SHOW(read(fd, (void *)8, 10));
    SHOW(write(fd, a, sizeof(a)));
    close(fd);
}

int main(void)
{
    null();
    zero();
    zero_mapped();
    full();
    randoms("/dev/random");
    randoms("/dev/urandom");
    return 0;
}
