/* What the tests of mounts share: the table of mounts, without what differs from run to run. */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "guest.h"
#include <sys/mount.h>
#include <sys/statvfs.h>

/* The tests work in a file system of their own at /t. */
__attribute__((unused)) static void begin(void)
{
    mkdir("/t", 0755);
    DIE_UNLESS(mount("t", "/t", "tmpfs", 0, NULL) == 0 && chdir("/t") == 0);
}

__attribute__((unused)) static void end(void)
{
    DIE_UNLESS(chdir("/") == 0 && umount2("/t", MNT_DETACH) == 0 && rmdir("/t") == 0);
}

#define TABLE_MOST 64

struct table_line {
    unsigned id, parent;
    char point[256], rest[512];
};

/* The lines of mountinfo; how many. */
static int read_table(struct table_line *t)
{
    char line[1024];
    int rest, n = 0;
    FILE *f = fopen("/proc/self/mountinfo", "r");

    DIE_UNLESS(f);
    while (n < TABLE_MOST && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%u %u %*u:%*u %n%*s %255s", &t[n].id, &t[n].parent, &rest, t[n].point) !=
            3)
            continue;
        snprintf(t[n].rest, sizeof(t[n].rest), "%s", line + rest);
        n++;
    }
    fclose(f);
    return n;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct table_line *)a)->rest, ((const struct table_line *)b)->rest);
}

/* For mount points below under: the parent's mount point, then all but the numbers of mounts and
 * devices. Sorted where the order of copies tells nothing. */
__attribute__((unused)) static void show_lines(const char *title, const char *under, bool sorted)
{
    static struct table_line t[TABLE_MOST];
    int n = read_table(t);

    if (sorted)
        qsort(t, n, sizeof(t[0]), by_text);
    printf("%s:\n", title);
    for (int i = 0; i < n; i++) {
        const char *parent = "?";

        if (strncmp(t[i].point, under, strlen(under)) != 0)
            continue;
        for (int k = 0; k < n; k++)
            if (t[k].id == t[i].parent)
                parent = t[k].point;
        printf("  %s | %s", parent, t[i].rest);
    }
}

__attribute__((unused)) static void show_table(const char *title, const char *under)
{
    show_lines(title, under, false);
}

/* The flags of a mount, as statvfs has told of them. */
__attribute__((unused)) static void show_flags(const char *what, const struct statvfs *s)
{
    printf("%s:%s%s%s%s%s%s%s\n", what, s->f_flag & ST_RDONLY ? " ro" : "",
           s->f_flag & ST_NOSUID ? " nosuid" : "", s->f_flag & ST_NODEV ? " nodev" : "",
           s->f_flag & ST_NOEXEC ? " noexec" : "", s->f_flag & ST_NOATIME ? " noatime" : "",
           s->f_flag & ST_NODIRATIME ? " nodiratime" : "",
           s->f_flag & ST_RELATIME ? " relatime" : "");
}

__attribute__((unused)) static unsigned long long mount_id(const char *path)
{
    struct statx s;

    DIE_UNLESS(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &s) == 0);
    return s.stx_mnt_id;
}

__attribute__((unused)) static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return lstat(a, &sa) == 0 && lstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

__attribute__((unused)) static void touch(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY, 0644);

    DIE_UNLESS(fd >= 0);
    close(fd);
}

#endif
