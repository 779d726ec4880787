/* Answers that few programs ask for: hints, clones of files, flags of one transfer, the ends of
 * texts in /proc, SIGIO of inotify, waiting for a context of aio that goes. */
#include "guest.h"
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <linux/capability.h>
#include <pthread.h>

CHANGES_THE_MACHINE("/proc/sys/kernel");

#ifndef F_GET_RW_HINT
#define F_GET_RW_HINT 1035
#define F_SET_RW_HINT 1036
#endif

static void hints(void)
{
    int fd = make_file("f", 100), path = open("f", O_PATH), pipes[2];
    unsigned long long hint = 7;

    SHOW(fcntl(fd, F_GET_RW_HINT, &hint));
    printf("hint %llu\n", hint);
    hint = 5;
    SHOW(fcntl(fd, F_SET_RW_HINT, &hint));
    hint = 6;
    SHOW(fcntl(fd, F_SET_RW_HINT, &hint));
    SHOW(fcntl(fd, F_SET_RW_HINT, (void *)8));
    SHOW(fcntl(fd, F_GET_RW_HINT, (void *)8));
    close(fd);
    fd = open("f", O_RDONLY);
    SHOW(fcntl(fd, F_GET_RW_HINT, &hint));
    printf("hint %llu\n", hint);
    SHOW(fcntl(path, F_GET_RW_HINT, &hint));
    DIE_UNLESS(pipe(pipes) == 0);
    SHOW(fcntl(pipes[0], F_GET_RW_HINT, &hint));
    SHOW(fcntl(fd, 1037, &hint));
    close(fd);
    close(path);
}

static void clones(void)
{
    struct file_clone_range r = {.src_fd = -1};
    char room[24 + 32] = "";
    struct file_dedupe_range *d = (void *)room;
    int a = make_file("a", 100), b = make_file("b", 100), dir = open(".", O_RDONLY), pipes[2];
    int in = open("a", O_RDONLY), out = open("b", O_WRONLY), end = open("b", O_WRONLY | O_APPEND);

    DIE_UNLESS(pipe(pipes) == 0);
    SHOW(ioctl(b, FICLONE, a));
    SHOW(ioctl(b, FICLONE, -1));
    SHOW(ioctl(b, FICLONE, dir));
    SHOW(ioctl(dir, FICLONE, a));
    SHOW(ioctl(b, FICLONE, pipes[0]));
    SHOW(ioctl(in, FICLONE, b));
    SHOW(ioctl(b, FICLONE, out));
    SHOW(ioctl(end, FICLONE, a));
    SHOW(ioctl(b, FICLONERANGE, &r));
    SHOW(ioctl(b, FICLONERANGE, (void *)8));
    r.src_fd = a;
    SHOW(ioctl(b, FICLONERANGE, &r));
    d->dest_count = 1;
    d->info[0].dest_fd = b;
    SHOW(ioctl(a, FIDEDUPERANGE, d));
    SHOW(ioctl(out, FIDEDUPERANGE, d));
    SHOW(ioctl(dir, FIDEDUPERANGE, d));
    SHOW(ioctl(pipes[0], FIDEDUPERANGE, d));
    SHOW(ioctl(a, FIDEDUPERANGE, (void *)8));
    d->reserved1 = 1;
    SHOW(ioctl(a, FIDEDUPERANGE, d));
    d->reserved1 = 0;
    d->dest_count = 200;
    SHOW(ioctl(a, FIDEDUPERANGE, d) < 0 && errno != ENOTTY);
}

static void transfers(void)
{
    char buf[8];
    struct iovec v = {buf, sizeof(buf)}, none = {buf, 0};
    int fd = open("f", O_RDONLY), pipes[2];

    DIE_UNLESS(pipe(pipes) == 0);
    SHOW(preadv2(fd, &v, 1, 0, 0));
    SHOW(preadv2(fd, &v, 1, 0, 0x100));
    SHOW(preadv2(fd, &v, 1, -1, 0x100));
    SHOW(preadv2(fd, &none, 1, 0, 0x100));
    SHOW(preadv2(fd, &v, 0, 0, 0x100));
    SHOW(preadv2(-1, &v, 1, 0, 0x100));
    SHOW(preadv2(fd, (void *)8, 1, 0, 0x100));
    SHOW(preadv2(fd, &v, 2000, 0, 0x100));
    SHOW(preadv2(pipes[0], &v, 1, 0, 0x100));
    SHOW(pwritev2(fd, &v, 1, 0, 0x100));
    SHOW(preadv2(fd, &v, 1, -2, 0x100));
}

static void end_of(const char *path)
{
    int fd = open(path, O_RDONLY);

    DIE_UNLESS(fd >= 0);
    printf("%s: ", path);
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(lseek(fd, 5, SEEK_SET));
    SHOW(lseek(fd, 5, SEEK_CUR));
    SHOW(lseek(fd, -1, SEEK_SET));
    SHOW(lseek(fd, 0, 9));
    close(fd);
}

static volatile int told;

static void on_io(int signo)
{
    (void)signo;
    told++;
}

static void watching(void)
{
    int fd = inotify_init1(IN_NONBLOCK);

    signal(SIGIO, on_io);
    DIE_UNLESS(inotify_add_watch(fd, ".", IN_CREATE) >= 0);
    SHOW(fcntl(fd, F_SETOWN, getpid()));
    SHOW(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
    printf("flags %x\n", fcntl(fd, F_GETFL));
    close(open("new", O_CREAT | O_WRONLY, 0600));
    printf("told %d\n", told);
    SHOW(fcntl(fd, F_SETFL, 0));
    close(open("new2", O_CREAT | O_WRONLY, 0600));
    printf("told %d\n", told);
    close(fd);
}

static aio_context_t context;

static void *wait_for_events(void *unused)
{
    struct io_event e;

    (void)unused;
    SHOW(syscall(SYS_io_getevents, context, 1, 1, &e, NULL));
    return NULL;
}

static void ending(void)
{
    pthread_t t;

    DIE_UNLESS(syscall(SYS_io_setup, 4, &context) == 0);
    DIE_UNLESS(pthread_create(&t, NULL, wait_for_events, NULL) == 0);
    usleep(100000);
    syscall(SYS_io_destroy, context);
    pthread_join(t, NULL);
}

static void next_ids(void *unused)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {{0}};
    int fd = open("/proc/sys/kernel/msg_next_id", O_WRONLY);

    (void)unused;
    DIE_UNLESS(fd >= 0);
    SHOW(write(fd, "-1", 2) == 2 || errno == EINVAL);
    DIE_UNLESS(syscall(SYS_capset, &h, d) == 0);
    SHOW(write(fd, "7", 1));
}

int main(void)
{
    DIE_UNLESS(mkdir("/tmp/answers", 0755) == 0 && chdir("/tmp/answers") == 0);
    hints();
    clones();
    transfers();
    end_of("/proc/uptime");
    end_of("/proc/self/status");
    end_of("/proc/self/mounts");
    end_of("/proc/sys/kernel/ostype");
    watching();
    ending();
    in_child("without capabilities", next_ids, NULL);
    return 0;
}
