/*
 * tty1 to tty4: the screen and the keyboard as terminals, and as a console for the kernel log. One
 * of them shows, by Alt and a function key or VT_ACTIVATE; what paints it is VGA text or a
 * framebuffer.
 *
 * Video memory is slow, so what programs write is painted at most fifty times a second, and less
 * often where painting takes long: at once if the last time is long ago, else by a timer. Kernel
 * messages are painted at once.
 *
 * A terminal is kept from screen_ttys_init() on, its history from when it is first opened.
 */
#include "drivers/video/screen.h"
#include "arch/mmu.h"
#include "arch/uaccess.h"
#include "drivers/video/fb.h"
#include "drivers/input/keyboard.h"
#include "drivers/video/vga.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

#define REFRESH_NS    (NSEC_PER_SEC / 50)
#define PAINT_SHARE   3           /* painting takes at most this part of the time */
#define MANY_KIB      (16u << 10) /* with less memory there is only tty1 */
#define HISTORY_SHARE 512u        /* part of memory that a terminal's history takes */
#define HISTORY_LINES 1000u
#define VIEW_STEP(vt) ((vt)->rows / 2)

struct screen screens[SCREENS];
struct console_lock screen_lock;
unsigned screen_foreground;

static const struct vt_painter *painter; /* NULL: nothing shows */
static uint16_t rows = VGA_ROWS, cols = VGA_COLS;
static vt_cell_t first_cells[VGA_ROWS * VGA_COLS]; /* tty1's until there is memory */
static unsigned count;                             /* terminals that are kept */
static uint64_t painted_at;                        /* [screen_lock] */
static uint64_t refresh_ns = REFRESH_NS;           /* [screen_lock] */
static bool paint_due;                             /* [screen_lock] the timer is set */
static struct timer paint_timer;

static struct screen *foreground(void)
{
    return &screens[screen_foreground];
}

/* ---- Painting ---- */

/* [screen_lock] Text shows, unless a program draws. */
static void show_foreground(bool drawn_over)
{
    bool text = !foreground()->graphics || panicking;

    if (drawn_over && text && painter == &fb_painter)
        fb_forget();
    vt_set_painter(&foreground()->vt, text ? painter : NULL, NULL);
}

/* [screen_lock] */
static void show(unsigned n)
{
    bool drawn_over = foreground()->graphics;

    if (n == screen_foreground && !(panicking && drawn_over))
        return;
    vt_end_view(&foreground()->vt);
    vt_set_painter(&foreground()->vt, NULL, NULL);
    if (panicking)
        foreground()->graphics = false;
    screen_foreground = n;
    show_foreground(drawn_over);
}

void screen_set_graphics(struct screen *screen, bool graphics)
{
    uint32_t flags = console_lock(&screen_lock);
    bool was = screen->graphics;

    screen->graphics = graphics;
    if (screen == foreground() && was != graphics)
        show_foreground(was);
    console_unlock(&screen_lock, flags);
}

void screen_switch(unsigned n)
{
    if (n >= count)
        return;
    uint32_t flags = console_lock(&screen_lock);
    show(n);
    console_unlock(&screen_lock, flags);
    screen_wanted(&screens[n]);
}

static void screen_console_write(const char *s, size_t n)
{
    uint32_t flags = console_lock(&screen_lock);

    if (panicking)
        show(0);
    vt_print(&screens[0].vt, s, n);
    vt_paint(&screens[0].vt);
    console_unlock(&screen_lock, flags);
}

/* Says why the framebuffer is not used, if it is not. */
static void use_framebuffer(const struct boot_framebuffer *fb)
{
    const char *why = fb_unusable(fb);

    if (!why)
        boot_info.framebuffer_memory = map_framebuffer(fb->addr, fb->pitch * fb->height, &why);
    if (why)
        klog(LOG_WARN, "The framebuffer at %08x%08x, %ux%u, %u bits, is not used: %s.\n",
             (unsigned)(fb->addr >> 32), (unsigned)fb->addr, (unsigned)fb->width,
             (unsigned)fb->height, fb->bpp, why);
}

static void screen_early_init(void)
{
    static struct console screen_console = {
        .name = "tty1", .write = screen_console_write, .colours = true};

    if (boot_info.framebuffer && !boot_flag("nofb"))
        use_framebuffer(boot_info.framebuffer);
    if (fb_init(&rows, &cols))
        painter = &fb_painter;
    else if (vga_init())
        painter = &vga_painter;
    vt_init(&screens[0].vt, first_cells, VGA_ROWS, cols < VGA_COLS ? cols : VGA_COLS);
    if (rows < VGA_ROWS)
        vt_init(&screens[0].vt, first_cells, rows, cols < VGA_COLS ? cols : VGA_COLS);
    if (!painter)
        return;
    vt_set_painter(&screens[0].vt, painter, NULL);
    console_register(&screen_console);
}
INIT_AT(INIT_SCREEN, screen_early_init);

/* [screen_lock] */
static void paint(uint64_t now)
{
    vt_paint(&foreground()->vt);
    painted_at = time_mono_ns();
    refresh_ns = (painted_at - now) * PAINT_SHARE;
    if (refresh_ns < REFRESH_NS)
        refresh_ns = REFRESH_NS;
}

static void paint_timer_fired(void *arg)
{
    uint64_t now = time_mono_ns();
    uint32_t flags = console_lock(&screen_lock);

    (void)arg;
    paint_due = false;
    paint(now);
    console_unlock(&screen_lock, flags);
}

/* [screen_lock] Paints, or leaves it to the timer; false if the caller must set that. */
static bool paint_soon(uint64_t now)
{
    if (paint_due)
        return true;
    paint_due = now - painted_at < refresh_ns;
    if (paint_due)
        return false;
    paint(now);
    return true;
}

/* ---- The terminals' driver ---- */

static struct screen *screen_of(struct tty *t)
{
    return t->private;
}

static size_t screen_write(struct tty *t, const char *s, size_t n)
{
    struct screen *screen = screen_of(t);

    if (t->stopped)
        return 0;
    uint64_t now = time_mono_ns();
    uint32_t flags = console_lock(&screen_lock);
    vt_write(&screen->vt, s, n);
    bool set_timer = screen == foreground() && !paint_soon(now);
    uint64_t due = now + refresh_ns;
    console_unlock(&screen_lock, flags);
    if (set_timer)
        timer_start(&paint_timer, due);
    return n;
}

static size_t screen_room(struct tty *t)
{
    return t->stopped ? 0 : TTY_INPUT_SIZE;
}

/* Answers of the emulator (cursor position) become input, once the terminal's lock is free. */
static void screen_after_write(struct tty *t)
{
    struct screen *screen = screen_of(t);
    char reply[VT_REPLY_MAX];

    if (!screen->vt.reply_len)
        return;
    uint32_t flags = console_lock(&screen_lock);
    size_t n = vt_take_reply(&screen->vt, reply, sizeof(reply));
    console_unlock(&screen_lock, flags);
    if (n)
        tty_receive(t, reply, n);
}

/* The screen is as large as it is. */
static int screen_resize(struct tty *t, const struct winsize *ws)
{
    (void)t;
    return ws->rows == rows && ws->cols == cols ? 0 : -EINVAL;
}

static const struct tty_driver screen_drivers[SCREENS] = {
#define DRIVER(tty_name)                                                                           \
    {                                                                                              \
        .name = (tty_name), .write = screen_write, .room = screen_room,                            \
        .after_write = screen_after_write, .resize = screen_resize, .ioctl = screen_ioctl          \
    }
    DRIVER("tty1"),
    DRIVER("tty2"),
    DRIVER("tty3"),
    DRIVER("tty4"),
#undef DRIVER
};

/* ---- The keyboard ---- */

void screen_input(const char *s, size_t n)
{
    uint32_t flags = console_lock(&screen_lock);
    struct screen *screen = foreground();
    bool back = screen->vt.view != 0;

    vt_end_view(&screen->vt);
    if (back)
        vt_paint(&screen->vt);
    console_unlock(&screen_lock, flags);
    tty_receive(&screen->tty, s, n);
}

void screen_scroll_view(int half_pages)
{
    uint32_t flags = console_lock(&screen_lock);
    struct vt *vt = &foreground()->vt;

    vt_scroll_view(vt, half_pages * VIEW_STEP(vt));
    console_unlock(&screen_lock, flags);
}

void screen_toggle_stop(void)
{
    struct tty *t = &foreground()->tty;

    spin_lock(&t->lock);
    tty_set_stopped(t, !t->stopped);
    tty_unlock(t);
}

struct vt_key_modes screen_key_modes(void)
{
    uint32_t flags = console_lock(&screen_lock);
    const struct vt *vt = &foreground()->vt;
    struct vt_key_modes modes = {vt->app_cursor, vt->app_keypad, vt->newline};

    console_unlock(&screen_lock, flags);
    return modes;
}

/* ---- Memory for cells ---- */

/* As many rows of cells as wanted, or as there is memory for; row is a frame of pointers. */
static unsigned alloc_rows(vt_cell_t **row, unsigned wanted)
{
    const unsigned width = cols, in_a_frame = PAGE_SIZE / (width * sizeof(vt_cell_t));
    unsigned n = 0;

    while (n < wanted) {
        vt_cell_t *cells = kalloc();
        if (!cells)
            break;
        for (unsigned i = 0; i < in_a_frame && n < wanted; i++, cells += width)
            row[n++] = cells;
    }
    return n;
}

/* The frames behind n rows of alloc_rows. */
static void free_rows(vt_cell_t **row, unsigned n)
{
    unsigned in_a_frame = PAGE_SIZE / (cols * sizeof(vt_cell_t));

    for (unsigned i = 0; i < n; i += in_a_frame)
        kfree(row[i]);
    kfree(row);
}

/* The pointers to n rows, or NULL. */
static vt_cell_t **new_rows(unsigned n)
{
    vt_cell_t **row = kalloc();
    unsigned got = row ? alloc_rows(row, n) : 0;

    if (got == n)
        return row;
    if (row)
        free_rows(row, got);
    return NULL;
}

static void give_history(struct screen *screen)
{
    uint32_t bytes =
        boot_info.ram_total_kib < UINT32_MAX / 1024 ? boot_info.ram_total_kib * 1024 : UINT32_MAX;
    unsigned lines = bytes / HISTORY_SHARE / (cols * sizeof(vt_cell_t));
    vt_cell_t **row = kalloc();

    if (!row)
        return;
    /* A line is erased when it comes to the screen, before it is anybody's to see. */
    lines = alloc_rows(row, lines < HISTORY_LINES ? lines : HISTORY_LINES);
    uint32_t flags = console_lock(&screen_lock);
    vt_set_history(&screen->vt, row, lines);
    console_unlock(&screen_lock, flags);
    if (!lines)
        kfree(row);
}

/* ---- Setting up ---- */

/* tty1 gets the whole of a framebuffer, of which it had a corner. */
static void enlarge_first(void)
{
    vt_cell_t **row = rows == VGA_ROWS && cols == VGA_COLS ? NULL : new_rows(rows);
    vt_cell_t **shadow = painter == &fb_painter ? new_rows(rows) : NULL;

    uint32_t flags = console_lock(&screen_lock);
    if (row)
        vt_resize(&screens[0].vt, row, rows, cols);
    else {
        rows = screens[0].vt.rows;
        cols = screens[0].vt.cols;
    }
    if (painter == &fb_painter)
        fb_set_shadow(shadow);
    vt_set_painter(&screens[0].vt, painter, NULL);
    console_unlock(&screen_lock, flags);
    if (row)
        kfree(row);
}

static void add_terminal(unsigned n)
{
    struct screen *screen = &screens[n];

    if (tty_setup(&screen->tty, &screen_drivers[n], TTY_SCREEN_DEV + n, cols, rows))
        return;
    screen->tty.private = screen;
    screen->tty.termios.iflag |= TERMIOS_IUTF8;
    count = n + 1;
}

void screen_ttys_init(void)
{
    timer_init(&paint_timer, paint_timer_fired, NULL);
    enlarge_first();
    add_terminal(0);
    give_history(&screens[0]);
    screens[0].has_history = true;
    for (unsigned n = 1; n < SCREENS && painter && boot_info.ram_total_kib >= MANY_KIB; n++) {
        vt_cell_t **row = new_rows(rows);
        if (!row)
            break;
        vt_init_rows(&screens[n].vt, row, rows, cols);
        kfree(row);
        add_terminal(n);
    }
    keyboard_init();
}

unsigned screen_tty_count(void)
{
    return count;
}

struct tty *screen_tty(unsigned n)
{
    if (n > count)
        return NULL;
    struct screen *screen = n ? &screens[n - 1] : foreground();
    if (!screen->has_history) {
        screen->has_history = true;
        give_history(screen);
    }
    return &screen->tty;
}
