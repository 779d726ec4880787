/* Init of test_stretches.py: long things. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "longest.h"

#define AREAS 60000u
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static size_t size; /* of what is long */
static char *big;

static char *map(size_t n)
{
    char *p = mmap(NULL, n, RW, ANON, -1, 0);

    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

static void touch(char *p)
{
    for (size_t i = 0; i < size; i += PAGE)
        p[i] = 1;
}

static void anonymous(void)
{
    big = map(size);
    touch(big);
    report("touch");
    if (mprotect(big, size, PROT_READ) || mprotect(big, size, RW))
        die("mprotect");
    report("mprotect");
    if (mremap(big, size / 2, size / 2, MREMAP_MAYMOVE | MREMAP_FIXED, big - size / 2) ==
            MAP_FAILED ||
        mremap(big - size / 2, size / 2, size / 2, MREMAP_MAYMOVE | MREMAP_FIXED, big) ==
            MAP_FAILED)
        die("mremap");
    report("mremap");
    touch(big);
    if (fork() == 0)
        _exit(0);
    wait(NULL);
    report("fork");
    if (madvise(big, size, MADV_FREE))
        die("MADV_FREE");
    report("MADV_FREE");
    touch(big);
    if (madvise(big, size, MADV_DONTNEED))
        die("MADV_DONTNEED");
    report("DONTNEED");
    touch(big);
    forget();
    if (munmap(big, size))
        die("munmap");
    report("munmap");
}

static void process(char *self)
{
    if (fork() == 0) {
        touch(map(size));
        forget();
        _exit(0);
    }
    wait(NULL);
    report("exit");
    if (fork() == 0) {
        touch(map(size));
        forget();
        execl(self, self, "nothing", NULL);
    }
    wait(NULL);
    report("exec");
}

static void many_areas(void)
{
    char *p = map(AREAS * PAGE);

    for (unsigned i = 0; i < AREAS; i += 2)
        if (mprotect(p + i * PAGE, PAGE, PROT_READ))
            die("mprotect");
    for (unsigned i = 0; i < AREAS; i += 50)
        (void)*(volatile char *)(p + i * PAGE);
    forget();
    if (fork() == 0)
        _exit(0);
    wait(NULL);
    report("fork-areas");
    mprotect(p, AREAS * PAGE, PROT_READ | PROT_EXEC);
    report("prot-areas");
    for (unsigned i = 0; i < AREAS; i += 2)
        mprotect(p + i * PAGE, PAGE, PROT_READ);
    mlock2(p, AREAS * PAGE, 1);
    munlock(p, AREAS * PAGE);
    forget();
    munmap(p, AREAS * PAGE);
    report("unmap-areas");
}

static void file(void)
{
    const size_t block = 1 << 20;
    char *buf = map(block);
    int fd;

    mkdir("/tmp", 0755);
    if (mount("tmpfs", "/tmp", "tmpfs", 0, "size=100%"))
        die("tmpfs");
    fd = open("/tmp/file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        die("file");

    for (size_t i = 0; i < size; i += block)
        if (write(fd, buf, block) != (ssize_t)block)
            die("write");
    report("write");
    lseek(fd, 0, SEEK_SET);
    for (size_t i = 0; i < size; i += block)
        if (read(fd, buf, block) != (ssize_t)block)
            die("read");
    report("read");
    if (ftruncate(fd, PAGE))
        die("truncate");
    report("truncate");
    close(fd);
    unlink("/tmp/file");
    munmap(buf, block);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "nothing"))
        return 0;
    size = (argc > 1 ? strtoul(argv[1], NULL, 0) : 64) << 20;
    setvbuf(stdout, NULL, _IONBF, 0);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    report("boot");
    anonymous();
    process("/init");
    file();
    many_areas();
    printf("latency: done\n");
    reboot(RB_POWER_OFF);
    return 0;
}
