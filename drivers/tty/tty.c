/*
 * Terminals in use: read, write, poll, and the drivers' side (input, room for output). How they are
 * opened is in tty_open.c, the line discipline proper in tty_ldisc.c and tty_output.c.
 *
 * Reads and writes are whole towards each other: whoever holds tty->reading or tty->writing is
 * alone until its call ends. A file opened before the last hang-up is dead.
 */
#include "drivers/tty/tty_file.h"
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "kernel/machine/random.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/string.h"

#define WRITE_CHUNK   2048u /* copied at once: of a write that meets bad memory, whole ones count */
#define READ_UNIT     64u   /* the same of a read */
#define THROTTLE_OFF  (TTY_INPUT_SIZE - 512)
#define XOFF_HIGH     (TTY_INPUT_SIZE - 256)
#define XOFF_LOW      256u
#define DECISECOND_NS (NSEC_PER_SEC / 10)

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
    bool ready = t->canon != canon || (!ldisc_by_line(t) && t->head != head);
    if (ready)
        wake_all(&t->read_wait);
    tty_unlock(t);
    if (ready)
        async_tell(&t->async, POLL_IN);
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
    if (t->stopped == stopped || (t->held && !stopped))
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
    if (t->driver->input_flushed)
        t->driver->input_flushed(t);
    input_taken(t);
}

/* ---- Read and write: one at a time ---- */

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

size_t tty_copy_out(void __user *ubuf, const char *s, size_t n)
{
    size_t missed = copy_to_user_partial(ubuf, s, n);

    return missed ? (n - missed) / READ_UNIT * READ_UNIT : n;
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
    size_t copied = tty_copy_out(r->ubuf + r->done, buf, n);
    r->done += copied;
    r->ended |= copied < n;
    return copied < n && !r->done ? -EFAULT : (long)n;
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
            if (!ldisc_by_line(r->t))
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
            if (n < 0 || r->ended)
                return n < 0 ? n : (long)r->done;
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

long tty_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
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
        result = ldisc_by_line(t) ? read_canonical(&r) : read_raw(&r);
    } while (result == 0 && !r.ended && !tty_file_dead(tf) && ldisc_input_ready(t, 1));
    if (result == 0 && !r.ended && t->lost)
        result = -EIO; /* it waited for what will never come */
    release(t, &t->read_wait, &t->reading);
    return result;
}

/* ---- Write ---- */

/* The bytes taken, 0 when there is no room, -EIO. */
static long write_some(struct tty_file *tf, const char *s, size_t len)
{
    struct tty *t = tf->tty;

    if (tty_file_dead(tf))
        return -EIO;
    spin_lock(&t->lock);
    size_t n = output_process(t, s, len < TTY_CHUNK ? len : TTY_CHUNK);
    tty_unlock(t);
    return (long)n;
}

/* Writes all of s, waiting for room unless the file must not: how much, or why nothing. */
static long write_chunk(struct file *f, const char *s, size_t len)
{
    struct tty_file *tf = f->private;
    struct tty *t = tf->tty;
    size_t done = 0;
    long n = 0;

    while (done < len && n >= 0) {
        n = write_some(tf, s + done, len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 && (f->flags & O_NONBLOCK))
            n = -EAGAIN;
        else if (n == 0)
            n = wait_event_interruptible(&t->write_wait, has_room(t) || tty_file_dead(tf));
        sched_point();
    }
    return done ? (long)done : n;
}

static long write_all(struct file *f, const char __user *ubuf, size_t len,
                      long (*chunk)(struct file *f, const char *s, size_t len))
{
    char small[TTY_CHUNK], *buf = len > sizeof(small) ? kmalloc(WRITE_CHUNK) : small;
    size_t done = 0, want;
    long n = 0;

    if (!buf)
        return -ENOMEM;
    do {
        want = len - done < WRITE_CHUNK ? len - done : WRITE_CHUNK;
        n = copy_from_user(buf, ubuf + done, want) ? -EFAULT : chunk(f, buf, want);
        if (n > 0)
            done += (size_t)n;
    } while (n == (long)want && done < len);
    if (buf != small)
        kmfree(buf);
    return done ? (long)done : n;
}

long tty_write_whole(struct file *f, const void __user *ubuf, size_t len, struct waitq *q,
                     bool *flag, long (*chunk)(struct file *f, const char *s, size_t len))
{
    long result = claim(f, q, flag);

    if (result)
        return result;
    result = len ? write_all(f, ubuf, len, chunk) : 0;
    release(((struct tty_file *)f->private)->tty, q, flag);
    return result;
}

/* What is written to the console while somebody has redirected it: -ENODEV when nobody has. */
static long write_redirected(const void __user *ubuf, size_t len, uint64_t *pos)
{
    struct file *f = console_redirect();
    long result;

    if (!f)
        return -ENODEV;
    result = tty_write(f, ubuf, len, pos);
    file_put(f);
    return result;
}

long tty_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    struct tty_file *tf = f->private;
    struct tty *t = tf->tty;
    long result = tf->redirects ? write_redirected(ubuf, len, pos) : -ENODEV;

    if (result != -ENODEV)
        return result;
    if (tty_file_dead(tf))
        return -EIO;
    result = TTY_FLAG(t, lflag, TOSTOP) && !tf->console ? tty_check_change(t) : 0;
    return result ? result
                  : tty_write_whole(f, ubuf, len, &t->write_wait, &t->writing, write_chunk);
}

uint32_t tty_poll(struct file *f, struct poll_table *pt)
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
