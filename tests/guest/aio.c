/* io_setup and kin: requests on files and pipes, events, limits, every error. */
#include "guest.h"
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

static int file, pipe_ends[2];
static char buf[2 * PAGE];

static long setup(unsigned count, aio_context_t *id)
{
    return syscall(SYS_io_setup, count, id);
}

static long submit(aio_context_t id, long count, struct iocb **list)
{
    return syscall(SYS_io_submit, id, count, list);
}

static long events(aio_context_t id, long least, long most, struct io_event *e,
                   struct timespec *limit)
{
    return syscall(SYS_io_getevents, id, least, most, e, limit);
}

static struct iocb request(int opcode, int fd, void *at, size_t len, long long offset)
{
    return (struct iocb){.aio_lio_opcode = opcode,
                         .aio_fildes = fd,
                         .aio_buf = (uintptr_t)at,
                         .aio_nbytes = len,
                         .aio_offset = offset,
                         .aio_data = 77};
}

/* Submits one and prints what is said of it, and its event. */
static void one(aio_context_t id, const char *what, struct iocb r)
{
    struct timespec now = {0, 0};
    struct iocb *list[] = {&r};
    struct io_event e = {0};

    r.aio_key = 5;
    errno = 0;
    printf("%s: %s", what, submit(id, 1, list) == 1 ? "taken" : error_name(errno));
    if (events(id, 0, 1, &e, &now) == 1)
        printf(", event: %lld, data %llu, %s, key %u", e.res, e.data,
               e.obj == (uintptr_t)&r ? "of the request" : "of another", r.aio_key);
    puts("");
}

static void transfers(aio_context_t id)
{
    struct iovec parts[] = {{buf, 3}, {buf + 10, 4}, {NULL, 0}};

    memset(buf, 'w', sizeof(buf));
    one(id, "write", request(IOCB_CMD_PWRITE, file, buf, 100, 0));
    one(id, "write far", request(IOCB_CMD_PWRITE, file, buf, 10, 8192));
    one(id, "read", request(IOCB_CMD_PREAD, file, buf, 200, 50));
    one(id, "read at the end", request(IOCB_CMD_PREAD, file, buf, 200, 8202));
    one(id, "read nothing", request(IOCB_CMD_PREAD, file, buf, 0, 0));
    one(id, "write a vector", request(IOCB_CMD_PWRITEV, file, parts, 3, 4));
    one(id, "read a vector", request(IOCB_CMD_PREADV, file, parts, 2, 8200));
    one(id, "sync", request(IOCB_CMD_FSYNC, file, NULL, 0, 0));
    one(id, "sync data", request(IOCB_CMD_FDSYNC, file, NULL, 0, 0));
    one(id, "write to a pipe", request(IOCB_CMD_PWRITE, pipe_ends[1], buf, 5, 99));
    one(id, "read from a pipe", request(IOCB_CMD_PREAD, pipe_ends[0], buf, 50, 0));
    SHOW(lseek(file, 0, SEEK_CUR));
}

static void wrong_requests(aio_context_t id)
{
    struct iocb r = request(IOCB_CMD_PREAD, file, buf, 10, 0);
    struct iocb *list[] = {&r, NULL};
    int reader = open("file", O_RDONLY), writer = open("file", O_WRONLY);
    int null = open("/dev/null", O_RDWR), full = open("/dev/full", O_RDWR);

    one(id, "no such file", request(IOCB_CMD_PREAD, 500, buf, 1, 0));
    one(id, "write what is only read", request(IOCB_CMD_PWRITE, reader, buf, 1, 0));
    one(id, "read what is only written", request(IOCB_CMD_PREAD, writer, buf, 1, 0));
    one(id, "negative offset", request(IOCB_CMD_PREAD, file, buf, 1, -1));
    one(id, "kernel address", request(IOCB_CMD_PREAD, file, (void *)0xfffff000, 1, 0));
    one(id, "no memory there", request(IOCB_CMD_PREAD, file, (void *)0x1000, 1, 0));
    one(id, "opcode 4", request(4, file, buf, 1, 0));
    one(id, "opcode 6", request(6, file, buf, 1, 0));
    one(id, "opcode 99", request(99, file, buf, 1, 0));
    one(id, "sync with a buffer", request(IOCB_CMD_FSYNC, file, buf, 0, 0));
    one(id, "sync a pipe", request(IOCB_CMD_FSYNC, pipe_ends[1], NULL, 0, 0));
    one(id, "a vector nowhere", request(IOCB_CMD_PREADV, file, (void *)8, 1, 0));
    one(id, "a negative length", request(IOCB_CMD_PREAD, file, buf, -1, 0));
    r.aio_reserved2 = 1;
    one(id, "reserved field", r);
    r.aio_reserved2 = 0;
    r.aio_rw_flags = RWF_NOWAIT;
    one(id, "not waiting for a file in memory", r);
    r.aio_fildes = null;
    one(id, "nor for the null device", r);
    one(id, "a device that is no vector's", request(IOCB_CMD_PWRITE, full, buf, 1, 0));
    r.aio_fildes = file;
    r.aio_rw_flags = 0x8000;
    one(id, "unknown flag", r);
    r.aio_rw_flags = 0;
    SHOW(submit(id, 2, list));
    SHOW(submit(id, 1, list + 1));
    SHOW(submit(id, 0, list));
    SHOW(submit(id, -1, list));
    SHOW(submit(id, 1, (void *)8));
    SHOW(submit(id + PAGE, 1, list));
    SHOW(submit(0, 1, list));
    close(reader);
    close(writer);
}

static void notification(aio_context_t id)
{
    struct iocb r = request(IOCB_CMD_PWRITE, file, buf, 10, 0);
    int counter = eventfd(0, EFD_NONBLOCK);
    uint64_t n = 0;

    r.aio_flags = IOCB_FLAG_RESFD;
    r.aio_resfd = counter;
    one(id, "with an eventfd", r);
    one(id, "again", r);
    SHOW(read(counter, &n, sizeof(n)));
    printf("counted %llu\n", (unsigned long long)n);
    r.aio_resfd = file;
    one(id, "told to a file", r);
    r.aio_resfd = -1;
    one(id, "told to nobody", r);
}

static void fetching(aio_context_t id)
{
    struct timespec now = {0, 0}, soon = {0, 20000000};
    struct iocb r = request(IOCB_CMD_PREAD, file, buf, 1, 0);
    struct iocb *list[] = {&r, &r, &r};
    struct io_event e[4];

    SHOW(events(id, 0, 1, e, &now));
    SHOW(events(id, 1, 1, e, &soon));
    SHOW(submit(id, 3, list));
    SHOW(events(id, 1, 2, e, NULL));
    SHOW(events(id, 2, 4, e, &soon));
    SHOW(events(id, 2, 1, e, &now));
    SHOW(events(id, -1, 1, e, &now));
    SHOW(events(id, 0, 0, e, &now));
    SHOW(events(id + PAGE, 0, 1, e, &now));
    SHOW(events(id, 0, 1, e, (void *)8));
    SHOW(submit(id, 1, list));
    SHOW(events(id, 1, 1, (void *)8, &now));
    SHOW(events(id, 1, 1, e, &now));
    SHOW(syscall(SYS_io_pgetevents, id, 0, 1, e, &now, NULL));
    SHOW(syscall(SYS_io_pgetevents, id, 0, 1, e, &now, 8));
    SHOW(syscall(SYS_io_pgetevents, id, 0, 1, e, &now, (long[]){(long)buf, 7}));
    SHOW(syscall(SYS_io_cancel, id, &r, e));
    SHOW(syscall(SYS_io_cancel, id, 8, e));
}

static void *submit_later(void *arg)
{
    struct iocb r = request(IOCB_CMD_PREAD, file, buf, 1, 0);
    struct iocb *list[] = {&r};

    usleep(20000);
    submit(*(aio_context_t *)arg, 1, list);
    return NULL;
}

static void on_alarm(int signo)
{
    (void)signo;
}

static void waiting(aio_context_t id)
{
    struct sigaction act = {.sa_handler = on_alarm};
    struct itimerval it = {{0, 0}, {0, 20000}};
    struct io_event e;
    sigset_t all;
    pthread_t t;

    pthread_create(&t, NULL, submit_later, &id);
    SHOW(events(id, 1, 1, &e, NULL));
    pthread_join(t, NULL);
    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &it, NULL);
    SHOW(events(id, 1, 1, &e, NULL));
    sigfillset(&all);
    setitimer(ITIMER_REAL, &it, NULL);
    SHOW(syscall(SYS_io_pgetevents, id, 1, 1, &e, &(struct timespec){0, 50000000},
                 (long[]){(long)&all, 8}));
}

/* The ring holds so many and no more; what the program takes out by itself makes room. */
static void full_ring(void)
{
    struct iocb r = request(IOCB_CMD_PREAD, file, buf, 1, 0);
    struct iocb *list[] = {&r};
    struct timespec now = {0, 0};
    struct io_event e;
    aio_context_t id = 0;
    unsigned *ring, n = 0;

    SHOW(setup(1, &id));
    ring = (unsigned *)id;
    printf("ring: %u events, head %u, tail %u, magic %x, %u %u, header %u\n", ring[1], ring[2],
           ring[3], ring[4], ring[5], ring[6], ring[7]);
    while (n < 1000 && submit(id, 1, list) == 1)
        n++;
    printf("then %s, room for enough: %d\n", error_name(errno), n > 100); /* by processors */
    ring[2]++;
    SHOW(submit(id, 1, list));
    SHOW(submit(id, 1, list));
    SHOW(events(id, 0, 1, &e, &now));
    SHOW(submit(id, 1, list));
    SHOW(syscall(SYS_io_destroy, id));
}

static unsigned setting(const char *name)
{
    FILE *f = fopen(name, "r");
    unsigned n = 0;

    DIE_UNLESS(f && fscanf(f, "%u", &n) == 1);
    fclose(f);
    return n;
}

static void in_another(void *arg)
{
    struct timespec now = {0, 0};
    struct io_event e;

    SHOW(events(*(aio_context_t *)arg, 0, 1, &e, &now));
}

static void contexts(void)
{
    aio_context_t id = 0, other = 1;
    unsigned most = setting("/proc/sys/fs/aio-max-nr");

    printf("limit %u\n", most);
    SHOW(setup(0, &id));
    SHOW(setup(10, &other));
    SHOW(setup(10, (void *)8));
    SHOW(setup(-1, &id));
    SHOW(setup(most + 1, &id));
    SHOW(setup(10, &id));
    printf("asked for: %u\n", setting("/proc/sys/fs/aio-nr"));
    in_child("another process", in_another, &id);
    other = 0;
    SHOW(setup(10, &other));
    printf("%s\n", id == other ? "the same" : "two contexts");
    SHOW(syscall(SYS_io_destroy, other));
    SHOW(syscall(SYS_io_destroy, other));
    SHOW(syscall(SYS_io_destroy, 0));
    SHOW(syscall(SYS_io_destroy, -1));
    SHOW(syscall(SYS_io_destroy, id));
    printf("left: %u\n", setting("/proc/sys/fs/aio-nr"));
}

int main(void)
{
    aio_context_t id = 0;

    file = open("file", O_CREAT | O_RDWR, 0600);
    DIE_UNLESS(file >= 0 && pipe(pipe_ends) == 0);
    SHOW(setup(8, &id));
    transfers(id);
    wrong_requests(id);
    SHOW(syscall(SYS_io_destroy, id));
    id = 0;
    DIE_UNLESS(setup(8, &id) == 0);
    notification(id);
    fetching(id);
    waiting(id);
    SHOW(syscall(SYS_io_destroy, id));
    full_ring();
    contexts();
    return 0;
}
