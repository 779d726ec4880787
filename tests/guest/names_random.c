/*
 * Random operations on a small tree of names: 30 runs of 400 operations, the same on every machine.
 * Prints a checksum of all results for each run, and the tree at the end. NAMES_TRACE=1 in the
 * environment shows every operation.
 */
#include "guest.h"
#include <dirent.h>

static uint32_t seed;
static uint32_t sum;
static bool trace;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* A path of one to three components out of few names, sometimes with dots, slashes and mounts of
 * work. */
static const char *path(void)
{
    static const char *const names[] = {"a", "b", "c", "d", ".", "..", "e"};
    static char bufs[4][64];
    static int turn;
    char *p = bufs[turn++ % 4];
    int parts = 1 + rnd(3);

    p[0] = 0;
    for (int i = 0; i < parts; i++) {
        const char *name = names[rnd(rnd(4) ? 4 : 7)];

        /* ".." only after a component, so that nothing leaves the tree. */
        if (i == 0 && strcmp(name, "..") == 0)
            name = "a";
        if (i > 0 && strcmp(name, "..") == 0 && strstr(p, ".."))
            name = "b";
        strcat(p, name);
        if (i + 1 < parts)
            strcat(p, "/");
    }
    if (rnd(16) == 0)
        strcat(p, "/");
    return p;
}

static void note(const char *what, const char *a, const char *b, long r)
{
    int result = r < 0 ? -errno : (int)r;

    sum = (sum ^ (uint32_t)result) * 16777619u;
    if (trace)
        printf("  %s %s %s: %s\n", what, a, b, result < 0 ? error_name(-result) : "ok");
}

static void open_some(const char *p)
{
    static const int modes[] = {O_RDONLY,
                                O_WRONLY,
                                O_RDWR,
                                O_RDWR | O_TRUNC,
                                O_RDONLY | O_NOFOLLOW,
                                O_RDONLY | O_DIRECTORY};
    int flags = modes[rnd(6)], fd;

    if (rnd(2) && !(flags & O_DIRECTORY))
        flags |= O_CREAT | (rnd(3) ? 0 : O_EXCL);
    fd = open(p, flags, 0644);
    if (fd < 0) {
        note("open", p, "", -1);
        return;
    }
    note("open", p, "", 0);
    if ((flags & O_ACCMODE) != O_RDONLY)
        note("write", p, "", write(fd, "0123456789", rnd(10)));
    close(fd);
}

static void stat_some(const char *p)
{
    struct stat st;
    bool link = rnd(2);
    int r = link ? lstat(p, &st) : stat(p, &st);

    note(link ? "lstat" : "stat", p, "", r);
    if (r == 0) {
        note("mode", p, "", (int)st.st_mode);
        if (!S_ISDIR(st.st_mode)) {
            note("links", p, "", (int)st.st_nlink);
            note("size", p, "", (long)st.st_size);
        }
    }
}

static void one_operation(void)
{
    const char *p = path(), *q = path();
    char buf[64];

    switch (rnd(14)) {
    case 0:
    case 1:
        note("mkdir", p, "", mkdir(p, 0755));
        break;
    case 2:
        note("rmdir", p, "", rmdir(p));
        break;
    case 3:
        note("unlink", p, "", unlink(p));
        break;
    case 4:
        note("link", p, q, link(p, q));
        break;
    case 5:
        note("symlink", p, q, symlink(p, q));
        break;
    case 6:
    case 7:
    case 8:
        note("rename", p, q, rename(p, q));
        break;
    case 9:
        note("exchange", p, q, syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, 2));
        break;
    case 10:
        note("readlink", p, "", readlink(p, buf, sizeof(buf)));
        break;
    case 11:
        stat_some(p);
        break;
    case 12:
        note("chmod", p, "", chmod(p, rnd(2) ? 0755 : 0700));
        break;
    default:
        open_some(p);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_tree(const char *dir)
{
    char *names[16], sub[256], target[64];
    struct dirent *e;
    struct stat st;
    DIR *d = opendir(dir);
    int n = 0;

    DIE_UNLESS(d);
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            names[n++] = strdup(e->d_name);
    }
    closedir(d);
    qsort(names, n, sizeof(*names), by_name);
    for (int i = 0; i < n; i++) {
        snprintf(sub, sizeof(sub), "%s/%s", dir, names[i]);
        free(names[i]);
        DIE_UNLESS(lstat(sub, &st) == 0);
        if (S_ISLNK(st.st_mode)) {
            int len = readlink(sub, target, sizeof(target) - 1);

            target[len] = 0;
            printf("  %s -> %s\n", sub, target);
        } else if (S_ISDIR(st.st_mode)) {
            printf("  %s/ %o\n", sub, st.st_mode & 07777);
            show_tree(sub);
        } else {
            printf("  %s %o %d %ld\n", sub, st.st_mode & 07777, (int)st.st_nlink, (long)st.st_size);
        }
    }
}

int main(void)
{
    char name[16];

    umask(022);
    trace = getenv("NAMES_TRACE") != NULL;
    for (int run = 0; run < 30; run++) {
        seed = run * 7919 + 1;
        sum = 2166136261u;
        snprintf(name, sizeof(name), "run%d", run);
        DIE_UNLESS(mkdir(name, 0755) == 0 && chdir(name) == 0);
        for (int i = 0; i < 400; i++)
            one_operation();
        printf("run %d: %08x\n", run, sum);
        show_tree(".");
        DIE_UNLESS(chdir("..") == 0);
    }
    return 0;
}
