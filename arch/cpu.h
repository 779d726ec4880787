/*
 * The contract with a CPU: the per-CPU structure, interrupts, the clock. There is no global
 * "current": ask the CPU. On i386 the kernel runs with %fs based at its struct cpu.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct arch_thread;
struct runqueue;
struct thread;
struct trapframe;
struct vm_space;

#define CPU_HELD_LOCKS 8
#define CPU_POOLS      3 /* mm/percpu/pool.h */

#define CPU_WANTED_SWITCH 1u /* another thread is to run */
#define CPU_WANTED_KERNEL 2u /* another processor waits to come into the kernel */
#define CPU_WANTED_LOOK   4u /* the thread has moved here, and is to be told */

/* For functions that run before there is a canary, or change it (Makefile: STACK_PROTECTOR). */
#define NO_STACK_GUARD __attribute__((no_stack_protector))

struct cpu {
    struct cpu *self;            /* at %fs:0 */
    struct arch_thread *current; /* at %fs:4; the thread running here: thread_current() */
    struct thread *idle;         /* kernel/thread/sched.c: runs when nothing else can */
    uint32_t id;
    uint32_t spin_depth;         /* spin locks held here; interrupts are off while > 0 */
    uint32_t lock_flags;         /* EFLAGS from before the first of them */
    volatile uint8_t wanted;     /* at %fs:24; CPU_WANTED_*: at the next return to user mode */
    uintptr_t stack_guard;       /* at %fs:28, for the compiler: the running thread's canary */
    volatile uint32_t irq_depth; /* interrupt handlers running here */
    struct spinlock *held[CPU_HELD_LOCKS]; /* debug builds: for the lock order assertion */
    const struct trapframe *irq_frame;     /* what the interrupt handled here came from */
    struct arch_thread *fpu_owner;         /* arch: whose FPU state the registers hold, or NULL */
    void *pgdir;                           /* arch: the page directory in CR3 */
    struct thread
        *switched_from;     /* kernel/thread/sched.c: who ran here before the switch just made */
    struct runqueue *queue; /* kernel/thread/runqueue.c: who waits for it */
    struct vm_space *space; /* kernel/thread/sched.c: whose tables are loaded; NULL: kernel only */
    uint64_t wanted_since;  /* kernel/thread/sched.c: cycles, when a switch was wanted */
    uint64_t wanted_since_ns;  /* the same by the clock, to the tick */
    struct cpu_tables *tables; /* arch: its descriptors */
    uint32_t apic_id;          /* arch */
    bool in_kernel;            /* arch: it holds the kernel lock; always, where there is no other */
    bool halts_for_kernel;     /* arch: it waits for it, and is to be woken */
    uint32_t kernel_ticket;    /* arch: its place in the queue, while it does */
    volatile bool started;     /* arch */
    uint64_t first_cycles;     /* arch: its time-stamp counter when it started */
    uint32_t kicks, ticks, shootdowns; /* arch: that it had from others */
    const struct trapframe *held_at;   /* arch: cpus_hold() stopped it there, or NULL */
    uint64_t faults;                   /* mm/fault.c: that it resolved so */
    uint32_t anons; /* mm/amap.c: how many more it has made than given up, modulo 2^32 */
    struct cpu_pool {
        void *head;
        unsigned count;
    } pools[CPU_POOLS]; /* mm/percpu/pool.h */
};

#ifdef ARCH_HOST
#include "arch/inline_host.h"
#else
#include "arch/inline_i386.h"
#endif

/*
 * inline_i386.h gives, as static inline functions:
 *   struct cpu *cpu_self(void);
 *   CPU_LOCAL(field)                    cpu_self()->field, in one instruction
 *   uint32_t irq_save(void);            disables interrupts, returns the old EFLAGS
 *   void irq_restore(uint32_t flags);
 *   void irq_enable(void), irq_disable(void); bool irq_enabled(void);
 *   void cpu_relax(void);               for spin loops
 *   bool cpu_count_lock(void);          one more in spin_depth: whether it is the first
 *   bool cpu_test_and_set(volatile uint32_t *word);    its lowest bit; a full barrier. What it was
 *   bool cpu_compare_exchange(uintptr_t *word, from, to);      whether it was from; a full barrier
 *   void cpu_spin(const void *lock);    until nobody holds the lock, or nearly so; meanwhile this
 *                                       processor answers shootdowns, for which the holder may wait
 *   void cpu_answer(uint32_t rounds);   a round of waiting for another processor: this one answers
 *   void cpu_wait(void);                enables interrupts and halts until one comes (sti; hlt)
 *   void cpu_halt(void);                for good
 *   uint64_t cpu_cycles(void);          rdtsc, or 0 where there is none
 */

#endif
