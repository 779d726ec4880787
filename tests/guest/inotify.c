/* inotify: every event, masks, one-shot, moves, ends, overflow, limits, errors, blocking. */
#include "guest.h"
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <utime.h>

CHANGES_THE_MACHINE("/proc/sys/fs/inotify");

static int in;
static uint32_t cookies[64];
static int cookie_count;

/* Cookies by the order in which they first come. */
static int cookie_number(uint32_t cookie)
{
    if (!cookie)
        return 0;
    for (int i = 0; i < cookie_count; i++)
        if (cookies[i] == cookie)
            return i + 1;
    cookies[cookie_count++ % 64] = cookie;
    return cookie_count;
}

static void show(const char *what)
{
    static const char *const names[] = {"access", "modify",  "attrib",      "close_write",
                                        "close",  "open",    "moved_from",  "moved_to",
                                        "create", "delete",  "delete_self", "move_self",
                                        "?",      "unmount", "overflow",    "ignored"};
    char buf[4096] __attribute__((aligned(8)));
    ssize_t n;

    printf("%s:\n", what);
    while ((n = read(in, buf, sizeof(buf))) > 0)
        for (char *p = buf; p < buf + n;) {
            struct inotify_event *e = (struct inotify_event *)p;

            printf("  wd %d", e->wd);
            for (int i = 0; i < 16; i++)
                if (e->mask & 1u << i)
                    printf(" %s", names[i]);
            if (e->mask & IN_ISDIR)
                printf(" isdir");
            if (e->cookie)
                printf(" cookie %d", cookie_number(e->cookie));
            if (e->len)
                printf(" %s (%u)", e->name, e->len);
            printf("\n");
            p += sizeof(*e) + e->len;
        }
}

static void touch(const char *name)
{
    close(open(name, O_CREAT | O_WRONLY, 0644));
}

static void put(const char *name, const char *text, int flags)
{
    int fd = open(name, O_WRONLY | flags);

    write(fd, text, strlen(text));
    close(fd);
}

static void files(void)
{
    char c;
    int fd;

    mkdir("d", 0755);
    SHOW(inotify_add_watch(in, "d", IN_ALL_EVENTS));
    touch("d/file");
    show("create");
    put("d/file", "text", 0);
    show("write");
    fd = open("d/file", O_RDONLY);
    read(fd, &c, 1);
    read(fd, &c, 1);
    pread(fd, &c, 1, 100);
    close(fd);
    show("read");
    SHOW(inotify_add_watch(in, "d/file", IN_ALL_EVENTS));
    put("d/file", "more", O_TRUNC);
    show("both watch");
    chmod("d/file", 0600);
    chown("d/file", -1, -1);
    chown("d/file", 0, 0);
    truncate("d/file", 2);
    utime("d/file", NULL);
    show("attributes");
    struct timespec one[2] = {{0, UTIME_OMIT}, {5, 0}}, other[2] = {{5, 0}, {0, UTIME_OMIT}};
    utimensat(AT_FDCWD, "d/file", one, 0);
    utimensat(AT_FDCWD, "d/file", other, 0);
    show("one time alone");
    link("d/file", "d/link");
    symlink("file", "d/symlink");
    mknod("d/node", S_IFIFO | 0600, 0);
    mkdir("d/dir", 0755);
    show("names");
    unlink("d/link");
    unlink("d/symlink");
    unlink("d/node");
    rmdir("d/dir");
    show("gone");
    fd = open("d/file", O_RDWR);
    ftruncate(fd, 10);
    fchmod(fd, 0644);
    unlink("d/file");
    show("unlinked");
    write(fd, "x", 1);
    close(fd);
    show("the last close");
    SHOW(rmdir("d"));
    show("the directory");
}

static void unused_file(void)
{
    mkdir("d", 0755);
    touch("d/file");
    SHOW(inotify_add_watch(in, "d", IN_DELETE | IN_DELETE_SELF | IN_ATTRIB));
    SHOW(inotify_add_watch(in, "d/file", IN_ALL_EVENTS));
    unlink("d/file");
    show("nobody has it open");
    mkdir("d/sub", 0755);
    SHOW(inotify_add_watch(in, "d/sub", IN_ALL_EVENTS));
    rmdir("d/sub");
    show("a directory below");
    rmdir("d");
    show("itself");
}

static void moves(void)
{
    mkdir("d", 0755);
    mkdir("e", 0755);
    touch("d/a");
    touch("e/b");
    SHOW(inotify_add_watch(in, "d", IN_MOVE | IN_DELETE | IN_MOVE_SELF));
    SHOW(inotify_add_watch(in, "e", IN_MOVE | IN_DELETE | IN_MOVE_SELF));
    SHOW(inotify_add_watch(in, "d/a", IN_ALL_EVENTS));
    SHOW(inotify_add_watch(in, "e/b", IN_ALL_EVENTS));
    rename("d/a", "d/c");
    show("within");
    rename("d/c", "e/c");
    show("across");
    rename("e/c", "e/b");
    show("over another");
    rename("d", "f");
    show("a directory");
    touch("f/x");
    renameat2(AT_FDCWD, "f/x", AT_FDCWD, "e/b", RENAME_EXCHANGE);
    show("exchange");
    SHOW(inotify_add_watch(in, "e/a-name-that-is-not-there", IN_OPEN));
    unlink("e/b");
    unlink("f/x");
    rmdir("e");
    rmdir("f");
    show("ends");
}

static void directories(void)
{
    char buf[1000];
    int fd;

    mkdir("d", 0755);
    mkdir("d/sub", 0755);
    SHOW(inotify_add_watch(in, "d", IN_ALL_EVENTS));
    fd = open("d", O_RDONLY);
    syscall(SYS_getdents64, fd, buf, sizeof(buf));
    close(fd);
    show("list");
    fd = open("d/sub", O_RDONLY);
    syscall(SYS_getdents64, fd, buf, sizeof(buf));
    fchmod(fd, 0700);
    close(fd);
    show("list below");
    close(open("d/sub", O_PATH));
    access("d/sub", R_OK);
    show("a path alone");
    rmdir("d/sub");
    rmdir("d");
    show("end");
}

static void masks(void)
{
    int wd;

    touch("m");
    SHOW(wd = inotify_add_watch(in, "m", IN_OPEN));
    SHOW(inotify_add_watch(in, "m", IN_CLOSE_NOWRITE) == wd);
    close(open("m", O_RDONLY));
    show("replaced");
    SHOW(inotify_add_watch(in, "m", IN_OPEN | IN_MASK_ADD) == wd);
    close(open("m", O_RDONLY));
    show("added");
    SHOW(inotify_add_watch(in, "m", IN_OPEN | IN_MASK_CREATE));
    SHOW(inotify_add_watch(in, "m", IN_OPEN | IN_MASK_CREATE | IN_MASK_ADD));
    SHOW(inotify_rm_watch(in, wd));
    show("removed");
    SHOW(inotify_rm_watch(in, wd));
    SHOW(inotify_add_watch(in, "m", IN_OPEN | IN_ONESHOT) == wd + 1);
    close(open("m", O_RDONLY));
    close(open("m", O_RDONLY));
    show("one shot");
    SHOW(inotify_add_watch(in, "m", IN_ONESHOT) == wd + 2);
    SHOW(inotify_rm_watch(in, wd + 2));
    show("no event at all");
    SHOW(inotify_add_watch(in, "m", IN_OPEN | IN_ONLYDIR));
    symlink("m", "l");
    SHOW(inotify_add_watch(in, "l", IN_ATTRIB | IN_DONT_FOLLOW) == wd + 3);
    close(open("l", O_RDONLY));
    unlink("l");
    show("a link itself");
    mkdir("d", 0755);
    SHOW(inotify_add_watch(in, "d", IN_MODIFY | IN_EXCL_UNLINK) == wd + 4);
    int fd = open("d/x", O_CREAT | O_RDWR, 0600);
    write(fd, "a", 1);
    unlink("d/x");
    write(fd, "b", 1);
    close(fd);
    show("unlinked children excluded");
    rmdir("d");
    unlink("m");
    show("end");
}

static void reading(void)
{
    char buf[300];
    struct pollfd p;
    int n, first;

    mkdir("d", 0755);
    first = inotify_add_watch(in, "d", IN_CREATE);
    p = (struct pollfd){in, POLLIN, 0};
    SHOW(poll(&p, 1, 0));
    SHOW(read(in, buf, 300));
    touch("d/abc");
    touch("d/0123456789abcde");
    touch("d/0123456789abcdef");
    SHOW(poll(&p, 1, 0));
    SHOW(ioctl(in, FIONREAD, &n));
    SHOW(n);
    SHOW(read(in, buf, 16));
    SHOW(read(in, buf, 31));
    SHOW(read(in, buf, 64));
    SHOW(read(in, (void *)8, 64));
    SHOW(read(in, buf, 64));
    SHOW(write(in, buf, 16));
    inotify_rm_watch(in, first);
    system("true");
    show("rest");
    fcntl(in, F_SETFL, 0);
    SHOW(fcntl(in, F_GETFL));
    first = inotify_add_watch(in, "d", IN_CREATE);
    if (fork() == 0) {
        usleep(30000);
        touch("d/later");
        _exit(0);
    }
    SHOW(read(in, buf, 300));
    wait(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        read(in, buf, 300);
        _exit(0);
    }
    usleep(20000);
    kill(pid, SIGKILL);
    waitpid(pid, &n, 0);
    print_status("reader", n);
    fcntl(in, F_SETFL, O_NONBLOCK);
    inotify_rm_watch(in, first);
    unlink("d/abc"), unlink("d/later");
    unlink("d/0123456789abcde"), unlink("d/0123456789abcdef");
    rmdir("d");
    show("end");
}

static void set_limit(const char *name, int value)
{
    char path[60], text[20];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
    fd = open(path, O_WRONLY);
    snprintf(text, sizeof(text), "%d\n", value);
    DIE_UNLESS(write(fd, text, strlen(text)) > 0);
    close(fd);
}

static int get_limit(const char *name)
{
    char path[60];
    FILE *f;
    int n = -1;

    snprintf(path, sizeof(path), "/proc/sys/fs/inotify/%s", name);
    f = fopen(path, "r");
    DIE_UNLESS(f && fscanf(f, "%d", &n) == 1);
    fclose(f);
    return n;
}

static void limits(void)
{
    int events = get_limit("max_queued_events"), groups = get_limit("max_user_instances");
    int watches = get_limit("max_user_watches"), small, own, more;

    SHOW(events);
    SHOW(groups);
    set_limit("max_queued_events", 4);
    small = inotify_init1(IN_NONBLOCK);
    own = in;
    in = small;
    mkdir("d", 0755);
    inotify_add_watch(in, "d", IN_CREATE | IN_DELETE);
    for (int i = 0; i < 6; i++) {
        touch("d/x");
        unlink("d/x");
    }
    show("overflow");
    touch("d/x");
    show("goes on");
    in = own;
    set_limit("max_queued_events", events);
    set_limit("max_user_watches", 1);
    SHOW(inotify_add_watch(small, ".", IN_CREATE));
    set_limit("max_user_watches", watches);
    set_limit("max_user_instances", 2);
    more = inotify_init1(0);
    SHOW(more);
    set_limit("max_user_instances", groups);
    close(small);
    unlink("d/x");
    rmdir("d");
}

static void errors(void)
{
    SHOW(inotify_init1(1));
    SHOW(inotify_add_watch(in, ".", 0));
    SHOW(inotify_add_watch(in, ".", 0x00010000));
    SHOW(inotify_add_watch(0, ".", IN_OPEN));
    SHOW(inotify_add_watch(77, ".", IN_OPEN));
    SHOW(inotify_add_watch(in, "nowhere", IN_OPEN));
    SHOW(inotify_add_watch(in, "", IN_OPEN));
    SHOW(syscall(SYS_inotify_add_watch, in, 8, IN_OPEN));
    SHOW(inotify_rm_watch(0, 1));
    SHOW(inotify_rm_watch(77, 1));
    SHOW(inotify_rm_watch(in, -1));
    SHOW(fcntl(in, F_GETFL));
    close(open("secret", O_CREAT | O_WRONLY, 0200));
    chown("secret", 1000, 1000);
    if (fork() == 0) {
        DIE_UNLESS(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
        SHOW(inotify_add_watch(in, "secret", IN_OPEN));
        _exit(0);
    }
    wait(NULL);
    unlink("secret");
}

static void unmounted(void)
{
    mkdir("mnt", 0755);
    DIE_UNLESS(mount("none", "mnt", "tmpfs", 0, NULL) == 0);
    touch("mnt/file");
    SHOW(inotify_add_watch(in, "mnt/file", IN_OPEN) > 0);
    SHOW(umount("mnt"));
    show("unmounted");
    rmdir("mnt");
}

/* Two groups hear of the same file; a queue that is inherited is one. */
static void two(void)
{
    int second = inotify_init1(IN_NONBLOCK), own = in;

    touch("t");
    SHOW(inotify_add_watch(second, "t", IN_OPEN));
    SHOW(inotify_add_watch(in, "t", IN_OPEN) > 0);
    if (fork() == 0) {
        close(open("t", O_RDONLY));
        _exit(0);
    }
    wait(NULL);
    in = second;
    if (fork() == 0) {
        show("the child reads");
        _exit(0);
    }
    wait(NULL);
    show("nothing is left");
    in = own;
    close(second);
    unlink("t");
    cookie_count = 0;
    char path[40], line[200];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", in);
    line[readlink(path, line, 199)] = 0;
    printf("%s\n", line);
}

int main(void)
{
    in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    files();
    unused_file();
    moves();
    directories();
    masks();
    reading();
    errors();
    if (geteuid() == 0)
        unmounted();
    limits();
    two();
    return 0;
}
