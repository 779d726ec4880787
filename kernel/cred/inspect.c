/*
 * Who may look into a process, or change how it runs: the rule of man 2 ptrace, "access mode
 * checking". It stands before everything that shows what is private to a program: its memory,
 * descriptors, links.
 */
#include "kernel/thread/proc.h"

uint32_t suid_dumpable = DUMPABLE_NOT;

bool proc_may_inspect(const struct proc *p, enum inspect_ids which)
{
    const struct cred *me = &proc_current()->cred, *c = &p->cred;
    uint32_t uid = which == INSPECT_FS ? me->fsuid : me->uid;
    uint32_t gid = which == INSPECT_FS ? me->fsgid : me->gid;

    if (p == proc_current() || capable(CAP_SYS_PTRACE))
        return true;
    if (c->permitted & ~me->permitted)
        return false;
    return p->dumpable == DUMPABLE_USER && uid == c->euid && uid == c->suid && uid == c->uid &&
           gid == c->egid && gid == c->sgid && gid == c->gid;
}

bool proc_may_schedule(const struct proc *p)
{
    uint32_t euid = proc_current()->cred.euid;

    return euid == p->cred.euid || euid == p->cred.uid || capable(CAP_SYS_NICE);
}
