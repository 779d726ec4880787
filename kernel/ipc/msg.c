/*
 * System V message queues. man 2 msgget, msgop, msgctl
 *
 * msg_table.lock guards all queues. Who waits, to send or to receive, sleeps on a queue that
 * several message queues share, and looks his own up again by its id: it may have been removed.
 */
#include "arch/uaccess.h"
#include "kernel/ipc/ipc.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define MSG_NOERROR  010000u
#define MSG_EXCEPT   020000u
#define MSG_COPY     040000u
#define MSG_STAT     11
#define MSG_INFO     12
#define MSG_STAT_ANY 13

#define MSG_CHUNKS (MSG_LARGEST / PAGE_SIZE)
#define WAIT_SLOTS 16

struct message {
    struct list link;
    int32_t type;
    uint32_t size;
    void *chunks[MSG_CHUNKS]; /* of a page, the last of what is left; as many as size needs */
};

struct msg_queue { /* [msg_table.lock] */
    struct ipc_object object;
    struct list messages;
    uint32_t count, bytes, most_bytes;
    uint64_t stime, rtime;
    int32_t lspid, lrpid;
};

struct ipc_table msg_table = IPC_TABLE(msg_table);
struct msg_limits msg_limits = {.message = 8192, .queue = 16384};

static uint32_t all_bytes, all_messages; /* [msg_table.lock] */
static struct waitq waiters[WAIT_SLOTS];

static struct waitq *waiters_of(int32_t id)
{
    struct waitq *q = &waiters[(uint32_t)id % WAIT_SLOTS];

    if (!q->waiters.next) /* [msg_table.lock held] never used */
        waitq_init(q);
    return q;
}

/* ---- Messages ---- */

static uint32_t chunk_size(uint32_t size, uint32_t i)
{
    uint32_t left = size - i * PAGE_SIZE;

    return left < PAGE_SIZE ? left : PAGE_SIZE;
}

static uint32_t chunk_count(uint32_t size)
{
    return (size + PAGE_SIZE - 1) / PAGE_SIZE;
}

static void message_free(struct message *m)
{
    for (uint32_t i = 0; m && i < chunk_count(m->size); i++)
        kmfree(m->chunks[i]);
    kmfree(m);
}

static int message_from_user(int32_t type, const char __user *utext, uint32_t size,
                             struct message **out)
{
    struct message *m = kzalloc(sizeof(*m));
    int err = m ? 0 : -ENOMEM;

    if (m) {
        m->type = type;
        m->size = size;
    }
    for (uint32_t i = 0; !err && i < chunk_count(size); i++) {
        m->chunks[i] = kmalloc(chunk_size(size, i));
        err = m->chunks[i]
                  ? copy_from_user(m->chunks[i], utext + i * PAGE_SIZE, chunk_size(size, i))
                  : -ENOMEM;
    }
    if (err)
        message_free(m);
    *out = m;
    return err;
}

/* Type and as much of the text as fits: how much, or -EFAULT. */
static long message_to_user(const struct message *m, void __user *umsg, uint32_t room)
{
    uint32_t size = m->size < room ? m->size : room;
    char __user *utext = (char __user *)umsg + sizeof(m->type);

    if (put_user_u32(umsg, (uint32_t)m->type))
        return -EFAULT;
    for (uint32_t i = 0; i < chunk_count(size); i++)
        if (copy_to_user(utext + i * PAGE_SIZE, m->chunks[i], chunk_size(size, i)))
            return -EFAULT;
    return (long)size;
}

/* [msg_table.lock held] */
static void unlink_message(struct msg_queue *q, struct message *m)
{
    list_remove(&m->link);
    q->count--;
    q->bytes -= m->size;
    all_messages--;
    all_bytes -= m->size;
}

/* ---- Making and removing ---- */

/* [msg_table.lock held] */
static long make(int32_t key, uint32_t flags)
{
    struct msg_queue *q = kzalloc(sizeof(*q));
    long id;

    if (!q)
        return -ENOMEM;
    list_init(&q->messages);
    q->most_bytes = msg_limits.queue;
    id = ipc_enter(&msg_table, &q->object, key, flags);
    if (id < 0)
        kmfree(q);
    return id;
}

/* [msg_table.lock held] */
static long get(int32_t key, uint32_t flags)
{
    struct ipc_object *o = key == IPC_PRIVATE ? NULL : ipc_find_key(&msg_table, key);

    if (!o)
        return key == IPC_PRIVATE || (flags & IPC_CREAT) ? make(key, flags) : -ENOENT;
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    return ipc_permits(o, flags & IPC_MODE) ? o->id : -EACCES;
}

long msg_get(int32_t key, uint32_t flags)
{
    long ret;

    mutex_lock(&msg_table.lock);
    ret = get(key, flags);
    mutex_unlock(&msg_table.lock);
    return ret;
}

/* [msg_table.lock held] */
static void remove_queue(struct msg_queue *q)
{
    ipc_leave(&msg_table, &q->object);
    wake_all(waiters_of(q->object.id));
    while (!list_empty(&q->messages)) {
        struct message *m = list_first_entry(&q->messages, struct message, link);

        unlink_message(q, m);
        message_free(m);
        sched_point();
    }
    kmfree(q);
}

/* ---- Waiting ---- */

/* [msg_table.lock held, dropped meanwhile] Until something changed in a queue of that id. */
static int wait_for_change(int32_t id)
{
    struct waitq *on = waiters_of(id);
    struct wait_entry e;
    int ret = 0;

    waitq_prepare(on, &e, THREAD_SLEEPING);
    mutex_unlock(&msg_table.lock);
    if (signal_pending_current())
        ret = -ERESTARTNOHAND;
    else
        schedule();
    waitq_finish(&e);
    mutex_lock(&msg_table.lock);
    return ret;
}

/* ---- Sending ---- */

static bool has_room(const struct msg_queue *q, uint32_t size)
{
    return size + q->bytes <= q->most_bytes && q->count + 1 <= q->most_bytes;
}

/* [msg_table.lock held] 0 or -errno; -EAGAIN: full. */
static int try_send(int32_t id, struct message *m, bool first)
{
    struct msg_queue *q = (struct msg_queue *)ipc_find(&msg_table, id);

    if (!q)
        return first ? -EINVAL : -EIDRM;
    if (!ipc_permits(&q->object, 0222))
        return -EACCES;
    if (!has_room(q, m->size))
        return -EAGAIN;
    if (all_bytes + m->size > vm_total_frames() / 16 * PAGE_SIZE ||
        all_messages >= vm_total_frames())
        return -ENOMEM;
    list_add_tail(&q->messages, &m->link);
    q->count++;
    q->bytes += m->size;
    all_messages++;
    all_bytes += m->size;
    q->lspid = proc_current()->pid;
    q->stime = time_real_sec();
    wake_all(waiters_of(id));
    return 0;
}

static int send(int32_t id, struct message *m, uint32_t flags)
{
    int ret;

    mutex_lock(&msg_table.lock);
    ret = try_send(id, m, true);
    while (ret == -EAGAIN && !(flags & IPC_NOWAIT)) {
        ret = wait_for_change(id);
        if (!ret)
            ret = try_send(id, m, false);
    }
    mutex_unlock(&msg_table.lock);
    return ret;
}

long msg_send(int32_t id, const void __user *umsg, uint32_t size, uint32_t flags)
{
    struct message *m;
    uint32_t type;
    int ret;

    if (get_user_u32(&type, umsg))
        return -EFAULT;
    if (size > msg_limits.message || id < 0 || (int32_t)type < 1)
        return -EINVAL;
    ret = message_from_user((int32_t)type, (const char __user *)umsg + sizeof(type), size, &m);
    if (ret)
        return ret;
    ret = send(id, m, flags);
    if (ret)
        message_free(m);
    return ret;
}

/* ---- Receiving ---- */

struct wish {
    int32_t type;
    uint32_t size, flags;
};

/* man 2 msgrcv: which message is meant; NULL: none is there. */
static struct message *choose(struct msg_queue *q, const struct wish *w)
{
    struct message *m, *best = NULL;
    int32_t n = 0;

    list_for_each_entry (m, &q->messages, link) {
        if (w->flags & MSG_COPY) {
            if (n++ == w->type)
                return m;
        } else if (w->type < 0) { /* the lowest, up to that */
            if (m->type <= -w->type && (!best || m->type < best->type))
                best = m;
        } else if (w->type == 0 || (m->type == w->type) == !(w->flags & MSG_EXCEPT)) {
            return m;
        }
    }
    return best;
}

/* [msg_table.lock held] 0 with *out, or -errno; -ENOMSG: nothing to have. */
static int try_receive(int32_t id, const struct wish *w, bool first, struct message **out)
{
    struct msg_queue *q = (struct msg_queue *)ipc_find(&msg_table, id);
    struct message *m;

    if (!q)
        return first ? -EINVAL : -EIDRM;
    if (!ipc_permits(&q->object, 0444))
        return -EACCES;
    m = choose(q, w);
    if (!m)
        return -ENOMSG;
    if (m->size > w->size && !(w->flags & MSG_NOERROR))
        return -E2BIG;
    *out = m;
    if (w->flags & MSG_COPY)
        return 0;
    unlink_message(q, m);
    q->lrpid = proc_current()->pid;
    q->rtime = time_real_sec();
    wake_all(waiters_of(id));
    return 0;
}

long msg_receive(int32_t id, void __user *umsg, uint32_t size, int32_t type, uint32_t flags)
{
    struct wish w = {.type = type, .size = size, .flags = flags};
    struct message *m = NULL;
    long ret;

    if (id < 0 || (int32_t)size < 0)
        return -EINVAL;
    if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
        return -EINVAL;
    mutex_lock(&msg_table.lock);
    ret = try_receive(id, &w, true, &m);
    while (ret == -ENOMSG && !(flags & IPC_NOWAIT)) {
        ret = wait_for_change(id);
        if (!ret)
            ret = try_receive(id, &w, false, &m);
    }
    if (!ret && (flags & MSG_COPY))
        ret = message_to_user(m, umsg, size);
    mutex_unlock(&msg_table.lock);
    if (!m || (flags & MSG_COPY))
        return ret;
    ret = message_to_user(m, umsg, size);
    message_free(m);
    return ret;
}

/* ---- msgctl ---- */

struct msqid64 {
    struct ipc_perm64 perm;
    uint32_t stime, stime_high, rtime, rtime_high, ctime, ctime_high;
    uint32_t bytes, count, most_bytes;
    int32_t lspid, lrpid;
    uint32_t unused[2];
};

struct msqid_old {
    struct ipc_perm_old perm;
    uint32_t first, last;
    int32_t stime, rtime, ctime;
    uint32_t long_bytes, long_most;
    uint16_t bytes, count, most_bytes, lspid, lrpid, pad;
};

struct msginfo {
    int32_t pool, map, max, mnb, mni, ssz, tql;
    uint16_t seg, pad;
};

_Static_assert(sizeof(struct msqid64) == 88, "Linux i386 layout");
_Static_assert(sizeof(struct msqid_old) == 56, "Linux i386 layout");

void msg_show(const struct ipc_object *o, struct ipc_shown *out)
{
    const struct msg_queue *q = (const struct msg_queue *)o;

    *out = (struct ipc_shown){.count = q->count,
                              .bytes = q->bytes,
                              .lspid = q->lspid,
                              .lrpid = q->lrpid,
                              .otime = q->stime,
                              .rtime = q->rtime};
}

static uint16_t at_most_16(uint32_t n)
{
    return n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

static int put_stat(void __user *ubuf, const struct msg_queue *q, bool wide)
{
    struct msqid64 d = {.stime = (uint32_t)q->stime,
                        .rtime = (uint32_t)q->rtime,
                        .ctime = (uint32_t)q->object.ctime,
                        .bytes = q->bytes,
                        .count = q->count,
                        .most_bytes = q->most_bytes,
                        .lspid = q->lspid,
                        .lrpid = q->lrpid};
    struct msqid_old old = {.stime = (int32_t)q->stime,
                            .rtime = (int32_t)q->rtime,
                            .ctime = (int32_t)q->object.ctime,
                            .long_bytes = q->bytes,
                            .long_most = q->most_bytes,
                            .bytes = at_most_16(q->bytes),
                            .count = at_most_16(q->count),
                            .most_bytes = at_most_16(q->most_bytes),
                            .lspid = (uint16_t)q->lspid,
                            .lrpid = (uint16_t)q->lrpid};

    ipc_pack(&q->object, &d.perm);
    ipc_pack_old(&q->object, &old.perm);
    return wide ? copy_to_user(ubuf, &d, sizeof(d)) : copy_to_user(ubuf, &old, sizeof(old));
}

static long control_stat(int32_t id, int32_t cmd, void __user *ubuf, bool wide)
{
    struct ipc_object *o =
        cmd == IPC_STAT ? ipc_find(&msg_table, id) : ipc_at(&msg_table, (uint32_t)id & 0x7fff);

    if (!o)
        return -EINVAL;
    if (cmd != MSG_STAT_ANY && !ipc_permits(o, 0444))
        return -EACCES;
    if (put_stat(ubuf, (struct msg_queue *)o, wide))
        return -EFAULT;
    return cmd == IPC_STAT ? 0 : o->id;
}

static long control_info(int32_t cmd, void __user *ubuf)
{
    struct msginfo i = {.pool = 512000,
                        .map = 16384,
                        .max = (int32_t)msg_limits.message,
                        .mnb = (int32_t)msg_limits.queue,
                        .mni = (int32_t)msg_table.limit,
                        .ssz = 16,
                        .tql = 16384,
                        .seg = UINT16_MAX};

    if (cmd == MSG_INFO) {
        i.pool = (int32_t)msg_table.in_use;
        i.map = (int32_t)all_messages;
        i.tql = (int32_t)all_bytes;
    }
    return copy_to_user(ubuf, &i, sizeof(i)) ? -EFAULT : ipc_last_index(&msg_table);
}

static int get_most_bytes(const void __user *ubuf, bool wide, uint32_t *most)
{
    struct msqid64 d;
    struct msqid_old old;

    if (wide ? copy_from_user(&d, ubuf, sizeof(d)) : copy_from_user(&old, ubuf, sizeof(old)))
        return -EFAULT;
    *most = wide ? d.most_bytes : old.most_bytes ? old.most_bytes : old.long_most;
    return 0;
}

static long control_set(struct msg_queue *q, const void __user *ubuf, bool wide)
{
    struct ipc_ownership o;
    uint32_t most;

    if (ipc_get_ownership(ubuf, wide, &o) || get_most_bytes(ubuf, wide, &most))
        return -EFAULT;
    if (!q)
        return -EINVAL;
    if (!ipc_owns(&q->object) || (most > msg_limits.queue && !capable(CAP_SYS_RESOURCE)))
        return -EPERM;
    ipc_set_ownership(&q->object, &o);
    q->most_bytes = most;
    wake_all(waiters_of(q->object.id));
    return 0;
}

/* [msg_table.lock held] */
static long control(int32_t id, int32_t cmd, void __user *ubuf, bool wide)
{
    struct msg_queue *q = (struct msg_queue *)ipc_find(&msg_table, id);

    switch (cmd) {
    case IPC_INFO:
    case MSG_INFO:
        return control_info(cmd, ubuf);
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY:
        return control_stat(id, cmd, ubuf, wide);
    case IPC_SET:
        return control_set(q, ubuf, wide);
    case IPC_RMID:
        if (!q)
            return -EINVAL;
        if (!ipc_owns(&q->object))
            return -EPERM;
        remove_queue(q);
        return 0;
    default:
        return -EINVAL;
    }
}

long msg_control(int32_t id, int32_t cmd, void __user *ubuf, bool wide)
{
    long ret;

    if (id < 0 || cmd < 0)
        return -EINVAL;
    mutex_lock(&msg_table.lock);
    ret = control(id, cmd, ubuf, wide);
    mutex_unlock(&msg_table.lock);
    return ret;
}

/* ---- The direct calls ---- */

long sys_msgget(uint32_t key, uint32_t flags)
{
    return msg_get((int32_t)key, flags);
}

long sys_msgsnd(uint32_t id, const void __user *umsg, uint32_t size, uint32_t flags)
{
    return msg_send((int32_t)id, umsg, size, flags);
}

long sys_msgrcv(uint32_t id, void __user *umsg, uint32_t size, uint32_t type, uint32_t flags)
{
    return msg_receive((int32_t)id, umsg, size, (int32_t)type, flags);
}

long sys_msgctl(uint32_t id, uint32_t cmd, void __user *ubuf)
{
    return msg_control((int32_t)id, (int32_t)cmd, ubuf, true);
}
