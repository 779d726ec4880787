/*
 * User and group ids: who a process is. The 16-bit calls of old programs are the 32-bit ones with
 * 65535 standing for -1 and 65534 for what does not fit. man 7 credentials.
 */
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define NO_CHANGE UINT32_MAX

uint32_t overflow_uid = 65534, overflow_gid = 65534;

static struct cred *cred_current(void)
{
    return &proc_current()->cred;
}

static uint32_t widen(uint32_t id16)
{
    return (id16 & 0xffff) == 0xffff ? NO_CHANGE : id16 & 0xffff;
}

/* ---- Reading ---- */

long sys_getuid32(void)
{
    return (long)cred_current()->uid;
}

long sys_geteuid32(void)
{
    return (long)cred_current()->euid;
}

long sys_getgid32(void)
{
    return (long)cred_current()->gid;
}

long sys_getegid32(void)
{
    return (long)cred_current()->egid;
}

long sys_getuid(void)
{
    return uid_narrow(cred_current()->uid);
}

long sys_geteuid(void)
{
    return uid_narrow(cred_current()->euid);
}

long sys_getgid(void)
{
    return gid_narrow(cred_current()->gid);
}

long sys_getegid(void)
{
    return gid_narrow(cred_current()->egid);
}

/* Three ids to user memory, each 4 or 2 bytes wide. */
static long put_ids(const uint32_t ids[3], void __user *const uptrs[3], bool wide,
                    uint16_t (*narrow)(uint32_t id))
{
    for (int i = 0; i < 3; i++) {
        uint16_t small = narrow(ids[i]);

        if (wide ? put_user_u32(uptrs[i], ids[i]) : copy_to_user(uptrs[i], &small, sizeof(small)))
            return -EFAULT;
    }
    return 0;
}

static long put_uids(void __user *r, void __user *e, void __user *s, bool wide)
{
    const struct cred *c = cred_current();

    return put_ids((uint32_t[]){c->uid, c->euid, c->suid}, (void __user *[]){r, e, s}, wide,
                   uid_narrow);
}

static long put_gids(void __user *r, void __user *e, void __user *s, bool wide)
{
    const struct cred *c = cred_current();

    return put_ids((uint32_t[]){c->gid, c->egid, c->sgid}, (void __user *[]){r, e, s}, wide,
                   gid_narrow);
}

long sys_getresuid32(void __user *r, void __user *e, void __user *s)
{
    return put_uids(r, e, s, true);
}

long sys_getresgid32(void __user *r, void __user *e, void __user *s)
{
    return put_gids(r, e, s, true);
}

long sys_getresuid(void __user *r, void __user *e, void __user *s)
{
    return put_uids(r, e, s, false);
}

long sys_getresgid(void __user *r, void __user *e, void __user *s)
{
    return put_gids(r, e, s, false);
}

/* ---- Changing ---- */

static bool is_uid(const struct cred *c, uint32_t id, bool saved)
{
    return id == NO_CHANGE || id == c->uid || id == c->euid || (saved && id == c->suid);
}

static bool is_gid(const struct cred *c, uint32_t id, bool saved)
{
    return id == NO_CHANGE || id == c->gid || id == c->egid || (saved && id == c->sgid);
}

/* A change of what a process may do takes away the right to look into it. */
static void commit(const struct cred *new)
{
    struct proc *p = proc_current();
    const struct cred *old = &p->cred;

    if (new->euid != old->euid || new->egid != old->egid || new->fsuid != old->fsuid ||
        new->fsgid != old->fsgid) {
        p->dumpable = (uint8_t)suid_dumpable;
        p->parent_death_signal = 0;
    }
    p->cred = *new;
}

/* The same where uids were set: what the process may changes with them. */
static void commit_uids(struct cred *new)
{
    cred_fix_caps(new, cred_current());
    commit(new);
}

long sys_setuid32(uint32_t id)
{
    struct cred c = *cred_current();

    if (id == NO_CHANGE)
        return -EINVAL;
    if (capable(CAP_SETUID))
        c.uid = c.suid = id;
    else if (id != c.uid && id != c.suid)
        return -EPERM;
    c.euid = c.fsuid = id;
    commit_uids(&c);
    return 0;
}

long sys_setgid32(uint32_t id)
{
    struct cred c = *cred_current();

    if (id == NO_CHANGE)
        return -EINVAL;
    if (capable(CAP_SETGID))
        c.gid = c.sgid = id;
    else if (id != c.gid && id != c.sgid)
        return -EPERM;
    c.egid = c.fsgid = id;
    commit(&c);
    return 0;
}

long sys_setreuid32(uint32_t r, uint32_t e)
{
    struct cred c = *cred_current();

    if (!capable(CAP_SETUID) && (!is_uid(&c, r, false) || !is_uid(&c, e, true)))
        return -EPERM;
    if (r != NO_CHANGE)
        c.uid = r;
    if (e != NO_CHANGE)
        c.euid = e;
    if (r != NO_CHANGE || (e != NO_CHANGE && e != cred_current()->uid))
        c.suid = c.euid;
    c.fsuid = c.euid;
    commit_uids(&c);
    return 0;
}

long sys_setregid32(uint32_t r, uint32_t e)
{
    struct cred c = *cred_current();

    if (!capable(CAP_SETGID) && (!is_gid(&c, r, false) || !is_gid(&c, e, true)))
        return -EPERM;
    if (r != NO_CHANGE)
        c.gid = r;
    if (e != NO_CHANGE)
        c.egid = e;
    if (r != NO_CHANGE || (e != NO_CHANGE && e != cred_current()->gid))
        c.sgid = c.egid;
    c.fsgid = c.egid;
    commit(&c);
    return 0;
}

long sys_setresuid32(uint32_t r, uint32_t e, uint32_t s)
{
    struct cred c = *cred_current();

    if (!capable(CAP_SETUID) &&
        (!is_uid(&c, r, true) || !is_uid(&c, e, true) || !is_uid(&c, s, true)))
        return -EPERM;
    if (r != NO_CHANGE)
        c.uid = r;
    if (e != NO_CHANGE)
        c.euid = e;
    if (s != NO_CHANGE)
        c.suid = s;
    c.fsuid = c.euid;
    commit_uids(&c);
    return 0;
}

long sys_setresgid32(uint32_t r, uint32_t e, uint32_t s)
{
    struct cred c = *cred_current();

    if (!capable(CAP_SETGID) &&
        (!is_gid(&c, r, true) || !is_gid(&c, e, true) || !is_gid(&c, s, true)))
        return -EPERM;
    if (r != NO_CHANGE)
        c.gid = r;
    if (e != NO_CHANGE)
        c.egid = e;
    if (s != NO_CHANGE)
        c.sgid = s;
    c.fsgid = c.egid;
    commit(&c);
    return 0;
}

/* These two return the id before, and have no way to fail. */
long sys_setfsuid32(uint32_t id)
{
    struct cred c = *cred_current();
    uint32_t old = c.fsuid;

    if (id != NO_CHANGE && (capable(CAP_SETUID) || is_uid(&c, id, true) || id == old))
        c.fsuid = id;
    cred_fix_fs_caps(&c, cred_current());
    commit(&c);
    return (long)old;
}

long sys_setfsgid32(uint32_t id)
{
    struct cred c = *cred_current();
    uint32_t old = c.fsgid;

    if (id != NO_CHANGE && (capable(CAP_SETGID) || is_gid(&c, id, true) || id == old))
        c.fsgid = id;
    commit(&c);
    return (long)old;
}

long sys_setuid(uint32_t id)
{
    return sys_setuid32(widen(id));
}

long sys_setgid(uint32_t id)
{
    return sys_setgid32(widen(id));
}

long sys_setreuid(uint32_t r, uint32_t e)
{
    return sys_setreuid32(widen(r), widen(e));
}

long sys_setregid(uint32_t r, uint32_t e)
{
    return sys_setregid32(widen(r), widen(e));
}

long sys_setresuid(uint32_t r, uint32_t e, uint32_t s)
{
    return sys_setresuid32(widen(r), widen(e), widen(s));
}

long sys_setresgid(uint32_t r, uint32_t e, uint32_t s)
{
    return sys_setresgid32(widen(r), widen(e), widen(s));
}

long sys_setfsuid(uint32_t id)
{
    return sys_setfsuid32(widen(id)); /* the old one is told in full */
}

long sys_setfsgid(uint32_t id)
{
    return sys_setfsgid32(widen(id));
}
