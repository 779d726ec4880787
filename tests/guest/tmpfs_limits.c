/* What tmpfs takes as options, and limits that change under what is there. */
#include "guest.h"
#include <sys/mount.h>
#include <sys/statfs.h>

CHANGES_THE_MACHINE("a file system more");

static void show(const char *options)
{
    struct statfs fs;
    struct stat st;

    errno = 0;
    printf("\"%s\": %s", options,
           mount("t", "place", "tmpfs", 0, options) < 0 ? error_name(errno) : "ok");
    if (errno == 0) {
        DIE_UNLESS(statfs("place", &fs) == 0 && stat("place", &st) == 0);
        printf(", mode %o, owner %d %d", st.st_mode & 07777, st.st_uid, st.st_gid);
        if (fs.f_blocks < 1000)
            printf(", %d blocks", (int)fs.f_blocks);
        if (fs.f_files < 1000)
            printf(", %d files", (int)fs.f_files);
        DIE_UNLESS(umount("place") == 0);
    }
    puts("");
}

static void options(void)
{
    static const char *const all[] = {"",
                                      "size=1m",
                                      "size=1M,nr_inodes=5",
                                      "nr_blocks=3",
                                      "nr_blocks=1k",
                                      "size=",
                                      "size=junk",
                                      "size",
                                      "size=4k,unknown",
                                      "unknown=1",
                                      "mode=700",
                                      "uid=5,gid=6",
                                      "mode=8",
                                      "uid=x",
                                      "huge=never",
                                      "inode32",
                                      "size=4k,,gid=1",
                                      ",",
                                      "nr_inodes=",
                                      "mode=0755,mode=0700"};

    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        show(all[i]);
}

static void fill(int fd)
{
    static char page[PAGE];

    errno = 0;
    while (write(fd, page, PAGE) == PAGE)
        ;
    printf("%s", error_name(errno));
    printf(" at %ld\n", (long)lseek(fd, 0, SEEK_CUR));
}

static int remount(const char *options)
{
    return mount(NULL, "place", NULL, MS_REMOUNT, options);
}

static void limits(void)
{
    int fd;

    DIE_UNLESS(mount("t", "place", "tmpfs", 0, "size=64k,nr_inodes=6") == 0);
    fd = open("place/file", O_CREAT | O_RDWR, 0600);
    fill(fd);
    SHOW(remount("size=32k"));
    SHOW(remount("size=64k"));
    SHOW(remount("size=128k"));
    fill(fd);
    SHOW(ftruncate(fd, PAGE));
    SHOW(remount("size=32k"));
    SHOW(remount("nr_inodes=1"));
    SHOW(remount("nr_inodes=2"));
    SHOW(open("place/more", O_CREAT, 0600));
    SHOW(remount("nr_inodes=3"));
    SHOW(close(open("place/more", O_CREAT, 0600)));
    SHOW(remount("unknown"));
    SHOW(remount("size=x"));
    SHOW(remount("size=0"));
    SHOW(remount("size=1m"));
    SHOW(remount("mode=700,uid=5"));
    SHOW(remount(NULL));
    SHOW(remount(""));
    close(fd);
    SHOW(umount("place"));
}

int main(void)
{
    DIE_UNLESS(mkdir("place", 0755) == 0);
    options();
    limits();
    return 0;
}
