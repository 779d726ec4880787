/*
 * epoll: a set of files that stays, with the ready ones in a list.
 *
 * An item stays on its file's wait queues for as long as it is in the set. A wake-up there puts it
 * on the ready list and wakes who waits for the set; whether the file is really ready is asked only
 * when the list is read. Level-triggered items go back on the list while they are ready,
 * edge-triggered ones only by the next wake-up.
 *
 * An item holds no reference on its file: the file's end takes it out. sets_lock guards which items
 * there are; a set's mutex, taken after it, the reading of its list, for which items and their
 * files stay: it needs no kernel lock. A wake-up comes with a queue's lock held, so the locks that
 * it takes, the lists' and then the set's own queue's, rank above that.
 *
 * A set in a set is no sleeper on that set's queue, whose lock could not be taken twice over: it is
 * listed there as one of the outer items, and ready_lock guards the lists of all sets, so that a
 * wake-up climbs with one lock held. How far is bounded: sets never form a loop, are not nested
 * deeper than MAX_NESTS, and the ways up from one are counted when a set is put into another.
 */
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "fs/event/poll.h"
#include "fs/vfs/text.h"
#include "fs/vfs/limits.h"
#include "kernel/cred/user.h"

#define EPOLL_CLOEXEC  O_CLOEXEC
#define EPOLL_CTL_ADD  1
#define EPOLL_CTL_DEL  2
#define EPOLL_CTL_MOD  3
#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLET        (1u << 31)
#define FLAGS          (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)
#define ALWAYS         (POLLERR | POLLHUP)
#define EXCLUSIVE_WITH (POLLIN | POLLOUT | ALWAYS | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define MAX_NESTS      4 /* sets in sets, as on Linux */
#define MAX_EVENTS     (INT32_MAX / sizeof(struct epoll_event))

struct epoll_event {
    uint32_t events;
    uint32_t data[2];
};

struct epoll {
    struct mutex mutex;
    struct list items;  /* [sets_lock] */
    uint32_t count;     /* [sets_lock] */
    struct user *user;  /* who made it: charged for the items */
    struct list ready;  /* [ready_lock] */
    bool asking;        /* [mutex] one is off it that may come back; looked at with ready_lock */
    struct list outer;  /* [ready_lock, changed with sets_lock too] the items that stand for it */
    struct waitq queue; /* woken when something becomes ready */
    uint32_t visit;     /* [sets_lock] the last walk over sets that came by, */
    int depth;          /* [sets_lock] and what it found here */
};

struct epoll_item {
    struct epoll *set;
    struct list link;                /* [sets_lock] in set->items */
    struct list ready_link;          /* [ready_lock] */
    struct list outer_link;          /* [ready_lock] of a set in a set: in that set's outer */
    struct epoll_item *next_of_file; /* [sets_lock] */
    struct file *file;
    int fd;                   /* the name that it has in the set, with file */
    struct epoll_event event; /* [set->mutex] */
    struct epoll_hook *hooks; /* [sets_lock] */
};

struct epoll_hook { /* the item on one wait queue */
    struct wait_entry wait;
    struct epoll_item *item;
    struct epoll_hook *next;
};

static struct mutex sets_lock = MUTEX_INIT(sets_lock, MUTEX_RANK_EPOLL);
static struct spinlock ready_lock = SPINLOCK_INIT("epoll ready", LOCK_RANK_EPOLL_READY);

static const struct file_ops epoll_file_ops;

/* The set that f is the file of, or NULL. */
static struct epoll *set_of(const struct file *f)
{
    return f->ops == &epoll_file_ops ? f->private : NULL;
}

/* ---- Ready items ---- */

/* [ready_lock held] And the sets that i's set is in. No deeper than MAX_NESTS. */
static void mark_ready(struct epoll_item *i)
{
    struct epoll *set = i->set;
    struct epoll_item *o;

    if (list_empty(&i->ready_link))
        list_add_tail(&set->ready, &i->ready_link);
    wake_all(&set->queue);
    list_for_each_entry (o, &set->outer, outer_link)
        mark_ready(o);
}

static void make_ready(struct epoll_item *i)
{
    spin_lock(&ready_lock);
    mark_ready(i);
    spin_unlock(&ready_lock);
}

static void item_woken(struct wait_entry *w)
{
    make_ready(container_of(w, struct epoll_hook, wait)->item);
}

static struct epoll_item *take_ready(struct epoll *set)
{
    struct epoll_item *i = NULL;

    spin_lock(&ready_lock);
    if (!list_empty(&set->ready)) {
        i = list_first_entry(&set->ready, struct epoll_item, ready_link);
        list_remove(&i->ready_link);
    }
    spin_unlock(&ready_lock);
    return i;
}

static void forget_ready(struct epoll_item *i)
{
    spin_lock(&ready_lock);
    list_remove(&i->ready_link);
    list_remove(&i->outer_link);
    spin_unlock(&ready_lock);
}

/* i stays ready, but comes after those that are on the list now: a wake-up adds it no more. */
static void put_aside(struct epoll_item *i, struct list *again)
{
    spin_lock(&ready_lock);
    list_remove(&i->ready_link);
    list_add_tail(again, &i->ready_link);
    spin_unlock(&ready_lock);
}

/* Back to the end of the list; who looked at that meanwhile is woken. */
static void keep_ready(struct epoll *set, struct list *again)
{
    struct epoll_item *i, *next;

    if (list_empty(again))
        return;
    spin_lock(&ready_lock);
    list_for_each_entry_safe (i, next, again, ready_link) {
        list_remove(&i->ready_link);
        list_add_tail(&set->ready, &i->ready_link);
    }
    wake_all(&set->queue);
    spin_unlock(&ready_lock);
}

/* ---- Items ---- */

struct hook_table {
    struct poll_table table; /* only its add is used */
    struct epoll_item *item;
};

static void add_hook(struct poll_table *pt, struct waitq *q)
{
    struct epoll_item *i = container_of(pt, struct hook_table, table)->item;
    struct epoll_hook *h = kmalloc(sizeof(*h));

    if (!h) {
        pt->error = -ENOMEM;
        return;
    }
    h->item = i;
    h->next = i->hooks;
    i->hooks = h;
    waitq_add(q, &h->wait, item_woken);
}

static void remove_hooks(struct epoll_item *i)
{
    struct epoll_hook *h;

    while ((h = i->hooks) != NULL) {
        i->hooks = h->next;
        waitq_remove(&h->wait);
        kmfree(h);
    }
}

/* [sets_lock held] The file's list of items loses i. */
static void unlink_from_file(struct epoll_item *i)
{
    struct epoll_item **p = &i->file->watches;

    while (*p != i)
        p = &(*p)->next_of_file;
    *p = i->next_of_file;
}

/* [sets_lock held] */
static void item_remove(struct epoll_item *i)
{
    struct epoll *set = i->set;

    remove_hooks(i);
    mutex_lock(&set->mutex);
    forget_ready(i);
    list_remove(&i->link);
    set->count--;
    user_uncharge(set->user, USER_WATCHES, 1);
    mutex_unlock(&set->mutex);
    unlink_from_file(i);
    kmfree(i);
}

void epoll_file_closed(struct file *f)
{
    mutex_lock(&sets_lock);
    while (f->watches)
        item_remove(f->watches);
    mutex_unlock(&sets_lock);
}

/* [sets_lock held] */
static struct epoll_item *find_item(struct epoll *set, const struct file *f, int fd)
{
    struct epoll_item *i;

    for (i = f->watches; i; i = i->next_of_file)
        if (i->set == set && i->fd == fd)
            return i;
    return NULL;
}

/* What i reports now; nothing once EPOLLONESHOT has disabled it. */
static uint32_t ready_events(const struct epoll_item *i)
{
    return file_poll(i->file, NULL) & i->event.events & ~FLAGS;
}

/* [sets_lock held] i hears of what happens to its file. 0 or -ENOMEM. */
static int listen(struct epoll_item *i)
{
    struct hook_table hooks = {.table = {.add = add_hook}, .item = i};
    struct epoll *inner = set_of(i->file);

    if (inner) {
        spin_lock(&ready_lock);
        list_add_tail(&inner->outer, &i->outer_link);
        spin_unlock(&ready_lock);
    } else {
        file_poll(i->file, &hooks.table);
    }
    return hooks.table.error;
}

/* [sets_lock held] */
static int item_add(struct epoll *set, struct file *f, int fd, const struct epoll_event *ev)
{
    struct epoll_item *i;
    int err;

    if (!user_charge(set->user, USER_WATCHES, 1, fs_limits.user_watches))
        return -ENOSPC;
    i = kzalloc(sizeof(*i));
    if (!i) {
        user_uncharge(set->user, USER_WATCHES, 1);
        return -ENOMEM;
    }
    i->set = set;
    i->file = f;
    i->fd = fd;
    i->event = *ev;
    i->event.events |= ALWAYS;
    list_init(&i->ready_link);
    list_init(&i->outer_link);
    i->next_of_file = f->watches;
    f->watches = i;
    list_add_tail(&set->items, &i->link);
    set->count++;
    err = listen(i);
    if (err) {
        item_remove(i);
        return err;
    }
    if (ready_events(i))
        make_ready(i);
    return 0;
}

static void item_change(struct epoll_item *i, const struct epoll_event *ev)
{
    mutex_lock(&i->set->mutex);
    i->event = *ev;
    i->event.events |= ALWAYS;
    mutex_unlock(&i->set->mutex);
    if (ready_events(i))
        make_ready(i);
}

/* ---- The file of a set ---- */

static void epoll_release(struct file *f)
{
    struct epoll *set = f->private;

    mutex_lock(&sets_lock);
    while (!list_empty(&set->items)) {
        item_remove(list_first_entry(&set->items, struct epoll_item, link));
        sched_point();
    }
    mutex_unlock(&sets_lock);
    user_put(set->user);
    kmfree(set);
}

/* [set->mutex held] Whether an item on the list is ready indeed; what is not leaves it. */
static bool any_ready(struct epoll *set)
{
    struct epoll_item *i;

    write_once(set->asking, true);
    while ((i = take_ready(set)) && !ready_events(i))
        sched_point();
    spin_lock(&ready_lock);
    if (i && list_empty(&i->ready_link))
        list_add(&set->ready, &i->ready_link);
    set->asking = false;
    spin_unlock(&ready_lock);
    return i;
}

static uint32_t epoll_poll(struct file *f, struct poll_table *pt)
{
    struct epoll *set = f->private;
    uint32_t mask;

    poll_wait(pt, &set->queue);
    mutex_lock(&set->mutex);
    mask = any_ready(set) ? POLLIN : 0;
    mutex_unlock(&set->mutex);
    return mask;
}

static uint32_t epoll_held(const struct file *f)
{
    const struct epoll *set = f->private;

    return sizeof(*set) + set->count * (sizeof(struct epoll_item) + sizeof(struct epoll_hook));
}

static void epoll_fdinfo(struct file *f, struct text *t)
{
    const struct epoll *set = f->private;
    const struct epoll_item *i;

    mutex_lock(&sets_lock);
    list_for_each_entry (i, &set->items, link) {
        text_printf(t, "tfd: %8d events: %8x data: %8x%08x  pos:%lli ino:%x sdev:%x\n", i->fd,
                    i->event.events, i->event.data[1], i->event.data[0], (long long)i->file->pos,
                    i->file->inode->ino, i->file->inode->sb ? i->file->inode->sb->dev : 0);
        sched_point();
    }
    mutex_unlock(&sets_lock);
}

static const struct file_ops epoll_file_ops = {
    .held = epoll_held,
    .release = epoll_release,
    .poll = epoll_poll,
    .fdinfo = epoll_fdinfo,
    .name = "[eventpoll]",
    .stream = true,
    .seek = seek_nowhere,
};

static long epoll_new(uint32_t flags)
{
    struct epoll *set = kzalloc(sizeof(*set));

    if (!set)
        return -ENOMEM;
    set->user = user_get();
    if (!set->user) {
        kmfree(set);
        return -ENOMEM;
    }
    mutex_init(&set->mutex, MUTEX_RANK_EPOLL_SET);
    list_init(&set->items);
    list_init(&set->ready);
    list_init(&set->outer);
    waitq_init(&set->queue);
    set->queue.lock.rank = LOCK_RANK_EPOLL_SET;
    return anon_fd(&epoll_file_ops, set, O_RDWR | flags);
}

long sys_epoll_create1(uint32_t flags)
{
    return flags & ~EPOLL_CLOEXEC ? -EINVAL : epoll_new(flags);
}

long sys_epoll_create(uint32_t size)
{
    return (int32_t)size <= 0 ? -EINVAL : epoll_new(0);
}

/* ---- Sets in sets ---- */

static uint32_t last_visit; /* [sets_lock] */

/* [sets_lock held] How many sets lie below each other under set; over MAX_NESTS: too many, or
 * target is among them. Each set is looked at once. */
static int depth_below(struct epoll *set, const struct epoll *target, int level)
{
    struct epoll_item *i;

    if (set == target || level > MAX_NESTS)
        return MAX_NESTS + 1;
    if (set->visit == last_visit)
        return set->depth;
    set->visit = last_visit;
    set->depth = 0;
    list_for_each_entry (i, &set->items, link) {
        struct epoll *inner = set_of(i->file);
        int below = inner ? depth_below(inner, target, level + 1) + 1 : 0;

        sched_point();
        if (below > set->depth)
            set->depth = below;
        if (below > MAX_NESTS)
            break;
    }
    return set->depth;
}

/* [sets_lock held] The ways from set up to one that is in no other, by length, up to the most that
 * there may be: false when there are more. */
static bool count_ways_up(const struct epoll *set, uint32_t ways[MAX_NESTS + 1], int length,
                          int *longest)
{
    static const uint32_t most[MAX_NESTS + 1] = {UINT32_MAX, 500, 100, 50, 10}; /* as on Linux */
    struct epoll_item *o;

    if (length > *longest)
        *longest = length;
    if (length > MAX_NESTS)
        return false;
    if (list_empty(&set->outer))
        return ++ways[length] <= most[length];
    list_for_each_entry (o, &set->outer, outer_link) {
        if (!count_ways_up(o->set, ways, length + 1, longest))
            return false;
    }
    return true;
}

/* [sets_lock held] Whether from inner, which is in set, and from the sets in it few enough ways
 * lead up. No loop is there. */
static bool ways_are_few(const struct epoll *inner)
{
    uint32_t ways[MAX_NESTS + 1] = {0};
    const struct epoll_item *i;
    int longest = 0;

    if (!count_ways_up(inner, ways, 0, &longest))
        return false;
    list_for_each_entry (i, &inner->items, link) {
        sched_point();
        if (set_of(i->file) && !ways_are_few(set_of(i->file)))
            return false;
    }
    return true;
}

/* [sets_lock held] Whether the set inner may be put into set: 0, -EINVAL or -ELOOP. */
static int may_nest(struct epoll *set, struct epoll *inner)
{
    uint32_t ways[MAX_NESTS + 1] = {0};
    int below, above = 0;

    last_visit++;
    below = depth_below(inner, set, 0);
    if (below > MAX_NESTS)
        return -ELOOP;
    count_ways_up(set, ways, 0, &above);
    return below + 1 + above > MAX_NESTS ? -ELOOP : 0;
}

/* ---- epoll_ctl ---- */

/* [sets_lock held] */
static int add(struct epoll *set, struct file *f, int fd, const struct epoll_event *ev)
{
    struct epoll *inner = set_of(f);
    int err = inner ? may_nest(set, inner) : 0;

    if (!err)
        err = item_add(set, f, fd, ev);
    if (!err && inner && !ways_are_few(inner)) {
        item_remove(find_item(set, f, fd));
        err = -EINVAL;
    }
    return err;
}

/* man 2 epoll_ctl: what may stand beside EPOLLEXCLUSIVE, which is only for adding. */
static bool exclusive_is_right(int op, const struct file *f, uint32_t events)
{
    if (!(events & EPOLLEXCLUSIVE))
        return true;
    return op == EPOLL_CTL_DEL ||
           (op == EPOLL_CTL_ADD && !set_of(f) && !(events & ~EXCLUSIVE_WITH));
}

/* [sets_lock held] */
static int change(struct epoll *set, int op, struct file *f, int fd, struct epoll_event *ev)
{
    struct epoll_item *i = find_item(set, f, fd);

    switch (op) {
    case EPOLL_CTL_ADD:
        return i ? -EEXIST : add(set, f, fd, ev);
    case EPOLL_CTL_DEL:
        if (i)
            item_remove(i);
        return i ? 0 : -ENOENT;
    case EPOLL_CTL_MOD:
        if (!i)
            return -ENOENT;
        if (i->event.events & EPOLLEXCLUSIVE)
            return -EINVAL;
        item_change(i, ev);
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_epoll_ctl(uint32_t epfd, uint32_t op, uint32_t fd, void __user *uevent)
{
    struct epoll_event ev = {0};
    struct file *ep, *f = NULL;
    long ret = -EBADF;

    if (op != EPOLL_CTL_DEL && copy_from_user(&ev, uevent, sizeof(ev)))
        return -EFAULT;
    ep = fd_get((int)epfd);
    if (ep)
        f = fd_get((int)fd);
    if (!f)
        goto out;
    ret = -EPERM;
    if (!f->ops->poll)
        goto out;
    ret = -EINVAL;
    if (!set_of(ep) || ep == f || !exclusive_is_right((int)op, f, ev.events))
        goto out;
    mutex_lock(&sets_lock);
    ret = change(ep->private, (int)op, f, (int)fd, &ev);
    mutex_unlock(&sets_lock);
out:
    if (f)
        file_put(f);
    if (ep)
        file_put(ep);
    return ret;
}

/* ---- epoll_wait ---- */

/* [set->mutex held] Reports the ready items, each once. */
static int collect(struct epoll *set, void __user *uevents, int max)
{
    struct list again = LIST_INIT(again);
    struct epoll_item *i;
    int n = 0;

    while (n < max && (i = take_ready(set)) != NULL) {
        struct epoll_event ev = i->event;

        sched_point();
        ev.events = ready_events(i);
        if (!ev.events)
            continue;
        if (copy_to_user((char __user *)uevents + (uint32_t)n * sizeof(ev), &ev, sizeof(ev))) {
            make_ready(i);
            n = n ? n : -EFAULT;
            break;
        }
        n++;
        if (i->event.events & EPOLLONESHOT) {
            i->event.events &= FLAGS;
        } else if (!(i->event.events & EPOLLET)) {
            put_aside(i, &again);
        }
    }
    keep_ready(set, &again);
    return n;
}

static int wait_ready(struct epoll *set, uint64_t until)
{
    struct wait_entry e;
    bool nothing;
    int ret = 0;

    if (until != TIME_NEVER)
        kernel_need();
    waitq_prepare(&set->queue, &e, THREAD_SLEEPING);
    spin_lock(&ready_lock);
    nothing =
        list_empty(&set->ready) && !set->asking; /* who asks has the mutex, and wakes nobody */
    spin_unlock(&ready_lock);
    if (nothing) {
        if (signal_pending_current())
            ret = -EINTR;
        else
            schedule_until(until);
    }
    waitq_finish(&e);
    return ret;
}

static int wait_loop(struct epoll *set, void __user *uevents, int max, uint64_t until)
{
    bool last = until == 0;
    int n;

    for (;;) {
        mutex_lock(&set->mutex);
        n = collect(set, uevents, max);
        mutex_unlock(&set->mutex);
        if (n || last)
            return n;
        n = wait_ready(set, until);
        if (n)
            return n;
        last = until != TIME_NEVER && time_mono_ns() >= until;
    }
}

static long do_wait(uint32_t epfd, void __user *uevents, uint32_t max, uint64_t until)
{
    struct file *f;
    long ret = -EINVAL;

    if ((int32_t)max <= 0 || max > MAX_EVENTS)
        return -EINVAL;
    if (!user_range_ok(uevents, max * sizeof(struct epoll_event)))
        return -EFAULT;
    f = fd_get((int)epfd);
    if (!f)
        return -EBADF;
    if (f->ops == &epoll_file_ops)
        ret = wait_loop(f->private, uevents, (int)max, until);
    file_put(f);
    return ret;
}

long sys_epoll_wait(uint32_t epfd, void __user *uevents, uint32_t max, uint32_t timeout)
{
    return do_wait(epfd, uevents, max, time_deadline_ms((int32_t)timeout));
}

static long do_pwait(uint32_t epfd, void __user *uevents, uint32_t max, uint64_t until,
                     void __user *umask, uint32_t size)
{
    long ret = poll_set_mask(umask, size);

    if (ret)
        return ret;
    ret = do_wait(epfd, uevents, max, until);
    if (ret != -EINTR) /* else the delivery puts the mask back */
        signal_restore_mask();
    return ret;
}

long sys_epoll_pwait(uint32_t epfd, void __user *uevents, uint32_t max, uint32_t timeout,
                     void __user *umask, uint32_t size)
{
    return do_pwait(epfd, uevents, max, time_deadline_ms((int32_t)timeout), umask, size);
}

long sys_epoll_pwait2(uint32_t epfd, void __user *uevents, uint32_t max, void __user *uts,
                      void __user *umask, uint32_t size)
{
    uint64_t ns, until = TIME_NEVER;

    if (uts) {
        long ret = timespec_get(&ns, uts, true);

        if (ret)
            return ret;
        until = ns ? time_deadline(ns) : 0;
    }
    return do_pwait(epfd, uevents, max, until, umask, size);
}
