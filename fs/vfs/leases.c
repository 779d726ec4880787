/*
 * Leases: whoever holds a file open is told, by a signal, before somebody else opens or truncates
 * it, who waits meanwhile. man 2 fcntl, "Leases"
 *
 * A lease to read (F_RDLCK) is broken by who opens for writing or truncates, one to write by any
 * other open. From then on it is pending: its holder lowers it (F_SETLEASE) or closes the file, or
 * lease_break_time later it is lowered for him, by whoever looks at it next.
 */
#include "fs/notify/owner.h"
#include "fs/vfs/internal.h"
#include "kernel/time/time.h"

struct lease {
    struct lease *next; /* [lease_lock] of the same inode */
    const struct file *file;
    int fd; /* that it was asked for by, as the signal tells */
    int type;
    int pending;       /* what it is to become; type: nothing is asked of it */
    uint64_t deadline; /* when it will be lowered, TIME_NEVER: no time is set */
};

uint32_t lease_break_seconds = 45;
uint32_t leases_enabled = 1;

static struct spinlock lease_lock = SPINLOCK_INIT("leases", LOCK_RANK_NOTIFY);
static struct waitq lowered = {
    .lock = SPINLOCK_INIT("lowered leases", LOCK_RANK_WAITQ),
    .waiters = LIST_INIT(lowered.waiters),
};

/* ---- With lease_lock held ---- */

/* The lease *p becomes one of that type, or goes. */
static void lower(struct lease **p, int type)
{
    struct lease *l = *p;

    if (type == F_UNLCK) {
        *p = l->next;
        kmfree(l);
        return;
    }
    l->type = l->pending = type;
    l->deadline = TIME_NEVER;
}

/* Lowers what was asked to be lowered too long ago. */
static void expire(struct inode *i)
{
    uint64_t now = time_mono_ns();

    for (struct lease **p = &i->leases; *p;) {
        struct lease *l = *p;

        if (l->pending != l->type && now >= l->deadline)
            lower(p, l->pending);
        if (*p == l)
            p = &l->next;
    }
}

static struct lease **find(struct inode *i, const struct file *f)
{
    struct lease **p = &i->leases;

    while (*p && (*p)->file != f)
        p = &(*p)->next;
    return p;
}

static bool stands_in_the_way(const struct lease *l, bool write)
{
    return write || l->type == F_WRLCK;
}

/* The first deadline of those in the way, in *until; false: none is. Their holders are told, once.
 */
static bool ask(struct inode *i, bool write, uint64_t *until)
{
    int wanted = write ? F_UNLCK : F_RDLCK;
    bool found = false;

    expire(i);
    *until = TIME_NEVER;
    for (struct lease *l = i->leases; l; l = l->next) {
        if (!stands_in_the_way(l, write))
            continue;
        found = true;
        if (l->pending != F_UNLCK && l->pending != wanted) {
            if (l->pending == l->type)
                l->deadline = lease_break_seconds
                                  ? time_deadline(lease_break_seconds * (uint64_t)NSEC_PER_SEC)
                                  : TIME_NEVER;
            l->pending = wanted;
            owner_signal(l->file, l->fd, POLL_MSG);
        }
        if (l->deadline < *until)
            *until = l->deadline;
    }
    return found;
}

static bool in_the_way(struct inode *i, bool write, uint64_t *until)
{
    bool found;

    spin_lock(&lease_lock);
    found = ask(i, write, until);
    spin_unlock(&lease_lock);
    return found;
}

/* ---- Breaking ---- */

/* [no lock] Sleeps until something was lowered, or the time has come. -ERESTARTSYS */
static int wait_for_change(struct inode *i, bool write)
{
    struct wait_entry e;
    uint64_t until;
    int err = 0;

    waitq_prepare(&lowered, &e, THREAD_SLEEPING);
    if (in_the_way(i, write, &until)) {
        if (signal_pending_current())
            err = -ERESTARTSYS;
        else
            schedule_until(until);
    }
    waitq_finish(&e);
    return err;
}

int lease_break(struct inode *i, bool write, bool nonblock)
{
    uint64_t until;
    int err = 0;

    while (!err && in_the_way(i, write, &until))
        err = nonblock ? -EAGAIN : wait_for_change(i, write);
    return err;
}

/* ---- Setting ---- */

/* [lease_lock held] Whether others have the file open in a way that such a lease forbids. */
static bool is_open_otherwise(const struct file *f, int type)
{
    const struct inode *i = f->inode;
    int32_t own_write = file_writable(f), own_read = !own_write;

    if (type == F_RDLCK)
        return i->writers > 0;
    return i->writers != own_write || i->readers != own_read;
}

/* [lease_lock held] */
static bool others_refuse(const struct inode *i, const struct file *f, int type)
{
    for (const struct lease *l = i->leases; l; l = l->next)
        if (l->file != f && (type == F_WRLCK || l->pending == F_UNLCK))
            return true;
    return false;
}

/* [lease_lock held] *fresh is taken if there was none. */
static int set(struct file *f, int fd, int type, struct lease **fresh)
{
    struct inode *i = f->inode;
    struct lease **p;

    expire(i);
    p = find(i, f);
    if (is_open_otherwise(f, type) || others_refuse(i, f, type))
        return -EAGAIN;
    if (*p) {
        lower(p, type);
        return 0;
    }
    **fresh = (struct lease){.next = i->leases,
                             .file = f,
                             .fd = fd,
                             .type = type,
                             .pending = type,
                             .deadline = TIME_NEVER};
    i->leases = *fresh;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (is_open_otherwise(f, type)) { /* since just now: that open saw no lease */
        i->leases = (*fresh)->next;
        return -EAGAIN;
    }
    *fresh = NULL;
    return 0;
}

static int add(struct file *f, int fd, int type)
{
    struct lease *fresh = kmalloc(sizeof(*fresh));
    int err;

    if (!fresh)
        return -ENOMEM;
    spin_lock(&lease_lock);
    err = set(f, fd, type, &fresh);
    spin_unlock(&lease_lock);
    if (!err && !fresh)
        owner_set_current(f, false);
    kmfree(fresh);
    wake_all(&lowered);
    return err;
}

/* Whether it had one. */
static bool drop(struct file *f)
{
    struct lease **p;
    bool found;

    spin_lock(&lease_lock);
    p = find(f->inode, f);
    found = *p != NULL;
    if (found)
        lower(p, F_UNLCK);
    spin_unlock(&lease_lock);
    if (found)
        wake_all(&lowered);
    return found;
}

static int end(struct file *f)
{
    if (!drop(f))
        return -EAGAIN;
    f->owner = (struct file_owner){0};
    return 0;
}

long lease_set(struct file *f, int fd, uint32_t arg)
{
    if (arg > F_UNLCK)
        return -EINVAL;
    if (proc_current()->cred.fsuid != f->inode->uid && !capable(CAP_LEASE))
        return -EACCES;
    if (!S_ISREG(f->inode->mode) || !f->inode->object)
        return -EINVAL;
    if (arg == F_UNLCK)
        return end(f);
    return leases_enabled ? add(f, fd, (int)arg) : -EINVAL;
}

long lease_get(struct file *f)
{
    struct lease *l;
    long type;

    spin_lock(&lease_lock);
    expire(f->inode);
    l = *find(f->inode, f);
    type = l ? l->pending : F_UNLCK;
    spin_unlock(&lease_lock);
    return type;
}

void lease_close(struct file *f)
{
    (void)drop(f);
}
