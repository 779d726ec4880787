/*
 * Every call that arch/ makes upwards: a trap has to arrive somewhere, and what it means is not the
 * machine's business. Each is implemented on the floor that its meaning belongs to. scripts/layers
 * takes the names from here; its floors have no other exception.
 */
#ifndef ARCH_UPCALLS_H
#define ARCH_UPCALLS_H

#include <stdbool.h>
#include <stdint.h>

struct trapframe;

/* The first call of all, from boot/multiboot.asm into arch/i386/start/boot.c: on the boot stack,
 * interrupts off, the first 8 MiB mapped. */
_Noreturn void boot_main(void);

/* The machine is ready: paging, traps, consoles, boot_info with its memory map. On the boot stack,
 * which becomes the idle thread's, interrupts off; may not sleep until there are threads.
 * (kernel/main.c) */
_Noreturn void kernel_main(void);

/* int 0x80 with the number in orig_eax; the result goes to eax. On the thread's stack, interrupts
 * on, may sleep. (kernel/syscall/syscall.c) */
void syscall_dispatch(struct trapframe *tf);

/* The same by sysenter: eip is not known, and the sixth argument is on the program's stack.
 * (kernel/syscall/syscall.c) */
void sysenter_dispatch(struct trapframe *tf);

/* The same two while several processors run, and without the kernel lock: done (true), or nothing
 * has happened. A fault on the way takes that lock for itself. (kernel/syscall/alone.c) */
bool syscall_alone(struct trapframe *tf);
bool sysenter_alone(struct trapframe *tf);

/*
 * A page fault at addr that a process is to answer for, whether the program or a copy of the kernel
 * for it touched the page. True: go on where it was. False: it cannot be resolved; the program has
 * its signal, the kernel's copy ends. On the thread's stack, interrupts as they were where it
 * happened, may sleep. In registers, since every fault comes by. (kernel/deliver/trap.c)
 */
bool trap_page_fault(struct trapframe *tf, uint32_t addr) __attribute__((regparm(2)));

/* The same for a program's fault while several processors run, and without the kernel lock:
 * resolved (true), or nothing has happened. Interrupts are off and stay so. (kernel/deliver/trap.c)
 */
bool trap_fault_alone(const struct trapframe *tf, uint32_t addr);

/* Another exception of a program; code: its si_code where the hardware tells more than its number
 * does, else -1. False: none that a program can cause. On the thread's stack, interrupts on, may
 * sleep. (kernel/deliver/trap.c) */
bool trap_exception(struct trapframe *tf, int code);

/* On the way to user mode, when a thread's work or the CPU's wanted is set; is called again
 * until neither is. On the thread's stack, interrupts on, may sleep. (kernel/deliver/trap.c) */
void return_to_user(struct trapframe *tf);

/* The first switch to a user thread, which goes to user mode after it. On its stack, interrupts off
 * as the one before left them, and on afterwards. May sleep. (kernel/thread/sched.c) */
void thread_first_run(void);

/* An int3 or debug exception, of programs and of the kernel; false: it is not the debugger's.
 * Interrupts off, any stack, may not sleep. (kernel/debug/gdbstub.c) */
bool debug_trap(struct trapframe *tf);

/* The handlers of an interrupt line have run, and tf is what they interrupted. Interrupts off, any
 * stack, may not sleep. (kernel/deliver/trap.c) */
void irq_after(struct trapframe *tf, unsigned irq);

/* The clock: timers that are due may run. whole: a tick has passed since the last such call, found
 * in user mode or not. Interrupts off, any stack, may not sleep. (kernel/time/timer.c) */
void timer_tick(bool whole, bool user);

/* A tick has passed on a processor that does not keep the clock, found in user mode or not.
 * Interrupts off, any stack, may not sleep. (kernel/thread/sched.c) */
void processor_tick(bool user);

/* The power button was pressed. From its interrupt, may not sleep. (kernel/machine/power.c) */
void power_button(void);

#endif
