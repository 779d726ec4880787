/*
 * The contract between the scheduler and the hardware state of a thread: kernel stacks, switching,
 * FPU, TLS descriptors, clock hardware, power.
 */
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/mmu.h"
#include "arch/trap.h"

#define HZ          100  /* ticks a second; also USER_HZ */
#define TLS_ENTRIES 3    /* GDT entries 6, 7, 8, as on Linux */
#define FPU_AREA    512u /* bytes for a thread's FPU state, aligned to 16 */

/* Watchpoints and breakpoints of a thread, in the processor's terms. [SDM 3B 17.2] */
struct debug_registers {
    uint32_t address[4]; /* DR0 to DR3: below USER_TOP where they are enabled */
    uint32_t control;    /* DR7 */
};

/* What few threads have. */
struct arch_rare {
    const uint8_t *ports[2]; /* I/O ports that are forbidden, a bit each, in two pages; NULL: all */
    bool all_ports;          /* none is forbidden, whatever these say */
    bool no_tsc;             /* rdtsc is, but for the kernel */
};

/* What the hardware knows of a thread: the first member of the kernel's struct thread. A new one is
 * all zero but for fpu_area and kstack_top. */
struct arch_thread {
    uint32_t esp;              /* saved stack pointer while not running */
    uint32_t kstack_top;       /* esp0 in the TSS */
    volatile uint32_t work;    /* not 0: return_to_user() is called before it goes to user mode */
    uintptr_t stack_guard;     /* the canary of its stack frames; set by whoever makes the thread */
    bool uses_fpu;             /* fpu_area holds its state, or the registers do; else it has none */
    void *fpu_area;            /* FPU_AREA bytes, by whoever makes the thread */
    struct cpu *fpu_cpu;       /* whose registers may hold its state still; NULL: none's */
    struct trapframe *tf;      /* user state, at the top of the kernel stack */
    uint64_t tls[TLS_ENTRIES]; /* GDT descriptors */
    const struct debug_registers *debug; /* loaded while it runs; NULL: none */
    uint32_t debug_status;               /* DR6 of its last debug exception */
    struct arch_rare *rare;              /* or NULL; no other thread has the same */
};

/*
 * A kernel stack with an unmapped guard page below it, named by its top address. Stacks that are
 * given back keep their pages for reuse, up to a number; beyond that the pages go back to where
 * they came from.
 */
#define KSTACK_SIZE  8192u
#define KSTACK_PAGES (KSTACK_SIZE / PAGE_SIZE)
uint32_t kstack_reuse(void);                           /* one that has its pages, or 0 */
uint32_t kstack_make(void *const pages[KSTACK_PAGES]); /* a new one over these, or 0 */
/* False: it is kept. True: it is gone, and its pages are the caller's. */
bool kstack_put(uint32_t top, void *pages[KSTACK_PAGES]);
/* Takes one that was kept apart, and its pages are the caller's; false: none is left. */
bool kstack_drop_cached(void *pages[KSTACK_PAGES]);
uint32_t kstack_limit(void); /* how many there can be: bounds the number of threads */

/* Prepares t so that the first switch to it calls fn(arg) on its stack. */
void arch_thread_init_kernel(struct arch_thread *t, void (*fn)(void *), void *arg);

/* Prepares t so that the first switch to it calls thread_first_run() and then returns to user mode
 * with *tf, which is copied to the top of its stack; sets t->tf. */
void arch_thread_init_user(struct arch_thread *t, const struct trapframe *tf);

/* Switches stacks, TSS esp0, TLS descriptors and FPU ownership from prev to next; returns when
 * somebody switches back to prev. Address spaces are the scheduler's (vm_space_activate).
 * Interrupts off. */
void arch_switch(struct arch_thread *prev, struct arch_thread *next);

/* Enters user mode for the first time with *tf on the current thread's stack. */
_Noreturn void arch_enter_user(const struct trapframe *tf);

/*
 * FPU and SSE state. fork copies; exec and exit drop. For signal frames: fpu_save writes the
 * current thread's state to its own area and returns that, or NULL when it has none; fpu_load
 * replaces the state from a buffer, whose MXCSR it sanitises. Both in the CPU's format: with
 * fpu_has_fxsr() 512 bytes of FXSAVE, 16-aligned, else the 108 bytes of FSAVE.
 */
void fpu_fork(struct arch_thread *parent, struct arch_thread *child);
void fpu_drop(struct arch_thread *t);
const void *fpu_save(void);
void fpu_load(void *area);
bool fpu_has_fxsr(void);
/* The same for a thread that does not run, which has the initial state before its first use. */
void fpu_peek(const struct arch_thread *t, void *area);
void fpu_poke(struct arch_thread *t, const void *area);
uint32_t fpu_mxcsr_mask(void); /* bits that MXCSR may have */

/* Converts between FXSAVE and the 108-byte FSAVE layout of i387 signal frames. */
void fpu_fxsave_to_fsave(void *fsave108, const void *fxsave512);
void fpu_fsave_to_fxsave(void *fxsave512, const void *fsave108);

/* Whether each point that control enables is one that the processor knows and whose address, in
 * address[], is a program's and aligned. */
bool debug_registers_valid(const struct debug_registers *d);

/* Loads the GDT's TLS slots from t->tls if t is current; what t->rare says. */
void arch_load_tls(struct arch_thread *t);
void arch_load_rare(struct arch_thread *t);

/* Features for AT_HWCAP (CPUID.1:EDX) and AT_PLATFORM ("i686"...), and /proc/cpuinfo. */
uint32_t cpu_hwcap(void);
const char *cpu_platform(void);
bool cpu_has_sysenter(void);
int cpu_describe(unsigned cpu, char *buf, uint32_t size); /* its part of /proc/cpuinfo */

struct clock_moment; /* arch/clock_page.h */
struct clock_page;
/* The clock: timer_tick() HZ times a second. clock_mono_ns never steps back. rtc_read gives seconds
 * since 1970 (UTC), 0 when there is no clock; rtc_write sets it, one caller at a time. */
void clock_init(void);
uint64_t clock_mono_ns(void);
uint64_t clock_cycles_ns(uint64_t cycles); /* how long that is; 0 while nobody knows */
/* Real time as it was at the last tick, or when an idle CPU woke. */
struct clock_moment clock_real_coarse(void);
/* Keeps the time in the page right from now on; real time is monotonic time and the offset. */
void clock_publish(struct clock_page *page);
void clock_publish_real(uint64_t offset);
/* timer_tick() is called at that time or soon after it, by an interrupt on this processor, instead
 * of what it was asked before. False: the next tick has to do. Interrupts off. */
bool clock_alarm(uint64_t when);
/* Waits for an interrupt, from interrupts off to interrupts on. Until the time given the tick may
 * stop: returns how many ticks did not come. */
uint32_t clock_idle(uint64_t until);
uint32_t rtc_read(void);
void rtc_write(uint32_t seconds);

/* Power. power_off and power_reset try every way known and then halt (cpu_halt). debug_exit ends
 * QEMU when isa-debug-exit is present (status = value*2+1), else returns. */
_Noreturn void power_off(void);
_Noreturn void power_reset(void);
void debug_exit(uint8_t value);

/* Backtraces into the log: of what tf interrupted in the kernel; of a thread that sleeps. */
void backtrace_trap(const struct trapframe *tf);
void backtrace_thread(const struct arch_thread *t);
/* Return addresses on the way to here, nearest first; where there are no more, 0. */
void backtrace_collect(uint32_t *calls, unsigned max);
/* The same of a thread that does not run. */
void backtrace_collect_thread(const struct arch_thread *t, uint32_t *calls, unsigned max);
/* The function that addr lies in, how far, and how long it is; NULL: none is known. */
const char *code_symbol(uint32_t addr, uint32_t *offset, uint32_t *size);
/* "function+0x12" for an address of the kernel's code; its number where there is no name. */
void code_name(uint32_t addr, char *buf, uint32_t size);
/* Registers of a frame into the log. */
void trapframe_dump(const struct trapframe *tf);

#endif
