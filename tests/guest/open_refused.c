/*
 * Files that make something at their opening, refused after they were found: nothing that was never
 * made is given back. A mount of its own says that nobody writes through it.
 */
#include "guest.h"
#include <sys/mount.h>
#include <sys/stat.h>

CHANGES_THE_MACHINE("the tree of mounts");

static void try(const char *name, int flags)
{
    int fd = open(name, flags);

    if (fd < 0)
        printf("%s %#x: %s\n", name, flags, strerrorname_np(errno));
    else
        printf("%s %#x: opened\n", name, flags);
    if (fd >= 0)
        close(fd);
}

int main(void)
{
    mkdir("/t", 0755);
    DIE_UNLESS(mount("none", "/t", "tmpfs", 0, NULL) == 0 && mkdir("/t/p", 0755) == 0);
    DIE_UNLESS(mount("none", "/t/p", "proc", 0, NULL) == 0);
    DIE_UNLESS(mount("/t/p", "/t/p", NULL, MS_BIND, NULL) == 0);
    DIE_UNLESS(mount(NULL, "/t/p", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
    try("/t/p/self/comm", O_WRONLY);
    try("/t/p/self/comm", O_RDWR);
    try("/t/p/self/comm", O_RDONLY);
    try("/t/p/self/oom_score_adj", O_WRONLY);
    try("/t/p/sys/kernel/hostname", O_WRONLY);
    try("/t/p/sys/kernel/hostname", O_RDONLY);
    try("/t/p/self/mem", O_RDWR);
    DIE_UNLESS(umount2("/t", MNT_DETACH) == 0 && rmdir("/t") == 0);
    return 0;
}
