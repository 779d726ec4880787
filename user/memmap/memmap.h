/* What memmap counts and what it draws. */
#ifndef USER_MEMMAP_MEMMAP_H
#define USER_MEMMAP_MEMMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum owner_kind {
    OWNER_FREE,
    OWNER_KERNEL,
    OWNER_TABLE,
    OWNER_ANON,
    OWNER_COW,
    OWNER_FILE,
    OWNER_DIRTY,
    OWNER_CACHED, /* in swap, too */
    OWNER_IO,
    OWNER_NONE,
    OWNERS
};

struct cell {
    unsigned short count[OWNERS]; /* frames of each owner */
    bool lit;                     /* the chosen process maps one of them */
    bool hand;                    /* the clock hand is here */
};

struct map {
    unsigned frames; /* of the machine, holes included */
    unsigned group;  /* frames in a cell */
    unsigned cells;  /* that there is room for; after map_read, that are used */
    unsigned room;
    struct cell *cell;
    unsigned total[OWNERS]; /* frames */
    unsigned lit;
    unsigned swapped;              /* pages of the chosen process that are in swap */
    unsigned hand;                 /* the frame that the clock hand looked at last; 0: none */
    unsigned long swap, swap_free; /* KiB */
    char name[32];                 /* of the chosen process */
    uint8_t *chosen;               /* a bit for each frame that it maps */
    int flags_fd, count_fd;
};

bool map_open(struct map *map); /* cells and cell are set */
void map_read(struct map *map, pid_t pid);
pid_t next_process(pid_t pid); /* the next larger number in /proc, or the first */

#endif
