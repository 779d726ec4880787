/* The way of a store to the disk: a loop device, whose medium is a file that can be looked at. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

#define LOOP_SET_FD       0x4c00
#define LOOP_CLR_FD       0x4c01
#define LOOP_CTL_GET_FREE 0x4c82
#define PAGES             4u

int disk_on(int fd, int *number)
{
    int control = open("/dev/loop-control", O_RDWR), disk;
    char path[32];

    *number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE, 0);
    if (*number < 0)
        give_up("/dev/loop-control");
    close(control);
    snprintf(path, sizeof(path), "/dev/loop%d", *number);
    disk = open(path, O_RDWR);
    if (disk < 0 || ioctl(disk, LOOP_SET_FD, fd) < 0)
        give_up(path);
    return disk;
}

void disk_off(int disk)
{
    ioctl(disk, LOOP_CLR_FD, 0);
    close(disk);
}

/* The first byte of a block as the medium has it, past all that is kept in memory of the disk. */
static int on_medium(int fd, unsigned block)
{
    char c = 0;

    pread(fd, &c, 1, (off_t)block * PAGE);
    return c;
}

void lab_written(void)
{
    int fd = scratch_file(PAGES), number, disk = disk_on(fd, &number);
    volatile char *p = map_pages(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, disk);
    long before, first, second;
    char c = 0;

    for (unsigned i = 0; i < PAGES; i++)
        (void)p[i * PAGE];
    say("/dev/loop%d is a disk of four blocks of a page each, mapped, and was read. Its", number);
    say("entries do not allow stores: the first to a page shall be a fault, so that the");
    say("kernel knows that the page will have to be written.");
    picture("The four blocks in memory:", 0, (void *)p, PAGES);
    before = minor_faults();
    p[PAGE] = 'N';
    first = minor_faults();
    p[PAGE + 1] = 'N';
    second = minor_faults();
    check("faults for a store to block 1", first - before, 1);
    check("and for one more", second - first, 0);
    picture("The entry is writable, and the processor has set \"dirty\":", 0, (void *)p, PAGES);
    pread(disk, &c, 1, PAGE);
    check("who reads the disk gets", c, 'N');
    check("on the medium is still", on_medium(fd, 1), '1');
    if (msync((void *)p, PAGES * PAGE, MS_SYNC) < 0)
        give_up("msync");
    say("msync() has sent what was dirty to the disk, and waited for it.");
    check("on the medium is now", on_medium(fd, 1), 'N');
    check("its neighbour", on_medium(fd, 2), '2');
    picture("The page is clean, and the next store will be told of again:", 0, (void *)p, PAGES);
    before = minor_faults();
    p[PAGE] = 'M';
    check("faults for that store", minor_faults() - before, 1);
    check("on the medium, until the kernel writes it", on_medium(fd, 1), 'N');
    munmap((void *)p, PAGES * PAGE);
    fsync(disk);
    check("fsync() sends it, mapped or not", on_medium(fd, 1), 'M');
    disk_off(disk);
}
