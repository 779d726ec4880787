/* Processes: creation, programs, groups, waiting, sleeping. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "libc/user/number.h"

#define DEFAULT_PATH "/sbin:/bin:/usr/sbin:/usr/bin"

pid_t fork(void)
{
    return syscall(NR_fork);
}

pid_t getpid(void)
{
    return syscall(NR_getpid);
}

pid_t getppid(void)
{
    return syscall(NR_getppid);
}

pid_t getpgrp(void)
{
    return syscall(NR_getpgrp);
}

pid_t setsid(void)
{
    return syscall(NR_setsid);
}

int setpgid(pid_t pid, pid_t pgid)
{
    return syscall(NR_setpgid, pid, pgid);
}

pid_t tcgetpgrp(int fd)
{
    pid_t pgid;

    return ioctl(fd, TIOCGPGRP, &pgid) < 0 ? -1 : pgid;
}

int tcsetpgrp(int fd, pid_t pgid)
{
    return ioctl(fd, TIOCSPGRP, &pgid);
}

uid_t getuid(void)
{
    return syscall(NR_getuid32);
}

uid_t geteuid(void)
{
    return syscall(NR_geteuid32);
}

gid_t getgid(void)
{
    return syscall(NR_getgid32);
}

gid_t getegid(void)
{
    return syscall(NR_getegid32);
}

int nice(int increment)
{
    return syscall(NR_nice, increment);
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    return syscall(NR_wait4, pid, status, options, NULL);
}

pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    return syscall(NR_wait4, pid, status, options, usage);
}

pid_t wait(int *status)
{
    return waitpid(-1, status, 0);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    return syscall(NR_execve, path, argv, envp);
}

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

/* A file without a format of its own is a script of the shell, as POSIX asks of execvp. */
static void exec_or_script(const char *path, char *const argv[])
{
    int argc = 0;

    execv(path, argv);
    if (errno != ENOEXEC)
        return;
    while (argv[argc])
        argc++;

    char **args = malloc((argc + 2) * sizeof(char *));

    if (!args)
        return;
    args[0] = "sh";
    args[1] = (char *)path;
    memcpy(args + 2, argv + 1, argc * sizeof(char *));
    execv("/bin/sh", args);
    free(args);
}

/* A file that is there but cannot be run decides the error; that others are missing does not. */
int execvp(const char *file, char *const argv[])
{
    const char *dir = getenv("PATH");
    char path[4096];
    int error = ENOENT;

    if (strchr(file, '/')) {
        exec_or_script(file, argv);
        return -1;
    }
    if (!dir)
        dir = DEFAULT_PATH;
    for (;; dir++) {
        int len = strcspn(dir, ":");

        if (snprintf(path, sizeof(path), "%.*s%s%s", len, dir, len ? "/" : "", file) <
            (int)sizeof(path)) {
            exec_or_script(path, argv);
            if (errno != ENOENT && errno != ENOTDIR)
                error = errno;
        }
        dir += len;
        if (!*dir)
            break;
    }
    errno = error;
    return -1;
}

int pause(void)
{
    return syscall(NR_pause);
}

unsigned alarm(unsigned seconds)
{
    return syscall(NR_alarm, seconds);
}

int nanosleep(const struct timespec *want, struct timespec *left)
{
    struct timespec t = {want->tv_sec, want->tv_nsec, 0};

    return syscall(NR_clock_nanosleep_time64, CLOCK_REALTIME, 0, &t, left);
}

unsigned sleep(unsigned seconds)
{
    struct timespec t = {seconds, 0, 0}, left;

    return nanosleep(&t, &left) < 0 ? left.tv_sec + (left.tv_nsec > 0) : 0;
}

int usleep(unsigned microseconds)
{
    struct timespec t = {microseconds / 1000000, microseconds % 1000000 * 1000, 0};

    return nanosleep(&t, NULL);
}

int poll(struct pollfd *fds, unsigned n, int timeout_ms)
{
    return syscall(NR_poll, fds, n, timeout_ms);
}
