/*
 * Who traces whom: the tie between a tracee and its tracer is made and cut here. man 2 ptrace.
 *
 * The tracer is a thread. When it ends, those it traced go on untraced, or die
 * (PTRACE_O_EXITKILL).
 */
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"

/* ---- Making it ---- */

/* [proc_lock held] */
static void tie(struct tracee *x, struct thread *t, struct thread *tracer)
{
    x->thread = t;
    x->proc = t->proc;
    x->tid = t->tid;
    tracee_link(x, tracer);
    spin_lock(&t->proc->handlers->lock);
    t->trace = x;
    spin_unlock(&t->proc->handlers->lock);
    if (t->tid == t->proc->pid)
        t->proc->trace = x;
}

/* [proc_lock held] */
static int check_attach(const struct thread *t)
{
    if (t->proc == proc_current() || !t->proc->space || t->trace)
        return -EPERM;
    return proc_may_inspect(t->proc, INSPECT_REAL) ? 0 : -EPERM;
}

/* [proc_lock held] Makes t stop; one that is stopped already comes by to say so. */
static void ask_to_stop(struct thread *t)
{
    signal_send_thread(t, SIGSTOP, NULL);
    spin_lock(&t->proc->handlers->lock);
    if (t->sig.in_stop)
        sched_wake_from(t, THREAD_STOPPED);
    spin_unlock(&t->proc->handlers->lock);
}

static int attach(int32_t tid, struct tracee *x, bool *settle)
{
    struct thread *t;
    int err;

    spin_lock(&proc_lock);
    t = thread_find(tid);
    err = t ? check_attach(t) : proc_find(tid) ? -EPERM : -ESRCH;
    if (!err) {
        tie(x, t, thread_current());
        *settle = t->sig.in_stop;
        if (!x->seized)
            ask_to_stop(t);
        else if (t->sig.in_stop)
            sched_wake_from(t, THREAD_STOPPED);
    }
    spin_unlock(&proc_lock);
    return err;
}

/* Whether the tracee tid of the current thread is, as a tracee, no longer on its way into the stop
 * that it was in before. */
static bool is_settled(int32_t tid)
{
    struct thread *t;
    bool settled;

    spin_lock(&proc_lock);
    t = thread_find(tid);
    settled = !t || !t->trace || t->trace->stopped || !signal_stop_wanted(t);
    spin_unlock(&proc_lock);
    return settled;
}

long ptrace_attach(int32_t tid, bool seize, uint32_t options)
{
    struct tracee *x = kzalloc(sizeof(*x));
    bool settle = false;
    int err;

    if (!x)
        return -ENOMEM;
    x->seized = seize;
    x->privileged = capable(CAP_SYS_PTRACE);
    x->options = options;
    err = attach(tid, x, &settle);
    if (err)
        kmfree(x);
    else if (settle)
        (void)wait_event_interruptible(&proc_current()->child_exit, is_settled(tid));
    return err;
}

/* [proc_lock held] The thread that made the current process, or one of the same parent. */
static struct thread *parent_thread(const struct proc *p)
{
    struct thread *t = thread_find(p->forked_by);

    if (t && t->proc == p->parent)
        return t;
    return list_empty(&p->parent->threads)
               ? NULL
               : list_first_entry(&p->parent->threads, struct thread, proc_link);
}

long ptrace_traceme(void)
{
    struct tracee *x = kzalloc(sizeof(*x));
    struct thread *t = thread_current(), *tracer;
    int err = -EPERM;

    if (!x)
        return -ENOMEM;
    spin_lock(&proc_lock);
    tracer = parent_thread(t->proc);
    if (tracer && tracer->exiting)
        err = 0; /* and nobody traces it, as on Linux */
    else if (tracer && !t->trace) {
        x->privileged = cred_capable(&tracer->proc->cred, CAP_SYS_PTRACE);
        tie(x, t, tracer);
        x = NULL;
        err = 0;
    }
    spin_unlock(&proc_lock);
    kmfree(x);
    return err;
}

/* ---- Children of tracees ---- */

struct tracee *ptrace_fork_prepare(bool wanted, int *err)
{
    struct tracee *x = wanted ? kzalloc(sizeof(*x)) : NULL;

    *err = wanted && !x ? -ENOMEM : 0;
    return x;
}

void ptrace_fork_commit(struct tracee **x, struct thread *child)
{
    const struct tracee *like = thread_current()->trace;
    struct signal_handlers *h = child->proc->handlers;

    if (!*x || !like)
        return;
    (*x)->seized = like->seized;
    (*x)->privileged = like->privileged;
    (*x)->options = like->options;
    tie(*x, child, like->tracer);
    spin_lock(&h->lock);
    if (like->seized)
        (*x)->trap_wanted = true;
    else
        child->sig.queue.pending |= SIGMASK(SIGSTOP);
    child->arch.work = true;
    spin_unlock(&h->lock);
    *x = NULL;
}

void ptrace_exec_ids(struct thread *t)
{
    struct proc *p = t->proc;

    if (p->trace && p->trace != t->trace)
        tracee_free(p->trace);
    p->trace = t->trace;
    if (t->trace)
        t->trace->tid = p->pid;
}

bool ptrace_bars_setid(const struct thread *t)
{
    return t->trace && !t->trace->privileged && !capable(CAP_SETUID);
}

/* ---- Cutting it ---- */

static const struct debug_registers no_points;

/* [proc_lock held] The thread goes on by itself: with signo if it is stopped for one; it stays
 * stopped if its process is. */
static void release(struct tracee *x, int signo)
{
    struct thread *t = x->thread;
    struct signal_handlers *h = t->proc->handlers;

    spin_lock(&h->lock);
    ptrace_set_step(x, false);
    if (t->arch.debug)
        t->arch.debug = &no_points; /* not NULL: where it runs now, they are loaded */
    if (x->stopped)
        ptrace_go_on(x, signo);
    t->trace = NULL;
    t->arch.work = true;
    sched_interrupt(t);
    if (t->proc->sig.stopped)
        sched_wake_from(t, THREAD_SLEEPING);
    spin_unlock(&h->lock);
}

/* [proc_lock held] Cuts x's tie. Its process, if that is to vanish now, or NULL. */
static struct proc *untie(struct tracee *x, int signo)
{
    struct proc *p = x->proc;
    bool vanishes = false;

    if (x->thread) {
        release(x, signo);
        tracee_free(x);
    } else if (!tracee_is_first(x) || ptrace_foreign_tracer(p)) {
        vanishes = ptrace_end_told(x);
    } else {
        tracee_free(x);
    }
    if (vanishes)
        proc_unlink(p);
    return vanishes ? p : NULL;
}

void ptrace_detach(struct tracee *x, int signo)
{
    spin_lock(&proc_lock);
    (void)untie(x, signo);
    spin_unlock(&proc_lock);
}

/* [proc_lock held] */
static struct tracee *tracee_of(const struct thread *t)
{
    struct tracee *x;

    list_for_each_entry (x, &t->proc->tracees, link)
        if (x->tracer == t)
            return x;
    return NULL;
}

void ptrace_exit_tracer(struct thread *t)
{
    struct tracee *x;
    struct proc *gone;

    t->exiting = true;
    if (list_empty(&t->proc->tracees))
        return;
    do {
        gone = NULL;
        spin_lock(&proc_lock);
        x = tracee_of(t);
        if (x && x->thread && (x->options & PTRACE_O_EXITKILL))
            signal_send_thread(x->thread, SIGKILL, NULL);
        if (x)
            gone = untie(x, 0);
        spin_unlock(&proc_lock);
        if (gone)
            proc_free(gone);
        sched_point();
    } while (x);
}
