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

/* ---- What servers are told of a change: reserved, then commited; served_tell() at its end ---- */

/* Of areas that go, as a whole; of a space that has servers. -ENOMEM [steps] */
int served_reserve_unmap(struct change *c, vaddr_t start, vaddr_t end);
void served_unmapped(struct change *c, vaddr_t start,
                     vaddr_t end); /* they are there still [steps] */

struct served_move {
    vaddr_t from, to;
    uint32_t moved, told; /* bytes; so many the program named */
};
/* Of what moves; with what is left at the old place nothing is protected. -ENOMEM [steps] */
int served_reserve_move(struct change *c, const struct vma *v, const struct served_move *m);
/* moved, a copy of v that is nowhere yet, is served there or no longer. [steps] */
void served_moved(struct change *c, struct vma *moved, const struct served_move *m);

/* copy, a served area of the child, gets a server of its own, or none. -ENOMEM [steps] */
int served_inherit(struct change *c, struct vma *copy, struct vm_space *child);
void served_forked(struct change *c, bool done); /* that is told, if it came to that */

/* Whether the server wants to hear of pages before they go; err: -ENOMEM. The caller ends the
 * change, which tells it, and begins anew. [v] */
bool served_remove(struct change *c, const struct vma *v, vaddr_t start, vaddr_t end, int *err);
/* Pages of v go: nothing is protected there. [steps] */
void served_forget(struct change *c, const struct vma *v, vaddr_t start, vaddr_t end);

/* The server of the area at start, if it has one that wants to, hears that pages go. -ENOMEM;
 * sleeps, not [v]. */
int served_tell_removal(struct vm_space *s, vaddr_t start, vaddr_t end);

/* Each server in turn, until it knows; sleeps, not [v], outside of the change. */
void served_tell(struct change *c);

#endif
