/* Faults that the kernel takes for a program: calls whose memory is lazy, shared, copied on write,
 * of a file, of a growing stack, read-only, half there or not there; what they give then. */
#include "guest.h"
#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>

#define RW (PROT_READ | PROT_WRITE)

static char *edge; /* the end of a page, after which nothing can be touched */
static char *ro, *none, *lazy_file;
static int file;

/* A call that fills n bytes at a place: runs it for every kind of place. */
typedef long (*filler)(void *at);

static void try_all(const char *what, filler call, size_t n)
{
    char *fresh = map_anon(2), *file_page;
    struct {
        const char *name;
        void *at;
    } places[] = {
        {"lazy", fresh + PAGE - n / 2},
        {"copied file page", NULL},
        {"up to the edge", edge - n},
        {"half over the edge", edge - n / 2},
        {"over the edge", edge},
        {"read-only", ro},
        {"no access", none},
        {"null", NULL},
        {"the kernel's", (void *)0xfffff000},
    };

    file_page = map(2 * PAGE, RW, MAP_PRIVATE, file, 0);
    places[1].at = file_page + PAGE - n / 2;
    for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
        long r;

        errno = 0;
        r = call(places[i].at);
        printf("%s, %s: %s\n", what, places[i].name, r < 0 ? error_name(errno) : "ok");
    }
    munmap(fresh, 2 * PAGE);
    munmap(file_page, 2 * PAGE);
}

static long fill_stat(void *at)
{
    return syscall(SYS_stat64, "/", at);
}

static long fill_statfs(void *at)
{
    return syscall(SYS_statfs, "/", at);
}

static long fill_uname(void *at)
{
    return syscall(SYS_uname, at);
}

static long fill_getcwd(void *at)
{
    return syscall(SYS_getcwd, at, 100);
}

static long fill_pipe(void *at)
{
    long r = syscall(SYS_pipe, at);

    if (r == 0) {
        close(((int *)at)[0]);
        close(((int *)at)[1]);
    }
    return r;
}

static long fill_time(void *at)
{
    return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, at);
}

static long fill_day(void *at)
{
    return syscall(SYS_gettimeofday, at, NULL);
}

static long fill_rlimit(void *at)
{
    return syscall(SYS_ugetrlimit, RLIMIT_STACK, at);
}

static long fill_rusage(void *at)
{
    return syscall(SYS_getrusage, RUSAGE_SELF, at);
}

static long fill_sysinfo(void *at)
{
    return syscall(SYS_sysinfo, at);
}

static long fill_times(void *at)
{
    return syscall(SYS_times, at) == -1 ? -1 : 0;
}

static long fill_mask(void *at)
{
    return syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, at, 8);
}

static long fill_action(void *at)
{
    return syscall(SYS_rt_sigaction, SIGUSR1, NULL, at, 8);
}

static long fill_groups(void *at)
{
    return syscall(SYS_getresuid32, at, at, at);
}

static long fill_link(void *at)
{
    return readlink("/proc/self/exe", at, 10);
}

static long fill_dents(void *at)
{
    int fd = open("/", O_RDONLY);
    long r = syscall(SYS_getdents64, fd, at, 24);

    close(fd);
    return r;
}

static long fill_wait(void *at)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(3);
    return waitpid(pid, at, 0);
}

static long fill_poll(void *at)
{
    return poll(at, 1, 0) < 0 ? -1 : 0;
}

static long fill_select(void *at)
{
    struct timeval none_at_all = {0, 0};

    return at ? select(1, at, NULL, NULL, &none_at_all) : -1;
}

static void fillers(void)
{
    try_all("stat64", fill_stat, 96);
    try_all("statfs", fill_statfs, 64);
    try_all("uname", fill_uname, 390);
    try_all("pipe", fill_pipe, 8);
    try_all("clock_gettime", fill_time, 8);
    try_all("gettimeofday", fill_day, 8);
    try_all("getrlimit", fill_rlimit, 8);
    try_all("getrusage", fill_rusage, 72);
    try_all("sysinfo", fill_sysinfo, 64);
    try_all("times", fill_times, 16);
    try_all("sigprocmask", fill_mask, 8);
    try_all("sigaction", fill_action, 20);
    try_all("getresuid", fill_groups, 4);
    try_all("readlink", fill_link, 10);
    try_all("getdents64", fill_dents, 24);
    try_all("wait4", fill_wait, 4);
    try_all("poll", fill_poll, 8);
    try_all("select", fill_select, 4);
}

static void cwd(void)
{
    DIE_UNLESS(chdir("/proc/self/task") == 0 && chdir("/") == 0);
    SHOW(syscall(SYS_getcwd, edge - 2, 100)); /* "/" fits */
    SHOW(syscall(SYS_getcwd, edge - 1, 100));
    SHOW(fill_getcwd(NULL));
    SHOW(syscall(SYS_getcwd, edge - 1, 1));
    SHOW(syscall(SYS_getcwd, edge - 2, 0));
}

/* ---- Partial counts ---- */

static void files(void)
{
    struct iovec v[3] = {{edge - 10, 10}, {edge, 10}, {edge - 10, 10}};

    SHOW(pread(file, edge - 100, 200, 0));
    SHOW(pread(file, edge, 100, 0));
    SHOW(preadv(file, v, 3, 0));
    v[0].iov_len = 20;
    SHOW(preadv(file, v, 2, 0));
    SHOW(pread(file, ro, 100, 0));
    SHOW(pread(file, ro - 50, 100, 0)); /* writable, then read-only */
    SHOW(pread(file, lazy_file, 2 * PAGE, 0));
    SHOW(pwrite(file, edge - 30, 60, PAGE));
    SHOW(pwrite(file, edge, 60, PAGE));
    v[0] = (struct iovec){edge - 10, 10};
    SHOW(pwritev(file, v, 3, PAGE));
    SHOW(pread(file, NULL, 0, 0));
    SHOW(pread(file, edge, 0, 0));
}

static void at_the_end(void)
{
    int fd = make_file("short", 100);

    SHOW(pread(fd, edge, 10, 100)); /* nothing to read: the buffer is not looked at */
    SHOW(pread(fd, edge - 40, 100, 60));
    SHOW(pread(fd, edge - 40, 100, 50));
    SHOW(pwrite(fd, edge - 10, 20, 100)); /* as far as it went */
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(pwrite(fd, edge, 20, 300));
    close(fd);
}

static void pipes(void)
{
    int p[2];
    char buf[200];

    DIE_UNLESS(pipe2(p, O_NONBLOCK) == 0);
    SHOW(write(p[1], edge, 10));
    SHOW(write(p[1], "0123456789", 10));
    SHOW(read(p[0], edge, 10));
    SHOW(read(p[0], ro, 10));
    SHOW(read(p[0], buf, 200)); /* nothing was lost */
    SHOW(write(p[1], lazy_file, 100));
    SHOW(read(p[0], map_anon(1), 100));
    SHOW(read(p[0], edge, 10));
    close(p[0]);
    close(p[1]);
}

static void devices(void)
{
    int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR);

    SHOW(read(zero, edge - 100, 200));
    SHOW(read(zero, edge, 100));
    SHOW(read(zero, ro, 100));
    SHOW(write(null, edge, 100)); /* never looked at */
    SHOW(write(null, edge - 50, 100));
    close(zero);
    close(null);
}

/* ---- Memory in every state ---- */

static void shared_with_a_child(void)
{
    char *p = letters(3);

    if (fork() == 0) {
        SHOW(pread(file, p + PAGE - 5, 10, 0));
        show_pages("child", p, 3);
        printf("%c %c\n", p[PAGE - 1], p[PAGE + 4]);
        _exit(0);
    }
    wait(NULL);
    show_pages("parent", p, 3);
    printf("%d %d\n", p[PAGE - 1], p[PAGE + 4]);
}

static __attribute__((noinline)) void deep_buffer(int depth)
{
    char buf[3 * PAGE];

    SHOW(pread(file, buf, 10, 0)); /* its lowest page was never touched */
    SHOW(pread(file, buf + 2 * PAGE - 100, 200, 0));
    printf("%c %c\n", buf[5], buf[2 * PAGE]);
    if (depth)
        deep_buffer(depth - 1);
}

static void write_only_memory(void)
{
    char *p = map(PAGE, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    SHOW(pread(file, p, 10, 0));
    SHOW(pwrite(file, p, 10, 0)); /* i386 can read what it can write */
}

static void strings(void)
{
    memcpy(edge - 2, "/", 2);
    SHOW(access(edge - 2, F_OK));
    memcpy(edge - 2, "//", 2);
    SHOW(access(edge - 2, F_OK));
    SHOW(access(edge, F_OK));
    SHOW(open(edge - 2, O_RDONLY));
    SHOW(mkdir(edge - 2, 0700));
    SHOW(rename(edge - 2, "x"));
    SHOW(rename("/", edge - 2));
    SHOW(symlink(edge - 1, "x"));
    SHOW(chdir(none));
    SHOW(execve(edge - 2, NULL, NULL));
    SHOW(execve("/proc/self/exe", (char **)(edge - 2), NULL));
    SHOW(execve("/proc/self/exe", NULL, (char **)edge));
}

static void inputs(void)
{
    struct pollfd ready = {open("/dev/zero", O_RDONLY), POLLIN, 0};
    int e = epoll_create1(0);

    SHOW(poll(&ready, 1, 0));
    SHOW(syscall(SYS_nanosleep, edge - 4, NULL));
    SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, edge - 4, NULL, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, edge - 8, NULL, 8));
    SHOW(syscall(SYS_setitimer, ITIMER_REAL, edge - 8, NULL));
    SHOW(syscall(SYS_epoll_ctl, e, EPOLL_CTL_ADD, ready.fd, edge - 4));
    SHOW(syscall(SYS_setrlimit, RLIMIT_CORE, edge - 4));
    SHOW(syscall(SYS_futex, edge, 0, 0, NULL));
    SHOW(syscall(SYS_futex, none, 0, 0, NULL));
    close(ready.fd);
    close(e);
}

int main(void)
{
    char *room = map_anon(8);

    mprotect(room + PAGE, PAGE, PROT_NONE); /* a hole might be filled by another mapping */
    edge = room + PAGE;
    ro = room + 4 * PAGE;
    mprotect(ro, PAGE, PROT_READ);
    none = room + 6 * PAGE;
    mprotect(none, PAGE, PROT_NONE);
    catch_faults();
    file = make_file("source", 4 * PAGE);
    lazy_file = map(2 * PAGE, RW, MAP_PRIVATE, make_file("lazy", 2 * PAGE), 0);
    fillers();
    files();
    at_the_end();
    pipes();
    devices();
    shared_with_a_child();
    deep_buffer(30);
    write_only_memory();
    strings();
    inputs();
    cwd();
    return 0;
}
