/*
 * Terminal attributes: their defaults, speeds, and the ioctls that read and set them in the three
 * forms of the ABI (termios, termios2, termio).
 */
#include "arch/uaccess.h"
#include "kernel/signal/signal.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "drivers/tty/tty.h"
#include "libc/errno.h"
#include "libc/string.h"

#define DRAIN_POLL_NS (NSEC_PER_SEC / 100)

static const uint32_t low_speeds[16] = {0,   50,   75,   110,  134,  150,  200,   300,
                                        600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
static const uint32_t high_speeds[] = {57600,   115200,  230400,  460800,  500000,
                                       576000,  921600,  1000000, 1152000, 1500000,
                                       2000000, 2500000, 3000000, 3500000, 4000000};
#define NHIGH (sizeof(high_speeds) / sizeof(high_speeds[0]))

uint32_t termios_baud(const struct termios *t)
{
    uint32_t code = t->cflag & TERMIOS_CBAUD;

    if (code < 16)
        return low_speeds[code];
    code &= ~(uint32_t)TERMIOS_BOTHER;
    if (code == 0)
        return t->ospeed;
    return code <= NHIGH ? high_speeds[code - 1] : 0;
}

uint32_t termios_code(uint32_t baud)
{
    for (uint32_t i = 1; i < 16; i++)
        if (low_speeds[i] == baud)
            return i;
    for (uint32_t i = 0; i < NHIGH; i++)
        if (high_speeds[i] == baud)
            return (i + 1) | TERMIOS_BOTHER;
    return TERMIOS_B9600;
}

void termios_init(struct termios *t, uint32_t cflag)
{
    static const uint8_t cc[TERMIOS_NCCS] = {
        [VINTR] = 0x03,    [VQUIT] = 0x1c,   [VERASE] = 0x7f, [VKILL] = 0x15, [VEOF] = 0x04,
        [VMIN] = 1,        [VSTART] = 0x11,  [VSTOP] = 0x13,  [VSUSP] = 0x1a, [VREPRINT] = 0x12,
        [VDISCARD] = 0x0f, [VWERASE] = 0x17, [VLNEXT] = 0x16,
    };

    memset(t, 0, sizeof(*t));
    t->iflag = TERMIOS_ICRNL | TERMIOS_IXON;
    t->oflag = TERMIOS_OPOST | TERMIOS_ONLCR;
    t->cflag = cflag ? cflag : TERMIOS_B38400 | TERMIOS_CS8 | TERMIOS_CREAD | TERMIOS_HUPCL;
    t->lflag = TERMIOS_ISIG | TERMIOS_ICANON | TERMIOS_ECHO | TERMIOS_ECHOE | TERMIOS_ECHOK |
               TERMIOS_ECHOCTL | TERMIOS_ECHOKE | TERMIOS_IEXTEN;
    memcpy(t->cc, cc, sizeof(cc));
    t->ispeed = t->ospeed = termios_baud(t);
}

/* Until everything written has left; -ERESTARTSYS when a signal comes first. */
int tty_wait_sent(struct tty *t)
{
    for (;;) {
        spin_lock(&t->lock);
        size_t left = output_pending(t);
        spin_unlock(&t->lock);
        if (left == 0)
            return 0;
        if (sleep_until(time_mono_ns() + DRAIN_POLL_NS))
            return -ERESTARTSYS;
    }
}

static uint32_t keep(uint32_t new, uint32_t old, uint32_t locked)
{
    return (new & ~locked) | (old & locked);
}

/* What is locked stays as it is. */
static void keep_locked(struct termios *new, const struct termios *old,
                        const struct termios *locked)
{
    new->iflag = keep(new->iflag, old->iflag, locked->iflag);
    new->oflag = keep(new->oflag, old->oflag, locked->oflag);
    new->cflag = keep(new->cflag, old->cflag, locked->cflag);
    new->lflag = keep(new->lflag, old->lflag, locked->lflag);
    if (locked->line)
        new->line = old->line;
    for (int i = 0; i < TERMIOS_NCCS; i++) {
        if (locked->cc[i])
            new->cc[i] = old->cc[i];
    }
}

static void apply(struct tty *t, struct termios *new)
{
    struct termios old;

    spin_lock(&t->lock);
    old = t->termios;
    keep_locked(new, &old, &t->locked);
    new->ispeed = new->ospeed = termios_baud(new);
    t->termios = *new;
    ldisc_mode_changed(t, &old);
    wake_all(&t->read_wait);
    tty_unlock(t);
    if (t->driver->set_termios)
        t->driver->set_termios(t, &old);
}

static struct termios snapshot(struct tty *t)
{
    struct termios copy;

    spin_lock(&t->lock);
    copy = t->termios;
    spin_unlock(&t->lock);
    return copy;
}

static int read_termio(struct termios *t, const void __user *user)
{
    struct termio io;

    if (copy_from_user(&io, user, sizeof(io)))
        return -EFAULT;
    t->iflag = (t->iflag & 0xffff0000) | io.iflag;
    t->oflag = (t->oflag & 0xffff0000) | io.oflag;
    t->cflag = (t->cflag & 0xffff0000) | io.cflag;
    t->lflag = (t->lflag & 0xffff0000) | io.lflag;
    t->line = io.line;
    memcpy(t->cc, io.cc, sizeof(io.cc));
    return 0;
}

static long write_termio(const struct termios *t, void __user *user)
{
    struct termio io;

    memset(&io, 0, sizeof(io));
    io.iflag = (uint16_t)t->iflag;
    io.oflag = (uint16_t)t->oflag;
    io.cflag = (uint16_t)t->cflag;
    io.lflag = (uint16_t)t->lflag;
    io.line = t->line;
    memcpy(io.cc, t->cc, sizeof(io.cc));
    return copy_to_user(user, &io, sizeof(io));
}

/* size: of the user's structure; 0 is struct termio. */
static long set_attributes(struct tty *t, const void __user *user, size_t size, bool wait,
                           bool flush)
{
    struct termios new;
    int err = tty_check_change(t);

    if (err)
        return err;
    new = snapshot(t);
    err = size ? copy_from_user(&new, user, size) : read_termio(&new, user);
    if (err)
        return err;
    if (flush)
        tty_flush_input(t);
    if (wait || flush)
        err = tty_wait_sent(t);
    if (err)
        return err;
    apply(t, &new);
    return 0;
}

static long set_locked(struct tty *t, const void __user *user)
{
    struct termios locked = {0};

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (copy_from_user(&locked, user, TERMIOS1_SIZE))
        return -EFAULT;
    spin_lock(&t->lock);
    t->locked = locked;
    spin_unlock(&t->lock);
    return 0;
}

static long set_soft_carrier(struct tty *t, const void __user *user)
{
    struct termios new;
    uint32_t on;

    if (get_user_u32(&on, user))
        return -EFAULT;
    new = snapshot(t);
    new.cflag = on ? new.cflag | TERMIOS_CLOCAL : new.cflag & ~(uint32_t)TERMIOS_CLOCAL;
    apply(t, &new);
    return 0;
}

static struct termios locked_of(struct tty *t)
{
    struct termios copy;

    spin_lock(&t->lock);
    copy = t->locked;
    spin_unlock(&t->lock);
    return copy;
}

/* What is said of attributes: which are locked, and that there always is a carrier. */
long tty_attribute_ioctl(struct tty *t, uint32_t cmd, uint32_t arg)
{
    void __user *user = (void __user *)arg;
    struct termios locked;

    switch (cmd) {
    case TIOCGLCKTRMIOS:
        locked = locked_of(t);
        return copy_to_user(user, &locked, TERMIOS1_SIZE);
    case TIOCSLCKTRMIOS:
        return set_locked(t, user);
    case TIOCGSOFTCAR:
        return put_user_u32(user, (snapshot(t).cflag & TERMIOS_CLOCAL) != 0);
    case TIOCSSOFTCAR:
        return set_soft_carrier(t, user);
    default:
        return -ENOTTY;
    }
}

long tty_termios_ioctl(struct tty *t, uint32_t cmd, uint32_t arg)
{
    struct termios now = snapshot(t);
    void __user *user = (void __user *)arg;

    switch (cmd) {
    case TCGETS:
        return copy_to_user(user, &now, TERMIOS1_SIZE);
    case TCGETS2:
        return copy_to_user(user, &now, TERMIOS2_SIZE);
    case TCGETA:
        return write_termio(&now, user);
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        return set_attributes(t, user, TERMIOS1_SIZE, cmd == TCSETSW, cmd == TCSETSF);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
        return set_attributes(t, user, TERMIOS2_SIZE, cmd == TCSETSW2, cmd == TCSETSF2);
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
        return set_attributes(t, user, 0, cmd == TCSETAW, cmd == TCSETAF);
    default:
        return -ENOTTY;
    }
}
