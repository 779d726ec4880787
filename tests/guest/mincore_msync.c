/* mincore and msync: answers and errors. Of mincore only what both page caches must agree on. */
#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)

static unsigned char vec[16];

static void show_vec(const char *what, int n)
{
    printf("%s: ", what);
    for (int i = 0; i < n; i++)
        putchar('0' + (vec[i] & 1));
    putchar('\n');
}

static void residence(void)
{
    int fd = make_file("f", 2 * PAGE);
    char *p = map_anon(6);

    p[PAGE] = 'x';
    p[4 * PAGE] = 'x';
    SHOW(mincore(p, 6 * PAGE, vec));
    show_vec("anonymous", 6);
    SHOW(mincore(p + PAGE, 1, vec));
    show_vec("one byte", 1);
    vec[1] = 7;
    SHOW(mincore(p + PAGE, PAGE, vec));
    printf("no more written than asked: %d\n", vec[1]);
    madvise(p, 6 * PAGE, MADV_DONTNEED);
    SHOW(mincore(p, 6 * PAGE, vec));
    show_vec("given back", 6);
    p = map(2 * PAGE, RW, MAP_SHARED, fd, 0);
    SHOW(mincore(p, 2 * PAGE, vec));
    show_vec("written by write", 2);
    p = map(4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    p[PAGE] = 1;
    SHOW(mincore(p, 4 * PAGE, vec));
    show_vec("shared memory", 4);
    if (fork() == 0) {
        p[3 * PAGE] = 1;
        _exit(0);
    }
    wait(NULL);
    SHOW(mincore(p, 4 * PAGE, vec));
    show_vec("touched by another", 4);
    close(fd);
}

static void mincore_errors(void)
{
    char *p = map_anon(4);

    SHOW(mincore(p + 1, PAGE, vec));
    SHOW(mincore(p, 0, vec));
    SHOW(mincore(p, 0, NULL));
    SHOW(mincore(p, PAGE, NULL));
    SHOW(mincore(p, PAGE, (void *)-PAGE));
    SHOW(mincore((void *)(16 * PAGE), PAGE, vec));
    munmap(p + 2 * PAGE, PAGE);
    SHOW(mincore(p, 4 * PAGE, vec));
    SHOW(mincore(p + 2 * PAGE, PAGE, vec));
    mprotect(p, PAGE, PROT_NONE);
    SHOW(mincore(p, PAGE, vec));
}

static void msync_flags(void)
{
    int fd = make_file("f", 3 * PAGE);
    char *p = map(3 * PAGE, RW, MAP_SHARED, fd, 0), *anon = map_anon(2), c = 0;

    p[PAGE] = 'S';
    SHOW(msync(p, 3 * PAGE, MS_SYNC));
    SHOW(msync(p, 3 * PAGE, MS_ASYNC));
    SHOW(msync(p, 3 * PAGE, MS_INVALIDATE));
    SHOW(msync(p, 3 * PAGE, MS_SYNC | MS_INVALIDATE));
    SHOW(msync(p, 3 * PAGE, MS_SYNC | MS_ASYNC));
    SHOW(msync(p, 3 * PAGE, 0));
    SHOW(msync(p, 3 * PAGE, 8));
    SHOW(msync(p + 1, PAGE, MS_SYNC));
    SHOW(msync(p, 0, MS_SYNC));
    SHOW(msync(p, 1, MS_SYNC));
    SHOW(msync((void *)(16 * PAGE), PAGE, MS_SYNC));
    SHOW(msync((void *)(16 * PAGE), 0, MS_SYNC));
    SHOW(msync(anon, 2 * PAGE, MS_SYNC));
    DIE_UNLESS(pread(fd, &c, 1, PAGE) == 1);
    printf("the file: %c\n", c);
    munmap(p + PAGE, PAGE);
    SHOW(msync(p, 3 * PAGE, MS_SYNC));
    SHOW(msync(p, 3 * PAGE, MS_ASYNC));
    DIE_UNLESS(mlock(p, PAGE) == 0);
    SHOW(msync(p, PAGE, MS_SYNC));
    SHOW(msync(p, PAGE, MS_ASYNC | MS_INVALIDATE));
    close(fd);
}

int main(void)
{
    residence();
    mincore_errors();
    msync_flags();
    return 0;
}
