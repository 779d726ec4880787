/*
 * tty1: the VGA screen and the keyboard as a terminal, and as a console for the kernel log.
 *
 * Video memory is slow, so what programs write is painted at most fifty times a second: at once if
 * the last time is long ago, else by a timer. Kernel messages are painted at once.
 */
#include "arch/uaccess.h"
#include "drivers/drivers.h"
#include "drivers/keyboard.h"
#include "drivers/vga.h"
#include "drivers/vt.h"
#include "kernel/log.h"
#include "kernel/time.h"
#include "kernel/tty.h"
#include "libc/errno.h"

#define KDGETLED      0x4b31
#define KDSETLED      0x4b32
#define KDGKBTYPE     0x4b33
#define KDSETMODE     0x4b3a
#define KDGETMODE     0x4b3b
#define KDGKBMODE     0x4b44
#define KDSKBMODE     0x4b45
#define KIOCSOUND     0x4b2f
#define KDMKTONE      0x4b30
#define VT_OPENQRY    0x5600
#define VT_GETSTATE   0x5603
#define VT_ACTIVATE   0x5606
#define VT_WAITACTIVE 0x5607

#define REFRESH_NS (NSEC_PER_SEC / 50)

#define KB_101    2
#define KD_TEXT   0
#define K_XLATE   1
#define K_UNICODE 3

static struct console_lock screen_lock;
static bool present;
static struct vt screen; /* [screen_lock] */
static vt_cell_t cells[VGA_ROWS * VGA_COLS];
static struct tty screen_tty;
static uint64_t painted_at; /* [screen_lock] */
static bool paint_due;      /* [screen_lock] the timer is set */
static struct timer paint_timer;

static void screen_console_write(const char *s, size_t n)
{
    uint32_t flags = console_lock(&screen_lock);
    vt_print(&screen, s, n);
    vt_paint(&screen);
    console_unlock(&screen_lock, flags);
}

void vga_early_init(void)
{
    static struct console screen_console = {.name = "tty1", .write = screen_console_write};

    present = vga_init();
    vt_init(&screen, cells, VGA_ROWS, VGA_COLS);
    if (!present)
        return;
    vt_set_painter(&screen, &vga_painter, NULL);
    console_register(&screen_console);
}

static void paint_timer_fired(void *arg)
{
    uint64_t now = time_mono_ns();
    uint32_t flags = console_lock(&screen_lock);

    (void)arg;
    paint_due = false;
    painted_at = now;
    vt_paint(&screen);
    console_unlock(&screen_lock, flags);
}

/* [screen_lock] Paints, or leaves it to the timer; false if the caller must set that. */
static bool paint_soon(uint64_t now)
{
    if (paint_due)
        return true;
    paint_due = now - painted_at < REFRESH_NS;
    if (paint_due)
        return false;
    painted_at = now;
    vt_paint(&screen);
    return true;
}

static size_t screen_write(struct tty *t, const char *s, size_t n)
{
    if (t->stopped)
        return 0;
    uint64_t now = time_mono_ns();
    uint32_t flags = console_lock(&screen_lock);
    vt_write(&screen, s, n);
    bool set_timer = !paint_soon(now);
    console_unlock(&screen_lock, flags);
    if (set_timer)
        timer_start(&paint_timer, now + REFRESH_NS);
    return n;
}

static size_t screen_room(struct tty *t)
{
    return t->stopped ? 0 : TTY_INPUT_SIZE;
}

/* Answers of the emulator (cursor position) become input, once the terminal's lock is free. */
static void screen_after_write(struct tty *t)
{
    char reply[VT_REPLY_MAX];

    if (!screen.reply_len)
        return;
    uint32_t flags = console_lock(&screen_lock);
    size_t n = vt_take_reply(&screen, reply, sizeof(reply));
    console_unlock(&screen_lock, flags);
    if (n)
        tty_receive(t, reply, n);
}

/* The screen is as large as it is. */
static int screen_resize(struct tty *t, const struct winsize *ws)
{
    (void)t;
    return ws->rows == VGA_ROWS && ws->cols == VGA_COLS ? 0 : -EINVAL;
}

static int put_user_u8(uint32_t addr, uint8_t v)
{
    return copy_to_user((void *)addr, &v, sizeof(v));
}

static long get_state(uint32_t arg)
{
    uint16_t state[3] = {1, 0, 1 << 1}; /* active, signal, mask of those in use */

    return copy_to_user((void *)arg, state, sizeof(state));
}

static long set_keyboard_mode(uint32_t mode)
{
    return mode == K_XLATE || mode == K_UNICODE ? 0 : -EINVAL;
}

static long screen_ioctl(struct tty *t, uint32_t cmd, uint32_t arg)
{
    (void)t;
    switch (cmd) {
    case KDGKBTYPE:
        return put_user_u8(arg, KB_101);
    case KDGETMODE:
        return put_user_u32((void *)arg, KD_TEXT);
    case KDSETMODE:
        return arg == KD_TEXT ? 0 : -EINVAL;
    case KDGKBMODE:
        return put_user_u32((void *)arg, K_UNICODE);
    case KDSKBMODE:
        return set_keyboard_mode(arg);
    case KDGETLED:
        return put_user_u8(arg, keyboard_leds());
    case KDSETLED:
    case KIOCSOUND:
    case KDMKTONE:
        return 0;
    case VT_OPENQRY:
        return put_user_u32((void *)arg, (uint32_t)-1);
    case VT_GETSTATE:
        return get_state(arg);
    case VT_ACTIVATE:
    case VT_WAITACTIVE:
        return arg == 1 ? 0 : -ENXIO;
    default:
        return -ENOTTY;
    }
}

static const struct tty_driver screen_driver = {
    .name = "tty1",
    .write = screen_write,
    .room = screen_room,
    .after_write = screen_after_write,
    .resize = screen_resize,
    .ioctl = screen_ioctl,
};

/* Keys from the keyboard interrupt. */
void screen_input(const char *s, size_t n)
{
    tty_receive(&screen_tty, s, n);
}

void screen_toggle_stop(void)
{
    spin_lock(&screen_tty.lock);
    tty_set_stopped(&screen_tty, !screen_tty.stopped);
    tty_unlock(&screen_tty);
}

struct vt_key_modes screen_key_modes(void)
{
    uint32_t flags = console_lock(&screen_lock);
    struct vt_key_modes modes = {screen.app_cursor, screen.app_keypad, screen.newline};
    console_unlock(&screen_lock, flags);
    return modes;
}

struct tty *screen_tty_init(void)
{
    tty_setup(&screen_tty, &screen_driver, TTY_SCREEN_DEV, VGA_COLS, VGA_ROWS);
    screen_tty.termios.iflag |= TERMIOS_IUTF8;
    timer_init(&paint_timer, paint_timer_fired, NULL);
    keyboard_init();
    return &screen_tty;
}
