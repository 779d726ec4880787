/*
 * The registers of a tracee by their place in struct user, the trap flag, and the debug registers.
 *
 * A tracer is not trusted: what it stores reaches user mode through the processor's own checks.
 * Selectors must be a user's (one that cannot be loaded faults, or becomes the null selector), of
 * the flags only those count that user mode may set itself, and watchpoints lie in user memory.
 */
#include "kernel/ptrace/ptrace.h"
#include "libc/errno.h"

#define DR_STATUS       6
#define DR_CONTROL      7
#define DR7_RESERVED    0xfc00u
#define DR6_FIXED       0xffff0ff0u /* what reads as ones when nothing has happened */
#define HARDWARE_WORDS  2           /* trapno and err, which struct user does not have */
#define BEFORE_HARDWARE 12          /* registers that lie before them */

enum { /* places in struct user_regs_struct, man 2 ptrace and <sys/user.h> */
       REG_DS = 7,
       REG_ES,
       REG_FS,
       REG_GS,
       REG_CS = 13,
       REG_FLAGS,
       REG_SS = 16,
};

static uint32_t *place(const struct tracee *x, unsigned n)
{
    return (uint32_t *)x->thread->arch.tf + n + (n < BEFORE_HARDWARE ? 0 : HARDWARE_WORDS);
}

static bool is_selector(unsigned n)
{
    return (n >= REG_DS && n <= REG_GS) || n == REG_CS || n == REG_SS;
}

uint32_t ptrace_get_register(const struct tracee *x, unsigned n)
{
    uint32_t value = *place(x, n);

    if (is_selector(n))
        return value & 0xffff;
    if (n == REG_FLAGS && x->forced_step)
        return value & ~EFLAGS_TF;
    return value;
}

static int put_selector(struct tracee *x, unsigned n, uint32_t value)
{
    value &= 0xffff;
    if (value && (value & 3) != 3)
        return -EIO;
    if (!value && (n == REG_CS || n == REG_SS))
        return -EIO;
    *place(x, n) = value;
    return 0;
}

static void put_flags(struct tracee *x, uint32_t value)
{
    uint32_t *flags = place(x, REG_FLAGS);

    if (value & EFLAGS_TF)
        x->forced_step = false;
    else if (x->forced_step)
        value |= EFLAGS_TF;
    *flags = (*flags & ~EFLAGS_USER) | (value & EFLAGS_USER);
}

int ptrace_put_register(struct tracee *x, unsigned n, uint32_t value)
{
    if (is_selector(n))
        return put_selector(x, n, value);
    if (n == REG_FLAGS)
        put_flags(x, value);
    else
        *place(x, n) = value;
    return 0;
}

void ptrace_set_step(struct tracee *x, bool on)
{
    uint32_t *flags = place(x, REG_FLAGS);

    if (on && !(*flags & EFLAGS_TF)) {
        *flags |= EFLAGS_TF;
        x->forced_step = true;
    } else if (!on && x->forced_step) {
        *flags &= ~EFLAGS_TF;
        x->forced_step = false;
    }
}

/* ---- Debug registers ---- */

static uint32_t get_debug(const struct tracee *x, unsigned n)
{
    if (n < 4)
        return x->debug.address[n];
    if (n == DR_STATUS)
        return x->thread->arch.debug_status ^ DR6_FIXED;
    return n == DR_CONTROL ? x->debug.control : 0;
}

static int put_points(struct tracee *x, const struct debug_registers *d)
{
    if (!debug_registers_valid(d))
        return -EINVAL;
    x->debug = *d;
    x->thread->arch.debug = d->control ? &x->debug : NULL;
    return 0;
}

static int put_debug(struct tracee *x, unsigned n, uint32_t value)
{
    struct debug_registers d = x->debug;

    if (n == DR_STATUS) {
        x->thread->arch.debug_status = value ^ DR6_FIXED;
        return 0;
    }
    if (n < 4) {
        if (value >= USER_TOP)
            return -EINVAL;
        d.address[n] = value;
    } else if (n == DR_CONTROL) {
        d.control = value & ~DR7_RESERVED;
    } else {
        return -EIO;
    }
    return put_points(x, &d);
}

/* ---- struct user ---- */

static bool is_place(uint32_t offset)
{
    return offset % 4 == 0 && offset < USER_AREA_SIZE;
}

long ptrace_peek_user(struct tracee *x, uint32_t offset, uint32_t *value)
{
    *value = 0;
    if (!is_place(offset))
        return -EIO;
    if (offset / 4 < USER_AREA_REGISTERS)
        *value = ptrace_get_register(x, offset / 4);
    else if (offset >= USER_AREA_DEBUG)
        *value = get_debug(x, (offset - USER_AREA_DEBUG) / 4);
    return 0;
}

long ptrace_poke_user(struct tracee *x, uint32_t offset, uint32_t value)
{
    if (!is_place(offset))
        return -EIO;
    if (offset / 4 < USER_AREA_REGISTERS)
        return ptrace_put_register(x, offset / 4, value);
    if (offset >= USER_AREA_DEBUG)
        return put_debug(x, (offset - USER_AREA_DEBUG) / 4, value);
    return -EIO;
}
