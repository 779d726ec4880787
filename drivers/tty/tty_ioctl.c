/*
 * The ioctls of a terminal that are neither attributes nor job control, and vhangup(2). What nobody
 * knows is -ENOTTY. [man 4 tty_ioctl]
 */
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "kernel/signal/signal.h"
#include "kernel/time/time.h"
#include "drivers/tty/tty_file.h"
#include "libc/errno.h"
#include "libc/string.h"

#define BREAK_NS   (NSEC_PER_SEC / 4)
#define BREAK_UNIT (NSEC_PER_SEC / 10) /* TCSBRKP counts in these */

static long flush(struct tty *t, uint32_t what)
{
    if (what > TCIOFLUSH)
        return -EINVAL;
    if (what != TCOFLUSH)
        tty_flush_input(t);
    if (what != TCIFLUSH) {
        spin_lock(&t->lock);
        output_flush(t);
        wake_all(&t->write_wait);
        tty_unlock(t);
    }
    return 0;
}

static long flow_control(struct tty *t, uint32_t what)
{
    if (what > TCION)
        return -EINVAL;
    spin_lock(&t->lock);
    if (what == TCOOFF || (what == TCOON && t->held)) {
        t->held = what == TCOOFF;
        tty_set_stopped(t, t->held);
    } else if (what != TCOON && t->termios.cc[what == TCIOFF ? VSTOP : VSTART])
        output_raw(t, (char)t->termios.cc[what == TCIOFF ? VSTOP : VSTART]);
    tty_unlock(t);
    return 0;
}

static void set_break(struct tty *t, bool on)
{
    if (!t->driver->set_break)
        return;
    spin_lock(&t->lock);
    t->driver->set_break(t, on);
    spin_unlock(&t->lock);
}

/* Waits for the output to be sent, then holds a break for ns. */
static long send_break(struct tty *t, uint64_t ns)
{
    int err = tty_wait_sent(t);

    if (err || ns == 0 || !t->driver->set_break)
        return err;
    set_break(t, true);
    err = sleep_until(time_mono_ns() + ns);
    set_break(t, false);
    return err;
}

static long get_winsize(struct tty *t, void __user *user)
{
    struct winsize ws;

    spin_lock(&t->lock);
    ws = t->winsize;
    spin_unlock(&t->lock);
    return copy_to_user(user, &ws, sizeof(ws));
}

static long set_winsize(struct tty *t, const void __user *user)
{
    struct winsize ws;

    if (copy_from_user(&ws, user, sizeof(ws)))
        return -EFAULT;
    int err = t->driver->resize ? t->driver->resize(t, &ws) : 0;
    if (!err)
        tty_resize(t, &ws);
    return err;
}

static long count_bytes(struct tty *t, bool input, void __user *user)
{
    spin_lock(&t->lock);
    uint32_t n = input ? ldisc_readable(t) : (uint32_t)output_pending(t);
    spin_unlock(&t->lock);
    return put_user_u32(user, n);
}

/* TIOCSTI: as if the byte had been typed. */
static long simulate_input(struct tty *t, const void __user *user)
{
    char c;

    if (!tty_is_of_current(t) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (copy_from_user(&c, user, 1))
        return -EFAULT;
    while (tty_receive(t, &c, 1) == 0 && t->unfinished)
        sched_point();
    return 0;
}

static long set_discipline(const void __user *user)
{
    uint32_t n;

    if (get_user_u32(&n, user))
        return -EFAULT;
    return n == 0 ? 0 : -EINVAL;
}

static long hang_up(struct tty *t)
{
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    tty_hangup(t);
    return 0;
}

/* Those that a background process may not do. */
static long changing_ioctl(struct tty *t, uint32_t cmd, uint32_t arg)
{
    long err = tty_check_change(t);

    if (err)
        return err;
    switch (cmd) {
    case TCSBRK:
        return send_break(t, arg ? 0 : BREAK_NS);
    case TCSBRKP:
        return send_break(t, arg ? arg * BREAK_UNIT : BREAK_NS);
    case TIOCSBRK:
    case TIOCCBRK:
        set_break(t, cmd == TIOCSBRK);
        return 0;
    case TCXONC:
        return flow_control(t, arg);
    case TCFLSH:
        return flush(t, arg);
    default:
        return set_discipline((void __user *)arg);
    }
}

static long plain_ioctl(struct tty *t, uint32_t cmd, uint32_t arg)
{
    void __user *user = (void __user *)arg;

    switch (cmd) {
    case TIOCGWINSZ:
        return get_winsize(t, user);
    case TIOCSWINSZ:
        return set_winsize(t, user);
    case FIONREAD:
    case TIOCOUTQ:
        return count_bytes(t, cmd == FIONREAD, user);
    case TIOCSTI:
        return simulate_input(t, user);
    case TIOCGETD:
        return put_user_u32(user, 0);
    case TIOCVHANGUP:
        return hang_up(t);
    case TIOCEXCL:
    case TIOCNXCL:
        t->exclusive = cmd == TIOCEXCL;
        return 0;
    case TIOCGEXCL:
        return put_user_u32(user, t->exclusive);
    case TIOCGDEV:
        return put_user_u32(user, t->dev);
    case TIOCGPTPEER: /* of a master alone */
        return -EIO;
    default:
        return t->driver->ioctl ? t->driver->ioctl(t, cmd, arg) : -ENOTTY;
    }
}

long tty_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    struct tty_file *tf = f->private;
    struct tty *t = tf->tty;
    long result;

    if (tf->master && pty_master_ioctl(f, cmd, arg, &result))
        return result;
    if (tty_file_dead(tf))
        return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
    if (cmd == TIOCCONS)
        return console_set_redirect(f);
    switch (cmd) {
    case TCGETS:
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCGETS2:
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
    case TCGETA:
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
        return tty_termios_ioctl(t, cmd, arg);
    case TIOCGLCKTRMIOS:
    case TIOCSLCKTRMIOS:
    case TIOCGSOFTCAR:
    case TIOCSSOFTCAR:
        return tty_attribute_ioctl(t, cmd, arg);
    case TIOCSCTTY:
    case TIOCNOTTY:
    case TIOCGPGRP:
    case TIOCSPGRP:
    case TIOCGSID:
        return tty_job_ioctl(f, cmd, arg);
    case TCSBRK:
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK:
    case TCXONC:
    case TCFLSH:
    case TIOCSETD:
        return changing_ioctl(t, cmd, arg);
    default:
        return plain_ioctl(t, cmd, arg);
    }
}

long sys_vhangup(void)
{
    struct tty *t;

    if (!capable(CAP_SYS_TTY_CONFIG))
        return -EPERM;
    t = tty_of_current();
    if (t) {
        tty_hangup(t);
        tty_put(t);
    }
    return 0;
}
