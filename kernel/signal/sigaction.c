/*
 * System calls on handlers and masks, in their old (32 signals) and real-time (64) forms.
 */
#include "arch/uaccess.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"
#include "libc/string.h"

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SA_KNOWN                                                                                   \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART |            \
     SA_NODEFER | SA_RESETHAND | SA_EXPOSE_TAGBITS)

struct user_sigaction { /* rt_sigaction's */
    uint32_t handler, flags, restorer;
    uint32_t mask[2];
};

struct old_sigaction {
    uint32_t handler, mask, flags, restorer;
};

static sigset64_t join(const uint32_t w[2])
{
    return w[0] | (uint64_t)w[1] << 32;
}

static int sigset_get(sigset64_t *set, void __user *uptr)
{
    uint32_t w[2];

    if (copy_from_user(w, uptr, sizeof(w)))
        return -EFAULT;
    *set = join(w);
    return 0;
}

static int sigset_put(void __user *uptr, sigset64_t set)
{
    uint32_t w[2] = {(uint32_t)set, (uint32_t)(set >> 32)};

    return copy_to_user(uptr, w, sizeof(w));
}

/* ---- Handlers ---- */

/* Exchanges the action; new may be NULL. What is to be ignored is not pending any more. */
static int set_action(int signo, const struct signal_handler *new, struct signal_handler *old)
{
    struct proc *p = proc_current();
    struct signal_handler *a;
    bool ignored;

    if (signo < 1 || signo > NSIG || (new && (SIGMASK(signo) & SIGS_UNMASKABLE)))
        return -EINVAL;
    a = &p->handlers->action[signo - 1];
    spin_lock(&p->handlers->lock);
    *old = *a;
    if (new) {
        *a = *new;
        a->mask &= ~SIGS_UNMASKABLE;
        a->flags &= SA_KNOWN;
        ignored =
            a->handler == SIG_IGN || (a->handler == SIG_DFL && (SIGMASK(signo) & SIGS_IGNORED));
        if (ignored)
            signal_discard(p, SIGMASK(signo));
    }
    spin_unlock(&p->handlers->lock);
    return 0;
}

long sys_rt_sigaction(uint32_t signo, const void __user *uact, void __user *uold, uint32_t size)
{
    struct user_sigaction u;
    struct signal_handler new, old;
    int ret;

    if (size != sizeof(sigset64_t))
        return -EINVAL;
    if (uact) {
        if (copy_from_user(&u, uact, sizeof(u)))
            return -EFAULT;
        new = (struct signal_handler){u.handler, u.flags, u.restorer, join(u.mask)};
    }
    ret = set_action((int)signo, uact ? &new : NULL, &old);
    if (ret || !uold)
        return ret;
    u = (struct user_sigaction){
        old.handler, old.flags, old.restorer, {(uint32_t)old.mask, (uint32_t)(old.mask >> 32)}};
    return copy_to_user(uold, &u, sizeof(u));
}

long sys_sigaction(uint32_t signo, const void __user *uact, void __user *uold)
{
    struct old_sigaction u;
    struct signal_handler new, old;
    int ret;

    if (uact) {
        if (copy_from_user(&u, uact, sizeof(u)))
            return -EFAULT;
        new = (struct signal_handler){u.handler, u.flags, u.restorer, u.mask};
    }
    ret = set_action((int)signo, uact ? &new : NULL, &old);
    if (ret || !uold)
        return ret;
    u = (struct old_sigaction){old.handler, (uint32_t)old.mask, old.flags, old.restorer};
    return copy_to_user(uold, &u, sizeof(u));
}

long sys_signal(uint32_t signo, uint32_t handler)
{
    struct signal_handler new = {.handler = handler, .flags = SA_RESETHAND | SA_NODEFER}, old;
    int ret = set_action((int)signo, &new, &old);

    return ret ? ret : (long)old.handler;
}

/* ---- Masks ---- */

static int change_mask(uint32_t how, sigset64_t set, sigset64_t affected)
{
    sigset64_t mask = thread_current()->sig.mask;

    switch (how) {
    case SIG_BLOCK:
        mask |= set;
        break;
    case SIG_UNBLOCK:
        mask &= ~set;
        break;
    case SIG_SETMASK:
        mask = (mask & ~affected) | set;
        break;
    default:
        return -EINVAL;
    }
    signal_set_mask(mask);
    return 0;
}

long sys_rt_sigprocmask(uint32_t how, void __user *uset, void __user *uold, uint32_t size)
{
    sigset64_t set, old = thread_current()->sig.mask;
    int ret = 0;

    if (size != sizeof(set))
        return -EINVAL;
    if (uset) {
        if (sigset_get(&set, uset))
            return -EFAULT;
        ret = change_mask(how, set, ~0ull);
    }
    return ret || !uold ? ret : sigset_put(uold, old);
}

long sys_sigprocmask(uint32_t how, void __user *uset, void __user *uold)
{
    uint32_t set, old = (uint32_t)thread_current()->sig.mask;
    int ret = 0;

    if (uset) {
        if (get_user_u32(&set, uset))
            return -EFAULT;
        ret = change_mask(how, set, UINT32_MAX);
    }
    return ret || !uold ? ret : put_user_u32(uold, old);
}

long sys_sgetmask(void)
{
    return (long)(uint32_t)thread_current()->sig.mask;
}

long sys_ssetmask(uint32_t mask)
{
    uint32_t old = (uint32_t)thread_current()->sig.mask;

    signal_set_mask(mask);
    return (long)old;
}

static sigset64_t pending_blocked(void)
{
    struct thread *t = thread_current();
    sigset64_t set;

    spin_lock(&t->proc->handlers->lock);
    set = (t->sig.queue.pending | t->proc->sig.queue.pending) & t->sig.mask;
    spin_unlock(&t->proc->handlers->lock);
    return set;
}

long sys_rt_sigpending(void __user *uset, uint32_t size)
{
    sigset64_t set = pending_blocked();

    if (size > sizeof(set))
        return -EINVAL;
    return copy_to_user(uset, &set, size);
}

long sys_sigpending(void __user *uset)
{
    return put_user_u32(uset, (uint32_t)pending_blocked());
}

/* ---- Waiting ---- */

long sys_pause(void)
{
    struct thread *t = thread_current();

    while (!signal_pending_current()) {
        t->state = THREAD_SLEEPING;
        if (signal_pending_current())
            t->state = THREAD_RUNNABLE;
        else
            schedule();
    }
    return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(void __user *uset, uint32_t size)
{
    sigset64_t set;

    if (size != sizeof(set))
        return -EINVAL;
    if (sigset_get(&set, uset))
        return -EFAULT;
    signal_set_temporary_mask(set);
    return sys_pause();
}

long sys_sigsuspend(uint32_t unused1, uint32_t unused2, uint32_t mask)
{
    (void)unused1, (void)unused2;
    signal_set_temporary_mask(mask);
    return sys_pause();
}

/* Takes a signal of set, which may be blocked, or sleeps for one until then. */
static int wait_for(sigset64_t set, uint64_t until, struct siginfo *info)
{
    struct thread *t = thread_current();
    struct spinlock *lock = &t->proc->handlers->lock;
    int signo;

    spin_lock(lock);
    t->sig.waiting = set;
    signo = signal_dequeue(t, set, info);
    signal_recalc(t);
    while (!signo && !t->arch.work && time_mono_ns() < until) {
        t->state = THREAD_SLEEPING;
        spin_unlock(lock);
        schedule_until(until);
        spin_lock(lock);
        signo = signal_dequeue(t, set, info);
    }
    t->sig.waiting = 0;
    signal_recalc(t);
    spin_unlock(lock);
    if (signo)
        return signo;
    return t->arch.work && until ? -EINTR : -EAGAIN;
}

static long sigtimedwait(void __user *uset, void __user *uinfo, void __user *uts, uint32_t size,
                         bool wide)
{
    struct siginfo info;
    struct user_siginfo u;
    sigset64_t set;
    uint64_t ns, until = TIME_NEVER;
    int signo;

    if (size != sizeof(set))
        return -EINVAL;
    if (sigset_get(&set, uset))
        return -EFAULT;
    if (uts) {
        int ret = timespec_get(&ns, uts, wide);

        if (ret)
            return ret;
        until = ns ? time_deadline(ns) : 0;
    }
    signo = wait_for(set & ~SIGS_UNMASKABLE, until, &info);
    if (signo > 0 && uinfo) {
        siginfo_to_user_layout(&u, &info);
        if (copy_to_user(uinfo, &u, sizeof(u)))
            return -EFAULT;
    }
    return signo;
}

long sys_rt_sigtimedwait(void __user *uset, void __user *uinfo, void __user *uts, uint32_t size)
{
    return sigtimedwait(uset, uinfo, uts, size, false);
}

long sys_rt_sigtimedwait_time64(void __user *uset, void __user *uinfo, void __user *uts,
                                uint32_t size)
{
    return sigtimedwait(uset, uinfo, uts, size, true);
}
