/* File mappings: the very pages that read and write see; private copies; what is past the end. */
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)

static void private_read(void)
{
    int fd = make_file("f", 3 * PAGE + 100);
    char *p = map(4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

    printf("pages: %c %c %c %c\n", p[0], p[PAGE], p[2 * PAGE], p[3 * PAGE]);
    printf("tail is zero: %d\n", all_bytes(p + 3 * PAGE + 100, PAGE - 100, 0));
    PROBE_WRITE(p);
    p = map(PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE);
    printf("at an offset: %c\n", *p);
    close(fd);
    printf("after close: %c\n", p[1]);
}

static void private_write(void)
{
    int fd = make_file("f", 2 * PAGE);
    char *p = map(2 * PAGE, RW, MAP_PRIVATE, fd, 0), c;

    p[5] = 'P';
    printf("own copy: %c%c\n", p[5], p[6]);
    DIE_UNLESS(pread(fd, &c, 1, 5) == 1);
    printf("the file: %c\n", c);
    DIE_UNLESS(pwrite(fd, "WW", 2, 5) == 2);
    printf("copied page keeps: %c%c\n", p[5], p[6]);
    DIE_UNLESS(pwrite(fd, "V", 1, PAGE) == 1);
    printf("uncopied page follows: %c\n", p[PAGE]);
    close(fd);
}

static void shared(void)
{
    int fd = make_file("f", 2 * PAGE);
    char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0), *q = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char buf[4] = {0};

    strcpy(p, "map");
    DIE_UNLESS(pread(fd, buf, 3, 0) == 3);
    printf("read sees: %s\n", buf);
    DIE_UNLESS(pwrite(fd, "wri", 3, 0) == 3);
    printf("mapping sees: %.3s\n", p);
    printf("second mapping sees: %.3s\n", q);
    PROBE_WRITE(q);
    munmap(p, 2 * PAGE);
    DIE_UNLESS(pread(fd, buf, 3, 0) == 3);
    printf("after munmap: %s\n", buf);
    printf("msync: %d\n", msync(q, PAGE, MS_SYNC));
    close(fd);
}

static void sync_arguments(void)
{
    char *p = map_anon(3);

    munmap(p + PAGE, PAGE);
    TRY(msync(p, PAGE, MS_SYNC));
    TRY(msync(p, 3 * PAGE, MS_ASYNC));
    TRY(msync(p + PAGE, PAGE, MS_SYNC));
    TRY(msync(p + 1, PAGE, MS_SYNC));
    TRY(msync(p, PAGE, MS_SYNC | MS_ASYNC));
    TRY(msync(p, PAGE, 8));
    TRY(msync(p, 0, MS_SYNC));
}

static void between_processes(void)
{
    int fd = make_file("f", PAGE);
    char *p = map(PAGE, RW, MAP_SHARED, fd, 0);

    if (fork() == 0) {
        int other = open("f", O_RDWR);
        char *q = map(PAGE, RW, MAP_SHARED, other, 0);

        strcpy(q, "from the child");
        _exit(0);
    }
    wait(NULL);
    printf("%s\n", p);
    close(fd);
}

static void past_the_end(void)
{
    int fd = make_file("f", PAGE + 10);
    char *p = map(4 * PAGE, RW, MAP_SHARED, fd, 0), *q = map(4 * PAGE, RW, MAP_PRIVATE, fd, 0);

    PROBE_READ(p + PAGE + 4000);
    PROBE_READ(p + 2 * PAGE);
    PROBE_WRITE(p + 3 * PAGE);
    PROBE_READ(q + 2 * PAGE);
    PROBE_WRITE(q + 2 * PAGE);
    DIE_UNLESS(ftruncate(fd, 3 * PAGE) == 0);
    PROBE_READ(p + 2 * PAGE);
    PROBE_WRITE(q + 2 * PAGE);
    PROBE_READ(p + 3 * PAGE);
    close(fd);
}

static void shrink(void)
{
    int fd = make_file("f", 3 * PAGE);
    char *p = map(3 * PAGE, RW, MAP_SHARED, fd, 0), *q = map(3 * PAGE, RW, MAP_PRIVATE, fd, 0);

    printf("before: %c %c %c\n", p[0], p[PAGE], p[2 * PAGE]);
    q[PAGE] = 'Q';
    DIE_UNLESS(ftruncate(fd, PAGE + 1) == 0);
    PROBE_READ(p + PAGE);
    printf("tail zeroed: %d\n", p[PAGE + 1]);
    PROBE_READ(p + 2 * PAGE);
    PROBE_READ(q + PAGE);
    DIE_UNLESS(ftruncate(fd, 3 * PAGE) == 0);
    printf("grown again: %d %d\n", p[PAGE + 1], p[2 * PAGE]);
    close(fd);
}

static void stray_bytes(void)
{
    int fd = make_file("f", 100);
    char *p = map(PAGE, RW, MAP_SHARED, fd, 0), c = 'x';

    p[200] = 's';
    printf("size unchanged: %ld\n", (long)lseek(fd, 0, SEEK_END));
    DIE_UNLESS(pread(fd, &c, 1, 200) == 0);
    close(fd);
}

static void permissions(void)
{
    int fd = make_file("f", PAGE), ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
    char *p;

    TRY(mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0));
    TRY(mmap(NULL, PAGE, RW, MAP_PRIVATE, ro, 0));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, wo, 0));
    TRY(mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, wo, 0));
    p = map(PAGE, PROT_READ, MAP_SHARED, ro, 0);
    TRY(mprotect(p, PAGE, RW));
    p = map(PAGE, PROT_READ, MAP_SHARED, fd, 0);
    TRY(mprotect(p, PAGE, RW));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 100));
    close(fd);
}

static void holes(void)
{
    int fd = open("sparse", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char *p;

    DIE_UNLESS(pwrite(fd, "end", 3, 20 * PAGE) == 3);
    p = map(21 * PAGE, RW, MAP_SHARED, fd, 0);
    printf("hole: %d, end: %.3s\n", all_bytes(p, 20 * PAGE, 0), p + 20 * PAGE);
    p[10 * PAGE + 5] = 'h';
    munmap(p, 21 * PAGE);
    p = map(PAGE, PROT_READ, MAP_SHARED, fd, 10 * PAGE);
    printf("kept at its place: %c\n", p[5]);
    close(fd);
}

static void unlinked(void)
{
    int fd = make_file("gone", 2 * PAGE);
    char *p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);

    unlink("gone");
    close(fd);
    printf("an unlinked file stays mapped: %c %c\n", p[0], p[PAGE]);
    p[PAGE] = 'u';
    printf("and writable: %c\n", p[PAGE]);
}

static void fixed_over_file(void)
{
    int fd = make_file("f", 4 * PAGE);
    char *p = map(4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

    DIE_UNLESS(mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 3 * PAGE) == p + PAGE);
    DIE_UNLESS(mmap(p + 2 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) ==
               p + 2 * PAGE);
    printf("%c %c %d %c\n", p[0], p[PAGE], p[2 * PAGE], p[3 * PAGE]);
    close(fd);
}

static void devices(void)
{
    int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR);
    char *p = map(2 * PAGE, RW, MAP_PRIVATE, zero, 0);

    printf("/dev/zero is zero: %d\n", all_bytes(p, 2 * PAGE, 0));
    PROBE_WRITE(p + PAGE);
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, null, 0));
}

int main(void)
{
    catch_faults();
    private_read();
    private_write();
    shared();
    sync_arguments();
    between_processes();
    past_the_end();
    shrink();
    stray_bytes();
    permissions();
    holes();
    unlinked();
    fixed_over_file();
    devices();
    return 0;
}
