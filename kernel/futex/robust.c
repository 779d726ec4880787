/*
 * Robust locks: a thread names a list of those it holds, in its own memory, and when it dies the
 * kernel writes into each that its owner is gone. [man 2 set_robust_list, Linux: robust-futex-ABI]
 *
 * The list is the program's, so it may be anything: each word is looked at once, and no more than
 * ROBUST_LIST_LIMIT of them.
 */
#include "kernel/futex/internal.h"
#include "kernel/futex/futex.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define ROBUST_LIST_LIMIT 2048
#define INHERITS          1u /* low bit of a pointer to an entry: a lock with priority inheritance */

struct robust_head {
    uint32_t first;
    int32_t offset;   /* from an entry to its word */
    uint32_t pending; /* the entry being worked on, which may or may not be in the list */
};

struct robust_word {
    uint32_t addr;
    bool inherits, pending;
};

static struct robust_word word_of(const struct robust_head *h, uint32_t entry, bool pending)
{
    return (struct robust_word){.addr = (entry & ~INHERITS) + (uint32_t)h->offset,
                                .inherits = entry & INHERITS,
                                .pending = pending};
}

/* The word says that its owner tid is gone; *word is what it said. -EFAULT */
static int mark_dead(uint32_t addr, int32_t tid, uint32_t *word)
{
    uint32_t seen, old;

    if (get_user_u32(&seen, (void __user *)addr))
        return -EFAULT;
    do {
        old = seen;
        if ((int32_t)(old & FUTEX_TID_MASK) != tid)
            break;
        if (cmpxchg_user_u32((void __user *)addr, old, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED,
                             &seen))
            return -EFAULT;
    } while (seen != old);
    *word = old;
    return 0;
}

/* The owner of the lock w is gone: says so in the word and wakes one that waits. Those that inherit
 * have it from futex_release_inheritance(). */
static int owner_died(const struct robust_word *w, int32_t tid)
{
    uint32_t word;

    if ((w->addr & 3) || mark_dead(w->addr, tid, &word))
        return -EFAULT;
    if (w->inherits)
        return 0;
    /* Died between giving the lock up and waking whoever waits. */
    if (w->pending && word == 0)
        futex_wake(w->addr, 1);
    if ((int32_t)(word & FUTEX_TID_MASK) == tid && (word & FUTEX_WAITERS))
        futex_wake(w->addr, 1);
    return 0;
}

void futex_release_robust_list(struct thread *t)
{
    struct robust_head head;
    struct robust_word w;
    uint32_t entry, next;

    if (copy_from_user(&head, (void __user *)t->robust_list, sizeof(head)))
        return;
    entry = head.first;
    for (int i = 0; (entry & ~INHERITS) != t->robust_list && i < ROBUST_LIST_LIMIT; i++) {
        bool ok = get_user_u32(&next, (void __user *)(entry & ~INHERITS)) == 0;

        w = word_of(&head, entry, false);
        if ((entry & ~INHERITS) != (head.pending & ~INHERITS) && owner_died(&w, t->tid))
            return;
        if (!ok)
            return;
        entry = next;
        sched_point();
    }
    w = word_of(&head, head.pending, true);
    if (head.pending & ~INHERITS)
        owner_died(&w, t->tid);
}

long sys_set_robust_list(void __user *head, uint32_t len)
{
    if (len != sizeof(struct robust_head))
        return -EINVAL;
    thread_current()->robust_list = (vaddr_t)head;
    return 0;
}

long sys_get_robust_list(uint32_t tid, void __user *uhead, void __user *ulen)
{
    struct thread *t;
    struct proc *p;
    uint32_t head = 0;
    bool allowed = true;

    spin_lock(&proc_lock);
    p = proc_find_any((int32_t)tid, &t);
    if (p) {
        head = t ? t->robust_list : 0;
        allowed = proc_may_inspect(p, INSPECT_REAL);
    }
    spin_unlock(&proc_lock);
    if (!p)
        return -ESRCH;
    if (!allowed)
        return -EPERM;
    if (put_user_u32(ulen, sizeof(struct robust_head)) || put_user_u32(uhead, head))
        return -EFAULT;
    return 0;
}
