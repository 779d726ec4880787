/*
 * Init of scripts/bench-scale, on Faultline and on Linux: what one operation costs beside few and
 * beside many others of its kind, in instructions (QEMU's -icount makes the time stamp counter
 * count them). Prints "row NAME COUNT COST".
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 20

static uint64_t stamp(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void row(const char *name, int count, uint64_t since, int rounds)
{
    printf("row %s %d %lu\n", name, count, (unsigned long)((stamp() - since) / (unsigned)rounds));
}

static void need(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        reboot(RB_POWER_OFF);
    }
}

/* ---- Timers, locks ---- */

static void timers(int count)
{
    struct sigevent e = {.sigev_notify = SIGEV_NONE};
    struct itimerspec at = {{0, 0}, {1000, 0}};
    timer_t *t = malloc((size_t)count * sizeof(*t));
    uint64_t since;

    for (int i = 0; i < count; i++) {
        need(timer_create(CLOCK_MONOTONIC, &e, &t[i]) == 0, "timer_create");
        at.it_value.tv_nsec = i * 7919 % 1000;
        timer_settime(t[i], 0, &at, NULL);
    }
    since = stamp();
    for (int i = 0; i < ROUNDS; i++)
        timer_settime(t[i * 37 % count], 0, &at, NULL);
    row("timer_settime", count, since, ROUNDS);
    for (int i = 0; i < count; i++)
        timer_delete(t[i]);
    free(t);
}

static int locked(int count)
{
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    int fd = open("/locked", O_RDWR | O_CREAT, 0600);

    for (int i = 0; i < count; i++) {
        l.l_start = 2 * i;
        need(fcntl(fd, F_SETLK, &l) == 0, "F_SETLK");
    }
    return fd;
}

static void locks(int count)
{
    struct flock l = {.l_type = F_WRLCK, .l_len = 1};
    int fd = locked(count);
    uint64_t since = stamp();

    for (int i = 0; i < ROUNDS; i++) {
        l.l_type = i % 2 ? F_UNLCK : F_WRLCK;
        l.l_start = 1000000 + i / 2;
        fcntl(fd, F_SETLK, &l);
    }
    row("lock", count, since, ROUNDS);
    since = stamp();
    for (int i = 0; i < ROUNDS; i++) {
        l.l_type = i % 2 ? F_WRLCK : F_UNLCK;
        l.l_start = count / 2 * 2;
        fcntl(fd, F_SETLK, &l);
    }
    row("relock", count, since, ROUNDS);
    since = stamp();
    close(fd);
    row("close-locked", count, since, 1);
}

/* ---- Processes ---- */

static int gate[2]; /* nobody writes: those that read it wait for their end */

static void crowd(int count)
{
    char c;

    need(pipe(gate) == 0, "pipe");
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();

        need(pid >= 0, "fork");
        if (pid == 0) {
            close(gate[1]);
            _exit((int)read(gate[0], &c, 1));
        }
    }
    usleep(100000);
}

static void disperse(void)
{
    close(gate[0]);
    close(gate[1]);
    while (wait(NULL) > 0)
        ;
}

static void one_child(const char *name, int count, int any)
{
    uint64_t since = stamp();

    for (int i = 0; i < ROUNDS; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        waitpid(any ? -1 : pid, NULL, 0);
    }
    row(name, count, since, ROUNDS);
}

static void asked_for(int count)
{
    pid_t pid = fork();
    uint64_t since;

    if (pid == 0)
        for (;;)
            pause();
    since = stamp();
    for (int i = 0; i < ROUNDS; i++)
        waitpid(pid, NULL, WNOHANG);
    row("wait4", count, since, ROUNDS);
    since = stamp();
    for (int i = 0; i < ROUNDS; i++) {
        setpgid(pid, i % 2 ? getpgrp() : pid);
        kill(-pid, 0);
    }
    row("setpgid", count, since, ROUNDS);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void list(const char *name, const char *path, size_t size, int count, int each)
{
    static char buf[65536];
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    uint64_t since = stamp();

    while (syscall(SYS_getdents64, fd, buf, size) > 0)
        ;
    row(name, count, since, each);
    close(fd);
}

static void processes(int count)
{
    crowd(count);
    asked_for(count);
    one_child("fork-wait", count, 0);
    one_child("fork-wait-any", count, 1);
    list("list-proc", "/proc", 32768, count, count);
    list("list-proc-512", "/proc", 512, count, count);
    disperse();
}

/* ---- Names ---- */

static void names(int count)
{
    char name[64];
    uint64_t since;
    int fd;

    mkdir("/mnt", 0755);
    need(mount("none", "/mnt", "tmpfs", 0, "nr_inodes=100000") == 0, "mount");
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "/mnt/%d", i);
        need(mknod(name, S_IFREG | 0600, 0) == 0, "mknod");
    }
    list("getdents-512", "/mnt", 512, count, count);
    list("getdents-64k", "/mnt", 65536, count, count);
    fd = open("/mnt/0", O_RDONLY);
    since = stamp();
    for (int i = 0; i < ROUNDS; i++)
        need(umount("/mnt") < 0, "not busy");
    row("umount-busy", count, since, ROUNDS);
    close(fd);
    need(umount("/mnt") == 0, "umount");
}

/* ---- All ---- */

/* Points of a curve: beside few, and beside 4, 20 and 100 times as many. */
static void grow(void (*measure)(int), int few)
{
    static const int times[] = {1, 4, 20, 100};

    for (int i = 0; i < 4; i++)
        measure(few * times[i]);
}

int main(void)
{
    struct rlimit many = {100000, 100000};

    setvbuf(stdout, NULL, _IONBF, 0);
    setrlimit(RLIMIT_NPROC, &many);
    setrlimit(RLIMIT_SIGPENDING, &many);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    grow(timers, 30);
    grow(locks, 10);
    grow(processes, 20);
    grow(names, 500);
    printf("scale: done\n");
    reboot(RB_POWER_OFF);
    return 0;
}
