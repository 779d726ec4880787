/*
 * Advisory locks: POSIX record locks, open-file-description locks, flock.
 *
 * Each inode has a list of what is held on it. An owner is a descriptor table (POSIX: a process, as
 * its threads share the table) or an open file (the other two). Two locks conflict when their kinds
 * belong together, owners differ, ranges meet and one of them writes. An owner's own locks of one
 * kind never overlap: a new one replaces what it covers. In the list they stand together, the
 * lowest first, and owners in the order in which they came, so that F_GETLK tells what Linux's
 * does.
 *
 * Whoever has to wait sleeps on one queue for all and tries again. A POSIX waiter is listed with
 * the owner it waits for; a chain of those that leads back to itself is -EDEADLK.
 */
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "arch/uaccess.h"
#include "libc/printf.h"

#define F_GETLK      5
#define F_SETLKW     7
#define F_GETLK64    12
#define F_SETLKW64   14
#define F_OFD_GETLK  36
#define F_OFD_SETLK  37
#define F_OFD_SETLKW 38

#define RANGE_END INT64_MAX /* to the end of the file, wherever that comes to be */
#define MAX_LOCKS 2048      /* of a file: its list is walked with lock_lock held */
#define MAX_CHAIN 32        /* owners followed in search of a deadlock */

enum lock_kind { LOCK_POSIX, LOCK_OFD, LOCK_FLOCK };

struct file_lock {
    struct file_lock *next; /* [lock_lock] in inode->locks */
    const void *owner;
    enum lock_kind kind;
    int type;           /* F_RDLCK or F_WRLCK; F_UNLCK in a request */
    int pid;            /* as F_GETLK shows it; -1 for an open file description */
    int64_t start, end; /* inclusive */
    struct inode *inode;
    struct list all; /* [lock_lock] in all_locks, in order of serial; empty: a request or spare */
    uint64_t serial;
};

struct lock_waiter {
    struct list link; /* [lock_lock] */
    const void *owner, *waits_for;
};

static struct spinlock lock_lock = SPINLOCK_INIT("file locks", LOCK_RANK_FS);
static struct list all_locks = LIST_INIT(all_locks);       /* [lock_lock] */
static uint64_t last_serial;                               /* [lock_lock] */
static struct list lock_waiters = LIST_INIT(lock_waiters); /* [lock_lock] */
static struct waitq lock_queue = {
    .lock = SPINLOCK_INIT("file lock queue", LOCK_RANK_WAITQ),
    .waiters = LIST_INIT(lock_queue.waiters),
};

static uint32_t lock_count; /* atomic */

static struct file_lock *lock_new(void)
{
    struct file_lock *l = kmalloc(sizeof(*l));

    if (!l)
        return NULL;
    list_init(&l->all);
    __atomic_fetch_add(&lock_count, 1, __ATOMIC_RELAXED);
    return l;
}

static void lock_free(struct file_lock *l)
{
    if (!l)
        return;
    list_remove(&l->all);
    __atomic_fetch_sub(&lock_count, 1, __ATOMIC_RELAXED);
    kmfree(l);
}

/* [lock_lock held] l is new in the list of its inode. */
static void lock_enlist(struct file_lock *l)
{
    l->serial = ++last_serial;
    list_init(&l->all);
    list_add_tail(&all_locks, &l->all);
}

static bool kinds_meet(enum lock_kind a, enum lock_kind b)
{
    return (a == LOCK_FLOCK) == (b == LOCK_FLOCK);
}

static bool overlap(const struct file_lock *a, const struct file_lock *b)
{
    return a->start <= b->end && b->start <= a->end;
}

static bool same_owner(const struct file_lock *a, const struct file_lock *b)
{
    return a->owner == b->owner && a->kind == b->kind;
}

/* [lock_lock held] The first lock that stands in the way of want, or NULL. */
static struct file_lock *conflict(const struct inode *i, const struct file_lock *want)
{
    struct file_lock *l;

    for (l = i->locks; l; l = l->next) {
        if (kinds_meet(l->kind, want->kind) && !same_owner(l, want) && overlap(l, want) &&
            (l->type == F_WRLCK || want->type == F_WRLCK))
            return l;
    }
    return NULL;
}

/* [lock_lock held] Cuts want's range out of the lock *p; spare serves when that leaves two pieces,
 * the right one behind new, if that is listed. True when *p was taken out altogether. */
static bool cut(struct file_lock **p, const struct file_lock *want, struct file_lock *new,
                struct file_lock **spare)
{
    struct file_lock *l = *p, *right, *before = new ? new : l;

    if (l->start < want->start && l->end > want->end) {
        right = *spare;
        *spare = NULL;
        *right = *l;
        lock_enlist(right);
        right->start = want->end + 1;
        l->end = want->start - 1;
        right->next = before->next;
        before->next = right;
    } else if (l->start < want->start) {
        l->end = want->start - 1;
    } else if (l->end > want->end) {
        l->start = want->end + 1;
    } else {
        *p = l->next;
        lock_free(l);
        return true;
    }
    return false;
}

/* [lock_lock held] A lock of the same owner and type that touches new becomes part of it. */
static void merge(struct inode *i, struct file_lock *new)
{
    struct file_lock **p = &i->locks;

    while (*p) {
        struct file_lock *l = *p;
        bool touches = l != new &&same_owner(l, new) && l->type == new->type &&
                       (l->end == new->start - 1 || new->end == l->start - 1);

        if (!touches) {
            p = &l->next;
            continue;
        }
        if (l->start < new->start)
            new->start = l->start;
        if (l->end > new->end)
            new->end = l->end;
        *p = l->next;
        lock_free(l);
    }
}

/* [lock_lock held] Where new belongs among the locks of its owner, or at the end. */
static void insert(struct inode *i, struct file_lock *new)
{
    struct file_lock **p = &i->locks;

    while (*p && !same_owner(*p, new))
        p = &(*p)->next;
    while (*p && same_owner(*p, new) && (*p)->start < new->start)
        p = &(*p)->next;
    new->next = *p;
    *p = new;
}

/* [lock_lock held] Nothing conflicts: makes the owner's locks as want says. Uses up the spares. */
static void apply(struct inode *i, const struct file_lock *want, struct file_lock *spares[2])
{
    struct file_lock **p = &i->locks, *new = NULL;

    if (want->type != F_UNLCK) {
        new = spares[1];
        spares[1] = NULL;
        *new = *want;
        new->inode = i;
        lock_enlist(new);
        insert(i, new); /* first, so that the owner keeps his place */
    }
    while (*p) {
        if (*p == new || !same_owner(*p, want) || !overlap(*p, want) ||
            !cut(p, want, new, &spares[0]))
            p = &(*p)->next;
    }
    if (new)
        merge(i, new);
}

/* [lock_lock held] */
static bool has_too_many(const struct inode *i)
{
    const struct file_lock *l = i->locks;
    unsigned n = 0;

    for (; l && n < MAX_LOCKS; l = l->next)
        n++;
    return n == MAX_LOCKS;
}

/* Tries once. 0, -EAGAIN with the owner in the way in *blocker, or -ENOLCK. */
static int try_lock(struct inode *i, const struct file_lock *want, const void **blocker)
{
    struct file_lock *spares[2] = {lock_new(), lock_new()}, *c;
    int err = 0;

    if (!spares[0] || !spares[1] || (want->type != F_UNLCK && lock_count > fs_limits.locks)) {
        err = -ENOLCK;
        goto out;
    }
    spin_lock(&lock_lock);
    c = want->type == F_UNLCK ? NULL : conflict(i, want);
    if (c) {
        *blocker = c->owner;
        err = -EAGAIN;
    } else if (want->type != F_UNLCK && has_too_many(i)) {
        err = -ENOLCK;
    } else {
        apply(i, want, spares);
    }
    spin_unlock(&lock_lock);
    if (!err)
        wake_all(&lock_queue);
out:
    lock_free(spares[0]);
    lock_free(spares[1]);
    return err;
}

/* ---- Waiting ---- */

/* [lock_lock held] */
static const void *who_blocks(const void *owner)
{
    struct lock_waiter *w;

    list_for_each_entry (w, &lock_waiters, link) {
        if (w->owner == owner)
            return w->waits_for;
    }
    return NULL;
}

/* [lock_lock held] */
static bool would_deadlock(const void *owner, const void *blocker)
{
    for (int n = 0; blocker && n < MAX_CHAIN; n++) {
        if (blocker == owner)
            return true;
        blocker = who_blocks(blocker);
    }
    return false;
}

static int list_waiter(struct lock_waiter *w, const struct file_lock *want, const void *blocker)
{
    int err = 0;

    w->owner = want->owner;
    w->waits_for = blocker;
    spin_lock(&lock_lock);
    if (want->kind == LOCK_POSIX && would_deadlock(want->owner, blocker))
        err = -EDEADLK;
    else
        list_add_tail(&lock_waiters, &w->link);
    spin_unlock(&lock_lock);
    return err;
}

static int lock_waiting(struct inode *i, const struct file_lock *want)
{
    struct lock_waiter w;
    const void *blocker = NULL;
    int err;

    for (;;) {
        struct wait_entry e;

        waitq_prepare(&lock_queue, &e, THREAD_SLEEPING);
        err = try_lock(i, want, &blocker);
        if (err == -EAGAIN)
            err = list_waiter(&w, want, blocker) ? -EDEADLK : -EAGAIN;
        if (err == -EAGAIN) {
            if (!signal_pending_current())
                schedule();
            spin_lock(&lock_lock);
            list_remove(&w.link);
            spin_unlock(&lock_lock);
        }
        waitq_finish(&e);
        if (err != -EAGAIN)
            return err;
        if (signal_pending_current())
            return -ERESTARTSYS;
    }
}

static int set_lock(struct inode *i, const struct file_lock *want, bool wait)
{
    const void *blocker;

    return wait ? lock_waiting(i, want) : try_lock(i, want, &blocker);
}

static void drop_all(struct inode *i, const void *owner, enum lock_kind kind)
{
    struct file_lock **p = &i->locks;
    bool found = false;

    spin_lock(&lock_lock);
    while (*p) {
        struct file_lock *l = *p;

        if (l->owner != owner || l->kind != kind) {
            p = &l->next;
            continue;
        }
        *p = l->next;
        lock_free(l);
        found = true;
    }
    spin_unlock(&lock_lock);
    if (found)
        wake_all(&lock_queue);
}

void locks_close_posix(struct inode *i, struct files *owner)
{
    drop_all(i, owner, LOCK_POSIX);
}

void locks_close_file(struct file *f)
{
    drop_all(f->inode, f, LOCK_OFD);
    drop_all(f->inode, f, LOCK_FLOCK);
}

/* ---- fcntl ---- */

struct flock64 {
    int16_t type, whence;
    int64_t start, len;
    int32_t pid;
} __attribute__((packed));

struct flock32 {
    int16_t type, whence;
    int32_t start, len;
    int32_t pid;
};

static int flock_from_user(struct flock64 *out, void __user *uflock, bool wide)
{
    struct flock32 narrow;

    if (wide)
        return copy_from_user(out, uflock, sizeof(*out));
    if (copy_from_user(&narrow, uflock, sizeof(narrow)))
        return -EFAULT;
    *out = (struct flock64){narrow.type, narrow.whence, narrow.start, narrow.len, narrow.pid};
    return 0;
}

static int flock_to_user(void __user *uflock, const struct flock64 *in, bool wide)
{
    struct flock32 narrow;

    if (wide)
        return copy_to_user(uflock, in, sizeof(*in));
    if (in->start > INT32_MAX || in->len > INT32_MAX)
        return -EOVERFLOW;
    narrow = (struct flock32){in->type, in->whence, (int32_t)in->start, (int32_t)in->len, in->pid};
    return copy_to_user(uflock, &narrow, sizeof(narrow));
}

/* The range a request means, in absolute bytes. */
static int range_of(struct file *f, const struct flock64 *fl, struct file_lock *l)
{
    int64_t base, start;

    switch (fl->whence) {
    case SEEK_SET:
        base = 0;
        break;
    case SEEK_CUR:
        base = (int64_t)f->pos;
        break;
    case SEEK_END:
        base = (int64_t)inode_size(f->inode);
        break;
    default:
        return -EINVAL;
    }
    if (__builtin_add_overflow(base, fl->start, &start))
        return -EOVERFLOW;
    if (start < 0)
        return -EINVAL;
    l->start = start;
    l->end = RANGE_END;
    if (fl->len > 0) {
        if (__builtin_add_overflow(start, fl->len - 1, &l->end))
            return -EOVERFLOW;
    } else if (fl->len < 0) {
        if (start + fl->len < 0)
            return -EINVAL;
        l->end = start - 1;
        l->start = start + fl->len;
    }
    return 0;
}

static int make_request(struct file *f, const struct flock64 *fl, bool ofd, struct file_lock *l)
{
    if (fl->type != F_RDLCK && fl->type != F_WRLCK && fl->type != F_UNLCK)
        return -EINVAL;
    if (ofd && fl->pid != 0)
        return -EINVAL;
    l->kind = ofd ? LOCK_OFD : LOCK_POSIX;
    l->owner = ofd ? (const void *)f : proc_current()->files;
    l->type = fl->type;
    l->pid = ofd ? -1 : proc_current()->pid;
    return range_of(f, fl, l);
}

static int get_lock(struct file *f, struct flock64 *fl, bool ofd)
{
    struct file_lock l, *c;
    int err = make_request(f, fl, ofd, &l);

    if (!err && l.type == F_UNLCK && !ofd)
        err = -EINVAL;
    if (err)
        return err;
    fl->type = F_UNLCK;
    spin_lock(&lock_lock);
    c = conflict(f->inode, &l);
    if (c) {
        fl->type = c->type;
        fl->whence = SEEK_SET;
        fl->start = c->start;
        fl->len = c->end == RANGE_END ? 0 : c->end - c->start + 1;
        fl->pid = c->pid;
    }
    spin_unlock(&lock_lock);
    return 0;
}

static int set_posix(struct file *f, int fd, const struct flock64 *fl, bool ofd, bool wait)
{
    struct file_lock l;
    struct file *now;
    int err = make_request(f, fl, ofd, &l);

    if (err)
        return err;
    if ((l.type == F_RDLCK && !file_readable(f)) || (l.type == F_WRLCK && !file_writable(f)))
        return -EBADF;
    err = set_lock(f->inode, &l, wait);
    if (err || l.type == F_UNLCK || ofd)
        return err;
    /* Another thread may have closed fd while this one slept: then the lock has no descriptor. */
    now = fd_get_any(fd);
    if (now != f) {
        l.type = F_UNLCK;
        set_lock(f->inode, &l, false);
        err = -EBADF;
    }
    if (now)
        file_put(now);
    return err;
}

long locks_fcntl(struct file *f, int fd, uint32_t cmd, uint32_t arg)
{
    bool ofd = cmd >= F_OFD_GETLK, wide = cmd >= F_GETLK64;
    bool get = cmd == F_GETLK || cmd == F_GETLK64 || cmd == F_OFD_GETLK;
    bool wait = cmd == F_SETLKW || cmd == F_SETLKW64 || cmd == F_OFD_SETLKW;
    struct flock64 fl;
    int err;

    if (flock_from_user(&fl, (void __user *)arg, wide))
        return -EFAULT;
    if (!get)
        return set_posix(f, fd, &fl, ofd, wait);
    err = get_lock(f, &fl, ofd);
    return err ? err : flock_to_user((void __user *)arg, &fl, wide);
}

/* ---- /proc/locks ---- */

static int describe(const struct file_lock *l, unsigned ordinal, char *buf, size_t size)
{
    static const char *const kinds[] = {
        [LOCK_POSIX] = "POSIX ", [LOCK_OFD] = "OFDLCK", [LOCK_FLOCK] = "FLOCK "};
    uint32_t dev = l->inode->sb ? l->inode->sb->dev : 0;
    char end[24] = "EOF";

    if (l->end != RANGE_END)
        snprintf(end, sizeof(end), "%lld", (long long)l->end);
    return snprintf(buf, size, "%u: %s ADVISORY  %s %d %02x:%02x:%u %lld %s\n", ordinal,
                    kinds[l->kind], l->type == F_WRLCK ? "WRITE" : "READ", l->pid, DEV_MAJOR(dev),
                    DEV_MINOR(dev), l->inode->ino, (long long)l->start, end);
}

int locks_line(void *from, uint64_t *item, char *buf, size_t size)
{
    struct file_lock *l;
    unsigned ordinal = 0;
    int n = 0;

    (void)from;
    spin_lock(&lock_lock);
    list_for_each_entry (l, &all_locks, all) {
        ordinal++;
        if (l->serial < *item)
            continue;
        *item = l->serial;
        n = describe(l, ordinal, buf, size);
        break;
    }
    spin_unlock(&lock_lock);
    return n;
}

/* ---- flock ---- */

#define LOCK_SH 1u
#define LOCK_EX 2u
#define LOCK_NB 4u
#define LOCK_UN 8u

static int flock_type(uint32_t op)
{
    switch (op & ~LOCK_NB) {
    case LOCK_SH:
        return F_RDLCK;
    case LOCK_EX:
        return F_WRLCK;
    case LOCK_UN:
        return F_UNLCK;
    default:
        return -EINVAL;
    }
}

long sys_flock(uint32_t fd, uint32_t op)
{
    struct file_lock want = {.kind = LOCK_FLOCK, .type = flock_type(op), .end = RANGE_END};
    struct file *f;
    long err;

    if (want.type < 0)
        return -EINVAL;
    f = fd_get((int)fd);
    if (!f)
        return -EBADF;
    want.owner = f;
    want.pid = proc_current()->pid;
    err = set_lock(f->inode, &want, !(op & LOCK_NB));
    file_put(f);
    return err;
}
