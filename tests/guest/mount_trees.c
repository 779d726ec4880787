/* open_tree, move_mount and mount_setattr: trees of mounts that descriptors hold, and attributes.
 */
#include "mounts.h"
#include <sys/statvfs.h>

CHANGES_THE_MACHINE("the tree of mounts");

#define MOVE_SET_GROUP 0x100

static void flags_seen(const char *what, int fd)
{
    struct statvfs s;

    DIE_UNLESS(fstatvfs(fd, &s) == 0);
    show_flags(what, &s);
}

static void places(void)
{
    struct stat st;
    int fd = open_tree(AT_FDCWD, "a", OPEN_TREE_CLOEXEC);

    DIE_UNLESS(fd >= 0);
    printf("flags %x, close-on-exec %d\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    TRY(openat(fd, "sub", O_RDONLY | O_DIRECTORY));
    TRY(read(fd, &st, 1));
    TRY(move_mount(fd, "", AT_FDCWD, "b", MOVE_MOUNT_F_EMPTY_PATH));
    close(fd);
    TRY(open_tree(AT_FDCWD, "none", 0));
    TRY(open_tree(AT_FDCWD, (char *)8, 0));
    TRY(open_tree(AT_FDCWD, "", 0));
    TRY(open_tree(AT_FDCWD, "", AT_EMPTY_PATH));
    TRY(open_tree(-1, "a", 0));
    TRY(open_tree(-1, "", AT_EMPTY_PATH));
    TRY(open_tree(AT_FDCWD, "file/x", OPEN_TREE_CLONE));
    TRY(open_tree(AT_FDCWD, "a", AT_RECURSIVE));
    TRY(open_tree(AT_FDCWD, "a", 0x10000));
    TRY(open_tree(AT_FDCWD, "a", O_RDWR));
    TRY(open_tree(AT_FDCWD, "a", AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW));
}

static void copies(void)
{
    int fd, again, inside;

    DIE_UNLESS(mount("in", "a/sub", "tmpfs", 0, NULL) == 0);
    touch("a/sub/deep");
    fd = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE);
    DIE_UNLESS(fd >= 0);
    printf("alone, inside: %s\n", faccessat(fd, "sub/deep", F_OK, 0) ? error_name(errno) : "ok");
    close(fd);
    fd = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE | AT_RECURSIVE);
    DIE_UNLESS(fd >= 0);
    printf("deep, inside: %s\n", faccessat(fd, "sub/deep", F_OK, 0) ? error_name(errno) : "ok");
    show_table("before", "/t");
    TRY(open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE));
    TRY(mount("none", "/proc/self/fd/3/sub", "tmpfs", 0, NULL));
    inside = openat(fd, "sub", O_PATH);
    TRY(move_mount(inside, "", AT_FDCWD, "b", MOVE_MOUNT_F_EMPTY_PATH));
    TRY(move_mount(fd, "", inside, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
    TRY(move_mount(fd, "", AT_FDCWD, "file", MOVE_MOUNT_F_EMPTY_PATH));
    TRY(move_mount(fd, "", AT_FDCWD, "none", MOVE_MOUNT_F_EMPTY_PATH));
    TRY(move_mount(fd, "", AT_FDCWD, "b", 0));
    TRY(move_mount(fd, "", AT_FDCWD, "b", MOVE_MOUNT_F_EMPTY_PATH));
    close(inside);
    show_table("mounted", "/t");
    TRY(move_mount(fd, "", AT_FDCWD, "c", MOVE_MOUNT_F_EMPTY_PATH));
    again = dup(fd);
    close(fd);
    close(again);
    show_table("moved, and the descriptor closed", "/t");
    TRY(umount2("c", MNT_DETACH));
    TRY(move_mount(AT_FDCWD, "a/sub", AT_FDCWD, "b", 0));
    show_table("from the tree", "/t");
    TRY(umount("b"));
}

static void kept_alive(void)
{
    int fd, file;

    DIE_UNLESS(mount("in", "b", "tmpfs", 0, NULL) == 0);
    touch("b/f");
    fd = open_tree(AT_FDCWD, "b", OPEN_TREE_CLONE);
    DIE_UNLESS(fd >= 0);
    TRY(umount("b"));
    file = openat(fd, "f", O_RDWR);
    SHOW(write(file, "x", 1));
    close(fd);
    SHOW(write(file, "x", 1));
    close(file);
    fd = open_tree(AT_FDCWD, "file", OPEN_TREE_CLONE);
    DIE_UNLESS(fd >= 0);
    TRY(move_mount(fd, "", AT_FDCWD, "c", MOVE_MOUNT_F_EMPTY_PATH));
    TRY(move_mount(fd, "", AT_FDCWD, "other", MOVE_MOUNT_F_EMPTY_PATH));
    printf("file over file: %d\n", same_file("file", "other"));
    close(fd);
    TRY(umount("other"));
}

static void moves_refused(void)
{
    TRY(move_mount(AT_FDCWD, "a", AT_FDCWD, "b", 0));
    TRY(move_mount(AT_FDCWD, "none", AT_FDCWD, "b", 0));
    TRY(move_mount(AT_FDCWD, (char *)8, AT_FDCWD, "b", 0));
    TRY(move_mount(AT_FDCWD, "a", AT_FDCWD, (char *)8, 0));
    TRY(move_mount(AT_FDCWD, "a", AT_FDCWD, "b", 0x80));
    TRY(move_mount(AT_FDCWD, "a", AT_FDCWD, "b", 0x1000));
    TRY(move_mount(-1, "a", AT_FDCWD, "b", 0));
    TRY(move_mount(AT_FDCWD, "a", -1, "b", 0));
    TRY(move_mount(AT_FDCWD, "/", AT_FDCWD, "b", 0));
    TRY(mount("x", "b", "tmpfs", 0, NULL));
    DIE_UNLESS(mkdir("b/d", 0755) == 0);
    TRY(move_mount(AT_FDCWD, "b", AT_FDCWD, "b/d", 0));
    TRY(mount(NULL, "b", NULL, MS_SHARED, NULL));
    TRY(mount("y", "b/d", "tmpfs", 0, NULL));
    TRY(move_mount(AT_FDCWD, "b/d", AT_FDCWD, "c", 0));
    TRY(mount("z", "c", "tmpfs", 0, NULL));
    TRY(mount(NULL, "c", NULL, MS_UNBINDABLE, NULL));
    TRY(open_tree(AT_FDCWD, "c", OPEN_TREE_CLONE));
    TRY(move_mount(AT_FDCWD, "c", AT_FDCWD, "b", 0));
    TRY(umount("c"));
    TRY(umount("b/d"));
    TRY(umount("b"));
}

static void groups(void)
{
    TRY(mount("b", "b", NULL, MS_BIND, NULL));
    TRY(mount("b", "c", NULL, MS_BIND, NULL));
    TRY(move_mount(AT_FDCWD, "b", AT_FDCWD, "c", MOVE_SET_GROUP));
    TRY(mount(NULL, "b", NULL, MS_SHARED, NULL));
    TRY(move_mount(AT_FDCWD, "b", AT_FDCWD, "a", MOVE_SET_GROUP));
    TRY(move_mount(AT_FDCWD, "b", AT_FDCWD, "c", MOVE_SET_GROUP));
    TRY(move_mount(AT_FDCWD, "b", AT_FDCWD, "c", MOVE_SET_GROUP));
    show_table("one group", "/t");
    DIE_UNLESS(mkdir("b/d", 0755) == 0);
    TRY(mount("in", "b/d", "tmpfs", 0, NULL));
    show_table("spread", "/t/");
    TRY(umount("b/d"));
    TRY(umount("c"));
    TRY(umount("b"));
}

#define SETATTR(fd, path, flags, set, clear, spread)                                               \
    do {                                                                                           \
        struct mount_attr a_ = {set, clear, spread, 0};                                            \
        printf("set " #set ", clear " #clear ", " #spread ", " #flags ": ");                       \
        printf("%s\n",                                                                             \
               mount_setattr(fd, path, flags, &a_, sizeof(a_)) ? error_name(errno) : "ok");        \
    } while (0)

static void attributes(void)
{
    int fd = open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE), file;

    DIE_UNLESS(fd >= 0);
    flags_seen("copy", fd);
    SETATTR(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, 0);
    flags_seen("set", fd);
    TRY(openat(fd, "new", O_CREAT | O_RDWR, 0600));
    SETATTR(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_NODEV, MOUNT_ATTR_RDONLY, 0);
    flags_seen("cleared", fd);
    file = openat(fd, "new", O_CREAT | O_RDWR, 0600);
    SETATTR(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0);
    close(file);
    SETATTR(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_NOATIME, 0, 0);
    SETATTR(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_NOATIME, MOUNT_ATTR_NOATIME, 0);
    SETATTR(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0);
    flags_seen("noatime", fd);
    SETATTR(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, 0);
    flags_seen("strictatime", fd);
    SETATTR(fd, "", AT_EMPTY_PATH, 0x30, MOUNT_ATTR__ATIME, 0);
    SETATTR(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_NODIRATIME, MOUNT_ATTR__ATIME, 0);
    flags_seen("nodiratime", fd);
    SETATTR(fd, "sub", 0, MOUNT_ATTR_RDONLY, 0, 0);
    SETATTR(fd, "none", 0, MOUNT_ATTR_RDONLY, 0, 0);
    SETATTR(fd, "", 0, MOUNT_ATTR_RDONLY, 0, 0);
    SETATTR(-1, "x", 0, MOUNT_ATTR_RDONLY, 0, 0);
    SETATTR(AT_FDCWD, (char *)8, 0, MOUNT_ATTR_RDONLY, 0, 0);
    SETATTR(AT_FDCWD, (char *)8, 0, 0, 0, 0);
    SETATTR(fd, "", AT_EMPTY_PATH, 0x100, 0, 0);
    SETATTR(fd, "", AT_EMPTY_PATH, 0, 0x100000000ull, 0);
    SETATTR(fd, "", AT_EMPTY_PATH, 0, 0, MS_SHARED | MS_SLAVE);
    SETATTR(fd, "", AT_EMPTY_PATH, 0, 0, MS_REC);
    SETATTR(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_IDMAP, 0, 0);
    SETATTR(fd, "", AT_EMPTY_PATH, 0, MOUNT_ATTR_IDMAP, 0);
    SETATTR(fd, "", AT_EMPTY_PATH | 1, MOUNT_ATTR_RDONLY, 0, 0);
    SETATTR(AT_FDCWD, "/", 0, 0, MOUNT_ATTR_NOEXEC, 0);
    close(fd);
}

static void sizes(void)
{
    char buf[PAGE + 8] = "";
    struct mount_attr *a = (struct mount_attr *)buf;

    a->attr_set = MOUNT_ATTR_NOSUID;
    TRY(mount_setattr(AT_FDCWD, "/t", 0, a, 31));
    TRY(mount_setattr(AT_FDCWD, "/t", 0, a, 0));
    TRY(mount_setattr(AT_FDCWD, "/t", 0, a, PAGE));
    TRY(mount_setattr(AT_FDCWD, "/t", 0, a, PAGE + 1));
    TRY(mount_setattr(AT_FDCWD, "/t", 0, (struct mount_attr *)8, 32));
    buf[40] = 1;
    TRY(mount_setattr(AT_FDCWD, "/t", 0, a, 64));
    TRY(mount_setattr(AT_FDCWD, "/t", 0, a, 32));
}

static void whole_trees(void)
{
    int held;

    TRY(mount("b", "b", NULL, MS_BIND, NULL));
    DIE_UNLESS(mkdir("b/x", 0755) == 0);
    TRY(mount("in", "b/x", "tmpfs", 0, NULL));
    SETATTR(AT_FDCWD, "b", AT_RECURSIVE, MOUNT_ATTR_NOEXEC, 0, MS_SHARED);
    show_table("all", "/t/b");
    held = open("b/x/f", O_CREAT | O_RDWR, 0600);
    SETATTR(AT_FDCWD, "b", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE);
    show_table("all or none", "/t/b");
    close(held);
    SETATTR(AT_FDCWD, "b", 0, MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOEXEC, MS_PRIVATE);
    show_table("one", "/t/b");
    TRY(umount("b/x"));
    TRY(umount("b"));
}

static void as_user(void *unused)
{
    struct mount_attr a = {.attr_set = MOUNT_ATTR_RDONLY};

    (void)unused;
    DIE_UNLESS(setuid(1000) == 0);
    TRY(open_tree(AT_FDCWD, "a", 0));
    TRY(open_tree(AT_FDCWD, "a", OPEN_TREE_CLONE));
    TRY(open_tree(AT_FDCWD, "a", 0x10000));
    TRY(move_mount(AT_FDCWD, "a", AT_FDCWD, "b", 0x1000));
    TRY(mount_setattr(AT_FDCWD, "a", 0, &a, sizeof(a)));
    TRY(mount_setattr(AT_FDCWD, "a", 0, &a, 1));
    TRY(fsopen("tmpfs", 0));
    TRY(fspick(AT_FDCWD, "/t", 0));
    TRY(fsmount(-1, 0, 0));
    TRY(fsconfig(-1, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
}

int main(void)
{
    begin();
    DIE_UNLESS(mkdir("a", 0755) == 0 && mkdir("a/sub", 0755) == 0);
    DIE_UNLESS(mkdir("b", 0755) == 0 && mkdir("c", 0755) == 0);
    touch("file");
    touch("other");
    places();
    copies();
    kept_alive();
    moves_refused();
    groups();
    attributes();
    sizes();
    whole_trees();
    in_child("as a user", as_user, NULL);
    end();
    return 0;
}
