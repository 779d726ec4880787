/* The inline half of arch/cpu.h on the real machine. */
#ifndef ARCH_I386_CPU_INLINE_H
#define ARCH_I386_CPU_INLINE_H

#define EFLAGS_IF 0x200u

extern bool cpu_has_tsc;

#if defined(__CHECKER__) || defined(__cppcheck__)
#define __seg_fs /* they do not know it */
#endif

#define CPU_LOCAL(field) (((struct cpu __seg_fs *)0)->field)

static inline struct cpu *cpu_self(void)
{
    return CPU_LOCAL(self);
}

static inline uint32_t irq_save(void)
{
    uint32_t flags;
    __asm__ volatile("pushf; pop %0; cli" : "=r"(flags) : : "memory");
    return flags;
}

/* Sites of the recorder of stretches (arch/latency.h): instructions of one byte, by address and
 * code. */
#define LATENCY_SITE(insn) "1: " insn "; .pushsection .latency_sites, \"aw\"; .long 1b; .popsection"

static inline uint32_t irq_save_watched(void)
{
    uint32_t flags;
    __asm__ volatile("pushf; pop %0; " LATENCY_SITE("cli") : "=r"(flags) : : "memory");
    return flags;
}

static inline void irq_enable_watched(void)
{
    __asm__ volatile(LATENCY_SITE("sti") : : : "memory");
}

/* Where another thread could run. */
static inline void latency_point(void)
{
    __asm__ volatile(LATENCY_SITE("nop"));
}

static inline void irq_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void irq_restore(uint32_t flags)
{
    if (flags & EFLAGS_IF)
        irq_enable();
}

static inline bool irq_enabled(void)
{
    uint32_t flags;
    __asm__ volatile("pushf; pop %0" : "=r"(flags));
    return flags & EFLAGS_IF;
}

/* Every lock counts twice here: what the compiler makes of it takes twice the instructions. */
static inline bool cpu_count_lock(void)
{
    bool first;

    __asm__ volatile("incl %0; cmpl $1, %0"
                     : "+m"(CPU_LOCAL(spin_depth)), "=@cce"(first)
                     :
                     : "memory");
    return first;
}

static inline bool cpu_test_and_set(volatile uint32_t *word)
{
    bool was_set;

    __asm__ volatile("lock btsl $0, %0" : "+m"(*word), "=@ccc"(was_set) : : "memory");
    return was_set;
}

static inline bool cpu_compare_exchange(uintptr_t *word, uintptr_t from, uintptr_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Keeps all registers: a function that takes a lock is no worse for it where nobody has it. */
static inline void cpu_spin(const void *lock)
{
    __asm__ volatile("call cpu_spin_saved" : : "a"(lock) : "cc", "memory");
}

void cpu_answer(uint32_t rounds); /* processors.c */

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void cpu_wait(void)
{
    __asm__ volatile("sti; hlt" : : : "memory");
}

static _Noreturn inline void cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

static inline uint64_t cpu_cycles(void)
{
    uint64_t t = 0;
    if (cpu_has_tsc)
        __asm__ volatile("rdtsc" : "=A"(t));
    return t;
}

#endif
