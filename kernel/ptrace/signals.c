/*
 * What a tracer sees and changes of its tracee's signals, and of the system call it is stopped in.
 */
#include "arch/uaccess.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"
#include "libc/string.h"

static struct spinlock *lock_of(const struct tracee *x)
{
    return &x->thread->proc->handlers->lock;
}

long ptrace_getsiginfo(struct tracee *x, void __user *uinfo)
{
    struct user_siginfo u;

    if (!x->info)
        return -EINVAL;
    siginfo_to_user_layout(&u, x->info);
    return copy_to_user(uinfo, &u, sizeof(u));
}

long ptrace_setsiginfo(struct tracee *x, void __user *uinfo)
{
    struct siginfo info;

    if (siginfo_from_user(&info, uinfo))
        return -EFAULT;
    if (!x->info)
        return -EINVAL;
    *x->info = info;
    return 0;
}

/* ---- What waits ---- */

#define PEEKSIGINFO_SHARED 1u

struct peek_args { /* man 2 ptrace, struct ptrace_peeksiginfo_args */
    uint64_t offset;
    uint32_t flags;
    int32_t count;
};

/* The n-th that waits; whether there is one. */
static bool nth_pending(const struct tracee *x, bool shared, uint64_t n, struct siginfo *out)
{
    struct signal_queue *q = shared ? &x->thread->proc->sig.queue : &x->thread->sig.queue;
    struct queued_signal *e;
    bool found = false;

    spin_lock(lock_of(x));
    list_for_each_entry (e, &q->infos, link) {
        if (n-- == 0) {
            *out = e->info;
            found = true;
            break;
        }
    }
    spin_unlock(lock_of(x));
    return found;
}

long ptrace_peeksiginfo(struct tracee *x, void __user *uargs, void __user *uinfo)
{
    struct peek_args a;
    struct siginfo info;
    struct user_siginfo u;
    int32_t i;

    if (copy_from_user(&a, uargs, sizeof(a)))
        return -EFAULT;
    if ((a.flags & ~PEEKSIGINFO_SHARED) || a.count < 0)
        return -EINVAL;
    for (i = 0; i < a.count; i++) {
        if (a.offset + (uint64_t)i > UINT32_MAX ||
            !nth_pending(x, a.flags & PEEKSIGINFO_SHARED, a.offset + (uint64_t)i, &info))
            break;
        siginfo_to_user_layout(&u, &info);
        if (copy_to_user((char __user *)uinfo + (uint32_t)i * sizeof(u), &u, sizeof(u)))
            return i ? i : -EFAULT;
        if (fatal_signal_pending())
            break;
        sched_point();
    }
    return i;
}

/* ---- The mask ---- */

long ptrace_getsigmask(struct tracee *x, uint32_t size, void __user *umask)
{
    const struct signal_state *s = &x->thread->sig;
    sigset64_t mask = s->restore_mask ? s->saved_mask : s->mask;

    if (size != sizeof(mask))
        return -EINVAL;
    return copy_to_user(umask, &mask, sizeof(mask));
}

long ptrace_setsigmask(struct tracee *x, uint32_t size, void __user *umask)
{
    sigset64_t mask;

    if (size != sizeof(mask))
        return -EINVAL;
    if (copy_from_user(&mask, umask, sizeof(mask)))
        return -EFAULT;
    spin_lock(lock_of(x));
    x->thread->sig.mask = mask & ~SIGS_UNMASKABLE;
    x->thread->sig.restore_mask = false;
    spin_unlock(lock_of(x));
    return 0;
}

/* ---- The system call ---- */

#define AUDIT_ARCH_I386 0x40000003u
#define SYSGOOD_CODE    (SIGTRAP | 0x80)
#define CALL_ARGS       6

enum { INFO_NONE, INFO_ENTRY, INFO_EXIT, INFO_SECCOMP }; /* PTRACE_SYSCALL_INFO_* */

struct call_info { /* man 2 ptrace, struct ptrace_syscall_info */
    uint8_t op, pad[3];
    uint32_t arch;
    uint64_t eip, esp;
    union {
        struct {
            uint64_t nr, args[CALL_ARGS];
        } entry;
        struct {
            int64_t value;
            uint8_t is_error;
        } exit;
    };
    uint32_t verdict_data, pad2; /* of seccomp's variant, which else is that of the entry */
};

#define CALL_INFO_NONE    24u /* bytes that count, by op */
#define CALL_INFO_ENTRY   80u
#define CALL_INFO_EXIT    33u
#define CALL_INFO_SECCOMP 84u
#define MAX_ERRNO         4095

/* Fills the part for where x is stopped; how long it all is. */
static uint32_t fill_call(struct call_info *c, const struct tracee *x)
{
    const struct trapframe *tf = x->thread->arch.tf;
    const uint32_t args[CALL_ARGS] = {tf->ebx, tf->ecx, tf->edx, tf->esi, tf->edi, tf->ebp};

    bool judged = x->info && x->info->code == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8);

    if (!x->info || (x->info->code != SYSGOOD_CODE && !judged))
        return CALL_INFO_NONE;
    if (judged || x->message == PTRACE_EVENTMSG_ENTRY) {
        c->op = judged ? INFO_SECCOMP : INFO_ENTRY;
        c->verdict_data = judged ? x->message : 0;
        c->entry.nr = tf->orig_eax;
        for (unsigned i = 0; i < CALL_ARGS; i++)
            c->entry.args[i] = args[i];
        return judged ? CALL_INFO_SECCOMP : CALL_INFO_ENTRY;
    }
    c->op = INFO_EXIT;
    c->exit.value = (int32_t)tf->eax;
    c->exit.is_error = tf->eax >= (uint32_t)-MAX_ERRNO;
    return CALL_INFO_EXIT;
}

long ptrace_syscall_info(struct tracee *x, uint32_t size, void __user *uinfo)
{
    struct call_info c;
    uint32_t actual;

    memset(&c, 0, sizeof(c));
    c.arch = AUDIT_ARCH_I386;
    c.eip = x->thread->arch.tf->eip;
    c.esp = x->thread->arch.tf->esp;
    actual = fill_call(&c, x);
    if (copy_to_user(uinfo, &c, size < actual ? size : actual))
        return -EFAULT;
    return (long)actual;
}
