/* What the host programs give to mm/ (mm/port.h). */
#ifndef TESTS_HOST_PORT_H
#define TESTS_HOST_PORT_H

#include "mm/port.h"

extern const struct mm_port host_port;
/* Runs between two steps of long work, where another thread could; NULL: nothing does. */
extern void (*port_between_steps)(void);

/* Somebody sleeps whom nobody would wake: releases the lock, and ends the sleep by returning or by
 * longjmp(). NULL: the end.
 */
extern void (*port_on_sleep)(struct spinlock *lock);

extern const int
    *port_served; /* what a sleep for a server comes to, after port_on_sleep; NULL: 0 */

extern int32_t port_pid, port_parent; /* whom the fault trace shall name */

#endif
