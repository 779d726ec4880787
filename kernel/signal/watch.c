/*
 * Hearing of signals without having them delivered: what a signalfd rests on.
 *
 * A watch listens to the handlers of every process that has waited with it, since it may be
 * inherited: what it tells is what is pending for whoever asks. A listener is the tie between a
 * watch and handlers, and ends with either. There is one for each pair at most.
 */
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"

struct signal_listener {
    struct list of_handlers, of_watch; /* [watch_lock] */
    struct signal_watch *watch;
    const struct signal_handlers *handlers;
};

/* Taken with a process's handlers->lock held. */
static struct spinlock watch_lock = SPINLOCK_INIT("signal watches", LOCK_RANK_WATCH);

void signal_watch_init(struct signal_watch *w, sigset64_t set)
{
    w->set = set & ~SIGS_UNMASKABLE;
    w->count = 0;
    list_init(&w->listeners);
    waitq_init(&w->queue);
}

void signal_watch_change(struct signal_watch *w, sigset64_t set)
{
    spin_lock(&watch_lock);
    w->set = set & ~SIGS_UNMASKABLE;
    spin_unlock(&watch_lock);
    wake_all(&w->queue);
}

/* [watch_lock held] */
static bool listens(const struct signal_watch *w, const struct signal_handlers *h)
{
    const struct signal_listener *l;

    list_for_each_entry (l, &h->listeners, of_handlers)
        if (l->watch == w)
            return true;
    return false;
}

int signal_watch_current(struct signal_watch *w)
{
    struct signal_handlers *h = proc_current()->handlers;
    struct signal_listener *l = kmalloc(sizeof(*l));
    bool known;

    if (!l)
        return -ENOMEM;
    *l = (struct signal_listener){.watch = w, .handlers = h};
    spin_lock(&watch_lock);
    known = listens(w, h);
    if (!known) {
        list_add_tail(&h->listeners, &l->of_handlers);
        list_add_tail(&w->listeners, &l->of_watch);
        w->count++;
    }
    spin_unlock(&watch_lock);
    if (known)
        kmfree(l);
    return 0;
}

/* [watch_lock held] */
static void unlink_listener(struct signal_listener *l)
{
    list_remove(&l->of_handlers);
    list_remove(&l->of_watch);
    l->watch->count--;
}

void signal_watch_end(struct signal_watch *w)
{
    struct signal_listener *l;

    spin_lock(&watch_lock);
    while (!list_empty(&w->listeners)) {
        l = list_first_entry(&w->listeners, struct signal_listener, of_watch);
        unlink_listener(l);
        spin_unlock(&watch_lock);
        kmfree(l);
        spin_lock(&watch_lock);
    }
    spin_unlock(&watch_lock);
}

void signal_drop_listeners(struct signal_handlers *h)
{
    struct signal_listener *l;

    spin_lock(&watch_lock);
    while (!list_empty(&h->listeners)) {
        l = list_first_entry(&h->listeners, struct signal_listener, of_handlers);
        unlink_listener(l);
        spin_unlock(&watch_lock);
        kmfree(l);
        spin_lock(&watch_lock);
    }
    spin_unlock(&watch_lock);
}

void signal_tell_listeners(struct signal_handlers *h, sigset64_t bit)
{
    struct signal_listener *l;

    if (list_empty(&h->listeners))
        return;
    spin_lock(&watch_lock);
    list_for_each_entry (l, &h->listeners, of_handlers)
        if (l->watch->set & bit)
            wake_all(&l->watch->queue);
    spin_unlock(&watch_lock);
}

int signal_watch_take(const struct signal_watch *w, struct siginfo *info)
{
    struct thread *t = thread_current();
    int signo;

    spin_lock(&t->proc->handlers->lock);
    signo = signal_dequeue(t, w->set, info);
    signal_recalc(t);
    spin_unlock(&t->proc->handlers->lock);
    return signo;
}

bool signal_watch_pending(const struct signal_watch *w)
{
    const struct thread *t = thread_current();
    bool pending;

    spin_lock(&t->proc->handlers->lock);
    pending = (t->sig.queue.pending | t->proc->sig.queue.pending) & w->set;
    spin_unlock(&t->proc->handlers->lock);
    return pending;
}
