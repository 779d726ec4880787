/* Reading directories: every record well formed, each name once, offsets that stay good. */
#include "guest.h"
#include <dirent.h>

struct dirent_raw64 {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
} __attribute__((packed));

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in order, with their types. */
static void list(const char *path)
{
    char *names[64], entry[300];
    struct dirent *e;
    int n = 0;
    DIR *d = opendir(path);

    DIE_UNLESS(d);
    while ((e = readdir(d)) && n < 64) {
        snprintf(entry, sizeof(entry), "%s:%d", e->d_name, e->d_type);
        names[n++] = strdup(entry);
    }
    closedir(d);
    qsort(names, n, sizeof(*names), by_name);
    for (int i = 0; i < n; i++)
        printf("%s%s", names[i], i + 1 < n ? " " : "\n");
}

static void types(void)
{
    DIE_UNLESS(mkdir("d", 0755) == 0);
    list("d");
    close(make_file("d/file", 1));
    DIE_UNLESS(mkdir("d/dir", 0755) == 0 && symlink("x", "d/link") == 0 &&
               mknod("d/fifo", S_IFIFO | 0600, 0) == 0);
    list("d");
    DIE_UNLESS(unlink("d/file") == 0);
    list("d");
}

static void records(void)
{
    char buf[4096];
    int fd = open("d", O_RDONLY), n, names = 0;
    bool aligned = true, ino = true;
    struct stat st;

    DIE_UNLESS(stat("d/dir", &st) == 0);
    while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
        for (int at = 0; at < n;) {
            struct dirent_raw64 *e = (struct dirent_raw64 *)(buf + at);

            aligned &= e->reclen % 8 == 0 && at + e->reclen <= n;
            if (strcmp(e->name, "dir") == 0)
                ino &= e->ino == st.st_ino;
            at += e->reclen;
            names++;
        }
    }
    printf("end: %d, names %d, aligned %d, inode %d\n", n, names, aligned, ino);
    SHOW(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
    SHOW(lseek(fd, 0, SEEK_SET));
    printf("again: %d\n", syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0);
    SHOW(lseek(fd, 0, SEEK_SET));
    SHOW(syscall(SYS_getdents64, fd, buf, 10));
    SHOW(syscall(SYS_getdents64, fd, 8, 4096));
    SHOW(syscall(SYS_getdents64, 99, buf, 4096));
    printf("old layout: %d\n", syscall(SYS_getdents, fd, buf, sizeof(buf)) > 0);
    close(fd);
    fd = make_file("plain", 1);
    SHOW(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
    close(fd);
}

/* Small reads with removals in between see every name that stays exactly once. */
static void removal(void)
{
    static int seen[200];
    char buf[256], path[32];
    int fd, n, twice = 0, missed = 0;

    DIE_UNLESS(mkdir("r", 0755) == 0);
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof(path), "r/n%03d", i);
        close(make_file(path, 0));
    }
    fd = open("r", O_RDONLY);
    while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
        for (int at = 0; at < n;) {
            struct dirent_raw64 *e = (struct dirent_raw64 *)(buf + at);

            if (e->name[0] == 'n') {
                seen[atoi(e->name + 1)]++;
                snprintf(path, sizeof(path), "r/%s", e->name);
                DIE_UNLESS(unlink(path) == 0);
            }
            at += e->reclen;
        }
    }
    close(fd);
    for (int i = 0; i < 200; i++) {
        twice += seen[i] > 1;
        missed += seen[i] == 0;
    }
    printf("twice %d, missed %d\n", twice, missed);
    SHOW(rmdir("r"));
}

static void telldir_seekdir(void)
{
    DIR *d = opendir("d");
    long second;
    char name[256];

    readdir(d);
    second = telldir(d);
    strcpy(name, readdir(d)->d_name);
    while (readdir(d))
        ;
    seekdir(d, second);
    printf("same entry: %d\n", strcmp(name, readdir(d)->d_name) == 0);
    rewinddir(d);
    printf("rewound: %d\n", readdir(d) != NULL);
    closedir(d);
}

static void removed_directory(void)
{
    char buf[512];
    int fd;

    DIE_UNLESS(mkdir("gone", 0755) == 0);
    fd = open("gone", O_RDONLY);
    DIE_UNLESS(rmdir("gone") == 0);
    SHOW(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
    SHOW(fchdir(fd));
    SHOW(chdir(".."));
    close(fd);
}

static void dots(void)
{
    struct stat here, up, root;
    DIR *d = opendir("d");
    struct dirent *e;
    bool dot = false, dotdot = false;

    DIE_UNLESS(stat("d", &here) == 0 && stat(".", &up) == 0 && stat("/", &root) == 0);
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0)
            dot = e->d_ino == here.st_ino;
        if (strcmp(e->d_name, "..") == 0)
            dotdot = e->d_ino == up.st_ino;
    }
    closedir(d);
    printf("dot %d, dotdot %d\n", dot, dotdot);
}

#define MANY 400

/* Reads on with a small buffer, noting what comes; 0 at the end. */
static int read_some(int fd, unsigned char *seen)
{
    char buf[512];
    int n = syscall(SYS_getdents64, fd, buf, sizeof(buf));

    for (int at = 0; at < n;) {
        struct dirent_raw64 *e = (struct dirent_raw64 *)(buf + at);

        if (e->name[0] == 'f')
            seen[atoi(e->name + 1)]++;
        at += e->reclen;
    }
    return n;
}

/* Two readers in turn, with small buffers, while a third of the names goes: what stays comes once
 * to each. */
static void two_readers(void)
{
    unsigned char one[MANY] = {0}, two[MANY] = {0};
    char name[32];
    int a, b, more = 1, wrong = 0;

    DIE_UNLESS(mkdir("many", 0755) == 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "many/f%d", i);
        close(make_file(name, 1));
    }
    a = open("many", O_RDONLY);
    b = open("many", O_RDONLY);
    for (int round = 0; more; round++) {
        more = read_some(a, one);
        more |= read_some(b, two);
        for (int i = 0; i < MANY; i += 3)
            if (round == i % 20 / 2) {
                snprintf(name, sizeof(name), "many/f%d", i);
                unlink(name);
            }
    }
    for (int i = 0; i < MANY; i++)
        wrong += i % 3 ? one[i] != 1 || two[i] != 1 : one[i] > 1 || two[i] > 1;
    printf("two readers: %d wrong\n", wrong);
    DIE_UNLESS(lseek(a, 0, SEEK_SET) == 0);
    memset(one, 0, sizeof(one));
    while (read_some(a, one) > 0)
        ;
    for (int i = wrong = 0; i < MANY; i++)
        wrong += one[i] != (i % 3 != 0);
    printf("again: %d wrong\n", wrong);
    close(a);
    close(b);
}

int main(void)
{
    DIE_UNLESS(mkdir("t", 0777) == 0 && chdir("t") == 0);
    types();
    records();
    removal();
    telldir_seekdir();
    dots();
    removed_directory();
    two_readers();
    return 0;
}
