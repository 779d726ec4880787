/*
 * Vectors of user buffers, copied in and checked once.
 */
#ifndef FS_IOV_H
#define FS_IOV_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/user.h"
#include "arch/mmu.h"

struct iovec {
    void __user *base; /* process_vm: of the other process, only a number then */
    uint32_t len;
};

#define IOV_MAX       1024u
#define IOV_PER_FRAME (PAGE_SIZE / sizeof(struct iovec))

struct iov_set {
    struct iovec *frames[IOV_MAX / IOV_PER_FRAME];
    uint32_t count;
};

static inline struct iovec *iov_at(struct iov_set *s, uint32_t i)
{
    return &s->frames[i / IOV_PER_FRAME][i % IOV_PER_FRAME];
}

/*
 * -EINVAL: more than IOV_MAX, a length that is negative; -EFAULT; -ENOMEM. local: the buffers are
 * the caller's own, so each must lie in user addresses, and their sum is cut to what one call
 * moves.
 */
int iov_from_user(struct iov_set *s, const void __user *uvec, uint32_t count, bool local);
void iov_free(struct iov_set *s);

/* One side of a transfer, used up from the front: a buffer, a vector of them, or kernel memory. It
 * stays where it was made: a single buffer points into it. */
struct iov_cursor {
    struct iov_set iov;
    struct iovec single;   /* the only buffer, where there is no vector */
    uint32_t part, offset; /* how far it is used */
    uint32_t left;         /* bytes in all that is not */
    char *kernel;          /* what is left, instead of all that; NULL: the user's */
};

void iov_cursor_single(struct iov_cursor *c, void __user *ubuf, uint32_t len);
void iov_cursor_kernel(struct iov_cursor *c, void *buf, uint32_t len);
void iov_cursor_vector(struct iov_cursor *c, const struct iov_set *iov);
/* Moves the next n bytes, of which at least that many are left. Returns how many could NOT be
 * moved, as copy_from_user_partial does; after that it is of no more use. */
uint32_t iov_take(struct iov_cursor *c, void *to, uint32_t n);
uint32_t iov_give(struct iov_cursor *c, const void *from, uint32_t n);
/* How much of what is left lies in one page of the user's. */
uint32_t iov_page_part(struct iov_cursor *c);

#endif
