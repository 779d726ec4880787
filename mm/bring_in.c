/*
 * The one place where mm/ sleeps for what a decision needs: design rule 3.
 *
 * A fault, a read or a write decides under vm_lock, and never sleeps there. What it misses it names
 * in a struct need, leaves the lock, calls bring_in(), and starts over from the top: it then finds
 * the work done, or the world changed, and either way decides anew. So nothing has to validate half
 * a state again. Pagers and reclaim have the kernel lock: who began without takes it here.
 */
#include "arch/processors.h"
#include "libc/errno.h"
#include "mm/dirty.h"
#include "mm/mm.h"
#include "mm/port.h"
#include "mm/served/asked.h"

/* Spurious wake-ups are allowed, and so is a frame that has become another's: one sleep is enough.
 */
static void wait_while_busy(const struct frame *f)
{
    spin_lock(&vm_lock);
    if (f->flags & FRAME_BUSY)
        port_sleep(f, &vm_lock);
    else
        spin_unlock(&vm_lock);
}

static void wait_for_change(struct vm_space *s)
{
    spin_lock(&vm_lock);
    if (s->changing)
        change_await(s);
    else
        spin_unlock(&vm_lock);
}

int bring_in(struct need *n)
{
    int err = 0;

    kernel_need();
    switch (n->what) {
    case NEED_MEMORY:
        return reclaim() ? 0 : -ENOMEM;
    case NEED_FRAME:
        wait_while_busy(n->frame);
        return 0;
    case NEED_CHANGE:
        wait_for_change(n->space);
        return 0;
    case NEED_SERVER:
        return server_await(n);
    case NEED_ANON:
        err = anon_fetch(n);
        return err == -ENOMEM || err == 0 ? err : -EIO;
    case NEED_PAGE:
        err = object_fetch(n);
        break;
    case NEED_PLACE:
        err = object_place(n);
        break;
    case NEED_BALANCE:
        vm_dirty_balance(n->object);
        break;
    }
    vm_object_unref(n->object);
    return err == -ENOMEM || err == -ENOSPC || err == 0 ? err : -EIO;
}
