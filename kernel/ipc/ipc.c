/*
 * The tables of System V objects: ids, keys, owners, and the call ipc(2) that once was all of it.
 */
#include "kernel/ipc/ipc.h"
#include "arch/uaccess.h"
#include "kernel/ipc/shm.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define BLOCK 1000u

struct ipc_object *ipc_at(struct ipc_table *t, uint32_t index)
{
    struct ipc_object **block = index < IPC_MOST ? t->slots[index / BLOCK] : NULL;

    return block ? block[index % BLOCK] : NULL;
}

struct ipc_object *ipc_find(struct ipc_table *t, int32_t id)
{
    struct ipc_object *o = id < 0 ? NULL : ipc_at(t, (uint32_t)(id & IPC_INDEX_MASK));

    return o && o->id == id ? o : NULL;
}

struct ipc_object *ipc_next(struct ipc_table *t, uint32_t *index)
{
    struct ipc_object *o = NULL;

    while (*index < IPC_MOST && !(o = ipc_at(t, *index)))
        *index += t->slots[*index / BLOCK] ? 1 : BLOCK - *index % BLOCK;
    return o;
}

struct ipc_object *ipc_find_key(struct ipc_table *t, int32_t key)
{
    struct ipc_object *o;

    for (uint32_t i = 0; (o = ipc_next(t, &i)); i++)
        if (o->key == key)
            return o;
    return NULL;
}

int32_t ipc_last_index(struct ipc_table *t)
{
    int32_t last = 0;

    for (uint32_t i = 0; ipc_next(t, &i); i++)
        last = (int32_t)i;
    return last;
}

uint32_t ipc_first_place(const struct ipc_ids *ids)
{
    return ids->next < 0 ? 0 : (uint32_t)ids->next & IPC_INDEX_MASK;
}

/* The number grows whenever places are not taken in order, so that an id comes back as late as can
 * be. */
int32_t ipc_new_id(struct ipc_ids *ids, int32_t index)
{
    int32_t number = ids->next >> IPC_INDEX_BITS;

    if (ids->next < 0) {
        if (index <= ids->last_index)
            ids->number = (ids->number + 1) & 0xffff;
        ids->last_index = index;
        number = ids->number;
    }
    ids->next = -1;
    return (int32_t)((uint32_t)number << IPC_INDEX_BITS | (uint32_t)index) & INT32_MAX;
}

/* [table->lock held] The lowest free place from where it shall be, or -ENOSPC, -ENOMEM. */
static int32_t free_place(struct ipc_table *t)
{
    uint32_t i = ipc_first_place(&t->ids);

    while (ipc_at(t, i))
        i++;
    if (i >= IPC_MOST) {
        t->ids.next = -1; /* it was asked for in vain, and only once */
        return -ENOSPC;
    }
    if (!t->slots[i / BLOCK])
        t->slots[i / BLOCK] = kzalloc(BLOCK * sizeof(struct ipc_object *));
    return t->slots[i / BLOCK] ? (int32_t)i : -ENOMEM;
}

long ipc_enter(struct ipc_table *t, struct ipc_object *o, int32_t key, uint32_t mode)
{
    const struct cred *c = &proc_current()->cred;
    int32_t i;

    if (t->in_use >= t->limit || t->in_use >= IPC_MOST)
        return -ENOSPC;
    i = free_place(t);
    if (i < 0)
        return i;
    o->id = ipc_new_id(&t->ids, i);
    o->key = key;
    o->mode = mode & IPC_MODE;
    o->uid = o->cuid = c->euid;
    o->gid = o->cgid = c->egid;
    o->ctime = time_real_sec();
    t->slots[(uint32_t)i / BLOCK][(uint32_t)i % BLOCK] = o;
    t->in_use++;
    return o->id;
}

void ipc_leave(struct ipc_table *t, struct ipc_object *o)
{
    uint32_t i = (uint32_t)(o->id & IPC_INDEX_MASK);

    t->slots[i / BLOCK][i % BLOCK] = NULL;
    t->in_use--;
}

/* ---- Rights ---- */

bool ipc_permits(const struct ipc_object *o, uint32_t wanted)
{
    const struct cred *c = &proc_current()->cred;
    uint32_t granted = o->mode;

    if (c->euid == o->cuid || c->euid == o->uid)
        granted >>= 6;
    else if (cred_in_group(c, c->fsgid, o->cgid) || cred_in_group(c, c->fsgid, o->gid))
        granted >>= 3;
    wanted = (wanted >> 6 | wanted >> 3 | wanted) & 7;
    return !(wanted & ~granted) || capable(CAP_IPC_OWNER);
}

bool ipc_owns(const struct ipc_object *o)
{
    uint32_t euid = proc_current()->cred.euid;

    return euid == o->uid || euid == o->cuid || capable(CAP_SYS_ADMIN);
}

/* ---- Structures ---- */

void ipc_pack(const struct ipc_object *o, struct ipc_perm64 *out)
{
    *out = (struct ipc_perm64){.key = o->key,
                               .uid = o->uid,
                               .gid = o->gid,
                               .cuid = o->cuid,
                               .cgid = o->cgid,
                               .mode = (uint16_t)o->mode,
                               .seq = (uint16_t)(o->id >> IPC_INDEX_BITS)};
}

void ipc_pack_old(const struct ipc_object *o, struct ipc_perm_old *out)
{
    *out = (struct ipc_perm_old){.key = o->key,
                                 .uid = uid_narrow(o->uid),
                                 .gid = gid_narrow(o->gid),
                                 .cuid = uid_narrow(o->cuid),
                                 .cgid = gid_narrow(o->cgid),
                                 .mode = (uint16_t)o->mode,
                                 .seq = (uint16_t)(o->id >> IPC_INDEX_BITS)};
}

int ipc_get_ownership(const void __user *ubuf, bool wide, struct ipc_ownership *out)
{
    struct ipc_perm64 p;
    struct ipc_perm_old old;

    if (wide ? copy_from_user(&p, ubuf, sizeof(p)) : copy_from_user(&old, ubuf, sizeof(old)))
        return -EFAULT;
    *out = wide ? (struct ipc_ownership){p.uid, p.gid, p.mode}
                : (struct ipc_ownership){old.uid, old.gid, old.mode};
    return 0;
}

void ipc_set_ownership(struct ipc_object *o, const struct ipc_ownership *to)
{
    o->uid = to->uid;
    o->gid = to->gid;
    o->mode = (o->mode & ~IPC_MODE) | (to->mode & IPC_MODE);
    o->ctime = time_real_sec();
}

/* ---- ipc(2) ---- */

enum {
    SEMOP = 1,
    SEMGET,
    SEMCTL,
    SEMTIMEDOP,
    MSGSND = 11,
    MSGRCV,
    MSGGET,
    MSGCTL,
    SHMAT = 21,
    SHMDT,
    SHMGET,
    SHMCTL
};

static long semctl_through_ipc(uint32_t id, uint32_t n, uint32_t cmd, const void __user *uarg)
{
    uint32_t arg;

    if (!uarg)
        return -EINVAL;
    if (get_user_u32(&arg, uarg))
        return -EFAULT;
    return sem_control((int32_t)id, (int32_t)n, (int32_t)(cmd & ~IPC_64), arg, cmd & IPC_64);
}

/* The oldest version has buffer and type in a structure. */
static long msgrcv_through_ipc(uint32_t version, uint32_t id, uint32_t size, uint32_t flags,
                               uint32_t ptr, uint32_t type)
{
    uint32_t old[2];

    if (version)
        return msg_receive((int32_t)id, (void __user *)ptr, size, (int32_t)type, flags);
    if (!ptr)
        return -EINVAL;
    if (copy_from_user(old, (void __user *)ptr, sizeof(old)))
        return -EFAULT;
    return msg_receive((int32_t)id, (void __user *)old[0], size, (int32_t)old[1], flags);
}

static long shmat_through_ipc(uint32_t version, uint32_t id, uint32_t flags, uint32_t uresult,
                              uint32_t addr)
{
    uint32_t at;
    long err;

    if (version == 1)
        return -EINVAL;
    err = shm_attach((int32_t)id, addr, flags, &at);
    return err ? err : put_user_u32((void __user *)uresult, at);
}

/* The upper half of call is a version. */
long sys_ipc(uint32_t call, uint32_t first, uint32_t second, uint32_t third, uint32_t ptr,
             uint32_t fifth)
{
    void __user *uptr = (void __user *)ptr;
    int32_t id = (int32_t)first;

    switch (call & 0xffff) {
    case SEMOP:
        return sem_operate(id, uptr, second, NULL, false);
    case SEMTIMEDOP:
        return sem_operate(id, uptr, second, (void __user *)fifth, false);
    case SEMGET:
        return sem_get(id, (int32_t)second, third);
    case SEMCTL:
        return semctl_through_ipc(first, second, third, uptr);
    case MSGSND:
        return msg_send(id, uptr, second, third);
    case MSGRCV:
        return msgrcv_through_ipc(call >> 16, first, second, third, ptr, fifth);
    case MSGGET:
        return msg_get(id, second);
    case MSGCTL:
        return msg_control(id, (int32_t)(second & ~IPC_64), uptr, second & IPC_64);
    case SHMAT:
        return shmat_through_ipc(call >> 16, first, second, third, ptr);
    case SHMDT:
        return shm_detach(ptr);
    case SHMGET:
        return shm_get(id, second, third);
    case SHMCTL:
        return shm_control(id, (int32_t)(second & ~IPC_64), uptr, second & IPC_64);
    default:
        return -ENOSYS;
    }
}

void sysv_init(void)
{
    sem_limits.all = vm_total_frames() / 16 * (PAGE_SIZE / 8);
}
