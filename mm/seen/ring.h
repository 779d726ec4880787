/*
 * A ring of the newest events of one kind: what the traces of this room keep theirs in.
 *
 * It is made of single frames, taken when the trace is started and kept, with what they hold, until
 * it is dropped. Events have numbers that never repeat; a reader remembers the next one it wants,
 * so any number of them can follow.
 */
#ifndef MM_SEEN_RING_H
#define MM_SEEN_RING_H

#include "mm/mm.h"

#define RING_FRAMES 96u /* at most */

struct ring {
    uint32_t size;        /* of an event, bytes */
    bool on;              /* [v] to change; read without it: who asks may just miss the switch */
    uint32_t capacity;    /* [v] events that fit; on implies that some do */
    uint64_t first, next; /* [v] numbers: since the start, and to come */
    void *frame[RING_FRAMES]; /* [v] */
};

/* Numbers begin with 1, so that 0 is before all of them. */
#define RING_OF(type)                                                                              \
    {                                                                                              \
        .size = sizeof(type), .first = 1, .next = 1                                                \
    }

int ring_start(struct ring *r); /* empties it and records from now on; -ENOMEM */
void ring_stop(struct ring *r); /* what was recorded stays */
void ring_drop(struct ring *r); /* stops, gives back the memory */
/* Copies the event in, if it is on. [v] */
void ring_add(struct ring *r, const void *event);
/* The newest n, oldest first; how many there were. For a machine that stands still: no lock. */
unsigned ring_peek(const struct ring *r, void *out, unsigned n);
/* Up to n events from number *number on, which moves past them; 0 is the beginning. How many;
 * *lost: how many it had forgotten before them. */
unsigned ring_read(const struct ring *r, uint64_t *number, void *out, unsigned n, uint32_t *lost);

#endif
