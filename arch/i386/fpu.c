/*
 * FPU and SSE state. What the kernel itself does
 * with the registers (vector/) leaves no trace.
 *
 * A thread has a state from its first FPU instruction on: until then CR0.TS is set while it runs,
 * and that instruction traps (#NM). From then on its state is saved when it leaves the CPU and is
 * back when it returns; cpu->fpu_owner is whose state the registers hold, if that thread's fpu_cpu
 * agrees, so that a stay in a thread without FPU (idle) costs no reload. No thread ever runs with
 * TS clear and another's state.
 *
 * Invariant: TS is clear exactly when the current thread uses the FPU; the registers are then its
 * own.
 */
#include "arch/i386/i386.h"
#include "arch/thread.h"
#include "libc/string.h"

#define FCW_DEFAULT       0x37fu
#define MXCSR_DEFAULT     0x1f80u
#define MXCSR_OFFSET      24u
#define MXCSR_MASK_OFFSET 28u
#define MXCSR_MASK_OLD    0xffbfu /* of CPUs that store 0 as their mask */

static bool has_fpu, has_fxsr;
static uint32_t mxcsr_mask = MXCSR_MASK_OLD;
static uint8_t initial_state[FPU_AREA] __attribute__((aligned(16)));

static void clear_ts(void)
{
    __asm__ volatile("clts" : : : "memory");
}

static void set_ts(void)
{
    write_cr0(read_cr0() | CR0_TS);
}

static void save_registers(void *area)
{
    if (has_fxsr)
        __asm__ volatile("fxsave (%0)" : : "r"(area) : "memory");
    else
        __asm__ volatile("fnsave (%0); frstor (%0)" : : "r"(area) : "memory");
}

static void load_registers(const void *area)
{
    if (has_fxsr)
        __asm__ volatile("fxrstor (%0)" : : "r"(area) : "memory");
    else
        __asm__ volatile("fninit; frstor (%0)" : : "r"(area) : "memory"); /* frstor may trap */
}

static bool probe_x87(void)
{
    uint16_t status = 0x5a5a, control = 0;

    clear_ts();
    __asm__ volatile("fninit; fnstsw %0; fnstcw %1" : "+m"(status), "+m"(control));
    return status == 0 && (control & 0x103f) == 0x3f;
}

static void make_initial_state(void)
{
    if (!has_fxsr) {
        __asm__ volatile("fninit; fnsave (%0)" : : "r"(initial_state) : "memory");
        return;
    }
    __asm__ volatile("fninit; fxsave (%0)" : : "r"(initial_state) : "memory");
    memcpy(&mxcsr_mask, initial_state + MXCSR_MASK_OFFSET, 4);
    if (mxcsr_mask == 0)
        mxcsr_mask = MXCSR_MASK_OLD;
    memset(initial_state, 0, sizeof(initial_state));
    memcpy(initial_state, &(uint16_t){FCW_DEFAULT}, 2);
    memcpy(initial_state + MXCSR_OFFSET, &(uint32_t){MXCSR_DEFAULT}, 4);
}

void fpu_init(void)
{
    has_fpu = probe_x87();
    has_fxsr = has_fpu && (cpu_features & CPU_FXSR);
    if (has_fpu)
        make_initial_state();
    set_ts();
}

void fpu_init_further(void)
{
    if (has_fpu) {
        clear_ts();
        __asm__ volatile("fninit");
    }
    set_ts();
}

bool fpu_has_fxsr(void)
{
    return has_fxsr;
}

/* c's registers hold t's state, and no other processor's do. */
static void own_registers(struct cpu *c, struct arch_thread *t)
{
    c->fpu_owner = t;
    t->fpu_cpu = c;
}

void fpu_switch(struct arch_thread *prev, struct arch_thread *next)
{
    struct cpu *c = cpu_self();

    if (prev->uses_fpu)
        save_registers(prev->fpu_area);
    if (!next->uses_fpu) {
        if (prev->uses_fpu)
            set_ts();
        return;
    }
    if (!prev->uses_fpu)
        clear_ts();
    if (c->fpu_owner != next || next->fpu_cpu != c) {
        load_registers(next->fpu_area);
        own_registers(c, next);
    }
}

/* Gives the current thread the initial state, in the registers too. */
static void start_using(struct arch_thread *t)
{
    uint32_t flags;

    memcpy(t->fpu_area, initial_state, FPU_AREA);
    flags = irq_save();
    t->uses_fpu = true;
    clear_ts();
    load_registers(t->fpu_area);
    own_registers(cpu_self(), t);
    irq_restore(flags);
}

/* #NM of a program: its first FPU instruction. */
bool fpu_not_available(void)
{
    if (has_fpu)
        start_using(cpu_self()->current);
    return has_fpu;
}

void fpu_fork(struct arch_thread *parent, struct arch_thread *child)
{
    uint32_t flags;

    if (!parent->uses_fpu)
        return;
    flags = irq_save();
    if (parent == cpu_self()->current)
        save_registers(parent->fpu_area);
    irq_restore(flags);
    memcpy(child->fpu_area, parent->fpu_area, FPU_AREA);
    child->uses_fpu = true;
}

void fpu_drop(struct arch_thread *t)
{
    struct cpu *c = cpu_self();
    uint32_t flags = irq_save();

    t->fpu_cpu = NULL;
    if (t->uses_fpu && t == c->current)
        set_ts();
    t->uses_fpu = false;
    irq_restore(flags);
}

const void *fpu_save(void)
{
    struct arch_thread *t = cpu_self()->current;
    uint32_t flags;

    if (!t->uses_fpu)
        return NULL;
    flags = irq_save();
    save_registers(t->fpu_area);
    irq_restore(flags);
    return t->fpu_area;
}

void fpu_load(void *area)
{
    struct arch_thread *t = cpu_self()->current;
    uint32_t mxcsr, flags;

    if (!has_fpu)
        return;
    if (!t->uses_fpu)
        start_using(t);
    flags = irq_save();
    if (has_fxsr) {
        memcpy(&mxcsr, (uint8_t *)area + MXCSR_OFFSET, 4);
        mxcsr &= mxcsr_mask;
        memcpy((uint8_t *)area + MXCSR_OFFSET, &mxcsr, 4);
    }
    load_registers(area);
    irq_restore(flags);
}

void fpu_peek(const struct arch_thread *t, void *area)
{
    memcpy(area, t->uses_fpu ? t->fpu_area : initial_state, FPU_AREA);
}

void fpu_poke(struct arch_thread *t, const void *area)
{
    uint32_t mxcsr;

    if (!has_fpu)
        return;
    memcpy(t->fpu_area, area, FPU_AREA);
    if (has_fxsr) {
        memcpy(&mxcsr, (uint8_t *)t->fpu_area + MXCSR_OFFSET, 4);
        mxcsr &= mxcsr_mask;
        memcpy((uint8_t *)t->fpu_area + MXCSR_OFFSET, &mxcsr, 4);
    }
    t->uses_fpu = true;
    t->fpu_cpu = NULL; /* the registers hold what was */
}

uint32_t fpu_mxcsr_mask(void)
{
    return mxcsr_mask;
}

#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7

static int code_of(uint32_t unmasked)
{
    if (unmasked & 0x01)
        return FPE_FLTINV;
    if (unmasked & 0x04)
        return FPE_FLTDIV;
    if (unmasked & 0x08)
        return FPE_FLTOVF;
    if (unmasked & 0x12)
        return FPE_FLTUND; /* denormal operands too, as on Linux */
    return unmasked & 0x20 ? FPE_FLTRES : 0;
}

int fpu_error_code(bool simd)
{
    if (simd) {
        uint32_t mxcsr;
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
        return code_of(mxcsr & ~(mxcsr >> 7) & 0x3f);
    }
    uint16_t status, control;
    __asm__ volatile("fnstsw %0; fnstcw %1" : "=m"(status), "=m"(control));
    return code_of(status & ~control & 0x3f);
}
