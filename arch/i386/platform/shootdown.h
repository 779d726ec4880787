/* Between the protocol of shootdowns and the processors that it is for. */
#ifndef ARCH_I386_SHOOTDOWN_H
#define ARCH_I386_SHOOTDOWN_H

#include "arch/cpu.h"
#include "arch/mmu.h"

/* Whoever has these tables loaded (of kernel addresses: everybody) forgets n pages from va on. */
void shootdown(pde_t *pgdir, vaddr_t va, unsigned pages);
/* Interrupts off; with any locks or none: does what c, which is this processor, is asked for. */
void shootdown_answer(struct cpu *c);
/* The boot option noshootdown. */
void shootdowns_leave_out(void);

/* What it needs, processors.c: */
void shootdown_send(struct cpu *c); /* an interrupt that ends in shootdown_answer() there */
/* c, which is this processor, forgets pages of the user's half of pgdir, if it has it loaded, or
 * one of the kernel's. */
void shootdown_forget(struct cpu *c, pde_t *pgdir, vaddr_t va, unsigned pages);
void wait_a_little(uint32_t rounds); /* round number so many of a loop that waits for another */

#endif
