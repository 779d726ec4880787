/*
 * /proc/sysvipc: what there is of System V IPC, and its limits in /proc/sys/kernel. man 5 proc
 */
#include "fs/proc/procfs.h"
#include "kernel/ipc/ipc.h"
#include "kernel/ipc/shm.h"
#include "libc/ctype.h"
#include "libc/errno.h"

static void show_segment(struct text *t, const struct shm_segment *s)
{
    text_printf(t, "%10d %10d  %4o %10u %5d %5d  %5u %5u %5u %5u %5u ", s->key, s->id, s->mode,
                s->size, s->cpid, s->lpid, shm_attaches(s), s->uid, s->gid, s->cuid, s->cgid);
    text_printf(t, "%10llu %10llu %10llu %10u %10u\n", (unsigned long long)s->atime,
                (unsigned long long)s->dtime, (unsigned long long)s->ctime,
                vm_object_pages(s->object) << PAGE_SHIFT, 0u);
}

static int show_shm(struct text *t, const struct target *who)
{
    struct shm_segment *s;

    (void)who;
    text_printf(t, "       key      shmid perms       size  cpid  lpid nattch   uid   gid  cuid  "
                   "cgid      atime      dtime      ctime        rss       swap\n");
    spin_lock(&shm_lock);
    for (uint32_t i = 0; (s = shm_next(&i)); i++)
        show_segment(t, s);
    spin_unlock(&shm_lock);
    return 0;
}

static void show_set(struct text *t, const struct ipc_object *o)
{
    struct ipc_shown s;

    sem_show(o, &s);
    text_printf(t, "%10d %10d  %4o %10u %5u %5u %5u %5u %10llu %10llu\n", o->key, o->id, o->mode,
                s.count, o->uid, o->gid, o->cuid, o->cgid, (unsigned long long)s.otime,
                (unsigned long long)o->ctime);
}

static void show_queue(struct text *t, const struct ipc_object *o)
{
    struct ipc_shown s;

    msg_show(o, &s);
    text_printf(t, "%10d %10d  %4o  %10u %10u %5d %5d %5u %5u %5u %5u %10llu %10llu %10llu\n",
                o->key, o->id, o->mode, s.bytes, s.count, s.lspid, s.lrpid, o->uid, o->gid, o->cuid,
                o->cgid, (unsigned long long)s.otime, (unsigned long long)s.rtime,
                (unsigned long long)o->ctime);
}

static int show_table(struct text *t, struct ipc_table *table,
                      void (*show)(struct text *t, const struct ipc_object *o))
{
    struct ipc_object *o;

    mutex_lock(&table->lock);
    for (uint32_t i = 0; (o = ipc_next(table, &i)); i++) {
        show(t, o);
        sched_point();
    }
    mutex_unlock(&table->lock);
    return 0;
}

static int show_sem(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
                   "ctime\n");
    return show_table(t, &sem_table, show_set);
}

static int show_msg(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  "
                   "cuid  cgid      stime      rtime      ctime\n");
    return show_table(t, &msg_table, show_queue);
}

const struct proc_entry sysvipc_entries[] = {
    FILE_ENTRY("msg", 0444, show_msg),
    FILE_ENTRY("sem", 0444, show_sem),
    FILE_ENTRY("shm", 0444, show_shm),
    {0},
};

/* ---- /proc/sys/kernel/shm ---- */

int show_shmmax(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", shm_limits.max);
    return 0;
}

int show_shmall(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", shm_limits.all);
    return 0;
}

int show_shmmni(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", shm_limits.segments);
    return 0;
}

int store_shmmax(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, UINT32_MAX, &shm_limits.max);
}

int store_shmall(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, UINT32_MAX, &shm_limits.all);
}

int store_shmmni(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, SHM_MOST_SEGMENTS, &shm_limits.segments);
}

/* ---- Semaphores and messages ---- */

int show_semlimits(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\t%u\t%u\t%u\n", sem_limits.per_set, sem_limits.all, sem_limits.per_call,
                sem_table.limit);
    return 0;
}

/* Four numbers, of which any may be left out at the end. */
int store_semlimits(const char *text, size_t len, const struct target *who)
{
    static const uint32_t most[4] = {32000, INT32_MAX, 500, IPC_MOST};
    uint32_t *const fields[4] = {&sem_limits.per_set, &sem_limits.all, &sem_limits.per_call,
                                 &sem_table.limit};
    const char *end = text + len, *word;
    int err = 0;

    (void)who;
    for (int i = 0; i < 4 && !err; i++) {
        while (text < end && isspace(*text))
            text++;
        for (word = text; text < end && !isspace(*text); text++)
            ;
        if (word == text)
            return i ? 0 : -EINVAL;
        err = sysctl_number(word, (size_t)(text - word), most[i], fields[i]);
    }
    return err;
}

SYSCTL_WORD(extern, msgmax, msg_limits.message, 0, MSG_LARGEST)
SYSCTL_WORD(extern, msgmnb, msg_limits.queue, 0, INT32_MAX)
SYSCTL_WORD(extern, msgmni, msg_table.limit, 0, IPC_MOST)

/* The id that the next object of a kind gets, once: for whoever makes the objects of a checkpoint
 * again. */
static int store_next(const char *text, size_t len, struct ipc_ids *ids)
{
    uint32_t id;
    int err = sysctl_number(text, len, INT32_MAX, &id);

    if (!capable(CAP_CHECKPOINT_RESTORE) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (!err)
        ids->next = (int32_t)id;
    return err;
}

#define NEXT_ID(name, ids)                                                                         \
    int show_##name(struct text *t, const struct target *who)                                      \
    {                                                                                              \
        (void)who;                                                                                 \
        text_printf(t, "%d\n", (ids).next);                                                        \
        return 0;                                                                                  \
    }                                                                                              \
    int store_##name(const char *text, size_t len, const struct target *who)                       \
    {                                                                                              \
        (void)who;                                                                                 \
        return store_next(text, len, &(ids));                                                      \
    }

NEXT_ID(msg_next, msg_table.ids)
NEXT_ID(sem_next, sem_table.ids)
NEXT_ID(shm_next_id, shm_ids)

int show_shm_forced(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\n", shm_limits.forced);
    return 0;
}

/* What nobody has attached, and whose maker is gone, goes at once. */
int store_shm_forced(const char *text, size_t len, const struct target *who)
{
    int err = sysctl_word(text, len, 0, 1, &shm_limits.forced);

    (void)who;
    if (!err && shm_limits.forced)
        shm_forget(0);
    return err;
}
