/*
 * The ioctls that a master answers itself. All others are as if its slave was asked: attributes,
 * size, job control. [man 2 ioctl_tty]
 */
#include "drivers/tty/pty.h"
#include "arch/uaccess.h"
#include "fs/vfs/file.h"
#include "kernel/signal/signal.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

/* Copies one of p's flags out or in. */
static long get_flag(struct pty *p, const bool *flag, void __user *user)
{
    spin_lock(&p->slave.lock);
    uint32_t value = *flag;
    spin_unlock(&p->slave.lock);
    return put_user_u32(user, value);
}

static long set_flag(struct pty *p, bool *flag, const void __user *user)
{
    uint32_t value;

    if (get_user_u32(&value, user))
        return -EFAULT;
    spin_lock(&p->slave.lock);
    *flag = value != 0;
    spin_unlock(&p->slave.lock);
    return 0;
}

/* What happened before is not told. */
static long set_packet(struct pty *p, const void __user *user)
{
    uint32_t on;

    if (get_user_u32(&on, user))
        return -EFAULT;
    spin_lock(&p->slave.lock);
    if (on && !p->packet)
        p->events = 0;
    p->packet = on != 0;
    spin_unlock(&p->slave.lock);
    return 0;
}

static long send_signal(struct pty *p, uint32_t signo)
{
    if (signo != SIGINT && signo != SIGQUIT && signo != SIGTSTP)
        return -EINVAL;
    tty_signal(&p->slave, (int)signo);
    return 0;
}

/* What open(2) of the slave's node would give, whether or not a path leads there, and whatever its
 * permissions. */
static long open_peer(struct pty *p, uint32_t flags)
{
    static const struct file_ops closed_ops = {.stream = true};
    struct path at;
    struct file *f;
    long fd;

    if (!devpts_place(p, &at))
        return -EIO;
    f = file_new(at.dentry->inode, &at, &tty_file_ops, flags & (O_ACCMODE | O_NOCTTY | O_NONBLOCK));
    fd = f ? tty_file_ops.open(at.dentry->inode, f) : file_new_error();
    if (f && fd) {
        f->ops = &closed_ops;
    } else if (f) {
        f->flags &= ~O_NOCTTY;
        fd = fd_install(f, 0, flags & O_CLOEXEC);
    }
    if (f && fd < 0)
        file_put(f);
    path_unref(&at);
    return fd;
}

static long count_unread(struct pty *p, void __user *user)
{
    spin_lock(&p->slave.lock);
    uint32_t n = pty_ring_count(&p->output);
    spin_unlock(&p->slave.lock);
    return put_user_u32(user, n);
}

/* The master's own queues: what the slave wrote. What it writes itself is with the slave at once.
 */
static long flush(struct pty *p, uint32_t what)
{
    if (what > TCIOFLUSH)
        return -EINVAL;
    if (what == TCOFLUSH)
        return 0;
    spin_lock(&p->slave.lock);
    pty_drop_output(p);
    spin_unlock(&p->slave.lock);
    tty_output_ready(&p->slave);
    return 0;
}

static long flow_control(struct pty *p, uint32_t what)
{
    char c = what == TCIOFF ? 0x13 : 0x11; /* ^S, ^Q */

    switch (what) {
    case TCOOFF:
    case TCOON:
        spin_lock(&p->slave.lock);
        p->master_stopped = what == TCOOFF;
        wake_all(&p->wait);
        spin_unlock(&p->slave.lock);
        return 0;
    case TCIOFF:
    case TCION:
        pty_feed(p, &c, 1);
        return 0;
    default:
        return -EINVAL;
    }
}

/* TIOCSTI: as if the slave had written the byte, but whatever OPOST says. */
static long simulate_output(struct pty *p, const void __user *user)
{
    char c;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (copy_from_user(&c, user, 1))
        return -EFAULT;
    spin_lock(&p->slave.lock);
    pty_append(p, &c, 1);
    spin_unlock(&p->slave.lock);
    return 0;
}

bool pty_master_ioctl(struct file *f, uint32_t cmd, uint32_t arg, long *result)
{
    struct pty *p = pty_of(((struct tty_file *)f->private)->tty);
    void __user *user = (void __user *)arg;

    switch (cmd) {
    case TIOCGPTN:
        *result = put_user_u32(user, p->index);
        break;
    case TIOCSPTLCK:
        *result = set_flag(p, &p->locked, user);
        break;
    case TIOCGPTLCK:
        *result = get_flag(p, &p->locked, user);
        break;
    case TIOCPKT:
        *result = set_packet(p, user);
        break;
    case TIOCGPKT:
        *result = get_flag(p, &p->packet, user);
        break;
    case TIOCSIG:
        *result = send_signal(p, arg);
        break;
    case TIOCGPTPEER:
        *result = open_peer(p, arg);
        break;
    case TIOCEXCL:
    case TIOCNXCL:
        p->master_exclusive = cmd == TIOCEXCL;
        *result = 0;
        break;
    case TIOCGEXCL:
        *result = get_flag(p, &p->master_exclusive, user);
        break;
    case FIONREAD:
        *result = count_unread(p, user);
        break;
    case TIOCSTI:
        *result = simulate_output(p, user);
        break;
    case TCFLSH:
        *result = flush(p, arg);
        break;
    case TCXONC:
        *result = flow_control(p, arg);
        break;
    case TIOCCONS:
        *result = -EINVAL;
        break;
    default:
        return false;
    }
    return true;
}
