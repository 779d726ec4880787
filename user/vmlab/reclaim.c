/* When memory is short: which pages go, where to, and how they come back. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

#define PAGES 8u

/* False, and says so: there is nowhere to go. */
static bool have_swap(void)
{
    if (number_in("/proc/meminfo", "SwapFree:") >= 1024)
        return true;
    say("There is no swap space on this machine (zram=0): nothing can be shown.");
    return false;
}

static unsigned in_swap(const char *at, unsigned pages)
{
    struct look l[PAGES];
    unsigned n = 0;

    look(0, at, pages, l);
    for (unsigned i = 0; i < pages; i++)
        n += l[i].swapped;
    return n;
}

/* ---- chance ---- */

/* Lines of the hand's trace about the pages from at on that end in a word. */
static unsigned told(const char *word, const unsigned *frame)
{
    FILE *f = fopen("/proc/pageout", "r");
    char line[160];
    unsigned n = 0;

    while (f && fgets(line, sizeof(line), f)) {
        char *at = strchr(line, ' ');
        unsigned long number = at ? strtoul(strchr(at + 1, ' ') + 1, NULL, 16) : 0;

        for (unsigned i = 0; line[0] != '#' && i < PAGES; i++)
            n += frame[i] == number && strstr(line, word);
    }
    if (f)
        fclose(f);
    return n;
}

static void pass(const char *at, unsigned *frame)
{
    for (unsigned i = 0; i < PAGES; i++)
        frame[i] = frame_at(0, at + i * PAGE);
    put_in("/proc/pageout", "1");
    put_in("/proc/pageout", "round");
    put_in("/proc/pageout", "0");
}

void lab_chance(void)
{
    char *p = map_pages(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    unsigned frame[PAGES];
    volatile char sum = 0;

    if (!have_swap())
        return;
    for (unsigned i = 0; i < PAGES; i++)
        memset(p + i * PAGE, '0' + (int)i, PAGE);
    say("When memory is short a hand passes over all frames, like that of a clock. The");
    say("processor has set the bit \"accessed\" of each page that was used:");
    picture("Eight pages, just written:", 0, p, PAGES);
    pass(p, frame);
    say("The hand has passed. Who was used is spared, and has lost the bit (a):");
    picture("After the first round:", 0, p, PAGES);
    check("spared", told(" spared ", frame), PAGES);
    for (unsigned i = 0; i < PAGES; i += 2)
        sum += p[i * PAGE];
    picture("Every second one was read since:", 0, p, PAGES);
    pass(p, frame);
    say("The hand came again. That was the second chance: who did not use it goes to swap.");
    picture("After the second round:", 0, p, PAGES);
    check("spared", told(" spared ", frame), PAGES / 2);
    check("sent to swap", told(" sent ", frame), PAGES / 2);
    check("pages in memory", frames_of(0, p, PAGES), PAGES / 2);
    check("pages in swap", in_swap(p, PAGES), PAGES / 2);
    check("what the last page reads", p[7 * PAGE + 9], '7');
    put_in("/proc/pageout", "-1");
}

/* ---- swap ---- */

/* What the fault trace tells of the first fault at an address. */
static void show_fault(const char *at)
{
    FILE *f = fopen("/proc/faults", "r");
    char line[200], *word[16];
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f)) {
        unsigned n = 0;

        line[strcspn(line, "\n")] = '\0';
        for (char *w = strtok(line, " "); w && n < 16; w = strtok(NULL, " "))
            word[n++] = w;
        found = n == 16 && (strtoul(word[4], NULL, 16) & ~(PAGE - 1)) == (uintptr_t)at;
    }
    if (f)
        fclose(f);
    if (found)
        say("The trace: row %s of the fault table, from %s, waited for %s microseconds.", word[8],
            word[14], word[15]);
    check_that("the trace calls it row 1S", found && strcmp(word[8], "1S") == 0, true);
}

static void page_out(char *p)
{
    madvise(p, PAGE, MADV_PAGEOUT);
}

void lab_swap(void)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    struct look l;
    long before;

    if (!have_swap())
        return;
    memset(p, 's', PAGE);
    picture("A page that was written is in a frame:", 0, p, 1);
    page_out(p);
    say("MADV_PAGEOUT does at once what the hand does when memory is short: the page has no");
    say("file, so it goes to a slot of swap, and its frame is free for others.");
    picture("Now:", 0, p, 1);
    check("frames", frames_of(0, p, 1), 0);
    check("pages in swap", in_swap(p, 1), 1);
    put_in("/proc/faults", "1");
    before = major_faults();
    check("what it reads, 100 bytes on", ((volatile char *)p)[100], 's');
    put_in("/proc/faults", "0");
    check("major faults for that", major_faults() - before, 1);
    show_fault(p);
    say("It is in a frame again, and the slot still holds the same: nothing has changed.");
    picture("Now:", 0, p, 1);
    look(0, p, 1, &l);
    check("frames", frames_of(0, p, 1), 1);
    check_that("and in swap, too", l.in_swap, true);
    before = number_in("/proc/vmstat", "pswpout");
    page_out(p);
    say("Sent away once more, it need not be written: the frame is simply dropped.");
    check("pages written to swap", number_in("/proc/vmstat", "pswpout") - before, 0);
    check("pages in swap", in_swap(p, 1), 1);
    ((volatile char *)p)[5] = 't';
    say("A store brings it back, and makes what is in the slot worth nothing.");
    picture("Now:", 0, p, 1);
    look(0, p, 1, &l);
    check_that("the same in swap", l.in_swap, false);
    check("what it reads beside the store", ((volatile char *)p)[6], 's');
    put_in("/proc/faults", "-1");
}

/* ---- scan ---- */

#define SET         64u /* pages that are in use all the time */
#define RAM_MAX_KIB (256 * 1024)
#define CHUNK       (64 * 1024)

/* How many of them were not in memory. */
static long touch_set(volatile char *set)
{
    static struct look l[SET];
    long lost = 0;

    look(0, (void *)set, SET, l);
    for (unsigned i = 0; i < SET; i++) {
        lost += l[i].swapped;
        set[i * PAGE]++;
    }
    return lost;
}

void lab_scan(void)
{
    volatile char *set = map_pages(SET, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1);
    long ram = number_in("/proc/meminfo", "MemTotal:"), lost = 0, scanned, stolen;
    int fd, disk, number;
    char *buf = malloc(CHUNK);

    if (ram > RAM_MAX_KIB) {
        say("With more than 256 MiB of memory this takes too long: nothing is shown.");
        return;
    }
    fd = scratch_file(0);
    ftruncate(fd, (off_t)ram * 2048);
    disk = disk_on(fd, &number);
    scanned =
        number_in("/proc/vmstat", "pgscan_kswapd") + number_in("/proc/vmstat", "pgscan_direct");
    stolen =
        number_in("/proc/vmstat", "pgsteal_kswapd") + number_in("/proc/vmstat", "pgsteal_direct");
    say("A disk of twice the memory's size is read from end to end; between the pieces %u", SET);
    say("pages of this program are used. Each page of the disk is used once.");
    touch_set(set);
    for (long kib = 0; buf && kib < ram * 2; kib += CHUNK / 1024) {
        if (read(disk, buf, CHUNK) != CHUNK)
            break;
        if (kib % 1024 == 0)
            lost += touch_set(set);
    }
    stolen = number_in("/proc/vmstat", "pgsteal_kswapd") +
             number_in("/proc/vmstat", "pgsteal_direct") - stolen;
    scanned = number_in("/proc/vmstat", "pgscan_kswapd") +
              number_in("/proc/vmstat", "pgscan_direct") - scanned;
    say("The hand looked at %ld frames and freed %ld of them.", scanned, stolen);
    check_that("more than a third of memory had to be freed", stolen > ram / 12, true);
    check("pages of the working set that went meanwhile", lost, 0);
    disk_off(disk);
    free(buf);
}
