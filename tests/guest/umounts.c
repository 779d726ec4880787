/* Mounts that end: busy ones, later ones, ones that expire; what is seen from outside the tree; and
 * pivot_root. */
#include "mounts.h"

CHANGES_THE_MACHINE("the tree of mounts");

static void show_cwd(void)
{
    char cwd[256];

    errno = 0;
    if (syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0)
        printf("getcwd: %s\n", cwd);
    else
        printf("getcwd: %s\n", error_name(errno));
}

static void show_link(const char *link)
{
    char target[256] = "";

    errno = 0;
    if (readlink(link, target, sizeof(target) - 1) < 0)
        printf("%s: %s\n", link, error_name(errno));
    else
        printf("%s -> %s\n", link, target);
}

static void busy(void)
{
    TRY(mount("none", "m", "tmpfs", 0, NULL));
    DIE_UNLESS(mkdir("m/d", 0755) == 0);
    TRY(mount("m/d", "b", NULL, MS_BIND, NULL));
    TRY(chdir("b"));
    TRY(umount("/t/b"));
    TRY(umount("."));
    TRY(umount("../m"));
    TRY(access(".", F_OK));
    touch("still");
    TRY(chdir("/t"));
    TRY(mount("b", "m", NULL, MS_BIND, NULL));
    TRY(access("m/still", F_OK));
    TRY(umount("b"));
    TRY(umount("m"));
    TRY(umount("m"));
}

static void refusals(void)
{
    TRY(umount("m"));
    TRY(umount("none"));
    TRY(umount("file"));
    TRY(umount("file/x"));
    TRY(umount((char *)8));
    TRY(umount2("m", 0x10));
    TRY(umount2("none", MNT_EXPIRE | MNT_DETACH));
    TRY(umount2("m", MNT_EXPIRE | MNT_DETACH));
    TRY(mount("none", "m", "tmpfs", 0, NULL));
    TRY(umount2("m", MNT_EXPIRE | MNT_DETACH));
    TRY(umount2("m", MNT_EXPIRE | MNT_FORCE));
    DIE_UNLESS(symlink("m", "l") == 0 && mkdir("m/d", 0755) == 0);
    TRY(umount2("l", UMOUNT_NOFOLLOW));
    TRY(umount("m/d"));
    TRY(umount2("m/d", MNT_DETACH));
    TRY(umount2("l", MNT_FORCE));
}

static void expiring(void)
{
    int fd;

    TRY(mount("none", "m", "tmpfs", 0, NULL));
    TRY(umount2("m", MNT_EXPIRE));
    TRY(access("m/x", F_OK));
    TRY(umount2("m", MNT_EXPIRE));
    fd = open("m", O_RDONLY);
    TRY(umount2("m", MNT_EXPIRE));
    close(fd);
    TRY(umount2("m", MNT_EXPIRE));
    TRY(umount2("m", MNT_EXPIRE));
    TRY(umount2("m", MNT_EXPIRE));
}

static void detaching(void)
{
    int fd, dir;
    char fdname[40];

    TRY(mount("none", "m", "tmpfs", 0, NULL));
    DIE_UNLESS(mkdir("m/d", 0755) == 0 && mkdir("m/d/e", 0755) == 0 && mkdir("m/in", 0755) == 0);
    touch("m/d/f");
    TRY(mount("none", "m/in", "tmpfs", 0, NULL));
    touch("m/in/g");
    fd = open("m/d/f", O_RDWR);
    dir = open("m/in", O_RDONLY);
    TRY(chdir("m/d"));
    TRY(umount("/t/m"));
    TRY(umount2("/t/m", MNT_DETACH));
    TRY(access("/t/m/d", F_OK));
    show_table("detached", "/t");
    show_cwd();
    show_link("/proc/self/cwd");
    snprintf(fdname, sizeof(fdname), "/proc/self/fd/%d", fd);
    char target[64] = "";
    DIE_UNLESS(readlink(fdname, target, sizeof(target) - 1) > 0);
    printf("fd: %s\n", target);
    TRY(access("f", F_OK));
    TRY(access("../d/f", F_OK));
    TRY(access("../../d/f", F_OK));
    TRY(faccessat(dir, "g", F_OK, 0));
    TRY(faccessat(dir, "../d", F_OK, 0));
    TRY(access("../in/g", F_OK));
    TRY(mkdir("new", 0755));
    TRY(mount("none", "new", "tmpfs", 0, NULL));
    TRY(mount(".", "/t/b", NULL, MS_BIND, NULL));
    TRY(umount("."));
    TRY(mount(NULL, "..", NULL, MS_REMOUNT | MS_RDONLY | MS_BIND, NULL));
    TRY(mount("..", "/t/b", NULL, MS_MOVE, NULL));
    TRY(write(fd, "x", 1));
    TRY(chdir("e"));
    show_cwd();
    TRY(chdir("../.."));
    show_cwd();
    show_link("/proc/self/cwd");
    TRY(chdir("/t"));
    close(fd);
    close(dir);
}

/* ---- pivot_root ---- */

static int pivot_root(const char *new, const char *old)
{
    return (int)syscall(SYS_pivot_root, new, old);
}

static void cannot_pivot(void *unused)
{
    (void)unused;
    TRY(pivot_root("/", "/"));
    TRY(pivot_root("/t", "/t"));
    TRY(pivot_root("/t/m", "/t/m"));
    TRY(pivot_root("none", "/t/m"));
    TRY(pivot_root("/t/m", "none"));
    TRY(pivot_root("/t/file", "/t/m"));
    TRY(pivot_root("/t/m", "/t/file"));
    TRY(pivot_root((char *)8, "/t/m"));
    TRY(pivot_root("/t/m", (char *)8));
    DIE_UNLESS(chroot("/t/m") == 0 && chdir("/") == 0);
    TRY(pivot_root("/", "/"));
    TRY(pivot_root("/new", "/"));
    TRY(pivot_root("/new", "/dir"));
    TRY(pivot_root("/new", "/new/old"));
    TRY(pivot_root("/dir", "/dir"));
    TRY(mount("/new", "/new", NULL, MS_BIND, NULL));
    TRY(pivot_root("/new", "/dir"));
    TRY(pivot_root("/new/old", "/new/old"));
    TRY(umount("/new"));
    DIE_UNLESS(chroot("/dir") == 0 && chdir("/") == 0);
    TRY(mount("none", "/new", "tmpfs", 0, NULL));
    DIE_UNLESS(mkdir("/new/old", 0755) == 0);
    TRY(pivot_root("/new", "/new/old"));
    TRY(umount("/new"));
    DIE_UNLESS(setuid(65534) == 0);
    TRY(pivot_root("none", "none"));
}

static void pivoting(void *unused)
{
    int root, status;
    pid_t other;
    int go[2], done[2];
    char c;

    (void)unused;
    DIE_UNLESS(chroot("/t/m") == 0 && chdir("/") == 0 && pipe(go) == 0 && pipe(done) == 0);
    TRY(mount("none", "/proc", "proc", 0, NULL));
    show_table("inside", "/");
    TRY(mount("/new", "/new", NULL, MS_BIND, NULL));
    DIE_UNLESS(mkdir("/new/proc", 0755) == 0);
    TRY(mount("/proc", "/new/proc", NULL, MS_BIND, NULL));
    root = open("/", O_RDONLY);
    other = fork();
    if (other == 0) {
        DIE_UNLESS(read(go[0], &c, 1) == 1);
        show_cwd();
        TRY(access("/mark", F_OK));
        TRY(access("mark", F_OK));
        DIE_UNLESS(write(done[1], "x", 1) == 1);
        DIE_UNLESS(read(go[0], &c, 1) == 1);
        _exit(0);
    }
    TRY(pivot_root("/new", "/new/old"));
    show_table("pivoted", "/");
    show_cwd();
    TRY(access("/old/dir", F_OK));
    TRY(access("/mark", F_OK));
    TRY(faccessat(root, "dir", F_OK, 0));
    TRY(faccessat(root, "..", F_OK, 0));
    DIE_UNLESS(write(go[1], "x", 1) == 1 && read(done[0], &c, 1) == 1);
    TRY(umount("/old"));
    TRY(umount2("/old", MNT_DETACH));
    show_table("without the old", "/");
    TRY(faccessat(root, "dir", F_OK, 0));
    TRY(faccessat(root, "../..", F_OK, 0));
    TRY(fchdir(root));
    show_cwd();
    DIE_UNLESS(write(go[1], "x", 1) == 1);
    waitpid(other, &status, 0);
    close(root);
}

static void chrooted(void *unused)
{
    (void)unused;
    TRY(mount("/proc", "m/dir", NULL, MS_BIND, NULL));
    TRY(chroot("m"));
    show_cwd();
    TRY(access("file", F_OK));
    TRY(access("../t/file", F_OK));
    TRY(chdir("/new"));
    show_cwd();
    FILE *f = fopen("/dir/self/mounts", "r");
    char line[256];
    DIE_UNLESS(f);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, "devpts", 6) != 0)
            printf("%s", line);
    fclose(f);
    show_link("/dir/self/root");
    TRY(umount("/dir"));
    TRY(mount("over", "/", "tmpfs", 0, NULL));
    TRY(access("/new", F_OK));
    TRY(access("/../new", F_OK));
    TRY(access("../new", F_OK));
    TRY(chdir("/.."));
    show_cwd();
    TRY(access("new", F_OK));
    TRY(umount("/.."));
    TRY(umount("."));
    TRY(umount2("/..", MNT_DETACH));
    TRY(access("/../new", F_OK));
}

int main(void)
{
    begin();
    DIE_UNLESS(mkdir("m", 0755) == 0 && mkdir("b", 0755) == 0);
    touch("file");
    busy();
    refusals();
    expiring();
    detaching();
    DIE_UNLESS(mount("m", "m", "tmpfs", 0, NULL) == 0 && mkdir("m/new", 0755) == 0);
    DIE_UNLESS(mkdir("m/new/old", 0755) == 0 && mkdir("m/dir", 0755) == 0);
    DIE_UNLESS(mkdir("m/dir/new", 0755) == 0 && mkdir("m/proc", 0755) == 0);
    touch("m/new/mark");
    in_child("cannot", cannot_pivot, NULL);
    in_child("chrooted", chrooted, NULL);
    in_child("pivoting", pivoting, NULL);
    show_table("after", "/t");
    end();
    return 0;
}
