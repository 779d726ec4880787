/*
 * The order in which waiting transfers go to a disk. No locks, no hardware: its queue's lock guards
 * it.
 */
#ifndef FS_BLOCK_ELEVATOR_H
#define FS_BLOCK_ELEVATOR_H

#include "fs/block/block.h"

/* No run waits longer than this while others overtake it. */
#define ELEVATOR_PATIENCE_NS 250000000ull

struct elevator {
    struct list sorted, aged; /* heads of runs: by place, and in order of their coming */
    unsigned runs;
    uint64_t sweep; /* the sector where the last run ended: the next is at or above it */
    uint32_t max_bytes, max_segments; /* of a run */
    bool whole_pages;                 /* within a run transfers meet at the ends of pages */
};

void elevator_init(struct elevator *e, uint32_t max_bytes, uint32_t max_segments, bool whole_pages);
/* Puts io (at and since are set) where it belongs, as part of a run if it touches one of its kind.
 * Whether it joined one. */
bool elevator_add(struct elevator *e, struct block_io *io);
/* Takes the run that is next; its other transfers are in run of its head. NULL: none waits. */
struct block_io *elevator_take(struct elevator *e, uint64_t now);

/* How many frames a transfer touches. */
unsigned block_io_segments(const struct block_io *io);

#endif
