/* Files in memory: shared and private mappings, read() beside mmap, dirty pages, major faults. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

void lab_shared(void)
{
    int fd = scratch_file(1);
    volatile char *a = map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    volatile char *b = map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    volatile char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
    unsigned frame;

    (void)(a[0] + b[0] + p[0]);
    frame = frame_at(0, (void *)a);
    say("One page of a file is mapped three times: twice shared, once private; all were read.");
    picture("shared:", 0, (void *)a, 1);
    picture("shared too:", 0, (void *)b, 1);
    picture("private:", 0, (void *)p, 1);
    check_that("second mapping has the same frame", frame_at(0, (void *)b) == frame, true);
    check_that("private mapping has the same frame", frame_at(0, (void *)p) == frame, true);
    a[0] = 'A';
    say("A write through the first is the file's new contents, everybody sees it:");
    check("second mapping reads", b[0], 'A');
    check("private mapping reads", p[0], 'A');
    p[0] = 'P';
    say("A write through the private one makes a copy that is this process's alone:");
    picture("private:", 0, (void *)p, 1);
    check_that("the private mapping has another frame", frame_at(0, (void *)p) != frame, true);
    check("the shared ones still read", a[0], 'A');
    a[0] = 'B';
    check("and the copy does not follow the file any more", p[0], 'P');
}

void lab_read(void)
{
    int fd = scratch_file(1);
    volatile char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    unsigned frame;
    char c = 0;

    (void)p[0];
    frame = frame_at(0, (void *)p);
    picture("A page of a file, mapped:", 0, (void *)p, 1);
    pwrite(fd, "w", 1, 5);
    say("write() has changed byte 5 of the file. There is no copy to bring up to date:");
    check("what the mapping reads there", p[5], 'w');
    p[6] = 'm';
    pread(fd, &c, 1, 6);
    check("what read() gets after a store through the mapping", c, 'm');
    check_that("the frame is still the same", frame_at(0, (void *)p) == frame, true);
}

/* A figure, in KiB, of the area at an address in /proc/self/smaps. */
static long smaps_kib(const volatile void *at, const char *name)
{
    FILE *f = fopen("/proc/self/smaps", "r");
    bool inside = false;
    char line[256];
    long kib = -1;

    while (f && fgets(line, sizeof(line), f)) {
        char *dash;
        unsigned long start = strtoul(line, &dash, 16);

        if (*dash == '-' && dash - line == 8)
            inside = (uintptr_t)at >= start && (uintptr_t)at < strtoul(dash + 1, NULL, 16);
        else if (inside && strncmp(line, name, strlen(name)) == 0)
            kib = atol(line + strlen(name));
    }
    if (f)
        fclose(f);
    return kib;
}

void lab_dirty(void)
{
    int fd = scratch_file(0);
    volatile char *p;

    ftruncate(fd, 4 * PAGE);
    p = map_pages(4, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    for (unsigned i = 0; i < 4; i++)
        (void)p[i * PAGE];
    say("Four pages of a file were read through a shared mapping. The processor sets the dirty");
    say("bit of an entry when it writes, so the kernel knows what has to reach the file:");
    check("KiB clean", smaps_kib(p, "Private_Clean:"), 16);
    check("KiB dirty", smaps_kib(p, "Private_Dirty:"), 0);
    p[PAGE] = 1;
    p[PAGE + 1] = 2;
    say("Two bytes of the second page were written.");
    picture("After:", 0, (void *)p, 4);
    check("KiB clean", smaps_kib(p, "Private_Clean:"), 12);
    check("KiB dirty", smaps_kib(p, "Private_Dirty:"), 4);
}

void lab_major(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    volatile char *p = map_pages(1, PROT_READ, MAP_PRIVATE, fd), *q;
    long major, minor;

    (void)p[0];
    madvise((void *)p, PAGE, MADV_PAGEOUT);
    picture("A page of the program's file, dropped from memory by MADV_PAGEOUT:", 0, (void *)p, 1);
    major = major_faults();
    (void)p[0];
    say("The touch had to fetch it from the ramdisk: a major fault.");
    check("major faults", major_faults() - major, 1);
    picture("After:", 0, (void *)p, 1);
    q = map_pages(1, PROT_READ, MAP_PRIVATE, fd);
    major = major_faults();
    minor = minor_faults();
    (void)q[0];
    say("Through a second mapping the page is found in memory: a minor fault, the same frame.");
    check("major faults", major_faults() - major, 0);
    check("minor faults", minor_faults() - minor, 1);
    check_that("the same frame", frame_at(0, (void *)p) == frame_at(0, (void *)q), true);
}
