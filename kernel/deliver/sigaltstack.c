/*
 * The alternate signal stack of a thread: man 2 sigaltstack. A size of 0 means that there is none.
 */
#include "arch/uaccess.h"
#include "kernel/deliver/sigframe.h"
#include "libc/errno.h"

#define MINSIGSTKSZ 2048u

bool altstack_contains(const struct thread *t, uint32_t sp)
{
    const struct signal_state *s = &t->sig;

    if (s->altstack_flags & SS_AUTODISARM)
        return false;
    return sp > s->altstack && sp - s->altstack <= s->altstack_size;
}

/* sp: the user stack pointer, which tells whether the stack is in use. */
void altstack_describe(const struct thread *t, uint32_t sp, struct user_stack *out)
{
    const struct signal_state *s = &t->sig;

    out->sp = s->altstack;
    out->size = s->altstack_size;
    out->flags = s->altstack_flags;
    if (!s->altstack_size)
        out->flags |= SS_DISABLE;
    else if (altstack_contains(t, sp))
        out->flags |= SS_ONSTACK;
}

int altstack_set(struct thread *t, uint32_t sp, const struct user_stack *in)
{
    struct signal_state *s = &t->sig;
    uint32_t mode = in->flags & ~SS_AUTODISARM;

    if (altstack_contains(t, sp))
        return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        s->altstack = s->altstack_size = 0;
    } else {
        if (in->size < MINSIGSTKSZ)
            return -ENOMEM;
        s->altstack = in->sp;
        s->altstack_size = in->size;
    }
    s->altstack_flags = in->flags & SS_AUTODISARM;
    return 0;
}

long sys_sigaltstack(const void __user *uss, void __user *uoss)
{
    struct thread *t = thread_current();
    struct user_stack new, old;
    int ret = 0;

    if (uss && copy_from_user(&new, uss, sizeof(new)))
        return -EFAULT;
    altstack_describe(t, t->arch.tf->esp, &old);
    if (uss)
        ret = altstack_set(t, t->arch.tf->esp, &new);
    if (!ret && uoss)
        ret = copy_to_user(uoss, &old, sizeof(old));
    return ret;
}
