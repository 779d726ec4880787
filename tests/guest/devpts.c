/* devpts: mounting, options, what is in it and what may be done with it, limits, unmounting. */
#include "pty.h"
#include <dirent.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

CHANGES_THE_MACHINE("/proc/sys/kernel/pty");

static void show_mode(const char *path)
{
    struct stat st;

    if (stat(path, &st))
        printf("%s: %s\n", path, error_name(errno));
    else
        printf("%s: mode %o, owner %d:%d, inode %d, device %d:%d, links %d\n", path, st.st_mode,
               (int)st.st_uid, (int)st.st_gid, (int)st.st_ino, (int)major(st.st_rdev),
               (int)minor(st.st_rdev), (int)st.st_nlink);
}

/* The options of the mount on pts, as /proc/mounts has them. */
static void show_options(void)
{
    char line[300];
    FILE *f = fopen("/proc/mounts", "r");

    while (f && fgets(line, sizeof(line), f)) {
        char *type = strstr(line, "/pts devpts ");
        if (type && !strstr(line, "/dev/pts"))
            printf("options: %s", type + 12);
    }
    fclose(f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_directory(const char *path)
{
    char *names[50];
    struct dirent *e;
    DIR *d = opendir(path);
    int n = 0;

    while (d && n < 50 && (e = readdir(d)))
        names[n++] = strdup(e->d_name);
    closedir(d);
    qsort(names, n, sizeof(*names), by_name);
    printf("%s:", path);
    for (int i = 0; i < n; i++)
        printf(" %s", names[i]);
    printf("\n");
}

static void try_mount(const char *options)
{
    printf("mount \"%s\": ", options);
    if (mount("devpts", "pts", "devpts", 0, options) < 0) {
        printf("%s\n", error_name(errno));
        return;
    }
    printf("ok\n");
    show_options();
    umount("pts");
}

static void options(void)
{
    static const char *const tried[] = {
        "",         "mode=620",     "mode=99",      "mode=",     "mode",
        "gid=5",    "gid=x",        "uid=7,gid=8",  "max=3",     "max=0",
        "max=-1",   "max=1048576",  "max=1048577",  "max=1x",    "newinstance",
        "ptmxmode", "ptmxmode=666", "nosuchoption", "mode=600,", ",,mode=7,,gid=1",
    };

    for (unsigned i = 0; i < sizeof(tried) / sizeof(tried[0]); i++)
        try_mount(tried[i]);
}

static void contents(void)
{
    struct statfs sf;
    int master, other, n, slave, zero = 0;

    SHOW(mount("devpts", "pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666"));
    show_mode("pts");
    show_mode("pts/ptmx");
    list_directory("pts");
    SHOW(statfs("pts", &sf));
    printf("type %lx, block %ld, name %ld\n", (long)sf.f_type, (long)sf.f_bsize,
           (long)sf.f_namelen);
    master = open("pts/ptmx", O_RDWR | O_NOCTTY);
    DIE_UNLESS(master >= 0);
    SHOW(ioctl(master, TIOCGPTN, &n));
    printf("numbers of its own: %d\n", n);
    other = open("pts/ptmx", O_RDWR | O_NOCTTY);
    list_directory("pts");
    show_mode("pts/0");
    ioctl(master, TIOCSPTLCK, &zero);
    slave = open("pts/0", O_RDWR | O_NOCTTY);
    printf("slave %s\n", slave >= 0 ? "opens" : error_name(errno));
    SHOW(umount("pts"));
    SHOW(mount("devpts", "pts", "devpts", MS_REMOUNT, "mode=666,max=2"));
    show_options();
    show_mode("pts/ptmx");
    show_mode("pts/0");
    SHOW(open("pts/ptmx", O_RDWR));
    SHOW(mount("devpts", "pts", "devpts", MS_REMOUNT, "mode=6x"));
    close(other);
    list_directory("pts");

    SHOW(open("pts/file", O_RDWR | O_CREAT, 0600));
    SHOW(mkdir("pts/dir", 0700));
    SHOW(mknod("pts/node", S_IFCHR | 0600, makedev(136, 0)));
    SHOW(symlink("x", "pts/link"));
    SHOW(link("pts/0", "pts/1"));
    SHOW(unlink("pts/0"));
    SHOW(unlink("pts/9"));
    SHOW(rename("pts/0", "pts/9"));
    SHOW(rmdir("pts/0"));
    SHOW(truncate("pts/0", 0));
    SHOW(chmod("pts/0", 0640));
    SHOW(chown("pts/0", 12, 13));
    show_mode("pts/0");
    close(slave);
    close(master);
    list_directory("pts");
    SHOW(umount("pts"));
}

/* Elsewhere: a node beside no devpts, one of a slave that is nowhere mounted, an open master. */
static void elsewhere(void)
{
    int master, n, zero = 0;
    struct stat st;
    char c;

    SHOW(mknod("ptmx", S_IFCHR | 0666, makedev(5, 2)));
    SHOW(open("ptmx", O_RDWR));
    SHOW(mknod("slave", S_IFCHR | 0666, makedev(136, 0)));
    SHOW(open("slave", O_RDWR | O_NOCTTY));
    SHOW(mknod("far", S_IFCHR | 0666, makedev(136, 70000)));
    stat("slave", &st);
    printf("slave: %d:%d\n", (int)major(st.st_rdev), (int)minor(st.st_rdev));
    SHOW(mount("devpts", "pts", "devpts", 0, "ptmxmode=666"));
    master = open("ptmx", O_RDWR | O_NOCTTY);
    SHOW(ioctl(master, TIOCGPTN, &n));
    printf("beside pts: number %d\n", n);
    SHOW(open("slave", O_RDWR | O_NOCTTY));
    ioctl(master, TIOCSPTLCK, &zero);
    SHOW(umount("pts"));
    SHOW(write(master, "a\n", 2));
    SHOW(read(master, &c, 1));
    close(master);
    SHOW(open("ptmx", O_RDWR));
    stat("far", &st);
    printf("minor %d\n", (int)minor(st.st_rdev));
}

static void limit(int value, const char *name)
{
    char path[60], text[20];
    int fd, n;

    sprintf(path, "/proc/sys/kernel/pty/%s", name);
    fd = open(path, O_WRONLY);
    n = sprintf(text, "%d\n", value);
    printf("%s = %d: %s\n", name, value, write(fd, text, n) == n ? "ok" : error_name(errno));
    close(fd);
}

static int setting(const char *name)
{
    return number_in("/proc/sys/kernel/pty/%s", name);
}

static void limits(void)
{
    int old = setting("max"), before = setting("nr"), fds[4];

    printf("max %d, reserve %d\n", old, setting("reserve"));
    limit(-1, "max");
    SHOW(open("/proc/sys/kernel/pty/nr", O_WRONLY) >= 0 && getuid());
    limit(before + 3, "max");
    for (int i = 0; i < 4; i++) {
        fds[i] = open("/dev/ptmx", O_RDWR | O_NOCTTY);
        printf("open: %s, in use %d\n", fds[i] >= 0 ? "ok" : error_name(errno),
               setting("nr") - before);
    }
    limit(old, "max");
    for (int i = 0; i < 4; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    usleep(100000);
    printf("in use %d\n", setting("nr") - before);
}

int main(void)
{
    mkdir("pts", 0700);
    options();
    contents();
    elsewhere();
    limits();
    return 0;
}
