/*
 * What System V semaphores and message queues have in common: a table of objects that are found by
 * id or key and have owners and modes. man 7 sysvipc
 */
#ifndef KERNEL_IPC_H
#define KERNEL_IPC_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/user.h"
#include "kernel/thread/sched.h"

#define IPC_PRIVATE 0
#define IPC_CREAT   01000u
#define IPC_EXCL    02000u
#define IPC_NOWAIT  04000u

#define IPC_RMID 0
#define IPC_SET  1
#define IPC_STAT 2
#define IPC_INFO 3
#define IPC_64   0x100u /* in a command of ipc(2): the structures of this century */

#define IPC_MOST 32000u /* objects of a kind */
#define IPC_MODE 0777u

struct ipc_object { /* first in what it is of */
    int32_t id, key;
    uint32_t mode, uid, gid, cuid, cgid;
    uint64_t ctime;
};

/* How ids are given out: the place in a table, and above it a number that makes them differ over
 * time. */
#define IPC_INDEX_BITS 15
#define IPC_INDEX_MASK ((1 << IPC_INDEX_BITS) - 1)

struct ipc_ids {
    int32_t last_index, number;
    int32_t next; /* the id that the next object shall have, if its place is free; -1: any */
};
#define IPC_IDS                                                                                    \
    {                                                                                              \
        .last_index = -1, .next = -1                                                               \
    }

/* Where the search for a free place starts; the id for the one that was found. */
uint32_t ipc_first_place(const struct ipc_ids *ids);
int32_t ipc_new_id(struct ipc_ids *ids, int32_t index);

struct ipc_table {                              /* all of it under its lock */
    struct mutex lock;                          /* and everything about the objects */
    struct ipc_object **slots[IPC_MOST / 1000]; /* blocks of 1,000, made when they are needed */
    uint32_t in_use, limit;
    struct ipc_ids ids;
};
#define IPC_TABLE(name)                                                                            \
    {                                                                                              \
        .lock = MUTEX_INIT(name.lock, MUTEX_RANK_IPC), .limit = IPC_MOST, .ids = IPC_IDS           \
    }

/* [table->lock held] The object of an id, or of the place that its low bits name; NULL. */
struct ipc_object *ipc_find(struct ipc_table *t, int32_t id);
struct ipc_object *ipc_at(struct ipc_table *t, uint32_t index);
struct ipc_object *ipc_next(struct ipc_table *t, uint32_t *index); /* the first from *index on */
struct ipc_object *ipc_find_key(struct ipc_table *t, int32_t key);
int32_t ipc_last_index(struct ipc_table *t); /* the highest in use, 0 when there is none */
/* [table->lock held] Fills o and puts it into the table: its id, -ENOSPC, -ENOMEM. */
long ipc_enter(struct ipc_table *t, struct ipc_object *o, int32_t key, uint32_t mode);
void ipc_leave(struct ipc_table *t, struct ipc_object *o);
bool ipc_permits(const struct ipc_object *o, uint32_t wanted); /* rwx in any place */
bool ipc_owns(const struct ipc_object *o);

/* ---- Linux's structures ---- */

struct ipc_perm64 {
    int32_t key;
    uint32_t uid, gid, cuid, cgid;
    uint16_t mode, pad1, seq, pad2;
    uint32_t unused[2];
};
struct ipc_perm_old {
    int32_t key;
    uint16_t uid, gid, cuid, cgid, mode, seq;
};
void ipc_pack(const struct ipc_object *o, struct ipc_perm64 *out);
void ipc_pack_old(const struct ipc_object *o, struct ipc_perm_old *out);
/* IPC_SET: owner and mode, of either structure's beginning. -EFAULT */
struct ipc_ownership {
    uint32_t uid, gid, mode;
};
int ipc_get_ownership(const void __user *ubuf, bool wide, struct ipc_ownership *out);
void ipc_set_ownership(struct ipc_object *o, const struct ipc_ownership *to);

/* ---- sem.c, msg.c: the calls, as ipc(2) makes them, too. wide: IPC_64 ---- */

long sem_get(int32_t key, int32_t count, uint32_t flags);
long sem_operate(int32_t id, void __user *uops, uint32_t n, const void __user *uts, bool wide_time);
long sem_control(int32_t id, int32_t n, int32_t cmd, uint32_t arg, bool wide);
struct proc;
void sem_exit(struct proc *p); /* what SEM_UNDO promised. May sleep */

long msg_get(int32_t key, uint32_t flags);
long msg_send(int32_t id, const void __user *umsg, uint32_t size, uint32_t flags);
long msg_receive(int32_t id, void __user *umsg, uint32_t size, int32_t type, uint32_t flags);
long msg_control(int32_t id, int32_t cmd, void __user *ubuf, bool wide);

void sysv_init(void); /* once at boot: limits by memory */

extern struct ipc_table sem_table, msg_table;
/* [the table's lock held] What /proc/sysvipc shows of one. */
struct ipc_shown {
    uint32_t count; /* semaphores, or messages */
    uint32_t bytes; /* of messages */
    int32_t lspid, lrpid;
    uint64_t otime, rtime; /* of semop or msgsnd; of msgrcv */
};
void sem_show(const struct ipc_object *o, struct ipc_shown *out);
void msg_show(const struct ipc_object *o, struct ipc_shown *out);

extern struct sem_limits {
    uint32_t per_set, all, per_call; /* semmsl, semmns, semopm */
} sem_limits;
extern struct msg_limits {
    uint32_t message, queue; /* bytes: msgmax, msgmnb */
} msg_limits;
#define MSG_LARGEST 65536u /* what msgmax may be set to */

#endif
