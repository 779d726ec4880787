/*
 * Scan codes of set 1 become the bytes that TERM=linux programs expect, characters in UTF-8 by the
 * layout. Alt puts ESC in front; Ctrl makes control characters; the keypad follows Num Lock.
 */
#include "drivers/input/keyboard.h"
#include "drivers/input/layouts.h"
#include "libc/string.h"

#define SC_EXTENDED  0xe0
#define SC_PAUSE     0xe1
#define SC_RELEASE   0x80
#define SC_LCTRL     0x1d
#define SC_LSHIFT    0x2a
#define SC_RSHIFT    0x36
#define SC_LALT      0x38
#define SC_CAPS      0x3a
#define SC_F1        0x3b
#define SC_F10       0x44
#define SC_NUM       0x45
#define SC_SCROLL    0x46
#define SC_KP_FIRST  0x47
#define SC_KP_LAST   0x53
#define SC_PRINT     0x37
#define SC_ESC       0x01
#define SC_BACKSPACE 0x0e
#define SC_TAB       0x0f
#define SC_ENTER     0x1c
#define SC_SLASH     0x35
#define SC_SPACE     0x39
#define SC_F11       0x57
#define SC_F12       0x58
#define SC_DELETE    0x53
#define SC_PAGE_UP   0x49
#define SC_PAGE_DOWN 0x51
#define SC_BREAK     0x46 /* extended: Ctrl-Pause */

static void put(char *out, size_t *n, const char *s)
{
    size_t len = strlen(s);

    if (*n + len > KEY_MAX_BYTES)
        return;
    memcpy(out + *n, s, len);
    *n += len;
}

static void put_byte(char *out, size_t *n, char c)
{
    if (*n < KEY_MAX_BYTES)
        out[(*n)++] = c;
}

/* The control character of Ctrl and a character, or -1 when the pair types nothing. */
static int control_of(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 1;
    if (c >= '@' && c <= '_')
        return c & 0x1f;
    switch (c) {
    case ' ':
    case '2':
    case '`':
        return 0;
    case '3':
        return 0x1b;
    case '4':
        return 0x1c;
    case '5':
        return 0x1d;
    case '6':
        return 0x1e;
    case '7':
    case '/':
    case '-':
        return 0x1f;
    case '8':
    case '?':
        return 0x7f;
    case 0x7f:
        return 0x08;
    case 0x1b:
    case '\r':
    case '\t':
        return c;
    default:
        return -1;
    }
}

/* Layouts hold characters below 0x10000 only: three bytes at most. */
static void put_utf8(char *out, size_t *n, uint16_t c)
{
    if (c < 0x80) {
        put_byte(out, n, (char)c);
        return;
    }
    if (c < 0x800) {
        put_byte(out, n, (char)(0xc0 | c >> 6));
    } else {
        put_byte(out, n, (char)(0xe0 | c >> 12));
        put_byte(out, n, (char)(0x80 | (c >> 6 & 0x3f)));
    }
    put_byte(out, n, (char)(0x80 | (c & 0x3f)));
}

/* Keys that are the same in every layout. */
static uint16_t common_char(uint8_t code)
{
    switch (code) {
    case SC_ESC:
        return 0x1b;
    case SC_BACKSPACE:
        return 0x7f;
    case SC_TAB:
        return '\t';
    case SC_ENTER:
        return '\r';
    case SC_SPACE:
        return ' ';
    case SC_PRINT:
        return '*'; /* of the keypad */
    default:
        return 0;
    }
}

static bool uses_altgr(const struct keymap *k)
{
    return k->ralt && layout_has_altgr(k->layout);
}

static uint16_t char_of(const struct keymap *k, uint8_t code, bool shift)
{
    uint16_t plain = common_char(code), shifted;

    if (plain)
        return plain;
    if (uses_altgr(k))
        return layout_char(k->layout, LAYOUT_ALTGR, code);
    plain = layout_char(k->layout, LAYOUT_PLAIN, code);
    shifted = layout_char(k->layout, LAYOUT_SHIFT, code);
    bool letter = plain >= 'a' && plain != 0xf7 && shifted + 0x20 == plain;
    if (k->caps_lock && letter)
        shift = !shift;
    return shift ? shifted : plain;
}

/* A dead key waits; with the next character it becomes one, or both appear. */
static void put_char(struct keymap *k, uint16_t c, char *out, size_t *n)
{
    uint16_t accent = k->dead;

    if (layout_is_dead(c) && !accent) {
        k->dead = c;
        return;
    }
    k->dead = 0;
    if (accent) {
        uint16_t composed = layout_compose(accent, layout_is_dead(c) ? ' ' : c);
        if (composed) {
            put_utf8(out, n, composed);
            return;
        }
        put_utf8(out, n, layout_compose(accent, ' '));
    }
    put_utf8(out, n, c);
}

static void type_char(struct keymap *k, struct vt_key_modes modes, uint8_t code, char *out,
                      size_t *n)
{
    bool shift = k->lshift || k->rshift, alt = k->lalt || (k->ralt && !uses_altgr(k));
    uint16_t c = char_of(k, code, shift);
    int control = c;

    if (!c)
        return;
    if (k->lctrl || k->rctrl)
        control = c < 0x80 ? control_of((char)c) : -1;
    if (control < 0)
        return;
    if (alt || (code == SC_TAB && shift))
        put_byte(out, n, 0x1b);
    if (k->lctrl || k->rctrl)
        put_byte(out, n, (char)control);
    else
        put_char(k, c, out, n);
    if (code == SC_ENTER && modes.newline)
        put_byte(out, n, '\n');
}

static void type_function(const struct keymap *k, unsigned number, char *out, size_t *n)
{
    static const char *const keys[20] = {
        "[[A",  "[[B",  "[[C",  "[[D",  "[[E",  "[17~", "[18~", "[19~", "[20~", "[21~",
        "[23~", "[24~", "[25~", "[26~", "[28~", "[29~", "[31~", "[32~", "[33~", "[34~",
    };

    if (k->lshift || k->rshift)
        number += 10;
    if (number < 20) {
        put_byte(out, n, 0x1b);
        put(out, n, keys[number]);
    }
}

/* Home to Delete, in the keypad's order of scan codes from 0x47; NULL where there is no such key.
 */
static void type_navigation(const struct keymap *k, struct vt_key_modes modes, uint8_t code,
                            char *out, size_t *n)
{
    static const char *const keys[] = {"[1~", "[A",  "[5~", NULL,  "[D",  "[G", "[C",
                                       NULL,  "[4~", "[B",  "[6~", "[2~", "[3~"};
    const char *key = keys[code - SC_KP_FIRST];

    if (!key)
        return;
    if (k->lalt || k->ralt)
        put_byte(out, n, 0x1b);
    put_byte(out, n, 0x1b);
    if (modes.app_cursor && key[1] >= 'A' && key[1] <= 'D') {
        put_byte(out, n, 'O');
        key++;
    }
    put(out, n, key);
}

static void type_keypad(const struct keymap *k, struct vt_key_modes modes, uint8_t code, char *out,
                        size_t *n)
{
    static const char digits[] = "789-456+1230.";
    static const char app[] = "wxySTuvlqrspn";
    unsigned i = code - SC_KP_FIRST;
    char c = digits[i];
    bool sign = c == '-' || c == '+';

    if (modes.app_keypad && !k->num_lock) {
        put(out, n, "\033O");
        put_byte(out, n, app[i]);
        return;
    }
    if (!sign && !k->num_lock) {
        type_navigation(k, modes, code, out, n);
        return;
    }
    if (k->lalt || k->ralt)
        put_byte(out, n, 0x1b);
    put_byte(out, n, c);
}

/* Ctrl, Shift, Alt and the locks; false if code is another key. */
static bool modifier(struct keymap *k, uint8_t code, bool pressed, bool extended)
{
    switch (code) {
    case SC_LCTRL:
        *(extended ? &k->rctrl : &k->lctrl) = pressed;
        return true;
    case SC_LALT:
        *(extended ? &k->ralt : &k->lalt) = pressed;
        return true;
    case SC_LSHIFT:
    case SC_RSHIFT:
        /* With 0xe0 in front these are the controller's own, around grey keys. */
        if (!extended)
            *(code == SC_LSHIFT ? &k->lshift : &k->rshift) = pressed;
        return true;
    default:
        return false;
    }
}

static enum key_action lock_key(struct keymap *k, uint8_t code)
{
    if (code == SC_CAPS)
        k->caps_lock = !k->caps_lock;
    else if (code == SC_NUM)
        k->num_lock = !k->num_lock;
    else
        k->scroll_lock = !k->scroll_lock;
    return code == SC_SCROLL ? KEY_SCROLL_LOCK : KEY_LEDS;
}

static void extended_key(struct keymap *k, struct vt_key_modes modes, uint8_t code, char *out,
                         size_t *n)
{
    if (code == SC_ENTER)
        type_char(k, modes, code, out, n);
    else if (code == SC_SLASH)
        put_byte(out, n, '/');
    else if (code == SC_PRINT)
        put_byte(out, n, 0x1c);
    else if (code >= SC_KP_FIRST && code <= SC_KP_LAST)
        type_navigation(k, modes, code, out, n);
}

static enum key_action pressed_key(struct keymap *k, struct vt_key_modes modes, uint8_t code,
                                   bool extended, char *out, size_t *n)
{
    if (code == SC_DELETE && (k->lctrl || k->rctrl) && (k->lalt || k->ralt))
        return KEY_REBOOT;
    bool shift = k->lshift || k->rshift, alt = k->lalt || k->ralt;
    if (shift && extended && (code == SC_PAGE_UP || code == SC_PAGE_DOWN))
        return code == SC_PAGE_UP ? KEY_VIEW_BACK : KEY_VIEW_FORWARD;
    if (alt && !extended && code >= SC_F1 && code <= SC_F10) {
        k->console = code - SC_F1;
        return KEY_CONSOLE;
    }
    if (alt && (code == SC_F11 || code == SC_F12))
        return KEY_NOTHING;
    if (extended)
        extended_key(k, modes, code, out, n);
    else if (code == SC_CAPS || code == SC_NUM || code == SC_SCROLL)
        return lock_key(k, code);
    else if (code >= SC_F1 && code <= SC_F10)
        type_function(k, code - SC_F1, out, n);
    else if (code == SC_F11 || code == SC_F12)
        type_function(k, code - SC_F11 + 10u, out, n);
    else if (code >= SC_KP_FIRST && code <= SC_KP_LAST)
        type_keypad(k, modes, code, out, n);
    else
        type_char(k, modes, code, out, n);
    return KEY_NOTHING;
}

enum key_action keymap_scancode(struct keymap *k, struct vt_key_modes modes, uint8_t code,
                                char out[KEY_MAX_BYTES], size_t *n)
{
    *n = 0;
    if (k->skip) {
        if (--k->skip == 0 && code == SC_NUM)
            put(out, n, "\033[P");
        return KEY_NOTHING;
    }
    if (code == SC_PAUSE) {
        k->skip = 2; /* e1 1d 45 pressed, e1 9d c5 released */
        return KEY_NOTHING;
    }
    if (code == SC_EXTENDED) {
        k->extended = true;
        return KEY_NOTHING;
    }
    bool extended = k->extended, pressed = !(code & SC_RELEASE);
    k->extended = false;
    code &= (uint8_t)~SC_RELEASE;
    if (modifier(k, code, pressed, extended) || !pressed)
        return KEY_NOTHING;
    return pressed_key(k, modes, code, extended, out, n);
}
