/*
 * Who owns an open file and what signal he gets: F_SETOWN, F_SETSIG, O_ASYNC. man 2 fcntl
 *
 * The owner is kept as a number and looked up when there is something to tell; whether who set him
 * might send him signals is asked then, too.
 */
#include "arch/processors.h"
#include "fs/notify/owner.h"
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"

#define F_SETSIG    10
#define F_GETSIG    11
#define F_SETOWN_EX 15
#define F_GETOWN_EX 16

enum { OWNER_THREAD, OWNER_PROCESS, OWNER_GROUP };

/* ---- Setting ---- */

/* [proc_lock held] Whether a number names what it is to name. */
static bool exists(uint8_t type, int32_t pid)
{
    struct thread *t;
    struct proc *p;

    if (type == OWNER_GROUP)
        return proc_first_of_group(pid) != NULL;
    p = proc_find_any(pid, &t);
    return type == OWNER_THREAD ? t != NULL : p && p->pid == pid;
}

static void put_owner(struct file *f, uint8_t type, int32_t pid)
{
    const struct cred *c = &proc_current()->cred;

    f->owner.type = type;
    f->owner.pid = pid;
    f->owner.uid = c->uid;
    f->owner.euid = c->euid;
}

void owner_set_current(struct file *f, bool force)
{
    if (force || !f->owner.pid)
        put_owner(f, OWNER_PROCESS, proc_current()->pid);
}

void owner_set_group(struct file *f, int32_t group)
{
    if (!f->owner.pid)
        put_owner(f, OWNER_GROUP, group);
}

/* pid 0: nobody. Any number that names something will do, as on Linux. */
static long set_owner(struct file *f, uint8_t type, int32_t pid)
{
    struct thread *t;
    bool there = true;

    spin_lock(&proc_lock);
    if (pid)
        there = pid > 0 && (proc_find_any(pid, &t) || proc_first_of_group(pid) != NULL);
    spin_unlock(&proc_lock);
    if (!there)
        return -ESRCH;
    put_owner(f, type, pid);
    return 0;
}

static int32_t living_owner(const struct file *f)
{
    bool there;

    spin_lock(&proc_lock);
    there = f->owner.pid && exists(f->owner.type, f->owner.pid);
    spin_unlock(&proc_lock);
    return there ? f->owner.pid : 0;
}

struct user_owner {
    int32_t type, pid;
};

static long get_owner_ex(const struct file *f, void __user *uptr)
{
    struct user_owner ex = {.type = f->owner.type, .pid = living_owner(f)};

    return copy_to_user(uptr, &ex, sizeof(ex));
}

static long set_owner_ex(struct file *f, const void __user *uptr)
{
    struct user_owner ex;

    if (copy_from_user(&ex, uptr, sizeof(ex)))
        return -EFAULT;
    if (ex.type < OWNER_THREAD || ex.type > OWNER_GROUP)
        return -EINVAL;
    return set_owner(f, (uint8_t)ex.type, ex.pid);
}

static long set_signal(struct file *f, uint32_t signo)
{
    if (signo > NSIG)
        return -EINVAL;
    f->owner.signo = (uint8_t)signo;
    return 0;
}

bool is_owner_cmd(uint32_t cmd)
{
    return (cmd >= F_SETOWN && cmd <= F_GETSIG) || cmd == F_SETOWN_EX || cmd == F_GETOWN_EX;
}

long owner_fcntl(struct file *f, uint32_t cmd, uint32_t arg)
{
    int32_t who = (int32_t)arg;

    switch (cmd) {
    case F_SETOWN:
        if (who == INT32_MIN)
            return -EINVAL;
        return set_owner(f, who < 0 ? OWNER_GROUP : OWNER_PROCESS, who < 0 ? -who : who);
    case F_GETOWN:
        return f->owner.type == OWNER_GROUP ? -living_owner(f) : living_owner(f);
    case F_SETSIG:
        return set_signal(f, arg);
    case F_GETSIG:
        return f->owner.signo;
    case F_SETOWN_EX:
        return set_owner_ex(f, (const void __user *)arg);
    default:
        return get_owner_ex(f, (void __user *)arg);
    }
}

/* ---- Sending ---- */

static bool may_send(const struct file_owner *o, const struct proc *to)
{
    const struct cred *c = &to->cred;

    return o->euid == 0 || o->euid == c->suid || o->euid == c->uid || o->uid == c->suid ||
           o->uid == c->uid;
}

/* Those signals whose codes 1 to 6 mean something else. */
static bool has_own_codes(int signo)
{
    return signo == SIGILL || signo == SIGFPE || signo == SIGSEGV || signo == SIGBUS ||
           signo == SIGTRAP || signo == SIGCHLD || signo == SIGSYS;
}

#define URGENT 0 /* beside POLL_* */

/* [proc_lock held] t NULL: to the process. A chosen signal that cannot be queued is SIGIO. */
static void send(const struct file_owner *o, struct proc *p, struct thread *t, int fd, int why)
{
    static const uint16_t bands[] = {[POLL_IN] = 0x41,
                                     [POLL_OUT] = 0x304,
                                     [POLL_MSG] = 0x441,
                                     [POLL_PRI] = 0x82,
                                     [POLL_HUP] = 0x18};
    struct siginfo info = {.code = has_own_codes(o->signo) ? SI_SIGIO : why, .uid = fd};

    if (!may_send(o, p))
        return;
    if (why == URGENT) {
        signal_try_send(p, t, SIGURG, NULL);
        return;
    }
    info.pid = bands[why];
    if (!o->signo || signal_try_send(p, t, o->signo, &info))
        signal_try_send(p, t, SIGIO, NULL);
}

void owner_signal(const struct file *f, int fd, int why)
{
    const struct file_owner *o = &f->owner;
    struct thread *t;
    struct proc *p;

    if (!o->pid)
        return;
    spin_lock(&proc_lock);
    if (o->type == OWNER_GROUP) {
        for_each_of_group(p, o->pid) send(o, p, NULL, fd, why);
    } else {
        p = proc_find_any(o->pid, &t);
        if (p && (o->type == OWNER_PROCESS || t))
            send(o, p, o->type == OWNER_THREAD ? t : NULL, fd, why);
    }
    spin_unlock(&proc_lock);
}

void owner_urgent(const struct file *f)
{
    owner_signal(f, 0, URGENT);
}

/* ---- O_ASYNC ---- */

struct async_item {   /* of a file; one for each list */
    struct list link; /* [async_lock] */
    const struct file *file;
    int fd;
};

struct async_items {
    struct async_item in, out;
};

static struct spinlock async_lock = SPINLOCK_INIT("async files", LOCK_RANK_ASYNC);

void async_init(struct async_list *l)
{
    list_init(&l->items);
}

void async_tell(struct async_list *l, int why)
{
    struct async_item *i;

    if (list_empty(&l->items))
        return;
    kernel_need();
    spin_lock(&async_lock);
    list_for_each_entry (i, &l->items, link)
        owner_signal(i->file, i->fd, why);
    spin_unlock(&async_lock);
}

void async_bury(struct async_list *l, bool (*dead)(const struct file *f))
{
    struct async_item *i, *next;

    spin_lock(&async_lock);
    list_for_each_entry_safe (i, next, &l->items, link) {
        if (!dead(i->file))
            continue;
        list_remove(&i->link);
        list_init(&i->link);
    }
    spin_unlock(&async_lock);
}

/* [async_lock held] */
static void enter(struct async_item *i, struct file *f, int fd, bool out)
{
    struct async_list *l = f->ops->async(f, out);

    list_init(&i->link);
    i->file = f;
    i->fd = fd;
    if (l)
        list_add_tail(&l->items, &i->link);
}

int async_set(struct file *f, int fd, bool on)
{
    struct async_items *items;

    if (!f->ops->async || on == !!f->async)
        return 0;
    if (!on) {
        async_drop(f);
        f->flags &= ~O_ASYNC;
        return 0;
    }
    items = kmalloc(sizeof(*items));
    if (!items)
        return -ENOMEM;
    spin_lock(&async_lock);
    if (!f->async) {
        enter(&items->in, f, fd, false);
        enter(&items->out, f, fd, true);
        f->async = items;
        f->flags |= O_ASYNC;
        items = NULL;
    }
    spin_unlock(&async_lock);
    kmfree(items);
    return 0;
}

void async_drop(struct file *f)
{
    struct async_items *items;

    spin_lock(&async_lock);
    items = f->async;
    f->async = NULL;
    if (items) {
        list_remove(&items->in.link);
        list_remove(&items->out.link);
    }
    spin_unlock(&async_lock);
    kmfree(items);
}
