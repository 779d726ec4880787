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

#endif
