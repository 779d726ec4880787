/*
 * POSIX message queues: opening, names, order, waiting, notification, limits, the file system.
 */
#include <dirent.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include "guest.h"
#include "states.h"

#define NAME "/guest-queue"

static mqd_t queue(int flags, long messages, long bytes)
{
    struct mq_attr a = {.mq_maxmsg = messages, .mq_msgsize = bytes};
    mqd_t q;

    mq_unlink(NAME);
    q = mq_open(NAME, O_CREAT | O_EXCL | flags, 0600, &a);
    DIE_UNLESS(q != (mqd_t)-1);
    return q;
}

static mqd_t open_with(const char *name, int flags, mode_t mode, long messages, long bytes)
{
    struct mq_attr a = {.mq_maxmsg = messages, .mq_msgsize = bytes};

    return mq_open(name, flags, mode, &a);
}

static void done(mqd_t q)
{
    mq_close(q);
    mq_unlink(NAME);
}

static void show_open(const char *what, mqd_t q)
{
    printf("%s: %s\n", what, q == (mqd_t)-1 ? error_name(errno) : "ok");
    if (q != (mqd_t)-1)
        mq_close(q);
}

/* ---- Names ---- */

static long raw_open(const char *name, int flags)
{
    return syscall(SYS_mq_open, name, flags, 0600, NULL);
}

static void names(void)
{
    char longest[300];
    struct mq_attr a;
    struct stat st;
    mqd_t q;

    printf("-- names\n");
    mq_unlink(NAME);
    show_open("none there", mq_open(NAME, O_RDWR));
    show_open("made", mq_open(NAME, O_RDWR | O_CREAT, 0640, NULL));
    show_open("there", mq_open(NAME, O_RDONLY));
    show_open("exclusive", mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
    show_open("both modes", mq_open(NAME, 3));
    SHOW(raw_open("", O_RDWR));
    SHOW(raw_open(".", O_RDWR));
    SHOW(raw_open("..", O_RDWR | O_CREAT));
    SHOW(raw_open("/x", O_RDWR | O_CREAT));
    SHOW(raw_open("a/b", O_RDWR | O_CREAT));
    SHOW(raw_open(NULL, O_RDWR));
    memset(longest, 'n', sizeof(longest));
    longest[256] = '\0';
    SHOW(raw_open(longest, O_RDWR | O_CREAT));
    longest[255] = '\0';
    SHOW(raw_open(longest, O_RDWR | O_CREAT) >= 0);
    SHOW(syscall(SYS_mq_unlink, longest));
    q = mq_open(NAME, O_RDWR);
    DIE_UNLESS(fstat(q, &st) == 0 && mq_getattr(q, &a) == 0);
    printf("mode %o, %ld bytes, links %d, close-on-exec %d\n", st.st_mode, (long)st.st_size,
           (int)st.st_nlink, fcntl(q, F_GETFD));
    printf("flags %lx, %ld of %ld messages of %ld\n", a.mq_flags, a.mq_curmsgs, a.mq_maxmsg,
           a.mq_msgsize);
    SHOW(mq_unlink(NAME));
    SHOW(mq_unlink(NAME));
    SHOW(mq_send(q, "still there", 11, 0));
    DIE_UNLESS(fstat(q, &st) == 0);
    printf("links %d\n", (int)st.st_nlink);
    SHOW(mq_close(q));
    SHOW(mq_close(q));
    SHOW(mq_unlink("no slash"));
}

static void sizes(void)
{
    printf("-- sizes\n");
    show_open("none", open_with(NAME, O_CREAT | O_RDWR, 0600, 0, 10));
    show_open("no bytes", open_with(NAME, O_CREAT | O_RDWR, 0600, 1, 0));
    show_open("negative", open_with(NAME, O_CREAT | O_RDWR, 0600, -1, 10));
    show_open("too many", open_with(NAME, O_CREAT | O_RDWR, 0600, 65537, 1));
    show_open("too long", open_with(NAME, O_CREAT | O_RDWR, 0600, 1, (16 << 20) + 1));
    show_open("fits", open_with(NAME, O_CREAT | O_RDWR, 0600, 10, 8192));
    SHOW(syscall(SYS_mq_open, "x", O_RDWR | O_CREAT, 0600, 8));
    mq_unlink(NAME);
}

/* ---- Messages ---- */

static void show_next(mqd_t q)
{
    char buf[64] = "";
    unsigned priority = 99;
    long n = mq_receive(q, buf, sizeof(buf), &priority);

    if (n < 0)
        printf("receive: %s\n", error_name(errno));
    else
        printf("received %ld \"%.*s\" priority %u\n", n, (int)n, buf, priority);
}

static void order(void)
{
    mqd_t q = queue(O_RDWR | O_NONBLOCK, 6, 64);
    struct mq_attr a;

    printf("-- order\n");
    SHOW(mq_send(q, "low", 3, 1));
    SHOW(mq_send(q, "first of 5", 10, 5));
    SHOW(mq_send(q, "second of 5", 11, 5));
    SHOW(mq_send(q, "", 0, 32767));
    SHOW(mq_send(q, "lowest", 6, 0));
    SHOW(mq_send(q, "third of 5", 10, 5));
    SHOW(mq_send(q, "no room", 7, 9));
    mq_getattr(q, &a);
    printf("%ld messages, flags %lx\n", a.mq_curmsgs, a.mq_flags);
    for (int i = 0; i < 7; i++)
        show_next(q);
    done(q);
}

/* In and out, so that every place of the queue is used in every order. */
static void many(void)
{
    mqd_t q = queue(O_RDWR | O_NONBLOCK, 10, 4);
    unsigned last[2] = {~0u, 0}, priority, bad = 0, seed = 1, next = 0, count = 0, n;

    printf("-- many\n");
    for (int round = 0; round < 300; round++) {
        for (unsigned i = 0; i < (seed >> 20) % 11; i++, next++) {
            seed = seed * 1103515245 + 12345;
            if (mq_send(q, (char *)&next, 4, seed >> 16 & 3))
                break;
        }
        last[0] = ~0u;
        for (unsigned i = 0; i < (seed >> 12) % 11; i++) {
            if (mq_receive(q, (char *)&n, 4, &priority) != 4)
                break;
            bad += priority > last[0] || (priority == last[0] && n <= last[1]);
            last[0] = priority;
            last[1] = n;
            count++;
        }
        seed = seed * 1103515245 + 12345;
    }
    while (mq_receive(q, (char *)&n, 4, &priority) == 4)
        count++;
    printf("%u came of %u, %u out of order\n", count, next, bad);
    done(q);
}

static void big(void)
{
    mqd_t q = queue(O_RDWR | O_NONBLOCK, 2, 8192);
    char *a = malloc(8192), *b = malloc(8192);

    printf("-- big\n");
    for (int i = 0; i < 8192; i++)
        a[i] = i * 7;
    SHOW(mq_send(q, a, 8192, 0));
    SHOW(mq_send(q, a, 4093, 0));
    SHOW(mq_receive(q, b, 8192, NULL));
    printf("the same %d\n", memcmp(a, b, 8192) == 0);
    SHOW(mq_receive(q, b, 8192, NULL));
    printf("the same %d\n", memcmp(a, b, 4093) == 0);
    done(q);
    free(a);
    free(b);
}

static void errors(void)
{
    mqd_t q = queue(O_RDWR | O_NONBLOCK, 2, 64), r = mq_open(NAME, O_RDONLY),
          w = mq_open(NAME, O_WRONLY);
    struct timespec bad = {0, 81920000};
    int other = open("/dev/null", O_RDWR);
    char buf[64], small[63];

    printf("-- errors\n");
    SHOW(mq_send(q, buf, 65, 0));
    SHOW(mq_send(q, buf, 1, 32768));
    SHOW(mq_send(r, buf, 1, 0));
    SHOW(mq_send(other, buf, 1, 0));
    SHOW(mq_send(-1, buf, 1, 0));
    SHOW(syscall(SYS_mq_timedsend, q, 8, 4, 0, NULL));
    SHOW(syscall(SYS_mq_timedsend, q, buf, 4, 0, 8));
    SHOW(syscall(SYS_mq_timedsend, -1, buf, 4, 99999, &bad));
    SHOW(mq_receive(w, buf, 64, NULL));
    SHOW(mq_receive(other, buf, 64, NULL));
    SHOW(mq_receive(q, small, sizeof(small), NULL));
    SHOW(mq_receive(q, buf, 64, NULL));
    SHOW(mq_send(q, "x", 1, 3));
    SHOW(syscall(SYS_mq_timedreceive, q, 8, 64, NULL, NULL)); /* and the message is lost */
    SHOW(mq_receive(q, buf, 64, NULL));
    SHOW(mq_getattr(other, (struct mq_attr *)buf));
    SHOW(syscall(SYS_mq_getsetattr, q, NULL, 8));
    SHOW(syscall(SYS_mq_getsetattr, q, 8, NULL));
    SHOW(mq_setattr(q, &(struct mq_attr){.mq_flags = O_APPEND}, NULL));
    SHOW(write(q, "x", 1));
    SHOW(lseek(q, 0, SEEK_SET));
    SHOW(ftruncate(q, 0));
    SHOW(mmap(NULL, 4096, PROT_READ, MAP_SHARED, q, 0) == MAP_FAILED ? -1 : 0);
    mq_close(r);
    mq_close(w);
    close(other);
    done(q);
}

/* ---- Waiting ---- */

static void timeouts(void)
{
    mqd_t q = queue(O_RDWR, 1, 64);
    struct timespec past = {1, 0}, bad = {0, -1}, soon;
    struct mq_attr a, nonblock = {.mq_flags = O_NONBLOCK};
    char buf[64];

    printf("-- timeouts\n");
    SHOW(mq_timedreceive(q, buf, 64, NULL, &past));
    SHOW(mq_timedreceive(q, buf, 64, NULL, &bad));
    SHOW(mq_timedsend(q, "a", 1, 0, &past)); /* there is room: nobody looks at the time */
    SHOW(mq_timedsend(q, "b", 1, 0, &past));
    SHOW(mq_timedreceive(q, buf, 64, NULL, &past));
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 20000000;
    if (soon.tv_nsec >= 81920000) {
        soon.tv_nsec -= 81920000;
        soon.tv_sec++;
    }
    SHOW(mq_timedreceive(q, buf, 64, NULL, &soon));
    SHOW(mq_setattr(q, &nonblock, &a));
    printf("flags were %lx\n", a.mq_flags);
    SHOW(mq_receive(q, buf, 64, NULL));
    SHOW(fcntl(q, F_GETFL) & O_NONBLOCK);
    done(q);
}

/* Those who wait are served in the order in which they came. */
static void waiters(void)
{
    mqd_t q = queue(O_RDWR, 1, 64);
    pid_t pid[3];
    int status;
    char buf[64];

    printf("-- who waits\n");
    for (int i = 0; i < 3; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            long n = mq_receive(q, buf, 64, NULL);
            _exit(n == 1 ? buf[0] : 99);
        }
        until_state(pid[i], 'S');
    }
    SHOW(mq_send(q, "\1", 1, 0));
    SHOW(mq_send(q, "\2", 1, 0));
    SHOW(mq_send(q, "\3", 1, 0));
    for (int i = 0; i < 3; i++) {
        waitpid(pid[i], &status, 0);
        printf("the %d. got %d\n", i + 1, WEXITSTATUS(status));
    }
    SHOW(mq_send(q, "\4", 1, 0));
    for (int i = 0; i < 2; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            _exit(mq_send(q, i ? "\6" : "\5", 1, i) ? 99 : 0);
        until_state(pid[i], 'S');
    }
    for (int i = 0; i < 3; i++) {
        DIE_UNLESS(mq_receive(q, buf, 64, NULL) == 1);
        printf("received %d\n", buf[0]);
    }
    for (int i = 0; i < 2; i++) {
        waitpid(pid[i], &status, 0);
        printf("sender %d\n", WEXITSTATUS(status));
    }
    done(q);
}

static void on_signal(int signo)
{
    (void)signo;
}

/* The handler ends the call, or it starts again. */
static void interrupted(int flags)
{
    mqd_t q = queue(O_RDWR, 1, 64);
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = flags};
    int status;
    char buf[64];
    pid_t pid = fork();

    if (pid == 0) {
        sigaction(SIGUSR1, &act, NULL);
        long n = mq_receive(q, buf, 64, NULL);
        _exit(n == 3 ? 1 : n < 0 && errno == EINTR ? 2 : 3);
    }
    until_state(pid, 'S');
    kill(pid, SIGUSR1);
    if (flags) {
        usleep(1000);
        until_state(pid, 'S');
        DIE_UNLESS(mq_send(q, "abc", 3, 0) == 0);
    }
    waitpid(pid, &status, 0);
    print_status(flags ? "restarted" : "interrupted", status);
    done(q);
}

static void polling(void)
{
    mqd_t q = queue(O_RDWR | O_NONBLOCK, 1, 64);
    struct pollfd p = {q, POLLIN | POLLOUT, 0};
    struct epoll_event e = {EPOLLIN | EPOLLET, {0}};
    int set = epoll_create1(0);
    char buf[64];

    printf("-- poll\n");
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, q, &e));
    SHOW(poll(&p, 1, 0));
    printf("%x\n", p.revents);
    SHOW(epoll_wait(set, &e, 1, 0));
    SHOW(mq_send(q, "x", 1, 0));
    SHOW(poll(&p, 1, 0));
    printf("%x\n", p.revents);
    SHOW(epoll_wait(set, &e, 1, 0));
    SHOW(mq_receive(q, buf, 64, NULL));
    if (fork() == 0) {
        usleep(5000);
        _exit(mq_send(q, "y", 1, 0));
    }
    p.events = POLLIN;
    SHOW(poll(&p, 1, -1));
    printf("%x\n", p.revents);
    wait(NULL);
    close(set);
    done(q);
}

/* ---- Notification ---- */

static void show_signal(void)
{
    sigset_t set;
    siginfo_t info;
    struct timespec none = {0, 0};

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    if (sigtimedwait(&set, &info, &none) < 0)
        printf("no signal\n");
    else
        printf("signal, code %d, from us %d, value %d\n", info.si_code, info.si_pid == getpid(),
               info.si_value.sival_int);
}

static void notification(void)
{
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    mqd_t q = queue(O_RDWR | O_NONBLOCK, 4, 64);
    int other = open("/dev/null", O_RDWR);
    char buf[64], text[81];
    sigset_t set;
    long n;
    int fd;

    printf("-- notification\n");
    e.sigev_value.sival_int = 42;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    SHOW(mq_notify(q, &e));
    SHOW(mq_notify(q, &e));
    n = read(q, text, sizeof(text));
    printf("%.*s, ends %d\n", 17, text, n == 80 || n == 73 ? 0 : (int)n);
    printf("%s", strstr(text, "NOTIFY:") ? "" : "no state\n");
    printf("SIGNO %.2s ours %d\n", strstr(text, "SIGNO:") + 6,
           atoi(strstr(text, "NOTIFY_PID:") + 11) == getpid());
    SHOW(mq_send(q, "a", 1, 0));
    show_signal();
    SHOW(mq_receive(q, buf, 64, NULL));
    SHOW(mq_send(q, "once only", 9, 0));
    show_signal();
    SHOW(mq_notify(q, &e));
    SHOW(mq_send(q, "not into an empty one", 21, 0));
    show_signal();
    SHOW(mq_notify(q, NULL));
    SHOW(mq_notify(q, NULL));
    SHOW(mq_receive(q, buf, 64, NULL));
    SHOW(mq_receive(q, buf, 64, NULL));
    SHOW(mq_notify(q, &e));
    fd = dup(q);
    close(fd); /* any of its descriptors that is closed */
    SHOW(mq_send(q, "a", 1, 0));
    show_signal();
    SHOW(mq_receive(q, buf, 64, NULL));
    SHOW(mq_notify(q, &e));
    if (fork() == 0) {
        SHOW(mq_notify(q, &e));
        SHOW(mq_notify(q, NULL)); /* not its own: stays */
        SHOW(mq_send(q, "from a child", 12, 0));
        _exit(0);
    }
    wait(NULL);
    {
        siginfo_t info;
        struct timespec none = {0, 0};

        printf("got %d", sigtimedwait(&set, &info, &none));
        printf(" code %d from another %d\n", info.si_code, info.si_pid != getpid());
    }
    SHOW(mq_receive(q, buf, 64, NULL));
    e.sigev_notify = SIGEV_NONE;
    SHOW(mq_notify(q, &e));
    SHOW(mq_send(q, "a", 1, 0));
    show_signal();
    SHOW(mq_receive(q, buf, 64, NULL));
    e.sigev_notify = 7;
    SHOW(mq_notify(q, &e));
    e.sigev_notify = SIGEV_SIGNAL;
    e.sigev_signo = 65;
    SHOW(mq_notify(q, &e));
    e.sigev_signo = SIGUSR1;
    SHOW(mq_notify(other, &e));
    SHOW(mq_notify(-1, &e));
    SHOW(syscall(SYS_mq_notify, q, 8));
    e.sigev_notify = SIGEV_THREAD;
    e.sigev_value.sival_ptr = buf;
    e.sigev_signo = other;
    SHOW(syscall(SYS_mq_notify, q, &e));
    e.sigev_signo = -1;
    SHOW(syscall(SYS_mq_notify, q, &e));
    e.sigev_value.sival_ptr = (void *)8;
    SHOW(syscall(SYS_mq_notify, q, &e));
    /* Who waits is served before anybody is told. */
    e.sigev_notify = SIGEV_SIGNAL;
    e.sigev_signo = SIGUSR1;
    SHOW(mq_notify(q, &e));
    pid_t pid = fork();
    if (pid == 0) {
        mqd_t blocking = mq_open(NAME, O_RDWR);
        _exit(mq_receive(blocking, buf, 64, NULL) == 1 ? 0 : 1);
    }
    until_state(pid, 'S');
    SHOW(mq_send(q, "a", 1, 0));
    wait(NULL);
    show_signal();
    SHOW(mq_send(q, "a", 1, 0));
    show_signal();
    close(other);
    done(q);
}

/* ---- Users ---- */

static void as_user(void)
{
    struct rlimit none = {0, 0};
    mqd_t q = queue(O_RDWR, 1, 64);
    int status;
    pid_t pid;

    printf("-- another user\n");
    mq_close(q);
    pid = fork();
    if (pid == 0) {
        DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
        show_open("root's", mq_open(NAME, O_RDONLY));
        SHOW(mq_unlink(NAME));
        show_open("its own", open_with("/own-queue", O_CREAT | O_RDWR, 0200, 10, 8192));
        show_open("may not read", mq_open("/own-queue", O_RDONLY));
        show_open("may write", mq_open("/own-queue", O_WRONLY));
        SHOW(mq_unlink("/own-queue"));
        show_open("more than the limit", open_with("/own-queue", O_CREAT | O_RDWR, 0600, 11, 10));
        show_open("longer", open_with("/own-queue", O_CREAT | O_RDWR, 0600, 1, 8193));
        setrlimit(RLIMIT_MSGQUEUE, &none);
        show_open("no memory for queues", mq_open("/own-queue", O_CREAT | O_RDWR, 0600, NULL));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    mq_unlink(NAME);
}

/* What a user has is given back when the queue is gone. */
static void charged(void)
{
    int made = 0, again = 0;
    char name[32];
    mqd_t q[100];

    printf("-- limit of bytes\n");
    if (fork() == 0) {
        DIE_UNLESS(setgid(1234) == 0 && setuid(1234) == 0);
        for (; made < 100; made++) {
            snprintf(name, sizeof(name), "/charged-%d", made);
            q[made] = mq_open(name, O_CREAT | O_RDWR, 0600, NULL);
            if (q[made] == (mqd_t)-1)
                break;
        }
        printf("after 9 there is no more: %d, %s\n", made, error_name(errno));
        for (int i = 0; i < made; i++) {
            snprintf(name, sizeof(name), "/charged-%d", i);
            mq_unlink(name);
        }
        show_open("still open", mq_open("/charged", O_CREAT | O_RDWR, 0600, NULL));
        for (int i = 0; i < made; i++)
            again += mq_close(q[i]) == 0;
        show_open("closed", mq_open("/charged", O_CREAT | O_RDWR, 0600, NULL));
        mq_unlink("/charged");
        _exit(0);
    }
    wait(NULL);
}

/* ---- The file system ---- */

static void show_directory(const char *where)
{
    DIR *d = opendir(where);
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (strncmp(e->d_name, "guest-", 6) == 0)
            printf("there is %s, type %d\n", e->d_name, e->d_type);
    if (d)
        closedir(d);
}

static void file_system(void)
{
    char text[100] = "";
    struct statfs fs;
    struct stat st;
    mqd_t q = queue(O_RDWR, 4, 64);
    int fd;

    printf("-- file system\n");
    mkdir("mq", 0755);
    DIE_UNLESS(mount("none", "mq", "mqueue", 0, NULL) == 0);
    DIE_UNLESS(stat("mq", &st) == 0 && statfs("mq", &fs) == 0);
    printf("mode %o, links %d, type %lx\n", st.st_mode, (int)st.st_nlink, (long)fs.f_type);
    show_directory("mq");
    SHOW(mq_send(q, "abcde", 5, 0));
    fd = open("mq/guest-queue", O_RDONLY);
    DIE_UNLESS(fd >= 0 && read(fd, text, sizeof(text)) > 0);
    printf("%.16s\n", text);
    SHOW(read(fd, text, sizeof(text)));
    close(fd);
    fd = open("mq/guest-made", O_CREAT | O_RDWR, 0640);
    SHOW(fd >= 0);
    SHOW(mq_send(fd, "as good as any", 14, 0));
    close(fd);
    show_open("by its name", mq_open("/guest-made", O_RDWR));
    DIE_UNLESS(stat("mq/guest-made", &st) == 0);
    printf("mode %o, %ld bytes\n", st.st_mode, (long)st.st_size);
    SHOW(chmod("mq/guest-made", 0600));
    DIE_UNLESS(stat("mq/guest-made", &st) == 0);
    printf("mode %o\n", st.st_mode);
    SHOW(rename("mq/guest-made", "mq/other"));
    SHOW(mkdir("mq/dir", 0700));
    SHOW(symlink("x", "mq/link"));
    SHOW(unlink("mq/guest-made"));
    SHOW(access("mq/guest-made", F_OK));
    SHOW(mq_unlink(NAME));
    SHOW(access("mq/guest-queue", F_OK));
    SHOW(umount("mq"));
    mq_close(q);
}

static long setting(const char *name)
{
    return number_in("/proc/sys/fs/mqueue/%s", name);
}

int main(void)
{
    umask(022);
    printf("%ld %ld %ld %ld %ld\n", setting("queues_max"), setting("msg_max"),
           setting("msgsize_max"), setting("msg_default"), setting("msgsize_default"));
    names();
    sizes();
    order();
    many();
    big();
    errors();
    timeouts();
    waiters();
    interrupted(0);
    interrupted(SA_RESTART);
    polling();
    notification();
    as_user();
    charged();
    file_system();
    return 0;
}
