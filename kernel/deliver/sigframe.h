/*
 * Linux i386's signal frames as they lie on the user stack. Programs read and change them: the
 * layout is ABI (arch/x86's sigcontext_32, ucontext and fpstate_32).
 */
#ifndef KERNEL_SIGFRAME_H
#define KERNEL_SIGFRAME_H

#include <stdint.h>
#include "kernel/signal/signal_impl.h"

struct user_sigcontext {
    uint32_t gs, fs, es, ds; /* selectors, upper halves zero */
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t trapno, err, eip, cs, eflags, esp_at_signal, ss;
    uint32_t fpstate; /* address of a struct user_fpstate, or 0 */
    uint32_t oldmask; /* signals 1 to 32 */
    uint32_t cr2;
};

#define FPSTATE_FXSAVE_FOLLOWS 0 /* magic */
#define FPSTATE_FSAVE_ONLY     0xffff
struct user_fpstate_head {
    uint8_t fsave[108];
    uint16_t status, magic;
};
struct user_fpstate {
    struct user_fpstate_head head;
    uint8_t fxsave[512] __attribute__((aligned(16)));
};

struct user_stack { /* stack_t */
    uint32_t sp;
    uint32_t flags;
    uint32_t size;
};

struct user_ucontext {
    uint32_t flags, link;
    struct user_stack stack;
    struct user_sigcontext mcontext;
    uint32_t sigmask[2];
};

struct user_sigframe {
    uint32_t pretcode; /* the handler's return address */
    int32_t sig;       /* its argument */
    struct user_sigcontext sc;
    uint8_t fpstate_unused[624];
    uint32_t extramask; /* signals 33 to 64 */
    uint8_t retcode[8];
};

struct user_rt_sigframe {
    uint32_t pretcode;
    int32_t sig;
    uint32_t pinfo, puc;
    struct user_siginfo info;
    struct user_ucontext uc;
    uint8_t retcode[8];
};

_Static_assert(sizeof(struct user_sigcontext) == 88, "sigcontext");
_Static_assert(sizeof(struct user_fpstate) == 624, "fpstate");
_Static_assert(sizeof(struct user_ucontext) == 116, "ucontext");
_Static_assert(sizeof(struct user_sigframe) == 732, "sigframe");
_Static_assert(sizeof(struct user_rt_sigframe) == 268, "rt_sigframe");

/* kernel/deliver/sigaltstack.c */
bool altstack_contains(const struct thread *t, uint32_t sp);
void altstack_describe(const struct thread *t, uint32_t sp, struct user_stack *out);
int altstack_set(struct thread *t, uint32_t sp, const struct user_stack *in);

#endif
