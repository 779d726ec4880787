/* Descriptors and names. Paths and buffers go to the kernel as they are; it checks them. */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include "libc/user/number.h"

#define AT_FDCWD    (-100)
#define O_LARGEFILE 0100000

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    if (flags & O_CREAT) {
        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    }
    return syscall(NR_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int creat(const char *path, mode_t mode)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int fcntl(int fd, int cmd, ...)
{
    va_list ap;
    long arg;

    va_start(ap, cmd);
    arg = va_arg(ap, long);
    va_end(ap);
    return syscall(NR_fcntl64, fd, cmd, arg);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    long arg;

    va_start(ap, request);
    arg = va_arg(ap, long);
    va_end(ap);
    return syscall(NR_ioctl, fd, request, arg);
}

ssize_t read(int fd, void *buf, size_t n)
{
    return syscall(NR_read, fd, buf, n);
}

ssize_t pread(int fd, void *buf, size_t n, off_t offset)
{
    return syscall(NR_pread64, fd, buf, n, (long)offset, (long)(offset >> 32));
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return syscall(NR_pwrite64, fd, buf, n, (long)offset, (long)(offset >> 32));
}

ssize_t write(int fd, const void *buf, size_t n)
{
    return syscall(NR_write, fd, buf, n);
}

int close(int fd)
{
    return syscall(NR_close, fd);
}

off_t lseek(int fd, off_t offset, int whence)
{
    off_t result;

    if (syscall(NR__llseek, fd, (long)(offset >> 32), (long)offset, &result, whence) < 0)
        return -1;
    return result;
}

int dup(int fd)
{
    return syscall(NR_dup, fd);
}

int dup2(int from, int to)
{
    return syscall(NR_dup2, from, to);
}

int pipe(int fds[2])
{
    return syscall(NR_pipe, fds);
}

int isatty(int fd)
{
    struct termios t;

    return tcgetattr(fd, &t) == 0;
}

int tcgetattr(int fd, struct termios *t)
{
    return ioctl(fd, TCGETS, t);
}

int tcsetattr(int fd, int when, const struct termios *t)
{
    return ioctl(fd, TCSETS + when, t);
}

int fsync(int fd)
{
    return syscall(NR_fsync, fd);
}

int ftruncate(int fd, off_t size)
{
    return syscall(NR_ftruncate64, fd, (long)size, (long)(size >> 32));
}

void sync(void)
{
    syscall(NR_sync);
}

int access(const char *path, int mode)
{
    return syscall(NR_access, path, mode);
}

int chdir(const char *path)
{
    return syscall(NR_chdir, path);
}

char *getcwd(char *buf, size_t size)
{
    return syscall(NR_getcwd, buf, size) < 0 ? NULL : buf;
}

int link(const char *from, const char *to)
{
    return syscall(NR_link, from, to);
}

int symlink(const char *target, const char *path)
{
    return syscall(NR_symlink, target, path);
}

ssize_t readlink(const char *path, char *buf, size_t size)
{
    return syscall(NR_readlink, path, buf, size);
}

int unlink(const char *path)
{
    return syscall(NR_unlink, path);
}

int rmdir(const char *path)
{
    return syscall(NR_rmdir, path);
}

int rename(const char *from, const char *to)
{
    return syscall(NR_rename, from, to);
}

int mkdir(const char *path, mode_t mode)
{
    return syscall(NR_mkdir, path, mode);
}

int mknod(const char *path, mode_t mode, dev_t dev)
{
    return syscall(NR_mknod, path, mode, (long)dev);
}

int chmod(const char *path, mode_t mode)
{
    return syscall(NR_chmod, path, mode);
}

int chown(const char *path, uid_t uid, gid_t gid)
{
    return syscall(NR_chown32, path, uid, gid);
}

mode_t umask(mode_t mask)
{
    return syscall(NR_umask, mask);
}

int stat(const char *path, struct stat *st)
{
    return syscall(NR_stat64, path, st);
}

int lstat(const char *path, struct stat *st)
{
    return syscall(NR_lstat64, path, st);
}

int fstat(int fd, struct stat *st)
{
    return syscall(NR_fstat64, fd, st);
}

struct directory {
    int fd;
    int used, next; /* bytes in entries, and how far readdir got */
    struct dirent entries[8];
};

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : malloc(sizeof(*d));

    if (d)
        *d = (DIR){.fd = fd};
    else if (fd >= 0)
        close(fd);
    return d;
}

struct dirent *readdir(DIR *d)
{
    struct dirent *e;

    if (d->next >= d->used) {
        d->next = 0;
        d->used = syscall(NR_getdents64, d->fd, d->entries, sizeof(d->entries));
        if (d->used <= 0)
            return NULL;
    }
    e = (struct dirent *)((char *)d->entries + d->next);
    d->next += e->d_reclen;
    return e;
}

int closedir(DIR *d)
{
    int fd = d->fd;

    free(d);
    return close(fd);
}
