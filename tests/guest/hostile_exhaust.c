/*
 * One program for each thing that can be made in number: it makes as many as it can, from as many
 * processes as it takes, and holds them. Then a fresh program must answer, all is killed, and the
 * memory must be back within 1 %. The table at the end is the list; the slow ones run where the
 * kernel was given exhaust=all, which makes it a variable of init's environment.
 */
#include "guest.h"
#include <dirent.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <sched.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <time.h>

#define HELPERS  4   /* processes that take what one may not take alone */
#define PATIENCE 400 /* times 10 ms, until it has taken all it can */

struct exhaustion {
    const char *name;
    int (*take)(void); /* one more; 0, or the error that ended it */
    int ends[4];       /* how it may end; the OOM killer is always allowed */
    void (*clean)(void);
    bool slow;
};

static int failed(long result)
{
    return result < 0 ? errno : 0;
}

/* ---- Processes and threads ---- */

static int take_process(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    return failed(pid);
}

static int take_zombie(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return failed(pid);
}

/* Every child goes on like its parent. */
static int take_bomb(void)
{
    pid_t pid = fork();

    return pid < 0 ? errno : 0;
}

static int take_big_process(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        char *p = map_anon(16);

        memset(p, 1, 16 * PAGE);
        for (;;)
            pause();
    }
    return failed(pid);
}

static int idle(void *arg)
{
    while (!arg)
        pause();
    return 0;
}

static int new_thread(int (*fn)(void *))
{
    char *stack = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

    return stack == MAP_FAILED ? errno : failed(clone(fn, stack + PAGE, flags, NULL));
}

static int take_thread(void)
{
    return new_thread(idle);
}

static int wait_on_futex(void *arg)
{
    static int word;

    while (!arg)
        syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
    return 0;
}

static int take_futex(void)
{
    return new_thread(wait_on_futex);
}

/* ---- Memory ---- */

static int take_memory(void)
{
    char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return errno;
    memset(p, 1, 64 * PAGE);
    return 0;
}

static int take_shared_memory(void)
{
    char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return errno;
    memset(p, 1, 64 * PAGE);
    return 0;
}

static int take_locked(void)
{
    char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : failed(mlock(p, 64 * PAGE));
}

static int take_heap(void)
{
    char *p = sbrk(64 * PAGE);

    if (p == (void *)-1)
        return errno;
    memset(p, 1, 64 * PAGE);
    return 0;
}

/* No two neighbours join. */
static int take_area(void)
{
    static int prot;
    char *p = mmap(NULL, PAGE, prot ^= PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? errno : 0;
}

/* A page table for each page; then the same in another process. */
static int take_table(void)
{
    static char *p;
    static size_t at;

    if (!p)
        p = mmap(NULL, 1u << 30, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return errno;
    p[at] = 1;
    at += 4u << 20;
    return at >= 1u << 30 ? EAGAIN : 0;
}

/* ---- Names, on a file system of the test's own ---- */

static char name[300];

static const char *next_name(size_t len)
{
    static unsigned n;

    snprintf(name, sizeof(name), "m/%d-%0*x", getpid(), (int)len, n++);
    return name;
}

static int take_file(void)
{
    int fd = open(next_name(8), O_CREAT | O_WRONLY, 0600);

    return fd < 0 ? errno : failed(close(fd));
}

static int take_long_name(void)
{
    return failed(mknod(next_name(240), S_IFREG | 0600, 0));
}

static int take_directory(void)
{
    return failed(mkdir(next_name(8), 0700));
}

static int take_deep_directory(void)
{
    static bool inside;

    if (!inside && (mkdir(next_name(8), 0700) < 0 || chdir(name) < 0))
        return errno;
    inside = true;
    return mkdir("deep", 0700) < 0 ? errno : failed(chdir("deep"));
}

static int take_symlink(void)
{
    static char target[4000];

    memset(target, 'x', sizeof(target) - 1);
    return failed(symlink(target, next_name(8)));
}

static int take_hard_link(void)
{
    close(open("m/first", O_CREAT | O_WRONLY, 0600));
    return failed(link("m/first", next_name(8)));
}

static int take_bytes(void)
{
    static char block[16 * PAGE];
    static int fd = -1;

    if (fd < 0)
        fd = open("m/data", O_CREAT | O_WRONLY, 0600);
    memset(block, 1, sizeof(block));
    return failed(write(fd, block, sizeof(block)));
}

static int take_absent_name(void)
{
    static int n;
    struct stat s;

    stat(next_name(200), &s);
    return ++n == 3000 ? ENOENT : 0;
}

static int take_attribute(void)
{
    static int n;

    close(open("m/first", O_CREAT | O_WRONLY, 0600));
    snprintf(name, sizeof(name), "user.%d", n++);
    return failed(setxattr("m/first", name, name, sizeof(name), 0));
}

static int take_mount(void)
{
    return failed(mount("none", "m", "tmpfs", 0, NULL));
}

static void unmount_all(void)
{
    while (umount2("m", MNT_DETACH) == 0)
        ;
    mount("none", "m", "tmpfs", 0, "mode=777");
}

/* ---- Descriptors; who has no more goes on in a child ---- */

static int take_descriptor(void)
{
    return failed(open("/dev/null", O_RDONLY));
}

static int take_pipe(void)
{
    static char block[16 * PAGE];
    int p[2];

    if (pipe(p) < 0)
        return errno;
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    while (write(p[1], block, sizeof(block)) > 0)
        ;
    return errno == EAGAIN ? 0 : errno;
}

static int take_eventfd(void)
{
    return failed(eventfd(0, 0));
}

static int take_timerfd(void)
{
    struct itimerspec when = {.it_value = {.tv_sec = 1000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);

    return fd < 0 ? errno : failed(timerfd_settime(fd, 0, &when, NULL));
}

/* A queue that nobody reads; then the next. */
static int take_inotify(void)
{
    static int in = -1, n;

    if (n++ % 2000 == 0)
        in = inotify_init();
    if (in < 0 || inotify_add_watch(in, "m", IN_CREATE | IN_DELETE) < 0)
        return errno;
    close(open(next_name(200), O_CREAT | O_WRONLY, 0600));
    unlink(name);
    return 0;
}

static int take_inotify_watch(void)
{
    static int in = -1;

    if (in < 0)
        in = inotify_init();
    close(open(next_name(8), O_CREAT | O_WRONLY, 0600));
    return failed(inotify_add_watch(in, name, IN_OPEN));
}

/* Each listens to every process that polls it. */
static int take_signalfd(void)
{
    sigset_t set;
    struct pollfd p = {.events = POLLIN};

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    p.fd = signalfd(-1, &set, 0);
    return p.fd < 0 ? errno : failed(poll(&p, 1, 1));
}

/* The handle of a process outlives it. */
static int take_pidfd(void)
{
    pid_t pid = fork();
    int fd;

    if (pid == 0)
        _exit(0);
    if (pid < 0)
        return errno;
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    waitpid(pid, NULL, 0);
    return fd < 0 ? errno : 0;
}

static int take_memfd(void)
{
    static char block[16 * PAGE];
    int fd = memfd_create("m", 0);

    if (fd < 0)
        return errno;
    memset(block, 1, sizeof(block));
    return failed(write(fd, block, sizeof(block)));
}

static int take_watches(void)
{
    static int fds[100];
    int set = epoll_create1(0);

    if (set < 0)
        return errno;
    for (int i = 0; i < 100; i++) {
        struct epoll_event e = {.events = EPOLLIN};

        if (!fds[i])
            fds[i] = eventfd(0, 0);
        if (fds[i] < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &e) < 0)
            return errno;
    }
    return 0;
}

static int take_lock(void)
{
    static off_t at;
    static int fd = -1;
    struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

    if (fd < 0)
        fd = open("m/locked", O_CREAT | O_RDWR, 0600);
    at += 2;
    return failed(fcntl(fd, F_SETLK, &l));
}

/* ---- Signals, timers, segments, arguments ---- */

static int take_signal(void)
{
    union sigval v = {0};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return failed(sigqueue(getpid(), SIGRTMIN, v));
}

static int take_timer(void)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    timer_t t;

    return failed(timer_create(CLOCK_MONOTONIC, &ev, &t));
}

/* A queue that is full. */
static int take_queue(void)
{
    static char text[8192];
    static int made;
    char name[32];
    int q;

    snprintf(name, sizeof(name), "/%d.%d", getpid(), made++);
    q = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, NULL);
    if (q < 0)
        return errno;
    while (mq_send(q, text, sizeof(text), 0) == 0)
        ;
    mq_close(q);
    return 0;
}

static void remove_queues(void)
{
    struct dirent *e;
    DIR *d;

    mkdir("/tmp/queues", 0700);
    DIE_UNLESS(mount("none", "/tmp/queues", "mqueue", 0, NULL) == 0);
    d = opendir("/tmp/queues");
    while ((e = readdir(d))) {
        char name[300];

        snprintf(name, sizeof(name), "/%s", e->d_name);
        if (e->d_name[0] != '.')
            mq_unlink(name);
    }
    closedir(d);
    umount("/tmp/queues");
}

static int take_filter(void)
{
    static struct sock_filter code[BPF_MAXINSNS];
    struct sock_fprog p = {BPF_MAXINSNS, code};

    for (int i = 0; i < BPF_MAXINSNS; i++)
        code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    return failed(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p));
}

static int take_segment(void)
{
    return failed(shmget(IPC_PRIVATE, PAGE, 0600));
}

static int take_big_segment(void)
{
    int id = shmget(IPC_PRIVATE, 64 * PAGE, 0600);
    char *p = id < 0 ? (char *)-1 : shmat(id, NULL, 0);

    if (p == (char *)-1)
        return errno;
    memset(p, 1, 64 * PAGE);
    return 0;
}

static void remove_segments(void)
{
    struct shmid_ds d;
    struct shm_info info;
    int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info);

    for (int i = 0; i <= last; i++) {
        int id = shmctl(i, SHM_STAT, &d);

        if (id >= 0)
            shmctl(id, IPC_RMID, NULL);
    }
}

static int take_arguments(void)
{
    static char *args[400];
    char *text = malloc(120000);

    memset(text, 'a', 119999);
    for (int i = 0; i < 399; i++)
        args[i] = text;
    execv("/proc/self/exe", args);
    return errno;
}

/* ---- Sockets, semaphores, pipes ---- */

static int take_socket(void)
{
    static char block[PAGE];
    int s[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) < 0)
        return errno;
    while (write(s[0], block, sizeof(block)) > 0)
        ;
    return errno == EAGAIN ? 0 : errno;
}

static int take_set(void)
{
    return failed(semget(IPC_PRIVATE, 100, 0600));
}

static void remove_sets(void)
{
    struct seminfo info;
    int last = semctl(0, 0, SEM_INFO, &info);

    for (int i = 0; i <= last; i++) {
        struct semid_ds d;
        int id = semctl(i, 0, SEM_STAT, &d);

        if (id >= 0)
            semctl(id, 0, IPC_RMID);
    }
}

static int take_big_pipe(void)
{
    static char block[16 * PAGE];
    int p[2];

    if (pipe(p) < 0)
        return errno;
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
    while (write(p[1], block, sizeof(block)) > 0)
        ;
    return errno == EAGAIN ? 0 : errno;
}

static int take_tee(void)
{
    static char block[16 * PAGE];
    static int full[2];
    int p[2];

    if (!full[1]) {
        DIE_UNLESS(pipe(full) == 0);
        DIE_UNLESS(write(full[1], block, sizeof(block)) > 0);
    }
    if (pipe(p) < 0)
        return errno;
    return failed(tee(full[0], p[1], sizeof(block), SPLICE_F_NONBLOCK));
}

/* Pages that the program still has, too. */
static int take_spliced_memory(void)
{
    char *page = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec v = {page, 16 * PAGE};
    int p[2];

    if (page == MAP_FAILED || pipe(p) < 0)
        return errno;
    memset(page, 1, 16 * PAGE);
    if (vmsplice(p[1], &v, 1, SPLICE_F_NONBLOCK) < 0)
        return errno == EAGAIN ? 0 : errno;
    return failed(munmap(page, 16 * PAGE));
}

/* With all that it can hold on either side. */
static int take_terminal(void)
{
    static char block[PAGE];
    int slave, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), unlock = 0;

    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return errno;
    slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (slave < 0)
        return errno;
    memset(block, 'x', sizeof(block));
    while (write(master, block, sizeof(block)) > 0 || write(slave, block, sizeof(block)) > 0)
        ;
    return errno == EAGAIN ? 0 : errno;
}

static int take_userfault(void)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register r = {.mode = UFFDIO_REGISTER_MODE_MISSING};
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = (int)syscall(SYS_userfaultfd, O_NONBLOCK);

    if (fd < 0 || p == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) < 0)
        return errno;
    r.range = (struct uffdio_range){(uintptr_t)p, PAGE};
    return failed(ioctl(fd, UFFDIO_REGISTER, &r));
}

/* A queue that is full. */
static int take_messages(void)
{
    static struct {
        long type;
        char text[4096];
    } m = {.type = 1};
    int q = msgget(IPC_PRIVATE, 0600);

    if (q < 0)
        return errno;
    while (msgsnd(q, &m, sizeof(m.text), IPC_NOWAIT) == 0)
        ;
    return errno == EAGAIN ? 0 : errno;
}

static void remove_messages(void)
{
    struct msginfo info;
    struct msqid_ds d;
    int last = msgctl(0, MSG_INFO, (struct msqid_ds *)&info);

    for (int i = 0; i <= last; i++) {
        int id = msgctl(i, MSG_STAT, &d);

        if (id >= 0)
            msgctl(id, IPC_RMID, NULL);
    }
}

static const struct exhaustion table[] = {
    {"processes", take_process, {EAGAIN, ENOMEM}, NULL, false},
    {"zombies", take_zombie, {EAGAIN, ENOMEM}, NULL, false},
    {"a bomb", take_bomb, {EAGAIN, ENOMEM}, NULL, false},
    {"big processes", take_big_process, {EAGAIN, ENOMEM}, NULL, true},
    {"threads", take_thread, {EAGAIN, ENOMEM}, NULL, false},
    {"futex waiters", take_futex, {EAGAIN, ENOMEM}, NULL, false},
    {"memory", take_memory, {ENOMEM}, NULL, false},
    {"shared memory", take_shared_memory, {ENOMEM}, NULL, true},
    {"locked memory", take_locked, {ENOMEM, EAGAIN}, NULL, true},
    {"heap", take_heap, {ENOMEM}, NULL, true},
    {"areas", take_area, {ENOMEM}, NULL, true},
    {"page tables", take_table, {EAGAIN, ENOMEM}, NULL, false},
    {"files", take_file, {ENOSPC}, unmount_all, false},
    {"long names", take_long_name, {ENOSPC}, unmount_all, true},
    {"directories", take_directory, {ENOSPC}, unmount_all, false},
    {"deep directories", take_deep_directory, {ENOSPC}, unmount_all, true},
    {"symbolic links", take_symlink, {ENOSPC}, unmount_all, true},
    {"hard links", take_hard_link, {ENOSPC}, unmount_all, true},
    {"bytes of a tmpfs", take_bytes, {ENOSPC}, unmount_all, false},
    {"absent names", take_absent_name, {ENOENT}, NULL, false},
    {"extended attributes", take_attribute, {EOPNOTSUPP, ENOSPC}, unmount_all, false},
    {"mounts", take_mount, {ENOSPC, ENOMEM}, unmount_all, false},
    {"descriptors", take_descriptor, {EMFILE, ENFILE, ENOMEM}, NULL, false},
    {"pipes", take_pipe, {EMFILE, ENFILE, ENOMEM}, NULL, false},
    {"pipes of a MiB", take_big_pipe, {EMFILE, ENFILE, ENOMEM}, NULL, false},
    {"pipes that share pages", take_tee, {EMFILE, ENFILE, ENOMEM}, NULL, false},
    {"pages in pipes", take_spliced_memory, {EMFILE, ENFILE, ENOMEM}, NULL, true},
    {"terminals", take_terminal, {EMFILE, ENFILE, ENOMEM}, NULL, true},
    {"userfaultfds", take_userfault, {EMFILE, ENFILE, ENOMEM}, NULL, true},
    {"sockets with data", take_socket, {EMFILE, ENFILE, ENOMEM, ENOBUFS}, NULL, false},
    {"eventfds", take_eventfd, {EMFILE, ENFILE, ENOMEM}, NULL, false},
    {"timerfds", take_timerfd, {EMFILE, ENFILE, ENOMEM}, NULL, false},
    {"inotify events", take_inotify, {EMFILE, ENFILE, ENOMEM}, unmount_all, true},
    {"inotify watches", take_inotify_watch, {ENOSPC, ENOENT, ENOMEM}, unmount_all, false},
    {"signalfds", take_signalfd, {EMFILE, ENFILE, ENOMEM}, NULL, false},
    {"pidfds", take_pidfd, {EMFILE, ENFILE, ENOMEM}, NULL, true},
    {"memfds", take_memfd, {EMFILE, ENFILE, ENOMEM}, NULL, true},
    {"epoll watches", take_watches, {ENOSPC, EMFILE, ENOMEM}, NULL, false},
    {"file locks", take_lock, {ENOLCK}, unmount_all, false},
    {"signals", take_signal, {EAGAIN}, NULL, false},
    {"timers", take_timer, {EAGAIN}, NULL, false},
    {"message queues", take_queue, {EMFILE, ENOSPC}, remove_queues, false},
    {"semaphore sets", take_set, {ENOSPC, ENOMEM}, remove_sets, false},
    {"messages", take_messages, {ENOSPC, ENOMEM, EAGAIN}, remove_messages, true},
    {"filters", take_filter, {ENOMEM}, NULL, false},
    {"segments", take_segment, {ENOSPC}, remove_segments, false},
    {"big segments", take_big_segment, {ENOSPC, ENOMEM}, remove_segments, false},
    {"arguments", take_arguments, {E2BIG, ENOMEM}, NULL, false},
};

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    if (fd >= 0 && write(fd, text, strlen(text)) < 0)
        perror(path);
    close(fd);
}

/* For whoever looks how far it has come: on the console. */
static void put_name(const char *what)
{
    char line[100];

    snprintf(line, sizeof(line), "<1>exhaust: %s\n", what);
    put("/dev/kmsg", line);
}

static long meminfo(const char *field)
{
    char text[4096] = "", *at;
    int fd = open("/proc/meminfo", O_RDONLY);

    DIE_UNLESS(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    at = strstr(text, field);
    DIE_UNLESS(at);
    return strtol(at + strlen(field), NULL, 10);
}

/* What is free, and the cached text of programs: whoever runs uses it. */
static long free_memory(void)
{
    put("/proc/sys/vm/drop_caches", "3");
    return meminfo("MemFree:") + meminfo("Cached:") - meminfo("Shmem:");
}

/* Until it is refused. A bomb goes on: each of its processes is refused for itself. */
static int take_all(const struct exhaustion *e)
{
    int error = 0;

    while (!error)
        error = e->take();
    return error;
}

/* One of HELPERS: tells its parent how it ended, and holds what it has. */
static void helper(const struct exhaustion *e, int tell)
{
    int error;

    setpgid(0, 0);
    put("/proc/self/oom_score_adj", "0");
    error = take_all(e);
    if (write(tell, &error, sizeof(error)) < 0)
        _exit(1);
    for (;;)
        pause();
}

static bool is_allowed(const struct exhaustion *e, int error)
{
    for (size_t i = 0; i < sizeof(e->ends) / sizeof(e->ends[0]); i++)
        if (e->ends[i] == error && error)
            return true;
    return false;
}

static int count_dead(const pid_t *pids, int n)
{
    siginfo_t info;
    int dead = 0;

    for (int i = 0; i < n; i++) {
        info.si_pid = 0;
        if (waitid(P_PID, pids[i], &info, WEXITED | WNOHANG | WNOWAIT) == 0)
            dead += info.si_pid != 0;
    }
    return dead;
}

/* Their answers, as far as they come: who is killed gives none. */
static const char *hear(const struct exhaustion *e, int from, const pid_t *pids, int helpers)
{
    int error, heard = 0;

    for (int waited = 0; heard + count_dead(pids, helpers) < helpers && waited < PATIENCE;
         waited++) {
        while (read(from, &error, sizeof(error)) == sizeof(error)) {
            heard++;
            if (!is_allowed(e, error))
                return error_name(error);
        }
        usleep(10000);
    }
    return NULL;
}

/* A fresh program, started in the middle of it all: it may have to be tried a few times. */
static int answers(void)
{
    for (int tries = 0; tries < 50; tries++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            execl("/proc/self/exe", "answer", NULL);
            _exit(1);
        }
        if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
            return tries;
        usleep(20000);
    }
    return -1;
}

static void kill_groups(pid_t *pids, int n)
{
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < n; i++)
            if (pids[i] > 0)
                kill(-pids[i], SIGKILL);
    for (int i = 0; i < n; i++)
        if (pids[i] > 0)
            waitpid(pids[i], NULL, 0);
}

static bool memory_is_back(long before)
{
    for (int tries = 0; tries < 200; tries++) {
        if (free_memory() >= before - before / 100)
            return true;
        usleep(10000);
    }
    return false;
}

static void exhaust(const struct exhaustion *e)
{
    long before = free_memory();
    pid_t pids[HELPERS];
    const char *wrong;
    int tell[2], n;

    DIE_UNLESS(pipe2(tell, O_NONBLOCK) == 0);
    for (n = 0; n < HELPERS; n++) {
        pids[n] = fork();
        if (pids[n] == 0)
            helper(e, tell[1]);
        if (pids[n] < 0)
            break;
        setpgid(pids[n], pids[n]);
    }
    wrong = hear(e, tell[0], pids, n);
    if (wrong)
        printf("%s: ended with %s\n", e->name, wrong);
    if (answers() < 0)
        printf("%s: nothing answers\n", e->name);
    kill_groups(pids, n);
    close(tell[0]);
    close(tell[1]);
    if (e->clean)
        e->clean();
    if (!memory_is_back(before))
        printf("%s: lost %ld of %ld kB\n", e->name, before - free_memory(), before);
}

int main(int argc, char **argv)
{
    bool all = getenv("exhaust") != NULL;

    if (argc > 0 && strcmp(argv[0], "answer") == 0)
        return 0;
    put("/proc/self/oom_score_adj", "-1000");
    put("/proc/sys/vm/overcommit_memory", "1");
    DIE_UNLESS(mkdir("m", 0755) == 0 && mount("none", "m", "tmpfs", 0, NULL) == 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (all || !table[i].slow) {
            if (all)
                put_name(table[i].name);
            exhaust(&table[i]);
        }
    printf("all is over\n");
    umount2("m", MNT_DETACH);
    put("/proc/sys/vm/overcommit_memory", "0");
    return 0;
}
