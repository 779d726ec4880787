/* fs.protected_regular and fs.protected_fifos: O_CREAT opens of what others made in a shared
 * directory. */
#include "guest.h"
#include <sys/sysmacros.h>
#include <sys/mount.h>

CHANGES_THE_MACHINE("/proc/sys/fs");

static void set(const char *name, const char *value)
{
    char path[80];

    snprintf(path, sizeof(path), "fs/protected_%s", name);
    printf("%s = %s: %s\n", name, value, put_setting(path, value));
}

static void opens(const char *path)
{
    int fd = open(path, O_CREAT | O_RDWR | O_NONBLOCK, 0600);

    printf("  %s: %s\n", path, fd < 0 ? error_name(errno) : "ok");
    close(fd);
}

static void open_all(void)
{
    opens("reg");
    opens("fifo");
    opens("null");
    opens("mine");
    opens("new");
    unlink("new");
    printf("  without O_CREAT: %s\n",
           access("reg", F_OK) || close(open("reg", O_RDWR)) ? "no" : "ok");
}

static void as_user(void *unused)
{
    (void)unused;
    DIE_UNLESS(setuid(1001) == 0);
    opens("reg");
    opens("fifo");
}

static void with_modes(void)
{
    static const unsigned modes[] = {0777, 01777, 01775, 01755};

    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        DIE_UNLESS(chmod(".", modes[i]) == 0);
        printf(" directory %o\n", modes[i]);
        open_all();
    }
    DIE_UNLESS(chmod(".", 01777) == 0 && chown(".", 1000, 0) == 0);
    printf(" directory of their owner\n");
    open_all();
    DIE_UNLESS(chown(".", 0, 0) == 0);
    in_child("another user", as_user, NULL);
}

int main(void)
{
    DIE_UNLESS(mkdir("/tmp/protected", 0777) == 0 && chdir("/tmp/protected") == 0);
    umask(0);
    printf("as they begin: %ld %ld\n", number_in("/proc/sys/fs/protected_regular"),
           number_in("/proc/sys/fs/protected_fifos"));
    close(make_file("reg", 10));
    close(make_file("mine", 10));
    DIE_UNLESS(mkfifo("fifo", 0666) == 0 && mknod("null", S_IFCHR | 0666, makedev(1, 3)) == 0);
    DIE_UNLESS(chmod("reg", 0666) == 0 && chown("reg", 1000, 0) == 0);
    DIE_UNLESS(chown("fifo", 1000, 0) == 0 && chown("null", 1000, 0) == 0);
    for (int level = 0; level < 3; level++) {
        char text[2] = {'0' + level};

        set("regular", text);
        set("fifos", text);
        with_modes();
    }
    set("regular", "3");
    set("regular", "x");
    set("regular", "0");
    set("fifos", "0");
    return 0;
}
