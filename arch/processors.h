/*
 * The contract with several processors.
 *
 * One at a time is in the kernel: whoever comes in from user mode, or wakes from idleness for an
 * interrupt, waits until the one that is in has left (the kernel lock,
 * arch/i386/platform/kernel_lock.c). So the rules of one processor hold for all kernel code,
 * interrupt handlers too; programs run at once. A program's memory may change at any time, by its
 * other threads. What needs vm_lock only goes on beside it: the common page faults
 * (vm_fault_alone()). So do some system calls, as far as they need locks of their own only
 * (kernel/syscall/alone.c): kernel_need() is where they take this one, too. The lock is the
 * processor's, but a thread that sleeps with it comes up with it, and one that sleeps without,
 * without.
 *
 * Where there is one processor, or one is used, nothing of this is paid for.
 */
#ifndef ARCH_PROCESSORS_H
#define ARCH_PROCESSORS_H

#include "arch/cpu.h"
#include "arch/mmu.h"

#define CPUS_MAX  16
#define CPU_PAGES 2 /* frames for what a processor has for itself */

extern unsigned cpus_online; /* how many run; the first is number 0 */

/* NULL: there is none of that number. */
struct cpu *cpu_get(unsigned id);

/* How many the firmware's tables tell of and could be used. */
unsigned cpus_found(void);

/* Starts the next one: it calls run() on t's stack, in the kernel, interrupts off, with t as its
 * current thread; queue is its run queue. NULL: it does not answer; the frames may be in its hands.
 * May sleep. */
struct cpu *cpu_start(void *const pages[CPU_PAGES], struct arch_thread *t, struct runqueue *queue,
                      void (*run)(void));
/* No more will be started. */
void cpus_started(void);

/* Lets another one come into the kernel, to look at its wanted and its thread's work. */
void cpu_kick(struct cpu *c);
/* Lets a tick pass on another one: processor_tick(). */
void cpu_send_tick(struct cpu *c);
/* Each of the others has passed a full memory barrier. */
void cpus_barrier(void);
/* The others stop for good: before a panic is told of. */
void cpus_stop(void);

/* The others stop, wherever they are, until cpus_release(): for a debugger, with interrupts off. A
 * second one that comes here waits, and is stopped meanwhile. */
void cpus_hold(void);
void cpus_release(void);

/* Leaves the kernel, and waits for an interrupt, from interrupts off to interrupts on. Who idles
 * comes back without the kernel lock. */
void cpu_idle(void);
/* Lets another processor in, if one waits. */
void cpu_pass_kernel(void);

/* From here to the way out the call has the kernel lock, if it began without. No spin lock is held;
 * sleep locks may be: who has the kernel lock and wants one of them sleeps. */
void kernel_take(void);
static inline bool kernel_held(void)
{
    return CPU_LOCAL(in_kernel);
}
static inline void kernel_need(void)
{
    if (__builtin_expect(!kernel_held(), 0))
        kernel_take();
}
/* The thread that comes up had the lock when it went down, or not. */
void kernel_change(bool had);
/* From here to kernel_need() the call does without it, where there are several processors: what
 * lies between needs locks of its own only. It may sleep there, so the caller may, too. */
static inline void kernel_let_go(void)
{
    if (cpus_online > 1)
        kernel_change(false);
}

#endif
