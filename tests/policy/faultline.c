/* mm/reclaim/policy.c itself, on a hand that passes over frames as mm/reclaim/pageout.c moves it.
 */
#include "mm/reclaim/reclaim.h"
#include "tests/policy/policies.h"

static uint32_t *page_in, *frame_of_page, *used; /* frame_of_page: + 1, 0 for none */
static uint8_t *state;
static uint32_t *free_frames;
static unsigned room, free_count, hand;

static void faultline_start(unsigned frames)
{
    page_in = sim_array(frames);
    used = sim_array(frames);
    state = sim_array(frames);
    frame_of_page = sim_array(sim_pages);
    room = frames;
    free_frames = sim_array(frames);
    free_count = hand = 0;
    for (unsigned f = frames; f-- > 0;) {
        page_in[f] = NO_PAGE;
        free_frames[free_count++] = f;
    }
    policy_init(frames);
}

static void faultline_gone(uint32_t page)
{
    if (!frame_of_page[page])
        return;
    page_in[frame_of_page[page] - 1] = NO_PAGE;
    free_frames[free_count++] = frame_of_page[page] - 1;
    frame_of_page[page] = 0;
}

/* The hand passes until a page may go. */
static void evict_one(void)
{
    for (;; hand = (hand + 1) % room) {
        bool was_used = used[hand];
        used[hand] = 0;
        if (page_in[hand] != NO_PAGE && policy_pass(&state[hand], was_used))
            break;
    }
    policy_leave(page_in[hand] + 1);
    faultline_gone(page_in[hand]);
}

static bool faultline_touch(uint32_t page, uint32_t when)
{
    bool refault;
    uint32_t f;

    (void)when;
    if (frame_of_page[page]) {
        used[frame_of_page[page] - 1] = 1;
        return false;
    }
    if (!free_count)
        evict_one();
    f = free_frames[--free_count];
    page_in[f] = page;
    frame_of_page[page] = f + 1;
    state[f] = policy_enter(page + 1, &refault);
    used[f] = 1;
    return true;
}

const struct policy faultline = {"Faultline", faultline_start, faultline_touch, faultline_gone};
