/* IOCB_CMD_POLL: requests of asynchronous I/O that wait for files; their end, what is told, errors.
 */
#include "guest.h"
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static aio_context_t id;

static struct iocb request(int fd, unsigned events)
{
    return (struct iocb){.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = fd, .aio_buf = events};
}

static void submit(const char *what, struct iocb *r)
{
    struct iocb *list[] = {r};

    errno = 0;
    printf("%s: %s\n", what,
           syscall(SYS_io_submit, id, 1, list) == 1 ? "taken" : error_name(errno));
}

/* The events that come within so many milliseconds. */
static void show(const char *what, struct iocb *first, int ms)
{
    struct timespec limit = {ms / 1000, ms % 1000 * 1000000};
    struct io_event e;

    printf("%s:", what);
    while (syscall(SYS_io_getevents, id, 1, 1, &e, &limit) == 1) {
        struct iocb *r = (struct iocb *)(uintptr_t)e.obj;

        printf(" request %d: %llx;", (int)(r - first), e.res & (r->aio_buf | POLLERR | POLLHUP));
        limit.tv_nsec = 0;
    }
    puts("");
}

static void pipes(void)
{
    struct iocb r[3];
    int p[2];
    char c;

    DIE_UNLESS(pipe(p) == 0);
    r[0] = request(p[0], POLLIN);
    r[1] = request(p[1], POLLOUT | POLLIN);
    r[2] = request(p[0], POLLIN | POLLPRI);
    submit("empty", &r[0]);
    submit("room", &r[1]);
    show("before", r, 10);
    write(p[1], "x", 1);
    show("written to", r, 1000);
    show("once", r, 10);
    submit("full", &r[2]);
    show("at once", r, 1000);
    read(p[0], &c, 1);
    submit("empty again", &r[0]);
    submit("twice", &r[0]);
    close(p[1]);
    show("no writers", r, 1000);
    close(p[0]);
}

static void others(void)
{
    struct itimerspec soon = {.it_value = {0, 10000000}};
    struct iocb r[5];
    int s[2], e = eventfd(0, EFD_NONBLOCK), t = timerfd_create(CLOCK_MONOTONIC, 0),
              set = epoll_create1(0);
    struct epoll_event in = {.events = EPOLLIN};
    uint64_t one = 1;

    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    epoll_ctl(set, EPOLL_CTL_ADD, s[0], &in);
    r[0] = request(s[0], POLLIN);
    r[1] = request(e, POLLIN);
    r[2] = request(t, POLLIN);
    r[3] = request(set, POLLIN);
    r[4] = request(s[0], POLLIN | POLLRDHUP);
    for (int i = 0; i < 4; i++)
        submit("a file", &r[i]);
    show("quiet", r, 10);
    write(e, &one, sizeof(one));
    show("eventfd", r, 1000);
    timerfd_settime(t, 0, &soon, NULL);
    show("timer", r, 1000);
    r[0].aio_buf = POLLPRI;
    submit("a pair", &r[4]);
    shutdown(s[1], SHUT_WR);
    struct timespec limit = {1, 0};
    struct io_event got[3];
    SHOW(syscall(SYS_io_getevents, id, 3, 3, got, &limit));
    close(s[0]), close(s[1]), close(e), close(t), close(set);
}

static void told(void)
{
    int counter = eventfd(0, EFD_NONBLOCK), p[2];
    struct iocb r;
    uint64_t n = 0;

    DIE_UNLESS(pipe(p) == 0);
    r = request(p[0], POLLIN);
    r.aio_flags = IOCB_FLAG_RESFD;
    r.aio_resfd = counter;
    submit("with an eventfd", &r);
    SHOW(read(counter, &n, sizeof(n)));
    write(p[1], "x", 1);
    SHOW(poll(&(struct pollfd){counter, POLLIN, 0}, 1, 1000));
    SHOW(read(counter, &n, sizeof(n)));
    printf("counted %llu\n", (unsigned long long)n);
    show("event", &r, 1000);
    submit("ready", &r);
    SHOW(read(counter, &n, sizeof(n)));
    show("event", &r, 1000);
    close(p[0]), close(p[1]), close(counter);
}

static void cancelled(void)
{
    struct io_event e;
    struct iocb r, other;
    int p[2];

    DIE_UNLESS(pipe(p) == 0);
    r = other = request(p[0], POLLIN);
    submit("to be cancelled", &r);
    SHOW(syscall(SYS_io_cancel, id, &other, &e));
    SHOW(syscall(SYS_io_cancel, id + PAGE, &r, &e));
    r.aio_key = 1;
    SHOW(syscall(SYS_io_cancel, id, &r, &e));
    r.aio_key = 0;
    SHOW(syscall(SYS_io_cancel, id, &r, NULL));
    show("its event", &r, 1000);
    SHOW(syscall(SYS_io_cancel, id, &r, &e));
    write(p[1], "x", 1);
    show("nothing more", &r, 10);
    close(p[0]), close(p[1]);
}

static void wrong(void)
{
    int p[2], both, file = open("file", O_CREAT | O_RDWR, 0600);
    struct iocb r;

    DIE_UNLESS(pipe(p) == 0 && mkfifo("fifo", 0600) == 0);
    both = open("fifo", O_RDWR);
    r = request(500, POLLIN);
    submit("no such file", &r);
    r = request(p[0], POLLIN | 0x10000);
    submit("events of more than 16 bits", &r);
    r = request(p[0], POLLIN);
    r.aio_nbytes = 1;
    submit("a length", &r);
    r = request(p[0], POLLIN);
    r.aio_offset = 1;
    submit("an offset", &r);
    r = request(p[0], POLLIN);
    r.aio_rw_flags = 1;
    submit("flags", &r);
    r = request(p[0], POLLIN);
    r.aio_flags = IOCB_FLAG_RESFD;
    r.aio_resfd = p[0];
    submit("told to a pipe", &r);
    r = request(both, POLLIN);
    submit("two queues", &r);
    r = request(both, POLLIN | POLLOUT);
    submit("two queues, ready", &r);
    show("its event", &r, 1000);
    r = request(file, POLLIN);
    submit("what is always ready", &r);
    show("its event", &r, 1000);
    r = request(file, POLLPRI);
    submit("what never is", &r);
    r = request(p[0], 0);
    submit("no events", &r);
    close(p[1]);
    show("but its end", &r, 1000);
    close(p[0]), close(both), close(file);
}

/* What is closed is waited for all the same; what is destroyed is not. */
static void ends(void)
{
    int counter = eventfd(0, EFD_NONBLOCK), p[2];
    uint64_t n = 0;
    struct iocb r;
    pid_t pid;

    DIE_UNLESS(pipe(p) == 0);
    r = request(p[0], POLLIN);
    r.aio_flags = IOCB_FLAG_RESFD;
    r.aio_resfd = counter;
    submit("closed soon", &r);
    close(p[0]);
    write(p[1], "x", 1);
    SHOW(poll(&(struct pollfd){counter, POLLIN, 0}, 1, 1000));
    SHOW(read(counter, &n, sizeof(n)));
    show("its event", &r, 1000);
    signal(SIGPIPE, SIG_IGN);
    poll(&(struct pollfd){p[1], 0, 0}, 1, 1000); /* the request lets go of its file */
    SHOW(write(p[1], "x", 1));
    close(p[1]);

    DIE_UNLESS(pipe(p) == 0);
    pid = fork();
    if (pid == 0) {
        aio_context_t mine = 0;
        struct iocb *list[] = {&r};

        r = request(p[0], POLLIN);
        syscall(SYS_io_setup, 4, &mine);
        _exit(syscall(SYS_io_submit, mine, 1, list) != 1);
    }
    int status;
    waitpid(pid, &status, 0);
    print_status("a process that ends meanwhile", status);
    r = request(p[0], POLLIN);
    r.aio_flags = IOCB_FLAG_RESFD;
    r.aio_resfd = counter;
    submit("of a context that goes", &r);
    SHOW(syscall(SYS_io_destroy, id));
    SHOW(poll(&(struct pollfd){counter, POLLIN, 0}, 1, 100));
    close(p[0]);
    usleep(20000);
    SHOW(write(p[1], "x", 1));
    close(p[1]);
    id = 0;
    DIE_UNLESS(syscall(SYS_io_setup, 8, &id) == 0);
    SHOW(munmap((void *)id, PAGE));
    SHOW(syscall(SYS_io_destroy, id));
}

int main(void)
{
    DIE_UNLESS(syscall(SYS_io_setup, 8, &id) == 0);
    pipes();
    others();
    told();
    cancelled();
    wrong();
    ends();
    return 0;
}
