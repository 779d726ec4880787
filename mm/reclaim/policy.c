/*
 * The policy: which pages go when memory is short. One clock hand passes over all frames; this file
 * says what it makes of each, and knows nothing of frames, so that a simulator can drive it with
 * recorded runs (tests/policy, docs/replacement.md has the table that chose it).
 *
 * State: a new page (0) that was used only by the access that brought it in gets one more round
 * (1), then goes. One that was used again in between is active (3), and goes only after three
 * rounds without use. So a scan, whose pages are used once, passes through in the time in which a
 * working set, used every round, keeps its state; what read() brought in and nobody read again does
 * not even get that round (FRAME_FRESH), so that the hand need not pass twice at once. A page that
 * went and comes back soon would have been worth keeping: it enters one step higher. Soon: before
 * about a quarter of memory has gone after it.
 */
#include "libc/string.h"
#include "mm/reclaim/reclaim.h"

#define ACTIVE       3u
#define GHOST_BITS   13u /* 32 MiB of memory have a quarter of that, 128 MiB all */
#define GHOST_SHARE  4u
#define GOLDEN_RATIO 2654435761u

/* Pages that went lately, each at the place of its hash; the next one there takes it over. */
static uint32_t ghost[1u << GHOST_BITS];
static unsigned ghost_bits;

void policy_init(uint32_t frames)
{
    memset(ghost, 0, sizeof(ghost));
    for (ghost_bits = 1; ghost_bits < GHOST_BITS && (2u << ghost_bits) * GHOST_SHARE <= frames;)
        ghost_bits++;
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
    return &ghost[(key * GOLDEN_RATIO) >> (32 - ghost_bits)];
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
