/* FIFO, LRU, and the clock with one bit: the three that every textbook has. */
#include "tests/policy/policies.h"

static struct page_list queue;
static uint32_t *resident, *used;
static unsigned room;

static void simple_start(unsigned frames)
{
    page_lists_start();
    resident = sim_array(sim_pages);
    used = sim_array(sim_pages);
    queue = (struct page_list){NO_PAGE, NO_PAGE, 0};
    room = frames;
}

static void bring_in(uint32_t page)
{
    if (queue.count == room)
        resident[page_list_take_last(&queue)] = 0;
    page_list_put_first(&queue, page);
    resident[page] = 1;
}

static void simple_gone(uint32_t page)
{
    if (resident[page])
        page_list_remove(&queue, page);
    resident[page] = 0;
}

static bool fifo_touch(uint32_t page, uint32_t when)
{
    (void)when;
    if (resident[page])
        return false;
    bring_in(page);
    return true;
}

static bool lru_touch(uint32_t page, uint32_t when)
{
    (void)when;
    if (!resident[page]) {
        bring_in(page);
        return true;
    }
    page_list_remove(&queue, page);
    page_list_put_first(&queue, page);
    return false;
}

/* The hand stands at the queue's end: what was used goes round once more. */
static bool clock_touch(uint32_t page, uint32_t when)
{
    (void)when;
    if (resident[page]) {
        used[page] = 1;
        return false;
    }
    while (queue.count == room && used[queue.last]) {
        uint32_t spared = page_list_take_last(&queue);
        used[spared] = 0;
        page_list_put_first(&queue, spared);
    }
    bring_in(page);
    used[page] = 1;
    return true;
}

const struct policy fifo = {"FIFO", simple_start, fifo_touch, simple_gone};
const struct policy lru = {"LRU", simple_start, lru_touch, simple_gone};
const struct policy clock_hand = {"clock", simple_start, clock_touch, simple_gone};
