/*
 * ptrace(2): what is asked of a tracee. Its tracer asks, and it has to be in a stop, in which it is
 * kept for the time of the request (frozen): SIGKILL takes effect after it.
 */
#include "arch/uaccess.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/ptrace/regset.h"
#include "kernel/seccomp/seccomp.h"
#include "kernel/signal/signal_impl.h"
#include "kernel/thread/tls.h"
#include "libc/errno.h"

enum { /* <sys/ptrace.h> and <asm/ptrace-abi.h> */
       PTRACE_TRACEME,
       PTRACE_PEEKTEXT,
       PTRACE_PEEKDATA,
       PTRACE_PEEKUSER,
       PTRACE_POKETEXT,
       PTRACE_POKEDATA,
       PTRACE_POKEUSER,
       PTRACE_CONT,
       PTRACE_KILL,
       PTRACE_SINGLESTEP,
       PTRACE_GETREGS = 12,
       PTRACE_SETREGS,
       PTRACE_GETFPREGS,
       PTRACE_SETFPREGS,
       PTRACE_ATTACH,
       PTRACE_DETACH,
       PTRACE_GETFPXREGS,
       PTRACE_SETFPXREGS,
       PTRACE_OLDSETOPTIONS = 21,
       PTRACE_SYSCALL = 24,
       PTRACE_GET_THREAD_AREA,
       PTRACE_SET_THREAD_AREA,
       PTRACE_SYSEMU = 31,
       PTRACE_SYSEMU_SINGLESTEP,
       PTRACE_SETOPTIONS = 0x4200,
       PTRACE_GETEVENTMSG,
       PTRACE_GETSIGINFO,
       PTRACE_SETSIGINFO,
       PTRACE_GETREGSET,
       PTRACE_SETREGSET,
       PTRACE_SEIZE,
       PTRACE_INTERRUPT,
       PTRACE_LISTEN,
       PTRACE_PEEKSIGINFO,
       PTRACE_GETSIGMASK,
       PTRACE_SETSIGMASK,
       PTRACE_SECCOMP_GET_FILTER = 0x420c,
       PTRACE_SECCOMP_GET_METADATA,
       PTRACE_GET_SYSCALL_INFO,
       PTRACE_GET_RSEQ_CONFIGURATION,
};

/* ---- Finding it ---- */

/* [proc_lock held] */
static struct tracee *own_tracee(int32_t tid)
{
    struct thread *t = thread_find(tid);

    return t && t->trace && t->trace->tracer == thread_current() ? t->trace : NULL;
}

/* The tracee in its stop, where it stays until thaw(); NULL if it is in none. */
static struct tracee *freeze(int32_t tid)
{
    struct tracee *x;

    spin_lock(&proc_lock);
    x = own_tracee(tid);
    if (x) {
        spin_lock(&x->proc->handlers->lock);
        if (x->stopped && !x->listening && !x->killed)
            x->frozen = true;
        spin_unlock(&x->proc->handlers->lock);
        if (!x->frozen)
            x = NULL;
    }
    spin_unlock(&proc_lock);
    return x;
}

static void thaw(struct tracee *x)
{
    spin_lock(&x->proc->handlers->lock);
    x->frozen = false;
    if (x->stopped && x->killed)
        ptrace_go_on(x, 0);
    spin_unlock(&x->proc->handlers->lock);
}

/* ---- Memory ---- */

/* What became undumpable since is for those alone who may look into everything. */
static struct vm_space *space_of(const struct tracee *x)
{
    return x->proc->dumpable == DUMPABLE_USER || x->privileged ? proc_get_space(x->proc) : NULL;
}

static long peek(struct tracee *x, uint32_t addr, void __user *uvalue)
{
    struct vm_space *s = space_of(x);
    uint32_t value;
    long n = s ? vm_peek(s, &value, addr, sizeof(value)) : 0;

    if (s)
        vm_space_unref(s);
    return n == sizeof(value) ? put_user_u32(uvalue, value) : -EIO;
}

static long poke(struct tracee *x, uint32_t addr, uint32_t value)
{
    struct vm_space *s = space_of(x);
    long n = s ? vm_poke(s, addr, &value, sizeof(value)) : 0;

    if (s)
        vm_space_unref(s);
    return n == sizeof(value) ? 0 : -EIO;
}

static long peek_user(struct tracee *x, uint32_t offset, void __user *uvalue)
{
    uint32_t value;
    long err = ptrace_peek_user(x, offset, &value);

    return err ? err : put_user_u32(uvalue, value);
}

/* ---- Options and segments ---- */

static int check_options(uint32_t options)
{
    return options & ~PTRACE_O_ALL ? -EINVAL : 0;
}

static long set_options(struct tracee *x, uint32_t options)
{
    int err = check_options(options);

    if (!err)
        x->options = options;
    return err;
}

static long get_segment(struct tracee *x, uint32_t entry, void __user *udesc)
{
    struct user_desc d;
    int err = (int32_t)entry < 0 ? -EIO : tls_get(x->thread, entry, &d);

    return err ? err : copy_to_user(udesc, &d, sizeof(d));
}

static long set_segment(struct tracee *x, uint32_t entry, void __user *udesc)
{
    struct user_desc d;

    if ((int32_t)entry < 0)
        return -EIO;
    if (copy_from_user(&d, udesc, sizeof(d)))
        return -EFAULT;
    return tls_put(x->thread, entry, &d);
}

/* ---- Going on ---- */

/* How a request lets it go on; -1: it is none of these. */
static int resume_of(uint32_t request)
{
    switch (request) {
    case PTRACE_CONT:
        return 0;
    case PTRACE_SYSCALL:
        return RESUME_CALLS;
    case PTRACE_SINGLESTEP:
        return RESUME_STEP;
    case PTRACE_SYSEMU:
        return RESUME_EMULATE;
    case PTRACE_SYSEMU_SINGLESTEP:
        return RESUME_EMULATE | RESUME_STEP;
    default:
        return -1;
    }
}

static long go_on(struct tracee *x, int how, uint32_t signo)
{
    if (signo > NSIG)
        return -EIO;
    spin_lock(&x->proc->handlers->lock);
    x->resume = (uint8_t)how;
    ptrace_set_step(x, how & RESUME_STEP);
    ptrace_go_on(x, (int)signo);
    spin_unlock(&x->proc->handlers->lock);
    return 0;
}

static long detach(struct tracee *x, uint32_t signo)
{
    if (signo > NSIG)
        return -EIO;
    ptrace_detach(x, (int)signo);
    return 0;
}

static long listen(struct tracee *x)
{
    long err = -EIO;

    spin_lock(&x->proc->handlers->lock);
    if (x->seized && x->info && x->code >> 8 == PTRACE_EVENT_STOP) {
        x->listening = true;
        if (x->notify_wanted)
            ptrace_go_on(x, 0);
        err = 0;
    }
    spin_unlock(&x->proc->handlers->lock);
    return err;
}

/* ---- Requests that want no stop ---- */

static void interrupt(struct tracee *x)
{
    struct thread *t = x->thread;

    spin_lock(&x->proc->handlers->lock);
    x->trap_wanted = true;
    t->arch.work = true;
    sched_interrupt(t);
    if (x->listening)
        ptrace_go_on(x, 0);
    else
        sched_wake_from(t, THREAD_SLEEPING);
    spin_unlock(&x->proc->handlers->lock);
}

static long without_stop(uint32_t request, int32_t tid)
{
    struct tracee *x;
    long err = 0;

    spin_lock(&proc_lock);
    x = own_tracee(tid);
    if (!x)
        err = -ESRCH;
    else if (request == PTRACE_KILL)
        signal_send_thread(x->thread, SIGKILL, NULL);
    else if (x->seized)
        interrupt(x);
    else
        err = -EIO;
    spin_unlock(&proc_lock);
    return err;
}

static long seize(int32_t tid, uint32_t addr, uint32_t options)
{
    bool there;

    spin_lock(&proc_lock);
    there = thread_find(tid) || proc_find(tid);
    spin_unlock(&proc_lock);
    if (!there)
        return -ESRCH;
    if (addr || (options & ~(PTRACE_O_ALL | PTRACE_O_SUSPEND_SECCOMP)))
        return -EIO;
    return check_options(options) ? -EINVAL : ptrace_attach(tid, true, options);
}

/* ---- The call ---- */

static long registers(struct tracee *x, uint32_t request, uint32_t addr, void __user *p)
{
    switch (request) {
    case PTRACE_GETREGS:
        return ptrace_get_whole(x, NT_PRSTATUS, p);
    case PTRACE_SETREGS:
        return ptrace_put_whole(x, NT_PRSTATUS, p);
    case PTRACE_GETFPREGS:
        return ptrace_get_whole(x, NT_PRFPREG, p);
    case PTRACE_SETFPREGS:
        return ptrace_put_whole(x, NT_PRFPREG, p);
    case PTRACE_GETFPXREGS:
        return ptrace_get_whole(x, NT_PRXFPREG, p) ? -EIO : 0;
    case PTRACE_SETFPXREGS:
        return ptrace_put_whole(x, NT_PRXFPREG, p) ? -EIO : 0;
    case PTRACE_GETREGSET:
        return ptrace_getregset(x, addr, p);
    case PTRACE_SETREGSET:
        return ptrace_setregset(x, addr, p);
    case PTRACE_GET_THREAD_AREA:
        return get_segment(x, addr, p);
    case PTRACE_SET_THREAD_AREA:
        return set_segment(x, addr, p);
    default:
        return -EIO;
    }
}

struct rseq_configuration {
    uint64_t at;
    uint32_t size, signature, flags, pad;
};

_Static_assert(sizeof(struct rseq_configuration) == 24, "Linux layout");

static long rseq_configuration(const struct thread *t, uint32_t size, void __user *out)
{
    struct rseq_configuration c = {.at = t->rseq, .signature = t->rseq_signature};

    c.size = t->rseq ? RSEQ_SIZE : 0;
    if (size > sizeof(c))
        size = sizeof(c);
    return copy_to_user(out, &c, size) ? -EFAULT : (long)sizeof(c);
}

static long signals(struct tracee *x, uint32_t request, uint32_t addr, void __user *p)
{
    switch (request) {
    case PTRACE_GETEVENTMSG:
        return put_user_u32(p, x->message);
    case PTRACE_GETSIGINFO:
        return ptrace_getsiginfo(x, p);
    case PTRACE_SETSIGINFO:
        return ptrace_setsiginfo(x, p);
    case PTRACE_PEEKSIGINFO:
        return ptrace_peeksiginfo(x, (void __user *)addr, p);
    case PTRACE_GETSIGMASK:
        return ptrace_getsigmask(x, addr, p);
    case PTRACE_SETSIGMASK:
        return ptrace_setsigmask(x, addr, p);
    case PTRACE_GET_SYSCALL_INFO:
        return ptrace_syscall_info(x, addr, p);
    case PTRACE_SECCOMP_GET_FILTER:
        return seccomp_get_filter(x->thread, addr, p);
    case PTRACE_SECCOMP_GET_METADATA:
        return seccomp_get_metadata(x->thread, addr, p);
    case PTRACE_GET_RSEQ_CONFIGURATION:
        return rseq_configuration(x->thread, addr, p);
    default:
        return registers(x, request, addr, p);
    }
}

/* Of a tracee that stays in its stop. */
static long look(struct tracee *x, uint32_t request, uint32_t addr, uint32_t data)
{
    void __user *p = (void __user *)data;

    switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
        return peek(x, addr, p);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
        return poke(x, addr, data);
    case PTRACE_PEEKUSER:
        return peek_user(x, addr, p);
    case PTRACE_POKEUSER:
        return ptrace_poke_user(x, addr, data);
    case PTRACE_SETOPTIONS:
    case PTRACE_OLDSETOPTIONS:
        return set_options(x, data);
    case PTRACE_LISTEN:
        return listen(x);
    default:
        return signals(x, request, addr, p);
    }
}

static long of_stopped(uint32_t request, int32_t tid, uint32_t addr, uint32_t data)
{
    struct tracee *x = freeze(tid);
    int how = resume_of(request);
    long ret;

    if (!x)
        return -ESRCH;
    if (how >= 0)
        ret = go_on(x, how, data);
    else if (request == PTRACE_DETACH)
        ret = detach(x, data);
    else
        ret = look(x, request, addr, data);
    if (ret || (how < 0 && request != PTRACE_DETACH))
        thaw(x);
    return ret;
}

long sys_ptrace(uint32_t request, uint32_t pid, uint32_t addr, uint32_t data)
{
    int32_t tid = (int32_t)pid;

    switch (request) {
    case PTRACE_TRACEME:
        return ptrace_traceme();
    case PTRACE_ATTACH:
        return ptrace_attach(tid, false, 0);
    case PTRACE_SEIZE:
        return seize(tid, addr, data);
    case PTRACE_KILL:
    case PTRACE_INTERRUPT:
        return without_stop(request, tid);
    default:
        return of_stopped(request, tid, addr, data);
    }
}
