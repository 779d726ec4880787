/* The limits of a tmpfs: inodes, names, long symbolic links; and that all is given back. */
#include "guest.h"
#include <sys/mount.h>
#include <sys/statfs.h>

static void show_room(const char *when)
{
    struct statfs s;

    DIE_UNLESS(statfs("m", &s) == 0);
    printf("%s: %ld of %ld inodes free, %ld of %ld blocks\n", when, (long)s.f_ffree,
           (long)s.f_files, (long)s.f_bfree, (long)s.f_blocks);
}

/* How many files in m until it is refused. */
static int fill(void)
{
    char name[32];
    int n = 0, fd;

    for (;; n++) {
        snprintf(name, sizeof(name), "m/file%d", n);
        fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            return n;
        close(fd);
    }
}

static void kinds(void)
{
    int n;

    DIE_UNLESS(mount("none", "m", "tmpfs", 0, "nr_inodes=8,size=16k") == 0);
    show_room("new");
    n = fill();
    printf("files: %d, then %s\n", n, error_name(errno));
    show_room("full");
    TRY(mkdir("m/dir", 0700));
    TRY(symlink("x", "m/link"));
    TRY(mkfifo("m/fifo", 0600));
    TRY(link("m/file0", "m/hard"));
    TRY(open("m", O_TMPFILE | O_RDWR, 0600));
    TRY(rename("m/file0", "m/other"));
    TRY(unlink("m/other"));
    show_room("one gone");
    TRY(link("m/file1", "m/hard"));
    TRY(link("m/file1", "m/harder"));
    TRY(unlink("m/hard"));
    TRY(mkdir("m/dir", 0700));
    TRY(rmdir("m/dir"));
    show_room("again");
    TRY(umount("m"));
}

static void nameless(void)
{
    int fd;

    DIE_UNLESS(mount("none", "m", "tmpfs", 0, "nr_inodes=3") == 0);
    DIE_UNLESS((fd = open("m", O_TMPFILE | O_RDWR, 0600)) >= 0);
    TRY(linkat(AT_FDCWD, "/proc/self/fd/3", AT_FDCWD, "m/named", AT_SYMLINK_FOLLOW));
    TRY(link("m/named", "m/twice"));
    TRY(link("m/named", "m/thrice"));
    close(fd);
    TRY(unlink("m/named"));
    TRY(unlink("m/twice"));
    TRY(umount("m"));
}

static void long_links(void)
{
    char target[200], name[32];
    int n = 0;

    memset(target, 'a', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    DIE_UNLESS(mount("none", "m", "tmpfs", 0, "size=16k") == 0);
    for (;; n++) {
        snprintf(name, sizeof(name), "m/%d", n);
        if (symlink(target, name) < 0)
            break;
    }
    printf("long links: %d, then %s\n", n, error_name(errno));
    TRY(unlink("m/0"));
    target[127] = '\0';
    for (n = 100; n < 200; n++) {
        snprintf(name, sizeof(name), "m/%d", n);
        DIE_UNLESS(symlink(target, name) == 0);
    }
    TRY(umount("m"));
}

static void options(void)
{
    struct statfs s, root;

    DIE_UNLESS(mount("none", "m", "tmpfs", 0, "nr_inodes=2k") == 0);
    DIE_UNLESS(statfs("m", &s) == 0);
    printf("2k: %ld\n", (long)s.f_files);
    TRY(umount("m"));
    TRY(mount("none", "m", "tmpfs", 0, "nr_inodes=many"));
    DIE_UNLESS(mount("none", "m", "tmpfs", 0, "nr_inodes=0") == 0);
    DIE_UNLESS(statfs("m", &s) == 0);
    printf("no limit: %ld %ld\n", (long)s.f_files, (long)s.f_ffree);
    TRY(umount("m"));
    DIE_UNLESS(mount("none", "m", "tmpfs", 0, NULL) == 0);
    DIE_UNLESS(statfs("m", &s) == 0 && statfs("/", &root) == 0);
    printf("as many as pages: %d, half of memory: %d\n", s.f_files == s.f_blocks,
           (long)s.f_blocks * 2 * PAGE <= sysconf(_SC_PHYS_PAGES) * PAGE + 2 * PAGE);
    printf("so has the root: %d\n", root.f_files == root.f_blocks && root.f_files > 0);
    TRY(umount("m"));
}

int main(void)
{
    DIE_UNLESS(mkdir("m", 0755) == 0);
    kinds();
    nameless();
    long_links();
    options();
    return 0;
}
