/*
 * System V shared memory: the table of segments. man 2 shmget
 *
 * A segment is an object of zeros that any process with the right may map. Nobody counts attaches:
 * they are the areas that map the object, so fork, exec, exit and munmap need no code of this.
 *
 * Invariant: a segment in the table has a reference to its object; one that is to go (SHM_DEST, or
 * any with kernel.shm_rmid_forced) and has no areas is not in the table.
 */
#include "kernel/ipc/shm.h"
#include "kernel/ipc/ipc.h"
#include "kernel/cred/user.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define SHM_HUGETLB 04000u

struct spinlock shm_lock = SPINLOCK_INIT("shm", LOCK_RANK_FS);
struct ipc_ids shm_ids = IPC_IDS;
struct shm_limits shm_limits = {.max = UINT32_MAX - (1u << 24), .segments = SHM_MOST_SEGMENTS};

static struct shm_segment *table[SHM_MOST_SEGMENTS]; /* [shm_lock] */
static uint32_t in_use, all_pages;                   /* [shm_lock] */

/* Segments outlive whoever made them, so nobody's death gives their pages back: half of memory at
 * most, as in a tmpfs. */
void shm_init(void)
{
    shm_limits.all = vm_total_frames() / 2;
}

/* ---- Looking up ---- */

struct shm_segment *shm_at(uint32_t index)
{
    return index < SHM_MOST_SEGMENTS ? table[index] : NULL;
}

struct shm_segment *shm_find(int32_t id)
{
    struct shm_segment *s = id < 0 ? NULL : shm_at(id & IPC_INDEX_MASK);

    return s && s->id == id ? s : NULL;
}

struct shm_segment *shm_next(uint32_t *index)
{
    while (*index < SHM_MOST_SEGMENTS && !table[*index])
        ++*index;
    return shm_at(*index);
}

static struct shm_segment *find_key(int32_t key)
{
    struct shm_segment *s;

    for (uint32_t i = 0; (s = shm_next(&i)); i++) {
        if (s->key == key)
            return s;
    }
    return NULL;
}

uint32_t shm_attaches(const struct shm_segment *s)
{
    return vm_object_areas(s->object) + s->attaching;
}

void shm_total(struct shm_totals *out)
{
    struct shm_segment *s;

    *out = (struct shm_totals){0};
    spin_lock(&shm_lock);
    out->segments = in_use;
    out->pages = all_pages;
    for (uint32_t i = 0; (s = shm_next(&i)); i++) {
        out->resident += vm_object_pages(s->object);
        out->last = (int32_t)i;
    }
    spin_unlock(&shm_lock);
}

/* ---- Rights ---- */

bool shm_permits(const struct shm_segment *s, uint32_t wanted)
{
    const struct cred *c = &proc_current()->cred;
    uint32_t granted = s->mode;

    if (c->euid == s->cuid || c->euid == s->uid)
        granted >>= 6;
    else if (cred_in_group(c, c->fsgid, s->cgid) || cred_in_group(c, c->fsgid, s->gid))
        granted >>= 3;
    wanted = (wanted >> 6 | wanted >> 3 | wanted) & 7;
    return !(wanted & ~granted) || capable(CAP_IPC_OWNER);
}

/* ---- The object ---- */

static void describe(struct vm_object *o, char *buf, size_t size, uint32_t *ino, uint32_t *dev)
{
    const struct shm_segment *s = vm_object_private(o);

    snprintf(buf, size, "/SYSV%08x (deleted)", (uint32_t)s->made_key);
    *ino = (uint32_t)s->id;
    *dev = 1;
}

void shm_unlock(struct shm_segment *s)
{
    if (!(s->mode & SHM_LOCKED))
        return;
    s->mode &= ~SHM_LOCKED;
    vm_object_set_locked(s->object, false);
    user_uncharge(s->locker, USER_LOCKED_PAGES, shm_pages_of(s->size));
    user_put(s->locker);
}

bool shm_remove_if_unused(struct shm_segment *s)
{
    if (s->gone || !((s->mode & SHM_DEST) || shm_limits.forced) || shm_attaches(s))
        return false;
    s->gone = true;
    table[s->id & IPC_INDEX_MASK] = NULL;
    shm_unlock(s);
    in_use--;
    all_pages -= shm_pages_of(s->size);
    return true;
}

/* An area was unmapped: a detach, and perhaps the last. */
static void unmapped(struct vm_object *o)
{
    struct shm_segment *s = vm_object_private(o);
    bool last;

    spin_lock(&shm_lock);
    s->dtime = time_real_sec();
    s->lpid = proc_current()->pid;
    last = shm_remove_if_unused(s);
    spin_unlock(&shm_lock);
    if (last)
        vm_object_unref(o);
}

static bool is_gone(int32_t pid)
{
    bool gone;

    spin_lock(&proc_lock);
    gone = !proc_find(pid);
    spin_unlock(&proc_lock);
    return gone;
}

void shm_forget(int32_t maker)
{
    struct shm_segment *s;

    for (uint32_t i = 0; i < SHM_MOST_SEGMENTS; i++) {
        struct vm_object *last = NULL;

        spin_lock(&shm_lock);
        s = shm_next(&i);
        if (s && (maker ? s->cpid == maker : is_gone(s->cpid)) && shm_remove_if_unused(s))
            last = s->object;
        spin_unlock(&shm_lock);
        if (last)
            vm_object_unref(last);
        sched_point();
    }
}

static void destroy(struct vm_object *o)
{
    kmfree(vm_object_private(o));
}

static const struct pager segment_pager = {
    .name = "sysv",
    .get = vm_zero_get,
    .zero_behind = vm_zero_behind,
    .describe = describe,
    .unmapped = unmapped,
    .destroy = destroy,
    .shared_memory = true,
};

/* ---- Making ---- */

static struct shm_segment *segment_new(int32_t key, uint32_t size, uint32_t mode)
{
    const struct cred *c = &proc_current()->cred;
    struct shm_segment *s = kmalloc(sizeof(*s));

    if (!s)
        return NULL;
    *s = (struct shm_segment){.key = key, .made_key = key, .size = size, .mode = mode};
    s->uid = s->cuid = c->euid;
    s->gid = s->cgid = c->egid;
    s->cpid = proc_current()->pid;
    s->ctime = time_real_sec();
    s->object = vm_object_create(&segment_pager, s, (uint64_t)shm_pages_of(size) << PAGE_SHIFT);
    if (!s->object) {
        kmfree(s);
        return NULL;
    }
    return s;
}

/* [shm_lock] The first free place from where it shall be on, and from the start if there is none.
 */
static void assign_id(struct shm_segment *s)
{
    uint32_t index = ipc_first_place(&shm_ids);

    while (shm_at(index))
        index++;
    if (index >= SHM_MOST_SEGMENTS)
        index = 0;
    while (table[index])
        index++;
    s->id = ipc_new_id(&shm_ids, (int32_t)index);
    table[index] = s;
    in_use++;
    all_pages += shm_pages_of(s->size);
}

static long check_new(uint32_t size)
{
    uint32_t pages = shm_pages_of(size);

    if (size == 0 || size > shm_limits.max)
        return -EINVAL;
    if (all_pages + pages < all_pages || all_pages + pages > shm_limits.all)
        return -ENOSPC;
    return 0;
}

/* [shm_lock] What shmget says when the key exists; 0: it does not, and may be made. */
static long existing(int32_t key, uint32_t size, uint32_t flags, int32_t *id)
{
    const struct shm_segment *s = key == IPC_PRIVATE ? NULL : find_key(key);

    *id = -1;
    if (!s)
        return key != IPC_PRIVATE && !(flags & IPC_CREAT) ? -ENOENT : 0;
    if ((flags & IPC_CREAT) && (flags & IPC_EXCL))
        return -EEXIST;
    if (size > s->size)
        return -EINVAL;
    if (!shm_permits(s, flags & SHM_MODE))
        return -EACCES;
    *id = s->id;
    return 0;
}

/* Puts s into the table unless another one came first with its key. */
static long enter(struct shm_segment *s, uint32_t flags, int32_t *id)
{
    long err;

    spin_lock(&shm_lock);
    err = existing(s->key, s->size, flags, id);
    if (!err && *id < 0) {
        err = check_new(s->size);
        if (!err && in_use >= shm_limits.segments)
            err = -ENOSPC;
        if (!err) {
            assign_id(s);
            *id = s->id;
            spin_unlock(&shm_lock);
            return 0;
        }
    }
    spin_unlock(&shm_lock);
    vm_object_unref(s->object);
    return err;
}

long shm_get(int32_t key, uint32_t size, uint32_t flags)
{
    struct shm_segment *s;
    int32_t id;
    long err;

    spin_lock(&shm_lock);
    err = existing(key, size, flags, &id);
    if (!err && id < 0)
        err = check_new(size);
    spin_unlock(&shm_lock);
    if (err || id >= 0)
        return err ? err : id;
    if (flags & SHM_HUGETLB)
        return -ENOMEM;
    s = segment_new(key, size, flags & SHM_MODE);
    if (!s)
        return -ENOMEM;
    if (!vm_object_promise(s->object)) {
        vm_object_unref(s->object);
        return -ENOMEM;
    }
    err = enter(s, flags, &id);
    return err ? err : id;
}
