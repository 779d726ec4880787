/*
 * Stops, as the traced thread itself makes them. All go through stop_here(): the thread says why,
 * tells its tracer, and sleeps until that lets it go on, with a signal or without one.
 *
 * A stop for a signal comes before its action; what the tracer puts in the signal's place is acted
 * upon. A group stop is not the tracer's doing: the thread takes part in it like its fellows, and
 * only says so; once the tracer has let it go on it runs although its process is stopped
 * (passed_stop). A tracer that seized tells the two apart by PTRACE_EVENT_STOP, and may leave the
 * thread stopped (PTRACE_LISTEN): then it comes by again when the process is continued.
 */
#include "arch/trap.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"

#define TRAP_BRKPT   1
#define SYSGOOD      0x80 /* in the code of a stop for a system call, on demand */
#define SIGNAL_OF(c) ((c)&0x7f)

struct stop {
    int code;             /* as wait4 gives it: signal | event << 8 */
    struct siginfo *info; /* or NULL */
    uint32_t message;
    bool group;  /* takes part in the stop of the process */
    bool at_end; /* it dies anyway */
};

/* [handlers->lock held] */
static bool is_dying(const struct thread *t)
{
    const struct proc *p = t->proc;

    return p->sig.group_exit || ((p->sig.queue.pending | t->sig.queue.pending) & SIGMASK(SIGKILL));
}

static bool is_event_stop(const struct stop *s)
{
    return s->code >> 8 == PTRACE_EVENT_STOP;
}

/* [handlers->lock held] From here on t is stopped. */
static void enter(struct thread *t, struct tracee *x, const struct stop *s)
{
    x->stopped = true;
    x->listening = x->told = x->killed = false;
    x->last = s->at_end && (t->proc->sig.group_exit || t->proc->nthreads == 1);
    x->code = s->code;
    x->info = s->info;
    x->message = s->message;
    x->trap_wanted = false;
    if (is_event_stop(s))
        x->notify_wanted = false;
    t->sig.trace_signo = 0;
    t->state = THREAD_TRACED;
}

/* Tells the tracer; and the parent, of a process that has come to a stop, if that is another. */
static void announce(struct thread *t, struct tracee *x, const struct stop *s, bool last)
{
    bool as_stop = s->group || is_event_stop(s);

    ptrace_tell_tracer(x, as_stop ? CLD_STOPPED : CLD_TRAPPED,
                       as_stop ? t->proc->sig.stop_signo : SIGNAL_OF(s->code));
    if (last && x->tracer->proc != t->proc->parent)
        signal_notify_parent(t->proc, CLD_STOPPED);
}

/* [handlers->lock held, dropped meanwhile] Whether t is in the stop: it is still traced, and has
 * reason to stop. */
static bool begin(struct thread *t, const struct stop *s)
{
    struct spinlock *lock = &t->proc->handlers->lock;
    bool last = false, stops;

    spin_unlock(lock);
    spin_lock(&proc_lock);
    spin_lock(lock);
    stops = t->trace && (s->at_end || !is_dying(t)) && (!s->group || signal_stop_wanted(t));
    if (stops) {
        if (s->group)
            last = signal_join_stop(t);
        enter(t, t->trace, s);
    }
    spin_unlock(lock);
    if (stops)
        announce(t, t->trace, s, last);
    spin_unlock(&proc_lock);
    return stops;
}

/* [handlers->lock held, dropped meanwhile] The signal that t is to go on with; that of the stop
 * itself if nobody traces it any more. Its tracer may have gone in the meantime. */
static int stop_here(struct thread *t, const struct stop *s)
{
    struct spinlock *lock = &t->proc->handlers->lock;
    bool had_work;

    if (!begin(t, s)) {
        spin_lock(lock);
        return t->trace ? 0 : SIGNAL_OF(s->code);
    }
    schedule();
    spin_lock(lock);
    while (ptrace_in_stop(t)) {
        t->state = THREAD_TRACED;
        spin_unlock(lock);
        schedule();
        spin_lock(lock);
    }
    t->sig.in_stop = false;
    if (t->trace) {
        t->trace->info = NULL;
        t->trace->message = 0;
        t->trace->listening = false;
    }
    had_work = t->arch.work;
    signal_recalc(t);
    t->arch.work |= had_work; /* its call may have to start again: signal_deliver sees to that */
    return t->sig.trace_signo;
}

/* The information of a stop that no signal made. */
static struct siginfo event_info(const struct thread *t, int code)
{
    return (struct siginfo){
        .signo = SIGNAL_OF(code),
        .code = code,
        .pid = t->tid,
        .addr = (uint32_t)t->tid, /* lies in the same place */
        .uid = (int32_t)t->proc->cred.uid,
    };
}

/* [handlers->lock held, dropped meanwhile] */
static int stop_for_event(struct thread *t, int code, uint32_t message, bool group)
{
    struct siginfo info = event_info(t, code);
    struct stop s = {.code = code,
                     .info = &info,
                     .message = message,
                     .group = group,
                     .at_end = code >> 8 == PTRACE_EVENT_EXIT};

    return stop_here(t, &s);
}

/* ---- Signals ---- */

/* The signal that takes the place of the one that t stopped for comes from its tracer. */
static void replace_info(const struct thread *t, int signo, struct siginfo *info)
{
    const struct proc *by = t->trace ? t->trace->tracer->proc : t->proc->parent;

    *info = (struct siginfo){
        .signo = signo, .code = SI_USER, .pid = by->pid, .uid = (int32_t)by->cred.uid};
}

int ptrace_signal(struct thread *t, int signo, struct siginfo *info)
{
    struct stop s = {.code = signo, .info = info};

    info->signo = signo;
    t->proc->sig.stop_dequeued = true;
    signo = stop_here(t, &s);
    if (!signo || is_dying(t))
        return 0;
    if (signo != info->signo)
        replace_info(t, signo, info);
    if (t->sig.mask & SIGMASK(signo)) {
        signal_requeue(t, signo, info);
        return 0;
    }
    if ((SIGMASK(signo) & SIGS_STOP) && !t->proc->sig.stop_dequeued)
        return 0; /* SIGCONT came in between */
    return signo;
}

/* ---- Group stops and traps ---- */

static int event_stop_code(const struct thread *t)
{
    int signo = t->proc->sig.stopped ? t->proc->sig.stop_signo : SIGTRAP;

    return signo | PTRACE_EVENT_STOP << 8;
}

void ptrace_group_stop(struct thread *t)
{
    struct stop s = {.code = t->proc->sig.stop_signo, .group = true};

    if (t->trace->seized)
        stop_for_event(t, event_stop_code(t), 0, true);
    else
        stop_here(t, &s);
    if (t->trace)
        t->trace->passed_stop = t->proc->sig.stopped;
}

bool ptrace_wants_trap(const struct thread *t)
{
    return t->trace && (t->trace->trap_wanted || t->trace->notify_wanted);
}

void ptrace_trap(struct thread *t)
{
    t->trace->trap_wanted = t->trace->notify_wanted = false;
    if (t->trace->seized)
        stop_for_event(t, event_stop_code(t), 0, false);
}

/* ---- Events ---- */

bool ptrace_wants_event(int event)
{
    const struct tracee *x = thread_current()->trace;

    return x && (x->options & PTRACE_O_EVENT(event));
}

void ptrace_event(int event, uint32_t message)
{
    struct thread *t = thread_current();

    if (!ptrace_wants_event(event))
        return;
    spin_lock(&t->proc->handlers->lock);
    stop_for_event(t, SIGTRAP | event << 8, message, false);
    spin_unlock(&t->proc->handlers->lock);
}

void ptrace_exec(int32_t old_tid)
{
    struct thread *t = thread_current();

    if (ptrace_wants_event(PTRACE_EVENT_EXEC))
        ptrace_event(PTRACE_EVENT_EXEC, (uint32_t)old_tid);
    else if (t->trace && !t->trace->seized)
        signal_send_thread(t, SIGTRAP, &(struct siginfo){.code = SI_USER, .pid = t->proc->pid});
}

void ptrace_exit_stop(int status)
{
    struct thread *t = thread_current();

    if (!ptrace_wants_event(PTRACE_EVENT_EXIT))
        return;
    spin_lock(&t->proc->handlers->lock);
    signal_discard(t->proc, SIGMASK(SIGKILL)); /* it has done its work */
    spin_unlock(&t->proc->handlers->lock);
    ptrace_event(PTRACE_EVENT_EXIT, (uint32_t)status);
}

bool ptrace_end_step(void)
{
    struct thread *t = thread_current();
    bool stepping = t->trace && (t->trace->resume & RESUME_STEP);

    if (stepping) {
        t->trace->resume &= (uint8_t)~RESUME_STEP;
        ptrace_set_step(t->trace, false);
    }
    return stepping;
}

void ptrace_handler_entered(void)
{
    struct thread *t = thread_current();

    spin_lock(&t->proc->handlers->lock);
    if (t->trace)
        stop_for_event(t, SIGTRAP, 0, false);
    spin_unlock(&t->proc->handlers->lock);
}

/* ---- System calls ---- */

static void stop_for_call(struct thread *t, uint32_t message)
{
    int code = SIGTRAP | (t->trace->options & PTRACE_O_TRACESYSGOOD ? SYSGOOD : 0), signo;

    spin_lock(&t->proc->handlers->lock);
    signo = stop_for_event(t, code, message, false);
    spin_unlock(&t->proc->handlers->lock);
    if (signo)
        signal_send_thread(t, signo, NULL);
}

bool ptrace_call_entry(struct trapframe *tf)
{
    struct thread *t = thread_current();
    uint8_t how = t->trace->resume;

    if (!(how & (RESUME_CALLS | RESUME_EMULATE)))
        return true;
    tf->eax = (uint32_t)-ENOSYS;
    stop_for_call(t, PTRACE_EVENTMSG_ENTRY);
    return !(how & RESUME_EMULATE) && !fatal_signal_pending();
}

/* A step over the call ends here: the processor would take the next instruction with it. */
void ptrace_call_exit(struct trapframe *tf)
{
    struct thread *t = thread_current();
    uint8_t how = t->trace->resume;
    struct siginfo info = {.code = TRAP_BRKPT, .addr = tf->eip};

    if (how & RESUME_CALLS)
        stop_for_call(t, PTRACE_EVENTMSG_EXIT);
    else if ((how & RESUME_STEP) && !(how & RESUME_EMULATE))
        signal_force_current(SIGTRAP, &info);
}

/* ---- What others do to it ---- */

/* [handlers->lock held] */
static void leave_stop(struct thread *t)
{
    t->trace->stopped = false;
    sched_wake_from(t, THREAD_TRACED);
}

void ptrace_wake_killed(struct thread *t)
{
    if (!ptrace_in_stop(t) || t->trace->last)
        return;
    t->trace->killed = true;
    if (!t->trace->frozen)
        leave_stop(t);
}

void ptrace_process_stops(struct thread *t)
{
    if (!t->trace)
        return;
    t->trace->passed_stop = false;
    if (t->trace->listening)
        leave_stop(t);
}

void ptrace_process_continues(struct thread *t)
{
    struct tracee *x = t->trace;

    if (!x)
        return;
    x->passed_stop = false;
    if (!x->seized)
        return;
    x->notify_wanted = true;
    if (x->listening)
        leave_stop(t);
}

/* [handlers->lock held] */
void ptrace_go_on(struct tracee *x, int signo)
{
    x->frozen = false;
    x->thread->sig.trace_signo = signo;
    leave_stop(x->thread);
}
