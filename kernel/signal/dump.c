/*
 * A process that writes its core: one thread does, the others wait at their end, with their
 * registers as they were. Until it is done nothing but SIGKILL reaches the process, and that ends
 * the writing.
 */
#include "kernel/signal/signal_impl.h"

bool signal_begin_dump(struct proc *p, int status)
{
    struct thread *t = thread_current();
    bool first;

    spin_lock(&p->handlers->lock);
    first = !p->sig.group_exit;
    if (first)
        p->sig.dumper = t;
    spin_unlock(&p->handlers->lock);
    if (!first)
        return false;
    (void)signal_begin_group_exit(p, status);
    wait_event(&p->child_exit, p->sig.waiting_for_dump == p->nthreads - 1);
    spin_lock(&p->handlers->lock);
    if (!((p->sig.queue.pending | t->sig.queue.pending) & SIGMASK(SIGKILL)))
        t->arch.work = false; /* it sleeps undisturbed; the end needs no signal */
    spin_unlock(&p->handlers->lock);
    return true;
}

int signal_end_dump(struct proc *p, bool dumped)
{
    int status;

    spin_lock(&p->handlers->lock);
    if (dumped && !fatal_signal_pending())
        p->sig.group_exit_status |= 0x80;
    status = p->sig.group_exit_status;
    p->sig.dumper = NULL;
    spin_unlock(&p->handlers->lock);
    wake_all(&p->child_exit);
    return status;
}

void signal_wait_for_dump(struct proc *p)
{
    spin_lock(&p->handlers->lock);
    p->sig.waiting_for_dump++;
    spin_unlock(&p->handlers->lock);
    wake_all(&p->child_exit);
    wait_event(&p->child_exit, !p->sig.dumper);
}
