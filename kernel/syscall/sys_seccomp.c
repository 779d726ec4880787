/*
 * What becomes of a call that seccomp does not just allow. The verdicts are kernel/seccomp's.
 */
#include "arch/trap.h"
#include "arch/uaccess.h"
#include "kernel/base/log.h"
#include "kernel/dump/dump.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/seccomp/seccomp.h"
#include "kernel/syscall/syscall.h"
#include "libc/errno.h"

#define SYS_SECCOMP 1 /* si_code of SIGSYS */
#define MAX_ERRNO   4095

/* As if the call had not been made yet. */
static void take_back(struct trapframe *tf)
{
    tf->eax = tf->orig_eax;
}

static struct siginfo sigsys(const struct trapframe *tf, uint32_t data)
{
    return (struct siginfo){.signo = SIGSYS,
                            .code = SYS_SECCOMP,
                            .err = (int32_t)data,
                            .addr = tf->eip,
                            .uid = (int32_t)tf->orig_eax, /* lie where si_syscall and */
                            .value = SECCOMP_ARCH};       /* si_arch do */
}

static void note(const struct trapframe *tf, const char *what)
{
    const struct proc *p = proc_current();

    klog(LOG_INFO, "seccomp: pid %d %s: system call %d at 0x%x: %s\n", p->pid, p->comm,
         (int)tf->orig_eax, (unsigned)tf->eip, what);
}

static _Noreturn void kill(struct trapframe *tf, uint32_t verdict)
{
    struct thread *t = thread_current();
    bool strict = t->seccomp == SECCOMP_STRICT;
    struct siginfo info = sigsys(tf, SECCOMP_DATA(verdict));

    t->seccomp = SECCOMP_DEAD;
    note(tf, "killed");
    if (strict)
        thread_end(SIGKILL);
    if (SECCOMP_ACTION(verdict) == SECCOMP_RET_KILL_THREAD && t->proc->nthreads > 1)
        thread_end(SIGSYS);
    take_back(tf);
    proc_exit(core_dump(SIGSYS, &info));
}

/* The tracer may change the call, or skip it; what it becomes is judged anew, but not told again.
 */
static bool ask_tracer(struct trapframe *tf, uint32_t data)
{
    uint32_t verdict;

    tf->eax = (uint32_t)-ENOSYS;
    if (!ptrace_wants_event(PTRACE_EVENT_SECCOMP))
        return false;
    ptrace_event(PTRACE_EVENT_SECCOMP, data);
    if (fatal_signal_pending() || (int32_t)tf->orig_eax < 0)
        return false;
    verdict = seccomp_judge(tf);
    return SECCOMP_ACTION(verdict) == SECCOMP_RET_TRACE || seccomp_act(tf, verdict);
}

bool seccomp_act(struct trapframe *tf, uint32_t verdict)
{
    uint32_t data = SECCOMP_DATA(verdict);
    struct siginfo info;

    switch (SECCOMP_ACTION(verdict)) {
    case SECCOMP_RET_ALLOW:
        return true;
    case SECCOMP_RET_LOG:
        note(tf, "allowed");
        return true;
    case SECCOMP_RET_TRACE:
        return ask_tracer(tf, data);
    case SECCOMP_RET_ERRNO:
        tf->eax = -(data < MAX_ERRNO ? data : MAX_ERRNO);
        return false;
    case SECCOMP_RET_TRAP:
        take_back(tf);
        info = sigsys(tf, data);
        signal_force_current(SIGSYS, &info);
        return false;
    case SECCOMP_RET_USER_NOTIF: /* nobody listens */
        tf->eax = (uint32_t)-ENOSYS;
        return false;
    default:
        kill(tf, verdict);
    }
}

/* ---- The calls ---- */

enum { SET_MODE_STRICT, SET_MODE_FILTER, GET_ACTION_AVAIL };

static long action_avail(uint32_t flags, const void __user *uaction)
{
    uint32_t action;

    if (flags)
        return -EINVAL;
    if (copy_from_user(&action, uaction, sizeof(action)))
        return -EFAULT;
    switch (action) {
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_ALLOW:
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

long sys_seccomp(uint32_t operation, uint32_t flags, void __user *uargs)
{
    switch (operation) {
    case SET_MODE_STRICT:
        return flags || uargs ? -EINVAL : seccomp_set_strict();
    case SET_MODE_FILTER:
        return seccomp_set_filter(flags, uargs);
    case GET_ACTION_AVAIL:
        return action_avail(flags, uargs);
    default:
        return -EINVAL;
    }
}

/* prctl(PR_SET_SECCOMP) */
long seccomp_prctl(uint32_t mode, const void __user *uprogram)
{
    switch (mode) {
    case SECCOMP_STRICT:
        return seccomp_set_strict();
    case SECCOMP_FILTER:
        return seccomp_set_filter(0, uprogram);
    default:
        return -EINVAL;
    }
}
