/*
 * shmat and shmdt: a segment in a space. man 2 shmat
 */
#include "kernel/thread/proc.h"
#include "kernel/ipc/shm.h"
#include "libc/errno.h"

#define SHM_EXEC   0100000u
#define SHM_RDONLY 010000u
#define SHM_RND    020000u
#define SHM_REMAP  040000u

/* The segment, with one more attach on its way; err tells why not. */
static struct shm_segment *attach_begin(int32_t id, uint32_t wanted, long *err)
{
    struct shm_segment *s;

    spin_lock(&shm_lock);
    s = shm_find(id);
    *err = !s ? -EINVAL : shm_permits(s, wanted) ? 0 : -EACCES;
    if (!*err) {
        s->attaching++;
        vm_object_ref(s->object);
    }
    spin_unlock(&shm_lock);
    return *err ? NULL : s;
}

static void attach_end(struct shm_segment *s, bool attached)
{
    bool last;

    spin_lock(&shm_lock);
    s->attaching--;
    if (attached) {
        s->atime = time_real_sec();
        s->lpid = proc_current()->pid;
    }
    last = shm_remove_if_unused(s);
    spin_unlock(&shm_lock);
    if (last)
        vm_object_unref(s->object);
    vm_object_unref(s->object);
}

/* Where: *addr, 0 for anywhere. */
static long check_place(uint32_t *addr, uint32_t flags, struct vm_mapping *m)
{
    if (!*addr)
        return flags & SHM_REMAP ? -EINVAL : 0;
    if ((*addr & ~PAGE_MASK) && !(flags & SHM_RND))
        return -EINVAL;
    *addr &= PAGE_MASK;
    if (!*addr && (flags & SHM_REMAP))
        return -EINVAL;
    m->addr = *addr;
    m->flags |= VM_FIXED | (flags & SHM_REMAP ? 0 : VM_NOREPLACE);
    return 0;
}

static long map_segment(struct shm_segment *s, uint32_t flags, struct vm_mapping *m, uint32_t *at)
{
    struct vm_space *space = proc_current()->space;
    long err;

    m->len = s->size;
    m->object = s->object;
    if ((m->flags & VM_FIXED) && m->addr + m->len < m->addr)
        return flags & SHM_REMAP ? -ENOMEM : -EINVAL;
    err = vm_map(space, m, at);
    if (err == -EEXIST)
        return -EINVAL;
    if (!err && vm_future_flags(space))
        (void)vm_populate(space, *at, m->len);
    return err;
}

long shm_attach(int32_t id, uint32_t addr, uint32_t flags, uint32_t *at)
{
    struct vm_mapping m = {.prot = VM_PROT_READ, .flags = VM_SHARED};
    struct shm_segment *s;
    uint32_t wanted = 4;
    long err = id < 0 ? -EINVAL : check_place(&addr, flags, &m);

    if (err)
        return err;
    if (!(flags & SHM_RDONLY)) {
        m.prot |= VM_PROT_WRITE;
        wanted |= 2;
    }
    if (flags & SHM_EXEC) {
        m.prot |= VM_PROT_EXEC;
        wanted |= 1;
    }
    m.maxprot = m.prot | VM_PROT_EXEC;
    s = attach_begin(id, wanted, &err);
    if (!s)
        return err;
    err = map_segment(s, flags, &m, at);
    attach_end(s, !err);
    return err;
}

/* ---- shmdt ---- */

/* The size in pages of the segment whose object that is; 0: it is none. */
static uint32_t segment_pages(const struct vm_object *o)
{
    struct shm_segment *s;
    uint32_t pages = 0;

    if (!o)
        return 0;
    spin_lock(&shm_lock);
    for (uint32_t i = 0; !pages && (s = shm_next(&i)); i++) {
        if (s->object == o)
            pages = (s->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    }
    spin_unlock(&shm_lock);
    return pages;
}

/* Whether the area is part of an attach at addr. */
static bool is_part(const struct vm_area_info *a, uint32_t addr)
{
    return a->start >= addr && (a->start - addr) >> PAGE_SHIFT == a->pgoff;
}

/* Detaches all that is left of the attach at addr: a program may have taken pieces out, or given
 * them other rights. */
long shm_detach(uint32_t addr)
{
    struct vm_space *space = proc_current()->space;
    const struct vm_object *object = NULL;
    struct vm_area_info a;
    uint32_t pages = 0;
    long err = -EINVAL;

    if (addr & ~PAGE_MASK)
        return -EINVAL;
    for (uint32_t at = addr; vm_next_area(space, at, &a); at = a.end) {
        if (object && (a.end - addr) >> PAGE_SHIFT > pages)
            break;
        if (!is_part(&a, addr) || (object && a.object != object))
            continue;
        if (!object) {
            pages = segment_pages(a.object);
            if (!pages)
                continue;
            object = a.object;
        }
        err = vm_unmap(space, a.start, a.end - a.start);
        if (err)
            break;
    }
    return err;
}
