/* The position of an open file that two threads read from: a read is over before the next begins,
 * though it sleeps in the middle, here for a page that its buffer lacks. */
#include "guest.h"
#include "states.h"
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>

static char given[PAGE] __attribute__((aligned(PAGE)));
static char near[6];
static volatile pid_t second;
static volatile bool done;
static int file;

static int served(char *area)
{
    struct uffdio_api a = {.api = UFFD_API};
    struct uffdio_register r = {.range = {(uintptr_t)area, PAGE},
                                .mode = UFFDIO_REGISTER_MODE_MISSING};
    int fd = (int)syscall(SYS_userfaultfd, 0);

    DIE_UNLESS(fd >= 0 && ioctl(fd, UFFDIO_API, &a) == 0 && ioctl(fd, UFFDIO_REGISTER, &r) == 0);
    return fd;
}

static void *reads_far(void *area)
{
    DIE_UNLESS(read(file, area, 5) == 5);
    return NULL;
}

static void *reads_near(void *unused)
{
    (void)unused;
    second = (pid_t)syscall(SYS_gettid);
    DIE_UNLESS(read(file, near, 5) == 5);
    done = true;
    return NULL;
}

/* Whether the other thread's read waits, and has not come through. */
static bool waits(void)
{
    while (!second)
        usleep(1000);
    while (!done && state_of(second) != 'D' && state_of(second) != 'S')
        usleep(1000);
    return !done;
}

int main(void)
{
    char *area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_copy c = {.dst = (uintptr_t)area, .src = (uintptr_t)given, .len = PAGE};
    pthread_t first, other;
    struct uffd_msg m;
    int fd;

    DIE_UNLESS(area != MAP_FAILED);
    file = open("/tmp/two_readers", O_CREAT | O_TRUNC | O_RDWR, 0600);
    DIE_UNLESS(file >= 0 && unlink("/tmp/two_readers") == 0);
    DIE_UNLESS(write(file, "HelloWorld", 10) == 10 && lseek(file, 0, SEEK_SET) == 0);
    fd = served(area);
    DIE_UNLESS(pthread_create(&first, NULL, reads_far, area) == 0);
    DIE_UNLESS(read(fd, &m, sizeof(m)) == sizeof(m));
    DIE_UNLESS(pthread_create(&other, NULL, reads_near, NULL) == 0);
    printf("the second waits: %s\n", waits() ? "yes" : "no");
    DIE_UNLESS(ioctl(fd, UFFDIO_COPY, &c) == 0);
    pthread_join(first, NULL);
    pthread_join(other, NULL);
    printf("first: %.5s, second: %s\n", area, near);
    printf("position: %ld\n", (long)lseek(file, 0, SEEK_CUR));
    return 0;
}
