/*
 * System V semaphores: sets, made, shown, set and removed. man 2 semget, semctl
 *
 * sem_table.lock guards all sets, and whoever waits for one. The semaphores of a set are in pages.
 */
#include "arch/uaccess.h"
#include "kernel/ipc/sem_impl.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define GETPID       11
#define GETVAL       12
#define GETALL       13
#define GETNCNT      14
#define GETZCNT      15
#define SETVAL       16
#define SETALL       17
#define SEM_STAT     18
#define SEM_INFO     19
#define SEM_STAT_ANY 20

struct ipc_table sem_table = IPC_TABLE(sem_table);
struct sem_limits sem_limits = {.per_set = SEM_PER_SET, .per_call = 500};

static uint32_t all_sems; /* [sem_table.lock] */

/* ---- Making and removing ---- */

static void set_free(struct sem_set *s)
{
    for (uint32_t i = 0; i < SEM_PAGES; i++)
        if (s->pages[i])
            kfree(s->pages[i]);
    kmfree(s);
}

static struct sem_set *set_new(uint32_t count)
{
    struct sem_set *s = kzalloc(sizeof(*s));

    if (!s)
        return NULL;
    s->count = count;
    list_init(&s->pending);
    list_init(&s->undos);
    for (uint32_t n = 0; n < count; n += SEM_PER_PAGE) {
        s->pages[n / SEM_PER_PAGE] = kalloc_zeroed();
        if (!s->pages[n / SEM_PER_PAGE]) {
            set_free(s);
            return NULL;
        }
    }
    return s;
}

/* [sem_table.lock held] */
static long make(int32_t key, uint32_t count, uint32_t flags)
{
    struct sem_set *s;
    long id;

    if (!count)
        return -EINVAL;
    if (all_sems + count > sem_limits.all)
        return -ENOSPC;
    s = set_new(count);
    if (!s)
        return -ENOMEM;
    id = ipc_enter(&sem_table, &s->object, key, flags);
    if (id < 0)
        set_free(s);
    else
        all_sems += count;
    return id;
}

/* [sem_table.lock held] */
static long get(int32_t key, uint32_t count, uint32_t flags)
{
    struct ipc_object *o = key == IPC_PRIVATE ? NULL : ipc_find_key(&sem_table, key);

    if (!o)
        return key == IPC_PRIVATE || (flags & IPC_CREAT) ? make(key, count, flags) : -ENOENT;
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    if (count > ((struct sem_set *)o)->count)
        return -EINVAL;
    return ipc_permits(o, flags & IPC_MODE) ? o->id : -EACCES;
}

long sem_get(int32_t key, int32_t count, uint32_t flags)
{
    long ret;

    if (count < 0 || (uint32_t)count > sem_limits.per_set)
        return -EINVAL;
    mutex_lock(&sem_table.lock);
    ret = get(key, (uint32_t)count, flags);
    mutex_unlock(&sem_table.lock);
    return ret;
}

/* [sem_table.lock held] */
static void remove_set(struct sem_set *s)
{
    ipc_leave(&sem_table, &s->object);
    all_sems -= s->count;
    sem_removed(s);
    set_free(s);
}

/* ---- What programs see ---- */

struct semid64 {
    struct ipc_perm64 perm;
    uint32_t otime, otime_high, ctime, ctime_high;
    uint32_t count, unused[2];
};

struct semid_old {
    struct ipc_perm_old perm;
    int32_t otime, ctime;
    uint32_t base, pending, pending_last, undo;
    uint16_t count, pad;
};

struct seminfo {
    int32_t map, sets, all, undos, per_set, per_call, per_undo, undo_size, max, adjust_max;
};

_Static_assert(sizeof(struct semid64) == 64, "Linux i386 layout");
_Static_assert(sizeof(struct semid_old) == 44, "Linux i386 layout");

void sem_show(const struct ipc_object *o, struct ipc_shown *out)
{
    const struct sem_set *s = (const struct sem_set *)o;

    *out = (struct ipc_shown){.count = s->count, .otime = s->otime};
}

static int put_stat(void __user *ubuf, const struct sem_set *s, bool wide)
{
    struct semid64 d = {
        .otime = (uint32_t)s->otime, .ctime = (uint32_t)s->object.ctime, .count = s->count};
    struct semid_old old = {
        .otime = (int32_t)s->otime, .ctime = (int32_t)s->object.ctime, .count = (uint16_t)s->count};

    ipc_pack(&s->object, &d.perm);
    ipc_pack_old(&s->object, &old.perm);
    return wide ? copy_to_user(ubuf, &d, sizeof(d)) : copy_to_user(ubuf, &old, sizeof(old));
}

static long control_stat(int32_t id, int32_t cmd, void __user *ubuf, bool wide)
{
    struct ipc_object *o =
        cmd == IPC_STAT ? ipc_find(&sem_table, id) : ipc_at(&sem_table, (uint32_t)id & 0x7fff);

    if (!o)
        return -EINVAL;
    if (cmd != SEM_STAT_ANY && !ipc_permits(o, 0444))
        return -EACCES;
    if (put_stat(ubuf, (struct sem_set *)o, wide))
        return -EFAULT;
    return cmd == IPC_STAT ? 0 : o->id;
}

static long control_info(int32_t cmd, void __user *ubuf)
{
    struct seminfo i = {.map = (int32_t)sem_limits.all,
                        .sets = (int32_t)sem_table.limit,
                        .all = (int32_t)sem_limits.all,
                        .undos = (int32_t)sem_limits.all,
                        .per_set = (int32_t)sem_limits.per_set,
                        .per_call = (int32_t)sem_limits.per_call,
                        .per_undo = (int32_t)sem_limits.per_call,
                        .undo_size = 20,
                        .max = SEM_VALUE_MAX,
                        .adjust_max = SEM_VALUE_MAX};

    if (cmd == SEM_INFO) {
        i.undo_size = (int32_t)sem_table.in_use;
        i.adjust_max = (int32_t)all_sems;
    }
    return copy_to_user(ubuf, &i, sizeof(i)) ? -EFAULT : ipc_last_index(&sem_table);
}

/* ---- Values ---- */

static long set_value(struct sem_set *s, uint32_t n, int32_t value)
{
    if (value < 0 || value > SEM_VALUE_MAX)
        return -ERANGE;
    if (n >= s->count)
        return -EINVAL;
    sem_forget_undo(s, n);
    sem_at(s, n)->value = value;
    sem_at(s, n)->pid = proc_current()->pid;
    s->object.ctime = time_real_sec();
    sem_changed(s);
    return 0;
}

static long get_all(struct sem_set *s, void __user *uarray)
{
    for (uint32_t n = 0; n < s->count; n++) {
        uint16_t value = (uint16_t)sem_at(s, n)->value;

        if (copy_to_user((char __user *)uarray + n * sizeof(value), &value, sizeof(value)))
            return -EFAULT;
    }
    return 0;
}

static int read_value(const void __user *uarray, uint32_t n, uint16_t *value)
{
    return copy_from_user(value, (const char __user *)uarray + n * sizeof(*value), sizeof(*value));
}

/* Looked at whole before the first is set. */
static long set_all(struct sem_set *s, const void __user *uarray)
{
    uint16_t value;

    for (uint32_t n = 0; n < s->count; n++) {
        if (read_value(uarray, n, &value))
            return -EFAULT;
        if (value > SEM_VALUE_MAX)
            return -ERANGE;
    }
    for (uint32_t n = 0; n < s->count; n++) {
        if (read_value(uarray, n, &value))
            return -EFAULT;
        sem_at(s, n)->value = value > SEM_VALUE_MAX ? SEM_VALUE_MAX : value;
        sem_at(s, n)->pid = proc_current()->pid;
        sem_forget_undo(s, n);
    }
    s->object.ctime = time_real_sec();
    sem_changed(s);
    return 0;
}

static long get_one(struct sem_set *s, uint32_t n, int32_t cmd)
{
    if (n >= s->count)
        return -EINVAL;
    switch (cmd) {
    case GETVAL:
        return sem_at(s, n)->value;
    case GETPID:
        return sem_at(s, n)->pid;
    default:
        return (long)sem_count_waiters(s, n, cmd == GETZCNT);
    }
}

static long control_values(struct sem_set *s, uint32_t n, int32_t cmd, uint32_t arg)
{
    bool sets = cmd == SETVAL || cmd == SETALL;

    if (!ipc_permits(&s->object, sets ? 0222 : 0444))
        return -EACCES;
    switch (cmd) {
    case SETVAL:
        return set_value(s, n, (int32_t)arg);
    case SETALL:
        return set_all(s, (void __user *)arg);
    case GETALL:
        return get_all(s, (void __user *)arg);
    default:
        return get_one(s, n, cmd);
    }
}

/* set NULL: IPC_RMID. */
static long control_owner(struct sem_set *s, const struct ipc_ownership *set)
{
    if (!ipc_owns(&s->object))
        return -EPERM;
    if (set)
        ipc_set_ownership(&s->object, set);
    else
        remove_set(s);
    return 0;
}

/* [sem_table.lock held] */
static long control(int32_t id, uint32_t n, int32_t cmd, uint32_t arg, bool wide)
{
    struct sem_set *s = (struct sem_set *)ipc_find(&sem_table, id);
    struct ipc_ownership o;

    switch (cmd) {
    case IPC_INFO:
    case SEM_INFO:
        return control_info(cmd, (void __user *)arg);
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
        return control_stat(id, cmd, (void __user *)arg, wide);
    case IPC_SET:
        if (ipc_get_ownership((void __user *)arg, wide, &o))
            return -EFAULT;
        return s ? control_owner(s, &o) : -EINVAL;
    case IPC_RMID:
        return s ? control_owner(s, NULL) : -EINVAL;
    default:
        if (cmd < GETPID || cmd > SETALL || !s)
            return -EINVAL;
        return control_values(s, n, cmd, arg);
    }
}

long sem_control(int32_t id, int32_t n, int32_t cmd, uint32_t arg, bool wide)
{
    long ret;

    if (id < 0)
        return -EINVAL;
    if (cmd == SETVAL && ((int32_t)arg < 0 || (int32_t)arg > SEM_VALUE_MAX))
        return -ERANGE;
    mutex_lock(&sem_table.lock);
    ret = control(id, (uint32_t)n, cmd, arg, wide);
    mutex_unlock(&sem_table.lock);
    return ret;
}

/* ---- The direct calls ---- */

long sys_semget(uint32_t key, uint32_t count, uint32_t flags)
{
    return sem_get((int32_t)key, (int32_t)count, flags);
}

long sys_semctl(uint32_t id, uint32_t n, uint32_t cmd, uint32_t arg)
{
    return sem_control((int32_t)id, (int32_t)n, (int32_t)cmd, arg, true);
}

long sys_semtimedop_time64(uint32_t id, void __user *uops, uint32_t n, const void __user *uts)
{
    return sem_operate((int32_t)id, uops, n, uts, true);
}
