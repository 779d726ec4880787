/*
 * A gate behind every page fault of a program's own instructions: while somebody holds it, each
 * waits there, its page mapped, until it is let by. So a watcher sees memory change fault by fault.
 * Faults inside system calls pass, as their threads may hold locks that the watcher needs, and so
 * do the watcher's own.
 */
#ifndef KERNEL_FAULTGATE_H
#define KERNEL_FAULTGATE_H

#include <stdint.h>

/* The current process watches from now on; key tells it from others. -EBUSY: another one does. */
int fault_gate_hold(const void *key);
int fault_gate_pass(const void *key, uint32_t n); /* n more faults go by. -EINVAL: it is not held */
void fault_gate_open(const void *key);            /* nothing is held any more; else no effect */
/* After a fault of user mode, without locks: waits for its turn. A signal ends the wait. Sleeps. */
void fault_gate_wait(void);

#endif
