/* prctl, personality, arch_prctl: settings of a process. What is not there is -EINVAL. */
#include "arch/uaccess.h"
#include "kernel/process/set_mm.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_dispatch.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/rare.h"
#include "libc/errno.h"
#include "libc/string.h"

enum { /* man 2 prctl */
       PR_SET_PDEATHSIG = 1,
       PR_GET_PDEATHSIG = 2,
       PR_GET_DUMPABLE = 3,
       PR_SET_DUMPABLE = 4,
       PR_GET_TIMING = 13,
       PR_SET_TIMING = 14,
       PR_SET_NAME = 15,
       PR_GET_NAME = 16,
       PR_GET_TSC = 25,
       PR_SET_TSC = 26,
       PR_SET_TIMERSLACK = 29,
       PR_GET_TIMERSLACK = 30,
       PR_SET_CHILD_SUBREAPER = 36,
       PR_GET_CHILD_SUBREAPER = 37,
       PR_SET_NO_NEW_PRIVS = 38,
       PR_GET_NO_NEW_PRIVS = 39,
       PR_GET_TID_ADDRESS = 40,
       PR_GET_SECCOMP = 21,
       PR_SET_SECCOMP = 22,
       PR_TASK_PERF_EVENTS_DISABLE = 31,
       PR_TASK_PERF_EVENTS_ENABLE = 32,
       PR_MCE_KILL = 33,
       PR_MCE_KILL_GET = 34,
       PR_SET_MM = 35,
       PR_SET_THP_DISABLE = 41,
       PR_GET_THP_DISABLE = 42,
       PR_GET_SPECULATION_CTRL = 52,
       PR_SET_SPECULATION_CTRL = 53,
       PR_SET_IO_FLUSHER = 57,
       PR_GET_IO_FLUSHER = 58,
       PR_SET_SYSCALL_USER_DISPATCH = 59,
};
enum { PR_MCE_KILL_CLEAR, PR_MCE_KILL_SET };
enum { PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_L1D_FLUSH };
#define PR_SPEC_ENABLE        2u
#define PR_SPEC_DISABLE       4u
#define PR_SPEC_FORCE_DISABLE 8u
#define PR_TSC_ENABLE         1u
#define PR_TSC_SIGSEGV        2u
#define ARCH_GET_CPUID        0x1011u
#define ARCH_SET_CPUID        0x1012u
#define PERSONALITY_QUERY     0xffffffffu

/* A thread that is not the first has a name of its own once it was given one. */
static char *name_of(struct thread *t, bool set)
{
    if (t->tid == t->proc->pid || (!set && !t->comm[0]))
        return t->proc->comm;
    return t->comm;
}

static long set_name(const char __user *uname)
{
    char name[COMM_LEN] = "";
    int n = strncpy_from_user(name, uname, COMM_LEN - 1);

    if (n == -EFAULT)
        return n;
    memcpy(name_of(thread_current(), true), name, COMM_LEN);
    return 0;
}

static long get_name(void __user *uname)
{
    char name[COMM_LEN];

    memset(name, 0, sizeof(name));
    strlcpy(name, name_of(thread_current(), false), COMM_LEN);
    return copy_to_user(uname, name, COMM_LEN);
}

static long set_dumpable(struct proc *p, uint32_t value)
{
    if (value > DUMPABLE_USER)
        return -EINVAL;
    p->dumpable = (uint8_t)value;
    return 0;
}

static long set_parent_death_signal(struct proc *p, uint32_t signo)
{
    if (signo > NSIG)
        return -EINVAL;
    p->parent_death_signal = (uint8_t)signo;
    return 0;
}

static long set_subreaper(struct proc *p, uint32_t value)
{
    spin_lock(&proc_lock);
    p->subreaper = value != 0;
    spin_unlock(&proc_lock);
    return 0;
}

/* 0 stands for what the first process has. */
static long slack_of(uint32_t ns)
{
    return ns ? (long)ns : (long)TIMER_SLACK_NS;
}

/* 0: what it had from its creator. */
static long set_timer_slack(struct thread *t, uint32_t ns)
{
    t->timer_slack = ns ? ns : t->default_slack;
    return 0;
}

static long set_no_new_privs(struct proc *p, uint32_t value, uint32_t rest)
{
    if (value != 1 || rest)
        return -EINVAL;
    p->no_new_privs = true;
    return 0;
}

/* ---- What is asked of a processor or a memory that there is not: kept, or refused as by one
 * without it ---- */

#define PR_MCE_KILL_DEFAULT 2u

/* Kept as what is missing to the usual one, which is 0. */
static long set_mce_policy(struct thread *t, uint32_t what, uint32_t policy)
{
    if (what == PR_MCE_KILL_CLEAR && !policy) {
        t->mce_policy = 0;
        return 0;
    }
    if (what != PR_MCE_KILL_SET)
        return -EINVAL;
    if (policy <= PR_MCE_KILL_DEFAULT) {
        t->mce_policy = (uint8_t)(PR_MCE_KILL_DEFAULT - policy);
        return 0;
    }
    if (!t->mce_policy) /* as on Linux: it has one of its own from then on */
        t->mce_policy = PR_MCE_KILL_DEFAULT;
    return -EINVAL;
}

static long set_io_flusher(struct thread *t, uint32_t on, uint32_t rest)
{
    if (!capable(CAP_SYS_RESOURCE))
        return -EPERM;
    if (on > 1 || rest)
        return -EINVAL;
    t->io_flusher = on;
    return 0;
}

/* Speculation is as the processor has it. */
static long speculation(uint32_t which)
{
    switch (which) {
    case PR_SPEC_STORE_BYPASS:
    case PR_SPEC_INDIRECT_BRANCH:
        return PR_SPEC_ENABLE;
    case PR_SPEC_L1D_FLUSH:
        return PR_SPEC_FORCE_DISABLE;
    default:
        return -ENODEV;
    }
}

static long set_speculation(uint32_t which, uint32_t wanted)
{
    if (which == PR_SPEC_STORE_BYPASS)
        return -ENXIO;
    if (which == PR_SPEC_L1D_FLUSH)
        return -EPERM;
    if (which != PR_SPEC_INDIRECT_BRANCH)
        return -ENODEV;
    if (wanted == PR_SPEC_ENABLE)
        return 0;
    return wanted == PR_SPEC_DISABLE || wanted == PR_SPEC_FORCE_DISABLE ? -EPERM : -ERANGE;
}

static long machine_prctl(uint32_t option, uint32_t a2, uint32_t a3, uint32_t a4, uint32_t a5)
{
    struct thread *t = thread_current();

    switch (option) {
    case PR_TASK_PERF_EVENTS_DISABLE:
    case PR_TASK_PERF_EVENTS_ENABLE:
        return 0;
    case PR_MCE_KILL:
        return a4 | a5 ? -EINVAL : set_mce_policy(t, a2, a3);
    case PR_MCE_KILL_GET:
        return a2 | a3 | a4 | a5 ? -EINVAL : (long)PR_MCE_KILL_DEFAULT - t->mce_policy;
    case PR_SET_MM:
        return a5 ? -EINVAL : set_mm(a2, a3, a4);
    case PR_SET_THP_DISABLE:
        if (a3 | a4 | a5)
            return -EINVAL;
        t->proc->thp_disabled = a2 != 0;
        return 0;
    case PR_GET_THP_DISABLE:
        return a2 | a3 | a4 | a5 ? -EINVAL : t->proc->thp_disabled;
    case PR_GET_SPECULATION_CTRL:
        return a3 | a4 | a5 ? -EINVAL : speculation(a2);
    case PR_SET_SPECULATION_CTRL:
        return a4 | a5 ? -EINVAL : set_speculation(a2, a3);
    case PR_SET_IO_FLUSHER:
        return set_io_flusher(t, a2, a3 | a4 | a5);
    case PR_GET_IO_FLUSHER:
        if (!capable(CAP_SYS_RESOURCE))
            return -EPERM;
        return a2 | a3 | a4 | a5 ? -EINVAL : t->io_flusher;
    default:
        return cred_prctl(option, a2, a3, a4, a5);
    }
}

long sys_prctl(uint32_t option, uint32_t a2, uint32_t a3, uint32_t a4, uint32_t a5)
{
    struct proc *p = proc_current();

    switch (option) {
    case PR_SET_PDEATHSIG:
        return set_parent_death_signal(p, a2);
    case PR_GET_PDEATHSIG:
        return put_user_u32((void __user *)a2, p->parent_death_signal);
    case PR_GET_DUMPABLE:
        return p->dumpable;
    case PR_SET_DUMPABLE:
        return set_dumpable(p, a2);
    case PR_GET_SECCOMP:
        return thread_current()->seccomp;
    case PR_SET_SECCOMP:
        return seccomp_prctl(a2, (const void __user *)a3);
    case PR_SET_SYSCALL_USER_DISPATCH:
        return user_dispatch_set(a2, a3, a4, (const void __user *)a5);
    case PR_GET_TIMING:
        return 0;
    case PR_SET_TIMING:
        return a2 ? -EINVAL : 0;
    case PR_SET_NAME:
        return set_name((const char __user *)a2);
    case PR_GET_NAME:
        return get_name((void __user *)a2);
    case PR_GET_TSC:
        return put_user_u32((void __user *)a2, rare_tsc_allowed() ? PR_TSC_ENABLE : PR_TSC_SIGSEGV);
    case PR_SET_TSC:
        return a2 == PR_TSC_ENABLE || a2 == PR_TSC_SIGSEGV ? rare_set_tsc(a2 == PR_TSC_ENABLE)
                                                           : -EINVAL;
    case PR_SET_TIMERSLACK:
        return set_timer_slack(thread_current(), a2);
    case PR_GET_TIMERSLACK:
        return slack_of(thread_current()->timer_slack);
    case PR_SET_CHILD_SUBREAPER:
        return set_subreaper(p, a2);
    case PR_GET_CHILD_SUBREAPER:
        return put_user_u32((void __user *)a2, p->subreaper);
    case PR_SET_NO_NEW_PRIVS:
        return set_no_new_privs(p, a2, a3 | a4 | a5);
    case PR_GET_NO_NEW_PRIVS:
        return a2 | a3 | a4 | a5 ? -EINVAL : p->no_new_privs;
    case PR_GET_TID_ADDRESS:
        return put_user_u32((void __user *)a2, (vaddr_t)thread_current()->clear_child_tid);
    default:
        return machine_prctl(option, a2, a3, a4, a5);
    }
}

/* There is one execution domain; the flags are kept for whoever asks. */
long sys_personality(uint32_t persona)
{
    struct proc *p = proc_current();
    uint32_t old = p->personality;

    if (persona != PERSONALITY_QUERY)
        p->personality = persona;
    return (long)old;
}

/* glibc asks for shadow stacks at the start of every program: there are none. CPUID is always
 * allowed: the processors that could forbid it are not asked to. */
long sys_arch_prctl(uint32_t option, uint32_t arg)
{
    (void)arg;
    switch (option) {
    case ARCH_GET_CPUID:
        return 1;
    case ARCH_SET_CPUID:
        return -ENODEV;
    default:
        return -EINVAL;
    }
}
