/*
 * pidfd: a descriptor that names a process for good, man 2 pidfd_open. It is readable once the
 * process has ended; what it names is a handle (kernel/thread/handle.c).
 */
#include "fs/event/pidfd.h"
#include "fs/event/poll.h"
#include "fs/proc/procfs.h"
#include "fs/vfs/internal.h"

static uint32_t pidfd_poll(struct file *f, struct poll_table *pt)
{
    struct proc_handle *h = f->private;

    poll_wait(pt, &h->queue);
    return proc_handle_over(h) ? POLLIN : 0;
}

static void pidfd_fdinfo(struct file *f, struct text *t)
{
    struct proc_handle *h = f->private;
    int32_t pid;

    spin_lock(&proc_lock);
    pid = h->proc ? h->pid : -1;
    spin_unlock(&proc_lock);
    text_printf(t, "Pid:\t%d\n", pid);
}

static void pidfd_release(struct file *f)
{
    proc_handle_put(f->private);
}

static const struct file_ops pidfd_file_ops = {
    .release = pidfd_release,
    .poll = pidfd_poll,
    .fdinfo = pidfd_fdinfo,
    .name = "[pidfd]",
    .stream = true,
};

int pidfd_make(struct proc_handle *h, uint32_t flags)
{
    return anon_fd(&pidfd_file_ops, h, O_RDWR | O_CLOEXEC | flags);
}

static struct proc_handle *handle_of(const struct file *f)
{
    struct proc_handle *h = f->ops == &pidfd_file_ops ? f->private : NULL;

    if (h)
        __atomic_fetch_add(&h->refs, 1, __ATOMIC_RELAXED);
    return h;
}

struct proc_handle *pidfd_get(int fd, bool *nonblock)
{
    struct file *f = fd_get(fd);
    struct proc_handle *h;

    if (!f)
        return NULL;
    h = handle_of(f);
    *nonblock = f->flags & O_NONBLOCK;
    file_put(f);
    return h;
}

long sys_pidfd_open(uint32_t upid, uint32_t flags)
{
    int32_t pid = (int32_t)upid;
    struct proc_handle *h;
    int err;

    if ((flags & ~O_NONBLOCK) || pid <= 0)
        return -EINVAL;
    h = proc_handle_get(pid, &err);
    return h ? pidfd_make(h, flags) : err;
}

/* A directory /proc/PID names its process, too. NULL with *err. */
static struct proc_handle *handle_of_any(int fd, int *err)
{
    struct file *f = fd_get(fd);
    struct proc_handle *h;

    *err = -EBADF;
    if (!f)
        return NULL;
    h = handle_of(f);
    if (!h)
        h = procfs_handle(f, err);
    file_put(f);
    return h;
}

long sys_pidfd_send_signal(uint32_t fd, uint32_t signo, void __user *uinfo, uint32_t flags)
{
    struct proc_handle *h;
    int err;

    if (flags)
        return -EINVAL;
    h = handle_of_any((int)fd, &err);
    if (!h)
        return err;
    err = signal_send_handle(h, (int)signo, uinfo);
    proc_handle_put(h);
    return err;
}

/* The descriptor table of the process, with a reference, for who may attach to it; or NULL with
 * *err. */
static struct files *files_of(struct proc_handle *h, int *err)
{
    struct files *files = NULL;

    spin_lock(&proc_lock);
    *err = h->proc && h->proc->files ? 0 : -ESRCH;
    if (!*err && !proc_may_inspect(h->proc, INSPECT_REAL))
        *err = -EPERM;
    if (!*err) {
        files = h->proc->files;
        files_ref(files);
    }
    spin_unlock(&proc_lock);
    return files;
}

static long copy_fd(struct proc_handle *h, int fd)
{
    int err;
    struct files *files = files_of(h, &err);
    struct file *f;

    if (!files)
        return err;
    f = files_get(files, fd);
    files_put(files);
    return f ? fd_install(f, 0, true) : -EBADF;
}

long sys_pidfd_getfd(uint32_t pidfd, uint32_t fd, uint32_t flags)
{
    struct proc_handle *h;
    bool nonblock;
    long ret;

    if (flags)
        return -EINVAL;
    h = pidfd_get((int)pidfd, &nonblock);
    if (!h)
        return -EBADF;
    ret = (int)fd < 0 ? -EBADF : copy_fd(h, (int)fd);
    proc_handle_put(h);
    return ret;
}
