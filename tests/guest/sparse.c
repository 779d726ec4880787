/* Holes: they read as zeros, cost nothing until written, and nothing comes back that was cut off.
 */
#include "guest.h"

#define FAR (8 << 20)

static char buf[4 * PAGE];

static long blocks(int fd)
{
    struct stat st;

    DIE_UNLESS(fstat(fd, &st) == 0);
    return st.st_blocks;
}

static bool zeros(const char *p, size_t n)
{
    while (n > 0 && !p[n - 1])
        n--;
    return n == 0;
}

static void hole(void)
{
    int fd = open("hole", O_CREAT | O_RDWR | O_TRUNC, 0600);

    SHOW(pwrite(fd, "end", 3, FAR));
    SHOW(lseek(fd, 0, SEEK_END));
    printf("few blocks: %d\n", blocks(fd) < 100);
    memset(buf, 'x', sizeof(buf));
    SHOW(pread(fd, buf, sizeof(buf), FAR / 2 + 123));
    printf("zeros: %d\n", zeros(buf, sizeof(buf)));
    SHOW(pread(fd, buf, sizeof(buf), FAR - PAGE));
    printf("zeros: %d, then %.3s\n", zeros(buf, PAGE), buf + PAGE);
    SHOW(pread(fd, buf, 10, FAR + 3));
    close(fd);
}

static void cut_and_grow(void)
{
    int fd = open("cut", O_CREAT | O_RDWR | O_TRUNC, 0600);

    memset(buf, 'x', sizeof(buf));
    SHOW(write(fd, buf, sizeof(buf)));
    SHOW(ftruncate(fd, PAGE + 10));
    SHOW(ftruncate(fd, 3 * PAGE));
    SHOW(pread(fd, buf, sizeof(buf), 0));
    printf("kept: %d, zeros: %d\n", buf[PAGE + 9] == 'x', zeros(buf + PAGE + 10, 2 * PAGE - 10));
    SHOW(ftruncate(fd, 0));
    printf("no blocks: %d\n", blocks(fd) == 0);
    SHOW(ftruncate(fd, FAR));
    printf("few blocks: %d\n", blocks(fd) < 100);
    SHOW(ftruncate(fd, -1));
    close(fd);
}

static void mapped(void)
{
    int fd = open("mapped", O_CREAT | O_RDWR | O_TRUNC, 0600);
    char *p;

    DIE_UNLESS(ftruncate(fd, FAR) == 0);
    p = mmap(NULL, FAR, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    DIE_UNLESS(p != MAP_FAILED);
    p[FAR / 2] = 'm';
    SHOW(pread(fd, buf, 1, FAR / 2));
    printf("%c, few blocks: %d\n", buf[0], blocks(fd) < 200);
    SHOW(ftruncate(fd, FAR / 2));
    catch_faults();
    probe("before the end", p + FAR / 2 - 1, false);
    probe("past the end", p + FAR / 2, false);
    SHOW(ftruncate(fd, FAR));
    probe("grown again", p + FAR / 2, false);
    printf("%d\n", p[FAR / 2]);
    close(fd);
}

static void gone_while_open(void)
{
    int fd = open("gone", O_CREAT | O_RDWR | O_TRUNC, 0600);
    struct stat st;

    SHOW(write(fd, "still here", 10));
    SHOW(unlink("gone"));
    SHOW(pread(fd, buf, 100, 0));
    printf("%.10s\n", buf);
    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("links: %d\n", (int)st.st_nlink);
    close(fd);
}

int main(void)
{
    hole();
    cut_and_grow();
    mapped();
    gone_while_open();
    return 0;
}
