/*
 * Swap as programs see it, on a device of compressed memory that the test sizes itself: refusals of
 * swapon and swapoff, a page's life through pagemap, smaps, status and meminfo, swapoff that brings
 * everything back, also while processes that share swapped pages end.
 */
#include "guest.h"
#include <sys/mount.h>
#include <sys/swap.h>

#define DEVICE "/dev/zram0"
#define FILES  "/sys/block/zram0/"
#define AREA   512u /* pages */
#define PAGES  64u
#define WORDS  (PAGE / 4)

static uint32_t *memory;

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);

    DIE_UNLESS(fd >= 0);
    printf("%s <- %s: %s\n", path, text, error_name(write(fd, text, strlen(text)) < 0 ? errno : 0));
    close(fd);
}

/* The number behind name in a file of /proc, in its unit. */
static long figure(const char *path, const char *name)
{
    char line[256];
    long value = -1;
    FILE *f = fopen(path, "r");

    DIE_UNLESS(f);
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = (value < 0 ? 0 : value) + strtol(line + strlen(name), NULL, 10);
    }
    fclose(f);
    return value;
}

/* mkswap: a signature for so many pages, so many of which are bad. */
static void make_area(uint32_t last, uint32_t bad, const char *magic)
{
    static uint32_t page[WORDS];
    int fd = open(DEVICE, O_WRONLY);

    memset(page, 0, sizeof(page));
    page[256] = 1;
    page[257] = last;
    page[258] = bad;
    for (uint32_t i = 0; i < bad; i++)
        page[384 + i] = 10 + i;
    memcpy((char *)page + PAGE - 10, magic, 10);
    DIE_UNLESS(fd >= 0 && write(fd, page, PAGE) == PAGE && fsync(fd) == 0);
    close(fd);
}

static void fill(void)
{
    for (uint32_t i = 0; i < PAGES * WORDS; i++)
        memory[i] = i % 4 ? 7 : i * 2654435761u;
}

static uint32_t wrong(void)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < PAGES * WORDS; i++)
        bad += memory[i] != (i % 4 ? 7 : i * 2654435761u);
    return bad;
}

/* How many of the pages are in memory, and in swap, as /proc/self/pagemap has it. */
static void show_pagemap(const char *when)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    unsigned present = 0, swapped = 0;
    uint64_t word;

    for (unsigned i = 0; i < PAGES; i++) {
        off_t at = (off_t)((uintptr_t)memory / PAGE + i) * 8;
        DIE_UNLESS(pread(fd, &word, 8, at) == 8);
        present += word >> 63;
        swapped += word >> 62 & 1;
    }
    close(fd);
    printf("%s: %u present, %u swapped, VmSwap %ld, Swap %ld, SwapPss %ld\n", when, present,
           swapped, figure("/proc/self/status", "VmSwap:"), figure("/proc/self/smaps", "Swap:"),
           figure("/proc/self/smaps", "SwapPss:"));
}

static long used(void)
{
    return figure("/proc/meminfo", "SwapTotal:") - figure("/proc/meminfo", "SwapFree:");
}

/* The kernel swaps to the device from boot on, unless it was told zram=0. */
static void end_boot_area(void)
{
    int fd = open(FILES "reset", O_WRONLY);

    (void)swapoff(DEVICE);
    DIE_UNLESS(fd >= 0 && write(fd, "1", 1) == 1);
    close(fd);
}

static void refusals(void)
{
    SHOW(swapon("/nowhere", 0));
    SHOW(swapon("/proc/version", 0));
    SHOW(swapon("/dev/null", 0));
    SHOW(swapon(DEVICE, 0x80000));
    SHOW(swapon(DEVICE, 0)); /* no signature */
    SHOW(swapoff(DEVICE));
    make_area(AREA - 1, 0, "SWAP-SPACE");
    SHOW(swapon(DEVICE, 0));
    make_area(AREA, 0, "SWAPSPACE2");
    SHOW(swapon(DEVICE, 0)); /* larger than the device */
    make_area(0, 0, "SWAPSPACE2");
    SHOW(swapon(DEVICE, 0));
    make_area(AREA - 1, 638, "SWAPSPACE2");
    SHOW(swapon(DEVICE, 0));
}

static void life_of_pages(void)
{
    fill();
    show_pagemap("filled");
    SHOW(madvise(memory, PAGES * PAGE, MADV_PAGEOUT));
    show_pagemap("paged out");
    printf("used: %ld\n", used());
    printf("words wrong: %u\n", wrong());
    show_pagemap("read again");
    printf("cached: %d\n", figure("/proc/meminfo", "SwapCached:") >= (long)PAGES * 4);
    SHOW(mlock(memory, PAGE * 8));
    SHOW(madvise(memory, PAGES * PAGE, MADV_PAGEOUT));
    SHOW(munlock(memory, PAGE * 8));
    SHOW(madvise(memory, PAGES * PAGE, MADV_PAGEOUT));
    show_pagemap("paged out again");
    memory[0] = memory[WORDS] = memory[2 * WORDS] = 1;
    fill();
    SHOW(madvise(memory, PAGES * PAGE, MADV_PAGEOUT));
    SHOW(madvise(memory, PAGES * PAGE / 2, MADV_DONTNEED));
    printf("used: %ld, first word %u\n", used(), memory[0]);
    show_pagemap("half given up");
}

/* Memory that is shared without a file: what of it is in swap is told of each area that maps it,
 * and is nobody's share. */
static void shared_memory(void)
{
    long before = figure("/proc/self/smaps", "Swap:");
    uint32_t *shared =
        (uint32_t *)map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    for (uint32_t i = 0; i < 16 * WORDS; i++)
        shared[i] = i;
    SHOW(madvise(shared, 16 * PAGE, MADV_PAGEOUT));
    printf("Swap %ld, SwapPss %ld\n", figure("/proc/self/smaps", "Swap:") - before,
           figure("/proc/self/smaps", "SwapPss:"));
    printf("word: %u\n", shared[5 * WORDS + 3]);
    munmap(shared, 16 * PAGE);
}

static void shared_by_fork(void)
{
    pid_t child[3];

    fill();
    SHOW(madvise(memory, PAGES * PAGE, MADV_PAGEOUT));
    for (unsigned i = 0; i < 3; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            memory[i * WORDS + 1] = 100;
            for (uint32_t k = 0; k < PAGES; k++)
                if (memory[k * WORDS + 1] != 7)
                    _exit(k == i && memory[k * WORDS + 1] == 100 ? 0 : 1);
            _exit(2);
        }
    }
    SHOW(swapoff(DEVICE));
    for (unsigned i = 0; i < 3; i++) {
        int status;
        DIE_UNLESS(waitpid(child[i], &status, 0) == child[i]);
        printf("child: %d\n", status);
    }
    printf("words wrong: %u\n", wrong());
    show_pagemap("after swapoff");
}

int main(void)
{
    memory =
        (uint32_t *)map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mkdir("/sys", 0755) == 0 || access(FILES, F_OK))
        DIE_UNLESS(mount("sysfs", "/sys", "sysfs", 0, NULL) == 0);
    end_boot_area();
    put(FILES "comp_algorithm", "lzo");
    put(FILES "comp_algorithm", "lz4\n");
    put(FILES "disksize", "much");
    put(FILES "disksize", "2M");
    put(FILES "disksize", "4M");
    refusals();
    make_area(AREA - 1, 12, "SWAPSPACE2");
    SHOW(swapon(DEVICE, SWAP_FLAG_PREFER | 7));
    SHOW(swapon(DEVICE, 0));
    put(FILES "reset", "1");
    printf("total: %ld\n", figure("/proc/meminfo", "SwapTotal:"));
    life_of_pages();
    shared_memory();
    shared_by_fork();
    SHOW(swapoff(DEVICE));
    put(FILES "reset", "1");
    printf("size: %ld, total: %ld\n", figure(FILES "disksize", ""),
           figure("/proc/meminfo", "SwapTotal:"));
    SHOW(seteuid(1000));
    SHOW(swapon(DEVICE, 0));
    SHOW(swapoff(DEVICE));
    return 0;
}
