/* open(2): which flags do what with which files, and what is refused. */
#include "guest.h"
#include <sys/ioctl.h>

#define OPEN(path, ...)                                                                            \
    do {                                                                                           \
        int fd_ = syscall(SYS_open, path, __VA_ARGS__);                                            \
        printf("open %s, %s: %s\n", #path, #__VA_ARGS__, fd_ < 0 ? error_name(errno) : "ok");      \
        if (fd_ >= 0)                                                                              \
            close(fd_);                                                                            \
    } while (0)

static void creating(void)
{
    struct stat st;

    OPEN("a", O_RDONLY);
    OPEN("a", O_CREAT | O_RDONLY, 0640);
    DIE_UNLESS(stat("a", &st) == 0);
    printf("mode %o, links %d, size %ld\n", (int)st.st_mode, (int)st.st_nlink, (long)st.st_size);
    OPEN("a", O_CREAT | O_EXCL | O_WRONLY, 0600);
    OPEN("b/", O_CREAT | O_WRONLY, 0600);
    OPEN("none/b", O_CREAT | O_WRONLY, 0600);
    OPEN("a/b", O_CREAT | O_WRONLY, 0600);
    OPEN(".", O_CREAT | O_RDONLY, 0600);
    OPEN(".", O_CREAT | O_EXCL | O_RDONLY, 0600);
    OPEN("..", O_CREAT | O_WRONLY, 0600);
    OPEN("/", O_CREAT | O_RDONLY, 0600);
    OPEN("", O_CREAT | O_RDONLY, 0600);
    umask(077);
    OPEN("masked", O_CREAT | O_RDWR, 07777);
    DIE_UNLESS(stat("masked", &st) == 0);
    printf("mode %o\n", (int)st.st_mode);
    umask(022);
    int fd = creat("readonly", 0400);
    SHOW(write(fd, "data", 4));
    SHOW(read(fd, &st, 1));
    close(fd);
}

static void directories(void)
{
    char c;
    int fd;

    DIE_UNLESS(mkdir("d", 0755) == 0);
    OPEN("d", O_RDONLY);
    OPEN("d", O_WRONLY);
    OPEN("d", O_RDWR);
    OPEN("d", O_RDONLY | O_TRUNC);
    OPEN("d", O_CREAT | O_RDONLY, 0600);
    OPEN("d/", O_RDONLY);
    OPEN("a", O_RDONLY | O_DIRECTORY);
    OPEN("a/", O_RDONLY);
    fd = open("d", O_RDONLY | O_DIRECTORY);
    SHOW(read(fd, &c, 1));
    SHOW(write(fd, &c, 1));
    SHOW(lseek(fd, 0, SEEK_SET));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    SHOW(ftruncate(fd, 0));
    SHOW(fsync(fd));
    close(fd);
}

static void links(void)
{
    struct stat st;

    DIE_UNLESS(symlink("a", "la") == 0 && symlink("d", "ld") == 0);
    DIE_UNLESS(symlink("made", "lnew") == 0 && symlink("loop", "loop") == 0);
    DIE_UNLESS(symlink("d/made2", "d/lnew2") == 0 && symlink("newdir/", "lslash") == 0);
    OPEN("la", O_RDONLY | O_NOFOLLOW);
    OPEN("la", O_CREAT | O_WRONLY | O_NOFOLLOW, 0600);
    OPEN("la", O_CREAT | O_EXCL | O_WRONLY, 0600);
    OPEN("ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY);
    OPEN("ld/", O_RDONLY | O_NOFOLLOW);
    OPEN("lnew", O_RDONLY);
    OPEN("lnew", O_CREAT | O_EXCL | O_WRONLY, 0600);
    OPEN("lnew", O_CREAT | O_WRONLY, 0600);
    TRY(stat("made", &st));
    OPEN("d/lnew2", O_CREAT | O_WRONLY, 0600);
    OPEN("lslash", O_CREAT | O_WRONLY, 0600);
    OPEN("loop", O_CREAT | O_WRONLY, 0600);
    OPEN("loop", O_RDONLY);
}

static void truncating(void)
{
    int fd = make_file("t", 100);

    SHOW(lseek(fd, 0, SEEK_END));
    OPEN("t", O_RDONLY);
    SHOW(lseek(fd, 0, SEEK_END));
    OPEN("t", O_CREAT | O_WRONLY, 0600);
    SHOW(lseek(fd, 0, SEEK_END));
    OPEN("t", O_WRONLY | O_TRUNC);
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(write(fd, "x", 1));
    OPEN("t", O_RDONLY | O_TRUNC);
    SHOW(lseek(fd, 0, SEEK_END));
    close(fd);
}

static void devices(void)
{
    char buf[8] = "xxxxxxx";
    int fd = open("/dev/null", O_RDWR | O_TRUNC);

    SHOW(write(fd, "hello", 5));
    SHOW(read(fd, buf, 8));
    close(fd);
    fd = open("/dev/zero", O_RDWR);
    SHOW(read(fd, buf, 8));
    printf("zeros: %d\n", all_bytes(buf, 8, 0));
    SHOW(write(fd, "hello", 5));
    SHOW(syscall(SYS_read, fd, 8, 8));
    close(fd);
    fd = open("/dev/full", O_RDWR);
    SHOW(read(fd, buf, 8));
    SHOW(write(fd, "hello", 5));
    close(fd);
    OPEN("/dev/null", O_RDONLY | O_DIRECTORY);
    OPEN("/dev/null/x", O_RDONLY);
    OPEN("/dev/tty999", O_RDONLY);
}

static void path_only(void)
{
    struct stat st;
    char c;
    int fd = open("a", O_PATH);

    SHOW(read(fd, &c, 1));
    SHOW(write(fd, &c, 1));
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(fchmod(fd, 0600));
    SHOW(ioctl(fd, FIONREAD, &c));
    SHOW(fcntl(fd, F_SETFL, O_APPEND));
    TRY(fstat(fd, &st));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    int copy = dup(fd);
    printf("dup: %s\n", copy >= 0 ? "ok" : error_name(errno));
    close(copy);
    close(fd);
    fd = open("la", O_PATH | O_NOFOLLOW);
    TRY(fstat(fd, &st));
    printf("a link: %d\n", S_ISLNK(st.st_mode));
    SHOW(readlinkat(fd, "", &c, 1));
    close(fd);
    fd = open("d", O_PATH);
    TRY(fstatat(fd, "made2", &st, 0));
    SHOW(fchdir(fd));
    SHOW(chdir(".."));
    close(fd);
}

static void flags_kept(void)
{
    int fd =
        syscall(SYS_open, "a", O_RDWR | O_APPEND | O_NONBLOCK | O_CREAT | O_TRUNC | O_NOCTTY, 0600);

    printf("flags %o\n", fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_SETFL, O_RDONLY | O_CREAT));
    printf("flags %o\n", fcntl(fd, F_GETFL));
    SHOW(fcntl(fd, F_SETFL, O_APPEND));
    printf("flags %o\n", fcntl(fd, F_GETFL));
    close(fd);
    fd = open("a", O_RDONLY | O_DIRECTORY);
    fd = syscall(SYS_open, "d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_LARGEFILE);
    printf("flags %o\n", fcntl(fd, F_GETFL));
    close(fd);
    fd = open("a", 3);
    SHOW(read(fd, &fd, 1));
    SHOW(write(fd, "x", 1));
    close(fd);
}

static void temporary(void)
{
    struct stat st;
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    char buf[8], path[64];

    printf("tmpfile: %s\n", fd >= 0 ? "ok" : error_name(errno));
    SHOW(write(fd, "hidden", 6));
    SHOW(pread(fd, buf, 8, 0));
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("links %d, mode %o\n", (int)st.st_nlink, (int)st.st_mode);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "shown", AT_SYMLINK_FOLLOW));
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("links %d\n", (int)st.st_nlink);
    close(fd);
    OPEN("shown", O_RDONLY);
    OPEN(".", O_TMPFILE | O_RDONLY, 0600);
    OPEN("a", O_TMPFILE | O_RDWR, 0600);
}

/* Files past 2 GiB need O_LARGEFILE. */
static void large(void)
{
    int fd = syscall(SYS_open, "big", O_CREAT | O_RDWR | O_LARGEFILE, 0600);

    SHOW(syscall(SYS_ftruncate64, fd, 0x80000000u, 0));
    OPEN("big", O_RDONLY);
    OPEN("big", O_RDONLY | O_LARGEFILE);
    SHOW(syscall(SYS_ftruncate64, fd, 0x7fffffffu, 0));
    OPEN("big", O_RDONLY);
    close(fd);
    fd = syscall(SYS_open, "big", O_RDWR);
    SHOW(syscall(SYS_pwrite64, fd, "ab", 2, 0x7ffffffe, 0));
    SHOW(syscall(SYS_pwrite64, fd, "ab", 2, 0x7fffffff, 0));
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(lseek(fd, 1, SEEK_END));
    SHOW(ftruncate(fd, 0));
    close(fd);
    unlink("big");
}

int main(void)
{
    umask(022);
    DIE_UNLESS(mkdir("t", 0755) == 0 && chdir("t") == 0);
    creating();
    directories();
    links();
    truncating();
    devices();
    path_only();
    flags_kept();
    temporary();
    large();
    return 0;
}
