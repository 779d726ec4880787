/*
 * semop: operations on a set, all or none; waiting, and SEM_UNDO. man 2 semop
 *
 * Who has to wait is listed with his operations, and whoever changes a value tries them for him, in
 * order of arrival; so each is done at once, by whose change made it possible. The list's elements
 * are on the waiters' stacks: they leave it under the lock.
 */
#include "arch/uaccess.h"
#include "kernel/ipc/sem_impl.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define SEM_UNDO   0x1000
#define INLINE_OPS 16
#define PENDING    1 /* as a result: has to wait */

struct sem_op { /* Linux's struct sembuf */
    uint16_t n;
    int16_t change;
    int16_t flags;
};

struct sem_waiter {
    struct list link;
    struct thread *thread;
    struct sem_op *ops;
    uint32_t count;
    struct sem_undo *undo; /* or NULL */
    int32_t pid;
    uint32_t blocked_on; /* which of the operations could not be done */
    volatile int result; /* PENDING while it waits */
};

/* ---- Undo ---- */

static int16_t *adjustment(struct sem_undo *u, uint32_t n)
{
    int16_t **page = &u->pages[n / ADJ_PER_PAGE];

    return *page ? &(*page)[n % ADJ_PER_PAGE] : NULL;
}

static void undo_free(struct sem_undo *u)
{
    list_remove(&u->of_set);
    list_remove(&u->of_proc);
    for (uint32_t i = 0; i < ADJ_PAGES; i++)
        if (u->pages[i])
            kfree(u->pages[i]);
    kmfree(u);
}

static struct sem_undo *find_undo(const struct sem_set *s, const struct proc *p)
{
    struct sem_undo *u;

    list_for_each_entry (u, &s->undos, of_set)
        if (u->proc == p)
            return u;
    return NULL;
}

/* The promise of the current process to s, with room for what w undoes; NULL: no memory. */
static struct sem_undo *reserve_undo(struct sem_set *s, const struct sem_waiter *w)
{
    struct proc *p = proc_current();
    struct sem_undo *u = find_undo(s, p);

    if (!u) {
        u = kzalloc(sizeof(*u));
        if (!u)
            return NULL;
        u->proc = p;
        u->set = s;
        list_add_tail(&s->undos, &u->of_set);
        list_add_tail(&p->sem_undos, &u->of_proc);
    }
    for (uint32_t i = 0; i < w->count; i++) {
        int16_t **page = &u->pages[w->ops[i].n / ADJ_PER_PAGE];

        if ((w->ops[i].flags & SEM_UNDO) && !*page && !(*page = kalloc_zeroed()))
            return NULL;
    }
    return u;
}

void sem_forget_undo(struct sem_set *s, uint32_t n)
{
    struct sem_undo *u;

    list_for_each_entry (u, &s->undos, of_set)
        if (adjustment(u, n))
            *adjustment(u, n) = 0;
}

/* ---- Doing ---- */

/* One operation: 0, PENDING, -EAGAIN, -ERANGE. */
static int do_one(struct sem_set *s, const struct sem_op *op, struct sem_undo *u)
{
    struct sem *sem = sem_at(s, op->n);
    int32_t value = sem->value + op->change, adj;

    if (value < 0 || (!op->change && sem->value))
        return op->flags & (int16_t)IPC_NOWAIT ? -EAGAIN : PENDING;
    if (value > SEM_VALUE_MAX)
        return -ERANGE;
    if (op->flags & SEM_UNDO) {
        adj = *adjustment(u, op->n) - op->change;
        if (adj < -SEM_VALUE_MAX - 1 || adj > SEM_VALUE_MAX)
            return -ERANGE;
        *adjustment(u, op->n) = (int16_t)adj;
    }
    sem->value = value;
    return 0;
}

static void take_back(struct sem_set *s, const struct sem_op *op, struct sem_undo *u)
{
    sem_at(s, op->n)->value -= op->change;
    if (op->flags & SEM_UNDO)
        *adjustment(u, op->n) += op->change;
}

/* All or none. */
static int try_all(struct sem_set *s, struct sem_waiter *w)
{
    uint32_t i = 0;
    int ret = 0;

    while (i < w->count && !(ret = do_one(s, &w->ops[i], w->undo)))
        i++;
    if (ret) {
        w->blocked_on = i;
        while (i)
            take_back(s, &w->ops[--i], w->undo);
        return ret;
    }
    for (i = 0; i < w->count; i++)
        sem_at(s, w->ops[i].n)->pid = w->pid;
    s->otime = time_real_sec();
    return 0;
}

static bool alters(const struct sem_waiter *w)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (w->ops[i].change)
            return true;
    return false;
}

static void finish(struct sem_waiter *w, int result)
{
    list_remove(&w->link);
    w->result = result;
    sched_wake(w->thread);
}

void sem_changed(struct sem_set *s)
{
    struct sem_waiter *w, *next;
    bool again;

    do {
        again = false;
        list_for_each_entry_safe (w, next, &s->pending, link) {
            int ret = try_all(s, w);

            if (ret == PENDING)
                continue;
            again = again || (!ret && alters(w));
            finish(w, ret);
            sched_point();
        }
    } while (again);
}

void sem_removed(struct sem_set *s)
{
    while (!list_empty(&s->pending))
        finish(list_first_entry(&s->pending, struct sem_waiter, link), -EIDRM);
    while (!list_empty(&s->undos))
        undo_free(list_first_entry(&s->undos, struct sem_undo, of_set));
}

uint32_t sem_count_waiters(const struct sem_set *s, uint32_t n, bool for_zero)
{
    const struct sem_waiter *w;
    uint32_t count = 0;

    list_for_each_entry (w, &s->pending, link) {
        const struct sem_op *op = &w->ops[w->blocked_on];

        count += op->n == n && !op->change == for_zero;
    }
    return count;
}

/* ---- Waiting ---- */

/* [sem_table.lock held, dropped while it sleeps] What became of w: 0, -EIDRM, -EINTR, -EAGAIN... */
static int wait(struct sem_set *s, struct sem_waiter *w, uint64_t until)
{
    struct thread *t = thread_current();
    bool over = false;

    w->result = PENDING;
    list_add_tail(&s->pending, &w->link);
    mutex_unlock(&sem_table.lock);
    while (w->result == PENDING && !over) {
        t->state = THREAD_SLEEPING;
        over = signal_pending_current() || time_mono_ns() >= until;
        if (w->result != PENDING || over)
            t->state = THREAD_RUNNABLE;
        else
            schedule_until(until);
    }
    mutex_lock(&sem_table.lock);
    if (w->result != PENDING)
        return w->result;
    list_remove(&w->link);
    return signal_pending_current() ? -EINTR : -EAGAIN;
}

/* [sem_table.lock held] Before anything is done. */
static int check(struct sem_set *s, struct sem_waiter *w)
{
    bool undoes = false;

    for (uint32_t i = 0; i < w->count; i++) {
        if (w->ops[i].n >= s->count)
            return -EFBIG;
        undoes = undoes || (w->ops[i].flags & SEM_UNDO);
    }
    if (!ipc_permits(&s->object, alters(w) ? 0222 : 0444))
        return -EACCES;
    if (undoes)
        w->undo = reserve_undo(s, w);
    return undoes && !w->undo ? -ENOMEM : 0;
}

static int operate(int32_t id, struct sem_waiter *w, uint64_t until)
{
    struct sem_set *s;
    int ret = -EINVAL;

    mutex_lock(&sem_table.lock);
    s = (struct sem_set *)ipc_find(&sem_table, id);
    if (s)
        ret = check(s, w);
    if (!ret)
        ret = try_all(s, w);
    if (!ret && alters(w))
        sem_changed(s);
    else if (ret == PENDING)
        ret = wait(s, w, until);
    mutex_unlock(&sem_table.lock);
    return ret;
}

long sem_operate(int32_t id, void __user *uops, uint32_t n, const void __user *uts, bool wide)
{
    struct sem_op few[INLINE_OPS];
    struct sem_waiter w = {
        .thread = thread_current(), .ops = few, .count = n, .pid = proc_current()->pid};
    uint64_t ns, until = TIME_NEVER;
    long ret;

    if (uts) {
        ret = timespec_get(&ns, uts, wide);
        if (ret)
            return ret;
        until = time_deadline(ns);
    }
    if ((int32_t)n < 1 || id < 0)
        return -EINVAL;
    if (n > sem_limits.per_call)
        return -E2BIG;
    if (n > INLINE_OPS)
        w.ops = kmalloc(n * sizeof(*w.ops));
    if (!w.ops)
        return -ENOMEM;
    ret = copy_from_user(w.ops, uops, n * sizeof(*w.ops)) ? -EFAULT : operate(id, &w, until);
    if (w.ops != few)
        kmfree(w.ops);
    return ret;
}

/* ---- The end of a process ---- */

static void adjust_all(struct sem_undo *u)
{
    struct sem_set *s = u->set;

    for (uint32_t n = 0; n < s->count; n++) {
        int16_t *adj = adjustment(u, n);
        struct sem *sem = sem_at(s, n);

        if (!adj || !*adj)
            continue;
        sem->value += *adj;
        if (sem->value < 0)
            sem->value = 0;
        if (sem->value > SEM_VALUE_MAX)
            sem->value = SEM_VALUE_MAX;
        sem->pid = u->proc->pid;
        s->otime = time_real_sec();
    }
}

void sem_exit(struct proc *p)
{
    if (list_empty(&p->sem_undos))
        return;
    mutex_lock(&sem_table.lock);
    while (!list_empty(&p->sem_undos)) {
        struct sem_undo *u = list_first_entry(&p->sem_undos, struct sem_undo, of_proc);
        struct sem_set *s = u->set;

        adjust_all(u);
        undo_free(u);
        sem_changed(s);
        sched_point();
    }
    mutex_unlock(&sem_table.lock);
}
