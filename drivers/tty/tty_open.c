/*
 * Terminals as devices: which one a number stands for, opening and closing it, and how long it
 * lives.
 */
#include "drivers/tty/tty_file.h"
#include "kernel/base/init.h"
#include "fs/dev/devfs.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define SERIAL_TTYS 2u

static struct tty *serial_ttys[SERIAL_TTYS];

/* ---- Life ---- */

int tty_setup(struct tty *t, const struct tty_driver *d, uint32_t dev, uint16_t cols, uint16_t rows)
{
    memset(t, 0, sizeof(*t));
    t->refs = 1;
    t->input = kalloc();
    if (!t->input)
        return -ENOMEM;
    spin_init(&t->lock, d->name, LOCK_RANK_TERMINAL);
    waitq_init(&t->read_wait);
    waitq_init(&t->write_wait);
    async_init(&t->async);
    t->driver = d;
    t->dev = dev;
    termios_init(&t->termios, d->cflag);
    t->winsize.rows = rows;
    t->winsize.cols = cols;
    return 0;
}

void tty_ref(struct tty *t)
{
    __atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
}

void tty_put(struct tty *t)
{
    if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    kfree(t->input);
    t->driver->destroy(t);
}

/* ---- Which one ---- */

static struct tty *console_tty(void)
{
    char name[16];

    console_device_name(name, sizeof(name));
    for (unsigned i = 0; i < SERIAL_TTYS; i++)
        if (serial_ttys[i] && strcmp(name, serial_ttys[i]->driver->name) == 0)
            return serial_ttys[i];
    return strncmp(name, "tty", 3) == 0 ? screen_tty((unsigned)strtoul(name + 3, NULL, 10))
                                        : screen_tty(1);
}

static struct tty *tty_by_minor(uint32_t minor)
{
    if (minor >= SERIAL_MINOR && minor < SERIAL_MINOR + SERIAL_TTYS)
        return serial_ttys[minor - SERIAL_MINOR];
    return minor < SERIAL_MINOR ? screen_tty(minor) : NULL;
}

/* A reference to the terminal that a device number stands for. */
static int find_tty(struct inode *inode, struct tty **out)
{
    uint32_t major = DEV_MAJOR(inode->rdev), minor = DEV_MINOR(inode->rdev);

    if (major == PTY_MAJOR)
        return pty_slave_of(inode, out);
    if (major == TTYAUX_MAJOR && minor == AUX_TTY) {
        *out = tty_of_current();
        return *out ? 0 : -ENXIO;
    }
    *out = major == TTY_MAJOR ? tty_by_minor(minor) : minor == AUX_CONSOLE ? console_tty() : NULL;
    if (!*out)
        return -ENXIO;
    tty_ref(*out);
    return 0;
}

/* ---- Open ---- */

static int open_driver(struct tty *t)
{
    if (t->exclusive && !capable(CAP_SYS_ADMIN))
        return -EBUSY;
    return t->driver->open ? t->driver->open(t) : 0;
}

int tty_file_begin(struct file *f, struct tty *t, bool console)
{
    struct tty_file *tf = kmalloc(sizeof(*tf));
    int err = tf ? 0 : -ENOMEM;

    if (!err) {
        *tf = (struct tty_file){.tty = t, .hangups = t->hangups, .console = console};
        err = open_driver(t);
    }
    if (err) {
        kmfree(tf);
        tty_put(t);
        return err;
    }
    f->private = tf;
    return 0;
}

/* A terminal opened as /dev/console, /dev/tty or /dev/tty0 never becomes the controlling one by
 * that. */
static int tty_open(struct inode *inode, struct file *f)
{
    uint32_t major = DEV_MAJOR(inode->rdev), minor = DEV_MINOR(inode->rdev);
    bool console = major == TTYAUX_MAJOR && minor == AUX_CONSOLE;
    bool foreground = major == TTY_MAJOR && minor == 0;
    struct tty *t;
    int err;

    if (major == TTYAUX_MAJOR && minor == AUX_PTMX)
        return pty_open_master(f);
    err = find_tty(inode, &t);
    if (!err)
        err = tty_file_begin(f, t, console);
    if (err)
        return err;
    ((struct tty_file *)f->private)->redirects = console || foreground;
    if (major != TTYAUX_MAJOR && !foreground && !(f->flags & O_NOCTTY) &&
        (f->flags & O_ACCMODE) != O_WRONLY)
        tty_open_controlling(t);
    return 0;
}

static void tty_release(struct file *f)
{
    struct tty_file *tf = f->private;

    if (tf->tty->driver->close)
        tf->tty->driver->close(tf->tty);
    tty_put(tf->tty);
    kmfree(tf);
}

bool tty_file_dead(const struct tty_file *tf)
{
    return !tf->console && !tf->master && tf->hangups != tf->tty->hangups;
}

/* Of input. Whoever asks for it and names no owner means the group in front, as on Linux. */
static struct async_list *tty_async(struct file *f, bool out)
{
    struct tty_file *tf = f->private;
    int32_t group;

    if (out || tf->master || tty_file_dead(tf))
        return NULL;
    spin_lock(&tty_session_lock);
    group = tf->tty->pgrp;
    spin_unlock(&tty_session_lock);
    if (group)
        owner_set_group(f, group);
    else
        owner_set_current(f, false);
    return &tf->tty->async;
}

const struct file_ops tty_file_ops = {
    .async = tty_async,
    .open = tty_open,
    .release = tty_release,
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
    .stream = true,
};

/* ---- At boot ---- */

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
    for (unsigned i = 0; i < SERIAL_TTYS; i++)
        serial_ttys[i] = serial_tty_init(i);
    if (serial_ttys[1])
        devfs_add("ttyS1", S_IFCHR | 0660, MKDEV(TTY_MAJOR, SERIAL_MINOR + 1));
    if (chrdev_register(TTY_MAJOR, "/dev/vc/0 tty ttyS", &tty_file_ops) ||
        chrdev_register(TTYAUX_MAJOR, "/dev/tty /dev/console /dev/ptmx", &tty_file_ops) ||
        chrdev_register(PTY_MAJOR, "pts", &tty_file_ops))
        klog(LOG_ERR, "tty: no memory for the terminal devices\n");
    pty_init();
    tty_proc_init();
}
INIT_AT(INIT_DEVICE, tty_init);
