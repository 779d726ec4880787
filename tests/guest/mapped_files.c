/* What is mapped stays open after close(): until the last area of it is gone, however it goes. */
#include "guest.h"
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>

CHANGES_THE_MACHINE("the tree of mounts");

#ifndef F_OFD_SETLK
#define F_OFD_SETLK 37
#endif

static int in;

/* What became of closed files since the last call. */
static void show_closed(const char *when)
{
    char buf[1024] __attribute__((aligned(8)));
    ssize_t n = read(in, buf, sizeof(buf));
    int write = 0, nowrite = 0;

    for (char *p = buf; n > 0 && p < buf + n;) {
        struct inotify_event *e = (struct inotify_event *)p;

        write += !!(e->mask & IN_CLOSE_WRITE);
        nowrite += !!(e->mask & IN_CLOSE_NOWRITE);
        p += sizeof(*e) + e->len;
    }
    printf("%s: closed %d times after writing, %d times otherwise\n", when, write, nowrite);
}

/* Three pages of a file, opened for it and closed again. */
static char *map_file(const char *name, int flags, int prot, int how)
{
    int fd = open(name, flags);
    char *p = mmap(NULL, 3 * PAGE, prot, how, fd, 0);

    DIE_UNLESS(fd >= 0 && p != MAP_FAILED);
    close(fd);
    return p;
}

static void told_of_the_end(void)
{
    char *p = map_file("d/file", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED), *q;

    show_closed("mapped and closed");
    SHOW(munmap(p + PAGE, PAGE));
    show_closed("a hole in it");
    SHOW(munmap(p, PAGE));
    show_closed("one page left");
    SHOW(munmap(p + 2 * PAGE, PAGE));
    show_closed("none left");
    p = map_file("d/file", O_RDONLY, PROT_READ, MAP_PRIVATE);
    q = map_file("d/file", O_RDONLY, PROT_READ, MAP_PRIVATE);
    SHOW(mprotect(p + PAGE, PAGE, PROT_NONE));
    SHOW(mprotect(p + PAGE, PAGE, PROT_READ));
    show_closed("two of them, one cut and joined");
    SHOW(munmap(p, 3 * PAGE));
    show_closed("one gone");
    DIE_UNLESS(mmap(q, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == q);
    show_closed("the other mapped over");
    munmap(q, 3 * PAGE);
}

static void moved(void)
{
    char *p = map_file("d/file", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);

    p = mremap(p, 3 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
    DIE_UNLESS(p != MAP_FAILED);
    show_closed("moved");
    SHOW(remap_file_pages(p, PAGE, 0, 2, 0));
    show_closed("pages remapped");
    SHOW(munmap(p, 15 * PAGE));
    show_closed("nearly all gone");
    SHOW(munmap(p + 15 * PAGE, PAGE));
    show_closed("all gone");
}

static void children(void)
{
    int fds[2];
    pid_t pid;
    char *p, c;

    pipe(fds);
    p = map_file("d/file", O_RDONLY, PROT_READ, MAP_PRIVATE);
    pid = fork();
    if (!pid) {
        close(fds[1]);
        read(fds[0], &c, 1);
        _exit(0);
    }
    munmap(p, 3 * PAGE);
    show_closed("a child has it");
    close(fds[0]);
    close(fds[1]);
    waitpid(pid, NULL, 0);
    show_closed("the child has ended");
}

static int lock_file(const char *name, int how)
{
    int fd = open(name, O_RDWR), r = flock(fd, how | LOCK_NB);

    printf("%s: %s\n", name, r ? strerror(errno) : "locked");
    close(fd);
    return r;
}

static void locks(void)
{
    struct flock l = {.l_type = F_WRLCK, .l_len = 10};
    int fd = open("d/file", O_RDWR), other = open("d/file", O_RDWR);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

    SHOW(flock(fd, LOCK_EX));
    SHOW(fcntl(fd, F_OFD_SETLK, &l));
    close(fd);
    lock_file("d/file", LOCK_SH);
    SHOW(fcntl(other, F_OFD_SETLK, &l));
    munmap(p, PAGE);
    lock_file("d/file", LOCK_SH);
    SHOW(fcntl(other, F_OFD_SETLK, &l));
    close(other);

    fd = open("d/file", O_RDWR);
    p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    SHOW(fcntl(fd, F_SETLK, &l));
    close(fd);
    fd = open("d/file", O_RDWR);
    if (!fork())
        _exit(fcntl(fd, F_SETLK, &l) ? errno : 0);
    int status;
    wait(&status);
    printf("a lock of the process: %s\n", strerror(WEXITSTATUS(status)));
    munmap(p, PAGE);
    close(fd);
}

static void leases(void)
{
    int fd = open("d/file", O_RDONLY);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

    signal(SIGIO, SIG_IGN);
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    close(fd);
    SHOW(open("d/file", O_RDWR | O_NONBLOCK));
    munmap(p, PAGE);
    SHOW(close(open("d/file", O_RDWR | O_NONBLOCK)));
    p = map_file("d/file", O_RDWR, PROT_READ, MAP_SHARED);
    fd = open("d/file", O_RDONLY);
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    munmap(p, 3 * PAGE);
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    close(fd);
}

static void program(void)
{
    char *const argv[] = {"d/program", NULL};
    int fd = open("d/program", O_CREAT | O_RDWR, 0755);
    char *p;

    write(fd, "no program", 10);
    close(fd);
    p = map_file("d/program", O_RDWR, PROT_READ, MAP_PRIVATE);
    SHOW(execv("d/program", argv));
    munmap(p, 3 * PAGE);
    SHOW(execv("d/program", argv));
}

static void mounts(void)
{
    char *p;

    mkdir("m", 0755);
    SHOW(mount("none", "m", "tmpfs", 0, NULL));
    close(open("m/file", O_CREAT | O_RDWR, 0644));
    p = map_file("m/file", O_RDWR, PROT_READ, MAP_SHARED);
    SHOW(mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    SHOW(umount("m"));
    munmap(p, 3 * PAGE);
    SHOW(mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
    p = map_file("m/file", O_RDONLY, PROT_READ, MAP_PRIVATE);
    SHOW(umount("m"));
    munmap(p, 3 * PAGE);
    SHOW(umount("m"));
    DIE_UNLESS(rmdir("m") == 0);
}

static void counted(void)
{
    const long before = number_in("/proc/sys/fs/file-nr");
    char *p[64];

    for (int i = 0; i < 64; i++)
        p[i] = map_file("d/file", O_RDONLY, PROT_READ, MAP_PRIVATE);
    printf("mapped files count: %s\n",
           number_in("/proc/sys/fs/file-nr") - before > 48 ? "yes" : "no");
    for (int i = 0; i < 64; i++)
        munmap(p[i], 3 * PAGE);
}

int main(void)
{
    char dir[] = "/tmp/mappedXXXXXX";

    DIE_UNLESS(mkdtemp(dir) && chdir(dir) == 0 && mkdir("d", 0755) == 0);
    close(open("d/file", O_CREAT | O_RDWR, 0644));
    truncate("d/file", 16 * PAGE);
    in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    SHOW(inotify_add_watch(in, "d", IN_CLOSE));
    told_of_the_end();
    moved();
    children();
    close(in);
    locks();
    leases();
    program();
    mounts();
    counted();
    DIE_UNLESS(unlink("d/file") == 0 && unlink("d/program") == 0 && rmdir("d") == 0 &&
               rmdir(dir) == 0);
    return 0;
}
