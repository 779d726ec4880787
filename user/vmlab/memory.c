/* Memory on demand: a page costs nothing until it is touched, and no longer than it is needed. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

#define ARRAY    (128 * 1024)
#define STRIDE   (16 * 1024)
#define PAGES    64u
#define ALIGN(p) ((char *)(((uintptr_t)(p) + PAGE - 1) & ~(uintptr_t)(PAGE - 1)))

/* ---- stack ---- */

static __attribute__((noinline)) void touch_on_stack(void)
{
    volatile char array[ARRAY] __attribute__((aligned(PAGE)));
    long before;

    say("A function has an array of 128 KiB on its stack.");
    picture("Before it touches any of it:", 0, (const void *)array, ARRAY / PAGE);
    before = minor_faults();
    for (int i = 0; i < ARRAY; i += STRIDE)
        array[i] = 1;
    say("It has written to one byte in every 16 KiB. The kernel gave a frame of zeros to each");
    say("page touched, at the fault that the touch caused, and grew the stack where needed.");
    check("faults for it", minor_faults() - before, ARRAY / STRIDE);
    check("frames in the array", frames_of(0, (const void *)array, ARRAY / PAGE), ARRAY / STRIDE);
    check("bytes in them", (long)(frames_of(0, (const void *)array, ARRAY / PAGE) * PAGE), 32768);
    picture("After:", 0, (const void *)array, ARRAY / PAGE);
}

void lab_stack(void)
{
    (void)minor_faults();
    touch_on_stack();
}

/* ---- heap ---- */

void lab_heap(void)
{
    char *heap = ALIGN(sbrk((PAGES + 1) * PAGE));
    long before;

    say("sbrk() has moved the break by 64 pages. That is a promise, nothing else happened.");
    check("frames in the new heap", frames_of(0, heap, PAGES), 0);
    before = minor_faults();
    for (unsigned i = 0; i < 5; i++)
        heap[i * 7 * PAGE] = 'x';
    say("Five of the pages were written to: five faults, five zeroed frames.");
    check("faults", minor_faults() - before, 5);
    check("frames", frames_of(0, heap, PAGES), 5);
    picture("The first 15 pages:", 0, heap, 15);
    before = minor_faults();
    heap[1] = 'y';
    check("faults of a second write to a page", minor_faults() - before, 0);
}

/* ---- bss ---- */

static char unused[PAGES * PAGE] __attribute__((aligned(PAGE)));

void lab_bss(void)
{
    say("The program declares an array of 64 pages without a value. It takes no room in the");
    say("program's file, and none in memory:");
    check("frames before any use", frames_of(0, unused, PAGES), 0);
    unused[10 * PAGE] = 1;
    unused[20 * PAGE] = 1;
    unused[21 * PAGE] = 1;
    say("Three of its pages are written to.");
    check("frames now", frames_of(0, unused, PAGES), 3);
    picture("The pages 8 to 23:", 0, unused + 8 * PAGE, 16);
}

/* ---- zero ---- */

void lab_zero(void)
{
    char *p = map_pages(8, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    unsigned frame, same = 0;
    volatile char sum = 0;

    for (unsigned i = 0; i < 8; i++)
        sum += p[i * PAGE];
    frame = frame_at(0, p);
    for (unsigned i = 0; i < 8; i++)
        same += frame_at(0, p + i * PAGE) == frame;
    say("Eight fresh pages were read, not written. Each entry is the same frame, read-only:");
    picture("After reading:", 0, p, 8);
    check("entries with that frame", same, 8);
    check("frames of their own", frames_of(0, p, 8), 0);
    p[2 * PAGE] = 1;
    say("A write to the third page faults again: now it gets a frame of its own.");
    picture("After the write:", 0, p, 4);
    check("frames of their own", frames_of(0, p, 8), 1);
    check("what the neighbour reads", p[3 * PAGE] + sum, 0);
}

/* ---- dontneed, move ---- */

void lab_dontneed(void)
{
    char *p = map_pages(8, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);

    memset(p, 'x', 8 * PAGE);
    check("frames of 8 pages that were filled", frames_of(0, p, 8), 8);
    madvise(p + 2 * PAGE, 3 * PAGE, MADV_DONTNEED);
    say("madvise(MADV_DONTNEED) on three of them: their frames are free at once.");
    picture("After:", 0, p, 8);
    check("frames", frames_of(0, p, 8), 5);
    check("what the third page reads now", p[2 * PAGE], 0);
    check("what the second page reads", p[PAGE], 'x');
}

void lab_move(void)
{
    char *p = map_pages(5, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1), *q;
    unsigned frame, same = 0;
    long before;

    memset(p, 'm', 4 * PAGE); /* the fifth page is in the way of growing where they are */
    frame = frame_at(0, p);
    picture("Four pages that were filled:", 0, p, 4);
    before = minor_faults();
    q = mremap(p, 4 * PAGE, 512 * PAGE, MREMAP_MAYMOVE);
    if (q == MAP_FAILED)
        give_up("mremap");
    for (unsigned i = 0; i < 4; i++)
        same += ((volatile char *)q)[i * PAGE] == 'm';
    before = minor_faults() - before;
    say("mremap() has made them 512 pages long, at another address. Nothing was copied:");
    check_that("the address is another one", q != p, true);
    check("pages that read as before", same, 4);
    check_that("the first page has the same frame", frame_at(0, q) == frame, true);
    check("frames", frames_of(0, q, 512), 4);
    check_that("a fault for each page at most", before <= 4, true);
    picture("After:", 0, q, 8);
}
