/*
 * Dentries: the names of files, hashed by directory and name.
 *
 * References:
 * - Each user (an open file, a working directory, a path walk between two locked stretches) holds
 *   one. Each dentry holds one on its parent, also after it was unlinked: ".." and paths stay
 * right.
 * - In a file system that lives in memory alone (its directories have no lookup operation), the
 * tree holds one more on every linked dentry: it is pinned until its name is removed. The root of
 * any file system is held by its superblock.
 * - An unlinked dentry, and with it the inode, lives until its last reference is gone. So does one
 *   of a file system with lookup operations, linked or not: without users there are no dentries.
 * - Names looked up in such a file system are hashed only if its type says cache_names; otherwise
 *   (procfs) each walk makes its own dentry, which nobody else finds.
 * - Unmounting is refused while any dentry of the tree has a reference these rules do not explain.
 *
 * dentry_lock guards hash chains, children lists, parents, names, mounts and flags. A dentry's
 * inode never changes once it is linked. Names come and go under the inode lock of the directory as
 * well, so whoever holds that sees a stable list of children.
 *
 * A walk needs no kernel lock as long as it finds names here: what it meets under dentry_lock is
 * linked, so it has a reference, and the walk takes one of its own before it lets go. All who
 * change the tree have the kernel lock. What others must not see half done is done under
 * dentry_lock at once, or with the walks barred: then they take the kernel lock first.
 */
#include "arch/processors.h"
#include "fs/notify/notify.h"
#include "fs/vfs/internal.h"
#include "libc/bytes.h"
#include "libc/string.h"

#define HASH_SIZE    4096u
#define FIRST_COOKIE 1u   /* 0: never linked */
#define TREE_STEP    500u /* names looked at with the lock held */

struct spinlock dentry_lock = SPINLOCK_INIT("dentry", LOCK_RANK_FS);
static struct dentry *hash_table[HASH_SIZE]; /* [dentry_lock] */

static struct dentry **hash_chain(const struct dentry *dir, uint32_t hash)
{
    return &hash_table[(hash ^ ((uintptr_t)dir >> 6)) & (HASH_SIZE - 1)];
}

uint32_t name_hash(const char *name, size_t len)
{
    uint32_t h = NAME_HASH_INIT;

    while (len--)
        h = name_hash_step(h, *name++);
    return h;
}

void dentry_ref(struct dentry *d)
{
    ref_get(&d->refs);
}

static void dentry_hash(struct dentry *d)
{
    struct dentry **chain = hash_chain(d->parent, d->hash);

    d->hash_next = *chain;
    *chain = d;
    d->hashed = true;
    if (list_empty(&d->parent->children))
        d->parent->next_cookie = FIRST_COOKIE;
    d->cookie = d->parent->next_cookie++;
    list_add(&d->parent->children, &d->sibling);
    d->parent->child_count++;
}

static void dentry_unhash(struct dentry *d)
{
    struct dentry **p;

    if (!d->hashed)
        return;
    for (p = hash_chain(d->parent, d->hash); *p != d; p = &(*p)->hash_next)
        ;
    *p = d->hash_next;
    d->hashed = false;
    if (d->parent->read_next == d)
        d->parent->read_next =
            d->sibling.next == &d->parent->children ? NULL : list_next_entry(d, sibling);
    list_remove(&d->sibling);
    d->parent->child_count--;
}

static void alias_drop(struct dentry *d)
{
    if (d->inode && d->inode->alias == d)
        d->inode->alias = NULL;
}

static void dentry_free(struct dentry *d)
{
    if (d->inode && d->unlinked && d->inode->nlink == 0)
        notify_gone(d->inode);
    if (d->inode)
        inode_unref(d->inode);
    if (d->name != d->inline_name)
        kmfree(d->name);
    kmfree(d);
}

void dentry_unref(struct dentry *d)
{
    while (d && !ref_put_shared(&d->refs)) {
        struct dentry *parent;

        kernel_need(); /* the inode may go with it */
        spin_lock(&dentry_lock);
        if (!ref_put(&d->refs)) {
            spin_unlock(&dentry_lock);
            return;
        }
        dentry_unhash(d);
        alias_drop(d);
        parent = d->parent;
        spin_unlock(&dentry_lock);
        dentry_free(d);
        d = parent;
    }
}

static bool set_name(struct dentry *d, const char *name, size_t len)
{
    d->name = d->inline_name;
    if (len >= sizeof(d->inline_name))
        d->name = kmalloc(len + 1);
    if (!d->name)
        return false;
    memcpy(d->name, name, len);
    d->name[len] = '\0';
    d->name_len = len;
    d->hash = name_hash(name, len);
    return true;
}

struct dentry *dentry_new(struct dentry *parent, const char *name, size_t len)
{
    struct dentry *d = kzalloc(sizeof(*d));

    if (!d)
        return NULL;
    if (!set_name(d, name, len)) {
        kmfree(d);
        return NULL;
    }
    d->refs = 1;
    d->next_cookie = FIRST_COOKIE;
    list_init(&d->children);
    list_init(&d->sibling);
    d->parent = parent;
    if (parent)
        dentry_ref(parent);
    return d;
}

struct dentry *dentry_root(struct superblock *sb, struct inode *inode)
{
    struct dentry *d = dentry_new(NULL, "/", 1);

    if (!d)
        return NULL;
    inode->sb = sb;
    d->inode = inode;
    inode->alias = d;
    return d;
}

/* Names of the same length and hash: almost always equal, and short. */
static bool same_name(const char *a, const char *b, size_t len)
{
    for (; len >= 4; len -= 4) {
        if (*(const word_t *)a != *(const word_t *)b)
            return false;
        a += 4;
        b += 4;
    }
    while (len && *a == *b) {
        a++;
        b++;
        len--;
    }
    return len == 0;
}

struct dentry *dcache_find(struct dentry *dir, const char *name, size_t len, uint32_t hash)
{
    struct dentry *d;

    for (d = *hash_chain(dir, hash); d; d = d->hash_next) {
        if (d->hash == hash && d->parent == dir && d->name_len == len &&
            same_name(d->name, name, len))
            return d;
    }
    return NULL;
}

struct dentry *dentry_find(struct dentry *dir, const char *name, size_t len)
{
    struct dentry *d;

    spin_lock(&dentry_lock);
    d = dcache_find(dir, name, len, name_hash(name, len));
    if (d)
        dentry_ref(d);
    spin_unlock(&dentry_lock);
    return d;
}

void dentry_link(struct dentry *d)
{
    const struct inode *dir = d->parent->inode;

    spin_lock(&dentry_lock);
    if (!dir->ops->lookup) {
        d->pinned = true;
        dentry_ref(d);
    }
    dentry_hash(d);
    if (!d->inode->alias)
        d->inode->alias = d;
    spin_unlock(&dentry_lock);
}

struct dentry *dentry_add(struct dentry *dir, const char *name, size_t len, struct inode *inode)
{
    struct dentry *d = dentry_new(dir, name, len);

    if (!d) {
        inode_unref(inode);
        return NULL;
    }
    d->inode = inode;
    dentry_link(d);
    dentry_unref(d);
    return d;
}

/* [dentry_lock held] Whether the tree's own reference is the caller's now. */
static bool drop_locked(struct dentry *d)
{
    bool pinned = d->pinned;

    dentry_unhash(d);
    alias_drop(d);
    d->unlinked = true;
    d->pinned = false;
    return pinned;
}

void dentry_drop(struct dentry *d)
{
    bool pinned;

    spin_lock(&dentry_lock);
    pinned = drop_locked(d);
    spin_unlock(&dentry_lock);
    if (pinned)
        dentry_unref(d);
}

bool dentry_leaves(struct dentry *d)
{
    spin_lock(&dentry_lock);
    d->leaving = !d->mounted;
    spin_unlock(&dentry_lock);
    return d->leaving;
}

void dentry_stays(struct dentry *d)
{
    spin_lock(&dentry_lock);
    d->leaving = false;
    spin_unlock(&dentry_lock);
}

bool dentry_is_empty(struct dentry *dir)
{
    return list_empty(&dir->children);
}

/* Swaps parents and names; the children lists and the hash do not hold either. */
static void swap_places(struct dentry *a, struct dentry *b)
{
    struct dentry *parent = a->parent;
    char inline_name[sizeof(a->inline_name)];
    char *name = a->name == a->inline_name ? b->inline_name : a->name;
    uint8_t len = a->name_len;
    uint32_t hash = a->hash;

    a->name = b->name == b->inline_name ? a->inline_name : b->name;
    b->name = name;
    memcpy(inline_name, a->inline_name, sizeof(inline_name));
    memcpy(a->inline_name, b->inline_name, sizeof(inline_name));
    memcpy(b->inline_name, inline_name, sizeof(inline_name));
    a->name_len = b->name_len;
    b->name_len = len;
    a->hash = b->hash;
    b->hash = hash;
    a->parent = b->parent;
    b->parent = parent;
}

void dentry_move(struct dentry *d, struct dentry *fresh, struct dentry *gone)
{
    bool pinned;

    spin_lock(&dentry_lock);
    pinned = gone && drop_locked(gone);
    dentry_unhash(d);
    swap_places(d, fresh);
    dentry_hash(d);
    spin_unlock(&dentry_lock);
    if (pinned)
        dentry_unref(gone);
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
    spin_lock(&dentry_lock);
    dentry_unhash(a);
    dentry_unhash(b);
    swap_places(a, b);
    dentry_hash(a);
    dentry_hash(b);
    spin_unlock(&dentry_lock);
}

bool dentry_is_below(struct dentry *d, const struct dentry *ancestor)
{
    spin_lock(&dentry_lock);
    while (d && d != ancestor)
        d = d->parent;
    spin_unlock(&dentry_lock);
    return d != NULL;
}

/* ---- Walks beside the kernel lock ---- */

uint32_t walks_barred;

void walks_bar(bool bar)
{
    spin_lock(&dentry_lock);
    walks_barred += bar ? 1 : -1u;
    spin_unlock(&dentry_lock);
}

/* ---- Paths ---- */

static char *prepend(char *start, char *buf, const char *s, size_t len)
{
    if ((size_t)(start - buf) < len)
        return NULL;
    return memcpy(start - len, s, len);
}

/* Without parent and no root of a file system: a pipe's name alone; a memfd looks unlinked. */
static char *path_outside(const struct dentry *d, char *start, char *buf)
{
    start = prepend(start, buf, d->name, d->name_len);
    return start && d->unlinked ? prepend(start, buf, "/", 1) : start;
}

/* [dentry_lock held] One name more before start. */
static char *prepend_name(char *start, char *buf, const struct dentry *d)
{
    start = prepend(start, buf, d->name, d->name_len);
    return start ? prepend(start, buf, "/", 1) : NULL;
}

/* [dentry_lock held] Writes the path before start. */
static char *path_locked(struct path p, const struct path *root, char *start, char *buf,
                         bool *reached)
{
    const char *end = start;

    *reached = false;
    while (start) {
        *reached = root && path_same(&p, root);
        if (*reached)
            break;
        if (p.dentry == p.mount->root) {
            if (!p.mount->parent)
                break;
            p = (struct path){p.mount->parent, p.mount->at};
            continue;
        }
        if (!p.dentry->parent) {
            if (p.dentry->name[0] != '/')
                return path_outside(p.dentry, start, buf);
            break;
        }
        start = prepend_name(start, buf, p.dentry);
        p.dentry = p.dentry->parent;
    }
    return start == end ? prepend(start, buf, "/", 1) : start;
}

char *path_print_from(const struct path *p, const struct path *root, char *buf, size_t size,
                      bool *reached)
{
    char *start = buf + size - 1;

    *start = '\0';
    spin_lock(&dentry_lock);
    start = path_locked(*p, root, start, buf, reached);
    spin_unlock(&dentry_lock);
    return start;
}

char *path_print(const struct path *p, char *buf, size_t size)
{
    static const char deleted[] = " (deleted)";
    const struct path *root = &proc_current()->fs->root;
    char *start = buf + size - 1;
    bool reached;

    *start = '\0';
    spin_lock(&dentry_lock);
    if (p->dentry->unlinked)
        start = prepend(start, buf, deleted, sizeof(deleted) - 1);
    if (start)
        start = path_locked(*p, root, start, buf, &reached);
    spin_unlock(&dentry_lock);
    return start;
}

char *dentry_print(struct dentry *d, char *buf, size_t size)
{
    static const char deleted[] = "//deleted";
    char *start = buf + size - 1;
    const char *end = start;

    *start = '\0';
    spin_lock(&dentry_lock);
    if (d->unlinked)
        end = start = prepend(start, buf, deleted, sizeof(deleted) - 1);
    for (; start && d->parent; d = d->parent)
        start = prepend_name(start, buf, d);
    if (start && start == end)
        start = prepend(start, buf, "/", 1);
    spin_unlock(&dentry_lock);
    return start;
}

void inode_path(struct inode *i, char *buf, size_t size)
{
    char *start = buf + size - 1;
    bool reached;

    *start = '\0';
    spin_lock(&dentry_lock);
    start = i->alias ? path_locked(mount_that_shows(i->alias), NULL, start, buf, &reached) : NULL;
    spin_unlock(&dentry_lock);
    if (start)
        memmove(buf, start, buf + size - start);
    else
        buf[0] = '\0';
}

void path_ref(const struct path *p)
{
    mount_ref(p->mount);
    ref_get(&p->dentry->refs);
}

void path_release(const struct path *p)
{
    dentry_unref(p->dentry);
    mount_unref(p->mount);
}

/* ---- Whole trees ---- */

static uint32_t expected_refs(const struct dentry *d)
{
    return (d->parent ? d->pinned : 1) + d->child_count;
}

/* The next dentry in depth-first order, or NULL after the last. */
static struct dentry *tree_next(struct dentry *d, const struct dentry *root)
{
    if (!list_empty(&d->children))
        return list_first_entry(&d->children, struct dentry, sibling);
    while (d != root && d->sibling.next == &d->parent->children)
        d = d->parent;
    return d == root ? NULL : list_next_entry(d, sibling);
}

/* [dentry_lock, let go] Others get a chance; whether d, which stays meanwhile, has lost its name.
 */
static bool pause_at(struct dentry *d, const struct dentry *root)
{
    bool lost;

    dentry_ref(d);
    spin_unlock(&dentry_lock);
    sched_point();
    spin_lock(&dentry_lock);
    lost = d != root && !d->hashed;
    if (lost) {
        spin_unlock(&dentry_lock);
        dentry_unref(d);
        spin_lock(&dentry_lock);
    } else {
        __atomic_fetch_sub(&d->refs, 1, __ATOMIC_RELEASE);
    }
    return lost;
}

/* Nobody can walk into the tree any more: what is not busy does not become so between two steps. */
bool dentry_tree_busy(struct dentry *root)
{
    struct dentry *d = root;
    bool busy = false;

    spin_lock(&dentry_lock);
    for (unsigned n = 1; d && !busy; n++) {
        busy = d->mounted || d->refs != expected_refs(d);
        d = tree_next(d, root);
        if (d && !busy && n % TREE_STEP == 0)
            busy = pause_at(d, root);
    }
    spin_unlock(&dentry_lock);
    return busy;
}

/* Begins again where it has lost its place. */
struct dentry *dentry_tree_find(struct dentry *root, uint32_t ino)
{
    struct dentry *d = root;

    spin_lock(&dentry_lock);
    for (unsigned n = 1; d && !(d->inode && d->inode->ino == ino); n++) {
        d = tree_next(d, root);
        if (d && n % TREE_STEP == 0 && pause_at(d, root))
            d = root;
    }
    if (d)
        dentry_ref(d);
    spin_unlock(&dentry_lock);
    return d;
}

void dentry_tree_free(struct dentry *root)
{
    struct dentry *d = root;

    while (d) {
        while (!list_empty(&d->children))
            d = list_first_entry(&d->children, struct dentry, sibling);
        struct dentry *up = d == root ? NULL : d->parent;

        if (up)
            dentry_drop(d);
        else
            dentry_unref(d);
        d = up;
        sched_point();
    }
}
