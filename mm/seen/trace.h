/* The fault trace inside mm/: fault.c fills in an event, trace.c keeps it. */
#ifndef MM_TRACE_H
#define MM_TRACE_H

#include "mm/mm.h"

extern bool trace_enabled; /* [v] to change; read without it: a fault may just miss the switch */

/* Who, when, and what the page looks like before. Without vm_lock. */
void trace_begin(struct vm_fault_event *e, vaddr_t addr, bool write);
/* Puts the event into the ring, if there still is one. [v] */
void trace_record(const struct vm_fault_event *e);
uint8_t trace_area(const struct vma *v); /* enum vm_area_kind of it [v] */

#endif
