/* The id of a mount is the same in statx, fdinfo and mountinfo, and another one elsewhere. */
#include "guest.h"
#include <sys/mount.h>

static unsigned long long by_statx(const char *path)
{
    struct statx s;

    DIE_UNLESS(statx(AT_FDCWD, path, 0, STATX_MNT_ID, &s) == 0);
    return s.stx_mnt_id;
}

static unsigned long long by_fdinfo(const char *path)
{
    char name[64], line[128];
    unsigned long long id = 0;
    int fd = open(path, O_RDONLY);
    FILE *f;

    snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
    f = fopen(name, "r");
    DIE_UNLESS(fd >= 0 && f);
    while (fgets(line, sizeof(line), f))
        sscanf(line, "mnt_id: %llu", &id);
    fclose(f);
    close(fd);
    return id;
}

/* Of the last line with that mount point; 0: none. */
static unsigned long long by_mountinfo(const char *place, unsigned long long *parent)
{
    char line[512], at[256];
    unsigned long long id = 0, i, p;
    FILE *f = fopen("/proc/self/mountinfo", "r");

    DIE_UNLESS(f);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "%llu %llu %*s %*s %255s", &i, &p, at) == 3 && strcmp(at, place) == 0) {
            id = i;
            *parent = p;
        }
    fclose(f);
    return id;
}

static void compare(const char *place)
{
    unsigned long long parent = 0, id = by_mountinfo(place, &parent), root = 0;
    char above[20];

    snprintf(above, sizeof(above), "%.*s/", (int)(strrchr(place, '/') - place), place);
    by_mountinfo("/", &root);
    printf("%s: statx %s, fdinfo %s, %s\n", place, by_statx(place) == id ? "same" : "different",
           by_fdinfo(place) == id ? "same" : "different",
           parent == by_statx(above) ? "below the mount above" : "elsewhere");
}

int main(void)
{
    compare("/proc");
    printf("apart: %d\n", by_statx("/proc") != by_statx("/"));
    mkdir("/tmp/mount", 0700);
    TRY(mount("none", "/tmp/mount", "tmpfs", 0, NULL));
    compare("/tmp/mount");
    TRY(umount("/tmp/mount"));
    TRY(mount("none", "/tmp/mount", "tmpfs", 0, NULL));
    compare("/tmp/mount");
    TRY(umount("/tmp/mount"));
    rmdir("/tmp/mount");
    return 0;
}
