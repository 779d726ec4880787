/*
 * For the tests of ext2: where a file has data and holes, by SEEK_DATA and SEEK_HOLE and by FIEMAP,
 * and punching holes; says "well" when all was as it should be. As root, in a folder of the file
 * system. Blocks of the file system are BLOCK bytes.
 *
 *     space BLOCK
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE  4096
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define NEED(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            printf("line %d: %s: %s\n", __LINE__, #x, strerror(errno));                            \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static char bytes[1 << 20], back[1 << 20];
static int block;

static void fill(void)
{
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(1 + i / 509 % 250);
}

/* The file is what bytes[] says. */
static void compare(int fd, size_t size)
{
    NEED(pread(fd, back, size, 0) == (ssize_t)size);
    NEED(memcmp(back, bytes, size) == 0);
}

static void punch(int fd, off_t at, off_t len, size_t size)
{
    size_t end = (size_t)(at + len) < size ? (size_t)(at + len) : size;

    NEED(fallocate(fd, PUNCH, at, len) == 0);
    if ((size_t)at < end)
        memset(bytes + at, 0, end - (size_t)at);
    compare(fd, size);
}

static long blocks_of(int fd)
{
    struct stat st;

    NEED(fsync(fd) == 0 && fstat(fd, &st) == 0);
    return st.st_blocks;
}

static void seeking(void)
{
    int fd = open("seek", O_RDWR | O_CREAT | O_TRUNC, 0600);

    NEED(fd >= 0);
    NEED(lseek(fd, 0, SEEK_DATA) < 0 && errno == ENXIO);
    NEED(pwrite(fd, bytes, PAGE, 8 * PAGE) == PAGE && pwrite(fd, bytes, PAGE, 3000 * PAGE) == PAGE);
    for (int round = 0; round < 2; round++) { /* in memory alone, then on the disk */
        NEED(lseek(fd, 0, SEEK_DATA) == 8 * PAGE);
        NEED(lseek(fd, 0, SEEK_HOLE) == 0);
        NEED(lseek(fd, 8 * PAGE + 7, SEEK_DATA) == 8 * PAGE + 7);
        NEED(lseek(fd, 8 * PAGE + 7, SEEK_HOLE) == 9 * PAGE);
        NEED(lseek(fd, 9 * PAGE, SEEK_DATA) == 3000 * PAGE);
        NEED(lseek(fd, 3000 * PAGE + 1, SEEK_HOLE) == 3001 * PAGE);
        NEED(lseek(fd, 3001 * PAGE, SEEK_DATA) < 0 && errno == ENXIO);
        NEED(fsync(fd) == 0);
    }
    NEED(ftruncate(fd, 3001 * PAGE + 10) == 0);
    NEED(lseek(fd, 3001 * PAGE + 1, SEEK_HOLE) == 3001 * PAGE + 1);
    NEED(lseek(fd, 3001 * PAGE + 1, SEEK_DATA) < 0 && errno == ENXIO);
    close(fd);
}

static void punching(void)
{
    const size_t size = 600000;
    int fd = open("punch", O_RDWR | O_CREAT | O_TRUNC, 0600);
    long before;
    char *p;

    fill();
    NEED(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    before = blocks_of(fd);
    punch(fd, 10 * PAGE, 5 * PAGE, size);
    NEED(before - blocks_of(fd) == 5 * PAGE / 512);
    punch(fd, 20 * PAGE + 100, 50, size);
    punch(fd, 21 * PAGE + 100, 3 * PAGE, size);
    punch(fd, 0, PAGE + 1, size);
    punch(fd, 590000, 1000000, size);
    punch(fd, 700000, 1000000, size);
    NEED(lseek(fd, 10 * PAGE, SEEK_DATA) == 15 * PAGE);
    NEED(lseek(fd, 0, SEEK_END) == (off_t)size);
    punch(fd, 12 * PAGE, PAGE, size); /* a hole in a hole */
    memset(bytes + 12 * PAGE, 'x', 10);
    NEED(pwrite(fd, bytes + 12 * PAGE, 10, 12 * PAGE) == 10);
    compare(fd, size);
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    NEED(p != MAP_FAILED && memcmp(p, bytes, size) == 0);
    p[40 * PAGE] = bytes[40 * PAGE] = 'y';
    punch(fd, 40 * PAGE + 1, 9 * PAGE, size);
    NEED(memcmp(p, bytes, size) == 0);
    p[45 * PAGE] = bytes[45 * PAGE] = 'z';
    compare(fd, size);
    NEED(madvise(p + 60 * PAGE, 2 * PAGE, MADV_REMOVE) == 0);
    memset(bytes + 60 * PAGE, 0, 2 * PAGE);
    compare(fd, size);
    punch(fd, 0, (off_t)size, size);
    NEED(blocks_of(fd) <= 4 * PAGE / 512);
    munmap(p, size);
    close(fd);
}

/* A file with all levels of pointers, cut in the middle of each. */
static void levels(void)
{
    int fd = open("levels", O_RDWR | O_CREAT | O_TRUNC, 0600);
    const off_t at[] = {0, 12, 13, 200, 270, 300, 1036, 1037, 40000, 66000, 70000, 200000};
    const unsigned n = sizeof(at) / sizeof(*at);

    NEED(fd >= 0);
    for (unsigned i = 0; i < n; i++)
        NEED(pwrite(fd, "data", 4, at[i] * block) == 4);
    NEED(fsync(fd) == 0);
    for (unsigned i = 0; i < n; i += 2)
        NEED(fallocate(fd, PUNCH, at[i] * block / PAGE * PAGE, PAGE) == 0);
    for (unsigned i = 1; i < n; i += 2) {
        off_t page = at[i] * block / PAGE, other = at[i - 1] * block / PAGE;
        off_t next = i + 1 < n ? at[i + 1] * block / PAGE : -1;

        NEED(pread(fd, back, 4, at[i] * block) == 4);
        NEED(memcmp(back, page == other || page == next ? "\0\0\0\0" : "data", 4) == 0);
    }
    NEED(fallocate(fd, PUNCH, 0, (off_t)66000 * block) == 0);
    NEED(lseek(fd, 0, SEEK_DATA) >= (off_t)66000 * block / PAGE * PAGE);
    NEED(fallocate(fd, PUNCH, 0, (off_t)300000 * block) == 0 && blocks_of(fd) == 0);
    close(fd);
}

struct answer {
    struct fiemap m;
    struct fiemap_extent e[8];
};

static int ask(int fd, struct answer *a, unsigned long long start, unsigned long long len,
               unsigned flags, unsigned count)
{
    memset(a, 0, sizeof(*a));
    a->m.fm_start = start;
    a->m.fm_length = len;
    a->m.fm_flags = flags;
    a->m.fm_extent_count = count;
    return ioctl(fd, FS_IOC_FIEMAP, &a->m);
}

static void mapping(void)
{
    int fd = open("map", O_RDWR | O_CREAT | O_TRUNC, 0600), number = 8 * PAGE / block;
    struct answer a;
    struct stat st;

    NEED(fd >= 0 && fstat(fd, &st) == 0 && st.st_blksize == block);
    NEED(ask(fd, &a, 0, ~0ull, 0, 8) == 0 && a.m.fm_mapped_extents == 0);
    NEED(pwrite(fd, bytes, 2 * PAGE, 8 * PAGE) == 2 * PAGE &&
         pwrite(fd, bytes, PAGE, 100 * PAGE) == PAGE);
    NEED(ask(fd, &a, 0, ~0ull, FIEMAP_FLAG_SYNC, 8) == 0);
    NEED(a.m.fm_mapped_extents >= 2);
    NEED(a.e[0].fe_logical == 8 * PAGE && a.e[0].fe_physical % block == 0 && a.e[0].fe_physical);
    NEED(!(a.e[0].fe_flags & FIEMAP_EXTENT_LAST));
    NEED(a.e[a.m.fm_mapped_extents - 1].fe_flags & FIEMAP_EXTENT_LAST);
    NEED(a.e[a.m.fm_mapped_extents - 1].fe_logical == 100 * PAGE);
    NEED(ioctl(fd, FIBMAP, &number) == 0);
    NEED((unsigned long long)number * block == a.e[0].fe_physical);
    NEED(ask(fd, &a, 0, ~0ull, 0, 0) == 0 && a.m.fm_mapped_extents >= 2);
    NEED(ask(fd, &a, 20 * PAGE, PAGE, 0, 8) == 0 && a.m.fm_mapped_extents == 0);
    NEED(ask(fd, &a, 0, ~0ull, 0, 1) == 0 && a.m.fm_mapped_extents == 1);
    NEED(ask(fd, &a, 0, 0, 0, 1) < 0 && errno == EINVAL);
    NEED(ask(fd, &a, 0, 1, 0x40, 1) < 0 && errno == EBADR && a.m.fm_flags == 0x40);
    NEED(ask(fd, &a, 0, 1, 0, 0x10000000) < 0 && errno == EINVAL);
    NEED(ioctl(fd, FS_IOC_FIEMAP, NULL) < 0 && errno == EFAULT);
    NEED(fallocate(fd, 0, 0, PAGE) < 0 && errno == EOPNOTSUPP);
    NEED(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE) < 0 && errno == EOPNOTSUPP);
    NEED(posix_fallocate(fd, 0, 50 * PAGE) == 0);
    NEED(lseek(fd, 0, SEEK_HOLE) == 50 * PAGE);
    NEED(pread(fd, back, 2 * PAGE, 8 * PAGE) == 2 * PAGE && !memcmp(back, bytes, 2 * PAGE));
    close(fd);
}

int main(int argc, char **argv)
{
    block = argc > 1 ? atoi(argv[1]) : PAGE;
    fill();
    seeking();
    mapping();
    punching();
    levels();
    puts("well");
    return 0;
}
