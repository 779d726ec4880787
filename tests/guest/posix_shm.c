/* POSIX shared memory, as the C library makes it of files in /dev/shm. */
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)

static char name[40];

static void two_processes(void)
{
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    struct stat st;
    char *p;

    DIE_UNLESS(fd >= 0);
    printf("cloexec: %d\n", fcntl(fd, F_GETFD));
    SHOW(ftruncate(fd, 2 * PAGE));
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("mode %o, size %ld, links %ld\n", st.st_mode, (long)st.st_size, (long)st.st_nlink);
    p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
    close(fd);
    if (fork() == 0) {
        char *q;

        fd = shm_open(name, O_RDWR, 0);
        q = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
        strcpy(q + PAGE, "from another opening");
        _exit(0);
    }
    wait(NULL);
    printf("%s\n", p + PAGE);
    SHOW(shm_unlink(name));
    SHOW(shm_unlink(name));
    printf("still mapped: %s\n", p + PAGE);
    p[0] = 'w';
    TRY(shm_open(name, O_RDWR, 0));
}

static void rights(void)
{
    int fd = shm_open(name, O_RDWR | O_CREAT, 0400), ro;
    char *p;

    DIE_UNLESS(fd >= 0 && ftruncate(fd, PAGE) == 0);
    ro = shm_open(name, O_RDONLY, 0);
    TRY(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0));
    p = map(PAGE, PROT_READ, MAP_SHARED, ro, 0);
    SHOW(mprotect(p, PAGE, RW));
    SHOW(ftruncate(ro, 0));
    TRY(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
    printf("truncates: %d\n", shm_open(name, O_RDWR | O_TRUNC, 0) >= 0);
    PROBE_READ(p);
    SHOW(shm_unlink(name));
}

static void names(void)
{
    char longest[300];

    TRY(shm_open("/none-of-this-name", O_RDWR, 0));
    TRY(shm_open("/a/b", O_RDWR | O_CREAT, 0600));
    TRY(shm_open("", O_RDWR | O_CREAT, 0600));
    TRY(shm_open("/", O_RDWR | O_CREAT, 0600));
    memset(longest, 'n', sizeof(longest));
    longest[0] = '/';
    longest[299] = '\0';
    TRY(shm_open(longest, O_RDWR | O_CREAT, 0600));
    TRY(shm_unlink("/none-of-this-name"));
}

static void directory(void)
{
    struct stat st;

    DIE_UNLESS(stat("/dev/shm", &st) == 0);
    printf("mode of /dev/shm: %o\n", st.st_mode);
}

int main(void)
{
    snprintf(name, sizeof(name), "/guest-test-%d", getpid());
    catch_faults();
    two_processes();
    rights();
    names();
    directory();
    return 0;
}
