/*
 * Terminals as files: open, read, write, poll, and the drivers' side (input, room for output). The
 * line discipline proper is in tty_ldisc.c and tty_output.c.
 *
 * Reads and writes are whole towards each other: whoever holds tty->reading or tty->writing is
 * alone until its call ends. A file opened before the last hang-up is dead.
 */
#include "drivers/tty/tty.h"
#include "arch/uaccess.h"
#include "kernel/base/init.h"
#include "fs/dev/devfs.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/machine/random.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define TTY_MAJOR     4
#define TTYAUX_MAJOR  5
#define SERIAL_MINOR  64
#define AUX_TTY       0 /* minors of TTYAUX_MAJOR */
#define AUX_CONSOLE   1
#define THROTTLE_OFF  (TTY_INPUT_SIZE - 512)
#define XOFF_HIGH     (TTY_INPUT_SIZE - 256)
#define XOFF_LOW      256u
#define DECISECOND_NS (NSEC_PER_SEC / 10)

static struct tty *serial_tty;

void tty_setup(struct tty *t, const struct tty_driver *d, uint32_t dev, uint16_t cols,
               uint16_t rows)
{
    memset(t, 0, sizeof(*t));
    spin_init(&t->lock, d->name, LOCK_RANK_TERMINAL);
    waitq_init(&t->read_wait);
    waitq_init(&t->write_wait);
    t->driver = d;
    t->dev = dev;
    termios_init(&t->termios);
    t->winsize.rows = rows;
    t->winsize.cols = cols;
}

void tty_unlock(struct tty *t)
{
    uint32_t signals = t->signals;

    t->signals = 0;
    spin_unlock(&t->lock);
    if (t->driver->after_write)
        t->driver->after_write(t);
    for (int signo = 1; signals >> signo; signo++) {
        if (signals & (1u << signo))
            tty_signal(t, signo);
    }
}

/* ---- The drivers' side ---- */

static void send_xoff(struct tty *t)
{
    if (!TTY_FLAG(t, iflag, IXOFF) || t->xoff_sent || t->head - t->tail < XOFF_HIGH)
        return;
    t->xoff_sent = true;
    output_raw(t, (char)t->termios.cc[VSTOP]);
}

size_t tty_receive(struct tty *t, const char *s, size_t n)
{
    size_t taken = 0;

    random_mix(n ? (uint8_t)s[0] : 0);
    spin_lock(&t->lock);
    uint32_t head = t->head, canon = t->canon;
    while (taken < n && ldisc_input(t, s[taken]))
        taken++;
    t->throttled = taken < n;
    send_xoff(t);
    if (t->canon != canon || (!TTY_FLAG(t, lflag, ICANON) && t->head != head))
        wake_all(&t->read_wait);
    tty_unlock(t);
    return taken;
}

void tty_receive_break(struct tty *t)
{
    spin_lock(&t->lock);
    ldisc_break(t);
    wake_all(&t->read_wait);
    tty_unlock(t);
}

/* [lock] */
static bool has_room(struct tty *t)
{
    return t->echo_head == t->echo_tail && t->driver->room(t) >= TTY_CHUNK;
}

void tty_output_ready(struct tty *t)
{
    spin_lock(&t->lock);
    if (output_flush_echo(t) && has_room(t))
        wake_all(&t->write_wait);
    tty_unlock(t);
}

/* [lock] */
void tty_set_stopped(struct tty *t, bool stopped)
{
    if (t->stopped == stopped)
        return;
    t->stopped = stopped;
    if (t->driver->flow)
        t->driver->flow(t, stopped);
    if (!stopped && output_flush_echo(t))
        wake_all(&t->write_wait);
}

void tty_resize(struct tty *t, const struct winsize *ws)
{
    spin_lock(&t->lock);
    if (memcmp(&t->winsize, ws, sizeof(*ws)) != 0) {
        t->winsize = *ws;
        t->signals |= 1u << SIGWINCH;
    }
    tty_unlock(t);
}

/* Lets a driver that holds input back go on, when enough of it was read. */
static void input_taken(struct tty *t)
{
    uint32_t count = t->head - t->tail;
    bool resume = t->throttled && (count < THROTTLE_OFF || !ldisc_input_ready(t, 1));

    if (t->xoff_sent && count <= XOFF_LOW) {
        t->xoff_sent = false;
        output_raw(t, (char)t->termios.cc[VSTART]);
    }
    if (resume)
        t->throttled = false;
    tty_unlock(t);
    if (resume && t->driver->unthrottle)
        t->driver->unthrottle(t);
}

void tty_flush_input(struct tty *t)
{
    spin_lock(&t->lock);
    ldisc_reset(t);
    input_taken(t);
}

/* ---- Open ---- */

static struct tty *console_tty(void)
{
    char name[16];

    console_device_name(name, sizeof(name));
    if (serial_tty && strcmp(name, serial_tty->driver->name) == 0)
        return serial_tty;
    return strncmp(name, "tty", 3) == 0 ? screen_tty((unsigned)strtoul(name + 3, NULL, 10))
                                        : screen_tty(1);
}

static struct tty *tty_by_minor(uint32_t minor)
{
    if (minor == SERIAL_MINOR)
        return serial_tty;
    return minor < SERIAL_MINOR ? screen_tty(minor) : NULL;
}

/* A terminal opened as /dev/console, /dev/tty or /dev/tty0 never becomes the controlling one by
 * that. */
static int tty_open(struct inode *inode, struct file *f)
{
    uint32_t major = DEV_MAJOR(inode->rdev), minor = DEV_MINOR(inode->rdev);
    bool console = major == TTYAUX_MAJOR && minor == AUX_CONSOLE;
    struct tty_file *tf;
    struct tty *t;

    if (major == TTY_MAJOR)
        t = tty_by_minor(minor);
    else if (minor == AUX_TTY)
        t = tty_of_current();
    else
        t = console ? console_tty() : NULL;
    if (!t)
        return -ENXIO;
    if (t->exclusive && !capable())
        return -EBUSY;
    tf = kmalloc(sizeof(*tf));
    if (!tf)
        return -ENOMEM;
    *tf = (struct tty_file){.tty = t, .hangups = t->hangups, .console = console};
    f->private = tf;
    if (major == TTY_MAJOR && minor != 0 && !(f->flags & O_NOCTTY) &&
        (f->flags & O_ACCMODE) != O_WRONLY)
        tty_open_controlling(t);
    return 0;
}

static void tty_release(struct file *f)
{
    kmfree(f->private);
}

bool tty_file_dead(const struct tty_file *tf)
{
    return !tf->console && tf->hangups != tf->tty->hangups;
}

/* Takes *flag (reading or writing) for the caller. */
static int claim(struct file *f, struct waitq *q, bool *flag)
{
    struct tty *t = ((struct tty_file *)f->private)->tty;
    bool mine = false;

    while (!mine) {
        spin_lock(&t->lock);
        mine = !*flag;
        *flag = true;
        spin_unlock(&t->lock);
        if (!mine && (f->flags & O_NONBLOCK))
            return -EAGAIN;
        int err = mine ? 0 : wait_event_interruptible(q, !*flag);
        if (err)
            return err;
    }
    return 0;
}

static void release(struct tty *t, struct waitq *q, bool *flag)
{
    spin_lock(&t->lock);
    *flag = false;
    wake_all(q);
    spin_unlock(&t->lock);
}

/* ---- Read ---- */

struct read_state {
    struct file *f;
    struct tty *t;
    char __user *ubuf;
    size_t len, done;
    bool ended; /* a line, or what VMIN asks for, is complete */
};

static void wake_reader(void *arg)
{
    wake_all(&((struct tty *)arg)->read_wait);
}

static bool may_read(struct read_state *r, uint32_t minimum)
{
    return ldisc_input_ready(r->t, minimum) || tty_file_dead(r->f->private);
}

/* Waits for input, at most timeout deciseconds if that is not 0. 0, -ERESTARTSYS, or -ETIME. */
static int wait_input(struct read_state *r, uint32_t timeout)
{
    struct tty *t = r->t;
    struct timer timer;
    int err;

    if (timeout == 0)
        return wait_event_interruptible(&t->read_wait, may_read(r, 1));
    uint64_t deadline = time_mono_ns() + timeout * DECISECOND_NS;
    timer_init(&timer, wake_reader, t);
    timer_start(&timer, deadline);
    err = wait_event_interruptible(&t->read_wait, may_read(r, 1) || time_mono_ns() >= deadline);
    timer_cancel(&timer);
    return err ? err : may_read(r, 1) ? 0 : -ETIME;
}

/* Moves one chunk of what is there to the user; how many bytes, or -EFAULT. */
static long take_chunk(struct read_state *r)
{
    char buf[TTY_CHUNK];
    struct tty *t = r->t;
    size_t want = r->len - r->done;

    spin_lock(&t->lock);
    size_t n = ldisc_take(t, buf, want < sizeof(buf) ? want : sizeof(buf), &r->ended);
    input_taken(t);
    if (copy_to_user(r->ubuf + r->done, buf, n))
        return -EFAULT;
    r->done += n;
    return (long)n;
}

/* A line, or what there is of one up to len. */
static long read_canonical(struct read_state *r)
{
    while (!r->ended && r->done < r->len && !tty_file_dead(r->f->private)) {
        if (!ldisc_input_ready(r->t, 1)) {
            if (r->done)
                break;
            if (r->f->flags & O_NONBLOCK)
                return -EAGAIN;
            int err = wait_input(r, 0);
            if (err)
                return err;
            if (!TTY_FLAG(r->t, lflag, ICANON))
                break;
            continue;
        }
        long n = take_chunk(r);
        if (n < 0)
            return n;
    }
    return (long)r->done;
}

/* VMIN bytes; VTIME limits the wait between bytes, or with VMIN 0 that for the first. */
static long read_raw(struct read_state *r)
{
    uint8_t minimum = r->t->termios.cc[VMIN], time = r->t->termios.cc[VTIME];

    while (r->done < r->len && !tty_file_dead(r->f->private)) {
        if (ldisc_input_ready(r->t, 1)) {
            long n = take_chunk(r);
            if (n < 0)
                return n;
            continue;
        }
        if (r->done >= (minimum ? minimum : 1u) || (minimum == 0 && time == 0))
            break;
        if (r->f->flags & O_NONBLOCK)
            return r->done ? (long)r->done : -EAGAIN;
        int err = wait_input(r, minimum == 0 || r->done ? time : 0);
        if (err == -ETIME)
            break;
        if (err)
            return r->done ? (long)r->done : err;
    }
    return (long)r->done;
}

static long tty_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct tty_file *tf = f->private;
    struct tty *t = tf->tty;
    struct read_state r = {.f = f, .t = t, .ubuf = ubuf, .len = len};
    long result;

    (void)pos;
    if (tty_file_dead(tf) || len == 0)
        return 0;
    result = tf->console ? 0 : tty_check_read(t);
    if (result == 0)
        result = claim(f, &t->read_wait, &t->reading);
    if (result)
        return result;
    do {
        result = TTY_FLAG(t, lflag, ICANON) ? read_canonical(&r) : read_raw(&r);
    } while (result == 0 && !r.ended && !tty_file_dead(tf) && ldisc_input_ready(t, 1));
    release(t, &t->read_wait, &t->reading);
    return result;
}

/* ---- Write ---- */

/* Writes one chunk; the bytes taken, 0 when there is no room, -EFAULT, -EIO. */
static long write_chunk(struct tty_file *tf, const char __user *ubuf, size_t len)
{
    char buf[TTY_CHUNK];
    struct tty *t = tf->tty;

    if (tty_file_dead(tf))
        return -EIO;
    if (len > sizeof(buf))
        len = sizeof(buf);
    if (copy_from_user(buf, ubuf, len))
        return -EFAULT;
    spin_lock(&t->lock);
    size_t n = output_process(t, buf, len);
    tty_unlock(t);
    return (long)n;
}

static long write_all(struct file *f, const char __user *ubuf, size_t len)
{
    struct tty_file *tf = f->private;
    struct tty *t = tf->tty;
    size_t done = 0;
    long n = 0;

    while (done < len) {
        n = write_chunk(tf, ubuf + done, len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 && (f->flags & O_NONBLOCK))
            n = -EAGAIN;
        else if (n == 0)
            n = wait_event_interruptible(&t->write_wait, has_room(t) || tty_file_dead(tf));
        if (n < 0)
            break;
        sched_point();
    }
    return done ? (long)done : n;
}

static long tty_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    struct tty_file *tf = f->private;
    struct tty *t = tf->tty;
    long result = 0;

    (void)pos;
    if (tty_file_dead(tf))
        return -EIO;
    if (TTY_FLAG(t, lflag, TOSTOP) && !tf->console)
        result = tty_check_change(t);
    if (result == 0)
        result = claim(f, &t->write_wait, &t->writing);
    if (result)
        return result;
    result = write_all(f, ubuf, len);
    release(t, &t->write_wait, &t->writing);
    return result;
}

static uint32_t tty_poll(struct file *f, struct poll_table *pt)
{
    struct tty_file *tf = f->private;
    struct tty *t = tf->tty;
    uint32_t mask = 0, minimum;

    if (pt) {
        poll_wait(pt, &t->read_wait);
        poll_wait(pt, &t->write_wait);
    }
    if (tty_file_dead(tf))
        return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLERR | POLLHUP;
    spin_lock(&t->lock);
    minimum = t->termios.cc[VTIME] || !t->termios.cc[VMIN] ? 1 : t->termios.cc[VMIN];
    if (ldisc_input_ready(t, minimum))
        mask |= POLLIN | POLLRDNORM;
    if (has_room(t))
        mask |= POLLOUT | POLLWRNORM;
    spin_unlock(&t->lock);
    return mask;
}

static long tty_file_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    return tty_ioctl(f->private, cmd, arg);
}

const struct file_ops tty_file_ops = {
    .open = tty_open,
    .release = tty_release,
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_file_ioctl,
    .poll = tty_poll,
    .stream = true,
};

/* The nodes of the screen's terminals but the first, which there always is. */
static void add_screen_nodes(void)
{
    static const char *const names[] = {"tty2", "tty3", "tty4"};

    for (unsigned i = 0; i < 3 && i + 2 <= screen_tty_count(); i++)
        devfs_add(names[i], S_IFCHR | 0620, MKDEV(TTY_MAJOR, i + 2));
}

static void tty_init(void)
{
    session_set_terminals(&tty_sessions);
    screen_ttys_init();
    add_screen_nodes();
    serial_tty = serial_tty_init();
    if (chrdev_register(TTY_MAJOR, "tty", &tty_file_ops) ||
        chrdev_register(TTYAUX_MAJOR, "console", &tty_file_ops))
        klog(LOG_ERR, "tty: no memory for the terminal devices\n");
}
INIT_AT(INIT_DEVICE, tty_init);
