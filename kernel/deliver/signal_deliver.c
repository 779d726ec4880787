/*
 * Delivery, on the way to user mode: default actions, handler frames, system call restart.
 *
 * A system call that a signal interrupts returns one of the internal ERESTART errors, which never
 * reach the program: they become -EINTR, or the call starts again when the program goes on.
 */
#include "kernel/debug/fault_report.h"
#include "kernel/deliver/rseq.h"
#include "kernel/dump/dump.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"

#define NR_RESTART_SYSCALL 0
#define INT80_SIZE         2

/* ---- Default actions ---- */

/* Whether signo, just taken, is the consequence of what the program itself just did: sent by
 * kernel/deliver/trap.c, not by anybody who says so. */
static bool is_own_fault(const struct thread *t, int signo, const struct siginfo *info)
{
    return t->sig.trap_signo == signo && info->code > 0;
}

/* init gets no signal that it has no handler for, but those of its own faults. */
static bool is_protected(const struct thread *t, int signo, const struct siginfo *info)
{
    return t->proc == init_proc && !is_own_fault(t, signo, info);
}

/* [handlers->lock held] From here on t is in the handler; the mask to come back to goes to *old. */
static void take_handler(struct thread *t, struct signal_handler *a, int signo,
                         struct signal_handler *h, sigset64_t *old)
{
    sigset64_t mask = t->sig.mask | a->mask;

    *h = *a;
    if (a->flags & SA_RESETHAND)
        a->handler = SIG_DFL;
    if (!(a->flags & SA_NODEFER))
        mask |= SIGMASK(signo);
    *old = t->sig.restore_mask ? t->sig.saved_mask : t->sig.mask;
    t->sig.restore_mask = false;
    signal_change_mask(t, mask);
}

/*
 * [handlers->lock held, dropped at times] What concerns the whole process comes first: its end, its
 * stop, SIGKILL. Then the next signal that t takes, or 0.
 */
static int next_signal(struct thread *t, struct siginfo *info)
{
    struct proc *p = t->proc;
    int signo;

    for (;;) {
        if (p->sig.group_exit) {
            spin_unlock(&p->handlers->lock);
            thread_exit();
        }
        if (p->sig.cont_notify)
            signal_report_continued(p);
        if ((p->sig.queue.pending | t->sig.queue.pending) & SIGMASK(SIGKILL))
            return SIGKILL;
        if (signal_stop_wanted(t)) {
            signal_stop_current(t);
            continue;
        }
        if (ptrace_wants_trap(t)) {
            ptrace_trap(t);
            continue;
        }
        signo = signal_dequeue(t, ~t->sig.mask, info);
        if (!signo || !t->trace)
            return signo;
        signo = ptrace_signal(t, signo, info);
        if (signo)
            return signo;
    }
}

/* [handlers->lock held] Whether a signal without a handler ends the process; stops it if that is
 * the action. */
static bool is_fatal(struct thread *t, int signo, uint32_t handler, const struct siginfo *info)
{
    if (signo == SIGKILL)
        return true;
    if (handler == SIG_IGN || (SIGMASK(signo) & SIGS_IGNORED) || is_protected(t, signo, info))
        return false;
    if (!(SIGMASK(signo) & SIGS_STOP))
        return true;
    signal_start_stop(t, signo);
    return false;
}

/*
 * Takes signals until one has a handler, which is copied to *h and whose mask is set; returns its
 * number, or 0 when nothing is left. Ends the thread where that is the action.
 */
static int next_handled(struct thread *t, const struct trapframe *tf, struct siginfo *info,
                        struct signal_handler *h, sigset64_t *old)
{
    struct signal_handlers *handlers = t->proc->handlers;
    struct signal_handler *a;
    int signo;

    spin_lock(&handlers->lock);
    while ((signo = next_signal(t, info)) != 0) {
        a = &handlers->action[signo - 1];
        if (a->handler > SIG_IGN) {
            take_handler(t, a, signo, h, old);
            t->sig.trap_signo = 0;
            break;
        }
        if (is_fatal(t, signo, a->handler, info)) {
            spin_unlock(&handlers->lock);
            if (is_own_fault(t, signo, info))
                report_fatal_fault(t, tf, signo);
            else if (SIGMASK(signo) & SIGS_SYNCHRONOUS)
                report_sent_fault(t, signo, info);
            proc_exit(core_wanted(signo) ? core_dump(signo, info) : signo);
        }
    }
    if (!signo)
        signal_recalc(t);
    spin_unlock(&handlers->lock);
    return signo;
}

/* ---- Restart ---- */

static bool from_syscall(const struct trapframe *tf)
{
    return (int32_t)tf->orig_eax >= 0;
}

static void restart(struct trapframe *tf, uint32_t number)
{
    tf->eax = number;
    tf->eip -= INT80_SIZE;
    tf->orig_eax = (uint32_t)-1;
}

static void restart_before_handler(struct trapframe *tf, const struct signal_handler *h)
{
    switch (-(int32_t)tf->eax) {
    case ERESTARTSYS:
        if (!(h->flags & SA_RESTART)) {
            tf->eax = (uint32_t)-EINTR;
            break;
        }
        /* fall through */
    case ERESTARTNOINTR:
        restart(tf, tf->orig_eax);
        break;
    case ERESTARTNOHAND:
    case ERESTART_RESTARTBLOCK:
        tf->eax = (uint32_t)-EINTR;
        break;
    }
}

static void restart_without_handler(struct trapframe *tf)
{
    switch (-(int32_t)tf->eax) {
    case ERESTARTSYS:
    case ERESTARTNOINTR:
    case ERESTARTNOHAND:
        restart(tf, tf->orig_eax);
        break;
    case ERESTART_RESTARTBLOCK:
        restart(tf, NR_RESTART_SYSCALL);
        break;
    }
}

long sys_restart_syscall(void)
{
    struct thread *t = thread_current();
    long (*fn)(struct thread *) = t->sig.restart_fn;

    t->sig.restart_fn = NULL;
    return fn ? fn(t) : -EINTR;
}

/* ---- Delivery ---- */

/* The handler is not entered after all. */
static void frame_failed(struct thread *t, int signo, sigset64_t old_mask)
{
    struct siginfo info = {.code = SI_KERNEL};

    signal_set_mask(old_mask);
    if (signo == SIGSEGV) {
        spin_lock(&t->proc->handlers->lock);
        t->proc->handlers->action[SIGSEGV - 1].handler = SIG_DFL;
        spin_unlock(&t->proc->handlers->lock);
    }
    signal_force_current(SIGSEGV, &info);
}

void signal_deliver(struct trapframe *tf)
{
    struct thread *t = thread_current();
    struct signal_handler h;
    struct siginfo info;
    sigset64_t old_mask;
    bool stepping;
    int signo;

    if (t->rseq_interrupted)
        rseq_interrupted(tf);
    while (t->arch.work && (signo = next_handled(t, tf, &info, &h, &old_mask)) != 0) {
        if (from_syscall(tf))
            restart_before_handler(tf, &h);
        if (t->rseq)
            rseq_interrupted(tf);
        stepping = ptrace_end_step();
        if (sigframe_setup(tf, &h, &info, old_mask))
            frame_failed(t, signo, old_mask);
        else if (stepping)
            ptrace_handler_entered();
    }
    if (from_syscall(tf))
        restart_without_handler(tf);
    signal_restore_mask();
}
