/* /proc/PID: formats, permissions of links, what stays of a zombie and of a process that is gone.
 */
#include <dirent.h>
#include <sys/prctl.h>
#include "guest.h"

static char text[65536];
static int release[2];
static pid_t child;

static char *path_of(const char *name)
{
    static char path[100];

    snprintf(path, sizeof(path), "/proc/%d/%s", child, name);
    return path;
}

/* The file into text; its length or -errno. */
static long slurp(const char *path)
{
    int fd = open(path, O_RDONLY);
    long n = 0, got;

    if (fd < 0)
        return -errno;
    while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
        n += got;
    close(fd);
    text[n] = '\0';
    return got < 0 ? -errno : n;
}

static void child_main(void)
{
    char c;

    close(release[1]);
    prctl(PR_SET_NAME, "a (strange) x");
    read(release[0], &c, 1);
    _exit(3);
}

static void start_child(void)
{
    DIE_UNLESS(pipe(release) == 0);
    child = fork();
    if (child == 0)
        child_main();
    close(release[0]);
    while (slurp(path_of("stat")) > 0 && !strstr(text, "strange) x) S"))
        usleep(1000);
}

static void let_child_end(void)
{
    siginfo_t info;

    close(release[1]);
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
}

static int count_words(const char *s)
{
    int n = 0;

    while (*s) {
        s += strspn(s, " \n\t");
        n += *s != '\0';
        s += strcspn(s, " \n\t");
    }
    return n;
}

static void stat_line(void)
{
    int pid, ppid, pgrp, session;
    char state, *rest;

    DIE_UNLESS(slurp(path_of("stat")) > 0);
    rest = strrchr(text, ')') + 2;
    printf("fields: %d, name %.15s\n", count_words(rest) + 2, strchr(text, '('));
    sscanf(text, "%d", &pid);
    sscanf(rest, "%c %d %d %d", &state, &ppid, &pgrp, &session);
    printf("pid %s, state %c, parent %s, group %s, session %s\n", pid == child ? "right" : "wrong",
           state, ppid == getpid() ? "right" : "wrong", pgrp == getpgrp() ? "right" : "wrong",
           session == getsid(0) ? "right" : "wrong");
}

static void status_lines(void)
{
    static const char *names[] = {"Name:\ta (strange) x\n",
                                  "State:\tS (sleeping)\n",
                                  "\nTgid:\t",
                                  "\nPPid:\t",
                                  "\nUid:\t",
                                  "\nVmSize:\t",
                                  "\nVmRSS:\t",
                                  "\nThreads:\t1\n",
                                  "\nSigBlk:\t0000000000000000\n"};

    DIE_UNLESS(slurp(path_of("status")) > 0);
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        printf("status %u: %s\n", i, strstr(text, names[i]) ? "there" : "missing");
}

static void small_files(void)
{
    char *name = strrchr(program_invocation_name, '/');
    long n = slurp(path_of("cmdline"));

    printf("cmdline: %s, ends in zero: %d\n",
           strstr(text, name ? name : program_invocation_name) ? "right" : "wrong",
           n > 0 && text[n - 1] == '\0');
    slurp(path_of("comm"));
    printf("comm: %s", text);
    slurp(path_of("statm"));
    printf("statm: %d numbers\n", count_words(text));
    printf("environ: %s\n",
           slurp(path_of("environ")) > 0 && strstr(text, "HOME=/") ? "right" : "wrong");
    printf("limits: %.5s\n", slurp(path_of("limits")) > 0 ? text : "");
    slurp(path_of("auxv"));
    printf("auxv: page size %s\n", memmem(text, 512, "\6\0\0\0\0\20\0\0", 8) ? "there" : "missing");
}

static void reads(void)
{
    char a[100], b[100];
    int fd = open(path_of("status"), O_RDONLY);

    SHOW(read(fd, a, 10));
    SHOW(pread(fd, b, 5, 5));
    printf("the same bytes: %d\n", memcmp(a + 5, b, 5) == 0);
    SHOW(lseek(fd, 2, SEEK_SET));
    SHOW(read(fd, b, 8));
    printf("the same bytes: %d\n", memcmp(a + 2, b, 8) == 0);
    SHOW(pread(fd, b, 5, 1 << 20));
    SHOW(read(fd, (void *)8, 5));
    SHOW(write(fd, "x", 1));
    close(fd);
    TRY(open("/proc/version", O_WRONLY | O_TRUNC));
    TRY(mkdir("/proc/new", 0755));
    TRY(unlink("/proc/version"));
    TRY(open("/proc/self/fd/77", O_RDONLY));
    TRY(open("/proc/self/fd/00", O_RDONLY));
    TRY(open("/proc/self/task/0", O_RDONLY));
    TRY(open("/proc/+1", O_RDONLY));
}

static void descriptors(void)
{
    char path[64], link[200];
    int fd = open("file", O_CREAT | O_RDWR, 0600), ro = open("file", O_RDONLY), again;
    struct stat st;
    long n;

    write(fd, "hello", 5);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", ro);
    DIE_UNLESS(lstat(path, &st) == 0);
    printf("read-only: %o\n", st.st_mode);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    DIE_UNLESS(lstat(path, &st) == 0);
    printf("both: %o, size %ld\n", st.st_mode, (long)st.st_size);
    DIE_UNLESS(stat(path, &st) == 0);
    printf("the file: %o, size %ld\n", st.st_mode, (long)st.st_size);
    unlink("file");
    n = readlink(path, link, sizeof(link) - 1);
    link[n > 0 ? n : 0] = '\0';
    printf("unlinked: %s\n", strstr(link, "/file (deleted)") ? "says so" : link);
    again = open(path, O_RDONLY);
    SHOW(read(again, link, sizeof(link)));
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    slurp(path);
    printf("fdinfo: %.6s\n", text);
    close(fd);
    TRY(stat(path, &st));
}

static void pipes(void)
{
    char path[64], buf[100];
    int p[2], again;

    DIE_UNLESS(pipe(p) == 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
    SHOW(readlink(path, buf, 6));
    printf("%.6s\n", buf);
    again = open(path, O_WRONLY);
    SHOW(write(again, "abc", 3));
    SHOW(read(p[0], buf, sizeof(buf)));
}

static bool area_line_is_good(const char *line, unsigned long *at)
{
    unsigned long start, end, offset, ino;
    unsigned major, minor;
    char prot[5];

    if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu", &start, &end, prot, &offset, &major, &minor,
               &ino) != 7)
        return false;
    if (start < *at || end <= start || start % PAGE || end % PAGE)
        return false;
    *at = end;
    return true;
}

static void maps(void)
{
    int fd = open("mapped", O_CREAT | O_RDWR, 0600);
    unsigned long at = 0;
    bool good = true;
    char *p, *line;

    ftruncate(fd, PAGE);
    p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    DIE_UNLESS(p != MAP_FAILED);
    p[0] = 1;
    slurp("/proc/self/maps");
    printf("shared: %s\n", strstr(text, "/mapped\n") ? "named" : "missing");
    printf("heap %d, stack %d\n", strstr(text, "[heap]\n") != NULL,
           strstr(text, "[stack]\n") != NULL);
    for (line = text; *line; line = strchr(line, '\n') + 1)
        good = good && area_line_is_good(line, &at);
    printf("lines: %s\n", good ? "in order" : "bad");
    unlink("mapped");
    close(fd);
    slurp("/proc/self/maps");
    printf("unlinked: %s\n", strstr(text, "/mapped (deleted)\n") ? "says so" : "does not");
}

static void memory(void)
{
    char *p = mmap((void *)0x10000000, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/proc/self/mem", O_RDWR);
    char buf[2 * PAGE];

    DIE_UNLESS(p != MAP_FAILED);
    munmap(p + PAGE, PAGE);
    SHOW(pread(fd, buf, 10, (long)p));
    SHOW(pread(fd, buf, sizeof(buf), (long)p));
    SHOW(pread(fd, buf, 10, (long)p + PAGE));
    SHOW(pread(fd, buf, 10, 0));
    SHOW(lseek(fd, 0, SEEK_END));
    close(fd);
}

/* Each name of a directory has the number and type that lstat tells. */
static void listing(const char *where)
{
    char path[400];
    int bad = 0, n = 0;
    DIR *d = opendir(where);
    struct dirent *e;
    struct stat st;

    while (d && (e = readdir(d))) {
        snprintf(path, sizeof(path), "%s/%s", where, e->d_name);
        if (e->d_name[0] == '.')
            continue;
        n++;
        if (lstat(path, &st) || st.st_ino != e->d_ino ||
            (unsigned)e->d_type << 12 != (st.st_mode & S_IFMT))
            bad++;
    }
    if (d)
        closedir(d);
    printf("%s: %s, %d bad\n", where, n ? "has entries" : "empty", bad);
}

static void processes_in_order(void)
{
    DIR *d = opendir("/proc");
    int last = 0, pid;
    bool found = false, order = true;
    struct dirent *e;

    while ((e = readdir(d))) {
        pid = atoi(e->d_name);
        if (pid <= 0)
            continue;
        order = order && pid > last;
        found = found || pid == child;
        last = pid;
    }
    closedir(d);
    printf("processes: in order %d, child found %d\n", order, found);
}

static void the_end(void)
{
    char link[100];
    int stat_fd = open(path_of("stat"), O_RDONLY), status_fd = open(path_of("status"), O_RDONLY);
    int dir = open(path_of("."), O_RDONLY | O_DIRECTORY);
    struct stat st;

    SHOW(read(status_fd, link, 4));
    let_child_end();
    memset(text, 0, sizeof(text));
    DIE_UNLESS(pread(stat_fd, text, sizeof(text) - 1, 0) > 0);
    printf("zombie: state %c\n", strrchr(text, ')')[2]);
    SHOW(slurp(path_of("cmdline")));
    SHOW(slurp(path_of("maps")));
    SHOW(readlink(path_of("exe"), link, sizeof(link)));
    SHOW(readlink(path_of("cwd"), link, sizeof(link)));
    SHOW(readlink(path_of("fd/0"), link, sizeof(link)));
    waitpid(child, NULL, 0);
    SHOW(pread(stat_fd, link, 10, 0));
    TRY(openat(dir, "limits", O_RDONLY));
    TRY(stat(path_of(""), &st));
}

int main(void)
{
    start_child();
    stat_line();
    status_lines();
    small_files();
    reads();
    descriptors();
    pipes();
    maps();
    memory();
    listing("/proc/self");
    listing("/proc/self/fd");
    listing("/proc/self/task");
    listing("/proc/sys/kernel/random");
    processes_in_order();
    the_end();
    return 0;
}
