/*
 * Descriptor tables, and the directories and umask of a process.
 *
 * A table is up to four blocks of 1,024 pointers; the first starts as a small array inside the
 * table and moves to a frame of its own when it overflows, the others come one by one. Bit 0 of an
 * entry is its close-on-exec flag (files are aligned to 8). No entry at or past top is used, none
 * below hint is free.
 *
 * Nothing here needs the kernel lock but the end of a table, and what closing may bring with it.
 * How much of its table's locks the current process needs is in proc->files_use.
 */
#include "arch/processors.h"
#include "arch/uaccess.h"
#include "fs/notify/dnotify.h"
#include "fs/vfs/internal.h"
#include "libc/string.h"

#define BLOCK_FDS  1024
#define BLOCKS     4
#define MAX_FDS    (BLOCKS * BLOCK_FDS)
#define INLINE_FDS 24
#define CLOEXEC    1u
#define SMALL_ROOM 32u

struct files {
    uint32_t refs;                      /* atomic */
    uint32_t processes;                 /* atomic; that have it, each by one of refs */
    struct spinlock lock;               /* LOCK_RANK_FILES */
    int capacity;                       /* [lock] entries that exist */
    int top;                            /* [lock] */
    int hint;                           /* [lock] */
    uint32_t room;                      /* [lock] see files_room() */
    uintptr_t *blocks[BLOCKS];          /* [lock] */
    uintptr_t inline_block[INLINE_FDS]; /* [lock] */
};

static struct file *entry_file(uintptr_t e)
{
    return (struct file *)(e & ~CLOEXEC);
}

/* [lock held] fd is below capacity. */
static uintptr_t *entry(struct files *t, int fd)
{
    return &t->blocks[(unsigned)fd / BLOCK_FDS][(unsigned)fd % BLOCK_FDS];
}

/* ---- The table of the current process ---- */

/* To change it: whichever it is stays so, and is its, until table_unlock(). */
static struct files *table_lock(struct proc *p)
{
    struct files *t;

    if (p->files_use == FILES_MINE)
        return p->files;
    if (p->files_use == FILES_SHARED)
        spin_lock(&p->files_lock);
    t = p->files;
    spin_lock(&t->lock);
    return t;
}

static void table_unlock(struct proc *p, struct files *t)
{
    if (p->files_use == FILES_MINE)
        return;
    spin_unlock(&t->lock);
    if (p->files_use == FILES_SHARED)
        spin_unlock(&p->files_lock);
}

void files_share(struct proc *p)
{
    p->files_use = FILES_SHARED;
}

void files_use_alone(struct proc *p)
{
    p->files_use = cpus_online > 1 ? FILES_SEEN : FILES_MINE;
}

uint32_t files_room(void)
{
    struct proc *p = proc_current();
    struct files *t = table_lock(p);
    uint32_t room = t->room;

    table_unlock(p, t);
    return room;
}

static uint32_t files_top(void)
{
    struct proc *p = proc_current();
    struct files *t = table_lock(p);
    uint32_t top = (uint32_t)t->top;

    table_unlock(p, t);
    return top;
}

/* Linux's size of a table that has had fd: it never shrinks. */
static uint32_t room_for(uint32_t fd)
{
    uint32_t room = SMALL_ROOM;

    while (room <= fd)
        room *= 2;
    return room;
}

/* [lock held] fd is used from now on. */
static void raise_top(struct files *t, int fd)
{
    if (fd < t->top)
        return;
    t->top = fd + 1;
    if ((uint32_t)fd >= t->room)
        t->room = room_for((uint32_t)fd);
}

struct files *files_new(void)
{
    struct files *t = kzalloc(sizeof(*t));

    if (!t)
        return NULL;
    t->refs = t->processes = 1;
    spin_init(&t->lock, "files", LOCK_RANK_FILES);
    t->capacity = INLINE_FDS;
    t->room = SMALL_ROOM;
    t->blocks[0] = t->inline_block;
    return t;
}

static void files_free(struct files *t)
{
    for (int i = 0; i < BLOCKS; i++) {
        if (t->blocks[i] && t->blocks[i] != t->inline_block)
            kfree(t->blocks[i]);
    }
    kmfree(t);
}

/* [lock held] Makes room for one more block, or moves the first to a frame. */
static int grow(struct files *t)
{
    uintptr_t *block = kalloc_zeroed();

    if (!block)
        return -ENOMEM;
    if (t->capacity == INLINE_FDS) {
        memcpy(block, t->inline_block, sizeof(t->inline_block));
        t->blocks[0] = block;
        t->capacity = BLOCK_FDS;
    } else {
        t->blocks[t->capacity / BLOCK_FDS] = block;
        t->capacity += BLOCK_FDS;
    }
    return 0;
}

static int grow_to(struct files *t, int fd)
{
    int err = 0;

    while (!err && fd >= t->capacity)
        err = grow(t);
    return err;
}

/* [from's lock held] */
static struct files *copy_locked(struct files *from)
{
    struct files *t = files_new();

    if (t && grow_to(t, from->top - 1)) {
        files_free(t);
        t = NULL;
    }
    if (!t)
        return NULL;
    for (int fd = 0; fd < from->top; fd++) {
        uintptr_t e = *entry(from, fd);

        *entry(t, fd) = e;
        if (e)
            file_ref(entry_file(e));
    }
    t->top = from->top;
    if (t->top)
        t->room = room_for((uint32_t)t->top - 1);
    t->hint = from->hint;
    return t;
}

struct files *files_copy(struct files *from)
{
    struct files *t;

    spin_lock(&from->lock);
    t = copy_locked(from);
    spin_unlock(&from->lock);
    return t;
}

/* What one open file takes: itself, and what has no name to be reached by otherwise. */
static uint32_t file_held_bytes(const struct file *f)
{
    const struct inode *i = f->inode;
    uint32_t bytes = sizeof(*f);

    if (i->nlink == 0 || inode_is_anon(i))
        bytes += sizeof(*i);
    if (i->nlink == 0 && S_ISREG(i->mode) && i->object)
        bytes += vm_object_pages(i->object) * PAGE_SIZE;
    if (f->ops->held)
        bytes += f->ops->held(f);
    return bytes / f->refs;
}

uint32_t files_held_bytes(struct files *t)
{
    uint32_t bytes = sizeof(*t);

    spin_lock(&t->lock);
    if (t->capacity > INLINE_FDS)
        bytes += (uint32_t)t->capacity * sizeof(uintptr_t);
    for (int fd = 0; fd < t->top; fd++) {
        const struct file *f = entry_file(*entry(t, fd));

        if (f && bytes < UINT32_MAX / 2)
            bytes += file_held_bytes(f);
    }
    spin_unlock(&t->lock);
    return bytes;
}

void files_ref(struct files *t)
{
    ref_get(&t->refs);
}

void files_join(struct files *t)
{
    ref_get(&t->processes);
    files_ref(t);
}

/* What closing a descriptor does to its file, besides. */
static void close_file(struct files *t, struct file *f)
{
    if (f->inode->locks) {
        kernel_need();
        locks_close_posix(f->inode, t);
    }
    if (f->dnotify) {
        kernel_need();
        dnotify_close(f, t);
    }
    if (f->ops->flush) {
        kernel_need();
        f->ops->flush(f);
    }
    file_put(f);
}

void files_put(struct files *t)
{
    if (!ref_put(&t->refs))
        return;
    kernel_need();
    for (int fd = 0; fd < t->top; fd++) {
        uintptr_t e = *entry(t, fd);

        if (e)
            close_file(t, entry_file(e));
        sched_point();
    }
    files_free(t);
}

void files_leave(struct files *t)
{
    (void)ref_put(&t->processes);
    files_put(t);
}

/* [lock held] Empties an entry; what was there, or NULL. */
static struct file *take_out(struct files *t, int fd)
{
    struct file *f;

    if ((unsigned)fd >= (unsigned)t->top)
        return NULL;
    f = entry_file(*entry(t, fd));
    if (!f)
        return NULL;
    *entry(t, fd) = 0;
    if (fd < t->hint)
        t->hint = fd;
    while (t->top > 0 && !*entry(t, t->top - 1))
        t->top--;
    return f;
}

void files_close_on_exec(struct proc *p)
{
    struct files *t = p->files;

    if (read_once(t->refs) == 1)
        files_use_alone(p);
    for (int fd = 0; fd < t->top; fd++) {
        struct file *f;

        spin_lock(&t->lock);
        f = fd < t->top && (*entry(t, fd) & CLOEXEC) ? take_out(t, fd) : NULL;
        spin_unlock(&t->lock);
        if (f)
            close_file(t, f);
        sched_point();
    }
}

/* ---- Descriptors of the current process ---- */

static int fd_limit(void)
{
    uint32_t cur = proc_current()->rlimits[RLIMIT_NOFILE].cur;

    return cur < MAX_FDS ? (int)cur : MAX_FDS;
}

/* [lock held] The lowest free descriptor not below min. */
static int lowest_free(struct files *t, int min)
{
    int fd = min > t->hint ? min : t->hint;

    while (fd < t->top && *entry(t, fd))
        fd++;
    return fd;
}

/* [the table stays as it is] */
static struct file *referenced(struct files *t, int fd)
{
    struct file *f = NULL;

    if ((unsigned)fd < (unsigned)t->top) {
        f = entry_file(*entry(t, fd));
        if (f)
            ref_get(&f->refs);
    }
    return f;
}

struct file *fd_get_any(int fd)
{
    struct proc *p = proc_current();
    struct files *t;
    struct file *f;

    if (p->files_use != FILES_SHARED)
        return referenced(p->files, fd);
    t = table_lock(p);
    f = referenced(t, fd);
    table_unlock(p, t);
    return f;
}

/* A reference that is good for more than the place of the file: f, or NULL. */
static struct file *unless_path(struct file *f)
{
    if (f && __builtin_expect(f->flags & O_PATH, 0)) {
        file_put(f);
        return NULL;
    }
    return f;
}

struct file *fd_get(int fd)
{
    return unless_path(fd_get_any(fd));
}

struct file *fd_get_beside(int fd, unsigned want)
{
    struct file *f = fd_get(fd);

    if (f && !(f->ops->beside & want))
        kernel_need();
    return f;
}

int fd_check_free(int min)
{
    struct proc *p = proc_current();
    int limit = fd_limit(), fd;
    struct files *t;

    if (p->files_use != FILES_SHARED && p->files->top < limit)
        return min < limit ? 0 : -EMFILE;
    t = table_lock(p);
    fd = lowest_free(t, min);
    table_unlock(p, t);
    return fd < limit ? 0 : -EMFILE;
}

int fd_install(struct file *f, int min, bool cloexec)
{
    struct proc *p = proc_current();
    struct files *t = table_lock(p);
    int fd, err = 0;

    fd = lowest_free(t, min);
    if (fd >= t->capacity || fd >= fd_limit())
        err = fd < fd_limit() ? grow_to(t, fd) : -EMFILE;
    if (!err) {
        *entry(t, fd) = (uintptr_t)f | (cloexec ? CLOEXEC : 0);
        raise_top(t, fd);
        if (min <= t->hint)
            t->hint = fd + 1;
    }
    table_unlock(p, t);
    if (!err)
        return fd;
    file_put(f);
    return err;
}

int fd_install_pair(struct file *f[2], bool cloexec, void __user *ufds)
{
    int32_t fds[2];
    int err;

    fds[0] = fd_install(f[0], 0, cloexec);
    if (fds[0] < 0) {
        file_put(f[1]);
        return fds[0];
    }
    fds[1] = fd_install(f[1], 0, cloexec);
    err = fds[1] < 0 ? fds[1] : copy_to_user(ufds, fds, sizeof(fds));
    if (!err)
        return 0;
    fd_close(fds[0]);
    if (fds[1] >= 0)
        fd_close(fds[1]);
    return err;
}

/* [the table locked, let go of] f, which was taken out of it, or NULL, is closed. */
static void close_taken(struct proc *p, struct files *t, struct file *f)
{
    bool kept = f && p->files_use == FILES_SHARED; /* it may not be the process's any more */

    if (kept)
        files_ref(t);
    table_unlock(p, t);
    if (f)
        close_file(t, f);
    if (kept)
        files_put(t);
}

int fd_close(int fd)
{
    struct proc *p = proc_current();
    struct files *t = table_lock(p);
    struct file *f = take_out(t, fd);

    close_taken(p, t, f);
    return f ? 0 : -EBADF;
}

struct file *files_next(struct files *t, int *fd)
{
    struct file *f = NULL;

    spin_lock(&t->lock);
    for (; !f && *fd < t->top; ++*fd) {
        f = entry_file(*entry(t, *fd));
        if (f) {
            file_ref(f);
            break;
        }
    }
    spin_unlock(&t->lock);
    return f;
}

struct file *files_get(struct files *t, int fd)
{
    struct file *f;

    spin_lock(&t->lock);
    f = referenced(t, fd);
    spin_unlock(&t->lock);
    return f;
}

/* Puts f (a reference, consumed) at fd, closing what was there. */
static int install_at(struct file *f, int fd, bool cloexec)
{
    struct proc *p = proc_current();
    struct file *old = NULL;
    struct files *t;
    int err;

    if (fd < 0 || fd >= fd_limit())
        return -EBADF;
    t = table_lock(p);
    err = grow_to(t, fd);
    if (!err) {
        old = entry_file(*entry(t, fd));
        *entry(t, fd) = (uintptr_t)f | (cloexec ? CLOEXEC : 0);
        raise_top(t, fd);
    }
    close_taken(p, t, old);
    return err ? err : fd;
}

int fd_cloexec(int fd)
{
    struct proc *p = proc_current();
    struct files *t = table_lock(p);
    int r = -EBADF;

    if ((unsigned)fd < (unsigned)t->top && *entry(t, fd))
        r = *entry(t, fd) & CLOEXEC;
    table_unlock(p, t);
    return r;
}

int fd_set_cloexec(int fd, bool on)
{
    struct proc *p = proc_current();
    struct files *t = table_lock(p);
    int r = -EBADF;

    if ((unsigned)fd < (unsigned)t->top && *entry(t, fd)) {
        *entry(t, fd) = (*entry(t, fd) & ~CLOEXEC) | (on ? CLOEXEC : 0);
        r = 0;
    }
    table_unlock(p, t);
    return r;
}

int fd_dup(struct file *f, int min, bool cloexec)
{
    if (min < 0 || min >= fd_limit())
        return -EINVAL;
    file_ref(f);
    return fd_install(f, min, cloexec);
}

/* ---- System calls ---- */

long sys_close(uint32_t fd)
{
    return fd_close((int)fd);
}

long sys_dup(uint32_t fd)
{
    struct file *f = fd_get_any((int)fd);

    return f ? fd_install(f, 0, false) : -EBADF;
}

static long dup_to(int oldfd, int newfd, bool cloexec)
{
    struct file *f;
    int r;

    if (newfd < 0 || newfd >= fd_limit())
        return -EBADF;
    f = fd_get_any(oldfd);
    if (!f)
        return -EBADF;
    r = install_at(f, newfd, cloexec);
    if (r < 0)
        file_put(f);
    return r;
}

long sys_dup2(uint32_t oldfd, uint32_t newfd)
{
    if (oldfd == newfd)
        return fd_cloexec((int)oldfd) < 0 ? -EBADF : (long)newfd;
    return dup_to((int)oldfd, (int)newfd, false);
}

long sys_dup3(uint32_t oldfd, uint32_t newfd, uint32_t flags)
{
    if ((flags & ~O_CLOEXEC) || oldfd == newfd)
        return -EINVAL;
    return dup_to((int)oldfd, (int)newfd, flags & O_CLOEXEC);
}

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

int files_unshare(struct proc *p)
{
    struct files *old = p->files, *own;

    if (read_once(old->processes) == 1)
        return 0;
    spin_lock(&proc_lock);
    spin_lock(&p->files_lock); /* what other threads open and close meanwhile is in the copy */
    own = files_copy(old);
    if (own)
        p->files = own;
    spin_unlock(&p->files_lock);
    spin_unlock(&proc_lock);
    if (!own)
        return -ENOMEM;
    files_leave(old);
    return 0;
}

long sys_close_range(uint32_t first, uint32_t last, uint32_t flags)
{
    int err = 0;

    if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
        return -EINVAL;
    if (flags & CLOSE_RANGE_UNSHARE)
        err = files_unshare(proc_current());
    if (err)
        return err;
    for (uint32_t fd = first; fd <= last && fd < files_top(); fd++) {
        if (flags & CLOSE_RANGE_CLOEXEC)
            fd_set_cloexec((int)fd, true);
        else
            fd_close((int)fd);
        sched_point();
    }
    return 0;
}
