/*
 * Init of a machine that counts its instructions (-icount): long system calls, and for each the
 * longest that its thread kept the CPU after a sleeper was to have it, by /proc/sched_latency.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)

static char *buffer; /* 16 MiB, touched */
static int zero, urandom, null_fd, pipe_fd[2], epoll_fd, nfds;

static void reset(void)
{
    int fd = open("/proc/sched_latency", O_WRONLY);

    if (fd < 0 || write(fd, "0", 1) != 1)
        perror("sched_latency");
    close(fd);
}

static void report(const char *what)
{
    char text[512];
    int fd = open("/proc/sched_latency", O_RDONLY), n = read(fd, text, sizeof(text) - 1);

    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    printf("call %s: %s", what, text);
}

static void read_zero(void)
{
    read(zero, buffer, 16 * MIB);
}

static void read_urandom(void)
{
    read(urandom, buffer, MIB);
}

static void write_random(void)
{
    write(urandom, buffer, 256 << 10);
}

static void vectors(void)
{
    struct iovec v[1024];

    for (int i = 0; i < 1024; i++)
        v[i] = (struct iovec){buffer, 8192};
    readv(zero, v, 1024);
    writev(null_fd, v, 1024);
}

static void through_a_pipe(void)
{
    for (int i = 0; i < 8; i++) {
        write(pipe_fd[1], buffer, MIB);
        read(pipe_fd[0], buffer, MIB);
    }
}

static void process_vm(void)
{
    struct iovec to = {buffer, 8 * MIB}, from = {buffer + 8 * MIB, 8 * MIB};

    process_vm_readv(getpid(), &to, 1, &from, 1, 0);
}

static void proc_mem(void)
{
    int fd = open("/proc/self/mem", O_RDONLY);

    pread64(fd, buffer, 8 * MIB, (off64_t)(uintptr_t)buffer);
    close(fd);
}

static void listing(const char *path)
{
    DIR *d = opendir(path);

    while (d && readdir(d))
        ;
    if (d)
        closedir(d);
}

static void directory(void)
{
    listing("/many");
}

static void small_reads_of_a_directory(void)
{
    char buf[512];
    int fd = open("/many", O_RDONLY);

    for (int i = 0; i < 300 && syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0; i++)
        ;
    close(fd);
}

/* What an entry costs when it comes in small pieces: the directory's length must not matter. */
static void entry_cost(void)
{
    struct timespec a, b;
    char buf[512];
    int fd = open("/many", O_RDONLY);
    long entries = 0, n;

    clock_gettime(CLOCK_MONOTONIC, &a);
    while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
        entries += n / 32; /* at least 24 bytes each */
    clock_gettime(CLOCK_MONOTONIC, &b);
    close(fd);
    printf("cost entry: %ld\n",
           ((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec) / (entries + 1));
}

static void read_whole(const char *path)
{
    int fd = open(path, O_RDONLY);

    while (read(fd, buffer, MIB) > 0)
        ;
    close(fd);
}

static void maps(void)
{
    read_whole("/proc/self/maps");
}

static void smaps(void)
{
    read_whole("/proc/self/smaps");
}

static void status(void)
{
    for (int i = 0; i < 3; i++)
        read_whole("/proc/self/status");
}

static void slabinfo(void)
{
    for (int i = 0; i < 5; i++)
        read_whole("/proc/slabinfo");
}

static void kpagecount(void)
{
    read_whole("/proc/kpagecount");
}

static void polling(void)
{
    static struct pollfd p[4096];

    for (int i = 0; i < nfds; i++)
        p[i] = (struct pollfd){i, POLLPRI, 0};
    for (int i = 0; i < 6; i++)
        poll(p, (unsigned)nfds, 0);
}

static void selecting(void)
{
    static uint32_t sets[3][4096 / 32];

    for (int i = 0; i < 6; i++) {
        memset(sets, 0xff, sizeof(sets));
        syscall(SYS__newselect, 3000, sets[0], sets[1], sets[2], &(struct timeval){0, 0});
    }
}

static void epolling(void)
{
    static struct epoll_event e[4096];

    for (int i = 0; i < 6; i++)
        epoll_wait(epoll_fd, e, 4096, 0);
}

static void forget_epoll(void)
{
    int set = epoll_create1(0);

    for (int i = 3; i < nfds; i++)
        epoll_ctl(set, EPOLL_CTL_ADD, i, &(struct epoll_event){EPOLLIN, {0}});
    close(set);
}

static void close_many(void)
{
    if (fork() == 0) {
        syscall(SYS_close_range, 3, 4096, 0);
        _exit(0);
    }
    wait(NULL);
}

static void exit_with_many(void)
{
    if (fork() == 0)
        _exit(0);
    wait(NULL);
}

static void huge_arguments(void)
{
    static char *args[20000];

    for (int i = 0; i < 19999; i++)
        args[i] = "an argument that is repeated very often";
    args[15000] = NULL;
    if (fork() == 0) {
        execv("/init", args);
        _exit(1);
    }
    wait(NULL);
}

static void timers(void)
{
    if (fork() == 0) {
        timer_t t;

        for (int i = 0; i < 1500; i++)
            timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_NONE}, &t);
        _exit(0);
    }
    wait(NULL);
}

static void queued_signals(void)
{
    if (fork() == 0) {
        sigset_t set;

        sigfillset(&set);
        sigprocmask(SIG_BLOCK, &set, NULL);
        for (int i = 0; i < 1000; i++)
            sigqueue(getpid(), SIGRTMIN + 1, (union sigval){0});
        _exit(0);
    }
    wait(NULL);
}

static void console(void)
{
    static char line[20000];

    memset(line, 'x', sizeof(line));
    for (unsigned i = 63; i < sizeof(line); i += 64)
        line[i] = '\n';
    write(1, line, sizeof(line));
}

static void unmount(void)
{
    char name[64];

    mkdir("/mnt", 0755);
    mount("none", "/mnt", "tmpfs", 0, NULL);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "/mnt/%d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    umount("/mnt");
}

static const struct {
    const char *name;
    void (*fn)(void);
    int times;
} calls[] = {
    {"zero", read_zero, 2},
    {"urandom", read_urandom, 1},
    {"write_random", write_random, 1},
    {"vectors", vectors, 4},
    {"pipe", through_a_pipe, 2},
    {"process_vm", process_vm, 3},
    {"proc_mem", proc_mem, 1},
    {"directory", directory, 3},
    {"small_directory", small_reads_of_a_directory, 2},
    {"maps", maps, 3},
    {"smaps", smaps, 2},
    {"status", status, 8},
    {"slabinfo", slabinfo, 8},
    {"kpagecount", kpagecount, 1},
    {"poll", polling, 6},
    {"select", selecting, 4},
    {"epoll", epolling, 6},
    {"forget_epoll", forget_epoll, 3},
    {"close_range", close_many, 6},
    {"exit", exit_with_many, 6},
    {"exec", huge_arguments, 2},
    {"timers", timers, 3},
    {"signals", queued_signals, 3},
    {"console", console, 2},
    {"unmount", unmount, 2},
};

static void prepare(void)
{
    struct rlimit files = {4096, 4096};
    char name[32];

    mount("none", "/proc", "proc", 0, NULL);
    buffer = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    zero = open("/dev/zero", O_RDONLY);
    urandom = open("/dev/urandom", O_RDWR);
    null_fd = open("/dev/null", O_WRONLY);
    pipe(pipe_fd);
    fcntl(pipe_fd[1], F_SETPIPE_SZ, MIB);
    mkdir("/many", 0755);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "/many/%d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    for (int i = 0; i < 3000; i++)
        mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
             -1, 0);
    setrlimit(RLIMIT_NOFILE, &files);
    epoll_fd = epoll_create1(0);
    for (nfds = epoll_fd; nfds < 3500; nfds++) {
        dup2(pipe_fd[0], nfds + 1);
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, nfds + 1,
                  &(struct epoll_event){EPOLLIN | EPOLLOUT, {0}});
    }
}

int main(int argc, char **argv)
{
    if (argc > 100)
        return 0;
    (void)argv;
    if (fork() == 0)
        for (;;)
            nanosleep(&(struct timespec){0, 1000000}, NULL);
    prepare();
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        reset();
        for (int n = 0; n < calls[i].times; n++)
            calls[i].fn();
        report(calls[i].name);
    }
    entry_cost();
    puts("=== done");
    reboot(RB_POWER_OFF);
}
