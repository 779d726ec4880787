/*
 * Advisory locks for the calls that make them: fs/calls/lock.c.
 */
#ifndef FS_VFS_LOCKS_H
#define FS_VFS_LOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include "libc/list.h"

#define LOCK_RANGE_END INT64_MAX /* to the end of the file, wherever that comes to be */

enum lock_kind { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK };

struct file_lock {
    struct file_lock *next;         /* [lock_lock] of a root: in inode->locks */
    struct file_lock *left, *right; /* [lock_lock] those of its owner and kind below and above it */
    uint32_t size;                  /* [lock_lock] of its subtree */
    const void *owner;
    enum lock_kind kind;
    int type;           /* F_RDLCK or F_WRLCK; F_UNLCK in a request */
    int pid;            /* as F_GETLK shows it; -1 for an open file description */
    int64_t start, end; /* inclusive */
    struct inode *inode;
    struct list all; /* [lock_lock] in all_locks, in order of serial; empty: a request or spare */
    uint64_t serial;
};

struct inode;
/* Locks or unlocks as want says; with wait it sleeps for what is in the way. -EAGAIN, -ENOLCK,
 * -EDEADLK, -ERESTARTSYS. */
int lock_set(struct inode *i, const struct file_lock *want, bool wait);
/* Whether a lock stands in the way of want: the first, copied out. */
bool lock_conflicts(struct inode *i, const struct file_lock *want, struct file_lock *out);

#endif
