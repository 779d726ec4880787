/* The PS/2 keyboard, and what it needs of the screen's terminal. */
#ifndef DRIVERS_KEYBOARD_H
#define DRIVERS_KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void keyboard_init(void);    /* registers the interrupt if there is a controller */
uint8_t keyboard_leds(void); /* 1 scroll, 2 num, 4 caps */

/* keymap.c: scan codes of set 1 to what TERM=linux programs expect. No hardware, so that it can be
 * tested on the host. */
struct layout;

struct keymap {
    bool lshift, rshift, lctrl, rctrl, lalt, ralt;
    bool caps_lock, num_lock, scroll_lock;
    bool extended; /* after 0xe0 */
    uint8_t skip;  /* bytes of the Pause key still to come */
    uint8_t console;
    const struct layout *layout; /* NULL: the US one */
    uint16_t dead;               /* the accent that waits for its letter, or 0 */
};

struct vt_key_modes {
    bool app_cursor, app_keypad, newline;
};

#define KEY_MAX_BYTES 8
enum key_action {
    KEY_NOTHING,
    KEY_REBOOT,
    KEY_LEDS,
    KEY_SCROLL_LOCK,
    KEY_CONSOLE, /* keymap.console says which to show, from 0 on */
    KEY_VIEW_BACK,
    KEY_VIEW_FORWARD,
};

/* Takes a scan code; what it types goes into out, its length into *n. */
enum key_action keymap_scancode(struct keymap *k, struct vt_key_modes modes, uint8_t code,
                                char out[KEY_MAX_BYTES], size_t *n);

/* drivers/video/screen.c */
void screen_input(const char *s, size_t n);
void screen_toggle_stop(void);
void screen_scroll_view(int half_pages); /* > 0: back */
void screen_switch(unsigned n);
struct vt_key_modes screen_key_modes(void);

#endif
