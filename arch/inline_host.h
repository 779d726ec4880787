/* The inline half of arch/cpu.h on the fake machine: no interrupts, and one CPU unless a test runs
 * several, by turns or as threads. */
#ifndef ARCH_HOST_CPU_INLINE_H
#define ARCH_HOST_CPU_INLINE_H

#define EFLAGS_IF 0u

extern _Thread_local struct cpu *host_self;

#define CPU_LOCAL(field) (host_self->field)

static inline struct cpu *cpu_self(void)
{
    return host_self;
}

static inline uint32_t irq_save(void)
{
    return 0;
}

static inline uint32_t irq_save_watched(void)
{
    return 0;
}

static inline void irq_enable_watched(void)
{
}

static inline void latency_point(void)
{
}

static inline void irq_restore(uint32_t flags)
{
    (void)flags;
}

static inline void irq_enable(void)
{
}

static inline void irq_disable(void)
{
}

static inline bool irq_enabled(void)
{
    return true;
}

static inline bool cpu_count_lock(void)
{
    return host_self->spin_depth++ == 0;
}

void cpu_point(void); /* machine.c: another may go on */

static inline bool cpu_test_and_set(volatile uint32_t *word)
{
    cpu_point();
    return __atomic_fetch_or(word, 1, __ATOMIC_SEQ_CST) & 1;
}

static inline bool cpu_compare_exchange(uintptr_t *word, uintptr_t from, uintptr_t to)
{
    cpu_point();
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void cpu_spin(void *lock), cpu_answer(uint32_t rounds); /* machine.c */

static inline void cpu_relax(void)
{
}

static _Noreturn inline void cpu_halt(void)
{
    __builtin_trap();
}

static inline uint64_t cpu_cycles(void)
{
    return 0;
}

#endif
