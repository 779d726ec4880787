/*
 * userfaultfd: pages that are protected, which Linux has on 64-bit processors alone.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include "guest.h"

#define PAGES 8

static char *area;
static int fd;
static volatile int arrived;

static int protects(void *at, size_t len, uint64_t mode)
{
    struct uffdio_writeprotect w = {{(unsigned long)at, len}, mode};

    return ioctl(fd, UFFDIO_WRITEPROTECT, &w);
}

static void *stores(void *arg)
{
    volatile char *p = arg;

    *p = 's';
    __atomic_store_n(&arrived, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void await_fault(void)
{
    struct pollfd p = {fd, POLLIN, 0};
    struct uffd_msg m;

    DIE_UNLESS(poll(&p, 1, -1) == 1 && read(fd, &m, sizeof(m)) == sizeof(m));
    printf("event %x, flags %llx, page %lld\n", m.event, m.arg.pagefault.flags,
           (long long)(m.arg.pagefault.address - (unsigned long)area) / PAGE);
}

/* A store waits until the page is not protected any more. */
static void store(int page)
{
    pthread_t t;

    arrived = 0;
    pthread_create(&t, NULL, stores, area + page * PAGE);
    await_fault();
    usleep(2000);
    printf("arrived %d, holds %d\n", arrived, area[page * PAGE]);
    SHOW(protects(area + page * PAGE, PAGE, 0));
    pthread_join(t, NULL);
    printf("arrived %d, holds %c\n", arrived, area[page * PAGE]);
}

int main(void)
{
    struct uffdio_api a = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
    struct uffdio_register r;
    struct uffdio_copy c;
    char fill[PAGE] = "f";
    int status, pipes[2];

    fd = syscall(SYS_userfaultfd, O_NONBLOCK);
    DIE_UNLESS(fd >= 0 && ioctl(fd, UFFDIO_API, &a) == 0 && pipe(pipes) == 0);
    area = map_anon(PAGES);
    for (int i = 0; i < PAGES; i++)
        if (i != 5)
            area[i * PAGE] = i;
    r = (struct uffdio_register){{(unsigned long)area, PAGES * PAGE},
                                 UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING,
                                 0};
    SHOW(protects(area, PAGE, UFFDIO_WRITEPROTECT_MODE_WP));
    SHOW(ioctl(fd, UFFDIO_REGISTER, &r));
    SHOW(protects(area, 4 * PAGE, UFFDIO_WRITEPROTECT_MODE_WP));
    SHOW(protects(area, 4 * PAGE, 3));
    SHOW(protects(area, 4 * PAGE, 4));
    SHOW(protects(area + 1, PAGE, 1));
    SHOW(protects(area - PAGE, PAGE, 1) == -1);
    printf("reading is free: %d %d\n", area[PAGE], area[2 * PAGE]);
    area[6 * PAGE] = 9;
    store(1);
    store(2);
    area[PAGE] = 't'; /* for good */
    SHOW(write(pipes[1], "k", 1));
    c = (struct uffdio_copy){(unsigned long)(area + 5 * PAGE), (unsigned long)fill, PAGE,
                             UFFDIO_COPY_MODE_WP, 0};
    SHOW(ioctl(fd, UFFDIO_COPY, &c));
    store(5);
    if (fork() == 0) { /* nothing is served in a child */
        area[3 * PAGE] = 'c';
        printf("child %c\n", area[3 * PAGE]);
        _exit(0);
    }
    wait(&status);
    store(3); /* and still protected here */
    SHOW(protects(area, PAGES * PAGE, UFFDIO_WRITEPROTECT_MODE_WP));
    close(fd);
    memset(area, 'e', PAGES * PAGE);
    printf("the end %c\n", area[0]);
    return 0;
}
