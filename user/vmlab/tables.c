/* What lies below it all: the two levels of page tables, and the list of free frames. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "user/vmlab/lab.h"

/* ---- walk ---- */

struct directory_entry {
    unsigned table, present; /* the table's frame; entries of it that are present */
    bool found;
};

static struct directory_entry directory_entry(unsigned index, unsigned *tables)
{
    FILE *f = fopen("/proc/self/pagedir", "r");
    struct directory_entry e = {0};
    char line[96], *word;

    if (!f)
        give_up("/proc/self/pagedir");
    for (*tables = 0; fgets(line, sizeof(line), f); ++*tables) {
        unsigned long n = strtoul(line, &word, 10);

        strtoul(word, &word, 16);
        if (n != index)
            continue;
        e.found = true;
        e.table = (unsigned)strtoul(word, &word, 16);
        e.present = (unsigned)strtoul(word + 2, NULL, 10);
    }
    fclose(f);
    return e;
}

void lab_walk(void)
{
    volatile char *p = map_pages(2048, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1), *at;
    unsigned long va;
    unsigned index, tables, more, frame;
    struct directory_entry e;
    struct look l;

    /* The whole 4 MiB of one table, which nobody else uses. */
    p = (char *)(((uintptr_t)p + (4u << 20) - 1) & ~(uintptr_t)((4u << 20) - 1));
    at = p + 5 * PAGE + 0x2a8;
    va = (unsigned long)at;
    index = (unsigned)(va >> 22);
    e = directory_entry(index, &tables);
    say("An address has three parts: ten bits choose an entry of the page directory, ten");
    say("one of the table that this points to, twelve the byte in the page:");
    end_paragraph();
    printf("      %08lx = directory %u, table %lu, byte 0x%03lx\n", va, index, va >> 12 & 0x3ff,
           va & 0xfff);
    check_that("tables for these 4 MiB before anything is touched", e.found, false);
    *at = 'w';
    e = directory_entry(index, &more);
    frame = frame_at(0, (void *)at);
    look(0, (void *)at, 1, &l);
    say("A byte was written. The fault has made a table, for all of the 4 MiB, and an entry:");
    end_paragraph();
    printf("      directory[%u] -> table in frame %05x, %u of its 1024 entries present\n", index,
           e.table, e.present);
    printf("      table[%lu]     -> frame %05x\n", va >> 12 & 0x3ff, frame);
    printf("      so the byte is at physical address %08lx\n",
           (unsigned long)frame << 12 | (va & 0xfff));
    check("tables more than before", (long)(more - tables), 1);
    check("entries present in it", e.present, 1);
    check_that("the table is a frame of its own", e.table != frame && e.table != 0, true);
    p[9 * PAGE] = 'w';
    check("entries after the next page, tables still the same",
          directory_entry(index, &tables).present, 2);
    check("tables", (long)tables, (long)more);
    munmap((void *)p, 4u << 20);
    say("The 4 MiB were unmapped: nothing is left in the table, and it has gone, too.");
    check_that("tables for them", directory_entry(index, &tables).found, false);
}

/* ---- kalloc ---- */

#define NODES 64u
#define PAGES 8u

struct node {
    unsigned frame;
    unsigned long next;
};

static unsigned read_list(struct node *list)
{
    FILE *f = fopen("/proc/freelist", "r");
    char line[64], *word;
    unsigned n = 0;

    if (!f)
        give_up("/proc/freelist");
    while (n < NODES && fgets(line, sizeof(line), f)) {
        list[n].frame = (unsigned)strtoul(line, &word, 16);
        list[n++].next = strtoul(word, NULL, 16);
    }
    fclose(f);
    return n;
}

static bool is_on(const struct node *list, unsigned n, unsigned frame)
{
    for (unsigned i = 0; i < n; i++)
        if (list[i].frame == frame)
            return true;
    return false;
}

void lab_kalloc(void)
{
    volatile char *p = map_pages(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, -1), *copy;
    int fd = open("/proc/self/exe", O_RDONLY);
    unsigned frame[PAGES], n, found = 0, linked = 0;
    struct node list[NODES];

    copy = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
    (void)copy[0];
    for (unsigned i = 0; i < PAGES; i++) {
        p[i * PAGE] = 1;
        frame[i] = frame_at(0, (void *)(p + i * PAGE));
    }
    n = read_list(list);
    for (unsigned i = 0; i < PAGES; i++)
        found += is_on(list, n, frame[i]);
    say("Free frames are a list, whose nodes need no memory: each lies in the free frame");
    say("itself, and is one word, the address of the next. Eight pages are in use:");
    check("frames of them on the list", found, 0);
    munmap((void *)p, PAGES * PAGE);
    n = read_list(list);
    say("They were given back. kfree() has put each frame at the head of the list:");
    end_paragraph();
    for (unsigned i = 0; i < 5 && i < n; i++)
        printf("      frame %05x, whose first word is %08lx\n", list[i].frame, list[i].next);
    for (unsigned i = 0, k; i < PAGES; i++) {
        found += is_on(list, n, frame[i]);
        for (k = 0; k + 1 < n && list[k].frame != frame[i]; k++)
            ;
        linked += k + 1 < n && list[k].next >> 12 == (0x80000u | list[k + 1].frame);
    }
    check_that("most of them are among the first 64 (others work, too)", found >= PAGES - 2, true);
    check_that("each says where the next is", linked >= found - 1, true);
    copy[0] = 1;
    say("A write to a private page of a file needs a frame: kalloc() takes the head.");
    check_that("it was on the list", is_on(list, n, frame_at(0, (void *)copy)), true);
    n = read_list(list);
    check_that("and is not any more", is_on(list, n, frame_at(0, (void *)copy)), false);
}
