/*
 * The contract between the scheduler and the hardware state of a thread: kernel stacks, switching,
 * FPU, TLS descriptors, clock hardware, power.
 */
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/trap.h"

struct thread;

#define KSTACK_SIZE 8192u

/* A kernel stack with an unmapped guard page below it: its top address, or 0 when there is no
 * memory. Stacks are kept for reuse, so the pair is cheap. */
uint32_t kstack_alloc(void);
void kstack_free(uint32_t top);
void kstack_drop_cached(void); /* gives back those kept for reuse */
uint32_t kstack_limit(void);   /* how many there can be: bounds the number of threads */

/* Prepares t (kstack_top set) so that the first switch to it calls fn(arg) on its stack. */
void arch_thread_init_kernel(struct thread *t, void (*fn)(void *), void *arg);

/* Prepares t so that the first switch to it calls thread_first_run() (kernel/thread/sched.c) and
 * then returns to user mode with *tf, which is copied to the top of its stack; sets t->tf. */
void arch_thread_init_user(struct thread *t, const struct trapframe *tf);

/* Switches stacks, TSS esp0, TLS descriptors and FPU ownership from prev to next; returns when
 * somebody switches back to prev. Address spaces are the scheduler's (vm_space_activate).
 * Interrupts off. */
void arch_switch(struct thread *prev, struct thread *next);

/* Enters user mode for the first time with *tf on the current thread's stack. */
_Noreturn void arch_enter_user(const struct trapframe *tf);

/*
 * FPU and SSE state. fork copies (0 or -ENOMEM); exec and exit drop. For signal frames: fpu_save
 * writes the current thread's state to its own area and returns that, or NULL when it has none;
 * fpu_load replaces the state from a buffer, whose MXCSR it sanitises. Both in the CPU's format:
 * with fpu_has_fxsr() 512 bytes of FXSAVE, 16-aligned, else the 108 bytes of FSAVE.
 */
int fpu_fork(struct thread *parent, struct thread *child);
void fpu_drop(struct thread *t);
const void *fpu_save(void);
int fpu_load(void *area);
bool fpu_has_fxsr(void);

/* Converts between FXSAVE and the 108-byte FSAVE layout of i387 signal frames. */
void fpu_fxsave_to_fsave(void *fsave108, const void *fxsave512);
void fpu_fsave_to_fxsave(void *fxsave512, const void *fsave108);

/* Loads the GDT's TLS slots from t->tls if t is current. */
void arch_load_tls(struct thread *t);

/* Features for AT_HWCAP (CPUID.1:EDX) and AT_PLATFORM ("i686"...), and /proc/cpuinfo. */
uint32_t cpu_hwcap(void);
const char *cpu_platform(void);
int cpu_describe(char *buf, uint32_t size); /* the text of /proc/cpuinfo */

/* The clock. clock_mono_ns never steps back; the tick calls sched_tick and timers
 * (kernel/time/timer.c: timer_interrupt()). rtc_read gives seconds since 1970 (UTC), 0 when there
 * is no clock. */
void clock_init(void);
uint64_t clock_mono_ns(void);
/* Waits for an interrupt, from interrupts off to interrupts on. Until the time given the tick may
 * stop: returns how many ticks did not come. */
uint32_t clock_idle(uint64_t until);
uint32_t rtc_read(void);

/* Power. power_off and power_reset try every way known and then halt. debug_exit ends QEMU when
 * isa-debug-exit is present (status = value*2+1), else returns. */
_Noreturn void power_off(void);
_Noreturn void power_reset(void);
_Noreturn void power_halt(void);
void debug_exit(uint8_t value);

/* Symbolised backtrace of the running kernel into the log. */
void backtrace(uint32_t ebp);
void backtrace_trap(const struct trapframe *tf); /* of the kernel code that tf interrupted */
/* All of it in a line or two that can be copied by hand from a screen; tf may be NULL. */
void backtrace_compact(const struct trapframe *tf, uint32_t ebp);
/* Of a thread that sleeps. */
void backtrace_thread(const struct thread *t);
/* Return addresses on the way to here, nearest first; where there are no more, 0. */
void backtrace_collect(uint32_t *calls, unsigned max);
/* "function+0x12" for an address of the kernel's code; its number where there is no name. */
void code_name(uint32_t addr, char *buf, uint32_t size);
/* Registers of a frame into the log. */
void trapframe_dump(const struct trapframe *tf);

#endif
