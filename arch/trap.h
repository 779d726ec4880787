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

/* Of the flags: CF PF AF ZF SF TF DF OF RF AC are what a program may set. */
#define EFLAGS_USER 0x50dd5u
#define EFLAGS_TF   0x00100u

/* Exceptions, by vector. [SDM 3A 6.3.1] */
enum {
    TRAP_DIVIDE,
    TRAP_DEBUG,
    TRAP_NMI,
    TRAP_BREAKPOINT,
    TRAP_OVERFLOW,
    TRAP_BOUND,
    TRAP_OPCODE,
    TRAP_NO_FPU,
    TRAP_DOUBLE_FAULT,
    TRAP_COPROC,
    TRAP_TSS,
    TRAP_NO_SEGMENT,
    TRAP_STACK,
    TRAP_GP,
    TRAP_PAGE_FAULT,
    TRAP_FPU = 16,
    TRAP_ALIGN,
    TRAP_MACHINE,
    TRAP_SIMD,
    TRAP_IRET = 32, /* Linux's number: the way back to user mode was refused */
};
#define TRAP_IRQ_BASE 32
#define TRAP_SYSCALL  0x80

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
const char *irq_chip(unsigned irq); /* what the line goes through, as Linux calls it */

#endif
