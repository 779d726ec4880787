/* O_DIRECT where a file cannot, by open and by fcntl; sync_file_range: ranges, and what has none.
 */
#include "guest.h"

#define ALL (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

static void test_direct(void)
{
    int fd, ends[2];

    SHOW(open("new", O_RDWR | O_CREAT | O_DIRECT, 0600) >= 0);
    TRY(access("new", F_OK));
    fd = make_file("file", PAGE);
    TRY(open("file", O_RDWR | O_DIRECT | O_TRUNC));
    printf("%ld bytes\n", (long)lseek(fd, 0, SEEK_END));
    TRY(fcntl(fd, F_SETFL, O_DIRECT));
    TRY(fcntl(fd, F_SETFL, O_APPEND));
    printf("direct %d, append %d\n", !!(fcntl(fd, F_GETFL) & O_DIRECT),
           !!(fcntl(fd, F_GETFL) & O_APPEND));
    TRY(open(".", O_RDONLY | O_DIRECT));
    TRY(open("/dev/null", O_RDWR | O_DIRECT));
    TRY(open("/proc/self/maps", O_RDONLY | O_DIRECT));
    TRY(open("file", O_PATH | O_DIRECT));
    DIE_UNLESS(pipe(ends) == 0);
    TRY(fcntl(ends[0], F_SETFL, O_NONBLOCK));
    close(fd);
    unlink("new");
}

static void test_ranges(void)
{
    int fd = open("file", O_RDWR), null = open("/dev/null", O_RDWR), ends[2];

    DIE_UNLESS(fd >= 0 && null >= 0 && pipe(ends) == 0);
    SHOW(sync_file_range(fd, 0, 0, ALL));
    SHOW(sync_file_range(fd, 0, 0, 8));
    SHOW(sync_file_range(fd, -1, 0, 0));
    SHOW(sync_file_range(fd, 1, -1, 0));
    SHOW(sync_file_range(fd, 1, 0x7fffffffffffffffll, 0));
    SHOW(sync_file_range(fd, 0, 0x7fffffffffffffffll, 0));
    SHOW(sync_file_range(open(".", O_RDONLY), 0, 0, ALL));
    SHOW(sync_file_range(null, 0, 0, ALL));
    SHOW(sync_file_range(null, 0, 0, 8));
    SHOW(sync_file_range(ends[0], 0, 0, 0));
    SHOW(sync_file_range(99, 0, 0, 0));
    SHOW(sync_file_range(open("file", O_PATH), 0, 0, 0));
    unlink("file");
}

int main(void)
{
    test_direct();
    test_ranges();
    return 0;
}
