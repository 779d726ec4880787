/*
 * Access to the memory of any space, as its program would have it: each page that the tables do not
 * give yet is faulted in (and copied on write) through vm_fault, and read or written through the
 * kernel's own map. And what that memory is, for those who meet at a word of it.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/mm.h"
#include "mm/port.h"

static bool is_write(enum vm_access access)
{
    return access == VM_WRITE || access == VM_WRITE_FORCED;
}

/* [v] The frame that the tables give for the access, or NULL. */
static struct frame *mapped_frame(struct vm_space *s, vaddr_t page, enum vm_access access)
{
    bool writable;
    struct frame *f = pmap_lookup(&s->pmap, page, &writable);

    return f && (writable || !is_write(access)) ? f : NULL;
}

/* [v] The frame of what page has of its own, if it can be used as it is. */
static struct frame *anon_frame(const struct vm_space *s, vaddr_t page, enum vm_access access)
{
    struct frame *f = amap_get(&s->amap, page >> PAGE_SHIFT)->frame;

    if (!f || (f->flags & FRAME_BUSY))
        return NULL;
    return !is_write(access) || amap_owns(&s->amap, page >> PAGE_SHIFT) ? f : NULL;
}

/* [v] The frame that is to be used for a forced access if it has been resolved, or NULL: the tables
 * show neither what is not mapped nor whose copy is read-only. */
static struct frame *forced_frame(struct vm_space *s, vaddr_t page, enum vm_access access)
{
    struct vma *v = vma_find(s, page);

    if (!v || page < v->start || (s->changing && change_bars(s, page, false)))
        return NULL;
    if (!(v->maxprot & (is_write(access) ? VM_PROT_WRITE : VM_PROT_READ)))
        return NULL;
    if (vma_is_private(v) && amap_get(&s->amap, page >> PAGE_SHIFT))
        return anon_frame(s, page, access);
    if (is_write(access))
        return NULL;
    return v->object ? object_lookup(v->object, vma_page_index(v, page)) : zero_frame_get();
}

/* Whether somebody has died for what s had no memory for. Not while s may be the victim's, and is
 * held here: its memory would stay, and the next would have to die. */
static bool may_relieve(const struct vm_space *s)
{
    return (mmu_loaded() == s->pmap.pgdir || s->refs == 1) && mm_port->relieve();
}

/* [v] At one moment with the look: a fork in between would make what is written both spaces'. */
static void copy(struct frame *f, uint32_t within, uint8_t *buf, size_t n, bool write)
{
    uint8_t *at = (uint8_t *)frame_kva(f) + within;

    memcpy(write ? at : buf, write ? buf : at, n);
    if (write && f->kind == FRAME_OBJECT)
        object_dirtied(f);
    else if (write)
        f->flags |= FRAME_DIRTY;
}

/* Moves n bytes that lie in one page. False: no such access. May sleep. */
static bool move_part(struct vm_space *s, vaddr_t addr, uint8_t *buf, size_t n,
                      enum vm_access access)
{
    for (;;) {
        enum vm_result r;
        struct frame *f;

        spin_lock(&vm_lock);
        f = mapped_frame(s, page_down(addr), access);
        if (!f && access >= VM_READ_FORCED)
            f = forced_frame(s, page_down(addr), access);
        if (f)
            copy(f, addr & (PAGE_SIZE - 1), buf, n, is_write(access));
        spin_unlock(&vm_lock);
        if (f)
            return true;
        r = fault_counted(s, addr, access);
        if (r != VM_MINOR && r != VM_MAJOR && !(r == VM_NO_MEMORY && may_relieve(s)))
            return false;
    }
}

/* Moves len bytes between kernel memory and [addr, addr+len) of s, in the direction of access; what
 * is not below USER_TOP is no space's. */
static long move(struct vm_space *s, vaddr_t addr, uint8_t *buf, size_t len, enum vm_access access)
{
    size_t done = 0, n;

    for (; done < len; done += n) {
        n = PAGE_SIZE - ((addr + done) & (PAGE_SIZE - 1));
        if (n > len - done)
            n = len - done;
        if (!user_range(addr, done + n) || !move_part(s, addr + done, buf + done, n, access))
            return done ? (long)done : -EFAULT;
    }
    return (long)done;
}

long vm_copy_to(struct vm_space *s, vaddr_t addr, const void *src, size_t len)
{
    return move(s, addr, (uint8_t *)src, len, VM_WRITE);
}

long vm_copy_from(struct vm_space *s, void *dst, vaddr_t addr, size_t len)
{
    return move(s, addr, dst, len, VM_READ);
}

long vm_poke(struct vm_space *s, vaddr_t addr, const void *src, size_t len)
{
    return move(s, addr, (uint8_t *)src, len, VM_WRITE_FORCED);
}

long vm_peek(struct vm_space *s, void *dst, vaddr_t addr, size_t len)
{
    return move(s, addr, dst, len, VM_READ_FORCED);
}

/* A private page of a file is the file's as long as it was not, and cannot be, copied. [v] */
static bool shows_object(const struct vma *v, vaddr_t addr)
{
    if (!v->object)
        return false;
    return !vma_is_private(v) ||
           (!(v->prot & VM_PROT_WRITE) && !amap_get(&v->space->amap, addr >> PAGE_SHIFT));
}

int vm_identify(struct vm_space *s, vaddr_t addr, struct vm_identity *out)
{
    const struct vma *v;
    int err = 0;

    if (!user_range(addr, 1))
        return -EFAULT;
    spin_lock(&vm_lock);
    v = vma_find(s, addr);
    if (v && addr < v->start)
        v = NULL;
    if (v && shows_object(v, addr))
        *out = (struct vm_identity){v->object->serial,
                                    ((uint64_t)vma_page_index(v, addr) << PAGE_SHIFT) +
                                        (addr & (PAGE_SIZE - 1))};
    else if (v && (v->prot & VM_PROT_WRITE))
        *out = (struct vm_identity){0, addr};
    else
        err = -EFAULT;
    spin_unlock(&vm_lock);
    return err;
}
