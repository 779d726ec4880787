/* Files of /proc have no attributes to change; what ioctls of attributes say where there are none.
 */
#include "guest.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <utime.h>

static const char *name;

#define EACH(call)                                                                                 \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long r_ = (long)(call);                                                                    \
        printf("  %s: %s\n", #call, r_ == -1 ? error_name(errno) : "ok");                          \
    } while (0)

static void attributes(void)
{
    int fd = open(name, O_RDONLY);
    char buf[8];

    printf("%s:\n", name);
    EACH(chmod(name, 0500));
    EACH(fchmod(fd, 0500));
    EACH(fchmod(fd, 0555));
    EACH(chown(name, 7, 7));
    EACH(lchown(name, 7, 7));
    EACH(fchown(fd, -1, 8));
    EACH(chown(name, -1, -1));
    EACH(utime(name, NULL));
    EACH(utimensat(AT_FDCWD, name, (struct timespec[]){{1, 0}, {2, 0}}, 0));
    EACH(truncate(name, 0));
    EACH(setxattr(name, "user.a", "b", 1, 0));
    EACH(setxattr(name, "trusted.a", "b", 1, 0));
    EACH(setxattr(name, "security.a", "b", 1, 0));
    EACH(setxattr(name, "system.posix_acl_access", "b", 1, 0));
    EACH(getxattr(name, "user.a", buf, sizeof(buf)));
    EACH(listxattr(name, buf, sizeof(buf)));
    EACH(removexattr(name, "user.a"));
    EACH(unlink(name));
    EACH(rename(name, "/proc/x"));
    EACH(link(name, "/proc/x"));
    EACH(symlink("/tmp", "/proc/x"));
    EACH(mkdir("/proc/x", 0755));
    EACH(mknod("/proc/self/x", 0644, 0));
    EACH(open("/proc/x", O_CREAT | O_RDWR, 0644));
    EACH(open("/proc/self/x", O_CREAT | O_RDWR, 0644));
    close(fd);
}

static void ioctls(const char *path)
{
    int fd = open(path, O_RDONLY), flags = 0;
    struct fsxattr fx = {0};

    printf("%s:\n", path);
    EACH(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    EACH(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    EACH(ioctl(fd, FS_IOC_FSGETXATTR, &fx));
    printf("  flags %x, %u %u %u %u\n", fx.fsx_xflags, fx.fsx_extsize, fx.fsx_nextents,
           fx.fsx_projid, fx.fsx_cowextsize);
    EACH(ioctl(fd, FS_IOC_FSSETXATTR, &fx));
    EACH(ioctl(fd, FS_IOC_FSGETXATTR, 8));
    EACH(ioctl(fd, FS_IOC_FSSETXATTR, 8));
    flags = FS_NODUMP_FL;
    EACH(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    EACH(ioctl(fd, FS_IOC_FSGETXATTR, &fx));
    printf("  flags %x\n", fx.fsx_xflags);
    fx.fsx_xflags = FS_XFLAG_NOATIME;
    EACH(ioctl(fd, FS_IOC_FSSETXATTR, &fx));
    EACH(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    printf("  flags %x\n", flags);
    fx.fsx_xflags = FS_XFLAG_REALTIME;
    EACH(ioctl(fd, FS_IOC_FSSETXATTR, &fx));
    fx.fsx_xflags = 0;
    fx.fsx_projid = 5;
    EACH(ioctl(fd, FS_IOC_FSSETXATTR, &fx));
    close(fd);
}

int main(void)
{
    static const char *const names[] = {"/proc/version",
                                        "/proc/self",
                                        "/proc/self/status",
                                        "/proc/self/fd",
                                        "/proc/sys/kernel/ostype",
                                        "/proc/sys/kernel/hostname",
                                        "/proc/sys",
                                        "/proc/1"};

    for (int i = 0; i < 8; i++) {
        name = names[i];
        attributes();
    }
    close(open("a_file", O_CREAT | O_RDWR, 0644));
    ioctls("a_file");
    ioctls(".");
    ioctls("/proc/version");
    ioctls("/dev/null");
    return 0;
}
