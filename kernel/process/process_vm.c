/*
 * process_vm_readv and process_vm_writev: copying between the memory of two processes, without
 * stopping either. man 2 process_vm_readv
 *
 * The bytes go through a frame of the kernel's, so neither side's faults happen while the other's
 * page is held.
 */
#include "arch/uaccess.h"
#include "fs/vfs/iov.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "mm/vm.h"

/* Where a transfer stands in a vector. */
struct cursor {
    struct iov_set set;
    uint32_t i, done; /* in buffer i, done bytes of it */
};

/* The rest of the current buffer; false when none is left. */
static bool cursor_rest(struct cursor *c, void __user **addr, uint32_t *len)
{
    for (; c->i < c->set.count; c->i++, c->done = 0) {
        const struct iovec *v = iov_at(&c->set, c->i);

        if (c->done < v->len) {
            *addr = (uint8_t __user *)v->base + c->done;
            *len = v->len - c->done;
            return true;
        }
    }
    return false;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* One chunk inside one page of the other side; how many bytes arrived. */
static uint32_t read_chunk(struct vm_space *s, void *page, void __user *local, vaddr_t remote,
                           uint32_t n)
{
    long got = vm_copy_from(s, page, remote, n);

    return got <= 0 ? 0 : (uint32_t)got - copy_to_user_partial(local, page, (uint32_t)got);
}

static uint32_t write_chunk(struct vm_space *s, void *page, void __user *local, vaddr_t remote,
                            uint32_t n)
{
    uint32_t have = n - copy_from_user_partial(page, local, n);
    long put = have ? vm_copy_to(s, remote, page, have) : 0;

    return put <= 0 ? 0 : (uint32_t)put;
}

static long transfer(struct vm_space *s, struct cursor *local, struct cursor *remote, bool writing)
{
    void __user *from, *to;
    uint32_t from_len, to_len, n, moved;
    void *page = kalloc();
    long total = 0;
    int err = 0;

    if (!page)
        return -ENOMEM;
    while (!err && cursor_rest(local, &to, &to_len) && cursor_rest(remote, &from, &from_len)) {
        n = least(least(to_len, from_len), PAGE_SIZE - (vaddr_t)from % PAGE_SIZE);
        moved = (writing ? write_chunk : read_chunk)(s, page, to, (vaddr_t)from, n);
        total += moved;
        local->done += moved;
        remote->done += moved;
        sched_point();
        err = moved < n ? -EFAULT : fatal_signal_pending() ? -EINTR : 0;
    }
    kfree(page);
    return total ? total : err;
}

static int find_space(int32_t pid, struct vm_space **out)
{
    struct thread *t;
    int err = -ESRCH;

    spin_lock(&proc_lock);
    t = thread_find(pid);
    if (t && t->proc->space) {
        err = t->proc->space == proc_current()->space || proc_may_inspect(t->proc, INSPECT_REAL)
                  ? 0
                  : -EPERM;
        *out = t->proc->space;
        if (!err)
            vm_space_ref(*out);
    }
    spin_unlock(&proc_lock);
    return err;
}

static long with_vectors(int32_t pid, struct cursor *local, struct cursor *remote, bool writing)
{
    void __user *addr;
    uint32_t len;
    struct vm_space *s;
    long r;

    if (!cursor_rest(remote, &addr, &len))
        return 0;
    r = find_space(pid, &s);
    if (r)
        return r;
    r = transfer(s, local, remote, writing);
    vm_space_unref(s);
    return r;
}

static long process_vm(uint32_t pid, const void __user *ulocal, uint32_t nlocal,
                       const void __user *uremote, uint32_t nremote, uint32_t flags, bool writing)
{
    struct cursor local = {.i = 0}, remote = {.i = 0};
    void __user *addr;
    uint32_t len;
    long r;

    if (flags)
        return -EINVAL;
    r = iov_from_user(&local.set, ulocal, nlocal, true);
    if (r)
        return r;
    if (cursor_rest(&local, &addr, &len)) {
        r = iov_from_user(&remote.set, uremote, nremote, false);
        if (!r) {
            r = with_vectors((int32_t)pid, &local, &remote, writing);
            iov_free(&remote.set);
        }
    }
    iov_free(&local.set);
    return r;
}

long sys_process_vm_readv(uint32_t pid, const void __user *ulocal, uint32_t nlocal,
                          const void __user *uremote, uint32_t nremote, uint32_t flags)
{
    return process_vm(pid, ulocal, nlocal, uremote, nremote, flags, false);
}

long sys_process_vm_writev(uint32_t pid, const void __user *ulocal, uint32_t nlocal,
                           const void __user *uremote, uint32_t nremote, uint32_t flags)
{
    return process_vm(pid, ulocal, nlocal, uremote, nremote, flags, true);
}
