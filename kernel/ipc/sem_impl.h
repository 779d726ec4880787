/*
 * Sets of semaphores, as sem.c keeps them and sem_op.c changes them.
 */
#ifndef KERNEL_SEM_IMPL_H
#define KERNEL_SEM_IMPL_H

#include "kernel/ipc/ipc.h"
#include "libc/list.h"

#define SEM_VALUE_MAX 32767
#define SEM_PER_PAGE  512u
#define SEM_PAGES     63u
#define SEM_PER_SET   32000u
#define ADJ_PER_PAGE  2048u
#define ADJ_PAGES     16u

struct sem {
    int32_t pid; /* who changed it last */
    int32_t value;
};

struct sem_set { /* [sem_table.lock] */
    struct ipc_object object;
    uint32_t count;
    uint64_t otime;
    struct list pending; /* struct sem_waiter, in order of arrival */
    struct list undos;   /* struct sem_undo */
    struct sem *pages[SEM_PAGES];
};

/* What the end of a process adds to a set. */
struct sem_undo {
    struct list of_set, of_proc; /* [sem_table.lock] */
    struct proc *proc;
    struct sem_set *set;
    int16_t *pages[ADJ_PAGES]; /* NULL: zeros */
};

struct sem_waiter;

static inline struct sem *sem_at(struct sem_set *s, uint32_t n)
{
    return &s->pages[n / SEM_PER_PAGE][n % SEM_PER_PAGE];
}

/* [sem_table.lock held] A value has changed: those that wait and now can, do. */
void sem_changed(struct sem_set *s);
void sem_forget_undo(struct sem_set *s, uint32_t n); /* the value was set */
void sem_removed(struct sem_set *s);                 /* waiters get -EIDRM, promises end */
uint32_t sem_count_waiters(const struct sem_set *s, uint32_t n, bool for_zero);

#endif
