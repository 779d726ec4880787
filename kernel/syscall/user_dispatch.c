/*
 * Who takes its own system calls: set by prctl, asked before each of its calls is made.
 */
#include "kernel/syscall/user_dispatch.h"
#include "arch/trap.h"
#include "arch/uaccess.h"
#include "kernel/dump/dump.h"
#include "kernel/process/vdso.h"
#include "kernel/seccomp/seccomp.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/trace.h"
#include "libc/errno.h"

#define PR_SYS_DISPATCH_OFF 0
#define PR_SYS_DISPATCH_ON  1
#define SELECTOR_ALLOW      0 /* what the program's selector may hold */
#define SELECTOR_BLOCK      1
#define SYS_USER_DISPATCH   2 /* si_code of SIGSYS */
#define SIGRETURN_BYTES     8 /* of __kernel_sigreturn: pop, mov, int */
#define RT_SIGRETURN_BYTES  7 /* of __kernel_rt_sigreturn: mov, int */

static uint32_t users; /* [proc_lock] threads that have it on */

static void set(struct thread *t, const struct user_dispatch *wanted)
{
    spin_lock(&proc_lock);
    users += wanted->on;
    users -= t->dispatch.on;
    t->dispatch = *wanted;
    if (users)
        trace_mask |= TRACE_DISPATCH;
    else
        trace_mask &= ~(uint32_t)TRACE_DISPATCH;
    spin_unlock(&proc_lock);
}

long user_dispatch_set(uint32_t mode, uint32_t from, uint32_t len, const void __user *selector)
{
    const struct user_dispatch d = {mode == PR_SYS_DISPATCH_ON, from, len, selector};

    if (mode == PR_SYS_DISPATCH_OFF) {
        if (from || len || selector)
            return -EINVAL;
    } else if (mode != PR_SYS_DISPATCH_ON || (from && from + len <= from)) {
        return -EINVAL;
    } else if (selector && !user_range_ok(selector, 1)) {
        return -EFAULT;
    }
    set(thread_current(), &d);
    return 0;
}

void user_dispatch_clear(struct thread *t)
{
    if (t->dispatch.on)
        set(t, &(struct user_dispatch){0});
}

/* A handler must be able to return, whatever the selector says. */
static bool is_sigreturn(uint32_t eip)
{
    return eip == vdso_address(vdso_sigreturn) + SIGRETURN_BYTES ||
           eip == vdso_address(vdso_rt_sigreturn) + RT_SIGRETURN_BYTES;
}

static _Noreturn void kill(int signo)
{
    const struct siginfo info = {.signo = signo, .code = SI_KERNEL};

    proc_exit(core_dump(signo, &info));
}

/* The call has not been made: the handler finds the registers as they were. */
static void signal_call(struct trapframe *tf)
{
    const struct siginfo info = {.signo = SIGSYS,
                                 .code = SYS_USER_DISPATCH,
                                 .addr = tf->eip,
                                 .uid = (int32_t)tf->orig_eax, /* lie where si_syscall and */
                                 .value = SECCOMP_ARCH};       /* si_arch do */

    tf->eax = tf->orig_eax;
    signal_force_current(SIGSYS, &info);
}

bool user_dispatch_allows(struct trapframe *tf)
{
    const struct user_dispatch *d = &thread_current()->dispatch;
    uint8_t selector = SELECTOR_BLOCK;

    if (tf->eip - d->from < d->len || is_sigreturn(tf->eip))
        return true;
    if (d->selector && copy_from_user(&selector, d->selector, 1))
        kill(SIGSEGV);
    if (selector == SELECTOR_ALLOW)
        return true;
    if (selector != SELECTOR_BLOCK)
        kill(SIGSYS);
    signal_call(tf);
    return false;
}
