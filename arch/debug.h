/*
 * The contract between a debugger in the kernel (kernel/debug/gdbstub.c) and the machine: memory
 * that may not be there, breakpoints, watchpoints, single steps. All of it with interrupts off.
 */
#ifndef ARCH_DEBUG_H
#define ARCH_DEBUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/mmu.h"
#include "arch/trap.h"

/* ---- What the machine offers (arch/i386/debug.c) ---- */

/*
 * Copies n bytes by the page tables given (the kernel half counts whichever they are), without ever
 * faulting; returns how many could be. poke writes where the kernel's text is, too, but not to what
 * a program may not write: such a page may be shared.
 */
size_t debug_peek(const pde_t *tables, vaddr_t va, void *buf, size_t n);
size_t debug_poke(const pde_t *tables, vaddr_t va, const void *buf, size_t n);

enum debug_point { DEBUG_EXECUTE = 0, DEBUG_WRITE = 1, DEBUG_ACCESS = 3 };
#define DEBUG_POINTS 4

/* Hardware breakpoints and watchpoints; len is 1, 2 or 4 and va a multiple of it. */
bool debug_set_point(enum debug_point kind, vaddr_t va, unsigned len);
bool debug_clear_point(enum debug_point kind, vaddr_t va, unsigned len);
void debug_clear_points(void); /* all of them */

enum debug_reason {
    DEBUG_OTHER, /* nothing that was set here */
    DEBUG_STEPPED,
    DEBUG_BREAKPOINT, /* an execute point */
    DEBUG_WATCHPOINT,
};
/* Why a debug exception came, and for which address. Ends the step. */
enum debug_reason debug_reason(struct trapframe *tf, vaddr_t *va);

/* Makes tf execute one instruction when it is resumed; false when that is done already. */
bool debug_step(struct trapframe *tf);
/* Makes tf get past an execute point at its own address when it is resumed. */
void debug_resume(struct trapframe *tf);

#define DEBUG_BREAK_INSN 0xcc /* int3 */

static inline void debug_break(void)
{
    __asm__ volatile("int3" : : : "memory");
}

/* The n-th symbol of the kernel, in order of addresses; NULL: no more. */
const char *debug_symbol(uint32_t n, uint32_t *addr);

/* CR0, CR2, CR3, CR4. */
void debug_control_registers(uint32_t cr[4]);
/* What a thread that does not run will go on with, as far as it is kept (ebx esi edi ebp esp eip).
 */
struct arch_thread;
void debug_saved_frame(const struct arch_thread *t, struct trapframe *tf, uint32_t *esp);

#endif
