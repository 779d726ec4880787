/*
 * What waits for several files at once (poll, select, epoll) builds on this.
 */
#ifndef FS_POLL_H
#define FS_POLL_H

#include "fs/vfs/vfs.h"

#define POLLRDBAND 0x0080
#define POLLWRBAND 0x0200
#define POLLRDHUP  0x2000

struct poll_entry {
    struct wait_entry wait;
    struct poll_table *table;
    struct file *file; /* a reference: its queue must not go away */
};

#define POLL_INLINE 6 /* entries without an allocation */

struct poll_chunk {
    struct poll_chunk *next;
    unsigned used;
    struct poll_entry entries[16];
};

/* On the kernel stack of the thread that waits. add is what poll_wait() does. */
struct poll_table {
    void (*add)(struct poll_table *pt, struct waitq *q);
    struct file *file; /* whose poll operation is being called */
    struct thread *thread;
    volatile bool triggered; /* one of the queues was woken */
    int error;               /* -ENOMEM: a queue could not be joined */
    unsigned used;
    struct poll_entry entries[POLL_INLINE];
    struct poll_chunk *chunks;
};

void poll_table_init(struct poll_table *pt);
void poll_table_free(struct poll_table *pt);
/* Sleeps until a queue of the table was woken since triggered was last cleared, a signal or then.
 */
void poll_table_sleep(struct poll_table *pt, uint64_t until);

/* The loop of poll and select: round(of, pt) looks at all, joining pt's queues unless it is NULL,
 * and says how many are ready, or -errno. 0 when until (0: at once) has come; -ERESTARTNOHAND. */
long poll_until(long (*round)(void *of, struct poll_table *pt), void *of, uint64_t until);

/* What f is ready for, with the normal-data twins of IN and OUT; registers with pt unless NULL. */
uint32_t file_poll(struct file *f, struct poll_table *pt);

/* The mask of ppoll and kin: 0 means that the call gave none. */
int poll_set_mask(void __user *umask, uint32_t size);
void poll_finish_mask(long ret);

#endif
