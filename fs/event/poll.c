/*
 * Waiting for files: the table of queues, poll and ppoll.
 *
 * A poll operation tells what its file is ready for and joins, through poll_wait, the queues whose
 * wake-up may change that. The first round over the files joins them all; if nothing was ready the
 * thread sleeps, and later rounds only ask. A wake-up between asking and sleeping sets triggered,
 * so it is not lost.
 *
 * The calls begin without the kernel lock and take it at the first file whose poll needs it, to
 * change the signal mask, and to sleep until a time.
 */
#include "arch/processors.h"
#include "fs/event/poll.h"
#include "arch/uaccess.h"
#include "fs/vfs/file.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define ALWAYS       (POLLERR | POLLHUP)
#define NO_POLL_MASK (POLLIN | POLLOUT) /* files that never wait */

/* ---- The table ---- */

static void poll_woken(struct wait_entry *w)
{
    struct poll_entry *e = container_of(w, struct poll_entry, wait);

    write_once(e->table->triggered, true);
    sched_wake(e->table->thread);
}

static struct poll_entry *entry_new(struct poll_table *pt)
{
    struct poll_chunk *c = pt->chunks;

    if (pt->used < POLL_INLINE)
        return &pt->entries[pt->used++];
    if (!c || c->used == sizeof(c->entries) / sizeof(c->entries[0])) {
        c = kmalloc(sizeof(*c));
        if (!c)
            return NULL;
        c->used = 0;
        c->next = pt->chunks;
        pt->chunks = c;
    }
    return &c->entries[c->used++];
}

static void table_add(struct poll_table *pt, struct waitq *q)
{
    struct poll_entry *e = entry_new(pt);

    if (!e) {
        pt->error = -ENOMEM;
        return;
    }
    e->table = pt;
    e->file = pt->file;
    file_ref(e->file);
    waitq_add(q, &e->wait, poll_woken);
}

void poll_wait(struct poll_table *pt, struct waitq *q)
{
    if (pt)
        pt->add(pt, q);
}

void poll_table_init(struct poll_table *pt)
{
    pt->add = table_add;
    pt->thread = thread_current();
    pt->triggered = false;
    pt->error = 0;
    pt->used = 0;
    pt->chunks = NULL;
}

static void entry_free(struct poll_entry *e)
{
    waitq_remove(&e->wait);
    file_put(e->file);
}

void poll_table_free(struct poll_table *pt)
{
    struct poll_chunk *c;

    while (pt->used)
        entry_free(&pt->entries[--pt->used]);
    while ((c = pt->chunks) != NULL) {
        pt->chunks = c->next;
        while (c->used)
            entry_free(&c->entries[--c->used]);
        kmfree(c);
        sched_point();
    }
}

void poll_table_sleep(struct poll_table *pt, uint64_t until)
{
    if (until != TIME_NEVER)
        kernel_need();
    thread_announce(pt->thread, THREAD_SLEEPING);
    if (read_once(pt->triggered) || signal_pending_current())
        pt->thread->state = THREAD_RUNNABLE;
    else
        schedule_until(until);
}

uint32_t file_poll(struct file *f, struct poll_table *pt)
{
    uint32_t mask = NO_POLL_MASK;

    if (f->ops->poll) {
        if (!(f->ops->beside & BESIDE_POLL))
            kernel_need();
        if (pt)
            pt->file = f;
        mask = f->ops->poll(f, pt);
    }
    if (mask & POLLIN)
        mask |= POLLRDNORM;
    if (mask & POLLOUT)
        mask |= POLLWRNORM;
    return mask;
}

/* ---- poll ---- */

struct pollfd {
    int32_t fd;
    uint16_t events, revents;
};

#define INLINE_FDS 16

/* The caller's array, in pieces. */
struct fd_chunk {
    struct fd_chunk *next;
    uint32_t count;
    struct pollfd fds[INLINE_FDS]; /* the first one; of the others as many as their memory holds */
};

#define CHUNK_FDS ((PAGE_SIZE - offsetof(struct fd_chunk, fds)) / sizeof(struct pollfd))

static void chunks_free(struct fd_chunk *first)
{
    struct fd_chunk *c;

    while ((c = first->next) != NULL) {
        first->next = c->next;
        kfree(c);
    }
}

static int chunk_fill(struct fd_chunk *c, void __user *ufds, uint32_t count)
{
    c->next = NULL;
    c->count = count;
    return copy_from_user(c->fds, ufds, count * sizeof(struct pollfd));
}

static int chunks_read(struct fd_chunk *first, void __user *ufds, uint32_t n)
{
    struct fd_chunk *c = first;
    uint32_t count = n < INLINE_FDS ? n : INLINE_FDS;

    for (;;) {
        if (chunk_fill(c, ufds, count))
            return -EFAULT;
        n -= count;
        if (!n)
            return 0;
        ufds = (char __user *)ufds + count * sizeof(struct pollfd);
        count = n < CHUNK_FDS ? n : CHUNK_FDS;
        c->next = kalloc();
        if (!c->next)
            return -ENOMEM;
        c = c->next;
    }
}

static int chunks_write(const struct fd_chunk *c, void __user *ufds)
{
    for (; c; c = c->next) {
        if (copy_to_user(ufds, c->fds, c->count * sizeof(struct pollfd)))
            return -EFAULT;
        ufds = (char __user *)ufds + c->count * sizeof(struct pollfd);
    }
    return 0;
}

static uint16_t poll_one(const struct pollfd *p, struct poll_table *pt)
{
    struct file *f;
    uint32_t mask;

    if (p->fd < 0)
        return 0;
    f = fd_get(p->fd);
    if (!f)
        return POLLNVAL;
    mask = file_poll(f, pt) & (p->events | ALWAYS);
    file_put(f);
    return (uint16_t)mask;
}

/* How many are ready. Once one is, nobody will sleep, so no more queues are joined. */
static long poll_round(void *chunks, struct poll_table *pt)
{
    long ready = 0;

    for (struct fd_chunk *c = chunks; c; c = c->next)
        for (uint32_t i = 0; i < c->count; i++) {
            c->fds[i].revents = poll_one(&c->fds[i], pt);
            if (c->fds[i].revents) {
                ready++;
                pt = NULL;
            }
            sched_point();
        }
    return ready;
}

long poll_until(long (*round)(void *of, struct poll_table *pt), void *of, uint64_t until)
{
    struct poll_table table, *joining = NULL;
    bool last = until == 0;
    long ret;

    poll_table_init(&table);
    if (!last)
        joining = &table;
    for (;;) {
        /* An exchange: the files are asked after it, so what comes later is not forgotten. */
        (void)__atomic_exchange_n(&table.triggered, false, __ATOMIC_SEQ_CST);
        ret = round(of, joining);
        joining = NULL;
        if (ret == 0)
            ret = table.error;
        if (ret || last)
            break;
        if (signal_pending_current()) {
            ret = -ERESTARTNOHAND;
            break;
        }
        poll_table_sleep(&table, until);
        last = until != TIME_NEVER && time_mono_ns() >= until;
    }
    poll_table_free(&table);
    return ret;
}

static long do_poll(void __user *ufds, uint32_t n, uint64_t until)
{
    struct fd_chunk first = {.next = NULL};
    long ret;

    if (n > proc_current()->rlimits[RLIMIT_NOFILE].cur)
        return -EINVAL;
    ret = chunks_read(&first, ufds, n);
    if (!ret)
        ret = poll_until(poll_round, &first, until);
    if (ret >= 0 && chunks_write(&first, ufds))
        ret = -EFAULT;
    chunks_free(&first);
    return ret;
}

/* poll goes on with what is left of its time unless a handler ran. */
static long poll_result(long ret, void __user *ufds, uint32_t n, uint64_t until);

static long poll_restart(struct thread *t)
{
    void __user *ufds = (void __user *)t->sig.restart_args[0];
    uint32_t n = t->sig.restart_args[1];
    uint64_t until = t->sig.restart_until;

    return poll_result(do_poll(ufds, n, until), ufds, n, until);
}

static long poll_result(long ret, void __user *ufds, uint32_t n, uint64_t until)
{
    struct thread *t = thread_current();

    if (ret != -ERESTARTNOHAND)
        return ret;
    t->sig.restart_fn = poll_restart;
    t->sig.restart_args[0] = (uint32_t)ufds;
    t->sig.restart_args[1] = n;
    t->sig.restart_until = until;
    return -ERESTART_RESTARTBLOCK;
}

long sys_poll(void __user *ufds, uint32_t n, uint32_t timeout_ms)
{
    uint64_t until = time_deadline_ms((int32_t)timeout_ms);

    return poll_result(do_poll(ufds, n, until), ufds, n, until);
}

/* ---- ppoll ---- */

int poll_set_mask(void __user *umask, uint32_t size)
{
    sigset64_t set;

    if (!umask)
        return 0;
    if (size != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, umask, sizeof(set)))
        return -EFAULT;
    kernel_need();
    signal_set_temporary_mask(set);
    return 0;
}

/* A call that a signal ended leaves the mask to the delivery. */
void poll_finish_mask(long ret)
{
    if (ret != -ERESTARTNOHAND)
        signal_restore_mask();
}

static long do_ppoll(void __user *ufds, uint32_t n, void __user *uts, void __user *umask,
                     uint32_t size, bool wide)
{
    uint64_t ns = 0, until = TIME_NEVER;
    long ret;

    if (uts) {
        ret = timespec_get(&ns, uts, wide);
        if (ret)
            return ret;
        until = ns ? time_deadline(ns) : 0;
    }
    ret = poll_set_mask(umask, size);
    if (ret)
        return ret;
    ret = do_poll(ufds, n, until);
    poll_finish_mask(ret);
    if (uts && until) {
        uint64_t now = time_mono_ns();

        if (timespec_put(uts, until > now ? until - now : 0, wide) && ret == -ERESTARTNOHAND)
            ret = -EINTR;
    }
    return ret;
}

long sys_ppoll(void __user *ufds, uint32_t n, void __user *uts, void __user *umask, uint32_t size)
{
    return do_ppoll(ufds, n, uts, umask, size, false);
}

long sys_ppoll_time64(void __user *ufds, uint32_t n, void __user *uts, void __user *umask,
                      uint32_t size)
{
    return do_ppoll(ufds, n, uts, umask, size, true);
}
