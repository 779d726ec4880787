/*
 * Random operations on files: create, write, append, truncate, rename, link, symlink, unlink,
 * mkdir, rmdir, stores through a mapping, holes, fsync, punched holes. fs_random [DIR [SEED
 * [OPERATIONS]]]: the tree that is left, and the checksum of all results and contents that is
 * printed, are the same on every file system.
 */
#include "guest.h"
#include <dirent.h>

#define NAMES    24
#define DIRS     4
#define FILE_MAX (3u << 20)

static uint32_t seed = 1, sum = 2166136261u;
static char bytes[70000];

static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void note(long r)
{
    sum = (sum ^ (uint32_t)(r < 0 ? -errno : r)) * 16777619u;
}

static const char *path(void)
{
    static char bufs[4][96];
    static unsigned turn;
    char *p = bufs[turn++ % 4];
    uint32_t name = rnd(NAMES), dir = rnd(DIRS + 2);

    if (dir < DIRS)
        sprintf(p, "d%u/%s%u", dir, name % 3 ? "n" : "a-name-that-is-quite-a-bit-longer-", name);
    else
        sprintf(p, "n%u", name);
    return p;
}

static void fill(uint32_t n)
{
    uint32_t v = rnd(1u << 24);

    for (uint32_t i = 0; i < n; i++)
        bytes[i] = (char)(v + i * 7 + (i >> 8));
}

static void write_some(int flags)
{
    int fd = open(path(), O_RDWR | O_CREAT | flags, 0600 + rnd(64));
    uint32_t n = 1 + rnd(rnd(4) ? 3000 : sizeof(bytes) - 1);

    note(fd < 0 ? -1 : 0);
    fill(n);
    if (fd < 0)
        return;
    note(pwrite(fd, bytes, n, rnd(FILE_MAX)));
    if (rnd(3) == 0)
        note(write(fd, bytes, n / 2));
    if (rnd(16) == 0)
        note(rnd(2) ? fsync(fd) : fdatasync(fd));
    close(fd);
}

static void map_some(void)
{
    int fd = open(path(), O_RDWR);
    struct stat st;
    uint32_t at = 0;
    char *p;

    note(fd < 0 ? -1 : 0);
    if (fd < 0)
        return;
    note(fstat(fd, &st));
    if (st.st_size > 0 && S_ISREG(st.st_mode)) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        for (int i = 0; p != MAP_FAILED && i < 20; i++) {
            at = rnd((uint32_t)st.st_size);
            sum = (sum ^ (uint8_t)p[at]) * 16777619u;
            p[at] = (char)i;
        }
        if (p != MAP_FAILED)
            munmap(p, (size_t)st.st_size);
    } else {
        close(fd);
    }
}

static void read_some(void)
{
    int fd = open(path(), O_RDONLY);
    long n;

    note(fd < 0 ? -1 : 0);
    if (fd < 0)
        return;
    n = pread(fd, bytes, sizeof(bytes), rnd(FILE_MAX));
    note(n);
    for (long i = 0; i < n; i += 13)
        sum = (sum ^ (uint8_t)bytes[i]) * 16777619u;
    close(fd);
}

/* Zeros over a range, by a hole where there are such. */
static void punch_some(void)
{
    int fd = open(path(), O_RDWR);
    struct stat st;
    off_t at = (off_t)rnd(FILE_MAX), len = 1 + (off_t)rnd(rnd(3) ? 20000 : 600000);

    if (rnd(2)) {
        at &= ~(off_t)(PAGE - 1);
        len = (len + PAGE - 1) & ~(off_t)(PAGE - 1);
    }
    note(fd < 0 ? -1 : 0);
    if (fd < 0)
        return;
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len)) {
        DIE_UNLESS(errno == EOPNOTSUPP && fstat(fd, &st) == 0);
        memset(bytes, 0, sizeof(bytes));
        for (off_t end = at + len < st.st_size ? at + len : st.st_size; at < end;) {
            long n = pwrite(fd, bytes, end - at < 65536 ? (size_t)(end - at) : 65536, at);

            DIE_UNLESS(n > 0);
            at += n;
        }
    }
    errno = 0;
    close(fd);
}

/* Unlinked while open: it is there until it is closed. */
static void unlink_open(void)
{
    const char *p = path();
    int fd = open(p, O_RDWR);

    note(unlink(p));
    if (fd < 0)
        return;
    note(pwrite(fd, "gone", 4, 100000));
    note(pread(fd, bytes, 4, 100000));
    close(fd);
}

static void operate(void)
{
    char dir[8];

    sprintf(dir, "d%u", rnd(DIRS));
    switch (rnd(18)) {
    case 0:
    case 1:
    case 2:
        write_some(0);
        break;
    case 3:
        write_some(O_APPEND);
        break;
    case 4:
        write_some(O_TRUNC);
        break;
    case 5:
        note(truncate(path(), (off_t)rnd(FILE_MAX)));
        break;
    case 6:
        note(rename(path(), path()));
        break;
    case 7:
        note(link(path(), path()));
        break;
    case 8:
        note(symlink(
            rnd(2) ? "n1"
                   : "d0/a-target-which-is-too-long-for-the-inode-so-it-has-a-block-of-its-own",
            path()));
        break;
    case 9:
        note(unlink(path()));
        break;
    case 10:
        note(mkdir(rnd(2) ? dir : path(), 0755));
        break;
    case 11:
        note(rmdir(rnd(2) ? dir : path()));
        break;
    case 12:
        map_some();
        break;
    case 13:
        read_some();
        break;
    case 14:
        unlink_open();
        break;
    case 15:
    case 16:
        punch_some();
        break;
    default:
        note(chmod(path(), rnd(0777)));
        break;
    }
}

int main(int argc, char **argv)
{
    uint32_t operations = argc > 3 ? (uint32_t)atoi(argv[3]) : 600;
    const char *dir = argc > 1 ? argv[1] : "tree";

    if (argc > 2)
        seed = (uint32_t)atoi(argv[2]);
    umask(022);
    mkdir(dir, 0755);
    if (chdir(dir))
        return 1;
    for (uint32_t i = 0; i < operations; i++) {
        errno = 0;
        operate();
        if (argc > 4 && i % 100 == 0)
            printf("at %u\n", i);
    }
    printf("%u operations: %08x\n", operations, sum);
    return 0;
}
