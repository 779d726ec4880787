/*
 * inotify: a queue of what happens to the files that are watched. man 7 inotify
 *
 * A watch is a mark on an inode; a group, the open file, has one for an inode at most. Events are
 * queued up to a limit, after which one that says so ends the queue; the same event twice in a row
 * is queued once. All of it is under notify_lock.
 */
#include "arch/uaccess.h"
#include "fs/event/poll.h"
#include "fs/notify/notify.h"
#include "fs/notify/owner.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/limits.h"
#include "fs/vfs/text.h"
#include "kernel/cred/user.h"
#include "libc/string.h"

#define IN_ONLYDIR     0x01000000u
#define IN_DONT_FOLLOW 0x02000000u
#define IN_EXCL_UNLINK 0x04000000u
#define IN_MASK_CREATE 0x10000000u
#define IN_MASK_ADD    0x20000000u
#define IN_ONESHOT     0x80000000u
#define ALL_BITS                                                                                   \
    (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW |       \
     IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT)
#define KEPT_BITS (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)

#define FIONREAD 0x541b
#define CHAINS   256u

struct user_event { /* followed by the name, padded to this size */
    int32_t wd;
    uint32_t mask, cookie, len;
};

struct queued_event {
    struct list link;
    struct user_event head;
    char name[];
};

struct group {
    struct user *user;             /* charged for itself and its watches */
    struct list events;            /* [notify_lock] */
    uint32_t count, bytes;         /* [notify_lock] of events; bytes as they are read */
    struct queued_event *overflow; /* [notify_lock] made with the group; while it is queued, NULL */
    struct list watches;           /* [notify_lock] */
    int32_t last_wd;               /* [notify_lock] */
    struct waitq queue;
    struct async_list async;
};

struct watch {
    struct notify_mark mark; /* first */
    struct group *group;
    struct list of_group;   /* [notify_lock] */
    struct watch *of_chain; /* [notify_lock] */
    int32_t wd;
    uint32_t mask; /* [notify_lock] KEPT_BITS */
};

static struct watch *chains[CHAINS]; /* [notify_lock] by group and number */

static struct watch **chain_of(const struct group *g, int32_t wd)
{
    return &chains[((uintptr_t)g >> 6 ^ (uint32_t)wd) % CHAINS];
}

/* [notify_lock held] */
static struct watch *find_wd(const struct group *g, int32_t wd)
{
    struct watch *w = *chain_of(g, wd);

    while (w && (w->group != g || w->wd != wd))
        w = w->of_chain;
    return w;
}

/* ---- The queue ---- */

static uint32_t padded(size_t len)
{
    uint32_t unit = sizeof(struct user_event);

    return len ? ((uint32_t)len + unit) / unit * unit : 0;
}

/* [notify_lock held] */
static void append(struct group *g, struct queued_event *q)
{
    list_add_tail(&g->events, &q->link);
    g->count++;
    g->bytes += sizeof(q->head) + q->head.len;
    wake_all(&g->queue);
    async_tell(&g->async, POLL_IN);
}

/* [notify_lock held] */
static bool repeats_last(const struct group *g, const struct user_event *head, const char *name,
                         size_t len)
{
    const struct queued_event *last;

    if (list_empty(&g->events))
        return false;
    last = container_of(g->events.prev, struct queued_event, link);
    return last->head.wd == head->wd && last->head.mask == head->mask &&
           last->head.len == head->len && (!len || !memcmp(last->name, name, len + 1));
}

/* [notify_lock held] */
static void say_overflow(struct group *g)
{
    struct queued_event *q = g->overflow;

    if (!q)
        return;
    g->overflow = NULL;
    q->head = (struct user_event){.wd = -1, .mask = IN_Q_OVERFLOW};
    append(g, q);
}

/* [notify_lock held] name NULL: none. */
static void queue_event(struct group *g, const struct user_event *head, const char *name,
                        size_t len)
{
    struct queued_event *q = NULL;

    if (repeats_last(g, head, name, len))
        return;
    if (g->count < fs_limits.inotify_events)
        q = kmalloc(sizeof(*q) + head->len);
    if (!q) {
        say_overflow(g);
        return;
    }
    q->head = *head;
    memset(q->name, 0, head->len);
    if (len)
        memcpy(q->name, name, len);
    append(g, q);
}

/* ---- The listener ---- */

static bool watch_tell(struct notify_mark *m, const struct notify_event *e)
{
    struct watch *w = (struct watch *)m;
    struct user_event head = {.wd = w->wd, .mask = e->what, .cookie = e->cookie};
    size_t len = e->name ? e->len : 0;

    if (!(e->what & (w->mask | IN_UNMOUNT) & (IN_ALL_EVENTS | IN_UNMOUNT)))
        return false;
    if ((w->mask & IN_EXCL_UNLINK) && e->name && e->unlinked)
        return false;
    if (e->what & (IN_DELETE_SELF | IN_MOVE_SELF))
        head.mask &= ~IN_ISDIR;
    head.len = padded(len);
    queue_event(w->group, &head, e->name, len);
    return w->mask & IN_ONESHOT;
}

static void watch_ended(struct notify_mark *m)
{
    struct watch *w = (struct watch *)m, **p = chain_of(w->group, w->wd);
    struct user_event head = {.wd = w->wd, .mask = IN_IGNORED};

    while (*p != w)
        p = &(*p)->of_chain;
    *p = w->of_chain;
    list_remove(&w->of_group);
    user_uncharge(w->group->user, USER_INOTIFY_WATCHES, 1);
    queue_event(w->group, &head, NULL, 0);
}

static void watch_free(struct notify_mark *m)
{
    kmfree(m);
}

static const struct notify_listener watch_ops = {
    .tell = watch_tell,
    .ended = watch_ended,
    .free = watch_free,
};

/* ---- Reading ---- */

/* The first event, if there is one and it fits: taken off the queue. -EAGAIN, -EINVAL */
static int take_event(struct group *g, size_t room, struct queued_event **out)
{
    struct queued_event *q;
    int err = -EAGAIN;

    spin_lock(&notify_lock);
    if (!list_empty(&g->events)) {
        q = list_first_entry(&g->events, struct queued_event, link);
        err = sizeof(q->head) + q->head.len > room ? -EINVAL : 0;
        if (!err) {
            list_remove(&q->link);
            g->count--;
            g->bytes -= sizeof(q->head) + q->head.len;
            *out = q;
        }
    }
    spin_unlock(&notify_lock);
    return err;
}

/* One that told of an overflow serves again. */
static void event_free(struct group *g, struct queued_event *q)
{
    spin_lock(&notify_lock);
    if (q->head.wd == -1) {
        g->overflow = q;
        q = NULL;
    }
    spin_unlock(&notify_lock);
    kmfree(q);
}

static long put_event(struct group *g, struct queued_event *q, void __user *ubuf)
{
    long size = (long)(sizeof(q->head) + q->head.len);
    int err = copy_to_user(ubuf, &q->head, (size_t)size);

    event_free(g, q);
    return err ? -EFAULT : size;
}

/* As many events as fit; negative: why there is not even one. */
static long take_events(struct group *g, char __user *ubuf, size_t len)
{
    struct queued_event *q;
    long done = 0, ret = 0;

    while (ret >= 0) {
        ret = take_event(g, len - (size_t)done, &q);
        if (!ret)
            ret = put_event(g, q, ubuf + done);
        if (ret > 0)
            done += ret;
        sched_point();
    }
    return done && ret != -EFAULT ? done : ret;
}

static long inotify_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct group *g = f->private;
    long ret;

    (void)pos;
    for (;;) {
        ret = take_events(g, ubuf, len);
        if (ret != -EAGAIN || (f->flags & O_NONBLOCK))
            return ret;
        ret = wait_event_interruptible(&g->queue, !list_empty(&g->events));
        if (ret)
            return ret;
    }
}

static struct async_list *inotify_async(struct file *f, bool out)
{
    struct group *g = f->private;

    return out ? NULL : &g->async;
}

static uint32_t inotify_poll(struct file *f, struct poll_table *pt)
{
    struct group *g = f->private;

    poll_wait(pt, &g->queue);
    return list_empty(&g->events) ? 0 : POLLIN;
}

static long inotify_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    const struct group *g = f->private;

    return cmd == FIONREAD ? put_user_u32((void __user *)arg, g->bytes) : -ENOTTY;
}

static uint32_t inotify_held(const struct file *f)
{
    const struct group *g = f->private;

    return sizeof(*g) + g->bytes + g->count * sizeof(struct list);
}

static void inotify_fdinfo(struct file *f, struct text *t)
{
    struct group *g = f->private;
    const struct watch *w;

    spin_lock(&notify_lock);
    list_for_each_entry (w, &g->watches, of_group)
        text_printf(t, "inotify wd:%x ino:%x sdev:%x mask:%x ignored_mask:0 \n", w->wd,
                    w->mark.inode->ino, w->mark.inode->sb ? w->mark.inode->sb->dev : 0,
                    w->mask & IN_ALL_EVENTS);
    spin_unlock(&notify_lock);
}

/* ---- Life cycle ---- */

static void drop_watches(struct group *g)
{
    struct notify_mark *dead;

    while (!list_empty(&g->watches)) {
        dead = NULL;
        spin_lock(&notify_lock);
        if (!list_empty(&g->watches))
            notify_remove(&list_first_entry(&g->watches, struct watch, of_group)->mark, &dead);
        spin_unlock(&notify_lock);
        notify_free(dead);
    }
}

static void group_free(struct group *g)
{
    struct queued_event *q;

    drop_watches(g);
    while (!list_empty(&g->events)) {
        q = list_first_entry(&g->events, struct queued_event, link);
        list_remove(&q->link);
        kmfree(q);
        sched_point();
    }
    kmfree(g->overflow);
    user_uncharge(g->user, USER_INOTIFY_GROUPS, 1);
    user_put(g->user);
    kmfree(g);
}

static void inotify_release(struct file *f)
{
    group_free(f->private);
}

static const struct file_ops inotify_file_ops = {
    .release = inotify_release,
    .read = inotify_read,
    .plain_read = true,
    .poll = inotify_poll,
    .ioctl = inotify_ioctl,
    .async = inotify_async,
    .held = inotify_held,
    .fdinfo = inotify_fdinfo,
    .name = "inotify",
    .stream = true,
    .seek = seek_nowhere,
};

static struct group *group_new(int *err)
{
    struct group *g = kzalloc(sizeof(*g));
    struct user *u = user_get();

    *err = -ENOMEM;
    if (g)
        g->overflow = kmalloc(sizeof(*g->overflow));
    if (!u || !g || !g->overflow)
        goto fail;
    *err = -EMFILE;
    if (!user_charge(u, USER_INOTIFY_GROUPS, 1, fs_limits.inotify_groups))
        goto fail;
    g->user = u;
    list_init(&g->events);
    list_init(&g->watches);
    waitq_init(&g->queue);
    async_init(&g->async);
    return g;

fail:
    if (u)
        user_put(u);
    if (g)
        kmfree(g->overflow);
    kmfree(g);
    return NULL;
}

long sys_inotify_init1(uint32_t flags)
{
    struct group *g;
    int err;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    g = group_new(&err);
    return g ? anon_fd(&inotify_file_ops, g, O_RDONLY | flags) : err;
}

long sys_inotify_init(void)
{
    return sys_inotify_init1(0);
}

/* ---- Watches ---- */

/* The group of a descriptor with a reference to its file, or -errno. */
static int get_group(int fd, struct file **f)
{
    *f = fd_get(fd);
    if (!*f)
        return -EBADF;
    if ((*f)->ops == &inotify_file_ops)
        return 0;
    file_put(*f);
    return -EINVAL;
}

/* [notify_lock held] */
static struct watch *find_inode(const struct group *g, const struct inode *i)
{
    struct notify_mark *m;

    for (m = i->marks; m; m = m->next)
        if (m->ops == &watch_ops && ((struct watch *)m)->group == g)
            return (struct watch *)m;
    return NULL;
}

/* [notify_lock held] */
static long change_watch(struct watch *w, uint32_t mask)
{
    if (mask & IN_MASK_CREATE)
        return -EEXIST;
    if (mask & IN_MASK_ADD)
        w->mask |= mask & KEPT_BITS;
    else
        w->mask = mask & KEPT_BITS;
    return w->wd;
}

/* [notify_lock held] Numbers are not used twice until they run out. */
static int32_t next_wd(struct group *g)
{
    do
        g->last_wd = g->last_wd == INT32_MAX ? 1 : g->last_wd + 1;
    while (find_wd(g, g->last_wd));
    return g->last_wd;
}

/* [notify_lock held] */
static long link_watch(struct watch *w, struct group *g, struct inode *i)
{
    struct watch **chain;

    if (!user_charge(g->user, USER_INOTIFY_WATCHES, 1, fs_limits.inotify_watches))
        return -ENOSPC;
    w->group = g;
    w->wd = next_wd(g);
    chain = chain_of(g, w->wd);
    w->of_chain = *chain;
    *chain = w;
    list_add_tail(&g->watches, &w->of_group);
    notify_add(&w->mark, i, &watch_ops);
    return w->wd;
}

static long add_watch(struct group *g, struct inode *i, uint32_t mask)
{
    struct watch *w = kzalloc(sizeof(*w)), *there;
    long ret;

    if (!w)
        return -ENOMEM;
    w->mask = mask & KEPT_BITS;
    spin_lock(&notify_lock);
    there = find_inode(g, i);
    ret = there ? change_watch(there, mask) : link_watch(w, g, i);
    spin_unlock(&notify_lock);
    if (there || ret < 0)
        kmfree(w);
    return ret;
}

static long watch_path(struct group *g, const char __user *upath, uint32_t mask)
{
    struct path p;
    long ret = user_lookup(AT_FDCWD, upath, mask & IN_DONT_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0, &p);

    if (ret)
        return ret;
    if ((mask & IN_ONLYDIR) && !S_ISDIR(p.dentry->inode->mode))
        ret = -ENOTDIR;
    else
        ret = inode_permission(p.dentry->inode, MAY_READ);
    if (!ret)
        ret = add_watch(g, p.dentry->inode, mask);
    path_unref(&p);
    return ret;
}

long sys_inotify_add_watch(uint32_t fd, const char __user *upath, uint32_t mask)
{
    struct file *f;
    long ret;

    if ((mask & ~ALL_BITS) || !(mask & ALL_BITS))
        return -EINVAL;
    ret = get_group((int)fd, &f);
    if (ret)
        return ret;
    if ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE))
        ret = -EINVAL;
    else
        ret = watch_path(f->private, upath, mask);
    file_put(f);
    return ret;
}

long sys_inotify_rm_watch(uint32_t fd, uint32_t wd)
{
    struct notify_mark *dead = NULL;
    struct file *f;
    struct watch *w;
    long ret = get_group((int)fd, &f);

    if (ret)
        return ret;
    spin_lock(&notify_lock);
    w = find_wd(f->private, (int32_t)wd);
    if (w)
        notify_remove(&w->mark, &dead);
    spin_unlock(&notify_lock);
    notify_free(dead);
    file_put(f);
    return w ? 0 : -EINVAL;
}
