/*
 * What mm/ asks of the kernel around it. The kernel implements it in kernel/thread/mmport.c, the
 * host tests in tests/host/.
 */
#ifndef MM_PORT_H
#define MM_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/lock.h"

/*
 * Sleeps until port_wakeup(chan). lock is held by the caller, is released while asleep and is not
 * held on return. Wakes may be spurious.
 */
void port_sleep(const void *chan, struct spinlock *lock);
void port_wakeup(const void *chan);
/* A point of long work where others may run; no lock is held. */
void port_yield(void);

/* For the fault trace: the running process and its parent (0: none), and nanoseconds since boot. */
void port_identify(int32_t *pid, int32_t *parent);
uint64_t port_now(void);
/* The running process took a fault that did not come from the hardware. */
void port_count_fault(bool major);

/* One line for the kernel log, without a newline. */
void port_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
