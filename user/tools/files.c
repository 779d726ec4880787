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

/* Calls fn on each file named, or on standard input. */
static int each_input(int argc, char **argv, int i, int (*fn)(int fd, const char *name))
{
    int status = 0, fd;

    if (i >= argc)
        return fn(0, "-");
    for (; i < argc; i++) {
        fd = strcmp(argv[i], "-") == 0 ? 0 : open(argv[i], O_RDONLY);
        status |= fd < 0 ? fail(argv[i]) : fn(fd, argv[i]);
        if (fd > 0)
            close(fd);
    }
    return status;
}

static int cat_one(int fd, const char *name)
{
    return copy_fd(fd, 1) ? 0 : fail(name);
}

int do_cat(int argc, char **argv)
{
    return each_input(argc, argv, 1, cat_one);
}

static long head_lines = 10;

static int head_one(int fd, const char *name)
{
    long left = head_lines;
    ssize_t n;

    while (left > 0 && (n = read(fd, block, sizeof(block))) > 0) {
        ssize_t i = 0;

        while (i < n && left > 0)
            left -= block[i++] == '\n';
        if (!write_all(1, block, i))
            return fail(name);
    }
    return 0;
}

int do_head(int argc, char **argv)
{
    int i = 1;

    if (argc > 2 && strcmp(argv[1], "-n") == 0) {
        head_lines = atol(argv[2]);
        i = 3;
    } else if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        head_lines = atol(argv[1] + 1);
        i = 2;
    }
    return each_input(argc, argv, i, head_one);
}

static int wc_one(int fd, const char *name)
{
    unsigned long lines = 0, words = 0, bytes = 0;
    bool in_word = false;
    ssize_t n;

    while ((n = read(fd, block, sizeof(block))) > 0) {
        bytes += n;
        for (ssize_t i = 0; i < n; i++) {
            bool blank = strchr(" \t\r\n\v\f", block[i]) && block[i];

            lines += block[i] == '\n';
            words += !blank && !in_word;
            in_word = !blank;
        }
    }
    if (n < 0)
        return fail(name);
    printf("%7lu %7lu %7lu %s\n", lines, words, bytes, name);
    return 0;
}

int do_wc(int argc, char **argv)
{
    return each_input(argc, argv, 1, wc_one);
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

int do_mv(int argc, char **argv)
{
    int status = 0;
    char buf[1024];

    for (int i = 1; i < argc - 1; i++)
        if (rename(argv[i], target_path(argv[i], argv[argc - 1], buf, sizeof(buf))) < 0)
            status = fail(argv[i]);
    return status;
}

int do_ln(int argc, char **argv)
{
    unsigned symbolic;
    int i = take_flags(argc, argv, "s", &symbolic), result;
    char buf[1024];
    const char *to;

    if (i < 0 || argc - i != 2) {
        fprintf(stderr, "usage: ln [-s] target name\n");
        return 2;
    }
    to = target_path(argv[i], argv[i + 1], buf, sizeof(buf));
    result = symbolic ? symlink(argv[i], to) : link(argv[i], to);
    return result < 0 ? fail(to) : 0;
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

int do_rmdir(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++)
        if (rmdir(argv[i]) < 0)
            status = fail(argv[i]);
    return status;
}

int do_touch(int argc, char **argv)
{
    int status = 0, fd;

    for (int i = 1; i < argc; i++) {
        fd = open(argv[i], O_WRONLY | O_CREAT, 0666);
        if (fd < 0)
            status = fail(argv[i]);
        else
            close(fd);
    }
    return status;
}

int do_chmod(int argc, char **argv)
{
    int status = 0;
    char *end;
    mode_t mode = argc > 1 ? strtoul(argv[1], &end, 8) : 0;

    if (argc < 3 || *end) {
        fprintf(stderr, "usage: chmod octal-mode file...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        if (chmod(argv[i], mode) < 0)
            status = fail(argv[i]);
    return status;
}

static unsigned long size_value(const char *s)
{
    char *unit;
    unsigned long n = strtoul(s, &unit, 10);

    return *unit == 'k' ? n << 10 : *unit == 'M' ? n << 20 : n;
}

static const char *dd_option(int argc, char **argv, const char *name)
{
    size_t n = strlen(name);

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=')
            return argv[i] + n + 1;
    return NULL;
}

int do_dd(int argc, char **argv)
{
    const char *in = dd_option(argc, argv, "if"), *out = dd_option(argc, argv, "of"),
               *bs = dd_option(argc, argv, "bs"), *count = dd_option(argc, argv, "count");
    int from = in ? open(in, O_RDONLY) : 0;
    int to = out ? open(out, O_WRONLY | O_CREAT | O_TRUNC, 0666) : 1;
    unsigned long size = bs ? size_value(bs) : 512, left = count ? size_value(count) : -1ul;
    char *buf = malloc(size);
    unsigned long done = 0;
    ssize_t n = 0;

    if (from < 0 || to < 0 || !buf)
        return fail(from < 0 ? in : out ? out : "memory");
    for (; done < left && (n = read(from, buf, size)) > 0; done++)
        if (!write_all(to, buf, n))
            return fail("write");
    fprintf(stderr, "%lu blocks\n", done);
    return n < 0 ? fail("read") : 0;
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
