/*
 * Access to the memory of any space, as its program would have it: each page that the tables do not
 * give yet is faulted in (and copied on write) through vm_fault, pinned, and read or written
 * through the kernel's own map. And what that memory is, for those who meet at a word of it.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/mm.h"

/* The frame behind addr, pinned. NULL: no such access. May sleep. */
static struct frame *pin_user_page(struct vm_space *s, vaddr_t addr, enum vm_access access)
{
    for (;;) {
        enum vm_result r;
        struct frame *f;
        bool writable;

        spin_lock(&vm_lock);
        f = pmap_lookup(&s->pmap, page_down(addr), &writable);
        if (f && (writable || access != VM_WRITE)) {
            frame_pin(f);
            if (access == VM_WRITE)
                f->flags |= FRAME_DIRTY;
            spin_unlock(&vm_lock);
            return f;
        }
        spin_unlock(&vm_lock);
        r = fault_counted(s, addr, access);
        if (r != VM_MINOR && r != VM_MAJOR)
            return NULL;
    }
}

static void unpin_user_page(struct frame *f)
{
    spin_lock(&vm_lock);
    frame_unpin(f);
    spin_unlock(&vm_lock);
}

/* Moves len bytes between kernel memory and [addr, addr+len) of s, in the direction of access; what
 * is not below USER_TOP is no space's. */
static long move(struct vm_space *s, vaddr_t addr, uint8_t *buf, size_t len, enum vm_access access)
{
    size_t done = 0;

    while (done < len) {
        uint32_t within = (addr + done) & (PAGE_SIZE - 1);
        size_t n = PAGE_SIZE - within;
        struct frame *f;

        if (n > len - done)
            n = len - done;
        f = user_range(addr, done + n) ? pin_user_page(s, addr + done, access) : NULL;
        if (!f)
            return done ? (long)done : -EFAULT;
        if (access == VM_WRITE)
            memcpy((uint8_t *)frame_kva(f) + within, buf + done, n);
        else
            memcpy(buf + done, (uint8_t *)frame_kva(f) + within, n);
        unpin_user_page(f);
        done += n;
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

/* A private page of a file is the file's as long as it was not, and cannot be, copied. [v] */
static bool shows_object(const struct vma *v, vaddr_t addr)
{
    if (!v->object)
        return false;
    return !vma_is_private(v) ||
           (!(v->prot & VM_PROT_WRITE) && !amap_lookup(&v->space->amap, addr >> PAGE_SHIFT).anon);
}

int vm_identify(struct vm_space *s, vaddr_t addr, struct vm_identity *out)
{
    const struct vma *v;
    int err = 0;

    if (!user_range(addr, 1))
        return -EFAULT;
    spin_lock(&vm_lock);
    v = vma_find(s, addr);
    if (!v || addr < v->start)
        err = -EFAULT;
    else if (shows_object(v, addr))
        *out = (struct vm_identity){v->object->serial,
                                    ((uint64_t)vma_page_index(v, addr) << PAGE_SHIFT) +
                                        (addr & (PAGE_SIZE - 1))};
    else if (v->prot & VM_PROT_WRITE)
        *out = (struct vm_identity){0, addr};
    else
        err = -EFAULT;
    spin_unlock(&vm_lock);
    return err;
}
