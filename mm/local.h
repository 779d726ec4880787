/*
 * A space's local pages: memory of the kernel that the processor finds at LOCAL_BASE while it has
 * the space's tables loaded. What lies there is the caller's affair (kernel/process/ldt.c).
 */
#ifndef MM_LOCAL_H
#define MM_LOCAL_H

#include "mm/vm.h"

/* The bytes at an offset, which lie in one page; those that were never written are 0. False: the
 * space has no local pages. */
bool vm_local_read(struct vm_space *s, uint32_t offset, void *buf, size_t n);
/* -ENOMEM. Every processor forgets what it had cached of the page. */
int vm_local_write(struct vm_space *s, uint32_t offset, const void *buf, size_t n);

/* ---- For space.c and stats.c ---- */

int local_copy(const struct vm_space *from, struct vm_space *to); /* -ENOMEM [v] */
void local_drop(struct vm_space *s);                              /* gives them back [v] */
uint32_t local_frames(const struct vm_space *s);                  /* that they take [v] */

#endif
