/*
 * For the tests of I/O errors: what a program sees when a disk fails. Prints one line for each
 * request that failed as it should; whatever is wrong says so.
 *
 *     io_errors DIR
 *         DIR/data has 64 pages, whose number 20 cannot be read and number 40 not written
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE      4096
#define PAGES     64
#define BAD_READ  20
#define BAD_WRITE 40

static sigjmp_buf out;
static volatile int code;

static void caught(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    code = info->si_code;
    siglongjmp(out, 1);
}

static void show(const char *what, long r)
{
    printf("%s: %s\n", what, r < 0 ? strerror(errno) : "ok");
}

static void reading(int fd)
{
    static char buf[PAGES * PAGE];

    show("pread before", pread(fd, buf, PAGE, (BAD_READ - 1) * PAGE));
    show("pread", pread(fd, buf, PAGE, BAD_READ * PAGE));
    printf("pread over it: %ld\n", (long)pread(fd, buf, 4 * PAGE, (BAD_READ - 2) * PAGE));
    show("pread after", pread(fd, buf, PAGE, (BAD_READ + 1) * PAGE));
}

static void mapping(int fd)
{
    volatile char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct sigaction sa = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};

    sigaction(SIGBUS, &sa, NULL);
    if (sigsetjmp(out, 1) == 0) {
        printf("a load: %d\n", p[BAD_READ * PAGE]);
    } else {
        printf("a load: SIGBUS %s\n", code == BUS_ADRERR ? "BUS_ADRERR" : "?");
    }
    if (sigsetjmp(out, 1) == 0) {
        p[BAD_READ * PAGE] = 1;
        puts("a store: done");
    } else {
        puts("a store: SIGBUS");
    }
    if (sigsetjmp(out, 1) == 0)
        printf("a neighbour: %d\n", p[(BAD_READ + 2) * PAGE]);
    show("a call", write(1, (const char *)p + BAD_READ * PAGE, 1));
    p[BAD_WRITE * PAGE] = 77;
    show("msync", msync((void *)(p + BAD_WRITE * PAGE), PAGE, MS_SYNC));
    printf("it stays what it was: %d\n", p[BAD_WRITE * PAGE]);
}

static void writing(int fd)
{
    static char buf[PAGE];

    memset(buf, 66, sizeof(buf));
    show("pwrite", pwrite(fd, buf, PAGE, BAD_WRITE * PAGE));
    show("fsync", fsync(fd));
    show("fsync again", fsync(fd)); /* the page is still dirty */
    show("fdatasync", fdatasync(fd));
    memset(buf, 0, sizeof(buf));
    show("pread", pread(fd, buf, PAGE, BAD_WRITE * PAGE));
    printf("it is %d\n", buf[0]);
    show("sync_file_range", sync_file_range(fd, BAD_WRITE * PAGE, PAGE, SYNC_FILE_RANGE_WRITE | 4));
}

int main(int argc, char **argv)
{
    int fd = argc > 1 && chdir(argv[1]) == 0 ? open("data", O_RDWR) : -1;

    if (fd < 0)
        return 1;
    reading(fd);
    writing(fd);
    mapping(fd);
    return 0;
}
