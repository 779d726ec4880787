/*
 * Each call with each of its allocations failing in turn (/proc/sys/kernel/inject): it fails with
 * an error that means "no memory" or succeeds all the same, and nothing is left behind. The table
 * at the end is the list of calls.
 */
#include "guest.h"
#include <linux/aio_abi.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/timerfd.h>
#include <time.h>

#define MOST  200 /* allocations of one call */
#define SLACK 12  /* small objects that a cache may have come to keep */

static int control;
static char *area;
static char block[8 * PAGE];

static void arm(const char *text)
{
    while (pwrite(control, text, strlen(text), 0) < 0)
        ;
}

static long failures(void)
{
    char text[128] = "", *at;

    while (pread(control, text, sizeof(text) - 1, 0) < 0)
        ;
    at = strstr(text, "failed ");
    return at ? atol(at + 7) : -1;
}

/* ---- Calls; each leaves things as they were ---- */

/* Takes back what a call did: may fail as well, once. */
#define UNDO(call) ((call) == 0 || (call) == 0 ? 0 : -1)

static int closed(int fd)
{
    if (fd >= 0)
        close(fd);
    return fd;
}

static int call_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid < 0 ? -1 : waitpid(pid, NULL, 0);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int call_clone(void)
{
    static char stack[4 * PAGE];
    pid_t pid = clone(nothing, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, NULL);

    return pid < 0 ? -1 : waitpid(pid, NULL, 0);
}

static int call_pipe(void)
{
    int p[2], r = pipe(p);

    if (r == 0) {
        r = write(p[1], block, sizeof(block));
        close(p[0]);
        close(p[1]);
    }
    return r;
}

static int call_create(void)
{
    int fd = closed(open("file", O_CREAT | O_EXCL | O_RDWR, 0600)), error = errno;

    /* It may have come to be before the descriptor could not. */
    if (UNDO(unlink("file")) == 0 && fd >= 0)
        return 0;
    errno = error;
    return -1;
}

static int call_tmpfile(void)
{
    return closed(open(".", O_TMPFILE | O_RDWR, 0600));
}

static int call_long_name(void)
{
    static char name[200];

    memset(name, 'n', sizeof(name) - 1);
    return mkdir(name, 0700) < 0 ? -1 : UNDO(rmdir(name));
}

static int call_symlink(void)
{
    return symlink("somewhere", "link") < 0 ? -1 : UNDO(unlink("link"));
}

static int call_link(void)
{
    return link("kept", "second") < 0 ? -1 : UNDO(unlink("second"));
}

static int call_rename(void)
{
    return rename("kept", "other") < 0 ? -1 : UNDO(rename("other", "kept"));
}

static int call_write(void)
{
    int fd = open("kept", O_RDWR), r = fd;

    if (fd >= 0)
        r = pwrite(fd, block, sizeof(block), 5 * PAGE);
    if (fd >= 0 && UNDO(ftruncate(fd, 0)) < 0)
        r = -1;
    closed(fd);
    return r;
}

static int call_stat_proc(void)
{
    struct stat s;

    return stat("/proc/self/task", &s);
}

static int call_read_proc(void)
{
    char text[512];
    int fd = open("/proc/self/maps", O_RDONLY), r = fd < 0 ? -1 : read(fd, text, sizeof(text));

    closed(fd);
    return r;
}

static int call_list(void)
{
    char entries[1024];
    int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    int r = fd < 0 ? -1 : syscall(SYS_getdents64, fd, entries, sizeof(entries));

    closed(fd);
    return r;
}

static int call_map(void)
{
    char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return -1;
    p[0] = p[9 * PAGE] = 1;
    return UNDO(munmap(p, 16 * PAGE));
}

static int call_map_shared(void)
{
    char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return -1;
    p[0] = p[9 * PAGE] = 1;
    return UNDO(munmap(p, 16 * PAGE));
}

static int call_protect(void)
{
    if (mprotect(area + 3 * PAGE, PAGE, PROT_READ) < 0)
        return -1;
    while (mprotect(area, 16 * PAGE, PROT_READ | PROT_WRITE) < 0)
        ;
    return 0;
}

static int call_remap(void)
{
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

    if (p == MAP_FAILED)
        return -1;
    *p = 1;
    q = mremap(p, PAGE, 600 * PAGE, MREMAP_MAYMOVE);
    munmap(q == MAP_FAILED ? p : q, q == MAP_FAILED ? PAGE : 600 * PAGE);
    return q == MAP_FAILED ? -1 : 0;
}

static int call_lock_memory(void)
{
    int r = mlock(area + 5 * PAGE, 2 * PAGE);

    while (munlock(area, 16 * PAGE) < 0)
        ;
    return r;
}

static int call_eventfd(void)
{
    return closed(eventfd(0, 0));
}

static int call_timerfd(void)
{
    return closed(timerfd_create(CLOCK_MONOTONIC, 0));
}

static int call_memfd(void)
{
    int fd = memfd_create("m", 0), r = fd < 0 ? -1 : write(fd, block, sizeof(block));

    closed(fd);
    return r;
}

static int call_epoll(void)
{
    struct epoll_event e = {.events = EPOLLIN};
    int set = epoll_create1(0), event = eventfd(0, 0);
    int r = set < 0 || event < 0 ? -1 : epoll_ctl(set, EPOLL_CTL_ADD, event, &e), error = errno;

    closed(event);
    closed(set);
    errno = error;
    return r;
}

static int call_poll(void)
{
    struct pollfd p[40];

    for (int i = 0; i < 40; i++)
        p[i] = (struct pollfd){.fd = 0, .events = POLLIN};
    return poll(p, 40, 0);
}

static int call_timer(void)
{
    timer_t t;

    return timer_create(CLOCK_MONOTONIC, NULL, &t) < 0 ? -1 : timer_delete(t);
}

static int call_segment(void)
{
    int id = shmget(IPC_PRIVATE, PAGE, 0600);
    char *p = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
    int error = errno;

    if (p != (char *)-1) {
        *p = 1;
        shmdt(p);
    }
    if (id >= 0)
        while (shmctl(id, IPC_RMID, NULL) < 0)
            ;
    errno = error;
    return p == (char *)-1 ? -1 : 0;
}

static int call_file_lock(void)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 4};
    int fd = open("kept", O_RDWR), r = fd < 0 ? -1 : fcntl(fd, F_SETLK, &l);

    closed(fd);
    return r;
}

static int call_mount(void)
{
    return mount("none", "dir", "tmpfs", 0, "size=64k") < 0 ? -1 : UNDO(umount("dir"));
}

static int call_proc(void)
{
    return mount("proc", "dir", "proc", 0, "hidepid=2") < 0 ? -1 : UNDO(umount("dir"));
}

/* Another one each time: the memory of one that was made stays. */
static int call_loop(void)
{
    static int number = 20;
    int fd = open("/dev/loop-control", O_RDWR), n = ++number, error;
    int r = fd < 0 ? -1 : ioctl(fd, 0x4c80 /* LOOP_CTL_ADD */, n);

    error = errno;
    if (r >= 0)
        r = UNDO(ioctl(fd, 0x4c81 /* LOOP_CTL_REMOVE */, n));
    closed(fd);
    errno = error;
    return r;
}

static int call_aio_poll(void)
{
    struct iocb request = {.aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN}, *list = &request;
    aio_context_t id = 0;
    int p[2], r = pipe(p), error;

    if (r < 0)
        return -1;
    request.aio_fildes = p[0];
    r = syscall(SYS_io_setup, 4, &id) < 0 ? -1 : syscall(SYS_io_submit, id, 1, &list);
    error = errno;
    if (id)
        while (syscall(SYS_io_destroy, id) < 0)
            ;
    closed(p[0]);
    closed(p[1]);
    errno = error;
    return r;
}

static int call_descriptors(void)
{
    int fd = fcntl(0, F_DUPFD, 600);

    return closed(fd);
}

static int call_exec_nothing(void)
{
    execl("/no/such", "x", NULL);
    return errno == ENOENT ? 0 : -1;
}

static const struct {
    const char *name;
    int (*call)(void);
    int also; /* an error that stands for "no memory" here, besides ENOMEM */
} table[] = {
    {"fork", call_fork, EAGAIN},
    {"clone", call_clone, EAGAIN},
    {"pipe", call_pipe, ENFILE},
    {"open O_CREAT", call_create, ENOMEM},
    {"open O_TMPFILE", call_tmpfile, ENOMEM},
    {"mkdir", call_long_name, ENOMEM},
    {"symlink", call_symlink, ENOMEM},
    {"link", call_link, ENOMEM},
    {"rename", call_rename, ENOMEM},
    {"write, ftruncate", call_write, ENOMEM},
    {"stat", call_stat_proc, ENOMEM},
    {"read /proc", call_read_proc, ENOMEM},
    {"getdents", call_list, ENOMEM},
    {"mmap", call_map, ENOMEM},
    {"mmap shared", call_map_shared, ENOMEM},
    {"mprotect", call_protect, ENOMEM},
    {"mremap", call_remap, ENOMEM},
    {"mlock", call_lock_memory, EAGAIN},
    {"eventfd", call_eventfd, ENOMEM},
    {"timerfd_create", call_timerfd, ENOMEM},
    {"memfd_create", call_memfd, ENOMEM},
    {"epoll_ctl", call_epoll, ENOMEM},
    {"poll", call_poll, ENOMEM},
    {"timer_create", call_timer, EAGAIN},
    {"shmget, shmat", call_segment, ENOMEM},
    {"fcntl F_SETLK", call_file_lock, ENOLCK},
    {"mount", call_mount, ENOMEM},
    {"mount proc", call_proc, ENOMEM},
    {"LOOP_CTL_ADD", call_loop, ENOMEM},
    {"io_submit", call_aio_poll, EAGAIN},
    {"fcntl F_DUPFD", call_descriptors, EMFILE},
    {"execve", call_exec_nothing, ENOMEM},
};

static void fail_each(size_t i)
{
    char text[64];
    long before = 0, after = 1;
    int n = 0;

    while (before != after && n < MOST) {
        snprintf(text, sizeof(text), "nth=%d for=hostile_inject", ++n);
        arm(text);
        errno = 0;
        int r = table[i].call(), error = errno;

        after = failures();
        before = 0;
        arm("off");
        if (r < 0 && error != ENOMEM && error != table[i].also)
            printf("%s: %s when allocation %d fails\n", table[i].name, error_name(error), n);
    }
    if (n == MOST)
        printf("%s: there is no end of it\n", table[i].name);
}

/* Small objects in use, of all sizes. */
static long objects(void)
{
    FILE *f = fopen("/proc/slabinfo", "r");
    char line[256];
    long sum = 0, n;

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "kmalloc-%*d %ld", &n) == 1)
            sum += n;
    if (f)
        fclose(f);
    return sum;
}

int main(void)
{
    long before, after;

    control = open("/proc/sys/kernel/inject", O_RDWR);
    DIE_UNLESS(control >= 0);
    DIE_UNLESS(closed(open("kept", O_CREAT | O_RDWR, 0600)) >= 0 && mkdir("dir", 0700) == 0);
    area = map_anon(16);
    memset(area, 1, 16 * PAGE);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        DIE_UNLESS(table[i].call() >= 0);
        before = objects();
        fail_each(i);
        after = objects();
        if (after > before + SLACK)
            printf("%s: %ld objects are lost\n", table[i].name, after - before);
    }
    printf("all calls did\n");
    return 0;
}
