/*
 * Builds a handler's frame on the user stack and takes it down again in sigreturn.
 *
 * Nothing in a frame that comes back is trusted: the code and stack selectors must be the user's
 * own, the other ones are made harmless, and of the flags only those that user mode may set itself
 * are taken. A frame that cannot be read or is wrong is a SIGSEGV.
 */
#include "arch/thread.h"
#include "arch/trap.h"
#include "arch/uaccess.h"
#include "kernel/deliver/sigframe.h"
#include "kernel/process/vdso.h"
#include "libc/errno.h"
#include "libc/string.h"

#define FRAME_ALIGN   16u
#define FXSAVE_ALIGN  64u
#define FXSAVE_SIZE   512u
#define FXSAVE_STATUS 2 /* offset of the status word */
#define FSAVE_STATUS  4

#define EFLAGS_DF 0x00400u
#define EFLAGS_RF 0x10000u

/* popl %eax; movl $__NR_sigreturn, %eax; int $0x80 */
static const uint8_t old_retcode[8] = {0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80};
/* movl $__NR_rt_sigreturn, %eax; int $0x80 */
static const uint8_t rt_retcode[8] = {0xb8, 173, 0, 0, 0, 0xcd, 0x80, 0};

/* ---- Floating point ---- */

/* Saves the FPU below *sp; *fpstate is where, or 0 when the thread has no state. */
static __attribute__((noinline)) int fpstate_save(uint32_t *sp, uint32_t *fpstate)
{
    struct user_fpstate_head head;
    const uint8_t *area = fpu_save();
    bool fx = fpu_has_fxsr();

    *fpstate = 0;
    if (!area)
        return 0;
    if (fx) {
        fpu_fxsave_to_fsave(head.fsave, area);
        memcpy(&head.status, area + FXSAVE_STATUS, sizeof(head.status));
        head.magic = FPSTATE_FXSAVE_FOLLOWS;
        *sp = (*sp - FXSAVE_SIZE) & -FXSAVE_ALIGN;
        if (copy_to_user((void __user *)*sp, area, FXSAVE_SIZE))
            return -EFAULT;
    } else {
        memcpy(head.fsave, area, sizeof(head.fsave));
        memcpy(&head.status, area + FSAVE_STATUS, sizeof(head.status));
        head.magic = FPSTATE_FSAVE_ONLY;
        *sp &= -FXSAVE_ALIGN;
    }
    *sp -= sizeof(head);
    *fpstate = *sp;
    return copy_to_user((void __user *)*sp, &head, sizeof(head));
}

/* The x87 part comes from the FSAVE image, which debuggers and programs edit; SSE from FXSAVE. */
static __attribute__((noinline)) int fpstate_restore(uint32_t fpstate)
{
    struct user_fpstate st;

    if (!fpstate) {
        if (thread_current()->arch.uses_fpu)
            fpu_drop(&thread_current()->arch);
        return 0;
    }
    if (copy_from_user(&st, (void __user *)fpstate, fpu_has_fxsr() ? sizeof(st) : sizeof(st.head)))
        return -EFAULT;
    if (fpu_has_fxsr())
        fpu_fsave_to_fxsave(st.fxsave, st.head.fsave);
    fpu_load(fpu_has_fxsr() ? st.fxsave : st.head.fsave);
    return 0;
}

/* ---- Registers ---- */

static void context_save(struct user_sigcontext *sc, const struct trapframe *tf,
                         const struct thread *t, sigset64_t mask)
{
    sc->gs = tf->gs;
    sc->fs = tf->fs;
    sc->es = tf->es;
    sc->ds = tf->ds;
    sc->edi = tf->edi;
    sc->esi = tf->esi;
    sc->ebp = tf->ebp;
    sc->esp = sc->esp_at_signal = tf->esp;
    sc->ebx = tf->ebx;
    sc->edx = tf->edx;
    sc->ecx = tf->ecx;
    sc->eax = tf->eax;
    sc->trapno = t->sig.trap_no;
    sc->err = t->sig.trap_err;
    sc->eip = tf->eip;
    sc->cs = tf->cs;
    sc->eflags = tf->eflags;
    sc->ss = tf->ss;
    sc->oldmask = (uint32_t)mask;
    sc->cr2 = t->sig.trap_addr;
}

/* One that cannot be loaded becomes the null selector, or makes the return fault: entry.asm. */
static uint32_t user_selector(uint32_t sel)
{
    sel &= 0xffff;
    return sel > 3 ? sel | 3 : sel;
}

static void context_restore(struct trapframe *tf, const struct user_sigcontext *sc)
{
    tf->gs = user_selector(sc->gs);
    tf->fs = user_selector(sc->fs);
    tf->es = user_selector(sc->es);
    tf->ds = user_selector(sc->ds);
    tf->edi = sc->edi;
    tf->esi = sc->esi;
    tf->ebp = sc->ebp;
    tf->esp = sc->esp;
    tf->ebx = sc->ebx;
    tf->edx = sc->edx;
    tf->ecx = sc->ecx;
    tf->eax = sc->eax;
    tf->eip = sc->eip;
    tf->cs = (sc->cs & 0xffff) | 3;
    tf->ss = (sc->ss & 0xffff) | 3;
    tf->eflags = (tf->eflags & ~EFLAGS_USER) | (sc->eflags & EFLAGS_USER);
    tf->orig_eax = (uint32_t)-1;
}

/* ---- Building ---- */

/*
 * Where a frame of that size goes, below the FPU state; 0 when there is no room on the alternate
 * stack. At the handler's entry esp + 4 is 16-aligned, as the psABI wants.
 */
static uint32_t frame_place(const struct trapframe *tf, const struct thread *t, uint32_t flags,
                            uint32_t size, uint32_t *fpstate)
{
    uint32_t sp = tf->esp;
    bool on_altstack = altstack_contains(t, sp);

    if ((flags & SA_ONSTACK) && t->sig.altstack_size && !on_altstack) {
        sp = t->sig.altstack + t->sig.altstack_size;
        on_altstack = true;
    }
    if (fpstate_save(&sp, fpstate))
        return 0;
    sp = ((sp - size + 4) & -FRAME_ALIGN) - 4;
    if (on_altstack && !(sp > t->sig.altstack && sp - t->sig.altstack <= t->sig.altstack_size) &&
        t->sig.altstack_size)
        return 0;
    return sp;
}

static void enter_handler(struct trapframe *tf, const struct signal_handler *h, uint32_t frame)
{
    tf->esp = frame;
    tf->eip = h->handler;
    tf->eflags &= ~(EFLAGS_TF | EFLAGS_DF | EFLAGS_RF);
    tf->ds = tf->es = tf->ss = USER_DS;
    tf->cs = USER_CS;
    tf->orig_eax = (uint32_t)-1;
}

/* Where the handler returns to: what the program says, the vDSO's place for it, or the frame's code
 * where there is no vDSO. */
static uint32_t return_address(const struct signal_handler *h, uint32_t place, uint32_t retcode)
{
    uint32_t in_vdso;

    if (h->flags & SA_RESTORER)
        return h->restorer;
    in_vdso = vdso_address(place);
    return in_vdso ? in_vdso : retcode;
}

static __attribute__((noinline)) int setup_rt(struct trapframe *tf, const struct signal_handler *h,
                                              const struct siginfo *info, sigset64_t mask)
{
    struct thread *t = thread_current();
    struct user_rt_sigframe f;
    uint32_t fpstate;
    uint32_t at = frame_place(tf, t, h->flags, sizeof(f), &fpstate);

    if (!at)
        return -EFAULT;
    f.pretcode =
        return_address(h, vdso_rt_sigreturn, at + offsetof(struct user_rt_sigframe, retcode));
    f.sig = info->signo;
    f.pinfo = at + offsetof(struct user_rt_sigframe, info);
    f.puc = at + offsetof(struct user_rt_sigframe, uc);
    siginfo_to_user_layout(&f.info, info);
    f.uc.flags = f.uc.link = 0;
    altstack_describe(t, tf->esp, &f.uc.stack);
    context_save(&f.uc.mcontext, tf, t, mask);
    f.uc.mcontext.fpstate = fpstate;
    f.uc.sigmask[0] = (uint32_t)mask;
    f.uc.sigmask[1] = (uint32_t)(mask >> 32);
    memcpy(f.retcode, rt_retcode, sizeof(f.retcode));
    if (copy_to_user((void __user *)at, &f, sizeof(f)))
        return -EFAULT;
    if (t->sig.altstack_flags & SS_AUTODISARM)
        t->sig.altstack_size = t->sig.altstack_flags = 0;
    enter_handler(tf, h, at);
    tf->eax = (uint32_t)info->signo;
    tf->edx = f.pinfo;
    tf->ecx = f.puc;
    return 0;
}

static __attribute__((noinline)) int setup_old(struct trapframe *tf, const struct signal_handler *h,
                                               int signo, sigset64_t mask)
{
    struct thread *t = thread_current();
    struct { /* the frame but for its unused middle */
        uint32_t pretcode;
        int32_t sig;
        struct user_sigcontext sc;
    } head;
    struct {
        uint32_t extramask;
        uint8_t retcode[8];
    } tail;
    uint32_t at = frame_place(tf, t, h->flags, sizeof(struct user_sigframe), &head.sc.fpstate);
    const uint32_t tail_at = at + offsetof(struct user_sigframe, extramask);

    if (!at)
        return -EFAULT;
    head.pretcode = return_address(h, vdso_sigreturn, at + offsetof(struct user_sigframe, retcode));
    head.sig = signo;
    context_save(&head.sc, tf, t, mask);
    tail.extramask = (uint32_t)(mask >> 32);
    memcpy(tail.retcode, old_retcode, sizeof(tail.retcode));
    if (copy_to_user((void __user *)at, &head, sizeof(head)) ||
        copy_to_user((void __user *)tail_at, &tail, sizeof(tail)))
        return -EFAULT;
    enter_handler(tf, h, at);
    tf->eax = (uint32_t)signo;
    tf->edx = tf->ecx = 0;
    return 0;
}

int sigframe_setup(struct trapframe *tf, const struct signal_handler *h, const struct siginfo *info,
                   sigset64_t old_mask)
{
    if (h->flags & SA_SIGINFO)
        return setup_rt(tf, h, info, old_mask);
    return setup_old(tf, h, info->signo, old_mask);
}

/* ---- Taking down ---- */

static long bad_frame(void)
{
    signal_force_current(SIGSEGV, NULL);
    return 0;
}

/* The value returned becomes eax: that of the interrupted code. */
static long leave_handler(struct trapframe *tf, const struct user_sigcontext *sc, sigset64_t mask)
{
    context_restore(tf, sc);
    if (fpstate_restore(sc->fpstate))
        return bad_frame();
    thread_current()->sig.restart_fn = NULL;
    signal_set_mask(mask);
    return (long)tf->eax;
}

/* esp is just past the popped return address and argument. */
long sys_sigreturn(void)
{
    struct trapframe *tf = thread_current()->arch.tf;
    uint32_t at = tf->esp - 8, extramask;
    struct user_sigcontext sc;

    if (copy_from_user(&sc, (void __user *)(at + offsetof(struct user_sigframe, sc)), sizeof(sc)) ||
        get_user_u32(&extramask, (void __user *)(at + offsetof(struct user_sigframe, extramask))))
        return bad_frame();
    return leave_handler(tf, &sc, sc.oldmask | (uint64_t)extramask << 32);
}

long sys_rt_sigreturn(void)
{
    struct thread *t = thread_current();
    uint32_t at = t->arch.tf->esp - 4;
    struct user_ucontext uc;
    long ret;

    if (copy_from_user(&uc, (void __user *)(at + offsetof(struct user_rt_sigframe, uc)),
                       sizeof(uc)))
        return bad_frame();
    ret = leave_handler(t->arch.tf, &uc.mcontext, uc.sigmask[0] | (uint64_t)uc.sigmask[1] << 32);
    altstack_set(t, t->arch.tf->esp, &uc.stack);
    return ret;
}
