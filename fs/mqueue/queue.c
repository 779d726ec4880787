/*
 * A queue: its messages, who waits to send and to receive, who is told.
 *
 * Messages are in a heap, the one of the highest priority that came first on top. Whoever waits is
 * served in the order of the list that he is on: a message goes from hand to hand, so that nobody
 * who comes later takes it. So there are waiters to receive only while it is empty, to send only
 * while it is full.
 */
#include "fs/mqueue/mqueue.h"
#include "arch/uaccess.h"
#include "fs/event/poll.h"
#include "kernel/cred/user.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/printf.h"

#define HEAP_CHUNK  1024u /* messages to a chunk of the heap: a page of pointers */
#define HEAP_CHUNKS (MQ_MESSAGES_MOST / HEAP_CHUNK)

/* What Linux charges beside the text; it is about what is spent here. */
#define MESSAGE_COST  24u
#define PRIORITY_COST 24u

struct piece { /* of a text, as long as what is left of it */
    struct piece *next;
    uint8_t bytes[];
};
#define PIECE_BYTES ((uint32_t)(PAGE_SIZE - sizeof(struct piece)))

struct mq_message {
    uint32_t priority, size;
    uint64_t number; /* grows with every message of the queue */
    struct piece *text;
};

struct waiter { /* on the stack of who sleeps */
    struct list link;
    struct thread *thread;
    struct mq_message *message; /* to be sent; or what was received */
    uint8_t priority;           /* real-time, else 0 */
    bool done;
};

struct mq {
    struct spinlock lock; /* LOCK_RANK_FS */
    struct mq_message **heap[HEAP_CHUNKS];
    uint32_t count, most;  /* [lock] messages */
    uint32_t bytes_most;   /* of a message */
    uint32_t bytes;        /* [lock] of all texts */
    uint64_t next_number;  /* [lock] */
    struct list senders;   /* [lock] struct waiter */
    struct list receivers; /* [lock] */
    struct waitq polled;
    struct mq_notification notify;
    struct proc_handle *owner; /* [lock] who is to be told, or NULL */
    struct user *user;
    uint32_t charge;
};

struct mq_limits mq_limits = {
    .queues = 256, .messages = 10, .bytes = 8192, .default_messages = 10, .default_bytes = 8192};

/* ---- Messages ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void message_free(struct mq_message *m)
{
    struct piece *p, *next;

    for (p = m ? m->text : NULL; p; p = next) {
        next = p->next;
        kmfree(p);
        sched_point();
    }
    kmfree(m);
}

static int message_new(const void __user *utext, uint32_t size, uint32_t priority,
                       struct mq_message **out)
{
    struct mq_message *m = kzalloc(sizeof(*m));
    struct piece **at = m ? &m->text : NULL;
    uint32_t done = 0;
    int err = m ? 0 : -ENOMEM;

    if (m) {
        m->size = size;
        m->priority = priority;
    }
    while (!err && done < size) {
        uint32_t n = least(size - done, PIECE_BYTES);
        struct piece *p = kmalloc(sizeof(*p) + n);

        *at = p;
        if (!p) {
            err = -ENOMEM;
            break;
        }
        p->next = NULL;
        at = &p->next;
        err = copy_from_user(p->bytes, (const uint8_t __user *)utext + done, n);
        done += n;
        sched_point();
    }
    if (err)
        message_free(m);
    *out = m;
    return err;
}

static int message_to_user(const struct mq_message *m, void __user *utext)
{
    uint32_t done = 0;

    for (const struct piece *p = m->text; p; p = p->next) {
        uint32_t n = least(m->size - done, PIECE_BYTES);

        if (copy_to_user((uint8_t __user *)utext + done, p->bytes, n))
            return -EFAULT;
        done += n;
        sched_point();
    }
    return 0;
}

/* ---- The heap, with lock held ---- */

static struct mq_message **place(struct mq *q, uint32_t i)
{
    return &q->heap[i / HEAP_CHUNK][i % HEAP_CHUNK];
}

static bool before(const struct mq_message *a, const struct mq_message *b)
{
    return a->priority > b->priority || (a->priority == b->priority && a->number < b->number);
}

static void insert(struct mq *q, struct mq_message *m)
{
    uint32_t i = q->count++;

    m->number = q->next_number++;
    q->bytes += m->size;
    while (i && before(m, *place(q, (i - 1) / 2))) {
        *place(q, i) = *place(q, (i - 1) / 2);
        i = (i - 1) / 2;
    }
    *place(q, i) = m;
}

static struct mq_message *take(struct mq *q)
{
    struct mq_message *first = *place(q, 0), *last = *place(q, --q->count);
    uint32_t i = 0, child;

    q->bytes -= first->size;
    while ((child = 2 * i + 1) < q->count) {
        if (child + 1 < q->count && before(*place(q, child + 1), *place(q, child)))
            child++;
        if (!before(*place(q, child), last))
            break;
        *place(q, i) = *place(q, child);
        i = child;
    }
    *place(q, i) = last;
    return first;
}

/* ---- Waiting ---- */

/* [lock held] Behind those of the same priority. */
static void join(struct list *waiters, struct waiter *w)
{
    struct waiter *other;

    list_for_each_entry (other, waiters, link)
        if (other->priority < w->priority)
            break;
    list_add_tail(&other->link, &w->link);
}

/* [lock held] w has got what he waited for. */
static void serve(struct waiter *w)
{
    list_remove(&w->link);
    w->done = true;
    sched_wake(w->thread);
}

static int sleep_until_done(const volatile bool *done, const struct mq_deadline *until)
{
    struct thread *t = thread_current();
    struct timer timer;
    int err = 0;

    timer_init_waker(&timer);
    if (until->given)
        timer_start_wall(&timer, until->real_ns);
    while (!err && !*done) {
        t->state = THREAD_SLEEPING;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (*done)
            break;
        if (signal_pending_current())
            err = -ERESTARTSYS;
        else if (until->given && !timer.armed)
            err = -ETIMEDOUT;
        else
            schedule();
    }
    t->state = THREAD_RUNNABLE;
    (void)timer_cancel(&timer);
    return err;
}

/* [lock held, dropped] Until w is served: 0, or why it was not. */
static int wait_in(struct mq *q, struct list *waiters, struct waiter *w,
                   const struct mq_deadline *until)
{
    const struct sched_attr *a = &thread_current()->sched;
    int err;

    w->thread = thread_current();
    w->priority = sched_is_realtime(a) ? a->priority : 0;
    join(waiters, w);
    spin_unlock(&q->lock);
    err = sleep_until_done(&w->done, until);
    spin_lock(&q->lock);
    if (!w->done)
        list_remove(&w->link);
    spin_unlock(&q->lock);
    return w->done ? 0 : err;
}

/* ---- Notification ---- */

static void tell(struct proc_handle *owner, const struct mq_notification *n)
{
    struct siginfo info = {.code = SI_MESGQ,
                           .pid = proc_current()->pid,
                           .uid = (int32_t)proc_current()->cred.uid,
                           .value = n->value};

    spin_lock(&proc_lock);
    if (owner->proc && n->kind == SIGEV_SIGNAL && n->signo)
        (void)signal_try_send(owner->proc, NULL, n->signo, &info);
    spin_unlock(&proc_lock);
    proc_handle_put(owner);
}

int mq_notify_on(struct mq *q, const struct mq_notification *n)
{
    int err = 0;
    struct proc_handle *h = proc_handle_get(proc_current()->pid, &err);

    if (!h)
        return err;
    spin_lock(&q->lock);
    if (q->owner) {
        err = -EBUSY;
    } else {
        q->owner = h;
        q->notify = *n;
    }
    spin_unlock(&q->lock);
    if (err)
        proc_handle_put(h);
    return err;
}

void mq_notify_off(struct mq *q)
{
    struct proc_handle *h = NULL;

    spin_lock(&q->lock);
    if (q->owner && q->owner->pid == proc_current()->pid) {
        h = q->owner;
        q->owner = NULL;
    }
    spin_unlock(&q->lock);
    if (h)
        proc_handle_put(h);
}

/* ---- Sending and receiving ---- */

/* [lock held, dropped] m goes to who waits for it, or into the queue, which has room. */
static void deliver(struct mq *q, struct mq_message *m)
{
    struct mq_notification notify = q->notify;
    struct proc_handle *owner = NULL;

    if (!list_empty(&q->receivers)) {
        struct waiter *w = list_first_entry(&q->receivers, struct waiter, link);

        w->message = m;
        serve(w);
    } else {
        insert(q, m);
        if (q->count == 1) {
            owner = q->owner;
            q->owner = NULL;
        }
    }
    spin_unlock(&q->lock);
    if (owner)
        tell(owner, &notify);
    wake_all(&q->polled);
}

long mq_send(struct mq *q, const void __user *utext, uint32_t size, uint32_t priority,
             bool nonblock, const struct mq_deadline *until)
{
    struct waiter w = {0};
    int err;

    if (size > q->bytes_most)
        return -EMSGSIZE;
    err = message_new(utext, size, priority, &w.message);
    if (err)
        return err;
    spin_lock(&q->lock);
    if (q->count < q->most) {
        deliver(q, w.message);
        return 0;
    }
    if (nonblock) {
        spin_unlock(&q->lock);
        err = -EAGAIN;
    } else {
        err = wait_in(q, &q->senders, &w, until);
    }
    if (err)
        message_free(w.message);
    return err;
}

/* [lock held, dropped] The first message; who waits to send has room for his. */
static struct mq_message *fetch(struct mq *q)
{
    struct mq_message *m = take(q);

    if (!list_empty(&q->senders)) {
        struct waiter *w = list_first_entry(&q->senders, struct waiter, link);

        insert(q, w->message);
        serve(w);
    }
    spin_unlock(&q->lock);
    wake_all(&q->polled);
    return m;
}

long mq_receive(struct mq *q, void __user *utext, uint32_t room, void __user *upriority,
                bool nonblock, const struct mq_deadline *until)
{
    struct waiter w = {0};
    long ret = 0;

    if (room < q->bytes_most)
        return -EMSGSIZE;
    spin_lock(&q->lock);
    if (q->count) {
        w.message = fetch(q);
    } else if (nonblock) {
        spin_unlock(&q->lock);
        ret = -EAGAIN;
    } else {
        ret = wait_in(q, &q->receivers, &w, until);
    }
    if (ret)
        return ret;
    ret = (long)w.message->size;
    if ((upriority && put_user_u32(upriority, w.message->priority)) ||
        message_to_user(w.message, utext))
        ret = -EFAULT;
    message_free(w.message);
    return ret;
}

/* ---- Looking at it ---- */

void mq_describe(struct mq *q, struct mq_attr *out)
{
    spin_lock(&q->lock);
    *out = (struct mq_attr){
        .messages = (int32_t)q->most, .bytes = (int32_t)q->bytes_most, .count = (int32_t)q->count};
    spin_unlock(&q->lock);
}

uint32_t mq_poll(struct mq *q, struct poll_table *pt)
{
    uint32_t mask;

    poll_wait(pt, &q->polled);
    spin_lock(&q->lock);
    mask = (q->count ? POLLIN | POLLRDNORM : 0u) | (q->count < q->most ? POLLOUT | POLLWRNORM : 0u);
    spin_unlock(&q->lock);
    return mask;
}

int mq_state_text(struct mq *q, char *buf, size_t size)
{
    uint32_t bytes;
    struct mq_notification n = {0};
    int32_t pid = 0;

    spin_lock(&q->lock);
    bytes = q->bytes;
    if (q->owner) {
        n = q->notify;
        pid = q->owner->pid;
    }
    spin_unlock(&q->lock);
    return snprintf(buf, size, "QSIZE:%-10u NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
                    (unsigned)bytes, (int)n.kind, n.kind == SIGEV_SIGNAL ? (int)n.signo : 0,
                    (int)pid);
}

/* ---- Making and freeing ---- */

static int check_sizes(uint32_t messages, uint32_t bytes, uint64_t *charge)
{
    bool root = capable(CAP_SYS_RESOURCE);

    if ((int32_t)messages <= 0 || (int32_t)bytes <= 0 ||
        messages > (root ? MQ_MESSAGES_MOST : mq_limits.messages) ||
        bytes > (root ? MQ_BYTES_MOST : mq_limits.bytes))
        return -EINVAL;
    *charge = (uint64_t)messages * (MESSAGE_COST + bytes) +
              (uint64_t)least(messages, MQ_PRIORITIES) * PRIORITY_COST;
    return *charge > UINT32_MAX ? -EOVERFLOW : 0;
}

static int charge(struct mq *q, uint32_t n)
{
    q->user = user_get();
    if (!q->user)
        return -ENOMEM;
    if (!user_charge(q->user, USER_QUEUE_BYTES, n, proc_current()->rlimits[RLIMIT_MSGQUEUE].cur))
        return -EMFILE;
    q->charge = n;
    return 0;
}

static int make_heap(struct mq *q)
{
    for (uint32_t i = 0; i * HEAP_CHUNK < q->most; i++) {
        q->heap[i] = kmalloc(least(q->most - i * HEAP_CHUNK, HEAP_CHUNK) * sizeof(void *));
        if (!q->heap[i])
            return -ENOMEM;
    }
    return 0;
}

int mq_new(const struct mq_attr *attr, struct mq **out)
{
    uint32_t messages = least(mq_limits.messages, mq_limits.default_messages);
    uint32_t bytes = least(mq_limits.bytes, mq_limits.default_bytes);
    struct mq *q;
    uint64_t cost;
    int err;

    if (attr) {
        messages = (uint32_t)attr->messages;
        bytes = (uint32_t)attr->bytes;
    }
    err = check_sizes(messages, bytes, &cost);
    if (err)
        return err;
    q = kzalloc(sizeof(*q));
    if (!q)
        return -ENOMEM;
    spin_init(&q->lock, "mqueue", LOCK_RANK_FS);
    list_init(&q->senders);
    list_init(&q->receivers);
    waitq_init(&q->polled);
    q->most = messages;
    q->bytes_most = bytes;
    err = charge(q, (uint32_t)cost);
    if (!err)
        err = make_heap(q);
    if (err)
        mq_free(q);
    else
        *out = q;
    return err;
}

void mq_free(struct mq *q)
{
    while (q->count)
        message_free(take(q));
    if (q->owner)
        proc_handle_put(q->owner);
    for (uint32_t i = 0; i < HEAP_CHUNKS; i++)
        kmfree(q->heap[i]);
    if (q->user) {
        user_uncharge(q->user, USER_QUEUE_BYTES, q->charge);
        user_put(q->user);
    }
    kmfree(q);
}
