/* Tools for files and directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include "user/tools/tools.h"

/* One buffer for all copying: a tool does one thing at a time. */
static char block[65536];

static bool write_all(int fd, const char *p, ssize_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);

        if (done < 0)
            return false;
        p += done;
        n -= done;
    }
    return true;
}

static bool copy_fd(int from, int to)
{
    ssize_t n;

    while ((n = read(from, block, sizeof(block))) > 0)
        if (!write_all(to, block, n))
            return false;
    return n == 0;
}

int do_cat(int argc, char **argv)
{
    int status = 0, fd = 0;

    for (int i = 1; i < argc || i == 1; i++) {
        if (i < argc)
            fd = open(argv[i], O_RDONLY);
        if (fd < 0 || !copy_fd(fd, 1))
            status = fail(i < argc ? argv[i] : "-");
        if (fd > 0)
            close(fd);
    }
    return status;
}

/* A page is shorter than a screen: it needs no pager. 16: there is none, as man of Linux says. */
int do_man(int argc, char **argv)
{
    static char *const list[] = {"ls", "/usr/share/man", NULL};
    char path[128] = "/usr/share/man/index";
    unsigned flags;
    int i = take_flags(argc, argv, "", &flags), fd;

    if (i < 0)
        return 2;
    if (i < argc)
        snprintf(path, sizeof(path), "/usr/share/man/%s", argv[i]);
    fd = i < argc && strchr(argv[i], '/') ? -1 : open(path, O_RDONLY);
    if (fd < 0) {
        fprintf(stderr, "%s: there is no page %s; there are\n", tool_name,
                i < argc ? argv[i] : "index");
        do_ls(2, (char **)list);
        return 16;
    }
    return copy_fd(fd, 1) ? 0 : fail(path);
}

/* dst, or dst/basename(src) where dst is a directory. */
static const char *target_path(const char *src, const char *dst, char *buf, size_t size)
{
    const char *slash = strrchr(src, '/');
    struct stat st;

    if (stat(dst, &st) < 0 || !S_ISDIR(st.st_mode))
        return dst;
    snprintf(buf, size, "%s/%s", dst, slash ? slash + 1 : src);
    return buf;
}

static int copy_file(const char *src, const char *dst, mode_t mode)
{
    int from = open(src, O_RDONLY), to, status = 0;

    if (from < 0)
        return fail(src);
    to = open(dst, O_WRONLY | O_CREAT | O_TRUNC, mode & 0777);
    if (to < 0 || !copy_fd(from, to))
        status = fail(dst);
    close(from);
    if (to >= 0)
        close(to);
    return status;
}

/* Links are followed, as cp does without -d. What fails is said, and the rest goes on: the status
 * tells. */
static int copy_tree(const char *src, const char *dst, bool recursive)
{
    char from[1024], to[1024];
    struct dirent *e;
    struct stat st;
    int status = 0;
    DIR *d;

    if (stat(src, &st) < 0)
        return fail(src);
    if (!S_ISDIR(st.st_mode))
        return copy_file(src, dst, st.st_mode);
    if (!recursive) {
        fprintf(stderr, "cp: %s is a directory\n", src);
        return 1;
    }
    if (mkdir(dst, st.st_mode & 0777) < 0 && errno != EEXIST)
        return fail(dst);
    if (!(d = opendir(src)))
        return fail(src);
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(from, sizeof(from), "%s/%s", src, e->d_name);
        snprintf(to, sizeof(to), "%s/%s", dst, e->d_name);
        status |= copy_tree(from, to, true);
    }
    closedir(d);
    return status;
}

int do_cp(int argc, char **argv)
{
    unsigned recursive;
    int i = take_flags(argc, argv, "r", &recursive), status = 0;
    char buf[1024];

    if (i < 0 || argc - i < 2) {
        fprintf(stderr, "usage: cp [-r] source... target\n");
        return 2;
    }
    for (; i < argc - 1; i++)
        status |=
            copy_tree(argv[i], target_path(argv[i], argv[argc - 1], buf, sizeof(buf)), recursive);
    return status;
}

static int remove_tree(const char *path, bool recursive, bool force)
{
    struct dirent *e;
    struct stat st;
    int status = 0;
    char below[1024];
    DIR *d;

    if (lstat(path, &st) < 0)
        return force && errno == ENOENT ? 0 : fail(path);
    if (!S_ISDIR(st.st_mode) || !recursive)
        return unlink(path) < 0 ? fail(path) : 0;
    if (!(d = opendir(path)))
        return fail(path);
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
        status |= remove_tree(below, true, force);
    }
    closedir(d);
    return rmdir(path) < 0 ? fail(path) : status;
}

int do_rm(int argc, char **argv)
{
    unsigned flags;
    int i = take_flags(argc, argv, "rf", &flags), status = 0;

    if (i < 0)
        return 2;
    for (; i < argc; i++)
        status |= remove_tree(argv[i], flags & 1, flags & 2);
    return status;
}

static int make_dir(char *path, bool parents)
{
    struct stat st;

    for (char *p = path + 1; parents && *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        mkdir(path, 0777);
        *p = '/';
    }
    if (mkdir(path, 0777) == 0)
        return 0;
    return parents && errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0
                                                                                     : fail(path);
}

int do_mkdir(int argc, char **argv)
{
    unsigned parents;
    int i = take_flags(argc, argv, "p", &parents), status = 0;

    if (i < 0)
        return 2;
    for (; i < argc; i++)
        status |= make_dir(argv[i], parents);
    return status;
}

/* ---- ls ---- */

enum { LS_ALL = 1, LS_LONG = 2, LS_RECURSIVE = 4, LS_DIRECTORY = 8, LS_ONE = 16 };

static void print_mode(mode_t mode)
{
    static const char types[] = "?pc?d?b?-?l?s???";
    static const char rwx[] = "rwxrwxrwx";
    char text[11];

    text[0] = types[(mode & S_IFMT) >> 12];
    for (int i = 0; i < 9; i++)
        text[i + 1] = mode & (0400 >> i) ? rwx[i] : '-';
    text[10] = '\0';
    if (mode & 01000)
        text[9] = 't';
    printf("%s", text);
}

static int list_one(const char *path, const char *name, unsigned flags)
{
    char date[32], target[256];
    struct stat st;
    time_t t;
    ssize_t n;

    if (!(flags & LS_LONG)) {
        puts(name);
        return 0;
    }
    if (lstat(path, &st) < 0)
        return fail(path);
    t = st.st_mtime;
    strftime(date, sizeof(date), "%F %H:%M", gmtime(&t));
    print_mode(st.st_mode);
    printf(" %3u %4u %4u ", st.st_nlink, st.st_uid, st.st_gid);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        printf("%4u,%4u", major(st.st_rdev), minor(st.st_rdev));
    else
        printf("%9lld", st.st_size);
    printf(" %s %s", date, name);
    if (S_ISLNK(st.st_mode) && (n = readlink(path, target, sizeof(target))) > 0)
        printf(" -> %.*s", (int)n, target);
    putchar('\n');
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory, sorted; *count of them. NULL with errno set. */
static char **read_names(const char *path, bool all, size_t *count)
{
    char **names = NULL, **bigger;
    struct dirent *e;
    DIR *d = opendir(path);

    *count = 0;
    if (!d)
        return NULL;
    do {
        bigger = *count % 64 ? names : realloc(names, (*count + 64) * sizeof(char *));
        if (!bigger)
            break;
        names = bigger;
        if ((e = readdir(d)) && (all || e->d_name[0] != '.'))
            names[(*count)++] = strdup(e->d_name);
    } while (e);
    closedir(d);
    if (names)
        qsort(names, *count, sizeof(char *), by_name);
    return names;
}

static int list_dir(const char *path, unsigned flags)
{
    size_t count;
    char **names = read_names(path, flags & LS_ALL, &count), full[1024];
    int status = 0;
    struct stat st;

    if (!names)
        return fail(path);
    for (size_t i = 0; i < count; i++) {
        snprintf(full, sizeof(full), "%s/%s", strcmp(path, "/") ? path : "", names[i]);
        status |= list_one(full, names[i], flags);
    }
    for (size_t i = 0; i < count; i++) {
        bool dots = strcmp(names[i], ".") == 0 || strcmp(names[i], "..") == 0;

        snprintf(full, sizeof(full), "%s/%s", strcmp(path, "/") ? path : "", names[i]);
        if ((flags & LS_RECURSIVE) && !dots && lstat(full, &st) == 0 && S_ISDIR(st.st_mode)) {
            printf("\n%s:\n", full);
            status |= list_dir(full, flags);
        }
        free(names[i]);
    }
    free(names);
    return status;
}

static int list_path(const char *path, unsigned flags, bool title)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return fail(path);
    if (!(flags & LS_LONG))
        stat(path, &st);
    if (!S_ISDIR(st.st_mode) || (flags & LS_DIRECTORY))
        return list_one(path, path, flags);
    if (title || (flags & LS_RECURSIVE))
        printf("%s:\n", path);
    return list_dir(path, flags);
}

int do_ls(int argc, char **argv)
{
    unsigned flags;
    int i = take_flags(argc, argv, "alRd1", &flags), status = 0;
    bool many = i + 1 < argc;

    if (i < 0)
        return 2;
    if (i == argc)
        return list_path(".", flags, false);
    for (; i < argc; i++)
        status |= list_path(argv[i], flags, many);
    return status;
}
