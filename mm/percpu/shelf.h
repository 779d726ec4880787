/*
 * Free frames that a processor has at hand: what frame.c and shelf.c have between them.
 */
#ifndef MM_PERCPU_SHELF_H
#define MM_PERCPU_SHELF_H

#include "arch/processors.h"
#include "libc/string.h"
#include "mm/mm.h"

#define FREE_GUARD 0x5afe1157u
#define FREE_JUNK  0xdbu

/* In a free frame. Debug builds keep each link twice, so that a stray write to one is found when it
 * is followed. */
struct free_frame {
    struct free_frame *next;
#ifdef CONFIG_DEBUG
    uintptr_t guard; /* next, exclusive-ored with FREE_GUARD */
#endif
};

static inline void free_push(struct free_frame **list, struct free_frame *node)
{
    node->next = *list;
    write_once(*list, node);
#ifdef CONFIG_DEBUG
    node->guard = (uintptr_t)node->next ^ FREE_GUARD;
#endif
}

/* Off the list, which is not empty; nothing of the link stays in it. */
static inline struct free_frame *free_pop(struct free_frame **list)
{
    struct free_frame *node = *list;

#ifdef CONFIG_DEBUG
    KASSERT(node->guard == ((uintptr_t)node->next ^ FREE_GUARD));
#endif
    write_once(*list, node->next);
    *node = (struct free_frame){0};
    return node;
}

/* Debug builds: junk, so that a write to a free frame shows when it is next handed out. */
static inline void free_fill(struct free_frame *node)
{
#ifdef CONFIG_DEBUG
    memset((uint8_t *)node + sizeof(*node), FREE_JUNK, PAGE_SIZE - sizeof(*node));
#else
    (void)node;
#endif
}

static inline void free_verify(const struct free_frame *node)
{
#ifdef CONFIG_DEBUG
    const uint8_t *b = (const uint8_t *)node;

    for (unsigned i = sizeof(*node); i < PAGE_SIZE; i++)
        KASSERT(b[i] == FREE_JUNK);
#else
    (void)node;
#endif
}

#define SHELF_MOST 128u /* frames on one */
#define SHELF_STEP 32u  /* that come and go at once */

extern bool shelves_open; /* [f] looked at without */

void shelves_init(void); /* memory starts anew */
/* As frame.c's take(). NULL: there is none at hand, ask for one of all. */
struct frame *shelf_take(enum frame_kind kind, bool *zeroed);
/* False: it does not go there. */
bool shelf_give(struct frame *f, bool zeroed);
bool shelf_has_zeroed(void); /* a hint */
/* All shelves are to be empty, and shelves_open is false: whatever is there goes back. */
void shelves_clear(void);
/* What shelves add to frame.c's figures. */
uint32_t shelves_free(void);
uint32_t shelves_taken(void);
uint32_t shelves_count(enum frame_kind kind);

/* ---- Of frame.c, for shelf.c ---- */

/* So many free frames have gone to *list. None: too few are left, and the shelves are shut. */
uint32_t frames_lend(struct free_frame **list);
/* Up to n of a list come back; how many there were. */
uint32_t frames_return(struct free_frame **list, bool zeroed, uint32_t n);

#endif
