/* What memmap sees, and its three ways to show it: as text, as records, as pixels. */
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
    unsigned cells;  /* that are used */
    unsigned room;   /* that there could be */
    struct cell *cell;
    unsigned total[OWNERS]; /* frames */
    unsigned lit;
    unsigned swapped;              /* pages of the chosen process that are in swap */
    unsigned hand;                 /* the frame that the clock hand looked at last; 0: none */
    unsigned long swap, swap_free; /* KiB */
    char name[32];                 /* of the chosen process */
    uint8_t *chosen;               /* a bit for each frame that it maps */
    uint8_t *kind;                 /* of each frame: enum owner_kind */
    int flags_fd;
};

/* frames.c */

extern const char owner_letter[OWNERS + 1]; /* what stands for each, in records and in cells */
extern const char *const owner_name[OWNERS];
bool map_open(struct map *map);
bool map_cells(struct map *map, unsigned room); /* for map_read */
void map_read(struct map *map, pid_t pid);      /* all below, and the cells */
void map_kinds(struct map *map);
void map_figures(struct map *map);           /* the hand, swap */
void map_choose(struct map *map, pid_t pid); /* the frames of one process; 0: of none */
bool map_is_chosen(const struct map *map, unsigned frame);
pid_t next_process(pid_t pid); /* the next larger number in /proc, or the first */
bool process_name(pid_t pid, char *name, size_t size);

/* ---- One process: view.c ---- */

#define ENTRY_WRITABLE 0x01
#define ENTRY_ACCESSED 0x02
#define ENTRY_DIRTY    0x04
#define ENTRY_SHARED   0x08
#define ENTRY_FILE     0x10
#define ENTRY_ZERO     0x20 /* the frame of zeros */

struct entry { /* of a page table */
    uint32_t page, frame;
    uint8_t bits;
};

struct view {
    pid_t pid;
    struct entry *entries; /* by page */
    unsigned count, room;
    char *maps, *directory; /* /proc/PID/maps, pagedir */
};

bool view_read(struct view *v); /* false: the process is gone */
void view_free(struct view *v);

/* ---- The ways to show it ---- */

bool pixels(pid_t pid);         /* pixels.c: on a framebuffer, until "q"; false: there is none */
int stream(const char *device); /* stream.c: until the other side is gone; the exit status */

#endif
