/*
 * Init of tests/boot/test_core.py: a threaded program dies of a fault in one of its threads, and
 * its core goes out by the console in hexadecimal. After it, what the kernel says of names of
 * cores, of a full file system, and of SIGKILL while a core is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <dirent.h>
#include <unistd.h>

struct story {
    int chapters;
    const char *title;
    double length;
} story = {7, "how it ended", 1.5};

static pthread_barrier_t barrier;
static volatile int *nowhere;

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_TRUNC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        printf("%s: %s\n", path, strerror(errno));
    close(fd);
}

__attribute__((noinline)) int goes_wrong(int depth)
{
    if (depth == 0)
        return *nowhere;
    return goes_wrong(depth - 1) + depth;
}

static void *unlucky(void *arg)
{
    volatile double kept = 2.25;

    pthread_barrier_wait(&barrier);
    printf("%d %f\n", goes_wrong(3), kept);
    return arg;
}

__attribute__((noinline)) void *sleeper(void *arg)
{
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
    return arg;
}

static void unlimited(void)
{
    struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};

    setrlimit(RLIMIT_CORE, &r);
}

static void threaded(void)
{
    pthread_t a, b;

    pthread_barrier_init(&barrier, NULL, 3);
    pthread_create(&a, NULL, sleeper, NULL);
    pthread_create(&b, NULL, unlucky, NULL);
    sleeper(NULL);
}

static int run(void (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        unlimited();
        fn();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status;
}

static void send_file(const char *path)
{
    int fd = open(path, O_RDONLY), n, zeros = 0;
    unsigned char buf[32];

    printf("begin core\n");
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        int used = 0;

        for (int i = 0; i < n; i++)
            used |= buf[i];
        if (!used && n == sizeof(buf)) { /* runs of zeros are told by their length */
            zeros++;
            continue;
        }
        if (zeros)
            printf("z%d\n", zeros);
        zeros = 0;
        for (int i = 0; i < n; i++)
            printf("%02x", buf[i]);
        putchar('\n');
    }
    if (zeros)
        printf("z%d\n", zeros);
    printf("end core\n");
    close(fd);
}

/* ---- Names ---- */

static void quits(void)
{
    raise(SIGQUIT);
}

static void list(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.') {
            struct stat st;
            char path[300];

            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
            stat(path, &st);
            printf("name %s, user %d\n", e->d_name, (int)st.st_uid);
            unlink(path);
        }
    if (d)
        closedir(d);
}

static void named(const char *pattern)
{
    int status;

    put("/proc/sys/kernel/core_pattern", pattern);
    status = run(quits);
    printf("pattern %s: dumped %d\n", pattern, !!WCOREDUMP(status));
    list("/cores");
    list("/here");
}

static void becomes_user(void)
{
    if (setgid(1000) || setuid(1000))
        _exit(1);
    raise(SIGQUIT);
}

static void names(void)
{
    prctl(PR_SET_NAME, "a/b");
    put("/proc/sys/kernel/hostname", "box");
    named("c.%%.%e.%s.%u.%g.%h.%d.%Q%");
    named("/cores/%E.%f");
    put("/proc/sys/kernel/core_uses_pid", "1");
    put("/proc/sys/kernel/core_pattern", "core");
    printf("with a pid: dumped %d\n", !!WCOREDUMP(run(quits)));
    put("/proc/sys/kernel/core_uses_pid", "0");
    named("|/bin/handler");
    named("/nowhere/core");
    printf("undumpable: dumped %d\n", !!WCOREDUMP(run(becomes_user)));
    put("/proc/sys/fs/suid_dumpable", "2");
    put("/proc/sys/kernel/core_pattern", "core.root");
    printf("relative: dumped %d\n", !!WCOREDUMP(run(becomes_user)));
    put("/proc/sys/kernel/core_pattern", "/cores/core.root");
    printf("as root: dumped %d\n", !!WCOREDUMP(run(becomes_user)));
    list("/here");
    list("/cores");
    put("/proc/sys/fs/suid_dumpable", "0");
}

/* ---- What ends it early ---- */

#define BIG (24u << 20)

static void big(void)
{
    char *p = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(p, 1, BIG);
    raise(SIGQUIT);
}

static void full(void)
{
    struct stat st = {0};
    int status;

    mkdir("/small", 0777);
    if (mount("none", "/small", "tmpfs", 0, "size=1m") < 0)
        perror("/small");
    put("/proc/sys/kernel/core_pattern", "/small/core");
    status = run(big);
    stat("/small/core", &st);
    printf("full: dumped %d, partial %d\n", !!WCOREDUMP(status),
           st.st_size > 500 << 10 && st.st_size < 4 << 20);
}

static void killed(void)
{
    struct stat st = {0};
    int status;
    pid_t pid;

    put("/proc/sys/kernel/core_pattern", "/cores/core");
    pid = fork();
    if (pid == 0) {
        unlimited();
        big();
    }
    while (stat("/cores/core", &st) < 0 || st.st_size < 1 << 20)
        usleep(1000);
    kill(pid, SIGTERM);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    stat("/cores/core", &st);
    printf("killed: signal %d, dumped %d, partial %d\n", WTERMSIG(status), !!WCOREDUMP(status),
           st.st_size < (long)BIG);
}

int main(void)
{
    int status;

    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mkdir("/cores", 0777);
    mkdir("/here", 0777);
    if (chdir("/here"))
        return 1;
    status = run(threaded);
    printf("signal %d, dumped %d\n", WTERMSIG(status), !!WCOREDUMP(status));
    send_file("core");
    unlink("core");
    names();
    full();
    killed();
    printf("done\n");
    reboot(RB_POWER_OFF);
    return 0;
}
