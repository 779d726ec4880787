/*
 * System calls that send signals: kill and its relatives, and who may send what to whom.
 */
#include "arch/processors.h"
#include "kernel/signal/signal_impl.h"
#include "libc/errno.h"

#define SMALL_GROUP 32 /* whose members are met in one go */

/* man 2 kill: the sender's real or effective user is the target's real or saved one. */
static bool may_signal(const struct proc *to, int signo)
{
    const struct proc *from = proc_current();
    const struct cred *a = &from->cred, *b = &to->cred;

    if (from == to || capable(CAP_KILL))
        return true;
    if (a->euid == b->suid || a->euid == b->uid || a->uid == b->suid || a->uid == b->uid)
        return true;
    return signo == SIGCONT && from->sid == to->sid;
}

static int check(const struct proc *to, int signo)
{
    if (signo < 0 || signo > NSIG)
        return -EINVAL;
    return may_signal(to, signo) ? 0 : -EPERM;
}

/* [proc_lock held] t NULL: to the process. */
static int send(struct proc *p, struct thread *t, int signo, const struct siginfo *info)
{
    int ret = check(p, signo);

    return ret || !signo ? ret : signal_post(p, t, signo, info, NULL);
}

static struct siginfo sender_info(int code)
{
    const struct proc *p = proc_current();

    return (struct siginfo){.code = code, .pid = p->pid, .uid = (int32_t)p->cred.uid};
}

void signal_broken_pipe(void)
{
    struct siginfo info;

    kernel_need();
    info = sender_info(SI_USER);
    signal_send_thread(thread_current(), SIGPIPE, &info);
}

static int kill_one(int32_t pid, int signo, const struct siginfo *info)
{
    struct thread *t;
    struct proc *p;
    int ret;

    spin_lock(&proc_lock);
    p = proc_find_any(pid, &t);
    ret = p ? send(p, NULL, signo, info) : -ESRCH;
    spin_unlock(&proc_lock);
    return ret;
}

/* [proc_lock held] */
static bool group_is_small(int32_t pgid)
{
    struct proc *p;
    int members = 0;

    for_each_of_group(p, pgid) if (++members > SMALL_GROUP) return false;
    return true;
}

/* [proc_lock held] */
static int kill_small_group(int32_t pgid, int signo, const struct siginfo *info)
{
    int ret = -ESRCH, err;
    bool sent = false;
    struct proc *p;

    for_each_of_group(p, pgid)
    {
        err = send(p, NULL, signo, info);
        ret = err ? err : ret;
        sent |= !err;
    }
    return sent ? 0 : ret;
}

/* Success if one could be sent. A big group is met on a walk over all processes, which can give
 * way.
 */
static int kill_group(int32_t pgid, int signo, const struct siginfo *info)
{
    struct proc *p;
    uint32_t steps = 0;
    int ret = -ESRCH, err;
    bool sent = false;

    spin_lock(&proc_lock);
    if (group_is_small(pgid)) {
        ret = kill_small_group(pgid, signo, info);
        spin_unlock(&proc_lock);
        return ret;
    }
    for (p = proc_oldest(); p; p = proc_walk_on(p, &steps)) {
        if (p->pgid != pgid)
            continue;
        err = send(p, NULL, signo, info);
        if (err)
            ret = err;
        else
            sent = true;
    }
    spin_unlock(&proc_lock);
    return sent ? 0 : ret;
}

/* Everyone but init, the sender and the kernel's own. Children that are born meanwhile to one who
 * has not got it yet come later in the walk; one who has it has no more before he took it. */
static int kill_all(int signo, const struct siginfo *info)
{
    struct proc *p;
    uint32_t steps = 0;
    int ret = -ESRCH, err;

    spin_lock(&proc_lock);
    for (p = proc_oldest(); p; p = proc_walk_on(p, &steps)) {
        if (p->pid <= 1 || p == proc_current())
            continue;
        err = send(p, NULL, signo, info);
        if (ret == -ESRCH)
            ret = 0;
        if (err && err != -EPERM)
            ret = err;
    }
    spin_unlock(&proc_lock);
    return ret;
}

/* A program may pretend what it likes to itself only: others must see who it was. */
static bool may_claim(const struct siginfo *info, int32_t pid)
{
    return (info->code < 0 && info->code != SI_TKILL) || pid == proc_current()->pid;
}

int signal_send_handle(struct proc_handle *h, int signo, void __user *uinfo)
{
    struct siginfo info = sender_info(SI_USER);
    int ret;

    if (uinfo && siginfo_from_user(&info, uinfo))
        return -EFAULT;
    if (uinfo && info.signo != signo)
        return -EINVAL;
    if (uinfo && !may_claim(&info, h->pid))
        return -EPERM;
    spin_lock(&proc_lock);
    ret = h->proc ? send(h->proc, NULL, signo, &info) : -ESRCH;
    spin_unlock(&proc_lock);
    return ret;
}

long sys_kill(uint32_t upid, uint32_t usigno)
{
    int32_t pid = (int32_t)upid;
    int signo = (int)usigno;
    struct siginfo info = sender_info(SI_USER);

    if (pid > 0)
        return kill_one(pid, signo, &info);
    if (pid == -1)
        return kill_all(signo, &info);
    if (pid == INT32_MIN)
        return -ESRCH;
    return kill_group(pid ? -pid : proc_current()->pgid, signo, &info);
}

/* tgid 0: whichever process the thread is of. */
static long send_to_thread(int32_t tgid, int32_t tid, int signo, const struct siginfo *info)
{
    struct thread *t;
    struct proc *p;
    long ret = -ESRCH;

    spin_lock(&proc_lock);
    p = proc_find_any(tid, &t);
    if (p && (!tgid || p->pid == tgid)) /* one that is gone sees nothing of it */
        ret = t ? send(p, t, signo, info) : check(p, signo);
    spin_unlock(&proc_lock);
    return ret;
}

long sys_tgkill(uint32_t tgid, uint32_t tid, uint32_t signo)
{
    struct siginfo info = sender_info(SI_TKILL);

    if ((int32_t)tgid <= 0 || (int32_t)tid <= 0)
        return -EINVAL;
    return send_to_thread((int32_t)tgid, (int32_t)tid, (int)signo, &info);
}

long sys_tkill(uint32_t tid, uint32_t signo)
{
    struct siginfo info = sender_info(SI_TKILL);

    if ((int32_t)tid <= 0)
        return -EINVAL;
    return send_to_thread(0, (int32_t)tid, (int)signo, &info);
}

long sys_rt_sigqueueinfo(uint32_t pid, uint32_t signo, void __user *uinfo)
{
    struct siginfo info;

    if (siginfo_from_user(&info, uinfo))
        return -EFAULT;
    if (!may_claim(&info, (int32_t)pid))
        return -EPERM;
    return kill_one((int32_t)pid, (int)signo, &info);
}

long sys_rt_tgsigqueueinfo(uint32_t tgid, uint32_t tid, uint32_t signo, void __user *uinfo)
{
    struct siginfo info;

    if (siginfo_from_user(&info, uinfo))
        return -EFAULT;
    if ((int32_t)tgid <= 0 || (int32_t)tid <= 0)
        return -EINVAL;
    if (!may_claim(&info, (int32_t)tgid))
        return -EPERM;
    return send_to_thread((int32_t)tgid, (int32_t)tid, (int)signo, &info);
}
