/* The inline half of arch/cpu.h on the fake machine: one CPU, no interrupts. */
#ifndef ARCH_HOST_CPU_INLINE_H
#define ARCH_HOST_CPU_INLINE_H

#define EFLAGS_IF 0u

extern struct cpu host_cpu;

#define CPU_LOCAL(field) (host_cpu.field)

static inline struct cpu *cpu_self(void)
{
    return &host_cpu;
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

static inline void cpu_relax(void)
{
}

static inline uint64_t cpu_cycles(void)
{
    return 0;
}

#endif
