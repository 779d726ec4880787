/* The traces inside mm/: who sees an event fills it in, trace.c keeps it. */
#ifndef MM_TRACE_H
#define MM_TRACE_H

#include "mm/seen/ring.h"

extern struct ring fault_ring, pageout_ring;

/* Who, when, and what the page looks like before. Without vm_lock. */
void trace_begin(struct vm_fault_event *e, vaddr_t addr, bool write);
uint8_t trace_area(const struct vma *v); /* enum vm_area_kind of it [v] */
/* The same for a page under the hand. [v] */
void trace_page(struct vm_pageout_event *e, const struct frame *f);

#endif
