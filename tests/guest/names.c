/* Names: mkdir, mknod, symlink, link, unlink, rmdir, rename and their refusals. */
#include "guest.h"
#include <sys/sysmacros.h>

#ifndef RENAME_EXCHANGE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#endif

static struct stat st;

static int nlink_of(const char *path)
{
    return lstat(path, &st) == 0 ? (int)st.st_nlink : -1;
}

static void dirs(void)
{
    SHOW(mkdir("d", 0777));
    DIE_UNLESS(stat("d", &st) == 0);
    printf("mode %o\n", (int)st.st_mode);
    SHOW(mkdir("d", 0777));
    SHOW(mkdir("d/", 0777));
    SHOW(mkdir("d/e/", 0700));
    SHOW(mkdir("d/none/x", 0700));
    SHOW(mkdir("/", 0700));
    SHOW(mkdir(".", 0700));
    SHOW(mkdir("d/..", 0700));
    SHOW(mkdir("", 0700));
    SHOW(mkdir("sticky", 07777));
    DIE_UNLESS(stat("sticky", &st) == 0);
    printf("mode %o\n", (int)st.st_mode);
    printf("links of d: %d\n", nlink_of("d"));
    SHOW(rmdir("d"));
    SHOW(rmdir("d/e/."));
    SHOW(rmdir("d/e/.."));
    SHOW(rmdir("/"));
    SHOW(rmdir("d/e/"));
    printf("links of d: %d\n", nlink_of("d"));
    SHOW(rmdir("d/e"));
    SHOW(unlink("d"));
    SHOW(unlink("d/"));
    SHOW(unlink("."));
    SHOW(unlink("d/.."));
    SHOW(unlink("/"));
    SHOW(rmdir("sticky"));
}

static void set_group_id_dir(void)
{
    if (getuid() != 0)
        return;
    DIE_UNLESS(mkdir("g", 0777) == 0 && chown("g", 0, 50) == 0 && chmod("g", 02777) == 0);
    close(make_file("g/f", 1));
    DIE_UNLESS(mkdir("g/d", 0755) == 0);
    DIE_UNLESS(stat("g/f", &st) == 0);
    printf("file: group %d mode %o\n", (int)st.st_gid, (int)st.st_mode);
    DIE_UNLESS(stat("g/d", &st) == 0);
    printf("directory: group %d mode %o\n", (int)st.st_gid, (int)st.st_mode);
}

static void nodes(void)
{
    SHOW(mknod("fifo", S_IFIFO | 0666, 0));
    DIE_UNLESS(stat("fifo", &st) == 0);
    printf("mode %o\n", (int)st.st_mode);
    SHOW(mknod("fifo", S_IFIFO | 0666, 0));
    SHOW(mknod("reg", 0640, 0));
    DIE_UNLESS(stat("reg", &st) == 0);
    printf("mode %o\n", (int)st.st_mode);
    SHOW(mknod("dir", S_IFDIR | 0666, 0));
    SHOW(mknod("odd", 0170000 | 0666, 0));
    SHOW(mknod("new/", S_IFIFO | 0666, 0));
    SHOW(mknod("sock", S_IFSOCK | 0600, 0));
    SHOW(open("sock", O_RDONLY));
    SHOW(unlink("fifo"));
    SHOW(unlink("sock"));
    SHOW(unlink("reg"));
}

static void symlinks(void)
{
    char buf[64];

    SHOW(symlink("target", "l"));
    SHOW(symlink("target", "l"));
    SHOW(symlink("", "l2"));
    SHOW(symlink("target", "l2/"));
    SHOW(readlink("l", buf, sizeof(buf)));
    SHOW(readlink("l", buf, 3));
    SHOW(readlink("l", buf, 0));
    SHOW(readlink("l", (void *)8, 64));
    SHOW(readlink("d", buf, sizeof(buf)));
    SHOW(readlink("none", buf, sizeof(buf)));
    SHOW(readlink("", buf, sizeof(buf)));
    SHOW(mkdir("l", 0700));
    SHOW(mkdir("l/", 0700));
    SHOW(mkdir("l/x", 0700));
    SHOW(rmdir("l"));
    SHOW(unlink("l/"));
    SHOW(unlink("l"));
    SHOW(symlink("d", "l"));
    SHOW(rmdir("l/"));
    SHOW(unlink("l/"));
    SHOW(unlink("l"));
    SHOW(unlinkat(AT_FDCWD, "d", 0));
    SHOW(unlinkat(AT_FDCWD, "d", 1));
    SHOW(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
    SHOW(mkdir("d", 0755));
}

static void hard_links(void)
{
    close(make_file("f", 10));
    SHOW(link("f", "g"));
    printf("links: %d\n", nlink_of("f"));
    SHOW(link("f", "g"));
    SHOW(link("f", "h/"));
    SHOW(link("f/", "h"));
    SHOW(link("none", "h"));
    SHOW(link("d", "h"));
    SHOW(link("f", "none/h"));
    SHOW(link("f", "."));
    SHOW(symlink("f", "s"));
    SHOW(link("s", "t"));
    printf("a link: %d\n", lstat("t", &st) == 0 && S_ISLNK(st.st_mode));
    SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "u", AT_SYMLINK_FOLLOW));
    printf("a file: %d\n", lstat("u", &st) == 0 && S_ISREG(st.st_mode));
    SHOW(linkat(AT_FDCWD, "s", AT_FDCWD, "v", 1));
    SHOW(unlink("f"));
    printf("links: %d\n", nlink_of("g"));
    SHOW(unlink("none"));
    SHOW(unlink("g/"));
    SHOW(link("g", "/proc/x"));
}

static void unlinked_file_lives(void)
{
    int fd = make_file("dying", 5);
    char buf[8];

    SHOW(unlink("dying"));
    SHOW(pread(fd, buf, 8, 0));
    SHOW(pwrite(fd, "more", 4, 5));
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("links %d size %ld\n", (int)st.st_nlink, (long)st.st_size);
    close(fd);
}

static void renames(void)
{
    close(make_file("a", 1));
    close(make_file("b", 2));
    SHOW(rename("a", "b"));
    printf("size %ld\n", stat("b", &st) == 0 ? (long)st.st_size : -1);
    SHOW(rename("a", "b"));
    SHOW(rename("b", "b"));
    SHOW(link("b", "b2"));
    SHOW(rename("b", "b2"));
    printf("both there: %d\n", access("b", F_OK) == 0 && access("b2", F_OK) == 0);
    SHOW(rename("b", "d"));
    SHOW(rename("d", "b"));
    SHOW(rename("b", "c/"));
    SHOW(rename("b/", "c"));
    SHOW(rename("b", "none/c"));
    SHOW(rename("b", "."));
    SHOW(rename(".", "x"));
    SHOW(rename("d/..", "x"));
    SHOW(rename("b", ""));
    SHOW(mkdir("d/e", 0755));
    SHOW(rename("d", "d/e/f"));
    SHOW(rename("d", "d/e"));
    SHOW(rename("d/e", "d"));
    SHOW(mkdir("d2", 0755));
    SHOW(rename("d2", "d"));
    SHOW(rename("d", "d2"));
    printf("links of d2: %d\n", nlink_of("d2"));
    SHOW(mkdir("d3", 0755));
    SHOW(rename("d2/e", "d3/e"));
    printf("links: %d %d\n", nlink_of("d2"), nlink_of("d3"));
    SHOW(rename("d2/", "d4/"));
    SHOW(access("d4", F_OK));
    SHOW(rename("b", "d3/e/b"));
    SHOW(rename("d3/e/b", "b"));
    SHOW(rename("b", "/proc/b"));
}

/* Cross-checks that names long and short survive a rename. */
static void rename_names(void)
{
    char lng[200];

    memset(lng, 'L', sizeof(lng) - 1);
    lng[sizeof(lng) - 1] = 0;
    close(make_file("short", 3));
    TRY(rename("short", lng));
    TRY(access(lng, F_OK));
    TRY(access("short", F_OK));
    TRY(rename(lng, "d3/short"));
    TRY(access("d3/short", F_OK));
    TRY(unlink("d3/short"));
}

static void renameat2s(void)
{
    close(make_file("x", 1));
    close(make_file("y", 2));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", RENAME_NOREPLACE));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "z", RENAME_NOREPLACE));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "y", AT_FDCWD, "z", RENAME_EXCHANGE));
    printf("size of y %ld\n", stat("y", &st) == 0 ? (long)st.st_size : -1);
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "y", AT_FDCWD, "none", RENAME_EXCHANGE));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "y", AT_FDCWD, "z", 3));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "y", AT_FDCWD, "z", 64));
    SHOW(mkdir("ex", 0755));
    SHOW(mkdir("ex/sub", 0755));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "y", AT_FDCWD, "ex/sub", RENAME_EXCHANGE));
    printf("y is a directory: %d\n", stat("y", &st) == 0 && S_ISDIR(st.st_mode));
    printf("links of ex: %d\n", nlink_of("ex"));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "ex", AT_FDCWD, "ex/sub", RENAME_EXCHANGE));
    SHOW(access("y/..", F_OK));
}

static void in_sticky(void *unused)
{
    (void)unused;
    DIE_UNLESS(setgid(65534) == 0 && setuid(65534) == 0);
    SHOW(unlink("st/root"));
    SHOW(rename("st/root", "st/mine"));
    SHOW(rmdir("st/dir"));
    close(open("st/mine", O_CREAT | O_WRONLY, 0600));
    SHOW(rename("st/mine", "st/root"));
    SHOW(rename("st/mine", "st/other"));
    SHOW(unlink("st/other"));
    SHOW(mkdir("closed/x", 0700));
    SHOW(unlink("closed/f"));
    SHOW(rename("closed/f", "st/f"));
    SHOW(symlink("a", "closed/l"));
    SHOW(mknod("closed/p", S_IFIFO | 0600, 0));
    SHOW(mknod("st/dev", S_IFCHR | 0600, makedev(1, 3)));
    SHOW(link("closed/f", "st/f"));
}

static void others(void)
{
    if (getuid() != 0)
        return;
    umask(0);
    DIE_UNLESS(mkdir("st", 01777) == 0 && mkdir("st/dir", 0777) == 0 && mkdir("closed", 0755) == 0);
    close(make_file("st/root", 1));
    close(make_file("closed/f", 1));
    in_child("nobody", in_sticky, NULL);
}

int main(void)
{
    umask(022);
    DIE_UNLESS(mkdir("t", 0755) == 0 && chdir("t") == 0);
    dirs();
    set_group_id_dir();
    nodes();
    symlinks();
    hard_links();
    unlinked_file_lives();
    renames();
    rename_names();
    renameat2s();
    others();
    return 0;
}
