/*
 * Marks on inodes, and how what happens reaches them.
 *
 * An event about something with a name is told to the marks of its directory, with the name, and
 * then to its own. Marks hold a reference to their inode, so it stays in memory; its end (no name
 * and no user left) and the end of its file system take them off. Listeners queue or send under
 * notify_lock, never sleep there; what was taken off is freed after.
 */
#include "arch/processors.h"
#include "fs/notify/notify.h"
#include "fs/notify/owner.h"
#include "fs/vfs/internal.h"
#include "libc/string.h"

struct spinlock notify_lock = SPINLOCK_INIT("notify", LOCK_RANK_NOTIFY);
uint32_t notify_marks;                               /* [notify_lock], read without */
static struct list all_marks = LIST_INIT(all_marks); /* [notify_lock] */
static uint32_t last_cookie;                         /* [notify_lock] */

/* ---- Marks ---- */

void notify_add(struct notify_mark *m, struct inode *i, const struct notify_listener *ops)
{
    inode_ref(i);
    m->inode = i;
    m->ops = ops;
    m->gone = false;
    m->next = i->marks;
    i->marks = m;
    list_add_tail(&all_marks, &m->link);
    notify_marks++;
}

void notify_remove(struct notify_mark *m, struct notify_mark **dead)
{
    struct notify_mark **p = &m->inode->marks;

    while (*p != m)
        p = &(*p)->next;
    *p = m->next;
    list_remove(&m->link);
    notify_marks--;
    m->gone = true;
    m->ops->ended(m);
    m->next = *dead;
    *dead = m;
}

void notify_free(struct notify_mark *dead)
{
    while (dead) {
        struct notify_mark *m = dead;

        dead = m->next;
        inode_unref(m->inode);
        m->ops->free(m);
        sched_point();
    }
}

/* [notify_lock held] */
static void tell(struct inode *i, const struct notify_event *e, struct notify_mark **dead)
{
    struct notify_mark *m, *next;

    for (m = i->marks; m; m = next) {
        next = m->next;
        if (m->ops->tell(m, e))
            notify_remove(m, dead);
    }
}

static void tell_one(struct inode *i, const struct notify_event *e)
{
    struct notify_mark *dead = NULL;

    if (!i->marks)
        return;
    spin_lock(&notify_lock);
    tell(i, e, &dead);
    spin_unlock(&notify_lock);
    notify_free(dead);
}

static uint32_t with_type(const struct inode *i, uint32_t what)
{
    return S_ISDIR(i->mode) ? what | IN_ISDIR : what;
}

/* ---- Hooks ---- */

void notify_inode(struct inode *i, uint32_t what)
{
    struct notify_event e = {.what = with_type(i, what)};

    if (notify_wanted())
        tell_one(i, &e);
}

void notify_entry(const struct dentry *d, uint32_t what)
{
    struct notify_event e = {
        .what = with_type(d->inode, what), .name = d->name, .len = d->name_len};

    if (notify_wanted())
        tell_one(d->parent->inode, &e);
}

/* The directory that d is in, with a reference, if anybody listens there; the name is copied, for
 * it may change. */
static struct inode *watched_parent(struct dentry *d, char name[NAME_MAX + 1],
                                    struct notify_event *e)
{
    struct inode *dir = NULL;

    spin_lock(&dentry_lock);
    if (d->parent && d->parent->inode && d->parent->inode->marks) {
        dir = d->parent->inode;
        inode_ref(dir);
        memcpy(name, d->name, d->name_len);
        name[d->name_len] = '\0';
        e->name = name;
        e->len = d->name_len;
        e->unlinked = d->unlinked;
    }
    spin_unlock(&dentry_lock);
    return dir;
}

static void tell_parent(struct dentry *d, uint32_t what)
{
    char name[NAME_MAX + 1];
    struct notify_event e = {.what = what};
    struct inode *dir = watched_parent(d, name, &e);

    if (!dir)
        return;
    tell_one(dir, &e);
    inode_unref(dir);
}

void notify_at(struct dentry *d, uint32_t what)
{
    if (!notify_wanted())
        return;
    tell_parent(d, with_type(d->inode, what));
    notify_inode(d->inode, what);
}

void notify_open_file(const struct file *f, uint32_t what)
{
    kernel_need();
    if (f->dentry && !(f->flags & O_PATH))
        notify_at(f->dentry, what);
}

void notify_moved(struct inode *from, const char *name, size_t len, const struct dentry *moved)
{
    struct notify_event e = {.name = name, .len = len};

    if (!notify_wanted())
        return;
    spin_lock(&notify_lock);
    e.cookie = ++last_cookie;
    spin_unlock(&notify_lock);
    e.what = with_type(moved->inode, IN_MOVED_FROM);
    tell_one(from, &e);
    e.what = with_type(moved->inode, IN_MOVED_TO);
    e.name = moved->name;
    e.len = moved->name_len;
    tell_one(moved->parent->inode, &e);
}

void notify_gone(struct inode *i)
{
    struct notify_mark *dead = NULL;

    if (!i->marks)
        return;
    notify_inode(i, IN_DELETE_SELF);
    spin_lock(&notify_lock);
    while (i->marks)
        notify_remove(i->marks, &dead);
    spin_unlock(&notify_lock);
    notify_free(dead);
}

/* [notify_lock held] */
static struct notify_mark *mark_below(const struct superblock *sb)
{
    struct notify_mark *m;

    list_for_each_entry (m, &all_marks, link)
        if (m->inode->sb == sb)
            return m;
    return NULL;
}

void notify_unmount(const struct superblock *sb)
{
    static const struct notify_event e = {.what = IN_UNMOUNT};
    struct notify_mark *dead, *m;

    do {
        dead = NULL;
        spin_lock(&notify_lock);
        m = mark_below(sb);
        if (m) {
            m->ops->tell(m, &e);
            notify_remove(m, &dead);
        }
        spin_unlock(&notify_lock);
        notify_free(dead);
    } while (m);
}
