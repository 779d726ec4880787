/* What files are: the stat layouts, permissions, owners, times. */
#include "guest.h"
#include <grp.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <utime.h>

static struct stat st;

struct stat_i386 {
    uint32_t dev, ino;
    uint16_t mode, nlink, uid, gid;
    uint32_t rdev, size, blksize, blocks, atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
    uint32_t unused[2];
};

struct stat64_i386 {
    uint64_t dev;
    uint32_t pad0, ino32, mode, nlink, uid, gid;
    uint64_t rdev;
    uint32_t pad1;
    int64_t size;
    uint32_t blksize;
    uint64_t blocks;
    uint32_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
    uint64_t ino;
} __attribute__((packed));

static void layouts(void)
{
    struct stat_i386 s;
    struct stat64_i386 s64;
    struct statx sx;

    close(make_file("f", 5000));
    DIE_UNLESS(chmod("f", 04751) == 0 && link("f", "g") == 0);
    DIE_UNLESS(syscall(SYS_stat, "f", &s) == 0 && syscall(SYS_stat64, "f", &s64) == 0);
    printf("stat: mode %o, links %d, size %u\n", s.mode, s.nlink, s.size);
    printf("stat64: mode %o, links %d, size %lld\n", s64.mode, s64.nlink, (long long)s64.size);
    printf("agree: %d %d %d %d\n", s.ino == s64.ino32, s.mtime == s64.mtime,
           s.mtime_nsec == s64.mtime_nsec, s64.ino == s64.ino32);
    DIE_UNLESS(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx) == 0);
    printf("statx: mode %o, links %d, size %lld, mask %x\n", sx.stx_mode, sx.stx_nlink,
           (long long)sx.stx_size, sx.stx_mask & STATX_BASIC_STATS);
    printf("agree: %d %d\n", sx.stx_ino == s64.ino, sx.stx_mtime.tv_sec == s64.mtime);
    DIE_UNLESS(statx(AT_FDCWD, "/dev/null", 0, STATX_BASIC_STATS, &sx) == 0);
    printf("null: %d:%d mode %o\n", sx.stx_rdev_major, sx.stx_rdev_minor, sx.stx_mode & S_IFMT);
    DIE_UNLESS(stat("/dev/null", &st) == 0);
    printf("null: %x\n", (int)st.st_rdev);
    SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000u, &sx));
    SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, 1, &sx));
    SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0x10000, 1, &sx));
    SHOW(syscall(SYS_statx, AT_FDCWD, "f", 0, 1, 8));
    SHOW(syscall(SYS_stat, "none", &s));
    SHOW(syscall(SYS_fstat64, 99, &s64));
    SHOW(unlink("g"));
}

static void past_2g(void)
{
    struct stat_i386 s;
    struct stat64_i386 s64;
    int fd = syscall(SYS_open, "big", O_CREAT | O_RDWR | O_LARGEFILE, 0600);

    SHOW(syscall(SYS_ftruncate64, fd, 0, 1));
    SHOW(syscall(SYS_fstat, fd, &s));
    SHOW(syscall(SYS_fstat64, fd, &s64));
    printf("size %llx\n", (long long)s64.size);
    close(fd);
    SHOW(unlink("big"));
}

static void modes(void)
{
    int fd = open("f", O_RDONLY);

    SHOW(chmod("f", 0));
    SHOW(fchmod(fd, 07777));
    DIE_UNLESS(stat("f", &st) == 0);
    printf("%o\n", st.st_mode & 07777);
    SHOW(chmod("f", 0177777));
    DIE_UNLESS(stat("f", &st) == 0);
    printf("%o, regular %d\n", st.st_mode & 07777, S_ISREG(st.st_mode));
    SHOW(fchmodat(AT_FDCWD, "f", 0644, 0));
    SHOW(chmod("none", 0644));
    SHOW(fchmod(99, 0644));
    DIE_UNLESS(symlink("f", "l") == 0);
    SHOW(chmod("l", 0600));
    DIE_UNLESS(stat("f", &st) == 0);
    printf("%o\n", st.st_mode & 07777);
    close(fd);
}

static void show_owner(const char *path)
{
    DIE_UNLESS(lstat(path, &st) == 0);
    printf("%s: %d %d %o\n", path, (int)st.st_uid, (int)st.st_gid, st.st_mode & 07777);
}

static void as_owner(void *unused)
{
    gid_t groups[2] = {20, 30};

    (void)unused;
    DIE_UNLESS(setgroups(2, groups) == 0 && setgid(10) == 0 && setuid(1000) == 0);
    SHOW(chown("f", -1, 30));
    SHOW(chown("f", 1000, 20));
    SHOW(chown("f", -1, 40));
    SHOW(chown("f", 0, -1));
    SHOW(chmod("f", 02755));
    show_owner("f");
    SHOW(chown("/", -1, 20));
    SHOW(chmod("/", 0777));
    SHOW(utimes("/", NULL));
}

static void owners(void)
{
    if (getuid() != 0)
        return;
    DIE_UNLESS(chmod("f", 06755) == 0);
    SHOW(chown("f", 1000, 2000));
    show_owner("f");
    SHOW(chown("f", -1, -1));
    SHOW(lchown("l", 7, 8));
    show_owner("l");
    show_owner("f");
    SHOW(syscall(SYS_chown, "f", 0xffff, 9));
    show_owner("f");
    SHOW(syscall(SYS_chown32, "f", 70000, 80000));
    show_owner("f");
    struct stat_i386 s;
    DIE_UNLESS(syscall(SYS_stat, "f", &s) == 0);
    printf("16 bits: %d %d\n", s.uid, s.gid);
    SHOW(fchownat(AT_FDCWD, "f", 1000, 2000, 0x10));
    SHOW(fchownat(AT_FDCWD, "f", 1000, 2000, 0));
    DIE_UNLESS(chmod(".", 0777) == 0);
    in_child("owner", as_owner, NULL);
}

static void show_times(void)
{
    DIE_UNLESS(lstat("f", &st) == 0);
    printf("atime %ld.%09ld mtime %ld.%09ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
           (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void times(void)
{
    struct timespec t[2] = {{1000, 5}, {2000, 999999999}};
    struct timeval tv[2] = {{3000, 7}, {4000, 999999}};
    struct utimbuf ub = {5000, 6000};
    int fd = open("f", O_RDWR);

    SHOW(utimensat(AT_FDCWD, "f", t, 0));
    show_times();
    SHOW(utimes("f", tv));
    show_times();
    SHOW(utime("f", &ub));
    show_times();
    t[0].tv_nsec = UTIME_OMIT;
    SHOW(futimens(fd, t));
    show_times();
    t[1].tv_nsec = 1000000000;
    SHOW(futimens(fd, t));
    tv[0].tv_usec = 1000000;
    SHOW(utimes("f", tv));
    SHOW(utimes("none", NULL));
    t[1].tv_nsec = UTIME_NOW;
    SHOW(futimens(fd, t));
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("now: %d %d\n", st.st_mtime > 1000000, st.st_atime == 5000);
    SHOW(utimes("f", NULL));
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("now: %d %d\n", st.st_mtime > 1000000, st.st_atime > 1000000);
    SHOW(utimensat(AT_FDCWD, "f", NULL, 0x1));
    SHOW(utimensat(99, "f", NULL, 0));
    SHOW(futimens(99, NULL));
    close(fd);
}

static bool newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

/* Which of the times a change moves. */
static void what_moves_times(void)
{
    static const struct timespec old[2] = {{1000, 0}, {1000, 0}};
    struct timespec before;
    char c;
    int fd = open("f", O_RDWR);

#define CHANGE(act)                                                                                \
    do {                                                                                           \
        DIE_UNLESS(futimens(fd, old) == 0 && fstat(fd, &st) == 0);                                 \
        before = st.st_ctim;                                                                       \
        usleep(20000);                                                                             \
        DIE_UNLESS((act) >= 0 && fstat(fd, &st) == 0);                                             \
        printf("%s: mtime %d ctime %d\n", #act, st.st_mtime != 1000, newer(&st.st_ctim, &before)); \
    } while (0)

    CHANGE(write(fd, "x", 1));
    CHANGE(write(fd, "x", 0));
    CHANGE(ftruncate(fd, 3));
    CHANGE(fchmod(fd, 0600));
    CHANGE(link("f", "f2"));
    CHANGE(unlink("f2"));
    CHANGE(rename("f", "f3"));
    CHANGE(rename("f3", "f"));
    CHANGE(pread(fd, &c, 1, 0));
    close(fd);
    DIE_UNLESS(mkdir("dir", 0755) == 0);
    fd = open("dir", O_RDONLY);
    CHANGE(close(open("dir/new", O_CREAT | O_WRONLY, 0600)));
    CHANGE(close(open("dir/new", O_WRONLY)));
    CHANGE(mkdir("dir/sub", 0700));
    CHANGE(rmdir("dir/sub"));
    CHANGE(unlink("dir/new"));
    close(fd);
}

static void file_systems(void)
{
    struct statfs s;
    char buf[100];
    int fd = open("f", O_RDONLY);

    SHOW(statfs(".", &s));
    printf("name length %d, block size %d\n", (int)s.f_namelen, (int)s.f_bsize);
    SHOW(fstatfs(fd, &s));
    SHOW(fstatfs(99, &s));
    SHOW(statfs("none", &s));
    SHOW(syscall(SYS_statfs64, ".", 84, buf));
    SHOW(syscall(SYS_statfs64, ".", 80, buf));
    SHOW(syscall(SYS_statfs64, ".", 84, 8));
    SHOW(statfs("/proc", &s));
    printf("proc: %x\n", (int)s.f_type);
    close(fd);
}

static void extended(void)
{
    char buf[16];
    int fd = open("f", O_RDWR);

    SHOW(syscall(SYS_getxattr, "none", "user.x", buf, 16));
    SHOW(syscall(SYS_getxattr, "f", "", buf, 16));
    SHOW(syscall(SYS_fgetxattr, 99, "user.x", buf, 16));
    SHOW(syscall(SYS_getxattr, "f", 8, buf, 16));
    close(fd);
}

int main(void)
{
    umask(022);
    DIE_UNLESS(mkdir("t", 0777) == 0 && chdir("t") == 0);
    layouts();
    past_2g();
    modes();
    owners();
    times();
    what_moves_times();
    file_systems();
    extended();
    return 0;
}
