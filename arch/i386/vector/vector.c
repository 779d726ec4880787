/*
 * The kernel's own use of SSE and AVX registers: never across a switch, with interrupts off, and
 * with what a program has in them put back. So the rules of fpu.c hold whatever CR0.TS says.
 *
 * Programs have no AVX here, since CR4.OSXSAVE is clear while they run. It is set for as long as
 * the kernel uses AVX2, which leaves the upper halves zero: nobody's state is in them.
 */
#include "arch/chacha.h"
#include "arch/i386/i386.h"
#include "arch/thread.h"

#define XMM_AREA 128 /* xmm0 to xmm7 */
#define STEP     32  /* blocks with interrupts off */
#define XCR0_ALL 7u  /* x87, SSE, AVX */

/* chacha.asm, chacha_avx2.asm */
void chacha_sse2(void *out, uint32_t state[CHACHA_WORDS], uint32_t blocks);
void chacha_avx2(void *out, uint32_t state[CHACHA_WORDS], uint32_t pairs);
void xmm_save(void *area);
void xmm_load(const void *area);

static void xsetbv(uint32_t bits)
{
    __asm__ volatile("xsetbv" : : "a"(bits), "d"(0), "c"(0) : "memory");
}

/* Interrupts are off, the registers are free. */
static void run_pairs(void *out, uint32_t *state, uint32_t pairs)
{
    cpu_window_open(CR4_OSXSAVE);
    xsetbv(XCR0_ALL);
    chacha_avx2(out, state, pairs);
    cpu_window_close(CR4_OSXSAVE);
}

static void run_step(uint8_t *out, uint32_t *state, uint32_t blocks)
{
    uint8_t area[XMM_AREA];
    uint32_t flags = irq_save(), cr0 = read_cr0();
    uint32_t pairs = cpu_has_avx2() ? blocks / 2 : 0;

    __asm__ volatile("clts" : : : "memory");
    xmm_save(area);
    if (pairs)
        run_pairs(out, state, pairs);
    chacha_sse2(out + pairs * 2 * CHACHA_BLOCK, state, blocks - pairs * 2);
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
