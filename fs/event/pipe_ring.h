/*
 * The ring of a pipe, for what moves data through it: pipe.c and splice.c.
 *
 * head and tail count slots and wrap at 2^32; slot n is the buffer n modulo the number of slots, a
 * power of two. A buffer is a stretch of a page that belongs to it alone: pages move from ring to
 * ring, they are never in two of them, nor anybody else's at the same time. So whoever may append
 * to a buffer can change nothing but the pipe.
 */
#ifndef FS_PIPE_RING_H
#define FS_PIPE_RING_H

#include "fs/notify/owner.h"
#include "fs/vfs/vfs.h"
#include "kernel/thread/sched.h"

#define BUFS_PER_FRAME (PAGE_SIZE / sizeof(struct pipe_buf))

struct pipe_buf {
    void *page;
    uint16_t offset;
    uint16_t len : 13;   /* 0: no buffer */
    uint16_t open : 1;   /* what is written next may be appended */
    uint16_t packet : 1; /* a read takes it whole, or drops the rest */
};

struct pipe {
    struct mutex lock;
    uint32_t users;                       /* [inode->lock] open files, and opens under way */
    uint32_t readers, writers;            /* [lock] open files of each kind */
    uint32_t reads_opened, writes_opened; /* [lock] how many ever: what blocking opens wait for */
    uint32_t head, tail;                  /* [lock] the next buffer in and out */
    uint32_t slots;                       /* [lock] a power of two */
    struct pipe_buf **bufs;               /* [lock] in frames of BUFS_PER_FRAME */
    void *spare;                          /* [lock] the page read to the end last, or NULL */
    struct user *user;                    /* who made it: charged for the slots */
    struct waitq read_wait, write_wait;
    struct async_list async_read, async_write; /* O_ASYNC */
};

static inline struct pipe_buf *pipe_buf(const struct pipe *p, uint32_t pos)
{
    pos &= p->slots - 1;
    return &p->bufs[pos / BUFS_PER_FRAME][pos % BUFS_PER_FRAME];
}

static inline bool pipe_is_empty(const struct pipe *p)
{
    return p->head == p->tail;
}

static inline bool pipe_is_full(const struct pipe *p)
{
    return p->head - p->tail >= p->slots;
}

/* [lock held] A page for a buffer; NULL: no memory. */
void *pipe_page(struct pipe *p);
void pipe_page_free(struct pipe *p, void *page);
/* [lock held] A buffer more; there is room. */
void pipe_push(struct pipe *p, struct pipe_buf buf);
/* [lock held] n bytes of the first buffer are read; its page goes with the last of them. */
void pipe_consume(struct pipe *p, uint32_t n);
/*
 * [lock held; dropped while it waits] Until a byte can be read (or nobody can write) or a buffer
 * can be written. -EAGAIN instead of waiting; a signal; without readers -EPIPE, and SIGPIPE.
 */
int pipe_wait_data(struct pipe *p, bool nonblock);
int pipe_wait_room(struct pipe *p, bool nonblock);
/* After a change, without the lock: something is in it; there is room again. */
void pipe_tell_readers(struct pipe *p);
void pipe_tell_writers(struct pipe *p);

#endif
