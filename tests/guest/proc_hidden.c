/* hidepid=, gid= and subset= of /proc: what of others' processes is seen, by whom. */
#include "guest.h"
#include <dirent.h>
#include <grp.h>
#include <sys/mount.h>

CHANGES_THE_MACHINE("the tree of mounts");

#define NOBODY 65534

static char self[32], parent[32];

static void show(const char *what, const char *path)
{
    struct stat st;
    char buf[64];
    int fd;

    printf("%s:", what);
    printf(" stat %s,", stat(path, &st) ? error_name(errno) : "ok");
    printf(" access %s,", access(path, X_OK) ? error_name(errno) : "ok");
    fd = open(path, O_RDONLY | O_DIRECTORY);
    printf(" open %s,", fd < 0 ? error_name(errno) : "ok");
    close(fd);
    snprintf(buf, sizeof(buf), "%s/status", path);
    fd = open(buf, O_RDONLY);
    printf(" status %s,", fd < 0 ? error_name(errno) : read(fd, buf, 1) == 1 ? "read" : "not read");
    close(fd);
    snprintf(buf, sizeof(buf), "%s/none", path);
    printf(" none %s\n", access(buf, F_OK) ? error_name(errno) : "ok");
}

/* Which of the names are in the directory. */
static void list(void)
{
    static const char *const names[] = {"self", "thread-self", "mounts", "sys", "uptime"};
    bool seen[5] = {false}, own = false, others = false;
    struct dirent *e;
    DIR *d = opendir("p");

    if (!d) {
        printf("list: %s\n", error_name(errno));
        return;
    }
    while ((e = readdir(d))) {
        for (int i = 0; i < 5; i++)
            seen[i] |= !strcmp(e->d_name, names[i]);
        own |= !strcmp(e->d_name, self + 2);
        others |= !strcmp(e->d_name, parent + 2);
    }
    closedir(d);
    printf("list:%s%s", own ? " own" : "", others ? " parent" : "");
    for (int i = 0; i < 5; i++)
        printf("%s%s", seen[i] ? " " : "", seen[i] ? names[i] : "");
    puts("");
}

static void look(void)
{
    snprintf(self, sizeof(self), "p/%d", getpid());
    show("own", self);
    show("parent", parent);
    printf("uptime %s, setting %s\n", access("p/uptime", R_OK) ? error_name(errno) : "ok",
           access("p/sys/kernel/ostype", R_OK) ? error_name(errno) : "ok");
    list();
}

static void by_nobody(void *arg)
{
    gid_t group = 77;

    DIE_UNLESS(setgroups(arg != NULL, &group) == 0);
    DIE_UNLESS(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
    look();
}

/* The options as /proc/mounts shows them. */
static void show_options(void)
{
    char line[256], dir[128], *at;
    FILE *f = fopen("/proc/self/mounts", "r");

    getcwd(dir, sizeof(dir) - 2);
    strcat(dir, "/p ");
    while (fgets(line, sizeof(line), f))
        if ((at = strstr(line, dir)))
            printf("shown: %s", at + strlen(dir));
    fclose(f);
}

static void with(const char *given)
{
    printf("-- %s\n", given);
    if (mount("proc", "p", "proc", 0, given)) {
        printf("mount: %s\n", error_name(errno));
        return;
    }
    show_options();
    in_child("nobody", by_nobody, NULL);
    umount("p");
}

int main(void)
{
    static const char *const wrong[] = {"hidepid=3",
                                        "hidepid=5",
                                        "hidepid=x",
                                        "hidepid",
                                        "hidepid=",
                                        "gid=x",
                                        "gid=",
                                        "subset=all",
                                        "subset=",
                                        "nothing",
                                        "hidepid=02",
                                        "hidepid=-1",
                                        "hidepid=1,hidepid=off"};

    mkdir("p", 0755);
    snprintf(parent, sizeof(parent), "p/%d", getpid());
    with("hidepid=0");
    with("hidepid=1");
    with("hidepid=2");
    with("hidepid=4");
    with("hidepid=invisible");
    with("hidepid=noaccess,gid=77");
    with("subset=pid");
    for (int i = 0; i < 13; i++)
        with(wrong[i]);
    printf("-- others\n");
    SHOW(mount("proc", "p", "proc", 0, "hidepid=ptraceable,gid=77,subset=pid"));
    show_options();
    in_child("one of the group", by_nobody, "");
    SHOW(mount("proc", "p", NULL, MS_REMOUNT, "hidepid=2"));
    show_options();
    in_child("one of the group", by_nobody, "");
    in_child("nobody", by_nobody, NULL);
    SHOW(mount("proc", "p", NULL, MS_REMOUNT, "hidepid=7"));
    SHOW(mount("proc", "p", NULL, MS_REMOUNT, NULL));
    show_options();
    printf("-- root\n");
    look();
    umount("p");
    return 0;
}
