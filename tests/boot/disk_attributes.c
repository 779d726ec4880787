/*
 * What chattr sets, files without names and extended attributes, on a disk: run in a directory on
 * it. Each line begins with "> ", and is the same on Linux.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
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

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show(const char *path)
{
    static char list[4096], value[4096];
    char *names[64];
    ssize_t n = listxattr(path, list, sizeof(list));
    int count = 0;

    if (n < 0)
        said(path, n);
    for (char *at = list; at < list + n; at += strlen(at) + 1)
        names[count++] = at;
    qsort(names, count, sizeof(names[0]), by_name);
    for (int i = 0; i < count; i++) {
        ssize_t len = getxattr(path, names[i], value, sizeof(value));

        printf("> %s %s: %zd %.20s\n", path, names[i], len, len > 0 ? value : "");
    }
}

static void attributes(void)
{
    static char big[5000];
    char got[10], name[30];

    memset(big, 'v', sizeof(big));
    TRY(make("a"));
    TRY(mkdir("ad", 0755));
    TRY(getxattr("a", "user.x", got, 10));
    TRY(setxattr("a", "user.x", "value", 6, 0));
    TRY(getxattr("a", "user.x", got, 10));
    TRY(getxattr("a", "user.x", got, 3));
    TRY(setxattr("a", "user.x", "other value", 12, XATTR_CREATE));
    TRY(setxattr("a", "user.x", "other value", 12, XATTR_REPLACE));
    TRY(setxattr("a", "user.y", "other value", 12, XATTR_REPLACE));
    TRY(setxattr("a", "trusted.t", "trusted", 8, 0));
    TRY(setxattr("a", "security.s", "secure", 7, 0));
    TRY(setxattr("a", "user.empty", "", 0, 0));
    TRY(setxattr("a", "user.a-longer-name", "1", 1, 0));
    TRY(setxattr("ad", "user.of-a-directory", "directory", 10, 0));
    TRY(setxattr("a", "nothing.x", "1", 1, 0));
    TRY(setxattr("a", "user.", "1", 1, 0));
    show("a");
    show("ad");
    TRY(setxattr("a", "user.big", big, sizeof(big), 0));
    TRY(setxattr("a", "user.half", big, 500, 0));
    TRY(removexattr("a", "user.half"));
    TRY(removexattr("a", "user.half"));
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "user.number-%d", i);
        said(name, setxattr("a", name, big, 10 * i + 1, 0));
    }
    show("a");
    TRY(removexattr("a", "user.x"));
    TRY(make("gone"));
    TRY(setxattr("gone", "user.x", big, 400, 0));
    TRY(unlink("gone"));
    TRY(make("all"));
    TRY(setxattr("all", "user.x", big, 400, 0));
    TRY(removexattr("all", "user.x"));
    show("all");
    TRY(symlink("a", "link"));
    TRY(lsetxattr("link", "user.x", "1", 1, 0));
    TRY(lsetxattr("link", "trusted.x", "1", 1, 0));
    TRY(lgetxattr("link", "trusted.x", got, 10));
}

/* attributes DIRECTORY; with one argument more it shows what was set there before. */
int main(int argc, char **argv)
{
    if (argc < 2 || chdir(argv[1]) < 0)
        return 1;
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 2) {
        show("a");
        show("ad");
        said("flags", get("f"));
        return 0;
    }
    flags();
    nameless();
    attributes();
    return 0;
}
