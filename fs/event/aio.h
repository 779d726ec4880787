/*
 * Asynchronous I/O: what requests that are carried out at once and those that wait share.
 */
#ifndef FS_AIO_H
#define FS_AIO_H

#include "arch/lock.h"
#include "fs/vfs/vfs.h"

struct io_event {
    uint64_t data, request;
    int64_t result, result2;
};

/* Lives as long as the object that its ring is: whoever uses it has a reference to that. */
struct aio_context {
    struct vm_object *ring;
    uint64_t object;          /* [aio_lock] its number, by which a mapping is found; 0: not yet */
    struct aio_context *next; /* [aio_lock] */
    uint32_t asked, slots, size; /* requests, events of the ring, bytes of the mapping */
    struct mutex taking; /* out of the ring: stores to the program's memory, which may wait */
    struct mutex lock;
    uint32_t tail;      /* [lock] */
    uint32_t posted;    /* [lock] grows with every event */
    uint32_t under_way; /* [lock] requests that will need a slot */
    struct list polls;  /* [aio_lock] that wait for their files */
    bool gone;          /* [aio_lock] the mapping is: nothing begins any more */
    struct waitq arrived;
};

extern struct spinlock aio_lock;

void aio_put(struct aio_context *c); /* a reference goes; may sleep */
/* The event of a request that has its place in the ring. told: an eventfd that counts it, or NULL.
 * May sleep. */
void aio_post(struct aio_context *c, const struct io_event *e, struct file *told);

/* IOCB_CMD_POLL: once f is ready for one of the events, e is posted with them as the result. Takes
 * the reference to told unless it is refused: -EINVAL, -ENOMEM. */
int aio_poll_begin(struct aio_context *c, struct file *f, uint32_t events, const struct io_event *e,
                   struct file *told);
/* Ends a request that waits, with a result of 0. -EINVAL: there is none. */
int aio_poll_cancel(struct aio_context *c, uint64_t request);
void aio_polls_end(struct aio_context *c); /* of one that is gone: their eventfds are told */

#endif
