/* Mounting and unmounting: what covers what, who may, what keeps a file system busy. Needs root. */
#include "guest.h"
#include <sys/mount.h>

static bool same_device(const char *a, const char *b)
{
    struct stat sa, sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev;
}

static bool same_place(const char *a, const char *b)
{
    struct stat sa, sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

static void covering(void)
{
    char cwd[256];

    close(open("m/under", O_CREAT | O_WRONLY, 0600));
    SHOW(mount("none", "m", "tmpfs", 0, NULL));
    SHOW(access("m/under", F_OK));
    close(open("m/over", O_CREAT | O_WRONLY, 0600));
    printf("own device: %d\n", !same_device("m", "."));
    printf("dotdot leaves: %d\n", same_place("m/..", "."));
    SHOW(mkdir("m/d", 0755));
    SHOW(chdir("m/d"));
    printf("cwd: %s\n", getcwd(cwd, sizeof(cwd)));
    printf("two up: %d\n", same_place("../..", "/t"));
    SHOW(umount("/t/m"));
    SHOW(chdir("/t"));
    SHOW(rename("m/over", "over"));
    SHOW(link("m/over", "over"));
    SHOW(rename("m", "m2"));
    SHOW(rmdir("m"));
    SHOW(rmdir("m/../m"));
    SHOW(unlink("m"));
    SHOW(mount("none", "m", "tmpfs", 0, NULL));
    SHOW(access("m/over", F_OK));
    SHOW(umount("m"));
    SHOW(access("m/over", F_OK));
    SHOW(umount("m"));
    SHOW(access("m/under", F_OK));
    SHOW(umount("m"));
}

static void busy(void)
{
    int fd, dir;
    char *p;

    SHOW(mount("none", "m", "tmpfs", 0, NULL));
    fd = open("m/f", O_CREAT | O_RDWR, 0600);
    DIE_UNLESS(write(fd, "data", 4) == 4);
    SHOW(umount("m"));
    DIE_UNLESS(unlink("m/f") == 0);
    SHOW(umount("m"));
    close(fd);
    dir = open("m", O_RDONLY);
    SHOW(umount("m"));
    close(dir);
    DIE_UNLESS(mkdir("m/inner", 0755) == 0);
    SHOW(mount("none", "m/inner", "tmpfs", 0, NULL));
    SHOW(umount("m"));
    SHOW(umount("m/inner"));
    SHOW(umount("m"));

    SHOW(mount("none", "m", "tmpfs", 0, NULL));
    fd = open("m/f", O_CREAT | O_RDWR, 0600);
    DIE_UNLESS(write(fd, "data", 4) == 4);
    SHOW(umount2("m", MNT_DETACH));
    SHOW(access("m/f", F_OK));
    SHOW(access("m/under", F_OK));
    SHOW(lseek(fd, 0, SEEK_END));
    p = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    printf("%.4s\n", p);
    munmap(p, PAGE);
    SHOW(mount("none", "m", "tmpfs", 0, NULL));
    SHOW(umount("m"));
}

static void read_only(void)
{
    int fd;

    SHOW(mount("none", "m", "tmpfs", 0, NULL));
    close(make_file("m/f", 10));
    SHOW(mkdir("m/d", 0777));
    fd = open("m/f", O_RDWR);
    close(fd);
    SHOW(mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL));
    SHOW(open("m/f", O_WRONLY));
    SHOW(open("m/g", O_CREAT | O_WRONLY, 0600));
    SHOW(open("m/g", O_RDONLY));
    SHOW(mkdir("m/e", 0777));
    SHOW(mkdir("m/d", 0777));
    SHOW(unlink("m/f"));
    SHOW(unlink("m/none"));
    SHOW(rmdir("m/d"));
    SHOW(rename("m/f", "m/g"));
    SHOW(link("m/f", "m/g"));
    SHOW(symlink("m/f", "m/g"));
    SHOW(chmod("m/f", 0777));
    SHOW(chown("m/f", 1, 1));
    SHOW(utimensat(AT_FDCWD, "m/f", NULL, 0));
    SHOW(truncate("m/f", 0));
    SHOW(access("m/f", W_OK));
    SHOW(access("m/f", R_OK));
    SHOW(mount("none", "m", "tmpfs", MS_REMOUNT, NULL));
    SHOW(unlink("m/f"));
    SHOW(umount("m"));
}

static void flags(void)
{
    SHOW(mount("none", "m", "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID, NULL));
    SHOW(mknod("m/null", S_IFCHR | 0666, 0x103));
    SHOW(open("m/null", O_RDWR));
    close(make_file("m/x", 10));
    DIE_UNLESS(chmod("m/x", 0777) == 0);
    SHOW(access("m/x", X_OK));
    SHOW(execl("m/x", "x", (char *)NULL));
    SHOW(umount("m"));
}

static void refusals(void)
{
    SHOW(mount("none", "m", "nosuchfs", 0, NULL));
    SHOW(mount("none", "none", "tmpfs", 0, NULL));
    SHOW(mount("none", "over", "tmpfs", 0, NULL));
    close(make_file("file", 1));
    SHOW(mount("none", "file", "tmpfs", 0, NULL));
    SHOW(mount("none", "m", NULL, 0, NULL));
    SHOW(mount("none", (char *)8, "tmpfs", 0, NULL));
    SHOW(mount("none", "m", (char *)8, 0, NULL));
    SHOW(mount((char *)8, "m", "tmpfs", 0, NULL));
    SHOW(mount("none", "m", "tmpfs", MS_REMOUNT, NULL));
    SHOW(umount("m"));
    SHOW(umount("none"));
    SHOW(umount("file"));
    SHOW(umount2("m", 0x100));
    SHOW(umount((char *)8));
}

static void as_nobody(void *unused)
{
    (void)unused;
    DIE_UNLESS(setuid(65534) == 0);
    SHOW(mount("none", "m", "tmpfs", 0, NULL));
    SHOW(umount("m"));
    SHOW(chroot("m"));
}

static void moving(void)
{
    SHOW(mkdir("to", 0755));
    SHOW(mount("none", "m", "tmpfs", 0, NULL));
    close(open("m/inside", O_CREAT | O_WRONLY, 0600));
    SHOW(mount("m", "to", NULL, MS_MOVE, NULL));
    SHOW(access("m/inside", F_OK));
    SHOW(access("to/inside", F_OK));
    SHOW(mount("m", "to", NULL, MS_MOVE, NULL));
    SHOW(umount("m"));
    SHOW(umount("to"));
}

static void new_root(void *unused)
{
    char cwd[256];

    (void)unused;
    DIE_UNLESS(mkdir("m/deep", 0755) == 0 && mkdir("m/deep/er", 0755) == 0);
    SHOW(chroot("m"));
    SHOW(syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0);
    printf("outside: %s\n", cwd);
    SHOW(access("/deep", F_OK));
    SHOW(access("/../deep", F_OK));
    SHOW(access("/t", F_OK));
    SHOW(chdir("/deep/er"));
    printf("cwd: %s\n", getcwd(cwd, sizeof(cwd)));
    SHOW(chdir("../../../../.."));
    printf("cwd: %s\n", getcwd(cwd, sizeof(cwd)));
    SHOW(symlink("/deep", "/l"));
    SHOW(chdir("/l/er"));
    printf("cwd: %s\n", getcwd(cwd, sizeof(cwd)));
    SHOW(chroot("/l/none"));
    SHOW(chroot("/deep/er/../../deep"));
    SHOW(access("/er", F_OK));
}

int main(void)
{
    DIE_UNLESS(chdir("/") == 0 && mkdir("t", 0755) == 0 && chdir("t") == 0 &&
               mkdir("m", 0755) == 0);
    covering();
    busy();
    read_only();
    flags();
    refusals();
    in_child("nobody", as_nobody, NULL);
    moving();
    in_child("new root", new_root, NULL);
    return 0;
}
