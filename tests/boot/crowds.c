/* Init of test_stretches.py: calls that have to do with many objects at once. */
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include "longest.h"

#define CROWD 2000 /* processes, at most */
#define AREAS 20000u
#define NAMES 20000

static int file, event;
static char *shared; /* a page of the file */

static void read_all(const char *path, size_t piece)
{
    static char buf[65536];
    int fd = open(path, O_RDONLY);

    while (read(fd, buf, piece) > 0)
        ;
    close(fd);
}

/* ---- Many processes ---- */

static void one_of_many(void)
{
    uint64_t v;

    *(volatile char *)shared;
    for (;;)
        if (read(event, &v, sizeof(v)) < 0)
            pause();
}

/* Pages that all of them map have to be looked at. */
static void shortage(void)
{
    char text[256] = "", *at;
    int fd = open("/proc/meminfo", O_RDONLY);
    size_t size;
    char *p;

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || !(at = strstr(text, "MemFree:")))
        die("/proc/meminfo");
    close(fd);
    size = ((size_t)atol(at + 8) << 10) + (16u << 20);
    p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    forget();
    for (size_t i = 0; i < size; i += PAGE)
        p[i] = 1;
    report("reclaim");
    munmap(p, size);
    forget();
}

static void of_all(void)
{
    shortage();
    kill(-1, SIGUSR1);
    report("kill-all");
    kill(0, SIGUSR2);
    report("kill-group");
    setpriority(PRIO_USER, 0, 1);
    report("setpriority");
    getpriority(PRIO_PGRP, 0);
    report("getpriority");
    ftruncate(file, 0);
    report("cut-shared");
    ftruncate(file, PAGE);
    eventfd_write(event, 1);
    usleep(50000);
    report("wake-all");
    forget();
    if (fork() == 0) {
        setuid(1000);
        if (fork() == 0)
            setsid();
        wait(NULL);
        _exit(0);
    }
    waitpid(-1, NULL, 0);
    report("as-user");
}

static void many_processes(void)
{
    int n = 0;

    if (fork() == 0) {
        setpgid(0, 0);
        while (n < CROWD) {
            pid_t pid = fork();
            if (pid == 0)
                one_of_many();
            if (pid < 0)
                break;
            n++;
        }
        usleep(200000);
        printf("processes: %d\n", n);
        report("crowd");
        of_all();
        forget();
        _exit(0); /* all of them become init's */
    }
    wait(NULL);
    report("exit-parent");
    kill(-1, SIGKILL);
    report("kill-9");
    while (wait(NULL) > 0)
        ;
    report("wait");
}

/* ---- Many timers, names, areas, copies, sockets, semaphores ---- */

static void many_timers(void)
{
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
    struct itimerspec at = {{0, 0}, {0, 0}};
    timer_t t;

    signal(SIGRTMIN + 1, SIG_IGN);
    clock_gettime(CLOCK_MONOTONIC, &at.it_value);
    at.it_value.tv_sec += 1;
    for (int i = 0; i < 3000; i++)
        if (timer_create(CLOCK_MONOTONIC, &e, &t) == 0)
            timer_settime(t, TIMER_ABSTIME, &at, NULL);
    forget();
    usleep(1500000);
    report("timers");
}

static void many_names(void)
{
    char name[64];

    mkdir("/mnt", 0755);
    mount("none", "/mnt", "tmpfs", 0, NULL);
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "/mnt/%d", i);
        mknod(name, S_IFREG | 0600, 0);
    }
    forget();
    int fd = open("/mnt/0", O_RDONLY);
    umount("/mnt");
    close(fd);
    report("umount-busy");
    umount("/mnt");
    report("umount");
}

static void audit(void)
{
    read_all("/proc/mm_check", 4096);
    report("mm_check");
}

static void many_areas(void)
{
    int fd = open("/run", O_RDWR | O_CREAT, 0700);

    ftruncate(fd, 2 * PAGE);
    for (unsigned i = 0; i < AREAS; i++)
        *(volatile char *)mmap(NULL, PAGE, i % 2 ? PROT_READ : RW, MAP_PRIVATE, fd, 0);
    forget();
    ftruncate(fd, PAGE);
    ftruncate(fd, 0);
    report("cut-areas");
    read_all("/proc/meminfo", 4096);
    report("meminfo");
    close(fd);
    execl("/run", "run", NULL);
    close(open("/run", O_RDWR));
    report("deny-areas");
    audit();
}

static void many_copies(void)
{
    int fd = open("/copies", O_RDWR | O_CREAT, 0700);
    size_t size = 64 << 20;
    char *p;

    ftruncate(fd, size);
    p = mmap(NULL, size, RW, MAP_PRIVATE, fd, 0);
    for (size_t i = 0; i < size; i += PAGE)
        p[i] = 1;
    forget();
    ftruncate(fd, 0);
    report("cut-copies");
    munmap(p, size);
    close(fd);
}

static void many_sockets(void)
{
    struct rlimit files = {9000, 9000};
    int pair[2];

    setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 0; i < 2000; i++)
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    forget();
    read_all("/proc/net/unix", 512);
    report("net-unix");
    read_all("/proc/net/unix", 65536);
    report("net-unix-64k");
    syscall(SYS_close_range, 20, 9000, 0);
    report("close-range");
}

static void many_sets(void)
{
    static char pieces[4096];

    for (int i = 0; i < 2000; i++)
        semget(IPC_PRIVATE, 10, 0600);
    forget();
    read_all("/proc/sysvipc/sem", sizeof(pieces));
    report("sysvipc");
}

static void long_line(void)
{
    char line[4096], name[32];
    struct termios t;
    int n, slave, master = open("/dev/ptmx", O_RDWR | O_NONBLOCK);

    if (master < 0)
        die("/dev/ptmx");
    n = 0;
    ioctl(master, TIOCSPTLCK, &n);
    ioctl(master, TIOCGPTN, &n);
    snprintf(name, sizeof(name), "/dev/pts/%d", n);
    slave = open(name, O_RDWR | O_NOCTTY);
    tcgetattr(slave, &t);
    memset(line, '\t', sizeof(line));
    for (int i = 0; i < 8; i++) {
        write(master, line, 512);
        while (read(master, line, sizeof(line)) > 0)
            ;
        memset(line, i % 2 ? 'x' : '\t', sizeof(line));
    }
    report("tty-line");
    write(master, "\x12", 1);
    report("tty-reprint");
    while (read(master, line, sizeof(line)) > 0)
        ;
    write(master, "\x17", 1);
    report("tty-word");
    while (read(master, line, sizeof(line)) > 0)
        ;
    write(master, "\x15", 1);
    report("tty-kill");
    close(slave);
    close(master);
}

static void file_locks(void)
{
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    int fd = open("/locks", O_RDWR | O_CREAT, 0600);

    for (l.l_start = 0; l.l_start < 4000; l.l_start += 2)
        fcntl(fd, F_SETLK, &l);
    report("locks");
    l = (struct flock){.l_type = F_UNLCK};
    fcntl(fd, F_SETLK, &l);
    report("unlock-all");
    close(fd);
}

static void prepare(void)
{
    sigset_t set;

    setvbuf(stdout, NULL, _IONBF, 0);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mkdir("/dev", 0755);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mkdir("/dev/pts", 0755);
    mount("devpts", "/dev/pts", "devpts", 0, NULL);
    file = open("/shared", O_RDWR | O_CREAT, 0600);
    ftruncate(file, PAGE);
    shared = mmap(NULL, PAGE, RW, MAP_SHARED, file, 0);
    *shared = 1;
    event = eventfd(0, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* What it makes goes with it. */
static void alone(void (*fn)(void))
{
    if (fork() == 0) {
        fn();
        _exit(0);
    }
    wait(NULL);
    forget();
}

int main(void)
{
    prepare();
    report("boot");
    alone(long_line);
    alone(many_names);
    alone(many_sockets);
    alone(many_sets);
    alone(many_copies);
    alone(many_areas);
    alone(file_locks);
    alone(many_timers);
    many_processes();
    printf("latency: done\n");
    reboot(RB_POWER_OFF);
    return 0;
}
