/* Tools for processes and the machine. What they show comes from /proc. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "user/shared/window.h"
#include "user/tools/tools.h"

int do_echo(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("%s%s", i > 1 ? " " : "", argv[i]);
    putchar('\n');
    return 0;
}

int do_sleep(int argc, char **argv)
{
    char *dot = argc > 1 ? strchr(argv[1], '.') : NULL;
    struct timespec t = {argc > 1 ? atol(argv[1]) : 0, 0, 0};
    long unit = 100000000;

    for (; dot && isdigit(*++dot); unit /= 10)
        t.tv_nsec += (*dot - '0') * unit;
    return nanosleep(&t, NULL) < 0;
}

int do_uname(int argc, char **argv)
{
    struct utsname u;
    const char *fields[] = {u.sysname, u.nodename, u.release, u.version, u.machine};
    const char *blank = "";
    unsigned flags;

    if (take_flags(argc, argv, "snrvma", &flags) < 0)
        return 2;
    uname(&u);
    flags = flags & 32 ? 31 : flags ? flags : 1;
    for (int i = 0; i < 5; i++)
        if (flags & (1u << i)) {
            printf("%s%s", blank, fields[i]);
            blank = " ";
        }
    putchar('\n');
    return 0;
}

int do_kill(int argc, char **argv)
{
    int signo = SIGTERM, i = 1, status = 0;

    if (argc > 1 && argv[1][0] == '-' && isdigit(argv[1][1])) {
        signo = atoi(argv[1] + 1);
        i = 2;
    }
    for (; i < argc; i++)
        if (kill(atoi(argv[i]), signo) < 0)
            status = fail(argv[i]);
    return status;
}

int do_dmesg(int argc, char **argv)
{
    enum { READ_ALL = 3, SIZE_BUFFER = 10 };
    int size = klogctl(SIZE_BUFFER, NULL, 0), n;
    char *log = calloc(1, size > 0 ? size + 1 : 1);

    (void)argc;
    (void)argv;
    n = log ? klogctl(READ_ALL, log, size) : -1;
    if (n < 0)
        return fail("kernel log");
    for (int i = 0; i < n; i++) {
        bool level = log[i] == '<' && (i == 0 || log[i - 1] == '\n');

        i += level ? strcspn(log + i, ">") : 0; /* "<6>" in front of a line */
        if (!level)
            putchar(log[i]);
    }
    return 0;
}

/* ---- Mounts ---- */

static int print_file(const char *path)
{
    FILE *f = fopen(path, "r");
    int c;

    if (!f)
        return fail(path);
    while ((c = getc(f)) != EOF)
        putchar(c);
    fclose(f);
    return 0;
}

int do_mount(int argc, char **argv)
{
    const char *type = "auto";
    int i = 1;

    if (argc == 1)
        return print_file("/proc/mounts");
    if (argc > 3 && strcmp(argv[1], "-t") == 0) {
        type = argv[2];
        i = 3;
    }
    if (argc - i != 2) {
        fprintf(stderr, "usage: mount [-t type] source directory\n");
        return 2;
    }
    return mount(argv[i], argv[i + 1], type, 0, NULL) < 0 ? fail(argv[i + 1]) : 0;
}

int do_umount(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++)
        if (umount(argv[i]) < 0)
            status = fail(argv[i]);
    return status;
}

/* ---- What runs, and in how much memory ---- */

/* The number behind name, as /proc/meminfo and status have them; 0 when it is not there. */
static long field(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

static size_t read_file(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(buf, 1, size - 1, f) : 0;

    if (f)
        fclose(f);
    buf[n] = '\0';
    return n;
}

int do_free(int argc, char **argv)
{
    char text[2048];
    long total, unused, cached;

    (void)argc;
    (void)argv;
    if (!read_file("/proc/meminfo", text, sizeof(text)))
        return fail("/proc/meminfo");
    total = field(text, "MemTotal:");
    unused = field(text, "MemFree:");
    cached = field(text, "\nCached:");
    printf("          total       used       free     cached  available (KiB)\n");
    printf("Mem: %10ld %10ld %10ld %10ld %10ld\n", total, total - unused - cached, unused, cached,
           field(text, "MemAvailable:"));
    return 0;
}

/* The process's command line with blanks between, or its name in brackets. */
static void command_of(const char *pid, const char *name, char *buf, size_t size)
{
    char path[64];
    size_t n;

    snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
    n = read_file(path, buf, size);
    if (!n)
        snprintf(buf, size, "[%s]", name);
    for (size_t i = 0; i + 1 < n; i++)
        if (!buf[i])
            buf[i] = ' ';
}

static void print_process(const char *pid)
{
    char path[64], text[512], command[256], *name, *end;

    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    if (!read_file(path, text, sizeof(text)))
        return;
    name = strchr(text, '(');
    end = strrchr(text, ')');
    if (!name || !end)
        return;
    *end = '\0';
    snprintf(path, sizeof(path), "/proc/%s/status", pid);
    command_of(pid, name + 1, command, sizeof(command));
    printf("%5s %5ld  %c ", pid, strtol(end + 4, NULL, 10), end[2]);
    read_file(path, text, sizeof(text));
    printf("%7ld  %s\n", field(text, "VmRSS:"), command);
}

int do_ps(int argc, char **argv)
{
    struct dirent *e;
    DIR *d = opendir("/proc");

    (void)argc;
    (void)argv;
    if (!d)
        return fail("/proc");
    printf("  PID  PPID  S RSS/KiB  COMMAND\n");
    while ((e = readdir(d)))
        if (isdigit(e->d_name[0]))
            print_process(e->d_name);
    closedir(d);
    return 0;
}

/* halt, poweroff, reboot: asks init, or with -f the kernel. */
int do_halt(int argc, char **argv)
{
    bool force = argc > 1 && strcmp(argv[1], "-f") == 0;
    bool halt = *tool_name == 'h', off = *tool_name == 'p';

    if (!force)
        return kill(1, halt ? SIGUSR1 : off ? SIGUSR2 : SIGTERM) < 0 ? fail("init") : 0;
    sync();
    reboot(halt ? RB_HALT_SYSTEM : off ? RB_POWER_OFF : RB_AUTOBOOT);
    return fail("reboot");
}

int do_resize(int argc, char **argv)
{
    unsigned flags;

    if (take_flags(argc, argv, "", &flags) != argc)
        return 1;
    if (window_ask(0, 1000))
        return 0;
    fprintf(stderr, "resize: the terminal does not say how large it is\n");
    return 1;
}
