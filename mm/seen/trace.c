/*
 * The fault trace: a ring of the last page faults, for /proc/faults.
 *
 * It costs one branch per fault while it is off. The ring is made of single frames, taken when the
 * trace is started and kept, with what they hold, until it is dropped. Events have numbers that
 * never repeat; a reader remembers the next one it wants, so any number of them can follow the
 * trace.
 *
 * Invariants, under vm_lock: events [next - capacity, next) are in the ring, as far as there have
 * been so many since the start; trace_enabled implies capacity > 0.
 */
#include "mm/seen/trace.h"
#include "libc/errno.h"
#include "mm/port.h"

#define EVENTS_PER_FRAME ((uint32_t)(PAGE_SIZE / sizeof(struct vm_fault_event)))
#define RING_FRAMES      96u /* at most */
#define RING_PART        32u /* of all memory, at most one part in so many */

bool trace_enabled;

static struct vm_fault_event *ring[RING_FRAMES]; /* [v] */
static uint32_t capacity;                        /* [v] events that fit */
static uint64_t first_event, next_event;         /* [v] numbers: since the start, and to come */

static struct vm_fault_event *event_at(uint64_t number)
{
    uint32_t at = (uint32_t)(number % capacity);

    return &ring[at / EVENTS_PER_FRAME][at % EVENTS_PER_FRAME];
}

/* ---- Recording ---- */

void trace_begin(struct vm_fault_event *e, vaddr_t addr, bool write)
{
    *e = (struct vm_fault_event){.addr = addr, .flags = write ? VM_EVENT_WRITE : 0};
    mm_port->identify(&e->pid, &e->parent);
    e->time_ns = mm_port->now();
}

void trace_record(const struct vm_fault_event *e)
{
    if (trace_enabled)
        *event_at(next_event++) = *e;
}

uint8_t trace_area(const struct vma *v)
{
    if (!v)
        return VM_AREA_NONE;
    if (v->flags & (VM_STACK | VM_GROWSDOWN))
        return VM_AREA_STACK;
    if (v->flags & VM_HEAP)
        return VM_AREA_HEAP;
    if (!v->object)
        return VM_AREA_ANON;
    if (object_is_anonymous(v->object))
        return VM_AREA_SHARED_ANON;
    return vma_is_private(v) ? VM_AREA_FILE : VM_AREA_SHARED_FILE;
}

/* ---- The switch ---- */

/* [v] As many frames as there should be, or as there are. */
static void take_frames(void)
{
    uint32_t want = frame_total() / RING_PART, n = 0;

    if (want > RING_FRAMES)
        want = RING_FRAMES;
    while (n < want && !frame_low() && (ring[n] = kalloc()))
        n++;
    capacity = n * EVENTS_PER_FRAME;
}

int vm_trace_start(void)
{
    int err;

    spin_lock(&vm_lock);
    if (!capacity)
        take_frames();
    first_event = next_event;
    trace_enabled = capacity != 0;
    err = trace_enabled ? 0 : -ENOMEM;
    spin_unlock(&vm_lock);
    return err;
}

void vm_trace_stop(void)
{
    spin_lock(&vm_lock);
    trace_enabled = false;
    spin_unlock(&vm_lock);
}

void vm_trace_drop(void)
{
    spin_lock(&vm_lock);
    trace_enabled = false;
    for (uint32_t i = 0; i < capacity / EVENTS_PER_FRAME; i++)
        kfree(ring[i]);
    capacity = 0;
    first_event = next_event;
    spin_unlock(&vm_lock);
}

bool vm_trace_is_on(void)
{
    return trace_enabled;
}

/* ---- Reading ---- */

unsigned vm_trace_peek(struct vm_fault_event *out, unsigned n)
{
    uint64_t have = next_event - first_event;

    if (have > capacity)
        have = capacity;
    if (n > have)
        n = (unsigned)have;
    for (unsigned i = 0; i < n; i++)
        out[i] = *event_at(next_event - n + i);
    return n;
}

unsigned vm_trace_read(uint64_t *number, struct vm_fault_event *out, unsigned n, uint32_t *lost)
{
    unsigned done = 0;
    uint64_t oldest;

    spin_lock(&vm_lock);
    oldest = next_event - first_event > capacity ? next_event - capacity : first_event;
    *lost = 0;
    if (*number < oldest) {
        *lost = (uint32_t)(oldest - (*number > first_event ? *number : first_event));
        *number = oldest;
    }
    for (; done < n && *number < next_event; ++*number)
        out[done++] = *event_at(*number);
    spin_unlock(&vm_lock);
    return done;
}
