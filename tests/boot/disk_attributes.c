/*
 * What chattr sets and files without names, on a disk: run in a directory on it. Each line begins
 * with "> ", and is the same on Linux.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void said(const char *what, long result)
{
    if (result < 0)
        printf("> %s: %s\n", what, strerrorname_np(errno));
    else
        printf("> %s: %ld\n", what, result);
}

#define TRY(call) said(#call, (call))

static int get(const char *path)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK), flags = -1;

    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
        flags = -1;
    close(fd);
    return flags;
}

static int set(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK), result = ioctl(fd, FS_IOC_SETFLAGS, &flags);
    int error = errno;

    close(fd);
    errno = error;
    return result;
}

static int make(const char *path)
{
    int fd = open(path, O_CREAT | O_RDWR, 0644);

    close(fd);
    return fd < 0 ? -1 : 0;
}

static void flags(void)
{
    struct statx s;

    TRY(make("f"));
    TRY(mkdir("d", 0755));
    TRY(get("f"));
    TRY(set("f", FS_IMMUTABLE_FL | FS_NODUMP_FL));
    TRY(get("f"));
    TRY(open("f", O_RDWR));
    TRY(unlink("f"));
    TRY(link("f", "g"));
    TRY(chmod("f", 0600));
    TRY(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &s));
    printf("> statx %llx of %llx\n", (unsigned long long)s.stx_attributes & 0x70,
           (unsigned long long)s.stx_attributes_mask & 0x70);
    TRY(set("f", FS_APPEND_FL));
    TRY(open("f", O_WRONLY));
    TRY(truncate("f", 0));
    TRY(set("f", 0x40000000));
    TRY(set("f", 0));
    TRY(get("f"));
    TRY(set("d", FS_NODUMP_FL | FS_NOATIME_FL));
    TRY(make("d/in"));
    TRY(mkdir("d/deeper", 0755));
    TRY(get("d/in"));
    TRY(get("d/deeper"));
    TRY(set("f", FS_NODUMP_FL | FS_NOATIME_FL));
}

static void nameless(void)
{
    char path[40], text[8] = "";
    struct stat st;
    int fd = open("d", O_TMPFILE | O_RDWR, 0640), other;

    if (fd < 0) {
        said("O_TMPFILE", fd);
        return;
    }
    TRY(fstat(fd, &st));
    printf("> links %u, mode %o\n", (unsigned)st.st_nlink, st.st_mode);
    TRY(write(fd, "nameless", 8));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    said("link", linkat(AT_FDCWD, path, AT_FDCWD, "d/named", AT_SYMLINK_FOLLOW));
    TRY(fstat(fd, &st));
    printf("> links %u\n", (unsigned)st.st_nlink);
    close(fd);
    other = open("d/named", O_RDONLY);
    TRY(read(other, text, 8));
    close(other);
    fd = open("d", O_TMPFILE | O_RDWR | O_EXCL, 0640);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    said("link of O_EXCL", linkat(AT_FDCWD, path, AT_FDCWD, "d/other", AT_SYMLINK_FOLLOW));
    TRY(write(fd, "gone", 4));
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc < 2 || chdir(argv[1]) < 0)
        return 1;
    setvbuf(stdout, NULL, _IONBF, 0);
    flags();
    nameless();
    return 0;
}
