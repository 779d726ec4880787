/*
 * Every system call that takes an address, with every address that it must refuse (borders.h).
 * Nothing of the kernel comes out, and what was refused changed nothing.
 */
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include "borders.h"

/* ---- What the other arguments are ---- */

enum { FD = 10, DIR, PIPE_IN, PIPE_OUT, EPOLL, TIMER, PIDFD, INOTIFY };

static char good[2 * PAGE] __attribute__((aligned(PAGE)));
static char path[16] = "f";
static uint32_t soon[4] = {0, 1, 0, 0}; /* 1 ns, as a timespec of either width */
static uint32_t vec[2] = {(uint32_t)good, 64};
static struct pollfd ready = {PIPE_OUT, POLLOUT, 0};
static uint32_t writable[4]; /* descriptors */

#define G        ((uint32_t)good)
#define PATH     ((uint32_t)path)
#define SOON     ((uint32_t)soon)
#define VEC      ((uint32_t)vec)
#define READY    ((uint32_t)&ready)
#define WRITABLE ((uint32_t)writable)
#define CWD      ((uint32_t)AT_FDCWD)
#define SELF     0x5e1f5e1fu /* stands for this process */

#define ZOMBIE OWN_FLAG /* wants a child that is dead */

static const struct call calls[] = {
    CALL_FLAGS(SHORT, "read", read, 1, FD, 0, 64),
    CALL_FLAGS(SHORT, "read a pipe", read, 1, PIPE_IN, 0, 4),
    CALL_FLAGS(SHORT, "write", write, 1, FD, 0, 64),
    CALL_FLAGS(SHORT, "write to a pipe", write, 1, PIPE_OUT, 0, 64),
    CALL_FLAGS(SHORT, "pread64", pread64, 1, FD, 0, 64, 0, 0),
    CALL_FLAGS(SHORT, "pwrite64", pwrite64, 1, FD, 0, 64, 0, 0),
    CALL("readv", readv, 1, FD, 0, 1),
    CALL("writev", writev, 1, FD, 0, 1),
    CALL("preadv", preadv, 1, FD, 0, 1, 0, 0),
    CALL("pwritev", pwritev, 1, FD, 0, 1, 0, 0),
    CALL("preadv2", preadv2, 1, FD, 0, 1, 0, 0, 0),
    CALL("pwritev2", pwritev2, 1, FD, 0, 1, 0, 0, 0),
    CALL("_llseek result", _llseek, 3, FD, 0, 0, 0, SEEK_CUR),
    CALL("open", open, 0, 0, O_RDONLY),
    CALL("openat", openat, 1, CWD, 0, O_RDONLY),
    CALL("creat", creat, 0, 0, 0600),
    CALL("link old", link, 0, 0, PATH),
    CALL("link new", link, 1, PATH, 0),
    CALL("linkat old", linkat, 1, CWD, 0, CWD, PATH, 0),
    CALL("linkat new", linkat, 3, CWD, PATH, CWD, 0, 0),
    CALL("unlink", unlink, 0, 0),
    CALL("unlinkat", unlinkat, 1, CWD, 0, 0),
    CALL("rename old", rename, 0, 0, PATH),
    CALL("rename new", rename, 1, PATH, 0),
    CALL("renameat old", renameat, 1, CWD, 0, CWD, PATH),
    CALL("renameat2 new", renameat2, 3, CWD, PATH, CWD, 0, 0),
    CALL("mkdir", mkdir, 0, 0, 0700),
    CALL("mkdirat", mkdirat, 1, CWD, 0, 0700),
    CALL("rmdir", rmdir, 0, 0),
    CALL("mknod", mknod, 0, 0, S_IFIFO | 0600, 0),
    CALL("mknodat", mknodat, 1, CWD, 0, S_IFIFO | 0600, 0),
    CALL("symlink target", symlink, 0, 0, PATH),
    CALL("symlink path", symlink, 1, PATH, 0),
    CALL("symlinkat target", symlinkat, 0, 0, CWD, PATH),
    CALL("readlink path", readlink, 0, 0, G, 64),
    CALL("readlinkat path", readlinkat, 1, CWD, 0, G, 64),
    CALL("chdir", chdir, 0, 0),
    CALL("chroot", chroot, 0, 0),
    CALL("chmod", chmod, 0, 0, 0700),
    CALL("fchmodat", fchmodat, 1, CWD, 0, 0700),
    CALL("chown", chown, 0, 0, -1, -1),
    CALL("lchown", lchown, 0, 0, -1, -1),
    CALL("chown32", chown32, 0, 0, -1, -1),
    CALL("lchown32", lchown32, 0, 0, -1, -1),
    CALL("fchownat", fchownat, 1, CWD, 0, -1, -1, 0),
    CALL("truncate", truncate, 0, 0, 16),
    CALL("truncate64", truncate64, 0, 0, 16, 0),
    CALL("access", access, 0, 0, R_OK),
    CALL("faccessat", faccessat, 1, CWD, 0, R_OK),
    CALL("faccessat2", faccessat2, 1, CWD, 0, R_OK, 0),
    CALL("utime path", utime, 0, 0, 0),
    CALL("utime times", utime, 1, PATH, 0),
    CALL("utimes path", utimes, 0, 0, 0),
    CALL("utimes times", utimes, 1, PATH, 0),
    CALL("futimesat times", futimesat, 2, CWD, PATH, 0),
    CALL("utimensat times", utimensat, 2, CWD, PATH, 0, 0),
    CALL("utimensat_time64 times", utimensat_time64, 2, CWD, PATH, 0, 0),
    CALL("statfs path", statfs, 0, 0, G),
    CALL("statfs buf", statfs, 1, PATH, 0),
    CALL("fstatfs", fstatfs, 1, FD, 0),
    CALL("statfs64 path", statfs64, 0, 0, 84, G),
    CALL("statfs64 buf", statfs64, 2, PATH, 84, 0),
    CALL("fstatfs64", fstatfs64, 2, FD, 84, 0),
    CALL("stat path", stat, 0, 0, G),
    CALL("stat buf", stat, 1, PATH, 0),
    CALL("lstat buf", lstat, 1, PATH, 0),
    CALL("fstat", fstat, 1, FD, 0),
    CALL("stat64 path", stat64, 0, 0, G),
    CALL("stat64 buf", stat64, 1, PATH, 0),
    CALL("lstat64 buf", lstat64, 1, PATH, 0),
    CALL("fstat64", fstat64, 1, FD, 0),
    CALL("fstatat64 path", fstatat64, 1, CWD, 0, G, 0),
    CALL("fstatat64 buf", fstatat64, 2, CWD, PATH, 0, 0),
    CALL("statx path", statx, 1, CWD, 0, 0, 0x7ff, G),
    CALL("statx buf", statx, 4, CWD, PATH, 0, 0x7ff, 0),
    CALL("oldstat path", oldstat, 0, 0, G),
    CALL_FLAGS(SHORT, "getdents", getdents, 1, DIR, 0, 512),
    CALL_FLAGS(SHORT, "getdents64", getdents64, 1, DIR, 0, 512),
    CALL("readdir", readdir, 1, DIR, 0, 1),
    CALL("fcntl F_GETLK", fcntl, 2, FD, F_GETLK, 0),
    CALL("fcntl F_SETLK", fcntl, 2, FD, F_SETLK, 0),
    CALL("fcntl64 F_GETLK64", fcntl64, 2, FD, F_GETLK64, 0),
    CALL("fcntl64 F_SETLKW64", fcntl64, 2, FD, F_SETLKW64, 0),
    CALL("fcntl64 F_OFD_SETLK", fcntl64, 2, FD, F_OFD_SETLK, 0),
    CALL("fcntl64 F_GETOWN_EX", fcntl64, 2, FD, 16, 0),
    CALL("fcntl64 F_SETOWN_EX", fcntl64, 2, FD, 15, 0),
    CALL("ioctl FIONREAD", ioctl, 2, PIPE_IN, 0x541b, 0),
    CALL("ioctl FIONREAD of a file", ioctl, 2, FD, 0x541b, 0),
    CALL("ioctl FIONBIO", ioctl, 2, PIPE_IN, 0x5421, 0),
    CALL("ioctl FIOQSIZE", ioctl, 2, FD, 0x5460, 0),
    CALL("getxattr path", getxattr, 0, 0, PATH, G, 64),
    CALL("getxattr name", getxattr, 1, PATH, 0, G, 64),
    CALL("fgetxattr name", fgetxattr, 1, FD, 0, G, 64),
    CALL("setxattr path", setxattr, 0, 0, PATH, G, 1, 0),
    CALL("removexattr path", removexattr, 0, 0, PATH),
    CALL("listxattr path", listxattr, 0, 0, G, 64),
    CALL("mount source", mount, 0, 0, PATH, PATH, 0, 0),
    CALL("mount target", mount, 1, PATH, 0, PATH, 0, 0),
    CALL("mount type", mount, 2, PATH, PATH, 0, 0, 0),
    CALL("umount", umount, 0, 0),
    CALL("umount2", umount2, 0, 0, 0),
    CALL("execve path", execve, 0, 0, 0, 0),
    CALL("execve argv", execve, 1, PATH, 0, 0),
    CALL("execve envp", execve, 2, PATH, 0, 0),
    CALL("execveat path", execveat, 1, CWD, 0, 0, 0, 0),
    CALL("pipe", pipe, 0, 0),
    CALL("pipe2", pipe2, 0, 0, 0),
    CALL("poll", poll, 0, 0, 1, 0),
    CALL("ppoll fds", ppoll, 0, 0, 1, SOON, 0, 8),
    CALL("ppoll timeout", ppoll, 2, READY, 1, 0, 0, 8),
    CALL("ppoll mask", ppoll, 3, 0, 0, SOON, 0, 8),
    CALL("ppoll_time64 timeout", ppoll_time64, 2, READY, 1, 0, 0, 8),
    CALL("select", select, 0, 0),
    CALL("_newselect in", _newselect, 1, 16, 0, 0, 0, G),
    CALL("_newselect out", _newselect, 2, 16, 0, 0, 0, G),
    CALL("_newselect except", _newselect, 3, 16, 0, 0, 0, G),
    CALL("_newselect time", _newselect, 4, 16, 0, WRITABLE, 0, 0),
    CALL("pselect6 in", pselect6, 1, 16, 0, 0, 0, SOON, 0),
    CALL("pselect6 mask", pselect6, 5, 16, 0, 0, 0, SOON, 0),
    CALL("pselect6_time64 in", pselect6_time64, 1, 16, 0, 0, 0, G, 0),
    CALL("epoll_ctl", epoll_ctl, 3, EPOLL, EPOLL_CTL_MOD, PIPE_OUT, 0),
    CALL("epoll_wait", epoll_wait, 1, EPOLL, 0, 4, 0),
    CALL("epoll_pwait events", epoll_pwait, 1, EPOLL, 0, 4, 0, 0, 8),
    CALL("epoll_pwait mask", epoll_pwait, 4, EPOLL, G, 4, 0, 0, 8),
    CALL("epoll_pwait2 timeout", epoll_pwait2, 3, EPOLL, G, 4, 0, 0, 8),
    CALL("timerfd_settime new", timerfd_settime, 2, TIMER, 0, 0, 0),
    CALL("timerfd_settime old", timerfd_settime, 3, TIMER, 0, G, 0),
    CALL("timerfd_gettime", timerfd_gettime, 1, TIMER, 0),
    CALL("timerfd_settime64 new", timerfd_settime64, 2, TIMER, 0, 0, 0),
    CALL("timerfd_gettime64", timerfd_gettime64, 1, TIMER, 0),
    CALL("inotify_add_watch", inotify_add_watch, 1, INOTIFY, 0, 1),
    CALL("fcntl64 F_NOTIFY", fcntl64, 2, FD, 1026, 0),
    CALL("signalfd4", signalfd4, 1, -1, 0, 8, 0),
    CALL("pidfd_send_signal", pidfd_send_signal, 2, PIDFD, 0, 0, 0),
    CALL("clone3", clone3, 0, 0, 64),
    CALL("timer_create event", timer_create, 1, CLOCK_MONOTONIC, 0, G),
    CALL("timer_create id", timer_create, 2, CLOCK_MONOTONIC, 0, 0),
    CALL("timer_settime new", timer_settime, 2, 0, 0, 0, 0),
    CALL("timer_settime old", timer_settime, 3, 0, 0, G, 0),
    CALL("timer_gettime", timer_gettime, 1, 0, 0),
    CALL("timer_settime64 new", timer_settime64, 2, 0, 0, 0, 0),
    CALL("timer_gettime64", timer_gettime64, 1, 0, 0),
    CALL("time", time, 0, 0),
    CALL("gettimeofday", gettimeofday, 0, 0, 0),
    CALL("gettimeofday zone", gettimeofday, 1, G, 0),
    CALL("settimeofday", settimeofday, 0, 0, 0),
    CALL("stime", stime, 0, 0),
    CALL("clock_gettime", clock_gettime, 1, CLOCK_MONOTONIC, 0),
    CALL("clock_gettime64", clock_gettime64, 1, CLOCK_MONOTONIC, 0),
    CALL("clock_settime", clock_settime, 1, CLOCK_REALTIME, 0),
    CALL("clock_settime64", clock_settime64, 1, CLOCK_REALTIME, 0),
    CALL("clock_getres", clock_getres, 1, CLOCK_MONOTONIC, 0),
    CALL("clock_getres_time64", clock_getres_time64, 1, CLOCK_MONOTONIC, 0),
    CALL("adjtimex", adjtimex, 0, 0),
    CALL("clock_adjtime", clock_adjtime, 1, CLOCK_REALTIME, 0),
    CALL("nanosleep", nanosleep, 0, 0, 0),
    CALL("clock_nanosleep", clock_nanosleep, 2, CLOCK_MONOTONIC, 0, 0, 0),
    CALL("clock_nanosleep_time64", clock_nanosleep_time64, 2, CLOCK_MONOTONIC, 0, 0, 0),
    CALL("getitimer", getitimer, 1, ITIMER_REAL, 0),
    CALL("setitimer new", setitimer, 1, ITIMER_VIRTUAL, 0, 0),
    CALL("setitimer old", setitimer, 2, ITIMER_VIRTUAL, G, 0),
    CALL("times", times, 0, 0),
    CALL("getrusage", getrusage, 1, RUSAGE_SELF, 0),
    CALL("getrlimit", getrlimit, 1, RLIMIT_CORE, 0),
    CALL("ugetrlimit", ugetrlimit, 1, RLIMIT_CORE, 0),
    CALL("setrlimit", setrlimit, 1, RLIMIT_CORE, 0),
    CALL("prlimit64 new", prlimit64, 2, 0, RLIMIT_CORE, 0, 0),
    CALL("prlimit64 old", prlimit64, 3, 0, RLIMIT_CORE, 0, 0),
    CALL("sysinfo", sysinfo, 0, 0),
    CALL("uname", uname, 0, 0),
    CALL("olduname", olduname, 0, 0),
    CALL("oldolduname", oldolduname, 0, 0),
    CALL("sethostname", sethostname, 0, 0, 4),
    CALL_FLAGS(SHORT, "getrandom", getrandom, 0, 0, 64, 0),
    CALL("getcwd", getcwd, 0, 0, PAGE),
    CALL("getgroups", getgroups, 1, 32, 0),
    CALL("setgroups32", setgroups32, 1, 1, 0),
    CALL("getresuid real", getresuid, 0, 0, G, G),
    CALL("getresuid32 real", getresuid32, 0, 0, G, G),
    CALL("getresuid32 effective", getresuid32, 1, G, 0, G),
    CALL("getresgid32 saved", getresgid32, 2, G, G, 0),
    CALL("capget header", capget, 0, 0, G),
    CALL("capset header", capset, 0, 0, G),
    CALL("getcpu cpu", getcpu, 0, 0, 0, 0),
    CALL("getcpu node", getcpu, 1, 0, 0, 0),
    CALL("sched_getparam", sched_getparam, 1, 0, 0),
    CALL("sched_setparam", sched_setparam, 1, 0, 0),
    CALL("sched_setscheduler", sched_setscheduler, 2, 0, SCHED_OTHER, 0),
    CALL("sched_rr_get_interval", sched_rr_get_interval, 1, 0, 0),
    CALL("sched_getaffinity", sched_getaffinity, 2, 0, 4, 0),
    /* of nobody: what the bytes before the border say as CPUs depends on how many there are */
    CALL("sched_setaffinity", sched_setaffinity, 2, 0x7ffffffe, 4, 0),
    CALL("rt_sigaction new", rt_sigaction, 1, SIGUSR1, 0, 0, 8),
    CALL("rt_sigaction old", rt_sigaction, 2, SIGUSR1, 0, 0, 8),
    CALL("sigaction new", sigaction, 1, SIGUSR1, 0, 0),
    CALL("sigaction old", sigaction, 2, SIGUSR1, 0, 0),
    CALL("rt_sigprocmask set", rt_sigprocmask, 1, SIG_BLOCK, 0, 0, 8),
    CALL("rt_sigprocmask old", rt_sigprocmask, 2, SIG_BLOCK, 0, 0, 8),
    CALL("sigprocmask set", sigprocmask, 1, SIG_BLOCK, 0, 0),
    CALL("sigprocmask old", sigprocmask, 2, SIG_BLOCK, 0, 0),
    CALL("rt_sigpending", rt_sigpending, 0, 0, 8),
    CALL("sigpending", sigpending, 0, 0),
    CALL("rt_sigsuspend", rt_sigsuspend, 0, 0, 8),
    CALL("rt_sigtimedwait set", rt_sigtimedwait, 0, 0, 0, SOON, 8),
    CALL_FLAGS(NOT_NULL, "rt_sigtimedwait time", rt_sigtimedwait, 2, G, 0, 1, 8),
    CALL("rt_sigqueueinfo", rt_sigqueueinfo, 2, 0x7ffffffe, SIGUSR1, 0),
    CALL("sigaltstack new", sigaltstack, 0, 0, 0),
    CALL("sigaltstack old", sigaltstack, 1, 0, 0),
    CALL("futex wait", futex, 0, 0, 0, 0, SOON),
    CALL("futex wake", futex, 0, 0, 1, 1),
    CALL("futex wait time", futex, 3, G, 0, 1, 0),
    CALL("futex cmp_requeue", futex, 0, 0, 4, 1, 1, G, 0),
    CALL("futex wake_op second", futex, 4, G, 5, 1, 1, 0, 0),
    CALL("futex_time64 wait time", futex_time64, 3, G, 0, 1, 0),
    CALL("futex wait_requeue_pi second", futex, 4, G, 11, 1, 0, 0),
    CALL("futex cmp_requeue_pi second", futex, 4, G, 12, 1, 1, 0, 0),
    CALL("futex lock_pi time", futex, 3, G, 6, 0, 0),
    CALL("futex_waitv waiters", futex_waitv, 0, 0, 1, 0, 0, 0),
    CALL("futex_waitv time", futex_waitv, 3, G, 1, 0, 0, 1),
    CALL("get_robust_list head", get_robust_list, 1, 0, 0, G),
    CALL("get_robust_list len", get_robust_list, 2, 0, G, 0),
    CALL("set_thread_area", set_thread_area, 0, 0),
    CALL("get_thread_area", get_thread_area, 0, 0),
    CALL("prctl PR_SET_NAME", prctl, 1, PR_SET_NAME, 0),
    CALL("prctl PR_GET_NAME", prctl, 1, PR_GET_NAME, 0),
    CALL("prctl PR_GET_PDEATHSIG", prctl, 1, PR_GET_PDEATHSIG, 0),
    CALL("prctl PR_GET_TSC", prctl, 1, PR_GET_TSC, 0),
    CALL_FLAGS(ZOMBIE, "wait4 status", wait4, 1, -1, 0, 0, 0),
    CALL_FLAGS(ZOMBIE, "wait4 usage", wait4, 3, -1, 0, 0, 0),
    CALL_FLAGS(ZOMBIE, "waitpid status", waitpid, 1, -1, 0, 0),
    CALL_FLAGS(ZOMBIE, "waitid info", waitid, 2, P_ALL, 0, 0, WEXITED, 0),
    CALL_FLAGS(ZOMBIE, "waitid usage", waitid, 4, P_ALL, 0, 0, WEXITED, 0),
    CALL("mincore vector", mincore, 2, G, PAGE, 0),
    CALL("mmap", mmap, 0, 0),
    CALL("memfd_create", memfd_create, 0, 0, 0),
    CALL("shmctl IPC_STAT", shmctl, 2, 0x7fffffff, 2, 0),
    CALL("shmctl IPC_INFO", shmctl, 2, 0, 3, 0),
    CALL("process_vm_readv local", process_vm_readv, 1, SELF, 0, 1, VEC, 1, 0),
    CALL("process_vm_readv remote", process_vm_readv, 3, SELF, VEC, 1, 0, 1, 0),
    CALL("process_vm_writev local", process_vm_writev, 1, SELF, 0, 1, VEC, 1, 0),
    CALL("process_vm_writev remote", process_vm_writev, 3, SELF, VEC, 1, 0, 1, 0),
};

/* ---- Around a call ---- */

static void make_zombie(void)
{
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    DIE_UNLESS(pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
}

static void reset(const struct call *c)
{
    strcpy(path, "f");
    writable[0] = 1u << PIPE_OUT;
    while (read(PIPE_IN, good, sizeof(good)) > 0)
        ;
    memset(good, 0, sizeof(good));
    DIE_UNLESS(write(PIPE_OUT, "pppp", 4) == 4);
    lseek(FD, 0, SEEK_SET);
    lseek(DIR, 0, SEEK_SET);
    if (c->flags & ZOMBIE)
        make_zombie();
}

static uint32_t argument(uint32_t a)
{
    return a == SELF ? (uint32_t)getpid() : a;
}

/* What a call with a bad address moved from elsewhere would show here. */
static bool leaked(void)
{
    char buf[PAGE];
    ssize_t n;

    while ((n = read(PIPE_IN, buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] != 'x' && buf[i] != 'p' && buf[i] != 'a')
                return true;
    for (off_t at = 0; (n = pread(FD, buf, sizeof(buf), at)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] != 'x' && buf[i] != 'a')
                return true;
    return false;
}

static void open_all(const struct call *c)
{
    struct epoll_event ready = {.events = EPOLLOUT};
    int p[2], timer;

    (void)c;
    dup2(make_file("f", PAGE), FD);
    fchmod(FD, 0700);
    dup2(open(".", O_RDONLY | O_DIRECTORY), DIR);
    DIE_UNLESS(pipe2(p, O_NONBLOCK) == 0);
    dup2(p[0], PIPE_IN);
    dup2(p[1], PIPE_OUT);
    dup2(epoll_create1(0), EPOLL);
    DIE_UNLESS(epoll_ctl(EPOLL, EPOLL_CTL_ADD, PIPE_OUT, &ready) == 0);
    dup2(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), TIMER);
    dup2((int)syscall(SYS_pidfd_open, getpid(), 0), PIDFD);
    dup2((int)syscall(SYS_inotify_init1, 0), INOTIFY);
    DIE_UNLESS(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer) == 0 && timer == 0);
}

int main(void)
{
    static const struct surroundings around = {
        .open = open_all, .reset = reset, .argument = argument, .leaked = leaked};

    try_calls(&around, calls, sizeof(calls) / sizeof(*calls));
    return 0;
}
