/*
 * Pseudo-terminals: the slave's driver, and the master as a file.
 *
 * What the master writes is the slave's input: it goes through tty_receive at once, in the writer's
 * context, so echo and signals are done when write returns; what the slave has no room for waits in
 * a ring and follows when the slave was read from. What the slave writes waits in another one for
 * the master. When the master is closed the slave is hung up; when the last file of the slave is,
 * the master reads what is left and then gets EIO, until somebody opens the slave again. [man 7
 * pty, man 4 pts, man 4 ptmx, man 2 ioctl_tty]
 */
#include "drivers/tty/pty.h"
#include "arch/uaccess.h"
#include "fs/dev/devfs.h"
#include "fs/event/poll.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

/* How much of what is unread counts as delivered: TCOFLUSH, and the flush that goes with a signal,
 * take back only what lies behind it. Linux's master has a line discipline's buffer of this size.
 */
#define FEED_STEP  128u /* bytes: a tab is 400 instructions */
#define DELIVERED  (TTY_INPUT_SIZE - 1)
#define READ_CHUNK 512u

/* ---- Rings. [slave.lock held] ---- */

static uint32_t ring_room(const struct pty_ring *r)
{
    return PTY_RING_SIZE - pty_ring_count(r);
}

/* The ring at pos, and in *n how many bytes lie there in one piece, at most max. */
static char *piece(const struct pty_ring *r, uint32_t pos, size_t max, size_t *n)
{
    uint32_t offset = pos % PAGE_SIZE;

    *n = max < PAGE_SIZE - offset ? max : PAGE_SIZE - offset;
    return r->page[pos / PAGE_SIZE % PTY_RING_PAGES] + offset;
}

/* Takes as much as there is room for. */
static size_t ring_put(struct pty_ring *r, const char *s, size_t n)
{
    size_t done = 0, part;

    if (n > ring_room(r))
        n = ring_room(r);
    for (; done < n; done += part) {
        char *to = piece(r, r->head, n - done, &part);
        memcpy(to, s + done, part);
        r->head += (uint32_t)part;
    }
    return n;
}

/* Copies the oldest bytes, which stay. */
static size_t ring_peek(const struct pty_ring *r, char *buf, size_t n)
{
    size_t done = 0, part;

    if (n > pty_ring_count(r))
        n = pty_ring_count(r);
    for (; done < n; done += part) {
        const char *from = piece(r, r->tail + (uint32_t)done, n - done, &part);
        memcpy(buf + done, from, part);
    }
    return n;
}

static bool ring_alloc(struct pty_ring *r)
{
    bool whole = true;

    for (unsigned i = 0; whole && i < PTY_RING_PAGES; i++)
        whole = r->page[i] || (r->page[i] = kalloc());
    return whole;
}

static void ring_free(struct pty_ring *r)
{
    for (unsigned i = 0; i < PTY_RING_PAGES; i++) {
        if (r->page[i])
            kfree(r->page[i]);
        r->page[i] = NULL;
    }
}

/* ---- Output, from the slave to the master ---- */

size_t pty_append(struct pty *p, const char *s, size_t n)
{
    n = ring_put(&p->output, s, n);
    if (n)
        wake_all(&p->wait);
    return n;
}

void pty_drop_output(struct pty *p)
{
    p->output.tail = p->output.head;
}

/* [slave.lock held] Something happened that a master in packet mode is told. */
static void add_event(struct pty *p, uint8_t set, uint8_t clear)
{
    if (!p->packet)
        return;
    p->events = (uint8_t)((p->events & ~clear) | set);
    wake_all(&p->wait);
}

/* ---- Input, from the master to the slave ---- */

/* A byte that edits a whole line is dear: no others go with it into one stretch under the lock, and
 * of others some. */
size_t pty_feed(struct pty *p, const char *s, size_t n)
{
    size_t step = 0;

    while (step < n && step < FEED_STEP && !ldisc_is_editing(&p->slave, s[step]))
        step++;
    return tty_receive(&p->slave, s, step ? step : n ? 1 : 0);
}

/* One stretch of what waits, by whoever has set p->feeding; false: that is over, and the slave's
 * readers will tell when there is room for the rest. A flush meanwhile has taken away what was fed.
 */
static bool feed_step(struct pty *p)
{
    char buf[TTY_CHUNK];

    spin_lock(&p->slave.lock);
    uint32_t tail = p->input.tail;
    size_t n = ring_peek(&p->input, buf, sizeof(buf));
    spin_unlock(&p->slave.lock);
    n = pty_feed(p, buf, n);
    spin_lock(&p->slave.lock);
    if (p->input.tail == tail)
        p->input.tail += (uint32_t)n;
    bool waits = pty_ring_count(&p->input) != 0, more = waits && ldisc_has_room(&p->slave);
    if (!waits)
        ring_free(&p->input);
    p->slave.throttled |= waits && !more;
    p->feeding = more;
    spin_unlock(&p->slave.lock);
    return more;
}

/* Moves what waits to the slave, as far as that has room; not when somebody does so already. */
static void feed_waiting(struct pty *p)
{
    spin_lock(&p->slave.lock);
    bool mine = !p->feeding && pty_ring_count(&p->input);
    p->feeding |= mine;
    spin_unlock(&p->slave.lock);
    while (mine && feed_step(p))
        sched_point();
}

/* ---- The slave's driver ---- */

static size_t slave_write(struct tty *t, const char *s, size_t n)
{
    return t->stopped ? 0 : pty_append(pty_of(t), s, n);
}

static size_t slave_room(struct tty *t)
{
    return t->stopped ? 0 : ring_room(&pty_of(t)->output);
}

static void slave_flush_output(struct tty *t)
{
    struct pty *p = pty_of(t);

    if (pty_ring_count(&p->output) > DELIVERED)
        p->output.head = p->output.tail + DELIVERED;
    add_event(p, TIOCPKT_FLUSHWRITE, 0);
}

static void slave_input_flushed(struct tty *t)
{
    struct pty *p = pty_of(t);

    p->input.tail = p->input.head;
    add_event(p, TIOCPKT_FLUSHREAD, 0);
}

static void slave_flow(struct tty *t, bool stopped)
{
    add_event(pty_of(t), stopped ? TIOCPKT_STOP : TIOCPKT_START,
              stopped ? TIOCPKT_START : TIOCPKT_STOP);
}

/* Whether ^S and ^Q stop and start the output: then a master may do so on its own side. */
static bool has_usual_flow(const struct termios *t)
{
    return (t->iflag & TERMIOS_IXON) && t->cc[VSTOP] == 0x13 && t->cc[VSTART] == 0x11;
}

static void slave_set_termios(struct tty *t, const struct termios *old)
{
    struct pty *p = pty_of(t);

    spin_lock(&t->lock);
    bool before = has_usual_flow(old), after = has_usual_flow(&t->termios);
    if (before != after)
        add_event(p, after ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP, TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
    if ((old->lflag | t->termios.lflag) & TERMIOS_EXTPROC)
        add_event(p, TIOCPKT_IOCTL, 0);
    t->termios.cflag &= ~(uint32_t)(TERMIOS_CSIZE | TERMIOS_PARENB);
    t->termios.cflag |= TERMIOS_CS8 | TERMIOS_CREAD;
    spin_unlock(&t->lock);
}

/* There is room for input again. */
static void slave_unthrottle(struct tty *t)
{
    feed_waiting(pty_of(t));
    wake_all(&pty_of(t)->wait);
}

static int slave_open(struct tty *t)
{
    struct pty *p = pty_of(t);
    int err = 0;

    spin_lock(&t->lock);
    if (p->locked || t->lost) {
        err = -EIO;
    } else {
        p->slave_files++;
        p->slave_closed = false;
    }
    spin_unlock(&t->lock);
    return err;
}

static void slave_close(struct tty *t)
{
    struct pty *p = pty_of(t);

    spin_lock(&t->lock);
    p->slave_closed = --p->slave_files == 0;
    if (p->slave_closed)
        wake_all(&p->wait);
    spin_unlock(&t->lock);
}

static void free_pty(struct pty *p)
{
    ring_free(&p->output);
    ring_free(&p->input);
    kmfree(p);
}

static void slave_destroy(struct tty *t)
{
    struct pty *p = pty_of(t);

    devpts_release_index(p);
    devpts_put(p->instance);
    free_pty(p);
}

static const struct tty_driver slave_driver = {
    .name = "pts",
    .cflag = TERMIOS_B38400 | TERMIOS_CS8 | TERMIOS_CREAD,
    .outlives_session = true,
    .offers_again = true,
    .write = slave_write,
    .room = slave_room,
    .flush_output = slave_flush_output,
    .input_flushed = slave_input_flushed,
    .flow = slave_flow,
    .open = slave_open,
    .close = slave_close,
    .destroy = slave_destroy,
    .set_termios = slave_set_termios,
    .unthrottle = slave_unthrottle,
};

int pty_slave_of(struct inode *node, struct tty **out)
{
    struct pty *p = devpts_pty(node);

    if (!p)
        return -EIO;
    *out = &p->slave;
    return 0;
}

/* ---- The master: reading ---- */

static struct pty *master_pty(const struct file *f)
{
    return pty_of(((struct tty_file *)f->private)->tty);
}

static bool may_read(const struct pty *p)
{
    return pty_ring_count(&p->output) || (p->packet && p->events) || p->slave_closed;
}

/* Fills buf from what is there; in packet mode a call (first: its first chunk) gets one byte of
 * events, or a byte that says data and then data. *ended: nothing may follow in this call. */
static size_t take_packet(struct pty *p, char *buf, size_t n, bool first, bool *ended)
{
    size_t prefix = 0;

    if (p->packet && p->events) {
        *ended = true;
        if (!first)
            return 0;
        buf[0] = (char)p->events;
        p->events = 0;
        return 1;
    }
    if (!pty_ring_count(&p->output))
        return 0;
    if (p->packet && first)
        buf[prefix++] = 0;
    n = ring_peek(&p->output, buf + prefix, n - prefix);
    p->output.tail += (uint32_t)n;
    return prefix + n;
}

/* The slave may write again: who waits for that, or echo that waits, is told when it matters. */
static void output_taken(struct pty *p, uint32_t room_before)
{
    if (room_before < TTY_CHUNK || p->slave.echo_head != p->slave.echo_tail)
        tty_output_ready(&p->slave);
}

struct master_read {
    struct pty *pty;
    char __user *ubuf;
    size_t len, done;
    bool ended;
};

/* One chunk of what is there to the user; how many bytes, 0 or -EFAULT. */
static long read_some(struct master_read *r)
{
    struct pty *p = r->pty;
    char buf[READ_CHUNK];
    size_t want = r->len - r->done;

    spin_lock(&p->slave.lock);
    uint32_t room = ring_room(&p->output);
    size_t n =
        take_packet(p, buf, want < sizeof(buf) ? want : sizeof(buf), r->done == 0, &r->ended);
    spin_unlock(&p->slave.lock);
    if (n == 0)
        return 0;
    output_taken(p, room);
    size_t copied = tty_copy_out(r->ubuf + r->done, buf, n);
    r->done += copied;
    r->ended |= copied < n;
    return r->done ? (long)n : -EFAULT;
}

static long master_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct master_read r = {.pty = master_pty(f), .ubuf = ubuf, .len = len};
    long n = 0;

    (void)pos;
    while (r.done < len && !r.ended && n >= 0) {
        n = read_some(&r);
        if (n != 0 || r.done)
            r.ended |= n == 0;
        else if (r.pty->slave_closed)
            n = -EIO;
        else if (f->flags & O_NONBLOCK)
            n = -EAGAIN;
        else
            n = wait_event_interruptible(&r.pty->wait, may_read(r.pty));
        sched_point();
    }
    return r.done ? (long)r.done : n;
}

/* ---- The master: writing ---- */

/* Whether anything more could be written. Where not, the slave's readers are asked to tell. */
static bool may_write(struct pty *p)
{
    spin_lock(&p->slave.lock);
    bool room = ring_room(&p->input) > 0;
    p->slave.throttled |= !room;
    bool may = room && !p->master_stopped;
    spin_unlock(&p->slave.lock);
    return may;
}

/* Into the ring of those that wait: how many bytes, 0 when there is no room, or no memory for it.
 */
static size_t keep_waiting(struct pty *p, const char *s, size_t n)
{
    spin_lock(&p->slave.lock);
    n = ring_alloc(&p->input) ? ring_put(&p->input, s, n) : 0;
    spin_unlock(&p->slave.lock);
    feed_waiting(p);
    return n;
}

/* To the slave, or behind what waits for it; how many bytes were taken. */
static size_t write_some(struct pty *p, const char *s, size_t n)
{
    size_t taken = 0;

    if (p->master_stopped)
        return 0;
    if (!pty_ring_count(&p->input))
        taken = pty_feed(p, s, n);
    return taken ? taken : keep_waiting(p, s, n);
}

/* As write_chunk of tty.c. */
static long feed_chunk(struct file *f, const char *s, size_t len)
{
    struct pty *p = master_pty(f);
    size_t done = 0;
    long err = 0;

    while (done < len && !err) {
        size_t n = write_some(p, s + done, len - done);
        done += n;
        if (n == 0 && (f->flags & O_NONBLOCK))
            err = -EAGAIN;
        else if (n == 0)
            err = wait_event_interruptible(&p->wait, may_write(p));
        sched_point();
    }
    return done ? (long)done : err;
}

static long master_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    struct pty *p = master_pty(f);

    (void)pos;
    return tty_write_whole(f, ubuf, len, &p->wait, &p->writing, feed_chunk);
}

static uint32_t master_poll(struct file *f, struct poll_table *pt)
{
    struct pty *p = master_pty(f);
    uint32_t mask = may_write(p) ? POLLOUT | POLLWRNORM : 0;

    poll_wait(pt, &p->wait);
    spin_lock(&p->slave.lock);
    if (pty_ring_count(&p->output))
        mask |= POLLIN | POLLRDNORM;
    if (p->packet && p->events)
        mask |= POLLPRI | POLLIN | POLLRDNORM;
    if (p->slave_closed)
        mask |= POLLHUP;
    spin_unlock(&p->slave.lock);
    return mask;
}

/* ---- The master: opening and closing ---- */

/* The slave is told first that this is for ever: whoever waits in it gets EIO, not an end of file.
 */
static void master_release(struct file *f)
{
    struct pty *p = master_pty(f);

    devpts_remove_node(p);
    spin_lock(&p->slave.lock);
    p->slave.lost = true;
    spin_unlock(&p->slave.lock);
    tty_hangup(&p->slave);
    tty_put(&p->slave);
    kmfree(f->private);
}

static uint32_t master_held(const struct file *f)
{
    (void)f;
    return sizeof(struct pty) + 2 * PTY_RING_SIZE + TTY_INPUT_SIZE;
}

static const struct file_ops master_ops = {
    .release = master_release,
    .read = master_read,
    .write = master_write,
    .ioctl = tty_ioctl,
    .poll = master_poll,
    .held = master_held,
    .stream = true,
};

/* All but its number and its node. */
static struct pty *new_pty(void)
{
    struct pty *p = kzalloc(sizeof(*p));
    bool whole = p && ring_alloc(&p->output) && tty_setup(&p->slave, &slave_driver, 0, 0, 0) == 0;

    if (!whole && p)
        free_pty(p);
    if (!whole)
        return NULL;
    p->locked = true;
    p->index = PTY_NO_INDEX;
    waitq_init(&p->wait);
    return p;
}

/* One with a number and a node in the instance, whose reference is consumed. */
static int make_pty(struct devpts *instance, struct pty **out)
{
    struct pty *p = new_pty();
    int err;

    if (!p) {
        devpts_put(instance);
        return -ENOMEM;
    }
    p->instance = instance;
    err = devpts_take_index(p);
    if (!err) {
        p->slave.dev = MKDEV(PTY_MAJOR, p->index);
        err = devpts_add_node(p);
    }
    if (err)
        tty_put(&p->slave);
    *out = p;
    return err;
}

int pty_open_master(struct file *f)
{
    struct tty_file *tf = kmalloc(sizeof(*tf));
    struct devpts *instance;
    struct pty *p;
    int err = tf ? devpts_find(&(struct path){f->mount, f->dentry}, &instance) : -ENOMEM;

    if (!err)
        err = make_pty(instance, &p);
    if (err) {
        kmfree(tf);
        return err;
    }
    *tf = (struct tty_file){.tty = &p->slave, .master = true};
    f->private = tf;
    f->ops = &master_ops;
    return 0;
}

void pty_init(void)
{
    devpts_init();
    devfs_add("ptmx", S_IFCHR | 0666, MKDEV(TTYAUX_MAJOR, AUX_PTMX));
}
