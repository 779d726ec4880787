/*
 * 2Q: a page is new first, in a queue of a quarter of memory; one that comes back within half a
 * memory's worth of others goes to the main list, which is LRU. [Johnson and Shasha 1994, the full
 * version]
 */
#include "tests/policy/policies.h"

enum where { NOWHERE, NEW, GHOST, MAIN };

static struct page_list lists[4];
static uint32_t *where;
static unsigned room;

static void two_queue_start(unsigned frames)
{
    page_lists_start();
    where = sim_array(sim_pages);
    for (unsigned n = 0; n < 4; n++)
        lists[n] = (struct page_list){NO_PAGE, NO_PAGE, 0};
    room = frames;
}

static void move_to(uint32_t page, enum where to)
{
    if (where[page] != NOWHERE)
        page_list_remove(&lists[where[page]], page);
    where[page] = to;
    if (to != NOWHERE)
        page_list_put_first(&lists[to], page);
}

static void make_room(void)
{
    if (lists[NEW].count + lists[MAIN].count < room)
        return;
    if (lists[NEW].count <= room / 4 && lists[MAIN].count) {
        move_to(lists[MAIN].last, NOWHERE);
        return;
    }
    move_to(lists[NEW].last, GHOST);
    if (lists[GHOST].count > room / 2)
        move_to(lists[GHOST].last, NOWHERE);
}

static bool two_queue_touch(uint32_t page, uint32_t when)
{
    enum where was = where[page];

    (void)when;
    if (was == MAIN)
        move_to(page, MAIN);
    if (was == MAIN || was == NEW)
        return false;
    make_room();
    move_to(page, was == GHOST ? MAIN : NEW);
    return true;
}

static void two_queue_gone(uint32_t page)
{
    move_to(page, NOWHERE);
}

const struct policy two_queue = {"2Q", two_queue_start, two_queue_touch, two_queue_gone};
