/*
 * What a tracer, and after it a parent, is told of stops and ends. An end is told to the tracer
 * first; only then does the parent hear of it, and of a process only when every one of its threads
 * that was traced has been told of.
 */
#include "kernel/ptrace/ptrace.h"
#include "kernel/thread/trace.h"

static uint32_t count; /* [proc_lock] tracees there are */

void tracee_link(struct tracee *x, struct thread *tracer)
{
    x->tracer = tracer;
    list_add_tail(&tracer->proc->tracees, &x->link);
    if (count++ == 0)
        trace_mask |= TRACE_TRACEES;
}

void tracee_free(struct tracee *x)
{
    if (tracee_is_first(x))
        x->proc->trace = NULL;
    list_remove(&x->link);
    if (--count == 0)
        trace_mask &= ~(uint32_t)TRACE_TRACEES;
    kmfree(x);
}

struct proc *ptrace_foreign_tracer(const struct proc *p)
{
    struct proc *by = p->trace ? p->trace->tracer->proc : NULL;

    return by != p->parent ? by : NULL;
}

int32_t ptrace_tracer_pid(const struct thread *t)
{
    return t->trace ? t->trace->tracer->proc->pid : 0;
}

void ptrace_tell_tracer(struct tracee *x, int code, int status)
{
    struct siginfo info = {
        .code = code,
        .pid = x->tid,
        .uid = (int32_t)x->proc->cred.uid,
        .status = status,
    };

    signal_tell_waiter(x->tracer->proc, SIGCHLD, &info);
}

static void tell_of_end(struct tracee *x, int status)
{
    ptrace_tell_tracer(x, child_code(status), status & 0x7f ? status & 0x7f : status >> 8 & 0xff);
}

bool proc_report_end(struct proc *p)
{
    struct proc *tracer = ptrace_foreign_tracer(p);

    if (p->dead_tracees)
        return false;
    if (tracer) {
        tell_of_end(p->trace, p->exit_status);
        if (!signal_children_autoreap(tracer))
            return false;
        tracee_free(p->trace);
    }
    signal_notify_parent(p, child_code(p->exit_status));
    return p->parent == &kernel_proc ||
           (p->exit_signal == SIGCHLD && signal_children_autoreap(p->parent));
}

bool ptrace_end_told(struct tracee *x)
{
    struct proc *p = x->proc;

    if (!tracee_is_first(x))
        proc_count_dead_tracee(p, -1);
    tracee_free(x);
    return p->state == PROC_ZOMBIE && proc_report_end(p);
}

void ptrace_thread_gone(struct thread *t)
{
    struct tracee *x = t->trace;
    struct proc *p = t->proc;

    if (!x)
        return;
    spin_lock(&p->handlers->lock);
    t->trace = NULL;
    x->thread = NULL;
    x->stopped = false;
    spin_unlock(&p->handlers->lock);
    x->status = p->sig.group_exit ? p->sig.group_exit_status : t->exit_status;
    thread_add_usage(&x->usage, t);
    if (tracee_is_first(x))
        return;
    tell_of_end(x, x->status);
    if (signal_children_autoreap(x->tracer->proc))
        tracee_free(x);
    else
        proc_count_dead_tracee(p, 1);
}
