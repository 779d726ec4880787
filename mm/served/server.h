/*
 * What the files of this room share: a server, and who waits for it.
 */
#ifndef MM_SERVED_SERVER_H
#define MM_SERVED_SERVER_H

#include "mm/mm.h"
#include "mm/served/served.h"

struct vm_server {
    struct vm_space *space; /* [v] NULL: gone */
    struct list link;       /* [v] in space->servers */
    unsigned flags;         /* VM_SERVER_* */
    void (*tell)(void *arg);
    void *arg;
    struct list waiting;    /* [v] struct waiter, of which the server knows nothing yet */
    struct list told;       /* [v] and those of which it does */
    struct list news;       /* [v] struct news: what it has not been told, first to last */
    struct radix protected; /* [v] by page number: what is protected */
};

/* NULL: no memory. [v] */
struct vm_server *server_make(struct vm_space *s, unsigned flags);
/* Page is protected from now on. -ENOMEM [v] */
int server_mark(struct vm_server *sv, uint32_t page);
/* Nothing in [first, end) is protected any more. [steps] */
void server_forget(struct vm_server *sv, struct change *c, uint32_t first, uint32_t end);

/* ---- events.c ---- */

bool news_due(const struct vm_server *sv);   /* whether somebody waits until he has told it [v] */
void news_server_ends(struct vm_server *sv); /* nobody tells it anything any more [v] */

#endif
