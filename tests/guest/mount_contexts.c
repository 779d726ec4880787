/* fsopen, fsconfig, fsmount, fspick: file systems that are configured through descriptors. */
#include "mounts.h"
#include <sys/statvfs.h>

CHANGES_THE_MACHINE("the tree of mounts");

static void messages(int fd)
{
    char text[512];
    ssize_t n;

    while ((n = read(fd, text, sizeof(text) - 1)) > 0) {
        text[n] = '\0';
        printf("  says: %s", text);
    }
    printf("  then: %s\n", n ? error_name(errno) : "end");
}

static void opening(void)
{
    char text[8];
    int fd = fsopen("tmpfs", 0), other = fsopen("tmpfs", FSOPEN_CLOEXEC);

    DIE_UNLESS(fd >= 0 && other >= 0);
    printf("flags %x %x, close-on-exec %d %d\n", fcntl(fd, F_GETFL), fcntl(other, F_GETFL),
           fcntl(fd, F_GETFD), fcntl(other, F_GETFD));
    close(other);
    TRY(read(fd, text, sizeof(text)));
    TRY(read(fd, text, 0));
    TRY(write(fd, text, 1));
    TRY(lseek(fd, 0, SEEK_SET));
    close(fd);
    TRY(fsopen("nosuchfs", 0));
    TRY(fsopen("", 0));
    TRY(fsopen((char *)8, 0));
    TRY(fsopen("tmpfs", 2));
    TRY(fspick(AT_FDCWD, "none", 0));
    TRY(fspick(AT_FDCWD, "a", 0));
    TRY(fspick(AT_FDCWD, "", 0));
    TRY(fspick(AT_FDCWD, (char *)8, 0));
    TRY(fspick(AT_FDCWD, "/t", 0x10));
    TRY(fspick(-1, "", FSPICK_EMPTY_PATH));
    TRY(fsmount(-1, 0, 0));
    TRY(fsmount(0, 0, 0));
    TRY(fsmount(0, 2, 0));
    TRY(fsmount(0, 0, 0x100));
    TRY(fsmount(0, 0, 0x30));
    TRY(fsmount(0, 0, MOUNT_ATTR_IDMAP));
}

static void arguments(void)
{
    int fd = fsopen("tmpfs", 0);
    char longest[300];

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    TRY(fsconfig(-1, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    TRY(fsconfig(99, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    TRY(fsconfig(0, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    TRY(fsconfig(fd, 99, NULL, NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, NULL, NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "ro", "x", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL, 1));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, (char *)8, NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, longest, NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "size", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "size", (char *)8, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "size", longest, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "size", "1m", 1));
    TRY(fsconfig(fd, FSCONFIG_SET_BINARY, "size", "1m", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_BINARY, "size", "1m", 0x100001));
    TRY(fsconfig(fd, FSCONFIG_SET_BINARY, "size", (char *)8, 2));
    TRY(fsconfig(fd, FSCONFIG_SET_BINARY, "size", "1m", 2));
    TRY(fsconfig(fd, FSCONFIG_SET_PATH, "size", "", AT_FDCWD));
    TRY(fsconfig(fd, FSCONFIG_SET_PATH, "size", "/", AT_FDCWD));
    TRY(fsconfig(fd, FSCONFIG_SET_PATH, "size", "/", -1));
    TRY(fsconfig(fd, FSCONFIG_SET_PATH_EMPTY, "size", "", AT_FDCWD));
    TRY(fsconfig(fd, FSCONFIG_SET_FD, "size", NULL, 99));
    TRY(fsconfig(fd, FSCONFIG_SET_FD, "size", NULL, -1));
    TRY(fsconfig(fd, FSCONFIG_SET_FD, "source", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_CREATE, "x", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    messages(fd);
    close(fd);
}

static void options(void)
{
    int fd = fsopen("tmpfs", 0);
    char text[4];

    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "source", "mine", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "source", "another", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "nosuchoption", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "nosuchoption", "x", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "size", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "size", "", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "size", "much", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "mode", "9", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "uid", "-5x", 0));
    TRY(read(fd, text, sizeof(text)));
    TRY(read(fd, (char *)8, 500));
    messages(fd);
    for (int i = 0; i < 10; i++) {
        char name[8];

        snprintf(name, sizeof(name), "no%d", i);
        fsconfig(fd, FSCONFIG_SET_FLAG, name, NULL, 0);
    }
    messages(fd);
    close(fd);
}

static void making(void)
{
    struct statvfs s;
    int fd = fsopen("tmpfs", 0), mnt;

    TRY(fsmount(fd, 0, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "source", "mine", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "size", "64k", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "mode", "0750", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "rw", "whatever", 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    mnt = fsmount(fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME);
    DIE_UNLESS(mnt >= 0);
    printf("flags %x, close-on-exec %d\n", fcntl(mnt, F_GETFL), fcntl(mnt, F_GETFD));
    TRY(fsmount(fd, 0, 0));
    close(openat(mnt, "inside", O_CREAT | O_WRONLY, 0600));
    show_table("not mounted", "/t/");
    TRY(move_mount(mnt, "", AT_FDCWD, "a", MOVE_MOUNT_F_EMPTY_PATH));
    show_table("mounted", "/t/");
    close(mnt);
    TRY(access("a/inside", F_OK));
    TRY(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "size", "128k", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    show_table("changed", "/t/");
    messages(fd);
    close(fd);
    fd = fspick(AT_FDCWD, "a", FSPICK_CLOEXEC);
    DIE_UNLESS(fd >= 0);
    printf("flags %x, close-on-exec %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    TRY(fsmount(fd, 0, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "rw", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    TRY(statvfs("a", &s));
    printf("read-only: %d, blocks %u\n", !!(s.f_flag & ST_RDONLY), (unsigned)s.f_blocks);
    mnt = open("a/held", O_CREAT | O_WRONLY, 0600);
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "rw", NULL, 0));
    close(mnt);
    TRY(umount("a"));
    close(fd);
}

static void other_types(void)
{
    int fd = fsopen("proc", 0), mnt;

    TRY(fsconfig(fd, FSCONFIG_SET_FLAG, "nosuchoption", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    mnt = fsmount(fd, 0, MOUNT_ATTR_RDONLY);
    TRY(move_mount(mnt, "", AT_FDCWD, "a", MOVE_MOUNT_F_EMPTY_PATH));
    show_table("proc", "/t/");
    messages(fd);
    close(mnt);
    close(fd);
    TRY(access("a/self", F_OK));
    TRY(umount("a"));
    fd = fsopen("sysfs", 0);
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "x", "y", 0));
    messages(fd);
    close(fd);
    fd = fsopen("devpts", 0); /* one of those that look at all options together */
    TRY(fsconfig(fd, FSCONFIG_SET_BINARY, "mode", "620", 3));
    TRY(fsconfig(fd, FSCONFIG_SET_FD, "mode", NULL, 0));
    TRY(fsconfig(fd, FSCONFIG_SET_PATH, "mode", "/", AT_FDCWD));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "mode", "6,20", 0));
    TRY(fsconfig(fd, FSCONFIG_SET_STRING, "mode", "620", 0));
    TRY(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    mnt = fsmount(fd, 0, 0);
    TRY(move_mount(mnt, "", AT_FDCWD, "a", MOVE_MOUNT_F_EMPTY_PATH));
    messages(fd);
    close(mnt);
    close(fd);
    TRY(access("a/ptmx", F_OK));
    TRY(umount("a"));
}

static void ends(void)
{
    int fd = fsopen("tmpfs", 0), mnt, file;

    TRY(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    mnt = fsmount(fd, 0, 0);
    close(fd);
    file = openat(mnt, "f", O_CREAT | O_RDWR, 0600);
    close(mnt);
    SHOW(write(file, "x", 1));
    close(file);
    fd = fsopen("tmpfs", 0);
    TRY(fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    close(fd);
}

int main(void)
{
    begin();
    DIE_UNLESS(mkdir("a", 0755) == 0);
    opening();
    arguments();
    options();
    making();
    other_types();
    ends();
    end();
    return 0;
}
