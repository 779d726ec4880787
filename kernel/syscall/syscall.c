/*
 * System calls: from the number to the handler. Handlers live with their subject; the table refers
 * to them as weak symbols, and a hole in it is -ENOSYS.
 */
#include "arch/latency.h"
#include "kernel/syscall/syscall.h"
#include "kernel/syscall/user_dispatch.h"
#include "arch/cpu.h"
#include "arch/trap.h"
#include "arch/uaccess.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "kernel/process/vdso.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/seccomp/seccomp.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/trace.h"
#include "libc/errno.h"

#define NR_SYSCALLS 451

#define NR(number, name) extern long sys_##name() __attribute__((weak));
#include "kernel/syscall/syscall_list.h"
#undef NR

#define NR(number, name) [number] = (syscall_fn)sys_##name,
static const syscall_fn handlers[NR_SYSCALLS] = {
#include "kernel/syscall/syscall_list.h"
};
#undef NR

#define NR(number, name) [number] = #name,
static const char *const names[NR_SYSCALLS] = {
#include "kernel/syscall/syscall_list.h"
};
#undef NR

static bool report_missing; /* boot option nosys */
static uint32_t reported[(NR_SYSCALLS + 31) / 32];

void syscall_init(void)
{
    report_missing = boot_flag("nosys");
}

/* With "nosys" on the command line, each call that is not there is named once. */
static long missing(uint32_t nr)
{
    if (!report_missing || nr >= NR_SYSCALLS || (reported[nr / 32] & 1u << nr % 32))
        return -ENOSYS;
    reported[nr / 32] |= 1u << nr % 32;
    klog(LOG_WARN, "system call %u (%s) is not implemented; first used by %s (%d)\n", nr,
         names[nr] ? names[nr] : "?", proc_current()->comm, proc_current()->pid);
    return -ENOSYS;
}

static void dispatch(struct trapframe *tf, uint32_t nr)
{
    if (__builtin_expect(nr < NR_SYSCALLS && handlers[nr], 1))
        tf->eax = (uint32_t)handlers[nr](tf->ebx, tf->ecx, tf->edx, tf->esi, tf->edi, tf->ebp);
    else
        tf->eax = (uint32_t)missing(nr);
#ifdef CONFIG_DEBUG
    mutex_check_none_held();
#endif
}

/* The same with a line in the log. */
static void dispatch_logged(struct trapframe *tf, uint32_t nr)
{
    const uint32_t args[] = {tf->ebx, tf->ecx, tf->edx, tf->esi, tf->edi, tf->ebp};
    struct trace_call call;

    trace_syscall_begin(&call, nr < NR_SYSCALLS ? names[nr] : NULL, nr, args);
    dispatch(tf, nr);
    trace_syscall_end(&call, (long)tf->eax);
}

/* With somebody to watch it: the log, the recorder of stretches, or the thread's tracer, who may
 * change the call. */
static __attribute__((noinline)) void dispatch_watched(struct trapframe *tf)
{
    const struct thread *t = thread_current();
    bool wanted;

    latency_begin(LATENCY_NO_SWITCH);
    if (t->dispatch.on && !user_dispatch_allows(tf)) {
        latency_end(LATENCY_NO_SWITCH);
        return;
    }
    wanted = !t->trace || ptrace_call_entry(tf);
    if (wanted && t->seccomp)
        wanted = (int32_t)tf->orig_eax >= 0 && seccomp_act(tf, seccomp_judge(tf));
    if (wanted && tracing(TRACE_SYSCALLS))
        dispatch_logged(tf, tf->orig_eax);
    else if (wanted)
        dispatch(tf, tf->orig_eax);
    if (t->trace)
        ptrace_call_exit(tf);
    latency_end(LATENCY_NO_SWITCH);
}

void syscall_dispatch(struct trapframe *tf)
{
    if (tracing(TRACE_SYSCALLS | TRACE_OTHERS))
        dispatch_watched(tf);
    else
        dispatch(tf, tf->orig_eax);
}

bool sysenter_arguments(struct trapframe *tf)
{
    const void __user *sixth = (const void __user *)tf->esp;

    tf->eip = vdso_address(vdso_vsyscall_landing);
    if (!get_user_u32(&tf->ebp, sixth) || !copy_from_user(&tf->ebp, sixth, sizeof(tf->ebp)))
        return true;
    tf->eax = (uint32_t)-EFAULT;
    return false;
}

void sysenter_dispatch(struct trapframe *tf)
{
    if (sysenter_arguments(tf))
        syscall_dispatch(tf);
}
