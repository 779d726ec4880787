/*
 * userfaultfd: missing pages of shared memory. They are missing in the object, for whoever maps it
 * served; who maps it otherwise, or reads the file, makes them.
 */
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/shm.h>
#include "guest.h"

#define PAGES 8

static char fill[PAGE] __attribute__((aligned(PAGE)));
static char *area;
static int fd;

static void start(void)
{
    struct uffdio_api a = {.api = UFFD_API, .features = UFFD_FEATURE_MISSING_SHMEM};

    fd = syscall(SYS_userfaultfd, O_NONBLOCK);
    DIE_UNLESS(fd >= 0);
    SHOW(ioctl(fd, UFFDIO_API, &a));
    printf("shared memory %d\n", !!(a.features & UFFD_FEATURE_MISSING_SHMEM));
}

static int registers(void *at, size_t len, uint64_t mode)
{
    struct uffdio_register r = {.range = {(unsigned long)at, len}, .mode = mode};
    int err = ioctl(fd, UFFDIO_REGISTER, &r);

    if (!err)
        printf("ioctls %llx\n", r.ioctls);
    return err;
}

static long long copied;

static int copies(void *to, char c)
{
    struct uffdio_copy r = {(unsigned long)to, (unsigned long)fill, PAGE, 0, 77};
    int err;

    memset(fill, c, PAGE);
    err = ioctl(fd, UFFDIO_COPY, &r);
    copied = r.copy;
    return err;
}

static int zeroes(void *at)
{
    struct uffdio_zeropage z = {{(unsigned long)at, PAGE}, 0, 77};

    return ioctl(fd, UFFDIO_ZEROPAGE, &z);
}

static bool await_fault(void)
{
    struct pollfd p = {fd, POLLIN, 0};
    struct uffd_msg m;

    if (poll(&p, 1, 2000) != 1 || read(fd, &m, sizeof(m)) != sizeof(m))
        return false;
    printf("event %x, flags %llx, page %lld\n", m.event, m.arg.pagefault.flags,
           (long long)(m.arg.pagefault.address - (unsigned long)area) / PAGE);
    return true;
}

/* ---- Who touches ---- */

static void *reads(void *arg)
{
    return (void *)(long)*(volatile char *)arg;
}

static void *writes(void *arg)
{
    *(volatile char *)arg = 'w';
    return NULL;
}

static void served(const char *what, int page, void *(*touch)(void *))
{
    pthread_t t;
    void *got;

    pthread_create(&t, NULL, touch, area + page * PAGE);
    DIE_UNLESS(await_fault());
    SHOW(copies(area + page * PAGE, 'a' + page));
    pthread_join(t, &got);
    printf("%s: %d, now %c%c\n", what, (int)(long)got, area[page * PAGE], area[page * PAGE + 1]);
}

static int in_file(int file, int page)
{
    char c = '?';

    DIE_UNLESS(pread(file, &c, 1, page * PAGE) == 1);
    return c;
}

/* ---- Kinds of memory ---- */

static void of_file(void)
{
    int file = memfd_create("served", 0);
    char *other;

    printf("-- a file\n");
    DIE_UNLESS(file >= 0 && ftruncate(file, (PAGES - 1) * PAGE) == 0);
    area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    other = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    DIE_UNLESS(area != MAP_FAILED && other != MAP_FAILED);
    DIE_UNLESS(pwrite(file, "file", 4, 0) == 4);
    SHOW(registers(area, PAGES * PAGE, UFFDIO_REGISTER_MODE_MISSING));
    printf("%c, there before\n", area[0]);
    served("read", 1, reads);
    served("write", 2, writes);
    printf("in the file %c %c, in the other %c\n", in_file(file, 1), in_file(file, 2), other[PAGE]);
    SHOW(copies(area + PAGE, 'x'));
    printf("%s\n", error_name(-copied));
    SHOW(zeroes(area + 3 * PAGE));
    printf("%d %d\n", area[3 * PAGE], in_file(file, 3));
    SHOW(zeroes(area + 3 * PAGE));
    printf("a hole of the file: %d\n", in_file(file, 4)); /* makes no page */
    other[4 * PAGE] = 'o';
    printf("by the other: %c\n", area[4 * PAGE]);
    SHOW(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE));
    served("again", 1, reads);
    SHOW(copies(area + (PAGES - 1) * PAGE, 'x')); /* behind the end */
    catch_faults();
    if (sigsetjmp(fault_jump, 1) == 0)
        reads(area + (PAGES - 1) * PAGE);
    printf("behind the end: %s\n", sigabbrev_np(fault_info.si_signo));
    munmap(other, PAGES * PAGE);
    munmap(area, PAGES * PAGE);
    close(file);
}

static void of_private_copies(void)
{
    int file = memfd_create("served", 0);

    printf("-- private\n");
    DIE_UNLESS(file >= 0 && ftruncate(file, (PAGES - 1) * PAGE) == 0);
    DIE_UNLESS(pwrite(file, "file", 4, 0) == 4);
    area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    SHOW(registers(area, PAGES * PAGE, UFFDIO_REGISTER_MODE_MISSING));
    printf("%c\n", area[0]);
    served("read", 1, reads);
    served("write", 2, writes);
    printf("in the file %d %d\n", in_file(file, 1), in_file(file, 2));
    SHOW(copies(area + (PAGES - 1) * PAGE, 'x')); /* behind the end */
    munmap(area, PAGES * PAGE);
    close(file);
}

static void of_nobody(void)
{
    int id = shmget(IPC_PRIVATE, PAGES * PAGE, 0600), status;

    printf("-- without a name\n");
    area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    SHOW(registers(area, PAGES * PAGE, UFFDIO_REGISTER_MODE_MISSING));
    served("read", 1, reads);
    if (fork() == 0) { /* the child is not served */
        printf("child %c %d\n", area[PAGE], area[2 * PAGE]);
        area[3 * PAGE] = 'c';
        _exit(0);
    }
    wait(&status);
    printf("parent %d %c\n", area[2 * PAGE], area[3 * PAGE]);
    munmap(area, PAGES * PAGE);
    printf("-- System V\n"); /* not shared memory in this sense */
    area = shmat(id, NULL, 0);
    DIE_UNLESS(area != (void *)-1 && shmctl(id, IPC_RMID, NULL) == 0);
    SHOW(registers(area, PAGES * PAGE, UFFDIO_REGISTER_MODE_MISSING));
    shmdt(area);
}

static void refused(void)
{
    int file = open("/proc/self/fd/0", O_RDONLY), readable;

    printf("-- refused\n");
    close(file);
    file = memfd_create("read", 0);
    DIE_UNLESS(ftruncate(file, PAGE) == 0);
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    readable = open(path, O_RDONLY);
    DIE_UNLESS(readable >= 0);
    area = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, readable, 0);
    DIE_UNLESS(area != MAP_FAILED);
    SHOW(registers(area, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    munmap(area, PAGE);
    area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    SHOW(registers(area, PAGE, 4)); /* minor faults: of 64-bit processors */
    munmap(area, PAGE);
    close(readable);
    close(file);
}

int main(void)
{
    start();
    of_file();
    of_private_copies();
    of_nobody();
    refused();
    return 0;
}
