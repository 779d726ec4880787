/*
 * Job control: stopping, continuing, and what the parent is told of its children.
 *
 * A process stops when one of its threads takes a stop signal: sig.stopped is set and every thread
 * comes by in signal_deliver and sleeps in THREAD_STOPPED. The last to arrive tells the parent.
 * SIGCONT clears the flag; the first thread to run again tells the parent. Those who are traced
 * stop in kernel/ptrace/stop.c instead, and may go on before the others.
 */
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"

bool pgrp_is_orphaned(int32_t pgid, const struct proc *ignore)
{
    const struct proc *p;

    for_each_of_group(p, pgid)
    {
        if (p == ignore || p->state == PROC_ZOMBIE || !p->parent || p->parent == init_proc)
            continue;
        if (p->parent->pgid != pgid && p->parent->sid == p->sid)
            return false;
    }
    return true;
}

bool signal_children_autoreap(struct proc *p)
{
    const struct signal_handler *a;

    if (!p->handlers)
        return false;
    a = &p->handlers->action[SIGCHLD - 1];
    return a->handler == SIG_IGN || (a->flags & SA_NOCLDWAIT);
}

static bool parent_wants(struct proc *parent, int code)
{
    const struct signal_handler *a = &parent->handlers->action[SIGCHLD - 1];

    if (a->handler == SIG_IGN)
        return false;
    return !(a->flags & SA_NOCLDSTOP) ||
           (code != CLD_STOPPED && code != CLD_CONTINUED && code != CLD_TRAPPED);
}

static int child_status(const struct proc *p, int code)
{
    switch (code) {
    case CLD_EXITED:
        return (p->exit_status >> 8) & 0xff;
    case CLD_STOPPED:
        return p->sig.stop_report;
    case CLD_CONTINUED:
        return SIGCONT;
    default:
        return p->exit_status & 0x7f;
    }
}

static uint32_t to_ticks(uint64_t ns)
{
    return ns ? (uint32_t)(ns / NSEC_PER_TICK) : 0;
}

void signal_tell_waiter(struct proc *to, int signo, const struct siginfo *info)
{
    if (signo && to->handlers && (signo != SIGCHLD || parent_wants(to, info->code)))
        signal_send_proc(to, signo, info);
    wake_all(&to->child_exit);
}

void signal_notify_parent(struct proc *p, int code)
{
    bool ended = code == CLD_EXITED || code == CLD_KILLED || code == CLD_DUMPED;
    struct siginfo info = {
        .code = code,
        .pid = p->pid,
        .uid = (int32_t)p->cred.uid,
        .status = child_status(p, code),
        .utime = to_ticks(p->usage.user_ns),
        .stime = to_ticks(p->usage.system_ns),
    };

    if (p->parent)
        signal_tell_waiter(p->parent, ended ? p->exit_signal : SIGCHLD, &info);
}

/* ---- Stop ---- */

static bool all_stopped(struct proc *p)
{
    struct thread *t;

    list_for_each_entry (t, &p->threads, proc_link)
        if (!t->sig.in_stop && t->state != THREAD_DEAD && !(t->trace && t->trace->passed_stop))
            return false;
    return true;
}

bool signal_stop_wanted(const struct thread *t)
{
    return t->proc->sig.stopped && !(t->trace && t->trace->passed_stop);
}

bool signal_join_stop(struct thread *t)
{
    struct proc *p = t->proc;
    bool last;

    if (t->sig.in_stop)
        return false;
    t->sig.in_stop = true;
    last = !p->sig.stop_complete && all_stopped(p);
    if (last) {
        p->sig.stop_complete = true;
        p->sig.stop_report = p->sig.stop_signo;
    }
    return last;
}

static bool killed(const struct proc *p, const struct thread *t)
{
    return p->sig.group_exit || ((p->sig.queue.pending | t->sig.queue.pending) & SIGMASK(SIGKILL));
}

static void report_stopped(struct proc *p)
{
    spin_lock(&proc_lock);
    if (p->sig.stopped)
        signal_notify_parent(p, CLD_STOPPED);
    spin_unlock(&proc_lock);
}

/* Sleeps as long as the process is stopped. */
void signal_stop_current(struct thread *t)
{
    struct proc *p = t->proc;
    struct signal_handlers *h = p->handlers;

    while (signal_stop_wanted(t) && !killed(p, t)) {
        bool last;

        if (t->trace) {
            ptrace_group_stop(t);
            continue;
        }
        t->state = THREAD_STOPPED;
        last = signal_join_stop(t);
        spin_unlock(&h->lock);
        if (last)
            report_stopped(p);
        schedule();
        spin_lock(&h->lock);
    }
    t->sig.in_stop = false;
}

/*
 * The default action of a stop signal that t has taken from its queue. False if it has none: the
 * group is orphaned, or SIGCONT came in between.
 */
bool signal_start_stop(struct thread *t, int signo)
{
    struct proc *p = t->proc;
    struct signal_handlers *h = p->handlers;
    struct thread *other;
    bool orphaned;

    p->sig.stop_dequeued = true;
    if (signo != SIGSTOP) {
        spin_unlock(&h->lock);
        spin_lock(&proc_lock);
        orphaned = pgrp_is_orphaned(p->pgid, NULL);
        spin_unlock(&proc_lock);
        spin_lock(&h->lock);
        if (orphaned || !p->sig.stop_dequeued || p->sig.group_exit)
            return false;
    }
    p->sig.stop_dequeued = false;
    p->sig.stopped = true;
    p->sig.stop_signo = signo;
    p->sig.cont_report = p->sig.cont_notify = false;
    list_for_each_entry (other, &p->threads, proc_link)
        ptrace_process_stops(other);
    signal_wake_threads(p, false);
    return true;
}

/* SIGCONT was sent, whatever becomes of the signal itself. */
void signal_continue(struct proc *p)
{
    struct thread *t;

    signal_discard(p, SIGS_STOP);
    p->sig.stop_dequeued = false;
    list_for_each_entry (t, &p->threads, proc_link)
        ptrace_process_continues(t);
    if (!p->sig.stopped)
        return;
    p->sig.stopped = p->sig.stop_complete = false;
    p->sig.stop_report = 0;
    p->sig.cont_report = p->sig.cont_notify = true;
    signal_wake_threads(p, true);
}

/* Tells the parent of a continue, when that is still to be done. Drops and retakes handlers->lock.
 */
void signal_report_continued(struct proc *p)
{
    p->sig.cont_notify = false;
    spin_unlock(&p->handlers->lock);
    spin_lock(&proc_lock);
    signal_notify_parent(p, CLD_CONTINUED);
    if (ptrace_foreign_tracer(p))
        ptrace_tell_tracer(p->trace, CLD_CONTINUED, SIGCONT);
    spin_unlock(&proc_lock);
    spin_lock(&p->handlers->lock);
}
