/*
 * The traces: of page faults, for /proc/faults, and of the clock hand, for /proc/pageout. Each
 * costs a branch per fault, or per page looked at, while it is off.
 */
#include "mm/seen/trace.h"
#include "mm/fork/share.h"
#include "mm/port.h"

struct ring fault_ring = RING_OF(struct vm_fault_event);
struct ring pageout_ring = RING_OF(struct vm_pageout_event);

/* ---- Faults ---- */

void trace_begin(struct vm_fault_event *e, vaddr_t addr, bool write)
{
    *e = (struct vm_fault_event){
        .addr = addr, .flags = write ? VM_EVENT_WRITE : 0, .cpu = mm_port->processor()};
    mm_port->identify(&e->pid, &e->parent);
    e->time_ns = mm_port->now();
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

int vm_trace_start(void)
{
    return ring_start(&fault_ring);
}

void vm_trace_stop(void)
{
    ring_stop(&fault_ring);
}

void vm_trace_drop(void)
{
    ring_drop(&fault_ring);
}

bool vm_trace_is_on(void)
{
    return fault_ring.on;
}

unsigned vm_trace_peek(struct vm_fault_event *out, unsigned n)
{
    return ring_peek(&fault_ring, out, n);
}

unsigned vm_trace_read(uint64_t *number, struct vm_fault_event *out, unsigned n, uint32_t *lost)
{
    return ring_read(&fault_ring, number, out, n, lost);
}

/* ---- The hand ---- */

void trace_page(struct vm_pageout_event *e, const struct frame *f)
{
    struct mapping m = {0};
    int32_t parent;

    *e = (struct vm_pageout_event){.frame = frame_number(f), .before = frame_age(f)};
    mm_port->identify(&e->pid, &parent);
    e->time_ns = mm_port->now();
    e->used = (f->flags & FRAME_REFERENCED) || pmap_is_accessed(f);
    if (f->kind == FRAME_OBJECT) {
        e->kind = f->object->pager->shared_memory ? VM_FRAME_SHMEM : VM_FRAME_FILE;
        e->page = f->index;
        return;
    }
    e->kind = VM_FRAME_ANON;
    e->slot = f->anon->slot;
    e->page = pmap_next_mapping(f, &m) ? pmap_entry_address(m.pte) >> PAGE_SHIFT : 0;
}

int vm_pageout_trace(bool on)
{
    if (on)
        return ring_start(&pageout_ring);
    ring_stop(&pageout_ring);
    return 0;
}

void vm_pageout_trace_drop(void)
{
    ring_drop(&pageout_ring);
}

unsigned vm_pageout_read(uint64_t *number, struct vm_pageout_event *out, unsigned n, uint32_t *lost)
{
    return ring_read(&pageout_ring, number, out, n, lost);
}

void vm_pageout_state(bool *on, pfn_t *hand)
{
    spin_lock(&vm_lock);
    *on = pageout_ring.on;
    *hand = reclaim_hand ? frame_number(reclaim_hand) : 0;
    spin_unlock(&vm_lock);
}
