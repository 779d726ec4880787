/*
 * userfaultfd: missing pages that a thread of the program serves, what is refused, who waits.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include "guest.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define PAGES 8

static char *area;
static char fill[4 * PAGE] __attribute__((aligned(PAGE)));

static int new_fd(int flags)
{
    return syscall(SYS_userfaultfd, flags);
}

static int api(int fd, uint64_t features)
{
    struct uffdio_api a = {.api = UFFD_API, .features = features};

    return ioctl(fd, UFFDIO_API, &a);
}

static int registers(int fd, void *at, size_t len, uint64_t mode)
{
    struct uffdio_register r = {.range = {(unsigned long)at, len}, .mode = mode};

    return ioctl(fd, UFFDIO_REGISTER, &r);
}

static int unregisters(int fd, void *at, size_t len)
{
    struct uffdio_range r = {(unsigned long)at, len};

    return ioctl(fd, UFFDIO_UNREGISTER, &r);
}

static int wakes(int fd, void *at, size_t len)
{
    struct uffdio_range r = {(unsigned long)at, len};

    return ioctl(fd, UFFDIO_WAKE, &r);
}

static long long copied;

static int copies(int fd, void *to, const void *from, size_t len, uint64_t mode)
{
    struct uffdio_copy c = {(unsigned long)to, (unsigned long)from, len, mode, 77};
    int r = ioctl(fd, UFFDIO_COPY, &c);

    copied = c.copy;
    return r;
}

static int zeroes(int fd, void *at, size_t len, uint64_t mode)
{
    struct uffdio_zeropage z = {{(unsigned long)at, len}, mode, 77};
    int r = ioctl(fd, UFFDIO_ZEROPAGE, &z);

    copied = z.zeropage;
    return r;
}

/* A served area of PAGES pages: its descriptor. */
static int served(int flags, uint64_t features)
{
    int fd = new_fd(flags);

    DIE_UNLESS(fd >= 0 && api(fd, features) == 0);
    area = map_anon(PAGES);
    DIE_UNLESS(registers(fd, area, PAGES * PAGE, UFFDIO_REGISTER_MODE_MISSING) == 0);
    return fd;
}

static void end(int fd)
{
    close(fd);
    munmap(area, PAGES * PAGE);
}

/* Waits for a fault, and shows it; the page. */
static char *await_fault(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    struct uffd_msg m;

    if (fcntl(fd, F_GETFL) & O_NONBLOCK)
        DIE_UNLESS(poll(&p, 1, -1) == 1 && p.revents == POLLIN);
    DIE_UNLESS(read(fd, &m, sizeof(m)) == sizeof(m));
    printf("event %x, flags %llx, page %lld, thread %d\n", m.event, m.arg.pagefault.flags,
           (long long)(m.arg.pagefault.address - (unsigned long)area) / PAGE,
           m.arg.pagefault.feat.ptid == (unsigned)getpid());
    return (char *)(long)m.arg.pagefault.address;
}

/* ---- What is refused ---- */

static void refused(void)
{
    struct uffdio_api a = {.api = UFFD_API, .features = 1ull << 40};
    struct pollfd p = {0, POLLIN, 0};
    int fd = new_fd(O_NONBLOCK);
    char buf[64];

    printf("-- refused\n");
    DIE_UNLESS(fd >= 0);
    SHOW(new_fd(0x10000000));
    area = map_anon(PAGES);
    SHOW(registers(fd, area, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(read(fd, buf, sizeof(buf)));
    p.fd = fd;
    SHOW(poll(&p, 1, 0));
    printf("%x\n", p.revents);
    SHOW(ioctl(fd, UFFDIO_API, 8));
    SHOW(ioctl(fd, UFFDIO_API, &a));
    printf("%llx %llx\n", a.api, a.features);
    a = (struct uffdio_api){.api = 0x55};
    SHOW(ioctl(fd, UFFDIO_API, &a));
    SHOW(api(fd, 0));
    SHOW(api(fd, 0));
    SHOW(poll(&p, 1, 0));
    SHOW(read(fd, buf, sizeof(buf)));
    SHOW(read(fd, buf, 31));
    SHOW(write(fd, buf, 1));
    SHOW(ioctl(fd, 0x1234, 0));
    SHOW(registers(fd, area, PAGE, 0));
    SHOW(registers(fd, area, PAGE, 1 << 10));
    SHOW(registers(fd, area + 1, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(registers(fd, area, PAGE + 1, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(registers(fd, area, 0, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(registers(fd, NULL, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(ioctl(fd, UFFDIO_REGISTER, 8));
    munmap(area + PAGE, PAGE);
    SHOW(registers(fd, area + PAGE, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(registers(fd, area, 3 * PAGE, UFFDIO_REGISTER_MODE_MISSING)); /* with a hole */
    int other = new_fd(0);
    DIE_UNLESS(api(other, 0) == 0);
    SHOW(registers(other, area, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(registers(fd, area, PAGE, UFFDIO_REGISTER_MODE_MISSING)); /* again */
    SHOW(unregisters(fd, area, 3 * PAGE));
    SHOW(registers(other, area, PAGE, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(unregisters(other, area + 1, PAGE));
    close(other);
    close(fd);
    munmap(area, PAGES * PAGE);
}

/* ---- Giving pages ---- */

static void giving(void)
{
    int fd = served(O_NONBLOCK, 0);

    printf("-- giving\n");
    memset(fill, 'x', PAGE);
    memset(fill + PAGE, 'y', PAGE);
    SHOW(copies(fd, area, fill, 2 * PAGE, 0));
    printf("%lld: %c %c\n", copied / PAGE, area[0], area[2 * PAGE - 1]);
    SHOW(copies(fd, area, fill, PAGE, 0));
    printf("%s\n", error_name(-copied));
    SHOW(copies(fd, area + 3 * PAGE, fill, PAGE, 0));
    SHOW(copies(fd, area + 2 * PAGE, fill, 2 * PAGE, 0)); /* the second is there */
    printf("%lld\n", copied / PAGE);
    SHOW(copies(fd, fill, fill, PAGE, 0));
    printf("%s\n", error_name(-copied));
    SHOW(copies(fd, area + (PAGES - 1) * PAGE, fill, 2 * PAGE, 0));
    SHOW(copies(fd, area + 4 * PAGE, (void *)8, PAGE, 0));
    printf("%s\n", error_name(-copied));
    SHOW(copies(fd, area + 4 * PAGE, fill, 100, 0));
    SHOW(copies(fd, area + 4 * PAGE, fill, 0, 0));
    SHOW(copies(fd, area + 4 * PAGE, fill, PAGE, 1 << 10));
    SHOW(copies(fd, area + 4 * PAGE, fill + 5, PAGE, 0)); /* from anywhere */
    SHOW(zeroes(fd, area + 5 * PAGE, PAGE, 0));
    printf("%lld: %d\n", copied / PAGE, area[5 * PAGE]);
    SHOW(zeroes(fd, area + 5 * PAGE, PAGE, 0));
    printf("%s\n", error_name(-copied));
    SHOW(zeroes(fd, fill, PAGE, 0));
    SHOW(zeroes(fd, area + 6 * PAGE, PAGE, 4));
    SHOW(wakes(fd, area, PAGE));
    SHOW(wakes(fd, area + 1, PAGE));
    area[PAGE] = 'z'; /* as any other */
    printf("%c %c\n", area[PAGE], area[PAGE + 1]);
    end(fd);
}

static void *serve_some(void *arg)
{
    int fd = (long)arg;

    for (int i = 0; i < 5; i++) {
        char *page = await_fault(fd);

        memset(fill, 'a' + i, PAGE);
        DIE_UNLESS(copies(fd, page, fill, PAGE, 0) == 0);
    }
    return NULL;
}

static void serving(int flags)
{
    int fd = served(flags, UFFD_FEATURE_THREAD_ID), pipes[2];
    pthread_t t;

    printf("-- serving\n");
    DIE_UNLESS(pipe(pipes) == 0);
    pthread_create(&t, NULL, serve_some, (void *)(long)fd);
    printf("read %c\n", ((volatile char *)area)[3 * PAGE + 5]);
    ((volatile char *)area)[PAGE] = 'W';
    printf("written %c, then %c\n", area[PAGE], area[PAGE + 1]);
    SHOW(write(pipes[1], area + 5 * PAGE, 1)); /* by the kernel */
    SHOW(read(pipes[0], area + 6 * PAGE, 1));
    printf("%c %c\n", area[6 * PAGE], area[6 * PAGE + 1]);
    madvise(area + PAGE, PAGE, MADV_DONTNEED);
    printf("again %c\n", ((volatile char *)area)[PAGE]);
    pthread_join(t, NULL);
    close(pipes[0]);
    close(pipes[1]);
    end(fd);
}

/* ---- Who waits ---- */

static volatile int arrived, handled;

static void *touches(void *arg)
{
    volatile char *p = arg;
    int c = *p;

    __atomic_store_n(&arrived, 1 + c, __ATOMIC_SEQ_CST);
    return NULL;
}

static void waiting(void)
{
    int fd = served(O_NONBLOCK, 0);
    pthread_t t;

    printf("-- waiting\n");
    memset(fill, 'b', PAGE);
    arrived = 0;
    pthread_create(&t, NULL, touches, area);
    await_fault(fd);
    SHOW(copies(fd, area, fill, PAGE, UFFDIO_COPY_MODE_DONTWAKE));
    usleep(3000);
    printf("arrived %d\n", arrived);
    SHOW(wakes(fd, area, PAGE));
    pthread_join(t, NULL);
    printf("arrived %d\n", arrived);

    arrived = 0;
    pthread_create(&t, NULL, touches, area + PAGE);
    await_fault(fd);
    SHOW(wakes(fd, area + PAGE, PAGE)); /* without a page: it asks again */
    await_fault(fd);
    SHOW(unregisters(fd, area, PAGES * PAGE));
    pthread_join(t, NULL);
    printf("not served any more: %d\n", arrived);

    SHOW(registers(fd, area, PAGES * PAGE, UFFDIO_REGISTER_MODE_MISSING));
    arrived = 0;
    pthread_create(&t, NULL, touches, area + 2 * PAGE);
    await_fault(fd);
    close(fd);
    pthread_join(t, NULL);
    printf("closed: %d\n", arrived);
    munmap(area, PAGES * PAGE);
}

static void on_signal(int signo)
{
    (void)signo;
    handled = 1;
}

/* A signal is handled before the page comes; then it asks again. */
static void interrupted(void)
{
    int fd = served(O_NONBLOCK, 0);
    pthread_t t;

    printf("-- interrupted\n");
    signal(SIGUSR1, on_signal);
    memset(fill, 'c', PAGE);
    arrived = handled = 0;
    pthread_create(&t, NULL, touches, area);
    await_fault(fd);
    pthread_kill(t, SIGUSR1);
    await_fault(fd);
    printf("handled %d, arrived %d\n", handled, arrived);
    SHOW(copies(fd, area, fill, PAGE, 0));
    pthread_join(t, NULL);
    printf("arrived %d\n", arrived);
    end(fd);
}

static void killed(void)
{
    int status, pipes[2];
    pid_t pid;

    printf("-- killed\n");
    DIE_UNLESS(pipe(pipes) == 0);
    pid = fork();
    if (pid == 0) {
        int fd = served(O_NONBLOCK, 0);
        pthread_t t;

        pthread_create(&t, NULL, touches, area);
        await_fault(fd);
        DIE_UNLESS(write(pipes[1], "x", 1) == 1);
        (void)!read(pipes[0], area + PAGE, 1); /* the byte that is there: it waits, too */
        _exit(1);
    }
    usleep(1000);
    struct pollfd p = {pipes[0], POLLIN, 0};
    DIE_UNLESS(poll(&p, 1, -1) == 1);
    usleep(3000);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    print_status("child", status);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- Instead of waiting ---- */

static sigjmp_buf back;
static volatile int caught;

static void on_bus(int signo)
{
    caught = signo;
    siglongjmp(back, 1);
}

static void try_page(volatile char *p)
{
    caught = 0;
    if (sigsetjmp(back, 1) == 0)
        (void)*p;
    printf("%s\n", caught ? sigabbrev_np(caught) : "no signal");
}

static void sigbus(void)
{
    int fd = served(O_NONBLOCK, UFFD_FEATURE_SIGBUS), pipes[2];

    printf("-- SIGBUS\n");
    DIE_UNLESS(pipe(pipes) == 0);
    signal(SIGBUS, on_bus);
    try_page(area);
    SHOW(write(pipes[1], area, 1));
    SHOW(zeroes(fd, area, PAGE, 0));
    try_page(area);
    end(fd);
    printf("-- user mode only\n");
    fd = served(O_NONBLOCK | UFFD_USER_MODE_ONLY, 0);
    SHOW(write(pipes[1], area, 1));
    pthread_t t;
    pthread_create(&t, NULL, touches, area);
    await_fault(fd);
    SHOW(zeroes(fd, area, PAGE, 0));
    pthread_join(t, NULL);
    printf("arrived %d\n", arrived);
    end(fd);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- Others ---- */

static void forks(void)
{
    int fd = served(O_NONBLOCK, 0), status;
    char *moved;

    printf("-- fork, mremap\n");
    memset(fill, 'd', PAGE);
    SHOW(copies(fd, area, fill, PAGE, 0));
    if (fork() == 0) {
        printf("child %c %d\n", area[0], area[PAGE]);
        SHOW(copies(fd, area + 2 * PAGE, fill, PAGE, 0)); /* its parent's page */
        printf("child %d\n", area[2 * PAGE]);
        _exit(0);
    }
    wait(&status);
    printf("parent %c\n", area[2 * PAGE]);
    moved =
        mremap(area, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 0x400000);
    DIE_UNLESS(moved != MAP_FAILED);
    printf("moved %c %d\n", moved[0], moved[PAGE]); /* not served there */
    SHOW(copies(fd, moved + 3 * PAGE, fill, PAGE, 0));
    area = moved;
    end(fd);
}

static void as_user(void)
{
    int status;

    printf("-- another user\n");
    if (fork() == 0) {
        DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
        SHOW(new_fd(0));
        SHOW(new_fd(UFFD_USER_MODE_ONLY) >= 0);
        _exit(0);
    }
    wait(&status);
}

/* The line of smaps that tells what kind of area it is. */
static void seen(void)
{
    int fd = served(O_NONBLOCK, 0);
    char line[256], start[16];
    FILE *f = fopen("/proc/self/smaps", "r");
    bool in = false;

    printf("-- seen\n");
    snprintf(start, sizeof(start), "%08lx-", (unsigned long)area);
    while (f && fgets(line, sizeof(line), f)) {
        in = in || !strncmp(line, start, strlen(start));
        if (in && !strncmp(line, "VmFlags:", 8)) {
            printf("%s", line);
            break;
        }
    }
    fclose(f);
    end(fd);
}

int main(void)
{
    refused();
    giving();
    serving(O_NONBLOCK);
    serving(0);
    waiting();
    interrupted();
    killed();
    sigbus();
    forks();
    as_user();
    seen();
    return 0;
}
