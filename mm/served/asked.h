/*
 * What mm/'s core asks of served.c: for areas that have a server, and spaces that die.
 */
#ifndef MM_SERVED_ASKED_H
#define MM_SERVED_ASKED_H

#include "mm/mm.h"

/* ---- v has a server ---- */

bool served_asks(const struct vma *v, vaddr_t page, bool write); /* before it can be used [v] */
uint8_t served_rights(const struct vma *v, bool write, uint8_t prot); /* to map it with [v] */
/* bring_in()'s part: 0, -EFAULT (SIGBUS), -EINTR: a signal comes first. Sleeps, not [v]. */
int server_await(const struct need *n);
void server_space_dies(struct vm_space *s); /* [v] */

#endif
