/* The space of files in memory: fallocate in each mode, lseek's SEEK_DATA and SEEK_HOLE, holes
 * under mappings, MADV_REMOVE. Holes are not read through mappings: tmpfs fills them then, others
 * do not. */
#include "guest.h"

#define RW   (PROT_READ | PROT_WRITE)
#define KEEP FALLOC_FL_KEEP_SIZE

static int fd;

static void show_extents(const char *what)
{
    off_t size = lseek(fd, 0, SEEK_END), at = 0;

    printf("%s: size %ld", what, (long)size);
    for (;;) {
        off_t data = lseek(fd, at, SEEK_DATA), hole;
        if (data < 0) {
            printf(" %s\n", error_name(errno));
            return;
        }
        hole = lseek(fd, data, SEEK_HOLE);
        printf(" [%ld, %ld)", (long)data, (long)hole);
        at = hole;
    }
}

static void show_blocks(void)
{
    struct stat st;

    DIE_UNLESS(fstat(fd, &st) == 0);
    printf("blocks %ld\n", (long)st.st_blocks);
}

static void seeking(void)
{
    fd = memfd_create("f", 0);
    show_extents("empty");
    SHOW(lseek(fd, 0, SEEK_HOLE));
    SHOW(ftruncate(fd, 10 * PAGE));
    show_extents("a hole");
    SHOW(pwrite(fd, "x", 1, 3 * PAGE + 5));
    SHOW(pwrite(fd, "x", 1, 4 * PAGE + 5));
    SHOW(pwrite(fd, "x", 1, 9 * PAGE + 5));
    show_extents("three pages");
    SHOW(lseek(fd, 3 * PAGE + 100, SEEK_DATA));
    SHOW(lseek(fd, 3 * PAGE + 100, SEEK_HOLE));
    SHOW(lseek(fd, 6 * PAGE + 100, SEEK_HOLE));
    SHOW(lseek(fd, 6 * PAGE + 100, SEEK_DATA));
    SHOW(lseek(fd, 10 * PAGE - 1, SEEK_HOLE));
    SHOW(lseek(fd, 10 * PAGE, SEEK_HOLE));
    SHOW(lseek(fd, 10 * PAGE, SEEK_DATA));
    SHOW(lseek(fd, -1, SEEK_DATA));
    SHOW(lseek(fd, -1, SEEK_HOLE));
    SHOW(lseek(fd, 0, 5));
    SHOW(ftruncate(fd, 4 * PAGE));
    show_extents("cut");
    close(fd);
}

static void reading_makes_no_data(void)
{
    char buf[100];

    fd = memfd_create("f", 0);
    SHOW(ftruncate(fd, 10 * PAGE));
    SHOW(pread(fd, buf, 100, 5 * PAGE));
    show_extents("read");
    close(fd);
}

static void punching(void)
{
    char *p, page[PAGE];

    fd = memfd_create("f", 0);
    memset(page, 'd', PAGE);
    for (int i = 0; i < 8; i++)
        DIE_UNLESS(write(fd, page, PAGE) == PAGE);
    p = map(8 * PAGE, RW, MAP_SHARED, fd, 0);
    show_blocks();
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | KEEP, PAGE, 2 * PAGE));
    show_extents("two pages punched");
    show_blocks();
    SHOW(pread(fd, page, 2, 3 * PAGE - 1));
    printf("reads %d %c, mapping: %c %c\n", page[0], page[1], p[0], p[3 * PAGE]);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | KEEP, 4 * PAGE + 10, PAGE));
    show_extents("half pages are zeroed");
    printf("mapping: %c %d %d %c\n", p[4 * PAGE + 9], p[4 * PAGE + 10], p[5 * PAGE + 9],
           p[5 * PAGE + 10]);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | KEEP, 7 * PAGE, 100 * PAGE));
    show_extents("past the end");
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | KEEP, 100 * PAGE, PAGE));
    p[PAGE] = 'w';
    show_extents("written through the mapping");
    SHOW(madvise(p + 3 * PAGE, 2 * PAGE, MADV_REMOVE));
    show_extents("MADV_REMOVE");
    munmap(p, 8 * PAGE);
    p = map(PAGE, RW, MAP_PRIVATE, fd, 0);
    SHOW(madvise(p, PAGE, MADV_REMOVE));
    munmap(p, PAGE);
    close(fd);
}

static void allocating(void)
{
    fd = memfd_create("f", 0);
    SHOW(fallocate(fd, 0, 0, 3 * PAGE));
    show_blocks();
    show_extents("allocated is no data");
    SHOW(fallocate(fd, 0, PAGE, PAGE));
    show_blocks();
    SHOW(fallocate(fd, 0, 5 * PAGE, 10));
    show_blocks();
    SHOW(lseek(fd, 0, SEEK_END));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | KEEP, 0, 4 * PAGE));
    show_blocks();
    SHOW(posix_fallocate(fd, 0, 2 * PAGE));
    show_blocks();
    close(fd);
}

static void errors(void)
{
    int ro, pipes[2];
    char path[40];

    fd = memfd_create("f", 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ro = open(path, O_RDONLY);
    SHOW(fallocate(fd, 0, -1, 10));
    SHOW(fallocate(fd, 0, 0, 0));
    SHOW(fallocate(fd, 0, 0, -1));
    SHOW(fallocate(ro, 0, 0, 10));
    SHOW(fallocate64(fd, 0, 0x7fffffffffffffffll, 10));
    SHOW(fallocate(fd, 0x100, 0, 10));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | KEEP, 0, 0));
    SHOW(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE));
    SHOW(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_PUNCH_HOLE | KEEP, 0, PAGE));
    SHOW(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE));
    SHOW(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE));
    DIE_UNLESS(pipe(pipes) == 0);
    SHOW(fallocate(pipes[1], 0, 0, 10));
    SHOW(fallocate(open("/dev/null", O_RDWR), 0, 0, 10));
    SHOW(fallocate(open("/dev/null", O_RDONLY), 0, 0, 10));
    SHOW(fallocate(open("/", O_RDONLY), 0, 0, 10));
    SHOW(fallocate(999, 0, 0, 10));
    close(fd);
}

int main(void)
{
    seeking();
    reading_makes_no_data();
    punching();
    allocating();
    errors();
    return 0;
}
