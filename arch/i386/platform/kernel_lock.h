/*
 * The kernel lock: which processor is in the kernel. Taken at every entry from user mode that needs
 * it, and by an interrupt that finds its processor without it.
 */
#ifndef ARCH_I386_KERNEL_LOCK_H
#define ARCH_I386_KERNEL_LOCK_H

struct cpu;

void kernel_enter(struct cpu *c); /* c is the one that runs here; may wait */
void kernel_leave(void);          /* interrupts off; nothing, if this one has not got it */
void kernel_lock_first(void);     /* this one has it: others are about to start */

/* What it needs, processors.c: */
void kernel_lock_halt(void);          /* interrupts off: until a shootdown, or the wake */
void kernel_lock_wake(struct cpu *c); /* that one: it halts, or is about to */

#endif
