/* Bind mounts and moves: what is seen where, the flags of one mount, what may not be done. */
#include "mounts.h"
#include <poll.h>
#include <sys/statvfs.h>
#include <linux/openat2.h>

CHANGES_THE_MACHINE("the tree of mounts");

static void binding(void)
{
    DIE_UNLESS(mkdir("a", 0755) == 0 && mkdir("a/sub", 0755) == 0 && mkdir("a/sub/in", 0755) == 0);
    DIE_UNLESS(mkdir("b", 0755) == 0 && mkdir("c", 0755) == 0);
    touch("file");
    touch("a/sub/f");
    TRY(mount("a/sub", "b", NULL, MS_BIND, NULL));
    printf("same: %d, mounts differ: %d\n", same_file("a/sub/f", "b/f"),
           mount_id("a/sub/f") != mount_id("b/f"));
    touch("b/new");
    TRY(access("a/sub/new", F_OK));
    TRY(rename("b/new", "a/sub/new2"));
    TRY(rename("b/new", "b/new2"));
    TRY(link("b/new2", "a/sub/new3"));
    TRY(link("b/new2", "b/new3"));
    TRY(mount("file", "b/f", NULL, MS_BIND, NULL));
    printf("file over file: %d\n", same_file("file", "b/f"));
    TRY(access("a/sub/f", F_OK));
    printf("only there: %d\n", !same_file("file", "a/sub/f"));
    TRY(unlink("b/f"));
    TRY(unlink("a/sub/f"));
    TRY(rename("a/sub/f", "a/sub/g"));
    TRY(rename("a/sub", "a/other"));
    TRY(rename("a/other", "a/sub"));
    show_table("bound", "/t");
    TRY(mount("b", "c", NULL, MS_BIND, NULL));
    printf("without what is inside: %d\n", !same_file("file", "c/f"));
    TRY(umount("c"));
    TRY(mount("b", "c", NULL, MS_BIND | MS_REC, NULL));
    printf("with what is inside: %d\n", same_file("file", "c/f"));
    show_table("deep", "/t/c");
    TRY(umount("c"));
    TRY(umount("c/f"));
    TRY(umount("c"));
    TRY(umount("b"));
    TRY(umount("b/f"));
    TRY(umount("b"));
    TRY(umount("b"));
}

static void refusals(void)
{
    TRY(mount(NULL, "b", NULL, MS_BIND, NULL));
    TRY(mount("", "b", NULL, MS_BIND, NULL));
    TRY(mount("none", "b", NULL, MS_BIND, NULL));
    TRY(mount("a", "none", NULL, MS_BIND, NULL));
    TRY(mount("a", "file", NULL, MS_BIND, NULL));
    TRY(mount("file", "b", NULL, MS_BIND, NULL));
    TRY(mount("file/x", "b", NULL, MS_BIND, NULL));
    TRY(mount((char *)8, "b", NULL, MS_BIND, NULL));
    TRY(mount("a", "b", NULL, MS_REMOUNT | MS_BIND, NULL));
    TRY(mount("a", "b", NULL, MS_REMOUNT, NULL));
    TRY(mount("a", "b", NULL, 0x80000000, NULL));
    TRY(mount("none", "b", "nosuchfs", 0, NULL));
    TRY(mount("none", "file", "nosuchfs", 0, NULL));
    TRY(mount("none", "file", "tmpfs", 0, NULL));
    TRY(mount("none", "b", NULL, 0, NULL));
    DIE_UNLESS(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
    TRY(mount("none", ".", "tmpfs", 0, NULL));
    TRY(mount("/t/a", ".", NULL, MS_BIND, NULL));
    TRY(mount(".", "/t/b", NULL, MS_BIND, NULL));
    show_table("a removed directory", "/t");
    TRY(umount("/t/b"));
    DIE_UNLESS(chdir("/t") == 0);
}

static void flags_seen(const char *path)
{
    struct statvfs s;

    DIE_UNLESS(statvfs(path, &s) == 0);
    show_flags(path, &s);
}

static void read_only(void)
{
    int fd;

    TRY(mount("a", "b", NULL, MS_BIND | MS_RDONLY, NULL));
    flags_seen("b");
    touch("b/sub/g");
    fd = open("b/sub/f", O_RDWR);
    TRY(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    close(fd);
    fd = open("a/sub/f", O_RDWR);
    TRY(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
    TRY(write(fd, "x", 1));
    close(fd);
    flags_seen("b");
    flags_seen("a");
    TRY(open("b/sub/f", O_WRONLY));
    TRY(open("b/sub/f", O_RDONLY | O_TRUNC));
    TRY(open("b/sub/f", O_WRONLY | O_CREAT, 0600));
    TRY(open("b/sub/f", O_RDONLY | O_CREAT, 0600));
    TRY(open("b/sub/h", O_WRONLY | O_CREAT, 0600));
    TRY(open("b/sub/h", O_RDONLY));
    TRY(open("b/sub", O_RDWR | O_TMPFILE, 0600));
    TRY(mkdir("b/d", 0755));
    TRY(mkdir("b/sub", 0755));
    TRY(mkdir("b/sub/", 0755));
    TRY(mknod("b/n", S_IFIFO | 0600, 0));
    TRY(symlink("x", "b/l"));
    TRY(link("b/sub/f", "b/sub/l"));
    TRY(unlink("b/sub/f"));
    TRY(unlink("b/none"));
    TRY(rmdir("b/sub"));
    TRY(rename("b/sub/f", "b/sub/z"));
    TRY(rename("b/none", "b/z"));
    TRY(chmod("b/sub/f", 0600));
    TRY(chown("b/sub/f", 0, 0));
    TRY(utimensat(AT_FDCWD, "b/sub/f", NULL, 0));
    TRY(truncate("b/sub/f", 0));
    TRY(truncate("b/sub", 0));
    TRY(access("b/sub/f", W_OK));
    TRY(access("b/sub/f", R_OK));
    TRY(access("b/sub", W_OK));
    fd = open("b/sub/f", O_RDONLY);
    TRY(fchmod(fd, 0600));
    TRY(fchown(fd, 0, 0));
    TRY(futimens(fd, NULL));
    close(fd);
    TRY(chmod("a/sub/f", 0600));
    TRY(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND, NULL));
    TRY(open("b/sub/h", O_WRONLY | O_CREAT, 0600));
    TRY(umount("b"));
}

static void other_flags(void)
{
    char name[8];

    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    TRY(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID, NULL));
    flags_seen("b");
    TRY(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME,
              NULL));
    flags_seen("b");
    TRY(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC, NULL));
    flags_seen("b");
    TRY(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC | MS_STRICTATIME | MS_NODEV, NULL));
    flags_seen("b");
    show_table("flags", "/t/b");
    DIE_UNLESS(mknod("a/null", S_IFCHR | 0666, 0x103) == 0);
    TRY(open("b/null", O_RDWR));
    TRY(close(open("a/null", O_RDWR)));
    DIE_UNLESS(chmod("a/sub/f", 0755) == 0);
    TRY(access("b/sub/f", X_OK));
    TRY(access("a/sub/f", X_OK));
    TRY(execl("b/sub/f", "f", (char *)NULL));
    int fd = open("b/sub/f", O_RDONLY);
    TRY(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
    close(fd);
    DIE_UNLESS(symlink("f", "a/sub/link") == 0);
    TRY(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_NODEV | 256, NULL));
    show_table("without links", "/t/b");
    TRY(access("b/sub/link", F_OK));
    TRY(access("a/sub/link", F_OK));
    TRY(readlink("b/sub/link", name, sizeof(name)));
    TRY(open("b/sub/link", O_RDWR | O_CREAT, 0600));
    TRY(mount("b", "c", NULL, MS_BIND, NULL));
    flags_seen("c");
    TRY(mount(NULL, "c", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL));
    flags_seen("c");
    flags_seen("b");
    flags_seen("a");
    TRY(mkdir("b/no", 0755));
    TRY(mount(NULL, "c", "tmpfs", MS_REMOUNT, NULL));
    flags_seen("c");
    TRY(mkdir("b/yes", 0755));
    TRY(umount("c"));
    TRY(umount("b"));
}

static void going_up(void)
{
    char cwd[256];

    TRY(mount("a/sub", "b", NULL, MS_BIND, NULL));
    TRY(chdir("b/in"));
    printf("%s\n", getcwd(cwd, sizeof(cwd)));
    printf("up: %d\n", same_file("../..", "/t"));
    TRY(rename("/t/a/sub/in", "/t/a/moved"));
    TRY(access(".", F_OK));
    TRY(access("..", F_OK));
    errno = 0;
    printf("%s, %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "none", error_name(errno));
    TRY(rename("/t/a/moved", "/t/a/sub/in"));
    TRY(access("..", F_OK));
    TRY(chdir("/t"));
    TRY(umount("b"));
}

static void moving(void)
{
    DIE_UNLESS(mkdir("m", 0755) == 0);
    TRY(mount("none", "m", "tmpfs", 0, NULL));
    DIE_UNLESS(mkdir("m/d", 0755) == 0);
    TRY(mount("one", "m/d", "tmpfs", 0, NULL));
    touch("m/d/f");
    TRY(mount("m", "b", NULL, MS_MOVE, NULL));
    TRY(access("b/d/f", F_OK));
    TRY(access("m/d", F_OK));
    show_table("moved", "/t");
    TRY(mount("m", "b", NULL, MS_MOVE, NULL));
    TRY(mount("b/d", "b", NULL, MS_MOVE, NULL));
    TRY(access("b/f", F_OK));
    TRY(mount("b", "b/none", NULL, MS_MOVE, NULL));
    TRY(mount("b", "file", NULL, MS_MOVE, NULL));
    TRY(mount("b", "m", NULL, MS_MOVE, NULL));
    TRY(mount("b", "b/d", NULL, MS_MOVE, NULL));
    TRY(mount("/", "m", NULL, MS_MOVE, NULL));
    TRY(mount(NULL, "m", NULL, MS_MOVE, NULL));
    TRY(mount("none", "m", NULL, MS_MOVE, NULL));
    show_table("again", "/t");
    TRY(umount("m"));
    TRY(umount("b"));
}

static void stacking(void)
{
    TRY(mount("first", "m", "tmpfs", 0, NULL));
    touch("m/1");
    TRY(mount("second", "m", "tmpfs", 0, NULL));
    touch("m/2");
    TRY(mount("a", "m", NULL, MS_BIND, NULL));
    TRY(mount("a", "m", NULL, MS_BIND, NULL));
    show_table("on top", "/t");
    TRY(umount("m"));
    TRY(umount("m"));
    TRY(access("m/2", F_OK));
    TRY(umount("m"));
    TRY(access("m/1", F_OK));
    TRY(umount("m"));
    TRY(mount("again", "/proc", "proc", 0, NULL));
    TRY(umount("/proc"));
    TRY(mount("one", "m", "sysfs", 0, NULL));
    TRY(mount("two", "m", "sysfs", 0, NULL));
    TRY(mount("two", "b", "sysfs", 0, NULL));
    printf("one sysfs: %d\n", same_file("m/kernel", "b/kernel"));
    show_table("sysfs", "/t");
    TRY(umount("b"));
    TRY(umount("m"));
}

static int open_beneath(const char *path, unsigned long long resolve, unsigned long long flags)
{
    struct open_how how = {.flags = flags, .resolve = resolve, .mode = flags & O_CREAT ? 0600 : 0};

    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static void resolving(void)
{
    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    TRY(open_beneath("b", RESOLVE_NO_XDEV, O_RDONLY));
    TRY(open_beneath("b/sub", RESOLVE_NO_XDEV, O_RDONLY));
    TRY(open_beneath("b/sub", RESOLVE_BENEATH, O_RDONLY) < 0 ? -1 : 0);
    TRY(open_beneath("b/sub/f", RESOLVE_NO_XDEV, O_RDWR | O_CREAT));
    TRY(open_beneath("a/sub", RESOLVE_NO_XDEV, O_RDONLY) < 0 ? -1 : 0);
    TRY(chdir("b"));
    TRY(open_beneath("sub", RESOLVE_NO_XDEV, O_RDONLY) < 0 ? -1 : 0);
    TRY(open_beneath("..", RESOLVE_NO_XDEV, O_RDONLY));
    TRY(open_beneath("..", RESOLVE_BENEATH, O_RDONLY));
    TRY(open_beneath("/t", RESOLVE_NO_XDEV, O_RDONLY));
    TRY(open_beneath("/proc/self/cwd", RESOLVE_NO_XDEV, O_RDONLY));
    TRY(open_beneath("../a", RESOLVE_IN_ROOT, O_RDONLY));
    TRY(open_beneath("../sub", RESOLVE_IN_ROOT, O_RDONLY) < 0 ? -1 : 0);
    DIE_UNLESS(symlink("/t/a", "away") == 0);
    TRY(open_beneath("away", RESOLVE_NO_XDEV, O_RDONLY));
    TRY(chdir("/t"));
    TRY(umount("b"));
}

static void statistics(void)
{
    char line[256];
    FILE *f;

    TRY(mount("a name", "b", "tmpfs", 0, NULL));
    f = fopen("/proc/self/mountstats", "r");
    DIE_UNLESS(f);
    while (fgets(line, sizeof(line), f))
        if (strstr(line, " /t"))
            printf("%s", line);
    fclose(f);
    TRY(access("/proc/self/mountstats", W_OK));
    TRY(umount("b"));
}

static void waiting(void)
{
    struct pollfd p = {.fd = open("/proc/self/mounts", O_RDONLY), .events = POLLPRI};
    char buf[4096];

    DIE_UNLESS(p.fd >= 0 && read(p.fd, buf, sizeof(buf)) > 0);
    printf("nothing: %d\n", poll(&p, 1, 0));
    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    printf("bound: %d %x\n", poll(&p, 1, 0), p.revents);
    printf("told: %d\n", poll(&p, 1, 0));
    TRY(umount("b"));
    printf("unbound: %d %x\n", poll(&p, 1, 0), p.revents);
    close(p.fd);
}

static void as_nobody(void *unused)
{
    (void)unused;
    DIE_UNLESS(setuid(65534) == 0);
    TRY(mount("a", "b", NULL, MS_BIND, NULL));
    TRY(mount("none", "b", NULL, MS_BIND, NULL));
    TRY(mount("a", "none", NULL, MS_BIND, NULL));
    TRY(mount("a", "b", NULL, MS_MOVE, NULL));
    TRY(mount("a", "b", NULL, MS_REMOUNT | MS_BIND, NULL));
    TRY(mount("a", "b", "nosuchfs", 0, NULL));
    TRY(mount("a", "b", NULL, MS_PRIVATE, NULL));
    TRY(umount("b"));
    TRY(umount("none"));
}

int main(void)
{
    begin();
    binding();
    refusals();
    read_only();
    other_flags();
    going_up();
    moving();
    stacking();
    resolving();
    statistics();
    waiting();
    in_child("nobody", as_nobody, NULL);
    end();
    return 0;
}
