/*
 * Plays recorded runs against replacement policies and prints how many pages each had to bring in
 * again.
 *
 *     simulator < trace      a row for each size of memory: faults beyond each page's first
 *
 * The last but one column is mm/reclaim/policy.c itself, the last the best that can be had.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/policy/policies.h"
#include "tests/policy/trace.h"

#define ARRAYS 16

static const struct policy *const policies[] = {&fifo, &clock_hand, &two_queue, &clock_pro,
                                                &lru,  &faultline,  &opt};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))
static const unsigned percents[] = {20, 35, 50, 65, 80};

uint32_t sim_pages, sim_length;
const uint32_t *sim_trace;

static void *arrays[ARRAYS];
static unsigned arrays_used;
static uint32_t *next_of, *previous_of;

void *sim_array(uint32_t words)
{
    void *a = calloc(words ? words : 1, sizeof(uint32_t));

    if (!a || arrays_used == ARRAYS)
        exit(2);
    return arrays[arrays_used++] = a;
}

void sim_forget(void)
{
    while (arrays_used)
        free(arrays[--arrays_used]);
}

void page_lists_start(void)
{
    next_of = sim_array(sim_pages);
    previous_of = sim_array(sim_pages);
}

void page_list_put_first(struct page_list *l, uint32_t page)
{
    next_of[page] = l->first;
    previous_of[page] = NO_PAGE;
    if (l->count)
        previous_of[l->first] = page;
    else
        l->last = page;
    l->first = page;
    l->count++;
}

void page_list_remove(struct page_list *l, uint32_t page)
{
    if (page == l->first)
        l->first = next_of[page];
    else
        next_of[previous_of[page]] = next_of[page];
    if (page == l->last)
        l->last = previous_of[page];
    else
        previous_of[next_of[page]] = previous_of[page];
    l->count--;
}

uint32_t page_list_take_last(struct page_list *l)
{
    uint32_t page = l->last;

    if (!l->count)
        return NO_PAGE;
    page_list_remove(l, page);
    return page;
}

static void read_trace(void)
{
    size_t room = 1u << 16, used = 0, got;
    uint32_t *words = malloc(room * sizeof(*words));

    while (words && (got = fread(words + used, sizeof(*words), room - used, stdin)) > 0) {
        used += got;
        if (used == room)
            words = realloc(words, (room *= 2) * sizeof(*words));
    }
    if (!words || !used)
        exit(2);
    for (size_t n = 0; n < used; n++)
        if (words[n] >> TRACE_SHIFT >= sim_pages)
            sim_pages = (words[n] >> TRACE_SHIFT) + 1;
    sim_trace = words;
    sim_length = (uint32_t)used;
}

/* How many pages are there at once, at most: what a machine needs that never evicts. */
static unsigned most_at_once(void)
{
    uint32_t *here = sim_array(sim_pages);
    unsigned now = 0, most = 0;

    for (uint32_t n = 0; n < sim_length; n++) {
        uint32_t *h = &here[sim_trace[n] >> TRACE_SHIFT];
        uint32_t is = (sim_trace[n] & TRACE_KIND) == TRACE_TOUCH;
        now += is - *h;
        *h = is;
        most = now > most ? now : most;
    }
    sim_forget();
    return most;
}

static uint32_t faults_again(const struct policy *p, unsigned frames)
{
    uint32_t *seen = sim_array(sim_pages), again = 0;

    p->start(frames);
    for (uint32_t n = 0; n < sim_length; n++) {
        uint32_t page = sim_trace[n] >> TRACE_SHIFT;
        if ((sim_trace[n] & TRACE_KIND) == TRACE_GONE) {
            p->gone(page);
            continue;
        }
        again += p->touch(page, n) && seen[page];
        seen[page] = 1;
    }
    sim_forget();
    return again;
}

int main(void)
{
    unsigned most;

    read_trace();
    most = most_at_once();
    printf("frames");
    for (unsigned p = 0; p < POLICIES; p++)
        printf(" %s", policies[p]->name);
    for (unsigned n = 0; n < sizeof(percents) / sizeof(percents[0]); n++) {
        unsigned frames = most * percents[n] / 100;
        printf("\n%u", frames);
        for (unsigned p = 0; p < POLICIES; p++)
            printf(" %u", faults_again(policies[p], frames));
    }
    printf("\n");
    free((void *)sim_trace);
    return 0;
}
