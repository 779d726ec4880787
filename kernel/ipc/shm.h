/*
 * System V shared memory: segments, found by key or id, as shm.c keeps them and the calls use them.
 */
#ifndef KERNEL_SHM_H
#define KERNEL_SHM_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/lock.h"
#include "mm/vm.h"

#define IPC_PRIVATE 0
#define SHM_MODE    0777u
#define SHM_DEST    01000u /* in mode: goes with the last attach */
#define SHM_LOCKED  02000u /* in mode: its pages stay in memory */

#define SHM_MOST_SEGMENTS 4096u

/*
 * One segment. It is the private of its object: it lives as long as that, in the table or not.
 * The table holds one reference to the object, every area another.
 */
struct shm_segment {
    struct vm_object *object;
    int32_t id;
    int32_t key;      /* [shm_lock] IPC_PRIVATE once removed */
    int32_t made_key; /* for /proc/PID/maps */
    uint32_t size;
    uint32_t mode, uid, gid, cuid, cgid; /* [shm_lock] */
    uint64_t atime, dtime, ctime;        /* [shm_lock] seconds since 1970 */
    int32_t cpid, lpid;                  /* [shm_lock] who made it, who was last at it */
    uint32_t attaching;                  /* [shm_lock] shmat calls on their way */
    bool gone;                           /* [shm_lock] off the table */
    struct user *locker;                 /* [shm_lock] whose account its locked pages are in */
};

extern struct spinlock shm_lock; /* LOCK_RANK_FS */

struct shm_limits {
    uint32_t max;      /* bytes in a segment */
    uint32_t all;      /* pages in all */
    uint32_t segments; /* at most SHM_MOST_SEGMENTS */
    uint32_t forced;   /* a segment goes when nobody has it attached any more */
};
void shm_init(void);                 /* once at boot */
extern struct ipc_ids shm_ids;       /* [shm_lock] */
extern struct shm_limits shm_limits; /* /proc/sys/kernel/shm{max,all,mni} */

static inline uint32_t shm_pages_of(uint32_t bytes)
{
    return (bytes >> PAGE_SHIFT) + (bytes % PAGE_SIZE != 0);
}

struct shm_totals {
    uint32_t segments, pages, resident;
    int32_t last; /* the highest index in use, 0 when there is none */
};

/* [shm_lock] The segment of an id, or of the place that its low bits name; NULL. */
struct shm_segment *shm_find(int32_t id);
struct shm_segment *shm_at(uint32_t index);
/* [shm_lock] The first at or after *index; NULL after the last. */
struct shm_segment *shm_next(uint32_t *index);
uint32_t shm_attaches(const struct shm_segment *s);             /* [shm_lock] */
bool shm_permits(const struct shm_segment *s, uint32_t wanted); /* [shm_lock] rwx in any place */
/* [shm_lock] Takes s off the table if it is to go and nobody has it attached; then the caller,
 * without the lock, drops a reference to its object. */
bool shm_remove_if_unused(struct shm_segment *s);
/* With shm_limits.forced: those that a process made (0: processes that are gone) and nobody has
 * attached go. */
void shm_forget(int32_t maker);
void shm_unlock(struct shm_segment *s); /* [shm_lock] its pages may go again */
void shm_total(struct shm_totals *out);

long shm_get(int32_t key, uint32_t size, uint32_t flags);
long shm_attach(int32_t id, uint32_t addr, uint32_t flags, uint32_t *at);
long shm_detach(uint32_t addr);
/* wide: the structures of 64-bit ids (IPC_64), which every program of this century uses. */
long shm_control(int32_t id, int32_t cmd, void __user *ubuf, bool wide);

#endif
