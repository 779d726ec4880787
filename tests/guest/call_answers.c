/*
 * Short answers of many calls: what wait says of those who cannot tell anything any more, sleeps
 * that end before they begin, modes and names of new files, ids that were asked for, statfs of what
 * has no name, old calls with 16-bit ids.
 */
#include "guest.h"
#include <sched.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/user.h>
#include <time.h>

CHANGES_THE_MACHINE("ids of System V objects");

/* ---- wait ---- */

/* A zombie tells its end and nothing else: who waits for another thing does not wait for it. */
static void wait_for_zombies(void)
{
    siginfo_t info;
    pid_t a = fork(), b;

    if (a == 0)
        _exit(3);
    waitid(P_PID, a, &info, WEXITED | WNOWAIT);
    SHOW(waitid(P_PID, a, &info, WCONTINUED));
    SHOW(waitid(P_ALL, 0, &info, WSTOPPED));
    SHOW(waitid(P_PGID, 0, &info, WSTOPPED | WCONTINUED));
    b = fork();
    if (b == 0) {
        pause();
        _exit(0);
    }
    info.si_pid = 1;
    SHOW(waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG));
    printf("pid %d\n", info.si_pid);
    kill(b, SIGKILL);
    SHOW(waitid(P_ALL, 0, &info, WSTOPPED));
    SHOW(waitpid(a, NULL, 0) == a);
    SHOW(waitpid(b, NULL, 0) == b);
}

static void wait_for_traced(void)
{
    siginfo_t info;
    pid_t pid = fork();

    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        _exit(4);
    }
    SHOW(waitid(P_PID, pid, &info, WSTOPPED));
    printf("code %d status %d\n", info.si_code, info.si_status);
    SHOW(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[6]), 0) & 0xffff);
    SHOW(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[6]), 0x4ff1));
    SHOW(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[6]), 0) & 0xffff);
    ptrace(PTRACE_CONT, pid, 0, 0);
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
    SHOW(waitid(P_PID, pid, &info, WSTOPPED));
    SHOW(waitpid(pid, NULL, 0) == pid);
}

/* ---- Sleeping ---- */

/* What was due before it was asked for fires between the asking and the sleeping. */
static void late_sleeps(void)
{
    static const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID};
    int woken;

    for (int c = 0; c < 3; c++) {
        woken = 0;
        for (int i = 0; i < 100; i++) {
            struct timespec t = {0, i};

            if (i % 2)
                clock_gettime(clocks[c], &t);
            alarm(10);
            woken += clock_nanosleep(clocks[c], TIMER_ABSTIME, &t, NULL) == 0;
            alarm(0);
        }
        printf("clock %d: %d woken\n", clocks[c], woken);
    }
}

/* What went by while nobody took the signal is told with it, and by a descriptor when it is read:
 * also what was due before the machine began. */
static void late_timers(void)
{
    const struct itimerspec often = {{0, 1}, {0, 1}};
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec old = {.it_interval.tv_sec = 700}, left;
    int fd = timerfd_create(CLOCK_REALTIME, 0);
    siginfo_t info;
    sigset_t set;
    uint64_t n;
    timer_t id;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    timer_create(CLOCK_REALTIME, &ev, &id);
    SHOW(timer_settime(id, TIMER_ABSTIME, &often, NULL));
    SHOW(timer_getoverrun(id));
    sigwaitinfo(&set, &info);
    printf("at most: %d %d\n", info.si_overrun == INT32_MAX, timer_getoverrun(id) == INT32_MAX);
    timer_delete(id);
    ev.sigev_signo = SIGUSR2;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    timer_create(CLOCK_REALTIME, &ev, &id);
    clock_gettime(CLOCK_REALTIME, &old.it_value);
    old.it_value.tv_sec -= 100000 - 300;
    SHOW(timer_settime(id, TIMER_ABSTIME, &old, NULL));
    SHOW(timer_getoverrun(id));
    sigwaitinfo(&set, &info);
    printf("missed: %d %d\n", info.si_overrun, timer_getoverrun(id));
    timer_gettime(id, &left);
    printf("in phase: %d\n", left.it_value.tv_sec / 10 == 39);
    SHOW(timerfd_settime(fd, TFD_TIMER_ABSTIME, &old, NULL));
    SHOW(read(fd, &n, 8));
    timerfd_gettime(fd, &left);
    printf("expired %d times, in phase: %d\n", (int)n, left.it_value.tv_sec / 10 == 39);
    timer_delete(id);
    close(fd);
}

/* Clocks that would wake the machine are for who may ask for that. */
static void alarm_clocks(void *arg)
{
    static const int clocks[] = {CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM};
    struct itimerspec soon = {.it_value.tv_nsec = 1000};
    struct sigevent ev = {.sigev_notify = SIGEV_NONE};
    struct timespec t = {0, 1000};
    uint64_t n;
    timer_t id;

    if (arg)
        DIE_UNLESS(setuid(1000) == 0);
    for (int i = 0; i < 2; i++) {
        int fd = timerfd_create(clocks[i], 0);

        printf("clock %d: %s\n", clocks[i], fd < 0 ? error_name(errno) : "ok");
        SHOW(timerfd_settime(fd, 0, &soon, NULL));
        SHOW(read(fd, &n, 8));
        close(fd);
        SHOW(timer_create(clocks[i], &ev, &id));
        SHOW(syscall(SYS_clock_nanosleep, clocks[i], 0, &t, NULL));
        SHOW(syscall(SYS_clock_nanosleep, clocks[i], TIMER_ABSTIME, &t, NULL));
    }
}

/* ---- New files ---- */

static void show_mode(const char *name)
{
    struct stat st;

    if (stat(name, &st) < 0)
        printf("%s: %s\n", name, error_name(errno));
    else
        printf("%s: mode %o group %d\n", name, st.st_mode, (int)st.st_gid);
}

static void in_shared_directory(void *arg)
{
    int fd;

    if (arg)
        DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
    umask(0);
    close(open("group/opened", O_CREAT | O_RDWR, 02777));
    close(open("group/locked", O_CREAT | O_RDWR, 02707));
    mknod("group/node", S_IFREG | 02771, 0);
    mkfifo("group/fifo", 02777);
    mkdir("group/dir", 02777);
    fd = open("group", O_TMPFILE | O_RDWR, 02777);
    if (fd >= 0) {
        struct stat st;

        fstat(fd, &st);
        printf("nameless: mode %o group %d\n", st.st_mode, (int)st.st_gid);
    }
    show_mode("group/opened");
    show_mode("group/locked");
    show_mode("group/node");
    show_mode("group/fifo");
    show_mode("group/dir");
    unlink("group/opened");
    unlink("group/locked");
    unlink("group/node");
    unlink("group/fifo");
    rmdir("group/dir");
}

static void group_directory(void)
{
    mkdir("group", 0777);
    chown("group", 0, 500);
    chmod("group", 02777);
    in_child("root", in_shared_directory, NULL);
    in_child("another", in_shared_directory, "");
}

static void link_nameless(int fd, const char *name)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    TRY(linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW));
    TRY(linkat(fd, "", AT_FDCWD, "other", AT_EMPTY_PATH));
    unlink(name);
    unlink("other");
    close(fd);
}

static void nameless_files(void)
{
    link_nameless(open(".", O_TMPFILE | O_RDWR, 0600), "named");
    link_nameless(open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600), "named");
}

static void long_sources(void)
{
    char *name = malloc(5000);

    memset(name, 'x', 4999);
    name[4999] = '\0';
    mkdir("place", 0755);
    SHOW(mount(name, "place", "tmpfs", 0, NULL));
    SHOW(mount(name, "place", NULL, MS_BIND, NULL));
    SHOW(mount("none", "place", name, 0, NULL));
    SHOW(mount("none", name, "tmpfs", 0, NULL));
    free(name);
}

/* ---- Descriptors ---- */

static void show_type(const char *what, int fd)
{
    struct statfs s;

    if (fstatfs(fd, &s) < 0)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %lx, blocks of %ld\n", what, (long)s.f_type, (long)s.f_bsize);
    close(fd);
}

/* Lengths of 32 bits have a sign. */
static void negative_lengths(void)
{
    int fd = memfd_create("x", 0);
    struct stat st;

    SHOW(syscall(SYS_ftruncate, fd, -1));
    SHOW(syscall(SYS_ftruncate, fd, 0x80000000));
    SHOW(syscall(SYS_ftruncate, 99, -1));
    SHOW(fstat(fd, &st));
    printf("%d bytes\n", (int)st.st_size);
    close(fd);
}

static void types(void)
{
    int p[2], s[2];

    DIE_UNLESS(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    show_type("pipe", p[0]);
    show_type("socket", s[0]);
    show_type("epoll", epoll_create1(0));
    show_type("nothing", -1);
    close(p[1]);
    close(s[1]);
}

static void other_namespaces(void)
{
    int null = open("/dev/null", O_RDONLY);

    SHOW(syscall(SYS_setns, -1, 0));
    SHOW(syscall(SYS_setns, 99, 0));
    SHOW(syscall(SYS_setns, null, 0));
    SHOW(syscall(SYS_setns, null, 0x4000000));
    close(null);
}

/* ---- Who one is ---- */

static void old_ids(void *arg)
{
    (void)arg;
    SHOW(syscall(SYS_setfsuid32, 70000));
    SHOW(syscall(SYS_setfsuid, 5));
    SHOW(syscall(SYS_setfsuid, 0));
    SHOW(syscall(SYS_setfsgid32, 70001));
    SHOW(syscall(SYS_setfsgid, 0));
}

static void sizes_of_attributes(void)
{
    uint32_t a[14];
    static const unsigned sizes[] = {47, 48, 52, 56, 60};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(a, 0x55, sizeof(a));
        errno = 0;
        syscall(SYS_sched_getattr, 0, a, sizes[i], 0);
        printf("sched_getattr of %u: %s, size %x, end %x\n", sizes[i], error_name(errno), a[0],
               a[13] == 0x55555555);
    }
}

static void kept_flags(void)
{
    struct {
        uint32_t handler, flags, restorer, mask[2];
    } a = {(uint32_t)SIG_IGN, 0xf00, 0, {0, 0}};

    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, &a, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, &a, 8));
    printf("flags %x\n", a.flags);
}

/* ---- Ids of System V objects ---- */

static void set(const char *name, const char *value)
{
    char path[60];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    fd = open(path, O_WRONLY);
    printf("%s = %s: ", name, value);
    SHOW(write(fd, value, strlen(value)));
    close(fd);
}

static void show(const char *name)
{
    char path[60], text[40] = "";
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    fd = open(path, O_RDONLY);
    printf("%s: %s", name, read(fd, text, sizeof(text) - 1) > 0 ? text : "none\n");
    close(fd);
}

static void wanted_ids(void)
{
    int a, b;

    show("msg_next_id");
    set("msg_next_id", "-2");
    set("msg_next_id", "2147483648");
    set("msg_next_id", "32777");
    a = msgget(IPC_PRIVATE, 0600);
    printf("msg %d\n", a);
    show("msg_next_id");
    set("msg_next_id", "32777");
    b = msgget(IPC_PRIVATE, 0600);
    printf("msg, taken: %d\n", b);
    SHOW(msgctl(a, IPC_RMID, NULL));
    SHOW(msgctl(b, IPC_RMID, NULL));
    set("sem_next_id", "70000");
    a = semget(IPC_PRIVATE, 1, 0600);
    printf("sem %d\n", a);
    SHOW(semctl(a, 0, IPC_RMID));
    set("shm_next_id", "98309");
    a = shmget(IPC_PRIVATE, 1, 0600);
    printf("shm %d\n", a);
    show("shm_next_id");
    SHOW(shmctl(a, IPC_RMID, NULL));
}

int main(void)
{
    wait_for_zombies();
    wait_for_traced();
    late_sleeps();
    late_timers();
    in_child("alarms", alarm_clocks, NULL);
    in_child("alarms of a user", alarm_clocks, "");
    group_directory();
    nameless_files();
    long_sources();
    negative_lengths();
    types();
    other_namespaces();
    in_child("old ids", old_ids, NULL);
    sizes_of_attributes();
    kept_flags();
    wanted_ids();
    return 0;
}
