/*
 * The kernel's own use of SSE registers: never across a switch, with interrupts off, and with what
 * a program has in them put back. So the rules of fpu.c hold whatever CR0.TS says.
 */
#include "arch/chacha.h"
#include "arch/i386/i386.h"
#include "arch/thread.h"

#define XMM_AREA 80 /* xmm0 to xmm4 */
#define STEP     16 /* blocks with interrupts off */

/* chacha.asm */
void chacha_sse2(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks);
void xmm_save(void *area);
void xmm_load(const void *area);

static void run_step(void *out, uint32_t *state, uint32_t blocks)
{
    uint8_t area[XMM_AREA];
    uint32_t flags = irq_save(), cr0 = read_cr0();

    __asm__ volatile("clts" : : : "memory");
    xmm_save(area);
    chacha_sse2(out, state, blocks);
    xmm_load(area);
    if (cr0 & CR0_TS)
        write_cr0(cr0);
    irq_restore(flags);
}

bool arch_chacha20(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks)
{
    if (!fpu_has_fxsr() || !(cpu_features & CPU_SSE2))
        return false;
    while (blocks) {
        uint32_t n = blocks < STEP ? blocks : STEP;

        run_step(out, state, n);
        out = (uint8_t *)out + n * CHACHA_BLOCK;
        blocks -= n;
    }
    return true;
}
