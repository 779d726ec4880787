/*
 * signalfd: signals that are read instead of delivered, man 2 signalfd. What is read is what waits
 * for whoever reads; kernel/signal/watch.c does the hearing.
 */
#include "arch/uaccess.h"
#include "fs/event/poll.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/text.h"
#include "libc/string.h"

/* Linux's struct signalfd_siginfo. */
struct signalfd_info {
    uint32_t signo;
    int32_t err, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t tid, band, overrun, trapno;
    int32_t status, value;
    uint64_t ptr, utime, stime, addr;
    uint16_t addr_lsb, pad2;
    int32_t syscall;
    uint64_t call_addr;
    uint32_t arch;
    uint8_t pad[28];
};

_Static_assert(sizeof(struct signalfd_info) == 128, "Linux layout");

/* Sent by a process, with a value when it was queued. */
static void pack_sender(struct signalfd_info *out, const struct siginfo *in)
{
    out->pid = (uint32_t)in->pid;
    out->uid = (uint32_t)in->uid;
    if (in->code < 0) {
        out->value = (int32_t)in->value;
        out->ptr = in->value;
    }
}

static void pack(struct signalfd_info *out, const struct siginfo *in)
{
    *out = (struct signalfd_info){.signo = (uint32_t)in->signo, .err = in->err, .code = in->code};
    switch (siginfo_kind(in)) {
    case SIGINFO_TIMER:
        out->tid = (uint32_t)in->pid;
        out->overrun = (uint32_t)in->uid;
        out->value = (int32_t)in->value;
        out->ptr = in->value;
        break;
    case SIGINFO_POLL:
        out->band = (uint32_t)in->pid;
        out->fd = in->uid;
        break;
    case SIGINFO_FAULT:
        out->addr = in->addr;
        break;
    case SIGINFO_CHILD:
        pack_sender(out, in);
        out->status = in->status;
        out->utime = in->utime;
        out->stime = in->stime;
        break;
    default:
        pack_sender(out, in);
    }
}

/* One signal: its number, 0 when none waits and wait is false, or -ERESTARTSYS. */
static int take(struct signal_watch *w, struct siginfo *info, bool wait)
{
    int signo = signal_watch_take(w, info), err;

    if (signo || !wait)
        return signo;
    err = signal_watch_current(w);
    if (!err)
        err = wait_event_interruptible(&w->queue, (signo = signal_watch_take(w, info)) != 0);
    return err ? err : signo;
}

static long signalfd_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct signal_watch *w = f->private;
    struct signalfd_info out;
    struct siginfo info;
    long done = 0;
    int got = 1;

    (void)pos;
    if (len < sizeof(out))
        return -EINVAL;
    while (got > 0 && len - (size_t)done >= sizeof(out)) {
        got = take(w, &info, !done && !(f->flags & O_NONBLOCK));
        if (got <= 0)
            break;
        pack(&out, &info);
        if (copy_to_user((char __user *)ubuf + done, &out, sizeof(out)))
            got = -EFAULT;
        else
            done += (long)sizeof(out);
        sched_point();
    }
    return done ? done : got ? got : -EAGAIN;
}

static uint32_t signalfd_poll(struct file *f, struct poll_table *pt)
{
    struct signal_watch *w = f->private;

    poll_wait(pt, &w->queue);
    if (pt && signal_watch_current(w))
        pt->error = -ENOMEM;
    return signal_watch_pending(w) ? POLLIN : 0;
}

static void signalfd_fdinfo(struct file *f, struct text *t)
{
    const struct signal_watch *w = f->private;

    text_printf(t, "sigmask:\t%016llx\n", (unsigned long long)w->set);
}

static uint32_t signalfd_held(const struct file *f)
{
    const struct signal_watch *w = f->private;

    return sizeof(*w) + w->count * SIGNAL_LISTENER_BYTES;
}

static void signalfd_release(struct file *f)
{
    signal_watch_end(f->private);
    kmfree(f->private);
}

static const struct file_ops signalfd_file_ops = {
    .release = signalfd_release,
    .read = signalfd_read,
    .plain_read = true,
    .poll = signalfd_poll,
    .fdinfo = signalfd_fdinfo,
    .held = signalfd_held,
    .name = "[signalfd]",
    .stream = true,
    .seek = seek_nowhere,
};

static long signalfd_new(sigset64_t set, uint32_t flags)
{
    struct signal_watch *w = kmalloc(sizeof(*w));

    if (!w)
        return -ENOMEM;
    signal_watch_init(w, set);
    return anon_fd(&signalfd_file_ops, w, O_RDWR | flags);
}

static long signalfd_change(int fd, sigset64_t set)
{
    struct file *f = fd_get(fd);
    long ret = fd;

    if (!f)
        return -EBADF;
    if (f->ops == &signalfd_file_ops)
        signal_watch_change(f->private, set);
    else
        ret = -EINVAL;
    file_put(f);
    return ret;
}

long sys_signalfd4(uint32_t fd, const void __user *umask, uint32_t size, uint32_t flags)
{
    sigset64_t set;

    if (size != sizeof(set))
        return -EINVAL;
    if (copy_from_user(&set, umask, sizeof(set)))
        return -EFAULT;
    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    return (int)fd == -1 ? signalfd_new(set, flags) : signalfd_change((int)fd, set);
}

long sys_signalfd(uint32_t fd, const void __user *umask, uint32_t size)
{
    return sys_signalfd4(fd, umask, size, 0);
}
