/*
 * shmctl, and the direct calls of shared memory; ipc(2) is in ipc.c.
 */
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "kernel/cred/user.h"
#include "kernel/ipc/shm.h"
#include "libc/errno.h"
#include "libc/string.h"

#define IPC_RMID     0
#define IPC_SET      1
#define IPC_STAT     2
#define IPC_INFO     3
#define SHM_LOCK     11
#define SHM_UNLOCK   12
#define SHM_STAT     13
#define SHM_INFO     14
#define SHM_STAT_ANY 15
#define IPC_64       0x100

/* ---- What programs see ---- */

struct perm64 {
    int32_t key;
    uint32_t uid, gid, cuid, cgid;
    uint16_t mode, pad1, seq, pad2;
    uint32_t unused[2];
};

struct shmid64 {
    struct perm64 perm;
    uint32_t size;
    uint32_t atime, atime_high, dtime, dtime_high, ctime, ctime_high;
    int32_t cpid, lpid;
    uint32_t attaches;
    uint32_t unused[2];
};

/* The same of the calls' first version. */
struct shmid_old {
    int32_t key;
    uint16_t uid, gid, cuid, cgid, mode, seq;
    int32_t size;
    int32_t atime, dtime, ctime;
    uint16_t cpid, lpid, attaches, unused;
    uint32_t unused2[2];
};

struct shminfo64 {
    uint32_t max, min, segments, per_process, all;
    uint32_t unused[4];
};

struct shm_info {
    int32_t segments;
    uint32_t pages, resident, swapped;
    uint32_t swap_attempts, swap_successes;
};

/* [shm_lock] */
static void pack(const struct shm_segment *s, struct shmid64 *out)
{
    *out = (struct shmid64){
        .perm = {.key = s->key,
                 .uid = s->uid,
                 .gid = s->gid,
                 .cuid = s->cuid,
                 .cgid = s->cgid,
                 .mode = (uint16_t)s->mode,
                 .seq = (uint16_t)(s->id >> 15)},
        .size = s->size,
        .atime = (uint32_t)s->atime,
        .atime_high = (uint32_t)(s->atime >> 32),
        .dtime = (uint32_t)s->dtime,
        .dtime_high = (uint32_t)(s->dtime >> 32),
        .ctime = (uint32_t)s->ctime,
        .ctime_high = (uint32_t)(s->ctime >> 32),
        .cpid = s->cpid,
        .lpid = s->lpid,
        .attaches = shm_attaches(s),
    };
}

static int put_stat(void __user *ubuf, const struct shmid64 *d, bool wide)
{
    struct shmid_old old = {
        .key = d->perm.key,
        .uid = uid_narrow(d->perm.uid),
        .gid = gid_narrow(d->perm.gid),
        .cuid = uid_narrow(d->perm.cuid),
        .cgid = gid_narrow(d->perm.cgid),
        .mode = d->perm.mode,
        .seq = d->perm.seq,
        .size = d->size > INT32_MAX ? INT32_MAX : (int32_t)d->size,
        .atime = (int32_t)d->atime,
        .dtime = (int32_t)d->dtime,
        .ctime = (int32_t)d->ctime,
        .cpid = (uint16_t)d->cpid,
        .lpid = (uint16_t)d->lpid,
        .attaches = (uint16_t)d->attaches,
    };

    return wide ? copy_to_user(ubuf, d, sizeof(*d)) : copy_to_user(ubuf, &old, sizeof(old));
}

/* ---- Commands ---- */

static long control_stat(int32_t id, int32_t cmd, void __user *ubuf, bool wide)
{
    struct shm_segment *s;
    struct shmid64 d;
    long r = -EINVAL;

    spin_lock(&shm_lock);
    s = cmd == IPC_STAT ? shm_find(id) : shm_at((uint32_t)id & 0x7fff);
    if (s) {
        r = cmd == SHM_STAT_ANY || shm_permits(s, 4) ? 0 : -EACCES;
        pack(s, &d);
        if (!r && cmd != IPC_STAT)
            r = s->id;
    }
    spin_unlock(&shm_lock);
    if (r >= 0 && put_stat(ubuf, &d, wide))
        r = -EFAULT;
    return r;
}

static long control_limits(void __user *ubuf, bool wide)
{
    struct shminfo64 info = {.max = shm_limits.max,
                             .min = 1,
                             .segments = shm_limits.segments,
                             .per_process = shm_limits.segments,
                             .all = shm_limits.all};
    struct shm_totals t;

    if (!wide && info.max > INT32_MAX)
        info.max = INT32_MAX;
    shm_total(&t);
    if (copy_to_user(ubuf, &info, wide ? sizeof(info) : 5 * sizeof(uint32_t)))
        return -EFAULT;
    return t.last;
}

static long control_totals(void __user *ubuf)
{
    struct shm_totals t;
    struct shm_info info = {0};

    shm_total(&t);
    info.segments = (int32_t)t.segments;
    info.pages = t.pages;
    info.resident = t.resident;
    return copy_to_user(ubuf, &info, sizeof(info)) ? -EFAULT : t.last;
}

/* [shm_lock] */
static bool owns(const struct shm_segment *s)
{
    uint32_t euid = proc_current()->cred.euid;

    return euid == s->uid || euid == s->cuid || capable(CAP_SYS_ADMIN);
}

struct ownership {
    uint32_t uid, gid, mode;
};

static int get_ownership(void __user *ubuf, bool wide, struct ownership *o)
{
    struct perm64 perm;
    struct shmid_old old;

    if (wide ? copy_from_user(&perm, ubuf, sizeof(perm)) : copy_from_user(&old, ubuf, sizeof(old)))
        return -EFAULT;
    *o = wide ? (struct ownership){perm.uid, perm.gid, perm.mode}
              : (struct ownership){old.uid, old.gid, old.mode};
    return 0;
}

/* [shm_lock] */
static void set_ownership(struct shm_segment *s, const struct ownership *o)
{
    s->uid = o->uid;
    s->gid = o->gid;
    s->mode = (s->mode & ~SHM_MODE) | (o->mode & SHM_MODE);
    s->ctime = time_real_sec();
}

/* IPC_RMID, or IPC_SET with what to set. */
static long control_owner(int32_t id, const struct ownership *set)
{
    struct vm_object *drop = NULL;
    struct shm_segment *s;
    long err;

    spin_lock(&shm_lock);
    s = shm_find(id);
    err = !s ? -EINVAL : owns(s) ? 0 : -EPERM;
    if (!err && set) {
        set_ownership(s, set);
    } else if (!err) {
        s->mode |= SHM_DEST;
        s->key = IPC_PRIVATE;
        if (shm_remove_if_unused(s))
            drop = s->object;
    }
    spin_unlock(&shm_lock);
    if (drop)
        vm_object_unref(drop);
    return err;
}

/* [shm_lock] */
static long may_lock(const struct shm_segment *s, bool lock)
{
    uint32_t euid = proc_current()->cred.euid;

    if (capable(CAP_IPC_LOCK))
        return 0;
    if (euid != s->uid && euid != s->cuid)
        return -EPERM;
    return lock && proc_current()->rlimits[RLIMIT_MEMLOCK].cur == 0 ? -EPERM : 0;
}

/* [shm_lock] Takes u over; all that a user has locked is below his RLIMIT_MEMLOCK. */
static long lock_pages(struct shm_segment *s, struct user *u)
{
    uint32_t limit = proc_current()->rlimits[RLIMIT_MEMLOCK].cur;

    limit = limit == UINT32_MAX || capable(CAP_IPC_LOCK) ? UINT32_MAX : limit >> PAGE_SHIFT;
    if (!user_charge(u, USER_LOCKED_PAGES, shm_pages_of(s->size), limit))
        return -ENOMEM;
    s->locker = u;
    s->mode |= SHM_LOCKED;
    vm_object_set_locked(s->object, true);
    return 0;
}

static long control_lock(int32_t id, bool lock)
{
    struct user *u = lock ? user_get() : NULL;
    struct shm_segment *s;
    bool kept = false;
    long err;

    if (lock && !u)
        return -ENOMEM;
    spin_lock(&shm_lock);
    s = shm_find(id);
    err = s ? may_lock(s, lock) : -EINVAL;
    if (!err && !lock) {
        shm_unlock(s);
    } else if (!err && !(s->mode & SHM_LOCKED)) {
        err = lock_pages(s, u);
        kept = !err;
    }
    spin_unlock(&shm_lock);
    if (u && !kept)
        user_put(u);
    return err;
}

long shm_control(int32_t id, int32_t cmd, void __user *ubuf, bool wide)
{
    struct ownership o;

    if (cmd < 0 || id < 0)
        return -EINVAL;
    switch (cmd) {
    case IPC_INFO:
        return control_limits(ubuf, wide);
    case SHM_INFO:
        return control_totals(ubuf);
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
        return control_stat(id, cmd, ubuf, wide);
    case IPC_SET:
        return get_ownership(ubuf, wide, &o) ? -EFAULT : control_owner(id, &o);
    case IPC_RMID:
        return control_owner(id, NULL);
    case SHM_LOCK:
    case SHM_UNLOCK:
        return control_lock(id, cmd == SHM_LOCK);
    default:
        return -EINVAL;
    }
}

/* ---- System calls ---- */

long sys_shmget(uint32_t key, uint32_t size, uint32_t flags)
{
    return shm_get((int32_t)key, size, flags);
}

/* No address is above INT32_MAX: user addresses end there. */
long sys_shmat(uint32_t id, uint32_t addr, uint32_t flags)
{
    uint32_t at;
    long err = shm_attach((int32_t)id, addr, flags, &at);

    return err ? err : (long)at;
}

long sys_shmdt(uint32_t addr)
{
    return shm_detach(addr);
}

long sys_shmctl(uint32_t id, uint32_t cmd, void __user *ubuf)
{
    return shm_control((int32_t)id, (int32_t)cmd, ubuf, true);
}
