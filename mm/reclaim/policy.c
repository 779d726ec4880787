/*
 * The policy: which pages go when memory is short. One clock hand passes over all frames; this file
 * says what it makes of each, and knows nothing of frames, so that a simulator can drive it with
 * traces.
 *
 * State: a new page (0) that was used only by the access that brought it in gets one more round
 * (1), then goes. One that was used again in between is active (3), and goes only after three
 * rounds without use. So a scan, whose pages are used once, passes through in the time in which a
 * working set, used every round, keeps its state. A page that went and comes back soon would have
 * been worth keeping: it enters one step higher.
 */
#include "libc/string.h"
#include "mm/reclaim/reclaim.h"

#define ACTIVE 3u
#define GHOSTS 2048u /* pages that went lately, by a hash: a collision costs a guess */

static uint32_t ghost[GHOSTS];

void policy_init(void)
{
    memset(ghost, 0, sizeof(ghost));
}

bool policy_pass(uint8_t *state, bool used)
{
    if (used) {
        *state = *state == 0 ? 1 : ACTIVE;
        return false;
    }
    if (*state <= 1)
        return true;
    --*state;
    return false;
}

static uint32_t *ghost_of(uint32_t key)
{
    return &ghost[(key * 2654435761u) >> 21];
}

uint8_t policy_enter(uint32_t key, bool *refault)
{
    uint32_t *g = ghost_of(key);

    *refault = key != 0 && *g == key;
    if (!*refault)
        return 0;
    *g = 0;
    return 1;
}

void policy_leave(uint32_t key)
{
    *ghost_of(key) = key;
}
