/* Who owns each frame, from /proc/kpageflags, counted into cells; and which frames a process has,
 * from its pagemap. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "user/memmap/memmap.h"

#define PAGE         4096u
#define BATCH        512u
#define PRESENT      (1ull << 63)
#define SWAPPED      (1ull << 62)
#define PFN_MASK     ((1ull << 55) - 1)
#define KPF_LOCKED   (1ull << 0)
#define KPF_DIRTY    (1ull << 4)
#define KPF_LRU      (1ull << 5)
#define KPF_WRITING  (1ull << 8)
#define KPF_BUDDY    (1ull << 10)
#define KPF_ANON     (1ull << 12)
#define KPF_SWAPPED  (1ull << 13)
#define KPF_NOPAGE   (1ull << 20)
#define KPF_PGTABLE  (1ull << 26)
#define KPF_RESERVED (1ull << 32)
#define KPF_COW      (1ull << 48) /* Faultline's: several owners, a write copies */

const char owner_letter[OWNERS + 1] = ".KTACFDSW-";
const char *const owner_name[OWNERS] = {
    [OWNER_FREE] = "free",           [OWNER_KERNEL] = "kernel",      [OWNER_TABLE] = "page table",
    [OWNER_ANON] = "anonymous",      [OWNER_COW] = "copy-on-write",  [OWNER_FILE] = "file",
    [OWNER_DIRTY] = "file, written", [OWNER_CACHED] = "in swap too", [OWNER_IO] = "I/O",
    [OWNER_NONE] = "not memory",
};

/* The order matters: anonymous frames are on the LRU list, too. */
static enum owner_kind owner_of(uint64_t flags)
{
    if (flags & (KPF_NOPAGE | KPF_RESERVED))
        return OWNER_NONE;
    if (flags & KPF_BUDDY)
        return OWNER_FREE;
    if (flags & KPF_PGTABLE)
        return OWNER_TABLE;
    if (flags & (KPF_LOCKED | KPF_WRITING))
        return OWNER_IO;
    if ((flags & KPF_ANON) && (flags & KPF_SWAPPED) && !(flags & KPF_DIRTY))
        return OWNER_CACHED;
    if (flags & KPF_ANON)
        return flags & KPF_COW ? OWNER_COW : OWNER_ANON;
    if (flags & KPF_LRU)
        return flags & KPF_DIRTY ? OWNER_DIRTY : OWNER_FILE;
    return OWNER_KERNEL;
}

bool map_is_chosen(const struct map *map, unsigned frame)
{
    return map->chosen[frame / 8] >> (frame % 8) & 1;
}

/* Up to BATCH words from the first-th on; how many there were, 0 past the end. */
static unsigned read_words(int fd, uint64_t *words, unsigned first)
{
    ssize_t n = pread(fd, words, BATCH * sizeof(*words), (off_t)first * (off_t)sizeof(*words));

    return n > 0 ? (unsigned)n / sizeof(*words) : 0;
}

/* As many frames as the kernel tells of. */
bool map_open(struct map *map)
{
    uint64_t words[BATCH];
    unsigned n;

    map->flags_fd = open("/proc/kpageflags", O_RDONLY);
    if (map->flags_fd < 0)
        return false;
    while ((n = read_words(map->flags_fd, words, map->frames)) > 0)
        map->frames += n;
    map->chosen = calloc(map->frames / 8 + 1, 1);
    map->kind = calloc(map->frames, 1);
    return map->chosen && map->kind && map->frames;
}

bool map_cells(struct map *map, unsigned room)
{
    map->room = room;
    map->group = (map->frames + room - 1) / room;
    map->cells = (map->frames + map->group - 1) / map->group;
    map->cell = calloc(room, sizeof(map->cell[0]));
    return map->cell != NULL;
}

/* ---- One process ---- */

static void choose_range(struct map *map, int pagemap, unsigned long start, unsigned long end)
{
    uint64_t words[BATCH];

    for (unsigned long page = start / PAGE; page < end / PAGE;) {
        unsigned n = read_words(pagemap, words, (unsigned)page);

        for (unsigned i = 0; i < n && page + i < end / PAGE; i++) {
            uint64_t frame = words[i] & PFN_MASK;

            map->swapped += (words[i] & SWAPPED) != 0;
            if ((words[i] & PRESENT) && frame < map->frames &&
                !map_is_chosen(map, (unsigned)frame)) {
                map->chosen[frame / 8] |= (uint8_t)(1 << (frame % 8));
                map->lit++;
            }
        }
        if (n == 0)
            return;
        page += n;
    }
}

bool process_name(pid_t pid, char *name, size_t size)
{
    char path[32];
    FILE *f;

    name[0] = '\0';
    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    f = fopen(path, "r");
    if (f && fgets(name, (int)size, f))
        name[strcspn(name, "\n")] = '\0';
    if (f)
        fclose(f);
    return name[0] != '\0';
}

/* Marks the frames of one process, 0: of none. It may end meanwhile: then there are fewer. */
void map_choose(struct map *map, pid_t pid)
{
    char path[32], line[256];
    int pagemap;
    FILE *maps;

    memset(map->chosen, 0, map->frames / 8 + 1);
    map->lit = map->swapped = 0;
    if (!pid)
        return;
    process_name(pid, map->name, sizeof(map->name));
    snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
    pagemap = open(path, O_RDONLY);
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    maps = fopen(path, "r");
    while (pagemap >= 0 && maps && fgets(line, sizeof(line), maps)) {
        char *end;
        unsigned long start = strtoul(line, &end, 16);

        if (*end == '-')
            choose_range(map, pagemap, start, strtoul(end + 1, NULL, 16));
    }
    if (pagemap >= 0)
        close(pagemap);
    if (maps)
        fclose(maps);
}

/* The next higher number that is in use, or the lowest. */
pid_t next_process(pid_t pid)
{
    pid_t next = 0, first = 0;
    struct dirent *e;
    DIR *d = opendir("/proc");

    while (d && (e = readdir(d))) {
        pid_t n = atoi(e->d_name);

        if (n <= 0)
            continue;
        if (!first || n < first)
            first = n;
        if (n > pid && (!next || n < next))
            next = n;
    }
    if (d)
        closedir(d);
    return next ? next : first;
}

/* ---- All frames ---- */

void map_kinds(struct map *map)
{
    static uint64_t flags[BATCH];

    memset(map->total, 0, sizeof(map->total));
    for (unsigned frame = 0, n; frame < map->frames; frame += n) {
        n = read_words(map->flags_fd, flags, frame);
        if (n == 0)
            return;
        for (unsigned i = 0; i < n && frame + i < map->frames; i++) {
            map->kind[frame + i] = (uint8_t)owner_of(flags[i]);
            map->total[map->kind[frame + i]]++;
        }
    }
}

static void count_frame(struct map *map, unsigned frame)
{
    struct cell *c = &map->cell[frame / map->group];

    c->count[map->kind[frame]]++;
    c->lit = c->lit || map_is_chosen(map, frame);
    c->hand = c->hand || (frame == map->hand && frame);
}

/* The number behind a word in a file; 0: there is none. */
static unsigned long number_in(const char *path, const char *word, int base)
{
    FILE *f = fopen(path, "r");
    unsigned long n = 0;
    char line[160];

    while (f && !n && fgets(line, sizeof(line), f)) {
        const char *at = strstr(line, word);

        if (at)
            n = strtoul(at + strlen(word), NULL, base);
    }
    if (f)
        fclose(f);
    return n;
}

void map_figures(struct map *map)
{
    map->hand = (unsigned)number_in("/proc/pageout", "hand ", 16);
    map->swap = number_in("/proc/meminfo", "SwapTotal:", 10);
    map->swap_free = number_in("/proc/meminfo", "SwapFree:", 10);
}

void map_read(struct map *map, pid_t pid)
{
    map_choose(map, pid);
    map_figures(map);
    map_kinds(map);
    memset(map->cell, 0, map->cells * sizeof(map->cell[0]));
    for (unsigned frame = 0; frame < map->frames; frame++)
        count_frame(map, frame);
}
