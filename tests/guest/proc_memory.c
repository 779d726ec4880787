/*
 * The files of /proc that are about memory: their borders and errors, what clear_refs clears, what
 * io and the oom scores count, and the most that a process ever had resident.
 */
#include "guest.h"

static char text[65536];
static bool exact; /* Faultline */

static long read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    size_t used = 0;
    ssize_t n = 0;

    while (fd >= 0 && (n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
        used += n;
    text[used] = '\0';
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : (long)used;
}

static long field(const char *path, const char *name)
{
    const char *p = read_file(path) >= 0 ? strstr(text, name) : NULL;

    return p ? strtol(p + strlen(name), NULL, 10) : -1;
}

static int put(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY), err;
    ssize_t n;

    if (fd < 0)
        return errno;
    n = write(fd, value, strlen(value));
    err = n < 0 ? errno : 0;
    close(fd);
    return err;
}

/* A figure of the area at p, in KiB. */
static long smaps(const void *p, const char *name)
{
    char head[16], *at;

    if (read_file("/proc/self/smaps") < 0)
        return -1;
    snprintf(head, sizeof(head), "%08lx-", (unsigned long)p);
    at = strstr(text, head);
    at = at ? strstr(at, name) : NULL;
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

/* ---- pagemap ---- */

static void test_pagemap(void)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    char *p = map_anon(4);
    uint64_t e[4];

    p[PAGE] = 1;
    SHOW(pread(fd, e, sizeof(e), (uintptr_t)p / PAGE * 8));
    for (int i = 0; i < 4; i++)
        printf("page %d: present %d file %d exclusive %d swapped %d\n", i, (int)(e[i] >> 63),
               (int)(e[i] >> 61 & 1), (int)(e[i] >> 56 & 1), (int)(e[i] >> 62 & 1));
    SHOW(pread(fd, e, 7, 0));
    SHOW(pread(fd, e, 12, 0));
    SHOW(pread(fd, e, 8, 4));
    SHOW(pread(fd, e, 0, 0));
    SHOW(pread(fd, (void *)16, 8, 0));
    SHOW(write(fd, e, 8));
    close(fd);
    SHOW(open("/proc/self/pagemap", O_WRONLY) < 0 && geteuid() != 0);
}

/* ---- clear_refs ---- */

/* An area that joins no other. */
static char *alone(size_t pages)
{
    char *p = map_anon(pages + 2);

    mprotect(p, PAGE, PROT_NONE);
    mprotect(p + (pages + 1) * PAGE, PAGE, PROT_NONE);
    return p + PAGE;
}

static void test_clear_refs(void)
{
    char *p = alone(4);

    memset(p, 1, 4 * PAGE);
    printf("referenced after touching: %ld\n", smaps(p, "Referenced:"));
    printf("clear_refs 3: %s\n", error_name(put("/proc/self/clear_refs", "3")));
    printf("referenced after clearing files: %ld\n", smaps(p, "Referenced:"));
    printf("clear_refs 1: %s\n", error_name(put("/proc/self/clear_refs", "1\n")));
    printf("referenced after clearing all: %ld\n", smaps(p, "Referenced:"));
    p[PAGE] = 2;
    /* Linux flushes nothing, so that it may miss this one. */
    printf("referenced after touching one: %s\n",
           !exact || smaps(p, "Referenced:") == 4 ? "right" : "wrong");
    printf("clear_refs 2: %s\n", error_name(put("/proc/self/clear_refs", "2")));
    printf("referenced after clearing anonymous: %ld\n", smaps(p, "Referenced:"));
    printf("rss all the while: %ld\n", smaps(p, "Rss:"));
    printf("clear_refs 4: %s\n", error_name(put("/proc/self/clear_refs", "4")));
    printf("clear_refs 0: %s\n", error_name(put("/proc/self/clear_refs", "0")));
    printf("clear_refs 6: %s\n", error_name(put("/proc/self/clear_refs", "6")));
    printf("clear_refs x: %s\n", error_name(put("/proc/self/clear_refs", "x")));
    munmap(p, 4 * PAGE);
}

/* ---- Peak ---- */

/* Within a percent: a Linux counts in batches. */
static bool near(long got, long want)
{
    return labs(got - want) <= want / 50;
}

static void use_pages(void *pages)
{
    char *p = map_anon((size_t)pages);

    memset(p, 1, (size_t)pages * PAGE);
    munmap(p, (size_t)pages * PAGE);
}

static void test_peak(void)
{
    struct rusage u;
    long before, peak;
    int status;
    pid_t pid;

    use_pages((void *)8192);
    before = field("/proc/self/status", "VmRSS:");
    peak = field("/proc/self/status", "VmHWM:");
    printf("peak holds what was given back: %s\n", near(peak, before + 8192 * 4) ? "yes" : "no");
    printf("clear_refs 5: %s\n", error_name(put("/proc/self/clear_refs", "5")));
    printf("peak starts over: %s\n",
           field("/proc/self/status", "VmHWM:") < 8192 * 4 ? "yes" : "no");
    pid = fork();
    if (pid == 0) {
        use_pages((void *)4096);
        _exit(0);
    }
    DIE_UNLESS(wait4(pid, &status, 0, &u) == pid);
    printf("the child's peak: %s\n",
           u.ru_maxrss > 4096 * 4 && u.ru_maxrss < 4096 * 4 + 2048 ? "right" : "wrong");
    getrusage(RUSAGE_CHILDREN, &u);
    printf("in the children's: %s\n", u.ru_maxrss > 4096 * 4 ? "yes" : "no");
}

/* ---- Faults ---- */

static void test_faults(void)
{
    struct rusage a, b;
    char *p = map_anon(64);
    long stat_before, stat_after;

    for (int i = 0; i < 2; i++) {
        read_file("/proc/self/stat");
        sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %ld", &stat_before);
    }
    getrusage(RUSAGE_SELF, &a);
    for (int i = 0; i < 64; i += 2)
        p[i * PAGE] = 1;
    getrusage(RUSAGE_SELF, &b);
    printf("faults of 32 touches: %ld minor, %ld major\n", b.ru_minflt - a.ru_minflt,
           b.ru_majflt - a.ru_majflt);
    read_file("/proc/self/stat");
    sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %ld", &stat_before);
    p[PAGE] = 1;
    p[3 * PAGE] = 1;
    read_file("/proc/self/stat");
    sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %ld", &stat_after);
    printf("faults of 2 touches in stat: %ld\n", stat_after - stat_before);
}

static void touch_some(void *unused)
{
    char *p = map_anon(100);

    (void)unused;
    for (int i = 0; i < 100; i++)
        p[i * PAGE] = 1;
}

static void test_child_faults(void)
{
    struct rusage a, b;

    getrusage(RUSAGE_CHILDREN, &a);
    in_child("child", touch_some, NULL);
    getrusage(RUSAGE_CHILDREN, &b);
    printf("the child's faults count: %s\n", b.ru_minflt - a.ru_minflt >= 100 ? "yes" : "no");
}

/* ---- io, oom ---- */

static void test_io(void)
{
    int fd = open("/dev/null", O_WRONLY), zero = open("/dev/zero", O_RDONLY);
    long written = field("/proc/self/io", "wchar: "), calls = field("/proc/self/io", "syscw: "),
         got;
    char buf[1000] = "";

    SHOW(write(fd, buf, 1000));
    SHOW(write(fd, buf, 24));
    got = field("/proc/self/io", "wchar: ") - written;
    printf("counted: %s\n", got >= 1024 && got < 1200 ? "yes" : "no"); /* and what SHOW writes */
    printf("calls counted: %s\n", field("/proc/self/io", "syscw: ") - calls >= 2 ? "yes" : "no");
    written = field("/proc/self/io", "rchar: ");
    DIE_UNLESS(read(zero, buf, 1000) == 1000);
    got = field("/proc/self/io", "rchar: ") - written;
    printf("read counted: %s\n", got >= 1000 && got < 1400 ? "yes" : "no");
}

static void test_oom(void)
{
    printf("adj: %ld\n", read_file("/proc/self/oom_score_adj") > 0 ? strtol(text, NULL, 10) : -1);
    printf("500: %s\n", error_name(put("/proc/self/oom_score_adj", "500")));
    read_file("/proc/self/oom_score_adj");
    printf("adj: %s", text);
    read_file("/proc/self/oom_score");
    printf("score above 900: %s\n", atoi(text) > 900 ? "yes" : "no");
    printf("1000: %s\n", error_name(put("/proc/self/oom_score_adj", "1000\n")));
    printf("1001: %s\n", error_name(put("/proc/self/oom_score_adj", "1001")));
    printf("-1001: %s\n", error_name(put("/proc/self/oom_score_adj", "-1001")));
    printf("word: %s\n", error_name(put("/proc/self/oom_score_adj", "much")));
    printf("0: %s\n", error_name(put("/proc/self/oom_score_adj", "0")));
}

/* ---- mem ---- */

static void test_mem(void)
{
    char *p = map_anon(3), got[8] = "";
    uint64_t at = (uintptr_t)p + PAGE;
    int fd = open("/proc/self/mem", O_RDWR);

    strcpy(p + PAGE, "memory");
    munmap(p + 2 * PAGE, PAGE);
    SHOW(pread64(fd, got, 7, at));
    printf("%s\n", got);
    SHOW(pwrite64(fd, "MEM", 3, at));
    printf("%s\n", p + PAGE);
    SHOW(pread64(fd, got, 8, at + PAGE - 4));
    SHOW(pread64(fd, got, 8, at + PAGE));
    SHOW(pwrite64(fd, got, 8, at + PAGE));
    SHOW(pread64(fd, got, 0, 0));
    close(fd);
}

int main(void)
{
    exact = access("/proc/faults", F_OK) == 0;
    test_pagemap();
    test_clear_refs();
    test_peak();
    test_faults();
    test_child_faults();
    test_io();
    test_oom();
    test_mem();
    return 0;
}
