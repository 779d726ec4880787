/* Descriptors: the lowest free one, copies, flags, limits, ranges, what fork and exec keep. */
#include "guest.h"
#include <sys/ioctl.h>

static int null_fd(void)
{
    int fd = open("/dev/null", O_RDWR);

    DIE_UNLESS(fd >= 0);
    return fd;
}

static void lowest_free(void)
{
    int base = null_fd(), fd[8];

    for (int i = 0; i < 8; i++) {
        fd[i] = null_fd();
        printf("%d ", fd[i] - base);
    }
    printf("\n");
    close(fd[5]);
    close(fd[2]);
    printf("reuse: %d", null_fd() - base);
    printf(" %d", null_fd() - base);
    printf(" %d\n", null_fd() - base);
    for (int i = base; i < base + 10; i++)
        close(i);
    SHOW(close(base));
    SHOW(close(-1));
    SHOW(close(1000000));
}

static void copies(void)
{
    int fd = null_fd(), r;

    SHOW(dup(99) == -1 ? -1 : 0);
    printf("dup: %d\n", dup(fd) - fd);
    SHOW(dup2(fd, 50));
    SHOW(dup2(fd, 50));
    SHOW(dup2(50, 50));
    SHOW(dup2(99, 50));
    SHOW(dup2(99, 99));
    SHOW(dup2(fd, -1));
    SHOW(dup2(fd, 5000));
    SHOW(fcntl(50, F_GETFD));
    SHOW(dup3(fd, 51, O_CLOEXEC));
    SHOW(fcntl(51, F_GETFD));
    SHOW(dup3(fd, fd, 0));
    SHOW(dup3(fd, 52, O_NONBLOCK));
    SHOW(fcntl(fd, F_DUPFD, 60));
    SHOW(fcntl(fd, F_DUPFD, 60));
    SHOW(fcntl(60, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 60));
    SHOW(fcntl(62, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, -1));
    SHOW(fcntl(fd, F_DUPFD, 5000));
    SHOW(fcntl(fd, F_DUPFD, 1000000));
    SHOW(fcntl(62, F_SETFD, 0));
    SHOW(fcntl(62, F_GETFD));
    SHOW(ioctl(62, FIOCLEX));
    SHOW(fcntl(62, F_GETFD));
    SHOW(ioctl(62, FIONCLEX));
    SHOW(fcntl(62, F_GETFD));
    SHOW(fcntl(62, 9999));
    SHOW(fcntl(99, F_GETFD));
    r = 1;
    SHOW(ioctl(62, FIONBIO, &r));
    printf("nonblocking: %d\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    SHOW(fcntl(fd, F_SETOWN, 1));
    SHOW(fcntl(fd, F_GETSIG));
    SHOW(syscall(SYS_close_range, 50, 70, 0));
    SHOW(fcntl(62, F_GETFD));
    SHOW(syscall(SYS_close_range, 5, 4, 0));
    SHOW(syscall(SYS_close_range, 5, 6, 8));
    SHOW(dup2(fd, 80));
    SHOW(syscall(SYS_close_range, 70, -1, 4));
    SHOW(fcntl(80, F_GETFD));
    SHOW(close(80));
    close(fd + 1);
    close(fd);
}

static void limits(void)
{
    struct rlimit old, l;
    int fd, n = 0, last = -1;

    getrlimit(RLIMIT_NOFILE, &old);
    l = old;
    l.rlim_cur = 40;
    SHOW(setrlimit(RLIMIT_NOFILE, &l));
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    printf("last %d, %s\n", last, error_name(errno));
    SHOW(dup(0));
    SHOW(open("not made", O_CREAT | O_WRONLY, 0600));
    SHOW(access("not made", F_OK));
    SHOW(dup2(0, 39));
    SHOW(dup2(0, 40));
    l.rlim_cur = 1024 < old.rlim_max ? 1024 : old.rlim_max;
    SHOW(setrlimit(RLIMIT_NOFILE, &l));
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    printf("last %d, %s\n", last, error_name(errno));
    for (fd = 3; fd <= last; fd += 2)
        n += close(fd) == 0;
    printf("closed %d, next %d\n", n, open("/dev/null", O_RDONLY));
    for (fd = 3; fd <= last; fd++)
        close(fd);
    setrlimit(RLIMIT_NOFILE, &old);
}

static void fork_and_exec(const char *self)
{
    int keep = null_fd(), drop = null_fd(), status;
    pid_t pid;
    char arg[16];

    DIE_UNLESS(dup2(keep, 30) == 30 && dup2(drop, 31) == 31);
    close(keep);
    close(drop);
    DIE_UNLESS(fcntl(31, F_SETFD, FD_CLOEXEC) == 0);
    pid = fork();
    if (pid == 0) {
        SHOW(fcntl(30, F_GETFD));
        SHOW(fcntl(31, F_GETFD));
        close(30);
        dup2(31, 30);
        snprintf(arg, sizeof(arg), "exec'd");
        execl(self, self, arg, (char *)NULL);
        _exit(98);
    }
    waitpid(pid, &status, 0);
    print_status("child", status);
    SHOW(fcntl(30, F_GETFD));
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        SHOW(fcntl(30, F_GETFD));
        SHOW(fcntl(31, F_GETFD));
        return 0;
    }
    struct rlimit l = {1024, 1024};

    DIE_UNLESS(setrlimit(RLIMIT_NOFILE, &l) == 0);
    for (int fd = 3; fd < 100; fd++)
        close(fd);
    lowest_free();
    copies();
    limits();
    fork_and_exec(argv[0]);
    return 0;
}
