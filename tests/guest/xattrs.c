/* Extended attributes: sizes, flags, lists, errors, who may; capabilities of files. Only names that
 * every Linux has on tmpfs: trusted and security. */
#include "guest.h"
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

static char value[70000];

static void basics(void)
{
    char got[100];

    close(open("f", O_CREAT | O_RDWR, 0644));
    SHOW(getxattr("f", "trusted.a", got, sizeof(got)));
    SHOW(setxattr("f", "trusted.a", "hello", 5, 0));
    SHOW(getxattr("f", "trusted.a", got, sizeof(got)));
    printf("%.5s\n", got);
    SHOW(getxattr("f", "trusted.a", NULL, 0));
    SHOW(getxattr("f", "trusted.a", got, 4));
    SHOW(getxattr("f", "trusted.a", (void *)16, 5));
    SHOW(setxattr("f", "trusted.a", "again", 5, XATTR_CREATE));
    SHOW(setxattr("f", "trusted.b", "again", 5, XATTR_REPLACE));
    SHOW(setxattr("f", "trusted.a", "longer than", 11, XATTR_REPLACE));
    SHOW(getxattr("f", "trusted.a", got, sizeof(got)));
    SHOW(setxattr("f", "trusted.a", "x", 1, 4));
    SHOW(setxattr("f", "trusted.empty", NULL, 0, XATTR_CREATE));
    SHOW(getxattr("f", "trusted.empty", got, sizeof(got)));
    SHOW(removexattr("f", "trusted.empty"));
    SHOW(removexattr("f", "trusted.empty"));
    SHOW(setxattr("f", "trusted.a", (void *)16, 5, 0));
    SHOW(setxattr("f", "", "x", 1, 0));
    SHOW(setxattr("f", (void *)16, "x", 1, 0));
    SHOW(setxattr("f", "nothing", "x", 1, 0));
    SHOW(setxattr("f", "nothing.such", "x", 1, 0));
    SHOW(getxattr("f", "nothing.such", got, 10));
    SHOW(setxattr("f", "trusted.", "x", 1, 0));
    SHOW(setxattr("none", "trusted.a", "x", 1, 0));
    SHOW(setxattr("f", "trusted.a", value, 65537, 0));
    memset(value, 'n', 300);
    memcpy(value, "trusted.", 8);
    SHOW(setxattr("f", value, "x", 1, 0));
    value[255] = '\0';
    SHOW(setxattr("f", value, "x", 1, 0));
    SHOW(removexattr("f", value));
}

static void by_descriptor(void)
{
    int fd = open("f", O_RDONLY), path = open("f", O_PATH);
    char got[10];

    SHOW(fsetxattr(fd, "trusted.fd", "1", 1, 0));
    SHOW(fgetxattr(fd, "trusted.fd", got, 10));
    SHOW(fremovexattr(fd, "trusted.fd"));
    SHOW(fsetxattr(99, "trusted.fd", "1", 1, 0));
    SHOW(fgetxattr(99, "", got, 10));
    SHOW(fgetxattr(path, "trusted.a", got, 10));
    SHOW(flistxattr(99, got, 10));
    close(fd);
    close(path);
}

/* Whether the names are among those listed, since security modules add their own. */
static int listed(const char *path, const char *name)
{
    char names[1000];
    ssize_t n = listxattr(path, names, sizeof(names));

    for (char *p = names; n > 0 && p < names + n; p += strlen(p) + 1)
        if (strcmp(p, name) == 0)
            return 1;
    return 0;
}

static void lists(void)
{
    char names[1000];
    ssize_t all = listxattr("f", NULL, 0);

    printf("listed: %d %d\n", listed("f", "trusted.a"), listed("f", "trusted.b"));
    SHOW(setxattr("f", "trusted.second", "x", 1, 0));
    printf("longer by %zd\n", listxattr("f", NULL, 0) - all);
    SHOW(listxattr("f", names, 3));
    SHOW(listxattr("none", names, 3));
    SHOW(removexattr("f", "trusted.second"));
    printf("back: %d\n", listxattr("f", NULL, 0) == all);
}

static void links_and_others(void)
{
    char got[10];

    symlink("f", "link");
    symlink("nowhere", "dangling");
    mkdir("dir", 0755);
    mkfifo("fifo", 0644);
    SHOW(lsetxattr("link", "trusted.l", "x", 1, 0));
    SHOW(lgetxattr("link", "trusted.l", got, 10));
    SHOW(getxattr("link", "trusted.l", got, 10));
    SHOW(getxattr("link", "trusted.a", got, 10) > 0);
    SHOW(setxattr("dangling", "trusted.l", "x", 1, 0));
    SHOW(setxattr("dir", "trusted.d", "x", 1, 0));
    SHOW(setxattr("fifo", "trusted.d", "x", 1, 0));
    SHOW(lremovexattr("link", "trusted.l"));
    SHOW(rename("f", "g"));
    SHOW(getxattr("g", "trusted.a", NULL, 0));
    SHOW(rename("g", "f"));
}

static void times(void)
{
    struct stat before, after;

    stat("f", &before);
    usleep(20000);
    setxattr("f", "trusted.t", "x", 1, 0);
    stat("f", &after);
    printf("ctime moves: %d, mtime stands: %d\n",
           memcmp(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim)) != 0,
           memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)) == 0);
    removexattr("f", "trusted.t");
}

static void as_user(void *arg)
{
    char got[10];

    (void)arg;
    DIE_UNLESS(setuid(1000) == 0);
    SHOW(getxattr("f", "trusted.a", got, 10));
    SHOW(setxattr("f", "trusted.a", "x", 1, 0));
    SHOW(removexattr("f", "trusted.a"));
    SHOW(getxattr("f", "security.shown", got, 10));
    printf("listed: trusted %d, security %d\n", listed("f", "trusted.a"),
           listed("f", "security.shown"));
}

/* ---- Capabilities of files ---- */

static void show_caps(void)
{
    char line[200];
    FILE *f = fopen("/proc/self/status", "r");

    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "CapPrm", 6) == 0 || strncmp(line, "CapEff", 6) == 0)
            printf("%s", line);
    fclose(f);
}

static void run_program(void *arg)
{
    DIE_UNLESS(setuid(1000) == 0);
    if (arg)
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    execl("./program", "program", "shown", NULL);
    printf("exec: %s\n", error_name(errno));
}

static void copy_self(void)
{
    char buf[4096];
    int in = open("/proc/self/exe", O_RDONLY), out = open("program", O_CREAT | O_WRONLY, 0755);
    ssize_t n;

    while ((n = read(in, buf, sizeof(buf))) > 0)
        DIE_UNLESS(write(out, buf, (size_t)n) == n);
    close(in);
    close(out);
    chmod(".", 0755);
}

static void file_caps(void)
{
    struct vfs_cap_data d = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                             .data[0].permitted = 1 << CAP_KILL | 1 << CAP_CHOWN};
    char got[40];
    int fd;

    copy_self();
    SHOW(setxattr("program", "security.capability", &d, 12, 0));
    SHOW(setxattr("program", "security.capability", "x", 1, 0));
    SHOW(setxattr("program", "security.capability", &d, sizeof(d), 0));
    SHOW(getxattr("program", "security.capability", got, sizeof(got)));
    in_child("with capabilities", run_program, NULL);
    in_child("with no_new_privs", run_program, "");
    d.magic_etc = VFS_CAP_REVISION_2;
    SHOW(setxattr("program", "security.capability", &d, sizeof(d), 0));
    in_child("not in effect", run_program, NULL);
    fd = open("program", O_WRONLY | O_APPEND);
    DIE_UNLESS(write(fd, "", 1) == 1);
    close(fd);
    SHOW(getxattr("program", "security.capability", got, sizeof(got)));
    in_child("after a write", run_program, NULL);
    SHOW(setxattr("program", "security.capability", &d, sizeof(d), 0));
    chown("program", 0, 0);
    SHOW(getxattr("program", "security.capability", got, sizeof(got)));
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        show_caps();
        return 0;
    }
    basics();
    by_descriptor();
    lists();
    links_and_others();
    times();
    SHOW(setxattr("f", "security.shown", "abc", 3, 0));
    in_child("user", as_user, NULL);
    file_caps();
    return 0;
}
