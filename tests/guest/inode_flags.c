/* chattr's flags on what lives in memory: immutable and append-only files and directories. */
#include "guest.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

static void set(const char *name, int flags)
{
    int fd = open(name, O_RDONLY);

    printf("%s %x: ", name, flags);
    SHOW(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    close(fd);
}

static void get(const char *name)
{
    int fd = open(name, O_RDONLY), flags = -1;
    struct statx s;

    SHOW(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    statx(AT_FDCWD, name, 0, STATX_BASIC_STATS, &s);
    printf("%s: %x, attributes %x of %x\n", name, flags, (int)s.stx_attributes & 0xffff,
           (int)s.stx_attributes_mask & 0xffff);
    close(fd);
}

static void try_open(const char *name, int flags)
{
    int fd = open(name, flags, 0600);

    printf("open %s %x: %s\n", name, flags, fd < 0 ? error_name(errno) : "ok");
    if (fd >= 0)
        close(fd);
}

static void try_all(const char *name, int writer)
{
    const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}, then[2] = {{1, 0}, {2, 0}};
    const struct timespec part[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    const struct timespec none[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    int ro = open(name, O_RDONLY);

    try_open(name, O_RDONLY);
    try_open(name, O_WRONLY);
    try_open(name, O_RDWR | O_APPEND);
    try_open(name, O_WRONLY | O_TRUNC | O_APPEND);
    try_open(name, O_RDONLY | O_TRUNC);
    SHOW(write(writer, "x", 1));
    SHOW(ftruncate(writer, 1));
    SHOW(truncate(name, 1));
    SHOW(fallocate(writer, 0, 0, 10));
    SHOW(fallocate(writer, FALLOC_FL_KEEP_SIZE, 0, 10));
    SHOW(fallocate(writer, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 10));
    SHOW(chmod(name, 0644));
    SHOW(fchmod(ro, 0644));
    SHOW(chown(name, 0, 0));
    SHOW(utimensat(AT_FDCWD, name, NULL, 0));
    SHOW(utimensat(AT_FDCWD, name, now, 0));
    SHOW(utimensat(AT_FDCWD, name, then, 0));
    SHOW(utimensat(AT_FDCWD, name, part, 0));
    SHOW(utimensat(AT_FDCWD, name, none, 0));
    SHOW(access(name, W_OK));
    SHOW(access(name, R_OK));
    SHOW(link(name, "linked"));
    SHOW(rename(name, "renamed"));
    SHOW(rename("other", name));
    SHOW(unlink(name));
    SHOW(setxattr(name, "trusted.a", "v", 1, 0));
    SHOW(removexattr(name, "trusted.a"));
    SHOW(fcntl(writer, F_SETFL, 0));
    SHOW(fcntl(writer, F_SETFL, O_APPEND));
    SHOW(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, writer, 0) == MAP_FAILED ? -1 : 0);
    close(ro);
}

static void try_directory(const char *name)
{
    char inside[40], fresh[40];

    snprintf(inside, sizeof(inside), "%s/inside", name);
    snprintf(fresh, sizeof(fresh), "%s/fresh", name);
    try_open(inside, O_RDWR);
    try_open(fresh, O_RDWR | O_CREAT);
    SHOW(unlink(fresh));
    SHOW(mkdir(fresh, 0700));
    SHOW(rmdir(fresh));
    SHOW(link("other", fresh));
    SHOW(symlink("x", fresh));
    SHOW(rename("other", fresh));
    SHOW(rename(fresh, "other"));
    SHOW(unlink(inside));
    SHOW(rename(inside, "moved"));
    SHOW(rename(name, "elsewhere"));
    SHOW(rmdir(name));
    SHOW(chmod(name, 0755));
    SHOW(utimensat(AT_FDCWD, name, NULL, 0));
    SHOW(setxattr(name, "trusted.a", "v", 1, 0));
}

static void as_user(void *arg)
{
    int fd, flags = 0;

    (void)arg;
    DIE_UNLESS(setuid(1000) == 0);
    fd = open("file", O_RDONLY);
    SHOW(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    SHOW(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    close(fd);
    fd = open("mine", O_RDONLY);
    flags = FS_NODUMP_FL;
    SHOW(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    flags = FS_IMMUTABLE_FL;
    SHOW(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    close(fd);
    get("mine");
}

int main(void)
{
    int writer = open("file", O_RDWR | O_CREAT, 0644), p[2];

    close(open("other", O_RDWR | O_CREAT, 0644));
    close(open("mine", O_RDWR | O_CREAT, 0644));
    chown("mine", 1000, 1000);
    write(writer, "hello", 5);
    get("file");
    set("file", FS_IMMUTABLE_FL);
    get("file");
    try_all("file", writer);
    set("file", 0);
    get("file");
    set("file", FS_APPEND_FL);
    get("file");
    try_all("file", writer);
    set("file", FS_APPEND_FL | FS_NODUMP_FL);
    get("file");
    in_child("user", as_user, NULL);
    set("file", FS_SYNC_FL);
    set("file", FS_COMPR_FL | FS_IMMUTABLE_FL);
    set("file", 0);
    mkdir("dir", 0755);
    close(open("dir/inside", O_RDWR | O_CREAT, 0644));
    get("dir");
    set("dir", FS_IMMUTABLE_FL);
    try_directory("dir");
    set("dir", FS_APPEND_FL);
    try_directory("dir");
    set("dir", 0);
    set("dir", FS_NODUMP_FL | FS_NOATIME_FL);
    close(open("dir/heir", O_RDWR | O_CREAT, 0644));
    get("dir/heir");
    mkdir("dir/below", 0755);
    get("dir/below");
    SHOW(ioctl(writer, FS_IOC_GETFLAGS, 16));
    SHOW(ioctl(writer, FS_IOC_SETFLAGS, 16));
    get("/proc/self/status");
    get("/dev/null");
    DIE_UNLESS(pipe(p) == 0);
    SHOW(ioctl(p[0], FS_IOC_GETFLAGS, &p[1]));
    return 0;
}
