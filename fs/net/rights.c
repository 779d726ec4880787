/*
 * Descriptors on their way: SCM_RIGHTS.
 *
 * A struct rights keeps its files open, whether anybody ever receives them. How many of them a user
 * has under way is limited as on Linux. Sockets among them are counted in flight while they lie in
 * a queue, for fs/net/collect.c.
 */
#include "arch/uaccess.h"
#include "fs/net/unix.h"
#include "fs/vfs/internal.h"
#include "libc/string.h"

/* ---- Making ---- */

/* Room for n more in *r. */
static int grow(struct rights **r, uint32_t n)
{
    uint32_t have = *r ? (*r)->count : 0;
    struct rights *bigger = kzalloc(sizeof(*bigger) + (have + n) * sizeof(struct file *));

    if (!bigger)
        return -ENOMEM;
    list_init(&bigger->link);
    bigger->count = have;
    if (have)
        memcpy(bigger->files, (*r)->files, have * sizeof(struct file *));
    kmfree(*r);
    *r = bigger;
    return 0;
}

int rights_add(struct rights **r, const void __user *ufds, uint32_t n)
{
    int err;

    if (!n)
        return 0;
    if (n > SCM_MAX_FD || n + (*r ? (*r)->count : 0) > SCM_MAX_FD)
        return -EINVAL;
    err = grow(r, n);
    for (uint32_t i = 0; !err && i < n; i++) {
        uint32_t fd;

        if (get_user_u32(&fd, (const char __user *)ufds + i * sizeof(fd)))
            return -EFAULT;
        (*r)->files[(*r)->count] = fd_get_any((int)fd);
        if (!(*r)->files[(*r)->count])
            return -EBADF;
        (*r)->count++;
    }
    return err;
}

struct rights *rights_copy(const struct rights *r)
{
    struct rights *copy = NULL;

    if (grow(&copy, r->count))
        return NULL;
    copy->count = r->count;
    memcpy(copy->files, r->files, r->count * sizeof(struct file *));
    for (uint32_t i = 0; i < copy->count; i++)
        file_ref(copy->files[i]);
    return copy;
}

/* What is under way may be over the limit by one message. Unreachable ones do not count. */
int rights_charge(struct rights *r)
{
    uint32_t most = proc_current()->rlimits[RLIMIT_NOFILE].cur;
    struct user *u = user_get();

    if (!u)
        return -ENOMEM;
    if (capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN) || most > UINT32_MAX / 2)
        most = UINT32_MAX / 2;
    if (collect_inflight > collect_threshold)
        collect();
    if (!user_charge(u, USER_INFLIGHT, r->count, most + r->count)) {
        collect();
        if (!user_charge(u, USER_INFLIGHT, r->count, most + r->count)) {
            user_put(u);
            return -ETOOMANYREFS;
        }
    }
    r->user = u;
    return 0;
}

/* ---- In a queue ---- */

void rights_queue(struct socket *holder, struct packet *p)
{
    struct rights *r = p->rights;
    struct socket *s;

    r->packet = p;
    for (uint32_t i = 0; i < r->count; i++) {
        s = socket_of(r->files[i]);
        if (!s)
            continue;
        r->holder = holder;
        s->inflight++;
        collect_inflight++;
        collect_reach(s);
    }
    if (!r->holder)
        return;
    if (list_empty(&holder->rights))
        collect_carrier(holder);
    r->scanned = collect_round;
    list_add_tail(&holder->rights, &r->link);
}

void rights_unqueue(struct rights *r)
{
    struct socket *s;

    r->packet = NULL;
    if (!r->holder)
        return;
    for (uint32_t i = 0; i < r->count; i++) {
        s = socket_of(r->files[i]);
        if (s) {
            s->inflight--;
            collect_inflight--;
        }
    }
    list_remove(&r->link);
    if (list_empty(&r->holder->rights))
        list_remove(&r->holder->carrier_link);
    r->holder = NULL;
}

void rights_reach(const struct rights *r)
{
    for (uint32_t i = 0; r->holder && i < r->count; i++) {
        struct socket *s = socket_of(r->files[i]);

        if (s)
            collect_reach(s);
    }
}

/* ---- Freeing ---- */

/*
 * The end of a file may be the end of a socket with further rights in its queue, and so on: a chain
 * that is as long as a program likes. So what a thread comes to free while it frees is put on a
 * list.
 */
struct freeing {
    struct list link; /* [net_lock] in freeings */
    struct thread *thread;
    struct list rights; /* [net_lock] */
};

static struct list freeings = LIST_INIT(freeings); /* [net_lock] one for each thread that frees */

static void free_one(struct rights *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        file_put(r->files[i]);
        sched_point();
    }
    if (r->user) {
        user_uncharge(r->user, USER_INFLIGHT, r->count);
        user_put(r->user);
    }
    kmfree(r);
}

/* [net_lock held] */
static struct freeing *find_own(void)
{
    struct freeing *f;

    list_for_each_entry (f, &freeings, link)
        if (f->thread == thread_current())
            return f;
    return NULL;
}

void rights_free(struct rights *r)
{
    struct freeing mine = {.thread = thread_current(), .rights = LIST_INIT(mine.rights)}, *outer;

    spin_lock(&net_lock);
    outer = find_own();
    list_add_tail(outer ? &outer->rights : &mine.rights, &r->link);
    if (!outer)
        list_add(&freeings, &mine.link);
    while (!list_empty(&mine.rights)) {
        r = list_first_entry(&mine.rights, struct rights, link);
        list_remove(&r->link);
        spin_unlock(&net_lock);
        free_one(r);
        spin_lock(&net_lock);
    }
    if (!outer)
        list_remove(&mine.link);
    spin_unlock(&net_lock);
}

/* ---- Arriving ---- */

uint32_t rights_install(struct rights *r, void __user *ufds, uint32_t n, bool cloexec)
{
    for (uint32_t i = 0; i < n; i++) {
        int fd;

        file_ref(r->files[i]);
        fd = fd_install(r->files[i], 0, cloexec);
        if (fd < 0)
            return i;
        if (put_user_u32((char __user *)ufds + i * sizeof(uint32_t), (uint32_t)fd)) {
            fd_close(fd);
            return i;
        }
        sched_point();
    }
    return n;
}
