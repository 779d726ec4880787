/* The best that can be had, by who knows the future: the page goes that is needed last. [Belady
 * 1966] */
#include "tests/policy/policies.h"
#include "tests/policy/trace.h"

/* A heap of (when it is needed next, page), the latest first; what it says of a page may be old,
 * then due[page] says otherwise and the entry is dropped as it comes up. */
struct entry {
    uint32_t due, page;
};

static struct entry *heap;
static unsigned heap_used, resident_count, room;
static uint32_t *next_touch, *due; /* of a place in the trace; of a page, 0: not resident */

static void heap_push(struct entry e)
{
    unsigned at = heap_used++;

    for (; at && heap[(at - 1) / 2].due < e.due; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = e;
}

static struct entry heap_pop(void)
{
    struct entry top = heap[0], e = heap[--heap_used];
    unsigned at = 0, child;

    while ((child = 2 * at + 1) < heap_used) {
        child += child + 1 < heap_used && heap[child + 1].due > heap[child].due;
        if (heap[child].due <= e.due)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = e;
    return top;
}

static void opt_start(unsigned frames)
{
    uint32_t *later;

    next_touch = sim_array(sim_length);
    due = sim_array(sim_pages);
    heap = sim_array(2 * (sim_length + 1));
    later = sim_array(sim_pages); /* 0: never again */
    heap_used = resident_count = 0;
    room = frames;
    for (uint32_t n = sim_length; n-- > 0;) {
        uint32_t page = sim_trace[n] >> TRACE_SHIFT;
        next_touch[n] = later[page] ? later[page] : UINT32_MAX;
        later[page] = (sim_trace[n] & TRACE_KIND) == TRACE_GONE ? 0 : n;
    }
}

static void evict_latest(void)
{
    struct entry e;

    do
        e = heap_pop();
    while (due[e.page] != e.due);
    due[e.page] = 0;
    resident_count--;
}

static bool opt_touch(uint32_t page, uint32_t when)
{
    bool fault = !due[page];

    if (fault && resident_count == room)
        evict_latest();
    resident_count += fault;
    due[page] = next_touch[when];
    heap_push((struct entry){due[page], page});
    return fault;
}

static void opt_gone(uint32_t page)
{
    resident_count -= due[page] != 0;
    due[page] = 0;
}

const struct policy opt = {"OPT", opt_start, opt_touch, opt_gone};
