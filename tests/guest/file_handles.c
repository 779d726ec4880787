/* name_to_handle_at and open_by_handle_at: a file is found by its handle wherever its name went. */
#include "guest.h"
#include <sys/mount.h>

struct handle {
    struct file_handle head;
    unsigned char bytes[128];
};

static int mount_id;

static int take(const char *name, int flags, struct handle *h)
{
    memset(h, 0, sizeof(*h));
    h->head.handle_bytes = 128;
    return name_to_handle_at(AT_FDCWD, name, &h->head, &mount_id, flags);
}

static bool same_file(int fd, const char *name)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && stat(name, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

static void try_open(const char *what, int place, struct handle *h, int flags)
{
    int fd = open_by_handle_at(place, &h->head, flags);

    printf("%s: %s\n", what, fd < 0 ? error_name(errno) : "ok");
    if (fd >= 0)
        close(fd);
}

static void asking(void)
{
    struct handle h = {.head.handle_bytes = 0};

    SHOW(name_to_handle_at(AT_FDCWD, "file", &h.head, &mount_id, 0));
    printf("needs %u, type %d, mount %d\n", h.head.handle_bytes, h.head.handle_type, mount_id > 0);
    h.head.handle_bytes = 11;
    SHOW(name_to_handle_at(AT_FDCWD, "file", &h.head, &mount_id, 0));
    h.head.handle_bytes = 129;
    SHOW(name_to_handle_at(AT_FDCWD, "file", &h.head, &mount_id, 0));
    SHOW(take("file", 0, &h));
    printf("%u bytes, type %d\n", h.head.handle_bytes, h.head.handle_type);
    SHOW(take("none", 0, &h));
    SHOW(take("", 0, &h));
    SHOW(take("", AT_EMPTY_PATH, &h));
    SHOW(take("file", AT_SYMLINK_NOFOLLOW, &h));
    SHOW(take("/proc/self/status", 0, &h));
    SHOW(take("/dev/null", 0, &h));
    SHOW(name_to_handle_at(AT_FDCWD, "file", (void *)16, &mount_id, 0));
    SHOW(name_to_handle_at(AT_FDCWD, "file", &h.head, (void *)16, 0));
    SHOW(name_to_handle_at(AT_FDCWD, (void *)16, &h.head, &mount_id, 0));
    SHOW(name_to_handle_at(0, "file", &h.head, &mount_id, 0));
    SHOW(name_to_handle_at(-1, "file", &h.head, &mount_id, 0));
}

static void opening(void)
{
    struct handle h, dir, link;
    int file = open("file", O_RDONLY), path = open("file", O_PATH), fd;

    take("file", 0, &h);
    take("dir", 0, &dir);
    take("link", 0, &link);
    try_open("from here", AT_FDCWD, &h, O_RDWR);
    try_open("from a file", file, &h, O_WRONLY);
    try_open("from a path", path, &h, O_RDONLY);
    try_open("from nothing", -1, &h, O_RDONLY);
    try_open("from another file system", 0, &h, O_RDONLY);
    try_open("creating", AT_FDCWD, &h, O_RDWR | O_CREAT);
    try_open("as a directory", AT_FDCWD, &h, O_RDONLY | O_DIRECTORY);
    try_open("a directory", AT_FDCWD, &dir, O_RDONLY | O_DIRECTORY);
    try_open("a directory to write", AT_FDCWD, &dir, O_RDWR);
    try_open("a link", AT_FDCWD, &link, O_RDONLY);
    try_open("a link as a path", AT_FDCWD, &link, O_PATH);
    SHOW(take("link", AT_SYMLINK_FOLLOW, &link));
    printf("followed: %d\n", memcmp(link.bytes, h.bytes, 12) == 0);
    rename("file", "dir/moved");
    fd = open_by_handle_at(AT_FDCWD, &h.head, O_RDONLY);
    printf("moved: %d\n", same_file(fd, "dir/moved"));
    close(fd);
    link.head.handle_type = 99;
    try_open("of another type", AT_FDCWD, &link, O_RDONLY);
    link = h;
    link.head.handle_bytes = 8;
    try_open("cut short", AT_FDCWD, &link, O_RDONLY);
    link.head.handle_bytes = 0;
    try_open("empty", AT_FDCWD, &link, O_RDONLY);
    link.head.handle_bytes = 129;
    try_open("too long", AT_FDCWD, &link, O_RDONLY);
    SHOW(open_by_handle_at(AT_FDCWD, (void *)16, O_RDONLY));
    close(file);
    close(path);
    unlink("dir/moved");
    try_open("removed", AT_FDCWD, &h, O_RDONLY);
}

/* Many names, of which the first made is the last one comes to. */
static void many(void)
{
    struct handle first;
    char name[20];
    int fd, missed = 0;

    for (int i = 0; i < 1500; i++) {
        snprintf(name, sizeof(name), "dir/%d", i);
        close(open(name, O_CREAT | O_RDWR, 0600));
        if (i == 0)
            take(name, 0, &first);
    }
    for (int i = 0; i < 20; i++) {
        fd = open_by_handle_at(AT_FDCWD, &first.head, O_RDONLY);
        missed += !same_file(fd, "dir/0");
        close(fd);
    }
    printf("missed %d\n", missed);
    mkdir("dir/over", 0700);
    close(open("dir/over/below", O_CREAT | O_RDWR, 0600));
    take("dir/over/below", 0, &first);
    SHOW(mount("none", "dir/over", "tmpfs", 0, NULL));
    try_open("below a mount", AT_FDCWD, &first, O_RDONLY);
    SHOW(umount("dir/over"));
}

static void as_user(void *arg)
{
    struct handle h;

    (void)arg;
    DIE_UNLESS(setuid(1000) == 0);
    SHOW(take("dir", 0, &h));
    try_open("as a user", AT_FDCWD, &h, O_RDONLY);
    try_open("as a user, from nothing", -1, &h, O_RDONLY);
}

int main(void)
{
    close(open("file", O_CREAT | O_RDWR, 0600));
    mkdir("dir", 0755);
    symlink("file", "link");
    asking();
    opening();
    many();
    in_child("user", as_user, NULL);
    return 0;
}
