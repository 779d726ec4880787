/*
 * System calls: from the number to the handler. Handlers live with their subject; the table refers
 * to them as weak symbols, and a hole in it is -ENOSYS.
 */
#include "arch/latency.h"
#include "kernel/syscall/syscall.h"
#include "arch/cpu.h"
#include "arch/trap.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
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

/* The same with a line in the log. */
static __attribute__((noinline)) void dispatch_traced(struct trapframe *tf, uint32_t nr)
{
    const uint32_t args[] = {tf->ebx, tf->ecx, tf->edx, tf->esi, tf->edi, tf->ebp};
    struct trace_call call;

    trace_syscall_begin(&call, nr < NR_SYSCALLS ? names[nr] : NULL, nr, args);
    if (nr < NR_SYSCALLS && handlers[nr])
        tf->eax = (uint32_t)handlers[nr](args[0], args[1], args[2], args[3], args[4], args[5]);
    else
        tf->eax = (uint32_t)missing(nr);
    trace_syscall_end(&call, (long)tf->eax);
}

void syscall_dispatch(struct trapframe *tf)
{
    uint32_t nr = tf->orig_eax;

    latency_begin(LATENCY_NO_SWITCH);
    if (tracing(TRACE_SYSCALLS))
        dispatch_traced(tf, nr);
    else if (__builtin_expect(nr < NR_SYSCALLS && handlers[nr], 1))
        tf->eax = (uint32_t)handlers[nr](tf->ebx, tf->ecx, tf->edx, tf->esi, tf->edi, tf->ebp);
    else
        tf->eax = (uint32_t)missing(nr);
    latency_end(LATENCY_NO_SWITCH);
}
