/* Extended attributes of users, which Linux's tmpfs has since 6.6; and that they cannot eat memory:
 * they are charged to the file system. */
#include "guest.h"
#include <sys/mount.h>
#include <sys/xattr.h>

static char value[65536];

static void user_names(void *arg)
{
    char got[10];

    (void)arg;
    DIE_UNLESS(setuid(1000) == 0);
    close(open("m/own", O_CREAT | O_RDWR, 0644));
    symlink("own", "m/link");
    mkfifo("m/fifo", 0666);
    SHOW(setxattr("m/own", "user.a", "abc", 3, 0));
    SHOW(getxattr("m/own", "user.a", got, 10));
    SHOW(lsetxattr("m/link", "user.a", "abc", 3, 0));
    SHOW(lgetxattr("m/link", "user.a", got, 10));
    SHOW(setxattr("m/fifo", "user.a", "abc", 3, 0));
    SHOW(setxattr("m", "user.a", "abc", 3, 0));
    SHOW(setxattr("m/root", "user.a", "abc", 3, 0));
    SHOW(getxattr("m/root", "user.a", got, 10));
    SHOW(setxattr("m/own", "security.x", "abc", 3, 0));
    SHOW(removexattr("m/own", "user.a"));
}

int main(void)
{
    char name[40];
    int n = 0;

    DIE_UNLESS(mkdir("m", 0777) == 0);
    DIE_UNLESS(mount("none", "m", "tmpfs", 0, "size=1m") == 0);
    close(open("m/root", O_CREAT | O_RDWR, 0644));
    in_child("user", user_names, NULL);
    for (; n < 1000; n++) {
        snprintf(name, sizeof(name), "user.%d", n);
        if (setxattr("m/root", name, value, sizeof(value), 0) < 0)
            break;
    }
    printf("attributes of 64 KiB in 1 MiB: %s\n",
           n > 10 && n <= 16 ? "what there is room for" : "?");
    printf("then: %s\n", error_name(errno));
    DIE_UNLESS(unlink("m/root") == 0);
    close(open("m/again", O_CREAT | O_RDWR, 0644));
    SHOW(setxattr("m/again", "user.x", value, sizeof(value), 0));
    for (n = 0; n < 1000; n++) {
        snprintf(name, sizeof(name), "user.%d", n);
        if (setxattr("m/again", name, "", 0, 0) < 0)
            break;
    }
    printf("small ones are charged, too: %d\n", n < 300);
    SHOW(umount("m"));
    return 0;
}
