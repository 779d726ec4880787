/* Rings of events: see mm/seen/ring.h. Events [next - capacity, next) are there, as far as there
 * have been so many since the start. */
#include "mm/seen/ring.h"
#include "libc/errno.h"
#include "libc/string.h"

#define RING_PART 32u /* of all memory, at most one part in so many */

static void *event_at(const struct ring *r, uint64_t number)
{
    uint32_t at = (uint32_t)(number % r->capacity), in_frame = PAGE_SIZE / r->size;

    return (uint8_t *)r->frame[at / in_frame] + at % in_frame * r->size;
}

/* [v] As many frames as there should be, or as there are. */
static void take_frames(struct ring *r)
{
    uint32_t want = frame_total() / RING_PART, n = 0;

    if (want > RING_FRAMES)
        want = RING_FRAMES;
    while (n < want && !frame_low() && (r->frame[n] = kalloc()))
        n++;
    r->capacity = n * (PAGE_SIZE / r->size);
}

int ring_start(struct ring *r)
{
    int err;

    spin_lock(&vm_lock);
    if (!r->capacity)
        take_frames(r);
    r->first = r->next;
    r->on = r->capacity != 0;
    err = r->on ? 0 : -ENOMEM;
    spin_unlock(&vm_lock);
    return err;
}

void ring_stop(struct ring *r)
{
    spin_lock(&vm_lock);
    r->on = false;
    spin_unlock(&vm_lock);
}

void ring_drop(struct ring *r)
{
    spin_lock(&vm_lock);
    r->on = false;
    for (uint32_t i = 0; i < r->capacity / (PAGE_SIZE / r->size); i++)
        kfree(r->frame[i]);
    r->capacity = 0;
    r->first = r->next;
    spin_unlock(&vm_lock);
}

void ring_add(struct ring *r, const void *event)
{
    if (r->on)
        memcpy(event_at(r, r->next++), event, r->size);
}

unsigned ring_peek(const struct ring *r, void *out, unsigned n)
{
    uint64_t have = r->next - r->first;

    if (have > r->capacity)
        have = r->capacity;
    if (n > have)
        n = (unsigned)have;
    for (unsigned i = 0; i < n; i++)
        memcpy((uint8_t *)out + i * r->size, event_at(r, r->next - n + i), r->size);
    return n;
}

unsigned ring_read(const struct ring *r, uint64_t *number, void *out, unsigned n, uint32_t *lost)
{
    unsigned done = 0;
    uint64_t oldest;

    spin_lock(&vm_lock);
    oldest = r->next - r->first > r->capacity ? r->next - r->capacity : r->first;
    *lost = 0;
    if (*number < oldest) {
        *lost = (uint32_t)(oldest - (*number > r->first ? *number : r->first));
        *number = oldest;
    }
    for (; done < n && *number < r->next; ++*number, done++)
        memcpy((uint8_t *)out + done * r->size, event_at(r, *number), r->size);
    spin_unlock(&vm_lock);
    return done;
}
