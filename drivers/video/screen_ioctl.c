/* The console ioctls of the screen's terminals: keyboard, lights, which terminal shows.
 * [man 2 ioctl_console] */
#include "arch/uaccess.h"
#include "drivers/input/keyboard.h"
#include "drivers/video/fb.h"
#include "drivers/video/font.h"
#include "drivers/video/screen.h"
#include "kernel/thread/proc.h"
#include "kernel/signal/signal.h"
#include "libc/errno.h"
#include "libc/string.h"

#define KDGETLED      0x4b31
#define KDSETLED      0x4b32
#define KDGKBTYPE     0x4b33
#define KDSETMODE     0x4b3a
#define KDGETMODE     0x4b3b
#define KDGKBMODE     0x4b44
#define KDSKBMODE     0x4b45
#define KDSIGACCEPT   0x4b4e
#define KDFONTOP      0x4b72
#define KIOCSOUND     0x4b2f
#define KDMKTONE      0x4b30
#define VT_OPENQRY    0x5600
#define VT_GETSTATE   0x5603
#define VT_ACTIVATE   0x5606
#define VT_WAITACTIVE 0x5607

#define KB_101      2
#define KD_TEXT     0
#define KD_GRAPHICS 1
#define KD_TEXT1    3
#define K_XLATE     1
#define K_UNICODE   3

/* Who starts shells on terminals that are switched to, and the signal it wants: KDSIGACCEPT, which
 * Linux sends for a key of its own. [the interrupt flag: written by a system call] */
static struct {
    int32_t pid;
    int signo;
} spawner;

static struct screen *screen_of(struct tty *t)
{
    return t->private;
}

void screen_wanted(struct screen *screen)
{
    struct proc *p;

    if (!spawner.pid || screen->tty.session)
        return;
    spin_lock(&proc_lock);
    p = proc_find(spawner.pid);
    if (p)
        signal_send_proc(p, spawner.signo, NULL);
    spin_unlock(&proc_lock);
}

static int put_user_u8(uint32_t addr, uint8_t v)
{
    return copy_to_user((void __user *)addr, &v, sizeof(v));
}

static long get_state(uint32_t arg)
{
    uint16_t state[3] = {(uint16_t)(screen_foreground + 1), 0,
                         1}; /* active, signal, those in use */

    for (unsigned i = 0; i < screen_tty_count(); i++) {
        if (screens[i].tty.session)
            state[2] |= (uint16_t)(2u << i);
    }
    return copy_to_user((void __user *)arg, state, sizeof(state));
}

static long first_free(uint32_t arg)
{
    for (unsigned i = 0; i < screen_tty_count(); i++) {
        if (!screens[i].tty.session)
            return put_user_u32((void __user *)arg, i + 1);
    }
    return put_user_u32((void __user *)arg, (uint32_t)-1);
}

static long activate(uint32_t n)
{
    if (!capable(CAP_SYS_TTY_CONFIG))
        return -EPERM;
    if (n < 1 || n > screen_tty_count())
        return -ENXIO;
    screen_switch(n - 1);
    return 0;
}

static long set_spawner(uint32_t signo)
{
    if (!capable(CAP_SYS_TTY_CONFIG))
        return -EPERM;
    if (signo < 1 || signo > 64)
        return -EINVAL;
    spawner.signo = (int)signo;
    spawner.pid = proc_current()->pid;
    return 0;
}

/* KD_TEXT0 and KD_TEXT1 are other names of KD_TEXT. */
static long set_mode(struct tty *t, uint32_t mode)
{
    struct tty *own = tty_of_current();
    bool is_own = own == t;

    if (own)
        tty_put(own);
    if (!is_own && !capable(CAP_SYS_TTY_CONFIG))
        return -EPERM;
    if (mode > KD_TEXT1)
        return -EINVAL;
    if (mode != KD_GRAPHICS)
        fbdev_flush(); /* or it would come over the text */
    screen_set_graphics(screen_of(t), mode == KD_GRAPHICS);
    return 0;
}

#define FONT_OP_GET     1
#define FONT_CHARACTERS 256u
#define FONT_STRIDE     32u /* bytes of each in the answer */

struct console_font_op {
    uint32_t op, flags, width, height, charcount;
    uint32_t data; /* where to, 0: only its size is asked for */
};

/* The characters of code page 437, in its order, as VGA has them. */
static int give_font(uint32_t to)
{
    uint8_t lines[FONT_STRIDE] = {0};
    int err = 0;

    for (unsigned i = 0; i < FONT_CHARACTERS && !err; i++) {
        memcpy(lines, glyph_of(vt_from_cp437((uint8_t)i)), FONT_HEIGHT);
        err = copy_to_user((void __user *)(to + i * FONT_STRIDE), lines, sizeof(lines));
    }
    return err;
}

static long font_op(struct tty *t, void __user *arg)
{
    struct console_font_op op;
    int err;

    if (copy_from_user(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.op != FONT_OP_GET)
        return capable(CAP_SYS_TTY_CONFIG) ? -ENOSYS : -EPERM;
    if (screen_of(t)->graphics)
        return -EINVAL;
    if ((op.data && op.charcount < FONT_CHARACTERS) || op.width < FONT_WIDTH ||
        op.height < FONT_HEIGHT)
        return -ENOSPC;
    err = op.data ? give_font(op.data) : 0;
    if (err)
        return err;
    op.width = FONT_WIDTH;
    op.height = FONT_HEIGHT;
    op.charcount = FONT_CHARACTERS;
    return copy_to_user(arg, &op, sizeof(op));
}

static long set_keyboard_mode(uint32_t mode)
{
    return mode == K_XLATE || mode == K_UNICODE ? 0 : -EINVAL;
}

long screen_ioctl(struct tty *t, uint32_t cmd, uint32_t arg)
{
    switch (cmd) {
    case KDGKBTYPE:
        return put_user_u8(arg, KB_101);
    case KDGETMODE:
        return put_user_u32((void __user *)arg, screen_of(t)->graphics ? KD_GRAPHICS : KD_TEXT);
    case KDSETMODE:
        return set_mode(t, arg);
    case KDFONTOP:
        return font_op(t, (void __user *)arg);
    case KDGKBMODE:
        return put_user_u32((void __user *)arg, K_UNICODE);
    case KDSKBMODE:
        return set_keyboard_mode(arg);
    case KDGETLED:
        return put_user_u8(arg, keyboard_leds());
    case KDSETLED:
    case KIOCSOUND:
    case KDMKTONE:
        return 0;
    case KDSIGACCEPT:
        return set_spawner(arg);
    case VT_OPENQRY:
        return first_free(arg);
    case VT_GETSTATE:
        return get_state(arg);
    case VT_ACTIVATE:
        return activate(arg);
    case VT_WAITACTIVE:
        return arg == screen_foreground + 1 ? 0 : -ENXIO;
    default:
        return -ENOTTY;
    }
}
