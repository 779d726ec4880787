/*
 * Init of scripts/bench-macro, on Faultline and on Linux: what whole programs cost, in instructions
 * (QEMU's -icount makes the time stamp counter count them). Prints "row NAME COST" for each whose
 * program is there, and powers off. Each is run once before it counts. A name as its argument: that
 * one alone, for scripts/profile.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct macro {
    const char *name;
    int times;
    const char *argv[6];
} macros[] = {
    {"exec", 100, {"/bin/busybox", "true"}},
    {"subshell", 1, {"/bin/busybox", "sh", "/macro/subshells"}},
    {"dd", 1, {"/bin/busybox", "dd", "if=/dev/zero", "of=/tmp/f", "bs=64k", "count=256"}},
    {"exec-dynamic", 100, {"/usr/bin/true"}},
    {"substitution", 1, {"/usr/bin/bash", "/macro/substitutions"}},
    {"python", 1, {"/usr/bin/python3", "-c", "import json"}},
    {"gcc", 1, {"/usr/bin/gcc", "-O2", "-c", "/macro/t.c"}},
};

/* Two instructions that do nothing tell the plugin of scripts/profile where it counts. */
#define MARK_BEGIN() __asm__ volatile("xchg %%bx, %%bx" : : : "memory")
#define MARK_END()   __asm__ volatile("xchg %%cx, %%cx" : : : "memory")

static uint64_t stamp(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void run(const struct macro *m)
{
    char *argv[7] = {NULL};
    int status;
    pid_t pid;

    for (int i = 0; i < 6; i++)
        argv[i] = (char *)m->argv[i];
    pid = fork();
    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        dprintf(3, "macro: %s failed\n", m->name);
}

static void measure(const struct macro *m)
{
    uint64_t since;

    if (access(m->argv[0], X_OK) < 0)
        return;
    run(m);
    MARK_BEGIN();
    since = stamp();
    for (int i = 0; i < m->times; i++)
        run(m);
    since = stamp() - since;
    MARK_END();
    dprintf(3, "row %s %llu\n", m->name, (unsigned long long)since);
}

int main(int argc, char **argv)
{
    mkdir("/tmp", 0777);
    mkdir("/proc", 0755);
    mount("none", "/tmp", "tmpfs", 0, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    chdir("/tmp");
    setenv("PATH", "/usr/bin:/bin", 1);
    /* What they print is no part of it. */
    dup2(1, 3);
    dup2(open("/dev/null", O_RDWR), 1);
    dup2(1, 2);
    for (unsigned i = 0; i < sizeof(macros) / sizeof(*macros); i++)
        if (argc < 2 || !strcmp(argv[1], macros[i].name))
            measure(&macros[i]);
    dprintf(3, "macro: done\n");
    reboot(RB_POWER_OFF);
    return 0;
}
