/*
 * CLOCK-Pro: one ring of hot pages, cold pages and ghosts, three hands. A cold page that is used
 * again while its test lasts turns hot; how much of memory is for cold pages follows from how often
 * that happens. [Jiang, Chen and Zhang 2005]
 */
#include "tests/policy/policies.h"

enum kind { OUT, HOT, COLD, GHOST };

static uint32_t *kind_of, *used, *in_test, *next_of, *previous_of;
static unsigned counts[4], room, cold_target;
static uint32_t hand_hot, hand_cold, hand_test; /* NO_PAGE: the ring is empty */

static void clock_pro_start(unsigned frames)
{
    kind_of = sim_array(sim_pages);
    used = sim_array(sim_pages);
    in_test = sim_array(sim_pages);
    next_of = sim_array(sim_pages);
    previous_of = sim_array(sim_pages);
    for (unsigned n = 0; n < 4; n++)
        counts[n] = 0;
    room = frames;
    cold_target = frames / 10 + 1;
    hand_hot = hand_cold = hand_test = NO_PAGE;
}

static void become(uint32_t page, enum kind kind)
{
    counts[kind_of[page]]--;
    counts[kind]++;
    kind_of[page] = kind;
}

/* The head of the ring is the place just behind the hot hand. */
static void ring_insert(uint32_t page)
{
    if (hand_hot == NO_PAGE) {
        next_of[page] = previous_of[page] = page;
        hand_hot = hand_cold = hand_test = page;
        return;
    }
    next_of[page] = hand_hot;
    previous_of[page] = previous_of[hand_hot];
    next_of[previous_of[page]] = page;
    previous_of[hand_hot] = page;
}

static void ring_remove(uint32_t page)
{
    uint32_t next = next_of[page] == page ? NO_PAGE : next_of[page];

    next_of[previous_of[page]] = next_of[page];
    previous_of[next_of[page]] = previous_of[page];
    hand_hot = hand_hot == page ? next : hand_hot;
    hand_cold = hand_cold == page ? next : hand_cold;
    hand_test = hand_test == page ? next : hand_test;
}

static void to_head(uint32_t page)
{
    ring_remove(page);
    ring_insert(page);
}

static void leave(uint32_t page)
{
    ring_remove(page);
    become(page, OUT);
    in_test[page] = used[page] = 0;
}

static void more_cold(void)
{
    cold_target += cold_target < room - 1;
}

static void less_cold(void)
{
    cold_target -= cold_target > 1;
}

/* The test of a page is over without its being used. */
static void end_test(uint32_t page)
{
    if (kind_of[page] == GHOST)
        leave(page);
    else if (kind_of[page] != COLD || !in_test[page])
        return;
    else
        in_test[page] = 0;
    less_cold();
}

static void run_test_hand(void)
{
    uint32_t page = hand_test;

    hand_test = next_of[page];
    end_test(page);
}

static void run_hot_hand(void)
{
    uint32_t page = hand_hot;

    hand_hot = next_of[page];
    if (kind_of[page] != HOT)
        end_test(page);
    else if (!used[page])
        become(page, COLD);
    else
        used[page] = 0;
}

static void limit_hot(void)
{
    while (counts[HOT] > room - cold_target)
        run_hot_hand();
}

static void run_cold_hand(void)
{
    uint32_t page = hand_cold;
    bool tested = in_test[page];

    hand_cold = next_of[page];
    if (kind_of[page] != COLD)
        return;
    if (used[page]) {
        used[page] = 0;
        in_test[page] = !tested;
        if (tested) {
            become(page, HOT);
            more_cold();
        }
        to_head(page);
        limit_hot();
    } else if (tested) {
        become(page, GHOST);
        while (counts[GHOST] > room)
            run_test_hand();
    } else {
        leave(page);
    }
}

static void bring_in(uint32_t page)
{
    bool again = kind_of[page] == GHOST;

    if (again) {
        more_cold();
        leave(page);
    }
    while (counts[HOT] + counts[COLD] >= room) {
        if (!counts[COLD])
            run_hot_hand();
        else
            run_cold_hand();
    }
    become(page, again ? HOT : COLD);
    in_test[page] = !again;
    ring_insert(page);
    limit_hot();
}

static bool clock_pro_touch(uint32_t page, uint32_t when)
{
    bool fault = kind_of[page] == OUT || kind_of[page] == GHOST;

    (void)when;
    if (fault)
        bring_in(page);
    else
        used[page] = 1;
    return fault;
}

static void clock_pro_gone(uint32_t page)
{
    if (kind_of[page] != OUT)
        leave(page);
}

const struct policy clock_pro = {"CLOCK-Pro", clock_pro_start, clock_pro_touch, clock_pro_gone};
