/*
 * Pending signals: sending, queueing, choosing the thread, masks, and the life cycle of the state.
 *
 * Invariants, all under the process's handlers->lock:
 *  - a bit of queue.pending is set exactly when the signal waits there; its information, if memory
 *    for it was found, is on queue.infos. A standard signal waits at most once, real-time signals
 * queue.
 *  - a thread's work flag is set whenever signal_deliver would find something to do. Only the
 *    thread itself clears it.
 *  - threads join and leave proc->threads under proc_lock and handlers->lock, so either is enough
 *    to walk them.
 */
#include "kernel/cred/user.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"
#include "libc/string.h"

static sigset64_t deliverable(const struct thread *t)
{
    return (t->sig.queue.pending | t->proc->sig.queue.pending) & (~t->sig.mask | t->sig.waiting);
}

void signal_recalc(struct thread *t)
{
    const struct signal_shared *s = &t->proc->sig;

    t->arch.work = deliverable(t) != 0 || s->group_exit || signal_stop_wanted(t) ||
                   s->cont_notify || ptrace_wants_trap(t);
}

bool signal_pending_current(void)
{
    return thread_current()->arch.work;
}

bool fatal_signal_pending(void)
{
    const struct thread *t = thread_current();
    const struct proc *p = t->proc;

    return t->arch.work && ((p->sig.group_exit && p->sig.dumper != t) ||
                            ((t->sig.queue.pending | p->sig.queue.pending) & SIGMASK(SIGKILL)));
}

/* ---- Queues ---- */

static void queue_init(struct signal_queue *q)
{
    q->pending = 0;
    list_init(&q->infos);
}

struct user *signal_charge(const struct proc *p)
{
    struct user *u = user_get_uid(p->cred.uid);

    if (u && !user_charge(u, USER_SIGNALS, 1, p->rlimits[RLIMIT_SIGPENDING].cur)) {
        user_put(u);
        return NULL;
    }
    return u;
}

void signal_uncharge(struct user *u)
{
    user_uncharge(u, USER_SIGNALS, 1);
    user_put(u);
}

/* Takes e off its queue; *out, unless NULL, is what it says. */
static void queued_leave(struct proc *p, struct queued_signal *e, struct siginfo *out)
{
    list_remove(&e->link);
    if (e->embedded)
        posix_timer_taken(e);
    if (out)
        *out = e->info;
    if (e->embedded)
        return;
    if (e->user)
        signal_uncharge(e->user);
    p->sig.queued--;
    if (p->sig.spare)
        kmfree(e);
    else
        p->sig.spare = e;
}

/* charged: as real-time signals are. What the kernel and kill send of the others is not, so that it
 * never fails: each waits once. */
static struct queued_signal *queued_alloc(struct proc *p, bool charged)
{
    struct queued_signal *e = p->sig.spare;
    struct user *u = charged ? signal_charge(p) : NULL;

    if (charged && !u)
        return NULL;
    if (e) {
        p->sig.spare = NULL;
    } else {
        e = kmalloc(sizeof(*e));
        if (!e) {
            if (u)
                signal_uncharge(u);
            return NULL;
        }
        e->embedded = false;
    }
    e->user = u;
    p->sig.queued++;
    return e;
}

#define DISCARD_STEP 200

/* Takes up to a step's worth off a queue whose process is over; whether there is more. */
static bool queue_drain(struct proc *p, struct signal_queue *q)
{
    q->pending = 0;
    for (int n = 0; n < DISCARD_STEP && !list_empty(&q->infos); n++)
        queued_leave(p, list_first_entry(&q->infos, struct queued_signal, link), NULL);
    return !list_empty(&q->infos);
}

static void queue_discard(struct proc *p, struct signal_queue *q, sigset64_t set)
{
    struct queued_signal *e, *next;

    if (!(q->pending & set))
        return;
    q->pending &= ~set;
    list_for_each_entry_safe (e, next, &q->infos, link)
        if (SIGMASK(e->info.signo) & set)
            queued_leave(p, e, NULL);
}

void signal_discard(struct proc *p, sigset64_t set)
{
    struct thread *t;

    queue_discard(p, &p->sig.queue, set);
    list_for_each_entry (t, &p->threads, proc_link)
        queue_discard(p, &t->sig.queue, set);
}

/* Takes signo, which is pending, from q. */
static void queue_take(struct proc *p, struct signal_queue *q, int signo, struct siginfo *out)
{
    struct queued_signal *e, *found = NULL;

    list_for_each_entry (e, &q->infos, link) {
        if (e->info.signo != signo)
            continue;
        if (found) { /* one more of the same waits behind it */
            queued_leave(p, found, out);
            return;
        }
        found = e;
    }
    q->pending &= ~SIGMASK(signo);
    if (found) {
        queued_leave(p, found, out);
    } else {
        memset(out, 0, sizeof(*out));
        out->signo = signo;
    }
}

/* The next of set: faults first, because their address belongs to the code that runs now. */
static int lowest(sigset64_t set)
{
    if (set & SIGS_SYNCHRONOUS)
        set &= SIGS_SYNCHRONOUS;
    if ((uint32_t)set)
        return __builtin_ctz((uint32_t)set) + 1;
    return __builtin_ctz((uint32_t)(set >> 32)) + 33;
}

int signal_dequeue(struct thread *t, sigset64_t set, struct siginfo *out)
{
    struct signal_queue *q = &t->sig.queue;
    int signo;

    if (!(q->pending & set)) {
        q = &t->proc->sig.queue;
        if (!(q->pending & set))
            return 0;
    }
    signo = lowest(q->pending & set);
    queue_take(t->proc, q, signo, out);
    if (signo == SIGALRM && t->proc->sig.real_interval && !t->proc->sig.real_timer.armed)
        timer_forward(&t->proc->sig.real_timer, t->proc->sig.real_interval);
    return signo;
}

/* ---- Sending ---- */

static bool is_traced(const struct proc *p, const struct thread *t)
{
    return t ? t->trace != NULL : p->trace && p->trace->thread;
}

/* A tracer hears of what would be ignored, too. */
static bool handler_ignores(const struct proc *p, const struct thread *t, int signo)
{
    uint32_t handler = p->handlers->action[signo - 1].handler;

    if (handler > SIG_IGN || (signo != SIGKILL && is_traced(p, t)))
        return false;
    return handler == SIG_IGN || p == init_proc || (SIGMASK(signo) & SIGS_IGNORED);
}

static bool wants(const struct thread *t, sigset64_t bit)
{
    if (t->state == THREAD_DEAD || t->sig.in_stop || ptrace_in_stop(t))
        return false;
    return !(t->sig.mask & bit) || (t->sig.waiting & bit);
}

/* Who slept meets its signal before the sender goes on, as it mostly does on Linux: a shell that
 * kills or continues a job and looks at once finds it so. */
static void wake_thread(struct thread *t)
{
    t->arch.work = true;
    sched_interrupt(t);
    if (t->state == THREAD_SLEEPING && sched_wake_from(t, THREAD_SLEEPING))
        sched_prefer(t);
}

void signal_wake_threads(struct proc *p, bool stopped_too)
{
    struct thread *t;

    list_for_each_entry (t, &p->threads, proc_link) {
        wake_thread(t);
        if (stopped_too && sched_wake_from(t, THREAD_STOPPED))
            sched_prefer(t);
    }
}

/* Out of every stop: they are to die. */
static void wake_to_die(struct proc *p)
{
    struct thread *t;

    signal_wake_threads(p, true);
    list_for_each_entry (t, &p->threads, proc_link)
        ptrace_wake_killed(t);
}

/* Those that die go first: that gives back memory, and ends what eats the machine. */
static void hurry_threads(struct proc *p)
{
    struct thread *t;

    list_for_each_entry (t, &p->threads, proc_link)
        sched_hurry(t);
}

static void wake_for(struct proc *p, struct thread *target, sigset64_t bit)
{
    struct thread *t;

    if (bit == SIGMASK(SIGKILL)) {
        wake_to_die(p);
        hurry_threads(p);
    } else if (target) {
        if (wants(target, bit))
            wake_thread(target);
    } else {
        list_for_each_entry (t, &p->threads, proc_link)
            if (wants(t, bit)) {
                wake_thread(t);
                return;
            }
    }
}

/* Queues the signal; whether there was anything to do. */
static int queue_add(struct proc *p, struct signal_queue *q, int signo, const struct siginfo *info,
                     struct queued_signal *e)
{
    const sigset64_t bit = SIGMASK(signo);
    bool realtime = signo >= 32;

    if (!realtime && (q->pending & bit))
        return 0;
    if (e) {
        if (!list_empty(&e->link))
            return 0;
    } else if (info) {
        e = queued_alloc(p, realtime);
    }
    if (!e && realtime && info && info->code != SI_USER)
        return -EAGAIN;
    if (e) {
        e->info = *info;
        e->info.signo = signo;
        list_add_tail(&q->infos, &e->link);
    }
    q->pending |= bit;
    return 1;
}

void signal_requeue(struct thread *t, int signo, const struct siginfo *info)
{
    (void)queue_add(t->proc, &t->sig.queue, signo, info, NULL);
}

static bool blocked_by(struct proc *p, const struct thread *t, sigset64_t bit)
{
    if (!t) {
        if (list_empty(&p->threads))
            return false;
        t = list_first_entry(&p->threads, struct thread, proc_link);
    }
    return t->sig.mask & bit;
}

static const struct siginfo kernel_info = {.code = SI_KERNEL};

int signal_post(struct proc *p, struct thread *t, int signo, const struct siginfo *info,
                struct queued_signal *q)
{
    struct signal_handlers *h = p->handlers;
    const sigset64_t bit = SIGMASK(signo);
    int done = 0;

    if (!h || p->state == PROC_ZOMBIE || !p->space) /* over, or the kernel's own */
        return 0;
    spin_lock(&h->lock);
    if (p->sig.dumper && signo != SIGKILL) { /* it is over for these */
        spin_unlock(&h->lock);
        return 0;
    }
    if (bit & SIGS_STOP)
        signal_discard(p, SIGMASK(SIGCONT));
    else if (signo == SIGCONT)
        signal_continue(p);
    if (!handler_ignores(p, t, signo) || blocked_by(p, t, bit)) {
        done =
            queue_add(p, t ? &t->sig.queue : &p->sig.queue, signo, info ? info : &kernel_info, q);
        if (done > 0) {
            signal_tell_listeners(h, bit);
            wake_for(p, t, bit);
        }
    }
    spin_unlock(&h->lock);
    return done < 0 ? done : 0;
}

int signal_try_send(struct proc *p, struct thread *t, int signo, const struct siginfo *info)
{
    return signal_post(p, t, signo, info, NULL);
}

void signal_send_proc(struct proc *p, int signo, const struct siginfo *info)
{
    signal_post(p, NULL, signo, info, NULL);
}

void signal_send_thread(struct thread *t, int signo, const struct siginfo *info)
{
    signal_post(t->proc, t, signo, info, NULL);
}

void signal_force_current(int signo, const struct siginfo *info)
{
    struct thread *t = thread_current();
    struct signal_handlers *h = t->proc->handlers;
    struct signal_handler *a = &h->action[signo - 1];

    spin_lock(&h->lock);
    if (a->handler == SIG_IGN || (t->sig.mask & SIGMASK(signo)))
        a->handler = SIG_DFL;
    t->sig.mask &= ~SIGMASK(signo);
    queue_add(t->proc, &t->sig.queue, signo, info ? info : &kernel_info, NULL);
    t->arch.work = true;
    spin_unlock(&h->lock);
}

int signal_send_group(int32_t pgid, int signo, const struct siginfo *info)
{
    struct proc *p;
    int ret = -ESRCH;

    spin_lock(&proc_lock);
    for_each_of_group(p, pgid)
    {
        ret = 0;
        if (signo)
            signal_send_proc(p, signo, info);
    }
    spin_unlock(&proc_lock);
    return ret;
}

bool signal_is_blocked_or_ignored_current(int signo)
{
    struct thread *t = thread_current();

    return (t->sig.mask & SIGMASK(signo)) ||
           t->proc->handlers->action[signo - 1].handler == SIG_IGN;
}

/* ---- Masks ---- */

/* Signals for the process that woke t and that t has blocked since: somebody else's now. */
static void retarget(struct thread *t, sigset64_t newly_blocked)
{
    struct thread *other;

    newly_blocked &= t->proc->sig.queue.pending;
    if (!newly_blocked)
        return;
    list_for_each_entry (other, &t->proc->threads, proc_link)
        if (other != t && (newly_blocked & ~other->sig.mask))
            wake_thread(other);
}

void signal_change_mask(struct thread *t, sigset64_t mask)
{
    mask &= ~SIGS_UNMASKABLE;
    if (t->proc->nthreads > 1)
        retarget(t, mask & ~t->sig.mask);
    t->sig.mask = mask;
    signal_recalc(t);
}

void signal_set_mask(sigset64_t mask)
{
    struct thread *t = thread_current();
    struct signal_handlers *h = t->proc->handlers;

    spin_lock(&h->lock);
    signal_change_mask(t, mask);
    spin_unlock(&h->lock);
}

void signal_set_temporary_mask(sigset64_t mask)
{
    struct thread *t = thread_current();

    t->sig.saved_mask = t->sig.mask;
    t->sig.restore_mask = true;
    signal_set_mask(mask);
}

void signal_restore_mask(void)
{
    struct thread *t = thread_current();

    if (t->sig.restore_mask) {
        t->sig.restore_mask = false;
        signal_set_mask(t->sig.saved_mask);
    }
}

/* ---- Group exit ---- */

bool signal_begin_group_exit(struct proc *p, int status)
{
    struct signal_handlers *h = p->handlers;
    bool first;

    spin_lock(&h->lock);
    first = !p->sig.group_exit;
    if (first) {
        p->sig.group_exit = true;
        p->sig.group_exit_status = status;
        wake_to_die(p);
    }
    spin_unlock(&h->lock);
    return first;
}

void signal_end_group_exit(struct proc *p)
{
    spin_lock(&p->handlers->lock);
    p->sig.group_exit = false;
    signal_recalc(thread_current());
    spin_unlock(&p->handlers->lock);
}

/* ---- Life cycle ---- */

static struct signal_handlers *handlers_new(const struct signal_handlers *from)
{
    struct signal_handlers *h = from ? kmalloc(sizeof(*h)) : kzalloc(sizeof(*h));

    if (!h)
        return NULL;
    if (from)
        memcpy(h->action, from->action, sizeof(h->action));
    spin_init(&h->lock, "signal", LOCK_RANK_SIGNAL);
    h->refs = 1;
    list_init(&h->listeners);
    return h;
}

static void handlers_put(struct signal_handlers *h)
{
    uint32_t left;

    spin_lock(&h->lock);
    left = --h->refs;
    spin_unlock(&h->lock);
    if (left == 0) {
        signal_drop_listeners(h);
        kmfree(h);
    }
}

/* A periodic one starts again when the signal is taken, as on Linux. */
static void real_timer_fired(void *arg)
{
    struct proc *p = arg;

    spin_lock(&proc_lock);
    signal_send_proc(p, SIGALRM, NULL);
    spin_unlock(&proc_lock);
}

static void shared_init(struct proc *p)
{
    memset(&p->sig, 0, sizeof(p->sig));
    queue_init(&p->sig.queue);
    list_init(&p->sig.posix_timers);
    timer_init(&p->sig.real_timer, real_timer_fired, p);
}

void signal_init_proc(struct proc *p)
{
    shared_init(p);
    p->handlers = handlers_new(NULL);
    KASSERT(p->handlers);
}

int signal_fork(struct proc *parent, struct proc *child, bool share_handlers)
{
    struct signal_handlers *h = parent->handlers;

    shared_init(child);
    if (share_handlers) {
        spin_lock(&h->lock);
        h->refs++;
        spin_unlock(&h->lock);
        child->handlers = h;
        return 0;
    }
    child->handlers = handlers_new(h);
    return child->handlers ? 0 : -ENOMEM;
}

int signal_exec_reserve(struct proc *p, struct signal_handlers **spare)
{
    *spare = p->handlers->refs > 1 ? handlers_new(p->handlers) : NULL;
    return p->handlers->refs > 1 && !*spare ? -ENOMEM : 0;
}

/* A program that shares its handlers with another process gets its own table. */
static void handlers_replace(struct proc *p, struct signal_handlers *own)
{
    struct signal_handlers *old = p->handlers;

    spin_lock(&old->lock);
    memcpy(own->action, old->action, sizeof(own->action));
    spin_unlock(&old->lock);
    spin_lock(&proc_lock);
    p->handlers = own;
    spin_unlock(&proc_lock);
    handlers_put(old);
}

void signal_clear_handlers(struct signal_handlers *h)
{
    struct signal_handler *a;

    for (a = h->action; a < h->action + NSIG; a++) {
        if (a->handler != SIG_IGN)
            a->handler = SIG_DFL;
        a->flags = a->restorer = 0;
        a->mask = 0;
    }
}

void signal_exec(struct proc *p, struct signal_handlers **spare)
{
    struct thread *t = thread_current();

    if (*spare)
        handlers_replace(p, *spare);
    *spare = NULL;
    posix_timers_delete(p);
    spin_lock(&p->handlers->lock);
    signal_clear_handlers(p->handlers);
    t->sig.altstack_size = 0;
    t->sig.restart_fn = NULL;
    spin_unlock(&p->handlers->lock);
}

void signal_free_proc(struct proc *p)
{
    struct signal_handlers *h = p->handlers;

    if (!h)
        return;
    timer_cancel(&p->sig.real_timer);
    posix_timers_delete(p);
    spin_lock(&h->lock);
    while (queue_drain(p, &p->sig.queue)) {
        spin_unlock(&h->lock);
        sched_point();
        spin_lock(&h->lock);
    }
    kmfree(p->sig.spare);
    p->handlers = NULL;
    spin_unlock(&h->lock);
    handlers_put(h);
}

void signal_init_thread(struct thread *t, const struct thread *creator)
{
    struct signal_state *s = &t->sig;

    memset(s, 0, sizeof(*s));
    queue_init(&s->queue);
    t->arch.work = t->proc->sig.stopped || t->proc->sig.group_exit;
    if (!creator)
        return;
    s->mask = creator->sig.restore_mask ? creator->sig.saved_mask : creator->sig.mask;
    if (creator->proc != t->proc) {
        s->altstack = creator->sig.altstack;
        s->altstack_size = creator->sig.altstack_size;
        s->altstack_flags = creator->sig.altstack_flags;
    }
}

void signal_free_thread(struct thread *t)
{
    struct signal_handlers *h = t->proc->handlers;

    if (!t->sig.queue.pending)
        return;
    if (h)
        spin_lock(&h->lock);
    queue_discard(t->proc, &t->sig.queue, ~0ull);
    if (h)
        spin_unlock(&h->lock);
}
