/*
 * IOCB_CMD_POLL: requests of asynchronous I/O that wait for a file.
 *
 * A request joins its file's queue. Who wakes that puts it on a list, without a lock, and a thread
 * of the kernel asks the file what it is ready for, since that may sleep, and the ring lies in
 * memory. Whoever takes a request off its context's list, under aio_lock, ends it: the thread,
 * io_cancel, the end of the context, or the call that begins it.
 */
#include "fs/event/aio.h"
#include "fs/event/eventfd.h"
#include "fs/event/poll.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define ALWAYS (POLLERR | POLLHUP)

struct aio_poll {
    uint32_t refs; /* atomic: who ends it, and the list of those that were woken */
    bool queued;   /* atomic: on that list */
    bool joined;   /* the file's queue */
    bool waiting;  /* [aio_lock] on the context's list, which keeps no reference to the context */
    struct wait_entry wait;
    struct aio_poll *next; /* in woken */
    struct list link;      /* [aio_lock] */
    struct aio_context *context;
    struct file *file, *told;
    uint32_t events;
    struct io_event event;
};

static struct aio_poll *woken; /* atomic; the newest first */
static struct thread *looker;  /* the thread; NULL: none was needed yet */

static void poll_put(struct aio_poll *p)
{
    if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
        return;
    file_put(p->file);
    if (p->told)
        file_put(p->told);
    kmfree(p);
}

/* The file's queue was woken: in any context, under the queue's lock. */
static void poll_woken(struct wait_entry *e)
{
    struct aio_poll *p = container_of(e, struct aio_poll, wait);

    if (__atomic_exchange_n(&p->queued, true, __ATOMIC_SEQ_CST))
        return;
    __atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
    p->next = __atomic_load_n(&woken, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&woken, &p->next, p, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED))
        ;
    sched_wake(looker);
}

/* [aio_lock held] Off its context's list: it is the caller's to end. */
static void take_off(struct aio_poll *p)
{
    p->waiting = false;
    list_remove(&p->link);
}

/* Whether it was on the list, and so is the caller's. */
static bool claim(struct aio_poll *p)
{
    bool ours;

    spin_lock(&aio_lock);
    ours = p->waiting;
    if (ours)
        take_off(p);
    spin_unlock(&aio_lock);
    return ours;
}

/* The end of one that was claimed; its event says mask, if anybody shall be told. */
static void finish(struct aio_poll *p, struct aio_context *tell, uint32_t mask)
{
    if (p->joined)
        waitq_remove(&p->wait);
    p->event.result = mask;
    if (tell)
        aio_post(tell, &p->event, p->told);
    poll_put(p);
}

/* Its context, with a reference, while it waits; else NULL. */
static struct aio_context *context_of(struct aio_poll *p)
{
    struct aio_context *c;

    spin_lock(&aio_lock);
    c = p->waiting ? p->context : NULL;
    if (c)
        vm_object_ref(c->ring);
    spin_unlock(&aio_lock);
    return c;
}

/* Ends it if its file is ready. */
static void look_at(struct aio_poll *p, struct aio_context *c)
{
    uint32_t mask = file_poll(p->file, NULL) & p->events;

    if (mask && claim(p))
        finish(p, c, mask);
}

static void look_again(struct aio_poll *p)
{
    struct aio_context *c;

    /* An exchange: what comes after the file was asked puts it on the list once more. */
    (void)__atomic_exchange_n(&p->queued, false, __ATOMIC_SEQ_CST);
    c = context_of(p);
    if (c) {
        look_at(p, c);
        aio_put(c);
    }
    poll_put(p);
}

static void wait_for_woken(void)
{
    struct thread *t = thread_current();

    thread_announce(t, THREAD_SLEEPING);
    if (__atomic_load_n(&woken, __ATOMIC_RELAXED))
        t->state = THREAD_RUNNABLE;
    else
        schedule();
}

static void looker_main(void *arg)
{
    struct aio_poll *p, *next;

    (void)arg;
    for (;;) {
        wait_for_woken();
        for (p = __atomic_exchange_n(&woken, NULL, __ATOMIC_ACQ_REL); p; p = next) {
            next = p->next;
            look_again(p);
            sched_point();
        }
    }
}

static bool have_looker(void)
{
    if (!looker)
        looker = kthread_create("aio", looker_main, NULL);
    return looker;
}

/* ---- Beginning ---- */

struct joining {
    struct poll_table table;
    struct aio_poll *poll;
};

/* As on Linux, a file of several queues cannot be waited for. */
static void join(struct poll_table *pt, struct waitq *q)
{
    struct aio_poll *p = container_of(pt, struct joining, table)->poll;

    if (p->joined)
        pt->error = -EINVAL;
    else
        waitq_add(q, &p->wait, poll_woken);
    p->joined = true;
}

/* Puts it on its context's list. -EINVAL: the context is retired. */
static int begin_waiting(struct aio_poll *p)
{
    struct aio_context *c = p->context;

    spin_lock(&aio_lock);
    p->waiting = !c->gone;
    if (p->waiting)
        list_add_tail(&c->polls, &p->link);
    spin_unlock(&aio_lock);
    return p->waiting ? 0 : -EINVAL;
}

/* The first look at the file, which joins its queue. */
static int first_look(struct aio_poll *p, struct aio_context *c)
{
    struct joining j = {.poll = p};
    uint32_t mask;
    int err;

    poll_table_init(&j.table);
    j.table.add = join;
    mask = file_poll(p->file, &j.table) & p->events;
    if (mask) {
        finish(p, c, mask);
        return 0;
    }
    err = p->joined ? j.table.error : -EINVAL;
    if (!err)
        err = begin_waiting(p);
    if (!err) {
        look_at(p, c); /* what came before it waited was not heard */
        return 0;
    }
    p->told = NULL;
    finish(p, NULL, 0);
    return err;
}

int aio_poll_begin(struct aio_context *c, struct file *f, uint32_t events, const struct io_event *e,
                   struct file *told)
{
    struct aio_poll *p = have_looker() ? kzalloc(sizeof(*p)) : NULL;
    int err;

    if (!p)
        return -ENOMEM;
    p->refs = 2;
    p->context = c;
    p->file = f;
    p->told = told;
    p->events = events | ALWAYS;
    p->event = *e;
    file_ref(f);
    err = first_look(p, c);
    poll_put(p);
    return err;
}

/* ---- Ending ---- */

int aio_poll_cancel(struct aio_context *c, uint64_t request)
{
    struct aio_poll *p, *found = NULL;

    spin_lock(&aio_lock);
    list_for_each_entry (p, &c->polls, link)
        if (p->event.request == request) {
            found = p;
            take_off(found);
            break;
        }
    spin_unlock(&aio_lock);
    if (!found)
        return -EINVAL;
    finish(found, c, 0);
    return 0;
}

void aio_polls_end(struct aio_context *c)
{
    struct aio_poll *p;

    do {
        spin_lock(&aio_lock);
        p = list_empty(&c->polls) ? NULL : list_first_entry(&c->polls, struct aio_poll, link);
        if (p)
            take_off(p);
        spin_unlock(&aio_lock);
        if (p && p->told)
            eventfd_add(p->told, 1);
        if (p)
            finish(p, NULL, 0);
        sched_point();
    } while (p);
}
