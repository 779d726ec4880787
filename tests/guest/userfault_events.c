/*
 * userfaultfd: what a server hears of its memory (fork, mremap, madvise, munmap), who waits until
 * it has read that, and exact addresses.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include "guest.h"

#define PAGES 8
#define EVENTS                                                                                     \
    (UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |              \
     UFFD_FEATURE_EVENT_UNMAP)

static char fill[PAGE] __attribute__((aligned(PAGE)));
static char *area;
static int fd;

/* Of the features that it has, only those that are asked about: others depend on the processor. */
static int api(int u, uint64_t features)
{
    struct uffdio_api a = {.api = UFFD_API, .features = features};
    int err = ioctl(u, UFFDIO_API, &a);

    if (features)
        printf("features %llx\n", a.features & features);
    return err;
}

static int registers(int u, void *at, size_t len)
{
    struct uffdio_register r = {.range = {(unsigned long)at, len},
                                .mode = UFFDIO_REGISTER_MODE_MISSING};

    return ioctl(u, UFFDIO_REGISTER, &r);
}

static long long copied;

static int copies(int u, void *to, char c)
{
    struct uffdio_copy r = {(unsigned long)to, (unsigned long)fill, PAGE, 0, 77};
    int err;

    memset(fill, c, PAGE);
    err = ioctl(u, UFFDIO_COPY, &r);
    copied = r.copy;
    return err;
}

static int zeroes(int u, void *at)
{
    struct uffdio_zeropage z = {{(unsigned long)at, PAGE}, 0, 77};

    return ioctl(u, UFFDIO_ZEROPAGE, &z);
}

static int ranges(int u, unsigned long request)
{
    struct uffdio_range r = {(unsigned long)area, PAGE};

    return ioctl(u, request, &r);
}

static int served(char *at, uint64_t features)
{
    int u = syscall(SYS_userfaultfd, O_NONBLOCK | O_CLOEXEC);

    DIE_UNLESS(u >= 0 && api(u, features) == 0);
    DIE_UNLESS(registers(u, at, PAGES * PAGE) == 0);
    return u;
}

static void start(uint64_t features)
{
    area = map_anon(3 * PAGES) + PAGES * PAGE; /* room on both sides */
    fd = served(area, features);
}

static void end(void)
{
    close(fd);
    munmap(area - PAGES * PAGE, 3 * PAGES * PAGE);
}

static long long page_of(unsigned long long at)
{
    return (long long)(at - (unsigned long)area) / PAGE;
}

static int child_fd;

/* Waits for a message, and shows it. */
static void hears(int u)
{
    struct pollfd p = {u, POLLIN, 0};
    struct uffd_msg m;

    if (poll(&p, 1, 1000) != 1) {
        printf("hears nothing\n");
        return;
    }
    DIE_UNLESS(read(u, &m, sizeof(m)) == sizeof(m));
    switch (m.event) {
    case UFFD_EVENT_PAGEFAULT:
        printf("fault, flags %llx, page %lld + %lld\n", m.arg.pagefault.flags,
               page_of(m.arg.pagefault.address), m.arg.pagefault.address % PAGE);
        break;
    case UFFD_EVENT_FORK:
        child_fd = m.arg.fork.ufd;
        printf("fork, flags %x %x\n", fcntl(child_fd, F_GETFL), fcntl(child_fd, F_GETFD));
        break;
    case UFFD_EVENT_REMAP:
        printf("remap from %lld to %lld, %lld\n", page_of(m.arg.remap.from),
               page_of(m.arg.remap.to), (long long)m.arg.remap.len / PAGE);
        break;
    case UFFD_EVENT_REMOVE:
    case UFFD_EVENT_UNMAP:
        printf("%s %lld to %lld\n", m.event == UFFD_EVENT_REMOVE ? "remove" : "unmap",
               page_of(m.arg.remove.start), page_of(m.arg.remove.end));
        break;
    default:
        printf("event %x\n", m.event);
    }
}

static void hears_no_more(int u)
{
    struct pollfd p = {u, POLLIN, 0};

    SHOW(poll(&p, 1, 0));
}

/* ---- A thread that does what is asked, while the first one serves ---- */

static pthread_t worker;
static volatile int finished;
static const char *did;
static long result;
static int failure;

static void begin(void *(*work)(void *), void *arg)
{
    finished = 0;
    pthread_create(&worker, NULL, work, arg);
}

/* It does, with something to be told. */
static void waits(void)
{
    struct pollfd p = {fd, POLLIN, 0};

    (void)poll(&p, 1, 1000);
    usleep(1000);
    printf("%s\n", finished ? "has gone on" : "waits");
}

static void over(void)
{
    pthread_join(worker, NULL);
    printf("%s: %ld%s%s\n", did, result, failure ? " " : "", failure ? error_name(failure) : "");
}

static void done(const char *what, long r)
{
    did = what;
    result = r;
    failure = r < 0 ? errno : 0;
    finished = 1;
}

/* ---- Unmapping ---- */

static void *unmaps_two(void *arg)
{
    done("munmap", munmap((char *)arg - PAGE, 3 * PAGE));
    return NULL;
}

static void *maps_over(void *arg)
{
    char *at =
        mmap(arg, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    done("mmap over", at == arg ? *at : -1);
    return NULL;
}

static void unmapping(void)
{
    printf("-- munmap\n");
    start(UFFD_FEATURE_EVENT_UNMAP);
    SHOW(copies(fd, area, 'a'));
    begin(unmaps_two, area); /* with a page that is not served */
    waits();
    SHOW(copies(fd, area + 3 * PAGE, 'b'));
    printf("copied %lld\n", copied);
    SHOW(zeroes(fd, area + 3 * PAGE));
    SHOW(registers(fd, area + 2 * PAGE, PAGE)); /* that may be */
    hears(fd);
    over();
    hears_no_more(fd);
    SHOW(copies(fd, area, 'a'));
    SHOW(copies(fd, area + 3 * PAGE, 'b'));
    begin(maps_over, area + 4 * PAGE);
    hears(fd);
    over();
    SHOW(munmap(area - PAGES * PAGE, PAGE)); /* nobody serves that */
    SHOW(munmap(area + 100, PAGE));
    SHOW(copies(fd, area + 6 * PAGE, 'c'));
    hears_no_more(fd);
    begin(unmaps_two, area + 6 * PAGE);
    waits();
    close(fd); /* nobody is there to be told */
    over();
    end();
}

static void *shrinks_heap(void *arg)
{
    done("brk", brk(arg));
    return NULL;
}

static void heap(void)
{
    char *top = sbrk(0);

    printf("-- brk\n");
    top = (char *)(((unsigned long)top + PAGE - 1) & ~(PAGE - 1ul));
    DIE_UNLESS(brk(top + PAGES * PAGE) == 0);
    area = top;
    fd = served(area, UFFD_FEATURE_EVENT_UNMAP);
    begin(shrinks_heap, top + 3 * PAGE + 5);
    hears(fd);
    over();
    begin(shrinks_heap, top);
    hears(fd);
    over();
    close(fd);
}

/* Two servers of one range hear of it one after the other. */
static void two_servers(void)
{
    int other;

    printf("-- two servers\n");
    area = map_anon(PAGES);
    fd = syscall(SYS_userfaultfd, O_NONBLOCK);
    other = syscall(SYS_userfaultfd, O_NONBLOCK);
    DIE_UNLESS(api(fd, EVENTS) == 0 && api(other, EVENTS) == 0);
    SHOW(registers(fd, area, PAGE));
    SHOW(registers(other, area + PAGE, PAGE));
    SHOW(registers(fd, area + 2 * PAGE, PAGE));
    begin(unmaps_two, area + PAGE);
    hears(fd);
    waits();
    hears_no_more(fd);
    hears(other);
    over();
    close(other);
    close(fd);
    munmap(area, PAGES * PAGE);
}

/* ---- Removing ---- */

struct advice {
    char *at;
    size_t len;
    int advice;
};

static void *advises(void *arg)
{
    const struct advice *a = arg;

    done("madvise", madvise(a->at, a->len, a->advice));
    return NULL;
}

static void removing(void)
{
    struct advice a;

    printf("-- madvise\n");
    start(UFFD_FEATURE_EVENT_REMOVE);
    SHOW(copies(fd, area, 'a'));
    a = (struct advice){area - PAGE, 3 * PAGE, MADV_DONTNEED};
    begin(advises, &a);
    waits();
    printf("before: %c\n", area[0]);
    SHOW(copies(fd, area + 5 * PAGE, 'x'));
    hears(fd);
    over();
    SHOW(copies(fd, area, 'b')); /* is missing again */
    a = (struct advice){area, PAGE, MADV_FREE};
    begin(advises, &a);
    hears(fd);
    over();
    a = (struct advice){area, 3 * PAGE, MADV_DONTNEED}; /* of two areas */
    DIE_UNLESS(mprotect(area + PAGE, PAGE, PROT_READ) == 0);
    begin(advises, &a);
    hears(fd);
    hears(fd);
    hears(fd);
    over();
    SHOW(madvise(area, PAGE, MADV_WILLNEED));
    SHOW(madvise(area - PAGE, PAGE, MADV_DONTNEED));
    SHOW(mlock(area - PAGE, PAGE));
    SHOW(madvise(area - PAGE, 3 * PAGE, MADV_DONTNEED));
    hears_no_more(fd);
    SHOW(munmap(area + 4 * PAGE, PAGE)); /* of which it does not want to hear */
    a = (struct advice){area + 3 * PAGE, 3 * PAGE, MADV_DONTNEED}; /* with a hole */
    begin(advises, &a);
    hears(fd);
    hears(fd);
    over();
    end();
}

static void punching(void)
{
    int file = memfd_create("served", 0);
    struct advice a;

    printf("-- MADV_REMOVE\n");
    DIE_UNLESS(file >= 0 && ftruncate(file, PAGES * PAGE) == 0);
    area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    DIE_UNLESS(area != MAP_FAILED);
    fd = served(area, UFFD_FEATURE_EVENT_REMOVE);
    SHOW(copies(fd, area + PAGE, 'a'));
    a = (struct advice){area, 2 * PAGE, MADV_REMOVE};
    begin(advises, &a);
    waits();
    hears(fd);
    over();
    SHOW(copies(fd, area + PAGE, 'b'));
    a.advice = MADV_DONTNEED; /* of this mapping */
    begin(advises, &a);
    hears(fd);
    over();
    printf("in the file: %c\n", area[PAGE]);
    close(fd);
    munmap(area, PAGES * PAGE);
    close(file);
}

/* What unmaps this area while its removal is being told. */
static void removed_meanwhile(void)
{
    struct advice a;

    printf("-- gone meanwhile\n");
    start(UFFD_FEATURE_EVENT_REMOVE);
    a = (struct advice){area, 2 * PAGE, MADV_DONTNEED};
    begin(advises, &a);
    waits();
    SHOW(munmap(area, PAGE));
    hears(fd);
    over();
    a.at = area + PAGE;
    begin(advises, &a);
    waits();
    SHOW(munmap(area + 2 * PAGE, PAGE));
    hears(fd);
    over();
    end();
}

/* ---- Moving ---- */

struct move {
    char *from, *to;
    size_t old, new;
    int flags;
};

static void *moves(void *arg)
{
    const struct move *m = arg;
    char *at = mremap(m->from, m->old, m->new, m->flags, m->to);

    if (at == MAP_FAILED)
        done("mremap", -1);
    else
        done("mremap to page", page_of((unsigned long)at));
    return NULL;
}

static void move(int messages, struct move m)
{
    begin(moves, &m);
    for (int i = 0; i < messages; i++)
        hears(fd);
    over();
    hears_no_more(fd);
}

static void moving(uint64_t features, int moved, int gone)
{
    const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    char *place = map_anon(3 * PAGES);

    printf("-- mremap\n");
    start(features);
    SHOW(copies(fd, area, 'a'));
    SHOW(copies(fd, area + 5 * PAGE, 'f'));
    DIE_UNLESS(munmap(place, 3 * PAGES * PAGE) == 0);
    place = area + PAGES * PAGE; /* what is there goes, unserved */
    move(moved + gone, (struct move){area, place, 2 * PAGE, 2 * PAGE, flags});
    printf("moved %c\n", place[0]);
    SHOW(copies(fd, place + PAGE, 'b'));
    if (!moved)
        printf("not served: %d\n", place[PAGE]);
    /* Onto an area that is served, and smaller. */
    move(moved + 3 * gone, (struct move){area + 2 * PAGE, area + 6 * PAGE, 2 * PAGE, PAGE, flags});
    move(gone, (struct move){area + 4 * PAGE, NULL, 2 * PAGE, PAGE, 0}); /* shrinks */
    move(moved, (struct move){area + 4 * PAGE, area, PAGE, PAGE,
                              MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP});
    SHOW(copies(fd, area, 'm'));
    SHOW(copies(fd, area + 4 * PAGE, 'o'));
    move(0, (struct move){area + 4 * PAGE, NULL, PAGE, 2 * PAGE, 0}); /* grows where it is */
    SHOW(copies(fd, area + 5 * PAGE, 'g'));
    move(0, (struct move){area + 4 * PAGE, area + 4 * PAGE, PAGE, PAGE, flags}); /* refused */
    move(0, (struct move){area + 4 * PAGE, NULL, PAGE, PAGE, 0});
    end();
}

/* ---- Forks ---- */

/* The child ends with what it reads. */
static void *forks(void *arg)
{
    volatile char *at = arg;
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(at[0] == 'a' ? at[PAGE] : 1);
    finished = 1;
    waitpid(pid, &status, 0);
    done("child", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    return NULL;
}

static void forking(void)
{
    printf("-- fork\n");
    start(EVENTS | UFFD_FEATURE_EXACT_ADDRESS);
    SHOW(copies(fd, area, 'a'));
    begin(forks, area);
    waits();
    SHOW(copies(fd, area + 2 * PAGE, 'x'));
    hears(fd);
    hears(child_fd);
    SHOW(copies(child_fd, area + 2 * PAGE, 'c')); /* another page first */
    SHOW(copies(child_fd, area + PAGE, 'b'));
    over();
    SHOW(copies(child_fd, area + 3 * PAGE, 'b')); /* it is no more */
    SHOW(zeroes(child_fd, area + 3 * PAGE));
    SHOW(registers(child_fd, area, PAGE));
    SHOW(ranges(child_fd, UFFDIO_UNREGISTER));
    SHOW(ranges(child_fd, UFFDIO_WAKE));
    hears_no_more(child_fd);
    close(child_fd);
    SHOW(copies(fd, area + PAGE, 'p')); /* the parent's is missing still */
    printf("parent %c\n", area[PAGE]);

    begin(forks, area); /* closed: its areas are as any others */
    hears(fd);
    hears(child_fd);
    close(child_fd);
    over();
    end();

    printf("-- fork, of which it does not hear\n");
    start(UFFD_FEATURE_EVENT_UNMAP);
    SHOW(copies(fd, area, 'a'));
    begin(forks, area);
    over();
    hears_no_more(fd);
    end();
}

/* There is no number for the child's: it is told again. */
static void no_number(void)
{
    struct rlimit old, none = {0, 0};
    struct uffd_msg m;

    printf("-- fork, no descriptors\n");
    start(UFFD_FEATURE_EVENT_FORK);
    DIE_UNLESS(copies(fd, area, 'a') == 0 && copies(fd, area + PAGE, 'b') == 0);
    DIE_UNLESS(getrlimit(RLIMIT_NOFILE, &old) == 0);
    none.rlim_max = old.rlim_max;
    begin(forks, area);
    waits();
    DIE_UNLESS(setrlimit(RLIMIT_NOFILE, &none) == 0);
    SHOW(read(fd, &m, sizeof(m)));
    SHOW(read(fd, &m, sizeof(m)));
    waits();
    DIE_UNLESS(setrlimit(RLIMIT_NOFILE, &old) == 0);
    hears(fd);
    over();
    close(child_fd);
    end();
}

static void as_user(void)
{
    int status;

    printf("-- another user\n");
    if (fork() == 0) {
        int u;

        DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
        u = syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY);
        DIE_UNLESS(u >= 0);
        SHOW(api(u, UFFD_FEATURE_EVENT_FORK));
        SHOW(api(u, EVENTS & ~UFFD_FEATURE_EVENT_FORK));
        _exit(0);
    }
    wait(&status);
}

/* Who waits is killed with the program. */
static void killed(bool forks)
{
    int status, ready[2];
    char byte;
    pid_t pid;

    printf("-- killed\n");
    DIE_UNLESS(pipe(ready) == 0);
    pid = fork();
    if (pid == 0) {
        start(EVENTS);
        DIE_UNLESS(write(ready[1], "x", 1) == 1);
        if (forks)
            fork();
        else
            munmap(area, PAGE);
        _exit(1);
    }
    DIE_UNLESS(read(ready[0], &byte, 1) == 1);
    usleep(5000);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    print_status(forks ? "who forks" : "who unmaps", status);
    close(ready[0]);
    close(ready[1]);
}

/* ---- Addresses ---- */

static void *touches(void *arg)
{
    done("read", *(volatile char *)arg);
    return NULL;
}

/* What /proc tells of a server. */
static void shown(int u)
{
    char path[40], line[100];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", u);
    f = fopen(path, "r");
    DIE_UNLESS(f);
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, "pending", 7) == 0 || strncmp(line, "total", 5) == 0 ||
            strncmp(line, "API", 3) == 0)
            printf("%s", line);
    }
    fclose(f);
}

static void exact(uint64_t features)
{
    printf("-- addresses\n");
    start(features);
    shown(fd);
    begin(touches, area + PAGE + 0x123);
    waits();
    shown(fd);
    hears(fd);
    shown(fd);
    SHOW(copies(fd, area + PAGE, 1));
    over();
    begin(touches, area + 3 * PAGE - 1);
    hears(fd);
    SHOW(zeroes(fd, area + 2 * PAGE));
    over();
    end();
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    unmapping();
    heap();
    two_servers();
    removing();
    punching();
    removed_meanwhile();
    moving(EVENTS, 1, 1);
    moving(UFFD_FEATURE_EVENT_REMAP, 1, 0);
    moving(UFFD_FEATURE_EVENT_UNMAP, 0, 1);
    forking();
    no_number();
    as_user();
    killed(false);
    killed(true);
    exact(0);
    exact(UFFD_FEATURE_EXACT_ADDRESS);
    return 0;
}
