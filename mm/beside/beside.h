/*
 * Several processors in mm/ at once, each in a space of its own: beside.c.
 */
#ifndef MM_BESIDE_BESIDE_H
#define MM_BESIDE_BESIDE_H

#include "mm/mm.h"

/* Shares vm_lock and takes s's, if what concerns s concerns no other space now; false: neither.
 * still: nor if its areas are being changed. */
bool space_lock_beside(struct vm_space *s, bool still);
void space_unlock_beside(struct vm_space *s);
/* Or who has vm_lock to himself lets go of that. */
static inline void space_unlock(struct vm_space *s)
{
    if (__builtin_expect(s->beside, false))
        space_unlock_beside(s);
    else
        spin_unlock(&vm_lock);
}
/* Whether s has leaves in common with another space that reach into [start, end). [v] */
bool leaves_shared(const struct vm_space *s, vaddr_t start, vaddr_t end);

/* Whether who has vm_lock shares it. [v] */
static inline bool vm_lock_is_shared(void)
{
    return __builtin_expect(spin_is_shared(&vm_lock), 0);
}

/* One more reference, by who has one. [v] */
static inline void object_hold(struct vm_object *o)
{
    __atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
}

/* All but its place among the object's areas, which others change where vm_lock is shared: that may
 * be anything until the copy is inserted. */
static inline void vma_copy(struct vma *to, const struct vma *v)
{
#ifdef __SANITIZE_THREAD__
    __builtin_memcpy(to, v, offsetof(struct vma, object_link));
#else
    *to = *v; /* the cheaper way */
#endif
}

/* Calls what(v->object, v), which changes the object's list of areas, where vm_lock is shared. */
void tell_object_beside(struct vma *v, void (*what)(struct vm_object *o, struct vma *v));

static inline void frame_set_dirty(struct frame *f)
{
    __atomic_or_fetch(&f->flags, FRAME_DIRTY, __ATOMIC_RELAXED);
}

static inline void rmap_remove(struct frame *f, const pte_t *pte) /* [v] */
{
    if (!cpu_compare_exchange(&f->rmap, (uintptr_t)pte, 0))
        rmap_remove_link(f, pte);
}

/* Takes the lock for what several spaces touch of a frame or an object. [v] */
struct spinlock *lock_beside(const void *frame_or_object);

#endif
