/*
 * The way back to user mode when something waits: another thread's turn, signals, a stop, the end.
 */
#include "arch/cpu.h"
#include "arch/trap.h"
#include "kernel/thread/proc.h"

_Static_assert(offsetof(struct thread, kernel_esp) == 0, "arch/i386 switches by it");
_Static_assert(offsetof(struct thread, kstack_top) == 4, "arch/i386 loads it into the TSS");
_Static_assert(offsetof(struct thread, sig.work) == 12, "arch/i386/entry.asm tests it");

/* The exit path calls again until there is nothing left to do. */
void return_to_user(struct trapframe *tf)
{
    if (cpu_self()->need_resched)
        schedule();
    if (thread_current()->sig.work)
        signal_deliver(tf);
}
