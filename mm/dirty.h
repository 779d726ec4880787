/*
 * Dirty pages of files: how many there may be, who waits for it, and writing them back before
 * somebody asks. [man 5 proc, /proc/sys/vm/dirty_*]
 */
#ifndef MM_DIRTY_H
#define MM_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

struct vm_object;

/* Of each pair the bytes count where they are not 0; a ratio is percent of what could be dirty:
 * free memory and the pages of files. */
struct vm_dirty_settings {
    uint32_t background_ratio, background_bytes; /* from there on a thread writes */
    uint32_t ratio, bytes;                       /* from there on who dirties more has to */
    uint32_t expire_centisecs;                   /* so long dirty: goes at the next turn */
    uint32_t turn_centisecs;                     /* between two turns of the thread; 0: none */
};
void vm_dirty_get(struct vm_dirty_settings *out);
void vm_dirty_set(const struct vm_dirty_settings *s);

struct vm_dirty_stats { /* in pages */
    uint32_t dirty, writing;
    uint32_t background, limit; /* what the settings come to */
    uint64_t dirtied, written;  /* ever since boot */
};
void vm_dirty_stats(struct vm_dirty_stats *out);

/* kick is called when there is something to write in the background, and after vm_dirty_set();
 * under no lock. */
void vm_dirty_tell(void (*kick)(void)); /* NULL: nobody */

/* The caller has made a page of o dirty: above the limit he writes pages back, o's first, before he
 * goes on. Sleeps, for a bounded number of runs. */
void vm_dirty_balance(struct vm_object *o);
/* Writes until less is dirty than what the background begins at. May sleep. */
void vm_write_back_background(void);
/* Writes what was dirty before that time (port's now()); whether there was any. May sleep. */
bool vm_write_back_old(uint64_t before);

#endif
