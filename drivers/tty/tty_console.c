/*
 * TIOCCONS: what programs write to /dev/console and /dev/tty0 goes to another terminal. What the
 * kernel itself logs does not. [man 2 ioctl_console; man 4 console_ioctl]
 */
#include "drivers/tty/tty_file.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

static struct spinlock redirect_lock = SPINLOCK_INIT("console redirect", LOCK_RANK_FS);
static struct file *redirect; /* [redirect_lock] a reference, or NULL */

struct file *console_redirect(void)
{
    struct file *f;

    spin_lock(&redirect_lock);
    f = redirect;
    if (f)
        file_ref(f);
    spin_unlock(&redirect_lock);
    return f;
}

/* Gives back the old one. */
static void end_redirect(void)
{
    struct file *old;

    spin_lock(&redirect_lock);
    old = redirect;
    redirect = NULL;
    spin_unlock(&redirect_lock);
    if (old)
        file_put(old);
}

long console_set_redirect(struct file *f)
{
    bool taken;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (((struct tty_file *)f->private)->redirects) {
        end_redirect();
        return 0;
    }
    if ((f->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    spin_lock(&redirect_lock);
    taken = redirect != NULL;
    if (!taken) {
        file_ref(f);
        redirect = f;
    }
    spin_unlock(&redirect_lock);
    return taken ? -EBUSY : 0;
}

void console_forget_redirect(const struct tty *t)
{
    bool ours;

    spin_lock(&redirect_lock);
    ours = redirect && ((struct tty_file *)redirect->private)->tty == t;
    spin_unlock(&redirect_lock);
    if (ours)
        end_redirect();
}
