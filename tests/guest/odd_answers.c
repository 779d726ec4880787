/* Which of several errors is told, and calls that have nothing to do: names, modes, clocks, pages.
 */
#include "guest.h"
#include <grp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/mount.h>
#include <sys/swap.h>

#define LOCK_MANDATORY 32

static void show_mode(const char *name)
{
    struct stat st = {0};

    if (lstat(name, &st) < 0)
        printf("%s: %s\n", name, error_name(errno));
    else
        printf("%s: mode %o, group %d\n", name, st.st_mode, st.st_gid);
}

/* As somebody who is not in the group of the directory. */
static void make_in_group_dir(void *unused)
{
    struct stat st;
    int fd;

    (void)unused;
    DIE_UNLESS(setgroups(0, NULL) == 0 && setgid(2000) == 0 && setuid(1000) == 0);
    umask(0);
    close(open("shared/runs", O_CREAT | O_RDWR, 02770));
    close(open("shared/reads", O_CREAT | O_RDWR, 02760));
    mkdir("shared/dir", 0770);
    mknod("shared/fifo", S_IFIFO | 02777, 0);
    mknod("shared/node", S_IFREG | 02777, 0);
    fd = open("shared", O_TMPFILE | O_RDWR, 02770);
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("without a name: mode %o, group %d\n", st.st_mode, st.st_gid);
}

static void setgid_is_not_inherited(void)
{
    DIE_UNLESS(mkdir("shared", 0755) == 0 && chown("shared", 1000, 1000) == 0);
    DIE_UNLESS(chmod("shared", 02775) == 0);
    in_child("not in the group", make_in_group_dir, NULL);
    show_mode("shared/runs");
    show_mode("shared/reads");
    show_mode("shared/dir");
    show_mode("shared/fifo");
    show_mode("shared/node");
    umask(0);
    close(open("shared/by_root", O_CREAT | O_RDWR, 02770));
    show_mode("shared/by_root");
}

/* A file of root's that nobody else may write, in a directory that nobody else may. */
static void link_what_is_not_ours(void *unused)
{
    (void)unused;
    DIE_UNLESS(setuid(65534) == 0);
    SHOW(link("theirs", "new"));
    SHOW(link("theirs", "there"));
    SHOW(link("theirs", "theirs/new"));
    SHOW(link("readable", "none/new"));
    SHOW(link("/proc/version", "new"));
}

static void links(void)
{
    close(open("theirs", O_CREAT | O_RDWR, 0600));
    close(open("there", O_CREAT | O_RDWR, 0600));
    in_child("link", link_what_is_not_ours, NULL);
}

static void mount_names(void)
{
    char *name = malloc(2 * PAGE);

    memset(name, 'a', 2 * PAGE);
    name[2 * PAGE - 1] = '\0';
    SHOW(mount(name, "shared", "tmpfs", 0, NULL));
    SHOW(mount("x", name, "tmpfs", 0, NULL));
    SHOW(mount("x", "shared", name, 0, NULL));
    free(name);
}

static void time_zones(void)
{
    struct timezone now = {0, 0};
    struct timezone zones[] = {{901, 0}, {-901, 0}, {INT32_MIN, 0}};

    for (int i = 0; i < 3; i++)
        SHOW(syscall(SYS_settimeofday, NULL, &zones[i]));
    SHOW(syscall(SYS_gettimeofday, NULL, &now));
    printf("minutes %d\n", now.tz_minuteswest);
}

/* What can only be told from ticks: the clocks of user time and of both. */
static void tick_clocks(void)
{
    struct timespec exact, ticks;

    DIE_UNLESS(syscall(SYS_clock_getres, (int)(~0u << 3) | 2, &exact) == 0);
    for (int kind = 0; kind < 2; kind++) {
        DIE_UNLESS(syscall(SYS_clock_getres, (int)(~0u << 3) | kind, &ticks) == 0);
        printf("clock %d: %s\n", kind, ticks.tv_nsec > exact.tv_nsec ? "ticks" : "exact");
    }
}

static void nothing_to_do(void)
{
    char *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    SHOW(mprotect(at, 0, 77));
    SHOW(mprotect(at + 1, 0, 77));
    SHOW(mprotect(at, PAGE, 77));
    SHOW(msync(at, -1, MS_SYNC));
    SHOW(msync(at, -PAGE + 1, MS_SYNC));
    SHOW(msync(at, -PAGE, MS_SYNC));
    SHOW(flock(-1, LOCK_MANDATORY));
    SHOW(flock(-1, LOCK_MANDATORY | LOCK_SH));
    SHOW(flock(-1, LOCK_SH));
}

/* Of what has no position. */
static void positions(void)
{
    sigset_t none;
    int pipes[2];

    sigemptyset(&none);
    DIE_UNLESS(pipe(pipes) == 0);
    SHOW(lseek(eventfd(1, 0), 5, SEEK_SET));
    SHOW(lseek(timerfd_create(CLOCK_MONOTONIC, 0), 5, SEEK_END));
    SHOW(lseek(signalfd(-1, &none, 0), -1, SEEK_CUR));
    SHOW(lseek(epoll_create1(0), 5, SEEK_SET));
    SHOW(lseek(inotify_init1(0), 5, SEEK_SET));
    SHOW(lseek(inotify_init1(0), 5, 99));
    SHOW(lseek(pipes[0], 0, SEEK_CUR));
}

int main(void)
{
    setgid_is_not_inherited();
    links();
    mount_names();
    SHOW(swapon("shared", 0));
    SHOW(swapoff("shared"));
    time_zones();
    tick_clocks();
    nothing_to_do();
    positions();
    return 0;
}
