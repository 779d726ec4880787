/*
 * One change of a space's areas, from beginning to end: who waits for whom, and by which lock. It
 * begins with all areas that splitting may need, so that it cannot fail later (design rule 4).
 *
 * A change of much goes in steps: change_pause() drops vm_lock between them, so that interrupts
 * come through and others may run (design rule 8). What holds meanwhile:
 *   - vm_lock may be shared in one step and not in the next (beside/).
 *   - one change of a space at a time: change_begin() waits for the one before. So areas, and
 *     pointers to them, are the changer's alone; even a stack does not grow meanwhile.
 *   - faults go on. What they find is a state of the fault table: an area that was cut shorter, or
 *     has its new rights already. A fault that the areas refuse waits for the end of the change and
 *     asks again, so no thread sees half of one; so does one for the pages that mremap holds still.
 *   - hardware entries may have more rights than their area until the change ends (they are a
 *     cache); they never outlive their area, nor the anon or page they show.
 *   - the amap may hold pages outside every area until the change ends: nobody can ask for them.
 */
#include "arch/processors.h"
#include "libc/errno.h"
#include "mm/beside/beside.h"
#include "mm/port.h"
#include "mm/served/asked.h"

static void keep_spares(struct change *c)
{
    while (c->spares > 0)
        vma_give_back(c->spare[--c->spares]);
}

/* [v] -ENOMEM, without the lock. */
static inline int start(struct change *c, struct vm_space *s, unsigned spares)
{
    c->space = s;
    c->budget = STEP_UNITS;
    list_init(&c->dead);
    c->news = NULL;
    for (unsigned n = 0; n < spares; n++) {
        struct vma *v = vma_new();

        c->spares = n;
        if (!v) {
            keep_spares(c);
            space_unlock(s);
            return -ENOMEM;
        }
        c->spare[n] = v;
    }
    c->spares = spares;
    s->changing = true;
    return 0;
}

static void lock_unchanging(struct vm_space *s)
{
    spin_lock(&vm_lock);
    while (__builtin_expect(s->changing, false)) {
        change_await(s);
        spin_lock(&vm_lock);
    }
}

int change_begin(struct change *c, struct vm_space *s, unsigned spares)
{
    lock_unchanging(s);
    return start(c, s, spares);
}

int change_begin_beside(struct change *c, struct vm_space *s, unsigned spares)
{
    if (cpus_online == 1 || !space_lock_beside(s, true))
        lock_unchanging(s);
    return start(c, s, spares);
}

void change_alone(struct change *c)
{
    if (!c->space->beside)
        return;
    space_unlock(c->space);
    spin_lock(&vm_lock);
}

void change_await(struct vm_space *s)
{
    s->awaited = true;
    port_sleep(&s->changing, &vm_lock);
}

void change_pause(struct change *c)
{
    const bool beside = c->space->beside;

    space_unlock(c->space);
    port_yield();
    c->budget = STEP_UNITS;
    if (!beside || !space_lock_beside(c->space, false))
        spin_lock(&vm_lock);
}

void change_spend(struct change *c, unsigned units)
{
    c->budget = c->budget > units ? c->budget - units : 0;
    if (c->budget == 0)
        change_pause(c);
}

struct vma *change_take(struct change *c)
{
    KASSERT(c->spares > 0);
    return c->spare[--c->spares];
}

void change_give_back(struct change *c, struct vma *v)
{
    c->spare[c->spares++] = v;
}

void change_end(struct change *c)
{
    struct vm_space *s = c->space;
    const bool awaited = s->awaited;

    s->changing = s->awaited = false;
    s->held = s->held_end = 0;
    if (awaited)
        port_wakeup(&s->changing);
    keep_spares(c);
    space_unlock(s);
    if (!list_empty(&c->dead))
        vma_free_list(&c->dead);
    if (__builtin_expect(c->news != NULL, false))
        served_tell(c);
}
