/*
 * The contract between hardware events and the kernel: what a trap leaves on the kernel stack, and
 * who is called.
 */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H

#include <stdbool.h>
#include <stdint.h>

/* The state of interrupted code, as arch/i386/entry.asm pushes it (lowest address first). */
struct trapframe {
    uint32_t ebx, ecx, edx, esi, edi, ebp, eax; /* order of Linux's pt_regs */
    uint32_t ds, es, fs, gs;                    /* selectors, upper half zero */
    uint32_t orig_eax;                          /* system call number, or -1 */
    uint32_t trapno;
    uint32_t err;             /* pushed by the CPU, or 0 */
    uint32_t eip, cs, eflags; /* pushed by the CPU */
    uint32_t esp, ss;         /* only when it came from user mode */
};

/* Selectors of user code and data, which programs see: Linux i386's. */
#define USER_CS 0x73u
#define USER_DS 0x7bu

#define TRAP_PAGE_FAULT 14
#define TRAP_IRQ_BASE   32
#define TRAP_SYSCALL    0x80

/* #PF error code bits [SDM 3A 4.7] */
#define PF_PRESENT 0x1
#define PF_WRITE   0x2
#define PF_USER    0x4

static inline bool trap_from_user(const struct trapframe *tf)
{
    return (tf->cs & 3) == 3;
}

/* Interrupt lines. fn runs with interrupts off; it must not sleep. Several may share a line. */
typedef void (*irq_handler_t)(void *arg);
int irq_register(unsigned irq, irq_handler_t fn, void *arg);
/* How often the line fired; false when nobody listens on it. */
bool irq_count(unsigned irq, uint32_t *count);

/*
 * Called by the trap code (kernel/thread/entry.c implements them). syscall_dispatch gets the frame with
 * the number in orig_eax and leaves the result in eax. return_to_user runs before every return to
 * user mode that has something pending (need_resched, signals, stop), interrupts on.
 */
void syscall_dispatch(struct trapframe *tf);
void return_to_user(struct trapframe *tf);

/* A fault of user code that mm/ could not resolve, or another CPU exception: becomes a signal. */
void trap_to_signal(struct trapframe *tf, int signo, int code, uint32_t addr);

#endif
