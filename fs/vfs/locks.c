/*
 * Advisory locks: POSIX record locks, open-file-description locks, flock.
 *
 * An owner is a descriptor table (POSIX: a process, as its threads share the table) or an open file
 * (the other two). Two locks conflict when their kinds belong together, owners differ, ranges meet
 * and one of them writes. An owner's own locks of one kind never overlap: a new one replaces what
 * it covers. They are a treap by place, balanced by a hash of the node's address; an inode has a
 * chain of the roots, in the order in which owners came, so that F_GETLK tells what Linux's does.
 *
 * Whoever has to wait sleeps on one queue for all and tries again. A POSIX waiter is listed with
 * the owner it waits for; a chain of those that leads back to itself is -EDEADLK.
 */
#include "fs/vfs/internal.h"
#include "fs/vfs/locks.h"
#include "fs/vfs/limits.h"
#include "libc/printf.h"

#define MAX_LOCKS 2048 /* of a file: as many owners are walked with lock_lock held */
#define FREE_STEP 200  /* locks freed with lock_lock held */
#define CHAINS    64u  /* a power of two */
#define MAX_CHAIN 32   /* owners followed in search of a deadlock */

struct lock_waiter {
    struct lock_waiter *next; /* [lock_lock] */
    const void *owner, *waits_for;
};

static struct spinlock lock_lock = SPINLOCK_INIT("file locks", LOCK_RANK_FS);
static struct list all_locks = LIST_INIT(all_locks); /* [lock_lock] */
static uint64_t last_serial;                         /* [lock_lock] */
static struct lock_waiter *lock_waiters[CHAINS];     /* [lock_lock] by owner */
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

static bool same_owner(const struct file_lock *a, const struct file_lock *b)
{
    return a->owner == b->owner && a->kind == b->kind;
}

/* ---- The locks of an owner ---- */

static uint32_t size_of(const struct file_lock *l)
{
    return l ? l->size : 0;
}

static void tree_update_node(struct file_lock *l)
{
    l->size = size_of(l->left) + size_of(l->right) + 1;
}

#define TREE_NODE             struct file_lock
#define TREE_KEY              int64_t
#define TREE_BELOW(node, key) ((node)->start < (key))
#define TREE_PRIORITY(node)   tree_priority_by(node)
#include "libc/treap.h"

static struct file_lock *lowest(struct file_lock *root)
{
    while (root && root->left)
        root = root->left;
    return root;
}

static struct file_lock *highest(struct file_lock *root)
{
    while (root && root->right)
        root = root->right;
    return root;
}

/* Takes the highest, or the lowest, out of a tree that is not empty. */
static struct file_lock *take_highest(struct file_lock **at)
{
    struct file_lock *l;

    for (; (*at)->right; at = &(*at)->right)
        (*at)->size--;
    l = *at;
    *at = l->left;
    l->left = NULL;
    tree_update_node(l);
    return l;
}

static struct file_lock *take_lowest(struct file_lock **at)
{
    struct file_lock *l;

    for (; (*at)->left; at = &(*at)->left)
        (*at)->size--;
    l = *at;
    *at = l->right;
    l->right = NULL;
    tree_update_node(l);
    return l;
}

/* The first that ends at or behind the place, or NULL. */
static struct file_lock *first_from(struct file_lock *root, int64_t at)
{
    struct file_lock *found = NULL;

    while (root) {
        if (root->end >= at) {
            found = root;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    return found;
}

/* ---- The locks of a file ---- */

/* [lock_lock held] The lock of the owner with that root that stands in the way of want, or NULL. */
static struct file_lock *in_the_way(struct file_lock *root, const struct file_lock *want)
{
    struct file_lock *l = first_from(root, want->start);

    while (l && l->start <= want->end && l->type != F_WRLCK && want->type != F_WRLCK)
        l = l->end == LOCK_RANGE_END ? NULL : first_from(root, l->end + 1);
    return l && l->start <= want->end ? l : NULL;
}

/* [lock_lock held] The first lock that stands in the way of want, or NULL. */
static struct file_lock *conflict(const struct inode *i, const struct file_lock *want)
{
    struct file_lock *root, *l;

    for (root = i->locks; root; root = root->next) {
        if (!kinds_meet(root->kind, want->kind) || same_owner(root, want))
            continue;
        l = in_the_way(root, want);
        if (l)
            return l;
    }
    return NULL;
}

/* [lock_lock held] Where the root of that owner's locks is in the chain, or the chain's end. */
static struct file_lock **root_of(struct inode *i, const void *owner, enum lock_kind kind)
{
    struct file_lock **p = &i->locks;

    while (*p && ((*p)->owner != owner || (*p)->kind != kind))
        p = &(*p)->next;
    return p;
}

/* [lock_lock held] The locks that begin in want's range are out of their tree: of the last one
 * what lies behind the range goes back, the others are returned. */
static struct file_lock *keep_end(struct file_lock *covered, const struct file_lock *want,
                                  struct file_lock **above)
{
    struct file_lock *l = highest(covered);

    if (!l || l->end <= want->end)
        return covered;
    l = take_highest(&covered);
    l->start = want->end + 1;
    *above = tree_join(l, *above);
    return covered;
}

/* [lock_lock held] Cuts want's range out of the lock below it; spare serves when that leaves two
 * pieces. */
static void keep_begin(struct file_lock *below, const struct file_lock *want,
                       struct file_lock **spare, struct file_lock **above)
{
    struct file_lock *l = highest(below), *right;

    if (!l || l->end < want->start)
        return;
    if (l->end > want->end) {
        right = *spare;
        *spare = NULL;
        *right = *l;
        lock_enlist(right);
        right->start = want->end + 1;
        right->left = right->right = NULL;
        tree_update_node(right);
        *above = tree_join(right, *above);
    }
    l->end = want->start - 1;
}

/* [lock_lock held] The neighbours of new that are of its type become part of it; they are added to
 * *gone. */
static void merge(struct file_lock *new, struct file_lock **below, struct file_lock **above,
                  struct file_lock **gone)
{
    struct file_lock *l = highest(*below);

    if (l && l->type == new->type && l->end == new->start - 1) {
        new->start = l->start;
        *gone = tree_join(take_highest(below), *gone);
    }
    l = lowest(*above);
    if (l && l->type == new->type &&new->end != LOCK_RANGE_END && l->start == new->end + 1) {
        new->end = l->end;
        *gone = tree_join(*gone, take_lowest(above));
    }
}

static struct file_lock *enlist_new(struct inode *i, const struct file_lock *want,
                                    struct file_lock **spare)
{
    struct file_lock *new = *spare;

    *spare = NULL;
    *new = *want;
    new->inode = i;
    new->left = new->right = NULL;
    tree_update_node(new);
    lock_enlist(new);
    return new;
}

/* [lock_lock held] Nothing conflicts: makes the owner's locks as want says. Uses up the spares.
 * Returns what is to be freed. */
static struct file_lock *apply(struct inode *i, const struct file_lock *want,
                               struct file_lock *spares[2])
{
    struct file_lock **p = root_of(i, want->owner, want->kind), *root = *p, *new = NULL;
    struct file_lock *next = root ? root->next : NULL, *below, *above = NULL, *covered;

    if (want->type != F_UNLCK)
        new = enlist_new(i, want, &spares[1]);
    tree_split(root, want->start, &below, &covered);
    if (want->end != LOCK_RANGE_END)
        tree_split(covered, want->end + 1, &covered, &above);
    covered = keep_end(covered, want, &above);
    keep_begin(below, want, &spares[0], &above);
    if (new)
        merge(new, &below, &above, &covered);
    root = tree_join(tree_join(below, new), above);
    if (root)
        root->next = next;
    *p = root ? root : next;
    return covered;
}

/* Of a tree that is nobody's any more. */
static void free_locks(struct file_lock *root)
{
    while (root) {
        spin_lock(&lock_lock);
        for (int n = 0; root && n < FREE_STEP; n++)
            lock_free(take_lowest(&root));
        spin_unlock(&lock_lock);
        sched_point();
    }
}

/* [lock_lock held] */
static bool has_too_many(const struct inode *i)
{
    const struct file_lock *root;
    uint32_t n = 0;

    for (root = i->locks; root; root = root->next)
        n += root->size;
    return n >= MAX_LOCKS;
}

/* Tries once. 0, -EAGAIN with the owner in the way in *blocker, or -ENOLCK. */
static int try_lock(struct inode *i, const struct file_lock *want, const void **blocker)
{
    struct file_lock *spares[2] = {lock_new(), lock_new()}, *c, *gone = NULL;
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
        gone = apply(i, want, spares);
    }
    spin_unlock(&lock_lock);
    free_locks(gone);
    if (!err)
        wake_all(&lock_queue);
out:
    lock_free(spares[0]);
    lock_free(spares[1]);
    return err;
}

/* ---- Waiting ---- */

static struct lock_waiter **waiters_of(const void *owner)
{
    return &lock_waiters[((uintptr_t)owner >> 6) % CHAINS];
}

/* [lock_lock held] */
static const void *who_blocks(const void *owner)
{
    const struct lock_waiter *w = *waiters_of(owner);

    while (w && w->owner != owner)
        w = w->next;
    return w ? w->waits_for : NULL;
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
    struct lock_waiter **chain = waiters_of(want->owner);
    int err = 0;

    w->owner = want->owner;
    w->waits_for = blocker;
    spin_lock(&lock_lock);
    if (want->kind == LOCK_POSIX && would_deadlock(want->owner, blocker)) {
        err = -EDEADLK;
    } else {
        w->next = *chain;
        *chain = w;
    }
    spin_unlock(&lock_lock);
    return err;
}

static void unlist_waiter(struct lock_waiter *w)
{
    struct lock_waiter **p = waiters_of(w->owner);

    spin_lock(&lock_lock);
    while (*p != w)
        p = &(*p)->next;
    *p = w->next;
    spin_unlock(&lock_lock);
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
            unlist_waiter(&w);
        }
        waitq_finish(&e);
        if (err != -EAGAIN)
            return err;
        if (signal_pending_current())
            return -ERESTARTSYS;
    }
}

int lock_set(struct inode *i, const struct file_lock *want, bool wait)
{
    const void *blocker;

    return wait ? lock_waiting(i, want) : try_lock(i, want, &blocker);
}

bool lock_conflicts(struct inode *i, const struct file_lock *want, struct file_lock *out)
{
    const struct file_lock *l;

    spin_lock(&lock_lock);
    l = conflict(i, want);
    if (l)
        *out = *l;
    spin_unlock(&lock_lock);
    return l != NULL;
}

static void drop_all(struct inode *i, const void *owner, enum lock_kind kind)
{
    struct file_lock **p, *root;

    spin_lock(&lock_lock);
    p = root_of(i, owner, kind);
    root = *p;
    if (root)
        *p = root->next;
    spin_unlock(&lock_lock);
    if (!root)
        return;
    free_locks(root);
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

/* ---- /proc/locks ---- */

static int describe(const struct file_lock *l, unsigned ordinal, char *buf, size_t size)
{
    static const char *const kinds[] = {
        [LOCK_POSIX] = "POSIX ", [LOCK_OFD] = "OFDLCK", [LOCK_FLOCK] = "FLOCK "};
    uint32_t dev = l->inode->sb ? l->inode->sb->dev : 0;
    char end[24] = "EOF";

    if (l->end != LOCK_RANGE_END)
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
