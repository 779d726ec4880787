/*
 * Job control: controlling terminals, foreground groups, SIGTTIN and SIGTTOU, hang-up. The links
 * between processes and terminals are under tty_session_lock; proc_lock, which guards groups and
 * sessions, comes before it. [POSIX 11.1; man 4 tty_ioctl; man 7 credentials]
 */
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "kernel/signal/signal.h"
#include "drivers/tty/tty_file.h"
#include "libc/errno.h"

struct spinlock tty_session_lock = SPINLOCK_INIT("tty session", LOCK_RANK_TTY);

struct tty *tty_of_current(void)
{
    spin_lock(&tty_session_lock);
    struct tty *t = proc_current()->tty;
    if (t)
        tty_ref(t);
    spin_unlock(&tty_session_lock);
    return t;
}

bool tty_is_of_current(const struct tty *t)
{
    return __atomic_load_n(&proc_current()->tty, __ATOMIC_RELAXED) == t;
}

static int32_t foreground_group(struct tty *t)
{
    spin_lock(&tty_session_lock);
    int32_t pgrp = t->pgrp;
    spin_unlock(&tty_session_lock);
    return pgrp;
}

void tty_signal(struct tty *t, int signo)
{
    int32_t pgrp = foreground_group(t);

    if (pgrp > 0)
        signal_send_group(pgrp, signo, NULL);
}

/* Nobody is left who would continue the group if it stopped. */
static bool group_is_orphaned(int32_t pgid)
{
    spin_lock(&proc_lock);
    bool orphaned = pgrp_is_orphaned(pgid, NULL);
    spin_unlock(&proc_lock);
    return orphaned;
}

static bool in_background(struct tty *t)
{
    struct proc *p = proc_current();

    spin_lock(&tty_session_lock);
    bool background = p->tty == t && t->pgrp > 0 && t->pgrp != p->pgid;
    spin_unlock(&tty_session_lock);
    return background;
}

int tty_check_read(struct tty *t)
{
    int32_t pgid = proc_current()->pgid;

    if (!in_background(t))
        return 0;
    if (signal_is_blocked_or_ignored_current(SIGTTIN) || group_is_orphaned(pgid))
        return -EIO;
    signal_send_group(pgid, SIGTTIN, NULL);
    return -ERESTARTSYS;
}

int tty_check_change(struct tty *t)
{
    int32_t pgid = proc_current()->pgid;

    if (!in_background(t) || signal_is_blocked_or_ignored_current(SIGTTOU))
        return 0;
    if (group_is_orphaned(pgid))
        return -EIO;
    signal_send_group(pgid, SIGTTOU, NULL);
    return -ERESTARTSYS;
}

/* ---- Sessions ---- */

/* [tty_session_lock] */
static void make_controlling(struct tty *t, struct proc *p)
{
    t->session = p->sid;
    t->pgrp = p->pgid;
    p->tty = t;
    p->hung_up_group = 0;
}

void tty_open_controlling(struct tty *t)
{
    struct proc *p = proc_current();

    spin_lock(&tty_session_lock);
    if (p->pid == p->sid && !p->tty && t->session == 0)
        make_controlling(t, p);
    spin_unlock(&tty_session_lock);
}

/* [proc_lock and tty_session_lock held] Ends the session's tie to t: no process of it has a
 * controlling terminal any more. */
static void untie(struct tty *t)
{
    struct proc *p;

    t->session = t->pgrp = 0;
    list_for_each_entry (p, &all_procs, all_link) {
        if (p->tty == t)
            p->tty = NULL;
    }
}

static void clear_session(struct tty *t, int32_t *session, int32_t *pgrp)
{
    spin_lock(&proc_lock);
    spin_lock(&tty_session_lock);
    *session = t->session;
    *pgrp = t->pgrp;
    untie(t);
    spin_unlock(&tty_session_lock);
    spin_unlock(&proc_lock);
}

/* The leader of a session loses its terminal, and will tell the group that was in front there when
 * it ends itself. */
static void tell_leader(int32_t session, int32_t pgrp)
{
    spin_lock(&proc_lock);
    struct proc *p = proc_find(session);
    if (p && p->state == PROC_ALIVE) {
        p->hung_up_group = pgrp;
        signal_send_proc(p, SIGHUP, NULL);
        signal_send_proc(p, SIGCONT, NULL);
    }
    spin_unlock(&proc_lock);
}

/* Every open file is dead from here on, and nobody who is in the middle of a call can make t his
 * terminal any more (set_controlling). */
static void kill_files(struct tty *t)
{
    spin_lock(&t->lock);
    struct termios old = t->termios;
    t->hangups++;
    termios_init(&t->termios, old.cflag);
    t->termios.ispeed = t->termios.ospeed = old.ospeed;
    t->termios.iflag |= old.iflag & TERMIOS_IUTF8;
    output_flush(t);
    ldisc_reset(t);
    t->held = false;
    tty_set_stopped(t, false);
    wake_all(&t->read_wait);
    wake_all(&t->write_wait);
    tty_unlock(t);
}

static bool is_dead(const struct file *f)
{
    return tty_file_dead(f->private);
}

void tty_hangup(struct tty *t)
{
    int32_t session, pgrp;

    console_forget_redirect(t);
    kill_files(t);
    async_bury(&t->async, is_dead);
    clear_session(t, &session, &pgrp);
    if (session > 0)
        tell_leader(session, pgrp);
}

static void signal_group(int32_t pgrp, int signo)
{
    if (pgrp > 0)
        signal_send_group(pgrp, signo, NULL);
}

/* The session's leader ends, and t is its terminal. */
static void leave_terminal(struct tty *t, int32_t pgrp)
{
    int32_t session;

    signal_group(pgrp, SIGHUP);
    if (t->driver->outlives_session)
        clear_session(t, &session, &pgrp);
    else
        tty_hangup(t);
}

void tty_session_ended(struct proc *leader)
{
    spin_lock(&tty_session_lock);
    struct tty *t = leader->tty;
    bool leads = t && leader->pid == leader->sid && t->session == leader->sid;
    int32_t pgrp = leads ? t->pgrp : 0, old = t ? 0 : leader->hung_up_group;
    leader->tty = NULL;
    if (leads)
        tty_ref(t);
    spin_unlock(&tty_session_lock);
    if (leads) {
        leave_terminal(t, pgrp);
        tty_put(t);
    }
    signal_group(old, SIGHUP);
    signal_group(old, SIGCONT);
}

static void detach(struct proc *p)
{
    spin_lock(&tty_session_lock);
    p->tty = NULL;
    spin_unlock(&tty_session_lock);
}

static void describe(struct proc *p, uint32_t *dev, int32_t *pgrp)
{
    spin_lock(&tty_session_lock);
    *dev = p->tty ? p->tty->dev : 0;
    *pgrp = p->tty ? p->tty->pgrp : -1;
    spin_unlock(&tty_session_lock);
}

const struct session_terminals tty_sessions = {
    .detach = detach,
    .describe = describe,
};

/* ---- ioctls ---- */

/* [tty_session_lock held] Whether p may take t, which is another session's perhaps. */
static long may_control(const struct tty_file *tf, const struct proc *p, bool steals, bool reads)
{
    if (p->pid != p->sid || p->tty || (tf->tty->session && !steals) || !reads)
        return -EPERM;
    return tty_file_dead(tf) ? -EIO : 0;
}

/* What is asked and what is done are one, so that of two sessions one gets it. */
static long set_controlling(struct file *f, uint32_t steal)
{
    struct tty_file *tf = f->private;
    struct tty *t = tf->tty;
    struct proc *p = proc_current();
    bool steals = steal == 1 && capable(CAP_SYS_ADMIN);
    bool reads = (f->flags & O_ACCMODE) != O_WRONLY || capable(CAP_SYS_ADMIN);
    long err = 0;

    spin_lock(&proc_lock);
    spin_lock(&tty_session_lock);
    if (p->tty != t || t->session != p->sid || p->pid != p->sid) {
        err = may_control(tf, p, steals, reads);
        if (!err && t->session)
            untie(t);
        if (!err)
            make_controlling(t, p);
    }
    spin_unlock(&tty_session_lock);
    spin_unlock(&proc_lock);
    return err;
}

static long give_up_controlling(struct tty *t)
{
    struct proc *p = proc_current();
    int32_t session, pgrp;

    if (!tty_is_of_current(t))
        return -ENOTTY;
    if (p->pid != p->sid) {
        detach(p);
        return 0;
    }
    clear_session(t, &session, &pgrp);
    signal_group(pgrp, SIGHUP);
    signal_group(pgrp, SIGCONT);
    return 0;
}

/* The session a group belongs to, or of the process that could make the group; -ESRCH. */
static int32_t session_of_group(int32_t pgid)
{
    struct proc *p;
    int32_t sid = -ESRCH;

    if (pgid == 0)
        return sid;
    spin_lock(&proc_lock);
    struct proc *leader = proc_find(pgid);
    if (leader)
        sid = leader->sid;
    p = proc_first_of_group(pgid);
    if (p)
        sid = p->sid;
    spin_unlock(&proc_lock);
    return sid;
}

static long set_foreground(struct tty *t, uint32_t arg)
{
    uint32_t pgid;
    int err = tty_check_change(t);

    if (err)
        return err == -EIO ? -ENOTTY : err;
    if (get_user_u32(&pgid, (void __user *)arg))
        return -EFAULT;
    if ((int32_t)pgid < 0)
        return -EINVAL;
    if (!tty_is_of_current(t) || t->session != proc_current()->sid)
        return -ENOTTY;
    int32_t sid = session_of_group((int32_t)pgid);
    if (sid < 0)
        return sid;
    if (sid != proc_current()->sid)
        return -EPERM;
    spin_lock(&tty_session_lock);
    if (t->session == sid) /* it may have been hung up, or taken, meanwhile */
        t->pgrp = (int32_t)pgid;
    else
        err = -ENOTTY;
    spin_unlock(&tty_session_lock);
    return err;
}

/* A master may ask about its slave's session without being in it. */
long tty_job_ioctl(struct file *f, uint32_t cmd, uint32_t arg)
{
    struct tty_file *tf = f->private;
    struct tty *t = tf->tty;
    bool may_ask = tf->master || tty_is_of_current(t);

    switch (cmd) {
    case TIOCSCTTY:
        return set_controlling(f, arg);
    case TIOCNOTTY:
        return tf->master ? -ENOTTY : give_up_controlling(t);
    case TIOCSPGRP:
        return set_foreground(t, arg);
    case TIOCGPGRP:
        if (!may_ask)
            return -ENOTTY;
        return put_user_u32((void __user *)arg, (uint32_t)foreground_group(t));
    case TIOCGSID:
        if (!may_ask || t->session == 0)
            return -ENOTTY;
        return put_user_u32((void __user *)arg, (uint32_t)t->session);
    default:
        return -ENOTTY;
    }
}
