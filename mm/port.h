/*
 * What mm/ asks of those above it, as functions that mm_init() is given: the kernel's are in
 * kernel/thread/mmport.c, the host tests' in tests/host/port.c. None of them is on the way of a
 * fault that finds its page. Lines for the log go to the log (kernel/base/log.h).
 */
#ifndef MM_PORT_H
#define MM_PORT_H

#include <stdbool.h>
#include "arch/lock.h"

struct mm_port {
    /*
     * Sleeps until wakeup(chan). lock is held by the caller, is released while asleep and is not
     * held on return. Wakes may be spurious.
     */
    void (*sleep)(const void *chan, struct spinlock *lock);
    void (*wakeup)(const void *chan);
    /* The same for who waits for a program. -EINTR: the program has a signal, and nothing was begun
     * that could not be begun anew; -EFAULT: it dies. */
    int (*sleep_served)(const void *chan, struct spinlock *lock);
    bool (*for_user)(void); /* whether the program itself faulted, not the kernel for it */
    /* A point of long work where others may run; no lock is held. Whether one has. */
    bool (*yield)(void);
    /* For the fault trace: the running process and its parent (0: none), the processor, and
     * nanoseconds since boot. */
    void (*identify)(int32_t *pid, int32_t *parent);
    uint32_t (*processor)(void);
    uint64_t (*now)(void);
    /* The running process took a fault that did not come from the hardware. */
    void (*count_fault)(bool major);
    /* Counts in (1) or out (-1) what the running thread is writing from memory, or asks (0);
     * returns how much that is then. */
    unsigned (*writing_out)(int change);
    /* The running thread begins (true) to wait for memory, or ends: it reclaims, or gets back what
     * had gone for want of it. Not nested. */
    void (*stalled)(bool begins);
    /* There is no memory for what a program touches by way of the kernel: ends a process for it and
     * waits for that, as after a fault. Whether to try again. */
    bool (*relieve)(void);
    /* Whether this allocation is to fail, while vm_set_failing() is on. Takes no lock. */
    bool (*allocation_fails)(void);
};

extern const struct mm_port *mm_port;

static inline void port_sleep(const void *chan, struct spinlock *lock)
{
    mm_port->sleep(chan, lock);
}

static inline void port_wakeup(const void *chan)
{
    mm_port->wakeup(chan);
}

static inline bool port_yield(void)
{
    return mm_port->yield();
}

static inline unsigned port_writing_out(int change)
{
    return mm_port->writing_out(change);
}

static inline void port_stalled(bool begins)
{
    mm_port->stalled(begins);
}

static inline bool port_allocation_fails(void)
{
    return mm_port->allocation_fails();
}

#endif
