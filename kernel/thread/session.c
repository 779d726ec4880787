/* Ids of processes, process groups and sessions. man 7 credentials. */
#include "kernel/thread/proc.h"
#include "libc/errno.h"

static const struct session_terminals *terminals; /* set once at boot */

void session_set_terminals(const struct session_terminals *t)
{
    terminals = t;
}

void session_terminal(struct proc *p, uint32_t *dev, int32_t *pgrp)
{
    *dev = 0;
    *pgrp = -1;
    if (terminals)
        terminals->describe(p, dev, pgrp);
}

long sys_getpid(void)
{
    return proc_current()->pid;
}

long sys_gettid(void)
{
    return thread_current()->tid;
}

long sys_getppid(void)
{
    return proc_current()->parent->pid;
}

/* [proc_lock held] The process that pid names, 0 being the caller. */
static struct proc *named(int32_t pid)
{
    struct thread *t;

    return proc_find_any(pid, &t);
}

long sys_getpgid(uint32_t pid)
{
    struct proc *p;
    long ret = -ESRCH;

    spin_lock(&proc_lock);
    p = named((int32_t)pid);
    if (p)
        ret = p->pgid;
    spin_unlock(&proc_lock);
    return ret;
}

long sys_getpgrp(void)
{
    return proc_current()->pgid;
}

long sys_getsid(uint32_t pid)
{
    struct proc *p;
    long ret = -ESRCH;

    spin_lock(&proc_lock);
    p = named((int32_t)pid);
    if (p)
        ret = p->sid;
    spin_unlock(&proc_lock);
    return ret;
}

/* [proc_lock held] Whether a group pgid exists in session sid. */
static bool group_in_session(int32_t pgid, int32_t sid)
{
    struct proc *p;

    for_each_of_group(p, pgid) if (p->sid == sid) return true;
    return false;
}

/* [proc_lock held] Whether the caller may move p into the group pgid. */
static int check_setpgid(const struct proc *p, int32_t pgid)
{
    const struct proc *self = proc_current();

    if (p != self) {
        if (p->parent != self)
            return -ESRCH;
        if (p->sid != self->sid)
            return -EPERM;
        if (p->did_exec)
            return -EACCES;
    }
    if (p->sid == p->pid)
        return -EPERM;
    if (pgid != p->pid && !group_in_session(pgid, self->sid))
        return -EPERM;
    return 0;
}

long sys_setpgid(uint32_t upid, uint32_t upgid)
{
    int32_t pid = (int32_t)upid, pgid = (int32_t)upgid;
    struct proc *p;
    long ret = -ESRCH;

    if (!pid)
        pid = proc_current()->pid;
    if (!pgid)
        pgid = pid;
    if (pgid < 0)
        return -EINVAL;
    spin_lock(&proc_lock);
    p = proc_find(pid);
    if (!p && thread_find(pid)) {
        ret = -EINVAL; /* a thread that is not the first */
    } else if (p) {
        ret = check_setpgid(p, pgid);
        if (!ret)
            proc_set_group(p, pgid);
    }
    spin_unlock(&proc_lock);
    return ret;
}

long sys_setsid(void)
{
    struct proc *self = proc_current();
    long ret = self->pid;

    spin_lock(&proc_lock);
    /* Its id must not be taken as a group by anybody, itself included. */
    if (proc_first_of_group(self->pid))
        ret = -EPERM;
    if (ret > 0) {
        proc_set_group(self, self->pid);
        proc_set_session(self, self->pid);
    }
    spin_unlock(&proc_lock);
    if (ret > 0 && terminals)
        terminals->detach(self);
    return ret;
}
