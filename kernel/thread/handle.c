/*
 * Handles of processes: what names a process for good, also when it is gone and another one has its
 * number. A pidfd is one. A process has one handle at most, made when it is first asked for; the
 * process holds a reference until it is waited for.
 */
#include "kernel/thread/proc.h"
#include "libc/errno.h"

struct proc_handle *proc_handle_new(void)
{
    struct proc_handle *h = kzalloc(sizeof(*h));

    if (!h)
        return NULL;
    h->refs = 1;
    h->pid = -1;
    waitq_init(&h->queue);
    return h;
}

void proc_handle_put(struct proc_handle *h)
{
    if (__atomic_sub_fetch(&h->refs, 1, __ATOMIC_ACQ_REL) == 0)
        kmfree(h);
}

void proc_handle_attach(struct proc_handle *h, struct proc *p)
{
    __atomic_fetch_add(&h->refs, 1, __ATOMIC_RELAXED);
    h->proc = p;
    h->pid = p->pid;
    p->handle = h;
}

struct proc_handle *proc_handle_get(int32_t pid, int *err)
{
    struct proc_handle *fresh = proc_handle_new(), *h = NULL;
    struct proc *p;

    *err = -ENOMEM;
    if (!fresh)
        return NULL;
    spin_lock(&proc_lock);
    p = proc_find(pid);
    *err = p ? 0 : thread_find(pid) ? -EINVAL : -ESRCH;
    if (p && !p->handle)
        proc_handle_attach(fresh, p);
    h = p ? p->handle : NULL;
    if (h && h != fresh)
        __atomic_fetch_add(&h->refs, 1, __ATOMIC_RELAXED);
    spin_unlock(&proc_lock);
    if (h != fresh)
        proc_handle_put(fresh);
    return h;
}

bool proc_handle_over(struct proc_handle *h)
{
    bool over;

    spin_lock(&proc_lock);
    over = h->over || (h->proc && h->proc->state == PROC_ZOMBIE);
    spin_unlock(&proc_lock);
    return over;
}

void proc_handle_detach(struct proc *p)
{
    struct proc_handle *h = p->handle;

    h->over = true;
    h->proc = NULL;
    p->handle = NULL;
    wake_all(&h->queue);
    proc_handle_put(h);
}
