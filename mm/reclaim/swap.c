/*
 * Swap areas and their slots.
 *
 * A slot number tells area and place: one word, 0 for none. A slot has one owner, an anon or a page
 * of an object, or belongs to a run that is on its way out; owners count their sharers themselves,
 * so a bit is enough. All here is [v]; reading and writing happen outside of it, in slots that
 * their caller owns.
 */
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/port.h"
#include "mm/reclaim/reclaim.h"
#include "mm/seen/check.h"

#define PLACE_BITS  24u
#define CHUNK_SLOTS (PAGE_SIZE * 8)
#define CHUNKS      ((VM_SWAP_SLOTS_MAX + 1) / CHUNK_SLOTS)

struct area {
    struct swap_device *device; /* NULL: no area */
    int priority;
    uint32_t slots;  /* with slot 0 */
    uint32_t usable; /* without it and the spoilt ones */
    uint32_t used;   /* of the usable ones */
    uint32_t spoilt_sum;
    uint32_t hint;  /* where the search goes on */
    uint32_t reads; /* under way: the device must stay; 0 again wakes &reads */
    bool closing;   /* swapoff: nothing new goes there */
    bool broken;    /* nor there: writing failed FAILURES_MAX times, one after the other */
    unsigned failures;
    uint64_t rests_until; /* it was full, whatever its slots say; 0: it is not */
    uint32_t **taken;     /* bitmap, by chunks of a frame */
};

#define FAILURES_MAX 8u
#define REST_NS      20000000u

static struct area areas[VM_SWAP_AREAS];
static int next_priority = -2;

void swap_init(void)
{
    memset(areas, 0, sizeof(areas));
    next_priority = -2;
}

/* ---- The bitmap ---- */

static uint32_t *word_of(const struct area *a, uint32_t place)
{
    return &a->taken[place / CHUNK_SLOTS][place % CHUNK_SLOTS / 32];
}

static bool is_taken(const struct area *a, uint32_t place)
{
    return *word_of(a, place) >> (place % 32) & 1;
}

static void take(struct area *a, uint32_t place)
{
    *word_of(a, place) |= 1u << (place % 32);
}

/* The first free place in [from, end); end: none. */
static uint32_t find_free(const struct area *a, uint32_t from, uint32_t end)
{
    while (from < end) {
        if (*word_of(a, from) == UINT32_MAX)
            from = (from | 31) + 1;
        else if (is_taken(a, from))
            from++;
        else
            return from;
    }
    return end;
}

static unsigned free_run(const struct area *a, uint32_t place, unsigned want)
{
    unsigned n = 1;

    while (n < want && place + n < a->slots && !is_taken(a, place + n))
        n++;
    return n;
}

#define TRIES 8u /* short runs that are passed over for a longer one */

/* The first long enough run after the hint, or the longest of a few. */
static unsigned find_run(const struct area *a, unsigned want, uint32_t *place)
{
    uint32_t at = a->hint;
    unsigned best = 0;
    bool wrapped = false;

    for (unsigned tries = 0; tries < TRIES && best < want; tries++) {
        unsigned n;

        at = find_free(a, at, wrapped ? a->hint : a->slots);
        if (at >= a->slots && !wrapped) {
            wrapped = true;
            at = find_free(a, 1, a->hint);
        }
        if (at >= a->slots || (wrapped && at >= a->hint))
            break;
        n = free_run(a, at, want);
        if (n > best) {
            best = n;
            *place = at;
        }
        at += n;
    }
    return best;
}

/* ---- Slots ---- */

static void count(struct vm_swap_stats *out)
{
    *out = (struct vm_swap_stats){0};
    for (unsigned i = 0; i < VM_SWAP_AREAS; i++) {
        if (areas[i].device)
            out->total += areas[i].broken ? areas[i].used : areas[i].usable;
        out->used += areas[i].device ? areas[i].used : 0;
    }
}

uint32_t swap_total(void)
{
    struct vm_swap_stats st;

    count(&st);
    return st.total;
}

uint32_t swap_used(void)
{
    struct vm_swap_stats st;

    count(&st);
    return st.used;
}

bool swap_tight(void)
{
    struct vm_swap_stats st;

    count(&st);
    return st.used > st.total / 4 * 3;
}

static struct area *area_of(uint32_t slot)
{
    return &areas[slot >> PLACE_BITS];
}

static uint32_t place_of(uint32_t slot)
{
    return slot & ((1u << PLACE_BITS) - 1);
}

static bool takes_pages(struct area *a)
{
    if (a->closing || a->broken || a->used >= a->usable)
        return false;
    if (a->rests_until && mm_port->now() < a->rests_until)
        return false;
    a->rests_until = 0;
    return true;
}

void swap_judge(uint32_t slot, int written)
{
    struct area *a = area_of(slot);

    if (written == -ENOSPC)
        a->rests_until = mm_port->now() + REST_NS;
    if (written >= 0)
        a->failures = 0;
    else if (written != -ENOSPC && written != -ENOMEM && !a->broken &&
             ++a->failures == FAILURES_MAX) {
        a->broken = true;
        check_complain("swap: %s cannot be written to, and gets no more pages", a->device->name);
    }
}

static struct area *best_area(void)
{
    struct area *best = NULL;

    for (unsigned i = 0; i < VM_SWAP_AREAS; i++) {
        struct area *a = &areas[i];
        if (a->device && takes_pages(a) && (!best || a->priority > best->priority))
            best = a;
    }
    return best;
}

bool swap_room(void)
{
    return best_area() != NULL;
}

unsigned swap_alloc(unsigned want, uint32_t *slot)
{
    struct area *a = best_area();
    uint32_t place = 0;
    unsigned n = a ? find_run(a, want, &place) : 0;

    for (unsigned i = 0; i < n; i++)
        take(a, place + i);
    if (n == 0)
        return 0;
    a->used += n;
    a->hint = place + n < a->slots ? place + n : 1;
    *slot = (uint32_t)(a - areas) << PLACE_BITS | place;
    return n;
}

void swap_free(uint32_t slot)
{
    struct area *a = area_of(slot);
    uint32_t place = place_of(slot);

    KASSERT(is_taken(a, place) && a->used > 0);
    *word_of(a, place) &= ~(1u << (place % 32));
    a->used--;
    if (a->device->forget)
        a->device->forget(a->device, place);
}

void swap_hold(uint32_t slot)
{
    area_of(slot)->reads++;
}

int swap_read(uint32_t slot, unsigned n, void *const *pages)
{
    struct area *a = area_of(slot);
    int err = a->device->read(a->device, place_of(slot), n, pages);

    spin_lock(&vm_lock);
    events.pswpin += n;
    if (--a->reads == 0)
        port_wakeup(&a->reads);
    spin_unlock(&vm_lock);
    return err;
}

int swap_write(uint32_t slot, unsigned n, void *const *pages)
{
    struct swap_device *d = area_of(slot)->device;

    return d->write(d, place_of(slot), n, pages);
}

/* ---- Areas ---- */

static void free_bitmap(uint32_t **map)
{
    for (unsigned i = 0; map && i < CHUNKS; i++) {
        if (map[i])
            kfree(map[i]);
    }
    kmfree(map);
}

static uint32_t **new_bitmap(uint32_t slots)
{
    uint32_t **map = kzalloc(CHUNKS * sizeof(*map));

    for (uint32_t i = 0; map && i <= (slots - 1) / CHUNK_SLOTS; i++) {
        map[i] = kalloc_zeroed();
        if (!map[i]) {
            free_bitmap(map);
            return NULL;
        }
    }
    return map;
}

static struct area *find_area(const struct swap_device *d)
{
    for (unsigned i = 0; i < VM_SWAP_AREAS; i++) {
        if (areas[i].device == d)
            return &areas[i];
    }
    return NULL;
}

int vm_swap_on(struct swap_device *d, uint32_t slots, int priority)
{
    uint32_t **map;
    struct area *a;

    if (slots < 2 || slots > VM_SWAP_SLOTS_MAX)
        return -EINVAL;
    map = new_bitmap(slots);
    if (!map)
        return -ENOMEM;
    spin_lock(&vm_lock);
    a = find_area(NULL);
    if (a) {
        *a = (struct area){
            .device = d, .slots = slots, .usable = slots - 1, .hint = 1, .taken = map};
        a->priority = priority < 0 ? next_priority-- : priority;
        take(a, 0);
    }
    spin_unlock(&vm_lock);
    if (!a)
        free_bitmap(map);
    return a ? 0 : -EBUSY;
}

void vm_swap_spoil(struct swap_device *d, uint32_t slot)
{
    struct area *a;

    spin_lock(&vm_lock);
    a = find_area(d);
    if (a && slot > 0 && slot < a->slots && !is_taken(a, slot)) {
        take(a, slot);
        a->usable--;
        a->spoilt_sum += (uint32_t)(a - areas) << PLACE_BITS | slot;
    }
    spin_unlock(&vm_lock);
}

/* Nothing new goes there; false: no such area, or somebody is at it already. */
static struct area *close_area(const struct swap_device *d)
{
    struct area *a;

    spin_lock(&vm_lock);
    a = d ? find_area(d) : NULL;
    if (a && a->closing)
        a = NULL;
    if (a)
        a->closing = true;
    spin_unlock(&vm_lock);
    return a;
}

/* What is on its way in or out at one pass is found by the next; so many in vain are the end. */
#define PASSES 64u

int vm_swap_off(struct swap_device *d)
{
    struct area *a = close_area(d);
    uint32_t **map = NULL;
    int err = 0;

    if (!a)
        return -EINVAL;
    /* What dies may be all that is left, on another processor or when others run in between. */
    for (unsigned vain = 0; vain < PASSES && !err && a->used; port_yield()) {
        const uint32_t before = a->used;

        err = swap_in_all((uint32_t)(a - areas) << PLACE_BITS, a->slots);
        vain = a->used < before ? 0 : vain + 1;
    }
    spin_lock(&vm_lock);
    while (a->reads) {
        port_sleep(&a->reads, &vm_lock);
        spin_lock(&vm_lock);
    }
    if (!err && a->used)
        err = -EBUSY;
    if (err) {
        a->closing = false;
    } else {
        map = a->taken;
        *a = (struct area){.device = NULL};
    }
    spin_unlock(&vm_lock);
    free_bitmap(map);
    return err;
}

void vm_swap_place(uint32_t slot, char *buf, size_t size)
{
    const struct swap_device *d;
    const char *name;

    spin_lock(&vm_lock);
    d = area_of(slot)->device;
    name = d ? strrchr(d->name, '/') : NULL;
    snprintf(buf, size, "%s:%u", name ? name + 1 : d ? d->name : "gone", place_of(slot));
    spin_unlock(&vm_lock);
    for (; *buf; buf++)
        *buf = *buf <= ' ' ? '_' : *buf;
}

bool vm_swap_info(unsigned number, struct vm_swap_info *out)
{
    bool found = false;

    spin_lock(&vm_lock);
    for (unsigned i = 0; i < VM_SWAP_AREAS && !found; i++) {
        const struct area *a = &areas[i];
        found = a->device && number-- == 0;
        if (found)
            *out = (struct vm_swap_info){a->device, a->priority, a->usable, a->used};
    }
    spin_unlock(&vm_lock);
    return found;
}

bool swap_owned(uint32_t slot)
{
    const struct area *a = area_of(slot);

    return a->device && place_of(slot) < a->slots && is_taken(a, place_of(slot));
}

void swap_audit(uint32_t *used, uint32_t *sum, uint32_t *on_their_way, void (*spend)(void *),
                void *arg)
{
    struct vm_swap_stats st;

    *sum = 0;
    for (uint32_t i = 0; i < VM_SWAP_AREAS; i++) {
        for (uint32_t place = 1; areas[i].device && place < areas[i].slots; place++) {
            *sum += is_taken(&areas[i], place) ? i << PLACE_BITS | place : 0;
            if (place % 8 == 0)
                spend(arg);
        }
        *sum -= areas[i].device ? areas[i].spoilt_sum : 0;
    }
    count(&st);
    *used = st.used;
    *on_their_way = slots_on_their_way;
}

void vm_swap_stats(struct vm_swap_stats *out)
{
    uint32_t away;

    spin_lock(&vm_lock);
    count(out);
    away = swapped_anons + swapped_pages;
    out->cached = out->used > away ? out->used - away : 0;
    spin_unlock(&vm_lock);
}
