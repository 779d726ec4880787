/*
 * The PS/2 keyboard behind an 8042 controller. All waits are bounded: a machine without the
 * controller reads 0xff, and one whose keyboard is silent just types nothing. Everything after
 * keyboard_init runs in the keyboard interrupt. [IBM PS/2 technical reference: keyboard controller]
 */
#include "arch/io.h"
#include "arch/trap.h"
#include "drivers/input/keyboard.h"
#include "drivers/input/layouts.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "kernel/machine/power.h"

#define KBD_IRQ     1
#define KBD_DATA    0x60
#define KBD_STATUS  0x64
#define KBD_COMMAND 0x64
#define STATUS_OUT  0x01 /* a byte for us */
#define STATUS_IN   0x02 /* the last byte is not yet taken */
#define STATUS_AUX  0x20 /* the byte is the mouse's */

#define CMD_READ_CONFIG  0x20
#define CMD_WRITE_CONFIG 0x60
#define CMD_DISABLE_AUX  0xa7
#define CMD_DISABLE_KBD  0xad
#define CMD_ENABLE_KBD   0xae
#define CONFIG_IRQ1      0x01
#define CONFIG_CLOCK_OFF 0x10
#define CONFIG_TRANSLATE 0x40 /* scan code set 1 */

#define KBD_SET_LEDS 0xed
#define KBD_SET_RATE 0xf3
#define KBD_ENABLE   0xf4
#define KBD_ACK      0xfa
#define KBD_RESEND   0xfe

#define RATE_FAST 0x20 /* a key repeats after half a second, 30 times a second */

#define WAIT_LIMIT  20000u /* microseconds */
#define FLUSH_LIMIT 64
#define IRQ_LIMIT   32

static struct keymap keymap;
static bool leds_wanted; /* the keyboard's answer to KBD_SET_LEDS sends them */

static bool wait_status(uint8_t mask, uint8_t value)
{
    for (uint32_t i = 0; i < WAIT_LIMIT; i++) {
        if ((inb(KBD_STATUS) & mask) == value)
            return true;
        io_delay();
    }
    return false;
}

static bool send(uint16_t to, uint8_t value)
{
    if (!wait_status(STATUS_IN, 0))
        return false;
    outb(to, value);
    return true;
}

static int receive_byte(void)
{
    return wait_status(STATUS_OUT, STATUS_OUT) ? inb(KBD_DATA) : -1;
}

static void flush(void)
{
    for (int i = 0; i < FLUSH_LIMIT && (inb(KBD_STATUS) & STATUS_OUT); i++) {
        inb(KBD_DATA);
        io_delay();
    }
}

uint8_t keyboard_leds(void)
{
    return (uint8_t)(keymap.scroll_lock | keymap.num_lock << 1 | keymap.caps_lock << 2);
}

/* The lights take two bytes with an answer after each; the second goes out when the first answer
 * comes, so nothing waits in the interrupt. */
static void request_leds(void)
{
    if (!(inb(KBD_STATUS) & STATUS_IN)) {
        leds_wanted = true;
        outb(KBD_DATA, KBD_SET_LEDS);
    }
}

static void answer(void)
{
    if (!leds_wanted)
        return;
    leds_wanted = false;
    if (!(inb(KBD_STATUS) & STATUS_IN))
        outb(KBD_DATA, keyboard_leds());
}

static void scancode(uint8_t code)
{
    char typed[KEY_MAX_BYTES];
    size_t n;

    switch (keymap_scancode(&keymap, screen_key_modes(), code, typed, &n)) {
    case KEY_REBOOT:
        machine_ctrl_alt_del();
        break;
    case KEY_SCROLL_LOCK:
        screen_toggle_stop();
        request_leds();
        break;
    case KEY_LEDS:
        request_leds();
        break;
    case KEY_CONSOLE:
        screen_switch(keymap.console);
        break;
    case KEY_VIEW_BACK:
        screen_scroll_view(1);
        break;
    case KEY_VIEW_FORWARD:
        screen_scroll_view(-1);
        break;
    case KEY_NOTHING:
        break;
    }
    if (n)
        screen_input(typed, n);
}

static void keyboard_interrupt(void *arg)
{
    (void)arg;
    for (int i = 0; i < IRQ_LIMIT; i++) {
        uint8_t status = inb(KBD_STATUS);
        if (!(status & STATUS_OUT))
            break;
        uint8_t code = inb(KBD_DATA);
        if (status & STATUS_AUX)
            continue;
        if (code == KBD_ACK || code == KBD_RESEND)
            answer();
        else
            scancode(code);
    }
}

static bool tell_keyboard(uint8_t byte)
{
    return send(KBD_DATA, byte) && receive_byte() == KBD_ACK;
}

/* Translation and the interrupt on, the mouse off until it has a driver. */
static bool configure(void)
{
    send(KBD_COMMAND, CMD_DISABLE_KBD);
    send(KBD_COMMAND, CMD_DISABLE_AUX);
    flush();
    if (!send(KBD_COMMAND, CMD_READ_CONFIG))
        return false;
    int config = receive_byte();
    if (config < 0)
        return false;
    config = (config | CONFIG_IRQ1 | CONFIG_TRANSLATE) & ~CONFIG_CLOCK_OFF;
    send(KBD_COMMAND, CMD_WRITE_CONFIG);
    send(KBD_DATA, (uint8_t)config);
    send(KBD_COMMAND, CMD_ENABLE_KBD);
    if (tell_keyboard(KBD_ENABLE)) { /* a silent one is not waited for again */
        tell_keyboard(KBD_SET_RATE);
        tell_keyboard(RATE_FAST);
        tell_keyboard(KBD_SET_LEDS);
        tell_keyboard(keyboard_leds());
    }
    flush();
    return true;
}

static void choose_layout(void)
{
    char name[8];

    if (!boot_option("keymap", name, sizeof(name)))
        return;
    keymap.layout = layout_find(name);
    if (!keymap.layout)
        klog(LOG_WARN, "keyboard: there is no layout \"%s\"; it is a US one\n", name);
}

void keyboard_init(void)
{
    choose_layout();
    if (inb(KBD_STATUS) == 0xff) {
        klog(LOG_INFO, "keyboard: no 8042\n");
        return;
    }
    if (!configure()) {
        klog(LOG_WARN, "keyboard: the controller does not answer\n");
        return;
    }
    if (irq_register(KBD_IRQ, keyboard_interrupt, NULL))
        klog(LOG_WARN, "keyboard: no interrupt\n");
}
