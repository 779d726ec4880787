/*
 * Pages that a program serves: userfaultfd(2), whose file is fs/event/userfault.c.
 *
 * An area of private anonymous or of shared memory may have a server. Whoever misses a page of it,
 * or writes to one that the server protects (of private memory), waits until the server has given
 * it (vm_serve) or says that he may go on (vm_serve_wake).
 */
#ifndef MM_SERVED_H
#define MM_SERVED_H

#include "mm/vm.h"

struct vm_server;

#define VM_SERVE_MISSING 1 /* pages that have no contents yet */
#define VM_SERVE_WRITES  2 /* stores to pages that it has protected */

#define VM_SERVER_REFUSES      1 /* nobody waits: SIGBUS instead */
#define VM_SERVER_USER_ONLY    2 /* the same for what the kernel does for the program */
#define VM_SERVER_HEARS_FORK   4 /* and has a child's areas served */
#define VM_SERVER_HEARS_REMAP  8 /* and goes on to serve what moves */
#define VM_SERVER_HEARS_REMOVE 16
#define VM_SERVER_HEARS_UNMAP  32

struct vm_served_fault { /* what the server is told */
    vaddr_t addr;
    int32_t tid;
    bool write;     /* a store */
    bool protected; /* to a page that is protected; else it is missing */
};

enum vm_served_event_kind { VM_SERVED_FORK, VM_SERVED_REMAP, VM_SERVED_REMOVE, VM_SERVED_UNMAP };

struct vm_served_event {
    enum vm_served_event_kind kind;
    vaddr_t start, end, to;  /* all but FORK; REMAP: where it is now */
    struct vm_server *child; /* FORK: the server of the new space */
};

struct vm_server *vm_server_new(struct vm_space *s); /* NULL: no memory */
/* From now on tell(arg) is called, with vm_lock held, when somebody waits; it must not sleep. */
void vm_server_tells(struct vm_server *sv, void (*tell)(void *arg), void *arg);
void vm_server_flags(struct vm_server *sv, unsigned flags); /* VM_SERVER_* */
/* It serves nothing any more; who waits goes on. Frees it; may sleep. */
void vm_server_end(struct vm_server *sv);
/* The next fault that it has not been told of; false: there is none. */
bool vm_server_next(struct vm_server *sv, struct vm_served_fault *out);
/* The next event; whose thread goes on. Of a fork that thread waits for vm_server_adopted(), which
 * says whether the caller has taken the child; if not, the event comes again. May sleep. */
bool vm_server_next_event(struct vm_server *sv, struct vm_served_event *out);
void vm_server_adopted(struct vm_server *sv, struct vm_server *child, bool adopted);
bool vm_server_wanted(struct vm_server *sv); /* whether there is a fault or an event */
/* How many wait for it of whom it does not know yet, and how many at all. */
void vm_server_waiting(struct vm_server *sv, unsigned *unknown, unsigned *all);
bool vm_server_busy(struct vm_server *sv); /* its space changes: what gives pages is -EAGAIN */

/* The areas in a range are served from now on, in the given way (0: are not any more). -EINVAL:
 * areas of another kind, -EBUSY: another's, -ENOMEM. -ESRCH, of these all: the space is gone. May
 * sleep. */
int vm_server_register(struct vm_server *sv, vaddr_t start, size_t len, uint8_t how);
/* The page at va, which lies in an area of a server, becomes a copy of page, or zeros (NULL),
 * protected if that is asked for. -ENOENT: no such area; -EEXIST: it has contents; -EFAULT:
 * it is behind the end of what is shared; -EAGAIN: there are events; -ENOMEM, -ENOSPC. May sleep.
 */
int vm_serve(struct vm_server *sv, vaddr_t va, const void *page, bool protect);
/* Whether a range lies in one area that it serves. 0, -ENOENT, -ESRCH. */
int vm_server_has(struct vm_server *sv, vaddr_t start, size_t len);
/* Pages of a range become protected, as far as they have contents, or are not any more. -ENOENT: it
 * is not served so. May sleep. */
int vm_serve_protect(struct vm_server *sv, vaddr_t start, size_t len, bool protect);
void vm_serve_wake(struct vm_server *sv, vaddr_t start, size_t len); /* who waits there */

#endif
