/* Names in /proc and /sys that tools read: that they are there, what they take, what they refuse.
 */
#include "guest.h"
#include <dirent.h>
#include <sys/file.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <time.h>

static char text[65536];

static ssize_t slurp(const char *path)
{
    int fd = open(path, O_RDONLY);
    ssize_t n = 0, got = -1;

    while (fd >= 0 && (got = read(fd, text + n, sizeof(text) - 1 - (size_t)n)) > 0)
        n += got;
    text[n] = '\0';
    if (fd >= 0)
        close(fd);
    return got < 0 ? -1 : n;
}

/* The text whole, its end of line made visible. */
static void show(const char *path)
{
    errno = 0;
    if (slurp(path) < 0) {
        printf("%s: %s\n", path, error_name(errno));
        return;
    }
    printf("%s: ", path);
    for (const char *p = text; *p; p++)
        if (*p == '\n')
            printf("\\n");
        else
            putchar(*p);
    putchar('\n');
}

static void put(const char *path, const char *what)
{
    int fd = open(path, O_WRONLY);

    errno = fd < 0 ? errno : 0;
    if (fd >= 0 && write(fd, what, strlen(what)) >= 0)
        errno = 0;
    printf("%s < \"%.*s\": %s\n", path, (int)strcspn(what, "\n"), what, error_name(errno));
    if (fd >= 0)
        close(fd);
}

static bool contains(const char *path, const char *what)
{
    return slurp(path) >= 0 && strstr(text, what);
}

#define HAS(path, what) printf("%s has \"%s\": %d\n", path, what, contains(path, what))

static void identity(void)
{
    show("/proc/self/uid_map");
    show("/proc/self/gid_map");
    show("/proc/self/projid_map");
    put("/proc/self/uid_map", "0 0 1\n");
    show("/proc/self/setgroups");
    put("/proc/self/setgroups", "allow\n");
    put("/proc/self/setgroups", "deny\n");
    put("/proc/self/setgroups", "perhaps\n");
    show("/proc/self/personality");
    personality(0x0040000);
    show("/proc/self/personality");
    personality(0);
}

static void out_of_memory(void)
{
    put("/proc/self/oom_score_adj", "500\n");
    show("/proc/self/oom_adj");
    put("/proc/self/oom_adj", "10\n");
    show("/proc/self/oom_score_adj");
    show("/proc/self/oom_adj");
    put("/proc/self/oom_adj", "15\n");
    show("/proc/self/oom_score_adj");
    put("/proc/self/oom_adj", "16\n");
    put("/proc/self/oom_adj", "-18\n");
    put("/proc/self/oom_adj", "x\n");
}

static void slack(void)
{
    show("/proc/self/timerslack_ns");
    put("/proc/self/timerslack_ns", "12345\n");
    show("/proc/self/timerslack_ns");
    SHOW(prctl(PR_GET_TIMERSLACK));
    put("/proc/self/timerslack_ns", "0\n");
    show("/proc/self/timerslack_ns");
    put("/proc/self/timerslack_ns", "x\n");
}

static void timers(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL,
                          .sigev_signo = SIGUSR1,
                          .sigev_value.sival_ptr = (void *)0x1234};
    int id1 = 0, id2 = 0;
    char *p;

    show("/proc/self/timers");
    DIE_UNLESS(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id1) == 0);
    ev.sigev_notify = SIGEV_NONE;
    DIE_UNLESS(syscall(SYS_timer_create, CLOCK_REALTIME, &ev, &id2) == 0);
    DIE_UNLESS(slurp("/proc/self/timers") > 0);
    for (p = strtok(text, "\n"); p; p = strtok(NULL, "\n"))
        if (strncmp(p, "signal: ", 8) == 0) /* addresses are as wide as the kernel's */
            printf("%.*s\n", (int)strcspn(p, "/"), p);
        else
            printf("%.*s\n", (int)strcspn(p, "."), p);
    syscall(SYS_timer_delete, id1);
    syscall(SYS_timer_delete, id2);
}

static void children(void)
{
    char path[64], want[64];
    pid_t a = fork(), b;

    if (a == 0)
        for (;;)
            pause();
    b = fork();
    if (b == 0)
        for (;;)
            pause();
    sprintf(path, "/proc/%d/task/%d/children", getpid(), getpid());
    sprintf(want, "%d %d ", a, b);
    printf("children: %d\n", contains(path, want) && strlen(text) == strlen(want));
    kill(a, SIGKILL);
    kill(b, SIGKILL);
    while (wait(NULL) > 0)
        ;
    printf("none left: %zd\n", slurp(path));
}

static void map_files(void)
{
    int fd = make_file("mapped", 2 * PAGE);
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), name[80], to[300];
    struct dirent *e;
    struct stat st;
    bool found = false;
    ssize_t n;
    DIR *d;

    sprintf(name, "/proc/self/map_files/%lx-%lx", (long)p, (long)p + 2 * PAGE);
    n = readlink(name, to, sizeof(to) - 1);
    to[n > 0 ? n : 0] = '\0';
    printf("link: %d\n", n > 7 && strcmp(to + n - 7, "/mapped") == 0);
    SHOW(lstat(name, &st));
    printf("mode %o\n", st.st_mode);
    d = opendir("/proc/self/map_files");
    while (d && (e = readdir(d)))
        found |= strcmp(e->d_name, strrchr(name, '/') + 1) == 0;
    printf("listed: %d\n", found);
    closedir(d);
    sprintf(name, "/proc/self/map_files/%lx-%lx", (long)p, (long)p + PAGE);
    SHOW(readlink(name, to, sizeof(to)));
    SHOW(readlink("/proc/self/map_files/0-1", to, sizeof(to)));
    SHOW(readlink("/proc/self/map_files/x", to, sizeof(to)));
    SHOW(readlink("/proc/self/map_files/00001000-00002000", to, sizeof(to)));
    munmap(p, 2 * PAGE);
    close(fd);
}

static void locks(void)
{
    int fd = make_file("locked", PAGE);
    struct flock l = {.l_type = F_WRLCK, .l_start = 10, .l_len = 20};
    char want[100];
    struct stat st;

    fstat(fd, &st);
    DIE_UNLESS(fcntl(fd, F_SETLK, &l) == 0);
    l = (struct flock){.l_type = F_RDLCK, .l_start = 100};
    DIE_UNLESS(fcntl(fd, F_SETLK, &l) == 0);
    sprintf(want, "POSIX  ADVISORY  WRITE %d ", getpid());
    printf("write lock: %d\n", contains("/proc/locks", want));
    sprintf(want, ":%ld 10 29\n", (long)st.st_ino);
    printf("its range: %d\n", contains("/proc/locks", want));
    sprintf(want, ":%ld 100 EOF\n", (long)st.st_ino);
    printf("to the end: %d\n", contains("/proc/locks", want));
    close(fd);
    printf("gone: %d\n", !contains("/proc/locks", want));
    fd = open("locked", O_RDWR);
    flock(fd, LOCK_SH);
    sprintf(want, "FLOCK  ADVISORY  READ %d ", getpid());
    printf("flock: %d\n", contains("/proc/locks", want));
    close(fd);
}

static void settings(void)
{
    show("/proc/sys/kernel/ostype");
    show("/proc/sys/kernel/ngroups_max");
    show("/proc/sys/kernel/cap_last_cap");
    show("/proc/sys/kernel/overflowuid");
    show("/proc/sys/fs/overflowgid");
    show("/proc/sys/fs/nr_open");
    put("/proc/sys/kernel/ostype", "Minix\n");
    put("/proc/sys/kernel/version", "1\n");
    put("/proc/sys/fs/file-nr", "1\n");
    put("/proc/sys/kernel/ngroups_max", "1\n");
    put("/proc/sys/kernel/random/uuid", "1\n");
    put("/proc/sys/fs/nr_open", "1\n");
    put("/proc/sys/fs/nr_open", "x\n");
    put("/proc/sys/kernel/dmesg_restrict", "2\n");
    put("/proc/sys/kernel/kptr_restrict", "3\n");
    SHOW(open("/proc/sys/kernel/osrelease", O_RDWR));
    SHOW(access("/proc/sys/kernel/osrelease", W_OK));
    SHOW(access("/proc/sys/kernel/hostname", W_OK));
}

static void machine(void)
{
    HAS("/proc/iomem", " : System RAM\n");
    HAS("/proc/iomem", " : Kernel code\n");
    HAS("/proc/ioports", "rtc");
    HAS("/proc/softirqs", "TIMER:");
    HAS("/proc/execdomains", "0-0\tLinux           \t[kernel]\n");
    HAS("/proc/zoneinfo", "Node 0, zone");
    HAS("/proc/zoneinfo", "  pages free");
    HAS("/proc/pagetypeinfo", "Unmovable");
    HAS("/proc/net/dev", "Inter-|   Receive");
    HAS("/proc/self/sched", "nr_voluntary_switches");
    HAS("/proc/self/sched",
        "policy                                       :                    0\n");
}

static void as_user(void *arg)
{
    (void)arg;
    DIE_UNLESS(setuid(1000) == 0);
    TRY(open("/proc/sys/kernel/hostname", O_WRONLY));
    TRY(open("/proc/sys/kernel/version", O_WRONLY));
    TRY(open("/proc/self/timers", O_WRONLY));
    TRY(open("/proc/1/personality", O_RDONLY));
    TRY(opendir("/proc/1/map_files") ? 0 : -1);
}

int main(void)
{
    identity();
    out_of_memory();
    slack();
    timers();
    children();
    map_files();
    locks();
    settings();
    machine();
    in_child("user", as_user, NULL);
    return 0;
}
