/*
 * A replacement policy as the simulator drives it: memory of so many frames, and pages that are
 * touched. Pages are numbers below sim_pages. Each policy keeps its state in statics and starts
 * over with start().
 */
#ifndef TESTS_POLICY_POLICIES_H
#define TESTS_POLICY_POLICIES_H

#include <stdbool.h>
#include <stdint.h>

struct policy {
    const char *name;
    void (*start)(unsigned frames);
    /* Whether it was a fault. when: the place in the trace. */
    bool (*touch)(uint32_t page, uint32_t when);
    /* The page's contents are needed no more: its frame is free. */
    void (*gone)(uint32_t page);
};

extern const struct policy fifo, clock_hand, two_queue, clock_pro, lru, opt, faultline;

/* The trace that is played. */
extern uint32_t sim_pages, sim_length;
extern const uint32_t *sim_trace;

/* A list of pages with the places of its links in arrays, so that a page is on one list at a time.
 */
struct page_list {
    uint32_t first, last, count; /* first was put there last */
};
#define NO_PAGE UINT32_MAX

void *sim_array(uint32_t words); /* zeroed, freed by sim_forget() */
void sim_forget(void);
void page_lists_start(void);
void page_list_put_first(struct page_list *l, uint32_t page);
void page_list_remove(struct page_list *l, uint32_t page);
uint32_t page_list_take_last(struct page_list *l); /* NO_PAGE when it is empty */

#endif
