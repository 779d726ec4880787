/*
 * What others say of a process's memory: process_madvise(2), and process_mrelease(2), which asks
 * that a process that is being killed gives its memory back.
 */
#include "fs/event/pidfd.h"
#include "fs/vfs/iov.h"
#include "kernel/oom/oom.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "mm/vm.h"

enum { MADV_WILLNEED = 3, MADV_COLD = 20, MADV_PAGEOUT = 21 };

/* Only what changes nothing that the process could notice, but the time it takes. */
static bool is_harmless(uint32_t advice)
{
    return advice == MADV_WILLNEED || advice == MADV_COLD || advice == MADV_PAGEOUT;
}

/* Its space, with a reference; NULL with *err. */
static struct vm_space *space_of(struct proc_handle *h, int *err)
{
    struct vm_space *s = NULL;

    spin_lock(&proc_lock);
    *err = !h->proc ? -ESRCH : !proc_may_inspect(h->proc, INSPECT_REAL) ? -EACCES : 0;
    if (!*err)
        s = h->proc->space;
    if (s)
        vm_space_ref(s);
    else if (!*err)
        *err = -ESRCH;
    spin_unlock(&proc_lock);
    return s;
}

/* The bytes advised on up to the first error, or that. */
static long advise(struct vm_space *s, struct iov_set *set, uint32_t advice)
{
    uint32_t done = 0;
    int err = 0;

    for (uint32_t i = 0; i < set->count && !err; i++) {
        const struct iovec *v = iov_at(set, i);

        err = vm_advise(s, (vaddr_t)v->base, v->len, (int)advice);
        if (!err)
            done += v->len;
        sched_point();
    }
    return done ? (long)done : err;
}

static long on_process(int fd, struct iov_set *set, uint32_t advice)
{
    bool ignored;
    struct proc_handle *h = pidfd_get(fd, &ignored);
    struct vm_space *s;
    long ret;
    int err;

    if (!h)
        return -EBADF;
    if (!is_harmless(advice)) {
        proc_handle_put(h);
        return -EINVAL;
    }
    s = space_of(h, &err);
    ret = err ? err : capable(CAP_SYS_NICE) ? advise(s, set, advice) : -EPERM;
    if (s)
        vm_space_unref(s);
    proc_handle_put(h);
    return ret;
}

long sys_process_madvise(uint32_t fd, const void __user *uvec, uint32_t count, uint32_t advice,
                         uint32_t flags)
{
    struct iov_set set;
    long ret;

    if (flags)
        return -EINVAL;
    ret = iov_from_user(&set, uvec, count, false);
    if (ret)
        return ret;
    ret = on_process((int)fd, &set, advice);
    iov_free(&set);
    return ret;
}

/* Who is being killed gives it back as fast as he can without being asked. */
static int release_memory(const struct proc *p)
{
    if (!p || !p->space)
        return -ESRCH;
    return oom_is_dying(p) ? 0 : -EINVAL;
}

long sys_process_mrelease(uint32_t fd, uint32_t flags)
{
    struct proc_handle *h;
    bool ignored;
    int err;

    if (flags)
        return -EINVAL;
    h = pidfd_get((int)fd, &ignored);
    if (!h)
        return -EBADF;
    spin_lock(&proc_lock);
    err = release_memory(h->proc);
    spin_unlock(&proc_lock);
    proc_handle_put(h);
    return err;
}
